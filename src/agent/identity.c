/*
 * `cmdop identity show | rotate | reset`: the key of this machine, by which a
 * relay knows it.
 */
#include "core/identity.h"

#include <string.h>

#include "agent/start.h"
#include "agent/status.h"
#include "agent/verbs.h"
#include "base/err.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "core/agentfile.h"
#include "core/client.h"
#include "core/lease.h"

#define YES_MS  20000 /* for the relay to say yes */
#define POLL_MS 50
#define PUB_CAP 44

struct self {
    struct paths paths;
    struct identity id;
};

static int fail(const char *why)
{
    cmd_say(why, NULL);
    return CMD_FAILED;
}

static int load(struct self *s, struct text *why)
{
    int err = paths_find(&s->paths, why);
    return err == OK
               ? identity_load(s->paths.state, s->paths.config, &s->id, why)
               : err;
}

/* ---- show ------------------------------------------------------------------------ */

static const char *pub_text(const struct sign_key *key, char out[PUB_CAP])
{
    struct writer w;
    writer_init(&w, (struct span){(uint8_t *)out, PUB_CAP - 1});
    base64_write(&w, BASE64_URL, VIEW_ARRAY(key->pub));
    out[w.len] = '\0';
    return out;
}

static void show_json(const struct self *s, const struct agentfile *f)
{
    char buf[2048], pub[PUB_CAP];
    struct json_out j;
    json_begin(&j, buf, sizeof(buf));
    json_obj_begin(&j);
    json_member(&j, "fingerprint", s->id.fingerprint);
    json_member(&j, "public_key", pub_text(&s->id.key, pub));
    json_key(&j, "next_fingerprint");
    if (s->id.has_next)
        json_str(&j, view_str(s->id.next_fingerprint));
    else
        json_null(&j);
    json_key(&j, "joined");
    json_bool(&j, f != NULL);
    if (f != NULL) {
        json_member(&j, "machine_id", f->machine_id);
        json_member(&j, "name", f->name);
        json_member(&j, "fleet_id", f->fleet_id);
    }
    json_obj_end(&j);
    cmd_out_json(&j);
}

static void show_text(const struct self *s, const struct agentfile *f)
{
    char buf[1024], pub[PUB_CAP];
    struct text t;
    TEXT_OF(&t, buf);
    text_join(&t, "Fingerprint  ", s->id.fingerprint, "\nPublic key   ",
              pub_text(&s->id.key, pub), "\n", NULL);
    if (s->id.has_next)
        text_join(&t, "Next key     ", s->id.next_fingerprint,
                  "  (waits for the relay's yes)\n", NULL);
    text_str(&t, "Machine      ");
    if (f != NULL) {
        text_safe(&t, view_str(f->name));
        text_join(&t, " (", f->machine_id, ")\n", NULL);
    } else {
        text_str(&t, "has not joined a relay\n");
    }
    cmd_out(text_done(&t));
}

static int show(struct self *s, bool json)
{
    static struct agentfile file;
    char buf[512], none[512];
    struct text why;
    TEXT_OF(&why, buf);
    if (load(s, &why) != OK)
        return fail(buf);
    TEXT_OF(&why, none);
    bool joined = agentfile_load(s->paths.state, &file, &why) == OK;
    if (json)
        show_json(s, joined ? &file : NULL);
    else
        show_text(s, joined ? &file : NULL);
    return CMD_OK;
}

/* ---- rotate ---------------------------------------------------------------------- */

static void on_status(void *ctx, struct view record)
{
    msg_agent_status *s = ctx;
    if (msg_decode(record, cmdop_agent_v1_AgentStatus_fields, s) != OK)
        s->pid = 0;
}

/* Is the key with this fingerprint the identity by now? */
static bool is_taken(struct self *s, const char *fingerprint)
{
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    return identity_load(s->paths.state, s->paths.config, &s->id, &why) == OK &&
           strcmp(s->id.fingerprint, fingerprint) == 0;
}

static int later(const char *fingerprint, const char *when)
{
    char buf[512];
    struct text t;
    TEXT_OF(&t, buf);
    text_join(&t, "the new key ", fingerprint, " is made; ", when, NULL);
    cmd_say(buf, NULL);
    return CMD_OK;
}

static int done(const char *old, const char *fingerprint)
{
    char buf[512];
    struct text t;
    TEXT_OF(&t, buf);
    text_join(&t, "the relay knows the new key\nFingerprint  ", fingerprint,
              "\nbefore       ", old, "\n", NULL);
    cmd_out(text_done(&t));
    return CMD_OK;
}

