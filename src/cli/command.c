/* A command on a machine; see command.h. */
#include "cli/command.h"

#include <string.h>

#include "base/err.h"

#define SIGPIPE_NUMBER   13 /* the same everywhere */
#define STATUS_INTERRUPT 130
/* The machine ends the command by itself; if it is gone, we do it here. */
#define KILL_SLACK_MS    10000
#define NOTICE_MS        1000 /* a loss that is mended sooner is no news */
#define OUT_BYTES        (2 * WINDOW_BULK)
#define IN_BYTES         (2 * WINDOW_BULK)

/* ---- the result ------------------------------------------------------------------ */

void command_handle(const struct command *x, struct text *out)
{
    text_safe(out, view_str(x->target));
    text_str(out, x->target[0] != '\0' ? ":" : "");
    text_str(out, x->id);
}

/* There is something to come back to. */
static bool may_run(const struct command *x)
{
    return x->accepted || x->opens > 1;
}

static int status_of(const msg_close *end)
{
    switch (end->which_result) {
    case cmdop_agent_v1_Close_exit_status_tag:
        return (int)(end->result.exit_status & 0xFF);
    case cmdop_agent_v1_Close_signal_tag:
        return 128 + (int)(end->result.signal & 0x7F);
    case cmdop_agent_v1_Close_failure_tag:
        return client_status(end->result.failure.code);
    default: return CMD_TRANSPORT;
    }
}

static enum command_outcome outcome_of(const struct command *x,
                                       const msg_close *end)
{
    switch (end->which_result) {
    case cmdop_agent_v1_Close_exit_status_tag: return COMMAND_EXITED;
    case cmdop_agent_v1_Close_signal_tag: return COMMAND_SIGNALLED;
    default: break;
    }
    if (end->result.failure.code == cmdop_agent_v1_Code_CODE_TIMEOUT &&
        x->accepted)
        return COMMAND_TIMED_OUT;
    return may_run(x) || x->unanswered ? COMMAND_LOST : COMMAND_REFUSED;
}

/* Leave when the result is known and all output has been written. */
static void leave_if_done(struct command *x)
{
    if (x->over && !x->client.done && !sink_waits(&x->out[0].sink) &&
        !sink_waits(&x->out[1].sink))
        client_leave(&x->client, x->status);
}

static void conclude(struct command *x, enum command_outcome outcome,
                     int status)
{
    x->over = true;
    x->outcome = outcome;
    x->status = status;
    loop_disarm(&x->client.loop, x->patience);
    reopen_stop(&x->reopen);
    leave_if_done(x);
}

/* The sentence may be longer than a Close can hold. */
static void end_with(struct command *x, const msg_close *end,
                     const char *message, const char *remedy)
{
    if (x->over)
        return;
    x->end = *end;
    if (end->which_result == cmdop_agent_v1_Close_failure_tag && !x->collect)
        cmd_say(message, remedy[0] != '\0' ? "; " : "", remedy, NULL);
    conclude(x, outcome_of(x, end), status_of(end));
}

static void finish(struct command *x, const msg_close *end)
{
    const cmdop_agent_v1_Failure *f = &end->result.failure;
    end_with(x, end, f->message, f->remedy);
}

static void fail(struct command *x, msg_code code, const char *message,
                 const char *remedy)
{
    msg_close end = chan_failure(code, message, remedy);
    end_with(x, &end, message, remedy);
}

/* ---- leaving it -------------------------------------------------------------------- */

static const msg_close detached = {
    .which_result = cmdop_agent_v1_Close_detached_tag, .result.detached = true};

static void leave_it(struct command *x, int status)
{
    if (x->over)
        return;
    if (x->open)
        chan_close(&x->chan, &detached, CHAN_FLUSH);
    x->open = false;
    conclude(x, COMMAND_GOES_ON, status);
}

