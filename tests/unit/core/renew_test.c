/*
 * A sign-in kept fresh: by one process at a time, and nothing is used that was
 * not saved. The processes share the files and the lock; the relay is a model
 * that gives each refresh token one successor.
 */
#include "core/renew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/rpc.h"
#include "fake/keyring.h"
#include "fake/port_keep.h"
#include "unit/core/pair.h"

#define WALL   INT64_C(1800000000000)
#define MINUTE (60 * 1000)
#define HOUR_S 3600
#define FILE_  "/config/credentials.json"
#define PLACES 16

int64_t port_wall_ms(void)
{
    return WALL + (int64_t)fake.now_ms;
}

static const struct paths folders = {.config = "/config", .state = "/state"};

/* ---- the relay ------------------------------------------------------------------- */

static struct {
    struct rpcs rpcs;
    enum { ANSWERS, SILENT, REJECTS, FAILS, EMPTY, NONSENSE } does;
    const char *error; /* instead of tokens; NULL: none */
    const char *words;
    uint32_t asked, given;
    rpc_ref ref; /* of the last question */
    char refresh[64];
    char seen[64]; /* the refresh token that was shown last */
} relay;

static void give(void)
{
    cmdop_agent_v1_AuthToken t = cmdop_agent_v1_AuthToken_init_zero;
    if (relay.error != NULL) {
        STR_COPY(t.error, relay.error);
        STR_COPY(t.error_description, relay.words);
    } else if (strcmp(relay.seen, relay.refresh) != 0) {
        STR_COPY(t.error, "invalid_grant");
    } else {
        relay.given++;
        snprintf(t.access_token, sizeof(t.access_token), "access-%u",
                 relay.given);
        snprintf(t.refresh_token, sizeof(t.refresh_token), "refresh-%u",
                 relay.given);
        STR_COPY(relay.refresh, t.refresh_token);
        STR_COPY(t.user, "Ada \033[31m");
        STR_COPY(t.fleet_name, "Home");
        t.expires_in = HOUR_S;
    }
    if (relay.does == NONSENSE)
        STR_COPY(t.access_token, "not a token");
    assert_int_equal(rpc_put(&relay.rpcs, relay.ref,
                             cmdop_agent_v1_AuthToken_fields, &t, NULL, NULL),
                     OK);
    rpc_end(&relay.rpcs, relay.ref);
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct half *far = ctx;
    msg_rpc_open p = cmdop_agent_v1_RpcOpen_init_zero;
    cmdop_agent_v1_AuthTokenOpen t = cmdop_agent_v1_AuthTokenOpen_init_zero;
    assert_int_equal(msg_decode(params, cmdop_agent_v1_RpcOpen_fields, &p), OK);
    assert_string_equal(p.method, "auth.token");
    assert_int_equal(msg_decode(view_of(p.request.bytes, p.request.size),
                                cmdop_agent_v1_AuthTokenOpen_fields, &t),
                     OK);
    assert_string_equal(t.device_code, "");
    STR_COPY(relay.seen, t.refresh_token);
    relay.asked++;
    if (relay.does == REJECTS) {
        (void)mux_reject(&far->mux, open->channel,
                         cmdop_agent_v1_Code_CODE_LIMIT, "the relay is busy",
                         "");
        return;
    }
    relay.ref = rpc_begin(&relay.rpcs, &far->mux, open);
    assert_true(relay.ref != 0);
    if (relay.does == FAILS)
        rpc_fail(&relay.rpcs, relay.ref, cmdop_agent_v1_Code_CODE_INTERNAL,
                 "the store has a \007fault", "");
    else if (relay.does == EMPTY)
        rpc_end(&relay.rpcs, relay.ref);
    else if (relay.does != SILENT)
        give();
}

/* ---- processes ---------------------------------------------------------------------- */

struct process {
    struct renew renew;
    struct credential server;
    struct half near, far;
    uint8_t buf[QUESTION_RING];
    int ends;
    enum renew_end end;
    char why[512];
};

static struct process one, two;
static struct loop loop;
static struct credentials list; /* as it was stored at first */
static _Alignas(64) uint8_t memory[1024 * 1024];

static struct credential server_of(const char *name)
{
    struct credential c = {.address = "relay:50051",
                           .token = "access-0",
                           .refresh = "refresh-0",
                           .token_expires_ms = WALL + 4 * MINUTE,
                           .user = "ada",
                           .email = "ada@example.org"};
    STR_COPY(c.name, name);
    return c;
}

static void store_is(struct credentials *c)
{
    char buf[400];
    struct text why;
    TEXT_OF(&why, buf);
    assert_int_equal(credential_save(&folders, c, &why), OK);
}

