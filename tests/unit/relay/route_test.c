/*
 * A channel through the relay: an operator's link, a machine's link, and the
 * route between them. Both far ends are muxes of the test's own, so that it
 * can be slow, unfair or gone on either side.
 */
#include "relay/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "unit/core/pair.h"

#define ROUTES   3
#define OP_WIN   (64 * 1024)
#define IN_CAP   (4 * 1024 * 1024)
#define BULK_LEN (2 * 1024 * 1024 + 777)

/* One far end of a channel: it sends a pattern and keeps what comes. */
struct user {
    struct chan chan;
    struct half *half;
    uint64_t out_len[CHAN_STREAMS]; /* of the pattern */
    uint64_t held;                  /* of stream 0, the oldest byte */
    bool fin[CHAN_STREAMS];
    uint8_t *in[CHAN_STREAMS];
    uint64_t in_from[CHAN_STREAMS];
    uint64_t in_next[CHAN_STREAMS];
    bool in_fin[CHAN_STREAMS];
    uint64_t gap, acked[CHAN_STREAMS];
    bool lazy;
    int accepted, rejected, closed, lost, ended, events;
    msg_reject reject;
    msg_close close;
    msg_open asked; /* the machine: what came */
};

/* The links: operator | relay's two ends | machine. */
static struct half op_far, op_near, ag_near, ag_far;
static struct routes routes;
static uint8_t *memory;
static struct user ops_[ROUTES + 2], ags[ROUTES + 2];
static int asked; /* Opens that reached the machine */
static enum { ACCEPT, REJECT, LATER } policy;
static msg_accept answer;
static cmdop_agent_v1_Kind kind;

static uint8_t pattern_at(uint64_t off)
{
    return (uint8_t)(off * 11 + (off >> 8) + (off >> 16));
}

static const uint8_t *pattern(void)
{
    static uint8_t p[IN_CAP];
    static size_t made;
    for (; made < sizeof(p); made++)
        p[made] = pattern_at(made);
    return p;
}

static void on_accepted(void *ctx, const msg_accept *a)
{
    struct user *u = ctx;
    u->accepted++;
    u->in_from[0] = u->in_next[0] = a->out_offset;
}

static void on_rejected(void *ctx, const msg_reject *r)
{
    struct user *u = ctx;
    u->rejected++;
    u->reject = *r;
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct user *u = ctx;
    if (off > u->in_next[stream]) {
        u->gap += off - u->in_next[stream];
        u->in_from[stream] = off;
    }
    size_t at = (size_t)(off - u->in_from[stream]);
    assert_true(at + bytes.len <= IN_CAP);
    if (u->in[stream] == NULL)
        u->in[stream] = malloc(IN_CAP);
    if (bytes.len > 0)
        memcpy(u->in[stream] + at, bytes.ptr, bytes.len);
    u->in_next[stream] = off + bytes.len;
    u->in_fin[stream] = u->in_fin[stream] || fin;
    if (!u->lazy)
        chan_used(&u->chan, stream, u->in_next[stream], u->in_next[stream]);
    return OK;
}

static void on_event(void *ctx, const msg_event *e)
{
    struct user *u = ctx;
    assert_string_equal(e->what.signal.name, "INT");
    u->events++;
}

static void on_acked(void *ctx, uint32_t stream, uint64_t ack)
{
    struct user *u = ctx;
    u->acked[stream] = ack;
}

static void on_closed(void *ctx, const msg_close *c)
{
    struct user *u = ctx;
    u->closed++;
    if (c == NULL)
        u->lost++;
    else
        u->close = *c;
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct user *u = ctx;
    if (stream == 0 && *off < u->held)
        *off = u->held;
    *fin = u->fin[stream];
    if (*off >= u->out_len[stream])
        return VIEW_NONE;
    return view_of(pattern() + *off, (size_t)(u->out_len[stream] - *off));
}

static void on_ended(void *ctx)
{
    struct user *u = ctx;
    u->ended++;
}

