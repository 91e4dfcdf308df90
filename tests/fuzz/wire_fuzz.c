/*
 * A plain connection, from the handle up to messages and back, with anybody.
 * The first byte chooses the role and the size of the pieces that arrive, the
 * second how many bytes the handle takes at once, how much the owner has to
 * say, and when it ends.
 *
 * The owner is told of the call once and hears messages only while it lasts;
 * what leaves is whole frames with whole messages in them, each once and in
 * its order, as the owner gave them. Nothing is called after the end, and all
 * memory comes back.
 */
#include "transport/wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fake/port_fatal.h"
#include "port/port.h"

#define INPUT_MAX 20000
#define TURNS_MAX 400
#define MAGIC     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static struct wire w;
static struct view arrived;        /* not received yet */
static size_t piece, takes;        /* bytes in one call */
static uint32_t owed, given, told; /* messages: to say, pulled, seen leaving */
static uint32_t heard, ends_at;
static int opened;
static uint8_t left[1 << 20]; /* what left, not yet looked at */
static size_t left_len;
static bool began;
static struct grpcframe frames;
static uint8_t frame_buf[64];

/* ---- the port ------------------------------------------------------------------- */

int port_recv(int handle, struct span out)
{
    size_t n = arrived.len < piece ? arrived.len : piece;
    (void)handle;
    assert(w.state != WIRE_FREE && w.state != WIRE_CLOSED);
    n = n < out.len ? n : out.len;
    if (n > 0)
        memcpy(out.ptr, arrived.ptr, n);
    arrived = view_from(arrived, n);
    return (int)n;
}

int port_send(int handle, struct view v)
{
    size_t n = v.len < takes ? v.len : takes;
    (void)handle;
    assert(w.state != WIRE_FREE && w.state != WIRE_CLOSED && v.len > 0);
    assert(n <= sizeof left - left_len);
    memcpy(left + left_len, v.ptr, n);
    left_len += n;
    return (int)n;
}

int port_send_room(int handle)
{
    (void)handle;
    return (int)takes;
}

/* ---- the owner ------------------------------------------------------------------ */

static void on_opened(void *ctx)
{
    (void)ctx;
    assert(opened++ == 0 && w.state == WIRE_OPEN);
}

static int on_message(void *ctx, struct view message)
{
    (void)ctx;
    assert(opened == 1 && w.state == WIRE_OPEN);
    assert(message.len <= FRAME_MAX);
    heard++;
    owed += message.len > 0 ? message.ptr[0] : 0;
    if (heard == ends_at)
        wire_end(&w, GRPC_OK, "enough");
    return message.len > 0 && message.ptr[0] == 'F' ? ERR_AUTH : OK;
}

/* Message number n has n % 40 bytes, each of them n. */
static size_t on_pull(void *ctx, struct span out)
{
    size_t len = given % 40;
    (void)ctx;
    assert(w.state == WIRE_OPEN || w.state == WIRE_CLOSING);
    if (given == owed || out.len < GRPCFRAME_HEAD + len)
        return 0;
    grpcframe_head(out.ptr, (uint32_t)len);
    memset(out.ptr + GRPCFRAME_HEAD, (int)(given & 0xFF), len);
    given++;
    return GRPCFRAME_HEAD + len;
}

static const struct wire_ops ops = {on_opened, on_message, on_pull, NULL};

/* ---- what leaves ---------------------------------------------------------------- */

static void check_body(struct view bytes)
{
    struct view message;
    int n;
    while ((n = grpcframe_next(&frames, &bytes, &message)) > 0) {
        assert(message.len == told % 40 && told < given);
        for (size_t i = 0; i < message.len; i++)
            assert(message.ptr[i] == (told & 0xFF));
        told++;
    }
    assert(n == ERR_MORE);
}

static void check_left(void)
{
    struct view v = view_of(left, left_len);
    if (!began && w.is_client && v.len >= sizeof MAGIC - 1) {
        assert(view_starts(v, view_str(MAGIC)));
        v = view_from(v, sizeof MAGIC - 1);
        began = true;
    }
    while ((began || !w.is_client) && v.len >= 9) {
        size_t len = (size_t)v.ptr[0] << 16 | (size_t)v.ptr[1] << 8 | v.ptr[2];
        assert(len <= 16384);
        if (v.len < 9 + len)
            break;
        if (v.ptr[3] == 0) /* DATA */
            check_body(view_first(view_from(v, 9), len));
        v = view_from(v, 9 + len);
    }
    memmove(left, v.ptr, v.len);
    left_len = v.len;
}

/* ---- the run -------------------------------------------------------------------- */

static void start(uint8_t how, uint8_t more)
{
    static _Alignas(4096) uint8_t h2[WIRE_H2_BYTES];
    static uint8_t frame[WIRE_FRAME_BYTES];
    struct wire_mem mem = {.h2 = SPAN_ARRAY(h2), .frame = SPAN_ARRAY(frame)};
    heard = given = told = 0;
    opened = 0;
    left_len = 0;
    began = false;
    piece = (how >> 1) == 0 ? INPUT_MAX : how >> 1;
    takes = (size_t)1 << (more & 15);
    owed = (more & 16) != 0 ? 3000 : 0;
    ends_at = more >> 5; /* 0: never */
    grpcframe_init(&frames, SPAN_ARRAY(frame_buf));
    int err = (how & 1) != 0
                  ? wire_server(&w, 7, &mem, NULL, &ops, NULL)
                  : wire_client(&w, 7, &mem, NULL, "relay", &ops, NULL);
    assert(err == OK);
}

static void turn(bool push)
{
    static uint8_t scratch[64 * 1024];
    if (push)
        wire_push(&w);
    else
        wire_turn(&w, PORT_READ | PORT_WRITE, SPAN_ARRAY(scratch));
    check_left();
    assert(w.state != WIRE_CLOSED || w.err == OK || wire_why(&w)[0] != '\0');
    assert(strlen(wire_why(&w)) < sizeof w.why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_MAX || h2_prepare() != OK)
        return 0;
    start(data[0], data[1]);
    arrived = view_of(data + 2, size - 2);
    for (int n = 0; n < TURNS_MAX && w.state != WIRE_CLOSED; n++) {
        turn(n % 3 == 2);
        if (arrived.len == 0 && (wire_want(&w) & PORT_WRITE) == 0)
            break;
    }
    if (w.state != WIRE_CLOSED)
        wire_end(&w, GRPC_UNAVAILABLE, "bye");
    for (int n = 0; n < TURNS_MAX && w.state == WIRE_CLOSING; n++)
        turn(true);
    wire_fail(&w, ERR_CLOSED);
    assert(w.state == WIRE_CLOSED);
    wire_free(&w);
    assert(w.state == WIRE_FREE && w.alloc.used == 0);
    return 0;
}
