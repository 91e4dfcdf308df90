/*
 * The relay's HTTP face, as small as it may be: two questions that
 * supervisors and load balancers ask.
 *
 *   GET /healthz   200 "ok": the loop turns
 *   GET /readyz    200 {"ready":true}, or 503 with the reasons
 *   anything else  404, as problem+json
 *
 * A fixed set of connections; when all are taken, the listener sleeps and
 * the kernel queues. A request has API_REQUEST_MS to come and to be answered;
 * bytes do not extend it, so a slow sender keeps a place no longer than a
 * silent one.
 */
#ifndef RELAY_API_H
#define RELAY_API_H

#include "transport/http.h"
#include "transport/listen.h"

#ifndef API_CONNS
#define API_CONNS 32
#endif
#define API_REQUEST_MS 10000
#define API_LINGER_MS  1000 /* for the peer to read our last words */
#define API_RX_CAP     2048 /* received and not yet taken by the engine */
#define API_BODY_CAP   512
#define API_REASONS    8

/* Loop rows and timers that a struct api uses at most. */
#define API_ROWS   (API_CONNS + 1 /* listener */)
#define API_TIMERS (API_CONNS + 1 /* pause */)

/* Write up to `max` reasons why the relay is not ready, static strings;
 * returns how many. 0: it is. */
typedef size_t api_ready_fn(void *ctx, const char **reasons, size_t max);

struct api;

struct api_conn {
    struct api *api;
    int handle; /* -1: free */
    int row;
    int timer;
    size_t rx_len;
    struct http http;
    uint8_t rx[API_RX_CAP];
    char body[API_BODY_CAP];
};

struct api {
    struct loop *loop;
    api_ready_fn *ready;
    void *ready_ctx;
    struct listener listener;
    uint32_t open;         /* connections */
    struct api_conn *conn; /* API_CONNS of them */
};

/* Carve the connections; about API_CONNS * 32 KiB. The loop needs API_ROWS
 * and API_TIMERS free. */
void api_init(struct api *a, struct arena *arena, struct loop *l,
              api_ready_fn *ready, void *ready_ctx);

/* Listen on one address; the port that was bound comes back in *port (may be
 * NULL). OK, or what port_listen says. */
int api_listen(struct api *a, const struct port_addr *at, uint16_t *port);

/* Close the listener and every connection. Harmless when nothing is open. */
void api_close(struct api *a);

#endif
