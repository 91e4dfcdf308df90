/*
 * Cookie headers from anybody. A value lies inside the header and has no byte
 * that could end a header or a cookie; a second cookie of the name is noticed.
 */
#include "codec/cookie.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view v;

    if (size == 0 || size > INPUT_MAX)
        return 0;
    uint8_t *copy = malloc(2 * size + 1);
    assert(copy != NULL);
    memcpy(copy, data, size);
    int err = cookie_get(view_of(copy, size), "cmdop", &v);
    assert(err == OK || err == ERR_NOT_FOUND || err == ERR_PROTO);
    if (err == OK) {
        assert(v.len == 0 || (v.ptr >= copy && v.ptr + v.len <= copy + size));
        for (size_t i = 0; i < v.len; i++)
            assert(v.ptr[i] > ' ' && v.ptr[i] < 0x7f && v.ptr[i] != ';');
        copy[size] = ';';
        memcpy(copy + size + 1, data, size);
        assert(cookie_get(view_of(copy, 2 * size + 1), "cmdop", &v) ==
               ERR_PROTO);
    }
    free(copy);
    return 0;
}
