/*
 * TLS engines against each other in memory, and against BearSSL used in ways
 * that we refuse.
 */
#include "transport/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/cuts.h"
#include "unit/transport/ident.h"
#include "unit/transport/keys.h"
#include "unit/transport/pems.h"

#define NOW 1800000000 /* in 2027, when the certificates are valid */

struct side {
    struct tls t;
    uint8_t buf[TLS_BUF_BYTES];
};

static struct side client, server;

static const uint8_t entropy[32] = {9, 8, 7};
static const br_ec_private_key leaf_key = {BR_EC_secp256r1,
                                           (unsigned char *)leaf_x, 32};
static const br_ec_private_key p384_key = {BR_EC_secp384r1,
                                           (unsigned char *)p384_x, 48};

static const br_x509_trust_anchor ca = {
    .dn = {(unsigned char *)ca_name, sizeof ca_name},
    .flags = BR_X509_TA_CA,
    .pkey = {.key_type = BR_KEYTYPE_EC,
             .key.ec = {BR_EC_secp256r1, (unsigned char *)ca_point,
                        sizeof ca_point}},
};

static struct tls_client_cfg pinned(void)
{
    return (struct tls_client_cfg){.server_name = "relay.test",
                                   .entropy = VIEW_ARRAY(entropy)};
}

static struct tls_client_cfg anchored(const char *name, int64_t now)
{
    struct tls_client_cfg cfg = pinned();
    cfg.server_name = name;
    cfg.anchors = &ca;
    cfg.anchors_count = 1;
    cfg.unix_time = now;
    return cfg;
}

static struct tlsid shown;

static struct tls_server_cfg serving_with(struct view cert,
                                          const br_ec_private_key *key)
{
    return (struct tls_server_cfg){.id = ident(&shown, cert, key),
                                   .entropy = VIEW_ARRAY(entropy)};
}

static struct tls_server_cfg serving(void)
{
    return serving_with(VIEW_ARRAY(leaf_cert), &leaf_key);
}

/* The same from PEM, as a relay reads it. */
static struct tls_server_cfg serving_pem(const char *certs, const char *key)
{
    char buf[256];
    struct text why;
    TEXT_OF(&why, buf);
    assert_int_equal(
        tlsid_load(&shown, view_str(certs), view_str(key), NOW, &why), OK);
    return (struct tls_server_cfg){.id = &shown,
                                   .entropy = VIEW_ARRAY(entropy)};
}

static void start(const struct tls_client_cfg *c,
                  const struct tls_server_cfg *s)
{
    memset(&client, 0xee, sizeof client);
    memset(&server, 0xee, sizeof server);
    tls_client_init(&client.t, SPAN_ARRAY(client.buf), c);
    tls_server_init(&server.t, SPAN_ARRAY(server.buf), s);
}

/* Carry records one way, `cut` bytes at a time; true when any went. */
static bool carry(struct side *from, struct side *to, size_t cut)
{
    struct view v = view_first(tls_rec_out(&from->t), cut);
    if (v.len == 0)
        return false;
    size_t n = tls_rec_feed(&to->t, cuts_guarded(v));
    tls_rec_sent(&from->t, n);
    return n > 0;
}

static void pump(size_t cut)
{
    while (carry(&client, &server, cut) | carry(&server, &client, cut))
        ;
}

static void connect(size_t cut)
{
    struct tls_client_cfg c = pinned();
    struct tls_server_cfg s = serving();
    start(&c, &s);
    pump(cut);
    assert_int_equal(tls_state(&client.t), TLS_OPEN);
    assert_int_equal(tls_state(&server.t), TLS_OPEN);
}

/* Say `bytes` from one side to the other, sealed `each` bytes at a time. */
static void say(struct side *from, struct side *to, struct view bytes,
                size_t each, size_t cut)
{
    size_t got = 0, put = 0;
    while (got < bytes.len) {
        struct span space = tls_app_space(&from->t);
        struct view part = view_first(view_from(bytes, put), each);
        part = view_first(part, space.len);
        if (part.len > 0) {
            memcpy(space.ptr, part.ptr, part.len);
            tls_app_put(&from->t, part.len);
            tls_flush(&from->t);
            put += part.len;
        }
        carry(from, to, cut);
        struct view in = tls_app_in(&to->t);
        assert_true(in.len <= bytes.len - got);
        if (in.len > 0)
            assert_memory_equal(in.ptr, bytes.ptr + got, in.len);
        got += in.len;
        tls_app_taken(&to->t, in.len);
    }
}

