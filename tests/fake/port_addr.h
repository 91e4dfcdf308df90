/*
 * A fake of port_addr_parse, for tests whose other fakes take the place of the
 * real port.
 */
#ifndef FAKE_PORT_ADDR_H
#define FAKE_PORT_ADDR_H

#include <arpa/inet.h>
#include <string.h>

#include "base/err.h"
#include "port/port.h"

int port_addr_parse(const char *host, uint16_t port, struct port_addr *out)
{
    struct in_addr v4;
    memset(out, 0, sizeof *out);
    out->port = port;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        out->ip[10] = out->ip[11] = 0xff;
        memcpy(out->ip + 12, &v4, 4);
        return OK;
    }
    return inet_pton(AF_INET6, host, out->ip) == 1 ? OK : ERR_RANGE;
}

#endif
