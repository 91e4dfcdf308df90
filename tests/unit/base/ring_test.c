/* The byte ring as a queue and as scrollback. Offsets start where the caller
 * says, also just below the place where 64 bits end. */
#include "base/ring.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"

static uint8_t buf[8];
static struct ring r;

static void start_at(uint64_t offset)
{
    memset(buf, 0, sizeof(buf));
    ring_init(&r, SPAN_ARRAY(buf), offset);
}

static int setup(void **state)
{
    (void)state;
    start_at(1000);
    return 0;
}

static void assert_held(const char *text)
{
    char out[16] = "";
    size_t n = ring_copy(&r, r.head, SPAN_ARRAY(out));
    assert_int_equal(n, ring_len(&r));
    assert_int_equal(n, strlen(text));
    assert_memory_equal(out, text, n);
}

static void a_new_ring_is_empty(void **state)
{
    (void)state;
    assert_int_equal(ring_len(&r), 0);
    assert_int_equal(ring_room(&r), 8);
    assert_int_equal(ring_space(&r).len, 8);
    assert_int_equal(ring_at(&r, 1000).len, 0);
    assert_held("");
}

static void what_is_written_is_held_in_order(void **state)
{
    (void)state;
    assert_int_equal(ring_write(&r, view_str("abc")), OK);
    assert_int_equal(ring_write(&r, view_str("de")), OK);
    assert_held("abcde");
    assert_int_equal(r.tail, 1005);
    ring_consume(&r, 1003);
    assert_held("de");
    assert_int_equal(ring_write(&r, view_str("fghijk")), OK);
    assert_held("defghijk");
    assert_int_equal(ring_room(&r), 0);
    assert_int_equal(ring_space(&r).len, 0);
}

static void a_write_is_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_int_equal(ring_write(&r, view_str("123456789")), ERR_FULL);
    assert_held("");
    assert_int_equal(ring_write(&r, view_str("12345678")), OK);
    assert_int_equal(ring_write(&r, view_str("9")), ERR_FULL);
    assert_int_equal(ring_write(&r, VIEW_NONE), OK);
    assert_held("12345678");
}

static void spaces_and_views_end_where_the_buffer_does(void **state)
{
    (void)state;
    ring_write(&r, view_str("abcdef"));
    ring_consume(&r, 1005);
    struct span s = ring_space(&r);
    assert_int_equal(s.len, 2); /* 1006, 1007; 1008 is place 0 again */
    memcpy(s.ptr, "gh", 2);
    ring_commit(&r, 2);
    s = ring_space(&r);
    assert_int_equal(s.len, 5);
    memcpy(s.ptr, "ij", 2);
    ring_commit(&r, 2);
    assert_true(view_is(ring_at(&r, 1005), "fgh"));
    assert_true(view_is(ring_at(&r, 1007), "h"));
    assert_true(view_is(ring_at(&r, 1008), "ij"));
    assert_int_equal(ring_at(&r, 1010).len, 0);
    assert_held("fghij");
}

static void scrollback_drops_the_oldest(void **state)
{
    (void)state;
    ring_write(&r, view_str("abcdef"));
    struct span s = ring_push_space(&r, 4);
    assert_int_equal(s.len, 2); /* the end of the buffer comes first */
    assert_int_equal(r.head, 1002);
    memcpy(s.ptr, "gh", 2);
    ring_commit(&r, 2);
    s = ring_push_space(&r, 2);
    assert_int_equal(s.len, 2);
    memcpy(s.ptr, "ij", 2);
    ring_commit(&r, 2);
    assert_held("cdefghij");
    assert_int_equal(ring_push_space(&r, 8).len, 6);
    assert_held("");
}

static void no_room_is_made_that_is_not_needed(void **state)
{
    (void)state;
    ring_write(&r, view_str("abc"));
    assert_int_equal(ring_push_space(&r, 5).len, 5);
    assert_held("abc");
    assert_int_equal(ring_push_space(&r, 0).len, 0);
    assert_held("abc");
}

static void a_copy_begins_anywhere_and_fits_the_buffer(void **state)
{
    char out[4];
    (void)state;
    ring_write(&r, view_str("abcdef"));
    ring_consume(&r, 1004);
    ring_write(&r, view_str("ghij"));
    assert_int_equal(ring_copy(&r, 1005, SPAN_ARRAY(out)), 4);
    assert_memory_equal(out, "fghi", 4);
    assert_int_equal(ring_copy(&r, 1009, SPAN_ARRAY(out)), 1);
    assert_int_equal(ring_copy(&r, 1010, SPAN_ARRAY(out)), 0);
    assert_int_equal(ring_copy(&r, 1004, (struct span){NULL, 0}), 0);
}

static void offsets_pass_four_gibibytes(void **state)
{
    (void)state;
    start_at((UINT64_C(1) << 32) - 3);
    ring_write(&r, view_str("abcdef"));
    assert_held("abcdef");
    ring_consume(&r, (UINT64_C(1) << 32) + 1);
    assert_held("ef");
    assert_int_equal(ring_write(&r, view_str("ghijkl")), OK);
    assert_held("efghijkl");
}

static void odd_capacity(void)
{
    ring_init(&r, (struct span){buf, 7}, 0);
}

static void no_capacity(void)
{
    ring_init(&r, (struct span){buf, 0}, 0);
}

static void commit_too_much(void)
{
    ring_commit(&r, 9);
}

static void consume_the_future(void)
{
    ring_consume(&r, 1001);
}

static void consume_the_past(void)
{
    ring_consume(&r, 999);
}

static void look_at_the_past(void)
{
    ring_at(&r, 999);
}

static void look_at_the_future(void)
{
    ring_at(&r, 1001);
}

static void push_more_than_all(void)
{
    ring_push_space(&r, 9);
}

static void our_mistakes_stop_the_program(void **state)
{
    static void (*const mistakes[])(void) = {
        odd_capacity,       no_capacity,        commit_too_much,
        consume_the_past,   look_at_the_past,   consume_the_future,
        look_at_the_future, push_more_than_all,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        int raw, pid = fork();
        if (pid == 0) {
            close(STDERR_FILENO);
            mistakes[i]();
            _exit(0);
        }
        waitpid(pid, &raw, 0);
        assert_true(WIFSIGNALED(raw));
        assert_int_equal(WTERMSIG(raw), SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_ring_is_empty, setup),
        cmocka_unit_test_setup(what_is_written_is_held_in_order, setup),
        cmocka_unit_test_setup(a_write_is_whole_or_not_at_all, setup),
        cmocka_unit_test_setup(spaces_and_views_end_where_the_buffer_does,
                               setup),
        cmocka_unit_test_setup(scrollback_drops_the_oldest, setup),
        cmocka_unit_test_setup(no_room_is_made_that_is_not_needed, setup),
        cmocka_unit_test_setup(a_copy_begins_anywhere_and_fits_the_buffer,
                               setup),
        cmocka_unit_test_setup(offsets_pass_four_gibibytes, setup),
        cmocka_unit_test_setup(our_mistakes_stop_the_program, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
