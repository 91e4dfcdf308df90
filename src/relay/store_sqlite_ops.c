/*
 * The questions, one function each, over prepared statements; the contract
 * of each stands in store.h, the SQL in store_schema.c. Every function runs
 * inside a transaction, reads first and writes last.
 */
#include "relay/store_sqlite.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

/* ---- statements: bind in order, step, read in order -------------------------- */

struct query {
    struct store_engine *e;
    sqlite3_stmt *st;
    int at; /* next parameter, then next column */
    int rc; /* first failure of a bind */
};

static struct query query(struct store_engine *e, enum store_sql which)
{
    (void)sqlite3_reset(e->st[which]);
    return (struct query){.e = e, .st = e->st[which], .at = 1};
}

static void bound(struct query *q, int rc)
{
    q->at++;
    if (q->rc == SQLITE_OK)
        q->rc = rc;
}

/* Nothing is copied: inputs live in the ask or in the caller's frame until
 * the statement was stepped and reset. */
static void in_str(struct query *q, const char *s)
{
    bound(q, sqlite3_bind_text(q->st, q->at, s, -1, SQLITE_STATIC));
}

static void in_blob(struct query *q, const uint8_t *p, int len)
{
    bound(q, sqlite3_bind_blob(q->st, q->at, p, len, SQLITE_STATIC));
}

static void in_int(struct query *q, int64_t v)
{
    bound(q, sqlite3_bind_int64(q->st, q->at, v));
}

static void in_facts(struct query *q, const struct store_facts *f)
{
    in_str(q, f->hostname);
    in_str(q, f->os);
    in_str(q, f->os_version);
    in_str(q, f->architecture);
    in_str(q, f->agent_version);
}

/* 1: a row is there, columns may be read. 0: no (further) row. Or negative. */
static int next_row(struct query *q)
{
    int rc = q->rc == SQLITE_OK ? sqlite3_step(q->st) : q->rc;

    q->at = 0;
    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : store_schema_err(rc);
}

static void end(struct query *q)
{
    (void)sqlite3_reset(q->st);
    (void)sqlite3_clear_bindings(q->st);
}

/* For a statement without rows: OK, ERR_EXISTS for a broken constraint. */
static int finish(struct query *q)
{
    int err = next_row(q);
    end(q);
    return err;
}

static void out_str(struct query *q, char *out, size_t cap)
{
    const void *p = sqlite3_column_blob(q->st, q->at);
    int n = sqlite3_column_bytes(q->st, q->at);

    q->at++;
    (void)bytes_to_str(out, cap, view_of(p, n > 0 ? (size_t)n : 0));
}

#define OUT_STR(q, field) out_str((q), (field), sizeof(field))

static int64_t out_int(struct query *q)
{
    return sqlite3_column_int64(q->st, q->at++);
}

static void out_blob(struct query *q, uint8_t *out, size_t len)
{
    const void *p = sqlite3_column_blob(q->st, q->at);
    int n = sqlite3_column_bytes(q->st, q->at);

    q->at++;
    memset(out, 0, len);
    if (n > 0)
        memcpy(out, p, (size_t)n < len ? (size_t)n : len);
}

/* ---- pieces ------------------------------------------------------------------- */

/* 16 random bytes as a version 4 UUID (RFC 9562, 5.4). */
static void make_id(char out[UUID_CAP], const uint8_t random[STORE_RANDOM])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t b[STORE_RANDOM];
    size_t at = 0;

    memcpy(b, random, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = digits[b[i] >> 4];
        out[at++] = digits[b[i] & 15];
    }
    out[at] = '\0';
    assert(at == UUID_CAP - 1);
}

static bool is_over(struct store_engine *e, int64_t expires_ms)
{
    return expires_ms != 0 && expires_ms <= e->now_ms;
}

static int say(struct store_answer *a, enum store_outcome outcome)
{
    a->outcome = outcome;
    return OK;
}

/* A constraint that an insert met, as the outcome it means. */
static int say_unless(int err, struct store_answer *a,
                      enum store_outcome outcome)
{
    return err == ERR_EXISTS ? say(a, outcome) : err;
}

static enum store_role out_role(struct query *q)
{
    char word[16];

    OUT_STR(q, word);
    for (int r = STORE_OWNER; r < STORE_VIEWER; r++)
        if (strcmp(word, store_role_str((enum store_role)r)) == 0)
            return (enum store_role)r;
    return STORE_VIEWER; /* the least: a word we do not know grants nothing */
}

