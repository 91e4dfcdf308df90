/*
 * Bytes between a handle and gRPC messages; see wire.h.
 *
 *   in:   port_recv -> scratch -> tls_rec_feed -> h2_feed -> on_body
 *                                                  -> grpcframe -> message
 *   out:  pull -> DATA frame (h2_take) -> TLS record -> port_send
 *
 * A turn reads first and writes then, so that an answer leaves in the turn
 * that saw the question: one port_recv and one port_send for a keystroke.
 * Output stops where the handle stops: at most WIRE_OUT_BYTES wait here.
 *
 *   OPENING --> OPEN --> CLOSING --> CLOSED
 *      |          |                    ^
 *      +----------+------- fail -------+
 */
#include "transport/wire.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "crypto/ct.h"
#include "port/port.h"

#define WIRE_PATH "/cmdop.agent.v1.Mesh/Connect"

#define ROUNDS_MAX 4       /* full reads in one turn */
#define PUSH_MAX   262144u /* bytes sent in one turn: 256 KiB */
#define PULL_MIN   16000   /* what wire_ops.pull is promised */
#define FLOOD_MIN  16000   /* so much at once: there may be no end of it */

/* The shares of wire_mem. */
enum {
    H2_CAP = WIRE_H2_BYTES,
    MESSAGE_CAP = FRAME_MAX,
    STAGE_CAP = WIRE_STAGE_BYTES,
};

_Static_assert(H2_DATA_MAX >= PULL_MIN && WIRE_STAGE_BYTES >= PULL_MIN,
               "the promise to pull can be kept");

/* ---- states -------------------------------------------------------------- */

static bool may_follow(enum wire_state from, enum wire_state to)
{
    switch (to) {
    case WIRE_FREE: return from != WIRE_FREE;
    case WIRE_OPENING: return false; /* only wire_start */
    case WIRE_OPEN: return from == WIRE_OPENING;
    case WIRE_CLOSING: return from == WIRE_OPENING || from == WIRE_OPEN;
    case WIRE_CLOSED:
        return from == WIRE_OPENING || from == WIRE_OPEN ||
               from == WIRE_CLOSING;
    }
    return false;
}

static void wire_enter(struct wire *w, enum wire_state state)
{
    assert(may_follow(w->state, state));
    w->state = state;
}

static bool is_live(const struct wire *w)
{
    return w->state == WIRE_OPENING || w->state == WIRE_OPEN ||
           w->state == WIRE_CLOSING;
}

/* Remember what went wrong; the first error wins. */
static void note_error(struct wire *w, int err, const char *why)
{
    if (w->err != OK || err == OK)
        return;
    w->err = err;
    STR_COPY(w->why, why[0] == '\0' ? err_str(err) : why);
}

static void fail_why(struct wire *w, int err, const char *why)
{
    if (!is_live(w))
        return;
    note_error(w, err, why);
    w->want_write = false;
    wire_enter(w, WIRE_CLOSED);
}

/* see wire.h */
void wire_fail(struct wire *w, int err)
{
    fail_why(w, err, err_str(err));
}

/* The connection went away. In CLOSING that is an end like any other. */
static void lost(struct wire *w, int err)
{
    bool shaking = w->has_tls && tls_state(&w->tls) == TLS_HANDSHAKE;
    if (w->state == WIRE_CLOSING)
        wire_enter(w, WIRE_CLOSED);
    else if (err == ERR_CLOSED && shaking)
        fail_why(w, err, "the peer closed the connection in the TLS handshake");
    else
        wire_fail(w, err);
}

/* Follow TLS and tell a client that it may send. */
static void settle(struct wire *w)
{
    enum tls_state tls = w->has_tls ? tls_state(&w->tls) : TLS_OPEN;
    if (tls == TLS_FAILED)
        fail_why(w, ERR_TLS, tls_why(&w->tls));
    else if (tls == TLS_CLOSED && is_live(w))
        lost(w, ERR_CLOSED);
    else if (tls == TLS_OPEN && w->is_client && w->state == WIRE_OPENING) {
        wire_enter(w, WIRE_OPEN);
        w->ops->opened(w->ctx);
    }
}

