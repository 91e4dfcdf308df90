/*
 * X.509 certificates of the relay; see cert.h. The body of a certificate is
 * written and signed in place, in the order of RFC 5280, 4.1:
 *
 *     Certificate
 *         tbsCertificate     begin() up to the list of extensions,
 *                            one ext_*() per extension, then finish()
 *         signatureAlgorithm
 *         signature
 */
#include "core/cert.h"

#include <assert.h>
#include <bearssl_ec.h>
#include <bearssl_hash.h>
#include <bearssl_rand.h>
#include <string.h>

#include "base/err.h"
#include "codec/der.h"
#include "crypto/ct.h"

#define OID_EC_KEY       "1.2.840.10045.2.1"   /* RFC 5480, 2.1.1 */
#define OID_P256         "1.2.840.10045.3.1.7" /* RFC 5480, 2.1.1.1 */
#define OID_ECDSA_SHA256 "1.2.840.10045.4.3.2" /* RFC 5758, 3.2 */
#define OID_COMMON_NAME  "2.5.4.3"             /* RFC 5280, appendix A.1 */
#define OID_SUBJECT_KEY  "2.5.29.14"           /* RFC 5280, 4.2.1.2 */
#define OID_KEY_USAGE    "2.5.29.15"           /* RFC 5280, 4.2.1.3 */
#define OID_ALT_NAME     "2.5.29.17"           /* RFC 5280, 4.2.1.6 */
#define OID_CONSTRAINTS  "2.5.29.19"           /* RFC 5280, 4.2.1.9 */
#define OID_ISSUER_KEY   "2.5.29.35"           /* RFC 5280, 4.2.1.1 */
#define OID_EXT_USAGE    "2.5.29.37"           /* RFC 5280, 4.2.1.12 */
#define OID_SERVER_AUTH  "1.3.6.1.5.5.7.3.1"   /* RFC 5280, 4.2.1.12 */

enum {
    DAY_S = 86400,
    LABEL_MAX = 63,
    KEY_ID_LEN = 20,
    SIG_MAX = 72,              /* two numbers of 33 bytes, three heads */
    USE_SIGNATURE = 0x80,      /* KeyUsage bit 0 */
    USE_CERTS_AND_CRLS = 0x06, /* KeyUsage bits 5 and 6 */
    POINT_UNCOMPRESSED = 0x04, /* SEC 1, 2.3.3 */
    ALT_DNS = 2,               /* GeneralName tags */
    ALT_IP = 7,
    ALT_NAMES_MAX = 1024, /* the extension, as far as we compare it */
    KEY_INFO_MAX = 96,    /* SubjectPublicKeyInfo: 91 */
};

_Static_assert((int)CERT_SEED_LEN == (int)br_sha256_SIZE,
               "a seed as strong as the generator's hash");
_Static_assert((int)CERT_END_POINT_LEN == (int)br_sha256_SIZE,
               "the binding is a SHA-256");

/* The constant-time P-256 alone, so that no other curve is linked in. */
static const br_ec_impl *const ec = &br_ec_p256_m31;

/* A certificate under construction, and the marks of what is still open. */
struct build {
    struct writer w;
    size_t cert, tbs, exts, list;
};

/* An extension under construction. */
struct ext {
    size_t seq, value;
};

/* Who is certified by whom, and for how long. */
struct terms {
    const struct cert_id *subject;
    struct view issuer;
    const uint8_t *pub;
    uint32_t days;
};

static br_ec_private_key private_of(const struct cert_key *key)
{
    /* BearSSL only reads x, whatever the type of its pointer says. */
    return (br_ec_private_key){
        .curve = BR_EC_secp256r1,
        .x = (unsigned char *)(uintptr_t)key->x,
        .xlen = CERT_X_LEN,
    };
}

static void pub_compute(struct cert_key *key)
{
    br_ec_private_key sk = private_of(key);
    size_t len = br_ec_compute_pub(ec, NULL, key->pub, &sk);
    assert(len == CERT_PUB_LEN);
}

void cert_key_make(const uint8_t *seed, struct cert_key *out)
{
    br_hmac_drbg_context rng;
    br_ec_private_key sk;

    br_hmac_drbg_init(&rng, &br_sha256_vtable, seed, CERT_SEED_LEN);
    size_t len = br_ec_keygen(&rng.vtable, ec, &sk, out->x, BR_EC_secp256r1);
    assert(len == CERT_X_LEN);
    pub_compute(out);
    ct_wipe((struct span){(uint8_t *)&rng, sizeof rng});
}

