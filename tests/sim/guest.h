/*
 * A guest at the relay: an operator's program without a token, which does what
 * `cmdop login` never would.
 *
 *     cmdop guest stays          says nothing more
 *     cmdop guest takes          asks every ten seconds, and takes the answers
 *     cmdop guest keeps          asks once, and grants the answer no credit
 *     cmdop guest keeps takes    both of it, on one link
 *     cmdop guest takes late     the same, but keeps its second answer only
 *
 * It writes "in" when it was let in, and ends when its link does, with the
 * reason on standard error.
 */
#ifndef TESTS_SIM_GUEST_H
#define TESTS_SIM_GUEST_H

#include "core/cmd.h"

#define GUEST_ASKS_MS 10000

extern const struct cmd guest_cmd;

#endif
