/*
 * TLS 1.2 by BearSSL; see tls.h. Three parts: the profile (what we offer and
 * accept), the states, and the doors through which bytes move. The server's
 * certificate is caught by certtap; reasons for people come from tlswhy.
 */
#include "transport/tls.h"

#include <assert.h>
#include <string.h>

#include "crypto/ct.h"
#include "transport/tlswhy.h"

#define EPOCH_DAYS 719528u /* 1970-01-01 counted from year 0 */
#define DAY_S      86400

/* ---- the profile --------------------------------------------------------- */

#define SUITES_COUNT 6

/* The fastest constant-time code this processor has. Asked for once: behind
 * the question is an instruction that a virtual machine traps. */
struct code {
    const br_block_ctr_class *aes;
    br_ghash ghash;
    br_chacha20_run chacha;
    br_poly1305_run poly;
    bool has_aes;
};

static const struct code *code(void)
{
    static struct code best;
    if (best.aes != NULL)
        return &best;
    best.aes = br_aes_x86ni_ctr_get_vtable();
    if (best.aes == NULL)
        best.aes = br_aes_pwr8_ctr_get_vtable();
    best.has_aes = best.aes != NULL;
    if (best.aes == NULL)
        best.aes = sizeof(void *) == 8 ? &br_aes_ct64_ctr_vtable
                                       : &br_aes_ct_ctr_vtable;
    best.ghash = br_ghash_pclmul_get();
    if (best.ghash == NULL)
        best.ghash = br_ghash_pwr8_get();
    if (best.ghash == NULL)
        best.ghash = sizeof(void *) == 8 ? br_ghash_ctmul64 : br_ghash_ctmul;
    best.chacha = br_chacha20_sse2_get();
    if (best.chacha == NULL)
        best.chacha = br_chacha20_ct_run;
    best.poly = br_poly1305_ctmulq_get();
    if (best.poly == NULL)
        best.poly = br_poly1305_ctmul_run;
    return &best;
}

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
    return code()->has_aes ? aes_first : chacha_first;
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

