/*
 * Two muxes against each other, and one mux against a peer that breaks the
 * rules: what is said, in which order, what is refused, and what happens when
 * an owner frees a channel inside its own callback.
 */
#include "core/mux.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/core/pair.h"

#define USERS  6
#define IN_CAP (512 * 1024)
#define WINDOW 1000
#define CHANS  4 /* of one link, at most */

/* ---- an owner of one channel ----------------------------------------------------- */

enum when { NEVER, AT_ACCEPTED, AT_DATA, AT_EVENT, AT_ACKED, AT_SENT };

struct user {
    struct chan chan;
    /* what it sends: bytes from `held` on, of `len` in all */
    struct view out[CHAN_STREAMS];
    uint64_t held[CHAN_STREAMS];
    bool fin[CHAN_STREAMS];
    /* what it got */
    uint8_t in[CHAN_STREAMS][IN_CAP];
    uint64_t in_from[CHAN_STREAMS]; /* offset of in[0] */
    uint64_t in_next[CHAN_STREAMS];
    bool in_fin[CHAN_STREAMS];
    uint64_t gaps;
    int told; /* how often Data came */
    uint64_t acked[CHAN_STREAMS];
    int accepted, rejected, closed, lost, ended, events;
    uint32_t rows; /* of the last size it was told */
    msg_accept accept;
    msg_reject reject;
    msg_close close;
    enum when drop_when; /* free the channel inside this callback */
    bool use;            /* uses bytes at once */
    int verdict;         /* what data() returns */
};

static struct half left, right;     /* left made the connection */
static struct user users[2][USERS]; /* [0] left's, [1] right's */
static msg_open last_open;
static uint8_t last_params[FRAME_MAX];
static size_t last_params_len;
static struct user *taker; /* whom right's next Open is for; NULL: nobody */
static msg_accept answer;

static void drop_if(struct user *u, enum when now)
{
    if (u->drop_when == now)
        chan_drop(&u->chan);
}

static void on_accepted(void *ctx, const msg_accept *a)
{
    struct user *u = ctx;
    u->accepted++;
    u->accept = *a;
    u->in_from[0] = u->in_next[0] = a->out_offset;
    drop_if(u, AT_ACCEPTED);
}

static void on_rejected(void *ctx, const msg_reject *r)
{
    struct user *u = ctx;
    assert_int_equal(u->chan.state, CHAN_FREE);
    u->rejected++;
    u->reject = *r;
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct user *u = ctx;
    assert_true(stream < CHAN_STREAMS && !u->in_fin[stream]);
    assert_true(off >= u->in_next[stream]);
    u->told++;
    if (off > u->in_next[stream]) { /* a gap: count anew from there */
        u->gaps += off - u->in_next[stream];
        u->in_from[stream] = off;
    }
    size_t at = (size_t)(off - u->in_from[stream]);
    assert_true(at + bytes.len <= IN_CAP);
    if (bytes.len > 0)
        memcpy(u->in[stream] + at, bytes.ptr, bytes.len);
    u->in_next[stream] = off + bytes.len;
    u->in_fin[stream] = fin;
    if (u->use)
        chan_used(&u->chan, stream, off + bytes.len, off + bytes.len);
    drop_if(u, AT_DATA);
    return u->verdict;
}

static void on_event(void *ctx, const msg_event *e)
{
    struct user *u = ctx;
    assert_int_equal(e->which_what, cmdop_agent_v1_Event_resize_tag);
    u->events++;
    u->rows = e->what.resize.rows;
    drop_if(u, AT_EVENT);
}

static void on_acked(void *ctx, uint32_t stream, uint64_t ack)
{
    struct user *u = ctx;
    u->acked[stream] = ack;
    drop_if(u, AT_ACKED);
}

static void on_closed(void *ctx, const msg_close *c)
{
    struct user *u = ctx;
    assert_int_equal(u->chan.state, CHAN_FREE);
    u->closed++;
    if (c == NULL)
        u->lost++;
    else
        u->close = *c;
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct user *u = ctx;
    if (*off < u->held[stream])
        *off = u->held[stream];
    *fin = u->fin[stream];
    return view_from(u->out[stream], (size_t)*off);
}

static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct user *u = ctx;
    assert_true(upto <= u->out[stream].len);
    assert_true(upto <= u->chan.tx[stream].limit || upto == u->held[stream]);
    drop_if(u, AT_SENT);
}

