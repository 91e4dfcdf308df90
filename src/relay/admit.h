/*
 * Who comes in: a proof is looked up in the store, and the answer becomes a
 * welcome or a refusal with its remedy.
 */
#ifndef RELAY_ADMIT_H
#define RELAY_ADMIT_H

#include "relay/relay.h"

/* The connection's proof is there, and a machine's signature is right. */
void admit_judge(struct conn *c, const msg_proof *proof);

/* The store could not be asked, or could not do it: refuse. */
void admit_fault(struct conn *c, int err);

#endif
