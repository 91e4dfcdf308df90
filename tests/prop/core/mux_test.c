/*
 * Two muxes joined by a pipe that cuts as it likes, channels opened from both
 * sides, sent on, read slowly and closed at random. Whatever happens:
 *
 *   - each stream arrives as it was sent, and what is missing was announced;
 *   - no owner is given more than its window beyond what it has used;
 *   - a bulk frame leaves only when nothing more urgent could;
 *   - in the end nothing is left over on either side.
 *
 * The seed is printed and may be given as an argument, or as SEED.
 */
#include "core/mux.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "codec/grpcframe.h"
#include "limits.h"
#include "port/port.h"

#define RUNS     200
#define STEPS    2500
#define USERS    12 /* channels at once, per side */
#define CHANS    10 /* the limit of a link: below USERS, so it is met */
#define PIPE_CAP (256 * 1024)

/* ---- chance ---------------------------------------------------------------------- */

static uint64_t seed;
static uint64_t failing; /* the seed of the present run */

/* splitmix64 */
static uint64_t roll64(void)
{
    uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint32_t roll(uint32_t n)
{
    return (uint32_t)(roll64() % n);
}

/* The byte at an offset of a stream; `salt` differs for every stream. */
static uint8_t byte_at(uint64_t salt, uint64_t off)
{
    uint64_t z = (salt + off) * UINT64_C(0xbf58476d1ce4e5b9);
    return (uint8_t)(z >> 56);
}

/* ---- one end of a channel ------------------------------------------------------------ */

struct side;

struct user {
    struct chan chan;
    struct side *side;
    struct user *mate; /* the other end, once it is accepted */
    uint64_t salt;     /* of what it sends */
    uint32_t window;
    bool bulk;
    bool busy;    /* not FREE, from our side's point of view */
    bool opener;  /* of the two, it asked */
    bool leaving; /* close was said */
    uint32_t streams;
    uint64_t len[CHAN_STREAMS];  /* bytes there are to send */
    uint64_t held[CHAN_STREAMS]; /* those before are gone */
    bool fin[CHAN_STREAMS];
    uint64_t got[CHAN_STREAMS];  /* offset reached */
    uint64_t used[CHAN_STREAMS]; /* what waits here is got - used */
    bool over[CHAN_STREAMS];     /* fin came */
    uint64_t skipped;
};

struct side {
    struct mux mux;
    struct side *other;
    struct grpcframe in;
    struct user user[USERS];
    uint8_t pipe[PIPE_CAP]; /* towards this side */
    size_t pipe_len;
    int closes_made;      /* in this pull */
    int bulk_since_close; /* frames */
    uint8_t control[2 * FRAME_MAX];
    uint8_t frame[FRAME_MAX];
};

static struct side sides[2];

static struct user *free_user(struct side *s)
{
    for (int i = 0; i < USERS; i++)
        if (!s->user[i].busy && s->user[i].mate == NULL)
            return &s->user[i];
    return NULL;
}

static void retire(struct user *u)
{
    u->busy = false;
    if (u->mate != NULL)
        u->mate->mate = NULL;
    u->mate = NULL;
}

/* ---- the model: what would be urgent now --------------------------------------------- */

static bool could_send(const struct user *u)
{
    const struct chan *c = &u->chan;
    bool talks = c->state == CHAN_OPEN ||
                 (c->state == CHAN_CLOSING && c->end_mode != CHAN_NOW);
    if (!u->busy || !talks || !c->answered)
        return false;
    for (uint32_t i = 0; i < u->streams; i++)
        if (!c->tx[i].fin && u->len[i] > c->tx[i].next &&
            c->tx[i].limit > c->tx[i].next)
            return true;
    return false;
}

static void assert_nothing_is_more_urgent(const struct side *s)
{
    for (int i = 0; i < USERS; i++)
        if (!s->user[i].bulk)
            assert_false(could_send(&s->user[i]));
}

/* A Close may be made while a frame is being chosen; then it waits for that
 * one, and for no second. Nothing else ever waits for bulk. */
static void assert_control_does_not_wait(struct side *s)
{
    if (s->mux.control_len > s->mux.control_off)
        assert_true(s->closes_made > 0 && ++s->bulk_since_close == 1);
}

/* ---- channel calls ---------------------------------------------------------------------- */

static void on_accepted(void *ctx, const msg_accept *a)
{
    struct user *u = ctx;
    (void)a;
    assert_true(u->opener && u->busy);
}

static void on_rejected(void *ctx, const msg_reject *r)
{
    struct user *u = ctx;
    assert_true(r->code == cmdop_agent_v1_Code_CODE_LIMIT ||
                r->code == cmdop_agent_v1_Code_CODE_DENIED);
    assert_null(u->mate);
    retire(u);
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct user *u = ctx;
    assert_true(!u->over[stream] && u->mate != NULL);
    assert_true(off >= u->got[stream]);
    if (off > u->got[stream]) { /* a gap: only what the sender let go of */
        assert_true(u->chan.gaps_ok && bytes.len == 0);
        assert_true(off <= u->mate->held[stream]);
        u->skipped += off - u->got[stream];
        u->used[stream] += off - u->got[stream];
    }
    u->got[stream] = off + bytes.len;
    assert_true(u->got[stream] <= u->mate->len[stream]);
    assert_true(u->got[stream] - u->used[stream] <= u->window);
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] != byte_at(u->mate->salt + stream, off + i))
            fail_msg("stream %u differs at %llu", stream,
                     (unsigned long long)(off + i));
    u->over[stream] = fin;
    if (fin)
        assert_int_equal(u->got[stream], u->mate->len[stream]);
    return OK;
}

