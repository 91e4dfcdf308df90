/*
 * A mux that hears anything, in any state, while its owner goes on with its
 * own affairs. The input is a list of deeds, one byte each:
 *
 *   0x00..0x1f  a message of kind (deed + 8) follows: length, then its bytes
 *   0x20..      something the owner does, or a message that a peer of good or
 *               of half good manners would say; the low bits choose the
 *               channel, and a byte follows that says how
 *
 * Whatever comes, the owner is never given more than it granted, nothing
 * twice, nothing for a channel that is over, and no channel twice; what is
 * said is watched by a witness. What an honest peer says is taken, what
 * breaks its credit is not.
 */
#include "core/mux.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "limits.h"
#include "fuzz/witness.h"

#define USERS  4
#define WINDOW 300
#define DEEDS  (WITNESS_CHANS / 2 - USERS)

enum deed {
    DEED_OPEN = 1,
    DEED_ACCEPT,
    DEED_REJECT,
    DEED_CLOSE,
    DEED_USE,
    DEED_SAY,
    DEED_EVENT,
    DEED_PULL,
    DEED_DROP,
    DEED_LOSE,
    PEER_OPENS,
    PEER_ACCEPTS,
    PEER_SENDS,
    PEER_GRANTS,
    PEER_CLOSES,
};

struct user {
    struct chan chan;
    bool live; /* it has a channel: only then it is called */
    bool accepted;
    uint64_t got[CHAN_STREAMS], used[CHAN_STREAMS];
    uint64_t said[CHAN_STREAMS], held; /* of stream 0 */
    uint64_t sent[CHAN_STREAMS], acked[CHAN_STREAMS];
    bool fin, over[CHAN_STREAMS];
    bool drop; /* frees its channel when data comes */
};

static struct mux mux;
static struct witness witness;
static uint8_t control[FRAME_MAX];
static struct user users[USERS];
static msg_open pending[USERS];
static uint32_t pending_count;
static uint32_t peer_number; /* the next that an honest peer opens */

/* ---- the owner's side --------------------------------------------------------- */

static void over(struct user *u)
{
    assert(u->live && u->chan.state == CHAN_FREE && u->chan.mux == NULL);
    u->live = false;
}

static void begin(struct user *u, uint64_t in, uint64_t out)
{
    assert(u->live && !u->accepted);
    u->accepted = true;
    u->got[0] = u->used[0] = u->acked[0] = in;
    u->said[0] += out;
    u->held = u->sent[0] = out;
}

static void on_accepted(void *ctx, const msg_accept *a)
{
    struct user *u = ctx;
    assert(u->chan.state == CHAN_OPEN);
    assert(u->chan.any_start || (a->in_offset == 0 && a->out_offset == 0));
    begin(u, a->out_offset, a->in_offset);
}

static void on_rejected(void *ctx, const msg_reject *r)
{
    struct user *u = ctx;
    assert(!u->accepted && strlen(r->message) < sizeof(r->message));
    over(u);
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct user *u = ctx;
    assert(u->live && u->accepted && u->chan.state == CHAN_OPEN);
    assert(stream < CHAN_STREAMS);
    assert(!u->over[stream] || (bytes.len == 0 && off == u->got[stream]));
    assert(off >= u->got[stream]);
    assert(off == u->got[stream] || (u->chan.gaps_ok && bytes.len == 0));
    u->used[stream] += off - u->got[stream];
    u->got[stream] = off + bytes.len;
    assert(u->got[stream] - u->used[stream] <= WINDOW);
    u->over[stream] = u->over[stream] || fin;
    if (u->drop) {
        chan_drop(&u->chan);
        over(u);
    }
    return bytes.len > 0 && bytes.ptr[0] == 0xEE ? ERR_PROTO : OK;
}

static void on_event(void *ctx, const msg_event *e)
{
    struct user *u = ctx;
    assert(u->live && u->chan.state == CHAN_OPEN);
    assert(e->channel == u->chan.number);
}

static void on_acked(void *ctx, uint32_t stream, uint64_t ack)
{
    struct user *u = ctx;
    assert(u->live && (u->accepted || u->chan.state == CHAN_CLOSING));
    assert(stream < CHAN_STREAMS && ack <= u->chan.tx[stream].next);
}

static void on_closed(void *ctx, const msg_close *c)
{
    (void)c;
    over(ctx);
}

static void on_ended(void *ctx)
{
    struct user *u = ctx;
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        assert(u->chan.end_mode != CHAN_DRAIN || !u->chan.tx[i].used ||
               u->chan.tx[i].fin);
    over(u);
}