/* ---- what works ---------------------------------------------------------- */

static void both_sides_open_in_any_cut(void **state)
{
    static const size_t cuts[] = {1, 2, 5, 6, 100, 16384};
    (void)state;
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++)
        connect(cuts[i]);
}

static void both_know_the_same_end_point(void **state)
{
    uint8_t digest[32];
    br_sha256_context sha;
    (void)state;
    br_sha256_init(&sha);
    br_sha256_update(&sha, leaf_cert, sizeof leaf_cert);
    br_sha256_out(&sha, digest);
    connect(16384);
    assert_memory_equal(tls_end_point(&client.t), digest, 32);
    assert_memory_equal(tls_end_point(&server.t), digest, 32);
}

static void bytes_flow_both_ways(void **state)
{
    static uint8_t big[1024 * 1024];
    (void)state;
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 7 + i / 255);
    connect(16384);
    say(&client, &server, VIEW_ARRAY(big), 16384, 20000);
    say(&server, &client, VIEW_ARRAY(big), 16384, 7001);
    say(&client, &server, view_first(VIEW_ARRAY(big), 3000), 1, 20000);
    say(&server, &client, view_first(VIEW_ARRAY(big), 3000), 17, 1);
}

static void a_full_record_takes_16384_bytes(void **state)
{
    (void)state;
    connect(16384);
    assert_int_equal(tls_app_space(&client.t).len, 16384);
    assert_int_equal(tls_app_space(&server.t).len, 16384);
    tls_app_put(&client.t, 16384);
    assert_int_equal(tls_app_space(&client.t).len, 0);
    assert_true(tls_rec_out(&client.t).len > 16384);
}

static void feeding_stops_while_bytes_wait(void **state)
{
    uint8_t raw[200];
    size_t n = 0;
    (void)state;
    connect(16384);
    for (int i = 0; i < 2; i++) { /* two records in one piece */
        memcpy(tls_app_space(&client.t).ptr, "hi", 2);
        tls_app_put(&client.t, 2);
        tls_flush(&client.t);
        struct view v = tls_rec_out(&client.t);
        memcpy(raw + n, v.ptr, v.len);
        n += v.len;
        tls_rec_sent(&client.t, v.len);
    }
    assert_int_equal(tls_rec_feed(&server.t, view_of(raw, n)), n / 2);
    assert_int_equal(tls_app_in(&server.t).len, 2);
    assert_int_equal(tls_rec_feed(&server.t, view_of(raw + n / 2, n / 2)), 0);
    tls_app_taken(&server.t, 2);
    assert_int_equal(tls_rec_feed(&server.t, view_of(raw + n / 2, n / 2)),
                     n / 2);
}

static void an_orderly_end_reaches_both(void **state)
{
    (void)state;
    connect(16384);
    memcpy(tls_app_space(&client.t).ptr, "bye", 3);
    tls_app_put(&client.t, 3);
    tls_close(&client.t); /* seals what was put */
    carry(&client, &server, 16384);
    assert_true(view_is(tls_app_in(&server.t), "bye"));
    tls_app_taken(&server.t, 3);
    pump(16384);
    assert_int_equal(tls_state(&server.t), TLS_CLOSED);
    assert_int_equal(tls_state(&client.t), TLS_CLOSED);
    assert_int_equal(tls_app_space(&client.t).len, 0);
}

/* ---- what comes with the end of a handshake --------------------------------------- */

/* A client may say more behind its Finished before it has heard ours (RFC 7918);
 * ours does not, so a server is taken back to the moment before that. */
static struct side before;        /* its Finished came */
static uint8_t last_flight[4096]; /* and what the client said from then on */
static size_t last_len;
static const char request[] = "GET /signin HTTP/1.1\r\n\r\n";

static void take_flight(struct side *from)
{
    struct view v;
    while ((v = tls_rec_out(&from->t)).len > 0) {
        assert_true(last_len + v.len <= sizeof last_flight);
        memcpy(last_flight + last_len, v.ptr, v.len);
        last_len += v.len;
        tls_rec_sent(&from->t, v.len);
    }
}

