/*
 * TLS 1.2 by BearSSL; see tls.h. Three parts: the certificate tap, the
 * profile (what we offer and accept), and the doors through which bytes move.
 * The reasons for people stand in a table at the end of the second part.
 */
#include "transport/tls.h"

#include <assert.h>
#include <string.h>

#include "crypto/ct.h"

#define RSA_BYTES_MIN 256     /* 2048 bits */
#define EPOCH_DAYS    719528u /* 1970-01-01 counted from year 0 */
#define DAY_S         86400

/* ---- the certificate tap ------------------------------------------------- */

static struct tls_cert_tap *tap_of(const br_x509_class **ctx)
{
    return (struct tls_cert_tap *)(void *)ctx;
}

static void tap_start_chain(const br_x509_class **ctx, const char *name)
{
    struct tls_cert_tap *tap = tap_of(ctx);
    tap->count = 0;
    tap->in_first = false;
    tap->key = NULL;
    if (tap->inner != NULL)
        (*tap->inner)->start_chain(tap->inner, name);
}

static void tap_start_cert(const br_x509_class **ctx, uint32_t len)
{
    struct tls_cert_tap *tap = tap_of(ctx);
    tap->in_first = tap->count++ == 0;
    if (tap->in_first) {
        br_x509_decoder_init(&tap->decoder, NULL, NULL);
        br_sha256_init(&tap->digest);
    }
    if (tap->inner != NULL)
        (*tap->inner)->start_cert(tap->inner, len);
}

static void tap_append(const br_x509_class **ctx, const unsigned char *buf,
                       size_t len)
{
    struct tls_cert_tap *tap = tap_of(ctx);
    if (tap->in_first) {
        br_x509_decoder_push(&tap->decoder, buf, len);
        br_sha256_update(&tap->digest, buf, len);
    }
    if (tap->inner != NULL)
        (*tap->inner)->append(tap->inner, buf, len);
}

static void tap_end_cert(const br_x509_class **ctx)
{
    struct tls_cert_tap *tap = tap_of(ctx);
    if (tap->in_first)
        br_sha256_out(&tap->digest, tap->end_point);
    tap->in_first = false;
    if (tap->inner != NULL)
        (*tap->inner)->end_cert(tap->inner);
}

/* A key that we would take from anybody: strong enough that nobody else can
 * sign for it. Whose it is, the challenge decides. */
static unsigned key_verdict(const br_x509_pkey *key)
{
    if (key == NULL)
        return BR_ERR_X509_WRONG_KEY_TYPE;
    if (key->key_type == BR_KEYTYPE_RSA)
        return key->key.rsa.nlen >= RSA_BYTES_MIN ? BR_ERR_OK
                                                  : BR_ERR_X509_WEAK_PUBLIC_KEY;
    if (key->key_type == BR_KEYTYPE_EC && key->key.ec.curve == BR_EC_secp256r1)
        return BR_ERR_OK;
    return BR_ERR_X509_WRONG_KEY_TYPE;
}

static unsigned tap_end_chain(const br_x509_class **ctx)
{
    struct tls_cert_tap *tap = tap_of(ctx);
    if (tap->inner != NULL)
        return (*tap->inner)->end_chain(tap->inner);
    if (tap->count == 0)
        return BR_ERR_X509_EMPTY_CHAIN;
    int err = br_x509_decoder_last_error(&tap->decoder);
    if (err != 0)
        return (unsigned)err;
    tap->key = br_x509_decoder_get_pkey(&tap->decoder);
    return key_verdict(tap->key);
}

static const br_x509_pkey *tap_get_pkey(const br_x509_class *const *ctx,
                                        unsigned *usages)
{
    const struct tls_cert_tap *tap = (const void *)ctx;
    if (tap->inner != NULL)
        return (*tap->inner)
            ->get_pkey((const br_x509_class *const *)tap->inner, usages);
    if (usages != NULL)
        *usages = BR_KEYTYPE_SIGN; /* ECDHE: a signature, nothing else */
    return tap->key;
}

static const br_x509_class tap_class = {
    sizeof(struct tls_cert_tap),
    tap_start_chain,
    tap_start_cert,
    tap_append,
    tap_end_cert,
    tap_end_chain,
    tap_get_pkey,
};

