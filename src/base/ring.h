/*
 * A byte ring whose two indices are the 64-bit offsets of the stream it
 * carries. Offsets only grow; the place of offset o is o & (cap - 1), so
 * empty and full need no spare byte and "which bytes do you still hold" is
 * simply [head, tail).
 *
 *      head                 tail
 *       |   held bytes        |   room for cap - (tail - head)
 *   ----+=====================+-------------------------->  offsets
 *
 * Two ways to use it: a queue (ring_commit is bounded by ring_room; the
 * reader calls ring_consume), or scrollback (ring_push drops the oldest).
 * Invariant: tail - head <= cap, cap a power of two.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include "base/bytes.h"

struct ring {
    uint8_t *buf;
    uint32_t cap;  /* bytes, a power of two */
    uint64_t head; /* offset of the oldest byte held */
    uint64_t tail; /* offset of the next byte to come */
};

/* Give the ring its storage; buf.len must be a power of two. Starts at offset
 * `start`. */
void ring_init(struct ring *r, struct span buf, uint64_t start);

uint32_t ring_len(const struct ring *r);  /* tail - head */
uint32_t ring_room(const struct ring *r); /* cap - len */

/* The contiguous free part, to be filled and then committed. */
struct span ring_space(struct ring *r);
void ring_commit(struct ring *r, uint32_t n);

/* The contiguous filled part from `off` on (head <= off <= tail). */
struct view ring_at(const struct ring *r, uint64_t off);
void ring_consume(struct ring *r, uint64_t upto);

/* Queue: append all of `in`, or return ERR_FULL and append nothing. */
int ring_write(struct ring *r, struct view in);

/*
 * Scrollback: make `n` contiguous bytes free by dropping the oldest, and
 * return that space (shorter at the end of the buffer). n <= cap.
 */
struct span ring_push_space(struct ring *r, uint32_t n);

/* Copy up to out.len bytes from offset `off`; returns the count. */
size_t ring_copy(const struct ring *r, uint64_t off, struct span out);

#endif
