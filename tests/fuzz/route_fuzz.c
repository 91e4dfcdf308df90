/*
 * A relay between an operator and a machine, either of which says anything at
 * any time. The input is a list of deeds: a byte that chooses deed, side and
 * channel, a byte that says how, and for raw messages kind, length (two
 * bytes) and body.
 *
 * Whatever they say, no slot is lost or used twice, rings stay within their
 * bounds, budgets are given back, and a witness on each link finds nothing
 * wrong. What one of good manners sends is taken, and arrives: bytes in order
 * and unchanged, once the other side reads.
 */
#include "relay/route.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fuzz/witness.h"

#define ROUTES   3
#define CHANS    6
#define DEEDS    1000
#define RESTS    64 /* rounds until all has arrived */
#define AG_BITS  0x10
#define ROOM_MAX 16384

enum deed {
    RAW,
    OPENS,
    ACCEPTS,
    REJECTS,
    SENDS,
    GRANTS,
    CLOSES,
    TELLS,
    PULLS,
    PASSES, /* time */
    LEAVES,
};

struct side {
    struct mux mux;
    struct witness witness;
    uint8_t control[2 * FRAME_MAX];
    bool bad; /* its link ends with this deed */
};

static struct side op, ag;
static struct routes routes;
static struct route *slots; /* as carved */
static uint32_t budget;
static uint64_t now_ms;
static bool forged; /* raw Data came: what the bytes are nobody knows */

/* ---- the relay's side ----------------------------------------------------------- */

static void op_open(void *ctx, const msg_open *open, struct view params)
{
    (void)ctx;
    route_open(&routes, &op.mux, &ag.mux, open, params, &budget, now_ms);
}

static void ag_open(void *ctx, const msg_open *open, struct view params)
{
    (void)ctx;
    (void)params;
    (void)mux_reject(&ag.mux, open->channel, cmdop_agent_v1_Code_CODE_DENIED,
                     "no", "");
}

static void op_gone(void *ctx, uint32_t number, const msg_close *end)
{
    (void)ctx;
    routes_gone(&routes, &op.mux, number, end);
}

static void on_wake(void *ctx)
{
    (void)ctx;
}

static const struct mux_ops op_ops = {
    .open = op_open, .gone = op_gone, .wake = on_wake};
static const struct mux_ops ag_ops = {.open = ag_open, .wake = on_wake};

static uint8_t byte_at(uint64_t off)
{
    return (uint8_t)(off * 31 + (off >> 8) * 7 + (off >> 16));
}

static void check_content(uint32_t stream, uint64_t off, struct view bytes)
{
    (void)stream;
    for (size_t i = 0; i < bytes.len && !forged; i++)
        assert(bytes.ptr[i] == byte_at(off + i));
}

static void connect(struct side *s)
{
    mux_init(&s->mux, SPAN_ARRAY(s->control), false, CHANS,
             s == &op ? &op_ops : &ag_ops, s);
    witness_init(&s->witness, false);
    s->witness.content = check_content;
    s->bad = false;
}

static void disconnect(struct side *s)
{
    mux_lost(&s->mux);
    assert(s->mux.count == 0);
    if (s == &ag)
        return;
    routes_operator_lost(&routes, &op.mux, &budget);
    budget = 0; /* the next operator begins with none */
}

static size_t pull(struct side *s, size_t most)
{
    static uint8_t out[ROOM_MAX];
    bool had = mux_has_output(&s->mux);
    size_t n = mux_pull(&s->mux, (struct span){out, most});
    assert(n <= most && (had || n == 0));
    witness_said(&s->witness, view_of(out, n));
    return n;
}

/* ---- what holds always ------------------------------------------------------------ */

static void check_ring(const struct ring *r)
{
    assert(r->tail >= r->head && r->tail - r->head <= r->cap);
}

static uint32_t in_mux(const struct chan *c, const struct mux *m)
{
    assert((c->state == CHAN_FREE) == (c->mux == NULL));
    assert(c->mux == NULL || c->mux == m);
    return c->mux != NULL;
}

