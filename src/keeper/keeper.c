/* The keeper's process; see keeper.h. */
#include "keeper/keeper.h"

#include <string.h>

#include "base/err.h"
#include "codec/msg.h"
#include "core/hold.h"
#include "core/paths.h"
#include "port/port.h"
#include "transport/loop.h"

#define ROWS_MAX     8
#define TIMERS_MAX   2
#define MEMORY_BYTES 16384
#define TAKE_MAX     4096
#define TAKE_ROUNDS  64
#define GRACE_MS     5000  /* between the end of the terminal and KILL */
#define LOOK_MS      60000 /* alone: is our socket still there? */
/* An ended child that no agent asked about for so long is forgotten. */
#define FORGET_MS    (7 * 24 * UINT64_C(3600000))

struct keeper {
    struct hold hold;
    struct loop loop;
    int listener, listener_row;
    int conn_row; /* -1: alone */
    int in_row;   /* of pipes; -1 */
    int out_row[HOLD_STREAMS];
    int pid;   /* of the child; the block's may be another's by now */
    int timer; /* KILL, or to forget an ended child */
    int look;
    bool released; /* nobody asks for the child's end */
    bool over;
    const char *folder, *id;
    char path[PATH_CAP]; /* of its socket; "": none yet */
};

static bool is_tty(const struct keeper *k)
{
    return k->hold.block->streams == 1;
}

/* Before its first child, and between two of them. */
static bool is_idle(const struct keeper *k)
{
    return k->hold.block == NULL || k->hold.block->pid == 0;
}

static bool is_alone(const struct keeper *k)
{
    return k->conn_row < 0;
}

/* ---- moving bytes, when alone ------------------------------------------------------- */

static void watch(struct keeper *k);

static void end_stream(struct keeper *k, uint32_t stream)
{
    if (k->out_row[stream] >= 0)
        loop_remove(&k->loop, k->out_row[stream]);
    k->out_row[stream] = -1;
    hold_close_out(&k->hold, stream);
    if (is_tty(k)) /* the same handle */
        hold_close_in(&k->hold);
}

static void take(struct keeper *k, uint32_t stream)
{
    for (int i = 0; i < TAKE_ROUNDS; i++) {
        int n = hold_take(&k->hold, stream, TAKE_MAX);
        if (n < 0)
            end_stream(k, stream);
        if (n <= 0)
            return;
    }
}

static void move(struct keeper *k, uint32_t stream)
{
    if (!is_alone(k))
        return;
    if (hold_feeds(&k->hold) && hold_feed(&k->hold) != OK)
        hold_close_in(&k->hold);
    take(k, stream);
    watch(k);
}

static void on_out(void *ctx, uint8_t ready)
{
    (void)ready;
    move(ctx, 0);
}

static void on_err(void *ctx, uint8_t ready)
{
    (void)ready;
    move(ctx, 1);
}

static void on_in(void *ctx, uint8_t ready)
{
    struct keeper *k = ctx;
    (void)ready;
    if (is_alone(k) && hold_feed(&k->hold) != OK)
        hold_close_in(&k->hold);
    watch(k);
}

static uint8_t wants_out(const struct keeper *k, uint32_t stream)
{
    return is_alone(k) && hold_room(&k->hold, stream) > 0 ? PORT_READ : 0;
}

static void watch(struct keeper *k)
{
    uint8_t in = is_alone(k) && hold_feeds(&k->hold) ? PORT_WRITE : 0;
    for (uint32_t i = 0; i < k->hold.block->streams; i++)
        if (k->out_row[i] >= 0)
            loop_want(&k->loop, k->out_row[i],
                      wants_out(k, i) | (is_tty(k) ? in : 0));
    if (k->in_row >= 0 && k->hold.child_in < 0) {
        loop_remove(&k->loop, k->in_row);
        k->in_row = -1;
    }
    if (k->in_row >= 0)
        loop_want(&k->loop, k->in_row, in);
}

/* ---- the child ------------------------------------------------------------------------- */

static void hang_up(struct keeper *k)
{
    for (uint32_t i = 0; i < k->hold.block->streams; i++)
        end_stream(k, i);
    hold_close_in(&k->hold);
    watch(k);
}

/* Nobody needs child and keeper any longer. Some programs outlive their
 * terminal; none outlives this. */
static void end_child(struct keeper *k)
{
    k->released = true;
    if (is_idle(k) || k->hold.block->exited) {
        k->over = true;
        return;
    }
    (void)port_child_signal((int)k->hold.block->pid,
                            is_tty(k) ? "HUP" : "TERM");
    hang_up(k);
    loop_arm(&k->loop, k->timer, loop_now(&k->loop) + GRACE_MS);
}

