/*
 * The one door to the real disk: files below the world's outside folder.
 * SQLite opens its database itself, so what belongs to it must really be
 * there; everything else lives in memory (keep.c).
 */
#include "port/sim/world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

bool outside_has(const char *path)
{
    size_t len = strlen(world->outside);
    return len > 0 && strncmp(path, world->outside, len) == 0 &&
           path[len] == '/';
}

static int code(void)
{
    return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
}

int outside_read(const char *path, struct span out)
{
    uint8_t more;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return code();
    ssize_t n = read(fd, out.ptr, out.len);
    bool is_longer = read(fd, &more, 1) == 1;
    close(fd);
    if (n < 0)
        return ERR_IO;
    return is_longer ? ERR_TOO_BIG : (int)n;
}

int outside_write(const char *path, struct view data)
{
    char next[PATH_MAX_ + 8];
    snprintf(next, sizeof(next), "%s.next", path);
    int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return code();
    bool is_whole =
        data.len == 0 || write(fd, data.ptr, data.len) == (ssize_t)data.len;
    close(fd);
    return is_whole && rename(next, path) == 0 ? OK : ERR_IO;
}

int outside_remove(const char *path)
{
    return unlink(path) == 0 ? OK : code();
}

void sim_outside(const char *folder)
{
    snprintf(world->outside, sizeof(world->outside), "%s", folder);
}
