/* Accepting connections; see listen.h. */
#include "transport/listen.h"

#include "base/err.h"
#include "base/log.h"

#define ACCEPTS_PER_TURN 64
#define PAUSE_MS         1000 /* when the system accepts nothing */

static void on_ready(void *ctx, uint8_t ready)
{
    struct listener *l = ctx;
    (void)ready;
    for (int i = 0; i < ACCEPTS_PER_TURN && l->ops->room(l->ctx); i++) {
        struct port_addr from;
        int handle = port_accept(l->handle, &from);
        if (handle < 0 && handle != ERR_MORE) {
            /* It stays ready: to ask again at once would be all we do. */
            log_warn(handle == ERR_LIMIT ? "accept.limit" : "accept.failed",
                     port_why());
            loop_want(l->loop, l->row, 0);
            loop_arm(l->loop, l->pause, loop_now(l->loop) + PAUSE_MS);
        }
        if (handle < 0)
            return;
        l->ops->accepted(l->ctx, handle, &from);
    }
    if (!l->ops->room(l->ctx)) {
        log_warn("accept.full", "as many connections as there is room for");
        loop_want(l->loop, l->row, 0);
    }
}

static void on_pause(void *ctx, uint64_t now_ms)
{
    (void)now_ms;
    listener_resume(ctx);
}

int listener_start(struct listener *l, struct loop *loop, int handle,
                   const struct listener_ops *ops, void *ctx)
{
    *l = (struct listener){
        .loop = loop, .ops = ops, .ctx = ctx, .handle = handle};
    l->pause = loop_timer_add(loop, on_pause, l);
    l->row = loop_add(loop, handle, PORT_READ, on_ready, l);
    if (l->pause >= 0 && l->row >= 0)
        return OK;
    if (l->pause >= 0)
        loop_timer_remove(loop, l->pause);
    port_close(handle);
    l->handle = -1;
    return ERR_FULL;
}

void listener_resume(struct listener *l)
{
    if (l->handle >= 0)
        loop_want(l->loop, l->row, PORT_READ);
}

void listener_stop(struct listener *l)
{
    if (l->handle < 0)
        return;
    loop_timer_remove(l->loop, l->pause);
    loop_remove(l->loop, l->row);
    port_close(l->handle);
    l->handle = -1;
}
