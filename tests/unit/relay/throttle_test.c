/* Tries by strangers: what is free, what waits, and who makes room. */
#include "relay/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static uint8_t block[THROTTLE_ROWS * sizeof(struct throttle_row) + 64];
static struct throttle t;

static int begin(void **state)
{
    struct arena a;
    (void)state;
    memset(block, 0xAA, sizeof block);
    arena_init(&a, SPAN_ARRAY(block));
    throttle_init(&t, &a, (const uint8_t[32]){7});
    return 0;
}

static uint64_t wait_for(const char *who, uint64_t now)
{
    return throttle_wait(&t, THROTTLE_SIGN_IN, view_str(who), now);
}

static void fail_at(const char *who, uint64_t now)
{
    throttle_fail(&t, THROTTLE_SIGN_IN, view_str(who), now);
}

static void from_the_fifth_failure_on_waits_double(void **state)
{
    static const uint64_t waits[] = {
        0,     0,     0,     0,      1000,   2000,   4000,   8000,
        16000, 32000, 64000, 128000, 256000, 512000, 900000, 900000};
    uint64_t now = 1;
    (void)state;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        fail_at("a", now);
        assert_int_equal(wait_for("a", now), waits[i]);
        if (waits[i] > 0)
            assert_int_equal(wait_for("a", now + waits[i] - 1), 1);
        now += waits[i];
        assert_int_equal(wait_for("a", now), 0);
    }
}

static void others_do_not_wait_with_it(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++)
        fail_at("a", 5);
    assert_true(wait_for("a", 5) > 0);
    assert_int_equal(wait_for("b", 5), 0);
    assert_int_equal(throttle_wait(&t, THROTTLE_CODE, view_str("a"), 5), 0);
}

static void success_and_a_quiet_hour_forget(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++)
        fail_at("a", 5);
    throttle_clear(&t, THROTTLE_SIGN_IN, view_str("a"));
    assert_int_equal(wait_for("a", 5), 0);
    for (int i = 0; i < 9; i++)
        fail_at("a", 5);
    fail_at("a", 5 + 3600 * 1000 + 1);
    assert_int_equal(wait_for("a", 5 + 3600 * 1000 + 1), 0);
}

static void many_others_displace_the_quiet_ones(void **state)
{
    uint32_t left = 0;
    (void)state;
    for (int i = 0; i < 9; i++)
        fail_at("quiet", 5);
    for (uint32_t i = 0; i < 16 * THROTTLE_ROWS; i++)
        throttle_fail(&t, THROTTLE_CODE, view_of(&i, sizeof i), 100 + i);
    assert_int_equal(wait_for("quiet", 5), 0);
    for (uint32_t i = 15 * THROTTLE_ROWS; i < 16 * THROTTLE_ROWS; i++)
        for (int n = 0; n < 4; n++)
            throttle_fail(&t, THROTTLE_CODE, view_of(&i, sizeof i), UINT32_MAX);
    for (size_t i = 0; i < THROTTLE_ROWS; i++)
        left += t.row[i].failures > 0;
    assert_int_equal(left, THROTTLE_ROWS);
}

static void a_network_of_ipv6_is_one_guesser(void **state)
{
    struct port_addr a, b;
    (void)state;
    assert_int_equal(port_addr_parse("2001:db8:1:2::1", 1, &a), OK);
    assert_int_equal(port_addr_parse("2001:db8:1:2:ffff::2", 2, &b), OK);
    assert_true(view_eq(throttle_place(&a), throttle_place(&b)));
    assert_int_equal(port_addr_parse("2001:db8:1:3::1", 1, &b), OK);
    assert_false(view_eq(throttle_place(&a), throttle_place(&b)));
    assert_int_equal(port_addr_parse("192.0.2.1", 1, &a), OK);
    assert_int_equal(port_addr_parse("192.0.2.2", 1, &b), OK);
    assert_false(view_eq(throttle_place(&a), throttle_place(&b)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(from_the_fifth_failure_on_waits_double, begin),
        cmocka_unit_test_setup(others_do_not_wait_with_it, begin),
        cmocka_unit_test_setup(success_and_a_quiet_hour_forget, begin),
        cmocka_unit_test_setup(many_others_displace_the_quiet_ones, begin),
        cmocka_unit_test_setup(a_network_of_ipv6_is_one_guesser, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
