/* Earlier output shown again; see replay.h. */
#include "cli/replay.h"

#include <string.h>

#include "base/text.h"

#define ENQ 0x05 /* "who are you?" */
#define BEL 0x07
#define CAN 0x18
#define SUB 0x1A
#define ESC 0x1B
#define DEL 0x7F

#define TELLS_SIZE 2048 /* a mode that begins with a report */

void replay_init(struct replay *r)
{
    *r = (struct replay){.state = REPLAY_TEXT};
}

struct view replay_rest(const struct replay *r)
{
    return view_of(r->held, r->over ? 0 : r->len);
}

/* ---- which may pass ------------------------------------------------------------ */

static bool is_one_of(uint8_t b, const char *set)
{
    return b != 0 && strchr(set, b) != NULL;
}

/* CSI, a mark of '<' to '?', numbers, bytes in between, and what it means. */
static bool csi_passes(struct view v)
{
    uint8_t mark = 0, between = 0, final = v.ptr[v.len - 1];
    uint32_t number = 0;
    bool tells_size = false;
    for (size_t i = 2; i < v.len; i++) {
        uint8_t b = v.ptr[i];
        bool digit = b >= '0' && b <= '9';
        tells_size = tells_size || (!digit && number == TELLS_SIZE);
        number = digit ? number * 10 + b - '0' : 0;
        if (b >= '<' && b <= '?')
            mark = b;
        else if (b >= 0x20 && b <= 0x2F)
            between = b;
    }
    if (is_one_of(final, "cintwxyR|")) /* reports, printing, the window */
        return false;
    return !(mark == '?' && is_one_of(final, "umS")) &&
           !(mark == '?' && final == 'h' && tells_size) &&
           !(mark == '>' && final == 'q') &&
           !(between == '$' && is_one_of(final, "pu"));
}

/* OSC, a number, and fields: a field that begins with '?' asks. */
static bool osc_passes(struct view v)
{
    static const uint64_t shown[] = {0,  1,   2,   4,   7,   8,   10,  11, 12,
                                     17, 104, 110, 111, 112, 117, 119, 133};
    struct view words = view_from(v, 2);
    size_t digits = 0;
    uint64_t number;
    while (digits < words.len && is_one_of(words.ptr[digits], "0123456789"))
        digits++;
    if (text_parse_u64(view_first(words, digits), UINT16_MAX, &number) != 0)
        return false;
    for (size_t i = digits; i + 1 < words.len; i++)
        if (words.ptr[i] == ';' && words.ptr[i + 1] == '?')
            return false;
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        if (shown[i] == number)
            return true;
    return false;
}

/* ---- byte by byte ---------------------------------------------------------------- */

/* A control of 0x80 to 0x9F, alone or as a character in UTF-8. Nothing but
 * old terminals means anything by them, and what begins with one there is only
 * text without it. */
static bool is_c1(struct replay *r, uint8_t b)
{
    bool within = r->more > 0 && b >= 0x80 && b <= 0xBF;
    bool may_be = !within || r->c2;
    r->more = within ? (uint8_t)(r->more - 1) : 0;
    if (b >= 0xC2 && b <= 0xF4)
        r->more = b < 0xE0 ? 1 : b < 0xF0 ? 2 : 3;
    r->c2 = b == 0xC2;
    return may_be && b >= 0x80 && b <= 0x9F;
}

static void hold(struct replay *r, uint8_t b)
{
    if (r->len < sizeof(r->held))
        r->held[r->len++] = b;
    else
        r->over = true;
}

static void settle(struct replay *r, bool passes, struct writer *out)
{
    if (passes)
        write_bytes(out, replay_rest(r));
    else
        r->more = 0; /* a character that began in it is gone */
    r->state = REPLAY_TEXT;
    r->len = 0;
    r->over = false;
}

static void begin(struct replay *r)
{
    settle(r, false, NULL);
    r->state = REPLAY_ESC;
    hold(r, ESC);
}

static void take_second(struct replay *r, uint8_t b, struct writer *out)
{
    hold(r, b);
    if (b < 0x30) /* one in between, as of a character set */
        return;
    uint8_t kind = r->held[1];
    if (kind == '[')
        r->state = REPLAY_CSI;
    else if (is_one_of(kind, "]P_^X"))
        r->state = REPLAY_STRING;
    else /* ESC Z: "what are you?"; ESC %: characters are not UTF-8 */
        settle(r, b < DEL && !r->over && kind != 'Z' && kind != '%', out);
}

static void take_csi(struct replay *r, uint8_t b, struct writer *out)
{
    hold(r, b);
    if (b >= 0x40)
        settle(r, b < DEL && !r->over && csi_passes(replay_rest(r)), out);
}

static bool string_passes(const struct replay *r, struct view v)
{
    return r->held[1] == ']' && !r->over && osc_passes(v);
}

/* ESC in a string: with a backslash it ends it. Without one the string is
 * broken, and what would follow its beginning must not complete it. */
static void take_end(struct replay *r, uint8_t b, struct writer *out)
{
    bool passes = string_passes(r, view_of(r->held, r->len - 1));
    if (b == '\\') {
        hold(r, b);
        settle(r, passes && !r->over, out);
    } else {
        begin(r);
        take_second(r, b, out);
    }
}

/* Returns whether it was one: those that end something or do nothing. Others
 * are done at once, also in the middle of a sequence. */
static bool take_control(struct replay *r, uint8_t b, struct writer *out)
{
    bool in_string = r->state == REPLAY_STRING;
    if (b == ENQ || is_c1(r, b))
        return true;
    if (b == ESC && in_string) {
        hold(r, b);
        r->state = REPLAY_END;
    } else if (b == ESC) {
        begin(r);
    } else if (b == CAN || b == SUB) {
        settle(r, false, out);
    } else if (b == BEL && in_string) {
        bool passes = string_passes(r, replay_rest(r));
        hold(r, b);
        settle(r, passes && !r->over, out);
    } else if (b < 0x20 || b == DEL) {
        if (!in_string && b != DEL)
            write_u8(out, b);
    } else {
        return false;
    }
    return true;
}

static void take(struct replay *r, uint8_t b, struct writer *out)
{
    if (take_control(r, b, out))
        return;
    switch (r->state) {
    case REPLAY_TEXT: write_u8(out, b); break;
    case REPLAY_ESC: take_second(r, b, out); break;
    case REPLAY_CSI: take_csi(r, b, out); break;
    case REPLAY_STRING: hold(r, b); break;
    case REPLAY_END: take_end(r, b, out); break;
    }
}

/* How many bytes at the front are text that means nothing else anywhere. */
static size_t plain(struct view v)
{
    size_t n = 0;
    while (n < v.len && (v.ptr[n] - 0x20u < 0x5Fu || v.ptr[n] == '\n'))
        n++;
    return n;
}

void replay_feed(struct replay *r, struct view in, struct writer *out)
{
    while (in.len > 0) {
        size_t n = r->state == REPLAY_TEXT ? plain(in) : 0;
        if (n > 0) {
            write_bytes(out, view_first(in, n));
            r->more = 0;
            r->c2 = false;
        } else {
            take(r, in.ptr[0], out);
            n = 1;
        }
        in = view_from(in, n);
    }
}
