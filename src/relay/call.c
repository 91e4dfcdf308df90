/* One request to the HTTP faces; see call.h. */
#include "relay/call.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "codec/base64.h"
#include "codec/cookie.h"
#include "codec/form.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "relay/page.h"

/* ---- answering ------------------------------------------------------------------ */

static void add_page_headers(struct http *h)
{
    http_add(h, "Content-Security-Policy",
             "default-src 'none'; style-src 'self'; form-action 'self'; "
             "base-uri 'none'; frame-ancestors 'none'");
    http_add(h, "X-Frame-Options", "DENY");
    http_add(h, "Referrer-Policy", "same-origin");
    http_add(h, "Cross-Origin-Opener-Policy", "same-origin");
    http_add(h, "Cross-Origin-Resource-Policy", "same-origin");
}

void call_page(struct call *c, int status)
{
    if (c->page.cut) {
        log_error("page.cut", c->route != NULL ? c->route->path : "");
        api_answer(c->conn, 500, HTTP_PROBLEM, http_problem(500));
        return;
    }
    add_page_headers(&c->conn->http);
    api_answer(c->conn, status, "text/html; charset=utf-8",
               text_done(&c->page));
}

void call_redirect(struct call *c, const char *path)
{
    add_page_headers(&c->conn->http);
    http_add(&c->conn->http, "Location", path);
    api_answer(c->conn, 303, NULL, VIEW_NONE);
}

struct json_out *call_json(struct call *c)
{
    json_begin(&c->json, c->conn->body, sizeof c->conn->body);
    return &c->json;
}

static void send_json(struct call *c, int status, const char *type)
{
    struct view body;

    if (json_done(&c->json, &body) != OK) {
        log_error("json.cut", c->route != NULL ? c->route->path : "");
        api_answer(c->conn, 500, HTTP_PROBLEM, http_problem(500));
        return;
    }
    api_answer(c->conn, status, type, body);
}

void call_json_done(struct call *c, int status)
{
    send_json(c, status, "application/json");
}

void call_empty(struct call *c, int status)
{
    api_answer(c->conn, status, NULL, VIEW_NONE);
}

static void fail_json(struct call *c, int status, const char *sentence)
{
    struct json_out *o = call_json(c);

    json_obj_begin(o);
    json_member(o, "type", "about:blank");
    json_member(o, "title", http_reason(status));
    json_key(o, "status");
    json_i64(o, status);
    json_member(o, "detail", sentence);
    json_obj_end(o);
    send_json(c, status, HTTP_PROBLEM);
}

static void fail_oauth(struct call *c, int status, const char *sentence)
{
    struct json_out *o = call_json(c);

    json_obj_begin(o);
    json_member(o, "error",
                status == 429 || status == 503 ? "temporarily_unavailable"
                : status >= 500                ? "server_error"
                                               : "invalid_request");
    json_member(o, "error_description", sentence);
    json_obj_end(o);
    call_json_done(c, status);
}

static void fail_page(struct call *c, int status, const char *sentence)
{
    page_begin(c, http_reason(status), NULL);
    page_html(c, "<p role=\"alert\">", NULL);
    page_text(c, sentence);
    page_html(c, "</p><p><a href=\"/account\">To your account</a></p>", NULL);
    page_end(c);
    call_page(c, status);
}

void call_fail(struct call *c, int status, const char *sentence)
{
    enum call_face face = c->route != NULL ? c->route->face : CALL_JSON;

    if (status == 401)
        http_add(&c->conn->http, "WWW-Authenticate",
                 c->has_bearer ? "Bearer error=\"invalid_token\"" : "Bearer");
    switch (face) {
    case CALL_PAGE: fail_page(c, status, sentence); break;
    case CALL_JSON: fail_json(c, status, sentence); break;
    case CALL_OAUTH: fail_oauth(c, status, sentence); break;
    }
}

static void add_retry(struct call *c, uint64_t wait_ms)
{
    char buf[24];
    struct text t;

    TEXT_OF(&t, buf);
    text_u64(&t, (wait_ms + 999) / 1000);
    http_add(&c->conn->http, "Retry-After", buf);
}

void call_too_many(struct call *c, uint64_t wait_ms)
{
    char buf[96];
    struct text t;

    TEXT_OF(&t, buf);
    text_str(&t, "Too many tries. Wait ");
    text_u64(&t, (wait_ms + 999) / 1000);
    text_str(&t, " seconds, then try again.");
    add_retry(c, wait_ms);
    call_fail(c, 429, buf);
}

/* ---- asking --------------------------------------------------------------------- */

static void fail_store(struct call *c, int err)
{
    if (err == ERR_RANGE) {
        call_fail(c, 422,
                  "A field has characters or a form that cannot be "
                  "kept.");
        return;
    }
    if (err != ERR_FULL && err != ERR_CLOSED)
        log_error("store.failed", c->route->path);
    add_retry(c, 5000);
    call_fail(c, 503, "The relay cannot do this now. Try again in a moment.");
}

