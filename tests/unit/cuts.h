/*
 * Hostile places and cuts for decoders: input that ends at an unreadable
 * page, and every way to cut it in two, three ways in all: whole, at each
 * position, byte by byte. The test gives a function that feeds one piece.
 */
#ifndef TESTS_UNIT_CUTS_H
#define TESTS_UNIT_CUTS_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"

#define CUTS_PAGE  4096u
#define CUTS_PAGES 32u

/* The bytes of `in`, copied so that the byte after the last is unreadable.
 * One place for all: the next call overwrites it. */
static inline struct view cuts_guarded(struct view in)
{
    static uint8_t *base;
    const size_t size = CUTS_PAGES * CUTS_PAGE;
    if (base == NULL) {
        base = mmap(NULL, size + CUTS_PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base == MAP_FAILED ||
            mprotect(base + size, CUTS_PAGE, PROT_NONE) != 0)
            abort();
    }
    if (in.len > size)
        abort();
    if (in.len > 0)
        memcpy(base + size - in.len, in.ptr, in.len);
    return view_of(base + size - in.len, in.len);
}

/* Feed one piece. `first` begins a run, `last` ends it: compare then. */
typedef void cuts_feed(void *ctx, struct view piece, bool first, bool last);

static inline void cuts_at(struct view in, size_t cut, cuts_feed *feed,
                           void *ctx)
{
    feed(ctx, cuts_guarded(view_first(in, cut)), true, false);
    feed(ctx, cuts_guarded(view_from(in, cut)), false, true);
}

static inline void cuts_every_way(struct view in, cuts_feed *feed, void *ctx)
{
    feed(ctx, cuts_guarded(in), true, true);
    for (size_t cut = 0; cut <= in.len; cut++)
        cuts_at(in, cut, feed, ctx);
    for (size_t i = 0; i < in.len; i++)
        feed(ctx, cuts_guarded(view_first(view_from(in, i), 1)), i == 0,
             i + 1 == in.len);
}

#endif
