/* Shells that outlive their operators; see session.h. */
#include "core/session.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/environ.h"
#include "core/paths.h"
#include "core/request.h"

#define READ_MAX     4096 /* a terminal hands out 4095 at most */
#define READ_FULL    4000 /* so much at once: more is probably there */
#define READ_ROUNDS  16   /* reads in one turn */
#define LAST_ROUNDS  64   /* after the shell's end: all of its buffer */
#define STALL_MS     5000
#define RECORD_MAGIC 0x73736573 /* "sess" */

_Static_assert(sizeof(struct session_record) <= HOLD_RECORD,
               "a session's record fits its block");

static void on_tty(void *ctx, uint8_t ready);
static void on_stall(void *ctx, uint64_t now_ms);
static void on_idle(void *ctx, uint64_t now_ms);
static void on_ready(void *ctx, int err, const char *why);
static void on_exited(void *ctx);
static void on_keeper_lost(void *ctx);
static bool on_knows(void *ctx, const char *place);
static int on_adopt(void *ctx, const char *place);
static const struct held_ops held_ops = {on_ready, on_exited, on_keeper_lost};
static const struct finder_ops finder_ops = {.knows = on_knows,
                                             .adopt = on_adopt};

int session_pool_init(struct sessions *s, struct arena *a, struct loop *loop,
                      const struct session_ops *ops, const char *machine,
                      const char *folder)
{
    *s = (struct sessions){.loop = loop, .ops = ops, .machine = machine};
    s->stall = loop_timer_add(loop, on_stall, s);
    s->idle = loop_timer_add(loop, on_idle, s);
    finder_init(&s->finder, loop, s->folder, &finder_ops, s);
    s->slots = arena_carve(a, SESSIONS_MAX * sizeof(*s->slots), 64);
    return paths_join(s->folder, folder, "sessions");
}

uint32_t sessions_live(const struct sessions *s)
{
    return s->count;
}

static bool is_used(const struct session *t)
{
    return t->id[0] != '\0';
}

static int tty_of(const struct session *t)
{
    return t->child.hold.child_out[0];
}

/* ---- the terminal ------------------------------------------------------------- */

void session_watch(struct session *t)
{
    struct sessions *s = t->owner;
    if (t->row < 0)
        return;
    bool held = s->ops->held_up(t);
    uint8_t want = held ? 0 : PORT_READ;
    if (hold_feeds(&t->child.hold))
        want |= PORT_WRITE;
    loop_want(s->loop, t->row, want);
    if (!held || s->stall_armed)
        return;
    s->stall_armed = true;
    loop_arm(s->loop, s->stall, loop_now(s->loop) + STALL_MS / 2);
}

