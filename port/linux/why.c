/* errno to codes and sentences; see why.h and port_why. */
#include "why.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"

static char last[256];

/* Several names of one number (EAGAIN, EWOULDBLOCK) forbid a switch. */
static const struct {
    int number;
    int err;
} table[] = {
    {ENOENT, ERR_NOT_FOUND},
    {ENOTDIR, ERR_NOT_FOUND},
    {ESRCH, ERR_NOT_FOUND},
    {ENODEV, ERR_NOT_FOUND},
    {EEXIST, ERR_EXISTS},
    {EADDRINUSE, ERR_EXISTS},
    {EACCES, ERR_DENIED},
    {EPERM, ERR_DENIED},
    {EROFS, ERR_DENIED},
    {ELOOP, ERR_DENIED},
    {EISDIR, ERR_DENIED},
    {ENOEXEC, ERR_DENIED},
    {ENOSPC, ERR_NO_SPACE},
    {EDQUOT, ERR_NO_SPACE},
    {EMFILE, ERR_LIMIT},
    {ENFILE, ERR_LIMIT},
    {ENOMEM, ERR_LIMIT},
    {ENOBUFS, ERR_LIMIT},
    {EAGAIN, ERR_LIMIT},
    {ECONNREFUSED, ERR_REFUSED},
    {ETIMEDOUT, ERR_TIMEOUT},
    {ENETUNREACH, ERR_UNREACHABLE},
    {EHOSTUNREACH, ERR_UNREACHABLE},
    {ENETDOWN, ERR_UNREACHABLE},
    {EHOSTDOWN, ERR_UNREACHABLE},
    {EADDRNOTAVAIL, ERR_UNREACHABLE},
    {EAFNOSUPPORT, ERR_UNREACHABLE},
    {EPIPE, ERR_CLOSED},
    {ECONNRESET, ERR_CLOSED},
    {ECONNABORTED, ERR_CLOSED},
    {ENOTCONN, ERR_CLOSED},
    {EINVAL, ERR_RANGE},
    {ENAMETOOLONG, ERR_RANGE},
    {EFBIG, ERR_TOO_BIG},
    {E2BIG, ERR_TOO_BIG},
    {EBUSY, ERR_BUSY},
    {ETXTBSY, ERR_BUSY},
    {ENOSYS, ERR_UNSUPPORTED},
    {ENXIO, ERR_UNSUPPORTED}, /* to open a socket: it is there */
    {EOPNOTSUPP, ERR_UNSUPPORTED},
    {ENOTTY, ERR_UNSUPPORTED},
};

static int code_of(int number)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].number == number)
            return table[i].err;
    return ERR_IO;
}

int why_say(int err, const char *what, const char *detail)
{
    struct text t;
    TEXT_OF(&t, last);
    text_str(&t, what);
    if (detail != NULL)
        text_join(&t, ": ", detail, NULL);
    return err;
}

int why_number(int number, const char *what)
{
    return why_say(code_of(number), what, strerror(number));
}

int why_errno(const char *what)
{
    return why_number(errno, what);
}

const char *port_why(void)
{
    return last;
}