static const struct chan_ops ops = {.accepted = on_accepted,
                                    .rejected = on_rejected,
                                    .data = on_data,
                                    .event = on_event,
                                    .acked = on_acked,
                                    .closed = on_closed,
                                    .peek = on_peek,
                                    .ended = on_ended};

static uint32_t budget; /* routes of the one operator */
static uint64_t now_ms;
static bool away;         /* the machine is not connected */
static uint32_t wait_ms;  /* how long an operator waits for it */
static const int machine; /* its name, so to speak */

static bool forbidden; /* what waited may not go on */

static bool still_may(struct mux *op, msg_open *open, struct view params,
                      struct route_no *no)
{
    assert_ptr_equal(op, &op_near.mux);
    assert_true(view_is(params, "params"));
    STR_COPY(open->origin.role, "as it is now");
    *no = (struct route_no){cmdop_agent_v1_Code_CODE_DENIED, "not any more",
                            "ask"};
    return !forbidden;
}

/* ---- the relay -------------------------------------------------------------------- */

static void relay_open(void *ctx, const msg_open *open, struct view params)
{
    (void)ctx;
    if (away)
        route_wait(&routes, &op_near.mux, &machine, open, params, &budget,
                   now_ms);
    else
        route_open(&routes, &op_near.mux, &ag_near.mux, open, params, &budget,
                   now_ms);
}

static void machine_open(void *ctx, const msg_open *open, struct view params)
{
    struct user *u = &ags[asked++];
    (void)ctx;
    u->asked = *open;
    u->half = &ag_far;
    assert_true(view_is(params, "params"));
    chan_init(&u->chan, &ops, u, 2, 32 * 1024, false);
    if (policy == ACCEPT)
        assert_int_equal(chan_accept(&ag_far.mux, &u->chan, open, &answer), OK);
    if (policy == REJECT)
        assert_int_equal(mux_reject(&ag_far.mux, open->channel,
                                    cmdop_agent_v1_Code_CODE_NO_PROGRAM, "no",
                                    "look"),
                         OK);
}

static int setup(void **state)
{
    size_t bytes =
        (ROUTES + 1) * (sizeof(struct route) + 3 * WINDOW_BULK + 8192);
    struct arena a;
    (void)state;
    half_init(&op_far, &op_near, true, UINT32_MAX);
    half_init(&op_near, &op_far, false, 64);
    half_init(&ag_near, &ag_far, false, 64);
    half_init(&ag_far, &ag_near, true, UINT32_MAX);
    op_near.on_open = relay_open;
    ag_far.on_open = machine_open;
    memory = calloc(1, bytes);
    arena_init(&a, (struct span){memory, bytes});
    routes_init(&routes, &a, ROUTES, still_may);
    forbidden = false;
    asked = 0;
    away = false;
    wait_ms = 0;
    policy = ACCEPT;
    answer = (msg_accept)cmdop_agent_v1_Accept_init_zero;
    kind = cmdop_agent_v1_Kind_KIND_PTY;
    return 0;
}

static void forget(struct user *u)
{
    for (int s = 0; s < CHAN_STREAMS; s++)
        free(u->in[s]);
    memset(u, 0, sizeof(*u));
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < ROUTES + 2; i++) {
        forget(&ops_[i]);
        forget(&ags[i]);
    }
    free(memory);
    return 0;
}

static void assert_rings(void)
{
    for (uint32_t i = 0; i < routes.cap; i++) {
        const struct route *t = &routes.slots[i];
        if (!t->live)
            continue;
        assert_true(t->in.tail - t->in.head <= t->in.cap);
        for (int s = 0; s < CHAN_STREAMS; s++)
            assert_true(t->out[s].tail - t->out[s].head <= t->out[s].cap);
    }
}

static void settle(void)
{
    size_t moved;
    do {
        moved = half_move(&op_far, 16384) + half_move(&op_near, 16384) +
                half_move(&ag_near, 16384) + half_move(&ag_far, 16384);
        assert_rings();
    } while (moved > 0);
}

