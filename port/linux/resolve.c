/*
 * Names to addresses; see port.h. getaddrinfo blocks, so a forked child calls
 * it and writes one fixed-size answer to a pipe. These children are known by
 * pid in a small table: port_child_reap asks resolve_reaped about each pid it
 * collects and passes ours over. (The other ways are worse: with a double
 * fork the grandchild returns to us when we are PID 1, and a clone without
 * SIGCHLD is refused by emulators.)
 */
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "addr.h"
#include "base/err.h"
#include "handle.h"
#include "signal.h"
#include "why.h"

#define LOOKUPS_MAX  8
#define ADDRS_MAX    8
#define LOOKUP_S_MAX 30 /* whatever the resolver's own limits are */

/* What the child writes, in one piece (far below PIPE_BUF). */
struct answer {
    int32_t gai; /* result of getaddrinfo */
    int32_t count;
    struct port_addr addr[ADDRS_MAX];
};

static struct {
    int pid;    /* 0: free */
    int handle; /* -1: abandoned, waits to be reaped */
} lookups[LOOKUPS_MAX];

/* ---- in the child ------------------------------------------------------- */

/* The n-th address of one family. */
static const struct addrinfo *nth(const struct addrinfo *list, int family,
                                  int n)
{
    for (; list != NULL; list = list->ai_next)
        if (list->ai_family == family && n-- == 0)
            break;
    return list;
}

static void add(struct answer *a, const struct addrinfo *ai, uint16_t port)
{
    if (ai == NULL || a->count == ADDRS_MAX)
        return;
    addr_from_kernel(ai->ai_addr, &a->addr[a->count]);
    a->addr[a->count++].port = port;
}

static void look_up(const char *host, uint16_t port, struct answer *a)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    a->gai = getaddrinfo(host, NULL, &hints, &list);
    for (int n = 0; a->gai == 0 && n < ADDRS_MAX; n++) {
        add(a, nth(list, AF_INET6, n), port);
        add(a, nth(list, AF_INET, n), port);
    }
}

/* Nothing of the program may live on in the child: not its terminal or
 * pipes, not its blocked signals, and not beyond its end. */
static void run_child(int out, const char *host, uint16_t port)
{
    struct answer a = {0};
    int null = open("/dev/null", O_RDWR);
    signal_reset();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(LOOKUP_S_MAX);
    for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    dup2(out, STDERR_FILENO + 1);
    handle_close_from(STDERR_FILENO + 2);
    look_up(host, port, &a);
    if (write(STDERR_FILENO + 1, &a, sizeof(a)) < 0)
        _exit(1);
    _exit(0);
}

/* ---- in the program ----------------------------------------------------- */

static int free_slot(void)
{
    for (int i = 0; i < LOOKUPS_MAX; i++) {
        if (lookups[i].pid > 0 && lookups[i].handle < 0 &&
            waitpid(lookups[i].pid, NULL, WNOHANG) != 0)
            lookups[i].pid = 0;
        if (lookups[i].pid == 0)
            return i;
    }
    return -1;
}

/* Answers that need no look-up: numbers, and "localhost", which has to work
 * where there is no /etc/hosts (RFC 6761, 6.3). */
static bool answer_at_once(const char *host, uint16_t port, struct answer *a)
{
    if (port_addr_parse(host, port, &a->addr[0]) == OK) {
        a->count = 1;
        return true;
    }
    if (strcmp(host, "localhost") != 0)
        return false;
    port_addr_parse("::1", port, &a->addr[a->count++]);
    port_addr_parse("127.0.0.1", port, &a->addr[a->count++]);
    return true;
}

static int start_child(int out, const char *host, uint16_t port, int in)
{
    int slot = free_slot();
    int pid;
    if (slot < 0)
        return why_say(ERR_LIMIT, host, "too many look-ups at once");
    pid = fork();
    if (pid < 0)
        return why_errno("fork");
    if (pid == 0)
        run_child(out, host, port);
    lookups[slot].pid = pid;
    lookups[slot].handle = in;
    return OK;
}

int port_resolve(const char *host, uint16_t port)
{
    struct answer a = {0};
    int ends[2];
    int err = OK;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return why_errno("pipe");
    ends[0] = handle_lift(ends[0]);
    ends[1] = handle_lift(ends[1]);
    if (!answer_at_once(host, port, &a))
        err = start_child(ends[1], host, port, ends[0]);
    else if (write(ends[1], &a, sizeof(a)) < 0)
        err = why_errno("pipe");
    close(ends[1]);
    if (err != OK) {
        close(ends[0]);
        return err;
    }
    return ends[0];
}

void resolve_forget(int handle)
{
    for (int i = 0; i < LOOKUPS_MAX; i++) {
        if (lookups[i].pid == 0 || lookups[i].handle != handle)
            continue;
        kill(lookups[i].pid, SIGKILL);
        lookups[i].handle = -1;
        if (waitpid(lookups[i].pid, NULL, WNOHANG) != 0)
            lookups[i].pid = 0;
    }
}

bool resolve_reaped(int pid)
{
    for (int i = 0; i < LOOKUPS_MAX; i++) {
        if (lookups[i].pid == pid) {
            lookups[i].pid = 0;
            return true;
        }
    }
    return false;
}

int port_resolve_take(int handle, struct port_addr *out, int max)
{
    struct answer a = {0};
    ssize_t n = read(handle, &a, sizeof(a));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    port_close(handle);
    if (n != (ssize_t)sizeof(a))
        return why_say(ERR_NAME, "look-up", "no answer");
    if (a.count == 0)
        return why_say(ERR_NAME, "look-up", gai_strerror(a.gai));
    if (a.count < max)
        max = a.count;
    memcpy(out, a.addr, (size_t)max * sizeof(*out));
    return max;
}
