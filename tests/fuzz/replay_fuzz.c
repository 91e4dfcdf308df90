/*
 * Output of an earlier time that may hold anything. The first byte chooses the
 * size of the pieces. However it is cut, the same is shown; nothing is added,
 * and what was let through is let through again, so no two pieces of it make
 * a question together. Who reads it as a terminal does finds none.
 */
#include "cli/replay.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

#define INPUT_MAX 5000
#define ESC       0x1B
#define BEL       0x07
#define ENQ       0x05

struct shown {
    uint8_t bytes[INPUT_MAX + REPLAY_HELD];
    struct writer w;
};

static struct view show(struct view in, size_t each, struct shown *s)
{
    struct replay r;
    replay_init(&r);
    writer_init(&s->w, SPAN_ARRAY(s->bytes));
    for (; in.len > 0; in = view_from(in, each)) {
        size_t before = s->w.len;
        struct view piece = view_first(in, each);
        replay_feed(&r, piece, &s->w);
        assert(s->w.err == OK);
        assert(s->w.len - before <= piece.len + REPLAY_HELD);
    }
    return writer_view(&s->w);
}

/* Sequences may be told behind controls that stand in them, so only sums. */
static void assert_nothing_is_added(struct view in, struct view out)
{
    size_t left[256] = {0};
    for (size_t i = 0; i < in.len; i++)
        left[in.ptr[i]]++;
    for (size_t i = 0; i < out.len; i++)
        assert(left[out.ptr[i]]-- > 0);
}

static bool is_in(uint8_t b, uint8_t from, uint8_t to)
{
    return b >= from && b <= to;
}

static size_t csi(struct view v)
{
    size_t n = 2;
    while (n < v.len && is_in(v.ptr[n], 0x20, 0x3F))
        n++;
    assert(n < v.len && is_in(v.ptr[n], 0x40, 0x7E));
    assert(strchr("cintwxyR|", v.ptr[n]) == NULL);
    return n + 1;
}

static size_t osc(struct view v)
{
    size_t n = 2;
    while (n < v.len && v.ptr[n] >= 0x20) {
        assert(v.ptr[n] != '?' || v.ptr[n - 1] != ';');
        n++;
    }
    assert(n > 2 && is_in(v.ptr[2], '0', '9') && n < v.len);
    assert(!(n > 4 && memcmp(v.ptr + 2, "52;", 3) == 0));
    if (v.ptr[n] == BEL)
        return n + 1;
    assert(v.ptr[n] == ESC && n + 1 < v.len && v.ptr[n + 1] == '\\');
    return n + 2;
}

static size_t escape(struct view v)
{
    size_t n = 1;
    if (v.len > 1 && v.ptr[1] == '[')
        return csi(v);
    if (v.len > 1 && v.ptr[1] == ']')
        return osc(v);
    while (n < v.len && is_in(v.ptr[n], 0x20, 0x2F))
        n++;
    assert(n < v.len && is_in(v.ptr[n], 0x30, 0x7E));
    assert(strchr("ZPX^_", v.ptr[1]) == NULL && v.ptr[1] != '%');
    return n + 1;
}

static void assert_asks_nothing(struct view v)
{
    uint8_t before = 0;
    while (v.len > 0) {
        size_t n = v.ptr[0] == ESC ? escape(v) : 1;
        assert(v.ptr[0] != ENQ);
        assert(!is_in(v.ptr[0], 0x80, 0x9F) || before >= 0x80);
        before = v.ptr[n - 1];
        v = view_from(v, n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct shown whole, cut, again;
    if (size < 1 || size > INPUT_MAX)
        return 0;
    struct view in = view_of(data + 1, size - 1);
    struct view out = show(in, INPUT_MAX, &whole);
    assert(view_eq(out, show(in, 1u + data[0] % 8, &cut)));
    assert(view_eq(out, show(out, INPUT_MAX, &again)));
    assert_nothing_is_added(in, out);
    assert_asks_nothing(out);
    return 0;
}
