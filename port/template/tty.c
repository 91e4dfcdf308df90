/* Sessions and this program's terminal on a new port; see port.h. A device
 * without processes leaves all of this as it is. */
#include "base/err.h"
#include "port/port.h"

int port_tty_spawn(const struct port_spawn *what, uint16_t rows, uint16_t cols,
                   struct port_child *out)
{
    (void)what;
    (void)rows;
    (void)cols;
    (void)out;
    return ERR_UNSUPPORTED;
}

int port_pipe_spawn(const struct port_spawn *what, struct port_child *out)
{
    (void)what;
    (void)out;
    return ERR_UNSUPPORTED;
}

int port_tty_resize(int tty, uint16_t rows, uint16_t cols)
{
    (void)tty;
    (void)rows;
    (void)cols;
    return ERR_UNSUPPORTED;
}

bool port_tty_flushes(int tty, struct view keys)
{
    (void)tty;
    (void)keys;
    return false;
}

int port_child_signal(int pid, const char *name)
{
    (void)pid;
    (void)name;
    return ERR_UNSUPPORTED;
}

bool port_signal_known(const char *name)
{
    (void)name;
    return false;
}

int port_child_reap(int *status, int *signal)
{
    (void)status;
    (void)signal;
    return 0;
}

bool port_is_tty(int handle)
{
    (void)handle;
    return false;
}

int port_term_size(int handle, uint16_t *rows, uint16_t *cols)
{
    (void)handle;
    (void)rows;
    (void)cols;
    return ERR_UNSUPPORTED;
}

int port_term_raw(int handle)
{
    (void)handle;
    return ERR_UNSUPPORTED;
}

void port_term_restore(void)
{
}

int port_handle_nonblock(int handle)
{
    (void)handle;
    return ERR_UNSUPPORTED;
}

bool port_handle_waits(int handle)
{
    (void)handle;
    return false;
}
