/* Connections at the relay; see conn.h. */
#include "relay/conn.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "relay/ask.h"

#define CHANNELS_MACHINE  256
#define CHANNELS_OPERATOR 64

#define COPY(to, from) bytes_to_str((to), sizeof(to), view_str(from))

/* ---- letting in ------------------------------------------------------------------- */

static void on_hello(void *ctx, const msg_hello *hello)
{
    struct conn *c = ctx;
    const cmdop_agent_v1_Facts *f = &hello->facts;
    if (!hello->has_facts)
        return;
    COPY(c->facts.hostname, f->hostname);
    COPY(c->facts.os, f->os);
    COPY(c->facts.os_version, f->os_version);
    COPY(c->facts.architecture, f->architecture);
    COPY(c->facts.agent_version, f->agent_version);
}

static void refuse_auth(struct conn *c, const char *message,
                        const char *remedy)
{
    link_refuse(&c->peer.link, cmdop_agent_v1_Code_CODE_AUTH, message, remedy,
                0);
}

static void refuse_store(struct conn *c, int err)
{
    log_error("store.failed", store_why(&c->relay->store));
    link_refuse(&c->peer.link, cmdop_agent_v1_Code_CODE_INTERNAL,
                err == ERR_NO_SPACE ? "the relay's disk is full" :
                                      "the relay's store has a fault",
                "its owner finds the reason in the relay's log", 5000);
}

/* A key that connects a second time: two holders, or one that lost its
 * link without our noticing. The newer is taken: it proved itself now. */
static void displace(struct machine *m, struct conn *by)
{
    struct conn *old = m->conn;
    if (old == NULL || old == by)
        return;
    log_warn("machine.twice", m->name);
    old->machine = NULL;
    link_refuse(&old->peer.link, cmdop_agent_v1_Code_CODE_CONFLICT,
                "this identity connected again from elsewhere",
                "if the state folder was copied to another machine, remove "
                "it there and join with a new join string",
                BACKOFF_MAX_MS);
    peer_wake(&old->peer);
}

static void update_row(struct machine *m, const struct conn *c,
                       const struct store_machine *s)
{
    COPY(m->fleet_id, s->fleet_id);
    COPY(m->name, s->name);
    COPY(m->hostname, c->facts.hostname);
    COPY(m->os, c->facts.os);
    COPY(m->os_version, c->facts.os_version);
    COPY(m->architecture, c->facts.architecture);
    COPY(m->agent_version, c->facts.agent_version);
    memcpy(m->public_key, c->key, sizeof(m->public_key));
    if (m->created_ms == 0)
        m->created_ms = s->created_ms;
    m->seen_ms = port_wall_ms();
}

static void let_machine_in(struct conn *c, const struct store_machine *s)
{
    msg_welcome w = cmdop_agent_v1_Welcome_init_zero;
    struct machine *m = registry_put(&c->relay->registry, s->id);
    if (m == NULL) {
        link_refuse(&c->peer.link, cmdop_agent_v1_Code_CODE_LIMIT,
                    "the relay knows as many machines as it can", "",
                    BACKOFF_MAX_MS);
        return;
    }
    displace(m, c);
    update_row(m, c, s);
    m->conn = c;
    c->machine = m;
    COPY(c->fleet_id, m->fleet_id);
    COPY(w.machine_id, m->id);
    COPY(w.fleet_id, m->fleet_id);
    COPY(w.name, m->name);
    link_welcome(&c->peer.link, &w);
    ask_seen(c->relay, m);
    log_info("machine.online", m->name);
}

