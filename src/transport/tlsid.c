/*
 * Certificate chain and key of a server; see tlsid.h. BearSSL reads both; the
 * checks are what a client will do later, done now: dates, the signatures
 * along the chain, and that the key is the first certificate's own.
 */
#include "transport/tlsid.h"

#include <string.h>

#include "base/err.h"
#include "codec/pem.h"
#include "crypto/ct.h"
#include "transport/tls.h"

#define DAY_S      86400
#define EPOCH_DAYS 719528 /* 1970-01-01 counted from year 0 */
#define RSA_MIN    256    /* bytes of the modulus */
#define RSA_MAX    512
#define CERT_BYTES 8192 /* of one certificate */
#define KEY_BYTES  3072 /* of one key: RSA of 4096 bits has 2,376 */
#define DN_BYTES   1024 /* of a subject's name */

/* What one certificate says. */
struct facts {
    br_x509_decoder_context dec;
    uint8_t dn[DN_BYTES]; /* subject */
    size_t dn_len;
    bool dn_cut;
};

static int fail(struct text *why, int err, const char *sentence)
{
    text_str(why, sentence);
    return err;
}

/* ---- one certificate ------------------------------------------------------ */

static void on_dn(void *ctx, const void *bytes, size_t len)
{
    struct facts *f = ctx;
    if (len > sizeof(f->dn) - f->dn_len) {
        f->dn_cut = true;
        return;
    }
    memcpy(f->dn + f->dn_len, bytes, len);
    f->dn_len += len;
}

/* See certtap.c for why the decoder gets no byte after an error. */
static int read_facts(struct view der, struct facts *f)
{
    f->dn_len = 0;
    f->dn_cut = false;
    br_x509_decoder_init(&f->dec, on_dn, f);
    for (size_t at = 0; at < der.len; at++) {
        int err = br_x509_decoder_last_error(&f->dec);
        if (err != BR_ERR_X509_TRUNCATED)
            return ERR_DAMAGED;
        br_x509_decoder_push(&f->dec, der.ptr + at, 1);
    }
    return br_x509_decoder_last_error(&f->dec) == 0 ? OK : ERR_DAMAGED;
}

static int64_t unix_s(uint32_t days, uint32_t seconds)
{
    return ((int64_t)days - EPOCH_DAYS) * DAY_S + seconds;
}

static int check_dates(int64_t from_s, int64_t to_s, int64_t now_s,
                       struct text *why)
{
    if (now_s >= from_s && now_s <= to_s)
        return OK;
    text_str(why, now_s < from_s ? "the certificate is valid only from "
                                 : "the certificate has expired at ");
    text_time(why, (now_s < from_s ? from_s : to_s) * 1000);
    text_str(why, "; this machine's clock says ");
    text_time(why, now_s * 1000);
    return ERR_RANGE;
}

/* ---- the texts ------------------------------------------------------------ */

static bool label_is_cert(const char *label)
{
    return strcmp(label, "CERTIFICATE") == 0 ||
           strcmp(label, "X509 CERTIFICATE") == 0;
}

/* Call `each` with every block of a text, in `room`. */
typedef int block_fn(void *ctx, const char *label, struct view der,
                     struct text *why);

static int each_block(struct view text, struct span room, block_fn *each,
                      void *ctx, struct text *why)
{
    struct pem p;
    int err = OK;
    pem_init(&p, room);
    while (err == OK) {
        enum pem_event event = pem_feed(&p, &text);
        if (event == PEM_MORE)
            event = pem_end(&p);
        if (event == PEM_MORE)
            break;
        err = event == PEM_BLOCK ? each(ctx, pem_label(&p), pem_der(&p), why)
                                 : fail(why, ERR_DAMAGED, pem_why(&p));
    }
    ct_wipe((struct span){(uint8_t *)&p, sizeof(p)});
    return err;
}

static size_t der_used(const struct tlsid *id)
{
    if (id->count == 0)
        return 0;
    const br_x509_certificate *last = &id->chain[id->count - 1];
    return (size_t)(last->data - id->der) + last->data_len;
}

