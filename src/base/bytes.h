/*
 * Bytes we may read (view), bytes we may write (span), and a checked cursor
 * over each. Every access to wire data goes through here, so that no parser
 * does pointer arithmetic. Big-endian unless the name says otherwise.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct view {
    const uint8_t *ptr;
    size_t len;
};

struct span {
    uint8_t *ptr;
    size_t len;
};

#define VIEW_NONE ((struct view){0, 0})

/* A view of `len` bytes at `ptr`; of a C string without its terminator; of
 * an array object as a whole. */
struct view view_of(const void *ptr, size_t len);
struct view view_str(const char *str);
#define VIEW_ARRAY(a) view_of((a), sizeof(a))
#define SPAN_ARRAY(a) ((struct span){(uint8_t *)(a), sizeof(a)})

/* Equal in length and bytes. Not constant time: see crypto/ct.h. */
bool view_eq(struct view a, struct view b);
bool view_is(struct view a, const char *str);
bool view_starts(struct view a, struct view prefix);

/* The part from `off` on, and the first `len` bytes; clipped to the view. */
struct view view_from(struct view v, size_t off);
struct view view_first(struct view v, size_t len);
struct view span_view(struct span s);

/* Index of the first `byte`, or -1. */
ptrdiff_t view_find(struct view v, uint8_t byte);

/* Copy a view into a span; OK, or ERR_FULL with nothing written. */
int bytes_copy(struct span out, struct view in);

/* Copy as a C string, cut to cap - 1 bytes; returns the length copied. */
size_t bytes_to_str(char *out, size_t cap, struct view in);
/* A C string into a char array, cut to its size. */
#define STR_COPY(array, str) bytes_to_str((array), sizeof(array), view_str(str))

/*
 * Reader: each call takes its bytes off the front and returns OK, or ERR_MORE
 * with nothing taken when the view ends early.
 */
struct reader {
    struct view left;
};

int read_u8(struct reader *r, uint8_t *out);
int read_u16(struct reader *r, uint16_t *out);
int read_u32(struct reader *r, uint32_t *out);
int read_u64(struct reader *r, uint64_t *out);
int read_bytes(struct reader *r, size_t len, struct view *out);
int read_copy(struct reader *r, void *to, size_t len);

/*
 * Writer: appends to a span. The first overflow sets `err` to ERR_FULL and
 * every later call does nothing, so one check at the end is enough.
 */
struct writer {
    struct span buf;
    size_t len; /* bytes written */
    int err;    /* OK or ERR_FULL */
};

void writer_init(struct writer *w, struct span buf);
void write_u8(struct writer *w, uint8_t v);
void write_u16(struct writer *w, uint16_t v);
void write_u32(struct writer *w, uint32_t v);
void write_u64(struct writer *w, uint64_t v);
void write_bytes(struct writer *w, struct view v);
void write_str(struct writer *w, const char *str);
struct view writer_view(const struct writer *w);

#endif
