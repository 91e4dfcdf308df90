/* See screen.h. */
#include "sim/screen.h"

#include <stdlib.h>
#include <string.h>

/* What the tool says begins so, and goes on to `last`. */
static const struct {
    const char *start;
    const char *last;
} WORDS[] = {
    {"\r\033[K[cmdop:", "]"},
    {"\r\n[cmdop:", "]\r\n"},
    {"\r\033[K", ""},
    {"\033[?1049l", NULL}, /* it leaves */
    {"\a", ""},
};
enum { WORDS_COUNT = sizeof(WORDS) / sizeof(WORDS[0]) };

static const char GREETING[] = "; Ctrl-D detaches\r\n";
/* How it tells that output is missing: at the attach, and later. */
static const char *const GAPS[] = {" bytes of output are no longer held",
                                   " bytes of output skipped"};

static const uint8_t *find(struct view v, const char *text)
{
    return v.len == 0 ? NULL : memmem(v.ptr, v.len, text, strlen(text));
}

bool screen_init(struct screen *s, struct view all)
{
    const uint8_t *at = find(all, GREETING);
    if (at == NULL)
        return false;
    at += strlen(GREETING);
    *s = (struct screen){.left = view_of(at, all.len - (size_t)(at - all.ptr))};
    return true;
}

/* Does `v` begin with this text; or could it, if more came? */
static bool begins(struct view v, const char *text, bool *is_cut)
{
    size_t len = strlen(text);
    *is_cut = v.len < len && memcmp(v.ptr, text, v.len) == 0;
    return v.len >= len && memcmp(v.ptr, text, len) == 0;
}

static enum screen_piece words(struct screen *s, struct view said)
{
    const uint8_t *gap = find(said, GAPS[0]);
    s->left = view_from(s->left, said.len);
    if (gap == NULL)
        gap = find(said, GAPS[1]);
    if (gap == NULL)
        return SCREEN_WORDS;
    while (gap[-1] >= '0' && gap[-1] <= '9')
        gap--;
    s->gap = strtoull((const char *)gap, NULL, 10);
    return SCREEN_GAP;
}

/* Of all that begins with `start`, 0: its end is not there. */
static size_t length(struct view v, const char *start, const char *last)
{
    size_t len = strlen(start);
    if (last == NULL || last[0] == '\0')
        return last == NULL ? 0 : len;
    const uint8_t *at = find(view_from(v, len), last);
    return at == NULL ? 0 : (size_t)(at - v.ptr) + strlen(last);
}

/* The tool's words at the start of what is left, if there are any. */
static bool own(struct screen *s, enum screen_piece *piece)
{
    bool is_cut, any_cut = false;
    for (int i = 0; i < WORDS_COUNT; i++) {
        if (!begins(s->left, WORDS[i].start, &is_cut)) {
            any_cut = any_cut || is_cut;
            continue;
        }
        size_t len = length(s->left, WORDS[i].start, WORDS[i].last);
        *piece = len == 0 ? SCREEN_END : words(s, view_first(s->left, len));
        return true;
    }
    *piece = SCREEN_END;
    return any_cut;
}

/* Up to where the tool's words could begin. */
static size_t plain(struct view v)
{
    size_t n = 0;
    while (n < v.len && v.ptr[n] != '\r' && v.ptr[n] != '\a' &&
           v.ptr[n] != '\033')
        n++;
    return n;
}

enum screen_piece screen_next(struct screen *s)
{
    enum screen_piece piece;
    size_t n = plain(s->left);
    if (s->left.len == 0)
        return SCREEN_END;
    if (n == 0 && own(s, &piece))
        return piece;
    if (n == 0)
        n = 1; /* a line end of the session's own */
    s->bytes = view_first(s->left, n);
    s->left = view_from(s->left, n);
    return SCREEN_BYTES;
}

size_t screen_tail(const struct screen *s)
{
    bool is_cut;
    (void)begins(s->left, "\r\n\n", &is_cut);
    return is_cut ? s->left.len : 0;
}