static void on_ended(void *ctx)
{
    struct user *u = ctx;
    assert_int_equal(u->chan.state, CHAN_FREE);
    u->ended++;
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

/* ---- a pair of links ------------------------------------------------------------- */

static void right_open(void *ctx, const msg_open *open, struct view params)
{
    (void)ctx;
    last_open = *open;
    last_params_len = params.len;
    if (params.len > 0)
        memcpy(last_params, params.ptr, params.len);
    if (taker == NULL)
        return; /* the test answers later */
    assert_int_equal(chan_accept(&right.mux, &taker->chan, open, &answer), OK);
}

static void init_user(struct user *u, uint32_t streams, bool bulk)
{
    memset(u, 0, sizeof(*u));
    u->use = true;
    chan_init(&u->chan, &ops, u, streams, WINDOW, bulk);
}

static int setup(void **state)
{
    (void)state;
    half_init(&left, &right, true, CHANS);
    half_init(&right, &left, false, CHANS);
    right.on_open = right_open;
    for (int i = 0; i < USERS; i++) {
        init_user(&users[0][i], 1, false);
        init_user(&users[1][i], 2, false);
    }
    taker = &users[1][0];
    answer = (msg_accept)cmdop_agent_v1_Accept_init_zero;
    return 0;
}

static void settle(void)
{
    half_settle(&left, &right);
}

static int ask_for(struct user *u)
{
    msg_open open = cmdop_agent_v1_Open_init_zero;
    open.kind = cmdop_agent_v1_Kind_KIND_PTY;
    return chan_open(&left.mux, &u->chan, &open);
}

/* Channel i from left to right, accepted. */
static void connect_users(int i)
{
    taker = &users[1][i];
    assert_int_equal(ask_for(&users[0][i]), OK);
    settle();
    assert_int_equal(users[0][i].accepted, 1);
    assert_int_equal(users[0][i].chan.state, CHAN_OPEN);
    assert_int_equal(users[1][i].chan.state, CHAN_OPEN);
}

static const uint8_t *pattern(void)
{
    static uint8_t p[IN_CAP];
    static size_t made;
    for (; made < sizeof(p); made++)
        p[made] = (uint8_t)(made * 7 + (made >> 8) + 1);
    return p;
}

static void say(struct user *u, uint32_t stream, size_t len, bool fin)
{
    u->out[stream] = view_of(pattern(), len);
    u->fin[stream] = fin;
    chan_wake(&u->chan);
}

static void assert_got(const struct user *u, uint32_t stream, size_t len)
{
    assert_int_equal(u->in_next[stream], len);
    size_t from = (size_t)u->in_from[stream];
    assert_memory_equal(u->in[stream], pattern() + from, len - from);
}

static const msg_close done = {
    .which_result = cmdop_agent_v1_Close_exit_status_tag,
    .result.exit_status = 7,
};

/* A message of the peer's own making to `to`; what the mux says of it. */
static int inject(struct half *to, int kind, const pb_msgdesc_t *fields,
                  const void *msg)
{
    uint8_t buf[FRAME_MAX];
    int n = msg_encode(SPAN_ARRAY(buf), kind, fields, msg);
    assert_true(n > 0);
    return half_take(to, view_of(buf, (size_t)n));
}

static int inject_data(struct half *to, uint32_t channel, uint32_t stream,
                       uint64_t offset, size_t len, bool fin)
{
    static uint8_t buf[MSG_DATA_HEAD_MAX + IN_CAP];
    struct msg_data d = {channel, stream, offset, fin};
    size_t n = msg_data_head(buf, &d, len);
    if (len > 0)
        memcpy(buf + n, pattern() + offset, len);
    return half_take(to,
                     view_of(buf + GRPCFRAME_HEAD, n + len - GRPCFRAME_HEAD));
}

static int inject_open(struct half *to, uint32_t channel)
{
    msg_open m = {.channel = channel, .window = WINDOW};
    return inject(to, MSG_OPEN, cmdop_agent_v1_Open_fields, &m);
}

static int inject_credit(struct half *to, uint32_t channel, uint32_t stream,
                         uint64_t ack, uint64_t limit)
{
    msg_credit m = {channel, stream, ack, limit};
    return inject(to, MSG_CREDIT, cmdop_agent_v1_Credit_fields, &m);
}

static int inject_close(struct half *to, uint32_t channel)
{
    msg_close m = done;
    m.channel = channel;
    return inject(to, MSG_CLOSE, cmdop_agent_v1_Close_fields, &m);
}

/* ---- opening ----------------------------------------------------------------------- */

static void an_open_reaches_the_peer_and_its_accept_comes_back(void **state)
{
    static const uint8_t params[] = "three small words";
    struct msg_blob blob = {.data = VIEW_ARRAY(params)};
    msg_open open = cmdop_agent_v1_Open_init_zero;
    struct user *u = &users[0][0];
    (void)state;
    open.kind = cmdop_agent_v1_Kind_KIND_EXEC;
    strcpy(open.target, "web-1");
    open.params = msg_blob_out(&blob);
    answer.in_offset = 5;
    answer.out_offset = 17;
    u->chan.any_start = true;
    assert_int_equal(chan_open(&left.mux, &u->chan, &open), OK);
    assert_int_equal(u->chan.state, CHAN_OPENING);
    settle();
    assert_int_equal(last_open.kind, cmdop_agent_v1_Kind_KIND_EXEC);
    assert_int_equal(last_open.channel, 1);
    assert_int_equal(last_open.window, WINDOW);
    assert_string_equal(last_open.target, "web-1");
    assert_memory_equal(last_params, params, sizeof(params));
    assert_int_equal(last_params_len, sizeof(params));
    assert_int_equal(u->accepted, 1);
    assert_int_equal(u->accept.in_offset, 5);
    assert_int_equal(u->chan.tx[0].next, 5);
    assert_int_equal(u->chan.tx[0].limit, 5 + WINDOW);
    assert_int_equal(u->chan.rx[0].next, 17);
    assert_int_equal(taker->chan.tx[0].next, 17);
    assert_int_equal(taker->chan.rx[0].next, 5);
}

static void a_stream_starts_above_zero_only_where_that_was_said(void **state)
{
    msg_accept a = {.channel = 1, .window = WINDOW};
    (void)state;
    for (int i = 0; i < 6; i++) {
        setup(NULL);
        taker = NULL;
        users[0][0].chan.any_start = i >= 2;
        a.in_offset = i % 2 == 0 ? (i < 4 ? 1 : UINT64_MAX) : 0;
        a.out_offset = i % 2 == 1 ? (i < 4 ? 1 : UINT64_MAX / 2 + 1) : 0;
        assert_int_equal(ask_for(&users[0][0]), OK);
        assert_int_equal(
            inject(&left, MSG_ACCEPT, cmdop_agent_v1_Accept_fields, &a),
            i == 2 || i == 3 ? OK : ERR_PROTO);
    }
}

/* Sums of offsets must not wrap, whatever a peer writes. */
static void an_offset_that_no_stream_reaches_is_a_breach(void **state)
{
    struct msg_data d = {.channel = 1, .offset = UINT64_MAX};
    uint8_t buf[MSG_DATA_HEAD_MAX];
    (void)state;
    connect_users(0);
    users[0][0].chan.gaps_ok = true;
    for (int i = 0; i < 2; i++) {
        size_t n = msg_data_head(buf, &d, 0) - GRPCFRAME_HEAD;
        assert_int_equal(half_take(&left, view_of(buf + GRPCFRAME_HEAD, n)),
                         ERR_PROTO);
        d.offset = UINT64_MAX / 2 + 1;
    }
}

static void each_side_counts_its_own_numbers(void **state)
{
    msg_open open = cmdop_agent_v1_Open_init_zero;
    (void)state;
    left.on_open = NULL; /* nobody answers: only the numbers matter */
    for (uint32_t i = 0; i < CHANS; i++) {
        assert_int_equal(ask_for(&users[0][i]), OK);
        assert_int_equal(users[0][i].chan.number, 2 * i + 1);
    }
    for (uint32_t i = 0; i < CHANS; i++) {
        assert_int_equal(chan_open(&right.mux, &users[1][i].chan, &open), OK);
        assert_int_equal(users[1][i].chan.number, 2 * i + 2);
    }
}

static void a_rejection_frees_the_channel_and_says_why(void **state)
{
    struct user *u = &users[0][0];
    (void)state;
    taker = NULL;
    assert_int_equal(ask_for(u), OK);
    settle();
    assert_int_equal(mux_reject(&right.mux, last_open.channel,
                                cmdop_agent_v1_Code_CODE_OFFLINE, "no", "wait"),
                     OK);
    settle();
    assert_int_equal(u->rejected, 1);
    assert_int_equal(u->reject.code, cmdop_agent_v1_Code_CODE_OFFLINE);
    assert_string_equal(u->reject.message, "no");
    assert_string_equal(u->reject.remedy, "wait");
    assert_int_equal(left.mux.count, 0);
    taker = &users[1][0];
    init_user(u, 1, false);
    assert_int_equal(ask_for(u), OK);
    assert_int_equal(u->chan.number, 3); /* never the same number again */
}

static void numbers_out_of_turn_are_a_breach(void **state)
{
    (void)state;
    taker = NULL;
    assert_int_equal(inject_open(&right, 2), ERR_PROTO); /* our parity */
    assert_int_equal(inject_open(&right, 0), ERR_PROTO);
    assert_int_equal(inject_open(&right, 7), OK); /* may skip forward */
    assert_int_equal(inject_open(&right, 7), ERR_PROTO);
    assert_int_equal(inject_open(&right, 5), ERR_PROTO);
    assert_int_equal(inject_open(&right, 9), OK);
    assert_int_equal(inject_open(&left, 1), ERR_PROTO);
}

static void too_many_channels_are_refused_on_both_sides(void **state)
{
    (void)state;
    for (int i = 0; i < CHANS; i++)
        connect_users(i);
    assert_int_equal(ask_for(&users[0][CHANS]), ERR_LIMIT);
    assert_int_equal(users[0][CHANS].chan.state, CHAN_FREE);
    left.mux.count_max++; /* a peer that does not keep to it */
    assert_int_equal(ask_for(&users[0][CHANS]), OK);
    settle();
    assert_int_equal(users[0][CHANS].rejected, 1);
    assert_int_equal(users[0][CHANS].reject.code,
                     cmdop_agent_v1_Code_CODE_LIMIT);
    assert_int_equal(right.mux.count, CHANS);
}

static void an_answer_out_of_order_is_a_breach(void **state)
{
    msg_accept a = {.channel = 1, .window = WINDOW};
    msg_reject r = {.channel = 1};
    (void)state;
    connect_users(0);
    assert_int_equal(
        inject(&left, MSG_ACCEPT, cmdop_agent_v1_Accept_fields, &a), ERR_PROTO);
    assert_int_equal(
        inject(&left, MSG_REJECT, cmdop_agent_v1_Reject_fields, &r), ERR_PROTO);
    taker = NULL;
    assert_int_equal(ask_for(&users[0][1]), OK);
    assert_int_equal(inject_data(&left, 3, 0, 0, 1, false), ERR_PROTO);
}

/* ---- bytes ------------------------------------------------------------------------- */

static void bytes_go_both_ways_and_end_with_fin(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    say(a, 0, 100000, true);
    say(b, 0, 200000, false);
    say(b, 1, 50000, true);
    settle();
    assert_got(b, 0, 100000);
    assert_got(a, 0, 200000);
    assert_got(a, 1, 50000);
    assert_true(b->in_fin[0] && !a->in_fin[0] && a->in_fin[1]);
    say(b, 0, 200001, true);
    settle();
    assert_got(a, 0, 200001);
    assert_true(a->in_fin[0]);
    assert_int_equal(left.err, OK);
    assert_int_equal(right.err, OK);
}

static void a_sender_stops_at_the_limit_until_bytes_were_used(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    b->use = false;
    say(a, 0, 10 * WINDOW, true);
    settle();
    assert_got(b, 0, WINDOW);
    assert_false(b->in_fin[0]);
    chan_used(&b->chan, 0, WINDOW / 2 - 1, 0); /* too little to speak of */
    settle();
    assert_got(b, 0, WINDOW);
    chan_used(&b->chan, 0, WINDOW / 2, WINDOW / 4);
    settle();
    assert_got(b, 0, WINDOW + WINDOW / 2);
    assert_int_equal(a->acked[0], WINDOW / 4);
    b->use = true;
    chan_used(&b->chan, 0, b->in_next[0], b->in_next[0]);
    settle();
    assert_got(b, 0, 10 * WINDOW);
    assert_true(b->in_fin[0]);
}

static void an_exactly_used_credit_carries_the_fin_as_well(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    b->use = false;
    say(a, 0, WINDOW, true);
    settle();
    assert_got(b, 0, WINDOW);
    assert_true(b->in_fin[0]);
}

static void a_peer_that_sends_more_than_granted_is_found_out(void **state)
{
    struct user *b = &users[1][0];
    (void)state;
    connect_users(0);
    b->use = false;
    assert_int_equal(inject_data(&right, 1, 0, 0, WINDOW, false), OK);
    assert_int_equal(inject_data(&right, 1, 0, WINDOW, 1, false), ERR_PROTO);
    assert_string_equal(right.why, "more bytes came than were granted");
    assert_got(b, 0, WINDOW);
}

static void a_peer_that_sends_more_to_the_opener_is_found_out(void **state)
{
    (void)state;
    connect_users(0);
    users[0][0].use = false;
    assert_int_equal(inject_data(&left, 1, 1, 0, WINDOW, false), OK);
    assert_int_equal(inject_data(&left, 1, 1, WINDOW, 1, false), ERR_PROTO);
    assert_int_equal(inject_data(&left, 1, 0, 0, WINDOW + 1, false), ERR_PROTO);
}

static void a_lowered_limit_takes_nothing_back(void **state)
{
    struct user *a = &users[0][0];
    (void)state;
    connect_users(0);
    say(a, 0, 500, false);
    settle();
    assert_int_equal(inject_credit(&left, 1, 0, 0, 10), OK);
    assert_int_equal(a->chan.tx[0].limit, WINDOW + 500);
}

static void an_ack_beyond_what_was_sent_is_a_breach(void **state)
{
    (void)state;
    connect_users(0);
    say(&users[0][0], 0, 10, false);
    settle();
    assert_int_equal(inject_credit(&left, 1, 0, 10, WINDOW), OK);
    assert_int_equal(inject_credit(&left, 1, 0, 11, WINDOW), ERR_PROTO);
    assert_int_equal(inject_credit(&left, 1, 2, 0, WINDOW), ERR_PROTO);
}

static void bytes_that_came_before_are_dropped(void **state)
{
    struct user *b = &users[1][0];
    (void)state;
    connect_users(0);
    assert_int_equal(inject_data(&right, 1, 0, 0, 100, false), OK);
    assert_int_equal(inject_data(&right, 1, 0, 0, 100, false), OK);
    assert_int_equal(inject_data(&right, 1, 0, 20, 30, false), OK);
    assert_got(b, 0, 100);
    assert_int_equal(inject_data(&right, 1, 0, 50, 100, false), OK);
    assert_got(b, 0, 150); /* what is new in it is taken */
    assert_int_equal(inject_data(&right, 1, 0, 0, 160, true), OK);
    assert_got(b, 0, 160);
    assert_true(b->in_fin[0]);
}

static void missing_bytes_are_a_breach(void **state)
{
    (void)state;
    connect_users(0);
    assert_int_equal(inject_data(&right, 1, 0, 1, 10, false), ERR_PROTO);
    assert_int_equal(inject_data(&right, 1, 0, 1, 0, false), ERR_PROTO);
    assert_int_equal(inject_data(&right, 1, 2, 0, 10, false), ERR_PROTO);
}

static void nothing_follows_the_end_of_a_stream(void **state)
{
    (void)state;
    connect_users(0);
    assert_int_equal(inject_data(&right, 1, 0, 0, 10, true), OK);
    assert_int_equal(inject_data(&right, 1, 0, 0, 10, false), OK);
    assert_int_equal(inject_data(&right, 1, 0, 10, 1, false), ERR_PROTO);
}

/* Bytes that are said to be gone would have been bytes as well. */
static void no_gap_follows_the_end_of_a_stream(void **state)
{
    struct user *a = &users[0][0];
    (void)state;
    connect_users(0);
    a->chan.gaps_ok = true;
    assert_int_equal(inject_data(&left, 1, 0, 0, 10, true), OK);
    assert_int_equal(inject_data(&left, 1, 0, 20, 0, false), ERR_PROTO);
    assert_int_equal(a->gaps, 0);
}

static void what_the_owner_refuses_is_a_breach(void **state)
{
    (void)state;
    connect_users(0);
    users[1][0].verdict = ERR_PROTO;
    assert_int_equal(inject_data(&right, 1, 0, 0, 10, false), ERR_PROTO);
}

/* ---- gaps -------------------------------------------------------------------------- */

static void a_gap_is_announced_counted_and_goes_on_behind(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    a->chan.gaps_ok = true;
    a->use = false;
    say(b, 0, 5000, false);
    settle();
    assert_got(a, 0, WINDOW);
    b->held[0] = 4000; /* the sender let go of the bytes before */
    a->use = true;
    chan_used(&a->chan, 0, WINDOW, WINDOW);
    settle();
    assert_int_equal(a->gaps, 4000 - WINDOW);
    assert_int_equal(a->in_from[0], 4000);
    assert_got(a, 0, 5000);
    assert_int_equal(left.err, OK);
    assert_int_equal(b->acked[0], 5000 - 5000 % (WINDOW / 2));
}

/* The jump is told at once; but the reader has not used what came before it,
 * and so gets no byte more than its window. */
static void a_gap_gives_no_credit_for_unused_bytes(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    a->chan.gaps_ok = true;
    a->use = false;
    say(b, 0, 5000, false);
    settle();
    for (uint64_t held = 2000; held <= 4000; held += 1000) {
        b->held[0] = held;
        chan_wake(&b->chan);
        settle();
        assert_int_equal(a->gaps, held - WINDOW);
        assert_int_equal(a->in_next[0], held);
    }
    a->use = true;
    chan_used(&a->chan, 0, 4000, 4000);
    settle();
    assert_got(a, 0, 5000);
    assert_int_equal(left.err, OK);
    assert_int_equal(right.err, OK);
}

/* What lies on the way may be dropped by whoever holds it: he is told where the
 * rest begins, be there bytes missing or not. */
static void a_skip_tells_where_the_rest_begins(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    a->chan.gaps_ok = true;
    say(b, 0, 1000, false);
    settle();
    a->told = 0;
    chan_skip(&b->chan, 0);
    settle();
    assert_int_equal(a->told, 1);
    assert_int_equal(a->gaps, 0);
    b->held[0] = 1500;
    chan_skip(&b->chan, 0);
    say(b, 0, 2000, false);
    settle();
    assert_int_equal(a->told, 3); /* one skip, and the rest */
    assert_int_equal(a->gaps, 500);
    assert_got(a, 0, 2000);
    assert_int_equal(left.err, OK);
}

static void a_gap_is_a_breach_where_none_is_expected(void **state)
{
    (void)state;
    connect_users(0);
    users[0][0].chan.gaps_ok = true;
    assert_int_equal(inject_data(&left, 1, 0, 100, 10, false), ERR_PROTO);
    assert_int_equal(inject_data(&left, 1, 0, 100, 0, false), OK);
    assert_int_equal(users[0][0].gaps, 100);
    assert_int_equal(inject_data(&right, 1, 0, 100, 0, false), ERR_PROTO);
}

/* The jump itself may lead above the limit; the bytes after it may not. */
static void credit_holds_behind_a_gap(void **state)
{
    struct user *a = &users[0][0];
    (void)state;
    connect_users(0);
    a->chan.gaps_ok = true;
    a->use = false;
    assert_int_equal(inject_data(&left, 1, 0, 3 * WINDOW, 0, false), OK);
    assert_int_equal(inject_data(&left, 1, 0, 3 * WINDOW, 2 * WINDOW, false),
                     ERR_PROTO);
}

/* ---- closing ----------------------------------------------------------------------- */

static void a_close_comes_after_all_bytes(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    say(b, 0, 5 * WINDOW, true);
    say(b, 1, 3 * WINDOW, true);
    chan_close(&b->chan, &done, CHAN_DRAIN);
    assert_int_equal(b->chan.state, CHAN_CLOSING);
    settle();
    assert_got(a, 0, 5 * WINDOW);
    assert_got(a, 1, 3 * WINDOW);
    assert_int_equal(a->closed, 1);
    assert_int_equal(a->close.which_result,
                     cmdop_agent_v1_Close_exit_status_tag);
    assert_int_equal(a->close.result.exit_status, 7);
    assert_int_equal(b->ended, 1);
    assert_int_equal(b->closed, 0);
    assert_int_equal(left.mux.count + right.mux.count, 0);
}

static void a_close_waits_for_a_slow_reader(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    a->use = false;
    say(b, 0, 2 * WINDOW, true);
    say(b, 1, 0, true);
    chan_close(&b->chan, &done, CHAN_DRAIN);
    settle();
    assert_got(a, 0, WINDOW);
    assert_int_equal(a->closed, 0);
    a->use = true;
    chan_used(&a->chan, 0, WINDOW, WINDOW);
    settle();
    assert_got(a, 0, 2 * WINDOW);
    assert_int_equal(a->closed, 1);
}

static void a_close_at_once_leaves_bytes_behind(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    say(b, 0, 5 * WINDOW, true);
    chan_close(&b->chan, &done, CHAN_NOW);
    settle();
    assert_int_equal(a->in_next[0], 0);
    assert_int_equal(a->closed, 1);
    assert_int_equal(b->ended, 1);
}

/* Between the two: what the peer takes now, however much stays behind. */
static void a_flushing_close_waits_for_no_credit(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    a->use = false;
    say(b, 0, 5 * WINDOW, false);
    chan_close(&b->chan, &done, CHAN_FLUSH);
    settle();
    assert_got(a, 0, WINDOW);
    assert_int_equal(a->closed, 1);
    assert_int_equal(b->ended, 1);
}

static void the_opener_may_close_as_well(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    say(a, 0, 10, true);
    chan_close(&a->chan, &done, CHAN_DRAIN);
    settle();
    assert_got(b, 0, 10);
    assert_int_equal(b->closed, 1);
    assert_int_equal(a->ended, 1);
}

static void two_closes_that_cross_are_one_end(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    chan_close(&a->chan, &done, CHAN_NOW);
    chan_close(&b->chan, &done, CHAN_NOW);
    settle();
    assert_int_equal(a->ended + a->closed, 1);
    assert_int_equal(b->ended + b->closed, 1);
    assert_int_equal(left.err, OK);
    assert_int_equal(right.err, OK);
    assert_int_equal(left.mux.count + right.mux.count, 0);
}

static void an_open_that_is_taken_back_is_told(void **state)
{
    struct user *a = &users[0][0];
    (void)state;
    taker = NULL;
    assert_int_equal(ask_for(a), OK);
    settle();
    chan_close(&a->chan, &done, CHAN_NOW);
    settle();
    assert_int_equal(a->ended, 1);
    assert_int_equal(right.gone, 1);
    assert_int_equal(
        chan_accept(&right.mux, &users[1][0].chan, &last_open, &answer),
        OK); /* too late, and harmless */
    settle();
    assert_int_equal(a->accepted, 0);
    assert_int_equal(left.err, OK);
}

/* The answer came while the channel waited to send its last bytes. */
static void a_draining_close_survives_a_late_accept(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    taker = NULL;
    assert_int_equal(ask_for(a), OK);
    settle();
    say(a, 0, 10, true);
    chan_close(&a->chan, &done, CHAN_DRAIN);
    assert_int_equal(chan_accept(&right.mux, &b->chan, &last_open, &answer),
                     OK);
    settle();
    assert_got(b, 0, 10);
    assert_int_equal(b->closed, 1);
    assert_int_equal(a->ended, 1);
}

static void a_draining_close_survives_a_late_rejection(void **state)
{
    struct user *a = &users[0][0];
    (void)state;
    taker = NULL;
    assert_int_equal(ask_for(a), OK);
    settle();
    say(a, 0, 10, true);
    chan_close(&a->chan, &done, CHAN_DRAIN);
    assert_int_equal(
        mux_reject(&right.mux, 1, cmdop_agent_v1_Code_CODE_DENIED, "", ""), OK);
    settle();
    assert_int_equal(a->rejected, 1);
    assert_int_equal(left.mux.count, 0);
}

static void what_is_said_to_a_channel_that_is_gone_is_dropped(void **state)
{
    msg_accept a = {.channel = 1};
    msg_reject r = {.channel = 1};
    msg_event e = {.channel = 1};
    (void)state;
    connect_users(0);
    chan_drop(&users[1][0].chan);
    assert_int_equal(inject_data(&right, 1, 0, 0, 10, true), OK);
    assert_int_equal(inject_data(&right, 99, 0, 5, 10, true), OK);
    assert_int_equal(inject_credit(&right, 1, 0, 50, 60), OK);
    assert_int_equal(inject_close(&right, 1), OK);
    assert_int_equal(
        inject(&right, MSG_ACCEPT, cmdop_agent_v1_Accept_fields, &a), OK);
    assert_int_equal(
        inject(&right, MSG_REJECT, cmdop_agent_v1_Reject_fields, &r), OK);
    assert_int_equal(inject(&right, MSG_EVENT, cmdop_agent_v1_Event_fields, &e),
                     OK);
    assert_int_equal(users[1][0].closed, 0);
}

static void a_lost_link_tells_every_channel_once(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        connect_users(i);
    taker = NULL;
    assert_int_equal(ask_for(&users[0][3]), OK); /* not answered yet */
    chan_close(&users[0][1].chan, &done, CHAN_DRAIN);
    mux_lost(&left.mux);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(users[0][i].lost, 1);
        assert_int_equal(users[0][i].chan.state, CHAN_FREE);
        chan_wake(&users[0][i].chan); /* all of these are harmless now */
        chan_used(&users[0][i].chan, 0, 5, 5);
        chan_close(&users[0][i].chan, &done, CHAN_NOW);
        chan_drop(&users[0][i].chan);
    }
    assert_int_equal(left.mux.count, 0);
}

