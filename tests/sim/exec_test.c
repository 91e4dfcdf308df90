/*
 * One command through the relay, in virtual time: join, connect, run, end.
 * The real programs; only the port is a simulation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/town.h"

static uint64_t seed;

static int setup(void **state)
{
    (void)state;
    town_open(seed);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    town_end();
    return 0;
}

static void assert_says(struct view v, const char *text)
{
    assert_int_equal(v.len, strlen(text));
    assert_memory_equal(v.ptr, text, v.len);
}

static void a_command_runs_and_its_streams_stay_apart(void **state)
{
    (void)state;
    int tool = town_tool("connect exec web-1 -- both", NULL);
    assert_int_equal(sim_wait(tool, 10000), 7);
    town_check();
    assert_says(sim_out(tool), "out\n");
    assert_says(sim_err(tool), "err\n");
    assert_int_equal(sim_children(town.machine_host), 0);
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_command_runs_and_its_streams_stay_apart),
    };
    seed = town_seed(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
