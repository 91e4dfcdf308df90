/*
 * `cmdop connect password`: the attach password of a machine, from afar or of
 * this one, and the tokens that this user's tool keeps.
 */
#include <string.h>

#include "base/err.h"
#include "cli/run.h"
#include "cli/unlock.h"
#include "crypto/ct.h"
#include "crypto/sign.h"

struct work {
    struct client client;
    struct unlock unlock;
    const char *what; /* to say when it was done */
    bool json;
    bool answered;
};

static const char *shown(const char *host)
{
    return host[0] != '\0' ? host : "this machine";
}

/* ---- status ------------------------------------------------------------------------- */

static const char *state_of(msg_password_state state)
{
    switch (state) {
    case cmdop_agent_v1_PasswordState_PASSWORD_STATE_NONE: return "none";
    case cmdop_agent_v1_PasswordState_PASSWORD_STATE_ARMED: return "armed";
    case cmdop_agent_v1_PasswordState_PASSWORD_STATE_DAMAGED: return "damaged";
    case cmdop_agent_v1_PasswordState_PASSWORD_STATE_UNSPECIFIED: break;
    }
    return "unknown";
}

static const char *meaning(msg_password_state state)
{
    switch (state) {
    case cmdop_agent_v1_PasswordState_PASSWORD_STATE_NONE:
        return "no password: who may use the machine comes in";
    case cmdop_agent_v1_PasswordState_PASSWORD_STATE_ARMED:
        return "armed: who comes in must have the password";
    case cmdop_agent_v1_PasswordState_PASSWORD_STATE_DAMAGED:
        return "damaged: the password file cannot be read, and nobody comes "
               "in from outside; run `cmdop connect password set` or `clear` "
               "there";
    case cmdop_agent_v1_PasswordState_PASSWORD_STATE_UNSPECIFIED: break;
    }
    return "this cmdop does not know what its answer means";
}

static void print_status(const char *host, const msg_password_key *k, bool json,
                         bool has_token)
{
    char print[SIGN_FINGERPRINT_CAP] = "", buf[1024];
    struct json_out j;
    struct text t;
    if (k->machine_key.size == SIGN_PUB_LEN)
        sign_fingerprint(k->machine_key.bytes, print);
    if (json) {
        json_begin(&j, buf, sizeof(buf));
        json_obj_begin(&j);
        json_member(&j, "host", host);
        json_member(&j, "machine_id", k->machine_id);
        json_member(&j, "state", state_of(k->state));
        json_key(&j, "armed");
        json_bool(&j,
                  k->state != cmdop_agent_v1_PasswordState_PASSWORD_STATE_NONE);
        json_key(&j, "tokens");
        json_u64(&j, k->tokens);
        json_key(&j, "token_here");
        json_bool(&j, has_token);
        json_member(&j, "public_key_fingerprint", print);
        json_obj_end(&j);
        cmd_out_json(&j);
        return;
    }
    TEXT_OF(&t, buf);
    text_safe(&t, view_str(shown(host)));
    text_join(&t, "  ", meaning(k->state), "\n", NULL);
    if (k->state == cmdop_agent_v1_PasswordState_PASSWORD_STATE_ARMED) {
        text_str(&t, "tokens in force  ");
        text_u64(&t, k->tokens);
        text_str(&t, has_token ? ", one of them here\n" : "\n");
    }
    if (print[0] != '\0')
        text_join(&t, "key  ", print, "\n", NULL);
    cmd_out(text_done(&t));
}

/* ---- on a connection ------------------------------------------------------------------- */

static void on_done(void *ctx, msg_code code, const char *message,
                    const char *remedy)
{
    struct work *w = ctx;
    struct unlock *u = &w->unlock;
    w->answered = true;
    if (w->client.done)
        return;
    if (code != cmdop_agent_v1_Code_CODE_UNSPECIFIED) {
        cmd_say(message, remedy[0] != '\0' ? "; " : "", remedy, NULL);
        client_leave(&w->client, client_status(code));
        return;
    }
    if (u->order == cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNSPECIFIED) {
        unlock_recall(u);
        print_status(u->target, &u->key, w->json, u->has_token);
    } else {
        cmd_say(shown(u->target), w->what, NULL);
    }
    client_leave(&w->client, CMD_OK);
}

static void on_up(void *ctx)
{
    struct work *w = ctx;
    unlock_begin(&w->unlock);
}

static void on_down(void *ctx, const char *why, bool fatal)
{
    struct work *w = ctx;
    (void)fatal;
    if (!w->client.done)
        cmd_say(why, NULL);
    client_leave(&w->client, CMD_TRANSPORT);
}

static const struct client_ops client_ops = {.up = on_up, .down = on_down};

