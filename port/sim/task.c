/*
 * Work that takes long: computed at once, so that a run is the same each
 * time, and answered after a while; see port.h. The answers lie in the role's
 * own process.
 */
#include "port/sim/world.h"

#include <string.h>

#include "base/err.h"

static struct {
    bool used;
    int len; /* or a code */
    uint8_t bytes[PORT_TASK_ANSWER_MAX];
} tasks[PORT_TASKS_MAX];

void task_drop(int idx)
{
    memset(&tasks[idx], 0, sizeof(tasks[idx]));
}

int port_task(port_task_fn *work, const void *arg)
{
    PORT_CALL();
    int err = world_fault(SIM_TASK);
    int idx = 0;
    while (idx < PORT_TASKS_MAX && tasks[idx].used)
        idx++;
    if (err == OK && idx == PORT_TASKS_MAX)
        err = ERR_LIMIT;
    if (err != OK)
        return world_why(err, "task");
    int handle = handle_new(KIND_TASK, idx, 0);
    if (handle < 0)
        return handle;
    tasks[idx].used = true;
    tasks[idx].len = work(arg, SPAN_ARRAY(tasks[idx].bytes));
    handle_of(handle)->at_us = world->now_us + TASK_US;
    world_trace("task", handle, tasks[idx].len, VIEW_NONE);
    return handle;
}

int port_task_take(int handle, struct span out)
{
    PORT_CALL();
    struct handle *h = handle_of(handle);
    if (h == NULL || h->kind != KIND_TASK)
        return ERR_RANGE;
    if (h->at_us > world->now_us)
        return 0;
    int len = tasks[h->idx].len;
    if (len > 0 && (size_t)len <= out.len)
        memcpy(out.ptr, tasks[h->idx].bytes, (size_t)len);
    else if (len >= 0)
        len = ERR_IO;
    port_close(handle);
    return len < 0 ? world_why(len, "task") : len;
}
