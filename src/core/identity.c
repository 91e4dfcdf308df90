/* The machine's key on disk; see identity.h. */
#include "core/identity.h"

#include <string.h>

#include "base/err.h"
#include "core/paths.h"
#include "crypto/ct.h"
#include "crypto/seal.h"
#include "port/port.h"

enum {
    HEAD_LEN = 8,
    BOX_LEN = SIGN_SEED_LEN + SEAL_TAG_LEN,
    FILE_LEN = HEAD_LEN + SEAL_NONCE_LEN + BOX_LEN,
};

_Static_assert(FILE_LEN == 80, "identity.h draws the file");

static const uint8_t HEAD[HEAD_LEN] = {'C', 'M', 'D', 'O', 'P', 'I', 'D', 1};

/* All paths, and the secrets on their way; wiped before return. */
struct work {
    char id_path[PATH_CAP];
    char next_path[PATH_CAP];
    char key_path[PATH_CAP];
    uint8_t seal_key[SEAL_KEY_LEN];
    uint8_t seed[SIGN_SEED_LEN];
    struct text *why;
};

static int work_init(struct work *w, const char *state_dir,
                     const char *config_dir, struct text *why)
{
    *w = (struct work){.why = why};
    if (paths_join(w->id_path, state_dir, "identity") == OK &&
        paths_join(w->next_path, state_dir, "identity.next") == OK &&
        paths_join(w->key_path, config_dir, "machine.key") == OK)
        return OK;
    text_str(why, "the path of the identity file is too long");
    return ERR_RANGE;
}

static void work_wipe(struct work *w)
{
    ct_wipe(SPAN_ARRAY(w->seal_key));
    ct_wipe(SPAN_ARRAY(w->seed));
}

static int damaged(struct work *w, const char *path, const char *how)
{
    text_join(w->why, "the identity file ", path, " ", how,
              "; restore it from a backup, or remove it ", NULL);
    if (path == w->key_path) /* without its key the other is of no use */
        text_join(w->why, "and ", w->id_path, " ", NULL);
    text_str(w->why, "and join again");
    return ERR_DAMAGED;
}

/* A file that could not be read at all. */
static int unreadable(struct work *w, const char *path, int err)
{
    if (err == ERR_TOO_BIG)
        return damaged(w, path, "is damaged: it is too long");
    text_join(w->why, "cannot read the identity file: ", port_why(), NULL);
    if (err == ERR_DAMAGED)
        text_join(w->why, "; make it private: chmod 600 ", path, NULL);
    return err;
}

/* Write failed; the old file, if any, is untouched. */
static int unwritable(struct work *w, int err)
{
    text_join(w->why, "cannot make the identity: ", port_why(), NULL);
    return err;
}

static int read_key(struct work *w)
{
    int n = port_keep_read(w->key_path, true, SPAN_ARRAY(w->seal_key));

    if (n == ERR_NOT_FOUND)
        return n; /* what that means, the caller knows */
    if (n < 0)
        return unreadable(w, w->key_path, n);
    if (n != SEAL_KEY_LEN)
        return damaged(w, w->key_path, "is damaged: it is too short");
    return OK;
}

/* Parse and open the file's bytes into w->seed. */
static int open_file(struct work *w, const char *path, struct view file)
{
    struct reader r = {file};
    struct view head, nonce, box;

    if (read_bytes(&r, HEAD_LEN, &head) != OK ||
        read_bytes(&r, SEAL_NONCE_LEN, &nonce) != OK ||
        read_bytes(&r, BOX_LEN, &box) != OK)
        return damaged(w, path, "is damaged: it is too short");
    if (!view_eq(view_first(head, HEAD_LEN - 1), view_of(HEAD, HEAD_LEN - 1)))
        return damaged(w, path, "is damaged: it is something else");
    if (!view_eq(head, VIEW_ARRAY(HEAD))) {
        text_join(w->why, "the identity file ", path,
                  " was written by another version; update cmdop", NULL);
        return ERR_UNSUPPORTED;
    }
    if (seal_open(w->seal_key, nonce.ptr, head, box, SPAN_ARRAY(w->seed)) !=
        SIGN_SEED_LEN)
        return damaged(w, path, "is damaged, or machine.key is not its key");
    return OK;
}

