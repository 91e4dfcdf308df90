/* Wiping and comparing: the results; that time tells nothing is by design. */
#include "crypto/ct.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void wipe_zeroes_exactly_its_span(void **state)
{
    uint8_t buf[64];

    (void)state;
    memset(buf, 0xA5, sizeof buf);
    ct_wipe((struct span){buf + 1, sizeof buf - 2});
    assert_int_equal(buf[0], 0xA5);
    assert_int_equal(buf[sizeof buf - 1], 0xA5);
    for (size_t i = 1; i < sizeof buf - 1; i++)
        assert_int_equal(buf[i], 0);
}

static void wipe_takes_an_empty_span(void **state)
{
    (void)state;
    ct_wipe((struct span){NULL, 0});
}

static void equal_bytes_are_equal(void **state)
{
    (void)state;
    assert_true(ct_eq(VIEW_NONE, VIEW_NONE));
    assert_true(ct_eq(view_str("secret"), view_str("secret")));
}

static void any_single_bit_makes_a_difference(void **state)
{
    uint8_t a[32], b[32];

    (void)state;
    memset(a, 0x5A, sizeof a);
    for (size_t bit = 0; bit < 8 * sizeof a; bit++) {
        memcpy(b, a, sizeof b);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(ct_eq(VIEW_ARRAY(a), VIEW_ARRAY(b)));
    }
}

static void different_lengths_are_different(void **state)
{
    (void)state;
    assert_false(ct_eq(view_str("secret"), view_str("secre")));
    assert_false(ct_eq(VIEW_NONE, view_str("s")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wipe_zeroes_exactly_its_span),
        cmocka_unit_test(wipe_takes_an_empty_span),
        cmocka_unit_test(equal_bytes_are_equal),
        cmocka_unit_test(any_single_bit_makes_a_difference),
        cmocka_unit_test(different_lengths_are_different),
    };
    return cmocka_run_group_tests_name("crypto/ct", tests, NULL, NULL);
}
