/* See typist.h. */
#include "sim/typist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "core/hold.h"
#include "port/sim/sim.h"
#include "transport/loop.h"

/* What is kept in the block, behind whatever happens. */
struct notes {
    uint64_t typed;
    uint64_t heard; /* offset up to which the output was compared */
    uint64_t gap;
};

struct typist {
    struct hold hold;
    struct loop loop;
    int conn_row, in_row, out_row[HOLD_STREAMS], timer;
    bool tty, is_started, over;
    int status;
    uint64_t in, out; /* bytes in all */
    uint32_t ring;
    const char *const *argv;
};

static struct notes *notes(struct typist *t)
{
    return (struct notes *)(void *)t->hold.block->record;
}

static void end(struct typist *t, int status)
{
    t->status = status;
    t->over = true;
}

/* ---- output ----------------------------------------------------------------------- */

static bool is_right(uint64_t off, uint8_t byte)
{
    char line[9];
    snprintf(line, sizeof(line), "%07u\n", (unsigned)(off / 8 * 8 % 10000000));
    return byte == (uint8_t)line[off % 8];
}

/* All that the ring holds is looked at again in every life. */
static void compare(struct typist *t, uint64_t from)
{
    const struct ring *r = &t->hold.ring[0];
    struct notes *n = notes(t);
    for (uint64_t off = from; off < r->tail; off++)
        if (!is_right(off, ring_at(r, off).ptr[0]))
            end(t, TYPIST_WRONG);
    if (r->head > n->heard)
        n->gap += r->head - n->heard;
    n->heard = r->tail;
    if (!t->tty)
        hold_want(&t->hold, 0, r->tail);
}

static void drop_row(struct typist *t, int *row)
{
    if (*row >= 0)
        loop_remove(&t->loop, *row);
    *row = -1;
}

static void let_go_of(struct typist *t, uint32_t stream)
{
    drop_row(t, &t->out_row[stream]);
    hold_close_out(&t->hold, stream);
    if (t->tty)
        hold_close_in(&t->hold);
}

/* The child is there still, but not for us: the keeper must let go as well. */
static void lose(struct typist *t)
{
    (void)hold_send(t->hold.conn, HOLD_HANG_UP, "");
    for (uint32_t i = 0; i < t->hold.block->streams; i++)
        let_go_of(t, i);
    hold_close_in(&t->hold);
}

static void take(struct typist *t, uint32_t stream)
{
    int n;
    while (t->hold.child_out[stream] >= 0 || t->hold.waiting[stream] > 0) {
        uint64_t from = t->hold.ring[0].tail;
        n = hold_take(&t->hold, stream, 700);
        if (n == 0)
            return;
        if (n < 0 && n != ERR_CLOSED)
            lose(t);
        if (n == ERR_CLOSED)
            let_go_of(t, stream);
        if (n < 0)
            return;
        if (stream == 0)
            compare(t, from);
    }
}

/* ---- input ------------------------------------------------------------------------ */

static void type(struct typist *t)
{
    uint8_t keys[200];
    struct notes *n = notes(t);
    size_t len = 1 + (size_t)(n->typed * 13 % 90);
    if (n->typed == t->in) {
        if (!t->tty)
            hold_end_in(&t->hold);
        return;
    }
    len = len < t->in - n->typed ? len : (size_t)(t->in - n->typed);
    for (size_t i = 0; i < len; i++)
        keys[i] = sim_dictation(n->typed + i);
    (void)hold_put(&t->hold, &n->typed, view_of(keys, len));
}

static void feed(struct typist *t)
{
    int err = hold_feeds(&t->hold) ? hold_feed(&t->hold) : OK;
    if (err != OK && err != ERR_CLOSED)
        lose(t);
    if (err != OK)
        hold_close_in(&t->hold);
    if (t->hold.child_in < 0)
        drop_row(t, &t->in_row);
}

/* ---- turns ------------------------------------------------------------------------- */

static void watch(struct typist *t)
{
    uint8_t in = hold_feeds(&t->hold) ? PORT_WRITE : 0;
    for (uint32_t i = 0; i < t->hold.block->streams; i++)
        if (t->out_row[i] >= 0)
            loop_want(&t->loop, t->out_row[i], PORT_READ | (t->tty ? in : 0));
    if (t->in_row >= 0)
        loop_want(&t->loop, t->in_row, in);
}

static bool is_drained(const struct typist *t)
{
    for (uint32_t i = 0; i < t->hold.block->streams; i++)
        if (t->hold.child_out[i] >= 0 || t->hold.waiting[i] > 0)
            return false;
    return true;
}

/* Say how it ended, note that it was said, let the keeper go: in this order. */
static void finish(struct typist *t)
{
    const struct hold_block *b = t->hold.block;
    char line[80];
    if (t->out != UINT64_MAX && notes(t)->heard != t->out)
        end(t, TYPIST_WRONG);
    snprintf(line, sizeof(line), "exit %u\ngap %llu\n", b->status,
             (unsigned long long)notes(t)->gap);
    cmd_out(view_str(line));
    if (t->over)
        return;
    (void)port_keep_write(TYPIST_DONE, view_str(line));
    (void)hold_send(t->hold.conn, HOLD_RELEASE, "");
    end(t, TYPIST_OK);
}

