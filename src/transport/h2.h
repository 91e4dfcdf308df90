/*
 * HTTP/2 (RFC 9113) carrying one gRPC call, as an engine over nghttp2
 * without I/O: bytes of the connection in and out, bytes of the call's body
 * in and out. The client opens POST <path>; the server answers one call at a
 * time (SETTINGS_MAX_CONCURRENT_STREAMS 1) and refuses any other path with
 * grpc-status 12 (UNIMPLEMENTED) and what is not gRPC with an HTTP status. The
 * connection lives as long as its call. Flow control: the windows are wide and
 * updated at once; channels have credit of their own (core/mux).
 */
#ifndef TRANSPORT_H2_H
#define TRANSPORT_H2_H

#include <nghttp2/nghttp2.h>

#include "base/bytes.h"
#include "transport/alloc.h"
#include "transport/h2head.h"

/* All of them may call h2_wake and h2_end; none may call h2_feed, h2_take or
 * h2_free. */
struct h2_ops {
    /* The call is there (server: its headers came; client: answered). */
    void (*opened)(void *ctx);
    /* Body bytes came. A negative return ends the connection with it. */
    int (*body)(void *ctx, struct view bytes);
    /* Fill `out` (up to one DATA frame) with body bytes; 0: nothing now.
     * out.len is H2_DATA_MAX (limits.h) unless the peer's window is nearly
     * used up: then it may be as small as 1. */
    size_t (*pull)(void *ctx, struct span out);
    /* The far end finished the call: grpc-status (-1 if none) and message.
     * Told once. A server now finishes what it has to say and calls h2_end;
     * for a client all is over. */
    void (*ended)(void *ctx, int status, struct view message);
    /* Server: a header field of a request, before `opened`, in the order of
     * the wire; valid during the call. Requests that are refused are told as
     * well: each begins with fields whose names begin with ':', one of them
     * ":method" (RFC 9113, 8.3). May be NULL. */
    void (*field)(void *ctx, struct view name, struct view value);
};

struct h2 {
    nghttp2_session *session;
    struct alloc *alloc;
    const struct h2_ops *ops;
    void *ctx;
    const char *path;   /* that a server serves */
    int32_t stream;     /* of the call; 0: none */
    int err;            /* first error; OK */
    int status;         /* grpc-status seen or to send; -1 */
    char message[256];  /* grpc-message, or the error's text */
    struct h2head head; /* of the header block under way */
    uint8_t first[8];   /* what the peer said first */
    uint8_t first_len;
    bool is_server;
    bool deferred; /* pull said 0; h2_wake resumes */
    bool ending;   /* h2_end was called */
    bool accepted; /* the call is there, bodies count */
    bool told;     /* `ended` was called */
    bool done;     /* say GOAWAY when next asked */
};

/* Make nghttp2's callbacks and options once, before the heap is sealed; the
 * only place that uses it. ERR_LIMIT when there is no memory. */
int h2_prepare(void);

/*
 * Begin. `alloc` holds everything nghttp2 asks for and belongs to this
 * connection: H2_ALLOC_BYTES. `path` must live as long as the engine. Nothing
 * is called back from here. ERR_LIMIT when alloc is too small.
 */
#define H2_ALLOC_BYTES (40 * 1024)
int h2_client_init(struct h2 *h, struct alloc *alloc, const char *authority,
                   const char *path, const struct h2_ops *ops, void *ctx);
int h2_server_init(struct h2 *h, struct alloc *alloc, const char *path,
                   const struct h2_ops *ops, void *ctx);

/* Bytes from the peer. OK, or the first error: ERR_PROTO for what is not
 * HTTP/2, ERR_LIMIT when the peer wants more memory than there is, or what
 * ops->body returned. Calls back. */
int h2_feed(struct h2 *h, struct view in);

/* The next bytes for the peer, at most one frame; empty when there is
 * nothing. They stay valid until the next call. Calls ops->pull. */
int h2_take(struct h2 *h, struct view *out);

/* Body bytes may be there now: pull again. */
void h2_wake(struct h2 *h);

/* End the call after what pull still gives: a server sends trailers with this
 * status, a client ends its half of the stream. The connection ends with the
 * call (GOAWAY). `message` may be NULL. */
void h2_end(struct h2 *h, int status, const char *message);

/* Our half of the call is over and h2_take has given all of it. */
bool h2_said_all(const struct h2 *h);

/* Neither side has anything left to say. */
bool h2_finished(const struct h2 *h);

/* One sentence about the error, or about the end of the call; may be empty.
 * Lives as long as the engine. */
const char *h2_why(const struct h2 *h);

/* Give nghttp2's memory back to `alloc`. Harmless when done twice. */
void h2_free(struct h2 *h);

#endif
