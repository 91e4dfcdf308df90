/*
 * Operators on one shared session, in any number of lives, and the books that
 * are kept of them: what each one typed, what of it was applied, and what its
 * screen must show. Each types letters of its own, so that the session's input
 * can be told apart again.
 */
#ifndef TESTS_SIM_CREW_H
#define TESTS_SIM_CREW_H

#include "port/sim/sim.h"

enum {
    CREW_MAX = 10, /* who ever were there, observers too */
    CREW_LETTERS = 5,
    CREW_KEYS_MAX = 4096, /* typed by one */
    CREW_DESKS = 3,
    CREW_LAST = 32,
};

enum crew_state {
    CREW_THERE,
    CREW_LEFT,   /* by their own wish, or killed */
    CREW_TURNED, /* away, before they were attached */
};

struct mate {
    int tool;
    enum crew_state state;
    bool observes;
    bool may_end;     /* it was told to leave */
    uint64_t said_at; /* so much the session had said when it came */
    size_t typed_len;
    size_t applied; /* of what was typed */
    size_t seen;    /* bytes of its screen that were looked at */
    uint64_t shown; /* bytes of the session on it, gaps counted */
    uint64_t gaps;
    uint64_t tail;        /* and so many that may be the tool's */
    char last[CREW_LAST]; /* what it shows last */
    char typed[CREW_KEYS_MAX];
};

struct crew {
    struct mate op[CREW_MAX];
    int count;
    int desk[CREW_DESKS]; /* hosts */
    size_t heard;         /* input of the session that was looked at */
    unsigned asks[2];     /* for much, and for more than the ring holds */
    size_t asked;         /* typed requests to say something */
    size_t told;          /* and how many of them were applied */
    char why[600];        /* the first thing that is wrong; "": nothing */
};

/* The first one, who starts the session and makes it listen. */
void crew_begin(struct crew *c);
/* Another one comes, by the session's id or without. */
void crew_come(struct crew *c, bool observes, bool by_id);
int crew_there(const struct crew *c);
/* One of those who are there; of those who type; NULL: there is none. */
struct mate *crew_any(struct crew *c);
struct mate *crew_typist(struct crew *c);

void crew_type(struct crew *c, struct mate *o, uint32_t keys);
/* Make the session say much ('+'), or more than its ring holds ('%'). */
void crew_ask(struct crew *c, struct mate *o, char key);
/* A last key: its letter. */
char crew_type_one(struct crew *c, struct mate *o);

/* Look at all that is new; false when something is wrong. */
bool crew_check(struct crew *c);
/* Does this one have all that was typed and said? */
bool crew_has_all(struct mate *o);
/* Is all applied that those who are there typed, and all shown to them? */
bool crew_is_settled(struct crew *c);
/* Every screen against what the session said. */
bool crew_screens(struct crew *c);

bool crew_wrong(struct crew *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
