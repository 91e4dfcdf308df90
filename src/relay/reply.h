/*
 * Questions to the relay itself: one table of methods, each an operation of
 * relay/may.h by the same name, so that no method can be asked by anybody
 * whom the table there does not name.
 */
#ifndef RELAY_REPLY_H
#define RELAY_REPLY_H

#include "relay/relay.h"

/* Answer an Open of kind rpc without a target; all but one's own sign-in is
 * in the fleet of the connection. */
void reply(struct conn *c, const msg_open *open, struct view params);

/* Every method has its operation. OK, or ERR_DAMAGED with its name in *name:
 * the relay must not start. */
int reply_check(const char **name);

/* Walk the methods: the name of number `n`, NULL at the end. */
const char *reply_method(size_t n);

/* ---- for the methods ------------------------------------------------------ */

/* Where answers to this connection have their places. */
struct rpcs *reply_rpcs(struct conn *c);

/* Who asks. */
struct may_caller reply_caller(const struct conn *c);

/* Reject the Open with what may() said. */
void reply_no(struct conn *c, const msg_open *open, int err,
              const struct may_no *no);

#endif
