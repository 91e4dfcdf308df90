/*
 * Two wires against each other over pipes in memory: what arrives, how many
 * calls it costs, and what happens when the other side is strange, slow or
 * gone. The pipes stand in for the port.
 */
#include "transport/wire.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "fake/port_fatal.h"
#include "port/port.h"
#include "unit/transport/ident.h"
#include "unit/transport/keys.h"

/* ---- the port: one pipe for each direction ------------------------------- */

#define PIPE_CAP (256 * 1024)

struct pipe {
    uint8_t buf[PIPE_CAP];
    size_t len;
    size_t cap;  /* what the kernel would take */
    bool closed; /* the writer is gone */
    int recvs, sends;
};

/* Handle 0 is the client's, 1 the server's; it reads pipes[handle]. */
static struct pipe pipes[2];
static int faults_after = -1; /* calls until each fails; -1: never */

static bool fault(void)
{
    if (faults_after > 0)
        faults_after--;
    return faults_after == 0;
}

int port_recv(int handle, struct span buf)
{
    struct pipe *p = &pipes[handle];
    p->recvs++;
    if (fault())
        return ERR_IO;
    if (p->len == 0)
        return p->closed ? ERR_CLOSED : 0;
    size_t n = p->len < buf.len ? p->len : buf.len;
    memcpy(buf.ptr, p->buf, n);
    memmove(p->buf, p->buf + n, p->len - n);
    p->len -= n;
    return (int)n;
}

int port_send(int handle, struct view buf)
{
    struct pipe *p = &pipes[1 - handle];
    p->sends++;
    assert_true(buf.len > 0); /* nothing is sent with nothing to say */
    if (fault())
        return ERR_IO;
    if (pipes[handle].closed)
        return ERR_CLOSED;
    size_t n = p->cap - p->len < buf.len ? p->cap - p->len : buf.len;
    memcpy(p->buf + p->len, buf.ptr, n);
    p->len += n;
    return (int)n;
}

int port_send_room(int handle)
{
    const struct pipe *p = &pipes[1 - handle];
    return (int)(p->cap - p->len);
}

/* ---- an end: a wire with an owner ---------------------------------------- */

struct end {
    struct wire w;
    _Alignas(16) uint8_t tls[WIRE_TLS_BYTES];
    uint8_t out[WIRE_OUT_BYTES];
    _Alignas(16) uint8_t h2[WIRE_H2_BYTES];
    uint8_t frame[WIRE_FRAME_BYTES];
    int opened;
    int messages;
    uint64_t bytes_in;
    uint32_t sum_in;   /* of all payload bytes, in order */
    uint32_t next_len; /* expected by counting owners */
    size_t last_len;
    uint8_t last[64];
    uint64_t to_send; /* bytes still to send, as messages of send_len */
    size_t send_len;
    uint32_t sum_out;
    int answer;     /* what message() returns */
    int end_status; /* wire_end at the first message; -1: no */
    int fail_err;   /* wire_fail at the first message; OK: no */
    int pulls;
    int pull_err; /* wire_fail at a pull; OK: no */
};

static struct end client, server;
static uint8_t scratch[64 * 1024];

static void on_opened(void *ctx)
{
    struct end *e = ctx;
    e->opened++;
}

static uint32_t sum(uint32_t s, struct view v)
{
    for (size_t i = 0; i < v.len; i += 61)
        s = s * 31 + v.ptr[i];
    return s + (uint32_t)v.len;
}

static int on_message(void *ctx, struct view m)
{
    struct end *e = ctx;
    e->messages++;
    e->bytes_in += m.len;
    e->sum_in = sum(e->sum_in, m);
    e->last_len = m.len;
    memcpy(e->last, m.ptr, m.len < sizeof e->last ? m.len : sizeof e->last);
    if (e->fail_err != OK)
        wire_fail(&e->w, e->fail_err);
    if (e->end_status >= 0)
        wire_end(&e->w, e->end_status, "100% ja\xc3\xa4");
    return e->answer;
}

