/* Accounts, passwords, second factors, failed sign-ins: what holds for any
 * engine. */
#include "unit/relay/store_kit.h"

static struct store_ask by_login(const char *login)
{
    struct store_ask q = ask_of(STORE_PERSON_BY_LOGIN);
    PUT(q.u.person_by_login.login, login);
    return q;
}

static struct store_ask by_id(const char *id)
{
    struct store_ask q = ask_of(STORE_PERSON_BY_ID);
    PUT(q.u.person_by_id.person_id, id);
    return q;
}

static struct store_ask tried(const char *id, bool ok, int64_t step)
{
    struct store_ask q = ask_of(STORE_PERSON_TRIED);
    PUT(q.u.person_tried.person_id, id);
    PUT(q.u.person_tried.address, "192.0.2.7");
    q.u.person_tried.ok = ok;
    q.u.person_tried.step = step;
    BY(q.u.person_tried.actor);
    return q;
}

static struct store_ask password(const char *id, const char *keep)
{
    struct store_ask q = ask_of(STORE_PERSON_SET_PASSWORD);
    PUT(q.u.person_set_password.person_id, id);
    PUT(q.u.person_set_password.password, "$argon2id$new");
    PUT(q.u.person_set_password.keep_token_id, keep);
    BY(q.u.person_set_password.actor);
    return q;
}

static struct store_ask person_enable(const char *id, bool enabled)
{
    struct store_ask q = ask_of(STORE_PERSON_ENABLE);
    PUT(q.u.person_enable.person_id, id);
    q.u.person_enable.enabled = enabled;
    BY(q.u.person_enable.actor);
    return q;
}

/* A token of this kind; its id. */
static struct store_who token_of(const struct store_who *who, uint32_t seed,
                                 enum store_token_kind kind)
{
    struct store_ask q = token_ask(who, seed);
    q.u.token_make.kind = kind;
    ASK(q, STORE_DONE);
    return got.last.u.who;
}

static void the_owner_of_a_first_start_has_a_login(void **state)
{
    struct store_ask q = ask_of(STORE_SETUP);
    (void)state;
    PUT(q.u.setup.fleet_name, "Home");
    PUT(q.u.setup.user_name, "Ada von L\xc3\xb6we");
    FILL(q.u.setup.random, 7);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.who.login, "ada-von-l--we");
    assert_string_equal(got.last.u.who.user_name, "Ada von L\xc3\xb6we");
    q = by_login("ADA-von-l--we");
    ASK(q, STORE_DONE);
    assert_false(got.last.u.account.person.has_password);
    assert_string_equal(got.last.u.account.fleet_name, "Home");
    assert_int_equal(got.last.u.account.role, STORE_OWNER);
}

static void a_person_is_made_and_found(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_ask q = person_ask("Grace", 10, who.fleet_id, STORE_MEMBER);
    PUT(q.u.person_make.email, "Grace@Example.ORG");
    ASK(q, STORE_DONE);
    struct store_person p = got.last.u.person;
    assert_string_equal(p.login, "grace");
    assert_string_equal(p.email, "grace@example.org");
    assert_string_equal(p.fleet_id, who.fleet_id);
    assert_true(p.has_password);
    assert_int_equal(p.created_ms, NOW);
    newest_line(who.fleet_id, "person.make", "done");

    q = by_login("grace");
    ASK(q, STORE_DONE);
    const struct store_account *a = &got.last.u.account;
    assert_string_equal(a->person.id, p.id);
    assert_string_equal(a->person.name, "Grace");
    assert_string_equal(a->password, "$argon2id$of-");
    assert_string_equal(a->fleet_id, who.fleet_id);
    assert_int_equal(a->role, STORE_MEMBER);
    assert_int_equal(a->sealed_len, 0);
    assert_int_equal(a->failures, 0);
    q = by_id(p.id);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.account.person.login, "grace");
    q = by_login("nobody");
    ASK(q, STORE_UNKNOWN);
    q = by_id(NOBODY);
    ASK(q, STORE_UNKNOWN);
}

