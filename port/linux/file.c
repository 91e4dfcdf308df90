/* Files that are read in pieces; see port.h. */
#include <fcntl.h>

#include "port/linux/why.h"

int port_file_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? why_errno("open") : fd;
}
