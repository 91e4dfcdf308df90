/*
 * Who a machine is, through trouble: a lease tells copies from restarts, and a
 * key is replaced whatever dies in between.
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

#define CALLS_MAX 2000

static const struct sim_start copy = {
    .env = {"CMDOP_CONFIG_DIR=/sim/copy/config", "CMDOP_STATE_DIR=/sim/copy"}};

static bool serves(void)
{
    return town_run("connect exec web-1 -- both", MINUTE) == 7;
}

static void assert_no_quarantine(void)
{
    assert_int_equal(sim_logged(town.relay, "machine.quarantine"), 0);
}

/* ---- leases ------------------------------------------------------------------ */

/* The power goes, and the relay hears nothing of it: the new agent waits until
 * the old link has not answered, and no longer. */
static void a_machine_that_lost_its_power_takes_over(void **state)
{
    (void)state;
    sim_partition(town.machine_host, town.relay_host, true);
    sim_kill(town.agent);
    sim_run(1000);
    sim_partition(town.machine_host, town.relay_host, false);
    uint64_t from = sim_now_ms();
    town_start_agent();
    assert_true(sim_wait_log(town.agent, "event=relay.online", MINUTE));
    assert_in_range(sim_now_ms() - from, 0, 10000);
    assert_true(serves());
    assert_no_quarantine();
    town_check();
}

static void restarts_and_reconnects_are_no_copies(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        if (i % 2 == 0)
            sim_kill(town.agent);
        else
            sim_signal(town.agent, PORT_SIG_TERM);
        sim_run(200);
        town_start_agent();
        assert_true(sim_wait_log(town.agent, "event=relay.online", MINUTE));
        sim_reset(town.machine_host, town.relay_host);
        sim_run(5000);
        assert_true(serves());
    }
    assert_no_quarantine();
    town_check();
}

/* A line was slow and is fast again: what an agent that died had sent arrives
 * behind the first words of the next one. True: its Proof did. */
static bool one_is_overtaken(uint64_t died_ms)
{
    town_reopen(town.seed);
    sim_run(1000);
    sim_kill(town.agent);
    assert_true(town_wait_offline(MINUTE));
    sim_network(300000, 1000 * 1000);
    town_start_agent();
    sim_run(died_ms);
    sim_kill(town.agent);
    sim_network(1000, 50 * 1000 * 1000);
    town_start_agent();
    assert_true(sim_wait_log(town.agent, "event=relay.online", MINUTE));
    sim_run(5000);
    assert_true(serves());
    assert_no_quarantine();
    town_check();
    return sim_logged(town.relay, "machine.overtaken") > 0;
}

static void the_proof_of_a_dead_agent_takes_nobody_for_a_copy(void **state)
{
    int overtaken = 0;
    (void)state;
    for (uint64_t ms = 0; ms < 4000; ms += 100)
        overtaken += one_is_overtaken(ms);
    print_message("# %d were overtaken\n", overtaken);
    assert_true(overtaken > 0);
}

/* However often it dies on a full disk, where no lease can be written. */
static void a_full_disk_makes_no_copy_of_a_machine(void **state)
{
    (void)state;
    sim_disk_full(town.machine_host, true);
    for (int i = 0; i < 5; i++) {
        sim_kill(town.agent);
        sim_run(200);
        town_start_agent();
        assert_true(sim_wait_log(town.agent, "event=relay.online", MINUTE));
        sim_run(2 * MINUTE);
        assert_true(sim_logged(town.agent, "lease.unwritten") > 0);
        assert_true(town_is_online());
    }
    sim_disk_full(town.machine_host, false);
    sim_run(MINUTE);
    sim_kill(town.agent);
    sim_run(200);
    town_start_agent();
    assert_true(sim_wait_log(town.agent, "event=relay.online", MINUTE));
    assert_true(serves());
    assert_no_quarantine();
    town_check();
}

static void copy_file(const char *name)
{
    char from[80], to[80];
    static uint8_t data[8192];
    snprintf(from, sizeof(from), "/sim/machine/%s", name);
    snprintf(to, sizeof(to), "/sim/copy/%s", name);
    struct view v = sim_file(from);
    assert_in_range(v.len, 1, sizeof(data));
    memcpy(data, v.ptr, v.len);
    sim_file_put(to, view_of(data, v.len));
}

static int start_copy(void)
{
    int host = sim_host("copy");
    copy_file("identity");
    copy_file("config/machine.key");
    copy_file("agent.json");
    copy_file("lease");
    return sim_spawn(host, "cmdop agent start --foreground", &copy);
}

static bool is_told(int role)
{
    return sim_logged(role, "two machines use this identity") > 0;
}

/* In whatever order. */
static bool both_are_told(void *twin)
{
    return is_told(*(int *)twin) && is_told(town.agent);
}

static void two_that_live_are_both_shut_out_until_an_owner_says_so(void **state)
{
    (void)state;
    sim_run(1000);
    int twin = start_copy();
    assert_true(sim_run_until(both_are_told, &twin, MINUTE));
    assert_int_equal(sim_logged(town.relay, "machine.quarantine"), 1);
    assert_false(town_is_online());
    sim_run(5 * MINUTE);
    assert_false(town_is_online());
    sim_signal(twin, PORT_SIG_TERM);
    assert_int_equal(sim_wait(twin, MINUTE), 0);
    assert_int_equal(town_run("machines approve web-1", MINUTE), 0);
    assert_true(town_wait_online(3 * MINUTE));
    assert_true(serves());
    town_check();
}

