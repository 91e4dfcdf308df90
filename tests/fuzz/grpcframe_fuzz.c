/*
 * The gRPC framing, fed whole and in the cuts that the first byte asks for:
 * both must tell the same.
 */
#include "codec/grpcframe.h"

#include <assert.h>

#include "base/err.h"

#define CAP 200

struct tally {
    uint32_t messages;
    uint32_t sum;
    int answer;
};

static void take(struct grpcframe *g, struct view in, struct tally *t)
{
    struct view message;
    while (t->answer == ERR_MORE &&
           (t->answer = grpcframe_next(g, &in, &message)) > 0) {
        assert(message.len <= CAP);
        t->messages++;
        for (size_t i = 0; i < message.len; i++)
            t->sum = t->sum * 31 + message.ptr[i];
        t->answer = ERR_MORE;
    }
    assert(t->answer != ERR_MORE || in.len == 0);
}

static struct tally run(struct view in, size_t piece)
{
    uint8_t buf[CAP];
    struct grpcframe g;
    struct tally t = {.answer = ERR_MORE};
    grpcframe_init(&g, SPAN_ARRAY(buf));
    for (; in.len > 0; in = view_from(in, piece))
        take(&g, view_first(in, piece), &t);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct view in = view_of(data + 1, size - 1);
    struct tally whole = run(in, size);
    struct tally cut = run(in, 1u + data[0]);
    assert(whole.messages == cut.messages && whole.sum == cut.sum);
    assert(whole.answer == cut.answer);
    return 0;
}
