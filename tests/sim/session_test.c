/*
 * A shell through the relay, held over everything that can happen to its
 * operator: detaching, lost links on either side, a killed tool, a terminal
 * that takes nothing. What an operator saw is always a prefix of what the
 * shell wrote, with every missing byte counted.
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

#define SEEDS 20

static char text[4 * 1024 * 1024]; /* a screen, without what the tool says */

/* ---- a screen ------------------------------------------------------------------------ */

static const struct sim_start terminal = {.tty = true, .open_stdin = true};

static int attach(const char *line)
{
    return town_tool(line, &terminal);
}

static bool saw(int tool, const char *what)
{
    return town_tells(sim_out(tool), what);
}

static void type(int tool, const char *keys)
{
    sim_type(tool, view_str(keys));
}

/* Is this the start of something the tool itself wrote? Then its length. */
static size_t own_words(const char *p, size_t left)
{
    static const char *const starts[] = {
        "\r\033[K[cmdop:", "\r\n[cmdop:", "[cmdop:", "\r\033[K", "\033[?1049l"};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        size_t n = strlen(starts[i]);
        if (left < n || memcmp(p, starts[i], n) != 0)
            continue;
        const char *end = i < 3 ? memchr(p + n, ']', left - n) : p + n - 1;
        if (end == NULL)
            return left;
        n = (size_t)(end - p) + 1;
        if (i == 1 && n + 2 <= left && memcmp(p + n, "\r\n", 2) == 0)
            n += 2; /* the line of a gap */
        return n;
    }
    return 0;
}

/* The stream alone, into `text`; returns its length. */
static size_t strip(int tool)
{
    struct view v = sim_out(tool);
    const char *p = (const char *)v.ptr;
    size_t n = 0;
    for (size_t i = 0; i < v.len;) {
        size_t own = own_words(p + i, v.len - i);
        if (own == 0)
            text[n++] = p[i++];
        i += own;
    }
    text[n] = '\0';
    return n;
}

/* The numbers that `counter` wrote: 1, 2, 3, ... without one missing or
 * twice. Returns the last. */
static unsigned counted(int tool, unsigned first)
{
    char *at, *line, *save = NULL;
    unsigned expected = first, n;
    char rest;
    (void)strip(tool);
    at = strstr(text, "counter ");
    for (line = strtok_r(at != NULL ? at : text, "\r\n", &save); line != NULL;
         line = strtok_r(NULL, "\r\n", &save)) {
        if (sscanf(line, "%u%c", &n, &rest) != 1)
            continue;
        if (n != expected)
            fail_msg("%u follows %u", n, expected - 1);
        expected++;
    }
    return expected - 1;
}

static int start_counter(const char *line)
{
    int tool = attach(line);
    assert_true(sim_wait_out(tool, "$ ", 10000));
    type(tool, "counter 100\r");
    assert_true(sim_wait_out(tool, "\n3\r\n", 10000));
    return tool;
}

/* ---- a plain day ---------------------------------------------------------------------- */

static void keys_reach_the_shell_and_its_output_the_screen(void **state)
{
    (void)state;
    int tool = attach("connect web-1");
    assert_true(sim_wait_out(tool, "$ ", 10000));
    assert_true(sim_is_raw(tool));
    type(tool, "hello there\r");
    assert_true(sim_wait_out(tool, "did hello there\r\n$ ", 5000));
    type(tool, "size\r");
    assert_true(sim_wait_out(tool, "24 80\r\n", 5000));
    sim_resize(tool, 50, 132);
    sim_run(100);
    type(tool, "size\r");
    assert_true(sim_wait_out(tool, "50 132\r\n", 5000));
    type(tool, "exit 5\r");
    assert_int_equal(sim_wait(tool, 5000), 5);
    assert_false(sim_is_raw(tool));
    town_check();
}

static void an_interrupt_overtakes_a_flood(void **state)
{
    (void)state;
    int tool = attach("connect web-1");
    assert_true(sim_wait_out(tool, "$ ", 10000));
    sim_network(5000, 1000000);
    type(tool, "producer 8000000\r");
    sim_run(1000);
    uint64_t before = sim_now_ms();
    type(tool, "\x03");
    assert_true(sim_wait_out(tool, "^C", 20000));
    assert_in_range(sim_now_ms() - before, 0, 3000);
    town_check();
}

static void a_detached_session_goes_on_and_is_found_again(void **state)
{
    (void)state;
    int tool = start_counter("connect web-1");
    type(tool, "\r~.");
    assert_int_equal(sim_wait(tool, 5000), 0);
    assert_false(sim_is_raw(tool));
    sim_run(10000);
    tool = attach("connect web-1");
    assert_true(sim_wait_out(tool, "\n120\r\n", 10000));
    assert_true(saw(tool, "reattached"));
    assert_in_range(counted(tool, 1), 120, 130); /* all of it, from the ring */
    type(tool, "\x04");
    assert_int_equal(sim_wait(tool, 5000), 0);
    assert_int_equal(sim_children(town.machine_host), 1);
    town_check();
}

