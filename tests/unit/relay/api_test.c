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
#include "unit/transport/ident.h"
#include "unit/transport/keys.h"

static uint8_t block[8 * 1024 * 1024];
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

static void certificate(void *ctx, struct tls_server_cfg *out)
{
    static const br_ec_private_key key = {.curve = BR_EC_secp256r1,
                                          .x = (uint8_t *)leaf_x,
                                          .xlen = sizeof leaf_x};
    static struct tlsid id;
    assert_ptr_equal(ctx, &api);
    *out =
        (struct tls_server_cfg){.id = ident(&id, VIEW_ARRAY(leaf_cert), &key)};
}

static struct proxies trusted; /* by the test; at first nobody */

/* Requests that the test answers, or leaves. */
static struct api_conn *served;
static uint32_t served_serial;

static void serve(void *ctx, struct api_conn *c)
{
    assert_ptr_equal(ctx, &api);
    if (view_is(http_request(&c->http)->path, "/later")) {
        served = c;
        served_serial = c->serial;
    } else if (view_is(http_request(&c->http)->path, "/who")) {
        port_addr_print(&c->from, c->body, PORT_ADDR_CAP);
        api_answer(c, 200, "text/plain", view_str(c->body));
    } else {
        api_answer(c, 404, HTTP_PROBLEM, http_problem(404));
    }
}

