/* Questions about sign-ins and fleets; see reply.h. */
#include <string.h>

#include "base/err.h"
#include "relay/ask.h"
#include "relay/reply.h"

/*
 * A list that the store gives in parts. When the asker's ring is full, the
 * row that did not fit is asked for again once there is room.
 */
struct listing {
    struct relay *relay;
    bool full;
    bool own_fleet_only; /* an API key knows of no other */
    char fleet_id[UUID_CAP];
    char family[UUID_CAP];
    struct store_list after;
    char person_id[UUID_CAP];
};
_Static_assert(sizeof(struct listing) <= RPC_NOTE_BYTES,
               "a listing is kept with its question");

#define ROWS_AT_ONCE 16

static struct listing *begin(struct conn *c, rpc_ref ref)
{
    struct listing *l = rpc_note(reply_rpcs(c), ref);
    l->relay = c->relay;
    STR_COPY(l->fleet_id, c->fleet_id);
    STR_COPY(l->family, c->family);
    l->after.limit = ROWS_AT_ONCE;
    return l;
}

/* Ask for what comes behind the last row that fitted. */
static void go_on(struct rpcs *r, rpc_ref ref, const struct listing *l,
                  struct store_ask *q)
{
    q->ctx = r;
    q->tag = ref;
    int err = ask(l->relay, q);
    if (err != OK)
        reply_fault(r, ref, err);
}

/* A part is over: true when the next one is to be asked for now. */
static bool part_over(struct rpcs *r, rpc_ref ref, const struct store_answer *a)
{
    const struct listing *l = rpc_note(r, ref);
    if (l == NULL)
        return false;
    if (a->err != OK)
        reply_fault(r, ref, a->err);
    else if (!a->more)
        rpc_end(r, ref);
    else
        return !l->full;
    return false;
}

/* ---- tokens ------------------------------------------------------------------- */

static void tokens_ask(struct rpcs *r, rpc_ref ref);

static void tokens_more(void *ctx, rpc_ref ref)
{
    tokens_ask(ctx, ref);
}

static bool token_row(void *ctx, uint32_t tag, const union store_row *row)
{
    const struct store_token *t = &row->token;
    struct listing *l = rpc_note(ctx, tag);
    cmdop_agent_v1_TokenInfo i = cmdop_agent_v1_TokenInfo_init_zero;
    if (l == NULL)
        return false;
    STR_COPY(i.id, t->id);
    STR_COPY(i.kind, store_token_kind_str(t->kind));
    STR_COPY(i.user, t->login);
    STR_COPY(i.label, t->label);
    STR_COPY(i.prefix, t->prefix);
    STR_COPY(i.client_name, t->client.name);
    STR_COPY(i.client_hostname, t->client.host);
    STR_COPY(i.client_platform, t->client.platform);
    STR_COPY(i.address, t->client.address);
    STR_COPY(i.scope, t->scope);
    i.created_ms = t->created_ms;
    i.expires_ms = t->expires_ms;
    i.last_used_ms = t->last_used_ms;
    i.current = strcmp(t->family, l->family) == 0;
    l->full = rpc_put(ctx, tag, cmdop_agent_v1_TokenInfo_fields, &i,
                      tokens_more, ctx) == ERR_FULL;
    if (l->full)
        return false;
    l->after.after_ms = t->created_ms;
    STR_COPY(l->after.after_id, t->id);
    return true;
}

static void tokens_part(void *ctx, uint32_t tag, const struct store_answer *a)
{
    if (part_over(ctx, tag, a))
        tokens_ask(ctx, tag);
}

/* An access token is a short-lived part of the sign-in that its refresh token
 * stands for. */
static void tokens_ask(struct rpcs *r, rpc_ref ref)
{
    struct listing *l = rpc_note(r, ref);
    struct store_ask q = {
        .op = STORE_TOKEN_LIST, .row = token_row, .answer = tokens_part};
    if (l == NULL)
        return;
    l->full = false;
    q.u.token_list.list = l->after;
    STR_COPY(q.u.token_list.list.fleet_id, l->fleet_id);
    STR_COPY(q.u.token_list.person_id, l->person_id);
    q.u.token_list.kinds =
        1u << STORE_CLI | 1u << STORE_REFRESH | 1u << STORE_WEB;
    q.u.token_list.good = true;
    go_on(r, ref, l, &q);
}

