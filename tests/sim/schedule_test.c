/*
 * Any schedule: operators on one shared session, and at random times anything
 * that can happen to the town. Hosts lose each other, lines are slow, programs
 * are killed, hang, stop and start, clocks jump, a disk is full. When all of
 * that is over, everything must be as if it had not happened: input is applied
 * once, screens show what was said, nobody hangs, nothing is left over.
 *
 *   SEED=n         this schedule alone
 *   SCHEDULES=n    so many, from FROM (1) on
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "sim/crew.h"
#include "sim/pools.h"
#include "sim/town.h"

#define SECOND    UINT64_C(1000)
#define MINUTE    (60 * SECOND)
#define YEAR      (365 * 24 * 60 * MINUTE)
#define SCHEDULES 200
#define ECHO_MS   (3 * SECOND)
#define SETTLE_MS (4 * MINUTE)

enum { PLACES = 2 + CREW_DESKS }; /* hosts: relay, machine, desks */

static struct crew crew;
static int place[PLACES];
static struct job {
    int tool; /* -1: none */
    bool is_ended;
    size_t typed;
} job;
static bool agent_was_down;
static bool had_trouble; /* an agent: it may not know the session for a while */

/* ---- what can happen ----------------------------------------------------------------- */

static void somebody_types(void)
{
    struct mate *o = crew_typist(&crew);
    if (o != NULL)
        crew_type(&crew, o, 1 + sim_roll(sim_roll(8) == 0 ? 300 : 8));
}

static void somebody_asks(void)
{
    struct mate *o = crew_typist(&crew);
    if (o != NULL)
        crew_ask(&crew, o, sim_roll(20) == 0 ? '%' : '+');
}

/* Longer than a machine waits for it, and longer than its ring is. */
static void somebody_hangs_in_a_flood(void)
{
    struct mate *typist = crew_typist(&crew), *other = crew_any(&crew);
    if (typist == NULL || typist == other)
        return;
    sim_freeze(other->tool, true);
    crew_ask(&crew, typist, '%');
    sim_run(sim_roll(20000));
    sim_freeze(other->tool, false);
}

static int any_place(void)
{
    return place[sim_roll(PLACES)];
}

static void a_path_ends(void)
{
    int a = any_place(), b = sim_roll(5) == 0 ? any_place() : town.relay_host;
    if (a != b)
        sim_partition(a, b, true);
}

static void paths_are_back(void)
{
    for (int i = 0; i < PLACES; i++)
        for (int k = 0; k < i; k++)
            sim_partition(place[i], place[k], false);
}

static void a_line_is_cut(void)
{
    int a = any_place();
    if (a != town.relay_host)
        sim_reset(a, town.relay_host);
}

static void lines_are_slow(void)
{
    sim_network(sim_roll(300000), 20000 + sim_roll(1000000));
}

static void lines_are_fast(void)
{
    sim_network(1000, 50 * 1000 * 1000);
}

/* A role that can be struck: relay, agent, or somebody's tool. */
static int any_role(void)
{
    struct mate *o = crew_any(&crew);
    uint32_t which = sim_roll(3);
    if (which == 0 && o != NULL)
        return o->tool;
    return which == 1 ? town.relay : town.agent;
}

static void somebody_is_killed(void)
{
    int role = any_role();
    for (int i = 0; i < crew.count; i++)
        crew.op[i].may_end = crew.op[i].may_end || crew.op[i].tool == role;
    sim_kill(role);
}

static void somebody_is_killed_in_a_call(void)
{
    uint32_t most = sim_roll(2) == 0 ? 30 : 400;
    sim_kill_at(any_role(), 1 + sim_roll(most), sim_roll(2) == 0);
}

/* No agent gets far. */
static void agents_come_and_go(void)
{
    for (uint32_t n = 1 + sim_roll(4); n > 0; n--) {
        sim_kill(town.agent);
        agent_was_down = true;
        town_start_agent();
        sim_kill_at(town.agent, 1 + sim_roll(300), sim_roll(2) == 0);
        sim_run(sim_roll(3000));
    }
}

/* Connections are not made, names not found. */
static void calls_fail(void)
{
    had_trouble = true; /* it may be an agent that begins */
    sim_fault(any_role(),
              SIM_DIAL | SIM_ACCEPT | SIM_RESOLVE | SIM_KEEP | SIM_SHARED,
              1 + sim_roll(3), sim_roll(2) == 0, ERR_LIMIT);
}

/* An agent that finds its files and its keepers only with trouble. */
static void an_agent_starts_badly(void)
{
    sim_kill(town.agent);
    agent_was_down = had_trouble = true;
    town_start_agent();
    sim_fault(town.agent, SIM_KEEP | SIM_SHARED | SIM_LISTEN | SIM_DIAL,
              1 + sim_roll(15), sim_roll(3) == 0,
              sim_roll(2) == 0 ? ERR_LIMIT : ERR_IO);
    sim_run(sim_roll(3000));
}

