/*
 * From a name and a port to a connected handle. Addresses are tried in order;
 * the next one starts when the one before failed or after 250 ms, and the
 * first that connects wins (RFC 8305 in small).
 *
 *     IDLE -> RESOLVING -> TRYING -> ENDED -> IDLE
 *       `------------------^   `------^
 *      (numeric host)          callback at the end of the turn
 *
 * The caller owns the struct; it can be used again after the callback, even
 * inside it. TLS and protocols are left to others.
 */
#ifndef TRANSPORT_DIAL_H
#define TRANSPORT_DIAL_H

#include "transport/loop.h"

#define DIAL_HOST_CAP  256 /* RFC 1035: 255 and the end */
#define DIAL_ADDRS_MAX 4
#define DIAL_WHY_CAP   384

/*
 * The end: `result` is a connected handle, which is the callee's now, or a
 * code: ERR_NAME, ERR_REFUSED, ERR_UNREACHABLE, ERR_TIMEOUT, ERR_LIMIT, ...
 * `why` is a sentence for people ("127.0.0.1:50051: nothing listens at the
 * address"), "" on success; it lives until the next dial_start.
 */
typedef void dial_fn(void *ctx, int result, const char *why);

enum dial_state {
    DIAL_IDLE,
    DIAL_RESOLVING,
    DIAL_TRYING,
    DIAL_ENDED, /* the callback is queued */
};

struct dial;

/* One connection attempt. */
struct dial_try {
    struct dial *dial;
    int handle; /* -1: not in use */
    int row;
};

struct dial {
    struct loop *loop;
    enum dial_state state;
    dial_fn *fn;
    void *ctx;

    char host[DIAL_HOST_CAP];
    uint16_t port;
    uint64_t deadline_ms;
    int timer; /* of the loop, held from init to free */

    struct dial_try lookup;
    struct dial_try tries[DIAL_ADDRS_MAX];
    struct port_addr addrs[DIAL_ADDRS_MAX];
    int addrs_count;
    int next; /* index of the next address to try */
    int won;  /* index of the one that connected */

    int result; /* handle or code, for the callback */
    struct loop_job done;
    char why[DIAL_WHY_CAP];
};

/* Take a timer of the loop; ERR_FULL when it has none left. */
int dial_init(struct dial *d, struct loop *l);
void dial_free(struct dial *d);

/*
 * Connect to `host` (a name, or a numeric address without brackets; copied).
 * timeout_ms bounds the whole, look-up included. `fn` is called exactly once
 * unless dial_cancel comes first, never before this returns. Only when idle.
 * OK, or ERR_RANGE when the host is too long or empty (then no callback).
 */
int dial_start(struct dial *d, const char *host, uint16_t port,
               uint64_t timeout_ms, dial_fn *fn, void *ctx);

/* The same for one address that is known: no look-up. `host` is what `why`
 * calls it, and shorter than DIAL_HOST_CAP. */
void dial_address(struct dial *d, const char *host, const struct port_addr *to,
                  uint64_t timeout_ms, dial_fn *fn, void *ctx);

/* The address that the last connection was made to; good until the next
 * start. */
const struct port_addr *dial_won(const struct dial *d);

/* Give up without a callback; harmless when idle. */
void dial_cancel(struct dial *d);

bool dial_busy(const struct dial *d);

#endif
