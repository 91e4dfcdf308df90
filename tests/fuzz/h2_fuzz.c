/*
 * An HTTP/2 connection with anybody. The first byte chooses the role, whether
 * the preface is said for the input, and the size of the pieces. The owner
 * answers, ends and goes on like a real one.
 *
 * The call is opened once, ended once, and has a body only in between; what
 * is said is whole frames, every byte that was pulled once, in its order, and
 * none behind the end of the stream. Fed once more without an answer, whole
 * and in pieces, it comes to the same.
 */
#include "transport/h2.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "limits.h"

#define PATH      "/cmdop.agent.v1.Mesh/Connect"
#define INPUT_MAX 20000
#define TAKES_MAX 5000 /* frames in one go: there must be an end */

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, GOAWAY = 7 };

struct owner {
    struct h2 h;
    size_t to_send;
    uint64_t pulled, said; /* bytes of the body */
    uint64_t heard;
    uint32_t sum;
    int opened, ended, status;
    bool preface, over; /* our half was ended */
    bool reads;         /* more would be heard */
};

static struct owner owner;
static struct alloc alloc;
static _Alignas(16) uint8_t memory[H2_ALLOC_BYTES];

static void on_opened(void *ctx)
{
    struct owner *o = ctx;
    assert(o->opened++ == 0 && o->ended == 0);
    o->to_send = 100;
}

static int on_body(void *ctx, struct view bytes)
{
    struct owner *o = ctx;
    assert(o->opened == 1 && o->ended == 0 && bytes.len <= 16384);
    o->heard += bytes.len;
    for (size_t i = 0; i < bytes.len; i++)
        o->sum = o->sum * 31 + bytes.ptr[i];
    if (view_find(bytes, 'E') >= 0)
        h2_end(&o->h, GRPC_INTERNAL, "as you wish");
    o->to_send += bytes.len;
    return view_find(bytes, 'F') >= 0 ? ERR_PROTO : OK;
}

static size_t on_pull(void *ctx, struct span out)
{
    struct owner *o = ctx;
    assert(out.len >= 1 && out.len <= H2_DATA_MAX);
    assert(!o->h.is_server || o->opened == 1);
    size_t n = o->to_send < out.len ? o->to_send : out.len;
    for (size_t i = 0; i < n; i++)
        out.ptr[i] = (uint8_t)(o->pulled + i);
    o->to_send -= n;
    o->pulled += n;
    return n;
}

static void on_ended(void *ctx, int status, struct view message)
{
    struct owner *o = ctx;
    assert(o->ended++ == 0);
    assert(status >= -1 && status <= 999);
    assert(message.len < sizeof o->h.message);
    o->status = status;
    h2_end(&o->h, GRPC_OK, NULL);
}

static const struct h2_ops ops = {on_opened, on_body, on_pull, on_ended, NULL};

/* ---- what is said --------------------------------------------------------------- */

static void said_data(struct view payload)
{
    for (size_t i = 0; i < payload.len; i++)
        assert(payload.ptr[i] == (uint8_t)(owner.said + i));
    owner.said += payload.len;
    assert(owner.said <= owner.pulled);
}

static void said_frame(struct view v)
{
    assert(v.len >= 9);
    size_t len = (size_t)v.ptr[0] << 16 | (size_t)v.ptr[1] << 8 | v.ptr[2];
    uint32_t stream = (uint32_t)v.ptr[5] << 24 | (uint32_t)v.ptr[6] << 16 |
                      (uint32_t)v.ptr[7] << 8 | v.ptr[8];
    uint8_t type = v.ptr[3], flags = v.ptr[4];
    assert(v.len == 9 + len && len <= 16384 && stream <= INT32_MAX);
    assert(type != DATA || (!owner.over && stream == 1) ||
           (owner.h.is_server && !owner.over));
    if (type == DATA)
        said_data(view_from(v, 9));
    /* A refused second stream ends as well; the call's is told by DATA. */
    if (type == DATA || (type == HEADERS && owner.said > 0))
        owner.over = owner.over || (flags & 1) != 0;
}

static void said(struct view v)
{
    static const char magic[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    if (!owner.h.is_server && !owner.preface) {
        assert(view_starts(v, view_str(magic)));
        owner.preface = true;
        v = view_from(v, sizeof magic - 1);
        if (v.len == 0)
            return;
    }
    said_frame(v);
}

static void drain(void)
{
    struct view v;
    int takes = 0;
    h2_wake(&owner.h);
    while (h2_take(&owner.h, &v) == OK && v.len > 0) {
        said(v);
        assert(takes++ < TAKES_MAX);
    }
    /* A frame is built when it is taken: nothing pulled is kept back. */
    assert(owner.h.err != OK || owner.said == owner.pulled);
}

/* ---- the run --------------------------------------------------------------------- */

static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                 "\0\0\0\4\0\0\0\0";

static void start(uint8_t how)
{
    int err;
    memset(&owner, 0, sizeof owner);
    alloc_init(&alloc, SPAN_ARRAY(memory));
    if ((how & 1) != 0)
        err = h2_server_init(&owner.h, &alloc, PATH, &ops, &owner);
    else
        err = h2_client_init(&owner.h, &alloc, "relay", PATH, &ops, &owner);
    assert(err == OK);
    drain();
    if ((how & 3) == 3)
        h2_feed(&owner.h, view_of(preface, sizeof preface));
}

static void finish(void)
{
    (void)h2_finished(&owner.h);
    (void)h2_said_all(&owner.h);
    assert(strlen(h2_why(&owner.h)) < sizeof owner.h.message);
    assert(owner.h.err == OK || h2_why(&owner.h)[0] != '\0' || owner.heard > 0);
    h2_free(&owner.h);
    assert(alloc.used == 0);
    h2_free(&owner.h);
}

/* `answers`: we speak after each piece. */
static void run(uint8_t how, struct view in, size_t piece, bool answers)
{
    start(how);
    for (; in.len > 0; in = view_from(in, piece)) {
        int first = owner.h.err;
        int err = h2_feed(&owner.h, view_first(in, piece));
        assert(err == owner.h.err && (first == OK || err == first));
        if (answers)
            drain();
    }
}

/* Where memory ends may differ. nghttp2 1.52 counts a CONTINUATION anew with
 * each piece of its head, and has enough after eight; and it looks once for
 * each piece whether the peer has said goodbye, and then hears no more. */
static bool comparable(const struct owner *o)
{
    return o->h.err != ERR_LIMIT && (o->reads || o->h.err != OK) &&
           strstr(h2_why(&o->h), "CONTINUATION") == NULL;
}

static void assert_same_in_pieces(uint8_t how, struct view in, size_t piece)
{
    run(how, in, in.len, false);
    struct owner whole = owner;
    whole.reads = nghttp2_session_want_read(owner.h.session) != 0;
    finish();
    run(how, in, piece, false);
    owner.reads = nghttp2_session_want_read(owner.h.session) != 0;
    if (comparable(&whole) && comparable(&owner)) {
        assert(owner.h.err == whole.h.err);
        assert(owner.opened == whole.opened && owner.ended == whole.ended);
        assert(owner.status == whole.status);
        assert(owner.h.err != OK ||
               (owner.heard == whole.heard && owner.sum == whole.sum));
    }
    finish();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_MAX || h2_prepare() != OK)
        return 0;
    size_t piece = (data[0] >> 2) == 0 ? size : data[0] >> 2;
    struct view in = view_of(data + 1, size - 1);
    run(data[0], in, piece, true);
    finish();
    assert_same_in_pieces(data[0], in, piece);
    return 0;
}
