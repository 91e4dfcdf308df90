/* What this machine says of itself in Hello and Heartbeat. */
#ifndef CORE_FACTS_H
#define CORE_FACTS_H

#include "codec/msg.h"

void facts_hello(msg_hello *out, cmdop_agent_v1_Role role, const char *version);
void facts_machine(msg_hello *out);
void facts_heartbeat(msg_heartbeat *out, uint32_t sessions);

#endif