static void a_login_is_taken_once(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_person("grace", 10, who.fleet_id, STORE_MEMBER);
    int before = lines(who.fleet_id);
    struct store_ask q = person_ask("GRACE", 20, who.fleet_id, STORE_OWNER);
    ASK(q, STORE_CONFLICT);
    q = person_ask("hopper", 20, NOBODY, STORE_OWNER);
    ASK(q, STORE_UNKNOWN);
    q = by_login("hopper");
    ASK(q, STORE_UNKNOWN);
    assert_int_equal(lines(who.fleet_id), before);
    /* Without a fleet: an account that is in none yet. */
    q = person_ask("hopper", 30, "", STORE_OWNER);
    ASK(q, STORE_DONE);
    q = by_login("hopper");
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.account.fleet_id, "");
    newest_line("", "person.make", "done");
}

static void people_come_by_login_and_by_page(void **state)
{
    static const char *const names[] = {"d", "b", "a", "c"};
    char seen[16] = "";
    (void)state;
    setup(); /* ada */
    for (uint32_t i = 0; i < 4; i++)
        make_person(names[i], 10 + 10 * i, "", STORE_MEMBER);
    struct store_ask q = ask_of(STORE_PERSON_LIST);
    q.u.list.limit = 2;
    do {
        ask(&q);
        for (int i = 0; i < got.rows; i++)
            strncat(seen, got.row[i].person.login, 1);
        PUT(q.u.list.after_name, got.row[got.rows - 1].person.login);
    } while (got.last.more);
    assert_string_equal(seen, "aabcd");
}

static struct store_ask person_set(const char *id, const char *name,
                                   const char *email)
{
    struct store_ask q = ask_of(STORE_PERSON_SET);
    PUT(q.u.person_set.person_id, id);
    PUT(q.u.person_set.name, name);
    q.u.person_set.has_email = email != NULL;
    PUT(q.u.person_set.email, email != NULL ? email : "not@read");
    BY(q.u.person_set.actor);
    return q;
}

static void a_name_and_an_address_are_changed(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_person p =
        make_person("grace", 10, who.fleet_id, STORE_MEMBER);
    struct store_who grace = who;
    PUT(grace.user_id, p.id);
    token_of(&grace, 100, STORE_WEB);
    struct store_ask q = person_set(p.id, "Grace H\xc3\xb6pper", NULL);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.person.id, p.id);
    assert_string_equal(got.last.u.person.name, "Grace H\xc3\xb6pper");
    assert_string_equal(got.last.u.person.email, "grace@example.org");
    assert_string_equal(got.last.u.person.login, "grace");
    newest_line("", "person.set", "done");
    assert_string_equal(got.row[0].audit.line.object, p.id);
    assert_string_equal(got.row[0].audit.line.detail,
                        "was grace <grace@example.org>");
    q = person_set(p.id, "", "Hopper@Example.ORG");
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.person.name, "Grace H\xc3\xb6pper");
    assert_string_equal(got.last.u.person.email, "hopper@example.org");
    int before = lines("");
    ASK(q, STORE_DONE); /* is so already */
    assert_int_equal(lines(""), before);
    q = by_login("grace");
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.account.person.email, "hopper@example.org");
    assert_true(got.last.u.account.person.has_password);
    /* What is signed in stays, and tells the new name. */
    assert_int_equal(check_token(100, NOW)->outcome, STORE_DONE);
    assert_string_equal(got.last.u.who.user_name, "Grace H\xc3\xb6pper");
    assert_string_equal(got.last.u.who.email, "hopper@example.org");
    q = person_set(p.id, "G", "");
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.person.email, "");
    q = person_set(NOBODY, "x", NULL);
    ASK(q, STORE_UNKNOWN);
    q = by_login("ada"); /* nobody else was changed */
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.account.person.name, "ada");
}

