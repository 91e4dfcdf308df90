/*
 * Bytes into a handle that takes all, some, none or breaks. The handle is a
 * fake that keeps what it took.
 */
#include "core/sink.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "fake/port_fatal.h"
#include "port/port.h"

#define HANDLE 7
#define CAP    16
#define START  UINT64_C(0x1fffffff8)

static struct {
    char took[256];
    size_t len;
    size_t room; /* what it takes from now on */
    int err;     /* or this */
    int calls;
} handle;

static uint8_t buf[CAP];
static struct sink s;

int port_send(int h, struct view v)
{
    assert_int_equal(h, HANDLE);
    assert_true(v.len > 0);
    handle.calls++;
    if (handle.err != OK)
        return handle.err;
    size_t n = v.len < handle.room ? v.len : handle.room;
    assert_true(handle.len + n < sizeof(handle.took));
    memcpy(handle.took + handle.len, v.ptr, n);
    handle.len += n;
    handle.room -= n;
    return (int)n;
}

static int setup(void **state)
{
    (void)state;
    memset(&handle, 0, sizeof(handle));
    sink_init(&s, SPAN_ARRAY(buf), HANDLE, START);
    return 0;
}

static void take(size_t room)
{
    handle.room = room;
    sink_flush(&s);
}

static void assert_took(const char *text)
{
    assert_int_equal(handle.len, strlen(text));
    assert_memory_equal(handle.took, text, handle.len);
}

static void a_willing_handle_gets_bytes_at_once(void **state)
{
    (void)state;
    handle.room = 100;
    assert_int_equal(sink_put(&s, view_str("hello")), OK);
    assert_took("hello");
    assert_int_equal(sink_done(&s), START + 5);
    assert_false(sink_waits(&s));
    assert_false(sink_over(&s));
}

static void a_full_handle_gets_them_later_in_order(void **state)
{
    (void)state;
    handle.room = 3;
    assert_int_equal(sink_put(&s, view_str("hello")), OK);
    assert_true(sink_waits(&s));
    assert_int_equal(sink_done(&s), START + 3);
    handle.room = 100; /* what waits goes first, whatever is possible */
    assert_int_equal(sink_put(&s, view_str(" you")), OK);
    assert_took("hel");
    take(1);
    assert_took("hell");
    assert_int_equal(sink_done(&s), START + 4);
    take(100);
    assert_took("hello you");
    assert_false(sink_waits(&s));
    assert_int_equal(sink_done(&s), START + 9);
}

static void more_than_the_ring_is_refused_whole(void **state)
{
    (void)state;
    assert_int_equal(sink_put(&s, view_str("0123456789")), OK);
    assert_int_equal(sink_put(&s, view_str("abcdefg")), ERR_FULL);
    assert_int_equal(sink_put(&s, view_str("abcdef")), OK);
    take(100);
    assert_took("0123456789abcdef");
}

static void the_ring_wraps(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(sink_put(&s, view_str("0123456789")), OK);
        take(7);
        take(3);
    }
    assert_int_equal(handle.len, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(handle.took[i], '0' + i % 10);
    assert_int_equal(sink_done(&s), START + 100);
}

static void it_is_over_when_the_last_byte_went(void **state)
{
    (void)state;
    assert_int_equal(sink_put(&s, view_str("end")), OK);
    sink_fin(&s);
    assert_false(sink_over(&s));
    take(2);
    assert_false(sink_over(&s));
    take(1);
    assert_true(sink_over(&s));
}

static void a_broken_handle_swallows_everything(void **state)
{
    (void)state;
    assert_int_equal(sink_put(&s, view_str("lost")), OK);
    handle.err = ERR_CLOSED;
    sink_flush(&s);
    assert_true(sink_over(&s));
    assert_false(sink_waits(&s));
    assert_int_equal(sink_done(&s), START + 4);
    int calls = handle.calls;
    assert_int_equal(sink_put(&s, view_str("too late")), OK);
    sink_flush(&s);
    assert_int_equal(handle.calls, calls); /* it is not asked again */
    assert_int_equal(sink_done(&s), START + 12);
}

static void a_handle_that_breaks_at_once_is_noticed_too(void **state)
{
    (void)state;
    handle.err = ERR_IO;
    assert_int_equal(sink_put(&s, view_str("x")), OK);
    assert_true(s.err != OK);
    assert_true(sink_over(&s));
}

static void stopping_drops_what_waits(void **state)
{
    (void)state;
    assert_int_equal(sink_put(&s, view_str("never")), OK);
    sink_stop(&s, ERR_CLOSED);
    take(100);
    assert_took("");
    assert_int_equal(sink_done(&s), START + 5);
    assert_true(sink_over(&s));
}

static void without_a_handle_bytes_count_and_vanish(void **state)
{
    (void)state;
    sink_init(&s, SPAN_ARRAY(buf), -1, 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(sink_put(&s, view_str("0123456789")), OK);
    assert_int_equal(sink_done(&s), 100);
    assert_false(sink_waits(&s));
    sink_fin(&s);
    assert_true(sink_over(&s));
}

static void nothing_is_not_sent(void **state)
{
    (void)state;
    assert_int_equal(sink_put(&s, VIEW_NONE), OK);
    sink_flush(&s);
    assert_int_equal(handle.calls, 0);
}

#define FACT(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_willing_handle_gets_bytes_at_once),
        FACT(a_full_handle_gets_them_later_in_order),
        FACT(more_than_the_ring_is_refused_whole),
        FACT(the_ring_wraps),
        FACT(it_is_over_when_the_last_byte_went),
        FACT(a_broken_handle_swallows_everything),
        FACT(a_handle_that_breaks_at_once_is_noticed_too),
        FACT(stopping_drops_what_waits),
        FACT(without_a_handle_bytes_count_and_vanish),
        FACT(nothing_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
