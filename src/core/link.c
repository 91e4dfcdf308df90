/*
 * The link; see link.h. Everything that arrives passes on_message: allowed in
 * this state, or the link ends. Both digests of the transcript are taken over
 * the bytes as they stood on the wire.
 */
#include "core/link.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "limits.h"

static const char *const state_names[LINK_STATES] = {
    [LINK_FREE] = "free",     [LINK_OPENING] = "opening",
    [LINK_HELLO] = "hello",   [LINK_CHALLENGE] = "challenge",
    [LINK_PROOF] = "proof",   [LINK_WELCOME] = "welcome",
    [LINK_JUDGE] = "judge",   [LINK_OPEN] = "open",
    [LINK_CLOSED] = "closed",
};

#define BIT(kind) (UINT32_C(1) << (kind))
#define HANDSHAKE \
    (BIT(MSG_HELLO) | BIT(MSG_CHALLENGE) | BIT(MSG_PROOF) | BIT(MSG_WELCOME))

/* What may come, by state; those before OPEN belong to one role each. */
static const uint32_t allowed[LINK_STATES] = {
    [LINK_HELLO] = BIT(MSG_HELLO),
    [LINK_CHALLENGE] = BIT(MSG_CHALLENGE) | BIT(MSG_REFUSE),
    [LINK_PROOF] = BIT(MSG_PROOF),
    [LINK_WELCOME] = BIT(MSG_WELCOME) | BIT(MSG_REFUSE),
};

/* In OPEN, what may not: the handshake, and what only the other role says.
 * Kinds that we do not know come from a newer peer and are ignored. */
static const uint32_t forbidden_open[2] = {
    [false] = HANDSHAKE | BIT(MSG_REFUSE) | BIT(MSG_DRAIN),
    [true] = HANDSHAKE | BIT(MSG_HEARTBEAT),
};

bool link_allowed(enum link_state state, bool initiator, int kind)
{
    bool known = kind >= 1 && kind <= 31;
    if (state == LINK_OPEN)
        return !known || (forbidden_open[initiator] & BIT(kind)) == 0;
    return known && (allowed[state] & BIT(kind)) != 0;
}

/* The only assignment to the state. */
static void enter(struct link *l, enum link_state to)
{
    char line[64];
    struct text t;
    TEXT_OF(&t, line);
    text_join(&t, state_names[l->state], " -> ", state_names[to], NULL);
    log_debug("link", line);
    l->state = to;
}

void link_fail(struct link *l, int err, const char *why)
{
    if (l->why[0] == '\0')
        STR_COPY(l->why, why);
    wire_fail(&l->wire, err);
}

static int broken(struct link *l, const char *why)
{
    if (l->why[0] == '\0')
        STR_COPY(l->why, why);
    return ERR_PROTO;
}

static struct view binding(const struct link *l)
{
    if (l->wire.has_tls)
        return view_of(tls_end_point(&l->wire.tls), 32);
    if (!l->initiator && l->host->binding != NULL)
        return view_of(l->host->binding, 32);
    return VIEW_NONE;
}

int link_send(struct link *l, int kind, const pb_msgdesc_t *fields,
              const void *msg)
{
    return mux_send(&l->mux, kind, fields, msg);
}

/* The digest of the message that was queued last: the control queue holds
 * nothing else during the handshake. */
static void digest_queued(const struct link *l, uint8_t out[32])
{
    const struct mux *m = &l->mux;
    hash_once(view_from(view_of(m->control.ptr, m->control_len),
                        m->control_off + GRPCFRAME_HEAD),
              out);
}

/* ---- initiator ------------------------------------------------------------------ */

static void send_hello(struct link *l)
{
    msg_hello hello = *l->credential->hello;
    hello.nonce.size = sizeof(hello.nonce.bytes);
    l->credential->entropy(SPAN_ARRAY(hello.nonce.bytes));
    enter(l, LINK_CHALLENGE);
    int err = link_send(l, MSG_HELLO, cmdop_agent_v1_Hello_fields, &hello);
    assert(err == OK);
    digest_queued(l, l->hello_digest);
}

static struct proof_relay relay_proof(const struct link *l,
                                      const msg_challenge *c)
{
    return (struct proof_relay){.hello = VIEW_ARRAY(l->hello_digest),
                                .nonce = VIEW_ARRAY(c->nonce),
                                .relay_key = VIEW_ARRAY(c->relay_key),
                                .relay_time_ms = c->relay_time_ms,
                                .version = c->version,
                                .binding = binding(l)};
}