/* It is ours alone and nobody will come back for it. */
static void end_it(struct command *x, int status)
{
    msg_close end = chan_failure(cmdop_agent_v1_Code_CODE_UNSPECIFIED,
                                 "it is not wanted any more", "");
    if (x->over)
        return;
    if (x->open || x->opens > 0)
        chan_close(&x->chan, &end, CHAN_NOW);
    x->open = false;
    x->end = end;
    conclude(x, COMMAND_LOST, status);
}

static void say_it_goes_on(const struct command *x, const char *why)
{
    char line[256];
    struct text t;
    TEXT_OF(&t, line);
    text_join(&t, why, "; the command goes on there: cmdop job wait ", NULL);
    command_handle(x, &t);
    if (!x->collect)
        cmd_say(line, NULL);
}

static void on_signal(void *ctx, uint8_t ready)
{
    struct command *x = ctx;
    enum port_signal sig;
    (void)ready;
    while ((sig = port_signal_take()) != PORT_SIG_NONE) {
        if (sig != PORT_SIG_TERM)
            continue;
        if (x->over) { /* asked twice */
            client_leave(&x->client, STATUS_INTERRUPT);
        } else if (x->watch) {
            leave_it(x, STATUS_INTERRUPT);
        } else if (x->keep) {
            say_it_goes_on(x, "left");
            leave_it(x, STATUS_INTERRUPT);
        } else {
            end_it(x, STATUS_INTERRUPT);
        }
    }
}

static void on_timer(void *ctx, uint64_t now_ms)
{
    struct command *x = ctx;
    (void)now_ms;
    if (x->over)
        return;
    if (!x->accepted) {
        fail(x, cmdop_agent_v1_Code_CODE_TIMEOUT,
             "the machine did not answer in that time",
             "give it more time with --timeout");
    } else if (x->kill_ms > 0) {
        msg_close end = chan_failure(cmdop_agent_v1_Code_CODE_TIMEOUT,
                                     "the command took longer than allowed",
                                     "give it more time with --timeout");
        chan_close(&x->chan, &end, CHAN_NOW);
        finish(x, &end);
    } else if (!x->open && !x->keep && !x->watch) {
        fail(x, cmdop_agent_v1_Code_CODE_LOST,
             "the connection was lost, and was not there again in that time; "
             "the machine ends the command",
             "an --id lets it go on");
    } else {
        x->keep = true;
        if (!x->watch)
            say_it_goes_on(x, "it took longer than --timeout");
        leave_it(x, CMD_TIMEOUT);
    }
}

/* ---- stdin ----------------------------------------------------------------------- */

static void stop_reading(struct command *x)
{
    if (x->in_row >= 0)
        loop_remove(&x->client.loop, x->in_row);
    x->in_row = -1;
    x->reading = false;
}

static void watch_in(struct command *x)
{
    bool want = x->reading && !x->in_fin && ring_room(&x->in) > 0;
    if (x->in_row >= 0)
        loop_want(&x->client.loop, x->in_row, want ? PORT_READ : 0);
    else if (want)
        loop_later(&x->client.loop, &x->in_job);
}

static int read_some(struct command *x)
{
    struct span room = ring_space(&x->in);
    if (x->discard > 0 && room.len > x->discard)
        room.len = (size_t)x->discard;
    int n = room.len == 0 ? 0 : port_recv(PORT_STDIN, room);
    if (n > 0 && x->discard > 0)
        x->discard -= (uint64_t)n;
    else if (n > 0)
        ring_commit(&x->in, (uint32_t)n);
    return n;
}

static void read_in(struct command *x)
{
    if (read_some(x) < 0) {
        x->in_fin = true;
        stop_reading(x);
    }
    chan_wake(&x->chan);
    watch_in(x);
}

static void on_stdin(void *ctx, uint8_t ready)
{
    (void)ready;
    read_in(ctx);
}

static void on_stdin_file(void *ctx)
{
    struct command *x = ctx;
    if (!x->over && x->reading && !x->in_fin)
        read_in(x);
}

