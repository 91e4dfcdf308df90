/* Links and tables follow the store; see follow.h. */
#include "relay/follow.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "relay/ask.h"
#include "relay/claim.h"
#include "relay/conn.h"
#include "relay/relay.h"

#define ROWS_AT_ONCE  128
#define CHECK_EACH_MS 60000 /* when no signal told us */
#define RETRY_MS      250   /* the store was busy */
#define LEFT          "a machine left the fleet"

/* ---- a machine -------------------------------------------------------------- */

struct machine *follow_machine(struct relay *r, const char *fleet_id,
                               const struct store_machine *s)
{
    struct machine *m = registry_put(&r->registry, s->id);
    if (m == NULL)
        return NULL;
    STR_COPY(m->fleet_id, s->fleet_id);
    STR_COPY(m->name, s->name);
    STR_COPY(m->labels, s->labels);
    STR_COPY(m->why, s->why);
    m->state = s->state;
    m->key_version = s->key_version;
    memcpy(m->public_key, s->public_key, sizeof(m->public_key));
    m->created_ms = s->created_ms;
    if (m->conn == NULL) { /* else the link knows better */
        STR_COPY(m->hostname, s->facts.hostname);
        STR_COPY(m->os, s->facts.os);
        STR_COPY(m->os_version, s->facts.os_version);
        STR_COPY(m->architecture, s->facts.architecture);
        STR_COPY(m->agent_version, s->facts.agent_version);
        m->seen_ms = s->last_seen_ms;
    }
    if (registry_link(&r->registry, m, fleet_id) != OK)
        log_error("registry.full", "a machine's link to a fleet is lost");
    return m;
}

static void walk_begin(struct relay *r);

/* ---- sign-ins ----------------------------------------------------------------- */

static bool is_signed_in(const struct conn *c)
{
    return c->peer.link.state == LINK_OPEN && c->admitted &&
           c->kind != MAY_GUEST && c->kind != MAY_MACHINE;
}

static void end_sign_in(struct conn *c, enum store_outcome outcome)
{
    static const char remedy[] = "sign in again: `cmdop login`";
    conn_cut(c, cmdop_agent_v1_Code_CODE_AUTH,
             outcome == STORE_EXPIRED    ? "the sign-in has expired"
             : outcome == STORE_DISABLED ? "the account was shut out"
                                         : "the sign-in was revoked",
             outcome == STORE_DISABLED ? "ask the relay's owner" : remedy, 0);
}

static void checked(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct conn *c = ctx;
    struct relay *r = c->relay;
    struct text why;
    char buf[160];
    r->follow.checks--;
    loop_later(&r->loop, &r->follow_job);
    if (c->serial != tag || !is_signed_in(c))
        return;
    if (a->err != OK) {
        c->check = true; /* later */
        loop_arm(&r->loop, r->follow.timer, loop_now(&r->loop) + RETRY_MS);
        return;
    }
    TEXT_OF(&why, buf);
    if (a->outcome != STORE_DONE)
        end_sign_in(c, a->outcome);
    else if (strcmp(c->fleet_id, a->u.who.fleet_id) != 0)
        conn_renew(c, "the sign-in speaks in another fleet now");
    else if (a->u.who.role > c->role)
        conn_renew(c, "your role in the fleet may less now");
    else if (!conn_sign_in(c, &a->u.who, &why))
        conn_cut(c, cmdop_agent_v1_Code_CODE_DENIED, buf,
                 "an owner of the fleet can change its policy", 0);
}

static int check(struct conn *c)
{
    struct store_ask q = {
        .op = STORE_TOKEN_CHECK, .tag = c->serial, .ctx = c, .answer = checked};
    memcpy(q.u.token_check.hash, c->token, sizeof(c->token));
    return ask(c->relay, &q);
}

/* Ask about some of those that are to be checked. */
static void on_job(void *ctx)
{
    struct relay *r = ctx;
    struct follow *f = &r->follow;
    while (f->checking && f->checks < FOLLOW_CHECKS) {
        if (f->check_at >= r->conns_used) {
            f->checking = false;
            break;
        }
        struct conn *c = &r->conns[f->check_at];
        if (c->check && is_signed_in(c)) {
            if (check(c) != OK) { /* the queue is full */
                loop_arm(&r->loop, f->timer, loop_now(&r->loop) + RETRY_MS);
                return;
            }
            f->checks++;
        }
        c->check = false;
        f->check_at++;
    }
}