static void an_address_is_one_accounts(void **state)
{
    (void)state;
    setup();
    struct store_person g = make_person("grace", 10, "", STORE_MEMBER);
    struct store_person h = make_person("hopper", 20, "", STORE_MEMBER);
    int before = lines("");
    struct store_ask q = person_set(g.id, "new", "HOPPER@example.org");
    ASK(q, STORE_CONFLICT);
    q = by_id(g.id);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.account.person.name, "grace");
    assert_string_equal(got.last.u.account.person.email, "grace@example.org");
    q = person_ask("eve", 30, "", STORE_MEMBER);
    PUT(q.u.person_make.email, "Grace@example.org");
    ASK(q, STORE_CONFLICT);
    q = by_login("eve");
    ASK(q, STORE_UNKNOWN);
    assert_int_equal(lines(""), before);
    q = person_set(h.id, "", ""); /* of those without one there are many */
    ASK(q, STORE_DONE);
    q = person_set(g.id, "", "hopper@example.org"); /* nobody's now */
    ASK(q, STORE_DONE);
    q = person_set(g.id, "", "");
    ASK(q, STORE_DONE);
}

static void a_new_password_ends_sessions(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_who web = token_of(&who, 100, STORE_WEB);
    token_of(&who, 200, STORE_WEB);
    token_of(&who, 300, STORE_ACCESS);
    token_of(&who, 400, STORE_CLI);
    token_of(&who, 500, STORE_APIKEY);
    struct store_ask q = token_ask(&who, 600); /* beside the one kept */
    q.u.token_make.kind = STORE_ACCESS;
    PUT(q.u.token_make.family, web.family);
    ASK(q, STORE_DONE);

    q = password(who.user_id, web.token_id);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.ended.person_id, who.user_id);
    assert_int_equal(got.last.u.ended.count, 2);
    newest_line("", "person.password", "done");
    assert_int_equal(check_token(100, NOW)->outcome, STORE_DONE);
    assert_int_equal(check_token(200, NOW)->outcome, STORE_REVOKED);
    assert_int_equal(check_token(300, NOW)->outcome, STORE_REVOKED);
    assert_int_equal(check_token(400, NOW)->outcome, STORE_DONE);
    assert_int_equal(check_token(500, NOW)->outcome, STORE_DONE);
    assert_int_equal(check_token(600, NOW)->outcome, STORE_DONE);

    q = password(who.user_id, "");
    ASK(q, STORE_DONE);
    assert_int_equal(check_token(100, NOW)->outcome, STORE_REVOKED);
    q = by_id(who.user_id);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.account.password, "$argon2id$new");
    q = password(NOBODY, "");
    ASK(q, STORE_UNKNOWN);
}

/* Of somebody who approved it, for a device that has not come back yet. */
static void approve(const struct store_who *who, uint32_t seed,
                    const char *code)
{
    struct store_ask q = ask_of(STORE_DEVICE_MAKE);
    FILL(q.u.device_make.hash, seed);
    PUT(q.u.device_make.user_code, code);
    q.u.device_make.expires_ms = NOW + 15 * MINUTE;
    ASK(q, STORE_DONE);
    q = ask_of(STORE_DEVICE_DECIDE);
    PUT(q.u.device_decide.user_code, code);
    PUT(q.u.device_decide.fleet_id, who->fleet_id);
    PUT(q.u.device_decide.person_id, who->user_id);
    q.u.device_decide.approve = true;
    BY(q.u.device_decide.actor);
    ASK(q, STORE_DONE);
}

static struct store_ask fetch(uint32_t seed)
{
    struct store_ask q = ask_of(STORE_DEVICE_POLL);
    FILL(q.u.device_poll.hash, seed);
    FILL(q.u.device_poll.access.hash, seed + 1);
    FILL(q.u.device_poll.access.random, seed + 2);
    FILL(q.u.device_poll.refresh.hash, seed + 3);
    FILL(q.u.device_poll.refresh.random, seed + 4);
    return q;
}

