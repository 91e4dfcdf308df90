/* Percent-encoding; see percent.h. */
#include "codec/percent.h"

/* see percent.h */
void percent_encode(struct text *t, struct view v)
{
    for (; v.len > 0; v = view_from(v, 1)) {
        uint8_t b = v.ptr[0];
        if (b >= 0x20 && b <= 0x7e && b != '%') {
            text_char(t, (char)b);
        } else {
            text_char(t, '%');
            text_hex(t, view_first(v, 1));
        }
    }
}

/* The byte that "%XX" at the front stands for, or -1. */
static int percent_byte(struct view v)
{
    if (v.len < 3 || v.ptr[0] != '%')
        return -1;
    int high = text_hex_digit(v.ptr[1]);
    int low = text_hex_digit(v.ptr[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* see percent.h */
void percent_decode(struct text *t, struct view v)
{
    while (v.len > 0) {
        int byte = percent_byte(v);
        text_char(t, (char)(byte < 0 ? v.ptr[0] : byte));
        v = view_from(v, byte < 0 ? 1 : 3);
    }
}