static void out_who(struct query *q, struct store_who *who)
{
    OUT_STR(q, who->user_id);
    OUT_STR(q, who->user_name);
    OUT_STR(q, who->fleet_id);
    OUT_STR(q, who->fleet_name);
    who->role = out_role(q);
}

static void out_machine(struct query *q, struct store_machine *m)
{
    OUT_STR(q, m->id);
    OUT_STR(q, m->fleet_id);
    OUT_STR(q, m->name);
    OUT_STR(q, m->facts.hostname);
    OUT_STR(q, m->facts.os);
    OUT_STR(q, m->facts.os_version);
    OUT_STR(q, m->facts.architecture);
    OUT_STR(q, m->facts.agent_version);
    m->last_seen_ms = out_int(q);
    m->created_ms = out_int(q);
    out_blob(q, m->public_key, sizeof m->public_key);
    m->state = out_int(q) != 0 ? STORE_STATE_ACTIVE : STORE_STATE_DISABLED;
    m->created = false;
}

static int audit(struct store_engine *e, const struct store_audit *line)
{
    struct query q = query(e, SQL_AUDIT);

    in_int(&q, line->at_ms != 0 ? line->at_ms : e->now_ms);
    in_str(&q, line->fleet_id);
    in_str(&q, line->actor.kind);
    in_str(&q, line->actor.name);
    in_str(&q, line->action);
    in_str(&q, line->object);
    in_str(&q, line->outcome);
    in_str(&q, line->detail);
    return finish(&q);
}

/* The line that an operation writes about itself. */
static int audit_done(struct store_engine *e, const struct store_actor *actor,
                      const char *fleet_id, const char *action,
                      const char *object, const char *detail)
{
    struct store_audit line = {.actor = *actor, .outcome = "done"};

    (void)bytes_to_str(line.fleet_id, sizeof line.fleet_id, view_str(fleet_id));
    (void)bytes_to_str(line.action, sizeof line.action, view_str(action));
    (void)bytes_to_str(line.object, sizeof line.object, view_str(object));
    (void)bytes_to_str(line.detail, sizeof line.detail, view_str(detail));
    return audit(e, &line);
}

/* ---- first start ---------------------------------------------------------------- */

static int find_home(struct store_engine *e, struct store_who *who)
{
    struct query q = query(e, SQL_HOME);
    int n = next_row(&q);

    if (n == 1)
        out_who(&q, who);
    end(&q);
    return n;
}

static int make_fleet(struct store_engine *e, const struct store_who *who)
{
    struct query q = query(e, SQL_FLEET_MAKE);

    in_str(&q, who->fleet_id);
    in_str(&q, who->fleet_name);
    in_int(&q, e->now_ms);
    return finish(&q);
}

static int make_owner(struct store_engine *e, const struct store_who *who)
{
    struct query q = query(e, SQL_PERSON_MAKE);

    in_str(&q, who->user_id);
    in_str(&q, who->user_name);
    in_int(&q, e->now_ms);
    int err = finish(&q);
    if (err != OK)
        return err;
    q = query(e, SQL_MEMBER_MAKE);
    in_str(&q, who->fleet_id);
    in_str(&q, who->user_id);
    in_str(&q, store_role_str(STORE_OWNER));
    in_int(&q, e->now_ms);
    return finish(&q);
}

static int do_setup(struct store_engine *e, const struct store_ask *ask,
                    struct store_answer *a)
{
    static const struct store_actor relay = {.kind = "relay"};
    const struct store_setup *in = &ask->u.setup;
    struct store_who *who = &a->u.who;

    int n = find_home(e, who);
    if (n != 0)
        return n < 0 ? n : say(a, STORE_DONE);
    make_id(who->fleet_id, in->random);
    make_id(who->user_id, in->random + STORE_RANDOM);
    memcpy(who->fleet_name, in->fleet_name, sizeof who->fleet_name);
    memcpy(who->user_name, in->user_name, sizeof who->user_name);
    who->role = STORE_OWNER;
    who->created = true;
    int err = make_fleet(e, who);
    if (err == OK)
        err = make_owner(e, who);
    if (err == OK)
        err = audit_done(e, &relay, who->fleet_id, "fleet.make", who->fleet_id,
                         who->user_id);
    return err == OK ? say(a, STORE_DONE) : say_unless(err, a, STORE_CONFLICT);
}

