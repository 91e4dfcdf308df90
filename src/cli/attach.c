/*
 * `cmdop connect HOST`: a shell on a machine, on this terminal.
 *
 *   keyboard -> escape -> ring ----> channel        screen <- sink <- channel
 *
 * A lost connection is not the end: a line tells the state, keys are kept in
 * the ring, and the link is made anew at the offset this side has. Whatever
 * happens, the terminal gets its old modes back.
 */
#include <string.h>

#include "base/backoff.h"
#include "base/err.h"
#include "cli/escape.h"
#include "cli/run.h"
#include "cli/where.h"
#include "core/client.h"
#include "core/session.h"
#include "core/sink.h"

#define KEYS_AT_ONCE 4096
#define STATE_MS     1000 /* how often the state line counts */
#define LEAVE_MS     2000 /* for a screen that takes nothing, at the end */

struct attach {
    struct client client;
    struct chan chan;
    struct ring keys; /* offsets of the attachment's input */
    struct escape escape;
    struct sink screen;
    int keys_row;
    int screen_row;
    int retry; /* timers */
    int state;
    struct backoff backoff;
    const char *target;
    char session[SESSION_ID_CAP + NAME_CAP];
    bool is_new;
    bool observe;
    bool raw;      /* the terminal is in raw mode */
    bool attached; /* ever */
    bool open;     /* the channel is accepted */
    bool leaving;  /* detach was asked for */
    bool over;     /* result known; screen may still be busy */
    int status;
    uint64_t out_next; /* offset of the next output byte */
    uint64_t in_start; /* ring offset of this attachment's input 0 */
    uint64_t lost_ms;  /* since when; 0: connected */
    const char *last_words;
};

/* ---- the screen ------------------------------------------------------------------- */

/* Modes a program may have left on: alternate screen, mouse, bracketed
 * paste, application keys; and the cursor comes back. */
#define SCREEN_RESET                                                     \
    "\033[?1049l\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?2004l" \
    "\033[?1l\033>\033[?25h\033[0m"

static void to_terminal(struct attach *x, const char *text)
{
    (void)sink_put(&x->screen, view_str(text)); /* a full screen skips it */
}

static void leave(struct attach *x, int status, const char *words)
{
    if (x->over)
        return;
    x->over = true;
    x->status = status;
    x->last_words = words;
    x->lost_ms = 0;
    loop_want(&x->client.loop, x->keys_row, 0);
    if (sink_waits(&x->screen)) /* for the last output, but not for ever */
        loop_arm(&x->client.loop, x->state,
                 loop_now(&x->client.loop) + LEAVE_MS);
    else
        client_leave(&x->client, status);
}

static void state_line(struct attach *x)
{
    char buf[160];
    struct text t;
    uint64_t now = loop_now(&x->client.loop);
    if (x->lost_ms == 0 || !x->attached)
        return;
    TEXT_OF(&t, buf);
    text_str(&t, "\r\033[K[cmdop: connection lost ");
    text_u64(&t, (now - x->lost_ms) / 1000);
    text_str(&t, " s, trying again; ~. to leave]");
    to_terminal(x, buf);
    loop_arm(&x->client.loop, x->state, now + STATE_MS);
}

static void on_state(void *ctx, uint64_t now_ms)
{
    struct attach *x = ctx;
    (void)now_ms;
    if (x->over)
        client_leave(&x->client, x->status);
    else
        state_line(x);
}

static void detach(struct attach *x);

static void settle_screen(struct attach *x)
{
    loop_want(&x->client.loop, x->screen_row,
              sink_waits(&x->screen) ? PORT_WRITE : 0);
    if (!sink_waits(&x->screen))
        chan_used(&x->chan, 0, x->chan.rx[0].next, x->chan.rx[0].next);
    if (x->over && !sink_waits(&x->screen))
        client_leave(&x->client, x->status);
    else if (x->screen.err != OK && !x->over)
        detach(x); /* nobody sees it any more */
}

static void on_screen(void *ctx, uint8_t ready)
{
    struct attach *x = ctx;
    (void)ready;
    sink_flush(&x->screen);
    settle_screen(x);
}

/* ---- the keyboard ------------------------------------------------------------------- */

static void detach(struct attach *x)
{
    msg_close end = {.which_result = cmdop_agent_v1_Close_detached_tag,
                     .result.detached = true};
    x->leaving = true;
    /* What was typed before goes first, if the link still takes it. */
    chan_close(&x->chan, &end, x->open ? CHAN_FLUSH : CHAN_NOW);
    leave(x, CMD_OK, "[detached; the session goes on]\n");
}

