/*
 * Answers in records: whole, in order, as many as there are, however small
 * the buffers on the way.
 */
#include "core/rpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "unit/core/pair.h"

#define SLOTS 3
#define ASKER 8 /* more than there are slots */

struct asker {
    struct chan chan;
    uint8_t got[256 * 1024];
    size_t len;
    bool lazy, fin;
    int accepted, rejected, closed;
    msg_reject reject;
    msg_close close;
};

static struct half near, far;
static struct rpcs rpcs;
static struct asker askers[ASKER];
static uint8_t memory[SLOTS * (RPC_RING + 4096)];
static uint32_t records; /* how many there are */
static uint32_t skipped; /* every so many is left out; 0: none */
static size_t record_len;
static int record_calls;
static bool later; /* questions are begun, and answered by the test */
static rpc_ref refs[ASKER];
static int begun, more_calls;

static void on_accepted(void *ctx, const msg_accept *a)
{
    struct asker *k = ctx;
    (void)a;
    k->accepted++;
}

static void on_rejected(void *ctx, const msg_reject *r)
{
    struct asker *k = ctx;
    k->rejected++;
    k->reject = *r;
}

static int on_data(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                   bool fin)
{
    struct asker *k = ctx;
    assert_int_equal(stream, 0);
    assert_int_equal(off, k->len);
    assert_true(k->len + bytes.len <= sizeof(k->got));
    if (bytes.len > 0)
        memcpy(k->got + k->len, bytes.ptr, bytes.len);
    k->len += bytes.len;
    k->fin = fin;
    if (!k->lazy)
        chan_used(&k->chan, 0, k->len, k->len);
    return OK;
}

static void on_event(void *ctx, const msg_event *e)
{
    (void)ctx;
    (void)e;
}

static void on_closed(void *ctx, const msg_close *c)
{
    struct asker *k = ctx;
    k->closed++;
    if (c != NULL)
        k->close = *c;
}

static struct view on_peek(void *ctx, uint32_t stream, uint64_t *off, bool *fin)
{
    (void)ctx;
    (void)stream;
    (void)off;
    *fin = false;
    return VIEW_NONE;
}

static const struct chan_ops ops = {.accepted = on_accepted,
                                    .rejected = on_rejected,
                                    .data = on_data,
                                    .event = on_event,
                                    .closed = on_closed,
                                    .peek = on_peek};

/* Record i is its number, over and over. */
static int record(void *ctx, const char *of, uint32_t at, struct span out)
{
    msg_rpc_open m = cmdop_agent_v1_RpcOpen_init_zero;
    assert_ptr_equal(ctx, &records);
    assert_string_equal(of, "the fleet");
    record_calls++;
    if (at >= records)
        return 0;
    if (skipped > 0 && at % skipped == 1)
        return ERR_NOT_FOUND;
    snprintf(m.method, sizeof(m.method), "record %u", at);
    m.request.size = (pb_size_t)record_len;
    memset(m.request.bytes, (int)at, record_len);
    return rpc_encode(out, cmdop_agent_v1_RpcOpen_fields, &m);
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct rpc_request ask;
    (void)ctx;
    assert_int_equal(rpc_read(params, &ask), OK);
    assert_string_equal(ask.method, "machines.list");
    if (later)
        refs[begun++] = rpc_begin(&rpcs, &far.mux, open);
    else
        rpc_answer(&rpcs, &far.mux, open, "the fleet", record, &records);
}

static int setup(void **state)
{
    struct arena a;
    (void)state;
    half_init(&near, &far, true, UINT32_MAX);
    half_init(&far, &near, false, 64);
    far.on_open = on_open;
    arena_init(&a, SPAN_ARRAY(memory));
    rpcs_init(&rpcs, &a, SLOTS);
    memset(askers, 0, sizeof(askers));
    records = 3;
    skipped = 0;
    record_len = 10;
    record_calls = 0;
    later = false;
    begun = more_calls = 0;
    return 0;
}

static struct asker *ask(int i, uint32_t window)
{
    struct asker *k = &askers[i];
    uint8_t raw[64];
    msg_rpc_open p = {.method = "machines.list"};
    msg_open open = {.kind = cmdop_agent_v1_Kind_KIND_RPC};
    int n =
        msg_encode_plain(SPAN_ARRAY(raw), cmdop_agent_v1_RpcOpen_fields, &p);
    struct msg_blob blob = {.data = view_of(raw, (size_t)n)};
    open.params = msg_blob_out(&blob);
    chan_init(&k->chan, &ops, k, 1, window, false);
    assert_int_equal(chan_open(&near.mux, &k->chan, &open), OK);
    half_settle(&near, &far);
    return k;
}

