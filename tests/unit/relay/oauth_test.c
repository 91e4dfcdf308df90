/* The OAuth server over a store that says what the test wants. */
#include "relay/oauth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "crypto/hash.h"
#include "relay/store.h"

static uint8_t block[1024 * 1024];
static struct throttle throttle;
static struct oauth o;

/* ---- a store that is this test ------------------------------------------------ */

static struct store_ask asked;
static int asked_count;
static int refuse_with;
static struct store_ended ended;
static int ended_count;

static int take_ask(void *ctx, const struct store_ask *q)
{
    assert_ptr_equal(ctx, block);
    if (refuse_with != OK)
        return refuse_with;
    asked = *q;
    asked_count++;
    return OK;
}

static void take_ended(void *ctx, const struct store_ended *e)
{
    assert_ptr_equal(ctx, block);
    ended = *e;
    ended_count++;
}

static void store_says(int err, enum store_outcome outcome)
{
    struct store_answer a = {.op = asked.op, .err = err, .outcome = outcome};
    if (outcome == STORE_REUSED ||
        (asked.op == STORE_TOKEN_REVOKE_HASH && outcome == STORE_DONE)) {
        STR_COPY(a.u.ended.family, "family");
        a.u.ended.count = 2;
    } else {
        STR_COPY(a.u.who.login, "ada");
        STR_COPY(a.u.who.user_name, "Ada");
        STR_COPY(a.u.who.email, "ada@h.example");
        STR_COPY(a.u.who.fleet_name, "home");
    }
    asked.answer(asked.ctx, asked.tag, &a);
}

static int begin(void **state)
{
    struct arena a;
    const struct oauth_cfg cfg = {.ask = take_ask,
                                  .ended = take_ended,
                                  .ctx = block,
                                  .url = "https://relay.example:8000"};
    (void)state;
    arena_init(&a, SPAN_ARRAY(block));
    throttle_init(&throttle, &a, (const uint8_t[32]){1});
    oauth_init(&o, &a, &throttle, &cfg);
    asked_count = ended_count = 0;
    refuse_with = OK;
    return 0;
}

/* ---- what is answered --------------------------------------------------------- */

static struct oauth_answer got;
static int got_count;

static void take_answer(void *ctx, uint32_t tag, const struct oauth_answer *a)
{
    assert_ptr_equal(ctx, &got);
    assert_int_equal(tag, 77);
    got = *a;
    got_count++;
}

static struct port_addr from;

static int ask_device(const char *name)
{
    struct oauth_client c = {.name = view_str(name), .from = &from};
    assert_int_equal(port_addr_parse("192.0.2.1", 5, &from), OK);
    got_count = 0;
    return oauth_device(&o, &c, take_answer, &got, 77);
}

static int poll(const char *code)
{
    got_count = 0;
    return oauth_poll(&o, view_str(code), take_answer, &got, 77);
}

static int refresh(const char *token)
{
    got_count = 0;
    return oauth_refresh(&o, view_str(token), &from, take_answer, &got, 77);
}

/* ---- facts ---------------------------------------------------------------------- */

static void a_device_gets_two_codes_and_the_store_a_hash(void **state)
{
    uint8_t hash[HASH_LEN];
    (void)state;
    assert_int_equal(ask_device("box"), OK);
    assert_int_equal(asked.op, STORE_DEVICE_MAKE);
    assert_int_equal(got_count, 0); /* never from inside */
    assert_string_equal(asked.u.device_make.client.name, "box");
    assert_string_equal(asked.u.device_make.client.address, "192.0.2.1");
    store_says(OK, STORE_DONE);
    assert_int_equal(got_count, 1);
    assert_int_equal(got.error, OAUTH_OK);
    const struct oauth_device *d = &got.u.device;
    assert_int_equal(strlen(d->device_code), 43);
    hash_once(view_str(d->device_code), hash);
    assert_memory_equal(hash, asked.u.device_make.hash, sizeof hash);
    assert_int_equal(strlen(d->user_code), 9);
    assert_int_equal(strspn(d->user_code, "BCDFGHJKLMNPQRSTVWXZ"), 4);
    assert_int_equal(d->user_code[4], '-');
    assert_int_equal(strspn(d->user_code + 5, "BCDFGHJKLMNPQRSTVWXZ"), 4);
    assert_string_equal(d->verification_uri,
                        "https://relay.example:8000/device");
    assert_non_null(strstr(d->verification_uri_complete, d->user_code));
    assert_int_equal(d->expires_s, 900);
    assert_int_equal(d->interval_s, 5);
    assert_int_equal(o.count, 0);
}

