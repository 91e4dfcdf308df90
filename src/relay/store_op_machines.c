/* What people do with machines: states, names, links between fleets, access;
 * see store_machines.h and, for access, store_fleets.h. */
#include <string.h>

#include "base/err.h"
#include "relay/store_ops.h"
#include "relay/store_query.h"

static int audit(struct store_engine *e, const struct store_actor *actor,
                 const char *fleet_id, const char *action, const char *id,
                 const char *detail)
{
    return query_audit(
        e, &(struct query_line){actor, fleet_id, action, id, NULL, detail});
}

/* A machine by its home: 1; else says UNKNOWN, or NOT_HOME to a fleet that
 * it is linked to. */
static int find_at_home(struct store_engine *e, const char *fleet_id,
                        const char *id, struct store_machine *m,
                        struct store_answer *a)
{
    int n = query_machine(e, SQL_MACHINE_BY_ID, fleet_id, id, m);

    if (n != 0)
        return n;
    n = query_machine(e, SQL_MACHINE_GET, fleet_id, id, m);
    if (n < 0)
        return n;
    memset(m, 0, sizeof *m);
    a->outcome = n == 1 ? STORE_NOT_HOME : STORE_UNKNOWN;
    return 0;
}

/* ---- look ---------------------------------------------------------------------------- */

int store_machine_seen(struct store_engine *e, const struct store_ask *ask,
                       struct store_answer *a)
{
    const struct store_machine_seen *in = &ask->u.machine_seen;
    struct query q = query_of(e, SQL_MACHINE_SEEN);

    query_str(&q, in->fleet_id);
    query_str(&q, in->machine_id);
    query_int(&q, e->now_ms);
    query_facts(&q, &in->facts);
    int err = query_run(&q);
    if (err != OK)
        return err;
    return query_say(a, query_changed(e) > 0 ? STORE_DONE : STORE_UNKNOWN);
}

int store_machine_get(struct store_engine *e, const struct store_ask *ask,
                      struct store_answer *a)
{
    const struct store_machine_get *in = &ask->u.machine_get;
    int n = query_machine(e, SQL_MACHINE_GET, in->fleet_id, in->machine_id,
                          &a->u.machine);

    return n < 0 ? n : query_say(a, n == 1 ? STORE_DONE : STORE_UNKNOWN);
}

static void get_machine(struct query *q, union store_row *row)
{
    query_get_machine(q, &row->machine);
}

int store_machine_list(struct store_engine *e, const struct store_ask *ask,
                       struct store_answer *a)
{
    const struct store_list *in = &ask->u.list;
    struct query q = query_of(e, SQL_MACHINE_LIST);

    query_str(&q, in->fleet_id);
    query_str(&q, in->after_name);
    query_str(&q, in->after_id);
    query_page(&q, in->limit);
    return query_list(&q, ask, in->limit, get_machine, a);
}

/* ---- states ---------------------------------------------------------------------------- */

struct change {
    const char *action;
    enum store_state to;
};

static const struct change CHANGES[] = {
    [STORE_APPROVE] = {"machine.approve", STORE_STATE_ACTIVE},
    [STORE_QUARANTINE] = {"machine.quarantine", STORE_STATE_QUARANTINED},
    [STORE_DISABLE] = {"machine.disable", STORE_STATE_DISABLED},
    [STORE_ENABLE] = {"machine.enable", STORE_STATE_ACTIVE},
    [STORE_RESET] = {"machine.reset", STORE_STATE_STRUCK},
};

/* Does this change do anything to a machine in this state? */
static bool applies(enum store_state from, enum store_state_change change)
{
    switch (change) {
    case STORE_APPROVE:
        return from == STORE_STATE_PENDING || from == STORE_STATE_QUARANTINED;
    case STORE_QUARANTINE: return from == STORE_STATE_ACTIVE;
    case STORE_DISABLE: return from != STORE_STATE_DISABLED;
    case STORE_ENABLE: return from == STORE_STATE_DISABLED;
    case STORE_RESET: return true;
    }
    return false;
}

