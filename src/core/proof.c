/* Signed transcripts; see proof.h. */
#include "core/proof.h"

#include <assert.h>

#include "base/err.h"
#include "crypto/ct.h"

enum { NONCE_LEN = 32, LABEL_MAX = 32 };

static const char RELAY_LABEL[] = "cmdop.agent.v1 relay challenge";
static const char MACHINE_LABEL[] = "cmdop.agent.v1 machine proof";
static const char ROTATION_LABEL[] = "cmdop.agent.v1 machine rotation";

_Static_assert(sizeof RELAY_LABEL - 1 == 30, "proof.h tells the length");
_Static_assert(sizeof MACHINE_LABEL - 1 == 28, "proof.h tells the length");
_Static_assert(sizeof ROTATION_LABEL - 1 == 31, "proof.h tells the length");
_Static_assert(sizeof RELAY_LABEL - 1 <= LABEL_MAX &&
                   sizeof MACHINE_LABEL - 1 <= LABEL_MAX &&
                   sizeof ROTATION_LABEL - 1 <= LABEL_MAX,
               "a label fits what is signed");

/* The bytes under a signature: the label, then the digest. */
struct signed_bytes {
    uint8_t buf[LABEL_MAX + HASH_LEN];
    struct view all;
};

static void put_label_and_digest(struct signed_bytes *s, const char *label,
                                 const uint8_t digest[HASH_LEN])
{
    struct writer w;

    writer_init(&w, SPAN_ARRAY(s->buf));
    write_str(&w, label);
    write_bytes(&w, view_of(digest, HASH_LEN));
    assert(w.err == OK);
    s->all = writer_view(&w);
}

static void relay_bytes(const struct proof_relay *p, struct signed_bytes *s)
{
    uint8_t digest[HASH_LEN];

    proof_relay_digest(p, digest);
    put_label_and_digest(s, RELAY_LABEL, digest);
}

static const char *machine_label(const struct proof_machine *p)
{
    return p->next_key.len > 0 ? ROTATION_LABEL : MACHINE_LABEL;
}

static void machine_bytes(const struct proof_machine *p, struct signed_bytes *s)
{
    uint8_t digest[HASH_LEN];

    proof_machine_digest(p, digest);
    put_label_and_digest(s, machine_label(p), digest);
}

void proof_relay_digest(const struct proof_relay *p, uint8_t out[HASH_LEN])
{
    struct hash h;

    hash_init(&h);
    hash_field(&h, view_str(RELAY_LABEL));
    hash_field(&h, p->hello);
    hash_field(&h, p->nonce);
    hash_field(&h, p->relay_key);
    hash_field_u64(&h, (uint64_t)p->relay_time_ms);
    hash_field_u32(&h, p->version);
    hash_field(&h, p->binding);
    hash_take(&h, out);
}

void proof_machine_digest(const struct proof_machine *p, uint8_t out[HASH_LEN])
{
    struct hash h;

    hash_init(&h);
    hash_field(&h, view_str(machine_label(p)));
    hash_field(&h, p->hello);
    hash_field(&h, p->challenge);
    hash_field(&h, p->binding);
    hash_field(&h, p->machine_key);
    hash_field(&h, p->join_key);
    hash_field(&h, p->name);
    if (p->next_key.len > 0)
        hash_field(&h, p->next_key);
    hash_take(&h, out);
}

void proof_relay_sign(const struct proof_relay *p, const struct sign_key *key,
                      uint8_t out[SIGN_LEN])
{
    struct signed_bytes s;

    assert(view_eq(p->relay_key, VIEW_ARRAY(key->pub)));
    relay_bytes(p, &s);
    sign_detached(key, s.all, out);
}

void proof_machine_sign(const struct proof_machine *p,
                        const struct sign_key *key, uint8_t out[SIGN_LEN])
{
    struct signed_bytes s;

    assert(view_eq(p->machine_key, VIEW_ARRAY(key->pub)));
    machine_bytes(p, &s);
    sign_detached(key, s.all, out);
}

void proof_next_sign(const struct proof_machine *p, const struct sign_key *key,
                     uint8_t out[SIGN_LEN])
{
    struct signed_bytes s;

    assert(view_eq(p->next_key, VIEW_ARRAY(key->pub)));
    machine_bytes(p, &s);
    sign_detached(key, s.all, out);
}

int proof_relay_verify(const struct proof_relay *p, struct view pin,
                       struct view sig)
{
    struct signed_bytes s;

    if (p->nonce.len != NONCE_LEN || p->relay_key.len != SIGN_PUB_LEN)
        return ERR_AUTH;
    if (!ct_eq(p->relay_key, pin))
        return ERR_PIN;
    relay_bytes(p, &s);
    return sign_verify(pin, s.all, sig);
}

int proof_machine_verify(const struct proof_machine *p, struct view sig)
{
    struct signed_bytes s;

    machine_bytes(p, &s);
    return sign_verify(p->machine_key, s.all, sig);
}

int proof_next_verify(const struct proof_machine *p, struct view sig)
{
    struct signed_bytes s;

    if (view_eq(p->next_key, p->machine_key))
        return ERR_AUTH;
    machine_bytes(p, &s);
    return sign_verify(p->next_key, s.all, sig);
}
