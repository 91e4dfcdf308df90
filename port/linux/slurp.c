/* Small text files; see slurp.h. */
#include "slurp.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

#define CHUNK 4096

/* Hand out the whole lines of buf[0, len), and the rest too if it is the end
 * or fills the buffer; returns the bytes that remain, or -1 to stop. */
static ssize_t hand_out(char *buf, size_t len, bool is_end, slurp_fn *fn,
                        void *ctx)
{
    struct view left = view_of(buf, len);
    for (;;) {
        ptrdiff_t end = view_find(left, '\n');
        if (end < 0)
            break;
        if (!fn(ctx, view_first(left, (size_t)end)))
            return -1;
        left = view_from(left, (size_t)end + 1);
    }
    if (left.len > 0 && (is_end || left.len == CHUNK))
        return fn(ctx, left) ? 0 : -1;
    memmove(buf, left.ptr, left.len);
    return (ssize_t)left.len;
}

void slurp_lines(const char *path, slurp_fn *fn, void *ctx)
{
    char buf[CHUNK];
    ssize_t held = 0, n;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    do {
        n = read(fd, buf + held, CHUNK - (size_t)held);
        held = hand_out(buf, (size_t)(held + (n > 0 ? n : 0)), n <= 0, fn, ctx);
    } while (n > 0 && held >= 0);
    close(fd);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\0' || c == '\r';
}

struct first {
    char *out;
    size_t cap;
};

static bool take_first(void *ctx, struct view line)
{
    struct first *f = ctx;
    struct text t;
    while (line.len > 0 && is_blank(line.ptr[0]))
        line = view_from(line, 1);
    while (line.len > 0 && is_blank(line.ptr[line.len - 1]))
        line.len--;
    text_init(&t, f->out, f->cap);
    text_safe(&t, line);
    return false;
}

bool slurp_first(const char *path, char *out, size_t cap)
{
    struct first f = {out, cap};
    out[0] = '\0';
    slurp_lines(path, take_first, &f);
    return out[0] != '\0';
}

uint64_t slurp_number(struct view *v)
{
    uint64_t n = 0;
    while (v->len > 0 && is_blank(v->ptr[0]))
        *v = view_from(*v, 1);
    while (v->len > 0 && v->ptr[0] >= '0' && v->ptr[0] <= '9') {
        n = n * 10 + (uint64_t)(v->ptr[0] - '0');
        *v = view_from(*v, 1);
    }
    return n;
}

uint64_t slurp_u64(const char *path, uint64_t other)
{
    char buf[24];
    struct view v;
    if (!slurp_first(path, buf, sizeof(buf)) || buf[0] < '0' || buf[0] > '9')
        return other;
    v = view_str(buf);
    return slurp_number(&v);
}
