/* The audit record, and forgetting what is over; see store.h. */
#include "base/err.h"
#include "relay/store_ops.h"
#include "relay/store_query.h"

int store_audit(struct store_engine *e, const struct store_ask *ask,
                struct store_answer *a)
{
    const struct store_audit *in = &ask->u.audit;
    struct query q = query_of(e, SQL_AUDIT);

    query_int(&q, in->at_ms != 0 ? in->at_ms : e->now_ms);
    query_str(&q, in->fleet_id);
    query_str(&q, in->actor.kind);
    query_str(&q, in->actor.name);
    query_str(&q, in->action);
    query_str(&q, in->object);
    query_str(&q, in->outcome);
    query_str(&q, in->detail);
    int err = query_run(&q);
    return err == OK ? query_say(a, STORE_DONE) : err;
}

static void get_line(struct query *q, union store_row *row)
{
    struct store_audit_row *r = &row->audit;

    r->id = query_get_int(q);
    r->line.at_ms = query_get_int(q);
    GET_STR(q, r->line.fleet_id);
    GET_STR(q, r->line.actor.kind);
    GET_STR(q, r->line.actor.name);
    GET_STR(q, r->line.action);
    GET_STR(q, r->line.object);
    GET_STR(q, r->line.outcome);
    GET_STR(q, r->line.detail);
}

int store_audit_list(struct store_engine *e, const struct store_ask *ask,
                     struct store_answer *a)
{
    const struct store_list *in = &ask->u.list;
    struct query q = query_of(e, SQL_AUDIT_LIST);

    query_str(&q, in->fleet_id);
    query_int(&q, in->after_ms);
    query_page(&q, in->limit);
    return query_list(&q, ask, in->limit, get_line, a);
}

static int sweep(struct store_engine *e, enum store_sql which,
                 int64_t before_ms, uint32_t limit, struct store_answer *a)
{
    struct query q = query_of(e, which);

    query_int(&q, before_ms);
    query_int(&q, limit);
    int err = query_run(&q);
    a->u.count += query_changed(e);
    a->more = a->more || query_changed(e) >= limit;
    return err;
}

int store_sweep(struct store_engine *e, const struct store_ask *ask,
                struct store_answer *a)
{
    uint32_t limit = ask->u.sweep.limit;
    int64_t keep = e->now_ms - STORE_KEEP_MS;

    int err = sweep(e, SQL_TOKEN_SWEEP, keep, limit, a);
    if (err == OK)
        err = sweep(e, SQL_TOKEN_SWEEP_REVOKED, keep, limit, a);
    if (err == OK)
        err = sweep(e, SQL_INVITE_SWEEP, keep, limit, a);
    if (err == OK)
        err = sweep(e, SQL_DEVICE_SWEEP, e->now_ms - STORE_KEEP_DEVICE_MS,
                    limit, a);
    return err == OK ? query_say(a, STORE_DONE) : err;
}
