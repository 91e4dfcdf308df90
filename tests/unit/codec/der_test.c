/*
 * DER and PEM against vectors derived by hand from X.690, RFC 5280 and RFC
 * 7468. Output blocks have the exact size, so that ASan sees an overrun.
 */
#include "codec/der.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static uint8_t buf[1 << 17];

#define BYTES(...)                          \
    view_of((const uint8_t[]){__VA_ARGS__}, \
            sizeof((const uint8_t[]){__VA_ARGS__}))

static struct writer fresh(void)
{
    struct writer w;
    writer_init(&w, SPAN_ARRAY(buf));
    return w;
}

static void assert_wrote(const struct writer *w, struct view want)
{
    assert_int_equal(w->err, OK);
    assert_int_equal(w->len, want.len);
    assert_memory_equal(w->buf.ptr, want.ptr, want.len);
}

static void assert_integer(struct view in, struct view want)
{
    struct writer w = fresh();
    der_integer(&w, in);
    assert_wrote(&w, want);
}

static void integers_are_positive_and_minimal(void **state)
{
    (void)state;
    assert_integer(VIEW_NONE, BYTES(2, 1, 0));
    assert_integer(BYTES(0), BYTES(2, 1, 0));
    assert_integer(BYTES(0, 0, 0), BYTES(2, 1, 0));
    assert_integer(BYTES(1), BYTES(2, 1, 1));
    assert_integer(BYTES(0x7f), BYTES(2, 1, 0x7f));
    assert_integer(BYTES(0x80), BYTES(2, 2, 0, 0x80));
    assert_integer(BYTES(0, 0, 0x80), BYTES(2, 2, 0, 0x80));
    assert_integer(BYTES(1, 0), BYTES(2, 2, 1, 0));
    assert_integer(BYTES(0xff, 0xff), BYTES(2, 3, 0, 0xff, 0xff));
}

static void assert_oid(const char *dotted, struct view want)
{
    struct writer w = fresh();
    der_oid(&w, dotted);
    assert_wrote(&w, want);
}

static void oids_are_base_128(void **state)
{
    (void)state;
    assert_oid("0.0", BYTES(6, 1, 0));
    assert_oid("1.39", BYTES(6, 1, 79));
    assert_oid("2.5.29.19", BYTES(6, 3, 0x55, 0x1d, 0x13));
    /* 113549 is 6 * 128^2 + 119 * 128 + 13 */
    assert_oid("1.2.840.113549",
               BYTES(6, 6, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d));
    assert_oid("1.2.840.10045.4.3.2",
               BYTES(6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2));
    /* X.690, 8.19.5 */
    assert_oid("2.999.3", BYTES(6, 3, 0x88, 0x37, 3));
    assert_oid("2.5.127.128", BYTES(6, 4, 0x55, 0x7f, 0x81, 0));
    assert_oid("2.5.4294967215",
               BYTES(6, 6, 0x55, 0x8f, 0xff, 0xff, 0xff, 0x2f));
}

static void booleans_are_ff_or_zero(void **state)
{
    struct writer w = fresh();

    (void)state;
    der_boolean(&w, true);
    der_boolean(&w, false);
    assert_wrote(&w, BYTES(1, 1, 0xff, 1, 1, 0));
}

static void strings_carry_their_tag(void **state)
{
    struct writer w = fresh();

    (void)state;
    der_put(&w, DER_UTF8, view_str("hi"));
    der_put(&w, DER_PRINTABLE, view_str("A"));
    der_put(&w, DER_OCTET_STRING, VIEW_NONE);
    der_put(&w, DER_IMPLICIT(2), view_str("x"));
    der_bits(&w, BYTES(0xa5, 0x01));
    assert_wrote(&w, BYTES(0x0c, 2, 'h', 'i', 0x13, 1, 'A', 4, 0, 0x82, 1, 'x',
                           3, 3, 0, 0xa5, 1));
}

static void named_bits_drop_their_zeros(void **state)
{
    struct writer w = fresh();

    (void)state;
    der_named_bits(&w, 0x80);
    der_named_bits(&w, 0x06);
    der_named_bits(&w, 0x01);
    der_named_bits(&w, 0xff);
    der_named_bits(&w, 0);
    assert_wrote(&w, BYTES(3, 2, 7, 0x80, 3, 2, 1, 6, 3, 2, 0, 1, 3, 2, 0, 0xff,
                           3, 1, 0));
}

