/*
 * The network: connections with delay, refusal, silence and resets, as TCP
 * shows them to a program. A peer that closed tells so behind its bytes; one
 * that closed with bytes unread, or was written to afterwards, resets.
 */
#include "port/sim/world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"

/* ---- hosts ------------------------------------------------------------------ */

static const uint8_t PREFIX_4[12] = {[10] = 0xff, [11] = 0xff};

static struct port_addr addr_of(int host, uint16_t port)
{
    struct port_addr a = {.port = port};
    memcpy(a.ip, PREFIX_4, sizeof(PREFIX_4));
    a.ip[12] = 10;
    a.ip[15] = (uint8_t)(host + 1);
    return a;
}

static bool is_loopback(const uint8_t ip[16])
{
    static const uint8_t one[16] = {[15] = 1};
    return memcmp(ip, one, 16) == 0 ||
           (memcmp(ip, PREFIX_4, 12) == 0 && ip[12] == 127);
}

static bool is_any(const uint8_t ip[16])
{
    static const uint8_t none[16];
    return memcmp(ip, none, 16) == 0 ||
           (memcmp(ip, PREFIX_4, 12) == 0 && memcmp(ip + 12, none, 4) == 0);
}

/* The host with that address, -1: none. */
static int host_of(const struct port_addr *a)
{
    if (is_loopback(a->ip))
        return me->host;
    if (memcmp(a->ip, PREFIX_4, 12) != 0 || a->ip[12] != 10 || a->ip[15] == 0 ||
        a->ip[15] > world->hosts)
        return -1;
    return a->ip[15] - 1;
}

int sim_host(const char *name)
{
    assert(world->hosts < HOSTS_MAX);
    snprintf(world->host_name[world->hosts], 32, "%s", name);
    return world->hosts++;
}

void sim_network(uint32_t latency_us, uint32_t bytes_per_s)
{
    world->latency_us = latency_us;
    world->bytes_per_s = bytes_per_s;
}

void sim_tcp_dead(uint64_t ms)
{
    world->tcp_dead_ms = ms;
}

static bool is_cut_off(const struct conn *c)
{
    return !c->local && world->cut_off[c->host[0]][c->host[1]];
}

static uint32_t latency(const struct conn *c)
{
    return c->local || c->host[0] == c->host[1] ? 20 : world->latency_us;
}

static uint32_t rate(const struct conn *c)
{
    return c->local || c->host[0] == c->host[1] ? 0 : world->bytes_per_s;
}

/* ---- the life of a connection ----------------------------------------------------- */

static struct conn *conn_new(void)
{
    for (int i = 0; i < CONNS_MAX; i++) {
        struct conn *c = &world->conn[i];
        if (c->state != CONN_FREE)
            continue;
        memset(c, 0, sizeof(*c));
        if (i >= world->conns)
            world->conns = i + 1;
        c->flow[0] = flow_new(FLOW_CAP);
        c->flow[1] = flow_new(FLOW_CAP);
        c->heard_us = world->now_us;
        return c;
    }
    assert(!"the world has too few connections");
    return NULL;
}

static struct flow *towards(const struct conn *c, int end)
{
    return &world->flow[c->flow[end]];
}

static void release(struct conn *c)
{
    if (c->held[0] > 0 || c->held[1] > 0)
        return;
    flow_free(c->flow[0]);
    flow_free(c->flow[1]);
    c->state = CONN_FREE;
}

/* End `end` is told that it is over, as soon as it has read what came. */
static void die(struct conn *c, int end, int err)
{
    if (c->dead[end])
        return;
    c->dead[end] = true;
    c->err[end] = err;
    towards(c, 1 - end)->segs = 0; /* what it sent and was not there yet */
}

static void send_reset(struct conn *c, int to)
{
    struct flow *f = towards(c, to);
    uint64_t at = world->now_us + latency(c);
    if (f->segs > 0 && f->seg[f->segs - 1].at_us > at)
        at = f->seg[f->segs - 1].at_us;
    if (c->reset_us[to] == 0)
        c->reset_us[to] = at;
}

