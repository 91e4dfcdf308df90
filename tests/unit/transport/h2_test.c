/*
 * HTTP/2 engines against each other in memory, and against a plain nghttp2
 * session that behaves in other ways.
 */
#include "transport/h2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/text.h"
#include "limits.h"
#include "unit/cuts.h"

#define PATH "/test.Service/Call"

/* ---- an end: an engine with an owner ------------------------------------- */

struct end {
    struct h2 h;
    struct alloc a;
    _Alignas(16) uint8_t mem[H2_ALLOC_BYTES];
    int opened;
    uint64_t in;
    uint32_t sum_in, sum_out;
    uint64_t to_send;
    size_t each; /* bytes given to one pull at most */
    size_t pull_max, pull_min;
    int pulls;
    int body_err;
    int ended;
    int end_status;
    char end_message[128];
    char fields[256]; /* of a request: some of them, "name=value;" */
};

static struct end client, server;

static void on_opened(void *ctx)
{
    struct end *e = ctx;
    e->opened++;
}

static uint32_t sum(uint32_t s, struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        s = s * 31 + v.ptr[i];
    return s;
}

static int on_body(void *ctx, struct view bytes)
{
    struct end *e = ctx;
    e->in += bytes.len;
    e->sum_in = sum(e->sum_in, bytes);
    return e->body_err;
}

static size_t on_pull(void *ctx, struct span out)
{
    struct end *e = ctx;
    size_t n = e->to_send < out.len ? (size_t)e->to_send : out.len;
    n = n < e->each ? n : e->each;
    e->pulls++;
    e->pull_max = out.len > e->pull_max ? out.len : e->pull_max;
    e->pull_min = out.len < e->pull_min ? out.len : e->pull_min;
    for (size_t i = 0; i < n; i++)
        out.ptr[i] = (uint8_t)(e->to_send + i * 5);
    e->sum_out = sum(e->sum_out, view_of(out.ptr, n));
    e->to_send -= n;
    return n;
}

static void on_ended(void *ctx, int status, struct view message)
{
    struct end *e = ctx;
    e->ended++;
    e->end_status = status;
    bytes_to_str(e->end_message, sizeof e->end_message, message);
}

static void on_field(void *ctx, struct view name, struct view value)
{
    struct end *e = ctx;
    struct text t;
    if (!view_is(name, ":method") && !view_is(name, "x-for"))
        return;
    assert_int_equal(e->opened, 0);
    text_init(&t, e->fields + strlen(e->fields),
              sizeof e->fields - strlen(e->fields));
    text_view(&t, name);
    text_str(&t, "=");
    text_view(&t, value);
    text_str(&t, ";");
}

static const struct h2_ops ops = {on_opened, on_body, on_pull, on_ended,
                                  on_field};

static void reset(struct end *e)
{
    h2_free(&e->h);
    memset(e, 0, sizeof *e);
    memset(e->mem, 0xee, sizeof e->mem);
    alloc_init(&e->a, SPAN_ARRAY(e->mem));
    e->each = SIZE_MAX;
    e->pull_min = SIZE_MAX;
}

static void start_client(const char *path)
{
    reset(&client);
    assert_int_equal(
        h2_client_init(&client.h, &client.a, "relay", path, &ops, &client), OK);
}

static void start_server(void)
{
    reset(&server);
    assert_int_equal(h2_server_init(&server.h, &server.a, PATH, &ops, &server),
                     OK);
}

static void start(void)
{
    assert_int_equal(h2_prepare(), OK);
    start_client(PATH);
    start_server();
}

/* Carry one frame; true when there was one. */
static bool carry(struct end *from, struct end *to)
{
    struct view v;
    if (h2_take(&from->h, &v) != OK || v.len == 0)
        return false;
    h2_feed(&to->h, cuts_guarded(v));
    return true;
}

static void pump(void)
{
    while (carry(&client, &server) | carry(&server, &client))
        ;
}

/* ---- what works ---------------------------------------------------------- */

static void a_call_opens(void **state)
{
    (void)state;
    start();
    pump();
    assert_int_equal(client.opened, 1);
    assert_int_equal(server.opened, 1);
    assert_int_equal(client.ended + server.ended, 0);
    assert_false(h2_finished(&client.h));
}