/* ---- tokens --------------------------------------------------------------------- */

static int do_token_make(struct store_engine *e, const struct store_ask *ask,
                         struct store_answer *a)
{
    const struct store_token_make *in = &ask->u.token_make;
    struct store_who *who = &a->u.who;

    struct query q = query(e, SQL_MEMBER);
    in_str(&q, in->fleet_id);
    in_str(&q, in->user_id);
    int n = next_row(&q);
    if (n == 1)
        out_who(&q, who);
    end(&q);
    if (n <= 0)
        return n < 0 ? n : say(a, STORE_UNKNOWN);

    make_id(who->token_id, in->secret.random);
    who->expires_ms = in->secret.expires_ms;
    q = query(e, SQL_TOKEN_MAKE);
    in_str(&q, in->fleet_id);
    in_str(&q, who->token_id);
    in_str(&q, in->user_id);
    in_str(&q, in->label);
    in_blob(&q, in->secret.hash, sizeof in->secret.hash);
    in_int(&q, e->now_ms);
    in_int(&q, in->secret.expires_ms);
    int err = finish(&q);
    if (err != OK)
        return say_unless(err, a, STORE_CONFLICT);
    err = audit_done(e, &in->actor, in->fleet_id, "token.make", who->token_id,
                     in->label);
    return err == OK ? say(a, STORE_DONE) : err;
}

static int do_token_check(struct store_engine *e, const struct store_ask *ask,
                          struct store_answer *a)
{
    struct store_who *who = &a->u.who;
    struct query q = query(e, SQL_TOKEN_CHECK);
    bool revoked = false;

    in_blob(&q, ask->u.token_check.hash, STORE_HASH);
    int n = next_row(&q);
    if (n == 1) {
        out_who(&q, who);
        OUT_STR(&q, who->token_id);
        who->expires_ms = out_int(&q);
        revoked = out_int(&q) != 0;
    }
    end(&q);
    if (n <= 0)
        return n < 0 ? n : say(a, STORE_UNKNOWN);
    if (revoked)
        return say(a, STORE_REVOKED);
    return say(a, is_over(e, who->expires_ms) ? STORE_EXPIRED : STORE_DONE);
}

/* Tokens and join keys alike: find one by its first characters, mark it. */
static int revoke(struct store_engine *e, const struct store_ask *ask,
                  struct store_answer *a, enum store_sql find,
                  enum store_sql mark, const char *action)
{
    const struct store_revoke *in = &ask->u.revoke;
    int64_t revoked_ms = 0;

    struct query q = query(e, find);
    in_str(&q, in->fleet_id);
    in_str(&q, in->id);
    int n = next_row(&q);
    if (n == 1) {
        OUT_STR(&q, a->u.id);
        revoked_ms = out_int(&q);
        n = next_row(&q) == 1 ? 2 : 1;
    }
    end(&q);
    if (n <= 0)
        return n < 0 ? n : say(a, STORE_UNKNOWN);
    if (n == 2 || revoked_ms != 0)
        return say(a, n == 2 ? STORE_AMBIGUOUS : STORE_REVOKED);

    q = query(e, mark);
    in_str(&q, in->fleet_id);
    in_str(&q, a->u.id);
    in_int(&q, e->now_ms);
    int err = finish(&q);
    if (err == OK)
        err = audit_done(e, &in->actor, in->fleet_id, action, a->u.id, "");
    return err == OK ? say(a, STORE_DONE) : err;
}

static int do_token_revoke(struct store_engine *e, const struct store_ask *ask,
                           struct store_answer *a)
{
    struct store_ask as = *ask;

    memcpy(as.u.revoke.fleet_id, ask->u.token_revoke.fleet_id, UUID_CAP);
    memcpy(as.u.revoke.id, ask->u.token_revoke.id, UUID_CAP);
    as.u.revoke.actor = ask->u.token_revoke.actor;
    return revoke(e, &as, a, SQL_TOKEN_FIND, SQL_TOKEN_REVOKE, "token.revoke");
}

/* ---- join keys -------------------------------------------------------------------- */

static int do_joinkey_revoke(struct store_engine *e,
                             const struct store_ask *ask,
                             struct store_answer *a)
{
    return revoke(e, ask, a, SQL_JOINKEY_FIND, SQL_JOINKEY_REVOKE,
                  "join-key.revoke");
}