/* What lies in the file. */
static const struct credential *stored(const char *name)
{
    static struct credentials all;
    char buf[400];
    struct text why;
    TEXT_OF(&why, buf);
    assert_int_equal(credential_load(&folders, &all, &why), OK);
    return credential_find(&all, name);
}

static void process_begin(struct process *p, const struct credentials *known)
{
    memset(p, 0, sizeof(*p));
    p->server = *credential_find(&list, "home");
    half_init(&p->near, &p->far, true, 8);
    half_init(&p->far, &p->near, false, 8);
    p->far.on_open = on_open;
    p->far.ctx = &p->far;
    assert_int_equal(renew_init(&p->renew, &loop, &folders, &p->server, known,
                                SPAN_ARRAY(p->buf)),
                     OK);
}

static int setup(void **state)
{
    struct arena a;
    struct credential home = server_of("home"), work = server_of("work");
    (void)state;
    fake_reset();
    memset(&fake_ring, 0, sizeof(fake_ring));
    memset(&relay, 0, sizeof(relay));
    memset(&list, 0, sizeof(list));
    STR_COPY(relay.refresh, "refresh-0");
    STR_COPY(work.refresh, "refresh-work");
    assert_int_equal(credential_upsert(&list, &work), OK);
    assert_int_equal(credential_upsert(&list, &home), OK);
    assert_int_equal(credential_use(&list, "home"), OK);
    store_is(&list);
    arena_init(&a, SPAN_ARRAY(memory));
    loop_init(&loop, &a, 8, 8);
    rpcs_init(&relay.rpcs, &a, PLACES);
    process_begin(&one, NULL);
    process_begin(&two, NULL);
    return 0;
}

static void on_done(void *ctx, enum renew_end end, const char *why)
{
    struct process *p = ctx;
    p->ends++;
    p->end = end;
    STR_COPY(p->why, why);
}

static void settle(struct process *p)
{
    half_settle(&p->near, &p->far);
}

static void start(struct process *p)
{
    renew_start(&p->renew, &p->near.mux, on_done, p);
    settle(p);
}

/* Time passes up to the next deadline of anybody. */
static void turn(void)
{
    assert_int_equal(loop_turn(&loop), OK);
    settle(&one);
    settle(&two);
}

static bool is_wiped(const void *at, size_t len)
{
    const uint8_t *p = at;
    for (size_t i = 0; i < len; i++)
        if (p[i] != 0)
            return false;
    return true;
}

/* It is over, once; nobody is in anybody's way, and nothing secret is left. */
static void ended(const struct process *p, enum renew_end end)
{
    assert_int_equal(p->ends, 1);
    assert_int_equal(p->end, end);
    assert_false(p->renew.active);
    assert_string_equal(fake.locked, "");
    assert_true(is_wiped(&p->renew.all, sizeof(p->renew.all)));
    assert_true(is_wiped(&p->renew.answer, sizeof(p->renew.answer)));
    assert_true(is_wiped(p->buf, sizeof(p->buf)));
}

static void unchanged(const struct process *p)
{
    assert_memory_equal(&p->server, credential_find(&list, "home"),
                        sizeof(p->server));
    assert_string_equal(stored("home")->token, "access-0");
    assert_string_equal(stored("home")->refresh, "refresh-0");
}

static void failed(const struct process *p, const char *why)
{
    char sentence[200];
    ended(p, RENEW_FAILED);
    snprintf(sentence, sizeof(sentence),
             "the sign-in at home cannot be renewed: %s", why);
    assert_string_equal(p->why, sentence);
    unchanged(p);
}

/* ---- when ----------------------------------------------------------------------------- */

static void it_is_due_five_minutes_before_the_end(void **state)
{
    struct credential c = server_of("home");
    (void)state;
    int64_t at = c.token_expires_ms - 5 * MINUTE;
    assert_false(renew_due(&c, at - 1));
    assert_true(renew_due(&c, at));
    assert_true(renew_due(&c, at + 24 * 60 * MINUTE));
    c.token_expires_ms = 0; /* never */
    assert_false(renew_due(&c, INT64_MAX));
    c.token_expires_ms = 1;
    c.refresh[0] = '\0';
    assert_false(renew_can(&c));
    assert_false(renew_due(&c, at));
}

/* ---- one process ---------------------------------------------------------------------- */