/* ---- what h2 calls ------------------------------------------------------- */

static void on_opened(void *ctx)
{
    struct wire *w = ctx;
    if (w->is_client || w->state != WIRE_OPENING)
        return;
    wire_enter(w, WIRE_OPEN);
    w->ops->opened(w->ctx);
}

static int frame_fail(struct wire *w, int err)
{
    char why[120];
    struct text t;
    TEXT_OF(&t, why);
    if (err == ERR_TOO_BIG) {
        text_str(&t, "the peer sent a message of ");
        text_u64(&t, w->frame.want);
        text_str(&t, " bytes; at most ");
        text_u64(&t, w->frame.buf.len);
        text_str(&t, " are allowed");
    } else {
        text_str(&t, "the peer sent a compressed message");
    }
    fail_why(w, err, why);
    return err;
}

static int on_body(void *ctx, struct view bytes)
{
    struct wire *w = ctx;
    struct view message;
    int n;
    if (w->state == WIRE_CLOSING)
        return OK; /* our word was the last */
    while ((n = grpcframe_next(&w->frame, &bytes, &message)) > 0) {
        int err = w->ops->message(w->ctx, message);
        if (err < 0)
            wire_fail(w, err);
        if (!is_live(w))
            return w->err == OK ? ERR_CLOSED : w->err;
        if (w->state == WIRE_CLOSING)
            return OK;
    }
    if (n != ERR_MORE)
        return frame_fail(w, n);
    if (w->frame.len > 0 && w->frame.want > w->frame_high)
        w->frame_high = w->frame.want;
    return OK;
}

/* Whole messages from the owner, as many as fit. */
static size_t gather(struct wire *w, struct span out)
{
    size_t n = 0, got;
    do {
        got = w->ops->pull(w->ctx, (struct span){out.ptr + n, out.len - n});
        assert(got <= out.len - n);
        n += got;
    } while (got > 0 && n < out.len);
    return n;
}

/* The owner gives whole messages; when the window takes less than one, it
 * leaves in pieces. */
static size_t on_pull(void *ctx, struct span out)
{
    struct wire *w = ctx;
    if (w->state != WIRE_OPEN && w->state != WIRE_CLOSING)
        return 0;
    if (w->staged.len == 0 && out.len >= PULL_MIN)
        return gather(w, out);
    if (w->staged.len == 0)
        w->staged = view_of(w->stage.ptr, gather(w, w->stage));
    struct view part = view_first(w->staged, out.len);
    if (part.len > 0)
        memcpy(out.ptr, part.ptr, part.len);
    w->staged = view_from(w->staged, part.len);
    return part.len;
}

static int err_of_status(int status)
{
    switch (status) {
    case GRPC_OK: return OK;
    case GRPC_UNAUTHENTICATED: return ERR_AUTH;
    case GRPC_DENIED: return ERR_DENIED;
    case GRPC_EXHAUSTED: return ERR_LIMIT;
    case GRPC_UNIMPLEMENTED: return ERR_UNSUPPORTED;
    case GRPC_UNAVAILABLE:
    case -1: return ERR_CLOSED;
    }
    return ERR_PROTO;
}

/* The far end finished; a server says its status and goes as well. */
static void on_ended(void *ctx, int status, struct view message)
{
    struct wire *w = ctx;
    char why[sizeof(w->why)];
    bool expected = w->state == WIRE_CLOSING;
    bytes_to_str(why, sizeof(why), message);
    w->status = status;
    if (!is_live(w))
        return;
    if (!expected)
        wire_enter(w, WIRE_CLOSING);
    if (!w->is_client)
        h2_end(&w->h2, GRPC_OK, NULL);
    else if (!expected)
        note_error(w, err_of_status(status), why);
}

