/* What can be asked of this machine, through the relay or locally. */
#ifndef AGENT_OFFER_H
#define AGENT_OFFER_H

#include "agent/app.h"

/* Answer an Open on this link: accept it there, or reject it. */
void offer_channel(struct app *app, struct mux *m, const msg_open *open,
                   struct view params);

#endif
