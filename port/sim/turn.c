/*
 * Whose turn it is; see sim.h. The driver and the roles hand one token round
 * with semaphores: a role runs from `go` until it posts `back`, in port_wait
 * or at its end. Time moves only here, when nobody could go on.
 */
#include "port/sim/world.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

sim_main *world_entry;
sim_note_fn *world_note;

/* ---- a role's side ------------------------------------------------------------------ */

int port_wait(struct port_want *table, size_t n, uint64_t until_ms)
{
    PORT_CALL();
    int count = 0;
    assert(n <= ROWS_MAX);
    memcpy(me->row, table, n * sizeof(*table));
    me->row_count = n;
    me->until_ms = until_ms;
    if (world_note != NULL)
        world_note(me->note);
    me->state = ROLE_WAITING;
    role_hand_back();
    role_wait_for_turn();
    for (size_t i = 0; i < n; i++) {
        table[i].ready = me->row[i].ready;
        count += table[i].ready != 0;
    }
    return count;
}

/* ---- beginnings and ends --------------------------------------------------------------- */

static void on_child(int sig)
{
    (void)sig; /* only to interrupt the driver's wait */
}

/* One of all these processes runs at a time, so they share one processor:
 * waking the next one on another takes longer than its turn. Each world asks
 * anew where that is best. */
static void stay_here(void)
{
    static cpu_set_t all;
    static bool is_known;
    cpu_set_t one;
    if (!is_known && sched_getaffinity(0, sizeof(all), &all) != 0)
        return;
    is_known = true;
    (void)sched_setaffinity(0, sizeof(all), &all);
    int cpu = sched_getcpu();
    if (cpu < 0)
        return;
    CPU_ZERO(&one);
    CPU_SET((unsigned)cpu, &one);
    (void)sched_setaffinity(0, sizeof(one), &one);
}

void sim_begin(uint64_t seed, sim_main *entry)
{
    struct sigaction sa = {.sa_handler = on_child};
    sim_end();
    stay_here();
    sigaction(SIGCHLD, &sa, NULL);
    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (world == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    world->seed = seed;
    world->chance = seed;
    world->hash = seed;
    world->latency_us = 1000;
    world->bytes_per_s = 50 * 1000 * 1000;
    world->tcp_dead_ms = 45000;
    world->next_port = 40000;
    world->next_pid = 5000;
    sem_init(&world->back, 1, 0);
    world_entry = entry;
}

void sim_end(void)
{
    if (world == NULL)
        return;
    for (int i = 0; i < world->roles; i++)
        sim_kill(i);
    munmap(world, sizeof(*world));
    world = NULL;
}

/* ---- one turn of one role ----------------------------------------------------------------- */

static void crashed(struct role *r, int raw)
{
    char what[80];
    if (WIFSIGNALED(raw))
        snprintf(what, sizeof(what), "was ended by signal %d", WTERMSIG(raw));
    else
        snprintf(what, sizeof(what), "crashed with status %d",
                 WEXITSTATUS(raw));
    world_trouble(r->line, what);
    r->real_pid = 0;
    r->state = ROLE_DEAD;
    role_bury(r);
}

/* Wait, in real time, until it hands back. False: it never will. */
static bool take_back(struct role *r)
{
    for (int tenths = 0; tenths < REAL_S_MAX * 10; tenths++) {
        struct timespec until;
        int raw;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (sem_timedwait(&world->back, &until) == 0)
            return true;
        if (waitpid(r->real_pid, &raw, WNOHANG) != r->real_pid)
            continue;
        crashed(r, raw);
        return false;
    }
    world_trouble(r->line, "hangs: it did not come back to port_wait");
    sim_kill(r->id);
    return false;
}

/* A loop that turns without time passing waits for something it never does. */
static void count_turn(struct role *r)
{
    uint64_t second = world->now_us / 1000000;
    r->turns++;
    if (second != r->second) {
        r->second = second;
        r->turns_in_second = 0;
    }
    if (++r->turns_in_second == TURNS_PER_S) {
        world_trouble(r->line, "spins");
        sim_kill(r->id);
    }
}

static void run_role(struct role *r)
{
    world_trace("turn", r->id, 0, VIEW_NONE);
    sem_post(&r->go);
    if (!take_back(r))
        return;
    world->now_us += TURN_US;
    if (r->state == ROLE_EXITED) {
        world_trace("ended", r->id, r->status, VIEW_NONE);
        role_bury(r);
        return;
    }
    if (r->state == ROLE_STRUCK) {
        sim_kill(r->id);
        return;
    }
    count_turn(r);
}

/* ---- who may go on ------------------------------------------------------------------------- */

static bool is_due(const struct role *r)
{
    return r->until_ms != PORT_FOREVER && r->until_ms * 1000 <= world->now_us;
}

static bool can_run(struct role *r)
{
    bool ready = false;
    if (r->frozen)
        return false;
    if (r->state == ROLE_READY)
        return true;
    if (r->state != ROLE_WAITING)
        return false;
    for (size_t i = 0; i < r->row_count; i++) {
        r->row[i].ready = handle_ready(r, &r->row[i]);
        ready = ready || r->row[i].ready != 0;
    }
    return ready || is_due(r);
}

static void settle(void)
{
    for (int i = 0; i < world->roles; i++)
        flow_settle(&world->flow[world->role[i].keys]);
    net_settle();
    procs_settle();
}

/* One of those that can go on, by chance: any order may happen. */
static struct role *choose(void)
{
    struct role *able[ROLES_MAX];
    uint32_t n = 0;
    for (int i = 0; i < world->roles; i++)
        if (can_run(&world->role[i]))
            able[n++] = &world->role[i];
    return n == 0 ? NULL : able[sim_roll(n)];
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return b > world->now_us && b < a ? b : a;
}

static uint64_t next_event(void)
{
    uint64_t at = sooner(net_next(), procs_next());
    for (int i = 0; i < world->roles; i++) {
        const struct role *r = &world->role[i];
        if (r->state == ROLE_WAITING && !r->frozen &&
            r->until_ms != PORT_FOREVER)
            at = sooner(at, r->until_ms * 1000);
        if (r->state == ROLE_WAITING)
            at = sooner(at, r->out_free_us);
    }
    return at;
}

static void fork_born(void)
{
    for (int i = 0; i < world->roles; i++)
        if (world->role[i].state == ROLE_BORN)
            role_fork(&world->role[i]);
}

/* One step of the world, not beyond `limit_us`. False: that is reached. */
static bool step(uint64_t limit_us)
{
    fork_born();
    settle();
    if (world->now_us >= limit_us)
        return false;
    struct role *r = choose();
    if (r != NULL) {
        run_role(r);
        return true;
    }
    uint64_t at = next_event();
    world->now_us = at < limit_us ? at : limit_us;
    return true;
}

bool sim_run_until(sim_fact *fact, void *ctx, uint64_t ms_max)
{
    uint64_t limit = world->now_us + ms_max * 1000;
    while (fact == NULL || !fact(ctx)) {
        if (world->trouble[0] != '\0' || !step(limit))
            return fact != NULL && fact(ctx);
    }
    return true;
}

void sim_run(uint64_t ms)
{
    (void)sim_run_until(NULL, NULL, ms);
}
