/* Enrolling this machine; see enrol.h. */
#include "agent/enrol.h"

#include <string.h>

#include "agent/status.h"
#include "base/err.h"
#include "core/agentfile.h"
#include "core/cmd.h"
#include "core/facts.h"
#include "core/identity.h"
#include "core/peer.h"
#include "core/trust.h"
#include "crypto/ct.h"
#include "transport/dial.h"

#define DIAL_MS 15000

/* ---- what to join with -------------------------------------------------------- */

static int read_stdin(char *out, size_t cap)
{
    int n = 0;
    for (int got = 1; got > 0 && (size_t)n < cap - 1; n += got) {
        struct port_want want = {.handle = PORT_STDIN, .want = PORT_READ};
        (void)port_wait(&want, 1, PORT_FOREVER);
        got = port_recv(PORT_STDIN,
                        (struct span){(uint8_t *)out + n, cap - 1 - (size_t)n});
        if (got < 0)
            break;
    }
    return n;
}

/* The string itself, "-" for standard input, or the environment: an argument
 * is seen by every user of the machine. Its length, 0 for none. */
static int read_string(const char *arg, char *out, size_t cap)
{
    char path[PATH_CAP];
    int n = 0;
    if (arg != NULL && strcmp(arg, "-") != 0)
        return (int)bytes_to_str(out, cap, view_str(arg));
    if (arg != NULL)
        n = read_stdin(out, cap);
    else if (port_env("CMDOP_JOIN_KEY_FILE", path, sizeof(path)) &&
             path[0] != '\0')
        n = port_keep_read(path, false, (struct span){(uint8_t *)out, cap - 1});
    else if (port_env("CMDOP_JOIN_KEY", out, cap))
        n = (int)strlen(out);
    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
        n--;
    out[n < 0 ? 0 : n] = '\0';
    return n;
}

/* *is_first: nobody told the relay's key, so its certificate must do once. */
static int parse_key(struct view key, const char *server, struct joinstr *to,
                     bool *is_first, struct text *why)
{
    char env[JOINSTR_CAP];
    bool pinned;
    if (server == NULL && port_env("CMDOP_SERVER_URL", env, sizeof(env)))
        server = env;
    if (server == NULL || server[0] == '\0') {
        text_str(why, "a join key alone does not tell its relay; set "
                      "CMDOP_SERVER_URL to cmdop://HOST:PORT/PIN, or use the "
                      "whole string that `cmdop server join-key` printed");
        return ERR_RANGE;
    }
    text_str(why, "cannot join with that: ");
    int err = joinstr_parse_apart(view_str(server), key, to, &pinned, why);
    *is_first = err == OK && !pinned;
    if (!*is_first)
        return err;
    return trust_host(to->host, port_wall_ms() / 1000, why) == OK ? OK
                                                                  : ERR_RANGE;
}

static int parse(const char *string, const char *server, struct joinstr *to,
                 bool *is_first, struct text *why)
{
    struct view in = view_str(string);
    if (joinstr_is_key(in))
        return parse_key(in, server, to, is_first, why);
    if (server != NULL) {
        text_str(why, "a whole join string names its relay; leave --server "
                      "away");
        return ERR_RANGE;
    }
    text_str(why, "that is not a join string: ");
    return joinstr_parse(in, to, why);
}

void enrol_name(const char *name, char out[NAME_CAP])
{
    if (name != NULL)
        bytes_to_str(out, NAME_CAP, view_str(name));
    else if (!port_env("CMDOP_MACHINE_NAME", out, NAME_CAP) ||
             text_is_blank(view_str(out)))
        port_hostname(out, NAME_CAP);
}

int enrol_read(struct enrolment *e, const char *string, const char *server,
               const char *name, struct text *why)
{
    char buf[JOINSTR_CAP + 1];
    memset(e, 0, sizeof(*e));
    int n = read_string(string, buf, sizeof(buf));
    if (n < 0)
        text_join(why, "the join string cannot be read: ", port_why(), NULL);
    if (n == 0)
        return ERR_NOT_FOUND;
    if (n < 0) /* a file that is named is not "nothing" */
        return n == ERR_NOT_FOUND ? ERR_IO : n;
    int err = parse(buf, server, &e->to, &e->is_first, why);
    ct_wipe(SPAN_ARRAY(buf));
    enrol_name(name, e->name);
    if (err == OK) /* what was begun in case it fails */
        text_init(why, why->buf, why->cap);
    return err;
}

bool enrol_is_offered(void)
{
    char buf[JOINSTR_CAP + 1];
    bool is = port_env("CMDOP_JOIN_KEY_FILE", buf, sizeof(buf)) ||
              port_env("CMDOP_JOIN_KEY", buf, sizeof(buf));
    is = is && buf[0] != '\0';
    ct_wipe(SPAN_ARRAY(buf));
    return is;
}

void enrol_wipe(struct enrolment *e)
{
    ct_wipe(SPAN_ARRAY(e->to.key));
}

/* Who vouches for a relay without a pin. */
static struct trust trust;

/* ---- the connection -------------------------------------------------------------- */

struct join {
    const struct enrolment *e;
    const struct paths *paths;
    struct enrol_result *out;
    struct identity identity;
    struct loop loop;
    struct dial dial;
    struct peer peer;
    msg_hello hello;
    struct link_credential credential;
    bool over;
};

