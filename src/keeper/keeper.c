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
#define GRACE_MS     5000 /* between the end of the terminal and KILL */
/* An ended child that no agent asked about for so long is forgotten. */
#define FORGET_MS    (7 * 24 * UINT64_C(3600000))

struct keeper {
    struct hold hold;
    struct loop loop;
    int listener;
    int conn_row; /* -1: alone */
    int in_row;   /* of pipes; -1 */
    int out_row[HOLD_STREAMS];
    int timer;
    bool tty;
    bool over;
    char path[PATH_CAP]; /* of its socket; "": none yet */
};

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
    if (k->tty) /* the same handle */
        hold_close_in(&k->hold);
}

/* A terminal's oldest output makes room; a command waits. */
static void take(struct keeper *k, uint32_t stream)
{
    for (int i = 0; i < TAKE_ROUNDS; i++) {
        int n = hold_take(&k->hold, stream, k->tty, TAKE_MAX);
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
    bool room = k->tty || ring_room(&k->hold.ring[stream]) > 0;
    return is_alone(k) && room ? PORT_READ : 0;
}

static void watch(struct keeper *k)
{
    uint8_t in = is_alone(k) && hold_feeds(&k->hold) ? PORT_WRITE : 0;
    for (uint32_t i = 0; i < k->hold.block->streams; i++)
        if (k->out_row[i] >= 0)
            loop_want(&k->loop, k->out_row[i],
                      wants_out(k, i) | (k->tty ? in : 0));
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

/* Some programs outlive their terminal; none outlives this. */
static void end_child(struct keeper *k)
{
    if (k->hold.block->exited)
        return;
    (void)port_child_signal((int)k->hold.block->pid, k->tty ? "HUP" : "TERM");
    hang_up(k);
    loop_arm(&k->loop, k->timer, loop_now(&k->loop) + GRACE_MS);
}

static void on_timer(void *ctx, uint64_t now_ms)
{
    struct keeper *k = ctx;
    (void)now_ms;
    if (!k->hold.block->exited)
        (void)port_child_signal((int)k->hold.block->pid, "KILL");
    else if (is_alone(k))
        k->over = true;
}

static void on_exit_of(struct keeper *k, int status, int signal)
{
    struct hold_block *b = k->hold.block;
    b->status = (uint32_t)status;
    b->signal = (uint32_t)signal;
    b->ended_ms = (uint64_t)port_wall_ms();
    b->exited = 1;
    loop_arm(&k->loop, k->timer, loop_now(&k->loop) + FORGET_MS);
    if (!is_alone(k))
        hold_send(k->hold.conn, HOLD_EXITED, OK, "");
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
            if (pid == (int)k->hold.block->pid)
                on_exit_of(k, status, signal);
    }
}

/* ---- agents ---------------------------------------------------------------------------- */

static void alone(struct keeper *k)
{
    loop_remove(&k->loop, k->conn_row);
    port_close(k->hold.conn);
    k->conn_row = k->hold.conn = -1;
    hold_settle(&k->hold);
    if (k->hold.block->exited)
        loop_arm(&k->loop, k->timer, loop_now(&k->loop) + FORGET_MS);
    for (uint32_t i = 0; i < k->hold.block->streams; i++)
        move(k, i);
}

static void obey(struct keeper *k, const struct hold_message *m)
{
    switch (m->op) {
    case HOLD_SIGNAL:
        if (!k->hold.block->exited)
            (void)port_child_signal((int)k->hold.block->pid, m->text);
        break;
    case HOLD_END_INPUT:
        hold_close_in(&k->hold);
        watch(k);
        break;
    case HOLD_HANG_UP: hang_up(k); break;
    case HOLD_RELEASE: k->over = true; break;
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
    if (hold_send_hello(&k->hold, conn) <= 0)
        alone(k);
}

/* ---- start ------------------------------------------------------------------------------- */

static int listen_at(struct keeper *k, const char *folder, const char *id)
{
    int err = paths_join(k->path, folder, id);
    k->listener = err == OK ? port_local_listen(k->path) : err;
    if (k->listener < 0) {
        k->path[0] = '\0';
        return k->listener;
    }
    return loop_add(&k->loop, k->listener, PORT_READ, on_listener, k);
}

static int spawn(struct keeper *k, const struct port_spawn *what, uint16_t rows,
                 uint16_t cols)
{
    struct port_child child;
    struct hold *h = &k->hold;
    int err = k->tty ? port_tty_spawn(what, rows, cols, &child)
                     : port_pipe_spawn(what, &child);
    if (err != OK)
        return err;
    h->block->pid = (uint32_t)child.pid;
    h->child_in = k->tty ? child.tty : child.in;
    h->child_out[0] = k->tty ? child.tty : child.out;
    h->child_out[1] = child.err;
    return OK;
}

static void add_rows(struct keeper *k)
{
    static loop_row_fn *const fn[HOLD_STREAMS] = {on_out, on_err};
    k->conn_row = loop_add(&k->loop, k->hold.conn, PORT_READ, on_conn, k);
    for (uint32_t i = 0; i < k->hold.block->streams; i++)
        k->out_row[i] = loop_add(&k->loop, k->hold.child_out[i], 0, fn[i], k);
    if (!k->tty)
        k->in_row = loop_add(&k->loop, k->hold.child_in, 0, on_in, k);
    k->timer = loop_timer_add(&k->loop, on_timer, k);
}

/* Its place comes before its child: of two with one id, the second starts
 * nothing. Without a place it ends with its agent. */
static int begin(struct keeper *k, const char *folder, const char *id,
                 const struct port_spawn *what, uint16_t rows, uint16_t cols)
{
    int err = listen_at(k, folder, id);
    return err == ERR_EXISTS ? err : spawn(k, what, rows, cols);
}

static int fail(struct keeper *k, int err)
{
    hold_send(k->hold.conn, HOLD_HELLO, err, port_why());
    if (k->path[0] != '\0')
        (void)port_keep_remove(k->path);
    return CMD_FAILED;
}

static int keep(struct keeper *k)
{
    add_rows(k);
    if (hold_send_hello(&k->hold, k->hold.conn) <= 0)
        alone(k); /* the next agent finds it */
    while (!k->over) {
        if (k->path[0] == '\0' && is_alone(k))
            break;
        if (loop_turn(&k->loop) != OK)
            port_fatal(port_why());
    }
    if (k->path[0] != '\0')
        (void)port_keep_remove(k->path);
    return CMD_OK;
}

static bool parse_size(const char *text, uint16_t *rows, uint16_t *cols)
{
    struct view v = view_str(text);
    ptrdiff_t x = view_find(v, 'x');
    uint64_t r, c;
    if (x < 0 || text_parse_u64(view_first(v, (size_t)x), 4096, &r) != OK ||
        text_parse_u64(view_from(v, (size_t)x + 1), 4096, &c) != OK)
        return false;
    *rows = (uint16_t)r;
    *cols = (uint16_t)c;
    return true;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
    static struct keeper k;
    const char *folder = NULL, *id = NULL, *ring = NULL, *size = NULL;
    struct port_spawn what = {.cwd = "."};
    const struct cmd_opt opts[] = {{"--folder", NULL, NULL, &folder},
                                   {"--id", NULL, NULL, &id},
                                   {"--ring", NULL, NULL, &ring},
                                   {"--tty", NULL, NULL, &size},
                                   {"--login", NULL, &what.login, NULL}};
    uint16_t rows = 24, cols = 80;
    uint64_t ring_bytes = 0;
    struct arena arena;
    int rest;
    (void)env;
    int status = cmd_options(&keeper_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (folder == NULL || id == NULL || ring == NULL || rest >= argc ||
        text_parse_u64(view_str(ring), UINT32_MAX, &ring_bytes) != OK ||
        (size != NULL && !parse_size(size, &rows, &cols)))
        return cmd_usage(&keeper_cmd, "the agent starts keepers by itself", "");
    arena_init(&arena, port_memory(MEMORY_BYTES));
    loop_init(&k.loop, &arena, ROWS_MAX, TIMERS_MAX);
    k.tty = size != NULL;
    k.in_row = k.out_row[0] = k.out_row[1] = -1;
    (void)loop_add(&k.loop, port_signal_open(), PORT_READ, on_signal, &k);
    int err = hold_new(&k.hold, k.tty ? 1 : HOLD_STREAMS, (uint32_t)ring_bytes);
    if (err == OK) {
        what.argv = (const char *const *)(argv + rest);
        err = begin(&k, folder, id, &what, rows, cols);
    }
    k.hold.conn = PORT_STDIN;
    return err == OK ? keep(&k) : fail(&k, err);
}

const struct cmd keeper_cmd = {
    "keeper", NULL,
    "`cmdop keeper` holds a session or a command for the agent, which starts "
    "it\nby itself.\n",
    run};
