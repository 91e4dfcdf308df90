/*
 * A child outlives its agents, and no byte is lost or doubled by that. The
 * keeper is the real one, the agent is a small one (typist.h) that is killed
 * at its first, second, ... call of the port until it is done before it is
 * met, once before and once after each call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "keeper/keeper.h"
#include "port/sim/sim.h"
#include "sim/typist.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static const struct cmd *const table[] = {&typist_cmd, &keeper_cmd, NULL};

static int programs(int argc, char **argv)
{
    static const struct cmd_env env = {"sim", table};
    return cmd_main(&env, argc, argv);
}

static int host;
static uint64_t seed, nth;
static bool after;
static const char *agent_line; /* of all agents of this world */

static void begin(const char *line)
{
    sim_begin(seed, programs);
    host = sim_host("machine");
    agent_line = line;
}

static int start_agent(void)
{
    static const struct sim_start how = {.tty = false};
    return sim_spawn(host, agent_line, &how);
}

#define require(fact, what)                                                \
    do {                                                                   \
        if (!(fact))                                                       \
            fail_msg("%s (kill %s call %llu of: %s; SEED=%llu; %s)", what, \
                     after ? "after" : "before", (unsigned long long)nth,  \
                     agent_line, (unsigned long long)seed, sim_trouble()); \
    } while (0)

static void require_out(int role, const char *text)
{
    struct view out = sim_out(role);
    if (memmem(out.ptr, out.len, text, strlen(text)) == NULL)
        fail_msg("no \"%s\" in \"%.*s\" (SEED=%llu)", text, (int)out.len,
                 (const char *)out.ptr, (unsigned long long)seed);
}

static bool all_gone(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < sim_roles(); i++)
        if (sim_alive(i))
            return false;
    return true;
}

/* One child there was; nobody is left. */
static void require_clean(void)
{
    require(sim_run_until(all_gone, NULL, MINUTE), "a keeper stays");
    sim_run(1);
    require(sim_children_ever(host) == 1, "not one child");
    require(sim_children(host) == 0, "the child stays");
    require(sim_trouble()[0] == '\0', "trouble");
}

static bool keeper_is_there(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < sim_roles(); i++)
        if (sim_alive(i) && strncmp(sim_line(i), "cmdop keeper", 12) == 0)
            return true;
    return false;
}

static bool child_is_there(void *ctx)
{
    (void)ctx;
    return sim_children(host) > 0;
}

/* ---- killed at every call ----------------------------------------------------------- */

static void require_good_end(int agent)
{
    int status = sim_wait(agent, MINUTE);
    if (status != TYPIST_OK)
        print_message("status %d, output %.*s\n", status,
                      (int)sim_out(agent).len,
                      (const char *)sim_out(agent).ptr);
    require(status == TYPIST_OK, "the last agent is not content");
}

/* False: it was done before that call. */
static bool one_kill(const char *line, bool at_once)
{
    begin(line);
    int first = start_agent();
    sim_kill_at(first, nth, after);
    (void)sim_wait(first, MINUTE);
    bool struck = sim_struck(first);
    if (struck) {
        sim_run(at_once ? 0 : sim_roll(40));
        require_good_end(start_agent());
    } else {
        require_good_end(first);
        require_out(first, "exit 7\ngap 0\n");
    }
    require_clean();
    return struck;
}

static void every_kill(const char *line)
{
    for (unsigned way = 0; way < 4; way++) {
        bool at_once = (way & 2) != 0; /* comes the next one */
        after = (way & 1) != 0;
        for (nth = 1; one_kill(line, at_once); nth++)
            continue;
        print_message("# killed %s each of %llu calls\n",
                      after ? "after" : "before", (unsigned long long)nth - 1);
        assert_true(nth > 50);
    }
}

static void a_terminal_loses_nothing(void **state)
{
    (void)state;
    every_kill("cmdop typist tty 65536 600 4000 -- scribe 600 4000 7");
}

static void a_command_loses_nothing(void **state)
{
    (void)state;
    every_kill("cmdop typist pipes 4096 600 9000 -- scribe 600 9000 7");
}

/* ---- killed again and again, at any time ------------------------------------------------ */

static void one_schedule(const char *line)
{
    int agent, kills = 0;
    begin(line);
    for (;;) {
        agent = start_agent();
        after = sim_roll(2) == 1;
        nth = sim_roll(3) == 0 ? 0 : 1 + sim_roll(120);
        sim_kill_at(agent, nth, after);
        sim_run(sim_roll(4) == 0 ? 0 : sim_roll(60));
        if (kills++ == 40 || sim_status(agent) >= 0)
            break;
        sim_kill(agent);
        sim_run(sim_roll(2) == 0 ? 0 : sim_roll(30));
    }
    sim_kill_at(agent, 0, false);
    if (sim_struck(agent))
        agent = start_agent();
    require_good_end(agent);
    require_clean();
}

