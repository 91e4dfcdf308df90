/*
 * `cmdop logout`: the relay is asked to end the sign-in, on a link without a
 * token; and whatever it says, or does not, nothing is left here.
 */
#include <string.h>

#include "base/err.h"
#include "cli/login.h"
#include "core/client.h"
#include "core/keyring.h"
#include "crypto/ct.h"

#define REVOKE_MS 8000 /* for the relay to answer */

/* ---- the relay's part ----------------------------------------------------------------- */

struct revoke {
    struct client client;
    struct question question;
    struct span buf;
    const struct credential *of;
    int timer;
    bool done;
    char why[320];
};

static void leave(struct revoke *r, const char *why)
{
    if (r->client.done)
        return;
    STR_COPY(r->why, why);
    client_leave(&r->client, CMD_OK);
}

static void on_record(void *ctx, struct view record)
{
    (void)ctx;
    (void)record;
}

static void on_done(void *ctx, const question_failure *why)
{
    struct revoke *r = ctx;
    r->done = why == NULL;
    leave(r, why == NULL ? "" : why->message);
}

static void on_up(void *ctx)
{
    struct revoke *r = ctx;
    uint8_t raw[200];
    cmdop_agent_v1_AuthRevokeOpen open =
        cmdop_agent_v1_AuthRevokeOpen_init_zero;
    STR_COPY(open.token,
             r->of->refresh[0] != '\0' ? r->of->refresh : r->of->token);
    int len = msg_encode_plain(SPAN_ARRAY(raw),
                               cmdop_agent_v1_AuthRevokeOpen_fields, &open);
    r->question =
        (struct question){.record = on_record, .done = on_done, .ctx = r};
    if (len < 0 ||
        question_send(&r->question, client_mux(&r->client), r->buf, "",
                      "auth.revoke", view_of(raw, (size_t)len)) != OK)
        leave(r, "the question does not fit the connection");
    ct_wipe(SPAN_ARRAY(raw));
    ct_wipe((struct span){(uint8_t *)&open, sizeof(open)});
}

static void on_down(void *ctx, const char *why, bool fatal)
{
    (void)fatal;
    leave(ctx, why);
}

static void on_timer(void *ctx, uint64_t now_ms)
{
    (void)now_ms;
    leave(ctx, "the relay does not answer");
}

static const struct client_ops client_ops = {.up = on_up, .down = on_down};

/* True when the relay has ended it; else r->why. */
static bool revoke(struct revoke *r, const struct cmd_env *env,
                   const struct credential *of)
{
    struct arena arena;
    struct text why;
    memset(r, 0, sizeof(*r));
    TEXT_OF(&why, r->why);
    r->of = of;
    arena_init(&arena, port_memory(CLIENT_BYTES + QUESTION_RING));
    if (client_init_guest(&r->client, &arena, env->version, of, &client_ops, r,
                          &why) != OK)
        return false;
    r->buf = arena_span(&arena, QUESTION_RING);
    r->timer = loop_timer_add(&r->client.loop, on_timer, r);
    loop_arm(&r->client.loop, r->timer, port_now_ms() + REVOKE_MS);
    client_connect(&r->client);
    (void)client_run(&r->client);
    return r->done;
}

/* ---- our part ------------------------------------------------------------------------- */

struct logout {
    struct paths paths;
    const char *server; /* NULL: the current one */
    bool all;
    bool json;
    bool first;
};

static void say_json(struct logout *o, const struct credential *s, bool told,
                     const char *why)
{
    char buf[2048];
    struct json_out j;
    json_begin(&j, buf, sizeof(buf));
    json_obj_begin(&j);
    json_member(&j, "server", s->name);
    json_key(&j, "revoked");
    json_bool(&j, told);
    json_key(&j, "reason");
    if (told)
        json_null(&j);
    else
        json_cstr(&j, why);
    json_obj_end(&j);
    cmd_out_json(&j);
    o->first = false;
}

static void say(struct logout *o, const struct credential *s, bool told,
                const char *why)
{
    char buf[1024];
    struct text t;
    TEXT_OF(&t, buf);
    if (o->json) {
        say_json(o, s, told, why);
        return;
    }
    text_join(&t, "signed out of ", s->name, NULL);
    if (told) {
        text_str(&t, "; the relay has ended the sign-in");
    } else {
        text_str(&t, " here only; the relay was not told (");
        text_safe(&t, view_str(why));
        text_str(&t, "): an owner can end the sign-in there");
    }
    text_str(&t, "\n");
    cmd_out(text_done(&t));
}

