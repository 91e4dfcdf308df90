/*
 * One question of kind RPC, from the side that asks: a list of records comes,
 * each behind its length as a varint, and then the end. core/rpc.h answers.
 */
#ifndef CORE_QUESTION_H
#define CORE_QUESTION_H

#include "base/ring.h"
#include "core/mux.h"

#define QUESTION_RING       (16 * 1024)
#define QUESTION_RECORD_MAX 2048

typedef cmdop_agent_v1_Failure question_failure;

struct question {
    struct chan chan;
    struct ring ring;
    struct view unlock; /* a token of the machine, if it wants one */
    void (*record)(void *ctx, struct view record);
    /* The answer is complete, or `why` it is not; NULL: complete. The
     * question may be used again from here. */
    void (*done)(void *ctx, const question_failure *why);
    void *ctx;
};

/* `buf` is a power of two, QUESTION_RING or more; record, done and ctx are
 * set. `target` is "" for the peer itself; `call` may be NULL. OK, or the
 * link takes no more channels; then `done` is not called. */
int question_ask(struct question *q, struct mux *m, struct span buf,
                 const char *target, const char *method, const msg_call *call);
/* The same with a request of the method's own; ERR_TOO_BIG above 512 bytes. */
int question_send(struct question *q, struct mux *m, struct span buf,
                  const char *target, const char *method, struct view request);

/*
 * Take whole records off the ring and give each to `each`. OK, or ERR_PROTO:
 * one is longer than QUESTION_RECORD_MAX.
 */
int question_take(struct ring *r, void (*each)(void *ctx, struct view record),
                  void *ctx);

#endif
