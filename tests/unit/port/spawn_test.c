/* Programs on terminals and on pipes, with the real kernel. */
#include "port/port.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/port/scratch.h"

static struct port_child child;

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

static int tty(const char *const *argv)
{
    struct port_spawn what = {.argv = argv};
    return port_tty_spawn(&what, 24, 80, &child);
}

static int pipes(const char *const *argv)
{
    struct port_spawn what = {.argv = argv};
    return port_pipe_spawn(&what, &child);
}

static int sh_on_pipes(const char *script)
{
    return pipes(ARGV("sh", "-c", script));
}

static int finish(int *signal)
{
    int status = scratch_reap(child.pid, signal);
    port_close(child.tty);
    port_close(child.in);
    port_close(child.out);
    port_close(child.err);
    return status;
}

static void assert_status(int status, int signal)
{
    int number;
    assert_int_equal(finish(&number), status);
    assert_int_equal(number, signal);
}

/* ---- terminals ---- */

static void a_terminal_echoes_and_the_program_answers(void **state)
{
    (void)state;
    assert_int_equal(tty(ARGV("cat")), OK);
    assert_int_equal(child.in, -1);
    assert_int_equal(child.out, -1);
    assert_int_equal(child.err, -1);
    scratch_send(child.tty, view_str("hello\n"));
    assert_true(scratch_read_until(child.tty, "hello\r\nhello\r\n"));
    scratch_send(child.tty, view_str("\004"));
    assert_int_equal(scratch_read_all(child.tty), ERR_CLOSED);
    assert_status(0, 0);
}

static void the_size_is_there_before_the_program_starts(void **state)
{
    (void)state;
    assert_int_equal(tty(ARGV("stty", "size")), OK);
    scratch_read_all(child.tty);
    assert_string_equal(scratch_seen, "24 80\r\n");
    assert_status(0, 0);
}

static void a_new_size_is_seen_and_told(void **state)
{
    (void)state;
    assert_int_equal(tty(ARGV("sh", "-c",
                              "trap 'stty size; exit' WINCH; echo go; "
                              "while :; do sleep 0.01; done")),
                     OK);
    assert_true(scratch_read_until(child.tty, "go"));
    assert_int_equal(port_tty_resize(child.tty, 50, 132), OK);
    assert_true(scratch_read_until(child.tty, "50 132"));
    scratch_read_all(child.tty);
    assert_status(0, 0);
}

/* As the modes say at that moment, which are the program's to change. */
static void a_key_that_flushes_is_known(void **state)
{
    struct view keys = view_str("ls\003"), bell = view_str("\a");
    (void)state;
    assert_int_equal(tty(ARGV("sh", "-c",
                              "echo one; read x; stty intr ^G; echo two; "
                              "read x; stty noflsh; echo three; read x; "
                              "stty -noflsh -isig; echo four; read x")),
                     OK);
    assert_true(scratch_read_until(child.tty, "one"));
    assert_true(port_tty_flushes(child.tty, keys));
    assert_true(port_tty_flushes(child.tty, view_str("\032")));
    assert_false(port_tty_flushes(child.tty, view_str("ls\r\004")));
    assert_false(port_tty_flushes(child.tty, VIEW_NONE));
    assert_false(port_tty_flushes(child.tty, bell));
    scratch_send(child.tty, view_str("\n"));
    assert_true(scratch_read_until(child.tty, "two"));
    assert_false(port_tty_flushes(child.tty, keys));
    assert_true(port_tty_flushes(child.tty, bell));
    scratch_send(child.tty, view_str("\n"));
    assert_true(scratch_read_until(child.tty, "three"));
    assert_false(port_tty_flushes(child.tty, bell));
    scratch_send(child.tty, view_str("\n"));
    assert_true(scratch_read_until(child.tty, "four"));
    assert_false(port_tty_flushes(child.tty, bell));
    scratch_send(child.tty, view_str("\n"));
    scratch_read_all(child.tty);
    assert_status(0, 0);
    assert_false(port_tty_flushes(100000, keys));
}

