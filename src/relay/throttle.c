/* How often a stranger may try; see throttle.h. */
#include "relay/throttle.h"

#include <string.h>

#include "crypto/hash.h"

#define WAYS 4 /* rows that one key may have */

_Static_assert((THROTTLE_ROWS & (THROTTLE_ROWS - 1)) == 0,
               "a hash is cut to an index");

#define MINUTE_MS (60 * UINT64_C(1000))

/* For nothing, the first wait, the longest; and after how long a quiet one
 * is as new. */
static const struct {
    uint32_t tries;
    uint64_t wait_ms, wait_ms_max, forget_ms;
} RULES[THROTTLE_KINDS] = {
    [THROTTLE_SIGN_IN] = {5, 1000, 15 * MINUTE_MS, 60 * MINUTE_MS},
    [THROTTLE_NOBODY] = {5, 1000, 15 * MINUTE_MS, UINT64_MAX},
    [THROTTLE_CODE] = {5, 1000, 15 * MINUTE_MS, 60 * MINUTE_MS},
    [THROTTLE_INVITE] = {5, 1000, 15 * MINUTE_MS, 60 * MINUTE_MS},
    [THROTTLE_DEVICE] = {60, 1000, MINUTE_MS, 15 * MINUTE_MS},
};

void throttle_init(struct throttle *t, struct arena *a,
                   const uint8_t secret[32])
{
    t->row = arena_carve(a, sizeof *t->row * THROTTLE_ROWS,
                         _Alignof(struct throttle_row));
    memset(t->row, 0, sizeof *t->row * THROTTLE_ROWS);
    memcpy(t->secret, secret, sizeof t->secret);
}

static void digest(const struct throttle *t, enum throttle_kind kind,
                   struct view who, uint8_t out[HASH_LEN])
{
    struct hash h;

    hash_init(&h);
    hash_field(&h, VIEW_ARRAY(t->secret));
    hash_field_u32(&h, (uint32_t)kind);
    hash_field(&h, who);
    hash_take(&h, out);
}

/* The first of the rows that a key may have; the rest of the hash tells. */
static struct throttle_row *rows_of(const struct throttle *t,
                                    const uint8_t hash[HASH_LEN])
{
    size_t at = ((size_t)hash[16] << 16 | (size_t)hash[17] << 8 | hash[18]) &
                (THROTTLE_ROWS - 1) & ~(size_t)(WAYS - 1);
    return &t->row[at];
}

static struct throttle_row *find(const struct throttle *t,
                                 enum throttle_kind kind, struct view who)
{
    uint8_t hash[HASH_LEN];

    digest(t, kind, who, hash);
    struct throttle_row *row = rows_of(t, hash);
    for (size_t i = 0; i < WAYS; i++)
        if (memcmp(row[i].key, hash, sizeof row[i].key) == 0)
            return &row[i];
    return NULL;
}

/* A row for a new key: the one that was quiet for longest. */
static struct throttle_row *take(struct throttle *t, enum throttle_kind kind,
                                 struct view who)
{
    uint8_t hash[HASH_LEN];

    digest(t, kind, who, hash);
    struct throttle_row *row = rows_of(t, hash), *oldest = row;
    for (size_t i = 1; i < WAYS; i++)
        if (row[i].last_ms < oldest->last_ms)
            oldest = &row[i];
    *oldest = (struct throttle_row){0};
    memcpy(oldest->key, hash, sizeof oldest->key);
    return oldest;
}

uint64_t throttle_wait(const struct throttle *t, enum throttle_kind kind,
                       struct view who, uint64_t now_ms)
{
    const struct throttle_row *row = find(t, kind, who);

    return row == NULL || row->until_ms <= now_ms ? 0 : row->until_ms - now_ms;
}

/* The wait after so many failures. */
static uint64_t wait_after(enum throttle_kind kind, uint32_t failures)
{
    uint64_t wait = RULES[kind].wait_ms;

    if (failures < RULES[kind].tries)
        return 0;
    for (uint32_t i = RULES[kind].tries; i < failures; i++) {
        wait *= 2;
        if (wait >= RULES[kind].wait_ms_max)
            return RULES[kind].wait_ms_max;
    }
    return wait;
}

void throttle_fail(struct throttle *t, enum throttle_kind kind, struct view who,
                   uint64_t now_ms)
{
    struct throttle_row *row = find(t, kind, who);

    if (row == NULL)
        row = take(t, kind, who);
    if (row->failures > 0 && now_ms - row->last_ms > RULES[kind].forget_ms)
        row->failures = 0;
    row->failures++;
    row->last_ms = now_ms;
    row->until_ms = now_ms + wait_after(kind, row->failures);
}

void throttle_clear(struct throttle *t, enum throttle_kind kind,
                    struct view who)
{
    struct throttle_row *row = find(t, kind, who);

    if (row != NULL)
        *row = (struct throttle_row){0};
}

struct view throttle_place(const struct port_addr *a)
{
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF};
    bool is_v4 = memcmp(a->ip, v4, sizeof v4) == 0;

    return view_of(a->ip, is_v4 ? 16 : 8);
}