/* The records one after the other: each is the one expected. */
static void assert_records(const struct asker *k)
{
    struct view left = view_of(k->got, k->len);
    assert_int_equal(k->closed, 1);
    assert_true(k->fin);
    for (uint32_t i = 0; i < records; i++) {
        msg_rpc_open m = cmdop_agent_v1_RpcOpen_init_zero;
        char name[40];
        size_t len = 0, head = 0;
        if (skipped > 0 && i % skipped == 1)
            continue;
        do {
            assert_true(head < left.len);
            len |= (size_t)(left.ptr[head] & 0x7f) << 7 * head;
        } while ((left.ptr[head++] & 0x80) != 0);
        assert_true(head + len <= left.len);
        assert_int_equal(msg_decode(view_of(left.ptr + head, len),
                                    cmdop_agent_v1_RpcOpen_fields, &m),
                         OK);
        snprintf(name, sizeof(name), "record %u", i);
        assert_string_equal(m.method, name);
        assert_int_equal(m.request.size, record_len);
        left = view_from(left, head + len);
    }
    assert_int_equal(left.len, 0);
}

static void a_list_arrives_and_the_channel_closes(void **state)
{
    (void)state;
    struct asker *k = ask(0, 65536);
    assert_int_equal(k->accepted, 1);
    assert_records(k);
    assert_int_equal(k->close.which_result,
                     cmdop_agent_v1_Close_exit_status_tag);
    assert_false(rpcs.slots[0].used);
    assert_int_equal(far.mux.count, 0);
}

static void an_empty_list_is_an_answer(void **state)
{
    (void)state;
    records = 0;
    struct asker *k = ask(0, 65536);
    assert_int_equal(k->len, 0);
    assert_records(k);
}

static void a_list_longer_than_every_buffer_arrives(void **state)
{
    (void)state;
    records = 400;
    record_len = 500;
    struct asker *k = ask(0, 1000);
    assert_true(k->len > 10 * RPC_RING);
    assert_records(k);
}

static void numbers_that_are_not_for_him_are_left_out(void **state)
{
    (void)state;
    records = 50;
    skipped = 3;
    assert_records(ask(0, 65536));
}

/* What nobody reads is not made: a slow asker costs one ring. */
static void records_are_made_when_there_is_room(void **state)
{
    (void)state;
    records = 400;
    record_len = 500;
    askers[0].lazy = true;
    struct asker *k = ask(0, 1000);
    assert_int_equal(k->len, 1000);
    assert_true(record_calls < 40);
    k->lazy = false;
    chan_used(&k->chan, 0, k->len, k->len);
    half_settle(&near, &far);
    assert_records(k);
}

static void too_many_questions_are_refused(void **state)
{
    (void)state;
    records = 400;
    record_len = 500;
    for (int i = 0; i < SLOTS; i++) {
        askers[i].lazy = true;
        (void)ask(i, 1000);
    }
    struct asker *late = ask(SLOTS, 1000);
    assert_int_equal(late->rejected, 1);
    assert_int_equal(late->reject.code, cmdop_agent_v1_Code_CODE_LIMIT);
    chan_used(&askers[0].chan, 0, 1000, 1000);
    askers[0].lazy = false;
    half_settle(&near, &far);
    assert_records(&askers[0]);
    assert_records(ask(SLOTS + 1, 1000)); /* its slot serves again */
}

/* However many slots there are, one link does not get them all. */
static void one_link_gets_only_so_many_answers(void **state)
{
    static uint8_t more[8 * (RPC_RING + 4096)];
    struct arena a;
    (void)state;
    arena_init(&a, SPAN_ARRAY(more));
    rpcs_init(&rpcs, &a, 8);
    records = 400;
    record_len = 500;
    for (int i = 0; i <= RPC_PER_LINK; i++) {
        askers[i].lazy = true;
        (void)ask(i, 1000);
    }
    assert_int_equal(askers[RPC_PER_LINK - 1].accepted, 1);
    assert_int_equal(askers[RPC_PER_LINK].rejected, 1);
    assert_int_equal(askers[RPC_PER_LINK].reject.code,
                     cmdop_agent_v1_Code_CODE_LIMIT);
}

static void an_asker_that_leaves_frees_the_slot(void **state)
{
    static const msg_close bye = {.which_result =
                                      cmdop_agent_v1_Close_detached_tag};
    (void)state;
    records = 400;
    record_len = 500;
    for (int i = 0; i < SLOTS; i++) {
        askers[i].lazy = true;
        (void)ask(i, 1000);
    }
    chan_close(&askers[0].chan, &bye, CHAN_NOW);
    half_settle(&near, &far);
    size_t used = 0;
    for (int i = 0; i < SLOTS; i++)
        used += rpcs.slots[i].used;
    assert_int_equal(used, SLOTS - 1);
    mux_lost(&far.mux);
    for (int i = 0; i < SLOTS; i++)
        assert_false(rpcs.slots[i].used);
}

