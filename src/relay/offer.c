/* What a connection may open; see offer.h. */
#include "relay/offer.h"

#include <string.h>

#include "base/err.h"

#define ROUTES_PER_CONN 128 /* an eighth of what the relay has */

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
    STR_COPY(info.id, m->id);
    STR_COPY(info.name, m->name);
    STR_COPY(info.hostname, m->hostname);
    STR_COPY(info.os, m->os);
    STR_COPY(info.os_version, m->os_version);
    STR_COPY(info.architecture, m->architecture);
    STR_COPY(info.agent_version, m->agent_version);
    STR_COPY(info.fleet_id, m->fleet_id);
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
    struct rpc_request ask;
    if (rpc_read(params, &ask) != OK)
        reject(c, open, cmdop_agent_v1_Code_CODE_PROTOCOL,
               "the question does not parse", "");
    else if (view_is(view_str(ask.method), "machines.list"))
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
    STR_COPY(o->user, c->user);
    STR_COPY(o->role, store_role_str(c->role));
    STR_COPY(o->fleet_id, c->fleet_id);
    STR_COPY(o->operator_kind, "person");
}

static void open_machine(struct conn *c, const msg_open *open,
                         struct view params)
{
    char names[400];
    struct text candidates;
    struct machine *m;
    TEXT_OF(&candidates, names);
    int err = registry_resolve(&c->relay->registry, c->fleet_id, open->target, NULL, NULL,
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
    bool online = m->conn != NULL && m->conn->peer.link.state == LINK_OPEN;
    if (!online && open->wait_ms == 0) {
        reject(c, open, cmdop_agent_v1_Code_CODE_OFFLINE, OFFLINE_WORDS);
        return;
    }
    msg_open onward = *open;
    stamp(c, &onward);
    STR_COPY(onward.target, m->id);
    if (c->routes >= ROUTES_PER_CONN) {
        reject(c, open, cmdop_agent_v1_Code_CODE_LIMIT,
               "this sign-in has as many channels through the relay as it may",
               "close one of them first");
        return;
    }
    if (online)
        route_open(&c->relay->routes, &c->peer.link.mux,
                   &m->conn->peer.link.mux, &onward, params, &c->routes,
                   loop_now(&c->relay->loop));
    else
        route_wait(&c->relay->routes, &c->peer.link.mux, m, &onward, params,
                   &c->routes, loop_now(&c->relay->loop));
}

/* A question to a machine may change what runs there; which ones do, only the
 * machine knows. */
static bool uses_machine(const msg_open *open)
{
    return open->kind != cmdop_agent_v1_Kind_KIND_RPC ||
           open->target[0] != '\0';
}

/* What holds at the sign-in must still hold at every Open. */
static bool may_open(struct conn *c, const msg_open *open)
{
    if (c->expires_ms != 0 && c->expires_ms <= port_wall_ms()) {
        reject(c, open, cmdop_agent_v1_Code_CODE_AUTH,
               "the sign-in has expired", "sign in again");
        return false;
    }
    if (c->role == STORE_VIEWER && uses_machine(open)) {
        reject(c, open, cmdop_agent_v1_Code_CODE_DENIED,
               "a viewer may list machines, not use them",
               "an owner of the fleet can change the role");
        return false;
    }
    return true;
}

void offer_open(struct conn *c, const msg_open *open, struct view params)
{
    if (c->peer.link.role == cmdop_agent_v1_Role_ROLE_OPERATOR &&
        !may_open(c, open))
        return;
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
