/* Bearer secrets, refreshing, device codes: what holds for any engine. */
#include "unit/relay/store_kit.h"

#define HOUR (60 * MINUTE)
#define DAY  (24 * HOUR)

static struct store_who who;

static struct store_secret secret(uint32_t seed, int64_t expires_ms)
{
    struct store_secret s = {.expires_ms = expires_ms};
    FILL(s.hash, seed);
    FILL(s.random, seed + 1);
    PUT(s.prefix, "cmdop_abcdef");
    return s;
}

static struct store_ask revoke_ask(const char *fleet, const char *person,
                                   const char *id)
{
    struct store_ask q = ask_of(STORE_TOKEN_REVOKE);
    PUT(q.u.token_revoke.fleet_id, fleet);
    PUT(q.u.token_revoke.person_id, person);
    PUT(q.u.token_revoke.id, id);
    BY(q.u.token_revoke.actor);
    return q;
}

static struct store_ask token_list(const char *fleet, const char *person)
{
    struct store_ask q = ask_of(STORE_TOKEN_LIST);
    PUT(q.u.token_list.list.fleet_id, fleet);
    PUT(q.u.token_list.person_id, person);
    return q;
}

static struct store_ask device_ask(uint32_t seed, const char *code)
{
    struct store_ask q = ask_of(STORE_DEVICE_MAKE);
    FILL(q.u.device_make.hash, seed);
    PUT(q.u.device_make.user_code, code);
    PUT(q.u.device_make.scope, "workspace:access");
    PUT(q.u.device_make.client.name, "CMDOP CLI");
    PUT(q.u.device_make.client.host, "lap\x1btop");
    q.u.device_make.expires_ms = NOW + 15 * MINUTE;
    return q;
}

static struct store_ask decide(const char *code, bool approve)
{
    struct store_ask q = ask_of(STORE_DEVICE_DECIDE);
    PUT(q.u.device_decide.fleet_id, who.fleet_id);
    PUT(q.u.device_decide.person_id, who.user_id);
    PUT(q.u.device_decide.user_code, code);
    q.u.device_decide.approve = approve;
    BY(q.u.device_decide.actor);
    return q;
}

/* Asks for tokens `next` (access) and `next` + 10 (refresh). */
static struct store_ask poll_ask(uint32_t seed, uint32_t next)
{
    struct store_ask q = ask_of(STORE_DEVICE_POLL);
    FILL(q.u.device_poll.hash, seed);
    q.u.device_poll.interval_ms = 5000;
    q.u.device_poll.access = secret(next, NOW + HOUR);
    q.u.device_poll.refresh = secret(next + 10, NOW + 30 * DAY);
    return q;
}

static struct store_ask refresh_ask(uint32_t seed, uint32_t next)
{
    struct store_ask q = ask_of(STORE_TOKEN_REFRESH);
    FILL(q.u.token_refresh.hash, seed);
    q.u.token_refresh.access = secret(next, NOW + HOUR);
    q.u.token_refresh.refresh = secret(next + 10, NOW + 30 * DAY);
    PUT(q.u.token_refresh.address, "192.0.2.9");
    return q;
}

/* Signed in by device flow: access `next`, refresh `next` + 10. */
static struct store_who sign_in(uint32_t seed, const char *code, uint32_t next)
{
    struct store_ask q = device_ask(seed, code);
    ASK(q, STORE_DONE);
    q = decide(code, true);
    ASK(q, STORE_DONE);
    q = poll_ask(seed, next);
    ASK(q, STORE_DONE);
    return got.last.u.who;
}

/* ---- making and checking ---------------------------------------------------- */