int cert_key_der(const struct cert_key *key, struct span out)
{
    static const uint8_t version = 1;
    struct writer w;

    writer_init(&w, out);
    size_t seq = der_open(&w, DER_SEQUENCE);
    der_integer(&w, view_of(&version, 1));
    der_put(&w, DER_OCTET_STRING, VIEW_ARRAY(key->x));
    size_t curve = der_open(&w, DER_EXPLICIT(0));
    der_oid(&w, OID_P256);
    der_close(&w, curve);
    size_t pub = der_open(&w, DER_EXPLICIT(1));
    der_bits(&w, VIEW_ARRAY(key->pub));
    der_close(&w, pub);
    der_close(&w, seq);
    return w.err != OK ? w.err : (int)w.len;
}

/* Whether x is within 1 to n - 1, in constant time: x - n must borrow. */
static bool private_ok(const uint8_t *x)
{
    size_t len;
    const uint8_t *n = ec->order(BR_EC_secp256r1, &len);
    uint32_t borrow = 0, any = 0;

    assert(len == CERT_X_LEN);
    for (size_t i = CERT_X_LEN; i-- > 0;) {
        borrow = ((uint32_t)x[i] - n[i] - borrow) >> 31;
        any |= x[i];
    }
    return borrow == 1 && any != 0;
}

/* The structure has one form for each key: write it again and compare. */
static bool key_writes(const struct cert_key *key, struct view der)
{
    uint8_t own[CERT_KEY_DER_LEN];
    int len = cert_key_der(key, SPAN_ARRAY(own));
    bool same = len == CERT_KEY_DER_LEN && ct_eq(VIEW_ARRAY(own), der);

    ct_wipe(SPAN_ARRAY(own));
    return same;
}

int cert_key_parse(struct view der, struct cert_key *out)
{
    enum { X_OFF = 7 }; /* behind sequence, version and string heads */
    struct cert_key key;
    int err = ERR_DAMAGED;

    if (der.len != CERT_KEY_DER_LEN)
        return ERR_DAMAGED;
    memcpy(key.x, view_from(der, X_OFF).ptr, sizeof key.x);
    if (!private_ok(key.x))
        goto out;
    pub_compute(&key);
    if (!key_writes(&key, der))
        goto out;
    *out = key;
    err = OK;
out:
    ct_wipe((struct span){(uint8_t *)&key, sizeof key});
    return err;
}

static bool alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z');
}

static bool label_ok(struct view label)
{
    if (label.len == 0 || label.len > LABEL_MAX)
        return false;
    if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!alnum(label.ptr[i]) && label.ptr[i] != '-')
            return false;
    return true;
}

static bool name_ok(struct view name, size_t len_max)
{
    ptrdiff_t dot;

    if (name.len > len_max)
        return false;
    do {
        dot = view_find(name, '.');
        size_t len = dot < 0 ? name.len : (size_t)dot;
        if (!label_ok(view_first(name, len)))
            return false;
        name = view_from(name, len + 1);
    } while (dot >= 0);
    return true;
}

static uint64_t last_second(const struct terms *t)
{
    return t->subject->not_before_s + (uint64_t)t->days * DAY_S - 1;
}

static bool terms_ok(const struct terms *t)
{
    return name_ok(t->subject->name, CERT_CN_MAX) &&
           name_ok(t->issuer, CERT_CN_MAX) && t->pub[0] == POINT_UNCOMPRESSED &&
           t->days >= 1 && t->days <= CERT_DAYS_MAX &&
           t->subject->not_before_s <= DER_TIME_MAX_S &&
           last_second(t) <= DER_TIME_MAX_S;
}

static bool alt_names_ok(const struct cert_server *leaf)
{
    for (size_t i = 0; i < leaf->dns_count; i++)
        if (!name_ok(leaf->dns[i], CERT_DNS_MAX))
            return false;
    for (size_t i = 0; i < leaf->ip_count; i++)
        if (leaf->ips[i].len != 4 && leaf->ips[i].len != 16)
            return false;
    return leaf->dns_count > 0 || leaf->ip_count > 0;
}

static void put_version(struct writer *w)
{
    static const uint8_t v3 = 2;
    size_t tag = der_open(w, DER_EXPLICIT(0));
    der_integer(w, view_of(&v3, 1));
    der_close(w, tag);
}

