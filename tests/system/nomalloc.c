/*
 * The heap of the nomalloc build: it serves what libraries ask for at start,
 * and ends the program at the first call after the arena was sealed. Linked
 * with --wrap=arena_seal. Children of port_task are another process, and may
 * allocate.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"

void __real_arena_seal(struct arena *a);
void __wrap_arena_seal(struct arena *a);

static _Alignas(16) unsigned char heap[256 * 1024];
static size_t used;
static pid_t sealed; /* the process; 0: not yet */

void __wrap_arena_seal(struct arena *a)
{
    sealed = getpid();
    __real_arena_seal(a);
}

static bool is_sealed(void)
{
    return sealed != 0 && sealed == getpid();
}

static void refuse(const char *what)
{
    static const char says[] = "nomalloc: heap call after start: ";
    (void)!write(2, says, sizeof(says) - 1);
    (void)!write(2, what, strlen(what));
    (void)!write(2, "\n", 1);
    _exit(134);
}

void *malloc(size_t size)
{
    if (is_sealed())
        refuse("malloc");
    size_t whole = (size + 31) & ~(size_t)15; /* its length stands before */
    if (whole < size || whole > sizeof(heap) - used)
        return NULL;
    unsigned char *p = heap + used;
    used += whole;
    memcpy(p, &size, sizeof(size));
    return p + 16;
}

void *calloc(size_t n, size_t size)
{
    if (size != 0 && n > SIZE_MAX / size)
        return NULL;
    return malloc(n * size); /* never given back, so it is zero still */
}

void *realloc(void *old, size_t size)
{
    size_t len = 0;
    unsigned char *p = malloc(size);
    if (old != NULL)
        memcpy(&len, (unsigned char *)old - 16, sizeof(len));
    if (p != NULL && old != NULL)
        memcpy(p, old, len < size ? len : size);
    return p;
}

void free(void *p)
{
    if (is_sealed() && p != NULL)
        refuse("free");
}