static size_t on_pull(void *ctx, struct span out)
{
    struct end *e = ctx;
    size_t len = e->send_len < e->to_send ? e->send_len : e->to_send;
    e->pulls++;
    if (e->pull_err != OK)
        wire_fail(&e->w, e->pull_err);
    if (len == 0 || out.len < len + GRPCFRAME_HEAD)
        return 0;
    grpcframe_head(out.ptr, (uint32_t)len);
    for (size_t i = 0; i < len; i++)
        out.ptr[GRPCFRAME_HEAD + i] = (uint8_t)(e->to_send + i * 7);
    e->sum_out = sum(e->sum_out, view_of(out.ptr + GRPCFRAME_HEAD, len));
    e->to_send -= len;
    return len + GRPCFRAME_HEAD;
}

static const struct wire_ops ops = {on_opened, on_message, on_pull, NULL};

static struct wire_mem mem_of(struct end *e, bool tls)
{
    return (struct wire_mem){
        .tls = tls ? SPAN_ARRAY(e->tls) : (struct span){NULL, 0},
        .out = tls ? SPAN_ARRAY(e->out) : (struct span){NULL, 0},
        .h2 = SPAN_ARRAY(e->h2),
        .frame = SPAN_ARRAY(e->frame),
    };
}

static const br_ec_private_key leaf_key = {BR_EC_secp256r1,
                                           (unsigned char *)leaf_x, 32};
static const uint8_t entropy[32] = {1, 2, 3};

static void reset_end(struct end *e)
{
    wire_free(&e->w);
    memset(e, 0, sizeof *e);
    memset(e->tls, 0xee, sizeof e->tls);
    memset(e->h2, 0xee, sizeof e->h2);
    memset(e->frame, 0xee, sizeof e->frame);
    e->end_status = -1;
    e->send_len = 1000;
}

static void start_client(bool tls)
{
    const struct tls_client_cfg cfg = {.server_name = "relay.test",
                                       .entropy = VIEW_ARRAY(entropy)};
    struct wire_mem mem = mem_of(&client, tls);
    assert_int_equal(wire_client(&client.w, 0, &mem, tls ? &cfg : NULL,
                                 "relay.test", &ops, &client),
                     OK);
}

static void start_server(bool tls)
{
    static struct tlsid id;
    const struct tls_server_cfg cfg = {
        .id = ident(&id, VIEW_ARRAY(leaf_cert), &leaf_key),
        .entropy = VIEW_ARRAY(entropy)};
    struct wire_mem mem = mem_of(&server, tls);
    assert_int_equal(
        wire_server(&server.w, 1, &mem, tls ? &cfg : NULL, &ops, &server), OK);
}

static void start(bool tls)
{
    faults_after = -1;
    for (int i = 0; i < 2; i++) {
        pipes[i].len = 0;
        pipes[i].cap = PIPE_CAP;
        pipes[i].closed = false;
        pipes[i].recvs = pipes[i].sends = 0;
    }
    assert_int_equal(h2_prepare(), OK);
    reset_end(&client);
    reset_end(&server);
    start_client(tls);
    start_server(tls);
}

/* One turn of the loop for one wire; true when something was ready. */
static bool turn(struct end *e)
{
    struct pipe *in = &pipes[e->w.handle];
    struct pipe *out = &pipes[1 - e->w.handle];
    uint8_t want = wire_want(&e->w);
    uint8_t ready = 0;
    if ((want & PORT_READ) != 0 && (in->len > 0 || in->closed))
        ready |= PORT_READ;
    if ((want & PORT_WRITE) != 0 && out->len < out->cap)
        ready |= PORT_WRITE;
    if (ready == 0)
        return false;
    wire_turn(&e->w, ready, SPAN_ARRAY(scratch));
    /* The loop's reaper closes the handle. */
    if (e->w.state == WIRE_CLOSED)
        out->closed = true;
    return true;
}

static void run(void)
{
    int guard = 1000000;
    while (turn(&client) | turn(&server))
        assert_true(--guard > 0);
}

