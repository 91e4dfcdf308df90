/*
 * Percent-encoding as gRPC uses it for grpc-message (grpc PROTOCOL-HTTP2,
 * "Status-Message"): printable ASCII except '%' stands for itself, any other
 * byte is %XX. URLs have other rules and another file.
 */
#ifndef CODEC_PERCENT_H
#define CODEC_PERCENT_H

#include "base/text.h"

/* Append the encoded form of any bytes. */
void percent_encode(struct text *t, struct view v);

/* Append the bytes that `v` stands for. Nothing is refused: a '%' that is
 * not followed by two hex digits stands for itself, as gRPC wants it. */
void percent_decode(struct text *t, struct view v);

#endif
