/*
 * A stored password hash that anybody wrote. What is read is within its
 * bounds and is written again as it stood; nothing is computed from what is
 * not. (Nothing is computed here at all: it would take too long.)
 */
#include "crypto/pwhash.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_of(data, size);
    struct pwhash p;
    char again[PWHASH_CAP];
    int err = pwhash_read(in, &p);
    if (err != OK) {
        assert(err == ERR_DAMAGED);
        assert(pwhash_check(view_str("x"), in) == ERR_DAMAGED);
        assert(!pwhash_needs_rehash(in));
        return 0;
    }
    assert(p.kib >= PWHASH_KIB_MIN && p.kib <= PWHASH_KIB_MAX);
    assert(p.passes >= 1 && p.passes <= PWHASH_PASSES_MAX);
    int len = pwhash_write(&p, again);
    assert(len >= 0 && (size_t)len == size);
    assert(memcmp(again, data, size) == 0);
    return 0;
}
