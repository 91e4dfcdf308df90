/* `cmdop fleet`: the fleets of a person, and in which one this sign-in
 * speaks. */
#include <string.h>

#include "base/err.h"
#include "cli/verbs.h"
#include "cli/where.h"
#include "core/client.h"
#include "crypto/ct.h"

#define COL_NAME 28
#define COL_ROLE 10
#define COL_KIND 10

typedef cmdop_agent_v1_FleetInfo fleet_info;

/* ---- list ---------------------------------------------------------------------------- */

struct list {
    bool json;
    bool first;
    struct cmd_rows rows;
};

static void json_row(struct list *l, const fleet_info *f)
{
    char buf[2048];
    struct json_out j;
    json_begin(&j, buf, sizeof(buf));
    json_obj_begin(&j);
    json_member(&j, "id", f->id);
    json_member(&j, "slug", f->slug);
    json_member(&j, "name", f->name);
    json_member(&j, "kind", f->kind);
    json_member(&j, "role", f->role);
    json_key(&j, "machines");
    json_u64(&j, f->machines);
    json_key(&j, "current");
    json_bool(&j, f->current);
    json_obj_end(&j);
    cmd_row(&l->rows, &j);
}

static void text_row(const struct list *l, const fleet_info *f)
{
    char buf[1024];
    struct text t;
    TEXT_OF(&t, buf);
    if (l->first)
        text_str(&t, "  NAME                        ROLE      KIND      ID\n");
    size_t from = t.len;
    text_str(&t, f->current ? "* " : "  ");
    text_safe(&t, view_str(f->name));
    text_str(&t, " ");
    text_pad(&t, from, 2 + COL_NAME);
    text_safe(&t, view_str(f->role));
    text_str(&t, " ");
    text_pad(&t, from, 2 + COL_NAME + COL_ROLE);
    text_safe(&t, view_str(f->kind));
    text_str(&t, " ");
    text_pad(&t, from, 2 + COL_NAME + COL_ROLE + COL_KIND);
    text_safe(&t, view_str(f->id));
    text_str(&t, "\n");
    cmd_out(text_done(&t));
}

static void on_fleet(void *ctx, struct view record)
{
    struct list *l = ctx;
    fleet_info f = cmdop_agent_v1_FleetInfo_init_zero;
    if (msg_decode(record, cmdop_agent_v1_FleetInfo_fields, &f) != OK)
        return;
    if (l->json)
        json_row(l, &f);
    else
        text_row(l, &f);
    l->first = false;
}

static int run_list(const struct cmd_env *env, int argc, char **argv)
{
    struct list l = {.first = true, .rows = {.name = "fleets"}};
    struct client_question q = {.version = env->version,
                                .method = "fleets.list",
                                .record = on_fleet,
                                .ctx = &l};
    const struct cmd_opt opts[] = {{"--server", "-s", NULL, &q.where.server},
                                   {"--json", NULL, &l.json, NULL}};
    int rest;
    int status = cmd_options(&fleet_cmd, &argc, argv, &rest, opts, 2);
    if (status >= 0)
        return status;
    if (argc > 1)
        return cmd_usage(&fleet_cmd, "nothing is expected here: ", argv[1]);
    status = client_ask(&q);
    if (status == CMD_OK && l.json)
        cmd_rows_end(&l.rows);
    return status;
}

/* ---- use ----------------------------------------------------------------------------- */

/* The one that is meant, by its id, its name or its slug. */
struct search {
    const char *word;
    fleet_info found;
    uint32_t count;
};

static void on_candidate(void *ctx, struct view record)
{
    struct search *s = ctx;
    fleet_info f = cmdop_agent_v1_FleetInfo_init_zero;
    if (msg_decode(record, cmdop_agent_v1_FleetInfo_fields, &f) != OK)
        return;
    if (strcmp(f.id, s->word) != 0 && strcmp(f.name, s->word) != 0 &&
        strcmp(f.slug, s->word) != 0)
        return;
    s->found = f;
    s->count++;
}

static void ignore(void *ctx, struct view record)
{
    (void)ctx;
    (void)record;
}

