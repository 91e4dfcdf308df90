/* DER writer and PEM armour; see der.h. */
#include "codec/der.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "codec/base64.h"

enum {
    SHORT_LEN_MAX = 127, /* longest content with a one-byte length */
    DAY_S = 86400,
    UTC_YEAR_END = 2050, /* first year that needs GeneralizedTime */
    PEM_LINE_BYTES = 48, /* bytes in a full line of PEM */
};

size_t der_open(struct writer *w, uint8_t tag)
{
    size_t mark = w->len;
    write_u8(w, tag);
    write_u8(w, 0);
    return mark;
}

/* Make room for `extra` bytes at `off` by moving up what follows. */
static void shift_up(struct writer *w, size_t off, size_t extra)
{
    static const uint8_t zeros[2];
    size_t len = w->len - off;

    assert(extra <= sizeof zeros);
    write_bytes(w, view_of(zeros, extra));
    if (w->err == OK)
        memmove(w->buf.ptr + off + extra, w->buf.ptr + off, len);
}

void der_close(struct writer *w, size_t mark)
{
    size_t len, extra;

    if (w->err != OK)
        return;
    len = w->len - mark - 2;
    if (len > DER_CONTENT_MAX) {
        w->err = ERR_FULL;
        return;
    }
    extra = len <= SHORT_LEN_MAX ? 0 : len <= UINT8_MAX ? 1 : 2;
    shift_up(w, mark + 2, extra);
    if (w->err != OK)
        return;
    w->buf.ptr[mark + 1] = (uint8_t)(extra == 0 ? len : 0x80 | extra);
    for (size_t i = 0; i < extra; i++)
        w->buf.ptr[mark + 2 + i] = (uint8_t)(len >> 8 * (extra - 1 - i));
}

void der_put(struct writer *w, uint8_t tag, struct view content)
{
    size_t mark = der_open(w, tag);
    write_bytes(w, content);
    der_close(w, mark);
}

void der_boolean(struct writer *w, bool value)
{
    uint8_t byte = value ? 0xff : 0x00;
    der_put(w, DER_BOOLEAN, view_of(&byte, 1));
}

void der_integer(struct writer *w, struct view bytes)
{
    size_t mark = der_open(w, DER_INTEGER);

    while (bytes.len > 0 && bytes.ptr[0] == 0)
        bytes = view_from(bytes, 1);
    if (bytes.len == 0 || bytes.ptr[0] >= 0x80)
        write_u8(w, 0); /* zero itself, or the sign of a positive number */
    write_bytes(w, bytes);
    der_close(w, mark);
}

/* Take one arc and the dot behind it. */
static uint32_t arc_take(const char **dotted)
{
    const char *p = *dotted;
    uint64_t arc = 0;

    assert(*p >= '0' && *p <= '9');
    for (; *p >= '0' && *p <= '9'; p++) {
        arc = arc * 10 + (uint64_t)(*p - '0');
        assert(arc <= UINT32_MAX - 80); /* the second arc is added to 80 */
    }
    assert(*p == '\0' || p[1] != '\0');
    assert(*p == '\0' || *p == '.');
    *dotted = *p == '.' ? p + 1 : p;
    return (uint32_t)arc;
}

/* Base 128, most significant first, all but the last byte marked. */
static void write_arc(struct writer *w, uint32_t arc)
{
    unsigned shift = 28;

    while (shift > 0 && arc >> shift == 0)
        shift -= 7;
    for (; shift > 0; shift -= 7)
        write_u8(w, (uint8_t)(0x80 | (arc >> shift & 0x7f)));
    write_u8(w, (uint8_t)(arc & 0x7f));
}

void der_oid(struct writer *w, const char *dotted)
{
    size_t mark = der_open(w, DER_OID);
    uint32_t root = arc_take(&dotted);
    uint32_t second = arc_take(&dotted);

    assert(root <= 2);
    assert(root == 2 || second < 40);
    write_arc(w, root * 40 + second);
    while (*dotted != '\0')
        write_arc(w, arc_take(&dotted));
    der_close(w, mark);
}

static void put_bits(struct writer *w, struct view bytes, uint8_t unused)
{
    size_t mark = der_open(w, DER_BIT_STRING);
    write_u8(w, unused);
    write_bytes(w, bytes);
    der_close(w, mark);
}

void der_bits(struct writer *w, struct view bytes)
{
    put_bits(w, bytes, 0);
}

