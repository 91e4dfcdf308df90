/* A command on three pipes, and this program itself; see port_pipe_spawn. Only our ends are
 * non-blocking: programs do not expect that of their standard streams. */
#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"
#include "handle.h"
#include "spawn.h"
#include "why.h"

/* Room for a bulk stream between two turns of the loop. The kernel may
 * refuse (fs.pipe-user-pages-soft); its usual 64 KiB work as well. */
#define PIPE_BYTES (256 * 1024)

enum { READ_END, WRITE_END };

static void close_pair(const int *ends)
{
    if (ends[READ_END] >= 0)
        close(ends[READ_END]);
    if (ends[WRITE_END] >= 0)
        close(ends[WRITE_END]);
}

/* A pipe whose end `ours` does not block. */
static int open_pair(int *ends, int ours, bool is_bulk)
{
    if (pipe2(ends, O_CLOEXEC) < 0) {
        ends[READ_END] = ends[WRITE_END] = -1;
        return -1;
    }
    ends[READ_END] = handle_lift(ends[READ_END]);
    ends[WRITE_END] = handle_lift(ends[WRITE_END]);
    if (ends[READ_END] < 0 || ends[WRITE_END] < 0)
        return -1;
    if (is_bulk)
        fcntl(ends[ours], F_SETPIPE_SZ, PIPE_BYTES);
    return fcntl(ends[ours], F_SETFL, O_NONBLOCK);
}

static int start(const struct port_spawn *what, int pairs[3][2])
{
    struct spawn_io io = {
        .std = {pairs[0][READ_END], pairs[1][WRITE_END], pairs[2][WRITE_END]}};
    int pid = spawn_start(what, &io);
    for (int i = 0; pid > 0 && i < 3; i++)
        close(io.std[i]);
    return pid;
}

int port_self_spawn(const struct port_spawn *what, int conn)
{
    int null = handle_lift(open("/dev/null", O_RDWR | O_CLOEXEC));
    struct spawn_io io = {.std = {conn, null, null},
                          .program = "/proc/self/exe"};
    int pid = null < 0 ? why_errno("/dev/null") : spawn_start(what, &io);
    port_close(null);
    return pid < 0 ? pid : OK;
}

int port_pipe_spawn(const struct port_spawn *what, struct port_child *out)
{
    int pairs[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    int pid;
    if (open_pair(pairs[0], WRITE_END, true) < 0 ||
        open_pair(pairs[1], READ_END, true) < 0 ||
        open_pair(pairs[2], READ_END, false) < 0)
        pid = why_errno("pipe");
    else
        pid = start(what, pairs);
    if (pid > 0) {
        *out = (struct port_child){.pid = pid,
                                   .tty = -1,
                                   .in = pairs[0][WRITE_END],
                                   .out = pairs[1][READ_END],
                                   .err = pairs[2][READ_END]};
        return OK;
    }
    for (int i = 0; i < 3; i++)
        close_pair(pairs[i]);
    return pid;
}
