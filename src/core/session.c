/* Shells that outlive their operators; see session.h. */
#include "core/session.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/request.h"

#define READ_MAX        4096 /* a terminal hands out 4095 at most */
#define READ_FULL       4000 /* so much at once: more is probably there */
#define READ_ROUNDS     16   /* reads in one turn */
#define LAST_ROUNDS     64   /* after the shell's end: all of its buffer */
#define LAG_MAX         (SESSION_RING - LAST_ROUNDS * READ_MAX)
#define STALL_MS        5000
#define STALL_BYTES     4096 /* in STALL_MS: slower is not moving */
#define ATTACHMENTS_MAX (SESSIONS_MAX * 4)
#define OPERATORS_MAX   16 /* who may type into one session */
/* Every operator's window of input fits, whatever the shell does. */
#define INPUT_WINDOW    (16 * 1024)
#define INPUT_RING      (OPERATORS_MAX * INPUT_WINDOW)

static void on_tty(void *ctx, uint8_t ready);
static void on_stall(void *ctx, uint64_t now_ms);

void sessions_init(struct sessions *s, struct arena *a, struct loop *loop,
                   const char *machine)
{
    *s = (struct sessions){.loop = loop, .machine = machine};
    s->stall = loop_timer_add(loop, on_stall, s);
    s->slots = arena_carve(a, SESSIONS_MAX * sizeof(*s->slots), 64);
    s->attachments =
        arena_carve(a, ATTACHMENTS_MAX * sizeof(*s->attachments), 64);
    s->rings = arena_carve(a, (size_t)SESSIONS_MAX * SESSION_RING, 4096);
    s->inputs = arena_carve(a, (size_t)SESSIONS_MAX * INPUT_RING, 4096);
}

uint32_t sessions_live(const struct sessions *s)
{
    return s->count;
}

/* ---- the terminal ------------------------------------------------------------- */

/* Does this operator lag so far that reading on would cost him bytes, and
 * does he still move? Who stalled counts again when he has caught up: a gap
 * alone is not that. */
static bool holds_up(struct attachment *a, uint64_t now)
{
    uint64_t at = a->chan.tx[0].next;
    uint64_t behind = a->session->out.tail - at;
    if (a->chan.state != CHAN_OPEN || behind < LAG_MAX / 2) {
        a->lag_ms = 0;
        a->stalled = false;
    }
    if (a->chan.state != CHAN_OPEN || behind <= LAG_MAX || a->stalled)
        return false;
    if (a->lag_ms == 0 || at - a->lag_at >= STALL_BYTES) {
        a->lag_ms = now;
        a->lag_at = at;
    }
    a->stalled = now - a->lag_ms >= STALL_MS;
    return !a->stalled;
}

static bool held_up(const struct session *t)
{
    uint64_t now = loop_now(t->owner->loop);
    bool held = false;
    for (struct attachment *a = t->attached; a != NULL; a = a->next)
        held = holds_up(a, now) || held;
    return held;
}

static void watch(struct session *t)
{
    if (t->row < 0)
        return;
    bool held = held_up(t);
    uint8_t want = held ? 0 : PORT_READ;
    if (sink_waits(&t->in))
        want |= PORT_WRITE;
    loop_want(t->owner->loop, t->row, want);
    if (!held || t->owner->stall_armed)
        return;
    t->owner->stall_armed = true;
    loop_arm(t->owner->loop, t->owner->stall,
             loop_now(t->owner->loop) + STALL_MS / 2);
}

static void on_stall(void *ctx, uint64_t now_ms)
{
    struct sessions *s = ctx;
    (void)now_ms;
    s->stall_armed = false;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        if (s->slots[i].id[0] != '\0')
            watch(&s->slots[i]);
}

static void wake_all(struct session *t)
{
    for (struct attachment *a = t->attached; a != NULL; a = a->next)
        chan_wake(&a->chan);
}

static void close_tty(struct session *t)
{
    if (t->row >= 0)
        loop_remove(t->owner->loop, t->row);
    t->row = -1;
    if (t->child.tty >= 0)
        port_close(t->child.tty);
    t->child.tty = -1;
    sink_stop(&t->in, ERR_CLOSED);
    t->drained = true;
}

static void release(struct session *t)
{
    struct span ring = {t->out.buf, t->out.cap};
    log_info("session.end", t->id);
    close_tty(t);
    port_memory_release(ring);
    t->id[0] = '\0';
    t->owner->count--;
}

