/*
 * `cmdop join`: enrol this machine with a join string. Makes the identity at
 * the first time, proves it to the relay together with the join key, and
 * writes down what the agent needs to come back by itself.
 */
#include <string.h>

#include "agent/verbs.h"
#include "base/err.h"
#include "core/agentfile.h"
#include "core/facts.h"
#include "core/identity.h"
#include "core/joinstr.h"
#include "core/paths.h"
#include "core/peer.h"
#include "crypto/ct.h"
#include "transport/dial.h"

#define DIAL_MS 15000

struct join {
    struct paths paths;
    struct joinstr to;
    struct identity identity;
    struct arena arena;
    struct loop loop;
    struct dial dial;
    struct peer peer;
    msg_hello hello;
    struct link_credential credential;
    char name[NAME_CAP];
    bool over;
    int status;
};

static void on_welcomed(void *ctx, const msg_welcome *w)
{
    struct join *j = ctx;
    struct agentfile f = {.port = j->to.port};
    char buf[512];
    struct text why, t;
    STR_COPY(f.host, j->to.host);
    memcpy(f.pin, j->to.pin, sizeof(f.pin));
    STR_COPY(f.machine_id, w->machine_id);
    STR_COPY(f.fleet_id, w->fleet_id);
    STR_COPY(f.name, w->name);
    text_init(&t, f.joined_at, sizeof(f.joined_at));
    text_time(&t, port_wall_ms());
    TEXT_OF(&why, buf);
    if (agentfile_save(j->paths.state, &f, &why) != OK) {
        cmd_say("the relay let us in, but ", buf, NULL);
    } else {
        j->status = CMD_OK;
        TEXT_OF(&t, buf);
        text_join(&t, "joined as ", NULL);
        text_safe(&t, view_str(f.name));
        text_join(&t, " (", f.machine_id, ")\nfingerprint ",
                  j->identity.fingerprint, "\nnext: cmdop agent start\n", NULL);
        cmd_out(text_done(&t));
    }
    peer_end(&j->peer);
}

static void on_refused(void *ctx, const msg_refuse *r)
{
    (void)ctx;
    (void)r; /* the sentence comes with the end of the link */
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct join *j = ctx;
    (void)params;
    (void)mux_reject(&j->peer.link.mux, open->channel,
                     cmdop_agent_v1_Code_CODE_UNSUPPORTED,
                     "the machine is only joining now", "");
}

static void on_wake(void *ctx)
{
    struct join *j = ctx;
    peer_wake(&j->peer);
}

static const struct link_ops ops = {
    .welcomed = on_welcomed,
    .refused = on_refused,
    .open = on_open,
    .wake = on_wake,
};

static void on_over(void *ctx, const char *why)
{
    struct join *j = ctx;
    if (j->status != CMD_OK)
        cmd_say("cannot join: ",
                why[0] != '\0' ? why : "the relay closed the connection", NULL);
    j->over = true;
}

static void on_dialed(void *ctx, int handle, const char *why)
{
    struct join *j = ctx;
    uint8_t entropy[32];
    if (handle < 0) {
        on_over(j, why);
        return;
    }
    port_entropy(SPAN_ARRAY(entropy));
    struct tls_client_cfg tls = {.server_name = j->to.host,
                                 .entropy = VIEW_ARRAY(entropy)};
    if (peer_dialed(&j->peer, handle, &tls, j->to.host, &j->credential, &ops,
                    on_over, j) != OK)
        on_over(j, "the connection could not be set up");
}

static int enrol(struct join *j, const char *version)
{
    arena_init(&j->arena,
               port_memory(PEER_CARVE_BYTES + PEER_SCRATCH_BYTES + 65536));
    if (h2_prepare() != OK)
        return CMD_FAILED;
    loop_init(&j->loop, &j->arena, 64, 64);
    struct link_mem mem = peer_carve(&j->arena, true);
    peer_init(&j->peer, &j->loop, &mem,
              arena_span(&j->arena, PEER_SCRATCH_BYTES));
    facts_hello(&j->hello, cmdop_agent_v1_Role_ROLE_MACHINE, version);
    facts_machine(&j->hello);
    j->credential = (struct link_credential){.hello = &j->hello,
                                             .pin = j->to.pin,
                                             .machine = &j->identity.key,
                                             .join_key = j->to.key,
                                             .name = j->name,
                                             .entropy = port_entropy};
    j->status = CMD_TRANSPORT;
    (void)dial_init(&j->dial, &j->loop);
    if (dial_start(&j->dial, j->to.host, j->to.port, DIAL_MS, on_dialed, j) !=
        OK)
        return CMD_USAGE;
    while (!j->over)
        if (loop_turn(&j->loop) != OK)
            port_fatal(port_why());
    return j->status;
}