static void a_user_code_that_is_taken_is_drawn_again(void **state)
{
    char first[STORE_CODE_CAP];
    (void)state;
    assert_int_equal(ask_device(""), OK);
    assert_string_equal(asked.u.device_make.client.name, "CMDOP CLI");
    STR_COPY(first, asked.u.device_make.user_code);
    store_says(OK, STORE_CONFLICT);
    assert_int_equal(got_count, 0);
    assert_int_equal(asked_count, 2);
    assert_string_not_equal(first, asked.u.device_make.user_code);
    for (int i = 0; i < 3; i++)
        store_says(OK, STORE_CONFLICT);
    assert_int_equal(got.error, OAUTH_SERVER_ERROR); /* not for ever */
    assert_int_equal(o.count, 0);
}

static void a_poll_is_told_what_the_rfc_says(void **state)
{
    static const struct {
        enum store_outcome outcome;
        const char *word;
    } rows[] = {
        {STORE_PENDING, "authorization_pending"},
        {STORE_SLOW_DOWN, "slow_down"},
        {STORE_DENIED, "access_denied"},
        {STORE_EXPIRED, "expired_token"},
        {STORE_UNKNOWN, "invalid_grant"},
        {STORE_USED_UP, "invalid_grant"},
        {STORE_DISABLED, "invalid_grant"},
        {STORE_LIMIT, "temporarily_unavailable"},
        {STORE_CONFLICT, "server_error"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static const struct oauth_tokens zeros;
        assert_int_equal(poll("code"), OK);
        assert_int_equal(asked.op, STORE_DEVICE_POLL);
        store_says(OK, rows[i].outcome);
        assert_string_equal(oauth_error_str(got.error), rows[i].word);
        assert_true(strlen(got.description) > 10);
        assert_memory_equal(&got.u.tokens, &zeros, sizeof zeros);
    }
    assert_int_equal(poll("code"), OK);
    store_says(ERR_NO_SPACE, STORE_DONE);
    assert_string_equal(oauth_error_str(got.error), "server_error");
}

static void an_approved_device_gets_tokens(void **state)
{
    uint8_t hash[HASH_LEN];
    char access[OAUTH_TOKEN_CAP];
    (void)state;
    assert_int_equal(poll("code"), OK);
    hash_once(view_str("code"), hash);
    assert_memory_equal(asked.u.device_poll.hash, hash, sizeof hash);
    store_says(OK, STORE_DONE);
    assert_string_equal(oauth_error_str(got.error), "");
    const struct oauth_tokens *t = &got.u.tokens;
    assert_memory_equal(t->access_token, "cmdop_", 6);
    assert_memory_equal(t->refresh_token, "clitr_", 6);
    assert_int_equal(strlen(t->access_token), 49);
    hash_once(view_str(t->access_token), hash);
    assert_memory_equal(asked.u.device_poll.access.hash, hash, sizeof hash);
    assert_memory_equal(asked.u.device_poll.access.prefix, t->access_token, 12);
    hash_once(view_str(t->refresh_token), hash);
    assert_memory_equal(asked.u.device_poll.refresh.hash, hash, sizeof hash);
    assert_string_equal(t->login, "ada");
    assert_string_equal(t->email, "ada@h.example");
    assert_int_equal(t->expires_s, 3600);
    STR_COPY(access, t->access_token);
    assert_int_equal(poll("code"), OK);
    store_says(OK, STORE_DONE);
    assert_string_not_equal(access, got.u.tokens.access_token);
}

static void a_token_used_twice_ends_its_family(void **state)
{
    (void)state;
    assert_int_equal(refresh("clitr_x"), OK);
    assert_int_equal(asked.op, STORE_TOKEN_REFRESH);
    store_says(OK, STORE_DONE);
    assert_int_equal(got.error, OAUTH_OK);
    assert_int_equal(ended_count, 0);
    assert_int_equal(refresh("clitr_x"), OK);
    store_says(OK, STORE_REUSED);
    assert_string_equal(oauth_error_str(got.error), "invalid_grant");
    assert_int_equal(ended_count, 1);
    assert_string_equal(ended.family, "family");
    assert_int_equal(refresh("clitr_x"), OK);
    store_says(OK, STORE_EXPIRED);
    assert_string_equal(oauth_error_str(got.error), "invalid_grant");
}

static void giving_back_is_always_well(void **state)
{
    static const enum store_outcome rows[] = {STORE_UNKNOWN, STORE_REVOKED,
                                              STORE_DONE};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(oauth_revoke(&o, view_str("x"), take_answer, &got, 77),
                         OK);
        store_says(OK, rows[i]);
        assert_int_equal(got.error, OAUTH_OK);
        assert_int_equal(ended_count, rows[i] == STORE_DONE);
    }
}

