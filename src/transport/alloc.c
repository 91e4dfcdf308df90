/* First fit in a fixed block; see alloc.h. */
#include "transport/alloc.h"

#include <assert.h>
#include <string.h>

#define ALIGN     16u
#define CELL_MIN  32u /* header, and a payload worth having */
#define BLOCK_MIN 64u
#define CELL_END  UINT32_MAX  /* `next` of the last free cell */
#define CELL_USED 0xa110c8edu /* `next` of a used cell */

struct cell {
    uint32_t size; /* bytes, header included; a multiple of ALIGN */
    uint32_t next; /* offset of the next free cell, CELL_END or CELL_USED */
};

_Static_assert(sizeof(struct cell) <= ALIGN, "a header fits before a payload");

static struct cell *cell_at(const struct alloc *a, size_t off)
{
    return (struct cell *)(void *)(a->block.ptr + off);
}

void alloc_init(struct alloc *a, struct span block)
{
    assert(block.len >= BLOCK_MIN && block.len <= INT32_MAX);
    size_t first = (size_t)(uintptr_t)block.ptr + sizeof(struct cell);
    size_t skip = (ALIGN - first % ALIGN) % ALIGN; /* aligns the payloads */
    block = (struct span){block.ptr + skip, block.len - skip};
    block.len -= block.len % ALIGN;
    *a = (struct alloc){.block = block};
    *cell_at(a, 0) = (struct cell){(uint32_t)block.len, CELL_END};
}

/* Bytes of a cell whose payload has `size`; 0 when it can never fit. */
static uint32_t cell_size(const struct alloc *a, size_t size)
{
    if (size > a->block.len)
        return 0;
    size_t whole = (size + sizeof(struct cell) + ALIGN - 1) / ALIGN * ALIGN;
    return (uint32_t)(whole < CELL_MIN ? CELL_MIN : whole);
}

/* Let whatever pointed at the free cell after `before` point at `next`. */
static void link_after(struct alloc *a, size_t before, uint32_t next)
{
    if (before == CELL_END)
        a->free_head = next;
    else
        cell_at(a, before)->next = next;
}

/* Take `want` bytes off the front of the free cell at `off`. */
static void *cell_take(struct alloc *a, size_t before, size_t off,
                       uint32_t want)
{
    struct cell *c = cell_at(a, off);
    uint32_t next = c->next;
    if (c->size - want >= CELL_MIN) {
        next = (uint32_t)off + want;
        *cell_at(a, next) = (struct cell){c->size - want, c->next};
        c->size = want;
    }
    link_after(a, before, next);
    c->next = CELL_USED;
    a->used += c->size;
    a->peak = a->used > a->peak ? a->used : a->peak;
    return (uint8_t *)c + sizeof(*c);
}

void *alloc_get(struct alloc *a, size_t size)
{
    uint32_t want = cell_size(a, size);
    size_t before = CELL_END;
    if (want == 0)
        return NULL;
    for (size_t off = a->free_head; off != CELL_END;
         off = cell_at(a, off)->next) {
        if (cell_at(a, off)->size >= want)
            return cell_take(a, before, off, want);
        before = off;
    }
    return NULL;
}

/* The used cell of a payload; asserts that it is one. */
static size_t cell_of(const struct alloc *a, const void *ptr)
{
    const uint8_t *p = ptr;
    assert(p > a->block.ptr && p < a->block.ptr + a->block.len);
    size_t off = (size_t)(p - a->block.ptr) - sizeof(struct cell);
    assert(off % ALIGN == 0);
    assert(cell_at(a, off)->next == CELL_USED);
    assert(cell_at(a, off)->size <= a->block.len - off);
    return off;
}

/* Merge the free cell at `off` with the next one if they touch. */
static void cell_join(struct alloc *a, size_t off)
{
    struct cell *c = cell_at(a, off);
    if (c->next != off + c->size)
        return;
    const struct cell *after = cell_at(a, c->next);
    c->size += after->size;
    c->next = after->next;
}

void alloc_put(struct alloc *a, void *ptr)
{
    if (ptr == NULL)
        return;
    size_t off = cell_of(a, ptr);
    size_t before = CELL_END;
    size_t after = a->free_head;
    while (after < off) {
        before = after;
        after = cell_at(a, after)->next;
    }
    a->used -= cell_at(a, off)->size;
    cell_at(a, off)->next = (uint32_t)after;
    link_after(a, before, (uint32_t)off);
    cell_join(a, off);
    if (before != CELL_END)
        cell_join(a, before);
}

void *alloc_resize(struct alloc *a, void *ptr, size_t size)
{
    if (ptr == NULL)
        return alloc_get(a, size);
    size_t room = cell_at(a, cell_of(a, ptr))->size - sizeof(struct cell);
    if (size <= room)
        return ptr;
    void *moved = alloc_get(a, size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, ptr, room);
    alloc_put(a, ptr);
    return moved;
}