/* The agent does it, and takes the new key once the relay has said yes. */
static int rotate_running(struct self *s, const char *version)
{
    static msg_agent_status a;
    char old[SIGN_FINGERPRINT_CAP];
    struct client_question q = {.version = version,
                                .where.local = true,
                                .method = "identity.rotate",
                                .record = on_status,
                                .ctx = &a};
    STR_COPY(old, s->id.fingerprint);
    int status = client_ask(&q);
    if (status != CMD_OK)
        return status;
    if (a.next_fingerprint[0] == '\0')
        return fail("the agent does not know how to change its key; restart "
                    "it: cmdop agent restart");
    if (!a.connected)
        return later(a.next_fingerprint,
                     "the relay cannot be reached now, and is shown it at the "
                     "next connection");
    uint64_t until = port_now_ms() + YES_MS;
    while (!is_taken(s, a.next_fingerprint) && port_now_ms() < until)
        cmd_nap(POLL_MS);
    if (is_taken(s, a.next_fingerprint))
        return done(old, a.next_fingerprint);
    return later(a.next_fingerprint,
                 "the relay has not said yes so far, and is shown it at every "
                 "connection; `cmdop agent logs` may tell why");
}

static int rotate_stopped(struct self *s)
{
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    if (start_lock(&s->paths, &why) != OK ||
        identity_next_make(s->paths.state, s->paths.config, &s->id, &why) != OK)
        return fail(buf);
    return later(s->id.next_fingerprint,
                 "no agent runs, so the relay is shown it when one starts");
}

static int rotate(struct self *s, const char *version)
{
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    if (load(s, &why) != OK)
        return fail(buf);
    return status_holder(s->paths.state) != 0 ? rotate_running(s, version)
                                              : rotate_stopped(s);
}

/* ---- reset ----------------------------------------------------------------------- */

/* In this order: interrupted, the machine has its old identity still, or has
 * not joined, and the verb can be repeated. */
static int take_away(const struct paths *paths, struct text *why)
{
    char path[PATH_CAP];
    int err = start_lock(paths, why);
    if (err == OK)
        err = paths_join(path, paths->state, "agent.json");
    if (err != OK)
        return err;
    err = port_keep_remove(path);
    if (err != OK && err != ERR_NOT_FOUND) {
        text_join(why, "cannot remove ", path, ": ", port_why(), NULL);
        return err;
    }
    err = lease_remove(paths->state, why);
    return err == OK ? identity_set_aside(paths->state, why) : err;
}

static int reset(struct self *s, bool yes)
{
    char buf[640];
    struct text t;
    TEXT_OF(&t, buf);
    if (paths_find(&s->paths, &t) != OK)
        return fail(buf);
    if (!yes) {
        cmd_say("this machine becomes a stranger to its relay and must join "
                "again; say so with --yes",
                NULL);
        return CMD_USAGE;
    }
    if (take_away(&s->paths, &t) != OK)
        return fail(buf);
    text_join(&t, "the identity is taken away, and kept as ", s->paths.state,
              "/identity.old\nnext: cmdop join with a new join string\n", NULL);
    cmd_out(text_done(&t));
    return CMD_OK;
}

/* ---- the verb -------------------------------------------------------------------- */

static int run_verb(struct self *s, const struct cmd_env *env, int argc,
                    char **argv)
{
    bool json = false, yes = false;
    const struct cmd_opt opts[] = {{"--json", NULL, &json, NULL},
                                   {"--yes", NULL, &yes, NULL}};
    int rest;
    int status = cmd_options(&identity_cmd, &argc, argv, &rest, opts, 2);
    if (status >= 0)
        return status;
    const char *verb = argc > 1 ? argv[1] : "";
    if (argc > 2)
        return cmd_usage(&identity_cmd, "nothing is expected here: ", argv[2]);
    if (json && strcmp(verb, "show") != 0)
        return cmd_usage(&identity_cmd, "only `show` has an answer for ",
                         "--json");
    if (yes && strcmp(verb, "reset") != 0)
        return cmd_usage(&identity_cmd, "nothing is asked here: ", "--yes");
    if (strcmp(verb, "show") == 0)
        return show(s, json);
    if (strcmp(verb, "rotate") == 0)
        return rotate(s, env->version);
    if (strcmp(verb, "reset") == 0)
        return reset(s, yes);
    return cmd_usage(&identity_cmd, "show, rotate or reset? ", verb);
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
    static struct self s;
    int status = run_verb(&s, env, argc, argv);
    identity_wipe(&s.id);
    return status;
}

const struct cmd identity_cmd = {
    .name = "identity",
    .summary = "the key of this machine: show, replace, take away",
    .help = "usage: cmdop identity show [--json]\n"
            "       cmdop identity rotate\n"
            "       cmdop identity reset --yes\n"
            "\n"
            "show    the fingerprint, to be compared with the one that "
            "`cmdop machines`\n        has, over another way\n"
            "rotate  replace the key; the relay keeps the machine's id, name "
            "and history,\n        and sessions go on\n"
            "reset   take the key away and forget the relay; the machine joins "
            "as a new one.\n        The old key stays beside, as identity.old\n"
            "\n"
            "example:\n"
            "  cmdop identity show\n",
    .run = run,
};