static void false_start(const struct tls_client_cfg *c,
                        const struct tls_server_cfg *s)
{
    start(c, s);
    carry(&client, &server, 16384);
    while (carry(&server, &client, 16384))
        ;
    assert_int_equal(tls_state(&server.t), TLS_HANDSHAKE);
    before = server;
    last_len = 0;
    take_flight(&client);
    assert_int_equal(tls_rec_feed(&server.t, view_of(last_flight, last_len)),
                     last_len);
    while (carry(&server, &client, 16384))
        ;
    assert_int_equal(tls_state(&client.t), TLS_OPEN);
    for (size_t i = 0; i < sizeof request - 1; i += 10) { /* some records */
        struct view part = view_first(view_from(view_str(request), i), 10);
        memcpy(tls_app_space(&client.t).ptr, part.ptr, part.len);
        tls_app_put(&client.t, part.len);
        tls_flush(&client.t);
        take_flight(&client);
    }
}

static struct {
    char said[64];
    size_t len;
    size_t answered; /* bytes of the handshake that left */
} heard;

/* A piece, as whoever owns the engine hands it over. */
static void on_piece(void *ctx, struct view piece, bool first, bool last)
{
    (void)ctx;
    if (first) {
        server = before;
        memset(&heard, 0, sizeof heard);
    }
    while (piece.len > 0) {
        size_t n = tls_rec_feed(&server.t, piece);
        piece = view_from(piece, n);
        struct view app = tls_app_in(&server.t);
        struct view out = tls_rec_out(&server.t);
        assert_true(app.len == 0 || tls_state(&server.t) == TLS_OPEN);
        assert_true(n + app.len + out.len > 0); /* it goes on */
        assert_true(heard.len + app.len < sizeof heard.said);
        if (app.len > 0)
            memcpy(heard.said + heard.len, app.ptr, app.len);
        heard.len += app.len;
        heard.answered += out.len;
        tls_app_taken(&server.t, app.len);
        tls_rec_sent(&server.t, out.len);
    }
    if (!last)
        return;
    assert_int_equal(tls_state(&server.t), TLS_OPEN);
    assert_string_equal(heard.said, request);
    assert_true(heard.answered > 0);
}

static void what_comes_behind_finished_is_delivered(void **state)
{
    struct tls_client_cfg c = pinned();
    struct tls_server_cfg s = serving();
    (void)state;
    false_start(&c, &s);
    cuts_every_way(view_of(last_flight, last_len), on_piece, NULL);
    say(&server, &client, view_str("200 OK"), 6, 16384);
}

/* Nothing is read of it before our own last word has left. */
static void and_not_before_ours_has_left(void **state)
{
    struct tls_client_cfg c = pinned();
    struct tls_server_cfg s = serving();
    (void)state;
    false_start(&c, &s);
    server = before;
    struct view all = view_of(last_flight, last_len);
    size_t n = tls_rec_feed(&server.t, all);
    assert_true(n > 0 && n < all.len);
    all = view_from(all, n);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tls_rec_feed(&server.t, all), 0);
    assert_int_equal(tls_state(&server.t), TLS_HANDSHAKE);
    assert_int_equal(tls_app_in(&server.t).len, 0);
    struct view out;
    while ((out = tls_rec_out(&server.t)).len > 0) {
        tls_rec_sent(&server.t, out.len - 1); /* all but the last byte */
        assert_int_equal(tls_rec_feed(&server.t, all), 0);
        tls_rec_sent(&server.t, 1);
    }
    assert_true(tls_rec_feed(&server.t, all) > 0);
    assert_true(view_is(tls_app_in(&server.t), "GET /signi"));
}

/* ---- resumption ---------------------------------------------------------- */

static void a_ticket_resumes(void **state)
{
    static uint8_t store[4096];
    br_ssl_session_cache_lru cache;
    struct tls_ticket ticket;
    struct tls_client_cfg c = pinned();
    struct tls_server_cfg s = serving();
    (void)state;
    br_ssl_session_cache_lru_init(&cache, store, sizeof store);
    s.cache = &cache;
    start(&c, &s);
    pump(16384);
    assert_false(tls_resumed(&client.t));
    assert_false(tls_resumed(&server.t));
    tls_ticket_save(&client.t, &ticket);
    c.resume = &ticket;
    for (int i = 0; i < 3; i++) {
        start(&c, &s);
        pump(16384);
        assert_int_equal(tls_state(&client.t), TLS_OPEN);
        assert_int_equal(tls_state(&server.t), TLS_OPEN);
        assert_true(tls_resumed(&client.t));
        assert_true(tls_resumed(&server.t));
        assert_memory_equal(tls_end_point(&client.t), tls_end_point(&server.t),
                            32);
        say(&client, &server, view_str("again"), 5, 1000);
        tls_ticket_save(&client.t, &ticket);
    }
}

