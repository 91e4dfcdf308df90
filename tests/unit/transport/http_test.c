/*
 * The HTTP engine: every request goes in whole, cut at every byte, and byte
 * by byte, at the edge of an unreadable page, and the whole conversation must
 * be the same each time.
 */
#include "transport/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/text.h"
#include "unit/cuts.h"

#define HOST "Host: a\r\n"

/* ---- one conversation ------------------------------------------------------ */

struct talk {
    struct http h;
    size_t step; /* bytes taken at once; 0: all */
    char said[64 * 1024];
    size_t said_len;
    int asked;
    char body[HTTP_HEAD_MAX + HTTP_BODY_MAX + 64];
};

/* Answer with what was understood: "path|query|value of X", then the body. */
static void echo(struct talk *t)
{
    const struct http_request *r = http_request(&t->h);
    struct text body;

    assert_non_null(r);
    t->asked++;
    TEXT_OF(&body, t->body);
    text_view(&body, r->path);
    text_char(&body, '|');
    text_view(&body, r->query);
    text_char(&body, '|');
    text_view(&body, http_header(&t->h, "x-word"));
    text_view(&body, r->body);
    if (view_is(r->path, "/more")) {
        http_add(&t->h, "Location", "/there");
        http_add(&t->h, "Retry-After", "5");
    }
    if (view_is(r->path, "/last"))
        http_last(&t->h);
    if (view_is(r->path, "/none")) {
        http_respond(&t->h, 204, NULL, VIEW_NONE);
        return;
    }
    http_respond(&t->h, 200, "text/plain", text_done(&body));
}

static void drain(struct talk *t)
{
    while (t->h.state == HTTP_ANSWERING) {
        struct view out = http_take(&t->h);
        assert_true(out.len > 0);
        if (t->step != 0 && out.len > t->step)
            out.len = t->step;
        assert_true(t->said_len + out.len < sizeof t->said);
        memcpy(t->said + t->said_len, out.ptr, out.len);
        t->said_len += out.len;
        http_sent(&t->h, out.len);
    }
    assert_int_equal(http_take(&t->h).len, 0);
}

static void feed(void *ctx, struct view piece, bool first, bool last)
{
    struct talk *t = ctx;
    (void)last;
    if (first) {
        http_init(&t->h);
        t->said_len = 0;
        t->asked = 0;
    }
    while (piece.len > 0) {
        size_t n = http_feed(&t->h, piece);
        assert_true(n <= piece.len);
        assert_true(n > 0 || t->h.state != HTTP_READING);
        piece = view_from(piece, n);
        if (t->h.state == HTTP_ASKED) {
            assert_int_equal(http_feed(&t->h, piece), 0); /* one at a time */
            echo(t);
            assert_int_equal(http_feed(&t->h, piece), 0);
        }
        drain(t);
    }
    t->said[t->said_len] = '\0';
}

static struct talk talk, again;

static void feed_and_compare(void *ctx, struct view piece, bool first,
                             bool last)
{
    feed(ctx, piece, first, last);
    if (!last)
        return;
    assert_string_equal(again.said, talk.said);
    assert_int_equal(again.h.state, talk.h.state);
    assert_int_equal(again.asked, talk.asked);
}

/* The conversation that `in` makes: in `talk`, and the same however cut. */
static const char *say_bytes(struct view in)
{
    talk.step = 0;
    feed(&talk, cuts_guarded(in), true, true);
    for (again.step = 0; again.step < 3; again.step += 2)
        cuts_every_way(in, feed_and_compare, &again);
    return talk.said;
}

static const char *say(const char *in)
{
    return say_bytes(view_str(in));
}

static int status_of(const char *said)
{
    int status = 0;
    assert_int_equal(sscanf(said, "HTTP/1.1 %d ", &status), 1);
    return status;
}

static void assert_refused(const char *in, int status)
{
    const char *said = say(in);
    assert_int_equal(status_of(said), status);
    assert_non_null(strstr(said, "\r\nConnection: close\r\n"));
    assert_non_null(strstr(said, "application/problem+json"));
    assert_int_equal(talk.asked, 0);
    assert_int_equal(talk.h.state, HTTP_LINGERING);
}

