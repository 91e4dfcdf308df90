/*
 * The reason for the last failure, kept for port_why, and the one place
 * where errno becomes a code of base/err.h.
 */
#ifndef PORT_LINUX_WHY_H
#define PORT_LINUX_WHY_H

#include "port/port.h"

/* Remember "what: text of errno" and return the code that errno means. */
int why_errno(const char *what);
/* The same for an error number that came from elsewhere. */
int why_number(int number, const char *what);
/* Remember "what: detail" (detail may be NULL) and return `err`. */
int why_say(int err, const char *what, const char *detail);

#endif
