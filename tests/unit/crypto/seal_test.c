/* XChaCha20-Poly1305: the vector of draft-irtf-cfrg-xchacha-03, A.3.1, and
 * what must not open. */
#include "crypto/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static const char plain[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one "
    "tip for the future, sunscreen would be it.";

enum { PLAIN_LEN = sizeof plain - 1, BOX_LEN = PLAIN_LEN + SEAL_TAG_LEN };

static const uint8_t head[] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
                               0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};

static const uint8_t want[BOX_LEN] = {
    0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b, 0x95, 0x76, 0x57, 0x94,
    0x93, 0xc0, 0xe9, 0x39, 0x57, 0x2a, 0x17, 0x00, 0x25, 0x2b, 0xfa, 0xcc,
    0xbe, 0xd2, 0x90, 0x2c, 0x21, 0x39, 0x6c, 0xbb, 0x73, 0x1c, 0x7f, 0x1b,
    0x0b, 0x4a, 0xa6, 0x44, 0x0b, 0xf3, 0xa8, 0x2f, 0x4e, 0xda, 0x7e, 0x39,
    0xae, 0x64, 0xc6, 0x70, 0x8c, 0x54, 0xc2, 0x16, 0xcb, 0x96, 0xb7, 0x2e,
    0x12, 0x13, 0xb4, 0x52, 0x2f, 0x8c, 0x9b, 0xa4, 0x0d, 0xb5, 0xd9, 0x45,
    0xb1, 0x1b, 0x69, 0xb9, 0x82, 0xc1, 0xbb, 0x9e, 0x3f, 0x3f, 0xac, 0x2b,
    0xc3, 0x69, 0x48, 0x8f, 0x76, 0xb2, 0x38, 0x35, 0x65, 0xd3, 0xff, 0xf9,
    0x21, 0xf9, 0x66, 0x4c, 0x97, 0x63, 0x7d, 0xa9, 0x76, 0x88, 0x12, 0xf6,
    0x15, 0xc6, 0x8b, 0x13, 0xb5, 0x2e, 0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7,
    0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a, 0xcf, 0x49,
};

static uint8_t key[SEAL_KEY_LEN], nonce[SEAL_NONCE_LEN];

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(0x80 + i);
    for (size_t i = 0; i < sizeof nonce; i++)
        nonce[i] = (uint8_t)(0x40 + i);
    return 0;
}

static int open_box(struct view h, struct view box, uint8_t out[BOX_LEN])
{
    return seal_open(key, nonce, h, box, (struct span){out, BOX_LEN});
}

static void the_drafts_vector_holds(void **state)
{
    uint8_t box[BOX_LEN], out[BOX_LEN];

    (void)state;
    assert_int_equal(seal_close(key, nonce, VIEW_ARRAY(head), view_str(plain),
                                SPAN_ARRAY(box)),
                     BOX_LEN);
    assert_memory_equal(box, want, BOX_LEN);
    assert_int_equal(open_box(VIEW_ARRAY(head), VIEW_ARRAY(box), out),
                     PLAIN_LEN);
    assert_memory_equal(out, plain, PLAIN_LEN);
}

static void sealing_in_place_gives_the_same(void **state)
{
    uint8_t buf[BOX_LEN];

    (void)state;
    memcpy(buf, plain, PLAIN_LEN);
    assert_int_equal(seal_close(key, nonce, VIEW_ARRAY(head),
                                view_of(buf, PLAIN_LEN), SPAN_ARRAY(buf)),
                     BOX_LEN);
    assert_memory_equal(buf, want, BOX_LEN);
}

static void an_empty_text_has_a_tag(void **state)
{
    uint8_t box[SEAL_TAG_LEN], out[BOX_LEN];

    (void)state;
    assert_int_equal(
        seal_close(key, nonce, VIEW_NONE, VIEW_NONE, SPAN_ARRAY(box)),
        SEAL_TAG_LEN);
    assert_int_equal(open_box(VIEW_NONE, VIEW_ARRAY(box), out), 0);
    assert_int_equal(open_box(VIEW_ARRAY(head), VIEW_ARRAY(box), out),
                     ERR_AUTH);
}

static void any_changed_bit_of_the_box_is_refused(void **state)
{
    uint8_t box[BOX_LEN], out[BOX_LEN];

    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof box; bit++) {
        memcpy(box, want, sizeof box);
        box[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(open_box(VIEW_ARRAY(head), VIEW_ARRAY(box), out),
                         ERR_AUTH);
    }
}

static void another_head_key_or_nonce_is_refused(void **state)
{
    uint8_t out[BOX_LEN];

    assert_int_equal(
        open_box(view_of(head, sizeof head - 1), VIEW_ARRAY(want), out),
        ERR_AUTH);
    key[0] ^= 1;
    assert_int_equal(open_box(VIEW_ARRAY(head), VIEW_ARRAY(want), out),
                     ERR_AUTH);
    setup(state);
    nonce[23] ^= 1;
    assert_int_equal(open_box(VIEW_ARRAY(head), VIEW_ARRAY(want), out),
                     ERR_AUTH);
}

static void every_truncation_is_refused(void **state)
{
    uint8_t out[BOX_LEN];

    (void)state;
    for (size_t n = 0; n < BOX_LEN; n++)
        assert_int_equal(open_box(VIEW_ARRAY(head), view_of(want, n), out),
                         ERR_AUTH);
}

static void unverified_text_never_leaves(void **state)
{
    uint8_t box[BOX_LEN], out[BOX_LEN];

    (void)state;
    memcpy(box, want, sizeof box);
    box[BOX_LEN - 1] ^= 1;
    memset(out, 0xA5, sizeof out);
    assert_int_equal(open_box(VIEW_ARRAY(head), VIEW_ARRAY(box), out),
                     ERR_AUTH);
    for (size_t i = 0; i < PLAIN_LEN; i++)
        assert_int_equal(out[i], 0);
}

static void too_little_room_is_full(void **state)
{
    uint8_t out[BOX_LEN];

    (void)state;
    assert_int_equal(seal_close(key, nonce, VIEW_NONE, view_str(plain),
                                (struct span){out, BOX_LEN - 1}),
                     ERR_FULL);
    assert_int_equal(seal_open(key, nonce, VIEW_ARRAY(head), VIEW_ARRAY(want),
                               (struct span){out, PLAIN_LEN - 1}),
                     ERR_FULL);
    assert_int_equal(seal_open(key, nonce, VIEW_ARRAY(head), VIEW_ARRAY(want),
                               (struct span){out, PLAIN_LEN}),
                     PLAIN_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_drafts_vector_holds, setup),
        cmocka_unit_test_setup(sealing_in_place_gives_the_same, setup),
        cmocka_unit_test_setup(an_empty_text_has_a_tag, setup),
        cmocka_unit_test_setup(any_changed_bit_of_the_box_is_refused, setup),
        cmocka_unit_test_setup(another_head_key_or_nonce_is_refused, setup),
        cmocka_unit_test_setup(every_truncation_is_refused, setup),
        cmocka_unit_test_setup(unverified_text_never_leaves, setup),
        cmocka_unit_test_setup(too_little_room_is_full, setup),
    };
    return cmocka_run_group_tests_name("crypto/seal", tests, NULL, NULL);
}
