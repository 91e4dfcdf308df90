/* Who is in a fleet, and who is invited; see store_fleets.h. */
#include <string.h>

#include "base/err.h"
#include "relay/store_ops.h"
#include "relay/store_query.h"

/* ---- members --------------------------------------------------------------------- */

static void get_member(struct query *q, union store_row *row)
{
    struct store_member *m = &row->member;

    GET_STR(q, m->fleet_id);
    GET_STR(q, m->person_id);
    GET_STR(q, m->login);
    GET_STR(q, m->name);
    GET_STR(q, m->email);
    m->has_totp = query_get_bool(q);
    m->role = query_get_role(q);
    m->joined_ms = query_get_int(q);
    m->disabled_ms = query_get_int(q);
}

int store_member_list(struct store_engine *e, const struct store_ask *ask,
                      struct store_answer *a)
{
    const struct store_list *in = &ask->u.list;
    struct query q = query_of(e, SQL_MEMBER_LIST);

    query_str(&q, in->fleet_id);
    query_str(&q, in->after_name);
    query_page(&q, in->limit);
    return query_list(&q, ask, in->limit, get_member, a);
}

/* How he stands there now; he is a member. */
static int show(struct store_engine *e, const char *fleet_id,
                const char *person_id, struct store_answer *a)
{
    union store_row row = {0};
    struct query q = query_of(e, SQL_MEMBER_SHOW);

    query_str(&q, fleet_id);
    query_str(&q, person_id);
    int n = query_row(&q);
    if (n == 1)
        get_member(&q, &row);
    query_end(&q);
    a->u.member = row.member;
    return n < 0 ? n : OK;
}

/* Has the fleet an owner but this one: says LAST_OWNER when not. */
static int keep_owner(struct store_engine *e, const char *fleet_id,
                      const char *person_id, struct store_answer *a)
{
    struct query q = query_of(e, SQL_MEMBER_OTHER_OWNER);

    query_str(&q, fleet_id);
    query_str(&q, person_id);
    int n = query_row(&q);
    query_end(&q);
    return n < 0 ? n : query_say(a, n == 1 ? STORE_DONE : STORE_LAST_OWNER);
}

/* 1, 0 or negative: is there such a person, and may it come in. */
static int is_person(struct store_engine *e, const char *id, bool *disabled)
{
    struct query q = query_of(e, SQL_PERSON_BY_ID);

    query_str(&q, id);
    int n = query_row(&q);
    *disabled = n == 1 && sqlite3_column_int64(q.st, 7) != 0;
    query_end(&q);
    return n;
}

static int add(struct store_engine *e, const struct store_member_set *in,
               struct store_answer *a)
{
    bool disabled;
    int err;

    if (!query_fleet_here(e, in->fleet_id, &err, a))
        return err;
    int n = is_person(e, in->person_id, &disabled);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    a->outcome = STORE_DONE;
    return query_join(e, in->fleet_id, in->person_id, in->role, a);
}

static int set_role(struct store_engine *e, const struct store_member_set *in,
                    enum store_role was, struct store_answer *a)
{
    a->outcome = STORE_DONE;
    if (was == STORE_OWNER && in->role != STORE_OWNER) {
        int err = keep_owner(e, in->fleet_id, in->person_id, a);
        if (err != OK || a->outcome != STORE_DONE)
            return err;
    }
    struct query q = query_of(e, SQL_MEMBER_ROLE);
    query_str(&q, in->fleet_id);
    query_str(&q, in->person_id);
    query_str(&q, store_role_str(in->role));
    return query_run(&q);
}

int store_member_set(struct store_engine *e, const struct store_ask *ask,
                     struct store_answer *a)
{
    const struct store_member_set *in = &ask->u.member_set;
    struct store_who who = {0};
    bool disabled = false;

