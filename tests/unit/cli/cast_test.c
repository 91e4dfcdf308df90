/*
 * Asciicast files: what is written is read, wherever the output was cut; what
 * is no text becomes some; and everything that is damaged is told.
 */
#include "cli/cast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

#define BYTES 100000

static struct cast_line line; /* the reader */
static uint8_t file[8 * BYTES];
static size_t file_len;
static uint8_t shown[4 * BYTES];
static size_t shown_len;

static int setup(void **state)
{
    (void)state;
    memset(&line, 0, sizeof(line));
    file_len = shown_len = 0;
    return 0;
}

/* ---- there and back ------------------------------------------------------------- */

static struct span room(void)
{
    return (struct span){file + file_len, sizeof(file) - file_len};
}

static void write_some(struct cast_writer *w, struct view bytes)
{
    size_t used;
    int n = cast_write_output(w, bytes, room(), &used);
    assert_true(n >= 0);
    assert_int_equal(used, bytes.len);
    file_len += (size_t)n;
}

static void write_end(struct cast_writer *w)
{
    int n = cast_write_end(w, room());
    assert_true(n >= 0);
    file_len += (size_t)n;
}

/* All lines are events of output, none is too long; what they show. */
static void read_all(void)
{
    struct view left = view_of(file, file_len);
    shown_len = 0;
    line.number = 1; /* the head is behind us */
    while (left.len > 0) {
        ptrdiff_t end = view_find(left, '\n');
        assert_true(end >= 0 && end < CAST_LINE_OUT);
        struct view one = view_first(left, (size_t)end + 1);
        for (size_t i = 0; i < one.len - 1; i++)
            assert_true(one.ptr[i] >= ' ');
        assert_int_equal(cast_read_line(one, &line), OK);
        assert_int_equal(line.kind, CAST_OUTPUT);
        assert_true(line.output.len > 0);
        memcpy(shown + shown_len, line.output.ptr, line.output.len);
        shown_len += line.output.len;
        left = view_from(left, one.len);
    }
}

/* Written in pieces of `step` bytes it is shown as `want`. */
static void assert_shown(struct view bytes, size_t step, struct view want)
{
    struct cast_writer w = {.tail_len = 0};
    file_len = 0;
    for (size_t at = 0; at < bytes.len; at += step)
        write_some(&w, view_first(view_from(bytes, at), step));
    write_end(&w);
    read_all();
    assert_int_equal(shown_len, want.len);
    assert_memory_equal(shown, want.ptr, want.len);
}

/* Random characters of all lengths, as UTF-8. */
static size_t random_text(uint8_t *out, size_t cap)
{
    static const uint32_t most[] = {0x20, 0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
    size_t len = 0;
    while (len + 4 <= cap) {
        uint32_t c = (uint32_t)rand() % (most[rand() % 5] + 1);
        if (c >= 0xD800 && c < 0xE000)
            continue;
        if (c < 0x80) {
            out[len++] = (uint8_t)c;
            continue;
        }
        int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        out[len++] = (uint8_t)(0xF0 << (3 - more) | c >> 6 * more);
        while (more-- > 0)
            out[len++] = (uint8_t)(0x80 | (c >> 6 * more & 0x3F));
    }
    return len;
}

static void text_comes_back_as_it_was(void **state)
{
    static const size_t steps[] = {1, 2, 3, 7, 1000, 1361, 1365, 8192, BYTES};
    static uint8_t text[BYTES];
    (void)state;
    srand(7);
    size_t len = random_text(text, sizeof(text));
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        assert_shown(view_of(text, len), steps[i], view_of(text, len));
}

static void a_cut_anywhere_changes_nothing(void **state)
{
    static const char text[] =
        "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x1b[0m\r\n"
        "\xff\xe2\x82|\xc3";
    static const char want[] =
        "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x1b[0m\r\n"
        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
        "\xef\xbf\xbd";
    struct view all = view_of(text, sizeof(text) - 1);
    (void)state;
    for (size_t i = 0; i <= all.len; i++) {
        for (size_t k = i; k <= all.len; k++) {
            struct cast_writer w = {.tail_len = 0};
            file_len = 0;
            write_some(&w, view_first(all, i));
            write_some(&w, view_first(view_from(all, i), k - i));
            write_some(&w, view_from(all, k));
            write_end(&w);
            read_all();
            assert_int_equal(shown_len, sizeof(want) - 1);
            assert_memory_equal(shown, want, shown_len);
        }
    }
}

/* Whatever the bytes, cuts change nothing of what is shown. */
static void bytes_that_are_no_text_become_some(void **state)
{
    static const uint8_t likely[] = {0x41, 0x7F, 0x80, 0xBF, 0xC1, 0xC3, 0xE0,
                                     0xED, 0xA0, 0xF0, 0x90, 0xF4, 0xF5, 0xFF};
    static uint8_t bytes[3000], whole[sizeof(shown)];
    (void)state;
    srand(8);
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = likely[(size_t)rand() % sizeof(likely)];
        struct cast_writer w = {.tail_len = 0};
        file_len = 0;
        write_some(&w, VIEW_ARRAY(bytes));
        write_end(&w);
        read_all();
        size_t len = shown_len;
        memcpy(whole, shown, len);
        for (size_t step = 1; step < 6; step++)
            assert_shown(VIEW_ARRAY(bytes), step, view_of(whole, len));
    }
}

