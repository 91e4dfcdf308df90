/* Cookies out of headers, and the line that sets ours. */
#include "codec/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/cuts.h"

static int get(const char *header, const char *name, struct view *out)
{
    return cookie_get(cuts_guarded(view_str(header)), name, out);
}

static void assert_cookie(const char *header, const char *want)
{
    struct view v = VIEW_NONE;
    assert_int_equal(get(header, "cmdop", &v), OK);
    assert_true(view_is(v, want));
}

static void a_cookie_is_found_among_others(void **state)
{
    (void)state;
    assert_cookie("cmdop=abc", "abc");
    assert_cookie("a=1; cmdop=abc; b=2", "abc");
    assert_cookie("a=1;cmdop=abc;b=2", "abc");
    assert_cookie("cmdop=", "");
    assert_cookie("cmdop=a=b", "a=b");
    assert_cookie("bad; \"x\"=\x01; cmdop=abc ;", "abc");
    assert_cookie("xcmdop=1; cmdop=abc; cmdopx=2", "abc");
}

static void an_absent_cookie_is_not_found(void **state)
{
    struct view v;
    (void)state;
    assert_int_equal(get("", "cmdop", &v), ERR_NOT_FOUND);
    assert_int_equal(get("a=cmdop=1", "cmdop", &v), ERR_NOT_FOUND);
    assert_int_equal(get("CMDOP=1", "cmdop", &v), ERR_NOT_FOUND);
    assert_int_equal(get("cmdop", "cmdop", &v), ERR_NOT_FOUND);
    assert_int_equal(get(";;;", "cmdop", &v), ERR_NOT_FOUND);
}

static void a_cookie_that_comes_twice_was_planted(void **state)
{
    struct view v;
    (void)state;
    assert_int_equal(get("cmdop=a; cmdop=b", "cmdop", &v), ERR_PROTO);
    assert_int_equal(get("cmdop=a; x=1; cmdop=a", "cmdop", &v), ERR_PROTO);
}

static void bytes_that_no_value_may_have_are_refused(void **state)
{
    static const char *const headers[] = {"cmdop=\"a\"",    "cmdop=a b",
                                          "cmdop=a,b",      "cmdop=\\",
                                          "cmdop=\xc3\xa4", "cmdop=a\x01"};
    struct view v;
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        assert_int_equal(get(headers[i], "cmdop", &v), ERR_PROTO);
}

static void a_header_cut_short_never_reads_too_far(void **state)
{
    const struct view header = view_str("a=1; cmdop=abc; b=\"2\"");
    struct view v;
    (void)state;
    for (size_t cut = 0; cut <= header.len; cut++)
        (void)cookie_get(cuts_guarded(view_first(header, cut)), "cmdop", &v);
}

static void ours_is_strict(void **state)
{
    char buf[256];
    struct text t;
    (void)state;
    TEXT_OF(&t, buf);
    cookie_set(&t, "__Host-cmdop", "abc", true, 43200);
    assert_string_equal(buf, "__Host-cmdop=abc; Path=/; Max-Age=43200; "
                             "HttpOnly; SameSite=Strict; Secure");
    TEXT_OF(&t, buf);
    cookie_set(&t, "cmdop", "", false, 0);
    assert_string_equal(buf, "cmdop=; Path=/; Max-Age=0; HttpOnly; "
                             "SameSite=Strict");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cookie_is_found_among_others),
        cmocka_unit_test(an_absent_cookie_is_not_found),
        cmocka_unit_test(a_cookie_that_comes_twice_was_planted),
        cmocka_unit_test(bytes_that_no_value_may_have_are_refused),
        cmocka_unit_test(a_header_cut_short_never_reads_too_far),
        cmocka_unit_test(ours_is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