static void a_server_that_forgot_makes_a_full_handshake(void **state)
{
    struct tls_ticket ticket;
    struct tls_client_cfg c = pinned();
    struct tls_server_cfg s = serving();
    (void)state;
    connect(16384);
    tls_ticket_save(&client.t, &ticket);
    memset(ticket.end_point, 0x77, 32);
    c.resume = &ticket;
    start(&c, &s);
    pump(16384);
    assert_int_equal(tls_state(&client.t), TLS_OPEN);
    assert_false(tls_resumed(&client.t));
    assert_memory_equal(tls_end_point(&client.t), tls_end_point(&server.t), 32);
}

/* ---- whom we talk to ----------------------------------------------------- */

static void assert_refused(const struct tls_client_cfg *c,
                           const struct tls_server_cfg *s, const char *why)
{
    start(c, s);
    pump(16384);
    assert_int_equal(tls_state(&client.t), TLS_FAILED);
    assert_string_equal(tls_why(&client.t), why);
    assert_int_not_equal(tls_state(&server.t), TLS_OPEN);
    assert_int_equal(tls_rec_out(&client.t).len, 0);
    assert_int_equal(tls_app_space(&client.t).len, 0);
    assert_int_equal(tls_rec_feed(&client.t, view_str("more")), 0);
}

static void a_trusted_certificate_is_taken(void **state)
{
    struct tls_client_cfg c = anchored("relay.test", NOW);
    struct tls_server_cfg s = serving();
    (void)state;
    start(&c, &s);
    pump(16384);
    assert_int_equal(tls_state(&client.t), TLS_OPEN);
    assert_memory_equal(tls_end_point(&client.t), tls_end_point(&server.t), 32);
}

static void a_wrong_certificate_is_refused_with_its_reason(void **state)
{
    struct tls_server_cfg s = serving();
    struct tls_client_cfg c = anchored("other.test", NOW);
    br_x509_trust_anchor other = ca;
    static const unsigned char name[] = {0x30, 0};
    (void)state;
    assert_refused(&c, &s, "the server's certificate is for another name");
    c = anchored("relay.test", 1000000000); /* 2001 */
    assert_refused(&c, &s,
                   "the server's certificate is expired or not valid yet; "
                   "check this machine's clock");
    c = anchored("relay.test", 5000000000); /* 2128 */
    assert_refused(&c, &s,
                   "the server's certificate is expired or not valid yet; "
                   "check this machine's clock");
    c = anchored("relay.test", NOW);
    other.dn.data = (unsigned char *)name;
    other.dn.len = sizeof name;
    c.anchors = &other;
    assert_refused(&c, &s,
                   "no authority that this machine trusts signed the server's "
                   "certificate; name the one that did with --ca-file or "
                   "CMDOP_CA_FILE, or use a join string, which pins the "
                   "relay's key");
}

static void a_pinned_client_takes_only_keys_it_can_judge(void **state)
{
    struct tls_client_cfg c = pinned();
    struct tls_server_cfg s = serving_with(VIEW_ARRAY(p521_cert), &p384_key);
    (void)state;
    assert_refused(&c, &s,
                   "the server's certificate has a key of another kind than "
                   "P-256, P-384 or RSA");
    s = serving_with(view_str("this is no certificate"), &leaf_key);
    assert_refused(&c, &s, "the server's certificate cannot be read");
}

/* Pinned and validated, with chains of each kind. */
static void chains_of_ec_and_rsa_are_shown_and_taken(void **state)
{
    static const struct {
        const char *certs, *key;
    } pairs[] = {
        {EC_LEAF_PEM EC_MID_PEM, EC_LEAF_KEY},
        {P384_LEAF_PEM EC_MID_PEM, P384_LEAF_KEY},
        {RSA_LEAF_PEM RSA_MID_PEM, RSA_LEAF_KEY},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct tls_client_cfg c = pinned();
        struct tls_server_cfg s = serving_pem(pairs[i].certs, pairs[i].key);
        uint8_t digest[32];
        start(&c, &s);
        pump(SIZE_MAX);
        assert_int_equal(tls_state(&client.t), TLS_OPEN);
        hash_once(view_of(shown.chain[0].data, shown.chain[0].data_len),
                  digest);
        assert_memory_equal(tls_end_point(&client.t), digest, 32);
        assert_memory_equal(tls_end_point(&server.t), digest, 32);
    }
}