static void bulk_flows_both_ways(void **state)
{
    const uint64_t total = 16 * 1024 * 1024;
    (void)state;
    start();
    client.to_send = server.to_send = total;
    pump();
    assert_int_equal(client.in, total);
    assert_int_equal(server.in, total);
    assert_int_equal(client.sum_in, server.sum_out);
    assert_int_equal(server.sum_in, client.sum_out);
    assert_int_equal(client.pull_max, H2_DATA_MAX);
    assert_int_equal(server.pull_max, H2_DATA_MAX);
}

static void small_bodies_flow(void **state)
{
    (void)state;
    start();
    client.each = server.each = 1;
    client.to_send = server.to_send = 5000;
    pump();
    assert_int_equal(client.in, 5000);
    assert_int_equal(server.in, 5000);
}

static void waking_sends_what_came_later(void **state)
{
    struct view v;
    (void)state;
    start();
    pump();
    for (int i = 0; i < 10; i++) {
        client.to_send = 3;
        assert_int_equal(h2_take(&client.h, &v), OK);
        assert_int_equal(v.len, 0); /* nobody woke it */
        h2_wake(&client.h);
        assert_int_equal(h2_take(&client.h, &v), OK);
        assert_int_equal(v.len, 9 + 3);
        h2_feed(&server.h, v);
        assert_int_equal(h2_take(&client.h, &v), OK);
        assert_int_equal(v.len, 0);
    }
    assert_int_equal(server.in, 30);
}

static void a_server_ends_with_status_and_message(void **state)
{
    (void)state;
    start();
    pump();
    server.to_send = 100; /* still said */
    h2_end(&server.h, GRPC_DENIED, "50% of \xc3\xa4ll\n");
    pump();
    assert_int_equal(client.in, 100);
    assert_int_equal(client.ended, 1);
    assert_int_equal(client.end_status, GRPC_DENIED);
    assert_string_equal(client.end_message, "50% of \xc3\xa4ll\n");
    assert_true(h2_finished(&client.h));
    assert_true(h2_finished(&server.h));
    assert_int_equal(client.h.err, OK);
    assert_int_equal(server.h.err, OK);
}

static void a_client_ends_and_hears_the_status(void **state)
{
    (void)state;
    start();
    pump();
    client.to_send = 100;
    assert_false(h2_said_all(&client.h));
    h2_end(&client.h, GRPC_OK, NULL);
    pump();
    assert_true(h2_said_all(&client.h));
    assert_int_equal(server.in, 100);
    assert_int_equal(server.ended, 1);
    assert_int_equal(server.end_status, -1);
    h2_end(&server.h, GRPC_OK, "");
    pump();
    assert_int_equal(client.ended, 1);
    assert_int_equal(client.end_status, GRPC_OK);
    assert_true(h2_finished(&client.h));
    assert_true(h2_finished(&server.h));
}

static void another_path_is_unimplemented(void **state)
{
    (void)state;
    start();
    start_client("/test.Service/Other");
    pump();
    assert_int_equal(server.opened, 0);
    assert_int_equal(client.ended, 1);
    assert_int_equal(client.end_status, GRPC_UNIMPLEMENTED);
    assert_string_equal(client.end_message, "there is no such method");
    assert_int_equal(client.opened, 0);
}

static void all_memory_comes_back(void **state)
{
    (void)state;
    start();
    client.to_send = server.to_send = 100000;
    pump();
    assert_true(client.a.peak < H2_ALLOC_BYTES * 3 / 4);
    assert_true(server.a.peak < H2_ALLOC_BYTES * 3 / 4);
    h2_free(&client.h);
    h2_free(&client.h);
    h2_free(&server.h);
    assert_int_equal(client.a.used, 0);
    assert_int_equal(server.a.used, 0);
}

/* Of the sanitizer's runtime; gcc has no header for it. */
int __sanitizer_install_malloc_and_free_hooks(
    void (*malloc_hook)(const volatile void *, size_t),
    void (*free_hook)(const volatile void *));

static int mallocs;

static void on_malloc(const volatile void *ptr, size_t size)
{
    (void)ptr;
    (void)size;
    mallocs++;
}

static void on_free(const volatile void *ptr)
{
    (void)ptr;
}

static void the_heap_is_not_used_after_prepare(void **state)
{
    (void)state;
    assert_int_equal(h2_prepare(), OK);
    cuts_guarded(VIEW_NONE);
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    mallocs = 0;
    start();
    client.to_send = server.to_send = 10000;
    pump();
    h2_end(&server.h, 0, NULL);
    pump();
    h2_free(&client.h);
    h2_free(&server.h);
    assert_int_equal(mallocs, 0);
}