static struct proof_machine
machine_proof(const struct link *l, const msg_proof *proof, struct view key)
{
    return (struct proof_machine){
        .hello = VIEW_ARRAY(l->hello_digest),
        .challenge = VIEW_ARRAY(l->challenge_digest),
        .binding = binding(l),
        .machine_key = key,
        .join_key = view_str(proof->join_key),
        .name = view_str(proof->name),
        .next_key = view_of(proof->next_key.bytes, proof->next_key.size),
    };
}

/* The relay must hold the pinned key, and that key must have signed this
 * very TLS connection, before anything secret is said. */
static int check_relay(struct link *l, const msg_challenge *c)
{
    const uint8_t *pin = l->credential->pin;
    struct proof_relay p = relay_proof(l, c);
    return proof_relay_verify(&p, pin == NULL ? p.relay_key : view_of(pin, 32),
                              VIEW_ARRAY(c->signature));
}

/* Everything else in it is filled in. */
static void sign_proof(const struct link *l, msg_proof *proof)
{
    const struct link_credential *cred = l->credential;
    struct view key = VIEW_ARRAY(cred->machine->pub);
    struct proof_machine p = machine_proof(l, proof, key);
    proof->machine_key.size = (pb_size_t)key.len;
    memcpy(proof->machine_key.bytes, key.ptr, key.len);
    proof->signature.size = SIGN_LEN;
    proof_machine_sign(&p, cred->machine, proof->signature.bytes);
    if (cred->next == NULL)
        return;
    proof->next_signature.size = SIGN_LEN;
    proof_next_sign(&p, cred->next, proof->next_signature.bytes);
}

static void fill_proof(struct link *l, msg_proof *proof)
{
    const struct link_credential *cred = l->credential;
    if (cred->token != NULL)
        STR_COPY(proof->token, cred->token);
    if (cred->machine == NULL)
        return;
    if (cred->join_key != NULL)
        STR_COPY(proof->join_key, cred->join_key);
    if (cred->name != NULL)
        STR_COPY(proof->name, cred->name);
    if (cred->instance != NULL) {
        proof->instance.size = sizeof(proof->instance.bytes);
        memcpy(proof->instance.bytes, cred->instance, proof->instance.size);
        proof->epoch = cred->epoch;
    }
    if (cred->next != NULL) {
        proof->next_key.size = SIGN_PUB_LEN;
        memcpy(proof->next_key.bytes, cred->next->pub, SIGN_PUB_LEN);
        memcpy(l->next_shown, cred->next->pub, SIGN_PUB_LEN);
    }
    sign_proof(l, proof);
}

/* Another key; or the right one on a connection that it does not vouch for. */
static int not_the_relay(struct link *l, const msg_challenge *c, int err)
{
    char pinned[SIGN_FINGERPRINT_CAP], shown[SIGN_FINGERPRINT_CAP];
    char buf[512];
    struct text why;
    if (err != ERR_PIN) {
        broken(l, "the relay's key does not vouch for the certificate seen "
                  "here: something between ends TLS. If that is the relay's "
                  "own proxy, its owner names the proxy's certificate in "
                  "server.yaml (proxy.certificate)");
        return ERR_PIN;
    }
    sign_fingerprint(l->credential->pin, pinned);
    sign_fingerprint(c->relay_key, shown);
    TEXT_OF(&why, buf);
    text_join(&why, "the relay is not the one that was pinned: its key is ",
              shown, ", not ", pinned,
              ". It was set up anew, or somebody stands between: run `cmdop "
              "join` or `cmdop login` again only with a new join string from "
              "its owner",
              NULL);
    broken(l, buf);
    return ERR_PIN;
}

static int on_challenge(struct link *l, struct view frame, struct view body)
{
    msg_challenge c = cmdop_agent_v1_Challenge_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Challenge_fields, &c) != OK)
        return broken(l, "the relay's Challenge does not parse");
    if (c.version < PROTO_VERSION_MIN || c.version > PROTO_VERSION_MAX) {
        broken(l, "the relay chose a protocol version this program does not "
                  "know; update cmdop on this machine");
        return ERR_VERSION;
    }
    int err = check_relay(l, &c);
    if (err != OK)
        return not_the_relay(l, &c, err);
    memcpy(l->relay_key, c.relay_key, sizeof(l->relay_key));
    hash_once(frame, l->challenge_digest);
    l->peer_time_ms = c.relay_time_ms;
    msg_proof proof = cmdop_agent_v1_Proof_init_zero;
    fill_proof(l, &proof);
    enter(l, LINK_WELCOME);
    return link_send(l, MSG_PROOF, cmdop_agent_v1_Proof_fields, &proof);
}

