/* Shells that outlive their operators; see session.h. */
#include "core/session.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/paths.h"
#include "core/request.h"

#define READ_MAX        4096 /* a terminal hands out 4095 at most */
#define READ_FULL       4000 /* so much at once: more is probably there */
#define READ_ROUNDS     16   /* reads in one turn */
#define LAST_ROUNDS     64   /* after the shell's end: all of its buffer */
#define LAG_MAX         (SESSION_RING - LAST_ROUNDS * READ_MAX)
#define STALL_MS        5000
#define STALL_BYTES     4096 /* in STALL_MS: slower is not moving */
/* Less on its way than this is not worth a gap. */
#define SKIP_MIN        (16 * 1024)
/* An acknowledgement waits so long for an echo to go with. */
#define ACK_MS          150
#define ATTACHMENTS_MAX (SESSIONS_MAX * 4)
#define OPERATORS_MAX   16 /* who may type into one session */
/* Four that type into a stopped shell fit its queue. */
#define INPUT_WINDOW    (16 * 1024)
#define RECORD_MAGIC    0x73736573 /* "sess" */

static void on_tty(void *ctx, uint8_t ready);
static void on_stall(void *ctx, uint64_t now_ms);
static void on_ack(void *ctx, uint64_t now_ms);
static void on_ready(void *ctx, int err, const char *why);

int sessions_init(struct sessions *s, struct arena *a, struct loop *loop,
                  const char *machine, const char *folder)
{
    *s = (struct sessions){.loop = loop, .machine = machine};
    s->stall = loop_timer_add(loop, on_stall, s);
    s->ack = loop_timer_add(loop, on_ack, s);
    s->slots = arena_carve(a, SESSIONS_MAX * sizeof(*s->slots), 64);
    s->attachments =
        arena_carve(a, ATTACHMENTS_MAX * sizeof(*s->attachments), 64);
    return paths_join(s->folder, folder, "sessions");
}

uint32_t sessions_live(const struct sessions *s)
{
    return s->count;
}

/* What the block keeps for the next agent. */
struct session_record {
    uint32_t magic;
    uint32_t spare;
    int64_t created_ms;
    uint64_t typed; /* bytes of input that were taken from nobody known */
    char name[NAME_CAP];
    char user[NAME_CAP];
    struct writers writers;
};
_Static_assert(sizeof(struct session_record) <= HOLD_RECORD,
               "a session's record fits its block");

static struct session_record *record_of(const struct session *t)
{
    return (struct session_record *)(void *)t->child.hold.block->record;
}

static struct ring *ring_of(struct session *t)
{
    return &t->child.hold.ring[0];
}

static int tty_of(const struct session *t)
{
    return t->child.hold.child_out[0];
}

/* ---- the terminal ------------------------------------------------------------- */

/* How far he is, or will be with his next Data. */
static uint64_t reached(const struct attachment *a)
{
    uint64_t next = a->chan.tx[0].next;
    return next > a->from ? next : a->from;
}

/* Does this operator lag so far that reading on would cost him bytes, and
 * does he still move? Who stalled counts again when he has caught up: a gap
 * alone is not that. */
static bool holds_up(struct attachment *a, uint64_t now)
{
    uint64_t at = reached(a);
    uint64_t behind = ring_of(a->session)->tail - at;
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
    if (hold_feeds(&t->child.hold))
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
    if (!t->drained)
        held_hang_up(&t->child);
    t->drained = true;
}

static void release(struct session *t)
{
    log_info("session.end", t->id);
    close_tty(t);
    held_release(&t->child, NULL);
    t->id[0] = '\0';
    t->owner->count--;
}

/* How it ended, for its operators. */
static msg_close result(const struct session *t)
{
    const struct hold_block *b = t->child.hold.block;
    msg_close end = {.which_result = cmdop_agent_v1_Close_exit_status_tag,
                     .result.exit_status = b->status};
    if (!b->exited)
        return chan_failure(cmdop_agent_v1_Code_CODE_INTERNAL,
                            "the process that held the session was killed, "
                            "and its end is not known",
                            "connect again for a new session");
    if (b->signal != 0) {
        end.which_result = cmdop_agent_v1_Close_signal_tag;
        end.result.signal = b->signal;
    }
    return end;
}

