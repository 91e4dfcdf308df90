/* Statements and the pieces that several questions need; see store_query.h. */
#include "relay/store_query.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

/* ---- bind, step, read --------------------------------------------------------- */

struct query query_of(struct store_engine *e, enum store_sql which)
{
    sqlite3_stmt *st = e->st[which];

    (void)sqlite3_reset(st);
    assert(e->effort != STORE_LOOKS || sqlite3_stmt_readonly(st));
    return (struct query){.e = e, .st = st, .at = 1};
}

static void bound(struct query *q, int rc)
{
    q->at++;
    if (q->rc == SQLITE_OK)
        q->rc = rc;
}

void query_str(struct query *q, const char *s)
{
    bound(q, sqlite3_bind_text(q->st, q->at, s, -1, SQLITE_STATIC));
}

void query_blob(struct query *q, const uint8_t *p, size_t len)
{
    bound(q, sqlite3_bind_blob(q->st, q->at, p, (int)len, SQLITE_STATIC));
}

void query_int(struct query *q, int64_t v)
{
    bound(q, sqlite3_bind_int64(q->st, q->at, v));
}

void query_facts(struct query *q, const struct store_facts *f)
{
    query_str(q, f->hostname);
    query_str(q, f->os);
    query_str(q, f->os_version);
    query_str(q, f->architecture);
    query_str(q, f->agent_version);
}

void query_client(struct query *q, const struct store_client *c)
{
    query_str(q, c->name);
    query_str(q, c->host);
    query_str(q, c->platform);
    query_str(q, c->version);
    query_str(q, c->address);
}

/* One row more than wanted is asked for: it only says that there is more. */
void query_page(struct query *q, uint32_t limit)
{
    query_int(q, limit == 0 ? -1 : (int64_t)limit + 1);
}

int query_row(struct query *q)
{
    int rc = q->rc == SQLITE_OK ? sqlite3_step(q->st) : q->rc;

    q->at = 0;
    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : store_schema_err(rc);
}

void query_end(struct query *q)
{
    (void)sqlite3_reset(q->st);
    (void)sqlite3_clear_bindings(q->st);
}

int query_run(struct query *q)
{
    int err = query_row(q);

    query_end(q);
    return err;
}

int64_t query_count(struct query *q)
{
    int64_t n = query_row(q);

    if (n == 1)
        n = query_get_int(q);
    query_end(q);
    return n;
}

uint32_t query_changed(struct store_engine *e)
{
    return (uint32_t)sqlite3_changes(e->db);
}

void query_get_str(struct query *q, char *out, size_t cap)
{
    const void *p = sqlite3_column_blob(q->st, q->at);
    int n = sqlite3_column_bytes(q->st, q->at);

    q->at++;
    (void)bytes_to_str(out, cap, view_of(p, n > 0 ? (size_t)n : 0));
}

int64_t query_get_int(struct query *q)
{
    return sqlite3_column_int64(q->st, q->at++);
}

bool query_get_bool(struct query *q)
{
    return query_get_int(q) != 0;
}

uint32_t query_get_blob(struct query *q, uint8_t *out, size_t cap)
{
    const void *p = sqlite3_column_blob(q->st, q->at);
    int n = sqlite3_column_bytes(q->st, q->at);
    size_t len = n > 0 && p != NULL ? (size_t)n : 0;

    q->at++;
    len = len < cap ? len : cap;
    memset(out, 0, cap);
    if (len > 0)
        memcpy(out, p, len);
    return (uint32_t)len;
}

enum store_role query_get_role(struct query *q)
{
    char word[16];
    enum store_role role = STORE_VIEWER;

    GET_STR(q, word);
    (void)store_role_parse(view_str(word), &role);
    return role;
}

void query_get_client(struct query *q, struct store_client *c)
{
    GET_STR(q, c->name);
    GET_STR(q, c->host);
    GET_STR(q, c->platform);
    GET_STR(q, c->version);
    GET_STR(q, c->address);
}

void query_get_policy(struct query *q, struct store_policy *p)
{
    p->mfa_required = query_get_bool(q);
    GET_STR(q, p->ip_allow);
    p->session_ms = query_get_int(q);
    p->mode = (enum store_mode)query_get_int(q);
    if (p->mode > STORE_MODE_BYPASS)
        p->mode = STORE_MODE_STRICT; /* not ours: the safe one */
}

/* ---- pieces ---------------------------------------------------------------------- */

int query_need(struct store_engine *e, enum store_effort effort)
{
    if (e->effort >= effort)
        return OK;
    e->raise = effort;
    return STORE_RAISE;
}

void query_make_id(char out[UUID_CAP], const uint8_t random[STORE_RANDOM])
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

bool query_is_over(const struct store_engine *e, int64_t expires_ms)
{
    return expires_ms != 0 && expires_ms <= e->now_ms;
}

int query_say(struct store_answer *a, enum store_outcome outcome)
{
    a->outcome = outcome;
    return OK;
}

int query_keep(struct store_engine *e, struct store_answer *a,
               enum store_outcome outcome)
{
    e->keep = true;
    return query_say(a, outcome);
}

int query_say_unless(int err, struct store_answer *a,
                     enum store_outcome outcome)
{
    return err == ERR_EXISTS ? query_say(a, outcome) : err;
}

