/* Splitting paths; see path.h. */
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"

int path_split(const char *path, char *folder, const char **name)
{
    const char *slash = strrchr(path, '/');
    const char *last = slash != NULL ? slash + 1 : path;
    size_t len = slash != NULL ? (size_t)(slash - path) : 0;
    if (last[0] == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0 ||
        len >= PATH_BYTES - 1)
        return ERR_RANGE;
    if (len == 0)
        folder[len++] = slash != NULL ? '/' : '.';
    else
        memcpy(folder, path, len);
    folder[len] = '\0';
    *name = last;
    return OK;
}

int path_open_folder(const char *path, const char **name)
{
    char folder[PATH_BYTES];
    if (path_split(path, folder, name) != OK) {
        errno = EINVAL;
        return -1;
    }
    return open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}
