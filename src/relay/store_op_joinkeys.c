/* Join keys, and the machines that come by them; see store_machines.h. */
#include <string.h>

#include "base/err.h"
#include "relay/store_ops.h"
#include "relay/store_query.h"

/* ---- keys ------------------------------------------------------------------------ */

int store_joinkey_make(struct store_engine *e, const struct store_ask *ask,
                       struct store_answer *a)
{
    const struct store_joinkey_make *in = &ask->u.joinkey_make;
    struct store_joinkey *k = &a->u.joinkey;
    int err;

    if (!query_fleet_here(e, in->fleet_id, &err, a))
        return err;
    query_make_id(k->id, in->random);
    (void)STR_COPY(k->label, in->label);
    (void)STR_COPY(k->labels, in->labels);
    k->approval = in->approval;
    k->uses_max = in->uses_max;
    k->created_ms = e->now_ms;
    k->expires_ms = in->expires_ms;

    struct query q = query_of(e, SQL_JOINKEY_MAKE);
    query_str(&q, in->fleet_id);
    query_str(&q, k->id);
    query_str(&q, k->label);
    query_str(&q, k->labels);
    query_int(&q, k->approval);
    query_blob(&q, in->hash, sizeof in->hash);
    query_int(&q, in->uses_max);
    query_int(&q, e->now_ms);
    query_int(&q, in->expires_ms);
    err = query_run(&q);
    if (err != OK)
        return query_say_unless(err, a, STORE_CONFLICT);
    err = query_audit(e, &(struct query_line){&in->actor, in->fleet_id,
                                              "join-key.make", k->id, NULL,
                                              in->label});
    return err == OK ? query_say(a, STORE_DONE) : err;
}

static void get_joinkey(struct query *q, union store_row *row)
{
    struct store_joinkey *k = &row->joinkey;

    GET_STR(q, k->id);
    GET_STR(q, k->label);
    GET_STR(q, k->labels);
    k->approval = query_get_bool(q);
    k->uses_max = (uint32_t)query_get_int(q);
    k->uses = (uint32_t)query_get_int(q);
    k->created_ms = query_get_int(q);
    k->expires_ms = query_get_int(q);
    k->revoked_ms = query_get_int(q);
}

int store_joinkey_list(struct store_engine *e, const struct store_ask *ask,
                       struct store_answer *a)
{
    const struct store_list *in = &ask->u.list;
    struct query q = query_of(e, SQL_JOINKEY_LIST);

    query_str(&q, in->fleet_id);
    query_int(&q, in->after_ms);
    query_str(&q, in->after_id);
    query_page(&q, in->limit);
    return query_list(&q, ask, in->limit, get_joinkey, a);
}

int store_joinkey_revoke(struct store_engine *e, const struct store_ask *ask,
                         struct store_answer *a)
{
    const struct store_revoke *in = &ask->u.revoke;
    bool revoked = false;

    struct query q = query_of(e, SQL_JOINKEY_FIND);
    query_str(&q, in->fleet_id);
    query_str(&q, in->id);
    int n = query_row(&q);
    if (n == 1) {
        GET_STR(&q, a->u.id);
        revoked = query_get_bool(&q);
        n = query_row(&q) == 1 ? 2 : 1;
    }
    query_end(&q);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    if (n == 2 || revoked)
        return query_say(a, n == 2 ? STORE_AMBIGUOUS : STORE_REVOKED);

    q = query_of(e, SQL_JOINKEY_REVOKE);
    query_str(&q, in->fleet_id);
    query_str(&q, a->u.id);
    query_int(&q, e->now_ms);
    int err = query_run(&q);
    if (err == OK)
        err = query_audit(e, &(struct query_line){&in->actor, in->fleet_id,
                                                  "join-key.revoke", a->u.id,
                                                  NULL, NULL});
    return err == OK ? query_say(a, STORE_DONE) : err;
}

