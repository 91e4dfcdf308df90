/*
 * The store. The first part speaks only through store.h and must pass on any
 * engine; the second knows that the engine is SQLite in a file: damage, full
 * disks, two processes, sudden death.
 */
#include "relay/store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/err.h"
#include "base/text.h"

#define NOW    INT64_C(1800000000000)
#define MINUTE INT64_C(60000)

static struct store store;
static uint8_t      heap[STORE_HEAP_BYTES];
static char         folder[64];
static char         path[128];

/* What answers and rows brought. */
static struct {
    int                 count;
    struct store_answer last;
    uint32_t            tags[512];
    int                 rows;
    int                 rows_max; /* the row callback says false then; 0: no */
    union store_row     row[64];
} got;

/* ---- helpers ---------------------------------------------------------------- */

static void on_answer(void *ctx, uint32_t tag, const struct store_answer *a)
{
    assert_ptr_equal(ctx, &got);
    got.last = *a;
    got.tags[got.count++ % 512] = tag;
}

static bool on_row(void *ctx, uint32_t tag, const union store_row *row)
{
    assert_ptr_equal(ctx, &got);
    (void)tag;
    if (got.rows < 64)
        got.row[got.rows] = *row;
    got.rows++;
    return got.rows_max == 0 || got.rows < got.rows_max;
}

static int open_at(const char *at)
{
    struct store_cfg cfg = { .path = at,
                             .heap = SPAN_ARRAY(heap),
                             .busy_ms = 2000 };
    return store_open(&store, &cfg);
}

static void reopen(void)
{
    store_close(&store);
    assert_int_equal(open_at(path), OK);
}

static struct store_ask ask_of(enum store_op op)
{
    return (struct store_ask){ .op = op,
                               .ctx = &got,
                               .answer = on_answer,
                               .row = on_row };
}

/* Ask one thing and wait for it. */
static const struct store_answer *ask_at(const struct store_ask *q,
                                         int64_t now_ms)
{
    int before = got.count;
    got.rows = 0;
    assert_int_equal(store_ask(&store, q), OK);
    assert_true(store_pending(&store));
    for (int i = 0; i < 100 && store_pending(&store); i++)
        (void)store_turn(&store, now_ms);
    assert_int_equal(got.count, before + 1);
    assert_int_equal(got.last.op, q->op);
    return &got.last;
}

static const struct store_answer *ask(const struct store_ask *q)
{
    const struct store_answer *a = ask_at(q, NOW);
    assert_int_equal(a->err, OK);
    return a;
}

static void fill(uint8_t *out, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        out[i] = (uint8_t)(seed >> 24);
    }
}

#define FILL(array, seed) fill((array), sizeof(array), (uint32_t)(seed))
#define PUT(field, text)  (void)snprintf((field), sizeof(field), "%s", (text))

static struct store_who setup(void)
{
    struct store_ask q = ask_of(STORE_SETUP);
    PUT(q.u.setup.fleet_name, "Home");
    PUT(q.u.setup.user_name, "ada");
    FILL(q.u.setup.random, 7);
    const struct store_answer *a = ask(&q);
    assert_int_equal(a->outcome, STORE_DONE);
    return a->u.who;
}

static struct store_ask token_ask(const struct store_who *who, uint32_t seed)
{
    struct store_ask q = ask_of(STORE_TOKEN_MAKE);
    PUT(q.u.token_make.fleet_id, who->fleet_id);
    PUT(q.u.token_make.user_id, who->user_id);
    PUT(q.u.token_make.label, "laptop");
    PUT(q.u.token_make.actor.kind, "cli");
    PUT(q.u.token_make.actor.name, "root");
    FILL(q.u.token_make.hash, seed);
    FILL(q.u.token_make.random, seed + 1);
    return q;
}

static const struct store_answer *check_token(uint32_t seed, int64_t now)
{
    struct store_ask q = ask_of(STORE_TOKEN_CHECK);
    FILL(q.u.token_check.hash, seed);
    return ask_at(&q, now);
}

