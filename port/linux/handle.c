/* Handles: bytes in and out, closing, limits; see port.h and handle.h. */
#include "handle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "errand.h"
#include "wait.h"
#include "why.h"

/* Numbers 0 to 3 are taken in a child: standard streams and exec's report. */
#define LIFT_MIN    4
/* More handles than this only slow down the children that close them. */
#define HANDLES_MAX 65536

static struct rlimit limit_at_start;
static bool limit_raised;

/* f_type of pipes without a name (linux/magic.h). */
#define PIPEFS_MAGIC 0x50495045

/* Handles whose O_NONBLOCK others see as well, one bit each. */
static unsigned nonblock_shared;

static bool is_char_device(int handle)
{
    struct stat st;
    return fstat(handle, &st) == 0 && S_ISCHR(st.st_mode);
}

int port_recv(int handle, struct span buf)
{
    size_t len = buf.len < INT32_MAX ? buf.len : INT32_MAX;
    ssize_t n;
    if (len == 0)
        return 0;
    n = read(handle, buf.ptr, len);
    if (n > 0)
        return (int)n;
    if (n == 0)
        return why_say(ERR_CLOSED, "read", "end of stream");
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    if (errno == EIO && is_char_device(handle)) /* the terminal hung up */
        return why_say(ERR_CLOSED, "read", "the terminal is closed");
    return why_errno("read");
}

void handle_ignore_sigpipe(void)
{
    static bool done;
    if (!done)
        signal(SIGPIPE, SIG_IGN);
    done = true;
}

int port_send(int handle, struct view buf)
{
    size_t len = buf.len < INT32_MAX ? buf.len : INT32_MAX;
    ssize_t n;
    if (len == 0)
        return 0;
    handle_ignore_sigpipe();
    n = write(handle, buf.ptr, len);
    if (n >= 0)
        return (int)n;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    if (errno == EIO && is_char_device(handle))
        return why_say(ERR_CLOSED, "write", "the terminal is closed");
    return why_errno("write");
}

void port_close(int handle)
{
    if (handle < 0)
        return;
    errand_forget(handle);
    wait_forget(handle);
    close(handle);
}

bool port_handle_waits(int handle)
{
    struct stat st;
    return fstat(handle, &st) == 0 && !S_ISREG(st.st_mode) &&
           !S_ISDIR(st.st_mode) && !S_ISBLK(st.st_mode);
}

/* A named FIFO that is opened after its last writer left never tells its
 * end; only the nameless kind may be opened anew. */
static bool may_reopen(int handle)
{
    struct stat st;
    struct statfs fs;
    if (fstat(handle, &st) < 0 || fstatfs(handle, &fs) < 0)
        return false;
    return S_ISCHR(st.st_mode) ||
           (S_ISFIFO(st.st_mode) && fs.f_type == PIPEFS_MAGIC);
}

/*
 * O_NONBLOCK belongs to the open file, which the shell that started us
 * shares. Opening the same pipe or terminal anew gives one of our own; it
 * replaces the old one under the same number.
 */
static int reopen(int handle, int flags)
{
    char path[32];
    struct text t;
    int fd, rc;
    int cloexec = fcntl(handle, F_GETFD) & FD_CLOEXEC;
    if (!may_reopen(handle))
        return -1;
    TEXT_OF(&t, path);
    text_str(&t, "/proc/self/fd/");
    text_u64(&t, (uint64_t)handle);
    fd = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    rc = dup3(fd, handle, cloexec ? O_CLOEXEC : 0);
    close(fd);
    return rc;
}

int port_handle_nonblock(int handle)
{
    int flags = fcntl(handle, F_GETFL);
    if (flags < 0)
        return why_errno("fcntl");
    if ((flags & O_NONBLOCK) != 0 || !port_handle_waits(handle))
        return OK;
    if (reopen(handle, flags) >= 0)
        return OK;
    if (fcntl(handle, F_SETFL, flags | O_NONBLOCK) < 0)
        return why_errno("fcntl");
    if (handle <= PORT_STDERR)
        nonblock_shared |= 1u << handle;
    return OK;
}

void handle_restore(void)
{
    for (int fd = 0; fd <= PORT_STDERR; fd++) {
        int flags = fcntl(fd, F_GETFL);
        if ((nonblock_shared & 1u << fd) != 0 && flags >= 0)
            fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    }
    nonblock_shared = 0;
}

int handle_control(int handle, unsigned long request, void *arg)
{
    return (int)syscall(SYS_ioctl, handle, request, arg);
}

int handle_lift(int fd)
{
    int higher;
    if (fd < 0 || fd >= LIFT_MIN)
        return fd;
    higher = fcntl(fd, F_DUPFD_CLOEXEC, LIFT_MIN);
    close(fd);
    return higher;
}

void handle_raise_limit(void)
{
    struct rlimit want;
    if (limit_raised || getrlimit(RLIMIT_NOFILE, &limit_at_start) < 0)
        return;
    want = limit_at_start;
    want.rlim_cur = want.rlim_max < HANDLES_MAX ? want.rlim_max : HANDLES_MAX;
    if (want.rlim_cur > limit_at_start.rlim_cur)
        limit_raised = setrlimit(RLIMIT_NOFILE, &want) == 0;
}

void handle_restore_limit(void)
{
    if (limit_raised)
        setrlimit(RLIMIT_NOFILE, &limit_at_start);
}

void handle_close_from(int first)
{
    struct rlimit now;
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, ~0u, 0) == 0)
        return;
#endif
    if (getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_cur > HANDLES_MAX)
        now.rlim_cur = HANDLES_MAX;
    for (int fd = first; fd < (int)now.rlim_cur; fd++)
        close(fd);
}