/* The machine sleeps in a partition while its copy works: found out when it
 * comes back, though its process never ended. */
static void a_copy_that_worked_meanwhile_is_found_out(void **state)
{
    (void)state;
    sim_run(1000);
    int twin = start_copy();
    sim_partition(town.machine_host, town.relay_host, true);
    assert_true(sim_wait_log(twin, "event=relay.online", 2 * MINUTE));
    sim_run(2 * MINUTE);
    sim_partition(town.machine_host, town.relay_host, false);
    assert_true(sim_run_until(both_are_told, &twin, 5 * MINUTE));
    assert_int_equal(sim_logged(town.relay, "machine.quarantine"), 1);
    town_check();
}

/* ---- the next key -------------------------------------------------------------- */

/* A copy that could not be removed is harmless. */
static bool is_rotated(void *ctx)
{
    struct view next = sim_file("/sim/machine/identity.next");
    (void)ctx;
    return next.len == 0 || view_eq(next, sim_file("/sim/machine/identity"));
}

static void require(bool holds, uint64_t nth, const char *fact)
{
    const char *trouble = sim_trouble();
    if (!holds || trouble[0] != '\0')
        fail_msg("call %llu (seed %llu): %s; %s", (unsigned long long)nth,
                 (unsigned long long)town.seed, fact, trouble);
}

/* The agent dies at its nth call after it was told to change its key; or the
 * relay does. False: it did not come so far. */
static bool one_rotation(bool the_relay, bool after, uint64_t nth)
{
    uint8_t before[80];
    town_reopen(town.seed);
    memcpy(before, sim_file("/sim/machine/identity").ptr, sizeof(before));
    int victim = the_relay ? town.relay : town.agent;
    int tool = town_local("identity rotate", NULL);
    sim_kill_at(victim, nth, after);
    sim_run(5000);
    bool struck = sim_struck(victim);
    if (!struck)
        sim_kill_at(victim, 0, false);
    else if (the_relay)
        town_start_relay();
    else
        town_start_agent();
    require(sim_wait(tool, MINUTE) >= 0, nth, "the verb hangs");
    require(town_wait_online(3 * MINUTE), nth,
            "the machine does not come back");
    /* Struck before anything was done, nobody has a new key. */
    require(sim_run_until(is_rotated, NULL, 3 * MINUTE), nth,
            "the key is not taken");
    require(serves(), nth, "the machine does not serve");
    require(sim_logged(town.relay, "machine.quarantine") == 0, nth,
            "it counts as a copy");
    if (!struck)
        require(memcmp(before, sim_file("/sim/machine/identity").ptr,
                       sizeof(before)) != 0,
                nth, "the key is the old one");
    return struck;
}

static void every_call(bool the_relay)
{
    for (int after = 0; after <= 1; after++) {
        uint64_t nth = 1;
        for (; one_rotation(the_relay, after == 1, nth); nth++)
            require(nth < CALLS_MAX, nth, "there is no end");
        print_message("# %llu calls of the %s\n", (unsigned long long)nth - 1,
                      the_relay ? "relay" : "agent");
        require(nth > 10, nth, "it was hardly ever struck");
    }
}

static void
an_agent_that_dies_anywhere_ends_with_a_key_that_is_known(void **state)
{
    (void)state;
    every_call(false);
}

static void a_relay_that_dies_anywhere_knows_the_key_that_is_used(void **state)
{
    (void)state;
    every_call(true);
}

static bool one_fault(uint64_t nth)
{
    town_reopen(town.seed);
    int tool = town_local("identity rotate", NULL);
    sim_fault(town.agent, SIM_KEEP, nth, false, ERR_IO);
    require(sim_wait(tool, MINUTE) >= 0, nth, "the verb hangs");
    bool met = sim_fault_met();
    sim_fault(-1, 0, 0, false, OK);
    require(sim_run_until(is_rotated, NULL, 3 * MINUTE), nth,
            "the key is not taken");
    require(serves(), nth, "the machine does not serve");
    return met;
}

static void a_disk_that_fails_anywhere_is_tried_again(void **state)
{
    (void)state;
    for (uint64_t nth = 1; one_fault(nth); nth++)
        require(nth < CALLS_MAX, nth, "there is no end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOWN_FACT(a_machine_that_lost_its_power_takes_over),
        TOWN_FACT(restarts_and_reconnects_are_no_copies),
        TOWN_FACT(the_proof_of_a_dead_agent_takes_nobody_for_a_copy),
        TOWN_FACT(a_full_disk_makes_no_copy_of_a_machine),
        TOWN_FACT(two_that_live_are_both_shut_out_until_an_owner_says_so),
        TOWN_FACT(a_copy_that_worked_meanwhile_is_found_out),
        TOWN_FACT(an_agent_that_dies_anywhere_ends_with_a_key_that_is_known),
        TOWN_FACT(a_relay_that_dies_anywhere_knows_the_key_that_is_used),
        TOWN_FACT(a_disk_that_fails_anywhere_is_tried_again),
    };
    town_seed(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
