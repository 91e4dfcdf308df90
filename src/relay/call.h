/*
 * One request to the relay's HTTP faces, from its first look to its answer:
 * who asks, whether he may, what he sent; the store and the password desk
 * asked in between; the answer as a page, as JSON, or as OAuth wants it.
 *
 *   api (connection) -> call_serve: route, caller, guard -> route's function
 *                                                            |      ^
 *                         call_ask, call_check, call_make ---+      |
 *                                                   next step ------+
 *
 * A step ends by asking, with the next step, or by answering. Who is gone
 * meanwhile is noticed here, so a step always has somebody to answer. Every
 * route names its operation of relay/may.h; without one the relay does not
 * start (call_table_check).
 *
 * A page's request is trusted with its cookie only when it comes from a page
 * of ours: not a GET, it must name our origin (Sec-Fetch-Site or Origin) and
 * carry the token of its form, which is bound to the cookie.
 */
#ifndef RELAY_CALL_H
#define RELAY_CALL_H

#include "codec/json.h"
#include "relay/api.h"
#include "relay/may.h"
#include "relay/people.h"

#define CALL_TOKENS 64 /* names and values in a body of JSON */
#define CALL_IDS    2  /* variable parts of a path */
#define CALL_ID_CAP 40
#define CALL_TEXT   256 /* of a field that is kept between steps */

struct call;

typedef void call_fn(struct call *c);
typedef void call_next(struct call *c, const struct store_answer *a);
typedef bool call_row(struct call *c, const union store_row *row);
typedef void call_done(struct call *c, int err, const char *stored);

enum call_face {
    CALL_PAGE,  /* HTML, for browsers: cookie and form token */
    CALL_JSON,  /* problem+json; bearer, or cookie and token in a header */
    CALL_OAUTH, /* the errors of RFC 6749; whoever asks */
};

struct call_route {
    uint8_t method;   /* HTTP_GET also serves HEAD */
    const char *path; /* "/api/fleets/{}/members": {} is one part, kept in
                         id[]; a final slash does not matter */
    enum call_face face;
    enum may_op op;
    call_fn *fn;
};

struct calls;
struct own;

/* What a request keeps between its steps. */
struct call {
    struct calls *calls;
    struct people *people;
    struct api_conn *conn;
    uint32_t serial;
    const struct call_route *route;
    char id[CALL_IDS][CALL_ID_CAP];

    /* who asks */
    enum may_kind kind;
    struct store_who who;           /* unless a guest */
    bool has_bearer;                /* an Authorization header came */
    char cookie[PEOPLE_SECRET_CAP]; /* of session or visitor; or empty */
    char place[STORE_ADDRESS_CAP];  /* the address, for people */

    /* the next step */
    call_next *next;
    call_row *row;
    call_done *done;
    call_next *after;      /* the same, of relay/own.h */
    const struct own *own; /* behind the password there */

    /* the body, when it is JSON */
    bool page_error; /* the page begins with one */
    bool has_doc;
    struct json_doc doc;
    jsmntok_t tok[CALL_TOKENS];

    /* the answer */
    struct text page;
    struct json_out json;

    /* free for the route's steps */
    struct store_account account;
    char text[6][CALL_TEXT];
    uint8_t hash[STORE_HASH];
    uint32_t count;
    uint32_t rows_max;
    int64_t number;
    int64_t number2;
    bool flag;
};

struct calls {
    struct people *people;
    const struct call_route *routes;
    size_t routes_count;
    struct call *call; /* API_CONNS, one beside each connection */
};

void calls_init(struct calls *s, struct arena *a, struct people *p,
                const struct call_route *routes, size_t count);

/* Every route has an operation that has a row in relay/may.h, and pages that
 * change something are no GET. OK, or ERR_DAMAGED and the path in *path. */
int call_table_check(const struct call_route *routes, size_t count,
                     const char **path);