static void on_event(void *ctx, const msg_event *e)
{
    struct user *u = ctx;
    assert_true(u->busy);
    assert_int_equal(e->which_what, cmdop_agent_v1_Event_resize_tag);
}

static void on_acked(void *ctx, uint32_t stream, uint64_t ack)
{
    struct user *u = ctx;
    assert_true(ack <= u->chan.tx[stream].next);
}

static void on_closed(void *ctx, const msg_close *c)
{
    struct user *u = ctx;
    assert_non_null(c);
    if (c->result.exit_status == CHAN_DRAIN && !u->leaving) /* it is complete */
        for (uint32_t i = 0; i < CHAN_STREAMS && u->mate != NULL; i++)
            if (i < u->mate->streams)
                assert_int_equal(u->got[i], u->mate->len[i]);
    retire(u);
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    static uint8_t buf[20000];
    struct user *u = ctx;
    if (u->bulk)
        assert_nothing_is_more_urgent(u->side);
    if (*off < u->held[stream])
        *off = u->held[stream];
    uint64_t left = u->len[stream] - *off, limit = u->chan.tx[stream].limit;
    size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);
    if (limit < *off + n) /* more than may be sent, but not pages of it */
        n = limit > *off ? (size_t)(limit - *off) : 1;
    n = n == 0 ? 0 : 1 + roll((uint32_t)n); /* as a ring that wraps */
    for (size_t i = 0; i < n; i++)
        buf[i] = byte_at(u->salt + stream, *off + i);
    *fin = u->fin[stream] && *off + n == u->len[stream];
    return view_of(buf, n);
}

static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct user *u = ctx;
    assert_true(upto <= u->chan.tx[stream].limit || upto == u->held[stream]);
    if (u->bulk)
        assert_control_does_not_wait(u->side);
}

/* The Close went out. The mate still reads what we sent, unless his own Close
 * is under way as well. */
