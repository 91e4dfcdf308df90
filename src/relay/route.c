/* Forwarding between two links; see route.h. */
#include "relay/route.h"

#include <string.h>

#include "base/err.h"

#define RING_BYTES WINDOW_BULK

void routes_init(struct routes *r, struct arena *a, uint32_t cap,
                 route_may *may)
{
    r->may = may;
    r->slots = arena_carve(a, cap * sizeof(*r->slots), 4096);
    r->cap = cap;
    r->count = 0;
    r->free = NULL;
    for (uint32_t i = cap; i > 0; i--) {
        struct route *t = &r->slots[i - 1];
        t->rings =
            arena_carve(a, (size_t)(1 + CHAN_STREAMS) * RING_BYTES, 4096);
        t->next_free = r->free;
        r->free = t;
    }
}

static struct route *take(struct routes *r)
{
    struct route *t = r->free;
    if (t == NULL)
        return NULL;
    uint8_t *rings = t->rings;
    r->free = t->next_free;
    r->count++;
    memset(t, 0, sizeof(*t));
    t->rings = rings;
    t->routes = r;
    t->live = true;
    ring_init(&t->in, (struct span){rings, RING_BYTES}, 0);
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        ring_init(
            &t->out[i],
            (struct span){rings + (size_t)(i + 1) * RING_BYTES, RING_BYTES}, 0);
    return t;
}

static void give_back_if_over(struct route *t)
{
    if (!t->live || t->op.state != CHAN_FREE || t->ag.state != CHAN_FREE ||
        t->op_mux != NULL)
        return;
    struct routes *r = t->routes;
    if (t->budget != NULL)
        (*t->budget)--;
    t->live = false;
    t->next_free = r->free;
    r->free = t;
    r->count--;
}

/* ---- from the operator to the machine ------------------------------------------ */

static int op_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct route *t = ctx;
    if (stream != 0 || off != t->in.tail)
        return ERR_PROTO;
    if (ring_write(&t->in, bytes) != OK)
        return ERR_PROTO; /* credit was not kept */
    t->in_fin = t->in_fin || fin;
    chan_wake(&t->ag);
    return OK;
}

static struct view ag_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct route *t = ctx;
    (void)stream;
    struct view v = ring_at(&t->in, *off);
    *fin = t->in_fin && *off + v.len == t->in.tail;
    return v;
}

static void ag_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct route *t = ctx;
    (void)stream;
    ring_consume(&t->in, upto);
    chan_used(&t->op, 0, upto, t->in_ack);
}

static void ag_acked(void *ctx, uint32_t stream, uint64_t ack)
{
    struct route *t = ctx;
    if (stream != 0 || ack <= t->in_ack)
        return;
    t->in_ack = ack;
    chan_used(&t->op, 0, t->in.head, ack);
}

static void op_event(void *ctx, const msg_event *event)
{
    struct route *t = ctx;
    msg_event copy = *event;
    (void)chan_event(&t->ag, &copy); /* a full queue drops a signal */
}

static void end_machine_side(struct route *t, const msg_close *end)
{
    /* Nobody waits for input that the machine does not take. */
    chan_close(&t->ag, end, t->ag.answered ? CHAN_FLUSH : CHAN_NOW);
}

static void op_closed(void *ctx, const msg_close *end)
{
    struct route *t = ctx;
    msg_close lost = chan_failure(cmdop_agent_v1_Code_CODE_LOST,
                                  "the operator's connection was lost", "");
    t->op_mux = NULL;
    end_machine_side(t, end != NULL ? end : &lost);
    give_back_if_over(t);
}

static void route_ended(void *ctx)
{
    give_back_if_over(ctx);
}

/* ---- from the machine to the operator -------------------------------------------- */

static int ag_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct route *t = ctx;
    struct ring *ring = &t->out[stream];
    if (stream != 0 && !t->ag.bulk)
        return ERR_PROTO; /* a terminal has one output */
    bool skips = bytes.len == 0 && !fin && !t->ag.bulk;
    if (off > ring->tail || skips) { /* what is here is stale */
        ring_init(ring, (struct span){ring->buf, ring->cap}, off);
        chan_used(&t->ag, stream, off, t->out_ack[stream]);
    }
    if (ring_write(ring, bytes) != OK)
        return ERR_PROTO;
    t->out_fin[stream] = t->out_fin[stream] || fin;
    chan_wake(&t->op);
    return OK;
}

static struct view op_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    struct route *t = ctx;
    struct ring *ring = &t->out[stream];
    if (*off < ring->head)
        *off = ring->head;
    struct view v = ring_at(ring, *off);
    *fin = t->out_fin[stream] && *off + v.len == ring->tail;
    return v;
}

