/*
 * The mux; see mux.h. The control queue is a plain byte buffer that is moved
 * to its front when it runs empty; a message that was pulled in part is
 * continued before anything else, so the byte stream stays whole.
 */
#include "core/mux.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "codec/grpcframe.h"
#include "limits.h"

/* A Data frame with less room than this is not worth its head. */
#define DATA_ROOM_MIN 512
/* No stream gets there; beyond it, sums of offsets could wrap. */
#define OFFSET_MAX    (UINT64_MAX / 2)

void mux_init(struct mux *m, struct span control, bool initiator,
              uint32_t count_max, const struct mux_ops *ops, void *ctx)
{
    assert(control.len >= FRAME_MAX);
    *m = (struct mux){.ops = ops,
                      .ctx = ctx,
                      .control = control,
                      .number_next = initiator ? 1 : 2,
                      .count_max = count_max};
}

/* ---- the control queue ------------------------------------------------------ */

int mux_send(struct mux *m, int kind, const pb_msgdesc_t *fields,
             const void *msg)
{
    struct span room = {m->control.ptr + m->control_len,
                        m->control.len - m->control_len};
    int len = msg_encode_grpc(room, kind, fields, msg);
    if (len < 0)
        return len;
    m->control_len += (size_t)len;
    m->ops->wake(m->ctx);
    return OK;
}

static size_t pull_control(struct mux *m, struct span out)
{
    size_t left = m->control_len - m->control_off;
    size_t n = left < out.len ? left : out.len;
    if (n == 0)
        return 0;
    memcpy(out.ptr, m->control.ptr + m->control_off, n);
    m->control_off += n;
    if (m->control_off == m->control_len)
        m->control_off = m->control_len = 0;
    return n;
}

/* ---- the list of channels ----------------------------------------------------- */

static struct chan *find(struct mux *m, uint32_t number)
{
    struct chan *c = m->chans;
    while (c != NULL && c->number != number)
        c = c->next;
    return c;
}

static void link_chan(struct mux *m, struct chan *c, uint32_t number)
{
    c->mux = m;
    c->number = number;
    c->next = m->chans;
    m->chans = c;
    m->count++;
}

static void unlink_chan(struct chan *c)
{
    struct mux *m = c->mux;
    struct chan **at = &m->chans;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    m->count--;
    if (m->turn_interactive == c)
        m->turn_interactive = c->next;
    if (m->turn_bulk == c)
        m->turn_bulk = c->next;
    c->next = NULL;
    c->mux = NULL;
    c->state = CHAN_FREE;
}

/* ---- opening ------------------------------------------------------------------ */

void chan_init(struct chan *c, const struct chan_ops *ops, void *ctx,
               uint32_t out_streams, uint32_t window, bool bulk)
{
    assert(out_streams <= CHAN_STREAMS);
    *c = (struct chan){.ops = ops, .ctx = ctx, .window = window, .bulk = bulk};
    for (uint32_t i = 0; i < out_streams; i++)
        c->tx[i].used = true;
}

static void grant_first(struct chan *c)
{
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        c->rx[i].limit = c->rx[i].next + c->window;
}

int chan_open(struct mux *m, struct chan *c, msg_open *open)
{
    assert(c->state == CHAN_FREE);
    if (m->count >= m->count_max)
        return ERR_LIMIT;
    open->channel = m->number_next;
    open->window = c->window;
    int err = mux_send(m, MSG_OPEN, cmdop_agent_v1_Open_fields, open);
    if (err != OK)
        return err;
    link_chan(m, c, m->number_next);
    m->number_next += 2;
    c->state = CHAN_OPENING;
    grant_first(c);
    return OK;
}

void chan_tx_start(struct chan *c, uint32_t stream, uint64_t off)
{
    struct chan_tx *tx = &c->tx[stream];
    tx->limit += off - tx->next;
    tx->next = off;
}

