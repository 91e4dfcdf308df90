/*
 * `cmdop server`: be the relay. The first start makes keys, certificate,
 * store, owner and fleet, and leaves the user who started it signed in.
 */
#include "relay/verbs.h"

#include <string.h>

#include "base/err.h"
#include "codec/base64.h"
#include "base/log.h"
#include "core/credential.h"
#include "core/joinstr.h"
#include "core/paths.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "relay/backup.h"
#include "relay/config.h"
#include "relay/host.h"
#include "relay/place.h"
#include "relay/relay.h"

#define CONNS_MAX   32000 /* rows of port_wait, less our own */
#define ADDRESS_CAP 300   /* "HOST:PORT" */

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
    int err;
    struct view v = view_str(text);
    static const char zero[] = ":0";
    /* Port 0, "any free one", is for listening only. */
    if (v.len > 2 && view_is(view_from(v, v.len - 2), zero)) {
        char one[300];
        struct text t;
        TEXT_OF(&t, one);
        text_view(&t, view_first(v, v.len - 2));
        text_str(&t, ":1");
        err = joinstr_address(text_done(&t), host, &port, why);
        port = 0;
    } else {
        err = joinstr_address(v, host, &port, why);
    }
    if (err != OK)
        return err;
    err = port_addr_parse(host, port, out);
    if (err != OK)
        text_join(why, "listen on a numeric address, not on ", host, NULL);
    return err;
}

/* The same of a setting, which is named when it is no address. */
static int listen_of(const struct config *c, enum config_key key,
                     struct port_addr *out, struct text *why)
{
    char buf[512];
    struct text what;
    TEXT_OF(&what, buf);
    text_str(&what, "is no address: ");
    int err = listen_address(config_get(c, key), out, &what);
    return err == OK ? OK : config_bad(c, key, buf, why);
}

