/*
 * The handshake and what may be said when. Two links against each other, and
 * each role against a stranger: a bare wire that says whatever the test wants.
 * Pipes in memory stand in for the port.
 *
 * The rule that CVE-2018-10933 broke elsewhere (a server that takes "success"
 * from a client) is walked in full: every state, every kind, both roles.
 */
#include "core/link.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/trust.h"
#include "crypto/hash.h"
#include "fake/port_addr.h"
#include "fake/port_fatal.h"
#include "limits.h"
#include "port/port.h"
#include "unit/transport/ident.h"
#include "unit/transport/keys.h"
#include "unit/transport/pems.h"

/* ---- the port: one pipe for each direction --------------------------------------- */

#define PIPE_CAP (256 * 1024)

struct pipe {
    uint8_t buf[PIPE_CAP];
    size_t len;
    bool closed;
};

static struct pipe pipes[3]; /* end i reads pipes[i]; the last is a file */
#define AUTHORITIES 2

int port_recv(int handle, struct span buf)
{
    struct pipe *p = &pipes[handle];
    size_t n = p->len < buf.len ? p->len : buf.len;
    if (n == 0)
        return p->closed ? ERR_CLOSED : 0;
    memcpy(buf.ptr, p->buf, n);
    memmove(p->buf, p->buf + n, p->len - n);
    p->len -= n;
    return (int)n;
}

int port_send(int handle, struct view buf)
{
    struct pipe *p = &pipes[1 - handle];
    size_t n = PIPE_CAP - p->len < buf.len ? PIPE_CAP - p->len : buf.len;
    if (pipes[handle].closed)
        return ERR_CLOSED;
    memcpy(p->buf + p->len, buf.ptr, n);
    p->len += n;
    return (int)n;
}

int port_send_room(int handle)
{
    return (int)(PIPE_CAP - pipes[1 - handle].len);
}

/* The only file there is holds authorities. */
int port_file_open(const char *path)
{
    return strcmp(path, "/ca.pem") == 0 ? AUTHORITIES : ERR_NOT_FOUND;
}

void port_close(int handle)
{
    assert_int_equal(handle, AUTHORITIES);
}

bool port_env(const char *name, char *out, size_t cap)
{
    (void)name;
    (void)out;
    (void)cap;
    return false;
}

const char *port_why(void)
{
    return "the fake's reason";
}

/* ---- keys, clock, entropy -------------------------------------------------------- */

#define WALL INT64_C(1800000000000)

static struct sign_key relay_key, machine_key, other_key;
static uint8_t random_next;

static int64_t clock_ahead_ms; /* the machine's */

int64_t port_wall_ms(void)
{
    return WALL + clock_ahead_ms;
}

static int64_t wall(void)
{
    return WALL;
}

static void entropy(struct span out)
{
    for (size_t i = 0; i < out.len; i++)
        out.ptr[i] = random_next++;
}

static const struct link_host host = {&relay_key, wall, entropy, NULL};
static const uint8_t seed[32] = {1, 2, 3};
static const br_ec_private_key leaf_key = {BR_EC_secp256r1,
                                           (unsigned char *)leaf_x, 32};

/* ---- an end: a link with an owner ------------------------------------------------- */

struct end {
    struct link link;
    int at; /* which pipe it reads */
    _Alignas(16) uint8_t tls[WIRE_TLS_BYTES];
    _Alignas(16) uint8_t h2[WIRE_H2_BYTES];
    uint8_t frame[WIRE_FRAME_BYTES];
    uint8_t out[WIRE_OUT_BYTES];
    uint8_t control[LINK_CONTROL_BYTES];
    int hellos, judges, welcomes, refusals, beats, drains, opens;
    msg_hello hello;
    msg_proof proof;
    msg_welcome welcome;
    msg_refuse refuse;
    bool lets_in; /* in judge, at once */
    int paths, calls;
    bool busy; /* refuses as soon as it is called */
};

static struct end dialer, taker;
static msg_hello hello;
static struct link_credential credential;
static uint8_t scratch[64 * 1024];

static void on_hello(void *ctx, const msg_hello *h)
{
    struct end *e = ctx;
    e->hellos++;
    e->hello = *h;
}

static void on_judge(void *ctx, const msg_proof *p)
{
    struct end *e = ctx;
    msg_welcome w = cmdop_agent_v1_Welcome_init_zero;
    e->judges++;
    e->proof = *p;
    strcpy(w.machine_id, "the-id");
    if (e->lets_in)
        link_welcome(&e->link, &w);
}

static void on_welcomed(void *ctx, const msg_welcome *w)
{
    struct end *e = ctx;
    e->welcomes++;
    e->welcome = *w;
}

static void on_refused(void *ctx, const msg_refuse *r)
{
    struct end *e = ctx;
    e->refusals++;
    e->refuse = *r;
}

static void on_heartbeat(void *ctx, const msg_heartbeat *b)
{
    struct end *e = ctx;
    (void)b;
    e->beats++;
}

static void on_drain(void *ctx, const msg_drain *d)
{
    struct end *e = ctx;
    (void)d;
    e->drains++;
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct end *e = ctx;
    (void)params;
    e->opens++;
    (void)mux_reject(&e->link.mux, open->channel,
                     cmdop_agent_v1_Code_CODE_DENIED, "", "");
}

static void on_wake(void *ctx)
{
    (void)ctx; /* run() pushes in every turn */
}

/* As agents, tools and relays have them: what does not concern a role is not
 * there. */
static const struct link_ops dialer_ops = {.welcomed = on_welcomed,
                                           .refused = on_refused,
                                           .drain = on_drain,
                                           .open = on_open,
                                           .wake = on_wake};
static void on_field(void *ctx, struct view name, struct view value)
{
    struct end *e = ctx;
    assert_int_equal(e->calls, 0);
    e->paths += view_is(name, ":path") && value.len > 0;
}

static void on_called(void *ctx)
{
    struct end *e = ctx;
    assert_int_equal(e->link.state, LINK_HELLO);
    e->calls++;
    if (e->busy)
        link_refuse(&e->link, cmdop_agent_v1_Code_CODE_LIMIT, "not now",
                    "later", 7);
}

static const struct link_ops taker_ops = {.field = on_field,
                                          .called = on_called,
                                          .hello = on_hello,
                                          .judge = on_judge,
                                          .heartbeat = on_heartbeat,
                                          .open = on_open,
                                          .wake = on_wake};