static int begin(void **state)
{
    const struct api_cfg cfg = {.ready = is_ready,
                                .tls = certificate,
                                .serve = serve,
                                .trusted = &trusted,
                                .ctx = &api};
    (void)state;
    trusted.count = 0;
    memset(block, 0, sizeof block);
    arena_init(&arena, SPAN_ARRAY(block));
    loop_init(&loop, &arena, API_ROWS, API_TIMERS + 1);
    api_init(&api, &arena, &loop, &cfg);
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
        if (i != API_EACH || trusted.count > 0)
            continue;
        expect_end(&c[i--]); /* one place has half of it at most, */
        assert_int_equal(api.open, API_EACH); /* but for a proxy */
        port_close(c[API_EACH].handle);
        assert_int_equal(proxies_read(view_str("127.0.0.1"), &trusted), OK);
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

/* ---- TLS ------------------------------------------------------------------------ */

static struct {
    br_ssl_client_context ssl;
    br_x509_minimal_context x509;
    br_x509_trust_anchor anchor;
    uint8_t buf[BR_SSL_BUFSIZE_BIDI];
    char got[64 * 1024];
    size_t len;
    int handle;
} browser;

static void browser_dial(const char **alpn, size_t alpn_count)
{
    static struct client c;
    dial(&c);
    browser.handle = c.handle;
    browser.len = 0;
    browser.anchor =
        (br_x509_trust_anchor){.dn = {(uint8_t *)ca_name, sizeof ca_name},
                               .flags = BR_X509_TA_CA,
                               .pkey = {.key_type = BR_KEYTYPE_EC,
                                        .key.ec = {.curve = BR_EC_secp256r1,
                                                   .q = (uint8_t *)ca_point,
                                                   .qlen = sizeof ca_point}}};
    br_ssl_client_init_full(&browser.ssl, &browser.x509, &browser.anchor, 1);
    br_x509_minimal_set_time(&browser.x509, 740400, 0); /* in 2027 */
    br_ssl_engine_set_buffer(&browser.ssl.eng, SPAN_ARRAY(browser.buf).ptr,
                             sizeof browser.buf, 1);
    if (alpn_count > 0)
        br_ssl_engine_set_protocol_names(&browser.ssl.eng, alpn, alpn_count);
    br_ssl_engine_inject_entropy(&browser.ssl.eng, leaf_x, 32);
    assert_true(br_ssl_client_reset(&browser.ssl, "relay.test", 0));
}

/* Move what can be moved, once. False: the connection is over. */
static bool browser_step(void)
{
    br_ssl_engine_context *e = &browser.ssl.eng;
    unsigned s = br_ssl_engine_current_state(e);
    size_t room;
    if (s == BR_SSL_CLOSED)
        return false;
    if (s & BR_SSL_RECVAPP) {
        uint8_t *p = br_ssl_engine_recvapp_buf(e, &room);
        assert_true(browser.len + room < sizeof browser.got);
        memcpy(browser.got + browser.len, p, room);
        browser.len += room;
        browser.got[browser.len] = '\0';
        br_ssl_engine_recvapp_ack(e, room);
    } else if (s & BR_SSL_SENDREC) {
        uint8_t *p = br_ssl_engine_sendrec_buf(e, &room);
        int n = port_send(browser.handle, view_of(p, room));
        if (n < 0)
            return false;
        br_ssl_engine_sendrec_ack(e, (size_t)n);
    } else if (s & BR_SSL_RECVREC) {
        uint8_t *p = br_ssl_engine_recvrec_buf(e, &room);
        int n = port_recv(browser.handle, (struct span){p, room});
        if (n < 0)
            return false;
        if (n > 0)
            br_ssl_engine_recvrec_ack(e, (size_t)n);
    }
    return true;
}

static const char *browser_ask(const char *request, const char *wanted)
{
    size_t room = 0, sent = 0, len = strlen(request);
    browser.got[browser.len = 0] = '\0';
    for (int i = 0; i < 2000 && browser_step(); i++) {
        uint8_t *p = NULL;
        if (sent < len)
            p = br_ssl_engine_sendapp_buf(&browser.ssl.eng, &room);
        if (p != NULL) {
            size_t n = len - sent < room ? len - sent : room;
            memcpy(p, request + sent, n);
            br_ssl_engine_sendapp_ack(&browser.ssl.eng, n);
            br_ssl_engine_flush(&browser.ssl.eng, 0);
            sent += n;
        }
        if (strstr(browser.got, wanted) != NULL)
            return browser.got;
        turn();
    }
    return browser.got;
}

static void the_same_port_speaks_tls(void **state)
{
    static const char *both[] = {"h2", "http/1.1"};
    (void)state;
    for (size_t names = 0; names <= 2; names += 2) {
        browser_dial(both, names);
        for (int i = 0; i < 3; i++)
            assert_non_null(strstr(
                browser_ask("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "ok\n"),
                "200 OK"));
        const char *name =
            br_ssl_engine_get_selected_protocol(&browser.ssl.eng);
        if (names > 0)
            assert_string_equal(name, "http/1.1");
        port_close(browser.handle);
    }
}

static void a_tls_connection_ends_in_order(void **state)
{
    (void)state;
    browser_dial(NULL, 0);
    (void)browser_ask(GET("/healthz"), "nothing like it");
    assert_non_null(strstr(browser.got, "\r\n\r\nok\n"));
    assert_int_equal(br_ssl_engine_current_state(&browser.ssl.eng),
                     BR_SSL_CLOSED);
    assert_int_equal(br_ssl_engine_last_error(&browser.ssl.eng), BR_ERR_OK);
    port_close(browser.handle);
}

static void who_speaks_only_h2_is_refused(void **state)
{
    static const char *h2[] = {"h2"};
    (void)state;
    browser_dial(h2, 1);
    (void)browser_ask(GET("/healthz"), "ok\n");
    assert_int_equal(browser.len, 0);
    port_close(browser.handle);
}

static void noise_that_begins_like_tls_is_let_go(void **state)
{
    static struct client c;
    (void)state;
    dial(&c);
    assert_int_equal(port_send(c.handle, view_of("\x16\x03\x01\0\5hello", 10)),
                     10);
    expect_end(&c);
    port_close(c.handle);
}

/* ---- answers in a later turn ------------------------------------------------------ */

#define LATER "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"

static void wait_for_serve(void)
{
    for (int i = 0; i < 200 && served == NULL; i++)
        turn();
    assert_non_null(served);
    assert_true(api_waits(served, served_serial));
}

static void an_answer_may_come_in_a_later_turn(void **state)
{
    static struct client c;
    (void)state;
    dial(&c);
    send_str(&c, LATER LATER);
    served = NULL;
    for (int i = 0; i < 2; i++) {
        wait_for_serve();
        for (int n = 0; n < 5; n++)
            turn();
        receive(&c);
        uint32_t serial = served_serial;
        struct api_conn *conn = served;
        c.len = 0;
        served = NULL;
        api_answer(conn, 200, "text/plain", view_str("at last"));
        assert_false(api_waits(conn, serial));
        expect(&c, "at last");
    }
    port_close(c.handle);
}

static void who_went_meanwhile_is_not_answered(void **state)
{
    static struct client c;
    (void)state;
    dial(&c);
    served = NULL;
    send_str(&c, LATER);
    wait_for_serve();
    struct api_conn *old = served;
    uint32_t serial = served_serial;
    port_close(c.handle);
    loop_arm(&loop, old->timer, port_now_ms()); /* its time is over */
    for (int i = 0; i < 5; i++)
        turn();
    assert_false(api_waits(old, serial));
    assert_int_equal(api.open, 0);
    dial(&c); /* the place is taken by somebody else */
    served = NULL;
    send_str(&c, LATER);
    wait_for_serve();
    assert_ptr_equal(served, old);
    assert_false(api_waits(old, serial));
    port_close(c.handle);
}

static void near_is_this_machine_only(void **state)
{
    static const struct {
        const char *host;
        bool near;
    } rows[] = {{"127.0.0.1", true},  {"127.8.9.1", true},
                {"::1", true},        {"::ffff:127.0.0.1", true},
                {"10.0.0.1", false},  {"::2", false},
                {"128.0.0.1", false}, {"2001:db8::1", false}};
    struct port_addr a;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(port_addr_parse(rows[i].host, 1, &a), OK);
        assert_int_equal(api_is_near(&a), rows[i].near);
    }
}

static void a_plain_request_from_elsewhere_is_misdirected(void **state)
{
    static struct client c;
    (void)state;
    dial(&c);
    for (int i = 0; i < 5; i++)
        turn();
    for (size_t i = 0; i < API_CONNS; i++)
        if (api.conn[i].handle >= 0)
            assert_int_equal(port_addr_parse("192.0.2.7", 1, &api.conn[i].peer),
                             OK);
    send_str(&c, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(&c, "\r\n\r\nok\n");
    send_str(&c, "GET /signin HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(&c, " 421 ");
    expect_end(&c);
    port_close(c.handle);
}

/* ---- who asks ------------------------------------------------------------------ */

#define WHO(headers) "GET /who HTTP/1.1\r\nHost: a\r\n" headers "\r\n"

static void who_asks(struct client *c, const char *request, const char *who)
{
    c->len = 0;
    send_str(c, request);
    expect(c, who);
}

static void a_proxy_asks_for_one_after_the_other(void **state)
{
    static struct client c;
    (void)state;
    assert_int_equal(proxies_read(view_str("127.0.0.0/30"), &trusted), OK);
    dial(&c);
    who_asks(&c, WHO("X-Forwarded-For: 192.0.2.1, 198.51.100.9\r\n"),
             "\r\n\r\n198.51.100.9:0");
    who_asks(&c,
             WHO("x-forwarded-for: 192.0.2.1\r\nA: b\r\n"
                 "X-FORWARDED-FOR: 203.0.113.7:80 \r\n"
                 "X-Forwarded-For: 127.0.0.2\r\n"),
             "\r\n\r\n203.0.113.7:80");
    who_asks(&c, WHO("X-Forwarded: 192.0.2.1\r\n"), "\r\n\r\n127.0.0.1:");
    who_asks(&c, WHO("X-Forwarded-For: [2001:db8::1]\r\n"),
             "\r\n\r\n[2001:db8::1]:0");
    who_asks(&c, WHO(), "\r\n\r\n127.0.0.1:"); /* nothing stays */
    port_close(c.handle);
}

static void of_anybody_else_no_header_is_believed(void **state)
{
    static struct client c;
    (void)state;
    dial(&c);
    who_asks(&c, WHO("X-Forwarded-For: 192.0.2.1\r\n"), "\r\n\r\n127.0.0.1:");
    assert_int_equal(proxies_read(view_str("127.0.0.2"), &trusted), OK);
    who_asks(&c, WHO("X-Forwarded-For: 192.0.2.1\r\n"), "\r\n\r\n127.0.0.1:");
    port_close(c.handle);
}

/* The proxy is near, and may speak plainly, wherever the caller is. */
static void the_proxy_itself_decides_what_is_plain(void **state)
{
    static struct client c;
    (void)state;
    assert_int_equal(proxies_read(view_str("127.0.0.1"), &trusted), OK);
    dial(&c);
    who_asks(&c, WHO("X-Forwarded-For: 192.0.2.7\r\n"), " 200 OK");
    for (size_t i = 0; i < API_CONNS; i++)
        if (api.conn[i].handle >= 0)
            assert_int_equal(port_addr_parse("192.0.2.7", 1, &api.conn[i].peer),
                             OK);
    who_asks(&c, WHO("X-Forwarded-For: 127.0.0.1\r\n"), " 421 ");
    port_close(c.handle);
}

static void a_header_is_as_long_as_headers_are(void **state)
{
    static char request[HTTP_HEAD_MAX + 200], many[HTTP_HEAD_MAX];
    static struct client c;
    (void)state;
    assert_int_equal(proxies_read(view_str("127.0.0.1"), &trusted), OK);
    memset(many, ',', sizeof many - 1);
    dial(&c);
    snprintf(request, sizeof request,
             WHO("X-Forwarded-For: %.*s198.51.100.9\r\n"), 7000, many);
    who_asks(&c, request, "\r\n\r\n198.51.100.9:0");
    snprintf(request, sizeof request,
             WHO("X-Forwarded-For: %s198.51.100.9\r\n"), many);
    who_asks(&c, request, " 431 ");
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
        TEST(the_same_port_speaks_tls),
        TEST(a_tls_connection_ends_in_order),
        TEST(who_speaks_only_h2_is_refused),
        TEST(noise_that_begins_like_tls_is_let_go),
        TEST(an_answer_may_come_in_a_later_turn),
        TEST(who_went_meanwhile_is_not_answered),
        TEST(near_is_this_machine_only),
        cmocka_unit_test_setup_teardown(
            a_plain_request_from_elsewhere_is_misdirected, begin, finish),
        TEST(a_proxy_asks_for_one_after_the_other),
        TEST(of_anybody_else_no_header_is_believed),
        TEST(the_proxy_itself_decides_what_is_plain),
        TEST(a_header_is_as_long_as_headers_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