static void check_marked(struct relay *r)
{
    r->follow.checking = true;
    r->follow.check_at = 0;
    loop_later(&r->loop, &r->follow_job);
}

void follow_check(struct conn *c)
{
    c->check = true;
    check_marked(c->relay);
}

/* "" stands for every person, every fleet. */
static bool is_meant(const struct conn *c, const char *person_id,
                     const char *fleet_id)
{
    return (person_id[0] == '\0' || strcmp(c->person_id, person_id) == 0) &&
           (fleet_id[0] == '\0' || strcmp(c->fleet_id, fleet_id) == 0);
}

static void check_those(struct relay *r, const char *person_id,
                        const char *fleet_id)
{
    for (uint32_t i = 0; i < r->conns_used; i++) {
        struct conn *c = &r->conns[i];
        if (is_signed_in(c) && is_meant(c, person_id, fleet_id))
            c->check = true;
    }
    check_marked(r);
}

static void on_timer(void *ctx, uint64_t now_ms)
{
    struct relay *r = ctx;
    loop_arm(&r->loop, r->follow.timer, now_ms + CHECK_EACH_MS);
    if (r->follow.again && r->follow.state == FOLLOW_IDLE)
        walk_begin(r);
    if (r->follow.checking)
        loop_later(&r->loop, &r->follow_job);
    else
        check_those(r, "", "");
}

/* ---- what other faces do -------------------------------------------------------- */

/* What they have open was allowed by what held before. */
static void renew_those(struct relay *r, const char *person_id,
                        const char *fleet_id, const char *reason)
{
    for (uint32_t i = 0; i < r->conns_used; i++) {
        struct conn *c = &r->conns[i];
        if (is_signed_in(c) && is_meant(c, person_id, fleet_id))
            conn_renew(c, reason);
    }
}

static void access_is(struct relay *r, const struct access_key *key,
                      enum store_access access)
{
    enum may_access before = MAY_ACCESS_FULL, now = access_meant(access);
    (void)access_get(&r->access, key, &before);
    access_set(&r->access, key, now);
    if (now < before)
        renew_those(r, key->person_id, key->fleet_id,
                    "you may do less with a machine now");
}

/* What a question has changed that lives here; as its name says. */
typedef void saw_fn(struct relay *r, const struct store_ask *q,
                    const struct store_answer *a);

/* Asking the store again tells which links those tokens were, the same way for
 * one token, a family, a person, a fleet. */
static void saw_ended(struct relay *r, const struct store_ask *q,
                      const struct store_answer *a)
{
    check_those(r, a->u.ended.person_id, a->u.ended.fleet_id);
    if (q->op == STORE_FLEET_REMOVE)
        follow_reload(r);
}

static void saw_removed(struct relay *r, const struct store_ask *q,
                        const struct store_answer *a)
{
    const struct store_member_remove *m = &q->u.member_remove;
    access_forget(&r->access,
                  &(struct access_key){m->fleet_id, "", m->person_id});
    saw_ended(r, q, a);
}

/* Links carry the name. */
static void saw_person(struct relay *r, const struct store_ask *q,
                       const struct store_answer *a)
{
    (void)a;
    check_those(r, q->u.person_set.person_id, "");
}

static void saw_factor(struct relay *r, const struct store_ask *q,
                       const struct store_answer *a)
{
    (void)a;
    check_those(r, q->u.person_set_totp.person_id, "");
}

static void saw_role(struct relay *r, const struct store_ask *q,
                     const struct store_answer *a)
{
    (void)a;
    check_those(r, q->u.member_set.person_id, "");
}

static void saw_moved(struct relay *r, const struct store_ask *q,
                      const struct store_answer *a)
{
    (void)a;
    check_those(r, q->u.use_fleet.person_id, "");
}

static void saw_policy(struct relay *r, const struct store_ask *q,
                       const struct store_answer *a)
{
    (void)a;
    check_those(r, "", q->u.fleet_set.fleet_id);
}

static void saw_access(struct relay *r, const struct store_ask *q,
                       const struct store_answer *a)
{
    const struct store_access_set *s = &q->u.access_set;
    (void)a;
    access_is(r, &(struct access_key){s->fleet_id, s->machine_id, s->person_id},
              s->access);
}

