/* Which file a command name means. */
#ifndef PORT_LINUX_PROGRAM_H
#define PORT_LINUX_PROGRAM_H

#include "port/port.h"

/*
 * Find `name` as execvp would in the environment `env` and the folder `cwd`
 * (a handle). The path goes to `out` and is valid in that folder. OK,
 * ERR_NOT_FOUND, or ERR_DENIED when there is such a file, but none that we
 * may execute.
 */
int program_find(const char *name, const char *const *env, int cwd, char *out,
                 size_t cap);

#endif
