/* Operators on sessions; see pty.h. */
#include "core/pty.h"

#include <string.h>

#include "base/err.h"
#include "core/request.h"

#define LAG_MAX         (SESSION_RING - 64 * 4096)
#define STALL_MS        5000
#define STALL_BYTES     4096 /* in STALL_MS: slower is not moving */
/* Less on its way than this is not worth a gap. */
#define SKIP_MIN        (16 * 1024)
/* An acknowledgement waits so long for an echo to go with. */
#define ACK_MS          150
#define ATTACHMENTS_MAX (SESSIONS_MAX * 4)
#define OPERATORS_MAX   16 /* who may type into one session */
#define PART_MIN        4  /* characters of an id that stand for it */
/* Four that type into a stopped shell fit its queue. */
#define INPUT_WINDOW    (16 * 1024)

/* ---- output ------------------------------------------------------------------- */

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
    uint64_t behind = session_ring(a->session)->tail - at;
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

static bool on_held_up(struct session *t)
{
    uint64_t now = loop_now(t->owner->loop);
    bool held = false;
    for (struct attachment *a = t->attached; a != NULL; a = a->next)
        held = holds_up(a, now) || held;
    return held;
}

static void on_output(struct session *t)
{
    for (struct attachment *a = t->attached; a != NULL; a = a->next)
        chan_wake(&a->chan);
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct attachment *a = ctx;
    struct session *t = a->session;
    (void)stream;
    const struct ring *out = session_ring(t);
    if (*off < a->from)
        *off = a->from;
    if (*off < out->head)
        *off = out->head;
    struct view v = ring_at(out, *off);
    *fin = t->exited && t->drained && *off + v.len == out->tail;
    return v;
}

/* ---- acknowledgements ------------------------------------------------------------ */

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

/* There was no echo: a password, or a program that is silent. */
static void on_ack(void *ctx, uint64_t now_ms)
{
    struct sessions *s = ctx;
    (void)now_ms;
    for (uint32_t i = 0; i < SESSIONS_MAX && s->owing > 0; i++) {
        if (s->slots[i].id[0] == '\0')
            continue;
        for (struct attachment *a = s->slots[i].attached; a != NULL;
             a = a->next) {
            chan_ack(&a->chan, 0);
            note_owing(a);
        }
    }
}

static void on_input(struct session *t)
{
    for (struct attachment *a = t->attached; a != NULL; a = a->next) {
        uint64_t got = a->chan.rx[0].next;
        /* What came for a channel that ends was not taken. */
        if (a->chan.state == CHAN_OPEN && session_fed(t) >= a->typed_at)
            chan_used(&a->chan, 0, got, got);
        note_owing(a);
    }
}

static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct attachment *a = ctx;
    (void)stream;
    (void)upto;
    note_owing(a); /* the acknowledgement goes out behind it */
    session_used(a->session->owner); /* somebody looks at it */
    session_watch(a->session);
}

static void on_acked(void *ctx, uint32_t stream, uint64_t ack)
{
    struct attachment *a = ctx;
    (void)stream;
    a->acked = ack;
}

/* ---- whose size, who types ---------------------------------------------------------- */

static uint32_t count(const struct session *t, bool typists)
{
    uint32_t n = 0;
    for (const struct attachment *a = t->attached; a != NULL; a = a->next)
        n += !a->fenced && (!typists || !a->observer);
    return n;
}

static void take_size(struct attachment *a)
{
    a->session->sized_by = a;
    if (a->rows > 0)
        session_resize(a->session, a->rows, a->cols);
}

static void on_resize(struct attachment *a, uint32_t rows, uint32_t cols)
{
    struct session *t = a->session;
    if (a->observer || rows == 0 || cols == 0 || rows > SESSION_SIDE_MAX ||
        cols > SESSION_SIDE_MAX)
        return;
    a->rows = rows;
    a->cols = cols;
    if (t->sized_by == NULL || t->sized_by == a)
        take_size(a);
}