static struct link_mem mem_of(struct end *e, bool tls)
{
    return (struct link_mem){
        .wire = {.tls = tls ? SPAN_ARRAY(e->tls) : (struct span){NULL, 0},
                 .h2 = SPAN_ARRAY(e->h2),
                 .frame = SPAN_ARRAY(e->frame),
                 .out = SPAN_ARRAY(e->out)},
        .control = SPAN_ARRAY(e->control),
    };
}

static void reset_end(struct end *e, int at)
{
    link_free(&e->link);
    memset(e, 0, sizeof(*e));
    memset(e->control, 0xee, sizeof(e->control));
    e->at = at;
    e->lets_in = true;
}

static void dial(const struct tls_client_cfg *tls)
{
    struct link_mem mem = mem_of(&dialer, tls != NULL);
    assert_int_equal(link_dialed(&dialer.link, 0, &mem, tls, "relay.test",
                                 &credential, &dialer_ops, &dialer),
                     OK);
}

static void start_dialer(bool tls)
{
    const struct tls_client_cfg cfg = {.server_name = "relay.test",
                                       .entropy = VIEW_ARRAY(seed)};
    dial(tls ? &cfg : NULL);
}

static void take(const struct tls_server_cfg *tls)
{
    struct link_mem mem = mem_of(&taker, tls != NULL);
    assert_int_equal(
        link_accepted(&taker.link, 1, &mem, tls, &host, 16, &taker_ops, &taker),
        OK);
}

static void start_taker(bool tls)
{
    static struct tlsid id;
    const struct tls_server_cfg cfg = {
        .id = ident(&id, VIEW_ARRAY(leaf_cert), &leaf_key),
        .entropy = VIEW_ARRAY(seed)};
    take(tls ? &cfg : NULL);
}

static bool turn_end(struct end *e)
{
    struct link *l = &e->link;
    uint8_t ready = wire_want(&l->wire);
    size_t before = pipes[0].len + pipes[1].len;
    if (l->state == LINK_FREE || link_over(l))
        return false;
    if (pipes[e->at].len == 0 && !pipes[e->at].closed)
        ready &= (uint8_t)~PORT_READ;
    if (ready != 0)
        link_turn(l, ready, SPAN_ARRAY(scratch));
    link_push(l);
    if (link_over(l))
        pipes[1 - e->at].closed = true;
    return ready != 0 || pipes[0].len + pipes[1].len != before;
}

/* ---- the stranger ---------------------------------------------------------------- */

#define KINDS 64

static struct {
    struct wire wire;
    int at;
    _Alignas(16) uint8_t tls[WIRE_TLS_BYTES];
    _Alignas(16) uint8_t h2[WIRE_H2_BYTES];
    uint8_t frame[WIRE_FRAME_BYTES];
    uint8_t out[64 * 1024]; /* to be said */
    size_t out_len;
    uint8_t heard[KINDS][4096]; /* the last frame of each kind */
    size_t heard_len[KINDS];
    int count[KINDS];
} stranger;

static void stranger_opened(void *ctx)
{
    (void)ctx;
}

static int stranger_message(void *ctx, struct view frame)
{
    int kind;
    struct view body;
    (void)ctx;
    assert_int_equal(msg_split(frame, &kind, &body), OK);
    assert_true(kind < KINDS && frame.len <= sizeof(stranger.heard[0]));
    memcpy(stranger.heard[kind], frame.ptr, frame.len);
    stranger.heard_len[kind] = frame.len;
    stranger.count[kind]++;
    return OK;
}

static size_t stranger_pull(void *ctx, struct span out)
{
    size_t n = stranger.out_len;
    (void)ctx;
    assert_true(n <= out.len);
    memcpy(out.ptr, stranger.out, n);
    stranger.out_len = 0;
    return n;
}

static const struct wire_ops stranger_ops = {stranger_opened, stranger_message,
                                             stranger_pull, NULL};

static void start_stranger(int at)
{
    struct wire_mem mem = {.h2 = SPAN_ARRAY(stranger.h2),
                           .frame = SPAN_ARRAY(stranger.frame)};
    wire_free(&stranger.wire);
    memset(&stranger, 0, sizeof(stranger));
    stranger.at = at;
    int err = at == 0 ? wire_client(&stranger.wire, 0, &mem, NULL, "x",
                                    &stranger_ops, NULL)
                      : wire_server(&stranger.wire, 1, &mem, NULL,
                                    &stranger_ops, NULL);
    assert_int_equal(err, OK);
}

static bool turn_stranger(void)
{
    struct wire *w = &stranger.wire;
    uint8_t ready = wire_want(w);
    size_t before = pipes[0].len + pipes[1].len;
    if (w->state == WIRE_FREE || w->state == WIRE_CLOSED)
        return false;
    if (pipes[stranger.at].len == 0 && !pipes[stranger.at].closed)
        ready &= (uint8_t)~PORT_READ;
    if (ready != 0)
        wire_turn(w, ready, SPAN_ARRAY(scratch));
    wire_push(w);
    if (w->state == WIRE_CLOSED)
        pipes[1 - stranger.at].closed = true;
    return ready != 0 || pipes[0].len + pipes[1].len != before;
}

static void run(void)
{
    int guard = 100000;
    while (turn_end(&dialer) | turn_end(&taker) | turn_stranger())
        assert_true(--guard > 0);
}

/* A frame of the stranger's own making. */
static void utter_raw(struct view frame)
{
    struct span room = {stranger.out + stranger.out_len,
                        sizeof(stranger.out) - stranger.out_len};
    assert_true(frame.len + GRPCFRAME_HEAD <= room.len);
    grpcframe_head(room.ptr, (uint32_t)frame.len);
    memcpy(room.ptr + GRPCFRAME_HEAD, frame.ptr, frame.len);
    stranger.out_len += GRPCFRAME_HEAD + frame.len;
    run();
}

static void utter(int kind, const pb_msgdesc_t *fields, const void *msg)
{
    uint8_t buf[4096];
    int n = msg_encode(SPAN_ARRAY(buf), kind, fields, msg);
    assert_true(n > 0);
    utter_raw(view_of(buf, (size_t)n));
}

static struct view heard(int kind)
{
    assert_true(stranger.count[kind] > 0);
    return view_of(stranger.heard[kind], stranger.heard_len[kind]);
}

static void hear(int kind, const pb_msgdesc_t *fields, void *out)
{
    struct view body;
    assert_int_equal(msg_split(heard(kind), &kind, &body), OK);
    assert_int_equal(msg_decode(body, fields, out), OK);
}

