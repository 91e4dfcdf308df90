/* One-time passwords: the vectors of RFC 4226, D, and RFC 6238, B. */
#include "crypto/totp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

#define SECRET "12345678901234567890"

static void the_counter_vectors_hold(void **state)
{
    static const char *const codes[] = {"755224", "287082", "359152", "969429",
                                        "338314", "254676", "287922", "162583",
                                        "399871", "520489"};
    char code[TOTP_DIGITS + 1];
    (void)state;
    for (uint64_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        totp_code(view_str(SECRET), i, code);
        assert_string_equal(code, codes[i]);
    }
}

/* The RFC shows eight digits; ours are the last six of them. */
static void the_time_vectors_hold(void **state)
{
    static const struct {
        int64_t now_s;
        const char *code;
    } rows[] = {
        {59, "287082"},         {1111111109, "081804"},
        {1111111111, "050471"}, {1234567890, "005924"},
        {2000000000, "279037"}, {INT64_C(20000000000), "353130"},
    };
    uint64_t step;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(totp_check(view_str(SECRET), view_str(rows[i].code),
                                    rows[i].now_s, 0, &step),
                         OK);
        assert_int_equal(step, rows[i].now_s / TOTP_STEP_S);
    }
}

static int check_at(const char *typed, int64_t now_s, uint64_t after)
{
    uint64_t step;
    return totp_check(view_str(SECRET), view_str(typed), now_s, after, &step);
}

static void one_step_either_way_is_taken_and_no_more(void **state)
{
    const int64_t then = 1234567890; /* step 41152263 begins here */
    (void)state;
    assert_int_equal(check_at("005924", then - 1, 0), OK);
    assert_int_equal(check_at("005924", then + 59, 0), OK);
    assert_int_equal(check_at("005924", then - 31, 0), ERR_AUTH);
    assert_int_equal(check_at("005924", then + 60, 0), ERR_AUTH);
}

static void a_step_is_used_once(void **state)
{
    const int64_t then = 1234567890;
    const uint64_t step = 41152263;
    (void)state;
    assert_int_equal(check_at("005924", then, step - 1), OK);
    assert_int_equal(check_at("005924", then, step), ERR_AUTH);
    assert_int_equal(check_at("005924", then, step + 5), ERR_AUTH);
}

static void blanks_do_not_count_and_other_text_is_wrong(void **state)
{
    static const char *const wrong[] = {"",         "00592",  "0059244",
                                        "005925",   "00592a", "-05924",
                                        "005924\n", "0x5924"};
    const int64_t then = 1234567890;
    (void)state;
    assert_int_equal(check_at("005 924", then, 0), OK);
    assert_int_equal(check_at(" 005924 ", then, 0), OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(check_at(wrong[i], then, 0), ERR_AUTH);
}

static void clocks_that_jumped_are_no_trouble(void **state)
{
    (void)state;
    assert_int_equal(check_at("005924", -1, 0), ERR_AUTH);
    assert_int_equal(check_at("005924", INT64_MAX, 0), ERR_AUTH);
    assert_int_equal(check_at("755224", 0, 0), ERR_AUTH); /* step 0 is none */
    assert_int_equal(check_at("287082", 0, 0), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_vectors_hold),
        cmocka_unit_test(the_time_vectors_hold),
        cmocka_unit_test(one_step_either_way_is_taken_and_no_more),
        cmocka_unit_test(a_step_is_used_once),
        cmocka_unit_test(blanks_do_not_count_and_other_text_is_wrong),
        cmocka_unit_test(clocks_that_jumped_are_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
