/* Forms; see form.h. */
#include "codec/form.h"

#include <string.h>

#include "base/err.h"

/* Take one decoded byte off the front: 1 to 255, 0 at the end, ERR_PROTO. */
static int take_byte(struct view *v)
{
    if (v->len == 0)
        return 0;
    uint8_t c = v->ptr[0];
    if (c == '%') {
        if (v->len < 3)
            return ERR_PROTO;
        int high = text_hex_digit(v->ptr[1]), low = text_hex_digit(v->ptr[2]);
        *v = view_from(*v, 3);
        /* NUL would end a C string early: two readings. */
        return high < 0 || low < 0 || (high | low) == 0 ? ERR_PROTO
                                                        : high << 4 | low;
    }
    *v = view_from(*v, 1);
    if (c <= 0x20 || c >= 0x7f)
        return ERR_PROTO;
    return c == '+' ? ' ' : c;
}

/* Take the next pair off the front; OK, ERR_NOT_FOUND at the end. */
static int take_pair(struct view *left, struct view *name, struct view *value)
{
    if (left->ptr == NULL)
        return ERR_NOT_FOUND;
    ptrdiff_t end = view_find(*left, '&');
    struct view pair = end < 0 ? *left : view_first(*left, (size_t)end);
    ptrdiff_t equals = view_find(pair, '=');
    *left = end < 0 ? VIEW_NONE : view_from(*left, (size_t)end + 1);
    if (equals <= 0)
        return ERR_PROTO;
    *name = view_first(pair, (size_t)equals);
    *value = view_from(pair, (size_t)equals + 1);
    return OK;
}

static int check_part(struct view v)
{
    int byte;

    while ((byte = take_byte(&v)) > 0)
        ;
    return byte;
}

int form_check(struct view body)
{
    struct view left = body.len == 0 ? VIEW_NONE : body, name, value;
    size_t count = 0;
    int err;

    while ((err = take_pair(&left, &name, &value)) == OK) {
        if (check_part(name) != OK || check_part(value) != OK)
            return ERR_PROTO;
        if (++count > FORM_FIELDS_MAX)
            return ERR_TOO_BIG;
    }
    return err == ERR_NOT_FOUND ? OK : err;
}

/* Of a checked part: does it decode to this name? */
static bool is_named(struct view part, const char *name)
{
    int byte;

    while ((byte = take_byte(&part)) > 0)
        if (*name == '\0' || byte != (uint8_t)*name++)
            return false;
    return *name == '\0';
}

static int decode(struct view value, char *out, size_t cap)
{
    struct view left = value;
    size_t len = 0;

    while (take_byte(&left) > 0)
        len++;
    if (len >= cap)
        return ERR_TOO_BIG;
    for (size_t i = 0; i < len; i++)
        out[i] = (char)take_byte(&value);
    out[len] = '\0';
    return (int)len;
}

int form_get(struct view body, const char *name, char *out, size_t cap)
{
    struct view left = body.len == 0 ? VIEW_NONE : body, part, value;
    struct view found = VIEW_NONE;
    uint32_t count = 0;
    int err = form_check(body);

    if (err != OK)
        return ERR_PROTO;
    while (take_pair(&left, &part, &value) == OK) {
        if (is_named(part, name)) {
            found = value;
            count++;
        }
    }
    if (count != 1)
        return count == 0 ? ERR_NOT_FOUND : ERR_PROTO;
    return decode(found, out, cap);
}

static bool stands_for_itself(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c != 0 && strchr("-._", c) != NULL);
}

void form_escape(struct text *t, struct view v)
{
    for (; v.len > 0; v = view_from(v, 1)) {
        if (stands_for_itself(v.ptr[0])) {
            text_char(t, (char)v.ptr[0]);
        } else if (v.ptr[0] == ' ') {
            text_char(t, '+');
        } else {
            text_char(t, '%');
            text_hex(t, view_first(v, 1));
        }
    }
}
