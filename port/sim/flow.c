/* Bytes on their way; see world.h. Buffers are rings indexed by offset. */
#include "port/sim/world.h"

#include <assert.h>
#include <string.h>

int flow_new(uint32_t cap)
{
    assert(cap <= FLOW_CAP);
    for (int i = 0; i < FLOWS_MAX; i++) {
        struct flow *f = &world->flow[i];
        if (f->used)
            continue;
        memset(f, 0, offsetof(struct flow, buf));
        f->used = true;
        f->cap = cap;
        return i;
    }
    assert(!"the world has too few flows");
    return -1;
}

void flow_free(int flow)
{
    if (flow >= 0)
        world->flow[flow].used = false;
}

size_t flow_room(const struct flow *f)
{
    return f->fin ? 0 : f->cap - (size_t)(f->sent - f->head);
}

static void copy_in(struct flow *f, struct view bytes)
{
    size_t at = (size_t)(f->sent % FLOW_CAP);
    struct view first = view_first(bytes, FLOW_CAP - at);
    struct view rest = view_from(bytes, first.len);
    memcpy(f->buf + at, first.ptr, first.len);
    if (rest.len > 0)
        memcpy(f->buf, rest.ptr, rest.len);
    f->sent += bytes.len;
}

/* A later segment never arrives before an earlier one. */
static void add_seg(struct flow *f, uint64_t at_us)
{
    if (f->segs > 0 && at_us < f->seg[f->segs - 1].at_us)
        at_us = f->seg[f->segs - 1].at_us;
    if (f->segs == SEGS_MAX) /* the last one takes it along */
        f->segs--;
    f->seg[f->segs++] = (struct seg){f->sent, at_us};
}

size_t flow_write(struct flow *f, struct view bytes, uint32_t latency_us,
                  uint32_t bytes_per_s)
{
    uint64_t now = world->now_us;
    bytes = view_first(bytes, flow_room(f));
    if (bytes.len == 0)
        return 0;
    copy_in(f, bytes);
    if (f->idle_us < now)
        f->idle_us = now;
    if (bytes_per_s > 0)
        f->idle_us += (uint64_t)bytes.len * 1000000 / bytes_per_s;
    add_seg(f, f->idle_us + latency_us);
    return bytes.len;
}

void flow_end(struct flow *f, uint32_t latency_us)
{
    if (f->fin)
        return;
    f->fin = true;
    f->fin_us = world->now_us + latency_us;
    if (f->segs > 0 && f->fin_us < f->seg[f->segs - 1].at_us)
        f->fin_us = f->seg[f->segs - 1].at_us;
}

void flow_settle(struct flow *f)
{
    uint32_t n = 0;
    while (n < f->segs && f->seg[n].at_us <= world->now_us)
        f->arrived = f->seg[n++].end;
    if (n == 0)
        return;
    f->segs -= n;
    memmove(f->seg, f->seg + n, f->segs * sizeof(f->seg[0]));
}

uint64_t flow_next(const struct flow *f)
{
    if (f->segs > 0)
        return f->seg[0].at_us;
    if (f->fin && f->fin_us > world->now_us)
        return f->fin_us;
    return NEVER;
}

uint64_t flow_next_try(uint64_t first_us, uint64_t step_us)
{
    uint64_t at = first_us;
    for (; at <= world->now_us; step_us *= 2)
        at += step_us;
    return at;
}

void flow_retransmit(struct flow *f)
{
    uint64_t first = f->segs > 0 ? f->seg[0].at_us : f->fin_us;
    uint64_t until_us = flow_next_try(first, RETRANSMIT_US);
    if (f->segs > 0)
        f->stuck_us = until_us;
    for (uint32_t i = 0; i < f->segs; i++)
        if (f->seg[i].at_us < until_us)
            f->seg[i].at_us = until_us;
    if (f->fin && f->fin_us > world->now_us && f->fin_us < until_us)
        f->fin_us = until_us;
}

size_t flow_read(struct flow *f, struct span out)
{
    size_t n = (size_t)(f->arrived - f->head);
    size_t at = (size_t)(f->head % FLOW_CAP);
    n = n < out.len ? n : out.len;
    if (n > FLOW_CAP - at)
        n = FLOW_CAP - at;
    if (n > 0)
        memcpy(out.ptr, f->buf + at, n);
    f->head += n;
    return n;
}

size_t flow_move(struct flow *from, struct flow *to, size_t n)
{
    uint8_t buf[4096];
    size_t done = 0, got = 1;
    while (done < n && got > 0) {
        size_t most = n - done < flow_room(to) ? n - done : flow_room(to);
        got = flow_read(
            from, (struct span){buf, most < sizeof(buf) ? most : sizeof(buf)});
        done += flow_write(to, view_of(buf, got), 0, 0);
    }
    return done;
}

void flow_forget(struct flow *f)
{
    f->segs = 0;
    f->head = f->arrived = f->sent;
}

bool flow_is_over(const struct flow *f)
{
    return f->fin && f->head == f->sent && f->fin_us <= world->now_us;
}