static void on_field(void *ctx, struct view name, struct view value)
{
    struct wire *w = ctx;
    if (w->ops->field != NULL)
        w->ops->field(w->ctx, name, value);
}

static const struct h2_ops h2_calls = {on_opened, on_body, on_pull, on_ended,
                                       on_field};

/* ---- in ------------------------------------------------------------------ */

static void feed_h2(struct wire *w, struct view in)
{
    int err = h2_feed(&w->h2, in);
    if (err != OK)
        fail_why(w, err, h2_why(&w->h2));
}

static bool send_records(struct wire *w);

/* TLS takes nothing in because it has something to say. */
static bool unblock(struct wire *w)
{
    return tls_rec_out(&w->tls).len > 0 && send_records(w);
}

/* Records in, until all are used. Nothing may be left over: `in` is space
 * shared by all connections. */
static void feed_tls(struct wire *w, struct view in)
{
    while (in.len > 0 && is_live(w)) {
        size_t n = tls_rec_feed(&w->tls, in);
        in = view_from(in, n);
        settle(w);
        struct view app = tls_app_in(&w->tls);
        if (app.len > 0 && is_live(w)) {
            feed_h2(w, app);
            tls_app_taken(&w->tls, app.len);
        } else if (n == 0 && is_live(w) && !unblock(w)) {
            fail_why(w, ERR_PROTO, "the peer sends TLS records out of turn");
        }
    }
}

static void receive(struct wire *w, uint8_t ready, struct span scratch)
{
    for (int round = 0; round < ROUNDS_MAX && is_live(w); round++) {
        int n = port_recv(w->handle, scratch);
        if (n == 0 && w->send_err != OK)
            n = w->send_err;
        if (n == 0 && (ready & PORT_HANGUP) != 0)
            n = ERR_CLOSED;
        if (n < 0)
            lost(w, n);
        else if (w->has_tls)
            feed_tls(w, view_of(scratch.ptr, (size_t)n));
        else if (n > 0)
            feed_h2(w, view_of(scratch.ptr, (size_t)n));
        if (n < 0 || (size_t)n < scratch.len)
            return;
    }
}

/* ---- out ----------------------------------------------------------------- */

/*
 * Send; returns the count, less than v.len when the handle is full. A handle
 * that takes no more may still hold what the peer said last: the next turn
 * reads that first.
 */
static size_t send_some(struct wire *w, struct view v)
{
    int n = w->send_err == OK ? port_send(w->handle, v) : w->send_err;
    if (n < 0) {
        w->send_err = n;
        w->want_write = true; /* so that a next turn comes */
        if (w->state == WIRE_CLOSING)
            wire_enter(w, WIRE_CLOSED);
        return 0;
    }
    w->want_write = (size_t)n < v.len;
    return (size_t)n;
}

/* Send what was sealed before; true when nothing of it is left. Only then TLS
 * may be over: its last record tells the peer why. */
static bool flush(struct wire *w)
{
    while (is_live(w) && w->sealed.len > 0) {
        size_t n = send_some(w, w->sealed);
        w->sealed = view_from(w->sealed, n);
        if (n == 0)
            return false;
    }
    settle(w);
    return is_live(w);
}

static size_t fill_record(struct wire *w);

/*
 * Gather sealed records, so that many leave in one call: those the engine
 * holds, and up to about `most` bytes those it can make of what is to be
 * said. Returns the bytes gathered.
 */
static size_t gather_records(struct wire *w, size_t most)
{
    size_t n = 0;
    while (is_live(w)) {
        struct view v = tls_rec_out(&w->tls);
        if (v.len == 0 && (n >= most || fill_record(w) == 0))
            break;
        if (v.len == 0)
            continue;
        if (v.len > w->out.len - n)
            break; /* begins the next call */
        memcpy(w->out.ptr + n, v.ptr, v.len);
        n += v.len;
        tls_rec_sent(&w->tls, v.len);
        if (tls_state(&w->tls) == TLS_OPEN)
            settle(w); /* the owner may speak from here on */
    }
    w->sealed = view_of(w->out.ptr, n);
    return n;
}

