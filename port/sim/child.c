/* Programs that a role starts: terminals, pipes, signals, ends. What they do
 * is in program.c. */
#include "port/sim/world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

enum { TTY_CAP = 4096, PIPE_CAP = 64 * 1024 };

/* ---- start --------------------------------------------------------------------- */

static struct proc *proc_new(void)
{
    for (int i = 0; i < PROCS_MAX; i++) {
        struct proc *p = &world->proc[i];
        if (p->used)
            continue;
        memset(p, 0, sizeof(*p));
        if (i >= world->procs)
            world->procs = i + 1;
        p->used = true;
        p->role = me->id;
        p->host = me->host;
        world->children_ever[p->host]++;
        p->pid = world->next_pid++;
        p->wake_us = NEVER;
        return p;
    }
    return NULL;
}

static void take_args(struct proc *p, const char *const *argv)
{
    for (int i = 0; i < 4 && argv[i] != NULL; i++)
        snprintf(p->args[i], sizeof(p->args[i]), "%s", argv[i]);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int start(const struct port_spawn *what, bool is_tty, struct proc **out)
{
    program_fn *step = program_find(base_name(what->argv[0]));
    int err = world_fault(SIM_SPAWN);
    if (err != OK)
        return err;
    if (step == NULL)
        return world_why(ERR_NOT_FOUND, what->argv[0]);
    struct proc *p = proc_new();
    if (p == NULL)
        return world_why(ERR_LIMIT, "too many programs");
    take_args(p, what->argv);
    p->step = step;
    p->is_tty = is_tty;
    for (int i = 0; i < 3; i++)
        p->flow[i] = flow_new(is_tty ? TTY_CAP : PIPE_CAP);
    world_trace("spawn", p->pid, is_tty, view_str(p->args[0]));
    *out = p;
    return OK;
}

static int idx_of(const struct proc *p)
{
    return (int)(p - world->proc);
}

int port_tty_spawn(const struct port_spawn *what, uint16_t rows, uint16_t cols,
                   struct port_child *out)
{
    PORT_CALL();
    struct proc *p;
    int err = start(what, true, &p);
    if (err != OK)
        return err;
    p->rows = rows;
    p->cols = cols;
    p->open[1] = 1;
    *out = (struct port_child){.pid = p->pid, .in = -1, .out = -1, .err = -1};
    out->tty = handle_new(KIND_TTY, idx_of(p), 1);
    assert(out->tty >= 0);
    return OK;
}

int port_pipe_spawn(const struct port_spawn *what, struct port_child *out)
{
    PORT_CALL();
    struct proc *p;
    int handle[3];
    int err = start(what, false, &p);
    if (err != OK)
        return err;
    for (int i = 0; i < 3; i++) {
        handle[i] = handle_new(KIND_CHILD, idx_of(p), i);
        assert(handle[i] >= 0);
        p->open[i] = 1;
    }
    *out = (struct port_child){p->pid, -1, handle[0], handle[1], handle[2]};
    return OK;
}

int port_tty_resize(int tty, uint16_t rows, uint16_t cols)
{
    PORT_CALL();
    struct handle *h = handle_of(tty);
    if (h == NULL || h->kind != KIND_TTY)
        return ERR_UNSUPPORTED;
    world->proc[h->idx].rows = rows;
    world->proc[h->idx].cols = cols;
    world_trace("resize", rows, cols, VIEW_NONE);
    return OK;
}

bool port_tty_flushes(int tty, struct view keys)
{
    const struct handle *h = handle_of(tty);
    return h != NULL && h->kind == KIND_TTY && keys.len > 0 &&
           memchr(keys.ptr, 0x03, keys.len) != NULL;
}

/* ---- end ------------------------------------------------------------------------- */

static void release(struct proc *p)
{
    if (!p->ended || !p->reaped || p->open[0] || p->open[1] || p->open[2])
        return;
    for (int i = 0; i < 3; i++)
        flow_free(p->flow[i]);
    p->used = false;
}

void proc_exit(struct proc *p, int status, int sig)
{
    if (p->ended)
        return;
    p->ended = true;
    p->status = status;
    p->by_signal = sig;
    p->wake_us = NEVER;
    flow_end(&world->flow[p->flow[1]], 0);
    flow_end(&world->flow[p->flow[2]], 0);
    world_trace("exit", p->pid, status * 256 + sig, VIEW_NONE);
    if (p->role >= 0)
        world->role[p->role].signals |= 1u << PORT_SIG_CHILD;
    else
        p->reaped = true; /* by whoever inherits orphans */
    release(p);
}

void proc_close(struct proc *p, int end)
{
    if (--p->open[end] > 0)
        return; /* another role has it as well */
    if (p->is_tty && !p->ended)
        p->sig = 1; /* the terminal hung up */
    if (!p->is_tty && end == 0)
        flow_end(&world->flow[p->flow[0]], 0);
    else /* whoever waits for room there is told that nobody reads */
        flow_forget(&world->flow[p->flow[p->is_tty ? 1 : end]]);
    release(p);
}

/* Its terminals and pipes were closed already; who ignores that lives on. */
void proc_orphan(int role)
{
    for (int i = 0; i < world->procs; i++) {
        struct proc *p = &world->proc[i];
        if (!p->used || p->role != role)
            continue;
        p->role = -1;
        p->reaped = p->ended;
        release(p);
    }
}

static const struct {
    char name[8];
    int number;
} SIGNALS[] = {{"HUP", 1},   {"INT", 2},   {"QUIT", 3}, {"KILL", 9},
               {"USR1", 10}, {"USR2", 12}, {"TERM", 15}};

static int number_of(const char *name)
{
    for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++)
        if (strcmp(SIGNALS[i].name, name) == 0)
            return SIGNALS[i].number;
    return 0;
}