static void bytes_towards_an_answer_are_dropped(void **state)
{
    uint8_t frame[64];
    struct msg_data d = {.channel = 1};
    (void)state;
    records = 400;
    record_len = 500;
    askers[0].lazy = true;
    (void)ask(0, 1000);
    size_t n = msg_data_head(frame, &d, 1);
    frame[n++] = 'x';
    assert_int_equal(
        half_take(&far, view_of(frame + GRPCFRAME_HEAD, n - GRPCFRAME_HEAD)),
        OK); /* it is closing from its first moment */
    assert_int_equal(far.err, OK);
}

/* ---- answers that come later --------------------------------------------------- */

static int put(rpc_ref ref, uint32_t at);

static void put_more(void *ctx, rpc_ref ref)
{
    uint32_t *at = ctx;
    more_calls++;
    while (*at < records && put(ref, *at) == OK)
        (*at)++;
    if (*at == records)
        rpc_end(&rpcs, ref);
}

static uint32_t put_at;

static int put(rpc_ref ref, uint32_t at)
{
    msg_rpc_open m = cmdop_agent_v1_RpcOpen_init_zero;
    snprintf(m.method, sizeof(m.method), "record %u", at);
    m.request.size = (pb_size_t)record_len;
    memset(m.request.bytes, (int)at, record_len);
    return rpc_put(&rpcs, ref, cmdop_agent_v1_RpcOpen_fields, &m, put_more,
                   &put_at);
}

static void an_answer_may_come_later(void **state)
{
    (void)state;
    later = true;
    struct asker *k = ask(0, 65536);
    assert_int_equal(k->accepted, 1);
    assert_true(rpc_is_asked(&rpcs, refs[0]));
    memset(rpc_note(&rpcs, refs[0]), 0xee, RPC_NOTE_BYTES);
    assert_int_equal(k->len, 0);
    for (uint32_t i = 0; i < records; i++)
        assert_int_equal(put(refs[0], i), OK);
    half_settle(&near, &far);
    assert_true(k->len > 0);
    assert_int_equal(k->closed, 0);
    rpc_end(&rpcs, refs[0]);
    assert_false(rpc_is_asked(&rpcs, refs[0]));
    half_settle(&near, &far);
    assert_records(k);
    assert_int_equal(k->close.which_result,
                     cmdop_agent_v1_Close_exit_status_tag);
    assert_int_equal(far.mux.count, 0);
}

static void a_later_answer_may_be_none(void **state)
{
    (void)state;
    later = true;
    records = 0;
    struct asker *k = ask(0, 65536);
    rpc_end(&rpcs, refs[0]);
    half_settle(&near, &far);
    assert_records(k);
}

static void a_failure_comes_with_its_remedy(void **state)
{
    (void)state;
    later = true;
    struct asker *k = ask(0, 65536);
    rpc_fail(&rpcs, refs[0], cmdop_agent_v1_Code_CODE_INTERNAL, "the disk",
             "buy one");
    half_settle(&near, &far);
    assert_int_equal(k->closed, 1);
    assert_int_equal(k->close.which_result, cmdop_agent_v1_Close_failure_tag);
    assert_int_equal(k->close.result.failure.code,
                     cmdop_agent_v1_Code_CODE_INTERNAL);
    assert_string_equal(k->close.result.failure.message, "the disk");
    assert_string_equal(k->close.result.failure.remedy, "buy one");
    rpc_fail(&rpcs, refs[0], cmdop_agent_v1_Code_CODE_AUTH, "twice", "");
    rpc_end(&rpcs, refs[0]);
    assert_int_equal(put(refs[0], 0), ERR_CLOSED);
    half_settle(&near, &far);
    assert_int_equal(k->closed, 1);
    assert_false(rpcs.slots[0].used);
}

/* A long list goes on where it stopped when the ring has room again. */
static void a_full_ring_asks_for_the_rest(void **state)
{
    (void)state;
    later = true;
    records = 400;
    record_len = 500;
    put_at = 0;
    struct asker *k = ask(0, 1000);
    while (put(refs[0], put_at) == OK)
        put_at++;
    assert_true(put_at < 40);
    half_settle(&near, &far);
    assert_true(more_calls > 10);
    assert_int_equal(put_at, records);
    assert_records(k);
}

/* Whoever asked is gone before the answer: the place serves the next one, and
 * what comes for the first does not reach the second. */
