/*
 * Certificates and keys that somebody put into a relay's files: everything up
 * to the first zero byte is the one text, the rest the other. What is taken is
 * a pair that works, and what is not has a sentence.
 */
#include "transport/tlsid.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "crypto/hash.h"
#include "unit/transport/pems.h"

#define NOW 1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(struct view certs, struct view key)
{
    static struct tlsid id;
    char buf[512];
    uint8_t digest[32];
    struct text why;
    struct tlsid_seen seen;
    TEXT_OF(&why, buf);
    int err = tlsid_load(&id, certs, key, NOW, &why);
    assert(err == OK || err == ERR_DAMAGED || err == ERR_RANGE);
    assert((err == OK) == (why.len == 0) && !why.cut);
    if (err == OK) {
        assert((id.ec != NULL) != (id.rsa != NULL));
        assert(id.count >= 1 && id.count <= TLSID_CERTS_MAX);
        assert(id.not_before_s <= NOW && NOW <= id.not_after_s);
        hash_once(view_of(id.chain[0].data, id.chain[0].data_len), digest);
        assert(memcmp(digest, id.end_point, 32) == 0);
        TEXT_OF(&why, buf);
        assert(tlsid_look(certs, NOW, &seen, &why) == OK);
        assert(memcmp(digest, seen.end_point, 32) == 0);
    }
    tlsid_wipe(&id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view all = view_of(data, size);
    ptrdiff_t zero = view_find(all, 0);
    size_t at = zero < 0 ? size : (size_t)zero;
    load(view_first(all, at), view_from(all, at + 1));
    load(view_first(all, at), view_str(EC_LEAF_KEY));
    load(view_str(EC_LEAF_PEM), view_from(all, at + 1));
    return 0;
}
