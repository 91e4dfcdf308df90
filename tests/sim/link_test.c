/*
 * How a machine keeps its link: heartbeats, silence, partitions, restarts of
 * either side, and clocks that are hours off. All of it in virtual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "limits.h"
#include "sim/town.h"

#define HOUR (60 * MINUTE)

/* It can be used: the one fact that matters. */
static void assert_serves(void)
{
    assert_int_equal(town_run("connect exec web-1 -- both", 30000), 7);
}

/* When the relay heard of the machine last, before now; in ms. */
static uint64_t last_seen_ago(void)
{
    static const char key[] = "\"last_heartbeat_at\":\"";
    int tool = town_tool("connect --list --json", NULL);
    assert_int_equal(sim_wait(tool, 10000), 0);
    struct view v = sim_out(tool);
    const char *at = memmem(v.ptr, v.len, key, sizeof(key) - 1);
    unsigned h, m, s;
    assert_non_null(at);
    at = memchr(at, 'T', 40);
    assert_int_equal(sscanf(at, "T%u:%u:%u", &h, &m, &s), 3);
    uint64_t seen_s = (h * 60 + m) * 60 + s; /* worlds begin at 08:00:00 */
    return sim_now_ms() - (seen_s - 8 * 3600) * 1000;
}

/* ---- heartbeats ---------------------------------------------------------------------- */

static void the_relay_hears_of_the_machine_every_half_minute(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        sim_run(17 * 1000);
        assert_true(last_seen_ago() <= HEARTBEAT_MS + 1100);
    }
    town_check();
    assert_int_equal(sim_logged(town.relay, "machine.offline"), 1); /* join */
}

static void an_idle_agent_wakes_only_for_its_heartbeat(void **state)
{
    (void)state;
    sim_run(MINUTE);
    uint64_t agent = sim_turns(town.agent), relay = sim_turns(town.relay);
    sim_run(60 * MINUTE);
    town_check();
    assert_in_range(sim_turns(town.agent) - agent, 119, 125);
    assert_in_range(sim_turns(town.relay) - relay, 119, 1000);
    assert_true(town_is_online());
}

/* ---- silence --------------------------------------------------------------------------- */

static void assert_noticed_in_time(uint64_t since)
{
    assert_true(town_wait_offline(5 * MINUTE));
    uint64_t after = sim_now_ms() - since;
    assert_in_range(after, OFFLINE_MS - HEARTBEAT_MS, OFFLINE_MS + 1000);
    town_check();
}

/* TCP says nothing: only the silence tells. */
static void a_partition_is_noticed_after_three_heartbeats(void **state)
{
    (void)state;
    sim_tcp_dead(0);
    sim_run(10000);
    sim_partition(town.relay_host, town.machine_host, true);
    assert_noticed_in_time(sim_now_ms());
    sim_run(10 * MINUTE);
    sim_partition(town.relay_host, town.machine_host, false);
    assert_true(town_wait_online(2 * MINUTE));
    assert_serves();
}

static void a_stopped_agent_is_noticed_as_well(void **state)
{
    (void)state;
    sim_run(10000);
    sim_freeze(town.agent, true);
    assert_noticed_in_time(sim_now_ms());
    sim_freeze(town.agent, false);
    assert_true(town_wait_online(2 * MINUTE));
    assert_serves();
}

/* With TCP's own time-out both sides know sooner. */
static void a_short_partition_is_not_even_noticed(void **state)
{
    (void)state;
    sim_partition(town.relay_host, town.machine_host, true);
    sim_run(20000);
    sim_partition(town.relay_host, town.machine_host, false);
    assert_serves();
    assert_int_equal(sim_logged(town.relay, "machine.online"), 2);
}

static void a_long_partition_ends_with_a_new_link(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        sim_partition(town.relay_host, town.machine_host, true);
        sim_run(50000 + sim_roll(600000));
        sim_partition(town.relay_host, town.machine_host, false);
        assert_true(town_wait_online(3 * MINUTE));
        assert_serves();
    }
    town_check();
}

/* ---- restarts ------------------------------------------------------------------------------ */

static void the_agent_comes_back_to_a_restarted_relay(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        sim_signal(town.relay, PORT_SIG_TERM);
        assert_int_equal(sim_wait(town.relay, 10000), 0);
        assert_int_equal(sim_logged(town.relay, "relay.stop"), 1);
        sim_run(sim_roll(3000));
        town_start_relay();
        assert_true(town_wait_online(15000)); /* told when to come back */
        assert_serves();
    }
}

static void the_agent_comes_back_to_a_relay_that_crashed(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        sim_kill(town.relay);
        sim_run(sim_roll(20000));
        town_start_relay();
        assert_true(town_wait_online(MINUTE));
        assert_serves();
    }
}

