/*
 * Sessions: a shell on a terminal that outlives its operators. One output,
 * numbered by the ring; any number of operators, each at its own offset; one
 * input, in the order it arrived. Nobody attached is a live state. The shell,
 * its ring and its queue of input belong to a keeper (core/hold.h), so they
 * outlive the agent too.
 *
 *     PTY --take--> ring (1 MiB, oldest dropped) --peek--> operator A
 *                                               --peek--> operator B
 *     PTY <--move--- queue <------------ input of A, B, in order of arrival
 *
 * Reading pauses while an operator lags by nearly the whole ring, so that a
 * fast producer loses no bytes; an operator that takes next to nothing for
 * STALL_MS no longer holds the others up and finds a counted gap instead.
 *
 * Who types a key at which the terminal throws away what waits to be shown, ^C
 * above all, is rid of what waits on its way to him as well.
 *
 * What an attachment typed is counted by its key (core/writers.h), so after a
 * lost link its bytes are applied once, whatever was under way: the Open that
 * names a key again fences the channel that had it before.
 */
#ifndef CORE_SESSION_H
#define CORE_SESSION_H

#include "base/arena.h"
#include "core/held.h"
#include "core/mux.h"
#include "core/writers.h"
#include "limits.h"
#include "transport/loop.h"

#define SESSION_ID_CAP 33 /* 32 hex digits and the end */

struct session;

/* One operator on one session. */
struct attachment {
    struct chan chan;
    struct session *session; /* NULL: free */
    struct attachment *next;
    uint64_t typed_at; /* session's count after our last input */
    uint64_t from;     /* output below it is not for him any more */
    uint64_t acked;    /* and below this he has it */
    uint64_t lag_ms;   /* lags since then; 0: it does not */
    uint64_t lag_at;   /* how far it was then */
    bool stalled;      /* took too little for too long */
    bool observer;
    bool fenced; /* its key came again: it is nobody's now */
    bool owes;   /* input is applied and not acknowledged */
    bool has_key;
    uint8_t key[WRITERS_KEY];
    char operator_name[NAME_CAP];
};

/* What an operator asked for, kept until the keeper answers. */
struct wish {
    struct mux *mux; /* NULL: nobody waits */
    msg_open open;   /* channel, window and origin of it */
    char name[NAME_CAP];
    uint32_t rows, cols;
    uint64_t out_offset;
    bool resume;
    bool observe;
    bool has_key;
    uint8_t key[WRITERS_KEY]; /* of the attachment */
};

struct session {
    char id[SESSION_ID_CAP]; /* "": free slot */
    struct held child;
    struct wish wish;
    int row; /* of the terminal; -1: closed */
    struct attachment *attached;
    uint64_t typed;      /* bytes put into the child's queue */
    uint64_t touched_ms; /* last attach or input */
    bool exited;         /* no more is to be known about the child */
    bool drained;        /* the terminal has no more output */
    bool told;           /* somebody heard how it ended */
    struct sessions *owner;
};

struct sessions {
    struct session *slots;
    struct attachment *attachments;
    uint32_t count;
    struct loop *loop;
    int stall; /* timer: look again at who lags */
    bool stall_armed;
    int ack; /* timer: for input that caused no output */
    uint32_t owing;
    void (*used)(void *ctx); /* somebody types or attaches; NULL: never mind */
    void *used_ctx;
    const char *machine; /* CMDOP_MACHINE for the children */
    char folder[PATH_CAP];
};

/* The memory of `a` is zero, and what no session needs stays untouched.
 * Keepers have their sockets below `folder`, in "sessions". OK, or ERR_RANGE:
 * its name is too long. */
int sessions_init(struct sessions *s, struct arena *a, struct loop *loop,
                  const char *machine, const char *folder);

/* Find the sessions that an earlier agent left; while `adopting`, not all of
 * their keepers have answered. */
void sessions_adopt(struct sessions *s);
bool sessions_adopting(const struct sessions *s);

/* Answer an Open of kind PTY on this link, now or when the keeper is there:
 * make or find the session, attach, accept or reject. */
void session_open(struct sessions *s, struct mux *m, const msg_open *open,
                  struct view params);

/* An Open that was not answered yet is taken back; with number 0 all of this
 * link are. */
void sessions_gone(struct sessions *s, const struct mux *m, uint32_t number);

uint32_t sessions_live(const struct sessions *s);

#endif
