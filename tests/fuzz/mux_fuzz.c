/*
 * A mux that hears anything, in any state, while its owner goes on with its
 * own affairs. The input is a list of deeds, one byte each:
 *
 *   0x00..0x1f  a message of kind (deed + 8) follows: length, then its bytes
 *   0x20..      something the owner does; the low bits choose the channel
 *
 * Whatever comes, the owner is never given more than it granted, nothing
 * twice, and no channel twice.
 */
#include "core/mux.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "limits.h"

#define USERS  4
#define WINDOW 300

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
};

struct user {
    struct chan chan;
    uint64_t got[CHAN_STREAMS], used[CHAN_STREAMS];
    uint64_t said[CHAN_STREAMS];
    bool fin, over[CHAN_STREAMS];
    bool drop; /* frees its channel when data comes */
};

static struct mux mux;
static uint8_t control[2 * FRAME_MAX];
static struct user users[USERS];
static msg_open pending[USERS];
static uint32_t pending_count;

static void on_accepted(void *ctx, const msg_accept *a)
{
    struct user *u = ctx;
    assert(u->chan.state == CHAN_OPEN);
    u->got[0] = u->used[0] = a->out_offset;
    u->said[0] = a->in_offset;
}

static void on_rejected(void *ctx, const msg_reject *r)
{
    struct user *u = ctx;
    assert(u->chan.state == CHAN_FREE);
    assert(strlen(r->message) < sizeof(r->message));
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct user *u = ctx;
    assert(u->chan.state == CHAN_OPEN && stream < CHAN_STREAMS);
    assert(!u->over[stream] || bytes.len == 0);
    assert(off >= u->got[stream]);
    assert(off == u->got[stream] || (u->chan.gaps_ok && bytes.len == 0));
    u->used[stream] += off - u->got[stream];
    u->got[stream] = off + bytes.len;
    assert(u->got[stream] - u->used[stream] <= WINDOW);
    u->over[stream] = u->over[stream] || fin;
    if (u->drop)
        chan_drop(&u->chan);
    return bytes.len > 0 && bytes.ptr[0] == 0xEE ? ERR_PROTO : OK;
}

static void on_event(void *ctx, const msg_event *e)
{
    struct user *u = ctx;
    assert(u->chan.state == CHAN_OPEN && e->channel == u->chan.number);
}

static void on_acked(void *ctx, uint32_t stream, uint64_t ack)
{
    struct user *u = ctx;
    assert(stream < CHAN_STREAMS && ack <= u->chan.tx[stream].next);
}

static void on_closed(void *ctx, const msg_close *c)
{
    struct user *u = ctx;
    (void)c;
    assert(u->chan.state == CHAN_FREE);
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    static const uint8_t zeros[1000];
    struct user *u = ctx;
    *fin = u->fin;
    uint64_t left = u->said[stream] > *off ? u->said[stream] - *off : 0;
    return view_of(zeros, left < sizeof(zeros) ? (size_t)left : sizeof(zeros));
}

static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct user *u = ctx;
    assert(upto <= u->chan.tx[stream].limit);
}

static const struct chan_ops ops = {.accepted = on_accepted,
                                    .rejected = on_rejected,
                                    .data = on_data,
                                    .event = on_event,
                                    .acked = on_acked,
                                    .closed = on_closed,
                                    .peek = on_peek,
                                    .sent = on_sent};

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    (void)ctx;
    assert(params.len <= FRAME_MAX);
    assert(strlen(open->target) < sizeof(open->target));
    if (pending_count < USERS)
        pending[pending_count++] = *open;
}

static void on_wake(void *ctx)
{
    (void)ctx;
}

static const struct mux_ops mux_calls = {.open = on_open, .wake = on_wake};

static void fresh(struct user *u, uint8_t how)
{
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
    (void)chan_open(&mux, &u->chan, &open);
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
    (void)chan_accept(&mux, &u->chan, open, &a);
}

static void use(struct user *u)
{
    if (u->chan.state != CHAN_OPEN)
        return; /* who is leaving counts no more */
    for (uint32_t i = 0; i < CHAN_STREAMS; i++) {
        u->used[i] = u->got[i];
        chan_used(&u->chan, i, u->used[i], u->used[i]);
    }
}

static void say(struct user *u, uint8_t how)
{
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        u->said[i] += u->fin ? 0 : (uint64_t)how * 8;
    u->fin = u->fin || (how & 1) != 0;
    chan_wake(&u->chan);
}

static void pull(uint8_t how)
{
    static uint8_t out[16384];
    struct span room = {out, (size_t)how * 64 + 1};
    (void)mux_has_output(&mux);
    assert(mux_pull(&mux, room) <= room.len);
}

static void act(uint8_t deed, uint8_t how)
{
    static const msg_close end = {0};
    struct user *u = &users[deed & (USERS - 1)];
    switch (deed >> 3 & 0x0f) {
    case DEED_OPEN: open_one(u, how); break;
    case DEED_ACCEPT: answer(u, how, true); break;
    case DEED_REJECT: answer(u, how, false); break;
    case DEED_CLOSE: chan_close(&u->chan, &end, how % 3); break;
    case DEED_USE: use(u); break;
    case DEED_SAY: say(u, how); break;
    case DEED_EVENT:
        (void)chan_event(&u->chan, &(msg_event){.channel = 0});
        break;
    case DEED_PULL: pull(how); break;
    case DEED_DROP: chan_drop(&u->chan); break;
    case DEED_LOSE: mux_lost(&mux); break;
    }
}

/* One message off the input; false when the link would end. */
static bool hear(struct reader *in, int kind)
{
    uint16_t len;
    struct view body;
    const char *why = NULL;
    if (read_u16(in, &len) != OK)
        return false;
    if (read_bytes(in, len < in->left.len ? len : in->left.len, &body) != OK)
        return false;
    int err = mux_message(&mux, kind, body, &why);
    assert(err == OK || (err == ERR_PROTO && why != NULL) || err == ERR_FULL);
    return err == OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = {view_of(data, size)};
    uint8_t deed, how = 0;
    memset(users, 0, sizeof(users));
    pending_count = 0;
    if (read_u8(&in, &deed) != OK)
        return 0;
    mux_init(&mux, SPAN_ARRAY(control), (deed & 1) != 0, USERS, &mux_calls,
             NULL);
    while (read_u8(&in, &deed) == OK) {
        if (deed < 0x20) {
            if (!hear(&in, deed + 8))
                break;
        } else if (read_u8(&in, &how) == OK) {
            act((uint8_t)(deed - 0x18), how);
        }
        assert(mux.count <= USERS);
    }
    mux_lost(&mux);
    assert(mux.count == 0 && mux.chans == NULL);
    return 0;
}
