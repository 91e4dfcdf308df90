/*
 * What the tests of the store share: one store in a folder of its own, and
 * questions as one-liners. Included by each test program; the store, the
 * answers and the rows that came are its own.
 */
#ifndef TESTS_UNIT_RELAY_STORE_KIT_H
#define TESTS_UNIT_RELAY_STORE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/text.h"
#include "relay/store.h"

#define NOW    INT64_C(1800000000000)
#define MINUTE INT64_C(60000)

#ifndef STORE /* else the store of a larger thing */
static struct store store;
#define STORE (&store)
#endif
static uint8_t heap[STORE_HEAP_BYTES];
static char folder[64];
static char path[128];

/* What answers and rows brought. */
static struct {
    int count;
    struct store_answer last;
    uint32_t tags[512];
    int errs[512];
    int rows;
    int rows_max; /* the row callback says false then; 0: no */
    union store_row row[64];
} got;

/* ---- asking -------------------------------------------------------------- */

static inline void on_answer(void *ctx, uint32_t tag,
                             const struct store_answer *a)
{
    assert_ptr_equal(ctx, &got);
    got.last = *a;
    got.errs[got.count % 512] = a->err;
    got.tags[got.count++ % 512] = tag;
}

static inline bool on_row(void *ctx, uint32_t tag, const union store_row *row)
{
    assert_ptr_equal(ctx, &got);
    (void)tag;
    if (got.rows < 64)
        got.row[got.rows] = *row;
    got.rows++;
    return got.rows_max == 0 || got.rows < got.rows_max;
}

static inline int open_at(const char *at)
{
    struct store_cfg cfg = {
        .path = at, .heap = SPAN_ARRAY(heap), .busy_ms = 2000};
    return store_open(STORE, &cfg);
}

static inline void reopen(void)
{
    store_close(STORE);
    assert_int_equal(open_at(path), OK);
}

static inline struct store_ask ask_of(enum store_op op)
{
    return (struct store_ask){
        .op = op, .ctx = &got, .answer = on_answer, .row = on_row};
}

/* Ask one thing and wait for it. */
static inline const struct store_answer *ask_at(const struct store_ask *q,
                                                int64_t now_ms)
{
    int before = got.count;
    got.rows = 0;
    assert_int_equal(store_ask(STORE, q), OK);
    assert_true(store_pending(STORE));
    for (int i = 0; i < 100 && store_pending(STORE); i++)
        (void)store_turn(STORE, now_ms);
    assert_int_equal(got.count, before + 1);
    assert_int_equal(got.last.op, q->op);
    return &got.last;
}

static inline const struct store_answer *ask(const struct store_ask *q)
{
    const struct store_answer *a = ask_at(q, NOW);
    assert_int_equal(a->err, OK);
    return a;
}

static inline void fill(uint8_t *out, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        out[i] = (uint8_t)(seed >> 24);
    }
}

#define FILL(array, seed) fill((array), sizeof(array), (uint32_t)(seed))
#define PUT(field, text)  (void)snprintf((field), sizeof(field), "%s", (text))

static inline struct store_who setup(void)
{
    struct store_ask q = ask_of(STORE_SETUP);
    PUT(q.u.setup.fleet_name, "Home");
    PUT(q.u.setup.user_name, "ada");
    FILL(q.u.setup.random, 7);
    const struct store_answer *a = ask(&q);
    assert_int_equal(a->outcome, STORE_DONE);
    return a->u.who;
}

static inline struct store_ask token_ask(const struct store_who *who,
                                         uint32_t seed)
{
    struct store_ask q = ask_of(STORE_TOKEN_MAKE);
    PUT(q.u.token_make.fleet_id, who->fleet_id);
    PUT(q.u.token_make.user_id, who->user_id);
    PUT(q.u.token_make.label, "laptop");
    PUT(q.u.token_make.actor.kind, "cli");
    PUT(q.u.token_make.actor.name, "root");
    FILL(q.u.token_make.secret.hash, seed);
    FILL(q.u.token_make.secret.random, seed + 1);
    return q;
}

static inline const struct store_answer *check_token(uint32_t seed, int64_t now)
{
    struct store_ask q = ask_of(STORE_TOKEN_CHECK);
    FILL(q.u.token_check.hash, seed);
    return ask_at(&q, now);
}

static inline struct store_ask key_ask(const char *fleet_id, uint32_t seed,
                                       uint32_t uses)
{
    struct store_ask q = ask_of(STORE_JOINKEY_MAKE);
    PUT(q.u.joinkey_make.fleet_id, fleet_id);
    PUT(q.u.joinkey_make.actor.kind, "cli");
    q.u.joinkey_make.uses_max = uses;
    FILL(q.u.joinkey_make.hash, seed);
    FILL(q.u.joinkey_make.random, seed + 1);
    return q;
}

static inline struct store_joinkey make_key(const char *fleet_id, uint32_t seed,
                                            uint32_t uses)
{
    struct store_ask q = key_ask(fleet_id, seed, uses);
    const struct store_answer *a = ask(&q);
    assert_int_equal(a->outcome, STORE_DONE);
    return a->u.joinkey;
}

static inline struct store_ask enrol_ask(uint32_t key, uint32_t machine,
                                         const char *name)
{
    struct store_ask q = ask_of(STORE_ENROL);
    FILL(q.u.enrol.join_hash, key);
    FILL(q.u.enrol.public_key, machine);
    FILL(q.u.enrol.random, machine + 1);
    PUT(q.u.enrol.name, name);
    PUT(q.u.enrol.facts.hostname, name);
    PUT(q.u.enrol.facts.os, "linux");
    PUT(q.u.enrol.facts.agent_version, "0.1.0");
    return q;
}

