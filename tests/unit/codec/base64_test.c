/* Base64: the vectors of RFC 4648, and the strictness base64.h promises. */
#include "codec/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

/* Decode from and into blocks of the exact size, so that ASan sees a step
 * outside; returns base64_decode's answer and keeps the bytes in `out`. */
static int decode(enum base64_form form, const char *text, size_t cap,
                  uint8_t *out)
{
    size_t len = strlen(text);
    uint8_t *in = malloc(len + (len == 0));
    uint8_t *block = malloc(cap + (cap == 0));

    assert_non_null(in);
    assert_non_null(block);
    memcpy(in, text, len);
    int n = base64_decode(form, view_of(in, len), (struct span){block, cap});
    if (n > 0)
        memcpy(out, block, (size_t)n);
    free(in);
    free(block);
    return n;
}

static void assert_pair(enum base64_form form, const char *text,
                        struct view bytes)
{
    uint8_t buf[256];
    struct writer w;

    writer_init(&w, SPAN_ARRAY(buf));
    base64_write(&w, form, bytes);
    assert_int_equal(w.err, OK);
    assert_true(view_is(writer_view(&w), text));
    assert_int_equal(base64_len(form, bytes.len), w.len);
    assert_int_equal(decode(form, text, bytes.len, buf), bytes.len);
    assert_true(view_eq(view_of(buf, bytes.len), bytes));
}

static void rfc4648_vectors_hold_in_both_forms(void **state)
{
    static const struct {
        const char *bytes, *std, *url;
    } rows[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_pair(BASE64_STD, rows[i].std, view_str(rows[i].bytes));
        assert_pair(BASE64_URL, rows[i].url, view_str(rows[i].bytes));
    }
}

static void every_digit_keeps_its_place(void **state)
{
    /* The 64 digits in order are 48 bytes: 00 10 83 10 51 87 20 92 8b ... */
    static const uint8_t head[] = {0x00, 0x10, 0x83, 0x10, 0x51,
                                   0x87, 0x20, 0x92, 0x8b};
    static const char std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                              "stuvwxyz0123456789+/";
    uint8_t out[48];

    (void)state;
    assert_int_equal(decode(BASE64_STD, std, sizeof out, out), 48);
    assert_memory_equal(out, head, sizeof head);
    assert_pair(BASE64_STD, std, VIEW_ARRAY(out));
    assert_pair(BASE64_URL,
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                "stuvwxyz0123456789-_",
                VIEW_ARRAY(out));
}

static void every_length_comes_back(void **state)
{
    uint8_t bytes[100], text[200], out[100];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 167 + 91);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        for (int form = BASE64_STD; form <= BASE64_URL; form++) {
            struct writer w;
            writer_init(&w, SPAN_ARRAY(text));
            base64_write(&w, (enum base64_form)form, view_of(bytes, len));
            assert_int_equal(w.len, base64_len((enum base64_form)form, len));
            int n = base64_decode((enum base64_form)form, writer_view(&w),
                                  SPAN_ARRAY(out));
            assert_int_equal(n, len);
            assert_memory_equal(out, bytes, len);
        }
    }
}

static void texts_that_are_not_canonical_are_refused(void **state)
{
    static const char *const std[] = {
        "Zg",         "Zg=",  "Zg===",  "Z===",   "====",
        "=",          "==",   "Zh==",   "Zm9=",   "Zm8=Zm8=",
        "Zg==Zg==",   "Zm 8", "Zm8=\n", "\nZm8=", "Zm9v\n",
        "Zm9v Zm9v",  "Zm9-", "Zm9_",   "Z=m8",   "Zm9v====",
        "Zm\xc3\xa9", "Zm9",  "A",      "AAAAA",  "Zm8\t",
    };
    static const char *const url[] = {
        "Zg==", "Zm8=",  "Zh",   "Zm9",  "A",     "AAAAA", "Zm8 ",
        " Zm8", "Zm8\n", "Zm9+", "Zm9/", "Zm9v=", "=",     "Zm9v\r\n",
    };
    uint8_t out[64];

    (void)state;
    for (size_t i = 0; i < sizeof std / sizeof std[0]; i++)
        assert_int_equal(decode(BASE64_STD, std[i], 64, out), ERR_PROTO);
    for (size_t i = 0; i < sizeof url / sizeof url[0]; i++)
        assert_int_equal(decode(BASE64_URL, url[i], 64, out), ERR_PROTO);
}

static void a_nul_inside_is_refused(void **state)
{
    uint8_t out[8];
    (void)state;
    assert_int_equal(
        base64_decode(BASE64_STD, view_of("Zm\0v", 4), SPAN_ARRAY(out)),
        ERR_PROTO);
}

static void only_64_bytes_are_digits(void **state)
{
    uint8_t text[4] = {'A', 'A', 'A', 'A'}, out[3];
    int good[2] = {0, 0};

    (void)state;
    for (int form = BASE64_STD; form <= BASE64_URL; form++) {
        for (int c = 0; c < 256; c++) {
            text[0] = (uint8_t)c;
            good[form] += base64_decode((enum base64_form)form,
                                        VIEW_ARRAY(text), SPAN_ARRAY(out)) == 3;
        }
        assert_int_equal(good[form], 64);
    }
}

static void a_short_output_is_full(void **state)
{
    uint8_t out[8];

    (void)state;
    for (size_t cap = 0; cap < 6; cap++) {
        assert_int_equal(decode(BASE64_STD, "Zm9vYmFy", cap, out), ERR_FULL);
        assert_int_equal(decode(BASE64_URL, "Zm9vYmFy", cap, out), ERR_FULL);
    }
    assert_int_equal(decode(BASE64_STD, "Zm9vYmFy", 6, out), 6);
    assert_int_equal(
        base64_decode(BASE64_STD, VIEW_NONE, (struct span){NULL, 0}), 0);
}

static void a_short_writer_keeps_full(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 8; cap++) {
        uint8_t *buf = malloc(cap + (cap == 0));
        struct writer w;
        assert_non_null(buf);
        writer_init(&w, (struct span){buf, cap});
        base64_write(&w, BASE64_STD, view_str("foobar"));
        assert_int_equal(w.err, ERR_FULL);
        free(buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc4648_vectors_hold_in_both_forms),
        cmocka_unit_test(every_digit_keeps_its_place),
        cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(texts_that_are_not_canonical_are_refused),
        cmocka_unit_test(a_nul_inside_is_refused),
        cmocka_unit_test(only_64_bytes_are_digits),
        cmocka_unit_test(a_short_output_is_full),
        cmocka_unit_test(a_short_writer_keeps_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
