/* The log sink and last words; see port.h. A line that the sink does not
 * take at once is lost: a slow log must not stop the program. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "term.h"
#include "why.h"

static int sink = STDERR_FILENO;

static void write_line(int fd, struct view line)
{
    char end = '\n';
    struct iovec part[] = {{(void *)(uintptr_t)line.ptr, line.len}, {&end, 1}};
    if (writev(fd, part, 2) < 0)
        return; /* nowhere to complain */
}

void port_log(struct view line)
{
    write_line(sink, line);
}

int port_log_open(const char *path)
{
    int flags =
        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, flags, 0600);
    if (fd < 0)
        return why_errno(path);
    if (sink != STDERR_FILENO)
        close(sink);
    sink = fd;
    return OK;
}

void port_fatal(const char *what)
{
    char buf[512];
    struct text t;
    port_term_restore();
    TEXT_OF(&t, buf);
    text_join(&t, "cmdop: fatal: ", what, NULL);
    if (sink != STDERR_FILENO)
        write_line(sink, text_done(&t));
    write_line(STDERR_FILENO, text_done(&t));
    abort();
}

/*
 * Where the C library sends a failed assert (the name is musl's and glibc's
 * common one). Defining it here keeps stdio out of the program.
 */
_Noreturn void __assert_fail(const char *condition, const char *file, int line,
                             const char *function);

void __assert_fail(const char *condition, const char *file, int line,
                   const char *function)
{
    char buf[512];
    struct text t;
    TEXT_OF(&t, buf);
    text_join(&t, file, ":", NULL);
    text_i64(&t, line);
    text_join(&t, ": ", function, ": ", condition, NULL);
    port_fatal(buf);
}

/* see port.h */
_Noreturn void port_exit(int status)
{
    exit(status);
}
