/*
 * A question and its answer: the records as they were given, wherever they
 * are cut, and then one word about the end.
 */
#include "core/question.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "core/rpc.h"
#include "unit/core/pair.h"

#define SLOTS 2
#define CALLS 2

static struct half near, far;
static struct rpcs rpcs;
static uint8_t memory[SLOTS * (RPC_RING + 4096)];
static uint8_t buf[QUESTION_RING];
static struct question question;

/* The far end: answers with records, or is driven by the test. */
static bool by_hand;
static msg_open asked;
static struct rpc_request request;
static uint32_t records; /* how many there are */
static size_t record_len;
static struct chan hand;
static struct view to_say; /* what the far end sends */
static bool said;          /* and it says no more */

/* What the near end was told. */
static uint32_t got;
static int done;
static bool well;
static question_failure failure;
static int again; /* so many times it asks once more, from `done` */

static int record(void *ctx, const char *of, uint32_t at, struct span out)
{
    msg_rpc_open m = cmdop_agent_v1_RpcOpen_init_zero;
    (void)ctx;
    (void)of;
    if (at >= records)
        return 0;
    snprintf(m.method, sizeof(m.method), "record %u", at);
    m.request.size = (pb_size_t)record_len;
    memset(m.request.bytes, (int)at, record_len);
    return rpc_encode(out, cmdop_agent_v1_RpcOpen_fields, &m);
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    (void)ctx;
    asked = *open;
    assert_int_equal(rpc_read(params, &request), OK);
    if (!by_hand)
        rpc_answer(&rpcs, &far.mux, open, "", record, NULL);
}

static void on_record(void *ctx, struct view v)
{
    char name[40];
    msg_rpc_open m = cmdop_agent_v1_RpcOpen_init_zero;
    assert_ptr_equal(ctx, &question);
    assert_int_equal(done, 0);
    assert_int_equal(msg_decode(v, cmdop_agent_v1_RpcOpen_fields, &m), OK);
    snprintf(name, sizeof(name), "record %u", got++);
    assert_string_equal(m.method, name);
    assert_int_equal(m.request.size, record_len);
}

static void ask(const char *target, const msg_call *call)
{
    assert_int_equal(question_ask(&question, &near.mux, SPAN_ARRAY(buf), target,
                                  "jobs.list", call),
                     OK);
}

static void on_done(void *ctx, const question_failure *why)
{
    assert_ptr_equal(ctx, &question);
    done++;
    well = why == NULL;
    if (why != NULL)
        failure = *why;
    if (again > 0) {
        again--;
        done = 0;
        got = 0;
        ask("", NULL);
    }
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
    question = (struct question){
        .record = on_record, .done = on_done, .ctx = &question};
    by_hand = said = false;
    records = 3;
    record_len = 10;
    got = 0;
    done = again = 0;
    memset(&failure, 0, sizeof(failure));
    return 0;
}

static void answer_is_whole(void)
{
    half_settle(&near, &far);
    assert_int_equal(near.err, OK);
    assert_int_equal(done, 1);
    assert_true(well);
    assert_int_equal(got, records);
}

/* ---- by hand ---------------------------------------------------------------- */

static int hand_data(void *ctx, uint32_t stream, uint64_t off,
                     struct view bytes, bool fin)
{
    (void)ctx;
    (void)stream;
    (void)off;
    (void)bytes;
    (void)fin;
    return OK;
}

static void hand_event(void *ctx, const msg_event *event)
{
    (void)ctx;
    (void)event;
}

static void hand_closed(void *ctx, const msg_close *end)
{
    (void)ctx;
    (void)end;
}

static struct view hand_peek(void *ctx, uint32_t stream, uint64_t *off,
                             bool *fin)
{
    (void)ctx;
    (void)stream;
    *fin = said;
    return view_from(to_say, (size_t)*off);
}

static const struct chan_ops hand_ops = {.data = hand_data,
                                         .event = hand_event,
                                         .closed = hand_closed,
                                         .peek = hand_peek};