/* Out of every fleet's list, and not counted any more. */
static int leave_all(struct store_engine *e, const struct store_machine *m)
{
    struct query q = query_of(e, SQL_LINK_UNCOUNT_ALL);

    query_str(&q, m->fleet_id);
    query_str(&q, m->id);
    int err = query_run(&q);
    if (err != OK)
        return err;
    q = query_of(e, SQL_LINK_REMOVE_ALL);
    query_str(&q, m->fleet_id);
    query_str(&q, m->id);
    return query_run(&q);
}

static int change(struct store_engine *e, const struct store_machine_state *in,
                  struct store_machine *m)
{
    bool settled = in->change == STORE_APPROVE || in->change == STORE_RESET;

    if (settled && m->state == STORE_STATE_QUARANTINED)
        m->epoch++; /* what others have on their disks is void */
    if (settled) {
        memset(m->holder, 0, sizeof m->holder);
        m->lease = STORE_LEASE_GIVEN;
    }
    m->state = CHANGES[in->change].to;
    (void)STR_COPY(m->why, m->state == STORE_STATE_ACTIVE ? "" : in->why);
    int err = query_set_state(e, m);
    if (err == OK && in->change == STORE_RESET)
        err = leave_all(e, m);
    return err;
}

int store_machine_state(struct store_engine *e, const struct store_ask *ask,
                        struct store_answer *a)
{
    const struct store_machine_state *in = &ask->u.machine_state;
    struct store_machine *m = &a->u.machine;

    int n = find_at_home(e, in->fleet_id, in->machine_id, m, a);
    if (n <= 0)
        return n < 0 ? n : OK;
    if (m->state == STORE_STATE_STRUCK)
        return query_say(a,
                         in->change == STORE_RESET ? STORE_DONE : STORE_STRUCK);
    if (m->state == STORE_STATE_DISABLED && in->change == STORE_APPROVE)
        return query_say(a, STORE_DISABLED);
    if (!applies(m->state, in->change))
        return query_say(a, STORE_DONE);
    int err = change(e, in, m);
    if (err == OK)
        err = audit(e, &in->actor, m->fleet_id, CHANGES[in->change].action,
                    m->id, in->why[0] != '\0' ? in->why : m->name);
    return err == OK ? query_say(a, STORE_DONE) : err;
}

int store_machine_rename(struct store_engine *e, const struct store_ask *ask,
                         struct store_answer *a)
{
    const struct store_machine_rename *in = &ask->u.machine_rename;
    struct store_machine *m = &a->u.machine;

    int n = find_at_home(e, in->fleet_id, in->machine_id, m, a);
    if (n <= 0)
        return n < 0 ? n : OK;
    struct query q = query_of(e, SQL_MACHINE_RENAME);
    query_str(&q, m->fleet_id);
    query_str(&q, m->id);
    query_str(&q, in->name);
    int err = query_run(&q);
    if (err != OK)
        return err;
    q = query_of(e, SQL_LINK_RENAME);
    query_str(&q, m->fleet_id);
    query_str(&q, m->id);
    query_str(&q, in->name);
    err = query_run(&q);
    if (err == OK)
        err = audit(e, &in->actor, m->fleet_id, "machine.rename", m->id,
                    in->name);
    (void)STR_COPY(m->name, in->name);
    return err == OK ? query_say(a, STORE_DONE) : err;
}

/* ---- links ------------------------------------------------------------------------------- */

/* 1 when the fleet has this machine; its home. */
static int find_link(struct store_engine *e, const char *fleet_id,
                     const char *machine_id, char home_id[UUID_CAP])
{
    struct query q = query_of(e, SQL_LINK_HERE);

    query_str(&q, fleet_id);
    query_str(&q, machine_id);
    int n = query_row(&q);
    if (n == 1)
        query_get_str(&q, home_id, UUID_CAP);
    query_end(&q);
    return n;
}