/* ERR_NOT_FOUND without a word: what that means, the caller knows. */
static int load_seed(struct work *w, const char *path)
{
    uint8_t file[FILE_LEN];
    int n = port_keep_read(path, true, SPAN_ARRAY(file));

    if (n == ERR_NOT_FOUND)
        return n;
    if (n < 0)
        return unreadable(w, path, n);
    int err = read_key(w);
    if (err == ERR_NOT_FOUND) {
        text_join(w->why, "the key of the identity file, ", w->key_path,
                  ", is missing; restore it from a backup, or remove ", path,
                  " and join again", NULL);
        return ERR_DAMAGED;
    }
    return err != OK ? err : open_file(w, path, view_of(file, (size_t)n));
}

/* From the seed in *w to what the caller gets. */
static void give(const struct work *w, struct identity *out)
{
    sign_keypair_from_seed(w->seed, &out->key);
    sign_fingerprint(out->key.pub, out->fingerprint);
}

static void give_next(const struct work *w, struct identity *out)
{
    sign_keypair_from_seed(w->seed, &out->next);
    sign_fingerprint(out->next.pub, out->next_fingerprint);
    out->has_next = true;
}

/* The key that shall replace it. A copy of the identity itself was left by a
 * change that is complete but for its last step. */
static int load_next(struct work *w, struct identity *out)
{
    int err = load_seed(w, w->next_path);

    if (err == ERR_NOT_FOUND)
        return OK;
    if (err == OK &&
        !ct_eq(VIEW_ARRAY(w->seed), view_of(out->key.secret, SIGN_SEED_LEN)))
        give_next(w, out);
    return err;
}

static int load(struct work *w, struct identity *out)
{
    int err = load_seed(w, w->id_path);

    if (err == ERR_NOT_FOUND)
        text_str(w->why, "this machine has no identity yet; run: cmdop join");
    if (err != OK)
        return err;
    give(w, out);
    return load_next(w, out);
}

static int make_folder(struct work *w, const char *path)
{
    int err = port_keep_folder(path);

    if (err != OK)
        text_join(w->why, "cannot use the folder: ", port_why(), NULL);
    return err;
}

/* The key of the seal: the one that is there, or a new one. */
static int read_or_make_key(struct work *w)
{
    int err = read_key(w);

    if (err != ERR_NOT_FOUND)
        return err;
    port_entropy(SPAN_ARRAY(w->seal_key));
    err = port_keep_write(w->key_path, VIEW_ARRAY(w->seal_key));
    return err == OK ? OK : unwritable(w, err);
}

/* Seal a new seed, which stays in w->seed, into a file. */
static int make(struct work *w, const char *path)
{
    uint8_t nonce[SEAL_NONCE_LEN];
    uint8_t box[BOX_LEN];
    uint8_t file[FILE_LEN];
    struct writer out;

    int err = read_or_make_key(w);
    if (err != OK)
        return err;
    port_entropy(SPAN_ARRAY(nonce));
    port_entropy(SPAN_ARRAY(w->seed));
    (void)seal_close(w->seal_key, nonce, VIEW_ARRAY(HEAD), VIEW_ARRAY(w->seed),
                     SPAN_ARRAY(box));
    writer_init(&out, SPAN_ARRAY(file));
    write_bytes(&out, VIEW_ARRAY(HEAD));
    write_bytes(&out, VIEW_ARRAY(nonce));
    write_bytes(&out, VIEW_ARRAY(box));
    err = port_keep_write(path, writer_view(&out));
    return err == OK ? OK : unwritable(w, err);
}