static void a_full_pool_and_a_full_queue_refuse(void **state)
{
    struct store_ask kept[OAUTH_PENDING];
    (void)state;
    for (int i = 0; i < OAUTH_PENDING; i++) {
        assert_int_equal(poll("a"), OK);
        kept[i] = asked;
    }
    assert_int_equal(poll("a"), ERR_FULL);
    asked = kept[0];
    store_says(OK, STORE_PENDING);
    assert_int_equal(poll("a"), OK);
    store_says(OK, STORE_PENDING);
    refuse_with = ERR_FULL;
    assert_int_equal(poll("a"), ERR_FULL);
    assert_int_equal(o.count, OAUTH_PENDING - 1);
    oauth_refused(ERR_FULL, &got);
    assert_string_equal(oauth_error_str(got.error), "temporarily_unavailable");
    assert_true(got.retry_s > 0);
    oauth_refused(ERR_RANGE, &got);
    assert_string_equal(oauth_error_str(got.error), "invalid_request");
}

static void one_address_does_not_get_codes_without_end(void **state)
{
    int n = 0;
    (void)state;
    while (n < 1000 && ask_device("x") == OK) {
        store_says(OK, STORE_DONE);
        n++;
    }
    assert_int_equal(n, 60);
    assert_int_equal(port_addr_parse("192.0.2.9", 5, &from), OK);
    struct oauth_client c = {.from = &from};
    assert_int_equal(oauth_device(&o, &c, take_answer, &got, 77), OK);
    store_says(OK, STORE_DONE);
}

static void user_codes_are_read_as_people_type_them(void **state)
{
    static const char *const good[] = {"BCDF-GHJK", "bcdfghjk", "BCDFGHJK",
                                       " bcdf ghjk ", "b-c-d-f-g-h-j-k"};
    static const char *const bad[] = {
        "",          "BCDF-GHJ",  "BCDF-GHJKL",  "ACDF-GHJK",
        "BCDF-GHJ1", "BCDF_GHJK", "BCDF-GHJ\xc3"};
    char code[OAUTH_USER_CAP];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(oauth_user_code(view_str(good[i]), code), OK);
        assert_string_equal(code, "BCDFGHJK");
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(oauth_user_code(view_str(bad[i]), code), ERR_RANGE);
    assert_int_equal(oauth_user_code(view_of("BCDF\0GHJ", 8), code), ERR_RANGE);
}

static void an_address_is_shown_without_its_port(void **state)
{
    char text[48];
    struct port_addr a;
    (void)state;
    assert_int_equal(port_addr_parse("2001:db8::1", 443, &a), OK);
    oauth_address(&a, text, sizeof text);
    assert_string_equal(text, "2001:db8::1");
    assert_int_equal(port_addr_parse("192.0.2.1", 443, &a), OK);
    oauth_address(&a, text, sizeof text);
    assert_string_equal(text, "192.0.2.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_device_gets_two_codes_and_the_store_a_hash,
                               begin),
        cmocka_unit_test_setup(a_user_code_that_is_taken_is_drawn_again, begin),
        cmocka_unit_test_setup(a_poll_is_told_what_the_rfc_says, begin),
        cmocka_unit_test_setup(an_approved_device_gets_tokens, begin),
        cmocka_unit_test_setup(a_token_used_twice_ends_its_family, begin),
        cmocka_unit_test_setup(giving_back_is_always_well, begin),
        cmocka_unit_test_setup(a_full_pool_and_a_full_queue_refuse, begin),
        cmocka_unit_test_setup(one_address_does_not_get_codes_without_end,
                               begin),
        cmocka_unit_test_setup(user_codes_are_read_as_people_type_them, begin),
        cmocka_unit_test_setup(an_address_is_shown_without_its_port, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
