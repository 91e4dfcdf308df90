/*
 * Asciicast files. With a first byte below 128 the rest is a file that a
 * stranger wrote: each line is read or damaged, and a head that is read is
 * written and read the same. Else the rest is a terminal's output: however it
 * is cut and however little room there is, the lines show what a model says
 * that looks at single characters.
 */
#include "cli/cast.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

#define OUTPUT_MAX 16384

static struct cast_line reader, second;
static uint8_t out[2 * CAST_LINE_OUT];

/* ---- a stranger's file ---------------------------------------------------------- */

static bool is_text(const char *s, size_t cap)
{
    return memchr(s, '\0', cap) != NULL;
}

static void check_head(const struct cast_head *h)
{
    assert(h->width > 0 && h->width <= CAST_SIDE_MAX);
    assert(h->height > 0 && h->height <= CAST_SIDE_MAX);
    assert(is_text(h->title, sizeof h->title));
    assert(is_text(h->session_id, sizeof h->session_id));
    assert(is_text(h->machine, sizeof h->machine));
    assert(is_text(h->user, sizeof h->user));
    assert(is_text(h->command, sizeof h->command));
    assert(h->first_offset + h->bytes >= h->first_offset);
    assert(h->saved_ms % 1000 == 0);
    int n = cast_write_head(h, (struct span){out, CAST_LINE_OUT});
    assert(n > 0 && out[n - 1] == '\n');
    memset(&second, 0, offsetof(struct cast_line, decoded));
    assert(cast_read_line(view_of(out, (size_t)n), &second) == OK);
    assert(second.head.width == h->width && second.head.height == h->height);
    assert(second.head.timestamp_s == h->timestamp_s);
    assert(strcmp(second.head.title, h->title) == 0);
    assert(strcmp(second.head.session_id, h->session_id) == 0);
    if (h->session_id[0] == '\0')
        return;
    assert(strcmp(second.head.machine, h->machine) == 0);
    assert(strcmp(second.head.user, h->user) == 0);
    assert(strcmp(second.head.command, h->command) == 0);
    assert(second.head.first_offset == h->first_offset);
    assert(second.head.bytes == h->bytes);
    assert(second.head.saved_ms == h->saved_ms);
}

static void read_file(struct view in)
{
    memset(&reader, 0, offsetof(struct cast_line, decoded));
    for (uint64_t number = 1; in.len > 0; number++) {
        ptrdiff_t end = view_find(in, '\n');
        struct view line = end < 0 ? in : view_first(in, (size_t)end + 1);
        int err = cast_read_line(line, &reader);
        assert(reader.number == number);
        assert((err == OK) == (reader.why[0] == '\0'));
        assert(err == OK || err == ERR_DAMAGED);
        if (err != OK)
            return;
        assert((reader.kind == CAST_HEAD) == (number == 1));
        assert(reader.output.len <= line.len);
        assert(reader.kind == CAST_OUTPUT || reader.output.len == 0);
        if (number == 1)
            check_head(&reader.head);
        in = view_from(in, line.len);
    }
}

/* ---- a terminal's output ---------------------------------------------------------- */

static uint8_t wanted[3 * OUTPUT_MAX], shown[3 * OUTPUT_MAX];
static size_t wanted_len, shown_len;

/* The length of the character that begins here; 0: none does. RFC 3629's
 * table, line by line. */
static size_t character(const uint8_t *p, size_t left)
{
    static const struct {
        uint8_t first[2], next[2], len;
    } table[] = {
        {{0x00, 0x7F}, {0, 0}, 1},       {{0xC2, 0xDF}, {0x80, 0xBF}, 2},
        {{0xE0, 0xE0}, {0xA0, 0xBF}, 3}, {{0xE1, 0xEC}, {0x80, 0xBF}, 3},
        {{0xED, 0xED}, {0x80, 0x9F}, 3}, {{0xEE, 0xEF}, {0x80, 0xBF}, 3},
        {{0xF0, 0xF0}, {0x90, 0xBF}, 4}, {{0xF1, 0xF3}, {0x80, 0xBF}, 4},
        {{0xF4, 0xF4}, {0x80, 0x8F}, 4},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t len = table[i].len;
        if (p[0] < table[i].first[0] || p[0] > table[i].first[1])
            continue;
        if (len > left)
            return 0;
        if (len > 1 && (p[1] < table[i].next[0] || p[1] > table[i].next[1]))
            return 0;
        for (size_t k = 2; k < len; k++)
            if (p[k] < 0x80 || p[k] > 0xBF)
                return 0;
        return len;
    }
    return 0;
}

static void model(struct view in)
{
    wanted_len = 0;
    while (in.len > 0) {
        size_t n = character(in.ptr, in.len);
        memcpy(wanted + wanted_len,
               n > 0 ? in.ptr : (const uint8_t *)"\xef\xbf\xbd", n > 0 ? n : 3);
        wanted_len += n > 0 ? n : 3;
        in = view_from(in, n > 0 ? n : 1);
    }
}

static void show(struct view lines)
{
    while (lines.len > 0) {
        ptrdiff_t end = view_find(lines, '\n');
        assert(end >= 0 && end < CAST_LINE_OUT);
        reader.number = 1;
        assert(cast_read_line(view_first(lines, (size_t)end), &reader) == OK);
        assert(reader.kind == CAST_OUTPUT && reader.output.len > 0);
        assert(shown_len + reader.output.len <= sizeof shown);
        memcpy(shown + shown_len, reader.output.ptr, reader.output.len);
        shown_len += reader.output.len;
        lines = view_from(lines, (size_t)end + 1);
    }
}

static void write_output(struct view in, uint32_t seed)
{
    struct cast_writer w = {.tail_len = 0};
    model(in);
    shown_len = 0;
    while (in.len > 0) {
        size_t used;
        seed = seed * 1664525 + 1013904223;
        size_t most = (seed & 0x300) == 0 ? OUTPUT_MAX : 1 + (seed >> 16) % 40;
        size_t cap = (seed & 0x3000) == 0 ? (seed >> 14) % 300 : sizeof out;
        int n = cast_write_output(&w, view_first(in, most),
                                  (struct span){out, cap}, &used);
        assert(w.tail_len <= 3 && used <= most);
        assert(n >= 0 || (n == ERR_FULL && used == 0 && cap < CAST_LINE_OUT));
        if (n > 0)
            show(view_of(out, (size_t)n));
        in = view_from(in, used);
    }
    int n = cast_write_end(&w, (struct span){out, CAST_LINE_OUT});
    assert(n >= 0);
    show(view_of(out, (size_t)n));
    assert(shown_len == wanted_len);
    assert(memcmp(shown, wanted, shown_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > OUTPUT_MAX)
        return 0;
    if (data[0] < 128)
        read_file(view_of(data + 1, size - 1));
    else
        write_output(view_of(data + 1, size - 1), data[0]);
    return 0;
}
