/* Who typed how much; see writers.h. */
#include "core/writers.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

/* Whoever looks after we were killed sees stores in this order. */
#define IN_ORDER() atomic_signal_fence(memory_order_seq_cst)

static const uint8_t free_key[WRITERS_KEY];

bool writers_is_key(struct view key)
{
    return key.len == WRITERS_KEY && !view_eq(key, VIEW_ARRAY(free_key));
}

uint64_t *writers_find(struct writers *w, struct view key)
{
    assert(writers_is_key(key));
    for (uint32_t i = 0; i < WRITERS_MAX; i++) {
        struct writers_row *r = &w->row[i];
        if (!view_eq(VIEW_ARRAY(r->key), key))
            continue;
        r->used = ++w->uses;
        return &r->next;
    }
    return NULL;
}

/* A free row has never been used, so it is the oldest. */
static struct writers_row *oldest(struct writers *w)
{
    struct writers_row *best = &w->row[0];
    for (uint32_t i = 1; i < WRITERS_MAX; i++)
        if (w->row[i].used < best->used)
            best = &w->row[i];
    return best;
}

uint64_t *writers_enter(struct writers *w, struct view key, uint64_t start)
{
    uint64_t *next = writers_find(w, key);
    if (next != NULL)
        return next;
    struct writers_row *r = oldest(w);
    memset(r->key, 0, sizeof(r->key)); /* no key has the new number yet, */
    IN_ORDER();
    r->next = start;
    r->used = ++w->uses;
    IN_ORDER();
    memcpy(r->key, key.ptr, sizeof(r->key)); /* nor half of a key */
    return &r->next;
}