/* The shell is gone and its output complete: tell everybody how it ended. */
static void finish(struct session *t)
{
    msg_close end = {.which_result = cmdop_agent_v1_Close_exit_status_tag,
                     .result.exit_status = (uint32_t)t->status};
    if (t->id[0] == '\0' || !t->exited || !t->drained)
        return;
    if (t->signal != 0) {
        end.which_result = cmdop_agent_v1_Close_signal_tag;
        end.result.signal = (uint32_t)t->signal;
    }
    for (struct attachment *a = t->attached; a != NULL; a = a->next)
        chan_close(&a->chan, &end, CHAN_DRAIN);
    if (t->attached == NULL)
        release(t);
}

/*
 * Read what the terminal has, up to a bound. Returns false at its end: when
 * nobody holds the other side, or the shell has gone and left nothing more
 * (what it started in the background may keep the terminal open for ever).
 */
static bool read_tty(struct session *t)
{
    int rounds = t->exited ? LAST_ROUNDS : READ_ROUNDS;
    while (rounds-- > 0 && (t->exited || !held_up(t))) {
        struct span room = ring_push_space(&t->out, READ_MAX);
        int n = port_recv(t->child.tty, room);
        if (n <= 0)
            return n == 0 && !t->exited;
        ring_commit(&t->out, (uint32_t)n);
        if (n < READ_FULL && !t->exited)
            break;
    }
    return !t->exited;
}

static void settle_input(struct session *t)
{
    for (struct attachment *a = t->attached; a != NULL; a = a->next) {
        uint64_t got = a->chan.rx[0].next;
        if (sink_done(&t->in) >= a->applied_at)
            chan_used(&a->chan, 0, got, got);
    }
}

/* A terminal that takes no more keys is over, whatever it still shows: the
 * shell is hung up, or nobody could ever end it from here. */
static void turn_tty(struct session *t, bool readable)
{
    bool broken = t->in.err != OK;
    if (t->row >= 0 && (readable || broken)) {
        if (!read_tty(t) || broken)
            close_tty(t);
        wake_all(t);
    }
    watch(t);
    finish(t);
}

static void on_tty(void *ctx, uint8_t ready)
{
    struct session *t = ctx;
    if ((ready & PORT_WRITE) != 0) {
        sink_flush(&t->in);
        settle_input(t);
    }
    turn_tty(t, (ready & (PORT_READ | PORT_HANGUP)) != 0);
}

bool session_child(struct sessions *s, int pid, int status, int signal)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *t = &s->slots[i];
        if (t->id[0] == '\0' || t->exited || t->child.pid != pid)
            continue;
        t->exited = true;
        t->status = status;
        t->signal = signal;
        turn_tty(t, true); /* what it said last */
        return true;
    }
    return false;
}

void sessions_hangup(struct sessions *s)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        if (s->slots[i].id[0] != '\0' && !s->slots[i].exited)
            (void)port_child_signal(s->slots[i].child.pid, "HUP");
}

/* ---- attachments --------------------------------------------------------------- */

static struct attachment *take_attachment(struct sessions *s)
{
    for (uint32_t i = 0; i < ATTACHMENTS_MAX; i++)
        if (s->attachments[i].session == NULL)
            return &s->attachments[i];
    return NULL;
}

static void attach(struct session *t, struct attachment *a)
{
    a->session = t;
    a->next = t->attached;
    a->applied_at = t->in.ring.head;
    a->lag_ms = 0;
    a->stalled = false;
    t->attached = a;
    t->touched_ms = loop_now(t->owner->loop);
}

static void detach(struct attachment *a)
{
    struct session *t = a->session;
    struct attachment **at = &t->attached;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    a->session = NULL;
    t->touched_ms = loop_now(t->owner->loop);
    watch(t);
    finish(t);
}

static uint32_t count(const struct session *t, bool typists)
{
    uint32_t n = 0;
    for (const struct attachment *a = t->attached; a != NULL; a = a->next)
        n += !typists || !a->observer;
    return n;
}

/* One operator's mistake ends his channel, not the link of everybody. */
static void turn_away(struct attachment *a, msg_code code, const char *what,
                      const char *remedy)
{
    msg_close end = chan_failure(code, what, remedy);
    chan_close(&a->chan, &end, CHAN_NOW);
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct attachment *a = ctx;
    struct session *t = a->session;
    (void)off;
    (void)fin; /* the end of one operator's input is not the shell's */
    if (stream != 0)
        return ERR_PROTO;
    if (a->observer && bytes.len > 0) {
        turn_away(a, cmdop_agent_v1_Code_CODE_DENIED,
                  "an observer may not type", "connect without --observe");
        return OK;
    }
    if (sink_put(&t->in, bytes) != OK) {
        turn_away(a, cmdop_agent_v1_Code_CODE_LIMIT,
                  "the session takes no input now",
                  "interrupt what runs in it, then connect again");
        return OK;
    }
    a->applied_at = t->in.ring.tail;
    t->touched_ms = loop_now(t->owner->loop);
    settle_input(t);
    turn_tty(t, false);
    return OK;
}