void net_close(struct conn *c, int end)
{
    struct flow *in = towards(c, end), *out = towards(c, 1 - end);
    if (--c->held[end] > 0)
        return; /* another role has it as well */
    pass_drop_all((int)(c - world->conn), end);
    if (c->state == CONN_OPEN && !c->dead[end]) {
        /* What was not read is an insult, between hosts: what we said before
         * is lost with it. */
        if (in->arrived > in->head && !c->local) {
            out->segs = 0;
            send_reset(c, 1 - end);
        } else {
            flow_end(out, latency(c));
        }
    }
    release(c);
}

/* What came to an end that nobody holds is answered with a reset. */
static void answer_the_void(struct conn *c, int end)
{
    struct flow *in = towards(c, end);
    if (c->state != CONN_OPEN || c->held[end] > 0 || in->arrived == in->head)
        return;
    in->head = in->arrived;
    if (c->held[1 - end] > 0)
        send_reset(c, 1 - end);
}

int net_conn_over(const struct conn *c, int end)
{
    return c->dead[end] ? c->err[end] : OK;
}

/* ---- listeners --------------------------------------------------------------------- */

static struct listener *find_listener(const struct conn *c)
{
    for (int i = 0; i < LISTENERS_MAX; i++) {
        struct listener *l = &world->listener[i];
        if (!l->used || l->host != c->host[1] || l->port != c->port)
            continue;
        if (c->port != 0 || strcmp(l->path, c->path) == 0)
            return l;
    }
    return NULL;
}

static struct listener *new_listener(void)
{
    for (int i = 0; i < LISTENERS_MAX; i++)
        if (!world->listener[i].used) {
            memset(&world->listener[i], 0, sizeof(world->listener[i]));
            world->listener[i].used = true;
            world->listener[i].host = me->host;
            return &world->listener[i];
        }
    return NULL;
}

void net_listener_close(struct listener *l)
{
    if (--l->held > 0)
        return;
    l->used = false;
    for (int i = 0; i < l->queued; i++) {
        send_reset(&world->conn[l->queue[i]], 0);
        net_close(&world->conn[l->queue[i]], 1);
    }
}

/* The call arrived: queue it, or say no. */
static void knock(struct conn *c)
{
    struct listener *l = find_listener(c);
    c->answer_us = world->now_us + latency(c);
    c->syn_us = NEVER;
    if (l == NULL) {
        c->state = CONN_REFUSED;
    } else if (l->queued == BACKLOG_MAX) {
        c->syn_us = world->now_us + SYN_AGAIN_US;
    } else {
        c->state = CONN_OPEN;
        c->held[1] = 1;
        l->queue[l->queued++] = (int)(c - world->conn);
    }
}

/* ---- time ---------------------------------------------------------------------------- */

static void settle_open(struct conn *c)
{
    for (int end = 0; end < 2; end++) {
        uint64_t before = towards(c, end)->arrived;
        flow_settle(towards(c, end));
        if (towards(c, end)->arrived > before)
            c->heard_us = world->now_us;
        answer_the_void(c, end);
        if (c->reset_us[end] != 0 && c->reset_us[end] <= world->now_us)
            die(c, end, ERR_CLOSED);
    }
}

/* Nothing passes. An end gives up when it waits for an answer for too long;
 * keep-alives see to it that it always does. */
static void settle_cut_off(struct conn *c)
{
    if (world->tcp_dead_ms == 0 ||
        world->now_us < c->heard_us + world->tcp_dead_ms * 1000)
        return;
    die(c, 0, ERR_TIMEOUT);
    die(c, 1, ERR_TIMEOUT);
}

static void settle(struct conn *c)
{
    if (is_cut_off(c)) {
        if (c->state == CONN_OPEN)
            settle_cut_off(c);
        return;
    }
    if (c->state == CONN_SYN && c->syn_us <= world->now_us)
        knock(c);
    if (c->state == CONN_OPEN)
        settle_open(c);
}

