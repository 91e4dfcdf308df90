/* Carving; see arena.h. */
#include "base/arena.h"

#include <assert.h>

#define ARENA_ALIGN 16u

void arena_init(struct arena *a, struct span block)
{
    *a = (struct arena){.block = block};
}

void *arena_carve(struct arena *a, size_t size, size_t align)
{
    assert(!a->sealed);
    assert(align > 0 && (align & (align - 1)) == 0);
    size_t base = (size_t)(uintptr_t)a->block.ptr;
    size_t start = ((base + a->used + align - 1) & ~(align - 1)) - base;
    assert(start <= a->block.len && size <= a->block.len - start);
    a->used = start + size;
    return a->block.ptr + start;
}

struct span arena_span(struct arena *a, size_t size)
{
    return (struct span){arena_carve(a, size, ARENA_ALIGN), size};
}

void arena_seal(struct arena *a)
{
    a->sealed = true;
}
