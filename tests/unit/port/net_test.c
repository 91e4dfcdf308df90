/* TCP on loopback. */
#include "port/port.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/text.h"
#include "unit/port/scratch.h"

static struct port_addr addr(const char *host, uint16_t port)
{
    struct port_addr a;
    assert_int_equal(port_addr_parse(host, port, &a), OK);
    return a;
}

static int listen_on(const char *host, uint16_t *port)
{
    struct port_addr a = addr(host, 0);
    int h = port_listen(&a, port);
    assert_true(h > 3); /* children get 0 to 3 */
    return h;
}

static int dial(const char *host, uint16_t port)
{
    struct port_addr a = addr(host, port);
    int h = port_dial(&a);
    assert_true(h > 3);
    return h;
}

static int dial_done(int h)
{
    scratch_ready(h, PORT_WRITE);
    return port_dial_done(h);
}

static int option(int h, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    assert_int_equal(getsockopt(h, level, name, &value, &len), 0);
    return value;
}

static void assert_tuned(int h)
{
    int flags = O_NONBLOCK;
    assert_int_equal(fcntl(h, F_GETFL) & flags, flags);
    assert_int_equal(fcntl(h, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_not_equal(option(h, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_not_equal(option(h, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(h, IPPROTO_TCP, TCP_KEEPIDLE), 20);
    assert_int_equal(option(h, IPPROTO_TCP, TCP_KEEPINTVL), 5);
    assert_int_equal(option(h, IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_int_equal(option(h, IPPROTO_TCP, TCP_USER_TIMEOUT), 40000);
    assert_int_equal(option(h, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 131072);
}

static void exchange(const char *listen_host, const char *dial_host,
                     const char *seen_as)
{
    uint16_t port;
    struct port_addr from;
    char text[PORT_ADDR_CAP];
    int l = listen_on(listen_host, &port);
    assert_int_equal(port_accept(l, NULL), ERR_MORE);
    int a = dial(dial_host, port);
    assert_int_equal(dial_done(a), OK);
    scratch_ready(l, PORT_READ);
    int b = port_accept(l, &from);
    assert_true(b > 3);
    assert_int_equal(port_accept(l, &from), ERR_MORE);
    port_addr_print(&from, text, sizeof(text));
    assert_memory_equal(text, seen_as, strlen(seen_as));
    assert_tuned(a);
    assert_tuned(b);
    scratch_send(a, view_str("there"));
    assert_true(scratch_read_until(b, "there"));
    scratch_send(b, view_str("back"));
    port_close(b);
    assert_int_equal(scratch_read_all(a), ERR_CLOSED);
    assert_string_equal(scratch_seen, "back");
    port_close(a);
    port_close(l);
}

static void bytes_go_both_ways_over_ipv4(void **state)
{
    (void)state;
    exchange("127.0.0.1", "127.0.0.1", "127.0.0.1:");
}

static bool has_ipv6(void)
{
    struct port_addr a = addr("::1", 0);
    int h = port_listen(&a, NULL);
    port_close(h);
    return h >= 0;
}

static void bytes_go_both_ways_over_ipv6(void **state)
{
    (void)state;
    if (!has_ipv6())
        skip();
    exchange("::1", "::1", "[::1]:");
}

static void any_address_takes_ipv4_as_well(void **state)
{
    (void)state;
    exchange("::", "127.0.0.1", "127.0.0.1:");
}

static void an_address_in_use_exists_and_a_freed_one_does_not(void **state)
{
    uint16_t port;
    int l = listen_on("127.0.0.1", &port);
    struct port_addr same = addr("127.0.0.1", port);
    (void)state;
    assert_int_equal(port_listen(&same, NULL), ERR_EXISTS);
    /* A connection that we end first leaves TIME_WAIT on the port. */
    int a = dial("127.0.0.1", port);
    assert_int_equal(dial_done(a), OK);
    port_close(port_accept(l, NULL));
    port_close(a);
    port_close(l);
    l = port_listen(&same, NULL);
    assert_true(l >= 0);
    port_close(l);
}

static void nobody_listens_is_refused(void **state)
{
    uint16_t port;
    (void)state;
    port_close(listen_on("127.0.0.1", &port));
    struct port_addr a = addr("127.0.0.1", port);
    int h = port_dial(&a);
    int err = h < 0 ? h : dial_done(h);
    assert_int_equal(err, ERR_REFUSED);
    assert_string_equal(port_why(), "connect: Connection refused");
    port_close(h);
}

/* Neither failed nor connected: as a connection that has not ended. */
static void a_connection_under_way_is_more(void **state)
{
    int h = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)state;
    assert_int_equal(port_dial_done(h), ERR_MORE);
    port_close(h);
}

static void a_handle_that_is_none_is_an_error(void **state)
{
    uint8_t buf[4];
    (void)state;
    assert_true(port_dial_done(100000) < 0);
    assert_int_equal(port_accept(100000, NULL), ERR_IO);
    assert_int_equal(port_recv(100000, SPAN_ARRAY(buf)), ERR_IO);
    assert_int_equal(port_send(100000, view_str("x")), ERR_IO);
    port_close(-1);
}

static void an_empty_buffer_is_no_end_of_stream(void **state)
{
    (void)state;
    assert_int_equal(port_recv(0, (struct span){NULL, 0}), 0);
    assert_int_equal(port_send(1, VIEW_NONE), 0);
}

static void a_full_socket_takes_nothing_now(void **state)
{
    static uint8_t block[65536];
    uint16_t port;
    int n;
    int l = listen_on("127.0.0.1", &port);
    int a = dial("127.0.0.1", port);
    (void)state;
    assert_int_equal(dial_done(a), OK);
    int b = port_accept(l, NULL);
    do
        n = port_send(a, VIEW_ARRAY(block));
    while (n > 0);
    assert_int_equal(n, 0);
    assert_int_equal(port_recv(a, SPAN_ARRAY(block)), 0);
    port_close(a);
    port_close(b);
    port_close(l);
}

/* What cannot leave is not to be piled up; what is on a fast path is no pile. */
static void a_path_that_takes_nothing_has_no_room(void **state)
{
    static uint8_t block[16384];
    uint16_t port;
    int n;
    int l = listen_on("127.0.0.1", &port);
    int a = dial("127.0.0.1", port);
    (void)state;
    assert_int_equal(dial_done(a), OK);
    int b = port_accept(l, NULL);
    assert_true(port_send_room(a) >= 16384);
    do
        n = port_send(a, VIEW_ARRAY(block));
    while (n > 0 && port_send_room(a) > 0);
    assert_int_equal(port_send_room(a), 0);
    assert_true(port_send_room(100000) >= 16384); /* nothing is known of it */
    port_close(a);
    port_close(b);
    port_close(l);
}

/* The far system confirms what it has, whoever reads it or not. */
static void silence_ends_with_a_confirmation(void **state)
{
    uint16_t port;
    int l = listen_on("127.0.0.1", &port);
    int a = dial("127.0.0.1", port);
    (void)state;
    assert_int_equal(dial_done(a), OK);
    struct timespec nap = {.tv_nsec = 100000000};
    (void)nanosleep(&nap, NULL);
    assert_in_range(port_silent_ms(a), 100, 10000);
    assert_int_equal(port_send(a, view_str("hello")), 5);
    while (port_silent_ms(a) >= 100)
        continue;
    assert_int_equal(port_silent_ms(100000), ERR_UNSUPPORTED);
    port_close(a);
    port_close(l);
}

static void no_more_handles_is_a_limit(void **state)
{
    uint16_t port;
    struct rlimit old, low;
    int l = listen_on("127.0.0.1", &port);
    int a = dial("127.0.0.1", port);
    (void)state;
    assert_int_equal(dial_done(a), OK);
    getrlimit(RLIMIT_NOFILE, &old);
    low = old;
    low.rlim_cur = (rlim_t)a + 1;
    setrlimit(RLIMIT_NOFILE, &low);
    assert_int_equal(port_accept(l, NULL), ERR_LIMIT);
    struct port_addr to = addr("127.0.0.1", port);
    assert_int_equal(port_dial(&to), ERR_LIMIT);
    setrlimit(RLIMIT_NOFILE, &old);
    port_close(port_accept(l, NULL));
    port_close(a);
    port_close(l);
}

static void
listening_raises_the_limit_and_children_get_the_old_one(void **state)
{
    static const char *const argv[] = {"sh", "-c", "ulimit -n", NULL};
    struct port_spawn what = {.argv = argv};
    struct port_child c;
    struct rlimit now;
    uint16_t port;
    char text[32];
    int number;
    (void)state;
    port_close(listen_on("127.0.0.1", &port));
    getrlimit(RLIMIT_NOFILE, &now);
    assert_true(now.rlim_cur == now.rlim_max || now.rlim_cur >= 65536);
    assert_int_equal(port_pipe_spawn(&what, &c), OK);
    scratch_read_all(c.out);
    assert_int_equal(scratch_reap(c.pid, &number), 0);
    struct text t;
    TEXT_OF(&t, text);
    text_u64(&t, *(rlim_t *)*state);
    assert_memory_equal(scratch_seen, text, t.len);
    port_close(c.in);
    port_close(c.out);
    port_close(c.err);
}

static int setup(void **state)
{
    static rlim_t at_start;
    struct rlimit now;
    getrlimit(RLIMIT_NOFILE, &now);
    if (now.rlim_max > 1000)
        now.rlim_cur = 1000;
    setrlimit(RLIMIT_NOFILE, &now);
    at_start = now.rlim_cur;
    *state = &at_start;
    return scratch_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways_over_ipv4),
        cmocka_unit_test(bytes_go_both_ways_over_ipv6),
        cmocka_unit_test(any_address_takes_ipv4_as_well),
        cmocka_unit_test(an_address_in_use_exists_and_a_freed_one_does_not),
        cmocka_unit_test(nobody_listens_is_refused),
        cmocka_unit_test(a_connection_under_way_is_more),
        cmocka_unit_test(a_handle_that_is_none_is_an_error),
        cmocka_unit_test(an_empty_buffer_is_no_end_of_stream),
        cmocka_unit_test(a_full_socket_takes_nothing_now),
        cmocka_unit_test(a_path_that_takes_nothing_has_no_room),
        cmocka_unit_test(silence_ends_with_a_confirmation),
        cmocka_unit_test(no_more_handles_is_a_limit),
        cmocka_unit_test(
            listening_raises_the_limit_and_children_get_the_old_one),
    };
    return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
