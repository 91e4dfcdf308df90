/*
 * Who holds a machine: logging in, taking over, two holders of one key, the
 * next key; see store_machines.h.
 *
 * relay/lease.c judges; here the judgement is written down.
 */
#include <string.h>

#include "base/err.h"
#include "relay/lease.h"
#include "relay/store_ops.h"
#include "relay/store_query.h"

_Static_assert((int)LEASE_INSTANCE == (int)STORE_INSTANCE,
               "a claim shows what is judged");

static const struct store_actor RELAY = {.kind = "relay"};

static const char TWO_HOLDERS[] =
    "two processes used this machine's key: it was copied, or a copy of it "
    "came back";

static bool is_nobody(const uint8_t instance[STORE_INSTANCE])
{
    static const uint8_t nobody[STORE_INSTANCE];

    return memcmp(instance, nobody, STORE_INSTANCE) == 0;
}

static int hold(struct store_engine *e, struct store_machine *m,
                const struct store_claim *c, uint64_t epoch)
{
    bool first = is_nobody(m->holder) || m->lease == STORE_LEASE_FIRST;

    memcpy(m->holder, c->instance, STORE_INSTANCE);
    m->epoch = epoch;
    m->lease = first ? STORE_LEASE_FIRST : STORE_LEASE_GIVEN;
    struct query q = query_of(e, SQL_MACHINE_HOLD);
    query_str(&q, m->fleet_id);
    query_str(&q, m->id);
    query_blob(&q, m->holder, STORE_INSTANCE);
    query_int(&q, (int64_t)m->epoch);
    query_int(&q, m->lease);
    return query_run(&q);
}

static int take_over(struct store_engine *e, struct store_machine *m,
                     const struct store_claim *c, uint64_t epoch,
                     struct store_answer *a)
{
    bool from_another = !is_nobody(m->holder);
    int err = query_need(e, STORE_SWEARS);

    if (err == OK)
        err = hold(e, m, c, epoch);
    if (err != OK || !from_another)
        return err == OK ? query_say(a, STORE_DONE) : err;
    m->taken = true;
    err =
        query_audit(e, &(struct query_line){&RELAY, m->fleet_id, "machine.hold",
                                            m->id, NULL, m->name});
    return err == OK ? query_say(a, STORE_DONE) : err;
}

static int quarantine(struct store_engine *e, struct store_machine *m,
                      struct store_answer *a)
{
    int err = query_need(e, STORE_SWEARS);

    if (err != OK)
        return err;
    m->state = STORE_STATE_QUARANTINED;
    m->changed = true;
    (void)STR_COPY(m->why, TWO_HOLDERS);
    err = query_set_state(e, m);
    if (err == OK)
        err = query_audit(e, &(struct query_line){&RELAY, m->fleet_id,
                                                  "machine.quarantine", m->id,
                                                  NULL, TWO_HOLDERS});
    return err == OK ? query_keep(e, a, STORE_QUARANTINED) : err;
}

int query_state(const struct store_machine *m, struct store_answer *a)
{
    switch (m->state) {
    case STORE_STATE_ACTIVE: break;
    case STORE_STATE_PENDING: return query_say(a, STORE_PENDING);
    case STORE_STATE_QUARANTINED: return query_say(a, STORE_QUARANTINED);
    case STORE_STATE_DISABLED: return query_say(a, STORE_DISABLED);
    case STORE_STATE_STRUCK: return query_say(a, STORE_STRUCK);
    }
    return query_say(a, STORE_DONE);
}

static struct lease_row row_of(const struct store_machine *m)
{
    struct lease_row row = {.held = !is_nobody(m->holder),
                            .epoch = m->epoch,
                            .confirmed = m->lease == STORE_LEASE_KEPT,
                            .first = m->lease == STORE_LEASE_FIRST};
    memcpy(row.holder, m->holder, sizeof row.holder);
    return row;
}

static struct view instance_of(const struct store_claim *c)
{
    return is_nobody(c->instance) ? VIEW_NONE : VIEW_ARRAY(c->instance);
}

int query_claim(struct store_engine *e, struct store_machine *m,
                const struct store_claim *c, struct store_answer *a)
{
    const struct lease_row row = row_of(m);
    uint64_t epoch = 0;

    (void)query_state(m, a);
    if (a->outcome != STORE_DONE)
        return OK;
    switch (lease_judge(&row, instance_of(c), c->epoch,
                        c->gone ? LEASE_NO_OTHER : LEASE_UNASKED, &epoch)) {
    case LEASE_PLAIN:
    case LEASE_KEEP: return query_say(a, STORE_DONE);
    case LEASE_ASK: return query_say(a, STORE_HELD);
    case LEASE_TAKE: return take_over(e, m, c, epoch, a);
    case LEASE_TWO: /* the relay finds that out, and says MACHINE_STATE */
    case LEASE_STALE: break;
    }
    return quarantine(e, m, a);
}