static void fresh_tokens_are_saved_and_used(void **state)
{
    (void)state;
    start(&one);
    ended(&one, RENEW_FRESH);
    assert_string_equal(relay.seen, "refresh-0");
    assert_string_equal(one.server.token, "access-1");
    assert_string_equal(one.server.refresh, "refresh-1");
    assert_int_equal(one.server.token_expires_ms, WALL + HOUR_S * 1000);
    assert_memory_equal(stored("home"), &one.server, sizeof(one.server));
    assert_string_equal(stored("work")->refresh, "refresh-work");
    assert_string_equal(one.server.user, "Ada \\x1b[31m"); /* safe to show */
    assert_string_equal(one.server.email, "ada@example.org");
}

static void nobody_else_may_while_it_asks(void **state)
{
    (void)state;
    relay.does = SILENT;
    start(&one);
    assert_int_equal(one.ends, 0);
    assert_string_equal(fake.locked, "/config/credentials.lock");
    give();
    settle(&one);
    ended(&one, RENEW_FRESH);
}

static void it_can_be_done_again(void **state)
{
    (void)state;
    for (uint32_t i = 1; i < 5; i++) {
        one.ends = 0;
        fake.now_ms += HOUR_S * 1000;
        start(&one);
        ended(&one, RENEW_FRESH);
        assert_int_equal(relay.given, i);
    }
    assert_string_equal(stored("home")->token, "access-4");
}

/* ---- two ------------------------------------------------------------------------------- */

static void the_second_takes_what_the_first_saved(void **state)
{
    (void)state;
    relay.does = SILENT;
    start(&one);
    start(&two);
    for (int i = 0; i < 20; i++) /* it looks at the lock */
        turn();
    assert_int_equal(two.ends, 0);
    assert_int_equal(relay.asked, 1);
    give();
    settle(&one);
    ended(&one, RENEW_FRESH);
    turn();
    ended(&two, RENEW_FRESH);
    assert_int_equal(relay.asked, 1);
    assert_memory_equal(&two.server, &one.server, sizeof(two.server));
}

/* Its answer is lost; the relay gives the next one for the same token. */
static void who_dies_with_the_lock_is_followed(void **state)
{
    (void)state;
    relay.does = SILENT;
    start(&one);
    start(&two);
    turn();
    fake.locked[0] = '\0'; /* as the system does with a dead process */
    loop_disarm(&loop, one.renew.timer);
    relay.does = ANSWERS;
    turn();
    ended(&two, RENEW_FRESH);
    assert_int_equal(relay.asked, 2);
    assert_string_equal(relay.seen, "refresh-0");
    assert_string_equal(stored("home")->token, "access-1");
}

static void who_waits_for_twenty_seconds_fails_with_the_reason(void **state)
{
    (void)state;
    fake.lock_taken = true;
    start(&one);
    while (fake.now_ms < CREDENTIAL_LOCK_MS - 50) {
        turn();
        assert_int_equal(one.ends, 0);
    }
    turn();
    assert_int_equal(fake.now_ms, CREDENTIAL_LOCK_MS);
    failed(&one, "another cmdop (pid 4711) is changing the sign-ins and does "
                 "not finish");
    assert_int_equal(relay.asked, 0);
}

/* The other one renewed it, and that is long ago. */
static void what_somebody_saved_may_be_due_again(void **state)
{
    (void)state;
    start(&one);
    ended(&one, RENEW_FRESH);
    fake.now_ms += HOUR_S * 1000 - 4 * MINUTE;
    start(&two);
    ended(&two, RENEW_FRESH);
    assert_string_equal(relay.seen, "refresh-1");
    assert_string_equal(two.server.token, "access-2");
}

static void signed_out_by_another_it_is_refused(void **state)
{
    (void)state;
    assert_int_equal(credential_remove(&list, "home"), OK);
    store_is(&list);
    start(&one);
    ended(&one, RENEW_REFUSED);
    assert_string_equal(one.why,
                        "the sign-in at home is no longer good: it was signed "
                        "out meanwhile; run: cmdop login --server home");
    assert_int_equal(relay.asked, 0);
}

/* The tokens of one relay are nothing that another one may see. */
static void a_name_that_is_another_relays_by_now_is_refused(void **state)
{
    struct credential other = server_of("home");
    (void)state;
    other.pin[0] = 1;
    STR_COPY(other.refresh, "refresh-other");
    assert_int_equal(credential_upsert(&list, &other), OK);
    store_is(&list);
    start(&one);
    ended(&one, RENEW_REFUSED);
    assert_string_equal(one.why,
                        "the sign-in at home is no longer good: its name is "
                        "another relay's by now; run: cmdop login");
    assert_int_equal(relay.asked, 0);
    assert_string_equal(one.server.token, "access-0");
}

