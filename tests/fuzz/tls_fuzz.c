/*
 * TLS with anybody. Mode 0: the input goes to a server; 1: to a client;
 * 2 and 3: it edits a conversation between the two, as one who sits between
 * them could: pairs of (distance to the next edit, value to add).
 *
 * Whatever is edited, what arrives is a beginning of what was sent, and a
 * client that is in has seen the certificate of this server.
 */
#include "transport/tls.h"

#include <assert.h>
#include <string.h>

#include "crypto/hash.h"
#include "unit/transport/ident.h"
#include "unit/transport/keys.h"

struct side {
    struct tls t;
    uint8_t buf[TLS_BUF_BYTES];
    const char *says; /* four bytes, again and again */
    size_t sent, got;
    struct side *peer;
};

static struct side client, server;
static uint8_t end_point[HASH_LEN]; /* of the server's certificate */

static const uint8_t entropy[32] = {1};
static const br_ec_private_key key = {BR_EC_secp256r1, (unsigned char *)leaf_x,
                                      32};

static void start(bool anchored)
{
    static const br_x509_trust_anchor ca = {
        .dn = {(unsigned char *)ca_name, sizeof ca_name},
        .flags = BR_X509_TA_CA,
        .pkey = {.key_type = BR_KEYTYPE_EC,
                 .key.ec = {BR_EC_secp256r1, (unsigned char *)ca_point,
                            sizeof ca_point}},
    };
    struct tls_client_cfg c = {.server_name = "relay.test",
                               .anchors = anchored ? &ca : NULL,
                               .anchors_count = 1,
                               .unix_time = 1800000000,
                               .entropy = VIEW_ARRAY(entropy)};
    static struct tlsid id;
    struct tls_server_cfg s = {.id = ident(&id, VIEW_ARRAY(leaf_cert), &key),
                               .entropy = VIEW_ARRAY(entropy)};
    hash_once(VIEW_ARRAY(leaf_cert), end_point);
    client.says = "ping";
    server.says = "pong";
    client.peer = &server;
    server.peer = &client;
    client.sent = client.got = server.sent = server.got = 0;
    tls_client_init(&client.t, SPAN_ARRAY(client.buf), &c);
    tls_server_init(&server.t, SPAN_ARRAY(server.buf), &s);
}

static void check_heard(struct side *s, struct view in)
{
    for (size_t i = 0; i < in.len; i++)
        assert(in.ptr[i] == (uint8_t)s->peer->says[(s->got + i) % 4]);
    s->got += in.len;
    assert(s->got <= s->peer->sent);
}

/* The client begins; who hears something answers. */
static void speak(struct side *s)
{
    struct span space = tls_app_space(&s->t);
    bool turn = s == &client ? s->got >= s->sent : s->got > s->sent;
    if (tls_state(&s->t) != TLS_OPEN || space.len < 4 || !turn)
        return;
    memcpy(space.ptr, s->says, 4);
    tls_app_put(&s->t, 4);
    tls_flush(&s->t);
    s->sent += 4;
}

/* Take what there is and check that the doors agree with the state. */
static void use(struct side *s)
{
    struct view in = tls_app_in(&s->t);
    assert(in.len == 0 || tls_state(&s->t) == TLS_OPEN);
    check_heard(s, in);
    tls_app_taken(&s->t, in.len);
    if (s == &client && tls_state(&s->t) == TLS_OPEN)
        assert(memcmp(tls_end_point(&s->t), end_point, HASH_LEN) == 0);
    speak(s);
    assert(tls_why(&s->t) != NULL);
}

static void feed_all(struct side *s, struct view in)
{
    while (in.len > 0) {
        size_t n = tls_rec_feed(&s->t, in);
        struct view out = tls_rec_out(&s->t);
        in = view_from(in, n);
        use(s);
        if (out.len > 0)
            tls_rec_sent(&s->t, out.len);
        else if (n == 0)
            return;
    }
}

static struct view edits;
static size_t until; /* bytes to the next edit */

static void next_edit(void)
{
    until = edits.len < 2 ? SIZE_MAX : edits.ptr[0];
}

static bool carry(struct side *from, struct side *to)
{
    static uint8_t copy[TLS_OUT_BYTES];
    struct view v = tls_rec_out(&from->t);
    if (v.len == 0)
        return false;
    memcpy(copy, v.ptr, v.len);
    for (size_t i = 0; i < v.len; i++) {
        if (until-- == 0) {
            copy[i] = (uint8_t)(copy[i] + edits.ptr[1]);
            edits = view_from(edits, 2);
            next_edit();
        }
    }
    size_t n = tls_rec_feed(&to->t, view_of(copy, v.len));
    tls_rec_sent(&from->t, v.len);
    use(to);
    return n > 0;
}

static void converse(struct view in)
{
    edits = in;
    next_edit();
    for (int i = 0; i < 50; i++) {
        bool moved = carry(&client, &server);
        moved = carry(&server, &client) || moved;
        if (!moved && tls_state(&client.t) != TLS_OPEN)
            return;
        use(&client);
    }
    /* Undisturbed, they talk. */
    assert(in.len >= 2 || client.got >= 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct view in = view_of(data + 1, size - 1);
    start((data[0] & 4) != 0);
    switch (data[0] & 3) {
    case 0: feed_all(&server, in); break;
    case 1: feed_all(&client, in); break;
    case 2:
    case 3: converse(in); break;
    }
    tls_close(&client.t);
    tls_wipe(&client.t);
    tls_wipe(&server.t);
    return 0;
}
