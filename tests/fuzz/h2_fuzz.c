/*
 * An HTTP/2 connection with anybody. The first byte chooses the role, whether
 * the preface is said for the input, and the size of the pieces. The owner
 * answers, ends and goes on like a real one.
 */
#include "transport/h2.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

#define PATH "/cmdop.agent.v1.Mesh/Connect"

struct owner {
    struct h2 h;
    size_t to_send;
    int opened, ended;
};

static void on_opened(void *ctx)
{
    struct owner *o = ctx;
    o->opened++;
    o->to_send = 100;
}

static int on_body(void *ctx, struct view bytes)
{
    struct owner *o = ctx;
    assert(o->opened == 1 && o->ended == 0);
    if (bytes.len > 0 && bytes.ptr[0] == 'E')
        h2_end(&o->h, GRPC_INTERNAL, "as you wish");
    o->to_send += bytes.len;
    return bytes.len > 0 && bytes.ptr[0] == 'F' ? ERR_PROTO : OK;
}

static size_t on_pull(void *ctx, struct span out)
{
    struct owner *o = ctx;
    size_t n = o->to_send < out.len ? o->to_send : out.len;
    memset(out.ptr, 'y', n);
    o->to_send -= n;
    return n;
}

static void on_ended(void *ctx, int status, struct view message)
{
    struct owner *o = ctx;
    assert(o->ended++ == 0);
    assert(status >= -1 && message.len < sizeof o->h.message);
    h2_end(&o->h, GRPC_OK, NULL);
}

static const struct h2_ops ops = {on_opened, on_body, on_pull, on_ended};

static struct owner owner;
static struct alloc alloc;
static _Alignas(16) uint8_t memory[H2_ALLOC_BYTES];

static void drain(void)
{
    struct view v;
    h2_wake(&owner.h);
    while (h2_take(&owner.h, &v) == OK && v.len > 0)
        assert(v.len <= 9 + 16384);
}

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || h2_prepare() != OK)
        return 0;
    size_t piece = (data[0] >> 2) == 0 ? size : data[0] >> 2;
    start(data[0]);
    for (struct view in = view_of(data + 1, size - 1); in.len > 0;
         in = view_from(in, piece)) {
        h2_feed(&owner.h, view_first(in, piece));
        drain();
    }
    (void)h2_finished(&owner.h);
    (void)h2_said_all(&owner.h);
    assert(strlen(h2_why(&owner.h)) < sizeof owner.h.message);
    h2_free(&owner.h);
    assert(alloc.used == 0);
    return 0;
}