/* Take it out of the file, if it is still the one that we saw. */
static int take_out(const struct paths *p, const struct credential *seen,
                    struct text *why)
{
    static struct credentials all;
    int err = credential_lock(p, why);
    if (err != OK)
        return err;
    err = credential_load(p, &all, why);
    if (err == OK && credential_remove(&all, seen->name) == OK) {
        if (all.current[0] == '\0' && all.count == 1)
            (void)credential_use(&all, all.server[0].name);
        err = credential_save(p, &all, why);
    }
    credential_unlock(p);
    credential_wipe(&all);
    return err;
}

static int end_one(struct logout *o, const struct cmd_env *env,
                   struct credential s)
{
    static struct revoke r;
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    /* First here: a person who is in a hurry pulls the plug now. */
    int err = take_out(&o->paths, &s, &why);
    bool told = s.token[0] == '\0' || revoke(&r, env, &s);
    if (err != OK)
        cmd_say(buf, NULL);
    else
        say(o, &s, told, r.why);
    ct_wipe((struct span){(uint8_t *)&s, sizeof(s)});
    return err == OK ? CMD_OK : CMD_FAILED;
}

/* The files go even when nobody can read them. */
static int forget(struct logout *o, bool keyring)
{
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    int err = credential_lock(&o->paths, &why);
    if (err == OK) {
        err = credential_forget(&o->paths, &why);
        credential_unlock(&o->paths);
    }
    if (err != OK) {
        cmd_say(buf, NULL);
        return CMD_FAILED;
    }
    if (keyring && keyring_remove(o->paths.config, &why) != OK)
        cmd_say("the key of the sign-ins is left in the keyring, and opens "
                "nothing any more: ",
                buf, NULL);
    return CMD_OK;
}

static int end_all(struct logout *o, const struct cmd_env *env)
{
    static struct credentials all;
    char buf[512];
    struct text why;
    int status = CMD_OK;
    TEXT_OF(&why, buf);
    if (credential_load(&o->paths, &all, &why) != OK) {
        cmd_say(buf, NULL);
        cmd_say("it is forgotten here, and no relay was told: their owners "
                "can end the sign-ins",
                NULL);
        return forget(o, false);
    }
    bool keyring = all.where == CREDENTIAL_KEY_KEYRING;
    for (size_t i = 0; i < all.count; i++) {
        int one = end_one(o, env, all.server[i]);
        status = one != CMD_OK ? one : status;
    }
    if (all.count == 0 && !o->json)
        cmd_say("nobody was signed in here", NULL);
    credential_wipe(&all);
    int last = forget(o, keyring);
    return last != CMD_OK ? last : status;
}

static int end_named(struct logout *o, const struct cmd_env *env)
{
    static struct credentials all;
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    if (credential_load(&o->paths, &all, &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_FAILED;
    }
    const struct credential *s = o->server == NULL
                                     ? credential_current(&all)
                                     : credential_find(&all, o->server);
    int status = CMD_FAILED;
    if (s != NULL)
        status = end_one(o, env, *s);
    else if (o->server != NULL)
        cmd_say("no sign-in is called ", o->server,
                "; `cmdop auth list` shows them", NULL);
    else
        cmd_say("nobody is signed in here", NULL);
    credential_wipe(&all);
    return status;
}

int logout_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
               char **argv)
{
    static struct logout o;
    const struct cmd_opt opts[] = {{"--server", "-s", NULL, &o.server},
                                   {"--all", NULL, &o.all, NULL},
                                   {"--json", NULL, &o.json, NULL}};
    char buf[512];
    struct text why;
    int rest;
    int status = cmd_options(cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc > 2 || (argc == 2 && o.server != NULL) || (argc == 2 && o.all))
        return cmd_usage(cmd, "one server, or --all: ", argv[argc - 1]);
    if (argc == 2)
        o.server = argv[1];
    TEXT_OF(&why, buf);
    if (paths_find(&o.paths, &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_FAILED;
    }
    return o.all ? end_all(&o, env) : end_named(&o, env);
}