static void check(void)
{
    uint32_t live = 0, ops = 0, ags = 0, owned = 0, unused = 0;
    for (uint32_t i = 0; i < ROUTES; i++) {
        const struct route *t = &slots[i];
        if (!t->live)
            continue;
        live++;
        ops += in_mux(&t->op, &op.mux);
        ags += in_mux(&t->ag, &ag.mux);
        assert(t->op.mux != NULL || t->ag.mux != NULL);
        assert(t->op_mux == NULL || t->op.state == CHAN_FREE);
        owned += t->budget == &budget;
        check_ring(&t->in);
        check_ring(&t->out[0]);
        check_ring(&t->out[1]);
    }
    for (const struct route *t = routes.free; t != NULL; t = t->next_free)
        assert(!t->live && ++unused <= ROUTES);
    assert(live == routes.count && live + unused == ROUTES);
    assert(owned == budget && ops == op.mux.count && ags == ag.mux.count);
}

/* ---- what the two far ends say ------------------------------------------------------ */

static bool hear(struct side *s, int kind, struct view body)
{
    const char *why = NULL;
    int err = mux_message(&s->mux, kind, body, &why);
    assert(err == OK || (err == ERR_PROTO && why != NULL));
    if (err == OK)
        witness_heard(&s->witness, kind, body);
    else
        s->bad = true;
    return err == OK;
}

static bool hear_msg(struct side *s, int kind, const pb_msgdesc_t *fields,
                     const void *msg)
{
    uint8_t buf[1024];
    int n = msg_encode_plain(SPAN_ARRAY(buf), fields, msg);
    assert(n >= 0);
    return hear(s, kind, view_of(buf, (size_t)n));
}

static void raw(struct side *s, struct reader *in)
{
    uint8_t kind;
    uint16_t len;
    struct view body;
    if (read_u8(in, &kind) != OK || read_u16(in, &len) != OK)
        return;
    if (len > in->left.len)
        len = (uint16_t)in->left.len;
    (void)read_bytes(in, len, &body);
    forged = forged || kind == MSG_DATA;
    (void)hear(s, kind, body);
}

static void opens(uint8_t how)
{
    msg_open open = {.channel =
                         op.mux.peer_highest == 0 ? 1 : op.mux.peer_highest + 2,
                     .window = (uint32_t)(how >> 2) * 1024,
                     .kind = how & 3};
    struct msg_blob params = {.data = view_of("params", how & 3)};
    open.params = msg_blob_out(&params);
    STR_COPY(open.target, "web-1");
    if (open.channel <= INT32_MAX)
        (void)hear_msg(&op, MSG_OPEN, cmdop_agent_v1_Open_fields, &open);
}

static void accepts(struct witness_chan *c, uint8_t how)
{
    msg_accept a = {.channel = c->number, .window = (uint32_t)how * 1024};
    if (!c->ours || c->answered || c->left || c->ended)
        return;
    if ((how & 3) == 3) {
        a.in_offset = 100;
        a.out_offset = (uint64_t)how << 20;
    }
    (void)hear_msg(&ag, MSG_ACCEPT, cmdop_agent_v1_Accept_fields, &a);
}

static void rejects(struct side *s, struct witness_chan *c)
{
    msg_reject r = {.channel = c->number, .message = "no"};
    (void)hear_msg(s, MSG_REJECT, cmdop_agent_v1_Reject_fields, &r);
}

static void closes(struct side *s, struct witness_chan *c, uint8_t how)
{
    msg_close end = cmdop_agent_v1_Close_init_zero;
    end.channel = c->number;
    end.which_result = cmdop_agent_v1_Close_exit_status_tag;
    end.result.exit_status = how;
    (void)hear_msg(s, MSG_CLOSE, cmdop_agent_v1_Close_fields, &end);
}

static void tells(struct side *s, struct witness_chan *c)
{
    msg_event e = {.channel = c->number};
    e.which_what = cmdop_agent_v1_Event_resize_tag;
    bool ok = hear_msg(s, MSG_EVENT, cmdop_agent_v1_Event_fields, &e);
    assert(ok);
}

/* The route that a channel belongs to; NULL when it is over. */
static struct route *route_of(const struct side *s, uint32_t number)
{
    for (uint32_t i = 0; i < ROUTES; i++) {
        struct route *t = &slots[i];
        const struct chan *c = s == &op ? &t->op : &t->ag;
        if (t->live && c->state == CHAN_OPEN && c->number == number)
            return t;
    }
    return NULL;
}