static void assert_links_well(void)
{
    assert_int_equal(op_far.err, OK);
    assert_int_equal(op_near.err, OK);
    assert_int_equal(ag_near.err, OK);
    assert_int_equal(ag_far.err, OK);
}

static struct user *open_user(int i)
{
    struct user *u = &ops_[i];
    struct msg_blob blob = {.data = view_str("params")};
    msg_open open = cmdop_agent_v1_Open_init_zero;
    open.kind = kind;
    open.wait_ms = wait_ms;
    strcpy(open.target, "web-1");
    open.has_origin = true;
    strcpy(open.origin.user, "ada");
    open.params = msg_blob_out(&blob);
    u->half = &op_far;
    chan_init(&u->chan, &ops, u, 1, OP_WIN, false);
    u->chan.gaps_ok = u->chan.any_start = true;
    assert_int_equal(chan_open(&op_far.mux, &u->chan, &open), OK);
    settle();
    return u;
}

static void say(struct user *u, uint32_t stream, uint64_t upto, bool fin)
{
    u->out_len[stream] = upto;
    u->fin[stream] = fin;
    chan_wake(&u->chan);
    settle();
}

static void wake_up(struct user *u)
{
    u->lazy = false;
    for (uint32_t s = 0; s < CHAN_STREAMS; s++)
        chan_used(&u->chan, s, u->in_next[s], u->in_next[s]);
    settle();
}

static void assert_got(const struct user *u, uint32_t stream, uint64_t upto)
{
    assert_int_equal(u->in_next[stream], upto);
    size_t from = (size_t)u->in_from[stream];
    if (upto > from)
        assert_memory_equal(u->in[stream], pattern() + from, upto - from);
}

static const msg_close done = {.which_result =
                                   cmdop_agent_v1_Close_exit_status_tag,
                               .result.exit_status = 7,
                               .duration_ms = 42};

/* ---- the way there and back ------------------------------------------------------- */

static void an_open_is_led_on_and_answered(void **state)
{
    (void)state;
    answer.in_offset = 3;
    answer.out_offset = 1000;
    struct user *u = open_user(0);
    assert_int_equal(asked, 1);
    assert_int_equal(ags[0].asked.kind, cmdop_agent_v1_Kind_KIND_PTY);
    assert_string_equal(ags[0].asked.target, "web-1");
    assert_string_equal(ags[0].asked.origin.user, "ada");
    assert_int_equal(ags[0].asked.channel % 2, 0); /* the relay's number */
    assert_int_equal(u->accepted, 1);
    assert_int_equal(u->chan.tx[0].next, 3);
    assert_int_equal(u->in_next[0], 1000);
    assert_int_equal(routes.count, 1);
    ags[0].held = 1000;
    say(&ags[0], 0, 5000, false);
    say(u, 0, 2000, false);
    assert_got(u, 0, 5000);
    assert_int_equal(ags[0].in_next[0], 2000);
    assert_links_well();
}

static void bytes_go_both_ways_and_both_streams_back(void **state)
{
    (void)state;
    kind = cmdop_agent_v1_Kind_KIND_EXEC;
    struct user *u = open_user(0);
    say(u, 0, BULK_LEN, true);
    say(&ags[0], 0, BULK_LEN, false);
    say(&ags[0], 1, 500000, true);
    assert_got(&ags[0], 0, BULK_LEN);
    assert_got(u, 0, BULK_LEN);
    assert_got(u, 1, 500000);
    assert_true(ags[0].in_fin[0] && u->in_fin[1] && !u->in_fin[0]);
    assert_links_well();
}

static void events_pass_both_ways(void **state)
{
    msg_event e = {.which_what = cmdop_agent_v1_Event_signal_tag};
    (void)state;
    struct user *u = open_user(0);
    strcpy(e.what.signal.name, "INT");
    assert_int_equal(chan_event(&u->chan, &e), OK);
    assert_int_equal(chan_event(&ags[0].chan, &e), OK);
    settle();
    assert_int_equal(ags[0].events, 1);
    assert_int_equal(u->events, 1);
}

