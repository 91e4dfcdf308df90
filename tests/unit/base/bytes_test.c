/* Views stay inside, cursors take all or nothing. Inputs stand in blocks of
 * their exact size, so that the sanitizer sees one byte too many. */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void views_compare_by_bytes(void **state)
{
    (void)state;
    assert_true(view_eq(VIEW_NONE, view_of("x", 0)));
    assert_true(view_eq(view_str("abc"), view_of("abcd", 3)));
    assert_false(view_eq(view_str("abc"), view_str("abd")));
    assert_false(view_eq(view_str("abc"), view_str("ab")));
    assert_true(view_is(view_of("a\0b", 1), "a"));
    assert_false(view_is(view_of("a\0b", 3), "a"));
    assert_true(view_starts(view_str("abc"), view_str("ab")));
    assert_true(view_starts(view_str("abc"), VIEW_NONE));
    assert_false(view_starts(view_str("ab"), view_str("abc")));
}

static void parts_are_clipped_to_the_view(void **state)
{
    struct view v = view_str("abc");
    (void)state;
    assert_true(view_is(view_from(v, 0), "abc"));
    assert_true(view_is(view_from(v, 2), "c"));
    assert_int_equal(view_from(v, 3).len, 0);
    assert_int_equal(view_from(v, SIZE_MAX).len, 0);
    assert_ptr_equal(view_from(v, SIZE_MAX).ptr, v.ptr + 3);
    assert_true(view_is(view_first(v, 2), "ab"));
    assert_true(view_is(view_first(v, SIZE_MAX), "abc"));
    assert_int_equal(view_from(VIEW_NONE, 5).len, 0);
    assert_int_equal(view_first(VIEW_NONE, 5).len, 0);
}

static void the_first_byte_is_found(void **state)
{
    (void)state;
    assert_int_equal(view_find(view_str("abab"), 'b'), 1);
    assert_int_equal(view_find(view_str("abab"), 'c'), -1);
    assert_int_equal(view_find(view_of("\0\xff", 2), 0xff), 1);
    assert_int_equal(view_find(VIEW_NONE, 0), -1);
}

static void a_copy_is_whole_or_not_at_all(void **state)
{
    uint8_t out[3] = {9, 9, 9};
    (void)state;
    assert_int_equal(bytes_copy(SPAN_ARRAY(out), view_str("abcd")), ERR_FULL);
    assert_int_equal(out[0], 9);
    assert_int_equal(bytes_copy(SPAN_ARRAY(out), view_str("abc")), OK);
    assert_memory_equal(out, "abc", 3);
    assert_int_equal(bytes_copy((struct span){NULL, 0}, VIEW_NONE), OK);
}

static void a_string_is_cut_and_terminated(void **state)
{
    char out[4];
    (void)state;
    assert_int_equal(bytes_to_str(out, sizeof(out), view_str("abcdef")), 3);
    assert_string_equal(out, "abc");
    assert_int_equal(bytes_to_str(out, sizeof(out), VIEW_NONE), 0);
    assert_string_equal(out, "");
    assert_int_equal(bytes_to_str(out, 1, view_str("x")), 0);
    assert_string_equal(out, "");
}

static void numbers_are_big_endian(void **state)
{
    static const uint8_t raw[] = {1, 2,    3,    4,    5,    6,    7,   8,
                                  9, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa};
    struct reader r = {VIEW_ARRAY(raw)};
    uint8_t a;
    uint16_t b;
    uint32_t c;
    uint64_t d;
    (void)state;
    assert_int_equal(read_u8(&r, &a), OK);
    assert_int_equal(read_u16(&r, &b), OK);
    assert_int_equal(read_u32(&r, &c), OK);
    assert_int_equal(read_u64(&r, &d), OK);
    assert_int_equal(a, 1);
    assert_int_equal(b, 0x0203);
    assert_int_equal(c, 0x04050607);
    assert_true(d == UINT64_C(0x0809fffefdfcfbfa));
    assert_int_equal(r.left.len, 0);
}