static void on_event(void *ctx, const msg_event *event)
{
    struct attachment *a = ctx;
    struct session *t = a->session;
    if (a->observer || t->child.tty < 0)
        return;
    if (event->which_what == cmdop_agent_v1_Event_resize_tag) {
        uint32_t rows = event->what.resize.rows;
        uint32_t cols = event->what.resize.cols;
        if (rows == 0 || cols == 0 || rows > 4096 || cols > 4096)
            return;
        t->rows = (uint16_t)rows;
        t->cols = (uint16_t)cols;
        (void)port_tty_resize(t->child.tty, t->rows, t->cols);
    } else if (event->which_what == cmdop_agent_v1_Event_signal_tag) {
        (void)port_child_signal(t->child.pid, event->what.signal.name);
    }
}

static void on_closed(void *ctx, const msg_close *end)
{
    (void)end; /* by his wish or by a lost link: the session goes on */
    detach(ctx);
}

static void on_ended(void *ctx)
{
    detach(ctx);
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct attachment *a = ctx;
    struct session *t = a->session;
    (void)stream;
    if (*off < t->out.head)
        *off = t->out.head;
    struct view v = ring_at(&t->out, *off);
    *fin = t->exited && t->drained && *off + v.len == t->out.tail;
    return v;
}

static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct attachment *a = ctx;
    (void)stream;
    (void)upto;
    watch(a->session);
}

static const struct chan_ops ops = {
    .data = on_data,
    .event = on_event,
    .closed = on_closed,
    .peek = on_peek,
    .sent = on_sent,
    .ended = on_ended,
};

/* ---- opening --------------------------------------------------------------------- */

static struct session *find(struct sessions *s, const msg_pty_open *p)
{
    struct session *best = NULL;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *t = &s->slots[i];
        if (t->id[0] == '\0' || t->exited)
            continue;
        if (p->session_id[0] != '\0') {
            if (strcmp(t->id, p->session_id) == 0 ||
                strcmp(t->name, p->session_id) == 0)
                return t;
        } else if (best == NULL || t->touched_ms > best->touched_ms) {
            best = t;
        }
    }
    return p->session_id[0] != '\0' ? NULL : best;
}

static struct session *free_slot(struct sessions *s)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        if (s->slots[i].id[0] == '\0')
            return &s->slots[i];
    return NULL;
}

static void make_id(char out[SESSION_ID_CAP])
{
    uint8_t raw[16];
    struct text t;
    port_entropy(SPAN_ARRAY(raw));
    text_init(&t, out, SESSION_ID_CAP);
    text_hex(&t, VIEW_ARRAY(raw));
}

static uint16_t size_or(uint32_t asked, uint16_t otherwise)
{
    return asked > 0 && asked <= 4096 ? (uint16_t)asked : otherwise;
}

/* Start the shell of a new session. The slot stays free on failure. */
static int start(struct session *t, struct request *r, const msg_pty_open *p,
                 const char *who)
{
    const char *shell[] = {port_shell(), NULL};
    char id[SESSION_ID_CAP];
    make_id(id);
    struct environ_facts facts = {
        .term = environ_term_ok(p->term) ? p->term : "xterm",
        .session = id,
        .machine = t->owner->machine,
        .who = who,
    };
    if (environ_build(&r->environ, &facts, &r->env) != OK)
        return ERR_TOO_BIG;
    struct port_spawn what = {.argv = r->argv.count > 0 ? r->argv.list : shell,
                              .env = r->environ.list,
                              .login = r->argv.count == 0};
    t->rows = size_or(p->rows, 24);
    t->cols = size_or(p->cols, 80);
    int err = port_tty_spawn(&what, t->rows, t->cols, &t->child);
    if (err != OK)
        return err;
    memcpy(t->id, id, sizeof(t->id));
    return OK;
}

static int watch_new(struct session *t)
{
    struct loop *loop = t->owner->loop;
    t->row = loop_add(loop, t->child.tty, PORT_READ, on_tty, t);
    if (t->row >= 0)
        return OK;
    port_close(t->child.tty); /* the hang-up ends the shell */
    t->id[0] = '\0';
    return ERR_LIMIT;
}

