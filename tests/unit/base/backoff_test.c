/* Waits grow, are bounded, spread evenly and start anew after success. */
#include "base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void the_bound_doubles_until_the_cap(void **state)
{
    static const uint32_t bounds[] = {250,   500,   1000,  2000,  4000, 8000,
                                      16000, 32000, 60000, 60000, 60000};
    struct backoff b;
    (void)state;
    backoff_init(&b, 250, 60000);
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
        assert_int_equal(backoff_next(&b, UINT32_MAX), bounds[i]);
}

static void the_smallest_random_number_is_no_wait(void **state)
{
    struct backoff b;
    (void)state;
    backoff_init(&b, 250, 60000);
    for (int i = 0; i < 100; i++)
        assert_int_equal(backoff_next(&b, 0), 0);
}

static void half_the_random_range_is_half_the_bound(void **state)
{
    struct backoff b;
    (void)state;
    backoff_init(&b, 1000, 60000);
    assert_int_equal(backoff_next(&b, UINT32_C(1) << 31), 500);
    assert_int_equal(backoff_next(&b, UINT32_C(1) << 30), 500);
}

/* Every value of the range occurs, equally often (within one in ten). */
static void all_waits_are_equally_likely(void **state)
{
    unsigned count[11] = {0};
    (void)state;
    for (uint32_t i = 0; i < 11000; i++) {
        struct backoff b;
        backoff_init(&b, 10, 10);
        count[backoff_next(&b, i * (UINT32_MAX / 11000))]++;
    }
    for (int i = 0; i < 11; i++)
        assert_in_range(count[i], 900, 1100);
}

static void success_starts_anew(void **state)
{
    struct backoff b;
    (void)state;
    backoff_init(&b, 250, 60000);
    for (int i = 0; i < 20; i++)
        backoff_next(&b, UINT32_MAX);
    backoff_reset(&b);
    assert_int_equal(backoff_next(&b, UINT32_MAX), 250);
}

static void the_largest_numbers_do_not_overflow(void **state)
{
    struct backoff b;
    (void)state;
    backoff_init(&b, UINT32_MAX, UINT32_MAX);
    assert_int_equal(backoff_next(&b, UINT32_MAX), UINT32_MAX);
    assert_int_equal(backoff_next(&b, UINT32_MAX), UINT32_MAX);
    backoff_init(&b, 1, UINT32_MAX);
    for (int i = 0; i < 40; i++)
        backoff_next(&b, 0);
    assert_int_equal(backoff_next(&b, UINT32_MAX), UINT32_MAX);
    b.tries = UINT32_MAX;
    backoff_next(&b, 0);
    assert_int_equal(b.tries, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_doubles_until_the_cap),
        cmocka_unit_test(the_smallest_random_number_is_no_wait),
        cmocka_unit_test(half_the_random_range_is_half_the_bound),
        cmocka_unit_test(all_waits_are_equally_likely),
        cmocka_unit_test(success_starts_anew),
        cmocka_unit_test(the_largest_numbers_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
