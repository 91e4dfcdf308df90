/* What is shown of output once more: a table of what was said and what is left
 * of it, whole and cut everywhere. */
#include "cli/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../cuts.h"
#include "base/err.h"

#define SAME NULL

static const struct {
    const char *said, *shown;
} table[] = {
    {"", SAME},
    {"plain\r\n\ttext\a\b", SAME},
    {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xc3\x9b", SAME},
    {"\xff\xfe\xe2\x82", SAME}, /* no UTF-8 */
    /* What draws, and what a program has set. */
    {"\033[31;1mred\033[0m\033[K\033[2J\033[5;7H\033[3A", SAME},
    {"\033[?1049h\033[?25l\033[?2004h\033[?1000;1006h", SAME},
    {"\033[38;2;204;8;20m\033[>4;2m\033[4:3m", SAME},
    {"\033[3S\033[u\033[>1u\033[<u\033[2 q\033[!p\033[1;24r", SAME},
    {"\033(B\033)0\0337\0338\033=\033>\033M\033#8", SAME},
    {"\033]0;a title\a\033]2;another?\033\\", SAME},
    {"\033]8;;https://x.example/?q=1\033\\link\033]8;;\033\\", SAME},
    {"\033]11;#102030\a\033]4;1;red;2;blue\a\033]104\a", SAME},
    {"\033[\n31mred", "\n\033[31mred"}, /* done at once, as terminals do */
    /* What would be answered. */
    {"a\033[6nb", "ab"},
    {"a\033[5nb\033[?6nc\033[?996nd", "abcd"},
    {"\033[c\033[0c\033[>c\033[>0;1c\033[=cx", "x"},
    {"\033Zx\005y", "xy"},
    {"\033[?2026$p\033[4$px", "x"},
    {"\033[>q\033[>0qx", "x"},
    {"\033[?u\033[?4m\033[?1;1;0S\033[1$u\033[2$wx", "x"},
    {"\033[18t\033[21t\033[14;2tx", "x"},
    {"\033[x\033[1x\033[1;1;1;1;9;9*y\033[1'|\033[#Rx", "x"},
    {"\033]10;?\a\033]11;?\033\\x", "x"},
    {"\033]4;1;red;2;?\ax", "x"},
    {"\033]52;c;?\ax", "x"},
    {"\033P$qm\033\\\033P+q544e\033\\x", "x"},
    {"\033_Gi=1,a=q;AAAA\033\\x", "x"},
    {"\033[?2048hx\033[?1;2048;25hy\033[?20480hz", "xy\033[?20480hz"},
    /* What would be done anew. */
    {"\033]52;c;aGVsbG8=\ax", "x"},
    {"\033]9;wake up\a\033]777;notify;a;b\ax", "x"},
    {"\033[8;50;200tx\033[5iy", "xy"},
    {"\033]nonsense\ax\033];\ay", "xy"},
    /* Ways to hide it. */
    {"\033[\xc3\x9b"
     "6nx",
     "6nx"},
    {"\033[6\nnx", "\nx"},
    {"\033\n[6nx", "\nx"},
    {"\033\177[6nx", "x"},
    {"\033[6\177nx", "x"},
    {"\033[\005"
     "6nx",
     "x"},
    {"\033\033[6nx", "x"},
    {"\033[3\033[6nx", "x"},
    {"\033]52;c;\177?\ax", "x"},
    {"\033]52;c;\n?\ax", "x"},
    {"\033]0;a\033[6n\ax", "\ax"},
    {"\033]1\033[6n0;?\ax", "0;?\ax"},
    {"\033]0;a\033\033\\x\033]2;b\033\n\\y", "\033\\x\n\033]2;b\033\\y"},
    {"\033P1q\033[6nx", "x"},
    {"\033[6\030nx", "nx"},
    {"\033%@\xc3\x9b"
     "6nx",
     "\xc3\x9b"
     "6nx"},
    {"\x9b"
     "6nx",
     "6nx"},
    {"\xc2\x9b"
     "6nx",
     "\xc2"
     "6nx"},
    {"\xe2\x82\x9b"
     "6nx",
     SAME}, /* a character */
    {"\xe2\x9b"
     "6n\x9bx",
     "\xe2\x9b"
     "6nx"},
    {"\033]0;a\x9c\033[6nx", "x"},
};

struct run {
    struct replay r;
    uint8_t out[8192 + REPLAY_HELD];
    size_t len;
    struct view shown;
};

static void feed(void *ctx, struct view piece, bool first, bool last)
{
    struct run *t = ctx;
    struct writer w;
    if (first) {
        replay_init(&t->r);
        t->len = 0;
    }
    writer_init(&w, (struct span){t->out + t->len, sizeof(t->out) - t->len});
    replay_feed(&t->r, piece, &w);
    assert_int_equal(w.err, OK);
    t->len += w.len;
    if (!last)
        return;
    assert_int_equal(t->len, t->shown.len);
    assert_memory_equal(t->out, t->shown.ptr, t->len);
}

static void what_terminals_answer_is_left_out(void **state)
{
    static struct run t;
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *shown = table[i].shown;
        t.shown = view_str(shown == SAME ? table[i].said : shown);
        cuts_every_way(view_str(table[i].said), feed, &t);
    }
}

/* Each byte behind each beginning: nothing that is let through may begin
 * something that the next piece completes. */
static void a_sequence_is_shown_whole_or_not_at_all(void **state)
{
    static struct run t;
    struct writer w;
    uint8_t out[64 + REPLAY_HELD];
    (void)state;
    for (uint32_t b = 0; b < 256; b++) {
        uint8_t said[] = {0x1B, '[', '6', (uint8_t)b};
        writer_init(&w, SPAN_ARRAY(out));
        replay_init(&t.r);
        replay_feed(&t.r, VIEW_ARRAY(said), &w);
        assert_true(w.len == 0 || w.len == 4 || w.len == 1);
        if (w.len == 1) /* a control that the terminal does at once */
            assert_true(out[0] == b && b < 0x20);
    }
}

static void what_the_present_completes_is_handed_on(void **state)
{
    static struct run t;
    struct writer w;
    uint8_t out[64 + REPLAY_HELD];
    (void)state;
    writer_init(&w, SPAN_ARRAY(out));
    replay_init(&t.r);
    replay_feed(&t.r, view_str("x\033[3"), &w);
    assert_int_equal(w.len, 1);
    assert_true(view_is(replay_rest(&t.r), "\033[3"));
    replay_feed(&t.r, view_str("1m"), &w);
    assert_int_equal(w.len, 6);
    assert_int_equal(replay_rest(&t.r).len, 0);
}

static void a_sequence_without_an_end_takes_no_room(void **state)
{
    static struct run t;
    struct writer w;
    uint8_t out[REPLAY_HELD + 64], many[REPLAY_HELD + 2];
    (void)state;
    memset(many, 'a', sizeof(many));
    writer_init(&w, SPAN_ARRAY(out));
    replay_init(&t.r);
    replay_feed(&t.r, view_str("\033]0;"), &w);
    replay_feed(&t.r, VIEW_ARRAY(many), &w);
    assert_int_equal(replay_rest(&t.r).len, 0);
    replay_feed(&t.r, view_str("\ax\033[0m"), &w);
    assert_true(view_is(writer_view(&w), "x\033[0m"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_terminals_answer_is_left_out),
        cmocka_unit_test(a_sequence_is_shown_whole_or_not_at_all),
        cmocka_unit_test(what_the_present_completes_is_handed_on),
        cmocka_unit_test(a_sequence_without_an_end_takes_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
