/* Commands on pipes; see exec.h. */
#include "core/exec.h"

#include <string.h>

#include "base/err.h"
#include "core/paths.h"
#include "core/request.h"

#define RING_BYTES   WINDOW_BULK
#define READ_ROUNDS  4          /* reads per stream and turn */
#define GRACE_MS     5000       /* between TERM and KILL */
#define RECORD_MAGIC 0x6a6f6273 /* "jobs" */

static void on_ready(void *ctx, int err, const char *why);
static void close_in(struct job *t);

/* What the block keeps for the next agent. */
struct job_record {
    uint32_t magic;
    uint32_t spare;
    uint64_t taken; /* bytes of input that were put into the queue */
};

int jobs_init(struct jobs *j, struct arena *a, struct loop *loop,
              const char *machine_id, const char *machine_name,
              const char *folder)
{
    *j = (struct jobs){
        .loop = loop, .machine_id = machine_id, .machine_name = machine_name};
    held_pool_init(&j->pool, loop);
    j->slots = arena_carve(a, JOBS_MAX * sizeof(*j->slots), 64);
    j->inputs = arena_carve(a, (size_t)JOBS_MAX * RING_BYTES, 4096);
    return paths_join(j->folder, folder, "jobs");
}

static struct span input_of(const struct job *t)
{
    return (struct span){t->owner->inputs +
                             (size_t)(t - t->owner->slots) * RING_BYTES,
                         RING_BYTES};
}

static struct ring *ring_of(struct job *t, uint32_t stream)
{
    return &t->child.hold.ring[stream];
}

static struct hold_block *block_of(const struct job *t)
{
    return t->child.hold.block;
}

static struct job_record *record_of(const struct job *t)
{
    return (struct job_record *)(void *)block_of(t)->record;
}

/* ---- how it ended -------------------------------------------------------------- */

static msg_close result(const struct job *t)
{
    const struct hold_block *b = block_of(t);
    msg_close end = {.which_result = cmdop_agent_v1_Close_exit_status_tag,
                     .result.exit_status = b->status};
    if (t->timed_out)
        end = chan_failure(cmdop_agent_v1_Code_CODE_TIMEOUT,
                           "the command took longer than allowed and was "
                           "ended",
                           "give it more time with --timeout");
    else if (!b->exited)
        end = chan_failure(cmdop_agent_v1_Code_CODE_INTERNAL,
                           "the process that held the command was killed, and "
                           "its end is not known",
                           "look on the machine what it has done");
    else if (t->broken)
        end = chan_failure(cmdop_agent_v1_Code_CODE_INTERNAL,
                           "the output of the command could not be read to "
                           "its end",
                           "run it again, with its output in a file");
    else if (b->signal != 0) {
        end.which_result = cmdop_agent_v1_Close_signal_tag;
        end.result.signal = b->signal;
    }
    end.duration_ms = (port_now_us() - t->started_us) / 1000;
    return end;
}

static void tell_end(struct job *t)
{
    msg_close end = result(t);
    chan_close(&t->chan, &end, CHAN_DRAIN);
}

/* ---- the pipes ------------------------------------------------------------------ */

static void watch_out(struct job *t, uint32_t stream)
{
    if (t->out_row[stream] < 0)
        return;
    bool room = ring_room(ring_of(t, stream)) > 0;
    loop_want(t->owner->loop, t->out_row[stream], room ? PORT_READ : 0);
}

static void drop_row(struct job *t, int *row)
{
    if (*row >= 0)
        loop_remove(t->owner->loop, *row);
    *row = -1;
}

static void close_out(struct job *t, uint32_t stream)
{
    drop_row(t, &t->out_row[stream]);
    hold_close_out(&t->child.hold, stream);
}

static bool is_open(const struct job *t, uint32_t stream)
{
    return t->child.hold.child_out[stream] >= 0;
}

static void fail_out(struct job *t, int err)
{
    if (err == ERR_CLOSED)
        return;
    t->broken = true;
    close_in(t);
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        close_out(t, i);
    held_hang_up(&t->child); /* or it would write for ever */
    if (t->exited)
        tell_end(t);
}

/* Read while there is room. A command that has exited wrote all it had to
 * say: an empty pipe is then its end, whoever else may still hold it. */
static void read_out(struct job *t, uint32_t stream)
{
    struct ring *ring = ring_of(t, stream);
    for (int i = 0; is_open(t, stream) && ring_room(ring) > 0; i++) {
        if (i >= READ_ROUNDS && !t->exited)
            return;
        int n = hold_take(&t->child.hold, stream, false, RING_BYTES);
        if (n < 0)
            fail_out(t, n);
        if (n < 0 || (n == 0 && t->exited))
            close_out(t, stream);
        if (n <= 0)
            return;
    }
}