static inline const struct store_answer *enrol(uint32_t key, uint32_t machine,
                                               const char *name)
{
    struct store_ask q = enrol_ask(key, machine, name);
    return ask(&q);
}

static inline const struct store_answer *login(uint32_t machine)
{
    struct store_ask q = ask_of(STORE_MACHINE_LOGIN);
    FILL(q.u.machine_login.public_key, machine);
    return ask(&q);
}

static inline const struct store_answer *
list(enum store_op op, const char *fleet_id, uint32_t limit)
{
    struct store_ask q = ask_of(op);
    PUT(q.u.list.fleet_id, fleet_id);
    q.u.list.limit = limit;
    return ask(&q);
}

static inline const struct store_answer *
withdraw(enum store_op op, const char *fleet_id, const char *id)
{
    struct store_ask q = ask_of(op);
    if (op == STORE_TOKEN_REVOKE) {
        PUT(q.u.token_revoke.fleet_id, fleet_id);
        PUT(q.u.token_revoke.id, id);
        PUT(q.u.token_revoke.actor.kind, "cli");
        return ask(&q);
    }
    PUT(q.u.revoke.fleet_id, fleet_id);
    PUT(q.u.revoke.id, id);
    PUT(q.u.revoke.actor.kind, "cli");
    return ask(&q);
}

static inline const struct store_answer *
change_state(const char *fleet_id, const char *id,
             enum store_state_change change)
{
    struct store_ask q = ask_of(STORE_MACHINE_STATE);
    PUT(q.u.machine_state.fleet_id, fleet_id);
    PUT(q.u.machine_state.machine_id, id);
    PUT(q.u.machine_state.actor.kind, "cli");
    q.u.machine_state.change = change;
    return ask(&q);
}

static inline const struct store_answer *enable(const char *fleet_id,
                                                const char *id, bool enabled)
{
    return change_state(fleet_id, id, enabled ? STORE_ENABLE : STORE_DISABLE);
}

#define NOBODY "00000000-0000-4000-8000-000000000000"

/* ---- people and fleets ----------------------------------------------------- */

/* The outcome of a question, which is `want`. */
#define ASK(q, want)       assert_int_equal(ask(&(q))->outcome, (want))
#define ASK_AT(q, t, want) assert_int_equal(ask_at(&(q), (t))->outcome, (want))

#define BY(actor)                      \
    do {                               \
        PUT((actor).kind, "user");     \
        PUT((actor).name, "somebody"); \
    } while (0)

static inline struct store_ask person_ask(const char *login, uint32_t seed,
                                          const char *fleet_id,
                                          enum store_role role)
{
    struct store_ask q = ask_of(STORE_PERSON_MAKE);
    PUT(q.u.person_make.fleet_id, fleet_id);
    PUT(q.u.person_make.login, login);
    PUT(q.u.person_make.name, login);
    (void)snprintf(q.u.person_make.email, sizeof q.u.person_make.email,
                   "%s@example.org", login);
    PUT(q.u.person_make.password, "$argon2id$of-");
    q.u.person_make.role = role;
    FILL(q.u.person_make.random, seed);
    BY(q.u.person_make.actor);
    return q;
}

static inline struct store_person make_person(const char *login, uint32_t seed,
                                              const char *fleet_id,
                                              enum store_role role)
{
    struct store_ask q = person_ask(login, seed, fleet_id, role);
    ASK(q, STORE_DONE);
    return got.last.u.person;
}

static inline struct store_ask fleet_ask(const char *person_id,
                                         const char *name, uint32_t seed)
{
    struct store_ask q = ask_of(STORE_FLEET_MAKE);
    PUT(q.u.fleet_make.person_id, person_id);
    PUT(q.u.fleet_make.name, name);
    PUT(q.u.fleet_make.slug, name);
    q.u.fleet_make.kind = STORE_TEAM;
    FILL(q.u.fleet_make.random, seed);
    BY(q.u.fleet_make.actor);
    return q;
}

static inline struct store_fleet make_fleet(const char *person_id,
                                            const char *name, uint32_t seed)
{
    struct store_ask q = fleet_ask(person_id, name, seed);
    ASK(q, STORE_DONE);
    return got.last.u.fleet;
}

/* Another fleet with its own owner, who is nobody in the first. */
static inline struct store_who other_fleet(void)
{
    struct store_person p = make_person("eve", 90001, "", STORE_OWNER);
    struct store_fleet f = make_fleet(p.id, "other", 90011);
    struct store_who who = {0};
    PUT(who.user_id, p.id);
    PUT(who.user_name, p.name);
    PUT(who.fleet_id, f.id);
    PUT(who.fleet_name, f.name);
    return who;
}

/* How many lines the record of a fleet has; of the relay with "". */
static inline int lines(const char *fleet_id)
{
    list(STORE_AUDIT_LIST, fleet_id, 0);
    return got.rows;
}

/* The newest line of a fleet's record tells this. */
static inline void newest_line(const char *fleet_id, const char *action,
                               const char *outcome)
{
    list(STORE_AUDIT_LIST, fleet_id, 1);
    assert_int_equal(got.rows, 1);
    assert_string_equal(got.row[0].audit.line.action, action);
    assert_string_equal(got.row[0].audit.line.outcome, outcome);
}

static inline int begin(void **state)
{
    (void)state;
    memset(&got, 0, sizeof got);
    PUT(folder, "/tmp/cmdop-store-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/in/relay.db", folder);
    return open_at(path);
}

static inline int finish(void **state)
{
    char command[128];
    (void)state;
    store_close(STORE);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

#endif
