/*
 * One end of Mesh.Connect: the handshake, the keep-alive and the channels of
 * a connection (docs/PROTOCOL.md). The same file serves all four ends: an
 * agent or an operator that dials, a relay or an agent's local socket that
 * answers.
 *
 *   initiator   OPENING -> CHALLENGE -> WELCOME ------------> OPEN -> CLOSED
 *               (hello sent) (proof sent)
 *   acceptor    OPENING -> HELLO -> PROOF -> JUDGE ---------> OPEN -> CLOSED
 *               (call there)  (challenge sent) (owner decides)
 *
 * In each state each direction has an allow-list of messages; anything else
 * ends the link (link_allowed, and its test walks every pair).
 */
#ifndef CORE_LINK_H
#define CORE_LINK_H

#include "core/mux.h"
#include "core/proof.h"
#include "transport/wire.h"

enum link_state {
    LINK_FREE,
    LINK_OPENING,   /* TLS and HTTP/2 under way */
    LINK_HELLO,     /* acceptor: waits for Hello */
    LINK_CHALLENGE, /* initiator: Hello sent, waits for Challenge */
    LINK_PROOF,     /* acceptor: Challenge sent, waits for Proof */
    LINK_WELCOME,   /* initiator: Proof sent, waits for Welcome */
    LINK_JUDGE,     /* acceptor: the owner looks the credential up */
    LINK_OPEN,
    LINK_CLOSED,
    LINK_STATES
};

/* What an initiator says and checks. Lives as long as the link. */
struct link_credential {
    const msg_hello *hello;
    const uint8_t *pin; /* relay's key, 32 bytes; NULL: a local socket,
                           or the certificate vouches (core/trust.h) */
    const struct sign_key *machine; /* machines; NULL: an operator */
    const struct sign_key *next;    /* shall replace it; NULL: no change */
    const uint8_t *instance;        /* 16 bytes of this process; NULL: none */
    uint64_t epoch;                 /* the lease, see core/lease.h */
    const char *join_key;           /* to enrol; NULL otherwise */
    const char *name;               /* to enrol */
    const char *token;              /* operators at a relay */
    void (*entropy)(struct span out);
};

/* What an acceptor answers with. */
struct link_host {
    const struct sign_key *key; /* Ed25519, of the relay or the agent */
    int64_t (*wall_ms)(void);
    void (*entropy)(struct span out);
    const uint8_t *binding; /* of connections without TLS: 32 bytes, the digest
                               of the certificate that a proxy shows in front
                               of us; NULL: a local socket, which has none */
};

struct link_ops {
    /* Acceptor: a header field of the request, see h2_ops.field; then the
     * call is there, and link_refuse is possible. Both may be NULL. */
    void (*field)(void *ctx, struct view name, struct view value);
    void (*called)(void *ctx);
    /* Acceptor: who says hello; keep what is needed, nothing is proven. */
    void (*hello)(void *ctx, const msg_hello *hello);
    /* Acceptor: the proof is there and, for a machine, its signatures are
     * right. Decide now or later with link_welcome or link_refuse. */
    void (*judge)(void *ctx, const msg_proof *proof);
    /* Initiator: we are in. */
    void (*welcomed)(void *ctx, const msg_welcome *welcome);
    /* Initiator: the far end refused us; `closed` follows. */
    void (*refused)(void *ctx, const msg_refuse *refuse);
    /* Our Ping was answered. May be NULL. */
    void (*pong)(void *ctx, const msg_ping *pong);
    /* A machine's heartbeat; the far end is leaving. May be NULL. */
    void (*heartbeat)(void *ctx, const msg_heartbeat *beat);
    void (*drain)(void *ctx, const msg_drain *drain);
    /* A channel is asked for; see mux_ops.open. */
    void (*open)(void *ctx, const msg_open *open, struct view params);
    /* An Open that was not answered yet is taken back; see mux_ops.gone. May
     * be NULL where every Open is answered at once. */
    void (*gone)(void *ctx, uint32_t number, const msg_close *end);
    /* There is something to send: call link_push at the end of this turn. */
    void (*wake)(void *ctx);
};

struct link {
    struct wire wire;
    struct mux mux;
    const struct link_ops *ops;
    void *ctx;
    const struct link_credential *credential; /* initiator */
    const struct link_host *host;             /* acceptor */
    enum link_state state;
    bool initiator;
    bool heard; /* something came since reset */
    uint8_t hello_digest[32];
    uint8_t challenge_digest[32];
    int64_t peer_time_ms;             /* relay's clock, initiator */
    uint8_t next_shown[SIGN_PUB_LEN]; /* in our Proof; zeros: none, initiator */
    uint8_t relay_key[32]; /* initiator: the far end's, which it has proven,
                              from the Welcome on */
    /* From the peer's Hello, at an acceptor. */
    cmdop_agent_v1_Role role;
    uint32_t version;
    uint32_t channels_max;
    struct span control;
    char why[384]; /* first failure, for people */
};

/* Memory of one link: the wire's, and the control queue. */
#define LINK_CONTROL_BYTES (2 * FRAME_MAX)
struct link_mem {
    struct wire_mem wire;
    struct span control; /* LINK_CONTROL_BYTES */
};

/* Dial-side end on a connected handle. `tls` NULL: a local socket. */
int link_dialed(struct link *l, int handle, const struct link_mem *mem,
                const struct tls_client_cfg *tls, const char *authority,
                const struct link_credential *credential,
                const struct link_ops *ops, void *ctx);

/* Listening end. `tls` NULL: a local socket. */
int link_accepted(struct link *l, int handle, const struct link_mem *mem,
                  const struct tls_server_cfg *tls,
                  const struct link_host *host, uint32_t channels_max,
                  const struct link_ops *ops, void *ctx);

/* Acceptor, in JUDGE: let the peer in, or refuse and close. It may be refused
 * from link_ops.called as well. */
void link_welcome(struct link *l, msg_welcome *welcome);
void link_refuse(struct link *l, msg_code code, const char *message,
                 const char *remedy, uint32_t retry_after_ms);

/* The handle is ready; see wire_turn. Afterwards look at link_over. */
void link_turn(struct link *l, uint8_t ready, struct span scratch);
/* Send what there is; at the end of a turn. */
void link_push(struct link *l);
/* The connection is finished: close the handle and call link_free. */
bool link_over(const struct link *l);
/* Why it is over, one sentence; "" for an orderly end. */
const char *link_why(const struct link *l);
void link_fail(struct link *l, int err, const char *why);
/* Orderly end after what is queued. */
void link_end(struct link *l);
/* Tell every channel that the link is gone, and give memory back. */
void link_free(struct link *l);

int link_send(struct link *l, int kind, const pb_msgdesc_t *fields,
              const void *msg);

/* May a message of this kind come in this state? For the test as well. */
bool link_allowed(enum link_state state, bool initiator, int kind);

#endif
