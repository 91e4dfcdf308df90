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
 * costs nothing and the answers keep their order. GET, HEAD, POST, PUT, PATCH
 * and DELETE reach the owner, who says 405 where a path does not want them;
 * other known methods get 405 here. A body comes with Content-Length or in
 * chunks and is whole when the request is asked; one that is too long gets
 * 413, and so does any at GET and HEAD. Trailers are read over. Time-outs are
 * the owner's.
 *
 *   memory   head | target | name value | name value | ...      8 KiB
 *            body                                              16 KiB
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
/* A body, without the marks between chunks; 413 beyond. */
#define HTTP_BODY_MAX    (16 * 1024)
/* Head and body as they came, chunks of one byte and their marks included;
 * 413 beyond. */
#define HTTP_WIRE_MAX    (HTTP_HEAD_MAX + 8 * HTTP_BODY_MAX)
/* Status line and headers of a response; those that its owner added. */
#define HTTP_OUT_CAP     2048
#define HTTP_EXTRA_CAP   1536

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
    uint8_t method;    /* llhttp_method: HTTP_GET, HTTP_HEAD, HTTP_POST,
                          HTTP_PUT, HTTP_PATCH or HTTP_DELETE */
    struct view path;  /* begins with '/'; still percent-encoded */
    struct view query; /* behind '?', which path and query lack */
    struct view body;
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
    uint32_t taken;   /* bytes of this request seen so far */
    uint16_t head_len;
    uint16_t target_len; /* the target is first in head */
    uint16_t fields;
    bool has_target; /* it is complete */
    bool has_head;   /* and so are all fields */
    bool in_value;   /* of the last field */
    uint16_t body_len;
    uint16_t extra_len;
    struct http_request request;
    struct view out[2]; /* what is unsent: head, then body */
    struct http_field field[HTTP_HEADERS_MAX];
    char out_head[HTTP_OUT_CAP];
    char extra[HTTP_EXTRA_CAP]; /* headers for the next answer */
    uint8_t head[HTTP_HEAD_MAX];
    uint8_t body[HTTP_BODY_MAX];
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
/* How many times it came, and the value of one of them, from 0. */
uint32_t http_header_count(const struct http *h, const char *name);
struct view http_header_at(const struct http *h, const char *name,
                           uint32_t which);

/* Its time is over; only in HTTP_READING. Half a request is answered 408 and
 * true comes back; between requests there is nobody to tell: false. */
bool http_late(struct http *h);

/* The connection ends behind the next answer, whatever the peer wished. */
void http_last(struct http *h);

/*
 * One more header for the answer to come; only in HTTP_ASKED. Both are ours:
 * a line end in them, or more than HTTP_EXTRA_CAP of them, is our mistake.
 */
void http_add(struct http *h, const char *name, const char *value);

/*
 * Answer the request; only in HTTP_ASKED. `type` is the whole Content-Type;
 * NULL with an empty body says none. `body` is not copied: it must live until it was sent (http_state leaves
 * HTTP_ANSWERING). A HEAD gets the same headers and no body. Every answer
 * says Cache-Control: no-store and X-Content-Type-Options: nosniff.
 */
void http_respond(struct http *h, int status, const char *type,
                  struct view body);

/* Bytes for the peer: the next contiguous part; empty when there are none. */
struct view http_take(const struct http *h);
/* `n` of them were sent. */
void http_sent(struct http *h, size_t n);

/* Overwrite what a request brought: passwords, tokens. Before the memory is
 * given back; between requests it is done here. */
void http_wipe(struct http *h);

/* "OK", "Not Found", ...; "Status" for what is not in our table. */
const char *http_reason(int status);

/* The problem+json (RFC 9457) of a status, for http_respond. */
#define HTTP_PROBLEM "application/problem+json"
struct view http_problem(int status);

#endif
