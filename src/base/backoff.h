/*
 * How long to wait before the next try: exponential with full jitter, so that
 * ten thousand agents do not return to a restarted relay in step. Pure: the
 * randomness is an argument.
 *
 *     try       1       2       3       4  ...            (min 250 ms)
 *     wait   0..250  0..500  0..1000 0..2000  ... 0..max
 */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint32_t min_ms; /* the first wait's upper bound */
    uint32_t max_ms; /* no wait is longer */
    uint32_t tries;  /* failures since the last success */
};

/* 0 < min_ms <= max_ms. */
void backoff_init(struct backoff *b, uint32_t min_ms, uint32_t max_ms);

/* One more failure: the wait before the next try, 0 to the present bound.
 * `random` is any 32 bits; equal arguments give equal answers. */
uint32_t backoff_next(struct backoff *b, uint32_t random);

/* It worked: the next failure starts again at min_ms. */
void backoff_reset(struct backoff *b);

#endif