static void constructed_elements_nest(void **state)
{
    struct writer w = fresh();

    (void)state;
    size_t seq = der_open(&w, DER_SEQUENCE);
    size_t set = der_open(&w, DER_SET);
    der_boolean(&w, true);
    der_close(&w, set);
    size_t tag = der_open(&w, DER_EXPLICIT(3));
    der_integer(&w, BYTES(5));
    der_close(&w, tag);
    der_close(&w, seq);
    assert_wrote(&w, BYTES(0x30, 10, 0x31, 3, 1, 1, 0xff, 0xa3, 3, 2, 1, 5));
}

/* The head of an octet string of `len` bytes, and that its content stays. */
static void assert_head(size_t len, struct view head)
{
    static uint8_t content[DER_CONTENT_MAX];
    struct writer w = fresh();

    for (size_t i = 0; i < len; i++)
        content[i] = (uint8_t)(i * 31 + 7);
    der_put(&w, DER_OCTET_STRING, view_of(content, len));
    assert_int_equal(w.err, OK);
    assert_int_equal(w.len, head.len + len);
    assert_memory_equal(buf, head.ptr, head.len);
    assert_memory_equal(buf + head.len, content, len);
}

static void lengths_are_minimal(void **state)
{
    (void)state;
    assert_head(0, BYTES(4, 0));
    assert_head(127, BYTES(4, 127));
    assert_head(128, BYTES(4, 0x81, 128));
    assert_head(255, BYTES(4, 0x81, 255));
    assert_head(256, BYTES(4, 0x82, 1, 0));
    assert_head(65535, BYTES(4, 0x82, 0xff, 0xff));
}

static void content_beyond_two_length_bytes_is_full(void **state)
{
    static const uint8_t content[DER_CONTENT_MAX + 1];
    struct writer w = fresh();

    (void)state;
    size_t seq = der_open(&w, DER_SEQUENCE);
    write_bytes(&w, VIEW_ARRAY(content));
    assert_int_equal(w.err, OK);
    der_close(&w, seq);
    assert_int_equal(w.err, ERR_FULL);
}

static void assert_time(uint64_t unix_s, uint8_t tag, const char *text)
{
    struct writer w = fresh();
    size_t len = strlen(text);

    der_time(&w, unix_s);
    assert_int_equal(w.err, OK);
    assert_int_equal(w.len, len + 2);
    assert_int_equal(buf[0], tag);
    assert_int_equal(buf[1], len);
    assert_memory_equal(buf + 2, text, len);
}

static void times_change_form_at_2050(void **state)
{
    (void)state;
    assert_time(0, DER_UTC_TIME, "700101000000Z");
    assert_time(946684799, DER_UTC_TIME, "991231235959Z");
    assert_time(946684800, DER_UTC_TIME, "000101000000Z");
    assert_time(951782400, DER_UTC_TIME, "000229000000Z");
    assert_time(951868800, DER_UTC_TIME, "000301000000Z");
    assert_time(1234567890, DER_UTC_TIME, "090213233130Z");
    assert_time(1709164800, DER_UTC_TIME, "240229000000Z");
    assert_time(2524607999, DER_UTC_TIME, "491231235959Z");
    assert_time(2524608000, DER_GENERAL_TIME, "20500101000000Z");
    assert_time(4107542399, DER_GENERAL_TIME, "21000228235959Z");
    assert_time(4107542400, DER_GENERAL_TIME, "21000301000000Z");
    assert_time(DER_TIME_MAX_S, DER_GENERAL_TIME, "99991231235959Z");
}

/* A naive calendar, day by day, beside der_time. */
static void every_day_to_2400_agrees_with_a_calendar(void **state)
{
    static const uint32_t len[] = {31, 28, 31, 30, 31, 30,
                                   31, 31, 30, 31, 30, 31};
    uint64_t unix_s = 0;

    (void)state;
    for (uint32_t y = 1970; y <= 2400; y++) {
        bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
        for (uint32_t m = 0; m < 12; m++) {
            for (uint32_t d = 1; d <= len[m] + (leap && m == 1); d++) {
                struct writer w = fresh();
                der_time(&w, unix_s);
                const uint8_t *p = buf + (y < 2050 ? 2 : 4);
                assert_int_equal((p[0] - '0') * 10 + p[1] - '0', y % 100);
                assert_int_equal((p[2] - '0') * 10 + p[3] - '0', m + 1);
                assert_int_equal((p[4] - '0') * 10 + p[5] - '0', d);
                unix_s += 86400;
            }
        }
    }
}