/* All readers, on every input that is too short by one or more. */
static void a_short_view_is_more_and_takes_nothing(void **state)
{
    (void)state;
    for (size_t len = 0; len < 8; len++) {
        uint8_t *block = malloc(len + (len == 0));
        uint8_t u8 = 7;
        uint16_t u16 = 7;
        uint32_t u32 = 7;
        uint64_t u64 = 7;
        uint8_t copy[9] = {7};
        struct view v = {NULL, 7};
        memset(block, 0xaa, len + (len == 0));
        struct reader r = {view_of(block, len)};
        if (len < 1)
            assert_int_equal(read_u8(&r, &u8), ERR_MORE);
        if (len < 2)
            assert_int_equal(read_u16(&r, &u16), ERR_MORE);
        if (len < 4)
            assert_int_equal(read_u32(&r, &u32), ERR_MORE);
        assert_int_equal(read_u64(&r, &u64), ERR_MORE);
        assert_int_equal(read_bytes(&r, len + 1, &v), ERR_MORE);
        assert_int_equal(read_bytes(&r, SIZE_MAX, &v), ERR_MORE);
        assert_int_equal(read_copy(&r, copy, len + 1), ERR_MORE);
        assert_int_equal(r.left.len, len);
        assert_true(u8 == 7 && u16 == 7 && u32 == 7 && u64 == 7 && v.len == 7);
        assert_int_equal(copy[0], 7);
        assert_int_equal(read_bytes(&r, len, &v), OK);
        assert_int_equal(v.len, len);
        free(block);
    }
}

static void a_copy_is_read_and_the_rest_is_left(void **state)
{
    struct reader r = {view_str("abcd")};
    uint8_t copy[4] = {'.', '.', '.', '.'};
    (void)state;
    assert_int_equal(read_copy(&r, copy, 3), OK);
    assert_memory_equal(copy, "abc.", 4);
    assert_true(view_is(r.left, "d"));
}

static void what_is_written_is_read(void **state)
{
    uint8_t buf[18];
    struct writer w;
    (void)state;
    writer_init(&w, SPAN_ARRAY(buf));
    write_u8(&w, 0x12);
    write_u16(&w, 0x3456);
    write_u32(&w, 0x789abcde);
    write_u64(&w, UINT64_C(0xf011223344556677));
    write_str(&w, "end");
    assert_int_equal(w.err, OK);
    assert_memory_equal(buf,
                        "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x11\x22\x33\x44"
                        "\x55\x66\x77"
                        "end",
                        18);
    assert_int_equal(writer_view(&w).len, 18);
}

/* Whatever the size: nothing is written beyond it, the first overflow is
 * kept, and a later piece that would fit is not taken. */
static void an_overflow_is_kept(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 18; cap++) {
        uint8_t *block = malloc(cap + (cap == 0));
        struct writer w;
        writer_init(&w, (struct span){block, cap});
        write_u64(&w, 1);
        write_u64(&w, 2);
        write_u16(&w, 3);
        assert_int_equal(w.err, ERR_FULL);
        size_t len = w.len;
        assert_int_equal(len, cap < 8 ? 0 : cap < 16 ? 8 : 16);
        write_u8(&w, 4);
        write_bytes(&w, VIEW_NONE);
        assert_int_equal(w.err, ERR_FULL);
        assert_int_equal(w.len, len);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_compare_by_bytes),
        cmocka_unit_test(parts_are_clipped_to_the_view),
        cmocka_unit_test(the_first_byte_is_found),
        cmocka_unit_test(a_copy_is_whole_or_not_at_all),
        cmocka_unit_test(a_string_is_cut_and_terminated),
        cmocka_unit_test(numbers_are_big_endian),
        cmocka_unit_test(a_short_view_is_more_and_takes_nothing),
        cmocka_unit_test(a_copy_is_read_and_the_rest_is_left),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(an_overflow_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
