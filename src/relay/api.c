/* The relay's HTTP port; see api.h. */
#include "relay/api.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "codec/json.h"
#include "crypto/ct.h"
#include "relay/throttle.h"

#define TLS_RECORD 0x16 /* a handshake record, the first of a connection */

/* ---- health -------------------------------------------------------------------- */

static void serve_healthz(struct api_conn *c)
{
    api_answer(c, 200, "text/plain; charset=utf-8", view_str("ok\n"));
}

static void serve_readyz(struct api_conn *c)
{
    const char *reasons[API_REASONS];
    struct json_out o;
    struct view body;
    size_t n = c->api->cfg.ready(c->api->cfg.ctx, reasons, API_REASONS);

    json_begin(&o, c->body, sizeof c->body);
    json_obj_begin(&o);
    json_key(&o, "ready");
    json_bool(&o, n == 0);
    if (n > 0) {
        json_key(&o, "reasons");
        json_arr_begin(&o);
        for (size_t i = 0; i < n && i < API_REASONS; i++)
            json_cstr(&o, reasons[i]);
        json_arr_end(&o);
    }
    json_obj_end(&o);
    if (json_done(&o, &body) != OK)
        body = view_str("{\"ready\":false}"); /* reasons too long to tell */
    api_answer(c, n == 0 ? 200 : 503, "application/json", body);
}

static bool serve_health(struct api_conn *c, const struct http_request *r)
{
    bool health = view_is(r->path, "/healthz");

    if (!health && !view_is(r->path, "/readyz"))
        return false;
    if (r->method != HTTP_GET && r->method != HTTP_HEAD) {
        http_add(&c->http, "Allow", "GET, HEAD");
        api_answer(c, 405, HTTP_PROBLEM, http_problem(405));
    } else if (health) {
        serve_healthz(c);
    } else {
        serve_readyz(c);
    }
    return true;
}

/* see api.h */
bool api_is_near(const struct port_addr *a)
{
    static const uint8_t near6[16] = {[15] = 1};
    static const uint8_t near4[13] = {[10] = 0xFF, [11] = 0xFF, [12] = 127};

    return memcmp(a->ip, near6, sizeof near6) == 0 ||
           memcmp(a->ip, near4, sizeof near4) == 0;
}

static void serve_far(struct api_conn *c)
{
    http_last(&c->http);
    api_answer(c, 421, "text/plain; charset=utf-8",
               view_str("This port is plain HTTP for the relay's own machine "
                        "only: use https from here.\n"));
}

/* A proxy asks for one after the other on the same connection. */
static void find_caller(struct api_conn *c)
{
    struct forwarded f;
    uint32_t lines = http_header_count(&c->http, FORWARDED_HEADER);

    forwarded_begin(&f, c->api->cfg.trusted, &c->peer);
    for (uint32_t i = 0; i < lines; i++)
        forwarded_line(&f, http_header_at(&c->http, FORWARDED_HEADER, i));
    c->from = f.caller;
}

static void serve(struct api_conn *c)
{
    const struct api_cfg *cfg = &c->api->cfg;

    c->serial++;
    find_caller(c);
    if (serve_health(c, http_request(&c->http)))
        return;
    if (c->mode == API_PLAIN && !api_is_near(&c->peer))
        serve_far(c);
    else if (cfg->serve != NULL)
        cfg->serve(cfg->ctx, c);
    else
        api_answer(c, 404, HTTP_PROBLEM, http_problem(404));
}

/* ---- one connection ------------------------------------------------------------------ */

static void arm(struct api_conn *c, uint64_t after_ms)
{
    loop_arm(c->api->loop, c->timer, loop_now(c->api->loop) + after_ms);
}

/* What strangers typed here may be passwords: none of it stays. */
static void wipe(struct api_conn *c)
{
    http_wipe(&c->http);
    if (c->mode == API_TLS)
        tls_wipe(&c->tls);
    ct_wipe(SPAN_ARRAY(c->rx));
    ct_wipe((struct span){(uint8_t *)c->body, c->body_used});
    c->body_used = 0;
}

static void close_conn(struct api_conn *c)
{
    struct api *a = c->api;

    loop_remove(a->loop, c->row);
    loop_disarm(a->loop, c->timer);
    port_close(c->handle);
    wipe(c);
    if (a->cfg.over != NULL)
        a->cfg.over(a->cfg.ctx, c);
    c->serial++;
    c->handle = -1;
    a->open--;
    listener_resume(&a->listener);
}

/* An answer is being sent: how far it got decides the time that is left. */
static void sent(struct api_conn *c, size_t n)
{
    http_sent(&c->http, n);
    if (c->http.state == HTTP_READING)
        arm(c, API_REQUEST_MS);
    if (c->http.state == HTTP_LINGERING)
        arm(c, API_LINGER_MS);
}

