/* The agent's verbs, for the tables in src/main. */
#ifndef AGENT_VERBS_H
#define AGENT_VERBS_H

#include "core/cmd.h"

extern const struct cmd agent_cmd; /* cmdop agent ... */
extern const struct cmd join_cmd;  /* cmdop join STRING */
extern const struct cmd sidecar_cmd;
extern const struct cmd register_cmd;
extern const struct cmd identity_cmd; /* cmdop identity ... */
extern const struct cmd start_cmd;    /* shortcuts of `cmdop agent` */
extern const struct cmd stop_cmd;
extern const struct cmd restart_cmd;
extern const struct cmd status_cmd;

#endif
