/*
 * An allocator inside a fixed block, for libraries that want one (nghttp2).
 * First fit over an address-ordered free list that coalesces; 16-byte
 * alignment. It refuses (NULL) instead of growing.
 *
 *     | head | payload ... | head | payload ... |      the block: cells,
 *       size   16-aligned    size                      back to back
 *       next (free cells only; a mark in used ones)
 *
 * Invariants: cells cover the block without holes; free cells are linked in
 * rising order and no two of them touch; `used` is the sum of the used ones.
 */
#ifndef TRANSPORT_ALLOC_H
#define TRANSPORT_ALLOC_H

#include "base/bytes.h"

struct alloc {
    struct span block;
    size_t free_head; /* offset of the first free cell */
    size_t used;      /* bytes in use, headers included */
    size_t peak;      /* the most there ever was */
};

/* Take over `block`, at least 64 bytes and below 2 GiB. Only the first cell's
 * header is written: pages stay untouched until used. */
void alloc_init(struct alloc *a, struct span block);

/* `size` bytes, not cleared; NULL when no free cell is large enough. */
void *alloc_get(struct alloc *a, size_t size);

/* The same bytes with another size, possibly elsewhere. On NULL the old ones
 * stay valid. `ptr` NULL: as alloc_get. */
void *alloc_resize(struct alloc *a, void *ptr, size_t size);

/* Give back; NULL is allowed. What did not come from alloc_get, or was given
 * back before, is our own mistake: asserts. */
void alloc_put(struct alloc *a, void *ptr);

#endif
