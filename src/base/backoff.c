/* Waiting longer and longer; see backoff.h. */
#include "base/backoff.h"

#include <assert.h>

void backoff_init(struct backoff *b, uint32_t min_ms, uint32_t max_ms)
{
    assert(min_ms > 0 && min_ms <= max_ms);
    *b = (struct backoff){.min_ms = min_ms, .max_ms = max_ms};
}

/* min << tries, kept below max without overflow. */
static uint32_t bound(const struct backoff *b)
{
    uint64_t ms = b->min_ms;
    for (uint32_t i = 0; i < b->tries && ms < b->max_ms; i++)
        ms *= 2;
    return ms < b->max_ms ? (uint32_t)ms : b->max_ms;
}

uint32_t backoff_next(struct backoff *b, uint32_t random)
{
    uint64_t choices = (uint64_t)bound(b) + 1;
    if (b->tries < UINT32_MAX)
        b->tries++;
    return (uint32_t)(random * choices >> 32);
}

void backoff_reset(struct backoff *b)
{
    b->tries = 0;
}