/* May he do this to everybody's? */
static int may_all(const struct conn *c, enum may_op op, struct may_no *no)
{
    const struct may_caller caller = reply_caller(c);
    const struct may_object all = {.fleet_id = c->fleet_id};
    return may(&caller, op, &all, no);
}

void reply_tokens_list(struct conn *c, const msg_open *open,
                       const msg_rpc_open *p)
{
    cmdop_agent_v1_TokensOpen t = cmdop_agent_v1_TokensOpen_init_zero;
    struct may_no no;
    if (msg_decode(view_of(p->request.bytes, p->request.size),
                   cmdop_agent_v1_TokensOpen_fields, &t) != OK) {
        (void)mux_reject(&c->peer.link.mux, open->channel,
                         cmdop_agent_v1_Code_CODE_PROTOCOL,
                         "the question does not parse", "");
        return;
    }
    int err = t.fleet ? may_all(c, MAY_TOKENS_LIST, &no) : OK;
    if (err != OK) {
        reply_no(c, open, err, &no);
        return;
    }
    rpc_ref ref = reply_later(c, open);
    if (ref == 0)
        return;
    struct listing *l = begin(c, ref);
    if (!t.fleet)
        STR_COPY(l->person_id, c->person_id);
    tokens_ask(reply_rpcs(c), ref);
}

static void token_done(void *ctx, uint32_t tag, const struct store_answer *a)
{
    reply_outcome(ctx, tag, a, "there is no such sign-in");
}

/* One's own; an admin also anybody's in the fleet. */
void reply_tokens_revoke(struct conn *c, const msg_open *open,
                         const msg_rpc_open *p)
{
    struct store_ask q = {.op = STORE_TOKEN_REVOKE, .answer = token_done};
    struct store_token_revoke *v = &q.u.token_revoke;
    msg_call call;
    if (reply_call(c, open, p, &call) != OK)
        return;
    rpc_ref ref = reply_later(c, open);
    if (ref == 0)
        return;
    STR_COPY(v->fleet_id, c->fleet_id);
    if (may_all(c, MAY_TOKENS_REVOKE, NULL) != OK)
        STR_COPY(v->person_id, c->person_id);
    STR_COPY(v->id, call.id);
    v->actor = reply_actor(c);
    reply_ask(c, ref, &q);
}

/* ---- fleets --------------------------------------------------------------------- */

static void fleets_ask(struct rpcs *r, rpc_ref ref);

static void fleets_more(void *ctx, rpc_ref ref)
{
    fleets_ask(ctx, ref);
}

static bool fleet_row(void *ctx, uint32_t tag, const union store_row *row)
{
    const struct store_fleet *f = &row->fleet;
    struct listing *l = rpc_note(ctx, tag);
    cmdop_agent_v1_FleetInfo i = cmdop_agent_v1_FleetInfo_init_zero;
    if (l == NULL)
        return false;
    i.current = strcmp(f->id, l->fleet_id) == 0;
    if (i.current || !l->own_fleet_only) {
        STR_COPY(i.id, f->id);
        STR_COPY(i.slug, f->slug);
        STR_COPY(i.name, f->name);
        STR_COPY(i.kind, store_fleet_kind_str(f->kind));
        STR_COPY(i.role, store_role_str(f->role));
        i.machines = f->machines;
        l->full = rpc_put(ctx, tag, cmdop_agent_v1_FleetInfo_fields, &i,
                          fleets_more, ctx) == ERR_FULL;
        if (l->full)
            return false;
    }
    STR_COPY(l->after.after_name, f->name);
    STR_COPY(l->after.after_id, f->id);
    return true;
}

static void fleets_part(void *ctx, uint32_t tag, const struct store_answer *a)
{
    if (part_over(ctx, tag, a))
        fleets_ask(ctx, tag);
}

static void fleets_ask(struct rpcs *r, rpc_ref ref)
{
    struct listing *l = rpc_note(r, ref);
    struct store_ask q = {
        .op = STORE_FLEET_LIST, .row = fleet_row, .answer = fleets_part};
    if (l == NULL)
        return;
    l->full = false;
    q.u.fleet_list.list = l->after;
    STR_COPY(q.u.fleet_list.person_id, l->person_id);
    go_on(r, ref, l, &q);
}

