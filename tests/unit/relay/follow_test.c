/*
 * What a change in the store means for what lives in the relay: links, the
 * registry, accesses. The store is a real one, changed through the relay or
 * by another process; links are rows that note what was done to them.
 */
#include "relay/follow.h"

#include <time.h>

#include "relay/claim.h"
#include "relay/conn.h"
#include "relay/relay.h"

static struct relay relay;
#define STORE (&relay.store)

#include "unit/relay/store_kit.h"

void ask_init(struct relay *r); /* relay/ask.h; the kit has an ask() as well */

/* ---- the clock: the real one, and what a test adds --------------------------- */

static uint64_t added_ms;

uint64_t port_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000 +
           added_ms * 1000;
}

uint64_t port_now_ms(void)
{
    return port_now_us() / 1000;
}

int64_t port_wall_ms(void)
{
    return NOW + (int64_t)added_ms;
}

/* ---- links that note what was done to them ------------------------------------ */

enum { ADA, ADA_TOO, ADA_AWAY, BOB, BOBS_KEY, EVE, GUEST, MACHINE, NEW, NAMED };
#define MANY 60 /* more than are asked about at once */

static struct conn conns[MANY];
static char done[NAMED + 1]; /* a letter for each, see live() */
static int checks;
static uint32_t at_once; /* asked about, at most */
static struct {
    msg_code code;
    char message[100], remedy[100];
} told;

static void note(const struct conn *c, char what)
{
    if (c < &conns[NAMED])
        done[c - conns] = what;
}

void conn_cut(struct conn *c, msg_code code, const char *message,
              const char *remedy, uint32_t retry_after_ms)
{
    note(c, 'x');
    told.code = code;
    PUT(told.message, message);
    PUT(told.remedy, remedy);
    assert_int_equal(retry_after_ms, 0);
    c->peer.link.state = LINK_CLOSED;
}

void conn_renew(struct conn *c, const char *reason)
{
    note(c, 'r');
    PUT(told.message, reason);
    c->peer.link.state = LINK_CLOSED;
}

/* Its own rules have a test in system/; here a fleet's networks are all. */
bool conn_sign_in(struct conn *c, const struct store_who *who, struct text *why)
{
    checks++;
    if (relay.follow.checks + 1 > at_once) /* this one is answered already */
        at_once = relay.follow.checks + 1;
    if (who->policy.ip_allow[0] != '\0') {
        text_str(why, "not from here");
        return false;
    }
    note(c, 's');
    c->role = who->role;
    PUT(c->user, who->user_name);
    return true;
}

static char shut[64]; /* names of machines whose links are looked at */

void claim_shut_out(struct machine *m)
{
    struct text t = {.buf = shut, .cap = sizeof(shut), .len = strlen(shut)};
    if (m->state != STORE_STATE_ACTIVE)
        text_join(&t, m->name, " ", NULL);
}

/* ---- a relay with two fleets ---------------------------------------------------- */

static struct store_who ada, bob, eve;
static struct store_fleet team; /* ada's second */
static char web[UUID_CAP], db[UUID_CAP];
static uint8_t *memory;

static struct store_who whoever(const struct store_person *p, const char *fleet)
{
    struct store_who w = {0};
    PUT(w.user_id, p->id);
    PUT(w.fleet_id, fleet);
    return w;
}

/* A link by a token of its own. */
static void signs_in(int i, const struct store_who *who,
                     enum store_token_kind kind)
{
    struct conn *c = &conns[i];
    struct store_ask q = token_ask(who, 1000 + 10 * (uint32_t)i);
    q.u.token_make.kind = kind;
    ASK(q, STORE_DONE);
    PUT(c->token_id, got.last.u.who.token_id);
    PUT(c->fleet_id, got.last.u.who.fleet_id);
    PUT(c->person_id, got.last.u.who.user_id);
    c->role = got.last.u.who.role;
    c->kind = kind == STORE_APIKEY ? MAY_APIKEY : MAY_PERSON;
    memcpy(c->token, q.u.token_make.secret.hash, sizeof(c->token));
}