static struct store_ask key_ask(const char *fleet_id, uint32_t seed,
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

static struct store_joinkey make_key(const char *fleet_id, uint32_t seed,
                                     uint32_t uses)
{
    struct store_ask           q = key_ask(fleet_id, seed, uses);
    const struct store_answer *a = ask(&q);
    assert_int_equal(a->outcome, STORE_DONE);
    return a->u.joinkey;
}

static struct store_ask enrol_ask(uint32_t key, uint32_t machine,
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

static const struct store_answer *enrol(uint32_t key, uint32_t machine,
                                        const char *name)
{
    struct store_ask q = enrol_ask(key, machine, name);
    return ask(&q);
}

static const struct store_answer *login(uint32_t machine)
{
    struct store_ask q = ask_of(STORE_MACHINE_LOGIN);
    FILL(q.u.machine_login.public_key, machine);
    return ask(&q);
}

static const struct store_answer *list(enum store_op op, const char *fleet_id,
                                       uint32_t limit)
{
    struct store_ask q = ask_of(op);
    PUT(q.u.list.fleet_id, fleet_id);
    q.u.list.limit = limit;
    return ask(&q);
}

static const struct store_answer *withdraw(enum store_op op,
                                         const char *fleet_id, const char *id)
{
    struct store_ask q = ask_of(op);
    PUT(q.u.revoke.fleet_id, fleet_id);
    PUT(q.u.revoke.id, id);
    PUT(q.u.revoke.actor.kind, "cli");
    return ask(&q);
}

static const struct store_answer *enable(const char *fleet_id, const char *id,
                                         bool enabled)
{
    struct store_ask q = ask_of(STORE_MACHINE_ENABLE);
    PUT(q.u.machine_enable.fleet_id, fleet_id);
    PUT(q.u.machine_enable.machine_id, id);
    PUT(q.u.machine_enable.actor.kind, "cli");
    q.u.machine_enable.enabled = enabled;
    return ask(&q);
}

static const char NOBODY[] = "00000000-0000-4000-8000-000000000000";

/* A look, or a hand, from outside: a connection of its own. It shares the
 * heap, so a closed store's SQLite is shut down again behind it. */
static long sql_at(const char *file, const char *statements)
{
    sqlite3      *db = NULL;
    sqlite3_stmt *st = NULL;
    long          first = -1;

    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    while (*statements != '\0') {
        assert_int_equal(
            sqlite3_prepare_v2(db, statements, -1, &st, &statements),
            SQLITE_OK);
        int rc = sqlite3_step(st);
        if (rc == SQLITE_ROW)
            first = (long)sqlite3_column_int64(st, 0);
        assert_true(rc == SQLITE_ROW || rc == SQLITE_DONE);
        sqlite3_finalize(st);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    if (!store_is_open(&store))
        sqlite3_shutdown();
    return first;
}

static long sql(const char *statements)
{
    return sql_at(path, statements);
}

#define OTHER "11111111-1111-4111-8111-111111111111"

static void make_other_fleet(void)
{
    sql("INSERT INTO fleet (id, slug, name, created_ms)"
        " VALUES ('" OTHER "', 'other', 'Other', 1)");
}

static int begin(void **state)
{
    (void)state;
    memset(&got, 0, sizeof got);
    PUT(folder, "/tmp/cmdop-store-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/in/relay.db", folder);
    return open_at(path);
}

static int finish(void **state)
{
    char command[128];
    (void)state;
    store_close(&store);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* ==== any engine ============================================================== */

static void first_start_makes_fleet_and_owner_once(void **state)
{
    (void)state;
    struct store_who a = setup();
    assert_true(a.created);
    assert_string_equal(a.user_name, "ada");
    assert_string_equal(a.fleet_name, "Home");
    assert_int_equal(a.role, STORE_OWNER);
    assert_int_equal(strlen(a.fleet_id), 36);
    assert_int_equal(a.fleet_id[14], '4');
    assert_string_not_equal(a.fleet_id, a.user_id);
    struct store_who b = setup();
    assert_false(b.created);
    assert_string_equal(a.fleet_id, b.fleet_id);
    assert_string_equal(a.user_id, b.user_id);
    reopen();
    struct store_who c = setup();
    assert_false(c.created);
    assert_string_equal(a.fleet_id, c.fleet_id);
}

static void a_token_speaks_for_its_user(void **state)
{
    (void)state;
    struct store_who           who = setup();
    struct store_ask           q = token_ask(&who, 10);
    q.u.token_make.expires_ms = NOW + MINUTE;
    const struct store_answer *a = ask(&q);
    assert_int_equal(a->outcome, STORE_DONE);
    char id[UUID_CAP];
    PUT(id, a->u.who.token_id);

    a = check_token(10, NOW);
    assert_int_equal(a->err, OK);
    assert_int_equal(a->outcome, STORE_DONE);
    assert_string_equal(a->u.who.token_id, id);
    assert_string_equal(a->u.who.user_id, who.user_id);
    assert_string_equal(a->u.who.user_name, "ada");
    assert_string_equal(a->u.who.fleet_id, who.fleet_id);
    assert_string_equal(a->u.who.fleet_name, "Home");
    assert_int_equal(a->u.who.role, STORE_OWNER);
    assert_int_equal(a->u.who.expires_ms, NOW + MINUTE);
}

static void a_token_is_unknown_expired_or_revoked(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_ask q = token_ask(&who, 10);
    q.u.token_make.expires_ms = NOW + MINUTE;
    char id[UUID_CAP];
    PUT(id, ask(&q)->u.who.token_id);

    assert_int_equal(check_token(11, NOW)->outcome, STORE_UNKNOWN);
    assert_int_equal(check_token(10, NOW + MINUTE - 1)->outcome, STORE_DONE);
    const struct store_answer *a = check_token(10, NOW + MINUTE);
    assert_int_equal(a->outcome, STORE_EXPIRED);
    assert_string_equal(a->u.who.user_name, "ada");

    assert_int_equal(withdraw(STORE_TOKEN_REVOKE, NOBODY, id)->outcome,
                     STORE_UNKNOWN);
    assert_int_equal(check_token(10, NOW)->outcome, STORE_DONE);
    a = withdraw(STORE_TOKEN_REVOKE, who.fleet_id, id);
    assert_int_equal(a->outcome, STORE_DONE);
    assert_string_equal(a->u.id, id);
    assert_int_equal(check_token(10, NOW)->outcome, STORE_REVOKED);
    /* Revoked wins over expired: it was somebody's decision. */
    assert_int_equal(check_token(10, NOW + 2 * MINUTE)->outcome,
                     STORE_REVOKED);
    assert_int_equal(withdraw(STORE_TOKEN_REVOKE, who.fleet_id, id)->outcome,
                     STORE_REVOKED);
    reopen();
    assert_int_equal(check_token(10, NOW)->outcome, STORE_REVOKED);
}

static void a_token_needs_a_member(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_ask q = token_ask(&who, 10);
    PUT(q.u.token_make.user_id, NOBODY);
    assert_int_equal(ask(&q)->outcome, STORE_UNKNOWN);
    q = token_ask(&who, 10);
    PUT(q.u.token_make.fleet_id, NOBODY);
    assert_int_equal(ask(&q)->outcome, STORE_UNKNOWN);
    assert_int_equal(check_token(10, NOW)->outcome, STORE_UNKNOWN);
}

static void a_hash_is_made_once(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_ask q = token_ask(&who, 10);
    assert_int_equal(ask(&q)->outcome, STORE_DONE);
    FILL(q.u.token_make.random, 99);
    assert_int_equal(ask(&q)->outcome, STORE_CONFLICT);
    FILL(q.u.token_make.random, 11);
    FILL(q.u.token_make.hash, 99);
    assert_int_equal(ask(&q)->outcome, STORE_CONFLICT); /* the id */
    q = key_ask(who.fleet_id, 20, 0);
    assert_int_equal(ask(&q)->outcome, STORE_DONE);
    assert_int_equal(ask(&q)->outcome, STORE_CONFLICT);
    q = key_ask(NOBODY, 30, 0);
    assert_int_equal(ask(&q)->outcome, STORE_UNKNOWN);
}

static void a_prefix_must_mean_one(void **state)
{
    (void)state;
    struct store_who     who = setup();
    struct store_joinkey a = make_key(who.fleet_id, 20, 0);
    struct store_ask     q = key_ask(who.fleet_id, 30, 0);
    FILL(q.u.joinkey_make.random, 21); /* the same id but for its end */
    q.u.joinkey_make.random[15] ^= 1;
    assert_int_equal(ask(&q)->outcome, STORE_DONE);
    char prefix[UUID_CAP];

    PUT(prefix, a.id);
    prefix[8] = '\0';
    assert_int_equal(
        withdraw(STORE_JOINKEY_REVOKE, who.fleet_id, prefix)->outcome,
        STORE_AMBIGUOUS);
    assert_int_equal(
        withdraw(STORE_JOINKEY_REVOKE, who.fleet_id, a.id)->outcome,
        STORE_DONE);
    assert_int_equal(
        withdraw(STORE_JOINKEY_REVOKE, who.fleet_id, a.id)->outcome,
        STORE_REVOKED);
    struct store_joinkey b = make_key(who.fleet_id, 40, 0);
    PUT(prefix, b.id);
    prefix[STORE_PREFIX_MIN] = '\0';
    const struct store_answer *r =
        withdraw(STORE_JOINKEY_REVOKE, who.fleet_id, prefix);
    assert_int_equal(r->outcome, STORE_DONE);
    assert_string_equal(r->u.id, b.id);
}

static void a_machine_enrols_and_logs_in(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 1);
    const struct store_answer *a = enrol(20, 100, "web-1");
    assert_int_equal(a->outcome, STORE_DONE);
    assert_true(a->u.machine.created);
    assert_true(a->u.machine.enabled);
    assert_string_equal(a->u.machine.name, "web-1");
    assert_string_equal(a->u.machine.fleet_id, who.fleet_id);
    struct store_machine m = a->u.machine;

    a = login(100);
    assert_int_equal(a->outcome, STORE_DONE);
    assert_string_equal(a->u.machine.id, m.id);
    assert_string_equal(a->u.machine.fleet_id, who.fleet_id);
    assert_string_equal(a->u.machine.name, "web-1");
    assert_int_equal(a->u.machine.last_seen_ms, NOW);
    assert_memory_equal(a->u.machine.public_key, m.public_key, STORE_KEY);
    assert_int_equal(login(101)->outcome, STORE_UNKNOWN);
}

static void a_join_key_is_refused_for_its_reason(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 1);
    struct store_joinkey revoked = make_key(who.fleet_id, 30, 0);
    struct store_ask     q = key_ask(who.fleet_id, 40, 0);
    q.u.joinkey_make.expires_ms = NOW;
    assert_int_equal(ask(&q)->outcome, STORE_DONE);
    withdraw(STORE_JOINKEY_REVOKE, who.fleet_id, revoked.id);

    assert_int_equal(enrol(21, 100, "a")->outcome, STORE_UNKNOWN);
    assert_int_equal(enrol(30, 100, "a")->outcome, STORE_REVOKED);
    assert_int_equal(enrol(40, 100, "a")->outcome, STORE_EXPIRED);
    assert_int_equal(enrol(20, 100, "a")->outcome, STORE_DONE);
    assert_int_equal(enrol(20, 101, "b")->outcome, STORE_USED_UP);
    assert_int_equal(login(101)->outcome, STORE_UNKNOWN);
    list(STORE_MACHINE_LIST, who.fleet_id, 0);
    assert_int_equal(got.rows, 1);
}

static void the_same_key_enrols_again_as_the_same_machine(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 3);
    struct store_machine m = enrol(20, 100, "old")->u.machine;
    struct store_ask     q = enrol_ask(20, 100, "new");
    FILL(q.u.enrol.random, 555); /* another id would come of it */
    const struct store_answer *a = ask(&q);
    assert_int_equal(a->outcome, STORE_DONE);
    assert_false(a->u.machine.created);
    assert_string_equal(a->u.machine.id, m.id);
    assert_string_equal(a->u.machine.name, "new");
    assert_string_equal(login(100)->u.machine.name, "new");
    list(STORE_JOINKEY_LIST, who.fleet_id, 0);
    assert_int_equal(got.row[0].joinkey.uses, 2);
    list(STORE_MACHINE_LIST, who.fleet_id, 0);
    assert_int_equal(got.rows, 1);
}

static void what_is_refused_counts_no_use(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_other_fleet();
    make_key(who.fleet_id, 20, 2);
    make_key(OTHER, 30, 1);
    assert_int_equal(enrol(20, 100, "a")->outcome, STORE_DONE);
    assert_int_equal(enrol(30, 100, "a")->outcome, STORE_CONFLICT);
    list(STORE_JOINKEY_LIST, OTHER, 0);
    assert_int_equal(got.row[0].joinkey.uses, 0);
    assert_int_equal(enrol(30, 101, "b")->outcome, STORE_DONE);
    assert_string_equal(login(100)->u.machine.fleet_id, who.fleet_id);
}

static void a_machine_shut_out_stays_out(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    struct store_machine m = enrol(20, 100, "a")->u.machine;
    assert_int_equal(enable(NOBODY, m.id, false)->outcome, STORE_UNKNOWN);
    assert_int_equal(enable(who.fleet_id, NOBODY, false)->outcome,
                     STORE_UNKNOWN);
    assert_int_equal(login(100)->outcome, STORE_DONE);
    assert_int_equal(enable(who.fleet_id, m.id, false)->outcome, STORE_DONE);
    const struct store_answer *a = login(100);
    assert_int_equal(a->outcome, STORE_DISABLED);
    assert_string_equal(a->u.machine.id, m.id);
    assert_int_equal(enrol(20, 100, "again")->outcome, STORE_DISABLED);
    list(STORE_JOINKEY_LIST, who.fleet_id, 0);
    assert_int_equal(got.row[0].joinkey.uses, 1);
    assert_int_equal(enable(who.fleet_id, m.id, true)->outcome, STORE_DONE);
    assert_int_equal(login(100)->outcome, STORE_DONE);
    assert_string_equal(got.last.u.machine.name, "a");
}

static void seen_updates_time_and_facts(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    struct store_machine m = enrol(20, 100, "a")->u.machine;
    struct store_ask     q = ask_of(STORE_MACHINE_SEEN);
    PUT(q.u.machine_seen.fleet_id, who.fleet_id);
    PUT(q.u.machine_seen.machine_id, m.id);
    PUT(q.u.machine_seen.facts.hostname, "h\xc3\xa9\x1b[31m");
    PUT(q.u.machine_seen.facts.os, "linux");
    PUT(q.u.machine_seen.facts.os_version, "12");
    PUT(q.u.machine_seen.facts.architecture, "x86_64");
    PUT(q.u.machine_seen.facts.agent_version, "9");
    assert_int_equal(ask_at(&q, NOW + 5)->outcome, STORE_DONE);
    list(STORE_MACHINE_LIST, who.fleet_id, 0);
    const struct store_machine *r = &got.row[0].machine;
    assert_string_equal(r->facts.hostname, "h\xc3\xa9\\x1b[31m");
    assert_string_equal(r->facts.os_version, "12");
    assert_string_equal(r->facts.architecture, "x86_64");
    assert_string_equal(r->facts.agent_version, "9");
    assert_int_equal(r->last_seen_ms, NOW + 5);
    assert_int_equal(r->created_ms, NOW);

    PUT(q.u.machine_seen.fleet_id, NOBODY); /* another tenant's hand */
    assert_int_equal(ask_at(&q, NOW + 9)->outcome, STORE_UNKNOWN);
    assert_int_equal(login(100)->u.machine.last_seen_ms, NOW + 5);
}

/* A field may end inside a UTF-8 sequence, or not end at all. */
static void facts_are_cut_at_whole_characters(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    struct store_ask q = enrol_ask(20, 100, "a");
    memset(q.u.enrol.facts.os, 'x', sizeof q.u.enrol.facts.os);
    for (int i = 0; i < 31; i++) /* 62 bytes, then half a character */
        memcpy(q.u.enrol.facts.hostname + 2 * i, "\xc3\xa9", 2);
    memcpy(q.u.enrol.facts.hostname + 62, "\xc3\xa9", 2);
    const struct store_answer *a = ask(&q);
    assert_int_equal(a->outcome, STORE_DONE);
    assert_int_equal(strlen(a->u.machine.facts.os), 23);
    assert_int_equal(strlen(a->u.machine.facts.hostname), 62);
}

static void machines_come_by_name_and_by_page(void **state)
{
    (void)state;
    static const char *const names[] = { "d", "b", "a", "c", "b" };
    struct store_who         who = setup();
    make_key(who.fleet_id, 20, 0);
    for (uint32_t i = 0; i < 5; i++)
        enrol(20, 100 + 10 * i, names[i]);

    const struct store_answer *a = list(STORE_MACHINE_LIST, who.fleet_id, 0);
    assert_int_equal(a->rows, 5);
    assert_false(a->more);
    assert_int_equal(list(STORE_MACHINE_LIST, who.fleet_id, 5)->more, false);

    char             seen[8] = "";
    struct store_ask q = ask_of(STORE_MACHINE_LIST);
    PUT(q.u.list.fleet_id, who.fleet_id);
    q.u.list.limit = 2;
    do {
        a = ask(&q);
        assert_int_equal(a->rows, got.rows);
        for (int i = 0; i < got.rows; i++)
            strcat(seen, got.row[i].machine.name);
        PUT(q.u.list.after_name, got.row[got.rows - 1].machine.name);
        PUT(q.u.list.after_id, got.row[got.rows - 1].machine.id);
    } while (a->more);
    assert_string_equal(seen, "abbcd");
}

static void a_list_stops_when_its_reader_is_full(void **state)
{
    (void)state;
    struct store_who who = setup();
    for (uint32_t i = 0; i < 4; i++)
        make_key(who.fleet_id, 20 + 10 * i, 0);
    got.rows_max = 3;
    const struct store_answer *a = list(STORE_JOINKEY_LIST, who.fleet_id, 0);
    assert_int_equal(a->rows, 3);
    assert_true(a->more);
    got.rows_max = 0;
    struct store_ask q = ask_of(STORE_JOINKEY_LIST);
    PUT(q.u.list.fleet_id, who.fleet_id);
    q.u.list.after_ms = got.row[2].joinkey.created_ms;
    PUT(q.u.list.after_id, got.row[2].joinkey.id);
    a = ask(&q);
    assert_int_equal(a->rows, 1);
    assert_false(a->more);
}

/* Every question that carries a fleet, asked with another fleet's ids. */
static void one_fleet_never_reaches_another(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_other_fleet();
    struct store_joinkey key = make_key(who.fleet_id, 20, 0);
    struct store_machine m = enrol(20, 100, "mine")->u.machine;
    struct store_ask     q = token_ask(&who, 10);
    char                 token[UUID_CAP];
    PUT(token, ask(&q)->u.who.token_id);

    assert_int_equal(list(STORE_MACHINE_LIST, OTHER, 0)->rows, 0);
    assert_int_equal(list(STORE_JOINKEY_LIST, OTHER, 0)->rows, 0);
    assert_int_equal(withdraw(STORE_JOINKEY_REVOKE, OTHER, key.id)->outcome,
                     STORE_UNKNOWN);
    assert_int_equal(withdraw(STORE_TOKEN_REVOKE, OTHER, token)->outcome,
                     STORE_UNKNOWN);
    assert_int_equal(enable(OTHER, m.id, false)->outcome, STORE_UNKNOWN);
    q = token_ask(&who, 50);
    PUT(q.u.token_make.fleet_id, OTHER); /* not a member there */
    assert_int_equal(ask(&q)->outcome, STORE_UNKNOWN);

    make_key(OTHER, 60, 0);
    assert_int_equal(enrol(60, 200, "theirs")->outcome, STORE_DONE);
    assert_int_equal(list(STORE_MACHINE_LIST, who.fleet_id, 0)->rows, 1);
    assert_string_equal(got.row[0].machine.name, "mine");
    assert_int_equal(list(STORE_MACHINE_LIST, OTHER, 0)->rows, 1);
    assert_string_equal(got.row[0].machine.name, "theirs");
    assert_int_equal(check_token(10, NOW)->outcome, STORE_DONE);
    assert_int_equal(login(100)->outcome, STORE_DONE);
}

static void a_full_fleet_takes_no_more(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    enrol(20, 100, "a");
    sql("UPDATE fleet SET machines = 100000");
    assert_int_equal(STORE_FLEET_MACHINES_MAX, 100000);
    assert_int_equal(enrol(20, 200, "b")->outcome, STORE_LIMIT);
    assert_int_equal(enrol(20, 100, "known")->outcome, STORE_DONE);
    assert_int_equal(list(STORE_MACHINE_LIST, who.fleet_id, 0)->rows, 1);
}

static void malformed_inputs_are_refused_at_the_door(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_ask q = token_ask(&who, 10);
    PUT(q.u.token_make.fleet_id, "11111111-1111-4111-8111-11111111111");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    PUT(q.u.token_make.fleet_id, "11111111-1111-4111-8111-11111111111A");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    memset(q.u.token_make.fleet_id, 'a', UUID_CAP); /* does not end */
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = token_ask(&who, 10);
    memset(q.u.token_make.label, 'x', NAME_CAP);
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = token_ask(&who, 10);
    q.u.token_make.expires_ms = -1;
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = token_ask(&who, 10);
    q.u.token_make.actor.kind[0] = '\0';
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = enrol_ask(20, 100, "");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = enrol_ask(20, 100, "a\nb");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = enrol_ask(20, 100, "\xff");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = ask_of(STORE_JOINKEY_REVOKE);
    PUT(q.u.revoke.fleet_id, who.fleet_id);
    PUT(q.u.revoke.actor.kind, "cli");
    PUT(q.u.revoke.id, "abc");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    PUT(q.u.revoke.id, "ab%_");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = ask_of(STORE_MACHINE_LIST);
    PUT(q.u.list.fleet_id, who.fleet_id);
    q.row = NULL;
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = ask_of((enum store_op)99);
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    assert_false(store_pending(&store));
}

static void the_record_takes_lines_and_keeps_them(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_ask q = ask_of(STORE_AUDIT);
    PUT(q.u.audit.fleet_id, who.fleet_id);
    PUT(q.u.audit.actor.kind, "user");
    PUT(q.u.audit.actor.name, who.user_id);
    PUT(q.u.audit.action, "session.open");
    PUT(q.u.audit.outcome, "refused");
    assert_int_equal(ask(&q)->outcome, STORE_DONE);
    q.u.audit.fleet_id[0] = '\0';
    q.u.audit.at_ms = 5;
    assert_int_equal(ask(&q)->outcome, STORE_DONE);
    q.u.audit.action[0] = '\0';
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    assert_int_equal(sql("SELECT count(*) FROM audit"), 3);
    assert_int_equal(sql("SELECT at_ms FROM audit WHERE id = 3"), 5);
}

static void what_changes_something_leaves_one_line(void **state)
{
    (void)state;
    struct store_who     who = setup();
    struct store_ask     q = token_ask(&who, 10);
    struct store_joinkey key = make_key(who.fleet_id, 20, 1);
    char                 token[UUID_CAP];
    PUT(token, ask(&q)->u.who.token_id);
    ask(&q); /* conflict */
    struct store_machine m = enrol(20, 100, "a")->u.machine;
    enrol(20, 100, "a"); /* used up */
    login(100);
    enable(who.fleet_id, m.id, false);
    enable(who.fleet_id, m.id, false); /* is so already */
    withdraw(STORE_JOINKEY_REVOKE, who.fleet_id, key.id);
    withdraw(STORE_JOINKEY_REVOKE, who.fleet_id, key.id);
    withdraw(STORE_TOKEN_REVOKE, who.fleet_id, token);
    withdraw(STORE_TOKEN_REVOKE, NOBODY, token);
    assert_int_equal(sql("SELECT count(*) FROM audit"), 7);
    assert_int_equal(sql("SELECT count(DISTINCT action) FROM audit"),
                     7);
}

/* ---- the queue -------------------------------------------------------------------- */

static void answers_come_in_the_order_asked(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    got.count = 0;
    for (uint32_t i = 0; i < STORE_QUEUE; i++) {
        struct store_ask q = i % 7 == 3 ? ask_of(STORE_MACHINE_LIST)
                                        : enrol_ask(20, 100 + 10 * i, "m");
        if (q.op == STORE_MACHINE_LIST)
            PUT(q.u.list.fleet_id, who.fleet_id);
        q.tag = i;
        assert_int_equal(store_ask(&store, &q), OK);
    }
    struct store_ask one_more = enrol_ask(20, 1, "m");
    assert_int_equal(store_ask(&store, &one_more), ERR_FULL);
    assert_int_equal(got.count, 0);
    while (store_pending(&store)) {
        int before = got.count;
        int n = store_turn(&store, NOW);
        assert_int_equal(got.count, before + n);
        assert_in_range(n, 1, STORE_BATCH);
    }
    assert_int_equal(got.count, STORE_QUEUE);
    for (uint32_t i = 0; i < STORE_QUEUE; i++)
        assert_int_equal(got.tags[i], i);
    assert_int_equal(store_turn(&store, NOW), 0);
}

static int chain_left;

static void on_chain(void *ctx, uint32_t tag, const struct store_answer *a)
{
    (void)ctx;
    assert_int_equal(a->err, OK);
    if (chain_left-- <= 0)
        return;
    struct store_ask q = ask_of(STORE_TOKEN_CHECK);
    q.answer = on_chain;
    q.tag = tag + 1;
    assert_int_equal(store_ask(&store, &q), OK);
}

static void an_answer_may_ask_even_when_the_queue_was_full(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_TOKEN_CHECK);
    q.answer = on_chain;
    chain_left = 1000;
    for (int i = 0; i < STORE_QUEUE; i++)
        assert_int_equal(store_ask(&store, &q), OK);
    int turns = 0;
    for (; store_pending(&store); turns++)
        assert_in_range(store_turn(&store, NOW), 1, STORE_BATCH);
    assert_int_equal(chain_left, -STORE_QUEUE);
    assert_int_equal(turns, (1000 + STORE_QUEUE) / STORE_BATCH + 1);
}

