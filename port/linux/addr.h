/* Addresses between port.h's form and the kernel's. */
#ifndef PORT_LINUX_ADDR_H
#define PORT_LINUX_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "port/port.h"

union addr_any {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* IPv4 in its mapped form becomes AF_INET. Returns the length. */
socklen_t addr_to_kernel(const struct port_addr *a, union addr_any *out);
/* Anything but IPv4 and IPv6 becomes zeros. */
void addr_from_kernel(const struct sockaddr *in, struct port_addr *out);

bool addr_is_v4(const struct port_addr *a);

#endif
