/* Time; see port.h. CLOCK_MONOTONIC stands still while the machine sleeps,
 * as poll and epoll do, so deadlines and waits agree. */
#include <time.h>

#include "port/port.h"

static uint64_t now_in(uint64_t per_s)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * per_s +
           (uint64_t)t.tv_nsec / (1000000000u / per_s);
}

uint64_t port_now_ms(void)
{
    return now_in(1000);
}

uint64_t port_now_us(void)
{
    return now_in(1000000);
}

int64_t port_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