static void machine_answer(void *ctx, uint32_t tag,
                           const struct store_answer *a)
{
    struct conn *c = ctx;
    if (c->serial != tag || c->peer.link.state != LINK_JUDGE)
        return;
    if (a->err != OK) {
        refuse_store(c, a->err);
        return;
    }
    switch (a->outcome) {
    case STORE_DONE:
        let_machine_in(c, &a->u.machine);
        break;
    case STORE_UNKNOWN:
        refuse_auth(c,
                    a->op == STORE_ENROL ? "the join key is unknown" :
                                           "this relay does not know the "
                                           "machine",
                    "ask the relay's owner for a join string (`cmdop server "
                    "join-key`) and run `cmdop join`");
        break;
    case STORE_REVOKED:
        refuse_auth(c, "the join key was revoked",
                    "ask the relay's owner for a new join string");
        break;
    case STORE_EXPIRED:
        refuse_auth(c, "the join key has expired",
                    "ask the relay's owner for a new join string");
        break;
    case STORE_USED_UP:
        refuse_auth(c, "the join key was used before and is spent",
                    "ask the relay's owner for a new join string");
        break;
    case STORE_CONFLICT:
        refuse_auth(c, "the machine's identity belongs to another fleet",
                    "remove its identity file to join as a new machine");
        break;
    case STORE_DISABLED:
        refuse_auth(c, "the machine was shut out",
                    "an owner of the fleet can let it in again");
        break;
    case STORE_LIMIT:
        refuse_auth(c, "the fleet has as many machines as it may", "");
        break;
    case STORE_AMBIGUOUS:
        break;
    }
    peer_wake(&c->peer);
}

static void judge_machine(struct conn *c, const msg_proof *proof)
{
    struct store_ask q = { .tag = c->serial,
                           .ctx = c,
                           .answer = machine_answer };
    memcpy(c->key, proof->machine_key.bytes, sizeof(c->key));
    if (proof->join_key[0] == '\0') {
        q.op = STORE_MACHINE_LOGIN;
        memcpy(q.u.machine_login.public_key, c->key, sizeof(c->key));
    } else {
        q.op = STORE_ENROL;
        hash_once(view_str(proof->join_key), q.u.enrol.join_hash);
        memcpy(q.u.enrol.public_key, c->key, sizeof(c->key));
        COPY(q.u.enrol.name,
             proof->name[0] != '\0' ? proof->name : c->facts.hostname);
        q.u.enrol.facts = c->facts;
        port_entropy(SPAN_ARRAY(q.u.enrol.random));
    }
    int err = ask(c->relay, &q);
    if (err != OK)
        refuse_store(c, err);
}

static void operator_answer(void *ctx, uint32_t tag,
                            const struct store_answer *a)
{
    struct conn *c = ctx;
    msg_welcome w = cmdop_agent_v1_Welcome_init_zero;
    if (c->serial != tag || c->peer.link.state != LINK_JUDGE)
        return;
    if (a->err != OK) {
        refuse_store(c, a->err);
    } else if (a->outcome != STORE_DONE) {
        refuse_auth(c,
                    a->outcome == STORE_EXPIRED ? "the sign-in has expired" :
                    a->outcome == STORE_REVOKED ? "the sign-in was revoked" :
                                                  "the relay does not know "
                                                  "this sign-in",
                    "sign in again");
    } else {
        COPY(c->user, a->u.who.user_name);
        COPY(c->fleet_id, a->u.who.fleet_id);
        COPY(c->role, store_role_str(a->u.who.role));
        COPY(w.user, c->user);
        COPY(w.fleet_id, c->fleet_id);
        link_welcome(&c->peer.link, &w);
    }
    peer_wake(&c->peer);
}

static void judge_operator(struct conn *c, const msg_proof *proof)
{
    struct store_ask q = { .op = STORE_TOKEN_CHECK,
                           .tag = c->serial,
                           .ctx = c,
                           .answer = operator_answer };
    hash_once(view_str(proof->token), q.u.token_check.hash);
    int err = ask(c->relay, &q);
    if (err != OK)
        refuse_store(c, err);
}

static void on_judge(void *ctx, const msg_proof *proof)
{
    struct conn *c = ctx;
    if (c->peer.link.role == cmdop_agent_v1_Role_ROLE_MACHINE)
        judge_machine(c, proof);
    else
        judge_operator(c, proof);
}

/* ---- what an operator may ask for --------------------------------------------------- */