/* Send the records that the engine holds; true when none is left. */
static bool send_records(struct wire *w)
{
    return flush(w) && (gather_records(w, 0) == 0 || flush(w));
}

/* See that `plain` has bytes; false when h2 has none, or has failed. */
static bool next_frame(struct wire *w)
{
    if (w->plain.len == 0 && h2_take(&w->h2, &w->plain) != OK)
        w->plain = VIEW_NONE; /* finish() asks for the error */
    return w->plain.len > 0;
}

/* Fill one record with frames and seal it; a frame that does not fit the rest
 * begins the next record. Returns the bytes put. */
static size_t fill_record(struct wire *w)
{
    struct span space = tls_app_space(&w->tls);
    size_t total = 0;
    while (space.len > 0 && next_frame(w)) {
        if (total > 0 && w->plain.len > space.len)
            break;
        struct view part = view_first(w->plain, space.len);
        memcpy(space.ptr, part.ptr, part.len);
        tls_app_put(&w->tls, part.len);
        w->plain = view_from(w->plain, part.len);
        total += part.len;
        space = tls_app_space(&w->tls);
    }
    if (total > 0)
        tls_flush(&w->tls);
    return total;
}

/* Returns true when everything there was has been sent. A flood is given to
 * the handle no faster than its path takes it: what is in there, no key
 * overtakes. */
static bool push_tls(struct wire *w)
{
    size_t most = w->floods ? (size_t)port_send_room(w->handle) : FLOOD_MIN;
    for (size_t sent = 0; sent < PUSH_MAX && most > 0;) {
        if (!flush(w))
            return false;
        size_t n = gather_records(w, most);
        w->floods = n >= FLOOD_MIN;
        if (n == 0)
            return is_live(w) && tls_state(&w->tls) == TLS_OPEN;
        sent += n;
        if (!flush(w))
            return false;
        if (w->floods)
            most = (size_t)port_send_room(w->handle);
    }
    w->want_write = true;
    return false;
}

static bool push_plain(struct wire *w)
{
    for (size_t sent = 0; sent < PUSH_MAX;) {
        if (!next_frame(w) || !is_live(w))
            return true;
        size_t n = send_some(w, w->plain);
        w->plain = view_from(w->plain, n);
        if (w->plain.len > 0)
            return false;
        sent += n;
    }
    w->want_write = true;
    return false;
}

/* Everything is sent: is the connection over? */
static void finish(struct wire *w)
{
    bool over =
        h2_finished(&w->h2) ||
        (w->is_client && w->state == WIRE_CLOSING && h2_said_all(&w->h2));
    if (w->h2.err != OK)
        fail_why(w, w->h2.err, h2_why(&w->h2));
    if (!over || !is_live(w))
        return;
    if (w->has_tls && !w->bye) {
        w->bye = true;
        tls_close(&w->tls);
    }
    if (w->has_tls && !send_records(w))
        return;
    if (w->state != WIRE_CLOSING)
        note_error(w, ERR_CLOSED, h2_why(&w->h2));
    wire_enter(w, WIRE_CLOSED);
}

/* see wire.h */
void wire_push(struct wire *w)
{
    if (!is_live(w))
        return;
    w->want_write = false;
    settle(w);
    h2_wake(&w->h2);
    if (!is_live(w))
        return;
    bool all = w->has_tls ? push_tls(w) : push_plain(w);
    if (all && is_live(w))
        finish(w);
}

