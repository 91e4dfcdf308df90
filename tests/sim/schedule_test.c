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

#include "sim/events.h"
#include "sim/pools.h"
#include "sim/town.h"

#define SCHEDULES 200
#define ECHO_MS   (3 * SECOND)
#define SETTLE_MS (4 * MINUTE)

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
    return crew_is_settled(&events.crew) &&
           (events.job.tool < 0 || !sim_alive(events.job.tool));
}

static bool describe(void)
{
    for (int i = 0; i < events.crew.count; i++) {
        const struct mate *o = &events.crew.op[i];
        if (o->state == CREW_THERE)
            (void)crew_wrong(&events.crew,
                             "not settled: operator %d, %zu of %zu applied, "
                             "%llu of %zu shown; job %s",
                             i, o->applied, o->typed_len,
                             (unsigned long long)o->shown, sim_said().len,
                             events.job.tool >= 0 && sim_alive(events.job.tool)
                                 ? "runs"
                                 : "is over");
    }
    return crew_wrong(&events.crew, "not settled");
}

static bool settles(void)
{
    if (!sim_run_until(is_settled, NULL, SETTLE_MS) &&
        events.crew.why[0] == '\0')
        return describe();
    return events.crew.why[0] == '\0';
}

struct echo {
    char key;
    size_t before;
};

static bool is_echoed(void *ctx)
{
    (void)ctx;
    if (!crew_is_settled(&events.crew))
        return false;
    for (int i = 0; i < events.crew.count; i++) {
        struct view v = sim_out(events.crew.op[i].tool);
        if (events.crew.op[i].state == CREW_THERE &&
            events.crew.why[0] == '\0' &&
            (v.len == 0 || v.ptr[v.len - 1] != *(char *)ctx))
            return false;
    }
    return true;
}

static bool a_key_is_echoed(void)
{
    struct mate *o = crew_typist(&events.crew);
    if (o == NULL) {
        crew_come(&events.crew, false, events.had_trouble);
        o = crew_typist(&events.crew);
        sim_run(5 * SECOND);
        if (!settles())
            return false;
    }
    char key = crew_type_one(&events.crew, o);
    if (!sim_run_until(is_echoed, &key, ECHO_MS) &&
        events.crew.why[0] == '\0') {
        (void)describe();
        return crew_wrong(&events.crew, "no echo");
    }
    return events.crew.why[0] == '\0';
}

static bool check_job(void)
{
    struct view v = events.job.tool >= 0 ? sim_out(events.job.tool) : VIEW_NONE;
    for (size_t i = 0; i < v.len; i++)
        if (i >= events.job.typed || v.ptr[i] != sim_dictation(i))
            return crew_wrong(&events.crew, "the command said something else");
    if (events.job.tool >= 0 && sim_status(events.job.tool) == 0 &&
        v.len != events.job.typed)
        return crew_wrong(&events.crew,
                          "of the command's output %zu of %zu came", v.len,
                          events.job.typed);
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
    for (int i = 0; i < events.crew.count; i++)
        if (sim_alive(events.crew.op[i].tool))
            return false;
    return true;
}

static bool all_leave(void)
{
    for (int i = 0; i < events.crew.count; i++)
        events.crew.op[i].may_end = true;
    for (int i = 0; i < events.crew.count; i++)
        sim_type(events.crew.op[i].tool, view_str("\x04"));
    if (!sim_run_until(all_have_left, NULL, 10 * SECOND))
        return crew_wrong(&events.crew, "an operator does not leave");
    sim_run(5 * SECOND);
    for (int i = 0; i < events.crew.count; i++)
        if (sim_is_raw(events.crew.op[i].tool) &&
            sim_status(events.crew.op[i].tool) >= 0)
            return crew_wrong(&events.crew, "a terminal stays raw");
    return crew_check(&events.crew);
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
        return crew_wrong(&events.crew,
                          "%u sessions, %u attached, %u routes, %u conns",
                          sessions, attached, routes, conns);
    if (!events.agent_was_down &&
        (children != shells || keepers() > shells + 1))
        return crew_wrong(&events.crew, "%d children, %d keepers", children,
                          keepers());
    return true;
}

/* The shell ends: everybody hears how. */
static bool the_session_ends(void)
{
    struct mate *o = crew_typist(&events.crew);
    for (int i = 0; i < events.crew.count; i++)
        events.crew.op[i].may_end = true;
    sim_type(o->tool, view_str("\x03"));
    sim_run(100);
    sim_type(o->tool, view_str("exit 7\r"));
    if (!sim_run_until(all_have_left, NULL, 10 * SECOND))
        return crew_wrong(&events.crew, "the session does not end for all");
    for (int i = 0; i < events.crew.count; i++)
        if (events.crew.op[i].state == CREW_THERE &&
            sim_status(events.crew.op[i].tool) != 7)
            return crew_wrong(&events.crew, "operator %d hears of status %d", i,
                              sim_status(events.crew.op[i].tool));
    sim_run(5 * SECOND);
    return crew_check(&events.crew);
}

static bool is_empty(void *ctx)
{
    (void)ctx;
    return keepers() == 0 && sim_children(town.machine_host) == 0;
}

static bool all_ends(void)
{
    int role = town_local("agent stop --all", NULL);
    if (sim_wait(role, MINUTE) != 0)
        return crew_wrong(&events.crew, "the agent does not stop: %.*s",
                          (int)sim_err(role).len,
                          (const char *)sim_err(role).ptr);
    if (!sim_run_until(is_empty, NULL, 20 * SECOND))
        return crew_wrong(&events.crew, "%d keepers, %d children after the end",
                          keepers(), sim_children(town.machine_host));
    return crew_check(&events.crew);
}

/* ---- one schedule ----------------------------------------------------------------------- */

static bool all_that_happens(void)
{
    for (uint32_t left = 5 + sim_roll(sim_roll(3) == 0 ? 80 : 25); left > 0;
         left--) {
        something_happens();
        sim_run(a_while());
        events.agent_was_down = events.agent_was_down || !sim_alive(town.agent);
        if (!crew_check(&events.crew))
            return false;
    }
    return true;
}

static bool is_right(uint64_t seed)
{
    town_reopen(seed);
    if (sim_roll(4) == 0)
        sim_tcp_dead(0);
    events_begin();
    if (!all_that_happens())
        return false;
    all_is_well_again();
    all_start();
    if (!settles())
        return false;
    sim_run(MINUTE);
    if (!settles() || !a_key_is_echoed() || !crew_screens(&events.crew) ||
        !check_job())
        return false;
    int shells = sim_roll(2) == 0 ? 1 : 0;
    if (crew_typist(&events.crew) == NULL)
        shells = 1; /* nobody is there who could end it */
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
        print_message("# %s; again: make sim SEED=%llu T=schedule\n",
                      events.crew.why, (unsigned long long)seed);
    }
    print_message("# %llu schedules from %llu on, %u went wrong\n",
                  (unsigned long long)count, (unsigned long long)first, wrong);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOWN_TALE(any_schedule_ends_well),
    };
    sim_notes(pools_note);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