static int on_welcome(struct link *l, struct view body)
{
    msg_welcome welcome = cmdop_agent_v1_Welcome_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Welcome_fields, &welcome) != OK)
        return broken(l, "the Welcome does not parse");
    l->peer_time_ms = welcome.server_time_ms;
    enter(l, LINK_OPEN);
    l->ops->welcomed(l->ctx, &welcome);
    return OK;
}

static int on_refuse(struct link *l, struct view body)
{
    msg_refuse refuse = cmdop_agent_v1_Refuse_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Refuse_fields, &refuse) != OK)
        return broken(l, "the refusal does not parse");
    char safe[256];
    struct text t;
    TEXT_OF(&t, safe);
    text_safe(&t, view_str(refuse.message));
    if (refuse.remedy[0] != '\0') {
        text_str(&t, "; ");
        text_safe(&t, view_str(refuse.remedy));
    }
    bytes_to_str(l->why, sizeof(l->why), text_done(&t));
    l->ops->refused(l->ctx, &refuse);
    return ERR_AUTH;
}

/* ---- acceptor ------------------------------------------------------------------- */

static void refuse_version(struct link *l)
{
    link_refuse(l, cmdop_agent_v1_Code_CODE_VERSION,
                "no protocol version is common to both sides",
                "update the older of the two programs", 0);
}

static int send_challenge(struct link *l)
{
    const struct link_host *host = l->host;
    msg_challenge c = cmdop_agent_v1_Challenge_init_zero;
    host->entropy(SPAN_ARRAY(c.nonce));
    memcpy(c.relay_key, host->key->pub, sizeof(c.relay_key));
    c.relay_time_ms = host->wall_ms();
    c.version = l->version;
    struct proof_relay p = relay_proof(l, &c);
    proof_relay_sign(&p, host->key, c.signature);
    enter(l, LINK_PROOF);
    int err = link_send(l, MSG_CHALLENGE, cmdop_agent_v1_Challenge_fields, &c);
    if (err == OK)
        digest_queued(l, l->challenge_digest);
    return err;
}

static int on_hello(struct link *l, struct view frame, struct view body)
{
    msg_hello hello = cmdop_agent_v1_Hello_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Hello_fields, &hello) != OK)
        return broken(l, "the Hello does not parse");
    if (hello.role != cmdop_agent_v1_Role_ROLE_MACHINE &&
        hello.role != cmdop_agent_v1_Role_ROLE_OPERATOR)
        return broken(l, "the Hello names no known role");
    if (hello.version_min > PROTO_VERSION_MAX ||
        hello.version_max < PROTO_VERSION_MIN ||
        hello.version_min > hello.version_max) {
        refuse_version(l);
        return OK;
    }
    hash_once(frame, l->hello_digest);
    l->role = hello.role;
    l->version = hello.version_max < PROTO_VERSION_MAX ? hello.version_max
                                                       : PROTO_VERSION_MAX;
    l->ops->hello(l->ctx, &hello);
    return send_challenge(l);
}

static bool machine_proven(const struct link *l, const msg_proof *proof)
{
    struct view key =
        view_of(proof->machine_key.bytes, proof->machine_key.size);
    struct view sig = view_of(proof->signature.bytes, proof->signature.size);
    struct view next_sig =
        view_of(proof->next_signature.bytes, proof->next_signature.size);
    struct proof_machine p = machine_proof(l, proof, key);
    if (p.next_key.len == 0 && next_sig.len > 0)
        return false;
    return proof_machine_verify(&p, sig) == OK &&
           (p.next_key.len == 0 || proof_next_verify(&p, next_sig) == OK);
}

/* An instance is whole or absent; without one there is no lease. */
static bool lease_fits(const msg_proof *proof)
{
    size_t size = proof->instance.size;
    return size == sizeof(proof->instance.bytes) ||
           (size == 0 && proof->epoch == 0);
}

