/* Base32: the vectors of RFC 4648, 10, without their padding. */
#include "codec/base32.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/cuts.h"

static const struct {
    const char *bytes, *text;
} VECTORS[] = {
    {"", ""},
    {"f", "MY"},
    {"fo", "MZXQ"},
    {"foo", "MZXW6"},
    {"foob", "MZXW6YQ"},
    {"fooba", "MZXW6YTB"},
    {"foobar", "MZXW6YTBOI"},
};

#define VECTORS_COUNT (sizeof VECTORS / sizeof VECTORS[0])

static void the_vectors_of_the_rfc_hold_both_ways(void **state)
{
    uint8_t buf[64];
    struct writer w;
    (void)state;
    for (size_t i = 0; i < VECTORS_COUNT; i++) {
        struct view bytes = view_str(VECTORS[i].bytes);
        writer_init(&w, SPAN_ARRAY(buf));
        base32_write(&w, bytes);
        assert_true(view_is(writer_view(&w), VECTORS[i].text));
        assert_int_equal(w.len, BASE32_LEN(bytes.len));
        struct view text = cuts_guarded(view_str(VECTORS[i].text));
        assert_int_equal(base32_decode(text, SPAN_ARRAY(buf)), bytes.len);
        assert_memory_equal(buf, bytes.ptr, bytes.len);
    }
}

static void other_texts_are_refused(void **state)
{
    static const char *const texts[] = {
        "M",  "MZX", "MZXW6Y", "MY======", "my",  "MZ",   "M1",
        "M8", "M0",  "M=",     "M Y",      "MY ", "MZXR", "\xff\xff",
    };
    uint8_t buf[64];
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(
            base32_decode(cuts_guarded(view_str(texts[i])), SPAN_ARRAY(buf)),
            ERR_PROTO);
}

static void room_that_is_short_is_noticed(void **state)
{
    uint8_t buf[5];
    (void)state;
    assert_int_equal(base32_decode(view_str("MZXW6YTBOI"), SPAN_ARRAY(buf)),
                     ERR_FULL);
    assert_int_equal(base32_decode(view_str("MZXW6YTB"), SPAN_ARRAY(buf)), 5);
}

static void what_people_type_is_made_straight(void **state)
{
    char buf[32];
    struct text t;
    (void)state;
    TEXT_OF(&t, buf);
    base32_typed(&t, view_str("mzxw-6ytb oi"));
    assert_string_equal(buf, "MZXW6YTBOI");
    TEXT_OF(&t, buf);
    base32_typed(&t, view_str("a\xc3\xa4=1"));
    assert_string_equal(buf, "A\xc3\xa4=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc_hold_both_ways),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(room_that_is_short_is_noticed),
        cmocka_unit_test(what_people_type_is_made_straight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
