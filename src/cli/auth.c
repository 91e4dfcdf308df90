/* `cmdop auth`: who is signed in where; and `login`, `logout`. */
#include <string.h>

#include "base/err.h"
#include "cli/login.h"
#include "cli/verbs.h"
#include "core/client.h"

#define COL_NAME    20
#define COL_ADDRESS 30
#define COL_USER    16
#define COL_FLEET   20

typedef cmdop_agent_v1_WhoAmI who_am_i;

/* ---- status -------------------------------------------------------------------------- */

struct status {
    struct credential server;
    who_am_i who;
    bool answered;
    enum credential_key where;
};

static void on_who(void *ctx, struct view record)
{
    struct status *s = ctx;
    s->answered =
        msg_decode(record, cmdop_agent_v1_WhoAmI_fields, &s->who) == OK;
}

static const char *kind_of(const struct status *s)
{
    if (s->answered && s->who.kind[0] != '\0')
        return s->who.kind;
    return s->server.refresh[0] != '\0' ? "access" : "cli";
}

static int64_t end_of(const struct status *s)
{
    return s->answered ? s->who.expires_ms : s->server.token_expires_ms;
}

/* What the relay says counts; else what it said when we signed in. */
static const char *said(const struct status *s, const char *relay,
                        const char *stored)
{
    return s->answered && relay[0] != '\0' ? relay : stored;
}

/* The same for the address, which may have been taken away meanwhile. */
static const char *email_of(const struct status *s)
{
    return s->answered ? s->who.email : s->server.email;
}

static void row(struct text *t, const char *name, const char *value)
{
    size_t from = t->len;
    text_str(t, name);
    text_pad(t, from, 11);
    text_safe(t, view_str(value[0] != '\0' ? value : "-"));
    text_str(t, "\n");
}

static void identity(const struct status *s, struct text *t)
{
    const char *email = email_of(s);
    text_str(t, said(s, s->who.user, s->server.user));
    if (email[0] != '\0')
        text_join(t, " <", email, ">", NULL);
}

static void print(const struct status *s)
{
    char buf[2048], cell[400];
    struct text t, c;
    TEXT_OF(&t, buf);
    TEXT_OF(&c, cell);
    identity(s, &c);
    row(&t, "Identity", cell);
    row(&t, "Fleet", said(s, s->who.fleet_name, s->server.fleet));
    row(&t, "Role", s->answered ? s->who.role : "");
    TEXT_OF(&c, cell);
    text_join(&c, s->server.name, " (", s->server.address, ")", NULL);
    row(&t, "Server", cell);
    row(&t, "Token kind", kind_of(s));
    TEXT_OF(&c, cell);
    if (end_of(s) != 0)
        text_time(&c, end_of(s));
    else
        text_str(&c, "never");
    if (s->server.refresh[0] != '\0')
        text_str(&c, ", renewed by itself");
    row(&t, "Expires", cell);
    cmd_out(text_done(&t));
}

static void print_json(const struct status *s, int status)
{
    char buf[4096];
    struct json_out j;
    json_begin(&j, buf, sizeof(buf));
    json_obj_begin(&j);
    json_member(&j, "server", s->server.name);
    json_member(&j, "address", s->server.address);
    json_member(&j, "user", said(s, s->who.user, s->server.user));
    json_member(&j, "email", email_of(s));
    json_member(&j, "user_id", said(s, s->who.user_id, s->server.user_id));
    json_member(&j, "fleet", said(s, s->who.fleet_name, s->server.fleet));
    json_member(&j, "fleet_id", said(s, s->who.fleet_id, s->server.fleet_id));
    json_key(&j, "role");
    if (s->answered)
        json_cstr(&j, s->who.role);
    else
        json_null(&j);
    json_member(&j, "token_kind", kind_of(s));
    json_member_time(&j, "expires_at", end_of(s));
    json_key(&j, "renewable");
    json_bool(&j, s->server.refresh[0] != '\0');
    json_member(&j, "key",
                s->where == CREDENTIAL_KEY_KEYRING ? "keyring" : "file");
    json_member(&j, "state",
                status == CMD_OK       ? "good"
                : status == CMD_DENIED ? "refused"
                                       : "unknown");
    json_obj_end(&j);
    cmd_out_json(&j);
}

