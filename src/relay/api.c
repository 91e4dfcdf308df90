/* The relay's HTTP face; see api.h. */
#include "relay/api.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "codec/json.h"

/* ---- routes ------------------------------------------------------------------------ */

typedef void route_fn(struct api_conn *c);

static void serve_healthz(struct api_conn *c)
{
    http_respond(&c->http, 200, "text/plain; charset=utf-8", view_str("ok\n"));
}

static void serve_readyz(struct api_conn *c)
{
    const char *reasons[API_REASONS];
    struct json_out o;
    struct view body;
    size_t n = c->api->ready(c->api->ready_ctx, reasons, API_REASONS);

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
    http_respond(&c->http, n == 0 ? 200 : 503, "application/json", body);
}

static const struct {
    const char *path;
    route_fn *serve;
} ROUTES[] = {
    {"/healthz", serve_healthz},
    {"/readyz", serve_readyz},
};

static void route(struct api_conn *c)
{
    const struct http_request *r = http_request(&c->http);
    struct view path = r->path;

    if (r->method != HTTP_GET && r->method != HTTP_HEAD) {
        http_add(&c->http, "Allow", "GET, HEAD");
        http_respond(&c->http, 405, HTTP_PROBLEM, http_problem(405));
        return;
    }
    for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES[0]; i++) {
        if (view_is(path, ROUTES[i].path)) {
            ROUTES[i].serve(c);
            return;
        }
    }
    http_respond(&c->http, 404, HTTP_PROBLEM, http_problem(404));
}

/* ---- one connection ------------------------------------------------------------------ */

static void arm(struct api_conn *c, uint64_t after_ms)
{
    loop_arm(c->api->loop, c->timer, loop_now(c->api->loop) + after_ms);
}

static void close_conn(struct api_conn *c)
{
    struct api *a = c->api;

    loop_remove(a->loop, c->row);
    loop_disarm(a->loop, c->timer);
    port_close(c->handle);
    c->handle = -1;
    a->open--;
    listener_resume(&a->listener);
}

/* OK when all was sent, ERR_FULL when the handle takes no more now; or why
 * it is over, ERR_CLOSED after the last answer. */
static int send_out(struct api_conn *c)
{
    while (c->http.state == HTTP_ANSWERING) {
        int n = port_send(c->handle, http_take(&c->http));
        if (n < 0)
            return n;
        if (n == 0)
            return ERR_FULL;
        http_sent(&c->http, (size_t)n);
        if (c->http.state == HTTP_READING)
            arm(c, API_REQUEST_MS);
        if (c->http.state == HTTP_LINGERING)
            arm(c, API_LINGER_MS);
    }
    return c->http.state == HTTP_DONE ? ERR_CLOSED : OK;
}

/* Let the engine take what was received; answers leave as they are made. */
static int work(struct api_conn *c)
{
    for (;;) {
        int err = send_out(c);
        if (err != OK || c->rx_len == 0)
            return err;
        size_t n = http_feed(&c->http, view_of(c->rx, c->rx_len));
        c->rx_len -= n;
        memmove(c->rx, c->rx + n, c->rx_len);
        if (c->http.state == HTTP_ASKED)
            route(c);
    }
}

static int receive(struct api_conn *c)
{
    struct span room = {c->rx + c->rx_len, sizeof c->rx - c->rx_len};
    int n = port_recv(c->handle, room);

    if (n > 0)
        c->rx_len += (size_t)n;
    return n < 0 ? n : OK;
}

/* Reads once: a connection takes no more than API_RX_CAP in a turn. While an
 * answer waits nothing is read, so a flood of requests stays in the kernel. */
static void on_ready(void *ctx, uint8_t ready)
{
    struct api_conn *c = ctx;
    int err = OK;

    if (c->http.state != HTTP_ANSWERING &&
        (ready & (PORT_READ | PORT_HANGUP)) != 0)
        err = receive(c);
    if (err == OK)
        err = work(c);
    if (err != OK && err != ERR_FULL)
        close_conn(c);
    else
        loop_want(c->api->loop, c->row, err == OK ? PORT_READ : PORT_WRITE);
}

/* Too late. Half a request is told so; then, or else, it is over. */
static void on_late(void *ctx, uint64_t now_ms)
{
    struct api_conn *c = ctx;

    (void)now_ms;
    if (c->http.state == HTTP_READING && http_late(&c->http) &&
        send_out(c) == OK)
        return;
    close_conn(c);
}

/* ---- accepting --------------------------------------------------------------------------- */

static struct api_conn *free_conn(struct api *a)
{
    for (size_t i = 0; i < API_CONNS; i++)
        if (a->conn[i].handle < 0)
            return &a->conn[i];
    return NULL;
}

static void open_conn(struct api *a, struct api_conn *c, int handle)
{
    int row = loop_add(a->loop, handle, PORT_READ, on_ready, c);

    if (row < 0) { /* the loop's table is full: refuse */
        port_close(handle);
        return;
    }
    c->handle = handle;
    c->row = row;
    c->rx_len = 0;
    http_init(&c->http);
    arm(c, API_REQUEST_MS);
    a->open++;
}

static bool room(void *ctx)
{
    return free_conn(ctx) != NULL;
}

static void accepted(void *ctx, int handle, const struct port_addr *from)
{
    (void)from;
    open_conn(ctx, free_conn(ctx), handle);
}

/* ---- the whole ----------------------------------------------------------------------------- */

void api_init(struct api *a, struct arena *arena, struct loop *l,
              api_ready_fn *ready, void *ready_ctx)
{
    *a = (struct api){.loop = l,
                      .ready = ready,
                      .ready_ctx = ready_ctx,
                      .listener.handle = -1};
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