/* ---- the profile --------------------------------------------------------- */

#define SUITES_COUNT 6

/* With AES instructions GCM is the fastest; without them constant-time AES
 * is slow, and ChaCha20 comes first. */
static const uint16_t *suites(void)
{
    static const uint16_t aes_first[SUITES_COUNT] = {
        BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    };
    static const uint16_t chacha_first[SUITES_COUNT] = {
        BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    };
    bool fast = br_aes_x86ni_ctr_get_vtable() != NULL ||
                br_aes_pwr8_ctr_get_vtable() != NULL;
    return fast ? aes_first : chacha_first;
}

static const struct {
    int id;
    const br_hash_class *hash;
} hashes[] = {
    {br_sha256_ID, &br_sha256_vtable},
    {br_sha384_ID, &br_sha384_vtable},
    {br_sha512_ID, &br_sha512_vtable},
};

#define HASHES_COUNT (sizeof(hashes) / sizeof(hashes[0]))

/* What client and server have in common. The "default" functions choose the
 * fastest constant-time code that this processor has. */
static void engine_profile(struct tls *t, struct view entropy)
{
    static const char *alpn[] = {"h2"};
    br_ssl_engine_context *eng = t->eng;
    br_ssl_engine_set_versions(eng, BR_TLS12, BR_TLS12);
    br_ssl_engine_set_suites(eng, suites(), SUITES_COUNT);
    for (size_t i = 0; i < HASHES_COUNT; i++)
        br_ssl_engine_set_hash(eng, hashes[i].id, hashes[i].hash);
    br_ssl_engine_set_prf_sha256(eng, br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(eng, br_tls12_sha384_prf);
    br_ssl_engine_set_default_ec(eng);
    br_ssl_engine_set_default_aes_gcm(eng);
    br_ssl_engine_set_default_chapol(eng);
    br_ssl_engine_set_protocol_names(eng, alpn, 1);
    br_ssl_engine_set_all_flags(eng, BR_OPT_NO_RENEGOTIATION |
                                         BR_OPT_FAIL_ON_ALPN_MISMATCH);
    br_ssl_engine_set_buffers_bidi(eng, t->buf.ptr, TLS_IN_BYTES,
                                   t->buf.ptr + TLS_IN_BYTES, TLS_OUT_BYTES);
    br_ssl_engine_inject_entropy(eng, entropy.ptr, entropy.len);
}

static void tls_start(struct tls *t, struct span buf, bool is_client,
                      br_ssl_engine_context *eng)
{
    assert(buf.len >= TLS_BUF_BYTES);
    t->eng = eng;
    t->is_client = is_client;
    t->resumed = false;
    t->state = TLS_HANDSHAKE;
    t->why = NULL;
    t->buf = buf;
    t->in_high = 0;
    t->out_high = 0;
    t->first = -1;
}

/* Path validation for public certificates; no SHA-1, no MD5. */
static void minimal_profile(struct tls *t, const struct tls_client_cfg *cfg)
{
    br_x509_minimal_context *x = &t->minimal;
    assert(cfg->server_name != NULL && cfg->server_name[0] != '\0');
    br_x509_minimal_init(x, &br_sha256_vtable, cfg->anchors,
                         cfg->anchors_count);
    br_x509_minimal_set_rsa(x, br_rsa_pkcs1_vrfy_get_default());
    br_x509_minimal_set_ecdsa(x, br_ec_get_default(),
                              br_ecdsa_vrfy_asn1_get_default());
    for (size_t i = 0; i < HASHES_COUNT; i++)
        br_x509_minimal_set_hash(x, hashes[i].id, hashes[i].hash);
    br_x509_minimal_set_time(x, (uint32_t)(cfg->unix_time / DAY_S) + EPOCH_DAYS,
                             (uint32_t)(cfg->unix_time % DAY_S));
    t->tap.inner = &x->vtable;
}

static void tls_settle(struct tls *t);

/* see tls.h */
void tls_client_init(struct tls *t, struct span buf,
                     const struct tls_client_cfg *cfg)
{
    br_ssl_client_context *c = &t->ctx.client;
    tls_start(t, buf, true, &c->eng);
    br_ssl_client_zero(c);
    br_ssl_engine_set_default_rsavrfy(&c->eng);
    br_ssl_engine_set_default_ecdsa(&c->eng);
    engine_profile(t, cfg->entropy);
    t->tap.vtable = &tap_class;
    t->tap.inner = NULL;
    t->tap.key = NULL;
    if (cfg->anchors != NULL)
        minimal_profile(t, cfg);
    br_ssl_engine_set_x509(&c->eng, &t->tap.vtable);
    if (cfg->resume != NULL) {
        br_ssl_engine_set_session_parameters(&c->eng, &cfg->resume->params);
        memcpy(t->end_point, cfg->resume->end_point, sizeof(t->end_point));
    }
    br_ssl_client_reset(c, cfg->server_name, cfg->resume != NULL);
    tls_settle(t);
}

/* see tls.h */
void tls_server_init(struct tls *t, struct span buf,
                     const struct tls_server_cfg *cfg)
{
    br_ssl_server_context *s = &t->ctx.server;
    br_sha256_context digest;
    tls_start(t, buf, false, &s->eng);
    br_ssl_server_zero(s);
    engine_profile(t, cfg->entropy);
    t->chain[0].data = (unsigned char *)cfg->cert_der.ptr;
    t->chain[0].data_len = cfg->cert_der.len;
    br_ssl_server_set_single_ec(s, t->chain, 1, cfg->key, BR_KEYTYPE_SIGN,
                                cfg->issuer_ec ? BR_KEYTYPE_EC : BR_KEYTYPE_RSA,
                                br_ec_get_default(),
                                br_ecdsa_sign_asn1_get_default());
    if (cfg->cache != NULL)
        br_ssl_server_set_cache(s, &cfg->cache->vtable);
    br_sha256_init(&digest);
    br_sha256_update(&digest, cfg->cert_der.ptr, cfg->cert_der.len);
    br_sha256_out(&digest, t->end_point);
    br_ssl_server_reset(s);
    tls_settle(t);
}

/* ---- reasons ------------------------------------------------------------- */

#define ALERT_IN(n)  (BR_ERR_RECV_FATAL_ALERT + (n))
#define ALERT_OUT(n) (BR_ERR_SEND_FATAL_ALERT + (n))
#define ALERT_ALPN   120 /* no_application_protocol, RFC 7301 */

static const char why_not_tls[] = "the peer does not speak TLS";
static const char why_version[] =
    "the peer and this program share no TLS version (1.2 is needed)";
static const char why_alpn[] =
    "the peer does not speak HTTP/2 over TLS (ALPN h2)";
static const char why_damaged[] =
    "a TLS record was damaged on the way, or forged";
static const char why_broken[] = "the peer broke the TLS protocol";

static const struct {
    int code;
    const char *why;
} reasons[] = {
    {BR_ERR_BAD_PARAM, "TLS was set up with a wrong parameter"},
    {BR_ERR_UNSUPPORTED_VERSION, why_version},
    {BR_ERR_BAD_VERSION, why_broken},
    {BR_ERR_BAD_LENGTH, why_broken},
    {BR_ERR_TOO_LARGE, "the peer sent a TLS record that is too large"},
    {BR_ERR_BAD_MAC, why_damaged},
    {BR_ERR_NO_RANDOM, "there is no entropy for TLS"},
    {BR_ERR_BAD_CIPHER_SUITE, "the peer chose a cipher that was not offered"},
    {BR_ERR_BAD_FINISHED, "the TLS handshake was tampered with"},
    {BR_ERR_BAD_SIGNATURE, "the server cannot prove its certificate's key"},
    {BR_ERR_X509_EMPTY_CHAIN, "the server sent no certificate"},
    {BR_ERR_X509_WRONG_KEY_TYPE,
     "the server's certificate has a key of another kind than P-256 or RSA"},
    {BR_ERR_X509_BAD_SIGNATURE,
     "the signature on the server's certificate is wrong"},
    {BR_ERR_X509_TIME_UNKNOWN,
     "the time is unknown, so the server's certificate cannot be checked"},
    {BR_ERR_X509_EXPIRED, "the server's certificate is expired or not valid "
                          "yet; check this machine's clock"},
    {BR_ERR_X509_DN_MISMATCH, "the server's certificate chain is broken"},
    {BR_ERR_X509_BAD_SERVER_NAME,
     "the server's certificate is for another name"},
    {BR_ERR_X509_CRITICAL_EXTENSION,
     "the server's certificate has a critical extension we do not know"},
    {BR_ERR_X509_NOT_CA,
     "the server's certificate was signed by one that may not sign"},
    {BR_ERR_X509_FORBIDDEN_KEY_USAGE,
     "the server's certificate forbids this use of its key"},
    {BR_ERR_X509_WEAK_PUBLIC_KEY, "the server's key is too short"},
    {BR_ERR_X509_NOT_TRUSTED,
     "no trusted authority signed the server's certificate"},
    {ALERT_IN(BR_ALERT_BAD_RECORD_MAC), why_damaged},
    {ALERT_IN(BR_ALERT_HANDSHAKE_FAILURE),
     "the peer accepts none of our TLS ciphers"},
    {ALERT_OUT(BR_ALERT_HANDSHAKE_FAILURE),
     "the peer offers no TLS cipher that we accept"},
    {ALERT_IN(BR_ALERT_BAD_CERTIFICATE), "the peer refused our certificate"},
    {ALERT_IN(BR_ALERT_CERTIFICATE_EXPIRED),
     "the peer says that our certificate is expired"},
    {ALERT_IN(BR_ALERT_CERTIFICATE_UNKNOWN),
     "the peer refused our certificate"},
    {ALERT_IN(BR_ALERT_UNKNOWN_CA),
     "the peer does not know who signed our certificate"},
    {ALERT_IN(BR_ALERT_ACCESS_DENIED), "the peer denied access"},
    {ALERT_IN(BR_ALERT_PROTOCOL_VERSION), why_version},
    {ALERT_OUT(BR_ALERT_PROTOCOL_VERSION), why_version},
    {ALERT_IN(BR_ALERT_INTERNAL_ERROR), "the peer had an internal error"},
    {ALERT_IN(ALERT_ALPN), why_alpn},
    {ALERT_OUT(ALERT_ALPN), why_alpn},
};

/* RFC 5246, 6.2.1: change_cipher_spec (20) to application_data (23). */
static bool record_type_known(int byte)
{
    return byte >= 20 && byte <= 23;
}

static const char *reason(int code)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].code == code)
            return reasons[i].why;
    }
    if (code > BR_ERR_X509_OK && code < BR_ERR_X509_NOT_TRUSTED)
        return "the server's certificate cannot be read";
    if (code >= BR_ERR_SEND_FATAL_ALERT)
        return why_broken;
    if (code >= BR_ERR_RECV_FATAL_ALERT)
        return "the peer gave up the TLS handshake";
    return code == BR_ERR_OK ? "no error" : why_broken;
}