    int was = query_member(e, in->fleet_id, in->person_id, &who, &disabled);
    if (was < 0)
        return was;
    if (was == 0 && !in->add)
        return query_say(a, STORE_UNKNOWN);
    if (was == 1 && who.role < in->most)
        return query_say(a, STORE_DENIED);
    int err = was == 1 ? set_role(e, in, who.role, a) : add(e, in, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    if (was == 0 || who.role != in->role)
        err =
            query_audit(e, &(struct query_line){
                               &in->actor, in->fleet_id,
                               was == 1 ? "member.role" : "member.add",
                               in->person_id, NULL, store_role_str(in->role)});
    if (err == OK)
        err = show(e, in->fleet_id, in->person_id, a);
    a->u.member.added = was == 0;
    return err != OK ? err : query_say(a, STORE_DONE);
}

static int end_tokens(struct store_engine *e,
                      const struct store_member_remove *in, uint32_t *count)
{
    struct query q = query_of(e, SQL_TOKEN_END_MEMBER);

    query_str(&q, in->fleet_id);
    query_str(&q, in->person_id);
    query_int(&q, e->now_ms);
    int err = query_run(&q);
    *count = query_changed(e);
    return err;
}

int store_member_remove(struct store_engine *e, const struct store_ask *ask,
                        struct store_answer *a)
{
    const struct store_member_remove *in = &ask->u.member_remove;
    struct store_who who = {0};
    bool disabled;
    int err = OK;

    int n = query_member(e, in->fleet_id, in->person_id, &who, &disabled);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    if (who.role < in->most)
        return query_say(a, STORE_DENIED);
    a->outcome = STORE_DONE;
    if (who.role == STORE_OWNER)
        err = keep_owner(e, in->fleet_id, in->person_id, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    err = end_tokens(e, in, &a->u.ended.count);
    if (err != OK)
        return err;
    struct query q = query_of(e, SQL_MEMBER_REMOVE); /* and its access */
    query_str(&q, in->fleet_id);
    query_str(&q, in->person_id);
    err = query_run(&q);
    (void)STR_COPY(a->u.ended.fleet_id, in->fleet_id);
    (void)STR_COPY(a->u.ended.person_id, in->person_id);
    if (err == OK)
        err = query_audit(
            e, &(struct query_line){&in->actor, in->fleet_id, "member.remove",
                                    in->person_id, NULL, who.login});
    return err;
}

/* ---- invitations ------------------------------------------------------------------------- */

static void get_invite(struct query *q, struct store_invite *i)
{
    GET_STR(q, i->id);
    GET_STR(q, i->fleet_id);
    GET_STR(q, i->fleet_name);
    GET_STR(q, i->email);
    i->role = query_get_role(q);
    i->state = (enum store_invite_state)query_get_int(q);
    i->created_ms = query_get_int(q);
    i->expires_ms = query_get_int(q);
}

/* The outcome that an invitation means now. */
static enum store_outcome outcome_of(const struct store_engine *e,
                                     const struct store_invite *i)
{
    switch (i->state) {
    case STORE_INVITE_OPEN:
        return query_is_over(e, i->expires_ms) ? STORE_EXPIRED : STORE_DONE;
    case STORE_INVITE_ACCEPTED: return STORE_USED_UP;
    case STORE_INVITE_DECLINED: return STORE_DENIED;
    case STORE_INVITE_CANCELLED: return STORE_REVOKED;
    }
    return STORE_REVOKED; /* a state that we do not know */
}

int query_invite_open(struct store_engine *e, const uint8_t hash[STORE_HASH],
                      struct store_invite *out, struct store_answer *a)
{
    struct query q = query_of(e, SQL_INVITE_BY_HASH);

    query_blob(&q, hash, STORE_HASH);
    int n = query_row(&q);
    if (n == 1)
        get_invite(&q, out);
    query_end(&q);
    a->outcome = n == 1 ? outcome_of(e, out) : STORE_UNKNOWN;
    if (n < 0)
        return n;
    return a->outcome == STORE_DONE ? 1 : 0;
}

int query_invite_set(struct store_engine *e, const struct store_invite *i,
                     enum store_invite_state state)
{
    struct query q = query_of(e, SQL_INVITE_STATE);