void chan_rx_start(struct chan *c, uint32_t stream, uint64_t off)
{
    struct chan_rx *rx = &c->rx[stream];
    *rx = (struct chan_rx){.next = off,
                           .used = off,
                           .acked = off,
                           .ack = off,
                           .limit = off + c->window};
}

static void peer_window(struct chan *c, uint32_t window)
{
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        c->tx[i].limit = c->tx[i].next + window;
}

int chan_accept(struct mux *m, struct chan *c, const msg_open *open,
                msg_accept *accept)
{
    assert(c->state == CHAN_FREE);
    if (m->count >= m->count_max)
        return ERR_LIMIT;
    accept->channel = open->channel;
    accept->window = c->window;
    int err = mux_send(m, MSG_ACCEPT, cmdop_agent_v1_Accept_fields, accept);
    if (err != OK)
        return err;
    link_chan(m, c, open->channel);
    c->state = CHAN_OPEN;
    c->answered = true;
    chan_tx_start(c, 0, accept->out_offset);
    chan_tx_start(c, 1, accept->err_offset);
    chan_rx_start(c, 0, accept->in_offset);
    grant_first(c);
    peer_window(c, open->window);
    chan_wake(c);
    return OK;
}

int mux_reject(struct mux *m, uint32_t number, msg_code code,
               const char *message, const char *remedy)
{
    msg_reject r = {.channel = number, .code = code};
    STR_COPY(r.message, message);
    STR_COPY(r.remedy, remedy);
    int err = mux_send(m, MSG_REJECT, cmdop_agent_v1_Reject_fields, &r);
    m->deaf = m->deaf || err != OK;
    return err;
}

/* ---- using -------------------------------------------------------------------- */

void chan_wake(struct chan *c)
{
    c->ready = true;
    if (c->mux != NULL)
        c->mux->ops->wake(c->mux->ctx);
}

void chan_skip(struct chan *c, uint32_t stream)
{
    c->tx[stream].skip = true;
    chan_wake(c);
}

void chan_used(struct chan *c, uint32_t stream, uint64_t used, uint64_t ack)
{
    struct chan_rx *rx = &c->rx[stream];
    if (c->state == CHAN_FREE)
        return;
    if (c->state == CHAN_CLOSING && used < rx->used)
        return; /* what came since was dropped, and counted here */
    assert(used >= rx->used && used <= rx->next);
    rx->used = used;
    if (ack > rx->ack)
        rx->ack = ack;
    uint64_t half = ((uint64_t)c->window + 1) / 2;
    bool worth = used + c->window - rx->limit >= half ||
                 rx->ack - rx->acked >= half ||
                 (c->acks == ACKS_SOON && rx->ack > rx->acked);
    if (!worth || rx->fin || rx->due)
        return;
    rx->due = true;
    c->mux->ops->wake(c->mux->ctx);
}

bool chan_owes(const struct chan *c, uint32_t stream)
{
    const struct chan_rx *rx = &c->rx[stream];
    return c->state == CHAN_OPEN && rx->ack > rx->acked && !rx->due;
}

void chan_ack(struct chan *c, uint32_t stream)
{
    if (!chan_owes(c, stream))
        return;
    c->rx[stream].due = true;
    c->mux->ops->wake(c->mux->ctx);
}

void chan_close(struct chan *c, const msg_close *end, enum chan_end mode)
{
    if (c->state == CHAN_FREE)
        return;
    c->end = *end;
    c->end.channel = c->number;
    c->end_mode = mode;
    c->state = CHAN_CLOSING;
    chan_wake(c);
}

msg_close chan_failure(msg_code code, const char *message, const char *remedy)
{
    msg_close end = {.which_result = cmdop_agent_v1_Close_failure_tag};
    end.result.failure.code = code;
    STR_COPY(end.result.failure.message, message);
    STR_COPY(end.result.failure.remedy, remedy);
    return end;
}

void chan_drop(struct chan *c)
{
    if (c->state != CHAN_FREE)
        unlink_chan(c);
}

