/*
 * Forms from anybody. What is taken is well-formed as a second, naive reader
 * sees it, and what we write is read back.
 */
#include "codec/form.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define INPUT_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct view in, const char *name)
{
    char out[INPUT_MAX + 1], less[4];
    int n = form_get(in, name, out, sizeof out);
    int m = form_get(in, name, less, sizeof less);

    assert(n >= 0 || n == ERR_NOT_FOUND || n == ERR_PROTO);
    if (n < 0) {
        assert(m == n);
        return;
    }
    assert(strlen(out) == (size_t)n && form_check(in) == OK);
    assert(m == (n < 4 ? n : ERR_TOO_BIG));
}

static void write_and_read(struct view in)
{
    static char body[3 * INPUT_MAX + 8];
    char out[INPUT_MAX + 1];
    struct text t;

    if (memchr(in.ptr, 0, in.len) != NULL)
        return;
    TEXT_OF(&t, body);
    text_str(&t, "v=");
    form_escape(&t, in);
    assert(form_get(text_done(&t), "v", out, sizeof out) == (int)in.len);
    assert(memcmp(out, in.ptr, in.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX)
        return 0;
    uint8_t *copy = malloc(size); /* of the exact size: a step outside shows */
    assert(copy != NULL);
    memcpy(copy, data, size);
    struct view in = view_of(copy, size);
    ask(in, "a");
    ask(in, "user_code");
    ask(in, "");
    write_and_read(in);
    free(copy);
    return 0;
}
