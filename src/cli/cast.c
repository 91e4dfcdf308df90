/* Asciicast files; see cast.h. */
#include "cli/cast.h"

#include <string.h>

#include "base/err.h"
#include "codec/json.h"

#define VERSION 2
#define TOKENS  512 /* of a head that somebody else wrote */
#define ESCAPED 6   /* bytes that one may become: \u001b */
#define FRAME   16  /* [0,"o",""] and what ends it */
#define PIECE   ((CAST_LINE_OUT - FRAME) / ESCAPED)

/* ---- writing ----------------------------------------------------------------- */

static int end_line(const struct json_out *j, struct span out)
{
    struct view v;
    int err = json_done(j, &v);
    if (err != OK)
        return err;
    out.ptr[v.len] = '\n'; /* where the writer ended its text */
    return (int)v.len + 1;
}

static void put_ours(struct json_out *j, const struct cast_head *h)
{
    json_key(j, "cmdop");
    json_obj_begin(j);
    json_member(j, "session_id", h->session_id);
    json_member(j, "machine", h->machine);
    json_member(j, "user", h->user);
    json_member(j, "command", h->command);
    json_key(j, "first_offset");
    json_u64(j, h->first_offset);
    json_key(j, "bytes");
    json_u64(j, h->bytes);
    json_key(j, "saved_at");
    json_time(j, h->saved_ms);
    json_obj_end(j);
}

int cast_write_head(const struct cast_head *head, struct span out)
{
    struct json_out j;
    if (out.len == 0)
        return ERR_FULL;
    json_begin(&j, (char *)out.ptr, out.len);
    json_obj_begin(&j);
    json_key(&j, "version");
    json_u64(&j, VERSION);
    json_key(&j, "width");
    json_u64(&j, head->width);
    json_key(&j, "height");
    json_u64(&j, head->height);
    if (head->timestamp_s != 0) {
        json_key(&j, "timestamp");
        json_i64(&j, head->timestamp_s);
    }
    if (head->title[0] != '\0')
        json_member(&j, "title", head->title);
    if (head->session_id[0] != '\0')
        put_ours(&j, head);
    json_obj_end(&j);
    return end_line(&j, out);
}

static int put_event(struct view text, struct span out)
{
    struct json_out j;
    if (out.len == 0)
        return ERR_FULL;
    json_begin(&j, (char *)out.ptr, out.len);
    json_arr_begin(&j);
    json_u64(&j, 0);
    json_cstr(&j, "o");
    json_str(&j, text);
    json_arr_end(&j);
    return end_line(&j, out);
}

/* How many bytes at the end may become a character with those that follow:
 * its first byte and one or two of the three behind it. */
static size_t unfinished(struct view v)
{
    for (size_t n = 1; n <= 3 && n <= v.len; n++) {
        uint8_t b = v.ptr[v.len - n];
        if (b < 0x80)
            return 0;
        if (b >= 0xC0)
            return n < (b < 0xE0 ? 2u : b < 0xF0 ? 3u : 4u) ? n : 0;
    }
    return 0;
}

/* One line of what is kept and what comes; how much of the latter is in
 * *taken. */
static int put_line(struct cast_writer *w, struct view bytes, struct span out,
                    size_t *taken)
{
    uint8_t piece[PIECE];
    struct view part = view_first(bytes, sizeof(piece) - w->tail_len);
    struct view all = view_of(piece, w->tail_len + part.len);
    memcpy(piece, w->tail, w->tail_len);
    memcpy(piece + w->tail_len, part.ptr, part.len);
    size_t keep = unfinished(all);
    struct view text = view_first(all, all.len - keep);
    int n = text.len > 0 ? put_event(text, out) : 0;
    if (n < 0)
        return n;
    memcpy(w->tail, piece + text.len, keep);
    w->tail_len = (uint8_t)keep;
    *taken = part.len;
    return n;
}

int cast_write_output(struct cast_writer *w, struct view bytes, struct span out,
                      size_t *used)
{
    size_t len = 0;
    *used = 0;
    while (bytes.len > 0) {
        struct span room = {out.ptr + len, out.len - len};
        size_t taken;
        int n = put_line(w, bytes, room, &taken);
        if (n < 0)
            return *used > 0 ? (int)len : n;
        len += (size_t)n;
        *used += taken;
        bytes = view_from(bytes, taken);
    }
    return (int)len;
}

int cast_write_end(struct cast_writer *w, struct span out)
{
    int n = 0;
    if (w->tail_len > 0)
        n = put_event(view_of(w->tail, w->tail_len), out);
    if (n >= 0)
        w->tail_len = 0;
    return n;
}

/* ---- reading ----------------------------------------------------------------- */

static int damaged(struct cast_line *out, const char *why)
{
    out->why = why;
    return ERR_DAMAGED;
}

/* A text, or what fits of it. ERR_NOT_FOUND; ERR_PROTO: another kind of
 * value, or U+0000 in it. */
