/*
 * `cmdop login`: signing in by the device flow of OAuth (RFC 8628), over the
 * relay's own protocol as a guest, so that the pinned key protects it.
 *
 *     link --> auth.device --> address and code are shown
 *                                 |
 *                     every interval, on whatever link there is:
 *                                 v
 *              auth.token --> pending, slow_down: wait on
 *                         --> denied, expired: the end
 *                         --> tokens: kept, and this server is the current one
 *
 * Nothing is written before the tokens are there; so whoever leaves with
 * Ctrl-C leaves nothing.
 */
#include "cli/login.h"

#include <string.h>

#include "base/err.h"
#include "core/client.h"
#include "crypto/ct.h"

#define SLOWER_MS 5000  /* RFC 8628, 3.5 */
#define BEGIN_MS  30000 /* for the codes to come */
#define ANSWER_MS 10000 /* for any other answer */

typedef cmdop_agent_v1_AuthDevice auth_device;
typedef cmdop_agent_v1_AuthToken auth_token;

struct login {
    struct client client;
    struct question question;
    struct span buf;
    const char *version;
    struct credential to;
    auth_device device;
    auth_token token;
    bool json;
    bool no_browser;
    bool no_keyring;
    const char *ca_file;
    bool is_first; /* nobody told the relay's key */
    bool has_codes;
    bool answered;
    bool asking;
    int timer; /* the next question, or the end of patience at the start */
    uint64_t interval_ms;
    uint64_t next_ms;
    uint64_t until_ms;
    bool told_lost;
};

/* ---- what is said ------------------------------------------------------------------ */

static void json_event(struct json_out *j, char *buf, size_t cap,
                       const char *event)
{
    json_begin(j, buf, cap);
    json_obj_begin(j);
    json_member(j, "event", event);
}

static void say_codes_json(const struct login *l)
{
    char buf[4096];
    struct json_out j;
    json_event(&j, buf, sizeof(buf), "device");
    json_member(&j, "server", l->to.name);
    json_member(&j, "address", l->to.address);
    json_member(&j, "verification_uri", l->device.verification_uri);
    json_member(&j, "verification_uri_complete",
                l->device.verification_uri_complete);
    json_member(&j, "user_code", l->device.user_code);
    json_key(&j, "expires_at");
    json_time(&j, port_wall_ms() + (int64_t)l->device.expires_in * 1000);
    json_key(&j, "interval");
    json_u64(&j, l->device.interval);
    json_obj_end(&j);
    cmd_out_json(&j);
}

static void say_codes(const struct login *l)
{
    char buf[1024];
    struct text t;
    TEXT_OF(&t, buf);
    text_join(&t, "To sign in to ", l->to.name,
              ", open this page in a browser, on any device:\n\n  ", NULL);
    text_safe(&t, view_str(l->device.verification_uri));
    text_str(&t, "\n\nand enter this code:\n\n  ");
    text_safe(&t, view_str(l->device.user_code));
    text_str(&t, "\n\nThe code is good for ");
    text_u64(&t, (l->device.expires_in + 59) / 60);
    text_str(&t, " minutes. Waiting for you there; Ctrl-C gives up.\n");
    cmd_out(text_done(&t));
}

static void say_done_json(const struct login *l, enum credential_key where)
{
    char buf[2048];
    struct json_out j;
    json_event(&j, buf, sizeof(buf), "signed_in");
    json_member(&j, "server", l->to.name);
    json_member(&j, "address", l->to.address);
    json_member(&j, "user", l->to.user);
    json_member(&j, "user_id", l->to.user_id);
    json_member(&j, "email", l->to.email);
    json_member(&j, "fleet", l->to.fleet);
    json_member(&j, "fleet_id", l->to.fleet_id);
    json_member_time(&j, "expires_at", l->to.token_expires_ms);
    json_member(&j, "key",
                where == CREDENTIAL_KEY_KEYRING ? "keyring" : "file");
    json_obj_end(&j);
    cmd_out_json(&j);
}

