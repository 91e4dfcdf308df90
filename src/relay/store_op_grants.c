/* Tokens for a refresh token, or for an approved device code; see
 * store_tokens.h. */
#include <string.h>

#include "base/err.h"
#include "relay/store_found.h"
#include "relay/store_ops.h"

#define FORGET_ACCESS_MS (INT64_C(24) * 3600 * 1000)
#define SWEPT_BESIDE     16 /* old device codes that each new one removes */

/* ---- two tokens at once ------------------------------------------------------------ */

struct pair {
    const char *fleet_id;
    const char *person_id;
    const char *family; /* "": the refresh token's id */
    const char *label;
    const char *scope;
    const struct store_client *client;
    const struct store_secret *access;
    const struct store_secret *refresh;
};

/* Make both; *out is of the access token. OK, ERR_EXISTS, or an error. */
static int mint_pair(struct store_engine *e, const struct pair *p,
                     char refresh_id[UUID_CAP], struct store_who *out)
{
    char access_id[UUID_CAP];
    struct found f;
    struct minted m = {.fleet_id = p->fleet_id,
                       .person_id = p->person_id,
                       .kind = STORE_REFRESH,
                       .id = refresh_id,
                       .successor_id = "",
                       .label = p->label,
                       .scope = p->scope,
                       .secret = p->refresh,
                       .client = p->client};

    query_make_id(refresh_id, p->refresh->random);
    query_make_id(access_id, p->access->random);
    m.family = p->family[0] != '\0' ? p->family : refresh_id;
    int err = store_mint(e, &m);
    if (err != OK)
        return err;
    m.kind = STORE_ACCESS;
    m.id = access_id;
    m.successor_id = refresh_id;
    m.secret = p->access;
    err = store_mint(e, &m);
    if (err != OK)
        return err;
    int n = store_found_by_id(e, p->fleet_id, access_id, &f);
    *out = f.who;
    return n < 0 ? n : OK;
}

/* ---- refresh ------------------------------------------------------------------------- */

static int mark_used(struct store_engine *e, const char *fleet_id,
                     const char *id, int64_t used_ms, const char *successor_id)
{
    struct query q = query_of(e, SQL_TOKEN_USED);

    query_str(&q, fleet_id);
    query_str(&q, id);
    query_int(&q, used_ms);
    query_str(&q, successor_id);
    return query_run(&q);
}

static int reused(struct store_engine *e, const struct found *f,
                  struct store_answer *a)
{
    struct store_actor actor = {.kind = "relay"};
    struct store_ended *out = &a->u.ended;
    const struct store_who *w = &f->who;

    int err = store_end_family(e, w->family, &out->count);
    if (err == OK)
        err = query_audit(e, &(struct query_line){&actor, w->fleet_id,
                                                  "token.reused", w->token_id,
                                                  "revoked", w->user_id});
    (void)STR_COPY(out->id, w->token_id);
    (void)STR_COPY(out->family, w->family);
    (void)STR_COPY(out->person_id, w->user_id);
    (void)STR_COPY(out->fleet_id, w->fleet_id);
    return err == OK ? query_keep(e, a, STORE_REUSED) : err;
}

/* Did somebody come with the access token made beside this refresh token? 1,
 * 0 or negative. */
static int access_used(struct store_engine *e, const char *family,
                       const char *refresh_id)
{
    struct query q = query_of(e, SQL_TOKEN_ACCESS_USED);

    query_str(&q, family);
    query_str(&q, refresh_id);
    int n = query_row(&q);
    if (n == 1)
        n = query_get_int(&q) > 0;
    query_end(&q);
    return n;
}

/*
 * The token was used before, but what it made may never have arrived: if
 * neither of the two that it made was used, void them. 1 when so, 0 when this
 * is a second use, or negative.
 */
static int void_successor(struct store_engine *e, const struct found *f)
{
    const struct store_who *w = &f->who;
    struct found next;

    if (f->successor_id[0] == '\0') /* void itself */
        return 0;
    int n = store_found_by_id(e, w->fleet_id, f->successor_id, &next);
    if (n <= 0 || next.used_ms != 0 || next.revoked_ms != 0)
        return n < 0 ? n : 0;
    n = access_used(e, w->family, f->successor_id);
    if (n != 0)
        return n < 0 ? n : 0;
    int err = mark_used(e, w->fleet_id, f->successor_id, e->now_ms, "");
    if (err != OK)
        return err;
    struct query q = query_of(e, SQL_TOKEN_END_ACCESS);
    query_str(&q, w->family);
    query_str(&q, f->successor_id);
    query_int(&q, e->now_ms);
    err = query_run(&q);
    return err == OK ? 1 : err;
}

static int forget_old_access(struct store_engine *e, const char *family)
{
    struct query q = query_of(e, SQL_TOKEN_FORGET_ACCESS);

    query_str(&q, family);
    query_int(&q, e->now_ms - FORGET_ACCESS_MS);
    return query_run(&q);
}

