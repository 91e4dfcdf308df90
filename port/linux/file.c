/* Files that are read in pieces; see port.h. */
#include <fcntl.h>
#include <sys/stat.h>

#include "port/linux/why.h"

int port_file_open(const char *path)
{
    /* A FIFO in its place must not stop us, but what a pipe brings later is
     * waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return why_errno("open");
    (void)fcntl(fd, F_SETFL, 0);
    return fd;
}

bool port_file_is(int handle, const char *path)
{
    struct stat ours, there;
    return fstat(handle, &ours) == 0 && stat(path, &there) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}