/* ---- owners that free their channel in a callback ---------------------------------- */

static void dropped_in(enum when when)
{
    struct user *a = &users[0][0], *b = &users[0][1];
    msg_event e = cmdop_agent_v1_Event_init_zero;
    e.which_what = cmdop_agent_v1_Event_resize_tag;
    setup(NULL);
    a->drop_when = when;
    taker = &users[1][0];
    assert_int_equal(ask_for(a), OK);
    settle();
    connect_users(1);
    say(&users[1][0], 0, 100, false);
    say(a, 0, 100, false);
    assert_int_equal(chan_event(&users[1][0].chan, &e), OK);
    say(b, 0, 3000, true);
    settle();
    chan_used(&users[1][0].chan, 0, users[1][0].in_next[0],
              users[1][0].in_next[0]);
    if (users[1][0].in_next[0] > 0)
        assert_int_equal(inject_credit(&left, 1, 0, 1, WINDOW), OK);
    settle();
    assert_int_equal(a->chan.state, CHAN_FREE);
    assert_int_equal(left.mux.count, 1);
    assert_got(&users[1][1], 0, 3000); /* the neighbour noticed nothing */
    assert_true(users[1][1].in_fin[0]);
    assert_int_equal(left.err, OK);
    assert_int_equal(right.err, OK);
}

