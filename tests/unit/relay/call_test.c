/*
 * Requests to the HTTP faces, over a store and a table of routes that are
 * this test: who gets through the guard, and what pages do with text.
 */
#include "relay/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "relay/faces.h"
#include "relay/page.h"
#include "relay/web.h"

static uint8_t block[8 * 1024 * 1024];
static struct arena arena;
static struct loop loop;
static struct api api;
static struct people people;
static struct calls calls;
static struct port_addr at;
static uint8_t secret[32];

/* ---- a store that knows one secret ----------------------------------------------- */

#define TOKEN "0123456789012345678901234567890123456789012"

static enum store_token_kind kind_now;
static enum store_outcome outcome_now;
static struct store_policy policy_now;
static int asked;
static const char *host_now;

static int take_ask(void *ctx, const struct store_ask *q)
{
    struct store_answer a = {.op = q->op, .outcome = outcome_now};
    (void)ctx;
    asked++;
    if (q->op == STORE_TOKEN_CHECK) {
        a.u.who.kind = kind_now;
        a.u.who.role = STORE_MEMBER;
        a.u.who.policy = policy_now;
        STR_COPY(a.u.who.user_id, "11111111-1111-4111-8111-111111111111");
        STR_COPY(a.u.who.fleet_id, "22222222-2222-4222-8222-222222222222");
    }
    q->answer(q->ctx, q->tag, &a);
    return OK;
}

static void say(struct call *c)
{
    page_begin(c, "<Title> & \"more\"", NULL);
    page_text(c, c->id[0]);
    page_text(c, "<script>'x'&</script>");
    page_end(c);
    call_page(c, 200);
}

static void say_json(struct call *c)
{
    json_obj_begin(call_json(c));
    json_member(&c->json, "kind", may_kind_str(c->kind));
    json_obj_end(&c->json);
    call_json_done(c, 200);
}

static void set_cookie(struct call *c)
{
    call_set_cookie(c, TOKEN, 60000);
    call_empty(c, 204);
}

static const struct call_route ROUTES[] = {
    {HTTP_GET, "/cookie", CALL_PAGE, MAY_PAGE_PUBLIC, set_cookie},
    {HTTP_GET, "/public/{}", CALL_PAGE, MAY_PAGE_PUBLIC, say},
    {HTTP_POST, "/public/{}", CALL_PAGE, MAY_PAGE_PUBLIC, say},
    {HTTP_GET, "/own", CALL_PAGE, MAY_PAGE_ACCOUNT, say},
    {HTTP_GET, "/api/fleets", CALL_JSON, MAY_FLEETS_LIST, say_json},
    {HTTP_POST, "/api/fleets", CALL_JSON, MAY_FLEETS_MAKE, say_json},
    {HTTP_GET, "/api/fleets/{}/members", CALL_JSON, MAY_MEMBERS_LIST, say_json},
};

static size_t is_ready(void *ctx, const char **reasons, size_t max)
{
    (void)ctx;
    (void)reasons;
    (void)max;
    return 0;
}

static int begin(void **state)
{
    const struct people_cfg who = {
        .oauth = {.ask = take_ask, .url = "https://relay.example:8000"},
        .name = "a relay",
        .secret = secret};
    const struct api_cfg cfg = {
        .ready = is_ready, .serve = call_serve, .ctx = &calls};
    (void)state;
    memset(block, 0, sizeof block);
    arena_init(&arena, SPAN_ARRAY(block));
    loop_init(&loop, &arena, API_ROWS + DESK_ROWS,
              API_TIMERS + DESK_TIMERS + 1);
    people_init(&people, &arena, &loop, &who);
    calls_init(&calls, &arena, &people, ROUTES,
               sizeof ROUTES / sizeof ROUTES[0]);
    api_init(&api, &arena, &loop, &cfg);
    kind_now = STORE_WEB;
    outcome_now = STORE_DONE;
    policy_now = (struct store_policy){0};
    asked = 0;
    host_now = "localhost:8000";
    alarm(60);
    at = (struct port_addr){0};
    if (port_addr_parse("127.0.0.1", 0, &at) != OK)
        return -1;
    return api_listen(&api, &at, &at.port);
}

static int finish(void **state)
{
    (void)state;
    api_close(&api);
    return 0;
}

static void nudge(void *ctx, uint64_t now_ms)
{
    (void)ctx;
    (void)now_ms;
}

