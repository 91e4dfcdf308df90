/* Waiting and signals of a new port; see port.h. */
#include "base/err.h"
#include "port/port.h"

int port_wait(struct port_want *table, size_t n, uint64_t until_ms)
{
    (void)until_ms;
    for (size_t i = 0; i < n; i++)
        table[i].ready = 0;
    return ERR_UNSUPPORTED;
}

int port_signal_open(void)
{
    return ERR_UNSUPPORTED;
}

enum port_signal port_signal_take(void)
{
    return PORT_SIG_NONE;
}