static void an_ack_says_that_the_far_end_has_the_bytes(void **state)
{
    (void)state;
    struct user *u = open_user(0);
    u->lazy = true;
    say(&ags[0], 0, 600 * 1024, false);
    assert_int_equal(ags[0].acked[0], 0); /* the relay has them, no more */
    assert_true(ags[0].chan.tx[0].next > OP_WIN);
    chan_used(&u->chan, 0, OP_WIN, OP_WIN);
    settle();
    assert_int_equal(ags[0].acked[0], OP_WIN);
    ags[0].lazy = true;
    say(u, 0, WINDOW_BULK, false);
    assert_int_equal(u->acked[0], 0);
    wake_up(&ags[0]);
    assert_int_equal(ags[0].in_next[0], WINDOW_BULK);
    assert_true(u->acked[0] > 0); /* told by half windows */
    assert_true(u->acked[0] <= WINDOW_BULK);
}

/* ---- slow ends ---------------------------------------------------------------------- */

static void a_slow_operator_fills_one_ring_and_no_more(void **state)
{
    (void)state;
    kind = cmdop_agent_v1_Kind_KIND_EXEC;
    struct user *u = open_user(0), *v = open_user(1);
    u->lazy = true;
    say(&ags[0], 0, BULK_LEN, true);
    assert_int_equal(u->in_next[0], OP_WIN);
    assert_true(ags[0].chan.tx[0].next <= OP_WIN + WINDOW_BULK);
    say(&ags[1], 0, BULK_LEN, true); /* the other is not disturbed */
    assert_got(v, 0, BULK_LEN);
    wake_up(u);
    assert_got(u, 0, BULK_LEN);
    assert_links_well();
}

static void a_slow_machine_fills_one_ring_and_no_more(void **state)
{
    (void)state;
    struct user *u = open_user(0);
    ags[0].lazy = true;
    say(u, 0, BULK_LEN, true);
    assert_int_equal(ags[0].in_next[0], 32 * 1024);
    assert_true(u->chan.tx[0].next <= 32 * 1024 + WINDOW_BULK);
    wake_up(&ags[0]);
    assert_got(&ags[0], 0, BULK_LEN);
    assert_links_well();
}

static void an_operator_that_does_not_keep_to_credit_is_found_out(void **state)
{
    (void)state;
    struct user *u = open_user(0);
    ags[0].lazy = true;
    u->chan.tx[0].limit = UINT64_MAX;
    say(u, 0, BULK_LEN, false);
    assert_int_equal(op_near.err, ERR_PROTO);
    assert_int_equal(ag_near.err, OK);
}

static void a_machine_that_does_not_keep_to_credit_is_found_out(void **state)
{
    (void)state;
    struct user *u = open_user(0);
    u->lazy = true;
    ags[0].chan.tx[0].limit = UINT64_MAX;
    say(&ags[0], 0, BULK_LEN, false);
    assert_int_equal(ag_near.err, ERR_PROTO);
    assert_int_equal(op_near.err, OK);
}

static void input_on_a_stream_that_is_none_is_a_breach(void **state)
{
    struct msg_data d = {.channel = 1, .stream = 1};
    uint8_t buf[MSG_DATA_HEAD_MAX + 1];
    (void)state;
    (void)open_user(0);
    size_t n = msg_data_head(buf, &d, 1);
    buf[n++] = 'x';
    assert_int_equal(
        half_take(&op_near, view_of(buf + GRPCFRAME_HEAD, n - GRPCFRAME_HEAD)),
        ERR_PROTO);
}

/* ---- gaps ---------------------------------------------------------------------------- */

/* The machine let go of bytes: what the relay holds is stale as well, and the
 * operator learns how many he will never see. */
