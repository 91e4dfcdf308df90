/* Bytes into a handle; see sink.h. */
#include "core/sink.h"

#include "base/err.h"
#include "port/port.h"

void sink_init(struct sink *s, struct span buf, int handle, uint64_t start)
{
    ring_init(&s->ring, buf, start);
    s->handle = handle;
    s->fin = false;
    s->err = OK;
}

void sink_stop(struct sink *s, int err)
{
    if (s->err == OK)
        s->err = err;
    ring_consume(&s->ring, s->ring.tail);
}

/* Count `n` bytes that went straight through. */
static void pass(struct sink *s, size_t n)
{
    s->ring.tail += n;
    ring_consume(&s->ring, s->ring.tail);
}

/* How many of `bytes` the handle takes now; all of them once it is broken. */
static size_t send_now(struct sink *s, struct view bytes)
{
    if (s->handle < 0 || s->err != OK)
        return bytes.len;
    int n = bytes.len == 0 ? 0 : port_send(s->handle, bytes);
    if (n >= 0)
        return (size_t)n;
    sink_stop(s, n);
    return bytes.len;
}

int sink_put(struct sink *s, struct view bytes)
{
    if (bytes.len > ring_room(&s->ring))
        return ERR_FULL;
    if (ring_len(&s->ring) == 0) {
        size_t n = send_now(s, bytes);
        pass(s, n);
        bytes = view_from(bytes, n);
    }
    return ring_write(&s->ring, bytes);
}

void sink_fin(struct sink *s)
{
    s->fin = true;
}

void sink_flush(struct sink *s)
{
    while (ring_len(&s->ring) > 0) {
        size_t n = send_now(s, ring_at(&s->ring, s->ring.head));
        if (n == 0 || s->err != OK)
            return;
        ring_consume(&s->ring, s->ring.head + n);
    }
}

uint64_t sink_done(const struct sink *s)
{
    return s->ring.head;
}

bool sink_waits(const struct sink *s)
{
    return s->handle >= 0 && s->err == OK && ring_len(&s->ring) > 0;
}

bool sink_over(const struct sink *s)
{
    return s->err != OK || (s->fin && ring_len(&s->ring) == 0);
}
