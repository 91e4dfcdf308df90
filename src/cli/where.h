/* What the connecting verbs share: where to go. */
#ifndef CLI_WHERE_H
#define CLI_WHERE_H

#include <stdbool.h>

/* The options that say where to go. */
struct where {
    const char *server;
    bool local;
};
#define WHERE_OPTS(w)                      \
    {"--server", "-s", NULL, &(w).server}, \
    {                                      \
        "--local", NULL, &(w).local, NULL  \
    }

#endif
