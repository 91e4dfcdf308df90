/*
 * PEM from anybody, in pieces. However it is cut, the same blocks come, and
 * none is larger than its room.
 */
#include "codec/pem.h"

#include <assert.h>
#include <string.h>

#include "crypto/hash.h"

enum { ROOM = 600 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(struct hash *h, struct pem *p, enum pem_event event)
{
    hash_field_u32(h, (uint32_t)event);
    if (event == PEM_BAD) {
        assert(pem_why(p)[0] != '\0');
        return;
    }
    assert(pem_der(p).len <= ROOM);
    assert(strlen(pem_label(p)) < PEM_LABEL_CAP);
    hash_field(h, view_str(pem_label(p)));
    hash_field(h, pem_der(p));
}

static void read_cut(struct view text, size_t cut, uint8_t out[HASH_LEN])
{
    static uint8_t room[ROOM];
    struct pem p;
    struct hash h;
    enum pem_event event;
    hash_init(&h);
    pem_init(&p, SPAN_ARRAY(room));
    while (text.len > 0) {
        struct view piece = view_first(text, cut);
        text = view_from(text, piece.len);
        while ((event = pem_feed(&p, &piece)) != PEM_MORE)
            note(&h, &p, event);
        assert(piece.len == 0);
    }
    while ((event = pem_end(&p)) != PEM_MORE)
        note(&h, &p, event);
    hash_take(&h, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t cuts[] = {1, 2, 7, 64};
    uint8_t whole[HASH_LEN], part[HASH_LEN];
    read_cut(view_of(data, size), size + 1, whole);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        read_cut(view_of(data, size), cuts[i], part);
        assert(memcmp(whole, part, sizeof whole) == 0);
    }
    return 0;
}
