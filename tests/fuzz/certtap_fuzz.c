/*
 * The chain that a server shows: certificates behind their lengths (two
 * bytes), after a byte that chooses the size of the pieces. The verdict does
 * not depend on how they are cut; the digest is that of the first
 * certificate; and no key is taken that is too weak or of another kind.
 */
#include "transport/certtap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/hash.h"

static void show(const br_x509_class **ctx, struct view cert, size_t each)
{
    (*ctx)->start_cert(ctx, (uint32_t)cert.len);
    for (; cert.len > 0; cert = view_from(cert, each)) {
        struct view part = view_first(cert, each);
        uint8_t *exact = malloc(part.len); /* a step outside is seen */
        assert(exact != NULL);
        memcpy(exact, part.ptr, part.len);
        (*ctx)->append(ctx, exact, part.len);
        free(exact);
    }
    (*ctx)->end_cert(ctx);
}

static unsigned chain(struct certtap *tap, struct view in, size_t each,
                      struct view *first)
{
    const br_x509_class **ctx = &tap->vtable;
    struct reader r = {in};
    struct view cert;
    uint16_t len;
    certtap_init(tap, NULL);
    (*ctx)->start_chain(ctx, "relay.test");
    *first = VIEW_NONE;
    for (unsigned n = 0; read_u16(&r, &len) == OK; n++) {
        if (read_bytes(&r, len < r.left.len ? len : r.left.len, &cert) != OK)
            break;
        show(ctx, cert, each);
        assert(tap->count == n + 1);
        if (n == 0)
            *first = cert;
    }
    return (*ctx)->end_chain(ctx);
}

static void check_key(const struct certtap *tap)
{
    unsigned usages = 0;
    const br_x509_pkey *key = tap->vtable->get_pkey(
        (const br_x509_class *const *)&tap->vtable, &usages);
    assert(key != NULL && usages == BR_KEYTYPE_SIGN);
    if (key->key_type == BR_KEYTYPE_RSA) {
        assert(key->key.rsa.nlen >= 256 && key->key.rsa.n[0] != 0);
    } else {
        assert(key->key_type == BR_KEYTYPE_EC);
        assert(key->key.ec.curve == BR_EC_secp256r1 ||
               key->key.ec.curve == BR_EC_secp384r1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct certtap whole, cut;
    struct view first, same;
    uint8_t digest[32];
    if (size < 1)
        return 0;
    struct view in = view_of(data + 1, size - 1);
    unsigned verdict = chain(&whole, in, size, &first);
    assert(chain(&cut, in, 1u + data[0], &same) == verdict);
    if (whole.count == 0) {
        assert(verdict == BR_ERR_X509_EMPTY_CHAIN);
        return 0;
    }
    hash_once(first, digest);
    assert(memcmp(whole.end_point, digest, 32) == 0);
    assert(memcmp(cut.end_point, digest, 32) == 0);
    if (verdict == BR_ERR_OK) {
        check_key(&whole);
        check_key(&cut);
    }
    return 0;
}