/* see tls.h */
const char *tls_why(const struct tls *t)
{
    if (t->why != NULL)
        return t->why;
    return reason(br_ssl_engine_last_error(t->eng));
}

/* ---- states -------------------------------------------------------------- */

/*
 *   HANDSHAKE --> OPEN ---> CLOSED     (close_notify)
 *        |          |
 *        +----------+-----> FAILED     (tls_why)
 */
static void tls_fail(struct tls *t, const char *why)
{
    t->state = TLS_FAILED;
    t->why = why;
}

/* The handshake is over: was it the one we want? */
static void tls_opened(struct tls *t)
{
    const char *alpn = br_ssl_engine_get_selected_protocol(t->eng);
    if (alpn == NULL || strcmp(alpn, "h2") != 0) {
        tls_fail(t, why_alpn);
        return;
    }
    /* Zero as initialised, unless keys were exchanged. */
    t->resumed = br_ssl_engine_get_ecdhe_curve(t->eng) == 0;
    if (t->is_client && !t->resumed)
        memcpy(t->end_point, t->tap.end_point, sizeof(t->end_point));
    t->state = TLS_OPEN;
}

/* Follow the engine after something moved. */
static void tls_settle(struct tls *t)
{
    unsigned s = br_ssl_engine_current_state(t->eng);
    if (t->state == TLS_CLOSED || t->state == TLS_FAILED)
        return;
    if (s == BR_SSL_CLOSED) {
        bool orderly = br_ssl_engine_last_error(t->eng) == BR_ERR_OK;
        t->state = orderly ? TLS_CLOSED : TLS_FAILED;
        if (!orderly && t->first >= 0 && !record_type_known(t->first))
            t->why = why_not_tls;
    } else if (t->state == TLS_HANDSHAKE &&
               (s & (BR_SSL_SENDAPP | BR_SSL_RECVAPP)) != 0) {
        tls_opened(t);
    }
}