static void links_begin(void)
{
    for (int i = 0; i < MANY; i++)
        conns[i] = (struct conn){.relay = &relay,
                                 .serial = 7,
                                 .admitted = i != NEW,
                                 .peer.link.state = LINK_OPEN};
    signs_in(ADA, &ada, STORE_ACCESS);
    signs_in(ADA_TOO, &ada, STORE_ACCESS);
    ada.fleet_id[0] = '\0';
    struct store_who away = ada;
    PUT(away.fleet_id, team.id);
    signs_in(ADA_AWAY, &away, STORE_ACCESS);
    signs_in(BOB, &bob, STORE_ACCESS);
    signs_in(BOBS_KEY, &bob, STORE_APIKEY);
    signs_in(EVE, &eve, STORE_ACCESS);
    conns[GUEST].kind = MAY_GUEST;
    conns[MACHINE].kind = MAY_MACHINE;
    PUT(conns[MACHINE].fleet_id, bob.fleet_id);
    conns[NEW] = conns[BOB]; /* but it was not let in yet */
    conns[NEW].admitted = false;
    relay.conns = conns;
    relay.conns_used = NAMED;
}

static void turn(void)
{
    loop_arm(&relay.loop, relay.sweep, port_now_ms());
    assert_int_equal(loop_turn(&relay.loop), OK);
}

/* Until the store has answered all that the change led to. */
static void settle(void)
{
    for (int i = 0; i < 10000; i++) {
        if (!relay.follow.checking && relay.follow.checks == 0 &&
            relay.follow.state == FOLLOW_IDLE && !store_pending(STORE) &&
            !relay.follow_job.is_queued)
            return;
        turn();
    }
    fail_msg("it does not come to rest");
}

static void on_sweep(void *ctx, uint64_t now_ms)
{
    (void)ctx;
    (void)now_ms;
}

static void from_now_on(void)
{
    memset(done, '.', NAMED);
    memset(&told, 0, sizeof(told));
    shut[0] = '\0';
    checks = 0;
    at_once = 0;
}

static int relay_begin(void **state)
{
    static const size_t bytes = 4 * 1024 * 1024;
    char buf[200];
    struct text why;
    struct arena a;
    if (begin(state) != OK)
        return -1;
    ada = setup();
    struct store_person p = make_person("bob", 51, ada.fleet_id, STORE_MEMBER);
    bob = whoever(&p, ada.fleet_id);
    eve = other_fleet();
    team = make_fleet(ada.user_id, "team", 71);
    make_key(ada.fleet_id, 81, 9);
    PUT(web, enrol(81, 101, "web")->u.machine.id);
    PUT(db, enrol(81, 111, "db")->u.machine.id);
    memory = calloc(1, bytes);
    arena_init(&a, (struct span){memory, bytes});
    loop_init(&relay.loop, &a, 8, 64);
    relay.sweep = loop_timer_add(&relay.loop, on_sweep, NULL);
    registry_init(&relay.registry, &a, 64);
    access_init(&relay.access, &a, 16);
    ask_init(&relay);
    follow_init(&relay);
    TEXT_OF(&why, buf);
    assert_int_equal(follow_load(&relay, &why), OK);
    links_begin();
    settle();
    from_now_on();
    return OK;
}

static int relay_end(void **state)
{
    int err = finish(state);
    free(memory);
    memset(&relay, 0, sizeof(relay));
    added_ms = 0;
    return err;
}

/*
 * What was done to the links, in the order of their names: '.' nothing, 's'
 * asked about and signed in still, 'r' sent away to come back, 'x' cut.
 */
static void live(const char *want)
{
    settle();
    assert_string_equal(done, want);
    from_now_on();
}

#define NOTHING "........."

static const char *why(void)
{
    settle();
    return told.message;
}

#define ASSERT_DONE(answer) assert_int_equal((answer)->outcome, STORE_DONE)

static struct machine *machine(const char *id)
{
    struct machine *m = registry_find(&relay.registry, id);
    assert_non_null(m);
    return m;
}

/* ---- tokens ----------------------------------------------------------------------- */

static void a_revoked_token_ends_its_link_and_no_other(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_TOKEN_REVOKE);
    PUT(q.u.token_revoke.fleet_id, bob.fleet_id);
    PUT(q.u.token_revoke.id, conns[ADA_TOO].token_id);
    BY(q.u.token_revoke.actor);
    ASK(q, STORE_DONE);
    assert_string_equal(why(), "the sign-in was revoked");
    assert_int_equal(told.code, cmdop_agent_v1_Code_CODE_AUTH);
    assert_string_equal(told.remedy, "sign in again: `cmdop login`");
    live("sx.......");
    ASK(q, STORE_REVOKED); /* it is over: nobody is bothered again */
    live(NOTHING);
}

