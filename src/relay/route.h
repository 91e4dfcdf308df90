/*
 * A channel that passes through the relay: one end on an operator's link, one
 * on a machine's, and between them a ring per stream. The relay never looks
 * into a payload; it numbers, bounds and forwards.
 *
 *   operator link                                     machine link
 *      op.rx[0]  ---> in  ring ----------------------->  ag.tx[0]
 *      op.tx[0]  <--- out ring <-----------------------  ag.rx[0]
 *      op.tx[1]  <--- err ring <-----------------------  ag.rx[1]
 *
 * Each hop grants credit for what its ring can still take, so a ring never
 * overflows; acknowledgements pass through unchanged.
 */
#ifndef RELAY_ROUTE_H
#define RELAY_ROUTE_H

#include "base/arena.h"
#include "base/ring.h"
#include "core/mux.h"
#include "limits.h"

struct route {
    struct chan op;
    struct chan ag;
    struct ring in;
    struct ring out[CHAN_STREAMS];
    uint64_t in_ack;                /* applied by the machine */
    uint64_t out_ack[CHAN_STREAMS]; /* taken by the operator */
    bool in_fin;
    bool out_fin[CHAN_STREAMS];
    bool live;
    uint32_t op_number; /* until the machine accepted */
    uint32_t op_window;
    struct mux *op_mux; /* NULL: answered, or the operator is gone */
    uint32_t *budget;   /* of the operator's connection */
    uint64_t asked_ms;
    const void *waits_for; /* a machine that is not connected; NULL: none */
    uint64_t until_ms;     /* then its Open is rejected */
    struct routes *routes;
    struct route *next_free;
    uint8_t *rings; /* storage of all three */
};

/*
 * Asked when an Open that waited is about to be led to its machine: may it
 * still be? The stamp on `open` may be made anew. False: `no` tells why not.
 */
struct route_no {
    msg_code code;
    const char *message; /* live for ever */
    const char *remedy;
};
typedef bool route_may(struct mux *op, msg_open *open, struct view params,
                       struct route_no *no);

struct routes {
    route_may *may;
    struct route *slots;
    struct route *free;
    uint32_t cap;
    uint32_t count;
};

/* What an operator hears of a machine that is not connected. */
#define OFFLINE_WORDS         \
    "the machine is offline", \
        "`cmdop connect --list` tells when it was seen last"

void routes_init(struct routes *r, struct arena *a, uint32_t cap,
                 route_may *may);

/*
 * Lead an operator's Open to a machine. `open` is stamped with its origin
 * already. Answers on the operator's link, now or when the machine has
 * answered. *budget counts the operator's routes while his link lives.
 */
void route_open(struct routes *r, struct mux *op, struct mux *ag,
                const msg_open *open, struct view params, uint32_t *budget,
                uint64_t now_ms);

/*
 * The same for a machine that is not connected: keep the Open until it is
 * (routes_online), for open->wait_ms and ROUTE_ANSWER_MS at most. `machine`
 * is only compared.
 */
void route_wait(struct routes *r, struct mux *op, const void *machine,
                const msg_open *open, struct view params, uint32_t *budget,
                uint64_t now_ms);

/* The machine is connected now, by this link: what waited for it is asked
 * about once more, and led to it. */
void routes_online(struct routes *r, const void *machine, struct mux *ag,
                   uint64_t now_ms);

/* Give up on machines that have not answered for ROUTE_ANSWER_MS, or have not
 * come back in time. */
#define ROUTE_ANSWER_MS 30000
void routes_sweep(struct routes *r, uint64_t now_ms);

/* An operator takes an Open back that the machine has not answered yet. */
void routes_gone(struct routes *r, struct mux *op, uint32_t number,
                 const msg_close *end);

/* An operator's link is gone: end what it had asked for and not got yet. */
void routes_operator_lost(struct routes *r, struct mux *op,
                          const uint32_t *budget);

#endif