static void op_sent(void *ctx, uint32_t stream, uint64_t upto)
{
    struct route *t = ctx;
    ring_consume(&t->out[stream], upto);
    chan_used(&t->ag, stream, upto, t->out_ack[stream]);
}

static void op_acked(void *ctx, uint32_t stream, uint64_t ack)
{
    struct route *t = ctx;
    if (ack <= t->out_ack[stream])
        return;
    t->out_ack[stream] = ack;
    chan_used(&t->ag, stream, t->out[stream].head, ack);
}

static void ag_event(void *ctx, const msg_event *event)
{
    struct route *t = ctx;
    msg_event copy = *event;
    (void)chan_event(&t->op, &copy);
}

static void ag_closed(void *ctx, const msg_close *end)
{
    struct route *t = ctx;
    msg_close lost = chan_failure(cmdop_agent_v1_Code_CODE_LOST,
                                  "the machine's connection was lost",
                                  "try again when it is back online");
    if (t->op.state == CHAN_FREE && t->op_mux != NULL) { /* not accepted */
        (void)mux_reject(t->op_mux, t->op_number, cmdop_agent_v1_Code_CODE_LOST,
                         lost.result.failure.message,
                         lost.result.failure.remedy);
        t->op_mux = NULL;
    }
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        t->out_fin[i] = true;
    chan_close(&t->op, end != NULL ? end : &lost, CHAN_DRAIN);
    give_back_if_over(t);
}

/* ---- opening ----------------------------------------------------------------------- */

static const struct chan_ops op_ops = {
    .data = op_data,
    .event = op_event,
    .acked = op_acked,
    .closed = op_closed,
    .peek = op_peek,
    .sent = op_sent,
    .ended = route_ended,
};

static void start_rings(struct route *t, const msg_accept *accept)
{
    const uint64_t from[CHAN_STREAMS] = {accept->out_offset,
                                         accept->err_offset};
    struct ring *in = &t->in;
    ring_init(in, (struct span){in->buf, in->cap}, accept->in_offset);
    t->in_ack = accept->in_offset;
    for (uint32_t i = 0; i < CHAN_STREAMS; i++) {
        struct ring *out = &t->out[i];
        ring_init(out, (struct span){out->buf, out->cap}, from[i]);
        t->out_ack[i] = from[i];
    }
}

static void ag_accepted(void *ctx, const msg_accept *accept)
{
    struct route *t = ctx;
    msg_open asked = {.channel = t->op_number, .window = t->op_window};
    msg_accept copy = *accept;
    struct mux *op = t->op_mux;
    if (op == NULL)
        return; /* the operator left meanwhile; its Close is on its way */
    start_rings(t, accept);
    t->op_mux = NULL;
    if (chan_accept(op, &t->op, &asked, &copy) == OK)
        return;
    msg_close end = chan_failure(cmdop_agent_v1_Code_CODE_LIMIT,
                                 "the operator's connection is full",
                                 "close a channel first");
    (void)mux_reject(op, t->op_number, end.result.failure.code,
                     end.result.failure.message, end.result.failure.remedy);
    end_machine_side(t, &end);
}

static void ag_rejected(void *ctx, const msg_reject *reject)
{
    struct route *t = ctx;
    if (t->op_mux != NULL)
        (void)mux_reject(t->op_mux, t->op_number, reject->code, reject->message,
                         reject->remedy);
    t->op_mux = NULL;
    give_back_if_over(t);
}

static const struct chan_ops ag_ops = {
    .accepted = ag_accepted,
    .rejected = ag_rejected,
    .data = ag_data,
    .event = ag_event,
    .acked = ag_acked,
    .closed = ag_closed,
    .peek = ag_peek,
    .sent = ag_sent,
    .ended = route_ended,
};

void routes_gone(struct routes *r, struct mux *op, uint32_t number,
                 const msg_close *end)
{
    for (uint32_t i = 0; i < r->cap; i++) {
        struct route *t = &r->slots[i];
        if (t->live && t->op_mux == op && t->op_number == number)
            op_closed(t, end);
    }
}

void routes_operator_lost(struct routes *r, struct mux *op,
                          const uint32_t *budget)
{
    for (uint32_t i = 0; i < r->cap; i++) {
        struct route *t = &r->slots[i];
        if (t->live && t->budget == budget)
            t->budget = NULL;
        if (t->live && t->op_mux == op)
            op_closed(t, NULL);
    }
}

/* ---- asking the machine ------------------------------------------------------------ */

/* An Open whose machine is away lies where its rings will be. */
struct waiting {
    msg_open open;
    size_t params_len;
    uint8_t params[FRAME_MAX];
};
_Static_assert(sizeof(struct waiting) <= (1 + CHAN_STREAMS) * RING_BYTES,
               "what waits fits the rings");