/* The far end takes the question and says this. */
static void accept_by_hand(const char *bytes, size_t len)
{
    msg_accept accept = cmdop_agent_v1_Accept_init_zero;
    by_hand = true;
    ask("", NULL);
    half_settle(&near, &far);
    to_say = view_of(bytes, len);
    chan_init(&hand, &hand_ops, NULL, 1, 0, false);
    assert_int_equal(chan_accept(&far.mux, &hand, &asked, &accept), OK);
    half_settle(&near, &far);
}

static void close_by_hand(const msg_close *end)
{
    said = true;
    chan_close(&hand, end, CHAN_DRAIN);
    half_settle(&near, &far);
}

static const msg_close good_end = {.which_result =
                                       cmdop_agent_v1_Close_exit_status_tag};

/* ---- facts ------------------------------------------------------------------- */

static void every_record_comes_and_then_the_end(void **state)
{
    (void)state;
    ask("", NULL);
    answer_is_whole();
}

static void no_records_are_an_answer(void **state)
{
    (void)state;
    records = 0;
    ask("", NULL);
    answer_is_whole();
}

static void an_answer_may_be_longer_than_its_ring(void **state)
{
    (void)state;
    records = 500;
    record_len = 500;
    ask("", NULL);
    answer_is_whole();
    assert_true(question.ring.head > 10 * QUESTION_RING);
}

static void a_question_says_what_and_whom_it_is_about(void **state)
{
    msg_call call = {.id = "nightly", .signal = "TERM", .force = true};
    (void)state;
    ask("web-1", &call);
    half_settle(&near, &far);
    assert_int_equal(asked.kind, cmdop_agent_v1_Kind_KIND_RPC);
    assert_string_equal(asked.target, "web-1");
    assert_string_equal(request.method, "jobs.list");
    assert_string_equal(request.call.id, "nightly");
    assert_string_equal(request.call.signal, "TERM");
    assert_true(request.call.force);
}

static void the_next_may_be_asked_as_soon_as_one_is_done(void **state)
{
    (void)state;
    again = 3;
    ask("", NULL);
    answer_is_whole();
    assert_int_equal(again, 0);
}

static void a_refusal_is_told_with_what_to_do(void **state)
{
    (void)state;
    by_hand = true;
    ask("", NULL);
    half_settle(&near, &far);
    assert_int_equal(mux_reject(&far.mux, asked.channel,
                                cmdop_agent_v1_Code_CODE_OFFLINE, "it is away",
                                "wait"),
                     OK);
    half_settle(&near, &far);
    assert_int_equal(done, 1);
    assert_false(well);
    assert_int_equal(failure.code, cmdop_agent_v1_Code_CODE_OFFLINE);
    assert_string_equal(failure.message, "it is away");
    assert_string_equal(failure.remedy, "wait");
}

static void a_failure_at_the_end_is_told(void **state)
{
    msg_close end = {
        .which_result = cmdop_agent_v1_Close_failure_tag,
        .result.failure = {.code = cmdop_agent_v1_Code_CODE_NOT_FOUND,
                           .message = "no such job"}};
    (void)state;
    accept_by_hand("", 0);
    close_by_hand(&end);
    assert_int_equal(done, 1);
    assert_false(well);
    assert_int_equal(failure.code, cmdop_agent_v1_Code_CODE_NOT_FOUND);
    assert_string_equal(failure.message, "no such job");
}

static void a_lost_link_is_no_answer(void **state)
{
    (void)state;
    accept_by_hand("", 0);
    mux_lost(&near.mux);
    assert_int_equal(done, 1);
    assert_false(well);
    assert_int_equal(failure.code, cmdop_agent_v1_Code_CODE_LOST);
    assert_true(failure.message[0] != '\0');
}

/* Half a record is not the last one. */
static void an_answer_that_ends_inside_a_record_is_none(void **state)
{
    (void)state;
    accept_by_hand("\x05whol", 5);
    assert_int_equal(done, 0);
    close_by_hand(&good_end);
    assert_int_equal(done, 1);
    assert_false(well);
    assert_int_equal(failure.code, cmdop_agent_v1_Code_CODE_PROTOCOL);
    assert_int_equal(got, 0);
}