static void a_check_tells_all_that_is_to_know(void **state)
{
    (void)state;
    who = setup();
    struct store_ask q = ask_of(STORE_FLEET_SET);
    PUT(q.u.fleet_set.fleet_id, who.fleet_id);
    PUT(q.u.fleet_set.name, "Home");
    q.u.fleet_set.policy.mfa_required = true;
    q.u.fleet_set.policy.session_ms = HOUR;
    q.u.fleet_set.policy.mode = STORE_MODE_STRICT;
    PUT(q.u.fleet_set.policy.ip_allow, "10.0.0.0/8");
    BY(q.u.fleet_set.actor);
    ASK(q, STORE_DONE);
    q = token_ask(&who, 10);
    q.u.token_make.kind = STORE_APIKEY;
    PUT(q.u.token_make.scope, "machines:read files:read");
    q.u.token_make.secret.expires_ms = NOW + DAY;
    ASK(q, STORE_DONE);
    struct store_who made = got.last.u.who;

    assert_int_equal(check_token(10, NOW + 1)->outcome, STORE_DONE);
    const struct store_who *w = &got.last.u.who;
    assert_string_equal(w->token_id, made.token_id);
    assert_string_equal(w->family, made.token_id); /* its own */
    assert_int_equal(w->kind, STORE_APIKEY);
    assert_string_equal(w->scope, "machines:read files:read");
    assert_string_equal(w->login, "ada");
    assert_false(w->has_totp);
    assert_int_equal(w->role, STORE_OWNER);
    assert_true(w->policy.mfa_required);
    assert_string_equal(w->policy.ip_allow, "10.0.0.0/8");
    assert_int_equal(w->policy.session_ms, HOUR);
    assert_int_equal(w->policy.mode, STORE_MODE_STRICT);
    assert_int_equal(w->created_ms, NOW);
    assert_int_equal(w->expires_ms, NOW + DAY);
    assert_int_equal(w->last_used_ms, 0);
}

static void the_last_use_is_known_to_the_minute(void **state)
{
    (void)state;
    who = setup();
    struct store_ask q = token_ask(&who, 10);
    ASK(q, STORE_DONE);
    check_token(10, NOW + 1);
    check_token(10, NOW + 30000);
    assert_int_equal(got.last.u.who.last_used_ms, NOW + 1);
    check_token(10, NOW + 60000); /* not yet a minute */
    check_token(10, NOW + 60001);
    assert_int_equal(got.last.u.who.last_used_ms, NOW + 1);
    check_token(10, NOW + 60002);
    assert_int_equal(got.last.u.who.last_used_ms, NOW + 60001);
    check_token(10, NOW - DAY); /* the clock was set back */
    check_token(10, NOW - DAY + 1);
    assert_int_equal(got.last.u.who.last_used_ms, NOW - DAY);
    /* What is refused is no use. */
    q = token_ask(&who, 20);
    q.u.token_make.secret.expires_ms = NOW + 1;
    ASK(q, STORE_DONE);
    check_token(20, NOW + 5);
    check_token(20, NOW + 6);
    assert_int_equal(got.last.outcome, STORE_EXPIRED);
    assert_int_equal(got.last.u.who.last_used_ms, 0);
}

static void a_person_has_so_many_tokens(void **state)
{
    (void)state;
    who = setup();
    for (uint32_t i = 0; i < STORE_PERSON_TOKENS_MAX; i++) {
        struct store_ask q = token_ask(&who, 1000 + 10 * i);
        q.u.token_make.secret.expires_ms = NOW + HOUR;
        ASK(q, STORE_DONE);
    }
    struct store_ask q = token_ask(&who, 10);
    ASK(q, STORE_LIMIT);
    struct store_who other = other_fleet();
    struct store_ask o = token_ask(&other, 20);
    ASK(o, STORE_DONE);
    ASK_AT(q, NOW + HOUR, STORE_DONE);
}

/* ---- listing and revoking ------------------------------------------------------ */