static void a_channel_may_be_freed_in_any_callback(void **state)
{
    (void)state;
    for (enum when w = AT_ACCEPTED; w <= AT_SENT; w++)
        dropped_in(w);
}

/* ---- the control queue ------------------------------------------------------------- */

static void fill_control(struct half *h)
{
    msg_ping ping = {1};
    while (mux_send(&h->mux, MSG_PING, cmdop_agent_v1_Ping_fields, &ping) == OK)
        continue;
}

static void a_full_control_queue_is_said_and_costs_nothing(void **state)
{
    msg_event e = cmdop_agent_v1_Event_init_zero;
    struct user *a = &users[0][0];
    (void)state;
    connect_users(1);
    fill_control(&left);
    assert_int_equal(ask_for(a), ERR_FULL);
    assert_int_equal(a->chan.state, CHAN_FREE);
    assert_int_equal(left.mux.count, 1);
    assert_int_equal(chan_event(&users[0][1].chan, &e), ERR_FULL);
    settle();
    assert_int_equal(ask_for(a), OK);
    assert_int_equal(a->chan.number, 3); /* no number was lost */
}

/* Nobody may wait for ever for an answer that was dropped. */
static void a_peer_that_asks_and_does_not_read_is_left(void **state)
{
    uint8_t buf[64];
    const char *why = NULL;
    msg_open open = {.channel = 2};
    (void)state;
    connect_users(1);
    int len =
        msg_encode_plain(SPAN_ARRAY(buf), cmdop_agent_v1_Open_fields, &open);
    assert_true(len > 0);
    fill_control(&left);
    left.mux.count_max = left.mux.count;
    assert_int_equal(
        mux_message(&left.mux, MSG_OPEN, view_of(buf, (size_t)len), &why),
        ERR_PROTO);
    assert_non_null(why);
    assert_int_equal(
        mux_reject(&left.mux, 2, cmdop_agent_v1_Code_CODE_LIMIT, "", ""),
        ERR_FULL);
    assert_int_equal(mux_message(&left.mux, 99, VIEW_NONE, &why), ERR_PROTO);
}