/* The shell is gone and its output complete: tell everybody how it ended.
 * Who is away finds it out when he comes back. */
static void finish(struct session *t)
{
    if (t->id[0] == '\0' || !t->exited || !t->drained)
        return;
    msg_close end = result(t);
    for (struct attachment *a = t->attached; a != NULL; a = a->next) {
        chan_close(&a->chan, &end, CHAN_DRAIN);
    }
    if (t->attached == NULL && t->told)
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
        int n = hold_take(&t->child.hold, 0, READ_MAX);
        if (n <= 0)
            return n == 0 && !t->exited;
        if (n < READ_FULL && !t->exited)
            break;
    }
    return !t->exited;
}

static uint64_t fed(const struct session *t)
{
    return t->typed - t->child.hold.queued;
}

/* Count the attachment among those that wait for an echo to take their
 * acknowledgement along, or no longer. */
static void note_owing(struct attachment *a)
{
    struct sessions *s = a->session->owner;
    bool owes = chan_owes(&a->chan, 0);
    if (owes && !a->owes && s->owing++ == 0)
        loop_arm(s->loop, s->ack, loop_now(s->loop) + ACK_MS);
    if (!owes && a->owes && --s->owing == 0)
        loop_disarm(s->loop, s->ack);
    a->owes = owes;
}

static void ack_all(struct session *t)
{
    for (struct attachment *a = t->attached; a != NULL; a = a->next) {
        chan_ack(&a->chan, 0);
        note_owing(a);
    }
}

/* There was no echo: a password, or a program that is silent. */
static void on_ack(void *ctx, uint64_t now_ms)
{
    struct sessions *s = ctx;
    (void)now_ms;
    for (uint32_t i = 0; i < SESSIONS_MAX && s->owing > 0; i++)
        if (s->slots[i].id[0] != '\0')
            ack_all(&s->slots[i]);
}

static void settle_input(struct session *t)
{
    for (struct attachment *a = t->attached; a != NULL; a = a->next) {
        uint64_t got = a->chan.rx[0].next;
        /* What came for a channel that ends was not taken. */
        if (a->chan.state == CHAN_OPEN && fed(t) >= a->typed_at)
            chan_used(&a->chan, 0, got, got);
        note_owing(a);
    }
}

/* A terminal that takes no more keys is over, whatever it still shows: the
 * shell is hung up, or nobody could ever end it from here. */
static void turn_tty(struct session *t, bool readable)
{
    bool broken = t->row >= 0 && hold_feed(&t->child.hold) != OK;
    settle_input(t);
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
    turn_tty(ctx, (ready & (PORT_READ | PORT_HANGUP)) != 0);
}

static void on_exited(void *ctx)
{
    struct session *t = ctx;
    t->exited = true;
    turn_tty(t, true); /* what it said last */
}

static void on_keeper_lost(void *ctx)
{
    struct session *t = ctx;
    log_warn("session.lost", t->id);
    t->exited = true;
    close_tty(t);
    finish(t);
}

/* ---- attachments --------------------------------------------------------------- */

static struct attachment *take_attachment(struct sessions *s)
{
    for (uint32_t i = 0; i < ATTACHMENTS_MAX; i++)
        if (s->attachments[i].session == NULL)
            return &s->attachments[i];
    return NULL;
}

static void touch(struct session *t)
{
    t->touched_ms = loop_now(t->owner->loop);
    if (t->owner->used != NULL)
        t->owner->used(t->owner->used_ctx);
}

static void attach(struct session *t, struct attachment *a)
{
    a->session = t;
    a->next = t->attached;
    a->typed_at = 0;
    a->lag_ms = 0;
    a->stalled = false;
    a->fenced = false;
    a->owes = false;
    t->attached = a;
    touch(t);
}