static void send_all(struct end *e, uint64_t bytes, size_t len)
{
    e->send_len = len;
    e->to_send = bytes;
    wire_push(&e->w);
    run();
}

/* ---- opening ------------------------------------------------------------- */

static void both_ends_open(bool tls)
{
    start(tls);
    assert_int_equal(client.opened + server.opened, 0);
    run();
    assert_int_equal(client.opened, 1);
    assert_int_equal(server.opened, 1);
    assert_int_equal(client.w.state, WIRE_OPEN);
    assert_int_equal(server.w.state, WIRE_OPEN);
    assert_int_equal(wire_want(&client.w), PORT_READ);
    assert_int_equal(wire_want(&server.w), PORT_READ);
}

static void a_tls_wire_opens(void **state)
{
    (void)state;
    both_ends_open(true);
    assert_memory_equal(tls_end_point(&client.w.tls),
                        tls_end_point(&server.w.tls), 32);
}

static void a_plain_wire_opens(void **state)
{
    (void)state;
    both_ends_open(false);
}

static void the_first_message_rides_with_the_request(void **state)
{
    (void)state;
    start(true);
    client.send_len = client.to_send = 100;
    turn(&client); /* ClientHello */
    turn(&server); /* ServerHello ... */
    turn(&client); /* key exchange, Finished */
    turn(&server); /* Finished */
    pipes[1].sends = pipes[1].recvs = 0;
    turn(&client); /* the request and the message, in one record */
    assert_int_equal(client.opened, 1);
    assert_int_equal(pipes[1].sends, 1);
    turn(&server);
    assert_int_equal(server.opened, 1);
    assert_int_equal(server.messages, 1);
}

static void a_keystroke_costs_one_send_and_one_receive(bool tls)
{
    start(tls);
    run();
    for (int i = 0; i < 10; i++) {
        pipes[1].sends = pipes[1].recvs = pipes[0].sends = 0;
        send_all(&client, 1, 1);
        assert_int_equal(server.messages, i + 1);
        assert_int_equal(pipes[1].sends, 1);
        assert_int_equal(pipes[1].recvs, 1);
        assert_int_equal(pipes[0].sends, 0);
    }
}

static void a_keystroke_is_cheap_over_tls(void **state)
{
    (void)state;
    a_keystroke_costs_one_send_and_one_receive(true);
}

static void a_keystroke_is_cheap_on_a_plain_wire(void **state)
{
    (void)state;
    a_keystroke_costs_one_send_and_one_receive(false);
}

static void a_push_with_nothing_to_say_sends_nothing(void **state)
{
    (void)state;
    start(true);
    run();
    pipes[1].sends = 0;
    for (int i = 0; i < 5; i++)
        wire_push(&client.w);
    assert_int_equal(pipes[1].sends, 0);
    assert_int_equal(wire_want(&client.w), PORT_READ);
}

/* ---- bulk ---------------------------------------------------------------- */

static void bulk(bool tls, size_t len, size_t cap)
{
    const uint64_t total = 4 * 1024 * 1024;
    start(tls);
    pipes[0].cap = pipes[1].cap = cap;
    run();
    client.send_len = server.send_len = len;
    client.to_send = server.to_send = total;
    wire_push(&client.w);
    wire_push(&server.w);
    run();
    assert_int_equal(server.bytes_in, total);
    assert_int_equal(client.bytes_in, total);
    assert_int_equal(server.sum_in, client.sum_out);
    assert_int_equal(client.sum_in, server.sum_out);
    assert_int_equal(client.w.state, WIRE_OPEN);
    assert_true(client.w.alloc.peak <= WIRE_H2_BYTES);
}

static void bulk_flows_both_ways(void **state)
{
    static const size_t lens[] = {1, 3, 1000, 9000, DATA_MAX};
    (void)state;
    for (size_t i = 2; i < sizeof lens / sizeof lens[0]; i++) {
        bulk(true, lens[i], PIPE_CAP);
        bulk(false, lens[i], PIPE_CAP);
    }
}