static void start_reading(struct command *x)
{
    x->reading = true;
    if (port_handle_waits(PORT_STDIN))
        x->in_row =
            loop_add(&x->client.loop, PORT_STDIN, PORT_READ, on_stdin, x);
    watch_in(x);
}

/* The machine wants input from `off` on. What it has already from an earlier
 * program with this id is read and not sent. */
static int continue_input(struct command *x, uint64_t off)
{
    if (x->watch)
        return OK;
    if (off < x->in.head)
        return ERR_PROTO;
    if (off > x->in.tail) {
        x->discard += off - x->in.tail;
        ring_init(&x->in, (struct span){x->in.buf, x->in.cap}, off);
    }
    ring_consume(&x->in, off);
    return OK;
}

/* ---- stdout, stderr ----------------------------------------------------------------- */

/* Nobody reads on: end as a filter ends, with the command told to. */
static void stop_writing(struct command *x, int err)
{
    if (x->over)
        return;
    if (err != ERR_CLOSED) {
        cmd_say("the output cannot be written: ", port_why(), NULL);
        end_it(x, CMD_TRANSPORT);
    } else if (x->keep || x->watch) {
        leave_it(x, 128 + SIGPIPE_NUMBER);
    } else {
        end_it(x, 128 + SIGPIPE_NUMBER);
    }
}

static void settle_out(struct command *x, uint32_t stream)
{
    struct command_output *o = &x->out[stream];
    uint64_t done = o->next - ring_len(&o->sink.ring);
    if (x->open && done > o->base)
        chan_used(&x->chan, stream, done, done);
    if (o->row >= 0)
        loop_want(&x->client.loop, o->row,
                  sink_waits(&o->sink) ? PORT_WRITE : 0);
    if (o->sink.err != OK)
        stop_writing(x, o->sink.err);
    leave_if_done(x);
}

static void on_stdout(void *ctx, uint8_t ready)
{
    struct command *x = ctx;
    (void)ready;
    sink_flush(&x->out[0].sink);
    settle_out(x, 0);
}

static void on_stderr(void *ctx, uint8_t ready)
{
    struct command *x = ctx;
    (void)ready;
    sink_flush(&x->out[1].sink);
    settle_out(x, 1);
}

static void collect(struct command_output *o, struct view bytes)
{
    struct view part = view_first(bytes, COMMAND_COLLECT_MAX - o->len);
    if (part.len > 0)
        memcpy(o->data + o->len, part.ptr, part.len);
    o->len += part.len;
    o->cut = o->cut || part.len < bytes.len;
}

static void out_init(struct command *x, uint32_t stream, struct arena *a)
{
    struct command_output *o = &x->out[stream];
    int handle = stream == 0 ? PORT_STDOUT : PORT_STDERR;
    sink_init(&o->sink, arena_span(a, OUT_BYTES), x->collect ? -1 : handle, 0);
    o->row = -1;
    if (x->collect) {
        o->data = arena_carve(a, COMMAND_COLLECT_MAX, 16);
        return;
    }
    (void)port_handle_nonblock(handle);
    if (port_handle_waits(handle))
        o->row = loop_add(&x->client.loop, handle, 0,
                          stream == 0 ? on_stdout : on_stderr, x);
}

static void tell_gap(struct command *x, struct command_output *o,
                     uint64_t bytes)
{
    char line[96];
    struct text t;
    o->cut = true;
    TEXT_OF(&t, line);
    text_u64(&t, bytes);
    text_str(&t, " bytes of output are no longer held");
    if (bytes > 0 && !x->collect)
        cmd_say(line, NULL);
}

/* ---- the channel -------------------------------------------------------------------- */

static void leave_at_the_end(struct command *x)
{
    if (x->until_now && x->open && x->out[0].next >= x->out[0].end &&
        x->out[1].next >= x->out[1].end)
        leave_it(x, CMD_OK);
}

