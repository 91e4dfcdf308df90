/* Ed25519; see sign.h. */
#include "crypto/sign.h"

#include <sodium.h>

#include "base/err.h"
#include "base/text.h"
#include "codec/base64.h"
#include "crypto/hash.h"

_Static_assert(SIGN_SEED_LEN == crypto_sign_SEEDBYTES, "RFC 8032");
_Static_assert(SIGN_PUB_LEN == crypto_sign_PUBLICKEYBYTES, "RFC 8032");
_Static_assert(SIGN_LEN == crypto_sign_BYTES, "RFC 8032");
_Static_assert(sizeof(((struct sign_key *)0)->secret) ==
                   crypto_sign_SECRETKEYBYTES,
               "libsodium's secret key is the seed and the public key");

/* The digest in base64 is 43 characters and one '='. */
#define DIGEST_TEXT_LEN 44

void sign_keypair_from_seed(const uint8_t seed[SIGN_SEED_LEN],
                            struct sign_key *out)
{
    (void)crypto_sign_seed_keypair(out->pub, out->secret, seed);
}

void sign_detached(const struct sign_key *key, struct view message,
                   uint8_t out[SIGN_LEN])
{
    (void)crypto_sign_detached(out, NULL, message.ptr, message.len,
                               key->secret);
}

int sign_verify(struct view pub, struct view message, struct view sig)
{
    if (pub.len != SIGN_PUB_LEN || sig.len != SIGN_LEN)
        return ERR_AUTH;
    if (crypto_sign_verify_detached(sig.ptr, message.ptr, message.len,
                                    pub.ptr) != 0)
        return ERR_AUTH;
    return OK;
}

void sign_fingerprint(const uint8_t pub[SIGN_PUB_LEN],
                      char out[SIGN_FINGERPRINT_CAP])
{
    uint8_t digest[HASH_LEN];
    uint8_t digits[DIGEST_TEXT_LEN];
    struct writer w;
    struct text t;

    hash_once(view_of(pub, SIGN_PUB_LEN), digest);
    writer_init(&w, SPAN_ARRAY(digits));
    base64_write(&w, BASE64_STD, VIEW_ARRAY(digest));
    text_init(&t, out, SIGN_FINGERPRINT_CAP);
    text_str(&t, "SHA256:");
    text_view(&t, view_first(writer_view(&w), DIGEST_TEXT_LEN - 1));
}
