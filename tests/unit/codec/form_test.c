/* Forms as browsers and OAuth clients send them, and as nobody should. */
#include "codec/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/cuts.h"

static int get(const char *body, const char *name, char *out, size_t cap)
{
    return form_get(cuts_guarded(view_str(body)), name, out, cap);
}

static void assert_value(const char *body, const char *name, const char *want)
{
    char out[256];
    assert_int_equal(get(body, name, out, sizeof out), strlen(want));
    assert_string_equal(out, want);
}

static void values_are_found_by_name(void **state)
{
    (void)state;
    assert_value("a=1&b=2&c=3", "a", "1");
    assert_value("a=1&b=2&c=3", "c", "3");
    assert_value("aa=1&a=2", "a", "2");
    assert_value("a=&b=2", "a", "");
    assert_value("a=b=c", "a", "b=c");
}

static void escapes_and_blanks_are_decoded(void **state)
{
    (void)state;
    assert_value("a=one+two%20three", "a", "one two three");
    assert_value("a=%C3%A4%c3%bc", "a", "\xc3\xa4\xc3\xbc");
    assert_value("%61=x", "a", "x");
    assert_value("grant_type=urn%3Aietf%3Aparams", "grant_type",
                 "urn:ietf:params");
    assert_value("grant_type=urn:ietf:params", "grant_type", "urn:ietf:params");
    assert_value("p=%26%3D%25%2B", "p", "&=%+");
}

static void an_absent_name_is_not_found(void **state)
{
    char out[8];
    (void)state;
    assert_int_equal(get("", "a", out, sizeof out), ERR_NOT_FOUND);
    assert_int_equal(get("b=1", "a", out, sizeof out), ERR_NOT_FOUND);
    assert_int_equal(get("A=1", "a", out, sizeof out), ERR_NOT_FOUND);
    assert_int_equal(get("ab=1", "a", out, sizeof out), ERR_NOT_FOUND);
}

static void a_name_that_comes_twice_is_refused(void **state)
{
    char out[8];
    (void)state;
    assert_int_equal(get("a=1&a=1", "a", out, sizeof out), ERR_PROTO);
    assert_int_equal(get("a=1&%61=2", "a", out, sizeof out), ERR_PROTO);
    assert_int_equal(get("a=1&a=1&b=2", "b", out, sizeof out), 1);
}

static void what_has_two_readings_is_refused(void **state)
{
    static const char *const bodies[] = {
        "a",    "=1",    "a=1&",  "&a=1",    "a=1&&b=2", "a=%",
        "a=%4", "a=%zz", "a=1 2", "a=\xc3",  "a=1\n",    "a=%00",
        "%=1",  "a=1&b", "&",     "a=1;\tb", "a=%4g",    "a=\x7f",
    };
    char out[8];
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct view body = cuts_guarded(view_str(bodies[i]));
        if (form_check(body) != ERR_PROTO)
            fail_msg("taken: %s", bodies[i]);
        assert_int_equal(form_get(body, "a", out, sizeof out), ERR_PROTO);
    }
    assert_int_equal(form_check(VIEW_NONE), OK);
    assert_int_equal(form_check(view_str("a=")), OK);
}

static void a_value_that_does_not_fit_is_not_cut(void **state)
{
    char out[4] = "xyz";
    (void)state;
    assert_int_equal(get("a=abcd", "a", out, sizeof out), ERR_TOO_BIG);
    assert_string_equal(out, "xyz");
    assert_int_equal(get("a=%61%62%63", "a", out, sizeof out), 3);
    assert_string_equal(out, "abc");
}

static void there_are_only_so_many_fields(void **state)
{
    char body[4 * (FORM_FIELDS_MAX + 1)] = "";
    struct text t;
    (void)state;
    TEXT_OF(&t, body);
    for (int i = 0; i < FORM_FIELDS_MAX; i++)
        text_str(&t, i == 0 ? "a=1" : "&a=1");
    assert_int_equal(form_check(text_done(&t)), OK);
    text_str(&t, "&a=");
    assert_int_equal(form_check(text_done(&t)), ERR_TOO_BIG);
}

static void a_form_cut_short_never_reads_too_far(void **state)
{
    const struct view body = view_str("user=%C3%A4+b&code=AB%43&x=");
    char out[64];
    (void)state;
    for (size_t cut = 0; cut <= body.len; cut++) {
        struct view part = cuts_guarded(view_first(body, cut));
        (void)form_check(part);
        (void)form_get(part, "code", out, sizeof out);
    }
}

static void every_byte_but_nul_comes_back(void **state)
{
    char body[1024], back[256];
    uint8_t all[255];
    struct text t;
    (void)state;
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)(i + 1);
    TEXT_OF(&t, body);
    text_str(&t, "v=");
    form_escape(&t, VIEW_ARRAY(all));
    assert_int_equal(form_get(text_done(&t), "v", back, sizeof back), 255);
    assert_memory_equal(back, all, sizeof all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found_by_name),
        cmocka_unit_test(escapes_and_blanks_are_decoded),
        cmocka_unit_test(an_absent_name_is_not_found),
        cmocka_unit_test(a_name_that_comes_twice_is_refused),
        cmocka_unit_test(what_has_two_readings_is_refused),
        cmocka_unit_test(a_value_that_does_not_fit_is_not_cut),
        cmocka_unit_test(there_are_only_so_many_fields),
        cmocka_unit_test(a_form_cut_short_never_reads_too_far),
        cmocka_unit_test(every_byte_but_nul_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