/* ---- beginnings ------------------------------------------------------------------- */

static void begin(void)
{
    wire_free(&stranger.wire);
    reset_end(&dialer, 0);
    reset_end(&taker, 1);
    for (int i = 0; i < 2; i++) {
        pipes[i].len = 0;
        pipes[i].closed = false;
    }
}

static void fill_hello(cmdop_agent_v1_Role role)
{
    hello = (msg_hello)cmdop_agent_v1_Hello_init_zero;
    hello.role = role;
    hello.version_min = PROTO_VERSION_MIN;
    hello.version_max = PROTO_VERSION_MAX;
    strcpy(hello.software, "cmdop/test");
}

static int setup(void **state)
{
    static uint8_t seeds[3][SIGN_SEED_LEN] = {{1}, {2}, {3}};
    (void)state;
    assert_int_equal(h2_prepare(), OK);
    sign_keypair_from_seed(seeds[0], &relay_key);
    sign_keypair_from_seed(seeds[1], &machine_key);
    sign_keypair_from_seed(seeds[2], &other_key);
    random_next = 0;
    clock_ahead_ms = 0;
    fill_hello(cmdop_agent_v1_Role_ROLE_MACHINE);
    credential = (struct link_credential){.hello = &hello,
                                          .entropy = entropy,
                                          .pin = relay_key.pub,
                                          .machine = &machine_key};
    begin();
    return 0;
}

static void meet(bool tls)
{
    begin();
    start_dialer(tls);
    start_taker(tls);
    run();
}

static void as_operator(void)
{
    fill_hello(cmdop_agent_v1_Role_ROLE_OPERATOR);
    credential.machine = NULL;
    credential.token = "cmdop_secret";
}

/* ---- who comes in ----------------------------------------------------------------- */

static void a_machine_comes_in(bool tls)
{
    credential.join_key = "cmdop_enroll_x";
    credential.name = "web-1";
    meet(tls);
    assert_int_equal(taker.link.state, LINK_OPEN);
    assert_int_equal(dialer.link.state, LINK_OPEN);
    assert_int_equal(taker.hellos, 1);
    assert_int_equal(taker.judges, 1);
    assert_int_equal(dialer.welcomes, 1);
    assert_string_equal(taker.hello.software, "cmdop/test");
    assert_int_equal(taker.proof.machine_key.size, 32);
    assert_memory_equal(taker.proof.machine_key.bytes, machine_key.pub, 32);
    assert_string_equal(taker.proof.join_key, "cmdop_enroll_x");
    assert_string_equal(taker.proof.name, "web-1");
    assert_string_equal(dialer.welcome.machine_id, "the-id");
    assert_int_equal(dialer.welcome.heartbeat_ms, HEARTBEAT_MS);
    assert_int_equal(dialer.welcome.channels_max, 16);
    assert_int_equal(dialer.welcome.frame_max, FRAME_MAX);
    assert_true(dialer.link.peer_time_ms == WALL);
    assert_int_equal(taker.link.role, cmdop_agent_v1_Role_ROLE_MACHINE);
}

static void a_caller_may_be_refused_before_it_says_hello(void **state)
{
    (void)state;
    begin();
    taker.busy = true;
    start_dialer(false);
    start_taker(false);
    run();
    assert_int_equal(taker.paths, 1);
    assert_int_equal(taker.calls, 1);
    assert_int_equal(taker.hellos, 0);
    assert_true(link_over(&taker.link));
    assert_int_equal(dialer.refusals, 1);
    assert_int_equal(dialer.refuse.code, cmdop_agent_v1_Code_CODE_LIMIT);
    assert_int_equal(dialer.refuse.retry_after_ms, 7);
    assert_true(link_over(&dialer.link));
}

static void a_machine_comes_in_over_tls(void **state)
{
    (void)state;
    a_machine_comes_in(true);
}

static void a_machine_comes_in_over_a_plain_wire(void **state)
{
    (void)state;
    a_machine_comes_in(false);
}

static const uint8_t instance[16] = {7, 7, 7};

static void a_machine_shows_its_instance_and_its_lease(void **state)
{
    (void)state;
    credential.instance = instance;
    credential.epoch = UINT64_C(0x123456789a);
    meet(true);
    assert_int_equal(dialer.welcomes, 1);
    assert_int_equal(taker.proof.instance.size, 16);
    assert_memory_equal(taker.proof.instance.bytes, instance, 16);
    assert_true(taker.proof.epoch == UINT64_C(0x123456789a));
    assert_int_equal(taker.proof.next_key.size, 0);
    assert_int_equal(taker.proof.next_signature.size, 0);
}

static void a_machine_shows_the_key_that_shall_replace_its_own(void **state)
{
    (void)state;
    credential.next = &other_key;
    meet(true);
    assert_int_equal(dialer.welcomes, 1);
    assert_memory_equal(taker.proof.machine_key.bytes, machine_key.pub, 32);
    assert_int_equal(taker.proof.next_key.size, 32);
    assert_memory_equal(taker.proof.next_key.bytes, other_key.pub, 32);
}

static void an_operator_comes_in_with_a_token(void **state)
{
    (void)state;
    as_operator();
    meet(true);
    assert_int_equal(dialer.welcomes, 1);
    assert_string_equal(taker.proof.token, "cmdop_secret");
    assert_int_equal(taker.proof.machine_key.size, 0);
    assert_int_equal(taker.proof.signature.size, 0);
}

static void the_local_socket_asks_for_no_pin_and_no_token(void **state)
{
    (void)state;
    as_operator();
    credential.pin = NULL;
    credential.token = NULL;
    meet(false);
    assert_int_equal(dialer.welcomes, 1);
}

static void a_judge_may_take_his_time(void **state)
{
    msg_welcome w = cmdop_agent_v1_Welcome_init_zero;
    (void)state;
    begin();
    taker.lets_in = false;
    start_dialer(true);
    start_taker(true);
    run();
    assert_int_equal(taker.link.state, LINK_JUDGE);
    assert_int_equal(dialer.welcomes, 0);
    link_welcome(&taker.link, &w);
    run();
    assert_int_equal(dialer.welcomes, 1);
}

/* ---- who does not ----------------------------------------------------------------- */