static void help(struct attach *x)
{
    to_terminal(x, "\r\n~.  detach (Ctrl-D as well)\r\n~~  send a tilde\r\n"
                   "~?  this help\r\n");
    settle_screen(x);
}

static void watch_keys(struct attach *x)
{
    bool room = ring_room(&x->keys) > KEYS_AT_ONCE;
    /* While the link is down a full ring must not silence "~.". */
    loop_want(&x->client.loop, x->keys_row, room || !x->open ? PORT_READ : 0);
}

static void take_keys(struct attach *x, struct view in)
{
    uint8_t buf[KEYS_AT_ONCE + 1];
    struct writer out;
    while (in.len > 0 && !x->over) {
        writer_init(&out, SPAN_ARRAY(buf));
        enum escape_event event = escape_feed(&x->escape, &in, &out);
        if (!x->observe && ring_write(&x->keys, writer_view(&out)) != OK)
            to_terminal(x, "\a"); /* no room to keep more */
        chan_wake(&x->chan);
        if (event == ESCAPE_DETACH)
            detach(x);
        else if (event == ESCAPE_HELP)
            help(x);
    }
}

static void on_keys(void *ctx, uint8_t ready)
{
    struct attach *x = ctx;
    uint8_t buf[KEYS_AT_ONCE];
    (void)ready;
    int n = port_recv(PORT_STDIN, SPAN_ARRAY(buf));
    if (n < 0)
        detach(x); /* the terminal is gone, or the script ended */
    else
        take_keys(x, view_of(buf, (size_t)n));
    if (!x->over)
        watch_keys(x);
}

static void send_size(struct attach *x)
{
    uint16_t rows, cols;
    if (x->observe || port_term_size(PORT_STDIN, &rows, &cols) != OK)
        return;
    msg_event event = {.which_what = cmdop_agent_v1_Event_resize_tag,
                       .what.resize = {rows, cols}};
    (void)chan_event(&x->chan, &event);
}

static void on_signal(void *ctx, uint8_t ready)
{
    struct attach *x = ctx;
    enum port_signal sig;
    (void)ready;
    while ((sig = port_signal_take()) != PORT_SIG_NONE) {
        switch (sig) {
        case PORT_SIG_RESIZE: send_size(x); break;
        case PORT_SIG_TERM:
            if (x->over) /* asked twice */
                client_leave(&x->client, x->status);
            else
                detach(x);
            break;
        case PORT_SIG_CONT:
            if (x->raw)
                (void)port_term_raw(PORT_STDIN);
            send_size(x);
            break;
        case PORT_SIG_CHILD:
        case PORT_SIG_RELOAD:
        case PORT_SIG_NONE: break;
        }
    }
}

/* ---- the channel ----------------------------------------------------------------------- */

static void go_raw(struct attach *x)
{
    if (x->raw || !port_is_tty(PORT_STDIN))
        return;
    x->raw = port_term_raw(PORT_STDIN) == OK;
}

static void greet(struct attach *x, const msg_pty_accept *p)
{
    char buf[256];
    struct text t;
    TEXT_OF(&t, buf);
    text_str(&t, p->created ? "cmdop: session " : "cmdop: reattached to ");
    text_view(&t, view_first(view_str(p->session_id), 8));
    if (p->operators > 1) {
        text_str(&t, ", ");
        text_u64(&t, p->operators - 1);
        text_str(&t, " other operator(s) attached");
    }
    text_str(&t, "; Ctrl-D detaches\r\n");
    if (port_is_tty(PORT_STDIN))
        to_terminal(x, buf);
}

static void tell_gap(struct attach *x, uint64_t bytes)
{
    char buf[96];
    struct text t;
    TEXT_OF(&t, buf);
    text_str(&t, "\r\n[cmdop: ");
    text_u64(&t, bytes);
    text_str(&t, " bytes of output are no longer held]\r\n");
    to_terminal(x, buf);
}

static void on_accepted(void *ctx, const msg_accept *accept)
{
    struct attach *x = ctx;
    msg_pty_accept p = cmdop_agent_v1_PtyAccept_init_zero;
    (void)msg_decode(view_of(accept->params.bytes, accept->params.size),
                     cmdop_agent_v1_PtyAccept_fields, &p);
    STR_COPY(x->session, p.session_id);
    x->open = true;
    x->out_next = accept->out_offset;
    x->in_start = x->keys.head - accept->in_offset;
    if (x->lost_ms != 0 && x->attached)
        to_terminal(x, "\r\033[K");
    x->lost_ms = 0;
    loop_disarm(&x->client.loop, x->state);
    backoff_reset(&x->backoff);
    if (!x->attached) {
        go_raw(x);
        greet(x, &p);
    }
    if (p.gap > 0 && x->attached)
        tell_gap(x, p.gap);
    x->attached = true;
    loop_want(&x->client.loop, x->keys_row, PORT_READ);
    settle_screen(x);
}

