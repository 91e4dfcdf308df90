/* The relay's HTTP face over a real loop and real loopback sockets. */
#include "relay/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"

static uint8_t block[4 * 1024 * 1024];
static struct arena arena;
static struct loop loop;
static struct api api;
static struct port_addr at;
static size_t reasons_now;

static size_t is_ready(void *ctx, const char **reasons, size_t max)
{
    assert_ptr_equal(ctx, &api);
    assert_true(max >= 2);
    reasons[0] = "the database is not open";
    reasons[1] = "\"quoted\"";
    return reasons_now;
}

static int begin(void **state)
{
    (void)state;
    memset(block, 0, sizeof block);
    arena_init(&arena, SPAN_ARRAY(block));
    loop_init(&loop, &arena, API_ROWS, API_TIMERS + 1);
    api_init(&api, &arena, &loop, is_ready, &api);
    arena_seal(&arena);
    reasons_now = 0;
    at = (struct port_addr){0};
    if (port_addr_parse("127.0.0.1", 0, &at) != OK)
        return -1;
    alarm(60);
    return api_listen(&api, &at, &at.port);
}

static int finish(void **state)
{
    (void)state;
    api_close(&api);
    assert_int_equal(api.open, 0);
    return 0;
}

/* ---- a client that lives in the same thread ---------------------------------- */

struct client {
    int handle;
    size_t len;
    int end; /* ERR_CLOSED or another reason, OK: still open */
    char got[64 * 1024];
};

/* A turn sleeps until something happens; a timer of 5 ms bounds that. */
static void nudge(void *ctx, uint64_t now_ms)
{
    (void)ctx;
    (void)now_ms;
}

static void turn(void)
{
    int timer = loop_timer_add(&loop, nudge, NULL);
    assert_true(timer >= 0);
    loop_arm(&loop, timer, port_now_ms() + 5);
    assert_int_equal(loop_turn(&loop), OK);
    loop_timer_remove(&loop, timer);
}

static void dial(struct client *c)
{
    c->len = 0;
    c->end = OK;
    c->handle = port_dial(&at);
    assert_true(c->handle >= 0);
    for (int err = ERR_MORE; err == ERR_MORE;) {
        struct port_want w = {.handle = c->handle, .want = PORT_WRITE};
        (void)port_wait(&w, 1, port_now_ms() + 100);
        err = port_dial_done(c->handle);
        assert_true(err == OK || err == ERR_MORE);
    }
}

static void receive(struct client *c)
{
    for (;;) {
        struct span room = {(uint8_t *)c->got + c->len,
                            sizeof c->got - 1 - c->len};
        int n = port_recv(c->handle, room);
        if (n < 0)
            c->end = n;
        if (n <= 0)
            break;
        c->len += (size_t)n;
    }
    c->got[c->len] = '\0';
}

static void send_str(struct client *c, const char *s)
{
    size_t len = strlen(s);
    assert_int_equal(port_send(c->handle, view_of(s, len)), len);
}

/* Turn until `needle` came. */
static void expect(struct client *c, const char *needle)
{
    for (int i = 0; i < 200; i++) {
        receive(c);
        if (strstr(c->got, needle) != NULL)
            return;
        turn();
    }
    fail_msg("no \"%s\" in \"%s\"", needle, c->got);
}

static void expect_end(struct client *c)
{
    for (int i = 0; i < 200 && c->end == OK; i++) {
        turn();
        receive(c);
    }
    assert_int_equal(c->end, ERR_CLOSED);
}

/* Ask one thing on a connection of its own. */
static const char *ask(const char *request)
{
    static struct client c;
    dial(&c);
    send_str(&c, request);
    expect_end(&c);
    port_close(c.handle);
    return c.got;
}

#define GET(path) \
    "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

/* ---- facts -------------------------------------------------------------------- */

