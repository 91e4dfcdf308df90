/* Text in fixed buffers, remote text made harmless, strict numbers. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static char buf[256];
static struct text t;

static int setup(void **state)
{
    (void)state;
    TEXT_OF(&t, buf);
    return 0;
}

static void assert_text(const char *expected)
{
    assert_string_equal(buf, expected);
    assert_int_equal(t.len, strlen(expected));
    assert_true(view_is(text_done(&t), expected));
    TEXT_OF(&t, buf);
}

static void pieces_are_appended(void **state)
{
    (void)state;
    assert_text("");
    text_str(&t, "a");
    text_char(&t, '-');
    text_view(&t, view_of("bcd", 2));
    text_view(&t, VIEW_NONE);
    text_join(&t, "<", "x", ">", NULL);
    assert_text("a-bc<x>");
}

static void numbers_are_decimal(void **state)
{
    (void)state;
    text_u64(&t, 0);
    text_char(&t, ' ');
    text_u64(&t, UINT64_MAX);
    assert_text("0 18446744073709551615");
    text_i64(&t, INT64_MIN);
    text_char(&t, ' ');
    text_i64(&t, INT64_MAX);
    text_char(&t, ' ');
    text_i64(&t, -1);
    assert_text("-9223372036854775808 9223372036854775807 -1");
    text_u64_pad(&t, 7, 3);
    text_u64_pad(&t, 1234, 3);
    assert_text("0071234");
    text_u64_pad(&t, 1, 25);
    assert_text("0000000000000000000000001");
}

static void bytes_are_hex(void **state)
{
    (void)state;
    text_hex(&t, view_of("\x00\x1f\xff", 3));
    assert_text("001fff");
}

static void a_hex_digit_has_a_value(void **state)
{
    const char *digits = "0123456789abcdefABCDEF";
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char *at = c != 0 ? strchr(digits, c) : NULL;
        int value = at != NULL ? (int)(at - digits) : -1;
        assert_int_equal(text_hex_digit((uint8_t)c),
                         value > 15 ? value - 6 : value);
    }
}

static void blanks_are_nothing_to_see(void **state)
{
    (void)state;
    assert_true(text_is_blank(VIEW_NONE));
    assert_true(text_is_blank(view_str("   ")));
    assert_false(text_is_blank(view_str("  x ")));
}

static void padding_counts_characters(void **state)
{
    (void)state;
    text_str(&t, "ab");
    text_pad(&t, 0, 4);
    text_str(&t, "|\xc3\xa4");
    text_pad(&t, 5, 3);
    text_char(&t, '|');
    text_pad(&t, 0, 1); /* full: one blank, still */
    text_char(&t, 'c');
    assert_text("ab  |\xc3\xa4  | c");
}

/* What fits stays, it is terminated, and it is known to be cut. */
static void a_full_buffer_is_cut_at_every_size(void **state)
{
    (void)state;
    for (size_t cap = 1; cap < 12; cap++) {
        char *block = malloc(cap);
        text_init(&t, block, cap);
        text_join(&t, "abc", "def", NULL);
        text_u64(&t, 1234);
        assert_int_equal(t.cut, cap < 11);
        assert_int_equal(t.len, cap < 11 ? cap - 1 : 10);
        assert_memory_equal(block, "abcdef1234", t.len);
        assert_int_equal(block[t.len], '\0');
        text_char(&t, 'x');
        assert_int_equal(t.len, cap < 11 ? cap - 1 : 10);
        free(block);
    }
}

static void remote_text_cannot_move_the_cursor(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain text ~", "plain text ~"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"\xe2\x82\xac \xf0\x9f\x99\x82", "\xe2\x82\xac \xf0\x9f\x99\x82"},
        {"\033[2J", "\\x1b[2J"},
        {"a\r\n\tb", "a\\x0d\\x0a\\x09b"},
        {"\x7f", "\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m"}, /* C1 CSI */
        {"\xe2\x80\xae"
         "txt",
         "\\xe2\\x80\\xaetxt"},              /* RLO */
        {"\xe2\x80\x8b", "\\xe2\\x80\\x8b"}, /* zero width */
        {"\xe2\x81\xa6", "\\xe2\\x81\\xa6"}, /* LRI */
        {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"}, /* BOM */
        {"\xc0\xaf", "\\xc0\\xaf"},          /* overlong */
        {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc3", "\\xc3"},
        {"\xc3(", "\\xc3("},
        {"\xe2\x82", "\\xe2\\x82"},
        {"\x80", "\\x80"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].in);
        char *block = malloc(len);
        memcpy(block, rows[i].in, len);
        text_safe(&t, view_of(block, len));
        free(block);
        assert_text(rows[i].out);
    }
    text_safe(&t, view_of("a\0b", 3));
    assert_text("a\\x00b");
}