static void tokens_are_listed_by_fleet_or_person(void **state)
{
    (void)state;
    who = setup();
    struct store_who other = other_fleet();
    struct store_ask q = ask_of(STORE_MEMBER_SET); /* ada is there, too */
    PUT(q.u.member_set.fleet_id, other.fleet_id);
    PUT(q.u.member_set.person_id, who.user_id);
    q.u.member_set.role = STORE_VIEWER;
    q.u.member_set.add = true;
    BY(q.u.member_set.actor);
    ASK(q, STORE_DONE);
    struct store_who guest = who;
    PUT(guest.fleet_id, other.fleet_id);
    for (uint32_t i = 0; i < 4; i++) {
        q = token_ask(i < 2 ? &who : i < 3 ? &guest : &other, 100 + 10 * i);
        q.u.token_make.kind = i == 1 ? STORE_WEB : STORE_CLI;
        PUT(q.u.token_make.secret.prefix, "cmdop_123456");
        PUT(q.u.token_make.client.name, "curl");
        ASK_AT(q, NOW + i, STORE_DONE);
    }
    q = token_list(who.fleet_id, "");
    ask(&q);
    assert_int_equal(got.rows, 2);
    assert_string_equal(got.row[0].token.login, "ada");
    assert_string_equal(got.row[0].token.label, "laptop");
    assert_string_equal(got.row[0].token.prefix, "cmdop_123456");
    assert_string_equal(got.row[0].token.client.name, "curl");
    assert_int_equal(got.row[0].token.created_ms, NOW);
    assert_int_equal(got.row[1].token.kind, STORE_WEB);
    q = token_list(other.fleet_id, "");
    ask(&q);
    assert_int_equal(got.rows, 2);
    q = token_list(other.fleet_id, who.user_id);
    ask(&q);
    assert_int_equal(got.rows, 1);
    q = token_list("", who.user_id);
    ask(&q);
    assert_int_equal(got.rows, 3);
    q.u.token_list.kinds = 1u << STORE_WEB;
    ask(&q);
    assert_int_equal(got.rows, 1);
    q = token_list("", who.user_id);
    q.u.token_list.list.limit = 2;
    ask(&q);
    assert_true(got.last.more);
    q.u.token_list.list.after_ms = got.row[1].token.created_ms;
    PUT(q.u.token_list.list.after_id, got.row[1].token.id);
    ask(&q);
    assert_int_equal(got.rows, 1);
    assert_string_equal(got.row[0].token.fleet_id, other.fleet_id);
    assert_false(got.last.more);
    q = token_list("", "");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);

    char id[UUID_CAP];
    q = token_list(who.fleet_id, "");
    ask(&q);
    PUT(id, got.row[0].token.id);
    struct store_ask r = revoke_ask(who.fleet_id, "", id);
    ASK(r, STORE_DONE);
    q.u.token_list.good = true;
    ask(&q);
    assert_int_equal(got.rows, 1);
    assert_int_equal(got.row[0].token.kind, STORE_WEB);
}

static void a_person_revokes_only_its_own(void **state)
{
    (void)state;
    who = setup();
    struct store_person p =
        make_person("grace", 10, who.fleet_id, STORE_MEMBER);
    struct store_ask q = token_ask(&who, 100);
    ASK(q, STORE_DONE);
    struct store_who t = got.last.u.who;
    struct store_ask r = revoke_ask(who.fleet_id, p.id, t.token_id);
    ASK(r, STORE_UNKNOWN);
    r = revoke_ask("", p.id, t.token_id);
    ASK(r, STORE_UNKNOWN);
    r = revoke_ask("", who.user_id, t.token_id);
    r.u.token_revoke.id[8] = '\0';
    ASK(r, STORE_DONE);
    assert_string_equal(got.last.u.ended.id, t.token_id);
    assert_string_equal(got.last.u.ended.family, t.family);
    assert_string_equal(got.last.u.ended.person_id, who.user_id);
    assert_string_equal(got.last.u.ended.fleet_id, who.fleet_id);
    assert_int_equal(got.last.u.ended.count, 1);
    newest_line(who.fleet_id, "token.revoke", "done");
    ASK(r, STORE_REVOKED);
    r = revoke_ask("", "", t.token_id);
    assert_int_equal(store_ask(&store, &r), ERR_RANGE);
}

