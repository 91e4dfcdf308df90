/* Sealed boxes; see box.h. */
#include "crypto/box.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "crypto/ct.h"

_Static_assert(BOX_KEY_LEN == crypto_box_PUBLICKEYBYTES &&
                   BOX_KEY_LEN == crypto_box_SECRETKEYBYTES &&
                   BOX_SEED_LEN == crypto_box_SEEDBYTES,
               "libsodium's keys");
_Static_assert(BOX_EXTRA_LEN == crypto_box_SEALBYTES, "libsodium's sealed box");

void box_keypair(const uint8_t seed[BOX_SEED_LEN], struct box_key *out)
{
    (void)crypto_box_seed_keypair(out->pub, out->secret, seed);
}

/* As crypto_box_seal, but with the entropy as an argument: an ephemeral key,
 * and a nonce that follows from both public keys. */
int box_seal(const uint8_t to[BOX_KEY_LEN], const uint8_t seed[BOX_SEED_LEN],
             struct view plain, struct span out)
{
    uint8_t pair[2 * BOX_KEY_LEN];
    uint8_t nonce[crypto_box_NONCEBYTES];
    struct box_key once;
    assert(plain.len <= INT32_MAX - BOX_EXTRA_LEN);
    if (out.len < plain.len + BOX_EXTRA_LEN)
        return ERR_FULL;
    box_keypair(seed, &once);
    memcpy(pair, once.pub, BOX_KEY_LEN);
    memcpy(pair + BOX_KEY_LEN, to, BOX_KEY_LEN);
    (void)crypto_generichash(nonce, sizeof(nonce), pair, sizeof(pair), NULL, 0);
    memcpy(out.ptr, once.pub, BOX_KEY_LEN);
    int rc = crypto_box_easy(out.ptr + BOX_KEY_LEN, plain.ptr, plain.len, nonce,
                             to, once.secret);
    ct_wipe(SPAN_ARRAY(once.secret));
    return rc == 0 ? (int)(plain.len + BOX_EXTRA_LEN) : ERR_RANGE;
}

int box_open(const struct box_key *key, struct view box, struct span out)
{
    if (box.len < BOX_EXTRA_LEN || box.len > INT32_MAX)
        return ERR_AUTH;
    if (out.len < box.len - BOX_EXTRA_LEN)
        return ERR_FULL;
    if (crypto_box_seal_open(out.ptr, box.ptr, box.len, key->pub,
                             key->secret) != 0)
        return ERR_AUTH;
    return (int)(box.len - BOX_EXTRA_LEN);
}