static void no_call_fails(void)
{
    sim_fault(-1, 0, 0, false, OK);
}

static void somebody_hangs(void)
{
    sim_freeze(any_role(), true);
}

static bool is_keeper(int role)
{
    return sim_alive(role) && strncmp(sim_line(role), "cmdop keeper", 12) == 0;
}

/* For less than a new agent would wait, so that it knows them again before
 * somebody asks for any session. */
static void keepers_hang(void)
{
    for (int i = 0; i < sim_roles(); i++)
        if (is_keeper(i))
            sim_freeze(i, true);
    if (!sim_alive(town.agent))
        town_start_agent();
    sim_run(sim_roll(1500));
    for (int i = 0; i < sim_roles(); i++)
        if (is_keeper(i))
            sim_freeze(i, false);
    sim_run(100);
}

static void nobody_hangs(void)
{
    for (int i = 0; i < sim_roles(); i++)
        if (sim_alive(i))
            sim_freeze(i, false);
}

static void somebody_is_stopped(void)
{
    int role = sim_roll(2) == 0 ? town.relay : town.agent;
    if (sim_alive(role))
        sim_signal(role, PORT_SIG_TERM);
}

static void what_is_down_starts(void)
{
    if (!sim_alive(town.relay) && sim_roll(2) == 0)
        town_spawn_relay();
    if (!sim_alive(town.agent) && sim_roll(2) == 0)
        town_start_agent();
}

static void a_clock_jumps(void)
{
    int64_t years = (int64_t)sim_roll(20) - 5;
    sim_wall(any_place(), years * (int64_t)YEAR + sim_roll(1000000));
}

static void a_disk_fills(void)
{
    sim_disk_full(town.machine_host, true);
}

static void a_disk_has_room(void)
{
    sim_disk_full(town.machine_host, false);
}

static void somebody_comes(void)
{
    if (crew_there(&crew) < CREW_DESKS && crew.count < CREW_MAX - 1)
        crew_come(&crew, sim_roll(4) == 0, had_trouble || sim_roll(2) == 0);
}

static void somebody_leaves(void)
{
    struct mate *o = crew_any(&crew);
    if (o == NULL)
        return;
    o->may_end = true;
    if (sim_roll(2) == 0)
        sim_type(o->tool, view_str("\x04"));
    else
        sim_hang_up(o->tool);
}

static void a_window_changes(void)
{
    struct mate *o = crew_any(&crew);
    if (o != NULL)
        sim_resize(o->tool, (uint16_t)(1 + sim_roll(200)), 80);
}

static void a_command_runs(void)
{
    static const struct sim_start how = {.open_stdin = true};
    uint8_t bytes[200];
    size_t n = 1 + sim_roll(sizeof(bytes));
    if (job.tool < 0)
        job.tool = town_tool("connect exec web-1 -- cat", &how);
    if (job.is_ended)
        return;
    for (size_t i = 0; i < n; i++)
        bytes[i] = sim_dictation(job.typed + i);
    sim_type(job.tool, view_of(bytes, n));
    job.typed += n;
    job.is_ended = sim_roll(4) == 0;
    if (job.is_ended)
        sim_type_end(job.tool);
}

static const struct {
    uint32_t weight;
    void (*happens)(void);
} EVENTS[] = {
    {30, somebody_types},
    {6, somebody_asks},
    {6, a_path_ends},
    {5, paths_are_back},
    {5, a_line_is_cut},
    {2, lines_are_slow},
    {2, lines_are_fast},
    {4, somebody_is_killed},
    {4, somebody_is_killed_in_a_call},
    {2, agents_come_and_go},
    {2, calls_fail},
    {2, an_agent_starts_badly},
    {3, no_call_fails},
    {2, somebody_hangs},
    {3, nobody_hangs},
    {1, somebody_hangs_in_a_flood},
    {1, keepers_hang},
    {2, somebody_is_stopped},
    {12, what_is_down_starts},
    {2, a_clock_jumps},
    {1, a_disk_fills},
    {3, a_disk_has_room},
    {8, somebody_comes},
    {2, somebody_leaves},
    {1, a_window_changes},
    {4, a_command_runs},
};
enum { EVENTS_COUNT = sizeof(EVENTS) / sizeof(EVENTS[0]) };

static void something_happens(void)
{
    uint32_t all = 0, i = 0;
    for (int k = 0; k < EVENTS_COUNT; k++)
        all += EVENTS[k].weight;
    for (uint32_t at = sim_roll(all); at >= EVENTS[i].weight; i++)
        at -= EVENTS[i].weight;
    EVENTS[i].happens();
}

