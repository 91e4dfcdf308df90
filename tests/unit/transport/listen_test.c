/* The listener with real sockets on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "transport/listen.h"

#define CALLERS 4

static uint8_t memory[64 * 1024];
static struct arena arena;
static struct loop loop;
static struct listener listener;
static struct port_addr at;
static int callers[CALLERS];
static int came[CALLERS];
static int count;
static int places;

static bool room(void *ctx)
{
    (void)ctx;
    return count < places;
}

static void accepted(void *ctx, int handle, const struct port_addr *from)
{
    (void)ctx;
    (void)from;
    came[count++] = handle;
}

static const struct listener_ops ops = {room, accepted};

static int set_up(void **state)
{
    uint16_t port;
    (void)state;
    arena_init(&arena, SPAN_ARRAY(memory));
    loop_init(&loop, &arena, 16, 16);
    count = 0;
    places = CALLERS;
    assert_int_equal(port_addr_parse("127.0.0.1", 0, &at), OK);
    int handle = port_listen(&at, &port);
    assert_true(handle >= 0);
    at.port = port;
    return listener_start(&listener, &loop, handle, &ops, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    listener_stop(&listener);
    for (int i = 0; i < CALLERS; i++) {
        port_close(callers[i]);
        callers[i] = -1;
    }
    while (count > 0)
        port_close(came[--count]);
    return 0;
}

static void call(int who)
{
    callers[who] = port_dial(&at);
    assert_true(callers[who] >= 0);
}

/* Turn until `n` have come; the test's own time limit ends a wait in vain. */
static void turn_until(int n)
{
    while (count < n)
        assert_int_equal(loop_turn(&loop), OK);
}

static void who_calls_is_handed_over(void **state)
{
    (void)state;
    call(0);
    call(1);
    turn_until(2);
    assert_true(came[0] >= 0 && came[1] >= 0 && came[0] != came[1]);
}

static void a_full_owner_lets_callers_wait_until_it_resumes(void **state)
{
    (void)state;
    places = 1;
    call(0);
    call(1);
    turn_until(1);
    /* It asks for nothing now, so it cannot spin. */
    assert_int_equal(loop.want[listener.row].want & PORT_READ, 0);
    assert_int_equal(count, 1);
    places = 2;
    listener_resume(&listener);
    turn_until(2);
}

/* A handle that is ready and can accept nobody, whatever the reason. */
static void what_cannot_accept_is_not_asked_all_the_time(void **state)
{
    int pair[2];
    (void)state;
    listener_stop(&listener);
    assert_int_equal(port_local_pair(pair), OK);
    assert_int_equal(listener_start(&listener, &loop, pair[0], &ops, NULL), OK);
    assert_int_equal(port_send(pair[1], view_str("x")), 1);
    assert_int_equal(loop_turn(&loop), OK);
    assert_int_equal(loop.want[listener.row].want & PORT_READ, 0);
    assert_int_equal(count, 0);
    listener_resume(&listener); /* as its timer does */
    assert_int_equal(loop.want[listener.row].want & PORT_READ, PORT_READ);
    port_close(pair[1]);
}

static void after_the_stop_nobody_is_answered(void **state)
{
    (void)state;
    listener_stop(&listener);
    listener_stop(&listener);
    listener_resume(&listener); /* harmless */
    int handle = port_dial(&at);
    struct port_want want = {.handle = handle, .want = PORT_WRITE};
    if (handle >= 0) {
        (void)port_wait(&want, 1, PORT_FOREVER);
        assert_int_equal(port_dial_done(handle), ERR_REFUSED);
        port_close(handle);
    } else {
        assert_int_equal(handle, ERR_REFUSED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_calls_is_handed_over, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_full_owner_lets_callers_wait_until_it_resumes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            what_cannot_accept_is_not_asked_all_the_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_the_stop_nobody_is_answered,
                                        set_up, tear_down),
    };
    for (int i = 0; i < CALLERS; i++)
        callers[i] = -1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
