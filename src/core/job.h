/*
 * Commands on pipes as the machine holds them: a child with its keeper, its
 * output in two rings, what waits for its input, and how it ended. Who asks
 * for one, and how he hears of it, is core/exec.h.
 *
 *     id --> at most one command, while the machine knows of it
 *
 *     starting --> running --> over --> forgotten
 *                   |                     ^ told (plain), or removed, or
 *                   |                     | after JOB_KEEP_MS (kept)
 *                   +-- nobody holds it: JOB_RETURN_MS, then a plain one is
 *                       ended, and a kept one runs free: its oldest output
 *                       makes room
 *
 * A kept command has a file beside its keeper's socket, so that its id is
 * never used again for a second process, not even after a restart of the
 * machine.
 */
#ifndef CORE_JOB_H
#define CORE_JOB_H

#include "base/arena.h"
#include "codec/msg.h"
#include "core/finder.h"
#include "core/held.h"
#include "core/mux.h"
#include "limits.h"
#include "transport/loop.h"

#define JOB_ID_CAP    65
#define JOB_RING      WINDOW_BULK
/* For an operator whose link was lost; also when that was at the end. */
#define JOB_RETURN_MS 60000
#define JOB_KEEP_MS   (7 * 24 * UINT64_C(3600000))

struct viewer;

/* What somebody asked for, kept until the keeper answers. */
struct asker {
    struct mux *mux; /* NULL: nobody */
    bool unwanted;   /* whoever asked wishes that it ends */
    uint32_t channel;
    uint32_t window;
    uint64_t from[CHAN_STREAMS]; /* the output that he wants */
    bool watch;
    bool quiet;
};

struct job {
    msg_job_info info; /* its id "": free slot */
    char place[HOLD_ID_CAP];
    struct held child; /* without a block: only its file is left */
    struct asker asker;
    struct viewer *viewers; /* of core/exec.h */
    uint32_t operators;     /* how many they are */
    struct viewer *holder;  /* for whom output waits; NULL: nobody */
    uint64_t *taken;        /* in the block: bytes put into the queue */
    struct ring in;         /* what the queue does not take yet */
    int in_row;             /* -1: not watched */
    int out_row[CHAN_STREAMS];
    uint64_t started_us; /* 0: by an earlier agent */
    uint64_t ended_ms;   /* on the loop's clock */
    int deadline;        /* timer: the time-out, then the grace */
    int patience;        /* timer: for somebody to come */
    struct jobs *owner;
    bool returns;   /* the operator knows its id and may come back */
    bool adopting;  /* its keeper was there before us */
    bool in_fin;    /* nothing follows what is in the ring */
    bool in_over;   /* the command's input is closed */
    bool ending;    /* TERM was sent, KILL follows */
    bool timed_out; /* that is why */
    bool broken;    /* its output could not be read to the end */
    bool told;      /* somebody heard how it ended */
};

struct job_ops {
    /* It runs (or ran, if it was adopted), or `err` and `why` tell why not;
     * then it is forgotten right after. */
    void (*ready)(struct job *t, int err, const char *why);
    /* There is more output, or its end. */
    void (*output)(struct job *t);
    /* Input was taken up to t->in.head. */
    void (*input)(struct job *t);
    /* No more is to be known: t->info tells how it ended. */
    void (*over)(struct job *t);
};

struct jobs {
    struct job *slots;
    uint8_t *inputs; /* a ring for each */
    struct held_pool pool;
    struct finder finder;
    const struct job_ops *ops;
    struct viewer *viewers;
    uint32_t count; /* slots in use */
    struct loop *loop;
    const char *machine_id;
    const char *machine_name;
    char boot[40]; /* since when the machine runs */
    char folder[PATH_CAP];
};

/* What is to be started. */
struct job_order {
    const char *id; /* "": one is made */
    const char *const *argv;
    const char *const *env;
    const char *cwd; /* "": the home folder */
    const char *user;
    uint32_t timeout_ms; /* 0: none */
    bool keep;
};

/* The memory of `a` is zero, and what no job needs stays untouched. Keepers
 * have their sockets below `folder`, in "jobs". OK, or ERR_RANGE: its name is
 * too long. */
int job_pool_init(struct jobs *j, struct arena *a, struct loop *loop,
                  const struct job_ops *ops, const char *folder);

/* 1 to 64 letters, digits, dots, dashes and underscores. */
bool job_id_ok(const char *id);
/* The one in slot `at` below JOBS_MAX; false: none. */
bool job_at(const struct jobs *j, uint32_t at, msg_job_info *out);
/* NULL: there is none. */
struct job *job_find(struct jobs *j, const char *id);
/* Is it what was asked for when this one was started? */
bool job_is(const struct job *t, const struct job_order *o);

/* Start one: `ready` follows, and never during this call. ERR_LIMIT, or why
 * it cannot be tried. */
int job_start(struct jobs *j, const struct job_order *o, struct job **out);
/* The one that asked does not want it any more, before `ready`. */
void job_take_back(struct job *t);

/* Find the commands that an earlier agent left, also those of which only a
 * file is left, and later on those that could not be reached for lack of
 * something; while `adopting`, not all of their keepers have answered. */
void jobs_adopt(struct jobs *j);
bool jobs_adopting(const struct jobs *j);
/* There may be commands that we know nothing of yet. */
bool jobs_unfound(const struct jobs *j);

static inline bool job_is_over(const struct job *t)
{
    return t->info.state > cmdop_agent_v1_JobState_JOB_STATE_RUNNING;
}

/* Running ones. */
uint32_t jobs_live(const struct jobs *j);

/* ---- bytes ------------------------------------------------------------------ */

/* [first held, end) of a stream. */
uint64_t job_first(const struct job *t, uint32_t stream);
uint64_t job_end(const struct job *t, uint32_t stream);
/* As chan_ops.peek. */
struct view job_peek(struct job *t, uint32_t stream, uint64_t *off, bool *fin);
/* Output from `off` on is wanted, and the command waits with more than a
 * ring of it. */
void job_want(struct job *t, uint32_t stream, uint64_t off);

/* Input, in order; `fin`: nothing follows. ERR_PROTO: more than fits. */
int job_put(struct job *t, struct view bytes, bool fin);

/* ---- who is there -------------------------------------------------------------- */

/* Nobody holds it: he may come back (lost), it goes on (left), or it is not
 * wanted any more (ended). */
void job_lost(struct job *t);
void job_left(struct job *t);
void job_ended(struct job *t);
/* Somebody holds it again. */
void job_held(struct job *t);
/* Forget it, if it is over and nobody needs it. */
void job_settle(struct job *t);

void job_signal(struct job *t, const char *name);
/* How it ended, for a Close. */
msg_close job_result(const struct job *t);
/* Its state now. */
void job_describe(const struct job *t, msg_job_info *out);
/* Forget it; with `force` even if it runs, which ends it. ERR_BUSY. */
int job_remove(struct job *t, bool force);

#endif
