/*
 * `cmdop connect HOST`: a shell on a machine, on this terminal.
 *
 *   keyboard -> escape -> ring ----> channel        screen <- sink <- channel
 *
 * A lost connection is not the end: a line tells the state, and the link is
 * made anew at the offset this side has. Keys stay in the ring until the
 * machine says that they were applied, and are sent again from the one it
 * wants, so they are applied once. Whatever happens, the terminal gets its old
 * modes back.
 *
 *         head               sent                tail
 *          | may be applied    | typed, not sent   |
 *     -----+===================+===================+----> offsets of `keys`
 */
#include <string.h>

#include "base/err.h"
#include "cli/escape.h"
#include "cli/reopen.h"
#include "cli/replay.h"
#include "cli/run.h"
#include "cli/unlock.h"
#include "cli/where.h"
#include "core/client.h"
#include "core/session.h"
#include "core/sink.h"
#include "crypto/ct.h"

#define KEYS_AT_ONCE 4096
#define KEYS_BYTES   (1 << 20) /* kept while nobody takes them: a long paste */
#define STATE_MS     1000      /* how often the state line counts */
#define LEAVE_MS     2000      /* for a screen that takes nothing, at the end */
#define NOTICE_MS    500  /* a loss that is mended sooner is not worth a word */
#define DOUBT_MS     250  /* without an acknowledgement: ask the relay */
#define STUCK_MS     2000 /* and the person is told */