static void what_is_not_complete_waits_and_then_ends(void **state)
{
    struct cast_writer w = {.tail_len = 0};
    (void)state;
    write_some(&w, view_str("\xe2"));
    write_some(&w, view_str("\x82"));
    assert_int_equal(file_len, 0);
    write_end(&w);
    assert_int_equal(w.tail_len, 0);
    file[file_len] = '\0';
    assert_string_equal((char *)file,
                        "[0,\"o\",\"\xef\xbf\xbd\xef\xbf\xbd\"]\n");
    file_len = 0;
    write_end(&w);
    assert_int_equal(file_len, 0);
}

static void lines_are_written_as_others_read_them(void **state)
{
    static const char want[] =
        "[0,\"o\",\"$ \\u001b[1m\\\"\\\\\\r\\n\\u0000\"]\n";
    struct cast_writer w = {.tail_len = 0};
    (void)state;
    write_some(&w, view_of("$ \x1b[1m\"\\\r\n\0", 11));
    assert_int_equal(file_len, sizeof(want) - 1);
    assert_memory_equal(file, want, file_len);
}

/* However little room there is, nothing is lost and nothing is doubled. */
static void a_small_room_takes_less_at_a_time(void **state)
{
    static uint8_t text[20000], out[2 * CAST_LINE_OUT];
    (void)state;
    srand(9);
    struct view left = view_of(text, random_text(text, sizeof(text)));
    size_t len = left.len;
    struct cast_writer w = {.tail_len = 0};
    for (size_t cap = 1; left.len > 0; cap = cap % sizeof(out) + 997) {
        size_t used = 99;
        int n = cast_write_output(&w, left, (struct span){out, cap}, &used);
        if (n < 0) {
            assert_int_equal(n, ERR_FULL);
            assert_int_equal(used, 0);
            assert_true(cap < CAST_LINE_OUT);
            continue;
        }
        assert_true((size_t)n <= cap);
        memcpy(file + file_len, out, (size_t)n);
        file_len += (size_t)n;
        left = view_from(left, used);
    }
    write_end(&w);
    read_all();
    assert_int_equal(shown_len, len);
    assert_memory_equal(shown, text, len);
    assert_int_equal(cast_write_end(&w, (struct span){out, 0}), 0);
}

/* ---- the head ------------------------------------------------------------------- */

static const struct cast_head full = {
    .width = 132,
    .height = 43,
    .timestamp_s = 1800000000,
    .title = "web-1: \"logs\"",
    .session_id = "01234567-89ab-cdef-0123-456789abcdef",
    .machine = "web-1",
    .user = "ad\xc3\xa4",
    .command = "tail -f \\x",
    .first_offset = UINT64_MAX - 5000,
    .bytes = 5000,
    .saved_ms = 1800000777000,
};

static void assert_same_head(const struct cast_head *a,
                             const struct cast_head *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_true(a->timestamp_s == b->timestamp_s);
    assert_string_equal(a->title, b->title);
    assert_string_equal(a->session_id, b->session_id);
    assert_string_equal(a->machine, b->machine);
    assert_string_equal(a->user, b->user);
    assert_string_equal(a->command, b->command);
    assert_true(a->first_offset == b->first_offset && a->bytes == b->bytes);
    assert_true(a->saved_ms == b->saved_ms);
}

static void a_head_comes_back_as_it_was(void **state)
{
    struct cast_head small = {.width = 1, .height = CAST_SIDE_MAX};
    (void)state;
    int n = cast_write_head(&full, SPAN_ARRAY(file));
    assert_true(n > 0 && file[n - 1] == '\n');
    assert_int_equal(cast_read_line(view_of(file, (size_t)n), &line), OK);
    assert_int_equal(line.kind, CAST_HEAD);
    assert_int_equal(line.number, 1);
    assert_same_head(&line.head, &full);
    memset(&line, 0, sizeof(line));
    n = cast_write_head(&small, SPAN_ARRAY(file));
    assert_true(n > 0);
    file[n] = '\0';
    assert_string_equal((char *)file,
                        "{\"version\":2,\"width\":1,\"height\":65535}\n");
    assert_int_equal(cast_read_line(view_of(file, (size_t)n - 1), &line), OK);
    assert_same_head(&line.head, &small);
}

