/*
 * Base32 from anybody. What is taken is written back as it was; what is
 * written is read back; what was typed and made straight stays so.
 */
#include "codec/base32.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define INPUT_MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(struct view in)
{
    uint8_t out[INPUT_MAX], text[INPUT_MAX];
    struct writer w;
    int n = base32_decode(in, SPAN_ARRAY(out));

    assert(n >= 0 || n == ERR_PROTO);
    if (n < 0)
        return;
    writer_init(&w, SPAN_ARRAY(text));
    base32_write(&w, view_of(out, (size_t)n));
    assert(w.err == OK && view_eq(writer_view(&w), in));
    if (n > 0)
        assert(base32_decode(in, (struct span){text, (size_t)n - 1}) ==
               ERR_FULL);
}

static void encode(struct view in)
{
    uint8_t text[BASE32_LEN(INPUT_MAX)], back[INPUT_MAX];
    struct writer w;

    writer_init(&w, SPAN_ARRAY(text));
    base32_write(&w, in);
    assert(w.err == OK && w.len == BASE32_LEN(in.len));
    assert(base32_decode(writer_view(&w), SPAN_ARRAY(back)) == (int)in.len);
    assert(memcmp(back, in.ptr, in.len) == 0);
}

static void type(struct view in)
{
    char once[INPUT_MAX + 1], twice[INPUT_MAX + 1];
    struct text t, u;

    TEXT_OF(&t, once);
    base32_typed(&t, in);
    TEXT_OF(&u, twice);
    base32_typed(&u, text_done(&t));
    assert(view_eq(text_done(&t), text_done(&u)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX)
        return 0;
    uint8_t *copy = malloc(size);
    assert(copy != NULL);
    memcpy(copy, data, size);
    decode(view_of(copy, size));
    encode(view_of(copy, size));
    type(view_of(copy, size));
    free(copy);
    return 0;
}
