/*
 * Ed25519 signatures (RFC 8032, by libsodium) and the fingerprint by which
 * people compare keys. Making a seed and keeping it are the caller's.
 */
#ifndef CRYPTO_SIGN_H
#define CRYPTO_SIGN_H

#include "base/bytes.h"

enum {
    SIGN_SEED_LEN = 32,
    SIGN_PUB_LEN = 32,
    SIGN_LEN = 64,
    SIGN_FINGERPRINT_CAP = 7 + 43 + 1, /* "SHA256:", base64, end */
};

/* A key pair. Holds a secret: the caller wipes it. */
struct sign_key {
    uint8_t secret[SIGN_SEED_LEN + SIGN_PUB_LEN]; /* seed, public key */
    uint8_t pub[SIGN_PUB_LEN];
};

/* The key pair of a seed: 32 bytes of full entropy, or read from a file. */
void sign_keypair_from_seed(const uint8_t seed[SIGN_SEED_LEN],
                            struct sign_key *out);

/* Sign a message; the same key and message give the same signature. */
void sign_detached(const struct sign_key *key, struct view message,
                   uint8_t out[SIGN_LEN]);

/*
 * Check a signature.
 * pub, sig   untrusted; a wrong length is a wrong signature
 * Returns OK, or ERR_AUTH. Keys of small order and signatures that are not
 * in their one canonical form are refused.
 */
int sign_verify(struct view pub, struct view message, struct view sig);

/* "SHA256:" and the base64 of SHA-256 of the public key, without padding, as
 * ssh-keygen shows its keys. */
void sign_fingerprint(const uint8_t pub[SIGN_PUB_LEN],
                      char out[SIGN_FINGERPRINT_CAP]);

#endif
