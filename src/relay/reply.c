/* Questions to the relay; see reply.h. */
#include "relay/reply.h"

#include <string.h>

#include "base/err.h"
#include "relay/ask.h"
#include "relay/conn.h"
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

rpc_ref reply_later(struct conn *c, const msg_open *open)
{
    rpc_ref ref = rpc_begin(reply_rpcs(c), &c->peer.link.mux, open);
    if (ref != 0)
        conn_asked(c);
    return ref;
}

void reply_ask(struct conn *c, rpc_ref ref, struct store_ask *q)
{
    q->ctx = reply_rpcs(c);
    q->tag = ref;
    int err = ask(c->relay, q);
    if (err != OK)
        reply_fault(reply_rpcs(c), ref, err);
}

void reply_fault(struct rpcs *r, rpc_ref ref, int err)
{
    if (err == ERR_FULL)
        rpc_fail(r, ref, cmdop_agent_v1_Code_CODE_LIMIT, "the relay is busy",
                 "try again in a moment");
    else if (err == ERR_RANGE)
        rpc_fail(r, ref, cmdop_agent_v1_Code_CODE_PROTOCOL,
                 "a name or an id cannot be what it is",
                 "a name has 1 to 63 printable bytes, not all of them blanks, "
                 "the beginning of an id four characters or more");
    else
        rpc_fail(r, ref, cmdop_agent_v1_Code_CODE_INTERNAL,
                 err == ERR_NO_SPACE ? "the relay's disk is full"
                                     : "the relay's store has a fault",
                 "its owner finds the reason in the relay's log");
}

void reply_outcome(struct rpcs *r, rpc_ref ref, const struct store_answer *a,
                   const char *unknown)
{
    char message[160];
    struct text t;
    if (a->err != OK) {
        reply_fault(r, ref, a->err);
        return;
    }
    if (a->outcome == STORE_DONE) {
        rpc_end(r, ref);
        return;
    }
    TEXT_OF(&t, message);
    text_join(&t, "it was not done: ", store_outcome_str(a->outcome), NULL);
    if (a->outcome == STORE_UNKNOWN)
        rpc_fail(r, ref, cmdop_agent_v1_Code_CODE_NOT_FOUND, unknown, "");
    else if (a->outcome == STORE_AMBIGUOUS)
        rpc_fail(r, ref, cmdop_agent_v1_Code_CODE_AMBIGUOUS,
                 "several begin like this", "type more of the id");
    else if (a->outcome == STORE_NOT_HOME)
        rpc_fail(r, ref, cmdop_agent_v1_Code_CODE_DENIED,
                 "the machine's home is another fleet, which decides this",
                 "ask an admin of that fleet");
    else if (a->outcome == STORE_REVOKED)
        rpc_fail(r, ref, cmdop_agent_v1_Code_CODE_CONFLICT,
                 "it was revoked before", "");
    else
        rpc_fail(r, ref, cmdop_agent_v1_Code_CODE_CONFLICT, message, "");
}

void reply_done(void *ctx, uint32_t tag, const struct store_answer *a)
{
    reply_outcome(ctx, tag, a, "there is no such thing in the fleet");
}

struct store_actor reply_actor(const struct conn *c)
{
    struct store_actor a = {.kind = "user"};
    STR_COPY(a.kind, c->kind == MAY_APIKEY ? "apikey" : "user");
    STR_COPY(a.name, c->person_id);
    return a;
}

int reply_call(struct conn *c, const msg_open *open, const msg_rpc_open *p,
               msg_call *out)
{
    *out = (msg_call)cmdop_agent_v1_Call_init_zero;
    int err = msg_decode(view_of(p->request.bytes, p->request.size),
                         cmdop_agent_v1_Call_fields, out);
    if (err != OK)
        (void)mux_reject(&c->peer.link.mux, open->channel,
                         cmdop_agent_v1_Code_CODE_PROTOCOL,
                         "the question does not parse", "");
    return err;
}

/* ---- the table -------------------------------------------------------------- */

/*
 * What the question is about is the caller's own, or the fleet he is in;
 * whoever means one thing of it asks may() once more with that thing.
 */
static const struct method {
    const char *name;
    reply_fn *answer;
} methods[] = {
    {"auth.device", reply_auth_device},
    {"auth.token", reply_auth_token},
    {"auth.revoke", reply_auth_revoke},
    {"auth.whoami", reply_auth_whoami},
    {"tokens.list", reply_tokens_list},
    {"tokens.revoke", reply_tokens_revoke},
    {"fleets.list", reply_fleets_list},
    {"fleets.use", reply_fleets_use},
    {"machines.list", reply_machines_list},
    {"machines.rename", reply_machines_rename},
    {"machines.disable", reply_machines_disable},
    {"machines.enable", reply_machines_enable},
    {"machines.approve", reply_machines_approve},
    {"machines.reset", reply_machines_reset},
    {"joinkeys.make", reply_joinkeys_make},
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