static void saw_machine(struct relay *r, const struct store_ask *q,
                        const struct store_answer *a)
{
    (void)q;
    struct machine *m = follow_machine(r, a->u.machine.fleet_id, &a->u.machine);
    if (m != NULL)
        claim_shut_out(m);
}

static void saw_link(struct relay *r, const struct store_ask *q,
                     const struct store_answer *a)
{
    (void)follow_machine(r, q->u.machine_link.other_id, &a->u.machine);
}

static void saw_unlink(struct relay *r, const struct store_ask *q,
                       const struct store_answer *a)
{
    const struct store_machine_link *l = &q->u.machine_link;
    struct machine *m = registry_find(&r->registry, l->machine_id);
    (void)a;
    if (m == NULL || !registry_sees(&r->registry, l->other_id, m))
        return;
    registry_unlink(&r->registry, m, l->other_id);
    access_forget(&r->access, &(struct access_key){l->other_id, m->id, ""});
    renew_those(r, "", l->other_id, LEFT);
}

/* With this outcome; whatever is not here changes nothing that lives here, or
 * who asked it sees to that (relay/claim.h). The test decides on each. */
static const struct {
    saw_fn *saw;
    enum store_outcome on;
} seen[STORE_OP_COUNT] = {
    [STORE_PERSON_SET] = {saw_person, STORE_DONE},
    [STORE_PERSON_SET_PASSWORD] = {saw_ended, STORE_DONE},
    [STORE_PERSON_SET_TOTP] = {saw_factor, STORE_DONE},
    [STORE_PERSON_ENABLE] = {saw_ended, STORE_DONE},
    [STORE_TOKEN_REVOKE] = {saw_ended, STORE_DONE},
    [STORE_TOKEN_REVOKE_HASH] = {saw_ended, STORE_DONE},
    [STORE_TOKEN_REFRESH] = {saw_ended, STORE_REUSED},
    [STORE_FLEET_SET] = {saw_policy, STORE_DONE},
    [STORE_FLEET_REMOVE] = {saw_ended, STORE_DONE},
    [STORE_MEMBER_SET] = {saw_role, STORE_DONE},
    [STORE_MEMBER_REMOVE] = {saw_removed, STORE_DONE},
    [STORE_MEMBER_USE_FLEET] = {saw_moved, STORE_DONE},
    [STORE_ACCESS_SET] = {saw_access, STORE_DONE},
    [STORE_MACHINE_STATE] = {saw_machine, STORE_DONE},
    [STORE_MACHINE_RENAME] = {saw_machine, STORE_DONE},
    [STORE_MACHINE_LINK] = {saw_link, STORE_DONE},
    [STORE_MACHINE_UNLINK] = {saw_unlink, STORE_DONE},
};

/* Before whoever asked hears it. */
static void saw(void *ctx, const struct store_ask *q,
                const struct store_answer *a)
{
    if (a->err == OK && seen[q->op].saw != NULL && a->outcome == seen[q->op].on)
        seen[q->op].saw(ctx, q, a);
}

/* ---- the walk over all fleets ----------------------------------------------------- */

static void walk_on(struct relay *r);

static bool fleet_row(void *ctx, uint32_t tag, const union store_row *row)
{
    struct relay *r = ctx;
    (void)tag;
    STR_COPY(r->follow.fleet_id, row->fleet.id);
    STR_COPY(r->follow.fleet_name, row->fleet.name);
    r->follow.fleet_came = true;
    return true;
}

static bool machine_row(void *ctx, uint32_t tag, const union store_row *row)
{
    struct relay *r = ctx;
    struct follow *f = &r->follow;
    (void)tag;
    STR_COPY(f->after.after_name, row->machine.name);
    STR_COPY(f->after.after_id, row->machine.id);
    struct machine *m = follow_machine(r, f->fleet_id, &row->machine);
    if (m != NULL)
        claim_shut_out(m);
    else
        log_error("registry.full", "not all machines fit");
    return m != NULL;
}

static bool access_row(void *ctx, uint32_t tag, const union store_row *row)
{
    struct relay *r = ctx;
    struct follow *f = &r->follow;
    const struct store_access_row *a = &row->access;
    const struct access_key key = {f->fleet_id, a->machine_id, a->person_id};
    (void)tag;
    STR_COPY(f->after.after_id, a->machine_id);
    STR_COPY(f->after_person, a->person_id);
    access_is(r, &key, a->access);
    return true;
}

