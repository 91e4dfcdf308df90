/* The terminal this program was started on; see port.h. */
#include "term.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "handle.h"
#include "why.h"

static struct termios found; /* the modes before raw */
static int raw = -1;         /* the handle in raw mode */

bool port_is_tty(int handle)
{
    return isatty(handle) == 1;
}

int port_term_size(int handle, uint16_t *rows, uint16_t *cols)
{
    struct winsize ws;
    if (handle_control(handle, TIOCGWINSZ, &ws) < 0)
        return why_errno("TIOCGWINSZ");
    if (ws.ws_row == 0 || ws.ws_col == 0)
        return why_say(ERR_RANGE, "the terminal", "it has no size");
    *rows = ws.ws_row;
    *cols = ws.ws_col;
    return OK;
}

/* TCSANOW: to wait until the terminal has shown everything could block. In
 * the background the change would stop us unless SIGTTOU is held back. */
static int set_modes(int handle, const struct termios *modes)
{
    sigset_t ttou, old;
    int rc;
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    sigprocmask(SIG_BLOCK, &ttou, &old);
    rc = tcsetattr(handle, TCSANOW, modes);
    sigprocmask(SIG_SETMASK, &old, NULL);
    return rc;
}

int port_term_raw(int handle)
{
    struct termios modes;
    if (tcgetattr(handle, &modes) < 0)
        return why_errno("tcgetattr");
    if (raw < 0)
        found = modes;
    cfmakeraw(&modes);
    modes.c_cc[VMIN] = 1;
    modes.c_cc[VTIME] = 0;
    if (set_modes(handle, &modes) < 0)
        return why_errno("tcsetattr");
    raw = handle;
    return OK;
}

void port_term_restore(void)
{
    int handle = raw;
    raw = -1;
    if (handle >= 0)
        set_modes(handle, &found);
}

void term_leave(void)
{
    port_term_restore();
    handle_restore();
}

/* A destructor and not atexit: that one allocates. */
__attribute__((destructor)) static void leave_at_exit(void)
{
    term_leave();
}
