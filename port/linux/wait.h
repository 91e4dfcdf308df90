/* What the rest of the port tells port_wait. */
#ifndef PORT_LINUX_WAIT_H
#define PORT_LINUX_WAIT_H

#include "port/port.h"

/* `handle` is about to be closed: epoll must not follow copies of it that
 * a child may still hold. */
void wait_forget(int handle);

#endif
