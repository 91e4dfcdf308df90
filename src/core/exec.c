/* Commands on pipes; see exec.h. */
#include "core/exec.h"

#include <string.h>

#include "base/err.h"
#include "core/request.h"

#define RING_BYTES  WINDOW_BULK
#define JOB_RINGS   (1 + CHAN_STREAMS) /* stdin, stdout, stderr */
#define READ_ROUNDS 4                  /* reads per stream and turn */
#define GRACE_MS    5000               /* between TERM and KILL */

void jobs_init(struct jobs *j, struct arena *a, struct loop *loop,
               const char *machine_id, const char *machine_name)
{
    *j = (struct jobs){
        .loop = loop, .machine_id = machine_id, .machine_name = machine_name};
    j->slots = arena_carve(a, JOBS_MAX * sizeof(*j->slots), 64);
    j->rings = arena_carve(a, (size_t)JOBS_MAX * JOB_RINGS * RING_BYTES, 4096);
}

static size_t ring_place(const struct job *t)
{
    return (size_t)(t - t->owner->slots) * JOB_RINGS * RING_BYTES;
}

/* ---- how it ended -------------------------------------------------------------- */

static msg_close result(const struct job *t)
{
    msg_close end = {.which_result = cmdop_agent_v1_Close_exit_status_tag,
                     .result.exit_status = (uint32_t)t->status};
    if (t->timed_out)
        end = chan_failure(cmdop_agent_v1_Code_CODE_TIMEOUT,
                           "the command took longer than allowed and was "
                           "ended",
                           "give it more time with --timeout");
    else if (t->broken)
        end = chan_failure(cmdop_agent_v1_Code_CODE_INTERNAL,
                           "the output of the command could not be read to "
                           "its end",
                           "run it again, with its output in a file");
    else if (t->signal != 0) {
        end.which_result = cmdop_agent_v1_Close_signal_tag;
        end.result.signal = (uint32_t)t->signal;
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
    bool room = ring_room(&t->out[stream]) > 0;
    loop_want(t->owner->loop, t->out_row[stream], room ? PORT_READ : 0);
}

static void drop_row(struct job *t, int *row, int *handle)
{
    if (*row >= 0)
        loop_remove(t->owner->loop, *row);
    if (*handle >= 0)
        port_close(*handle);
    *row = *handle = -1;
}

static void close_out(struct job *t, uint32_t stream)
{
    drop_row(t, &t->out_row[stream], &t->out_fd[stream]);
}

static void fail_out(struct job *t, int err)
{
    if (err == ERR_CLOSED)
        return;
    t->broken = true;
    if (t->exited)
        tell_end(t);
}

/* Read while there is room. A command that has exited wrote all it had to
 * say: an empty pipe is then its end, whoever else may still hold it. */
static void read_out(struct job *t, uint32_t stream)
{
    struct ring *ring = &t->out[stream];
    for (int i = 0; t->out_fd[stream] >= 0 && ring_room(ring) > 0; i++) {
        if (i >= READ_ROUNDS && !t->exited)
            return;
        struct span room = ring_space(ring);
        int n = port_recv(t->out_fd[stream], room);
        if (n > 0)
            ring_commit(ring, (uint32_t)n);
        if (n < 0)
            fail_out(t, n);
        if (n < 0 || (n == 0 && t->exited))
            close_out(t, stream);
        if (n <= 0 || ((size_t)n < room.len && !t->exited))
            return;
    }
}

static void turn_out(struct job *t, uint32_t stream)
{
    read_out(t, stream);
    watch_out(t, stream);
    if (t->exited || ring_len(&t->out[stream]) > 0)
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

static void watch_in(struct job *t)
{
    if (t->in_row >= 0)
        loop_want(t->owner->loop, t->in_row,
                  sink_waits(&t->in) ? PORT_WRITE : 0);
}

static void close_in(struct job *t)
{
    sink_stop(&t->in, ERR_CLOSED);
    drop_row(t, &t->in_row, &t->in.handle);
}

static void settle_in(struct job *t)
{
    uint64_t done = sink_done(&t->in);
    if (sink_over(&t->in))
        close_in(t);
    watch_in(t);
    chan_used(&t->chan, 0, done, done);
}

static void on_stdin(void *ctx, uint8_t ready)
{
    struct job *t = ctx;
    if ((ready & PORT_HANGUP) != 0)
        sink_stop(&t->in, ERR_CLOSED);
    sink_flush(&t->in);
    settle_in(t);
}

/* ---- the end ---------------------------------------------------------------------- */

static void release(struct job *t)
{
    loop_timer_remove(t->owner->loop, t->deadline);
    close_in(t);
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        close_out(t, i);
    port_memory_release(
        (struct span){t->owner->rings + ring_place(t), JOB_RINGS * RING_BYTES});
    t->used = false;
    t->owner->count--;
}

static void release_if_over(struct job *t)
{
    if (t->used && t->exited && t->chan.state == CHAN_FREE)
        release(t);
}

bool exec_child(struct jobs *j, int pid, int status, int signal)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        struct job *t = &j->slots[i];
        if (!t->used || t->exited || t->child.pid != pid)
            continue;
        t->exited = true;
        t->status = status;
        t->signal = signal;
        loop_disarm(j->loop, t->deadline);
        close_in(t);
        tell_end(t);
        for (uint32_t s = 0; s < CHAN_STREAMS; s++)
            turn_out(t, s);
        release_if_over(t);
        return true;
    }
    return false;
}

