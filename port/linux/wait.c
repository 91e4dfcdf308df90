/*
 * Waiting; see port_wait. A small table goes to poll(2) as it is. A large
 * one is mirrored into epoll: `shadow` holds what epoll was last told about
 * each row, and only differences become system calls. The comparison reads
 * eight bytes per row, so ten thousand idle rows cost microseconds.
 *
 *     table   [h w r s][h w r s]...   the caller's; r is ready, ours to write
 *     shadow  [h w 0 s][h w 0 s]...   the same with r = 0; h = -1: not in epoll
 *     odd     [   0   ][   0   ]...   rows epoll refused: ready at once
 */
#include "wait.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/err.h"
#include "why.h"

/* Up to here poll is cheaper: no copy to keep in step. Measured: poll costs
 * 0.2 us more per row, and both cost the same at about six. */
#define POLL_ROWS     8
/* Ten thousand agents, their operators, and listeners. */
#define WAIT_ROWS_MAX 32768
/* What one call reports; the rest is reported by the next. */
#define EVENTS_MAX    256

static struct port_want shadow[WAIT_ROWS_MAX];
static uint8_t odd[WAIT_ROWS_MAX];
static size_t shadow_len; /* rows that have been mirrored */
static size_t odd_count;
static int epoll_fd = -1;

_Static_assert(sizeof(struct port_want) == 8, "rows are compared as words");

/* The deadline as poll's argument. Now is rounded down to a millisecond, so
 * the result never ends before the deadline and the caller never spins. */
static int timeout_of(uint64_t until_ms)
{
    uint64_t now, left;
    if (until_ms == PORT_FOREVER)
        return -1;
    if (until_ms == 0)
        return 0;
    now = port_now_ms();
    left = until_ms > now ? until_ms - now : 0;
    return left < INT32_MAX ? (int)left : INT32_MAX;
}

/* A row whose handle ended is told whatever it waited for as well, so that
 * the next recv or send finds out why. */
static uint8_t ready_of(uint8_t want, bool in, bool out, bool end)
{
    uint8_t ready = (uint8_t)((in ? PORT_READ : 0) | (out ? PORT_WRITE : 0));
    return end ? (uint8_t)(ready | want | PORT_HANGUP) : ready;
}

/* ---- small tables ------------------------------------------------------- */

static int wait_poll(struct port_want *table, size_t n, int timeout)
{
    struct pollfd p[POLL_ROWS];
    int count;
    for (size_t i = 0; i < n; i++) {
        p[i].fd = table[i].handle;
        p[i].events = (short)((table[i].want & PORT_READ ? POLLIN : 0) |
                              (table[i].want & PORT_WRITE ? POLLOUT : 0));
        p[i].revents = 0;
        table[i].ready = 0;
    }
    count = poll(p, n, timeout);
    if (count < 0)
        return errno == EINTR ? 0 : why_errno("poll");
    for (size_t i = 0; count > 0 && i < n; i++) {
        int r = p[i].revents;
        if (r != 0)
            table[i].ready = ready_of(table[i].want, r & POLLIN, r & POLLOUT,
                                      r & (POLLHUP | POLLERR | POLLNVAL));
    }
    return count;
}

/* ---- large tables ------------------------------------------------------- */

static void set_odd(size_t i, uint8_t ready)
{
    odd_count += (ready != 0);
    odd_count -= (odd[i] != 0);
    odd[i] = ready;
}

/* epoll follows a copy of a closed handle that a child still holds; the
 * serial tells such an echo from the row's present handle. */
static struct epoll_event event_of(const struct port_want *row, size_t i)
{
    struct epoll_event ev = {0};
    ev.events = (row->want & PORT_READ ? EPOLLIN : 0u) |
                (row->want & PORT_WRITE ? EPOLLOUT : 0u);
    ev.data.u64 = (uint64_t)row->serial << 32 | (uint32_t)i;
    return ev;
}

/* First pass: what epoll knows and the table no longer says. All of these
 * precede all additions, because a new row may have got an old number. */
static void drop_row(const struct port_want *now, size_t i)
{
    struct port_want *old = &shadow[i];
    if (old->handle >= 0 &&
        (now->handle != old->handle || now->serial != old->serial)) {
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, old->handle, NULL);
        old->handle = -1;
        set_odd(i, 0);
    }
}

