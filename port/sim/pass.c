/* Handles that go from role to role with a message; see port.h. While they
 * are on their way, the message holds what they stand for. */
#include "port/sim/world.h"

#include <string.h>

#include "base/err.h"

static void drop(struct pass *p)
{
    p->used = false;
    for (int i = 0; i < p->count; i++)
        handle_drop(&p->handle[i]);
}

/* The first one that is not read yet; NULL: none. */
static struct pass *next(int conn, int end)
{
    struct pass *first = NULL;
    for (int i = 0; i < PASSES_MAX; i++) {
        struct pass *p = &world->pass[i];
        if (p->used && p->conn == conn && p->end == end &&
            (first == NULL || p->off < first->off))
            first = p;
    }
    return first;
}

static uint64_t read_upto(int conn, int end)
{
    return world->flow[world->conn[conn].flow[end]].head;
}

void pass_drop_read(int conn, int end)
{
    struct pass *p;
    while ((p = next(conn, end)) != NULL && p->off < read_upto(conn, end))
        drop(p);
}

void pass_drop_all(int conn, int end)
{
    struct pass *p;
    while ((p = next(conn, end)) != NULL)
        drop(p);
}

int port_local_pair(int ends[2])
{
    PORT_CALL();
    int err = world_fault(SIM_SHARED);
    return err != OK ? err : net_pair(ends);
}

static struct pass *free_pass(void)
{
    for (int i = 0; i < PASSES_MAX; i++)
        if (!world->pass[i].used)
            return &world->pass[i];
    return NULL;
}

static int send_with(int idx, int end, struct view bytes, const int *handles,
                     int n)
{
    const struct conn *c = &world->conn[idx];
    struct pass *p = free_pass();
    uint64_t off = world->flow[c->flow[1 - end]].sent;
    for (int i = 0; i < n; i++)
        if (handle_of(handles[i]) == NULL)
            return ERR_RANGE;
    if (p == NULL || n > PORT_PASS_MAX)
        return ERR_LIMIT;
    int sent = net_send(&world->conn[idx], end, bytes);
    if (sent <= 0 || n == 0)
        return sent;
    *p = (struct pass){.used = true,
                       .conn = idx,
                       .end = 1 - end,
                       .off = off,
                       .len = (uint64_t)sent,
                       .count = n};
    for (int i = 0; i < n; i++)
        p->handle[i] = handle_copy(handle_of(handles[i]));
    if (c->held[1 - end] == 0)
        drop(p);
    return sent;
}

int port_pass_send(int conn, struct view bytes, const int *handles, int n)
{
    PORT_CALL();
    struct handle *h = handle_of(conn);
    int sent = world_fault(SIM_SHARED);
    if (sent == OK)
        sent = h == NULL || h->kind != KIND_CONN
                   ? ERR_RANGE
                   : send_with(h->idx, h->end, bytes, handles, n);
    world_trace("pass", conn, sent, bytes);
    return sent < 0 ? world_why(sent, "pass") : sent;
}

/* What finds no number is gone, as it is elsewhere. */
static int unpack(struct pass *p, int *handles)
{
    int n = 0;
    for (int i = 0; i < p->count; i++) {
        int handle = handle_new(p->handle[i].kind, 0, 0);
        if (handle < 0)
            continue;
        *handle_of(handle) = p->handle[i];
        p->handle[i].kind = KIND_NONE;
        handles[n++] = handle;
    }
    drop(p);
    return n;
}

/* One read never takes the handles of two messages. */
static int recv_with(int idx, int end, struct span bytes, int *handles, int *n)
{
    struct pass *p = next(idx, end);
    uint64_t at = read_upto(idx, end);
    if (p != NULL) {
        uint64_t most = p->off > at ? p->off - at : p->len;
        bytes.len = bytes.len < most ? bytes.len : (size_t)most;
    }
    bool is_due =
        p != NULL && p->off == at && net_waiting(&world->conn[idx], end) > 0;
    if (is_due)
        *n = unpack(p, handles);
    return net_recv(&world->conn[idx], end, bytes);
}

int port_pass_recv(int conn, struct span bytes, int *handles, int *n)
{
    PORT_CALL();
    struct handle *h = handle_of(conn);
    *n = 0;
    int got = world_fault(SIM_SHARED);
    if (got == OK)
        got = h == NULL || h->kind != KIND_CONN
                  ? ERR_RANGE
                  : recv_with(h->idx, h->end, bytes, handles, n);
    if (got != 0)
        world_trace("passed", conn, got, VIEW_NONE);
    return got < 0 ? world_why(got, "pass") : got;
}