void net_settle(void)
{
    for (int i = 0; i < world->conns; i++)
        if (world->conn[i].state != CONN_FREE)
            settle(&world->conn[i]);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return b > world->now_us && b < a ? b : a;
}

static uint64_t next_of(const struct conn *c)
{
    uint64_t at = NEVER;
    if (is_cut_off(c)) {
        if (c->state == CONN_OPEN && world->tcp_dead_ms > 0 &&
            !(c->dead[0] && c->dead[1]))
            at = sooner(at, c->heard_us + world->tcp_dead_ms * 1000);
        return at;
    }
    if (c->state == CONN_SYN)
        at = sooner(at, c->syn_us);
    at = sooner(at, c->answer_us);
    for (int end = 0; end < 2 && c->state == CONN_OPEN; end++) {
        at = sooner(at, flow_next(towards(c, end)));
        if (!c->dead[end] && c->reset_us[end] != 0)
            at = sooner(at, c->reset_us[end]);
    }
    return at;
}

static uint64_t next_resolved(void)
{
    uint64_t at = NEVER;
    for (int r = 0; r < world->roles; r++)
        for (int i = 0; i < world->role[r].handles; i++)
            if (world->role[r].handle[i].kind == KIND_RESOLVE ||
                world->role[r].handle[i].kind == KIND_TASK)
                at = sooner(at, world->role[r].handle[i].at_us);
    return at;
}

uint64_t net_next(void)
{
    uint64_t at = next_resolved();
    for (int i = 0; i < world->conns; i++)
        if (world->conn[i].state != CONN_FREE)
            at = sooner(at, next_of(&world->conn[i]));
    return at;
}

static bool is_between(const struct conn *c, int a, int b)
{
    return c->state != CONN_FREE && !c->local &&
           ((c->host[0] == a && c->host[1] == b) ||
            (c->host[0] == b && c->host[1] == a));
}

/* What is on a line that is only slow arrives, and is confirmed, bit by bit. */
static bool trickles(const struct conn *c, const struct flow *f)
{
    return f->segs > 0 && !is_cut_off(c) && world->now_us >= f->stuck_us;
}

/* How long nothing passed, where keep-alives pass as well. */
static uint64_t silence_us(const struct conn *c)
{
    const struct flow *f = towards(c, 0), *g = towards(c, 1);
    uint64_t us = world->now_us - c->heard_us;
    if (trickles(c, f) || trickles(c, g))
        return 0;
    if (!is_cut_off(c) && f->segs == 0 && g->segs == 0)
        us %= KEEP_ALIVE_US;
    return us;
}

void sim_partition(int a, int b, bool cut)
{
    bool was = world->cut_off[a][b];
    for (int i = 0; i < world->conns && cut && !was; i++)
        if (is_between(&world->conn[i], a, b))
            world->conn[i].heard_us =
                world->now_us - silence_us(&world->conn[i]);
    world->cut_off[a][b] = world->cut_off[b][a] = cut;
    world_trace("partition", a * HOSTS_MAX + b, cut, VIEW_NONE);
    for (int i = 0; i < world->conns; i++) {
        struct conn *c = &world->conn[i];
        if (!is_between(c, a, b))
            continue;
        if (!cut && was) { /* what was lost is sent again */
            flow_retransmit(towards(c, 0));
            flow_retransmit(towards(c, 1));
            if (c->state == CONN_SYN)
                c->syn_us = flow_next_try(c->syn_us, SYN_AGAIN_US);
            for (int end = 0; end < 2; end++)
                if (c->dead[end]) /* it no longer knows the connection */
                    send_reset(c, 1 - end);
        }
    }
}

void sim_reset(int a, int b)
{
    world_trace("reset", a, b, VIEW_NONE);
    for (int i = 0; i < world->conns; i++) {
        struct conn *c = &world->conn[i];
        if (!is_between(c, a, b) || c->state != CONN_OPEN)
            continue;
        die(c, 0, ERR_CLOSED);
        die(c, 1, ERR_CLOSED);
    }
}