/* In the home's record and in the other fleet's, whichever asked. */
static int audit_both(struct store_engine *e,
                      const struct store_machine_link *in, const char *home_id,
                      const char *action)
{
    int err =
        audit(e, &in->actor, home_id, action, in->machine_id, in->other_id);

    if (err == OK)
        err =
            audit(e, &in->actor, in->other_id, action, in->machine_id, home_id);
    return err;
}

/* Room for one more link, counted in the other fleet: says LIMIT. */
static int link_room(struct store_engine *e,
                     const struct store_machine_link *in,
                     struct store_answer *a)
{
    struct query q = query_of(e, SQL_LINK_COUNT);

    query_str(&q, in->fleet_id);
    query_str(&q, in->machine_id);
    int64_t n = query_count(&q);
    if (n < 0)
        return (int)n;
    if (n >= STORE_MACHINE_FLEETS_MAX)
        return query_say(a, STORE_LIMIT);
    q = query_of(e, SQL_MACHINE_COUNT);
    query_str(&q, in->other_id);
    query_int(&q, STORE_FLEET_MACHINES_MAX);
    int err = query_run(&q);
    if (err != OK)
        return err;
    return query_say(a, query_changed(e) == 0 ? STORE_LIMIT : STORE_DONE);
}

static int make_link(struct store_engine *e,
                     const struct store_machine_link *in,
                     const struct store_machine *m)
{
    struct query q = query_of(e, SQL_LINK_MAKE);

    query_str(&q, in->other_id);
    query_str(&q, m->id);
    query_str(&q, m->fleet_id);
    query_str(&q, m->name);
    query_int(&q, e->now_ms);
    query_str(&q, in->actor.name);
    return query_run(&q);
}

int store_machine_link(struct store_engine *e, const struct store_ask *ask,
                       struct store_answer *a)
{
    const struct store_machine_link *in = &ask->u.machine_link;
    struct store_machine *m = &a->u.machine;
    char home_id[UUID_CAP];
    int err;

    int n = find_at_home(e, in->fleet_id, in->machine_id, m, a);
    if (n <= 0)
        return n < 0 ? n : OK;
    if (m->state == STORE_STATE_STRUCK)
        return query_say(a, STORE_UNKNOWN);
    if (!query_fleet_here(e, in->other_id, &err, a))
        return err;
    n = find_link(e, in->other_id, m->id, home_id);
    if (n != 0)
        return n < 0 ? n : query_say(a, STORE_DONE);
    err = link_room(e, in, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    err = make_link(e, in, m);
    m->created = true;
    return err == OK ? audit_both(e, in, m->fleet_id, "machine.link") : err;
}

static int remove_link(struct store_engine *e,
                       const struct store_machine_link *in)
{
    struct query q = query_of(e, SQL_LINK_REMOVE); /* and access there */

    query_str(&q, in->other_id);
    query_str(&q, in->machine_id);
    int err = query_run(&q);
    if (err != OK)
        return err;
    q = query_of(e, SQL_MACHINE_UNCOUNT);
    query_str(&q, in->other_id);
    return query_run(&q);
}

int store_machine_unlink(struct store_engine *e, const struct store_ask *ask,
                         struct store_answer *a)
{
    const struct store_machine_link *in = &ask->u.machine_link;
    struct store_machine *m = &a->u.machine;
    char home_id[UUID_CAP];

