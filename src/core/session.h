/*
 * Sessions: a shell on a terminal that outlives its operators. One output,
 * numbered by the ring; any number of operators, each at its own offset; one
 * input, in the order it arrived. Nobody attached is a live state.
 *
 *     PTY --read--> ring (1 MiB, oldest dropped) --peek--> operator A
 *                                               --peek--> operator B
 *     PTY <--write-- sink <------------- input of A, B, in order of arrival
 *
 * Reading pauses while an operator lags by nearly the whole ring, so that a
 * fast producer loses no bytes; an operator that takes next to nothing for
 * STALL_MS no longer holds the others up and finds a counted gap instead.
 */
#ifndef CORE_SESSION_H
#define CORE_SESSION_H

#include "base/arena.h"
#include "core/sink.h"
#include "core/mux.h"
#include "limits.h"
#include "port/port.h"
#include "transport/loop.h"

#define SESSION_ID_CAP 33 /* 32 hex digits and the end */

struct session;

/* One operator on one session. */
struct attachment {
    struct chan chan;
    struct session *session; /* NULL: free */
    struct attachment *next;
    uint64_t applied_at; /* sink offset after our last input */
    uint64_t lag_ms;     /* lags since then; 0: it does not */
    uint64_t lag_at;     /* how far it was then */
    bool stalled;        /* took too little for too long */
    bool observer;
    char operator_name[NAME_CAP];
};

struct session {
    char id[SESSION_ID_CAP]; /* "": free slot */
    char name[NAME_CAP];
    struct port_child child;
    int row; /* of the terminal; -1: closed */
    struct ring out;
    struct sink in;
    struct attachment *attached;
    uint16_t rows, cols;
    int64_t created_ms;
    uint64_t touched_ms; /* last attach or input */
    bool exited;         /* the child was reaped */
    bool drained;        /* the terminal has no more output */
    int status;
    int signal;
    struct sessions *owner;
};

struct sessions {
    struct session *slots;
    struct attachment *attachments;
    uint8_t *rings;  /* SESSION_RING for each slot */
    uint8_t *inputs; /* what waits for each terminal */
    uint32_t count;
    struct loop *loop;
    int stall; /* timer: look again at who lags */
    bool stall_armed;
    const char *machine; /* CMDOP_MACHINE for the children */
};

/* The memory of `a` is zero, and what no session needs stays untouched. */
void sessions_init(struct sessions *s, struct arena *a, struct loop *loop,
                   const char *machine);

/* Answer an Open of kind PTY on this link: make or find the session, attach,
 * accept or reject. */
void session_open(struct sessions *s, struct mux *m, const msg_open *open,
                  struct view params);

/* A child ended; false when it is none of ours. */
bool session_child(struct sessions *s, int pid, int status, int signal);

uint32_t sessions_live(const struct sessions *s);

/* Hang up every shell: the agent is going away for good. */
void sessions_hangup(struct sessions *s);

#endif