static int take_text(struct cast_line *l, const struct json_doc *d, int object,
                     const char *name, char *out, size_t cap)
{
    int n = json_to_bytes(d, json_get(d, object, name), SPAN_ARRAY(l->decoded));
    if (n < 0)
        return n;
    size_t len = (size_t)n;
    if (view_find(view_of(l->decoded, len), 0) >= 0)
        return ERR_PROTO;
    if (len >= cap)
        for (len = cap - 1; len > 0 && (l->decoded[len] & 0xC0) == 0x80;)
            len--;
    (void)bytes_to_str(out, cap, view_of(l->decoded, len));
    return OK;
}

#define TAKE_TEXT(l, d, object, name, array) \
    take_text((l), (d), (object), (name), (array), sizeof(array))

static int read_ours(struct cast_line *l, const struct json_doc *d, int at)
{
    struct cast_head *h = &l->head;
    char time[32];
    if (TAKE_TEXT(l, d, at, "session_id", h->session_id) != OK ||
        h->session_id[0] == '\0' ||
        TAKE_TEXT(l, d, at, "machine", h->machine) != OK ||
        TAKE_TEXT(l, d, at, "user", h->user) != OK ||
        TAKE_TEXT(l, d, at, "command", h->command) != OK)
        return damaged(l, "what it says of the session is not complete");
    if (json_to_u64(d, json_get(d, at, "first_offset"), UINT64_MAX,
                    &h->first_offset) != OK ||
        json_to_u64(d, json_get(d, at, "bytes"), UINT64_MAX - h->first_offset,
                    &h->bytes) != OK)
        return damaged(l, "its offsets are no numbers, or too large");
    if (json_to_str(d, json_get(d, at, "saved_at"), time, sizeof(time)) < 0 ||
        text_parse_time(view_str(time), &h->saved_ms) != OK)
        return damaged(l, "when it was saved is not a time");
    return OK;
}

static int take_side(const struct json_doc *d, const char *name, uint32_t *out)
{
    uint64_t v;
    int err = json_to_u64(d, json_get(d, 0, name), CAST_SIDE_MAX, &v);
    if (err == OK && v > 0)
        *out = (uint32_t)v;
    return err == OK && v == 0 ? ERR_RANGE : err;
}

static int read_head(struct cast_line *l, const struct json_doc *d)
{
    struct cast_head *h = &l->head;
    uint64_t version;
    int when = json_get(d, 0, "timestamp"), ours = json_get(d, 0, "cmdop");
    if (json_kind(d, 0) != JSON_OBJECT ||
        json_to_u64(d, json_get(d, 0, "version"), UINT64_MAX, &version) != OK)
        return damaged(l, "it does not begin as an asciicast file does");
    if (version != VERSION)
        return damaged(l, "it is an asciicast file of another version than 2");
    if (take_side(d, "width", &h->width) != OK ||
        take_side(d, "height", &h->height) != OK)
        return damaged(l, "the size of its screen is missing or no size");
    /* Some write fractions of a second; nothing hangs on the time. */
    if (when >= 0 && json_kind(d, when) != JSON_NUMBER)
        return damaged(l, "its timestamp is not a number");
    if (when < 0 || json_to_i64(d, when, &h->timestamp_s) != OK)
        h->timestamp_s = 0;
    int err = TAKE_TEXT(l, d, 0, "title", h->title);
    if (err != OK && err != ERR_NOT_FOUND)
        return damaged(l, "its title is not a text");
    l->kind = CAST_HEAD;
    return ours >= 0 ? read_ours(l, d, ours) : OK;
}

static int read_event(struct cast_line *l, const struct json_doc *d)
{
    if (json_kind(d, 0) != JSON_ARRAY)
        return damaged(l, "a line is not an event");
    int when = json_first(d, 0);
    int code = when >= 0 ? json_next(d, when) : -1;
    int data = code >= 0 ? json_next(d, code) : -1;
    if (data < 0 || json_next(d, data) >= 0)
        return damaged(l, "an event has not three parts");
    if (json_kind(d, when) != JSON_NUMBER || json_raw(d, when).ptr[0] == '-')
        return damaged(l, "the time of an event is not a time");
    if (json_kind(d, code) != JSON_STRING)
        return damaged(l, "the kind of an event is not a text");
    l->kind = json_is(d, code, "o") ? CAST_OUTPUT : CAST_OTHER;
    if (l->kind == CAST_OTHER)
        return OK;
    int n = json_to_bytes(d, data, SPAN_ARRAY(l->decoded));
    if (n < 0)
        return damaged(l, "the output of an event is not a text");
    l->output = view_of(l->decoded, (size_t)n);
    return OK;
}

int cast_read_line(struct view line, struct cast_line *out)
{
    jsmntok_t tok[TOKENS];
    struct json_doc d;
    out->number++;
    out->output = VIEW_NONE;
    out->why = "";
    if (line.len > CAST_LINE_IN)
        return damaged(out, "a line is longer than 64 KiB");
    int err = json_parse(&d, line, tok, TOKENS);
    if (err == ERR_MORE)
        return damaged(out, "a line is cut short");
    if (err == ERR_TOO_BIG)
        return damaged(out, "a line has too many parts");
    if (err != OK)
        return damaged(out, "a line is not JSON");
    return out->number == 1 ? read_head(out, &d) : read_event(out, &d);
}
