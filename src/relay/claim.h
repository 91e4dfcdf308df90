/*
 * Machines that come in, and which holder of a key may be the machine. The
 * store judges (relay/lease.c) by what it remembers; only the relay knows
 * whether another link of the machine lives, so it asks there:
 *
 *     Proof --> LOGIN --> DONE ------------------------------> welcome
 *                 ^  \--> HELD: is there another link?
 *                 |          none, or silent for 3 s
 *                 `--------- (the holder is gone)
 *                            it answers our Ping -> QUARANTINE -> both are
 *                                                   refused, and told why
 *
 * A Proof that answers an older challenge than the holder's says nothing of
 * the time since: it may have been under way when its process died and the
 * next one came in. It is refused; a process that lives comes again.
 *
 * The newcomer waits in LINK_JUDGE meanwhile. One that shows the instance of
 * the old link is the same process and never gets here: it replaces its own
 * link at once.
 */
#ifndef RELAY_CLAIM_H
#define RELAY_CLAIM_H

#include "base/text.h"
#include "codec/msg.h"
#include "relay/store.h"

struct relay;
struct conn;
struct machine;

/* What a machine's connection keeps about it. */
struct holding {
    uint8_t instance[STORE_INSTANCE]; /* zeros: it knows no leases */
    uint64_t epoch;                   /* shown; then given */
    bool unconfirmed;                 /* no Heartbeat since it was given */
    bool rotates;
    uint8_t next_key[STORE_KEY];
    /* while it waits for another link's answer */
    struct machine *looked_at; /* NULL: it does not */
    uint64_t look_until;
    uint64_t look_token;
    struct conn *next; /* of those who wait, the longest first */
};

/* All who wait, and the time that the first of them has left. */
struct claims {
    struct conn *first;
    uint64_t token;
    int timer;
};

/* Once, when the loop is there. */
void claim_init(struct relay *r);

/* A machine's proof is there, and its signatures are right. */
void claim_judge(struct conn *c, const msg_proof *proof);

/* A machine's link answered a Ping; sent a Heartbeat; or any connection is
 * over, or closing. */
void claim_pong(struct conn *c, const msg_ping *pong);
void claim_beat(struct conn *c);
void claim_lost(struct conn *c);

/* A machine that is not active any more loses its link, and is told why. */
void claim_shut_out(struct machine *m);

#endif
