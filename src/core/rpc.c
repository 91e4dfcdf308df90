/* Answers of kind RPC; see rpc.h. */
#include "core/rpc.h"

#include <string.h>

#include "base/err.h"

#define VARINT_MAX 3 /* enough for RPC_RECORD_MAX */

void rpcs_init(struct rpcs *r, struct arena *a, uint32_t cap)
{
    r->slots = arena_carve(a, cap * sizeof(*r->slots), 64);
    r->cap = cap;
    for (uint32_t i = 0; i < cap; i++) {
        r->slots[i].used = false;
        ring_init(&r->slots[i].ring, arena_span(a, RPC_RING), 0);
    }
}

int rpc_encode(struct span out, const pb_msgdesc_t *fields, const void *msg)
{
    uint8_t body[RPC_RECORD_MAX];
    int len = msg_encode_plain(SPAN_ARRAY(body), fields, msg);
    struct writer w;
    if (len < 0)
        return len;
    writer_init(&w, out);
    for (uint32_t left = (uint32_t)len;; left >>= 7) {
        write_u8(&w, (uint8_t)((left & 0x7F) | (left > 0x7F ? 0x80 : 0)));
        if (left <= 0x7F)
            break;
    }
    write_bytes(&w, view_of(body, (size_t)len));
    return w.err == OK ? (int)w.len : w.err;
}

static void fill(struct rpc *t)
{
    uint8_t one[RPC_RECORD_MAX + VARINT_MAX];
    while (!t->complete && ring_room(&t->ring) >= sizeof(one)) {
        int n = t->record(t->ctx, t->of, t->at++, SPAN_ARRAY(one));
        if (n == ERR_NOT_FOUND)
            continue;
        if (n <= 0)
            t->complete = true;
        else
            (void)ring_write(&t->ring, view_of(one, (size_t)n));
    }
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct rpc *t = ctx;
    (void)stream;
    fill(t);
    struct view v = ring_at(&t->ring, *off);
    *fin = t->complete && *off + v.len == t->ring.tail;
    return v;
}

static void on_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct rpc *t = ctx;
    (void)stream;
    ring_consume(&t->ring, upto);
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    (void)ctx;
    (void)stream;
    (void)off;
    (void)fin;
    return bytes.len == 0 ? OK : ERR_PROTO;
}

static void on_event(void *ctx, const msg_event *event)
{
    (void)ctx;
    (void)event; /* nothing can happen to a finished question */
}

static void on_closed(void *ctx, const msg_close *end)
{
    struct rpc *t = ctx;
    (void)end;
    t->used = false;
}

static void on_ended(void *ctx)
{
    struct rpc *t = ctx;
    t->used = false;
}

static const struct chan_ops ops = {
    .data = on_data,
    .event = on_event,
    .closed = on_closed,
    .peek = on_peek,
    .sent = on_sent,
    .ended = on_ended,
};

void rpc_answer(struct rpcs *r, struct mux *m, const msg_open *open,
                const char *of, rpc_record *record, void *ctx)
{
    struct rpc *t = NULL;
    msg_accept accept = cmdop_agent_v1_Accept_init_zero;
    msg_close end = {.which_result = cmdop_agent_v1_Close_exit_status_tag};
    uint32_t mine = 0;
    for (uint32_t i = 0; i < r->cap; i++) {
        if (!r->slots[i].used)
            t = &r->slots[i];
        else
            mine += r->slots[i].chan.mux == m;
    }
    if (t == NULL || mine >= RPC_PER_LINK) {
        (void)mux_reject(m, open->channel, cmdop_agent_v1_Code_CODE_LIMIT,
                         "too many questions are being answered",
                         "try again in a moment");
        return;
    }
    ring_init(&t->ring, (struct span){t->ring.buf, t->ring.cap}, 0);
    t->record = record;
    t->ctx = ctx;
    t->at = 0;
    t->complete = false;
    STR_COPY(t->of, of);
    chan_init(&t->chan, &ops, t, 1, 0, false);
    if (chan_accept(m, &t->chan, open, &accept) != OK)
        return;
    t->used = true;
    chan_close(&t->chan, &end, CHAN_DRAIN);
}

static int no_record(void *ctx, const char *of, uint32_t at, struct span out)
{
    (void)ctx;
    (void)of;
    (void)at;
    (void)out;
    return 0;
}

void rpc_done(struct rpcs *r, struct mux *m, const msg_open *open)
{
    rpc_answer(r, m, open, "", no_record, NULL);
}

int rpc_read(struct view params, struct rpc_request *out)
{
    msg_rpc_open p = cmdop_agent_v1_RpcOpen_init_zero;
    *out = (struct rpc_request){.method = ""};
    int err = msg_decode(params, cmdop_agent_v1_RpcOpen_fields, &p);
    if (err == OK)
        err = msg_decode(view_of(p.request.bytes, p.request.size),
                         cmdop_agent_v1_Call_fields, &out->call);
    if (err == OK)
        STR_COPY(out->method, p.method);
    return err;
}