/* Whoever refreshes without end signs in again: says REVOKED. */
static int family_room(struct store_engine *e, const char *family,
                       struct store_answer *a)
{
    struct query q = query_of(e, SQL_TOKEN_COUNT_FAMILY);

    query_str(&q, family);
    int64_t n = query_count(&q);
    if (n < 0)
        return (int)n;
    return query_say(a,
                     n < STORE_FAMILY_TOKENS_MAX ? STORE_DONE : STORE_REVOKED);
}

static int grant(struct store_engine *e, const struct store_token_refresh *in,
                 struct found *f, struct store_answer *a)
{
    char next_id[UUID_CAP];
    const struct store_who *w = &f->who;

    int err = family_room(e, w->family, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    (void)STR_COPY(f->client.address, in->address);
    err = mint_pair(e,
                    &(struct pair){w->fleet_id, w->user_id, w->family, f->label,
                                   w->scope, &f->client, &in->access,
                                   &in->refresh},
                    next_id, &a->u.who);
    if (err != OK)
        return query_say_unless(err, a, STORE_CONFLICT);
    err = mark_used(e, w->fleet_id, w->token_id,
                    f->used_ms != 0 ? f->used_ms : e->now_ms, next_id);
    if (err == OK)
        err = forget_old_access(e, w->family);
    return err == OK ? query_say(a, STORE_DONE) : err;
}

int store_token_refresh(struct store_engine *e, const struct store_ask *ask,
                        struct store_answer *a)
{
    const struct store_token_refresh *in = &ask->u.token_refresh;
    struct found f;

    int n = store_found_by_hash(e, in->hash, &f);
    if (n < 0)
        return n;
    if (n == 0 || f.who.kind != STORE_REFRESH)
        return query_say(a, STORE_UNKNOWN);
    if (f.revoked_ms != 0 || !f.is_member)
        return query_say(a, STORE_REVOKED);
    if (query_is_over(e, f.who.expires_ms))
        return query_say(a, STORE_EXPIRED);
    if (f.disabled)
        return query_say(a, STORE_DISABLED);
    int err = query_need(e, STORE_SWEARS);
    if (err != OK)
        return err;
    n = f.used_ms == 0 ? 1 : void_successor(e, &f);
    if (n <= 0)
        return n < 0 ? n : reused(e, &f, a);
    return grant(e, in, &f, a);
}

/* ---- device codes ---------------------------------------------------------------------- */

struct code {
    struct store_device device;
    int64_t last_poll_ms;
    char fleet_id[UUID_CAP];
    char person_id[UUID_CAP];
};

static void get_code(struct query *q, struct code *c)
{
    struct store_device *d = &c->device;

    memset(c, 0, sizeof *c);
    GET_STR(q, d->user_code);
    GET_STR(q, d->scope);
    query_get_client(q, &d->client);
    d->state = (enum store_device_state)query_get_int(q);
    d->created_ms = query_get_int(q);
    d->expires_ms = query_get_int(q);
    c->last_poll_ms = query_get_int(q);
    GET_STR(q, c->fleet_id);
    GET_STR(q, c->person_id);
}

/* Has its time run out: the clock may also have been set back. */
static bool code_is_over(const struct store_engine *e, const struct code *c)
{
    return e->now_ms >= c->device.expires_ms ||
           e->now_ms < c->device.created_ms - STORE_KEEP_DEVICE_MS;
}

static int by_user_code(struct store_engine *e, const char *user_code,
                        struct code *out, struct store_answer *a)
{
    struct query q = query_of(e, SQL_DEVICE_BY_CODE);

    query_str(&q, user_code);
    int n = query_row(&q);
    if (n > 0)
        get_code(&q, out);
    query_end(&q);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    a->u.device = out->device;
    if (out->device.state != STORE_DEVICE_PENDING)
        return query_say(a, STORE_USED_UP);
    return query_say(a, code_is_over(e, out) ? STORE_EXPIRED : STORE_DONE);
}

int store_device_make(struct store_engine *e, const struct store_ask *ask,
                      struct store_answer *a)
{
    const struct store_device_make *in = &ask->u.device_make;

    struct query q = query_of(e, SQL_DEVICE_COUNT);
    query_int(&q, e->now_ms);
    int64_t n = query_count(&q);
    if (n < 0 || n >= STORE_DEVICES_MAX)
        return n < 0 ? (int)n : query_say(a, STORE_LIMIT);
    q = query_of(e, SQL_DEVICE_SWEEP);
    query_int(&q, e->now_ms - STORE_KEEP_DEVICE_MS);
    query_int(&q, SWEPT_BESIDE);
    int err = query_run(&q);
    if (err != OK)
        return err;
    q = query_of(e, SQL_DEVICE_MAKE);
    query_blob(&q, in->hash, sizeof in->hash);
    query_str(&q, in->user_code);
    query_str(&q, in->scope);
    query_int(&q, e->now_ms);
    query_int(&q, in->expires_ms);
    query_client(&q, &in->client);
    err = query_run(&q);
    if (err != OK)
        return query_say_unless(err, a, STORE_CONFLICT);
    return query_say(a, STORE_DONE);
}

int store_device_by_code(struct store_engine *e, const struct store_ask *ask,
                         struct store_answer *a)
{
    struct code c;