int chan_event(struct chan *c, msg_event *event)
{
    if (c->state == CHAN_FREE)
        return OK;
    if (event->which_what == cmdop_agent_v1_Event_resize_tag) {
        c->size = event->what.resize; /* only the last one counts */
        c->size_due = true;
        c->mux->ops->wake(c->mux->ctx);
        return OK;
    }
    event->channel = c->number;
    return mux_send(c->mux, MSG_EVENT, cmdop_agent_v1_Event_fields, event);
}

void mux_lost(struct mux *m)
{
    while (m->chans != NULL) {
        struct chan *c = m->chans;
        unlink_chan(c);
        c->ops->closed(c->ctx, NULL);
    }
}

/* ---- receiving ------------------------------------------------------------------ */

static int bad(const char **why, const char *text)
{
    *why = text;
    return ERR_PROTO;
}

static void refuse_open(struct mux *m, uint32_t number)
{
    (void)mux_reject(m, number, cmdop_agent_v1_Code_CODE_LIMIT,
                     "too many channels are open on this connection",
                     "close one of them first");
}

static int hears(const struct mux *m, const char **why)
{
    return m->deaf ? bad(why, "channels are asked for, but no answer is read")
                   : OK;
}

static int on_open(struct mux *m, struct view body, const char **why)
{
    static uint8_t buf[FRAME_MAX]; /* one turn only: see mux_ops.open */
    struct msg_blob params = {.buf = SPAN_ARRAY(buf)};
    msg_open open = cmdop_agent_v1_Open_init_zero;
    open.params = msg_blob_in(&params);
    if (msg_decode(body, cmdop_agent_v1_Open_fields, &open) != OK)
        return bad(why, "an Open message does not parse");
    uint32_t parity = (m->number_next & 1) ^ 1;
    if ((open.channel & 1) != parity || open.channel <= m->peer_highest)
        return bad(why, "a channel number was used out of turn");
    m->peer_highest = open.channel;
    if (m->count >= m->count_max)
        refuse_open(m, open.channel);
    else
        m->ops->open(m->ctx, &open, params.data);
    return hears(m, why);
}

static int on_accept(struct mux *m, struct view body, const char **why)
{
    msg_accept accept = cmdop_agent_v1_Accept_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Accept_fields, &accept) != OK)
        return bad(why, "an Accept message does not parse");
    struct chan *c = find(m, accept.channel);
    if (c == NULL)
        return OK;
    if (c->answered)
        return bad(why, "a channel was accepted twice");
    uint64_t start_max = c->any_start ? OFFSET_MAX : 0;
    if (accept.in_offset > start_max || accept.out_offset > start_max ||
        accept.err_offset > start_max)
        return bad(why, "a channel starts at an offset that it cannot have");
    c->answered = true;
    chan_tx_start(c, 0, accept.in_offset);
    chan_rx_start(c, 0, accept.out_offset);
    chan_rx_start(c, 1, accept.err_offset);
    peer_window(c, accept.window);
    if (c->state == CHAN_OPENING) { /* else we are closing it already */
        c->state = CHAN_OPEN;
        c->ops->accepted(c->ctx, &accept);
    }
    if (c->state != CHAN_FREE)
        chan_wake(c);
    return OK;
}

static int on_reject(struct mux *m, struct view body, const char **why)
{
    msg_reject reject = cmdop_agent_v1_Reject_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Reject_fields, &reject) != OK)
        return bad(why, "a Reject message does not parse");
    struct chan *c = find(m, reject.channel);
    if (c == NULL)
        return OK;
    if (c->answered)
        return bad(why, "an open channel was rejected");
    unlink_chan(c);
    c->ops->rejected(c->ctx, &reject);
    return OK;
}

