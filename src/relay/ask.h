/* Questions to the store from inside the loop: queued now, done at the end of
 * the turn together. And once an hour: forget what is over. */
#ifndef RELAY_ASK_H
#define RELAY_ASK_H

#include "relay/relay.h"

/* Once, when the loop is there. */
void ask_init(struct relay *r);

/* See store_ask. */
int ask(struct relay *r, const struct store_ask *q);

/* Remember when a machine was seen, and what it said of itself. */
void ask_seen(struct relay *r, const struct machine *m);

#endif