/* A terminal dragged for minutes: the queue of the link is not its own. */
static void of_many_sizes_only_the_last_is_told(void **state)
{
    msg_event e = {.which_what = cmdop_agent_v1_Event_resize_tag};
    (void)state;
    connect_users(0);
    fill_control(&left);
    for (e.what.resize.rows = 1; e.what.resize.rows < 9000;
         e.what.resize.rows++)
        assert_int_equal(chan_event(&users[0][0].chan, &e), OK);
    assert_true(mux_has_output(&left.mux));
    settle();
    assert_int_equal(users[1][0].events, 1);
    assert_int_equal(users[1][0].rows, 8999);
    assert_false(mux_has_output(&left.mux));
}

/* Who has not answered yet could not tell whose it is. */
static void a_size_waits_until_the_channel_is_accepted(void **state)
{
    msg_event e = {.which_what = cmdop_agent_v1_Event_resize_tag,
                   .what.resize = {33, 99}};
    (void)state;
    taker = NULL;
    assert_int_equal(ask_for(&users[0][0]), OK);
    settle();
    assert_int_equal(chan_event(&users[0][0].chan, &e), OK);
    assert_false(mux_has_output(&left.mux));
    settle();
    assert_int_equal(
        chan_accept(&right.mux, &users[1][0].chan, &last_open, &answer), OK);
    settle();
    assert_int_equal(users[1][0].events, 1);
    assert_int_equal(users[1][0].rows, 33);
}

