/*
 * An end of a link that hears anything. The first byte chooses which end, and
 * how far a peer of good manners has come before, with genuine signatures;
 * then messages follow, each behind its length (two bytes; with the highest
 * bit set nothing that we say leaves before the next).
 *
 * What may come when is compared with a table of its own, made from section 5
 * of docs/PROTOCOL.md. Nobody is let in without having said Hello and Proof,
 * and a machine not without its signature; nobody gets our token or join key
 * who has not signed as the relay that was pinned; and after the end nothing
 * is handled any more. What is said about channels is watched by a witness.
 */
#include "core/link.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "limits.h"
#include "fuzz/witness.h"

enum how {
    SAYS_HELLO = 1, /* an acceptor: Challenge */
    AS_OPERATOR = 2,
    SAYS_PROOF = 4, /* an acceptor: Welcome */
    LATER = 8,      /* the judge takes his time */
    INITIATOR = 16, /* we are the one that dialled */
    LOCAL = 32,     /* and know no key beforehand */
    REFUSES = 64,   /* the judge lets nobody in */
};

#define MESSAGES_MAX 1000
#define CHANS        4

static struct link ln;
static struct sign_key relay_key, machine_key;
static _Alignas(16) uint8_t h2[WIRE_H2_BYTES];
static uint8_t frame[WIRE_FRAME_BYTES], control[FRAME_MAX];
static uint8_t how;
static bool genuine; /* the peer proved who it is */
static int hellos, judges, welcomes, refusals, others;
static int pings, said[32];
static struct witness witness;
static struct chan chans[CHANS];

static bool is(enum how bit)
{
    return (how & bit) != 0;
}

static int64_t wall(void)
{
    return 0;
}

static void entropy(struct span out)
{
    memset(out.ptr, 7, out.len);
}

/* ---- what the owner is told --------------------------------------------------- */

static void on_hello(void *ctx, const msg_hello *h)
{
    (void)ctx;
    assert(hellos++ == 0 && judges == 0);
    assert(strlen(h->software) < sizeof(h->software));
}

/* No signature that fits can be guessed. */
static void on_judge(void *ctx, const msg_proof *p)
{
    msg_welcome w = cmdop_agent_v1_Welcome_init_zero;
    (void)ctx;
    (void)p;
    assert(hellos == 1 && judges++ == 0);
    assert(ln.role == cmdop_agent_v1_Role_ROLE_OPERATOR ||
           (ln.role == cmdop_agent_v1_Role_ROLE_MACHINE && genuine));
    if (is(REFUSES))
        link_refuse(&ln, cmdop_agent_v1_Code_CODE_AUTH, "no", "", 0);
    else if (!is(LATER))
        link_welcome(&ln, &w);
}

static void on_welcomed(void *ctx, const msg_welcome *w)
{
    (void)ctx;
    assert(genuine && said[MSG_PROOF] <= 1 && welcomes++ == 0);
    assert(strlen(w->name) < sizeof(w->name));
}

static void on_refused(void *ctx, const msg_refuse *r)
{
    (void)ctx;
    assert(is(INITIATOR) && refusals++ == 0);
    assert(strlen(r->message) < sizeof(r->message));
}

static bool in(void)
{
    return ln.state == LINK_OPEN && (is(INITIATOR) ? welcomes : judges) == 1;
}

static void on_heartbeat(void *ctx, const msg_heartbeat *b)
{
    (void)ctx;
    (void)b;
    others++;
    assert(in() && !is(INITIATOR));
}

static void on_drain(void *ctx, const msg_drain *d)
{
    (void)ctx;
    (void)d;
    others++;
    assert(in() && is(INITIATOR));
}

/* Channels that swallow what comes and say nothing. */
static int chan_data(void *ctx, uint32_t stream, uint64_t off,
                     struct view bytes, bool fin)
{
    struct chan *c = ctx;
    (void)fin;
    others++;
    assert(in() && c->state == CHAN_OPEN);
    chan_used(c, stream, off + bytes.len, off + bytes.len);
    return OK;
}

static void chan_told(void *ctx, const msg_event *event)
{
    (void)ctx;
    (void)event;
    others++;
    assert(in());
}

static void chan_closed(void *ctx, const msg_close *end)
{
    (void)ctx;
    others++;
    assert(end == NULL || in());
}

static struct view chan_peek(void *ctx, uint32_t stream, uint64_t *off,
                             bool *fin)
{
    (void)ctx;
    (void)stream;
    (void)off;
    *fin = false;
    return VIEW_NONE;
}

