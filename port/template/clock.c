/* Clock and entropy of a new port; see port.h. */
#include "port/port.h"

/* A clock that does not move would hang every timer: better to stop. */
uint64_t port_now_ms(void)
{
    port_fatal("port_now_ms is not written yet");
}

uint64_t port_now_us(void)
{
    port_fatal("port_now_us is not written yet");
}

int64_t port_wall_ms(void)
{
    return 0; /* 1970: certificates will be refused, nothing worse */
}

/* Never return without entropy: keys are made of it. */
void port_entropy(struct span out)
{
    (void)out;
    port_fatal("port_entropy is not written yet");
}