static int on_cert(void *ctx, const char *label, struct view der,
                   struct text *why)
{
    struct tlsid *id = ctx;
    size_t used = der_used(id);
    if (!label_is_cert(label))
        return OK;
    if (id->count == TLSID_CERTS_MAX || der.len > sizeof(id->der) - used)
        return fail(why, ERR_RANGE,
                    "the certificate file holds more than a chain of 8 "
                    "certificates and 16 KiB");
    memcpy(id->der + used, der.ptr, der.len);
    id->chain[id->count++] =
        (br_x509_certificate){.data = id->der + used, .data_len = der.len};
    return OK;
}

static int read_chain(struct tlsid *id, struct view text, struct text *why)
{
    uint8_t room[CERT_BYTES];
    id->count = 0;
    int err = each_block(text, SPAN_ARRAY(room), on_cert, id, why);
    if (err == OK && id->count == 0)
        err = fail(why, ERR_DAMAGED, "the certificate file holds none");
    return err;
}

static bool label_is_key(const char *label)
{
    return strcmp(label, "PRIVATE KEY") == 0 ||
           strcmp(label, "EC PRIVATE KEY") == 0 ||
           strcmp(label, "RSA PRIVATE KEY") == 0;
}

/* Everything else beside a key, parameters or certificates, is passed over. */
static int on_key(void *ctx, const char *label, struct view der,
                  struct text *why)
{
    struct tlsid *id = ctx;
    if (strcmp(label, "ENCRYPTED PRIVATE KEY") == 0)
        return fail(why, ERR_RANGE,
                    "the key is encrypted; store it without a password, with "
                    "mode 0600");
    if (!label_is_key(label))
        return OK;
    if (id->ec != NULL || id->rsa != NULL)
        return fail(why, ERR_RANGE, "the key file holds more than one key");
    br_skey_decoder_init(&id->key);
    for (size_t at = 0; at < der.len; at++) {
        if (br_skey_decoder_last_error(&id->key) != BR_ERR_X509_TRUNCATED)
            break;
        br_skey_decoder_push(&id->key, der.ptr + at, 1);
    }
    if (br_skey_decoder_last_error(&id->key) != 0)
        return fail(why, ERR_DAMAGED,
                    "the key is damaged, or of another kind than EC and RSA");
    id->ec = br_skey_decoder_get_ec(&id->key);
    id->rsa = br_skey_decoder_get_rsa(&id->key);
    return OK;
}

static int read_key(struct tlsid *id, struct view text, struct text *why)
{
    uint8_t room[KEY_BYTES];
    id->ec = NULL;
    id->rsa = NULL;
    int err = each_block(text, SPAN_ARRAY(room), on_key, id, why);
    ct_wipe(SPAN_ARRAY(room));
    if (err == OK && id->ec == NULL && id->rsa == NULL)
        err = fail(why, ERR_DAMAGED, "the key file holds no private key");
    return err;
}

/* ---- do they belong together ---------------------------------------------- */

static int check_kind(const br_x509_pkey *pub, struct text *why)
{
    bool ok = false;
    if (pub->key_type == BR_KEYTYPE_EC)
        ok = pub->key.ec.curve == BR_EC_secp256r1 ||
             pub->key.ec.curve == BR_EC_secp384r1;
    else if (pub->key_type == BR_KEYTYPE_RSA)
        ok = pub->key.rsa.nlen >= RSA_MIN && pub->key.rsa.nlen <= RSA_MAX;
    if (ok)
        return OK;
    return fail(why, ERR_RANGE,
                "the certificate has another key than EC on P-256 or P-384, "
                "or RSA of 2048 to 4096 bits");
}

