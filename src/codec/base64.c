/* Base64, both forms; see base64.h. */
#include "codec/base64.h"

#include "base/err.h"

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz0123456789";

_Static_assert(sizeof DIGITS == 62 + 1, "the last two differ by form");

static uint8_t digit_to_char(enum base64_form form, uint32_t digit)
{
    if (digit < 62)
        return (uint8_t)DIGITS[digit];
    if (form == BASE64_URL)
        return digit == 62 ? '-' : '_';
    return digit == 62 ? '+' : '/';
}

/* The value of a character, or -1. */
static int char_to_digit(enum base64_form form, uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == digit_to_char(form, 62))
        return 62;
    return c == digit_to_char(form, 63) ? 63 : -1;
}

size_t base64_len(enum base64_form form, size_t len)
{
    static const uint8_t tail[2][3] = {
        [BASE64_STD] = {0, 4, 4},
        [BASE64_URL] = {0, 2, 3},
    };
    return len / 3 * 4 + tail[form][len % 3];
}

/* One to three bytes as four characters, or fewer when not padded. */
static void write_group(struct writer *w, enum base64_form form, struct view in)
{
    uint32_t bits = 0;
    uint8_t text[4] = {'=', '=', '=', '='};

    for (size_t i = 0; i < 3; i++)
        bits = bits << 8 | (i < in.len ? in.ptr[i] : 0U);
    for (size_t i = 0; i <= in.len; i++)
        text[i] = digit_to_char(form, bits >> (18 - 6 * i) & 63);
    write_bytes(w, view_of(text, base64_len(form, in.len)));
}

void base64_write(struct writer *w, enum base64_form form, struct view in)
{
    for (; in.len > 0 && w->err == OK; in = view_from(in, 3))
        write_group(w, form, view_first(in, 3));
}

/* Take the padding off; a wrong amount is left for its '=' to be refused. */
static int unpad(enum base64_form form, struct view *in)
{
    if (form == BASE64_URL)
        return OK;
    if (in->len % 4 != 0)
        return ERR_PROTO;
    for (int i = 0; i < 2 && in->len > 0; i++)
        if (in->ptr[in->len - 1] == '=')
            in->len--;
    return OK;
}

int base64_decode(enum base64_form form, struct view in, struct span out)
{
    uint32_t acc = 0;   /* bits not yet written */
    unsigned count = 0; /* how many of them */
    size_t len = 0;

    if (in.len > INT32_MAX)
        return ERR_TOO_BIG;
    if (unpad(form, &in) != OK)
        return ERR_PROTO;
    for (size_t i = 0; i < in.len; i++) {
        int digit = char_to_digit(form, in.ptr[i]);
        if (digit < 0)
            return ERR_PROTO;
        acc = acc << 6 | (uint32_t)digit;
        count += 6;
        if (count < 8)
            continue;
        if (len == out.len)
            return ERR_FULL;
        count -= 8;
        out.ptr[len++] = (uint8_t)(acc >> count);
        acc &= (1U << count) - 1;
    }
    /* Six bits left are a lone character; bits that are not zero, a second
     * text for the same bytes. */
    return count == 6 || acc != 0 ? ERR_PROTO : (int)len;
}
