/*
 * The links and the tables in memory follow the store, whoever changed it.
 *
 *   in this process       every answer of the store passes follow_saw before
 *                         it reaches who asked: a revoked token's links are
 *                         cut in the same turn, whichever face revoked it
 *   in another process    a verb on the relay's host that changed something
 *                         sends us the reload signal: machines, accesses and
 *                         the sign-ins of all open links are asked anew, a
 *                         bounded number at a time
 *   by the clock          a link ends with its sign-in (relay/conn.h)
 *   if all else fails     once a minute the sign-ins are asked anew
 */
#ifndef RELAY_FOLLOW_H
#define RELAY_FOLLOW_H

#include "base/text.h"
#include "relay/store.h"

struct relay;
struct conn;

#define FOLLOW_CHECKS 16 /* sign-ins that the store is asked about at once */

enum follow_state {
    FOLLOW_IDLE,
    FOLLOW_FLEET,    /* asked for the next fleet */
    FOLLOW_MACHINES, /* asked for some of its machines */
    FOLLOW_ACCESS,   /* and for what was set there */
};

struct follow {
    enum follow_state state;
    bool again; /* asked for once more meanwhile */
    int err;    /* of the last walk */
    int timer;
    char fleet_id[UUID_CAP]; /* where the walk is */
    char fleet_name[NAME_CAP];
    bool fleet_came;
    struct store_list after; /* and in the list there */
    char after_person[UUID_CAP];
    uint32_t checks;   /* asked, not answered */
    uint32_t check_at; /* the next connection to look at */
    bool checking;
};

/* Once, when loop and store are there; nothing is asked yet. */
void follow_init(struct relay *r);

/* Read machines and accesses of all fleets: before the loop runs. OK, or a
 * sentence in *why. */
int follow_load(struct relay *r, struct text *why);

/* Another process may have changed anything: look at all of it. */
void follow_reload(struct relay *r);

/* This sign-in is checked anew soon. */
void follow_check(struct conn *c);

/* What the store says of a machine, into its row. */
struct machine *follow_machine(struct relay *r, const char *fleet_id,
                               const struct store_machine *s);

#endif
