/* Frames and messages: round trips, strictness, and Data by hand against
 * Data by the rules. */
#include "codec/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "codec/grpcframe.h"
#include "limits.h"
#include "unit/cuts.h"

#define BYTES(...) VIEW_ARRAY(((const uint8_t[]){__VA_ARGS__}))

/* ---- Frame --------------------------------------------------------------- */

static void a_frame_is_split(void **state)
{
    int kind;
    struct view body;
    (void)state;
    assert_int_equal(
        msg_split(cuts_guarded(BYTES(0x32, 2, 8, 5)), &kind, &body), OK);
    assert_int_equal(kind, MSG_PING);
    assert_true(view_eq(body, BYTES(8, 5)));
    assert_int_equal(msg_split(cuts_guarded(BYTES(0x9a, 1, 0)), &kind, &body),
                     OK);
    assert_int_equal(kind, MSG_DATA);
    assert_int_equal(body.len, 0);
    /* One we do not know. */
    assert_int_equal(msg_split(BYTES(0xfa, 0x3f, 1, 7), &kind, &body), OK);
    assert_int_equal(kind, 1023);
}

static void a_frame_of_another_shape_is_refused(void **state)
{
    static const struct {
        uint8_t bytes[12];
        size_t len;
    } rows[] = {
        {{0}, 0},                /* nothing */
        {{0x32}, 1},             /* no length */
        {{0x32, 3, 8, 5}, 4},    /* too short */
        {{0x32, 1, 8, 5}, 4},    /* something after it */
        {{0x32, 0, 0x32, 0}, 4}, /* two fields */
        {{0x30, 5}, 2},          /* a number */
        {{0x31, 1, 2, 3, 4, 5, 6, 7, 8}, 9},
        {{0x35, 1, 2, 3, 4}, 5},
        {{0x33, 0}, 2}, /* a group */
        {{0x02, 0}, 2}, /* field 0 */
        {{0x32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
         11},                                      /* length 2^64 - 1 */
        {{0xb2, 0x80, 0x80, 0x80, 0x80, 1, 0}, 7}, /* tag over 32 bits */
        {{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0},
         11}, /* a varint without end */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int kind = -7;
        struct view body = {0};
        struct view in = view_of(rows[i].bytes, rows[i].len);
        assert_int_equal(msg_split(cuts_guarded(in), &kind, &body), ERR_PROTO);
        assert_int_equal(kind, -7);
    }
}

/* ---- messages ------------------------------------------------------------ */

static void a_message_comes_back(void **state)
{
    uint8_t buf[512];
    msg_welcome in = cmdop_agent_v1_Welcome_init_zero;
    msg_welcome out;
    int kind;
    struct view body;
    (void)state;
    strcpy(in.link_id, "link");
    strcpy(in.name, "web-1");
    in.heartbeat_ms = 30000;
    in.server_time_ms = -5;
    int n = msg_encode(SPAN_ARRAY(buf), MSG_WELCOME,
                       cmdop_agent_v1_Welcome_fields, &in);
    assert_true(n > 0);
    assert_int_equal(
        msg_split(cuts_guarded(view_of(buf, (size_t)n)), &kind, &body), OK);
    assert_int_equal(kind, MSG_WELCOME);
    assert_int_equal(msg_decode(body, cmdop_agent_v1_Welcome_fields, &out), OK);
    assert_string_equal(out.link_id, "link");
    assert_string_equal(out.name, "web-1");
    assert_int_equal(out.server_time_ms, -5);
}

static void every_cap_below_the_length_is_full(void **state)
{
    uint8_t buf[64];
    msg_ping ping = {.token = 77777};
    (void)state;
    int len = msg_encode_grpc(SPAN_ARRAY(buf), MSG_PING,
                              cmdop_agent_v1_Ping_fields, &ping);
    assert_int_equal(len, 5 + 2 + 4);
    for (size_t cap = 0; cap < (size_t)len; cap++)
        assert_int_equal(msg_encode_grpc((struct span){buf, cap}, MSG_PING,
                                         cmdop_agent_v1_Ping_fields, &ping),
                         ERR_FULL);
    assert_int_equal(msg_encode_plain((struct span){buf, 3},
                                      cmdop_agent_v1_Ping_fields, &ping),
                     ERR_FULL);
    assert_int_equal(msg_encode_plain((struct span){buf, 4},
                                      cmdop_agent_v1_Ping_fields, &ping),
                     4);
}

static void the_grpc_prefix_tells_the_length(void **state)
{
    uint8_t buf[64], room[64];
    msg_ping ping = {.token = 1};
    struct grpcframe g;
    struct view message;
    (void)state;
    int len = msg_encode_grpc(SPAN_ARRAY(buf), MSG_PING,
                              cmdop_agent_v1_Ping_fields, &ping);
    struct view in = view_of(buf, (size_t)len);
    grpcframe_init(&g, SPAN_ARRAY(room));
    assert_int_equal(grpcframe_next(&g, &in, &message), 1);
    assert_true(view_eq(message, BYTES(0x32, 2, 8, 1)));
    assert_int_equal(in.len, 0);
}

static void a_truncated_message_is_refused(void **state)
{
    uint8_t buf[256];
    msg_hello in = cmdop_agent_v1_Hello_init_zero, out;
    (void)state;
    in.role = cmdop_agent_v1_Role_ROLE_MACHINE;
    in.features_count = 2;
    strcpy(in.features[0], "resume");
    strcpy(in.features[1], "seal");
    in.has_facts = true;
    strcpy(in.facts.hostname, "web-1");
    int n = msg_encode_plain(SPAN_ARRAY(buf), cmdop_agent_v1_Hello_fields, &in);
    int refused = 0;
    for (size_t len = 0; len < (size_t)n; len++)
        refused += msg_decode(cuts_guarded(view_of(buf, len)),
                              cmdop_agent_v1_Hello_fields, &out) != OK;
    assert_true(refused > n / 2); /* the rest are whole fields */
    assert_int_equal(msg_decode(cuts_guarded(view_of(buf, (size_t)n)),
                                cmdop_agent_v1_Hello_fields, &out),
                     OK);
    assert_int_equal(out.features_count, 2);
    assert_string_equal(out.facts.hostname, "web-1");
}

static void a_bound_that_is_passed_is_refused(void **state)
{
    uint8_t buf[64] = {0x0a, 0}; /* Signal.name, max_size 16 */
    (void)state;
    for (uint8_t len = 0; len < 40; len++) {
        cmdop_agent_v1_Signal out;
        buf[1] = len;
        memset(buf + 2, 'A', len);
        int err = msg_decode(view_of(buf, 2u + len),
                             cmdop_agent_v1_Signal_fields, &out);
        assert_int_equal(err, len < 16 ? OK : ERR_PROTO);
        if (err == OK)
            assert_int_equal(strlen(out.name), len);
    }
}

static void unknown_fields_are_skipped(void **state)
{
    msg_ping out;
    (void)state;
    assert_int_equal(msg_decode(BYTES(0xf8, 0x07, 9, 8, 3, 0xfa, 0x07, 1, 0),
                                cmdop_agent_v1_Ping_fields, &out),
                     OK);
    assert_int_equal(out.token, 3);
}

/* ---- callback members ---------------------------------------------------- */

static void a_blob_comes_back(void **state)
{
    uint8_t buf[256], room[8];
    struct msg_blob out = {.data = BYTES(1, 0, 3)};
    struct msg_blob in = {.buf = SPAN_ARRAY(room)};
    msg_open open = cmdop_agent_v1_Open_init_zero;
    msg_open back = cmdop_agent_v1_Open_init_zero;
    (void)state;
    open.channel = 7;
    open.params = msg_blob_out(&out);
    int n =
        msg_encode_plain(SPAN_ARRAY(buf), cmdop_agent_v1_Open_fields, &open);
    assert_true(n > 0);
    back.params = msg_blob_in(&in);
    assert_int_equal(
        msg_decode(view_of(buf, (size_t)n), cmdop_agent_v1_Open_fields, &back),
        OK);
    assert_true(view_eq(in.data, BYTES(1, 0, 3)));
    in.buf.len = 2; /* one too few */
    back.params = msg_blob_in(&in);
    assert_int_equal(
        msg_decode(view_of(buf, (size_t)n), cmdop_agent_v1_Open_fields, &back),
        ERR_PROTO);
    back.params = (pb_callback_t){.arg = NULL}; /* skipped */
    assert_int_equal(
        msg_decode(view_of(buf, (size_t)n), cmdop_agent_v1_Open_fields, &back),
        OK);
    assert_int_equal(back.channel, 7);
}

static int strings_round(size_t cap, size_t room, struct msg_strings *in,
                         struct view extra)
{
    static const char *const argv[] = {"ls", "", "-l"};
    static const char *list[8];
    static uint8_t text[64];
    uint8_t buf[128];
    struct msg_strings out = {(const char **)argv, 4, 3, {0}, 0};
    msg_exec_open open = cmdop_agent_v1_ExecOpen_init_zero;
    open.argv = msg_strings_out(&out);
    int n = msg_encode_plain(SPAN_ARRAY(buf), cmdop_agent_v1_ExecOpen_fields,
                             &open);
    assert_true(n > 0);
    if (extra.len > 0)
        memcpy(buf + n, extra.ptr, extra.len);
    *in = (struct msg_strings){list, cap, 99, {text, room}, 99};
    open.argv = msg_strings_in(in);
    return msg_decode(view_of(buf, (size_t)n + extra.len),
                      cmdop_agent_v1_ExecOpen_fields, &open);
}

static void strings_become_an_argument_vector(void **state)
{
    struct msg_strings in;
    (void)state;
    assert_int_equal(strings_round(4, 7, &in, VIEW_NONE), OK);
    assert_int_equal(in.count, 3);
    assert_string_equal(in.list[0], "ls");
    assert_string_equal(in.list[1], "");
    assert_string_equal(in.list[2], "-l");
    assert_null(in.list[3]);
    assert_int_equal(in.used, 7);
}

static void strings_without_room_are_refused(void **state)
{
    struct msg_strings in;
    (void)state;
    assert_int_equal(strings_round(3, 64, &in, VIEW_NONE), ERR_PROTO);
    assert_int_equal(strings_round(4, 6, &in, VIEW_NONE), ERR_PROTO);
    assert_int_equal(strings_round(1, 64, &in, VIEW_NONE), ERR_PROTO);
    assert_null(in.list[0]);
}

static void a_nul_inside_a_string_is_refused(void **state)
{
    struct msg_strings in;
    (void)state;
    assert_int_equal(strings_round(8, 64, &in, BYTES(0x0a, 1, 'x')), OK);
    assert_int_equal(strings_round(8, 64, &in, BYTES(0x0a, 2, 'x', 0)),
                     ERR_PROTO);
}

/* ---- Data ---------------------------------------------------------------- */

static void assert_data(struct view body, int err, struct msg_data want,
                        struct view bytes)
{
    struct msg_data d;
    struct view payload;
    assert_int_equal(msg_data_parse(cuts_guarded(body), &d, &payload), err);
    if (err != OK)
        return;
    assert_int_equal(d.channel, want.channel);
    assert_int_equal(d.stream, want.stream);
    assert_int_equal(d.offset, want.offset);
    assert_int_equal(d.fin, want.fin);
    assert_true(view_eq(payload, bytes));
}

static void data_is_parsed(void **state)
{
    const struct msg_data none = {0};
    (void)state;
    assert_data(VIEW_NONE, OK, none, VIEW_NONE);
    assert_data(BYTES(8, 3, 16, 1, 24, 0xac, 2, 34, 2, 'h', 'i', 40, 1), OK,
                (struct msg_data){3, 1, 300, true}, view_str("hi"));
    /* Any order; the last one counts; unknown fields of each kind. */
    assert_data(BYTES(34, 1, 'a', 40, 1, 40, 0, 34, 1, 'b', 8, 1, 8, 2), OK,
                (struct msg_data){2, 0, 0, false}, view_str("b"));
    assert_data(BYTES(0x30, 7, 0x39, 1, 2, 3, 4, 5, 6, 7, 8, 0x42, 1, 9, 0x4d,
                      1, 2, 3, 4, 8, 5),
                OK, (struct msg_data){5, 0, 0, false}, VIEW_NONE);
    /* The largest numbers. */
    assert_data(BYTES(8, 0xff, 0xff, 0xff, 0xff, 15, 24, 0xff, 0xff, 0xff, 0xff,
                      0xff, 0xff, 0xff, 0xff, 0xff, 1),
                OK, (struct msg_data){UINT32_MAX, 0, UINT64_MAX, false},
                VIEW_NONE);
}

static void malformed_data_is_refused(void **state)
{
    const struct msg_data none = {0};
    (void)state;
    assert_data(BYTES(8), ERR_PROTO, none, VIEW_NONE);
    assert_data(BYTES(34, 2, 'a'), ERR_PROTO, none, VIEW_NONE);
    assert_data(
        BYTES(34, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 'a'),
        ERR_PROTO, none, VIEW_NONE);
    assert_data(BYTES(8, 0x80, 0x80, 0x80, 0x80, 0x10), ERR_PROTO, none,
                VIEW_NONE); /* channel 2^32 */
    assert_data(
        BYTES(24, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2),
        ERR_PROTO, none, VIEW_NONE); /* offset 2^64 */
    assert_data(BYTES(10, 1, 1), ERR_PROTO, none, VIEW_NONE);
    assert_data(BYTES(32, 1), ERR_PROTO, none, VIEW_NONE);
    assert_data(BYTES(0x33), ERR_PROTO, none, VIEW_NONE);
    assert_data(BYTES(0x34), ERR_PROTO, none, VIEW_NONE);
    assert_data(BYTES(0x36, 1), ERR_PROTO, none, VIEW_NONE);
    assert_data(BYTES(0x02, 1, 'a'), ERR_PROTO, none, VIEW_NONE);
    assert_data(BYTES(0x39, 1, 2, 3), ERR_PROTO, none, VIEW_NONE);
    assert_data(BYTES(0x4d, 1, 2), ERR_PROTO, none, VIEW_NONE);
}

static void data_round(struct msg_data d, size_t len)
{
    static uint8_t buf[MSG_DATA_HEAD_MAX + DATA_MAX];
    static uint8_t room[FRAME_MAX];
    struct grpcframe g;
    struct view message, body;
    int kind;
    size_t n = msg_data_head(buf, &d, len);
    assert_true(n <= MSG_DATA_HEAD_MAX);
    memset(buf + n, 0x11, len);
    struct view in = cuts_guarded(view_of(buf, n + len));
    grpcframe_init(&g, SPAN_ARRAY(room));
    assert_int_equal(grpcframe_next(&g, &in, &message), 1);
    assert_int_equal(in.len, 0);
    assert_int_equal(msg_split(message, &kind, &body), OK);
    assert_int_equal(kind, MSG_DATA);
    assert_data(body, OK, d, view_of(buf + n, len));
}

static void a_head_and_its_payload_are_one_message(void **state)
{
    static const size_t lens[] = {0, 1, 99, 127, 128, 16000, DATA_MAX};
    static const uint64_t offs[] = {0, 1, 127, 128, 1u << 20, UINT64_MAX};
    static const uint32_t nums[] = {0, 1, 300, UINT32_MAX};
    (void)state;
    for (size_t l = 0; l < sizeof lens / sizeof lens[0]; l++)
        for (size_t o = 0; o < sizeof offs / sizeof offs[0]; o++)
            for (size_t i = 0; i < 8; i++)
                data_round((struct msg_data){nums[i / 2], nums[i / 2], offs[o],
                                             i % 2 != 0},
                           lens[l]);
}

static void the_largest_data_fills_one_frame(void **state)
{
    uint8_t head[MSG_DATA_HEAD_MAX];
    struct msg_data d = {UINT32_MAX, UINT32_MAX, UINT64_MAX, true};
    (void)state;
    assert_true(msg_data_head(head, &d, DATA_MAX) + DATA_MAX <= H2_DATA_MAX);
    assert_true(msg_data_head(head, &d, MSG_DATA_PAYLOAD_MAX) <=
                MSG_DATA_HEAD_MAX);
}

static void a_head_is_minimal(void **state)
{
    uint8_t head[MSG_DATA_HEAD_MAX];
    struct msg_data d = {.channel = 3, .offset = 300};
    (void)state;
    assert_true(
        view_eq(view_of(head, msg_data_head(head, &d, 2)),
                BYTES(0, 0, 0, 0, 12, 0x9a, 1, 9, 8, 3, 24, 0xac, 2, 34, 2)));
    assert_true(view_eq(view_of(head, msg_data_head(head, &d, 0)),
                        BYTES(0, 0, 0, 0, 8, 0x9a, 1, 5, 8, 3, 24, 0xac, 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_split),
        cmocka_unit_test(a_frame_of_another_shape_is_refused),
        cmocka_unit_test(a_message_comes_back),
        cmocka_unit_test(every_cap_below_the_length_is_full),
        cmocka_unit_test(the_grpc_prefix_tells_the_length),
        cmocka_unit_test(a_truncated_message_is_refused),
        cmocka_unit_test(a_bound_that_is_passed_is_refused),
        cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(a_blob_comes_back),
        cmocka_unit_test(strings_become_an_argument_vector),
        cmocka_unit_test(strings_without_room_are_refused),
        cmocka_unit_test(a_nul_inside_a_string_is_refused),
        cmocka_unit_test(data_is_parsed),
        cmocka_unit_test(malformed_data_is_refused),
        cmocka_unit_test(a_head_and_its_payload_are_one_message),
        cmocka_unit_test(the_largest_data_fills_one_frame),
        cmocka_unit_test(a_head_is_minimal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
