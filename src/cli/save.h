/* `cmdop session save` and `restore`: a session as an asciicast file. */
#ifndef CLI_SAVE_H
#define CLI_SAVE_H

#include "core/cmd.h"

int save_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
             char **argv);
int restore_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
                char **argv);

#endif