static void detach(struct attachment *a)
{
    struct session *t = a->session;
    struct attachment **at = &t->attached;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    note_owing(a); /* it is closed: nothing is owed */
    a->session = NULL;
    t->touched_ms = loop_now(t->owner->loop);
    watch(t);
    finish(t);
}

static uint32_t count(const struct session *t, bool typists)
{
    uint32_t n = 0;
    for (const struct attachment *a = t->attached; a != NULL; a = a->next)
        n += !a->fenced && (!typists || !a->observer);
    return n;
}

/* One operator's mistake ends his channel, not the link of everybody. */
static void turn_away(struct attachment *a, msg_code code, const char *what,
                      const char *remedy)
{
    msg_close end = chan_failure(code, what, remedy);
    chan_close(&a->chan, &end, CHAN_NOW);
}

/* Where what he types is counted, in the same step in which it is taken: the
 * byte at `off` comes next. His row may have been given away meanwhile. */
static uint64_t *counter_of(const struct attachment *a, uint64_t off)
{
    struct session_record *r = record_of(a->session);
    return a->has_key ? writers_enter(&r->writers, VIEW_ARRAY(a->key), off)
                      : &r->typed;
}

/* An interrupt: the terminal drops what waits to be shown, and so do we, for
 * him who typed it. He sees a gap, and soon what follows. */
static void skip_if_flushed(struct attachment *a, struct view keys)
{
    const struct ring *out = ring_of(a->session);
    if (out->tail - a->acked < SKIP_MIN ||
        !port_tty_flushes(tty_of(a->session), keys))
        return;
    a->from = out->tail;
    chan_skip(&a->chan, 0);
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct attachment *a = ctx;
    struct session *t = a->session;
    (void)fin; /* the end of one operator's input is not the shell's */
    if (stream != 0)
        return ERR_PROTO;
    if (a->observer && bytes.len > 0) {
        turn_away(a, cmdop_agent_v1_Code_CODE_DENIED,
                  "an observer may not type", "connect without --observe");
        return OK;
    }
    skip_if_flushed(a, bytes);
    while (bytes.len > 0) {
        int n = hold_put(&t->child.hold, counter_of(a, off), bytes);
        if (n <= 0 && t->drained)
            return OK; /* its end is on the way */
        if (n <= 0) {
            turn_away(a, cmdop_agent_v1_Code_CODE_LIMIT,
                      "the session takes no input now",
                      "interrupt what runs in it, then connect again");
            return OK;
        }
        t->typed += (uint64_t)n;
        off += (uint64_t)n;
        bytes = view_from(bytes, (size_t)n);
    }
    a->typed_at = t->typed;
    touch(t);
    turn_tty(t, false);
    return OK;
}

static void on_event(void *ctx, const msg_event *event)
{
    struct attachment *a = ctx;
    struct session *t = a->session;
    if (a->observer || t->row < 0)
        return;
    if (event->which_what == cmdop_agent_v1_Event_resize_tag) {
        uint32_t rows = event->what.resize.rows;
        uint32_t cols = event->what.resize.cols;
        if (rows == 0 || cols == 0 || rows > 4096 || cols > 4096)
            return;
        (void)port_tty_resize(tty_of(t), (uint16_t)rows, (uint16_t)cols);
    } else if (event->which_what == cmdop_agent_v1_Event_signal_tag) {
        held_signal(&t->child, event->what.signal.name);
    }
}

static void on_closed(void *ctx, const msg_close *end)
{
    (void)end; /* by his wish or by a lost link: the session goes on */
    detach(ctx);
}

static void on_ended(void *ctx)
{
    struct attachment *a = ctx;
    a->session->told = a->session->told || a->session->exited;
    detach(ctx);
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct attachment *a = ctx;
    struct session *t = a->session;
    (void)stream;
    const struct ring *out = ring_of(t);
    if (*off < a->from)
        *off = a->from;
    if (*off < out->head)
        *off = out->head;
    struct view v = ring_at(out, *off);
    *fin = t->exited && t->drained && *off + v.len == out->tail;
    return v;
}