static void what_ends_sessions_ends_approved_codes(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_who other = other_fleet();
    struct store_ask q;
    approve(&who, 1000, "BCDFGHJK");
    approve(&other, 1100, "LMNPQRST");
    q = password(who.user_id, "");
    ASK(q, STORE_DONE);
    q = fetch(1000);
    ASK(q, STORE_DENIED);
    q = fetch(1100); /* of nobody else */
    ASK(q, STORE_DONE);
    struct store_person p =
        make_person("grace", 10, who.fleet_id, STORE_MEMBER);
    PUT(who.user_id, p.id);
    approve(&who, 1200, "VWXZBCDF");
    q = person_enable(p.id, false);
    ASK(q, STORE_DONE);
    q = person_enable(p.id, true);
    ASK(q, STORE_DONE);
    q = fetch(1200);
    ASK(q, STORE_DENIED);
}

/* Whoever was asked for a password that was changed meanwhile is not in. */
static void a_session_needs_the_password_in_force(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_person p =
        make_person("grace", 10, who.fleet_id, STORE_MEMBER);
    PUT(who.user_id, p.id);
    struct store_ask q = token_ask(&who, 100);
    q.u.token_make.kind = STORE_WEB;
    PUT(q.u.token_make.password, "$argon2id$of-");
    ASK(q, STORE_DONE);
    struct store_ask change = password(p.id, "");
    ASK(change, STORE_DONE);
    FILL(q.u.token_make.secret.hash, 200);
    FILL(q.u.token_make.secret.random, 201);
    ASK(q, STORE_DENIED);
    assert_int_equal(check_token(200, NOW)->outcome, STORE_UNKNOWN);
    PUT(q.u.token_make.password, "$argon2id$new");
    ASK(q, STORE_DONE);
}

/* Somebody else's token keeps nothing. */
static void another_persons_token_is_no_reason_to_keep(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_who other = other_fleet();
    struct store_who mine = token_of(&who, 100, STORE_WEB);
    token_of(&other, 200, STORE_WEB);
    struct store_ask q = password(other.user_id, mine.token_id);
    ASK(q, STORE_DONE);
    assert_int_equal(check_token(100, NOW)->outcome, STORE_DONE);
    assert_int_equal(check_token(200, NOW)->outcome, STORE_REVOKED);
}

static void failures_make_an_account_wait(void **state)
{
    static const int64_t waits[] = {0, 0, 0, 0, 1000, 2000, 4000, 8000};
    (void)state;
    struct store_who who = setup();
    struct store_ask bad = tried(who.user_id, false, 0);
    struct store_ask good = tried(who.user_id, true, 0);
    int before = lines("");
    for (int i = 0; i < 8; i++) {
        ASK(bad, STORE_DONE);
        assert_int_equal(got.last.u.tried.failures, i + 1);
        assert_int_equal(got.last.u.tried.locked_until_ms,
                         waits[i] == 0 ? 0 : NOW + waits[i]);
    }
    assert_int_equal(lines(""), before + 4);
    newest_line("", "person.sign-in", "failed");
    /* Guesses at the same time: the right one comes too late. */
    ASK(good, STORE_LOCKED);
    assert_int_equal(got.last.u.tried.locked_until_ms, NOW + 8000);
    struct store_ask q = by_id(who.user_id);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.account.failures, 8);
    assert_int_equal(got.last.u.account.person.locked_until_ms, NOW + 8000);
    for (int i = 0; i < 40; i++)
        ASK(bad, STORE_DONE);
    assert_int_equal(got.last.u.tried.locked_until_ms, NOW + STORE_LOCK_MS_MAX);
    reopen();
    ASK_AT(good, NOW + STORE_LOCK_MS_MAX - 1, STORE_LOCKED);
    ASK_AT(good, NOW + STORE_LOCK_MS_MAX, STORE_DONE);
    assert_int_equal(got.last.u.tried.failures, 0);
    newest_line("", "person.sign-in", "done");
    ASK_AT(q, NOW, STORE_DONE);
    assert_int_equal(got.last.u.account.failures, 0);
    q = tried(NOBODY, true, 0);
    ASK(q, STORE_UNKNOWN);
}