/* A jump forward is announced by an empty Data frame, see PROTOCOL.md. */
static int on_gap(struct chan *c, const struct msg_data *d, bool empty,
                  const char **why)
{
    struct chan_rx *rx = &c->rx[d->stream];
    if (!c->gaps_ok || !empty)
        return bad(why, "bytes of a stream are missing");
    if (rx->fin)
        return bad(why, "a gap came after the end of a stream");
    uint64_t jump = d->offset - rx->next;
    rx->next += jump; /* what was skipped counts as used, */
    rx->used += jump; /* what waits at the owner does not */
    rx->ack += jump;
    rx->due = true;
    c->mux->ops->wake(c->mux->ctx);
    return OK;
}

static int on_chan_data(struct chan *c, struct msg_data *d, struct view bytes,
                        const char **why)
{
    struct chan_rx *rx = &c->rx[d->stream];
    if (d->offset > rx->next) {
        int err = on_gap(c, d, bytes.len == 0, why);
        if (err != OK)
            return err;
    }
    uint64_t dup = rx->next - d->offset;
    if (dup > 0 && dup >= bytes.len && !d->fin)
        return OK; /* all of it was applied before */
    bytes = view_from(bytes, dup < bytes.len ? (size_t)dup : bytes.len);
    uint64_t room = rx->limit > rx->next ? rx->limit - rx->next : 0;
    if (bytes.len > room)
        return bad(why, "more bytes came than were granted");
    if (rx->fin && bytes.len > 0)
        return bad(why, "bytes came after the end of a stream");
    uint64_t off = rx->next;
    rx->next += bytes.len;
    rx->fin = rx->fin || d->fin;
    if (c->ops->data(c->ctx, d->stream, off, bytes, d->fin) < 0)
        return bad(why, "a stream carried what it must not");
    return OK;
}

/* We are closing and want nothing more; but the peer may have to send all it
 * has before it closes as well, so what is dropped counts as used. It was not
 * applied, though: who keeps it will send it again. */
static int drop_data(struct chan *c, const struct msg_data *d,
                     struct view bytes)
{
    struct chan_rx *rx = &c->rx[d->stream];
    uint64_t end = d->offset + bytes.len;
    if (end > rx->next)
        rx->next = end;
    rx->fin = rx->fin || d->fin;
    chan_used(c, d->stream, rx->next, rx->ack);
    return OK;
}

static int on_data(struct mux *m, struct view body, const char **why)
{
    struct msg_data d;
    struct view bytes;
    if (msg_data_parse(body, &d, &bytes) != OK || d.stream >= CHAN_STREAMS ||
        d.offset > OFFSET_MAX)
        return bad(why, "a Data message does not parse");
    struct chan *c = find(m, d.channel);
    if (c == NULL)
        return OK;
    if (!c->answered)
        return bad(why, "data came before the channel was accepted");
    if (c->state == CHAN_CLOSING)
        return drop_data(c, &d, bytes);
    return on_chan_data(c, &d, bytes, why);
}

static int on_credit(struct mux *m, struct view body, const char **why)
{
    msg_credit credit = cmdop_agent_v1_Credit_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Credit_fields, &credit) != OK ||
        credit.stream >= CHAN_STREAMS)
        return bad(why, "a Credit message does not parse");
    struct chan *c = find(m, credit.channel);
    if (c == NULL || c->state == CHAN_OPENING)
        return OK;
    struct chan_tx *tx = &c->tx[credit.stream];
    if (credit.ack > tx->next)
        return bad(why, "bytes were acknowledged that were never sent");
    if (credit.limit > tx->limit)
        tx->limit = credit.limit;
    if (c->ops->acked != NULL)
        c->ops->acked(c->ctx, credit.stream, credit.ack);
    if (c->state != CHAN_FREE)
        chan_wake(c);
    return OK;
}

static int on_event(struct mux *m, struct view body, const char **why)
{
    msg_event event = cmdop_agent_v1_Event_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Event_fields, &event) != OK)
        return bad(why, "an Event message does not parse");
    struct chan *c = find(m, event.channel);
    if (c != NULL && c->state == CHAN_OPEN)
        c->ops->event(c->ctx, &event);
    return OK;
}

