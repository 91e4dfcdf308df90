/* What the connecting verbs share: where to go, and how it went. */
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

/* The exit status for a channel that was rejected or failed. */
int where_status(int code);

#endif