static int machine_record(void *ctx, const char *of, uint32_t at,
                          struct span out)
{
    struct relay *r = ctx;
    msg_machine_info info = cmdop_agent_v1_MachineInfo_init_zero;
    if (at >= r->registry.count)
        return 0;
    const struct machine *m = &r->registry.machines[at];
    if (strcmp(m->fleet_id, of) != 0)
        return ERR_NOT_FOUND;
    COPY(info.id, m->id);
    COPY(info.name, m->name);
    COPY(info.hostname, m->hostname);
    COPY(info.os, m->os);
    COPY(info.os_version, m->os_version);
    COPY(info.architecture, m->architecture);
    COPY(info.agent_version, m->agent_version);
    COPY(info.fleet_id, m->fleet_id);
    sign_fingerprint(m->public_key, info.fingerprint);
    info.online = m->conn != NULL;
    info.last_seen_ms = m->seen_ms;
    info.created_ms = m->created_ms;
    return rpc_encode(out, cmdop_agent_v1_MachineInfo_fields, &info);
}

static void reject(struct conn *c, const msg_open *open, msg_code code,
                   const char *message, const char *remedy)
{
    (void)mux_reject(&c->peer.link.mux, open->channel, code, message, remedy);
}

static void open_rpc(struct conn *c, const msg_open *open, struct view params)
{
    char method[40];
    rpc_method(params, method, sizeof(method));
    if (view_is(view_str(method), "machines.list"))
        rpc_answer(&c->relay->rpcs, &c->peer.link.mux, open, c->fleet_id,
                   machine_record, c->relay);
    else
        reject(c, open, cmdop_agent_v1_Code_CODE_NOT_FOUND,
               "the relay knows no such method", "");
}

static void stamp(const struct conn *c, msg_open *open)
{
    msg_origin *o = &open->origin;
    open->has_origin = true;
    *o = (msg_origin)cmdop_agent_v1_Origin_init_zero;
    COPY(o->user, c->user);
    COPY(o->role, c->role);
    COPY(o->fleet_id, c->fleet_id);
    COPY(o->operator_kind, "person");
}

static void open_machine(struct conn *c, const msg_open *open,
                         struct view params)
{
    char names[400];
    struct text candidates;
    struct machine *m;
    TEXT_OF(&candidates, names);
    int err = registry_resolve(&c->relay->registry, c->fleet_id, open->target,
                               &m, &candidates);
    if (err == ERR_LIMIT) {
        char message[480];
        struct text t;
        TEXT_OF(&t, message);
        text_join(&t, "several machines match: ", names, NULL);
        reject(c, open, cmdop_agent_v1_Code_CODE_AMBIGUOUS, message,
               "type more of the name, or the UUID");
        return;
    }
    if (err != OK) {
        reject(c, open, cmdop_agent_v1_Code_CODE_NOT_FOUND,
               "no machine of the fleet has that name",
               "`cmdop connect --list` shows the machines; a prefix needs "
               "two characters or more");
        return;
    }
    if (m->conn == NULL || m->conn->peer.link.state != LINK_OPEN) {
        reject(c, open, cmdop_agent_v1_Code_CODE_OFFLINE,
               "the machine is offline",
               "`cmdop connect --list` tells when it was seen last");
        return;
    }
    msg_open onward = *open;
    stamp(c, &onward);
    COPY(onward.target, m->id);
    route_open(&c->relay->routes, &c->peer.link.mux,
               &m->conn->peer.link.mux, &onward, params);
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct conn *c = ctx;
    if (c->peer.link.role != cmdop_agent_v1_Role_ROLE_OPERATOR)
        reject(c, open, cmdop_agent_v1_Code_CODE_DENIED,
               "a machine may not open channels", "");
    else if (open->target[0] != '\0')
        open_machine(c, open, params);
    else if (open->kind == cmdop_agent_v1_Kind_KIND_RPC)
        open_rpc(c, open, params);
    else
        reject(c, open, cmdop_agent_v1_Code_CODE_UNSUPPORTED,
               "the relay itself runs nothing", "name a machine");
}

