/*
 * A machine under test: a real loop with real terminals and pipes, and any
 * number of operators, each on a link of its own in memory. The clock can be
 * moved forward, so that no test waits for seconds.
 */
#ifndef TESTS_UNIT_CORE_STAGE_H
#define TESTS_UNIT_CORE_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "port/port.h"
#include "transport/loop.h"
#include "unit/core/pair.h"

#define OPERATORS 20
#define SEEN_CAP  (4 * 1024 * 1024)
#define TEST_S    120 /* far more than any of these needs */

/* ---- the clock: the real one, and what a test adds to it ------------------------- */

static uint64_t clock_added_us;

uint64_t port_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000 +
           clock_added_us;
}

uint64_t port_now_ms(void)
{
    return port_now_us() / 1000;
}

int64_t port_wall_ms(void)
{
    return (int64_t)port_now_ms();
}

/* ---- an operator ------------------------------------------------------------------ */

struct operator
{
    struct half near; /* his end of the link */
    struct half far;  /* the machine's end of it */
    struct chan chan;
    bool lazy;                   /* does not say that he used what came */
    struct view typed;           /* all he ever typed */
    bool typed_all;              /* and nothing follows */
    uint64_t applied;            /* of it, at the machine */
    uint8_t *seen[CHAN_STREAMS]; /* SEEN_CAP; bytes from from[] on */
    uint64_t from[CHAN_STREAMS];
    uint64_t next[CHAN_STREAMS];
    bool ended[CHAN_STREAMS];
    uint64_t gap;
    int accepted, rejected, closed, lost, notices;
    char notice[240]; /* the last one */
    msg_accept accept;
    msg_reject reject;
    msg_close close;
};

static struct operator op[OPERATORS];
static struct loop loop;
static struct arena arena;
static uint8_t *arena_memory;
static int tick;

static inline void op_accepted(void *ctx, const msg_accept *a)
{
    struct operator* o = ctx;
    o->accepted++;
    o->accept = *a;
    o->from[0] = o->next[0] = a->out_offset;
    o->from[1] = o->next[1] = a->err_offset;
}

static inline void op_rejected(void *ctx, const msg_reject *r)
{
    struct operator* o = ctx;
    o->rejected++;
    o->reject = *r;
}

static inline int op_data(void *ctx, uint32_t stream, uint64_t off,
                          struct view bytes, bool fin)
{
    struct operator* o = ctx;
    if (off > o->next[stream]) {
        o->gap += off - o->next[stream];
        o->from[stream] = off;
    }
    size_t at = (size_t)(off - o->from[stream]);
    assert_true(at + bytes.len < SEEN_CAP);
    if (bytes.len > 0)
        memcpy(o->seen[stream] + at, bytes.ptr, bytes.len);
    o->seen[stream][at + bytes.len] = '\0';
    o->next[stream] = off + bytes.len;
    o->ended[stream] = o->ended[stream] || fin;
    if (!o->lazy)
        chan_used(&o->chan, stream, o->next[stream], o->next[stream]);
    return OK;
}

static inline void op_event(void *ctx, const msg_event *e)
{
    struct operator* o = ctx;
    if (e->which_what != cmdop_agent_v1_Event_notice_tag)
        return;
    o->notices++;
    strcpy(o->notice, e->what.notice.text);
}

static inline void op_acked(void *ctx, uint32_t stream, uint64_t ack)
{
    struct operator* o = ctx;
    assert_int_equal(stream, 0);
    o->applied = ack;
}

static inline void op_closed(void *ctx, const msg_close *c)
{
    struct operator* o = ctx;
    o->closed++;
    if (c == NULL)
        o->lost++;
    else
        o->close = *c;
}

static inline struct view op_peek(void *ctx, uint32_t stream, uint64_t *off,
                                  bool *fin)
{
    struct operator* o = ctx;
    (void)stream;
    *fin = o->typed_all;
    return view_from(o->typed, (size_t)*off);
}

static const struct chan_ops op_ops = {.accepted = op_accepted,
                                       .rejected = op_rejected,
                                       .data = op_data,
                                       .event = op_event,
                                       .acked = op_acked,
                                       .closed = op_closed,
                                       .peek = op_peek};

/* Told when a link ends: what it asked for need not be answered. */
static void (*stage_lost)(const struct mux *m);

/* His link breaks: both ends notice. */
static inline void op_vanishes(struct operator* o)
{
    mux_lost(&o->near.mux);
    mux_lost(&o->far.mux);
    if (stage_lost != NULL)
        stage_lost(&o->far.mux);
}