static void it_is_the_controlling_terminal_of_a_new_session(void **state)
{
    (void)state;
    assert_int_equal(tty(ARGV("sh", "-c",
                              "ps -o pid=,sid=,pgid=,tpgid= -p $$ | tr -d '\\n'"
                              " >/dev/tty; stty -a | grep -o iutf8")),
                     OK);
    scratch_read_all(child.tty);
    int pid, sid, pgid, tpgid;
    assert_int_equal(
        sscanf(scratch_seen, "%d %d %d %d", &pid, &sid, &pgid, &tpgid), 4);
    assert_int_equal(pid, child.pid);
    assert_int_equal(sid, child.pid);
    assert_int_equal(pgid, child.pid);
    assert_int_equal(tpgid, child.pid);
    assert_non_null(strstr(scratch_seen, "iutf8"));
    assert_status(0, 0);
}

static void an_interrupt_from_the_keyboard_works(void **state)
{
    (void)state;
    assert_int_equal(tty(ARGV("cat")), OK);
    scratch_send(child.tty, view_str("x\n"));
    assert_true(scratch_read_until(child.tty, "x\r\nx\r\n"));
    scratch_send(child.tty, view_str("\003"));
    scratch_read_all(child.tty);
    assert_status(130, 2);
}

static void a_login_shell_sees_a_dash(void **state)
{
    struct port_spawn what = {.argv = ARGV("/bin/sh", "-c", "echo \"<$0>\""),
                              .login = true};
    (void)state;
    assert_int_equal(port_tty_spawn(&what, 24, 80, &child), OK);
    scratch_read_all(child.tty);
    assert_string_equal(scratch_seen, "<-sh>\r\n");
    assert_status(0, 0);
}

static void closing_the_terminal_hangs_up(void **state)
{
    int number;
    (void)state;
    assert_int_equal(tty(ARGV("cat")), OK);
    port_close(child.tty);
    assert_int_equal(scratch_reap(child.pid, &number), 128 + 1);
    assert_int_equal(number, 1);
}

static void much_output_comes_whole_through_a_terminal(void **state)
{
    static const char script[] = "i=0; while [ $i -lt 2000 ]; do "
                                 "echo line-$i-0123456789; i=$((i+1)); done";
    (void)state;
    assert_int_equal(tty(ARGV("sh", "-c", script)), OK);
    assert_int_equal(scratch_read_all(child.tty), ERR_CLOSED);
    const char *at = scratch_seen;
    for (int i = 0; i < 2000; i++) {
        char line[40];
        int len = snprintf(line, sizeof(line), "line-%d-0123456789\r\n", i);
        assert_memory_equal(at, line, (size_t)len);
        at += len;
    }
    assert_int_equal(*at, '\0');
    assert_status(0, 0);
}

/* ---- how it ended ---- */

static void the_exit_status_comes_back(void **state)
{
    (void)state;
    assert_int_equal(sh_on_pipes("exit 42"), OK);
    assert_status(42, 0);
    assert_int_equal(pipes(ARGV("true")), OK);
    assert_status(0, 0);
    assert_int_equal(sh_on_pipes("exit 255"), OK);
    assert_status(255, 0);
}

static void death_by_signal_is_128_and_the_number(void **state)
{
    (void)state;
    assert_int_equal(sh_on_pipes("kill -9 $$"), OK);
    assert_status(137, 9);
    assert_int_equal(sh_on_pipes("kill -TERM $$"), OK);
    assert_status(143, 15);
}

static void a_signal_reaches_the_whole_group(void **state)
{
    (void)state;
    assert_int_equal(sh_on_pipes("sleep 1000 & echo go; wait"), OK);
    assert_true(scratch_read_until(child.out, "go"));
    assert_int_equal(port_child_signal(child.pid, "KILL"), OK);
    /* The pipe ends only when the sleep has ended as well. */
    assert_int_equal(scratch_read_all(child.out), ERR_CLOSED);
    assert_status(137, 9);
}