static void a_gap_passes_through_and_is_counted_once(void **state)
{
    (void)state;
    struct user *u = open_user(0);
    u->lazy = true;
    say(&ags[0], 0, BULK_LEN, false);
    assert_int_equal(u->in_next[0], OP_WIN);
    ags[0].held = 1500000;
    say(&ags[0], 0, BULK_LEN, false);
    assert_int_equal(u->gap, 1500000 - OP_WIN);
    assert_int_equal(u->in_next[0], 1500000);
    wake_up(u);
    assert_got(u, 0, BULK_LEN);
    assert_int_equal(u->in_from[0], 1500000);
    assert_links_well();
}

static void gaps_after_gaps_never_pass_the_operators_window(void **state)
{
    (void)state;
    struct user *u = open_user(0);
    u->lazy = true;
    say(&ags[0], 0, BULK_LEN, false);
    for (uint64_t held = 600000; held <= 2000000; held += 200000) {
        ags[0].held = held;
        say(&ags[0], 0, BULK_LEN, false);
        assert_int_equal(u->in_next[0] - u->gap, OP_WIN);
    }
    wake_up(u);
    assert_got(u, 0, BULK_LEN);
    assert_links_well();
}

/* An interrupt: the machine has sent all it had, and wants none of it to be
 * waited for. */
static void what_the_machine_skips_is_dropped_here(void **state)
{
    (void)state;
    struct user *u = open_user(0);
    u->lazy = true;
    say(&ags[0], 0, OP_WIN + 100000, false);
    chan_skip(&ags[0].chan, 0);
    settle();
    assert_int_equal(u->gap, 100000);
    wake_up(u);
    say(&ags[0], 0, OP_WIN + 105000, false);
    assert_got(u, 0, OP_WIN + 105000);
    chan_skip(&ags[0].chan, 0); /* nothing waits */
    say(&ags[0], 0, BULK_LEN, false);
    assert_int_equal(u->gap, 100000);
    assert_got(u, 0, BULK_LEN);
    assert_links_well();
}

static void nothing_of_a_command_is_dropped(void **state)
{
    (void)state;
    kind = cmdop_agent_v1_Kind_KIND_EXEC;
    struct user *u = open_user(0);
    u->lazy = true;
    say(&ags[0], 0, OP_WIN + 100000, false);
    chan_skip(&ags[0].chan, 0);
    settle();
    wake_up(u);
    assert_int_equal(u->gap, 0);
    assert_got(u, 0, OP_WIN + 100000);
    assert_links_well();
}

/* An answer has no gaps: a machine that says so is not believed. */
static void a_gap_in_an_answer_is_a_breach(void **state)
{
    (void)state;
    kind = cmdop_agent_v1_Kind_KIND_RPC;
    struct user *u = open_user(0);
    u->lazy = true;
    say(&ags[0], 0, BULK_LEN, false);
    ags[0].held = 1500000;
    say(&ags[0], 0, BULK_LEN, false);
    assert_int_equal(ag_near.err, ERR_PROTO);
}

/* ---- ends ----------------------------------------------------------------------------- */

static void a_machines_close_comes_after_its_bytes(void **state)
{
    (void)state;
    kind = cmdop_agent_v1_Kind_KIND_EXEC;
    struct user *u = open_user(0);
    u->lazy = true;
    ags[0].out_len[0] = ags[0].out_len[1] = 400000;
    ags[0].fin[0] = ags[0].fin[1] = true;
    chan_close(&ags[0].chan, &done, CHAN_DRAIN);
    settle();
    assert_int_equal(u->closed, 0);
    wake_up(u);
    assert_got(u, 0, 400000);
    assert_got(u, 1, 400000);
    assert_int_equal(u->closed, 1);
    assert_int_equal(u->close.result.exit_status, 7);
    assert_int_equal(u->close.duration_ms, 42);
    assert_int_equal(routes.count, 0);
    assert_links_well();
}

