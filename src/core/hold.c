/* What agent and keeper share; see hold.h. */
#include "core/hold.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "core/paths.h"
#include "limits.h"

_Static_assert(sizeof(struct hold_block) <= HOLD_HEAD, "the record grew");

#define ARGV_MAX (ARGS_COUNT_MAX + 16)

/* The kill may come anywhere, but what was stored before a call of the system
 * is stored: all it takes is that the compiler keeps the order. */
#define IN_ORDER() atomic_signal_fence(memory_order_seq_cst)

static void clear(struct hold *h)
{
    memset(h, 0, sizeof(*h));
    h->block_handle = h->conn = h->child_in = -1;
    h->in[0] = h->in[1] = -1;
    for (uint32_t i = 0; i < HOLD_STREAMS; i++)
        h->child_out[i] = h->out[i][0] = h->out[i][1] = -1;
}

static bool is_ours(const struct hold *h)
{
    return h->block->turn == h->turn;
}

/* ---- output --------------------------------------------------------------------- */

static void settle_out(struct hold *h, uint32_t stream)
{
    struct hold_out *o = &h->block->out[stream];
    struct ring *ring = &h->ring[stream];
    int held = port_buffer_held(h->out[stream][0]);
    h->waiting[stream] = held > 0 ? (uint32_t)held : 0;
    if (o->taking != 0) {
        o->tail = o->mark + (o->taking - h->waiting[stream]);
        IN_ORDER();
        o->taking = 0;
    }
    if (o->head > o->tail || o->tail - o->head > ring->cap)
        o->head = o->tail > ring->cap ? o->tail - ring->cap : 0;
    ring->head = o->head;
    ring->tail = o->tail;
}

static int recv_waiting(struct hold *h, uint32_t stream, struct span room)
{
    struct hold_out *o = &h->block->out[stream];
    struct ring *ring = &h->ring[stream];
    o->head = ring->head; /* what the bytes will lie on is gone */
    o->mark = ring->tail;
    IN_ORDER();
    o->taking = h->waiting[stream];
    IN_ORDER();
    int n = port_recv(h->out[stream][0], room);
    IN_ORDER();
    if (n > 0) {
        h->waiting[stream] -= (uint32_t)n;
        ring_commit(ring, (uint32_t)n);
        o->tail = ring->tail;
    }
    IN_ORDER();
    o->taking = 0;
    return n;
}

int hold_take(struct hold *h, uint32_t stream, bool drop, uint32_t max)
{
    struct ring *ring = &h->ring[stream];
    uint32_t want = drop || ring_room(ring) > max ? max : ring_room(ring);
    if (want == 0 || !is_ours(h))
        return 0;
    if (h->waiting[stream] == 0) {
        if (h->child_out[stream] < 0)
            return ERR_CLOSED;
        int n = port_move(h->child_out[stream], h->out[stream][1], want);
        if (n <= 0)
            return n;
        h->waiting[stream] = (uint32_t)n;
    }
    uint32_t some =
        h->waiting[stream] < ring->cap ? h->waiting[stream] : ring->cap;
    struct span room = drop ? ring_push_space(ring, some) : ring_space(ring);
    room.len = room.len < some ? room.len : some;
    return recv_waiting(h, stream, room);
}

void hold_consume(struct hold *h, uint32_t stream, uint64_t upto)
{
    ring_consume(&h->ring[stream], upto);
    if (is_ours(h))
        h->block->out[stream].head = h->ring[stream].head;
}

void hold_close_out(struct hold *h, uint32_t stream)
{
    if (h->child_out[stream] != h->child_in) /* a terminal is one handle */
        port_close(h->child_out[stream]);
    h->child_out[stream] = -1;
}

/* ---- input ---------------------------------------------------------------------- */