static void a_holder_may_give_it_back(void **state)
{
    (void)state;
    who = setup();
    sign_in(50, "BCDFGHJK", 100);
    struct store_ask q = ask_of(STORE_TOKEN_REVOKE_HASH);
    FILL(q.u.token_revoke_hash.hash, 99);
    ASK(q, STORE_UNKNOWN);
    FILL(q.u.token_revoke_hash.hash, 110); /* the refresh token */
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.ended.count, 2);
    assert_string_equal(got.last.u.ended.person_id, who.user_id);
    list(STORE_AUDIT_LIST, who.fleet_id, 1);
    assert_string_equal(got.row[0].audit.line.action, "token.revoke");
    assert_string_equal(got.row[0].audit.line.actor.name, who.user_id);
    assert_int_equal(check_token(100, NOW)->outcome, STORE_REVOKED);
    ASK(q, STORE_REVOKED);
    q = refresh_ask(110, 200);
    ASK(q, STORE_REVOKED);
}

/* ---- refreshing ----------------------------------------------------------------- */

static void a_refresh_token_makes_the_next_two(void **state)
{
    (void)state;
    who = setup();
    struct store_who first = sign_in(50, "BCDFGHJK", 100);
    assert_int_equal(first.kind, STORE_ACCESS);
    assert_string_equal(first.scope, "workspace:access");
    assert_int_equal(check_token(100, NOW)->outcome, STORE_DONE);
    assert_int_equal(check_token(110, NOW)->outcome, STORE_UNKNOWN);

    struct store_ask q = refresh_ask(110, 200);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.who.family, first.family);
    assert_string_equal(got.last.u.who.user_id, who.user_id);
    assert_string_equal(got.last.u.who.fleet_id, who.fleet_id);
    assert_string_equal(got.last.u.who.scope, "workspace:access");
    assert_int_equal(got.last.u.who.kind, STORE_ACCESS);
    assert_int_equal(got.last.u.who.expires_ms, NOW + HOUR);
    assert_int_equal(check_token(200, NOW)->outcome, STORE_DONE);
    assert_int_equal(check_token(100, NOW)->outcome, STORE_DONE);
    q = token_list(who.fleet_id, "");
    q.u.token_list.good = true;
    q.u.token_list.kinds = 1u << STORE_REFRESH;
    ask(&q);
    assert_int_equal(got.rows, 1);
    assert_string_equal(got.row[0].token.client.address, "192.0.2.9");
    assert_string_equal(got.row[0].token.client.host, "lap\\x1btop");

    q = refresh_ask(999, 300);
    ASK(q, STORE_UNKNOWN);
    q = refresh_ask(200, 300); /* an access token */
    ASK(q, STORE_UNKNOWN);
    q = refresh_ask(210, 300);
    ASK_AT(q, NOW + 30 * DAY, STORE_EXPIRED);
    q.u.token_refresh.access = secret(100, NOW + HOUR); /* is there */
    ASK(q, STORE_CONFLICT);
    q = refresh_ask(210, 300); /* which used nothing up */
    ASK(q, STORE_DONE);
}

static void a_second_use_ends_the_family(void **state)
{
    (void)state;
    who = setup();
    struct store_who first = sign_in(50, "BCDFGHJK", 100);
    sign_in(51, "LMNPQRST", 1000); /* another sign-in of the same person */
    struct store_ask q = refresh_ask(110, 200);
    ASK(q, STORE_DONE);
    q = refresh_ask(210, 300);
    ASK(q, STORE_DONE);
    q = refresh_ask(110, 400); /* its successor was used */
    ASK(q, STORE_REUSED);
    assert_string_equal(got.last.u.ended.family, first.family);
    assert_int_equal(got.last.u.ended.count, 6);
    newest_line(who.fleet_id, "token.reused", "revoked");
    reopen(); /* it stays though the answer is no */
    assert_int_equal(check_token(100, NOW)->outcome, STORE_REVOKED);
    assert_int_equal(check_token(300, NOW)->outcome, STORE_REVOKED);
    q = refresh_ask(310, 500);
    ASK(q, STORE_REVOKED);
    assert_int_equal(check_token(500, NOW)->outcome, STORE_UNKNOWN);
    assert_int_equal(check_token(1000, NOW)->outcome, STORE_DONE);
}