static void on_close(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct store_ask q = ask_of(STORE_TOKEN_CHECK);
    on_answer(ctx, tag, a);
    assert_int_equal(a->err, ERR_CLOSED);
    assert_int_equal(store_ask(&store, &q), ERR_CLOSED);
}

static void closing_answers_what_is_queued(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_TOKEN_CHECK);
    q.answer = on_close;
    assert_int_equal(store_ask(&store, &q), OK);
    assert_int_equal(store_ask(&store, &q), OK);
    store_close(&store);
    assert_int_equal(got.count, 2);
    assert_false(store_is_open(&store));
    assert_false(store_pending(&store));
    assert_int_equal(store_ask(&store, &q), ERR_CLOSED);
    assert_int_equal(store_turn(&store, NOW), 0);
    store_close(&store);
}

/* ---- random questions against a plain model ----------------------------------------- */

#define MODEL_KEYS     4
#define MODEL_MACHINES 12

struct model {
    struct {
        uint32_t uses, uses_max;
        bool     revoked;
        char     id[UUID_CAP];
    } key[MODEL_KEYS];
    struct {
        bool known, enabled;
        char id[UUID_CAP];
    } machine[MODEL_MACHINES];
};

static uint32_t rnd(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % below;
}

static void model_enrol(struct model *m, uint32_t k, uint32_t i)
{
    enum store_outcome want = STORE_DONE;
    if (m->key[k].revoked)
        want = STORE_REVOKED;
    else if (m->key[k].uses_max && m->key[k].uses >= m->key[k].uses_max)
        want = STORE_USED_UP;
    else if (m->machine[i].known && !m->machine[i].enabled)
        want = STORE_DISABLED;
    const struct store_answer *a = enrol(1000 + 100 * k, 5000 + 100 * i, "x");
    assert_int_equal(a->outcome, want);
    if (want != STORE_DONE)
        return;
    m->key[k].uses++;
    if (m->machine[i].known)
        assert_string_equal(a->u.machine.id, m->machine[i].id);
    else
        m->machine[i].enabled = true;
    assert_int_equal(a->u.machine.created, !m->machine[i].known);
    m->machine[i].known = true;
    PUT(m->machine[i].id, a->u.machine.id);
}