static int on_close(struct mux *m, struct view body, const char **why)
{
    msg_close end = cmdop_agent_v1_Close_init_zero;
    if (msg_decode(body, cmdop_agent_v1_Close_fields, &end) != OK)
        return bad(why, "a Close message does not parse");
    struct chan *c = find(m, end.channel);
    if (c == NULL) {
        if (m->ops->gone != NULL)
            m->ops->gone(m->ctx, end.channel, &end);
        return OK;
    }
    unlink_chan(c);
    c->ops->closed(c->ctx, &end);
    return OK;
}

int mux_message(struct mux *m, int kind, struct view body, const char **why)
{
    int err = hears(m, why);
    if (err != OK)
        return err;
    switch (kind) {
    case MSG_OPEN: return on_open(m, body, why);
    case MSG_ACCEPT: return on_accept(m, body, why);
    case MSG_REJECT: return on_reject(m, body, why);
    case MSG_DATA: return on_data(m, body, why);
    case MSG_CREDIT: return on_credit(m, body, why);
    case MSG_EVENT: return on_event(m, body, why);
    case MSG_CLOSE: return on_close(m, body, why);
    default: /* a newer peer; kinds are open-ended on the wire */ return OK;
    }
}

/* ---- sending -------------------------------------------------------------------- */

static void queue_credit(struct chan *c, uint32_t stream)
{
    struct chan_rx *rx = &c->rx[stream];
    uint64_t limit = rx->used + c->window;
    msg_credit credit = {
        .channel = c->number, .stream = stream, .ack = rx->ack, .limit = limit};
    if (mux_send(c->mux, MSG_CREDIT, cmdop_agent_v1_Credit_fields, &credit) !=
        OK)
        return; /* stays due until the queue has room */
    rx->due = false;
    rx->acked = rx->ack;
    rx->limit = limit;
}

static void queue_size(struct chan *c)
{
    msg_event event = {.channel = c->number,
                       .which_what = cmdop_agent_v1_Event_resize_tag,
                       .what.resize = c->size};
    c->size_due =
        mux_send(c->mux, MSG_EVENT, cmdop_agent_v1_Event_fields, &event) != OK;
}

/* Whoever has not answered yet knows no such channel. */
static bool owes_size(const struct chan *c)
{
    return c->size_due && c->answered;
}

/* What a channel owes as control messages, while the queue has room. */
static void queue_due(struct mux *m)
{
    for (struct chan *c = m->chans; c != NULL; c = c->next) {
        for (uint32_t i = 0; i < CHAN_STREAMS; i++)
            if (c->rx[i].due)
                queue_credit(c, i);
        if (owes_size(c))
            queue_size(c);
    }
}

/* What the channel owes goes out behind the Data that leaves now: mux_pull
 * comes round again. */
static void ride_along(struct chan *c)
{
    for (uint32_t i = 0; c->acks != ACKS_HALF && i < CHAN_STREAMS; i++)
        if (chan_owes(c, i))
            c->rx[i].due = true;
}

static size_t put_data(struct chan *c, uint32_t stream, struct view bytes,
                       bool fin, struct span out)
{
    struct chan_tx *tx = &c->tx[stream];
    uint8_t head[MSG_DATA_HEAD_MAX];
    struct msg_data d = {
        .channel = c->number, .stream = stream, .offset = tx->next, .fin = fin};
    size_t n = msg_data_head(head, &d, bytes.len);
    memcpy(out.ptr, head, n);
    if (bytes.len > 0)
        memcpy(out.ptr + n, bytes.ptr, bytes.len);
    tx->next += bytes.len;
    tx->fin = fin;
    ride_along(c);
    if (c->ops->sent != NULL)
        c->ops->sent(c->ctx, stream, tx->next);
    return n + bytes.len;
}

