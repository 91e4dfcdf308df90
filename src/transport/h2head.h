/*
 * What the header fields of one block say about a gRPC call (grpc
 * PROTOCOL-HTTP2, "Requests" and "Responses"): pure reading, no verdict.
 */
#ifndef TRANSPORT_H2HEAD_H
#define TRANSPORT_H2HEAD_H

#include "base/bytes.h"

/* grpc status codes that we use (grpc statuscodes.md). */
enum grpc_status {
    GRPC_OK = 0,
    GRPC_UNKNOWN = 2,
    GRPC_DENIED = 7,
    GRPC_EXHAUSTED = 8,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
    GRPC_UNAUTHENTICATED = 16,
};

struct h2head {
    const char *path;    /* that a server serves; NULL for clients */
    uint32_t bytes;      /* names and values so far */
    uint16_t http;       /* :status; 0: none */
    int16_t grpc_status; /* -1: none */
    bool is_post;
    bool is_path;
    bool is_grpc; /* content-type application/grpc... */
};

/* Begin a block. `path` must live as long as it is read. */
void h2head_init(struct h2head *h, const char *path);

/* Take note of one field; those that do not matter only count. A grpc-status
 * that is no number is 2 (UNKNOWN). */
void h2head_read(struct h2head *h, struct view name, struct view value);

/* The grpc-status that stands for the HTTP status of an answer that has none
 * (grpc http-grpc-status-mapping.md). */
int h2head_status(const struct h2head *h);

#endif