/* ---- a program's view ------------------------------------------------------------------- */

int net_recv(struct conn *c, int end, struct span buf)
{
    struct flow *in = towards(c, end);
    size_t n = flow_read(in, buf);
    pass_drop_read((int)(c - world->conn), end);
    if (n > 0)
        return (int)n;
    if (c->dead[end])
        return c->err[end];
    return flow_is_over(in) && !is_cut_off(c) ? ERR_CLOSED : 0;
}

size_t net_waiting(const struct conn *c, int end)
{
    const struct flow *in = towards(c, end);
    return (size_t)(in->arrived - in->head);
}

int net_send(struct conn *c, int end, struct view buf)
{
    if (c->dead[end])
        return c->err[end];
    if (c->state != CONN_OPEN || c->answer_us > world->now_us)
        return c->state == CONN_REFUSED ? ERR_REFUSED : 0;
    struct flow *out = towards(c, 1 - end);
    return (int)flow_write(out, buf, latency(c), rate(c));
}

uint8_t net_ready(const struct conn *c, int end)
{
    const struct flow *in = towards(c, end), *out = towards(c, 1 - end);
    uint8_t ready = 0;
    if (end == 0 && (c->state == CONN_SYN || c->answer_us > world->now_us))
        return 0;
    if (c->state == CONN_REFUSED || c->dead[end])
        return PORT_READ | PORT_WRITE | PORT_HANGUP;
    if (in->arrived > in->head || (flow_is_over(in) && !is_cut_off(c)))
        ready |= PORT_READ;
    if (flow_room(out) >= out->cap / 4)
        ready |= PORT_WRITE;
    return ready;
}

static int call(int host, const struct port_addr *to, const char *path)
{
    struct conn *c = conn_new();
    int handle = handle_new(KIND_CONN, (int)(c - world->conn), 0);
    if (handle < 0) {
        release(c);
        return handle;
    }
    c->state = CONN_SYN;
    c->held[0] = 1;
    c->local = path != NULL;
    c->host[0] = me->host;
    c->host[1] = host;
    c->port = to != NULL ? to->port : 0;
    snprintf(c->path, sizeof(c->path), "%s", path != NULL ? path : "");
    if (!c->local)
        c->from = addr_of(me->host, world->next_port++);
    c->syn_us = world->now_us + latency(c);
    return handle;
}

int net_pair(int ends[2])
{
    struct conn *c = conn_new();
    int idx = (int)(c - world->conn);
    c->local = true;
    c->host[0] = c->host[1] = me->host;
    for (int end = 0; end < 2; end++) {
        ends[end] = handle_new(KIND_CONN, idx, end);
        if (ends[end] >= 0)
            c->held[end] = 1;
    }
    if (ends[0] >= 0 && ends[1] >= 0) {
        c->state = CONN_OPEN;
        return OK;
    }
    port_close(ends[0]);
    release(c);
    return ERR_LIMIT;
}

int port_dial(const struct port_addr *to)
{
    PORT_CALL();
    int host = host_of(to);
    int err = world_fault(SIM_DIAL);
    world_trace("dial", host, to->port, VIEW_NONE);
    if (err != OK)
        return err;
    return host < 0 ? world_why(ERR_UNREACHABLE, "connect")
                    : call(host, to, NULL);
}

int port_silent_ms(int handle)
{
    struct handle *h = handle_of(handle);
    if (h == NULL || h->kind != KIND_CONN)
        return ERR_UNSUPPORTED;
    return (int)(silence_us(&world->conn[h->idx]) / 1000);
}