static int do_joinkey_make(struct store_engine *e, const struct store_ask *ask,
                           struct store_answer *a)
{
    const struct store_joinkey_make *in = &ask->u.joinkey_make;
    struct store_joinkey *k = &a->u.joinkey;

    make_id(k->id, in->random);
    memcpy(k->label, in->label, sizeof k->label);
    k->uses_max = in->uses_max;
    k->created_ms = e->now_ms;
    k->expires_ms = in->expires_ms;

    struct query q = query(e, SQL_JOINKEY_MAKE);
    in_str(&q, in->fleet_id);
    in_str(&q, k->id);
    in_str(&q, k->label);
    in_blob(&q, in->hash, sizeof in->hash);
    in_int(&q, in->uses_max);
    in_int(&q, e->now_ms);
    in_int(&q, in->expires_ms);
    int err = finish(&q);
    if (err == ERR_EXISTS &&
        sqlite3_extended_errcode(e->db) == SQLITE_CONSTRAINT_FOREIGNKEY)
        return say(a, STORE_UNKNOWN);
    if (err != OK)
        return say_unless(err, a, STORE_CONFLICT);
    err = audit_done(e, &in->actor, in->fleet_id, "join-key.make", k->id,
                     in->label);
    return err == OK ? say(a, STORE_DONE) : err;
}

static void out_joinkey(struct query *q, struct store_joinkey *k)
{
    OUT_STR(q, k->id);
    OUT_STR(q, k->label);
    k->uses_max = (uint32_t)out_int(q);
    k->uses = (uint32_t)out_int(q);
    k->created_ms = out_int(q);
    k->expires_ms = out_int(q);
    k->revoked_ms = out_int(q);
}

/* ---- lists ------------------------------------------------------------------------- */

/* One row more than wanted is asked for: it only says that there is more. */
static int64_t list_limit(const struct store_list *in)
{
    return in->limit == 0 ? -1 : (int64_t)in->limit + 1;
}

static int list(struct query *q, const struct store_ask *ask,
                struct store_answer *a, enum store_op op)
{
    int n = 0;

    while (!a->more && (n = next_row(q)) == 1) {
        union store_row row = {0};
        if (ask->u.list.limit != 0 && a->rows == ask->u.list.limit) {
            a->more = true;
            break;
        }
        if (op == STORE_MACHINE_LIST)
            out_machine(q, &row.machine);
        else
            out_joinkey(q, &row.joinkey);
        a->rows++;
        a->more = !ask->row(ask->ctx, ask->tag, &row);
    }
    end(q);
    return n < 0 ? n : say(a, STORE_DONE);
}

static int do_joinkey_list(struct store_engine *e, const struct store_ask *ask,
                           struct store_answer *a)
{
    const struct store_list *in = &ask->u.list;
    struct query q = query(e, SQL_JOINKEY_LIST);

    in_str(&q, in->fleet_id);
    in_int(&q, in->after_ms);
    in_str(&q, in->after_id);
    in_int(&q, list_limit(in));
    return list(&q, ask, a, STORE_JOINKEY_LIST);
}

static int do_machine_list(struct store_engine *e, const struct store_ask *ask,
                           struct store_answer *a)
{
    const struct store_list *in = &ask->u.list;
    struct query q = query(e, SQL_MACHINE_LIST);

    in_str(&q, in->fleet_id);
    in_str(&q, in->after_name);
    in_str(&q, in->after_id);
    in_int(&q, list_limit(in));
    return list(&q, ask, a, STORE_MACHINE_LIST);
}

/* ---- machines ---------------------------------------------------------------------- */

/* A machine by its public key: 1, 0 or negative. */
static int find_by_key(struct store_engine *e, const uint8_t key[STORE_KEY],
                       struct store_machine *out)
{
    struct query q = query(e, SQL_MACHINE_BY_KEY);

    in_blob(&q, key, STORE_KEY);
    int n = next_row(&q);
    if (n == 1)
        out_machine(&q, out);
    end(&q);
    return n;
}

static int find_by_id(struct store_engine *e, const char *fleet_id,
                      const char *id, struct store_machine *out)
{
    struct query q = query(e, SQL_MACHINE_BY_ID);

    in_str(&q, fleet_id);
    in_str(&q, id);
    int n = next_row(&q);
    if (n == 1)
        out_machine(&q, out);
    end(&q);
    return n;
}