static void who_gives_a_token_back_loses_its_link(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_TOKEN_REVOKE_HASH);
    memcpy(q.u.token_revoke_hash.hash, conns[BOB].token, STORE_HASH);
    ASK(q, STORE_DONE);
    live("...xs....");
    FILL(q.u.token_revoke_hash.hash, 4711);
    ASK(q, STORE_UNKNOWN);
    live(NOTHING);
}

static struct store_ask refresh(uint32_t seed, uint32_t next)
{
    struct store_ask q = ask_of(STORE_TOKEN_REFRESH);
    FILL(q.u.token_refresh.hash, seed);
    FILL(q.u.token_refresh.access.hash, next);
    FILL(q.u.token_refresh.access.random, next + 1);
    FILL(q.u.token_refresh.refresh.hash, next + 2);
    FILL(q.u.token_refresh.refresh.random, next + 3);
    q.u.token_refresh.access.expires_ms = NOW + MINUTE;
    q.u.token_refresh.refresh.expires_ms = NOW + MINUTE;
    return q;
}

static void
a_refresh_token_used_twice_ends_the_links_of_its_family(void **state)
{
    (void)state;
    struct store_ask q = token_ask(&bob, 2000);
    q.u.token_make.kind = STORE_REFRESH;
    PUT(q.u.token_make.family, conns[BOB].token_id);
    ASK(q, STORE_DONE);
    q = refresh(2000, 2100); /* as it should be: the link stays */
    ASK(q, STORE_DONE);
    q = refresh(2102, 2200);
    ASK(q, STORE_DONE);
    live(NOTHING);
    q = refresh(2000, 2300);
    ASK(q, STORE_REUSED);
    live("...xs....");
}

/* ---- people ------------------------------------------------------------------------- */

static void a_new_password_ends_all_sign_ins_but_the_one_kept(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_PERSON_SET_PASSWORD);
    PUT(q.u.person_set_password.person_id, ada.user_id);
    PUT(q.u.person_set_password.password, "$argon2id$new");
    PUT(q.u.person_set_password.keep_token_id, conns[ADA_TOO].token_id);
    BY(q.u.person_set_password.actor);
    ASK(q, STORE_DONE);
    live("xsx......");
}

static void an_account_shut_out_loses_its_links_everywhere(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_PERSON_ENABLE);
    PUT(q.u.person_enable.person_id, bob.user_id);
    BY(q.u.person_enable.actor);
    ASK(q, STORE_DONE);
    live("...xx....");
}

/* A key is not revoked by it: the account is the reason. */
static void and_is_told_whom_to_ask(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_PERSON_ENABLE);
    PUT(q.u.person_enable.person_id, bob.user_id);
    BY(q.u.person_enable.actor);
    conns[BOB].peer.link.state = LINK_CLOSED;
    ASK(q, STORE_DONE);
    assert_string_equal(why(), "the account was shut out");
    assert_string_equal(told.remedy, "ask the relay's owner");
    live("....x....");
}

static void a_second_factor_taken_away_is_judged_at_once(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_PERSON_SET_TOTP);
    PUT(q.u.person_set_totp.person_id, ada.user_id);
    BY(q.u.person_set_totp.actor);
    ASK(q, STORE_DONE);
    live("sss......");
}

static void a_persons_new_name_reaches_his_links_and_ends_none(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_PERSON_SET);
    PUT(q.u.person_set.person_id, bob.user_id);
    PUT(q.u.person_set.name, "Robert");
    BY(q.u.person_set.actor);
    ASK(q, STORE_DONE);
    live("...ss....");
    assert_string_equal(conns[BOB].user, "Robert");
    assert_string_equal(conns[BOBS_KEY].user, "Robert");
    assert_string_equal(conns[ADA].user, "");
    q.u.person_set.has_email = true;
    PUT(q.u.person_set.email, "eve@example.org"); /* hers */
    ASK(q, STORE_CONFLICT);
    live(NOTHING);
}

static struct store_ask role(const char *person_id, enum store_role to)
{
    struct store_ask q = ask_of(STORE_MEMBER_SET);
    PUT(q.u.member_set.fleet_id, bob.fleet_id);
    PUT(q.u.member_set.person_id, person_id);
    q.u.member_set.role = to;
    BY(q.u.member_set.actor);
    return q;
}

