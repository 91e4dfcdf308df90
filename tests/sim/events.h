/*
 * What can happen to the town while a crew works there; see schedule_test.c,
 * which picks from it and looks at what became of everything.
 */
#ifndef TESTS_SIM_EVENTS_H
#define TESTS_SIM_EVENTS_H

#include "sim/crew.h"

enum { PLACES = 2 + CREW_DESKS }; /* hosts: relay, machine, desks */

struct events {
    struct crew crew;
    int place[PLACES];
    struct job {
        int tool;      /* a command's; -1: none */
        bool is_ended; /* its input */
        size_t typed;
    } job;
    bool agent_was_down;
    bool had_trouble; /* an agent: it may not know the session for a while */
};

extern struct events events;

/* The crew is there, and nothing has happened to it yet. */
void events_begin(void);
void something_happens(void);
/* All that is wrong ends; but who is down stays down. */
void all_is_well_again(void);

bool is_keeper(int role);

#endif