static void on_ended(void *ctx)
{
    struct user *u = ctx;
    u->busy = false;
    u->side->closes_made++;
    u->side->bulk_since_close = 0;
    if (u->mate != NULL && !u->mate->busy)
        retire(u);
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

static void init_user(struct user *u, struct side *s, bool opener)
{
    static const uint32_t windows[] = {2, 7, 600, 5000, 65536};
    memset(u, 0, sizeof(*u));
    u->side = s;
    u->salt = roll64();
    u->window = windows[roll(5)];
    u->bulk = roll(2) == 0;
    u->streams = opener ? 1 : 2;
    u->opener = opener;
    u->busy = true;
    chan_init(&u->chan, &ops, u, u->streams, u->window, u->bulk);
    u->chan.gaps_ok = roll(3) == 0;
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct side *s = ctx;
    struct user *u = free_user(s);
    msg_accept accept = cmdop_agent_v1_Accept_init_zero;
    size_t idx;
    assert_int_equal(params.len, sizeof(idx));
    memcpy(&idx, params.ptr, sizeof(idx));
    struct user *mate = &s->other->user[idx];
    if (u == NULL || roll(8) == 0) {
        (void)mux_reject(&s->mux, open->channel,
                         cmdop_agent_v1_Code_CODE_DENIED, "", "");
        return;
    }
    init_user(u, s, false);
    if (chan_accept(&s->mux, &u->chan, open, &accept) != OK) {
        u->busy = false;
        (void)mux_reject(&s->mux, open->channel, cmdop_agent_v1_Code_CODE_LIMIT,
                         "", "");
        return;
    }
    if (mate->busy && mate->chan.number == open->channel) {
        u->mate = mate; /* else it was taken back meanwhile */
        mate->mate = u;
    }
}

static void on_wake(void *ctx)
{
    (void)ctx; /* the test pulls when it likes */
}

static const struct mux_ops mux_ops = {.open = on_open, .wake = on_wake};

/* ---- what may happen ---------------------------------------------------------------------- */

static void open_one(struct side *s)
{
    struct user *u = free_user(s);
    msg_open open = cmdop_agent_v1_Open_init_zero;
    if (u == NULL)
        return;
    init_user(u, s, true);
    size_t idx = (size_t)(u - s->user);
    struct msg_blob blob = {.data = view_of(&idx, sizeof(idx))};
    open.params = msg_blob_out(&blob);
    if (chan_open(&s->mux, &u->chan, &open) != OK)
        u->busy = false;
}

static struct user *some_user(struct side *s)
{
    struct user *u = &s->user[roll(USERS)];
    return u->busy ? u : NULL;
}

static void say_more(struct side *s)
{
    struct user *u = some_user(s);
    if (u == NULL || u->leaving)
        return;
    uint32_t stream = roll(u->streams);
    if (u->fin[stream])
        return;
    /* Much, but not so much that a window of two bytes takes for ever. */
    uint32_t most = u->mate == NULL ? 10 : u->mate->window;
    u->len[stream] += roll(roll(2) == 0 ? 10 : most < 8000 ? most * 4 : 30000);
    u->fin[stream] = roll(20) == 0;
    chan_wake(&u->chan);
}

/* Let go of bytes that were not sent: only where the reader expects that. */
static void forget_some(struct side *s)
{
    struct user *u = some_user(s);
    if (u == NULL || u->mate == NULL || !u->mate->chan.gaps_ok)
        return;
    uint64_t from = u->chan.tx[0].next;
    if (u->chan.state != CHAN_OPEN || u->len[0] < from + 2)
        return;
    uint64_t held = from + roll((uint32_t)(u->len[0] - from));
    if (held > u->held[0])
        u->held[0] = held;
    chan_wake(&u->chan);
}

static void use_some(struct side *s)
{
    struct user *u = some_user(s);
    if (u == NULL || u->chan.state == CHAN_FREE)
        return;
    uint32_t stream = roll(CHAN_STREAMS);
    uint64_t waits = u->got[stream] - u->used[stream];
    u->used[stream] += roll((uint32_t)waits + 1);
    chan_used(&u->chan, stream, u->used[stream], u->used[stream]);
}

static void close_one(struct side *s)
{
    struct user *u = some_user(s);
    msg_close end = {.which_result = cmdop_agent_v1_Close_exit_status_tag};
    if (u == NULL || u->leaving || roll(6) != 0)
        return;
    enum chan_end mode = (enum chan_end)roll(3);
    end.result.exit_status = mode;
    for (uint32_t i = 0; i < u->streams; i++)
        u->fin[i] = true;
    u->leaving = true;
    chan_close(&u->chan, &end, mode);
}

static void send_event(struct side *s)
{
    struct user *u = some_user(s);
    msg_event e = {.which_what = cmdop_agent_v1_Event_resize_tag};
    if (u != NULL && u->chan.state == CHAN_OPEN)
        (void)chan_event(&u->chan, &e);
}

/* From the mux into the pipe, with any room; small rooms cut messages. */
static size_t pull_some(struct side *s, size_t room)
{
    struct side *to = s->other;
    if (room > PIPE_CAP - to->pipe_len)
        room = PIPE_CAP - to->pipe_len;
    s->closes_made = 0;
    size_t n = mux_pull(&s->mux, (struct span){to->pipe + to->pipe_len, room});
    assert_true(n <= room);
    to->pipe_len += n;
    return n;
}

static void pull_any(struct side *s)
{
    static const uint32_t rooms[] = {3, 40, 600, 16384, 65536};
    (void)pull_some(s, 1 + roll(rooms[roll(5)]));
}

static void take_message(struct side *s, struct view frame)
{
    int kind;
    struct view body;
    const char *why = "";
    assert_int_equal(msg_split(frame, &kind, &body), OK);
    if (mux_message(&s->mux, kind, body, &why) != OK)
        fail_msg("kind %d: %s", kind, why);
}

/* From the pipe into the mux, cut anywhere. */
static size_t arrive(struct side *s, size_t n)
{
    struct view in, message;
    if (n > s->pipe_len)
        n = s->pipe_len;
    in = view_of(s->pipe, n);
    while (grpcframe_next(&s->in, &in, &message) > 0)
        take_message(s, message);
    assert_int_equal(in.len, 0);
    memmove(s->pipe, s->pipe + n, s->pipe_len - n);
    s->pipe_len -= n;
    return n;
}

static void arrive_some(struct side *s)
{
    (void)arrive(s, roll(roll(2) == 0 ? 50 : 70000));
}

static void step(void)
{
    static void (*const deeds[])(struct side *) = {
        open_one,    say_more,  say_more,   say_more,   use_some,
        use_some,    use_some,  pull_any,   pull_any,   arrive_some,
        arrive_some, close_one, send_event, forget_some};
    deeds[roll(sizeof(deeds) / sizeof(deeds[0]))](&sides[roll(2)]);
}

/* ---- the end ------------------------------------------------------------------------------ */

static void use_all(struct side *s)
{
    for (int i = 0; i < USERS; i++) {
        struct user *u = &s->user[i];
        for (uint32_t k = 0; k < CHAN_STREAMS; k++) {
            if (!u->busy || u->chan.state == CHAN_FREE)
                continue;
            u->used[k] = u->got[k];
            chan_used(&u->chan, k, u->used[k], u->used[k]);
        }
    }
}

/* Everybody reads everything, until both sides are silent. */
static void drain(void)
{
    size_t moved;
    int quiet = 0;
    for (int i = 0; quiet < 3; i++) {
        assert_true(i < 10000000);
        moved = 0;
        for (int k = 0; k < 2; k++) {
            moved += pull_some(&sides[k], 65536);
            moved += arrive(&sides[k], PIPE_CAP);
            use_all(&sides[k]);
        }
        quiet = moved == 0 ? quiet + 1 : 0;
    }
}

static void assert_streams_are_whole(void)
{
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < USERS; i++) {
            struct user *u = &sides[k].user[i];
            if (!u->busy || u->leaving || u->mate == NULL || !u->mate->busy)
                continue; /* who leaves reads no more */
            for (uint32_t s = 0; s < u->mate->streams; s++) {
                assert_int_equal(u->got[s], u->mate->len[s]);
                assert_int_equal(u->over[s], u->mate->fin[s]);
            }
        }
}

