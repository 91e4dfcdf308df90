/*
 * `cmdop server`: be the relay. The first start makes keys, certificate,
 * store, owner and fleet, and leaves the user who started it signed in.
 */
#include "relay/verbs.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/credential.h"
#include "core/joinstr.h"
#include "core/paths.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "relay/host.h"
#include "relay/relay.h"

#define GRPC_LISTEN   "[::]:50051"
#define API_LISTEN    "127.0.0.1:8000"
#define CONNS_DEFAULT 4096
#define CONNS_MAX     32000 /* rows of port_wait, less our own */
#define ADDRESS_CAP   300   /* "HOST:PORT" */

struct options {
    const char *state, *grpc, *api, *name, *address, *conns, *url, *admin;
    bool verbose;
};

/* ---- signing the starter in ------------------------------------------------------- */

static int make_token(struct relay *r, char token[CREDENTIAL_TOKEN_CAP],
                      struct text *why)
{
    struct store_ask q = {.op = STORE_TOKEN_MAKE};
    struct store_answer a;
    memcpy(q.u.token_make.fleet_id, r->owner.fleet_id, UUID_CAP);
    memcpy(q.u.token_make.user_id, r->owner.user_id, UUID_CAP);
    bytes_to_str(q.u.token_make.label, NAME_CAP, view_str("first sign-in"));
    host_secret(token, &q.u.token_make.secret);
    q.u.token_make.actor = place_actor();
    int err = relay_ask_now(&r->store, &q, &a);
    if (err != OK)
        text_str(why, store_why(&r->store));
    return err;
}

static bool token_valid(struct relay *r, const char *token)
{
    struct store_ask q = {.op = STORE_TOKEN_CHECK};
    struct store_answer a;
    hash_once(view_str(token), q.u.token_check.hash);
    return relay_ask_now(&r->store, &q, &a) == OK && a.outcome == STORE_DONE;
}

/* This relay's entry in the user's sign-ins, by its key. */
static struct credential *own_entry(struct credentials *all,
                                    const uint8_t pin[32])
{
    for (size_t i = 0; i < all->count; i++)
        if (memcmp(all->server[i].pin, pin, 32) == 0)
            return &all->server[i];
    return NULL;
}

/* A token of the owner for the user who starts the relay, unless he has one,
 * or has signed in as somebody. */
static int give_token(struct relay *r, struct credential *c, struct text *why)
{
    if (c->refresh[0] != '\0' ||
        (c->token[0] != '\0' && token_valid(r, c->token)))
        return OK;
    c->token_expires_ms = 0;
    STR_COPY(c->user, r->owner.user_name);
    return make_token(r, c->token, why);
}

static int sign_in_locked(struct relay *r, const struct place *place,
                          const char *name, const char *address,
                          struct text *why)
{
    static struct credentials all;
    struct credential c = {0};
    int err = credential_load(&place->user, &all, why);
    if (err != OK)
        return err;
    const struct credential *old = own_entry(&all, r->keys.relay.pub);
    if (old != NULL)
        c = *old;
    else
        STR_COPY(c.name, name);
    err = give_token(r, &c, why);
    STR_COPY(c.address, address);
    memcpy(c.pin, r->keys.relay.pub, sizeof(c.pin));
    if (err == OK)
        err = credential_upsert(&all, &c);
    if (err == OK && (all.current[0] == '\0' || r->keys.made))
        err = credential_use(&all, c.name);
    if (err == OK)
        err = credential_save(&place->user, &all, why);
    if (err != OK && why->len == 0)
        text_join(why, "the sign-in cannot be kept: ", err_str(err), NULL);
    credential_wipe(&all);
    ct_wipe((struct span){(uint8_t *)&c, sizeof(c)});
    return err;
}

/* A keyring that is closed now is no reason for a relay not to start. */
static int sign_in(struct relay *r, const struct place *place, const char *name,
                   const char *address, struct text *why)
{
    int err = credential_lock(&place->user, why);
    if (err != OK)
        return err;
    err = sign_in_locked(r, place, name, address, why);
    credential_unlock(&place->user);
    if (err != ERR_UNREACHABLE)
        return err;
    log_warn("relay.signin", why->buf);
    return OK;
}

/* ---- addresses ---------------------------------------------------------------------- */

