/*
 * `cmdop register`: somebody who is signed in makes this machine a member of
 * his fleet. The relay is asked for a join key that is good for one machine
 * and some minutes, by the stored sign-in, and the machine joins with it.
 */
#include <string.h>

#include "agent/enrol.h"
#include "agent/verbs.h"
#include "base/err.h"
#include "core/client.h"
#include "core/credential.h"
#include "crypto/ct.h"

#define KEY_S 600

static void on_key(void *ctx, struct view record)
{
    msg_join_key *k = ctx;
    if (msg_decode(record, cmdop_agent_v1_JoinKey_fields, k) != OK)
        k->key[0] = '\0';
}

/* The relay of the sign-in: its address and its pin. */
static int find_relay(const struct paths *paths, const struct where *where,
                      struct joinstr *to, struct text *why)
{
    static struct credentials all;
    const struct credential *c = client_server(paths, where, &all, why);
    if (c == NULL)
        return ERR_NOT_FOUND;
    memcpy(to->pin, c->pin, sizeof(to->pin));
    int err = joinstr_address(view_str(c->address), to->host, &to->port, why);
    credential_wipe(&all);
    return err;
}

static int ask_key(const struct cmd_env *env, const struct where *where,
                   const char *name, char key[96])
{
    static msg_join_key k;
    msg_join_key_open o = cmdop_agent_v1_JoinKeyOpen_init_zero;
    uint8_t raw[256];
    struct text t;
    TEXT_OF(&t, o.label);
    text_join(&t, "register ", name, NULL);
    o.uses_max = 1;
    o.expires_s = KEY_S;
    int n = msg_encode_plain(SPAN_ARRAY(raw), cmdop_agent_v1_JoinKeyOpen_fields,
                             &o);
    struct client_question q = {.version = env->version,
                                .where = *where,
                                .method = "joinkeys.make",
                                .request = view_of(raw, n < 0 ? 0 : (size_t)n),
                                .record = on_key,
                                .ctx = &k};
    int status = client_ask(&q);
    if (status == CMD_OK && !joinstr_key_ok(view_str(k.key))) {
        cmd_say("the relay gave no join key; update it", NULL);
        status = CMD_TRANSPORT;
    }
    bytes_to_str(key, 96, view_str(k.key));
    ct_wipe(SPAN_ARRAY(k.key));
    return status;
}

static int do_register(const struct cmd_env *env, const struct where *where,
                       const char *name)
{
    static struct enrol_result result;
    static struct enrolment e;
    static struct paths paths;
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    enrol_name(name, e.name);
    if (paths_find(&paths, &why) != OK ||
        find_relay(&paths, where, &e.to, &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_TRANSPORT;
    }
    int status = ask_key(env, where, e.name, e.to.key);
    if (status == CMD_OK) {
        enrol(&e, &paths, env->version, &result);
        status = enrol_say(&result, &paths);
    }
    enrol_wipe(&e);
    return status;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
    struct where where = {0};
    const char *name = NULL;
    const struct cmd_opt opts[] = {
        {"--name", "-n", NULL, &name},
        {"--server", "-s", NULL, &where.server},
        {"--workspace", "-w", NULL, &where.workspace}};
    int rest;
    int status = cmd_options(&register_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc > 1)
        return cmd_usage(&register_cmd, "nothing is expected here: ", argv[1]);
    if (cmd_name(&register_cmd, name) != CMD_OK)
        return CMD_USAGE;
    return do_register(env, &where, name);
}

const struct cmd register_cmd = {
    .name = "register",
    .summary = "make this machine one of your fleet",
    .help =
        "usage: cmdop register [--name NAME] [--server S]\n"
        "\n"
        "Enrol this machine in the fleet that you are signed in to "
        "(`cmdop login`); an\nadmin or owner may. The agent is not started: "
        "`cmdop agent start` does that.\n"
        "\n"
        "  --name NAME  name of this machine in the fleet (default: host "
        "name)\n"
        "  --server S   another sign-in than the current one\n"
        "\n"
        "example:\n"
        "  cmdop login && cmdop register && cmdop agent start\n",
    .run = run,
};