/* Positive, not zero, and of one length: the top bits become 01. */
static void put_serial(struct writer *w, const uint8_t *random)
{
    uint8_t serial[CERT_SERIAL_LEN];

    memcpy(serial, random, sizeof serial);
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
    der_integer(w, VIEW_ARRAY(serial));
}

static void put_algorithm(struct writer *w)
{
    size_t seq = der_open(w, DER_SEQUENCE);
    der_oid(w, OID_ECDSA_SHA256); /* no parameters, not even NULL */
    der_close(w, seq);
}

/* A distinguished name of one common name. */
static void put_name(struct writer *w, struct view name)
{
    size_t rdns = der_open(w, DER_SEQUENCE);
    size_t rdn = der_open(w, DER_SET);
    size_t pair = der_open(w, DER_SEQUENCE);
    der_oid(w, OID_COMMON_NAME);
    der_put(w, DER_UTF8, name);
    der_close(w, pair);
    der_close(w, rdn);
    der_close(w, rdns);
}

static void put_validity(struct writer *w, const struct terms *t)
{
    size_t seq = der_open(w, DER_SEQUENCE);
    der_time(w, t->subject->not_before_s);
    der_time(w, last_second(t));
    der_close(w, seq);
}

static void put_public_key(struct writer *w, const uint8_t *pub)
{
    size_t info = der_open(w, DER_SEQUENCE);
    size_t alg = der_open(w, DER_SEQUENCE);
    der_oid(w, OID_EC_KEY);
    der_oid(w, OID_P256);
    der_close(w, alg);
    der_bits(w, view_of(pub, CERT_PUB_LEN));
    der_close(w, info);
}

static void begin(struct build *b, struct span out, const struct terms *t)
{
    struct writer *w = &b->w;

    writer_init(w, out);
    b->cert = der_open(w, DER_SEQUENCE);
    b->tbs = der_open(w, DER_SEQUENCE);
    put_version(w);
    put_serial(w, t->subject->serial);
    put_algorithm(w);
    put_name(w, t->issuer);
    put_validity(w, t);
    put_name(w, t->subject->name);
    put_public_key(w, t->pub);
    b->exts = der_open(w, DER_EXPLICIT(3));
    b->list = der_open(w, DER_SEQUENCE);
}

static struct ext ext_open(struct writer *w, const char *oid, bool critical)
{
    struct ext e = {.seq = der_open(w, DER_SEQUENCE)};

    der_oid(w, oid);
    if (critical) /* the default, false, is not written in DER */
        der_boolean(w, true);
    e.value = der_open(w, DER_OCTET_STRING);
    return e;
}

static void ext_close(struct writer *w, struct ext e)
{
    der_close(w, e.value);
    der_close(w, e.seq);
}

/* A CA that signs no CA, or no CA at all, which is the empty sequence. */
static void ext_constraints(struct writer *w, bool is_ca)
{
    struct ext e = ext_open(w, OID_CONSTRAINTS, true);
    size_t seq = der_open(w, DER_SEQUENCE);

    if (is_ca) {
        der_boolean(w, true);
        der_integer(w, VIEW_NONE); /* path length 0 */
    }
    der_close(w, seq);
    ext_close(w, e);
}

static void ext_key_usage(struct writer *w, uint8_t flags)
{
    struct ext e = ext_open(w, OID_KEY_USAGE, true);
    der_named_bits(w, flags);
    ext_close(w, e);
}

static void ext_server_auth(struct writer *w)
{
    struct ext e = ext_open(w, OID_EXT_USAGE, false);
    size_t seq = der_open(w, DER_SEQUENCE);
    der_oid(w, OID_SERVER_AUTH);
    der_close(w, seq);
    ext_close(w, e);
}

static void sha256(struct view in, uint8_t *out)
{
    br_sha256_context hash;
    br_sha256_init(&hash);
    br_sha256_update(&hash, in.ptr, in.len);
    br_sha256_out(&hash, out);
}

/* A key's identifier: 160 bits of its SHA-256 (RFC 7093, 2, method 1). */
static void put_key_id(struct writer *w, uint8_t tag, const uint8_t *pub)
{
    uint8_t hash[br_sha256_SIZE];
    sha256(view_of(pub, CERT_PUB_LEN), hash);
    der_put(w, tag, view_of(hash, KEY_ID_LEN));
}

