/* A path as folder and name. */
#ifndef PORT_LINUX_PATH_H
#define PORT_LINUX_PATH_H

#include "port/port.h"

#define PATH_BYTES 4096 /* the kernel's PATH_MAX */

/* Split "a/b/c" into folder "a/b" (copied, PATH_BYTES) and name "c" (points
 * into `path`). ERR_RANGE when there is no name or the path is too long. */
int path_split(const char *path, char *folder, const char **name);

/* Open the folder of a path for use with the *at calls. -1 and errno. */
int path_open_folder(const char *path, const char **name);

#endif
