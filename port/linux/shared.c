/* Memory, bytes and handles that outlive a process; see port.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "handle.h"
#include "why.h"

/* ---- memory --------------------------------------------------------------- */

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

static int map(int fd, size_t size, struct span *mem)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return why_errno("mmap");
    *mem = (struct span){p, size};
    return OK;
}

int port_shared_new(size_t size, struct span *mem)
{
    int err = OK;
    int fd = handle_lift(
        memfd_create("cmdop-session", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (fd < 0)
        return why_errno("memfd_create");
    if (ftruncate(fd, (off_t)size) < 0 ||
        fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0)
        err = why_errno("memfd");
    if (err == OK)
        err = map(fd, size, mem);
    if (err == OK)
        return fd;
    close(fd);
    return err;
}

int port_shared_map(int handle, struct span *mem)
{
    struct stat st;
    int seals = fcntl(handle, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(handle, &st) < 0 ||
        st.st_size <= 0)
        return why_say(ERR_RANGE, "shared memory", "not a block of fixed size");
    return map(handle, (size_t)st.st_size, mem);
}

void port_shared_unmap(struct span mem)
{
    if (mem.ptr != NULL)
        munmap(mem.ptr, mem.len);
}

/* ---- buffers -------------------------------------------------------------- */

int port_buffer_open(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return why_errno("pipe");
    ends[0] = handle_lift(ends[0]);
    ends[1] = handle_lift(ends[1]);
    if (ends[0] >= 0 && ends[1] >= 0)
        return OK;
    int err = why_errno("pipe");
    port_close(ends[0]);
    port_close(ends[1]);
    return err;
}

int port_buffer_held(int end)
{
    int n = 0;
    return handle_control(end, FIONREAD, &n) < 0 ? why_errno("FIONREAD") : n;
}

/* A terminal that hung up says EIO, either way. */
static int why_not_moved(int from, int to)
{
    struct stat st;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    if (errno == EIO && ((fstat(from, &st) == 0 && S_ISCHR(st.st_mode)) ||
                         (fstat(to, &st) == 0 && S_ISCHR(st.st_mode))))
        return why_say(ERR_CLOSED, "splice", "the terminal is closed");
    return why_errno("splice");
}

int port_move(int from, int to, size_t n)
{
    ssize_t moved;
    if (n == 0)
        return 0;
    handle_ignore_sigpipe();
    moved = splice(from, NULL, to, NULL, n < INT32_MAX ? n : INT32_MAX,
                   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (moved > 0)
        return (int)moved;
    if (moved == 0)
        return why_say(ERR_CLOSED, "splice", "end of stream");
    return why_not_moved(from, to);
}

/* ---- handles --------------------------------------------------------------- */

int port_local_pair(int ends[2])
{
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    if (socketpair(AF_UNIX, type, 0, ends) < 0)
        return why_errno("socketpair");
    ends[0] = handle_lift(ends[0]);
    ends[1] = handle_lift(ends[1]);
    if (ends[0] >= 0 && ends[1] >= 0)
        return OK;
    int err = why_errno("socketpair");
    port_close(ends[0]);
    port_close(ends[1]);
    return err;
}

union control {
    struct cmsghdr head;
    uint8_t bytes[CMSG_SPACE(PORT_PASS_MAX * sizeof(int))];
};

int port_pass_send(int conn, struct view bytes, const int *handles, int n)
{
    union control control;
    struct iovec part = {(void *)(uintptr_t)bytes.ptr, bytes.len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    size_t size = (size_t)n * sizeof(int);
    if (n > 0) {
        memset(&control, 0, sizeof(control));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = (socklen_t)CMSG_LEN(size);
        memcpy(CMSG_DATA(&control.head), handles, size);
        message.msg_control = &control;
        message.msg_controllen = (socklen_t)CMSG_SPACE(size);
    }
    ssize_t sent = sendmsg(conn, &message, MSG_NOSIGNAL);
    if (sent >= 0)
        return (int)sent;
    return errno == EAGAIN || errno == EINTR ? 0 : why_errno("sendmsg");
}

static int take_handles(struct msghdr *message, int *handles)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    if (head == NULL || head->cmsg_level != SOL_SOCKET ||
        head->cmsg_type != SCM_RIGHTS)
        return 0;
    int n = (int)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(handles, CMSG_DATA(head), (size_t)n * sizeof(int));
    return n;
}

int port_pass_recv(int conn, struct span bytes, int *handles, int *n)
{
    union control control;
    struct iovec part = {bytes.ptr, bytes.len};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    *n = 0;
    ssize_t got = recvmsg(conn, &message, MSG_CMSG_CLOEXEC);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : why_errno("recvmsg");
    *n = take_handles(&message, handles);
    for (int i = 0; i < *n; i++)
        handles[i] = handle_lift(handles[i]);
    return got == 0 ? why_say(ERR_CLOSED, "recvmsg", "end of stream")
                    : (int)got;
}
