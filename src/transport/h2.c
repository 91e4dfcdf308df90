/*
 * One gRPC call over HTTP/2 by nghttp2; see h2.h. The order below: errors and
 * ends, headers in and out, frames, and the doors. How sessions are set up
 * is in h2setup, what header fields mean in h2head.
 */
#include "transport/h2.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "codec/percent.h"
#include "limits.h"
#include "transport/h2setup.h"

/* ---- errors -------------------------------------------------------------- */

static void set_message(struct h2 *h, const char *message)
{
    STR_COPY(h->message, message);
}

/* The first error wins. */
static int h2_fail(struct h2 *h, int err, const char *why)
{
    if (h->err == OK) {
        h->err = err;
        if (why != NULL)
            set_message(h, why);
    }
    return h->err;
}

static bool first_is(const struct h2 *h, const char *text)
{
    return view_starts(view_of(h->first, h->first_len), view_str(text));
}

/* The peer's first bytes are not HTTP/2: what are they? */
static const char *first_why(const struct h2 *h)
{
    static const char *const http1[] = {"HTTP/1.", "GET ", "POST ",
                                        "HEAD ",   "PUT ", "OPTION"};
    for (size_t i = 0; i < sizeof(http1) / sizeof(http1[0]); i++) {
        if (first_is(h, http1[i]))
            return "the peer speaks HTTP/1.1, not HTTP/2";
    }
    if (first_is(h, "\x16\x03"))
        return "the peer speaks TLS, but this connection is plain";
    return NULL;
}

