/* An operator's connection; see client.h. */
#include "core/client.h"

#include <string.h>

#include "base/err.h"
#include "core/cmd.h"
#include "core/facts.h"
#include "core/joinstr.h"
#include "crypto/ct.h"

#define AGAIN_MIN_MS   50
#define AGAIN_MAX_MS   2000
#define LOCAL_AGAIN_MS 100
#define ROWS_MAX       64
#define TIMERS_MAX     64

/* The relay must hear us; and whoever can move to another link wants to know
 * of an answer as well. */
static void on_ping(void *ctx, uint64_t now_ms)
{
    struct client *c = ctx;
    msg_ping ping = {.token = now_ms};
    if (!uplink_is_up(&c->uplink))
        return;
    if (c->ops->doubt != NULL)
        uplink_doubt(&c->uplink, now_ms);
    else
        (void)link_send(uplink_link(&c->uplink), MSG_PING,
                        cmdop_agent_v1_Ping_fields, &ping);
    loop_arm(&c->loop, c->ping, now_ms + HEARTBEAT_MS);
}

/* ---- with a token, or as a guest, to get one ------------------------------------------ */

#define RENEW_LATER_MS 30000        /* a link in use renews no sooner */
#define RENEW_LOOK_MS  (30 * 60000) /* nor looks later */

static void enter_guest(struct client *c, bool guest)
{
    c->guest = guest;
    c->credential.token = guest ? NULL : c->server.token;
}

/* As whom the next link is asked for. */
static void choose_face(struct client *c)
{
    enter_guest(c, c->guest_only || c->expired ||
                       renew_due(&c->server, port_wall_ms()));
}

/* The wall's clock may jump, and a machine may sleep. */
static void arm_renewing(struct client *c)
{
    int64_t left =
        c->server.token_expires_ms - RENEW_BEFORE_MS - port_wall_ms();
    if (!renew_can(&c->server) || c->server.token_expires_ms == 0)
        return;
    if (left > RENEW_LOOK_MS)
        left = RENEW_LOOK_MS;
    if (left < RENEW_LATER_MS)
        left = RENEW_LATER_MS;
    loop_arm(&c->loop, c->renewing, loop_now(&c->loop) + (uint64_t)left);
}

static void on_renewed_in_use(void *ctx, enum renew_end end, const char *why)
{
    struct client *c = ctx;
    (void)why; /* if it matters, the next link finds out */
    if (end == RENEW_FRESH)
        arm_renewing(c);
    else if (end == RENEW_FAILED)
        loop_arm(&c->loop, c->renewing, loop_now(&c->loop) + RENEW_LATER_MS);
}

static void on_renewing(void *ctx, uint64_t now_ms)
{
    struct client *c = ctx;
    (void)now_ms;
    if (c->done || c->guest || c->renew.active || !uplink_is_up(&c->uplink))
        return;
    if (renew_due(&c->server, port_wall_ms()))
        renew_start(&c->renew, uplink_mux(&c->uplink), on_renewed_in_use, c);
    else
        arm_renewing(c);
}

/* The guest's link has served; it goes in a step of its own. */
static void on_renewed(void *ctx, enum renew_end end, const char *why)
{
    struct client *c = ctx;
    c->renewal = end;
    STR_COPY(c->why, why);
    loop_arm(&c->loop, c->settled, loop_now(&c->loop));
}

static void on_settled(void *ctx, uint64_t now_ms)
{
    struct client *c = ctx;
    (void)now_ms;
    if (c->done)
        return;
    uplink_drop(&c->uplink);
    if (!c->guest || c->renewal == RENEW_FRESH) {
        /* Whatever our clock says of a fresh token: it is tried. */
        enter_guest(c, !c->guest);
        c->expired = c->guest;
        c->renewed = true;
        uplink_connect(&c->uplink);
        return;
    }
    if (c->renewal == RENEW_REFUSED)
        c->refused = cmdop_agent_v1_Code_CODE_AUTH;
    c->ops->down(c->ctx, c->why, c->renewal == RENEW_REFUSED);
}

/* The relay takes our token no more: may another one help? */
static bool is_expired(const struct client *c)
{
    return !c->local && !c->guest && !c->renewed &&
           c->refused == cmdop_agent_v1_Code_CODE_AUTH && renew_can(&c->server);
}

int client_down_status(const struct client *c)
{
    return c->refused == cmdop_agent_v1_Code_CODE_UNSPECIFIED
               ? CMD_TRANSPORT
               : client_status(c->refused);
}

/* ---- the link --------------------------------------------------------------------------- */