static bool ec_pair(const br_ec_private_key *sk, const br_ec_public_key *pub,
                    const uint8_t hash[32])
{
    const br_ec_impl *ec = br_ec_get_default();
    uint8_t sig[160];
    if (sk->curve != pub->curve)
        return false;
    size_t len =
        br_ecdsa_sign_asn1_get_default()(ec, &br_sha256_vtable, hash, sk, sig);
    return len > 0 &&
           br_ecdsa_vrfy_asn1_get_default()(ec, hash, 32, pub, sig, len) == 1;
}

static bool rsa_pair(const br_rsa_private_key *sk, const br_rsa_public_key *pub,
                     const uint8_t hash[32])
{
    uint8_t sig[RSA_MAX], back[32];
    size_t len = (sk->n_bitlen + 7) / 8;
    if (len != pub->nlen || len > sizeof(sig))
        return false;
    return br_rsa_pkcs1_sign_get_default()(BR_HASH_OID_SHA256, hash, 32, sk,
                                           sig) == 1 &&
           br_rsa_pkcs1_vrfy_get_default()(sig, len, BR_HASH_OID_SHA256, 32,
                                           pub, back) == 1 &&
           memcmp(back, hash, 32) == 0;
}

/* What the key signs, the certificate's key must verify. That finds a damaged
 * key as well, whose signatures could give it away. */
static int check_pair(const struct tlsid *id, const br_x509_pkey *pub,
                      struct text *why)
{
    bool same = id->ec != NULL
                    ? pub->key_type == BR_KEYTYPE_EC &&
                          ec_pair(id->ec, &pub->key.ec, id->end_point)
                    : pub->key_type == BR_KEYTYPE_RSA &&
                          rsa_pair(id->rsa, &pub->key.rsa, id->end_point);
    if (same)
        return OK;
    return fail(why, ERR_RANGE,
                "the key does not belong to the certificate; give those two "
                "that were made together");
}

/* Did the one with these facts sign this certificate? */
static unsigned verify_signed(const br_x509_certificate *cert,
                              struct facts *signer, int64_t now_s)
{
    br_x509_minimal_context x;
    const br_x509_trust_anchor anchor = {
        .dn = {.data = signer->dn, .len = signer->dn_len},
        .flags = BR_X509_TA_CA,
        .pkey = *br_x509_decoder_get_pkey(&signer->dec)};
    tls_path_init(&x, &anchor, 1, now_s);
    const br_x509_class **ctx = &x.vtable;
    (*ctx)->start_chain(ctx, NULL);
    (*ctx)->start_cert(ctx, (uint32_t)cert->data_len);
    (*ctx)->append(ctx, cert->data, cert->data_len);
    (*ctx)->end_cert(ctx);
    return (*ctx)->end_chain(ctx);
}

static int bad_link(size_t at, const char *what, struct text *why)
{
    text_str(why, "the certificate number ");
    text_u64(why, at + 1);
    text_join(why, " in the file ", what, NULL);
    return ERR_RANGE;
}

static int check_link(const struct tlsid *id, size_t at, struct facts *f,
                      int64_t now_s, struct text *why)
{
    const br_x509_certificate *signer = &id->chain[at + 1];
    if (read_facts(view_of(signer->data, signer->data_len), f) != OK ||
        f->dn_cut)
        return bad_link(at + 1, "cannot be read", why);
    unsigned err = verify_signed(&id->chain[at], f, now_s);
    if (err == BR_ERR_X509_EXPIRED)
        return bad_link(at, "is not valid now; fetch the chain anew", why);
    if (err == 0 && br_x509_decoder_isCA(&f->dec))
        return OK;
    return bad_link(at,
                    "was not signed by the next one: the server's own comes "
                    "first, and each next one has signed the one before it",
                    why);
}

static int check_chain(const struct tlsid *id, struct facts *f, int64_t now_s,
                       struct text *why)
{
    int err = OK;
    for (size_t i = 0; err == OK && i + 1 < id->count; i++)
        err = check_link(id, i, f, now_s, why);
    return err;
}

static tlsid_attach_fn attach_rsa;

/* ---- doors ---------------------------------------------------------------- */

