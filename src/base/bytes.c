/* Views, spans and checked cursors; see bytes.h. */
#include "base/bytes.h"

#include <string.h>

#include "base/err.h"

struct view view_of(const void *ptr, size_t len)
{
    return (struct view){ptr, len};
}

struct view view_str(const char *str)
{
    return view_of(str, strlen(str));
}

bool view_eq(struct view a, struct view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool view_is(struct view a, const char *str)
{
    return view_eq(a, view_str(str));
}

bool view_starts(struct view a, struct view prefix)
{
    return a.len >= prefix.len && view_eq(view_first(a, prefix.len), prefix);
}

struct view view_from(struct view v, size_t off)
{
    if (off >= v.len)
        return view_of(v.ptr == NULL ? NULL : v.ptr + v.len, 0);
    return view_of(v.ptr + off, v.len - off);
}

struct view view_first(struct view v, size_t len)
{
    return view_of(v.ptr, len < v.len ? len : v.len);
}

struct view span_view(struct span s)
{
    return view_of(s.ptr, s.len);
}

ptrdiff_t view_find(struct view v, uint8_t byte)
{
    const uint8_t *hit = v.len == 0 ? NULL : memchr(v.ptr, byte, v.len);
    return hit == NULL ? -1 : hit - v.ptr;
}

int bytes_copy(struct span out, struct view in)
{
    if (in.len > out.len)
        return ERR_FULL;
    if (in.len > 0)
        memcpy(out.ptr, in.ptr, in.len);
    return OK;
}

size_t bytes_to_str(char *out, size_t cap, struct view in)
{
    size_t n = in.len < cap ? in.len : cap - 1;
    if (n > 0)
        memcpy(out, in.ptr, n);
    out[n] = '\0';
    return n;
}

int read_bytes(struct reader *r, size_t len, struct view *out)
{
    if (r->left.len < len)
        return ERR_MORE;
    *out = view_first(r->left, len);
    r->left = view_from(r->left, len);
    return OK;
}

int read_copy(struct reader *r, void *to, size_t len)
{
    struct view v;
    int err = read_bytes(r, len, &v);
    if (err == OK)
        memcpy(to, v.ptr, len);
    return err;
}

static int read_be(struct reader *r, size_t len, uint64_t *out)
{
    struct view raw;
    if (read_bytes(r, len, &raw) != OK)
        return ERR_MORE;
    *out = 0;
    for (size_t i = 0; i < len; i++)
        *out = *out << 8 | raw.ptr[i];
    return OK;
}

int read_u8(struct reader *r, uint8_t *out)
{
    uint64_t v;
    if (read_be(r, 1, &v) != OK)
        return ERR_MORE;
    *out = (uint8_t)v;
    return OK;
}

int read_u16(struct reader *r, uint16_t *out)
{
    uint64_t v;
    if (read_be(r, 2, &v) != OK)
        return ERR_MORE;
    *out = (uint16_t)v;
    return OK;
}

int read_u32(struct reader *r, uint32_t *out)
{
    uint64_t v;
    if (read_be(r, 4, &v) != OK)
        return ERR_MORE;
    *out = (uint32_t)v;
    return OK;
}

int read_u64(struct reader *r, uint64_t *out)
{
    return read_be(r, 8, out);
}

void writer_init(struct writer *w, struct span buf)
{
    *w = (struct writer){.buf = buf};
}

void write_bytes(struct writer *w, struct view v)
{
    if (w->err != OK)
        return;
    if (v.len > w->buf.len - w->len) {
        w->err = ERR_FULL;
        return;
    }
    if (v.len > 0)
        memcpy(w->buf.ptr + w->len, v.ptr, v.len);
    w->len += v.len;
}

static void write_be(struct writer *w, uint64_t v, size_t len)
{
    uint8_t raw[8];
    for (size_t i = 0; i < len; i++)
        raw[i] = (uint8_t)(v >> 8 * (len - 1 - i));
    write_bytes(w, view_of(raw, len));
}

void write_u8(struct writer *w, uint8_t v)
{
    write_be(w, v, 1);
}

void write_u16(struct writer *w, uint16_t v)
{
    write_be(w, v, 2);
}

void write_u32(struct writer *w, uint32_t v)
{
    write_be(w, v, 4);
}

void write_u64(struct writer *w, uint64_t v)
{
    write_be(w, v, 8);
}

void write_str(struct writer *w, const char *str)
{
    write_bytes(w, view_str(str));
}

struct view writer_view(const struct writer *w)
{
    return view_of(w->buf.ptr, w->len);
}