struct attach {
    struct client client;
    struct chan chan;
    struct ring keys;         /* offsets of the attachment's input */
    uint64_t sent;            /* those below it went out */
    uint8_t key[WRITERS_KEY]; /* of the attachment */
    struct escape escape;
    struct sink screen;
    int keys_row;
    int screen_row;
    int state; /* timers */
    int doubt;
    struct reopen reopen;
    struct unlock unlock;
    const char *target;
    char session[SESSION_ID_CAP + NAME_CAP];
    bool is_new;
    bool observe;
    bool raw;      /* the terminal is in raw mode */
    bool attached; /* ever */
    bool asked_password;
    bool open; /* the channel is accepted */
    bool wants_control;
    bool shown;   /* the state line stands on the screen */
    bool leaving; /* detach was asked for */
    bool over;    /* result known; screen may still be busy */
    int status;
    struct replay replay;
    uint64_t old_end;    /* output below it was there before us */
    uint64_t out_next;   /* offset of the next output byte */
    uint64_t in_start;   /* ring offset of the machine's input 0 */
    uint64_t lost_ms;    /* since when; 0: connected */
    uint64_t unacked_ms; /* typed bytes wait since then; 0: none do */
    uint64_t doubt_ms;   /* the relay gives no answer since then; 0: it does */
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
    if (sink_waits(&x->screen))
        loop_want(&x->client.loop, x->screen_row, PORT_WRITE);
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

/* Since when there was no answer, 0: there was. */
static uint64_t silent_since(const struct attach *x)
{
    return x->unacked_ms != 0 ? x->unacked_ms : x->doubt_ms;
}

/* When there is something to tell, 0: there is nothing. */
static uint64_t state_due(const struct attach *x)
{
    if (x->lost_ms != 0)
        return x->lost_ms + NOTICE_MS;
    return silent_since(x) != 0 ? silent_since(x) + STUCK_MS : 0;
}

static void state_line(struct attach *x)
{
    char buf[160];
    struct text t;
    uint64_t now = loop_now(&x->client.loop);
    bool lost = x->lost_ms != 0;
    uint64_t since = lost ? x->lost_ms : silent_since(x);
    TEXT_OF(&t, buf);
    text_str(&t, lost ? "\r\033[K[cmdop: connection lost "
                      : "\r\033[K[cmdop: no answer for ");
    text_u64(&t, (now - since) / 1000);
    text_str(&t, lost ? " s, trying again; ~. to leave]" : " s; ~. to leave]");
    if (!sink_waits(&x->screen)) /* hours of it would fill what is kept */
        to_terminal(x, buf);
    x->shown = true;
}

/* A full ring waits for room, but where the line says "~. to leave" it must
 * not silence that: what there is no room for is dropped then. */
static void watch_keys(struct attach *x)
{
    bool room = ring_room(&x->keys) > KEYS_AT_ONCE;
    loop_want(&x->client.loop, x->keys_row,
              room || !x->open || x->shown ? PORT_READ : 0);
}

/* The line is shown, counted and taken away as the state demands. */
static void tell_state(struct attach *x)
{
    uint64_t now = loop_now(&x->client.loop), due = state_due(x);
    if (x->over)
        return;
    if (due == 0 || !x->attached) {
        loop_disarm(&x->client.loop, x->state);
        if (!x->shown)
            return;
        to_terminal(x, "\r\033[K");
        x->shown = false;
        watch_keys(x);
        return;
    }
    if (now >= due) {
        state_line(x);
        watch_keys(x);
    }
    loop_arm(&x->client.loop, x->state, now >= due ? now + STATE_MS : due);
}

static void on_state(void *ctx, uint64_t now_ms)
{
    struct attach *x = ctx;
    (void)now_ms;
    if (x->over)
        client_leave(&x->client, x->status);
    else
        tell_state(x);
}

static void detach(struct attach *x);
static void open_session(struct attach *x);

static void settle_screen(struct attach *x)
{
    loop_want(&x->client.loop, x->screen_row,
              sink_waits(&x->screen) ? PORT_WRITE : 0);
    if (!sink_waits(&x->screen)) {
        if (x->open) /* all of it is free, see open_session */
            x->chan.window = WINDOW_BULK;
        chan_used(&x->chan, 0, x->chan.rx[0].next, x->chan.rx[0].next);
    }
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
    to_terminal(x, "\r\n~.  detach (Ctrl-D as well)\r\n"
                   "~t  take control: nobody else types\r\n"
                   "~r  let everybody type again\r\n"
                   "~~  send a tilde\r\n~?  this help\r\n");
}

/* Who only watched asks anew, as one who types. */
static void become_operator(struct attach *x)
{
    msg_close end = {.which_result = cmdop_agent_v1_Close_detached_tag,
                     .result.detached = true};
    x->observe = false;
    x->wants_control = true;
    x->open = false;
    chan_close(&x->chan, &end, CHAN_NOW);
}

static void control(struct attach *x, bool take)
{
    msg_event event = {.which_what = cmdop_agent_v1_Event_control_tag,
                       .what.control.take = take};
    if (!x->open)
        return;
    if (x->observe && take)
        become_operator(x);
    else if (!x->observe && chan_event(&x->chan, &event) == OK && take)
        to_terminal(x, "\r\n[cmdop: you type alone; ~r ends that]\r\n");
}

static void take_keys(struct attach *x, struct view in)
{
    uint8_t buf[KEYS_AT_ONCE + 1];
    struct writer out;
    while (in.len > 0 && !x->over) {
        writer_init(&out, SPAN_ARRAY(buf));
        enum escape_event event = escape_feed(&x->escape, &in, &out);
        uplink_attend(&x->client.uplink);
        if (!x->observe && ring_write(&x->keys, writer_view(&out)) != OK)
            to_terminal(x, "\a"); /* no room to keep more */
        chan_wake(&x->chan);
        if (event == ESCAPE_DETACH)
            detach(x);
        else if (event == ESCAPE_TAKE || event == ESCAPE_GIVE)
            control(x, event == ESCAPE_TAKE);
        else if (event == ESCAPE_HELP)
            help(x);
    }
}

/* Before there is a session the keyboard may be wanted for its password. */
static void take_secret(struct attach *x, int n, struct span buf)
{
    if (n < 0)
        leave(x, CMD_DENIED, "");
    else
        unlock_keys(&x->unlock, view_of(buf.ptr, (size_t)n));
    ct_wipe(buf);
}

static void on_keys(void *ctx, uint8_t ready)
{
    struct attach *x = ctx;
    uint8_t buf[KEYS_AT_ONCE];
    (void)ready;
    int n = port_recv(PORT_STDIN, SPAN_ARRAY(buf));
    if (unlock_is_busy(&x->unlock)) {
        take_secret(x, n, SPAN_ARRAY(buf));
        return;
    }
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
    if (p->attached[0] != '\0') {
        text_str(&t, ", with ");
        text_safe(&t, view_str(p->attached));
    }
    text_str(&t, x->observe ? "; you watch, ~t takes control" : "");
    text_str(&t, "; Ctrl-D detaches\r\n");
    if (port_is_tty(PORT_STDIN))
        to_terminal(x, buf);
}

/* What somebody else says, on a line of its own. */
static void tell(struct attach *x, const char *what)
{
    char buf[300];
    struct text t;
    TEXT_OF(&t, buf);
    text_str(&t, "\r\n[cmdop: ");
    text_safe(&t, view_str(what));
    text_str(&t, "]\r\n");
    to_terminal(x, buf);
}

static void tell_bytes(struct attach *x, uint64_t bytes, const char *what)
{
    char buf[96];
    struct text t;
    TEXT_OF(&t, buf);
    text_str(&t, "\r\n[cmdop: ");
    text_u64(&t, bytes);
    text_str(&t, what);
    text_str(&t, "]\r\n");
    to_terminal(x, buf);
}

static void tell_gap(struct attach *x, uint64_t bytes)
{
    tell_bytes(x, bytes, " bytes of output are no longer held");
}

static void tell_skip(struct attach *x, uint64_t bytes)
{
    tell_bytes(x, bytes, " bytes of output skipped");
}

static void tell_lost_keys(struct attach *x, uint64_t bytes)
{
    tell_bytes(x, bytes, " typed bytes may be lost");
}

/* Where the machine wants us to go on. If it has forgotten us, what went out
 * and was not acknowledged may be applied or not: it is told, not repeated. */
static int continue_input(struct attach *x, uint64_t in_offset, bool known)
{
    uint64_t at = in_offset + x->in_start;
    if (!known || at < x->keys.head) { /* or began anew, unheard by us */
        if (x->sent > x->keys.head)
            tell_lost_keys(x, x->sent - x->keys.head);
        x->in_start = x->sent - in_offset;
        at = x->sent;
    }
    if (at > x->sent)
        return ERR_PROTO;
    ring_consume(&x->keys, at);
    x->sent = at;
    return OK;
}

static void on_accepted(void *ctx, const msg_accept *accept)
{
    struct attach *x = ctx;
    msg_pty_accept p = cmdop_agent_v1_PtyAccept_init_zero;
    (void)msg_decode(view_of(accept->params.bytes, accept->params.size),
                     cmdop_agent_v1_PtyAccept_fields, &p);
    STR_COPY(x->session, p.session_id);
    x->open = true;
    x->wants_control = false;
    x->out_next = accept->out_offset;
    x->lost_ms = 0;
    tell_state(x);
    if (continue_input(x, accept->in_offset, p.known) != OK) {
        msg_close end = chan_failure(cmdop_agent_v1_Code_CODE_PROTOCOL,
                                     "no such input was typed", "");
        chan_close(&x->chan, &end, CHAN_NOW);
        leave(x, CMD_TRANSPORT,
              "cmdop: the machine wants input that was never typed\n");
        return;
    }
    reopen_worked(&x->reopen);
    uplink_attend(&x->client.uplink);
    if (!x->attached) {
        go_raw(x);
        greet(x, &p);
        x->old_end = p.created ? 0 : p.out_end;
    }
    if (p.gap > 0 && x->attached)
        tell_gap(x, p.gap);
    x->attached = true;
    watch_keys(x);
    settle_screen(x);
}

/* Nothing is sent or acknowledged until there is a channel again. */
static void lost(struct attach *x)
{
    uint64_t since = silent_since(x);
    x->open = false;
    if (x->lost_ms == 0)
        x->lost_ms = since != 0 ? since : loop_now(&x->client.loop);
    x->unacked_ms = x->doubt_ms = 0;
    loop_disarm(&x->client.loop, x->doubt);
    tell_state(x);
}

/* What passes when the machine, or another link of ours, has settled. */
static bool may_reopen(const struct attach *x, msg_code code)
{
    return x->attached && !x->leaving &&
           (code == cmdop_agent_v1_Code_CODE_OFFLINE ||
            code == cmdop_agent_v1_Code_CODE_LOST ||
            code == cmdop_agent_v1_Code_CODE_TIMEOUT ||
            code == cmdop_agent_v1_Code_CODE_LIMIT ||
            code == cmdop_agent_v1_Code_CODE_CONFLICT);
}

static void leave_because(struct attach *x, msg_code code, const char *message,
                          const char *remedy)
{
    static char words[800];
    struct text t;
    TEXT_OF(&t, words);
    text_str(&t, "cmdop: ");
    text_safe(&t, view_str(message));
    if (remedy[0] != '\0') {
        text_str(&t, "; ");
        text_safe(&t, view_str(remedy));
    }
    text_str(&t, "\n");
    leave(x, client_status(code), words);
}

/* There is no place for one more who types. */
static void watch_on(struct attach *x, const msg_reject *r)
{
    tell(x, r->message);
    x->observe = true;
    x->wants_control = false;
    open_session(x);
}

static void on_rejected(void *ctx, const msg_reject *r)
{
    struct attach *x = ctx;
    if (x->wants_control && r->code == cmdop_agent_v1_Code_CODE_LIMIT) {
        watch_on(x, r);
    } else if (may_reopen(x, r->code)) {
        lost(x);
        reopen_later(&x->reopen);
    } else if (r->code == cmdop_agent_v1_Code_CODE_PIN && !x->attached &&
               !x->asked_password) {
        x->asked_password = true;
        unlock_begin(&x->unlock);
    } else {
        leave_because(x, r->code, r->message, r->remedy);
    }
}

/* ---- the password of the machine ---------------------------------------------------------- */

static void want_keyboard(void *ctx, bool wanted)
{
    struct attach *x = ctx;
    loop_want(&x->client.loop, x->keys_row, wanted ? PORT_READ : 0);
}

static void on_unlocked(void *ctx, msg_code code, const char *message,
                        const char *remedy)
{
    struct attach *x = ctx;
    if (x->over)
        return;
    if (code == cmdop_agent_v1_Code_CODE_UNSPECIFIED)
        open_session(x);
    else
        leave_because(x, code, message, remedy);
}

/* Output from before this terminal came: what it asks for is not answered. */
static int show_old(struct attach *x, struct view bytes)
{
    static uint8_t buf[FRAME_MAX + 2 * REPLAY_HELD];
    struct writer out;
    writer_init(&out, SPAN_ARRAY(buf));
    replay_feed(&x->replay, bytes, &out);
    if (x->out_next == x->old_end)
        write_bytes(&out, replay_rest(&x->replay)); /* it goes on now */
    return sink_put(&x->screen, writer_view(&out));
}

static int show(struct attach *x, struct view bytes)
{
    uint64_t left = x->old_end > x->out_next ? x->old_end - x->out_next : 0;
    size_t n = left < bytes.len ? (size_t)left : bytes.len;
    int err = OK;
    x->out_next += n;
    if (n > 0)
        err = show_old(x, view_first(bytes, n));
    x->out_next += bytes.len - n;
    return err != OK ? err : sink_put(&x->screen, view_from(bytes, n));
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct attach *x = ctx;
    (void)fin;
    if (stream != 0)
        return ERR_PROTO;
    if (off > x->out_next) {
        tell_skip(x, off - x->out_next);
        replay_init(&x->replay); /* its end is gone */
    }
    x->out_next = off;
    if (show(x, bytes) != OK)
        return ERR_PROTO;
    settle_screen(x);
    return OK;
}

static void on_event(void *ctx, const msg_event *event)
{
    if (event->which_what == cmdop_agent_v1_Event_notice_tag)
        tell(ctx, event->what.notice.text);
}

/* Our own Close went out: of the channel on which we only watched. */
static void on_ended(void *ctx)
{
    struct attach *x = ctx;
    if (!x->over && x->wants_control)
        open_session(x);
}

static void on_closed(void *ctx, const msg_close *end)
{
    struct attach *x = ctx;
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
        may_reopen(x, end->result.failure.code)) {
        lost(x);
        reopen_later(&x->reopen);
        return;
    }
    if (end->which_result != cmdop_agent_v1_Close_failure_tag) {
        leave(x, CMD_OK, "[the session was left there; it goes on]\n");
        return;
    }
    leave_because(x, end->result.failure.code, end->result.failure.message,
                  end->result.failure.remedy);
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct attach *x = ctx;
    (void)stream;
    uint64_t at = *off + x->in_start;
    *fin = x->leaving && at + ring_at(&x->keys, at).len == x->keys.tail;
    return ring_at(&x->keys, at);
}

