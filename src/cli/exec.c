/*
 * `cmdop connect exec`: one command on pipes.
 *
 *   stdin  -> ring ----> channel, stream 0
 *   stdout <- sink <---- stream 0      stderr <- sink <---- stream 1
 *
 * With --json both outputs are collected and one object is printed.
 */
#include <string.h>

#include "base/err.h"
#include "cli/run.h"
#include "cli/where.h"
#include "core/client.h"
#include "core/sink.h"

#define COLLECT_MAX      (1024 * 1024) /* per stream with --json */
#define JSON_MAX         (6 * 2 * COLLECT_MAX + 65536)
#define SIGPIPE_NUMBER   13 /* the same everywhere */
#define TIMEOUT_JSON_MS  30000
/* The machine ends the command by itself; if it is gone, we do it here. */
#define TIMEOUT_SLACK_MS 10000

struct output {
    struct sink sink;
    int row;
    uint8_t *data; /* --json */
    size_t len;
    bool cut;
};

struct exec {
    struct client client;
    struct chan chan;
    struct ring in;
    int in_row;             /* -1: not watched */
    struct loop_job in_job; /* a file is read without waiting */
    bool in_fin;
    struct output out[CHAN_STREAMS];
    const char *target;
    char **argv;
    uint32_t argc;
    uint64_t timeout_ms;
    int timer;
    bool json;
    bool accepted;
    bool over; /* the result is known */
    msg_close end;
    msg_exec_accept machine;
    uint64_t started_us;
};

/* ---- the result ------------------------------------------------------------------ */

static int status_of(const msg_close *end)
{
    switch (end->which_result) {
    case cmdop_agent_v1_Close_exit_status_tag:
        return (int)(end->result.exit_status & 0xFF);
    case cmdop_agent_v1_Close_signal_tag:
        return 128 + (int)(end->result.signal & 0x7F);
    case cmdop_agent_v1_Close_failure_tag:
        return where_status((int)end->result.failure.code);
    default: return CMD_TRANSPORT;
    }
}

static const char *outcome(const msg_close *end, bool accepted)
{
    switch (end->which_result) {
    case cmdop_agent_v1_Close_exit_status_tag: return "exited";
    case cmdop_agent_v1_Close_signal_tag: return "signalled";
    default: break;
    }
    if (end->result.failure.code == cmdop_agent_v1_Code_CODE_TIMEOUT)
        return "timeout";
    return accepted ? "lost" : "refused";
}

static void json_result(const struct exec *x)
{
    struct span mem = port_memory(JSON_MAX);
    struct json_out j;
    json_begin(&j, (char *)mem.ptr, mem.len);
    json_obj_begin(&j);
    json_member(&j, "machine_id", x->machine.machine_id);
    json_member(&j, "hostname",
                x->machine.hostname[0] != '\0' ? x->machine.hostname
                                               : x->target);
    json_key(&j, "command");
    json_arr_begin(&j);
    for (uint32_t i = 0; i < x->argc; i++)
        json_cstr(&j, x->argv[i]);
    json_arr_end(&j);
    json_member(&j, "outcome", outcome(&x->end, x->accepted));
    json_key(&j, "exit_code");
    json_i64(&j, status_of(&x->end));
    json_key(&j, "stdout");
    json_str(&j, view_of(x->out[0].data, x->out[0].len));
    json_key(&j, "stderr");
    json_str(&j, view_of(x->out[1].data, x->out[1].len));
    json_key(&j, "truncated");
    json_bool(&j, x->out[0].cut || x->out[1].cut);
    json_key(&j, "duration_ms");
    json_u64(&j, (port_now_us() - x->started_us) / 1000);
    if (x->end.which_result == cmdop_agent_v1_Close_failure_tag) {
        json_member(&j, "error", x->end.result.failure.message);
    }
    json_obj_end(&j);
    cmd_out_json(&j);
}

/* Leave when the result is known and all output has been written. */
static void leave_if_done(struct exec *x)
{
    if (!x->over || x->client.done || sink_waits(&x->out[0].sink) ||
        sink_waits(&x->out[1].sink))
        return;
    if (x->json)
        json_result(x);
    client_leave(&x->client, status_of(&x->end));
}

static void finish(struct exec *x, const msg_close *end)
{
    if (x->over)
        return;
    x->over = true;
    x->end = *end;
    const cmdop_agent_v1_Failure *f = &end->result.failure;
    if (end->which_result == cmdop_agent_v1_Close_failure_tag && !x->json)
        cmd_say(f->message, f->remedy[0] != '\0' ? "; " : "", f->remedy, NULL);
    leave_if_done(x);
}

