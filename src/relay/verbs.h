/* The relay's verb, for the table in src/main/full.c. */
#ifndef RELAY_VERBS_H
#define RELAY_VERBS_H

#include "core/cmd.h"

extern const struct cmd server_cmd; /* cmdop server ... */

/* `cmdop server join-key ...`; argv[0] is "join-key". */
int joinkey_run(const struct cmd_env *env, int argc, char **argv);

/* `cmdop server token ...`; argv[0] is "token". */
int token_run(const struct cmd_env *env, int argc, char **argv);

/* `cmdop server user ...`: accounts. */
int user_run(const struct cmd_env *env, int argc, char **argv);

/* The owner's password from a file, unless there is one already; before the
 * loop runs. */
struct relay;
int user_first_password(struct relay *r, const char *path, struct text *why);

#endif