static void bulk_flows_through_narrow_pipes(void **state)
{
    (void)state;
    bulk(true, 9000, 1000);
    bulk(true, DATA_MAX, 16406);
    bulk(false, 9000, 777);
}

static void a_push_is_bounded(void **state)
{
    (void)state;
    start(false);
    run();
    pipes[1].cap = PIPE_CAP;
    client.send_len = 10000;
    client.to_send = 10 * 1024 * 1024;
    wire_push(&client.w);
    assert_true(pipes[1].len <= PIPE_CAP);
    assert_true((wire_want(&client.w) & PORT_WRITE) != 0);
    run();
    assert_int_equal(server.bytes_in, 10 * 1024 * 1024);
}

static void a_large_message_is_gathered(void **state)
{
    (void)state;
    /* Pulled in one piece it cannot be: DATA frames end at H2_DATA_MAX. The
     * peer may send it all the same. */
    static uint8_t raw[FRAME_MAX + GRPCFRAME_HEAD];
    start(false);
    run();
    grpcframe_head(raw, FRAME_MAX);
    struct view rest = VIEW_ARRAY(raw);
    while (rest.len > 0) {
        uint8_t head[9] = {0};
        struct view part = view_first(rest, 16000);
        head[0] = (uint8_t)(part.len >> 16);
        head[1] = (uint8_t)(part.len >> 8);
        head[2] = (uint8_t)part.len;
        head[8] = 1; /* stream 1 */
        assert_int_equal(port_send(0, VIEW_ARRAY(head)), 9);
        assert_int_equal(port_send(0, part), part.len);
        rest = view_from(rest, part.len);
    }
    run();
    assert_int_equal(server.messages, 1);
    assert_int_equal(server.last_len, FRAME_MAX);
}

/* ---- a peer whose window takes less than a message ----------------------- */

static struct grpcframe narrow_frame;
static uint8_t narrow_buf[FRAME_MAX];
static int narrow_messages;

static int narrow_chunk(nghttp2_session *s, uint8_t flags, int32_t stream,
                        const uint8_t *data, size_t len, void *user)
{
    struct view in = view_of(data, len), message;
    (void)s;
    (void)flags;
    (void)stream;
    (void)user;
    while (grpcframe_next(&narrow_frame, &in, &message) > 0)
        narrow_messages += message.len == 9000;
    return 0;
}

static nghttp2_session *narrow_client(uint32_t window)
{
    static const char *const text[][2] = {
        {":method", "POST"},
        {":scheme", "http"},
        {":authority", "x"},
        {":path", "/cmdop.agent.v1.Mesh/Connect"},
        {"content-type", "application/grpc"},
    };
    const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                          window};
    nghttp2_session_callbacks *c;
    nghttp2_session *session;
    nghttp2_nv nva[5];
    for (size_t i = 0; i < 5; i++)
        nva[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)text[i][0],
                              (uint8_t *)(uintptr_t)text[i][1],
                              strlen(text[i][0]), strlen(text[i][1]), 0};
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, narrow_chunk);
    nghttp2_session_client_new(&session, c, NULL);
    nghttp2_session_callbacks_del(c);
    nghttp2_submit_settings(session, 0, &entry, 1);
    nghttp2_submit_headers(session, 0, -1, NULL, nva, 5, NULL);
    return session;
}

static bool narrow_turn(nghttp2_session *session)
{
    const uint8_t *ptr;
    ssize_t n;
    bool moved = false;
    while ((n = nghttp2_session_mem_send(session, &ptr)) > 0) {
        assert_int_equal(port_send(0, view_of(ptr, (size_t)n)), n);
        moved = true;
    }
    n = port_recv(0, SPAN_ARRAY(scratch));
    if (n > 0)
        assert_int_equal(nghttp2_session_mem_recv(session, scratch, (size_t)n),
                         n);
    return moved || n > 0;
}

