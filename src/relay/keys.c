/* Keys and certificates of the relay; see keys.h. */
#include "relay/keys.h"

#include <string.h>

#include "base/err.h"
#include "codec/der.h"
#include "core/paths.h"
#include "crypto/ct.h"
#include "port/port.h"

#define CA_NAME     "cmdop-relay-ca"
#define SERVER_DAYS 3650
#define BACKDATE_S  86400 /* clients whose clock lags a little */
#define PEM_CAP     2048
#define KEY_LABEL   "EC PRIVATE KEY"
#define CERT_LABEL  "CERTIFICATE"

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
    struct cert_id id = {.name = view_str(name),
                         .not_before_s = (uint64_t)(now_s - BACKDATE_S)};
    port_entropy(SPAN_ARRAY(id.serial));
    return id;
}

static int make_ca(const char *folder, int64_t now_s, struct cert_key *ca,
                   struct text *why)
{
    uint8_t der[CERT_DER_MAX];
    int err = make_key(folder, "ca.key", ca, why);
    if (err != OK)
        return err;
    struct cert_id id = make_id(CA_NAME, now_s);
    int n = cert_ca(ca, &id, SPAN_ARRAY(der));
    if (n < 0)
        return say(why, n, folder, "ca.pem", err_str(n));
    return save_pem(folder, "ca.pem", CERT_LABEL, view_of(der, (size_t)n), why);
}

static int make_server(const char *folder, const char *name, int64_t now_s,
                       struct keys *out, struct text *why)
{
    static const uint8_t loopback4[] = {127, 0, 0, 1};
    static const uint8_t loopback6[16] = {[15] = 1};
    struct cert_key ca;
    int err = load_key(folder, "ca.key", &ca, why);
    if (err == ERR_NOT_FOUND)
        err = make_ca(folder, now_s, &ca, why);
    if (err == OK)
        err = make_key(folder, "server.key", &out->server, why);
    if (err != OK)
        return err;
    struct view dns[] = {view_str(name), view_str("localhost")};
    struct view ips[] = {VIEW_ARRAY(loopback4), VIEW_ARRAY(loopback6)};
    struct cert_issuer issuer = {&ca, view_str(CA_NAME)};
    struct cert_server leaf = {.id = make_id(name, now_s),
                               .pub = out->server.pub,
                               .days = SERVER_DAYS,
                               .dns = dns,
                               .dns_count = 2,
                               .ips = ips,
                               .ip_count = 2};
    int n = cert_server(&issuer, &leaf, SPAN_ARRAY(out->cert));
    ct_wipe((struct span){(uint8_t *)&ca, sizeof(ca)});
    if (n < 0)
        return say(why, n, folder, "server.pem",
                   "the name does not fit a certificate; give --name a DNS "
                   "name of letters, digits, dots and hyphens");
    out->cert_len = (size_t)n;
    return save_pem(folder, "server.pem", CERT_LABEL,
                    view_of(out->cert, out->cert_len), why);
}

static int load_server(const char *folder, struct keys *out, struct text *why)
{
    int n = load_pem(folder, "server.pem", CERT_LABEL, false,
                     SPAN_ARRAY(out->cert), why);
    if (n < 0)
        return n;
    out->cert_len = (size_t)n;
    return load_key(folder, "server.key", &out->server, why);
}

int keys_load_or_make(const char *folder, const char *name, int64_t now_s,
                      struct keys *out, struct text *why)
{
    out->made = false;
    int err = read_seed(folder, &out->relay, why);
    if (err == ERR_NOT_FOUND) {
        err = make_seed(folder, &out->relay, why);
        out->made = true;
    }
    if (err != OK)
        return err;
    err = load_server(folder, out, why);
    return err == ERR_NOT_FOUND ? make_server(folder, name, now_s, out, why)
                                : err;
}
