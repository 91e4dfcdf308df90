/* Text without stdio; see text.h. */
#include "base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "base/err.h"

void text_init(struct text *t, char *buf, size_t cap)
{
    assert(cap >= 1);
    *t = (struct text){.buf = buf, .cap = cap};
    buf[0] = '\0';
}

void text_view(struct text *t, struct view v)
{
    size_t room = t->cap - 1 - t->len;
    if (v.len > room) {
        v.len = room;
        t->cut = true;
    }
    if (v.len > 0)
        memcpy(t->buf + t->len, v.ptr, v.len);
    t->len += v.len;
    t->buf[t->len] = '\0';
}

void text_str(struct text *t, const char *s)
{
    text_view(t, view_str(s));
}

void text_char(struct text *t, char c)
{
    text_view(t, view_of(&c, 1));
}

void text_u64_pad(struct text *t, uint64_t v, int width)
{
    char digits[20];
    int at = (int)sizeof(digits);
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    for (int n = (int)sizeof(digits) - at; n < width; n++)
        text_char(t, '0');
    text_view(t, view_of(digits + at, sizeof(digits) - (size_t)at));
}

void text_u64(struct text *t, uint64_t v)
{
    text_u64_pad(t, v, 1);
}

void text_i64(struct text *t, int64_t v)
{
    if (v < 0)
        text_char(t, '-');
    text_u64(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void text_hex(struct text *t, struct view v)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < v.len; i++) {
        text_char(t, digit[v.ptr[i] >> 4]);
        text_char(t, digit[v.ptr[i] & 15]);
    }
}

int text_hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void text_pad(struct text *t, size_t from, size_t col)
{
    size_t shown = 0;
    for (size_t i = from; i < t->len; i++)
        shown += ((uint8_t)t->buf[i] & 0xC0) != 0x80;
    do /* a column that is too full is not run into the next */
        text_char(t, ' ');
    while (++shown < col);
}

/* Length of the valid UTF-8 sequence at the front (RFC 3629), 0 if broken;
 * the code point goes to *cp. */
static size_t utf8_one(struct view v, uint32_t *cp)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t b = v.ptr[0];
    size_t n = b < 0x80 ? 1 : b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2;
    if ((b >= 0x80 && b < 0xC2) || b > 0xF4 || n > v.len)
        return 0;
    *cp = n == 1 ? b : b & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((v.ptr[i] & 0xC0) != 0x80)
            return 0;
        *cp = *cp << 6 | (v.ptr[i] & 0x3F);
    }
    if (*cp < least[n] || *cp > 0x10FFFF || (*cp >= 0xD800 && *cp < 0xE000))
        return 0;
    return n;
}

/* Controls and marks that change how the rest of a line is shown. */
static bool is_unsafe(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7F && cp < 0xA0) ||
           (cp >= 0x200B && cp <= 0x200F) || (cp >= 0x2028 && cp <= 0x202E) ||
           (cp >= 0x2066 && cp <= 0x2069) || cp == 0xFEFF;
}

void text_safe(struct text *t, struct view v)
{
    while (v.len > 0) {
        uint32_t cp = 0;
        size_t n = utf8_one(v, &cp);
        if (n == 0 || is_unsafe(cp)) {
            text_str(t, "\\x");
            text_hex(t, view_first(v, 1));
            n = 1;
        } else {
            text_view(t, view_first(v, n));
        }
        v = view_from(v, n);
    }
}

bool text_is_blank(struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] != ' ')
            return false;
    return true;
}

/* Civil date from days since 1970-01-01, proleptic Gregorian. */
static void civil(int64_t days, int64_t *y, int64_t *m, int64_t *d)
{
    days += 719468; /* since 0000-03-01 */
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = yoe + era * 400 + (*m <= 2);
}

void text_time(struct text *t, int64_t unix_ms)
{
    int64_t s = unix_ms / 1000 - (unix_ms % 1000 < 0);
    int64_t days = s / 86400 - (s % 86400 < 0);
    int64_t rest = s - days * 86400;
    int64_t y, m, d;
    civil(days, &y, &m, &d);
    text_u64_pad(t, y < 0 ? 0 : (uint64_t)y, 4);
    text_char(t, '-');
    text_u64_pad(t, (uint64_t)m, 2);
    text_char(t, '-');
    text_u64_pad(t, (uint64_t)d, 2);
    text_char(t, 'T');
    text_u64_pad(t, (uint64_t)(rest / 3600), 2);
    text_char(t, ':');
    text_u64_pad(t, (uint64_t)(rest / 60 % 60), 2);
    text_char(t, ':');
    text_u64_pad(t, (uint64_t)(rest % 60), 2);
    text_char(t, 'Z');
}

/* The reverse of civil. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = y / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* The fields are read wherever digits must stand; then the time is the right
 * one if it is written just like that. */
int text_parse_time(struct view v, int64_t *out_ms)
{
    static const uint8_t at[] = {0, 5, 8, 11, 14, 17},
                         len[] = {4, 2, 2, 2, 2, 2};
    uint64_t f[6];
    char again[32];
    struct text t;
    for (int i = 0; i < 6; i++)
        if (text_parse_u64(view_first(view_from(v, at[i]), len[i]), 9999,
                           &f[i]) != OK)
            return ERR_RANGE;
    int64_t days = days_of((int64_t)f[0], (int64_t)f[1], (int64_t)f[2]);
    int64_t ms =
        1000 * (days * 86400 + (int64_t)(f[3] * 3600 + f[4] * 60 + f[5]));
    TEXT_OF(&t, again);
    text_time(&t, ms);
    if (f[0] == 0 || !view_eq(text_done(&t), v))
        return ERR_RANGE;
    *out_ms = ms;
    return OK;
}

struct view text_done(const struct text *t)
{
    return view_of(t->buf, t->len);
}

void text_join(struct text *t, ...)
{
    va_list ap;
    va_start(ap, t);
    for (const char *s; (s = va_arg(ap, const char *)) != NULL;)
        text_str(t, s);
    va_end(ap);
}

int text_parse_u64(struct view v, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    if (v.len == 0)
        return ERR_RANGE;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return ERR_RANGE;
        uint64_t digit = (uint64_t)(v.ptr[i] - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return ERR_RANGE;
        n = n * 10 + digit;
    }
    if (n > max)
        return ERR_RANGE;
    *out = n;
    return OK;
}

int text_parse_duration(struct view v, uint64_t *out_ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                 {"h", 3600000}, {"d", 86400000}, {"", 1000}};
    size_t digits = 0;
    while (digits < v.len && v.ptr[digits] >= '0' && v.ptr[digits] <= '9')
        digits++;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        uint64_t n;
        if (!view_is(view_from(v, digits), units[i].unit))
            continue;
        if (text_parse_u64(view_first(v, digits), UINT64_MAX / units[i].ms,
                           &n) != OK)
            return ERR_RANGE;
        *out_ms = n * units[i].ms;
        return OK;
    }
    return ERR_RANGE;
}