/* Who asks on and reads no answer is told the reason. */
static void an_open_that_cannot_be_refused_ends_the_link(void **state)
{
    (void)state;
    for (int i = 0; i < CHANS; i++)
        connect_users(i);
    fill_control(&right);
    assert_int_equal(inject_open(&right, 2 * CHANS + 1), ERR_PROTO);
    assert_string_not_equal(right.why, "");
}

static void credit_and_close_wait_for_a_full_queue(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    a->use = false;
    say(b, 0, 5 * WINDOW, true);
    say(b, 1, 0, true);
    settle();
    fill_control(&left);
    a->use = true;
    chan_used(&a->chan, 0, WINDOW, WINDOW);
    assert_int_equal(half_move(&left, 100), 100); /* a message is cut */
    fill_control(&left);
    settle();
    assert_got(a, 0, 5 * WINDOW);
    fill_control(&right);
    chan_close(&b->chan, &done, CHAN_DRAIN);
    settle();
    assert_int_equal(a->closed, 1);
    assert_int_equal(b->ended, 1);
}

/* What left has to say, in pieces of `piece` bytes. */
static size_t pull_pieces(size_t piece, uint8_t *out, size_t cap)
{
    size_t n = 0, got;
    do {
        size_t room = cap - n < piece ? cap - n : piece;
        got = mux_pull(&left.mux, (struct span){out + n, room});
        n += got;
    } while (got > 0);
    return n;
}