static void messages_pass_a_narrow_window(void **state)
{
    static const uint32_t windows[] = {1, 100, 9004, 9005, 15999, 65535};
    (void)state;
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        start(false);
        pipes[1].len = 0; /* not the wire's client */
        nghttp2_session *session = narrow_client(windows[i]);
        narrow_messages = 0;
        grpcframe_init(&narrow_frame, SPAN_ARRAY(narrow_buf));
        server.send_len = 9000;
        server.to_send = 9000 * 20;
        while (narrow_turn(session) | turn(&server))
            ;
        nghttp2_session_del(session);
        assert_int_equal(server.opened, 1);
        assert_int_equal(narrow_messages, 20);
    }
}

/* ---- ends ---------------------------------------------------------------- */

static void a_server_ends_with_a_status(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        start(tls);
        run();
        server.send_len = server.to_send = 50; /* still said */
        wire_end(&server.w, GRPC_UNAUTHENTICATED, "100% ja\xc3\xa4");
        run();
        assert_int_equal(client.messages, 1);
        assert_int_equal(client.w.state, WIRE_CLOSED);
        assert_int_equal(client.w.status, GRPC_UNAUTHENTICATED);
        assert_int_equal(client.w.err, ERR_AUTH);
        assert_string_equal(wire_why(&client.w), "100% ja\xc3\xa4");
        assert_int_equal(server.w.state, WIRE_CLOSED);
        assert_int_equal(server.w.err, OK);
    }
}

static void an_orderly_end_is_no_error(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        start(tls);
        run();
        wire_end(&server.w, GRPC_OK, NULL);
        run();
        assert_int_equal(client.w.state, WIRE_CLOSED);
        assert_int_equal(client.w.err, OK);
        assert_int_equal(server.w.err, OK);
    }
}

static void a_client_ends_after_its_last_message(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        start(tls);
        run();
        client.send_len = client.to_send = 50;
        wire_end(&client.w, GRPC_OK, NULL);
        run();
        assert_int_equal(server.messages, 1);
        assert_int_equal(client.w.state, WIRE_CLOSED);
        assert_int_equal(client.w.err, OK);
        assert_int_equal(server.w.state, WIRE_CLOSED);
        assert_int_equal(server.w.err, OK);
    }
}

static void ending_inside_a_message_is_allowed(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        start(tls);
        run();
        server.end_status = GRPC_INTERNAL;
        send_all(&client, 3000, 1000);
        assert_int_equal(server.messages, 1);
        assert_int_equal(server.w.state, WIRE_CLOSED);
        assert_int_equal(server.w.err, OK);
        assert_int_equal(client.w.status, GRPC_INTERNAL);
    }
}

static void failing_inside_a_message_is_allowed(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        start(tls);
        run();
        server.fail_err = ERR_DENIED;
        send_all(&client, 3000, 1000);
        assert_int_equal(server.messages, 1);
        assert_int_equal(server.w.err, ERR_DENIED);
        assert_int_equal(client.w.err, ERR_CLOSED);
    }
}

static void failing_inside_a_pull_sends_nothing(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        start(tls);
        run();
        pipes[1].sends = 0;
        client.pull_err = ERR_LIMIT;
        client.send_len = client.to_send = 100;
        wire_push(&client.w);
        assert_int_equal(client.w.err, ERR_LIMIT);
        assert_int_equal(client.w.state, WIRE_CLOSED);
        assert_int_equal(pipes[1].sends, 0);
    }
}

static void a_message_may_be_refused(void **state)
{
    (void)state;
    start(true);
    run();
    server.answer = ERR_VERSION;
    send_all(&client, 3000, 1000);
    assert_int_equal(server.messages, 1);
    assert_int_equal(server.w.err, ERR_VERSION);
}

static void ending_before_the_handshake_closes_at_once(void **state)
{
    (void)state;
    start(true);
    wire_end(&client.w, GRPC_OK, NULL);
    assert_int_equal(client.w.state, WIRE_CLOSED);
    wire_end(&server.w, GRPC_OK, NULL);
    assert_int_equal(server.w.state, WIRE_CLOSED);
}

