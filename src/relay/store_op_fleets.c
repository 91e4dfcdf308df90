/* Fleets: the first one, further ones, what they demand, their end; see
 * store_fleets.h. */
#include <string.h>

#include "base/err.h"
#include "relay/store_check.h"
#include "relay/store_ops.h"
#include "relay/store_query.h"

#define HOME "home" /* the slug of the relay's own fleet */

static int insert_fleet(struct store_engine *e, const char *id,
                        const char *slug, const char *name,
                        enum store_fleet_kind kind)
{
    struct query q = query_of(e, SQL_FLEET_MAKE);

    query_str(&q, id);
    query_str(&q, slug);
    query_str(&q, name);
    query_int(&q, kind);
    query_int(&q, e->now_ms);
    return query_run(&q);
}

/* ---- first start -------------------------------------------------------------------- */

static int find_home(struct store_engine *e, struct store_who *who)
{
    bool disabled;
    struct query q = query_of(e, SQL_HOME);
    int n = query_row(&q);

    if (n == 1)
        query_get_who(&q, who, &disabled);
    query_end(&q);
    return n;
}

/* A name of the system as a login: what may not be in one becomes '-'. */
static void login_of(const char *name, char out[STORE_LOGIN_CAP])
{
    size_t n = bytes_to_str(out, STORE_LOGIN_CAP, view_str(name));

    for (size_t i = 0; i < n; i++) {
        char c = out[i];
        if (c >= 'A' && c <= 'Z')
            out[i] = (char)(c - 'A' + 'a');
        else if (c <= ' ' || c > '~')
            out[i] = '-';
    }
}

static int make_owner(struct store_engine *e, const struct store_who *who)
{
    struct query q = query_of(e, SQL_PERSON_MAKE);

    query_str(&q, who->user_id);
    query_str(&q, who->login);
    query_str(&q, who->user_name);
    query_str(&q, "");
    query_str(&q, "");
    query_int(&q, e->now_ms);
    int err = query_run(&q);
    if (err != OK)
        return err;
    q = query_of(e, SQL_MEMBER_MAKE);
    query_str(&q, who->fleet_id);
    query_str(&q, who->user_id);
    query_str(&q, store_role_str(STORE_OWNER));
    query_int(&q, e->now_ms);
    return query_run(&q);
}

int store_setup(struct store_engine *e, const struct store_ask *ask,
                struct store_answer *a)
{
    static const struct store_actor relay = {.kind = "relay"};
    const struct store_setup *in = &ask->u.setup;
    struct store_who *who = &a->u.who;

    int n = find_home(e, who);
    if (n != 0)
        return n < 0 ? n : query_say(a, STORE_DONE);
    int err = query_need(e, STORE_SWEARS);
    if (err != OK)
        return err;
    query_make_id(who->fleet_id, in->random);
    query_make_id(who->user_id, in->random + STORE_RANDOM);
    (void)STR_COPY(who->fleet_name, in->fleet_name);
    (void)STR_COPY(who->user_name, in->user_name);
    login_of(in->user_name, who->login);
    who->role = STORE_OWNER;
    who->created = true;
    err = insert_fleet(e, who->fleet_id, HOME, in->fleet_name, STORE_TEAM);
    if (err == OK)
        err = make_owner(e, who);
    if (err == OK)
        err = query_audit(e, &(struct query_line){&relay, who->fleet_id,
                                                  "fleet.make", who->fleet_id,
                                                  NULL, who->user_id});
    return err == OK ? query_say(a, STORE_DONE)
                     : query_say_unless(err, a, STORE_CONFLICT);
}

/* ---- look ------------------------------------------------------------------------------ */

static void get_fleet(struct query *q, struct store_fleet *f)
{
    GET_STR(q, f->id);
    GET_STR(q, f->slug);
    GET_STR(q, f->name);
    f->kind = (enum store_fleet_kind)query_get_int(q);
    query_get_policy(q, &f->policy);
    f->machines = (uint32_t)query_get_int(q);
    f->created_ms = query_get_int(q);
    f->role = query_get_role(q);
}

static int find(struct store_engine *e, const char *fleet_id,
                const char *person_id, struct store_answer *a)
{
    struct query q = query_of(e, SQL_FLEET_GET);

    query_str(&q, fleet_id);
    query_str(&q, person_id);
    int n = query_row(&q);
    if (n == 1)
        get_fleet(&q, &a->u.fleet);
    query_end(&q);
    return n < 0 ? n : query_say(a, n == 1 ? STORE_DONE : STORE_UNKNOWN);
}

int store_fleet_get(struct store_engine *e, const struct store_ask *ask,
                    struct store_answer *a)
{
    return find(e, ask->u.fleet_get.fleet_id, ask->u.fleet_get.person_id, a);
}

static void get_row(struct query *q, union store_row *row)
{
    get_fleet(q, &row->fleet);
}

