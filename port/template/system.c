/* The machine of a new port; see port.h. */
#include "base/err.h"
#include "port/port.h"

bool port_env(const char *name, char *out, size_t cap)
{
    (void)name;
    (void)out;
    (void)cap;
    return false;
}

const char *port_home(void)
{
    return "";
}

const char *port_username(void)
{
    return "";
}

const char *port_shell(void)
{
    return "";
}

uint32_t port_uid(void)
{
    return 0;
}

int port_pid(void)
{
    return 1;
}

void port_hostname(char *out, size_t cap)
{
    bytes_to_str(out, cap, view_str("template"));
}

void port_boot_id(char *out, size_t cap)
{
    bytes_to_str(out, cap, VIEW_NONE);
}

void port_facts(struct port_facts *out)
{
    *out = (struct port_facts){.os = "none", .device_type = "embedded"};
}

void port_metrics(const char *disk_path, struct port_metrics *out)
{
    (void)disk_path;
    *out = (struct port_metrics){.battery_level = -1, .on_ac_power = true};
}

int port_daemon(void)
{
    return ERR_UNSUPPORTED;
}

void port_daemon_ready(struct view text, int status)
{
    (void)text;
    (void)status;
}

bool port_process_alive(int pid)
{
    (void)pid;
    return false;
}

int port_process_end(int pid)
{
    (void)pid;
    return ERR_UNSUPPORTED;
}

int port_process_reload(int pid)
{
    (void)pid;
    return ERR_UNSUPPORTED;
}

/* Where no second process can be had, the caller computes inline. */
int port_task(port_task_fn *work, const void *arg)
{
    (void)work;
    (void)arg;
    return ERR_UNSUPPORTED;
}

int port_task_take(int handle, struct span out)
{
    (void)handle;
    (void)out;
    return ERR_UNSUPPORTED;
}

int port_reexec(const char *const *argv)
{
    (void)argv;
    return ERR_UNSUPPORTED;
}

int port_exec(const char *const *argv)
{
    (void)argv;
    return ERR_UNSUPPORTED;
}

/* A static block of the board's own size is enough here. */
struct span port_memory(size_t size)
{
    (void)size;
    port_fatal("port_memory is not written yet");
}

/* A hint: to do nothing is right. */
void port_memory_trim(void)
{
}

void port_memory_release(struct span mem)
{
    (void)mem;
}
