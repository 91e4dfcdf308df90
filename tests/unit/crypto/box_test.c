/* Sealed boxes: libsodium's, and only their reader opens them. */
#include "crypto/box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/err.h"

static const uint8_t SEED[BOX_SEED_LEN] = {1}, OTHER[BOX_SEED_LEN] = {2};
static const char WORD[] = "a password";
#define LEN (sizeof(WORD) - 1)

static int seal(const struct box_key *to, uint8_t *out, size_t cap)
{
    return box_seal(to->pub, OTHER, view_str(WORD), (struct span){out, cap});
}

static void what_is_sealed_is_opened(void **state)
{
    struct box_key k;
    uint8_t box[64], plain[64];
    (void)state;
    box_keypair(SEED, &k);
    assert_int_equal(seal(&k, box, sizeof(box)), LEN + BOX_EXTRA_LEN);
    assert_int_equal(
        box_open(&k, view_of(box, LEN + BOX_EXTRA_LEN), SPAN_ARRAY(plain)),
        LEN);
    assert_memory_equal(plain, WORD, LEN);
}

static void it_is_libsodiums_box(void **state)
{
    struct box_key k;
    uint8_t box[64], plain[64];
    (void)state;
    box_keypair(SEED, &k);
    seal(&k, box, sizeof(box));
    assert_int_equal(
        crypto_box_seal_open(plain, box, LEN + BOX_EXTRA_LEN, k.pub, k.secret),
        0);
    assert_int_equal(crypto_box_seal(box, (const uint8_t *)WORD, LEN, k.pub),
                     0);
    assert_int_equal(
        box_open(&k, view_of(box, LEN + BOX_EXTRA_LEN), SPAN_ARRAY(plain)),
        LEN);
}

static void nobody_else_opens_it(void **state)
{
    struct box_key k, other;
    uint8_t box[64], plain[64];
    (void)state;
    box_keypair(SEED, &k);
    box_keypair(OTHER, &other); /* not even who sealed it */
    seal(&k, box, sizeof(box));
    assert_int_equal(
        box_open(&other, view_of(box, LEN + BOX_EXTRA_LEN), SPAN_ARRAY(plain)),
        ERR_AUTH);
}

static void every_changed_byte_and_every_cut_is_noticed(void **state)
{
    struct box_key k;
    uint8_t box[64], plain[64];
    (void)state;
    box_keypair(SEED, &k);
    seal(&k, box, sizeof(box));
    for (size_t i = 0; i < LEN + BOX_EXTRA_LEN; i++) {
        assert_int_equal(box_open(&k, view_of(box, i), SPAN_ARRAY(plain)),
                         ERR_AUTH);
        box[i] ^= 1;
        assert_int_equal(
            box_open(&k, view_of(box, LEN + BOX_EXTRA_LEN), SPAN_ARRAY(plain)),
            ERR_AUTH);
        box[i] ^= 1;
    }
}

static void too_little_room_is_an_error(void **state)
{
    struct box_key k;
    uint8_t box[64], plain[LEN - 1];
    (void)state;
    box_keypair(SEED, &k);
    assert_int_equal(seal(&k, box, LEN + BOX_EXTRA_LEN - 1), ERR_FULL);
    seal(&k, box, sizeof(box));
    assert_int_equal(
        box_open(&k, view_of(box, LEN + BOX_EXTRA_LEN), SPAN_ARRAY(plain)),
        ERR_FULL);
}

static void a_key_of_small_order_is_none(void **state)
{
    static const uint8_t zero[BOX_KEY_LEN];
    uint8_t box[64];
    (void)state;
    assert_int_equal(box_seal(zero, SEED, view_str(WORD), SPAN_ARRAY(box)),
                     ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_is_opened),
        cmocka_unit_test(it_is_libsodiums_box),
        cmocka_unit_test(nobody_else_opens_it),
        cmocka_unit_test(every_changed_byte_and_every_cut_is_noticed),
        cmocka_unit_test(too_little_room_is_an_error),
        cmocka_unit_test(a_key_of_small_order_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
