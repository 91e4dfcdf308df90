/*
 * Local stream sockets; see port.h. sockaddr_un holds 107 bytes, paths may be
 * longer: then the folder is opened and named by its number in /proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "handle.h"
#include "path.h"
#include "why.h"

#define LOCAL_BACKLOG 64

/* A socket's name and what keeps that name valid. */
struct place {
    int folder;       /* O_PATH */
    const char *name; /* in the folder; points into the path */
    struct sockaddr_un addr;
};

static int place_open(struct place *p, const char *path)
{
    struct text t;
    *p = (struct place){.addr.sun_family = AF_UNIX};
    p->folder = path_open_folder(path, &p->name);
    if (p->folder < 0)
        return why_errno(path);
    TEXT_OF(&t, p->addr.sun_path);
    text_str(&t, path);
    if (t.cut) {
        TEXT_OF(&t, p->addr.sun_path);
        text_str(&t, "/proc/self/fd/");
        text_u64(&t, (uint64_t)p->folder);
        text_join(&t, "/", p->name, NULL);
    }
    if (!t.cut)
        return OK;
    close(p->folder);
    return why_say(ERR_RANGE, path, "the name is too long for a socket");
}

static int local_socket(void)
{
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    return handle_lift(socket(AF_UNIX, type, 0));
}

/* connect's errno, 0 when somebody listens there. */
static int probe(const struct sockaddr_un *addr)
{
    int fd = local_socket();
    int number = 0;
    if (fd < 0)
        return errno;
    if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
        number = errno;
    close(fd);
    return number;
}

static int bind_private(int fd, const struct sockaddr_un *addr)
{
    mode_t old = umask(0177);
    int rc = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
    umask(old);
    return rc;
}

static bool is_socket(const struct place *p)
{
    struct stat st;
    return fstatat(p->folder, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISSOCK(st.st_mode);
}

/* A socket that nobody listens to is left over from a crash. Anything else
 * that has the name stays. */
static int remove_stale(const struct place *p)
{
    if (!is_socket(p) || probe(&p->addr) != ECONNREFUSED)
        return ERR_EXISTS;
    if (unlinkat(p->folder, p->name, 0) < 0)
        return why_errno("unlink");
    return OK;
}

static int bind_and_listen(int fd, const struct place *p)
{
    int rc = bind_private(fd, &p->addr);
    if (rc < 0 && errno == EADDRINUSE && remove_stale(p) == OK)
        rc = bind_private(fd, &p->addr);
    else if (rc < 0 && errno == EADDRINUSE)
        return why_say(ERR_EXISTS, p->name, "somebody listens there");
    if (rc < 0 || listen(fd, LOCAL_BACKLOG) < 0)
        return why_errno("bind");
    return OK;
}

static int make_folder(const char *path)
{
    char folder[PATH_BYTES];
    const char *name;
    if (path_split(path, folder, &name) != OK)
        return why_say(ERR_RANGE, path, "not a file's path");
    return port_keep_folder(folder);
}

int port_local_listen(const char *path)
{
    struct place p;
    int fd;
    int err = make_folder(path);
    if (err == OK)
        err = place_open(&p, path);
    if (err != OK)
        return err;
    fd = local_socket();
    err = fd < 0 ? why_errno("socket") : bind_and_listen(fd, &p);
    close(p.folder);
    if (err == OK)
        return fd;
    port_close(fd);
    return err;
}

/* To connect to a plain file is refused as well. */
static int dial_error(const struct place *p, const char *path)
{
    if (errno == EAGAIN)
        return why_say(ERR_BUSY, path, "its queue is full");
    if (errno == ECONNREFUSED && !is_socket(p))
        errno = ENOENT;
    return why_errno(path);
}

int port_local_dial(const char *path)
{
    struct place p;
    int fd;
    int err = place_open(&p, path);
    if (err != OK)
        return err;
    fd = local_socket();
    if (fd < 0)
        err = why_errno("socket");
    else if (connect(fd, (const struct sockaddr *)&p.addr, sizeof(p.addr)) < 0)
        err = dial_error(&p, path);
    close(p.folder);
    if (err == OK)
        return fd;
    port_close(fd);
    return err;
}

bool port_local_same_user(int handle)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(handle, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    return peer.uid == geteuid() || peer.uid == 0;
}