static void end_child(struct job *t)
{
    if (t->exited)
        return;
    t->ending = true;
    (void)port_child_signal(t->child.pid, "TERM");
    loop_arm(t->owner->loop, t->deadline, loop_now(t->owner->loop) + GRACE_MS);
}

static void on_deadline(void *ctx, uint64_t now_ms)
{
    struct job *t = ctx;
    (void)now_ms;
    if (t->ending) {
        (void)port_child_signal(t->child.pid, "KILL");
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
    if (stream != 0 || sink_put(&t->in, bytes) != OK)
        return ERR_PROTO;
    if (fin)
        sink_fin(&t->in);
    settle_in(t);
    return OK;
}

static void on_event(void *ctx, const msg_event *event)
{
    struct job *t = ctx;
    if (event->which_what == cmdop_agent_v1_Event_signal_tag && !t->exited)
        (void)port_child_signal(t->child.pid, event->what.signal.name);
}

static void on_closed(void *ctx, const msg_close *end)
{
    struct job *t = ctx;
    (void)end;
    close_in(t);
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        close_out(t, i);
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
    struct ring *ring = &t->out[stream];
    struct view v = ring_at(ring, *off);
    /* The end goes out with the exit status: one message less to wake for. */
    *fin = t->exited && t->out_fd[stream] < 0 && *off + v.len == ring->tail;
    return v;
}

static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct job *t = ctx;
    ring_consume(&t->out[stream], upto);
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

static struct job *free_slot(struct jobs *j)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++)
        if (!j->slots[i].used)
            return &j->slots[i];
    return NULL;
}

static int spawn(struct job *t, struct request *r, const msg_exec_open *p,
                 const char *who)
{
    struct environ_facts facts = {.machine = t->owner->machine_name,
                                  .who = who};
    if (r->argv.count == 0)
        return ERR_NOT_FOUND;
    if (environ_build(&r->environ, &facts, &r->env) != OK)
        return ERR_TOO_BIG;
    struct port_spawn what = {.argv = r->argv.list,
                              .env = r->environ.list,
                              .cwd = p->cwd[0] != '\0' ? p->cwd : NULL};
    return port_pipe_spawn(&what, &t->child);
}

static void begin(struct job *t, const msg_exec_open *p)
{
    struct loop *loop = t->owner->loop;
    uint8_t *rings = t->owner->rings + ring_place(t);
    sink_init(&t->in, (struct span){rings, RING_BYTES}, t->child.in, 0);
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        ring_init(&t->out[i],
                  (struct span){rings + (i + 1) * RING_BYTES, RING_BYTES}, 0);
    t->deadline = loop_timer_add(loop, on_deadline, t);
    t->out_fd[0] = t->child.out;
    t->out_fd[1] = t->child.err;
    t->in_row = loop_add(loop, t->child.in, 0, on_stdin, t);
    t->out_row[0] = loop_add(loop, t->child.out, PORT_READ, on_stdout, t);
    t->out_row[1] = loop_add(loop, t->child.err, PORT_READ, on_stderr, t);
    t->started_us = port_now_us();
    t->exited = t->ending = t->timed_out = t->broken = false;
    t->status = t->signal = 0;
    t->used = true;
    t->owner->count++;
    if (p->timeout_ms > 0)
        loop_arm(loop, t->deadline, loop_now(loop) + p->timeout_ms);
}

static void accept_job(struct job *t, struct mux *m, const msg_open *open)
{
    msg_accept accept = cmdop_agent_v1_Accept_init_zero;
    msg_exec_accept info = {.pid = (uint32_t)t->child.pid};
    STR_COPY(info.machine_id, t->owner->machine_id);
    port_hostname(info.hostname, sizeof(info.hostname));
    accept.params.size =
        (pb_size_t)msg_encode_plain(SPAN_ARRAY(accept.params.bytes),
                                    cmdop_agent_v1_ExecAccept_fields, &info);
    chan_init(&t->chan, &ops, t, CHAN_STREAMS, RING_BYTES, true);
    if (t->in_row >= 0 && t->out_row[0] >= 0 && t->out_row[1] >= 0 &&
        chan_accept(m, &t->chan, open, &accept) == OK)
        return;
    (void)port_child_signal(t->child.pid, "KILL");
    request_refuse(m, open->channel, ERR_LIMIT);
    on_closed(t, NULL);
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
    struct job *t = free_slot(j);
    if (t != NULL)
        t->owner = j;
    int err = t == NULL ? ERR_LIMIT : spawn(t, r, &p, open->origin.user);
    if (err != OK) {
        request_refuse(m, open->channel, err);
        return;
    }
    begin(t, &p);
    accept_job(t, m, open);
}
