/* Keys and certificates of the relay; see keys.h. */
#include "relay/keys.h"

#include <string.h>

#include "base/err.h"
#include "codec/der.h"
#include "core/paths.h"
#include "crypto/ct.h"
#include "port/port.h"
#include "transport/tlsid.h"

#define CA_NAME        "cmdop-relay-ca"
#define BACKDATE_S     86400 /* clients whose clock lags a little */
#define PEM_CAP        2048
#define SERVER_DER_MAX 1024 /* CERT_DER_MAX and three names */
#define KEY_LABEL      "EC PRIVATE KEY"
#define CERT_LABEL     "CERTIFICATE"

static int say(struct text *why, int err, const char *folder, const char *name,
               const char *what)
{
    text_join(why, folder, "/", name, ": ", what, NULL);
    return err;
}

/* ---- files ----------------------------------------------------------------------- */

static int load(const char *folder, const char *name, bool secret,
                struct span out, struct text *why)
{
    char path[PATH_CAP];
    if (paths_join(path, folder, name) != OK)
        return say(why, ERR_RANGE, folder, name, "the path is too long");
    int n = port_keep_read(path, secret, out);
    if (n < 0 && n != ERR_NOT_FOUND)
        say(why, n, folder, name, port_why());
    return n;
}

static int save(const char *folder, const char *name, struct view data,
                struct text *why)
{
    char path[PATH_CAP];
    if (paths_join(path, folder, name) != OK)
        return say(why, ERR_RANGE, folder, name, "the path is too long");
    int err = port_keep_write(path, data);
    return err == OK ? OK : say(why, err, folder, name, port_why());
}

static int save_pem(const char *folder, const char *name, const char *label,
                    struct view der, struct text *why)
{
    uint8_t pem[PEM_CAP];
    struct writer w;
    writer_init(&w, SPAN_ARRAY(pem));
    der_to_pem(&w, label, der);
    int err = w.err != OK ? w.err : save(folder, name, writer_view(&w), why);
    ct_wipe(SPAN_ARRAY(pem));
    return err;
}

/* The DER inside a PEM file: its length, or ERR_NOT_FOUND. */
static int load_pem(const char *folder, const char *name, const char *label,
                    bool secret, struct span out, struct text *why)
{
    uint8_t pem[PEM_CAP];
    int n = load(folder, name, secret, SPAN_ARRAY(pem), why);
    if (n < 0)
        return n;
    int len = der_from_pem(view_of(pem, (size_t)n), label, out);
    ct_wipe(SPAN_ARRAY(pem));
    if (len < 0)
        return say(why, ERR_DAMAGED, folder, name,
                   "the file is damaged; restore it from a backup");
    return len;
}

/* ---- the relay's own key ------------------------------------------------------------ */

static int read_seed(const char *folder, struct sign_key *out, struct text *why)
{
    uint8_t seed[SIGN_SEED_LEN + 1];
    int n = load(folder, "relay.key", true, SPAN_ARRAY(seed), why);
    if (n == ERR_TOO_BIG || (n >= 0 && n != SIGN_SEED_LEN)) {
        why->len = 0;
        return say(why, ERR_DAMAGED, folder, "relay.key",
                   "the relay's key is damaged; restore it from a backup (a "
                   "new one means that every machine must join again)");
    }
    if (n == SIGN_SEED_LEN)
        sign_keypair_from_seed(seed, out);
    ct_wipe(SPAN_ARRAY(seed));
    return n < 0 ? n : OK;
}

int keys_load_relay(const char *folder, struct sign_key *out, struct text *why)
{
    int err = read_seed(folder, out, why);
    if (err == ERR_NOT_FOUND)
        say(why, err, folder, "relay.key",
            "no relay was started here yet; run `cmdop server` first");
    return err;
}

