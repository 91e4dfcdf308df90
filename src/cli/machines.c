/*
 * `cmdop machines list | approve | reset | disable | enable | rename`: which
 * machines the fleet has, and what its owners decide about them.
 */
#include <string.h>

#include "cli/row.h"
#include "cli/verbs.h"
#include "cli/where.h"
#include "core/client.h"

#define COL_NAME  20
#define COL_STATE 13
#define COL_LINK  9

/* ---- list ------------------------------------------------------------------------ */

struct list {
    bool json;
    bool first;
    bool has_note; /* of one that is not active */
    char buf[8192];
    struct text notes;
};

static void text_row(const msg_machine_info *m, bool first)
{
    char buf[1024];
    struct text t;
    TEXT_OF(&t, buf);
    if (first)
        text_str(&t, "NAME                STATE        LINK     FINGERPRINT\n");
    size_t from = t.len;
    text_safe(&t, view_str(m->name));
    text_str(&t, " ");
    text_pad(&t, from, COL_NAME);
    text_safe(&t, view_str(row_state(m)));
    text_str(&t, " ");
    text_pad(&t, from, COL_NAME + COL_STATE);
    text_str(&t, m->online ? "online" : "offline");
    text_pad(&t, from, COL_NAME + COL_STATE + COL_LINK);
    text_safe(&t, view_str(m->fingerprint));
    text_str(&t, "\n");
    cmd_out(text_done(&t));
}

static void add_note(struct list *l, const msg_machine_info *m)
{
    if (m->note[0] == '\0')
        return;
    text_safe(&l->notes, view_str(m->name));
    text_str(&l->notes, ": ");
    text_safe(&l->notes, view_str(m->note));
    text_str(&l->notes, "\n");
}

static void on_machine(void *ctx, struct view record)
{
    struct list *l = ctx;
    msg_machine_info m = cmdop_agent_v1_MachineInfo_init_zero;
    if (msg_decode(record, cmdop_agent_v1_MachineInfo_fields, &m) != 0)
        return;
    if (l->json) {
        row_machine(&m, l->first);
    } else {
        text_row(&m, l->first);
        add_note(l, &m);
    }
    l->first = false;
}

static int list(const struct cmd_env *env, const struct where *where, bool json)
{
    static struct list l;
    l.json = json;
    l.first = true;
    TEXT_OF(&l.notes, l.buf);
    struct client_question q = {.version = env->version,
                                .where = *where,
                                .method = "machines.list",
                                .record = on_machine,
                                .ctx = &l};
    int status = client_ask(&q);
    if (status != CMD_OK)
        return status;
    if (json)
        cmd_out(view_str(l.first ? "{\"machines\":[]}\n" : "]}\n"));
    else if (l.first)
        cmd_say("no machine of the fleet is here yet; run `cmdop register` on "
                "one, or `cmdop join`",
                NULL);
    else
        cmd_note(l.buf);
    return CMD_OK;
}

/* ---- orders ---------------------------------------------------------------------- */

static void on_nothing(void *ctx, struct view record)
{
    (void)ctx;
    (void)record;
}

static int order(const struct cmd_env *env, const struct where *where,
                 const char *method, const msg_call *call)
{
    uint8_t raw[512];
    int n = msg_encode_plain(SPAN_ARRAY(raw), cmdop_agent_v1_Call_fields, call);
    struct client_question q = {.version = env->version,
                                .where = *where,
                                .method = method,
                                .request = view_of(raw, n < 0 ? 0 : (size_t)n),
                                .record = on_nothing};
    return client_ask(&q);
}

static const struct verb {
    const char *name, *method;
    const char *done; /* what is true then; in front of it the name */
    int words;        /* behind the verb */
} verbs[] = {
    {"approve", "machines.approve", " may come in now\n", 1},
    {"reset", "machines.reset",
     " is struck off: its key lets nobody in any more\n", 1},
    {"disable", "machines.disable", " is shut out\n", 1},
    {"enable", "machines.enable", " may come in again\n", 1},
    {"rename", "machines.rename", " is the new name\n", 2},
};

static const struct verb *find(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int do_verb(const struct cmd_env *env, const struct where *where,
                   const struct verb *v, char **words)
{
    msg_call call = cmdop_agent_v1_Call_init_zero;
    char buf[256];
    struct text t;
    const char *name = v->words == 2 ? words[1] : NULL;
    if (STR_COPY(call.id, words[0]) >= sizeof(call.id) - 1)
        return cmd_usage(&machines_cmd,
                         "that is too long for a name: ", words[0]);
    if (cmd_name(&machines_cmd, name) != CMD_OK)
        return CMD_USAGE;
    if (name != NULL)
        STR_COPY(call.name, name);
    int status = order(env, where, v->method, &call);
    if (status != CMD_OK)
        return status;
    TEXT_OF(&t, buf);
    text_safe(&t, view_str(words[v->words - 1]));
    text_str(&t, v->done);
    cmd_out(text_done(&t));
    return CMD_OK;
}

/* ---- the verb -------------------------------------------------------------------- */

static int run(const struct cmd_env *env, int argc, char **argv)
{
    struct where where = {0};
    bool json = false;
    const struct cmd_opt opts[] = {
        {"--json", NULL, &json, NULL},
        {"--server", "-s", NULL, &where.server},
        {"--workspace", "-w", NULL, &where.workspace}};
    int rest;
    int status = cmd_options(&machines_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    const char *name = argc > 1 ? argv[1] : "list";
    if (strcmp(name, "list") == 0)
        return argc > 2 ? cmd_usage(&machines_cmd,
                                    "nothing is expected here: ", argv[2])
                        : list(env, &where, json);
    const struct verb *v = find(name);
    if (v == NULL)
        return cmd_usage(&machines_cmd,
                         "list, approve, reset, disable, enable or rename? ",
                         name);
    if (json)
        return cmd_usage(&machines_cmd, "only `list` has an answer for ",
                         "--json");
    if (argc != 2 + v->words)
        return cmd_usage(&machines_cmd,
                         v->words == 2 ? "a machine and its new name, please"
                                       : "one machine, please",
                         "");
    return do_verb(env, &where, v, argv + 2);
}

const struct cmd machines_cmd = {
    .name = "machines",
    .summary = "the machines of the fleet, and who may come in",
    .help =
        "usage: cmdop machines [list] [--json]\n"
        "       cmdop machines approve HOST | disable HOST | enable HOST\n"
        "       cmdop machines reset HOST\n"
        "       cmdop machines rename HOST NAME\n"
        "\n"
        "list     all of them: state, link, and the fingerprint that "
        "`cmdop identity show`\n         has on the machine\n"
        "approve  let one in that waits, or that two used at once: the next "
        "to connect\n         with its key is the machine\n"
        "disable  shut it out; enable undoes it\n"
        "reset    strike its key off for ever: the machine needs `cmdop "
        "identity reset`\n         and a join string\n"
        "rename   the name that people see\n"
        "\n"
        "example:\n"
        "  cmdop machines approve web-1\n",
    .run = run,
};
