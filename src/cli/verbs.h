/* The operator's verbs, for the tables in src/main. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "core/cmd.h"

extern const struct cmd connect_cmd; /* cmdop connect ... */
extern const struct cmd exec_cmd;    /* short for `connect exec` */
extern const struct cmd job_cmd;
extern const struct cmd machines_cmd;
extern const struct cmd session_cmd;
extern const struct cmd login_cmd;
extern const struct cmd logout_cmd;
extern const struct cmd auth_cmd;
extern const struct cmd fleet_cmd;

#endif