static void on_up(void *ctx, const msg_welcome *w)
{
    struct client *c = ctx;
    (void)w;
    if (!c->local && c->credential.pin == NULL) { /* from now on only this */
        memcpy(c->server.pin, uplink_link(&c->uplink)->relay_key,
               sizeof(c->server.pin));
        c->credential.pin = c->server.pin;
    }
    renew_stop(&c->renew);
    c->retry_after_ms = 0;
    c->refused = cmdop_agent_v1_Code_CODE_UNSPECIFIED;
    if (!c->local) /* nothing lies between that might forget us */
        loop_arm(&c->loop, c->ping, loop_now(&c->loop) + HEARTBEAT_MS);
    if (!c->local && !tls_resumed(&uplink_link(&c->uplink)->wire.tls))
        ticket_save(c->paths.runtime, c->server.pin, &c->uplink.ticket);
    if (c->guest && !c->guest_only) {
        renew_start(&c->renew, uplink_mux(&c->uplink), on_renewed, c);
        return;
    }
    c->renewed = false;
    if (!c->local && !c->guest)
        arm_renewing(c);
    c->ops->up(c->ctx);
}

static void on_refused(void *ctx, const msg_refuse *r)
{
    struct client *c = ctx;
    c->retry_after_ms = r->retry_after_ms;
    c->refused = r->code;
    if (!uplink_is_up(&c->uplink) || !is_expired(c))
        return;
    /* It was to replace a link that gives no answer: both go. */
    loop_arm(&c->loop, c->settled, loop_now(&c->loop));
}

static void on_drain(void *ctx, const msg_drain *d)
{
    struct client *c = ctx;
    c->retry_after_ms = d->reconnect_after_ms;
}

static void on_doubt(void *ctx, bool yes)
{
    struct client *c = ctx;
    if (c->ops->doubt != NULL)
        c->ops->doubt(c->ctx, yes);
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct client *c = ctx;
    (void)params;
    (void)mux_reject(uplink_mux(&c->uplink), open->channel,
                     cmdop_agent_v1_Code_CODE_UNSUPPORTED,
                     "an operator offers no channels", "");
}

static void on_down(void *ctx, const char *why, bool fatal)
{
    struct client *c = ctx;
    renew_stop(&c->renew);
    loop_disarm(&c->loop, c->settled);
    if (fatal && is_expired(c) && !c->done) {
        c->expired = c->renewed = true;
        choose_face(c);
        uplink_again(&c->uplink, 0);
        return;
    }
    STR_COPY(c->why, why);
    c->ops->down(c->ctx, c->why, fatal);
}

static const struct uplink_ops uplink_ops = {
    .up = on_up,
    .down = on_down,
    .refused = on_refused,
    .drain = on_drain,
    .open = on_open,
    .doubt = on_doubt,
};

static void connect_local(struct client *c)
{
    char path[PATH_CAP];
    int handle = paths_join(path, c->paths.runtime, "agent.sock");
    if (handle == OK)
        handle = port_local_dial(path);
    if (handle == ERR_NOT_FOUND || handle == ERR_REFUSED) {
        on_down(c,
                "no agent runs on this machine; start it with `cmdop agent "
                "start`",
                true);
        return;
    }
    int err = handle < 0 ? handle : uplink_local(&c->uplink, handle);
    if (err != OK)
        on_down(c, handle < 0 ? port_why() : err_str(err), true);
}

void client_connect(struct client *c)
{
    if (c->local) {
        connect_local(c);
        return;
    }
    choose_face(c);
    uplink_connect(&c->uplink);
}

void client_again(struct client *c)
{
    if (!c->local)
        choose_face(c);
    if (!c->local)
        uplink_again(&c->uplink, c->retry_after_ms);
    else
        loop_arm(&c->loop, c->local_again, loop_now(&c->loop) + LOCAL_AGAIN_MS);
}

static void on_local_again(void *ctx, uint64_t now_ms)
{
    (void)now_ms;
    connect_local(ctx);
}

/* ---- where to ----------------------------------------------------------------------------- */

void client_note_keys(void)
{
    static const char *const names[] = {"CMDOP_API_KEY", "CMDOP_TOKEN"};
    static bool said;
    char value[8192];
    for (size_t i = 0; i < 2 && !said; i++) {
        said = port_env(names[i], value, sizeof(value)) && value[0] != '\0';
        if (said)
            cmd_say(names[i],
                    " is set, and this tool does not use it: API keys are "
                    "for SDKs; people sign in with `cmdop login`",
                    NULL);
    }
    ct_wipe(SPAN_ARRAY(value));
}

static const struct credential *of_fleet(const struct credentials *all,
                                         const char *fleet)
{
    const struct credential *found = credential_current(all);
    size_t i = all->count;
    if (found != NULL && (strcmp(found->fleet, fleet) == 0 ||
                          strcmp(found->fleet_id, fleet) == 0))
        return found;
    for (found = NULL; i > 0 && found == NULL; i--)
        if (strcmp(all->server[i - 1].fleet, fleet) == 0 ||
            strcmp(all->server[i - 1].fleet_id, fleet) == 0)
            found = &all->server[i - 1];
    return found;
}

