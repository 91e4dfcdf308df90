/* Answers of kind RPC; see rpc.h. */
#include "core/rpc.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "crypto/ct.h"

#define VARINT_MAX 3 /* enough for RPC_RECORD_MAX */

/* A reference: which question of its place, and which place, counted from 1
 * so that no reference is 0. */
#define INDEX_BITS  8
#define INDEX_MASK  ((1u << INDEX_BITS) - 1)
#define SERIAL_MASK (UINT32_MAX >> INDEX_BITS)
_Static_assert(RPC_PLACES_MAX <= INDEX_MASK, "a place fits the reference");

static rpc_ref ref_of(const struct rpc *t)
{
    return t->serial << INDEX_BITS | t->index;
}

void rpcs_init(struct rpcs *r, struct arena *a, uint32_t cap)
{
    r->slots = arena_carve(a, cap * sizeof(*r->slots), 64);
    r->cap = cap;
    assert(cap <= RPC_PLACES_MAX);
    for (uint32_t i = 0; i < cap; i++) {
        r->slots[i].used = false;
        r->slots[i].serial = 0;
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
    while (t->record != NULL && !t->complete &&
           ring_room(&t->ring) >= sizeof(one)) {
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
    if (t->more == NULL || ring_room(&t->ring) < RPC_RECORD_MAX + VARINT_MAX)
        return;
    rpc_more *more = t->more;
    t->more = NULL;
    more(t->more_ctx, ref_of(t));
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

/* Whom or what it was for may be a secret. */
static void done_with(struct rpc *t)
{
    t->used = false;
    ct_wipe(SPAN_ARRAY(t->of));
}

static void on_closed(void *ctx, const msg_close *end)
{
    struct rpc *t = ctx;
    (void)end;
    done_with(t);
}

static void on_ended(void *ctx)
{
    struct rpc *t = ctx;
    done_with(t);
}

static const struct chan_ops ops = {
    .data = on_data,
    .event = on_event,
    .closed = on_closed,
    .peek = on_peek,
    .sent = on_sent,
    .ended = on_ended,
};

/* A place for a question of this link, and its channel accepted; or NULL: the
 * asker was told. */
static struct rpc *take(struct rpcs *r, struct mux *m, const msg_open *open)
{
    struct rpc *t = NULL;
    msg_accept accept = cmdop_agent_v1_Accept_init_zero;
    uint32_t mine = 0, index = 0;
    for (uint32_t i = 0; i < r->cap; i++) {
        if (r->slots[i].used)
            mine += r->slots[i].chan.mux == m;
        else if (t == NULL)
            t = &r->slots[index = i];
    }
    if (t == NULL || mine >= RPC_PER_LINK) {
        (void)mux_reject(m, open->channel, cmdop_agent_v1_Code_CODE_LIMIT,
                         "too many questions are being answered",
                         "try again in a moment");
        return NULL;
    }
    ring_init(&t->ring, (struct span){t->ring.buf, t->ring.cap}, 0);
    t->index = (uint8_t)(index + 1);
    t->serial = (t->serial + 1) & SERIAL_MASK;
    t->record = NULL;
    t->more = NULL;
    memset(t->note, 0, sizeof(t->note));
    t->at = 0;
    t->complete = false;
    chan_init(&t->chan, &ops, t, 1, 0, false);
    if (chan_accept(m, &t->chan, open, &accept) != OK)
        return NULL;
    t->used = true;
    return t;
}

static void finish(struct rpc *t, const msg_close *end)
{
    t->more = NULL;
    chan_close(&t->chan, end, CHAN_DRAIN);
}

static const msg_close answered = {.which_result =
                                       cmdop_agent_v1_Close_exit_status_tag};

void rpc_answer(struct rpcs *r, struct mux *m, const msg_open *open,
                const char *of, rpc_record *record, void *ctx)
{
    struct rpc *t = take(r, m, open);
    if (t == NULL)
        return;
    t->record = record;
    t->ctx = ctx;
    STR_COPY(t->of, of);
    finish(t, &answered);
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

/* ---- answers that come later ---------------------------------------------- */

rpc_ref rpc_begin(struct rpcs *r, struct mux *m, const msg_open *open)
{
    struct rpc *t = take(r, m, open);
    return t == NULL ? 0 : ref_of(t);
}

/* The place, if its question is still this one and not yet answered. */
static struct rpc *find(const struct rpcs *r, rpc_ref ref)
{
    uint32_t i = (ref & INDEX_MASK) - 1; /* none: far beyond */
    if (i >= r->cap)
        return NULL;
    struct rpc *t = &r->slots[i];
    return t->used && t->serial == ref >> INDEX_BITS && t->record == NULL &&
                   !t->complete
               ? t
               : NULL;
}

bool rpc_is_asked(const struct rpcs *r, rpc_ref ref)
{
    return find(r, ref) != NULL;
}

void *rpc_note(struct rpcs *r, rpc_ref ref)
{
    struct rpc *t = find(r, ref);
    return t == NULL ? NULL : t->note;
}

int rpc_put(struct rpcs *r, rpc_ref ref, const pb_msgdesc_t *fields,
            const void *msg, rpc_more *more, void *ctx)
{
    uint8_t one[RPC_RECORD_MAX + VARINT_MAX];
    struct rpc *t = find(r, ref);
    if (t == NULL)
        return ERR_CLOSED;
    int n = rpc_encode(SPAN_ARRAY(one), fields, msg);
    if (n < 0)
        return ERR_TOO_BIG;
    if (ring_room(&t->ring) < sizeof(one)) {
        t->more = more;
        t->more_ctx = ctx;
        return ERR_FULL;
    }
    (void)ring_write(&t->ring, view_of(one, (size_t)n));
    chan_wake(&t->chan);
    return OK;
}

void rpc_end(struct rpcs *r, rpc_ref ref)
{
    struct rpc *t = find(r, ref);
    if (t == NULL)
        return;
    t->complete = true;
    finish(t, &answered);
}

void rpc_fail(struct rpcs *r, rpc_ref ref, msg_code code, const char *message,
              const char *remedy)
{
    struct rpc *t = find(r, ref);
    msg_close end = chan_failure(code, message, remedy);
    if (t == NULL)
        return;
    t->complete = true;
    finish(t, &end);
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