/* What the path takes within a moment, and what is under way on it. */
int port_send_room(int handle)
{
    const struct handle *h = handle_of(handle);
    if (h == NULL || h->kind != KIND_CONN)
        return FLOW_CAP;
    const struct conn *c = &world->conn[h->idx];
    struct flow *out = towards(c, 1 - h->end);
    uint64_t most = (uint64_t)rate(c) * (100000 + latency(c)) / 1000000;
    uint64_t held = out->sent - out->head;
    if (rate(c) == 0 || most > FLOW_CAP)
        most = FLOW_CAP;
    if (most < 16384)
        most = 16384;
    out->cap = (uint32_t)(most > held ? most : held);
    return flow_room(out) >= out->cap / 4 ? (int)flow_room(out) : 0;
}

int port_dial_done(int handle)
{
    struct handle *h = handle_of(handle);
    if (h == NULL || h->kind != KIND_CONN)
        return ERR_RANGE;
    struct conn *c = &world->conn[h->idx];
    if (c->state == CONN_SYN || c->answer_us > world->now_us)
        return ERR_MORE;
    if (c->state == CONN_REFUSED)
        return world_why(ERR_REFUSED, "connect");
    return c->dead[0] ? world_why(c->err[0], "connect") : OK;
}

static int listen_on(struct listener *l)
{
    if (l == NULL)
        return world_why(ERR_LIMIT, "listen");
    int handle = handle_new(KIND_LISTENER, (int)(l - world->listener), 0);
    if (handle < 0)
        l->used = false;
    l->held = 1;
    return handle;
}

int port_listen(const struct port_addr *at, uint16_t *port)
{
    PORT_CALL();
    struct conn probe = {.host = {me->host, me->host}, .port = at->port};
    int err = world_fault(SIM_LISTEN);
    if (err != OK)
        return err;
    if (!is_any(at->ip) && host_of(at) != me->host)
        return world_why(ERR_UNREACHABLE, "listen");
    if (probe.port == 0)
        probe.port = world->next_port++;
    else if (find_listener(&probe) != NULL)
        return world_why(ERR_EXISTS, "listen");
    struct listener *l = new_listener();
    int handle = listen_on(l);
    if (handle < 0)
        return handle;
    l->port = probe.port;
    memcpy(l->ip, at->ip, sizeof(l->ip));
    if (port != NULL)
        *port = l->port;
    world_trace("listen", handle, l->port, VIEW_NONE);
    return handle;
}

int port_accept(int listener, struct port_addr *from)
{
    PORT_CALL();
    struct handle *h = handle_of(listener);
    if (h == NULL || h->kind != KIND_LISTENER)
        return ERR_RANGE;
    struct listener *l = &world->listener[h->idx];
    int err = world_fault(SIM_ACCEPT);
    if (err != OK)
        return err;
    if (l->queued == 0)
        return ERR_MORE;
    int idx = l->queue[0];
    struct conn *c = &world->conn[idx];
    int handle = handle_new(KIND_CONN, idx, 1);
    if (handle < 0)
        return handle;
    memmove(l->queue, l->queue + 1, (size_t)--l->queued * sizeof(l->queue[0]));
    if (from != NULL)
        *from = c->from; /* nothing when it is local */
    world_trace("accept", handle, idx, VIEW_NONE);
    return handle;
}

/* ---- by path -------------------------------------------------------------------------------- */

/* Who is called by a path: its entry in the folder and a listener. */
static struct listener *find_local(const char *path)
{
    struct conn probe = {.host = {me->host, me->host}};
    snprintf(probe.path, sizeof(probe.path), "%s", path);
    return find_listener(&probe);
}

int port_local_listen(const char *path)
{
    PORT_CALL();
    const struct file *f = keep_find(path);
    int err = world_fault(SIM_LISTEN);
    if (err != OK)
        return err;
    if (f != NULL && (f->kind != FILE_SOCKET || find_local(path) != NULL))
        return world_why(ERR_EXISTS, path);
    err = f == NULL ? keep_room() : OK;
    if (err == OK)
        err = keep_put(path, FILE_SOCKET, VIEW_NONE);
    if (err != OK)
        return world_why(err, path);
    struct listener *l = new_listener();
    int handle = listen_on(l);
    if (handle >= 0)
        snprintf(l->path, sizeof(l->path), "%s", path);
    world_trace("listen", handle, 0, VIEW_NONE);
    return handle;
}

