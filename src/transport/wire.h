/*
 * One connection that carries gRPC messages: a handle of the port, TLS or
 * not, HTTP/2, gRPC frames. It moves bytes when the loop says the handle is
 * ready and calls its owner with whole messages.
 *
 *   handle <-> tls (or plain) <-> h2 <-> grpcframe <-> wire_ops
 *
 * Nothing is queued here beyond one record: the owner's `pull` is asked for
 * the next messages when there is room below, so what is most urgent then
 * goes first.
 */
#ifndef TRANSPORT_WIRE_H
#define TRANSPORT_WIRE_H

#include "codec/grpcframe.h"
#include "transport/alloc.h"
#include "transport/h2.h"
#include "transport/tls.h"

#include "limits.h"

/* From each of them wire_end and wire_fail may be called; wire_turn,
 * wire_push and wire_free may not. */
struct wire_ops {
    /*
     * The owner may send: TLS is done, and the server has seen the request.
     * The client does not wait for an answer. Never called from wire_client
     * or wire_server, and at most once.
     */
    void (*opened)(void *ctx);
    /* One whole message, without its gRPC prefix; valid during the call. A
     * negative return closes the connection with that error. None comes after
     * wire_end. */
    int (*message)(void *ctx, struct view message);
    /* Fill `out` with whole messages, gRPC prefixes included, never a part
     * of one; 0 when there is nothing. out.len is at least 16000 on the
     * first call of a frame; the caller comes again while it gets more. */
    size_t (*pull)(void *ctx, struct span out);
    /* Server: a header field of the request; see h2_ops.field. May be NULL. */
    void (*field)(void *ctx, struct view name, struct view value);
};

enum wire_state {
    WIRE_FREE,    /* not in use */
    WIRE_OPENING, /* TLS or HTTP/2 under way */
    WIRE_OPEN,
    WIRE_CLOSING, /* last bytes are being sent */
    WIRE_CLOSED,  /* over; `err` tells why; the owner closes the handle */
};

/* What is pulled when the peer's HTTP/2 window takes less than a message. */
#define WIRE_STAGE_BYTES (16 * 1024)

/* Memory of one wire, given by the owner; carve it page-aligned so that an
 * idle connection touches few pages. */
#define WIRE_TLS_BYTES   TLS_BUF_BYTES
#define WIRE_OUT_BYTES   (64 * 1024) /* records that leave in one call */
#define WIRE_H2_BYTES    H2_ALLOC_BYTES
#define WIRE_FRAME_BYTES (FRAME_MAX + WIRE_STAGE_BYTES)

struct wire {
    int handle;
    enum wire_state state;
    int err;    /* why it closed; OK: orderly */
    int status; /* grpc-status of the far end, -1 */
    bool has_tls;
    bool is_client;
    bool want_write; /* bytes wait for the handle */
    bool floods;     /* there was more to say than a record holds */
    bool bye;        /* close_notify was said */
    int send_err;    /* the handle takes no more: why */
    const struct wire_ops *ops;
    void *ctx;
    struct tls tls;
    struct h2 h2;
    struct alloc alloc;
    struct grpcframe frame;
    struct span tls_buf;
    struct span stage;
    struct view staged; /* pulled, not yet in a DATA frame */
    struct view plain;  /* rest of an h2 frame, not yet below */
    struct span out;    /* sealed records are gathered here, */
    struct view sealed; /* and these wait for the handle */
    size_t frame_high;  /* bytes of `frame` ever used */
    char why[256];
};

struct wire_mem {
    struct span tls;   /* WIRE_TLS_BYTES; empty for plain connections */
    struct span out;   /* WIRE_OUT_BYTES; empty for plain connections */
    struct span h2;    /* WIRE_H2_BYTES */
    struct span frame; /* WIRE_FRAME_BYTES */
};

/*
 * Begin. cfg NULL: plain (local socket). The handle is connected and
 * non-blocking and stays the owner's to close; so does the memory. h2_prepare
 * was called. OK, or ERR_LIMIT (the state is then WIRE_CLOSED).
 */
int wire_client(struct wire *w, int handle, const struct wire_mem *mem,
                const struct tls_client_cfg *cfg, const char *authority,
                const struct wire_ops *ops, void *ctx);
int wire_server(struct wire *w, int handle, const struct wire_mem *mem,
                const struct tls_server_cfg *cfg, const struct wire_ops *ops,
                void *ctx);

/* What the loop should wait for: PORT_READ | PORT_WRITE. */
uint8_t wire_want(const struct wire *w);

/* The handle is ready (flags of port_want.ready): receive, decode, call
 * back, then send what there is. `scratch` is shared receive space, at least
 * 64 KiB. Bounded: a few times scratch in, 256 KiB out. */
void wire_turn(struct wire *w, uint8_t ready, struct span scratch);

/* The owner has messages: send now as much as the handle takes. Call it at
 * the end of a turn, not inside a callback. */
void wire_push(struct wire *w);

/* Orderly end (server: trailers with a grpc status), after what pull still
 * gives; WIRE_CLOSED follows as soon as the handle has taken all, without
 * waiting for an answer. How long that may take is the owner's to bound.
 * wire_fail: at once, with an error; nothing more is sent. */
void wire_end(struct wire *w, int grpc_status, const char *message);
void wire_fail(struct wire *w, int err);

/* What went wrong, for people. Lives as long as the wire. */
const char *wire_why(const struct wire *w);

/* Give back nghttp2's memory; the state becomes WIRE_FREE. */
void wire_free(struct wire *w);

#endif