static void any_schedule_loses_nothing(void **state)
{
    static const char *const lines[] = {
        "cmdop typist tty 65536 2500 20000 -- scribe 2500 20000 7",
        "cmdop typist pipes 4096 2500 20000 -- scribe 2500 20000 7",
        "cmdop typist pipes 65536 900 90000 -- scribe 900 90000 7",
    };
    const char *given = getenv("SEED");
    uint64_t first = given != NULL ? strtoull(given, NULL, 0) : 1;
    uint64_t last = given != NULL ? first : 60;
    (void)state;
    for (seed = first; seed <= last; seed++)
        one_schedule(lines[seed % 3]);
    print_message("# schedules %llu to %llu\n", (unsigned long long)first,
                  (unsigned long long)last);
}

/* ---- calls that fail -------------------------------------------------------------------- */

/* Whatever fails in agent or keeper: the agent ends and says so, or all goes
 * well; nobody crashes, and in a week nothing is left. False: no fault. */
static bool one_fault(const char *line, unsigned calls, int err)
{
    begin(line);
    sim_fault(-1, calls, nth, false, err);
    int agent = start_agent();
    int status = sim_wait(agent, MINUTE);
    bool met = sim_fault_met();
    require(!sim_alive(agent), "the agent hangs");
    require(met || status == TYPIST_OK, "it failed without a fault");
    sim_fault(-1, 0, 0, false, OK);
    if (status == TYPIST_LOST)
        (void)sim_wait(start_agent(), MINUTE);
    sim_run(8 * 24 * HOUR);
    require(all_gone(NULL), "somebody stays");
    require(sim_children(host) == 0, "the child stays");
    require(sim_trouble()[0] == '\0', "trouble");
    return met;
}

static void whatever_fails_nothing_stays(void **state)
{
    static const char *const lines[] = {
        "cmdop typist tty 65536 120 800 -- scribe 120 800 7",
        "cmdop typist pipes 4096 120 800 -- scribe 120 800 7",
    };
    (void)state;
    after = false;
    for (int i = 0; i < 4; i++) {
        int err = i < 2 ? ERR_LIMIT : ERR_IO;
        for (nth = 1; one_fault(lines[i % 2], SIM_ANY, err); nth++)
            continue;
        print_message("# failed each of %llu calls\n",
                      (unsigned long long)nth - 1);
    }
}

/* ---- the keeper alone ---------------------------------------------------------------------- */

/* Start a child with an agent that is gone as soon as the child is there. */
static void leave_alone(const char *line)
{
    begin(line);
    int agent = start_agent();
    require(sim_run_until(child_is_there, NULL, MINUTE), "no child");
    sim_kill(agent);
}

static void a_flooding_terminal_is_drained_and_the_oldest_dropped(void **state)
{
    (void)state;
    leave_alone("cmdop typist tty 4096 0 1000000 -- scribe 0 1000000 7");
    sim_run(MINUTE);
    require(sim_children(host) == 0, "the child could not end");
    int agent = start_agent();
    require_good_end(agent);
    require_out(agent, "exit 7\ngap 995904\n");
    require_clean();
}

static void a_flooding_command_waits_for_a_reader(void **state)
{
    (void)state;
    leave_alone("cmdop typist pipes 4096 0 1000000 -- scribe 0 1000000 7");
    sim_run(MINUTE);
    require(sim_children(host) == 1, "the child did not wait");
    int agent = start_agent();
    require_good_end(agent);
    require_out(agent, "exit 7\ngap 0\n");
    require_clean();
}

static void a_child_that_hears_nothing_does_not_stop_the_keeper(void **state)
{
    (void)state;
    begin("cmdop typist tty 4096 100000 - -- sleep 20");
    int agent = start_agent();
    sim_run(2000);
    sim_kill(agent);
    sim_run(1000);
    for (int i = 0; i < sim_roles(); i++)
        require(sim_turns(i) < 5000, "a role spins");
    sim_kill(agent);
    sim_run(MINUTE);
    require_good_end(start_agent());
    require_clean();
}

static void the_exit_status_is_kept_until_it_is_asked_for(void **state)
{
    (void)state;
    leave_alone("cmdop typist tty 4096 0 800 -- scribe 0 800 7");
    sim_run(48 * HOUR);
    require(sim_children(host) == 0, "the child stays");
    require(keeper_is_there(NULL), "the keeper is gone");
    int agent = start_agent();
    require_good_end(agent);
    require_out(agent, "exit 7\ngap 0\n");
    require_clean();
}

static void an_ended_child_is_forgotten_after_a_week(void **state)
{
    (void)state;
    leave_alone("cmdop typist tty 4096 0 800 -- scribe 0 800 7");
    sim_run(6 * 24 * HOUR);
    require(keeper_is_there(NULL), "the keeper is gone early");
    sim_run(2 * 24 * HOUR);
    require_clean();
}