/* see wire.h */
void wire_turn(struct wire *w, uint8_t ready, struct span scratch)
{
    if (is_live(w) && !w->has_tls)
        settle(w);
    if (is_live(w) &&
        ((ready & (PORT_READ | PORT_HANGUP)) != 0 || w->send_err != OK))
        receive(w, ready, scratch);
    wire_push(w);
}

/* see wire.h */
uint8_t wire_want(const struct wire *w)
{
    if (!is_live(w))
        return 0;
    return w->want_write ? PORT_READ | PORT_WRITE : PORT_READ;
}

/* ---- begin and end ------------------------------------------------------- */

/* Field by field: clearing the whole would touch pages that an idle server
 * connection never needs. */
static void wire_start(struct wire *w, int handle, const struct wire_mem *mem,
                       const struct wire_ops *ops, void *ctx)
{
    assert(mem->h2.len >= H2_CAP && mem->frame.len >= MESSAGE_CAP + STAGE_CAP);
    w->handle = handle;
    w->state = WIRE_OPENING;
    w->err = OK;
    w->status = -1;
    w->bye = false;
    w->floods = false;
    w->send_err = OK;
    w->ops = ops;
    w->ctx = ctx;
    w->tls_buf = mem->tls;
    w->stage = (struct span){mem->frame.ptr + MESSAGE_CAP, STAGE_CAP};
    w->staged = VIEW_NONE;
    w->plain = VIEW_NONE;
    w->out = mem->out;
    w->sealed = VIEW_NONE;
    w->frame_high = 0;
    w->why[0] = '\0';
    alloc_init(&w->alloc, mem->h2);
    grpcframe_init(&w->frame, (struct span){mem->frame.ptr, MESSAGE_CAP});
}

static int started(struct wire *w, int err)
{
    if (err != OK)
        fail_why(w, err, h2_why(&w->h2));
    return err;
}

/* see wire.h */
int wire_client(struct wire *w, int handle, const struct wire_mem *mem,
                const struct tls_client_cfg *cfg, const char *authority,
                const struct wire_ops *ops, void *ctx)
{
    wire_start(w, handle, mem, ops, ctx);
    w->is_client = true;
    w->want_write = true; /* the client speaks first */
    w->has_tls = cfg != NULL;
    if (cfg != NULL)
        tls_client_init(&w->tls, mem->tls, cfg);
    return started(w, h2_client_init(&w->h2, &w->alloc, authority, WIRE_PATH,
                                     &h2_calls, w));
}

/* see wire.h */
int wire_server(struct wire *w, int handle, const struct wire_mem *mem,
                const struct tls_server_cfg *cfg, const struct wire_ops *ops,
                void *ctx)
{
    wire_start(w, handle, mem, ops, ctx);
    w->is_client = false;
    w->want_write = false;
    w->has_tls = cfg != NULL;
    if (cfg != NULL)
        tls_server_init(&w->tls, mem->tls, cfg);
    return started(w,
                   h2_server_init(&w->h2, &w->alloc, WIRE_PATH, &h2_calls, w));
}

/* see wire.h */
void wire_end(struct wire *w, int grpc_status, const char *message)
{
    if (w->state != WIRE_OPENING && w->state != WIRE_OPEN)
        return;
    wire_enter(w, WIRE_CLOSING);
    if (w->has_tls && tls_state(&w->tls) != TLS_OPEN) {
        wire_enter(w, WIRE_CLOSED); /* nobody to say it to yet */
        return;
    }
    w->want_write = true;
    h2_end(&w->h2, grpc_status, message);
}

/* see wire.h */
const char *wire_why(const struct wire *w)
{
    return w->why[0] == '\0' ? err_str(w->err) : w->why;
}

/* see wire.h */
void wire_free(struct wire *w)
{
    if (w->state == WIRE_FREE)
        return;
    h2_free(&w->h2);
    if (w->has_tls)
        tls_wipe(&w->tls);
    ct_wipe((struct span){w->frame.buf.ptr, w->frame_high});
    wire_enter(w, WIRE_FREE);
}
