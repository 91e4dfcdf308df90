/* Bearer secrets: made, checked, listed, revoked, moved; see
 * store_tokens.h. */
#include <string.h>

#include "base/err.h"
#include "relay/store_found.h"
#include "relay/store_ops.h"

/* ---- found ------------------------------------------------------------------------ */

static void get_found(struct query *q, struct found *f)
{
    struct store_who *w = &f->who;

    memset(f, 0, sizeof *f);
    f->is_member = sqlite3_column_type(q->st, 7) != SQLITE_NULL; /* the role */
    query_get_who(q, w, &f->disabled);
    GET_STR(q, w->token_id);
    GET_STR(q, w->family);
    w->kind = (enum store_token_kind)query_get_int(q);
    GET_STR(q, w->scope);
    w->created_ms = query_get_int(q);
    w->expires_ms = query_get_int(q);
    w->last_used_ms = query_get_int(q);
    f->revoked_ms = query_get_int(q);
    f->used_ms = query_get_int(q);
    GET_STR(q, f->successor_id);
    query_get_client(q, &f->client);
    GET_STR(q, f->label);
}

int store_found_by_hash(struct store_engine *e, const uint8_t hash[STORE_HASH],
                        struct found *out)
{
    struct query q = query_of(e, SQL_TOKEN_BY_HASH);

    query_blob(&q, hash, STORE_HASH);
    int n = query_row(&q);
    if (n > 0)
        get_found(&q, out);
    query_end(&q);
    return n;
}

int store_found_by_id(struct store_engine *e, const char *fleet_id,
                      const char *id, struct found *out)
{
    struct query q = query_of(e, SQL_TOKEN_BY_ID);

    query_str(&q, fleet_id);
    query_str(&q, id);
    int n = query_row(&q);
    if (n > 0)
        get_found(&q, out);
    query_end(&q);
    return n;
}

/* ---- make ------------------------------------------------------------------------- */

int store_mint(struct store_engine *e, const struct minted *m)
{
    struct query q = query_of(e, SQL_TOKEN_MAKE);

    query_str(&q, m->fleet_id);
    query_str(&q, m->id);
    query_str(&q, m->person_id);
    query_int(&q, m->kind);
    query_str(&q, m->family);
    query_str(&q, m->label);
    query_str(&q, m->scope);
    query_blob(&q, m->secret->hash, STORE_HASH);
    query_str(&q, m->secret->prefix);
    query_int(&q, e->now_ms);
    query_int(&q, m->secret->expires_ms);
    query_str(&q, m->successor_id);
    query_client(&q, m->client);
    return query_run(&q);
}

int store_mint_room(struct store_engine *e, const char *fleet_id,
                    const char *person_id, struct store_answer *a)
{
    struct query q = query_of(e, SQL_TOKEN_COUNT);

    query_str(&q, person_id);
    query_str(&q, fleet_id);
    query_int(&q, e->now_ms);
    int64_t n = query_count(&q);
    if (n < 0)
        return (int)n;
    return query_say(a, n < STORE_PERSON_TOKENS_MAX ? STORE_DONE : STORE_LIMIT);
}

/* Says DENIED when the password that was shown is not in force any more. */
static int check_password(struct store_engine *e,
                          const struct store_token_make *in,
                          struct store_answer *a)
{
    if (in->password[0] == '\0')
        return query_say(a, STORE_DONE);
    struct query q = query_of(e, SQL_PERSON_PASSWORD_IS);
    query_str(&q, in->user_id);
    query_str(&q, in->password);
    int n = query_row(&q);
    query_end(&q);
    return n < 0 ? n : query_say(a, n == 1 ? STORE_DONE : STORE_DENIED);
}

int store_token_make(struct store_engine *e, const struct store_ask *ask,
                     struct store_answer *a)
{
    const struct store_token_make *in = &ask->u.token_make;
    struct store_who *who = &a->u.who;
    bool disabled = false;

