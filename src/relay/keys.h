/*
 * What makes a relay itself: its Ed25519 key, whose public half agents and
 * operators pin, and a CA with a server certificate for TLS. Made at the
 * first start, kept in the relay's state folder, all files 0600 but the CA's
 * certificate, which other gRPC clients need.
 *
 *     relay.key    32-byte seed
 *     ca.key  ca.pem  server.key  server.pem
 */
#ifndef RELAY_KEYS_H
#define RELAY_KEYS_H

#include "base/text.h"
#include "core/cert.h"
#include "crypto/sign.h"
#include "limits.h"

struct keys {
    struct sign_key relay;
    struct cert_key server;
    uint8_t cert[1024]; /* server certificate, DER */
    size_t cert_len;
    bool made; /* this was the first start */
};

/*
 * Load, or make what is missing. `name` is the DNS name for a new server
 * certificate. ERR_DAMAGED and others leave a sentence in *why.
 */
int keys_load_or_make(const char *folder, const char *name, int64_t now_s,
                      struct keys *out, struct text *why);

/* Only the relay's public key, for other verbs on the relay's machine. */
int keys_load_relay(const char *folder, struct sign_key *out, struct text *why);

#endif