/* The byte at an offset is the offset's last. */
static struct view pattern(uint64_t off, size_t len)
{
    static uint8_t bytes[256 + 1000];
    static size_t made;
    for (; made < sizeof(bytes); made++)
        bytes[made] = (uint8_t)made;
    return view_first(view_from(VIEW_ARRAY(bytes), off & 255),
                      len < 1000 ? len : 1000);
}

static void check_content(uint32_t stream, uint64_t off, struct view bytes)
{
    (void)stream;
    for (size_t i = 0; i < bytes.len; i++)
        assert(bytes.ptr[i] == (uint8_t)(off + i));
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct user *u = ctx;
    assert(u->live && u->chan.answered && u->chan.tx[stream].used);
    if (!u->accepted) /* closed before Accept came: this is the first word */
        begin(u, 0, *off);
    assert(*off == u->sent[stream]);
    if (stream == 0 && *off < u->held)
        *off = u->held;
    assert(*off <= u->said[stream]);
    struct view v = pattern(*off, (size_t)(u->said[stream] - *off));
    *fin = u->fin && *off + v.len == u->said[stream];
    return v;
}

static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct user *u = ctx;
    assert(u->live && upto >= u->sent[stream] && upto <= u->said[stream]);
    u->sent[stream] = upto;
}

static const struct chan_ops ops = {.accepted = on_accepted,
                                    .rejected = on_rejected,
                                    .data = on_data,
                                    .event = on_event,
                                    .acked = on_acked,
                                    .closed = on_closed,
                                    .peek = on_peek,
                                    .sent = on_sent,
                                    .ended = on_ended};

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    (void)ctx;
    assert(params.len <= FRAME_MAX && mux.count < USERS);
    assert(strlen(open->target) < sizeof(open->target));
    if (pending_count < USERS)
        pending[pending_count++] = *open;
}

static void on_gone(void *ctx, uint32_t number, const msg_close *end)
{
    (void)ctx;
    (void)end;
    for (uint32_t i = 0; i < pending_count; i++)
        if (pending[i].channel == number)
            pending[i] = pending[--pending_count];
}

static void on_wake(void *ctx)
{
    (void)ctx;
}

static const struct mux_ops mux_calls = {
    .open = on_open, .gone = on_gone, .wake = on_wake};

static void fresh(struct user *u, uint8_t how)
{
    assert(!u->live);
    memset(u, 0, sizeof(*u));
    chan_init(&u->chan, &ops, u, 1 + (how & 1), WINDOW, (how & 2) != 0);
    u->chan.gaps_ok = u->chan.any_start = (how & 4) != 0;
    u->drop = (how & 8) != 0;
}

static void open_one(struct user *u, uint8_t how)
{
    msg_open open = cmdop_agent_v1_Open_init_zero;
    if (u->chan.state != CHAN_FREE)
        return;
    fresh(u, how);
    u->live = chan_open(&mux, &u->chan, &open) == OK;
}

static void answer(struct user *u, uint8_t how, bool accept)
{
    msg_accept a = cmdop_agent_v1_Accept_init_zero;
    if (pending_count == 0)
        return;
    const msg_open *open = &pending[--pending_count];
    if (!accept || u->chan.state != CHAN_FREE) {
        (void)mux_reject(&mux, open->channel, cmdop_agent_v1_Code_CODE_LIMIT,
                         "no", "");
        return;
    }
    fresh(u, how);
    a.out_offset = (how & 16) != 0 ? 1000 : 0;
    a.in_offset = (how & 32) != 0 ? 77 : 0;
    u->live = true; /* he may be asked at once */
    begin(u, a.in_offset, a.out_offset);
    u->live = chan_accept(&mux, &u->chan, open, &a) == OK;
}

/* Some of what came is used, and some of that was applied. */
static void use(struct user *u, uint8_t how)
{
    if (u->chan.state != CHAN_OPEN)
        return; /* who is leaving counts no more */
    for (uint32_t i = 0; i < CHAN_STREAMS; i++) {
        uint64_t waits = u->got[i] - u->used[i];
        u->used[i] += (how & 0x80) != 0 ? waits : waits * how / 128;
        if ((how & 1) == 0)
            u->acked[i] = u->used[i];
        chan_used(&u->chan, i, u->used[i], u->acked[i]);
    }
}

static void say(struct user *u, uint8_t how)
{
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        u->said[i] += u->fin ? 0 : (uint64_t)how * 7;
    if ((how & 6) == 6) /* what is older fell out of the ring */
        u->held = u->said[0];
    u->fin = u->fin || (how & 1) != 0;
    chan_wake(&u->chan);
}