/* Every two-byte input: the result is printable ASCII or valid UTF-8. */
static void no_input_yields_a_control(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 65536; n++) {
        uint8_t in[2] = {(uint8_t)(n >> 8), (uint8_t)n};
        TEXT_OF(&t, buf);
        text_safe(&t, VIEW_ARRAY(in));
        for (size_t i = 0; i < t.len; i++) {
            uint8_t c = (uint8_t)buf[i];
            assert_true(c >= 0x20 && c != 0x7f);
        }
        if (in[0] == 0xc2)
            assert_true(in[1] < 0xa0 || in[1] > 0xbf ? buf[0] == '\\' : true);
    }
}

static void time_is_rfc_3339(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {999, "1970-01-01T00:00:00Z"},
        {-1, "1969-12-31T23:59:59Z"},
        {951782400000, "2000-02-29T00:00:00Z"},
        {951868799999, "2000-02-29T23:59:59Z"},
        {1078012800000, "2004-02-29T00:00:00Z"},
        {1795228496000, "2026-11-21T02:34:56Z"},
        {4107542400000, "2100-03-01T00:00:00Z"},
        {253402300799000, "9999-12-31T23:59:59Z"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        text_time(&t, rows[i].ms);
        assert_text(rows[i].text);
    }
}

static void a_time_is_taken_as_it_is_written(void **state)
{
    static const char *const bad[] = {
        "",
        "2026-11-21",
        "2026-11-21T02:34:56",
        "2026-11-21T02:34:56z",
        "2026-11-21 02:34:56Z",
        "2026-11-21T02:34:56ZZ",
        "2026-11-21T02:34:56.1Z",
        "2026-11-21T02:34:56+00:00",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "0000-12-31T00:00:00Z",
        "-026-01-01T00:00:00Z",
        "20 6-01-01T00:00:00Z",
    };
    int64_t ms;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ms = 7;
        assert_int_equal(text_parse_time(view_str(bad[i]), &ms), ERR_RANGE);
        assert_true(ms == 7);
    }
    /* A prime number of seconds apart, from the year 1 on. */
    for (int64_t at = -62135596800000; at < 253402300800000;
         at += 86028121 * INT64_C(1000)) {
        TEXT_OF(&t, buf);
        text_time(&t, at);
        assert_int_equal(text_parse_time(text_done(&t), &ms), OK);
        assert_true(ms == at);
    }
}

static void only_whole_numbers_in_range_are_taken(void **state)
{
    static const char *const bad[] = {
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        "0x1",
        "1.0",
        "a",
        "18446744073709551616",
        "99999999999999999999999",
    };
    uint64_t n = 7;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(text_parse_u64(view_str(bad[i]), UINT64_MAX, &n),
                         ERR_RANGE);
    assert_int_equal(text_parse_u64(view_str("101"), 100, &n), ERR_RANGE);
    assert_int_equal(n, 7);
    assert_int_equal(text_parse_u64(view_str("100"), 100, &n), OK);
    assert_int_equal(n, 100);
    assert_int_equal(
        text_parse_u64(view_str("18446744073709551615"), UINT64_MAX, &n), OK);
    assert_true(n == UINT64_MAX);
    assert_int_equal(text_parse_u64(view_str("007"), 100, &n), OK);
    assert_int_equal(n, 7);
}

static void durations_have_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        {"250ms", 250},    {"30s", 30000}, {"5m", 300000}, {"24h", 86400000},
        {"7d", 604800000}, {"15", 15000},  {"0", 0},
    };
    static const char *const bad[] = {
        "",   "s",    "5 m", "5M",  "-1s",
        "1w", "1.5h", "5ss", "ms5", "18446744073709551615d"};
    uint64_t ms = 7;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(text_parse_duration(view_str(bad[i]), &ms), ERR_RANGE);
    assert_int_equal(ms, 7);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(text_parse_duration(view_str(good[i].text), &ms), OK);
        assert_int_equal(ms, good[i].ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pieces_are_appended, setup),
        cmocka_unit_test_setup(numbers_are_decimal, setup),
        cmocka_unit_test_setup(bytes_are_hex, setup),
        cmocka_unit_test_setup(a_hex_digit_has_a_value, setup),
        cmocka_unit_test_setup(blanks_are_nothing_to_see, setup),
        cmocka_unit_test_setup(padding_counts_characters, setup),
        cmocka_unit_test_setup(a_full_buffer_is_cut_at_every_size, setup),
        cmocka_unit_test_setup(remote_text_cannot_move_the_cursor, setup),
        cmocka_unit_test_setup(no_input_yields_a_control, setup),
        cmocka_unit_test_setup(time_is_rfc_3339, setup),
        cmocka_unit_test_setup(a_time_is_taken_as_it_is_written, setup),
        cmocka_unit_test_setup(only_whole_numbers_in_range_are_taken, setup),
        cmocka_unit_test_setup(durations_have_units, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