static void a_killed_tool_costs_nothing(void **state)
{
    (void)state;
    int tool = start_counter("connect web-1");
    for (int i = 0; i < 5; i++) {
        sim_kill(tool);
        sim_run(sim_roll(5000));
        tool = attach("connect web-1");
        sim_run(3000);
        assert_true(counted(tool, 1) > 30);
    }
    assert_int_equal(sim_children(town.machine_host), 1);
    town_check();
}

static void a_terminal_that_hangs_up_detaches(void **state)
{
    (void)state;
    int tool = start_counter("connect web-1");
    sim_hang_up(tool);
    assert_true(sim_wait(tool, 10000) >= 0);
    assert_int_equal(sim_children(town.machine_host), 1);
    town_check();
}

static void two_operators_see_the_same(void **state)
{
    (void)state;
    int a = start_counter("connect web-1");
    int b = attach("connect --observe web-1");
    sim_run(5000);
    type(b, "\x03"); /* he may not */
    sim_run(1000);
    assert_true(counted(a, 1) > 60);
    type(a, "\x03");
    assert_true(sim_wait_out(a, "^C", 5000));
    sim_run(1000);
    assert_int_equal(sim_children(town.machine_host), 1);
    town_check();
}

/* ---- lost links -------------------------------------------------------------------------- */

static void the_operators_link_is_cut(void **state)
{
    (void)state;
    int tool = start_counter("connect web-1");
    for (int i = 0; i < 5; i++) {
        sim_reset(town.desk_host, town.relay_host);
        sim_run(2000);
    }
    assert_true(sim_alive(tool));
    assert_in_range(counted(tool, 1), 90, 110);
    town_check();
}

static void the_machines_link_is_cut(void **state)
{
    (void)state;
    int tool = start_counter("connect web-1");
    for (int i = 0; i < 5; i++) {
        sim_reset(town.machine_host, town.relay_host);
        sim_run(3000);
    }
    assert_true(sim_alive(tool));
    assert_true(counted(tool, 1) > 100);
    town_check();
}

/* The machine is away longer than any first try of the tool. */
static void the_machine_is_away_for_minutes(void **state)
{
    (void)state;
    int tool = start_counter("connect web-1");
    sim_partition(town.machine_host, town.relay_host, true);
    sim_run(5 * MINUTE);
    assert_true(sim_alive(tool));
    assert_true(saw(tool, "connection lost"));
    sim_partition(town.machine_host, town.relay_host, false);
    sim_run(2 * MINUTE);
    assert_true(sim_alive(tool));
    assert_true(counted(tool, 1) > 4000);
    town_check();
}

static void the_relay_restarts_under_a_session(void **state)
{
    (void)state;
    int tool = start_counter("connect web-1");
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            sim_kill(town.relay);
        else
            sim_signal(town.relay, PORT_SIG_TERM);
        (void)sim_wait(town.relay, 10000);
        sim_run(sim_roll(10000));
        town_start_relay();
        sim_run(90000);
        assert_true(sim_alive(tool));
    }
    assert_true(counted(tool, 1) > 2000);
    type(tool, "\x03");
    assert_true(sim_wait_out(tool, "^C", 5000));
    town_check();
}

static int keeper(void)
{
    for (int i = 0; i < sim_roles(); i++)
        if (sim_alive(i) && strncmp(sim_line(i), "cmdop keeper", 12) == 0)
            return i;
    fail_msg("there is no keeper");
    return -1;
}

/* The new agent is online long before it knows the session again. */
static void a_keeper_that_answers_late_costs_no_operator(void **state)
{
    (void)state;
    int tool = start_counter("connect web-1");
    sim_freeze(keeper(), true);
    sim_kill(town.agent);
    town_start_agent();
    assert_true(sim_wait_log(town.agent, "event=relay.online", 10000));
    sim_run(10000);
    assert_true(sim_alive(tool));
    sim_freeze(keeper(), false);
    sim_run(10000);
    assert_true(sim_alive(tool));
    assert_true(counted(tool, 1) > 200);
    assert_int_equal(sim_children(town.machine_host), 1);
    town_check();
}

/* The n-th call of a new agent fails that has to do with files or keepers:
 * some end the agent, and another one starts. None ends the session. */
