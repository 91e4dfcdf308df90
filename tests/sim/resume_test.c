/*
 * Coming back: what is typed is applied once and in order whatever happens to
 * the links, and soon after the path is there again. The program `hear` keeps
 * what it is given, so input itself is compared, not only its echo.
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

#define SEEDS 25 /* of the weather */

static char typed[64 * 1024];
static size_t typed_len;

static const struct sim_start terminal = {.tty = true, .open_stdin = true};

/* ---- a typist -------------------------------------------------------------------------- */

/* A tool on a shell in which `hear` runs. */
static int start_hearing(void)
{
    int tool = town_tool("connect web-1", &terminal);
    assert_true(sim_wait_out(tool, "$ ", 10000));
    sim_type(tool, view_str("hear\r"));
    assert_true(sim_wait_out(tool, "hear\r\n", 5000));
    typed_len = 0;
    sim_run(1000); /* a person works here, and all is acknowledged */
    return tool;
}

static void type(int tool, const char *keys)
{
    size_t n = strlen(keys);
    assert_true(typed_len + n < sizeof(typed));
    memcpy(typed + typed_len, keys, n);
    typed_len += n;
    sim_type(tool, view_str(keys));
}

/* A key that stands nowhere else, and nothing the tool would say. */
static char fresh_key(void)
{
    static int turn;
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[turn++ % 26];
}

static size_t count(int tool, char key)
{
    struct view v = sim_out(tool);
    size_t n = 0;
    for (size_t i = 0; i < v.len; i++)
        n += v.ptr[i] == (uint8_t)key;
    return n;
}

struct echo {
    int tool;
    char key;
    size_t before;
};

static struct echo type_key(int tool)
{
    struct echo e = {tool, fresh_key(), 0};
    char keys[2] = {e.key, '\0'};
    e.before = count(tool, e.key);
    type(tool, keys);
    return e;
}

static bool came(void *ctx)
{
    const struct echo *e = ctx;
    return count(e->tool, e->key) > e->before;
}

static void assert_echo_within(struct echo *e, uint64_t ms)
{
    uint64_t from = sim_now_ms();
    bool there = sim_run_until(came, e, MINUTE);
    town_check();
    if (!there || sim_now_ms() - from > ms)
        fail_msg("the echo took %llu ms, not %llu (seed %llu)",
                 (unsigned long long)(sim_now_ms() - from),
                 (unsigned long long)ms, (unsigned long long)town.seed);
}

static bool all_is_heard(void *ctx)
{
    (void)ctx;
    return sim_heard().len >= typed_len;
}

static void assert_heard_once(uint64_t with)
{
    (void)sim_run_until(all_is_heard, NULL, 5 * MINUTE);
    sim_run(5000); /* what would come twice comes now */
    struct view v = sim_heard();
    town_check();
    if (v.len != typed_len || memcmp(v.ptr, typed, typed_len) != 0)
        fail_msg("seed %llu: %zu keys were typed, %zu heard",
                 (unsigned long long)with, typed_len, v.len);
}

static bool said(int tool, const char *words)
{
    return town_tells(sim_out(tool), words);
}

/* ---- the way back in time ------------------------------------------------------------------ */

static void dead_path(int host, uint64_t ms, uint64_t typed_before_ms)
{
    int tool = start_hearing();
    sim_partition(host, town.relay_host, true);
    sim_run(ms - typed_before_ms);
    struct echo e = type_key(tool);
    sim_run(typed_before_ms);
    sim_partition(host, town.relay_host, false);
    assert_echo_within(&e, 300);
    assert_heard_once(town.seed);
    assert_false(said(tool, "may be lost"));
}

static void all_dead_paths(int *host, uint64_t ms)
{
    static const uint64_t before[] = {1, 700, 5000, 9900};
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
        for (int again = 0; again < 3; again++) {
            town_open(town.seed);
            sim_run(sim_roll(1000)); /* not in step with anything */
            dead_path(*host, ms + sim_roll(400), before[i]);
        }
}

static void ten_seconds_without_the_operators_path(void **state)
{
    (void)state;
    all_dead_paths(&town.desk_host, 10000);
}

static void half_a_minute_without_the_operators_path(void **state)
{
    (void)state;
    all_dead_paths(&town.desk_host, 30000);
}

static void ten_seconds_without_the_machines_path(void **state)
{
    (void)state;
    all_dead_paths(&town.machine_host, 10000);
}

static void half_a_minute_without_the_machines_path(void **state)
{
    (void)state;
    all_dead_paths(&town.machine_host, 30000);
}

/* Nobody types until the path is back; the link was asked all the same. */
static void a_key_behind_a_dead_path_is_echoed_at_once(void **state)
{
    (void)state;
    int hosts[] = {town.desk_host, town.machine_host};
    for (int i = 0; i < 2; i++) {
        town_open(town.seed);
        int tool = start_hearing();
        sim_partition(hosts[i], town.relay_host, true);
        sim_run(20000);
        sim_partition(hosts[i], town.relay_host, false);
        sim_run(1 + sim_roll(300));
        struct echo e = type_key(tool);
        assert_echo_within(&e, 300);
        assert_heard_once(town.seed);
    }
}

