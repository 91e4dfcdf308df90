/* This program's own terminal and inherited handles, seen from a terminal
 * that the test holds the other end of. */
#include "port/port.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/port/scratch.h"

static int master, slave;

static int open_terminal(void **state)
{
    (void)state;
    alarm(120);
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        return -1;
    slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    return slave < 0 ? -1 : 0;
}

static int close_terminal(void **state)
{
    (void)state;
    port_term_restore();
    close(slave);
    close(master);
    return 0;
}

static bool is_raw(void)
{
    struct termios t;
    assert_int_equal(tcgetattr(slave, &t), 0);
    return (t.c_lflag & (ICANON | ECHO | ISIG)) == 0 &&
           (t.c_oflag & OPOST) == 0 && (t.c_iflag & (ICRNL | IXON)) == 0;
}

static void a_terminal_is_told_from_other_handles(void **state)
{
    int null = open("/dev/null", O_RDWR);
    (void)state;
    assert_true(port_is_tty(slave));
    assert_false(port_is_tty(null));
    assert_false(port_is_tty(-1));
    close(null);
}

static void its_size_is_known_or_an_error(void **state)
{
    uint16_t rows = 7, cols = 7;
    struct winsize ws = {.ws_row = 30, .ws_col = 100};
    (void)state;
    assert_int_equal(port_term_size(slave, &rows, &cols), ERR_RANGE);
    assert_int_equal(rows, 7);
    assert_int_equal(ioctl(master, TIOCSWINSZ, &ws), 0);
    assert_int_equal(port_term_size(slave, &rows, &cols), OK);
    assert_int_equal(rows, 30);
    assert_int_equal(cols, 100);
    int null = open("/dev/null", O_RDWR);
    assert_int_equal(port_term_size(null, &rows, &cols), ERR_UNSUPPORTED);
    close(null);
}

static void raw_and_back_is_as_it_was(void **state)
{
    struct termios before = {0}, after = {0};
    (void)state;
    tcgetattr(slave, &before);
    assert_int_equal(port_term_raw(slave), OK);
    assert_true(is_raw());
    assert_int_equal(port_term_raw(slave), OK); /* twice keeps the first */
    port_term_restore();
    tcgetattr(slave, &after);
    assert_int_equal(before.c_lflag, after.c_lflag);
    assert_int_equal(before.c_iflag, after.c_iflag);
    assert_int_equal(before.c_oflag, after.c_oflag);
    assert_int_equal(before.c_cflag, after.c_cflag);
    assert_memory_equal(before.c_cc, after.c_cc, sizeof(before.c_cc));
    tcgetattr(slave, &after);
    after.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(slave, TCSANOW, &after);
    port_term_restore(); /* harmless: does not touch it again */
    tcgetattr(slave, &after);
    assert_int_equal(after.c_lflag & ECHO, 0);
}

static void raw_needs_a_terminal(void **state)
{
    int null = open("/dev/null", O_RDWR);
    (void)state;
    assert_int_equal(port_term_raw(null), ERR_UNSUPPORTED);
    close(null);
}

static void leave_by_exit(void)
{
    exit(0);
}

static void leave_by_fatal(void)
{
    port_fatal("a test wants this");
}

static void fail_assert(void)
{
    struct view v = view_of(NULL, 0);
    struct port_want none;
    port_wait(&none, SIZE_MAX / 2, 0); /* asserts its bound */
    (void)v;
}

/* Raw in a child that then leaves in some way: restored? */
static bool restores(void (*leave)(void))
{
    int pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 2);
        port_term_raw(slave);
        leave();
        _exit(1);
    }
    waitpid(pid, NULL, 0);
    return !is_raw();
}

static void every_orderly_end_restores(void **state)
{
    (void)state;
    assert_true(restores(leave_by_exit));
    assert_true(restores(leave_by_fatal));
    assert_true(restores(fail_assert));
}

/* ---- inherited handles ---- */

static bool blocks(int handle)
{
    return (fcntl(handle, F_GETFL) & O_NONBLOCK) == 0;
}

/* What a shell sees: its own copy of the handle must stay blocking. */
static void assert_private(int theirs, int ours)
{
    int cloexec = fcntl(ours, F_GETFD);
    assert_int_equal(port_handle_nonblock(ours), OK);
    assert_false(blocks(ours));
    assert_true(blocks(theirs));
    assert_int_equal(fcntl(ours, F_GETFD), cloexec);
    assert_int_equal(port_handle_nonblock(ours), OK); /* again: nothing */
}

