/*
 * Sessions as the machine holds them: a shell on a terminal that outlives its
 * operators. One output, numbered by the ring; one input, in the order it
 * arrived. Nobody attached is a live state. The shell, its ring and its queue
 * of input belong to a keeper (core/hold.h), so they outlive the agent too.
 * Who attaches, types and watches is core/pty.h.
 *
 *     PTY --take--> ring (1 MiB, oldest dropped) --> operators
 *     PTY <--move--- queue <------------------------ operators
 *
 * A session that nobody is attached to ends after its time: a week, if it was
 * not told otherwise.
 */
#ifndef CORE_SESSION_H
#define CORE_SESSION_H

#include "base/arena.h"
#include "codec/msg.h"
#include "core/finder.h"
#include "core/held.h"
#include "core/mux.h"
#include "core/writers.h"
#include "limits.h"
#include "transport/loop.h"

#define SESSION_ID_CAP      33 /* 32 hex digits and the end */
#define SESSION_COMMAND_CAP 128
#define SESSION_IDLE_MS     (7 * 24 * UINT64_C(3600000))
#define SESSION_SIDE_MAX    4096 /* rows, columns */

struct attachment;

/* What an operator asked for, kept until the keeper answers. */
struct wish {
    struct mux *mux; /* NULL: nobody waits */
    msg_open open;   /* channel, window and origin of it */
    char name[NAME_CAP];
    uint32_t rows, cols;
    uint64_t out_offset;
    bool resume;
    bool observe;
    bool control;
    bool glance;
    bool has_key;
    uint8_t key[WRITERS_KEY]; /* of the attachment */
};

struct session {
    char id[SESSION_ID_CAP]; /* "": free slot */
    struct held child;
    struct wish wish;
    int row;                     /* of the terminal; -1: closed */
    struct attachment *attached; /* of core/pty.h */
    struct attachment *control;  /* who alone may type; NULL: all */
    struct attachment *sized_by; /* whose size the terminal has */
    uint64_t typed;              /* bytes put into the child's queue */
    bool exited;                 /* no more is to be known about the child */
    bool drained;                /* the terminal has no more output */
    bool told;                   /* somebody heard how it ended */
    bool destroyed;              /* somebody wished so, or its time was up */
    struct sessions *owner;
};

/* What the block keeps for the next agent. */
struct session_record {
    uint32_t magic;
    uint32_t spare;
    int64_t created_ms;
    uint64_t typed; /* bytes of input that were taken from nobody known */
    uint64_t idle_ms;
    uint32_t rows, cols;
    char name[NAME_CAP];
    char user[NAME_CAP];
    char command[SESSION_COMMAND_CAP]; /* "": the login shell */
    struct writers writers;
    /* Last attach, input or detach, on the clock of all agents since the
     * machine started; 0: an agent made it that did not note this. */
    uint64_t touched_ms;
};

struct session_ops {
    /* It is there, or `err` and `why` tell why not; then it is forgotten. */
    void (*ready)(struct session *t, int err, const char *why);
    /* There is more output. */
    void (*output)(struct session *t);
    /* Input was fed to the terminal. */
    void (*input)(struct session *t);
    /* Would reading on cost an operator bytes? */
    bool (*held_up)(struct session *t);
    /* No more is to be known: session_result tells how it ended. */
    void (*over)(struct session *t);
};

struct sessions {
    struct session *slots;
    struct attachment *attachments;
    uint32_t count;
    struct loop *loop;
    const struct session_ops *ops;
    struct finder finder;
    int stall; /* timer: look again at who lags */
    bool stall_armed;
    int ack; /* timer: for input that caused no output */
    uint32_t owing;
    int idle;                /* timer: for those that nobody uses */
    void (*used)(void *ctx); /* somebody types, looks or attaches */
    void *used_ctx;
    const char *machine; /* CMDOP_MACHINE for the children */
    char folder[PATH_CAP];
};

/* What is to be started. */
struct session_order {
    const char *const *argv; /* empty: the login shell */
    const struct msg_strings *env;
    const char *term;
    uint64_t idle_ms; /* 0: the usual */
};

/* The memory of `a` is zero, and what no session needs stays untouched.
 * Keepers have their sockets below `folder`, in "sessions". OK, or ERR_RANGE:
 * its name is too long. */
int session_pool_init(struct sessions *s, struct arena *a, struct loop *loop,
                      const struct session_ops *ops, const char *machine,
                      const char *folder);

/* Find the sessions that an earlier agent left, and later on those that could
 * not be reached for lack of something; while `adopting`, not all of their
 * keepers have answered. */
void sessions_adopt(struct sessions *s);
bool sessions_adopting(const struct sessions *s);

uint32_t sessions_live(const struct sessions *s);
/* By its id, or a live one by its name. NULL: there is none. */
struct session *session_find(struct sessions *s, const char *ref);
/* The live one that was used last. */
struct session *session_last(struct sessions *s);
/* Is there perhaps one whose id begins so, and whose keeper could not be
 * asked, or has not answered yet? */
bool session_may_come(const struct sessions *s, const char *id);

/* Start one, for this wish: `ready` follows. ERR_LIMIT, ... */
int session_start(struct sessions *s, const struct session_order *o,
                  const struct wish *w);
/* Nobody waits for it any more, before `ready`. */
void session_take_back(struct session *t);

static inline struct session_record *session_record(const struct session *t)
{
    return (struct session_record *)(void *)t->child.hold.block->record;
}

static inline struct ring *session_ring(struct session *t)
{
    return &t->child.hold.ring[0];
}

/* Typed bytes that the terminal has. */
static inline uint64_t session_fed(const struct session *t)
{
    return t->typed - t->child.hold.queued;
}

/* Somebody needs the link. */
void session_used(struct sessions *s);
/* Somebody uses it; and `left`: nobody is attached any more. */
void session_touch(struct session *t);
void session_left(struct session *t);
/* Put typed bytes into the queue, counted in *counter, as hold_put; then let
 * the terminal have them. */
int session_put(struct session *t, uint64_t *counter, struct view bytes);
void session_feed(struct session *t);
/* Look again whether output may be read. */
void session_watch(struct session *t);
void session_resize(struct session *t, uint32_t rows, uint32_t cols);
/* Do these keys make the terminal throw its output away? */
bool session_flushes(const struct session *t, struct view keys);
void session_signal(struct session *t, const char *name);

/* How it ended, for a Close. */
msg_close session_result(const struct session *t);
/* Tell its end, and forget it when everybody who should know does. */
void session_settle(struct session *t);
/* End it: its operators are told. */
void session_destroy(struct session *t);

#endif
