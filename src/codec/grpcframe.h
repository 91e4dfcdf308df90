/*
 * The five bytes before each gRPC message (grpc PROTOCOL-HTTP2,
 * "Length-Prefixed-Message"): a compressed flag, always 0 here, and a
 * big-endian length. The decoder takes a stream in any cuts.
 */
#ifndef CODEC_GRPCFRAME_H
#define CODEC_GRPCFRAME_H

#include "base/bytes.h"

#define GRPCFRAME_HEAD 5

void grpcframe_head(uint8_t out[GRPCFRAME_HEAD], uint32_t len);

struct grpcframe {
    struct span buf; /* for a message that arrives in pieces */
    size_t len;      /* bytes of it gathered */
    uint32_t want;   /* length of the message under way */
    uint8_t head[GRPCFRAME_HEAD];
    uint8_t head_len;
};

/* The largest accepted message is buf.len. */
void grpcframe_init(struct grpcframe *g, struct span buf);

/*
 * Take bytes off the front of *in. Returns 1 with a whole message in
 * *message (a view into *in when it lay there in one piece, else into buf;
 * valid until the next call), ERR_MORE when *in is used up, ERR_TOO_BIG for
 * a longer message, ERR_PROTO for a compressed one.
 */
int grpcframe_next(struct grpcframe *g, struct view *in, struct view *message);

#endif
