/* Unpredictable bytes from the kernel; see port.h. getrandom may wait once,
 * early at boot, until the kernel has seeded itself: that is wanted. */
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "port/port.h"

/* Kernels before 3.17 have no getrandom. */
static ssize_t from_device(struct span out)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    ssize_t n;
    if (fd < 0)
        return -1;
    n = read(fd, out.ptr, out.len);
    close(fd);
    return n;
}

void port_entropy(struct span out)
{
    while (out.len > 0) {
        ssize_t n = getrandom(out.ptr, out.len, 0);
        if (n < 0 && errno == ENOSYS)
            n = from_device(out);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            port_fatal("the system gives no random bytes");
        out.ptr += n;
        out.len -= (size_t)n;
    }
}
