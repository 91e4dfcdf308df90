/* Private folders and lock files; see port.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "handle.h"
#include "path.h"
#include "why.h"

/* ---- folders ------------------------------------------------------------ */

/* Make each folder on the way. What exists stays as it is. `path` is changed
 * and restored. */
static int make_parents(char *path)
{
    for (char *p = path + 1; *p != '\0'; p++) {
        int rc;
        if (*p != '/')
            continue;
        *p = '\0';
        rc = mkdir(path, 0700);
        *p = '/';
        if (rc < 0 && errno != EEXIST)
            return -1;
    }
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

/* The folder itself, looked at through its handle, not through a name that
 * somebody could change in between. */
static int check_folder(int fd, const char *path)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return why_errno(path);
    if (st.st_uid != geteuid())
        return why_say(ERR_DENIED, path, "the folder has another owner");
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return why_say(ERR_DENIED, path,
                       "others may write to the folder; `chmod go-w` it");
    return OK;
}

int port_keep_folder(const char *path)
{
    char copy[PATH_BYTES];
    size_t len = strlen(path);
    int fd, err;
    if (len == 0 || len >= sizeof(copy))
        return why_say(ERR_RANGE, path, "not a folder's path");
    memcpy(copy, path, len + 1);
    while (len > 1 && copy[len - 1] == '/') /* O_NOFOLLOW heeds no "x/" */
        copy[--len] = '\0';
    if (make_parents(copy) < 0)
        return why_errno(path);
    fd = open(copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return why_say(ERR_DENIED, path, strerror(errno));
    err = check_folder(fd, path);
    close(fd);
    return err;
}

/* linux_dirent64 of getdents64(2): opendir would allocate. */
struct entry {
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
    char name[];
};

int port_folder_list(const char *path, void (*each)(void *, const char *),
                     void *ctx)
{
    _Alignas(8) uint8_t buf[8192];
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long n;
    if (fd < 0)
        return why_errno(path);
    while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
        for (long at = 0; at < n;) {
            const struct entry *e = (const void *)(buf + at);
            if (strcmp(e->name, ".") != 0 && strcmp(e->name, "..") != 0)
                each(ctx, e->name);
            at += e->reclen;
        }
    }
    close(fd);
    return n < 0 ? why_errno(path) : OK;
}

/* ---- locks -------------------------------------------------------------- */

static int read_pid(int fd)
{
    char buf[24];
    ssize_t n = pread(fd, buf, sizeof(buf), 0);
    uint64_t pid = 0;
    if (n <= 0)
        return 0;
    ptrdiff_t end = view_find(view_of(buf, (size_t)n), '\n');
    if (end < 0 ||
        text_parse_u64(view_of(buf, (size_t)end), INT32_MAX, &pid) != OK)
        return 0;
    return (int)pid;
}

static void write_pid(int fd)
{
    char buf[24];
    struct text t;
    TEXT_OF(&t, buf);
    text_u64(&t, (uint64_t)getpid());
    text_char(&t, '\n');
    if (ftruncate(fd, 0) < 0 || pwrite(fd, buf, t.len, 0) < 0)
        return; /* the lock holds without it; only the message is poorer */
}

/* Locks that may be let go; one that finds no room here stays for good. */
enum { HELD_MAX = 4 };
static int held[HELD_MAX]; /* 0: free */

static void remember(int fd)
{
    for (int i = 0; i < HELD_MAX; i++)
        if (held[i] == 0) {
            held[i] = fd;
            return;
        }
}

/* flock and not fcntl: it stays with the open file, whoever else in this
 * process opens and closes the same path, and across fork in port_daemon. */
int port_keep_lock(const char *path, int *pid)
{
    int fd = handle_lift(
        open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    int err;
    if (fd < 0)
        return why_errno(path);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &whole) == 0) {
        write_pid(fd);
        remember(fd);
        return OK; /* fd stays open as long as the process lives */
    }
    err = errno == EAGAIN || errno == EACCES ? why_say(ERR_BUSY, path, "locked")
                                             : why_errno(path);
    if (pid != NULL)
        *pid = read_pid(fd);
    close(fd);
    return err;
}

/* see port.h */
void port_keep_unlock(const char *path)
{
    struct stat at, st;
    if (stat(path, &at) < 0)
        return;
    for (int i = 0; i < HELD_MAX; i++) {
        if (held[i] <= 0 || fstat(held[i], &st) < 0 || st.st_ino != at.st_ino ||
            st.st_dev != at.st_dev)
            continue;
        close(held[i]);
        held[i] = 0;
    }
}

/* see port.h */
int port_keep_holder(const char *path, int *pid)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int err =
        fd < 0 || fcntl(fd, F_OFD_GETLK, &whole) != 0 ? why_errno(path) : OK;
    if (err == OK && whole.l_type == F_UNLCK)
        err = why_say(ERR_NOT_FOUND, path, "nobody holds it");
    if (err == OK)
        *pid = read_pid(fd);
    if (fd >= 0)
        close(fd);
    return err;
}
