/*
 * What makes a relay itself: its Ed25519 key, whose public half agents and
 * operators pin, and a CA with a server certificate for TLS. Made at the
 * first start, kept in the relay's state folder, all files 0600 but the CA's
 * certificate, which other gRPC clients need.
 *
 *     relay.key    32-byte seed
 *     ca.key  ca.pem  server.key  server.pem
 *
 * The server certificate is made anew, for the same key, when it nears its end
 * or when it is to be for other names: one file is replaced, so wherever the
 * power is cut, what lies there is a pair, or is made one at the next start.
 */
#ifndef RELAY_KEYS_H
#define RELAY_KEYS_H

#include "base/text.h"
#include "core/cert.h"
#include "crypto/sign.h"
#include "limits.h"

#define KEYS_SERVER_DAYS 397          /* what browsers take at most is 398 */
#define KEYS_RENEW_S     (60 * 86400) /* before its end a certificate is renewed */

struct keys {
    struct sign_key relay;
    bool made; /* this was the first start */
};

/* Load the relay's key, or make it. ERR_DAMAGED and others leave a sentence
 * in *why. */
int keys_load_or_make(const char *folder, struct keys *out, struct text *why);

/* Only the relay's public key, for other verbs on the relay's machine. */
int keys_load_relay(const char *folder, struct sign_key *out, struct text *why);

/*
 * See to it that server.key and server.pem are there, belong together, are
 * for these names, and stay valid for KEYS_RENEW_S at least.
 * name   DNS name, also for people
 * host   how machines reach the relay: a DNS name or an address, or the same as
 *        name, or NULL. One that no certificate takes ('_') is left out
 * made   true when a certificate was made
 * ERR_DAMAGED and others leave a sentence in *why; what is damaged is left as
 * it is.
 */
int keys_server(const char *folder, const char *name, const char *host,
                int64_t now_s, bool *made, struct text *why);

#endif