static bool honest(const struct witness_chan *c)
{
    return c->answered && !c->early && !c->guessed && !c->left && !forged;
}

/* Is it so that he may send there: operators on stream 0, machines on both,
 * but on one for a terminal? */
static bool has_stream(const struct side *s, const struct route *t,
                       uint32_t stream)
{
    return stream == 0 || (s == &ag && t->ag.bulk);
}

static bool say_data(struct side *s, const struct msg_data *d, size_t len)
{
    static uint8_t buf[MSG_DATA_HEAD_MAX + WINDOW_BULK + 1024];
    size_t n = msg_data_head(buf, d, len);
    int kind;
    struct view body;
    for (size_t i = 0; i < len; i++)
        buf[n + i] = byte_at(d->offset + i);
    int split = msg_split(
        view_of(buf + GRPCFRAME_HEAD, n + len - GRPCFRAME_HEAD), &kind, &body);
    assert(split == OK && kind == MSG_DATA);
    return hear(s, kind, body);
}

/* Data: as it should be, twice, with a gap before it, or too much. */
static void sends(struct side *s, struct witness_chan *c, uint8_t how)
{
    enum { RIGHT, TWICE, JUMP, TOO_MUCH } kind = (how >> 2) & 3;
    struct msg_data d = {
        .channel = c->number, .stream = how & 1, .fin = (how & 2) != 0};
    struct witness_stream *w = &c->in[d.stream];
    struct route *t = route_of(s, c->number);
    uint64_t len = (uint64_t)(how >> 4) * 9000;
    uint64_t room = w->limit > w->next ? w->limit - w->next : 0;
    if (!honest(c) || w->fin || w->next > UINT64_MAX / 4)
        return;
    d.offset = w->next;
    len = kind == TOO_MUCH ? WINDOW_BULK + 1 : len < room ? len : room;
    if (kind == TWICE) {
        d.offset -= d.offset < 9 ? d.offset : 9;
        d.fin = d.fin && len >= 9;
    }
    if (kind == JUMP) {
        d.offset += 1 + (how >> 4);
        len = 0;
    }
    bool ok = say_data(s, &d, (size_t)len);
    if (t == NULL)
        return; /* dropped, and no fault */
    bool jumps = s == &ag && !t->ag.bulk;
    assert(ok == (has_stream(s, t, d.stream) &&
                  (kind == RIGHT || kind == TWICE || (kind == JUMP && jumps))));
}

static void grant(struct side *s, struct witness_chan *c, uint32_t stream,
                  uint64_t room, bool acks)
{
    struct witness_stream *w = &c->out[stream];
    msg_credit credit = {.channel = c->number, .stream = stream};
    credit.limit = w->next + room;
    credit.ack = acks ? w->next : 0;
    bool ok = hear_msg(s, MSG_CREDIT, cmdop_agent_v1_Credit_fields, &credit);
    assert(ok);
}

static void grants(struct side *s, struct witness_chan *c, uint8_t how)
{
    if (honest(c))
        grant(s, c, how & 1, (uint64_t)(how >> 2) * 4096, (how & 2) != 0);
}

/* ---- the run ------------------------------------------------------------------------- */

/* One of the last four channels of a link. */
static struct witness_chan *pick(struct side *s, uint8_t which)
{
    struct witness *w = &s->witness;
    uint32_t back = which & 3;
    return w->count > back ? &w->chan[w->count - 1 - back] : NULL;
}

static void leave(struct side *s)
{
    disconnect(s);
    check();
    connect(s);
}

static void pass(uint8_t how)
{
    now_ms += (uint64_t)how * 1000;
    routes_sweep(&routes, now_ms);
    for (uint32_t i = 0; i < ROUTES; i++)
        assert(!slots[i].live || slots[i].op_mux == NULL ||
               now_ms - slots[i].asked_ms < ROUTE_ANSWER_MS);
}