static void begin_output(struct command *x, uint32_t stream, uint64_t from,
                         uint64_t gap, uint64_t end)
{
    struct command_output *o = &x->out[stream];
    if (gap > 0)
        tell_gap(x, o, gap);
    o->base = o->next = from;
    if (!x->accepted)
        o->end = end;
}

static void on_accepted(void *ctx, const msg_accept *accept)
{
    struct command *x = ctx;
    msg_exec_accept m = cmdop_agent_v1_ExecAccept_init_zero;
    (void)msg_decode(view_of(accept->params.bytes, accept->params.size),
                     cmdop_agent_v1_ExecAccept_fields, &m);
    x->open = true;
    reopen_worked(&x->reopen);
    uplink_attend(&x->client.uplink);
    loop_disarm(&x->client.loop, x->patience);
    x->lost = false;
    begin_output(x, 0, accept->out_offset, m.out_gap, m.out_end);
    begin_output(x, 1, accept->err_offset, m.err_gap, m.err_end);
    x->machine = m;
    if (continue_input(x, accept->in_offset) != OK) {
        end_it(x, CMD_TRANSPORT);
        cmd_say("the machine wants input that was sent long ago", NULL);
        return;
    }
    bool first = !x->accepted;
    x->accepted = true;
    x->unanswered = false;
    if (x->detach)
        leave_it(x, CMD_OK);
    else if (first && !x->watch)
        start_reading(x);
    watch_in(x);
    leave_at_the_end(x);
}

/* ---- lost, and found again ------------------------------------------------------------ */

static void on_patience(void *ctx, uint64_t now_ms)
{
    (void)now_ms;
    fail(ctx, cmdop_agent_v1_Code_CODE_LOST,
         "the connection was lost and could not be made again in time; the "
         "machine ends the command",
         "");
}

/* A plain command is ended by the machine when nobody comes back. */
static void lost(struct command *x)
{
    x->open = false;
    if (!x->keep && !x->watch && !x->lost)
        loop_arm(&x->client.loop, x->patience,
                 loop_now(&x->client.loop) + JOB_RETURN_MS);
    x->lost = true;
}

static bool passes(const struct command *x, msg_code code)
{
    return code == cmdop_agent_v1_Code_CODE_OFFLINE ||
           code == cmdop_agent_v1_Code_CODE_LOST ||
           code == cmdop_agent_v1_Code_CODE_TIMEOUT ||
           (x->lost && code == cmdop_agent_v1_Code_CODE_LIMIT);
}

/* The relay is there, the machine was not. */
static bool try_again(struct command *x, msg_code code)
{
    if (x->over || !passes(x, code) || !may_run(x))
        return false;
    lost(x);
    reopen_later(&x->reopen);
    return true;
}

/* ---- the password of the machine ------------------------------------------------------ */

static void open_it(void *ctx);

static void on_unlocked(void *ctx, msg_code code, const char *message,
                        const char *remedy)
{
    struct command *x = ctx;
    if (x->over)
        return;
    if (code == cmdop_agent_v1_Code_CODE_UNSPECIFIED)
        open_it(x);
    else
        fail(x, code, message, remedy);
}

static bool wants_password(struct command *x, msg_code code)
{
    if (code != cmdop_agent_v1_Code_CODE_PIN || x->over || x->accepted ||
        x->asked_password)
        return false;
    x->asked_password = true;
    x->opens = 0; /* nothing was started */
    unlock_begin(&x->unlock);
    return true;
}

/* The relay had handed the Open on, and never heard of it. */
static bool leaves_open(msg_code code)
{
    return code == cmdop_agent_v1_Code_CODE_LOST ||
           code == cmdop_agent_v1_Code_CODE_TIMEOUT;
}