static void signals_go_by_short_names_only(void **state)
{
    (void)state;
    assert_int_equal(pipes(ARGV("cat")), OK);
    assert_int_equal(port_child_signal(child.pid, "SIGKILL"), ERR_RANGE);
    assert_int_equal(port_child_signal(child.pid, "9"), ERR_RANGE);
    assert_int_equal(port_child_signal(child.pid, ""), ERR_RANGE);
    assert_int_equal(port_child_signal(child.pid, "int"), ERR_RANGE);
    assert_int_equal(port_child_signal(1, "HUP"), ERR_RANGE);
    assert_int_equal(port_child_signal(0, "HUP"), ERR_RANGE);
    assert_int_equal(port_child_signal(-1, "HUP"), ERR_RANGE);
    assert_true(port_process_alive(child.pid));
    assert_int_equal(port_process_end(child.pid), OK);
    assert_status(143, 15);
    assert_false(port_process_alive(child.pid));
    assert_int_equal(port_process_end(child.pid), ERR_NOT_FOUND);
    assert_int_equal(port_process_end(0), ERR_RANGE);
    assert_int_equal(port_child_signal(child.pid, "HUP"), ERR_NOT_FOUND);
}

/* ---- which program ---- */

static void an_unknown_program_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(tty(ARGV("no-such-program")), ERR_NOT_FOUND);
    assert_string_equal(port_why(), "no-such-program: no such program");
    assert_int_equal(pipes(ARGV("/no/such/program")), ERR_NOT_FOUND);
    assert_int_equal(pipes(ARGV("")), ERR_NOT_FOUND);
    assert_int_equal(pipes(ARGV("/etc/passwd/x")), ERR_NOT_FOUND);
}

static void what_may_not_be_executed_is_denied(void **state)
{
    (void)state;
    scratch_file("plain", "text", 0644);
    scratch_file("no-magic", "echo no interpreter\n", 0755);
    assert_int_equal(pipes(ARGV(scratch_path("plain"))), ERR_DENIED);
    assert_int_equal(pipes(ARGV("/tmp")), ERR_DENIED);
    assert_int_equal(pipes(ARGV(scratch_path("no-magic"))), ERR_DENIED);
    assert_non_null(strstr(port_why(), "Exec format error"));
}

static void a_script_whose_interpreter_is_missing_cannot_start(void **state)
{
    (void)state;
    scratch_file("lost", "#!/no/such/interpreter\n", 0755);
    assert_int_equal(pipes(ARGV(scratch_path("lost"))), ERR_NOT_FOUND);
}

/* PATH of the child decides, folders in order, relative ones from its cwd. */
static void the_childs_path_is_searched(void **state)
{
    char path[300];
    const char *env[] = {path, NULL};
    struct port_spawn what = {
        .argv = ARGV("tool"), .env = env, .cwd = scratch_path(".")};
    int number;
    (void)state;
    mkdir(scratch_path("bin"), 0700);
    mkdir(scratch_path("bin2"), 0700);
    scratch_file("bin/tool", "not executable", 0644);
    snprintf(path, sizeof(path), "PATH=/nowhere:%s:bin2", scratch_path("bin"));
    assert_int_equal(port_pipe_spawn(&what, &child), ERR_DENIED);
    scratch_file("bin2/tool", "#!/bin/sh\necho second $#\n", 0755);
    assert_int_equal(port_pipe_spawn(&what, &child), OK);
    scratch_read_all(child.out);
    assert_string_equal(scratch_seen, "second 0\n");
    assert_int_equal(finish(&number), 0);
    strcpy(path, "PATH=");
    assert_int_equal(port_pipe_spawn(&what, &child), ERR_NOT_FOUND);
    what.cwd = scratch_path("bin2");
    assert_int_equal(port_pipe_spawn(&what, &child), OK);
    assert_int_equal(finish(&number), 0);
    what.argv = ARGV("./tool");
    assert_int_equal(port_pipe_spawn(&what, &child), OK);
    assert_int_equal(finish(&number), 0);
}