static void act(uint8_t deed, uint8_t how, struct reader *in)
{
    struct side *s = (deed & 4) != 0 ? &ag : &op;
    struct witness_chan *c = pick(s, deed);
    switch ((enum deed)(deed >> 3)) {
    case RAW: raw(s, in); return;
    case OPENS: opens(how); return;
    case PULLS: (void)pull(s, (size_t)how * 64 + 1); return;
    case PASSES: pass(how); return;
    case LEAVES: leave(s); return;
    case ACCEPTS: c = pick(&ag, deed); break;
    case REJECTS:
    case SENDS:
    case GRANTS:
    case CLOSES:
    case TELLS: break;
    }
    if (c == NULL)
        return;
    switch ((enum deed)(deed >> 3)) {
    case ACCEPTS: accepts(c, how); break;
    case REJECTS: rejects(s, c); break;
    case SENDS: sends(s, c, how); break;
    case GRANTS: grants(s, c, how); break;
    case CLOSES: closes(s, c, how); break;
    case TELLS: tells(s, c); break;
    case RAW:
    case OPENS:
    case PULLS:
    case PASSES:
    case LEAVES: break;
    }
}

static void assert_same(const struct witness_stream *sent,
                        const struct witness_stream *got)
{
    assert(sent->next == got->next && sent->fin == got->fin);
}

static void read_all(struct witness_chan *o, struct witness_chan *a, bool acks)
{
    for (int i = 0; i < RESTS; i++) {
        grant(&op, o, 0, WINDOW_BULK, acks);
        grant(&op, o, 1, WINDOW_BULK, acks);
        grant(&ag, a, 0, WINDOW_BULK, acks);
        (void)pull(&op, ROOM_MAX);
        (void)pull(&ag, ROOM_MAX);
    }
}

/* Who has been read may send at least half a window. */
static void assert_may_go_on(const struct witness_stream *s)
{
    assert(s->fin || s->limit - s->next >= WINDOW_BULK / 2);
}

/* Both far ends read all there is: then it has arrived, and more may come. */
static void rest(struct route *t)
{
    struct witness_chan *o = witness_find(&op.witness, t->op.number);
    struct witness_chan *a = witness_find(&ag.witness, t->ag.number);
    if (o == NULL || a == NULL || !honest(o) || !honest(a))
        return;
    read_all(o, a, false);
    assert_same(&a->in[0], &o->out[0]);
    assert_same(&a->in[1], &o->out[1]);
    assert_same(&o->in[0], &a->out[0]);
    assert_may_go_on(&a->in[0]);
    assert_may_go_on(&a->in[1]);
    assert_may_go_on(&o->in[0]);
    read_all(o, a, true);
    assert(o->in[0].fin || o->in[0].next - o->in[0].ack <= WINDOW_BULK / 2);
}

static void settle(void)
{
    while (pull(&op, ROOM_MAX) + pull(&ag, ROOM_MAX) > 0)
        continue;
    for (uint32_t i = 0; i < ROUTES; i++)
        if (slots[i].live && slots[i].op.state == CHAN_OPEN &&
            slots[i].ag.state == CHAN_OPEN)
            rest(&slots[i]);
    check();
    disconnect(&op);
    check();
    disconnect(&ag);
    check();
    assert(routes.count == 0);
}

static bool still_may(struct mux *asker, msg_open *open, struct view params,
                      struct route_no *no)
{
    (void)asker;
    (void)open;
    (void)params;
    (void)no;
    return true;
}

static void begin(void)
{
    static struct span memory;
    struct arena arena;
    memory.len = ROUTES * (sizeof(struct route) +
                           (1 + CHAN_STREAMS) * (size_t)WINDOW_BULK) +
                 (2 + 3 * ROUTES) * 4096;
    if (memory.ptr == NULL)
        memory.ptr = aligned_alloc(4096, (memory.len + 4095) & ~(size_t)4095);
    assert(memory.ptr != NULL);
    arena_init(&arena, memory);
    routes_init(&routes, &arena, ROUTES, still_may);
    slots = routes.slots;
    for (uint32_t i = 0; i < ROUTES; i++)
        slots[i].live = false;
    budget = 0;
    now_ms = 0;
    forged = false;
    connect(&op);
    connect(&ag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = {view_of(data, size)};
    uint8_t deed, how;
    begin();
    for (int n = 0; n < DEEDS && read_u8(&in, &deed) == OK; n++) {
        if (read_u8(&in, &how) != OK)
            break;
        act(deed % (8 * (LEAVES + 1)), how, &in);
        check();
        if (op.bad)
            leave(&op);
        if (ag.bad)
            leave(&ag);
    }
    settle();
    return 0;
}
