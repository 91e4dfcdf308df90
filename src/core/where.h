/* Where an operator's program is to go. */
#ifndef CORE_WHERE_H
#define CORE_WHERE_H

#include <stdbool.h>

struct where {
    const char *server;    /* name of a stored sign-in; NULL: the current one */
    const char *workspace; /* one of this fleet, by its name or id; NULL: any */
    bool local;            /* the agent of this machine, without a relay */
    const char *password_file; /* of a machine's attach password; NULL: none */
};

#endif
