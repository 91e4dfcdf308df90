/* Connecting on loopback, with listeners that take, refuse and say nothing.
 * The latter is a listener whose queue is full: Linux drops what comes then. */
#include "transport/dial.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"

#define LONG_MS 60000 /* never reached */

static _Alignas(64) uint8_t block[1 << 20];
static struct loop loop;
static struct dial dial;

static int calls;
static int result;
static char why[DIAL_WHY_CAP];

static void on_done(void *ctx, int r, const char *reason)
{
    assert_ptr_equal(ctx, &calls);
    assert_false(dial_busy(&dial));
    calls++;
    result = r;
    strcpy(why, reason);
}

static int handles(void)
{
    int count = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}

static void start_loop(size_t rows, size_t timers)
{
    struct arena a;
    arena_init(&a, SPAN_ARRAY(block));
    loop_init(&loop, &a, rows, timers);
}

static int setup(void **state)
{
    (void)state;
    alarm(120);
    start_loop(16, 4);
    assert_int_equal(dial_init(&dial, &loop), OK);
    calls = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dial_free(&dial);
    assert_int_equal(loop.rows, 0);
    assert_int_equal(loop.timers, 0);
    return 0;
}

static int start(const char *host, uint16_t port, uint64_t timeout_ms)
{
    return dial_start(&dial, host, port, timeout_ms, on_done, &calls);
}

/* Start and turn until the callback came. */
static int go(const char *host, uint16_t port, uint64_t timeout_ms)
{
    calls = 0;
    assert_int_equal(start(host, port, timeout_ms), OK);
    assert_int_equal(calls, 0); /* never before dial_start returned */
    assert_true(dial_busy(&dial));
    while (calls == 0)
        assert_int_equal(loop_turn(&loop), OK);
    assert_int_equal(calls, 1);
    return result;
}

static int listen_at(const char *host, uint16_t *port)
{
    struct port_addr a;
    assert_int_equal(port_addr_parse(host, *port, &a), OK);
    return port_listen(&a, port);
}

static uint16_t closed_port(void)
{
    uint16_t port = 0;
    port_close(listen_at("127.0.0.1", &port));
    return port;
}

/* A listener that never answers a further connection: its queue of one is
 * taken. The two handles are to be closed by the caller. */
static bool open_hole(const char *host, uint16_t *port, int hole[2])
{
    struct port_addr a;
    struct port_want row;
    hole[0] = listen_at(host, port);
    if (hole[0] < 0)
        return false;
    assert_int_equal(listen(hole[0], 0), 0);
    assert_int_equal(port_addr_parse(host, *port, &a), OK);
    hole[1] = port_dial(&a);
    row = (struct port_want){.handle = hole[1], .want = PORT_WRITE};
    while (port_wait(&row, 1, PORT_FOREVER) == 0)
        continue;
    return true;
}

static void close_hole(const int hole[2])
{
    port_close(hole[0]);
    port_close(hole[1]);
}

/* ---- how it ends ---- */

static void a_listener_is_reached_by_number_and_by_name(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    uint16_t port = 0;
    int l = listen_at("127.0.0.1", &port);
    (void)state;
    for (int i = 0; i < 2; i++) {
        int h = go(hosts[i], port, LONG_MS);
        assert_true(h > 0);
        assert_string_equal(why, "");
        int peer = port_accept(l, NULL);
        assert_true(peer > 0);
        assert_int_equal(port_send(h, view_str("x")), 1);
        port_close(h);
        port_close(peer);
    }
    port_close(l);
}

static void an_address_that_won_is_reached_again_without_its_name(void **state)
{
    uint16_t port = 0;
    int l = listen_at("127.0.0.1", &port);
    (void)state;
    port_close(go("localhost", port, LONG_MS));
    struct port_addr won = *dial_won(&dial);
    assert_int_equal(won.port, port);
    calls = 0;
    dial_address(&dial, "the relay", &won, LONG_MS, on_done, &calls);
    while (calls == 0)
        assert_int_equal(loop_turn(&loop), OK);
    assert_true(result > 0);
    port_close(result);
    port_close(l);
    calls = 0;
    dial_address(&dial, "the relay", &won, LONG_MS, on_done, &calls);
    while (calls == 0)
        assert_int_equal(loop_turn(&loop), OK);
    assert_int_equal(result, ERR_REFUSED);
    assert_non_null(strstr(why, "the relay:"));
}

