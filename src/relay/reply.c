/* Questions to the relay; see reply.h. */
#include "relay/reply.h"

#include <string.h>

#include "base/err.h"
#include "relay/offer.h"

/* ---- for the methods -------------------------------------------------------- */

struct rpcs *reply_rpcs(struct conn *c)
{
    return c->kind == MAY_GUEST ? &c->relay->guest_rpcs : &c->relay->rpcs;
}

struct may_caller reply_caller(const struct conn *c)
{
    return (struct may_caller){.kind = c->kind,
                               .role = c->role,
                               .scopes = c->scopes,
                               .fleet_id = c->fleet_id,
                               .person_id = c->person_id};
}

void reply_no(struct conn *c, const msg_open *open, int err,
              const struct may_no *no)
{
    (void)mux_reject(&c->peer.link.mux, open->channel, offer_code(err),
                     no->message, no->remedy);
}

/* ---- machines --------------------------------------------------------------- */

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
    return rpc_encode(out, cmdop_agent_v1_MachineInfo_fields, &info);
}

static void machines_list(struct conn *c, const msg_open *open,
                          const msg_rpc_open *p)
{
    (void)p;
    rpc_answer(reply_rpcs(c), &c->peer.link.mux, open, c->fleet_id,
               machine_record, c);
}

/* ---- the table -------------------------------------------------------------- */

/*
 * What the question is about is the caller's own, or the fleet he is in;
 * whoever means one thing of it asks may() once more with that thing.
 */
static const struct method {
    const char *name;
    void (*answer)(struct conn *c, const msg_open *open, const msg_rpc_open *p);
} methods[] = {
    {"machines.list", machines_list},
};

#define METHODS (sizeof(methods) / sizeof(methods[0]))

const char *reply_method(size_t n)
{
    return n < METHODS ? methods[n].name : NULL;
}

int reply_check(const char **name)
{
    for (size_t i = 0; i < METHODS; i++) {
        *name = methods[i].name;
        if (may_find(view_str(methods[i].name)) == MAY_NOTHING)
            return ERR_DAMAGED;
    }
    return OK;
}

static const struct method *find(const char *name)
{
    for (size_t i = 0; i < METHODS; i++)
        if (view_is(view_str(name), methods[i].name))
            return &methods[i];
    return NULL;
}

/* May he ask this at all? What belongs to the caller is enough here. */
static int may_ask(const struct conn *c, enum may_op op, struct may_no *no)
{
    const struct may_caller caller = reply_caller(c);
    const struct may_object own = {.fleet_id = c->fleet_id,
                                   .owner_id = c->person_id,
                                   .access = MAY_ACCESS_FULL};
    int err = offer_signed_in(c, no);
    return err != OK ? err : may(&caller, op, &own, no);
}

void reply(struct conn *c, const msg_open *open, struct view params)
{
    msg_rpc_open p = cmdop_agent_v1_RpcOpen_init_zero;
    struct may_no no;
    bool parses = msg_decode(params, cmdop_agent_v1_RpcOpen_fields, &p) == OK;
    const struct method *m = parses ? find(p.method) : NULL;
    /* Who may ask nothing does not learn what there is to ask. */
    int err = may_ask(
        c, m != NULL ? may_find(view_str(m->name)) : MAY_FLEETS_LIST, &no);
    if (err != OK)
        reply_no(c, open, err, &no);
    else if (m != NULL)
        m->answer(c, open, &p);
    else
        (void)mux_reject(&c->peer.link.mux, open->channel,
                         parses ? cmdop_agent_v1_Code_CODE_NOT_FOUND
                                : cmdop_agent_v1_Code_CODE_PROTOCOL,
                         parses ? "the relay knows no such method"
                                : "the question does not parse",
                         "");
}
