/*
 * The relay's certificates, judged by others: BearSSL's own X.509 engine,
 * OpenSSL (required), and GnuTLS when certtool is installed. Files go to a
 * folder of their own below /tmp, which is removed at the end.
 */
#define _POSIX_C_SOURCE 200809L

#include "core/cert.h"

#include <bearssl_ec.h>
#include <bearssl_hash.h>
#include <bearssl_x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "codec/der.h"

#define NOT_BEFORE 1700000000ULL /* 2023-11-14T22:13:20Z */
#define NOW        "1700086400"  /* a day later */
#define NOW_S      1700086400U

enum { DAYS = 825, DER_CAP = 4096 };

static const uint8_t ip4[] = {192, 0, 2, 7};
static const uint8_t ip6[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
                              0,    0,    0,    0,    0, 0, 0, 7};

/* A CA, a server key, and what the server certificate is to say. */
struct fixture {
    struct cert_key ca_key, leaf_key;
    struct cert_id ca_id;
    struct view dns[2], ips[2];
    struct cert_server leaf;
    struct cert_issuer issuer;
    uint8_t ca[DER_CAP], crt[DER_CAP];
    struct view ca_der, crt_der;
};

static struct fixture fix;
static char folder[] = "/tmp/cert_test.XXXXXX";

static struct cert_key key_of(uint8_t fill)
{
    struct cert_key key;
    uint8_t seed[CERT_SEED_LEN];

    memset(seed, fill, sizeof seed);
    cert_key_make(seed, &key);
    return key;
}

static struct cert_id id_of(const char *name, uint8_t fill)
{
    struct cert_id id = {
        .name = view_str(name),
        .not_before_s = NOT_BEFORE,
    };
    memset(id.serial, fill, sizeof id.serial);
    return id;
}

static void fix_make(struct fixture *f)
{
    f->ca_key = key_of(1);
    f->leaf_key = key_of(2);
    f->ca_id = id_of("cmdop-relay-ca", 0xff);
    f->dns[0] = view_str("relay.example.com");
    f->dns[1] = view_str("localhost");
    f->ips[0] = VIEW_ARRAY(ip4);
    f->ips[1] = VIEW_ARRAY(ip6);
    f->leaf = (struct cert_server){
        .id = id_of("relay.example.com", 0x00),
        .pub = f->leaf_key.pub,
        .days = DAYS,
        .dns = f->dns,
        .dns_count = 2,
        .ips = f->ips,
        .ip_count = 2,
    };
    f->issuer = (struct cert_issuer){&f->ca_key, f->ca_id.name};
}

static void fix_sign(struct fixture *f)
{
    int ca = cert_ca(&f->ca_key, &f->ca_id, SPAN_ARRAY(f->ca));
    int crt = cert_server(&f->issuer, &f->leaf, SPAN_ARRAY(f->crt));

    assert_true(ca > 0);
    assert_true(crt > 0);
    f->ca_der = view_of(f->ca, (size_t)ca);
    f->crt_der = view_of(f->crt, (size_t)crt);
}

/* Each test starts from the same fixture. */
static int setup(void **state)
{
    (void)state;
    fix_make(&fix);
    fix_sign(&fix);
    return 0;
}

/* Files and foreign programs */

static void file_write(const char *name, struct view bytes)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, f), bytes.len);
    assert_int_equal(fclose(f), 0);
}

static size_t file_read(const char *name, uint8_t *buf, size_t cap)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t len = fread(buf, 1, cap, f);
    assert_int_equal(fclose(f), 0);
    return len;
}

static void pem_file_write(const char *name, const char *label, struct view der)
{
    uint8_t text[2 * DER_CAP];
    struct writer w;

    writer_init(&w, SPAN_ARRAY(text));
    der_to_pem(&w, label, der);
    assert_int_equal(w.err, OK);
    file_write(name, writer_view(&w));
}

