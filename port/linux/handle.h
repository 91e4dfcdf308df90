/*
 * What is true of every handle: how many there may be, and that none ends up
 * where a child expects its own three.
 */
#ifndef PORT_LINUX_HANDLE_H
#define PORT_LINUX_HANDLE_H

#include "port/port.h"

/* Move `fd` above the numbers that a child is given (0 to 3), closing the
 * old one. Returns the new number or -1 with errno; takes -1 as it is. */
int handle_lift(int fd);

/* ioctl(2): the libraries disagree about the type of its second argument.
 * -1 and errno on failure. */
int handle_control(int handle, unsigned long request, void *arg);

/* Writing where nobody reads is an error code from now on, never a signal. */
void handle_ignore_sigpipe(void);

/* Give this process as many handles as the system allows it. */
void handle_raise_limit(void);
/* In a child: the limit that this program was started with. */
void handle_restore_limit(void);

/* Close everything from `first` on, except standard input to error. For
 * children only: uses plain system calls. */
void handle_close_from(int first);

/* Undo what port_handle_nonblock did to handles we share with others. */
void handle_restore(void);

#endif