static void fail(struct exec *x, msg_code code, const char *message,
                 const char *remedy)
{
    msg_close end = chan_failure(code, message, remedy);
    finish(x, &end);
}

/* ---- stdin ----------------------------------------------------------------------- */

static void stop_reading(struct exec *x)
{
    if (x->in_row >= 0)
        loop_remove(&x->client.loop, x->in_row);
    x->in_row = -1;
}

static void watch_in(struct exec *x)
{
    bool want = !x->in_fin && ring_room(&x->in) > 0;
    if (x->in_row >= 0)
        loop_want(&x->client.loop, x->in_row, want ? PORT_READ : 0);
    else if (want)
        loop_later(&x->client.loop, &x->in_job);
}

static void read_in(struct exec *x)
{
    struct span room = ring_space(&x->in);
    int n = room.len == 0 ? 0 : port_recv(PORT_STDIN, room);
    if (n > 0)
        ring_commit(&x->in, (uint32_t)n);
    if (n < 0) {
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
    struct exec *x = ctx;
    if (!x->over && !x->in_fin)
        read_in(x);
}

static void start_reading(struct exec *x)
{
    x->in_row = -1;
    loop_job_init(&x->in_job, on_stdin_file, x);
    if (port_handle_waits(PORT_STDIN))
        x->in_row =
            loop_add(&x->client.loop, PORT_STDIN, PORT_READ, on_stdin, x);
    watch_in(x);
}

/* ---- stdout, stderr ----------------------------------------------------------------- */

/* Nobody reads on: end as a filter ends, with the command told to. */
static void stop_writing(struct exec *x, int err)
{
    msg_close end = {.which_result = cmdop_agent_v1_Close_signal_tag,
                     .result.signal = SIGPIPE_NUMBER};
    if (x->over)
        return;
    if (err == ERR_CLOSED)
        finish(x, &end);
    else
        fail(x, cmdop_agent_v1_Code_CODE_INTERNAL,
             "the output cannot be written", port_why());
}

static void settle_out(struct exec *x, uint32_t stream)
{
    struct output *o = &x->out[stream];
    uint64_t done = sink_done(&o->sink);
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
    struct exec *x = ctx;
    (void)ready;
    sink_flush(&x->out[0].sink);
    settle_out(x, 0);
}

static void on_stderr(void *ctx, uint8_t ready)
{
    struct exec *x = ctx;
    (void)ready;
    sink_flush(&x->out[1].sink);
    settle_out(x, 1);
}

static void collect(struct output *o, struct view bytes)
{
    struct view part = view_first(bytes, COLLECT_MAX - o->len);
    if (part.len > 0)
        memcpy(o->data + o->len, part.ptr, part.len);
    o->len += part.len;
    o->cut = o->cut || part.len < bytes.len;
}

static void out_init(struct exec *x, uint32_t stream, struct arena *a)
{
    struct output *o = &x->out[stream];
    int handle = stream == 0 ? PORT_STDOUT : PORT_STDERR;
    sink_init(&o->sink, arena_span(a, WINDOW_BULK), x->json ? -1 : handle, 0);
    o->row = -1;
    if (x->json) {
        o->data = arena_carve(a, COLLECT_MAX, 16);
        return;
    }
    (void)port_handle_nonblock(handle);
    if (port_handle_waits(handle))
        o->row = loop_add(&x->client.loop, handle, 0,
                          stream == 0 ? on_stdout : on_stderr, x);
}

/* ---- the channel -------------------------------------------------------------------- */

static void on_accepted(void *ctx, const msg_accept *accept)
{
    struct exec *x = ctx;
    x->accepted = true;
    (void)msg_decode(view_of(accept->params.bytes, accept->params.size),
                     cmdop_agent_v1_ExecAccept_fields, &x->machine);
    start_reading(x);
}

static void on_rejected(void *ctx, const msg_reject *r)
{
    fail(ctx, r->code, r->message, r->remedy);
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct exec *x = ctx;
    (void)off;
    (void)fin;
    if (x->json)
        collect(&x->out[stream], bytes);
    if (sink_put(&x->out[stream].sink, bytes) != OK)
        return ERR_PROTO;
    settle_out(x, stream);
    return OK;
}

static void on_event(void *ctx, const msg_event *event)
{
    (void)ctx;
    (void)event;
}

static void on_closed(void *ctx, const msg_close *end)
{
    struct exec *x = ctx;
    stop_reading(x);
    if (end != NULL)
        finish(x, end);
    else
        fail(x, cmdop_agent_v1_Code_CODE_LOST,
             "the connection to the relay was lost while the command ran", "");
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct exec *x = ctx;
    (void)stream;
    struct view v = ring_at(&x->in, *off);
    *fin = x->in_fin && *off + v.len == x->in.tail;
    return v;
}

static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct exec *x = ctx;
    (void)stream;
    ring_consume(&x->in, upto);
    watch_in(x);
}

