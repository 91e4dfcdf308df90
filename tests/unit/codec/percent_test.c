/* gRPC's percent-encoding: both ways, and what it leaves alone. */
#include "codec/percent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(void (*code)(struct text *, struct view),
                        struct view in, const char *want)
{
    char buf[1024];
    struct text t;
    TEXT_OF(&t, buf);
    code(&t, in);
    assert_true(view_is(text_done(&t), want));
}

static void plain_text_stays(void **state)
{
    static const char text[] = "No such machine: \"web-1\" (~)";
    (void)state;
    assert_text(percent_encode, view_str(text), text);
    assert_text(percent_decode, view_str(text), text);
}

static void other_bytes_are_hex(void **state)
{
    (void)state;
    assert_text(percent_encode, view_str("100%\n\xc3\xa4\x7f"),
                "100%25%0a%c3%a4%7f");
    assert_text(percent_decode, view_str("100%25%0A%C3%a4"), "100%\n\xc3\xa4");
}

static void broken_escapes_stand_for_themselves(void **state)
{
    static const char *const rows[] = {"%", "%4", "%zz", "%%", "a%g1", "%1"};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_text(percent_decode, view_str(rows[i]), rows[i]);
    assert_text(percent_decode, view_str("%%41"), "%A");
}

static void every_byte_comes_back(void **state)
{
    char buf[1024], again[512];
    uint8_t all[256];
    struct text t, back;
    (void)state;
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    TEXT_OF(&t, buf);
    TEXT_OF(&back, again);
    percent_encode(&t, VIEW_ARRAY(all));
    percent_decode(&back, text_done(&t));
    assert_true(view_eq(text_done(&back), VIEW_ARRAY(all)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays),
        cmocka_unit_test(other_bytes_are_hex),
        cmocka_unit_test(broken_escapes_stand_for_themselves),
        cmocka_unit_test(every_byte_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