static void health_is_ok_while_the_loop_turns(void **state)
{
    (void)state;
    const char *got = ask(GET("/healthz"));
    assert_non_null(strstr(got, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(got, "nosniff"));
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\nok\n");
    got = ask("HEAD /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(got, "Content-Length: 3\r\n"));
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
}

static void readiness_tells_its_reasons(void **state)
{
    (void)state;
    const char *got = ask(GET("/readyz"));
    assert_non_null(strstr(got, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(got, "{\"ready\":true}"));
    reasons_now = 2;
    got = ask(GET("/readyz"));
    assert_non_null(strstr(got, "HTTP/1.1 503 Service Unavailable\r\n"));
    assert_non_null(strstr(got, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(got, "{\"ready\":false,\"reasons\":["
                                "\"the database is not open\","
                                "\"\\\"quoted\\\"\"]}"));
}

static void anything_else_is_404(void **state)
{
    (void)state;
    static const char *const requests[] = {
        GET("/"),       GET("/healthz/"),  GET("/healthzz"),
        GET("/health"), GET("/%68ealthz"), GET("//healthz"),
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const char *got = ask(requests[i]);
        assert_non_null(strstr(got, "HTTP/1.1 404 Not Found\r\n"));
        assert_non_null(strstr(got, "application/problem+json"));
        assert_non_null(strstr(got, "\"status\":404"));
    }
    assert_non_null(strstr(ask(GET("/healthz?verbose")), " 200 "));
    const char *got = ask("POST /healthz HTTP/1.1\r\nHost: a\r\n"
                          "Connection: close\r\n\r\n");
    assert_non_null(strstr(got, " 405 "));
    assert_non_null(strstr(got, "Allow: GET, HEAD\r\n"));
    assert_non_null(strstr(ask("\x16\x03\x01\r\n"), " 501 "));
}

static void one_connection_serves_many_requests(void **state)
{
    (void)state;
    static struct client c;
    dial(&c);
    for (int i = 0; i < 100; i++) {
        c.len = 0;
        send_str(&c, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
        expect(&c, "\r\n\r\nok\n");
    }
    c.len = 0; /* and byte by byte */
    for (const char *p = "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"; *p; p++) {
        assert_int_equal(port_send(c.handle, view_of(p, 1)), 1);
        turn();
    }
    expect(&c, "{\"ready\":true}");
    port_close(c.handle);
}

static void pipelined_requests_are_all_answered(void **state)
{
    (void)state;
    static struct client c;
    static char many[100 * 40];
    dial(&c);
    many[0] = '\0';
    for (int i = 0; i < 100; i++)
        strcat(many, i < 99 ? "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
                            : GET("/last"));
    send_str(&c, many);
    expect_end(&c);
    int count = 0;
    for (const char *p = c.got; (p = strstr(p, " 200 OK")) != NULL; p++)
        count++;
    assert_int_equal(count, 99);
    assert_non_null(strstr(c.got, " 404 "));
    port_close(c.handle);
}

/* A peer that asks and never reads: what it asks stays in the kernel, and
 * when it reads at last, everything is there. */
static void a_peer_that_does_not_read_is_waited_for(void **state)
{
    (void)state;
    static const char one[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    static struct client c;
    long sent = 0, got = 0;
    int n, still = 0;
    dial(&c);
    while (still < 20 && sent < 60000) {
        n = port_send(c.handle, view_of(one, sizeof one - 1));
        if (n == (int)sizeof one - 1) {
            sent++;
            still = 0;
        } else if (n == 0) {
            still++;
            turn();
        } else {
            break; /* a part went out: enough */
        }
    }
    assert_true(sent > 1000);
    for (int idle = 0; idle < 100;) {
        c.len = 0;
        receive(&c);
        idle = c.len == 0 ? idle + 1 : 0;
        for (size_t i = 0; i + 3 <= c.len; i++)
            got += memcmp(c.got + i, "ok\n", 3) == 0;
        turn();
        if (got >= sent)
            break;
    }
    assert_in_range(got, sent - sent / 50, sent); /* some lie on a cut */
    port_close(c.handle);
}

static void a_full_pool_lets_the_next_wait(void **state)
{
    (void)state;
    static struct client c[API_CONNS + 3];
    for (int i = 0; i < API_CONNS + 3; i++) {
        dial(&c[i]);
        turn();
    }
    for (int i = 0; i < 50; i++)
        turn();
    assert_int_equal(api.open, API_CONNS);
    send_str(&c[API_CONNS], "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 10; i++)
        turn();
    receive(&c[API_CONNS]);
    assert_int_equal(c[API_CONNS].len, 0);
    send_str(&c[5], GET("/healthz")); /* those inside are served */
    expect(&c[5], "ok\n");
    port_close(c[5].handle);
    expect(&c[API_CONNS], "ok\n"); /* its place goes to the next */
    for (int i = 0; i < API_CONNS + 3; i++)
        if (i != 5)
            port_close(c[i].handle);
    for (int i = 0; i < 100 && api.open > 0; i++)
        turn();
    assert_int_equal(api.open, 0);
}

/* The deadline of the connection accepted first, and its coming. */
static uint64_t deadline(size_t i)
{
    return loop.due[api.conn[i].timer];
}

static void make_late(size_t i)
{
    loop_arm(&loop, api.conn[i].timer, port_now_ms());
}

static void bytes_do_not_move_a_deadline(void **state)
{
    (void)state;
    static struct client c;
    uint64_t start = port_now_ms();
    dial(&c);
    send_str(&c, "GET /healthz HTTP/1.1\r\nHost: a\r\nX: ");
    for (int i = 0; i < 5; i++)
        turn();
    assert_int_equal(api.open, 1);
    uint64_t due = deadline(0);
    assert_in_range(due, start + API_REQUEST_MS, start + API_REQUEST_MS + 999);
    for (int i = 0; i < 5; i++) {
        send_str(&c, "slow ");
        turn();
    }
    assert_int_equal(deadline(0), due);
    send_str(&c, "\r\n\r\n");
    expect(&c, "ok\n");
    assert_true(deadline(0) > due); /* the next request has its own */
    port_close(c.handle);
}

static void half_a_request_is_told_that_it_is_late(void **state)
{
    (void)state;
    static struct client c;
    dial(&c);
    send_str(&c, "GET /healthz HT");
    for (int i = 0; i < 5; i++)
        turn();
    make_late(0);
    expect(&c, "HTTP/1.1 408 Request Timeout\r\n");
    send_str(&c, "TP/1.1\r\n\r\n"); /* dropped, no reset */
    turn();
    assert_int_equal(api.open, 1);
    assert_true(deadline(0) <= port_now_ms() + API_LINGER_MS);
    make_late(0);
    expect_end(&c);
    assert_null(strstr(c.got, "ok\n"));
    assert_int_equal(api.open, 0);
    port_close(c.handle);
}

static void silence_ends_without_a_word(void **state)
{
    (void)state;
    static struct client c;
    dial(&c);
    turn();
    make_late(0);
    expect_end(&c);
    assert_int_equal(c.len, 0);
    port_close(c.handle);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(health_is_ok_while_the_loop_turns),
        TEST(readiness_tells_its_reasons),
        TEST(anything_else_is_404),
        TEST(one_connection_serves_many_requests),
        TEST(pipelined_requests_are_all_answered),
        TEST(a_peer_that_does_not_read_is_waited_for),
        TEST(a_full_pool_lets_the_next_wait),
        TEST(bytes_do_not_move_a_deadline),
        TEST(half_a_request_is_told_that_it_is_late),
        TEST(silence_ends_without_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