/* What client and server have in common. */
static void engine_profile(struct tls *t, struct view entropy)
{
    br_ssl_engine_context *eng = t->eng;
    br_ssl_engine_set_versions(eng, BR_TLS12, BR_TLS12);
    br_ssl_engine_set_suites(eng, suites(), SUITES_COUNT);
    for (size_t i = 0; i < HASHES_COUNT; i++)
        br_ssl_engine_set_hash(eng, hashes[i].id, hashes[i].hash);
    br_ssl_engine_set_prf_sha256(eng, br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(eng, br_tls12_sha384_prf);
    br_ssl_engine_set_default_ec(eng);
    br_ssl_engine_set_gcm(eng, &br_sslrec_in_gcm_vtable,
                          &br_sslrec_out_gcm_vtable);
    br_ssl_engine_set_aes_ctr(eng, code()->aes);
    br_ssl_engine_set_ghash(eng, code()->ghash);
    br_ssl_engine_set_chapol(eng, &br_sslrec_in_chapol_vtable,
                             &br_sslrec_out_chapol_vtable);
    br_ssl_engine_set_chacha20(eng, code()->chacha);
    br_ssl_engine_set_poly1305(eng, code()->poly);
    br_ssl_engine_set_protocol_names(eng, t->alpn, 1);
    br_ssl_engine_set_all_flags(eng, BR_OPT_NO_RENEGOTIATION |
                                         BR_OPT_FAIL_ON_ALPN_MISMATCH);
    br_ssl_engine_set_buffers_bidi(eng, t->buf.ptr, TLS_IN_BYTES,
                                   t->buf.ptr + TLS_IN_BYTES, TLS_OUT_BYTES);
    br_ssl_engine_inject_entropy(eng, entropy.ptr, entropy.len);
}

static void tls_start(struct tls *t, struct span buf, bool is_client,
                      const char *alpn, br_ssl_engine_context *eng)
{
    assert(buf.len >= TLS_BUF_BYTES);
    t->eng = eng;
    t->is_client = is_client;
    t->alpn[0] = alpn != NULL ? alpn : "h2";
    t->alpn_must = alpn == NULL;
    t->resumed = false;
    t->state = TLS_HANDSHAKE;
    t->why = NULL;
    t->buf = buf;
    t->in_high = 0;
    t->out_high = 0;
    t->first = -1;
}

/* see tls.h */
void tls_path_init(br_x509_minimal_context *x,
                   const br_x509_trust_anchor *anchors, size_t count,
                   int64_t unix_time)
{
    br_x509_minimal_init(x, &br_sha256_vtable, anchors, count);
    br_x509_minimal_set_rsa(x, br_rsa_pkcs1_vrfy_get_default());
    br_x509_minimal_set_ecdsa(x, br_ec_get_default(),
                              br_ecdsa_vrfy_asn1_get_default());
    for (size_t i = 0; i < HASHES_COUNT; i++)
        br_x509_minimal_set_hash(x, hashes[i].id, hashes[i].hash);
    br_x509_minimal_set_time(x, (uint32_t)(unix_time / DAY_S) + EPOCH_DAYS,
                             (uint32_t)(unix_time % DAY_S));
}

static void tls_settle(struct tls *t);

/* see tls.h */
void tls_client_init(struct tls *t, struct span buf,
                     const struct tls_client_cfg *cfg)
{
    br_ssl_client_context *c = &t->ctx.client;
    tls_start(t, buf, true, NULL, &c->eng);
    br_ssl_client_zero(c);
    br_ssl_engine_set_default_rsavrfy(&c->eng);
    br_ssl_engine_set_default_ecdsa(&c->eng);
    engine_profile(t, cfg->entropy);
    certtap_init(&t->tap, cfg->anchors == NULL ? NULL : &t->minimal.vtable);
    if (cfg->anchors != NULL) {
        assert(cfg->server_name != NULL && cfg->server_name[0] != '\0');
        tls_path_init(&t->minimal, cfg->anchors, cfg->anchors_count,
                      cfg->unix_time);
    }
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
    const struct tlsid *id = cfg->id;
    tls_start(t, buf, false, cfg->alpn, &s->eng);
    br_ssl_server_zero(s);
    engine_profile(t, cfg->entropy);
    id->attach(id, s);
    if (cfg->cache != NULL)
        br_ssl_server_set_cache(s, &cfg->cache->vtable);
    memcpy(t->end_point, id->end_point, sizeof(t->end_point));
    br_ssl_server_reset(s);
    tls_settle(t);
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
    if (t->alpn_must && (alpn == NULL || strcmp(alpn, "h2") != 0)) {
        tls_fail(t, tlswhy_text(TLSWHY_NO_H2));
        return;
    }
    /* Zero as initialised, unless keys were exchanged. */
    t->resumed = br_ssl_engine_get_ecdhe_curve(t->eng) == 0;
    if (t->is_client && !t->resumed)
        memcpy(t->end_point, t->tap.end_point, sizeof(t->end_point));
    t->state = TLS_OPEN;
}

/* RFC 5246, 6.2.1: change_cipher_spec (20) to application_data (23). */
static bool record_type_known(int byte)
{
    return byte >= 20 && byte <= 23;
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
            t->why = tlswhy_text(TLSWHY_NOT_TLS);
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
const char *tls_why(const struct tls *t)
{
    if (t->why != NULL)
        return t->why;
    return tlswhy_text(br_ssl_engine_last_error(t->eng));
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

/* A client may send application data behind its last word of the handshake
 * (RFC 7918), and both may come at once. The engine opens when ours has left;
 * before that it would take the data for a mistake. */
static bool owes_handshake(const struct tls *t)
{
    size_t len;
    return t->state == TLS_HANDSHAKE &&
           br_ssl_engine_sendrec_buf(t->eng, &len) != NULL;
}

/* see tls.h */
size_t tls_rec_feed(struct tls *t, struct view in)
{
    size_t done = 0;
    if (t->first < 0 && in.len > 0)
        t->first = in.ptr[0];
    while (done < in.len && !is_over(t) && !owes_handshake(t)) {
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