/* The relay speaks in it now: so does what we know of the sign-in. */
static int keep(const struct where *where, const fleet_info *f,
                struct text *why)
{
    static struct credentials all;
    struct paths paths;
    int err = paths_find(&paths, why);
    if (err == OK)
        err = credential_lock(&paths, why);
    if (err != OK)
        return err;
    const struct credential *s = client_server(&paths, where, &all, why);
    if (s != NULL) {
        struct credential changed = *s;
        struct text t;
        TEXT_OF(&t, changed.fleet);
        text_safe(&t, view_str(f->name));
        STR_COPY(changed.fleet_id, f->id);
        err = credential_upsert(&all, &changed);
        if (err == OK)
            err = credential_save(&paths, &all, why);
        ct_wipe((struct span){(uint8_t *)&changed, sizeof(changed)});
    }
    credential_unlock(&paths);
    credential_wipe(&all);
    return s == NULL ? ERR_NOT_FOUND : err;
}

static int use(const struct cmd_env *env, const struct where *where,
               const fleet_info *f)
{
    uint8_t raw[256];
    char buf[512];
    struct text why;
    msg_call call = cmdop_agent_v1_Call_init_zero;
    STR_COPY(call.id, f->id);
    int len =
        msg_encode_plain(SPAN_ARRAY(raw), cmdop_agent_v1_Call_fields, &call);
    struct client_question q = {.version = env->version,
                                .where = *where,
                                .method = "fleets.use",
                                .request = view_of(raw, (size_t)len),
                                .record = ignore};
    int status = client_ask(&q);
    if (status != CMD_OK)
        return status;
    TEXT_OF(&why, buf);
    if (keep(where, f, &why) != OK)
        cmd_say(buf, NULL); /* the relay's word counts, not ours */
    return CMD_OK;
}

static int run_use(const struct cmd_env *env, int argc, char **argv)
{
    static struct search s;
    struct client_question q = {.version = env->version,
                                .method = "fleets.list",
                                .record = on_candidate,
                                .ctx = &s};
    const struct cmd_opt opts[] = {{"--server", "-s", NULL, &q.where.server}};
    int rest;
    int status = cmd_options(&fleet_cmd, &argc, argv, &rest, opts, 1);
    if (status >= 0)
        return status;
    if (argc != 2)
        return cmd_usage(&fleet_cmd,
                         "which fleet? `cmdop fleet list` shows them", "");
    s.word = argv[1];
    status = client_ask(&q);
    if (status != CMD_OK)
        return status;
    if (s.count != 1) {
        cmd_say(s.count == 0 ? "you are in no fleet that is called "
                             : "several of your fleets are called ",
                argv[1],
                s.count == 0 ? "; `cmdop fleet list` shows them"
                             : "; name it by its id, which `cmdop fleet list` "
                               "shows",
                NULL);
        return CMD_FAILED;
    }
    return use(env, &q.where, &s.found);
}

/* ---- the verb ------------------------------------------------------------------------ */

static int run(const struct cmd_env *env, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "list") == 0)
        return run_list(env, argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "use") == 0)
        return run_use(env, argc - 1, argv + 1);
    if (argc > 1 &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        cmd_out(view_str(fleet_cmd.help));
        return CMD_OK;
    }
    return cmd_usage(&fleet_cmd, "list or use: ", argc > 1 ? argv[1] : "");
}

const struct cmd fleet_cmd = {
    .name = "fleet",
    .summary = "the fleets you are in, and which one is active",
    .help = "usage: cmdop fleet list [--server NAME] [--json]\n"
            "       cmdop fleet use FLEET [--server NAME]\n"
            "\n"
            "A sign-in speaks in one fleet at a time: its machines are the "
            "ones you see. `use` makes\nanother one active, for everything "
            "that uses this sign-in. FLEET is a name or an id.\n"
            "\n"
            "For two fleets at once, sign in twice (`cmdop login --name "
            "OTHER`); `--workspace FLEET`\non any verb that connects picks "
            "the sign-in of that fleet.\n"
            "\n"
            "example:\n"
            "  cmdop fleet use Lab && cmdop connect --list\n",
    .run = run,
};
