/* The pipes of a command; see jobpipe.h. */
#include "core/jobpipe.h"

#include "base/err.h"

#define READ_ROUNDS 4 /* reads per stream and turn */

/* ---- output ---------------------------------------------------------------------- */

static bool is_open(const struct job *t, uint32_t stream)
{
    return t->child.hold.child_out[stream] >= 0;
}

static void watch_out(struct job *t, uint32_t stream)
{
    if (t->out_row[stream] < 0)
        return;
    bool room = hold_room(&t->child.hold, stream) > 0;
    loop_want(t->owner->loop, t->out_row[stream], room ? PORT_READ : 0);
}

static void drop_row(struct job *t, int *row)
{
    if (*row >= 0)
        loop_remove(t->owner->loop, *row);
    *row = -1;
}

void jobpipe_unwatch(struct job *t)
{
    drop_row(t, &t->in_row);
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        drop_row(t, &t->out_row[i]);
}

static void close_out(struct job *t, uint32_t stream)
{
    drop_row(t, &t->out_row[stream]);
    hold_close_out(&t->child.hold, stream);
}

void jobpipe_close_in(struct job *t)
{
    drop_row(t, &t->in_row);
    ring_consume(&t->in, t->in.tail);
    if (!t->in_over)
        held_end_input(&t->child);
    t->in_over = true;
}

void jobpipe_close(struct job *t)
{
    jobpipe_close_in(t);
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        close_out(t, i);
    held_hang_up(&t->child);
}

static void fail_out(struct job *t, int err)
{
    if (err == ERR_CLOSED)
        return;
    t->broken = true;
    jobpipe_close(t); /* or it would write for ever */
}

/* Read while there is room. A command that has exited wrote all it had to
 * say: an empty pipe is then its end, whoever else may still hold it. */
static void read_out(struct job *t, uint32_t stream)
{
    struct hold *h = &t->child.hold;
    bool over = job_is_over(t);
    for (int i = 0; (is_open(t, stream) || h->waiting[stream] > 0) &&
                    hold_room(h, stream) > 0;
         i++) {
        if (i >= READ_ROUNDS && !over)
            return;
        int n = hold_take(h, stream, JOB_RING);
        if (n < 0)
            fail_out(t, n);
        if (n < 0 || (n == 0 && over))
            close_out(t, stream);
        if (n <= 0)
            return;
    }
}

void jobpipe_drain(struct job *t)
{
    for (uint32_t s = 0; s < CHAN_STREAMS; s++) {
        read_out(t, s);
        watch_out(t, s);
    }
}

static void turn_out(struct job *t, uint32_t stream)
{
    uint64_t before = job_end(t, stream);
    read_out(t, stream);
    watch_out(t, stream);
    if (job_is_over(t) || job_end(t, stream) > before)
        t->owner->ops->output(t);
}

static void on_stdout(void *ctx, uint8_t ready)
{
    (void)ready;
    turn_out(ctx, 0);
}

static void on_stderr(void *ctx, uint8_t ready)
{
    (void)ready;
    turn_out(ctx, 1);
}

uint64_t job_first(const struct job *t, uint32_t stream)
{
    return t->child.hold.block != NULL ? t->child.hold.ring[stream].head
                                       : job_end(t, stream);
}

uint64_t job_end(const struct job *t, uint32_t stream)
{
    if (t->child.hold.block != NULL)
        return t->child.hold.ring[stream].tail;
    return stream == 0 ? t->info.out_end : t->info.err_end;
}

struct view job_peek(struct job *t, uint32_t stream, uint64_t *off, bool *fin)
{
    const struct ring *ring = &t->child.hold.ring[stream];
    if (*off < job_first(t, stream))
        *off = job_first(t, stream);
    struct view v =
        t->child.hold.block != NULL ? ring_at(ring, *off) : VIEW_NONE;
    /* The end goes out with the exit status: one message less to wake for. */
    *fin = job_is_over(t) && !is_open(t, stream) &&
           *off + v.len == job_end(t, stream);
    return v;
}

void job_want(struct job *t, uint32_t stream, uint64_t off)
{
    struct hold *h = &t->child.hold;
    if (h->block == NULL)
        return;
    hold_want(h, stream, off);
    if (job_is_over(t) || h->waiting[stream] > 0)
        turn_out(t, stream); /* nobody will wake us for those */
    else
        watch_out(t, stream);
}

/* ---- input ----------------------------------------------------------------------- */

static bool in_waits(const struct job *t)
{
    return ring_len(&t->in) > 0 || hold_feeds(&t->child.hold);
}

static void watch_in(struct job *t)
{
    if (t->in_row >= 0)
        loop_want(t->owner->loop, t->in_row, in_waits(t) ? PORT_WRITE : 0);
}

/* From the ring into the queue, from the queue into the command, and then its
 * end. */
static int pump_in(struct job *t)
{
    struct hold *h = &t->child.hold;
    for (;;) {
        uint64_t at = t->in.head;
        while (ring_len(&t->in) > 0) {
            int n = hold_put(h, t->taken, ring_at(&t->in, at));
            if (n < 0)
                return n;
            if (n == 0)
                break;
            ring_consume(&t->in, at += (uint64_t)n);
        }
        if (t->in_fin && ring_len(&t->in) == 0)
            hold_end_in(h);
        int err = hold_feed(h);
        if (err != OK || ring_len(&t->in) == 0 || h->queued > 0)
            return err;
    }
}

void jobpipe_settle_in(struct job *t)
{
    if (!t->in_over && (pump_in(t) != OK || (t->in_fin && !in_waits(t))))
        jobpipe_close_in(t);
    watch_in(t);
    t->owner->ops->input(t);
}

static void on_stdin(void *ctx, uint8_t ready)
{
    struct job *t = ctx;
    if ((ready & PORT_HANGUP) != 0)
        jobpipe_close_in(t);
    jobpipe_settle_in(t);
}

int job_put(struct job *t, struct view bytes, bool fin)
{
    if (!t->in_over && ring_write(&t->in, bytes) != OK)
        return ERR_PROTO;
    if (t->in_over) /* the command reads no more */
        t->in.head = t->in.tail += bytes.len;
    t->in_fin = t->in_fin || fin;
    jobpipe_settle_in(t);
    return OK;
}

/* ---- watching ------------------------------------------------------------------ */

int jobpipe_watch(struct job *t)
{
    struct loop *loop = t->owner->loop;
    const struct hold *h = &t->child.hold;
    static loop_row_fn *const fn[CHAN_STREAMS] = {on_stdout, on_stderr};
    if (h->child_in >= 0) {
        t->in_row = loop_add(loop, h->child_in, 0, on_stdin, t);
        if (t->in_row < 0)
            return ERR_LIMIT;
    }
    for (uint32_t i = 0; i < CHAN_STREAMS; i++) {
        if (h->child_out[i] < 0)
            continue;
        t->out_row[i] = loop_add(loop, h->child_out[i], PORT_READ, fn[i], t);
        if (t->out_row[i] < 0)
            return ERR_LIMIT;
    }
    return OK;
}