/* ---- the next key --------------------------------------------------------------------- */

static int rotate(struct store_engine *e, struct store_machine *m,
                  const uint8_t next_key[STORE_KEY], struct store_answer *a)
{
    struct query q = query_of(e, SQL_MACHINE_KEY_KNOWN);

    query_blob(&q, next_key, STORE_KEY);
    int n = query_row(&q);
    query_end(&q);
    if (n != 0)
        return n < 0 ? n : query_say(a, STORE_CONFLICT);
    int err = query_need(e, STORE_SWEARS);
    if (err != OK)
        return err;
    q = query_of(e, SQL_MACHINE_ROTATE);
    query_str(&q, m->fleet_id);
    query_str(&q, m->id);
    query_blob(&q, next_key, STORE_KEY);
    query_int(&q, e->now_ms);
    err = query_run(&q);
    memcpy(m->public_key, next_key, STORE_KEY);
    m->key_version++;
    m->key_since_ms = e->now_ms;
    if (err == OK)
        err = query_audit(e, &(struct query_line){&RELAY, m->fleet_id,
                                                  "machine.rotate", m->id, NULL,
                                                  m->name});
    return err == OK ? query_say(a, STORE_DONE) : err;
}

/* ---- logging in ------------------------------------------------------------------------- */

static int find(struct store_engine *e, enum store_sql by,
                const uint8_t key[STORE_KEY], struct store_machine *m,
                bool *fleet_gone)
{
    struct query q = query_of(e, by);

    query_blob(&q, key, STORE_KEY);
    int n = query_row(&q);
    if (n == 1) {
        query_get_machine(&q, m);
        *fleet_gone = query_get_bool(&q);
    }
    query_end(&q);
    return n;
}

/* The machine of a key; *rotated when next_key is its key already, for the
 * answer to the first time was lost. */
static int find_machine(struct store_engine *e,
                        const struct store_machine_login *in,
                        struct store_machine *m, bool *fleet_gone,
                        bool *rotated, struct store_answer *a)
{
    int n = find(e, SQL_MACHINE_BY_KEY, in->public_key, m, fleet_gone);

    *rotated = false;
    if (n != 0)
        return n < 0 ? n : query_say(a, STORE_DONE);
    n = find(e, SQL_MACHINE_BY_PREVIOUS, in->public_key, m, fleet_gone);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    *rotated = in->rotates && memcmp(m->public_key, in->next_key, 32) == 0;
    return query_say(a, *rotated ? STORE_DONE : STORE_STRUCK);
}

int store_machine_login(struct store_engine *e, const struct store_ask *ask,
                        struct store_answer *a)
{
    const struct store_machine_login *in = &ask->u.machine_login;
    struct store_machine *m = &a->u.machine;
    bool fleet_gone = false, rotated;

    int err = find_machine(e, in, m, &fleet_gone, &rotated, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    if (fleet_gone) {
        (void)STR_COPY(m->why, "its fleet was removed");
        return query_say(a, STORE_DISABLED);
    }
    err = query_claim(e, m, &in->claim, a);
    if (err != OK || a->outcome != STORE_DONE || !in->rotates || rotated)
        return err;
    if (memcmp(in->public_key, in->next_key, STORE_KEY) == 0)
        return OK; /* as it is */
    return rotate(e, m, in->next_key, a);
}

int store_machine_confirm(struct store_engine *e, const struct store_ask *ask,
                          struct store_answer *a)
{
    const struct store_machine_confirm *in = &ask->u.machine_confirm;
    struct store_machine m;

    int n =
        query_machine(e, SQL_MACHINE_BY_ID, in->fleet_id, in->machine_id, &m);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    if (m.epoch != in->epoch || is_nobody(in->instance) ||
        memcmp(m.holder, in->instance, STORE_INSTANCE) != 0)
        return query_say(a, STORE_CONFLICT);
    if (m.lease == STORE_LEASE_KEPT)
        return query_say(a, STORE_DONE);
    int err = query_need(e, STORE_NOTES);
    if (err != OK)
        return err;
    struct query q = query_of(e, SQL_MACHINE_CONFIRM);
    query_str(&q, in->fleet_id);
    query_str(&q, in->machine_id);
    err = query_run(&q);
    return err == OK ? query_say(a, STORE_DONE) : err;
}