static void a_terminal_becomes_ours_alone(void **state)
{
    int ours = dup(slave);
    uint8_t buf[16];
    (void)state;
    assert_private(slave, ours);
    assert_int_equal(port_recv(ours, SPAN_ARRAY(buf)), 0);
    scratch_send(ours, view_str("out"));
    assert_int_equal(read(master, buf, 3), 3);
    assert_int_equal(write(master, "in\n", 3), 3);
    scratch_ready(ours, PORT_READ);
    assert_int_equal(port_recv(ours, SPAN_ARRAY(buf)), 3);
    close(ours);
}

static void both_ends_of_a_pipe_become_ours_alone(void **state)
{
    uint8_t buf[16];
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    int in = dup(ends[0]), out = dup(ends[1]);
    assert_private(ends[0], in);
    assert_private(ends[1], out);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(port_recv(in, SPAN_ARRAY(buf)), 0);
    scratch_send(out, view_str("x"));
    assert_int_equal(port_recv(in, SPAN_ARRAY(buf)), 1);
    close(out);
    assert_int_equal(scratch_ready(in, PORT_READ) & PORT_READ, PORT_READ);
    assert_int_equal(port_recv(in, SPAN_ARRAY(buf)), ERR_CLOSED);
    close(in);
}

/* As in `echo x | cmdop`: all was written before we looked. */
static void a_pipe_whose_writer_left_still_ends(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    close(ends[1]);
    assert_int_equal(port_handle_nonblock(ends[0]), OK);
    assert_int_equal(scratch_read_all(ends[0]), ERR_CLOSED);
    assert_string_equal(scratch_seen, "x");
    close(ends[0]);
}

static void a_named_pipe_whose_writer_left_still_ends(void **state)
{
    char path[] = "/tmp/cmdop-fifo-XXXXXX";
    int file = mkstemp(path);
    (void)state;
    close(file);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    int in = open(path, O_RDONLY | O_NONBLOCK);
    int out = open(path, O_WRONLY);
    unlink(path);
    fcntl(in, F_SETFL, 0);
    assert_int_equal(write(out, "x", 1), 1);
    close(out);
    assert_int_equal(port_handle_nonblock(in), OK);
    assert_int_equal(scratch_read_all(in), ERR_CLOSED);
    close(in);
}

static void a_full_pipe_takes_nothing_now(void **state)
{
    static uint8_t block[8192];
    int ends[2], n;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(port_handle_nonblock(ends[1]), OK);
    do
        n = port_send(ends[1], VIEW_ARRAY(block));
    while (n > 0);
    assert_int_equal(n, 0);
    close(ends[0]);
    close(ends[1]);
}

/* A socket cannot be opened anew: the shared flag is set, and taken back. */
static void a_socket_is_given_back_as_it_was(void **state)
{
    int pair[2], raw;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int pid = fork();
    if (pid == 0) {
        dup2(pair[0], PORT_STDIN);
        bool ok = port_handle_nonblock(PORT_STDIN) == OK && !blocks(pair[0]);
        exit(ok ? 0 : 1);
    }
    waitpid(pid, &raw, 0);
    assert_true(WIFEXITED(raw) && WEXITSTATUS(raw) == 0);
    assert_true(blocks(pair[0]));
    close(pair[0]);
    close(pair[1]);
}

static void regular_files_do_not_wait(void **state)
{
    int fd = open("/etc/passwd", O_RDONLY);
    (void)state;
    assert_false(port_handle_waits(fd));
    assert_int_equal(port_handle_nonblock(fd), OK);
    assert_true(blocks(fd));
    assert_true(port_handle_waits(slave));
    assert_false(port_handle_waits(-1));
    assert_true(port_handle_nonblock(-1) < 0);
    close(fd);
}

#define WITH_TERMINAL(t) \
    cmocka_unit_test_setup_teardown(t, open_terminal, close_terminal)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TERMINAL(a_terminal_is_told_from_other_handles),
        WITH_TERMINAL(its_size_is_known_or_an_error),
        WITH_TERMINAL(raw_and_back_is_as_it_was),
        WITH_TERMINAL(raw_needs_a_terminal),
        WITH_TERMINAL(every_orderly_end_restores),
        WITH_TERMINAL(a_terminal_becomes_ours_alone),
        cmocka_unit_test(both_ends_of_a_pipe_become_ours_alone),
        cmocka_unit_test(a_pipe_whose_writer_left_still_ends),
        cmocka_unit_test(a_named_pipe_whose_writer_left_still_ends),
        cmocka_unit_test(a_full_pipe_takes_nothing_now),
        cmocka_unit_test(a_socket_is_given_back_as_it_was),
        WITH_TERMINAL(regular_files_do_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