/* One request on a connection of its own; all that was answered. */
static const char *ask(const char *method, const char *path,
                       const char *headers, const char *body)
{
    static char got[64 * 1024];
    char out[4096];
    size_t len = 0;
    int handle = port_dial(&at), timer = loop_timer_add(&loop, nudge, NULL);
    int n = snprintf(out, sizeof out,
                     "%s %s HTTP/1.1\r\nHost: %s\r\n"
                     "Connection: close\r\nContent-Length: %zu\r\n%s\r\n%s",
                     method, path, host_now, strlen(body), headers, body);
    assert_true(handle >= 0 && timer >= 0 && n > 0);
    for (int err = ERR_MORE; err == ERR_MORE;) {
        struct port_want w = {.handle = handle, .want = PORT_WRITE};
        (void)port_wait(&w, 1, port_now_ms() + 100);
        err = port_dial_done(handle);
    }
    assert_int_equal(port_send(handle, view_of(out, (size_t)n)), n);
    for (int end = OK; end == OK;) {
        loop_arm(&loop, timer, port_now_ms() + 5);
        assert_int_equal(loop_turn(&loop), OK);
        int m = port_recv(
            handle, (struct span){(uint8_t *)got + len, sizeof got - 1 - len});
        if (m > 0)
            len += (size_t)m;
        end = m < 0 ? m : OK;
    }
    got[len] = '\0';
    loop_timer_remove(&loop, timer);
    port_close(handle);
    return got;
}

static int status_of(const char *got)
{
    int status = 0;
    assert_int_equal(sscanf(got, "HTTP/1.1 %d ", &status), 1);
    return status;
}

#define FORM   "Content-Type: application/x-www-form-urlencoded\r\n"
#define COOKIE "Cookie: cmdop=" TOKEN "\r\n"
#define OURS   "Origin: http://localhost:8000\r\n"
#define BEARER "Authorization: Bearer cmdop_x\r\n"

static void token_of_form(char out[PEOPLE_SECRET_CAP])
{
    static struct call c;
    STR_COPY(c.cookie, TOKEN);
    call_form_token(&c, out);
}

/* ---- facts -------------------------------------------------------------------------- */

static void text_from_anywhere_is_text(void **state)
{
    (void)state;
    const char *got = ask("GET", "/public/a%22b", "", "");
    assert_int_equal(status_of(got), 200);
    assert_non_null(strstr(got, "&lt;Title&gt; &amp; &quot;more&quot;"));
    assert_non_null(strstr(got, "&lt;script&gt;&#39;x&#39;&amp;&lt;/script"));
    assert_null(strstr(got, "<script"));
    assert_non_null(strstr(got, "Content-Security-Policy: default-src 'none'"));
    assert_non_null(strstr(got, "X-Frame-Options: DENY"));
}

static void paths_are_matched_by_their_parts(void **state)
{
    (void)state;
    assert_int_equal(status_of(ask("GET", "/public/x/", "", "")), 200);
    assert_int_equal(status_of(ask("GET", "/public//", "", "")), 404);
    assert_int_equal(status_of(ask("GET", "/public", "", "")), 404);
    assert_int_equal(status_of(ask("GET", "/public/x/y", "", "")), 404);
    assert_int_equal(status_of(ask("GET", "/publicx/y", "", "")), 404);
    const char *got = ask("DELETE", "/public/x", "", "");
    assert_int_equal(status_of(got), 405);
    assert_non_null(strstr(got, "\r\nAllow: GET, HEAD, POST\r\n"));
}

static void who_is_not_signed_in_is_sent_to_the_page(void **state)
{
    (void)state;
    const char *got = ask("GET", "/own?a=b", "", "");
    assert_int_equal(status_of(got), 303);
    assert_non_null(strstr(got, "Location: /signin?next=%2fown%3fa%3db\r\n"));
    got = ask("GET", "/api/fleets", "", "");
    assert_int_equal(status_of(got), 401);
    assert_non_null(strstr(got, "WWW-Authenticate: Bearer\r\n"));
    assert_non_null(strstr(got, "application/problem+json"));
    assert_int_equal(asked, 0);
}

