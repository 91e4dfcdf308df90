/* Becoming the agent of this machine: the lock, the files, and the loop. */
#ifndef AGENT_START_H
#define AGENT_START_H

#include "core/cmd.h"
#include "core/paths.h"

/* Hold the lock of the state folder until this program ends: whoever changes
 * the machine's files must. OK, ERR_BUSY when an agent runs, or what the port
 * says; with a sentence. */
int start_lock(const struct paths *paths, struct text *why);

struct start_how {
    bool foreground; /* stay here, log to standard error */
    bool verbose;
    /* A sidecar's: nobody waits for it and nobody reads what it says. A relay
     * that is not there is waited for, and all goes to the log. */
    bool detached;
};

/* Be the agent, until told to leave. A machine that has not joined does so
 * now, if a join key is in the environment. An exit status. */
int start_agent(const struct cmd_env *env, const struct start_how *how);

#endif
