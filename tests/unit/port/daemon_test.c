/* Into the background, and into another program. Each test runs the part in
 * question as a child whose output and status it reads. */
#include "port/port.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/port/scratch.h"

static int out = -1; /* read end of the child's standard output */

/* Run `fn` in a child with a pipe as standard output; the child's status. */
static int run(void (*fn)(void))
{
    int ends[2], raw;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    int pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        fn();
        _exit(99);
    }
    close(ends[1]);
    out = ends[0];
    fcntl(out, F_SETFL, O_NONBLOCK);
    assert_int_equal(waitpid(pid, &raw, 0), pid);
    assert_true(WIFEXITED(raw));
    return WEXITSTATUS(raw);
}

static void works(void)
{
    char line[100];
    pid_t terminal = getsid(0);
    if (port_daemon() != OK)
        _exit(98);
    bool apart = getsid(0) == getpid() && getsid(0) != terminal;
    snprintf(line, sizeof(line), "ready %d %d\n", getpid(), apart);
    port_daemon_ready(view_str(line), 3);
    (void)!write(STDOUT_FILENO, "unseen", 6); /* goes nowhere now */
    port_daemon_ready(view_str("twice"), 4);  /* does nothing */
    pause();
}

static void the_parent_tells_and_leaves_the_daemon_goes_on(void **state)
{
    int pid = 0, apart = 0;
    char folder[100], link[64];
    (void)state;
    assert_int_equal(run(works), 3);
    /* The end of the pipe: the daemon let go of it. */
    assert_int_equal(scratch_read_all(out), ERR_CLOSED);
    close(out);
    assert_int_equal(sscanf(scratch_seen, "ready %d %d\n", &pid, &apart), 2);
    assert_null(strstr(scratch_seen, "unseen"));
    assert_int_equal(apart, 1);
    assert_true(port_process_alive(pid));
    snprintf(link, sizeof(link), "/proc/%d/cwd", pid);
    ssize_t n = readlink(link, folder, sizeof(folder));
    assert_int_equal(n, 1);
    assert_int_equal(folder[0], '/');
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0); /* it came to us, the subreaper */
}

static void fails(void)
{
    if (port_daemon() != OK)
        _exit(98);
    _exit(7);
}

static void dies(void)
{
    if (port_daemon() != OK)
        _exit(98);
    raise(SIGKILL);
}

static void ends_early(void)
{
    if (port_daemon() != OK)
        _exit(98);
    _exit(0);
}

static void a_daemon_that_ends_first_makes_the_parent_fail(void **state)
{
    (void)state;
    assert_int_equal(run(fails), 7);
    close(out);
    assert_int_equal(run(dies), 137);
    close(out);
    assert_int_equal(run(ends_early), 1);
    close(out);
}

static void not_a_daemon(void)
{
    port_daemon_ready(view_str("text"), 4);
    (void)!write(STDOUT_FILENO, "here", 4);
    _exit(0);
}

static void ready_without_a_daemon_does_nothing(void **state)
{
    (void)state;
    assert_int_equal(run(not_a_daemon), 0);
    scratch_read_all(out);
    close(out);
    assert_string_equal(scratch_seen, "here");
}

/* ---- under a service manager ---- */

static int manager_listens(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    memcpy(at.sun_path, name, len);
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    assert_int_equal(
        bind(fd, (struct sockaddr *)&at,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
        0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void tells_twice(void)
{
    port_daemon_ready(view_str(""), 0);
    port_daemon_ready(view_str(""), 0);
    _exit(getenv("NOTIFY_SOCKET") == NULL ? 0 : 97);
}

static void heard_once(const char *name)
{
    char word[64] = "";
    int fd = manager_listens(name);
    assert_int_equal(run(tells_twice), 0);
    close(out);
    assert_int_equal(recv(fd, word, sizeof(word) - 1, 0), 7);
    assert_string_equal(word, "READY=1");
    assert_true(recv(fd, word, sizeof(word), 0) < 0);
    close(fd);
    unsetenv("NOTIFY_SOCKET");
}

static void a_service_manager_is_told_once_and_children_cannot(void **state)
{
    char abstract[64];
    (void)state;
    heard_once(scratch_path("manager"));
    snprintf(abstract, sizeof(abstract), "@cmdop-daemon-test-%d", getpid());
    heard_once(abstract);
}

static void a_service_manager_that_is_not_there_is_no_trouble(void **state)
{
    char name[200];
    (void)state;
    setenv("NOTIFY_SOCKET", scratch_path("nobody"), 1);
    assert_int_equal(run(tells_twice), 0);
    close(out);
    memset(name, 'n', sizeof(name)); /* longer than a socket's may be */
    name[0] = '/';
    name[sizeof(name) - 1] = '\0';
    setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(run(tells_twice), 0);
    close(out);
    unsetenv("NOTIFY_SOCKET");
}

/* ---- becoming another program ---- */

static char *self_argv0;

static void again(void)
{
    const char *const argv[] = {self_argv0, "after-reexec", "a b", NULL};
    struct port_want row = {.handle = port_signal_open(), .want = PORT_READ};
    (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
    port_wait(&row, 1, 0);
    port_reexec(argv);
}

/* What the second life sees: arguments whole, clean signals, no handles. */
static int after_reexec(char **argv)
{
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    printf("%s, masked %d, handles %d\n", argv[2], sigismember(&mask, SIGTERM),
           fcntl(4, F_GETFD) >= 0 || errno != EBADF);
    return 5;
}

static void this_program_starts_itself_anew(void **state)
{
    (void)state;
    assert_int_equal(run(again), 5);
    scratch_read_all(out);
    close(out);
    assert_string_equal(scratch_seen, "a b, masked 0, handles 0\n");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parent_tells_and_leaves_the_daemon_goes_on),
        cmocka_unit_test(a_daemon_that_ends_first_makes_the_parent_fail),
        cmocka_unit_test(ready_without_a_daemon_does_nothing),
        cmocka_unit_test(a_service_manager_is_told_once_and_children_cannot),
        cmocka_unit_test(a_service_manager_that_is_not_there_is_no_trouble),
        cmocka_unit_test(this_program_starts_itself_anew),
    };
    self_argv0 = argv[0];
    if (argc > 2 && strcmp(argv[1], "after-reexec") == 0)
        return after_reexec(argv);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
