/*
 * How long a guest may stay at the relay, and keep an answer waiting: one
 * second before the bound it is in, one second behind it is out, and was told
 * why. All of it in virtual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/guest.h"
#include "sim/pools.h"
#include "sim/town.h"

#define STAYS_MS (20 * MINUTE) /* docs/PROTOCOL.md tells both */
#define TAKES_MS (30 * SECOND)

/* The machine's own link is one of the relay's connections. */
static uint32_t conns(void)
{
    return sim_note(town.relay, POOLS_CONNS);
}

/* It is let in, just now. */
static int guest_in(const char *line)
{
    uint32_t before = conns();
    int role = town_tool(line, NULL);
    assert_true(sim_wait_out(role, "in\n", 5000));
    town_check();
    assert_int_equal(conns(), before + 1);
    return role;
}

static void assert_in(int role)
{
    town_check();
    assert_true(sim_alive(role));
    assert_int_equal(sim_err(role).len, 0);
}

static void assert_out(int role, const char *why)
{
    char line[200];
    struct view err = sim_err(role);
    town_check();
    assert_false(sim_alive(role));
    snprintf(line, sizeof(line), "cmdop: %s\n", why);
    assert_int_equal(err.len, strlen(line));
    assert_memory_equal(err.ptr, line, err.len);
    assert_int_equal(conns(), 1);
    assert_true(town_is_online());
}

/* In for `ms` from now on, less a second; and out a second later. */
static void bounded(int role, uint64_t ms, const char *why)
{
    sim_run(ms - SECOND);
    assert_in(role);
    sim_run(2 * SECOND);
    assert_out(role, why);
}

static const char too_long[] =
    "nobody signed in on this connection; sign in again";
static const char not_taken[] = "the answer was not taken";

/* ---- twenty minutes ------------------------------------------------------------------ */

static void a_guest_stays_for_twenty_minutes(void **state)
{
    (void)state;
    bounded(guest_in("guest stays"), STAYS_MS, too_long);
}

static void whatever_he_asks_meanwhile(void **state)
{
    (void)state;
    bounded(guest_in("guest takes"), STAYS_MS, too_long);
}

/* His clock is his own, and the relay's may be set. */
static void whatever_the_clocks_on_the_wall_say(void **state)
{
    (void)state;
    int role = guest_in("guest stays");
    sim_wall(town.relay_host, -3600 * 1000);
    sim_wall(town.desk_host, 3600 * 1000);
    bounded(role, STAYS_MS, too_long);
}

/* A code is good for fifteen minutes, and remembered for an hour more. */
static void what_is_over_is_forgotten(void **state)
{
    (void)state;
    (void)guest_in("guest keeps");
    sim_run(SECOND);
    assert_int_equal(town_rows("device"), 1);
    sim_run(70 * MINUTE);
    assert_int_equal(town_rows("device"), 1);
    sim_run(60 * MINUTE);
    assert_int_equal(town_rows("device"), 0);
    town_check();
}

static void who_is_signed_in_stays_longer(void **state)
{
    static const struct sim_start terminal = {.tty = true, .open_stdin = true};
    (void)state;
    int role = town_tool("connect web-1", &terminal);
    sim_run(2 * STAYS_MS);
    town_check();
    assert_true(sim_alive(role));
    assert_int_equal(conns(), 2);
}

/* The next one with the same place in memory has twenty minutes of his own. */
static void each_has_his_own(void **state)
{
    (void)state;
    int first = guest_in("guest stays");
    sim_run(STAYS_MS / 2);
    sim_kill(first);
    sim_run(SECOND);
    assert_int_equal(conns(), 1);
    int second = guest_in("guest stays");
    sim_run(STAYS_MS / 2 + MINUTE);
    assert_in(second);
    bounded(second, STAYS_MS / 2 - MINUTE, too_long);
}

/* ---- thirty seconds -------------------------------------------------------------------- */

static void an_answer_waits_for_thirty_seconds(void **state)
{
    (void)state;
    bounded(guest_in("guest keeps"), TAKES_MS, not_taken);
}

static void however_many_others_he_takes(void **state)
{
    (void)state;
    bounded(guest_in("guest keeps takes"), TAKES_MS, not_taken);
}

static void it_counts_from_its_question(void **state)
{
    (void)state;
    bounded(guest_in("guest takes late"), GUEST_ASKS_MS + TAKES_MS, not_taken);
}

static void and_then_others_have_its_place(void **state)
{
    (void)state;
    int keeper = guest_in("guest keeps takes");
    sim_run(TAKES_MS + SECOND);
    assert_out(keeper, not_taken);
    int next = guest_in("guest takes");
    sim_run(5 * MINUTE);
    assert_in(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOWN_FACT(a_guest_stays_for_twenty_minutes),
        TOWN_FACT(whatever_he_asks_meanwhile),
        TOWN_FACT(whatever_the_clocks_on_the_wall_say),
        TOWN_FACT(who_is_signed_in_stays_longer),
        TOWN_FACT(each_has_his_own),
        TOWN_FACT(what_is_over_is_forgotten),
        TOWN_FACT(an_answer_waits_for_thirty_seconds),
        TOWN_FACT(however_many_others_he_takes),
        TOWN_FACT(it_counts_from_its_question),
        TOWN_FACT(and_then_others_have_its_place),
    };
    sim_notes(pools_note);
    town_seed(11);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