static void an_operators_close_reaches_the_machine(void **state)
{
    (void)state;
    struct user *u = open_user(0);
    u->out_len[0] = 100000;
    u->fin[0] = true;
    chan_close(&u->chan, &done, CHAN_DRAIN);
    settle();
    assert_got(&ags[0], 0, 100000);
    assert_int_equal(ags[0].closed, 1);
    assert_int_equal(u->ended, 1);
    assert_int_equal(routes.count, 0);
}

/* Nobody waits for a machine that reads nothing. */
static void an_operators_close_does_not_wait_for_a_deaf_machine(void **state)
{
    (void)state;
    struct user *u = open_user(0);
    ags[0].lazy = true;
    say(u, 0, 200000, false);
    chan_close(&u->chan, &done, CHAN_NOW);
    settle();
    assert_int_equal(ags[0].closed, 1);
    assert_int_equal(routes.count, 0);
}

static void a_lost_operator_is_told_to_the_machine(void **state)
{
    (void)state;
    struct user *u = open_user(0);
    say(&ags[0], 0, BULK_LEN, false);
    mux_lost(&op_near.mux);
    routes_operator_lost(&routes, &op_near.mux, &budget);
    mux_lost(&op_far.mux);
    settle();
    assert_int_equal(u->lost, 1);
    assert_int_equal(ags[0].closed, 1);
    assert_int_equal(ags[0].close.result.failure.code,
                     cmdop_agent_v1_Code_CODE_LOST);
    assert_int_equal(routes.count, 0);
}

static void a_lost_machine_is_told_to_the_operator_after_its_bytes(void **s)
{
    (void)s;
    struct user *u = open_user(0);
    u->lazy = true;
    say(&ags[0], 0, 200000, false);
    mux_lost(&ag_near.mux);
    settle();
    assert_int_equal(u->closed, 0);
    wake_up(u);
    assert_got(u, 0, 200000);
    assert_int_equal(u->closed, 1);
    assert_int_equal(u->close.result.failure.code,
                     cmdop_agent_v1_Code_CODE_LOST);
    assert_int_equal(routes.count, 0);
}

static void both_links_lost_leave_nothing(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        teardown(NULL);
        setup(NULL);
        (void)open_user(0);
        policy = LATER;
        (void)open_user(1);
        if (order == 0)
            mux_lost(&ag_near.mux);
        mux_lost(&op_near.mux);
        routes_operator_lost(&routes, &op_near.mux, &budget);
        mux_lost(&ag_near.mux);
        assert_int_equal(routes.count, 0);
    }
}

/* ---- answers that never come ------------------------------------------------------------ */

static void a_rejection_passes_through(void **state)
{
    (void)state;
    policy = REJECT;
    struct user *u = open_user(0);
    assert_int_equal(u->rejected, 1);
    assert_int_equal(u->reject.code, cmdop_agent_v1_Code_CODE_NO_PROGRAM);
    assert_string_equal(u->reject.message, "no");
    assert_string_equal(u->reject.remedy, "look");
    assert_int_equal(routes.count, 0);
}

static void a_machine_lost_before_its_answer_is_a_rejection(void **state)
{
    (void)state;
    policy = LATER;
    struct user *u = open_user(0);
    mux_lost(&ag_near.mux);
    settle();
    assert_int_equal(u->rejected, 1);
    assert_int_equal(u->reject.code, cmdop_agent_v1_Code_CODE_LOST);
    assert_int_equal(routes.count, 0);
}

static void accept_late(int i)
{
    assert_int_equal(
        chan_accept(&ag_far.mux, &ags[i].chan, &ags[i].asked, &answer), OK);
    settle();
}

static void a_late_answer_still_arrives(void **state)
{
    (void)state;
    policy = LATER;
    struct user *u = open_user(0);
    assert_int_equal(u->accepted + u->rejected, 0);
    accept_late(0);
    assert_int_equal(u->accepted, 1);
    say(&ags[0], 0, 1000, false);
    assert_got(u, 0, 1000);
}