static int look(const br_x509_certificate *cert, int64_t now_s, struct facts *f,
                struct tlsid_seen *out, struct text *why)
{
    br_sha256_context sha;
    if (read_facts(view_of(cert->data, cert->data_len), f) != OK)
        return fail(why, ERR_DAMAGED, "the certificate cannot be read");
    br_sha256_init(&sha);
    br_sha256_update(&sha, cert->data, cert->data_len);
    br_sha256_out(&sha, out->end_point);
    out->not_before_s = unix_s(f->dec.notbefore_days, f->dec.notbefore_seconds);
    out->not_after_s = unix_s(f->dec.notafter_days, f->dec.notafter_seconds);
    return check_dates(out->not_before_s, out->not_after_s, now_s, why);
}

static int check_first(struct tlsid *id, struct facts *f, int64_t now_s,
                       struct text *why)
{
    struct tlsid_seen seen;
    int err = look(&id->chain[0], now_s, f, &seen, why);
    if (err != OK)
        return err;
    memcpy(id->end_point, seen.end_point, sizeof(id->end_point));
    id->not_before_s = seen.not_before_s;
    id->not_after_s = seen.not_after_s;
    id->issuer_ec =
        br_x509_decoder_get_signer_key_type(&f->dec) == BR_KEYTYPE_EC;
    const br_x509_pkey *pub = br_x509_decoder_get_pkey(&f->dec);
    err = check_kind(pub, why);
    return err == OK ? check_pair(id, pub, why) : err;
}

int tlsid_load(struct tlsid *id, struct view certs_pem, struct view key_pem,
               int64_t now_s, struct text *why)
{
    struct facts f;
    int err = read_chain(id, certs_pem, why);
    if (err == OK)
        err = read_key(id, key_pem, why);
    if (err != OK)
        return err;
    id->attach = id->rsa != NULL ? attach_rsa : tlsid_attach_ec;
    err = check_first(id, &f, now_s, why);
    return err == OK ? check_chain(id, &f, now_s, why) : err;
}

struct first {
    struct tlsid_seen *out;
    int64_t now_s;
    bool seen;
};

static int on_first(void *ctx, const char *label, struct view der,
                    struct text *why)
{
    struct first *first = ctx;
    struct facts f;
    if (first->seen || !label_is_cert(label))
        return OK;
    first->seen = true;
    /* BearSSL's type is not const, and nothing is written. */
    br_x509_certificate cert = {.data = (unsigned char *)(uintptr_t)der.ptr,
                                .data_len = der.len};
    return look(&cert, first->now_s, &f, first->out, why);
}

int tlsid_look(struct view certs_pem, int64_t now_s, struct tlsid_seen *out,
               struct text *why)
{
    uint8_t room[CERT_BYTES];
    struct first first = {.out = out, .now_s = now_s};
    int err = each_block(certs_pem, SPAN_ARRAY(room), on_first, &first, why);
    if (err == OK && !first.seen)
        err = fail(why, ERR_DAMAGED, "the certificate file holds none");
    return err;
}

void tlsid_attach_ec(const struct tlsid *id, br_ssl_server_context *s)
{
    br_ssl_server_set_single_ec(
        s, id->chain, id->count, id->ec, BR_KEYTYPE_SIGN,
        id->issuer_ec ? BR_KEYTYPE_EC : BR_KEYTYPE_RSA, br_ec_get_default(),
        br_ecdsa_sign_asn1_get_default());
}

static void attach_rsa(const struct tlsid *id, br_ssl_server_context *s)
{
    br_ssl_server_set_single_rsa(s, id->chain, id->count, id->rsa,
                                 BR_KEYTYPE_SIGN, br_rsa_private_get_default(),
                                 br_rsa_pkcs1_sign_get_default());
}

void tlsid_wipe(struct tlsid *id)
{
    ct_wipe((struct span){(uint8_t *)&id->key, sizeof(id->key)});
    id->ec = NULL;
    id->rsa = NULL;
    id->count = 0;
}
