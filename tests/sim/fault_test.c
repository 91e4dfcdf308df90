/*
 * Every call of the port fails once, and then for ever: the first, the
 * second, ... until a run meets no fault. Whatever fails, nothing crashes,
 * hangs or spins; output is a prefix of the true output; a failure is told
 * in a sentence; and when the fault is gone, everything works again.
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

#define BYTES     120000 /* what the command writes */
/* A loop that has not met its end by then never will. */
#define CALLS_MAX 3000

/* ---- what must hold ------------------------------------------------------------------- */

static const char *what; /* the fault of this run, for people */
static bool mute;        /* it cannot even say that it failed */
static uint64_t nth;

static void note(const char *role, const char *calls)
{
    static char text[120];
    snprintf(text, sizeof(text), "%s: %s", role, calls);
    what = text;
}

static void require(bool holds, const char *fact)
{
    const char *trouble = sim_trouble();
    if (holds && trouble[0] == '\0')
        return;
    fail_msg("%s, call %llu (seed %llu): %s; %s", what, (unsigned long long)nth,
             (unsigned long long)town.seed, fact, trouble);
}

static void require_prefix(struct view got)
{
    char line[9];
    require(got.len <= BYTES, "more came than was written");
    for (size_t at = 0; at < got.len; at += 8) {
        size_t n = got.len - at < 8 ? got.len - at : 8;
        snprintf(line, sizeof(line), "%07u\n", (unsigned)at);
        require(memcmp(got.ptr + at, line, n) == 0, "output differs");
    }
}

/* One sentence, or several; nothing that is not printable. Only two ends are
 * silent: nobody reads our output, or the remote program itself was ended by
 * a signal (its terminal or pipe is what failed). */
static void require_told(int role)
{
    struct view err = sim_err(role);
    int status = sim_status(role);
    if (mute || (status > 128 && status < 128 + 32))
        return;
    require(err.len > 8, "it failed and said nothing");
    for (size_t i = 0; i < err.len; i++)
        require(err.ptr[i] == '\n' || (err.ptr[i] >= ' ' && err.ptr[i] < 0x7f),
                "it said something unreadable");
}

/* With the fault gone: the machine comes back and serves. */
static void require_recovery(void)
{
    sim_fault(-1, 0, 0, false, OK);
    require(town_wait_online(3 * MINUTE), "the machine did not come back");
    int status = -1;
    for (int i = 0; i < 3 && status != 7; i++) { /* its old link may just die */
        int tool = town_tool("connect exec web-1 -- both", NULL);
        status = sim_wait(tool, MINUTE);
        sim_run(5000);
    }
    require(status == 7, "the machine does not serve");
    sim_run(10000);
    require(sim_children(town.machine_host) == 0, "a command was left behind");
}

/* ---- a command while something fails ----------------------------------------------------- */

enum victim { THE_RELAY, THE_AGENT, THE_TOOL };

static const char *const victim_names[] = {"relay", "agent", "tool"};

/* Run a command while the nth call of its kind fails. False: none did. */
static bool one_run(enum victim victim, unsigned calls, bool for_ever, int err)
{
    static const struct sim_start open = {.open_stdin = true};
    town_open(town.seed);
    int tool = town_tool("connect exec web-1 -- producer 120000 3", &open);
    int role = victim == THE_RELAY   ? town.relay
               : victim == THE_AGENT ? town.agent
                                     : tool;
    sim_fault(role, calls, nth, for_ever, err);
    int status = sim_wait(tool, 5 * MINUTE);
    bool met = sim_fault_met();
    require(!sim_alive(tool), "the tool hangs");
    require_prefix(sim_out(tool));
    if (status == 3)
        require(sim_out(tool).len == BYTES, "output is missing");
    else
        require_told(tool);
    if (!met)
        require(status == 3, "it failed without a fault");
    require(sim_alive(town.relay), "the relay ended");
    require(sim_alive(town.agent), "the agent ended");
    require_recovery();
    return met;
}