static void an_operator_lost_before_the_answer_ends_the_machines_side(void **s)
{
    (void)s;
    policy = LATER;
    (void)open_user(0);
    mux_lost(&op_near.mux);
    routes_operator_lost(&routes, &op_near.mux, &budget);
    accept_late(0);
    assert_int_equal(ags[0].closed, 1);
    assert_int_equal(routes.count, 0);
}

/* He changed his mind before the machine answered. */
static void an_open_that_is_taken_back_ends_the_machines_side(void **state)
{
    (void)state;
    policy = LATER;
    struct user *u = open_user(0);
    chan_close(&u->chan, &done, CHAN_NOW);
    settle();
    assert_int_equal(u->ended, 1);
    routes_gone(&routes, &op_near.mux, op_near.gone, &done);
    accept_late(0);
    assert_int_equal(ags[0].closed, 1);
    assert_int_equal(routes.count, 0);
    assert_links_well();
}

/* ---- a machine that is away ---------------------------------------------------------- */

static struct user *open_away(int i, uint32_t ms)
{
    away = true;
    wait_ms = ms;
    struct user *u = open_user(i);
    away = false;
    assert_int_equal(u->accepted + u->rejected, 0);
    return u;
}

static void an_open_waits_for_its_machine(void **state)
{
    static const int other;
    (void)state;
    struct user *u = open_away(0, 5000);
    routes_online(&routes, &other, &ag_near.mux, now_ms);
    settle();
    assert_int_equal(asked, 0);
    routes_online(&routes, &machine, &ag_near.mux, now_ms);
    settle();
    assert_int_equal(asked, 1);
    assert_string_equal(ags[0].asked.target, "web-1");
    assert_string_equal(ags[0].asked.origin.user, "ada");
    assert_string_equal(ags[0].asked.origin.role, "as it is now");
    assert_int_equal(ags[0].asked.wait_ms, 0);
    assert_int_equal(u->accepted, 1);
    say(u, 0, 2000, false);
    say(&ags[0], 0, 3000, false);
    assert_int_equal(ags[0].in_next[0], 2000);
    assert_got(u, 0, 3000);
    routes_online(&routes, &machine, &ag_near.mux, now_ms); /* only once */
    settle();
    assert_int_equal(asked, 1);
    assert_links_well();
}

/* What was allowed when he asked may be forbidden when the machine comes. */
static void what_waited_is_asked_about_once_more(void **state)
{
    (void)state;
    uint32_t before = budget;
    struct user *u = open_away(0, 5000);
    forbidden = true;
    routes_online(&routes, &machine, &ag_near.mux, now_ms);
    settle();
    assert_int_equal(asked, 0);
    assert_int_equal(u->rejected, 1);
    assert_int_equal(u->reject.code, cmdop_agent_v1_Code_CODE_DENIED);
    assert_string_equal(u->reject.message, "not any more");
    assert_int_equal(routes.count, 0);
    assert_int_equal(budget, before);
    assert_links_well();
}

static void it_waits_so_long_and_no_longer(void **state)
{
    (void)state;
    uint32_t before = budget;
    struct user *u = open_away(0, 5000), *v = open_away(1, 1000000000);
    routes_sweep(&routes, now_ms + 4999);
    settle();
    assert_int_equal(u->rejected, 0);
    routes_sweep(&routes, now_ms + 5000);
    settle();
    assert_int_equal(u->rejected, 1);
    assert_int_equal(u->reject.code, cmdop_agent_v1_Code_CODE_OFFLINE);
    routes_sweep(&routes, now_ms + ROUTE_ANSWER_MS);
    settle();
    assert_int_equal(v->rejected, 1);
    assert_int_equal(routes.count, 0);
    assert_int_equal(budget, before);
}