static void notify(struct attachment *a, const char *who, const char *what)
{
    msg_event e = {.which_what = cmdop_agent_v1_Event_notice_tag};
    struct text t;
    TEXT_OF(&t, e.what.notice.text);
    text_safe(&t, view_str(who));
    text_str(&t, what);
    (void)chan_event(&a->chan, &e); /* a full queue loses it */
}

static void notify_others(const struct attachment *from, const char *what)
{
    const char *who = from->operator_name;
    for (struct attachment *a = from->session->attached; a != NULL; a = a->next)
        if (a != from && a->chan.state == CHAN_OPEN && !a->fenced)
            notify(a, who[0] != '\0' ? who : "somebody", what);
}

static void take_control(struct attachment *a)
{
    struct session *t = a->session;
    if (a->observer || t->control == a)
        return;
    t->control = a;
    for (struct attachment *b = t->attached; b != NULL; b = b->next)
        b->deaf = false;
    notify_others(a, " types alone now; ~t takes control");
}

static void leave_control(struct attachment *a)
{
    if (a->session->control != a)
        return;
    a->session->control = NULL;
    notify_others(a, " has left control; everybody may type");
}

/* He wishes that everybody types; only who has control decides that. */
static void give_control(struct attachment *a)
{
    const struct attachment *who = a->session->control;
    leave_control(a);
    if (who == NULL || who == a)
        notify(a, "everybody may type", "");
    else
        notify(a, who->operator_name, " types alone; ~t takes control");
}

/* ---- attachments --------------------------------------------------------------- */

static struct attachment *take_attachment(struct sessions *s)
{
    for (uint32_t i = 0; i < ATTACHMENTS_MAX; i++)
        if (s->attachments[i].session == NULL)
            return &s->attachments[i];
    return NULL;
}

static void attach(struct session *t, struct attachment *a,
                   const struct wish *w)
{
    *a = (struct attachment){.session = t,
                             .next = t->attached,
                             .observer = w->observe,
                             .glance = w->glance,
                             .has_key = w->has_key};
    memcpy(a->key, w->key, sizeof(a->key));
    STR_COPY(a->operator_name, w->open.origin.user);
    t->attached = a;
    session_touch(t);
}

/* Somebody else's size, if his was the terminal's. */
static void give_size_away(struct session *t, const struct attachment *a)
{
    if (t->sized_by != a)
        return;
    t->sized_by = NULL;
    for (struct attachment *b = t->attached; b != NULL; b = b->next)
        if (!b->observer && !b->fenced && b->rows > 0) {
            take_size(b);
            return;
        }
}

static void detach(struct attachment *a)
{
    struct session *t = a->session;
    struct attachment **at = &t->attached;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    note_owing(a); /* it is closed: nothing is owed */
    leave_control(a);
    give_size_away(t, a);
    a->session = NULL;
    session_left(t);
    session_watch(t);
    session_settle(t);
}

/* One operator's mistake ends his channel, not the link of everybody. */
static void turn_away(struct attachment *a, msg_code code, const char *what,
                      const char *remedy)
{
    msg_close end = chan_failure(code, what, remedy);
    chan_close(&a->chan, &end, CHAN_NOW);
}

/* ---- input --------------------------------------------------------------------- */

/* Where what he types is counted, in the same step in which it is taken: the
 * byte at `off` comes next. His row may have been given away meanwhile. */
static uint64_t *counter_of(const struct attachment *a, uint64_t off)
{
    struct session_record *r = session_record(a->session);
    return a->has_key ? writers_enter(&r->writers, VIEW_ARRAY(a->key), off)
                      : &r->typed;
}

/* An interrupt: the terminal drops what waits to be shown, and so do we, for
 * him who typed it. He sees a gap, and soon what follows. */
static void skip_if_flushed(struct attachment *a, struct view keys)
{
    const struct ring *out = session_ring(a->session);
    if (out->tail - a->acked < SKIP_MIN || !session_flushes(a->session, keys))
        return;
    a->from = out->tail;
    chan_skip(&a->chan, 0);
}