static int do_machine_login(struct store_engine *e, const struct store_ask *ask,
                            struct store_answer *a)
{
    int n = find_by_key(e, ask->u.machine_login.public_key, &a->u.machine);

    if (n <= 0)
        return n < 0 ? n : say(a, STORE_UNKNOWN);
    return say(a, a->u.machine.state == STORE_STATE_ACTIVE ? STORE_DONE
                                                           : STORE_DISABLED);
}

struct joinkey_found {
    char fleet_id[UUID_CAP];
    char id[UUID_CAP];
};

static int check_joinkey(struct store_engine *e, const uint8_t *hash,
                         struct joinkey_found *out, struct store_answer *a)
{
    struct query q = query(e, SQL_JOINKEY_CHECK);
    int64_t uses_max = 0, uses = 0, expires = 0, revoked = 0;

    in_blob(&q, hash, STORE_HASH);
    int n = next_row(&q);
    if (n == 1) {
        OUT_STR(&q, out->fleet_id);
        OUT_STR(&q, out->id);
        uses_max = out_int(&q);
        uses = out_int(&q);
        expires = out_int(&q);
        revoked = out_int(&q);
    }
    end(&q);
    if (n <= 0)
        return n < 0 ? n : say(a, STORE_UNKNOWN);
    if (revoked != 0)
        return say(a, STORE_REVOKED);
    if (is_over(e, expires))
        return say(a, STORE_EXPIRED);
    return say(a,
               uses_max != 0 && uses >= uses_max ? STORE_USED_UP : STORE_DONE);
}

/* One more machine in this fleet, if it may have one. */
static int count_machine(struct store_engine *e, const char *fleet_id,
                         struct store_answer *a)
{
    struct query q = query(e, SQL_MACHINE_COUNT);

    in_str(&q, fleet_id);
    in_int(&q, STORE_FLEET_MACHINES_MAX);
    int err = finish(&q);
    if (err == OK && sqlite3_changes(e->db) == 0)
        return say(a, STORE_LIMIT);
    return err;
}

/* Write the machine of this enrolment, new or known; *m has its id. */
static int write_machine(struct store_engine *e, const struct store_enrol *in,
                         const struct joinkey_found *key,
                         const struct store_machine *m)
{
    struct query q =
        query(e, m->created ? SQL_MACHINE_MAKE : SQL_MACHINE_RENAME);

    in_str(&q, key->fleet_id);
    in_str(&q, m->id);
    in_str(&q, in->name);
    in_str(&q, key->id);
    in_int(&q, e->now_ms);
    in_facts(&q, &in->facts);
    if (m->created)
        in_blob(&q, in->public_key, sizeof in->public_key);
    return finish(&q);
}

static int count_use(struct store_engine *e, const struct joinkey_found *key,
                     const struct store_machine *m)
{
    struct store_actor actor = {.kind = "join-key"};
    struct query q = query(e, SQL_JOINKEY_USE);

    in_str(&q, key->fleet_id);
    in_str(&q, key->id);
    int err = finish(&q);
    if (err != OK)
        return err;
    memcpy(actor.name, key->id, sizeof key->id);
    return audit_done(e, &actor, key->fleet_id, "machine.enrol", m->id,
                      m->name);
}

/* The machine as it will be told and written; says why not otherwise. */
static int place_machine(struct store_engine *e, const struct store_enrol *in,
                         const struct joinkey_found *key,
                         struct store_machine *m, struct store_answer *a)
{
    int n = find_by_key(e, in->public_key, m);

    if (n < 0)
        return n;
    if (n == 1 && strcmp(m->fleet_id, key->fleet_id) != 0)
        return say(a, STORE_CONFLICT);
    if (n == 1 && m->state != STORE_STATE_ACTIVE)
        return say(a, STORE_DISABLED);
    if (n == 0) {
        make_id(m->id, in->random);
        memcpy(m->fleet_id, key->fleet_id, sizeof m->fleet_id);
        memcpy(m->public_key, in->public_key, sizeof m->public_key);
        m->created_ms = e->now_ms;
        m->created = true;
    }
    memcpy(m->name, in->name, sizeof m->name);
    m->facts = in->facts;
    m->last_seen_ms = e->now_ms;
    return m->created ? count_machine(e, key->fleet_id, a) : OK;
}

static int do_enrol(struct store_engine *e, const struct store_ask *ask,
                    struct store_answer *a)
{
    const struct store_enrol *in = &ask->u.enrol;
    struct store_machine m = {0};
    struct joinkey_found key;

