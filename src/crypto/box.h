/*
 * A secret for one reader: X25519 and XSalsa20-Poly1305, in the form of
 * libsodium's crypto_box_seal. Anybody can seal to a public key; only who
 * holds its secret half can open, the one who sealed cannot. It says nothing
 * of who sealed it.
 */
#ifndef CRYPTO_BOX_H
#define CRYPTO_BOX_H

#include "base/bytes.h"

enum {
    BOX_KEY_LEN = 32,
    BOX_SEED_LEN = 32,
    BOX_EXTRA_LEN = 48, /* what sealing adds: a public key and a tag */
};

/* Holds a secret: the caller wipes it. */
struct box_key {
    uint8_t pub[BOX_KEY_LEN];
    uint8_t secret[BOX_KEY_LEN];
};

/* The key pair of 32 random bytes. */
void box_keypair(const uint8_t seed[BOX_SEED_LEN], struct box_key *out);

/*
 * Seal `plain`.
 * to     whose public key it is
 * seed   fresh random bytes for each call
 * Returns plain.len + BOX_EXTRA_LEN; ERR_FULL when out is smaller; ERR_RANGE
 * when `to` is no key one can seal to.
 */
int box_seal(const uint8_t to[BOX_KEY_LEN], const uint8_t seed[BOX_SEED_LEN],
             struct view plain, struct span out);

/* Open what box_seal made. box: untrusted. The plain text's length; ERR_AUTH;
 * ERR_FULL when out is too small. */
int box_open(const struct box_key *key, struct view box, struct span out);

#endif