/* Is the request that asked still there? `ctx` is one of a fixed set. */
static struct call *waiting(void *ctx, uint32_t tag)
{
    struct call *c = ctx;

    return c->serial == tag && api_waits(c->conn, tag) ? c : NULL;
}

static void on_answer(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct call *c = waiting(ctx, tag);

    if (c == NULL)
        return;
    if (a->err != OK)
        fail_store(c, a->err);
    else
        c->next(c, a);
}

static bool on_row(void *ctx, uint32_t tag, const union store_row *row)
{
    struct call *c = waiting(ctx, tag);

    return c != NULL && c->row(c, row);
}

void call_ask(struct call *c, struct store_ask *q, call_row *row,
              call_next *next)
{
    q->ctx = c;
    q->tag = c->serial;
    q->answer = on_answer;
    q->row = row != NULL ? on_row : NULL;
    c->next = next;
    c->row = row;
    int err = c->people->ask.ask(c->people->ask.ctx, q);
    if (err != OK)
        fail_store(c, err);
}

static void on_done(void *ctx, uint32_t tag, int err, const char *stored)
{
    struct call *c = waiting(ctx, tag);

    if (c == NULL)
        return;
    if (err != OK && err != ERR_AUTH && err != ERR_DAMAGED)
        fail_store(c, ERR_FULL);
    else
        c->done(c, err, stored);
}

static void desk_asked(struct call *c, int err)
{
    if (err == ERR_RANGE)
        c->done(c, ERR_AUTH, ""); /* no password that could be right */
    else if (err != OK)
        fail_store(c, err);
}

void call_check(struct call *c, struct view password, const char *stored,
                call_done *done)
{
    c->done = done;
    desk_asked(c, desk_check(&c->people->desk, password, stored, on_done, c,
                             c->serial));
}

void call_make(struct call *c, struct view password, call_done *done)
{
    c->done = done;
    desk_asked(c, desk_make(&c->people->desk, password, on_done, c, c->serial));
}

struct store_actor call_actor(const struct call *c)
{
    struct store_actor a = {.kind = "user"};

    STR_COPY(a.kind, c->kind == MAY_GUEST    ? "guest"
                     : c->kind == MAY_APIKEY ? "apikey"
                                             : "user");
    STR_COPY(a.name, c->kind == MAY_GUEST ? c->place : c->who.user_id);
    return a;
}

/* ---- what was sent --------------------------------------------------------------- */

static bool is_type(const struct call *c, const char *type)
{
    struct view v = http_header(&c->conn->http, "content-type");
    ptrdiff_t end = view_find(v, ';');

    v = end < 0 ? v : view_first(v, (size_t)end);
    while (v.len > 0 && v.ptr[v.len - 1] == ' ')
        v.len--;
    return view_is(v, type);
}

/* Is the body something that call_param can read? */
static bool parse_body(struct call *c)
{
    struct view body = http_request(&c->conn->http)->body;

    c->has_doc = is_type(c, "application/json");
    if (body.len == 0) {
        c->has_doc = false;
        return true;
    }
    if (c->has_doc)
        return json_parse(&c->doc, body, c->tok, CALL_TOKENS) == OK &&
               json_kind(&c->doc, 0) == JSON_OBJECT;
    return is_type(c, "application/x-www-form-urlencoded") &&
           form_check(body) == OK;
}

int call_param(struct call *c, const char *name, char *out, size_t cap)
{
    struct view body = http_request(&c->conn->http)->body;

    if (!c->has_doc)
        return form_get(body, name, out, cap);
    int at = json_get(&c->doc, 0, name);
    if (at >= 0 && json_kind(&c->doc, at) == JSON_NULL)
        return ERR_NOT_FOUND;
    return at < 0 ? at : json_to_str(&c->doc, at, out, cap);
}

int call_name(struct call *c, const char *name, char *out, size_t cap)
{
    int n = call_param(c, name, out, cap);

    if (n == ERR_NOT_FOUND)
        return n;
    return n < 0 || text_is_blank(view_str(out)) ? ERR_RANGE : n;
}

int call_query(const struct call *c, const char *name, char *out, size_t cap)
{
    return form_get(http_request(&c->conn->http)->query, name, out, cap);
}

/* A path of ours with a query at most: nothing that could lead elsewhere. */
static bool is_own_path(const char *s)
{
    if (s[0] != '/' || s[1] == '/')
        return false;
    return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789/?=&_-") == strlen(s);
}

void call_next_page(struct call *c, char *out, size_t cap)
{
    int n = call_param(c, "next", out, cap);

    if (n == ERR_NOT_FOUND)
        n = call_query(c, "next", out, cap);
    if (n <= 0 || !is_own_path(out))
        bytes_to_str(out, cap, view_str("/account"));
}