static void a_record_that_is_too_long_breaks_the_protocol(void **state)
{
    (void)state;
    accept_by_hand("\x81\x10", 2); /* 2049 */
    assert_int_equal(near.err, ERR_PROTO);
}

static void a_length_that_never_ends_breaks_the_protocol(void **state)
{
    (void)state;
    accept_by_hand("\x80\x80\x80", 3);
    assert_int_equal(near.err, ERR_PROTO);
}

/* ---- the ring alone ------------------------------------------------------------ */

static char seen[64]; /* the records, with a bar behind each */

static void on_bytes(void *ctx, struct view v)
{
    size_t at = strlen(seen);
    (void)ctx;
    assert_true(at + v.len + 1 < sizeof(seen));
    if (v.len > 0)
        memcpy(seen + at, v.ptr, v.len);
    seen[at + v.len] = '|';
    seen[at + v.len + 1] = '\0';
}

/* At every place of the ring, cut at every byte. */
static void cuts_change_nothing(void **state)
{
    static const char text[] = "\x03one\x00\x81\x00x\x05three\x02..";
    struct view all = view_of(text, sizeof(text) - 1);
    uint8_t small[32];
    (void)state;
    for (uint64_t start = 0; start < sizeof(small); start++) {
        for (size_t cut = 0; cut <= all.len; cut++) {
            struct ring r;
            ring_init(&r, SPAN_ARRAY(small), start);
            seen[0] = '\0';
            assert_int_equal(ring_write(&r, view_first(all, cut)), OK);
            assert_int_equal(question_take(&r, on_bytes, NULL), OK);
            assert_int_equal(ring_write(&r, view_from(all, cut)), OK);
            assert_int_equal(question_take(&r, on_bytes, NULL), OK);
            assert_string_equal(seen, "one||x|three|..|");
            assert_int_equal(ring_len(&r), 0);
        }
    }
}

static size_t longest;

static void on_long(void *ctx, struct view v)
{
    (void)ctx;
    longest = v.len;
}

static void the_longest_record_passes_and_a_longer_one_does_not(void **state)
{
    static uint8_t bytes[QUESTION_RING], body[QUESTION_RECORD_MAX];
    struct ring r;
    (void)state;
    ring_init(&r, SPAN_ARRAY(bytes), QUESTION_RING - 7);
    assert_int_equal(ring_write(&r, view_of("\x80\x10", 2)), OK); /* 2048 */
    assert_int_equal(ring_write(&r, VIEW_ARRAY(body)), OK);
    assert_int_equal(question_take(&r, on_long, NULL), OK);
    assert_int_equal(longest, QUESTION_RECORD_MAX);
    assert_int_equal(ring_len(&r), 0);
    assert_int_equal(ring_write(&r, view_of("\x81\x10", 2)), OK);
    assert_int_equal(question_take(&r, on_long, NULL), ERR_PROTO);
}

static void a_request_that_is_too_long_is_not_asked(void **state)
{
    static uint8_t long_one[513];
    (void)state;
    assert_int_equal(question_send(&question, &near.mux, SPAN_ARRAY(buf), "",
                                   "m", VIEW_ARRAY(long_one)),
                     ERR_TOO_BIG);
    assert_int_equal(near.mux.count, 0);
}

#define FACT(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(every_record_comes_and_then_the_end),
        FACT(a_request_that_is_too_long_is_not_asked),
        FACT(no_records_are_an_answer),
        FACT(an_answer_may_be_longer_than_its_ring),
        FACT(a_question_says_what_and_whom_it_is_about),
        FACT(the_next_may_be_asked_as_soon_as_one_is_done),
        FACT(a_refusal_is_told_with_what_to_do),
        FACT(a_failure_at_the_end_is_told),
        FACT(a_lost_link_is_no_answer),
        FACT(an_answer_that_ends_inside_a_record_is_none),
        FACT(a_record_that_is_too_long_breaks_the_protocol),
        FACT(a_length_that_never_ends_breaks_the_protocol),
        FACT(cuts_change_nothing),
        FACT(the_longest_record_passes_and_a_longer_one_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
