/*
 * Who this agent is to its relay: which holder of the machine's key, and which
 * key comes next. Fills in the credential, learns from each Welcome, and
 * writes down what must not be forgotten: the lease before the first Heartbeat
 * (core/lease.h), the new key once the relay has said yes (core/identity.h).
 */
#ifndef AGENT_HOLDER_H
#define AGENT_HOLDER_H

#include "core/identity.h"
#include "core/lease.h"
#include "core/link.h"
#include "core/paths.h"

struct holder {
    const struct paths *paths;
    struct identity *identity;
    struct link_credential *credential;
    struct lease lease;
    uint8_t instance[LEASE_INSTANCE_LEN];
    bool unread;          /* the lease on disk could not be read so far */
    uint64_t given;       /* by the last Welcome, to be kept; 0: nothing */
    uint32_t key_version; /* as the relay says; 0: it does not */
    bool accepted;        /* the relay knows the next key, we must take it */
};

/* Everything pointed to lives as long as it does. Draws the instance. */
void holder_init(struct holder *h, const struct paths *paths,
                 struct identity *identity, struct link_credential *credential,
                 const uint8_t relay[LEASE_RELAY_LEN]);

/*
 * Is everything known that a relay must be shown? Before the first attempt to
 * connect, and again some time later when it says no, with a sentence: whoever
 * shows no lease although he has one is taken for a copy. A damaged one is
 * logged and counts as none.
 */
bool holder_ready(struct holder *h, struct text *why);

/* We are in, by this link. Call holder_settle next. */
void holder_welcomed(struct holder *h, const struct link *l,
                     const msg_welcome *w);

/*
 * Write what is still to be written. False, with a sentence: the lease is not
 * kept, so no Heartbeat may be sent yet; call it again some time later.
 */
bool holder_settle(struct holder *h, struct text *why);

/* The relay refused us. A new key that it cannot take must not keep the
 * machine away: the next attempt is made without it, then with it again. */
void holder_refused(struct holder *h, msg_code code);

/* Make a key that shall replace this one, unless there is one, and show it
 * from now on. OK, or an error with a sentence. */
int holder_rotate(struct holder *h, struct text *why);

#endif
