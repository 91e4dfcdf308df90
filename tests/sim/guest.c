/* See guest.h. */
#include "sim/guest.h"

#include <string.h>

#include "base/err.h"
#include "core/client.h"

struct guest {
    struct client client;
    struct question question;
    struct span buf;
    struct chan kept;
    int again; /* timer: the next question */
    bool keeps, takes, late;
    uint32_t asked;
};

static void leave(struct guest *g, const char *why)
{
    if (!g->client.done)
        cmd_say(why, NULL);
    client_leave(&g->client, CMD_TRANSPORT);
}

/* ---- an answer that is not -------------------------------------------------------- */

static void on_accepted(void *ctx, const msg_accept *accept)
{
    (void)ctx;
    (void)accept;
}

static void on_rejected(void *ctx, const msg_reject *r)
{
    leave(ctx, r->message);
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    (void)ctx;
    (void)stream;
    (void)off;
    (void)fin;
    return bytes.len == 0 ? OK : ERR_PROTO;
}

static void on_closed(void *ctx, const msg_close *end)
{
    if (end != NULL)
        leave(ctx, "the answer needed no credit");
}

static const struct chan_ops kept_ops = {.accepted = on_accepted,
                                         .rejected = on_rejected,
                                         .data = on_data,
                                         .closed = on_closed};

static void keep(struct guest *g)
{
    uint8_t raw[cmdop_agent_v1_RpcOpen_size];
    msg_open open = {.kind = cmdop_agent_v1_Kind_KIND_RPC};
    msg_rpc_open p = cmdop_agent_v1_RpcOpen_init_zero;
    STR_COPY(p.method, "auth.device");
    int len =
        msg_encode_plain(SPAN_ARRAY(raw), cmdop_agent_v1_RpcOpen_fields, &p);
    struct msg_blob blob = {.data = view_of(raw, (size_t)len)};
    open.params = msg_blob_out(&blob);
    chan_init(&g->kept, &kept_ops, g, 0, 0, false);
    if (len < 0 || chan_open(client_mux(&g->client), &g->kept, &open) != OK)
        leave(g, "the question does not fit");
}

/* ---- an answer that is taken ------------------------------------------------------ */

static void on_record(void *ctx, struct view record)
{
    (void)ctx;
    (void)record;
}

static void on_done(void *ctx, const question_failure *why)
{
    struct guest *g = ctx;
    if (why != NULL && why->code != cmdop_agent_v1_Code_CODE_LOST)
        leave(g, why->message);
}

static void on_again(void *ctx, uint64_t now_ms)
{
    struct guest *g = ctx;
    static const uint8_t request[] = "\x0A\x07nothing"; /* field 1: a token */
    g->question =
        (struct question){.record = on_record, .done = on_done, .ctx = g};
    if (question_send(&g->question, client_mux(&g->client), g->buf, "",
                      "auth.revoke",
                      view_of(request, sizeof(request) - 1)) != OK)
        leave(g, "the question does not fit");
    if (g->late && g->asked++ == 1)
        keep(g);
    loop_arm(&g->client.loop, g->again, now_ms + GUEST_ASKS_MS);
}

/* ---- the link --------------------------------------------------------------------- */

static void on_up(void *ctx)
{
    struct guest *g = ctx;
    cmd_out(view_str("in\n"));
    if (g->keeps)
        keep(g);
    if (g->takes)
        loop_arm(&g->client.loop, g->again, loop_now(&g->client.loop));
}

static void on_down(void *ctx, const char *why, bool fatal)
{
    (void)fatal;
    leave(ctx, why);
}

static const struct client_ops ops = {.up = on_up, .down = on_down};

static int run(const struct cmd_env *env, int argc, char **argv)
{
    static struct guest g;
    static struct credentials all;
    const struct where where = {.server = NULL};
    struct paths paths;
    struct arena arena;
    struct text why;
    char buf[512];
    TEXT_OF(&why, buf);
    for (int i = 1; i < argc; i++) {
        g.keeps = g.keeps || strcmp(argv[i], "keeps") == 0;
        g.takes = g.takes || strcmp(argv[i], "takes") == 0;
        g.late = g.late || strcmp(argv[i], "late") == 0;
    }
    arena_init(&arena, port_memory(CLIENT_BYTES + QUESTION_RING));
    const struct credential *at = NULL;
    if (paths_find(&paths, &why) == OK)
        at = client_server(&paths, &where, &all, &why);
    if (at == NULL || client_init_guest(&g.client, &arena, env->version, at,
                                        &ops, &g, &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_FAILED;
    }
    g.buf = arena_span(&arena, QUESTION_RING);
    g.again = loop_timer_add(&g.client.loop, on_again, &g);
    client_connect(&g.client);
    return client_run(&g.client);
}

const struct cmd guest_cmd = {.name = "guest", .help = "", .run = run};
