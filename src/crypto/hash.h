/*
 * SHA-256 (FIPS 180-4, by BearSSL): at once, piece by piece, and over fields.
 * A transcript of several values is hashed field by field, each with its
 * length in front, so that no two lists of values give the same bytes.
 */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include <bearssl.h>

#include "base/bytes.h"

enum { HASH_LEN = 32 };

struct hash {
    br_sha256_context sha;
};

void hash_init(struct hash *h);

/* Absorb bytes as they are. */
void hash_feed(struct hash *h, struct view v);

/* Absorb one field: its length as 4 bytes big-endian, then its bytes. An
 * empty field is four zeros. v.len fits 32 bits, or it is our mistake. */
void hash_field(struct hash *h, struct view v);

/* A number as a field of 4 or 8 bytes, big-endian. */
void hash_field_u32(struct hash *h, uint32_t v);
void hash_field_u64(struct hash *h, uint64_t v);

/* The digest of all bytes so far; more may follow. */
void hash_take(const struct hash *h, uint8_t out[HASH_LEN]);

/* The digest of one view. */
void hash_once(struct view v, uint8_t out[HASH_LEN]);

#endif
