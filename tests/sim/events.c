/* See events.h. */
#include "sim/events.h"

#include <string.h>

#include "base/err.h"
#include "sim/town.h"

#define YEAR (365 * 24 * 60 * MINUTE)

struct events events;

void events_begin(void)
{
    events = (struct events){.job.tool = -1};
    crew_begin(&events.crew);
    events.place[0] = town.relay_host;
    events.place[1] = town.machine_host;
    for (int i = 0; i < CREW_DESKS; i++)
        events.place[2 + i] = events.crew.desk[i];
}

/* ---- what can happen ----------------------------------------------------------------- */

static void somebody_types(void)
{
    struct mate *o = crew_typist(&events.crew);
    if (o != NULL)
        crew_type(&events.crew, o, 1 + sim_roll(sim_roll(8) == 0 ? 300 : 8));
}

static void somebody_asks(void)
{
    struct mate *o = crew_typist(&events.crew);
    if (o != NULL)
        crew_ask(&events.crew, o, sim_roll(20) == 0 ? '%' : '+');
}

/* Longer than a machine waits for it, and longer than its ring is. */
static void somebody_hangs_in_a_flood(void)
{
    struct mate *typist = crew_typist(&events.crew),
                *other = crew_any(&events.crew);
    if (typist == NULL || typist == other)
        return;
    sim_freeze(other->tool, true);
    crew_ask(&events.crew, typist, '%');
    sim_run(sim_roll(20000));
    sim_freeze(other->tool, false);
}

static int any_place(void)
{
    return events.place[sim_roll(PLACES)];
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
            sim_partition(events.place[i], events.place[k], false);
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
    struct mate *o = crew_any(&events.crew);
    uint32_t which = sim_roll(3);
    if (which == 0 && o != NULL)
        return o->tool;
    return which == 1 ? town.relay : town.agent;
}

static void somebody_is_killed(void)
{
    int role = any_role();
    for (int i = 0; i < events.crew.count; i++)
        events.crew.op[i].may_end =
            events.crew.op[i].may_end || events.crew.op[i].tool == role;
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
        events.agent_was_down = true;
        town_start_agent();
        sim_kill_at(town.agent, 1 + sim_roll(300), sim_roll(2) == 0);
        sim_run(sim_roll(3000));
    }
}

/* Connections are not made, names not found. */
static void calls_fail(void)
{
    events.had_trouble = true; /* it may be an agent that begins */
    sim_fault(any_role(),
              SIM_DIAL | SIM_ACCEPT | SIM_RESOLVE | SIM_KEEP | SIM_SHARED,
              1 + sim_roll(3), sim_roll(2) == 0, ERR_LIMIT);
}

/* An agent that finds its files and its keepers only with trouble. */
static void an_agent_starts_badly(void)
{
    sim_kill(town.agent);
    events.agent_was_down = events.had_trouble = true;
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

bool is_keeper(int role)
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
    if (crew_there(&events.crew) < CREW_DESKS &&
        events.crew.count < CREW_MAX - 1)
        crew_come(&events.crew, sim_roll(4) == 0,
                  events.had_trouble || sim_roll(2) == 0);
}

static void somebody_leaves(void)
{
    struct mate *o = crew_any(&events.crew);
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
    struct mate *o = crew_any(&events.crew);
    if (o != NULL)
        sim_resize(o->tool, (uint16_t)(1 + sim_roll(200)), 80);
}

static void a_command_runs(void)
{
    static const struct sim_start how = {.open_stdin = true};
    uint8_t bytes[200];
    size_t n = 1 + sim_roll(sizeof(bytes));
    if (events.job.tool < 0)
        events.job.tool = town_tool("connect exec web-1 -- cat", &how);
    if (events.job.is_ended)
        return;
    for (size_t i = 0; i < n; i++)
        bytes[i] = sim_dictation(events.job.typed + i);
    sim_type(events.job.tool, view_of(bytes, n));
    events.job.typed += n;
    events.job.is_ended = sim_roll(4) == 0;
    if (events.job.is_ended)
        sim_type_end(events.job.tool);
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

void something_happens(void)
{
    uint32_t all = 0, i = 0;
    for (int k = 0; k < EVENTS_COUNT; k++)
        all += EVENTS[k].weight;
    for (uint32_t at = sim_roll(all); at >= EVENTS[i].weight; i++)
        at -= EVENTS[i].weight;
    EVENTS[i].happens();
}

void all_is_well_again(void)
{
    paths_are_back();
    lines_are_fast();
    nobody_hangs();
    a_disk_has_room();
    no_call_fails();
    for (int i = 0; i < sim_roles(); i++)
        sim_kill_at(i, 0, false);
    if (events.job.tool >= 0)
        sim_type_end(events.job.tool);
}