static void turn(struct typist *t)
{
    if (t->over)
        return;
    feed(t);
    for (uint32_t i = 0; i < t->hold.block->streams; i++)
        take(t, i);
    watch(t);
    if (t->hold.block->exited && is_drained(t))
        finish(t);
}

static void on_ready(void *ctx, uint8_t ready)
{
    (void)ready;
    turn(ctx);
}

static void on_timer(void *ctx, uint64_t now_ms)
{
    struct typist *t = ctx;
    if (t->hold.block != NULL) {
        type(t);
        turn(t);
    }
    loop_arm(&t->loop, t->timer, now_ms + 1);
}

static void on_signal(void *ctx, uint8_t ready)
{
    (void)ready;
    while (port_signal_take() != PORT_SIG_NONE)
        end(ctx, TYPIST_ASIDE);
}

/* ---- the keeper --------------------------------------------------------------------- */

static void on_hello(struct typist *t)
{
    struct hold *h = &t->hold;
    for (uint32_t i = 0; i < h->block->streams; i++)
        if (h->child_out[i] >= 0)
            t->out_row[i] = loop_add(&t->loop, h->child_out[i], 0, on_ready, t);
    if (!t->tty && h->child_in >= 0)
        t->in_row = loop_add(&t->loop, h->child_in, 0, on_ready, t);
    compare(t, h->ring[0].head);
    turn(t);
}

static void meet(struct typist *t);

static void refused(struct typist *t, const struct hold_message *m)
{
    if (m->err == ERR_EXISTS) { /* an earlier life started it */
        drop_row(t, &t->conn_row);
        hold_drop(&t->hold);
        meet(t);
        return;
    }
    cmd_out(view_str(hold_why(&t->hold, m)));
    cmd_out(view_str("\n"));
    end(t, TYPIST_REFUSED);
}

static void on_conn(void *ctx, uint8_t ready)
{
    struct typist *t = ctx;
    struct hold_message m;
    int n;
    (void)ready;
    while (!t->over && t->conn_row >= 0 && (n = hold_recv(&t->hold, &m)) != 0) {
        if (n < 0) {
            end(t, TYPIST_LOST);
        } else if (m.op == HOLD_HELLO && m.err != OK) {
            refused(t, &m);
            return;
        } else if (m.op == HOLD_HELLO) {
            on_hello(t);
        } else if (m.op == HOLD_EXITED) {
            turn(t);
        }
    }
}

static int start(struct typist *t)
{
    static const char *const env[] = {"A=B", NULL};
    struct hold_start s = {.folder = TYPIST_FOLDER,
                           .id = "c0ffee",
                           .what = {.argv = t->argv, .env = env, .cwd = "/"},
                           .ring_bytes = t->ring,
                           .tty = t->tty,
                           .rows = 24,
                           .cols = 80};
    return hold_start(&t->hold, &s);
}

static void note_name(void *ctx, const char *name)
{
    if (strcmp(name, "c0ffee") == 0)
        *(bool *)ctx = true;
}

/* Adopt it, or start it. */
static void meet(struct typist *t)
{
    bool is_there = false;
    int err = port_folder_list(TYPIST_FOLDER, note_name, &is_there);
    if (err == OK || err == ERR_NOT_FOUND)
        err = is_there ? hold_adopt(&t->hold, TYPIST_FOLDER, "c0ffee")
                       : ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND || err == ERR_REFUSED)
        err = start(t);
    if (err == OK)
        t->conn_row = loop_add(&t->loop, t->hold.conn, PORT_READ, on_conn, t);
    else
        end(t, TYPIST_STUCK);
}

/* An earlier life was done, but perhaps did not say so to the keeper. */
static int let_go(struct typist *t)
{
    if (hold_adopt(&t->hold, TYPIST_FOLDER, "c0ffee") == OK)
        (void)hold_send(t->hold.conn, HOLD_RELEASE, "");
    return TYPIST_OK;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
    static struct typist t;
    static uint8_t memory[16384];
    uint8_t done[80];
    struct arena arena;
    (void)env;
    if (argc < 7)
        return CMD_USAGE;
    t.tty = strcmp(argv[1], "tty") == 0;
    t.ring = (uint32_t)strtoul(argv[2], NULL, 10);
    t.in = strtoull(argv[3], NULL, 10);
    t.out = argv[4][0] == '-' ? UINT64_MAX : strtoull(argv[4], NULL, 10);
    t.argv = (const char *const *)(argv + 6);
    t.conn_row = t.in_row = t.out_row[0] = t.out_row[1] = -1;
    if (port_keep_read(TYPIST_DONE, false, SPAN_ARRAY(done)) >= 0)
        return let_go(&t);
    arena_init(&arena, SPAN_ARRAY(memory));
    loop_init(&t.loop, &arena, 8, 2);
    (void)loop_add(&t.loop, port_signal_open(), PORT_READ, on_signal, &t);
    t.timer = loop_timer_add(&t.loop, on_timer, &t);
    loop_arm(&t.loop, t.timer, loop_now(&t.loop) + 1);
    meet(&t);
    while (!t.over)
        if (loop_turn(&t.loop) != OK)
            return TYPIST_STUCK;
    hold_drop(&t.hold);
    return t.status;
}

const struct cmd typist_cmd = {"typist", NULL, "", run};
