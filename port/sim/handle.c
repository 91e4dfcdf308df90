/* Handles: small numbers of one role, reused lowest first; see port.h. */
#include "port/sim/world.h"

#include <string.h>

#include "base/err.h"

struct handle *handle_of(int handle)
{
    if (handle < 0 || handle >= HANDLES_MAX ||
        me->handle[handle].kind == KIND_NONE)
        return NULL;
    return &me->handle[handle];
}

int handle_new(enum kind kind, int idx, int end)
{
    for (int i = PORT_STDERR + 1; i < HANDLES_MAX; i++) {
        struct handle *h = &me->handle[i];
        if (h->kind != KIND_NONE)
            continue;
        *h = (struct handle){.kind = kind, .idx = idx, .end = end};
        if (i >= me->handles)
            me->handles = i + 1;
        return i;
    }
    return world_why(ERR_LIMIT, "too many handles");
}

/* How many handles of the same thing there are; NULL: nobody counts. */
static int *count_of(const struct handle *h)
{
    switch (h->kind) {
    case KIND_CONN: return &world->conn[h->idx].held[h->end];
    case KIND_LISTENER: return &world->listener[h->idx].held;
    case KIND_TTY:
    case KIND_CHILD: return &world->proc[h->idx].open[h->end];
    case KIND_BUFFER: return &world->buffer[h->idx].held[h->end];
    case KIND_SHARED: return &world->shared[h->idx].held;
    case KIND_STDIN:
    case KIND_STDOUT:
    case KIND_STDERR:
    case KIND_RESOLVE:
    case KIND_TASK:
    case KIND_SIGNAL:
    case KIND_FILE:
    case KIND_NONE: break;
    }
    return NULL;
}

struct handle handle_copy(const struct handle *h)
{
    int *count = count_of(h);
    if (count != NULL)
        (*count)++;
    return *h;
}

void handle_drop(struct handle *h)
{
    switch (h->kind) {
    case KIND_CONN: net_close(&world->conn[h->idx], h->end); break;
    case KIND_LISTENER: net_listener_close(&world->listener[h->idx]); break;
    case KIND_TTY:
    case KIND_CHILD: proc_close(&world->proc[h->idx], h->end); break;
    case KIND_BUFFER: buffer_close(&world->buffer[h->idx], h->end); break;
    case KIND_SHARED: shared_drop(&world->shared[h->idx]); break;
    case KIND_TASK: task_drop(h->idx); break;
    case KIND_STDIN:
    case KIND_STDOUT:
    case KIND_STDERR:
    case KIND_RESOLVE:
    case KIND_SIGNAL:
    case KIND_FILE:
    case KIND_NONE: break;
    }
    h->kind = KIND_NONE;
}

void port_close(int handle)
{
    PORT_CALL();
    struct handle *h = handle < 0 ? NULL : handle_of(handle);
    if (h == NULL)
        return;
    world_trace("close", handle, h->kind, VIEW_NONE);
    handle_drop(h);
}

/* ---- standard streams ----------------------------------------------------------- */

static int recv_stdin(struct role *r, struct span buf)
{
    struct flow *f = &world->flow[r->keys];
    size_t n = flow_read(f, buf);
    if (n > 0)
        return (int)n;
    return r->hung_up || flow_is_over(f) ? ERR_CLOSED : 0;
}

/* How many bytes the terminal, or whatever reads, takes now. */
static size_t out_room(const struct role *r, bool is_err)
{
    if (is_err)
        return ERR_CAP - 1 - r->err_len;
    if (r->how.out_rate > 0 && r->out_free_us > world->now_us)
        return 0;
    size_t room = OUT_CAP - 1 - r->out_len;
    return r->how.out_rate > 0 && room > 4096 ? 4096 : room;
}

static int send_out(struct role *r, bool is_err, struct view v)
{
    if (r->hung_up)
        return ERR_CLOSED;
    v = view_first(v, out_room(r, is_err));
    if (v.len == 0)
        return 0;
    memcpy(is_err ? r->err + r->err_len : r->out + r->out_len, v.ptr, v.len);
    if (is_err)
        r->err_len += v.len;
    else
        r->out_len += v.len;
    if (!is_err && r->how.out_rate > 0)
        r->out_free_us = world->now_us + v.len * 1000000 / r->how.out_rate;
    return (int)v.len;
}

/* ---- recv, send -------------------------------------------------------------------- */

static int recv_file(struct handle *h, struct span buf)
{
    const struct file *f = &world->file[h->idx];
    struct view left = view_first(
        view_from(view_of(file_data(f), f->len), (size_t)h->off), buf.len);
    if (left.len == 0)
        return ERR_CLOSED;
    memcpy(buf.ptr, left.ptr, left.len);
    h->off += left.len;
    return (int)left.len;
}

static int recv_child(struct handle *h, struct span buf)
{
    struct flow *f = &world->flow[world->proc[h->idx].flow[h->end]];
    size_t n = flow_read(f, buf);
    if (n > 0)
        return (int)n;
    return flow_is_over(f) ? ERR_CLOSED : 0;
}