static void turn_out(struct job *t, uint32_t stream)
{
    read_out(t, stream);
    watch_out(t, stream);
    if (t->exited || ring_len(ring_of(t, stream)) > 0)
        chan_wake(&t->chan);
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

static bool in_waits(const struct job *t)
{
    return ring_len(&t->in) > 0 || hold_feeds(&t->child.hold);
}

static void watch_in(struct job *t)
{
    if (t->in_row >= 0)
        loop_want(t->owner->loop, t->in_row, in_waits(t) ? PORT_WRITE : 0);
}

static void close_in(struct job *t)
{
    drop_row(t, &t->in_row);
    ring_consume(&t->in, t->in.tail);
    if (!t->in_over)
        held_end_input(&t->child);
    t->in_over = true;
}

/* From the ring into the queue, from the queue into the command, and then its
 * end. */
static int pump_in(struct job *t)
{
    struct hold *h = &t->child.hold;
    for (;;) {
        uint64_t at = t->in.head;
        while (ring_len(&t->in) > 0) {
            int n = hold_put(h, &record_of(t)->taken, ring_at(&t->in, at));
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

static void settle_in(struct job *t)
{
    int err = t->in_over ? OK : pump_in(t);
    if (err != OK || (t->in_fin && !in_waits(t)))
        close_in(t);
    watch_in(t);
    chan_used(&t->chan, 0, t->in.head, t->in.head);
}

static void on_stdin(void *ctx, uint8_t ready)
{
    struct job *t = ctx;
    if ((ready & PORT_HANGUP) != 0)
        close_in(t);
    settle_in(t);
}

/* ---- the end ---------------------------------------------------------------------- */

static void release(struct job *t)
{
    loop_timer_remove(t->owner->loop, t->deadline);
    drop_row(t, &t->in_row);
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        close_out(t, i);
    held_release(&t->child, &t->owner->pool);
    port_memory_release(input_of(t));
    t->used = false;
    t->owner->count--;
}

static void release_if_over(struct job *t)
{
    if (t->used && t->exited && t->chan.state == CHAN_FREE)
        release(t);
}

static void on_exited(void *ctx)
{
    struct job *t = ctx;
    if (t->exited)
        return;
    t->exited = true;
    loop_disarm(t->owner->loop, t->deadline);
    close_in(t);
    tell_end(t);
    for (uint32_t s = 0; s < CHAN_STREAMS; s++)
        turn_out(t, s);
    release_if_over(t);
}

static const struct held_ops held_ops = {on_ready, on_exited, on_exited};

static void end_child(struct job *t)
{
    if (t->exited)
        return;
    t->ending = true;
    held_signal(&t->child, "TERM");
    loop_arm(t->owner->loop, t->deadline, loop_now(t->owner->loop) + GRACE_MS);
}

static void on_deadline(void *ctx, uint64_t now_ms)
{
    struct job *t = ctx;
    (void)now_ms;
    if (t->ending) {
        held_signal(&t->child, "KILL");
        return;
    }
    t->timed_out = true;
    end_child(t);
}

/* ---- the channel --------------------------------------------------------------------- */

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct job *t = ctx;
    (void)off;
    if (stream != 0 || (!t->in_over && ring_write(&t->in, bytes) != OK))
        return ERR_PROTO;
    if (t->in_over) /* the command reads no more */
        t->in.head = t->in.tail += bytes.len;
    t->in_fin = t->in_fin || fin;
    settle_in(t);
    return OK;
}

static void on_event(void *ctx, const msg_event *event)
{
    struct job *t = ctx;
    if (event->which_what == cmdop_agent_v1_Event_signal_tag && !t->exited)
        held_signal(&t->child, event->what.signal.name);
}

static void on_closed(void *ctx, const msg_close *end)
{
    struct job *t = ctx;
    (void)end;
    close_in(t);
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        close_out(t, i);
    held_hang_up(&t->child);
    end_child(t);
    release_if_over(t);
}

static void on_ended(void *ctx)
{
    release_if_over(ctx);
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct job *t = ctx;
    struct ring *ring = ring_of(t, stream);
    struct view v = ring_at(ring, *off);
    /* The end goes out with the exit status: one message less to wake for. */
    *fin = t->exited && !is_open(t, stream) && *off + v.len == ring->tail;
    return v;
}

static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct job *t = ctx;
    hold_consume(&t->child.hold, stream, upto);
    if (t->exited)
        read_out(t, stream); /* nobody will wake us for an empty pipe */
    watch_out(t, stream);
}

static const struct chan_ops ops = {
    .data = on_data,
    .event = on_event,
    .closed = on_closed,
    .peek = on_peek,
    .sent = on_sent,
    .ended = on_ended,
};

/* ---- opening ------------------------------------------------------------------------- */

static int spawn(struct job *t, struct request *r, const msg_exec_open *p,
                 const char *who)
{
    uint8_t raw[16];
    char id[HOLD_ID_CAP];
    struct text text;
    struct environ_facts facts = {.machine = t->owner->machine_name,
                                  .who = who};
    struct job_record record = {.magic = RECORD_MAGIC};
    if (r->argv.count == 0)
        return ERR_NOT_FOUND;
    if (environ_build(&r->environ, &facts, &r->env) != OK)
        return ERR_TOO_BIG;
    port_entropy(SPAN_ARRAY(raw));
    TEXT_OF(&text, id);
    text_hex(&text, VIEW_ARRAY(raw));
    struct hold_start how = {
        .folder = t->owner->folder,
        .id = id,
        .record = view_of(&record, sizeof(record)),
        .what = {.argv = r->argv.list,
                 .env = r->environ.list,
                 .cwd = p->cwd[0] != '\0' ? p->cwd : NULL},
        .ring_bytes = RING_BYTES,
    };
    return held_start(&t->child, t->owner->loop, &t->owner->pool, &held_ops, t,
                      &how);
}

static int watch_child(struct job *t)
{
    struct loop *loop = t->owner->loop;
    const struct hold *h = &t->child.hold;
    t->in_row = loop_add(loop, h->child_in, 0, on_stdin, t);
    t->out_row[0] = loop_add(loop, h->child_out[0], PORT_READ, on_stdout, t);
    t->out_row[1] = loop_add(loop, h->child_out[1], PORT_READ, on_stderr, t);
    return t->in_row >= 0 && t->out_row[0] >= 0 && t->out_row[1] >= 0
               ? OK
               : ERR_LIMIT;
}

static int accept_job(struct job *t)
{
    msg_accept accept = cmdop_agent_v1_Accept_init_zero;
    msg_exec_accept info = {.pid = block_of(t)->pid};
    STR_COPY(info.machine_id, t->owner->machine_id);
    port_hostname(info.hostname, sizeof(info.hostname));
    accept.params.size =
        (pb_size_t)msg_encode_plain(SPAN_ARRAY(accept.params.bytes),
                                    cmdop_agent_v1_ExecAccept_fields, &info);
    chan_init(&t->chan, &ops, t, CHAN_STREAMS, RING_BYTES, true);
    return chan_accept(t->asker, &t->chan, &t->open, &accept);
}

static void on_ready(void *ctx, int err, const char *why)
{
    struct job *t = ctx;
    struct mux *asker = t->asker;
    if (err == OK)
        err = watch_child(t);
    if (err == OK)
        err = accept_job(t);
    t->asker = NULL;
    if (err == OK)
        return;
    request_refuse(asker, t->open.channel, err, why);
    release(t);
}

static struct job *take_slot(struct jobs *j)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        struct job *t = &j->slots[i];
        if (t->used)
            continue;
        memset(t, 0, sizeof(*t));
        t->owner = j;
        t->in_row = t->out_row[0] = t->out_row[1] = -1;
        ring_init(&t->in, input_of(t), 0);
        return t;
    }
    return NULL;
}