static void ext_subject_key(struct writer *w, const uint8_t *pub)
{
    struct ext e = ext_open(w, OID_SUBJECT_KEY, false);
    put_key_id(w, DER_OCTET_STRING, pub);
    ext_close(w, e);
}

static void ext_issuer_key(struct writer *w, const uint8_t *pub)
{
    struct ext e = ext_open(w, OID_ISSUER_KEY, false);
    size_t seq = der_open(w, DER_SEQUENCE);
    put_key_id(w, DER_IMPLICIT(0), pub);
    der_close(w, seq);
    ext_close(w, e);
}

static void ext_alt_names(struct writer *w, const struct cert_server *leaf)
{
    struct ext e = ext_open(w, OID_ALT_NAME, false);
    size_t seq = der_open(w, DER_SEQUENCE);

    for (size_t i = 0; i < leaf->dns_count; i++)
        der_put(w, DER_IMPLICIT(ALT_DNS), leaf->dns[i]);
    for (size_t i = 0; i < leaf->ip_count; i++)
        der_put(w, DER_IMPLICIT(ALT_IP), leaf->ips[i]);
    der_close(w, seq);
    ext_close(w, e);
}

/* The signature over what stands from `mark` on; 0 when the key is none. */
static size_t sign(const struct writer *w, size_t mark,
                   const struct cert_key *key, uint8_t *sig)
{
    br_ecdsa_sign ecdsa = br_ecdsa_sign_asn1_get_default();
    br_ec_private_key sk = private_of(key);
    uint8_t hash[br_sha256_SIZE];

    sha256(view_from(writer_view(w), mark), hash);
    return ecdsa(ec, &br_sha256_vtable, hash, &sk, sig);
}

/* Close the body, sign it, and append the signature (RFC 5280, 4.1.1). */
static int finish(struct build *b, const struct cert_key *key)
{
    struct writer *w = &b->w;
    uint8_t sig[SIG_MAX];

    der_close(w, b->list);
    der_close(w, b->exts);
    der_close(w, b->tbs);
    if (w->err != OK)
        return w->err;
    size_t len = sign(w, b->tbs, key, sig);
    if (len == 0)
        return ERR_RANGE;
    put_algorithm(w);
    der_bits(w, view_of(sig, len));
    der_close(w, b->cert);
    return w->err != OK ? w->err : (int)w->len;
}

int cert_ca(const struct cert_key *key, const struct cert_id *id,
            struct span out)
{
    struct terms t = {id, id->name, key->pub, CERT_CA_DAYS};
    struct build b;

    if (!terms_ok(&t))
        return ERR_RANGE;
    begin(&b, out, &t);
    ext_constraints(&b.w, true);
    ext_key_usage(&b.w, USE_CERTS_AND_CRLS);
    ext_subject_key(&b.w, key->pub);
    return finish(&b, key);
}

int cert_server(const struct cert_issuer *ca, const struct cert_server *leaf,
                struct span out)
{
    struct terms t = {&leaf->id, ca->name, leaf->pub, leaf->days};
    struct build b;

    if (!terms_ok(&t) || !alt_names_ok(leaf))
        return ERR_RANGE;
    begin(&b, out, &t);
    ext_constraints(&b.w, false);
    ext_key_usage(&b.w, USE_SIGNATURE);
    ext_server_auth(&b.w);
    ext_subject_key(&b.w, leaf->pub);
    ext_issuer_key(&b.w, ca->key->pub);
    ext_alt_names(&b.w, leaf);
    return finish(&b, ca->key);
}

bool cert_dns_ok(struct view name)
{
    return name_ok(name, CERT_DNS_MAX);
}

static bool contains(struct view all, struct view part)
{
    for (size_t at = 0; at + part.len <= all.len; at++)
        if (view_starts(view_from(all, at), part))
            return true;
    return false;
}

bool cert_is_for(struct view der, const struct cert_server *leaf)
{
    uint8_t names[ALT_NAMES_MAX], key[KEY_INFO_MAX];
    struct writer n, k;

    writer_init(&n, SPAN_ARRAY(names));
    ext_alt_names(&n, leaf);
    writer_init(&k, SPAN_ARRAY(key));
    put_public_key(&k, leaf->pub);
    assert(k.err == OK);
    return n.err == OK && contains(der, writer_view(&n)) &&
           contains(der, writer_view(&k));
}

void cert_end_point(struct view der, uint8_t *out)
{
    sha256(der, out);
}
