/* HTTP/1.1 server engine; see http.h. */
#include "transport/http.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "crypto/ct.h"

_Static_assert(HTTP_HEAD_MAX <= UINT16_MAX, "places in head are 16 bits");
_Static_assert(HTTP_LINE_MAX < HTTP_HEAD_MAX, "414 comes before 431");
_Static_assert(HTTP_BODY_MAX <= UINT16_MAX, "its length is 16 bits");

#define METHODS "GET, HEAD, POST, PUT, PATCH, DELETE"

/* ---- statuses ------------------------------------------------------------------ */

#define PROBLEM(status, title)                             \
    {                                                      \
        status, title,                                     \
            "{\"type\":\"about:blank\",\"title\":\"" title \
            "\",\"status\":" #status "}\n"                 \
    }

static const struct status_row {
    int status;
    const char *reason;
    const char *problem;
} STATUSES[] = {
    {200, "OK", ""},
    {201, "Created", ""},
    {202, "Accepted", ""},
    {204, "No Content", ""},
    {303, "See Other", ""},
    PROBLEM(400, "Bad Request"),
    PROBLEM(401, "Unauthorized"),
    PROBLEM(403, "Forbidden"),
    PROBLEM(404, "Not Found"),
    PROBLEM(405, "Method Not Allowed"),
    PROBLEM(408, "Request Timeout"),
    PROBLEM(409, "Conflict"),
    PROBLEM(413, "Content Too Large"),
    PROBLEM(414, "URI Too Long"),
    PROBLEM(415, "Unsupported Media Type"),
    PROBLEM(417, "Expectation Failed"),
    PROBLEM(421, "Misdirected Request"),
    PROBLEM(422, "Unprocessable Content"),
    PROBLEM(429, "Too Many Requests"),
    PROBLEM(431, "Request Header Fields Too Large"),
    PROBLEM(500, "Internal Server Error"),
    PROBLEM(501, "Not Implemented"),
    PROBLEM(503, "Service Unavailable"),
    PROBLEM(505, "HTTP Version Not Supported"),
};

static const struct status_row *find_status(int status)
{
    static const struct status_row none = {0, "Status", "{}\n"};

    for (size_t i = 0; i < sizeof STATUSES / sizeof STATUSES[0]; i++)
        if (STATUSES[i].status == status)
            return &STATUSES[i];
    return &none;
}

const char *http_reason(int status)
{
    return find_status(status)->reason;
}

struct view http_problem(int status)
{
    return view_str(find_status(status)->problem);
}

/* ---- responses ------------------------------------------------------------------ */

static void write_head(struct http *h, int status, const char *type, size_t len)
{
    struct text t;

    TEXT_OF(&t, h->out_head);
    text_str(&t, "HTTP/1.1 ");
    text_i64(&t, status);
    text_join(&t, " ", http_reason(status), "\r\n", NULL);
    if (type != NULL)
        text_join(&t, "Content-Type: ", type, "\r\n", NULL);
    if (status != 204) { /* RFC 9110, 8.6 */
        text_str(&t, "Content-Length: ");
        text_u64(&t, len);
        text_str(&t, "\r\n");
    }
    text_str(&t, "Cache-Control: no-store\r\n"
                 "X-Content-Type-Options: nosniff\r\n");
    text_view(&t, view_of(h->extra, h->extra_len));
    text_join(&t, "Connection: ", h->keep_alive ? "keep-alive" : "close",
              "\r\n\r\n", NULL);
    assert(!t.cut); /* a content type is ours and short */
    h->out[0] = text_done(&t);
}

static void answer(struct http *h, int status, const char *type,
                   struct view body)
{
    write_head(h, status, type, body.len);
    h->out[1] = h->request.method == HTTP_HEAD ? VIEW_NONE : body;
    h->state = HTTP_ANSWERING;
}

static void add(struct http *h, const char *name, const char *value)
{
    struct text t;

    text_init(&t, h->extra + h->extra_len, sizeof h->extra - h->extra_len);
    text_join(&t, name, ": ", value, "\r\n", NULL);
    assert(!t.cut);
    h->extra_len = (uint16_t)(h->extra_len + t.len);
}