static void a_wire_is_used_again_after_free(void **state)
{
    (void)state;
    start(true);
    run();
    send_all(&client, 3000, 1000);
    wire_free(&client.w);
    wire_free(&client.w);
    assert_int_equal(client.w.state, WIRE_FREE);
    assert_int_equal(wire_want(&client.w), 0);
    assert_int_equal(client.w.alloc.used, 0);
    start(true);
    run();
    assert_int_equal(client.opened, 1);
}

/* ---- strange and broken peers -------------------------------------------- */

static void assert_server_says(bool tls, struct view bytes, int err,
                               const char *why)
{
    start(tls);
    assert_int_equal(port_send(0, bytes), bytes.len);
    turn(&server);
    turn(&server);
    assert_int_equal(server.w.state, WIRE_CLOSED);
    assert_int_equal(server.w.err, err);
    assert_string_equal(wire_why(&server.w), why);
}

static void a_foreign_protocol_is_named(void **state)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: relay\r\n\r\n";
    static const char noise[] = "\x99\x98 this is certainly no protocol";
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
                                "abcdefghijklmnopqrstuvwxyz";
    (void)state;
    assert_server_says(false, view_str(get), ERR_PROTO,
                       "the peer speaks HTTP/1.1, not HTTP/2");
    assert_server_says(true, view_str(get), ERR_TLS,
                       "the peer does not speak TLS");
    assert_server_says(false, view_str(noise), ERR_PROTO,
                       "the peer does not speak HTTP/2");
    assert_server_says(true, view_str(noise), ERR_TLS,
                       "the peer does not speak TLS");
    assert_server_says(false, VIEW_ARRAY(hello), ERR_PROTO,
                       "the peer speaks TLS, but this connection is plain");
}