static void the_environment_is_the_whole_one(void **state)
{
    struct port_spawn what = {.argv = ARGV("/usr/bin/env"),
                              .env = ARGV("A=1", "B=two words")};
    (void)state;
    assert_int_equal(port_pipe_spawn(&what, &child), OK);
    scratch_read_all(child.out);
    assert_string_equal(scratch_seen, "A=1\nB=two words\n");
    assert_status(0, 0);
}

static void it_starts_in_its_folder(void **state)
{
    struct port_spawn what = {.argv = ARGV("pwd", "-P"),
                              .cwd = scratch_path("")};
    (void)state;
    assert_int_equal(port_pipe_spawn(&what, &child), OK);
    scratch_read_all(child.out);
    assert_memory_equal(scratch_seen, "/tmp/cmdop-test-", 16);
    assert_status(0, 0);
    what.cwd = "/no/such/folder";
    assert_int_equal(port_pipe_spawn(&what, &child), ERR_RANGE);
    assert_string_equal(port_why(),
                        "/no/such/folder: No such file or directory");
    what.cwd = "/etc/passwd";
    assert_int_equal(port_pipe_spawn(&what, &child), ERR_RANGE);
}

/* ---- what it inherits ---- */

static void only_three_handles_are_inherited(void **state)
{
    int leak = open("/dev/null", O_RDONLY); /* on purpose without CLOEXEC */
    (void)state;
    assert_int_equal(fcntl(leak, F_DUPFD, 500), 500);
    /* The glob opens the folder itself: one more, number 3. */
    assert_int_equal(sh_on_pipes("echo /proc/self/fd/*"), OK);
    scratch_read_all(child.out);
    assert_string_equal(scratch_seen,
                        "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 "
                        "/proc/self/fd/3\n");
    close(leak);
    close(500);
    assert_status(0, 0);
}

/* Whoever runs a command must not type into the terminal we run on. */
static void on_pipes_it_has_no_terminal_at_all(void **state)
{
    (void)state;
    assert_int_equal(sh_on_pipes("ps -o sid=,tty= -p $$; echo x >/dev/tty"),
                     OK);
    scratch_read_all(child.out);
    int sid = 0;
    char tty_name[16] = "";
    assert_int_equal(sscanf(scratch_seen, "%d %15s", &sid, tty_name), 2);
    assert_int_equal(sid, child.pid);
    assert_string_equal(tty_name, "?");
    int number;
    assert_int_not_equal(finish(&number), 0);
}

static void its_umask_is_022_and_its_group_its_own(void **state)
{
    (void)state;
    umask(077);
    assert_int_equal(sh_on_pipes("umask; ps -o pgid= -p $$"), OK);
    umask(022);
    scratch_read_all(child.out);
    assert_memory_equal(scratch_seen, "0022\n", 5);
    assert_int_equal(atoi(scratch_seen + 5), child.pid);
    assert_status(0, 0);
}