static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct attach *x = ctx;
    (void)stream;
    x->sent = upto + x->in_start;
    if (x->unacked_ms != 0)
        return;
    x->unacked_ms = loop_now(&x->client.loop);
    loop_arm(&x->client.loop, x->doubt, x->unacked_ms + DOUBT_MS);
    tell_state(x);
}

/* What was typed is not acknowledged: is it our link, or the machine's? */
static void on_unacked(void *ctx, uint64_t now_ms)
{
    struct attach *x = ctx;
    if (!x->open || x->over)
        return;
    uplink_doubt(&x->client.uplink, x->unacked_ms);
    loop_arm(&x->client.loop, x->doubt, now_ms + 2 * DOUBT_MS);
}

static void on_acked(void *ctx, uint32_t stream, uint64_t ack)
{
    struct attach *x = ctx;
    uint64_t upto = ack + x->in_start;
    if (stream != 0 || upto <= x->keys.head || upto > x->sent)
        return;
    ring_consume(&x->keys, upto);
    watch_keys(x);
    x->unacked_ms = upto < x->sent ? loop_now(&x->client.loop) : 0;
    if (x->unacked_ms == 0)
        loop_disarm(&x->client.loop, x->doubt);
    tell_state(x);
}

static const struct chan_ops ops = {
    .accepted = on_accepted,
    .rejected = on_rejected,
    .data = on_data,
    .event = on_event,
    .acked = on_acked,
    .closed = on_closed,
    .peek = on_peek,
    .sent = on_sent,
    .ended = on_ended,
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
    p.control = x->wants_control;
    p.resume = x->attached;
    p.out_offset = x->out_next;
    p.attachment.size = sizeof(x->key);
    memcpy(p.attachment.bytes, x->key, sizeof(x->key));
    struct view token = unlock_view(&x->unlock);
    p.unlock.size = (pb_size_t)token.len;
    memcpy(p.unlock.bytes, token.ptr, token.len);
    p.env = msg_strings_out(&env);
    int len =
        msg_encode_plain(SPAN_ARRAY(raw), cmdop_agent_v1_PtyOpen_fields, &p);
    struct msg_blob blob = {.data = view_of(raw, (size_t)len)};
    STR_COPY(open.target, x->target);
    open.wait_ms = x->attached ? REOPEN_WAIT_MS : 0;
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
    struct attach *x = ctx;
    reopen_stop(&x->reopen);
    if (x->over)
        return;
    if (x->attached) /* another link took the place of the one it was on */
        lost(x);
    open_session(x);
}

