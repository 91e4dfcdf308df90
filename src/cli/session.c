/* `cmdop session`: shells that go on without us. */
#include <string.h>

#include "base/err.h"
#include "cli/find.h"
#include "cli/fleet.h"
#include "cli/glance.h"
#include "cli/run.h"
#include "cli/save.h"
#include "cli/verbs.h"
#include "core/session.h"

#define COL_SESSION 44
#define COL_NAME    16
#define COL_IDLE    10

#define WHICH "which session? `cmdop session list` shows them"

static void print_ref(const char *host, const char *id)
{
    char line[256];
    struct text t;
    TEXT_OF(&t, line);
    text_safe(&t, view_str(host));
    text_str(&t, host[0] != '\0' ? ":" : "");
    text_safe(&t, view_str(id));
    text_str(&t, "\n");
    cmd_out(text_done(&t));
}

/* ---- create ------------------------------------------------------------------------ */

static int run_create(const struct cmd_env *env, int argc, char **argv)
{
    static struct glance g;
    struct where where = {0};
    const char *idle = NULL;
    const struct cmd_opt opts[] = {{"--name", NULL, NULL, &g.name},
                                   {"--idle", NULL, NULL, &idle},
                                   WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(&session_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (rest != (where.local ? 1 : 2) && rest != 2)
        return cmd_usage(&session_cmd, "one machine, please", "");
    if (cmd_name(&session_cmd, g.name) != CMD_OK ||
        cmd_words(&session_cmd, argc - rest, argv + rest) != CMD_OK)
        return CMD_USAGE;
    if (idle != NULL &&
        (text_parse_duration(view_str(idle), &g.idle_ms) != OK ||
         g.idle_ms == 0))
        return cmd_usage(&session_cmd,
                         "that is not a duration like 30m or 7d: ", idle);
    g.target = rest == 2 ? argv[1] : "";
    g.argv = argv + rest;
    g.argc = (uint32_t)(argc - rest);
    status = glance_run(&g, env, &where);
    if (status == CMD_OK)
        print_ref(g.target, g.info.session_id);
    return status;
}

/* ---- list --------------------------------------------------------------------------- */

struct list {
    bool json;
    bool first;
};

static void json_row(const struct list *l, const struct fleet_machine *m,
                     const msg_session_info *s)
{
    char buf[4096];
    struct json_out o;
    struct view v;
    json_begin(&o, buf, sizeof(buf));
    json_obj_begin(&o);
    json_member(&o, "session_id", s->id);
    json_member(&o, "name", s->name);
    fleet_name(&o, m, s->machine_id, s->machine);
    json_member(&o, "status", s->ended ? "ended" : "live");
    json_member(&o, "command", s->command);
    json_member(&o, "user", s->user);
    json_key(&o, "created_at");
    json_time(&o, s->created_ms);
    json_key(&o, "idle_seconds");
    json_u64(&o, s->idle_ms / 1000);
    json_key(&o, "operators");
    json_u64(&o, s->operators);
    json_key(&o, "observers");
    json_u64(&o, s->observers);
    json_member(&o, "attached", s->attached);
    json_key(&o, "pid");
    json_u64(&o, s->pid);
    json_key(&o, "rows");
    json_u64(&o, s->rows);
    json_key(&o, "cols");
    json_u64(&o, s->cols);
    json_key(&o, "output_bytes");
    json_u64(&o, s->output);
    json_obj_end(&o);
    if (json_done(&o, &v) != 0)
        return;
    cmd_out(view_str(l->first ? "{\"sessions\":[" : ","));
    cmd_out(v);
}

static void put_age(struct text *t, uint64_t ms)
{
    static const struct {
        uint64_t ms;
        const char *unit;
    } units[] = {{24 * 3600000, "d"}, {3600000, "h"}, {60000, "m"}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (ms >= units[i].ms) {
            text_u64(t, ms / units[i].ms);
            text_str(t, units[i].unit);
            return;
        }
    text_u64(t, ms / 1000);
    text_str(t, "s");
}

static void text_row(const struct list *l, const struct fleet_machine *m,
                     const msg_session_info *s)
{
    char buf[1536];
    struct text t;
    TEXT_OF(&t, buf);
    if (l->first) {
        text_str(&t, "SESSION");
        text_pad(&t, 0, COL_SESSION);
        text_str(&t, "NAME            UNUSED    ATTACHED\n");
    }
    size_t from = t.len;
    text_safe(&t, view_str(m->name));
    text_str(&t, m->name[0] != '\0' ? ":" : "");
    text_safe(&t, view_str(s->id));
    text_str(&t, " ");
    text_pad(&t, from, COL_SESSION);
    text_safe(&t, view_str(s->name[0] != '\0' ? s->name : "-"));
    text_str(&t, " ");
    text_pad(&t, from, COL_SESSION + COL_NAME);
    if (s->operators + s->observers > 0)
        text_str(&t, "-");
    else
        put_age(&t, s->idle_ms);
    text_str(&t, " ");
    text_pad(&t, from, COL_SESSION + COL_NAME + COL_IDLE);
    text_str(&t, s->ended ? "ended " : "");
    text_safe(&t, view_str(s->attached));
    text_str(&t, "\n");
    cmd_out(text_done(&t));
}

static void on_record(void *ctx, const struct fleet_machine *m,
                      struct view record)
{
    struct list *l = ctx;
    msg_session_info s;
    if (!find_session_decode(record, &s))
        return;
    if (l->json)
        json_row(l, m, &s);
    else
        text_row(l, m, &s);
    l->first = false;
}

static int run_list(const struct cmd_env *env, int argc, char **argv)
{
    struct list l = {.first = true};
    struct where where = {0};
    struct fleet_question q = {
        .method = "sessions.list", .record = on_record, .ctx = &l};
    const struct cmd_opt opts[] = {{"--json", NULL, &l.json, NULL},
                                   {"--host", NULL, NULL, &q.host},
                                   WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(&session_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc > 2 || (argc == 2 && q.host != NULL))
        return cmd_usage(&session_cmd,
                         "one machine, or none for all: ", argv[argc - 1]);
    if (argc == 2)
        q.host = argv[1];
    status = fleet_ask(env, &where, &q);
    if (status == CMD_OK && l.json)
        cmd_out(view_str(l.first ? "{\"sessions\":[]}\n" : "]}\n"));
    else if (status == CMD_OK && l.first)
        cmd_say("there are no sessions on the machines that are online; "
                "`cmdop connect HOST` starts one",
                NULL);
    return status;
}

/* ---- attach, detach, destroy -------------------------------------------------------------- */

static int run_attach(const struct cmd_env *env, int argc, char **argv)
{
    static struct fleet_found found;
    struct where where = {0};
    bool observe = false;
    const struct cmd_opt opts[] = {{"--observe", NULL, &observe, NULL},
                                   WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(&session_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc != 2)
        return cmd_usage(&session_cmd, WHICH, "");
    status = find_session(env, &where, argv[1], &found);
    if (status != CMD_OK)
        return status;
    return attach_to(env, &where, fleet_target(&found.machine), found.id,
                     observe);
}

static int order(const struct cmd_env *env, const struct where *where,
                 const struct fleet_found *found, const char *method)
{
    msg_call call = cmdop_agent_v1_Call_init_zero;
    return fleet_order(env, where, found, method, &call);
}

static int order_each(const struct cmd_env *env, const struct where *where,
                      int argc, char **argv, const char *method)
{
    int status = CMD_OK;
    if (argc < 2)
        return cmd_usage(&session_cmd, WHICH, "");
    for (int i = 1; i < argc; i++) {
        struct fleet_found found;
        int one = find_session(env, where, argv[i], &found);
        if (one == CMD_OK)
            one = order(env, where, &found, method);
        status = one != CMD_OK ? one : status;
    }
    return status;
}

static int run_detach(const struct cmd_env *env, int argc, char **argv)
{
    struct where where = {0};
    const struct cmd_opt opts[] = {WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(&session_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    return order_each(env, &where, argc, argv, "sessions.detach");
}

#define UNUSED_MAX 1024

/* Sessions that nobody used for so long. */
struct unused {
    uint64_t ms;
    struct fleet_found *found;
    uint32_t count;
};

static void on_unused(void *ctx, const struct fleet_machine *m,
                      struct view record)
{
    struct unused *u = ctx;
    msg_session_info s;
    if (!find_session_decode(record, &s) || s.operators + s.observers > 0 ||
        s.idle_ms < u->ms || u->count == UNUSED_MAX)
        return;
    struct fleet_found *f = &u->found[u->count++];
    f->machine = *m;
    STR_COPY(f->id, s.id);
}

static int destroy_unused(const struct cmd_env *env, const struct where *where,
                          const char *host, uint64_t ms)
{
    struct unused u = {.ms = ms};
    u.found =
        (struct fleet_found *)(void *)port_memory(UNUSED_MAX * sizeof(*u.found))
            .ptr;
    struct fleet_question q = {.host = host,
                               .method = "sessions.list",
                               .record = on_unused,
                               .ctx = &u};
    int status = fleet_ask(env, where, &q);
    for (uint32_t i = 0; i < u.count; i++) {
        const struct fleet_found *f = &u.found[i];
        int one = order(env, where, f, "sessions.destroy");
        if (one == CMD_OK)
            print_ref(f->machine.name, f->id);
        else
            status = one;
    }
    return status;
}

static int run_destroy(const struct cmd_env *env, int argc, char **argv)
{
    struct where where = {0};
    const char *idle = NULL, *host = NULL;
    uint64_t ms;
    const struct cmd_opt opts[] = {{"--idle", NULL, NULL, &idle},
                                   {"--host", NULL, NULL, &host},
                                   WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(&session_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (idle == NULL)
        return order_each(env, &where, argc, argv, "sessions.destroy");
    if (argc > 1)
        return cmd_usage(
            &session_cmd,
            "a session, or --idle for all that are unused: ", argv[1]);
    if (text_parse_duration(view_str(idle), &ms) != OK)
        return cmd_usage(&session_cmd,
                         "that is not a duration like 24h or 7d: ", idle);
    return destroy_unused(env, &where, host, ms);
}

static int run_save(const struct cmd_env *env, int argc, char **argv)
{
    return save_run(&session_cmd, env, argc, argv);
}

static int run_restore(const struct cmd_env *env, int argc, char **argv)
{
    return restore_run(&session_cmd, env, argc, argv);
}

/* ---- the verb ------------------------------------------------------------------------------ */

static int run(const struct cmd_env *env, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct cmd_env *env, int argc, char **argv);
    } verbs[] = {{"create", run_create},   {"list", run_list},
                 {"attach", run_attach},   {"detach", run_detach},
                 {"destroy", run_destroy}, {"save", run_save},
                 {"restore", run_restore}};
    for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(env, argc - 1, argv + 1);
    return cmd_usage(&session_cmd,
                     "create, list, attach, detach, destroy, save or restore: ",
                     argc > 1 ? argv[1] : "");
}

const struct cmd session_cmd = {
    .name = "session",
    .summary = "shells that go on by themselves: list, create, attach, end",
    .help =
        "usage: cmdop session create [--name N] [--idle D] HOST [-- "
        "ARGV...]\n"
        "       cmdop session list [HOST] [--json]\n"
        "       cmdop session attach [--observe] SESSION\n"
        "       cmdop session detach SESSION...\n"
        "       cmdop session destroy SESSION... | --idle D [--host HOST]\n"
        "       cmdop session save SESSION --to FILE\n"
        "       cmdop session restore --from FILE [-n LINES]\n"
        "\n"
        "A session is a shell on a machine that goes on when nobody is "
        "attached; `cmdop connect`\nstarts one, too. SESSION is [HOST:]ID "
        "or [HOST:]NAME, where some characters of the ID\nare enough; "
        "without HOST all machines that are online are asked.\n"
        "\n"
        "  create              start one and print what it is called\n"
        "  attach              as `cmdop connect --session`\n"
        "  detach              all who are attached leave it; it goes on\n"
        "  destroy             end it, or all that nobody used for D\n"
        "  save                write what it still holds as an asciicast file\n"
        "  restore             show such a file: of what, and its last lines\n"
        "  --idle D            with create: it ends when unused for D (7d)\n"
        "  -s, --server NAME   another relay than the current one\n"
        "  --local             the agent of this machine, without a relay\n"
        "\n"
        "example:\n"
        "  cmdop session create --name build web-1 -- make -k\n"
        "  cmdop session attach build\n",
    .run = run,
};
