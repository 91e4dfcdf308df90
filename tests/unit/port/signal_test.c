/* Signals as something to read. Each test is a process of its own, because a
 * program opens them once. */
#include "port/port.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/port/scratch.h"

#define FAILED 99

/* Run `fn` in a child; its result is the child's exit status. */
static void in_child(int (*fn)(void))
{
    int raw;
    int pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn());
    assert_int_equal(waitpid(pid, &raw, 0), pid);
    assert_true(WIFEXITED(raw));
    assert_int_equal(WEXITSTATUS(raw), 0);
}

static bool is_readable(int handle)
{
    struct port_want row = {.handle = handle, .want = PORT_READ};
    return port_wait(&row, 1, 0) == 1;
}

static int each_event_once(void)
{
    static const struct {
        int number;
        enum port_signal event;
    } rows[] = {
        {SIGTERM, PORT_SIG_TERM},    {SIGINT, PORT_SIG_TERM},
        {SIGHUP, PORT_SIG_TERM},     {SIGQUIT, PORT_SIG_TERM},
        {SIGUSR1, PORT_SIG_RELOAD},  {SIGCHLD, PORT_SIG_CHILD},
        {SIGWINCH, PORT_SIG_RESIZE}, {SIGCONT, PORT_SIG_CONT},
    };
    int h = port_signal_open();
    if (h < 0 || is_readable(h) || port_signal_take() != PORT_SIG_NONE)
        return FAILED;
    for (int i = 0; i < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
        raise(rows[i].number);
        if (!is_readable(h) || port_signal_take() != rows[i].event)
            return 10 + i;
        if (port_signal_take() != PORT_SIG_NONE)
            return 20 + i;
    }
    return is_readable(h) ? FAILED : 0;
}

static void each_signal_is_one_event(void **state)
{
    (void)state;
    in_child(each_event_once);
}

static int open_twice(void)
{
    int h = port_signal_open();
    return h >= 0 && port_signal_open() == h ? 0 : FAILED;
}

static void opening_twice_gives_the_same_handle(void **state)
{
    (void)state;
    in_child(open_twice);
}

static int nohup(void)
{
    int h;
    signal(SIGHUP, SIG_IGN);
    h = port_signal_open();
    raise(SIGHUP);
    return h >= 0 && !is_readable(h) ? 0 : FAILED;
}

static void what_was_ignored_at_start_stays_ignored(void **state)
{
    (void)state;
    in_child(nohup);
}

static int child_ends(void)
{
    int h, status, number, pid;
    signal(SIGCHLD, SIG_IGN); /* inherited from a careless parent */
    h = port_signal_open();
    pid = fork();
    if (pid == 0)
        _exit(7);
    scratch_ready(h, PORT_READ);
    if (port_signal_take() != PORT_SIG_CHILD)
        return FAILED;
    if (port_child_reap(&status, &number) != pid || status != 7 || number != 0)
        return FAILED - 1;
    return port_child_reap(&status, &number);
}

static void a_childs_end_is_an_event_even_if_it_was_ignored(void **state)
{
    (void)state;
    in_child(child_ends);
}

static int write_to_nobody(void)
{
    int ends[2];
    if (pipe(ends) < 0 || close(ends[0]) < 0)
        return FAILED;
    return port_send(ends[1], view_str("x")) == ERR_CLOSED ? 0 : FAILED;
}

static void a_reader_that_left_is_a_code_and_no_signal(void **state)
{
    (void)state;
    in_child(write_to_nobody);
}

/* SigBlk and SigIgn of a program we start: none. */
static int children_are_clean(void)
{
    static const char *const argv[] = {"grep", "-c", "^Sig[BI][a-z]*:.0*$",
                                       "/proc/self/status", NULL};
    struct port_spawn what = {.argv = argv};
    struct port_child c;
    int number;
    signal(SIGUSR2, SIG_IGN);
    port_signal_open();
    if (port_pipe_spawn(&what, &c) != OK)
        return FAILED;
    scratch_read_all(c.out);
    if (scratch_reap(c.pid, &number) != 0)
        return FAILED;
    return strcmp(scratch_seen, "2\n") == 0 ? 0 : FAILED - 1;
}

static void a_spawned_program_has_no_signal_blocked_or_ignored(void **state)
{
    (void)state;
    in_child(children_are_clean);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_signal_is_one_event),
        cmocka_unit_test(opening_twice_gives_the_same_handle),
        cmocka_unit_test(what_was_ignored_at_start_stays_ignored),
        cmocka_unit_test(a_childs_end_is_an_event_even_if_it_was_ignored),
        cmocka_unit_test(a_reader_that_left_is_a_code_and_no_signal),
        cmocka_unit_test(a_spawned_program_has_no_signal_blocked_or_ignored),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