static void put_all(struct attachment *a, uint64_t off, struct view bytes)
{
    struct session *t = a->session;
    while (bytes.len > 0) {
        int n = session_put(t, counter_of(a, off), bytes);
        if (n <= 0 && t->drained)
            return; /* its end is on the way */
        if (n <= 0) {
            turn_away(a, cmdop_agent_v1_Code_CODE_LIMIT,
                      "the session takes no input now",
                      "interrupt what runs in it, then connect again");
            return;
        }
        off += (uint64_t)n;
        bytes = view_from(bytes, (size_t)n);
    }
    a->typed_at = t->typed;
}

/* Somebody else has control: what he types is taken and goes nowhere. */
static void ignore_keys(struct attachment *a, uint64_t off, struct view bytes)
{
    *counter_of(a, off) = off + bytes.len;
    if (!a->deaf)
        notify(a, a->session->control->operator_name,
               " types alone; ~t takes control");
    a->deaf = true;
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
    if (t->control != NULL && t->control != a) {
        ignore_keys(a, off, bytes);
    } else if (bytes.len > 0) {
        if (t->sized_by != a)
            take_size(a);
        skip_if_flushed(a, bytes);
        put_all(a, off, bytes);
    }
    session_touch(t);
    session_feed(t);
    return OK;
}

