/* gRPC message framing in every cut. */
#include "codec/grpcframe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/cuts.h"

#define CAP 64

/* A decoder and what came out of it: the messages one after the other, each
 * behind its length, and the last answer. */
struct sink {
    struct grpcframe g;
    uint8_t buf[CAP];
    uint8_t got[512];
    size_t len;
    int answer;
    struct view want; /* `got` at the end, in every cut */
    int want_answer;
};

static void take(struct sink *s, struct view in)
{
    struct view message;
    while (s->answer == ERR_MORE &&
           (s->answer = grpcframe_next(&s->g, &in, &message)) > 0) {
        s->got[s->len++] = (uint8_t)message.len;
        memcpy(s->got + s->len, message.ptr, message.len);
        s->len += message.len;
        s->answer = ERR_MORE;
    }
}

static void feed(void *ctx, struct view piece, bool first, bool last)
{
    struct sink *s = ctx;
    if (first) {
        grpcframe_init(&s->g, SPAN_ARRAY(s->buf));
        s->len = 0;
        s->answer = ERR_MORE;
    }
    take(s, piece);
    if (last) {
        assert_true(view_eq(view_of(s->got, s->len), s->want));
        assert_int_equal(s->answer, s->want_answer);
    }
}

static void assert_frames(struct view in, struct view want, int answer)
{
    struct sink s = {.want = want, .want_answer = answer};
    cuts_every_way(in, feed, &s);
}

static void messages_come_out_whole_in_every_cut(void **state)
{
    static const uint8_t in[] = {0, 0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 0,
                                 0, 0, 0, 0, 1, 'x', 0,   0,   0, 0, 2, 0, 1};
    static const uint8_t want[] = {3, 'a', 'b', 'c', 0, 1, 'x', 2, 0, 1};
    (void)state;
    assert_frames(VIEW_ARRAY(in), VIEW_ARRAY(want), ERR_MORE);
}

static void an_unfinished_message_asks_for_more(void **state)
{
    static const uint8_t in[] = {0, 0, 0, 0, 9, 'a', 'b'};
    (void)state;
    assert_frames(VIEW_ARRAY(in), VIEW_NONE, ERR_MORE);
}

static void the_largest_message_fits(void **state)
{
    uint8_t in[GRPCFRAME_HEAD + CAP], want[1 + CAP];
    (void)state;
    memset(in, 0x5a, sizeof in);
    memset(want, 0x5a, sizeof want);
    grpcframe_head(in, CAP);
    want[0] = CAP;
    assert_frames(VIEW_ARRAY(in), VIEW_ARRAY(want), ERR_MORE);
}

static void a_larger_one_is_refused_by_its_length(void **state)
{
    uint8_t in[GRPCFRAME_HEAD];
    (void)state;
    grpcframe_head(in, CAP + 1);
    assert_frames(VIEW_ARRAY(in), VIEW_NONE, ERR_TOO_BIG);
    grpcframe_head(in, UINT32_MAX);
    assert_frames(VIEW_ARRAY(in), VIEW_NONE, ERR_TOO_BIG);
}

static void a_compressed_one_is_refused(void **state)
{
    static const uint8_t in[] = {1, 0, 0, 0, 1, 'a'};
    static const uint8_t odd[] = {2, 0, 0, 0, 0};
    (void)state;
    assert_frames(VIEW_ARRAY(in), VIEW_NONE, ERR_PROTO);
    assert_frames(VIEW_ARRAY(odd), VIEW_NONE, ERR_PROTO);
}

static void a_message_in_one_piece_is_not_copied(void **state)
{
    static const uint8_t in[] = {0, 0, 0, 0, 2, 'o', 'k'};
    uint8_t buf[CAP];
    struct grpcframe g;
    struct view left = VIEW_ARRAY(in);
    struct view message;
    (void)state;
    grpcframe_init(&g, SPAN_ARRAY(buf));
    assert_int_equal(grpcframe_next(&g, &left, &message), 1);
    assert_ptr_equal(message.ptr, in + GRPCFRAME_HEAD);
    assert_int_equal(left.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_whole_in_every_cut),
        cmocka_unit_test(an_unfinished_message_asks_for_more),
        cmocka_unit_test(the_largest_message_fits),
        cmocka_unit_test(a_larger_one_is_refused_by_its_length),
        cmocka_unit_test(a_compressed_one_is_refused),
        cmocka_unit_test(a_message_in_one_piece_is_not_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
