/* Base32; see base32.h. */
#include "codec/base32.h"

#include "base/err.h"

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void base32_write(struct writer *w, struct view in)
{
    uint32_t bits = 0;
    unsigned count = 0;

    for (size_t i = 0; i < in.len; i++) {
        bits = bits << 8 | in.ptr[i];
        for (count += 8; count >= 5; count -= 5)
            write_u8(w, (uint8_t)DIGITS[bits >> (count - 5) & 31]);
    }
    if (count > 0)
        write_u8(w, (uint8_t)DIGITS[bits << (5 - count) & 31]);
}

static int digit_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

int base32_decode(struct view in, struct span out)
{
    uint32_t acc = 0;   /* bits not yet written */
    unsigned count = 0; /* how many of them */
    size_t len = 0;

    for (size_t i = 0; i < in.len; i++) {
        int digit = digit_of(in.ptr[i]);
        if (digit < 0)
            return ERR_PROTO;
        acc = acc << 5 | (uint32_t)digit;
        count += 5;
        if (count < 8)
            continue;
        if (len == out.len)
            return ERR_FULL;
        count -= 8;
        out.ptr[len++] = (uint8_t)(acc >> count);
        acc &= (1U << count) - 1;
    }
    /* Five bits left or more are a character too many; bits that are not
     * zero, a second text for the same bytes. */
    return count >= 5 || acc != 0 ? ERR_PROTO : (int)len;
}

void base32_typed(struct text *t, struct view typed)
{
    for (size_t i = 0; i < typed.len; i++) {
        uint8_t c = typed.ptr[i];
        if (c == ' ' || c == '-')
            continue;
        text_char(t, (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
    }
}