/* A clock that was years ahead locks nobody out for years. */
static void a_lock_from_the_future_is_none(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_ask bad = tried(who.user_id, false, 0);
    struct store_ask good = tried(who.user_id, true, 1000);
    for (int i = 0; i < 9; i++)
        ASK_AT(bad, NOW * 2, STORE_DONE);
    ASK(good, STORE_DONE);
    good.u.person_tried.step = 500; /* long before: its clock was wrong */
    ASK(good, STORE_DONE);
}

static void a_code_is_used_once(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_ask q = ask_of(STORE_PERSON_SET_TOTP);
    PUT(q.u.person_set_totp.person_id, who.user_id);
    FILL(q.u.person_set_totp.sealed, 3);
    q.u.person_set_totp.sealed_len = 60;
    q.u.person_set_totp.step = 100;
    BY(q.u.person_set_totp.actor);
    ASK(q, STORE_DONE);
    newest_line("", "person.totp", "done");

    struct store_ask look = by_id(who.user_id);
    ASK(look, STORE_DONE);
    assert_true(got.last.u.account.person.has_totp);
    assert_int_equal(got.last.u.account.sealed_len, 60);
    assert_memory_equal(got.last.u.account.sealed, q.u.person_set_totp.sealed,
                        60);
    assert_int_equal(got.last.u.account.step, 100);

    struct store_ask t = tried(who.user_id, true, 100);
    ASK(t, STORE_CONFLICT); /* the code that proved it */
    assert_int_equal(got.last.u.tried.failures, 1);
    t = tried(who.user_id, true, 101);
    ASK(t, STORE_DONE);
    ASK(t, STORE_CONFLICT);
    reopen();
    ASK(t, STORE_CONFLICT); /* what it counted stays, though it says no */
    assert_int_equal(got.last.u.tried.failures, 2);
    t = tried(who.user_id, true, 99);
    ASK(t, STORE_CONFLICT);
    t = tried(who.user_id, true, 102);
    ASK(t, STORE_DONE);

    q.u.person_set_totp.sealed_len = 0;
    ASK(q, STORE_DONE);
    ASK(look, STORE_DONE);
    assert_false(got.last.u.account.person.has_totp);
    PUT(q.u.person_set_totp.person_id, NOBODY);
    ASK(q, STORE_UNKNOWN);
}

static void backup_codes_are_used_once(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_who other = other_fleet();
    struct store_ask q = ask_of(STORE_PERSON_SET_TOTP);
    PUT(q.u.person_set_totp.person_id, who.user_id);
    BY(q.u.person_set_totp.actor);
    q.u.person_set_totp.sealed_len = 60;
    q.u.person_set_totp.codes = 3;
    for (uint32_t i = 0; i < 3; i++)
        FILL(q.u.person_set_totp.code_hash[i], 50 + i);
    ASK(q, STORE_DONE);
    struct store_ask u = ask_of(STORE_BACKUP_CODE_USE);
    PUT(u.u.backup_code_use.person_id, who.user_id);
    BY(u.u.backup_code_use.actor);
    FILL(u.u.backup_code_use.hash, 51);
    ASK(u, STORE_DONE);
    assert_int_equal(got.last.u.count, 2);
    newest_line("", "person.backup-code", "done");
    ASK(u, STORE_USED_UP);
    FILL(u.u.backup_code_use.hash, 99);
    ASK(u, STORE_UNKNOWN);
    FILL(u.u.backup_code_use.hash, 50);
    PUT(u.u.backup_code_use.person_id, other.user_id);
    ASK(u, STORE_UNKNOWN);
    struct store_ask look = by_id(who.user_id);
    ASK(look, STORE_DONE);
    assert_int_equal(got.last.u.account.codes, 2);

    q.u.person_set_totp.codes = 1; /* new ones void the old */
    ASK(q, STORE_DONE);
    ASK(look, STORE_DONE);
    assert_int_equal(got.last.u.account.codes, 1);
    PUT(u.u.backup_code_use.person_id, who.user_id);
    FILL(u.u.backup_code_use.hash, 52);
    ASK(u, STORE_UNKNOWN);
}