static int make(struct sessions *s, struct request *r, const msg_pty_open *p,
                const char *who, struct session **out)
{
    struct session *t = free_slot(s);
    if (t == NULL)
        return ERR_LIMIT;
    t->owner = s;
    int err = start(t, r, p, who);
    if (err == OK)
        err = watch_new(t);
    if (err != OK)
        return err;
    size_t idx = (size_t)(t - s->slots);
    STR_COPY(t->name, p->name);
    ring_init(&t->out,
              (struct span){s->rings + idx * SESSION_RING, SESSION_RING}, 0);
    sink_init(&t->in, (struct span){s->inputs + idx * INPUT_RING, INPUT_RING},
              t->child.tty, 0);
    t->attached = NULL;
    t->created_ms = port_wall_ms();
    t->exited = t->drained = false;
    t->status = t->signal = 0;
    s->count++;
    log_info("session.start", t->id);
    *out = t;
    return OK;
}

/* Where the operator's copy of the output begins, and what it has missed. */
static uint64_t first_offset(const struct session *t, const msg_pty_open *p,
                             uint64_t *gap)
{
    uint64_t from = p->resume ? p->out_offset : t->out.head;
    *gap = 0;
    if (from > t->out.tail)
        from = t->out.tail;
    if (from < t->out.head) {
        *gap = t->out.head - from;
        from = t->out.head;
    }
    return from;
}

static void join(struct session *t, struct attachment *a, struct mux *m,
                 const msg_open *open, const msg_pty_open *p, bool created)
{
    msg_accept accept = cmdop_agent_v1_Accept_init_zero;
    msg_pty_accept info = {.created_ms = t->created_ms,
                           .operators = count(t, false) + 1,
                           .created = created};
    memcpy(info.session_id, t->id, sizeof(t->id));
    accept.out_offset = first_offset(t, p, &info.gap);
    accept.params.size =
        (pb_size_t)msg_encode_plain(SPAN_ARRAY(accept.params.bytes),
                                    cmdop_agent_v1_PtyAccept_fields, &info);
    chan_init(&a->chan, &ops, a, 1, INPUT_WINDOW, false);
    a->observer = p->observe;
    STR_COPY(a->operator_name, open->origin.user);
    attach(t, a);
    if (chan_accept(m, &a->chan, open, &accept) != OK) {
        (void)mux_reject(m, open->channel, cmdop_agent_v1_Code_CODE_LIMIT,
                         "the connection takes no more channels", "");
        detach(a);
        return;
    }
    if (!p->observe && p->rows > 0)
        on_event(a, &(msg_event){.which_what = cmdop_agent_v1_Event_resize_tag,
                                 .what.resize = {p->rows, p->cols}});
}

static void reject(struct mux *m, const msg_open *open, msg_code code,
                   const char *message, const char *remedy)
{
    (void)mux_reject(m, open->channel, code, message, remedy);
}

/* Into a session that is there, or one made now. */
static void enter(struct sessions *s, struct mux *m, const msg_open *open,
                  struct request *r, const msg_pty_open *p)
{
    bool wants_old = p->session_id[0] != '\0' || p->last;
    struct session *t = wants_old ? find(s, p) : NULL;
    struct attachment *a = take_attachment(s);
    bool created = t == NULL;
    if (t == NULL && p->session_id[0] != '\0') {
        reject(m, open, cmdop_agent_v1_Code_CODE_NOT_FOUND,
               "there is no such session on the machine",
               "connect without a session to start a new one");
        return;
    }
    if (a == NULL ||
        (t != NULL && !p->observe && count(t, true) >= OPERATORS_MAX)) {
        reject(m, open, cmdop_agent_v1_Code_CODE_LIMIT,
               "as many operators are attached as may be",
               "let one of them detach first");
        return;
    }
    int err = created ? make(s, r, p, open->origin.user, &t) : OK;
    if (err != OK)
        request_refuse(m, open->channel, err);
    else
        join(t, a, m, open, p, created);
}

void session_open(struct sessions *s, struct mux *m, const msg_open *open,
                  struct view params)
{
    struct request *r = request_scratch();
    msg_pty_open p = cmdop_agent_v1_PtyOpen_init_zero;
    p.argv = msg_strings_in(&r->argv);
    p.env = msg_strings_in(&r->env);
    if (msg_decode(params, cmdop_agent_v1_PtyOpen_fields, &p) != OK)
        reject(m, open, cmdop_agent_v1_Code_CODE_PROTOCOL,
               "the request for a session does not parse", "");
    else
        enter(s, m, open, r, &p);
}
