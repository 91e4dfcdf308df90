/* Pages back to the kernel; see port_memory_release. */
#include <sys/mman.h>
#include <unistd.h>

#include "port/port.h"

void port_memory_release(struct span mem)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = ((uintptr_t)mem.ptr + page - 1) & ~(page - 1);
    uintptr_t end = ((uintptr_t)mem.ptr + mem.len) & ~(page - 1);
    if (start < end)
        madvise((void *)start, end - start, MADV_DONTNEED);
}

/* See port.h. NORESERVE: a table for a thousand connections is not a promise
 * to use it, and a small machine must be able to start. */
struct span port_memory(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        port_fatal("the system gives this program no memory");
    return (struct span){p, size};
}