static const struct chan_ops chan_ops = {.data = chan_data,
                                         .event = chan_told,
                                         .closed = chan_closed,
                                         .peek = chan_peek};

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    msg_accept a = cmdop_agent_v1_Accept_init_zero;
    (void)ctx;
    (void)params;
    others++;
    assert(in());
    for (int i = 0; i < CHANS; i++) {
        if (chans[i].state != CHAN_FREE || (open->channel & 4) == 0)
            continue;
        chan_init(&chans[i], &chan_ops, &chans[i], 1, 300, false);
        (void)chan_accept(&ln.mux, &chans[i], open, &a);
        return;
    }
    (void)mux_reject(&ln.mux, open->channel, cmdop_agent_v1_Code_CODE_DENIED,
                     "no", "");
}

static void on_gone(void *ctx, uint32_t number, const msg_close *end)
{
    (void)ctx;
    (void)number;
    (void)end;
    others++;
    assert(in());
}

static void on_wake(void *ctx)
{
    (void)ctx;
}

static const struct link_host host = {&relay_key, wall, entropy, NULL};
static const struct link_ops ops = {.hello = on_hello,
                                    .judge = on_judge,
                                    .welcomed = on_welcomed,
                                    .refused = on_refused,
                                    .heartbeat = on_heartbeat,
                                    .drain = on_drain,
                                    .open = on_open,
                                    .gone = on_gone,
                                    .wake = on_wake};

/* ---- what is said -------------------------------------------------------------- */

static void check_said(int kind)
{
    assert(kind > 0 && kind < 32 && said[MSG_REFUSE] == 0);
    said[kind]++;
    switch (kind) {
    case MSG_HELLO:
        assert(is(INITIATOR) && said[kind] == 1 && witness.said == 1);
        return;
    case MSG_CHALLENGE:
        assert(!is(INITIATOR) && said[kind] == 1 && hellos == 1);
        return;
    case MSG_PROOF: assert(is(INITIATOR) && said[kind] == 1 && genuine); return;
    case MSG_WELCOME:
        assert(!is(INITIATOR) && said[kind] == 1 && judges == 1);
        return;
    case MSG_REFUSE: assert(!is(INITIATOR)); return;
    case MSG_PONG: assert(said[kind] <= pings); break;
    default: assert(kind >= MSG_OPEN); break;
    }
    assert(is(INITIATOR) ? welcomes == 1 : said[MSG_WELCOME] == 1);
}

static void let_out(void)
{
    static uint8_t out[16384];
    size_t n;
    while ((n = mux_pull(&ln.mux, SPAN_ARRAY(out))) > 0)
        witness_said(&witness, view_of(out, n));
}

/* ---- what comes ------------------------------------------------------------------ */

/* Section 5. */
static bool may_come(int kind)
{
    bool known = (kind >= MSG_HELLO && kind <= MSG_HEARTBEAT) ||
                 (kind >= MSG_OPEN && kind <= MSG_CLOSE);
    switch (ln.state) {
    case LINK_HELLO: return kind == MSG_HELLO;
    case LINK_PROOF: return kind == MSG_PROOF;
    case LINK_CHALLENGE: return kind == MSG_CHALLENGE || kind == MSG_REFUSE;
    case LINK_WELCOME: return kind == MSG_WELCOME || kind == MSG_REFUSE;
    case LINK_OPEN: break;
    case LINK_FREE:
    case LINK_OPENING:
    case LINK_JUDGE:
    case LINK_CLOSED:
    case LINK_STATES: return false;
    }
    if (!known || kind >= MSG_OPEN || kind == MSG_PING || kind == MSG_PONG)
        return true;
    return is(INITIATOR) ? kind == MSG_DRAIN || kind == MSG_REFUSE
                         : kind == MSG_HEARTBEAT;
}

static int told(void)
{
    return hellos + judges + welcomes + refusals + others;
}

/* As the wire would hand it over. */
static int hear(struct view message, bool lets_out)
{
    int kind = 0, before = told();
    struct view body;
    enum link_state state = ln.state;
    size_t queued = ln.mux.control_len;
    bool may = msg_split(message, &kind, &body) == OK && may_come(kind);
    pings += may && kind == MSG_PING;
    int err = ln.wire.ops->message(ln.wire.ctx, message);
    if (err != OK)
        wire_fail(&ln.wire, err);
    if (!may) { /* nothing was done, and on a link that lives it is an error */
        assert((err == OK) == (state == LINK_CLOSED));
        assert(told() == before && ln.state == state);
        assert(ln.mux.control_len == queued);
    }
    assert(strlen(link_why(&ln)) < sizeof(ln.why));
    assert(err == OK || link_why(&ln)[0] != '\0');
    if (err == OK && may && kind >= MSG_OPEN && kind <= MSG_CLOSE)
        witness_heard(&witness, kind, body);
    if (lets_out)
        let_out();
    return err;
}

static void say(int kind, const pb_msgdesc_t *fields, const void *msg)
{
    uint8_t buf[1024];
    int n = msg_encode(SPAN_ARRAY(buf), kind, fields, msg);
    assert(n > 0);
    int err = hear(view_of(buf, (size_t)n), true);
    assert(err == OK);
}

/* ---- peers of good manners --------------------------------------------------------- */