static size_t pull(size_t most)
{
    static uint8_t out[16384];
    bool had = mux_has_output(&mux);
    size_t n = mux_pull(&mux, (struct span){out, most});
    assert(n <= most && (had || n == 0));
    witness_said(&witness, view_of(out, n));
    return n;
}

/* ---- the peer's side ---------------------------------------------------------- */

/* False when the link would end. */
static bool hear(int kind, struct view body)
{
    const char *why = NULL;
    int err = mux_message(&mux, kind, body, &why);
    assert(err == OK || (err == ERR_PROTO && why != NULL));
    if (err == OK)
        witness_heard(&witness, kind, body);
    if (err == OK && kind == MSG_OPEN)
        peer_number = mux.peer_highest + 2;
    return err == OK;
}

/* One message off the input. */
static bool hear_next(struct reader *in, int kind)
{
    uint16_t len;
    struct view body;
    if (read_u16(in, &len) != OK)
        return false;
    if (read_bytes(in, len < in->left.len ? len : in->left.len, &body) != OK)
        return false;
    return hear(kind, body);
}

static bool hear_msg(int kind, const pb_msgdesc_t *fields, const void *msg)
{
    uint8_t buf[1024];
    int n = msg_encode_plain(SPAN_ARRAY(buf), fields, msg);
    assert(n >= 0);
    return hear(kind, view_of(buf, (size_t)n));
}

static bool peer_opens(uint8_t how)
{
    msg_open open = cmdop_agent_v1_Open_init_zero;
    open.channel = peer_number;
    open.window = (uint32_t)how * 4;
    if (peer_number > INT32_MAX)
        return true;
    bool ok = hear_msg(MSG_OPEN, cmdop_agent_v1_Open_fields, &open);
    /* Only a queue that is full to the brim stands in an honest one's way. */
    assert(ok || mux.control_len + 1024 > sizeof(control));
    return ok;
}

static bool peer_accepts(struct user *u, uint8_t how)
{
    msg_accept a = {.channel = u->chan.number, .window = (uint32_t)how * 4};
    if (!u->live || u->accepted || u->chan.state != CHAN_OPENING)
        return true;
    if (u->chan.any_start && (how & 1) != 0) {
        a.in_offset = 5;
        a.out_offset = 1000;
    }
    bool ok = hear_msg(MSG_ACCEPT, cmdop_agent_v1_Accept_fields, &a);
    assert(ok && u->accepted);
    return ok;
}

/* Data: as it should be, twice, with a gap before it, or too much. */
static bool peer_sends(struct user *u, uint8_t how)
{
    enum { RIGHT, TWICE, JUMP, TOO_MUCH } kind = (how >> 2) & 3;
    static uint8_t buf[2 * 1024];
    struct msg_data d = {
        .channel = u->chan.number, .stream = how & 1, .fin = (how & 2) != 0};
    struct witness_chan *c = witness_find(&witness, d.channel);
    if (!u->live || !u->accepted || c == NULL || !c->answered || c->early ||
        c->guessed)
        return true;
    struct witness_stream *s = &c->in[d.stream];
    bool listens = u->chan.state == CHAN_OPEN;
    uint64_t room = s->limit - (s->next < s->limit ? s->next : s->limit);
    uint64_t len = (uint64_t)(how >> 4) * 20;
    if (s->fin || room > WINDOW)
        return true;
    d.offset = s->next;
    len = kind == TOO_MUCH ? WINDOW + 1 + len : len < room ? len : room;
    if (kind == TWICE)
        d.offset -= d.offset < 7 ? d.offset : 7;
    if (kind == TWICE && len < 7)
        d.fin = false; /* an honest one says it at the end */
    if (kind == JUMP) {
        d.offset += 1 + (how >> 4);
        len = 0;
    }
    size_t n = msg_data_head(buf, &d, (size_t)len);
    memset(buf + n, 'd', (size_t)len);
    int got;
    struct view body;
    struct view frame =
        view_of(buf + GRPCFRAME_HEAD, n + (size_t)len - GRPCFRAME_HEAD);
    int split = msg_split(frame, &got, &body);
    assert(split == OK && got == MSG_DATA);
    uint64_t before = u->got[d.stream];
    bool drops = u->drop;
    bool ok = hear(MSG_DATA, body);
    if (!listens) {
        assert(ok && u->got[d.stream] == before);
        return ok;
    }
    assert(ok == (kind == RIGHT || kind == TWICE ||
                  (kind == JUMP && u->chan.gaps_ok)));
    if (ok && !drops && d.offset + len > before)
        assert(u->got[d.stream] == d.offset + len);
    return ok;
}