/* A route for an operator's Open, or NULL: he was told that there is none. */
static struct route *begin(struct routes *r, struct mux *op,
                           const msg_open *open, uint32_t *budget,
                           uint64_t now_ms)
{
    struct route *t = take(r);
    if (t == NULL) {
        (void)mux_reject(op, open->channel, cmdop_agent_v1_Code_CODE_LIMIT,
                         "the relay forwards as many channels as it can",
                         "try again in a moment");
        return NULL;
    }
    bool bulk = open->kind != cmdop_agent_v1_Kind_KIND_PTY;
    t->op_mux = op;
    t->budget = budget;
    (*budget)++;
    t->asked_ms = now_ms;
    t->op_number = open->channel;
    t->op_window = open->window;
    /* A terminal has one output; what runs on pipes has two. */
    chan_init(&t->op, &op_ops, t, bulk ? CHAN_STREAMS : 1, RING_BYTES, bulk);
    chan_init(&t->ag, &ag_ops, t, 1, RING_BYTES, bulk);
    /* The machine decided when to tell: pass it on. */
    t->op.acks = bulk ? ACKS_HALF : ACKS_SOON;
    /* Output that is held somewhere may be resumed, or partly gone. */
    t->ag.gaps_ok = t->ag.any_start =
        !bulk || open->kind == cmdop_agent_v1_Kind_KIND_EXEC;
    return t;
}

/* Answer an Open that led nowhere. */
static void turn_down(struct route *t, msg_code code, const char *message,
                      const char *remedy)
{
    (void)mux_reject(t->op_mux, t->op_number, code, message, remedy);
    t->op_mux = NULL;
    give_back_if_over(t);
}

static void ask_machine(struct route *t, struct mux *ag, const msg_open *open,
                        struct view params)
{
    struct msg_blob blob = {.data = params};
    msg_open onward = *open;
    onward.wait_ms = 0;
    onward.params = msg_blob_out(&blob);
    if (chan_open(ag, &t->ag, &onward) != OK)
        turn_down(t, cmdop_agent_v1_Code_CODE_LIMIT,
                  "the machine's connection takes no more channels",
                  "close one of them first");
}

void route_open(struct routes *r, struct mux *op, struct mux *ag,
                const msg_open *open, struct view params, uint32_t *budget,
                uint64_t now_ms)
{
    struct route *t = begin(r, op, open, budget, now_ms);
    if (t != NULL)
        ask_machine(t, ag, open, params);
}

void route_wait(struct routes *r, struct mux *op, const void *machine,
                const msg_open *open, struct view params, uint32_t *budget,
                uint64_t now_ms)
{
    struct route *t = begin(r, op, open, budget, now_ms);
    if (t == NULL)
        return;
    struct waiting *w = (struct waiting *)(void *)t->rings;
    uint32_t ms = open->wait_ms;
    w->open = *open;
    w->params_len = params.len; /* a message holds no more than FRAME_MAX */
    if (params.len > 0)
        memcpy(w->params, params.ptr, params.len);
    t->waits_for = machine;
    t->until_ms = now_ms + (ms < ROUTE_ANSWER_MS ? ms : ROUTE_ANSWER_MS);
}

void routes_online(struct routes *r, const void *machine, struct mux *ag,
                   uint64_t now_ms)
{
    for (uint32_t i = 0; i < r->cap && r->count > 0; i++) {
        struct route *t = &r->slots[i];
        if (!t->live || t->op_mux == NULL || t->waits_for != machine)
            continue;
        struct waiting *w = (struct waiting *)(void *)t->rings;
        struct view params = view_of(w->params, w->params_len);
        struct route_no no;
        t->waits_for = NULL;
        t->asked_ms = now_ms;
        if (r->may(t->op_mux, &w->open, params, &no))
            ask_machine(t, ag, &w->open, params);
        else
            turn_down(t, no.code, no.message, no.remedy);
    }
}

static void give_up(struct route *t, uint64_t now_ms)
{
    msg_close late =
        chan_failure(cmdop_agent_v1_Code_CODE_TIMEOUT,
                     "the machine does not answer", "look at the agent there");
    if (t->waits_for != NULL) {
        if (now_ms >= t->until_ms)
            turn_down(t, cmdop_agent_v1_Code_CODE_OFFLINE, OFFLINE_WORDS);
        return;
    }
    if (now_ms - t->asked_ms < ROUTE_ANSWER_MS)
        return;
    (void)mux_reject(t->op_mux, t->op_number, late.result.failure.code,
                     late.result.failure.message, late.result.failure.remedy);
    op_closed(t, &late);
}

void routes_sweep(struct routes *r, uint64_t now_ms)
{
    for (uint32_t i = 0; i < r->cap && r->count > 0; i++)
        if (r->slots[i].live && r->slots[i].op_mux != NULL)
            give_up(&r->slots[i], now_ms);
}
