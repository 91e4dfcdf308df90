/* What can be asked of this machine; see offer.h. */
#include "agent/offer.h"

static int status_record(void *ctx, const char *of, uint32_t at,
                         struct span out)
{
    struct app *app = ctx;
    msg_agent_status s = cmdop_agent_v1_AgentStatus_init_zero;
    struct text t;
    (void)of;
    if (at > 0)
        return 0;
    s.pid = (uint32_t)port_pid();
    STR_COPY(s.version, app->version);
    STR_COPY(s.machine_id, app->file.machine_id);
    STR_COPY(s.name, app->file.name);
    port_hostname(s.hostname, sizeof(s.hostname));
    STR_COPY(s.fleet_id, app->file.fleet_id);
    STR_COPY(s.trouble, app->trouble);
    STR_COPY(s.fingerprint, app->identity.fingerprint);
    TEXT_OF(&t, s.relay);
    text_join(&t, app->file.host, ":", NULL);
    text_u64(&t, app->file.port);
    s.connected = app->connected;
    s.connected_ms = app->connected_ms;
    s.started_ms = app->started_ms;
    s.sessions = sessions_live(&app->sessions);
    s.jobs = jobs_live(&app->jobs);
    s.clock_ahead_ms = app->clock_ahead_ms;
    s.wakeups = app->wakeups;
    return rpc_encode(out, cmdop_agent_v1_AgentStatus_fields, &s);
}

static void on_rpc(struct app *app, struct mux *m, const msg_open *open,
                   struct view params)
{
    char method[40];
    rpc_method(params, method, sizeof(method));
    if (view_is(view_str(method), "agent.status"))
        rpc_answer(&app->rpcs, m, open, "", status_record, app);
    else
        (void)mux_reject(m, open->channel, cmdop_agent_v1_Code_CODE_NOT_FOUND,
                         "the machine knows no such method", "");
}

void offer_channel(struct app *app, struct mux *m, const msg_open *open,
                   struct view params)
{
    switch (open->kind) {
    case cmdop_agent_v1_Kind_KIND_PTY:
        session_open(&app->sessions, m, open, params);
        return;
    case cmdop_agent_v1_Kind_KIND_EXEC:
        exec_open(&app->jobs, m, open, params);
        return;
    case cmdop_agent_v1_Kind_KIND_RPC: on_rpc(app, m, open, params); return;
    case cmdop_agent_v1_Kind_KIND_UNSPECIFIED:
    case cmdop_agent_v1_Kind_KIND_FILE:
    case cmdop_agent_v1_Kind_KIND_TCP:
    case cmdop_agent_v1_Kind_KIND_ASK: break;
    }
    (void)mux_reject(m, open->channel, cmdop_agent_v1_Code_CODE_UNSUPPORTED,
                     "this agent does not offer that kind of channel",
                     "update cmdop on the machine");
}

void offer_gone(struct app *app, const struct mux *m, uint32_t number)
{
    sessions_gone(&app->sessions, m, number);
    jobs_gone(&app->jobs, m, number);
}

void offer_lost(struct app *app, const struct mux *m)
{
    offer_gone(app, m, 0);
}
