/* An operator's connection; see client.h. */
#include "core/client.h"

#include <string.h>

#include "base/err.h"
#include "core/cmd.h"
#include "core/facts.h"
#include "core/joinstr.h"

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

static void on_up(void *ctx, const msg_welcome *w)
{
    struct client *c = ctx;
    (void)w;
    c->retry_after_ms = 0;
    if (!c->local) /* nothing lies between that might forget us */
        loop_arm(&c->loop, c->ping, loop_now(&c->loop) + HEARTBEAT_MS);
    if (!c->local && !tls_resumed(&uplink_link(&c->uplink)->wire.tls))
        ticket_save(c->paths.runtime, c->server.pin, &c->uplink.ticket);
    c->ops->up(c->ctx);
}

static void on_refused(void *ctx, const msg_refuse *r)
{
    struct client *c = ctx;
    c->retry_after_ms = r->retry_after_ms;
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
    if (c->local)
        connect_local(c);
    else
        uplink_connect(&c->uplink);
}

void client_again(struct client *c)
{
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

static int choose_server(struct client *c, const char *name, struct text *why)
{
    static struct credentials all;
    int err = credential_load(&c->paths, &all, why);
    if (err != OK)
        return err;
    const struct credential *s =
        name != NULL ? credential_find(&all, name) : credential_current(&all);
    if (s == NULL || s->token[0] == '\0') {
        text_str(why, "not signed in to a relay on this machine; the user "
                      "who runs `cmdop server` is signed in there");
        credential_wipe(&all);
        return ERR_NOT_FOUND;
    }
    c->server = *s;
    credential_wipe(&all);
    c->uplink.has_ticket =
        ticket_load(c->paths.runtime, c->server.pin, &c->uplink.ticket) == OK;
    return joinstr_address(view_str(c->server.address), c->host, &c->port, why);
}

int client_init(struct client *c, struct arena *a, const char *version,
                const char *server, bool local, const struct client_ops *ops,
                void *ctx, struct text *why)
{
    memset(c, 0, sizeof(*c));
    c->ops = ops;
    c->ctx = ctx;
    c->local = local;
    STR_COPY(c->host, "localhost");
    int err = paths_find(&c->paths, why);
    if (err == OK && !local)
        err = choose_server(c, server, why);
    if (err != OK)
        return err;
    if (h2_prepare() != OK)
        return ERR_LIMIT;
    facts_hello(&c->hello, cmdop_agent_v1_Role_ROLE_OPERATOR, version);
    c->credential =
        (struct link_credential){.hello = &c->hello, .entropy = port_entropy};
    if (!local) {
        c->credential.pin = c->server.pin;
        c->credential.token = c->server.token;
    }
    loop_init(&c->loop, a, ROWS_MAX, TIMERS_MAX);
    c->scratch = arena_span(a, PEER_SCRATCH_BYTES);
    c->ping = loop_timer_add(&c->loop, on_ping, c);
    c->local_again = loop_timer_add(&c->loop, on_local_again, c);
    struct uplink_cfg cfg = {.host = c->host,
                             .port = c->port,
                             .local = local,
                             .credential = &c->credential,
                             .min_ms = AGAIN_MIN_MS,
                             .max_ms = AGAIN_MAX_MS};
    return uplink_init(&c->uplink, &c->loop, a, c->scratch, &cfg, &uplink_ops,
                       c);
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
    if (question_ask(&a->question, client_mux(&a->client), a->buf, "",
                     q->method, NULL) != OK)
        fail(a, CMD_TRANSPORT, "the request does not fit the connection", "");
}

static void ask_down(void *ctx, const char *why, bool fatal)
{
    (void)fatal;
    fail(ctx, CMD_TRANSPORT, why, "");
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
    int err = client_init(&a.client, &arena, q->version, q->server, q->local,
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