static int on_proof(struct link *l, struct view body)
{
    msg_proof proof = cmdop_agent_v1_Proof_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Proof_fields, &proof) != OK)
        return broken(l, "the Proof does not parse");
    if (l->role == cmdop_agent_v1_Role_ROLE_MACHINE && !lease_fits(&proof))
        return broken(l, "the Proof names no whole instance");
    enter(l, LINK_JUDGE);
    if (l->role == cmdop_agent_v1_Role_ROLE_MACHINE &&
        !machine_proven(l, &proof)) {
        link_refuse(l, cmdop_agent_v1_Code_CODE_AUTH,
                    "the machine's signature does not fit its key and this "
                    "connection",
                    "if something terminates TLS between machine and relay, "
                    "take it away",
                    0);
        return OK;
    }
    l->ops->judge(l->ctx, &proof);
    return OK;
}

void link_welcome(struct link *l, msg_welcome *welcome)
{
    assert(l->state == LINK_JUDGE);
    welcome->frame_max = FRAME_MAX;
    welcome->channels_max = l->channels_max;
    welcome->heartbeat_ms = HEARTBEAT_MS;
    welcome->server_time_ms = l->host->wall_ms();
    enter(l, LINK_OPEN);
    if (link_send(l, MSG_WELCOME, cmdop_agent_v1_Welcome_fields, welcome) != OK)
        link_fail(l, ERR_FULL, "no room for the Welcome");
}

void link_refuse(struct link *l, msg_code code, const char *message,
                 const char *remedy, uint32_t retry_after_ms)
{
    msg_refuse r = {.code = code, .retry_after_ms = retry_after_ms};
    STR_COPY(r.message, message);
    STR_COPY(r.remedy, remedy);
    if (l->why[0] == '\0')
        STR_COPY(l->why, message);
    if (link_send(l, MSG_REFUSE, cmdop_agent_v1_Refuse_fields, &r) != OK)
        link_fail(l, ERR_FULL, "no room for the refusal");
    else
        wire_end(&l->wire, GRPC_OK, "");
    enter(l, LINK_CLOSED);
}

/* ---- both ends -------------------------------------------------------------------- */

static int on_ping(struct link *l, struct view body)
{
    msg_ping ping = cmdop_agent_v1_Ping_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Ping_fields, &ping) != OK)
        return broken(l, "a Ping does not parse");
    /* A full queue is answered by the next ping. */
    (void)link_send(l, MSG_PONG, cmdop_agent_v1_Ping_fields, &ping);
    return OK;
}

static int on_pong(struct link *l, struct view body)
{
    msg_ping pong = cmdop_agent_v1_Ping_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Ping_fields, &pong) != OK)
        return broken(l, "a Pong does not parse");
    if (l->ops->pong != NULL)
        l->ops->pong(l->ctx, &pong);
    return OK;
}

static int on_heartbeat(struct link *l, struct view body)
{
    msg_heartbeat beat = cmdop_agent_v1_Heartbeat_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Heartbeat_fields, &beat) != OK)
        return broken(l, "a Heartbeat does not parse");
    if (l->ops->heartbeat != NULL)
        l->ops->heartbeat(l->ctx, &beat);
    return OK;
}

static int on_drain(struct link *l, struct view body)
{
    msg_drain drain = cmdop_agent_v1_Drain_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Drain_fields, &drain) != OK)
        return broken(l, "a Drain does not parse");
    if (l->ops->drain != NULL)
        l->ops->drain(l->ctx, &drain);
    return OK;
}

static int on_channel(struct link *l, int kind, struct view body)
{
    const char *why = "";
    int err = mux_message(&l->mux, kind, body, &why);
    return err == OK ? OK : broken(l, why);
}

static int dispatch(struct link *l, int kind, struct view frame,
                    struct view body)
{
    switch (kind) {
    case MSG_HELLO: return on_hello(l, frame, body);
    case MSG_CHALLENGE: return on_challenge(l, frame, body);
    case MSG_PROOF: return on_proof(l, body);
    case MSG_WELCOME: return on_welcome(l, body);
    case MSG_REFUSE: return on_refuse(l, body);
    case MSG_PING: return on_ping(l, body);
    case MSG_PONG: return on_pong(l, body);
    case MSG_DRAIN: return on_drain(l, body);
    case MSG_HEARTBEAT: return on_heartbeat(l, body);
    default: /* channels, and kinds of a newer peer */
        return on_channel(l, kind, body);
    }
}

static int not_allowed(struct link *l, int kind)
{
    char why[96];
    struct text t;
    TEXT_OF(&t, why);
    text_str(&t, "message kind ");
    text_u64(&t, (uint64_t)kind);
    text_join(&t, " is not allowed in state ", state_names[l->state], NULL);
    return broken(l, why);
}

