/* What `cmdop connect` leads to; `cmd` is the verb that was typed. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli/where.h"
#include "core/cmd.h"

int list_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
             char **argv);
int exec_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
             char **argv);
int attach_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
               char **argv);

int password_run(const struct cmd_env *env, int argc, char **argv);

/* On a session of that machine, on this terminal. */
int attach_to(const struct cmd_env *env, const struct where *where,
              const char *target, const char *session, bool observe);

#endif
