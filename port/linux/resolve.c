/*
 * Names to addresses; see port.h. getaddrinfo blocks, so a child calls it;
 * see errand.h.
 */
#include <netdb.h>
#include <string.h>

#include "addr.h"
#include "base/err.h"
#include "errand.h"
#include "why.h"

#define ADDRS_MAX 8

struct answer {
    int32_t gai; /* result of getaddrinfo */
    int32_t count;
    struct port_addr addr[ADDRS_MAX];
};

_Static_assert(sizeof(struct answer) <= PORT_TASK_ANSWER_MAX,
               "it goes through the pipe in one piece");

/* ---- in the child ------------------------------------------------------- */

struct question {
    const char *host;
    uint16_t port;
};

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

static int look_up(const void *arg, struct span out)
{
    const struct question *q = arg;
    struct answer a = {0};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    a.gai = getaddrinfo(q->host, NULL, &hints, &list);
    for (int n = 0; a.gai == 0 && n < ADDRS_MAX; n++) {
        add(&a, nth(list, AF_INET6, n), q->port);
        add(&a, nth(list, AF_INET, n), q->port);
    }
    memcpy(out.ptr, &a, sizeof(a));
    return (int)sizeof(a);
}

/* ---- in the program ----------------------------------------------------- */

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

int port_resolve(const char *host, uint16_t port)
{
    struct answer a = {0};
    struct question q = {host, port};
    if (answer_at_once(host, port, &a))
        return errand_answered(view_of(&a, sizeof(a)));
    return errand_start(ERRAND_LOOKUP, look_up, &q, host);
}

int port_resolve_take(int handle, struct port_addr *out, int max)
{
    struct answer a = {0};
    int n = errand_take(handle, (struct span){(uint8_t *)&a, sizeof(a)});
    if (n == 0)
        return 0;
    if (n != (int)sizeof(a))
        return why_say(ERR_NAME, "look-up", "no answer");
    if (a.count == 0)
        return why_say(ERR_NAME, "look-up", gai_strerror(a.gai));
    if (a.count < max)
        max = a.count;
    memcpy(out, a.addr, (size_t)max * sizeof(*out));
    return max;
}
