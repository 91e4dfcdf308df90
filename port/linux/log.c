/* The log sink and last words; see port.h. A line that the sink does not
 * take at once is lost: a slow log must not stop the program. */
#include <fcntl.h>
#include <stdio.h> /* rename */
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "path.h"
#include "term.h"
#include "why.h"

static int sink = STDERR_FILENO;
static char sink_path[PATH_BYTES];
static size_t sink_len; /* bytes in the file, as far as we know */

static void write_line(int fd, struct view line)
{
    char end = '\n';
    struct iovec part[] = {{(void *)(uintptr_t)line.ptr, line.len}, {&end, 1}};
    if (writev(fd, part, 2) < 0)
        return; /* nowhere to complain */
}

/* One file is kept beside the one that is written. When that fails, the file
 * goes on: no line is lost for it. */
static void rotate(void)
{
    char old[PATH_BYTES + 2], path[PATH_BYTES];
    struct text t;
    TEXT_OF(&t, old);
    text_join(&t, sink_path, ".1", NULL);
    sink_len = 0; /* if it fails: not again for a while */
    (void)bytes_to_str(path, sizeof(path), view_str(sink_path));
    if (rename(path, old) == 0)
        (void)port_log_open(path);
}

void port_log(struct view line)
{
    write_line(sink, line);
    sink_len += line.len + 1;
    if (sink != STDERR_FILENO && sink_len >= PORT_LOG_MAX)
        rotate();
}

int port_log_open(const char *path)
{
    int flags =
        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, flags, 0600);
    if (fd < 0)
        return why_errno(path);
    struct stat st;
    if (sink != STDERR_FILENO)
        close(sink);
    sink = fd;
    sink_len = fstat(fd, &st) == 0 ? (size_t)st.st_size : 0;
    (void)bytes_to_str(sink_path, sizeof(sink_path), view_str(path));
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
