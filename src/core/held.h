/*
 * A held child on a loop: started or found again, ready after its keeper's
 * HELLO, until it has ended and its owner lets go.
 *
 *     held_start, held_adopt -> ready(OK) ------> exited -> held_release
 *                                  |   \--> lost (the keeper was killed)
 *                                  +--> ready(err): it did not start
 *
 * The owner moves the bytes itself (hold_take, hold_put) and watches the
 * child's handles.
 */
#ifndef CORE_HELD_H
#define CORE_HELD_H

#include "core/hold.h"
#include "transport/loop.h"

struct held_ops {
    /* The block is there, or (err) nothing is and `why` tells people. An
     * adopted child may have exited already: `exited` follows. */
    void (*ready)(void *ctx, int err, const char *why);
    /* The block tells how; output may still wait. */
    void (*exited)(void *ctx);
    /* Nobody will ever know how the child ends. */
    void (*lost)(void *ctx);
};

struct held {
    struct hold hold;
    struct loop *loop;
    const struct held_ops *ops;
    void *ctx;
    int row; /* of the keeper's connection; -1: none */
    bool ready;
};

/* Keepers at rest, for the next commands. */
#define SPARES_MAX 8
struct held_pool {
    struct held spare[SPARES_MAX]; /* those with a row are there */
    struct loop *loop;
    int timer; /* none rests longer than SPARE_MS */
};

void held_pool_init(struct held_pool *p, struct loop *loop);
/* Does one rest there? */
bool held_pool_has(const struct held_pool *p);

/* With a pool (or NULL), one of its keepers is taken if there is one. OK, or
 * why it cannot even be asked for; then nothing is left. */
int held_start(struct held *c, struct loop *loop, struct held_pool *pool,
               const struct held_ops *ops, void *ctx,
               const struct hold_start *s);
int held_adopt(struct held *c, struct loop *loop, const struct held_ops *ops,
               void *ctx, const char *folder, const char *id);

/* The child's process group gets a signal, if the child lives. */
void held_signal(struct held *c, const char *name);
/* Close the child's input, at the keeper too. */
void held_end_input(struct held *c);
/* Close its terminal or pipes, at the keeper too. */
void held_hang_up(struct held *c);
/* We know no more of it; its keeper goes on without us. */
void held_leave(struct held *c);
/* Nobody needs child and output any more: the keeper ends, or rests in the
 * pool if one is given and it is fit for that. */
void held_release(struct held *c, struct held_pool *pool);

#endif
