/* Accounts, passwords, second factors, failed sign-ins; see
 * store_people.h. */
#include <string.h>

#include "base/err.h"
#include "relay/store_ops.h"
#include "relay/store_query.h"

#define STEPS_KEPT 20 /* ten minutes of TOTP codes */

static void get_person(struct query *q, struct store_person *p)
{
    GET_STR(q, p->id);
    GET_STR(q, p->login);
    GET_STR(q, p->name);
    GET_STR(q, p->email);
    p->has_password = query_get_bool(q);
    p->has_totp = query_get_bool(q);
    p->created_ms = query_get_int(q);
    p->disabled_ms = query_get_int(q);
    p->locked_until_ms = query_get_int(q);
    /* longer than any wait: the clock was set back since */
    if (p->locked_until_ms > q->e->now_ms + STORE_LOCK_MS_MAX)
        p->locked_until_ms = 0;
}

static void get_account(struct query *q, struct store_account *acc)
{
    get_person(q, &acc->person);
    GET_STR(q, acc->password);
    acc->sealed_len = query_get_blob(q, acc->sealed, sizeof acc->sealed);
    acc->step = query_get_int(q);
    acc->failures = (uint32_t)query_get_int(q);
    acc->codes = (uint32_t)query_get_int(q);
}

/* 1, 0, or negative. */
static int find(struct store_engine *e, enum store_sql by, const char *key,
                struct store_account *out)
{
    struct query q = query_of(e, by);

    query_str(&q, key);
    int n = query_row(&q);
    if (n == 1)
        get_account(&q, out);
    query_end(&q);
    return n;
}

static int audit(struct store_engine *e, const struct store_actor *actor,
                 const char *action, const char *person_id, const char *outcome,
                 const char *detail)
{
    return query_audit(e, &(struct query_line){.actor = actor,
                                               .fleet_id = "",
                                               .action = action,
                                               .object = person_id,
                                               .outcome = outcome,
                                               .detail = detail});
}

/* ---- make ------------------------------------------------------------------------- */

/* Into which fleet, and as what: OK with a->outcome DONE to go on. */
static int place(struct store_engine *e, const struct store_person_make *in,
                 struct store_invite *invite, enum store_role *role,
                 struct store_answer *a)
{
    int err = OK;

    *role = in->role;
    a->outcome = STORE_DONE;
    if (in->invited) {
        int n = query_invite_open(e, in->invite_hash, invite, a);
        *role = invite->role;
        return n < 0 ? n : OK;
    }
    (void)STR_COPY(invite->fleet_id, in->fleet_id);
    if (in->fleet_id[0] != '\0')
        (void)query_fleet_here(e, in->fleet_id, &err, a);
    return err;
}

/* Is the address another account's? Says CONFLICT then. */
static int free_email(struct store_engine *e, const char *email,
                      const char *person_id, struct store_answer *a)
{
    if (email[0] == '\0')
        return query_say(a, STORE_DONE);
    struct query q = query_of(e, SQL_PERSON_EMAIL);
    query_str(&q, email);
    query_str(&q, person_id);
    int n = query_row(&q);
    query_end(&q);
    return n < 0 ? n : query_say(a, n == 1 ? STORE_CONFLICT : STORE_DONE);
}

static int insert(struct store_engine *e, const struct store_person_make *in,
                  const struct store_person *p)
{
    struct query q = query_of(e, SQL_PERSON_MAKE);

    query_str(&q, p->id);
    query_str(&q, p->login);
    query_str(&q, p->name);
    query_str(&q, p->email);
    query_str(&q, in->password);
    query_int(&q, e->now_ms);
    return query_run(&q);
}

int store_person_make(struct store_engine *e, const struct store_ask *ask,
                      struct store_answer *a)
{
    const struct store_person_make *in = &ask->u.person_make;
    struct store_person *p = &a->u.person;
    struct store_invite invite = {0};
    enum store_role role;

