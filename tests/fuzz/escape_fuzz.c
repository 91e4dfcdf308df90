/*
 * A keyboard that types anything. The first byte chooses the size of the
 * pieces. However the keys are cut, the same reaches the shell and the same
 * keys are for us; and both are what a model says that looks at the whole.
 */
#include "cli/escape.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

#define INPUT_MAX 2000

struct told {
    uint8_t keys[2 * INPUT_MAX];
    size_t len;
    size_t at; /* behind the key that detaches, or all */
    int helps, takes, gives;
    bool detached;
};

static void say(struct told *t, uint8_t key)
{
    t->keys[t->len++] = key;
}

/* Line by line, with the whole before the eyes. */
static void model(struct view in, struct told *t)
{
    bool fresh = true;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t key = in.ptr[i];
        bool pair = fresh && key == '~';
        t->at = i + 1;
        if (key == 0x04 || (pair && i + 1 < in.len &&
                            (in.ptr[i + 1] == '.' || in.ptr[i + 1] == 0x04))) {
            t->at = i + 1 + pair;
            t->detached = true;
            return;
        }
        fresh = key == '\r' || key == '\n';
        if (!pair) {
            say(t, key);
            continue;
        }
        t->at = in.len;
        if (++i == in.len)
            return; /* it waits for its second key */
        t->at = i + 1;
        uint8_t second = in.ptr[i];
        bool ours = second == '?' || second == 't' || second == 'r';
        fresh = ours || second == '\r' || second == '\n';
        t->helps += second == '?';
        t->takes += second == 't';
        t->gives += second == 'r';
        if (!ours)
            say(t, '~');
        if (!ours && second != '~')
            say(t, second);
    }
}

static void feed(struct escape *e, struct view piece, struct told *t)
{
    while (piece.len > 0 && !t->detached) {
        struct writer w;
        size_t before = piece.len;
        writer_init(&w, (struct span){t->keys + t->len, piece.len + 1});
        enum escape_event event = escape_feed(e, &piece, &w);
        assert(w.err == OK && piece.len < before);
        assert(event != ESCAPE_NONE || piece.len == 0);
        t->len += w.len;
        t->at += before - piece.len;
        t->helps += event == ESCAPE_HELP;
        t->takes += event == ESCAPE_TAKE;
        t->gives += event == ESCAPE_GIVE;
        t->detached = event == ESCAPE_DETACH;
    }
}

static void run(struct view in, size_t each, struct told *t)
{
    struct escape e;
    escape_init(&e);
    for (; in.len > 0; in = view_from(in, each))
        feed(&e, view_first(in, each), t);
}

static void assert_same(const struct told *a, const struct told *b)
{
    assert(a->len == b->len && memcmp(a->keys, b->keys, a->len) == 0);
    assert(a->at == b->at && a->helps == b->helps);
    assert(a->takes == b->takes && a->gives == b->gives);
    assert(a->detached == b->detached);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct told whole, cut, due;
    if (size < 1 || size > INPUT_MAX)
        return 0;
    struct view in = view_of(data + 1, size - 1);
    memset(&whole, 0, sizeof whole);
    memset(&cut, 0, sizeof cut);
    memset(&due, 0, sizeof due);
    run(in, INPUT_MAX, &whole);
    run(in, 1u + data[0] % 8, &cut);
    model(in, &due);
    assert_same(&whole, &cut);
    assert_same(&whole, &due);
    return 0;
}
