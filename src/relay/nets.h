/*
 * The networks from which a fleet may be used, as its policy lists them:
 *
 *     10.0.0.0/8, 2001:db8::/32, 192.0.2.7
 *
 * One after the other, a comma between, blanks around do not matter. Without
 * bits an address is itself. An empty list is every address. What does not
 * parse admits nobody: whoever sets a list asks nets_check first.
 */
#ifndef RELAY_NETS_H
#define RELAY_NETS_H

#include "port/port.h"

/* OK, or ERR_RANGE: it is no such list. */
int nets_check(struct view list);

bool nets_admit(struct view list, const struct port_addr *from);

/* One of them, read: an address, and how many of all its 128 bits count. */
struct net {
    uint8_t ip[16];
    uint32_t bits;
};

/* Take the first network of what is left of a list, which is not empty. OK,
 * or ERR_RANGE. */
int net_take(struct view *left, struct net *out);

bool net_has(const struct net *n, const struct port_addr *from);

#endif
