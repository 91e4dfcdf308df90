/* A short look into a session; see glance.h. */
#include "cli/glance.h"

#include <string.h>

#include "base/err.h"
#include "core/session.h"

static void fail(struct glance *g, int status, const char *message,
                 const char *remedy)
{
    if (!g->client.done)
        cmd_say(message, remedy[0] != '\0' ? "; " : "", remedy, NULL);
    client_leave(&g->client, status);
}

static void leave_if_read(struct glance *g)
{
    static const msg_close end = {.which_result =
                                      cmdop_agent_v1_Close_detached_tag,
                                  .result.detached = true};
    if (g->client.done ||
        (g->room.len > 0 && g->first + g->len < g->info.out_end))
        return;
    chan_close(&g->chan, &end, CHAN_NOW);
    client_leave(&g->client, CMD_OK);
}

static void on_accepted(void *ctx, const msg_accept *accept)
{
    struct glance *g = ctx;
    (void)msg_decode(view_of(accept->params.bytes, accept->params.size),
                     cmdop_agent_v1_PtyAccept_fields, &g->info);
    g->accepted = true;
    g->first = accept->out_offset;
    leave_if_read(g);
}

static void on_rejected(void *ctx, const msg_reject *r)
{
    struct glance *g = ctx;
    if (r->code == cmdop_agent_v1_Code_CODE_PIN && !g->asked_password) {
        g->asked_password = true;
        unlock_begin(&g->unlock);
        return;
    }
    fail(g, client_status(r->code), r->message, r->remedy);
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct glance *g = ctx;
    (void)fin;
    if (off > g->first + g->len) { /* the ring moved on: begin anew */
        g->first = off;
        g->len = 0;
    }
    bytes = view_first(bytes, g->room.len - g->len);
    if (bytes.len > 0)
        memcpy(g->room.ptr + g->len, bytes.ptr, bytes.len);
    g->len += bytes.len;
    chan_used(&g->chan, stream, g->chan.rx[stream].next,
              g->chan.rx[stream].next);
    if (g->len == g->room.len)
        g->info.out_end = 0; /* no more than that */
    leave_if_read(g);
    return OK;
}

static void on_event(void *ctx, const msg_event *event)
{
    (void)ctx;
    (void)event;
}

/* Its end is no reason: what it held came before. */
static void on_closed(void *ctx, const msg_close *end)
{
    struct glance *g = ctx;
    if (end == NULL || g->client.done)
        return;
    if (end->which_result == cmdop_agent_v1_Close_failure_tag)
        fail(g, client_status(end->result.failure.code),
             end->result.failure.message, end->result.failure.remedy);
    else
        client_leave(&g->client, CMD_OK);
}

static const struct chan_ops ops = {
    .accepted = on_accepted,
    .rejected = on_rejected,
    .data = on_data,
    .event = on_event,
    .closed = on_closed,
};

static void on_up(void *ctx)
{
    struct glance *g = ctx;
    static uint8_t raw[FRAME_MAX];
    msg_pty_open p = cmdop_agent_v1_PtyOpen_init_zero;
    msg_open open = {.kind = cmdop_agent_v1_Kind_KIND_PTY};
    struct msg_strings argv = {.list = (const char **)g->argv,
                               .count = g->argc};
    char term[40];
    if (port_env("TERM", term, sizeof(term)))
        STR_COPY(p.term, term);
    STR_COPY(p.session_id, g->session != NULL ? g->session : "");
    STR_COPY(p.name, g->name != NULL ? g->name : "");
    STR_COPY(open.target, g->target);
    p.observe = g->session != NULL;
    p.glance = true;
    p.idle_ms = g->idle_ms;
    p.argv = msg_strings_out(&argv);
    struct view token = unlock_view(&g->unlock);
    p.unlock.size = (pb_size_t)token.len;
    memcpy(p.unlock.bytes, token.ptr, token.len);
    int len = msg_encode_plain((struct span){raw, ARGS_MAX + 1024},
                               cmdop_agent_v1_PtyOpen_fields, &p);
    struct msg_blob blob = {.data = view_of(raw, len > 0 ? (size_t)len : 0)};
    open.params = msg_blob_out(&blob);
    chan_init(&g->chan, &ops, g, 1, WINDOW_BULK, false);
    g->chan.gaps_ok = g->chan.any_start = true;
    if (len < 0 || chan_open(client_mux(&g->client), &g->chan, &open) != OK)
        fail(g, CMD_TRANSPORT, "the command line is longer than 24 KiB", "");
}

static void on_unlocked(void *ctx, msg_code code, const char *message,
                        const char *remedy)
{
    if (code == cmdop_agent_v1_Code_CODE_UNSPECIFIED)
        on_up(ctx);
    else
        fail(ctx, client_status(code), message, remedy);
}

static void on_down(void *ctx, const char *why, bool fatal)
{
    (void)fatal;
    struct glance *g = ctx;
    fail(g, client_down_status(&g->client), why, "");
}

static const struct client_ops client_ops = {.up = on_up, .down = on_down};

int glance_run(struct glance *g, const struct cmd_env *env,
               const struct where *where)
{
    char buf[512];
    struct arena arena;
    struct text why;
    TEXT_OF(&why, buf);
    arena_init(&arena, port_memory(CLIENT_BYTES + QUESTION_RING + 4096));
    if (client_init(&g->client, &arena, env->version, where, &client_ops, g,
                    &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_TRANSPORT;
    }
    unlock_init(&g->unlock, &arena, &g->client, g->target);
    g->unlock.file = where->password_file;
    g->unlock.done = on_unlocked;
    g->unlock.ctx = g;
    unlock_recall(&g->unlock);
    client_connect(&g->client);
    int status = client_run(&g->client);
    port_term_restore();
    unlock_wipe(&g->unlock);
    return status;
}