    int err = check_joinkey(e, in->join_hash, &key, a);
    if (err == OK && a->outcome == STORE_DONE)
        err = place_machine(e, in, &key, &m, a);
    if (err != OK || a->outcome != STORE_DONE)
        return err;
    err = write_machine(e, in, &key, &m);
    if (err != OK)
        return say_unless(err, a, STORE_CONFLICT);
    err = count_use(e, &key, &m);
    if (err == OK)
        a->u.machine = m;
    return err;
}

static int do_machine_seen(struct store_engine *e, const struct store_ask *ask,
                           struct store_answer *a)
{
    const struct store_machine_seen *in = &ask->u.machine_seen;
    struct query q = query(e, SQL_MACHINE_SEEN);

    in_str(&q, in->fleet_id);
    in_str(&q, in->machine_id);
    in_int(&q, e->now_ms);
    in_facts(&q, &in->facts);
    int err = finish(&q);
    if (err != OK)
        return err;
    return say(a, sqlite3_changes(e->db) > 0 ? STORE_DONE : STORE_UNKNOWN);
}

static int do_machine_state(struct store_engine *e, const struct store_ask *ask,
                            struct store_answer *a)
{
    const struct store_machine_state *in = &ask->u.machine_state;
    struct store_machine *m = &a->u.machine;
    bool enabled = in->change == STORE_ENABLE;

    if (!enabled && in->change != STORE_DISABLE)
        return ERR_UNSUPPORTED;
    int n = find_by_id(e, in->fleet_id, in->machine_id, m);
    if (n <= 0)
        return n < 0 ? n : say(a, STORE_UNKNOWN);
    if ((m->state == STORE_STATE_ACTIVE) == enabled)
        return say(a, STORE_DONE);
    m->state = enabled ? STORE_STATE_ACTIVE : STORE_STATE_DISABLED;
    struct query q = query(e, SQL_MACHINE_ENABLE);
    in_str(&q, in->fleet_id);
    in_str(&q, in->machine_id);
    in_int(&q, enabled);
    int err = finish(&q);
    if (err == OK)
        err = audit_done(e, &in->actor, in->fleet_id,
                         enabled ? "machine.enable" : "machine.disable",
                         in->machine_id, m->name);
    return err == OK ? say(a, STORE_DONE) : err;
}

static int do_audit(struct store_engine *e, const struct store_ask *ask,
                    struct store_answer *a)
{
    int err = audit(e, &ask->u.audit);

    return err == OK ? say(a, STORE_DONE) : err;
}

static int do_nothing(struct store_engine *e, const struct store_ask *ask,
                      struct store_answer *a)
{
    (void)e;
    (void)ask;
    (void)a;
    return ERR_UNSUPPORTED;
}

/* ---- the table --------------------------------------------------------------------- */

const struct store_op_row *store_sqlite_op(enum store_op op)
{
    static const struct store_op_row rows[] = {
        [STORE_SETUP] = {STORE_SWEARS, false, do_setup},
        [STORE_TOKEN_MAKE] = {STORE_SWEARS, false, do_token_make},
        [STORE_TOKEN_CHECK] = {STORE_LOOKS, false, do_token_check},
        [STORE_TOKEN_REVOKE] = {STORE_SWEARS, false, do_token_revoke},
        [STORE_JOINKEY_MAKE] = {STORE_SWEARS, false, do_joinkey_make},
        [STORE_JOINKEY_LIST] = {STORE_LOOKS, true, do_joinkey_list},
        [STORE_JOINKEY_REVOKE] = {STORE_SWEARS, false, do_joinkey_revoke},
        [STORE_ENROL] = {STORE_SWEARS, false, do_enrol},
        [STORE_MACHINE_LOGIN] = {STORE_LOOKS, false, do_machine_login},
        [STORE_MACHINE_SEEN] = {STORE_NOTES, false, do_machine_seen},
        [STORE_MACHINE_LIST] = {STORE_LOOKS, true, do_machine_list},
        [STORE_MACHINE_STATE] = {STORE_SWEARS, false, do_machine_state},
        [STORE_AUDIT] = {STORE_SWEARS, false, do_audit},
    };
    static const struct store_op_row later = {STORE_LOOKS, false, do_nothing};
    if ((size_t)op >= sizeof rows / sizeof rows[0] || rows[op].run == NULL)
        return &later;
    return &rows[op];
}
