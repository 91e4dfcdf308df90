/* Records on a new port; see port.h. */
#include "base/err.h"
#include "port/port.h"

int port_keep_read(const char *path, bool secret, struct span out)
{
    (void)path;
    (void)secret;
    (void)out;
    return ERR_UNSUPPORTED;
}

int port_keep_write(const char *path, struct view data)
{
    (void)path;
    (void)data;
    return ERR_UNSUPPORTED;
}

int port_keep_write_fast(const char *path, struct view data)
{
    return port_keep_write(path, data);
}

int port_keep_remove(const char *path)
{
    (void)path;
    return ERR_UNSUPPORTED;
}

int port_keep_folder(const char *path)
{
    (void)path;
    return ERR_UNSUPPORTED;
}

int port_keep_lock(const char *path, int *pid)
{
    (void)path;
    *pid = 0;
    return ERR_UNSUPPORTED;
}

void port_keep_unlock(const char *path)
{
    (void)path;
}

int port_keep_holder(const char *path, int *pid)
{
    (void)path;
    *pid = 0;
    return ERR_UNSUPPORTED;
}

int port_file_open(const char *path)
{
    (void)path;
    return ERR_UNSUPPORTED;
}

bool port_file_is(int handle, const char *path)
{
    (void)handle;
    (void)path;
    return true;
}
