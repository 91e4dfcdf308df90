/* Starting a program, whatever its three streams are. */
#ifndef PORT_LINUX_SPAWN_H
#define PORT_LINUX_SPAWN_H

#include "port/port.h"

struct spawn_io {
    int std[3];          /* the child's standard streams; numbers above 3 */
    bool is_tty;         /* std[0] becomes the controlling terminal */
    const char *program; /* the file to execute; NULL: found by argv[0] */
};

/* Start `what`. Returns the pid or a code; see port_tty_spawn. Leaves the
 * handles in `io` open. */
int spawn_start(const struct port_spawn *what, const struct spawn_io *io);

#endif