static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct attachment *a = ctx;
    (void)stream;
    (void)upto;
    note_owing(a); /* the acknowledgement goes out behind it */
    watch(a->session);
}

static void on_acked(void *ctx, uint32_t stream, uint64_t ack)
{
    struct attachment *a = ctx;
    (void)stream;
    a->acked = ack;
}

static const struct chan_ops ops = {
    .data = on_data,
    .event = on_event,
    .acked = on_acked,
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
        if (t->id[0] == '\0' || !t->child.ready)
            continue;
        if (p->session_id[0] != '\0') {
            if (strcmp(t->id, p->session_id) == 0 ||
                (!t->exited && strcmp(record_of(t)->name, p->session_id) == 0))
                return t;
        } else if (!t->exited &&
                   (best == NULL || t->touched_ms > best->touched_ms)) {
            best = t;
        }
    }
    return p->session_id[0] != '\0' ? NULL : best;
}

/* Is it one whose keeper we asked, and that has not answered yet? */
static bool may_come(const struct sessions *s, const char *id)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        if (strcmp(s->slots[i].id, id) == 0 && !s->slots[i].child.ready)
            return true;
    return false;
}

/* Ended and nobody came to hear how, for the longest. */
static struct session *oldest_ended(struct sessions *s)
{
    struct session *best = NULL;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *t = &s->slots[i];
        if (t->id[0] != '\0' && t->exited && t->attached == NULL &&
            (best == NULL || t->touched_ms < best->touched_ms))
            best = t;
    }
    return best;
}

static struct session *take_slot(struct sessions *s)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        if (s->slots[i].id[0] == '\0')
            return &s->slots[i];
    struct session *t = oldest_ended(s);
    if (t != NULL)
        release(t);
    return t;
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

static void occupy(struct session *t, struct sessions *s, const char *id)
{
    memset(t, 0, sizeof(*t));
    t->owner = s;
    t->row = -1;
    STR_COPY(t->id, id);
    s->count++;
}

static void vacate(struct session *t)
{
    hold_drop(&t->child.hold);
    t->id[0] = '\0';
    t->owner->count--;
}

static const struct held_ops held_ops = {on_ready, on_exited, on_keeper_lost};

static struct session_record make_record(const struct wish *w)
{
    struct session_record r = {.magic = RECORD_MAGIC,
                               .created_ms = port_wall_ms()};
    STR_COPY(r.name, w->name);
    STR_COPY(r.user, w->open.origin.user);
    return r;
}

/* Start the shell of a new session: it is there when its keeper says so. */
static int start(struct sessions *s, struct request *r, const msg_pty_open *p,
                 const struct wish *w)
{
    const char *shell[] = {port_shell(), NULL};
    char id[SESSION_ID_CAP];
    struct session *t = take_slot(s);
    if (t == NULL)
        return ERR_LIMIT;
    make_id(id);
    struct environ_facts facts = {
        .term = environ_term_ok(p->term) ? p->term : "xterm",
        .session = id,
        .machine = s->machine,
        .who = w->open.origin.user,
    };
    struct session_record record = make_record(w);
    if (environ_build(&r->environ, &facts, &r->env) != OK)
        return ERR_TOO_BIG;
    struct hold_start how = {
        .folder = s->folder,
        .id = id,
        .record = view_of(&record, sizeof(record)),
        .what = {.argv = r->argv.count > 0 ? r->argv.list : shell,
                 .env = r->environ.list,
                 .login = r->argv.count == 0},
        .ring_bytes = SESSION_RING,
        .tty = true,
        .rows = size_or(p->rows, 24),
        .cols = size_or(p->cols, 80),
    };
    occupy(t, s, id);
    int err = held_start(&t->child, s->loop, NULL, &held_ops, t, &how);
    if (err != OK)
        vacate(t);
    else
        t->wish = *w;
    return err;
}