static void on_stall(void *ctx, uint64_t now_ms)
{
    struct sessions *s = ctx;
    (void)now_ms;
    s->stall_armed = false;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        if (is_used(&s->slots[i]))
            session_watch(&s->slots[i]);
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

/*
 * Read what the terminal has, up to a bound. Returns false at its end: when
 * nobody holds the other side, or the shell has gone and left nothing more
 * (what it started in the background may keep the terminal open for ever).
 */
static bool read_tty(struct session *t)
{
    int rounds = t->exited ? LAST_ROUNDS : READ_ROUNDS;
    while (rounds-- > 0 && (t->exited || !t->owner->ops->held_up(t))) {
        int n = hold_take(&t->child.hold, 0, READ_MAX);
        if (n <= 0)
            return n == 0 && !t->exited;
        if (n < READ_FULL && !t->exited)
            break;
    }
    return !t->exited;
}

/* A terminal that takes no more keys is over, whatever it still shows: the
 * shell is hung up, or nobody could ever end it from here. */
static void turn_tty(struct session *t, bool readable)
{
    bool broken = t->row >= 0 && hold_feed(&t->child.hold) != OK;
    t->owner->ops->input(t);
    if (t->row >= 0 && (readable || broken)) {
        if (!read_tty(t) || broken)
            close_tty(t);
        t->owner->ops->output(t);
    }
    session_watch(t);
    session_settle(t);
}

static void on_tty(void *ctx, uint8_t ready)
{
    turn_tty(ctx, (ready & (PORT_READ | PORT_HANGUP)) != 0);
}

int session_put(struct session *t, uint64_t *counter, struct view bytes)
{
    int n = hold_put(&t->child.hold, counter, bytes);
    if (n > 0)
        t->typed += (uint64_t)n;
    return n;
}

void session_feed(struct session *t)
{
    turn_tty(t, false);
}

void session_resize(struct session *t, uint32_t rows, uint32_t cols)
{
    struct session_record *r = session_record(t);
    if (t->row < 0 || (r->rows == rows && r->cols == cols))
        return;
    /* Noted when it is done: an agent may be killed in between. */
    (void)port_tty_resize(tty_of(t), (uint16_t)rows, (uint16_t)cols);
    r->rows = rows;
    r->cols = cols;
}

bool session_flushes(const struct session *t, struct view keys)
{
    return port_tty_flushes(tty_of(t), keys);
}

void session_signal(struct session *t, const char *name)
{
    if (!t->exited)
        held_signal(&t->child, name);
}

/* ---- its end ------------------------------------------------------------------ */

static void release(struct session *t)
{
    log_info("session.end", t->id);
    close_tty(t);
    held_release(&t->child, NULL);
    t->id[0] = '\0';
    t->owner->count--;
}

msg_close session_result(const struct session *t)
{
    const struct hold_block *b = t->child.hold.block;
    msg_close end = {.which_result = cmdop_agent_v1_Close_exit_status_tag,
                     .result.exit_status = b->status};
    if (t->destroyed)
        return chan_failure(cmdop_agent_v1_Code_CODE_NOT_FOUND,
                            "the session was destroyed",
                            "connect again for a new session");
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
void session_settle(struct session *t)
{
    if (!is_used(t) || !t->exited || !t->drained)
        return;
    t->owner->ops->over(t);
    if (t->attached == NULL && t->told)
        release(t);
}

void session_destroy(struct session *t)
{
    t->destroyed = !t->exited;
    t->exited = t->told = true;
    close_tty(t);
    session_settle(t);
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
    session_settle(t);
}

/* ---- unused ones --------------------------------------------------------------- */

static uint64_t patience_of(const struct session *t)
{
    uint64_t ms = session_record(t)->idle_ms;
    return ms != 0 ? ms : SESSION_IDLE_MS;
}

/* Until when it may be unused; PORT_FOREVER: it is used. */
static uint64_t unused_until(const struct session *t)
{
    if (!is_used(t) || !t->child.ready || t->attached != NULL)
        return PORT_FOREVER;
    uint64_t since = session_record(t)->touched_ms, patience = patience_of(t);
    return patience < PORT_FOREVER - since ? since + patience : PORT_FOREVER;
}

static void on_idle(void *ctx, uint64_t now_ms)
{
    struct sessions *s = ctx;
    uint64_t next = PORT_FOREVER;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *t = &s->slots[i];
        if (unused_until(t) <= now_ms) {
            log_info("session.idle", t->id);
            session_destroy(t);
        } else if (unused_until(t) < next) {
            next = unused_until(t);
        }
    }
    if (next != PORT_FOREVER)
        loop_arm(s->loop, s->idle, next);
}

void session_left(struct session *t)
{
    uint64_t now = loop_now(t->owner->loop);
    session_record(t)->touched_ms = now;
    on_idle(t->owner, now);
}

void session_used(struct sessions *s)
{
    if (s->used != NULL)
        s->used(s->used_ctx);
}

void session_touch(struct session *t)
{
    session_record(t)->touched_ms = loop_now(t->owner->loop);
    session_used(t->owner);
}

/* ---- finding -------------------------------------------------------------------- */

struct session *session_find(struct sessions *s, const char *ref)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *t = &s->slots[i];
        if (is_used(t) && t->child.ready && !t->destroyed &&
            (strcmp(t->id, ref) == 0 ||
             (!t->exited && strcmp(session_record(t)->name, ref) == 0)))
            return t;
    }
    return NULL;
}

struct session *session_last(struct sessions *s)
{
    struct session *best = NULL;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *t = &s->slots[i];
        if (is_used(t) && t->child.ready && !t->exited &&
            (best == NULL ||
             session_record(t)->touched_ms > session_record(best)->touched_ms))
            best = t;
    }
    return best;
}

bool session_may_come(const struct sessions *s, const char *id)
{
    if (s->finder.missed)
        return true;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        const struct session *t = &s->slots[i];
        if (is_used(t) && !t->child.ready && t->wish.mux == NULL &&
            strncmp(t->id, id, strlen(id)) == 0)
            return true;
    }
    return false;
}

/* ---- starting ------------------------------------------------------------------- */

/* Ended and nobody came to hear how, for the longest. */
static struct session *oldest_ended(struct sessions *s)
{
    struct session *best = NULL;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *t = &s->slots[i];
        if (is_used(t) && t->exited && t->attached == NULL &&
            (best == NULL ||
             session_record(t)->touched_ms < session_record(best)->touched_ms))
            best = t;
    }
    return best;
}

