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

/* A keeper whose ring was filled further gives the memory back by ending. */
#define REST_BYTES 16384

/* No child says more: the block is damaged. */
#define OUTPUT_MAX (UINT64_MAX / 2)

/* The kill may come anywhere, but what was stored before a call of the system
 * is stored: all it takes is that the compiler keeps the order. */
#define IN_ORDER() atomic_signal_fence(memory_order_seq_cst)

void hold_none(struct hold *h)
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
        o->tail = o->mark + (o->taking > h->waiting[stream]
                                 ? o->taking - h->waiting[stream]
                                 : 0);
        IN_ORDER();
        o->taking = 0;
    }
    if (o->tail > OUTPUT_MAX)
        o->tail = 0;
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

/* All that waits and has room, over the ring's end if need be: what stayed
 * behind would make no handle readable. */
static int take_waiting(struct hold *h, uint32_t stream, uint32_t max)
{
    int taken = 0;
    while (h->waiting[stream] > 0 && max > 0) {
        uint32_t some = h->waiting[stream] < max ? h->waiting[stream] : max;
        int n =
            recv_waiting(h, stream, ring_push_space(&h->ring[stream], some));
        if (n <= 0)
            return taken > 0 ? taken : n;
        taken += n;
        max -= (uint32_t)n;
    }
    return taken;
}

uint32_t hold_room(const struct hold *h, uint32_t stream)
{
    const struct ring *ring = &h->ring[stream];
    uint64_t wanted = h->block->out[stream].wanted;
    if (wanted >= ring->tail)
        return ring->cap;
    return wanted > ring->head ? ring->cap - (uint32_t)(ring->tail - wanted)
                               : ring_room(ring);
}

int hold_take(struct hold *h, uint32_t stream, uint32_t max)
{
    uint32_t room = hold_room(h, stream);
    uint32_t want = room < max ? room : max;
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
    return take_waiting(h, stream, want);
}

void hold_want(struct hold *h, uint32_t stream, uint64_t off)
{
    if (is_ours(h))
        h->block->out[stream].wanted = off;
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
        *counter = in->base + (h->queued - in->before);
        IN_ORDER();
    }
    in->loading = 0;
}

int hold_put(struct hold *h, uint64_t *counter, struct view bytes)
{
    struct hold_in *in = &h->block->in;
    if (!is_ours(h))
        return 0;
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
        n = hold_send(h->conn, HOLD_END_INPUT, "");
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
    hold_none(h);
    h->block_handle =
        port_shared_new(HOLD_HEAD + (size_t)streams * ring_bytes, &h->memory);
    int err = h->block_handle < 0 ? h->block_handle : port_buffer_open(h->in);
    for (uint32_t i = 0; err == OK && i < streams; i++)
        err = port_buffer_open(h->out[i]);
    if (err != OK) {
        hold_drop(h);
        return err;
    }
    h->block = (struct hold_block *)(void *)h->memory.ptr;
    *h->block = (struct hold_block){.magic = HOLD_MAGIC,
                                    .version = HOLD_VERSION,
                                    .ring_bytes = ring_bytes,
                                    .streams = streams,
                                    .started_ms = (uint64_t)port_wall_ms()};
    if (streams == 1)
        h->block->out[0].wanted = HOLD_ALL_MAY_GO;
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
    hold_none(h);
}

/* ---- messages ------------------------------------------------------------------- */

_Static_assert(sizeof(struct hold_message) == 32, "of this size always");

int hold_send(int conn, enum hold_op op, const char *text)
{
    struct hold_message m = {.op = (uint8_t)op, .version = HOLD_VERSION};
    STR_COPY(m.text, text);
    return port_send(conn, view_of(&m, sizeof(m)));
}

/* Handles come in this order: block, queue, buffer of each stream; the child's
 * input, its outputs. A terminal's handle goes once, as its output, and what
 * is closed not at all. */
enum { HAS_BLOCK = 1, HAS_IN = 2, HAS_OUT = 4 /* and 8 */, HAS_WHY = 16 };

static uint8_t child_handles(const struct hold *h)
{
    bool in = h->child_in >= 0 && h->block->streams > 1;
    uint8_t has = in ? HAS_IN : 0;
    for (uint32_t i = 0; i < h->block->streams; i++)
        if (h->child_out[i] >= 0)
            has |= (uint8_t)(HAS_OUT << i);
    return has;
}