static uint64_t a_while(void)
{
    switch (sim_roll(8)) {
    case 0: return 0;
    case 1:
    case 2: return sim_roll(5000);
    case 3: return sim_roll(sim_roll(3) == 0 ? 90000 : 1000);
    default: return sim_roll(100);
    }
}

/* ---- afterwards ------------------------------------------------------------------------ */

static void all_is_well_again(void)
{
    paths_are_back();
    lines_are_fast();
    nobody_hangs();
    a_disk_has_room();
    no_call_fails();
    for (int i = 0; i < sim_roles(); i++)
        sim_kill_at(i, 0, false);
    if (job.tool >= 0)
        sim_type_end(job.tool);
}

/* Until nobody is down; an agent that was told to leave does so first. */
static void all_start(void)
{
    for (int i = 0; i < 10; i++) {
        if (!sim_alive(town.relay))
            town_spawn_relay();
        if (!sim_alive(town.agent))
            town_start_agent();
        sim_run(3 * SECOND);
    }
}

static bool is_settled(void *ctx)
{
    (void)ctx;
    return crew_is_settled(&crew) && (job.tool < 0 || !sim_alive(job.tool));
}

static bool describe(void)
{
    for (int i = 0; i < crew.count; i++) {
        const struct mate *o = &crew.op[i];
        if (o->state == CREW_THERE)
            (void)crew_wrong(&crew,
                             "not settled: operator %d, %zu of %zu applied, "
                             "%llu of %zu shown; job %s",
                             i, o->applied, o->typed_len,
                             (unsigned long long)o->shown, sim_said().len,
                             job.tool >= 0 && sim_alive(job.tool) ? "runs"
                                                                  : "is over");
    }
    return crew_wrong(&crew, "not settled");
}

static bool settles(void)
{
    if (!sim_run_until(is_settled, NULL, SETTLE_MS) && crew.why[0] == '\0')
        return describe();
    return crew.why[0] == '\0';
}

struct echo {
    char key;
    size_t before;
};

static bool is_echoed(void *ctx)
{
    (void)ctx;
    if (!crew_is_settled(&crew))
        return false;
    for (int i = 0; i < crew.count; i++) {
        struct view v = sim_out(crew.op[i].tool);
        if (crew.op[i].state == CREW_THERE && crew.why[0] == '\0' &&
            (v.len == 0 || v.ptr[v.len - 1] != *(char *)ctx))
            return false;
    }
    return true;
}

static bool a_key_is_echoed(void)
{
    struct mate *o = crew_typist(&crew);
    if (o == NULL) {
        crew_come(&crew, false, had_trouble);
        o = crew_typist(&crew);
        sim_run(5 * SECOND);
        if (!settles())
            return false;
    }
    char key = crew_type_one(&crew, o);
    if (!sim_run_until(is_echoed, &key, ECHO_MS) && crew.why[0] == '\0') {
        (void)describe();
        return crew_wrong(&crew, "no echo");
    }
    return crew.why[0] == '\0';
}

static bool check_job(void)
{
    struct view v = job.tool >= 0 ? sim_out(job.tool) : VIEW_NONE;
    for (size_t i = 0; i < v.len; i++)
        if (i >= job.typed || v.ptr[i] != sim_dictation(i))
            return crew_wrong(&crew, "the command said something else");
    if (job.tool >= 0 && sim_status(job.tool) == 0 && v.len != job.typed)
        return crew_wrong(&crew, "of the command's output %zu of %zu came",
                          v.len, job.typed);
    return true;
}

static int keepers(void)
{
    int n = 0;
    for (int i = 0; i < sim_roles(); i++)
        n += is_keeper(i);
    return n;
}

static bool all_have_left(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < crew.count; i++)
        if (sim_alive(crew.op[i].tool))
            return false;
    return true;
}

static bool all_leave(void)
{
    for (int i = 0; i < crew.count; i++)
        crew.op[i].may_end = true;
    for (int i = 0; i < crew.count; i++)
        sim_type(crew.op[i].tool, view_str("\x04"));
    if (!sim_run_until(all_have_left, NULL, 10 * SECOND))
        return crew_wrong(&crew, "an operator does not leave");
    sim_run(5 * SECOND);
    for (int i = 0; i < crew.count; i++)
        if (sim_is_raw(crew.op[i].tool) && sim_status(crew.op[i].tool) >= 0)
            return crew_wrong(&crew, "a terminal stays raw");
    return crew_check(&crew);
}