static void say_done(const struct login *l)
{
    char buf[512];
    struct text t;
    TEXT_OF(&t, buf);
    text_join(&t, "signed in to ", l->to.name, " as ",
              l->to.user[0] != '\0' ? l->to.user : "yourself", NULL);
    if (l->to.fleet[0] != '\0')
        text_join(&t, ", in the fleet ", l->to.fleet, NULL);
    text_str(&t, "\n");
    cmd_out(text_done(&t));
}

static void fail(struct login *l, int status, const char *message,
                 const char *remedy)
{
    char buf[1024];
    struct json_out j;
    if (l->client.done)
        return;
    if (l->json) {
        json_event(&j, buf, sizeof(buf), "failed");
        json_member(&j, "error", message);
        json_obj_end(&j);
        cmd_out_json(&j);
    }
    cmd_say(message, remedy[0] != '\0' ? "; " : "", remedy, NULL);
    client_leave(&l->client, status);
}

/* ---- keeping it -------------------------------------------------------------------- */

/* Into the keyring with the key of the seal, on a desktop that has one. */
static int save_in_keyring(const struct login *l, struct credentials *all)
{
    char bus[512], buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    if (all->where == CREDENTIAL_KEY_KEYRING || l->no_keyring ||
        !port_env("DBUS_SESSION_BUS_ADDRESS", bus, sizeof(bus)) ||
        bus[0] == '\0')
        return ERR_UNREACHABLE;
    all->where = CREDENTIAL_KEY_KEYRING;
    all->has_key = false;
    int err = credential_save(&l->client.paths, all, &why);
    if (err == OK)
        return OK;
    all->where = CREDENTIAL_KEY_FILE;
    all->has_key = false;
    cmd_say("note: the key of the sign-ins stays in a file: ", buf, NULL);
    return err;
}

static int keep_locked(struct login *l, struct credentials *all,
                       struct text *why)
{
    const struct paths *p = &l->client.paths;
    int err = credential_load(p, all, why);
    if (err != OK)
        return err;
    const struct credential *old = credential_find(all, l->to.name);
    if (old != NULL && memcmp(old->pin, l->to.pin, sizeof(old->pin)) != 0) {
        text_join(why, "the sign-in ", l->to.name,
                  " is for another relay; give this one another --name", NULL);
        return ERR_EXISTS;
    }
    err = credential_upsert(all, &l->to);
    if (err != OK) {
        text_str(why, err == ERR_LIMIT
                          ? "there are eight sign-ins already; `cmdop logout "
                            "--server NAME` takes one away"
                          : "the relay's answer makes no sense");
        return err;
    }
    (void)credential_use(all, l->to.name);
    if (save_in_keyring(l, all) == OK)
        return OK;
    return credential_save(p, all, why);
}

static void keep(struct login *l)
{
    static struct credentials all;
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    if (renew_take(&l->to, &l->token, port_wall_ms()) != OK) {
        fail(l, CMD_FAILED, "the relay's answer makes no sense", "");
        return;
    }
    int err = credential_lock(&l->client.paths, &why);
    if (err == OK) {
        err = keep_locked(l, &all, &why);
        credential_unlock(&l->client.paths);
    }
    if (err != OK) {
        fail(l, CMD_FAILED, buf, "");
    } else {
        if (l->json)
            say_done_json(l, all.where);
        else
            say_done(l);
        client_leave(&l->client, CMD_OK);
    }
    credential_wipe(&all);
}

/* ---- asking ------------------------------------------------------------------------ */

