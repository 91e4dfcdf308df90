/* Names to addresses, by children that nobody else must notice. */
#include "port/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/port/scratch.h"

/* Look-ups that an earlier test gave up may take a moment to end. */
static int start(const char *host)
{
    int h;
    while ((h = port_resolve(host, 80)) == ERR_LIMIT)
        usleep(1000);
    assert_true(h > 3);
    return h;
}

static int resolve(const char *host, struct port_addr *out, int max)
{
    int n;
    int h = start(host);
    do
        scratch_ready(h, PORT_READ);
    while ((n = port_resolve_take(h, out, max)) == 0);
    return n;
}

static void assert_is(const struct port_addr *a, const char *text)
{
    char buf[PORT_ADDR_CAP];
    port_addr_print(a, buf, sizeof(buf));
    assert_string_equal(buf, text);
}

static void localhost_is_both_families(void **state)
{
    struct port_addr a[4];
    (void)state;
    assert_int_equal(resolve("localhost", a, 4), 2);
    assert_is(&a[0], "[::1]:80");
    assert_is(&a[1], "127.0.0.1:80");
}

static void a_number_is_its_own_answer(void **state)
{
    struct port_addr a[4];
    (void)state;
    assert_int_equal(resolve("192.0.2.7", a, 4), 1);
    assert_is(&a[0], "192.0.2.7:80");
}

static void no_more_addresses_than_there_is_room_for(void **state)
{
    struct port_addr a[2] = {{.port = 1}, {.port = 1}};
    (void)state;
    assert_int_equal(resolve("localhost", a, 1), 1);
    assert_int_equal(a[1].port, 1);
}

/* /etc/hosts is asked by a child with the real resolver; it usually knows
 * the name of the machine. */
static void a_name_from_the_hosts_file_is_found(void **state)
{
    struct port_addr a[4];
    char name[256];
    (void)state;
    port_hostname(name, sizeof(name));
    if (resolve(name, a, 4) < 0)
        skip();
    assert_int_equal(a[0].port, 80);
}

static void an_unknown_name_is_an_error_with_a_reason(void **state)
{
    struct port_addr a[4];
    (void)state;
    assert_int_equal(resolve("no-such-host.invalid", a, 4), ERR_NAME);
    assert_memory_equal(port_why(), "look-up: ", 9);
}

static void a_bad_name_is_an_error(void **state)
{
    struct port_addr a[4];
    char name[400];
    (void)state;
    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(resolve(name, a, 4), ERR_NAME);
    assert_int_equal(resolve("two words", a, 4), ERR_NAME);
}

static void
many_at_once_are_limited_and_given_up_ones_free_the_place(void **state)
{
    int h[100], n = 0;
    (void)state;
    while (n < 100 && (h[n] = port_resolve("no-such-host.invalid", 1)) >= 0)
        n++;
    assert_in_range(n, 1, 99); /* the last ones may not have ended yet */
    assert_int_equal(h[n], ERR_LIMIT);
    for (int i = 0; i < n; i++)
        port_close(h[i]);
    for (int i = 0; i < 50; i++)
        port_close(start("no-such-host.invalid"));
}

static void look_up_children_are_not_reaped_as_ours(void **state)
{
    static const char *const argv[] = {"true", NULL};
    struct port_spawn what = {.argv = argv};
    struct port_child c;
    int status, number, pid;
    int h = start("no-such-host.invalid");
    struct port_addr a[1];
    (void)state;
    assert_int_equal(port_pipe_spawn(&what, &c), OK);
    do
        scratch_ready(h, PORT_READ);
    while (port_resolve_take(h, a, 1) == 0);
    do
        pid = port_child_reap(&status, &number);
    while (pid == 0);
    assert_int_equal(pid, c.pid);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(port_child_reap(&status, &number), 0);
        usleep(100);
    }
    port_close(c.in);
    port_close(c.out);
    port_close(c.err);
}

static void no_handle_is_left_open(void **state)
{
    struct port_addr a[4];
    int before = scratch_handles();
    (void)state;
    resolve("localhost", a, 4);
    resolve("no-such-host.invalid", a, 4);
    assert_int_equal(scratch_handles(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(localhost_is_both_families),
        cmocka_unit_test(a_number_is_its_own_answer),
        cmocka_unit_test(no_more_addresses_than_there_is_room_for),
        cmocka_unit_test(a_name_from_the_hosts_file_is_found),
        cmocka_unit_test(an_unknown_name_is_an_error_with_a_reason),
        cmocka_unit_test(a_bad_name_is_an_error),
        cmocka_unit_test(
            many_at_once_are_limited_and_given_up_ones_free_the_place),
        cmocka_unit_test(look_up_children_are_not_reaped_as_ours),
        cmocka_unit_test(no_handle_is_left_open),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