static void an_answer_that_nobody_waits_for_is_dropped(void **state)
{
    static const msg_close bye = {.which_result =
                                      cmdop_agent_v1_Close_detached_tag};
    (void)state;
    later = true;
    records = 1;
    (void)ask(0, 65536);
    chan_close(&askers[0].chan, &bye, CHAN_NOW);
    half_settle(&near, &far);
    assert_false(rpc_is_asked(&rpcs, refs[0]));
    struct asker *second = ask(1, 65536);
    assert_int_not_equal(refs[0], refs[1]);
    assert_int_equal(refs[0] & 0xff, refs[1] & 0xff);
    assert_null(rpc_note(&rpcs, refs[0]));
    for (size_t i = 0; i < RPC_NOTE_BYTES; i++)
        assert_int_equal(((uint8_t *)rpc_note(&rpcs, refs[1]))[i], 0);
    assert_int_equal(put(refs[0], 7), ERR_CLOSED);
    rpc_end(&rpcs, refs[0]);
    rpc_fail(&rpcs, refs[0], cmdop_agent_v1_Code_CODE_INTERNAL, "late", "");
    half_settle(&near, &far);
    assert_int_equal(second->closed, 0);
    assert_int_equal(put(refs[1], 0), OK);
    rpc_end(&rpcs, refs[1]);
    half_settle(&near, &far);
    assert_records(second);
    (void)ask(2, 65536);
    mux_lost(&far.mux);
    assert_false(rpc_is_asked(&rpcs, refs[2]));
    assert_int_equal(put(refs[2], 0), ERR_CLOSED);
}

static void no_reference_is_nobodys(void **state)
{
    static const rpc_ref odd[] = {0, 1, 2, 255, 256, 257, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_false(rpc_is_asked(&rpcs, odd[i]));
        rpc_end(&rpcs, odd[i]);
    }
}

static void questions_that_wait_count(void **state)
{
    (void)state;
    later = true;
    for (int i = 0; i < SLOTS; i++)
        (void)ask(i, 1000);
    struct asker *late = ask(SLOTS, 1000);
    assert_int_equal(refs[SLOTS], 0);
    assert_int_equal(late->rejected, 1);
    assert_int_equal(late->reject.code, cmdop_agent_v1_Code_CODE_LIMIT);
}

/* ---- what is asked ---------------------------------------------------------------- */

static void a_method_that_does_not_parse_has_no_name(void **state)
{
    struct rpc_request ask = {.method = "before"};
    (void)state;
    assert_int_equal(rpc_read(view_str("\x0a\xff"), &ask), ERR_PROTO);
    assert_string_equal(ask.method, "");
    assert_int_equal(rpc_read(VIEW_NONE, &ask), OK);
    assert_string_equal(ask.method, "");
}

static void a_call_comes_with_its_method(void **state)
{
    struct rpc_request ask;
    uint8_t raw[128];
    msg_rpc_open p = {.method = "jobs.signal"};
    msg_call call = {.id = "nightly", .signal = "TERM", .force = true};
    (void)state;
    p.request.size = (pb_size_t)msg_encode_plain(
        SPAN_ARRAY(p.request.bytes), cmdop_agent_v1_Call_fields, &call);
    int n =
        msg_encode_plain(SPAN_ARRAY(raw), cmdop_agent_v1_RpcOpen_fields, &p);
    assert_int_equal(rpc_read(view_of(raw, (size_t)n), &ask), OK);
    assert_string_equal(ask.method, "jobs.signal");
    assert_string_equal(ask.call.id, "nightly");
    assert_string_equal(ask.call.signal, "TERM");
    assert_true(ask.call.force);
    memset(p.request.bytes, 0xff, p.request.size);
    n = msg_encode_plain(SPAN_ARRAY(raw), cmdop_agent_v1_RpcOpen_fields, &p);
    assert_int_equal(rpc_read(view_of(raw, (size_t)n), &ask), ERR_PROTO);
    assert_string_equal(ask.method, "");
}

#define FACT(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_list_arrives_and_the_channel_closes),
        FACT(an_empty_list_is_an_answer),
        FACT(a_list_longer_than_every_buffer_arrives),
        FACT(numbers_that_are_not_for_him_are_left_out),
        FACT(records_are_made_when_there_is_room),
        FACT(too_many_questions_are_refused),
        FACT(one_link_gets_only_so_many_answers),
        FACT(an_asker_that_leaves_frees_the_slot),
        FACT(bytes_towards_an_answer_are_dropped),
        FACT(an_answer_may_come_later),
        FACT(a_later_answer_may_be_none),
        FACT(a_failure_comes_with_its_remedy),
        FACT(a_full_ring_asks_for_the_rest),
        FACT(an_answer_that_nobody_waits_for_is_dropped),
        FACT(no_reference_is_nobodys),
        FACT(questions_that_wait_count),
        FACT(a_method_that_does_not_parse_has_no_name),
        FACT(a_call_comes_with_its_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
