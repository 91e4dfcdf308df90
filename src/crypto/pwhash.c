/* Argon2id; see pwhash.h. */
#include "crypto/pwhash.h"

#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "base/text.h"
#include "codec/base64.h"
#include "crypto/ct.h"

_Static_assert(PWHASH_SALT_LEN == crypto_pwhash_argon2id_SALTBYTES,
               "libsodium's salt");
_Static_assert(PWHASH_CAP == crypto_pwhash_argon2id_STRBYTES,
               "libsodium's string");
_Static_assert(PWHASH_KIB >= PWHASH_KIB_MIN && PWHASH_KIB <= PWHASH_KIB_MAX &&
                   PWHASH_PASSES >= 1 && PWHASH_PASSES <= PWHASH_PASSES_MAX,
               "what we make we can read");

/* Lengths in base64, with padding and without. */
#define SALT_DIGITS     22
#define SALT_DIGITS_ALL 24
#define HASH_DIGITS     43
#define HASH_DIGITS_ALL 44

/* ---- from text -------------------------------------------------------------- */

static bool skip(struct view *v, const char *word)
{
    struct view w = view_str(word);
    if (!view_starts(*v, w))
        return false;
    *v = view_from(*v, w.len);
    return true;
}

/* A decimal number as it is written: no sign, no leading zero. */
static bool number(struct view *v, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t n = 0;
    size_t len = 0;
    while (len < v->len && v->ptr[len] >= '0' && v->ptr[len] <= '9') {
        n = n * 10 + (uint64_t)(v->ptr[len++] - '0');
        if (n > max)
            return false;
    }
    if (len == 0 || (len > 1 && v->ptr[0] == '0') || n < min)
        return false;
    *out = (uint32_t)n;
    *v = view_from(*v, len);
    return true;
}

/* Base64 without the padding that our decoder wants. */
static bool digits(struct view *v, size_t len, size_t all, struct span out)
{
    uint8_t padded[HASH_DIGITS_ALL];
    if (v->len < len)
        return false;
    memset(padded, '=', sizeof(padded));
    memcpy(padded, v->ptr, len);
    *v = view_from(*v, len);
    return base64_decode(BASE64_STD, view_of(padded, all), out) == (int)out.len;
}

int pwhash_read(struct view stored, struct pwhash *out)
{
    struct pwhash p = {0};
    struct view v = stored;
    if (!skip(&v, "$argon2id$v=19$m=") ||
        !number(&v, PWHASH_KIB_MIN, PWHASH_KIB_MAX, &p.kib) ||
        !skip(&v, ",t=") || !number(&v, 1, PWHASH_PASSES_MAX, &p.passes) ||
        !skip(&v, ",p=1$") ||
        !digits(&v, SALT_DIGITS, SALT_DIGITS_ALL, SPAN_ARRAY(p.salt)) ||
        !skip(&v, "$") ||
        !digits(&v, HASH_DIGITS, HASH_DIGITS_ALL, SPAN_ARRAY(p.hash)) ||
        v.len != 0)
        return ERR_DAMAGED;
    *out = p;
    return OK;
}

/* ---- to text ------------------------------------------------------------------ */

static void put_digits(struct text *t, struct view bytes, size_t len)
{
    uint8_t padded[HASH_DIGITS_ALL];
    struct writer w;
    writer_init(&w, SPAN_ARRAY(padded));
    base64_write(&w, BASE64_STD, bytes);
    text_view(t, view_first(writer_view(&w), len));
}

int pwhash_write(const struct pwhash *p, char out[PWHASH_CAP])
{
    struct text t;
    text_init(&t, out, PWHASH_CAP);
    text_str(&t, "$argon2id$v=19$m=");
    text_u64(&t, p->kib);
    text_str(&t, ",t=");
    text_u64(&t, p->passes);
    text_str(&t, ",p=1$");
    put_digits(&t, VIEW_ARRAY(p->salt), SALT_DIGITS);
    text_str(&t, "$");
    put_digits(&t, VIEW_ARRAY(p->hash), HASH_DIGITS);
    return (int)t.len;
}

/* ---- computing ----------------------------------------------------------------- */

static int compute(struct view password, const struct pwhash *p,
                   uint8_t out[PWHASH_HASH_LEN])
{
    if (password.len == 0 || password.len > PWHASH_PASSWORD_MAX)
        return ERR_RANGE;
    if (crypto_pwhash_argon2id(out, PWHASH_HASH_LEN, (const char *)password.ptr,
                               password.len, p->salt, p->passes,
                               (size_t)p->kib * 1024,
                               crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
        return ERR_LIMIT;
    return OK;
}

int pwhash_make(struct view password, const uint8_t salt[PWHASH_SALT_LEN],
                char out[PWHASH_CAP])
{
    struct pwhash p = {.kib = PWHASH_KIB, .passes = PWHASH_PASSES};
    memcpy(p.salt, salt, sizeof(p.salt));
    int err = compute(password, &p, p.hash);
    if (err != OK)
        return err;
    memset(out, 0, PWHASH_CAP);
    (void)pwhash_write(&p, out);
    return OK;
}

int pwhash_check(struct view password, struct view stored)
{
    uint8_t hash[PWHASH_HASH_LEN];
    struct pwhash p;
    int err = pwhash_read(stored, &p);
    if (err == OK)
        err = compute(password, &p, hash);
    if (err == ERR_RANGE) /* no such password can have been set */
        return ERR_AUTH;
    if (err != OK)
        return err;
    err = ct_eq(VIEW_ARRAY(hash), VIEW_ARRAY(p.hash)) ? OK : ERR_AUTH;
    ct_wipe(SPAN_ARRAY(hash));
    return err;
}

bool pwhash_needs_rehash(struct view stored)
{
    struct pwhash p;
    return pwhash_read(stored, &p) == OK &&
           (p.kib != PWHASH_KIB || p.passes != PWHASH_PASSES);
}

/* ---- as a task ------------------------------------------------------------------- */

static int work_make(const struct pwhash_task *t, struct span out)
{
    char text[PWHASH_CAP];
    int err = pwhash_make(view_of(t->password, t->len), t->salt, text);
    if (err != OK)
        return err;
    memcpy(out.ptr, text, sizeof(text));
    return (int)sizeof(text);
}

int pwhash_work(const void *arg, struct span out)
{
    const struct pwhash_task *t = arg;
    if (out.len < PWHASH_CAP || t->len > sizeof(t->password))
        return ERR_RANGE;
    if (t->make)
        return work_make(t, out);
    const char *end = memchr(t->stored, '\0', sizeof(t->stored));
    if (end == NULL)
        return ERR_DAMAGED;
    int err = pwhash_check(view_of(t->password, t->len), view_str(t->stored));
    if (err != OK && err != ERR_AUTH)
        return err;
    out.ptr[0] = err == OK;
    return 1;
}
