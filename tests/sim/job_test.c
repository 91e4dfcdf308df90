/*
 * Commands through trouble: links cut and cut off, agent and relay killed at
 * any moment. One process runs, its output is whole, its input is applied once
 * and ends where it ends, and its status arrives.
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

#define SEEDS 60
#define BYTES 300000

static uint64_t seed;

/* ---- trouble --------------------------------------------------------------------- */

static void kill_agent(void)
{
    if (sim_roll(2) == 0) {
        sim_kill(town.agent);
    } else {
        sim_kill_at(town.agent, 1 + sim_roll(60), sim_roll(2) == 0);
        sim_run(200);
        sim_kill_at(town.agent, 0, false);
        sim_kill(town.agent);
    }
    sim_run(sim_roll(3000));
    town_start_agent();
}

static void kill_relay(void)
{
    sim_kill(town.relay);
    sim_run(sim_roll(3000));
    town_start_relay();
}

static void cut_off(void)
{
    int host = sim_roll(2) == 0 ? town.desk_host : town.machine_host;
    sim_partition(host, town.relay_host, true);
    sim_run(sim_roll(20000));
    sim_partition(host, town.relay_host, false);
}

static void some_trouble(void)
{
    int host = sim_roll(2) == 0 ? town.desk_host : town.machine_host;
    switch (sim_roll(5)) {
    case 0: kill_agent(); break;
    case 1: kill_relay(); break;
    case 2: cut_off(); break;
    default: sim_reset(host, town.relay_host); break;
    }
    sim_run(sim_roll(1500));
}

static void fail_here(const char *what, int tool)
{
    struct view err = sim_err(tool);
    fail_msg("%s; status %d, %zu bytes out; it says: %.*s\n"
             "again: make sim SEED=%llu T=sim/job",
             what, sim_status(tool), sim_out(tool).len, (int)err.len,
             (const char *)err.ptr, (unsigned long long)seed);
}

static void assert_nothing_left(void)
{
    town_check();
    sim_run(20000);
    assert_int_equal(sim_children(town.machine_host), 0);
}

/* A tool that was never let in gives up, and says so; the trouble that is meant
 * here comes to one that was. */
#define IN_MS 200

/* ---- one command ------------------------------------------------------------------- */

static void output_through_trouble(const char *id)
{
    /* The output is taken slowly, so that it lasts. */
    struct sim_start slow = {.out_rate = 60000};
    char line[120];
    town_open(seed);
    snprintf(line, sizeof(line), "connect exec %s web-1 -- producer %d 3", id,
             BYTES);
    int tool = town_tool(line, &slow);
    sim_run(IN_MS + sim_roll(1000));
    for (int i = 0; i < 4 && sim_alive(tool); i++)
        some_trouble();
    (void)sim_wait(tool, 5 * MINUTE);
    town_check();
    if (sim_status(tool) != 3 || sim_out(tool).len != BYTES)
        fail_here("the output did not come whole", tool);
    town_assert_produced(sim_out(tool), BYTES);
    assert_int_equal(sim_children_ever(town.machine_host), 1);
}

static void input_through_trouble(const char *id)
{
    struct sim_start open = {.open_stdin = true};
    uint8_t block[5000];
    char line[120];
    memset(block, 'b', sizeof(block));
    town_open(seed);
    snprintf(line, sizeof(line), "connect exec %s web-1 -- count", id);
    int tool = town_tool(line, &open);
    sim_run(IN_MS + sim_roll(1000));
    for (int i = 0; i < 40; i++) {
        sim_type(tool, VIEW_ARRAY(block));
        sim_run(sim_roll(60));
        if (i % 10 == 9)
            some_trouble();
    }
    sim_type_end(tool);
    (void)sim_wait(tool, 5 * MINUTE);
    town_check();
    if (sim_status(tool) != 0 || !view_is(sim_out(tool), "200000\n"))
        fail_here("the input was not applied once", tool);
    assert_int_equal(sim_children_ever(town.machine_host), 1);
}

/* SEED=n runs exactly that one. */
static void all_seeds(void (*one)(const char *id), const char *id)
{
    uint64_t n = getenv("SEED") != NULL ? 1 : SEEDS;
    for (seed = town.seed; seed < town.seed + n; seed++)
        one(id);
}

static void a_kept_commands_output_is_whole(void **state)
{
    (void)state;
    all_seeds(output_through_trouble, "--id one");
}

static void a_kept_commands_input_is_applied_once(void **state)
{
    (void)state;
    all_seeds(input_through_trouble, "--id one");
}

static void a_plain_commands_output_is_whole(void **state)
{
    (void)state;
    all_seeds(output_through_trouble, "");
    assert_nothing_left();
}

static void a_plain_commands_input_is_applied_once(void **state)
{
    (void)state;
    all_seeds(input_through_trouble, "");
    assert_nothing_left();
}

/* ---- the same id --------------------------------------------------------------------- */

/* Somebody whose tools are killed asks again until he has the answer. */
static void one_process_however_often_it_is_asked_for(void **state)
{
    (void)state;
    for (seed = 1; seed <= SEEDS / 2; seed++) {
        town_open(seed);
        int tool = -1, status = -1;
        for (int i = 0; i < 12 && status < 0; i++) {
            tool = town_tool("connect exec --id one web-1 -- producer 40000 3",
                             NULL);
            if (sim_roll(3) == 0)
                kill_agent();
            status = sim_wait(tool, i < 10 ? sim_roll(400) : 5 * MINUTE);
            if (status < 0)
                sim_kill(tool);
            if (status == 255)
                status = -1; /* the machine was away */
            (void)town_wait_online(20000);
        }
        if (status != 3)
            fail_here("there is no answer", tool);
        town_assert_produced(sim_out(tool), 40000);
        assert_int_equal(sim_children_ever(town.machine_host), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOWN_TALE(a_kept_commands_output_is_whole),
        TOWN_TALE(a_kept_commands_input_is_applied_once),
        TOWN_TALE(a_plain_commands_output_is_whole),
        TOWN_TALE(a_plain_commands_input_is_applied_once),
        TOWN_TALE(one_process_however_often_it_is_asked_for),
    };
    town_seed(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
