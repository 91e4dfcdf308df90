/* What can be asked of this machine, through the relay or locally. */
#ifndef AGENT_OFFER_H
#define AGENT_OFFER_H

#include "agent/app.h"

/* Answer an Open on this link: accept it there, or reject it. `local`: the
 * kernel says that it comes from the agent's own user, who needs no attach
 * password. */
void offer_channel(struct app *app, struct mux *m, const msg_open *open,
                   struct view params, bool local);

/* An Open that was not answered yet is taken back; or all, with the link. */
void offer_gone(struct app *app, const struct mux *m, uint32_t number,
                const msg_close *end);
void offer_lost(struct app *app, const struct mux *m);

#endif
