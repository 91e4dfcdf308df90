/* Memory and buffers that outlive a role; see port.h. They live as long as a
 * role has a handle of them, or a message carries one. */
#include "port/sim/world.h"

#include <string.h>
#include <sys/mman.h>

#include "base/err.h"

/* ---- memory ------------------------------------------------------------------------- */

static struct shared *shared_free(void)
{
    for (int i = 0; i < SHARED_MAX; i++)
        if (world->shared[i].held == 0)
            return &world->shared[i];
    return NULL;
}

static int idx_of(const struct shared *s)
{
    return (int)(s - world->shared);
}

static struct span map(struct shared *s)
{
    s->held++;
    me->mapped[idx_of(s)]++;
    return (struct span){s->mem, s->size};
}

/* The next one finds zeros. */
void shared_drop(struct shared *s)
{
    if (--s->held == 0)
        (void)madvise(s->mem, sizeof(s->mem), MADV_REMOVE);
}

int port_shared_new(size_t size, struct span *mem)
{
    PORT_CALL();
    struct shared *s = shared_free();
    int err = world_fault(SIM_SHARED);
    if (err != OK)
        return err;
    if (s == NULL || size > SHARED_CAP)
        return world_why(ERR_LIMIT, "shared memory");
    int handle = handle_new(KIND_SHARED, idx_of(s), 0);
    if (handle < 0)
        return handle;
    s->held = 1;
    s->size = size;
    *mem = map(s);
    world_trace("shared", handle, (int64_t)size, VIEW_NONE);
    return handle;
}

int port_shared_map(int handle, struct span *mem)
{
    PORT_CALL();
    struct handle *h = handle_of(handle);
    int err = world_fault(SIM_SHARED);
    if (err != OK)
        return err;
    if (h == NULL || h->kind != KIND_SHARED)
        return world_why(ERR_RANGE, "shared memory");
    *mem = map(&world->shared[h->idx]);
    return OK;
}

void port_shared_unmap(struct span mem)
{
    PORT_CALL();
    for (int i = 0; i < SHARED_MAX; i++) {
        if (mem.ptr != world->shared[i].mem || me->mapped[i] == 0)
            continue;
        me->mapped[i]--;
        shared_drop(&world->shared[i]);
    }
}

void shared_unmap_all(struct role *r)
{
    for (int i = 0; i < SHARED_MAX; i++)
        for (; r->mapped[i] > 0; r->mapped[i]--)
            shared_drop(&world->shared[i]);
}

/* ---- buffers ------------------------------------------------------------------------ */

static struct flow *flow_of(const struct buffer *b)
{
    return &world->flow[b->flow];
}

int port_buffer_open(int ends[2])
{
    PORT_CALL();
    int err = world_fault(SIM_SHARED);
    int i = 0;
    if (err != OK)
        return err;
    while (i < BUFFERS_MAX &&
           (world->buffer[i].held[0] > 0 || world->buffer[i].held[1] > 0))
        i++;
    if (i == BUFFERS_MAX)
        return world_why(ERR_LIMIT, "buffer");
    ends[0] = handle_new(KIND_BUFFER, i, 0);
    ends[1] = ends[0] < 0 ? ends[0] : handle_new(KIND_BUFFER, i, 1);
    if (ends[1] < 0) {
        if (ends[0] >= 0)
            handle_of(ends[0])->kind = KIND_NONE;
        return ends[1];
    }
    world->buffer[i] = (struct buffer){{1, 1}, flow_new(BUFFER_CAP)};
    return OK;
}

void buffer_close(struct buffer *b, int end)
{
    if (--b->held[end] == 0 && b->held[1 - end] == 0)
        flow_free(b->flow);
}

int buffer_recv(struct buffer *b, struct span buf)
{
    size_t n = flow_read(flow_of(b), buf);
    if (n > 0)
        return (int)n;
    return b->held[1] == 0 ? ERR_CLOSED : 0;
}

int buffer_send(struct buffer *b, struct view v)
{
    struct flow *f = flow_of(b);
    if (b->held[0] == 0)
        return ERR_CLOSED;
    size_t n = flow_write(f, v, 0, 0);
    flow_settle(f);
    return (int)n;
}

uint8_t buffer_ready(const struct buffer *b, int end)
{
    const struct flow *f = flow_of(b);
    uint8_t hangup = b->held[1 - end] == 0 ? PORT_HANGUP : 0;
    if (end == 0)
        return (f->sent > f->head ? PORT_READ : 0) | hangup;
    return (flow_room(f) > 0 ? PORT_WRITE : 0) | hangup;
}

int port_buffer_held(int end)
{
    PORT_CALL();
    struct handle *h = handle_of(end); /* of a buffer it cannot fail */
    if (h == NULL || h->kind != KIND_BUFFER)
        return world_why(ERR_RANGE, "buffer");
    const struct flow *f = flow_of(&world->buffer[h->idx]);
    return (int)(f->sent - f->head);
}

/* ---- moving ------------------------------------------------------------------------- */

/* Where bytes come from, or go to; *is_over: nothing comes, nobody reads. */
static struct flow *source(const struct handle *h, bool *is_over)
{
    struct flow *f = NULL;
    if (h->kind == KIND_BUFFER && h->end == 0) {
        f = flow_of(&world->buffer[h->idx]);
        *is_over = f->sent == f->head && world->buffer[h->idx].held[1] == 0;
    } else if (h->kind == KIND_TTY || (h->kind == KIND_CHILD && h->end > 0)) {
        f = &world->flow[world->proc[h->idx].flow[h->end]];
        *is_over = flow_is_over(f);
    }
    return f;
}

static struct flow *target(const struct handle *h, bool *is_over)
{
    if (h->kind == KIND_BUFFER && h->end == 1) {
        *is_over = world->buffer[h->idx].held[0] == 0;
        return flow_of(&world->buffer[h->idx]);
    }
    if (h->kind != KIND_TTY && (h->kind != KIND_CHILD || h->end != 0))
        return NULL;
    *is_over = world->proc[h->idx].ended;
    return &world->flow[world->proc[h->idx].flow[0]];
}

static int move(const struct handle *from, const struct handle *to, size_t n)
{
    bool is_out = false, is_full = false;
    struct flow *in = source(from, &is_out), *out = target(to, &is_full);
    if (in == NULL || out == NULL ||
        (from->kind != KIND_BUFFER && to->kind != KIND_BUFFER))
        return ERR_RANGE;
    if (is_out || is_full)
        return ERR_CLOSED;
    n = flow_move(in, out, n);
    if (to->kind == KIND_BUFFER)
        flow_settle(out);
    return (int)n;
}

int port_move(int from, int to, size_t n)
{
    PORT_CALL();
    struct handle *a = handle_of(from), *b = handle_of(to);
    if (n == 0)
        return 0;
    int done = world_fault(SIM_MOVE);
    if (done == OK)
        done = a == NULL || b == NULL ? ERR_RANGE : move(a, b, n);
    if (done != 0)
        world_trace("move", from, done, VIEW_NONE);
    return done < 0 ? world_why(done, "move") : done;
}
