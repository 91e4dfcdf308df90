/* Questions to this machine; see answer.h. */
#include "agent/answer.h"

#include "agent/local.h"
#include "base/err.h"

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
    if (app->identity.has_next)
        STR_COPY(s.next_fingerprint, app->identity.next_fingerprint);
    s.key_version = app->holder.key_version;
    s.epoch = app->holder.lease.epoch;
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

/* ---- jobs --------------------------------------------------------------------- */

static int job_record(void *ctx, const char *of, uint32_t at, struct span out)
{
    struct app *app = ctx;
    msg_job_info info;
    (void)of;
    if (at >= JOBS_MAX)
        return 0;
    if (!job_at(&app->jobs, at, &info))
        return ERR_NOT_FOUND;
    STR_COPY(info.machine_id, app->file.machine_id);
    STR_COPY(info.machine, app->file.name);
    return rpc_encode(out, cmdop_agent_v1_JobInfo_fields, &info);
}

static void reject(struct mux *m, const msg_open *open, msg_code code,
                   const char *message, const char *remedy)
{
    (void)mux_reject(m, open->channel, code, message, remedy);
}

static void list_jobs(struct app *app, struct mux *m, const msg_open *open,
                      const msg_call *call)
{
    (void)call;
    rpc_answer(&app->rpcs, m, open, "", job_record, app);
}

/* Which one is meant; NULL: there is none, and the asker was told. */
static struct job *find_job(struct app *app, struct mux *m,
                            const msg_open *open, const msg_call *call)
{
    struct job *t = job_find(&app->jobs, call->id);
    if (t == NULL)
        reject(m, open, cmdop_agent_v1_Code_CODE_NOT_FOUND,
               "there is no such command on the machine",
               "`cmdop job list` shows those that are there");
    return t;
}

static void signal_job(struct app *app, struct mux *m, const msg_open *open,
                       const msg_call *call)
{
    struct job *t = find_job(app, m, open, call);
    if (t == NULL)
        return;
    if (job_is_over(t)) {
        reject(m, open, cmdop_agent_v1_Code_CODE_CONFLICT,
               "the command has ended already", "");
        return;
    }
    if (!port_signal_known(call->signal)) {
        reject(m, open, cmdop_agent_v1_Code_CODE_PROTOCOL,
               "there is no such signal", "HUP, INT, TERM, KILL and so on");
        return;
    }
    job_signal(t, call->signal);
    rpc_done(&app->rpcs, m, open);
}

static void remove_job(struct app *app, struct mux *m, const msg_open *open,
                       const msg_call *call)
{
    struct job *t = find_job(app, m, open, call);
    if (t == NULL)
        return;
    if (job_remove(t, call->force) == OK)
        rpc_done(&app->rpcs, m, open);
    else
        reject(m, open, cmdop_agent_v1_Code_CODE_CONFLICT,
               "the command runs, or somebody looks at it",
               "wait for its end, or end it with --force");
}

/* ---- sessions ------------------------------------------------------------------ */

static int session_record_of(void *ctx, const char *of, uint32_t at,
                             struct span out)
{
    struct app *app = ctx;
    msg_session_info info;
    (void)of;
    if (at >= SESSIONS_MAX)
        return 0;
    if (!session_at(&app->sessions, at, &info))
        return ERR_NOT_FOUND;
    STR_COPY(info.machine_id, app->file.machine_id);
    STR_COPY(info.machine, app->file.name);
    return rpc_encode(out, cmdop_agent_v1_SessionInfo_fields, &info);
}

static void list_sessions(struct app *app, struct mux *m, const msg_open *open,
                          const msg_call *call)
{
    (void)call;
    rpc_answer(&app->rpcs, m, open, "", session_record_of, app);
}

/* Do something to the one that is meant. */
static void order_session(struct app *app, struct mux *m, const msg_open *open,
                          const msg_call *call,
                          void (*order)(struct session *t))
{
    struct session *t = session_find(&app->sessions, call->id);
    if (t == NULL) {
        reject(m, open, cmdop_agent_v1_Code_CODE_NOT_FOUND,
               "there is no such session on the machine",
               "`cmdop session list` shows those that are there");
        return;
    }
    order(t);
    rpc_done(&app->rpcs, m, open);
}

