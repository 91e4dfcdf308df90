/* TCP; see port.h. Accepted sockets inherit the listener's options, so that
 * a connection costs the relay one system call. */
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"
#include "base/err.h"
#include "handle.h"
#include "why.h"

#define KEEP_IDLE_S     20 /* NATs forget after 30 s and more */
#define KEEP_INTERVAL_S 5
#define KEEP_COUNT      3
/* Silence that ends the connection: of a peer with nothing to say, who is
 * asked by then, and of one that owes an acknowledgement. */
#define UNACKED_MS      40000
/* Unsent bytes below which a socket takes more: little enough that a keystroke
 * overtakes bulk, enough to fill a gigabit path between turns; on a slow path
 * what it takes in UNSENT_US, but a record must fit. */
#define UNSENT_BYTES    (128 * 1024)
#define UNSENT_MIN      (16 * 1024)
#define UNSENT_US       25000
#define BACKLOG         4096 /* the kernel lowers it to net.core.somaxconn */

#ifndef SIOCOUTQNSD
#define SIOCOUTQNSD 0x894B /* <linux/sockios.h>: bytes that are unsent */
#endif

static void set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof(value)); /* best effort */
}

static void set_tcp_options(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKED_MS);
    set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES);
}

static int tcp_socket(int family)
{
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = handle_lift(socket(family, type, 0));
    if (fd >= 0)
        set_tcp_options(fd);
    return fd;
}

int port_dial(const struct port_addr *to)
{
    union addr_any a;
    socklen_t len = addr_to_kernel(to, &a);
    int fd = tcp_socket(a.any.sa_family);
    int err;
    if (fd < 0)
        return why_errno("socket");
    if (connect(fd, &a.any, len) == 0 || errno == EINPROGRESS)
        return fd;
    err = why_errno("connect");
    close(fd);
    return err;
}

int port_dial_done(int handle)
{
    union addr_any peer;
    socklen_t len = sizeof(peer);
    int number = 0;
    socklen_t number_len = sizeof(number);
    if (getsockopt(handle, SOL_SOCKET, SO_ERROR, &number, &number_len) < 0)
        return why_errno("SO_ERROR");
    if (number != 0)
        return why_number(number, "connect");
    if (getpeername(handle, &peer.any, &len) == 0)
        return OK;
    return errno == ENOTCONN ? ERR_MORE : why_errno("getpeername");
}

int port_silent_ms(int handle)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(handle, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return ERR_UNSUPPORTED;
    uint32_t ms = info.tcpi_last_ack_recv < info.tcpi_last_data_recv
                      ? info.tcpi_last_ack_recv
                      : info.tcpi_last_data_recv;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* A C library's struct may end before what Linux 4.9 and later tell. */
union path {
    struct tcp_info info;
    uint8_t raw[256];
};
#define RATE_LIMITED_AT 7   /* bit 0: by us, who gave it too little */
#define RATE_AT         160 /* tcpi_delivery_rate, bytes in a second */

/* Bytes in a second as they arrived last, 0: that is not known. Congestion
 * control may keep a window from better times for long. */
static uint64_t delivery_rate(const union path *p, size_t len)
{
    uint64_t rate = 0;
    if (len >= RATE_AT + sizeof(rate) && (p->raw[RATE_LIMITED_AT] & 1) == 0)
        memcpy(&rate, p->raw + RATE_AT, sizeof(rate));
    return rate;
}

/* What the path takes in UNSENT_US. */
static int unsent_max(const union path *p, size_t len)
{
    uint64_t window = (uint64_t)p->info.tcpi_snd_cwnd * p->info.tcpi_snd_mss;
    uint64_t rate = delivery_rate(p, len), most = UNSENT_BYTES;
    if (p->info.tcpi_rtt != 0)
        most = window * UNSENT_US / p->info.tcpi_rtt;
    if (rate != 0 && most > rate / (1000000 / UNSENT_US))
        most = rate / (1000000 / UNSENT_US);
    if (most < UNSENT_MIN)
        return UNSENT_MIN;
    return most < UNSENT_BYTES ? (int)most : UNSENT_BYTES;
}

/* The kernel calls a socket writable again when half of the bound is free. */
int port_send_room(int handle)
{
    union path path = {0};
    socklen_t len = sizeof(path);
    if (getsockopt(handle, IPPROTO_TCP, TCP_INFO, &path, &len) < 0)
        return UNSENT_BYTES;
    int most = unsent_max(&path, len), unsent = 0;
    set_option(handle, IPPROTO_TCP, TCP_NOTSENT_LOWAT, most);
    (void)handle_control(handle, SIOCOUTQNSD, &unsent);
    return 2 * unsent >= most ? 0 : most - unsent;
}

static int listen_on(const struct port_addr *at)
{
    union addr_any a;
    socklen_t len = addr_to_kernel(at, &a);
    int fd = tcp_socket(a.any.sa_family);
    int err;
    if (fd < 0)
        return why_errno("socket");
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (a.any.sa_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (bind(fd, &a.any, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    err = why_errno("listen");
    close(fd);
    return err;
}

static bool is_any_v6(const struct port_addr *a)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < sizeof(a->ip); i++)
        sum |= a->ip[i];
    return sum == 0;
}

int port_listen(const struct port_addr *at, uint16_t *port)
{
    union addr_any bound;
    socklen_t len = sizeof(bound);
    struct port_addr a = *at;
    int fd;
    handle_raise_limit();
    fd = listen_on(&a);
    if (fd == ERR_UNREACHABLE && is_any_v6(at)) {
        a.ip[10] = a.ip[11] = 0xff; /* no IPv6 here: 0.0.0.0 */
        fd = listen_on(&a);
    }
    if (fd < 0 || port == NULL)
        return fd;
    if (getsockname(fd, &bound.any, &len) == 0) {
        addr_from_kernel(&bound.any, &a);
        *port = a.port;
    }
    return fd;
}

int port_accept(int listener, struct port_addr *from)
{
    union addr_any peer = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof(peer);
    int fd = accept4(listener, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    fd = handle_lift(fd);
    if (fd >= 0) {
        if (from != NULL)
            addr_from_kernel(&peer.any, from);
        return fd;
    }
    switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: /* ERR_LIMIT */
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP: return why_errno("accept");
    }
    return ERR_MORE; /* none, or one that ended before we saw it */
}