static void a_role_that_may_less_begins_with_a_new_link(void **state)
{
    (void)state;
    struct store_ask q = role(bob.user_id, STORE_VIEWER);
    ASK(q, STORE_DONE);
    assert_string_equal(why(), "your role in the fleet may less now");
    live("...rr....");
}

static void one_that_may_more_holds_at_once(void **state)
{
    (void)state;
    struct store_ask q = role(bob.user_id, STORE_ADMIN);
    ASK(q, STORE_DONE);
    live("...ss....");
    assert_int_equal(conns[BOB].role, STORE_ADMIN);
    q = role(ada.user_id, STORE_MEMBER);
    ASK(q, STORE_LAST_OWNER);
    live(NOTHING);
}

static struct store_ask leaves_fleet(const char *person_id)
{
    struct store_ask q = ask_of(STORE_MEMBER_REMOVE);
    PUT(q.u.member_remove.fleet_id, bob.fleet_id);
    PUT(q.u.member_remove.person_id, person_id);
    BY(q.u.member_remove.actor);
    return q;
}

static void who_leaves_a_fleet_loses_the_links_there(void **state)
{
    (void)state;
    struct store_ask q = role(bob.user_id, STORE_OWNER);
    ASK(q, STORE_DONE);
    live("...ss....");
    q = leaves_fleet(ada.user_id);
    ASK(q, STORE_DONE);
    live("xx......."); /* and ADA_AWAY is another fleet's */
    ASK(q, STORE_UNKNOWN);
    live(NOTHING);
}

static void a_sign_in_that_moves_to_another_fleet_comes_back(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_MEMBER_USE_FLEET);
    PUT(q.u.use_fleet.fleet_id, bob.fleet_id);
    PUT(q.u.use_fleet.token_id, conns[ADA].token_id);
    PUT(q.u.use_fleet.person_id, ada.user_id);
    PUT(q.u.use_fleet.to_fleet_id, team.id);
    BY(q.u.use_fleet.actor);
    ASK(q, STORE_DONE);
    assert_string_equal(why(), "the sign-in speaks in another fleet now");
    live("rss......");
}

/* ---- fleets ----------------------------------------------------------------------------- */

static void a_policy_cuts_whom_it_would_not_let_in(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_FLEET_SET);
    PUT(q.u.fleet_set.fleet_id, bob.fleet_id);
    PUT(q.u.fleet_set.name, "Home");
    PUT(q.u.fleet_set.policy.ip_allow, "192.0.2.0/24");
    BY(q.u.fleet_set.actor);
    ASK(q, STORE_DONE);
    assert_string_equal(why(), "not from here");
    assert_int_equal(told.code, cmdop_agent_v1_Code_CODE_DENIED);
    assert_string_equal(told.remedy,
                        "an owner of the fleet can change its policy");
    live("xx.xx....");
}

static void a_fleet_that_ends_takes_links_and_machines_along(void **state)
{
    (void)state;
    make_key(team.id, 82, 9);
    enrol(82, 121, "far");
    follow_reload(&relay);
    live("ssssss...");
    struct store_ask q = ask_of(STORE_FLEET_REMOVE);
    PUT(q.u.fleet_remove.fleet_id, team.id);
    BY(q.u.fleet_remove.actor);
    ASK(q, STORE_DONE);
    settle();
    assert_string_equal(shut, "far ");
    live("ssxsss...");
}

/* ---- access ------------------------------------------------------------------------------ */

static struct access_key bobs(void)
{
    return (struct access_key){bob.fleet_id, web, bob.user_id};
}

static void access_to_web(enum store_access access, enum store_outcome want)
{
    struct store_ask q = ask_of(STORE_ACCESS_SET);
    PUT(q.u.access_set.fleet_id, bob.fleet_id);
    PUT(q.u.access_set.machine_id, web);
    PUT(q.u.access_set.person_id, bob.user_id);
    q.u.access_set.access = access;
    BY(q.u.access_set.actor);
    ASK(q, want);
}

static bool is_set(enum may_access want)
{
    enum may_access is = MAY_ACCESS_FULL;
    const struct access_key key = bobs();
    bool set = access_get(&relay.access, &key, &is);
    return set == (want != MAY_ACCESS_FULL) && is == want;
}

static void less_access_to_a_machine_begins_with_a_new_link(void **state)
{
    (void)state;
    access_to_web(STORE_VIEW, STORE_DONE);
    assert_true(is_set(MAY_ACCESS_VIEW));
    assert_string_equal(why(), "you may do less with a machine now");
    live("...rr....");
}

