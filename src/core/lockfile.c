/* The file of the attach password; see lockfile.h. */
#include "core/lockfile.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "core/paths.h"
#include "crypto/ct.h"
#include "port/port.h"

static const uint8_t MAGIC[8] = {'C', 'M', 'D', 'O', 'P', 'P', 'W', 1};

/* ---- to bytes ------------------------------------------------------------------ */

static void put_tries(struct writer *w, const struct lock_tries *t,
                      uint64_t now_ms)
{
    uint64_t left = t->until_ms > now_ms ? t->until_ms - now_ms : 0;
    write_u32(w, t->count);
    write_u32(w, left < UINT32_MAX ? (uint32_t)left : UINT32_MAX);
}

int lockfile_encode(const struct lock_record *r, uint64_t now_ms,
                    uint8_t out[LOCKFILE_BYTES])
{
    uint8_t digest[HASH_LEN];
    struct view text = view_str(r->stored);
    struct writer w;
    writer_init(&w, (struct span){out, LOCKFILE_BYTES});
    write_bytes(&w, VIEW_ARRAY(MAGIC));
    write_u8(&w, (uint8_t)text.len);
    write_bytes(&w, text);
    write_u8(&w, (uint8_t)r->tokens);
    for (uint32_t i = 0; i < r->tokens; i++) {
        write_bytes(&w, VIEW_ARRAY(r->token[i].hash));
        write_bytes(&w, VIEW_ARRAY(r->token[i].who));
        write_u64(&w, (uint64_t)r->token[i].from_ms);
        write_u64(&w, (uint64_t)r->token[i].until_ms);
    }
    write_u8(&w, (uint8_t)r->triers);
    for (uint32_t i = 0; i < r->triers; i++) {
        write_bytes(&w, VIEW_ARRAY(r->tries[i].who));
        put_tries(&w, &r->tries[i], now_ms);
    }
    put_tries(&w, &r->all, now_ms);
    hash_once(writer_view(&w), digest);
    write_bytes(&w, VIEW_ARRAY(digest));
    assert(w.err == OK); /* LOCKFILE_BYTES is the sum */
    return (int)w.len;
}

/* ---- from bytes ----------------------------------------------------------------- */

static bool get_text(struct reader *r, char out[PWHASH_CAP])
{
    uint8_t len;
    struct pwhash p;
    memset(out, 0, PWHASH_CAP);
    return read_u8(r, &len) == OK && len < PWHASH_CAP &&
           read_copy(r, out, len) == OK &&
           pwhash_read(view_of(out, len), &p) == OK;
}

static bool get_token(struct reader *r, struct lock_token *t)
{
    uint64_t from, until;
    if (read_copy(r, t->hash, sizeof(t->hash)) != OK ||
        read_copy(r, t->who, sizeof(t->who)) != OK ||
        read_u64(r, &from) != OK || read_u64(r, &until) != OK ||
        from > INT64_MAX || until > INT64_MAX)
        return false;
    t->from_ms = (int64_t)from;
    t->until_ms = (int64_t)until;
    return true;
}

static bool get_tries(struct reader *r, uint64_t now_ms, struct lock_tries *t)
{
    uint32_t left;
    if (read_u32(r, &t->count) != OK || read_u32(r, &left) != OK)
        return false;
    t->until_ms = left > 0 ? now_ms + left : 0;
    t->last_ms = now_ms;
    return true;
}

static bool get_all(struct reader *r, uint64_t now_ms, struct lock_record *out)
{
    uint8_t tokens, triers;
    if (!get_text(r, out->stored) || read_u8(r, &tokens) != OK ||
        tokens > LOCK_TOKENS_MAX)
        return false;
    for (out->tokens = 0; out->tokens < tokens; out->tokens++)
        if (!get_token(r, &out->token[out->tokens]))
            return false;
    if (read_u8(r, &triers) != OK || triers > LOCK_TRIERS_MAX)
        return false;
    for (out->triers = 0; out->triers < triers; out->triers++) {
        struct lock_tries *t = &out->tries[out->triers];
        if (read_copy(r, t->who, sizeof(t->who)) != OK ||
            !get_tries(r, now_ms, t))
            return false;
    }
    return get_tries(r, now_ms, &out->all) && r->left.len == 0;
}

int lockfile_decode(struct view raw, uint64_t now_ms, struct lock_record *out)
{
    uint8_t digest[HASH_LEN];
    struct reader r;
    if (raw.len < sizeof(MAGIC) + HASH_LEN ||
        !view_starts(raw, VIEW_ARRAY(MAGIC)))
        return ERR_DAMAGED;
    r.left = view_first(raw, raw.len - HASH_LEN);
    hash_once(r.left, digest);
    if (!view_eq(VIEW_ARRAY(digest), view_from(raw, raw.len - HASH_LEN)))
        return ERR_DAMAGED;
    r.left = view_from(r.left, sizeof(MAGIC));
    memset(out, 0, sizeof(*out));
    return get_all(&r, now_ms, out) ? OK : ERR_DAMAGED;
}

/* ---- the file --------------------------------------------------------------------- */

int lockfile_read(const char *state_dir, uint64_t now_ms,
                  struct lock_record *out)
{
    uint8_t raw[LOCKFILE_BYTES];
    char path[PATH_CAP];
    int n = paths_join(path, state_dir, "password");
    if (n == OK)
        n = port_keep_read(path, true, SPAN_ARRAY(raw));
    if (n == ERR_TOO_BIG)
        n = ERR_DAMAGED;
    if (n >= 0)
        n = lockfile_decode(view_of(raw, (size_t)n), now_ms, out);
    ct_wipe(SPAN_ARRAY(raw));
    return n;
}

int lockfile_write(const char *state_dir, uint64_t now_ms,
                   const struct lock_record *r)
{
    uint8_t raw[LOCKFILE_BYTES];
    char path[PATH_CAP];
    int len = lockfile_encode(r, now_ms, raw);
    int err = paths_join(path, state_dir, "password");
    if (err == OK)
        err = port_keep_folder(state_dir);
    if (err == OK)
        err = port_keep_write(path, view_of(raw, (size_t)len));
    ct_wipe(SPAN_ARRAY(raw));
    return err;
}

int lockfile_remove(const char *state_dir)
{
    char path[PATH_CAP];
    int err = paths_join(path, state_dir, "password");
    return err == OK ? port_keep_remove(path) : err;
}