static void say_joined(struct join *j, const struct agentfile *f, bool pending)
{
    struct text t;
    TEXT_OF(&t, j->out->said);
    text_str(&t, "joined as ");
    text_safe(&t, view_str(f->name));
    text_join(&t, " (", f->machine_id, ")\nfingerprint ",
              j->identity.fingerprint, "\n", NULL);
    if (pending) {
        text_str(&t, "an owner of the fleet must approve it: cmdop machines "
                     "approve ");
        text_safe(&t, view_str(f->name));
        text_str(&t, "\n");
    }
}

static void on_welcomed(void *ctx, const msg_welcome *w)
{
    struct join *j = ctx;
    struct agentfile f = {.port = j->e->to.port};
    char buf[512];
    struct text why, t;
    STR_COPY(f.host, j->e->to.host);
    memcpy(f.pin, j->peer.link.relay_key, sizeof(f.pin)); /* what was pinned,
                                                 or what it is from now on */
    STR_COPY(f.machine_id, w->machine_id);
    STR_COPY(f.fleet_id, w->fleet_id);
    STR_COPY(f.name, w->name);
    text_init(&t, f.joined_at, sizeof(f.joined_at));
    text_time(&t, port_wall_ms());
    TEXT_OF(&why, buf);
    if (agentfile_save(j->paths->state, &f, &why) == OK) {
        j->out->status = CMD_OK;
        say_joined(j, &f, w->pending);
    } else {
        TEXT_OF(&t, j->out->said);
        text_join(&t, "the relay let us in, but ", buf, NULL);
    }
    peer_end(&j->peer);
}

static void on_refused(void *ctx, const msg_refuse *r)
{
    struct join *j = ctx; /* the sentence comes with the end of the link */
    j->out->again = r->retry_after_ms > 0;
    j->out->retry_after_ms = r->retry_after_ms;
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
    struct text t;
    j->over = true;
    if (j->out->said[0] != '\0')
        return;
    TEXT_OF(&t, j->out->said);
    text_join(&t, "cannot join: ",
              why[0] != '\0' ? why : "the relay closed the connection", NULL);
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
    struct tls_client_cfg tls = {.server_name = j->e->to.host,
                                 .entropy = VIEW_ARRAY(entropy)};
    if (j->e->is_first)
        trust_tls(&trust, &tls);
    if (peer_dialed(&j->peer, handle, &tls, j->e->to.host, &j->credential, &ops,
                    on_over, j) != OK)
        on_over(j, "the connection could not be set up");
}

/* One block for however many attempts. */
static struct span memory(void)
{
    static struct span block;
    if (block.ptr == NULL)
        block = port_memory(PEER_CARVE_BYTES + PEER_SCRATCH_BYTES + 65536);
    else
        memset(block.ptr, 0, block.len);
    return block;
}

static void connect(struct join *j, const char *version)
{
    struct arena arena;
    arena_init(&arena, memory());
    loop_init(&j->loop, &arena, 64, 64);
    struct link_mem mem = peer_carve(&arena, true);
    peer_init(&j->peer, &j->loop, &mem, arena_span(&arena, PEER_SCRATCH_BYTES));
    facts_hello(&j->hello, cmdop_agent_v1_Role_ROLE_MACHINE, version);
    facts_machine(&j->hello);
    j->credential =
        (struct link_credential){.hello = &j->hello,
                                 .pin = j->e->is_first ? NULL : j->e->to.pin,
                                 .machine = &j->identity.key,
                                 .join_key = j->e->to.key,
                                 .name = j->e->name,
                                 .entropy = port_entropy};
    (void)dial_init(&j->dial, &j->loop);
    if (dial_start(&j->dial, j->e->to.host, j->e->to.port, DIAL_MS, on_dialed,
                   j) != OK)
        on_over(j, "the relay's address is not one");
    while (!j->over)
        if (loop_turn(&j->loop) != OK)
            port_fatal(port_why());
}

void enrol(const struct enrolment *e, const struct paths *paths,
           const char *version, struct enrol_result *out)
{
    static struct join j;
    struct text why;
    memset(&j, 0, sizeof(j));
    *out = (struct enrol_result){.status = CMD_FAILED};
    j.e = e;
    j.paths = paths;
    j.out = out;
    TEXT_OF(&why, out->said);
    if (identity_load_or_make(paths->state, paths->config, &j.identity, &why) !=
        OK)
        return;
    if (h2_prepare() != OK) {
        text_str(&why, "not enough memory to join");
        return;
    }
    if (e->is_first && trust_load(&trust, e->ca_file, &why) != OK)
        return;
    out->status = CMD_TRANSPORT;
    out->again = true;
    connect(&j, version);
    identity_wipe(&j.identity);
}

int enrol_say(const struct enrol_result *r, const struct paths *paths)
{
    if (r->status != CMD_OK) {
        cmd_say(r->said, NULL);
        return r->status;
    }
    cmd_out(view_str(r->said));
    cmd_out(view_str(status_holder(paths->state) != 0
                         ? "next: cmdop agent restart\n"
                         : "next: cmdop agent start\n"));
    return CMD_OK;
}
