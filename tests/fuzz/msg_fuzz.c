/*
 * Frames and messages from anybody. What is taken must be inside the input,
 * terminated and within bounds; Data must survive being written again.
 */
#include "codec/msg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "codec/grpcframe.h"

static bool inside(struct view part, struct view whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr &&
                             part.ptr + part.len <= whole.ptr + whole.len);
}

static void try_data(struct view body)
{
    uint8_t head[MSG_DATA_HEAD_MAX];
    struct msg_data d, again;
    struct view payload, rest;
    if (msg_data_parse(body, &d, &payload) != OK)
        return;
    assert(inside(payload, body));
    if (payload.len > 4096)
        return;
    uint8_t *buf = malloc(sizeof head + payload.len);
    size_t n = msg_data_head(head, &d, payload.len);
    memcpy(buf, head, n);
    if (payload.len > 0)
        memcpy(buf + n, payload.ptr, payload.len);
    int kind;
    struct view frame =
        view_of(buf + GRPCFRAME_HEAD, n + payload.len - GRPCFRAME_HEAD);
    assert(msg_split(frame, &kind, &body) == OK && kind == MSG_DATA);
    assert(msg_data_parse(body, &again, &rest) == OK);
    assert(again.channel == d.channel && again.stream == d.stream);
    assert(again.offset == d.offset && again.fin == d.fin);
    assert(view_eq(rest, payload));
    free(buf);
}

/* A message whose callback members are all skipped: encoded, it decodes to
 * the same encoding. */
static void try_message(struct view body, const pb_msgdesc_t *fields, void *out,
                        size_t size)
{
    static uint8_t once[16384], twice[sizeof once];
    memset(out, 0, size);
    if (msg_decode(body, fields, out) != OK)
        return;
    int n = msg_encode_plain(SPAN_ARRAY(once), fields, out);
    assert(n >= 0);
    memset(out, 0, size);
    int again = msg_decode(view_of(once, (size_t)n), fields, out);
    assert(again == OK);
    assert(msg_encode_plain(SPAN_ARRAY(twice), fields, out) == n);
    assert(memcmp(once, twice, (size_t)n) == 0);
}

static void try_exec(struct view body)
{
    static uint8_t text[64], env_text[64];
    static const char *argv[5], *envp[3];
    struct msg_strings args = {argv, 5, 0, {text, sizeof text}, 0};
    struct msg_strings env = {envp, 3, 0, {env_text, 64}, 0};
    static msg_exec_open open;
    memset(&open, 0, sizeof open);
    open.argv = msg_strings_in(&args);
    open.env = msg_strings_in(&env);
    if (msg_decode(body, cmdop_agent_v1_ExecOpen_fields, &open) != OK)
        return;
    assert(args.count < args.cap && args.list[args.count] == NULL);
    for (size_t i = 0; i < args.count; i++)
        assert(strlen(args.list[i]) < sizeof text);
    assert(strlen(open.cwd) < sizeof open.cwd);
}

static void try_open(struct view body)
{
    static uint8_t room[128];
    struct msg_blob params = {.buf = {room, sizeof room}};
    static msg_open open;
    memset(&open, 0, sizeof open);
    open.params = msg_blob_in(&params);
    if (msg_decode(body, cmdop_agent_v1_Open_fields, &open) != OK)
        return;
    assert(params.data.len <= sizeof room);
    assert(strlen(open.target) < sizeof open.target);
    try_exec(params.data);
}

#define TRY(name)                                                            \
    do {                                                                     \
        static cmdop_agent_v1_##name out;                                    \
        try_message(body, cmdop_agent_v1_##name##_fields, &out, sizeof out); \
    } while (0)

static void try_kind(int kind, struct view body)
{
    switch (kind) {
    case MSG_HELLO: TRY(Hello); break;
    case MSG_CHALLENGE: TRY(Challenge); break;
    case MSG_PROOF: TRY(Proof); break;
    case MSG_WELCOME: TRY(Welcome); break;
    case MSG_REFUSE: TRY(Refuse); break;
    case MSG_PING: TRY(Ping); break;
    case MSG_PONG: TRY(Pong); break;
    case MSG_DRAIN: TRY(Drain); break;
    case MSG_HEARTBEAT: TRY(Heartbeat); break;
    case MSG_OPEN: try_open(body); break;
    case MSG_ACCEPT: TRY(Accept); break;
    case MSG_REJECT: TRY(Reject); break;
    case MSG_DATA: try_data(body); break;
    case MSG_CREDIT: TRY(Credit); break;
    case MSG_EVENT: TRY(Event); break;
    case MSG_CLOSE: TRY(Close); break;
    }
}

/* What stands in params and records, not in a Frame of its own. */
static void try_others(struct view body)
{
    TRY(PtyOpen);
    TRY(RpcOpen);
    TRY(PtyAccept);
    TRY(ExecAccept);
    TRY(MachineInfo);
    TRY(AgentStatus);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_of(data, size);
    struct view body;
    int kind;
    try_data(in);
    try_exec(in);
    try_others(in);
    if (msg_split(in, &kind, &body) != OK)
        return 0;
    assert(inside(body, in));
    try_kind(kind, body);
    return 0;
}