static void every_call(enum victim victim, unsigned calls, const char *names,
                       bool for_ever, int err)
{
    note(victim_names[victim], names);
    mute = victim == THE_TOOL && for_ever && (calls & SIM_SEND) != 0;
    for (nth = 1; one_run(victim, calls, for_ever, err); nth++)
        require(nth < CALLS_MAX, "there is no end of faults");
}

static void the_tools_calls_fail(void **state)
{
    (void)state;
    every_call(THE_TOOL, SIM_RECV, "recv", false, ERR_IO);
    every_call(THE_TOOL, SIM_SEND, "send", false, ERR_CLOSED);
    every_call(THE_TOOL, SIM_DIAL, "dial", false, ERR_UNREACHABLE);
    every_call(THE_TOOL, SIM_KEEP, "keep", false, ERR_IO);
    every_call(THE_TOOL, SIM_KEEP, "keep for ever", true, ERR_DENIED);
    every_call(THE_TOOL, SIM_SEND, "send for ever", true, ERR_IO);
}

static void the_agents_calls_fail(void **state)
{
    (void)state;
    every_call(THE_AGENT, SIM_RECV, "recv", false, ERR_IO);
    every_call(THE_AGENT, SIM_SEND, "send", false, ERR_CLOSED);
    every_call(THE_AGENT, SIM_SPAWN, "spawn", false, ERR_LIMIT);
    every_call(THE_AGENT, SIM_ANY, "anything", false, ERR_IO);
}

static void the_agents_calls_fail_for_ever(void **state)
{
    (void)state;
    every_call(THE_AGENT, SIM_RECV, "recv for ever", true, ERR_IO);
    every_call(THE_AGENT, SIM_SEND, "send for ever", true, ERR_IO);
    every_call(THE_AGENT, SIM_SPAWN, "spawn for ever", true, ERR_NO_SPACE);
}

static void the_relays_calls_fail(void **state)
{
    (void)state;
    every_call(THE_RELAY, SIM_RECV, "recv", false, ERR_IO);
    every_call(THE_RELAY, SIM_SEND, "send", false, ERR_CLOSED);
    every_call(THE_RELAY, SIM_ACCEPT, "accept", false, ERR_LIMIT);
    every_call(THE_RELAY, SIM_ACCEPT, "accept for ever", true, ERR_LIMIT);
}

/* ---- coming back while something fails ---------------------------------------------------- */

/* The link is cut, and the way back has a fault. */
static bool one_return(bool for_ever, int err)
{
    town_open(town.seed);
    sim_fault(town.agent, SIM_ANY, nth, for_ever, err);
    sim_reset(town.machine_host, town.relay_host);
    sim_run(MINUTE);
    bool met = sim_fault_met();
    require(sim_alive(town.agent), "the agent ended");
    require_recovery();
    return met;
}

static void the_way_back_fails_at_any_call(void **state)
{
    (void)state;
    note("agent, coming back", "anything");
    for (nth = 1; one_return(false, ERR_IO); nth++)
        require(nth < CALLS_MAX, "there is no end of faults");
    note("agent, coming back", "anything, for ever");
    for (nth = 1; nth < 12; nth++)
        (void)one_return(true, ERR_LIMIT);
}

/* ---- beginnings ----------------------------------------------------------------------------- */

/* A join that fails anywhere leaves a machine that can join. */
static bool one_join(unsigned calls, bool for_ever, int err)
{
    char line[500];
    town_begin(town.seed);
    town_start_relay();
    town_join_line("web-1", line, sizeof(line));
    int role = town_local(line, NULL);
    sim_fault(role, calls, nth, for_ever, err);
    int status = sim_wait(role, 2 * MINUTE);
    bool met = sim_fault_met();
    require(!sim_alive(role), "joining hangs");
    if (status != 0)
        require_told(role);
    require(met || status == 0, "it failed without a fault");
    sim_fault(-1, 0, 0, false, OK);
    require(town_wait_offline(MINUTE), "the joining link stays");
    if (status != 0)
        town_join("web-1");
    town_start_agent();
    require_recovery();
    return met;
}

