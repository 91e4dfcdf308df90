/* The look-up children, as the rest of the port must know them. */
#ifndef PORT_LINUX_RESOLVE_H
#define PORT_LINUX_RESOLVE_H

#include "port/port.h"

/* `handle` is about to be closed: a child that still looks up for it ends. */
void resolve_forget(int handle);

/* Was the ended child `pid` one of ours? Then it is forgotten here and is
 * none of the program's business. */
bool resolve_reaped(int pid);

#endif