static void an_agent_that_hung_for_a_week_is_no_reason_to_stay(void **state)
{
    (void)state;
    begin("cmdop typist tty 4096 0 800 -- scribe 0 800 7");
    int agent = start_agent();
    require(sim_run_until(child_is_there, NULL, MINUTE), "no child");
    sim_freeze(agent, true);
    sim_run(8 * 24 * HOUR);
    sim_kill(agent);
    sim_run(6 * 24 * HOUR);
    require(keeper_is_there(NULL), "the keeper is gone early");
    sim_run(2 * 24 * HOUR);
    require_clean();
}

/* ---- agents --------------------------------------------------------------------------------- */

static void one_agent_follows_another(void **state)
{
    (void)state;
    begin("cmdop typist tty 65536 900 9000 -- scribe 900 9000 7");
    for (int i = 0; i < 5; i++) {
        int agent = start_agent();
        sim_run(4);
        require(sim_alive(agent), "the agent ended");
        sim_signal(agent, PORT_SIG_TERM);
        require(sim_wait(agent, MINUTE) == TYPIST_ASIDE, "it did not leave");
        require(sim_children(host) == 1, "the child ended");
    }
    require_good_end(start_agent());
    require_clean();
}

/* Neither sees a keeper yet, so each starts one. */
static void two_that_start_at_once_start_one_child(void **state)
{
    uint64_t first = seed;
    (void)state;
    for (; seed < first + 20; seed++) {
        begin("cmdop typist pipes 4096 300 904 -- scribe 300 904 7");
        int a = start_agent(), b = start_agent();
        int status_a = sim_wait(a, MINUTE), status_b = sim_wait(b, MINUTE);
        require(status_a == TYPIST_OK || status_a == TYPIST_LOST, "one");
        require(status_b == TYPIST_OK || status_b == TYPIST_LOST, "other");
        require(status_a == TYPIST_OK || status_b == TYPIST_OK, "both");
        require_clean();
    }
    seed = first;
}

/* The keeper hears of the new one before it knows that the old one is gone. */
static void the_newest_agent_is_the_one(void **state)
{
    (void)state;
    begin("cmdop typist tty 65536 900 9000 -- scribe 900 9000 7");
    int old = start_agent();
    sim_run(5);
    sim_freeze(old, true); /* it hangs */
    sim_run(1000);
    require_good_end(start_agent());
    sim_freeze(old, false);
    require(sim_wait(old, MINUTE) != TYPIST_OK, "two agents were content");
    require_clean();
}

static void a_child_that_does_not_start_says_why(void **state)
{
    (void)state;
    begin("cmdop typist pipes 4096 0 0 -- nosuch");
    int agent = start_agent();
    require(sim_wait(agent, MINUTE) == TYPIST_REFUSED, "it is not refused");
    require_out(agent, "nosuch: ");
    require(sim_run_until(all_gone, NULL, MINUTE), "a keeper stays");
    require(sim_file(TYPIST_FOLDER "/c0ffee").ptr == NULL, "its socket stays");
}

static void a_keeper_without_a_place_ends_with_its_agent(void **state)
{
    (void)state;
    begin("cmdop typist tty 4096 0 0 -- sleep 100");
    sim_fault(-1, SIM_LISTEN, 1, true, ERR_NO_SPACE);
    int agent = start_agent();
    sim_run(1000);
    require(sim_children(host) == 1, "no child");
    sim_kill(agent);
    require_clean();
}

int main(void)
{
    const char *given = getenv("SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_loses_nothing),
        cmocka_unit_test(a_command_loses_nothing),
        cmocka_unit_test(whatever_fails_nothing_stays),
        cmocka_unit_test(a_flooding_terminal_is_drained_and_the_oldest_dropped),
        cmocka_unit_test(a_flooding_command_waits_for_a_reader),
        cmocka_unit_test(a_child_that_hears_nothing_does_not_stop_the_keeper),
        cmocka_unit_test(the_exit_status_is_kept_until_it_is_asked_for),
        cmocka_unit_test(an_ended_child_is_forgotten_after_a_week),
        cmocka_unit_test(an_agent_that_hung_for_a_week_is_no_reason_to_stay),
        cmocka_unit_test(one_agent_follows_another),
        cmocka_unit_test(two_that_start_at_once_start_one_child),
        cmocka_unit_test(the_newest_agent_is_the_one),
        cmocka_unit_test(a_child_that_does_not_start_says_why),
        cmocka_unit_test(a_keeper_without_a_place_ends_with_its_agent),
        cmocka_unit_test(any_schedule_loses_nothing),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sim_end();
    return failed;
}
