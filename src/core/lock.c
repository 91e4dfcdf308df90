/* The attach password; see lock.h. */
#include "core/lock.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "crypto/ct.h"
#include "port/port.h"

void lock_who(const msg_origin *origin, uint8_t out[LOCK_WHO_LEN])
{
    struct hash h;
    bool has_id = origin->user_id[0] != '\0';
    hash_init(&h);
    hash_field(&h, view_str(origin->fleet_id));
    hash_field(&h, view_str(origin->user_id));
    hash_field(&h, view_str(has_id ? "" : origin->user));
    hash_take(&h, out);
}

void lock_load(struct lock *l, const char *state_dir, uint64_t now_ms)
{
    memset(l, 0, sizeof(*l));
    STR_COPY(l->dir, state_dir);
    int err = lockfile_read(state_dir, now_ms, &l->r);
    switch (err) {
    case OK:
        l->state = cmdop_agent_v1_PasswordState_PASSWORD_STATE_ARMED;
        break;
    case ERR_NOT_FOUND:
        l->state = cmdop_agent_v1_PasswordState_PASSWORD_STATE_NONE;
        break;
    default:
        memset(&l->r, 0, sizeof(l->r));
        l->unread = err != ERR_DAMAGED;
        l->state = cmdop_agent_v1_PasswordState_PASSWORD_STATE_DAMAGED;
        log_error("lock.damaged",
                  err == ERR_DAMAGED
                      ? "the password file is damaged: nobody comes in from "
                        "outside until `cmdop connect password set` or "
                        "`clear` was run here"
                      : port_why());
    }
}

void lock_retry(struct lock *l, uint64_t now_ms)
{
    char dir[PATH_CAP];
    if (!l->unread)
        return;
    STR_COPY(dir, l->dir);
    lock_load(l, dir, now_ms);
}

/* What changes is kept; a disk that takes nothing is told of. */
static void keep(const struct lock *l, uint64_t now_ms)
{
    if (l->state == cmdop_agent_v1_PasswordState_PASSWORD_STATE_ARMED &&
        lockfile_write(l->dir, now_ms, &l->r) != OK)
        log_error("lock.write", port_why());
}

/* ---- tokens ---------------------------------------------------------------------- */

static bool is_in_force(const struct lock_token *t, int64_t wall_ms)
{
    return wall_ms >= t->from_ms - LOCK_CLOCK_SLACK_MS && wall_ms < t->until_ms;
}

int lock_admits(const struct lock *l, const uint8_t who[LOCK_WHO_LEN],
                struct view token, int64_t wall_ms)
{
    uint8_t hash[HASH_LEN];
    int err = ERR_AUTH;
    if (l->state == cmdop_agent_v1_PasswordState_PASSWORD_STATE_NONE)
        return OK;
    if (l->state != cmdop_agent_v1_PasswordState_PASSWORD_STATE_ARMED)
        return ERR_DAMAGED;
    if (token.len != LOCK_TOKEN_LEN)
        return ERR_AUTH;
    hash_once(token, hash);
    for (uint32_t i = 0; i < l->r.tokens; i++) {
        const struct lock_token *t = &l->r.token[i];
        if (ct_eq(VIEW_ARRAY(hash), VIEW_ARRAY(t->hash)) &&
            ct_eq(view_of(who, LOCK_WHO_LEN), VIEW_ARRAY(t->who)) &&
            is_in_force(t, wall_ms))
            err = OK;
    }
    return err;
}

uint32_t lock_tokens(const struct lock *l, int64_t wall_ms)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->r.tokens; i++)
        n += is_in_force(&l->r.token[i], wall_ms);
    return n;
}

/* A place for one more: of one that is over, or of the oldest. */
static struct lock_token *place(struct lock_record *r, int64_t wall_ms)
{
    struct lock_token *oldest = &r->token[0];
    for (uint32_t i = 0; i < r->tokens; i++) {
        struct lock_token *t = &r->token[i];
        if (!is_in_force(t, wall_ms))
            return t;
        if (t->until_ms < oldest->until_ms)
            oldest = t;
    }
    return r->tokens < LOCK_TOKENS_MAX ? &r->token[r->tokens++] : oldest;
}