static int recv_any(struct handle *h, struct span buf)
{
    switch (h->kind) {
    case KIND_STDIN: return recv_stdin(me, buf);
    case KIND_CONN: return net_recv(&world->conn[h->idx], h->end, buf);
    case KIND_TTY:
    case KIND_CHILD: return recv_child(h, buf);
    case KIND_FILE: return recv_file(h, buf);
    case KIND_BUFFER:
        return h->end == 0 ? buffer_recv(&world->buffer[h->idx], buf)
                           : ERR_RANGE;
    case KIND_STDOUT:
    case KIND_STDERR:
    case KIND_SHARED:
    case KIND_LISTENER:
    case KIND_RESOLVE:
    case KIND_TASK:
    case KIND_SIGNAL:
    case KIND_NONE: break;
    }
    return ERR_RANGE;
}

int port_recv(int handle, struct span buf)
{
    PORT_CALL();
    struct handle *h = handle_of(handle);
    if (buf.len == 0)
        return 0;
    if (h == NULL)
        return world_why(ERR_RANGE, "recv");
    int n = world_fault(SIM_RECV);
    if (n == OK)
        n = recv_any(h, buf);
    if (n != 0)
        world_trace("recv", handle, n, VIEW_NONE);
    return n < 0 ? world_why(n, "recv") : n;
}

static int send_child(struct handle *h, struct view v)
{
    struct proc *p = &world->proc[h->idx];
    if (p->ended)
        return ERR_CLOSED;
    return (int)flow_write(&world->flow[p->flow[0]], v, 0, 0);
}

static int send_any(struct handle *h, struct view v)
{
    switch (h->kind) {
    case KIND_STDOUT: return send_out(me, false, v);
    case KIND_STDERR: return send_out(me, true, v);
    case KIND_CONN: return net_send(&world->conn[h->idx], h->end, v);
    case KIND_TTY:
    case KIND_CHILD: return send_child(h, v);
    case KIND_BUFFER:
        return h->end == 1 ? buffer_send(&world->buffer[h->idx], v) : ERR_RANGE;
    case KIND_STDIN:
    case KIND_SHARED:
    case KIND_LISTENER:
    case KIND_RESOLVE:
    case KIND_TASK:
    case KIND_SIGNAL:
    case KIND_FILE:
    case KIND_NONE: break;
    }
    return ERR_RANGE;
}

int port_send(int handle, struct view buf)
{
    PORT_CALL();
    struct handle *h = handle_of(handle);
    if (buf.len == 0)
        return 0;
    if (h == NULL)
        return world_why(ERR_RANGE, "send");
    int n = world_fault(SIM_SEND);
    if (n == OK)
        n = send_any(h, buf);
    world_trace("send", handle, n, view_first(buf, n > 0 ? (size_t)n : 0));
    return n < 0 ? world_why(n, "send") : n;
}

/* ---- what is ready ------------------------------------------------------------------- */

static uint8_t stdin_ready(const struct role *r)
{
    const struct flow *f = &world->flow[r->keys];
    if (r->hung_up)
        return PORT_READ | PORT_HANGUP;
    return f->arrived > f->head || flow_is_over(f) ? PORT_READ : 0;
}

static uint8_t child_ready(const struct proc *p, int end)
{
    const struct flow *f = &world->flow[p->flow[end]];
    uint8_t ready = 0;
    if (p->is_tty || end > 0) { /* we read from it */
        const struct flow *out = p->is_tty ? &world->flow[p->flow[1]] : f;
        if (out->arrived > out->head || flow_is_over(out))
            ready |= PORT_READ;
    }
    if (p->is_tty || end == 0) { /* we write to it */
        const struct flow *in = &world->flow[p->flow[0]];
        if (p->ended || flow_room(in) > 0)
            ready |= PORT_WRITE;
    }
    return p->ended ? ready | PORT_HANGUP : ready;
}

/* What a handle could do now. */
static uint8_t able(struct role *r, const struct handle *h)
{
    switch (h->kind) {
    case KIND_STDIN: return stdin_ready(r);
    case KIND_STDOUT:
        return out_room(r, false) > 0 || r->hung_up ? PORT_WRITE : 0;
    case KIND_STDERR: return PORT_WRITE;
    case KIND_CONN: return net_ready(&world->conn[h->idx], h->end);
    case KIND_LISTENER:
        return world->listener[h->idx].queued > 0 ? PORT_READ : 0;
    case KIND_RESOLVE:
    case KIND_TASK: return h->at_us <= world->now_us ? PORT_READ : 0;
    case KIND_SIGNAL: return r->signals != 0 ? PORT_READ : 0;
    case KIND_TTY:
    case KIND_CHILD: return child_ready(&world->proc[h->idx], h->end);
    case KIND_FILE: return PORT_READ | PORT_WRITE;
    case KIND_BUFFER: return buffer_ready(&world->buffer[h->idx], h->end);
    case KIND_SHARED:
    case KIND_NONE: break;
    }
    return 0;
}

uint8_t handle_ready(struct role *r, const struct port_want *row)
{
    if (row->handle < 0)
        return 0;
    if (row->handle >= HANDLES_MAX || r->handle[row->handle].kind == KIND_NONE)
        return row->want | PORT_HANGUP; /* bad: the next call tells why */
    uint8_t can = able(r, &r->handle[row->handle]);
    if ((can & PORT_HANGUP) != 0)
        return (uint8_t)(row->want | PORT_HANGUP);
    return can & row->want;
}

bool port_handle_waits(int handle)
{
    struct handle *h = handle_of(handle);
    return h != NULL && h->kind != KIND_FILE;
}

int port_handle_nonblock(int handle)
{
    return handle_of(handle) != NULL ? OK : ERR_RANGE;
}
