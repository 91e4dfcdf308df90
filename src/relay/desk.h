/*
 * Where passwords are computed: a queue before port_task, so that the loop
 * never waits for Argon2id and no more than two processors ever do. Jobs are
 * done in the order in which they came.
 */
#ifndef RELAY_DESK_H
#define RELAY_DESK_H

#include "crypto/pwhash.h"
#include "transport/loop.h"

#define DESK_JOBS    64 /* that may wait */
#define DESK_AT_ONCE 2

/* Loop rows and timers that a desk uses at most. */
#define DESK_ROWS   DESK_AT_ONCE
#define DESK_TIMERS 1

/*
 * The answer, later, exactly once.
 * err     OK; of a check also ERR_AUTH: it is another password. ERR_DAMAGED:
 *         what is stored is no password; ERR_LIMIT, ERR_IO: no memory or no
 *         process for it
 * stored  of a make: the string to keep, valid during the call
 */
typedef void desk_fn(void *ctx, uint32_t tag, int err, const char *stored);

enum desk_state { DESK_FREE, DESK_WAITS, DESK_RUNS };

struct desk_job {
    enum desk_state state;
    struct desk *desk;
    int handle;
    int row;
    desk_fn *fn;
    void *ctx;
    uint32_t tag;
    struct pwhash_task task;
};

struct desk {
    struct loop *loop;
    struct loop_job later;
    int again; /* timer: somebody else has all of the port's tasks */
    uint32_t running;
    uint32_t head, tail; /* run freely over job: first waiting, next free */
    struct desk_job job[DESK_JOBS];
};

void desk_init(struct desk *d, struct loop *l);

/*
 * Is this the password of the stored string? Make such a string.
 * OK: fn will be called, never from inside. ERR_FULL: too many wait.
 * ERR_RANGE: a password is 1 to PWHASH_PASSWORD_MAX bytes.
 */
int desk_check(struct desk *d, struct view password, const char *stored,
               desk_fn *fn, void *ctx, uint32_t tag);
int desk_make(struct desk *d, struct view password, desk_fn *fn, void *ctx,
              uint32_t tag);

/* Give everything up, without answers: the loop will not turn again. */
void desk_close(struct desk *d);

#endif