static void on_doubt(void *ctx, bool yes)
{
    struct attach *x = ctx;
    x->doubt_ms = yes ? loop_now(&x->client.loop) : 0;
    tell_state(x);
}

static void on_down(void *ctx, const char *why, bool fatal)
{
    struct attach *x = ctx;
    static char words[400];
    struct text t;
    if (x->over)
        return;
    /* An agent on this machine may be restarted. */
    if (!x->attached || (fatal && !x->client.local)) {
        TEXT_OF(&t, words);
        text_join(&t, "cmdop: ", why, "\n", NULL);
        leave(x, client_down_status(&x->client), words);
        return;
    }
    lost(x);
    uplink_attend(&x->client.uplink);
    client_again(&x->client);
}

static void on_again(void *ctx)
{
    struct attach *x = ctx;
    if (!x->over)
        open_session(x);
}

static const struct client_ops client_ops = {on_up, on_down, on_doubt};

static int run(struct attach *x, const struct cmd_env *env,
               const struct where *where)
{
    char buf[512];
    struct arena arena;
    struct text why;
    TEXT_OF(&why, buf);
    arena_init(&arena, port_memory(CLIENT_BYTES + 2 * WINDOW_BULK + KEYS_BYTES +
                                   QUESTION_RING + 65536));
    if (client_init(&x->client, &arena, env->version, where, &client_ops, x,
                    &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_TRANSPORT;
    }
    struct loop *loop = &x->client.loop;
    ring_init(&x->keys, arena_span(&arena, KEYS_BYTES), 0);
    (void)port_handle_nonblock(PORT_STDIN);
    (void)port_handle_nonblock(PORT_STDOUT);
    sink_init(&x->screen, arena_span(&arena, 2 * WINDOW_BULK), PORT_STDOUT, 0);
    x->screen_row = loop_add(loop, PORT_STDOUT, 0, on_screen, x);
    x->keys_row = loop_add(loop, PORT_STDIN, 0, on_keys, x);
    (void)loop_add(loop, port_signal_open(), PORT_READ, on_signal, x);
    x->state = loop_timer_add(loop, on_state, x);
    x->doubt = loop_timer_add(loop, on_unacked, x);
    reopen_init(&x->reopen, &x->client, on_again, x);
    escape_init(&x->escape);
    replay_init(&x->replay);
    unlock_init(&x->unlock, &arena, &x->client, x->target);
    x->unlock.file = where->password_file;
    x->unlock.keyboard = want_keyboard;
    x->unlock.done = on_unlocked;
    x->unlock.ctx = x;
    unlock_recall(&x->unlock);
    port_entropy(SPAN_ARRAY(x->key));
    client_connect(&x->client);
    int status = client_run(&x->client);
    unlock_wipe(&x->unlock);
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

int attach_to(const struct cmd_env *env, const struct where *where,
              const char *target, const char *session, bool observe)
{
    static struct attach x;
    STR_COPY(x.session, session);
    x.target = target;
    x.observe = observe;
    return run(&x, env, where);
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
