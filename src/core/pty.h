/*
 * Channels of kind PTY: operators on a session, each with a channel and an
 * offset of his own.
 *
 *     ring --peek--> operator A          queue <-- input of A and B, in the
 *          --peek--> operator B                    order of arrival
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
 *
 * The terminal has the size of him who typed last. All may type; who takes
 * control does so alone until he leaves it, and the others are told.
 */
#ifndef CORE_PTY_H
#define CORE_PTY_H

#include "core/session.h"

/* One operator on one session. */
struct attachment {
    struct chan chan;
    struct session *session; /* NULL: free */
    struct attachment *next;
    uint64_t typed_at;   /* session's count after our last input */
    uint64_t from;       /* output below it is not for him any more */
    uint64_t acked;      /* and below this he has it */
    uint64_t lag_ms;     /* lags since then; 0: it does not */
    uint64_t lag_at;     /* how far it was then */
    uint32_t rows, cols; /* of his screen; 0: not known */
    bool stalled;        /* took too little for too long */
    bool observer;
    bool glance; /* he does not stay */
    bool fenced; /* its key came again: it is nobody's now */
    bool owes;   /* input is applied and not acknowledged */
    bool deaf;   /* he was told that somebody else has control */
    bool has_key;
    uint8_t key[WRITERS_KEY];
    char operator_name[NAME_CAP];
};

/* As session_pool_init. */
int sessions_init(struct sessions *s, struct arena *a, struct loop *loop,
                  const char *machine, const char *folder);

/* Answer an Open of kind PTY on this link, now or when the keeper is there:
 * make or find the session, attach, accept or reject. */
void session_open(struct sessions *s, struct mux *m, const msg_open *open,
                  struct view params);

/* An Open that was not answered yet is taken back; with number 0 all of this
 * link are. */
void sessions_gone(struct sessions *s, const struct mux *m, uint32_t number);

/* The one in slot `at` below SESSIONS_MAX, for people; false: none. */
bool session_at(struct sessions *s, uint32_t at, msg_session_info *out);
/* All its operators leave it. */
void session_detach(struct session *t);

#endif