void reply_fleets_list(struct conn *c, const msg_open *open,
                       const msg_rpc_open *p)
{
    (void)p;
    rpc_ref ref = reply_later(c, open);
    if (ref == 0)
        return;
    struct listing *l = begin(c, ref);
    l->own_fleet_only = c->kind == MAY_APIKEY;
    STR_COPY(l->person_id, c->person_id);
    fleets_ask(reply_rpcs(c), ref);
}

/* ---- another fleet ---------------------------------------------------------------- */

/* Which fleet is meant: its id, slug or name, whole; else a prefix. */
struct choice {
    struct relay *relay;
    char want[65];
    char found[UUID_CAP];
    uint32_t whole;  /* how many match as a whole */
    uint32_t begins; /* and only begin like this */
    char fleet_id[UUID_CAP];
    char token_id[UUID_CAP];
    char person_id[UUID_CAP];
};
_Static_assert(sizeof(struct choice) <= RPC_NOTE_BYTES,
               "a choice is kept with its question");

#define PREFIX_MIN 2

static bool choice_row(void *ctx, uint32_t tag, const union store_row *row)
{
    struct choice *c = rpc_note(ctx, tag);
    const struct store_fleet *f = &row->fleet;
    if (c == NULL)
        return false;
    struct view want = view_str(c->want);
    if (view_is(want, f->id) || view_is(want, f->slug) ||
        view_is(want, f->name)) {
        c->whole++;
        STR_COPY(c->found, f->id);
    } else if (want.len >= PREFIX_MIN &&
               (view_starts(view_str(f->id), want) ||
                view_starts(view_str(f->slug), want) ||
                view_starts(view_str(f->name), want))) {
        c->begins++;
        if (c->whole == 0)
            STR_COPY(c->found, f->id);
    }
    return true;
}

static void moved(void *ctx, uint32_t tag, const struct store_answer *a)
{
    reply_outcome(ctx, tag, a, "you are in no fleet of that name");
}

static void chosen(void *ctx, uint32_t tag, const struct store_answer *a)
{
    const struct choice *c = rpc_note(ctx, tag);
    if (c == NULL)
        return;
    uint32_t hits = c->whole != 0 ? c->whole : c->begins;
    struct store_ask q = {
        .op = STORE_MEMBER_USE_FLEET, .ctx = ctx, .tag = tag, .answer = moved};
    if (a->err != OK) {
        reply_fault(ctx, tag, a->err);
    } else if (hits == 0) {
        rpc_fail(ctx, tag, cmdop_agent_v1_Code_CODE_NOT_FOUND,
                 "you are in no fleet of that name", "");
    } else if (hits > 1) {
        rpc_fail(ctx, tag, cmdop_agent_v1_Code_CODE_AMBIGUOUS,
                 "several fleets match", "type its slug or its id");
    } else {
        STR_COPY(q.u.use_fleet.fleet_id, c->fleet_id);
        STR_COPY(q.u.use_fleet.token_id, c->token_id);
        STR_COPY(q.u.use_fleet.person_id, c->person_id);
        STR_COPY(q.u.use_fleet.to_fleet_id, c->found);
        STR_COPY(q.u.use_fleet.actor.kind, "user");
        STR_COPY(q.u.use_fleet.actor.name, c->person_id);
        int err = ask(c->relay, &q);
        if (err != OK)
            reply_fault(ctx, tag, err);
    }
}

void reply_fleets_use(struct conn *c, const msg_open *open,
                      const msg_rpc_open *p)
{
    struct store_ask q = {
        .op = STORE_FLEET_LIST, .row = choice_row, .answer = chosen};
    msg_call call;
    if (reply_call(c, open, p, &call) != OK)
        return;
    rpc_ref ref = reply_later(c, open);
    if (ref == 0)
        return;
    struct choice *w = rpc_note(reply_rpcs(c), ref);
    w->relay = c->relay;
    STR_COPY(w->want, call.id);
    STR_COPY(w->fleet_id, c->fleet_id);
    STR_COPY(w->token_id, c->token_id);
    STR_COPY(w->person_id, c->person_id);
    STR_COPY(q.u.fleet_list.person_id, c->person_id);
    reply_ask(c, ref, &q);
}
