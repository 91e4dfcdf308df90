/* SHA-256 and transcripts; see hash.h. */
#include "crypto/hash.h"

#include <assert.h>

_Static_assert(HASH_LEN == br_sha256_SIZE, "one digest length");

void hash_init(struct hash *h)
{
    br_sha256_init(&h->sha);
}

void hash_feed(struct hash *h, struct view v)
{
    br_sha256_update(&h->sha, v.ptr, v.len);
}

void hash_field(struct hash *h, struct view v)
{
    uint8_t raw[4];
    struct writer w;

    assert(v.len <= UINT32_MAX);
    writer_init(&w, SPAN_ARRAY(raw));
    write_u32(&w, (uint32_t)v.len);
    hash_feed(h, writer_view(&w));
    hash_feed(h, v);
}

void hash_field_u32(struct hash *h, uint32_t v)
{
    uint8_t raw[4];
    struct writer w;

    writer_init(&w, SPAN_ARRAY(raw));
    write_u32(&w, v);
    hash_field(h, writer_view(&w));
}

void hash_field_u64(struct hash *h, uint64_t v)
{
    uint8_t raw[8];
    struct writer w;

    writer_init(&w, SPAN_ARRAY(raw));
    write_u64(&w, v);
    hash_field(h, writer_view(&w));
}

void hash_take(const struct hash *h, uint8_t out[HASH_LEN])
{
    br_sha256_out(&h->sha, out);
}

void hash_once(struct view v, uint8_t out[HASH_LEN])
{
    struct hash h;

    hash_init(&h);
    hash_feed(&h, v);
    hash_take(&h, out);
}
