/* Tokens and keys of machines; see unlockfile.h. */
#include "core/unlockfile.h"

#include <string.h>

#include "base/err.h"
#include "core/paths.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "port/port.h"

#define TOKEN_MAGIC "CMDOPUL1"
#define KEY_MAGIC   "CMDOPMK1"
#define PREFIX      "unlock-"
#define KNOWN_BYTES (8 + 32 + 8 + 1 + 80)
#define NAME_BYTES  16 /* of the digest that names a file */

/* The file for one relay and one word. */
static int path_of(char out[PATH_CAP], const char *dir, const char *prefix,
                   const uint8_t pin[32], const char *word)
{
    uint8_t digest[HASH_LEN];
    char name[sizeof(PREFIX) + 2 * NAME_BYTES];
    struct hash h;
    struct text t;
    hash_init(&h);
    hash_field(&h, view_of(pin, 32));
    hash_field(&h, view_str(word));
    hash_take(&h, digest);
    TEXT_OF(&t, name);
    text_str(&t, prefix);
    text_hex(&t, view_of(digest, NAME_BYTES));
    return paths_join(out, dir, name);
}

/* A text of at most cap - 1 bytes, without zeros. */
static bool take_text(struct reader *r, char *to, size_t cap)
{
    uint8_t len;
    struct view v;
    if (read_u8(r, &len) != OK || len >= cap || read_bytes(r, len, &v) != OK ||
        view_find(v, 0) >= 0)
        return false;
    bytes_to_str(to, cap, v);
    return true;
}

static void put_text(struct writer *w, const char *s, size_t cap)
{
    struct view v = view_first(view_str(s), cap - 1);
    write_u8(w, (uint8_t)v.len);
    write_bytes(w, v);
}

/* ---- tokens ------------------------------------------------------------------- */

int unlockfile_encode(const struct unlock_token *t,
                      uint8_t out[UNLOCKFILE_BYTES])
{
    struct writer w;
    writer_init(&w, (struct span){out, UNLOCKFILE_BYTES});
    write_str(&w, TOKEN_MAGIC);
    write_bytes(&w, VIEW_ARRAY(t->token));
    write_u64(&w, (uint64_t)t->until_ms);
    put_text(&w, t->machine_id, sizeof(t->machine_id));
    put_text(&w, t->name, sizeof(t->name));
    return (int)w.len;
}

int unlockfile_decode(struct view raw, struct unlock_token *out)
{
    struct reader r = {raw};
    struct view magic;
    uint64_t until;
    struct unlock_token t = {0};
    if (read_bytes(&r, 8, &magic) != OK || !view_is(magic, TOKEN_MAGIC) ||
        read_copy(&r, t.token, sizeof(t.token)) != OK ||
        read_u64(&r, &until) != OK || until > INT64_MAX ||
        !take_text(&r, t.machine_id, sizeof(t.machine_id)) ||
        !take_text(&r, t.name, sizeof(t.name)) || r.left.len != 0)
        return ERR_DAMAGED;
    t.until_ms = (int64_t)until;
    *out = t;
    return OK;
}

static int load(const char *path, int64_t wall_ms, struct unlock_token *out)
{
    uint8_t raw[UNLOCKFILE_BYTES + 1];
    int n = port_keep_read(path, true, SPAN_ARRAY(raw));
    if (n >= 0)
        n = unlockfile_decode(view_of(raw, (size_t)n), out);
    ct_wipe(SPAN_ARRAY(raw));
    /* Longer than a token lasts: a clock was set, and nobody can know. */
    if (n == OK &&
        (out->until_ms <= wall_ms ||
         out->until_ms - wall_ms > LOCK_TOKEN_MS + LOCK_CLOCK_SLACK_MS))
        return ERR_NOT_FOUND;
    return n;
}

int unlockfile_load(const char *runtime_dir, const uint8_t pin[32],
                    const char *machine_id, int64_t wall_ms,
                    struct unlock_token *out)
{
    char path[PATH_CAP];
    int err = path_of(path, runtime_dir, PREFIX, pin, machine_id);
    return err == OK ? load(path, wall_ms, out) : err;
}

void unlockfile_save(const char *runtime_dir, const uint8_t pin[32],
                     const struct unlock_token *t)
{
    char path[PATH_CAP];
    uint8_t raw[UNLOCKFILE_BYTES];
    int len = unlockfile_encode(t, raw);
    if (port_keep_folder(runtime_dir) == OK &&
        path_of(path, runtime_dir, PREFIX, pin, t->machine_id) == OK)
        (void)port_keep_write_fast(path, view_of(raw, (size_t)len));
    ct_wipe(SPAN_ARRAY(raw));
}