static void an_answer_that_was_used_was_not_lost(void **state)
{
    (void)state;
    who = setup();
    sign_in(50, "BCDFGHJK", 100);
    struct store_ask q = refresh_ask(110, 200);
    ASK(q, STORE_DONE);
    assert_int_equal(check_token(200, NOW)->outcome, STORE_DONE);
    q = refresh_ask(110, 300);
    ASK(q, STORE_REUSED);
    assert_int_equal(check_token(200, NOW)->outcome, STORE_REVOKED);
}

static void a_lost_answer_is_asked_for_again(void **state)
{
    (void)state;
    who = setup();
    sign_in(50, "BCDFGHJK", 100);
    struct store_ask q = refresh_ask(110, 200);
    ASK(q, STORE_DONE);
    q = refresh_ask(110, 300); /* 200 and 210 never arrived */
    ASK(q, STORE_DONE);
    assert_int_equal(check_token(200, NOW)->outcome, STORE_REVOKED);
    q = refresh_ask(110, 400); /* nor those */
    ASK(q, STORE_DONE);
    assert_int_equal(check_token(300, NOW)->outcome, STORE_REVOKED);
    q = refresh_ask(410, 500);
    ASK(q, STORE_DONE);
    /* Who holds what was replaced is not who got the answer. */
    q = refresh_ask(210, 600);
    ASK(q, STORE_REUSED);
    assert_int_equal(check_token(500, NOW)->outcome, STORE_REVOKED);
}

/* ---- device codes ------------------------------------------------------------------ */

static void a_code_waits_for_its_person(void **state)
{
    (void)state;
    who = setup();
    struct store_ask make = device_ask(50, "BCDFGHJK");
    ASK(make, STORE_DONE);
    struct store_ask look = ask_of(STORE_DEVICE_BY_CODE);
    PUT(look.u.device_by_code.user_code, "BCDFGHJK");
    ASK(look, STORE_DONE);
    assert_string_equal(got.last.u.device.client.name, "CMDOP CLI");
    assert_string_equal(got.last.u.device.client.host, "lap\\x1btop");
    assert_string_equal(got.last.u.device.scope, "workspace:access");
    assert_int_equal(got.last.u.device.state, STORE_DEVICE_PENDING);

    struct store_ask poll = poll_ask(50, 100);
    ASK_AT(poll, NOW + 1, STORE_PENDING);
    ASK_AT(poll, NOW + 5000, STORE_SLOW_DOWN);
    ASK_AT(poll, NOW + 10000, STORE_PENDING);
    ASK_AT(poll, NOW + 5000, STORE_PENDING); /* the clock was set back */
    struct store_ask yes = decide("BCDFGHJK", true);
    ASK_AT(yes, NOW + 11000, STORE_DONE);
    newest_line(who.fleet_id, "device.approve", "done");
    ASK(yes, STORE_USED_UP);
    ASK(look, STORE_USED_UP);
    assert_int_equal(got.last.u.device.state, STORE_DEVICE_APPROVED);
    assert_int_equal(check_token(100, NOW)->outcome, STORE_UNKNOWN);
    ASK_AT(poll, NOW + 11001, STORE_DONE);
    assert_string_equal(got.last.u.who.user_id, who.user_id);
    assert_string_equal(got.last.u.who.fleet_id, who.fleet_id);
    assert_int_equal(got.last.u.who.role, STORE_OWNER);
    newest_line(who.fleet_id, "token.make", "done");
    poll = poll_ask(50, 200);
    ASK(poll, STORE_USED_UP);
    assert_int_equal(check_token(200, NOW)->outcome, STORE_UNKNOWN);
    poll = poll_ask(51, 200);
    ASK(poll, STORE_UNKNOWN);
}