static void feed(struct api_conn *c, struct view in, size_t *taken)
{
    *taken = http_feed(&c->http, in);
    if (c->http.state == HTTP_ASKED)
        serve(c);
}

/* The bytes of rx that nobody took yet move to its front. */
static void take_rx(struct api_conn *c, size_t n)
{
    c->rx_len -= n;
    memmove(c->rx, c->rx + n, c->rx_len);
}

/* ---- plain ---------------------------------------------------------------------------- */

/* OK when all was sent, ERR_FULL when the handle takes no more now; or why
 * it is over, ERR_CLOSED after the last answer. */
static int send_plain(struct api_conn *c)
{
    while (c->http.state == HTTP_ANSWERING) {
        int n = port_send(c->handle, http_take(&c->http));
        if (n < 0)
            return n;
        if (n == 0)
            return ERR_FULL;
        sent(c, (size_t)n);
    }
    return c->http.state == HTTP_DONE ? ERR_CLOSED : OK;
}

/* Let the engine take what was received; answers leave as they are made. */
static int pump_plain(struct api_conn *c)
{
    for (;;) {
        size_t n;
        int err = send_plain(c);
        if (err != OK || c->rx_len == 0 || c->http.state == HTTP_ASKED)
            return err;
        feed(c, view_of(c->rx, c->rx_len), &n);
        take_rx(c, n);
    }
}

/* ---- TLS ------------------------------------------------------------------------------- */

static void start_tls(struct api_conn *c)
{
    uint8_t entropy[32];
    struct tls_server_cfg cfg = {0};

    c->api->cfg.tls(c->api->cfg.ctx, &cfg);
    port_entropy(SPAN_ARRAY(entropy));
    cfg.entropy = VIEW_ARRAY(entropy);
    cfg.alpn = "http/1.1";
    tls_server_init(&c->tls, SPAN_ARRAY(c->tls_buf), &cfg);
    ct_wipe(SPAN_ARRAY(entropy));
}

static int send_records(struct api_conn *c)
{
    for (struct view out; (out = tls_rec_out(&c->tls)).len > 0;) {
        int n = port_send(c->handle, out);
        if (n < 0)
            return n;
        if (n == 0)
            return ERR_FULL;
        tls_rec_sent(&c->tls, (size_t)n);
    }
    return OK;
}

/* Seal what the answer has; true when something moved. */
static bool seal(struct api_conn *c)
{
    bool moved = false;

    while (c->http.state == HTTP_ANSWERING) {
        struct span room = tls_app_space(&c->tls);
        struct view part = view_first(http_take(&c->http), room.len);
        if (part.len == 0)
            break;
        memcpy(room.ptr, part.ptr, part.len);
        tls_app_put(&c->tls, part.len);
        sent(c, part.len);
        moved = true;
    }
    tls_flush(&c->tls);
    if (c->http.state == HTTP_DONE && !c->closing) {
        c->closing = moved = true;
        tls_close(&c->tls);
    }
    return moved;
}

static bool open_records(struct api_conn *c)
{
    bool moved = false;
    struct view in = tls_app_in(&c->tls);
    bool takes =
        c->http.state == HTTP_READING || c->http.state == HTTP_LINGERING;

    if (takes && in.len > 0) {
        size_t n;
        feed(c, in, &n);
        tls_app_taken(&c->tls, n);
        moved = n > 0;
    }
    if (c->rx_len > 0) {
        size_t n = tls_rec_feed(&c->tls, view_of(c->rx, c->rx_len));
        take_rx(c, n);
        moved = moved || n > 0;
    }
    return moved;
}

static int pump_tls(struct api_conn *c)
{
    for (;;) {
        int err = send_records(c);
        if (err != OK)
            return err;
        enum tls_state state = tls_state(&c->tls);
        if (state == TLS_FAILED || state == TLS_CLOSED || c->closing)
            return ERR_CLOSED;
        bool moved = open_records(c);
        if (!seal(c) && !moved && tls_rec_out(&c->tls).len == 0)
            return OK;
    }
}

/* ---- both ------------------------------------------------------------------------------ */

/* What to wait for. While an answer waits nothing is read, so a flood of
 * requests stays in the kernel. */
static uint8_t wanted(const struct api_conn *c, int err)
{
    if (err == ERR_FULL)
        return PORT_WRITE;
    return c->http.state == HTTP_ASKED || c->rx_len == sizeof c->rx ? 0
                                                                    : PORT_READ;
}

/* Move what can be moved, and wait for the rest. The connection may be gone
 * afterwards. */
static void push(struct api_conn *c)
{
    c->pumping = true;
    int err = c->mode == API_TLS ? pump_tls(c) : pump_plain(c);
    c->pumping = false;
    if (err != OK && err != ERR_FULL)
        close_conn(c);
    else
        loop_want(c->api->loop, c->row, wanted(c, err));
}