static int listen_address(const char *text, struct port_addr *out,
                          struct text *why)
{
    char host[256];
    uint16_t port = 0;
    struct view v = view_str(text);
    static const char zero[] = ":0";
    /* Port 0, "any free one", is for listening only. */
    if (v.len > 2 && view_is(view_from(v, v.len - 2), zero)) {
        char one[300];
        struct text t;
        TEXT_OF(&t, one);
        text_view(&t, view_first(v, v.len - 2));
        text_str(&t, ":1");
        int err = joinstr_address(text_done(&t), host, &port, why);
        port = 0;
        return err == OK ? port_addr_parse(host, port, out) : err;
    }
    int err = joinstr_address(v, host, &port, why);
    if (err != OK)
        return err;
    err = port_addr_parse(host, port, out);
    if (err != OK)
        text_join(why, "listen on a numeric address, not on ", host, NULL);
    return err;
}

static bool is_any(const struct port_addr *a)
{
    static const uint8_t any6[16], any4[16] = {[10] = 0xFF, [11] = 0xFF};
    return memcmp(a->ip, any6, 16) == 0 || memcmp(a->ip, any4, 16) == 0;
}

/* "HOST:PORT" as it is dialled: where we listen, or for "any" the given
 * host. */
static void dial_address(const struct port_addr *at, uint16_t port,
                         const char *any_host, struct text *out)
{
    char where[PORT_ADDR_CAP];
    struct port_addr a = *at;
    a.port = port;
    if (is_any(at)) {
        text_join(out, any_host, ":", NULL);
        text_u64(out, port);
        return;
    }
    port_addr_print(&a, where, sizeof(where));
    text_str(out, where);
}

/* ---- the verb ------------------------------------------------------------------------ */

static void announce(const struct relay *r, const char *address)
{
    char buf[512], fingerprint[SIGN_FINGERPRINT_CAP];
    struct text t;
    sign_fingerprint(r->keys.relay.pub, fingerprint);
    TEXT_OF(&t, buf);
    text_join(&t, "relay ready\n  machines   ", address, "\n  health     ",
              NULL);
    text_str(&t, "port ");
    text_u64(&t, r->api_port);
    text_join(&t, ", /healthz and /readyz\n  key        ", fingerprint,
              "\n  sign in    ", r->web.url,
              "/signin\n  next       cmdop server join-key\n", NULL);
    cmd_note(buf);
}

/* How browsers find us: as it is said, or under the name that machines use. */
static int read_url(struct relay_cfg *cfg, const struct options *o,
                    char host[256], struct text *why)
{
    uint16_t port;
    cfg->host = cfg->name;
    cfg->url = o->url;
    if (o->url != NULL && !web_is_url(o->url)) {
        text_str(why,
                 "--api-url takes an address like https://relay.example:8000, "
                 "without a path");
        return ERR_RANGE;
    }
    if (o->address == NULL)
        return OK;
    cfg->host = host;
    return joinstr_address(view_str(o->address), host, &port, why);
}

static int read_cfg(struct relay_cfg *cfg, const struct options *o,
                    char host[256], struct text *why)
{
    uint64_t conns = CONNS_DEFAULT;
    if (o->conns != NULL &&
        (text_parse_u64(view_str(o->conns), CONNS_MAX, &conns) != OK ||
         conns == 0)) {
        text_str(why, "--max-connections takes a number from 1 to 32000");
        return ERR_RANGE;
    }
    cfg->conns_max = (uint32_t)conns;
    int err = read_url(cfg, o, host, why);
    if (err == OK)
        err = listen_address(o->grpc, &cfg->grpc, why);
    return err == OK ? listen_address(o->api, &cfg->api, why) : err;
}

/* How machines reach us, kept for `server join-key`: before anybody can
 * connect, unless the port is known only afterwards. */
static int keep_address(const struct place *place, const struct options *o,
                        const struct relay_cfg *cfg, uint16_t port,
                        char out[ADDRESS_CAP], struct text *why)
{
    struct text t;
    text_init(&t, out, ADDRESS_CAP);
    if (o->address != NULL)
        text_str(&t, o->address);
    else
        dial_address(&cfg->grpc, port, cfg->name, &t);
    return port == 0 ? OK : place_save_address(place, out, why);
}

static int serve(struct relay *r, const struct options *o,
                 const struct place *place, const struct cmd_env *env,
                 struct text *why)
{
    char host[NAME_CAP], far[ADDRESS_CAP], near[ADDRESS_CAP], name[256];
    struct text near_text;
    struct relay_cfg cfg = {.folder = place->folder, .version = env->version};
    port_hostname(host, sizeof(host));
    cfg.name = o->name != NULL ? o->name : host;
    int err = read_cfg(&cfg, o, name, why);
    if (err == OK)
        err = relay_init(r, port_memory(relay_bytes(cfg.conns_max)), &cfg, why);
    if (err == OK && o->admin != NULL)
        err = user_first_password(r, o->admin, why);
    if (err == OK)
        err = keep_address(place, o, &cfg, cfg.grpc.port, far, why);
    if (err == OK)
        err = relay_listen(r, &cfg, why);
    if (err == OK && cfg.grpc.port == 0)
        err = keep_address(place, o, &cfg, r->grpc_port, far, why);
    if (err != OK)
        return err;
    TEXT_OF(&near_text, near);
    dial_address(&cfg.grpc, r->grpc_port, "localhost", &near_text);
    err = sign_in(r, place, cfg.name, near, why);
    if (err != OK)
        return err;
    announce(r, far);
    relay_run(r);
    return OK;
}

