/*
 * What people change of their own account, whichever face they use: name and
 * address. And the question before it: what could take the account away from
 * its owner asks for the password again, so that a browser that somebody left
 * open, or a token that somebody found, is not enough.
 */
#ifndef RELAY_OWN_H
#define RELAY_OWN_H

#include "relay/call.h"

/* Where it goes on, and the field of the body that has the password. */
struct own {
    const char *field;
    call_fn *right; /* with the account in c->account */
    call_fn *wrong;
};

/* Ask for the password of who calls. Failures count as those of a sign-in
 * do; who must wait, and who has none, is told here. `o` lives for ever. */
void own_ask(struct call *c, const struct own *o);

/* What of name and address the body changes. NULL; or what is wrong with it,
 * for people. */
const char *own_read(struct call *c, struct store_person_set *out);

/* Change what own_read finds, which was asked before; `next` has the store's
 * answer, of which CONFLICT counts as a failure: nobody shall find out by
 * many tries who is here. */
void own_set(struct call *c, call_next *next);

#endif
