/*
 * The event loop of every program: one thread, one place that sleeps.
 *
 *     loop_turn:  wait -> clock -> timers -> ready rows -> jobs
 *
 * Rows    A handle, what is wanted of it and a function. The table is the one
 *         that port_wait sees; its memory is carved once.
 * Timers  A deadline and a function. Groups of 64 keep their nearest deadline,
 *         so arming costs nothing to speak of and ten thousand timers are
 *         looked over in a hundred steps.
 * Jobs    Work put off to the end of the turn, once however often it was
 *         asked for: an engine that took bytes in ten callbacks pushes once.
 *
 * Inside any of these functions every call below is allowed, loop_turn
 * excepted: rows, timers and jobs may be added and removed, their own too. A
 * row that was removed is not called again, not even later in the same turn.
 * Rows and timers are small numbers and are reused, lowest first; an owner
 * forgets a number when it removes it.
 * One loop per process: port_wait keeps one table in mind.
 */
#ifndef TRANSPORT_LOOP_H
#define TRANSPORT_LOOP_H

#include "base/arena.h"
#include "port/port.h"

/* `ready` is PORT_READ, PORT_WRITE, PORT_HANGUP or several of them; READ and
 * WRITE only if they are wanted still. */
typedef void loop_row_fn(void *ctx, uint8_t ready);
typedef void loop_timer_fn(void *ctx, uint64_t now_ms);
typedef void loop_job_fn(void *ctx);

/* Embedded by whoever has work to put off; its fields belong to the loop. */
struct loop_job {
    loop_job_fn *fn;
    void *ctx;
    struct loop_job *next;
    bool is_queued;
};

struct loop_row;
struct loop_timer;

struct loop {
    uint64_t now_ms;

    struct port_want *want; /* the table of port_wait, [0, rows) in use */
    struct loop_row *row;
    uint64_t *row_free; /* one bit per row, 1 = free */
    size_t rows, rows_cap;

    uint64_t *due;       /* deadline per timer, PORT_FOREVER: none */
    uint64_t *group_due; /* the nearest of each 64 */
    struct loop_timer *timer;
    uint64_t *timer_free;
    size_t timers, timers_cap;

    struct loop_job *job_first, *job_last;
};

/* Carve room for `rows` handles and `timers` deadlines. */
void loop_init(struct loop *l, struct arena *a, size_t rows, size_t timers);

/* The time of this turn: the clock as it was when the wait ended. */
uint64_t loop_now(const struct loop *l);

/* One turn: sleep until something is due, then do all of it. OK, or the
 * error of port_wait, which nothing here can mend. */
int loop_turn(struct loop *l);

/* ---- rows --------------------------------------------------------------- */

/*
 * Wait on `handle`. want: PORT_READ | PORT_WRITE, or PORT_HANGUP to be told
 * of the end only, or 0 to be told nothing at all (a row whose owner is full
 * sleeps, even when the far end hangs up, and so cannot spin).
 * Returns the row's number, or ERR_FULL.
 */
int loop_add(struct loop *l, int handle, uint8_t want, loop_row_fn *fn,
             void *ctx);
void loop_want(struct loop *l, int row, uint8_t want);
/* The row's handle was replaced; the old one must be closed by now. */
void loop_handle(struct loop *l, int row, int handle, uint8_t want);
/* Forget the row. The handle is the owner's to close, before or after. */
void loop_remove(struct loop *l, int row);

/* ---- timers ------------------------------------------------------------- */

/* A timer, not armed. Returns its number, or ERR_FULL. */
int loop_timer_add(struct loop *l, loop_timer_fn *fn, void *ctx);
void loop_timer_remove(struct loop *l, int timer);
/* Call once when the clock reaches `at_ms`; replaces an earlier deadline. */
void loop_arm(struct loop *l, int timer, uint64_t at_ms);
void loop_disarm(struct loop *l, int timer);

/* ---- jobs --------------------------------------------------------------- */

void loop_job_init(struct loop_job *job, loop_job_fn *fn, void *ctx);
/* Call job->fn at the end of this turn (of the next, if it is asked for
 * again and again by jobs). Asking twice is asking once. */
void loop_later(struct loop *l, struct loop_job *job);
/* Not after all; harmless if it is not queued. */
void loop_cancel(struct loop *l, struct loop_job *job);

#endif