/* One Data frame of one stream; 0: nothing to send now. */
static size_t pull_stream(struct chan *c, uint32_t stream, struct span out)
{
    struct chan_tx *tx = &c->tx[stream];
    uint64_t off = tx->next;
    bool fin = false;
    if (c->ops->peek == NULL)
        return 0;
    struct view bytes = c->ops->peek(c->ctx, stream, &off, &fin);
    if (off != tx->next || tx->skip) {
        tx->next = off;
        tx->skip = false;
        return put_data(c, stream, VIEW_NONE, false, out);
    }
    size_t held = bytes.len;
    uint64_t credit = tx->limit > tx->next ? tx->limit - tx->next : 0;
    bytes = view_first(bytes, out.len - MSG_DATA_HEAD_MAX);
    if (bytes.len > credit)
        bytes = view_first(bytes, (size_t)credit);
    fin = fin && bytes.len == held;
    if (bytes.len == 0 && !fin)
        return 0;
    return put_data(c, stream, bytes, fin, out);
}

static bool drained(const struct chan *c)
{
    for (uint32_t i = 0; i < CHAN_STREAMS; i++)
        if (c->tx[i].used && !c->tx[i].fin)
            return false;
    return true;
}

/* The Close of a channel that has nothing to send now, if that is enough. */
static bool finish(struct chan *c)
{
    if (c->state != CHAN_CLOSING)
        return false;
    if (c->end_mode != CHAN_NOW && !c->answered)
        return false;
    if (c->end_mode == CHAN_DRAIN && !drained(c))
        return false;
    if (mux_send(c->mux, MSG_CLOSE, cmdop_agent_v1_Close_fields, &c->end) != OK)
        return false; /* stays ready; tried again when the queue drains */
    unlink_chan(c);
    if (c->ops->ended != NULL)
        c->ops->ended(c->ctx);
    return true;
}

static size_t pull_chan(struct chan *c, struct span out)
{
    bool may_send =
        c->state == CHAN_OPEN ||
        (c->state == CHAN_CLOSING && c->answered && c->end_mode != CHAN_NOW);
    for (uint32_t i = 0; may_send && i < CHAN_STREAMS; i++) {
        uint32_t stream = (c->turn + i) % CHAN_STREAMS;
        if (!c->tx[stream].used || c->tx[stream].fin)
            continue;
        size_t n = pull_stream(c, stream, out);
        if (n == 0)
            continue;
        c->turn = (stream + 1) % CHAN_STREAMS;
        return n;
    }
    return 0;
}

/* One frame from the channels of a class, beginning with whose turn it is. */
static size_t pull_class(struct mux *m, bool bulk, struct span out)
{
    struct chan **turn = bulk ? &m->turn_bulk : &m->turn_interactive;
    struct chan *c = *turn != NULL ? *turn : m->chans;
    for (uint32_t left = m->count; left > 0 && c != NULL; left--) {
        struct chan *after = c->next != NULL ? c->next : m->chans;
        if (c->ready && c->bulk == bulk) {
            size_t n = pull_chan(c, out);
            if (n > 0) {
                *turn = after;
                return n;
            }
            bool gone = finish(c);
            if (!gone && c->state != CHAN_CLOSING)
                c->ready = false;
            if (gone && after == c)
                return 0;
        }
        c = after;
    }
    return 0;
}

size_t mux_pull(struct mux *m, struct span out)
{
    size_t done = 0;
    for (;;) {
        struct span room = {out.ptr + done, out.len - done};
        queue_due(m);
        size_t n = pull_control(m, room);
        if (n == 0 && room.len >= DATA_ROOM_MIN)
            n = pull_class(m, false, room);
        if (n == 0 && room.len >= DATA_ROOM_MIN)
            n = pull_class(m, true, room);
        if (n == 0 && m->control_len == m->control_off)
            return done;
        if (n == 0 && done == out.len)
            return done;
        done += n;
    }
}

bool mux_has_output(const struct mux *m)
{
    if (m->control_len > m->control_off)
        return true;
    for (const struct chan *c = m->chans; c != NULL; c = c->next)
        if (c->ready || owes_size(c) || c->rx[0].due || c->rx[1].due)
            return true;
    return false;
}
