/* What a connection may open; see offer.h. */
#include "relay/offer.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "relay/reply.h"

#define ROUTES_PER_CONN 128 /* an eighth of what the relay has */

/* ---- which operation it is -------------------------------------------------- */

static enum may_op question_op(struct view params)
{
    msg_rpc_open p = cmdop_agent_v1_RpcOpen_init_zero;
    if (msg_decode(params, cmdop_agent_v1_RpcOpen_fields, &p) != OK)
        return MAY_MACHINE_QUESTION; /* the machine says what is wrong */
    enum may_op op = may_find(view_str(p.method));
    /* Names of operations that are no questions to a machine are nobody's. */
    return op >= MAY_AGENT_STATUS && op <= MAY_MACHINE_QUESTION
               ? op
               : MAY_MACHINE_QUESTION;
}

enum may_op offer_op(const msg_open *open, struct view params)
{
    switch (open->kind) {
    case cmdop_agent_v1_Kind_KIND_PTY: return MAY_OPEN_PTY;
    case cmdop_agent_v1_Kind_KIND_EXEC: return MAY_OPEN_EXEC;
    case cmdop_agent_v1_Kind_KIND_FILE: return MAY_FILE_WRITE;
    case cmdop_agent_v1_Kind_KIND_TCP: return MAY_OPEN_TCP;
    case cmdop_agent_v1_Kind_KIND_ASK: return MAY_OPEN_ASK;
    case cmdop_agent_v1_Kind_KIND_RPC: return question_op(params);
    case cmdop_agent_v1_Kind_KIND_UNSPECIFIED: break;
    }
    return MAY_NOTHING;
}

msg_code offer_code(int err)
{
    return err == ERR_AUTH        ? cmdop_agent_v1_Code_CODE_AUTH
           : err == ERR_NOT_FOUND ? cmdop_agent_v1_Code_CODE_NOT_FOUND
                                  : cmdop_agent_v1_Code_CODE_DENIED;
}

/* ---- who, and what he sees ---------------------------------------------------- */

enum may_access offer_access(const struct conn *c, const struct machine *m)
{
    const struct access_key key = {c->fleet_id, m->id, c->person_id};
    enum may_access set = MAY_ACCESS_FULL;
    bool is_set = access_get(&c->relay->access, &key, &set);
    return may_access_of(c->role, is_set, set);
}

bool offer_shown(void *ctx, const struct machine *m)
{
    return m->state != STORE_STATE_STRUCK &&
           offer_access(ctx, m) != MAY_ACCESS_HIDDEN;
}

static void stamp(const struct conn *c, msg_open *open)
{
    msg_origin *o = &open->origin;
    open->has_origin = true;
    *o = (msg_origin)cmdop_agent_v1_Origin_init_zero;
    STR_COPY(o->user, c->user);
    STR_COPY(o->user_id, c->person_id);
    STR_COPY(o->role, store_role_str(c->role));
    STR_COPY(o->fleet_id, c->fleet_id);
    STR_COPY(o->operator_kind, may_kind_str(c->kind));
}

static void reject(struct conn *c, const msg_open *open, msg_code code,
                   const char *message, const char *remedy)
{
    (void)mux_reject(&c->peer.link.mux, open->channel, code, message, remedy);
}

int offer_signed_in(const struct conn *c, struct may_no *no)
{
    if (c->ends_ms == 0 || c->ends_ms > port_wall_ms())
        return OK;
    *no = (struct may_no){"the sign-in has expired", "sign in again"};
    return ERR_AUTH;
}

/* May he, with this machine? NULL: with one that is not there for him. */
static int may_use(const struct conn *c, enum may_op op,
                   const struct machine *m, struct may_no *no)
{
    const struct may_caller caller = reply_caller(c);
    struct may_object o = {0};
    int err = offer_signed_in(c, no);
    if (err != OK)
        return err;
    if (m != NULL && registry_sees(&c->relay->registry, c->fleet_id, m)) {
        o.fleet_id = c->fleet_id;
        o.access = offer_access(c, m);
    }
    return may(&caller, op, &o, no);
}

/* ---- to a machine --------------------------------------------------------------- */

static void reject_several(struct conn *c, const msg_open *open,
                           const char *names)
{
    char message[480];
    struct text t;
    TEXT_OF(&t, message);
    text_join(&t, "several machines match: ", names, NULL);
    reject(c, open, cmdop_agent_v1_Code_CODE_AMBIGUOUS, message,
           "type more of the name, or the UUID");
}