int query_audit(struct store_engine *e, const struct query_line *line)
{
    char detail[STORE_DETAIL_CAP];
    struct query q = query_of(e, SQL_AUDIT);

    (void)STR_COPY(detail, line->detail != NULL ? line->detail : "");
    query_int(&q, e->now_ms);
    query_str(&q, line->fleet_id);
    query_str(&q, line->actor->kind);
    query_str(&q, line->actor->name);
    query_str(&q, line->action);
    query_str(&q, line->object);
    query_str(&q, line->outcome != NULL ? line->outcome : "done");
    query_str(&q, detail);
    return query_run(&q);
}

int query_list(struct query *q, const struct store_ask *ask, uint32_t limit,
               query_get_row get, struct store_answer *a)
{
    int n = 0;

    while (!a->more && (n = query_row(q)) == 1) {
        union store_row row;
        if (limit != 0 && a->rows == limit) {
            a->more = true;
            break;
        }
        memset(&row, 0, sizeof row);
        get(q, &row);
        a->rows++;
        a->more = !ask->row(ask->ctx, ask->tag, &row);
    }
    query_end(q);
    return n < 0 ? n : query_say(a, STORE_DONE);
}

/* ---- asked by several subjects ------------------------------------------------------ */

bool query_fleet_here(struct store_engine *e, const char *fleet_id, int *err,
                      struct store_answer *a)
{
    struct query q = query_of(e, SQL_FLEET_HERE);

    query_str(&q, fleet_id);
    int n = query_row(&q);
    query_end(&q);
    *err = n < 0 ? n : OK;
    if (n == 0)
        *err = query_say(a, STORE_UNKNOWN);
    return n == 1;
}

void query_get_who(struct query *q, struct store_who *who, bool *disabled)
{
    GET_STR(q, who->user_id);
    GET_STR(q, who->user_name);
    GET_STR(q, who->login);
    GET_STR(q, who->email);
    who->has_totp = query_get_bool(q);
    GET_STR(q, who->fleet_id);
    GET_STR(q, who->fleet_name);
    who->role = query_get_role(q);
    query_get_policy(q, &who->policy);
    *disabled = query_get_bool(q);
}

int query_member(struct store_engine *e, const char *fleet_id,
                 const char *person_id, struct store_who *who, bool *disabled)
{
    struct query q = query_of(e, SQL_MEMBER);

    query_str(&q, fleet_id);
    query_str(&q, person_id);
    int n = query_row(&q);
    if (n == 1)
        query_get_who(&q, who, disabled);
    query_end(&q);
    return n;
}

int query_join(struct store_engine *e, const char *fleet_id,
               const char *person_id, enum store_role role,
               struct store_answer *a)
{
    struct query q = query_of(e, SQL_FLEET_COUNT);

    query_str(&q, person_id);
    int64_t fleets = query_count(&q);
    if (fleets < 0)
        return (int)fleets;
    if (fleets >= STORE_PERSON_FLEETS_MAX)
        return query_say(a, STORE_LIMIT);
    q = query_of(e, SQL_MEMBER_MAKE);
    query_str(&q, fleet_id);
    query_str(&q, person_id);
    query_str(&q, store_role_str(role));
    query_int(&q, e->now_ms);
    return query_run(&q);
}

int query_machine(struct store_engine *e, enum store_sql which,
                  const char *fleet_id, const char *id,
                  struct store_machine *out)
{
    struct query q = query_of(e, which);

    query_str(&q, fleet_id);
    query_str(&q, id);
    int n = query_row(&q);
    if (n == 1)
        query_get_machine(&q, out);
    query_end(&q);
    return n;
}

void query_get_machine(struct query *q, struct store_machine *m)
{
    GET_STR(q, m->id);
    GET_STR(q, m->fleet_id);
    GET_STR(q, m->name);
    GET_STR(q, m->facts.hostname);
    GET_STR(q, m->facts.os);
    GET_STR(q, m->facts.os_version);
    GET_STR(q, m->facts.architecture);
    GET_STR(q, m->facts.agent_version);
    GET_STR(q, m->labels);
    m->state = (enum store_state)query_get_int(q);
    if (m->state > STORE_STATE_STRUCK)
        m->state = STORE_STATE_DISABLED; /* not ours: it may not come in */
    GET_STR(q, m->why);
    m->last_seen_ms = query_get_int(q);
    m->created_ms = query_get_int(q);
    (void)query_get_blob(q, m->public_key, sizeof m->public_key);
    m->key_version = (uint32_t)query_get_int(q);
    m->key_since_ms = query_get_int(q);
    (void)query_get_blob(q, m->holder, sizeof m->holder);
    m->epoch = (uint64_t)query_get_int(q);
    m->lease = (enum store_lease)query_get_int(q);
}

int query_set_state(struct store_engine *e, const struct store_machine *m)
{
    struct query q = query_of(e, SQL_MACHINE_STATE);

    query_str(&q, m->fleet_id);
    query_str(&q, m->id);
    query_int(&q, m->state);
    query_str(&q, m->why);
    query_blob(&q, m->holder, STORE_INSTANCE);
    query_int(&q, (int64_t)m->epoch);
    query_int(&q, m->lease);
    return query_run(&q);
}