static void model_login(const struct model *m, uint32_t i)
{
    const struct store_answer *a = login(5000 + 100 * i);
    assert_int_equal(a->outcome, !m->machine[i].known ? STORE_UNKNOWN
                                 : m->machine[i].enabled ? STORE_DONE
                                                         : STORE_DISABLED);
}

static void random_questions_agree_with_a_model(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct model     m = { 0 };
    uint32_t         seed = 4711;
    print_message("seed %u\n", seed);
    for (uint32_t k = 0; k < MODEL_KEYS; k++) {
        m.key[k].uses_max = k * 5;
        PUT(m.key[k].id, make_key(who.fleet_id, 1000 + 100 * k, k * 5).id);
    }
    for (int step = 0; step < 600; step++) {
        uint32_t k = rnd(&seed, MODEL_KEYS), i = rnd(&seed, MODEL_MACHINES);
        switch (rnd(&seed, 10)) {
        case 0:
            if (step < 500)
                break;
            assert_int_equal(
                withdraw(STORE_JOINKEY_REVOKE, who.fleet_id, m.key[k].id)
                    ->outcome,
                m.key[k].revoked ? STORE_REVOKED : STORE_DONE);
            m.key[k].revoked = true;
            break;
        case 1:
            if (!m.machine[i].known)
                break;
            m.machine[i].enabled = !m.machine[i].enabled;
            enable(who.fleet_id, m.machine[i].id, m.machine[i].enabled);
            break;
        case 2:
            if (rnd(&seed, 8) == 0)
                reopen();
            break;
        case 3: case 4: case 5:
            model_login(&m, i);
            break;
        default:
            model_enrol(&m, k, i);
        }
    }
}