static void without_a_refresh_token_there_is_nothing_to_ask(void **state)
{
    struct credential c = server_of("home");
    (void)state;
    c.refresh[0] = '\0';
    assert_int_equal(credential_upsert(&list, &c), OK);
    store_is(&list);
    start(&one);
    ended(&one, RENEW_REFUSED);
    assert_int_equal(relay.asked, 0);
}

/* ---- what the relay may say ------------------------------------------------------------- */

static void a_refusal_tells_what_to_do(void **state)
{
    (void)state;
    relay.error = "invalid_grant";
    relay.words = "the sign-in was \033revoked";
    start(&one);
    ended(&one, RENEW_REFUSED);
    assert_string_equal(one.why,
                        "the sign-in at home is no longer good: the sign-in "
                        "was \\x1brevoked; run: cmdop login");
    unchanged(&one);
}

static void what_passes_by_itself_is_no_refusal(void **state)
{
    static const char *const words[] = {"temporarily_unavailable",
                                        "server_error", "slow_down"};
    (void)state;
    relay.words = "";
    for (size_t i = 0; i < 3; i++) {
        one.ends = 0;
        relay.error = words[i];
        start(&one);
        failed(&one, words[i]);
    }
    relay.error = NULL;
    one.ends = 0;
    start(&one);
    ended(&one, RENEW_FRESH);
}

static void no_answer_within_ten_seconds_is_a_failure(void **state)
{
    (void)state;
    relay.does = SILENT;
    start(&one);
    turn();
    assert_int_equal(fake.now_ms, 10000);
    failed(&one, "the relay does not answer");
    assert_int_equal(one.near.mux.count, 0); /* it is not waited for */
    assert_false(rpc_is_asked(&relay.rpcs, relay.ref));
}

static void an_answer_that_is_none_changes_nothing(void **state)
{
    static const struct {
        int does;
        const char *why;
    } answers[] = {{REJECTS, "the relay is busy"},
                   {FAILS, "the store has a \\x07fault"},
                   {EMPTY, "the relay's answer is empty"},
                   {NONSENSE, "the relay's answer makes no sense"}};
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        setup(NULL);
        relay.does = answers[i].does;
        start(&one);
        failed(&one, answers[i].why);
    }
}

static void a_lost_link_is_a_failure(void **state)
{
    (void)state;
    relay.does = SILENT;
    start(&one);
    mux_lost(&one.near.mux);
    failed(&one, "the connection was lost before the answer was complete");
}

static void a_link_that_takes_no_question_is_a_failure(void **state)
{
    (void)state;
    half_init(&one.near, &one.far, true, 0);
    start(&one);
    failed(&one, "the question does not fit the connection");
}

static void who_stops_hears_no_more(void **state)
{
    (void)state;
    relay.does = SILENT;
    start(&one);
    mux_lost(&one.far.mux);
    renew_stop(&one.renew);
    assert_string_equal(fake.locked, "");
    mux_lost(&one.near.mux);
    assert_int_equal(one.ends, 0);
    start(&two); /* the way is free */
    give();
    settle(&two);
    ended(&two, RENEW_FRESH);
    assert_int_equal(one.ends, 0);
}

static void and_who_waits_for_the_lock_as_well(void **state)
{
    (void)state;
    relay.does = SILENT;
    start(&one);
    start(&two);
    renew_stop(&two.renew);
    assert_string_equal(fake.locked, "/config/credentials.lock");
    turn();
    assert_int_equal(two.ends, 0);
}

/* ---- the disk ------------------------------------------------------------------------------ */

static void what_was_not_saved_is_not_used(void **state)
{
    (void)state;
    relay.does = SILENT;
    start(&one);
    fake.fail_at = fake.calls + 1;
    fake.fail_err = ERR_NO_SPACE;
    fake.fail_on = true;
    give();
    settle(&one);
    fake.fail_at = 0;
    ended(&one, RENEW_FAILED);
    unchanged(&one);
}

/* Every call of the port fails, once and for ever. */
static bool one_fault(size_t nth, bool for_ever)
{
    setup(NULL);
    size_t before = fake.calls;
    fake.fail_at = before + nth;
    fake.fail_err = ERR_IO;
    fake.fail_on = for_ever;
    start(&one);
    bool met = fake.calls >= before + nth;
    fake.fail_at = 0;
    ended(&one, one.end);
    assert_true(one.end == RENEW_FRESH || one.end == RENEW_FAILED);
    if (one.end == RENEW_FAILED)
        assert_true(strlen(one.why) > 40);
    /* What is used is what lies there; or the old one is used still. */
    const struct credential *s = stored("home");
    assert_non_null(s);
    assert_true(strcmp(s->token, "access-0") == 0 ||
                strcmp(s->token, "access-1") == 0);
    if (one.end == RENEW_FRESH)
        assert_memory_equal(s, &one.server, sizeof(*s));
    else
        assert_string_equal(one.server.token, "access-0");
    assert_string_equal(stored("work")->refresh, "refresh-work");
    return met;
}

