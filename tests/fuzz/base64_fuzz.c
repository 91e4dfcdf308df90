/*
 * Base64 of both forms from anybody. What is taken is written back as it
 * was; room that is one byte short is noticed; and what is written is read
 * back.
 */
#include "codec/base64.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"

#define INPUT_MAX 4096

/* A block of the exact size, so that a step outside is seen. */
static struct span block(size_t len)
{
    uint8_t *ptr = malloc(len > 0 ? len : 1);
    assert(ptr != NULL);
    return (struct span){ptr, len};
}

static void decode(enum base64_form form, struct view in)
{
    struct span all = block(in.len);
    int n = base64_decode(form, in, all);
    if (n < 0) {
        assert(n == ERR_PROTO); /* in.len bytes are room enough */
        free(all.ptr);
        return;
    }
    size_t len = (size_t)n;
    struct span text = block(in.len), exact = block(len), less = block(len / 2);
    struct writer w;
    writer_init(&w, text);
    base64_write(&w, form, view_of(all.ptr, len));
    assert(w.err == OK && view_eq(writer_view(&w), in));
    assert(base64_len(form, len) == in.len);
    assert(base64_decode(form, in, exact) == n);
    assert(view_eq(span_view(exact), view_of(all.ptr, len)));
    if (len > 0)
        assert(base64_decode(form, in, less) == ERR_FULL);
    free(all.ptr);
    free(text.ptr);
    free(exact.ptr);
    free(less.ptr);
}

static void encode(enum base64_form form, struct view in)
{
    struct span text = block(base64_len(form, in.len)), back = block(in.len);
    struct writer w;
    writer_init(&w, text);
    base64_write(&w, form, in);
    assert(w.err == OK && w.len == text.len);
    assert(base64_decode(form, writer_view(&w), back) == (int)in.len);
    assert(view_eq(span_view(back), in));
    free(text.ptr);
    free(back.ptr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_of(data, size);
    if (size > INPUT_MAX)
        return 0;
    decode(BASE64_STD, in);
    decode(BASE64_URL, in);
    encode(BASE64_STD, in);
    encode(BASE64_URL, in);
    return 0;
}