static int address_of(const struct config *c, char host[256], struct text *why)
{
    char buf[512];
    struct text what;
    uint16_t port;
    TEXT_OF(&what, buf);
    text_str(&what, "is no address: ");
    int err = joinstr_address(view_str(config_get(c, CONFIG_ADDRESS)), host,
                              &port, &what);
    return err == OK ? OK : config_bad(c, CONFIG_ADDRESS, buf, why);
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

static void announce(const struct relay *r, const struct relay_cfg *cfg,
                     const char *address)
{
    char buf[1024], fingerprint[SIGN_FINGERPRINT_CAP], where[PORT_ADDR_CAP];
    char pin[64] = "";
    struct writer w;
    struct port_addr proxy = cfg->proxy;
    struct text t;
    proxy.port = r->proxy_port;
    port_addr_print(&proxy, where, sizeof(where));
    sign_fingerprint(r->keys.relay.pub, fingerprint);
    writer_init(&w, (struct span){(uint8_t *)pin, sizeof pin - 1});
    base64_write(&w, BASE64_URL, VIEW_ARRAY(r->keys.relay.pub));
    TEXT_OF(&t, buf);
    text_join(&t, "relay ready\n  machines   ", address, NULL);
    if (r->proxy_port != 0)
        text_join(&t, "\n  proxy      ", where, NULL);
    text_str(&t, "\n  health     ");
    text_str(&t, "port ");
    text_u64(&t, r->api_port);
    text_join(&t, ", /healthz and /readyz\n  key        ", fingerprint,
              "\n  sign in    ", r->web.url,
              "/signin\n  people     cmdop login --server cmdop://", address,
              "/", pin, "\n  next       cmdop server join-key\n", NULL);
    cmd_note(buf);
}

/* The members of a list of addresses, "a,b". */
static int read_from(struct relay_cfg *cfg, const struct config *c,
                     const char *list, struct text *why)
{
    struct view rest = view_str(list);
    while (rest.len > 0) {
        ptrdiff_t comma = view_find(rest, ',');
        struct view one = comma < 0 ? rest : view_first(rest, (size_t)comma);
        char host[64];
        bool fits = bytes_to_str(host, sizeof(host), one) == one.len;
        if (cfg->proxy_from_count == PROXY_FROM_MAX || !fits ||
            port_addr_parse(host, 1, &cfg->proxy_from[cfg->proxy_from_count]) !=
                OK) {
            return config_bad(c, CONFIG_PROXY_FROM,
                              "takes up to 8 numeric addresses", why);
        }
        cfg->proxy_from_count++;
        rest = view_from(rest, one.len + 1);
    }
    return OK;
}

static int read_proxy(struct relay_cfg *cfg, const struct config *c,
                      struct text *why)
{
    const char *from = config_get(c, CONFIG_PROXY_FROM);
    cfg->proxy_certificate = config_get(c, CONFIG_PROXY_CERTIFICATE);
    if (cfg->proxy_certificate == NULL)
        return OK;
    int err = listen_of(c, CONFIG_PROXY_LISTEN, &cfg->proxy, why);
    return err == OK && from != NULL ? read_from(cfg, c, from, why) : err;
}

static int read_cfg(struct relay_cfg *cfg, const struct config *c,
                    char host[256], struct text *why)
{
    uint64_t conns = 0;
    const char *address = config_get(c, CONFIG_ADDRESS);
    const char *trusted = config_get(c, CONFIG_TRUSTED_PROXIES);
    int err = text_parse_u64(view_str(config_get(c, CONFIG_MAX_CONNECTIONS)),
                             CONNS_MAX, &conns);
    cfg->conns_max = (uint32_t)conns;
    cfg->name = config_get(c, CONFIG_NAME);
    cfg->host = cfg->name;
    cfg->url = config_get(c, CONFIG_API_URL);
    cfg->certificate = config_get(c, CONFIG_TLS_CERTIFICATE);
    cfg->key = config_get(c, CONFIG_TLS_KEY);
    if (err == OK && address != NULL) {
        err = address_of(c, host, why);
        cfg->host = host;
    }
    if (err == OK && trusted != NULL)
        err = proxies_read(view_str(trusted), &cfg->trusted);
    if (err == OK)
        err = listen_of(c, CONFIG_LISTEN_GRPC, &cfg->grpc, why);
    if (err == OK)
        err = listen_of(c, CONFIG_LISTEN_API, &cfg->api, why);
    return err == OK ? read_proxy(cfg, c, why) : err;
}

/* How machines reach us, kept for `server join-key`: before anybody can
 * connect, unless the port is known only afterwards. */
static int keep_address(const struct place *place, const struct config *c,
                        const struct relay_cfg *cfg, uint16_t port,
                        char out[ADDRESS_CAP], struct text *why)
{
    struct text t;
    text_init(&t, out, ADDRESS_CAP);
    if (config_get(c, CONFIG_ADDRESS) != NULL)
        text_str(&t, config_get(c, CONFIG_ADDRESS));
    else
        dial_address(&cfg->grpc, port, cfg->name, &t);
    return port == 0 ? OK : place_save_address(place, out, why);
}

static int serve(struct relay *r, const struct config *c,
                 const struct place *place, const struct cmd_env *env,
                 struct text *why)
{
    char host[256], far[ADDRESS_CAP], near[ADDRESS_CAP];
    struct text near_text;
    struct relay_cfg cfg = {.folder = place->folder, .version = env->version};
    const char *admin = config_get(c, CONFIG_ADMIN_PASSWORD_FILE);
    int err = read_cfg(&cfg, c, host, why);
    if (err == OK)
        err = relay_init(r, port_memory(relay_bytes(cfg.conns_max)), &cfg, why);
    if (err == OK && admin != NULL)
        err = user_first_password(r, admin, why);
    if (err == OK)
        err = keep_address(place, c, &cfg, cfg.grpc.port, far, why);
    if (err == OK)
        err = relay_listen(r, &cfg, why);
    if (err == OK && cfg.grpc.port == 0)
        err = keep_address(place, c, &cfg, r->grpc_port, far, why);
    if (err != OK)
        return err;
    TEXT_OF(&near_text, near);
    dial_address(&cfg.grpc, r->grpc_port, "localhost", &near_text);
    err = sign_in(r, place, cfg.name, near, why);
    if (err != OK)
        return err;
    announce(r, &cfg, far);
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

/* All settings, and where things are. What nobody gave gets its default. */
static int configure(struct config *c, const struct config_flags *flags,
                     struct place *place, struct text *why)
{
    struct paths paths;
    char host[NAME_CAP];
    int err = paths_find(&paths, why);
    if (err == OK)
        err = config_load(c, paths.config, flags, why);
    if (err == OK)
        err = place_at(place, config_get(c, CONFIG_STATE_DIR), why);
    if (err != OK)
        return err;
    port_hostname(host, sizeof(host));
    config_default(c, CONFIG_NAME, host);
    config_default(c, CONFIG_STATE_DIR, place->folder);
    return OK;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
    static struct relay relay;
    static struct config config;
    struct config_flags flags = {.file = NULL};
    bool verbose = false, json = false, show = false;
    struct place place;
    struct relay_cfg cfg = {0}; /* to look at, with `config` */
    char host[256];
    struct cmd_opt opts[CONFIG_OPTS + 2] = {
        {"--verbose", "-v", &verbose, NULL},
        {"--json", NULL, &json, NULL},
    };
    char buf[1024];
    struct text why;
    int rest;
    if (argc > 1 && strcmp(argv[1], "join-key") == 0)
        return joinkey_run(env, argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "token") == 0)
        return token_run(env, argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "user") == 0)
        return user_run(env, argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "backup") == 0)
        return backup_make_run(env, argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "restore") == 0)
        return backup_restore_run(env, argc - 1, argv + 1);
    config_opts(&flags, opts + 2);
    int status = cmd_options(&server_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    show = argc > 1 && strcmp(argv[1], "config") == 0;
    if (argc > 1 + show)
        return cmd_usage(&server_cmd,
                         "nothing is expected here: ", argv[1 + show]);
    if (json && !show)
        return cmd_usage(&server_cmd, "--json is for `server config`", "");
    TEXT_OF(&why, buf);
    log_init(port_log, port_wall_ms, verbose ? LOG_DEBUG : LOG_INFO);
    int err = configure(&config, &flags, &place, &why);
    if (err == OK && show)
        err = read_cfg(&cfg, &config, host, &why);
    if (err == OK && show) {
        config_show(&config, json);
        return CMD_OK;
    }
    /* Who holds the lock may be told to reload, and must not die of it. */
    if (err == OK && (err = port_signal_open()) > OK)
        err = OK;
    if (err == OK)
        err = lock(&place, &why);
    if (err == OK)
        err = serve(&relay, &config, &place, env, &why);
    if (err != OK)
        cmd_say(buf, NULL);
    return err == OK ? CMD_OK : CMD_FAILED;
}

