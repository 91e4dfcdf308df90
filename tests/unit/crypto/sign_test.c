/* Ed25519: the vectors of RFC 8032, 7.1, and what must be refused. */
#include "crypto/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static size_t unhex(const char *hex, uint8_t *out)
{
    static const char digit[] = "0123456789abcdef";
    size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)((strchr(digit, hex[2 * i]) - digit) << 4 |
                           (strchr(digit, hex[2 * i + 1]) - digit));
    return n;
}

static const struct {
    const char *seed, *pub, *message, *sig;
} vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
     "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
};

static void rfc8032_vectors_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t seed[32], pub[32], want[64], message[64], got[64];
        struct sign_key key;
        unhex(vectors[i].seed, seed);
        unhex(vectors[i].pub, pub);
        unhex(vectors[i].sig, want);
        struct view m = view_of(message, unhex(vectors[i].message, message));
        sign_keypair_from_seed(seed, &key);
        assert_memory_equal(key.pub, pub, sizeof pub);
        sign_detached(&key, m, got);
        assert_memory_equal(got, want, sizeof want);
        assert_int_equal(sign_verify(VIEW_ARRAY(pub), m, VIEW_ARRAY(got)), OK);
    }
}

static void any_changed_bit_is_refused(void **state)
{
    uint8_t seed[32] = {7}, sig[64], pub[32];
    char message[] = "to be signed";
    struct sign_key key;

    (void)state;
    sign_keypair_from_seed(seed, &key);
    sign_detached(&key, view_str(message), sig);
    for (size_t bit = 0; bit < 8 * sizeof sig; bit++) {
        sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(sign_verify(VIEW_ARRAY(key.pub), view_str(message),
                                     VIEW_ARRAY(sig)),
                         ERR_AUTH);
        sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof pub; bit++) {
        memcpy(pub, key.pub, sizeof pub);
        pub[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(
            sign_verify(VIEW_ARRAY(pub), view_str(message), VIEW_ARRAY(sig)),
            ERR_AUTH);
    }
    message[0] ^= 1;
    assert_int_equal(
        sign_verify(VIEW_ARRAY(key.pub), view_str(message), VIEW_ARRAY(sig)),
        ERR_AUTH);
}

static void every_other_length_is_refused(void **state)
{
    uint8_t seed[32] = {7}, sig[64 + 1] = {0}, pub[32 + 1] = {0};
    struct sign_key key;
    struct view m = view_str("m");

    (void)state;
    sign_keypair_from_seed(seed, &key);
    memcpy(pub, key.pub, sizeof key.pub);
    sign_detached(&key, m, sig);
    for (size_t n = 0; n <= sizeof sig; n++)
        assert_int_equal(sign_verify(VIEW_ARRAY(key.pub), m, view_of(sig, n)),
                         n == SIGN_LEN ? OK : ERR_AUTH);
    for (size_t n = 0; n <= sizeof pub; n++)
        assert_int_equal(
            sign_verify(view_of(pub, n), m, view_of(sig, SIGN_LEN)),
            n == SIGN_PUB_LEN ? OK : ERR_AUTH);
}

/* S + L signs the same for a careless verifier (RFC 8032, 5.1.7). */
static void a_second_spelling_of_a_signature_is_refused(void **state)
{
    static const uint8_t order[32] = {
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
        0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10,
    };
    uint8_t seed[32] = {9}, sig[64];
    struct sign_key key;
    unsigned carry = 0;

    (void)state;
    sign_keypair_from_seed(seed, &key);
    sign_detached(&key, view_str("m"), sig);
    for (size_t i = 0; i < sizeof order; i++) {
        carry += (unsigned)sig[32 + i] + order[i];
        sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_int_equal(
        sign_verify(VIEW_ARRAY(key.pub), view_str("m"), VIEW_ARRAY(sig)),
        ERR_AUTH);
}

/* Under the neutral element everything would be signed by everybody. */
static void a_key_of_small_order_is_refused(void **state)
{
    uint8_t pub[32] = {1}, sig[64] = {1};

    (void)state;
    assert_int_equal(
        sign_verify(VIEW_ARRAY(pub), view_str("m"), VIEW_ARRAY(sig)), ERR_AUTH);
}

static void fingerprint_is_ssh_keygens_form(void **state)
{
    uint8_t pub[32];
    char out[SIGN_FINGERPRINT_CAP];

    (void)state;
    unhex(vectors[0].pub, pub);
    sign_fingerprint(pub, out);
    assert_string_equal(out,
                        "SHA256:If4x36FUomFia/hUBG/SJxt77UtqvkWqWId+9H+XIbk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8032_vectors_hold),
        cmocka_unit_test(any_changed_bit_is_refused),
        cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(a_second_spelling_of_a_signature_is_refused),
        cmocka_unit_test(a_key_of_small_order_is_refused),
        cmocka_unit_test(fingerprint_is_ssh_keygens_form),
    };
    return cmocka_run_group_tests_name("crypto/sign", tests, NULL, NULL);
}
