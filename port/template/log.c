/* Last words of a new port; see port.h. */
#include "base/err.h"
#include "port/port.h"

const char *port_why(void)
{
    return "this port cannot do it yet";
}

void port_log(struct view line)
{
    (void)line;
}

int port_log_open(const char *path)
{
    (void)path;
    return ERR_UNSUPPORTED;
}

/* Reset the board here, after the watchdog's taste. */
void port_fatal(const char *what)
{
    (void)what;
    for (;;)
        continue;
}

_Noreturn void port_exit(int status)
{
    (void)status;
    for (;;)
        ; /* stop the machine here */
}
