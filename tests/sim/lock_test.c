/*
 * A machine with an attach password, in virtual time: who has it comes in,
 * who guesses waits longer and longer, whenever the agent is killed while
 * another one is set, the old or the new one is in force, and who sets one on
 * the machine itself has the last word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/lock.h"
#include "sim/town.h"

#define FILE_OF_MACHINE "/sim/machine/password"

static const struct sim_start open = {.open_stdin = true};

/* The tool is given this on standard input, and its end. */
static int given(int tool, const char *input)
{
    sim_type(tool, view_str(input));
    sim_type_end(tool);
    return tool;
}

static void desk_files(void)
{
    sim_file_put("/desk/one", view_str("the first one\n"));
    sim_file_put("/desk/two", view_str("the second one\n"));
}

/* The machine has the first of two passwords, which the desk has in files. */
static void arm(void)
{
    desk_files();
    int tool = given(town_tool("connect password set web-1", &open),
                     "the first one\n");
    assert_int_equal(sim_wait(tool, MINUTE), 0);
}

/* With this file of a password: the status, and the tool. */
static int come_in(const char *file, int *tool)
{
    char line[128];
    snprintf(line, sizeof(line),
             "connect exec --password-file /desk/%s web-1 -- both", file);
    *tool = town_tool(line, NULL);
    return sim_wait(*tool, MINUTE);
}

/* No token is left, and nobody was waiting for anything. */
static void forget(void)
{
    assert_int_equal(
        town_run("connect password clear --tokens --password-file /desk/one "
                 "web-1",
                 MINUTE),
        0);
}

static void who_has_it_comes_in_and_is_not_asked_again(void **state)
{
    int tool;
    (void)state;
    arm();
    assert_int_equal(town_run("connect exec web-1 -- both", MINUTE), 6);
    assert_int_equal(come_in("one", &tool), 7);
    assert_int_equal(town_run("connect exec web-1 -- both", MINUTE), 7);
    sim_kill(town.agent);
    town_start_agent();
    assert_true(sim_wait_log(town.agent, "event=relay.online", 10000));
    assert_int_equal(town_run("connect exec web-1 -- both", MINUTE), 7);
    sim_run(LOCK_TOKEN_MS);
    assert_int_equal(town_run("connect exec web-1 -- both", MINUTE), 6);
    town_check();
}

static void it_is_typed_unseen(void **state)
{
    struct sim_start how = {.tty = true, .open_stdin = true};
    (void)state;
    arm();
    int tool = town_tool("connect web-1", &how);
    sim_run(5000);
    assert_true(town_tells(sim_err(tool), "Password for web-1: "));
    assert_true(sim_is_raw(tool));
    sim_run(200000); /* somebody looks for it: the link is kept */
    sim_type(tool, view_str("a wrong one\r"));
    sim_run(5000);
    assert_true(town_tells(sim_err(tool), "that is not the password"));
    sim_type(tool, view_str("the first one\r"));
    sim_run(5000);
    assert_true(town_tells(sim_out(tool), "cmdop: session "));
    assert_false(town_tells(sim_out(tool), "the first one"));
    assert_false(town_tells(sim_err(tool), "the first one"));
    sim_reset(town.desk_host, town.relay_host);
    sim_reset(town.machine_host, town.relay_host);
    sim_run(30000);
    assert_true(sim_alive(tool)); /* and was not asked again */
    sim_type(tool, view_str("exit\r"));
    sim_run(5000);
    assert_int_equal(sim_wait(tool, 10000), 0);
    town_check();
}

static int guess(int *tool)
{
    *tool = town_tool("connect password clear --tokens --password-file "
                      "/desk/two web-1",
                      NULL);
    return sim_wait(*tool, MINUTE);
}

static void ten_wrong_ones_lock_for_a_quarter_of_an_hour(void **state)
{
    uint64_t begun;
    int tool;
    (void)state;
    arm();
    assert_int_equal(come_in("one", &tool), 7);
    int other = town_tool("connect exec --id kept web-1 -- sleep 100000", NULL);
    sim_run(2000);
    assert_true(sim_alive(other));
    begun = sim_now_ms();
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(guess(&tool), 6);
        assert_int_equal(sim_logged(town.agent, "event=lock.wrong"), i);
        if (i < 3)
            continue;
        assert_int_equal(guess(&tool), 6); /* is not even looked at */
        assert_true(town_tells(sim_err(tool), "looks at no other for"));
        assert_int_equal(sim_logged(town.agent, "event=lock.wrong"), i);
        sim_run(i < 10 ? (uint64_t)1000 << (i - 3) : 0);
    }
    assert_int_equal(sim_logged(town.agent, "locked for 15 minutes"), 1);
    begun = sim_now_ms();
    assert_int_equal(
        town_run("connect password clear --tokens --password-file /desk/one "
                 "web-1",
                 MINUTE),
        6); /* the right one as well */
    assert_int_equal(town_run("connect exec web-1 -- both", MINUTE), 7);
    sim_kill(town.agent); /* nor does a new agent forget */
    town_start_agent();
    sim_run(10000);
    sim_run(LOCK_MS - MINUTE - (sim_now_ms() - begun));
    assert_int_equal(
        town_run("connect password clear --tokens --password-file /desk/one "
                 "web-1",
                 MINUTE),
        6);
    sim_run(LOCK_MS);
    forget();
    sim_kill(other);
    town_check();
}

