/*
 * The relay's HTTP port: connections, TLS, time. What is asked there is
 * answered elsewhere (struct api_cfg, serve); only two questions, which
 * supervisors and load balancers ask, are answered here:
 *
 *   GET /healthz   200 "ok": the loop turns
 *   GET /readyz    200 {"ready":true}, or 503 with the reasons
 *
 * A connection whose first byte begins a TLS record speaks TLS; any other is
 * plain, which is for this machine itself: a plain request from elsewhere is
 * answered 421, but for the two above.
 *
 *      FRESH -- 0x16 --> TLS:    handle <-> rx <-> tls <-> http
 *            -- else --> PLAIN:  handle <-> rx <--------> http
 *
 * A fixed set of connections of fixed size; when all are taken, the listener
 * sleeps and the kernel queues. One place has half of them at most, unless it
 * is a proxy that is trusted. A request has API_REQUEST_MS to come and to
 * be answered; bytes do not extend it, so a slow sender keeps a place no
 * longer than a silent one. Whoever serves a request may answer it in a later
 * turn; meanwhile nothing is read.
 */
#ifndef RELAY_API_H
#define RELAY_API_H

#include "relay/forwarded.h"
#include "transport/http.h"
#include "transport/listen.h"
#include "transport/tls.h"

#ifndef API_CONNS
#define API_CONNS 48
#endif
#define API_EACH       (API_CONNS / 2)
#define API_REQUEST_MS 10000
#define API_LINGER_MS  1000        /* for the peer to read our last words */
#define API_RX_CAP     2048        /* received and not yet taken by an engine */
#define API_BODY_CAP   (24 * 1024) /* of an answer */
#define API_REASONS    8

/* Loop rows and timers that a struct api uses at most. */
#define API_ROWS   (API_CONNS + 1 /* listener */)
#define API_TIMERS (API_CONNS + 1 /* pause */)

enum api_mode {
    API_FRESH, /* nothing came yet */
    API_PLAIN,
    API_TLS,
};

struct api;

struct api_conn {
    struct api *api;
    int handle; /* -1: free */
    int row;
    int timer;
    uint32_t serial; /* of the request under way: tells late answers apart */
    enum api_mode mode;
    bool pumping; /* bytes are being moved: an answer needs no push */
    bool closing; /* close_notify was asked for */
    struct port_addr peer;
    struct port_addr from; /* who asks; behind a proxy, who that says */
    size_t rx_len;
    size_t body_used; /* of body, since it was wiped */
    struct http http;
    struct tls tls;
    uint8_t rx[API_RX_CAP];
    uint8_t tls_buf[TLS_BUF_BYTES];
    char body[API_BODY_CAP]; /* for whoever answers */
};

/* Write up to `max` reasons why the relay is not ready, static strings;
 * returns how many. 0: it is. */
typedef size_t api_ready_fn(void *ctx, const char **reasons, size_t max);

struct api_cfg {
    api_ready_fn *ready;
    /* Certificate, key and cache of now; entropy and ALPN are set here. NULL:
     * no TLS on this port. */
    void (*tls)(void *ctx, struct tls_server_cfg *out);
    /* A request, to be answered with api_answer, now or in a later turn, and
     * no later than api_serial stays the same. NULL: everything is 404. */
    void (*serve)(void *ctx, struct api_conn *c);
    /* The connection is over: nothing of its requests is to stay. It may be
     * in the middle of api_answer. NULL: there is nothing. */
    void (*over)(void *ctx, struct api_conn *c);
    /* Who may say for whom he asks; lives as long as the port. NULL: nobody. */
    const struct proxies *trusted;
    void *ctx;
};

struct api {
    struct loop *loop;
    struct api_cfg cfg;
    struct listener listener;
    uint32_t open;         /* connections */
    struct api_conn *conn; /* API_CONNS of them */
};

/* Carve the connections; about API_CONNS * 88 KiB, which cost nothing until
 * they are used. The loop needs API_ROWS and API_TIMERS free. */
void api_init(struct api *a, struct arena *arena, struct loop *l,
              const struct api_cfg *cfg);

/* Listen on one address; the port that was bound comes back in *port (may be
 * NULL). OK, or what port_listen says. */
int api_listen(struct api *a, const struct port_addr *at, uint16_t *port);

/* Close the listener and every connection. Harmless when nothing is open. */
void api_close(struct api *a);

/* ---- for whoever serves -------------------------------------------------- */

/* Is this request still waiting for its answer? `serial` is c->serial as it
 * was when it was served. */
bool api_waits(const struct api_conn *c, uint32_t serial);

/*
 * Answer the request, as http_respond; headers were added with http_add. The
 * body may lie in c->body. The connection may be closed when this returns.
 */
void api_answer(struct api_conn *c, int status, const char *type,
                struct view body);

/* Does the peer see us through TLS? */
bool api_is_secure(const struct api_conn *c);

/* Is this address the machine's own? */
bool api_is_near(const struct port_addr *a);

#endif