/* Our own answer to what its owner shall not see. The rest of the input
 * cannot be trusted to begin a request: the connection ends. */
static void refuse(struct http *h)
{
    http_last(h);
    h->request.method = h->parser.method; /* known early; a HEAD stays one */
    if (h->refused == 405)
        add(h, "Allow", METHODS);
    answer(h, h->refused, HTTP_PROBLEM, http_problem(h->refused));
}

/* ---- collecting a request: llhttp calls these -------------------------------------- */

/* llhttp tells of a text when it ends and where the input was cut, but not
 * when an error stands in it. So nothing may be refused in on_url, on_name
 * and on_value: the answer would depend on the cuts. */

/* http_feed lets no more than HTTP_HEAD_MAX bytes of a head through, and no
 * byte is collected twice. */
static void collect(struct http *h, const char *at, size_t len)
{
    assert(len <= sizeof h->head - h->head_len);
    memcpy(h->head + h->head_len, at, len);
    h->head_len = (uint16_t)(h->head_len + len);
}

static int on_url(llhttp_t *p, const char *at, size_t len)
{
    struct http *h = p->data;

    collect(h, at, len);
    return 0;
}

static int on_url_end(llhttp_t *p)
{
    struct http *h = p->data;

    h->target_len = h->head_len;
    h->has_target = true;
    return 0;
}

/* A name may come in pieces; one that follows a value begins a new field.
 * Behind the head come the trailers of a body in chunks: nobody wants them. */
static int on_name(llhttp_t *p, const char *at, size_t len)
{
    struct http *h = p->data;

    if (h->has_head)
        return 0;
    if (h->fields == 0 || h->in_value) {
        if (h->fields == HTTP_HEADERS_MAX)
            return 0; /* one too many: on_name_end says so */
        h->field[h->fields++] = (struct http_field){.name = h->head_len};
        h->in_value = false;
    }
    struct http_field *f = &h->field[h->fields - 1];
    collect(h, at, len);
    f->name_len = (uint16_t)(f->name_len + len);
    return 0;
}

static int on_name_end(llhttp_t *p)
{
    struct http *h = p->data;

    if (!h->in_value || h->has_head)
        return 0;
    h->refused = 431;
    return HPE_USER;
}

static int on_value(llhttp_t *p, const char *at, size_t len)
{
    struct http *h = p->data;

    if (h->has_head)
        return 0;
    assert(h->fields > 0);
    struct http_field *f = &h->field[h->fields - 1];
    if (!h->in_value) {
        f->value = h->head_len;
        h->in_value = true;
    }
    collect(h, at, len);
    f->value_len = (uint16_t)(f->value_len + len);
    return 0;
}

/* An empty value brings no on_value: the field ends here all the same. */
static int on_value_end(llhttp_t *p)
{
    return on_value(p, "", 0);
}

/* The target as path and query. "http://host/path" means "/path" (RFC 9112,
 * 3.2.2); other forms are for proxies. */