void lock_grant(struct lock *l, const uint8_t who[LOCK_WHO_LEN],
                const uint8_t token[LOCK_TOKEN_LEN], int64_t wall_ms,
                uint64_t now_ms)
{
    struct lock_token *t = place(&l->r, wall_ms);
    hash_once(view_of(token, LOCK_TOKEN_LEN), t->hash);
    memcpy(t->who, who, LOCK_WHO_LEN);
    t->from_ms = wall_ms;
    t->until_ms = wall_ms + LOCK_TOKEN_MS;
    keep(l, now_ms);
}

/* ---- wrong tries --------------------------------------------------------------------- */

static uint64_t pause_ms(uint32_t count, uint32_t from, uint32_t after)
{
    if (count < from)
        return 0;
    if (count >= after)
        return LOCK_MS;
    uint64_t ms = (uint64_t)1000 << (count - from);
    return ms < LOCK_MS ? ms : LOCK_MS;
}

static bool is_forgotten(const struct lock_tries *t, uint64_t now_ms)
{
    return now_ms >= t->until_ms && now_ms - t->last_ms >= LOCK_FORGET_MS;
}

static int find(const struct lock_record *r, const uint8_t who[LOCK_WHO_LEN])
{
    for (uint32_t i = 0; i < r->triers; i++)
        if (memcmp(r->tries[i].who, who, LOCK_WHO_LEN) == 0)
            return (int)i;
    return -1;
}

/* Whose row makes room: one that is forgotten, or who tried least. */
static struct lock_tries *least(struct lock_record *r, uint64_t now_ms)
{
    struct lock_tries *t = &r->tries[0];
    for (uint32_t i = 0; i < r->triers; i++) {
        if (is_forgotten(&r->tries[i], now_ms))
            return &r->tries[i];
        if (r->tries[i].count < t->count)
            t = &r->tries[i];
    }
    return t;
}

/* Their row, perhaps a fresh one. */
static struct lock_tries *row(struct lock_record *r,
                              const uint8_t who[LOCK_WHO_LEN], uint64_t now_ms)
{
    int found = find(r, who);
    struct lock_tries *t;
    if (found >= 0 && !is_forgotten(&r->tries[found], now_ms))
        return &r->tries[found];
    if (found >= 0)
        t = &r->tries[found];
    else if (r->triers < LOCK_TRIERS_MAX)
        t = &r->tries[r->triers++];
    else
        t = least(r, now_ms);
    memset(t, 0, sizeof(*t));
    memcpy(t->who, who, LOCK_WHO_LEN);
    return t;
}

static void count(struct lock_tries *t, uint32_t from, uint32_t after,
                  uint64_t now_ms)
{
    if (t->count < UINT32_MAX)
        t->count++;
    t->last_ms = now_ms;
    t->until_ms = now_ms + pause_ms(t->count, from, after);
}

uint64_t lock_wait_ms(const struct lock *l, const uint8_t who[LOCK_WHO_LEN],
                      uint64_t now_ms)
{
    uint64_t until = l->r.all.until_ms;
    int i = find(&l->r, who);
    if (i >= 0 && l->r.tries[i].until_ms > until)
        until = l->r.tries[i].until_ms;
    return until > now_ms ? until - now_ms : 0;
}

void lock_wrong(struct lock *l, const uint8_t who[LOCK_WHO_LEN],
                uint64_t now_ms)
{
    count(row(&l->r, who, now_ms), LOCK_WAIT_FROM, LOCK_AFTER, now_ms);
    if (is_forgotten(&l->r.all, now_ms))
        l->r.all.count = 0;
    count(&l->r.all, LOCK_ALL_FROM, LOCK_ALL_AFTER, now_ms);
    keep(l, now_ms);
}