/* Which one is in force? -1: neither, or none at all. */
static int in_force(void)
{
    int tool;
    if (town_run("connect exec web-1 -- both", MINUTE) == 7)
        return -1; /* an open machine */
    if (come_in("one", &tool) == 7)
        return 1;
    return come_in("two", &tool) == 7 ? 2 : -1;
}

/* The agent is killed at its n-th call after it was asked for another one,
 * before or after the call: the old or the new one is in force. */
static void a_kill_while_it_is_set_leaves_the_old_or_the_new(void **state)
{
    int seen[3] = {0};
    (void)state;
    for (uint64_t nth = 1; nth < 200; nth += 1) {
        bool struck = false;
        for (int after = 0; after < 2; after++) {
            town_reopen(town.seed);
            arm();
            int tool = given(
                town_tool(
                    "connect password set --password-file /desk/one web-1",
                    &open),
                "the second one\n");
            sim_kill_at(town.agent, nth, after == 1);
            (void)sim_wait(tool, 40000);
            struck |= sim_struck(town.agent);
            sim_kill_at(town.agent, 0, false);
            if (!sim_alive(town.agent))
                town_start_agent();
            sim_run(10000);
            int which = in_force();
            if (which < 0)
                fail_msg("call %llu: no password is in force",
                         (unsigned long long)nth);
            seen[which]++;
        }
        if (!struck)
            break;
    }
    print_message("old %d, new %d\n", seen[1], seen[2]);
    assert_true(seen[1] > 0 && seen[2] > 0);
}

/* One is set from afar and, so much later, one on the machine, which is in
 * force in the end. How often the first was told that he was overtaken is
 * counted. False: he was done before the other began. */
static bool both_set(bool armed, uint64_t later_ms, int *overtaken)
{
    int tool;
    town_reopen(town.seed);
    desk_files();
    if (armed)
        arm();
    int afar =
        given(town_tool("connect password set --password-file /desk/one web-1",
                        &open),
              "one from afar\n");
    sim_run(later_ms);
    bool together = sim_alive(afar);
    int here =
        given(town_local("connect password set", &open), "the second one\n");
    assert_int_equal(sim_wait(here, MINUTE), 0);
    assert_true(sim_wait(afar, MINUTE) >= 0);
    *overtaken +=
        town_tells(sim_err(afar), "the password was changed at this moment");
    assert_int_equal(town_run("connect exec web-1 -- both", MINUTE), 6);
    assert_int_equal(come_in("two", &tool), 7);
    town_check();
    return together;
}

static void who_is_at_the_machine_has_the_last_word(void **state)
{
    (void)state;
    for (int armed = 0; armed < 2; armed++) {
        int overtaken = 0;
        for (uint64_t later = 0; both_set(armed == 1, later, &overtaken);)
            later += 10;
        print_message("%s: overtaken %d times\n", armed ? "armed" : "open",
                      overtaken);
        assert_true(overtaken > 0);
    }
}

static void a_damaged_file_lets_nobody_in(void **state)
{
    int tool;
    (void)state;
    arm();
    sim_kill(town.agent);
    sim_file_put(FILE_OF_MACHINE, view_str("CMDOPPW"));
    town_start_agent();
    assert_true(sim_wait_log(town.agent, "event=lock.damaged", 10000));
    sim_run(5000);
    assert_int_equal(come_in("one", &tool), 6);
    assert_true(town_tells(sim_err(tool), "the password file of the machine is "
                                          "damaged"));
    town_check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOWN_FACT(who_has_it_comes_in_and_is_not_asked_again),
        TOWN_FACT(it_is_typed_unseen),
        TOWN_FACT(ten_wrong_ones_lock_for_a_quarter_of_an_hour),
        TOWN_TALE(a_kill_while_it_is_set_leaves_the_old_or_the_new),
        TOWN_TALE(who_is_at_the_machine_has_the_last_word),
        TOWN_FACT(a_damaged_file_lets_nobody_in),
    };
    town_seed(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