static void a_cut_connection_costs_fifty_milliseconds(void **state)
{
    (void)state;
    int tool = start_hearing();
    int hosts[] = {town.desk_host, town.machine_host};
    for (int i = 0; i < 10; i++) {
        sim_reset(hosts[i % 2], town.relay_host);
        struct echo e = type_key(tool);
        assert_echo_within(&e, 50);
        sim_run(2000 + sim_roll(5000));
    }
    assert_heard_once(town.seed);
}

static void a_restarted_relay_costs_a_second(void **state)
{
    (void)state;
    int tool = start_hearing();
    for (int i = 0; i < 5; i++) {
        sim_kill(town.relay);
        struct echo e = type_key(tool);
        sim_run(sim_roll(20000));
        town_start_relay();
        assert_echo_within(&e, 1000);
        sim_run(5000);
    }
    assert_heard_once(town.seed);
}

/* ---- what the person sees -------------------------------------------------------------------- */

static void a_typist_learns_of_a_dead_path_in_three_seconds(void **state)
{
    int hosts[] = {town.desk_host, town.machine_host};
    (void)state;
    for (int i = 0; i < 2; i++) {
        town_open(town.seed);
        sim_tcp_dead(0);
        int tool = start_hearing();
        sim_partition(hosts[i], town.relay_host, true);
        sim_run(5000);
        type(tool, "x");
        sim_run(3000);
        assert_true(said(tool, "[cmdop: no answer for 2 s; ~. to leave]"));
        type(tool, "more");
        sim_type(tool, view_str("\r~."));
        assert_int_equal(sim_wait(tool, 10000), 0);
        assert_false(sim_is_raw(tool));
    }
}

/* Not even TCP gives up here. */
static void a_link_that_nobody_uses_is_found_dead_in_time(void **state)
{
    int hosts[] = {town.desk_host, town.machine_host};
    (void)state;
    for (int i = 0; i < 6; i++) {
        town_open(town.seed);
        sim_tcp_dead(0);
        int tool = start_hearing();
        sim_run(5 * MINUTE + sim_roll(30000));
        sim_partition(hosts[i % 2], town.relay_host, true);
        sim_run(45000);
        if (i % 2 == 0)
            assert_true(said(tool, "[cmdop: no answer for "));
        else
            assert_int_equal(sim_logged(town.agent, "relay.doubt"), 1);
        sim_partition(hosts[i % 2], town.relay_host, false);
        sim_run(5000);
        struct echo e = type_key(tool);
        assert_echo_within(&e, 300);
        assert_heard_once(town.seed);
    }
}

/* While an attempt is under way the next one is not due, and what was not
 * tried does not make the waits longer. */
static void a_relay_that_comes_back_is_found_soon(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        town_open(town.seed);
        sim_tcp_dead(0);
        int tool = start_hearing();
        sim_run(2 * MINUTE + sim_roll(30000));
        sim_partition(town.machine_host, town.relay_host, true);
        sim_run(80000 + sim_roll(15000));
        sim_kill(town.relay);
        town_start_relay();
        sim_partition(town.machine_host, town.relay_host, false);
        sim_run(16000);
        struct echo e = type_key(tool);
        assert_echo_within(&e, 300);
    }
}

static void a_key_ends_the_leisure(void **state)
{
    (void)state;
    int tool = start_hearing();
    sim_run(5 * MINUTE);
    sim_partition(town.desk_host, town.relay_host, true);
    sim_run(38000);
    struct echo e = type_key(tool);
    sim_partition(town.desk_host, town.relay_host, false);
    assert_echo_within(&e, 300);
    assert_heard_once(town.seed);
}

static void a_session_that_nobody_uses_wakes_nobody(void **state)
{
    (void)state;
    int tool = start_hearing();
    sim_run(MINUTE);
    uint64_t agent = sim_turns(town.agent), desk = sim_turns(tool);
    sim_run(10 * MINUTE);
    assert_in_range(sim_turns(town.agent) - agent, 19, 23);
    assert_in_range(sim_turns(tool) - desk, 19, 64);
}

/* A slow line is not a dead one: a question waits behind what is sent. */
static void a_flood_on_a_slow_line_doubts_nothing(void **state)
{
    (void)state;
    int tool = town_tool("connect web-1", &terminal);
    assert_true(sim_wait_out(tool, "$ ", 10000));
    sim_network(100000, 30000);
    sim_type(tool, view_str("producer 300000\r"));
    assert_true(sim_wait_out(tool, "0299992\n$ ", MINUTE));
    assert_int_equal(sim_logged(town.agent, "relay.doubt"), 0);
    assert_int_equal(sim_logged(town.relay, "machine.twice"), 0);
}

/* Sixteen others type, who goes home after that. */
static void sixteen_others_type(void)
{
    int desk = town.desk_host;
    town.desk_host = sim_host("other");
    for (int i = 0; i < 16; i++) {
        int other = town_tool("connect web-1", &terminal);
        sim_run(1000);
        type(other, "other ");
        sim_run(1000);
        sim_type(other, view_str("\x04"));
        assert_int_equal(sim_wait(other, 5000), 0);
    }
    town.desk_host = desk;
}