static int make_seed(const char *folder, struct sign_key *out, struct text *why)
{
    uint8_t seed[SIGN_SEED_LEN];
    port_entropy(SPAN_ARRAY(seed));
    int err = save(folder, "relay.key", VIEW_ARRAY(seed), why);
    if (err == OK)
        sign_keypair_from_seed(seed, out);
    ct_wipe(SPAN_ARRAY(seed));
    return err;
}

/* ---- TLS ------------------------------------------------------------------------------ */

static int load_key(const char *folder, const char *name, struct cert_key *out,
                    struct text *why)
{
    uint8_t der[256];
    int n = load_pem(folder, name, KEY_LABEL, true, SPAN_ARRAY(der), why);
    if (n < 0)
        return n;
    int err = cert_key_parse(view_of(der, (size_t)n), out);
    ct_wipe(SPAN_ARRAY(der));
    return err == OK ? OK
                     : say(why, err, folder, name,
                           "the key is damaged; restore it from a backup");
}

static int make_key(const char *folder, const char *name, struct cert_key *out,
                    struct text *why)
{
    uint8_t seed[CERT_SEED_LEN], der[CERT_KEY_DER_LEN];
    port_entropy(SPAN_ARRAY(seed));
    cert_key_make(seed, out);
    ct_wipe(SPAN_ARRAY(seed));
    int n = cert_key_der(out, SPAN_ARRAY(der));
    int err =
        n < 0 ? n
              : save_pem(folder, name, KEY_LABEL, view_of(der, (size_t)n), why);
    ct_wipe(SPAN_ARRAY(der));
    return err;
}

static struct cert_id make_id(const char *name, int64_t now_s)
{
    uint64_t from_s = now_s > BACKDATE_S ? (uint64_t)now_s - BACKDATE_S : 0;
    struct cert_id id = {.name = view_str(name), .not_before_s = from_s};
    port_entropy(SPAN_ARRAY(id.serial));
    return id;
}

static int make_ca_cert(const char *folder, int64_t now_s,
                        const struct cert_key *ca, struct text *why)
{
    uint8_t der[CERT_DER_MAX];
    struct cert_id id = make_id(CA_NAME, now_s);
    int n = cert_ca(ca, &id, SPAN_ARRAY(der));
    if (n < 0)
        return say(why, n, folder, "ca.pem", err_str(n));
    return save_pem(folder, "ca.pem", CERT_LABEL, view_of(der, (size_t)n), why);
}

/* The authority: its key, and its certificate, each made if it is missing. */
static int get_ca(const char *folder, int64_t now_s, struct cert_key *ca,
                  struct text *why)
{
    uint8_t pem[PEM_CAP];
    int err = load_key(folder, "ca.key", ca, why);
    if (err == ERR_NOT_FOUND)
        err = make_key(folder, "ca.key", ca, why);
    if (err != OK)
        return err;
    int n = load(folder, "ca.pem", false, SPAN_ARRAY(pem), why);
    if (n == ERR_NOT_FOUND)
        return make_ca_cert(folder, now_s, ca, why);
    return n < 0 ? n : OK;
}

/* Whom the certificate is for. Points into itself and into the texts. */
struct names {
    struct view dns[3], ips[3];
    uint8_t host_ip[16];
    struct cert_server leaf;
};

static void add_host(struct names *n, const char *name, const char *host)
{
    struct port_addr addr;
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF};
    if (host == NULL || strcmp(host, name) == 0 ||
        strcmp(host, "localhost") == 0)
        return;
    if (port_addr_parse(host, 1, &addr) != OK) {
        if (cert_dns_ok(view_str(host)))
            n->dns[n->leaf.dns_count++] = view_str(host);
        return;
    }
    memcpy(n->host_ip, addr.ip, sizeof(n->host_ip));
    struct view ip = VIEW_ARRAY(n->host_ip);
    if (memcmp(n->host_ip, v4, sizeof(v4)) == 0)
        ip = view_from(ip, sizeof(v4));
    for (size_t i = 0; i < n->leaf.ip_count; i++)
        if (view_eq(n->ips[i], ip))
            return;
    n->ips[n->leaf.ip_count++] = ip;
}