/* Run a command line in the folder, its output in out.txt; its status. */
static int run(const char *command)
{
    char line[1024];
    int len = snprintf(line, sizeof line, "cd %s && (%s) >out.txt 2>&1", folder,
                       command);

    assert_in_range(len, 1, sizeof line - 1);
    return system(line);
}

static void assert_run(const char *command)
{
    char out[8192];
    int status = run(command);
    size_t len = file_read("out.txt", (uint8_t *)out, sizeof out - 1);

    out[len] = '\0';
    if (status != 0)
        fail_msg("%s: %s", command, out);
}

static void assert_says(const char *text)
{
    char out[8192];
    size_t len = file_read("out.txt", (uint8_t *)out, sizeof out - 1);

    out[len] = '\0';
    if (strstr(out, text) == NULL)
        fail_msg("no \"%s\" in: %s", text, out);
}

static void files_write(const struct fixture *f)
{
    pem_file_write("ca.pem", "CERTIFICATE", f->ca_der);
    pem_file_write("leaf.pem", "CERTIFICATE", f->crt_der);
    file_write("ca.der", f->ca_der);
    file_write("leaf.der", f->crt_der);
}

/* Keys */

static void one_seed_makes_one_key(void **state)
{
    struct cert_key a = key_of(7), b = key_of(7), c = key_of(8);

    (void)state;
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(a.x, c.x, sizeof a.x);
    assert_int_equal(a.pub[0], 4);
}

static void key_der_is_what_bearssl_writes(void **state)
{
    uint8_t own[CERT_KEY_DER_LEN], theirs[256];
    br_ec_private_key sk = {BR_EC_secp256r1, fix.leaf_key.x, CERT_X_LEN};
    br_ec_public_key pk = {BR_EC_secp256r1, fix.leaf_key.pub, CERT_PUB_LEN};

    (void)state;
    assert_int_equal(cert_key_der(&fix.leaf_key, SPAN_ARRAY(own)), sizeof own);
    assert_int_equal(br_encode_ec_raw_der(theirs, &sk, &pk), sizeof own);
    assert_memory_equal(own, theirs, sizeof own);
}

static void key_der_comes_back(void **state)
{
    uint8_t der[CERT_KEY_DER_LEN];
    struct cert_key key;

    (void)state;
    for (uint8_t fill = 0; fill < 20; fill++) {
        struct cert_key made = key_of(fill);
        cert_key_der(&made, SPAN_ARRAY(der));
        assert_int_equal(cert_key_parse(VIEW_ARRAY(der), &key), OK);
        assert_memory_equal(&key, &made, sizeof key);
    }
}