static void who_is_shut_out_has_no_session(void **state)
{
    (void)state;
    struct store_who who = setup();
    struct store_person p =
        make_person("grace", 10, who.fleet_id, STORE_MEMBER);
    struct store_who grace = who;
    PUT(grace.user_id, p.id);
    token_of(&grace, 100, STORE_WEB);
    token_of(&grace, 200, STORE_CLI);

    struct store_ask q = person_enable(p.id, false);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.ended.count, 1);
    assert_string_equal(got.last.u.ended.person_id, p.id);
    newest_line("", "person.disable", "done");
    int before = lines("");
    ASK(q, STORE_DONE); /* is so already */
    assert_int_equal(lines(""), before);
    assert_int_equal(check_token(100, NOW)->outcome, STORE_REVOKED);
    assert_int_equal(check_token(200, NOW)->outcome, STORE_DISABLED);
    struct store_ask t = by_login("grace");
    ASK(t, STORE_DISABLED);
    assert_string_equal(got.last.u.account.person.id, p.id);
    t = tried(p.id, true, 0);
    ASK(t, STORE_DISABLED);
    t = token_ask(&grace, 300);
    ASK(t, STORE_DISABLED);

    q = person_enable(p.id, true);
    ASK(q, STORE_DONE);
    assert_int_equal(check_token(100, NOW)->outcome, STORE_REVOKED);
    assert_int_equal(check_token(200, NOW)->outcome, STORE_DONE);
    q = person_enable(NOBODY, false);
    ASK(q, STORE_UNKNOWN);
    q = person_enable(who.user_id, false);
    ASK(q, STORE_LAST_OWNER);
    assert_int_equal(lines(""), before + 1);
}

static void malformed_people_are_refused_at_the_door(void **state)
{
    (void)state;
    static const char *const logins[] = {"", "a b", "a\tb", "\xc3\xb6"};
    for (int i = 0; i < 4; i++) {
        struct store_ask q = person_ask(logins[i], 1, "", STORE_OWNER);
        PUT(q.u.person_make.name, "x");
        assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    }
    struct store_ask q = person_ask("x", 1, "", (enum store_role)4);
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = person_ask("x", 1, NOBODY, STORE_OWNER);
    q.u.person_make.invited = true; /* which fleet is it? */
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = person_ask("x", 1, "", STORE_OWNER);
    memset(q.u.person_make.password, 'x', STORE_PASS_CAP);
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = person_set(NOBODY, "", NULL); /* nothing shall change */
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = person_set(NOBODY, "x\n", NULL);
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = person_set(NOBODY, " ", "a@example.org");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = person_ask("x", 1, "", STORE_OWNER);
    PUT(q.u.person_make.name, " ");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = person_set(NOBODY, "x", "a@\x1b");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = ask_of(STORE_PERSON_SET_TOTP);
    PUT(q.u.person_set_totp.person_id, NOBODY);
    BY(q.u.person_set_totp.actor);
    q.u.person_set_totp.codes = STORE_CODES_MAX + 1;
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q.u.person_set_totp.codes = 0;
    q.u.person_set_totp.sealed_len = STORE_SEALED_CAP + 1;
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(the_owner_of_a_first_start_has_a_login),
        TEST(a_person_is_made_and_found),
        TEST(a_login_is_taken_once),
        TEST(people_come_by_login_and_by_page),
        TEST(a_name_and_an_address_are_changed),
        TEST(an_address_is_one_accounts),
        TEST(a_new_password_ends_sessions),
        TEST(what_ends_sessions_ends_approved_codes),
        TEST(a_session_needs_the_password_in_force),
        TEST(another_persons_token_is_no_reason_to_keep),
        TEST(failures_make_an_account_wait),
        TEST(a_lock_from_the_future_is_none),
        TEST(a_code_is_used_once),
        TEST(backup_codes_are_used_once),
        TEST(who_is_shut_out_has_no_session),
        TEST(malformed_people_are_refused_at_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