static int lock(const struct place *place, struct text *why)
{
    char path[PATH_CAP];
    int pid = 0;
    int err = port_keep_folder(place->folder);
    if (err == OK)
        err = paths_join(path, place->folder, "server.lock");
    if (err == OK)
        err = port_keep_lock(path, &pid);
    if (err == ERR_BUSY) {
        text_str(why, "a relay with this state folder runs already (pid ");
        text_u64(why, (uint64_t)pid);
        text_str(why, ")");
    } else if (err != OK) {
        text_join(why, "cannot use the folder ", place->folder, ": ",
                  port_why(), NULL);
    }
    return err;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
    static struct relay relay;
    struct options o = {.grpc = GRPC_LISTEN, .api = API_LISTEN};
    struct place place;
    const struct cmd_opt opts[] = {
        {"--state-dir", NULL, NULL, &o.state},
        {"--listen-grpc", NULL, NULL, &o.grpc},
        {"--listen-api", NULL, NULL, &o.api},
        {"--name", NULL, NULL, &o.name},
        {"--address", NULL, NULL, &o.address},
        {"--max-connections", NULL, NULL, &o.conns},
        {"--api-url", NULL, NULL, &o.url},
        {"--initial-admin-password-file", NULL, NULL, &o.admin},
        {"--verbose", "-v", &o.verbose, NULL},
    };
    char buf[512];
    struct text why;
    int rest;
    if (argc > 1 && strcmp(argv[1], "join-key") == 0)
        return joinkey_run(env, argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "token") == 0)
        return token_run(env, argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "user") == 0)
        return user_run(env, argc - 1, argv + 1);
    int status = cmd_options(&server_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc > 1)
        return cmd_usage(&server_cmd, "nothing is expected here: ", argv[1]);
    TEXT_OF(&why, buf);
    log_init(port_log, port_wall_ms, o.verbose ? LOG_DEBUG : LOG_INFO);
    /* Who holds the lock may be told to reload, and must not die of it. */
    int err = port_signal_open();
    err = err < 0 ? err : place_find(&place, o.state, &why);
    if (err == OK)
        err = lock(&place, &why);
    if (err == OK)
        err = serve(&relay, &o, &place, env, &why);
    if (err != OK)
        cmd_say(buf, NULL);
    return err == OK ? CMD_OK : CMD_FAILED;
}

const struct cmd server_cmd = {
    .name = "server",
    .summary = "be the relay; make join keys and tokens",
    .help =
        "usage: cmdop server [options]\n"
        "       cmdop server join-key [--uses N] [--expires D] [--label L]\n"
        "       cmdop server join-key --list | --revoke ID\n"
        "       cmdop server token make [--user U] [--label L] [--expires D]\n"
        "       cmdop server token list [--user U] [--all] | revoke ID\n"
        "       cmdop server user add NAME [--role R] [--email E]\n"
        "       cmdop server user list | password NAME | disable NAME | "
        "enable NAME\n"
        "\n"
        "Run the relay in the foreground. The first start makes its keys, "
        "its store and an\nowner account, and signs the user who started it "
        "in. `join-key` prints a join\nstring for `cmdop join`; it is valid "
        "for 24 hours unless --expires says otherwise\n(0 = for ever). `token` "
        "makes, lists and ends what operators sign in with.\n"
        "\n"
        "  --state-dir D         where keys and store are\n"
        "  --listen-grpc A       for machines and operators "
        "(default " GRPC_LISTEN ")\n"
        "  --listen-api A        /healthz and /readyz (default " API_LISTEN
        ")\n"
        "  --address HOST:PORT   how machines reach it, for join strings\n"
        "  --name NAME           DNS name in its certificate\n"
        "  --max-connections N   default 4096\n"
        "  --api-url URL         how browsers reach its pages\n"
        "  --initial-admin-password-file F  the owner's first password\n"
        "\n"
        "example:\n"
        "  cmdop server --address relay.example:50051 &\n"
        "  cmdop server join-key --uses 1\n",
    .run = run,
};