void exec_open(struct jobs *j, struct mux *m, const msg_open *open,
               struct view params)
{
    struct request *r = request_scratch();
    msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
    p.argv = msg_strings_in(&r->argv);
    p.env = msg_strings_in(&r->env);
    if (msg_decode(params, cmdop_agent_v1_ExecOpen_fields, &p) != OK) {
        (void)mux_reject(m, open->channel, cmdop_agent_v1_Code_CODE_PROTOCOL,
                         "the request to run a command does not parse", "");
        return;
    }
    struct job *t = take_slot(j);
    int err = t == NULL ? ERR_LIMIT : spawn(t, r, &p, open->origin.user);
    if (err != OK) {
        request_refuse(m, open->channel, err, port_why());
        return;
    }
    t->used = true;
    j->count++;
    t->asker = m;
    t->open = (msg_open){.channel = open->channel, .window = open->window};
    t->started_us = port_now_us();
    t->deadline = loop_timer_add(j->loop, on_deadline, t);
    if (p.timeout_ms > 0)
        loop_arm(j->loop, t->deadline, loop_now(j->loop) + p.timeout_ms);
}

void jobs_gone(struct jobs *j, const struct mux *m, uint32_t number)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        struct job *t = &j->slots[i];
        if (t->used && t->asker == m &&
            (number == 0 || t->open.channel == number))
            release(t);
    }
}