static void a_code_is_denied_or_too_late(void **state)
{
    (void)state;
    who = setup();
    struct store_ask q = device_ask(50, "BCDFGHJK");
    ASK(q, STORE_DONE);
    q = device_ask(51, "BCDFGHJK"); /* drawn twice */
    ASK(q, STORE_CONFLICT);
    q = device_ask(50, "XXXXXXXX");
    ASK(q, STORE_CONFLICT);
    struct store_ask no = decide("BCDFGHJK", false);
    PUT(no.u.device_decide.fleet_id, ""); /* none is needed to deny */
    ASK(no, STORE_DONE);
    struct store_ask poll = poll_ask(50, 100);
    ASK(poll, STORE_DENIED);

    q = device_ask(60, "LMNPQRST");
    ASK(q, STORE_DONE);
    poll = poll_ask(60, 100);
    ASK_AT(poll, NOW + 15 * MINUTE, STORE_EXPIRED);
    struct store_ask yes = decide("LMNPQRST", true);
    ASK_AT(yes, NOW + 15 * MINUTE, STORE_EXPIRED);
    struct store_ask look = ask_of(STORE_DEVICE_BY_CODE);
    PUT(look.u.device_by_code.user_code, "LMNPQRST");
    ASK_AT(look, NOW + 15 * MINUTE, STORE_EXPIRED);
    ASK_AT(yes, NOW, STORE_DONE);
    ASK_AT(poll, NOW + 15 * MINUTE, STORE_EXPIRED); /* approved, too late */
    PUT(look.u.device_by_code.user_code, "ZZZZZZZZ");
    ASK(look, STORE_UNKNOWN);
    yes = decide("ZZZZZZZZ", true);
    ASK(yes, STORE_UNKNOWN);
}

static void a_code_is_approved_for_ones_own_fleet_only(void **state)
{
    (void)state;
    who = setup();
    struct store_who other = other_fleet();
    struct store_ask q = device_ask(50, "BCDFGHJK");
    ASK(q, STORE_DONE);
    struct store_ask yes = decide("BCDFGHJK", true);
    PUT(yes.u.device_decide.fleet_id, other.fleet_id);
    ASK(yes, STORE_UNKNOWN);
    struct store_person p =
        make_person("grace", 10, who.fleet_id, STORE_MEMBER);
    yes = decide("BCDFGHJK", true);
    PUT(yes.u.device_decide.person_id, p.id);
    ASK(yes, STORE_DONE);
    struct store_ask out = ask_of(STORE_MEMBER_REMOVE);
    PUT(out.u.member_remove.fleet_id, who.fleet_id);
    PUT(out.u.member_remove.person_id, p.id);
    BY(out.u.member_remove.actor);
    ASK(out, STORE_DONE);
    struct store_ask poll = poll_ask(50, 100);
    ASK(poll, STORE_UNKNOWN);
}

static void there_are_so_many_codes(void **state)
{
    (void)state;
    who = setup();
    for (uint32_t i = 0; i < STORE_DEVICES_MAX; i++) {
        char code[STORE_CODE_CAP];
        (void)snprintf(code, sizeof code, "C%07u", i);
        struct store_ask q = device_ask(1000 + i, code);
        assert_int_equal(store_ask(&store, &q), OK);
        if (i % 128 == 127)
            while (store_pending(&store))
                assert_true(store_turn(&store, NOW) > 0);
    }
    struct store_ask q = device_ask(1, "BCDFGHJK");
    ASK(q, STORE_LIMIT);
    ASK_AT(q, NOW + 15 * MINUTE, STORE_DONE); /* their time is over */
}

/* ---- another fleet ------------------------------------------------------------------- */

