/* The operator's verbs, for the tables in src/main. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "core/cmd.h"

extern const struct cmd connect_cmd; /* cmdop connect ... */
extern const struct cmd exec_cmd;    /* short for `connect exec` */

/* What `cmdop connect` leads to; argv[0] is the word that chose it. */
int list_run(const struct cmd_env *env, int argc, char **argv);
int exec_run(const struct cmd_env *env, int argc, char **argv);
int attach_run(const struct cmd_env *env, int argc, char **argv);

/* The exit status for a channel that was rejected or failed. */
int cli_status_of(int code);

/* The options that say where to go. */
struct cli_where {
    const char *server;
    bool        local;
};
#define CLI_WHERE_OPTS(w)                                                    \
    { "--server", "-s", NULL, &(w).server }, { "--local", NULL, &(w).local,  \
                                               NULL }

#endif
