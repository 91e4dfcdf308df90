/*
 * Two muxes and the bytes between them, for tests of what stands on channels.
 * Bytes move only when the test says so; a message that the receiver calls a
 * breach of protocol stops the flow and is remembered.
 */
#ifndef TESTS_UNIT_CORE_PAIR_H
#define TESTS_UNIT_CORE_PAIR_H

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "codec/grpcframe.h"
#include "core/mux.h"
#include "limits.h"

struct half {
    struct mux mux;
    struct half *peer;
    struct grpcframe in;
    int err; /* of the last message that was not OK */
    const char *why;
    int wakes;
    uint32_t gone; /* number of an Open that was taken back */
    uint64_t bytes_in;
    uint8_t control[2 * FRAME_MAX];
    uint8_t frame[FRAME_MAX];
    void (*on_open)(void *ctx, const msg_open *open, struct view params);
    void *ctx;
};

static inline void half_wake(void *ctx)
{
    struct half *h = ctx;
    h->wakes++;
}

static inline void half_open(void *ctx, const msg_open *open,
                             struct view params)
{
    struct half *h = ctx;
    if (h->on_open == NULL)
        abort();
    h->on_open(h->ctx, open, params);
}

static inline void half_gone(void *ctx, uint32_t number, const msg_close *end)
{
    struct half *h = ctx;
    (void)end;
    h->gone = number;
}

static const struct mux_ops half_ops = {
    .open = half_open, .gone = half_gone, .wake = half_wake};

static inline void half_init(struct half *h, struct half *peer, bool initiator,
                             uint32_t count_max)
{
    memset(h, 0, offsetof(struct half, control));
    h->peer = peer;
    grpcframe_init(&h->in, SPAN_ARRAY(h->frame));
    mux_init(&h->mux, SPAN_ARRAY(h->control), initiator, count_max, &half_ops,
             h);
}

/* One message as it stands on the wire, without its gRPC prefix. */
static inline int half_take(struct half *h, struct view frame)
{
    int kind;
    struct view body;
    const char *why = "";
    if (msg_split(frame, &kind, &body) != OK)
        abort();
    int err = mux_message(&h->mux, kind, body, &why);
    if (err != OK && h->err == OK) {
        h->err = err;
        h->why = why;
    }
    return err;
}

/* Bytes of the message stream, in any cuts. */
static inline void half_feed(struct half *h, struct view bytes)
{
    struct view message;
    int n = 0;
    h->bytes_in += bytes.len;
    while (h->err == OK && (n = grpcframe_next(&h->in, &bytes, &message)) > 0)
        (void)half_take(h, message);
    if (n < 0 && n != ERR_MORE)
        abort(); /* no mux makes such a frame */
}

/* Up to `max` bytes from one to the other; returns how many went. */
static inline size_t half_move(struct half *from, size_t max)
{
    static uint8_t buf[64 * 1024];
    if (max > sizeof(buf))
        max = sizeof(buf);
    size_t n = mux_pull(&from->mux, (struct span){buf, max});
    if (n > 0)
        half_feed(from->peer, view_of(buf, n));
    return n;
}

/* Both ways, until neither has anything left to say. */
static inline void half_settle(struct half *a, struct half *b)
{
    while (half_move(a, 16384) + half_move(b, 16384) > 0)
        continue;
}

#endif