/* ---- cookies ------------------------------------------------------------------------ */

/* Does the browser speak https, with us or with a proxy in front of us that
 * passes on the name that it was called by? */
bool call_is_https(const struct call *c)
{
    struct view https = view_str("https://");
    struct view url = view_str(c->people->ask.url);

    return api_is_secure(c->conn) ||
           (view_starts(url, https) &&
            view_eq(http_header(&c->conn->http, "host"),
                    view_from(url, https.len)));
}

const char *call_cookie_name(const struct call *c)
{
    return call_is_https(c) ? "__Host-cmdop" : "cmdop";
}

void call_set_cookie(struct call *c, const char *value, int64_t lasts_ms)
{
    char buf[256];
    struct text t;

    TEXT_OF(&t, buf);
    cookie_set(&t, call_cookie_name(c), value, call_is_https(c),
               value[0] == '\0' ? 0 : (uint64_t)lasts_ms / 1000);
    http_add(&c->conn->http, "Set-Cookie", buf);
    STR_COPY(c->cookie, value);
    ct_wipe(SPAN_ARRAY(buf));
}

void call_cookie_hash(const struct call *c, uint8_t out[32])
{
    hash_once(view_str(c->cookie), out);
}

void call_form_token(const struct call *c, char out[PEOPLE_SECRET_CAP])
{
    uint8_t digest[HASH_LEN];
    struct hash h;
    struct writer w;

    hash_init(&h);
    hash_field(&h, view_str("cmdop: a form of this cookie"));
    hash_field(&h, view_str(c->cookie));
    hash_take(&h, digest);
    memset(out, 0, PEOPLE_SECRET_CAP);
    writer_init(&w, (struct span){(uint8_t *)out, PEOPLE_SECRET_CAP - 1});
    base64_write(&w, BASE64_URL, VIEW_ARRAY(digest));
}

/* What the browser sent; one that we cannot have set counts as none. */
static void read_cookie(struct call *c)
{
    struct view v;

    c->cookie[0] = '\0';
    if (http_header_count(&c->conn->http, "cookie") == 1 &&
        cookie_get(http_header(&c->conn->http, "cookie"), call_cookie_name(c),
                   &v) == OK &&
        v.len == PEOPLE_SECRET_CAP - 1)
        bytes_to_str(c->cookie, sizeof c->cookie, v);
}

/* ---- the caller --------------------------------------------------------------------- */

static void who_answer(struct call *c, const struct store_answer *a)
{
    bool web = a->u.who.kind == STORE_WEB;
    bool good = a->outcome == STORE_DONE &&
                !(web && call_too_old(&a->u.who, &a->u.who.policy));

    /* A session opens pages, a token does not, and neither does for the
     * other. */
    if (good && web != c->has_bearer) {
        c->who = a->u.who;
        c->kind = web                             ? MAY_WEB
                  : a->u.who.kind == STORE_APIKEY ? MAY_APIKEY
                                                  : MAY_PERSON;
    } else if (c->has_bearer) {
        call_fail(c, 401,
                  a->outcome == STORE_EXPIRED
                      ? "the token has expired"
                      : "the token is unknown or was revoked");
        return;
    }
    call_guard(c);
}

static void ask_who(struct call *c, struct view secret)
{
    struct store_ask q = {.op = STORE_TOKEN_CHECK};

    hash_once(secret, q.u.token_check.hash);
    call_ask(c, &q, NULL, who_answer);
}

static void find_caller(struct call *c)
{
    const struct http *h = &c->conn->http;
    struct view bearer = http_header(h, "authorization");

    c->kind = MAY_GUEST;
    if (c->route->face == CALL_OAUTH) { /* nothing there depends on it */
        call_guard(c);
        return;
    }
    read_cookie(c);
    c->has_bearer = c->route->face == CALL_JSON && bearer.len > 0;
    if (c->has_bearer &&
        (http_header_count(h, "authorization") != 1 || bearer.len < 8 ||
         !(view_starts(bearer, view_str("Bearer ")) ||
           view_starts(bearer, view_str("bearer ")))))
        call_fail(c, 401, "the authorization is no bearer token");
    else if (c->has_bearer)
        ask_who(c, view_from(bearer, 7));
    else if (c->cookie[0] != '\0')
        ask_who(c, view_str(c->cookie));
    else
        call_guard(c);
}

/* ---- routes -------------------------------------------------------------------------- */

/* Take "/part" off the front. */
static bool take_part(struct view *path, struct view *part)
{
    if (path->len == 0 || path->ptr[0] != '/')
        return false;
    struct view rest = view_from(*path, 1);
    ptrdiff_t end = view_find(rest, '/');
    *part = end < 0 ? rest : view_first(rest, (size_t)end);
    *path = end < 0 ? VIEW_NONE : view_from(rest, (size_t)end);
    return true;
}

