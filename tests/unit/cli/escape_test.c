/* Which keys are for us: a table of what is typed, what the shell gets and
 * what it meant; each line whole and cut everywhere. */
#include "cli/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

/* `meant` holds one letter per event: D detach, H help. What follows a
 * detach is not looked at. */
static const struct {
    const char *typed, *shell, *meant;
} table[] = {
    {"", "", ""},
    {"ls\r", "ls\r", ""},
    {"~.", "", "D"},
    {"\r~.", "\r", "D"},
    {"\n~.", "\n", "D"},
    {"x~.", "x~.", ""}, /* only behind a line end */
    {"x\r~.", "x\r", "D"},
    {"\x04", "", "D"},
    {"abc\x04", "abc", "D"},
    {"~\x04", "", "D"},
    {"~?", "", "H"},
    {"~?~?", "", "HH"}, /* still at a line's start */
    {"~?x", "x", "H"},
    {"~~", "~", ""},
    {"~~.", "~.", ""}, /* the way to type it */
    {"~~~.", "~~.", ""},
    {"~a", "~a", ""},
    {"~a~.", "~a~.", ""},
    {"~\r~.", "~\r", "D"},
    {"~/bin\r", "~/bin\r", ""},
    {"cd ~\r", "cd ~\r", ""},
    {"\r\r~?\r~.", "\r\r\r", "HD"},
    {"\x1b[A~.", "\x1b[A~.", ""},
    {"~.never", "", "D"},
    {"\x03~.", "\x03~.", ""},
    {"~tls\r~r", "ls\r", "TR"},
    {"x~t", "x~t", ""},
    {"~T", "~T", ""},
};

struct run {
    struct escape e;
    uint8_t out[64];
    size_t len;
    char meant[8];
    bool gone;
};

static void feed(struct run *r, struct view in)
{
    while (in.len > 0 && !r->gone) {
        struct writer w;
        size_t before = in.len;
        writer_init(&w, (struct span){r->out + r->len, before + 1});
        enum escape_event event = escape_feed(&r->e, &in, &w);
        assert_int_equal(w.err, OK);
        assert_true(in.len < before);
        r->len += w.len;
        r->gone = event == ESCAPE_DETACH;
        if (event != ESCAPE_NONE)
            strcat(r->meant, event == ESCAPE_DETACH ? "D"
                             : event == ESCAPE_TAKE ? "T"
                             : event == ESCAPE_GIVE ? "R"
                                                    : "H");
        else
            assert_int_equal(in.len, 0);
    }
}

static void check(const struct run *r, size_t i)
{
    assert_int_equal(r->len, strlen(table[i].shell));
    assert_memory_equal(r->out, table[i].shell, r->len);
    assert_string_equal(r->meant, table[i].meant);
}

static void run_cut(size_t i, size_t cut)
{
    struct view in = view_str(table[i].typed);
    struct run r = {.len = 0};
    escape_init(&r.e);
    feed(&r, view_first(in, cut));
    feed(&r, view_from(in, cut));
    check(&r, i);
}

static void keys_mean_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        for (size_t cut = 0; cut <= strlen(table[i].typed); cut++)
            run_cut(i, cut);
}

static void one_key_at_a_time_means_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct run r = {.len = 0};
        escape_init(&r.e);
        for (const char *k = table[i].typed; *k != '\0'; k++)
            feed(&r, view_of(k, 1));
        check(&r, i);
    }
}

static void a_waiting_tilde_is_kept_back(void **state)
{
    struct run r = {.len = 0};
    (void)state;
    escape_init(&r.e);
    feed(&r, view_str("~"));
    assert_int_equal(r.len, 0);
    feed(&r, view_str("x"));
    assert_int_equal(r.len, 2);
}

static void what_stands_behind_an_event_is_left_over(void **state)
{
    struct escape e;
    uint8_t out[16];
    struct writer w;
    struct view in = view_str("~?more");
    (void)state;
    escape_init(&e);
    writer_init(&w, SPAN_ARRAY(out));
    assert_int_equal(escape_feed(&e, &in, &w), ESCAPE_HELP);
    assert_true(view_is(in, "more"));
    assert_int_equal(w.len, 0);
}

static void every_byte_but_two_passes_inside_a_line(void **state)
{
    (void)state;
    for (int b = 0; b < 256; b++) {
        struct run r = {.len = 0};
        uint8_t in[2] = {'x', (uint8_t)b};
        escape_init(&r.e);
        feed(&r, VIEW_ARRAY(in));
        assert_int_equal(r.len, b == 0x04 ? 1 : 2);
        assert_int_equal(r.gone, b == 0x04);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_mean_what_the_table_says),
        cmocka_unit_test(one_key_at_a_time_means_the_same),
        cmocka_unit_test(a_waiting_tilde_is_kept_back),
        cmocka_unit_test(what_stands_behind_an_event_is_left_over),
        cmocka_unit_test(every_byte_but_two_passes_inside_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