static bool is_of(const struct credential *s, const char *fleet)
{
    return fleet == NULL || strcmp(s->fleet, fleet) == 0 ||
           strcmp(s->fleet_id, fleet) == 0;
}

static const struct credential *choose(const struct credentials *all,
                                       const struct where *w)
{
    if (w->server != NULL)
        return credential_find(all, w->server);
    return w->workspace != NULL ? of_fleet(all, w->workspace)
                                : credential_current(all);
}

static void say_not_signed_in(const struct where *w, const struct credential *s,
                              struct text *why)
{
    if (s != NULL && !is_of(s, w->workspace))
        text_join(why, "the sign-in at ", s->name, " is for the fleet ",
                  s->fleet[0] != '\0' ? s->fleet : "that it was made for",
                  "; `cmdop fleet use ", w->workspace, "` changes that", NULL);
    else if (w->workspace != NULL && w->server == NULL)
        text_join(why, "no sign-in is for the fleet ", w->workspace,
                  "; `cmdop auth list` shows them, `cmdop fleet use ",
                  w->workspace, "` changes the current one", NULL);
    else if (w->server != NULL && s == NULL)
        text_join(why, "no sign-in is called ", w->server,
                  "; `cmdop auth list` shows them, `cmdop login` adds one",
                  NULL);
    else
        text_str(why, "not signed in to a relay on this machine; run: cmdop "
                      "login");
}

const struct credential *client_server(const struct paths *p,
                                       const struct where *where,
                                       struct credentials *all,
                                       struct text *why)
{
    if (credential_load(p, all, why) != OK)
        return NULL;
    const struct credential *s = choose(all, where);
    if (s != NULL && s->token[0] != '\0' && is_of(s, where->workspace))
        return s;
    say_not_signed_in(where, s, why);
    credential_wipe(all);
    return NULL;
}

static int use_server(struct client *c, const struct credential *s,
                      struct text *why)
{
    c->server = *s;
    c->uplink.has_ticket =
        ticket_load(c->paths.runtime, c->server.pin, &c->uplink.ticket) == OK;
    return joinstr_address(view_str(c->server.address), c->host, &c->port, why);
}

static int set_up(struct client *c, struct arena *a, const char *version,
                  const struct credentials *all)
{
    if (h2_prepare() != OK)
        return ERR_LIMIT;
    facts_hello(&c->hello, cmdop_agent_v1_Role_ROLE_OPERATOR, version);
    c->credential =
        (struct link_credential){.hello = &c->hello, .entropy = port_entropy};
    if (!c->local) {
        c->credential.pin = c->server.pin;
        c->credential.token = c->guest_only ? NULL : c->server.token;
    }
    loop_init(&c->loop, a, ROWS_MAX, TIMERS_MAX);
    c->scratch = arena_span(a, PEER_SCRATCH_BYTES);
    c->ping = loop_timer_add(&c->loop, on_ping, c);
    c->local_again = loop_timer_add(&c->loop, on_local_again, c);
    c->renewing = loop_timer_add(&c->loop, on_renewing, c);
    c->settled = loop_timer_add(&c->loop, on_settled, c);
    int err = renew_init(&c->renew, &c->loop, &c->paths, &c->server, all,
                         arena_span(a, QUESTION_RING));
    if (err != OK)
        return err;
    struct uplink_cfg cfg = {.host = c->host,
                             .port = c->port,
                             .local = c->local,
                             .credential = &c->credential,
                             .min_ms = AGAIN_MIN_MS,
                             .max_ms = AGAIN_MAX_MS};
    return uplink_init(&c->uplink, &c->loop, a, c->scratch, &cfg, &uplink_ops,
                       c);
}

static void begin(struct client *c, const struct client_ops *ops, void *ctx)
{
    memset(c, 0, sizeof(*c));
    c->ops = ops;
    c->ctx = ctx;
    STR_COPY(c->host, "localhost");
}

int client_init(struct client *c, struct arena *a, const char *version,
                const struct where *where, const struct client_ops *ops,
                void *ctx, struct text *why)
{
    static struct credentials all;
    const struct credential *s = NULL;
    begin(c, ops, ctx);
    c->local = where->local;
    int err = paths_find(&c->paths, why);
    if (err == OK && !c->local) {
        client_note_keys();
        s = client_server(&c->paths, where, &all, why);
        err = s == NULL ? ERR_NOT_FOUND : use_server(c, s, why);
    }
    if (err == OK)
        err = set_up(c, a, version, &all);
    credential_wipe(&all);
    return err;
}