static bool split_target(struct http *h)
{
    struct view t = view_of(h->head, h->target_len);

    if (view_starts(t, view_str("http://")) ||
        view_starts(t, view_str("https://"))) {
        t = view_from(t, (size_t)view_find(t, '/') + 2);
        ptrdiff_t slash = view_find(t, '/');
        t = slash < 0 ? view_str("/") : view_from(t, (size_t)slash);
    }
    if (t.len == 0 || t.ptr[0] != '/')
        return false;
    ptrdiff_t mark = view_find(t, '?');
    h->request.path = mark < 0 ? t : view_first(t, (size_t)mark);
    h->request.query = mark < 0 ? VIEW_NONE : view_from(t, (size_t)mark + 1);
    return true;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* Equal, whatever the case of letters. */
static bool same_word(struct view a, struct view b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

static bool is_served(uint8_t method)
{
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_POST ||
           method == HTTP_PUT || method == HTTP_PATCH || method == HTTP_DELETE;
}

/* What we cannot take of a body: the status, or 0. */
static uint16_t judge_body(const struct http *h)
{
    const llhttp_t *p = &h->parser;
    bool coded = (p->flags & (F_CHUNKED | F_TRANSFER_ENCODING)) != 0;

    if (!coded && p->content_length == 0)
        return 0;
    if (p->method == HTTP_GET || p->method == HTTP_HEAD)
        return 413;
    if (coded &&
        (http_header_count(h, "transfer-encoding") != 1 ||
         !same_word(http_header(h, "transfer-encoding"), view_str("chunked"))))
        return 501;
    return p->content_length > HTTP_BODY_MAX ? 413 : 0;
}

/* What the grammar allows and we do not: the status, or 0. */
static uint16_t judge(struct http *h)
{
    const llhttp_t *p = &h->parser;

    if (p->http_major != 1)
        return 505;
    if (http_header_count(h, "host") > 1 ||
        (p->http_minor >= 1 && http_header_count(h, "host") == 0))
        return 400; /* RFC 9112, 3.2 */
    if (!is_served(p->method))
        return 405;
    /* Nobody is told to go on with a body: RFC 9110, 10.1.1 leaves it to the
     * client to send it again without asking. */
    if (p->http_minor >= 1 && http_header_count(h, "expect") > 0)
        return 417;
    uint16_t status = judge_body(h);
    if (status != 0)
        return status;
    return split_target(h) ? 0 : 400;
}

static int on_head(llhttp_t *p)
{
    struct http *h = p->data;

    h->has_head = true;
    h->request.method = p->method;
    h->refused = judge(h);
    if (h->refused != 0)
        return HPE_USER;
    h->keep_alive = h->keep_alive && llhttp_should_keep_alive(p);
    p->upgrade = 0; /* we offer none, so the request counts without it */
    return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
    struct http *h = p->data;

    if (len > sizeof h->body - h->body_len) {
        h->refused = 413;
        return HPE_USER;
    }
    memcpy(h->body + h->body_len, at, len);
    h->body_len = (uint16_t)(h->body_len + len);
    return 0;
}

static int on_end(llhttp_t *p)
{
    struct http *h = p->data;

    h->request.body = view_of(h->body, h->body_len);
    h->state = HTTP_ASKED;
    return HPE_PAUSED;
}

static const llhttp_settings_t SETTINGS = {
    .on_url = on_url,
    .on_url_complete = on_url_end,
    .on_header_field = on_name,
    .on_header_field_complete = on_name_end,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_end,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_end,
};

/* ---- feeding ------------------------------------------------------------------------ */

void http_wipe(struct http *h)
{
    ct_wipe((struct span){h->head, h->head_len});
    ct_wipe((struct span){h->body, h->body_len});
    ct_wipe((struct span){(uint8_t *)h->extra, h->extra_len});
    ct_wipe(SPAN_ARRAY(h->out_head));
    h->head_len = h->body_len = h->extra_len = 0;
}

static void next_request(struct http *h)
{
    http_wipe(h);
    llhttp_init(&h->parser, HTTP_REQUEST, &SETTINGS);
    h->parser.data = h;
    h->state = HTTP_READING;
    h->refused = 0;
    h->taken = 0;
    h->target_len = h->fields = 0;
    h->has_target = h->has_head = h->in_value = false;
    h->request = (struct http_request){.method = HTTP_GET};
    h->out[0] = h->out[1] = VIEW_NONE;
}

void http_init(struct http *h)
{
    h->keep_alive = true;
    h->linger = false;
    h->head_len = h->body_len = h->extra_len = 0;
    next_request(h);
}

static uint16_t status_of(llhttp_errno_t e)
{
    if (e == HPE_INVALID_METHOD)
        return 501;
    if (e == HPE_INVALID_VERSION || e == HPE_PAUSED_H2_UPGRADE)
        return 505;
    return 400;
}

/* The end of what may come next: of the first line while that lasts, then of
 * the head, then of all. */
static size_t budget(const struct http *h)
{
    if (h->taken < HTTP_LINE_MAX)
        return HTTP_LINE_MAX;
    return h->taken < HTTP_HEAD_MAX ? HTTP_HEAD_MAX : HTTP_WIRE_MAX;
}

/* All of it is well so far, and more is to come: is there room for more? */
static uint16_t judge_length(const struct http *h)
{
    if (h->taken >= HTTP_LINE_MAX && !h->has_target)
        return 414;
    if (h->taken >= HTTP_HEAD_MAX && !h->has_head)
        return 431;
    return h->taken == HTTP_WIRE_MAX ? 413 : 0;
}

/* One piece, inside the budget. Returns how much of it was taken. */
static size_t feed_piece(struct http *h, struct view in)
{
    const char *at = (const char *)in.ptr;
    llhttp_errno_t e = llhttp_execute(&h->parser, at, in.len);

    if (h->state == HTTP_ASKED)
        return (size_t)(llhttp_get_error_pos(&h->parser) - at);
    h->taken += (uint32_t)in.len;
    if (e == HPE_OK)
        h->refused = judge_length(h);
    else if (h->refused == 0)
        h->refused = status_of(e);
    if (h->refused != 0)
        refuse(h);
    return in.len;
}

size_t http_feed(struct http *h, struct view in)
{
    size_t taken = 0;

    if (h->state == HTTP_LINGERING || h->state == HTTP_DONE)
        return in.len;
    while (h->state == HTTP_READING && taken < in.len) {
        struct view rest = view_from(in, taken);
        taken += feed_piece(h, view_first(rest, budget(h) - h->taken));
    }
    return taken;
}

/* ---- asking ---------------------------------------------------------------------------- */

static bool is_named(const struct http *h, const struct http_field *f,
                     struct view name)
{
    return same_word(view_of(h->head + f->name, f->name_len), name);
}

uint32_t http_header_count(const struct http *h, const char *name)
{
    uint32_t count = 0;

    for (uint16_t i = 0; i < h->fields; i++)
        count += is_named(h, &h->field[i], view_str(name));
    return count;
}

/* A value without the white space behind it, which is not part of it. */
static struct view without_end(struct view v)
{
    while (v.len > 0 && (v.ptr[v.len - 1] == ' ' || v.ptr[v.len - 1] == '\t'))
        v.len--;
    return v;
}

struct view http_header_at(const struct http *h, const char *name,
                           uint32_t which)
{
    for (uint16_t i = 0; i < h->fields; i++) {
        const struct http_field *f = &h->field[i];
        if (is_named(h, f, view_str(name)) && which-- == 0)
            return without_end(view_of(h->head + f->value, f->value_len));
    }
    return VIEW_NONE;
}

struct view http_header(const struct http *h, const char *name)
{
    return http_header_at(h, name, 0);
}

const struct http_request *http_request(const struct http *h)
{
    return h->state == HTTP_ASKED ? &h->request : NULL;
}

/* ---- answering ---------------------------------------------------------------------------- */

bool http_late(struct http *h)
{
    assert(h->state == HTTP_READING);
    if (h->taken == 0)
        return false;
    h->refused = 408;
    refuse(h);
    return true;
}

void http_last(struct http *h)
{
    h->linger = true;
    h->keep_alive = false;
}

void http_add(struct http *h, const char *name, const char *value)
{
    assert(h->state == HTTP_ASKED);
    assert(strpbrk(name, "\r\n:") == NULL && strpbrk(value, "\r\n") == NULL);
    add(h, name, value);
}

void http_respond(struct http *h, int status, const char *type,
                  struct view body)
{
    assert(h->state == HTTP_ASKED);
    answer(h, status, type, body);
}

struct view http_take(const struct http *h)
{
    return h->out[0].len > 0 ? h->out[0] : h->out[1];
}

void http_sent(struct http *h, size_t n)
{
    struct view *part = h->out[0].len > 0 ? &h->out[0] : &h->out[1];

    assert(h->state == HTTP_ANSWERING && n <= part->len);
    *part = view_from(*part, n);
    if (http_take(h).len > 0)
        return;
    if (h->keep_alive)
        next_request(h);
    else
        h->state = h->linger ? HTTP_LINGERING : HTTP_DONE;
}