bool port_signal_known(const char *name)
{
    return number_of(name) != 0;
}

int port_child_signal(int pid, const char *name)
{
    PORT_CALL();
    int number = number_of(name);
    if (number == 0)
        return world_why(ERR_RANGE, name);
    world_trace("signal", pid, number, VIEW_NONE);
    for (int i = 0; i < world->procs; i++) {
        struct proc *p = &world->proc[i];
        if (!p->used || p->pid != pid || p->ended)
            continue;
        p->sig = number;
        return OK;
    }
    return world_why(ERR_NOT_FOUND, "no such process");
}

int port_child_reap(int *status, int *signal)
{
    PORT_CALL();
    for (int i = 0; i < world->procs; i++) {
        struct proc *p = &world->proc[i];
        if (!p->used || p->role != me->id || !p->ended || p->reaped)
            continue;
        int pid = p->pid;
        *status = p->by_signal != 0 ? 128 + p->by_signal : p->status;
        *signal = p->by_signal;
        p->reaped = true;
        release(p);
        return pid;
    }
    return 0;
}

int sim_children(int host)
{
    int n = 0;
    for (int i = 0; i < world->procs; i++)
        n += world->proc[i].used && !world->proc[i].ended &&
             world->proc[i].host == host;
    return n;
}

int sim_children_ever(int host)
{
    return world->children_ever[host];
}

/* ---- time -------------------------------------------------------------------------- */

static void settle_flows(struct proc *p)
{
    for (int i = 0; i < 3; i++)
        flow_settle(&world->flow[p->flow[i]]);
}

static void turn(struct proc *p)
{
    settle_flows(p);
    if (p->ended)
        return;
    if (p->wake_us <= world->now_us)
        p->wake_us = NEVER;
    p->step(p);
    if (p->used)
        settle_flows(p);
}

void procs_settle(void)
{
    for (int i = 0; i < world->procs; i++)
        if (world->proc[i].used)
            turn(&world->proc[i]);
}

uint64_t procs_next(void)
{
    uint64_t at = NEVER;
    for (int i = 0; i < world->procs; i++)
        if (world->proc[i].used && world->proc[i].wake_us < at)
            at = world->proc[i].wake_us;
    return at;
}