/* Second pass: what the table says and epoll does not know. */
static void tell_row(const struct port_want *now, size_t i)
{
    struct port_want *old = &shadow[i];
    struct epoll_event ev = event_of(now, i);
    bool is_known = old->handle >= 0;
    int rc = 0;
    *old = *now;
    old->ready = 0;
    if (now->handle < 0)
        return;
    if (!is_known)
        rc = epoll_ctl(epoll_fd, EPOLL_CTL_ADD, now->handle, &ev);
    if (is_known || (rc < 0 && errno == EEXIST))
        rc = epoll_ctl(epoll_fd, EPOLL_CTL_MOD, now->handle, &ev);
    if (rc == 0)
        set_odd(i, 0);
    else if (errno == EPERM) /* a regular file: always ready */
        set_odd(i, now->want);
    else
        set_odd(i, (uint8_t)(now->want | PORT_HANGUP));
}

typedef void row_fn(const struct port_want *now, size_t i);

/* Are the next eight rows as they were? Nearly always they are, in nearly
 * all of the table, so this has no branch inside. */
static bool same_eight(const struct port_want *now, const struct port_want *old)
{
    uint64_t a[8], b[8], diff = 0;
    memcpy(a, now, sizeof(a));
    memcpy(b, old, sizeof(b));
    for (size_t k = 0; k < 8; k++)
        diff |= a[k] ^ b[k];
    return diff == 0;
}

/* Call `fn` for each row that differs from its shadow. */
static void each_difference(const struct port_want *table, size_t n, row_fn *fn)
{
    for (size_t i = 0; i < n;) {
        if (i + 8 <= n && same_eight(&table[i], &shadow[i])) {
            i += 8;
            continue;
        }
        if (memcmp(&table[i], &shadow[i], sizeof(shadow[i])) != 0)
            fn(&table[i], i);
        i++;
    }
}

/* Set every `ready` to 0. Only rows that we or the owner of the table have
 * changed can have another, and all others need not be written. Returns
 * whether there were any differences. */
static bool clear_ready(struct port_want *table, size_t n)
{
    bool is_changed = false;
    for (size_t i = 0; i < n;) {
        if (i + 8 <= n && same_eight(&table[i], &shadow[i])) {
            i += 8;
            continue;
        }
        is_changed |= memcmp(&table[i], &shadow[i], sizeof(shadow[i])) != 0;
        table[i++].ready = 0;
    }
    return is_changed;
}

static void mirror(struct port_want *table, size_t n)
{
    static const struct port_want gone = {.handle = -1};
    assert(n <= WAIT_ROWS_MAX);
    for (; shadow_len > n; shadow_len--)
        drop_row(&gone, shadow_len - 1);
    for (; shadow_len < n; shadow_len++)
        shadow[shadow_len] = gone;
    if (!clear_ready(table, n))
        return;
    each_difference(table, n, drop_row);
    each_difference(table, n, tell_row);
}

/* Rows that epoll would not take, from now on ready in every turn. */
static int report_odd(struct port_want *table, size_t n)
{
    int count = 0;
    for (size_t i = 0; odd_count > 0 && i < n; i++) {
        table[i].ready = odd[i];
        count += (odd[i] != 0);
    }
    return count;
}

static int report(struct port_want *table, size_t n,
                  const struct epoll_event *ev)
{
    size_t i = (uint32_t)ev->data.u64;
    uint32_t r = ev->events;
    bool is_new;
    if (i >= n || table[i].handle < 0 ||
        table[i].serial != (uint16_t)(ev->data.u64 >> 32))
        return 0;
    is_new = table[i].ready == 0;
    table[i].ready = ready_of(table[i].want, r & EPOLLIN, r & EPOLLOUT,
                              r & (EPOLLHUP | EPOLLERR));
    return is_new && table[i].ready != 0;
}

static int wait_epoll(struct port_want *table, size_t n, int timeout)
{
    struct epoll_event ev[EVENTS_MAX];
    int got, count;
    if (epoll_fd < 0)
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        return why_errno("epoll_create1");
    mirror(table, n);
    count = report_odd(table, n);
    got = epoll_wait(epoll_fd, ev, EVENTS_MAX, count > 0 ? 0 : timeout);
    if (got < 0)
        return errno == EINTR ? count : why_errno("epoll_wait");
    for (int k = 0; k < got; k++)
        count += report(table, n, &ev[k]);
    return count;
}

void wait_forget(int handle)
{
    if (epoll_fd >= 0)
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, handle, NULL);
}

int port_wait(struct port_want *table, size_t n, uint64_t until_ms)
{
    int timeout = timeout_of(until_ms);
    return n <= POLL_ROWS ? wait_poll(table, n, timeout)
                          : wait_epoll(table, n, timeout);
}
