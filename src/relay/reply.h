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

typedef void reply_fn(struct conn *c, const msg_open *open,
                      const msg_rpc_open *p);

/* Take the question, to be answered later. The pool is the context of what is
 * asked then, and the reference its tag. 0: it was rejected. */
rpc_ref reply_later(struct conn *c, const msg_open *open);

/* Ask the store for it; when that cannot be, the asker is told. */
void reply_ask(struct conn *c, rpc_ref ref, struct store_ask *q);

/* The store could not do it; or it did, or says why it did not, where
 * `unknown` is what happened to a thing that is not there. Nothing is told
 * besides. */
void reply_fault(struct rpcs *r, rpc_ref ref, int err);
void reply_outcome(struct rpcs *r, rpc_ref ref, const struct store_answer *a,
                   const char *unknown);

/* The same as the answer to a store_ask whose outcome is all. */
void reply_done(void *ctx, uint32_t tag, const struct store_answer *a);

/* Who asks, for the store's record. */
struct store_actor reply_actor(const struct conn *c);

/* The Call in a question. OK; or the asker was told that it does not parse. */
int reply_call(struct conn *c, const msg_open *open, const msg_rpc_open *p,
               msg_call *out);

/* Reject the Open with what may() said. */
void reply_no(struct conn *c, const msg_open *open, int err,
              const struct may_no *no);

/* ---- the methods, by file --------------------------------------------------- */

/* reply_auth.c */
reply_fn reply_auth_device, reply_auth_token, reply_auth_revoke;
reply_fn reply_auth_whoami;

/* reply_account.c */
reply_fn reply_tokens_list, reply_tokens_revoke;
reply_fn reply_fleets_list, reply_fleets_use;

/* reply_machine.c */
reply_fn reply_machines_list, reply_machines_rename;
reply_fn reply_machines_disable, reply_machines_enable;
reply_fn reply_machines_approve, reply_machines_reset;

/* reply_joinkeys.c */
reply_fn reply_joinkeys_make;

#endif