static void a_session_opens_pages_and_a_token_the_rest(void **state)
{
    (void)state;
    assert_int_equal(status_of(ask("GET", "/own", COOKIE, "")), 200);
    assert_non_null(strstr(ask("GET", "/api/fleets", COOKIE, ""), "\"web\""));
    assert_int_equal(status_of(ask("GET", "/api/fleets", BEARER, "")), 401);
    kind_now = STORE_ACCESS;
    assert_int_equal(status_of(ask("GET", "/own", COOKIE, "")), 303);
    assert_non_null(
        strstr(ask("GET", "/api/fleets", BEARER, ""), "\"person\""));
    kind_now = STORE_APIKEY;
    assert_int_equal(status_of(ask("POST", "/api/fleets", BEARER, "")), 403);
    outcome_now = STORE_EXPIRED;
    const char *got = ask("GET", "/api/fleets", BEARER, "");
    assert_int_equal(status_of(got), 401);
    assert_non_null(strstr(got, "error=\"invalid_token\""));
    outcome_now = STORE_REVOKED;
    assert_int_equal(status_of(ask("GET", "/own", COOKIE, "")), 303);
}

static void a_bearer_comes_once_and_says_so(void **state)
{
    (void)state;
    kind_now = STORE_ACCESS;
    assert_int_equal(status_of(ask("GET", "/api/fleets", BEARER BEARER, "")),
                     401);
    assert_int_equal(status_of(ask("GET", "/api/fleets",
                                   "Authorization: Basic eDp5\r\n", "")),
                     401);
    assert_int_equal(
        status_of(ask("GET", "/api/fleets", "Authorization: Bearer \r\n", "")),
        401);
    assert_int_equal(asked, 0);
}

static void forms_need_origin_cookie_and_token(void **state)
{
    char token[PEOPLE_SECRET_CAP], body[128];
    (void)state;
    token_of_form(token);
    (void)snprintf(body, sizeof body, "form=%s", token);
    static const struct {
        const char *headers;
        bool token;
        int status;
    } rows[] = {
        {FORM COOKIE OURS, true, 200},
        {FORM COOKIE "Origin: https://relay.example:8000\r\n", true, 200},
        {FORM COOKIE "Sec-Fetch-Site: same-origin\r\n", true, 200},
        {FORM COOKIE OURS "Sec-Fetch-Site: same-origin\r\n", true, 200},
        {FORM COOKIE OURS, false, 403},
        {FORM OURS, true, 403},
        {FORM COOKIE, true, 403},
        {FORM COOKIE "Origin: null\r\n", true, 403},
        {FORM COOKIE "Origin: https://localhost:8000\r\n", true, 403},
        {FORM COOKIE "Origin: http://localhost:8001\r\n", true, 403},
        {FORM COOKIE OURS "Origin: http://evil.example\r\n", true, 403},
        {FORM COOKIE OURS "Sec-Fetch-Site: cross-site\r\n", true, 403},
        {FORM COOKIE OURS "Sec-Fetch-Site: same-site\r\n", true, 403},
        {FORM COOKIE OURS "Sec-Fetch-Site: none\r\n", true, 403},
        {FORM "Cookie: cmdop=" TOKEN "; cmdop=" TOKEN "\r\n" OURS, true, 403},
        {FORM COOKIE COOKIE OURS, true, 403},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int status = status_of(ask("POST", "/public/x", rows[i].headers,
                                   rows[i].token ? body : "form=x"));
        if (status != rows[i].status)
            fail_msg("row %zu: %d", i, status);
    }
}

/* Where a proxy ends TLS the browser's cookie must not go without it. */
static void a_cookie_for_https_is_for_https_only(void **state)
{
    (void)state;
    const char *got = ask("GET", "/cookie", "", "");
    assert_non_null(strstr(got, "Set-Cookie: cmdop=" TOKEN "; "));
    assert_null(strstr(got, "Secure"));
    host_now = "relay.example:8000";
    got = ask("GET", "/cookie", "", "");
    assert_non_null(strstr(got, "Set-Cookie: __Host-cmdop=" TOKEN "; "));
    assert_non_null(strstr(got, "; Secure\r\n"));
    assert_int_equal(status_of(ask("GET", "/own", COOKIE, "")), 303);
    assert_int_equal(
        status_of(ask("GET", "/own", "Cookie: __Host-cmdop=" TOKEN "\r\n", "")),
        200);
}

static void a_session_needs_the_token_in_json_too(void **state)
{
    char token[PEOPLE_SECRET_CAP], headers[256];
    (void)state;
    token_of_form(token);
    assert_int_equal(status_of(ask("POST", "/api/fleets", COOKIE OURS, "")),
                     403);
    (void)snprintf(headers, sizeof headers, COOKIE OURS "X-Form-Token: %s\r\n",
                   token);
    assert_int_equal(status_of(ask("POST", "/api/fleets", headers, "")), 200);
}

