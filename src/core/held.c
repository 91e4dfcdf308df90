/* Held children; see held.h. */
#include "core/held.h"

#include "base/err.h"

static void lost(struct held *c)
{
    loop_remove(c->loop, c->row);
    c->row = -1;
    if (!c->ready)
        c->ops->ready(c->ctx, ERR_CLOSED, "its keeper ended at once");
    else if (c->hold.block->exited)
        c->ops->exited(c->ctx); /* it got to say that much */
    else
        c->ops->lost(c->ctx);
}

static void on_hello(struct held *c, const struct hold_message *m)
{
    if (m->err != OK) {
        loop_remove(c->loop, c->row);
        c->row = -1;
        c->ops->ready(c->ctx, m->err, m->text);
        return;
    }
    c->ready = true;
    hold_send(c->hold.conn, HOLD_TAKEN, OK, "");
    c->ops->ready(c->ctx, OK, "");
    if (c->hold.block != NULL && c->hold.block->exited)
        c->ops->exited(c->ctx);
}

static void on_conn(void *ctx, uint8_t ready)
{
    struct held *c = ctx;
    struct hold_message m;
    (void)ready;
    int n = hold_recv(&c->hold, &m);
    if (n < 0)
        lost(c);
    else if (n > 0 && m.op == HOLD_HELLO && !c->ready)
        on_hello(c, &m);
    else if (n > 0 && m.op == HOLD_EXITED && c->ready)
        c->ops->exited(c->ctx);
}

static int watch(struct held *c, int err)
{
    if (err != OK)
        return err;
    c->row = loop_add(c->loop, c->hold.conn, PORT_READ, on_conn, c);
    if (c->row >= 0)
        return OK;
    hold_drop(&c->hold); /* a keeper without an agent at its start ends */
    return ERR_LIMIT;
}

int held_start(struct held *c, struct loop *loop, const struct held_ops *ops,
               void *ctx, const struct hold_start *s)
{
    *c = (struct held){.loop = loop, .ops = ops, .ctx = ctx, .row = -1};
    return watch(c, hold_start(&c->hold, s));
}

int held_adopt(struct held *c, struct loop *loop, const struct held_ops *ops,
               void *ctx, const char *folder, const char *id)
{
    *c = (struct held){.loop = loop, .ops = ops, .ctx = ctx, .row = -1};
    return watch(c, hold_adopt(&c->hold, folder, id));
}

void held_signal(struct held *c, const char *name)
{
    hold_send(c->hold.conn, HOLD_SIGNAL, OK, name);
}

void held_end_input(struct held *c)
{
    hold_close_in(&c->hold);
    hold_send(c->hold.conn, HOLD_END_INPUT, OK, "");
}

void held_hang_up(struct held *c)
{
    for (uint32_t i = 0; i < HOLD_STREAMS; i++)
        hold_close_out(&c->hold, i);
    hold_close_in(&c->hold);
    hold_send(c->hold.conn, HOLD_HANG_UP, OK, "");
}

void held_release(struct held *c)
{
    if (c->row >= 0)
        loop_remove(c->loop, c->row);
    c->row = -1;
    hold_send(c->hold.conn, HOLD_RELEASE, OK, "");
    hold_drop(&c->hold);
}
