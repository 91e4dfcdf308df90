/* What signing in needs; see people.h. */
#include "relay/people.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "codec/base32.h"
#include "codec/base64.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "crypto/seal.h"

_Static_assert(PEOPLE_SEALED_LEN <= STORE_SEALED_CAP, "the store keeps it");
_Static_assert(PEOPLE_SEALED_LEN ==
                   SEAL_NONCE_LEN + TOTP_SECRET_LEN + SEAL_TAG_LEN,
               "nonce, secret, tag");

size_t people_bytes(void)
{
    return oauth_bytes() + THROTTLE_ROWS * sizeof(struct throttle_row) + 256;
}

void people_init(struct people *p, struct arena *a, struct loop *l,
                 const struct people_cfg *cfg)
{
    uint8_t secret[32];
    struct hash h;

    memset(p, 0, sizeof *p);
    p->loop = l;
    p->ask = cfg->oauth;
    p->online = cfg->online;
    p->access = cfg->access;
    p->room = cfg->room;
    p->name = cfg->name;
    port_entropy(SPAN_ARRAY(secret));
    throttle_init(&p->throttle, a, secret);
    ct_wipe(SPAN_ARRAY(secret));
    oauth_init(&p->oauth, a, &p->throttle, &cfg->oauth);
    desk_init(&p->desk, l);
    hash_init(&h);
    hash_field(&h, view_str("cmdop: second factors at rest"));
    hash_field(&h, view_of(cfg->secret, 32));
    hash_take(&h, p->seal_key);
}

/* ---- secrets ------------------------------------------------------------------ */

void people_secret(char out[PEOPLE_SECRET_CAP])
{
    uint8_t raw[32];
    struct writer w;

    port_entropy(SPAN_ARRAY(raw));
    memset(out, 0, PEOPLE_SECRET_CAP);
    writer_init(&w, (struct span){(uint8_t *)out, PEOPLE_SECRET_CAP - 1});
    base64_write(&w, BASE64_URL, VIEW_ARRAY(raw));
    ct_wipe(SPAN_ARRAY(raw));
}

void people_seal(const struct people *p, const char *what,
                 const uint8_t secret[TOTP_SECRET_LEN],
                 uint8_t out[PEOPLE_SEALED_LEN])
{
    port_entropy((struct span){out, SEAL_NONCE_LEN});
    int n = seal_close(p->seal_key, out, view_str(what),
                       view_of(secret, TOTP_SECRET_LEN),
                       (struct span){out + SEAL_NONCE_LEN,
                                     PEOPLE_SEALED_LEN - SEAL_NONCE_LEN});
    assert(n == TOTP_SECRET_LEN + SEAL_TAG_LEN);
}

int people_unseal(const struct people *p, const char *what, struct view sealed,
                  uint8_t out[TOTP_SECRET_LEN])
{
    if (sealed.len != PEOPLE_SEALED_LEN)
        return ERR_AUTH;
    int n = seal_open(p->seal_key, sealed.ptr, view_str(what),
                      view_from(sealed, SEAL_NONCE_LEN),
                      (struct span){out, TOTP_SECRET_LEN});
    return n == TOTP_SECRET_LEN ? OK : ERR_AUTH;
}

static void draw_base32(char *out, size_t len)
{
    uint8_t raw[PEOPLE_INVITE_RAW], text[BASE32_LEN(PEOPLE_INVITE_RAW)];
    struct writer w;

    assert(len <= sizeof text);
    port_entropy(SPAN_ARRAY(raw));
    writer_init(&w, SPAN_ARRAY(text));
    base32_write(&w, VIEW_ARRAY(raw));
    memcpy(out, text, len);
    out[len] = '\0';
    ct_wipe(SPAN_ARRAY(raw));
    ct_wipe(SPAN_ARRAY(text));
}

/* Typed base32 of exactly that length, hashed for one purpose. */
static int hash_typed(struct view typed, size_t len, uint8_t out[STORE_HASH])
{
    char straight[64];
    struct text t;

    TEXT_OF(&t, straight);
    base32_typed(&t, typed);
    if (t.cut || t.len != len)
        return ERR_RANGE;
    for (size_t i = 0; i < len; i++)
        if (!(straight[i] >= 'A' && straight[i] <= 'Z') &&
            !(straight[i] >= '2' && straight[i] <= '7'))
            return ERR_RANGE;
    hash_once(text_done(&t), out);
    ct_wipe(SPAN_ARRAY(straight));
    return OK;
}

void people_backup_code(char out[PEOPLE_CODE_LEN + 1])
{
    draw_base32(out, PEOPLE_CODE_LEN);
}

int people_backup_hash(struct view typed, uint8_t out[STORE_HASH])
{
    return hash_typed(typed, PEOPLE_CODE_LEN, out);
}

void people_invite_code(char out[33])
{
    draw_base32(out, 32);
}

int people_invite_hash(struct view typed, uint8_t out[STORE_HASH])
{
    return hash_typed(typed, 32, out);
}

/* Characters, not bytes: those that begin one in UTF-8. */
static size_t count_characters(struct view v)
{
    size_t n = 0;

    for (size_t i = 0; i < v.len; i++)
        n += (v.ptr[i] & 0xC0) != 0x80;
    return n;
}

const char *people_password_fault(struct view password)
{
    if (count_characters(password) < PEOPLE_PASSWORD_MIN)
        return "A password has at least 12 characters.";
    if (password.len > PWHASH_PASSWORD_MAX)
        return "A password has at most 128 bytes.";
    if (memchr(password.ptr, '\n', password.len) != NULL ||
        memchr(password.ptr, '\0', password.len) != NULL)
        return "A password is one line.";
    return NULL;
}

bool people_is_login(const char *s)
{
    size_t len = 0;

    for (; s[len] != '\0'; len++)
        if (s[len] <= ' ' || (unsigned char)s[len] >= 0x7f)
            return false;
    return len > 0 && len < STORE_LOGIN_CAP;
}

bool people_is_email(const char *s)
{
    const char *at = strchr(s, '@');

    return at != NULL && at != s && at[1] != '\0' && strchr(s, ' ') == NULL;
}

void people_address(const struct port_addr *from, char *out, size_t cap)
{
    oauth_address(from, out, cap);
}

/* ---- between password and code ------------------------------------------------- */

struct half *people_half_make(struct people *p, const uint8_t cookie[32])
{
    struct half *h = people_half_find(p, cookie);

    for (size_t i = 0; h == NULL && i < PEOPLE_HALVES; i++)
        if (p->half[i].until_ms <= loop_now(p->loop))
            h = &p->half[i];
    if (h == NULL) {
        h = &p->half[0];
        for (size_t i = 1; i < PEOPLE_HALVES; i++)
            if (p->half[i].until_ms < h->until_ms)
                h = &p->half[i];
    }
    *h = (struct half){.until_ms = loop_now(p->loop) + PEOPLE_HALF_MS};
    memcpy(h->cookie, cookie, sizeof h->cookie);
    return h;
}

struct half *people_half_find(struct people *p, const uint8_t cookie[32])
{
    for (size_t i = 0; i < PEOPLE_HALVES; i++) {
        struct half *h = &p->half[i];
        if (h->until_ms > loop_now(p->loop) &&
            memcmp(h->cookie, cookie, sizeof h->cookie) == 0)
            return h;
    }
    return NULL;
}

void people_half_end(struct half *h)
{
    *h = (struct half){0};
}