static uint64_t *counter_at(struct hold *h, uint32_t at)
{
    if (at < offsetof(struct hold_block, record) ||
        at > sizeof(struct hold_block) - sizeof(uint64_t) || at % 8 != 0)
        return NULL;
    return (uint64_t *)(void *)((uint8_t *)h->block + at);
}

static void settle_in(struct hold *h)
{
    struct hold_in *in = &h->block->in;
    int held = port_buffer_held(h->in[0]);
    uint64_t *counter = counter_at(h, in->counter);
    h->queued = held > 0 ? (uint32_t)held : 0;
    if (in->loading != 0 && counter != NULL) {
        bool is_in = h->queued == in->before + in->loading;
        *counter = in->base + (is_in ? in->loading : 0);
        IN_ORDER();
    }
    in->loading = 0;
}

int hold_put(struct hold *h, uint64_t *counter, struct view bytes)
{
    struct hold_in *in = &h->block->in;
    if (!is_ours(h))
        return 0;
    bytes = view_first(bytes, PORT_BUFFER_ATOMIC);
    in->base = *counter;
    in->counter = (uint32_t)((uint8_t *)counter - (uint8_t *)h->block);
    in->before = h->queued;
    assert(counter_at(h, in->counter) == counter);
    IN_ORDER();
    in->loading = (uint32_t)bytes.len;
    IN_ORDER();
    int n = port_send(h->in[1], bytes);
    IN_ORDER();
    if (n > 0) {
        assert((size_t)n == bytes.len);
        h->queued += (uint32_t)n;
        *counter = in->base + (uint32_t)n;
    }
    IN_ORDER();
    in->loading = 0;
    return n;
}

/* The keeper has the child's input as well, and closes it when it is told. */
static int close_at_end(struct hold *h)
{
    int n = 1;
    if (h->child_in >= 0 && h->conn >= 0)
        n = hold_send(h->conn, HOLD_END_INPUT, OK, "");
    if (n > 0)
        hold_close_in(h);
    return n < 0 ? n : OK;
}

int hold_feed(struct hold *h)
{
    if (!is_ours(h))
        return OK;
    while (h->queued > 0) {
        if (h->child_in < 0)
            return ERR_CLOSED;
        int n = port_move(h->in[0], h->child_in, h->queued);
        if (n <= 0)
            return n;
        h->queued -= (uint32_t)n;
    }
    return h->block->in.ends != 0 ? close_at_end(h) : OK;
}

void hold_end_in(struct hold *h)
{
    if (is_ours(h))
        h->block->in.ends = 1;
}

bool hold_feeds(const struct hold *h)
{
    return (h->queued > 0 || h->block->in.ends != 0) && h->child_in >= 0;
}

void hold_close_in(struct hold *h)
{
    bool shared = false;
    for (uint32_t i = 0; i < HOLD_STREAMS; i++)
        shared = shared || (h->child_in >= 0 && h->child_out[i] == h->child_in);
    if (!shared)
        port_close(h->child_in);
    h->child_in = -1;
}

static void settle(struct hold *h)
{
    settle_in(h);
    for (uint32_t i = 0; i < h->block->streams; i++)
        settle_out(h, i);
}

void hold_settle(struct hold *h)
{
    h->turn = ++h->block->turn;
    settle(h);
}

/* ---- block and buffers ---------------------------------------------------------- */

static void place_rings(struct hold *h)
{
    uint32_t size = h->block->ring_bytes;
    for (uint32_t i = 0; i < h->block->streams; i++)
        ring_init(
            &h->ring[i],
            (struct span){h->memory.ptr + HOLD_HEAD + (size_t)i * size, size},
            0);
}