/* Commands of an agent that was killed go on without it. */
static bool nothing_is_left_over(int shells)
{
    int children = sim_children(town.machine_host);
    uint32_t attached = sim_note(town.agent, POOLS_ATTACHED);
    uint32_t sessions = sim_note(town.agent, POOLS_SESSIONS);
    uint32_t routes = sim_note(town.relay, POOLS_ROUTES);
    uint32_t conns = sim_note(town.relay, POOLS_CONNS);
    if (sessions != (uint32_t)shells || attached != 0 || routes != 0 ||
        conns != 1)
        return crew_wrong(&crew,
                          "%u sessions, %u attached, %u routes, %u conns",
                          sessions, attached, routes, conns);
    if (!agent_was_down && (children != shells || keepers() > shells + 1))
        return crew_wrong(&crew, "%d children, %d keepers", children,
                          keepers());
    return true;
}

/* The shell ends: everybody hears how. */
static bool the_session_ends(void)
{
    struct mate *o = crew_typist(&crew);
    for (int i = 0; i < crew.count; i++)
        crew.op[i].may_end = true;
    sim_type(o->tool, view_str("\x03"));
    sim_run(100);
    sim_type(o->tool, view_str("exit 7\r"));
    if (!sim_run_until(all_have_left, NULL, 10 * SECOND))
        return crew_wrong(&crew, "the session does not end for all");
    for (int i = 0; i < crew.count; i++)
        if (crew.op[i].state == CREW_THERE && sim_status(crew.op[i].tool) != 7)
            return crew_wrong(&crew, "operator %d hears of status %d", i,
                              sim_status(crew.op[i].tool));
    sim_run(5 * SECOND);
    return crew_check(&crew);
}

static bool is_empty(void *ctx)
{
    (void)ctx;
    return keepers() == 0 && sim_children(town.machine_host) == 0;
}

static bool all_ends(void)
{
    static const struct sim_start how = {
        .env = {"CMDOP_CONFIG_DIR=/sim/machine/config",
                "CMDOP_STATE_DIR=/sim/machine"}};
    int role = sim_spawn(town.machine_host, "cmdop agent stop --all", &how);
    if (sim_wait(role, MINUTE) != 0)
        return crew_wrong(&crew, "the agent does not stop: %.*s",
                          (int)sim_err(role).len,
                          (const char *)sim_err(role).ptr);
    if (!sim_run_until(is_empty, NULL, 20 * SECOND))
        return crew_wrong(&crew, "%d keepers, %d children after the end",
                          keepers(), sim_children(town.machine_host));
    return crew_check(&crew);
}

/* ---- one schedule ----------------------------------------------------------------------- */

static void open_town(uint64_t seed)
{
    town_reopen(seed);
    job = (struct job){.tool = -1};
    agent_was_down = had_trouble = false;
    if (sim_roll(4) == 0)
        sim_tcp_dead(0);
    crew_begin(&crew);
    place[0] = town.relay_host;
    place[1] = town.machine_host;
    for (int i = 0; i < CREW_DESKS; i++)
        place[2 + i] = crew.desk[i];
}

static bool all_that_happens(void)
{
    for (uint32_t left = 5 + sim_roll(sim_roll(3) == 0 ? 80 : 25); left > 0;
         left--) {
        something_happens();
        sim_run(a_while());
        agent_was_down = agent_was_down || !sim_alive(town.agent);
        if (!crew_check(&crew))
            return false;
    }
    return true;
}

static bool is_right(uint64_t seed)
{
    open_town(seed);
    if (!all_that_happens())
        return false;
    all_is_well_again();
    all_start();
    if (!settles())
        return false;
    sim_run(MINUTE);
    if (!settles() || !a_key_is_echoed() || !crew_screens(&crew) ||
        !check_job())
        return false;
    int shells = sim_roll(2) == 0 ? 1 : 0;
    return (shells == 1 ? all_leave() : the_session_ends()) &&
           nothing_is_left_over(shells) && all_ends();
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *given = getenv(name);
    return given != NULL && given[0] != '\0' ? strtoull(given, NULL, 0)
                                             : otherwise;
}

static void any_schedule_ends_well(void **state)
{
    uint64_t only = number_from("SEED", 0);
    uint64_t first = only != 0 ? only : number_from("FROM", 1);
    uint64_t count = only != 0 ? 1 : number_from("SCHEDULES", SCHEDULES);
    unsigned wrong = 0;
    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (is_right(seed))
            continue;
        wrong++;
        print_message("# %s; again: make sim SEED=%llu T=schedule\n", crew.why,
                      (unsigned long long)seed);
    }
    print_message("# %llu schedules from %llu on, %u went wrong\n",
                  (unsigned long long)count, (unsigned long long)first, wrong);
    assert_int_equal(wrong, 0);
}

static int teardown(void **state)
{
    (void)state;
    town_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(any_schedule_ends_well, teardown),
    };
    sim_notes(pools_note);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