static void ipv6_is_tried_first(void **state)
{
    uint16_t port = 0;
    struct port_addr from;
    int l = listen_at("::1", &port);
    (void)state;
    if (l < 0)
        skip();
    int h = go("localhost", port, LONG_MS);
    assert_true(h > 0);
    int peer = port_accept(l, &from);
    assert_int_equal(from.ip[10], 0); /* not an IPv4 address */
    port_close(peer);
    port_close(h);
    port_close(l);
}

static void a_closed_port_is_refused_in_words(void **state)
{
    char text[100];
    uint16_t port = closed_port();
    (void)state;
    assert_int_equal(go("127.0.0.1", port, LONG_MS), ERR_REFUSED);
    snprintf(text, sizeof(text), "127.0.0.1:%u: nothing listens at the address",
             port);
    assert_string_equal(why, text);
    assert_int_equal(go("localhost", port, LONG_MS), ERR_REFUSED);
    snprintf(text, sizeof(text), "localhost:%u: nothing listens at the address",
             port);
    assert_string_equal(why, text);
}

static void an_ipv6_number_stands_in_brackets(void **state)
{
    (void)state;
    assert_true(go("::1", closed_port(), LONG_MS) < 0);
    assert_memory_equal(why, "[::1]:", 6);
}

static void an_unknown_name_is_told_without_a_port(void **state)
{
    (void)state;
    assert_int_equal(go("no-such-host.invalid", 1, LONG_MS), ERR_NAME);
    assert_string_equal(why,
                        "no-such-host.invalid: the name cannot be resolved");
}

static void a_name_with_controls_is_shown_harmless(void **state)
{
    (void)state;
    assert_int_equal(go("a\033[2Jb", 1, LONG_MS), ERR_NAME);
    assert_string_equal(why, "a\\x1b[2Jb: the name cannot be resolved");
}

static void silence_is_a_time_out(void **state)
{
    uint16_t port = 0;
    int hole[2];
    char text[100];
    (void)state;
    assert_true(open_hole("127.0.0.1", &port, hole));
    assert_int_equal(go("127.0.0.1", port, 30), ERR_TIMEOUT);
    snprintf(text, sizeof(text), "127.0.0.1:%u: it took too long", port);
    assert_string_equal(why, text);
    close_hole(hole);
}

static void no_time_at_all_is_a_time_out(void **state)
{
    uint16_t port = 0;
    int hole[2];
    (void)state;
    assert_true(open_hole("127.0.0.1", &port, hole));
    assert_int_equal(go("127.0.0.1", port, 0), ERR_TIMEOUT);
    close_hole(hole);
}

/* ::1 is silent, 127.0.0.1 answers: the second is tried while the first is
 * still under way, and wins. */
static void a_silent_address_does_not_keep_the_others_waiting(void **state)
{
    uint16_t port = 0;
    int hole[2];
    (void)state;
    if (!open_hole("::1", &port, hole))
        skip();
    int l = listen_at("127.0.0.1", &port);
    assert_true(l > 0);
    int h = go("localhost", port, LONG_MS);
    assert_true(h > 0);
    port_close(port_accept(l, NULL));
    port_close(h);
    port_close(l);
    close_hole(hole);
}

/* One address refused, the other was silent until the end: the refusal says
 * more. */
static void the_most_telling_reason_is_told(void **state)
{
    uint16_t port = 0;
    int hole[2];
    (void)state;
    if (!open_hole("::1", &port, hole))
        skip();
    assert_int_equal(go("localhost", port, 1500), ERR_REFUSED);
    close_hole(hole);
}

/* ---- giving up ---- */

static void cancelling_at_any_turn_is_silent_and_leaves_nothing(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost",
                                        "no-such-host.invalid"};
    uint16_t port = 0;
    int l = listen_at("127.0.0.1", &port);
    (void)state;
    int before = handles();
    for (int i = 0; i < 3; i++) {
        for (int turns = 0; turns < 4; turns++) {
            calls = 0;
            assert_int_equal(start(hosts[i], port, LONG_MS), OK);
            for (int n = 0; n < turns && calls == 0; n++)
                loop_turn(&loop);
            if (calls > 0) { /* it was faster than that */
                port_close(result >= 0 ? result : -1);
                continue;
            }
            dial_cancel(&dial);
            assert_false(dial_busy(&dial));
            assert_int_equal(loop.rows, 0);
            assert_null(loop.job_first);
        }
    }
    dial_cancel(&dial); /* idle: harmless */
    assert_int_equal(handles(), before);
    port_close(l);
}

static void cancel_now(void *ctx)
{
    dial_cancel(ctx);
}