static void an_http1_server_is_named(void **state)
{
    static const char bad[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    (void)state;
    start(false);
    assert_int_equal(port_send(1, view_str(bad)), sizeof bad - 1);
    turn(&client);
    turn(&client);
    assert_int_equal(client.w.state, WIRE_CLOSED);
    assert_int_equal(client.w.err, ERR_PROTO);
    assert_string_equal(wire_why(&client.w),
                        "the peer speaks HTTP/1.1, not HTTP/2");
}

/* A DATA frame on stream 1 from the client, past its wire. */
static void inject_data(struct view body)
{
    uint8_t head[9] = {0, (uint8_t)(body.len >> 8), (uint8_t)body.len};
    head[8] = 1;
    assert_int_equal(port_send(0, VIEW_ARRAY(head)), 9);
    assert_int_equal(port_send(0, body), body.len);
}

static void a_giant_message_is_refused(void **state)
{
    static const uint8_t giant[] = {0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3};
    static const uint8_t packed[] = {1, 0, 0, 0, 1, 7};
    (void)state;
    start(false);
    run();
    inject_data(VIEW_ARRAY(giant));
    run();
    assert_int_equal(server.w.err, ERR_TOO_BIG);
    assert_string_equal(wire_why(&server.w),
                        "the peer sent a message of 4294967295 bytes; at "
                        "most 32768 are allowed");
    start(false);
    run();
    inject_data(VIEW_ARRAY(packed));
    run();
    assert_int_equal(server.w.err, ERR_PROTO);
    assert_string_equal(wire_why(&server.w),
                        "the peer sent a compressed message");
}

static void a_vanished_peer_is_noticed(void **state)
{
    (void)state;
    start(true);
    pipes[0].closed = true;
    turn(&client);
    turn(&client);
    assert_int_equal(client.w.err, ERR_CLOSED);
    assert_string_equal(wire_why(&client.w),
                        "the peer closed the connection in the TLS handshake");
    start(true);
    run();
    pipes[0].closed = true;
    turn(&client);
    assert_int_equal(client.w.err, ERR_CLOSED);
    assert_int_equal(client.w.state, WIRE_CLOSED);
}

static void last_words_are_read_though_sending_fails(void **state)
{
    (void)state;
    start(true);
    run();
    server.send_len = server.to_send = 40;
    wire_end(&server.w, GRPC_UNAVAILABLE, "maintenance");
    wire_push(&server.w);
    assert_int_equal(server.w.state, WIRE_CLOSED);
    pipes[0].closed = true; /* and port_send of the client fails now */
    client.send_len = client.to_send = 10;
    wire_push(&client.w);
    assert_int_equal(client.w.state, WIRE_OPEN);
    run();
    assert_int_equal(client.messages, 1);
    assert_int_equal(client.w.status, GRPC_UNAVAILABLE);
    assert_string_equal(wire_why(&client.w), "maintenance");
}

static void a_tls_failure_is_told_to_the_peer(void **state)
{
    (void)state;
    start(true);
    turn(&client); /* ClientHello, in which we spoil the ALPN name */
    uint8_t *alpn = memmem(pipes[1].buf, pipes[1].len, "\x02h2", 3);
    assert_non_null(alpn);
    alpn[2] = 'x';
    run();
    assert_int_equal(server.w.err, ERR_TLS);
    assert_int_equal(client.w.err, ERR_TLS);
    assert_string_equal(wire_why(&server.w),
                        "the peer does not speak HTTP/2 over TLS (ALPN h2)");
    assert_string_equal(wire_why(&client.w),
                        "the peer does not speak HTTP/2 over TLS (ALPN h2)");
}

static void every_fault_ends_in_closed(void **state)
{
    (void)state;
    for (int n = 1;; n++) {
        start(true);
        faults_after = n;
        client.send_len = server.send_len = 500;
        client.to_send = server.to_send = 20000;
        run();
        wire_end(&server.w, GRPC_OK, NULL);
        run();
        if (faults_after > 0)
            break; /* the run met no fault */
        assert_int_equal(client.w.state, WIRE_CLOSED);
        assert_int_equal(server.w.state, WIRE_CLOSED);
        assert_true(n < 200);
    }
    faults_after = -1;
    assert_int_equal(client.w.err, OK);
    assert_int_equal(server.bytes_in, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tls_wire_opens),
        cmocka_unit_test(a_plain_wire_opens),
        cmocka_unit_test(the_first_message_rides_with_the_request),
        cmocka_unit_test(a_keystroke_is_cheap_over_tls),
        cmocka_unit_test(a_keystroke_is_cheap_on_a_plain_wire),
        cmocka_unit_test(a_push_with_nothing_to_say_sends_nothing),
        cmocka_unit_test(bulk_flows_both_ways),
        cmocka_unit_test(bulk_flows_through_narrow_pipes),
        cmocka_unit_test(a_push_is_bounded),
        cmocka_unit_test(a_large_message_is_gathered),
        cmocka_unit_test(messages_pass_a_narrow_window),
        cmocka_unit_test(a_server_ends_with_a_status),
        cmocka_unit_test(an_orderly_end_is_no_error),
        cmocka_unit_test(a_client_ends_after_its_last_message),
        cmocka_unit_test(ending_inside_a_message_is_allowed),
        cmocka_unit_test(failing_inside_a_message_is_allowed),
        cmocka_unit_test(failing_inside_a_pull_sends_nothing),
        cmocka_unit_test(a_message_may_be_refused),
        cmocka_unit_test(ending_before_the_handshake_closes_at_once),
        cmocka_unit_test(a_wire_is_used_again_after_free),
        cmocka_unit_test(a_foreign_protocol_is_named),
        cmocka_unit_test(an_http1_server_is_named),
        cmocka_unit_test(a_giant_message_is_refused),
        cmocka_unit_test(a_vanished_peer_is_noticed),
        cmocka_unit_test(last_words_are_read_though_sending_fails),
        cmocka_unit_test(a_tls_failure_is_told_to_the_peer),
        cmocka_unit_test(every_fault_ends_in_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