static void ask(struct login *l, const char *method, const pb_msgdesc_t *fields,
                const void *request,
                void (*record)(void *ctx, struct view record),
                void (*done)(void *ctx, const question_failure *why))
{
    uint8_t raw[400];
    int len = msg_encode_plain(SPAN_ARRAY(raw), fields, request);
    l->answered = false;
    l->asking = true;
    l->question = (struct question){.record = record, .done = done, .ctx = l};
    if (len < 0 || question_send(&l->question, client_mux(&l->client), l->buf,
                                 "", method, view_of(raw, (size_t)len)) != OK)
        fail(l, CMD_TRANSPORT, "the question does not fit the connection", "");
    ct_wipe(SPAN_ARRAY(raw));
}

static void wait_on(struct login *l, uint64_t ms)
{
    l->next_ms = loop_now(&l->client.loop) + ms;
    loop_arm(&l->client.loop, l->timer, l->next_ms);
}

static void on_token(void *ctx, struct view record)
{
    struct login *l = ctx;
    l->answered =
        msg_decode(record, cmdop_agent_v1_AuthToken_fields, &l->token) == OK;
}

static void judge_token(struct login *l)
{
    const char *error = l->token.error;
    if (error[0] == '\0') {
        keep(l);
    } else if (strcmp(error, "authorization_pending") == 0 ||
               strcmp(error, "temporarily_unavailable") == 0 ||
               strcmp(error, "server_error") == 0) {
        wait_on(l, l->interval_ms);
    } else if (strcmp(error, "slow_down") == 0) {
        l->interval_ms += SLOWER_MS;
        wait_on(l, l->interval_ms);
    } else if (strcmp(error, "access_denied") == 0) {
        fail(l, CMD_DENIED, "the sign-in was refused in the browser",
             "if that was a mistake, run `cmdop login` again");
    } else if (strcmp(error, "expired_token") == 0) {
        fail(l, CMD_TIMEOUT, "the code was not entered in time",
             "run `cmdop login` again");
    } else {
        fail(l, CMD_DENIED,
             l->token.error_description[0] != '\0' ? l->token.error_description
                                                   : error,
             "run `cmdop login` again");
    }
}

/* What passes: the link, or a relay that is busy. */
static bool passes(msg_code code)
{
    return code == cmdop_agent_v1_Code_CODE_LOST ||
           code == cmdop_agent_v1_Code_CODE_LIMIT ||
           code == cmdop_agent_v1_Code_CODE_TIMEOUT ||
           code == cmdop_agent_v1_Code_CODE_INTERNAL;
}

static void on_token_done(void *ctx, const question_failure *why)
{
    struct login *l = ctx;
    l->asking = false;
    if (l->client.done)
        return;
    if (why != NULL && !passes(why->code))
        fail(l, client_status(why->code), why->message, why->remedy);
    else if (why != NULL)
        wait_on(l, l->interval_ms);
    else if (!l->answered)
        fail(l, CMD_TRANSPORT, "the relay's answer is empty", "");
    else
        judge_token(l);
    ct_wipe((struct span){(uint8_t *)&l->token, sizeof(l->token)});
    ct_wipe(l->buf);
}

static void ask_token(struct login *l)
{
    loop_arm(&l->client.loop, l->timer, loop_now(&l->client.loop) + ANSWER_MS);
    cmdop_agent_v1_AuthTokenOpen open = cmdop_agent_v1_AuthTokenOpen_init_zero;
    STR_COPY(open.device_code, l->device.device_code);
    ask(l, "auth.token", cmdop_agent_v1_AuthTokenOpen_fields, &open, on_token,
        on_token_done);
    ct_wipe((struct span){(uint8_t *)&open, sizeof(open)});
}

/* No answer comes by this link. */
static void begin_anew(struct login *l)
{
    uplink_drop(&l->client.uplink); /* the question hears of it, and waits on */
    client_connect(&l->client);
}

static void on_timer(void *ctx, uint64_t now_ms)
{
    struct login *l = ctx;
    if (l->client.done)
        return;
    if (!l->has_codes)
        fail(l, CMD_TIMEOUT, "the relay does not answer", "");
    else if (l->asking)
        begin_anew(l);
    else if (now_ms >= l->until_ms)
        fail(l, CMD_TIMEOUT, "the code was not entered in time",
             "run `cmdop login` again");
    else if (uplink_is_up(&l->client.uplink))
        ask_token(l);
    /* else `up` goes on */
}

