/* Short-lived children; see errand.h. */
#include "errand.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "handle.h"
#include "signal.h"
#include "why.h"

#define LOOKUPS_MAX  8
#define ERRANDS_MAX  (LOOKUPS_MAX + PORT_TASKS_MAX)
#define ERRAND_S_MAX 30 /* whatever a resolver's own limits are */

static const int at_once[ERRAND_KINDS] = {
    [ERRAND_LOOKUP] = LOOKUPS_MAX,
    [ERRAND_TASK] = PORT_TASKS_MAX,
};
static const char *const too_many[ERRAND_KINDS] = {
    [ERRAND_LOOKUP] = "too many look-ups at once",
    [ERRAND_TASK] = "too many tasks at once",
};

/* What the child writes, in one piece (far below PIPE_BUF). */
struct answer {
    int32_t len; /* of the bytes, or what `work` returned below zero */
    uint8_t bytes[PORT_TASK_ANSWER_MAX];
};

static struct {
    int pid; /* 0: free */
    enum errand_kind kind;
    int handle; /* -1: abandoned, waits to be reaped */
} errands[ERRANDS_MAX];

/* ---- in the child ------------------------------------------------------- */

/* Nothing of the program may live on in the child: not its terminal or
 * pipes, not its blocked signals, and not beyond its end. Nor may anybody
 * look into it: it may hold a password. */
static void run_child(int out, port_task_fn *work, const void *arg)
{
    struct answer a = {0};
    int null = open("/dev/null", O_RDWR);
    signal_reset();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0);
    alarm(ERRAND_S_MAX);
    for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    dup2(out, STDERR_FILENO + 1);
    handle_close_from(STDERR_FILENO + 2);
    a.len = work(arg, SPAN_ARRAY(a.bytes));
    if (write(STDERR_FILENO + 1, &a, sizeof(a)) < 0)
        _exit(1);
    _exit(0);
}

/* ---- in the program ----------------------------------------------------- */

/* A free place, or -1: none for this kind. */
static int free_slot(enum errand_kind kind)
{
    int slot = -1, busy = 0;
    for (int i = 0; i < ERRANDS_MAX; i++) {
        if (errands[i].pid > 0 && errands[i].handle < 0 &&
            waitpid(errands[i].pid, NULL, WNOHANG) != 0)
            errands[i].pid = 0;
        if (errands[i].pid == 0)
            slot = i;
        else
            busy += errands[i].kind == kind;
    }
    return busy < at_once[kind] ? slot : -1;
}

static int open_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return why_errno("pipe");
    ends[0] = handle_lift(ends[0]);
    ends[1] = handle_lift(ends[1]);
    return OK;
}

static int start_child(enum errand_kind kind, const int ends[2],
                       port_task_fn *work, const void *arg, const char *what)
{
    int slot = free_slot(kind);
    int pid;
    if (slot < 0)
        return why_say(ERR_LIMIT, what, too_many[kind]);
    pid = fork();
    if (pid < 0)
        return why_errno("fork");
    if (pid == 0)
        run_child(ends[1], work, arg);
    errands[slot].pid = pid;
    errands[slot].kind = kind;
    errands[slot].handle = ends[0];
    return OK;
}

static int give(const int ends[2], int err)
{
    close(ends[1]);
    if (err == OK)
        return ends[0];
    close(ends[0]);
    return err;
}

int errand_start(enum errand_kind kind, port_task_fn *work, const void *arg,
                 const char *what)
{
    int ends[2];
    int err = open_pipe(ends);
    return err != OK ? err
                     : give(ends, start_child(kind, ends, work, arg, what));
}

int errand_answered(struct view answer)
{
    struct answer a = {.len = (int32_t)answer.len};
    int ends[2];
    int err = open_pipe(ends);
    if (err != OK)
        return err;
    memcpy(a.bytes, answer.ptr, answer.len);
    if (write(ends[1], &a, sizeof(a)) < 0)
        err = why_errno("pipe");
    return give(ends, err);
}

int errand_take(int handle, struct span out)
{
    struct answer a = {0};
    ssize_t n = read(handle, &a, sizeof(a));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    port_close(handle);
    if (n != (ssize_t)sizeof(a))
        return why_say(ERR_IO, "helper", "it ended without an answer");
    if (a.len < 0)
        return why_say(a.len, "helper", err_str(a.len));
    if (a.len == 0 || (size_t)a.len > sizeof(a.bytes) ||
        (size_t)a.len > out.len)
        return why_say(ERR_IO, "helper", "its answer has no such length");
    memcpy(out.ptr, a.bytes, (size_t)a.len);
    return a.len;
}

void errand_forget(int handle)
{
    for (int i = 0; i < ERRANDS_MAX; i++) {
        if (errands[i].pid == 0 || errands[i].handle != handle)
            continue;
        kill(errands[i].pid, SIGKILL);
        errands[i].handle = -1;
        if (waitpid(errands[i].pid, NULL, WNOHANG) != 0)
            errands[i].pid = 0;
    }
}

bool errand_reaped(int pid)
{
    for (int i = 0; i < ERRANDS_MAX; i++) {
        if (errands[i].pid == pid) {
            errands[i].pid = 0;
            return true;
        }
    }
    return false;
}