const struct cmd server_cmd = {
    .name = "server",
    .summary = "be the relay; make join keys and tokens",
    .help =
        "usage: cmdop server [options]\n"
        "       cmdop server config [options] [--json]\n"
        "       cmdop server join-key [--uses N] [--expires D] [--label L]\n"
        "                             [--labels WORDS] "
        "[--approve]\n"
        "       cmdop server join-key --list [--json] | --revoke ID\n"
        "       cmdop server token make [--user U] [--label L] [--expires D]\n"
        "       cmdop server token list [--user U] [--all] [--json] | revoke "
        "ID\n"
        "       cmdop server user add NAME [--role R] [--email E]\n"
        "       cmdop server user list [--json] | password NAME | disable "
        "NAME | enable NAME\n"
        "       cmdop server backup FILE | restore FILE [--force]\n"
        "\n"
        "Run the relay in the foreground. The first start makes its keys, "
        "its store and an\nowner account, and signs the user who started it "
        "in. `join-key` prints a join\nstring for `cmdop join`; it is valid "
        "for 24 hours unless --expires says otherwise\n(0 = for ever). `token` "
        "makes, lists and ends what operators sign in with.\n`config` shows "
        "each setting and where it came from.\n"
        "\n"
        "Settings may stand in server.yaml and in CMDOP_SERVER_* as well:\n"
        "  --config F                 another server.yaml\n"
        "  --state-dir D              where keys and store are\n"
        "  --listen-grpc A            for machines and operators (default "
        "[::]:50051)\n"
        "  --listen-api A             pages, /healthz, /readyz (default "
        "[::]:8000)\n"
        "  --api-url URL              how browsers reach that\n"
        "  --initial-admin-password-file F\n"
        "                             the owner's first password\n"
        "  --address HOST:PORT        how machines reach it, for join "
        "strings\n"
        "  --name NAME                DNS name in its own certificate\n"
        "  --max-connections N        default 4096\n"
        "  --tls-certificate F, --tls-key F\n"
        "                             a certificate of a public authority\n"
        "  --proxy-certificate F      what a proxy in front of it shows\n"
        "  --proxy-listen A           where that proxy comes in, without TLS\n"
        "  --proxy-from ADDRESSES     and from where it may\n"
        "  --trusted-proxies NETS     whose X-Forwarded-For is believed\n"
        "  -v, --verbose              log more\n"
        "\n"
        "example:\n"
        "  cmdop server --address relay.example:50051 &\n"
        "  cmdop server join-key --uses 1\n",
    .run = run,
};