static void a_bad_certificate_in_pieces_is_only_refused(void **state)
{
    /* BearSSL's decoder must not be fed behind its error. */
    static uint8_t bad[sizeof leaf_cert];
    struct tls_client_cfg c = pinned();
    struct tls_server_cfg s = serving();
    (void)state;
    memcpy(bad, leaf_cert, sizeof bad);
    uint8_t *date = memmem(bad, sizeof bad,
                           "\x17\x0d"
                           "26",
                           4);
    assert_non_null(date);
    memcpy(date + 4, "31", 2); /* the month */
    s = serving_with(VIEW_ARRAY(bad), &leaf_key);
    for (size_t cut = 1; cut < 200; cut++) {
        start(&c, &s);
        pump(cut);
        assert_int_equal(tls_state(&client.t), TLS_FAILED);
        assert_string_equal(tls_why(&client.t),
                            "the server's certificate cannot be read");
    }
}

static void a_server_without_the_key_is_refused(void **state)
{
    static const unsigned char other[32] = {[31] = 5};
    const br_ec_private_key key = {BR_EC_secp256r1, (unsigned char *)other, 32};
    struct tls_client_cfg c = pinned();
    struct tls_server_cfg s = serving_with(VIEW_ARRAY(leaf_cert), &key);
    (void)state;
    assert_refused(&c, &s, "the server cannot prove its certificate's key");
}

/* ---- strange peers ------------------------------------------------------- */

static void assert_server_says(struct view in, const char *why)
{
    struct tls_server_cfg s = serving();
    tls_server_init(&server.t, SPAN_ARRAY(server.buf), &s);
    tls_rec_feed(&server.t, cuts_guarded(in));
    struct view out;
    while ((out = tls_rec_out(&server.t)).len > 0)
        tls_rec_sent(&server.t, out.len);
    assert_int_equal(tls_state(&server.t), TLS_FAILED);
    assert_string_equal(tls_why(&server.t), why);
}

static void what_is_not_tls_is_named(void **state)
{
    static const uint8_t old[] = {22, 2, 0, 0, 5, 1, 2, 3, 4, 5};
    (void)state;
    assert_server_says(view_str("GET / HTTP/1.1\r\n\r\n"),
                       "the peer does not speak TLS");
    assert_server_says(view_str("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
                       "the peer does not speak TLS");
    assert_server_says(view_str("SSH-2.0-OpenSSH_9.2p1\r\n"),
                       "the peer does not speak TLS");
    assert_server_says(VIEW_ARRAY(old),
                       "the peer and this program share no TLS version (1.2 "
                       "is needed)");
}

static void an_alert_is_named(void **state)
{
    static const struct {
        uint8_t code;
        const char *why;
    } rows[] = {
        {40, "the peer accepts none of our TLS ciphers"},
        {42, "the peer refused our certificate"},
        {70, "the peer and this program share no TLS version (1.2 is "
             "needed)"},
        {99, "the peer gave up the TLS handshake"},
        {120, "the peer does not speak HTTP/2 over TLS (ALPN h2)"},
    };
    struct tls_client_cfg c = pinned();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t alert[] = {21, 3, 3, 0, 2, 2, rows[i].code};
        tls_client_init(&client.t, SPAN_ARRAY(client.buf), &c);
        tls_rec_sent(&client.t, tls_rec_out(&client.t).len);
        tls_rec_feed(&client.t, VIEW_ARRAY(alert));
        assert_int_equal(tls_state(&client.t), TLS_FAILED);
        assert_string_equal(tls_why(&client.t), rows[i].why);
    }
}