/* ==== SQLite in a file ======================================================== */

static void files_are_private(void **state)
{
    char        wal[160];
    struct stat st;
    (void)state;
    setup();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    (void)snprintf(wal, sizeof wal, "%s-mode", path);
    assert_int_equal(stat(wal, &st), -1);
    *strrchr(wal, '/') = '\0';
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    store_close(&store);
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    assert_int_equal(stat(wal, &st), -1); /* folded in */

    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(open_at(path), ERR_DAMAGED);
    assert_non_null(strstr(store_why(&store), "other users may read"));
}

static void a_path_may_hold_any_character(void **state)
{
    char odd[128];
    (void)state;
    store_close(&store);
    (void)snprintf(odd, sizeof odd, "%s/a b%%20?&#'x/r.db", folder);
    assert_int_equal(open_at(odd), OK);
    setup();
    assert_int_equal(access(odd, R_OK), 0);
    struct stat st;
    assert_int_equal(stat(odd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void an_empty_file_is_version_0_and_comes_up(void **state)
{
    (void)state;
    store_close(&store);
    assert_int_equal(unlink(path), 0);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(open_at(path), OK);
    assert_true(setup().created);
    assert_int_equal(sql("PRAGMA user_version"), 1);
    reopen();
    assert_false(setup().created);
}

/* A migration that fails half way leaves version 0, not half a schema. */
static void a_failed_migration_leaves_nothing(void **state)
{
    (void)state;
    store_close(&store);
    assert_int_equal(unlink(path), 0);
    sql("PRAGMA application_id = 1668113490; CREATE TABLE machine (x)");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(open_at(path), ERR_IO);
    assert_non_null(strstr(store_why(&store), "machine already exists"));
    assert_int_equal(sql("PRAGMA user_version"), 0);
    assert_int_equal(sql("SELECT count(*) FROM sqlite_schema"), 1);
    sql("DROP TABLE machine");
    assert_int_equal(open_at(path), OK);
    assert_true(setup().created);
}

static void a_newer_database_is_refused_untouched(void **state)
{
    (void)state;
    struct store_who who = setup();
    store_close(&store);
    sql("PRAGMA user_version = 7");
    assert_int_equal(open_at(path), ERR_VERSION);
    assert_non_null(strstr(store_why(&store), "newer program (schema 7"));
    assert_false(store_is_open(&store));
    sql("PRAGMA user_version = 1");
    assert_int_equal(open_at(path), OK);
    assert_string_equal(store_why(&store), "");
    assert_string_equal(setup().fleet_id, who.fleet_id);
}

static void a_stranger_is_refused_untouched(void **state)
{
    (void)state;
    store_close(&store);
    assert_int_equal(unlink(path), 0);
    sql("CREATE TABLE theirs (x)");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(open_at(path), ERR_DAMAGED);
    assert_non_null(strstr(store_why(&store), "another program"));
    assert_int_equal(sql("SELECT count(*) FROM sqlite_schema"), 1);

    int fd = open(path, O_TRUNC | O_WRONLY);
    for (int i = 0; i < 100; i++)
        assert_int_equal(write(fd, "This is no database at all. ", 28), 28);
    close(fd);
    assert_int_equal(open_at(path), ERR_DAMAGED);
    assert_non_null(strstr(store_why(&store), "not a database"));
}

/* A database with some weight: 40 machines. */
static void make_weight(void)
{
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    for (uint32_t i = 0; i < 40; i++)
        enrol(20, 100 + 10 * i, "weighty");
}

static void a_truncated_file_is_damaged(void **state)
{
    struct stat st;
    (void)state;
    make_weight();
    store_close(&store);
    assert_int_equal(stat(path, &st), 0);
    for (off_t len = st.st_size - 4096; len > 0; len -= 4096) {
        assert_int_equal(truncate(path, len), 0);
        assert_int_equal(open_at(path), ERR_DAMAGED);
        assert_true(strlen(store_why(&store)) > strlen(path) + 30);
    }
    assert_int_equal(truncate(path, 50), 0);
    assert_int_equal(open_at(path), ERR_DAMAGED);
}

/* Overwrite each page in turn with noise: either the store says so when it
 * opens, or it opens and never crashes. */
static void noise_in_any_page_crashes_nothing(void **state)
{
    static uint8_t whole[512 * 1024], page[4096];
    (void)state;
    make_weight();
    store_close(&store);
    int     fd = open(path, O_RDWR);
    ssize_t len = read(fd, whole, sizeof whole);
    assert_in_range(len, 4096, sizeof whole - 1);
    int refused = 0, pages = 0;
    for (off_t at = 0; at < len; at += 4096, pages++) {
        FILL(page, at);
        assert_int_equal(pwrite(fd, page, 4096, at), 4096);
        if (open_at(path) == OK) {
            struct store_ask q = enrol_ask(20, 100, "x");
            (void)ask_at(&q, NOW);
            store_close(&store);
        } else {
            refused++;
        }
        assert_int_equal(ftruncate(fd, len), 0);
        assert_int_equal(pwrite(fd, whole, (size_t)len, 0), len);
    }
    close(fd);
    assert_int_equal(refused, pages);
    assert_int_equal(open_at(path), OK);
    assert_int_equal(login(100)->outcome, STORE_DONE);
}

static void a_heap_too_small_is_said(void **state)
{
    (void)state;
    store_close(&store);
    struct store_cfg cfg = { .path = path, .heap = { heap, 4096 } };
    assert_int_equal(store_open(&store, &cfg), ERR_LIMIT);
    cfg.heap.len = 1024 * 1024; /* the least that is taken does work */
    assert_int_equal(store_open(&store, &cfg), OK);
    make_weight();
    list(STORE_MACHINE_LIST, setup().fleet_id, 0);
    assert_int_equal(got.rows, 40);
}

static void a_folder_of_others_is_refused(void **state)
{
    char dir[128];
    (void)state;
    store_close(&store);
    PUT(dir, path);
    *strrchr(dir, '/') = '\0';
    assert_int_equal(chmod(dir, 0777), 0);
    assert_int_equal(open_at(path), ERR_DENIED);
    assert_non_null(strstr(store_why(&store), "others may write"));
    assert_int_equal(chmod(dir, 0700), 0);
}

/* ---- a full disk -------------------------------------------------------------------- */

static const struct store_answer *try_enrol(uint32_t machine)
{
    struct store_ask q = enrol_ask(20, machine, "filler");
    return ask_at(&q, NOW);
}

static void a_full_disk_is_said_and_loses_nothing(void **state)
{
    char mount_at[100], db[128], ballast[128];
    (void)state;
    (void)snprintf(mount_at, sizeof mount_at, "%s/small", folder);
    (void)snprintf(db, sizeof db, "%s/relay.db", mount_at);
    (void)snprintf(ballast, sizeof ballast, "%s/ballast", mount_at);
    store_close(&store);
    assert_int_equal(mkdir(mount_at, 0700), 0);
    if (mount("none", mount_at, "tmpfs", 0, "size=400k,mode=0700") != 0)
        skip(); /* not root, or no such right */
    assert_int_equal(open_at(db), OK);
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    uint32_t done = 0;
    while (try_enrol(100 + 10 * done)->err == OK)
        assert_true(++done < 2000);
    assert_int_equal(got.last.err, ERR_NO_SPACE);
    assert_non_null(strstr(store_why(&store), "full"));
    assert_true(done > 10);

    /* Reading goes on, also in one batch with what fails. */
    got.count = 0;
    struct store_ask w = enrol_ask(20, 999999, "late");
    struct store_ask r = ask_of(STORE_MACHINE_LOGIN);
    FILL(r.u.machine_login.public_key, 100);
    w.tag = 1, r.tag = 2;
    assert_int_equal(store_ask(&store, &w), OK);
    assert_int_equal(store_ask(&store, &r), OK);
    assert_int_equal(store_turn(&store, NOW), 2);
    assert_int_equal(got.tags[1], 2);
    assert_int_equal(got.last.err, OK);
    assert_int_equal(got.last.outcome, STORE_DONE);

    /* Closed and opened on the full disk, then with room: all are there. */
    store_close(&store);
    int fd = open(ballast, O_CREAT | O_WRONLY, 0600);
    while (write(fd, heap, 4096) > 0)
        ;
    close(fd);
    int err = open_at(db);
    print_message("open on a full disk: %d %s\n", err, store_why(&store));
    assert_true(err == OK || err == ERR_NO_SPACE);
    store_close(&store);
    assert_int_equal(
        mount("none", mount_at, "tmpfs", MS_REMOUNT, "size=4m"), 0);
    assert_int_equal(open_at(db), OK);
    list(STORE_MACHINE_LIST, who.fleet_id, 0);
    assert_int_equal(got.last.rows, done);
    assert_int_equal(try_enrol(999999)->err, OK);
    store_close(&store);
    assert_int_equal(umount(mount_at), 0);
}

/* ---- sudden death ------------------------------------------------------------------- */

static int told_fd;

/* Tell the parent: this one was answered as done. */
static void on_told(void *ctx, uint32_t tag, const struct store_answer *a)
{
    (void)ctx;
    if (a->err == OK && a->outcome == STORE_DONE &&
        write(told_fd, &tag, sizeof tag) != (ssize_t)sizeof tag)
        _exit(3);
}

static void enrol_for_ever(uint32_t first)
{
    if (open_at(path) != OK)
        _exit(2);
    for (uint32_t i = first;;) {
        struct store_ask q = enrol_ask(20, 100 + 10 * i, "mortal");
        q.tag = i;
        q.answer = on_told;
        if (store_ask(&store, &q) == OK)
            i++;
        else
            (void)store_turn(&store, NOW);
        if (i % 5 == 0)
            (void)store_turn(&store, NOW);
    }
}

static void what_was_answered_survives_a_kill(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    uint32_t next = 0;
    for (int round = 0; round < 25; round++) {
        int      fds[2];
        uint32_t last = next, tag;
        store_close(&store);
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
            told_fd = fds[1];
            close(fds[0]);
            enrol_for_ever(next);
        }
        close(fds[1]);
        struct timespec nap = { 0, (10 + round * 7 % 60) * 1000000L };
        nanosleep(&nap, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        while (read(fds[0], &tag, sizeof tag) == (ssize_t)sizeof tag)
            last = tag + 1;
        close(fds[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));

        assert_int_equal(open_at(path), OK); /* quick_check in it */
        for (uint32_t i = next; i < last; i++)
            assert_int_equal(login(100 + 10 * i)->outcome, STORE_DONE);
        /* Machines, uses and the record agree: nothing is half done. */
        list(STORE_JOINKEY_LIST, who.fleet_id, 0);
        uint32_t uses = got.row[0].joinkey.uses;
        list(STORE_MACHINE_LIST, who.fleet_id, 0);
        assert_true(got.last.rows <= uses && got.last.rows >= last);
        assert_int_equal(sql("SELECT count(*) FROM audit WHERE action "
                                   "= 'machine.enrol'"),
                         uses);
        next = last;
    }
    print_message("%u enrolments over 25 deaths\n", next);
    assert_true(next > 25);
    assert_int_equal(sql("SELECT count(*) FROM pragma_integrity_check"
                               " WHERE integrity_check = 'ok'"),
                     1);
}

/* ---- two processes ------------------------------------------------------------------- */

/* `count` join keys out of a process of its own, as `server join-key` does. */
static pid_t other_process(uint32_t first, uint32_t count,
                           const char *fleet_id)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (open_at(path) != OK)
        _exit(2);
    for (uint32_t i = 0; i < count; i++) {
        struct store_ask q = key_ask(fleet_id, first + 10 * i, 0);
        if (store_ask(&store, &q) != OK || store_turn(&store, NOW) != 1 ||
            got.last.err != OK || got.last.outcome != STORE_DONE)
            _exit(3);
    }
    store_close(&store);
    _exit(0);
}

static void assert_left_well(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* fork must not copy an open store: SQLite's locks belong to a process. So
 * children are made first, and the parent opens then. */
static void processes_write_side_by_side(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    store_close(&store);
    pid_t a = other_process(100000, 60, who.fleet_id);
    pid_t b = other_process(200000, 60, who.fleet_id);
    assert_int_equal(open_at(path), OK);
    int done = 0;
    for (uint32_t i = 0; i < 200; i++)
        done += enrol(20, 300000 + 10 * i, "m")->outcome == STORE_DONE;
    assert_left_well(a);
    assert_left_well(b);
    assert_int_equal(done, 200);
    list(STORE_JOINKEY_LIST, who.fleet_id, 0);
    assert_int_equal(got.rows, 121);
    /* A key that another process made lets a machine in here. */
    assert_int_equal(enrol(100000 + 590, 900000, "n")->outcome, STORE_DONE);
}

static void two_first_starts_agree(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        store_close(&store);
        (void)unlink(path);
        pid_t pids[4];
        for (int i = 0; i < 4; i++) {
            pids[i] = fork();
            if (pids[i] != 0)
                continue;
            if (open_at(path) != OK) {
                print_error("%s\n", store_why(&store));
                _exit(2);
            }
            struct store_ask q = ask_of(STORE_SETUP);
            PUT(q.u.setup.fleet_name, "Home");
            PUT(q.u.setup.user_name, "ada");
            FILL(q.u.setup.random, i + 1);
            if (store_ask(&store, &q) != OK || store_turn(&store, NOW) != 1 ||
                got.last.err != OK || got.last.outcome != STORE_DONE)
                _exit(3);
            store_close(&store);
            _exit(0);
        }
        for (int i = 0; i < 4; i++)
            assert_left_well(pids[i]);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(open_at(path), OK);
        assert_false(setup().created);
        assert_int_equal(sql("SELECT count(*) FROM fleet"), 1);
    }
}

/* While somebody else is inside a write, reads go on and writes wait. */
static void a_busy_database_delays_writes_only(void **state)
{
    sqlite3 *other = NULL;
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    enrol(20, 100, "a");
    store_close(&store);
    struct store_cfg cfg = { .path = path,
                             .heap = SPAN_ARRAY(heap),
                             .busy_ms = 5 };
    assert_int_equal(store_open(&store, &cfg), OK);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", 0, 0, 0),
                     SQLITE_OK);

    struct store_ask r = ask_of(STORE_MACHINE_LOGIN);
    FILL(r.u.machine_login.public_key, 100);
    struct store_ask w = enrol_ask(20, 200, "b");
    got.count = 0;
    assert_int_equal(store_ask(&store, &r), OK);
    assert_int_equal(store_ask(&store, &w), OK);
    assert_int_equal(store_ask(&store, &r), OK);
    assert_int_equal(store_turn(&store, NOW), 1); /* the read in front */
    assert_int_equal(got.last.outcome, STORE_DONE);
    assert_int_equal(store_turn(&store, NOW), ERR_BUSY);
    assert_int_equal(store_turn(&store, NOW), ERR_BUSY);
    assert_int_equal(got.count, 1);
    assert_true(store_pending(&store));
    assert_int_equal(sqlite3_exec(other, "COMMIT", 0, 0, 0), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(store_turn(&store, NOW), 2);
    assert_int_equal(got.last.outcome, STORE_DONE);
    assert_int_equal(login(200)->outcome, STORE_DONE);
}

/* ---- how fast ------------------------------------------------------------------------ */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double rate(uint32_t count, struct store_ask (*make)(uint32_t i))
{
    double start = seconds();
    for (uint32_t i = 0; i < count;) {
        struct store_ask q = make(i);
        if (store_ask(&store, &q) == OK)
            i++;
        else
            assert_true(store_turn(&store, NOW) > 0);
    }
    while (store_pending(&store))
        assert_true(store_turn(&store, NOW) > 0);
    return count / (seconds() - start);
}

static struct store_ask rate_enrol(uint32_t i)
{
    return enrol_ask(20, 1000 + 10 * i, "fast");
}

static struct store_ask rate_login(uint32_t i)
{
    struct store_ask q = ask_of(STORE_MACHINE_LOGIN);
    FILL(q.u.machine_login.public_key, 1000 + 10 * (i % 2000));
    return q;
}

static struct store_ask rate_check(uint32_t i)
{
    struct store_ask q = ask_of(STORE_TOKEN_CHECK);
    (void)i;
    FILL(q.u.token_check.hash, 10);
    return q;
}

static struct store_who rate_who;
static char             rate_machine[UUID_CAP];

static struct store_ask rate_seen(uint32_t i)
{
    struct store_ask q = ask_of(STORE_MACHINE_SEEN);
    (void)i;
    PUT(q.u.machine_seen.fleet_id, rate_who.fleet_id);
    PUT(q.u.machine_seen.machine_id, rate_machine);
    PUT(q.u.machine_seen.facts.hostname, "fast");
    return q;
}

static void rates_are_told(void **state)
{
    (void)state;
    rate_who = setup();
    struct store_ask q = token_ask(&rate_who, 10);
    ask(&q);
    make_key(rate_who.fleet_id, 20, 0);
    print_message("enrolments/s   %8.0f\n", rate(2000, rate_enrol));
    print_message("logins/s       %8.0f\n", rate(20000, rate_login));
    print_message("token checks/s %8.0f\n", rate(20000, rate_check));
    PUT(rate_machine, login(1000)->u.machine.id);
    print_message("seen/s         %8.0f\n", rate(20000, rate_seen));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(first_start_makes_fleet_and_owner_once),
        TEST(a_token_speaks_for_its_user),
        TEST(a_token_is_unknown_expired_or_revoked),
        TEST(a_token_needs_a_member),
        TEST(a_hash_is_made_once),
        TEST(a_prefix_must_mean_one),
        TEST(a_machine_enrols_and_logs_in),
        TEST(a_join_key_is_refused_for_its_reason),
        TEST(the_same_key_enrols_again_as_the_same_machine),
        TEST(what_is_refused_counts_no_use),
        TEST(a_machine_shut_out_stays_out),
        TEST(seen_updates_time_and_facts),
        TEST(facts_are_cut_at_whole_characters),
        TEST(machines_come_by_name_and_by_page),
        TEST(a_list_stops_when_its_reader_is_full),
        TEST(one_fleet_never_reaches_another),
        TEST(a_full_fleet_takes_no_more),
        TEST(malformed_inputs_are_refused_at_the_door),
        TEST(the_record_takes_lines_and_keeps_them),
        TEST(what_changes_something_leaves_one_line),
        TEST(answers_come_in_the_order_asked),
        TEST(an_answer_may_ask_even_when_the_queue_was_full),
        TEST(closing_answers_what_is_queued),
        TEST(random_questions_agree_with_a_model),
        TEST(files_are_private),
        TEST(a_path_may_hold_any_character),
        TEST(an_empty_file_is_version_0_and_comes_up),
        TEST(a_failed_migration_leaves_nothing),
        TEST(a_newer_database_is_refused_untouched),
        TEST(a_stranger_is_refused_untouched),
        TEST(a_truncated_file_is_damaged),
        TEST(noise_in_any_page_crashes_nothing),
        TEST(a_heap_too_small_is_said),
        TEST(a_folder_of_others_is_refused),
        TEST(a_full_disk_is_said_and_loses_nothing),
        TEST(what_was_answered_survives_a_kill),
        TEST(processes_write_side_by_side),
        TEST(two_first_starts_agree),
        TEST(a_busy_database_delays_writes_only),
        TEST(rates_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