static const struct chan_ops ops = {
    .accepted = on_accepted,
    .rejected = on_rejected,
    .data = on_data,
    .event = on_event,
    .closed = on_closed,
    .peek = on_peek,
    .sent = on_sent,
};

/* ---- the connection -------------------------------------------------------------------- */

static void on_timeout(void *ctx, uint64_t now_ms)
{
    (void)now_ms;
    fail(ctx, cmdop_agent_v1_Code_CODE_TIMEOUT,
         "the command took longer than allowed",
         "give it more time with --timeout");
}

static void on_up(void *ctx)
{
    struct exec *x = ctx;
    static uint8_t raw[FRAME_MAX];
    msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
    msg_open open = {.kind = cmdop_agent_v1_Kind_KIND_EXEC};
    struct msg_strings argv = {.list = (const char **)x->argv,
                               .count = x->argc};
    p.argv = msg_strings_out(&argv);
    p.timeout_ms = (uint32_t)x->timeout_ms;
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
    open.params = msg_blob_out(&blob);
    chan_init(&x->chan, &ops, x, 1, WINDOW_BULK, true);
    if (chan_open(client_mux(&x->client), &x->chan, &open) != OK)
        fail(x, cmdop_agent_v1_Code_CODE_INTERNAL,
             "the request does not fit the connection", "");
}

static void on_down(void *ctx, const char *why, bool fatal)
{
    struct exec *x = ctx;
    (void)fatal;
    fail(x, cmdop_agent_v1_Code_CODE_LOST, why, "");
}

static const struct client_ops client_ops = {.up = on_up, .down = on_down};

/* There is no connection to try: say it in the form that was asked for. */
static void fail_early(struct exec *x, const char *why)
{
    x->end = chan_failure(cmdop_agent_v1_Code_CODE_LOST, why, "");
    if (x->json)
        json_result(x);
    else
        cmd_say(why, NULL);
}

static int run(struct exec *x, const struct cmd_env *env,
               const struct where *where)
{
    char buf[512];
    struct arena arena;
    struct text why;
    TEXT_OF(&why, buf);
    x->started_us = port_now_us();
    arena_init(&arena, port_memory(CLIENT_BYTES + 3 * WINDOW_BULK +
                                   2 * COLLECT_MAX + 65536));
    if (client_init(&x->client, &arena, env->version, where->server,
                    where->local, &client_ops, x, &why) != OK) {
        fail_early(x, buf);
        return CMD_TRANSPORT;
    }
    ring_init(&x->in, arena_span(&arena, WINDOW_BULK), 0);
    x->in_row = -1;
    out_init(x, 0, &arena);
    out_init(x, 1, &arena);
    x->timer = loop_timer_add(&x->client.loop, on_timeout, x);
    if (x->timeout_ms > 0)
        loop_arm(&x->client.loop, x->timer,
                 port_now_ms() + x->timeout_ms + TIMEOUT_SLACK_MS);
    client_connect(&x->client);
    return client_run(&x->client);
}

int exec_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
             char **argv)
{
    static struct exec x;
    struct where where = {0};
    const char *timeout = NULL;
    const struct cmd_opt opts[] = {{"--json", NULL, &x.json, NULL},
                                   {"--timeout", "-t", NULL, &timeout},
                                   WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (rest < 2)
        return cmd_usage(cmd, "a machine is missing", "");
    if (rest > 2 || rest == argc)
        return cmd_usage(cmd,
                         "write `--` before the command: cmdop connect exec "
                         "HOST -- ",
                         rest > 2 ? argv[2] : "ARGV...");
    x.timeout_ms = x.json ? TIMEOUT_JSON_MS : 0;
    if (timeout != NULL &&
        (text_parse_duration(view_str(timeout), &x.timeout_ms) != OK ||
         x.timeout_ms > UINT32_MAX))
        return cmd_usage(cmd,
                         "that is not a duration like 30s or 5m: ", timeout);
    x.target = argv[1];
    x.argv = argv + rest;
    x.argc = (uint32_t)(argc - rest);
    return run(&x, env, &where);
}