    int err = place(e, in, &invite, &role, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    struct query q = query_of(e, SQL_PERSON_COUNT);
    int64_t count = query_count(&q);
    if (count < 0 || count >= STORE_PERSONS_MAX)
        return count < 0 ? (int)count : query_say(a, STORE_LIMIT);
    err = free_email(e, in->email, "", a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;

    memset(p, 0, sizeof *p);
    query_make_id(p->id, in->random);
    (void)STR_COPY(p->login, in->login);
    (void)STR_COPY(p->name, in->name);
    (void)STR_COPY(p->email, in->email);
    (void)STR_COPY(p->fleet_id, invite.fleet_id);
    p->has_password = in->password[0] != '\0';
    p->created_ms = e->now_ms;
    err = insert(e, in, p);
    if (err != OK)
        return query_say_unless(err, a, STORE_CONFLICT);
    if (p->fleet_id[0] != '\0')
        err = query_join(e, p->fleet_id, p->id, role, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    if (in->invited)
        err = query_invite_set(e, &invite, STORE_INVITE_ACCEPTED);
    if (err == OK)
        err = query_audit(e, &(struct query_line){&in->actor, p->fleet_id,
                                                  "person.make", p->id, NULL,
                                                  p->login});
    return err == OK ? query_say(a, STORE_DONE) : err;
}

/* ---- look -------------------------------------------------------------------------- */

/* Where a session of this person begins. */
static int add_home(struct store_engine *e, struct store_account *acc)
{
    struct query q = query_of(e, SQL_PERSON_HOME);

    query_str(&q, acc->person.id);
    int n = query_row(&q);
    acc->role = STORE_VIEWER;
    if (n == 1) {
        GET_STR(&q, acc->fleet_id);
        GET_STR(&q, acc->fleet_name);
        acc->role = query_get_role(&q);
        acc->mfa_required = query_get_bool(&q);
    }
    query_end(&q);
    return n < 0 ? n : OK;
}

static int look(struct store_engine *e, enum store_sql by, const char *key,
                struct store_answer *a)
{
    struct store_account *acc = &a->u.account;
    int n = find(e, by, key, acc);

    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    int err = add_home(e, acc);
    if (err != OK)
        return err;
    return query_say(a, acc->person.disabled_ms != 0 ? STORE_DISABLED
                                                     : STORE_DONE);
}

int store_person_by_login(struct store_engine *e, const struct store_ask *ask,
                          struct store_answer *a)
{
    return look(e, SQL_PERSON_BY_LOGIN, ask->u.person_by_login.login, a);
}

int store_person_by_id(struct store_engine *e, const struct store_ask *ask,
                       struct store_answer *a)
{
    return look(e, SQL_PERSON_BY_ID, ask->u.person_by_id.person_id, a);
}

static void get_row(struct query *q, union store_row *row)
{
    get_person(q, &row->person);
}

int store_person_list(struct store_engine *e, const struct store_ask *ask,
                      struct store_answer *a)
{
    const struct store_list *in = &ask->u.list;
    struct query q = query_of(e, SQL_PERSON_LIST);

    query_str(&q, in->after_name);
    query_page(&q, in->limit);
    return query_list(&q, ask, in->limit, get_row, a);
}

/* ---- name and address ----------------------------------------------------------------- */

static int write_person(struct store_engine *e, const struct store_person *p)
{
    struct query q = query_of(e, SQL_PERSON_SET);

    query_str(&q, p->id);
    query_str(&q, p->name);
    query_str(&q, p->email);
    return query_run(&q);
}

int store_person_set(struct store_engine *e, const struct store_ask *ask,
                     struct store_answer *a)
{
    const struct store_person_set *in = &ask->u.person_set;
    struct store_account acc = {0};
    char was[STORE_DETAIL_CAP];
    struct text t;

    int n = find(e, SQL_PERSON_BY_ID, in->person_id, &acc);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    struct store_person *p = &a->u.person;
    *p = acc.person;
    if (in->name[0] != '\0')
        (void)STR_COPY(p->name, in->name);
    if (in->has_email)
        (void)STR_COPY(p->email, in->email);
    int err = free_email(e, in->has_email ? in->email : "", p->id, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    if (strcmp(p->name, acc.person.name) == 0 &&
        strcmp(p->email, acc.person.email) == 0)
        return OK;
    TEXT_OF(&t, was);
    text_join(&t, "was ", acc.person.name, " <", acc.person.email, ">", NULL);
    err = write_person(e, p);
    return err == OK
               ? audit(e, &in->actor, "person.set", in->person_id, NULL, was)
               : err;
}

/* ---- passwords ---------------------------------------------------------------------- */

/* The family of one of the person's tokens; a word that is none otherwise. */
static int family_of(struct store_engine *e, const char *person_id,
                     const char *token_id, char family[UUID_CAP])
{
    char ignored[UUID_CAP];
    int n = 0;

    (void)bytes_to_str(family, UUID_CAP, view_str("none"));
    if (token_id[0] == '\0')
        return OK;
    struct query q = query_of(e, SQL_TOKEN_FIND_OWN);
    query_str(&q, "");
    query_str(&q, token_id);
    query_str(&q, person_id);
    n = query_row(&q);
    if (n == 1) {
        GET_STR(&q, ignored);
        query_get_str(&q, family, UUID_CAP);
    }
    query_end(&q);
    return n < 0 ? n : OK;
}

/* What somebody approved and no device has fetched yet. */
static int end_devices(struct store_engine *e, const char *person_id)
{
    struct query q = query_of(e, SQL_DEVICE_END_PERSON);

    query_str(&q, person_id);
    query_int(&q, e->now_ms);
    return query_run(&q);
}

/* End web, access and refresh tokens of other families, and those to come. */
static int end_sessions(struct store_engine *e, const char *person_id,
                        const char *keep_family, struct store_ended *out)
{
    struct query q = query_of(e, SQL_TOKEN_END_PERSON);

    memset(out, 0, sizeof *out);
    query_str(&q, person_id);
    query_int(&q, e->now_ms);
    query_str(&q, keep_family);
    int err = query_run(&q);
    out->count = query_changed(e);
    (void)STR_COPY(out->person_id, person_id);
    return err == OK ? end_devices(e, person_id) : err;
}

int store_person_set_password(struct store_engine *e,
                              const struct store_ask *ask,
                              struct store_answer *a)
{
    const struct store_person_set_password *in = &ask->u.person_set_password;
    char family[UUID_CAP];

    struct query q = query_of(e, SQL_PERSON_PASSWORD);
    query_str(&q, in->person_id);
    query_str(&q, in->password);
    int err = query_run(&q);
    if (err == OK && query_changed(e) == 0)
        return query_say(a, STORE_UNKNOWN);
    if (err == OK)
        err = family_of(e, in->person_id, in->keep_token_id, family);
    if (err == OK)
        err = end_sessions(e, in->person_id, family, &a->u.ended);
    if (err == OK)
        err = audit(e, &in->actor, "person.password", in->person_id, NULL,
                    in->password[0] != '\0' ? "set" : "taken away");
    return err == OK ? query_say(a, STORE_DONE) : err;
}

/* ---- the second factor ----------------------------------------------------------------- */

static int replace_codes(struct store_engine *e,
                         const struct store_person_set_totp *in)
{
    struct query q = query_of(e, SQL_CODE_FORGET);

    query_str(&q, in->person_id);
    int err = query_run(&q);
    for (uint32_t i = 0; err == OK && i < in->codes; i++) {
        q = query_of(e, SQL_CODE_MAKE);
        query_str(&q, in->person_id);
        query_blob(&q, in->code_hash[i], STORE_HASH);
        err = query_run(&q);
    }
    return err;
}

int store_person_set_totp(struct store_engine *e, const struct store_ask *ask,
                          struct store_answer *a)
{
    const struct store_person_set_totp *in = &ask->u.person_set_totp;

    struct query q = query_of(e, SQL_PERSON_TOTP);
    query_str(&q, in->person_id);
    query_blob(&q, in->sealed, in->sealed_len);
    query_int(&q, in->step);
    int err = query_run(&q);
    if (err == OK && query_changed(e) == 0)
        return query_say(a, STORE_UNKNOWN);
    if (err == OK)
        err = replace_codes(e, in);
    if (err == OK)
        err = audit(e, &in->actor, "person.totp", in->person_id, NULL,
                    in->sealed_len != 0 ? "on" : "off");
    return err == OK ? query_say(a, STORE_DONE) : err;
}

int store_backup_code_use(struct store_engine *e, const struct store_ask *ask,
                          struct store_answer *a)
{
    const struct store_backup_code_use *in = &ask->u.backup_code_use;
    bool used = false;

    struct query q = query_of(e, SQL_CODE_FIND);
    query_str(&q, in->person_id);
    query_blob(&q, in->hash, sizeof in->hash);
    int n = query_row(&q);
    if (n == 1)
        used = query_get_bool(&q);
    query_end(&q);
    if (n <= 0 || used)
        return n < 0 ? n : query_say(a, n == 0 ? STORE_UNKNOWN : STORE_USED_UP);

    q = query_of(e, SQL_CODE_USE);
    query_str(&q, in->person_id);
    query_blob(&q, in->hash, sizeof in->hash);
    query_int(&q, e->now_ms);
    int err = query_run(&q);
    if (err != OK)
        return err;
    q = query_of(e, SQL_CODE_COUNT);
    query_str(&q, in->person_id);
    int64_t left = query_count(&q);
    if (left < 0)
        return (int)left;
    a->u.count = (uint32_t)left;
    err = audit(e, &in->actor, "person.backup-code", in->person_id, NULL, NULL);
    return err == OK ? query_say(a, STORE_DONE) : err;
}

/* ---- tries ------------------------------------------------------------------------------- */

/* Until when an account waits after so many failures. */
static int64_t lock_until(const struct store_engine *e, uint32_t failures)
{
    int64_t wait = STORE_LOCK_MS;

    if (failures < STORE_TRIES)
        return 0;
    for (uint32_t i = STORE_TRIES; i < failures && wait < STORE_LOCK_MS_MAX;
         i++)
        wait *= 2;
    return e->now_ms + (wait < STORE_LOCK_MS_MAX ? wait : STORE_LOCK_MS_MAX);
}

static int write_tried(struct store_engine *e, const char *person_id,
                       const struct store_tried *t, int64_t step)
{
    struct query q = query_of(e, SQL_PERSON_TRIED);

    query_str(&q, person_id);
    query_int(&q, t->failures);
    query_int(&q, t->locked_until_ms);
    query_int(&q, step);
    return query_run(&q);
}

static int failed(struct store_engine *e, const struct store_person_tried *in,
                  const struct store_account *acc, struct store_tried *t)
{
    t->failures = acc->failures < UINT32_MAX ? acc->failures + 1 : UINT32_MAX;
    t->locked_until_ms = lock_until(e, t->failures);
    int err = write_tried(e, in->person_id, t, acc->step);
    if (err == OK && t->locked_until_ms != 0)
        err = audit(e, &in->actor, "person.sign-in", in->person_id, "failed",
                    in->address);
    return err;
}

static int succeeded(struct store_engine *e,
                     const struct store_person_tried *in,
                     const struct store_account *acc, struct store_tried *t)
{
    *t = (struct store_tried){0};
    int err =
        write_tried(e, in->person_id, t, in->step != 0 ? in->step : acc->step);
    if (err == OK)
        err = audit(e, &in->actor, "person.sign-in", in->person_id, NULL,
                    in->address);
    return err;
}

/* A step that is much older than the last one cannot be meant: its code is
 * none any more, and so the clock was set back since. */
static bool was_used(int64_t step, int64_t last)
{
    return step != 0 && step <= last && last - step < STEPS_KEPT;
}

int store_person_tried(struct store_engine *e, const struct store_ask *ask,
                       struct store_answer *a)
{
    const struct store_person_tried *in = &ask->u.person_tried;
    struct store_account acc = {0};
    struct store_tried *t = &a->u.tried;
    int err;

    int n = find(e, SQL_PERSON_BY_ID, in->person_id, &acc);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    t->failures = acc.failures;
    t->locked_until_ms = acc.person.locked_until_ms;
    if (acc.person.disabled_ms != 0)
        return query_say(a, STORE_DISABLED);
    if (in->ok && t->locked_until_ms > e->now_ms)
        return query_say(a, STORE_LOCKED);
    if (in->ok && was_used(in->step, acc.step)) {
        err = failed(e, in, &acc, t);
        return err == OK ? query_keep(e, a, STORE_CONFLICT) : err;
    }
    err = in->ok ? succeeded(e, in, &acc, t) : failed(e, in, &acc, t);
    return err == OK ? query_say(a, STORE_DONE) : err;
}

/* ---- shut out ------------------------------------------------------------------------------- */

/* 1 when a team fleet would have no owner that may come in. */
static int is_sole_owner(struct store_engine *e, const char *person_id)
{
    struct query q = query_of(e, SQL_PERSON_SOLE_OWNER);

    query_str(&q, person_id);
    int n = query_row(&q);
    query_end(&q);
    return n;
}

int store_person_enable(struct store_engine *e, const struct store_ask *ask,
                        struct store_answer *a)
{
    const struct store_person_enable *in = &ask->u.person_enable;
    struct store_account acc = {0};

    int n = find(e, SQL_PERSON_BY_ID, in->person_id, &acc);
    if (n <= 0)
        return n < 0 ? n : query_say(a, STORE_UNKNOWN);
    memset(&a->u.ended, 0, sizeof a->u.ended);
    (void)STR_COPY(a->u.ended.person_id, in->person_id);
    if ((acc.person.disabled_ms == 0) == in->enabled)
        return query_say(a, STORE_DONE);
    n = in->enabled ? 0 : is_sole_owner(e, in->person_id);
    if (n != 0)
        return n < 0 ? n : query_say(a, STORE_LAST_OWNER);

    struct query q = query_of(e, SQL_PERSON_ENABLE);
    query_str(&q, in->person_id);
    query_int(&q, in->enabled ? 0 : e->now_ms);
    int err = query_run(&q);
    if (err == OK && !in->enabled)
        err = end_sessions(e, in->person_id, "none", &a->u.ended);
    if (err == OK)
        err = audit(e, &in->actor,
                    in->enabled ? "person.enable" : "person.disable",
                    in->person_id, NULL, acc.person.login);
    return err == OK ? query_say(a, STORE_DONE) : err;
}