static void a_forged_record_is_refused(void **state)
{
    (void)state;
    for (size_t at = 5; at < 40; at++) {
        uint8_t raw[64];
        connect(16384);
        memcpy(tls_app_space(&client.t).ptr, "secret", 6);
        tls_app_put(&client.t, 6);
        tls_flush(&client.t);
        struct view v = tls_rec_out(&client.t);
        if (at >= v.len)
            return;
        memcpy(raw, v.ptr, v.len);
        raw[at] ^= 0x10;
        tls_rec_feed(&server.t, view_of(raw, v.len));
        assert_int_equal(tls_state(&server.t), TLS_FAILED);
        assert_string_equal(tls_why(&server.t),
                            "a TLS record was damaged on the way, or forged");
        assert_int_equal(tls_app_in(&server.t).len, 0);
    }
}

/* ---- BearSSL's own client and server, as others may use it --------------- */

static br_ssl_client_context raw_client;
static br_ssl_server_context raw_server;
static br_x509_minimal_context raw_x509;
static unsigned char raw_buf[BR_SSL_BUFSIZE_BIDI];

static void raw_setup(br_ssl_engine_context *eng, const char **alpn,
                      size_t alpn_count)
{
    br_ssl_engine_set_buffer(eng, raw_buf, sizeof raw_buf, 1);
    br_ssl_engine_inject_entropy(eng, entropy, sizeof entropy);
    br_ssl_engine_set_protocol_names(eng, alpn, alpn_count);
}

static void raw_client_start(const char **alpn, size_t alpn_count)
{
    struct tls_server_cfg s = serving();
    br_ssl_client_init_full(&raw_client, &raw_x509, &ca, 1);
    br_x509_minimal_set_time(&raw_x509, NOW / 86400 + 719528, 0);
    raw_setup(&raw_client.eng, alpn, alpn_count);
    br_ssl_client_reset(&raw_client, "relay.test", 0);
    tls_server_init(&server.t, SPAN_ARRAY(server.buf), &s);
}

static bool raw_carry(br_ssl_engine_context *eng, struct tls *t)
{
    size_t len;
    uint8_t *ptr = br_ssl_engine_sendrec_buf(eng, &len);
    bool moved = false;
    if (ptr != NULL) {
        size_t n = tls_rec_feed(t, view_of(ptr, len));
        if (n > 0)
            br_ssl_engine_sendrec_ack(eng, n);
        moved = n > 0;
    }
    struct view v = tls_rec_out(t);
    ptr = br_ssl_engine_recvrec_buf(eng, &len);
    if (ptr != NULL && v.len > 0) {
        v = view_first(v, len);
        memcpy(ptr, v.ptr, v.len);
        br_ssl_engine_recvrec_ack(eng, v.len);
    }
    if (v.len > 0) /* a peer that has gone hears nothing */
        tls_rec_sent(t, v.len);
    return moved || v.len > 0;
}

static void a_client_without_h2_is_refused(void **state)
{
    static const char *http1[] = {"http/1.1"};
    (void)state;
    for (size_t count = 0; count < 2; count++) {
        raw_client_start(http1, count);
        while (raw_carry(&raw_client.eng, &server.t))
            ;
        assert_int_equal(tls_state(&server.t), TLS_FAILED);
        assert_string_equal(
            tls_why(&server.t),
            "the peer does not speak HTTP/2 over TLS (ALPN h2)");
    }
}

static void a_server_without_h2_is_refused(void **state)
{
    br_x509_certificate chain = {(unsigned char *)leaf_cert, sizeof leaf_cert};
    struct tls_client_cfg c = pinned();
    (void)state;
    br_ssl_server_init_full_ec(&raw_server, &chain, 1, BR_KEYTYPE_EC,
                               &leaf_key);
    raw_setup(&raw_server.eng, NULL, 0);
    br_ssl_server_reset(&raw_server);
    tls_client_init(&client.t, SPAN_ARRAY(client.buf), &c);
    while (raw_carry(&raw_server.eng, &client.t))
        ;
    assert_int_equal(tls_state(&client.t), TLS_FAILED);
    assert_string_equal(tls_why(&client.t),
                        "the peer does not speak HTTP/2 over TLS (ALPN h2)");
}

static void a_renegotiation_is_declined(void **state)
{
    static const char *h2[] = {"h2"};
    (void)state;
    raw_client_start(h2, 1);
    while (raw_carry(&raw_client.eng, &server.t))
        ;
    assert_int_equal(tls_state(&server.t), TLS_OPEN);
    assert_int_equal(br_ssl_engine_renegotiate(&raw_client.eng), 1);
    while (raw_carry(&raw_client.eng, &server.t))
        ;
    /* The client gives up by itself; we had no part in it. */
    assert_int_equal(tls_state(&server.t), TLS_OPEN);
    assert_true(tls_app_space(&server.t).len > 0);
}

