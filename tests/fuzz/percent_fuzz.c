/*
 * Percent-encoding from anybody. Decoding gives no more bytes than came, in
 * any room; encoded text is printable, and decoding it gives the bytes back.
 */
#include "codec/percent.h"

#include <assert.h>
#include <string.h>

#define INPUT_MAX 1000

static char decoded[INPUT_MAX + 1], encoded[3 * INPUT_MAX + 1];

/* In less room: the same, as far as it goes. */
static void check_short(struct view in, size_t cap)
{
    char buf[64];
    struct text t;
    text_init(&t, buf, cap);
    percent_decode(&t, in);
    assert(t.len < cap && buf[t.len] == '\0');
    assert(memcmp(buf, decoded, t.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_of(data, size);
    struct text t;
    if (size > INPUT_MAX)
        return 0;
    TEXT_OF(&t, decoded);
    percent_decode(&t, in);
    assert(!t.cut && t.len <= size);
    assert(view_find(in, '%') >= 0 || view_eq(text_done(&t), in));
    check_short(in, 1);
    check_short(in, 64);
    TEXT_OF(&t, encoded);
    percent_encode(&t, in);
    assert(!t.cut && t.len >= size);
    for (size_t i = 0; i < t.len; i++)
        assert(encoded[i] >= ' ' && encoded[i] <= '~');
    struct view text = text_done(&t);
    TEXT_OF(&t, decoded);
    percent_decode(&t, text);
    assert(!t.cut && view_eq(text_done(&t), in));
    return 0;
}
