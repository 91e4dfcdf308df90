/* Budgets of addresses; see strangers.h. */
#include "relay/strangers.h"

#include <assert.h>
#include <string.h>

#include "crypto/hash.h"

void strangers_init(struct strangers *s, struct arena *a, uint32_t max,
                    const uint8_t key[16])
{
    uint32_t buckets = 64;
    while (buckets < max)
        buckets *= 2;
    memcpy(s->key, key, sizeof(s->key));
    s->places = arena_carve(a, (max + 1) * sizeof(*s->places), 4096);
    s->buckets = arena_carve(a, buckets * sizeof(*s->buckets), 4096);
    memset(s->buckets, 0, buckets * sizeof(*s->buckets));
    s->mask = buckets - 1;
    s->free = 0;
    s->fresh = 1;
}

/* What is counted together. */
static void net_of(const struct port_addr *from, uint8_t net[16])
{
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF};
    memcpy(net, from->ip, 16);
    if (memcmp(net, v4, sizeof(v4)) != 0)
        memset(net + 8, 0, 8);
}

static uint32_t *bucket_of(const struct strangers *s, const uint8_t net[16])
{
    uint8_t both[32], digest[32];
    uint32_t h;
    memcpy(both, s->key, 16);
    memcpy(both + 16, net, 16);
    hash_once(VIEW_ARRAY(both), digest);
    memcpy(&h, digest, sizeof(h));
    return &s->buckets[h & s->mask];
}

static uint32_t find(const struct strangers *s, uint32_t first,
                     const uint8_t net[16])
{
    uint32_t at = first;
    while (at != 0 && memcmp(s->places[at].net, net, 16) != 0)
        at = s->places[at].next;
    return at;
}

uint32_t strangers_enter(struct strangers *s, const struct port_addr *from)
{
    uint8_t net[16];
    net_of(from, net);
    uint32_t *bucket = bucket_of(s, net);
    uint32_t at = find(s, *bucket, net);
    if (at == 0) {
        at = s->free != 0 ? s->free : s->fresh++;
        struct stranger_place *p = &s->places[at];
        if (s->free != 0)
            s->free = p->next;
        memcpy(p->net, net, sizeof(p->net));
        p->count = 0;
        p->next = *bucket;
        *bucket = at;
    }
    s->places[at].count++;
    return at;
}

void strangers_leave(struct strangers *s, uint32_t place)
{
    if (place == 0)
        return;
    struct stranger_place *p = &s->places[place];
    assert(p->count > 0);
    if (--p->count > 0)
        return;
    uint32_t *link = bucket_of(s, p->net);
    while (*link != place)
        link = &s->places[*link].next;
    *link = p->next;
    p->next = s->free;
    s->free = place;
}

uint32_t strangers_count(const struct strangers *s,
                         const struct port_addr *from)
{
    uint8_t net[16];
    net_of(from, net);
    uint32_t at = find(s, *bucket_of(s, net), net);
    return at == 0 ? 0 : s->places[at].count;
}
