/*
 * Two things that must not depend on the value of a secret or on the mood of
 * the optimiser: wiping and comparing.
 */
#ifndef CRYPTO_CT_H
#define CRYPTO_CT_H

#include "base/bytes.h"

/* Overwrite with zeros, in a way the compiler may not leave out. An empty
 * span is fine. */
void ct_wipe(struct span secret);

/*
 * Are two values equal? The time depends on the lengths only, which are taken
 * as public: different lengths answer false at once.
 */
bool ct_eq(struct view a, struct view b);

#endif
