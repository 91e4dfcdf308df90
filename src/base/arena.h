/*
 * Memory that is decided before the first packet: one block, carved from the
 * front at start, then sealed. A carve after the seal, or past the end, is
 * our own mistake and stops the program.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"

struct arena {
    struct span block;
    size_t used; /* bytes carved so far */
    bool sealed;
};

void arena_init(struct arena *a, struct span block);

/* `size` bytes, aligned to `align` (a power of two). They hold what the block
 * held, zeros if it is fresh, and are not written here: a page costs nothing
 * until its owner uses it. */
void *arena_carve(struct arena *a, size_t size, size_t align);
struct span arena_span(struct arena *a, size_t size);

void arena_seal(struct arena *a);

#endif