static int on_message(void *ctx, struct view frame)
{
    struct link *l = ctx;
    int kind;
    struct view body;
    l->heard = true;
    if (l->state == LINK_CLOSED)
        return OK; /* refused or ending: what still comes is dropped */
    if (msg_split(frame, &kind, &body) != OK)
        return broken(l, "a message is not a Frame with one field");
    if (!link_allowed(l->state, l->initiator, kind))
        return not_allowed(l, kind);
    return dispatch(l, kind, frame, body);
}

static void on_opened(void *ctx)
{
    struct link *l = ctx;
    if (l->initiator) {
        send_hello(l);
        return;
    }
    enter(l, LINK_HELLO);
    if (l->ops->called != NULL)
        l->ops->called(l->ctx);
}

static void on_field(void *ctx, struct view name, struct view value)
{
    struct link *l = ctx;
    if (l->ops->field != NULL)
        l->ops->field(l->ctx, name, value);
}

static size_t on_pull(void *ctx, struct span out)
{
    struct link *l = ctx;
    return mux_pull(&l->mux, out);
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct link *l = ctx;
    l->ops->open(l->ctx, open, params);
}

static void on_wake(void *ctx)
{
    struct link *l = ctx;
    l->ops->wake(l->ctx);
}

static const struct wire_ops wire_ops = {
    .opened = on_opened,
    .message = on_message,
    .pull = on_pull,
    .field = on_field,
};

static void on_gone(void *ctx, uint32_t number, const msg_close *end)
{
    struct link *l = ctx;
    if (l->ops->gone != NULL)
        l->ops->gone(l->ctx, number, end);
}

static const struct mux_ops mux_ops = {
    .open = on_open, .wake = on_wake, .gone = on_gone};

/* Fields one by one: a whole-struct assignment would touch pages that an
 * idle connection never needs. */
static void start(struct link *l, bool initiator, const struct link_mem *mem,
                  const struct link_ops *ops, void *ctx, uint32_t channels_max)
{
    assert(l->state == LINK_FREE);
    l->ops = ops;
    l->ctx = ctx;
    l->initiator = initiator;
    l->heard = false;
    l->peer_time_ms = 0;
    memset(l->next_shown, 0, sizeof(l->next_shown));
    l->role = cmdop_agent_v1_Role_ROLE_UNSPECIFIED;
    l->version = 0;
    l->why[0] = '\0';
    l->channels_max = channels_max;
    l->credential = NULL;
    l->host = NULL;
    mux_init(&l->mux, mem->control, initiator, channels_max, &mux_ops, l);
    enter(l, LINK_OPENING);
}

int link_dialed(struct link *l, int handle, const struct link_mem *mem,
                const struct tls_client_cfg *tls, const char *authority,
                const struct link_credential *credential,
                const struct link_ops *ops, void *ctx)
{
    /* Somebody must vouch for the far end: a pin, or an authority. */
    assert(tls == NULL || credential->pin != NULL || tls->anchors != NULL);
    start(l, true, mem, ops, ctx, UINT32_MAX);
    l->credential = credential;
    return wire_client(&l->wire, handle, &mem->wire, tls, authority, &wire_ops,
                       l);
}

int link_accepted(struct link *l, int handle, const struct link_mem *mem,
                  const struct tls_server_cfg *tls,
                  const struct link_host *host, uint32_t channels_max,
                  const struct link_ops *ops, void *ctx)
{
    start(l, false, mem, ops, ctx, channels_max);
    l->host = host;
    return wire_server(&l->wire, handle, &mem->wire, tls, &wire_ops, l);
}

void link_turn(struct link *l, uint8_t ready, struct span scratch)
{
    wire_turn(&l->wire, ready, scratch);
}

void link_push(struct link *l)
{
    if (l->state != LINK_FREE)
        wire_push(&l->wire);
}

bool link_over(const struct link *l)
{
    return l->state != LINK_FREE && l->wire.state == WIRE_CLOSED;
}

const char *link_why(const struct link *l)
{
    if (l->why[0] != '\0')
        return l->why;
    return l->wire.err == OK ? "" : wire_why(&l->wire);
}

void link_end(struct link *l)
{
    if (l->state == LINK_FREE || l->state == LINK_CLOSED)
        return;
    wire_end(&l->wire, GRPC_OK, "");
    enter(l, LINK_CLOSED);
}

void link_free(struct link *l)
{
    if (l->state == LINK_FREE)
        return;
    enter(l, LINK_CLOSED);
    mux_lost(&l->mux);
    wire_free(&l->wire);
    enter(l, LINK_FREE);
}