static void say_hello(void)
{
    msg_hello hello = {.version_min = 1, .version_max = 1};
    hello.role = is(AS_OPERATOR) ? cmdop_agent_v1_Role_ROLE_OPERATOR
                                 : cmdop_agent_v1_Role_ROLE_MACHINE;
    say(MSG_HELLO, cmdop_agent_v1_Hello_fields, &hello);
    assert(hellos == 1 && said[MSG_CHALLENGE] == 1);
}

static void say_proof(void)
{
    msg_proof proof = cmdop_agent_v1_Proof_init_zero;
    struct proof_machine p = {.hello = VIEW_ARRAY(ln.hello_digest),
                              .challenge = VIEW_ARRAY(ln.challenge_digest),
                              .machine_key = VIEW_ARRAY(machine_key.pub)};
    if (!is(AS_OPERATOR)) {
        memcpy(proof.machine_key.bytes, machine_key.pub, SIGN_PUB_LEN);
        proof.machine_key.size = SIGN_PUB_LEN;
        proof_machine_sign(&p, &machine_key, proof.signature.bytes);
        proof.signature.size = SIGN_LEN;
        genuine = true;
    }
    say(MSG_PROOF, cmdop_agent_v1_Proof_fields, &proof);
    genuine = false; /* what comes later is somebody else's */
    assert(judges == 1);
}

static void say_challenge(void)
{
    msg_challenge c = {.version = 1};
    struct proof_relay p = {.hello = VIEW_ARRAY(ln.hello_digest),
                            .nonce = VIEW_ARRAY(c.nonce),
                            .relay_key = VIEW_ARRAY(c.relay_key),
                            .version = 1};
    memcpy(c.relay_key, relay_key.pub, sizeof(c.relay_key));
    proof_relay_sign(&p, &relay_key, c.signature);
    genuine = true;
    say(MSG_CHALLENGE, cmdop_agent_v1_Challenge_fields, &c);
    assert(said[MSG_PROOF] == 1);
}

static void say_welcome(void)
{
    msg_welcome w = cmdop_agent_v1_Welcome_init_zero;
    STR_COPY(w.name, "web-1");
    say(MSG_WELCOME, cmdop_agent_v1_Welcome_fields, &w);
    assert(welcomes == 1 && ln.state == LINK_OPEN);
}

static void begin(void)
{
    static const uint8_t relay_seed[SIGN_SEED_LEN] = {1};
    static const uint8_t machine_seed[SIGN_SEED_LEN] = {2};
    static struct link_credential credential;
    static msg_hello hello = {.version_min = 1, .version_max = 1};
    struct link_mem mem = {
        .wire = {.h2 = SPAN_ARRAY(h2), .frame = SPAN_ARRAY(frame)},
        .control = SPAN_ARRAY(control)};
    sign_keypair_from_seed(relay_seed, &relay_key);
    sign_keypair_from_seed(machine_seed, &machine_key);
    credential = (struct link_credential){.hello = &hello, .entropy = entropy};
    credential.pin = is(LOCAL) ? NULL : relay_key.pub;
    credential.machine = is(AS_OPERATOR) ? NULL : &machine_key;
    credential.token = is(AS_OPERATOR) ? "token" : NULL;
    credential.join_key = is(AS_OPERATOR) ? NULL : "cmdop_enroll_x";
    genuine = false;
    hellos = judges = welcomes = refusals = others = pings = 0;
    memset(said, 0, sizeof(said));
    memset(chans, 0, sizeof(chans));
    int err =
        is(INITIATOR)
            ? link_dialed(&ln, 0, &mem, NULL, "relay", &credential, &ops, NULL)
            : link_accepted(&ln, 0, &mem, NULL, &host, CHANS, &ops, NULL);
    assert(err == OK);
    witness_init(&witness, is(INITIATOR));
    witness.each = check_said;
    ln.wire.ops->opened(ln.wire.ctx);
    let_out();
}

static void good_manners(void)
{
    if (!is(SAYS_HELLO))
        return;
    if (is(INITIATOR))
        say_challenge();
    else
        say_hello();
    if (!is(SAYS_PROOF))
        return;
    if (is(INITIATOR))
        say_welcome();
    else
        say_proof();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader left = {view_of(data, size)};
    struct view message;
    uint16_t len;
    if (read_u8(&left, &how) != OK || h2_prepare() != OK)
        return 0;
    begin();
    good_manners();
    for (int n = 0; n < MESSAGES_MAX && read_u16(&left, &len) == OK &&
                    (len & 0x7FFF) <= left.left.len &&
                    read_bytes(&left, len & 0x7FFF, &message) == OK;
         n++)
        if (hear(message, (len & 0x8000) == 0) < 0)
            break;
    let_out();
    link_free(&ln);
    assert(ln.mux.count == 0 && ln.state == LINK_FREE);
    return 0;
}