static void any_call_may_fail(void **state)
{
    (void)state;
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        size_t nth = 1;
        while (one_fault(nth, for_ever != 0))
            nth++;
        assert_true(nth > 5 && one.end == RENEW_FRESH);
    }
}

/* ---- a keyring -------------------------------------------------------------------------------- */

static void keyring(void)
{
    list.where = CREDENTIAL_KEY_KEYRING;
    list.has_key = false;
    store_is(&list);
    process_begin(&one, &list);
    fake_ring.calls = 0;
}

static void a_keyring_is_not_asked_for_what_is_known(void **state)
{
    (void)state;
    keyring();
    start(&one);
    ended(&one, RENEW_FRESH);
    assert_int_equal(fake_ring.calls, 0);
    assert_string_equal(stored("home")->token, "access-1");
}

static void but_if_its_key_is_another_now(void **state)
{
    struct credentials other;
    (void)state;
    keyring();
    other = list;
    other.has_key = false; /* signed in anew, under a new key */
    fake_ring.len = 0;
    assert_non_null(fake_find(FILE_));
    fake_remove(FILE_);
    store_is(&other);
    fake_ring.calls = 0;
    start(&one);
    ended(&one, RENEW_FRESH);
    assert_true(fake_ring.calls > 0);
    renew_wipe(&one.renew);
    assert_true(is_wiped(&one.renew.known, sizeof(one.renew.known)));
}

/* ---- what is taken ------------------------------------------------------------------------------- */

static void what_the_relay_does_not_say_stays(void **state)
{
    struct credential c = server_of("home");
    cmdop_agent_v1_AuthToken t = cmdop_agent_v1_AuthToken_init_zero;
    (void)state;
    STR_COPY(t.access_token, "new");
    assert_int_equal(renew_take(&c, &t, WALL), OK);
    assert_string_equal(c.token, "new");
    assert_string_equal(c.refresh, "refresh-0");
    assert_string_equal(c.user, "ada");
    assert_int_equal(c.token_expires_ms, 0);
}

static void what_is_no_token_is_not_taken(void **state)
{
    static const char *const bad[] = {"", "two words", "line\n", "\xC3\xA4"};
    struct credential c = server_of("home"), was = c;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cmdop_agent_v1_AuthToken t = cmdop_agent_v1_AuthToken_init_zero;
        STR_COPY(t.access_token, bad[i]);
        assert_int_equal(renew_take(&c, &t, WALL), ERR_RANGE);
        assert_memory_equal(&c, &was, sizeof(c));
    }
    cmdop_agent_v1_AuthToken t = cmdop_agent_v1_AuthToken_init_zero;
    STR_COPY(t.access_token, "good");
    STR_COPY(t.refresh_token, "no good");
    assert_int_equal(renew_take(&c, &t, WALL), ERR_RANGE);
    assert_memory_equal(&c, &was, sizeof(c));
}

int main(void)
{
#define FACT(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        FACT(it_is_due_five_minutes_before_the_end),
        FACT(fresh_tokens_are_saved_and_used),
        FACT(nobody_else_may_while_it_asks),
        FACT(it_can_be_done_again),
        FACT(the_second_takes_what_the_first_saved),
        FACT(who_dies_with_the_lock_is_followed),
        FACT(who_waits_for_twenty_seconds_fails_with_the_reason),
        FACT(what_somebody_saved_may_be_due_again),
        FACT(signed_out_by_another_it_is_refused),
        FACT(a_name_that_is_another_relays_by_now_is_refused),
        FACT(without_a_refresh_token_there_is_nothing_to_ask),
        FACT(a_refusal_tells_what_to_do),
        FACT(what_passes_by_itself_is_no_refusal),
        FACT(no_answer_within_ten_seconds_is_a_failure),
        FACT(an_answer_that_is_none_changes_nothing),
        FACT(a_lost_link_is_a_failure),
        FACT(a_link_that_takes_no_question_is_a_failure),
        FACT(who_stops_hears_no_more),
        FACT(and_who_waits_for_the_lock_as_well),
        FACT(what_was_not_saved_is_not_used),
        FACT(any_call_may_fail),
        FACT(a_keyring_is_not_asked_for_what_is_known),
        FACT(but_if_its_key_is_another_now),
        FACT(what_the_relay_does_not_say_stays),
        FACT(what_is_no_token_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