/* It knocks for ever, but not in haste: at most as often as full jitter up
 * to a minute allows. */
static void the_agent_waits_for_a_relay_that_is_long_away(void **state)
{
    (void)state;
    sim_kill(town.relay);
    sim_run(MINUTE);
    uint64_t before = sim_turns(town.agent);
    sim_run(24 * HOUR);
    town_check();
    uint64_t per_hour = (sim_turns(town.agent) - before) / 24;
    assert_in_range(per_hour, 2 * 60, 10 * 60);
    town_start_relay();
    assert_true(town_wait_online(90000));
    assert_serves();
}

static void a_restarted_agent_takes_its_place_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            sim_signal(town.agent, PORT_SIG_TERM);
        else
            sim_kill(town.agent);
        (void)sim_wait(town.agent, 10000);
        assert_true(town_wait_offline(5000));
        town_start_agent();
        assert_true(town_wait_online(5000));
        assert_serves();
    }
}

/* The old connection is still there, for all the relay knows. */
static void the_newer_of_two_links_is_taken(void **state)
{
    (void)state;
    sim_tcp_dead(0);
    sim_partition(town.relay_host, town.machine_host, true);
    sim_kill(town.agent);
    sim_partition(town.relay_host, town.machine_host, false);
    town_start_agent();
    assert_true(sim_wait_log(town.agent, "event=relay.online", 10000));
    assert_serves();
}

static void an_agent_leaves_even_when_nobody_listens(void **state)
{
    (void)state;
    sim_tcp_dead(0);
    sim_partition(town.relay_host, town.machine_host, true);
    sim_run(1000);
    sim_signal(town.agent, PORT_SIG_TERM);
    assert_int_equal(sim_wait(town.agent, 10000), 0);
    town_check();
}

/* ---- clocks ---------------------------------------------------------------------------------- */

/* A machine whose clock is off by this much: it registers, works, and says
 * so once. */
static void assert_works_with_clock(int64_t ahead_ms)
{
    bool told = ahead_ms > 120000 || ahead_ms < -120000;
    town_begin(town.seed);
    sim_wall(town.machine_host, ahead_ms);
    town_start_relay();
    town_join("web-1");
    town_start_agent();
    assert_true(sim_wait_log(town.agent, "event=relay.online", 10000));
    sim_run(10 * MINUTE);
    assert_serves();
    assert_int_equal(sim_logged(town.agent, "event=clock.skew"), told);
}

static void a_clock_that_is_off_by_hours_does_not_matter(void **state)
{
    static const int64_t hours[] = {0, 5, -5, 24, -24, 24 * 365, -24 * 365};
    (void)state;
    for (size_t i = 0; i < sizeof(hours) / sizeof(hours[0]); i++)
        assert_works_with_clock(hours[i] * (int64_t)HOUR);
    assert_works_with_clock(60000); /* a minute is not worth a word */
}

/* Clocks jump while everything runs: nothing that counts time uses them. */
static void clocks_may_jump_at_any_time(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        int host = i % 3; /* relay, machine, desk */
        int64_t jump = (int64_t)sim_roll(72 * HOUR) - 36 * (int64_t)HOUR;
        sim_wall(host, jump);
        sim_run(3 * MINUTE);
        assert_serves();
    }
    assert_int_equal(sim_logged(town.relay, "machine.offline"), 1);
    sim_reset(town.relay_host, town.machine_host);
    assert_true(sim_wait_log(town.agent, "event=relay.online", MINUTE));
    assert_serves();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOWN_FACT(the_relay_hears_of_the_machine_every_half_minute),
        TOWN_FACT(an_idle_agent_wakes_only_for_its_heartbeat),
        TOWN_FACT(a_partition_is_noticed_after_three_heartbeats),
        TOWN_FACT(a_stopped_agent_is_noticed_as_well),
        TOWN_FACT(a_short_partition_is_not_even_noticed),
        TOWN_FACT(a_long_partition_ends_with_a_new_link),
        TOWN_FACT(the_agent_comes_back_to_a_restarted_relay),
        TOWN_FACT(the_agent_comes_back_to_a_relay_that_crashed),
        TOWN_FACT(the_agent_waits_for_a_relay_that_is_long_away),
        TOWN_FACT(a_restarted_agent_takes_its_place_again),
        TOWN_FACT(the_newer_of_two_links_is_taken),
        TOWN_FACT(an_agent_leaves_even_when_nobody_listens),
        TOWN_FACT(a_clock_that_is_off_by_hours_does_not_matter),
        TOWN_FACT(clocks_may_jump_at_any_time),
    };
    town_seed(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
