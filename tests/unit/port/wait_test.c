/* port_wait with few rows (poll), with some and with three thousand (epoll):
 * the same answers, whatever happens to the handles in between. */
#include "port/port.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/port/scratch.h"

#define MANY 3000
#define SOME 40
#define FEW  8

static struct port_want table[MANY + 1000];
static int far[MANY]; /* the other end of each row's socket */
static size_t rows;

static void set_row(size_t i, int handle, uint8_t want)
{
    table[i].handle = handle;
    table[i].want = want;
    table[i].serial++;
}

static void new_pair(size_t i, uint8_t want)
{
    int pair[2];
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    assert_int_equal(socketpair(AF_UNIX, type, 0, pair), 0);
    far[i] = pair[1];
    set_row(i, pair[0], want);
}

static void open_rows(size_t n)
{
    rows = n;
    for (size_t i = 0; i < n; i++)
        new_pair(i, PORT_READ);
}

static int close_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < rows; i++) {
        port_close(table[i].handle);
        set_row(i, -1, 0);
        if (far[i] >= 0)
            close(far[i]);
    }
    rows = 0;
    return 0;
}

static int few(void **state)
{
    (void)state;
    open_rows(FEW);
    return 0;
}

static int some(void **state)
{
    (void)state;
    open_rows(SOME);
    return 0;
}

static int many(void **state)
{
    struct rlimit lim;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
    lim.rlim_cur = lim.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
    if (lim.rlim_cur < 2 * MANY + 100)
        return -1;
    open_rows(MANY);
    return 0;
}

static int turn(uint64_t until_ms)
{
    return port_wait(table, rows, until_ms);
}

/* Exactly these rows are ready, with these flags. */
static void assert_ready(size_t i, uint8_t ready)
{
    for (size_t k = 0; k < rows; k++)
        assert_int_equal(table[k].ready, k == i ? ready : 0);
}

static void poke(size_t i)
{
    assert_int_equal(write(far[i], "x", 1), 1);
}

static void drain(size_t i)
{
    uint8_t buf[16];
    assert_int_equal(port_recv(table[i].handle, SPAN_ARRAY(buf)), 1);
}

static void silence_is_zero_rows(void **state)
{
    (void)state;
    assert_int_equal(turn(0), 0);
    assert_ready(rows, 0);
}

static void each_row_reports_its_own_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < rows; i += 7) {
        poke(i);
        assert_int_equal(turn(PORT_FOREVER), 1);
        assert_ready(i, PORT_READ);
        drain(i);
        assert_int_equal(turn(0), 0);
    }
}

static void all_rows_are_reported_sooner_or_later(void **state)
{
    size_t left = rows;
    (void)state;
    for (size_t i = 0; i < rows; i++)
        poke(i);
    while (left > 0) {
        int n = turn(PORT_FOREVER);
        assert_true(n > 0);
        for (size_t i = 0; i < rows; i++) {
            if (table[i].ready == 0)
                continue;
            drain(i);
            n--;
            left--;
        }
        assert_int_equal(n, 0); /* the count and the flags agree */
    }
    assert_int_equal(turn(0), 0);
}

static void what_is_not_wanted_is_not_told(void **state)
{
    (void)state;
    poke(3);
    table[3].want = 0;
    assert_int_equal(turn(0), 0);
    table[3].want = PORT_WRITE;
    assert_int_equal(turn(0), 1);
    assert_ready(3, PORT_WRITE);
    table[3].want = PORT_READ | PORT_WRITE;
    assert_int_equal(turn(0), 1);
    assert_ready(3, PORT_READ | PORT_WRITE);
}

static void a_hang_up_is_told_with_all_that_was_wanted(void **state)
{
    uint8_t buf[4];
    (void)state;
    close(far[5]);
    far[5] = -1;
    assert_int_equal(turn(PORT_FOREVER), 1);
    assert_ready(5, PORT_READ | PORT_HANGUP);
    table[5].want = 0;
    assert_int_equal(turn(PORT_FOREVER), 1);
    assert_ready(5, PORT_HANGUP);
    assert_int_equal(port_recv(table[5].handle, SPAN_ARRAY(buf)), ERR_CLOSED);
    port_close(table[5].handle);
    set_row(5, -1, 0);
    assert_int_equal(turn(0), 0);
}

