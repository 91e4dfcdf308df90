/* What can be asked of this machine; see offer.h. */
#include "agent/offer.h"

#include "agent/answer.h"

void offer_channel(struct app *app, struct mux *m, const msg_open *open,
                   struct view params, bool local)
{
    /* Of questions some must be answered without it: see answer.c. */
    if (!local && open->kind != cmdop_agent_v1_Kind_KIND_RPC &&
        !guard_lets_in(app, m, open, params))
        return;
    switch (open->kind) {
    case cmdop_agent_v1_Kind_KIND_PTY:
        session_open(&app->sessions, m, open, params);
        return;
    case cmdop_agent_v1_Kind_KIND_EXEC:
        exec_open(&app->jobs, m, open, params);
        return;
    case cmdop_agent_v1_Kind_KIND_RPC:
        answer(app, m, open, params, local);
        return;
    case cmdop_agent_v1_Kind_KIND_UNSPECIFIED:
    case cmdop_agent_v1_Kind_KIND_FILE:
    case cmdop_agent_v1_Kind_KIND_TCP:
    case cmdop_agent_v1_Kind_KIND_ASK: break;
    }
    (void)mux_reject(m, open->channel, cmdop_agent_v1_Code_CODE_UNSUPPORTED,
                     "this agent does not offer that kind of channel",
                     "update cmdop on the machine");
}

void offer_gone(struct app *app, const struct mux *m, uint32_t number,
                const msg_close *end)
{
    sessions_gone(&app->sessions, m, number);
    jobs_gone(&app->jobs, m, number, end);
    guard_gone(app, m, number);
}

void offer_lost(struct app *app, const struct mux *m)
{
    offer_gone(app, m, 0, NULL);
}
