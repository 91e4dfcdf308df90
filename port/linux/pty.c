/* A program on a new terminal; see port_tty_spawn. The master is ours and
 * does not block; the slave is the child's alone, so that its end shows. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "handle.h"
#include "spawn.h"
#include "why.h"

int port_tty_resize(int tty, uint16_t rows, uint16_t cols)
{
    struct winsize ws = {.ws_row = rows, .ws_col = cols};
    if (handle_control(tty, TIOCSWINSZ, &ws) < 0)
        return why_errno("TIOCSWINSZ");
    return OK;
}

/* The modes of the other side are to be seen on this one. */
bool port_tty_flushes(int tty, struct view keys)
{
    struct termios modes;
    if (tcgetattr(tty, &modes) < 0 || (modes.c_lflag & ISIG) == 0 ||
        (modes.c_lflag & NOFLSH) != 0)
        return false;
    for (size_t i = 0; i < keys.len; i++) {
        cc_t key = keys.ptr[i];
        if (key != _POSIX_VDISABLE &&
            (key == modes.c_cc[VINTR] || key == modes.c_cc[VQUIT] ||
             key == modes.c_cc[VSUSP]))
            return true;
    }
    return false;
}

/* By its name in /dev/pts, for kernels before 4.13. */
static int open_slave_by_name(int master)
{
    char path[32];
    struct text t;
    unsigned int n = 0;
    if (handle_control(master, TIOCGPTN, &n) < 0)
        return -1;
    TEXT_OF(&t, path);
    text_str(&t, "/dev/pts/");
    text_u64(&t, n);
    return open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static int open_slave(int master)
{
    int fd = -1;
#ifdef TIOCGPTPEER
    uintptr_t flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
    fd = handle_control(master, TIOCGPTPEER, (void *)flags);
#endif
    return handle_lift(fd >= 0 ? fd : open_slave_by_name(master));
}

/* Erase works on characters, not bytes: what a shell does not touch should
 * be right for UTF-8 from the start. */
static void set_utf8(int slave)
{
    struct termios modes;
    if (tcgetattr(slave, &modes) < 0)
        return;
    modes.c_iflag |= IUTF8;
    tcsetattr(slave, TCSANOW, &modes);
}

static int open_master(void)
{
    int flags = O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK;
    int fd = handle_lift(open("/dev/ptmx", flags));
    int lock = 0;
    int err;
    if (fd < 0)
        return why_errno("/dev/ptmx");
    if (handle_control(fd, TIOCSPTLCK, &lock) == 0)
        return fd;
    err = why_errno("TIOCSPTLCK");
    close(fd);
    return err;
}

static int start(const struct port_spawn *what, int master, uint16_t rows,
                 uint16_t cols)
{
    int slave = open_slave(master);
    int rc;
    if (slave < 0)
        return why_errno("terminal");
    set_utf8(slave);
    rc = port_tty_resize(master, rows, cols);
    if (rc == OK) {
        struct spawn_io io = {.std = {slave, slave, slave}, .is_tty = true};
        rc = spawn_start(what, &io);
    }
    close(slave);
    return rc;
}

int port_tty_spawn(const struct port_spawn *what, uint16_t rows, uint16_t cols,
                   struct port_child *out)
{
    int master = open_master();
    int pid = master < 0 ? master : start(what, master, rows, cols);
    if (pid > 0) {
        *out = (struct port_child){pid, master, -1, -1, -1};
        return OK;
    }
    if (master >= 0)
        close(master);
    return pid;
}
