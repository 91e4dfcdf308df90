/* A link in the loop; see peer.h. */
#include "core/peer.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "limits.h"

#define CLOSE_MS 2000 /* for the last words of an orderly end */

static void on_timer(void *ctx, uint64_t now_ms);
static void on_push(void *ctx);

static struct span page_span(struct arena *a, size_t size)
{
    return (struct span){arena_carve(a, size, 4096), size};
}

struct link_mem peer_carve(struct arena *a, bool tls)
{
    struct link_mem m = {0};
    if (tls) {
        m.wire.tls = page_span(a, WIRE_TLS_BYTES);
        m.wire.out = page_span(a, WIRE_OUT_BYTES);
    }
    m.wire.h2 = page_span(a, WIRE_H2_BYTES);
    m.wire.frame = page_span(a, WIRE_FRAME_BYTES);
    m.control = page_span(a, LINK_CONTROL_BYTES);
    return m;
}

void peer_init(struct peer *p, struct loop *loop, const struct link_mem *mem,
               struct span scratch)
{
    assert(scratch.len >= PEER_SCRATCH_BYTES);
    p->loop = loop;
    p->mem = *mem;
    p->scratch = scratch;
    p->handle = -1;
    p->row = -1;
    p->link.state = LINK_FREE;
    loop_job_init(&p->push, on_push, p);
    p->timer = loop_timer_add(loop, on_timer, p);
    assert(p->timer >= 0);
}

bool peer_busy(const struct peer *p)
{
    return p->handle >= 0;
}

/* The sentence for people. The peer may have said it; and what TLS or HTTP/2
 * found wrong before the peer proved to be a relay tells little alone. */
static void explain(const struct peer *p, struct text *t)
{
    const struct link *l = &p->link;
    bool stranger = l->initiator && l->why[0] == '\0' &&
                    (l->state == LINK_OPENING || l->state == LINK_CHALLENGE);
    text_safe(t, view_str(link_why(l)));
    if (stranger && l->wire.has_tls && t->len > 0)
        text_str(t, "; is it a cmdop relay that answers at this address?");
}

static void let_go(struct peer *p)
{
    loop_disarm(p->loop, p->timer);
    loop_cancel(p->loop, &p->push);
    if (p->row >= 0)
        loop_remove(p->loop, p->row);
    p->row = -1;
    port_close(p->handle);
    link_free(&p->link);
    loop_cancel(p->loop, &p->push); /* what the channels' owners woke */
    p->handle = -1;
}

static void close_now(struct peer *p)
{
    char why[320];
    struct text t;
    TEXT_OF(&t, why);
    explain(p, &t);
    let_go(p);
    p->over(p->ctx, why);
}

/* After anything happened: close it, or say what to wait for. */
static void settle(struct peer *p)
{
    if (link_over(&p->link)) {
        close_now(p);
        return;
    }
    if (p->idle_ms == 0 && p->link.state == LINK_OPEN)
        loop_disarm(p->loop, p->timer); /* an idle link never wakes us */
    loop_want(p->loop, p->row, wire_want(&p->link.wire));
}

static void on_ready(void *ctx, uint8_t ready)
{
    struct peer *p = ctx;
    p->link.heard = false;
    link_turn(&p->link, ready, p->scratch);
    if (p->link.heard)
        p->heard_ms = loop_now(p->loop);
    settle(p);
}

static void on_push(void *ctx)
{
    struct peer *p = ctx;
    if (p->handle < 0)
        return;
    link_push(&p->link);
    settle(p);
}

void peer_wake(struct peer *p)
{
    loop_later(p->loop, &p->push);
}

static void on_timer(void *ctx, uint64_t now_ms)
{
    struct peer *p = ctx;
    if (p->link.state == LINK_CLOSED) {
        peer_fail(p, ERR_TIMEOUT, "the peer did not take our last words");
        return;
    }
    if (p->link.state != LINK_OPEN) {
        peer_fail(p, ERR_TIMEOUT, "the handshake took too long");
        return;
    }
    if (p->idle_ms == 0)
        return;
    if (now_ms >= p->heard_ms + p->idle_ms)
        peer_fail(p, ERR_TIMEOUT, "nothing was heard for too long");
    else
        loop_arm(p->loop, p->timer, p->heard_ms + p->idle_ms);
}

static int start(struct peer *p, int handle, uint64_t idle_ms,
                 void (*over)(void *ctx, const char *why), void *ctx)
{
    assert(p->handle < 0);
    p->handle = handle;
    p->idle_ms = idle_ms;
    p->heard_ms = loop_now(p->loop);
    p->over = over;
    p->ctx = ctx;
    p->row = loop_add(p->loop, handle, PORT_READ, on_ready, p);
    if (p->row < 0)
        return p->row;
    loop_arm(p->loop, p->timer, loop_now(p->loop) + HANDSHAKE_MS);
    return OK;
}

/* The link did not start: nothing was said to anybody. */
static int undo(struct peer *p, int err)
{
    loop_disarm(p->loop, p->timer);
    loop_cancel(p->loop, &p->push);
    if (p->row >= 0)
        loop_remove(p->loop, p->row);
    port_close(p->handle);
    link_free(&p->link);
    p->row = p->handle = -1;
    return err;
}

int peer_dialed(struct peer *p, int handle, const struct tls_client_cfg *tls,
                const char *authority, const struct link_credential *credential,
                const struct link_ops *ops,
                void (*over)(void *ctx, const char *why), void *ctx)
{
    int err = start(p, handle, 0, over, ctx);
    if (err == OK)
        err = link_dialed(&p->link, handle, &p->mem, tls, authority, credential,
                          ops, ctx);
    if (err != OK)
        return undo(p, err);
    peer_wake(p);
    return OK;
}

int peer_accepted(struct peer *p, int handle, const struct tls_server_cfg *tls,
                  const struct link_host *host, uint32_t channels_max,
                  uint64_t idle_ms, const struct link_ops *ops,
                  void (*over)(void *ctx, const char *why), void *ctx)
{
    int err = start(p, handle, idle_ms, over, ctx);
    if (err == OK)
        err = link_accepted(&p->link, handle, &p->mem, tls, host, channels_max,
                            ops, ctx);
    return err == OK ? OK : undo(p, err);
}

void peer_end(struct peer *p)
{
    if (p->handle < 0)
        return;
    link_end(&p->link);
    loop_arm(p->loop, p->timer, loop_now(p->loop) + CLOSE_MS);
    peer_wake(p);
}

void peer_fail(struct peer *p, int err, const char *why)
{
    if (p->handle < 0)
        return;
    link_fail(&p->link, err, why);
    peer_wake(p);
}

void peer_drop(struct peer *p)
{
    if (p->handle >= 0)
        let_go(p);
}

void peer_limit(struct peer *p, uint64_t ms)
{
    if (p->handle >= 0 && p->link.state != LINK_OPEN)
        loop_arm(p->loop, p->timer, loop_now(p->loop) + ms);
}

void peer_release(struct peer *p)
{
    assert(p->handle < 0);
    const struct span parts[] = {p->mem.wire.tls, p->mem.wire.out,
                                 p->mem.wire.h2, p->mem.wire.frame,
                                 p->mem.control};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        port_memory_release(parts[i]);
}