    int n = query_member(e, in->fleet_id, in->user_id, who, &disabled);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    if (disabled)
        return query_say(a, STORE_DISABLED);
    int err = check_password(e, in, a);
    if (err == OK && a->outcome == STORE_DONE)
        err = store_mint_room(e, in->fleet_id, in->user_id, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;

    query_make_id(who->token_id, in->secret.random);
    (void)STR_COPY(who->family,
                   in->family[0] != '\0' ? in->family : who->token_id);
    who->kind = in->kind;
    (void)STR_COPY(who->scope, in->scope);
    who->created_ms = e->now_ms;
    who->expires_ms = in->secret.expires_ms;
    err = store_mint(e,
                     &(struct minted){in->fleet_id, in->user_id, in->kind,
                                      who->token_id, who->family, "", in->label,
                                      in->scope, &in->secret, &in->client});
    if (err != OK)
        return query_say_unless(err, a, STORE_CONFLICT);
    return query_audit(e, &(struct query_line){&in->actor, in->fleet_id,
                                               "token.make", who->token_id,
                                               NULL, in->label});
}

/* ---- check ------------------------------------------------------------------------- */

/* Remember that it was used, if that was not remembered lately. */
static void touch(struct store_engine *e, const struct store_who *who)
{
    int64_t age = e->now_ms - who->last_used_ms;
    struct store_touch *t = &e->touch[e->touches];

    if ((age >= 0 && age < STORE_USED_EVERY_MS) || e->touches == STORE_BATCH)
        return;
    (void)STR_COPY(t->fleet_id, who->fleet_id);
    (void)STR_COPY(t->token_id, who->token_id);
    e->touches++;
}

int store_token_check(struct store_engine *e, const struct store_ask *ask,
                      struct store_answer *a)
{
    struct found f;
    int n = store_found_by_hash(e, ask->u.token_check.hash, &f);

    if (n < 0)
        return n;
    if (n == 0 || f.who.kind == STORE_REFRESH)
        return query_say(a, STORE_UNKNOWN);
    a->u.who = f.who;
    if (f.revoked_ms != 0)
        return query_say(a, STORE_REVOKED);
    if (!f.is_member)
        return query_say(a, STORE_REVOKED);
    if (query_is_over(e, f.who.expires_ms))
        return query_say(a, STORE_EXPIRED);
    if (f.disabled)
        return query_say(a, STORE_DISABLED);
    touch(e, &f.who);
    return query_say(a, STORE_DONE);
}

/* ---- list ---------------------------------------------------------------------------- */

static void get_token(struct query *q, union store_row *row)
{
    struct store_token *t = &row->token;

    GET_STR(q, t->id);
    GET_STR(q, t->family);
    GET_STR(q, t->fleet_id);
    GET_STR(q, t->person_id);
    GET_STR(q, t->login);
    t->kind = (enum store_token_kind)query_get_int(q);
    GET_STR(q, t->label);
    GET_STR(q, t->scope);
    GET_STR(q, t->prefix);
    query_get_client(q, &t->client);
    t->created_ms = query_get_int(q);
    t->expires_ms = query_get_int(q);
    t->revoked_ms = query_get_int(q);
    t->used_ms = query_get_int(q);
    t->last_used_ms = query_get_int(q);
}

int store_token_list(struct store_engine *e, const struct store_ask *ask,
                     struct store_answer *a)
{
    const struct store_token_list *in = &ask->u.token_list;
    bool own = in->person_id[0] != '\0'; /* few rows, whichever fleet */
    struct query q = query_of(e, own ? SQL_TOKEN_LIST_OWN : SQL_TOKEN_LIST);

    query_str(&q, in->list.fleet_id);
    query_str(&q, in->person_id);
    query_int(&q, in->list.after_ms);
    query_str(&q, in->list.after_id);
    query_int(&q, in->kinds);
    query_int(&q, in->good ? e->now_ms : 0);
    query_page(&q, in->list.limit);
    return query_list(&q, ask, in->list.limit, get_token, a);
}

/* ---- revoke --------------------------------------------------------------------------- */

int store_end_family(struct store_engine *e, const char *family,
                     uint32_t *count)
{
    struct query q = query_of(e, SQL_TOKEN_END_FAMILY);

    query_str(&q, family);
    query_int(&q, e->now_ms);
    int err = query_run(&q);
    *count = query_changed(e);
    return err;
}

static int end_one(struct store_engine *e, const struct store_actor *actor,
                   struct store_answer *a)
{
    struct store_ended *out = &a->u.ended;

