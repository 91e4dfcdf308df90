/*
 * Commands through the relay, in virtual time: join, connect, run, end. The
 * real programs; only the port is a simulation. The same seed is the same
 * run, another seed another order of events.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "sim/town.h"

#define SEEDS 25

static void assert_says(struct view v, const char *text)
{
    assert_int_equal(v.len, strlen(text));
    assert_memory_equal(v.ptr, text, v.len);
}

static void assert_nothing_left(void)
{
    town_check();
    sim_run(1000);
    assert_int_equal(sim_children(town.machine_host), 0);
    assert_true(town_is_online());
}

/* ---- what a command does ------------------------------------------------------------ */

static void a_command_runs_and_its_streams_stay_apart(void **state)
{
    (void)state;
    int tool = town_tool("connect exec web-1 -- both", NULL);
    assert_int_equal(sim_wait(tool, 10000), 7);
    assert_says(sim_out(tool), "out\n");
    assert_says(sim_err(tool), "err\n");
    assert_nothing_left();
}

static void a_megabyte_arrives_whole(void **state)
{
    (void)state;
    int tool = town_tool("connect exec web-1 -- producer 1000000 3", NULL);
    assert_int_equal(sim_wait(tool, 60000), 3);
    town_assert_produced(sim_out(tool), 1000000);
    assert_nothing_left();
}

static void a_slow_reader_gets_every_byte(void **state)
{
    struct sim_start slow = {.out_rate = 100000};
    (void)state;
    int tool = town_tool("connect exec web-1 -- producer 1600000", &slow);
    assert_int_equal(sim_wait(tool, 60000), 0);
    town_assert_produced(sim_out(tool), 1600000);
    assert_true(sim_now_ms() > 15000); /* it was slow indeed */
    assert_nothing_left();
}

static void input_is_carried_to_its_end(void **state)
{
    struct sim_start open = {.open_stdin = true};
    uint8_t block[5000];
    (void)state;
    memset(block, 'b', sizeof(block));
    int tool = town_tool("connect exec web-1 -- count", &open);
    for (int i = 0; i < 60; i++) {
        sim_type(tool, VIEW_ARRAY(block));
        sim_run(sim_roll(20));
    }
    assert_true(sim_alive(tool));
    sim_type_end(tool);
    assert_int_equal(sim_wait(tool, 10000), 0);
    assert_says(sim_out(tool), "300000\n");
    assert_nothing_left();
}

static void a_command_that_takes_too_long_ends(void **state)
{
    (void)state;
    int tool =
        town_tool("connect exec --timeout 5s --kill web-1 -- sleep 600", NULL);
    assert_int_equal(sim_wait(tool, 20000), 124);
    assert_in_range(sim_now_ms(), 5000, 7000);
    assert_nothing_left();
}

static void a_command_that_ignores_the_end_is_killed(void **state)
{
    (void)state;
    int tool =
        town_tool("connect exec --timeout 5s --kill web-1 -- stubborn", NULL);
    assert_int_equal(sim_wait(tool, 30000), 124);
    assert_nothing_left();
}

/* The wait ends, and the command does not. */
static void who_waits_no_longer_leaves_the_command(void **state)
{
    (void)state;
    int tool = town_tool("connect exec --timeout 5s web-1 -- sleep 20", NULL);
    assert_int_equal(sim_wait(tool, 10000), 124);
    assert_true(town_tells(sim_err(tool), "cmdop job wait web-1:"));
    sim_run(1000);
    assert_int_equal(sim_children(town.machine_host), 1);
    sim_run(20000);
    assert_nothing_left();
}

static void twenty_seconds_of_silence_end_no_command(void **state)
{
    int hosts[] = {town.desk_host, town.machine_host};
    (void)state;
    for (int i = 0; i < 2; i++) {
        int tool = town_tool("connect exec web-1 -- sleep 100", NULL);
        sim_run(15000);
        sim_partition(hosts[i], town.relay_host, true);
        sim_run(20000);
        sim_partition(hosts[i], town.relay_host, false);
        assert_int_equal(sim_wait(tool, 120000), 0);
        assert_nothing_left();
    }
}

/* Perhaps only its link was lost: it may come back for a minute. */
static void a_command_outlives_its_operator_for_a_minute(void **state)
{
    (void)state;
    int tool = town_tool("connect exec web-1 -- sleep 600", NULL);
    sim_run(1000);
    assert_int_equal(sim_children(town.machine_host), 1);
    sim_kill(tool);
    sim_run(50000);
    assert_int_equal(sim_children(town.machine_host), 1);
    sim_run(15000);
    assert_nothing_left();
}

static void a_command_ends_with_an_operator_who_says_so(void **state)
{
    (void)state;
    int tool = town_tool("connect exec web-1 -- sleep 600", NULL);
    sim_run(1000);
    sim_signal(tool, PORT_SIG_TERM);
    assert_int_equal(sim_wait(tool, 2000), 130);
    assert_nothing_left();
}

static void many_commands_run_at_once(void **state)
{
    int tool[10];
    char line[80];
    (void)state;
    for (int i = 0; i < 10; i++) {
        snprintf(line, sizeof(line), "connect exec web-1 -- producer %d %d",
                 8000 * (i + 1), i);
        tool[i] = town_tool(line, NULL);
    }
    for (int i = 0; i < 10; i++) {
        assert_int_equal(sim_wait(tool[i], 60000), i);
        town_assert_produced(sim_out(tool[i]), 8000 * ((size_t)i + 1));
    }
    assert_nothing_left();
}