/* A fresh link and a fresh channel for operator i; an old one breaks. */
static inline struct operator*
    op_arrives(int i, uint32_t window,
               void (*on_open)(void *ctx, const msg_open *open,
                               struct view params))
{
    struct operator* o = & op[i];
    uint8_t *seen[CHAN_STREAMS] = {o->seen[0], o->seen[1]};
    if (o->near.peer != NULL)
        op_vanishes(o);
    memset(o, 0, sizeof(*o));
    for (int s = 0; s < CHAN_STREAMS; s++) {
        o->seen[s] = seen[s] != NULL ? seen[s] : malloc(SEEN_CAP);
        o->seen[s][0] = '\0';
    }
    half_init(&o->near, &o->far, true, UINT32_MAX);
    half_init(&o->far, &o->near, false, 64);
    o->far.on_open = on_open;
    o->far.ctx = o;
    chan_init(&o->chan, &op_ops, o, 1, window, false);
    o->chan.gaps_ok = o->chan.any_start = true;
    return o;
}

/* Ask for a channel with these parameters. */
static inline void op_asks(struct operator* o, cmdop_agent_v1_Kind kind,
                           const pb_msgdesc_t *fields, const void *params)
{
    static uint8_t raw[FRAME_MAX];
    msg_open open = cmdop_agent_v1_Open_init_zero;
    int n = msg_encode_plain(SPAN_ARRAY(raw), fields, params);
    assert_true(n >= 0);
    struct msg_blob blob = {.data = view_of(raw, (size_t)n)};
    open.kind = kind;
    open.has_origin = true;
    strcpy(open.origin.user, "ada");
    open.params = msg_blob_out(&blob);
    assert_int_equal(chan_open(&o->near.mux, &o->chan, &open), OK);
    half_settle(&o->near, &o->far);
}

static inline void op_types(struct operator* o, const char *all_of_it)
{
    o->typed = view_str(all_of_it);
    chan_wake(&o->chan);
    half_settle(&o->near, &o->far);
}

static inline void op_sends(struct operator* o, msg_event *e)
{
    assert_int_equal(chan_event(&o->chan, e), OK);
    half_settle(&o->near, &o->far);
}

static inline void op_signals(struct operator* o, const char *name)
{
    msg_event e = {.which_what = cmdop_agent_v1_Event_signal_tag};
    strcpy(e.what.signal.name, name);
    op_sends(o, &e);
}

/* From now on he uses what comes, and what came. */
static inline void op_wakes_up(struct operator* o)
{
    o->lazy = false;
    for (uint32_t s = 0; s < CHAN_STREAMS; s++)
        chan_used(&o->chan, s, o->next[s], o->next[s]);
    half_settle(&o->near, &o->far);
}

/* ---- the machine ------------------------------------------------------------------- */

static inline void on_tick(void *ctx, uint64_t now_ms)
{
    (void)ctx;
    (void)now_ms;
}

static inline void stage_init(size_t bytes)
{
    alarm(TEST_S);
    arena_memory = calloc(1, bytes);
    assert_non_null(arena_memory);
    arena_init(&arena, (struct span){arena_memory, bytes});
    loop_init(&loop, &arena, 512, 256);
    tick = loop_timer_add(&loop, on_tick, NULL);
}

static inline void stage_free(void)
{
    for (int i = 0; i < OPERATORS; i++) {
        for (int s = 0; s < CHAN_STREAMS; s++)
            free(op[i].seen[s]);
        memset(&op[i], 0, sizeof(op[i]));
    }
    free(arena_memory);
    alarm(0);
}

/* One turn of the machine's loop, then everything that it led to. */
static inline void stage_turn(void)
{
    loop_arm(&loop, tick, port_now_ms() + 5);
    assert_int_equal(loop_turn(&loop), OK);
    for (int i = 0; i < OPERATORS; i++)
        if (op[i].near.peer != NULL)
            half_settle(&op[i].near, &op[i].far);
}

/* He detaches, and the machine hears of it. */
static inline void op_leaves(struct operator* o)
{
    static const msg_close bye = {.which_result =
                                      cmdop_agent_v1_Close_detached_tag,
                                  .result.detached = true};
    chan_close(&o->chan, &bye, CHAN_NOW);
    half_settle(&o->near, &o->far);
    stage_turn();
}

/* Turn until the fact is there; the alarm ends a wait in vain. */
#define UNTIL(fact) \
    while (!(fact)) \
    stage_turn()

/* Turn for a while in which nothing should happen. */
static inline void stage_rest(void)
{
    for (int i = 0; i < 20; i++)
        stage_turn();
}

static inline void stage_later(uint64_t ms)
{
    clock_added_us += ms * 1000;
    stage_turn();
}

static inline void stage_reap(void *ctx, uint8_t ready)
{
    int status, signal;
    (void)ctx;
    (void)ready;
    while (port_signal_take() != PORT_SIG_NONE)
        continue;
    while (port_child_reap(&status, &signal) > 0)
        continue;
}

/* This one will start processes. */
static inline void stage_has_children(void)
{
    loop_add(&loop, port_signal_open(), PORT_READ, stage_reap, NULL);
}

static inline void stage_all_vanish(void)
{
    for (int i = 0; i < OPERATORS; i++)
        if (op[i].near.peer != NULL)
            op_vanishes(&op[i]);
}

/* No process that this one started is left. */
static inline bool stage_is_childless(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0;
}

static inline bool op_saw(const struct operator* o, const char *text)
{
    return strstr((const char *)o->seen[0], text) != NULL;
}

#endif
