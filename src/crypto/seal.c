/* XChaCha20-Poly1305; see seal.h. */
#include "crypto/seal.h"

#include <assert.h>
#include <stddef.h>

#include <sodium.h>

#include "base/err.h"

_Static_assert(SEAL_KEY_LEN == crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
               "libsodium's key");
_Static_assert(SEAL_NONCE_LEN == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
               "libsodium's nonce");
_Static_assert(SEAL_TAG_LEN == crypto_aead_xchacha20poly1305_ietf_ABYTES,
               "libsodium's tag");

int seal_close(const uint8_t key[SEAL_KEY_LEN],
               const uint8_t nonce[SEAL_NONCE_LEN], struct view head,
               struct view plain, struct span out)
{
    assert(plain.len <= INT32_MAX - SEAL_TAG_LEN);
    if (out.len < plain.len + SEAL_TAG_LEN)
        return ERR_FULL;
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(
        out.ptr, NULL, plain.ptr, plain.len, head.ptr, head.len, NULL, nonce,
        key);
    return (int)(plain.len + SEAL_TAG_LEN);
}

int seal_open(const uint8_t key[SEAL_KEY_LEN],
              const uint8_t nonce[SEAL_NONCE_LEN], struct view head,
              struct view box, struct span out)
{
    if (box.len < SEAL_TAG_LEN || box.len > INT32_MAX)
        return ERR_AUTH;
    if (out.len < box.len - SEAL_TAG_LEN)
        return ERR_FULL;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out.ptr, NULL, NULL, box.ptr,
                                                   box.len, head.ptr, head.len,
                                                   nonce, key) != 0)
        return ERR_AUTH;
    return (int)(box.len - SEAL_TAG_LEN);
}