int store_fleet_list(struct store_engine *e, const struct store_ask *ask,
                     struct store_answer *a)
{
    const struct store_fleet_list *in = &ask->u.fleet_list;
    struct query q = query_of(e, in->person_id[0] != '\0' ? SQL_FLEET_LIST
                                                          : SQL_FLEET_LIST_ALL);

    query_str(&q, in->person_id);
    query_str(&q, in->list.after_name);
    query_str(&q, in->list.after_id);
    query_page(&q, in->list.limit);
    return query_list(&q, ask, in->list.limit, get_row, a);
}

/* ---- make, set ---------------------------------------------------------------------------- */

/* 1, 0 or negative: is there such a person. */
static int is_person(struct store_engine *e, const char *id)
{
    struct query q = query_of(e, SQL_PERSON_BY_ID);

    query_str(&q, id);
    int n = query_row(&q);
    query_end(&q);
    return n;
}

int store_fleet_make(struct store_engine *e, const struct store_ask *ask,
                     struct store_answer *a)
{
    const struct store_fleet_make *in = &ask->u.fleet_make;
    char id[UUID_CAP], slug[STORE_SLUG_CAP];

    int n = is_person(e, in->person_id);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    query_make_id(id, in->random);
    (void)bytes_to_str(slug, sizeof slug,
                       in->slug[0] != '\0' ? view_str(in->slug)
                                           : view_of(id, 13));
    int err = insert_fleet(e, id, slug, in->name, in->kind);
    if (err != OK)
        return query_say_unless(err, a, STORE_CONFLICT);
    a->outcome = STORE_DONE;
    err = query_join(e, id, in->person_id, STORE_OWNER, a);
    if (err == OK && a->outcome == STORE_DONE)
        err = query_audit(e, &(struct query_line){&in->actor, id, "fleet.make",
                                                  id, NULL, in->person_id});
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    return find(e, id, in->person_id, a);
}

int store_fleet_set(struct store_engine *e, const struct store_ask *ask,
                    struct store_answer *a)
{
    const struct store_fleet_set *in = &ask->u.fleet_set;
    struct query q =
        query_of(e, in->name_only ? SQL_FLEET_NAME : SQL_FLEET_SET);

    query_str(&q, in->fleet_id);
    query_str(&q, in->name);
    if (!in->name_only) {
        query_int(&q, in->policy.mfa_required);
        query_str(&q, in->policy.ip_allow);
        query_int(&q, in->policy.session_ms);
        query_int(&q, in->policy.mode);
    }
    int err = query_run(&q);
    if (err == OK && query_changed(e) == 0)
        return query_say(a, STORE_UNKNOWN);
    if (err == OK)
        err = query_audit(e, &(struct query_line){&in->actor, in->fleet_id,
                                                  "fleet.set", in->fleet_id,
                                                  NULL, in->name});
    return err == OK ? find(e, in->fleet_id, "", a) : err;
}

/* ---- the end -------------------------------------------------------------------------------- */

static int with_fleet(struct store_engine *e, enum store_sql which,
                      const char *fleet_id, bool timed)
{
    struct query q = query_of(e, which);

    query_str(&q, fleet_id);
    if (timed)
        query_int(&q, e->now_ms);
    return query_run(&q);
}

static int take_apart(struct store_engine *e, const char *id, uint32_t *ended)
{
    int err = with_fleet(e, SQL_TOKEN_END_FLEET, id, true);

    *ended = query_changed(e);
    if (err == OK)
        err = with_fleet(e, SQL_FLEET_END_JOINKEYS, id, true);
    if (err == OK)
        err = with_fleet(e, SQL_FLEET_END_INVITES, id, false);
    if (err == OK)
        err = with_fleet(e, SQL_FLEET_UNCOUNT_LINKS, id, false);
    if (err == OK)
        err = with_fleet(e, SQL_FLEET_UNLINK, id, false);
    if (err == OK)
        err = with_fleet(e, SQL_FLEET_REMOVE, id, true);
    return err;
}

int store_fleet_remove(struct store_engine *e, const struct store_ask *ask,
                       struct store_answer *a)
{
    const struct store_fleet_remove *in = &ask->u.fleet_remove;
    char slug[STORE_SLUG_CAP] = "";

    struct query q = query_of(e, SQL_FLEET_HERE);
    query_str(&q, in->fleet_id);
    int n = query_row(&q);
    if (n == 1)
        GET_STR(&q, slug);
    query_end(&q);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    if (strcmp(slug, HOME) == 0)
        return query_say(a, STORE_CONFLICT);
    (void)STR_COPY(a->u.ended.fleet_id, in->fleet_id);
    int err = take_apart(e, in->fleet_id, &a->u.ended.count);
    if (err == OK)
        err = query_audit(e, &(struct query_line){&in->actor, in->fleet_id,
                                                  "fleet.remove", in->fleet_id,
                                                  NULL, slug});
    return err == OK ? query_say(a, STORE_DONE) : err;
}