static void an_agent_that_starts_with_trouble_finds_its_session(void **state)
{
    unsigned calls = SIM_KEEP | SIM_DIAL | SIM_SHARED;
    bool met = true;
    (void)state;
    int tool = start_counter("connect web-1");
    for (uint64_t nth = 1; met; nth++) {
        sim_kill(town.agent);
        town_start_agent();
        sim_fault(town.agent, calls, nth, false, ERR_LIMIT);
        sim_run(8000);
        met = sim_fault_met();
        sim_fault(-1, 0, 0, false, OK);
        if (!sim_alive(town.agent))
            town_start_agent();
        sim_run(8000);
        if (!sim_alive(tool) || sim_children(town.machine_host) != 1)
            fail_msg("call %llu ended the session", (unsigned long long)nth);
        assert_true(counted(tool, 1) > sim_now_ms() / 100 - 50);
    }
    town_check();
}

static void a_lost_operator_may_still_leave(void **state)
{
    (void)state;
    int tool = start_counter("connect web-1");
    sim_tcp_dead(0);
    sim_partition(town.desk_host, town.relay_host, true);
    sim_run(30000);
    type(tool, "\r~.");
    assert_true(sim_wait(tool, 10000) >= 0);
    assert_false(sim_is_raw(tool));
    town_check();
}

/* Whatever is cut, whenever, for however long. */
static void weather(uint64_t with)
{
    town_open(with);
    int tool = start_counter("connect web-1");
    for (int i = 0; i < 15; i++) {
        int a = (int)sim_roll(2) == 0 ? town.desk_host : town.machine_host;
        uint64_t ms =
            sim_roll(4) == 0 ? 50000 + sim_roll(60000) : sim_roll(5000);
        if (sim_roll(2) == 0) {
            sim_reset(a, town.relay_host);
        } else {
            sim_partition(a, town.relay_host, true);
            sim_run(ms);
            sim_partition(a, town.relay_host, false);
        }
        sim_run(sim_roll(20000));
        if (!sim_alive(tool))
            fail_msg("seed %llu: the tool left with %d",
                     (unsigned long long)with, sim_status(tool));
    }
    sim_run(3 * MINUTE);
    unsigned n = counted(tool, 1);
    if (n < sim_now_ms() / 100 - 100)
        fail_msg("seed %llu: only %u were seen", (unsigned long long)with, n);
    town_check();
}

static void no_weather_costs_a_byte(void **state)
{
    (void)state;
    for (uint64_t s = 0; s < SEEDS; s++)
        weather(town.seed * 100 + s);
}

/* ---- much output -------------------------------------------------------------------------- */

#define FLOOD 3000000

static size_t gap_told(int tool)
{
    static const char words[] = " bytes of output";
    struct view v = sim_out(tool);
    const char *at = (const char *)v.ptr, *end = at + v.len;
    size_t sum = 0;
    while ((at = memmem(at, (size_t)(end - at), words, strlen(words))) !=
           NULL) {
        const char *digits = at;
        while (digits[-1] >= '0' && digits[-1] <= '9')
            digits--;
        sum += strtoul(digits, NULL, 10);
        at += strlen(words);
    }
    return sum;
}

/* Every line of the flood says its own offset: what is there is in its place,
 * and what is not was counted. */
static void assert_flood_with_gaps(int tool)
{
    size_t len = strip(tool), gap = gap_told(tool);
    const char *p = strstr(text, "producer");
    assert_non_null(p);
    p = strchr(p, '\n') + 1;
    const char *end = text + len - 2; /* the prompt */
    assert_memory_equal(end, "$ ", 2);
    assert_int_equal((size_t)(end - p) + gap, FLOOD);
}

static void a_flood_arrives_whole_at_a_fast_terminal(void **state)
{
    (void)state;
    int tool = attach("connect web-1");
    assert_true(sim_wait_out(tool, "$ ", 10000));
    type(tool, "producer 3000000\r");
    assert_true(sim_wait_out(tool, "2999992\n$ ", 60000));
    assert_int_equal(gap_told(tool), 0);
    assert_flood_with_gaps(tool);
    town_check();
}

static void a_slow_line_loses_nothing(void **state)
{
    (void)state;
    int tool = attach("connect web-1");
    assert_true(sim_wait_out(tool, "$ ", 10000));
    sim_network(20000, 60000); /* a minute for all of it */
    type(tool, "producer 3000000\r");
    assert_true(sim_wait_out(tool, "2999992\n$ ", 5 * MINUTE));
    assert_int_equal(gap_told(tool), 0);
    assert_flood_with_gaps(tool);
    town_check();
}

static void a_slow_terminal_loses_nothing(void **state)
{
    struct sim_start slow = terminal;
    (void)state;
    slow.out_rate = 50000;
    int tool = town_tool("connect web-1", &slow);
    assert_true(sim_wait_out(tool, "$ ", 10000));
    type(tool, "producer 3000000\r");
    assert_true(sim_wait_out(tool, "2999992\n$ ", 5 * MINUTE));
    assert_int_equal(gap_told(tool), 0);
    assert_flood_with_gaps(tool);
    town_check();
}

