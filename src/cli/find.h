/* The session that a word on the command line means. */
#ifndef CLI_FIND_H
#define CLI_FIND_H

#include "cli/fleet.h"

/* As fleet_find. */
int find_session(const struct cmd_env *env, const struct where *where,
                 const char *ref, struct fleet_found *out);
/* A record of sessions.list. */
bool find_session_decode(struct view record, msg_session_info *out);

#endif