static bool is_over(const struct tls *t)
{
    return t->state == TLS_CLOSED || t->state == TLS_FAILED;
}

/* see tls.h */
enum tls_state tls_state(const struct tls *t)
{
    return t->state;
}

/* ---- the doors ----------------------------------------------------------- */

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* see tls.h */
size_t tls_rec_feed(struct tls *t, struct view in)
{
    size_t done = 0;
    if (t->first < 0 && in.len > 0)
        t->first = in.ptr[0];
    while (done < in.len && !is_over(t)) {
        size_t room;
        uint8_t *to = br_ssl_engine_recvrec_buf(t->eng, &room);
        if (to == NULL)
            break;
        struct view part = view_first(view_from(in, done), room);
        memcpy(to, part.ptr, part.len);
        t->in_high = max_size(t->in_high, (size_t)(to - t->buf.ptr) + part.len);
        done += part.len;
        br_ssl_engine_recvrec_ack(t->eng, part.len);
        tls_settle(t);
    }
    return done;
}

/* see tls.h */
struct view tls_rec_out(struct tls *t)
{
    size_t len = 0;
    const uint8_t *ptr = NULL;
    if (!is_over(t))
        ptr = br_ssl_engine_sendrec_buf(t->eng, &len);
    return ptr == NULL ? VIEW_NONE : view_of(ptr, len);
}

