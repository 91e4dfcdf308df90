/* What the connecting verbs share: where to go. */
#ifndef CLI_WHERE_H
#define CLI_WHERE_H

#include "core/where.h"

/* The options that say where to go. */
#define WHERE_OPTS(w)                                        \
    {"--server", "-s", NULL, &(w).server},                   \
        {"--workspace", "-w", NULL, &(w).workspace},         \
        {"--password-file", NULL, NULL, &(w).password_file}, \
    {                                                        \
        "--local", NULL, &(w).local, NULL                    \
    }

#endif