static void an_engine_without_memory_refuses(void **state)
{
    (void)state;
    start();
    for (size_t size = 64; size < 30000; size += 777) {
        reset(&server);
        alloc_init(&server.a, (struct span){server.mem, size});
        int err = h2_server_init(&server.h, &server.a, PATH, &ops, &server);
        if (err == OK)
            return;
        assert_int_equal(err, ERR_LIMIT);
        h2_free(&server.h);
        assert_int_equal(server.a.used, 0);
    }
}

/* ---- cuts ---------------------------------------------------------------- */

static uint8_t said[4096]; /* all that the client says */
static size_t said_len;
static size_t said_heads; /* of it, what comes before DATA */

static void record_client(void)
{
    struct view v;
    start();
    client.to_send = 100;
    h2_end(&client.h, 0, NULL);
    said_len = said_heads = 0;
    while (h2_take(&client.h, &v) == OK && v.len > 0) {
        if (said_heads == 0 && said_len > 0 && v.ptr[3] == NGHTTP2_DATA)
            said_heads = said_len;
        memcpy(said + said_len, v.ptr, v.len);
        said_len += v.len;
    }
}

static void feed_server(void *ctx, struct view piece, bool first, bool last)
{
    (void)ctx;
    if (first)
        start_server();
    assert_int_equal(h2_feed(&server.h, piece), OK);
    if (last) {
        assert_int_equal(server.opened, 1);
        assert_int_equal(server.in, 100);
        assert_int_equal(server.sum_in, client.sum_out);
        assert_int_equal(server.ended, 1);
    }
}

static void any_cut_gives_the_same(void **state)
{
    (void)state;
    record_client();
    cuts_every_way(view_of(said, said_len), feed_server, NULL);
}

/* ---- a plain nghttp2 session on the other side --------------------------- */

struct raw {
    nghttp2_session *session;
    char http[8], grpc[8];
    uint64_t in;
    size_t to_send;
    uint32_t closed; /* error code of the last stream that closed */
    int streams_closed;
};

static struct raw raw;

static int raw_header(nghttp2_session *s, const nghttp2_frame *frame,
                      const uint8_t *name, size_t name_len,
                      const uint8_t *value, size_t value_len, uint8_t flags,
                      void *user)
{
    struct view n = view_of(name, name_len), v = view_of(value, value_len);
    (void)s;
    (void)frame;
    (void)flags;
    (void)user;
    if (view_is(n, ":status"))
        bytes_to_str(raw.http, sizeof raw.http, v);
    if (view_is(n, "grpc-status"))
        bytes_to_str(raw.grpc, sizeof raw.grpc, v);
    return 0;
}

static int raw_chunk(nghttp2_session *s, uint8_t flags, int32_t stream,
                     const uint8_t *data, size_t len, void *user)
{
    (void)s;
    (void)flags;
    (void)stream;
    (void)data;
    (void)user;
    raw.in += len;
    return 0;
}

static int raw_close(nghttp2_session *s, int32_t stream, uint32_t code,
                     void *user)
{
    (void)s;
    (void)stream;
    (void)user;
    raw.closed = code;
    raw.streams_closed++;
    return 0;
}

static ssize_t raw_body(nghttp2_session *s, int32_t stream, uint8_t *buf,
                        size_t len, uint32_t *flags, nghttp2_data_source *src,
                        void *user)
{
    size_t n = raw.to_send < len ? raw.to_send : len;
    (void)s;
    (void)stream;
    (void)flags;
    (void)src;
    (void)user;
    memset(buf, 'x', n);
    raw.to_send -= n;
    return n == 0 ? NGHTTP2_ERR_DEFERRED : (ssize_t)n;
}

static void raw_start(bool is_server, uint32_t window)
{
    nghttp2_session_callbacks *c;
    const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                          window};
    nghttp2_session_del(raw.session);
    raw = (struct raw){.closed = 999};
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_header_callback(c, raw_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, raw_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, raw_close);
    if (is_server)
        nghttp2_session_server_new(&raw.session, c, NULL);
    else
        nghttp2_session_client_new(&raw.session, c, NULL);
    nghttp2_session_callbacks_del(c);
    nghttp2_submit_settings(raw.session, 0, &entry, 1);
    start();
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value,
                        strlen(name), strlen(value), 0};
}

static int32_t raw_request(const char *method, const char *path,
                           const char *type)
{
    const nghttp2_data_provider body = {.read_callback = raw_body};
    const nghttp2_nv nva[] = {
        nv(":method", method),    nv(":scheme", "http"),
        nv(":authority", "x"),    nv(":path", path),
        nv("content-type", type), nv("grpc-timeout", "10S"),
    };
    return nghttp2_submit_request(raw.session, NULL, nva, 6, &body, NULL);
}