static void try_again(struct attach *x)
{
    uint64_t now = loop_now(&x->client.loop);
    uint32_t random;
    if (x->lost_ms == 0)
        x->lost_ms = now;
    state_line(x);
    port_entropy((struct span){(uint8_t *)&random, sizeof(random)});
    loop_arm(&x->client.loop, x->retry,
             now + backoff_next(&x->backoff, random));
}

static void on_rejected(void *ctx, const msg_reject *r)
{
    struct attach *x = ctx;
    static char words[800];
    struct text t;
    if (x->attached && (r->code == cmdop_agent_v1_Code_CODE_OFFLINE ||
                        r->code == cmdop_agent_v1_Code_CODE_LOST)) {
        try_again(x); /* the machine is on its way back */
        return;
    }
    TEXT_OF(&t, words);
    text_str(&t, "cmdop: ");
    text_safe(&t, view_str(r->message));
    if (r->remedy[0] != '\0') {
        text_str(&t, "; ");
        text_safe(&t, view_str(r->remedy));
    }
    text_str(&t, "\n");
    leave(x, where_status((int)r->code), words);
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct attach *x = ctx;
    (void)fin;
    if (stream != 0)
        return ERR_PROTO;
    if (off > x->out_next)
        tell_gap(x, off - x->out_next);
    x->out_next = off + bytes.len;
    if (sink_put(&x->screen, bytes) != OK)
        return ERR_PROTO;
    settle_screen(x);
    return OK;
}

static void on_event(void *ctx, const msg_event *event)
{
    (void)ctx;
    (void)event; /* notices are shown by a later version */
}

static void on_closed(void *ctx, const msg_close *end)
{
    struct attach *x = ctx;
    static char words[512];
    struct text t;
    x->open = false;
    if (end == NULL)
        return; /* the link went away: on_down decides */
    switch (end->which_result) {
    case cmdop_agent_v1_Close_exit_status_tag:
        leave(x, (int)(end->result.exit_status & 0xFF), "");
        return;
    case cmdop_agent_v1_Close_signal_tag:
        leave(x, 128 + (int)(end->result.signal & 0x7F), "");
        return;
    default: break;
    }
    if (end->which_result == cmdop_agent_v1_Close_failure_tag &&
        end->result.failure.code == cmdop_agent_v1_Code_CODE_LOST &&
        x->attached && !x->leaving) {
        try_again(x);
        return;
    }
    if (end->which_result != cmdop_agent_v1_Close_failure_tag) {
        leave(x, CMD_OK, "[the session was left there; it goes on]\n");
        return;
    }
    TEXT_OF(&t, words);
    text_str(&t, "cmdop: ");
    text_safe(&t, view_str(end->result.failure.message));
    text_str(&t, "\n");
    leave(x, where_status((int)end->result.failure.code), words);
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct attach *x = ctx;
    (void)stream;
    uint64_t at = *off + x->in_start;
    *fin = x->leaving && at + ring_at(&x->keys, at).len == x->keys.tail;
    return ring_at(&x->keys, at);
}

/* What went out is gone from here: a key is sent at most once, so a lost
 * link may lose what was under way but never types it twice. */
static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct attach *x = ctx;
    (void)stream;
    ring_consume(&x->keys, upto + x->in_start);
    watch_keys(x);
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

/* ---- the connection ----------------------------------------------------------------------- */

static void put_env(struct msg_strings *env, const char *name, char *buf,
                    size_t cap)
{
    struct text t;
    char value[64];
    if (env->count + 1 >= env->cap || !port_env(name, value, sizeof(value)))
        return;
    text_init(&t, buf, cap);
    text_join(&t, name, "=", value, NULL);
    env->list[env->count++] = buf;
}