static void on_timer(void *ctx, uint64_t now_ms)
{
    struct keeper *k = ctx;
    (void)now_ms;
    if (is_idle(k))
        return;
    if (!k->hold.block->exited)
        (void)port_child_signal((int)k->hold.block->pid, "KILL");
    else if (is_alone(k))
        k->over = true;
}

/* Without its socket nobody will ever find it: the folder was removed. */
static void on_look(void *ctx, uint64_t now_ms)
{
    struct keeper *k = ctx;
    if (!is_alone(k))
        return;
    if (hold_has_place(k->folder, k->id))
        loop_arm(&k->loop, k->look, now_ms + LOOK_MS);
    else
        end_child(k);
}

static void on_exit_of(struct keeper *k, int status, int signal)
{
    struct hold_block *b = k->hold.block;
    b->status = (uint32_t)status;
    b->signal = (uint32_t)signal;
    b->ended_ms = (uint64_t)port_wall_ms();
    b->exited = 1;
    k->over = k->released;
    loop_arm(&k->loop, k->timer, loop_now(&k->loop) + FORGET_MS);
    if (!is_alone(k))
        (void)hold_send(k->hold.conn, HOLD_EXITED, "");
    else
        for (uint32_t i = 0; i < b->streams; i++)
            take(k, i); /* what it said last */
}

static void on_signal(void *ctx, uint8_t ready)
{
    struct keeper *k = ctx;
    enum port_signal sig;
    int pid, status, signal;
    (void)ready;
    while ((sig = port_signal_take()) != PORT_SIG_NONE) {
        if (sig == PORT_SIG_TERM)
            end_child(k);
        while (sig == PORT_SIG_CHILD &&
               (pid = port_child_reap(&status, &signal)) > 0)
            if (pid == k->pid)
                on_exit_of(k, status, signal);
    }
}

/* ---- agents ---------------------------------------------------------------------------- */

/* Who has no place that the next agent could look at ends with this one. */
static void alone(struct keeper *k)
{
    loop_remove(&k->loop, k->conn_row);
    port_close(k->hold.conn);
    k->conn_row = k->hold.conn = -1;
    if (is_idle(k) || k->path[0] == '\0') {
        end_child(k);
        return;
    }
    hold_settle(&k->hold);
    loop_arm(&k->loop, k->look, loop_now(&k->loop));
    if (k->hold.block->exited)
        loop_arm(&k->loop, k->timer, loop_now(&k->loop) + FORGET_MS);
    for (uint32_t i = 0; i < k->hold.block->streams; i++)
        move(k, i);
}

static int spawn(struct keeper *k, const struct hold_order *o)
{
    struct port_child child;
    struct hold *h = &k->hold;
    int err = is_tty(k) ? port_tty_spawn(&o->what, o->rows, o->cols, &child)
                        : port_pipe_spawn(&o->what, &child);
    if (err != OK)
        return err;
    k->pid = child.pid;
    h->block->pid = (uint32_t)child.pid;
    h->child_in = is_tty(k) ? child.tty : child.in;
    h->child_out[0] = is_tty(k) ? child.tty : child.out;
    h->child_out[1] = child.err;
    return OK;
}

static void watch_child(struct keeper *k)
{
    static loop_row_fn *const fn[HOLD_STREAMS] = {on_out, on_err};
    for (uint32_t i = 0; i < (is_tty(k) ? 1 : HOLD_STREAMS); i++)
        k->out_row[i] = loop_add(&k->loop, k->hold.child_out[i], 0, fn[i], k);
    if (!is_tty(k))
        k->in_row = loop_add(&k->loop, k->hold.child_in, 0, on_in, k);
}

/* The child has ended; the agent has set the block back. */
static void rest(struct keeper *k)
{
    hang_up(k);
    loop_disarm(&k->loop, k->timer);
}

static void on_listener(void *ctx, uint8_t ready);
static void on_conn(void *ctx, uint8_t ready);

/* Where the next agent finds it, whatever becomes of this one. */
static int take_place(struct keeper *k)
{
    int err = paths_join(k->path, k->folder, k->id);
    k->listener = err == OK ? port_local_listen(k->path) : err;
    if (k->listener < 0) {
        k->path[0] = '\0';
        return k->listener;
    }
    k->listener_row =
        loop_add(&k->loop, k->listener, PORT_READ, on_listener, k);
    return k->listener_row;
}

/* Its place comes before its child: of two with one id, the second starts
 * nothing. */
