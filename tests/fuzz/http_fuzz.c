/*
 * HTTP from strangers. The conversation must not depend on how the bytes
 * were cut: whole, and in pieces whose lengths the input itself decides. What
 * is said is always whole responses, one per request.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "transport/http.h"

enum { SAID_CAP = 1 << 20, INPUT_MAX = 1 << 15 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct talk {
    struct http h;
    char said[SAID_CAP];
    size_t said_len;
    char body[2 * HTTP_HEAD_MAX + HTTP_BODY_MAX + 8];
};

static void must(bool fact)
{
    if (!fact)
        abort();
}

static bool is_inside(const struct http *h, struct view v)
{
    return v.len == 0 || view_is(v, "/") ||
           (v.ptr >= h->head && v.len <= sizeof h->head &&
            (size_t)(v.ptr - h->head) <= sizeof h->head - v.len);
}

static void answer(struct talk *t)
{
    static const char *const names[] = {"host", "x", "accept"};
    const struct http_request *r = http_request(&t->h);
    struct text body;

    must(r != NULL && r->path.len > 0 && r->path.ptr[0] == '/');
    must(is_inside(&t->h, r->path) && is_inside(&t->h, r->query));
    must(view_find(r->path, '?') < 0);
    must(r->body.len <= HTTP_BODY_MAX &&
         (r->body.len == 0 || r->body.ptr == t->h.body));
    must(r->body.len == 0 || (r->method != HTTP_GET && r->method != HTTP_HEAD));
    TEXT_OF(&body, t->body);
    text_view(&body, r->path);
    text_view(&body, r->query);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct view v = http_header(&t->h, names[i]);
        must(is_inside(&t->h, v) && view_find(v, '\n') < 0);
        text_view(&body, v);
    }
    text_view(&body, r->body);
    must(!body.cut);
    http_respond(&t->h, 200, "text/plain", text_done(&body));
}

static void drain(struct talk *t, size_t step)
{
    while (t->h.state == HTTP_ANSWERING) {
        struct view out = view_first(http_take(&t->h), step);
        must(out.len > 0);
        if (out.len <= SAID_CAP - t->said_len) {
            memcpy(t->said + t->said_len, out.ptr, out.len);
            t->said_len += out.len;
        }
        http_sent(&t->h, out.len);
    }
}

static void feed(struct talk *t, struct view in, size_t step)
{
    while (in.len > 0) {
        /* A copy of the exact size: a step outside is seen. */
        uint8_t *piece = malloc(in.len);
        must(piece != NULL);
        memcpy(piece, in.ptr, in.len);
        size_t n = http_feed(&t->h, view_of(piece, in.len));
        free(piece);
        must(n <= in.len && (n > 0 || t->h.state != HTTP_READING));
        in = view_from(in, n);
        if (t->h.state == HTTP_ASKED)
            answer(t);
        drain(t, step);
        must(t->h.state != HTTP_ASKED && t->h.state != HTTP_ANSWERING);
    }
}

static void begin(struct talk *t)
{
    http_init(&t->h);
    t->said_len = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct talk whole, cut;
    struct view in = view_of(data, size);

    if (size > INPUT_MAX)
        return 0;
    begin(&whole);
    feed(&whole, in, SAID_CAP);
    begin(&cut);
    for (uint32_t seed = (uint32_t)size; in.len > 0;) {
        seed = seed * 1664525 + 1013904223 + in.ptr[0];
        size_t n = 1 + (seed >> 16) % 9;
        feed(&cut, view_first(in, n), n);
        in = view_from(in, n);
    }
    must(whole.said_len == cut.said_len && whole.h.state == cut.h.state);
    must(memcmp(whole.said, cut.said, whole.said_len) == 0);
    return 0;
}