/* Every text at its longest, and the worst that may stand in it. */
static void every_head_fits_and_can_be_read(void **state)
{
    static const uint8_t bad[] = {0x1b, 0xff, '"', 'x'};
    struct cast_head h = full;
    (void)state;
    for (size_t i = 0; i < sizeof(bad); i++) {
        memset(h.title, bad[i], sizeof(h.title) - 1);
        memset(h.session_id, bad[i], sizeof(h.session_id) - 1);
        memset(h.machine, bad[i], sizeof(h.machine) - 1);
        memset(h.user, bad[i], sizeof(h.user) - 1);
        memset(h.command, bad[i], sizeof(h.command) - 1);
        int n = cast_write_head(&h, (struct span){file, CAST_LINE_OUT});
        assert_true(n > 0);
        memset(&line, 0, sizeof(line));
        assert_int_equal(cast_read_line(view_of(file, (size_t)n), &line), OK);
        if (bad[i] != 0xff)
            assert_same_head(&line.head, &h);
        for (size_t cap = 0; cap < (size_t)n; cap += 13)
            assert_int_equal(cast_write_head(&h, (struct span){file, cap}),
                             ERR_FULL);
    }
}

static int read_text(const char *text)
{
    return cast_read_line(view_str(text), &line);
}

static void heads_of_others_are_taken(void **state)
{
    (void)state;
    assert_int_equal(
        read_text(" {\"version\": 2, \"width\": 80, \"height\": 24, "
                  "\"timestamp\": 1504467315.5, \"env\": {\"TERM\": "
                  "\"xterm-256color\", \"SHELL\": \"/bin/zsh\"}, \"theme\": "
                  "{\"fg\": \"#fff\", \"palette\": [1, null]}, "
                  "\"idle_time_limit\": 1.5, \"command\": 7}\r\n"),
        OK);
    assert_int_equal(line.head.width, 80);
    assert_true(line.head.timestamp_s == 0);
    assert_string_equal(line.head.session_id, "");
}

static void a_title_too_long_is_cut_between_characters(void **state)
{
    char text[512];
    (void)state;
    snprintf(text, sizeof(text),
             "{\"version\":2,\"width\":9,\"height\":9,\"title\":\"%061d%s\"}",
             0, "\xe2\x82\xac\xe2\x82\xac");
    assert_int_equal(read_text(text), OK);
    assert_int_equal(strlen(line.head.title), 61);
}

/* ---- what is damaged --------------------------------------------------------------- */

#define HEAD "\"version\":2,\"width\":80,\"height\":24"
#define OURS "\"machine\":\"m\",\"user\":\"u\",\"command\":\"\""
#define TIMES \
    "\"first_offset\":1,\"bytes\":2,\"saved_at\":\"2026-11-21T02:34:56Z\""

static void damaged_heads_are_told(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "not JSON",
        "[0,\"o\",\"x\"]",
        "2",
        "{}",
        "{" HEAD,
        "{" HEAD "}x",
        "{" HEAD "}{}",
        "{" HEAD ",\"width\":80}",
        "{\"version\":1,\"width\":80,\"height\":24}",
        "{\"version\":3,\"width\":80,\"height\":24}",
        "{\"version\":\"2\",\"width\":80,\"height\":24}",
        "{\"width\":80,\"height\":24}",
        "{\"version\":2,\"height\":24}",
        "{\"version\":2,\"width\":80}",
        "{\"version\":2,\"width\":0,\"height\":24}",
        "{\"version\":2,\"width\":80,\"height\":-1}",
        "{\"version\":2,\"width\":80,\"height\":65536}",
        "{\"version\":2,\"width\":80.5,\"height\":24}",
        "{" HEAD ",\"timestamp\":\"now\"}",
        "{" HEAD ",\"title\":7}",
        "{" HEAD ",\"title\":\"\\u0000\"}",
        "{" HEAD ",\"title\":\"\xff\"}",
        "{" HEAD ",\"cmdop\":null}",
        "{" HEAD ",\"cmdop\":{}}",
        "{" HEAD ",\"cmdop\":{\"session_id\":\"\"," OURS "," TIMES "}}",
        "{" HEAD ",\"cmdop\":{\"session_id\":\"s\"," TIMES "}}",
        "{" HEAD ",\"cmdop\":{\"session_id\":\"s\"," OURS "}}",
        "{" HEAD ",\"cmdop\":{\"session_id\":\"s\"," OURS
        ",\"first_offset\":-1,\"bytes\":2,\"saved_at\":\"2026-11-21T02:34:56Z\""
        "}}",
        "{" HEAD ",\"cmdop\":{\"session_id\":\"s\"," OURS
        ",\"first_offset\":1,\"bytes\":18446744073709551615,\"saved_at\":"
        "\"2026-11-21T02:34:56Z\"}}",
        "{" HEAD ",\"cmdop\":{\"session_id\":\"s\"," OURS
        ",\"first_offset\":1,\"bytes\":2,\"saved_at\":\"yesterday\"}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&line, 0, sizeof(line));
        assert_int_equal(read_text(bad[i]), ERR_DAMAGED);
        assert_true(line.why[0] != '\0');
        assert_int_equal(line.number, 1);
    }
    memset(&line, 0, sizeof(line));
    assert_int_equal(read_text("{" HEAD ",\"cmdop\":{\"session_id\":\"s\"," OURS
                               "," TIMES ",\"more\":[]}}"),
                     OK);
    assert_string_equal(line.why, "");
}

