/* Work that takes long, done by a child; see port.h and errand.h. */
#include "errand.h"

int port_task(port_task_fn *work, const void *arg)
{
    return errand_start(ERRAND_TASK, work, arg, "task");
}

int port_task_take(int handle, struct span out)
{
    return errand_take(handle, out);
}
