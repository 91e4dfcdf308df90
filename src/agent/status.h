/* What `cmdop agent status` finds out and shows. */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include "base/text.h"
#include "codec/msg.h"

struct status {
    int pid;       /* of the running agent; 0: none */
    bool answered; /* it told `agent` itself */
    msg_agent_status agent;
};

/* The pid of the agent that holds this state folder; 0: none. */
int status_holder(const char *state_dir);

/* Look and ask; an agent that does not run is no error. */
int status_ask(const char *version, struct status *s, struct text *why);

/* "ONLINE", "DEGRADED", "STARTING" or "STOPPED". */
const char *status_verdict(const struct status *s);

void status_print(const struct status *s);
void status_print_json(const struct status *s);

#endif