static int load_or_make(struct work *w, struct identity *out)
{
    int err = load(w, out);

    if (err != ERR_NOT_FOUND)
        return err;
    text_init(w->why, w->why->buf, w->why->cap);
    err = make(w, w->id_path);
    if (err == OK)
        give(w, out);
    return err;
}

/* What the caller gets is whole, or nothing. */
static int finish(struct work *w, int err, struct identity *got,
                  struct identity *out)
{
    if (err == OK)
        *out = *got;
    identity_wipe(got);
    work_wipe(w);
    return err;
}

int identity_load(const char *state_dir, const char *config_dir,
                  struct identity *out, struct text *why)
{
    struct identity got = {0};
    struct work w;
    int err = work_init(&w, state_dir, config_dir, why);

    if (err == OK)
        err = load(&w, &got);
    return finish(&w, err, &got, out);
}

int identity_load_or_make(const char *state_dir, const char *config_dir,
                          struct identity *out, struct text *why)
{
    struct identity got = {0};
    struct work w;
    int err = work_init(&w, state_dir, config_dir, why);

    if (err == OK)
        err = make_folder(&w, state_dir);
    if (err == OK)
        err = make_folder(&w, config_dir);
    if (err == OK)
        err = load_or_make(&w, &got);
    return finish(&w, err, &got, out);
}

/* ---- replacing it ---------------------------------------------------------- */

int identity_next_make(const char *state_dir, const char *config_dir,
                       struct identity *id, struct text *why)
{
    struct work w;
    int err = OK;

    if (id->has_next)
        return OK;
    err = work_init(&w, state_dir, config_dir, why);
    if (err == OK)
        err = make(&w, w.next_path);
    if (err == OK)
        give_next(&w, id);
    work_wipe(&w);
    return err;
}

/* Whatever the file holds, byte by byte. */
static int copy_file(struct work *w, const char *from, const char *to)
{
    uint8_t file[4096]; /* more than any sound one has */
    int n = port_keep_read(from, false, SPAN_ARRAY(file));

    if (n == ERR_NOT_FOUND)
        return n;
    if (n < 0)
        return unreadable(w, from, n);
    int err = port_keep_write(to, view_of(file, (size_t)n));
    return err == OK ? OK : unwritable(w, err);
}

static int remove_file(struct work *w, const char *path)
{
    int err = port_keep_remove(path);

    if (err == OK || err == ERR_NOT_FOUND)
        return OK;
    text_join(w->why, "cannot remove the identity file: ", port_why(), NULL);
    return err;
}

int identity_next_take(const char *state_dir, struct identity *id,
                       struct text *why)
{
    struct work w;
    int err = work_init(&w, state_dir, "/", why);

    if (err == OK)
        err = copy_file(&w, w.next_path, w.id_path);
    if (err == ERR_NOT_FOUND)
        text_join(why, "the new key, ", w.next_path, ", is not there any more",
                  NULL);
    if (err != OK)
        return err;
    id->key = id->next;
    memcpy(id->fingerprint, id->next_fingerprint, sizeof(id->fingerprint));
    id->has_next = false;
    ct_wipe((struct span){(uint8_t *)&id->next, sizeof(id->next)});
    /* A copy that stays is harmless: see load_next. */
    (void)port_keep_remove(w.next_path);
    return OK;
}

int identity_set_aside(const char *state_dir, struct text *why)
{
    char old_path[PATH_CAP];
    struct work w;
    int err = work_init(&w, state_dir, "/", why);

    if (err == OK)
        err = paths_join(old_path, state_dir, "identity.old");
    if (err == OK)
        err = copy_file(&w, w.id_path, old_path);
    if (err == OK)
        err = remove_file(&w, w.next_path);
    if (err == OK)
        err = remove_file(&w, w.id_path);
    if (err == ERR_NOT_FOUND)
        text_str(why, "this machine has no identity");
    return err;
}

void identity_wipe(struct identity *id)
{
    ct_wipe((struct span){(uint8_t *)id, sizeof(*id)});
}