/* w->unlock has the order, and what belongs to it. */
static int run_on(struct work *w, const struct cmd_env *env,
                  const struct where *where, const char *host)
{
    char buf[512];
    struct arena arena;
    struct text why;
    struct where to = *where;
    to.local |= host[0] == '\0';
    msg_password_order order = w->unlock.order;
    TEXT_OF(&why, buf);
    arena_init(&arena, port_memory(CLIENT_BYTES + QUESTION_RING + 4096));
    if (client_init(&w->client, &arena, env->version, &to, &client_ops, w,
                    &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_TRANSPORT;
    }
    unlock_init(&w->unlock, &arena, &w->client, host);
    w->unlock.order = order;
    w->unlock.file = where->password_file;
    w->unlock.silent = w->json;
    w->unlock.done = on_done;
    w->unlock.ctx = w;
    client_connect(&w->client);
    int status = client_run(&w->client);
    port_term_restore();
    unlock_wipe(&w->unlock);
    return status;
}

/* ---- this machine, while no agent runs -------------------------------------------------- */

static int make_hash(struct secret *next, char stored[PWHASH_CAP])
{
    uint8_t salt[PWHASH_SALT_LEN];
    port_entropy(SPAN_ARRAY(salt));
    return pwhash_make(secret_view(next), salt, stored);
}

static int change_file(struct lock *l, struct unlock *u)
{
    char stored[PWHASH_CAP];
    int err;
    switch (u->order) {
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_SET:
        err = make_hash(&u->next, stored);
        return err == OK ? lock_set(l, stored, port_now_ms()) : err;
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_CLEAR:
        return lock_clear(l);
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_REVOKE:
        return l->state == cmdop_agent_v1_PasswordState_PASSWORD_STATE_ARMED
                   ? lock_revoke(l, port_now_ms())
                   : OK;
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNLOCK:
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNSPECIFIED: break;
    }
    return OK;
}

static int run_file(struct work *w, const struct paths *paths)
{
    static struct lock l;
    lock_load(&l, paths->state, port_now_ms());
    if (w->unlock.order ==
        cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNSPECIFIED) {
        msg_password_key k = {.state = l.state,
                              .tokens = lock_tokens(&l, port_wall_ms())};
        print_status("", &k, w->json, false);
        return CMD_OK;
    }
    int err = change_file(&l, &w->unlock);
    unlock_wipe(&w->unlock);
    if (err != OK) {
        cmd_say("the password file cannot be changed: ", port_why(), NULL);
        return CMD_FAILED;
    }
    cmd_say("this machine", w->what, NULL);
    return CMD_OK;
}

/* An agent that runs holds the lock, and must do it itself. Until we end no
 * agent starts. */
static bool no_agent_runs(const struct paths *paths)
{
    char path[PATH_CAP];
    int pid;
    return port_keep_folder(paths->state) == OK &&
           paths_join(path, paths->state, "agent.lock") == OK &&
           port_keep_lock(path, &pid) == OK;
}

static int run_order(struct work *w, const struct cmd_env *env,
                     const struct where *where, const char *host)
{
    struct paths paths;
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    if (host[0] != '\0' && !where->local)
        return run_on(w, env, where, host);
    if (paths_find(&paths, &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_FAILED;
    }
    return no_agent_runs(&paths) ? run_file(w, &paths)
                                 : run_on(w, env, where, "");
}

/* ---- the new password ---------------------------------------------------------------------- */

static int typed_twice(const char *host, struct secret *out)
{
    char line[160];
    struct secret again;
    struct text t;
    TEXT_OF(&t, line);
    text_str(&t, "New password for ");
    text_safe(&t, view_str(shown(host)));
    text_str(&t, ": ");
    int err = secret_ask(line, out);
    if (err == OK)
        err = secret_ask("Again: ", &again);
    if (err == OK && !ct_eq(secret_view(out), secret_view(&again)))
        err = ERR_RANGE;
    secret_wipe(&again);
    return err;
}

/* Typed, or the line that standard input holds. CMD_OK, or it was said. */
static int get_new(const char *host, struct secret *out)
{
    int err = port_is_tty(PORT_STDIN) ? typed_twice(host, out)
                                      : secret_from_stdin(out);
    if (err == ERR_RANGE)
        cmd_say("the two are not the same; nothing was changed", NULL);
    else if (err == ERR_TOO_BIG)
        cmd_say("a password has no more than 128 bytes", NULL);
    else if (err != OK)
        cmd_say("no password was given; nothing was changed", NULL);
    else if (out->len < LOCK_PASSWORD_MIN)
        cmd_say("a password has 8 characters or more; nothing was changed",
                NULL);
    else
        return CMD_OK;
    secret_wipe(out);
    return CMD_USAGE;
}

/* ---- list ----------------------------------------------------------------------------------- */

struct list {
    bool json;
    uint32_t count;
};

static void list_one(void *ctx, const struct unlock_token *token)
{
    struct list *l = ctx;
    char buf[512];
    struct json_out j;
    struct view v;
    struct text t;
    l->count++;
    if (l->json) {
        json_begin(&j, buf, sizeof(buf));
        json_obj_begin(&j);
        json_member(&j, "host", token->name);
        json_member(&j, "machine_id", token->machine_id);
        json_key(&j, "expires_at");
        json_time(&j, token->until_ms);
        json_obj_end(&j);
        cmd_out(view_str(l->count > 1 ? "," : ""));
        if (json_done(&j, &v) == OK)
            cmd_out(v);
        return;
    }
    TEXT_OF(&t, buf);
    if (l->count == 1)
        text_str(&t, "HOST                UNTIL                 ID\n");
    size_t from = t.len;
    text_safe(&t, view_str(token->name));
    text_str(&t, " ");
    text_pad(&t, from, 20);
    text_time(&t, token->until_ms);
    text_str(&t, "  ");
    text_safe(&t, view_str(token->machine_id));
    text_str(&t, "\n");
    cmd_out(text_done(&t));
}

static int run_list(bool json)
{
    struct list l = {.json = json};
    struct paths paths;
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    if (paths_find(&paths, &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_FAILED;
    }
    if (json)
        cmd_out(view_str("{\"tokens\":["));
    unlockfile_list(paths.runtime, port_wall_ms(), list_one, &l);
    if (json)
        cmd_out(view_str("]}\n"));
    else if (l.count == 0)
        cmd_say("no token of a machine is kept here", NULL);
    return CMD_OK;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static const struct cmd password_cmd = {
    .name = "connect password",
    .help =
        "usage: cmdop connect password set|clear|status [options] [HOST]\n"
        "       cmdop connect password list [--json]\n"
        "\n"
        "The attach password of a machine: whoever comes through the relay "
        "must have it as\nwell. HOST left away is this machine, as the user "
        "of its agent. The machine alone\nknows the password; the relay "
        "never does.\n"
        "\n"
        "  set                 a new one, typed twice, or a line on standard "
        "input; ends all tokens\n"
        "  clear               none any more; with --tokens only the tokens "
        "end\n"
        "  status              is there one, and which key has the machine\n"
        "  list                machines that let this user in without asking, "
        "for a day\n"
        "\n"
        "  --password-file F   the present password, when HOST has one "
        "(or CMDOP_AGENT_PASSWORD)\n"
        "  --accept-key        status: take the machine's key, whatever was "
        "known of it\n"
        "  --json              one JSON object\n"
        "  -s, --server NAME   another relay than the current one\n"
        "\n"
        "example:\n"
        "  cmdop connect password set web-1\n",
};

static int order_of(const char *word, bool tokens, struct work *w)
{
    if (strcmp(word, "set") == 0 && !tokens) {
        w->unlock.order = cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_SET;
        w->what = ": the password was set; tokens of the old one have ended";
    } else if (strcmp(word, "clear") == 0 && !tokens) {
        w->unlock.order = cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_CLEAR;
        w->what = ": there is no attach password any more";
    } else if (strcmp(word, "clear") == 0) {
        w->unlock.order = cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_REVOKE;
        w->what = ": all tokens have ended";
    } else if (strcmp(word, "status") == 0 && !tokens) {
        w->unlock.order =
            cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNSPECIFIED;
    } else {
        return ERR_NOT_FOUND;
    }
    return OK;
}

int password_run(const struct cmd_env *env, int argc, char **argv)
{
    static struct work w;
    struct where where = {0};
    bool tokens = false;
    const struct cmd_opt opts[] = {
        {"--tokens", NULL, &tokens, NULL},
        {"--json", NULL, &w.json, NULL},
        {"--accept-key", NULL, &w.unlock.accept_key, NULL},
        WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(&password_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    const char *word = argc > 1 ? argv[1] : "";
    const char *host = argc > 2 ? argv[2] : "";
    if (argc > 3)
        return cmd_usage(&password_cmd, "one machine, please: ", argv[3]);
    if (strcmp(word, "list") == 0 && argc == 2 && !tokens)
        return run_list(w.json);
    if (order_of(word, tokens, &w) != OK)
        return cmd_usage(&password_cmd,
                         "say set, clear, list or status, not: ", word);
    if (w.unlock.order == cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_SET) {
        status = get_new(host, &w.unlock.next);
        if (status != CMD_OK)
            return status;
    }
    return run_order(&w, env, &where, host);
}