static void on_rejected(void *ctx, const msg_reject *r)
{
    struct command *x = ctx;
    x->unanswered = leaves_open(r->code);
    if (try_again(x, r->code) || wants_password(x, r->code))
        return;
    if (x->accepted && r->code == cmdop_agent_v1_Code_CODE_NOT_FOUND)
        fail(x, cmdop_agent_v1_Code_CODE_INTERNAL,
             "the command ended while the connection was lost, and how is not "
             "known",
             "an --id keeps the end of a command");
    else
        fail(x, r->code, r->message, r->remedy);
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct command *x = ctx;
    struct command_output *o = &x->out[stream];
    (void)fin;
    if (off > o->next)
        tell_gap(x, o, off - o->next);
    o->next = off + bytes.len;
    if (x->collect)
        collect(o, bytes);
    if (sink_put(&o->sink, bytes) != OK)
        return ERR_PROTO;
    settle_out(x, stream);
    leave_at_the_end(x);
    return OK;
}

static void on_event(void *ctx, const msg_event *event)
{
    (void)ctx;
    (void)event;
}

static void on_closed(void *ctx, const msg_close *end)
{
    struct command *x = ctx;
    x->open = false;
    if (end == NULL)
        return; /* the link went away: on_down decides */
    if (end->which_result == cmdop_agent_v1_Close_failure_tag &&
        end->result.failure.code == cmdop_agent_v1_Code_CODE_LOST &&
        try_again(x, end->result.failure.code))
        return;
    stop_reading(x);
    finish(x, end);
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct command *x = ctx;
    (void)stream;
    struct view v = ring_at(&x->in, *off);
    *fin = x->in_fin && *off + v.len == x->in.tail;
    return v;
}

static void on_acked(void *ctx, uint32_t stream, uint64_t ack)
{
    struct command *x = ctx;
    if (stream != 0 || ack <= x->in.head || ack > x->in.tail)
        return;
    ring_consume(&x->in, ack);
    watch_in(x);
}

static const struct chan_ops ops = {
    .accepted = on_accepted,
    .rejected = on_rejected,
    .data = on_data,
    .event = on_event,
    .acked = on_acked,
    .closed = on_closed,
    .peek = on_peek,
};

/* ---- the connection -------------------------------------------------------------------- */

static msg_exec_open params_of(const struct command *x)
{
    msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
    STR_COPY(p.id, x->id);
    p.attach = x->attach || x->accepted;
    p.watch = x->watch;
    p.quiet = x->quiet;
    p.keep = x->keep;
    p.timeout_ms = (uint32_t)x->kill_ms;
    p.resume = x->resume || x->accepted;
    struct view token = unlock_view(&x->unlock);
    p.unlock.size = (pb_size_t)token.len;
    memcpy(p.unlock.bytes, token.ptr, token.len);
    p.out_offset = x->out[0].next;
    p.err_offset = x->out[1].next;
    return p;
}

/* What waits to be written from before the link was lost must fit as well. */
static uint32_t window_of(const struct command *x)
{
    uint32_t a = ring_room(&x->out[0].sink.ring);
    uint32_t b = ring_room(&x->out[1].sink.ring);
    uint32_t room = (a < b ? a : b) / 2;
    return room < WINDOW_BULK ? room : WINDOW_BULK;
}

static void open_it(void *ctx)
{
    struct command *x = ctx;
    static uint8_t raw[FRAME_MAX];
    if (x->over)
        return;
    msg_exec_open p = params_of(x);
    msg_open open = {.kind = cmdop_agent_v1_Kind_KIND_EXEC};
    struct msg_strings argv = {.list = (const char **)x->argv,
                               .count = x->argc};
    if (!x->accepted)
        p.argv = msg_strings_out(&argv);
    int len = msg_encode_plain((struct span){raw, ARGS_MAX + 1024},
                               cmdop_agent_v1_ExecOpen_fields, &p);
    if (len < 0) {
        fail(x, cmdop_agent_v1_Code_CODE_LIMIT,
             "the command line is longer than 24 KiB",
             "put it into a file, or send it on standard input");
        return;
    }
    struct msg_blob blob = {.data = view_of(raw, (size_t)len)};
    STR_COPY(open.target, x->target);
    open.wait_ms = x->opens > 0 ? REOPEN_WAIT_MS : 0;
    open.params = msg_blob_out(&blob);
    chan_init(&x->chan, &ops, x, 1, window_of(x), true);
    x->chan.gaps_ok = x->chan.any_start = true;
    if (chan_open(client_mux(&x->client), &x->chan, &open) != OK)
        fail(x, cmdop_agent_v1_Code_CODE_INTERNAL,
             "the request does not fit the connection", "");
    else
        x->unanswered = true; /* it may start the command */
    x->opens++;
}

