/*
 * Starting a program; see spawn.h and port.h.
 *
 * The child borrows our memory until it executes (CLONE_VM | CLONE_VFORK, as
 * posix_spawn does): to copy the page tables of large arenas would cost more
 * than all the rest. It runs on a stack of its own, touches nothing but its
 * `order`, and reports a failure through a pipe that exec closes. (Not
 * through the shared memory: an emulator may turn the clone into a fork.)
 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "handle.h"
#include "path.h"
#include "program.h"
#include "signal.h"
#include "why.h"

#define STACK_BYTES    16384 /* the child calls into libc, not into us */
#define LOGIN_ARGS_MAX 64    /* a login shell has few arguments */
#define REPORT         3     /* the child's end of the pipe */

extern char **environ;

/* All that the child needs. */
struct order {
    const char *program;
    const char *const *argv;
    const char *const *env;
    const struct spawn_io *io;
    int cwd;    /* handle */
    int report; /* handle, above 3 */
};

/* ---- in the child ------------------------------------------------------- */

static int arrange(const struct order *o)
{
    /* A session of its own on pipes as well: a remote command must not reach
     * the terminal that this program was started on. */
    if (setsid() < 0)
        return -1;
    for (int fd = 0; fd < 3; fd++)
        if (dup2(o->io->std[fd], fd) < 0)
            return -1;
    if (o->io->is_tty && handle_control(0, TIOCSCTTY, NULL) < 0)
        return -1;
    if (fchdir(o->cwd) < 0 || dup3(o->report, REPORT, O_CLOEXEC) < 0)
        return -1;
    umask(022);
    handle_restore_limit();
    handle_close_from(REPORT + 1);
    signal_reset();
    return 0;
}

/* Returning ends the child; the number tells nobody anything. */
static int run_child(void *ctx)
{
    const struct order *o = ctx;
    int report = o->report;
    int number;
    if (arrange(o) == 0) {
        report = REPORT;
        execve(o->program, (char *const *)(uintptr_t)o->argv,
               (char *const *)(uintptr_t)o->env);
    }
    number = errno;
    return write(report, &number, sizeof(number)) < 0;
}

/* ---- in the program ----------------------------------------------------- */

/* No signal may arrive while a child uses our memory. */
static int clone_blocked(struct order *o)
{
    static _Alignas(16) uint8_t stack[STACK_BYTES];
    int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
    int pid, number;
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    pid = clone(run_child, stack + sizeof(stack), flags, o);
    number = errno;
    sigprocmask(SIG_SETMASK, &old, NULL);
    errno = number;
    return pid;
}

/* What the child could not do: its errno, or 0 once it has executed. The
 * read ends at exec or at the child's end, both of which are at hand. */
static int read_report(int fd)
{
    int number = 0;
    ssize_t n;
    do
        n = read(fd, &number, sizeof(number));
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(number) ? number : 0;
}

static int start(struct order *o)
{
    int report[2];
    int pid, number;
    if (pipe2(report, O_CLOEXEC) < 0)
        return why_errno("pipe");
    report[0] = handle_lift(report[0]);
    o->report = report[1] = handle_lift(report[1]);
    pid = clone_blocked(o);
    number = pid < 0 ? errno : 0;
    close(report[1]);
    if (pid > 0)
        number = read_report(report[0]);
    close(report[0]);
    if (number == 0)
        return pid;
    if (pid > 0)
        waitpid(pid, NULL, 0); /* it reported and is ending */
    return why_number(number, o->program);
}

/* The home folder, if there is one. */
static int open_cwd(const char *cwd)
{
    int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    int fd;
    if (cwd != NULL)
        return open(cwd, flags);
    fd = open(port_home(), flags);
    return fd >= 0 ? fd : open("/", flags);
}

/* argv with argv[0] as a login shell wants it, "-sh". */
static int login_argv(const char *const *argv, const char **copy, char *name,
                      size_t name_cap)
{
    const char *slash = strrchr(argv[0], '/');
    int n = 0;
    name[0] = '-';
    bytes_to_str(name + 1, name_cap - 1,
                 view_str(slash != NULL ? slash + 1 : argv[0]));
    for (; argv[n] != NULL; n++) {
        if (n == LOGIN_ARGS_MAX)
            return why_say(ERR_TOO_BIG, argv[0], "too many arguments");
        copy[n] = argv[n];
    }
    copy[0] = name;
    copy[n] = NULL;
    return OK;
}

/* The order goes by value: from here on it points to this function's own. */
static int start_in(const struct port_spawn *what, struct order o)
{
    char program[PATH_BYTES], name[64];
    const char *copy[LOGIN_ARGS_MAX + 1];
    int rc = OK;
    o.program = o.io->program;
    if (o.program == NULL) {
        rc =
            program_find(what->argv[0], o.env, o.cwd, program, sizeof(program));
        o.program = program;
    }
    if (rc == OK && what->login)
        rc = login_argv(what->argv, copy, name, sizeof(name));
    if (rc != OK)
        return rc;
    o.argv = what->login ? copy : what->argv;
    return start(&o);
}

int spawn_start(const struct port_spawn *what, const struct spawn_io *io)
{
    const char *const *own = (const char *const *)(uintptr_t)environ;
    struct order o = {.env = what->env, .io = io};
    int rc;
    if (what->env == NULL)
        o.env = own;
    o.cwd = handle_lift(open_cwd(what->cwd));
    if (o.cwd < 0)
        return why_say(ERR_RANGE, what->cwd != NULL ? what->cwd : "/",
                       strerror(errno));
    rc = start_in(what, o);
    close(o.cwd);
    return rc;
}