static int fail_by_nghttp2(struct h2 *h, int code)
{
    const char *why = first_why(h);
    if (code == NGHTTP2_ERR_NOMEM)
        return h2_fail(h, ERR_LIMIT,
                       "the peer wants more memory than a connection has");
    if (code == NGHTTP2_ERR_FLOODED)
        return h2_fail(h, ERR_PROTO, "the peer floods the connection");
    if (why != NULL)
        return h2_fail(h, ERR_PROTO, why);
    if (code == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        return h2_fail(h, ERR_PROTO, "the peer does not speak HTTP/2");
    return h2_fail(h, ERR_PROTO, nghttp2_strerror(code));
}

static void note_first(struct h2 *h, struct view in)
{
    for (size_t i = 0; i < in.len && h->first_len < sizeof(h->first); i++)
        h->first[h->first_len++] = in.ptr[i];
}

/* What nghttp2 says about the peer's mistake, for people. */
static int on_error(nghttp2_session *session, int code, const char *msg,
                    size_t len, void *user)
{
    struct h2 *h = user;
    (void)session;
    if (code != NGHTTP2_ERR_SETTINGS_EXPECTED && code != NGHTTP2_ERR_PROTO)
        return 0; /* a header that it ignores, and the like */
    if (h->err == OK && !h->told)
        bytes_to_str(h->message, sizeof(h->message), view_of(msg, len));
    return 0;
}

/* ---- ends ---------------------------------------------------------------- */

/* Tell the owner, once, that the far end finished. */
static void tell_end(struct h2 *h, int status)
{
    if (h->told)
        return;
    h->told = true;
    if (!h->is_server)
        h->status = status;
    h->ops->ended(h->ctx, status, view_str(h->message));
}

/* The answer is not gRPC: say what it is instead. */
static void refuse_answer(struct h2 *h)
{
    struct text t;
    TEXT_OF(&t, h->message);
    if (h->head.http == 200) {
        text_str(&t, "the peer is a web server, but not for gRPC");
    } else {
        text_str(&t, "the peer answered with HTTP status ");
        text_u64(&t, h->head.http);
    }
    h->done = true;
    tell_end(h, h2head_status(&h->head));
}

/* ---- headers in ---------------------------------------------------------- */

/* The status stands in the trailers, or in the only headers. */
static void note_status(struct h2 *h, struct view name, struct view value)
{
    struct text t;
    if (h->head.grpc_status >= 0)
        h->status = h->head.grpc_status;
    if (!view_is(name, "grpc-message"))
        return;
    TEXT_OF(&t, h->message);
    percent_decode(&t, value);
}

static int on_begin_headers(nghttp2_session *session,
                            const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    (void)session;
    if (h->is_server && h->stream != 0 && frame->hd.stream_id != h->stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* one at a time */
    h2head_init(&h->head, h->path);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
                     const uint8_t *name, size_t name_len, const uint8_t *value,
                     size_t value_len, uint8_t flags, void *user)
{
    struct h2 *h = user;
    struct view n = view_of(name, name_len);
    struct view v = view_of(value, value_len);
    (void)session;
    (void)frame;
    (void)flags;
    h2head_read(&h->head, n, v);
    if (h->head.bytes > H2SETUP_HEADERS_MAX)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
    if (!h->is_server)
        note_status(h, n, v);
    else if (!h->accepted && h->ops->field != NULL) /* trailers are none */
        h->ops->field(h->ctx, n, v);
    return 0;
}

/* ---- headers out --------------------------------------------------------- */

/* A header whose text lives until it is sent. */
static nghttp2_nv nv_fixed(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value,
                        strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NO_COPY_NAME |
                            NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static nghttp2_nv nv_copied(const char *name, const char *value)
{
    nghttp2_nv nv = nv_fixed(name, value);
    nv.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
    return nv;
}

static int submit_trailers(struct h2 *h)
{
    char code[24], message[3 * sizeof(h->message)];
    struct text t;
    TEXT_OF(&t, code);
    text_i64(&t, h->status);
    TEXT_OF(&t, message);
    percent_encode(&t, view_str(h->message));
    const nghttp2_nv nva[] = {nv_copied("grpc-status", code),
                              nv_copied("grpc-message", message)};
    return nghttp2_submit_trailer(h->session, h->stream, nva,
                                  message[0] == '\0' ? 1 : 2);
}

static ssize_t on_pull(nghttp2_session *session, int32_t stream, uint8_t *buf,
                       size_t len, uint32_t *flags, nghttp2_data_source *source,
                       void *user)
{
    struct h2 *h = user;
    (void)session;
    (void)stream;
    (void)source;
    size_t n = h->ops->pull(h->ctx, (struct span){buf, len});
    assert(n <= len);
    if (n > 0)
        return (ssize_t)n;
    if (!h->ending) {
        h->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (h->is_server) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (submit_trailers(h) != 0)
            return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

static const nghttp2_data_provider body_out = {.read_callback = on_pull};

/* DATA frames fill a TLS record, not more. */
static ssize_t on_data_length(nghttp2_session *session, uint8_t type,
                              int32_t stream, int32_t session_window,
                              int32_t stream_window, uint32_t frame_max,
                              void *user)
{
    (void)session;
    (void)type;
    (void)stream;
    (void)session_window; /* nghttp2 applies the windows itself */
    (void)stream_window;
    (void)user;
    return frame_max < H2_DATA_MAX ? (ssize_t)frame_max : H2_DATA_MAX;
}

/* ---- a request comes in (server) ----------------------------------------- */

static int refuse_http(struct h2 *h, int32_t stream, const char *http)
{
    const nghttp2_nv nva[] = {nv_fixed(":status", http)};
    return nghttp2_submit_response(h->session, stream, nva, 1, NULL);
}

static int refuse_path(struct h2 *h, int32_t stream)
{
    const nghttp2_nv nva[] = {
        nv_fixed(":status", "200"),
        nv_fixed("content-type", "application/grpc"),
        nv_fixed("grpc-status", "12"),
        nv_fixed("grpc-message", "there is no such method"),
    };
    return nghttp2_submit_response(h->session, stream, nva, 4, NULL);
}

static int accept_call(struct h2 *h, int32_t stream)
{
    const nghttp2_nv nva[] = {
        nv_fixed(":status", "200"),
        nv_fixed("content-type", "application/grpc"),
    };
    h->stream = stream;
    h->accepted = true;
    int err = nghttp2_submit_response(h->session, stream, nva, 2, &body_out);
    if (err == 0)
        h->ops->opened(h->ctx);
    return err;
}

static int on_request(struct h2 *h, int32_t stream)
{
    if (!h->head.is_post)
        return refuse_http(h, stream, "405");
    if (!h->head.is_grpc)
        return refuse_http(h, stream, "415");
    if (!h->head.is_path)
        return refuse_path(h, stream);
    return accept_call(h, stream);
}

/* ---- an answer comes in (client) ----------------------------------------- */

static void on_answer(struct h2 *h)
{
    if (h->status >= 0)
        return; /* it is the end as well */
    if (h->head.http != 200 || !h->head.is_grpc) {
        refuse_answer(h);
        return;
    }
    h->accepted = true;
    h->ops->opened(h->ctx);
}

/* ---- frames -------------------------------------------------------------- */

/* END_STREAM came: the far end has said everything. */
static void on_end_stream(struct h2 *h)
{
    if (h->is_server) {
        tell_end(h, -1);
        return;
    }
    h->done = true;
    if (h->status < 0 && h->message[0] == '\0')
        set_message(h, "the peer ended the call without a status");
    tell_end(h, h->status);
}

static int on_headers(struct h2 *h, const nghttp2_frame *frame)
{
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        return on_request(h, frame->hd.stream_id);
    if (!h->is_server && !h->accepted && h->head.http >= 200)
        on_answer(h); /* 1xx are no answer yet */
    return 0;
}

static void on_goaway(struct h2 *h, const nghttp2_goaway *frame)
{
    struct text t;
    if (frame->error_code == NGHTTP2_NO_ERROR || h->told || h->err != OK)
        return;
    TEXT_OF(&t, h->message);
    text_str(&t, "the peer ended the connection: ");
    text_str(&t, nghttp2_http2_strerror(frame->error_code));
    if (frame->opaque_data_len > 0) {
        text_str(&t, ", ");
        text_safe(&t, view_of(frame->opaque_data, frame->opaque_data_len));
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame,
                    void *user)
{
    struct h2 *h = user;
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        on_goaway(h, &frame->goaway);
    if (frame->hd.type == NGHTTP2_HEADERS && on_headers(h, frame) != 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
        frame->hd.stream_id == h->stream)
        on_end_stream(h);
    return 0;
}

static int on_body(nghttp2_session *session, uint8_t flags, int32_t stream,
                   const uint8_t *data, size_t len, void *user)
{
    struct h2 *h = user;
    (void)session;
    (void)flags;
    if (stream != h->stream || !h->accepted || h->told)
        return 0;
    int err = h->ops->body(h->ctx, view_of(data, len));
    if (err >= 0)
        return 0;
    h2_fail(h, err, NULL);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* nghttp2 gives up because of a mistake of the peer. These bytes still go
 * out; the next h2_take returns the error. */
static void on_goaway_sent(struct h2 *h, const nghttp2_goaway *frame)
{
    char why[sizeof(h->message)];
    struct text t;
    if (frame->error_code == NGHTTP2_NO_ERROR)
        return;
    TEXT_OF(&t, why);
    text_str(&t, "the peer broke HTTP/2: ");
    text_str(&t, nghttp2_http2_strerror(frame->error_code));
    text_str(&t, ", ");
    text_view(&t, view_of(frame->opaque_data, frame->opaque_data_len));
    h2_fail(h, ERR_PROTO, first_why(h) != NULL ? first_why(h) : why);
}

/* A server that has said its status needs no more of the request: without
 * this, gRPC clients that still send would wait. */
static int on_answer_sent(struct h2 *h, int32_t stream)
{
    if (nghttp2_session_get_stream_remote_close(h->session, stream) != 0)
        return 0;
    return nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, stream,
                                     NGHTTP2_NO_ERROR);
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame,
                         void *user)
{
    struct h2 *h = user;
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        on_goaway_sent(h, &frame->goaway);
    if (h->is_server && frame->hd.type == NGHTTP2_HEADERS &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
        on_answer_sent(h, frame->hd.stream_id) != 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream,
                           uint32_t code, void *user)
{
    struct h2 *h = user;
    (void)session;
    if (stream != h->stream)
        return 0;
    if (code != NGHTTP2_NO_ERROR && !h->told && h->message[0] == '\0') {
        struct text t;
        TEXT_OF(&t, h->message);
        text_str(&t, "the call was reset: ");
        text_str(&t, nghttp2_http2_strerror(code));
    }
    h->done = true;
    tell_end(h, h->is_server ? -1 : h->status);
    h->stream = 0;
    h->deferred = false;
    return 0;
}

/* ---- set up -------------------------------------------------------------- */

static void set_callbacks(nghttp2_session_callbacks *c)
{
    nghttp2_session_callbacks_set_error_callback2(c, on_error);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c,
                                                            on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_body);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_data_source_read_length_callback(
        c, on_data_length);
}

/* see h2.h */
int h2_prepare(void)
{
    return h2setup_prepare(set_callbacks);
}

static int h2_start(struct h2 *h)
{
    int err = h2setup_session(&h->session, h->is_server, h->alloc, h);
    return err == 0 ? OK : fail_by_nghttp2(h, err);
}

/* see h2.h */
int h2_client_init(struct h2 *h, struct alloc *alloc, const char *authority,
                   const char *path, const struct h2_ops *ops, void *ctx)
{
    const nghttp2_nv nva[] = {
        nv_fixed(":method", "POST"),
        nv_fixed(":scheme", "https"),
        nv_copied(":authority", authority),
        nv_fixed(":path", path),
        nv_fixed("te", "trailers"),
        nv_fixed("content-type", "application/grpc"),
        nv_fixed("user-agent", "grpc-c-cmdop"),
    };
    *h = (struct h2){.alloc = alloc, .ops = ops, .ctx = ctx, .status = -1};
    if (h2_start(h) != OK)
        return h->err;
    int32_t stream = nghttp2_submit_request(
        h->session, NULL, nva, sizeof(nva) / sizeof(nva[0]), &body_out, NULL);
    if (stream < 0)
        return fail_by_nghttp2(h, stream);
    h->stream = stream;
    return OK;
}

/* see h2.h */
int h2_server_init(struct h2 *h, struct alloc *alloc, const char *path,
                   const struct h2_ops *ops, void *ctx)
{
    *h = (struct h2){.alloc = alloc,
                     .ops = ops,
                     .ctx = ctx,
                     .path = path,
                     .is_server = true,
                     .status = -1};
    return h2_start(h);
}

/* ---- the doors ----------------------------------------------------------- */

/* see h2.h */
int h2_feed(struct h2 *h, struct view in)
{
    if (h->err != OK)
        return h->err;
    note_first(h, in);
    ssize_t n = nghttp2_session_mem_recv(h->session, in.ptr, in.len);
    if (n < 0)
        return fail_by_nghttp2(h, (int)n);
    return h->err;
}

/* see h2.h */
int h2_take(struct h2 *h, struct view *out)
{
    const uint8_t *ptr;
    *out = VIEW_NONE;
    if (h->err != OK)
        return h->err;
    if (h->done)
        nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
    ssize_t n = nghttp2_session_mem_send(h->session, &ptr);
    if (n < 0)
        return fail_by_nghttp2(h, (int)n);
    *out = view_of(ptr, (size_t)n);
    return OK;
}

/* see h2.h */
void h2_wake(struct h2 *h)
{
    if (!h->deferred)
        return;
    h->deferred = false;
    /* Anything else means that the peer has reset the call already. */
    if (nghttp2_session_resume_data(h->session, h->stream) == NGHTTP2_ERR_NOMEM)
        h2_fail(h, ERR_LIMIT, "no memory to go on sending");
}

/* see h2.h */
void h2_end(struct h2 *h, int status, const char *message)
{
    if (h->ending)
        return;
    h->ending = true;
    if (h->stream == 0)
        h->done = true;
    if (h->is_server) {
        h->status = status;
        set_message(h, message == NULL ? "" : message);
    }
    h2_wake(h);
}

/* see h2.h */
bool h2_said_all(const struct h2 *h)
{
    return h->stream == 0 ||
           nghttp2_session_get_stream_local_close(h->session, h->stream) == 1;
}

/* see h2.h */
bool h2_finished(const struct h2 *h)
{
    return h->session == NULL || (!nghttp2_session_want_read(h->session) &&
                                  !nghttp2_session_want_write(h->session));
}

/* see h2.h */
const char *h2_why(const struct h2 *h)
{
    return h->message;
}

/* see h2.h */
void h2_free(struct h2 *h)
{
    nghttp2_session_del(h->session);
    h->session = NULL;
}