struct machine *offer_machine(struct conn *c, const msg_open *open,
                              enum may_op op, const char *target)
{
    char names[400];
    struct text candidates;
    struct machine *m = NULL;
    struct may_no no;
    TEXT_OF(&candidates, names);
    int found = registry_resolve(&c->relay->registry, c->fleet_id, target,
                                 offer_shown, c, &m, &candidates);
    int err = may_use(c, op, m, &no);
    if (err == OK)
        return m;
    if (err != ERR_NOT_FOUND)
        reject(c, open, offer_code(err), no.message, no.remedy);
    else if (found == ERR_LIMIT)
        reject_several(c, open, names);
    else
        reject(c, open, cmdop_agent_v1_Code_CODE_NOT_FOUND,
               "no machine of the fleet has that name",
               "`cmdop connect --list` shows the machines; a prefix needs "
               "two characters or more");
    return NULL;
}

/* What is no operation at all: who may nothing does not learn that. */
static void reject_none(struct conn *c, const msg_open *open,
                        const char *message, const char *remedy)
{
    struct may_no no;
    int err = may_use(c, MAY_OPEN_PTY, NULL, &no);
    if (err != ERR_NOT_FOUND)
        reject(c, open, offer_code(err), no.message, no.remedy);
    else
        reject(c, open, cmdop_agent_v1_Code_CODE_UNSUPPORTED, message, remedy);
}

/* Not there, and not only because it is away? */
static void reject_offline(struct conn *c, const msg_open *open,
                           enum store_state state)
{
    const uint32_t code = cmdop_agent_v1_Code_CODE_OFFLINE;

    switch (state) {
    case STORE_STATE_PENDING:
        reject(c, open, code, "the machine waits for an owner's approval",
               "`cmdop machines approve` lets it in");
        return;
    case STORE_STATE_QUARANTINED:
        reject(c, open, code, "two used the machine's key; both are shut out",
               "`cmdop machines` tells from where; stop the copy, then `cmdop "
               "machines approve` lets one in");
        return;
    case STORE_STATE_DISABLED:
        reject(c, open, code, "the machine was shut out",
               "`cmdop machines enable` lets it in again");
        return;
    case STORE_STATE_STRUCK:
    case STORE_STATE_ACTIVE: break;
    }
    reject(c, open, code, OFFLINE_WORDS);
}

static void open_machine(struct conn *c, const msg_open *open,
                         struct view params)
{
    enum may_op op = offer_op(open, params);
    if (op == MAY_NOTHING) {
        reject_none(c, open, "the relay knows no such kind of channel",
                    "update the relay");
        return;
    }
    struct machine *m = offer_machine(c, open, op, open->target);
    if (m == NULL)
        return;
    bool online = m->conn != NULL && m->conn->peer.link.state == LINK_OPEN;
    if (!online && open->wait_ms == 0) {
        reject_offline(c, open, m->state);
        return;
    }
    if (c->routes >= ROUTES_PER_CONN) {
        reject(c, open, cmdop_agent_v1_Code_CODE_LIMIT,
               "this sign-in has as many channels through the relay as it may",
               "close one of them first");
        return;
    }
    msg_open onward = *open;
    stamp(c, &onward);
    STR_COPY(onward.target, m->id);
    if (online)
        route_open(&c->relay->routes, &c->peer.link.mux,
                   &m->conn->peer.link.mux, &onward, params, &c->routes,
                   loop_now(&c->relay->loop));
    else
        route_wait(&c->relay->routes, &c->peer.link.mux, m, &onward, params,
                   &c->routes, loop_now(&c->relay->loop));
}

static struct conn *conn_of(struct mux *m)
{
    return (struct conn *)(void *)((uint8_t *)(void *)m -
                                   offsetof(struct conn, peer.link.mux));
}

bool offer_again(struct mux *op, msg_open *open, struct view params,
                 struct route_no *no)
{
    struct conn *c = conn_of(op);
    struct machine *m = registry_find(&c->relay->registry, open->target);
    struct may_no why;
    int err = may_use(c, offer_op(open, params), m, &why);
    if (err == OK) {
        stamp(c, open);
        return true;
    }
    *no = (struct route_no){offer_code(err), why.message, why.remedy};
    return false;
}

/* ---- all ------------------------------------------------------------------------ */

void offer_open(struct conn *c, const msg_open *open, struct view params)
{
    if (open->target[0] != '\0')
        open_machine(c, open, params);
    else if (open->kind == cmdop_agent_v1_Kind_KIND_RPC)
        reply(c, open, params);
    else
        reject_none(c, open, "the relay itself runs nothing", "name a machine");
}
