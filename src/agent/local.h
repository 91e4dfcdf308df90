/*
 * The local socket: the same protocol for programs of the same user on this
 * machine. The kernel says who they are; nothing else is asked.
 */
#ifndef AGENT_LOCAL_H
#define AGENT_LOCAL_H

#include "agent/app.h"

/* Listen in the runtime folder. A sentence in *why on failure. */
int local_listen(struct app *app, struct text *why);

/* Is this the channels of a connection on it? */
bool local_owns(const struct app *app, const struct mux *m);

#endif