static void a_message_longer_than_the_room_is_cut_and_stays_whole(void **state)
{
    static uint8_t params[ARGS_MAX], whole[65536], cut[65536];
    struct msg_blob blob = {.data = VIEW_ARRAY(params)};
    msg_open open = cmdop_agent_v1_Open_init_zero;
    (void)state;
    memset(params, 'p', sizeof(params));
    open.params = msg_blob_out(&blob);
    size_t len = 0;
    for (size_t piece = 65536; piece > 0; piece /= 5) {
        setup(NULL);
        assert_int_equal(chan_open(&left.mux, &users[0][0].chan, &open), OK);
        size_t n = pull_pieces(piece, piece == 65536 ? whole : cut, 65536);
        if (piece == 65536)
            len = n;
        else
            assert_memory_equal(cut, whole, len);
        assert_int_equal(n, len);
    }
    half_feed(&right, view_of(whole, len));
    assert_int_equal(last_params_len, sizeof(params));
}

static void data_never_cuts_into_a_message(void **state)
{
    struct user *a = &users[0][0];
    uint8_t buf[700];
    size_t n;
    (void)state;
    connect_users(0);
    say(a, 0, WINDOW, true);
    for (int i = 0; i < 20; i++) {
        msg_ping ping = {(uint64_t)i << 40};
        assert_int_equal(
            mux_send(&left.mux, 30, cmdop_agent_v1_Ping_fields, &ping),
            OK); /* a kind that nobody knows */
        n = mux_pull(&left.mux, (struct span){buf, 7});
        assert_int_equal(n, 7);
        half_feed(&right, view_of(buf, n));
        n = mux_pull(&left.mux, SPAN_ARRAY(buf));
        half_feed(&right, view_of(buf, n));
    }
    settle();
    assert_got(&users[1][0], 0, WINDOW);
    assert_int_equal(right.err, OK);
}

/* ---- who goes first ---------------------------------------------------------------- */

/* The channel of the next Data frame that left would send; 0: another kind,
 * which is then in *kind. */
static uint32_t next_frame(int *kind)
{
    uint8_t buf[DATA_MAX];
    struct view frame, body, in;
    struct msg_data d;
    struct grpcframe g;
    size_t n = mux_pull(&left.mux, (struct span){buf, 600});
    assert_true(n > 0);
    in = view_of(buf, n);
    grpcframe_init(&g, SPAN_ARRAY(left.frame));
    assert_int_equal(grpcframe_next(&g, &in, &frame), 1);
    assert_int_equal(msg_split(frame, kind, &body), OK);
    if (*kind != MSG_DATA)
        return 0;
    assert_int_equal(msg_data_parse(body, &d, &body), OK);
    return d.channel;
}

static void the_most_urgent_goes_first_and_equals_take_turns(void **state)
{
    msg_ping ping = {1};
    int kind;
    (void)state;
    for (int i = 0; i < 4; i++) {
        init_user(&users[0][i], 1, i >= 2); /* 1, 3: keys; 5, 7: bulk */
        users[1][i].chan.window = 100000;
        connect_users(i);
    }
    settle();
    for (int i = 0; i < 4; i++)
        say(&users[0][i], 0, 20000, false);
    uint32_t first = next_frame(&kind), second = next_frame(&kind);
    assert_true(first + second == 1 + 3 && first != second);
    assert_int_equal(next_frame(&kind), first);
    say(&users[0][0], 0, 0, false);
    say(&users[0][1], 0, 0, false);
    first = next_frame(&kind);
    second = next_frame(&kind);
    assert_true(first + second == 5 + 7 && first != second);
    say(&users[0][1], 0, 19000, false);
    assert_int_equal(next_frame(&kind), 3); /* a key overtakes them */
    assert_int_equal(
        mux_send(&left.mux, MSG_PING, cmdop_agent_v1_Ping_fields, &ping), OK);
    assert_int_equal(next_frame(&kind), 0);
    assert_int_equal(kind, MSG_PING);
}

static void credit_goes_before_data(void **state)
{
    int kind;
    (void)state;
    users[1][0].chan.window = 100000;
    connect_users(0);
    say(&users[0][0], 0, 50000, false);
    users[0][0].use = false;
    assert_int_equal(inject_data(&left, 1, 0, 0, WINDOW, false), OK);
    chan_used(&users[0][0].chan, 0, WINDOW, WINDOW);
    assert_int_equal(next_frame(&kind), 0);
    assert_int_equal(kind, MSG_CREDIT);
    assert_int_equal(next_frame(&kind), 1);
}

/* Ten bytes were typed and applied; nothing was said of it yet. */
static struct user *typed_into(enum chan_acks acks)
{
    struct user *b = &users[1][0];
    connect_users(0);
    b->chan.acks = acks;
    b->use = true;
    say(&users[0][0], 0, 10, false);
    settle();
    return b;
}

static void an_acknowledgement_waits_for_half_a_window(void **state)
{
    (void)state;
    struct user *b = typed_into(ACKS_HALF);
    say(b, 0, 5, false);
    settle();
    assert_int_equal(users[0][0].acked[0], 0);
    assert_true(chan_owes(&b->chan, 0));
    chan_ack(&b->chan, 0);
    settle();
    assert_int_equal(users[0][0].acked[0], 10);
    assert_false(chan_owes(&b->chan, 0));
}

static void an_acknowledgement_rides_behind_the_next_data(void **state)
{
    uint8_t buf[4096];
    (void)state;
    struct user *b = typed_into(ACKS_RIDE);
    assert_int_equal(users[0][0].acked[0], 0);
    assert_false(mux_has_output(&right.mux));
    say(b, 0, 5, false);
    size_t n = mux_pull(&right.mux, SPAN_ARRAY(buf)); /* both at once */
    half_feed(&left, view_of(buf, n));
    assert_int_equal(users[0][0].in_next[0], 5);
    assert_int_equal(users[0][0].acked[0], 10);
    assert_false(chan_owes(&b->chan, 0));
}