static void damaged_events_are_told(void **state)
{
    static const char *const bad[] = {
        "",
        "[",
        "[]",
        "[0]",
        "[0,\"o\"]",
        "[0,\"o\",\"x\"",
        "[0,\"o\",\"x\",1]",
        "[0,\"o\",\"x\"],",
        "[-1,\"o\",\"x\"]",
        "[\"0\",\"o\",\"x\"]",
        "[null,\"o\",\"x\"]",
        "[0,1,\"x\"]",
        "[0,\"o\",1]",
        "[0,\"o\",null]",
        "[0,\"o\",[\"x\"]]",
        "[0,\"o\",\"\x1b\"]",
        "[0,\"o\",\"\xc3\"]",
        "[0,\"o\",\"\\ud800\"]",
        "[0,'o','x']",
        "{" HEAD "}",
        "0",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        line.number = 1;
        assert_int_equal(read_text(bad[i]), ERR_DAMAGED);
        assert_true(line.why[0] != '\0');
        assert_int_equal(line.output.len, 0);
    }
}

static void events_of_others_are_taken_or_skipped(void **state)
{
    (void)state;
    line.number = 1;
    assert_int_equal(
        read_text(" [ 1.25e1 , \"o\" , \"\\u20ac\\ud83d\\ude00\" ] "), OK);
    assert_int_equal(line.kind, CAST_OUTPUT);
    assert_true(view_is(line.output, "\xe2\x82\xac\xf0\x9f\x98\x80"));
    assert_int_equal(read_text("[2,\"o\",\"\"]"), OK);
    assert_int_equal(line.output.len, 0);
    assert_int_equal(read_text("[2,\"i\",\"secret\"]"), OK);
    assert_int_equal(line.kind, CAST_OTHER);
    assert_int_equal(line.output.len, 0);
    assert_int_equal(read_text("[2,\"r\",\"80x24\"]"), OK);
    assert_int_equal(line.kind, CAST_OTHER);
    assert_int_equal(read_text("[2,\"oo\",{\"later\":1}]"), OK);
    assert_int_equal(line.kind, CAST_OTHER);
    assert_int_equal(line.number, 6);
}

static void a_line_has_a_limit(void **state)
{
    static char text[CAST_LINE_IN + 1];
    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text, "[0,\"o\",\"", 8);
    memcpy(text + CAST_LINE_IN - 2, "\"]", 2);
    line.number = 1;
    assert_int_equal(cast_read_line(view_of(text, CAST_LINE_IN), &line), OK);
    assert_int_equal(line.output.len, CAST_LINE_IN - 10);
    text[CAST_LINE_IN] = ' ';
    assert_int_equal(cast_read_line(VIEW_ARRAY(text), &line), ERR_DAMAGED);
    memset(text, '[', sizeof(text));
    assert_int_equal(cast_read_line(view_of(text, 5000), &line), ERR_DAMAGED);
}

/* Cut short anywhere, a line is damaged and never something else. */
static void a_line_cut_short_is_damaged(void **state)
{
    (void)state;
    int n = cast_write_head(&full, SPAN_ARRAY(file));
    for (int i = 0; i < n - 1; i++) {
        memset(&line, 0, sizeof(line));
        assert_int_equal(cast_read_line(view_of(file, (size_t)i), &line),
                         ERR_DAMAGED);
    }
}

#define FACT(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(text_comes_back_as_it_was),
        FACT(a_cut_anywhere_changes_nothing),
        FACT(bytes_that_are_no_text_become_some),
        FACT(what_is_not_complete_waits_and_then_ends),
        FACT(lines_are_written_as_others_read_them),
        FACT(a_small_room_takes_less_at_a_time),
        FACT(a_head_comes_back_as_it_was),
        FACT(every_head_fits_and_can_be_read),
        FACT(heads_of_others_are_taken),
        FACT(a_title_too_long_is_cut_between_characters),
        FACT(damaged_heads_are_told),
        FACT(damaged_events_are_told),
        FACT(events_of_others_are_taken_or_skipped),
        FACT(a_line_has_a_limit),
        FACT(a_line_cut_short_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