/* A request came: api_cfg.serve with a struct calls as context. */
void call_serve(void *ctx, struct api_conn *c);
/* What a request kept is wiped: api_cfg.over. */
void call_over(void *ctx, struct api_conn *c);

/* ---- asking --------------------------------------------------------------- */

/* Ask the store; `next` goes on with its answer, whose err is OK: faults are
 * answered here. `row` for lists. */
void call_ask(struct call *c, struct store_ask *q, call_row *row,
              call_next *next);
/* Ask the desk; every err reaches `done` but those of a desk that is full or
 * of a system without memory, which are answered here. */
void call_check(struct call *c, struct view password, const char *stored,
                call_done *done);
void call_make(struct call *c, struct view password, call_done *done);

/* Who does it, for the record. */
struct store_actor call_actor(const struct call *c);

/* May he do the route's operation, or another, to this? Otherwise he is
 * told, and the answer is false. */
bool call_may(struct call *c, enum may_op op, const struct may_object *o);

/* The same, as a member of another fleet of his: `f` is the store's answer to
 * FLEET_GET with his person. What that fleet demands of those who speak in it
 * holds as well. */
bool call_may_in(struct call *c, enum may_op op, const struct store_fleet *f);

/* The same without a word to him: is this one to be left out? */
bool call_could(const struct call *c, enum may_op op,
                const struct may_object *o);

/* ---- what was sent --------------------------------------------------------- */

/* A field of the body, form or JSON (null counts as absent). Its length;
 * ERR_NOT_FOUND; ERR_TOO_BIG; ERR_PROTO for what cannot be read. */
int call_param(struct call *c, const char *name, char *out, size_t cap);
/* One that is a name: ERR_RANGE for what cannot be one, or only has blanks. */
int call_name(struct call *c, const char *name, char *out, size_t cap);
/* A field of the query, as form_get. */
int call_query(const struct call *c, const char *name, char *out, size_t cap);
/* A place to go to behind a sign-in: ours, or "/account". */
void call_next_page(struct call *c, char *out, size_t cap);

/* ---- cookies --------------------------------------------------------------- */

const char *call_cookie_name(const struct call *c);
/* Set it with the answer; an empty value removes it. */
void call_set_cookie(struct call *c, const char *value, int64_t lasts_ms);
/* The token that a form of this cookie carries. */
void call_form_token(const struct call *c, char out[PEOPLE_SECRET_CAP]);
void call_cookie_hash(const struct call *c, uint8_t out[32]);

/* ---- answering ------------------------------------------------------------- */

/* A page that was begun with page_begin (relay/page.h). */
void call_page(struct call *c, int status);
void call_redirect(struct call *c, const char *path);
/* What went wrong, in a sentence, in the way of the route's face. */
void call_fail(struct call *c, int status, const char *sentence);
/* The same, with Retry-After. */
void call_too_many(struct call *c, uint64_t wait_ms);
/* JSON that was begun with call_json. */
struct json_out *call_json(struct call *c);
void call_json_done(struct call *c, int status);
void call_empty(struct call *c, int status);

/* ---- relay/call_tries.c: who failed waits ----------------------------------- */

/* Must who calls wait before he tries this again? Then he is told how long,
 * and the answer is true. It goes by his address and, where he guesses user
 * codes, by his sign-in as well. */
bool call_must_wait(struct call *c, enum throttle_kind kind);
/* His try of this kind was wrong. */
void call_tried_wrong(struct call *c, enum throttle_kind kind);

/* Must the account in c->account wait after failed sign-ins? Then who calls
 * is told how long, and the answer is true. */
bool call_account_waits(struct call *c);

/* ---- relay/call_guard.c, for relay/call.c ----------------------------------- */

/* The caller is known: serve the request, or tell him why not. */
void call_guard(struct call *c);
/* Does this fleet want a sign-in to be younger? From now on, not only for
 * those that begin. */
bool call_too_old(const struct store_who *w, const struct store_policy *p);
/* Does the browser speak TLS, to us or to a proxy of ours? */
bool call_is_https(const struct call *c);

#endif