static int begin(struct keeper *k)
{
    static struct hold_order order;
    int err = k->path[0] == '\0' ? take_place(k) : OK;
    if (err == ERR_EXISTS)
        return err;
    err = hold_read_order(&k->hold, &order);
    if (err == OK)
        err = spawn(k, &order);
    hold_wipe_order(&k->hold);
    return err;
}

static void greet(struct keeper *k, bool all)
{
    if (hold_send_hello(&k->hold, k->hold.conn, all) > 0)
        return;
    on_conn(k, 0); /* who has gone already may have said something */
    if (!is_alone(k))
        alone(k);
}

static void run_child(struct keeper *k)
{
    int err = begin(k);
    if (err != OK) {
        hold_send_error(&k->hold, k->hold.conn, err, port_why());
        end_child(k);
        return;
    }
    watch_child(k);
    greet(k, false);
    if (is_tty(k))
        port_memory_trim(); /* it will sleep for long */
}

/* Whoever dismisses us knows of the child: its id is free again. */
static void give_up_place(struct keeper *k)
{
    if (k->path[0] == '\0')
        return;
    loop_remove(&k->loop, k->listener_row);
    port_close(k->listener);
    (void)port_keep_remove(k->path);
    k->path[0] = '\0';
}

static void obey(struct keeper *k, const struct hold_message *m)
{
    if (k->hold.block == NULL && m->op != HOLD_RELEASE)
        return; /* nothing to do it with */
    switch (m->op) {
    case HOLD_RUN: run_child(k); break;
    case HOLD_SIGNAL:
        if (!is_idle(k) && !k->hold.block->exited)
            (void)port_child_signal((int)k->hold.block->pid, m->text);
        break;
    case HOLD_END_INPUT:
        hold_close_in(&k->hold);
        watch(k);
        break;
    case HOLD_HANG_UP: hang_up(k); break;
    case HOLD_REST: rest(k); break;
    case HOLD_RELEASE:
        give_up_place(k);
        end_child(k);
        break;
    default: break; /* a newer agent's wish */
    }
}

static void on_conn(void *ctx, uint8_t ready)
{
    struct keeper *k = ctx;
    struct hold_message m;
    (void)ready;
    int n;
    while (!is_alone(k) && (n = hold_recv(&k->hold, &m)) != 0) {
        if (n < 0)
            alone(k);
        else
            obey(k, &m);
    }
}

/* The newest agent is the one: an older one has ended, or hangs. */
static void on_listener(void *ctx, uint8_t ready)
{
    struct keeper *k = ctx;
    (void)ready;
    int conn = port_accept(k->listener, NULL);
    if (conn < 0)
        return;
    if (!port_local_same_user(conn)) {
        port_close(conn);
        return;
    }
    if (!is_alone(k))
        alone(k);
    k->hold.conn = conn;
    k->conn_row = loop_add(&k->loop, conn, PORT_READ, on_conn, k);
    watch(k);
    greet(k, true);
}

/* ---- start ------------------------------------------------------------------------------- */

static int run(const struct cmd_env *env, int argc, char **argv)
{
    static struct keeper k;
    const struct cmd_opt opts[] = {{"--folder", NULL, NULL, &k.folder},
                                   {"--id", NULL, NULL, &k.id}};
    struct arena arena;
    int rest;
    (void)env;
    int status = cmd_options(&keeper_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (k.folder == NULL || k.id == NULL || port_is_tty(PORT_STDIN))
        return cmd_usage(&keeper_cmd, "the agent starts keepers by itself", "");
    arena_init(&arena, port_memory(MEMORY_BYTES));
    loop_init(&k.loop, &arena, ROWS_MAX, TIMERS_MAX);
    hold_none(&k.hold);
    k.in_row = k.out_row[0] = k.out_row[1] = -1;
    k.timer = loop_timer_add(&k.loop, on_timer, &k);
    k.look = loop_timer_add(&k.loop, on_look, &k);
    k.hold.conn = PORT_STDIN;
    k.conn_row = loop_add(&k.loop, PORT_STDIN, PORT_READ, on_conn, &k);
    (void)loop_add(&k.loop, port_signal_open(), PORT_READ, on_signal, &k);
    while (!k.over)
        if (loop_turn(&k.loop) != OK)
            port_fatal(port_why());
    if (is_idle(&k)) /* else its place tells that there was a child */
        give_up_place(&k);
    return CMD_OK;
}

const struct cmd keeper_cmd = {
    "keeper", NULL,
    "`cmdop keeper` holds a session or a command for the agent, which starts "
    "it\nby itself.\n",
    run};
