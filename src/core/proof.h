/*
 * What is signed in the handshake of cmdop.agent.v1: by the relay in
 * Challenge, by a machine in Proof. Pure functions; docs/PROTOCOL.md quotes
 * this comment.
 *
 *     field(x)   = length of x, 4 bytes big-endian || x
 *     binding    = RFC 5929 tls-server-end-point: SHA-256 of the server's
 *                  certificate, 32 bytes; empty on a local socket
 *     hello      = SHA-256 of the gRPC message that carried Hello: of the
 *                  encoded Frame, without the 5 bytes of gRPC prefix;
 *                  challenge alike. Digests, so that neither end keeps the
 *                  messages themselves
 *
 *     relay's    R = "cmdop.agent.v1 relay challenge"  (30 bytes, no NUL)
 *     digest     = SHA-256( field(R) || field(hello) || field(nonce)
 *                  || field(relay_key) || field(relay_time_ms, 8 bytes)
 *                  || field(version, 4 bytes) || field(binding) )
 *     signature  = Ed25519 by relay_key over R || digest   (62 bytes)
 *
 *     machine's  M = "cmdop.agent.v1 machine proof"  (28 bytes, no NUL)
 *     digest     = SHA-256( field(M) || field(hello) || field(challenge)
 *                  || field(binding) || field(machine_key)
 *                  || field(join_key) || field(name) )
 *     signature  = Ed25519 by machine_key over M || digest  (60 bytes)
 *
 *     rotation   T = "cmdop.agent.v1 machine rotation"  (31 bytes, no NUL)
 *     digest     = SHA-256( field(T) || field(hello) || field(challenge)
 *                  || field(binding) || field(machine_key)
 *                  || field(join_key) || field(name) || field(next_key) )
 *     signatures = Ed25519 by machine_key and by next_key, each over
 *                  T || digest  (63 bytes)
 *
 * A Proof with a next_key carries these two signatures in place of the
 * machine's: the old key hands over, the new one takes, and neither signature
 * can be shown as anything else.
 *
 * Numbers are big-endian; relay_time_ms is its 64-bit two's complement. An
 * absent join_key or name is a field of length zero. The challenge inside the
 * machine's digest carries the relay's signature, so a machine signs
 * everything that was said before; the label keeps a signature from serving
 * any other purpose.
 */
#ifndef CORE_PROOF_H
#define CORE_PROOF_H

#include "base/bytes.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

struct proof_relay {
    struct view hello;     /* digest of the Frame with Hello */
    struct view nonce;     /* 32 bytes */
    struct view relay_key; /* 32 bytes, as in Challenge */
    int64_t relay_time_ms; /* Unix time */
    uint32_t version;
    struct view binding; /* 32 bytes, or empty on a local socket */
};

struct proof_machine {
    struct view hello;       /* digest of the Frame with Hello */
    struct view challenge;   /* digest of the Frame with Challenge */
    struct view binding;     /* 32 bytes, or empty on a local socket */
    struct view machine_key; /* 32 bytes, as in Proof */
    struct view join_key;    /* empty: none */
    struct view name;        /* empty: none */
    struct view next_key;    /* 32 bytes to replace machine_key; empty: none */
};

void proof_relay_digest(const struct proof_relay *p, uint8_t out[HASH_LEN]);
void proof_machine_digest(const struct proof_machine *p, uint8_t out[HASH_LEN]);

/* Sign. The key's public half must be the one in *p: else our mistake. */
void proof_relay_sign(const struct proof_relay *p, const struct sign_key *key,
                      uint8_t out[SIGN_LEN]);
void proof_machine_sign(const struct proof_machine *p,
                        const struct sign_key *key, uint8_t out[SIGN_LEN]);
/* The same by the key in p->next_key. */
void proof_next_sign(const struct proof_machine *p, const struct sign_key *key,
                     uint8_t out[SIGN_LEN]);

/*
 * Check the relay's signature.
 * pin   the relay key we trust, 32 bytes. On a local socket, where the
 *       system vouches for the peer, the caller passes p->relay_key and says
 *       so by that.
 * sig   untrusted, of any length
 * Returns OK; ERR_PIN when the relay speaks for another key; ERR_AUTH when
 * the signature is wrong or a length in *p is not as described.
 */
int proof_relay_verify(const struct proof_relay *p, struct view pin,
                       struct view sig);

/* Check a machine's signature by p->machine_key, the only key that may be
 * authorised afterwards. Returns OK or ERR_AUTH. */
int proof_machine_verify(const struct proof_machine *p, struct view sig);
/* Check the signature of p->next_key, which must be another key. OK or
 * ERR_AUTH. */
int proof_next_verify(const struct proof_machine *p, struct view sig);

#endif