int hold_new(struct hold *h, uint32_t streams, uint32_t ring_bytes)
{
    clear(h);
    h->block_handle =
        port_shared_new(HOLD_HEAD + (size_t)streams * ring_bytes, &h->memory);
    int err = h->block_handle < 0 ? h->block_handle : port_buffer_open(h->in);
    for (uint32_t i = 0; err == OK && i < streams; i++)
        err = port_buffer_open(h->out[i]);
    if (err != OK)
        return err;
    h->block = (struct hold_block *)(void *)h->memory.ptr;
    *h->block = (struct hold_block){.magic = HOLD_MAGIC,
                                    .version = HOLD_VERSION,
                                    .ring_bytes = ring_bytes,
                                    .streams = streams,
                                    .started_ms = (uint64_t)port_wall_ms()};
    place_rings(h);
    return OK;
}

void hold_drop(struct hold *h)
{
    for (uint32_t i = 0; i < HOLD_STREAMS; i++) {
        hold_close_out(h, i);
        port_close(h->out[i][0]);
        port_close(h->out[i][1]);
    }
    port_close(h->child_in);
    port_close(h->in[0]);
    port_close(h->in[1]);
    port_close(h->conn);
    port_close(h->block_handle);
    port_shared_unmap(h->memory);
    clear(h);
}

/* ---- messages ------------------------------------------------------------------- */

static struct hold_message message(enum hold_op op, int err, const char *text)
{
    struct hold_message m = {
        .op = (uint8_t)op, .version = HOLD_VERSION, .err = (int16_t)err};
    STR_COPY(m.text, text);
    return m;
}

int hold_send(int conn, enum hold_op op, int err, const char *text)
{
    struct hold_message m = message(op, err, text);
    return port_send(conn, view_of(&m, sizeof(m)));
}

/* Handles in this order: block, queue, child's input, then for each stream
 * its buffer and the child's output. A terminal's handle goes once. What is
 * closed is left out and named by a bit. Whose turn it is then, stands behind
 * that: who hears it late knows that another one was told after him. */
enum { HAS_IN = 1, HAS_OUT = 2 /* and 4 */, TURN_AT = 4 };

int hold_send_hello(const struct hold *h, int conn)
{
    int handles[PORT_PASS_MAX], n = 0;
    struct hold_message m = message(HOLD_HELLO, OK, "");
    uint32_t turn = ++h->block->turn;
    memcpy(m.text + TURN_AT, &turn, sizeof(turn));
    bool tty = h->block->streams == 1;
    handles[n++] = h->block_handle;
    handles[n++] = h->in[0];
    handles[n++] = h->in[1];
    if (h->child_in >= 0 && !tty) {
        m.text[0] |= HAS_IN;
        handles[n++] = h->child_in;
    }
    for (uint32_t i = 0; i < h->block->streams; i++) {
        handles[n++] = h->out[i][0];
        handles[n++] = h->out[i][1];
        if (h->child_out[i] < 0)
            continue;
        m.text[0] = (char)(m.text[0] | HAS_OUT << i);
        handles[n++] = h->child_out[i];
    }
    return port_pass_send(conn, view_of(&m, sizeof(m)), handles, n);
}

static int check_block(const struct hold *h)
{
    const struct hold_block *b = h->block;
    if (h->memory.len < HOLD_HEAD || b->magic != HOLD_MAGIC ||
        b->version == 0 || b->streams == 0 || b->streams > HOLD_STREAMS)
        return ERR_PROTO;
    uint32_t size = b->ring_bytes;
    if (size < 4096 || (size & (size - 1)) != 0 ||
        h->memory.len != HOLD_HEAD + (size_t)b->streams * size)
        return ERR_PROTO;
    return OK;
}

static void take_handles(struct hold *h, const struct hold_message *m,
                         const int *handles)
{
    int n = 1;
    h->in[0] = handles[n++];
    h->in[1] = handles[n++];
    if ((m->text[0] & HAS_IN) != 0)
        h->child_in = handles[n++];
    for (uint32_t i = 0; i < h->block->streams; i++) {
        h->out[i][0] = handles[n++];
        h->out[i][1] = handles[n++];
        if ((m->text[0] & HAS_OUT << i) != 0)
            h->child_out[i] = handles[n++];
    }
    if (h->block->streams == 1)
        h->child_in = h->child_out[0];
}