    return by_user_code(e, ask->u.device_by_code.user_code, &c, a);
}

static int decide(struct store_engine *e, const struct store_device_decide *in)
{
    const char *action = in->approve ? "device.approve" : "device.deny";
    struct query q = query_of(e, SQL_DEVICE_DECIDE);

    query_str(&q, in->user_code);
    query_int(&q, in->approve ? STORE_DEVICE_APPROVED : STORE_DEVICE_DENIED);
    query_str(&q, in->person_id);
    query_str(&q, in->fleet_id);
    int err = query_run(&q);
    if (err == OK)
        err = query_audit(e,
                          &(struct query_line){&in->actor, in->fleet_id, action,
                                               in->person_id, NULL, NULL});
    return err;
}

int store_device_decide(struct store_engine *e, const struct store_ask *ask,
                        struct store_answer *a)
{
    const struct store_device_decide *in = &ask->u.device_decide;
    struct store_who who = {0};
    struct code c;
    bool disabled = false;

    int err = by_user_code(e, in->user_code, &c, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    if (in->fleet_id[0] != '\0') {
        int n = query_member(e, in->fleet_id, in->person_id, &who, &disabled);
        if (n <= 0)
            return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    }
    if (disabled)
        return query_say(a, STORE_DISABLED);
    a->u.device.state =
        in->approve ? STORE_DEVICE_APPROVED : STORE_DEVICE_DENIED;
    return decide(e, in);
}

/* ---- polling ------------------------------------------------------------------------------ */

/* It still waits for a person. */
static int wait_on(struct store_engine *e, const struct store_device_poll *in,
                   const struct code *c, struct store_answer *a)
{
    int64_t since = e->now_ms - c->last_poll_ms;
    bool soon = c->last_poll_ms != 0 && since >= 0 && since < in->interval_ms;

    int err = query_need(e, STORE_NOTES);
    if (err != OK)
        return err;
    struct query q = query_of(e, SQL_DEVICE_POLLED);
    query_blob(&q, in->hash, sizeof in->hash);
    query_int(&q, e->now_ms);
    err = query_run(&q);
    if (err != OK)
        return err;
    return query_keep(e, a, soon ? STORE_SLOW_DOWN : STORE_PENDING);
}

static int fulfil(struct store_engine *e, const struct store_device_poll *in,
                  const struct code *c, struct store_answer *a)
{
    struct store_actor actor = {.kind = "user"};
    char refresh_id[UUID_CAP];
    bool disabled = false;

    int n = query_member(e, c->fleet_id, c->person_id, &a->u.who, &disabled);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    if (disabled)
        return query_say(a, STORE_DISABLED);
    int err = store_mint_room(e, c->fleet_id, c->person_id, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    err = query_need(e, STORE_SWEARS);
    if (err != OK)
        return err;
    err =
        mint_pair(e,
                  &(struct pair){c->fleet_id, c->person_id, "",
                                 c->device.client.name, c->device.scope,
                                 &c->device.client, &in->access, &in->refresh},
                  refresh_id, &a->u.who);
    if (err != OK)
        return query_say_unless(err, a, STORE_CONFLICT);
    struct query q = query_of(e, SQL_DEVICE_USED);
    query_blob(&q, in->hash, sizeof in->hash);
    err = query_run(&q);
    (void)STR_COPY(actor.name, c->person_id);
    if (err == OK)
        err =
            query_audit(e, &(struct query_line){&actor, c->fleet_id,
                                                "token.make", a->u.who.token_id,
                                                NULL, c->device.client.name});
    return err == OK ? query_say(a, STORE_DONE) : err;
}

int store_device_poll(struct store_engine *e, const struct store_ask *ask,
                      struct store_answer *a)
{
    const struct store_device_poll *in = &ask->u.device_poll;
    struct code c;

    struct query q = query_of(e, SQL_DEVICE_BY_HASH);
    query_blob(&q, in->hash, sizeof in->hash);
    int n = query_row(&q);
    if (n > 0)
        get_code(&q, &c);
    query_end(&q);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    if (c.device.state == STORE_DEVICE_USED)
        return query_say(a, STORE_USED_UP);
    if (c.device.state == STORE_DEVICE_DENIED)
        return query_say(a, STORE_DENIED);
    if (code_is_over(e, &c))
        return query_say(a, STORE_EXPIRED);
    return c.device.state == STORE_DEVICE_APPROVED ? fulfil(e, in, &c, a)
                                                   : wait_on(e, in, &c, a);
}