static bool peer_grants(struct user *u, uint8_t how)
{
    msg_credit credit = {.channel = u->chan.number, .stream = how & 1};
    struct witness_chan *c = witness_find(&witness, credit.channel);
    if (!u->live || c == NULL || !c->answered || c->guessed)
        return true;
    struct witness_stream *s = &c->out[credit.stream];
    credit.ack = s->next;
    credit.limit = s->next + (uint64_t)how * 8;
    if ((how & 2) != 0 && u->said[credit.stream] > s->next)
        credit.limit = u->said[credit.stream] - 1; /* one byte too few */
    bool ok = hear_msg(MSG_CREDIT, cmdop_agent_v1_Credit_fields, &credit);
    assert(ok);
    return ok;
}

static bool peer_closes(struct user *u)
{
    msg_close end = cmdop_agent_v1_Close_init_zero;
    end.channel = u->chan.number;
    if (!u->live)
        return true;
    bool ok = hear_msg(MSG_CLOSE, cmdop_agent_v1_Close_fields, &end);
    assert(ok && !u->live);
    return ok;
}

/* ---- the run ------------------------------------------------------------------- */

/* A size is never lost; what else is told may find the queue full. */
static void event(struct user *u, uint8_t how)
{
    msg_event e = cmdop_agent_v1_Event_init_zero;
    if ((how & 1) != 0) {
        e.which_what = cmdop_agent_v1_Event_resize_tag;
        e.what.resize.rows = how;
    }
    int err = chan_event(&u->chan, &e);
    assert(err == OK || (err == ERR_FULL && (how & 1) == 0));
}

static void close_one(struct user *u, uint8_t how)
{
    static const msg_close end = {0};
    chan_close(&u->chan, &end, how % 3);
}

static void drop_one(struct user *u)
{
    chan_drop(&u->chan);
    if (u->live)
        over(u);
}

/* False when the link would end. */
static bool act(uint8_t deed, uint8_t how)
{
    struct user *u = &users[deed & (USERS - 1)];
    switch (deed >> 3 & 0x0f) {
    case DEED_OPEN: open_one(u, how); break;
    case DEED_ACCEPT: answer(u, how, true); break;
    case DEED_REJECT: answer(u, how, false); break;
    case DEED_CLOSE: close_one(u, how); break;
    case DEED_USE: use(u, how); break;
    case DEED_SAY: say(u, how); break;
    case DEED_EVENT: event(u, how); break;
    case DEED_PULL: (void)pull((size_t)how * 64 + 1); break;
    case DEED_DROP: drop_one(u); break;
    case DEED_LOSE: mux_lost(&mux); break;
    case PEER_OPENS: return peer_opens(how);
    case PEER_ACCEPTS: return peer_accepts(u, how);
    case PEER_SENDS: return peer_sends(u, how);
    case PEER_GRANTS: return peer_grants(u, how);
    case PEER_CLOSES: return peer_closes(u);
    }
    return true;
}

static uint32_t live(void)
{
    uint32_t n = 0;
    for (int i = 0; i < USERS; i++) {
        assert(users[i].live == (users[i].chan.state != CHAN_FREE));
        n += users[i].live;
    }
    return n;
}

/* Whose turn it is, is still there. */
static bool has(const struct chan *turn)
{
    const struct chan *c = mux.chans;
    while (c != NULL && c != turn)
        c = c->next;
    return c == turn;
}

static void run(struct reader *in)
{
    uint8_t deed, how = 0;
    for (int n = 0; n < DEEDS && read_u8(in, &deed) == OK; n++) {
        if (deed < 0x20) {
            if (!hear_next(in, deed + 8))
                break;
        } else if (read_u8(in, &how) == OK) {
            if (!act((uint8_t)(deed - 0x18), how))
                break;
        }
        assert(mux.count <= USERS && mux.count == live());
        assert(has(mux.turn_interactive) && has(mux.turn_bulk));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = {view_of(data, size)};
    uint8_t first;
    memset(users, 0, sizeof(users));
    pending_count = 0;
    if (read_u8(&in, &first) != OK)
        return 0;
    bool initiator = (first & 1) != 0;
    peer_number = initiator ? 2 : 1;
    mux_init(&mux, SPAN_ARRAY(control), initiator, USERS, &mux_calls, NULL);
    witness_init(&witness, initiator);
    witness.content = check_content;
    run(&in);
    while (pull(16384) > 0) /* all that may be said; it must end */
        continue;
    mux_lost(&mux);
    assert(mux.count == 0 && mux.chans == NULL && live() == 0);
    return 0;
}