static int pass(const struct hold *h, int conn, const struct hold_message *m)
{
    int handles[PORT_PASS_MAX], n = 0;
    if ((m->has & HAS_BLOCK) != 0) {
        handles[n++] = h->block_handle;
        handles[n++] = h->in[0];
        handles[n++] = h->in[1];
    }
    for (uint32_t i = 0; (m->has & HAS_BLOCK) && i < h->block->streams; i++) {
        handles[n++] = h->out[i][0];
        handles[n++] = h->out[i][1];
    }
    if ((m->has & HAS_IN) != 0)
        handles[n++] = h->child_in;
    for (uint32_t i = 0; i < h->block->streams; i++)
        if ((m->has & HAS_OUT << i) != 0)
            handles[n++] = h->child_out[i];
    return port_pass_send(conn, view_of(m, sizeof(*m)), handles, n);
}

int hold_send_hello(const struct hold *h, int conn, bool all)
{
    struct hold_message m = {.op = HOLD_HELLO,
                             .version = HOLD_VERSION,
                             .turn = ++h->block->turn,
                             .has = child_handles(h)};
    m.has |= all ? HAS_BLOCK : 0;
    return pass(h, conn, &m);
}

static int check_block(const struct hold *h)
{
    const struct hold_block *b = (const void *)h->memory.ptr;
    if (h->memory.len < HOLD_HEAD || b->magic != HOLD_MAGIC ||
        b->version == 0 || b->streams == 0 || b->streams > HOLD_STREAMS)
        return ERR_PROTO;
    uint32_t size = b->ring_bytes;
    if (size < 4096 || (size & (size - 1)) != 0 ||
        h->memory.len != HOLD_HEAD + (size_t)b->streams * size)
        return ERR_PROTO;
    return OK;
}

static int expected_handles(const struct hold *h, uint8_t has)
{
    int n = (has & HAS_BLOCK) != 0 ? 3 + 2 * (int)h->block->streams : 0;
    for (int i = 1; i <= HOLD_STREAMS + 1; i++)
        n += has >> i & 1;
    return n;
}

/* They are ours now, in the order of `pass`. */
static void keep_handles(struct hold *h, uint8_t has, const int *handles)
{
    if ((has & HAS_BLOCK) != 0) {
        h->block_handle = *handles++;
        h->in[0] = *handles++;
        h->in[1] = *handles++;
    }
    for (uint32_t i = 0; (has & HAS_BLOCK) && i < h->block->streams; i++) {
        h->out[i][0] = *handles++;
        h->out[i][1] = *handles++;
    }
    if ((has & HAS_IN) != 0)
        h->child_in = *handles++;
    for (uint32_t i = 0; i < h->block->streams; i++)
        if ((has & HAS_OUT << i) != 0)
            h->child_out[i] = *handles++;
    if (h->block->streams == 1)
        h->child_in = h->child_out[0];
}

/* The block comes once, and a child when there is none. */
static int map_block(struct hold *h, uint8_t has, const int *handles, int n)
{
    if ((has & HAS_BLOCK) == 0)
        return h->block != NULL && child_handles(h) == 0 ? OK : ERR_PROTO;
    if (h->block != NULL || h->memory.ptr != NULL || n == 0)
        return ERR_PROTO;
    int err = port_shared_map(handles[0], &h->memory);
    if (err == OK)
        err = check_block(h);
    if (err == OK)
        h->block = (struct hold_block *)(void *)h->memory.ptr;
    return err;
}

static int take_handles(struct hold *h, const struct hold_message *m,
                        const int *handles, int n)
{
    int err = map_block(h, m->has, handles, n);
    if (err == OK && n != expected_handles(h, m->has))
        err = ERR_PROTO;
    if (err == OK && m->op == HOLD_HELLO && m->turn != h->block->turn)
        err = ERR_CLOSED;
    if (err != OK) {
        if ((m->has & HAS_BLOCK) != 0)
            h->block = NULL;
        return err;
    }
    keep_handles(h, m->has, handles);
    place_rings(h);
    if (m->op == HOLD_HELLO) {
        h->turn = m->turn;
        settle(h);
    }
    return OK;
}

