/*
 * Agent and keeper hear a message, with handles, over a block in which
 * anything may stand: an older version wrote it, or somebody who was killed.
 * What is taken keeps its books: rings hold what they can hold, the order's
 * words end inside it, and typed bytes are counted when they are taken.
 */
#include "core/hold.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

enum { RING = 4096, TAKES = 8, HANDLES = 10 };

struct input {
    uint8_t handles; /* so many come with the message */
    uint8_t flags;
    struct hold_message message;
};
enum { RIGHT_TURN = 1, TWO_STREAMS = 2, DROPS = 4 };

static void check_rings(const struct hold *h)
{
    for (uint32_t i = 0; i < h->block->streams; i++) {
        assert(h->ring[i].head <= h->ring[i].tail);
        assert(ring_len(&h->ring[i]) <= h->ring[i].cap);
    }
}

static void move(struct hold *h, bool drops)
{
    uint64_t *counter = (uint64_t *)(void *)h->block->record;
    uint64_t before = *counter;
    for (uint32_t i = 0; i < h->block->streams; i++) {
        if (drops)
            hold_want(h, i, HOLD_ALL_MAY_GO);
        for (int n = 1, k = 0; n > 0 && k < TAKES; k++) {
            n = hold_take(h, i, 700);
            check_rings(h);
        }
        hold_want(h, i, h->ring[i].tail);
    }
    int n = hold_put(h, counter, view_str("typed"));
    assert(*counter - before == (uint64_t)(n > 0 ? n : 0));
    if (hold_feeds(h))
        (void)hold_feed(h);
}

static void read_order(struct hold *h)
{
    static struct hold_order o;
    const char *end = (const char *)h->memory.ptr + h->memory.len;
    if (hold_read_order(h, &o) == OK) {
        assert(o.argv[0] != NULL && o.what.argv == o.argv);
        for (int i = 0; o.argv[i] != NULL; i++)
            assert(o.argv[i] + strlen(o.argv[i]) < end);
        for (int i = 0; o.env[i] != NULL; i++)
            assert(o.env[i] + strlen(o.env[i]) < end);
    }
    hold_wipe_order(h);
}

static void hear(struct hold *h, const struct input *in, const int *handles)
{
    struct hold_message m = in->message;
    int ends[2];
    int n = in->handles % (HANDLES + 1);
    assert(port_local_pair(ends) == OK);
    h->conn = ends[0];
    assert(port_pass_send(ends[1], view_of(&m, sizeof(m)), handles, n) ==
           (int)sizeof(m));
    int got = hold_recv(h, &m);
    assert(got != 0);
    if (got == 1) {
        assert(memchr(m.text, '\0', sizeof(m.text)) != NULL);
        assert(strlen(hold_why(h, &m)) < RING);
    }
    if (got == 1 && h->block != NULL) {
        check_rings(h);
        move(h, (in->flags & DROPS) != 0);
        read_order(h);
        (void)hold_rest(h);
    }
    port_close(ends[1]);
    hold_drop(h);
}

static void run(struct input *in, struct view block)
{
    struct hold maker, taker;
    uint32_t streams = (in->flags & TWO_STREAMS) != 0 ? 2 : 1;
    assert(hold_new(&maker, streams, RING) == OK);
    (void)port_send(maker.out[0][1], view_str("said before"));
    (void)port_send(maker.in[1], view_str("heard before"));
    block = view_first(block, maker.memory.len);
    if (block.len > 0)
        memcpy(maker.memory.ptr, block.ptr, block.len);
    if ((in->flags & RIGHT_TURN) != 0)
        in->message.turn = maker.block->turn;
    int handles[HANDLES] = {maker.block_handle, maker.in[0], maker.in[1]};
    int n = 3;
    for (uint32_t i = 0; i < streams; i++) {
        handles[n++] = maker.out[i][0];
        handles[n++] = maker.out[i][1];
    }
    for (int i = 0; n < HANDLES; i++) /* a child's */
        handles[n++] = i == 0 && streams == 2 ? maker.in[1] : maker.in[0];
    hold_none(&taker);
    hear(&taker, in, handles);
    hold_drop(&maker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in;
    if (size < 2 + sizeof(in.message))
        return 0;
    in.handles = data[0];
    in.flags = data[1];
    memcpy(&in.message, data + 2, sizeof(in.message));
    size_t head = 2 + sizeof(in.message);
    run(&in, view_of(data + head, size - head));
    return 0;
}
