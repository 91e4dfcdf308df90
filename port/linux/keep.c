/*
 * Whole records; see port.h. A record is replaced by writing a new file
 * beside it and renaming: after a crash there is the old one or the new one.
 * The new file's name is random, so that two writers cannot mix; one that a
 * crash leaves behind is named .NAME.xxxxxxxx, and goes with a later write.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* renameat */
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "path.h"
#include "why.h"

#define NAME_RANDOM 4
#define LEFT_S      60 /* no write takes so long */

/* ---- read --------------------------------------------------------------- */

/* The bytes of a file, or a code; one byte more than fits is asked for, to
 * notice a file that is too long. */
static int read_whole(int fd, const char *path, struct span out)
{
    size_t len = 0;
    uint8_t extra;
    for (;;) {
        bool is_full = len == out.len;
        ssize_t n = is_full ? read(fd, &extra, 1)
                            : read(fd, out.ptr + len, out.len - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return why_errno(path);
        if (n == 0)
            return (int)len;
        if (is_full)
            return why_say(ERR_TOO_BIG, path, "larger than expected");
        len += (size_t)n;
    }
}

static int check_file(int fd, const char *path, bool secret)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return why_errno(path);
    if (!S_ISREG(st.st_mode))
        return why_say(ERR_DENIED, path, "not a regular file");
    if (secret && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return why_say(ERR_DAMAGED, path, "other users may read this secret");
    if (secret && st.st_uid != geteuid() && st.st_uid != 0)
        return why_say(ERR_DAMAGED, path, "this secret has another owner");
    return OK;
}

int port_keep_read(const char *path, bool secret, struct span out)
{
    /* O_NONBLOCK: a FIFO in its place must not stop us. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int err;
    if (fd < 0)
        return why_errno(path);
    err = check_file(fd, path, secret);
    if (err == OK)
        err = read_whole(fd, path, out);
    close(fd);
    return err;
}

/* ---- replace ------------------------------------------------------------ */

static int write_whole(int fd, struct view data)
{
    while (data.len > 0) {
        ssize_t n = write(fd, data.ptr, data.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data = view_from(data, (size_t)n);
    }
    return 0;
}

/* ".NAME.", cut at the front part if NAME is very long. */
static void name_prefix(struct text *t, const char *name)
{
    text_char(t, '.');
    text_view(t, view_first(view_str(name), 200));
    text_char(t, '.');
}

/* And xxxxxxxx. */
static void name_new(struct text *t, const char *name)
{
    uint8_t random[NAME_RANDOM];
    port_entropy(SPAN_ARRAY(random));
    name_prefix(t, name);
    text_hex(t, VIEW_ARRAY(random));
}

/* Fill the new file. Says what failed, NULL if nothing, errno tells why. */
static const char *fill(int fd, struct view data, bool sync)
{
    if (write_whole(fd, data) < 0)
        return "write";
    if (sync && fsync(fd) < 0)
        return "fsync";
    return NULL;
}

static const char *replace(int folder, const char *name, struct view data,
                           bool sync)
{
    char fresh[256];
    struct text t;
    const char *failed;
    int fd, number;
    TEXT_OF(&t, fresh);
    name_new(&t, name);
    fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return "create";
    failed = fill(fd, data, sync);
    number = errno;
    if (close(fd) < 0 && failed == NULL) {
        failed = "close";
        number = errno;
    }
    if (failed == NULL && renameat(folder, fresh, folder, name) < 0) {
        failed = "rename";
        number = errno;
    }
    if (failed != NULL)
        unlinkat(folder, fresh, 0);
    errno = number;
    return failed;
}

/* Is that a new file of this record, from a writer that is gone? */
static bool is_left(int folder, const char *entry, const char *prefix)
{
    struct stat st;
    size_t len = strlen(prefix);
    return strncmp(entry, prefix, len) == 0 &&
           strlen(entry) == len + 2 * NAME_RANDOM &&
           fstatat(folder, entry, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(st.st_mode) && st.st_mtime < time(NULL) - LEFT_S;
}

struct sweep {
    int folder;
    char prefix[256];
};

static void sweep_entry(void *ctx, const char *entry)
{
    const struct sweep *w = ctx;
    if (is_left(w->folder, entry, w->prefix))
        unlinkat(w->folder, entry, 0);
}

/* It may hold a secret that the record does not have any more. */
static void sweep(int folder, const char *path, const char *name)
{
    struct sweep w = {.folder = folder};
    struct text t;
    TEXT_OF(&t, w.prefix);
    name_prefix(&t, name);
    (void)port_folder_list(path, sweep_entry, &w);
}

/* What failed and where, as in "write /x/y: No space left on device". */
static int fail(const char *what, const char *path)
{
    int number = errno;
    char buf[200];
    struct text t;
    TEXT_OF(&t, buf);
    text_join(&t, what, " ", path, NULL);
    return why_number(number, buf);
}

static int keep_write(const char *path, struct view data, bool sync)
{
    char folder[PATH_BYTES];
    const char *name, *failed;
    int fd;
    if (path_split(path, folder, &name) != OK)
        return why_say(ERR_RANGE, path, "not a file's path");
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail("open the folder of", path);
    if (sync)
        sweep(fd, folder, name);
    failed = replace(fd, name, data, sync);
    if (failed == NULL && sync && fsync(fd) < 0)
        failed = "fsync the folder of";
    int err = failed == NULL ? OK : fail(failed, path);
    close(fd);
    return err;
}

int port_keep_write(const char *path, struct view data)
{
    return keep_write(path, data, true);
}

int port_keep_write_fast(const char *path, struct view data)
{
    return keep_write(path, data, false);
}

int port_keep_remove(const char *path)
{
    return unlink(path) == 0 ? OK : fail("remove", path);
}