/* One of everything, with a long content that has to be moved. */
static void write_sample(struct writer *w)
{
    static const uint8_t body[200] = {9};
    size_t seq = der_open(w, DER_SEQUENCE);
    der_integer(w, BYTES(0x80));
    der_oid(w, "1.2.840.10045.2.1");
    der_boolean(w, true);
    der_named_bits(w, 6);
    der_bits(w, BYTES(1, 2));
    der_time(w, 0);
    der_put(w, DER_OCTET_STRING, VIEW_ARRAY(body));
    der_close(w, seq);
}

static void every_short_span_is_full_and_not_overrun(void **state)
{
    struct writer w = fresh();

    (void)state;
    write_sample(&w);
    assert_int_equal(w.err, OK);
    for (size_t cap = 0; cap <= w.len; cap++) {
        uint8_t *block = malloc(cap + (cap == 0));
        struct writer cut;
        assert_non_null(block);
        writer_init(&cut, (struct span){cap == 0 ? NULL : block, cap});
        write_sample(&cut);
        assert_int_equal(cut.err, cap < w.len ? ERR_FULL : OK);
        assert_true(cut.len <= cap);
        free(block);
    }
}

/* PEM */

#define TEST_BEGIN "-----BEGIN TEST-----\n"
#define TEST_END   "-----END TEST-----\n"
#define A_8        "AAAAAAAA"
#define LINE_OF_A  A_8 A_8 A_8 A_8 A_8 A_8 A_8 A_8

_Static_assert(sizeof LINE_OF_A == 64 + 1, "a full line");

static int from_pem(struct view text, size_t cap)
{
    uint8_t *in = malloc(text.len + (text.len == 0));
    uint8_t *out = malloc(cap + (cap == 0));

    assert_non_null(in);
    assert_non_null(out);
    if (text.len > 0)
        memcpy(in, text.ptr, text.len);
    int n = der_from_pem(view_of(in, text.len), "TEST",
                         (struct span){cap == 0 ? NULL : out, cap});
    if (n > 0)
        memcpy(buf, out, (size_t)n);
    free(in);
    free(out);
    return n;
}

static void assert_pem(struct view der, const char *text)
{
    static uint8_t out[1024];
    struct writer w;

    writer_init(&w, SPAN_ARRAY(out));
    der_to_pem(&w, "TEST", der);
    assert_int_equal(w.err, OK);
    assert_true(view_is(writer_view(&w), text));
    assert_int_equal(from_pem(writer_view(&w), der.len), der.len);
    assert_memory_equal(buf, der.ptr, der.len);
}

static void pem_breaks_lines_at_64(void **state)
{
    static const uint8_t zeros[97];

    (void)state;
    assert_pem(view_str("f"), TEST_BEGIN "Zg==\n" TEST_END);
    assert_pem(view_of(zeros, 47),
               TEST_BEGIN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                          "AAAAAAAAAAA=\n" TEST_END);
    assert_pem(view_of(zeros, 48), TEST_BEGIN LINE_OF_A "\n" TEST_END);
    assert_pem(view_of(zeros, 49), TEST_BEGIN LINE_OF_A "\nAA==\n" TEST_END);
    assert_pem(view_of(zeros, 96),
               TEST_BEGIN LINE_OF_A "\n" LINE_OF_A "\n" TEST_END);
    assert_pem(view_of(zeros, 97),
               TEST_BEGIN LINE_OF_A "\n" LINE_OF_A "\nAA==\n" TEST_END);
}

static void pem_takes_crlf_and_a_last_line_without_end(void **state)
{
    (void)state;
    assert_int_equal(from_pem(view_str("-----BEGIN TEST-----\r\nZm9v\r\n"
                                       "-----END TEST-----\r\n"),
                              3),
                     3);
    assert_memory_equal(buf, "foo", 3);
    assert_int_equal(from_pem(view_str(TEST_BEGIN "Zm9v\n"
                                                  "-----END TEST-----"),
                              3),
                     3);
}