void der_named_bits(struct writer *w, uint8_t flags)
{
    uint8_t unused = 0;

    if (flags == 0) {
        put_bits(w, VIEW_NONE, 0);
        return;
    }
    while ((flags >> unused & 1) == 0)
        unused++;
    put_bits(w, view_of(&flags, 1), unused);
}

struct date {
    uint32_t year, month, day; /* month and day from 1 */
};

/*
 * The Gregorian date of a day counted from 1970-01-01. Years are counted from
 * March, so that the leap day is the last; an era is 400 years, 146097 days;
 * months from March repeat the pattern of 153 days in five.
 */
static struct date date_of(uint32_t days)
{
    uint32_t z = days + 719468; /* from 0000-03-01 */
    uint32_t era = z / 146097;
    uint32_t doe = z % 146097;
    uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    uint32_t mp = (5 * doy + 2) / 153; /* 0 is March */
    uint32_t month = mp < 10 ? mp + 3 : mp - 9;

    return (struct date){
        .year = era * 400 + yoe + (month <= 2),
        .month = month,
        .day = doy - (153 * mp + 2) / 5 + 1,
    };
}

/* The last `count` decimal digits of v. */
static void write_digits(struct writer *w, uint32_t v, unsigned count)
{
    uint32_t unit = 1;

    for (unsigned i = 1; i < count; i++)
        unit *= 10;
    for (; unit > 0; unit /= 10)
        write_u8(w, (uint8_t)('0' + v / unit % 10));
}

void der_time(struct writer *w, uint64_t unix_s)
{
    assert(unix_s <= DER_TIME_MAX_S);
    struct date date = date_of((uint32_t)(unix_s / DAY_S));
    uint32_t sec = (uint32_t)(unix_s % DAY_S);
    bool utc = date.year < UTC_YEAR_END;
    size_t mark = der_open(w, utc ? DER_UTC_TIME : DER_GENERAL_TIME);

    write_digits(w, date.year, utc ? 2 : 4);
    write_digits(w, date.month, 2);
    write_digits(w, date.day, 2);
    write_digits(w, sec / 3600, 2);
    write_digits(w, sec / 60 % 60, 2);
    write_digits(w, sec % 60, 2);
    write_u8(w, 'Z');
    der_close(w, mark);
}

static void write_edge(struct writer *w, const char *begin, const char *label)
{
    write_str(w, begin);
    write_str(w, label);
    write_str(w, "-----\n");
}

void der_to_pem(struct writer *w, const char *label, struct view der)
{
    assert(der.len > 0);
    write_edge(w, "-----BEGIN ", label);
    for (; der.len > 0 && w->err == OK; der = view_from(der, PEM_LINE_BYTES)) {
        base64_write(w, BASE64_STD, view_first(der, PEM_LINE_BYTES));
        write_u8(w, '\n');
    }
    write_edge(w, "-----END ", label);
}

/* Take a line off the text, without its end; the last may lack one. */
static struct view line_take(struct view *text)
{
    ptrdiff_t end = view_find(*text, '\n');
    struct view line = end < 0 ? *text : view_first(*text, (size_t)end);

    *text = view_from(*text, line.len + 1);
    if (end >= 0 && line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* Drop `part` from the front of the line, when it is there. */
static bool part_take(struct view *line, const char *part)
{
    if (!view_starts(*line, view_str(part)))
        return false;
    *line = view_from(*line, strlen(part));
    return true;
}

static bool edge_is(struct view line, const char *begin, const char *label)
{
    return part_take(&line, begin) && part_take(&line, label) &&
           view_is(line, "-----");
}

/* What a block of `len` bytes is worth, given the text behind it. */
static int pem_end(struct view text, size_t len)
{
    return text.len == 0 && len > 0 ? (int)len : ERR_PROTO;
}

int der_from_pem(struct view text, const char *label, struct span out)
{
    struct span rest = out;
    bool full = true; /* so far every line held PEM_LINE_BYTES */

    if (text.len > INT32_MAX)
        return ERR_TOO_BIG;
    if (!edge_is(line_take(&text), "-----BEGIN ", label))
        return ERR_PROTO;
    while (text.len > 0) {
        struct view line = line_take(&text);
        if (edge_is(line, "-----END ", label))
            return pem_end(text, out.len - rest.len);
        int n = base64_decode(BASE64_STD, line, rest);
        if (n < 0)
            return n;
        if (!full || n == 0 || n > PEM_LINE_BYTES)
            return ERR_PROTO;
        full = n == PEM_LINE_BYTES;
        rest = (struct span){rest.ptr + n, rest.len - (size_t)n};
    }
    return ERR_PROTO;
}