static bool brings_handles(const struct hold_message *m)
{
    return (m->op == HOLD_HELLO && m->err == OK) || m->op == HOLD_RUN;
}

int hold_recv(struct hold *h, struct hold_message *m)
{
    int handles[PORT_PASS_MAX], n;
    int got = port_pass_recv(h->conn, (struct span){(uint8_t *)m, sizeof(*m)},
                             handles, &n);
    int err = got <= 0 ? got : OK;
    if (got > 0 && (got != (int)sizeof(*m) ||
                    (m->version > HOLD_VERSION && brings_handles(m))))
        err = ERR_PROTO;
    if (err == OK && got > 0) {
        m->text[sizeof(m->text) - 1] = '\0';
        err = brings_handles(m) ? take_handles(h, m, handles, n)
              : n > 0           ? ERR_PROTO
                                : OK;
    }
    if (err == OK && got > 0)
        return 1;
    for (int i = 0; i < n; i++)
        port_close(handles[i]);
    return err;
}

/* ---- what is to be run ----------------------------------------------------------- */

/* It lies where output will: counts, then strings that end with NUL, the
 * folder first. */
struct order_head {
    uint32_t bytes;
    uint32_t args;
    uint32_t vars;
    uint16_t rows, cols;
    uint32_t login;
};

static struct order_head *order_head_of(const struct hold *h)
{
    return (struct order_head *)(void *)(h->memory.ptr + HOLD_HEAD);
}

static struct span order_of(const struct hold *h)
{
    size_t at = HOLD_HEAD + sizeof(struct order_head);
    return (struct span){h->memory.ptr + at, h->memory.len - at};
}

static void write_word(struct writer *w, const char *s)
{
    write_bytes(w, view_of(s, strlen(s) + 1));
}

static uint32_t write_list(struct writer *w, const char *const *list)
{
    uint32_t n = 0;
    for (; list[n] != NULL; n++)
        write_word(w, list[n]);
    return n;
}

static int write_order(struct hold *h, const struct hold_start *s)
{
    struct order_head *head = order_head_of(h);
    struct writer w;
    writer_init(&w, order_of(h));
    write_word(&w, s->what.cwd != NULL ? s->what.cwd : "");
    *head = (struct order_head){
        .rows = s->rows, .cols = s->cols, .login = s->what.login};
    head->args = write_list(&w, s->what.argv);
    head->vars = write_list(&w, s->what.env);
    head->bytes = (uint32_t)w.len;
    if (w.err != OK || head->args >= HOLD_ARGS_MAX ||
        head->vars >= HOLD_ENV_MAX)
        return ERR_TOO_BIG;
    assert(s->record.len <= HOLD_RECORD);
    if (s->record.len > 0)
        memcpy(h->block->record, s->record.ptr, s->record.len);
    h->block->started_ms = (uint64_t)port_wall_ms();
    return OK;
}

/* `count` strings from *at on; NULL when they do not end inside. */
static const uint8_t *read_list(const uint8_t *at, const uint8_t *end,
                                const char **list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *nul =
            at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
        if (nul == NULL)
            return NULL;
        list[i] = (const char *)at;
        at = nul + 1;
    }
    list[count] = NULL;
    return at;
}

int hold_read_order(const struct hold *h, struct hold_order *o)
{
    const struct order_head head = *order_head_of(h);
    struct span all = order_of(h);
    const char *cwd[2];
    if (head.bytes > all.len || head.args == 0 || head.args >= HOLD_ARGS_MAX ||
        head.vars >= HOLD_ENV_MAX)
        return ERR_PROTO;
    const uint8_t *end = all.ptr + head.bytes;
    const uint8_t *at = read_list(all.ptr, end, cwd, 1);
    if (at != NULL)
        at = read_list(at, end, o->argv, head.args);
    if (at != NULL)
        at = read_list(at, end, o->env, head.vars);
    if (at == NULL)
        return ERR_PROTO;
    o->what = (struct port_spawn){.argv = o->argv,
                                  .env = o->env,
                                  .cwd = cwd[0][0] != '\0' ? cwd[0] : NULL,
                                  .login = head.login != 0};
    o->rows = head.rows;
    o->cols = head.cols;
    return OK;
}