static void on_event(void *ctx, const msg_event *event)
{
    struct attachment *a = ctx;
    struct session *t = a->session;
    if (a->observer)
        return;
    switch (event->which_what) {
    case cmdop_agent_v1_Event_resize_tag:
        on_resize(a, event->what.resize.rows, event->what.resize.cols);
        return;
    case cmdop_agent_v1_Event_control_tag:
        if (event->what.control.take)
            take_control(a);
        else
            give_control(a);
        return;
    case cmdop_agent_v1_Event_signal_tag:
        if (t->control == NULL || t->control == a)
            session_signal(t, event->what.signal.name);
        return;
    default: return;
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
    a->session->told = a->session->told || (a->session->exited && !a->glance);
    detach(ctx);
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

static void on_over(struct session *t)
{
    msg_close end = session_result(t);
    for (struct attachment *a = t->attached; a != NULL; a = a->next)
        if (a->chan.state == CHAN_OPEN)
            chan_close(&a->chan, &end, CHAN_DRAIN);
}

void session_detach(struct session *t)
{
    static const msg_close end = {.which_result =
                                      cmdop_agent_v1_Close_detached_tag,
                                  .result.detached = true};
    for (struct attachment *a = t->attached; a != NULL; a = a->next)
        chan_close(&a->chan, &end, CHAN_NOW);
}

/* ---- attaching ----------------------------------------------------------------------- */

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
 * brings is not taken, and it stands in nobody's way. Returns the one that has
 * control, if any. */
static struct attachment *fence(struct session *t, struct view key)
{
    struct attachment *in_control = NULL;
    for (struct attachment *a = t->attached; a != NULL; a = a->next) {
        if (!a->has_key || a->fenced || !view_eq(VIEW_ARRAY(a->key), key))
            continue;
        a->fenced = true;
        if (t->control == a)
            in_control = a;
        give_size_away(t, a);
        turn_away(a, cmdop_agent_v1_Code_CODE_CONFLICT,
                  "this attachment continues on another connection", "");
    }
    return in_control;
}

/* Which byte of an attachment's input comes next, and whether that continues
 * what it typed before. */
static uint64_t first_input(struct session *t, const struct wish *w,
                            bool *known)
{
    struct writers *writers = &session_record(t)->writers;
    if (!w->has_key || w->observe)
        return 0;
    *known = writers_find(writers, VIEW_ARRAY(w->key)) != NULL;
    return *writers_enter(writers, VIEW_ARRAY(w->key), 0);
}

/* The names of those who are there, for people. */
static void name_them(const struct session *t, const struct attachment *but,
                      char *out, size_t cap)
{
    struct text names;
    text_init(&names, out, cap);
    for (const struct attachment *a = t->attached; a != NULL; a = a->next) {
        if (a == but || a->fenced)
            continue;
        text_str(&names, names.len > 0 ? ", " : "");
        text_safe(&names, view_str(a->operator_name));
        text_str(&names, a->observer ? " (watches)" : "");
        text_str(&names, a == t->control ? " (has control)" : "");
    }
}

static msg_pty_accept describe(struct session *t, const struct attachment *a,
                               bool created)
{
    msg_pty_accept info = {.created_ms = session_record(t)->created_ms,
                           .operators = count(t, false),
                           .created = created,
                           .out_end = session_ring(t)->tail};
    memcpy(info.session_id, t->id, sizeof(t->id));
    name_them(t, a, info.attached, sizeof(info.attached));
    return info;
}

static int accept_attachment(struct session *t, struct attachment *a,
                             const struct wish *w, bool created)
{
    msg_accept accept = cmdop_agent_v1_Accept_init_zero;
    msg_pty_accept info = describe(t, a, created);
    accept.in_offset = first_input(t, w, &info.known);
    accept.out_offset = first_offset(session_ring(t), w, &info.gap);
    accept.params.size =
        (pb_size_t)msg_encode_plain(SPAN_ARRAY(accept.params.bytes),
                                    cmdop_agent_v1_PtyAccept_fields, &info);
    chan_init(&a->chan, &ops, a, 1, INPUT_WINDOW, false);
    a->chan.acks = ACKS_RIDE;
    a->from = a->acked = accept.out_offset;
    return chan_accept(w->mux, &a->chan, &w->open, &accept);
}

static void join(struct session *t, const struct wish *w, bool created)
{
    struct attachment *was = w->has_key ? fence(t, VIEW_ARRAY(w->key)) : NULL;
    struct attachment *a = take_attachment(t->owner);
    if (a == NULL || (!w->observe && count(t, true) >= OPERATORS_MAX)) {
        if (was != NULL)
            leave_control(was);
        reject(w->mux, w->open.channel, cmdop_agent_v1_Code_CODE_LIMIT,
               "as many operators are attached as may be",
               "let one of them detach first");
        return;
    }
    attach(t, a, w);
    if (was != NULL && !w->observe)
        t->control = a;
    if (accept_attachment(t, a, w, created) != OK) {
        reject(w->mux, w->open.channel, cmdop_agent_v1_Code_CODE_LIMIT,
               "the connection takes no more channels", "");
        detach(a);
        return;
    }
    on_resize(a, w->rows, w->cols);
    if (w->control)
        take_control(a);
    session_settle(t); /* it may have ended while he was away */
}

static void on_ready(struct session *t, int err, const char *why)
{
    const struct wish *w = &t->wish;
    if (err == OK && w->mux != NULL)
        join(t, w, true);
    else if (w->mux != NULL)
        request_refuse(w->mux, w->open.channel, err, why);
}

static const struct session_ops session_ops = {
    .ready = on_ready,
    .output = on_output,
    .input = on_input,
    .held_up = on_held_up,
    .over = on_over,
};

int sessions_init(struct sessions *s, struct arena *a, struct loop *loop,
                  const char *machine, const char *folder)
{
    int err = session_pool_init(s, a, loop, &session_ops, machine, folder);
    s->ack = loop_timer_add(loop, on_ack, s);
    s->attachments =
        arena_carve(a, ATTACHMENTS_MAX * sizeof(*s->attachments), 64);
    return err;
}

/* ---- an operator asks ----------------------------------------------------------------- */

static struct wish make_wish(struct mux *m, const msg_open *open,
                             const msg_pty_open *p)
{
    struct wish w = {.mux = m,
                     .open = {.channel = open->channel,
                              .window = open->window,
                              .origin = open->origin},
                     .rows = p->rows,
                     .cols = p->cols,
                     .resume = p->resume,
                     .observe = p->observe,
                     .control = p->control,
                     .glance = p->glance,
                     .out_offset = p->out_offset};
    struct view key = view_of(p->attachment.bytes, p->attachment.size);
    STR_COPY(w.name, p->name);
    w.has_key = writers_is_key(key);
    if (w.has_key)
        memcpy(w.key, key.ptr, sizeof(w.key));
    return w;
}

static void start(struct sessions *s, struct request *r, const msg_pty_open *p,
                  const struct wish *w)
{
    struct session_order o = {.argv = r->argv.list,
                              .env = &r->env,
                              .term = p->term,
                              .idle_ms = p->idle_ms};
    if (w->name[0] != '\0' && session_find(s, w->name) != NULL) {
        reject(w->mux, w->open.channel, cmdop_agent_v1_Code_CODE_CONFLICT,
               "a session has this name already",
               "choose another one, or attach to it");
        return;
    }
    int err = session_start(s, &o, w);
    if (err == ERR_LIMIT)
        reject(w->mux, w->open.channel, cmdop_agent_v1_Code_CODE_LIMIT,
               "the machine has as many sessions as it may",
               "end one: `cmdop session list`, `cmdop session destroy`");
    else if (err != OK)
        request_refuse(w->mux, w->open.channel, err, port_why());
}

/* By its id or name; or the only one whose id begins so. */
static struct session *find(struct sessions *s, const char *ref)
{
    struct session *best = session_find(s, ref);
    size_t len = strlen(ref);
    if (best != NULL || len < PART_MIN)
        return best;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *t = &s->slots[i];
        if (strncmp(t->id, ref, len) != 0 || session_find(s, t->id) != t)
            continue;
        if (best != NULL)
            return NULL;
        best = t;
    }
    return best;
}

/* Into a session that is there, or one made now. */
static void enter(struct sessions *s, struct mux *m, const msg_open *open,
                  struct request *r, const msg_pty_open *p)
{
    struct wish w = make_wish(m, open, p);
    bool named = p->session_id[0] != '\0';
    struct session *t = named     ? find(s, p->session_id)
                        : p->last ? session_last(s)
                                  : NULL;
    if (t != NULL)
        join(t, &w, false);
    else if (p->last && session_may_come(s, ""))
        reject(m, open->channel, cmdop_agent_v1_Code_CODE_TIMEOUT,
               "not all keepers have answered yet",
               "try again in a moment; --new starts another one");
    else if (!named && p->observe)
        reject(m, open->channel, cmdop_agent_v1_Code_CODE_NOT_FOUND,
               "there is no session on the machine that could be watched",
               "connect without --observe to start one");
    else if (!named)
        start(s, r, p, &w);
    else if (session_may_come(s, p->session_id))
        reject(m, open->channel, cmdop_agent_v1_Code_CODE_TIMEOUT,
               "the session's keeper has not answered yet",
               "try again in a moment");
    else
        reject(m, open->channel, cmdop_agent_v1_Code_CODE_NOT_FOUND,
               "there is no such session on the machine",
               "connect without a session to start a new one");
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
        if (t->id[0] != '\0' && t->wish.mux == m &&
            (number == 0 || t->wish.open.channel == number))
            session_take_back(t); /* nobody knows of it */
    }
}

/* ---- for people --------------------------------------------------------------------------- */

bool session_at(struct sessions *s, uint32_t at, msg_session_info *out)
{
    struct session *t = &s->slots[at];
    if (t->id[0] == '\0' || !t->child.ready || t->destroyed)
        return false;
    const struct session_record *r = session_record(t);
    *out = (msg_session_info){.created_ms = r->created_ms,
                              .operators = count(t, true),
                              .pid = t->child.hold.block->pid,
                              .output = session_ring(t)->tail,
                              .ended = t->exited,
                              .rows = r->rows,
                              .cols = r->cols};
    out->observers = count(t, false) - out->operators;
    if (t->attached == NULL)
        out->idle_ms = loop_now(s->loop) - r->touched_ms;
    STR_COPY(out->id, t->id);
    STR_COPY(out->name, r->name);
    STR_COPY(out->user, r->user);
    STR_COPY(out->command, r->command);
    name_them(t, NULL, out->attached, sizeof(out->attached));
    return true;
}
