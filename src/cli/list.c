/* `cmdop connect --list`: the machines of the fleet. */
#include <string.h>

#include "cli/row.h"
#include "cli/run.h"
#include "cli/where.h"
#include "core/client.h"

#define COL_NAME 20
#define COL_HOST 24
#define COL_SEEN 24

struct list {
    bool online_only;
    bool json;
    bool first;
    bool left_out; /* there are machines, but not such */
};

static void text_row(const msg_machine_info *m, bool first)
{
    char buf[1024];
    struct text t;
    TEXT_OF(&t, buf);
    if (first)
        text_str(&t, "NAME                HOSTNAME                STATUS   "
                     "LAST SEEN               ID\n");
    size_t from = t.len;
    text_safe(&t, view_str(m->name));
    text_str(&t, " ");
    text_pad(&t, from, COL_NAME);
    text_safe(&t, view_str(m->hostname));
    text_str(&t, " ");
    text_pad(&t, from, COL_NAME + COL_HOST);
    text_str(&t, m->online ? "online   " : "offline  ");
    if (m->last_seen_ms != 0)
        text_time(&t, m->last_seen_ms);
    else
        text_str(&t, "never");
    text_pad(&t, from, COL_NAME + COL_HOST + 9 + COL_SEEN);
    text_safe(&t, view_str(m->id));
    text_str(&t, "\n");
    cmd_out(text_done(&t));
}

static void on_record(void *ctx, struct view record)
{
    struct list *l = ctx;
    msg_machine_info m = cmdop_agent_v1_MachineInfo_init_zero;
    if (msg_decode(record, cmdop_agent_v1_MachineInfo_fields, &m) != 0)
        return;
    if (l->online_only && !m.online) {
        l->left_out = true;
        return;
    }
    if (l->json)
        row_machine(&m, l->first);
    else
        text_row(&m, l->first);
    l->first = false;
}

static void finish(const struct list *l)
{
    if (l->json)
        cmd_out(view_str(l->first ? "{\"machines\":[]}\n" : "]}\n"));
    else if (l->first && l->left_out)
        cmd_say("no machine is online; `cmdop connect --list` shows all", NULL);
    else if (l->first)
        cmd_say("no machine of the fleet is here yet; run `cmdop register` on "
                "one, or `cmdop join`",
                NULL);
}

int list_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
             char **argv)
{
    struct list l = {.first = true};
    struct where where = {0};
    bool list = false;
    const struct cmd_opt opts[] = {{"--list", NULL, &list, NULL},
                                   {"--online", NULL, &l.online_only, NULL},
                                   {"--json", NULL, &l.json, NULL},
                                   WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc > 1)
        return cmd_usage(cmd, "nothing is expected here: ", argv[1]);
    if (where.local)
        return cmd_usage(
            cmd, "a machine does not know the others: ", "leave --local away");
    struct client_question q = {.version = env->version,
                                .where = where,
                                .method = "machines.list",
                                .record = on_record,
                                .ctx = &l};
    status = client_ask(&q);
    if (status == CMD_OK)
        finish(&l);
    return status;
}