static void close_all(struct side *s)
{
    static const msg_close end = {.which_result =
                                      cmdop_agent_v1_Close_exit_status_tag,
                                  .result.exit_status = CHAN_NOW};
    for (int i = 0; i < USERS; i++)
        if (s->user[i].busy && !s->user[i].leaving) {
            s->user[i].leaving = true;
            chan_close(&s->user[i].chan, &end, CHAN_NOW);
        }
}

static void start(void)
{
    for (int k = 0; k < 2; k++) {
        struct side *s = &sides[k];
        memset(s, 0, offsetof(struct side, pipe));
        s->pipe_len = 0;
        s->other = &sides[1 - k];
        grpcframe_init(&s->in, SPAN_ARRAY(s->frame));
        mux_init(&s->mux, SPAN_ARRAY(s->control), k == 0, CHANS, &mux_ops, s);
    }
}

static void run(void)
{
    start();
    for (int i = 0; i < STEPS; i++)
        step();
    drain();
    assert_streams_are_whole();
    close_all(&sides[0]);
    drain();
    close_all(&sides[1]);
    drain();
    for (int k = 0; k < 2; k++) {
        assert_int_equal(sides[k].mux.count, 0);
        assert_null(sides[k].mux.chans);
        assert_false(mux_has_output(&sides[k].mux));
    }
}

static void streams_arrive_whole_in_time_and_within_their_windows(void **state)
{
    (void)state;
    for (int i = 0; i < RUNS; i++) {
        failing = seed;
        run();
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_arrive_whole_in_time_and_within_their_windows),
    };
    const char *given = argc > 1 ? argv[1] : getenv("SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : port_now_us();
    printf("# seed %llu\n", (unsigned long long)seed);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed > 0)
        printf("# again: SEED=%llu\n", (unsigned long long)failing);
    return failed;
}