/* see tls.h */
void tls_rec_sent(struct tls *t, size_t n)
{
    br_ssl_engine_sendrec_ack(t->eng, n);
    tls_settle(t);
}

/* see tls.h */
struct view tls_app_in(struct tls *t)
{
    size_t len = 0;
    const uint8_t *ptr = NULL;
    if (t->state == TLS_OPEN)
        ptr = br_ssl_engine_recvapp_buf(t->eng, &len);
    return ptr == NULL ? VIEW_NONE : view_of(ptr, len);
}

/* see tls.h */
void tls_app_taken(struct tls *t, size_t n)
{
    if (n > 0)
        br_ssl_engine_recvapp_ack(t->eng, n);
}

/* see tls.h */
struct span tls_app_space(struct tls *t)
{
    struct span space = {NULL, 0};
    if (t->state == TLS_OPEN)
        space.ptr = br_ssl_engine_sendapp_buf(t->eng, &space.len);
    return space;
}

/* see tls.h */
void tls_app_put(struct tls *t, size_t n)
{
    struct span space = tls_app_space(t);
    assert(n <= space.len);
    if (n == 0)
        return;
    size_t off = (size_t)(space.ptr - t->buf.ptr) - TLS_IN_BYTES;
    t->out_high = max_size(t->out_high, off + n);
    br_ssl_engine_sendapp_ack(t->eng, n);
}

/* see tls.h */
void tls_flush(struct tls *t)
{
    if (t->state == TLS_OPEN)
        br_ssl_engine_flush(t->eng, 0);
}

/* see tls.h */
void tls_close(struct tls *t)
{
    if (is_over(t))
        return;
    tls_flush(t);
    br_ssl_engine_close(t->eng);
    tls_settle(t);
}

/* see tls.h */
void tls_wipe(struct tls *t)
{
    ct_wipe((struct span){t->buf.ptr, t->in_high});
    ct_wipe((struct span){t->buf.ptr + TLS_IN_BYTES, t->out_high});
    ct_wipe((struct span){(uint8_t *)&t->ctx, sizeof(t->ctx)});
    t->state = TLS_CLOSED;
    t->why = NULL;
}

/* ---- what the handshake gave --------------------------------------------- */

/* see tls.h */
const uint8_t *tls_end_point(const struct tls *t)
{
    return t->end_point;
}

/* see tls.h */
void tls_ticket_save(const struct tls *t, struct tls_ticket *out)
{
    br_ssl_engine_get_session_parameters(t->eng, &out->params);
    memcpy(out->end_point, t->end_point, sizeof(out->end_point));
}

/* see tls.h */
bool tls_resumed(const struct tls *t)
{
    return t->resumed;
}
