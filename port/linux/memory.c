/* Pages back to the kernel; see port_memory_release. */
#include <link.h>
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

/* What cannot be written is as it stands in the file. The first object is the
 * program. */
static int trim_object(struct dl_phdr_info *object, size_t size, void *ctx)
{
    (void)size;
    (void)ctx;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &object->dlpi_phdr[i];
        if (h->p_type == PT_LOAD && (h->p_flags & PF_W) == 0)
            port_memory_release((struct span){
                (uint8_t *)(object->dlpi_addr + h->p_vaddr), h->p_memsz});
    }
    return 1;
}

void port_memory_trim(void)
{
    dl_iterate_phdr(trim_object, NULL);
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