static bool is_match(const char *pattern, struct view path,
                     char id[CALL_IDS][CALL_ID_CAP])
{
    struct view want = view_str(pattern), a, b;
    size_t ids = 0;

    if (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    while (want.len > 0 && take_part(&want, &a)) {
        if (!take_part(&path, &b))
            return false;
        if (view_is(a, "{}")) {
            if (b.len == 0 || b.len >= CALL_ID_CAP)
                return false;
            bytes_to_str(id[ids++], CALL_ID_CAP, b);
        } else if (!view_eq(a, b)) {
            return false;
        }
    }
    return path.len == 0;
}

static const struct {
    uint8_t method;
    const char *name;
} METHODS[] = {
    {HTTP_GET, "GET, HEAD"}, {HTTP_POST, "POST"},     {HTTP_PUT, "PUT"},
    {HTTP_PATCH, "PATCH"},   {HTTP_DELETE, "DELETE"},
};

static const struct call_route *find_route(struct call *c, bool *exists,
                                           struct text *allow)
{
    const struct http_request *r = http_request(&c->conn->http);
    uint8_t method = r->method == HTTP_HEAD ? (uint8_t)HTTP_GET : r->method;

    for (size_t i = 0; i < c->calls->routes_count; i++) {
        const struct call_route *row = &c->calls->routes[i];
        if (!is_match(row->path, r->path, c->id))
            continue;
        if (row->method == method)
            return row;
        *exists = true;
        for (size_t m = 0; m < sizeof METHODS / sizeof METHODS[0]; m++)
            if (METHODS[m].method == row->method)
                text_join(allow, allow->len > 0 ? ", " : "", METHODS[m].name,
                          NULL);
    }
    return NULL;
}

/* A page that lets a name of its own point at this machine is not us. */
static bool is_our_host(const struct call *c)
{
    static const char *const near[] = {"localhost", "127.0.0.1", "[::1]"};
    struct view host = http_header(&c->conn->http, "host");

    if (api_is_secure(c->conn) || host.len == 0)
        return true;
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        struct view name = view_str(near[i]);
        if (view_starts(host, name) &&
            (host.len == name.len || host.ptr[name.len] == ':'))
            return true;
    }
    struct view url = view_str(c->people->ask.url);
    ptrdiff_t slash = view_find(url, '/');
    return slash >= 0 && view_eq(host, view_from(url, (size_t)slash + 2));
}

static void serve(struct call *c)
{
    char allow[64];
    struct text t;
    bool exists = false;

    TEXT_OF(&t, allow);
    const struct call_route *route = find_route(c, &exists, &t);
    if (!is_our_host(c)) {
        call_fail(c, 421, "this host name is not this relay's");
    } else if (route == NULL && exists) {
        http_add(&c->conn->http, "Allow", allow);
        call_fail(c, 405, "this path does not do that");
    } else if (route == NULL) {
        api_answer(c->conn, 404, HTTP_PROBLEM, http_problem(404));
    } else {
        c->route = route;
        if (parse_body(c))
            find_caller(c);
        else
            call_fail(c, 400,
                      "the body is no form and no JSON object, or "
                      "its Content-Type does not say so");
    }
}

void call_serve(void *ctx, struct api_conn *conn)
{
    struct calls *s = ctx;
    struct call *c = &s->call[conn - conn->api->conn];

    memset(c, 0, sizeof *c);
    c->calls = s;
    c->people = s->people;
    c->conn = conn;
    c->serial = conn->serial;
    people_address(&conn->from, c->place, sizeof c->place);
    serve(c);
}

void call_over(void *ctx, struct api_conn *conn)
{
    struct calls *s = ctx;
    struct call *c = &s->call[conn - conn->api->conn];

    if (c->conn == NULL) /* it never asked */
        return;
    ct_wipe(SPAN_ARRAY(c->cookie));
    ct_wipe(SPAN_ARRAY(c->hash));
    ct_wipe((struct span){(uint8_t *)c->text, sizeof c->text});
    ct_wipe((struct span){(uint8_t *)&c->account, sizeof c->account});
}

void calls_init(struct calls *s, struct arena *a, struct people *p,
                const struct call_route *routes, size_t count)
{
    *s = (struct calls){.people = p, .routes = routes, .routes_count = count};
    s->call =
        arena_carve(a, sizeof *s->call * API_CONNS, _Alignof(struct call));
}

int call_table_check(const struct call_route *routes, size_t count,
                     const char **path)
{
    for (size_t i = 0; i < count; i++) {
        *path = routes[i].path;
        if (may_row(routes[i].op) == NULL || routes[i].fn == NULL)
            return ERR_DAMAGED;
    }
    return OK;
}
