/* One question of kind RPC; see question.h. */
#include "core/question.h"

#include <string.h>

#include "base/err.h"
#include "crypto/ct.h"

#define VARINT_MAX 3

int question_take(struct ring *r, void (*each)(void *ctx, struct view record),
                  void *ctx)
{
    uint8_t one[QUESTION_RECORD_MAX + VARINT_MAX];
    for (;;) {
        uint32_t len = 0, head = 0;
        size_t n = ring_copy(r, r->head, SPAN_ARRAY(one));
        while (head < n && head < VARINT_MAX) {
            len |= (uint32_t)(one[head] & 0x7F) << 7 * head;
            if ((one[head++] & 0x80) == 0)
                break;
        }
        if (head == 0 || (one[head - 1] & 0x80) != 0)
            return head < VARINT_MAX ? OK : ERR_PROTO;
        if (len > QUESTION_RECORD_MAX)
            return ERR_PROTO;
        if (head + len > n)
            return OK;
        each(ctx, view_of(one + head, len));
        ring_consume(r, r->head + head + len);
    }
}

static void on_accepted(void *ctx, const msg_accept *accept)
{
    (void)ctx;
    (void)accept;
}

static void give_up(struct question *q, msg_code code, const char *message,
                    const char *remedy)
{
    question_failure why = {.code = code};
    STR_COPY(why.message, message);
    STR_COPY(why.remedy, remedy);
    q->done(q->ctx, &why);
}

static void on_rejected(void *ctx, const msg_reject *r)
{
    give_up(ctx, r->code, r->message, r->remedy);
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct question *q = ctx;
    (void)off;
    (void)fin;
    if (bytes.len > 0 && (stream != 0 || ring_write(&q->ring, bytes) != OK))
        return ERR_PROTO;
    int err = question_take(&q->ring, q->record, q->ctx);
    if (err == OK && stream == 0)
        chan_used(&q->chan, 0, q->ring.head, q->ring.head);
    return err;
}

static void on_event(void *ctx, const msg_event *event)
{
    (void)ctx;
    (void)event;
}

static void on_closed(void *ctx, const msg_close *end)
{
    struct question *q = ctx;
    if (end == NULL)
        give_up(q, cmdop_agent_v1_Code_CODE_LOST,
                "the connection was lost before the answer was complete", "");
    else if (end->which_result == cmdop_agent_v1_Close_failure_tag)
        q->done(q->ctx, &end->result.failure);
    else if (ring_len(&q->ring) > 0)
        give_up(q, cmdop_agent_v1_Code_CODE_PROTOCOL,
                "the answer ends inside a record", "");
    else
        q->done(q->ctx, NULL);
}

static const struct chan_ops ops = {
    .accepted = on_accepted,
    .rejected = on_rejected,
    .data = on_data,
    .event = on_event,
    .closed = on_closed,
};

int question_send(struct question *q, struct mux *m, struct span buf,
                  const char *target, const char *method, struct view request)
{
    uint8_t raw[cmdop_agent_v1_RpcOpen_size];
    msg_open open = {.kind = cmdop_agent_v1_Kind_KIND_RPC};
    msg_rpc_open p = cmdop_agent_v1_RpcOpen_init_zero;
    STR_COPY(p.method, method);
    STR_COPY(open.target, target);
    if (request.len > sizeof(p.request.bytes))
        return ERR_TOO_BIG;
    p.request.size = (pb_size_t)request.len;
    if (request.len > 0)
        memcpy(p.request.bytes, request.ptr, request.len);
    if (q->unlock.len > 0 && q->unlock.len <= sizeof(p.unlock.bytes)) {
        memcpy(p.unlock.bytes, q->unlock.ptr, q->unlock.len);
        p.unlock.size = (pb_size_t)q->unlock.len;
    }
    int len =
        msg_encode_plain(SPAN_ARRAY(raw), cmdop_agent_v1_RpcOpen_fields, &p);
    if (len < 0)
        return len;
    struct msg_blob blob = {.data = view_of(raw, (size_t)len)};
    open.params = msg_blob_out(&blob);
    ring_init(&q->ring, buf, 0);
    chan_init(&q->chan, &ops, q, 1, (uint32_t)buf.len, false);
    int err = chan_open(m, &q->chan, &open);
    ct_wipe(SPAN_ARRAY(raw)); /* it may be a secret */
    ct_wipe(SPAN_ARRAY(p.request.bytes));
    return err;
}

int question_ask(struct question *q, struct mux *m, struct span buf,
                 const char *target, const char *method, const msg_call *call)
{
    uint8_t raw[cmdop_agent_v1_Call_size];
    int len = call == NULL ? 0
                           : msg_encode_plain(SPAN_ARRAY(raw),
                                              cmdop_agent_v1_Call_fields, call);
    return len < 0 ? len
                   : question_send(q, m, buf, target, method,
                                   view_of(raw, (size_t)len));
}