static void a_sign_in_moves_to_another_fleet(void **state)
{
    (void)state;
    who = setup();
    struct store_fleet f = make_fleet(who.user_id, "work", 70);
    struct store_who other = other_fleet();
    struct store_who t = sign_in(50, "BCDFGHJK", 100);
    struct store_ask q = ask_of(STORE_MEMBER_USE_FLEET);
    PUT(q.u.use_fleet.fleet_id, who.fleet_id);
    PUT(q.u.use_fleet.token_id, t.token_id);
    PUT(q.u.use_fleet.person_id, who.user_id);
    PUT(q.u.use_fleet.to_fleet_id, f.id);
    BY(q.u.use_fleet.actor);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.who.fleet_id, f.id);
    assert_string_equal(got.last.u.who.fleet_name, "work");
    newest_line(f.id, "token.move", "done");
    newest_line(who.fleet_id, "token.move", "done");
    ASK(q, STORE_UNKNOWN); /* it is not in that fleet any more */
    check_token(100, NOW);
    assert_string_equal(got.last.u.who.fleet_id, f.id);
    struct store_ask r = refresh_ask(110, 200);
    ASK(r, STORE_DONE);
    assert_string_equal(got.last.u.who.fleet_id, f.id);

    PUT(q.u.use_fleet.fleet_id, f.id);
    PUT(q.u.use_fleet.to_fleet_id, other.fleet_id);
    ASK(q, STORE_UNKNOWN);
    PUT(q.u.use_fleet.to_fleet_id, who.fleet_id);
    PUT(q.u.use_fleet.person_id, other.user_id);
    ASK(q, STORE_UNKNOWN);

    r = token_ask(&who, 300);
    r.u.token_make.kind = STORE_APIKEY;
    ASK(r, STORE_DONE);
    PUT(q.u.use_fleet.token_id, got.last.u.who.token_id);
    PUT(q.u.use_fleet.person_id, who.user_id);
    PUT(q.u.use_fleet.fleet_id, who.fleet_id);
    PUT(q.u.use_fleet.to_fleet_id, f.id);
    ASK(q, STORE_CONFLICT);
}

/* ---- forgetting ------------------------------------------------------------------------ */

static const struct store_answer *sweep(uint32_t limit, int64_t now)
{
    struct store_ask q = ask_of(STORE_SWEEP);
    q.u.sweep.limit = limit;
    ASK_AT(q, now, STORE_DONE);
    return &got.last;
}

static void what_is_long_over_is_forgotten(void **state)
{
    (void)state;
    who = setup();
    char id[UUID_CAP];
    for (uint32_t i = 0; i < 6; i++) {
        struct store_ask q = token_ask(&who, 100 + 10 * i);
        q.u.token_make.secret.expires_ms = i < 4 ? NOW + HOUR : 0;
        ASK(q, STORE_DONE);
        PUT(id, got.last.u.who.token_id);
    }
    struct store_ask q = revoke_ask(who.fleet_id, "", id);
    ASK(q, STORE_DONE);
    q = device_ask(50, "BCDFGHJK");
    ASK(q, STORE_DONE);
    assert_int_equal(sweep(10, NOW + HOUR)->u.count, 0);
    assert_int_equal(sweep(10, NOW + 2 * HOUR)->u.count, 1); /* the code */
    assert_int_equal(check_token(100, NOW + 2 * HOUR)->outcome, STORE_EXPIRED);
    int64_t late = NOW + STORE_KEEP_MS + 2 * HOUR;
    uint32_t first = sweep(2, late)->u.count; /* of each kind of end */
    assert_in_range(first, 2, 4);
    assert_true(got.last.more);
    assert_int_equal(sweep(10, late)->u.count, 5 - first);
    assert_false(got.last.more);
    assert_int_equal(check_token(100, NOW)->outcome, STORE_UNKNOWN);
    assert_int_equal(check_token(140, late)->outcome, STORE_DONE);
    assert_int_equal(check_token(150, late)->outcome, STORE_UNKNOWN);
    q = ask_of(STORE_SWEEP);
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(a_check_tells_all_that_is_to_know),
        TEST(the_last_use_is_known_to_the_minute),
        TEST(a_person_has_so_many_tokens),
        TEST(tokens_are_listed_by_fleet_or_person),
        TEST(a_person_revokes_only_its_own),
        TEST(a_holder_may_give_it_back),
        TEST(a_refresh_token_makes_the_next_two),
        TEST(a_second_use_ends_the_family),
        TEST(an_answer_that_was_used_was_not_lost),
        TEST(a_lost_answer_is_asked_for_again),
        TEST(a_code_waits_for_its_person),
        TEST(a_code_is_denied_or_too_late),
        TEST(a_code_is_approved_for_ones_own_fleet_only),
        TEST(there_are_so_many_codes),
        TEST(a_sign_in_moves_to_another_fleet),
        TEST(what_is_long_over_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