/* The machine remembers sixteen: the first of seventeen is forgotten, and what
 * it had not heard of is told, not typed again. */
static void a_forgotten_typist_is_told_what_may_be_lost(void **state)
{
    (void)state;
    int tool = start_hearing();
    int desk = town.desk_host;
    sim_tcp_dead(0);
    type(tool, "before ");
    sim_run(1000);
    sim_partition(desk, town.relay_host, true);
    sim_type(tool, view_str("lost"));
    sim_run(1000);
    sixteen_others_type();
    sim_partition(desk, town.relay_host, false);
    assert_true(sim_wait_out(tool, "[cmdop: 4 typed bytes may be lost]", 9000));
    type(tool, "after");
    assert_heard_once(town.seed);
}

static bool agent_turned(void *ctx)
{
    return sim_turns(town.agent) > *(uint64_t *)ctx;
}

/* The answer that tells him so is lost, and when he asks again the machine
 * knows him: as one who has typed nothing. */
static void who_is_forgotten_may_miss_the_answer(void **state)
{
    (void)state;
    for (uint64_t turn = 0; turn < 4; turn++) {
        town_open(town.seed);
        int tool = start_hearing(), desk = town.desk_host;
        sim_tcp_dead(0);
        type(tool, "before ");
        sim_run(1000);
        sim_partition(desk, town.relay_host, true);
        sixteen_others_type();
        sim_partition(desk, town.relay_host, false);
        uint64_t turns = sim_turns(town.agent) + turn;
        assert_true(sim_run_until(agent_turned, &turns, 9000)); /* he asked */
        sim_partition(desk, town.relay_host, true);
        sim_run(2 * MINUTE);
        sim_partition(desk, town.relay_host, false);
        sim_run(5000);
        type(tool, "after");
        assert_heard_once(town.seed);
    }
}

/* ---- any weather ------------------------------------------------------------------------------- */

static void something_happens(int tool)
{
    int host = sim_roll(2) == 0 ? town.desk_host : town.machine_host;
    (void)tool;
    switch (sim_roll(6)) {
    case 0:
    case 1: sim_reset(host, town.relay_host); break;
    case 2:
    case 3:
        sim_partition(host, town.relay_host, true);
        sim_run(sim_roll(sim_roll(4) == 0 ? 90000 : 3000));
        sim_partition(host, town.relay_host, false);
        break;
    case 4:
        sim_kill(town.relay);
        sim_run(sim_roll(5000));
        town_start_relay();
        break;
    default: sim_network(sim_roll(200000), 20000 + sim_roll(1000000)); break;
    }
}

static void type_numbers(int tool, unsigned *n)
{
    char keys[16];
    for (uint32_t i = sim_roll(8); i > 0; i--) {
        snprintf(keys, sizeof(keys), "%u,", (*n)++);
        type(tool, keys);
        if (sim_roll(2) == 0)
            sim_run(sim_roll(200));
    }
}

static void weather(uint64_t with)
{
    unsigned n = 0;
    town_open(with);
    int tool = start_hearing();
    for (int i = 0; i < 25; i++) {
        type_numbers(tool, &n);
        something_happens(tool);
        type_numbers(tool, &n);
        sim_run(sim_roll(sim_roll(3) == 0 ? 40000 : 800));
        town_check();
        if (!sim_alive(tool))
            fail_msg("seed %llu: the tool left with %d",
                     (unsigned long long)with, sim_status(tool));
    }
    assert_heard_once(with);
    assert_false(said(tool, "may be lost"));
}

static void no_weather_costs_a_key(void **state)
{
    (void)state;
    for (uint64_t s = 0; s < SEEDS; s++)
        weather(town.seed * 1000 + s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOWN_FACT(ten_seconds_without_the_operators_path),
        TOWN_FACT(half_a_minute_without_the_operators_path),
        TOWN_FACT(ten_seconds_without_the_machines_path),
        TOWN_FACT(half_a_minute_without_the_machines_path),
        TOWN_FACT(a_key_behind_a_dead_path_is_echoed_at_once),
        TOWN_FACT(a_cut_connection_costs_fifty_milliseconds),
        TOWN_FACT(a_restarted_relay_costs_a_second),
        TOWN_FACT(a_typist_learns_of_a_dead_path_in_three_seconds),
        TOWN_FACT(a_link_that_nobody_uses_is_found_dead_in_time),
        TOWN_FACT(a_relay_that_comes_back_is_found_soon),
        TOWN_FACT(a_key_ends_the_leisure),
        TOWN_FACT(a_session_that_nobody_uses_wakes_nobody),
        TOWN_FACT(a_flood_on_a_slow_line_doubts_nothing),
        TOWN_FACT(a_forgotten_typist_is_told_what_may_be_lost),
        TOWN_TALE(who_is_forgotten_may_miss_the_answer),
        TOWN_FACT(no_weather_costs_a_key),
    };
    town_seed(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