static void on_device(void *ctx, struct view record)
{
    struct login *l = ctx;
    l->answered = msg_decode(record, cmdop_agent_v1_AuthDevice_fields,
                             &l->device) == OK &&
                  l->device.device_code[0] != '\0' &&
                  l->device.user_code[0] != '\0';
}

static void show(struct login *l)
{
    uint64_t now = loop_now(&l->client.loop);
    l->has_codes = true;
    l->interval_ms = (uint64_t)l->device.interval * 1000;
    if (l->interval_ms == 0)
        l->interval_ms = SLOWER_MS; /* RFC 8628, 3.2 */
    l->until_ms = now + (uint64_t)l->device.expires_in * 1000;
    if (l->json)
        say_codes_json(l);
    else
        say_codes(l);
    if (!l->no_browser)
        login_browse(l->device.verification_uri_complete[0] != '\0'
                         ? l->device.verification_uri_complete
                         : l->device.verification_uri);
    wait_on(l, l->interval_ms);
}

static void on_device_done(void *ctx, const question_failure *why)
{
    struct login *l = ctx;
    l->asking = false;
    if (l->client.done)
        return;
    if (why != NULL && why->code != cmdop_agent_v1_Code_CODE_LOST)
        fail(l, client_status(why->code), why->message, why->remedy);
    else if (why == NULL && !l->answered)
        fail(l, CMD_TRANSPORT, "the relay's answer is empty", "");
    else if (why == NULL)
        show(l);
    /* else `down` tells why */
}

static void ask_device(struct login *l)
{
    cmdop_agent_v1_AuthDeviceOpen open =
        cmdop_agent_v1_AuthDeviceOpen_init_zero;
    struct port_facts facts;
    struct text t;
    port_facts(&facts);
    STR_COPY(open.client_name, "cmdop");
    STR_COPY(open.client_version, l->version);
    port_hostname(open.client_hostname, sizeof(open.client_hostname));
    TEXT_OF(&t, open.client_platform);
    text_join(&t, facts.os, " ", facts.architecture, NULL);
    ask(l, "auth.device", cmdop_agent_v1_AuthDeviceOpen_fields, &open,
        on_device, on_device_done);
}

/* Until now an authority vouched for the relay; from now on its key does. */
static void pin_first(struct login *l)
{
    char fingerprint[SIGN_FINGERPRINT_CAP];
    if (!l->is_first)
        return;
    l->is_first = false;
    memcpy(l->to.pin, l->client.server.pin, sizeof(l->to.pin));
    sign_fingerprint(l->to.pin, fingerprint);
    cmd_say("the certificate of ", l->to.address,
            " is good; the relay's key is ", fingerprint,
            ", and only that one counts from now on", NULL);
}

/* ---- the link ------------------------------------------------------------------------ */

static void on_up(void *ctx)
{
    struct login *l = ctx;
    uint64_t now = loop_now(&l->client.loop);
    l->told_lost = false;
    pin_first(l);
    if (!l->has_codes)
        ask_device(l);
    else
        loop_arm(&l->client.loop, l->timer,
                 l->next_ms > now ? l->next_ms : now);
}

static void on_down(void *ctx, const char *why, bool fatal)
{
    struct login *l = ctx;
    if (l->client.done)
        return;
    if (fatal || !l->has_codes) {
        fail(l, client_down_status(&l->client), why, "");
        return;
    }
    if (!l->told_lost)
        cmd_say("the relay cannot be reached now, trying on: ", why, NULL);
    l->told_lost = true;
    client_again(&l->client);
}

static const struct client_ops client_ops = {.up = on_up, .down = on_down};