static void an_open_that_waits_may_be_taken_back(void **state)
{
    (void)state;
    struct user *u = open_away(0, 5000);
    msg_close end = done;
    end.channel = u->chan.number;
    routes_gone(&routes, &op_near.mux, u->chan.number, &end);
    assert_int_equal(routes.count, 0);
    (void)open_away(1, 5000);
    routes_operator_lost(&routes, &op_near.mux, &budget);
    assert_int_equal(routes.count, 0);
    routes_online(&routes, &machine, &ag_near.mux, now_ms);
    settle();
    assert_int_equal(asked, 0);
}

static void an_operator_without_room_is_told(void **state)
{
    (void)state;
    policy = LATER;
    struct user *u = open_user(0);
    op_near.mux.count_max = 0;
    accept_late(0);
    assert_int_equal(u->rejected, 1);
    assert_int_equal(u->reject.code, cmdop_agent_v1_Code_CODE_LIMIT);
    assert_int_equal(ags[0].closed, 1);
    assert_int_equal(routes.count, 0);
}

static void a_machine_without_room_is_told(void **state)
{
    (void)state;
    ag_near.mux.count_max = 0;
    struct user *u = open_user(0);
    assert_int_equal(u->rejected, 1);
    assert_int_equal(u->reject.code, cmdop_agent_v1_Code_CODE_LIMIT);
    assert_int_equal(asked, 0);
    assert_int_equal(routes.count, 0);
}

static void the_relay_leads_only_so_many(void **state)
{
    (void)state;
    for (int i = 0; i < ROUTES; i++)
        (void)open_user(i);
    struct user *late = open_user(ROUTES);
    assert_int_equal(late->rejected, 1);
    assert_int_equal(late->reject.code, cmdop_agent_v1_Code_CODE_LIMIT);
    chan_close(&ops_[0].chan, &done, CHAN_NOW);
    settle();
    struct user *next = open_user(ROUTES + 1);
    assert_int_equal(next->accepted, 1);
    say(&ags[ROUTES], 0, 1000, false); /* nothing is left of the one before */
    assert_got(next, 0, 1000);
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(an_open_is_led_on_and_answered),
        FACT(bytes_go_both_ways_and_both_streams_back),
        FACT(events_pass_both_ways),
        FACT(an_ack_says_that_the_far_end_has_the_bytes),
        FACT(a_slow_operator_fills_one_ring_and_no_more),
        FACT(a_slow_machine_fills_one_ring_and_no_more),
        FACT(an_operator_that_does_not_keep_to_credit_is_found_out),
        FACT(a_machine_that_does_not_keep_to_credit_is_found_out),
        FACT(input_on_a_stream_that_is_none_is_a_breach),
        FACT(a_gap_passes_through_and_is_counted_once),
        FACT(gaps_after_gaps_never_pass_the_operators_window),
        FACT(what_the_machine_skips_is_dropped_here),
        FACT(nothing_of_a_command_is_dropped),
        FACT(a_gap_in_an_answer_is_a_breach),
        FACT(a_machines_close_comes_after_its_bytes),
        FACT(an_operators_close_reaches_the_machine),
        FACT(an_operators_close_does_not_wait_for_a_deaf_machine),
        FACT(a_lost_operator_is_told_to_the_machine),
        FACT(a_lost_machine_is_told_to_the_operator_after_its_bytes),
        FACT(both_links_lost_leave_nothing),
        FACT(a_rejection_passes_through),
        FACT(a_machine_lost_before_its_answer_is_a_rejection),
        FACT(a_late_answer_still_arrives),
        FACT(an_operator_lost_before_the_answer_ends_the_machines_side),
        FACT(an_open_that_is_taken_back_ends_the_machines_side),
        FACT(an_open_waits_for_its_machine),
        FACT(what_waited_is_asked_about_once_more),
        FACT(it_waits_so_long_and_no_longer),
        FACT(an_open_that_waits_may_be_taken_back),
        FACT(an_operator_without_room_is_told),
        FACT(a_machine_without_room_is_told),
        FACT(the_relay_leads_only_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