    query_str(&q, i->fleet_id);
    query_str(&q, i->id);
    query_int(&q, state);
    return query_run(&q);
}

static int invite_room(struct store_engine *e, const char *fleet_id,
                       struct store_answer *a)
{
    struct query q = query_of(e, SQL_INVITE_COUNT);

    query_str(&q, fleet_id);
    query_int(&q, e->now_ms);
    int64_t n = query_count(&q);
    if (n < 0)
        return (int)n;
    return query_say(a, n < STORE_FLEET_INVITES_MAX ? STORE_DONE : STORE_LIMIT);
}

static int insert_invite(struct store_engine *e,
                         const struct store_invite_make *in, const char *id)
{
    struct query q = query_of(e, SQL_INVITE_REPLACE);

    query_str(&q, in->fleet_id);
    query_str(&q, in->email);
    int err = query_run(&q);
    if (err != OK)
        return err;
    q = query_of(e, SQL_INVITE_MAKE);
    query_str(&q, in->fleet_id);
    query_str(&q, id);
    query_str(&q, in->email);
    query_str(&q, store_role_str(in->role));
    query_blob(&q, in->hash, sizeof in->hash);
    query_int(&q, e->now_ms);
    query_int(&q, in->expires_ms);
    return query_run(&q);
}

int store_invite_make(struct store_engine *e, const struct store_ask *ask,
                      struct store_answer *a)
{
    const struct store_invite_make *in = &ask->u.invite_make;
    char id[UUID_CAP];
    int err;

    if (!query_fleet_here(e, in->fleet_id, &err, a))
        return err;
    err = invite_room(e, in->fleet_id, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    query_make_id(id, in->random);
    err = insert_invite(e, in, id);
    if (err != OK)
        return query_say_unless(err, a, STORE_CONFLICT);
    err = query_audit(e,
                      &(struct query_line){&in->actor, in->fleet_id,
                                           "invite.make", id, NULL, in->email});
    if (err != OK)
        return err;
    int n = query_invite_open(e, in->hash, &a->u.invite, a);
    return n < 0 ? n : query_say(a, STORE_DONE);
}

static void get_row(struct query *q, union store_row *row)
{
    get_invite(q, &row->invite);
}

int store_invite_list(struct store_engine *e, const struct store_ask *ask,
                      struct store_answer *a)
{
    const struct store_list *in = &ask->u.list;
    struct query q = query_of(e, SQL_INVITE_LIST);

    query_str(&q, in->fleet_id);
    query_int(&q, in->after_ms);
    query_str(&q, in->after_id);
    query_page(&q, in->limit);
    return query_list(&q, ask, in->limit, get_row, a);
}

/* The invitation that a fleet means by a prefix; the outcome tells whether
 * anything can be done with it. */
static int find_open(struct store_engine *e, const char *fleet_id,
                     const char *prefix, struct store_invite *i,
                     struct store_answer *a)
{
    struct query q = query_of(e, SQL_INVITE_FIND);

    query_str(&q, fleet_id);
    query_str(&q, prefix);
    int n = query_row(&q);
    if (n == 1) {
        (void)STR_COPY(i->fleet_id, fleet_id);
        GET_STR(&q, i->id);
        i->state = (enum store_invite_state)query_get_int(&q);
        i->expires_ms = query_get_int(&q);
        n = query_row(&q) == 1 ? 2 : 1;
    }
    query_end(&q);
    if (n < 0)
        return n;
    return query_say(a, n == 0                          ? STORE_UNKNOWN
                        : n == 2                        ? STORE_AMBIGUOUS
                        : i->state != STORE_INVITE_OPEN ? STORE_USED_UP
                                                        : STORE_DONE);
}

int store_invite_renew(struct store_engine *e, const struct store_ask *ask,
                       struct store_answer *a)
{
    const struct store_invite_renew *in = &ask->u.invite_renew;
    struct store_invite i = {0};

