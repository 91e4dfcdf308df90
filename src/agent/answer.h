/* Questions to this machine: the methods of kind RPC. */
#ifndef AGENT_ANSWER_H
#define AGENT_ANSWER_H

#include "agent/app.h"

/* `local`: see offer.h. */
void answer(struct app *app, struct mux *m, const msg_open *open,
            struct view params, bool local);

#endif
