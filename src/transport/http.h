/*
 * HTTP/1.1 for a server (RFC 9110, 9112), as an engine over llhttp without
 * I/O and without an allocator: bytes of the connection in, one request at a
 * time; the owner answers it; bytes of the response out.
 *
 *   READING --- whole head came ---> ASKED --- http_respond ---> ANSWERING
 *      ^  \                                                       |     |
 *      |   +--- nonsense, too long, not for us: we answer --------+     |
 *      +---------------- all was sent, the connection stays ------+     |
 *                           LINGERING or DONE <-- it ends after this ---+
 *
 * Bytes behind a request are not taken before it was answered, so pipelining
 * costs nothing and the answers keep their order. Requests have no body yet:
 * GET and HEAD are served, other known methods get 405, a body gets 413.
 * Time-outs are the owner's.
 *
 *   memory   head | target | name value | name value | ...      8 KiB
 *            the request's views point into it until http_sent frees it
 */
#ifndef TRANSPORT_HTTP_H
#define TRANSPORT_HTTP_H

#include <llhttp.h>

#include "base/bytes.h"

/* Request line and headers together; 431 beyond. */
#define HTTP_HEAD_MAX    (8 * 1024)
/* Up to the byte behind path and query; 414 beyond. */
#define HTTP_LINE_MAX    2048
#define HTTP_HEADERS_MAX 48
/* Status line and headers of a response. */
#define HTTP_OUT_CAP     512

enum http_state {
    HTTP_READING,   /* http_feed takes bytes */
    HTTP_ASKED,     /* http_request is there; nothing is taken */
    HTTP_ANSWERING, /* http_take has bytes; nothing is taken */
    HTTP_LINGERING, /* the last answer left while the peer may be sending:
                       what comes is dropped, so that no reset overtakes the
                       answer. Close when the peer does, or soon */
    HTTP_DONE,      /* the last answer left, as the peer wished: close */
};

/* Views live until the response was sent. */
struct http_request {
    uint8_t method;    /* llhttp_method: HTTP_GET or HTTP_HEAD */
    struct view path;  /* begins with '/'; still percent-encoded */
    struct view query; /* behind '?', which path and query lack */
};

struct http_field {
    uint16_t name, name_len; /* places in head */
    uint16_t value, value_len;
};

struct http {
    llhttp_t parser;
    enum http_state state;
    bool keep_alive;  /* after this answer */
    bool linger;      /* if not: we end it, not the peer */
    uint16_t refused; /* status of our own answer; 0: none */
    uint16_t taken;   /* bytes of this head seen so far */
    uint16_t head_len;
    uint16_t target_len; /* the target is first in head */
    uint16_t fields;
    bool has_target; /* it is complete */
    bool in_value;   /* of the last field */
    struct http_request request;
    struct view out[2]; /* what is unsent: head, then body */
    struct http_field field[HTTP_HEADERS_MAX];
    char out_head[HTTP_OUT_CAP];
    uint8_t head[HTTP_HEAD_MAX];
};

void http_init(struct http *h);

/*
 * Bytes from the peer. Returns how many were taken, up to all: the rest
 * belongs to the next request and is to be fed again when the state is
 * HTTP_READING. Never an error: what is not HTTP is answered 400 and the
 * connection ends in HTTP_LINGERING. How the bytes are cut into calls
 * changes nothing. Keeps no pointer into `in`.
 */
size_t http_feed(struct http *h, struct view in);

/* The request to answer; NULL unless the state is HTTP_ASKED. */
const struct http_request *http_request(const struct http *h);

/* The value of a header, by name in any case; empty when it is absent. When
 * it came several times, the first. */
struct view http_header(const struct http *h, const char *name);

/* Its time is over; only in HTTP_READING. Half a request is answered 408 and
 * true comes back; between requests there is nobody to tell: false. */
bool http_late(struct http *h);

/* The connection ends behind the next answer, whatever the peer wished. */
void http_last(struct http *h);

/*
 * Answer the request; only in HTTP_ASKED. `type` is the whole Content-Type.
 * `body` is not copied: it must live until it was sent (http_state leaves
 * HTTP_ANSWERING). A HEAD gets the same headers and no body. Every answer
 * says Cache-Control: no-store and X-Content-Type-Options: nosniff.
 */
void http_respond(struct http *h, int status, const char *type,
                  struct view body);

/* Bytes for the peer: the next contiguous part; empty when there are none. */
struct view http_take(const struct http *h);
/* `n` of them were sent. */
void http_sent(struct http *h, size_t n);

/* "OK", "Not Found", ...; "Status" for what is not in our table. */
const char *http_reason(int status);

/* The problem+json (RFC 9457) of a status, for http_respond. */
#define HTTP_PROBLEM "application/problem+json"
struct view http_problem(int status);

#endif