static struct session *take_slot(struct sessions *s)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        if (!is_used(&s->slots[i]))
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

static uint32_t side_or(uint32_t asked, uint32_t otherwise)
{
    return asked > 0 && asked <= SESSION_SIDE_MAX ? asked : otherwise;
}

static struct session_record make_record(const struct session_order *o,
                                         const struct wish *w)
{
    struct session_record r = {.magic = RECORD_MAGIC,
                               .created_ms = port_wall_ms(),
                               .idle_ms = o->idle_ms,
                               .rows = side_or(w->rows, 24),
                               .cols = side_or(w->cols, 80)};
    STR_COPY(r.name, w->name);
    STR_COPY(r.user, w->open.origin.user);
    request_words(o->argv, r.command, sizeof(r.command));
    return r;
}

/* The shell of a new session is there when its keeper says so. */
int session_start(struct sessions *s, const struct session_order *o,
                  const struct wish *w)
{
    static struct environ environ;
    const char *shell[] = {port_shell(), NULL};
    bool is_login = o->argv[0] == NULL;
    char id[SESSION_ID_CAP];
    struct session *t = take_slot(s);
    if (t == NULL)
        return ERR_LIMIT;
    make_id(id);
    struct environ_facts facts = {
        .term = environ_term_ok(o->term) ? o->term : "xterm",
        .session = id,
        .machine = s->machine,
        .who = w->open.origin.user,
    };
    struct session_record record = make_record(o, w);
    if (environ_build(&environ, &facts, o->env) != OK)
        return ERR_TOO_BIG;
    struct hold_start how = {
        .folder = s->folder,
        .id = id,
        .record = view_of(&record, sizeof(record)),
        .what = {.argv = is_login ? shell : o->argv,
                 .env = environ.list,
                 .login = is_login},
        .ring_bytes = SESSION_RING,
        .tty = true,
        .rows = (uint16_t)record.rows,
        .cols = (uint16_t)record.cols,
    };
    occupy(t, s, id);
    int err = held_start(&t->child, s->loop, NULL, &held_ops, t, &how);
    if (err != OK)
        vacate(t);
    else
        t->wish = *w;
    return err;
}

void session_take_back(struct session *t)
{
    held_release(&t->child, NULL);
    vacate(t);
}

/* ---- keepers that answer ---------------------------------------------------------- */

static void on_ready(void *ctx, int err, const char *why)
{
    struct session *t = ctx;
    bool created = t->wish.mux != NULL;
    if (err == OK && !created && session_record(t)->magic != RECORD_MAGIC)
        err = ERR_DAMAGED; /* not one of ours */
    if (err == OK) {
        t->row = loop_add(t->owner->loop, tty_of(t), PORT_READ, on_tty, t);
        t->drained = t->row < 0;
        err = t->row < 0 && tty_of(t) >= 0 ? ERR_LIMIT : OK;
    }
    if (err != OK && !created && err != ERR_DAMAGED) {
        finder_miss(&t->owner->finder, t->id);
        held_leave(&t->child);
        vacate(t);
        return;
    }
    if (err != OK) {
        t->owner->ops->ready(t, err, why);
        session_take_back(t);
        return;
    }
    t->typed = t->child.hold.queued;
    uint64_t now = loop_now(t->owner->loop);
    uint64_t *touched = &session_record(t)->touched_ms;
    if (created || *touched == 0 || *touched > now)
        *touched = now;
    log_info(created ? "session.start" : "session.adopt", t->id);
    t->owner->ops->ready(t, OK, "");
    t->wish.mux = NULL;
    turn_tty(t, true);
    on_idle(t->owner, now);
}

static bool on_knows(void *ctx, const char *place)
{
    const struct sessions *s = ctx;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        if (strcmp(s->slots[i].id, place) == 0)
            return true;
    return false;
}

static int on_adopt(void *ctx, const char *place)
{
    struct sessions *s = ctx;
    struct session *t = take_slot(s);
    if (t == NULL)
        return ERR_LIMIT;
    occupy(t, s, place);
    int err = held_adopt(&t->child, s->loop, &held_ops, t, s->folder, place);
    if (err != OK)
        vacate(t);
    return err;
}

void sessions_adopt(struct sessions *s)
{
    finder_look(&s->finder);
}

bool sessions_adopting(const struct sessions *s)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        if (is_used(&s->slots[i]) && s->slots[i].child.row >= 0 &&
            !s->slots[i].child.ready)
            return true;
    return false;
}