/* The other end with which `raw` speaks. */
static void raw_pump(struct end *e)
{
    for (bool moved = true; moved;) {
        const uint8_t *ptr;
        struct view v;
        ssize_t n = nghttp2_session_mem_send(raw.session, &ptr);
        moved = n > 0;
        if (n > 0)
            h2_feed(&e->h, cuts_guarded(view_of(ptr, (size_t)n)));
        if (h2_take(&e->h, &v) == OK && v.len > 0) {
            nghttp2_session_mem_recv(raw.session, v.ptr, v.len);
            moved = true;
        }
    }
}

static void what_is_no_grpc_call_gets_an_http_status(void **state)
{
    static const struct {
        const char *method, *path, *type, *http, *grpc;
    } rows[] = {
        {"GET", PATH, "application/grpc", "405", ""},
        {"POST", PATH, "text/plain", "415", ""},
        {"POST", PATH, "application/grpcx", "415", ""},
        {"POST", "/", "application/grpc", "200", "12"},
        {"POST", PATH "x", "application/grpc+proto", "200", "12"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        raw_start(false, 65535);
        raw_request(rows[i].method, rows[i].path, rows[i].type);
        raw_pump(&server);
        assert_string_equal(raw.http, rows[i].http);
        assert_string_equal(raw.grpc, rows[i].grpc);
        assert_int_equal(server.opened, 0);
        assert_int_equal(server.h.err, OK);
    }
}

static void a_call_may_follow_a_refused_one(void **state)
{
    (void)state;
    raw_start(false, 65535);
    int32_t first = raw_request("POST", "/", "application/grpc");
    raw_pump(&server);
    nghttp2_submit_rst_stream(raw.session, 0, first, NGHTTP2_CANCEL);
    raw_request("POST", PATH, "application/grpc+proto");
    raw_pump(&server);
    assert_int_equal(server.opened, 1);
    assert_int_equal(server.h.err, OK);
}

static void a_request_tells_its_fields_and_trailers_do_not(void **state)
{
    const nghttp2_nv refused[] = {nv(":method", "GET"), nv(":scheme", "http"),
                                  nv(":authority", "x"), nv(":path", PATH),
                                  nv("x-for", "0")};
    const nghttp2_nv taken[] = {nv(":method", "POST"),
                                nv(":scheme", "http"),
                                nv(":authority", "x"),
                                nv(":path", PATH),
                                nv("content-type", "application/grpc"),
                                nv("x-for", "1"),
                                nv("other", "2"),
                                nv("x-for", "3")};
    const nghttp2_nv trailer = nv("x-for", "4");
    (void)state;
    raw_start(false, 65535);
    nghttp2_submit_request(raw.session, NULL, refused, 5, NULL, NULL);
    raw_pump(&server);
    assert_int_equal(server.opened, 0);
    int32_t s =
        nghttp2_submit_headers(raw.session, 0, -1, NULL, taken, 8, NULL);
    raw_pump(&server);
    assert_int_equal(server.opened, 1);
    nghttp2_submit_trailer(raw.session, s, &trailer, 1);
    raw_pump(&server);
    assert_int_equal(server.ended, 1);
    assert_string_equal(server.fields,
                        ":method=GET;x-for=0;:method=POST;x-for=1;x-for=3;");
    start(); /* an answer tells none */
    pump();
    assert_int_equal(client.opened, 1);
    assert_string_equal(client.fields, "");
}

static void a_status_closes_the_request_too(void **state)
{
    (void)state;
    raw_start(false, 65535);
    raw_request("POST", "/", "application/grpc"); /* and goes on */
    raw_pump(&server);
    assert_int_equal(raw.streams_closed, 1);
    assert_int_equal(raw.closed, NGHTTP2_NO_ERROR);
    raw_request("POST", PATH, "application/grpc");
    raw_pump(&server);
    assert_int_equal(server.opened, 1);
    h2_end(&server.h, GRPC_EXHAUSTED, "enough");
    raw_pump(&server);
    assert_string_equal(raw.grpc, "8");
    assert_int_equal(raw.streams_closed, 2);
    assert_int_equal(raw.closed, NGHTTP2_NO_ERROR);
    assert_true(h2_finished(&server.h));
}

static void one_call_at_a_time(void **state)
{
    const uint8_t *ptr;
    ssize_t n;
    (void)state;
    raw_start(false, 65535);
    raw_request("POST", PATH, "application/grpc");
    raw_request("POST", PATH, "application/grpc");
    raw.to_send = 100;
    while ((n = nghttp2_session_mem_send(raw.session, &ptr)) > 0)
        h2_feed(&server.h, view_of(ptr, (size_t)n)); /* not yet told */
    raw_pump(&server);
    assert_int_equal(server.opened, 1);
    assert_int_equal(raw.streams_closed, 1);
    assert_int_equal(raw.closed, NGHTTP2_REFUSED_STREAM);
    assert_int_equal(server.h.err, OK);
}

static void a_narrow_window_is_respected(void **state)
{
    (void)state;
    raw_start(false, 100);
    raw_request("POST", PATH, "application/grpc");
    server.to_send = 100000;
    raw_pump(&server);
    assert_int_equal(raw.in, 100000);
    assert_true(server.pull_min <= 100);
}

static void a_reset_ends_the_call(void **state)
{
    (void)state;
    raw_start(false, 65535);
    int32_t stream = raw_request("POST", PATH, "application/grpc");
    raw_pump(&server);
    nghttp2_submit_rst_stream(raw.session, 0, stream, NGHTTP2_CANCEL);
    raw_pump(&server);
    assert_int_equal(server.ended, 1);
    assert_int_equal(server.end_status, -1);
    assert_string_equal(server.end_message, "the call was reset: CANCEL");
    h2_end(&server.h, 0, NULL);
    raw_pump(&server);
    assert_true(h2_finished(&server.h));
}

static void a_web_server_is_named(void **state)
{
    const nghttp2_nv html[] = {nv(":status", "200"),
                               nv("content-type", "text/html")};
    const nghttp2_nv gone[] = {nv(":status", "503")};
    (void)state;
    raw_start(true, 65535);
    raw_pump(&client);
    nghttp2_submit_response(raw.session, 1, html, 2, NULL);
    raw_pump(&client);
    assert_int_equal(client.end_status, GRPC_UNKNOWN);
    assert_string_equal(client.end_message,
                        "the peer is a web server, but not for gRPC");
    raw_start(true, 65535);
    raw_pump(&client);
    nghttp2_submit_response(raw.session, 1, gone, 1, NULL);
    raw_pump(&client);
    assert_int_equal(client.end_status, GRPC_UNAVAILABLE);
    assert_string_equal(client.end_message,
                        "the peer answered with HTTP status 503");
    assert_int_equal(client.opened, 0);
}

static void a_goaway_is_passed_on(void **state)
{
    (void)state;
    raw_start(true, 65535);
    raw_pump(&client);
    nghttp2_session_terminate_session(raw.session, NGHTTP2_ENHANCE_YOUR_CALM);
    raw_pump(&client);
    assert_string_equal(h2_why(&client.h),
                        "the peer ended the connection: ENHANCE_YOUR_CALM");
}

/* ---- hostile peers ------------------------------------------------------- */

static void open_server(void)
{
    record_client();
    start_server();
    assert_int_equal(h2_feed(&server.h, view_of(said, said_heads)), OK);
    assert_int_equal(server.opened, 1);
}

static int feed_frames(struct view frame, int count)
{
    int err = OK;
    for (int i = 0; i < count && err == OK; i++)
        err = h2_feed(&server.h, cuts_guarded(frame));
    return err;
}

static int drain(void)
{
    struct view v;
    int err;
    while ((err = h2_take(&server.h, &v)) == OK && v.len > 0)
        ;
    return err;
}

static void floods_end_the_connection(void **state)
{
    static const uint8_t ping[17] = {0, 0, 8, 6};
    static const uint8_t settings[9] = {0, 0, 0, 4};
    (void)state;
    open_server();
    assert_int_equal(feed_frames(VIEW_ARRAY(ping), 100000), ERR_PROTO);
    assert_string_equal(h2_why(&server.h), "the peer floods the connection");
    open_server();
    assert_int_equal(feed_frames(VIEW_ARRAY(settings), 100000), ERR_PROTO);
    assert_string_equal(h2_why(&server.h), "the peer floods the connection");
}

static void resets_in_numbers_end_the_connection(void **state)
{
    int n = 0;
    (void)state;
    raw_start(false, 65535);
    while (server.h.err == OK && n < 10000) {
        int32_t s = raw_request("POST", "/", "application/grpc");
        raw_pump(&server);
        nghttp2_submit_rst_stream(raw.session, 0, s, NGHTTP2_CANCEL);
        raw_pump(&server);
        if (!nghttp2_session_want_read(raw.session))
            break;
        n++;
    }
    assert_true(n < 100);
}

static void giant_headers_end_the_call_not_the_process(void **state)
{
    static char big[60000];
    const nghttp2_nv nva[] = {
        nv(":method", "POST"),
        nv(":scheme", "http"),
        nv(":authority", "x"),
        nv(":path", PATH),
        nv("content-type", "application/grpc"),
        {(uint8_t *)(uintptr_t) "x", (uint8_t *)big, 1, 0, 0},
    };
    (void)state;
    memset(big, 'A', sizeof big);
    for (size_t len = 1000; len < sizeof big; len += 5000) {
        nghttp2_nv copy[6];
        raw_start(false, 65535);
        memcpy(copy, nva, sizeof nva);
        copy[5].valuelen = len;
        nghttp2_submit_request(raw.session, NULL, copy, 6, NULL, NULL);
        raw_pump(&server);
        assert_int_equal(server.opened, len <= 8000);
        assert_true(server.h.err == OK || server.h.err == ERR_LIMIT ||
                    server.h.err == ERR_PROTO);
    }
}

static void a_wrong_frame_ends_with_a_reason(void **state)
{
    static const uint8_t even[9] = {0, 0, 0, 1, 5, 0, 0, 0, 2};
    static const uint8_t huge[9] = {0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1};
    (void)state;
    open_server();
    h2_feed(&server.h, VIEW_ARRAY(even));
    assert_int_equal(drain(), ERR_PROTO);
    assert_int_equal(memcmp(h2_why(&server.h), "the peer broke HTTP/2: ", 23),
                     0);
    open_server();
    h2_feed(&server.h, VIEW_ARRAY(huge));
    assert_int_equal(drain(), ERR_PROTO);
    assert_int_equal(h2_feed(&server.h, VIEW_ARRAY(even)), ERR_PROTO);
}

static void a_body_error_ends_the_connection(void **state)
{
    (void)state;
    start();
    server.body_err = ERR_TOO_BIG;
    client.to_send = 10;
    pump();
    assert_int_equal(server.h.err, ERR_TOO_BIG);
}

static void random_damage_never_hurts(void **state)
{
    static uint8_t copy[sizeof said];
    (void)state;
    record_client();
    srand(7);
    for (int i = 0; i < 3000; i++) {
        memcpy(copy, said, said_len);
        for (int k = rand() % 4; k >= 0; k--)
            copy[24 + (size_t)rand() % (said_len - 24)] ^=
                (uint8_t)(1 << rand() % 8);
        start_server();
        h2_feed(&server.h, cuts_guarded(view_of(copy, said_len)));
        drain();
        h2_free(&server.h);
        assert_int_equal(server.a.used, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_opens),
        cmocka_unit_test(bulk_flows_both_ways),
        cmocka_unit_test(small_bodies_flow),
        cmocka_unit_test(waking_sends_what_came_later),
        cmocka_unit_test(a_server_ends_with_status_and_message),
        cmocka_unit_test(a_client_ends_and_hears_the_status),
        cmocka_unit_test(another_path_is_unimplemented),
        cmocka_unit_test(all_memory_comes_back),
        cmocka_unit_test(the_heap_is_not_used_after_prepare),
        cmocka_unit_test(an_engine_without_memory_refuses),
        cmocka_unit_test(any_cut_gives_the_same),
        cmocka_unit_test(what_is_no_grpc_call_gets_an_http_status),
        cmocka_unit_test(a_call_may_follow_a_refused_one),
        cmocka_unit_test(a_request_tells_its_fields_and_trailers_do_not),
        cmocka_unit_test(a_status_closes_the_request_too),
        cmocka_unit_test(one_call_at_a_time),
        cmocka_unit_test(a_narrow_window_is_respected),
        cmocka_unit_test(a_reset_ends_the_call),
        cmocka_unit_test(a_web_server_is_named),
        cmocka_unit_test(a_goaway_is_passed_on),
        cmocka_unit_test(floods_end_the_connection),
        cmocka_unit_test(resets_in_numbers_end_the_connection),
        cmocka_unit_test(giant_headers_end_the_call_not_the_process),
        cmocka_unit_test(a_wrong_frame_ends_with_a_reason),
        cmocka_unit_test(a_body_error_ends_the_connection),
        cmocka_unit_test(random_damage_never_hurts),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nghttp2_session_del(raw.session);
    return failed;
}
