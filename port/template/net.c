/* Network of a new port; see port.h. */
#include "base/err.h"
#include "port/port.h"

int port_addr_parse(const char *host, uint16_t port, struct port_addr *out)
{
    (void)host;
    (void)port;
    (void)out;
    return ERR_RANGE;
}

void port_addr_print(const struct port_addr *a, char *out, size_t cap)
{
    (void)a;
    if (cap > 0)
        out[0] = '\0';
}

int port_resolve(const char *host, uint16_t port)
{
    (void)host;
    (void)port;
    return ERR_UNSUPPORTED;
}

int port_resolve_take(int handle, struct port_addr *out, int max)
{
    (void)handle;
    (void)out;
    (void)max;
    return ERR_NAME;
}

int port_dial(const struct port_addr *to)
{
    (void)to;
    return ERR_UNSUPPORTED;
}

int port_dial_done(int handle)
{
    (void)handle;
    return ERR_UNSUPPORTED;
}

int port_silent_ms(int handle)
{
    (void)handle;
    return ERR_UNSUPPORTED;
}

int port_send_room(int handle)
{
    (void)handle;
    return 65536;
}

int port_listen(const struct port_addr *at, uint16_t *port)
{
    (void)at;
    (void)port;
    return ERR_UNSUPPORTED;
}

int port_accept(int listener, struct port_addr *from)
{
    (void)listener;
    (void)from;
    return ERR_UNSUPPORTED;
}

int port_local_listen(const char *path)
{
    (void)path;
    return ERR_UNSUPPORTED;
}

int port_local_dial(const char *path)
{
    (void)path;
    return ERR_UNSUPPORTED;
}

bool port_local_same_user(int handle)
{
    (void)handle;
    return false;
}

int port_recv(int handle, struct span buf)
{
    (void)handle;
    (void)buf;
    return ERR_UNSUPPORTED;
}

int port_send(int handle, struct view buf)
{
    (void)handle;
    (void)buf;
    return ERR_UNSUPPORTED;
}

void port_close(int handle)
{
    (void)handle;
}