void unlockfile_remove(const char *runtime_dir, const uint8_t pin[32],
                       const char *machine_id)
{
    char path[PATH_CAP];
    if (path_of(path, runtime_dir, PREFIX, pin, machine_id) == OK)
        (void)port_keep_remove(path);
}

struct walk {
    const char *dir;
    int64_t wall_ms;
    void (*each)(void *ctx, const struct unlock_token *t);
    void *ctx;
    /* of a search */
    const uint8_t *pin;
    const char *word;
    struct unlock_token *out;
};

static bool is_ours(const char *name)
{
    return view_starts(view_str(name), view_str(PREFIX));
}

static void list_one(void *ctx, const char *name)
{
    struct walk *w = ctx;
    char path[PATH_CAP];
    struct unlock_token t;
    if (!is_ours(name) || paths_join(path, w->dir, name) != OK)
        return;
    if (load(path, w->wall_ms, &t) != OK) {
        (void)port_keep_remove(path);
        return;
    }
    ct_wipe(SPAN_ARRAY(t.token));
    w->each(w->ctx, &t);
}

void unlockfile_list(const char *runtime_dir, int64_t wall_ms,
                     void (*each)(void *ctx, const struct unlock_token *t),
                     void *ctx)
{
    struct walk w = {
        .dir = runtime_dir, .wall_ms = wall_ms, .each = each, .ctx = ctx};
    (void)port_folder_list(runtime_dir, list_one, &w);
}

/* The name of a file proves whose relay it is for. */
static void match_one(void *ctx, const char *name)
{
    struct walk *w = ctx;
    char path[PATH_CAP], right[PATH_CAP];
    struct unlock_token t;
    if (!is_ours(name) || paths_join(path, w->dir, name) != OK ||
        load(path, w->wall_ms, &t) != OK)
        return;
    if ((view_is(view_str(w->word), t.machine_id) ||
         view_is(view_str(w->word), t.name)) &&
        path_of(right, w->dir, PREFIX, w->pin, t.machine_id) == OK &&
        strcmp(path, right) == 0)
        *w->out = t;
    ct_wipe((struct span){(uint8_t *)&t, sizeof(t)});
}

int unlockfile_find(const char *runtime_dir, const uint8_t pin[32],
                    const char *word, int64_t wall_ms, struct unlock_token *out)
{
    struct walk w = {.dir = runtime_dir,
                     .wall_ms = wall_ms,
                     .pin = pin,
                     .word = word,
                     .out = out};
    out->machine_id[0] = '\0';
    if (word[0] == '\0')
        return ERR_NOT_FOUND;
    (void)port_folder_list(runtime_dir, match_one, &w);
    return out->machine_id[0] != '\0' ? OK : ERR_NOT_FOUND;
}

/* ---- keys ---------------------------------------------------------------------------- */

static int known_path(char out[PATH_CAP], char folder[PATH_CAP],
                      const char *config_dir, const uint8_t pin[32],
                      const char *typed)
{
    int err = paths_join(folder, config_dir, "known");
    return err == OK ? path_of(out, folder, "", pin, typed) : err;
}

int known_check(const char *config_dir, const uint8_t pin[32],
                const char *typed, const uint8_t key[32], int64_t *since_ms)
{
    char path[PATH_CAP], folder[PATH_CAP], word[80];
    uint8_t raw[KNOWN_BYTES + 1], kept[32];
    struct view magic;
    uint64_t since;
    int n = known_path(path, folder, config_dir, pin, typed);
    if (n == OK)
        n = port_keep_read(path, true, SPAN_ARRAY(raw));
    if (n < 0)
        return n;
    struct reader r = {view_of(raw, (size_t)n)};
    if (read_bytes(&r, 8, &magic) != OK || !view_is(magic, KEY_MAGIC) ||
        read_copy(&r, kept, sizeof(kept)) != OK || read_u64(&r, &since) != OK ||
        since > INT64_MAX || !take_text(&r, word, sizeof(word)) ||
        r.left.len != 0)
        return ERR_DAMAGED;
    *since_ms = (int64_t)since;
    return memcmp(kept, key, sizeof(kept)) == 0 ? OK : ERR_PIN;
}

int known_keep(const char *config_dir, const uint8_t pin[32], const char *typed,
               const uint8_t key[32], int64_t wall_ms)
{
    char path[PATH_CAP], folder[PATH_CAP];
    uint8_t raw[KNOWN_BYTES];
    struct writer w;
    writer_init(&w, SPAN_ARRAY(raw));
    write_str(&w, KEY_MAGIC);
    write_bytes(&w, view_of(key, 32));
    write_u64(&w, (uint64_t)wall_ms);
    put_text(&w, typed, 80);
    int err = known_path(path, folder, config_dir, pin, typed);
    if (err == OK)
        err = port_keep_folder(folder);
    return err == OK ? port_keep_write(path, writer_view(&w)) : err;
}