/* A terminal that takes 200 bytes per second is as good as stopped. */
static void a_stopped_terminal_finds_a_counted_gap(void **state)
{
    struct sim_start stopped = terminal;
    (void)state;
    int other = attach("connect web-1");
    assert_true(sim_wait_out(other, "$ ", 10000));
    stopped.out_rate = 200;
    int tool = town_tool("connect web-1", &stopped);
    assert_true(sim_wait_out(tool, "$ ", 10000));
    type(other, "producer 3000000\r");
    assert_true(sim_wait_out(other, "2999992\n$ ", 2 * MINUTE));
    assert_int_equal(gap_told(other), 0);
    assert_flood_with_gaps(other);
    assert_true(sim_alive(tool));
    town_check();
}

/* Each link brought half as much as the one before fits, and the last ones
 * nothing at all: that is over when the terminal takes all again. */
static void a_stopped_terminal_goes_on_after_many_lost_links(void **state)
{
    (void)state;
    int tool = attach("connect web-1");
    assert_true(sim_wait_out(tool, "$ ", 10000));
    sim_out_rate(tool, 1);
    type(tool, "producer 3000000\r");
    for (int i = 0; i < 25; i++) {
        sim_run(3000);
        sim_reset(town.desk_host, town.relay_host);
    }
    sim_run(3000);
    sim_network(20000, 10000000);
    sim_out_rate(tool, 0);
    assert_true(sim_wait_out(tool, "2999992\n$ ", MINUTE));
    assert_flood_with_gaps(tool);
    town_check();
}

/* Twelve seconds of output wait in the ring of the session, four in the
 * relay's. */
static void an_interrupt_skips_what_a_slow_line_has_not_brought(void **state)
{
    (void)state;
    int tool = attach("connect web-1");
    assert_true(sim_wait_out(tool, "$ ", 10000));
    sim_network(20000, 60000);
    type(tool, "producer 3000000\r");
    sim_run(5000);
    uint64_t before = sim_now_ms();
    type(tool, "\x03");
    assert_true(sim_wait_out(tool, "^C\r\n$ ", 20000));
    assert_in_range(sim_now_ms() - before, 0, 3000);
    assert_true(gap_told(tool) > 500000);
    town_check();
}

static void a_lost_link_in_a_flood_leaves_a_counted_gap(void **state)
{
    (void)state;
    int tool = attach("connect web-1");
    assert_true(sim_wait_out(tool, "$ ", 10000));
    sim_network(10000, 400000);
    type(tool, "producer 3000000\r");
    sim_run(2000);
    sim_partition(town.desk_host, town.relay_host, true);
    sim_run(3 * MINUTE);
    sim_partition(town.desk_host, town.relay_host, false);
    assert_true(sim_wait_out(tool, "2999992\n$ ", 5 * MINUTE));
    assert_true(gap_told(tool) > 0);
    assert_flood_with_gaps(tool);
    town_check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOWN_FACT(keys_reach_the_shell_and_its_output_the_screen),
        TOWN_FACT(an_interrupt_overtakes_a_flood),
        TOWN_FACT(a_detached_session_goes_on_and_is_found_again),
        TOWN_FACT(a_killed_tool_costs_nothing),
        TOWN_FACT(a_terminal_that_hangs_up_detaches),
        TOWN_FACT(two_operators_see_the_same),
        TOWN_FACT(the_operators_link_is_cut),
        TOWN_FACT(the_machines_link_is_cut),
        TOWN_FACT(the_machine_is_away_for_minutes),
        TOWN_FACT(the_relay_restarts_under_a_session),
        TOWN_FACT(a_keeper_that_answers_late_costs_no_operator),
        TOWN_FACT(an_agent_that_starts_with_trouble_finds_its_session),
        TOWN_FACT(a_lost_operator_may_still_leave),
        TOWN_TALE(no_weather_costs_a_byte),
        TOWN_FACT(a_flood_arrives_whole_at_a_fast_terminal),
        TOWN_FACT(a_slow_line_loses_nothing),
        TOWN_FACT(a_slow_terminal_loses_nothing),
        TOWN_FACT(a_stopped_terminal_finds_a_counted_gap),
        TOWN_FACT(a_stopped_terminal_goes_on_after_many_lost_links),
        TOWN_FACT(an_interrupt_skips_what_a_slow_line_has_not_brought),
        TOWN_FACT(a_lost_link_in_a_flood_leaves_a_counted_gap),
    };
    town_seed(3);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
