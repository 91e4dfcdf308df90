/*
 * Into the background, and into another program; see port.h. The parent of a
 * daemon waits on a pipe for one message, {status byte, text}: so whoever
 * started it knows whether it works before the prompt returns. A service
 * manager is told by one datagram, as in sd_notify(3).
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "handle.h"
#include "path.h"
#include "program.h"
#include "signal.h"
#include "term.h"
#include "why.h"

#define READY_MAX 4096 /* status and text; below PIPE_BUF, so in one piece */

extern char **environ;

static int ready = -1; /* the daemon's end of the pipe */

/* The daemon ended without a word: end as it did. */
static int status_of(int pid)
{
    int raw = 0;
    while (waitpid(pid, &raw, 0) < 0 && errno == EINTR)
        continue;
    if (WIFSIGNALED(raw))
        return 128 + WTERMSIG(raw);
    return WEXITSTATUS(raw) != 0 ? WEXITSTATUS(raw) : 1;
}

static _Noreturn void wait_for_daemon(int pid, int in)
{
    uint8_t message[READY_MAX];
    ssize_t n;
    signal_reset();
    do
        n = read(in, message, sizeof(message));
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        _exit(status_of(pid));
    if (write(STDOUT_FILENO, message + 1, (size_t)n - 1) < 0)
        _exit(1);
    _exit(message[0]);
}

int port_daemon(void)
{
    int ends[2];
    int pid;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return why_errno("pipe");
    ends[1] = handle_lift(ends[1]);
    pid = fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return why_errno("fork");
    }
    if (pid > 0) {
        close(ends[1]);
        wait_for_daemon(pid, ends[0]);
    }
    close(ends[0]);
    ready = ends[1];
    setsid();
    return OK;
}

/* Leave the terminal and the folder that we were started in. */
static void let_go(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
    if (chdir("/") < 0)
        return; /* then that folder cannot be unmounted, nothing worse */
}

static void send_ready(const char *name, size_t len)
{
    static const char word[] = "READY=1";
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ssize_t n;
    if (fd < 0)
        return;
    memcpy(to.sun_path, name, len);
    if (name[0] == '@') /* an abstract name, as sd_notify(3) writes it */
        to.sun_path[0] = '\0';
    n = sendto(fd, word, sizeof(word) - 1, MSG_NOSIGNAL,
               (const struct sockaddr *)&to,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    (void)n; /* nobody there: then nobody waits */
    close(fd);
}

/* Once, and the name is forgotten: what we start shall not speak for us. */
static void tell_manager(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t len = name == NULL ? 0 : strlen(name);
    if (len > 0 && len < sizeof(((struct sockaddr_un *)0)->sun_path))
        send_ready(name, len);
    unsetenv("NOTIFY_SOCKET");
}

void port_daemon_ready(struct view text, int status)
{
    uint8_t message[READY_MAX];
    struct writer w;
    ssize_t n;
    tell_manager();
    if (ready < 0)
        return;
    writer_init(&w, SPAN_ARRAY(message));
    write_u8(&w, (uint8_t)status);
    write_bytes(&w, view_first(text, READY_MAX - 1));
    let_go();
    n = write(ready, message, w.len); /* a parent that is gone waits not */
    (void)n;
    close(ready);
    ready = -1;
}

int port_reexec(const char *const *argv)
{
    int err;
    term_leave();
    signal_reset();
    handle_restore_limit();
    execve("/proc/self/exe", (char *const *)(uintptr_t)argv, environ);
    err = why_errno("/proc/self/exe");
    return err;
}

int port_exec(const char *const *argv)
{
    char program[PATH_BYTES];
    const char *const *env = (const char *const *)(uintptr_t)environ;
    int err = program_find(argv[0], env, AT_FDCWD, program, sizeof(program));
    if (err != OK)
        return err;
    term_leave();
    signal_reset();
    handle_restore_limit();
    execve(program, (char *const *)(uintptr_t)argv, environ);
    return why_errno(program);
}
