/* The byte ring; see ring.h. */
#include "base/ring.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

static uint32_t place(const struct ring *r, uint64_t off)
{
    return (uint32_t)(off & (r->cap - 1));
}

void ring_init(struct ring *r, struct span buf, uint64_t start)
{
    assert(buf.len > 0 && (buf.len & (buf.len - 1)) == 0);
    assert(buf.len <= UINT32_MAX);
    r->buf = buf.ptr;
    r->cap = (uint32_t)buf.len;
    r->head = r->tail = start;
}

uint32_t ring_len(const struct ring *r)
{
    return (uint32_t)(r->tail - r->head);
}

uint32_t ring_room(const struct ring *r)
{
    return r->cap - ring_len(r);
}

struct span ring_space(struct ring *r)
{
    uint32_t at = place(r, r->tail);
    uint32_t room = ring_room(r);
    uint32_t run = r->cap - at;
    return (struct span){r->buf + at, run < room ? run : room};
}

void ring_commit(struct ring *r, uint32_t n)
{
    assert(n <= ring_room(r));
    r->tail += n;
}

struct view ring_at(const struct ring *r, uint64_t off)
{
    assert(off >= r->head && off <= r->tail);
    uint32_t at = place(r, off);
    uint64_t held = r->tail - off;
    uint32_t run = r->cap - at;
    return view_of(r->buf + at, held < run ? (size_t)held : run);
}

void ring_consume(struct ring *r, uint64_t upto)
{
    assert(upto >= r->head && upto <= r->tail);
    r->head = upto;
}

int ring_write(struct ring *r, struct view in)
{
    if (in.len > ring_room(r))
        return ERR_FULL;
    while (in.len > 0) {
        struct span room = ring_space(r);
        struct view part = view_first(in, room.len);
        memcpy(room.ptr, part.ptr, part.len);
        ring_commit(r, (uint32_t)part.len);
        in = view_from(in, part.len);
    }
    return OK;
}

struct span ring_push_space(struct ring *r, uint32_t n)
{
    assert(n <= r->cap);
    if (n > ring_room(r))
        r->head += n - ring_room(r);
    struct span room = ring_space(r);
    room.len = room.len < n ? room.len : n;
    return room;
}

size_t ring_copy(const struct ring *r, uint64_t off, struct span out)
{
    size_t done = 0;
    while (done < out.len && off < r->tail) {
        struct view part = view_first(ring_at(r, off), out.len - done);
        memcpy(out.ptr + done, part.ptr, part.len);
        done += part.len;
        off += part.len;
    }
    return done;
}