/* Where the operator's copy of the output begins, and what it has missed. */
static uint64_t first_offset(const struct ring *out, const struct wish *w,
                             uint64_t *gap)
{
    uint64_t from = w->resume ? w->out_offset : out->head;
    *gap = 0;
    if (from > out->tail)
        from = out->tail;
    if (from < out->head) {
        *gap = out->head - from;
        from = out->head;
    }
    return from;
}

static void reject(struct mux *m, uint32_t number, msg_code code,
                   const char *message, const char *remedy)
{
    (void)mux_reject(m, number, code, message, remedy);
}

/* The key came again, on a link that is newer: what its old channel still
 * brings is not taken, and it stands in nobody's way. */
static void fence(struct session *t, struct view key)
{
    for (struct attachment *a = t->attached; a != NULL; a = a->next) {
        if (!a->has_key || a->fenced || !view_eq(VIEW_ARRAY(a->key), key))
            continue;
        a->fenced = true;
        turn_away(a, cmdop_agent_v1_Code_CODE_CONFLICT,
                  "this attachment continues on another connection", "");
    }
}

/* Which byte of an attachment's input comes next, and whether that continues
 * what it typed before. */
static uint64_t first_input(struct session *t, const struct wish *w,
                            bool *known)
{
    struct writers *writers = &record_of(t)->writers;
    if (!w->has_key || w->observe)
        return 0;
    *known = writers_find(writers, VIEW_ARRAY(w->key)) != NULL;
    return *writers_enter(writers, VIEW_ARRAY(w->key), 0);
}

static void join(struct session *t, const struct wish *w, bool created)
{
    struct attachment *a = take_attachment(t->owner);
    if (w->has_key)
        fence(t, VIEW_ARRAY(w->key));
    if (a == NULL || (!w->observe && count(t, true) >= OPERATORS_MAX)) {
        reject(w->mux, w->open.channel, cmdop_agent_v1_Code_CODE_LIMIT,
               "as many operators are attached as may be",
               "let one of them detach first");
        return;
    }
    msg_accept accept = cmdop_agent_v1_Accept_init_zero;
    msg_pty_accept info = {.created_ms = record_of(t)->created_ms,
                           .operators = count(t, false) + 1,
                           .created = created};
    memcpy(info.session_id, t->id, sizeof(t->id));
    accept.in_offset = first_input(t, w, &info.known);
    accept.out_offset = first_offset(ring_of(t), w, &info.gap);
    accept.params.size =
        (pb_size_t)msg_encode_plain(SPAN_ARRAY(accept.params.bytes),
                                    cmdop_agent_v1_PtyAccept_fields, &info);
    chan_init(&a->chan, &ops, a, 1, INPUT_WINDOW, false);
    a->chan.acks = ACKS_RIDE;
    a->observer = w->observe;
    a->has_key = w->has_key;
    memcpy(a->key, w->key, sizeof(a->key));
    STR_COPY(a->operator_name, w->open.origin.user);
    a->from = a->acked = accept.out_offset;
    attach(t, a);
    if (chan_accept(w->mux, &a->chan, &w->open, &accept) != OK) {
        reject(w->mux, w->open.channel, cmdop_agent_v1_Code_CODE_LIMIT,
               "the connection takes no more channels", "");
        detach(a);
        return;
    }
    if (!w->observe && w->rows > 0)
        on_event(a, &(msg_event){.which_what = cmdop_agent_v1_Event_resize_tag,
                                 .what.resize = {w->rows, w->cols}});
    finish(t); /* it may have ended while he was away */
}

/* ---- keepers that answer ------------------------------------------------------------- */