static void pem_refuses_everything_else(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "Zm9v\n",
        TEST_BEGIN,
        TEST_BEGIN "Zm9v\n",
        TEST_BEGIN "Zm9v",
        TEST_BEGIN "Zm9v" TEST_END,
        TEST_BEGIN TEST_END,
        TEST_BEGIN "\n" TEST_END,
        TEST_BEGIN "\nZm9v\n" TEST_END,
        TEST_BEGIN "Zm9v\n\n" TEST_END,
        TEST_BEGIN "Zm9v\nZm9v\n" TEST_END,
        TEST_BEGIN "Zg==\nZg==\n" TEST_END,
        TEST_BEGIN "Zm9v \n" TEST_END,
        TEST_BEGIN " Zm9v\n" TEST_END,
        TEST_BEGIN "Zm9v\r\r\n" TEST_END,
        TEST_BEGIN "Zg\n" TEST_END,
        TEST_BEGIN "Zh==\n" TEST_END,
        TEST_BEGIN "Zm9-\n" TEST_END,
        TEST_BEGIN LINE_OF_A "AAAA\n" TEST_END,
        TEST_BEGIN "Proc-Type: 4,ENCRYPTED\n\nZm9v\n" TEST_END,
        TEST_BEGIN "Zm9v\n" TEST_END "\n",
        TEST_BEGIN "Zm9v\n" TEST_END " ",
        TEST_BEGIN "Zm9v\n" TEST_END TEST_BEGIN "Zm9v\n" TEST_END,
        "\n" TEST_BEGIN "Zm9v\n" TEST_END,
        "comment\n" TEST_BEGIN "Zm9v\n" TEST_END,
        " " TEST_BEGIN "Zm9v\n" TEST_END,
        "-----BEGIN TEST----- \nZm9v\n" TEST_END,
        "-----BEGIN TEST----\nZm9v\n" TEST_END,
        "-----BEGIN TESTS-----\nZm9v\n" TEST_END,
        "-----BEGIN  TEST-----\nZm9v\n" TEST_END,
        "-----BEGIN test-----\nZm9v\n" TEST_END,
        "-----BEGIN OTHER-----\nZm9v\n-----END OTHER-----\n",
        TEST_BEGIN "Zm9v\n-----END OTHER-----\n",
        TEST_BEGIN "Zm9v\n-----END TEST----\n",
        TEST_BEGIN "Zm9v\n-----END TEST------\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(from_pem(view_str(bad[i]), 256), ERR_PROTO);
}

static void pem_cut_anywhere_is_refused(void **state)
{
    const char *text = TEST_BEGIN LINE_OF_A "\nZm9v\n-----END TEST-----";

    (void)state;
    for (size_t len = 0; len < strlen(text); len++)
        assert_int_equal(from_pem(view_of(text, len), 256), ERR_PROTO);
    assert_int_equal(from_pem(view_str(text), 256), 51);
}

static void pem_into_a_short_span_is_full(void **state)
{
    struct view text = view_str(TEST_BEGIN LINE_OF_A "\nZm9v\n" TEST_END);

    (void)state;
    for (size_t cap = 0; cap < 51; cap++)
        assert_int_equal(from_pem(text, cap), ERR_FULL);
    assert_int_equal(from_pem(text, 51), 51);
}

static void pem_to_a_short_writer_is_full(void **state)
{
    static const uint8_t der[100] = {1};
    struct writer w = fresh();

    (void)state;
    der_to_pem(&w, "TEST", VIEW_ARRAY(der));
    for (size_t cap = 0; cap < w.len; cap++) {
        uint8_t *block = malloc(cap + (cap == 0));
        struct writer cut;
        assert_non_null(block);
        writer_init(&cut, (struct span){block, cap});
        der_to_pem(&cut, "TEST", VIEW_ARRAY(der));
        assert_int_equal(cut.err, ERR_FULL);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_positive_and_minimal),
        cmocka_unit_test(oids_are_base_128),
        cmocka_unit_test(booleans_are_ff_or_zero),
        cmocka_unit_test(strings_carry_their_tag),
        cmocka_unit_test(named_bits_drop_their_zeros),
        cmocka_unit_test(constructed_elements_nest),
        cmocka_unit_test(lengths_are_minimal),
        cmocka_unit_test(content_beyond_two_length_bytes_is_full),
        cmocka_unit_test(times_change_form_at_2050),
        cmocka_unit_test(every_day_to_2400_agrees_with_a_calendar),
        cmocka_unit_test(every_short_span_is_full_and_not_overrun),
        cmocka_unit_test(pem_breaks_lines_at_64),
        cmocka_unit_test(pem_takes_crlf_and_a_last_line_without_end),
        cmocka_unit_test(pem_refuses_everything_else),
        cmocka_unit_test(pem_cut_anywhere_is_refused),
        cmocka_unit_test(pem_into_a_short_span_is_full),
        cmocka_unit_test(pem_to_a_short_writer_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