static void gone(void *ctx, struct machine *m, const char *fleet_id)
{
    if (fleet_id[0] != '\0') {
        renew_those(ctx, "", fleet_id, LEFT);
        return;
    }
    m->state = STORE_STATE_STRUCK;
    m->why[0] = '\0';
    claim_shut_out(m);
}

static void walk_over(struct relay *r, int err)
{
    struct follow *f = &r->follow;
    f->state = FOLLOW_IDLE;
    f->err = err;
    if (err == OK) {
        registry_round_over(&r->registry, gone, r);
        access_round_over(&r->access);
        if (r->access.lost)
            log_error("access.full", "machines are hidden from members");
    } else {
        f->again = true;
        log_warn("store.reload", store_why(&r->store));
        loop_arm(&r->loop, f->timer, loop_now(&r->loop) + RETRY_MS);
    }
}

static void walk_begin(struct relay *r)
{
    struct follow *f = &r->follow;
    f->again = false;
    f->state = FOLLOW_FLEET;
    f->fleet_id[0] = f->fleet_name[0] = '\0';
    registry_round(&r->registry);
    access_round(&r->access);
    walk_on(r);
}

static void walked(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct relay *r = ctx;
    struct follow *f = &r->follow;
    (void)tag;
    if (a->err != OK) {
        walk_over(r, a->err);
        return;
    }
    switch (f->state) {
    case FOLLOW_IDLE: return;
    case FOLLOW_FLEET:
        if (!f->fleet_came) {
            walk_over(r, OK);
            if (f->again)
                walk_begin(r);
            return;
        }
        f->state = FOLLOW_MACHINES;
        break;
    case FOLLOW_MACHINES:
        if (!a->more)
            f->state = FOLLOW_ACCESS;
        break;
    case FOLLOW_ACCESS:
        if (!a->more)
            f->state = FOLLOW_FLEET;
        break;
    }
    if (!a->more || a->op == STORE_FLEET_LIST) { /* another list begins */
        memset(&f->after, 0, sizeof(f->after));
        f->after_person[0] = '\0';
    }
    walk_on(r);
}

/* Ask for the next part. */
static void walk_on(struct relay *r)
{
    struct follow *f = &r->follow;
    struct store_ask q = {.ctx = r, .answer = walked};
    struct store_list *list = &q.u.list;
    switch (f->state) {
    case FOLLOW_IDLE: return;
    case FOLLOW_FLEET:
        q.op = STORE_FLEET_LIST;
        q.row = fleet_row;
        f->fleet_came = false;
        list = &q.u.fleet_list.list;
        STR_COPY(list->after_name, f->fleet_name);
        STR_COPY(list->after_id, f->fleet_id);
        list->limit = 1;
        break;
    case FOLLOW_MACHINES:
        q.op = STORE_MACHINE_LIST;
        q.row = machine_row;
        q.u.list = f->after;
        break;
    case FOLLOW_ACCESS:
        q.op = STORE_ACCESS_LIST;
        q.row = access_row;
        q.u.access_list.list = f->after;
        STR_COPY(q.u.access_list.after_person, f->after_person);
        list = &q.u.access_list.list;
        break;
    }
    if (f->state != FOLLOW_FLEET) {
        STR_COPY(list->fleet_id, f->fleet_id);
        list->limit = ROWS_AT_ONCE;
    }
    int err = ask(r, &q);
    if (err != OK)
        walk_over(r, err);
}

/* ---- all ---------------------------------------------------------------------------- */

void follow_init(struct relay *r)
{
    memset(&r->follow, 0, sizeof(r->follow));
    loop_job_init(&r->follow_job, on_job, r);
    r->follow.timer = loop_timer_add(&r->loop, on_timer, r);
    loop_arm(&r->loop, r->follow.timer, port_now_ms() + CHECK_EACH_MS);
    r->store.saw = saw;
    r->store.saw_ctx = r;
}

int follow_load(struct relay *r, struct text *why)
{
    walk_begin(r);
    while (r->follow.state != FOLLOW_IDLE)
        (void)store_turn(&r->store, port_wall_ms());
    if (r->follow.err != OK)
        text_join(why, "the machines cannot be read: ", store_why(&r->store),
                  NULL);
    return r->follow.err;
}

void follow_reload(struct relay *r)
{
    if (r->follow.state == FOLLOW_IDLE)
        walk_begin(r);
    else
        r->follow.again = true;
    check_those(r, "", "");
}