static void on_ready(void *ctx, int err, const char *why)
{
    struct session *t = ctx;
    struct wish *w = &t->wish;
    bool created = w->mux != NULL;
    if (err == OK && !created && record_of(t)->magic != RECORD_MAGIC)
        err = ERR_DAMAGED; /* not one of ours */
    if (err == OK) {
        t->row = loop_add(t->owner->loop, tty_of(t), PORT_READ, on_tty, t);
        t->drained = t->row < 0;
        err = t->row < 0 && tty_of(t) >= 0 ? ERR_LIMIT : OK;
    }
    if (err != OK) {
        if (created)
            request_refuse(w->mux, w->open.channel, err, why);
        held_release(&t->child, NULL);
        vacate(t);
        return;
    }
    t->typed = t->child.hold.queued;
    t->touched_ms = loop_now(t->owner->loop);
    log_info(created ? "session.start" : "session.adopt", t->id);
    if (created)
        join(t, w, true);
    w->mux = NULL;
    turn_tty(t, true);
}

static void adopt_one(void *ctx, const char *name)
{
    struct sessions *s = ctx;
    char path[PATH_CAP];
    struct session *t = take_slot(s);
    if (t == NULL || strlen(name) != SESSION_ID_CAP - 1)
        return;
    occupy(t, s, name);
    int err = held_adopt(&t->child, s->loop, &held_ops, t, s->folder, name);
    if (err == OK)
        return;
    vacate(t);
    if (err == ERR_REFUSED && paths_join(path, s->folder, name) == OK)
        (void)port_keep_remove(path); /* from before the machine restarted */
}

void sessions_adopt(struct sessions *s)
{
    (void)port_folder_list(s->folder, adopt_one, s);
}

bool sessions_adopting(const struct sessions *s)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        if (s->slots[i].id[0] != '\0' && s->slots[i].child.row >= 0 &&
            !s->slots[i].child.ready)
            return true;
    return false;
}

/* ---- an operator asks ----------------------------------------------------------------- */

/* Into a session that is there, or one made now. */
static void enter(struct sessions *s, struct mux *m, const msg_open *open,
                  struct request *r, const msg_pty_open *p)
{
    bool wants_old = p->session_id[0] != '\0' || p->last;
    struct session *t = wants_old ? find(s, p) : NULL;
    struct wish w = {.mux = m,
                     .open = {.channel = open->channel,
                              .window = open->window,
                              .origin = open->origin},
                     .rows = p->rows,
                     .cols = p->cols,
                     .resume = p->resume,
                     .observe = p->observe,
                     .out_offset = p->out_offset};
    struct view key = view_of(p->attachment.bytes, p->attachment.size);
    STR_COPY(w.name, p->name);
    w.has_key = writers_is_key(key);
    if (w.has_key)
        memcpy(w.key, key.ptr, sizeof(w.key));
    if (t != NULL) {
        join(t, &w, false);
        return;
    }
    if (p->session_id[0] != '\0' && may_come(s, p->session_id)) {
        reject(m, open->channel, cmdop_agent_v1_Code_CODE_TIMEOUT,
               "the session's keeper has not answered yet",
               "try again in a moment");
        return;
    }
    if (p->session_id[0] != '\0') {
        reject(m, open->channel, cmdop_agent_v1_Code_CODE_NOT_FOUND,
               "there is no such session on the machine",
               "connect without a session to start a new one");
        return;
    }
    int err = start(s, r, p, &w);
    if (err != OK)
        request_refuse(m, open->channel, err, port_why());
}

void session_open(struct sessions *s, struct mux *m, const msg_open *open,
                  struct view params)
{
    struct request *r = request_scratch();
    msg_pty_open p = cmdop_agent_v1_PtyOpen_init_zero;
    p.argv = msg_strings_in(&r->argv);
    p.env = msg_strings_in(&r->env);
    if (msg_decode(params, cmdop_agent_v1_PtyOpen_fields, &p) != OK)
        reject(m, open->channel, cmdop_agent_v1_Code_CODE_PROTOCOL,
               "the request for a session does not parse", "");
    else
        enter(s, m, open, r, &p);
}

void sessions_gone(struct sessions *s, const struct mux *m, uint32_t number)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *t = &s->slots[i];
        if (t->id[0] == '\0' || t->wish.mux != m ||
            (number != 0 && t->wish.open.channel != number))
            continue;
        held_release(&t->child, NULL); /* nobody knows of it */
        vacate(t);
    }
}