    int n = query_machine(e, SQL_MACHINE_GET, in->fleet_id, in->machine_id, m);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    bool is_home = strcmp(m->fleet_id, in->fleet_id) == 0;
    if (!is_home && strcmp(in->fleet_id, in->other_id) != 0)
        return query_say(a, STORE_NOT_HOME);
    if (strcmp(m->fleet_id, in->other_id) == 0)
        return query_say(a, STORE_CONFLICT);
    n = find_link(e, in->other_id, m->id, home_id);
    if (n <= 0) /* it is not there: as it shall be */
        return n < 0 ? n : query_say(a, STORE_DONE);
    int err = remove_link(e, in);
    if (err == OK)
        err = audit_both(e, in, m->fleet_id, "machine.unlink");
    return err == OK ? query_say(a, STORE_DONE) : err;
}

static void get_link(struct query *q, union store_row *row)
{
    struct store_link *l = &row->link;

    GET_STR(q, l->fleet_id);
    GET_STR(q, l->fleet_name);
    GET_STR(q, l->slug);
    l->home = query_get_bool(q);
    l->joined_ms = query_get_int(q);
    GET_STR(q, l->added_by);
}

int store_machine_fleets(struct store_engine *e, const struct store_ask *ask,
                         struct store_answer *a)
{
    const struct store_machine_fleets *in = &ask->u.machine_fleets;
    struct query q = query_of(e, SQL_LINK_LIST);

    query_str(&q, in->list.fleet_id);
    query_str(&q, in->machine_id);
    query_str(&q, in->list.after_id);
    query_page(&q, in->list.limit);
    return query_list(&q, ask, in->list.limit, get_link, a);
}

/* ---- access to one machine -------------------------------------------------------------------- */

static void get_access(struct query *q, union store_row *row)
{
    struct store_access_row *r = &row->access;

    GET_STR(q, r->machine_id);
    GET_STR(q, r->person_id);
    GET_STR(q, r->login);
    r->access = (enum store_access)query_get_int(q);
    if (r->access > STORE_HIDDEN)
        r->access = STORE_HIDDEN; /* a word that we do not know */
    r->role = query_get_role(q);
}

static int find_access(struct store_engine *e, const char *fleet_id,
                       const char *machine_id, const char *person_id,
                       struct store_answer *a)
{
    union store_row row = {0};
    struct query q = query_of(e, SQL_ACCESS_OF);

    query_str(&q, fleet_id);
    query_str(&q, machine_id);
    query_str(&q, person_id);
    int n = query_row(&q);
    if (n == 1)
        get_access(&q, &row);
    query_end(&q);
    a->u.access = row.access;
    return n < 0 ? n : query_say(a, n == 1 ? STORE_DONE : STORE_UNKNOWN);
}

int store_access_of(struct store_engine *e, const struct store_ask *ask,
                    struct store_answer *a)
{
    const struct store_access_of *in = &ask->u.access_of;

    return find_access(e, in->fleet_id, in->machine_id, in->person_id, a);
}

int store_access_set(struct store_engine *e, const struct store_ask *ask,
                     struct store_answer *a)
{
    const struct store_access_set *in = &ask->u.access_set;

    int err = find_access(e, in->fleet_id, in->machine_id, in->person_id, a);
    if (err != OK || a->outcome != STORE_DONE ||
        a->u.access.access == in->access)
        return err;
    struct query q = query_of(e, in->access == STORE_FULL ? SQL_ACCESS_CLEAR
                                                          : SQL_ACCESS_SET);
    query_str(&q, in->fleet_id);
    query_str(&q, in->machine_id);
    query_str(&q, in->person_id);
    if (in->access != STORE_FULL)
        query_int(&q, in->access);
    err = query_run(&q);
    a->u.access.access = in->access;
    if (err == OK)
        err = query_audit(e, &(struct query_line){&in->actor, in->fleet_id,
                                                  "access.set", in->machine_id,
                                                  store_access_str(in->access),
                                                  in->person_id});
    return err;
}

int store_access_list(struct store_engine *e, const struct store_ask *ask,
                      struct store_answer *a)
{
    const struct store_access_list *in = &ask->u.access_list;
    struct query q = query_of(e, SQL_ACCESS_LIST);

    query_str(&q, in->list.fleet_id);
    query_str(&q, in->list.after_id);
    query_str(&q, in->after_person);
    query_str(&q, in->machine_id);
    query_str(&q, in->person_id);
    query_page(&q, in->list.limit);
    return query_list(&q, ask, in->list.limit, get_access, a);
}