static void on_heartbeat(void *ctx, const msg_heartbeat *beat)
{
    struct conn *c = ctx;
    (void)beat; /* metrics are shown by a later face */
    if (c->machine == NULL)
        return;
    c->machine->seen_ms = port_wall_ms();
    ask_seen(c->relay, c->machine);
}

static void on_wake(void *ctx)
{
    struct conn *c = ctx;
    peer_wake(&c->peer);
}

static const struct link_ops ops = {
    .hello = on_hello,
    .judge = on_judge,
    .heartbeat = on_heartbeat,
    .open = on_open,
    .wake = on_wake,
};

/* ---- coming and going ------------------------------------------------------------------ */

static void give_back(struct conn *c)
{
    struct relay *r = c->relay;
    c->serial++;
    c->next_free = r->free;
    r->free = c;
}

static void on_over(void *ctx, const char *why)
{
    struct conn *c = ctx;
    struct relay *r = c->relay;
    routes_operator_lost(&r->routes, &c->peer.link.mux);
    if (c->machine != NULL) {
        c->machine->conn = NULL;
        c->machine->seen_ms = port_wall_ms();
        ask_seen(r, c->machine);
        log_info("machine.offline", c->machine->name);
    }
    if (why[0] != '\0')
        log_info("conn.closed", why);
    c->machine = NULL;
    give_back(c);
    r->conns_count--;
    if (!r->leaving)
        loop_want(&r->loop, r->listener_row, PORT_READ);
}

bool conn_room(const struct relay *r)
{
    return r->free != NULL || r->conns_used < r->conns_max;
}

/* A connection that was used before, or the next fresh one: what was never
 * needed is never touched. */
static struct conn *take(struct relay *r)
{
    struct conn *c = r->free;
    if (c != NULL) {
        r->free = c->next_free;
        return c;
    }
    struct arena a;
    c = &r->conns[r->conns_used];
    arena_init(&a, (struct span){ r->conns_mem + (size_t)r->conns_used *
                                                     PEER_CARVE_BYTES,
                                  PEER_CARVE_BYTES });
    r->conns_used++;
    struct link_mem mem = peer_carve(&a, true);
    peer_init(&c->peer, &r->loop, &mem, r->scratch);
    c->relay = r;
    return c;
}

void conn_start(struct relay *r, int handle, const struct port_addr *from)
{
    struct conn *c = take(r);
    uint8_t entropy[32];
    port_entropy(SPAN_ARRAY(entropy));
    struct tls_server_cfg tls = { .cert_der = view_of(r->keys.cert,
                                                      r->keys.cert_len),
                                  .key = &r->tls_key,
                                  .issuer_ec = true,
                                  .cache = &r->tls_cache,
                                  .entropy = VIEW_ARRAY(entropy) };
    if (peer_accepted(&c->peer, handle, &tls, &r->host, CHANNELS_MACHINE,
                      OFFLINE_MS, &ops, on_over, c) != OK) {
        give_back(c);
        return;
    }
    r->conns_count++;
    c->from = *from;
    c->machine = NULL;
    c->user[0] = c->fleet_id[0] = c->role[0] = '\0';
    memset(&c->facts, 0, sizeof(c->facts));
}

void conns_drain(struct relay *r, uint32_t reconnect_ms)
{
    msg_drain d = cmdop_agent_v1_Drain_init_zero;
    COPY(d.reason, "the relay stops");
    for (uint32_t i = 0; i < r->conns_used; i++) {
        struct conn *c = &r->conns[i];
        if (!peer_busy(&c->peer))
            continue;
        uint32_t random;
        port_entropy((struct span){ (uint8_t *)&random, sizeof(random) });
        d.reconnect_after_ms = random % reconnect_ms;
        if (c->peer.link.state == LINK_OPEN)
            (void)link_send(&c->peer.link, MSG_DRAIN,
                            cmdop_agent_v1_Drain_fields, &d);
        peer_end(&c->peer);
    }
}