static void detach_session(struct app *app, struct mux *m, const msg_open *open,
                           const msg_call *call)
{
    order_session(app, m, open, call, session_detach);
}

static void destroy_session(struct app *app, struct mux *m,
                            const msg_open *open, const msg_call *call)
{
    order_session(app, m, open, call, session_destroy);
}

/* ---- all ------------------------------------------------------------------------ */

static void tell_status(struct app *app, struct mux *m, const msg_open *open,
                        const msg_call *call)
{
    (void)call;
    rpc_answer(&app->rpcs, m, open, "", status_record, app);
}

/* Of this machine's own user alone. The new key is shown to the relay at once,
 * on a second link; whoever asked looks at the identity for the outcome. */
static void rotate_identity(struct app *app, struct mux *m,
                            const msg_open *open, const msg_call *call)
{
    char buf[240];
    struct text why;
    TEXT_OF(&why, buf);
    if (!local_owns(app, m)) {
        reject(m, open, cmdop_agent_v1_Code_CODE_DENIED,
               "a machine's key is changed on the machine itself",
               "run `cmdop identity rotate` there");
        return;
    }
    if (holder_rotate(&app->holder, &why) != OK) {
        reject(m, open, cmdop_agent_v1_Code_CODE_INTERNAL, buf, "");
        return;
    }
    uplink_renew(&app->relay);
    tell_status(app, m, open, call);
}

/* ---- the attach password --------------------------------------------------------- */

static void tell_key(struct app *app, struct mux *m, const msg_open *open,
                     const msg_call *call)
{
    guard_key(app, m, open, call);
}

#define NO_ORDER cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNSPECIFIED

/* What comes without being let in. The orders prove it by what they hold. */
enum entry { ENTRY_LOCKED, ENTRY_FREE, ENTRY_ORDER };

static const struct {
    const char *name;
    void (*answer)(struct app *app, struct mux *m, const msg_open *open,
                   const msg_call *call);
    enum entry entry;
    msg_password_order order;
} methods[] = {
    {"sessions.list", list_sessions, ENTRY_LOCKED, NO_ORDER},
    {"sessions.detach", detach_session, ENTRY_LOCKED, NO_ORDER},
    {"sessions.destroy", destroy_session, ENTRY_LOCKED, NO_ORDER},
    {"agent.status", tell_status, ENTRY_FREE, NO_ORDER},
    {"identity.rotate", rotate_identity, ENTRY_LOCKED, NO_ORDER},
    {"jobs.list", list_jobs, ENTRY_LOCKED, NO_ORDER},
    {"jobs.signal", signal_job, ENTRY_LOCKED, NO_ORDER},
    {"jobs.remove", remove_job, ENTRY_LOCKED, NO_ORDER},
    {"password.key", tell_key, ENTRY_FREE, NO_ORDER},
    {"password.unlock", NULL, ENTRY_ORDER,
     cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNLOCK},
    {"password.set", NULL, ENTRY_ORDER,
     cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_SET},
    {"password.clear", NULL, ENTRY_ORDER,
     cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_CLEAR},
    {"password.revoke", NULL, ENTRY_ORDER,
     cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_REVOKE},
};

void answer(struct app *app, struct mux *m, const msg_open *open,
            struct view params, bool local)
{
    struct rpc_request ask;
    if (rpc_read(params, &ask) != OK) {
        reject(m, open, cmdop_agent_v1_Code_CODE_PROTOCOL,
               "the question does not parse", "");
        return;
    }
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (!view_is(view_str(ask.method), methods[i].name))
            continue;
        if (methods[i].entry == ENTRY_ORDER)
            guard_order(app, m, open, &ask.call, methods[i].order, local);
        else if (local || methods[i].entry == ENTRY_FREE ||
                 guard_lets_in(app, m, open, params))
            methods[i].answer(app, m, open, &ask.call);
        return;
    }
    reject(m, open, cmdop_agent_v1_Code_CODE_NOT_FOUND,
           "the machine knows no such method", "update cmdop on the machine");
}
