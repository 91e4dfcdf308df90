/*
 * What a connection may open: questions to the relay, channels to a machine
 * that its fleet sees. Every Open is one operation of relay/may.h. What goes
 * to a machine is stamped with the origin that the relay itself knows; what
 * the peer wrote there is dropped.
 *
 * Of what an Open carries the relay reads one thing, the name of a question
 * (decision 0016): who may only look may ask for a machine's status.
 */
#ifndef RELAY_OFFER_H
#define RELAY_OFFER_H

#include "relay/relay.h"

void offer_open(struct conn *c, const msg_open *open, struct view params);

/* An Open waited for its machine, which is here now: route_may. */
bool offer_again(struct mux *op, msg_open *open, struct view params,
                 struct route_no *no);

/* May this caller know of the machine? A registry_shown; ctx is the conn. */
bool offer_shown(void *ctx, const struct machine *m);

/* What held when he was let in must hold at every Open. OK, or ERR_AUTH. */
int offer_signed_in(const struct conn *c, struct may_no *no);

/*
 * The machine that `target` names, if this caller may do this to it. NULL: he
 * was told why not.
 */
struct machine *offer_machine(struct conn *c, const msg_open *open,
                              enum may_op op, const char *target);

/* What a caller may do with a machine. */
enum may_access offer_access(const struct conn *c, const struct machine *m);

/* The operation that a channel to a machine is; MAY_NOTHING for kinds that
 * are none. */
enum may_op offer_op(const msg_open *open, struct view params);

/* may() said no: the code for it. */
msg_code offer_code(int err);

#endif