static void more_of_it_holds_at_once(void **state)
{
    (void)state;
    access_to_web(STORE_HIDDEN, STORE_DONE);
    live("...rr....");
    conns[BOB].peer.link.state = LINK_OPEN;
    access_to_web(STORE_EXECUTE, STORE_DONE);
    assert_true(is_set(MAY_ACCESS_EXECUTE));
    access_to_web(STORE_FULL, STORE_DONE);
    assert_true(is_set(MAY_ACCESS_FULL));
    live(NOTHING);
}

/* The store forgets it then, so memory must. */
static void who_left_and_comes_again_has_no_old_access(void **state)
{
    (void)state;
    access_to_web(STORE_HIDDEN, STORE_DONE);
    struct store_ask q = leaves_fleet(bob.user_id);
    ASK(q, STORE_DONE);
    assert_true(is_set(MAY_ACCESS_FULL));
    access_to_web(STORE_HIDDEN, STORE_UNKNOWN); /* a member no more */
    assert_true(is_set(MAY_ACCESS_FULL));
}

/* ---- machines ------------------------------------------------------------------------------ */

static void a_machine_that_is_disabled_is_shut_out(void **state)
{
    (void)state;
    ASSERT_DONE(change_state(bob.fleet_id, web, STORE_DISABLE));
    assert_string_equal(shut, "web ");
    assert_int_equal(machine(web)->state, STORE_STATE_DISABLED);
    live(NOTHING);
    ASSERT_DONE(change_state(bob.fleet_id, web, STORE_ENABLE));
    assert_string_equal(shut, "");
    assert_int_equal(machine(web)->state, STORE_STATE_ACTIVE);
    live(NOTHING);
}

static void a_new_name_is_its_name_at_once(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_MACHINE_RENAME);
    PUT(q.u.machine_rename.fleet_id, bob.fleet_id);
    PUT(q.u.machine_rename.machine_id, web);
    PUT(q.u.machine_rename.name, "www");
    BY(q.u.machine_rename.actor);
    ASK(q, STORE_DONE);
    assert_string_equal(machine(web)->name, "www");
    assert_string_equal(machine(db)->name, "db");
    assert_string_equal(shut, "");
    live(NOTHING);
}

static struct store_ask web_and(enum store_op op, const char *other_id)
{
    struct store_ask q = ask_of(op);
    PUT(q.u.machine_link.fleet_id, bob.fleet_id);
    PUT(q.u.machine_link.machine_id, web);
    PUT(q.u.machine_link.other_id, other_id);
    BY(q.u.machine_link.actor);
    return q;
}

static void a_machine_is_seen_where_it_is_linked_and_no_longer(void **state)
{
    (void)state;
    assert_false(registry_sees(&relay.registry, eve.fleet_id, machine(web)));
    struct store_ask q = web_and(STORE_MACHINE_LINK, eve.fleet_id);
    ASK(q, STORE_DONE);
    assert_true(registry_sees(&relay.registry, eve.fleet_id, machine(web)));
    assert_false(registry_sees(&relay.registry, eve.fleet_id, machine(db)));
    live(NOTHING);
    q = web_and(STORE_MACHINE_UNLINK, eve.fleet_id);
    ASK(q, STORE_DONE);
    assert_false(registry_sees(&relay.registry, eve.fleet_id, machine(web)));
    assert_true(registry_sees(&relay.registry, bob.fleet_id, machine(web)));
    assert_string_equal(why(), "a machine left the fleet");
    live(".....r...");
    ASK(q, STORE_DONE); /* it is so already */
    live(NOTHING);
}

/* What was set for it there is forgotten, as the store does. */
static void a_machine_that_left_takes_its_access_along(void **state)
{
    (void)state;
    enum may_access is;
    const struct access_key key = {eve.fleet_id, web, eve.user_id};
    struct store_ask q = web_and(STORE_MACHINE_LINK, eve.fleet_id);
    ASK(q, STORE_DONE);
    q = ask_of(STORE_ACCESS_SET);
    PUT(q.u.access_set.fleet_id, eve.fleet_id);
    PUT(q.u.access_set.machine_id, web);
    PUT(q.u.access_set.person_id, eve.user_id);
    q.u.access_set.access = STORE_HIDDEN;
    BY(q.u.access_set.actor);
    ASK(q, STORE_DONE);
    access_to_web(STORE_HIDDEN, STORE_DONE);
    assert_true(access_get(&relay.access, &key, &is));
    q = web_and(STORE_MACHINE_UNLINK, eve.fleet_id);
    ASK(q, STORE_DONE);
    assert_false(access_get(&relay.access, &key, &is));
    assert_true(is_set(MAY_ACCESS_HIDDEN)); /* at home nothing changed */
}