static void an_old_client_is_refused(void **state)
{
    static const char *h2[] = {"h2"};
    (void)state;
    raw_client_start(h2, 1);
    br_ssl_engine_set_versions(&raw_client.eng, BR_TLS10, BR_TLS11);
    br_ssl_client_reset(&raw_client, "relay.test", 0);
    while (raw_carry(&raw_client.eng, &server.t))
        ;
    assert_int_equal(tls_state(&server.t), TLS_FAILED);
    assert_string_equal(tls_why(&server.t),
                        "the peer and this program share no TLS version (1.2 "
                        "is needed)");
}

static void only_our_ciphers_are_taken(void **state)
{
    static const char *h2[] = {"h2"};
    static const uint16_t cbc[] = {BR_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA};
    (void)state;
    raw_client_start(h2, 1);
    br_ssl_engine_set_suites(&raw_client.eng, cbc, 1);
    br_ssl_client_reset(&raw_client, "relay.test", 0);
    while (raw_carry(&raw_client.eng, &server.t))
        ;
    assert_int_equal(tls_state(&server.t), TLS_FAILED);
    assert_string_equal(tls_why(&server.t),
                        "the peer offers no TLS cipher that we accept");
}

/* ---- memory -------------------------------------------------------------- */

static bool all_zero(const void *ptr, size_t len)
{
    const uint8_t *p = ptr;
    while (len > 0 && *p == 0) {
        p++;
        len--;
    }
    return len == 0;
}

static bool holds(const void *ptr, size_t len, const char *text)
{
    return memmem(ptr, len, text, strlen(text)) != NULL;
}

static void wiping_leaves_no_key_and_no_text(void **state)
{
    (void)state;
    connect(16384);
    say(&client, &server, view_str("password"), 8, 1000);
    assert_true(holds(&server, sizeof server, "password"));
    tls_wipe(&server.t);
    assert_true(all_zero(&server.t.ctx, sizeof server.t.ctx));
    assert_false(holds(&server, sizeof server, "password"));
    assert_int_equal(tls_state(&server.t), TLS_CLOSED);
}

static void an_idle_server_leaves_most_of_its_buffer_alone(void **state)
{
    size_t touched = 0;
    (void)state;
    connect(16384);
    for (size_t i = 0; i < sizeof server.buf; i++)
        touched += server.buf[i] != 0xee;
    assert_true(touched < 2048);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_open_in_any_cut),
        cmocka_unit_test(both_know_the_same_end_point),
        cmocka_unit_test(bytes_flow_both_ways),
        cmocka_unit_test(a_full_record_takes_16384_bytes),
        cmocka_unit_test(feeding_stops_while_bytes_wait),
        cmocka_unit_test(an_orderly_end_reaches_both),
        cmocka_unit_test(what_comes_behind_finished_is_delivered),
        cmocka_unit_test(and_not_before_ours_has_left),
        cmocka_unit_test(a_ticket_resumes),
        cmocka_unit_test(a_server_that_forgot_makes_a_full_handshake),
        cmocka_unit_test(a_trusted_certificate_is_taken),
        cmocka_unit_test(a_wrong_certificate_is_refused_with_its_reason),
        cmocka_unit_test(a_pinned_client_takes_only_keys_it_can_judge),
        cmocka_unit_test(chains_of_ec_and_rsa_are_shown_and_taken),
        cmocka_unit_test(a_bad_certificate_in_pieces_is_only_refused),
        cmocka_unit_test(a_server_without_the_key_is_refused),
        cmocka_unit_test(what_is_not_tls_is_named),
        cmocka_unit_test(an_alert_is_named),
        cmocka_unit_test(a_forged_record_is_refused),
        cmocka_unit_test(a_client_without_h2_is_refused),
        cmocka_unit_test(a_server_without_h2_is_refused),
        cmocka_unit_test(a_renegotiation_is_declined),
        cmocka_unit_test(an_old_client_is_refused),
        cmocka_unit_test(only_our_ciphers_are_taken),
        cmocka_unit_test(wiping_leaves_no_key_and_no_text),
        cmocka_unit_test(an_idle_server_leaves_most_of_its_buffer_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
