/*
 * Looks into the pools of running programs: how much of each is in use. The
 * program's own wiring is caught by the linker (--wrap) where it begins.
 */
#ifndef TESTS_SIM_POOLS_H
#define TESTS_SIM_POOLS_H

#include <stdint.h>

/* What a relay has, and what an agent has; see sim_note. */
enum pools_relay { POOLS_ROUTES, POOLS_CONNS };
enum pools_agent { POOLS_SESSIONS, POOLS_ATTACHED };

void pools_note(uint32_t note[4]);

#endif