/* Its entry is gone: nobody finds it any more. */
void net_forget_path(const char *path)
{
    for (int i = 0; i < LISTENERS_MAX; i++)
        if (world->listener[i].used &&
            strcmp(world->listener[i].path, path) == 0)
            world->listener[i].path[0] = '\0';
}

int port_local_dial(const char *path)
{
    PORT_CALL();
    const struct file *f = keep_find(path);
    int err = world_fault(SIM_DIAL);
    if (err != OK)
        return err;
    if (f == NULL || f->kind != FILE_SOCKET)
        return world_why(ERR_NOT_FOUND, path);
    if (find_local(path) == NULL)
        return world_why(ERR_REFUSED, path);
    if (find_local(path)->queued == BACKLOG_MAX)
        return world_why(ERR_BUSY, path);
    int handle = call(me->host, NULL, path);
    if (handle < 0)
        return handle;
    knock(&world->conn[handle_of(handle)->idx]); /* connected at once */
    world->conn[handle_of(handle)->idx].answer_us = 0;
    return handle;
}

bool port_local_same_user(int handle)
{
    return handle_of(handle) != NULL;
}

/* ---- names ------------------------------------------------------------------------------------ */

int port_addr_parse(const char *host, uint16_t port, struct port_addr *out)
{
    unsigned a, b, c, d;
    char rest;
    *out = (struct port_addr){.port = port};
    if (strcmp(host, "::1") == 0) {
        out->ip[15] = 1;
        return OK;
    }
    if (strcmp(host, "::") == 0)
        return OK;
    if (sscanf(host, "%u.%u.%u.%u%c", &a, &b, &c, &d, &rest) != 4 || a > 255 ||
        b > 255 || c > 255 || d > 255)
        return ERR_RANGE;
    memcpy(out->ip, PREFIX_4, sizeof(PREFIX_4));
    out->ip[12] = (uint8_t)a;
    out->ip[13] = (uint8_t)b;
    out->ip[14] = (uint8_t)c;
    out->ip[15] = (uint8_t)d;
    return OK;
}

void port_addr_print(const struct port_addr *a, char *out, size_t cap)
{
    if (memcmp(a->ip, PREFIX_4, sizeof(PREFIX_4)) == 0)
        snprintf(out, cap, "%u.%u.%u.%u:%u", a->ip[12], a->ip[13], a->ip[14],
                 a->ip[15], a->port);
    else
        snprintf(out, cap, "[%s]:%u", is_any(a->ip) ? "::" : "::1", a->port);
}

int port_resolve(const char *host, uint16_t port)
{
    PORT_CALL();
    int err = world_fault(SIM_RESOLVE);
    if (err != OK)
        return err;
    int handle = handle_new(KIND_RESOLVE, 0, 0);
    if (handle < 0)
        return handle;
    struct handle *h = handle_of(handle);
    h->port = port;
    h->at_us = world->now_us + 2 * world->latency_us + 1000;
    snprintf(h->host, sizeof(h->host), "%s", host);
    world_trace("resolve", handle, port, view_str(host));
    return handle;
}

int port_resolve_take(int handle, struct port_addr *out, int max)
{
    PORT_CALL();
    struct handle *h = handle_of(handle);
    int found = -1;
    if (h == NULL || h->kind != KIND_RESOLVE || max < 1)
        return ERR_RANGE;
    if (h->at_us > world->now_us)
        return 0;
    for (int i = 0; i < world->hosts; i++)
        if (strcmp(world->host_name[i], h->host) == 0)
            found = i;
    if (strcmp(h->host, "localhost") == 0)
        found = me->host;
    uint16_t port = h->port;
    port_close(handle);
    if (found < 0)
        return world_why(ERR_NAME, "look-up");
    out[0] = addr_of(found, port);
    return 1;
}