/* Nothing was written, so nothing is left. */
static void on_signal(void *ctx, uint8_t ready)
{
    struct login *l = ctx;
    enum port_signal sig;
    int status, number;
    (void)ready;
    while ((sig = port_signal_take()) != PORT_SIG_NONE) {
        if (sig == PORT_SIG_TERM)
            client_leave(&l->client, 130);
        else if (sig == PORT_SIG_CHILD) /* the browser's helper */
            while (port_child_reap(&status, &number) != 0)
                continue;
    }
}

/* ---- the verb ------------------------------------------------------------------------ */

static int run(struct login *l)
{
    char buf[512];
    static const uint8_t no_pin[sizeof(l->to.pin)];
    static struct trust trust;
    struct arena arena;
    struct text why;
    struct credential at = l->to;
    l->is_first = memcmp(l->to.pin, no_pin, sizeof(no_pin)) == 0;
    TEXT_OF(&why, buf);
    arena_init(&arena, port_memory(CLIENT_BYTES + QUESTION_RING));
    if (client_init_guest(&l->client, &arena, l->version, &at, &client_ops, l,
                          &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_FAILED;
    }
    if (l->is_first) {
        if (trust_load(&trust, l->ca_file, &why) != OK) {
            cmd_say(buf, NULL);
            return CMD_FAILED;
        }
        client_trust(&l->client, &trust);
    }
    l->buf = arena_span(&arena, QUESTION_RING);
    l->timer = loop_timer_add(&l->client.loop, on_timer, l);
    (void)loop_add(&l->client.loop, port_signal_open(), PORT_READ, on_signal,
                   l);
    loop_arm(&l->client.loop, l->timer, port_now_ms() + BEGIN_MS);
    client_connect(&l->client);
    int status = client_run(&l->client);
    ct_wipe((struct span){(uint8_t *)&l->device, sizeof(l->device)});
    ct_wipe((struct span){(uint8_t *)&l->to, sizeof(l->to)});
    return status;
}

/* The key of a join string is no sign-in's business: gone from our memory,
 * and from where other users of the machine can see arguments. */
static void wipe_key(char *said)
{
    char *hash = said == NULL ? NULL : strchr(said, '#');
    if (hash != NULL)
        ct_wipe((struct span){(uint8_t *)hash, strlen(hash)});
}

/* Who it was before says nothing about who it will be. */
static void forget_who(struct credential *c)
{
    struct credential bare = {0};
    STR_COPY(bare.name, c->name);
    STR_COPY(bare.address, c->address);
    memcpy(bare.pin, c->pin, sizeof(bare.pin));
    *c = bare;
}

int login_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
              char **argv)
{
    static struct login l;
    const char *server = NULL, *name = NULL;
    const struct cmd_opt opts[] = {{"--server", "-s", NULL, &server},
                                   {"--name", NULL, NULL, &name},
                                   {"--no-browser", NULL, &l.no_browser, NULL},
                                   {"--no-keyring", NULL, &l.no_keyring, NULL},
                                   {"--ca-file", NULL, NULL, &l.ca_file},
                                   {"--json", NULL, &l.json, NULL}};
    struct paths paths;
    char buf[512];
    struct text why;
    int rest;
    int status = cmd_options(cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc > 2 || (argc == 2 && server != NULL))
        return cmd_usage(cmd, "one relay, please: ", argv[argc - 1]);
    if (argc == 2)
        server = argv[1];
    client_note_keys();
    TEXT_OF(&why, buf);
    if (paths_find(&paths, &why) != OK ||
        login_target(&paths, server, &l.to, &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_FAILED;
    }
    for (int i = 1; i < argc; i++)
        wipe_key(argv[i]);
    wipe_key((char *)(uintptr_t)server);
    if (cmd_name(cmd, name) != CMD_OK)
        return CMD_USAGE;
    if (name != NULL)
        STR_COPY(l.to.name, name);
    forget_who(&l.to);
    l.version = env->version;
    return run(&l);
}