/* Success is known and the callback queued, behind a job that cancels. */
static void on_connected_cancel_first(void *ctx, uint64_t now_ms)
{
    (void)now_ms;
    loop_later(&loop, ctx);
}

static void cancelling_a_queued_success_closes_the_handle(void **state)
{
    struct loop_job cancel;
    uint16_t port = 0;
    int l = listen_at("127.0.0.1", &port);
    int timer = loop_timer_add(&loop, on_connected_cancel_first, &cancel);
    (void)state;
    loop_job_init(&cancel, cancel_now, &dial);
    int before = handles();
    assert_int_equal(start("127.0.0.1", port, LONG_MS), OK);
    /* Timers precede rows, so this job is queued before the callback. */
    struct port_want row = {.handle = dial.tries[0].handle, .want = PORT_WRITE};
    while (port_wait(&row, 1, PORT_FOREVER) == 0)
        continue;
    loop_arm(&loop, timer, 0);
    loop_turn(&loop);
    assert_int_equal(calls, 0);
    assert_false(dial_busy(&dial));
    assert_int_equal(handles(), before);
    loop_timer_remove(&loop, timer);
    port_close(l);
}

/* ---- use ---- */

static void a_host_that_cannot_be_is_out_of_range(void **state)
{
    char name[DIAL_HOST_CAP + 1];
    (void)state;
    memset(name, 'a', sizeof(name));
    name[DIAL_HOST_CAP] = '\0';
    assert_int_equal(start(name, 1, LONG_MS), ERR_RANGE);
    assert_int_equal(start("", 1, LONG_MS), ERR_RANGE);
    assert_false(dial_busy(&dial));
    name[DIAL_HOST_CAP - 1] = '\0';
    assert_int_equal(go(name, 1, LONG_MS), ERR_NAME);
}

static uint16_t again_port;

static void on_done_again(void *ctx, int r, const char *reason)
{
    (void)ctx;
    (void)reason;
    calls++;
    result = r;
    if (calls < 3)
        assert_int_equal(dial_start(&dial, "127.0.0.1", again_port, LONG_MS,
                                    on_done_again, NULL),
                         OK);
}

static void it_can_be_started_again_inside_the_callback(void **state)
{
    (void)state;
    again_port = closed_port();
    assert_int_equal(dial_start(&dial, "127.0.0.1", again_port, LONG_MS,
                                on_done_again, NULL),
                     OK);
    while (calls < 3)
        loop_turn(&loop);
    assert_int_equal(result, ERR_REFUSED);
    assert_false(dial_busy(&dial));
}

static void without_rows_it_fails_and_leaves_no_handle(void **state)
{
    uint16_t port = 0;
    int l = listen_at("127.0.0.1", &port);
    int rows[16];
    (void)state;
    for (int i = 0; i < 16; i++)
        rows[i] = loop_add(&loop, -1, 0, NULL, NULL);
    assert_int_equal(go("127.0.0.1", port, LONG_MS), ERR_FULL);
    int before = handles(); /* the port may keep one to wait with by now */
    assert_int_equal(go("127.0.0.1", port, LONG_MS), ERR_FULL);
    assert_int_equal(go("localhost", port, LONG_MS), ERR_FULL);
    for (int i = 0; i < 16; i++)
        loop_remove(&loop, rows[i]);
    assert_int_equal(handles(), before);
    port_close(l);
}

static void without_a_timer_it_is_not_made(void **state)
{
    static struct dial more[5];
    int made = 0;
    (void)state;
    while (made < 5 && dial_init(&more[made], &loop) == OK)
        made++;
    assert_int_equal(made, 3); /* four timers, one is in use */
    while (made > 0)
        dial_free(&more[--made]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_listener_is_reached_by_number_and_by_name),
        T(an_address_that_won_is_reached_again_without_its_name),
        T(ipv6_is_tried_first),
        T(a_closed_port_is_refused_in_words),
        T(an_ipv6_number_stands_in_brackets),
        T(an_unknown_name_is_told_without_a_port),
        T(a_name_with_controls_is_shown_harmless),
        T(silence_is_a_time_out),
        T(no_time_at_all_is_a_time_out),
        T(a_silent_address_does_not_keep_the_others_waiting),
        T(the_most_telling_reason_is_told),
        T(cancelling_at_any_turn_is_silent_and_leaves_nothing),
        T(cancelling_a_queued_success_closes_the_handle),
        T(a_host_that_cannot_be_is_out_of_range),
        T(it_can_be_started_again_inside_the_callback),
        T(without_rows_it_fails_and_leaves_no_handle),
        T(without_a_timer_it_is_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
