/* Held children; see held.h. */
#include "core/held.h"

#include "base/err.h"

/* Unused keepers cost memory, new ones time. */
#define SPARE_MS 60000

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
        c->ops->ready(c->ctx, m->err, hold_why(&c->hold, m));
        return;
    }
    c->ready = true;
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

static int watch(struct held *c)
{
    c->row = loop_add(c->loop, c->hold.conn, PORT_READ, on_conn, c);
    return c->row >= 0 ? OK : ERR_LIMIT;
}

/* ---- keepers at rest ------------------------------------------------------------- */

static void dismiss(struct held *c)
{
    loop_remove(c->loop, c->row);
    c->row = -1;
    (void)hold_send(c->hold.conn, HOLD_RELEASE, "");
    hold_drop(&c->hold);
}

/* It was killed; or it tells of an end that the block has told already. */
static void on_spare(void *ctx, uint8_t ready)
{
    struct held *c = ctx;
    struct hold_message m;
    (void)ready;
    if (hold_recv(&c->hold, &m) < 0)
        dismiss(c);
}

static void on_tired(void *ctx, uint64_t now_ms)
{
    struct held_pool *p = ctx;
    (void)now_ms;
    for (int i = 0; i < SPARES_MAX; i++)
        if (p->spare[i].row >= 0)
            dismiss(&p->spare[i]);
}

void held_pool_init(struct held_pool *p, struct loop *loop)
{
    p->loop = loop;
    p->timer = loop_timer_add(loop, on_tired, p);
    for (int i = 0; i < SPARES_MAX; i++)
        p->spare[i].row = -1;
}

bool held_pool_has(const struct held_pool *p)
{
    for (int i = 0; i < SPARES_MAX; i++)
        if (p->spare[i].row >= 0)
            return true;
    return false;
}

static struct held *find_spare(struct held_pool *p, bool is_there)
{
    for (int i = 0; i < SPARES_MAX; i++)
        if ((p->spare[i].row >= 0) == is_there)
            return &p->spare[i];
    return NULL;
}

static bool put_to_rest(struct held_pool *p, struct held *c)
{
    struct held *spare = find_spare(p, false);
    if (spare == NULL)
        return false;
    int row = loop_add(p->loop, c->hold.conn, PORT_READ, on_spare, spare);
    if (row < 0)
        return false;
    if (!hold_rest(&c->hold)) {
        loop_remove(p->loop, row);
        return false;
    }
    *spare = (struct held){.hold = c->hold, .loop = p->loop, .row = row};
    hold_none(&c->hold);
    loop_arm(p->loop, p->timer, loop_now(p->loop) + SPARE_MS);
    return true;
}

static int run_spare(struct held_pool *p, struct held *c,
                     const struct hold_start *s)
{
    struct held *spare = find_spare(p, true);
    if (spare == NULL)
        return ERR_NOT_FOUND;
    loop_remove(p->loop, spare->row);
    spare->row = -1;
    c->hold = spare->hold;
    hold_none(&spare->hold);
    int err = hold_run(&c->hold, s);
    if (err != OK)
        hold_drop(&c->hold);
    return err;
}

/* ---- beginning and end ----------------------------------------------------------- */

int held_start(struct held *c, struct loop *loop, struct held_pool *pool,
               const struct held_ops *ops, void *ctx,
               const struct hold_start *s)
{
    *c = (struct held){.loop = loop, .ops = ops, .ctx = ctx, .row = -1};
    int err = pool != NULL ? run_spare(pool, c, s) : ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND)
        err = hold_start(&c->hold, s);
    if (err != OK)
        return err;
    err = watch(c);
    if (err != OK)
        held_release(c, NULL);
    return err;
}

int held_adopt(struct held *c, struct loop *loop, const struct held_ops *ops,
               void *ctx, const char *folder, const char *id)
{
    *c = (struct held){.loop = loop, .ops = ops, .ctx = ctx, .row = -1};
    int err = hold_adopt(&c->hold, folder, id);
    if (err != OK)
        return err;
    err = watch(c);
    if (err != OK)
        hold_drop(&c->hold); /* it goes on without us */
    return err;
}

void held_signal(struct held *c, const char *name)
{
    (void)hold_send(c->hold.conn, HOLD_SIGNAL, name);
}

void held_end_input(struct held *c)
{
    if (c->hold.child_in < 0)
        return;
    hold_close_in(&c->hold);
    (void)hold_send(c->hold.conn, HOLD_END_INPUT, "");
}

void held_hang_up(struct held *c)
{
    for (uint32_t i = 0; i < HOLD_STREAMS; i++)
        hold_close_out(&c->hold, i);
    hold_close_in(&c->hold);
    (void)hold_send(c->hold.conn, HOLD_HANG_UP, "");
}

void held_leave(struct held *c)
{
    if (c->row >= 0)
        loop_remove(c->loop, c->row);
    c->row = -1;
    hold_drop(&c->hold);
}

void held_release(struct held *c, struct held_pool *pool)
{
    if (c->row >= 0)
        loop_remove(c->loop, c->row);
    bool lives = c->row >= 0 && c->ready;
    c->row = -1;
    if (lives && pool != NULL && put_to_rest(pool, c))
        return;
    (void)hold_send(c->hold.conn, HOLD_RELEASE, "");
    hold_drop(&c->hold);
}