/* The sentence, with what to do; and no Proof was said. */
static void assert_learns_nothing(void)
{
    char pinned[SIGN_FINGERPRINT_CAP], shown[SIGN_FINGERPRINT_CAP], text[512];
    credential.pin = other_key.pub;
    sign_fingerprint(other_key.pub, pinned);
    sign_fingerprint(relay_key.pub, shown);
    snprintf(text, sizeof(text),
             "the relay is not the one that was pinned: its key is %s, not "
             "%s. It was set up anew, or somebody stands between: run `cmdop "
             "join` or `cmdop login` again only with a new join string from "
             "its owner",
             shown, pinned);
    meet(true);
    assert_int_equal(dialer.link.wire.err, ERR_PIN);
    assert_int_equal(
        strncmp(link_why(&dialer.link), text, sizeof(dialer.link.why) - 1), 0);
    assert_non_null(strstr(link_why(&dialer.link), "new join string"));
    assert_int_equal(taker.hellos, 1);
    assert_int_equal(taker.judges, 0);
    assert_int_equal(dialer.welcomes, 0);
}

static void a_relay_with_another_key_learns_no_token(void **state)
{
    (void)state;
    as_operator();
    assert_learns_nothing();
}

static void nor_a_join_key(void **state)
{
    (void)state;
    credential.join_key = "cmdop_enroll_x";
    credential.name = "web-1";
    assert_learns_nothing();
}

static void nor_the_key_of_a_machine(void **state)
{
    (void)state;
    credential.next = &other_key; /* about to be replaced */
    assert_learns_nothing();
}

/* ---- nothing pinned: authorities vouch ----------------------------------------------- */

static struct trust trust;

static void authorities(const char *pem)
{
    struct pipe *file = &pipes[AUTHORITIES];
    char buf[200];
    struct text why;
    TEXT_OF(&why, buf);
    file->len = strlen(pem);
    memcpy(file->buf, pem, file->len);
    file->closed = true;
    assert_int_equal(trust_load(&trust, "/ca.pem", &why), OK);
}

/* The relay shows a public chain, for relay.test; we know its address only. */
static void meet_unpinned(const char *name)
{
    static struct tlsid id;
    static const char chain[] = EC_LEAF_PEM EC_MID_PEM;
    struct tls_client_cfg ours = {.server_name = name,
                                  .entropy = VIEW_ARRAY(seed)};
    const struct tls_server_cfg theirs = {.id = &id,
                                          .entropy = VIEW_ARRAY(seed)};
    char buf[200];
    struct text why;
    TEXT_OF(&why, buf);
    assert_int_equal(tlsid_load(&id, view_str(chain), view_str(EC_LEAF_KEY),
                                WALL / 1000, &why),
                     OK);
    as_operator();
    credential.pin = NULL;
    begin();
    trust_tls(&trust, &ours);
    dial(&ours);
    take(&theirs);
    run();
}

static void an_authority_vouches_for_a_relay_and_its_key_is_learnt(void **state)
{
    (void)state;
    authorities(RSA_ROOT_PEM EC_ROOT_PEM);
    meet_unpinned("relay.test");
    assert_int_equal(dialer.welcomes, 1);
    assert_string_equal(taker.proof.token, "cmdop_secret");
    assert_memory_equal(dialer.link.relay_key, relay_key.pub, 32);
}

/* The sentence; and not even Hello was said. */
static void assert_not_trusted(const char *why)
{
    assert_string_equal(link_why(&dialer.link), why);
    assert_true(link_over(&dialer.link));
    assert_int_equal(dialer.welcomes, 0);
    assert_int_equal(taker.hellos, 0);
    assert_int_equal(taker.judges, 0);
}

static void a_certificate_for_another_name_does_not_do(void **state)
{
    (void)state;
    authorities(EC_ROOT_PEM);
    meet_unpinned("other.test");
    assert_not_trusted("the server's certificate is for another name");
}

static void neither_does_one_that_is_expired_or_not_valid_yet(void **state)
{
    static const int64_t years[] = {-70, 120};
    (void)state;
    authorities(EC_ROOT_PEM);
    for (size_t i = 0; i < 2; i++) {
        clock_ahead_ms = years[i] * 365 * 24 * 3600 * 1000;
        meet_unpinned("relay.test");
        assert_not_trusted("the server's certificate is expired or not valid "
                           "yet; check this machine's clock");
    }
}

static void neither_does_one_that_another_authority_signed(void **state)
{
    (void)state;
    authorities(RSA_ROOT_PEM);
    meet_unpinned("relay.test");
    assert_not_trusted(
        "no authority that this machine trusts signed the server's "
        "certificate; name the one that did with --ca-file or CMDOP_CA_FILE, "
        "or use a join string, which pins the relay's key");
}

/* Whoever has a good certificate must still have the key that it shows. */
static void a_relay_that_cannot_sign_with_its_key_learns_nothing(void **state)
{
    struct sign_key forged = relay_key;
    (void)state;
    authorities(EC_ROOT_PEM);
    memcpy(forged.pub, other_key.pub, sizeof(forged.pub));
    relay_key = forged;
    meet_unpinned("relay.test");
    assert_int_equal(dialer.link.wire.err, ERR_PIN);
    assert_non_null(strstr(link_why(&dialer.link), "does not vouch"));
    assert_int_equal(taker.judges, 0);
}

/* From then on only the key counts, whoever vouches. */
static void an_authority_says_nothing_against_a_pin(void **state)
{
    (void)state;
    authorities(EC_ROOT_PEM);
    meet_unpinned("relay.test");
    uint8_t pin[32];
    memcpy(pin, dialer.link.relay_key, sizeof(pin));
    credential.pin = pin;
    meet(true); /* with its own certificate */
    assert_int_equal(dialer.welcomes, 1);
    relay_key = other_key;
    meet(true);
    assert_int_equal(dialer.link.wire.err, ERR_PIN);
    assert_int_equal(taker.judges, 0);
}

/* ---- a relay that is none -------------------------------------------------------------- */

/* Let the stranger be the relay, up to our Hello. */
static void dial_stranger(void)
{
    begin();
    start_stranger(1);
    start_dialer(false);
    run();
    assert_int_equal(stranger.count[MSG_HELLO], 1);
}

static void sign_challenge(msg_challenge *c, const struct sign_key *key)
{
    uint8_t digest[32];
    hash_once(heard(MSG_HELLO), digest);
    struct proof_relay p = {.hello = VIEW_ARRAY(digest),
                            .nonce = VIEW_ARRAY(c->nonce),
                            .relay_key = VIEW_ARRAY(c->relay_key),
                            .relay_time_ms = c->relay_time_ms,
                            .version = c->version};
    proof_relay_sign(&p, key, c->signature);
}

