/* Time and entropy of the platform. */
#include "port/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void the_clock_moves_and_never_back(void **state)
{
    uint64_t start = port_now_us();
    uint64_t last = start;
    (void)state;
    while (last < start + 2000) {
        uint64_t now = port_now_us();
        assert_true(now >= last);
        last = now;
    }
}

static void both_units_tell_the_same_clock(void **state)
{
    uint64_t before = port_now_us() / 1000;
    uint64_t ms = port_now_ms();
    (void)state;
    assert_in_range(ms, before, port_now_us() / 1000);
}

static void the_wall_clock_is_unix_time(void **state)
{
    int64_t before = (int64_t)time(NULL) - 1; /* time() may lag by a tick */
    int64_t ms = port_wall_ms();
    (void)state;
    assert_true(ms >= before * 1000);
    assert_true(ms <= ((int64_t)time(NULL) + 2) * 1000);
}

static void entropy_fills_every_byte_and_varies(void **state)
{
    uint8_t a[1000], b[1000], seen[1000] = {0};
    (void)state;
    /* A byte that stayed 0 in 64 rounds was not written (2^-512). */
    for (int round = 0; round < 64; round++) {
        memset(a, 0, sizeof(a));
        port_entropy(SPAN_ARRAY(a));
        for (size_t i = 0; i < sizeof(a); i++)
            seen[i] |= a[i];
    }
    for (size_t i = 0; i < sizeof(seen); i++)
        assert_int_not_equal(seen[i], 0);
    port_entropy(SPAN_ARRAY(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

static void no_bytes_of_entropy_are_no_work(void **state)
{
    (void)state;
    port_entropy((struct span){NULL, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_moves_and_never_back),
        cmocka_unit_test(both_units_tell_the_same_clock),
        cmocka_unit_test(the_wall_clock_is_unix_time),
        cmocka_unit_test(entropy_fills_every_byte_and_varies),
        cmocka_unit_test(no_bytes_of_entropy_are_no_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