void lock_right(struct lock *l, const uint8_t who[LOCK_WHO_LEN],
                uint64_t now_ms)
{
    int i = find(&l->r, who);
    if (i < 0)
        return;
    uint32_t theirs = l->r.tries[i].count;
    l->r.all.count -= theirs < l->r.all.count ? theirs : l->r.all.count;
    l->r.tries[i] = l->r.tries[--l->r.triers];
    keep(l, now_ms);
}

/* ---- the password ------------------------------------------------------------------------ */

static int become(struct lock *l, const struct lock_record *r, uint64_t now_ms)
{
    int err = lockfile_write(l->dir, now_ms, r);
    if (err != OK)
        return err;
    l->r = *r;
    l->unread = false;
    l->state = cmdop_agent_v1_PasswordState_PASSWORD_STATE_ARMED;
    return OK;
}

int lock_set(struct lock *l, const char stored[PWHASH_CAP], uint64_t now_ms)
{
    static struct lock_record fresh;
    memset(&fresh, 0, sizeof(fresh));
    memcpy(fresh.stored, stored, PWHASH_CAP);
    return become(l, &fresh, now_ms);
}

int lock_clear(struct lock *l)
{
    int err = lockfile_remove(l->dir);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    ct_wipe((struct span){(uint8_t *)&l->r, sizeof(l->r)});
    l->unread = false;
    l->state = cmdop_agent_v1_PasswordState_PASSWORD_STATE_NONE;
    return OK;
}

int lock_rehash(struct lock *l, const char stored[PWHASH_CAP], uint64_t now_ms)
{
    static struct lock_record other;
    other = l->r;
    memcpy(other.stored, stored, PWHASH_CAP);
    return become(l, &other, now_ms);
}

int lock_revoke(struct lock *l, uint64_t now_ms)
{
    static struct lock_record other;
    other = l->r;
    memset(other.token, 0, sizeof(other.token));
    other.tokens = 0;
    return become(l, &other, now_ms);
}

/* ---- what is sealed -------------------------------------------------------------------------- */

int lock_secret_encode(const msg_password_secret *s,
                       uint8_t out[LOCK_SECRET_BYTES])
{
    memset(out, 0, LOCK_SECRET_BYTES);
    int len = msg_encode_plain((struct span){out + 2, LOCK_SECRET_BYTES - 2},
                               cmdop_agent_v1_PasswordSecret_fields, s);
    if (len < 0)
        return len;
    out[0] = (uint8_t)(len >> 8);
    out[1] = (uint8_t)len;
    return OK;
}

int lock_secret_decode(struct view plain, msg_password_secret *out)
{
    struct reader r = {plain};
    uint16_t len;
    struct view body;
    *out = (msg_password_secret)cmdop_agent_v1_PasswordSecret_init_zero;
    if (plain.len != LOCK_SECRET_BYTES || read_u16(&r, &len) != OK ||
        read_bytes(&r, len, &body) != OK)
        return ERR_PROTO;
    for (size_t i = 0; i < r.left.len; i++)
        if (r.left.ptr[i] != 0)
            return ERR_PROTO;
    return msg_decode(body, cmdop_agent_v1_PasswordSecret_fields, out);
}

size_t lock_key_signed(const msg_password_key *k, const char *nonce,
                       uint8_t out[LOCK_SIGNED_MAX])
{
    static const char label[] = "cmdop.agent.v1 password key";
    uint8_t digest[HASH_LEN];
    struct hash h;
    struct writer w;
    hash_init(&h);
    hash_field(&h, view_str(label));
    hash_field(&h, view_str(nonce));
    hash_field(&h, view_of(k->machine_key.bytes, k->machine_key.size));
    hash_field(&h, view_of(k->box_key.bytes, k->box_key.size));
    hash_field(&h, view_of(k->challenge.bytes, k->challenge.size));
    hash_field(&h, view_str(k->machine_id));
    hash_field_u32(&h, (uint32_t)k->state);
    hash_take(&h, digest);
    writer_init(&w, (struct span){out, LOCK_SIGNED_MAX});
    write_str(&w, label);
    write_bytes(&w, VIEW_ARRAY(digest));
    return w.len;
}