    int err = store_end_family(e, out->family, &out->count);
    if (err == OK)
        err = query_audit(e, &(struct query_line){actor, out->fleet_id,
                                                  "token.revoke", out->id, NULL,
                                                  NULL});
    return err == OK ? query_say(a, STORE_DONE) : err;
}

int store_token_revoke(struct store_engine *e, const struct store_ask *ask,
                       struct store_answer *a)
{
    const struct store_token_revoke *in = &ask->u.token_revoke;
    struct store_ended *out = &a->u.ended;
    bool revoked = false;

    struct query q = query_of(e, in->fleet_id[0] != '\0' ? SQL_TOKEN_FIND
                                                         : SQL_TOKEN_FIND_OWN);
    query_str(&q, in->fleet_id);
    query_str(&q, in->id);
    query_str(&q, in->person_id);
    int n = query_row(&q);
    if (n == 1) {
        GET_STR(&q, out->id);
        GET_STR(&q, out->family);
        GET_STR(&q, out->person_id);
        GET_STR(&q, out->fleet_id);
        revoked = query_get_bool(&q);
        n = query_row(&q) == 1 ? 2 : 1;
    }
    query_end(&q);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    if (n == 2 || revoked)
        return query_say(a, n == 2 ? STORE_AMBIGUOUS : STORE_REVOKED);
    return end_one(e, &in->actor, a);
}

int store_token_revoke_hash(struct store_engine *e, const struct store_ask *ask,
                            struct store_answer *a)
{
    struct store_actor actor = {.kind = "user"};
    struct store_ended *out = &a->u.ended;
    struct found f;

    int n = store_found_by_hash(e, ask->u.token_revoke_hash.hash, &f);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    (void)STR_COPY(out->id, f.who.token_id);
    (void)STR_COPY(out->family, f.who.family);
    (void)STR_COPY(out->person_id, f.who.user_id);
    (void)STR_COPY(out->fleet_id, f.who.fleet_id);
    if (f.revoked_ms != 0)
        return query_say(a, STORE_REVOKED);
    (void)STR_COPY(actor.name, f.who.user_id);
    return end_one(e, &actor, a);
}

/* ---- another fleet ------------------------------------------------------------------------ */

static int move(struct store_engine *e, const struct store_use_fleet *in,
                const char *family)
{
    struct query q = query_of(e, SQL_TOKEN_MOVE);

    query_str(&q, family);
    query_str(&q, in->fleet_id);
    query_str(&q, in->to_fleet_id);
    int err = query_run(&q);
    if (err == OK)
        err = query_audit(e, &(struct query_line){&in->actor, in->fleet_id,
                                                  "token.move", in->token_id,
                                                  NULL, in->to_fleet_id});
    if (err == OK)
        err = query_audit(e, &(struct query_line){&in->actor, in->to_fleet_id,
                                                  "token.move", in->token_id,
                                                  NULL, in->fleet_id});
    return err;
}

int store_member_use_fleet(struct store_engine *e, const struct store_ask *ask,
                           struct store_answer *a)
{
    const struct store_use_fleet *in = &ask->u.use_fleet;
    struct store_who there = {0};
    struct found f;
    bool disabled = false;

    int n = store_found_by_id(e, in->fleet_id, in->token_id, &f);
    if (n == 1)
        n = query_member(e, in->to_fleet_id, in->person_id, &there, &disabled);
    if (n < 0)
        return n;
    if (n == 0 || strcmp(f.who.user_id, in->person_id) != 0 || disabled ||
        f.revoked_ms != 0 || f.used_ms != 0 ||
        query_is_over(e, f.who.expires_ms))
        return query_say(a, STORE_UNKNOWN);
    if (f.who.kind == STORE_APIKEY)
        return query_say(a, STORE_CONFLICT);
    if (strcmp(in->fleet_id, in->to_fleet_id) != 0) {
        int err = move(e, in, f.who.family);
        if (err != OK)
            return err;
    }
    n = store_found_by_id(e, in->to_fleet_id, in->token_id, &f);
    a->u.who = f.who;
    return n < 0 ? n : query_say(a, STORE_DONE);
}
