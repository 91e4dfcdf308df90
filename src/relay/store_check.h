/*
 * The door of the store: what an input must look like before it is queued,
 * and what is made clean on the way. Private to store*.c.
 */
#ifndef RELAY_STORE_CHECK_H
#define RELAY_STORE_CHECK_H

#include "relay/store.h"

/* Does the question keep the rules of its header? A question without rules
 * is refused. */
bool store_check(const struct store_ask *q);

/* What machines and clients say of themselves is made safe and cut to its
 * field; logins and addresses lose their capital ASCII letters. */
void store_clean(struct store_ask *q);

/* May this be a login: 1 to 63 printable ASCII characters, no blank. */
bool store_is_login(struct view v);

#endif