/* ---- another process changed it --------------------------------------------------------------- */

/* As a verb on the relay's host does: nobody here sees the answer. */
#define ELSEWHERE(what)                                             \
    do {                                                            \
        void (*saw)(void *, const struct store_ask *,               \
                    const struct store_answer *) = relay.store.saw; \
        relay.store.saw = NULL;                                     \
        what;                                                       \
        relay.store.saw = saw;                                      \
    } while (0)

static void what_another_process_did_is_found_by_a_walk(void **state)
{
    (void)state;
    char far[UUID_CAP];
    make_key(bob.fleet_id, 83, 9);
    ELSEWHERE(PUT(far, enrol(83, 131, "far")->u.machine.id));
    ELSEWHERE(access_to_web(STORE_VIEW, STORE_DONE));
    ELSEWHERE(ASSERT_DONE(change_state(bob.fleet_id, db, STORE_DISABLE)));
    ELSEWHERE(ASSERT_DONE(
        withdraw(STORE_TOKEN_REVOKE, bob.fleet_id, conns[ADA].token_id)));
    settle();
    live(NOTHING);
    assert_true(is_set(MAY_ACCESS_FULL));
    assert_null(registry_find(&relay.registry, far));
    follow_reload(&relay);
    settle();
    assert_string_equal(machine(far)->name, "far");
    assert_true(is_set(MAY_ACCESS_VIEW));
    assert_string_equal(shut, "db ");
    live("xssrrs...");
    ELSEWHERE(access_to_web(STORE_FULL, STORE_DONE));
    follow_reload(&relay);
    settle();
    assert_true(is_set(MAY_ACCESS_FULL));
    live(".ss..s...");
}

static void a_link_to_a_fleet_that_is_gone_is_found_as_well(void **state)
{
    (void)state;
    struct store_ask q = web_and(STORE_MACHINE_LINK, eve.fleet_id);
    ASK(q, STORE_DONE);
    q = web_and(STORE_MACHINE_UNLINK, eve.fleet_id);
    ELSEWHERE(ASK(q, STORE_DONE));
    follow_reload(&relay);
    settle();
    assert_false(registry_sees(&relay.registry, eve.fleet_id, machine(web)));
    live("sssssr...");
}

/* Asked for while one is under way, it is done once more. */
static void a_second_walk_follows_the_first(void **state)
{
    (void)state;
    char far[UUID_CAP];
    make_key(bob.fleet_id, 83, 9);
    follow_reload(&relay);
    uint32_t round = relay.registry.round;
    follow_reload(&relay);
    follow_reload(&relay);
    assert_int_equal(relay.registry.round, round);
    ELSEWHERE(PUT(far, enrol(83, 131, "far")->u.machine.id));
    settle();
    assert_int_equal(relay.registry.round, round + 1);
    assert_string_equal(machine(far)->name, "far");
}

/* If no signal came: a minute. */
static void once_a_minute_all_sign_ins_are_asked_about(void **state)
{
    (void)state;
    ELSEWHERE(ASSERT_DONE(
        withdraw(STORE_TOKEN_REVOKE, bob.fleet_id, conns[ADA].token_id)));
    turn();
    live(NOTHING);
    added_ms += 60000;
    turn();
    live("xsssss...");
}

/* ---- how they are asked about ------------------------------------------------------------------- */

static void many_are_asked_about_a_few_at_a_time(void **state)
{
    (void)state;
    for (int i = NAMED; i < MANY; i++)
        signs_in(i, &bob, STORE_ACCESS);
    relay.conns_used = MANY;
    struct store_ask q = role(bob.user_id, STORE_ADMIN);
    ASK(q, STORE_DONE);
    settle();
    assert_int_equal(at_once, FOLLOW_CHECKS);
    assert_int_equal(checks, MANY - NAMED + 2); /* each once */
}