/* ---- joining ----------------------------------------------------------------------- */

struct key {
    char fleet_id[UUID_CAP];
    char id[UUID_CAP];
    char labels[STORE_LABELS_CAP];
    bool approval;
};

static int check_key(struct store_engine *e, const uint8_t *hash,
                     struct key *out, struct store_answer *a)
{
    struct query q = query_of(e, SQL_JOINKEY_CHECK);
    int64_t uses_max = 0, uses = 0, expires = 0, revoked = 0;

    query_blob(&q, hash, STORE_HASH);
    int n = query_row(&q);
    if (n == 1) {
        GET_STR(&q, out->fleet_id);
        GET_STR(&q, out->id);
        uses_max = query_get_int(&q);
        uses = query_get_int(&q);
        expires = query_get_int(&q);
        revoked = query_get_int(&q);
        out->approval = query_get_bool(&q);
        GET_STR(&q, out->labels);
    }
    query_end(&q);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    if (revoked != 0)
        return query_say(a, STORE_REVOKED);
    if (query_is_over(e, expires))
        return query_say(a, STORE_EXPIRED);
    return query_say(a, uses_max != 0 && uses >= uses_max ? STORE_USED_UP
                                                          : STORE_DONE);
}

/* One more machine in this fleet, if it may have one. */
static int count_machine(struct store_engine *e, const char *fleet_id,
                         struct store_answer *a)
{
    struct query q = query_of(e, SQL_MACHINE_COUNT);

    query_str(&q, fleet_id);
    query_int(&q, STORE_FLEET_MACHINES_MAX);
    int err = query_run(&q);
    if (err == OK && query_changed(e) == 0)
        return query_say(a, STORE_LIMIT);
    return err;
}

static bool is_zero(const uint8_t *p, size_t len)
{
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++)
        any |= p[i];
    return any == 0;
}

static int insert_machine(struct store_engine *e, const struct store_enrol *in,
                          const struct key *key, const struct store_machine *m)
{
    struct query q = query_of(e, SQL_MACHINE_MAKE);

    query_str(&q, m->fleet_id);
    query_str(&q, m->id);
    query_str(&q, m->name);
    query_str(&q, key->id);
    query_int(&q, e->now_ms);
    query_facts(&q, &in->facts);
    query_blob(&q, in->public_key, sizeof in->public_key);
    query_str(&q, m->labels);
    query_int(&q, m->state);
    query_blob(&q, m->holder, sizeof m->holder);
    query_int(&q, (int64_t)m->epoch);
    int err = query_run(&q);
    if (err != OK)
        return err;
    q = query_of(e, SQL_LINK_MAKE);
    query_str(&q, m->fleet_id);
    query_str(&q, m->id);
    query_str(&q, m->fleet_id);
    query_str(&q, m->name);
    query_int(&q, e->now_ms);
    query_str(&q, key->id);
    return query_run(&q);
}

/* A machine that nobody knew. */
static int make_machine(struct store_engine *e, const struct store_enrol *in,
                        const struct key *key, struct store_machine *m,
                        struct store_answer *a)
{
    int err = count_machine(e, key->fleet_id, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    query_make_id(m->id, in->random);
    (void)STR_COPY(m->fleet_id, key->fleet_id);
    (void)STR_COPY(m->name, in->name);
    (void)STR_COPY(m->labels, key->labels);
    memcpy(m->public_key, in->public_key, sizeof m->public_key);
    m->facts = in->facts;
    m->state = key->approval ? STORE_STATE_PENDING : STORE_STATE_ACTIVE;
    m->created_ms = m->last_seen_ms = m->key_since_ms = e->now_ms;
    m->key_version = 1;
    m->created = true;
    if (!is_zero(in->claim.instance, STORE_INSTANCE)) {
        memcpy(m->holder, in->claim.instance, STORE_INSTANCE);
        m->epoch = in->claim.epoch + 1;
    }
    err = insert_machine(e, in, key, m);
    if (err != OK)
        return query_say_unless(err, a, STORE_CONFLICT);
    if (m->state == STORE_STATE_PENDING)
        return query_keep(e, a, STORE_PENDING);
    return OK;
}

/* One that the fleet knows: what it says now, and who holds it. */
static int make_again(struct store_engine *e, const struct store_enrol *in,
                      const struct key *key, struct store_machine *m,
                      struct store_answer *a)
{
    struct query q = query_of(e, SQL_MACHINE_AGAIN);

