/* What starting other programs needs to know about signals. */
#ifndef PORT_LINUX_SIGNAL_H
#define PORT_LINUX_SIGNAL_H

#include "port/port.h"

/* In a new child: every signal does what it does by default, none is
 * blocked. Plain system calls only. */
void signal_reset(void);

/* The number of a signal by its short name, 0 if unknown. */
int signal_number(const char *name);

#endif
