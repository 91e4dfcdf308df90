/* What outlives a process; a device without processes has none of it. */
#include "base/err.h"
#include "port/port.h"

int port_shared_new(size_t size, struct span *mem)
{
    (void)size;
    (void)mem;
    return ERR_UNSUPPORTED;
}

int port_shared_map(int handle, struct span *mem)
{
    (void)handle;
    (void)mem;
    return ERR_UNSUPPORTED;
}

void port_shared_unmap(struct span mem)
{
    (void)mem;
}

int port_buffer_open(int ends[2])
{
    (void)ends;
    return ERR_UNSUPPORTED;
}

int port_buffer_held(int end)
{
    (void)end;
    return ERR_UNSUPPORTED;
}

int port_move(int from, int to, size_t n)
{
    (void)from;
    (void)to;
    (void)n;
    return ERR_UNSUPPORTED;
}

int port_local_pair(int ends[2])
{
    (void)ends;
    return ERR_UNSUPPORTED;
}

int port_pass_send(int conn, struct view bytes, const int *handles, int n)
{
    (void)conn;
    (void)bytes;
    (void)handles;
    (void)n;
    return ERR_UNSUPPORTED;
}

int port_pass_recv(int conn, struct span bytes, int *handles, int *n)
{
    (void)conn;
    (void)bytes;
    (void)handles;
    *n = 0;
    return ERR_UNSUPPORTED;
}

int port_self_spawn(const struct port_spawn *what, int conn)
{
    (void)what;
    (void)conn;
    return ERR_UNSUPPORTED;
}

int port_folder_list(const char *path, void (*each)(void *, const char *),
                     void *ctx)
{
    (void)path;
    (void)each;
    (void)ctx;
    return ERR_UNSUPPORTED;
}
