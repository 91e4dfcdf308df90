/* A backup as one file; see bundle.h. */
#include "relay/bundle.h"

#include "base/err.h"
#include "crypto/hash.h"

#define MAGIC "cmdopbak"

static const char *const NAMES[BUNDLE_FILES_MAX] = {
    "server.db",  "relay.key",  "ca.key",  "ca.pem",
    "server.key", "server.pem", "address",
};

const char *bundle_name(size_t n)
{
    return n < BUNDLE_FILES_MAX ? NAMES[n] : NULL;
}

bool bundle_is_secret(size_t n)
{
    /* certificates and the address are for everybody */
    return n != 3 && n != 5 && n != 6;
}

static size_t number_of(struct view name)
{
    size_t n = 0;

    while (n < BUNDLE_FILES_MAX && !view_is(name, NAMES[n]))
        n++;
    return n;
}

static int read_file(struct reader *r, struct bundle *b)
{
    struct view name, data;
    uint8_t name_len;
    uint64_t len;

    if (read_u8(r, &name_len) != OK || read_bytes(r, name_len, &name) != OK ||
        read_u64(r, &len) != OK || len > r->left.len ||
        read_bytes(r, (size_t)len, &data) != OK)
        return ERR_DAMAGED;
    size_t n = number_of(name);
    if (n == BUNDLE_FILES_MAX || b->has[n])
        return ERR_DAMAGED;
    b->file[n] = data;
    b->has[n] = true;
    return OK;
}

static bool is_whole(struct view in)
{
    uint8_t digest[HASH_LEN];

    if (in.len < HASH_LEN)
        return false;
    hash_once(view_first(in, in.len - HASH_LEN), digest);
    return view_eq(view_from(in, in.len - HASH_LEN), VIEW_ARRAY(digest));
}

int bundle_read(struct view in, struct bundle *out)
{
    struct bundle b = {0};
    struct view magic;
    uint32_t version, count;
    uint64_t made_ms;
    struct reader r = {in};

    if (read_bytes(&r, sizeof MAGIC - 1, &magic) != OK ||
        !view_is(magic, MAGIC) || read_u32(&r, &version) != OK)
        return ERR_DAMAGED;
    if (version > BUNDLE_VERSION)
        return ERR_VERSION;
    if (version == 0 || !is_whole(in))
        return ERR_DAMAGED;
    r.left = view_first(r.left, r.left.len - HASH_LEN);
    if (read_u64(&r, &made_ms) != OK || made_ms > INT64_MAX ||
        read_u32(&r, &count) != OK || count > BUNDLE_FILES_MAX)
        return ERR_DAMAGED;
    b.made_ms = (int64_t)made_ms;
    for (uint32_t i = 0; i < count; i++)
        if (read_file(&r, &b) != OK)
            return ERR_DAMAGED;
    if (r.left.len != 0 || !b.has[0] || !b.has[1])
        return ERR_DAMAGED;
    *out = b;
    return OK;
}

void bundle_write(struct writer *w, const struct bundle *b)
{
    uint8_t digest[HASH_LEN];
    uint32_t count = 0;

    for (size_t n = 0; n < BUNDLE_FILES_MAX; n++)
        count += b->has[n];
    write_str(w, MAGIC);
    write_u32(w, BUNDLE_VERSION);
    write_u64(w, (uint64_t)b->made_ms);
    write_u32(w, count);
    for (size_t n = 0; n < BUNDLE_FILES_MAX; n++) {
        if (!b->has[n])
            continue;
        struct view name = view_str(NAMES[n]);
        write_u8(w, (uint8_t)name.len);
        write_bytes(w, name);
        write_u64(w, b->file[n].len);
        write_bytes(w, b->file[n]);
    }
    hash_once(writer_view(w), digest);
    write_bytes(w, VIEW_ARRAY(digest));
}
