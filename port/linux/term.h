/* What the rest of the port needs of this program's own terminal. */
#ifndef PORT_LINUX_TERM_H
#define PORT_LINUX_TERM_H

#include "port/port.h"

/* Before another program takes over this process: terminal and handles as
 * they were found. */
void term_leave(void);

#endif