/* While the store looks, bob's two links go; another takes the first's place. */
static void links_go(void *ctx, const struct store_ask *q,
                     const struct store_answer *a)
{
    (void)ctx;
    assert_int_equal(q->op, STORE_TOKEN_CHECK);
    assert_int_equal(a->outcome,
                     q->ctx == &conns[BOB] ? STORE_REVOKED : STORE_DONE);
    conns[BOB].serial++;
    conns[BOBS_KEY].peer.link.state = LINK_CLOSED;
}

static void an_answer_for_a_link_that_is_gone_changes_nothing(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_TOKEN_REVOKE_HASH);
    memcpy(q.u.token_revoke_hash.hash, conns[BOB].token, STORE_HASH);
    ASK(q, STORE_DONE);
    relay.store.saw = links_go;
    live(NOTHING);
    assert_int_equal(conns[BOB].serial, 9); /* both were asked about */
}

static void a_queue_that_is_full_puts_it_off(void **state)
{
    (void)state;
    turn(); /* nobody is about to look into the queue */
    loop_disarm(&relay.loop, relay.store_again);
    struct store_ask q = ask_of(STORE_TOKEN_REVOKE_HASH);
    memcpy(q.u.token_revoke_hash.hash, conns[BOB].token, STORE_HASH);
    ASK(q, STORE_DONE);
    q = ask_of(STORE_PERSON_LIST);
    q.u.list.limit = 1;
    while (store_ask(STORE, &q) == OK)
        continue;
    turn();
    assert_int_equal(relay.follow.checks, 0);
    while (store_pending(STORE))
        (void)store_turn(STORE, NOW);
    assert_true(relay.follow.checking);
    added_ms += 250;
    live("...xs....");
}

/* ---- every question ------------------------------------------------------------------------------ */

/* What is done says whether anything lives by it. A new question belongs
 * here, and above if it does. */
enum { UNDECIDED, NONE, SOME };
static const uint8_t lives[STORE_OP_COUNT] = {
    [STORE_SETUP] = NONE,
    [STORE_PERSON_MAKE] = NONE,
    [STORE_PERSON_BY_LOGIN] = NONE,
    [STORE_PERSON_BY_ID] = NONE,
    [STORE_PERSON_LIST] = NONE,
    [STORE_PERSON_SET_PASSWORD] = SOME,
    [STORE_PERSON_SET] = SOME,
    [STORE_PERSON_SET_TOTP] = SOME,
    [STORE_PERSON_TRIED] = NONE,
    [STORE_PERSON_ENABLE] = SOME,
    [STORE_BACKUP_CODE_USE] = NONE,
    [STORE_TOKEN_MAKE] = NONE,
    [STORE_TOKEN_CHECK] = NONE,
    [STORE_TOKEN_LIST] = NONE,
    [STORE_TOKEN_REVOKE] = SOME,
    [STORE_TOKEN_REVOKE_HASH] = SOME,
    [STORE_TOKEN_REFRESH] = NONE, /* but REUSED, see above */
    [STORE_DEVICE_MAKE] = NONE,
    [STORE_DEVICE_BY_CODE] = NONE,
    [STORE_DEVICE_DECIDE] = NONE,
    [STORE_DEVICE_POLL] = NONE,
    [STORE_FLEET_MAKE] = NONE,
    [STORE_FLEET_GET] = NONE,
    [STORE_FLEET_LIST] = NONE,
    [STORE_FLEET_SET] = SOME,
    [STORE_FLEET_REMOVE] = SOME,
    [STORE_MEMBER_LIST] = NONE,
    [STORE_MEMBER_SET] = SOME,
    [STORE_MEMBER_REMOVE] = SOME,
    [STORE_MEMBER_USE_FLEET] = SOME,
    [STORE_INVITE_MAKE] = NONE,
    [STORE_INVITE_RENEW] = NONE,
    [STORE_INVITE_LIST] = NONE,
    [STORE_INVITE_CANCEL] = NONE,
    [STORE_INVITE_BY_HASH] = NONE,
    [STORE_INVITE_ACCEPT] = NONE, /* a member already: CONFLICT */
    [STORE_INVITE_DECLINE] = NONE,
    [STORE_ACCESS_SET] = SOME,
    [STORE_ACCESS_LIST] = NONE,
    [STORE_ACCESS_OF] = NONE,
    [STORE_JOINKEY_MAKE] = NONE,
    [STORE_JOINKEY_LIST] = NONE,
    [STORE_JOINKEY_REVOKE] = NONE,
    [STORE_ENROL] = NONE, /* this and what follows: relay/claim.h */
    [STORE_MACHINE_LOGIN] = NONE,
    [STORE_MACHINE_CONFIRM] = NONE,
    [STORE_MACHINE_SEEN] = NONE,
    [STORE_MACHINE_GET] = NONE,
    [STORE_MACHINE_LIST] = NONE,
    [STORE_MACHINE_STATE] = SOME,
    [STORE_MACHINE_RENAME] = SOME,
    [STORE_MACHINE_LINK] = SOME,
    [STORE_MACHINE_UNLINK] = SOME,
    [STORE_MACHINE_FLEETS] = NONE,
    [STORE_AUDIT] = NONE,
    [STORE_AUDIT_LIST] = NONE,
    [STORE_SWEEP] = NONE,
};