/* ---- what cannot be --------------------------------------------------------------------- */

static void what_is_not_there_is_said(void **state)
{
    (void)state;
    int tool = town_tool("connect exec web-1 -- no-such-program", NULL);
    assert_int_equal(sim_wait(tool, 10000), 127);
    assert_true(town_tells(sim_err(tool), "no such program"));
    tool = town_tool("connect exec web-9 -- true", NULL);
    assert_int_equal(sim_wait(tool, 10000), 255);
    assert_true(town_tells(sim_err(tool), "no machine"));
    sim_kill(town.agent);
    assert_true(town_wait_offline(5000));
    tool = town_tool("connect exec web-1 -- true", NULL);
    assert_int_equal(sim_wait(tool, 10000), 255);
    assert_true(town_tells(sim_err(tool), "offline"));
    sim_kill(town.relay);
    tool = town_tool("connect exec web-1 -- true", NULL);
    assert_int_equal(sim_wait(tool, 30000), 255);
    assert_true(town_tells(sim_err(tool), "nothing listens"));
    town_check();
}

/* ---- the machine's own socket -------------------------------------------------------------- */

static int local(const char *line, uint64_t ms_max)
{
    int role = town_local(line, NULL);
    (void)sim_wait(role, ms_max);
    town_check();
    return role;
}

static void the_same_works_without_a_relay(void **state)
{
    (void)state;
    sim_kill(town.relay);
    int tool = local("connect exec --local localhost -- both", 5000);
    assert_int_equal(sim_status(tool), 7);
    assert_says(sim_out(tool), "out\n");
    assert_says(sim_err(tool), "err\n");
}

static void the_agent_tells_how_it_is(void **state)
{
    (void)state;
    int tool = local("agent status --check", 5000);
    assert_int_equal(sim_status(tool), 0);
    assert_true(town_tells(sim_out(tool), "ONLINE"));
    sim_kill(town.relay);
    sim_run(2000);
    tool = local("agent status --check", 5000);
    assert_int_equal(sim_status(tool), 1);
    assert_true(town_tells(sim_out(tool), "DEGRADED"));
    assert_int_equal(sim_status(local("agent stop", 15000)), 0);
    assert_false(sim_alive(town.agent));
    tool = local("agent status", 5000);
    assert_true(town_tells(sim_out(tool), "STOPPED"));
}

static void a_second_agent_is_turned_away(void **state)
{
    (void)state;
    int second = local("agent start --foreground", 5000);
    assert_int_equal(sim_status(second), 1);
    assert_true(town_tells(sim_err(second), "runs already"));
    assert_true(sim_alive(town.agent));
}

/* ---- chance ------------------------------------------------------------------------------------ */

static uint64_t whole_story(uint64_t with)
{
    struct sim_start open = {.open_stdin = true};
    town_open(with);
    sim_network(sim_roll(80000), 100000 + sim_roll(10000000));
    int a = town_tool("connect exec web-1 -- producer 200000 1", NULL);
    int b = town_tool("connect exec web-1 -- cat", &open);
    for (int i = 0; i < 20; i++) {
        sim_type(b, view_str("0123456789"));
        sim_run(sim_roll(200));
    }
    sim_type_end(b);
    assert_int_equal(sim_wait(a, 60000), 1);
    assert_int_equal(sim_wait(b, 60000), 0);
    town_assert_produced(sim_out(a), 200000);
    assert_int_equal(sim_out(b).len, 200);
    assert_nothing_left();
    return sim_hash();
}

static void the_same_seed_is_the_same_run(void **state)
{
    (void)state;
    uint64_t first = whole_story(town.seed);
    assert_true(whole_story(town.seed) == first);
    assert_true(whole_story(town.seed + 1) != first);
    assert_true(whole_story(town.seed) == first); /* nothing stayed behind */
}

static void any_order_of_events_tells_the_same_story(void **state)
{
    (void)state;
    for (uint64_t s = 0; s < SEEDS; s++)
        (void)whole_story(town.seed * 1000 + s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOWN_FACT(a_command_runs_and_its_streams_stay_apart),
        TOWN_FACT(a_megabyte_arrives_whole),
        TOWN_FACT(a_slow_reader_gets_every_byte),
        TOWN_FACT(input_is_carried_to_its_end),
        TOWN_FACT(a_command_that_takes_too_long_ends),
        TOWN_FACT(a_command_that_ignores_the_end_is_killed),
        TOWN_FACT(who_waits_no_longer_leaves_the_command),
        TOWN_FACT(twenty_seconds_of_silence_end_no_command),
        TOWN_FACT(a_command_outlives_its_operator_for_a_minute),
        TOWN_FACT(a_command_ends_with_an_operator_who_says_so),
        TOWN_FACT(many_commands_run_at_once),
        TOWN_FACT(what_is_not_there_is_said),
        TOWN_FACT(the_same_works_without_a_relay),
        TOWN_FACT(the_agent_tells_how_it_is),
        TOWN_FACT(a_second_agent_is_turned_away),
        TOWN_TALE(the_same_seed_is_the_same_run),
        TOWN_TALE(any_order_of_events_tells_the_same_story),
    };
    town_seed(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