static int run_status(const struct cmd_env *env, int argc, char **argv)
{
    static struct status s;
    static struct credentials all;
    struct where where = {0};
    struct paths paths;
    bool json = false;
    char buf[512];
    struct text why;
    const struct cmd_opt opts[] = {{"--server", "-s", NULL, &where.server},
                                   {"--json", NULL, &json, NULL}};
    int rest;
    int status = cmd_options(&auth_cmd, &argc, argv, &rest, opts, 2);
    if (status >= 0)
        return status;
    if (argc > 1)
        return cmd_usage(&auth_cmd, "nothing is expected here: ", argv[1]);
    client_note_keys();
    TEXT_OF(&why, buf);
    const struct credential *c = NULL;
    if (paths_find(&paths, &why) == OK)
        c = client_server(&paths, &where, &all, &why);
    if (c == NULL) {
        cmd_say(buf, NULL);
        return CMD_FAILED;
    }
    s.server = *c;
    s.where = all.where;
    credential_wipe(&all);
    struct client_question q = {.version = env->version,
                                .where = where,
                                .method = "auth.whoami",
                                .record = on_who,
                                .ctx = &s};
    status = client_ask(&q);
    if (json)
        print_json(&s, status);
    else
        print(&s);
    return status;
}

/* ---- list ---------------------------------------------------------------------------- */

static void list_json(const struct credentials *all)
{
    static char buf[CREDENTIAL_SERVERS_MAX * 1536];
    struct json_out j;
    json_begin(&j, buf, sizeof(buf));
    json_obj_begin(&j);
    json_key(&j, "servers");
    json_arr_begin(&j);
    for (size_t i = 0; i < all->count; i++) {
        const struct credential *s = &all->server[i];
        json_obj_begin(&j);
        json_member(&j, "name", s->name);
        json_member(&j, "address", s->address);
        json_member(&j, "user", s->user);
        json_member(&j, "fleet", s->fleet);
        json_member(&j, "fleet_id", s->fleet_id);
        json_key(&j, "current");
        json_bool(&j, strcmp(s->name, all->current) == 0);
        json_key(&j, "renewable");
        json_bool(&j, s->refresh[0] != '\0');
        json_obj_end(&j);
    }
    json_arr_end(&j);
    json_obj_end(&j);
    cmd_out_json(&j);
}

static void list_row(const struct credentials *all, const struct credential *s)
{
    char buf[1024];
    struct text t;
    TEXT_OF(&t, buf);
    text_str(&t, strcmp(s->name, all->current) == 0 ? "* " : "  ");
    text_str(&t, s->name);
    text_str(&t, " ");
    text_pad(&t, 0, 2 + COL_NAME);
    text_str(&t, s->address);
    text_str(&t, " ");
    text_pad(&t, 0, 2 + COL_NAME + COL_ADDRESS);
    text_str(&t, s->user[0] != '\0' ? s->user : "-");
    text_str(&t, " ");
    text_pad(&t, 0, 2 + COL_NAME + COL_ADDRESS + COL_USER);
    text_str(&t, s->fleet[0] != '\0' ? s->fleet : "-");
    text_str(&t, "\n");
    cmd_out(text_done(&t));
}

