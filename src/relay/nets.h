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

#endif