static void another_fleet_is_not_there(void **state)
{
    (void)state;
    kind_now = STORE_ACCESS;
    assert_int_equal(
        status_of(ask("GET",
                      "/api/fleets/22222222-2222-4222-8222-222222222222/"
                      "members",
                      BEARER, "")),
        200);
    assert_int_equal(
        status_of(ask("GET",
                      "/api/fleets/33333333-3333-4333-8333-333333333333/"
                      "members",
                      BEARER, "")),
        404);
}

static void policies_of_the_fleet_hold(void **state)
{
    (void)state;
    kind_now = STORE_ACCESS;
    policy_now.mfa_required = true;
    assert_int_equal(status_of(ask("GET", "/api/fleets", BEARER, "")), 403);
    kind_now = STORE_WEB; /* where a second factor is set up */
    assert_int_equal(status_of(ask("GET", "/own", COOKIE, "")), 200);
    policy_now = (struct store_policy){.ip_allow = "10.0.0.0/8"};
    assert_int_equal(status_of(ask("GET", "/api/fleets", COOKIE, "")), 403);
    policy_now = (struct store_policy){.ip_allow = "127.0.0.0/8"};
    assert_int_equal(status_of(ask("GET", "/api/fleets", COOKIE, "")), 200);
    /* The store says that the session began in 1970. */
    policy_now = (struct store_policy){.session_ms = INT64_C(1000) * 3600};
    assert_int_equal(status_of(ask("GET", "/own", COOKIE, "")), 303);
    kind_now = STORE_ACCESS; /* it is about browsers */
    assert_int_equal(status_of(ask("GET", "/api/fleets", BEARER, "")), 200);
}

static void bodies_are_forms_or_objects(void **state)
{
    static const struct {
        const char *type, *body;
        int status;
    } rows[] = {
        {"application/json", "{}", 200},
        {"application/json; charset=utf-8", "{\"a\":1}", 200},
        {"application/json", "[]", 400},
        {"application/json", "{", 400},
        {"application/json", "{\"a\":1,\"a\":2}", 400},
        {"application/x-www-form-urlencoded", "a=1&b", 400},
        {"text/plain", "a=1", 400},
        {"application/jsonx", "{}", 400},
    };
    char headers[256];
    (void)state;
    kind_now = STORE_ACCESS;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(headers, sizeof headers, BEARER "Content-Type: %s\r\n",
                       rows[i].type);
        assert_int_equal(
            status_of(ask("POST", "/api/fleets", headers, rows[i].body)),
            rows[i].status);
    }
}

static void a_foreign_host_name_is_not_us(void **state)
{
    (void)state;
    assert_int_equal(
        status_of(ask("GET", "/public/x", "Host: evil.example\r\n", "")), 400);
}

static void every_route_of_the_relay_has_an_operation(void **state)
{
    const char *path = "";
    static const struct call_route bad[] = {
        {HTTP_GET, "/x", CALL_PAGE, MAY_NOTHING, say}};
    (void)state;
    assert_int_equal(call_table_check(FACES, FACES_COUNT, &path), OK);
    assert_int_equal(call_table_check(bad, 1, &path), ERR_DAMAGED);
    assert_string_equal(path, "/x");
}

static void addresses_of_pages_are_checked(void **state)
{
    static const char *const good[] = {"https://h", "http://localhost:8000",
                                       "https://[::1]:8000"};
    static const char *const bad[] = {"",           "h:8000",     "ftp://h",
                                      "https://",   "https://h/", "https://h?x",
                                      "https://h h"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(web_is_url(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(web_is_url(bad[i]));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(text_from_anywhere_is_text),
        TEST(paths_are_matched_by_their_parts),
        TEST(who_is_not_signed_in_is_sent_to_the_page),
        TEST(a_session_opens_pages_and_a_token_the_rest),
        TEST(a_bearer_comes_once_and_says_so),
        TEST(forms_need_origin_cookie_and_token),
        TEST(a_cookie_for_https_is_for_https_only),
        TEST(a_session_needs_the_token_in_json_too),
        TEST(another_fleet_is_not_there),
        TEST(policies_of_the_fleet_hold),
        TEST(bodies_are_forms_or_objects),
        TEST(a_foreign_host_name_is_not_us),
        TEST(every_route_of_the_relay_has_an_operation),
        TEST(addresses_of_pages_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