static void on_up(void *ctx)
{
    struct command *x = ctx;
    reopen_stop(&x->reopen);
    open_it(x);
}

/* The command goes on, and so do we, if there is anything to come back to. */
static void on_down(void *ctx, const char *why, bool fatal)
{
    struct command *x = ctx;
    if (x->over)
        return;
    if (x->opens == 0 || (fatal && !x->client.local)) {
        fail(x,
             x->client.refused != cmdop_agent_v1_Code_CODE_UNSPECIFIED
                 ? x->client.refused
                 : cmdop_agent_v1_Code_CODE_LOST,
             why, "");
        return;
    }
    lost(x);
    uplink_attend(&x->client.uplink);
    client_again(&x->client);
}

static void on_doubt(void *ctx, bool yes)
{
    (void)ctx;
    (void)yes; /* the link is made anew, and nothing else is to be done */
}

static const struct client_ops client_ops = {on_up, on_down, on_doubt};

/* There is no connection to try. */
static int fail_early(struct command *x, const char *why)
{
    x->end = chan_failure(cmdop_agent_v1_Code_CODE_LOST, why, "");
    x->outcome = COMMAND_REFUSED;
    if (!x->collect)
        cmd_say(why, NULL);
    return CMD_TRANSPORT;
}

static void make_id(struct command *x)
{
    uint8_t raw[16];
    struct text t;
    if (x->id[0] != '\0')
        return;
    port_entropy(SPAN_ARRAY(raw));
    TEXT_OF(&t, x->id);
    text_hex(&t, VIEW_ARRAY(raw));
}

int command_run(struct command *x, const struct cmd_env *env,
                const struct where *where)
{
    char buf[512];
    struct arena arena;
    struct text why;
    TEXT_OF(&why, buf);
    x->started_us = port_now_us();
    make_id(x);
    arena_init(&arena,
               port_memory(CLIENT_BYTES + IN_BYTES + 2 * OUT_BYTES +
                           2 * COMMAND_COLLECT_MAX + QUESTION_RING + 65536));
    if (client_init(&x->client, &arena, env->version, where, &client_ops, x,
                    &why) != OK)
        return fail_early(x, buf);
    struct loop *loop = &x->client.loop;
    ring_init(&x->in, arena_span(&arena, IN_BYTES), 0);
    x->in_row = -1;
    x->in_fin = x->detach;
    loop_job_init(&x->in_job, on_stdin_file, x);
    out_init(x, 0, &arena);
    out_init(x, 1, &arena);
    reopen_init(&x->reopen, &x->client, open_it, x);
    unlock_init(&x->unlock, &arena, &x->client, x->target);
    x->unlock.file = where->password_file;
    x->unlock.silent = x->collect;
    x->unlock.done = on_unlocked;
    x->unlock.ctx = x;
    unlock_recall(&x->unlock);
    (void)loop_add(loop, port_signal_open(), PORT_READ, on_signal, x);
    x->timer = loop_timer_add(loop, on_timer, x);
    x->patience = loop_timer_add(loop, on_patience, x);
    uint64_t wait = x->kill_ms > 0 ? x->kill_ms + KILL_SLACK_MS : x->wait_ms;
    if (wait > 0)
        loop_arm(loop, x->timer, port_now_ms() + wait);
    client_connect(&x->client);
    int status = client_run(&x->client);
    unlock_wipe(&x->unlock);
    return status;
}