static int expected_handles(const struct hold *h, const struct hold_message *m)
{
    int n = 3 + 2 * (int)h->block->streams;
    for (int bit = 0; bit < 3; bit++)
        n += (m->text[0] >> bit) & 1;
    return n;
}

static int take_hello(struct hold *h, const struct hold_message *m,
                      const int *handles, int n)
{
    int err = n > 0 && h->block == NULL
                  ? port_shared_map(handles[0], &h->memory)
                  : ERR_PROTO;
    if (err != OK)
        return err;
    h->block = (struct hold_block *)(void *)h->memory.ptr;
    err = check_block(h);
    if (err == OK && n != expected_handles(h, m))
        err = ERR_PROTO;
    memcpy(&h->turn, m->text + TURN_AT, sizeof(h->turn));
    if (err == OK && !is_ours(h))
        err = ERR_CLOSED;
    if (err != OK) {
        h->block = NULL;
        return err;
    }
    h->block_handle = handles[0];
    take_handles(h, m, handles);
    place_rings(h);
    settle(h);
    return OK;
}

int hold_recv(struct hold *h, struct hold_message *m)
{
    int handles[PORT_PASS_MAX], n;
    int got = port_pass_recv(h->conn, (struct span){(uint8_t *)m, sizeof(*m)},
                             handles, &n);
    int err = got <= 0 ? got : OK;
    if (got > 0 && (got != (int)sizeof(*m) || m->version > HOLD_VERSION))
        err = ERR_PROTO;
    if (got > 0)
        m->text[sizeof(m->text) - 1] = '\0';
    if (err == OK && got > 0 && m->op == HOLD_HELLO && m->err == OK)
        err = take_hello(h, m, handles, n);
    if (err == OK && got > 0 && (n == 0 || h->block != NULL))
        return 1;
    for (int i = 0; i < n; i++)
        port_close(handles[i]);
    return err;
}

/* ---- starting -------------------------------------------------------------------- */

int hold_start(struct hold *h, const struct hold_start *s)
{
    const char *argv[ARGV_MAX];
    char ring[16], size[24];
    struct text t;
    int ends[2], n = 0;
    clear(h);
    TEXT_OF(&t, ring);
    text_u64(&t, s->ring_bytes);
    TEXT_OF(&t, size);
    text_u64(&t, s->rows);
    text_str(&t, "x");
    text_u64(&t, s->cols);
    argv[n++] = s->program;
    argv[n++] = "keeper";
    argv[n++] = "--folder";
    argv[n++] = s->folder;
    argv[n++] = "--id";
    argv[n++] = s->id;
    argv[n++] = "--ring";
    argv[n++] = ring;
    if (s->tty) {
        argv[n++] = "--tty";
        argv[n++] = size;
    }
    if (s->what.login)
        argv[n++] = "--login";
    argv[n++] = "--";
    for (int i = 0; s->what.argv[i] != NULL; i++) {
        if (n + 1 >= ARGV_MAX)
            return ERR_TOO_BIG;
        argv[n++] = s->what.argv[i];
    }
    argv[n] = NULL;
    int err = port_local_pair(ends);
    if (err != OK)
        return err;
    struct port_spawn what = {
        .argv = argv, .env = s->what.env, .cwd = s->what.cwd};
    err = port_self_spawn(&what, ends[1]);
    port_close(ends[1]);
    h->conn = ends[0];
    if (err != OK)
        hold_drop(h);
    return err;
}

int hold_adopt(struct hold *h, const char *folder, const char *id)
{
    char path[PATH_CAP];
    clear(h);
    int err = paths_join(path, folder, id);
    if (err != OK)
        return err;
    h->conn = port_local_dial(path);
    return h->conn < 0 ? h->conn : OK;
}
