/*
 * A short look into a session, or a new one that nobody stays in: its channel
 * is opened, what it holds is read, and it is left.
 */
#ifndef CLI_GLANCE_H
#define CLI_GLANCE_H

#include "cli/unlock.h"
#include "cli/where.h"
#include "core/client.h"
#include "core/cmd.h"

struct glance {
    /* What is asked for. */
    const char *target;
    const char *session; /* NULL: a new one, with: */
    const char *name;
    char **argv;
    uint32_t argc;
    uint64_t idle_ms;
    struct span room; /* for what it holds; empty: do not read it */

    /* What came. */
    msg_pty_accept info;
    uint64_t first; /* offset of the first byte */
    size_t len;

    /* Our own. */
    struct client client;
    struct unlock unlock;
    struct chan chan;
    bool accepted;
    bool asked_password;
};

/* An exit status; what is wrong was said. */
int glance_run(struct glance *g, const struct cmd_env *env,
               const struct where *where);

#endif