/* Even when this program itself was started with nothing open. */
static void it_starts_with_our_own_streams_closed(void **state)
{
    int kept[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
        close(i);
    }
    int rc = sh_on_pipes("cat; echo out; echo err >&2");
    scratch_send(child.in, view_str("in "));
    port_close(child.in);
    child.in = -1;
    scratch_read_all(child.out);
    for (int i = 0; i < 3; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
    assert_int_equal(rc, OK);
    assert_string_equal(scratch_seen, "in out\n");
    scratch_read_all(child.err);
    assert_string_equal(scratch_seen, "err\n");
    assert_status(0, 0);
}

/* ---- bulk ---- */

static void sixteen_mebibytes_go_through_cat_unchanged(void **state)
{
    static uint8_t block[65536];
    const size_t total = 16u << 20;
    size_t sent = 0, got = 0;
    (void)state;
    assert_int_equal(pipes(ARGV("cat")), OK);
    struct port_want table[] = {
        {.handle = child.in, .want = PORT_WRITE},
        {.handle = child.out, .want = PORT_READ},
    };
    while (got < total) {
        port_wait(table, 2, PORT_FOREVER);
        if (sent < total && (table[0].ready & PORT_WRITE) != 0) {
            for (size_t i = 0; i < sizeof(block); i++)
                block[i] = (uint8_t)((sent + i) * 2654435761u >> 24);
            int n = port_send(child.in, VIEW_ARRAY(block));
            assert_true(n >= 0);
            sent += (size_t)n;
            if (sent > total)
                sent = total;
        }
        if (sent == total && table[0].handle >= 0) {
            table[0].handle = -1;
            port_close(child.in);
            child.in = -1;
        }
        if ((table[1].ready & PORT_READ) != 0) {
            int n = port_recv(child.out, SPAN_ARRAY(block));
            assert_true(n >= 0);
            for (size_t i = 0; i < (size_t)n; i++)
                if (block[i] != (uint8_t)((got + i) * 2654435761u >> 24))
                    fail_msg("byte %zu differs", got + i);
            got += (size_t)n;
        }
    }
    assert_status(0, 0);
}

static void failures_leave_nothing_behind(void **state)
{
    int status, number;
    int before = scratch_handles();
    struct port_spawn nowhere = {.argv = ARGV("true"), .cwd = "/none"};
    (void)state;
    for (int i = 0; i < 20; i++) {
        tty(ARGV("no-such-program"));
        pipes(ARGV("no-such-program"));
        pipes(ARGV(scratch_path("no-magic")));
        tty(ARGV(scratch_path("no-magic")));
        port_pipe_spawn(&nowhere, &child);
    }
    assert_int_equal(scratch_handles(), before);
    assert_int_equal(port_child_reap(&status, &number), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_echoes_and_the_program_answers),
        cmocka_unit_test(the_size_is_there_before_the_program_starts),
        cmocka_unit_test(a_new_size_is_seen_and_told),
        cmocka_unit_test(a_key_that_flushes_is_known),
        cmocka_unit_test(it_is_the_controlling_terminal_of_a_new_session),
        cmocka_unit_test(an_interrupt_from_the_keyboard_works),
        cmocka_unit_test(a_login_shell_sees_a_dash),
        cmocka_unit_test(closing_the_terminal_hangs_up),
        cmocka_unit_test(much_output_comes_whole_through_a_terminal),
        cmocka_unit_test(the_exit_status_comes_back),
        cmocka_unit_test(death_by_signal_is_128_and_the_number),
        cmocka_unit_test(a_signal_reaches_the_whole_group),
        cmocka_unit_test(signals_go_by_short_names_only),
        cmocka_unit_test(an_unknown_program_is_not_found),
        cmocka_unit_test(what_may_not_be_executed_is_denied),
        cmocka_unit_test(a_script_whose_interpreter_is_missing_cannot_start),
        cmocka_unit_test(the_childs_path_is_searched),
        cmocka_unit_test(the_environment_is_the_whole_one),
        cmocka_unit_test(it_starts_in_its_folder),
        cmocka_unit_test(only_three_handles_are_inherited),
        cmocka_unit_test(on_pipes_it_has_no_terminal_at_all),
        cmocka_unit_test(its_umask_is_022_and_its_group_its_own),
        cmocka_unit_test(it_starts_with_our_own_streams_closed),
        cmocka_unit_test(sixteen_mebibytes_go_through_cat_unchanged),
        cmocka_unit_test(failures_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