static msg_challenge make_challenge(const struct sign_key *key)
{
    msg_challenge c = cmdop_agent_v1_Challenge_init_zero;
    memset(c.nonce, 0x5a, sizeof(c.nonce));
    memcpy(c.relay_key, key->pub, sizeof(c.relay_key));
    c.relay_time_ms = WALL;
    c.version = 1;
    sign_challenge(&c, key);
    return c;
}

static void challenge(const msg_challenge *c)
{
    utter(MSG_CHALLENGE, cmdop_agent_v1_Challenge_fields, c);
}

static void a_challenge_that_fits_is_answered(void **state)
{
    (void)state;
    dial_stranger();
    msg_challenge c = make_challenge(&relay_key);
    challenge(&c);
    assert_int_equal(stranger.count[MSG_PROOF], 1);
}

/* Whatever part of a Challenge is changed, the signature no longer fits. */
static void a_changed_challenge_is_not_answered(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        dial_stranger();
        msg_challenge c = make_challenge(&relay_key);
        c.nonce[31] ^= i == 0;
        c.relay_key[0] ^= i == 1;
        c.relay_time_ms += i == 2;
        c.signature[0] ^= i == 3;
        c.signature[63] ^= i == 4;
        if (i == 5) /* somebody else's key, correctly signed */
            c = make_challenge(&other_key);
        challenge(&c);
        assert_int_equal(stranger.count[MSG_PROOF], 0);
        assert_int_equal(dialer.link.wire.err, ERR_PIN);
    }
}

static void a_challenge_for_another_hello_is_not_answered(void **state)
{
    (void)state;
    dial_stranger();
    msg_challenge old = make_challenge(&relay_key);
    strcpy(hello.software, "cmdop/newer");
    dial_stranger();
    challenge(&old);
    assert_int_equal(stranger.count[MSG_PROOF], 0);
    assert_int_equal(dialer.link.wire.err, ERR_PIN);
}

/* A recorded plain handshake says nothing about a TLS connection: the relay's
 * signature covers the certificate. */
static void a_challenge_of_another_connection_is_not_answered(void **state)
{
    (void)state;
    dial_stranger();
    msg_challenge c = make_challenge(&relay_key); /* no certificate in it */
    start_taker(true);
    taker.link.host = &host;
    begin();
    start_dialer(true);
    start_taker(true);
    for (int i = 0; i < 1000 && dialer.link.state != LINK_CHALLENGE; i++) {
        turn_end(&dialer);
        if (taker.link.state == LINK_OPENING)
            turn_end(&taker);
    }
    assert_int_equal(dialer.link.state, LINK_CHALLENGE);
    uint8_t frame[512];
    int n = msg_encode(SPAN_ARRAY(frame), MSG_CHALLENGE,
                       cmdop_agent_v1_Challenge_fields, &c);
    assert_true(n > 0);
    /* Hand it to the link as if the TLS connection had carried it. */
    assert_int_equal(dialer.link.wire.ops->message(dialer.link.wire.ctx,
                                                   view_of(frame, (size_t)n)),
                     ERR_PIN);
}

static void a_version_that_nobody_knows_ends_the_link(void **state)
{
    (void)state;
    for (uint32_t v = 0; v <= PROTO_VERSION_MAX + 1;
         v += PROTO_VERSION_MAX + 1) {
        dial_stranger();
        msg_challenge c = make_challenge(&relay_key);
        c.version = v;
        sign_challenge(&c, &relay_key);
        challenge(&c);
        assert_int_equal(dialer.link.wire.err, ERR_VERSION);
        assert_non_null(strstr(link_why(&dialer.link), "update"));
    }
}

/* ---- the stranger dials ------------------------------------------------------------ */

static void stranger_dials(void)
{
    begin();
    start_stranger(0);
    start_taker(false);
    run();
    assert_int_equal(taker.link.state, LINK_HELLO);
}

static void stranger_says_hello(void)
{
    stranger_dials();
    utter(MSG_HELLO, cmdop_agent_v1_Hello_fields, &hello);
}

/* The Frame that carried our Hello, as the taker saw it. */
static struct view hello_frame(uint8_t *buf, size_t cap)
{
    int n = msg_encode((struct span){buf, cap}, MSG_HELLO,
                       cmdop_agent_v1_Hello_fields, &hello);
    assert_true(n > 0);
    return view_of(buf, (size_t)n);
}

static msg_proof make_proof(const struct sign_key *key)
{
    uint8_t said[4096], mine[32], theirs[32];
    msg_proof proof = cmdop_agent_v1_Proof_init_zero;
    strcpy(proof.join_key, "cmdop_enroll_x");
    strcpy(proof.name, "web-1");
    hash_once(hello_frame(said, sizeof(said)), mine);
    hash_once(heard(MSG_CHALLENGE), theirs);
    struct proof_machine p = {.hello = VIEW_ARRAY(mine),
                              .challenge = VIEW_ARRAY(theirs),
                              .machine_key = VIEW_ARRAY(key->pub),
                              .join_key = view_str(proof.join_key),
                              .name = view_str(proof.name)};
    proof.machine_key.size = proof.signature.size = 32;
    memcpy(proof.machine_key.bytes, key->pub, 32);
    proof.signature.size = SIGN_LEN;
    proof_machine_sign(&p, key, proof.signature.bytes);
    return proof;
}

static void prove(const msg_proof *p)
{
    utter(MSG_PROOF, cmdop_agent_v1_Proof_fields, p);
}

static void assert_refused(msg_code code)
{
    msg_refuse r = cmdop_agent_v1_Refuse_init_zero;
    hear(MSG_REFUSE, cmdop_agent_v1_Refuse_fields, &r);
    assert_int_equal(r.code, code);
    assert_true(r.message[0] != '\0');
    assert_int_equal(stranger.count[MSG_WELCOME], 0);
    assert_int_equal(taker.judges, 0);
    assert_int_equal(taker.link.state, LINK_CLOSED);
}

static void a_proof_that_fits_is_judged(void **state)
{
    (void)state;
    stranger_says_hello();
    msg_proof p = make_proof(&machine_key);
    prove(&p);
    assert_int_equal(taker.judges, 1);
    assert_int_equal(stranger.count[MSG_WELCOME], 1);
}