/* Did this reach anything? */
static bool is_touched(const struct store_ask *q, const struct store_answer *a)
{
    uint32_t machines = relay.registry.count, rows = relay.access.count;
    from_now_on();
    relay.store.saw(relay.store.saw_ctx, q, a);
    bool touched = relay.follow.checking || relay.registry.count != machines ||
                   relay.access.count != rows || strcmp(done, NOTHING) != 0;
    settle();
    return touched || checks > 0;
}

static void no_other_question_touches_what_lives(void **state)
{
    (void)state;
    for (int op = 0; op < STORE_OP_COUNT; op++) {
        struct store_ask q = {.op = (enum store_op)op};
        struct store_answer a = {.op = (enum store_op)op};
        if (lives[op] == UNDECIDED)
            fail_msg("question %d is not decided about", op);
        if (lives[op] == NONE && is_touched(&q, &a))
            fail_msg("question %d touches what lives", op);
    }
}

/* Whatever it is: not done is not changed. */
static void a_failure_touches_nothing(void **state)
{
    (void)state;
    for (int op = 0; op < STORE_OP_COUNT; op++) {
        struct store_ask q = {.op = (enum store_op)op};
        struct store_answer a = {.op = (enum store_op)op, .err = ERR_IO};
        assert_false(is_touched(&q, &a));
        a.outcome = STORE_REUSED;
        assert_false(is_touched(&q, &a));
        a.err = OK;
        a.outcome = STORE_UNKNOWN;
        assert_false(is_touched(&q, &a));
    }
}

int main(void)
{
#define FACT(f) cmocka_unit_test_setup_teardown(f, relay_begin, relay_end)
    const struct CMUnitTest tests[] = {
        FACT(a_revoked_token_ends_its_link_and_no_other),
        FACT(who_gives_a_token_back_loses_its_link),
        FACT(a_refresh_token_used_twice_ends_the_links_of_its_family),
        FACT(a_new_password_ends_all_sign_ins_but_the_one_kept),
        FACT(an_account_shut_out_loses_its_links_everywhere),
        FACT(and_is_told_whom_to_ask),
        FACT(a_second_factor_taken_away_is_judged_at_once),
        FACT(a_persons_new_name_reaches_his_links_and_ends_none),
        FACT(a_role_that_may_less_begins_with_a_new_link),
        FACT(one_that_may_more_holds_at_once),
        FACT(who_leaves_a_fleet_loses_the_links_there),
        FACT(a_sign_in_that_moves_to_another_fleet_comes_back),
        FACT(a_policy_cuts_whom_it_would_not_let_in),
        FACT(a_fleet_that_ends_takes_links_and_machines_along),
        FACT(less_access_to_a_machine_begins_with_a_new_link),
        FACT(more_of_it_holds_at_once),
        FACT(who_left_and_comes_again_has_no_old_access),
        FACT(a_machine_that_is_disabled_is_shut_out),
        FACT(a_new_name_is_its_name_at_once),
        FACT(a_machine_is_seen_where_it_is_linked_and_no_longer),
        FACT(a_machine_that_left_takes_its_access_along),
        FACT(what_another_process_did_is_found_by_a_walk),
        FACT(a_link_to_a_fleet_that_is_gone_is_found_as_well),
        FACT(a_second_walk_follows_the_first),
        FACT(once_a_minute_all_sign_ins_are_asked_about),
        FACT(many_are_asked_about_a_few_at_a_time),
        FACT(an_answer_for_a_link_that_is_gone_changes_nothing),
        FACT(a_queue_that_is_full_puts_it_off),
        FACT(no_other_question_touches_what_lives),
        FACT(a_failure_touches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