/* ---- requests --------------------------------------------------------------- */

static void a_get_is_answered_in_full(void **state)
{
    (void)state;
    assert_string_equal(say("GET /healthz HTTP/1.1\r\n" HOST "\r\n"),
                        "HTTP/1.1 200 OK\r\n"
                        "Content-Type: text/plain\r\n"
                        "Content-Length: 10\r\n"
                        "Cache-Control: no-store\r\n"
                        "X-Content-Type-Options: nosniff\r\n"
                        "Connection: keep-alive\r\n"
                        "\r\n"
                        "/healthz||");
    assert_int_equal(talk.h.state, HTTP_READING);
}

static void a_head_gets_the_headers_only(void **state)
{
    (void)state;
    const char *said = say("HEAD /healthz HTTP/1.1\r\n" HOST "\r\n");
    assert_non_null(strstr(said, "Content-Length: 10\r\n"));
    assert_string_equal(said + strlen(said) - 4, "\r\n\r\n");
    assert_non_null(strstr(said, "keep-alive"));
}

static void path_query_and_headers_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *in, *echo;
    } rows[] = {
        {"GET /a/b?c=d?e HTTP/1.1\r\n" HOST "\r\n", "/a/b|c=d?e|"},
        {"GET /? HTTP/1.1\r\n" HOST "\r\n", "/||"},
        {"GET http://h:1/p?q HTTP/1.1\r\n" HOST "\r\n", "/p|q|"},
        {"GET https://h/p HTTP/1.1\r\n" HOST "\r\n", "/p||"},
        {"GET http://h HTTP/1.1\r\n" HOST "\r\n", "/||"},
        {"GET / HTTP/1.1\r\n" HOST "x-WORD: v w \t \r\n\r\n", "/||v w"},
        {"GET / HTTP/1.1\r\nX-Word:v\r\n" HOST "\r\n", "/||v"},
        {"GET / HTTP/1.1\r\nX-Word:\r\nX-Word: 2\r\n" HOST "\r\n", "/||"},
        {"GET / HTTP/1.1\r\nX-Wordy: 1\r\nX-Word: 2\r\n" HOST "\r\n", "/||2"},
        {"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "/||"},
        {"GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "/||"},
        {"GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\n"
         "Upgrade: h2c\r\n\r\n",
         "/||"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *said = say(rows[i].in);
        assert_int_equal(status_of(said), 200);
        assert_string_equal(strstr(said, "\r\n\r\n") + 4, rows[i].echo);
        assert_int_equal(talk.h.state, HTTP_READING);
    }
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    const char *said = say("GET /1 HTTP/1.1\r\n" HOST "\r\n"
                           "HEAD /22 HTTP/1.1\r\n" HOST "\r\n\r\n"
                           "GET /333 HTTP/1.1\r\n" HOST "X-Word: z\r\n\r\n");
    assert_int_equal(talk.asked, 3);
    const char *one = strstr(said, "/1||HTTP/1.1 200 OK");
    assert_non_null(one);
    assert_non_null(strstr(one, "Content-Length: 5\r\n"));
    assert_string_equal(said + strlen(said) - 7, "/333||z");
}

static void the_connection_ends_when_one_side_says_so(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        enum http_state state;
    } rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\nGET /", HTTP_DONE},
        {"GET / HTTP/1.0\r\n\r\nGET /", HTTP_DONE},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", HTTP_READING},
        {"GET /last HTTP/1.1\r\n" HOST "\r\nGET / ", HTTP_LINGERING},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *said = say(rows[i].in);
        assert_int_equal(status_of(said), 200);
        assert_int_equal(talk.asked, 1);
        assert_int_equal(talk.h.state, rows[i].state);
        assert_non_null(strstr(said, rows[i].state == HTTP_READING
                                         ? "Connection: keep-alive"
                                         : "Connection: close"));
    }
}

/* ---- bodies ------------------------------------------------------------------ */