/* The kernel gives the lowest free number, so the new handle is the old. */
static void a_new_handle_with_the_old_number_is_noticed(void **state)
{
    int old = table[7].handle;
    (void)state;
    assert_int_equal(turn(0), 0);
    port_close(old);
    close(far[7]);
    new_pair(7, PORT_READ);
    if (table[7].handle != old) {
        assert_int_equal(dup2(table[7].handle, old), old);
        close(table[7].handle);
        table[7].handle = old;
    }
    assert_int_equal(turn(0), 0);
    poke(7);
    assert_int_equal(turn(PORT_FOREVER), 1);
    assert_ready(7, PORT_READ);
}

/* A row further up lost the handle, a row further down got its number. */
static void a_number_may_move_to_another_row(void **state)
{
    (void)state;
    assert_int_equal(turn(0), 0);
    size_t up = rows - 1;
    int old = table[up].handle, peer = far[up];
    port_close(table[2].handle);
    close(far[2]);
    set_row(2, old, PORT_READ);
    set_row(up, -1, 0);
    far[2] = peer;
    far[up] = -1;
    assert_int_equal(turn(0), 0);
    poke(2);
    assert_int_equal(turn(PORT_FOREVER), 1);
    assert_ready(2, PORT_READ);
}

/* As when a child still holds it: epoll follows the open file, not us. */
static void a_copy_of_a_closed_handle_is_not_ours(void **state)
{
    int copy = dup(table[4].handle);
    (void)state;
    assert_int_equal(turn(0), 0);
    port_close(table[4].handle);
    poke(4);
    close(far[4]);
    far[4] = -1;
    set_row(4, -1, 0);
    assert_int_equal(turn(0), 0);
    close(copy);
}

static void a_bad_handle_is_a_hang_up(void **state)
{
    (void)state;
    port_close(table[6].handle);
    set_row(6, 1000000, PORT_READ);
    assert_int_equal(turn(PORT_FOREVER), 1);
    assert_ready(6, PORT_READ | PORT_HANGUP);
    set_row(6, -1, 0);
    assert_int_equal(turn(0), 0);
}

static void a_regular_file_is_always_ready(void **state)
{
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    (void)state;
    port_close(table[1].handle);
    set_row(1, fd, PORT_READ);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(turn(PORT_FOREVER), 1);
        assert_ready(1, PORT_READ);
    }
    table[1].want = 0;
    assert_int_equal(turn(0), 0);
}

static void the_table_may_shrink_and_grow(void **state)
{
    size_t all = rows;
    (void)state;
    poke(1);
    poke(all - 1);
    for (size_t n = all; n > 2; n = n * 2 / 3) {
        rows = n;
        assert_int_equal(turn(0), n == all ? 2 : 1);
        assert_int_equal(table[1].ready, PORT_READ);
    }
    rows = all;
    assert_int_equal(turn(0), 2);
}

static void a_deadline_is_not_missed_and_not_early(void **state)
{
    uint64_t until = port_now_ms() + 20;
    int wakes = 0;
    (void)state;
    while (port_now_ms() < until) {
        assert_int_equal(turn(until), 0);
        wakes++;
    }
    assert_true(wakes <= 1); /* it sleeps, it does not spin */
    assert_int_equal(turn(until), 0);
    assert_int_equal(turn(1), 0); /* long past */
}

static void nothing(int number)
{
    (void)number;
}

static void an_interruption_is_zero_rows(void **state)
{
    struct sigaction sa = {.sa_handler = nothing};
    struct itimerval soon = {{0, 2000}, {0, 2000}};
    struct itimerval never = {{0, 0}, {0, 0}};
    (void)state;
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_int_equal(turn(PORT_FOREVER), 0);
    setitimer(ITIMER_REAL, &never, NULL);
    sa.sa_handler = SIG_DFL;
    sigaction(SIGALRM, &sa, NULL);
    alarm(120);
}

#define AT(how, name)                                     \
    {                                                     \
#how " rows: " #name, name, how, close_rows, NULL \
    }
#define EACH(name) AT(few, name), AT(some, name), AT(many, name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(silence_is_zero_rows),
        EACH(each_row_reports_its_own_bytes),
        EACH(all_rows_are_reported_sooner_or_later),
        EACH(what_is_not_wanted_is_not_told),
        EACH(a_hang_up_is_told_with_all_that_was_wanted),
        EACH(a_new_handle_with_the_old_number_is_noticed),
        EACH(a_number_may_move_to_another_row),
        EACH(a_copy_of_a_closed_handle_is_not_ours),
        EACH(a_bad_handle_is_a_hang_up),
        EACH(a_regular_file_is_always_ready),
        EACH(the_table_may_shrink_and_grow),
        EACH(a_deadline_is_not_missed_and_not_early),
        EACH(an_interruption_is_zero_rows),
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        table[i].handle = -1;
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
