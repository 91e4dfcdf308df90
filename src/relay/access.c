/* Access to single machines; see access.h. */
#include "relay/access.h"

#include <string.h>

static uint32_t buckets_for(uint32_t cap)
{
    uint32_t n = 64;
    while (n < cap)
        n *= 2;
    return n;
}

enum may_access access_meant(enum store_access access)
{
    switch (access) {
    case STORE_FULL: return MAY_ACCESS_FULL;
    case STORE_EXECUTE: return MAY_ACCESS_EXECUTE;
    case STORE_VIEW: return MAY_ACCESS_VIEW;
    case STORE_HIDDEN: break;
    }
    return MAY_ACCESS_HIDDEN;
}

size_t access_bytes(uint32_t cap)
{
    return (cap + 1) * sizeof(struct access_row) +
           buckets_for(cap) * sizeof(uint32_t) + 2 * 64;
}

void access_init(struct access *t, struct arena *a, uint32_t cap)
{
    uint32_t n = buckets_for(cap);
    *t = (struct access){.mask = n - 1, .cap = cap, .fresh = 1};
    t->rows = arena_carve(a, (cap + 1) * sizeof(*t->rows), 64);
    t->buckets = arena_carve(a, n * sizeof(*t->buckets), 64);
    memset(t->buckets, 0, n * sizeof(*t->buckets));
}

static uint32_t mix(uint32_t h, const char *s)
{
    for (; *s != '\0'; s++)
        h = (h ^ (uint8_t)*s) * 16777619u;
    return h;
}

/* The ids are drawn by the store: nobody chooses a bucket. */
static uint32_t *bucket_of(const struct access *t, const struct access_key *k)
{
    uint32_t h = mix(mix(2166136261u, k->machine_id), k->person_id);
    return &t->buckets[mix(h, k->fleet_id) & t->mask];
}

static bool is_of(const struct access_row *r, const struct access_key *k)
{
    return strcmp(r->machine_id, k->machine_id) == 0 &&
           strcmp(r->person_id, k->person_id) == 0 &&
           strcmp(r->fleet_id, k->fleet_id) == 0;
}

/* Where the number of its row stands, or the 0 at the end. */
static uint32_t *find(const struct access *t, const struct access_key *k)
{
    uint32_t *at = bucket_of(t, k);
    while (*at != 0 && !is_of(&t->rows[*at], k))
        at = &t->rows[*at].next;
    return at;
}

static void drop(struct access *t, uint32_t *at)
{
    uint32_t gone = *at;
    *at = t->rows[gone].next;
    t->rows[gone].next = t->free;
    t->free = gone;
    t->count--;
}

static uint32_t take(struct access *t)
{
    uint32_t n = t->free;
    if (t->count == t->cap)
        return 0;
    t->count++;
    if (n == 0)
        return t->fresh++;
    t->free = t->rows[n].next;
    return n;
}

void access_set(struct access *t, const struct access_key *k,
                enum may_access access)
{
    uint32_t *at = find(t, k);
    if (access == MAY_ACCESS_FULL) {
        if (*at != 0)
            drop(t, at);
        return;
    }
    if (*at == 0) {
        uint32_t n = take(t);
        if (n == 0) {
            t->lost = t->missed = true;
            return;
        }
        struct access_row *r = &t->rows[n];
        STR_COPY(r->fleet_id, k->fleet_id);
        STR_COPY(r->machine_id, k->machine_id);
        STR_COPY(r->person_id, k->person_id);
        r->next = 0;
        *at = n; /* behind those that are there */
    }
    t->rows[*at].access = (uint8_t)access;
    t->rows[*at].round = t->round;
}

bool access_get(const struct access *t, const struct access_key *k,
                enum may_access *out)
{
    uint32_t n = *find(t, k);
    if (n == 0 && !t->lost)
        return false;
    *out = n == 0 ? MAY_ACCESS_HIDDEN : (enum may_access)t->rows[n].access;
    return true;
}

/* All rows that `is` says so of. */
static void drop_all(struct access *t,
                     bool (*is)(const struct access_row *r, const void *ctx),
                     const void *ctx)
{
    for (uint32_t b = 0; b <= t->mask; b++)
        for (uint32_t *at = &t->buckets[b]; *at != 0;) {
            if (is(&t->rows[*at], ctx))
                drop(t, at);
            else
                at = &t->rows[*at].next;
        }
}

static bool is_meant(const struct access_row *r, const void *ctx)
{
    const struct access_key *k = ctx;
    return strcmp(r->fleet_id, k->fleet_id) == 0 &&
           (k->machine_id[0] == '\0' ||
            strcmp(r->machine_id, k->machine_id) == 0) &&
           (k->person_id[0] == '\0' || strcmp(r->person_id, k->person_id) == 0);
}

void access_forget(struct access *t, const struct access_key *k)
{
    drop_all(t, is_meant, k);
}

void access_round(struct access *t)
{
    t->round++;
    t->missed = false;
}

static bool is_old(const struct access_row *r, const void *ctx)
{
    return r->round != ((const struct access *)ctx)->round;
}

void access_round_over(struct access *t)
{
    drop_all(t, is_old, t);
    t->lost = t->missed;
}