static int run_list(const struct cmd_env *env, int argc, char **argv)
{
    static struct credentials all;
    struct paths paths;
    bool json = false;
    char buf[512];
    struct text why;
    const struct cmd_opt opts[] = {{"--json", NULL, &json, NULL}};
    int rest;
    (void)env;
    int status = cmd_options(&auth_cmd, &argc, argv, &rest, opts, 1);
    if (status >= 0)
        return status;
    if (argc > 1)
        return cmd_usage(&auth_cmd, "nothing is expected here: ", argv[1]);
    TEXT_OF(&why, buf);
    if (paths_find(&paths, &why) != OK ||
        credential_load(&paths, &all, &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_FAILED;
    }
    if (json)
        list_json(&all);
    else if (all.count == 0)
        cmd_say("nobody is signed in here; run: cmdop login", NULL);
    else
        cmd_out(view_str("  NAME                ADDRESS                       "
                         "USER            FLEET\n"));
    for (size_t i = 0; !json && i < all.count; i++)
        list_row(&all, &all.server[i]);
    credential_wipe(&all);
    return CMD_OK;
}

/* ---- use ----------------------------------------------------------------------------- */

static int use_locked(const struct paths *p, const char *name, struct text *why)
{
    static struct credentials all;
    int err = credential_load(p, &all, why);
    if (err == OK) {
        err = credential_use(&all, name);
        if (err == OK)
            err = credential_save(p, &all, why);
        else
            text_join(why, "no sign-in is called ", name,
                      "; `cmdop auth list` shows them, `cmdop login` adds one",
                      NULL);
    }
    credential_wipe(&all);
    return err;
}

static int run_use(const struct cmd_env *env, int argc, char **argv)
{
    struct paths paths;
    char buf[512];
    struct text why;
    int rest;
    (void)env;
    int status = cmd_options(&auth_cmd, &argc, argv, &rest, NULL, 0);
    if (status >= 0)
        return status;
    if (argc != 2)
        return cmd_usage(&auth_cmd, "which one? `cmdop auth list` shows them",
                         "");
    TEXT_OF(&why, buf);
    int err = paths_find(&paths, &why);
    if (err == OK)
        err = credential_lock(&paths, &why);
    if (err == OK) {
        err = use_locked(&paths, argv[1], &why);
        credential_unlock(&paths);
    }
    if (err != OK)
        cmd_say(buf, NULL);
    return err == OK ? CMD_OK : CMD_FAILED;
}

/* ---- the verbs ----------------------------------------------------------------------- */

static int run_login(const struct cmd_env *env, int argc, char **argv)
{
    return login_run(&login_cmd, env, argc, argv);
}

static int run_logout(const struct cmd_env *env, int argc, char **argv)
{
    return logout_run(&logout_cmd, env, argc, argv);
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct cmd_env *env, int argc, char **argv);
    } verbs[] = {{"status", run_status},
                 {"list", run_list},
                 {"use", run_use},
                 {"login", run_login},
                 {"logout", run_logout}};
    if (argc > 1 &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        cmd_out(view_str(auth_cmd.help));
        return CMD_OK;
    }
    for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(env, argc - 1, argv + 1);
    return cmd_usage(&auth_cmd, "status, list, use, login or logout: ",
                     argc > 1 ? argv[1] : "");
}

const struct cmd login_cmd = {
    .name = "login",
    .summary = "sign in to a relay",
    .help =
        "usage: cmdop login [--server RELAY] [--name NAME] [--no-browser] "
        "[--json]\n"
        "\n"
        "Sign in as a person. The tool shows the address of a page and a "
        "code; open the page in\na browser, on any device, and enter the code "
        "there. The sign-in is kept here, under a\nseal, and renewed by "
        "itself.\n"
        "\n"
        "RELAY is cmdop://HOST:PORT/PIN (a join string will do, its key is "
        "not used), or the name\nof an earlier sign-in. Without it: the "
        "current sign-in, or the relay of this machine.\n"
        "HOST:PORT alone is a relay with a certificate that this machine "
        "trusts; its key is kept.\n"
        "\n"
        "  --name NAME    what to call the sign-in (default: the relay's "
        "host); two names may\n                 be for one relay, each with "
        "a fleet\n"
        "  --no-browser   start no browser on this desktop\n"
        "  --no-keyring   keep the key of the seal in a file, not in the "
        "desktop's keyring\n"
        "  --ca-file F    authorities for a HOST:PORT (default: the "
        "system's)\n"
        "  --json         one object for each step\n"
        "\n"
        "example:\n"
        "  cmdop login --server cmdop://relay.example:50051/PIN\n",
    .run = run_login,
};

const struct cmd logout_cmd = {
    .name = "logout",
    .summary = "end a sign-in, at the relay and here",
    .help = "usage: cmdop logout [--server NAME | --all] [--json]\n"
            "\n"
            "End the current sign-in, the one called NAME, or all. The relay "
            "is asked to end it; if\nit cannot be reached, that is said, and "
            "the sign-in is gone here all the same.\n"
            "\n"
            "  --all   every sign-in, and the file they are in, readable or "
            "not\n"
            "\n"
            "example:\n"
            "  cmdop logout --server relay.example\n",
    .run = run_logout,
};

const struct cmd auth_cmd = {
    .name = "auth",
    .summary = "who is signed in, and where",
    .help = "usage: cmdop auth status [--server NAME] [--json]\n"
            "       cmdop auth list [--json]\n"
            "       cmdop auth use NAME\n"
            "       cmdop auth login ... | logout ...\n"
            "\n"
            "  status   who the current sign-in is for; the relay is asked\n"
            "  list     all sign-ins here; * is the current one\n"
            "  use      make another one current\n"
            "  login    as `cmdop login`; logout as `cmdop logout`\n"
            "\n"
            "The tool uses no API key: CMDOP_API_KEY is for SDKs.\n"
            "\n"
            "example:\n"
            "  cmdop auth use relay.example && cmdop auth status\n",
    .run = run,
};