static void a_changed_proof_is_refused_unjudged(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        stranger_says_hello();
        msg_proof p = make_proof(&machine_key);
        if (i == 0) /* another machine's key in front of our signature */
            memcpy(p.machine_key.bytes, other_key.pub, 32);
        if (i == 1)
            p.join_key[3] ^= 1;
        if (i == 2)
            p.name[0] ^= 1;
        if (i == 3)
            p.signature.bytes[10] ^= 1;
        if (i == 4)
            p.signature.size = 63;
        if (i == 5)
            p.signature.size = p.machine_key.size = 0;
        if (i == 6)
            p.machine_key.size = 31;
        if (i == 7)
            memset(p.machine_key.bytes, 0, 32); /* a key of small order */
        prove(&p);
        assert_refused(cmdop_agent_v1_Code_CODE_AUTH);
    }
}

/* A Proof of a rotation, by whatever keys. */
static msg_proof make_rotation(const struct sign_key *old,
                               const struct sign_key *next)
{
    uint8_t said[4096], mine[32], theirs[32];
    msg_proof proof = cmdop_agent_v1_Proof_init_zero;
    hash_once(hello_frame(said, sizeof(said)), mine);
    hash_once(heard(MSG_CHALLENGE), theirs);
    struct proof_machine p = {.hello = VIEW_ARRAY(mine),
                              .challenge = VIEW_ARRAY(theirs),
                              .machine_key = VIEW_ARRAY(old->pub),
                              .next_key = VIEW_ARRAY(next->pub)};
    proof.machine_key.size = proof.next_key.size = 32;
    memcpy(proof.machine_key.bytes, old->pub, 32);
    memcpy(proof.next_key.bytes, next->pub, 32);
    proof.signature.size = proof.next_signature.size = SIGN_LEN;
    proof_machine_sign(&p, old, proof.signature.bytes);
    proof_next_sign(&p, next, proof.next_signature.bytes);
    return proof;
}

static void a_rotation_that_fits_is_judged(void **state)
{
    (void)state;
    stranger_says_hello();
    msg_proof p = make_rotation(&machine_key, &other_key);
    prove(&p);
    assert_int_equal(taker.judges, 1);
    assert_int_equal(stranger.count[MSG_WELCOME], 1);
}

static void a_changed_rotation_is_refused_unjudged(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++) {
        stranger_says_hello();
        msg_proof p = make_rotation(&machine_key, &other_key);
        msg_proof plain = make_proof(&machine_key);
        if (i == 0) /* a key that did not sign */
            memcpy(p.next_key.bytes, relay_key.pub, 32);
        if (i == 1) /* a new key, and the signature of a plain proof */
            p.signature = plain.signature;
        if (i == 2) /* signatures for each other */
            p.next_signature.bytes[0] ^= 1;
        if (i == 3)
            p.next_signature.size = 0;
        if (i == 4)
            p.next_key.size = 0; /* a signature of nobody */
        if (i == 5)
            p.next_key.size = 31;
        if (i == 6)
            memcpy(p.next_signature.bytes, p.signature.bytes, SIGN_LEN);
        if (i == 7) /* the old key takes over from itself */
            p = make_rotation(&machine_key, &machine_key);
        if (i == 8) { /* handed over by somebody else */
            p = make_rotation(&relay_key, &other_key);
            memcpy(p.machine_key.bytes, machine_key.pub, 32);
        }
        prove(&p);
        assert_refused(cmdop_agent_v1_Code_CODE_AUTH);
    }
}

static void a_rotation_of_an_earlier_connection_is_refused(void **state)
{
    (void)state;
    stranger_says_hello();
    msg_proof old = make_rotation(&machine_key, &other_key);
    prove(&old);
    assert_int_equal(taker.judges, 1);
    stranger_says_hello();
    prove(&old);
    assert_refused(cmdop_agent_v1_Code_CODE_AUTH);
}

static void an_instance_is_whole_or_absent(void **state)
{
    (void)state;
    for (pb_size_t size = 0; size <= 16; size++)
        for (uint64_t epoch = 0; epoch < 2; epoch++) {
            bool fits = size == 16 || (size == 0 && epoch == 0);
            stranger_says_hello();
            msg_proof p = make_proof(&machine_key);
            p.instance.size = size;
            p.epoch = epoch;
            prove(&p);
            assert_int_equal(taker.judges, fits);
            assert_int_equal(taker.link.wire.err, fits ? OK : ERR_PROTO);
        }
}

static void a_proof_of_an_earlier_connection_is_refused(void **state)
{
    (void)state;
    stranger_says_hello();
    msg_proof old = make_proof(&machine_key);
    prove(&old);
    assert_int_equal(taker.judges, 1);
    stranger_says_hello(); /* the same Hello; the nonce is another */
    prove(&old);
    assert_refused(cmdop_agent_v1_Code_CODE_AUTH);
}