static void key_der_with_any_bit_changed_is_damaged(void **state)
{
    uint8_t der[CERT_KEY_DER_LEN];
    struct cert_key key, before;

    (void)state;
    memset(&key, 0x5a, sizeof key);
    before = key;
    cert_key_der(&fix.leaf_key, SPAN_ARRAY(der));
    for (size_t bit = 0; bit < 8 * sizeof der; bit++) {
        der[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(cert_key_parse(VIEW_ARRAY(der), &key), ERR_DAMAGED);
        der[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_memory_equal(&key, &before, sizeof key);
}

static void key_der_of_another_length_is_damaged(void **state)
{
    uint8_t der[CERT_KEY_DER_LEN + 1] = {0};
    struct cert_key key;

    (void)state;
    cert_key_der(&fix.leaf_key, SPAN_ARRAY(der));
    assert_int_equal(cert_key_parse(VIEW_ARRAY(der), &key), ERR_DAMAGED);
    for (size_t len = 0; len < CERT_KEY_DER_LEN; len++) {
        uint8_t *cut = malloc(len + (len == 0));
        assert_non_null(cut);
        memcpy(cut, der, len);
        assert_int_equal(cert_key_parse(view_of(cut, len), &key), ERR_DAMAGED);
        free(cut);
    }
}

/* The key file of a private number, with the public key BearSSL derives. */
static int parse_number(const uint8_t *x)
{
    uint8_t der[CERT_KEY_DER_LEN];
    struct cert_key key, out;
    br_ec_private_key sk = {BR_EC_secp256r1, key.x, CERT_X_LEN};

    memcpy(key.x, x, sizeof key.x);
    br_ec_compute_pub(br_ec_get_default(), NULL, key.pub, &sk);
    key.pub[0] = 4;
    cert_key_der(&key, SPAN_ARRAY(der));
    return cert_key_parse(VIEW_ARRAY(der), &out);
}

static void private_numbers_are_from_1_to_n_less_1(void **state)
{
    size_t len;
    const uint8_t *n = br_ec_get_default()->order(BR_EC_secp256r1, &len);
    uint8_t x[CERT_X_LEN] = {0};

    (void)state;
    assert_int_equal(parse_number(x), ERR_DAMAGED);
    x[31] = 1;
    assert_int_equal(parse_number(x), OK);
    memcpy(x, n, sizeof x);
    assert_int_equal(parse_number(x), ERR_DAMAGED);
    x[31]--;
    assert_int_equal(parse_number(x), OK);
    x[31] = (uint8_t)(x[31] + 2);
    assert_int_equal(parse_number(x), ERR_DAMAGED);
    memset(x, 0xff, sizeof x);
    assert_int_equal(parse_number(x), ERR_DAMAGED);
}

static void openssl_reads_our_key_and_we_read_its(void **state)
{
    uint8_t der[CERT_KEY_DER_LEN], text[1024];
    struct cert_key key;

    (void)state;
    cert_key_der(&fix.leaf_key, SPAN_ARRAY(der));
    pem_file_write("key.pem", "EC PRIVATE KEY", VIEW_ARRAY(der));
    assert_run("openssl ec -in key.pem -check -noout");
    assert_run("openssl ec -in key.pem -out copy.pem && "
               "cmp key.pem copy.pem");
    assert_run("openssl ecparam -name prime256v1 -genkey -noout "
               "-out own.pem");
    size_t len = file_read("own.pem", text, sizeof text);
    assert_int_equal(
        der_from_pem(view_of(text, len), "EC PRIVATE KEY", SPAN_ARRAY(der)),
        sizeof der);
    assert_int_equal(cert_key_parse(VIEW_ARRAY(der), &key), OK);
}

/* Certificates */

static void equal_inputs_make_equal_certificates(void **state)
{
    static struct fixture other;

    (void)state;
    fix_make(&other);
    fix_sign(&other);
    assert_true(view_eq(fix.ca_der, other.ca_der));
    assert_true(view_eq(fix.crt_der, other.crt_der));
}

static void openssl_verifies_chain_name_and_address(void **state)
{
#define VERIFY "openssl verify -x509_strict -attime " NOW " -CAfile ca.pem "
    (void)state;
    files_write(&fix);
    assert_run(VERIFY "-check_ss_sig ca.pem");
    assert_run(VERIFY "-purpose sslserver -verify_hostname "
                      "relay.example.com leaf.pem");
    assert_run(VERIFY "-verify_hostname localhost leaf.pem");
    assert_run(VERIFY "-verify_ip 192.0.2.7 leaf.pem");
    assert_run(VERIFY "-verify_ip 2001:db8::7 leaf.pem");
    assert_int_not_equal(run(VERIFY "-verify_hostname other leaf.pem"), 0);
    assert_int_not_equal(run(VERIFY "-verify_ip 192.0.2.8 leaf.pem"), 0);
    assert_int_not_equal(run(VERIFY "-purpose sslclient leaf.pem"), 0);
    assert_int_not_equal(
        run("openssl verify -attime " NOW " -CAfile leaf.pem leaf.pem"), 0);
#undef VERIFY
}

/* OpenSSL counts the last second itself as expired, BearSSL does not. */
static void validity_ends_at_the_promised_second(void **state)
{
    static const struct {
        const char *pem;
        uint64_t at_s;
        bool good;
    } rows[] = {
        {"leaf.pem", NOT_BEFORE - 1, false},
        {"leaf.pem", NOT_BEFORE, true},
        {"leaf.pem", NOT_BEFORE + DAYS * 86400ULL - 2, true},
        {"leaf.pem", NOT_BEFORE + DAYS * 86400ULL, false},
        {"ca.pem", NOT_BEFORE - 1, false},
        {"ca.pem", NOT_BEFORE + CERT_CA_DAYS * 86400ULL - 2, true},
        {"ca.pem", NOT_BEFORE + CERT_CA_DAYS * 86400ULL, false},
    };
    char line[256];

    (void)state;
    files_write(&fix);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(line, sizeof line,
                 "openssl verify -attime %llu -CAfile ca.pem %s",
                 (unsigned long long)rows[i].at_s, rows[i].pem);
        assert_int_equal(run(line) == 0, rows[i].good);
    }
}

static void openssl_prints_what_was_asked(void **state)
{
    (void)state;
    files_write(&fix);
    assert_run("openssl x509 -in ca.pem -noout -text");
    assert_says("Version: 3 (0x2)");
    assert_says("7f:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff");
    assert_says("Issuer: CN = cmdop-relay-ca");
    assert_says("Subject: CN = cmdop-relay-ca");
    assert_says("Not Before: Nov 14 22:13:20 2023 GMT");
    assert_says("Not After : Nov 14 22:13:19 2043 GMT");
    assert_says("Basic Constraints: critical\n"
                "                CA:TRUE, pathlen:0");
    assert_says("Key Usage: critical\n"
                "                Certificate Sign, CRL Sign");
    assert_says("X509v3 Subject Key Identifier:");
    assert_run("openssl x509 -in leaf.pem -noout -text");
    assert_says("40:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00");
    assert_says("Signature Algorithm: ecdsa-with-SHA256");
    assert_says("Issuer: CN = cmdop-relay-ca");
    assert_says("Subject: CN = relay.example.com");
    assert_says("NIST CURVE: P-256");
    assert_says("Basic Constraints: critical\n"
                "                CA:FALSE");
    assert_says("Key Usage: critical\n"
                "                Digital Signature\n");
    assert_says("Extended Key Usage: \n"
                "                TLS Web Server Authentication\n");
    assert_says("DNS:relay.example.com, DNS:localhost, "
                "IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7\n");
    assert_says("X509v3 Authority Key Identifier:");
}

static void openssl_writes_the_same_bytes_again(void **state)
{
    (void)state;
    files_write(&fix);
    assert_run("openssl x509 -in leaf.pem -outform DER -out a.der && "
               "cmp a.der leaf.der");
    assert_run("openssl x509 -inform DER -in leaf.der -out a.pem && "
               "cmp a.pem leaf.pem");
    assert_run("openssl x509 -in ca.pem -outform DER -out a.der && "
               "cmp a.der ca.der");
    assert_run("openssl asn1parse -inform DER -in leaf.der");
}

static void validity_past_2049_is_read_as_such(void **state)
{
    (void)state;
    fix.ca_id.not_before_s = 2500000000; /* 2049-03-22 */
    fix_sign(&fix);
    files_write(&fix);
    assert_run("openssl x509 -in ca.pem -noout -dates");
    assert_says("notBefore=Mar 22 04:26:40 2049 GMT");
    assert_says("notAfter=Mar 22 04:26:39 2069 GMT");
    assert_run("openssl verify -x509_strict -attime 3000000000 "
               "-CAfile ca.pem ca.pem");
}

/* certtool knows no time but the present. */
static void gnutls_verifies_the_chain(void **state)
{
    (void)state;
    if (run("command -v certtool") != 0)
        skip();
    fix.ca_id.not_before_s = (uint64_t)time(NULL) - 3600;
    fix.leaf.id.not_before_s = fix.ca_id.not_before_s;
    fix_sign(&fix);
    files_write(&fix);
#define CERTTOOL                                      \
    "certtool --verify "                              \
    "--load-ca-certificate ca.pem --infile leaf.pem " \
    "--verify-profile high "
    assert_run(CERTTOOL "--verify-hostname relay.example.com");
    assert_run(CERTTOOL "--verify-hostname localhost");
    assert_run(CERTTOOL "--verify-hostname 192.0.2.7");
    assert_int_not_equal(run(CERTTOOL "--verify-hostname other"), 0);
#undef CERTTOOL
}

/* BearSSL as a client */

struct sink {
    uint8_t dn[256];
    size_t len;
};

static void sink_append(void *ctx, const void *bytes, size_t len)
{
    struct sink *s = ctx;

    assert_true(len <= sizeof s->dn - s->len);
    memcpy(s->dn + s->len, bytes, len);
    s->len += len;
}

/* What BearSSL's minimal engine says of a chain of one, 0 when it is good. */
static unsigned bearssl_verdict(struct view ca, struct view leaf,
                                const char *host, uint32_t now_s)
{
    struct sink dn = {.len = 0};
    br_x509_decoder_context dec;
    br_x509_minimal_context min;
    const br_x509_class **engine = &min.vtable;

    br_x509_decoder_init(&dec, sink_append, &dn);
    br_x509_decoder_push(&dec, ca.ptr, ca.len);
    br_x509_pkey *key = br_x509_decoder_get_pkey(&dec);
    assert_non_null(key);
    assert_int_equal(br_x509_decoder_isCA(&dec), 1);
    br_x509_trust_anchor anchor = {
        .dn = {dn.dn, dn.len},
        .flags = BR_X509_TA_CA,
        .pkey = *key,
    };

    br_x509_minimal_init(&min, &br_sha256_vtable, &anchor, 1);
    br_x509_minimal_set_hash(&min, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_ecdsa(&min, br_ec_get_default(),
                              br_ecdsa_vrfy_asn1_get_default());
    br_x509_minimal_set_time(&min, now_s / 86400 + 719528, now_s % 86400);
    (*engine)->start_chain(engine, host);
    (*engine)->start_cert(engine, (uint32_t)leaf.len);
    (*engine)->append(engine, leaf.ptr, leaf.len);
    (*engine)->end_cert(engine);
    return (*engine)->end_chain(engine);
}

static void bearssl_accepts_the_chain(void **state)
{
    (void)state;
    assert_int_equal(
        bearssl_verdict(fix.ca_der, fix.crt_der, "relay.example.com", NOW_S),
        0);
    assert_int_equal(
        bearssl_verdict(fix.ca_der, fix.crt_der, "localhost", NOW_S), 0);
    assert_int_equal(bearssl_verdict(fix.ca_der, fix.crt_der, "other", NOW_S),
                     BR_ERR_X509_BAD_SERVER_NAME);
}

static void bearssl_agrees_on_both_ends_of_validity(void **state)
{
    static const struct {
        uint64_t at_s;
        unsigned verdict;
    } rows[] = {
        {NOT_BEFORE - 1, BR_ERR_X509_EXPIRED},
        {NOT_BEFORE, 0},
        {NOT_BEFORE + DAYS * 86400ULL - 1, 0},
        {NOT_BEFORE + DAYS * 86400ULL, BR_ERR_X509_EXPIRED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(bearssl_verdict(fix.ca_der, fix.crt_der, "localhost",
                                         (uint32_t)rows[i].at_s),
                         rows[i].verdict);
}

static void bearssl_refuses_another_ca(void **state)
{
    static struct fixture other;

    (void)state;
    fix_make(&other);
    other.ca_key = key_of(9);
    fix_sign(&other);
    assert_int_not_equal(
        bearssl_verdict(other.ca_der, fix.crt_der, "localhost", NOW_S), 0);
}

static void every_changed_byte_breaks_the_certificate(void **state)
{
    (void)state;
    for (size_t i = 0; i < fix.crt_der.len; i++) {
        fix.crt[i] ^= 1;
        assert_int_not_equal(
            bearssl_verdict(fix.ca_der, fix.crt_der, "localhost", NOW_S), 0);
        fix.crt[i] ^= 1;
    }
}

/* Signatures differ in length with the leading bits of r and s. */
static void many_serials_verify(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        fix.leaf.id.serial[1] = (uint8_t)i;
        fix.leaf.id.serial[2] = (uint8_t)(i >> 8);
        int len = cert_server(&fix.issuer, &fix.leaf, SPAN_ARRAY(fix.crt));
        assert_true(len > 0);
        assert_int_equal(bearssl_verdict(fix.ca_der,
                                         view_of(fix.crt, (size_t)len),
                                         "localhost", NOW_S),
                         0);
    }
}

/* Limits and refusals */

static int ca_named(struct view name)
{
    fix.ca_id.name = name;
    return cert_ca(&fix.ca_key, &fix.ca_id, SPAN_ARRAY(fix.ca));
}

static int leaf_named(struct view dns)
{
    fix.dns[0] = dns;
    return cert_server(&fix.issuer, &fix.leaf, SPAN_ARRAY(fix.crt));
}

static void names_outside_the_alphabet_are_refused(void **state)
{
    static const char *const bad[] = {
        "",     ".",           "a..b",  ".a",    "a.",  "-a",    "a-",
        "a-.b", "a.-b",        "a b",   "a_b",   "*.a", "a/b",   "a\nb",
        "a@b",  "caf\xc3\xa9", "[::1]", "a:443", "a,b", "a\x7f", "\xff",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ca_named(view_str(bad[i])), ERR_RANGE);
        assert_int_equal(leaf_named(view_str(bad[i])), ERR_RANGE);
    }
    assert_int_equal(leaf_named(view_of("a\0b", 3)), ERR_RANGE);
    assert_true(leaf_named(view_str("A-9.x--y.Z")) > 0);
    assert_true(ca_named(view_str("0")) > 0);
}

/* A host name of `len` bytes, in labels of at most 63. */
static struct view long_name(size_t len)
{
    static uint8_t name[300];

    for (size_t i = 0; i < len; i++)
        name[i] = i % 64 == 63 ? '.' : 'a';
    return view_of(name, len);
}

static void names_have_their_greatest_lengths(void **state)
{
    (void)state;
    assert_true(leaf_named(long_name(CERT_DNS_MAX)) > 0);
    assert_int_equal(leaf_named(long_name(CERT_DNS_MAX + 1)), ERR_RANGE);
    uint8_t name[66];
    memset(name, 'a', sizeof name);
    assert_true(leaf_named(view_of(name, 63)) > 0);
    assert_int_equal(leaf_named(view_of(name, 64)), ERR_RANGE);
    name[1] = '.';
    assert_true(ca_named(view_of(name, CERT_CN_MAX)) > 0);
    assert_int_equal(ca_named(view_of(name, CERT_CN_MAX + 1)), ERR_RANGE);
}

static void a_long_name_still_verifies(void **state)
{
    char host[CERT_DNS_MAX + 1], line[512];

    (void)state;
    fix.dns[0] = long_name(CERT_DNS_MAX);
    bytes_to_str(host, sizeof host, fix.dns[0]);
    fix_sign(&fix);
    files_write(&fix);
    snprintf(line, sizeof line,
             "openssl verify -x509_strict -attime " NOW
             " -CAfile ca.pem -verify_hostname %s leaf.pem",
             host);
    assert_run(line);
    assert_int_equal(bearssl_verdict(fix.ca_der, fix.crt_der, host, NOW_S), 0);
}

static int leaf_make(void)
{
    return cert_server(&fix.issuer, &fix.leaf, SPAN_ARRAY(fix.crt));
}

static void addresses_are_of_4_or_16_bytes(void **state)
{
    (void)state;
    for (size_t len = 0; len <= sizeof ip6; len++) {
        fix.ips[0] = view_of(ip6, len);
        assert_int_equal(leaf_make() > 0, len == 4 || len == 16);
    }
}

static void a_server_needs_an_alternative_name(void **state)
{
    (void)state;
    fix.leaf.ip_count = 0;
    assert_true(leaf_make() > 0);
    fix.leaf.dns_count = 0;
    assert_int_equal(leaf_make(), ERR_RANGE);
    fix.leaf.ip_count = 1;
    assert_true(leaf_make() > 0);
}

static void issuer_days_and_public_key_are_checked(void **state)
{
    (void)state;
    fix.issuer.name = view_str("no name");
    assert_int_equal(leaf_make(), ERR_RANGE);
    fix_make(&fix);
    fix.leaf.days = 0;
    assert_int_equal(leaf_make(), ERR_RANGE);
    fix.leaf.days = CERT_DAYS_MAX + 1;
    assert_int_equal(leaf_make(), ERR_RANGE);
    fix.leaf.days = UINT32_MAX;
    assert_int_equal(leaf_make(), ERR_RANGE);
    fix.leaf.days = CERT_DAYS_MAX;
    assert_true(leaf_make() > 0);
    fix.leaf_key.pub[0] = 2;
    assert_int_equal(leaf_make(), ERR_RANGE);
}

static void validity_stops_at_the_year_9999(void **state)
{
    (void)state;
    fix.leaf.days = 1;
    fix.leaf.id.not_before_s = DER_TIME_MAX_S - 86399;
    assert_true(leaf_make() > 0);
    fix.leaf.id.not_before_s++;
    assert_int_equal(leaf_make(), ERR_RANGE);
    fix.leaf.id.not_before_s = UINT64_MAX;
    assert_int_equal(leaf_make(), ERR_RANGE);
    fix.ca_id.not_before_s = DER_TIME_MAX_S;
    assert_int_equal(ca_named(view_str("ca")), ERR_RANGE);
}

static void a_key_that_is_none_signs_nothing(void **state)
{
    (void)state;
    memset(fix.ca_key.x, 0, sizeof fix.ca_key.x);
    assert_int_equal(leaf_make(), ERR_RANGE);
    memset(fix.ca_key.x, 0xff, sizeof fix.ca_key.x);
    assert_int_equal(leaf_make(), ERR_RANGE);
    assert_int_equal(ca_named(view_str("ca")), ERR_RANGE);
}

/* Makers over a span, for one loop. */
static int make_ca(struct span out)
{
    return cert_ca(&fix.ca_key, &fix.ca_id, out);
}

static int make_leaf(struct span out)
{
    return cert_server(&fix.issuer, &fix.leaf, out);
}

static int make_key(struct span out)
{
    return cert_key_der(&fix.ca_key, out);
}

static void every_short_span_is_full_and_not_overrun(void **state)
{
    static int (*const makers[])(struct span) = {make_ca, make_leaf, make_key};
    (void)state;
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        int len = makers[i](SPAN_ARRAY(fix.crt));
        assert_true(len > 0);
        for (size_t cap = 0; cap <= (size_t)len; cap++) {
            uint8_t *out = malloc(cap + (cap == 0));
            assert_non_null(out);
            int got = makers[i]((struct span){cap == 0 ? NULL : out, cap});
            assert_int_equal(got, cap < (size_t)len ? ERR_FULL : len);
            free(out);
        }
    }
}

/* The longest output over some serials: signatures have 70 to 72 bytes. */
static size_t longest(int (*make)(struct span), uint8_t *serial)
{
    size_t max = 0;

    for (*serial = 0; *serial < 64; (*serial)++) {
        int len = make(SPAN_ARRAY(fix.crt));
        assert_true(len > 0);
        max = (size_t)len > max ? (size_t)len : max;
    }
    return max;
}

static void cert_der_max_suffices(void **state)
{
    uint8_t cn[CERT_CN_MAX];

    (void)state;
    memset(cn, 'a', sizeof cn);
    cn[1] = '.';
    fix.issuer.name = fix.leaf.id.name = fix.ca_id.name = VIEW_ARRAY(cn);
    fix.leaf.id.not_before_s = 2600000000; /* the longer form of time */
    fix.ca_id.not_before_s = 2600000000;
    assert_in_range(longest(make_ca, &fix.ca_id.serial[9]), 1, CERT_DER_MAX);
    for (size_t len = 1; len <= CERT_DNS_MAX; len += 84) {
        fix.dns[0] = fix.dns[1] = long_name(len);
        size_t names = 2 * (len + 4) + 4 + 4 + 16 + 4;
        assert_in_range(longest(make_leaf, &fix.leaf.id.serial[9]), 1,
                        CERT_DER_MAX + names);
    }
}

static void a_certificate_beyond_64_kib_is_full(void **state)
{
    static struct view many[300];
    static uint8_t out[1 << 17];

    (void)state;
    for (size_t i = 0; i < 300; i++)
        many[i] = long_name(CERT_DNS_MAX);
    fix.leaf.dns = many;
    fix.leaf.dns_count = 300;
    assert_int_equal(make_leaf(SPAN_ARRAY(out)), ERR_FULL);
    fix.leaf.dns_count = 200;
    assert_true(make_leaf(SPAN_ARRAY(out)) > 50000);
}

static void end_point_is_the_hash_of_the_der(void **state)
{
    uint8_t own[CERT_END_POINT_LEN], theirs[CERT_END_POINT_LEN + 1];

    (void)state;
    files_write(&fix);
    cert_end_point(fix.crt_der, own);
    assert_run("openssl dgst -sha256 -binary -out hash leaf.der");
    assert_int_equal(file_read("hash", theirs, sizeof theirs), sizeof own);
    assert_memory_equal(own, theirs, sizeof own);
}

static int folder_make(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int folder_remove(void **state)
{
    char line[64];

    (void)state;
    snprintf(line, sizeof line, "rm -r %s", folder);
    return system(line);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_seed_makes_one_key),
        T(key_der_is_what_bearssl_writes),
        T(key_der_comes_back),
        T(key_der_with_any_bit_changed_is_damaged),
        T(key_der_of_another_length_is_damaged),
        T(private_numbers_are_from_1_to_n_less_1),
        T(openssl_reads_our_key_and_we_read_its),
        T(equal_inputs_make_equal_certificates),
        T(openssl_verifies_chain_name_and_address),
        T(validity_ends_at_the_promised_second),
        T(openssl_prints_what_was_asked),
        T(openssl_writes_the_same_bytes_again),
        T(validity_past_2049_is_read_as_such),
        T(gnutls_verifies_the_chain),
        T(bearssl_accepts_the_chain),
        T(bearssl_agrees_on_both_ends_of_validity),
        T(bearssl_refuses_another_ca),
        T(every_changed_byte_breaks_the_certificate),
        T(many_serials_verify),
        T(names_outside_the_alphabet_are_refused),
        T(names_have_their_greatest_lengths),
        T(a_long_name_still_verifies),
        T(addresses_are_of_4_or_16_bytes),
        T(a_server_needs_an_alternative_name),
        T(issuer_days_and_public_key_are_checked),
        T(validity_stops_at_the_year_9999),
        T(a_key_that_is_none_signs_nothing),
        T(every_short_span_is_full_and_not_overrun),
        T(cert_der_max_suffices),
        T(a_certificate_beyond_64_kib_is_full),
        T(end_point_is_the_hash_of_the_der),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
