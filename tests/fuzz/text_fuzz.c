/*
 * What people and strangers write: numbers, durations, and text that is to
 * be shown. A number that is taken is what its digits say, and never above
 * the bound; what is shown is valid UTF-8 without a control, and showing it
 * once more changes nothing.
 */
#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define INPUT_MAX 1000

static bool all_digits(struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return false;
    return v.len > 0;
}

static void number(struct view in, uint64_t max)
{
    char digits[32];
    struct text t;
    uint64_t n = 77;
    int err = text_parse_u64(in, max, &n);
    if (err != OK) {
        assert(err == ERR_RANGE && n == 77);
        /* 18 digits are below any overflow */
        assert(!all_digits(in) || in.len > 18 || max < UINT64_MAX);
        return;
    }
    assert(n <= max && all_digits(in));
    TEXT_OF(&t, digits);
    text_u64(&t, n);
    while (in.len > 1 && in.ptr[0] == '0')
        in = view_from(in, 1);
    assert(!t.cut && view_eq(text_done(&t), in));
}

static uint64_t unit_of(struct view unit)
{
    return view_is(unit, "ms")  ? 1
           : view_is(unit, "s") ? 1000
           : view_is(unit, "m") ? 60000
           : view_is(unit, "h") ? 3600000
           : view_is(unit, "d") ? 86400000
           : unit.len == 0      ? 1000
                                : 0;
}

static void duration(struct view in)
{
    uint64_t ms = 77, n = 0;
    size_t digits = 0;
    while (digits < in.len && in.ptr[digits] >= '0' && in.ptr[digits] <= '9')
        digits++;
    uint64_t unit = unit_of(view_from(in, digits));
    bool whole = text_parse_u64(view_first(in, digits), UINT64_MAX, &n) == OK;
    int err = text_parse_duration(in, &ms);
    if (err == OK)
        assert(unit > 0 && whole && ms / unit == n && ms % unit == 0);
    else
        assert(err == ERR_RANGE && ms == 77 &&
               (unit == 0 || !whole || n > UINT64_MAX / unit));
}

/* Valid UTF-8 (RFC 3629), told by another way: what a code point's length
 * must be, and what it must not be. */
static void check_shown(struct view v)
{
    for (size_t i = 0; i < v.len;) {
        uint8_t b = v.ptr[i];
        size_t n = b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
        uint32_t cp = n == 1 ? b : b & (0x7Fu >> n);
        assert(b != 0x7F && (b < 0x80 || b >= 0xC2) && n <= v.len - i);
        for (size_t k = 1; k < n; k++) {
            assert(v.ptr[i + k] >= 0x80 && v.ptr[i + k] < 0xC0);
            cp = cp * 64 + (v.ptr[i + k] - 0x80u);
        }
        assert(cp >= 0x20 && !(cp >= 0x80 && cp < 0xA0) && cp <= 0x10FFFF);
        assert(n < 3 || cp >= (n == 3 ? 0x800 : 0x10000));
        assert(cp < 0xD800 || cp > 0xDFFF);
        assert(cp < 0x202A || cp > 0x202E); /* bidirectional overrides */
        assert(cp < 0x2066 || cp > 0x2069);
        i += n;
    }
}

static void shown(struct view in)
{
    static char once[4 * INPUT_MAX + 1], twice[4 * INPUT_MAX + 1];
    struct text t, u;
    TEXT_OF(&t, once);
    text_safe(&t, in);
    assert(!t.cut && t.len >= in.len);
    check_shown(text_done(&t));
    TEXT_OF(&u, twice);
    text_safe(&u, text_done(&t));
    assert(view_eq(text_done(&u), text_done(&t)));
}

static void when(struct view in)
{
    struct reader r = {in};
    uint64_t ms;
    char buf[48];
    struct text t;
    if (read_u64(&r, &ms) != OK)
        return;
    TEXT_OF(&t, buf);
    text_time(&t, (int64_t)ms);
    assert(!t.cut && t.len >= 20 && buf[t.len - 1] == 'Z');
    for (size_t i = t.len - 16; i < t.len; i++)
        assert((buf[i] >= '0' && buf[i] <= '9') || strchr("-T:Z", buf[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX)
        return 0;
    uint8_t *exact = malloc(size > 0 ? size : 1);
    assert(exact != NULL);
    memcpy(exact, data, size);
    struct view in = view_of(exact, size);
    number(in, UINT64_MAX);
    number(in, 65535);
    number(in, INT32_MAX);
    duration(in);
    shown(in);
    when(in);
    free(exact);
    return 0;
}