/* The string itself, "-" for standard input, or CMDOP_JOIN_KEY_FILE: an
 * argument is seen by every user of the machine. */
static int read_string(const char *arg, char *out, size_t cap)
{
    char path[PATH_CAP];
    int n = 0;
    if (arg != NULL && strcmp(arg, "-") != 0)
        return (int)bytes_to_str(out, cap, view_str(arg));
    if (arg == NULL && port_env("CMDOP_JOIN_KEY_FILE", path, sizeof(path))) {
        n = port_keep_read(path, false, (struct span){(uint8_t *)out, cap - 1});
    } else if (arg == NULL && port_env("CMDOP_JOIN_KEY", out, cap)) {
        return (int)strlen(out);
    } else if (arg != NULL) {
        for (int got = 1; got > 0 && (size_t)n < cap - 1; n += got) {
            struct port_want want = {.handle = PORT_STDIN, .want = PORT_READ};
            (void)port_wait(&want, 1, PORT_FOREVER);
            got = port_recv(PORT_STDIN, (struct span){(uint8_t *)out + n,
                                                      cap - 1 - (size_t)n});
            if (got < 0)
                break;
        }
    }
    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
        n--;
    out[n < 0 ? 0 : n] = '\0';
    return n;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
    static struct join j;
    const char *name = NULL;
    const struct cmd_opt opts[] = {{"--name", "-n", NULL, &name}};
    char string[JOINSTR_CAP + 1], buf[512];
    struct text why;
    int rest;
    int status = cmd_options(&join_cmd, &argc, argv, &rest, opts, 1);
    if (status >= 0)
        return status;
    if (argc > 2)
        return cmd_usage(&join_cmd, "one join string, please: ", argv[2]);
    TEXT_OF(&why, buf);
    int len = read_string(argc == 2 ? argv[1] : NULL, string, sizeof(string));
    if (len < 0) {
        cmd_say("the join string cannot be read: ", port_why(), NULL);
        return CMD_FAILED;
    }
    if (len == 0)
        return cmd_usage(&join_cmd, "a join string is missing", "");
    int err = joinstr_parse(view_str(string), &j.to, &why);
    ct_wipe(SPAN_ARRAY(string));
    if (err != OK) {
        cmd_say("that is not a join string: ", buf, NULL);
        return CMD_USAGE;
    }
    if (name == NULL && !port_env("CMDOP_MACHINE_NAME", j.name, NAME_CAP))
        port_hostname(j.name, sizeof(j.name));
    else if (name != NULL)
        STR_COPY(j.name, name);
    err = paths_find(&j.paths, &why);
    if (err == OK)
        err = identity_load_or_make(j.paths.state, j.paths.config, &j.identity,
                                    &why);
    if (err != OK) {
        cmd_say(buf, NULL);
        return CMD_FAILED;
    }
    status = enrol(&j, env->version);
    identity_wipe(&j.identity);
    ct_wipe(SPAN_ARRAY(j.to.key));
    return status;
}

const struct cmd join_cmd = {
    .name = "join",
    .summary = "enrol this machine at a relay",
    .help = "usage: cmdop join [--name NAME] STRING\n"
            "       cmdop join [--name NAME] -          (read from stdin)\n"
            "\n"
            "Enrol this machine with the join string that `cmdop server "
            "join-key` prints\non the relay. The string carries the relay's "
            "address, its key and a secret.\nWithout STRING it is taken from "
            "CMDOP_JOIN_KEY_FILE or CMDOP_JOIN_KEY.\n"
            "\n"
            "  --name NAME   name of this machine in the fleet (default: "
            "host name)\n"
            "\n"
            "example:\n"
            "  ssh relay cmdop server join-key | cmdop join --name web-1 -\n",
    .run = run,
};