int client_init_guest(struct client *c, struct arena *a, const char *version,
                      const struct credential *at, const struct client_ops *ops,
                      void *ctx, struct text *why)
{
    begin(c, ops, ctx);
    c->guest = c->guest_only = true;
    int err = paths_find(&c->paths, why);
    if (err == OK)
        err = use_server(c, at, why);
    return err == OK ? set_up(c, a, version, NULL) : err;
}

void client_trust(struct client *c, const struct trust *trust)
{
    c->credential.pin = NULL;
    c->uplink.trust = trust;
    c->uplink.has_ticket = false;
}

struct mux *client_mux(struct client *c)
{
    return uplink_mux(&c->uplink);
}

int client_run(struct client *c)
{
    while (!c->done || uplink_busy(&c->uplink))
        if (loop_turn(&c->loop) != OK)
            port_fatal(port_why());
    return c->status;
}

void client_leave(struct client *c, int status)
{
    if (!c->done)
        c->status = status;
    c->done = true;
    loop_disarm(&c->loop, c->local_again);
    loop_disarm(&c->loop, c->settled);
    renew_stop(&c->renew);
    uplink_end(&c->uplink);
}

int client_status(msg_code code)
{
    switch (code) {
    case cmdop_agent_v1_Code_CODE_DENIED:
    case cmdop_agent_v1_Code_CODE_PIN:
    case cmdop_agent_v1_Code_CODE_PENDING:
    case cmdop_agent_v1_Code_CODE_AUTH: return CMD_DENIED;
    case cmdop_agent_v1_Code_CODE_TIMEOUT: return CMD_TIMEOUT;
    case cmdop_agent_v1_Code_CODE_CANNOT_RUN: return CMD_CANNOT_RUN;
    case cmdop_agent_v1_Code_CODE_NO_PROGRAM: return CMD_NO_PROGRAM;
    case cmdop_agent_v1_Code_CODE_UNSPECIFIED:
    case cmdop_agent_v1_Code_CODE_PROTOCOL:
    case cmdop_agent_v1_Code_CODE_VERSION:
    case cmdop_agent_v1_Code_CODE_NOT_FOUND:
    case cmdop_agent_v1_Code_CODE_AMBIGUOUS:
    case cmdop_agent_v1_Code_CODE_OFFLINE:
    case cmdop_agent_v1_Code_CODE_LIMIT:
    case cmdop_agent_v1_Code_CODE_UNSUPPORTED:
    case cmdop_agent_v1_Code_CODE_CONFLICT:
    case cmdop_agent_v1_Code_CODE_INTERNAL:
    case cmdop_agent_v1_Code_CODE_LOST: break;
    }
    return CMD_TRANSPORT;
}

/* ---- one question ------------------------------------------------------------------------ */

struct asking {
    struct client client;
    struct question question;
    struct span buf;
    const struct client_question *asked;
};

static void fail(struct asking *a, int status, const char *message,
                 const char *remedy)
{
    if (!a->asked->quiet && !a->client.done)
        cmd_say(message, remedy[0] != '\0' ? "; " : "", remedy, NULL);
    client_leave(&a->client, status);
}

static void on_record(void *ctx, struct view record)
{
    struct asking *a = ctx;
    a->asked->record(a->asked->ctx, record);
}

static void on_done(void *ctx, const question_failure *why)
{
    struct asking *a = ctx;
    if (why == NULL)
        client_leave(&a->client, CMD_OK);
    else if (why->code != cmdop_agent_v1_Code_CODE_LOST)
        fail(a, client_status(why->code), why->message, why->remedy);
    /* else `down` tells why */
}

static void ask_up(void *ctx)
{
    struct asking *a = ctx;
    const struct client_question *q = a->asked;
    if (question_send(&a->question, client_mux(&a->client), a->buf, "",
                      q->method, q->request) != OK)
        fail(a, CMD_TRANSPORT, "the request does not fit the connection", "");
}

static void ask_down(void *ctx, const char *why, bool fatal)
{
    struct asking *a = ctx;
    (void)fatal;
    fail(a, client_down_status(&a->client), why, "");
}

static const struct client_ops ask_client_ops = {.up = ask_up,
                                                 .down = ask_down};

int client_ask(const struct client_question *q)
{
    static struct asking a;
    char buf[512];
    struct arena arena;
    struct text why;
    TEXT_OF(&why, buf);
    arena_init(&arena, port_memory(CLIENT_BYTES + QUESTION_RING));
    a.asked = q;
    int err = client_init(&a.client, &arena, q->version, &q->where,
                          &ask_client_ops, &a, &why);
    if (err != OK) {
        if (!q->quiet)
            cmd_say(buf, NULL);
        return CMD_TRANSPORT;
    }
    a.question =
        (struct question){.record = on_record, .done = on_done, .ctx = &a};
    a.buf = arena_span(&arena, QUESTION_RING);
    client_connect(&a.client);
    return client_run(&a.client);
}