static void a_hello_without_a_common_version_is_refused(void **state)
{
    static const uint32_t bad[][2] = {
        {0, 0}, {PROTO_VERSION_MAX + 1, PROTO_VERSION_MAX + 9}, {2, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        hello.version_min = bad[i][0];
        hello.version_max = bad[i][1];
        stranger_says_hello();
        assert_refused(cmdop_agent_v1_Code_CODE_VERSION);
        assert_int_equal(taker.hellos, 0);
    }
    hello.version_min = 0;
    hello.version_max = UINT32_MAX;
    stranger_says_hello();
    assert_int_equal(taker.link.state, LINK_PROOF);
    assert_int_equal(taker.link.version, PROTO_VERSION_MAX);
}

static void a_hello_of_no_role_ends_the_link(void **state)
{
    (void)state;
    for (int role = 0; role < 5; role++) {
        hello.role = (cmdop_agent_v1_Role)role;
        stranger_says_hello();
        bool known = role == cmdop_agent_v1_Role_ROLE_MACHINE ||
                     role == cmdop_agent_v1_Role_ROLE_OPERATOR;
        assert_int_equal(taker.link.wire.err, known ? OK : ERR_PROTO);
    }
}

static void a_refusal_is_told_with_its_remedy(void **state)
{
    (void)state;
    begin();
    taker.lets_in = false;
    start_dialer(true);
    start_taker(true);
    run();
    link_refuse(&taker.link, cmdop_agent_v1_Code_CODE_AUTH,
                "the join key\033[2J was revoked", "ask for a new one", 500);
    run();
    assert_int_equal(dialer.refusals, 1);
    assert_int_equal(dialer.refuse.code, cmdop_agent_v1_Code_CODE_AUTH);
    assert_int_equal(dialer.refuse.retry_after_ms, 500);
    assert_string_equal(link_why(&dialer.link),
                        "the join key\\x1b[2J was revoked; ask for a new one");
    assert_true(link_over(&dialer.link));
    assert_true(link_over(&taker.link));
    assert_int_equal(dialer.welcomes, 0);
}

/* ---- every state, every kind, both roles -------------------------------------------- */

static const struct {
    enum link_state state;
    bool initiator;
} ends[] = {
    {LINK_CHALLENGE, true}, {LINK_WELCOME, true}, {LINK_OPEN, true},
    {LINK_HELLO, false},    {LINK_PROOF, false},  {LINK_JUDGE, false},
    {LINK_OPEN, false},
};

/* What may come, written down a second time from docs/PROTOCOL.md, by kind: a
 * new one does not compile until it is decided here. */
static bool may_come(enum link_state state, bool initiator, int kind)
{
    bool open = state == LINK_OPEN;
    switch ((enum msg_kind)kind) {
    case MSG_HELLO: return state == LINK_HELLO;
    case MSG_CHALLENGE: return state == LINK_CHALLENGE;
    case MSG_PROOF: return state == LINK_PROOF;
    case MSG_WELCOME: return state == LINK_WELCOME;
    case MSG_REFUSE: return initiator;
    case MSG_DRAIN: return initiator && open;
    case MSG_HEARTBEAT: return !initiator && open;
    case MSG_PING:
    case MSG_PONG:
    case MSG_OPEN:
    case MSG_ACCEPT:
    case MSG_REJECT:
    case MSG_DATA:
    case MSG_CREDIT:
    case MSG_EVENT:
    case MSG_CLOSE: return open;
    }
    return open; /* a number that nobody uses yet: a newer peer may */
}

static void bring_dialer_to(enum link_state state)
{
    msg_welcome w = cmdop_agent_v1_Welcome_init_zero;
    dial_stranger();
    if (state == LINK_CHALLENGE)
        return;
    msg_challenge c = make_challenge(&relay_key);
    challenge(&c);
    if (state == LINK_OPEN)
        utter(MSG_WELCOME, cmdop_agent_v1_Welcome_fields, &w);
}

static void bring_taker_to(enum link_state state)
{
    stranger_dials();
    taker.lets_in = state != LINK_JUDGE;
    if (state == LINK_HELLO)
        return;
    utter(MSG_HELLO, cmdop_agent_v1_Hello_fields, &hello);
    if (state == LINK_PROOF)
        return;
    msg_proof p = make_proof(&machine_key);
    prove(&p);
}

/* A Frame of this kind with an empty message inside. */
static void utter_empty(int kind)
{
    uint8_t frame[3] = {(uint8_t)(kind << 3 | 2), 0, 0};
    if (kind < 16) {
        utter_raw(view_of(frame, 2));
        return;
    }
    frame[0] = (uint8_t)((kind & 15) << 3 | 2 | 0x80);
    frame[1] = (uint8_t)(kind >> 4);
    utter_raw(view_of(frame, 3));
}

static void only_what_may_come_passes(void **state)
{
    char expected[96];
    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        bool initiator = ends[i].initiator;
        struct end *e = initiator ? &dialer : &taker;
        for (int kind = 1; kind < KINDS; kind++) {
            if (initiator)
                bring_dialer_to(ends[i].state);
            else
                bring_taker_to(ends[i].state);
            assert_int_equal(e->link.state, ends[i].state);
            int seen = e->hellos + e->judges + e->welcomes + e->refusals +
                       e->beats + e->drains + e->opens;
            utter_empty(kind);
            bool may = may_come(ends[i].state, initiator, kind);
            snprintf(expected, sizeof(expected), "message kind %d is not",
                     kind);
            bool refused = strstr(link_why(&e->link), expected) != NULL;
            if (refused == may)
                print_message("state %d of the %s, kind %d\n",
                              (int)ends[i].state,
                              initiator ? "initiator" : "acceptor", kind);
            assert_int_equal(refused, !may);
            if (!may) {
                assert_int_equal(e->link.wire.err, ERR_PROTO);
                assert_int_equal(e->hellos + e->judges + e->welcomes +
                                     e->refusals + e->beats + e->drains +
                                     e->opens,
                                 seen); /* and nobody was told */
            }
        }
    }
}

static void a_state_belongs_to_one_role(void **state)
{
    (void)state;
    for (int role = 0; role < 2; role++)
        for (int kind = -1; kind < 5000; kind++) {
            bool dials = role == 1;
            assert_false(link_allowed(LINK_FREE, dials, kind));
            assert_false(link_allowed(LINK_OPENING, dials, kind));
            assert_false(link_allowed(LINK_JUDGE, dials, kind));
            assert_false(link_allowed(LINK_CLOSED, dials, kind));
            assert_int_equal(link_allowed(LINK_HELLO, dials, kind),
                             kind == MSG_HELLO);
            assert_int_equal(link_allowed(LINK_PROOF, dials, kind),
                             kind == MSG_PROOF);
        }
}

static void a_refusal_from_a_client_is_a_breach(void **state)
{
    msg_refuse r = cmdop_agent_v1_Refuse_init_zero;
    (void)state;
    bring_taker_to(LINK_OPEN);
    utter(MSG_REFUSE, cmdop_agent_v1_Refuse_fields, &r);
    assert_int_equal(taker.link.wire.err, ERR_PROTO);
}

/* ---- what is no message ------------------------------------------------------------ */

static void a_frame_that_is_none_ends_the_link(void **state)
{
    static const struct {
        uint8_t bytes[8];
        size_t len;
    } bad[] = {
        {{0}, 0},                /* nothing */
        {{0x32, 0, 0x3a, 0}, 4}, /* two fields */
        {{0x30, 0}, 2},          /* a number, not a message */
        {{0x32, 5, 0}, 3},       /* shorter than it says */
        {{0x02, 0}, 2},          /* field 0 */
        {{0xff, 0xff, 0xff, 0xff, 0xff}, 5},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bring_taker_to(LINK_OPEN);
        utter_raw(view_of(bad[i].bytes, bad[i].len));
        assert_int_equal(taker.link.wire.err, ERR_PROTO);
        assert_true(link_why(&taker.link)[0] != '\0');
    }
}

