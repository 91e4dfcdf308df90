/*
 * The store, through store.h alone: what is told here must hold for any
 * engine, as must the other store_*_test.c by subject. What a file and an
 * operating system may do to this one stands in store_sqlite_test.c and
 * store_fault_test.c.
 */
#include "unit/relay/store_kit.h"

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
    struct store_who who = setup();
    struct store_ask q = token_ask(&who, 10);
    q.u.token_make.secret.expires_ms = NOW + MINUTE;
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
    q.u.token_make.secret.expires_ms = NOW + MINUTE;
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
    assert_int_equal(check_token(10, NOW + 2 * MINUTE)->outcome, STORE_REVOKED);
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
    FILL(q.u.token_make.secret.random, 99);
    assert_int_equal(ask(&q)->outcome, STORE_CONFLICT);
    FILL(q.u.token_make.secret.random, 11);
    FILL(q.u.token_make.secret.hash, 99);
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
    struct store_who who = setup();
    struct store_joinkey a = make_key(who.fleet_id, 20, 0);
    struct store_ask q = key_ask(who.fleet_id, 30, 0);
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
    assert_int_equal(a->u.machine.state, STORE_STATE_ACTIVE);
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
    struct store_ask q = key_ask(who.fleet_id, 40, 0);
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
    struct store_ask q = enrol_ask(20, 100, "new");
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
    struct store_who other = other_fleet();
    make_key(who.fleet_id, 20, 2);
    make_key(other.fleet_id, 30, 1);
    assert_int_equal(enrol(20, 100, "a")->outcome, STORE_DONE);
    assert_int_equal(enrol(30, 100, "a")->outcome, STORE_CONFLICT);
    list(STORE_JOINKEY_LIST, other.fleet_id, 0);
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
    struct store_ask q = ask_of(STORE_MACHINE_SEEN);
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
    static const char *const names[] = {"d", "b", "a", "c", "b"};
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    for (uint32_t i = 0; i < 5; i++)
        enrol(20, 100 + 10 * i, names[i]);

    const struct store_answer *a = list(STORE_MACHINE_LIST, who.fleet_id, 0);
    assert_int_equal(a->rows, 5);
    assert_false(a->more);
    assert_int_equal(list(STORE_MACHINE_LIST, who.fleet_id, 5)->more, false);

    char seen[8] = "";
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
    struct store_who other = other_fleet();
    struct store_joinkey key = make_key(who.fleet_id, 20, 0);
    struct store_machine m = enrol(20, 100, "mine")->u.machine;
    struct store_ask q = token_ask(&who, 10);
    char token[UUID_CAP];
    PUT(token, ask(&q)->u.who.token_id);

    assert_int_equal(list(STORE_MACHINE_LIST, other.fleet_id, 0)->rows, 0);
    assert_int_equal(list(STORE_JOINKEY_LIST, other.fleet_id, 0)->rows, 0);
    assert_int_equal(
        withdraw(STORE_JOINKEY_REVOKE, other.fleet_id, key.id)->outcome,
        STORE_UNKNOWN);
    assert_int_equal(
        withdraw(STORE_TOKEN_REVOKE, other.fleet_id, token)->outcome,
        STORE_UNKNOWN);
    assert_int_equal(enable(other.fleet_id, m.id, false)->outcome,
                     STORE_UNKNOWN);
    q = token_ask(&who, 50);
    PUT(q.u.token_make.fleet_id, other.fleet_id); /* not a member there */
    assert_int_equal(ask(&q)->outcome, STORE_UNKNOWN);

    make_key(other.fleet_id, 60, 0);
    assert_int_equal(enrol(60, 200, "theirs")->outcome, STORE_DONE);
    assert_int_equal(list(STORE_MACHINE_LIST, who.fleet_id, 0)->rows, 1);
    assert_string_equal(got.row[0].machine.name, "mine");
    assert_int_equal(list(STORE_MACHINE_LIST, other.fleet_id, 0)->rows, 1);
    assert_string_equal(got.row[0].machine.name, "theirs");
    assert_int_equal(check_token(10, NOW)->outcome, STORE_DONE);
    assert_int_equal(login(100)->outcome, STORE_DONE);
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
    q.u.token_make.secret.expires_ms = -1;
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
    assert_int_equal(lines(who.fleet_id), 2); /* and that of SETUP */
    assert_string_equal(got.row[0].audit.line.action, "session.open");
    assert_string_equal(got.row[0].audit.line.actor.name, who.user_id);
    assert_int_equal(got.row[0].audit.line.at_ms, NOW);
    assert_int_equal(lines(""), 1);
    assert_int_equal(got.row[0].audit.line.at_ms, 5);
}

/* Newest first, and by page. */
static void the_record_is_read_backwards(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_who other = other_fleet();
    char want[8] = "98765", seen[8] = "";
    for (int i = 0; i < 10; i++) {
        struct store_ask q = ask_of(STORE_AUDIT);
        PUT(q.u.audit.fleet_id, i < 5 ? other.fleet_id : who.fleet_id);
        PUT(q.u.audit.actor.kind, "user");
        PUT(q.u.audit.action, "x");
        q.u.audit.object[0] = (char)('0' + i);
        ASK(q, STORE_DONE);
    }
    struct store_ask q = ask_of(STORE_AUDIT_LIST);
    PUT(q.u.list.fleet_id, who.fleet_id);
    q.u.list.limit = 2;
    do {
        ask(&q);
        for (int i = 0; i < got.rows; i++)
            strncat(seen, got.row[i].audit.line.object, 1);
        q.u.list.after_ms = got.row[got.rows - 1].audit.id;
    } while (got.last.more && strlen(seen) < 5);
    assert_memory_equal(seen, want, 5);
}

static void what_changes_something_leaves_one_line(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_ask q = token_ask(&who, 10);
    struct store_joinkey key = make_key(who.fleet_id, 20, 1);
    char token[UUID_CAP];
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
    assert_int_equal(lines(who.fleet_id), 7);
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(got.row[i].audit.line.action,
                                    got.row[k].audit.line.action);
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
        bool revoked;
        char id[UUID_CAP];
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
    assert_int_equal(a->outcome, !m->machine[i].known    ? STORE_UNKNOWN
                                 : m->machine[i].enabled ? STORE_DONE
                                                         : STORE_DISABLED);
}

static void random_questions_agree_with_a_model(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct model m = {0};
    uint32_t seed = 4711;
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
        case 3:
        case 4:
        case 5: model_login(&m, i); break;
        default: model_enrol(&m, k, i);
        }
    }
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
        TEST(malformed_inputs_are_refused_at_the_door),
        TEST(the_record_takes_lines_and_keeps_them),
        TEST(the_record_is_read_backwards),
        TEST(what_changes_something_leaves_one_line),
        TEST(answers_come_in_the_order_asked),
        TEST(an_answer_may_ask_even_when_the_queue_was_full),
        TEST(closing_answers_what_is_queued),
        TEST(random_questions_agree_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