static void a_join_may_fail_anywhere_and_be_repeated(void **state)
{
    (void)state;
    note("join", "anything");
    for (nth = 1; one_join(SIM_ANY, false, ERR_IO); nth++)
        require(nth < CALLS_MAX, "there is no end of faults");
    note("join", "keep, disk full");
    for (nth = 1; one_join(SIM_KEEP, true, ERR_NO_SPACE); nth++)
        require(nth < CALLS_MAX, "there is no end of faults");
}

static bool listens(void *ctx)
{
    (void)ctx;
    return !sim_alive(town.relay) ||
           town_tells(sim_err(town.relay), "relay ready");
}

/* A first start that fails anywhere leaves a relay that can start. */
static bool one_start(unsigned calls, bool for_ever, int err)
{
    town_begin(town.seed);
    town_spawn_relay();
    sim_fault(town.relay, calls, nth, for_ever, err);
    require(sim_run_until(listens, NULL, MINUTE), "the start hangs");
    bool met = sim_fault_met();
    require(met || sim_alive(town.relay), "it failed without a fault");
    sim_fault(-1, 0, 0, false, OK);
    if (!sim_alive(town.relay)) {
        require(sim_status(town.relay) > 0, "it failed with status 0");
        require_told(town.relay);
        town_start_relay();
    }
    town_join("web-1");
    require(town_wait_offline(MINUTE), "the joining link stays");
    town_start_agent();
    require_recovery();
    return met;
}

static void a_first_start_may_fail_anywhere_and_be_repeated(void **state)
{
    (void)state;
    note("server", "keep and listen");
    for (nth = 1; one_start(SIM_KEEP | SIM_LISTEN, false, ERR_IO); nth++)
        require(nth < CALLS_MAX, "there is no end of faults");
    note("server", "keep, disk full");
    for (nth = 1; one_start(SIM_KEEP, true, ERR_NO_SPACE); nth++)
        require(nth < CALLS_MAX, "there is no end of faults");
}

/* ---- a session while something fails ------------------------------------------------------------ */

static bool one_session(enum victim victim, unsigned calls, bool for_ever,
                        int err)
{
    static const struct sim_start terminal = {.tty = true, .open_stdin = true};
    town_open(town.seed);
    int tool = town_tool("connect web-1", &terminal);
    int role = victim == THE_RELAY   ? town.relay
               : victim == THE_AGENT ? town.agent
                                     : tool;
    sim_fault(role, calls, nth, for_ever, err);
    sim_run(1000);
    sim_type(tool, view_str("producer 40000\r"));
    sim_run(2 * MINUTE);
    bool met = sim_fault_met();
    sim_fault(-1, 0, 0, false, OK);
    if (!sim_alive(tool) && sim_status(tool) != 0)
        require_told(tool);
    require(sim_alive(tool) || !sim_is_raw(tool),
            "the terminal was left in raw mode");
    require(met || sim_alive(tool), "it failed without a fault");
    if (!sim_alive(tool))
        tool = town_tool("connect web-1", &terminal);
    sim_run(MINUTE);
    sim_type(tool, view_str("\x03"));
    sim_run(1000);
    sim_type(tool, view_str("exit 9\r"));
    require(sim_wait(tool, MINUTE) == 9, "the shell cannot be reached");
    require_recovery();
    return met;
}

static void a_session_survives_any_one_fault(void **state)
{
    (void)state;
    for (enum victim v = THE_RELAY; v <= THE_TOOL; v++) {
        note(victim_names[v], "anything, in a session");
        for (nth = 1;
             one_session(v, SIM_ANY & ~(unsigned)SIM_SPAWN, false, ERR_CLOSED);
             nth++)
            require(nth < CALLS_MAX, "there is no end of faults");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOWN_TALE(the_tools_calls_fail),
        TOWN_TALE(the_agents_calls_fail),
        TOWN_TALE(the_agents_calls_fail_for_ever),
        TOWN_TALE(the_relays_calls_fail),
        TOWN_TALE(the_way_back_fails_at_any_call),
        TOWN_TALE(a_join_may_fail_anywhere_and_be_repeated),
        TOWN_TALE(a_first_start_may_fail_anywhere_and_be_repeated),
        TOWN_TALE(a_session_survives_any_one_fault),
    };
    town_seed(4);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