    int err = find_open(e, in->fleet_id, in->id, &i, a);
    if (err == OK && a->outcome == STORE_DONE && query_is_over(e, i.expires_ms))
        err = invite_room(e, in->fleet_id, a); /* it counts again */
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    struct query q = query_of(e, SQL_INVITE_RENEW);
    query_str(&q, i.fleet_id);
    query_str(&q, i.id);
    query_blob(&q, in->hash, sizeof in->hash);
    query_int(&q, in->expires_ms);
    err = query_run(&q);
    if (err != OK)
        return query_say_unless(err, a, STORE_CONFLICT);
    int n = query_invite_open(e, in->hash, &a->u.invite, a);
    if (n < 0)
        return n;
    a->outcome = STORE_DONE;
    return query_audit(e, &(struct query_line){&in->actor, in->fleet_id,
                                               "invite.renew", i.id, NULL,
                                               a->u.invite.email});
}

int store_invite_cancel(struct store_engine *e, const struct store_ask *ask,
                        struct store_answer *a)
{
    const struct store_revoke *in = &ask->u.revoke;
    struct store_invite i = {0};

    int err = find_open(e, in->fleet_id, in->id, &i, a);
    (void)STR_COPY(a->u.id, i.id);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    err = query_invite_set(e, &i, STORE_INVITE_CANCELLED);
    if (err == OK)
        err = query_audit(e, &(struct query_line){&in->actor, in->fleet_id,
                                                  "invite.cancel", i.id, NULL,
                                                  NULL});
    return err == OK ? query_say(a, STORE_DONE) : err;
}

int store_invite_by_hash(struct store_engine *e, const struct store_ask *ask,
                         struct store_answer *a)
{
    int n = query_invite_open(e, ask->u.invite_by_hash.hash, &a->u.invite, a);

    return n < 0 ? n : OK;
}

/* Join by an open invitation: says what stands against it. */
static int join(struct store_engine *e, const struct store_invite_answer *in,
                const struct store_invite *i, struct store_answer *a)
{
    struct store_who who = {0};
    bool disabled = false;

    int n = is_person(e, in->person_id, &disabled);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    if (disabled)
        return query_say(a, STORE_DISABLED);
    n = query_member(e, i->fleet_id, in->person_id, &who, &disabled);
    if (n != 0)
        return n < 0 ? n : query_say(a, STORE_CONFLICT);
    int err = query_join(e, i->fleet_id, in->person_id, i->role, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    return show(e, i->fleet_id, in->person_id, a);
}

int store_invite_accept(struct store_engine *e, const struct store_ask *ask,
                        struct store_answer *a)
{
    const struct store_invite_answer *in = &ask->u.invite_answer;
    struct store_invite i = {0};

    int n = query_invite_open(e, in->hash, &i, a);
    if (n <= 0)
        return n < 0 ? n : OK;
    int err = join(e, in, &i, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    err = query_invite_set(e, &i, STORE_INVITE_ACCEPTED);
    if (err == OK)
        err = query_audit(e, &(struct query_line){&in->actor, i.fleet_id,
                                                  "invite.accept", i.id, NULL,
                                                  in->person_id});
    return err;
}

int store_invite_decline(struct store_engine *e, const struct store_ask *ask,
                         struct store_answer *a)
{
    const struct store_invite_answer *in = &ask->u.invite_answer;
    struct store_invite *i = &a->u.invite;

    int n = query_invite_open(e, in->hash, i, a);
    if (n <= 0)
        return n < 0 ? n : OK;
    i->state = STORE_INVITE_DECLINED;
    int err = query_invite_set(e, i, STORE_INVITE_DECLINED);
    if (err == OK)
        err = query_audit(e, &(struct query_line){&in->actor, i->fleet_id,
                                                  "invite.decline", i->id, NULL,
                                                  i->email});
    return err;
}