static void assert_echo(const char *in, const char *want)
{
    const char *said = say(in);
    assert_int_equal(status_of(said), 200);
    assert_string_equal(strstr(said, "\r\n\r\n") + 4, want);
    assert_int_equal(talk.h.state, HTTP_READING);
}

static void a_body_comes_whole_with_its_request(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    char in[256];
    struct text t;
    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        TEXT_OF(&t, in);
        text_join(&t, methods[i], " /p?q HTTP/1.1\r\n" HOST,
                  "Content-Length: 3\r\n\r\na=b", NULL);
        assert_echo(in, "/p|q|a=b");
    }
    assert_echo("POST / HTTP/1.1\r\n" HOST "\r\n", "/||");
    assert_echo("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "/||");
}

static void chunks_are_put_together_and_trailers_read_over(void **state)
{
    (void)state;
    assert_echo("POST /c HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n"
                "\r\n1\r\na\r\n02;x=y\r\n=b\r\n0\r\n"
                "X-Word: behind\r\nHost: b\r\n\r\n",
                "/c||a=b");
}

static void requests_behind_a_body_keep_their_order(void **state)
{
    (void)state;
    const char *said =
        say("POST /1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab"
            "GET /2 HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(talk.asked, 2);
    assert_non_null(strstr(said, "/1||abHTTP/1.1 200 OK"));
    assert_string_equal(said + strlen(said) - 4, "/2||");
}

static void headers_are_added_to_one_answer(void **state)
{
    (void)state;
    const char *said = say("GET /more HTTP/1.1\r\n" HOST "\r\n"
                           "GET / HTTP/1.1\r\n" HOST "\r\n");
    const char *more = strstr(said, "\r\nLocation: /there\r\n"
                                    "Retry-After: 5\r\n");
    assert_non_null(more);
    assert_null(strstr(more + 4, "Location"));
}

static void an_answer_may_have_no_content(void **state)
{
    (void)state;
    const char *said = say("DELETE /none HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(status_of(said), 204);
    assert_null(strstr(said, "\r\nContent-"));
    assert_string_equal(said + strlen(said) - 4, "\r\n\r\n");
}

static void what_a_request_brought_is_wiped(void **state)
{
    static const uint8_t zeros[64];
    (void)state;
    (void)say("POST / HTTP/1.1\r\n" HOST "X-Word: secret\r\n"
              "Content-Length: 6\r\n\r\nsecret");
    assert_int_equal(talk.h.state, HTTP_READING);
    assert_memory_equal(talk.h.head, zeros, sizeof zeros);
    assert_memory_equal(talk.h.body, zeros, sizeof zeros);
    assert_memory_equal(talk.h.out_head, zeros, sizeof zeros);
}

/* ---- refusals ---------------------------------------------------------------- */

static void nonsense_gets_its_status(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *in;
    } rows[] = {
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" HOST HOST "\r\n"},
        {400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
        {400, "GET /\x80 HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET * HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET / HTTP/1.1\r\n" HOST "Content-Length: x\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n"
              "Content-Length: 1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n"
              "Transfer-Encoding: chunked\r\n\r\n"},
        {400,
         "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n"},
        {400, "POST / HTTP/1.1\r\n" HOST
              "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"},
        {400, "POST / HTTP/1.1\r\n" HOST
              "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\n" HOST
              "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
        {413, "POST / HTTP/1.1\r\n" HOST "Content-Length: 16385\r\n\r\na"},
        {413, "POST / HTTP/1.1\r\n" HOST
              "Content-Length: 1048576\r\n\r\nuser=aaaaaaaaa"},
        {417, "POST / HTTP/1.1\r\n" HOST
              "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"},
        {405, "TRACE / HTTP/1.1\r\n" HOST "\r\n"},
        {405, "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n"},
        {405, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"},
        {413, "GET / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"},
        {413, "GET / HTTP/1.1\r\n" HOST
              "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {501, "BREW / HTTP/1.1\r\n" HOST "\r\n"},
        {501, "\x16\x03\x01 hello TLS"},
        {505, "GET / HTTP/3.7\r\n\r\n"},
        {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(rows[i].in, rows[i].status);
}

static void a_405_says_what_is_allowed(void **state)
{
    (void)state;
    assert_non_null(strstr(say("TRACE / HTTP/1.1\r\n" HOST "\r\n"),
                           "\r\nAllow: GET, HEAD, POST, PUT, PATCH, "
                           "DELETE\r\n"));
    assert_null(strstr(say("TRACE\r\n"), "Allow"));
}

static void a_refused_head_has_no_body(void **state)
{
    (void)state;
    const char *said = say("HEAD / HTTP/1.1\r\n\r\n");
    assert_int_equal(status_of(said), 400);
    assert_string_equal(said + strlen(said) - 4, "\r\n\r\n");
}

static void what_follows_a_refusal_is_dropped(void **state)
{
    (void)state;
    assert_refused("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_int_equal(http_feed(&talk.h, view_str("more")), 4);
    assert_int_equal(talk.h.state, HTTP_LINGERING);
}

/* ---- limits ------------------------------------------------------------------ */

/* `count` times `c` between two texts. */
static const char *stuffed(const char *before, size_t count, char c,
                           const char *after)
{
    static char buf[4 * HTTP_BODY_MAX];
    struct text t;
    TEXT_OF(&t, buf);
    text_str(&t, before);
    for (size_t i = 0; i < count; i++)
        text_char(&t, c);
    text_str(&t, after);
    assert_false(t.cut);
    return buf;
}

/* Cutting 8 KiB at each byte costs seconds: whole and in pieces of 7. */
static const char *say_long(const char *in)
{
    static char whole[sizeof talk.said];
    struct view v = view_str(in);
    talk.step = 0;
    feed(&talk, v, true, true);
    memcpy(whole, talk.said, talk.said_len + 1);
    for (size_t at = 0; at < v.len; at += 7)
        feed(&talk, view_first(view_from(v, at), 7), at == 0, false);
    assert_string_equal(talk.said, whole);
    return talk.said;
}

static void a_target_has_its_limit(void **state)
{
    (void)state;
    const char *rest = " HTTP/1.1\r\n" HOST "\r\n";
    size_t room = HTTP_LINE_MAX - strlen("GET / H");
    assert_int_equal(status_of(say_long(stuffed("GET /", room, 'a', rest))),
                     200);
    assert_int_equal(status_of(say_long(stuffed("GET /", room + 1, 'a', rest))),
                     414);
    /* Which of two faults is told depends on their places, not on the cuts. */
    rest = "\x80 HTTP/1.1\r\n";
    assert_int_equal(status_of(say_long(stuffed("GET /", room, 'a', rest))),
                     400);
    assert_int_equal(status_of(say_long(stuffed("GET /", room + 2, 'a', rest))),
                     414);
}

static void a_head_has_its_limit(void **state)
{
    (void)state;
    const char *start = "GET / HTTP/1.1\r\n" HOST "X-Word: ";
    size_t room = HTTP_HEAD_MAX - strlen(start) - 4;
    assert_int_equal(status_of(say_long(stuffed(start, room, 'v', "\r\n\r\n"))),
                     200);
    assert_int_equal(
        status_of(say_long(stuffed(start, room + 1, 'v', "\r\n\r\n"))), 431);
    start = "GET / HTTP/1.1\r\n" HOST "X-Word";
    assert_int_equal(
        status_of(say_long(stuffed(start, 9000, 'n', ":1\r\n\r\n"))), 431);
    assert_int_equal(status_of(say_long(stuffed("", 9000, '\n', "G"))), 414);
}

static void headers_have_their_number(void **state)
{
    (void)state;
    char buf[1024];
    struct text t;
    for (int extra = 0; extra < 2; extra++) {
        TEXT_OF(&t, buf);
        text_str(&t, "GET / HTTP/1.1\r\n" HOST);
        for (int i = 1; i < HTTP_HEADERS_MAX + extra; i++)
            text_str(&t, "A:b\r\n");
        text_str(&t, "\r\n");
        assert_int_equal(status_of(say(buf)), extra == 0 ? 200 : 431);
    }
    assert_true(t.len > 7);
    t.len -= 7;                  /* the last header and the empty line */
    text_str(&t, "(:b\r\n\r\n"); /* a bad name where one is too many */
    assert_int_equal(status_of(say(buf)), 400);
}

static void a_body_has_its_limit(void **state)
{
    static char in[12 * HTTP_BODY_MAX];
    struct text t;
    (void)state;
    const char *head = "POST / HTTP/1.1\r\n" HOST "Content-Length: 16384"
                       "\r\n\r\n";
    const char *said = say_long(stuffed(head, HTTP_BODY_MAX, 'b', ""));
    assert_int_equal(status_of(said), 200);
    assert_int_equal(strlen(strstr(said, "/||")), 3 + HTTP_BODY_MAX);
    head = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
    for (size_t more = 0; more < 2; more++) {
        TEXT_OF(&t, in);
        text_str(&t, head);
        for (size_t i = 0; i < HTTP_BODY_MAX + more; i++)
            text_str(&t, "1\r\nb\r\n");
        text_str(&t, "0\r\n\r\n");
        assert_false(t.cut);
        assert_int_equal(status_of(say_long(in)), more == 0 ? 200 : 413);
    }
}

static void what_stands_around_chunks_has_its_limit(void **state)
{
    static char in[HTTP_WIRE_MAX + 4096];
    struct text t;
    (void)state;
    TEXT_OF(&t, in);
    text_str(&t, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
                 "\r\n1\r\na\r\n0\r\n");
    while (t.len < sizeof in - 64)
        text_str(&t, "Trailer: without end and without sense\r\n");
    assert_int_equal(status_of(say_long(in)), 413);
    assert_int_equal(talk.asked, 0);
}

static void a_request_that_is_late_is_told_so(void **state)
{
    (void)state;
    feed(&talk, view_str("GET /1 HTTP/1.1\r\n" HOST "\r\n"), true, true);
    assert_false(http_late(&talk.h)); /* between requests */
    feed(&talk, view_str("GE"), false, true);
    assert_true(http_late(&talk.h));
    talk.said_len = 0;
    drain(&talk);
    talk.said[talk.said_len] = '\0';
    assert_int_equal(status_of(talk.said), 408);
    assert_int_equal(talk.h.state, HTTP_LINGERING);
}

static void every_problem_is_json_of_its_status(void **state)
{
    (void)state;
    assert_true(view_is(http_problem(404),
                        "{\"type\":\"about:blank\",\"title\":\"Not Found\","
                        "\"status\":404}\n"));
    assert_string_equal(http_reason(503), "Service Unavailable");
    assert_string_equal(http_reason(299), "Status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_get_is_answered_in_full),
        cmocka_unit_test(a_head_gets_the_headers_only),
        cmocka_unit_test(path_query_and_headers_are_told_apart),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(the_connection_ends_when_one_side_says_so),
        cmocka_unit_test(a_body_comes_whole_with_its_request),
        cmocka_unit_test(chunks_are_put_together_and_trailers_read_over),
        cmocka_unit_test(requests_behind_a_body_keep_their_order),
        cmocka_unit_test(headers_are_added_to_one_answer),
        cmocka_unit_test(an_answer_may_have_no_content),
        cmocka_unit_test(what_a_request_brought_is_wiped),
        cmocka_unit_test(nonsense_gets_its_status),
        cmocka_unit_test(a_405_says_what_is_allowed),
        cmocka_unit_test(a_refused_head_has_no_body),
        cmocka_unit_test(what_follows_a_refusal_is_dropped),
        cmocka_unit_test(a_target_has_its_limit),
        cmocka_unit_test(a_head_has_its_limit),
        cmocka_unit_test(headers_have_their_number),
        cmocka_unit_test(a_body_has_its_limit),
        cmocka_unit_test(what_stands_around_chunks_has_its_limit),
        cmocka_unit_test(a_request_that_is_late_is_told_so),
        cmocka_unit_test(every_problem_is_json_of_its_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