    query_str(&q, key->fleet_id);
    query_str(&q, m->id);
    query_str(&q, in->name);
    query_str(&q, key->id);
    query_int(&q, e->now_ms);
    query_facts(&q, &in->facts);
    int err = query_run(&q);
    if (err == OK) /* its name may be one that people gave */
        err = query_machine(e, SQL_MACHINE_BY_ID, m->fleet_id, m->id, m);
    if (err < 0)
        return err;
    q = query_of(e, SQL_LINK_RENAME);
    query_str(&q, m->fleet_id);
    query_str(&q, m->id);
    query_str(&q, m->name);
    err = query_run(&q);
    if (err != OK)
        return err;
    /* Whoever only joins, as a verb does, holds nothing and takes nothing. */
    if (is_zero(in->claim.instance, STORE_INSTANCE))
        return query_state(m, a);
    return query_claim(e, m, &in->claim, a);
}

static int find_known(struct store_engine *e, const struct store_enrol *in,
                      const struct key *key, struct store_machine *m,
                      struct store_answer *a)
{
    struct query q = query_of(e, SQL_MACHINE_BY_KEY);

    query_blob(&q, in->public_key, STORE_KEY);
    int n = query_row(&q);
    if (n == 1)
        query_get_machine(&q, m);
    query_end(&q);
    if (n == 1) {
        if (strcmp(m->fleet_id, key->fleet_id) != 0)
            a->outcome = STORE_CONFLICT;
        return 1;
    }
    q = query_of(e, SQL_MACHINE_BY_PREVIOUS);
    query_blob(&q, in->public_key, STORE_KEY);
    if (n == 0 && (n = query_row(&q)) == 1)
        a->outcome = STORE_STRUCK; /* another key took its place */
    query_end(&q);
    return n < 0 ? n : 0;
}

static int count_use(struct store_engine *e, const struct key *key,
                     const struct store_machine *m)
{
    struct store_actor actor = {.kind = "join-key"};
    struct query q = query_of(e, SQL_JOINKEY_USE);

    query_str(&q, key->fleet_id);
    query_str(&q, key->id);
    int err = query_run(&q);
    if (err != OK)
        return err;
    (void)STR_COPY(actor.name, key->id);
    return query_audit(
        e, &(struct query_line){
               &actor, key->fleet_id, "machine.enrol", m->id,
               m->state == STORE_STATE_PENDING ? "pending" : NULL, m->name});
}

int store_enrol(struct store_engine *e, const struct store_ask *ask,
                struct store_answer *a)
{
    const struct store_enrol *in = &ask->u.enrol;
    struct store_machine *m = &a->u.machine;
    struct key key = {0};

    int err = check_key(e, in->join_hash, &key, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    int known = find_known(e, in, &key, m, a);
    if (known < 0 || a->outcome != STORE_DONE)
        return known < 0 ? known : OK;
    err = query_need(e, STORE_SWEARS);
    if (err != OK)
        return err;
    err = known == 1 ? make_again(e, in, &key, m, a)
                     : make_machine(e, in, &key, m, a);
    if (err != OK || (a->outcome != STORE_DONE && !m->created))
        return err;
    if (a->outcome != STORE_DONE && a->outcome != STORE_PENDING)
        return OK; /* refused after all: nothing of it stays */
    return count_use(e, &key, m);
}
