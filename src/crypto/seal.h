/*
 * Authenticated encryption: XChaCha20-Poly1305 (IETF form, by libsodium). The
 * nonce is an argument. Its 24 bytes are long enough to be drawn at random;
 * one pair of key and nonce must never seal two different things.
 */
#ifndef CRYPTO_SEAL_H
#define CRYPTO_SEAL_H

#include "base/bytes.h"

enum {
    SEAL_KEY_LEN = 32,
    SEAL_NONCE_LEN = 24,
    SEAL_TAG_LEN = 16, /* what sealing adds, at the end */
};

/*
 * Seal `plain`.
 * head   stays readable and goes beside, but is authenticated; may be empty
 * out    ciphertext, then tag; may begin where plain begins, not overlap
 *        otherwise
 * Returns plain.len + SEAL_TAG_LEN; ERR_FULL when out is smaller than that.
 */
int seal_close(const uint8_t key[SEAL_KEY_LEN],
               const uint8_t nonce[SEAL_NONCE_LEN], struct view head,
               struct view plain, struct span out);

/*
 * Open what seal_close made, with the same key, nonce and head.
 * box   untrusted; ciphertext and tag
 * Returns the plain text's length; ERR_AUTH when anything differs (out holds
 * zeros, never unverified text); ERR_FULL when out is too small.
 */
int seal_open(const uint8_t key[SEAL_KEY_LEN],
              const uint8_t nonce[SEAL_NONCE_LEN], struct view head,
              struct view box, struct span out);

#endif