static void open_session(struct attach *x)
{
    uint8_t raw[1024];
    char lang[80], ctype[80], color[80], term[40];
    const char *list[4] = {0};
    struct msg_strings env = {.list = list, .cap = 4};
    msg_pty_open p = cmdop_agent_v1_PtyOpen_init_zero;
    msg_open open = {.kind = cmdop_agent_v1_Kind_KIND_PTY};
    uint16_t rows = 0, cols = 0;
    put_env(&env, "LANG", lang, sizeof(lang));
    put_env(&env, "LC_CTYPE", ctype, sizeof(ctype));
    put_env(&env, "COLORTERM", color, sizeof(color));
    (void)port_term_size(PORT_STDIN, &rows, &cols);
    if (port_env("TERM", term, sizeof(term)))
        STR_COPY(p.term, term);
    STR_COPY(p.session_id, x->session);
    p.last = !x->is_new;
    p.rows = rows;
    p.cols = cols;
    p.observe = x->observe;
    p.resume = x->attached;
    p.out_offset = x->out_next;
    p.env = msg_strings_out(&env);
    int len =
        msg_encode_plain(SPAN_ARRAY(raw), cmdop_agent_v1_PtyOpen_fields, &p);
    struct msg_blob blob = {.data = view_of(raw, (size_t)len)};
    STR_COPY(open.target, x->target);
    open.params = msg_blob_out(&blob);
    /* What waits from before the link was lost must fit as well. */
    uint32_t room = ring_room(&x->screen.ring) / 2;
    chan_init(&x->chan, &ops, x, 1, room < WINDOW_BULK ? room : WINDOW_BULK,
              false);
    x->chan.gaps_ok = x->chan.any_start = true;
    (void)chan_open(client_mux(&x->client), &x->chan, &open);
}

static void on_up(void *ctx)
{
    open_session(ctx);
}

static void on_down(void *ctx, const char *why, bool fatal)
{
    struct attach *x = ctx;
    static char words[400];
    struct text t;
    if (x->over)
        return;
    if (fatal || !x->attached) {
        TEXT_OF(&t, words);
        text_join(&t, "cmdop: ", why, "\n", NULL);
        leave(x, CMD_TRANSPORT, words);
        return;
    }
    try_again(x);
}

static void on_retry(void *ctx, uint64_t now_ms)
{
    struct attach *x = ctx;
    (void)now_ms;
    if (x->over)
        return;
    if (x->client.up)
        open_session(x); /* the relay is there, the machine was not */
    else
        client_connect(&x->client);
}

static const struct client_ops client_ops = {on_up, on_down};

static int run(struct attach *x, const struct cmd_env *env,
               const struct where *where)
{
    char buf[512];
    struct arena arena;
    struct text why;
    TEXT_OF(&why, buf);
    arena_init(&arena, port_memory(CLIENT_BYTES + 2 * WINDOW_BULK +
                                   WINDOW_INPUT + 65536));
    if (client_init(&x->client, &arena, env->version, where->server,
                    where->local, &client_ops, x, &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_TRANSPORT;
    }
    struct loop *loop = &x->client.loop;
    ring_init(&x->keys, arena_span(&arena, WINDOW_INPUT), 0);
    (void)port_handle_nonblock(PORT_STDIN);
    (void)port_handle_nonblock(PORT_STDOUT);
    sink_init(&x->screen, arena_span(&arena, 2 * WINDOW_BULK), PORT_STDOUT, 0);
    x->screen_row = loop_add(loop, PORT_STDOUT, 0, on_screen, x);
    x->keys_row = loop_add(loop, PORT_STDIN, 0, on_keys, x);
    (void)loop_add(loop, port_signal_open(), PORT_READ, on_signal, x);
    x->retry = loop_timer_add(loop, on_retry, x);
    x->state = loop_timer_add(loop, on_state, x);
    backoff_init(&x->backoff, 50, 2000);
    escape_init(&x->escape);
    client_connect(&x->client);
    int status = client_run(&x->client);
    if (x->raw)
        cmd_out(view_str(SCREEN_RESET));
    port_term_restore();
    if (x->last_words != NULL && x->last_words[0] != '\0') {
        if (x->raw)
            cmd_out(view_str("\n"));
        cmd_note(x->last_words);
    }
    return status;
}

int attach_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
               char **argv)
{
    static struct attach x;
    struct where where = {0};
    const char *session = NULL;
    const struct cmd_opt opts[] = {{"--new", NULL, &x.is_new, NULL},
                                   {"--session", NULL, NULL, &session},
                                   {"--observe", NULL, &x.observe, NULL},
                                   WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc < 2 && !where.local)
        return cmd_usage(
            cmd, "which machine? `cmdop connect --list` shows them", "");
    if (argc > 2)
        return cmd_usage(cmd, "one machine, please: ", argv[2]);
    if (session != NULL)
        STR_COPY(x.session, session);
    x.target = argc == 2 ? argv[1] : "";
    return run(&x, env, &where);
}