static int receive(struct api_conn *c)
{
    struct span room = {c->rx + c->rx_len, sizeof c->rx - c->rx_len};
    int n = port_recv(c->handle, room);

    if (n <= 0)
        return n;
    c->rx_len += (size_t)n;
    if (c->mode != API_FRESH)
        return OK;
    bool secure = c->rx[0] == TLS_RECORD && c->api->cfg.tls != NULL;
    c->mode = secure ? API_TLS : API_PLAIN;
    if (secure)
        start_tls(c);
    return OK;
}

/* Reads once: a connection takes no more than API_RX_CAP in a turn. */
static void on_ready(void *ctx, uint8_t ready)
{
    struct api_conn *c = ctx;

    if (c->http.state != HTTP_ANSWERING &&
        (ready & (PORT_READ | PORT_HANGUP)) != 0 && receive(c) < 0)
        close_conn(c);
    else
        push(c);
}

/* Too late. Half a request is told so; then, or else, it is over. */
static void on_late(void *ctx, uint64_t now_ms)
{
    struct api_conn *c = ctx;

    (void)now_ms;
    if (c->http.state == HTTP_READING && http_late(&c->http)) {
        push(c);
        if (c->handle < 0 || c->http.state == HTTP_LINGERING)
            return;
    }
    close_conn(c);
}

/* see api.h */
bool api_waits(const struct api_conn *c, uint32_t serial)
{
    return c->handle >= 0 && c->serial == serial && c->http.state == HTTP_ASKED;
}

/* see api.h */
void api_answer(struct api_conn *c, int status, const char *type,
                struct view body)
{
    if (body.ptr == (const uint8_t *)c->body && body.len > c->body_used)
        c->body_used = body.len;
    http_respond(&c->http, status, type, body);
    if (!c->pumping)
        push(c);
}

/* see api.h */
bool api_is_secure(const struct api_conn *c)
{
    return c->mode == API_TLS;
}

/* ---- accepting --------------------------------------------------------------------------- */

static struct api_conn *free_conn(struct api *a)
{
    for (size_t i = 0; i < API_CONNS; i++)
        if (a->conn[i].handle < 0)
            return &a->conn[i];
    return NULL;
}

static void open_conn(struct api *a, struct api_conn *c, int handle,
                      const struct port_addr *from)
{
    int row = loop_add(a->loop, handle, PORT_READ, on_ready, c);

    if (row < 0) { /* the loop's table is full: refuse */
        port_close(handle);
        return;
    }
    c->handle = handle;
    c->row = row;
    c->mode = API_FRESH;
    c->closing = c->pumping = false;
    c->body_used = 0;
    c->peer = c->from = *from;
    c->rx_len = 0;
    http_init(&c->http);
    arm(c, API_REQUEST_MS);
    a->open++;
}

static bool room(void *ctx)
{
    return free_conn(ctx) != NULL;
}

/* Does it leave room for others? */
static bool is_modest(const struct api *a, const struct port_addr *from)
{
    size_t count = 0;

    if (a->cfg.trusted != NULL && proxies_have(a->cfg.trusted, from))
        return true;
    for (size_t i = 0; i < API_CONNS; i++)
        count +=
            a->conn[i].handle >= 0 &&
            view_eq(throttle_place(&a->conn[i].peer), throttle_place(from));
    return count < API_EACH;
}

static void accepted(void *ctx, int handle, const struct port_addr *from)
{
    struct api *a = ctx;

    if (is_modest(a, from))
        open_conn(a, free_conn(a), handle, from);
    else
        port_close(handle);
}

/* ---- the whole ----------------------------------------------------------------------------- */

void api_init(struct api *a, struct arena *arena, struct loop *l,
              const struct api_cfg *cfg)
{
    *a = (struct api){.loop = l, .cfg = *cfg, .listener.handle = -1};
    a->conn = arena_carve(arena, sizeof *a->conn * API_CONNS,
                          _Alignof(struct api_conn));
    for (size_t i = 0; i < API_CONNS; i++) {
        a->conn[i].api = a;
        a->conn[i].handle = -1;
        a->conn[i].timer = loop_timer_add(l, on_late, &a->conn[i]);
        assert(a->conn[i].timer >= 0);
    }
}

int api_listen(struct api *a, const struct port_addr *at, uint16_t *port)
{
    uint16_t bound = 0;

    static const struct listener_ops ops = {room, accepted};
    assert(a->listener.handle < 0);
    int handle = port_listen(at, &bound);
    if (handle < 0)
        return handle;
    int err = listener_start(&a->listener, a->loop, handle, &ops, a);
    if (err != OK)
        return err;
    if (port != NULL)
        *port = bound;
    return OK;
}

void api_close(struct api *a)
{
    listener_stop(&a->listener);
    for (size_t i = 0; i < API_CONNS; i++)
        if (a->conn[i].handle >= 0)
            close_conn(&a->conn[i]);
}
