/* Questions about machines; see reply.h. */
#include <string.h>

#include "base/err.h"
#include "relay/offer.h"
#include "relay/reply.h"

/* The connection outlives the answer: its channels end with it. */
static int machine_record(void *ctx, const char *of, uint32_t at,
                          struct span out)
{
    struct conn *c = ctx;
    struct registry *all = &c->relay->registry;
    msg_machine_info info = cmdop_agent_v1_MachineInfo_init_zero;
    if (at >= all->count)
        return 0;
    const struct machine *m = &all->machines[at];
    if (!registry_sees(all, of, m) || !offer_shown(c, m))
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
    STR_COPY(info.state, store_state_str(m->state));
    STR_COPY(info.note, m->why);
    STR_COPY(info.labels, m->labels);
    info.key_version = m->key_version;
    return rpc_encode(out, cmdop_agent_v1_MachineInfo_fields, &info);
}

void reply_machines_list(struct conn *c, const msg_open *open,
                         const msg_rpc_open *p)
{
    (void)p;
    rpc_answer(reply_rpcs(c), &c->peer.link.mux, open, c->fleet_id,
               machine_record, c);
}

static void machine_done(void *ctx, uint32_t tag, const struct store_answer *a)
{
    reply_outcome(ctx, tag, a, "no machine of the fleet has that name");
}

/* What is asked about the machine that a Call names, if he may. */
static void order(struct conn *c, const msg_open *open, const msg_call *call,
                  enum may_op op, struct store_ask *q)
{
    struct machine *m = offer_machine(c, open, op, call->id);
    rpc_ref ref = m == NULL ? 0 : reply_later(c, open);
    if (ref == 0)
        return;
    if (q->op == STORE_MACHINE_RENAME)
        STR_COPY(q->u.machine_rename.machine_id, m->id);
    else
        STR_COPY(q->u.machine_state.machine_id, m->id);
    q->answer = machine_done;
    reply_ask(c, ref, q);
}

void reply_machines_rename(struct conn *c, const msg_open *open,
                           const msg_rpc_open *p)
{
    struct store_ask q = {.op = STORE_MACHINE_RENAME};
    msg_call call;
    if (reply_call(c, open, p, &call) != OK)
        return;
    STR_COPY(q.u.machine_rename.fleet_id, c->fleet_id);
    STR_COPY(q.u.machine_rename.name, call.name);
    q.u.machine_rename.actor = reply_actor(c);
    order(c, open, &call, MAY_MACHINES_RENAME, &q);
}

static void set_state(struct conn *c, const msg_open *open,
                      const msg_rpc_open *p, enum may_op op,
                      enum store_state_change change)
{
    struct store_ask q = {.op = STORE_MACHINE_STATE};
    msg_call call;
    if (reply_call(c, open, p, &call) != OK)
        return;
    STR_COPY(q.u.machine_state.fleet_id, c->fleet_id);
    q.u.machine_state.change = change;
    q.u.machine_state.actor = reply_actor(c);
    order(c, open, &call, op, &q);
}

void reply_machines_disable(struct conn *c, const msg_open *open,
                            const msg_rpc_open *p)
{
    set_state(c, open, p, MAY_MACHINES_DISABLE, STORE_DISABLE);
}

void reply_machines_enable(struct conn *c, const msg_open *open,
                           const msg_rpc_open *p)
{
    set_state(c, open, p, MAY_MACHINES_ENABLE, STORE_ENABLE);
}

void reply_machines_approve(struct conn *c, const msg_open *open,
                            const msg_rpc_open *p)
{
    set_state(c, open, p, MAY_MACHINES_APPROVE, STORE_APPROVE);
}

void reply_machines_reset(struct conn *c, const msg_open *open,
                          const msg_rpc_open *p)
{
    set_state(c, open, p, MAY_MACHINES_RESET, STORE_RESET);
}
