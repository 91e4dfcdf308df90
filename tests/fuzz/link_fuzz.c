/*
 * A listening end that hears anything. The first byte chooses how far a
 * well-behaved peer has come before; then messages follow, each behind its
 * length (two bytes). Nobody is let in without having said Hello and Proof,
 * and a machine not without a signature.
 */
#include "core/link.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "limits.h"

enum how {
    SAYS_HELLO = 1,
    AS_OPERATOR = 2,
    SAYS_PROOF = 4, /* an operator's: any token will do here */
    LATER = 8,      /* the judge takes his time */
};

static struct link ln;
static struct sign_key key;
static _Alignas(16) uint8_t h2[WIRE_H2_BYTES];
static uint8_t frame[WIRE_FRAME_BYTES], control[LINK_CONTROL_BYTES];
static int hellos, judges;
static uint8_t how;

static int64_t wall(void)
{
    return 0;
}

static void entropy(struct span out)
{
    memset(out.ptr, 7, out.len);
}

static void on_hello(void *ctx, const msg_hello *h)
{
    (void)ctx;
    assert(hellos++ == 0);
    assert(strlen(h->software) < sizeof(h->software));
}

static void on_judge(void *ctx, const msg_proof *p)
{
    msg_welcome w = cmdop_agent_v1_Welcome_init_zero;
    (void)ctx;
    assert(hellos == 1 && judges++ == 0);
    /* The only signature that fits is one made with a key of his own; none
     * can be in a corpus, for the nonce of this test is always the same and
     * the Hello his. */
    assert(ln.role == cmdop_agent_v1_Role_ROLE_OPERATOR ||
           p->machine_key.size == 32);
    if ((how & LATER) == 0)
        link_welcome(&ln, &w);
}

static void on_heartbeat(void *ctx, const msg_heartbeat *b)
{
    (void)ctx;
    (void)b;
    assert(judges == 1 && ln.state == LINK_OPEN);
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    (void)ctx;
    (void)params;
    assert(judges == 1 && ln.state == LINK_OPEN);
    (void)mux_reject(&ln.mux, open->channel, cmdop_agent_v1_Code_CODE_DENIED,
                     "no", "");
}

static void on_wake(void *ctx)
{
    (void)ctx;
}

static const struct link_host host = {&key, wall, entropy};
static const struct link_ops ops = {.hello = on_hello,
                                    .judge = on_judge,
                                    .heartbeat = on_heartbeat,
                                    .open = on_open,
                                    .wake = on_wake};

/* As the wire would hand it over. */
static int hear(struct view message)
{
    static uint8_t out[16384];
    int err = ln.wire.ops->message(ln.wire.ctx, message);
    while (mux_pull(&ln.mux, SPAN_ARRAY(out)) > 0)
        continue;
    assert(strlen(link_why(&ln)) < sizeof(ln.why));
    assert(err == OK || link_why(&ln)[0] != '\0');
    return err;
}

static void say(int kind, const pb_msgdesc_t *fields, const void *msg)
{
    uint8_t buf[1024];
    int n = msg_encode(SPAN_ARRAY(buf), kind, fields, msg);
    assert(n > 0);
    int err = hear(view_of(buf, (size_t)n));
    assert(err == OK);
}

static void begin(void)
{
    static const uint8_t seed[SIGN_SEED_LEN] = {1};
    struct link_mem mem = {
        .wire = {.h2 = SPAN_ARRAY(h2), .frame = SPAN_ARRAY(frame)},
        .control = SPAN_ARRAY(control)};
    msg_hello hello = {.version_min = 1, .version_max = 1};
    msg_proof proof = cmdop_agent_v1_Proof_init_zero;
    sign_keypair_from_seed(seed, &key);
    hellos = judges = 0;
    int err = link_accepted(&ln, 0, &mem, NULL, &host, 16, &ops, NULL);
    assert(err == OK);
    ln.wire.ops->opened(ln.wire.ctx);
    hello.role = (how & AS_OPERATOR) != 0 ? cmdop_agent_v1_Role_ROLE_OPERATOR
                                          : cmdop_agent_v1_Role_ROLE_MACHINE;
    if ((how & SAYS_HELLO) == 0)
        return;
    say(MSG_HELLO, cmdop_agent_v1_Hello_fields, &hello);
    if ((how & SAYS_PROOF) != 0 && (how & AS_OPERATOR) != 0)
        say(MSG_PROOF, cmdop_agent_v1_Proof_fields, &proof);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = {view_of(data, size)};
    struct view message;
    uint16_t len;
    if (read_u8(&in, &how) != OK || h2_prepare() != OK)
        return 0;
    begin();
    while (read_u16(&in, &len) == OK && len <= in.left.len &&
           read_bytes(&in, len, &message) == OK)
        if (hear(message) < 0)
            break;
    link_free(&ln);
    assert(ln.mux.count == 0);
    return 0;
}