static void an_acknowledgement_may_be_due_at_once(void **state)
{
    (void)state;
    (void)typed_into(ACKS_SOON);
    assert_int_equal(users[0][0].acked[0], 10);
}

/* Whoever keeps it until it is applied must not let go of it. */
static void what_a_closing_channel_drops_is_not_acknowledged(void **state)
{
    struct user *a = &users[0][0], *b = &users[1][0];
    (void)state;
    connect_users(0);
    b->chan.acks = ACKS_SOON;
    say(b, 0, 5 * WINDOW, true); /* more than a takes: the Close waits */
    a->use = false;
    chan_close(&b->chan, &done, CHAN_DRAIN);
    settle();
    say(a, 0, 3 * WINDOW, false);
    settle();
    assert_int_equal(a->chan.tx[0].next, 3 * WINDOW); /* credit, though */
    assert_int_equal(a->acked[0], 0);
}

static void a_silent_mux_has_nothing_to_send(void **state)
{
    uint8_t buf[1000];
    (void)state;
    connect_users(0);
    settle();
    assert_false(mux_has_output(&left.mux));
    assert_int_equal(mux_pull(&left.mux, SPAN_ARRAY(buf)), 0);
    int wakes = left.wakes;
    say(&users[0][0], 0, 10, false);
    assert_true(left.wakes > wakes);
    assert_true(mux_has_output(&left.mux));
    assert_int_equal(mux_pull(&left.mux, (struct span){buf, 100}), 0);
    assert_true(mux_pull(&left.mux, SPAN_ARRAY(buf)) > 0);
}

/* ---- strangers --------------------------------------------------------------------- */

static void what_does_not_parse_is_a_breach_in_every_kind(void **state)
{
    static const uint8_t junk[] = {0x08}; /* a tag without its value */
    const char *why = "";
    (void)state;
    connect_users(0);
    for (int kind = MSG_OPEN; kind <= MSG_CLOSE; kind++) {
        why = "";
        assert_int_equal(mux_message(&right.mux, kind, VIEW_ARRAY(junk), &why),
                         ERR_PROTO);
        assert_true(why[0] != '\0');
    }
}

static void a_kind_of_a_newer_peer_is_passed_over(void **state)
{
    static const uint8_t junk[] = {0xff, 0xff};
    const char *why = "";
    (void)state;
    assert_int_equal(mux_message(&right.mux, 23, VIEW_ARRAY(junk), &why), OK);
    assert_int_equal(mux_message(&right.mux, 5000, VIEW_ARRAY(junk), &why), OK);
}

#define FACT(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(an_open_reaches_the_peer_and_its_accept_comes_back),
        FACT(a_stream_starts_above_zero_only_where_that_was_said),
        FACT(an_offset_that_no_stream_reaches_is_a_breach),
        FACT(each_side_counts_its_own_numbers),
        FACT(a_rejection_frees_the_channel_and_says_why),
        FACT(numbers_out_of_turn_are_a_breach),
        FACT(too_many_channels_are_refused_on_both_sides),
        FACT(an_answer_out_of_order_is_a_breach),
        FACT(bytes_go_both_ways_and_end_with_fin),
        FACT(a_sender_stops_at_the_limit_until_bytes_were_used),
        FACT(an_exactly_used_credit_carries_the_fin_as_well),
        FACT(a_peer_that_sends_more_than_granted_is_found_out),
        FACT(a_peer_that_sends_more_to_the_opener_is_found_out),
        FACT(a_lowered_limit_takes_nothing_back),
        FACT(an_ack_beyond_what_was_sent_is_a_breach),
        FACT(bytes_that_came_before_are_dropped),
        FACT(missing_bytes_are_a_breach),
        FACT(nothing_follows_the_end_of_a_stream),
        FACT(no_gap_follows_the_end_of_a_stream),
        FACT(what_the_owner_refuses_is_a_breach),
        FACT(a_gap_is_announced_counted_and_goes_on_behind),
        FACT(a_gap_gives_no_credit_for_unused_bytes),
        FACT(a_skip_tells_where_the_rest_begins),
        FACT(a_gap_is_a_breach_where_none_is_expected),
        FACT(credit_holds_behind_a_gap),
        FACT(a_close_comes_after_all_bytes),
        FACT(a_close_waits_for_a_slow_reader),
        FACT(a_close_at_once_leaves_bytes_behind),
        FACT(a_flushing_close_waits_for_no_credit),
        FACT(the_opener_may_close_as_well),
        FACT(two_closes_that_cross_are_one_end),
        FACT(an_open_that_is_taken_back_is_told),
        FACT(a_draining_close_survives_a_late_accept),
        FACT(a_draining_close_survives_a_late_rejection),
        FACT(what_is_said_to_a_channel_that_is_gone_is_dropped),
        FACT(a_lost_link_tells_every_channel_once),
        FACT(a_channel_may_be_freed_in_any_callback),
        FACT(a_full_control_queue_is_said_and_costs_nothing),
        FACT(a_peer_that_asks_and_does_not_read_is_left),
        FACT(of_many_sizes_only_the_last_is_told),
        FACT(a_size_waits_until_the_channel_is_accepted),
        FACT(an_open_that_cannot_be_refused_ends_the_link),
        FACT(credit_and_close_wait_for_a_full_queue),
        FACT(a_message_longer_than_the_room_is_cut_and_stays_whole),
        FACT(data_never_cuts_into_a_message),
        FACT(the_most_urgent_goes_first_and_equals_take_turns),
        FACT(credit_goes_before_data),
        FACT(an_acknowledgement_waits_for_half_a_window),
        FACT(an_acknowledgement_rides_behind_the_next_data),
        FACT(an_acknowledgement_may_be_due_at_once),
        FACT(what_a_closing_channel_drops_is_not_acknowledged),
        FACT(a_silent_mux_has_nothing_to_send),
        FACT(what_does_not_parse_is_a_breach_in_every_kind),
        FACT(a_kind_of_a_newer_peer_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