void hold_wipe_order(struct hold *h)
{
    struct order_head *head = order_head_of(h);
    struct span all = order_of(h);
    uint32_t bytes = head->bytes <= all.len ? head->bytes : 0;
    memset(head, 0, sizeof(*head) + bytes);
}

/* The reason lies there as well: a message has no room for a path. */
enum { WHY_CAP = 512 };

void hold_send_error(struct hold *h, int conn, int err, const char *why)
{
    struct hold_message m = {
        .op = HOLD_HELLO, .version = HOLD_VERSION, .err = (int16_t)err};
    if (h->block != NULL) {
        struct text t;
        text_init(&t, (char *)h->memory.ptr + HOLD_HEAD, WHY_CAP);
        text_str(&t, why);
        m.has = HAS_WHY;
    }
    (void)port_send(conn, view_of(&m, sizeof(m)));
}

const char *hold_why(struct hold *h, const struct hold_message *m)
{
    if ((m->has & HAS_WHY) == 0 || h->block == NULL)
        return "";
    h->memory.ptr[HOLD_HEAD + WHY_CAP - 1] = '\0';
    return (const char *)h->memory.ptr + HOLD_HEAD;
}

/* ---- starting -------------------------------------------------------------------- */

static int give_order(struct hold *h, uint8_t has)
{
    struct hold_message m = {
        .op = HOLD_RUN, .version = HOLD_VERSION, .has = has};
    return pass(h, h->conn, &m) > 0 ? OK : ERR_CLOSED;
}

/* Its environment is our own: the child's is in the order. */
static int start_keeper(struct hold *h, const struct hold_start *s)
{
    const char *const argv[] = {"cmdop", "keeper", "--folder", s->folder,
                                "--id",  s->id,    NULL};
    struct port_spawn what = {.argv = argv, .cwd = "/"};
    int ends[2];
    int err = port_local_pair(ends);
    if (err != OK)
        return err;
    h->conn = ends[0];
    err = port_self_spawn(&what, ends[1]);
    port_close(ends[1]);
    return err;
}

int hold_start(struct hold *h, const struct hold_start *s)
{
    int err = hold_new(h, s->tty ? 1 : HOLD_STREAMS, s->ring_bytes);
    if (err != OK)
        return err;
    err = write_order(h, s);
    if (err == OK)
        err = start_keeper(h, s);
    if (err == OK)
        err = give_order(h, HAS_BLOCK);
    if (err != OK)
        hold_drop(h);
    return err;
}

int hold_adopt(struct hold *h, const char *folder, const char *id)
{
    char path[PATH_CAP];
    hold_none(h);
    int err = paths_join(path, folder, id);
    if (err != OK)
        return err;
    h->conn = port_local_dial(path);
    return h->conn < 0 ? h->conn : OK;
}

bool hold_has_place(const char *folder, const char *id)
{
    char path[PATH_CAP];
    int file = paths_join(path, folder, id);
    if (file == OK)
        file = port_file_open(path);
    port_close(file);
    return file != ERR_NOT_FOUND;
}

/* ---- another child for a keeper that is there ------------------------------------ */

bool hold_rest(struct hold *h)
{
    struct hold_block *b = h->block;
    if (b == NULL || b->version != HOLD_VERSION || !b->exited || h->queued > 0)
        return false;
    for (uint32_t i = 0; i < b->streams; i++)
        if (h->waiting[i] > 0 || h->ring[i].tail > REST_BYTES)
            return false;
    for (uint32_t i = 0; i < HOLD_STREAMS; i++)
        hold_close_out(h, i);
    hold_close_in(h);
    b->pid = 0; /* from here on a keeper that is alone ends */
    IN_ORDER();
    memset(&b->in, 0, sizeof(b->in));
    memset(b->out, 0, sizeof(b->out));
    memset(b->record, 0, sizeof(b->record));
    b->exited = b->status = b->signal = 0;
    place_rings(h);
    return hold_send(h->conn, HOLD_REST, "") > 0;
}

int hold_run(struct hold *h, const struct hold_start *s)
{
    int err = write_order(h, s);
    return err == OK ? give_order(h, 0) : err;
}