static void make_names(struct names *n, const char *name, const char *host)
{
    static const uint8_t loopback4[] = {127, 0, 0, 1};
    static const uint8_t loopback6[16] = {[15] = 1};
    n->dns[0] = view_str(name);
    n->dns[1] = view_str("localhost");
    n->ips[0] = VIEW_ARRAY(loopback4);
    n->ips[1] = VIEW_ARRAY(loopback6);
    n->leaf = (struct cert_server){.days = KEYS_SERVER_DAYS,
                                   .dns = n->dns,
                                   .dns_count = 2,
                                   .ips = n->ips,
                                   .ip_count = 2};
    add_host(n, name, host);
}

static int make_server(const char *folder, const char *name, int64_t now_s,
                       struct names *n, struct text *why)
{
    uint8_t der[SERVER_DER_MAX];
    struct cert_key ca;
    int err = get_ca(folder, now_s, &ca, why);
    if (err != OK)
        return err;
    struct cert_issuer issuer = {&ca, view_str(CA_NAME)};
    n->leaf.id = make_id(name, now_s);
    int len = cert_server(&issuer, &n->leaf, SPAN_ARRAY(der));
    ct_wipe((struct span){(uint8_t *)&ca, sizeof(ca)});
    if (len < 0)
        return say(why, len, folder, "server.pem",
                   "the name does not fit a certificate; give --name a DNS "
                   "name of letters, digits, dots and hyphens");
    return save_pem(folder, "server.pem", CERT_LABEL, view_of(der, (size_t)len),
                    why);
}

/* Is what lies there good for a while? 1, 0, or an error. */
static int server_good(const char *folder, const struct names *n, int64_t now_s,
                       struct text *why)
{
    uint8_t pem[PEM_CAP], der[SERVER_DER_MAX];
    char reason[256];
    struct text unused;
    struct tlsid_seen seen;
    int len =
        load_pem(folder, "server.pem", CERT_LABEL, false, SPAN_ARRAY(der), why);
    if (len == ERR_NOT_FOUND)
        return 0;
    if (len < 0)
        return len;
    struct writer w;
    writer_init(&w, SPAN_ARRAY(pem));
    der_to_pem(&w, CERT_LABEL, view_of(der, (size_t)len));
    TEXT_OF(&unused, reason);
    int err = tlsid_look(writer_view(&w), now_s, &seen, &unused);
    if (err == ERR_DAMAGED)
        return say(why, err, folder, "server.pem",
                   "the file is damaged; restore it from a backup, or remove "
                   "it, and it is made anew");
    return err == OK && now_s < seen.not_after_s - KEYS_RENEW_S &&
           cert_is_for(view_of(der, (size_t)len), &n->leaf);
}

int keys_server(const char *folder, const char *name, const char *host,
                int64_t now_s, bool *made, struct text *why)
{
    struct cert_key key;
    struct names n;
    *made = false;
    int err = load_key(folder, "server.key", &key, why);
    if (err == ERR_NOT_FOUND)
        err = make_key(folder, "server.key", &key, why);
    if (err != OK)
        return err;
    make_names(&n, name, host);
    n.leaf.pub = key.pub;
    int good = server_good(folder, &n, now_s, why);
    if (good == 0) {
        good = make_server(folder, name, now_s, &n, why);
        *made = good == OK;
    }
    ct_wipe((struct span){(uint8_t *)&key, sizeof(key)});
    return good < 0 ? good : OK;
}

int keys_load_or_make(const char *folder, struct keys *out, struct text *why)
{
    out->made = false;
    int err = read_seed(folder, &out->relay, why);
    if (err == ERR_NOT_FOUND) {
        err = make_seed(folder, &out->relay, why);
        out->made = true;
    }
    return err;
}