static void a_message_that_does_not_parse_ends_the_link(void **state)
{
    static const int kinds[] = {MSG_PING, MSG_HEARTBEAT, MSG_OPEN, MSG_DATA};
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        uint8_t frame[4] = {(uint8_t)((kinds[i] & 15) << 3 | 2), 0, 0, 0};
        size_t n = 1;
        if (kinds[i] >= 16) {
            frame[0] |= 0x80;
            frame[n++] = 1;
        }
        frame[n++] = 1;    /* one byte: */
        frame[n++] = 0x08; /* a tag without its value */
        bring_taker_to(LINK_OPEN);
        utter_raw(view_of(frame, n));
        assert_int_equal(taker.link.wire.err, ERR_PROTO);
        assert_non_null(strstr(link_why(&taker.link), "not parse"));
    }
}

/* ---- life afterwards ----------------------------------------------------------------- */

static void a_ping_is_answered_with_its_token(void **state)
{
    msg_ping ping = {UINT64_C(0x123456789abcdef0)};
    (void)state;
    bring_taker_to(LINK_OPEN);
    utter(MSG_PING, cmdop_agent_v1_Ping_fields, &ping);
    ping.token = 0;
    hear(MSG_PONG, cmdop_agent_v1_Ping_fields, &ping);
    assert_true(ping.token == UINT64_C(0x123456789abcdef0));
}

static void heartbeat_drain_and_opens_reach_their_owners(void **state)
{
    msg_heartbeat beat = cmdop_agent_v1_Heartbeat_init_zero;
    msg_drain drain = {.reason = "soon"};
    msg_open open = {.channel = 2};
    (void)state;
    meet(true);
    assert_int_equal(link_send(&dialer.link, MSG_HEARTBEAT,
                               cmdop_agent_v1_Heartbeat_fields, &beat),
                     OK);
    assert_int_equal(
        link_send(&taker.link, MSG_DRAIN, cmdop_agent_v1_Drain_fields, &drain),
        OK);
    assert_int_equal(
        link_send(&taker.link, MSG_OPEN, cmdop_agent_v1_Open_fields, &open),
        OK);
    taker.link.heard = false;
    run();
    assert_int_equal(taker.beats, 1);
    assert_true(taker.link.heard);
    assert_int_equal(dialer.drains, 1);
    assert_int_equal(dialer.opens, 1);
}

static void an_orderly_end_has_no_reason(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        meet(true);
        link_end(i == 0 ? &dialer.link : &taker.link);
        run();
        assert_true(link_over(&dialer.link));
        assert_true(link_over(&taker.link));
        assert_string_equal(link_why(&dialer.link), "");
        assert_string_equal(link_why(&taker.link), "");
    }
}

static void what_comes_after_the_end_is_dropped(void **state)
{
    msg_open open = {.channel = 1};
    (void)state;
    bring_taker_to(LINK_OPEN);
    link_end(&taker.link);
    utter(MSG_OPEN, cmdop_agent_v1_Open_fields, &open);
    assert_int_equal(taker.opens, 0);
    assert_int_equal(taker.link.wire.err, OK);
}

static void a_peer_that_vanishes_leaves_a_reason(void **state)
{
    (void)state;
    meet(true);
    pipes[0].closed = pipes[1].closed = true;
    run();
    assert_true(link_over(&dialer.link));
    assert_true(link_why(&dialer.link)[0] != '\0');
    link_free(&dialer.link);
    assert_int_equal(dialer.link.state, LINK_FREE);
}

static void the_first_reason_is_kept(void **state)
{
    (void)state;
    meet(true);
    link_fail(&dialer.link, ERR_TIMEOUT, "the first");
    link_fail(&dialer.link, ERR_IO, "the second");
    assert_string_equal(link_why(&dialer.link), "the first");
    assert_int_equal(dialer.link.wire.err, ERR_TIMEOUT);
    assert_true(link_over(&dialer.link));
}

#define FACT(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_caller_may_be_refused_before_it_says_hello),
        FACT(a_machine_comes_in_over_tls),
        FACT(a_machine_comes_in_over_a_plain_wire),
        FACT(a_machine_shows_its_instance_and_its_lease),
        FACT(a_machine_shows_the_key_that_shall_replace_its_own),
        FACT(an_operator_comes_in_with_a_token),
        FACT(the_local_socket_asks_for_no_pin_and_no_token),
        FACT(a_judge_may_take_his_time),
        FACT(a_relay_with_another_key_learns_no_token),
        FACT(nor_a_join_key),
        FACT(nor_the_key_of_a_machine),
        FACT(an_authority_vouches_for_a_relay_and_its_key_is_learnt),
        FACT(a_certificate_for_another_name_does_not_do),
        FACT(neither_does_one_that_is_expired_or_not_valid_yet),
        FACT(neither_does_one_that_another_authority_signed),
        FACT(a_relay_that_cannot_sign_with_its_key_learns_nothing),
        FACT(an_authority_says_nothing_against_a_pin),
        FACT(a_challenge_that_fits_is_answered),
        FACT(a_changed_challenge_is_not_answered),
        FACT(a_challenge_for_another_hello_is_not_answered),
        FACT(a_challenge_of_another_connection_is_not_answered),
        FACT(a_version_that_nobody_knows_ends_the_link),
        FACT(a_proof_that_fits_is_judged),
        FACT(a_changed_proof_is_refused_unjudged),
        FACT(a_rotation_that_fits_is_judged),
        FACT(a_changed_rotation_is_refused_unjudged),
        FACT(a_rotation_of_an_earlier_connection_is_refused),
        FACT(an_instance_is_whole_or_absent),
        FACT(a_proof_of_an_earlier_connection_is_refused),
        FACT(a_hello_without_a_common_version_is_refused),
        FACT(a_hello_of_no_role_ends_the_link),
        FACT(a_refusal_is_told_with_its_remedy),
        FACT(only_what_may_come_passes),
        FACT(a_state_belongs_to_one_role),
        FACT(a_refusal_from_a_client_is_a_breach),
        FACT(a_frame_that_is_none_ends_the_link),
        FACT(a_message_that_does_not_parse_ends_the_link),
        FACT(a_ping_is_answered_with_its_token),
        FACT(heartbeat_drain_and_opens_reach_their_owners),
        FACT(an_orderly_end_has_no_reason),
        FACT(what_comes_after_the_end_is_dropped),
        FACT(a_peer_that_vanishes_leaves_a_reason),
        FACT(the_first_reason_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
