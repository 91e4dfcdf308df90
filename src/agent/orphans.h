/* Keepers without an agent, as `cmdop agent stop` leaves them. */
#ifndef AGENT_ORPHANS_H
#define AGENT_ORPHANS_H

#include "core/paths.h"

/* How many sessions and commands go on. */
uint32_t orphans_count(const struct paths *paths);

/* Tell all of them to end: terminals hang up, commands get TERM, and after
 * some seconds KILL. Returns how many were told. */
uint32_t orphans_end(const struct paths *paths);

#endif
