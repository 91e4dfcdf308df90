/* The password desk over a real loop and real children. */
#include "relay/desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"

static uint8_t block[256 * 1024];
static struct arena arena;
static struct loop loop;
static struct desk desk;

static int begin(void **state)
{
    (void)state;
    memset(block, 0, sizeof block);
    arena_init(&arena, SPAN_ARRAY(block));
    loop_init(&loop, &arena, DESK_ROWS, DESK_TIMERS);
    desk_init(&desk, &loop);
    alarm(60);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    desk_close(&desk);
    return 0;
}

static struct {
    uint32_t tag;
    int err;
    char stored[PWHASH_CAP];
} got[DESK_JOBS];
static uint32_t got_count;
static uint32_t most; /* that ran at once */

static void answer(void *ctx, uint32_t tag, int err, const char *stored)
{
    assert_ptr_equal(ctx, &desk);
    assert_true(got_count < DESK_JOBS);
    got[got_count].tag = tag;
    got[got_count].err = err;
    STR_COPY(got[got_count].stored, stored);
    got_count++;
}

static void turn_until(uint32_t count)
{
    while (got_count < count) {
        assert_int_equal(loop_turn(&loop), OK);
        if (desk.running > most)
            most = desk.running;
    }
}

static void a_password_is_made_and_known_again(void **state)
{
    (void)state;
    got_count = 0;
    assert_int_equal(desk_make(&desk, view_str("a password"), answer, &desk, 1),
                     OK);
    assert_int_equal(got_count, 0); /* never from inside */
    turn_until(1);
    assert_int_equal(got[0].err, OK);
    assert_memory_equal(got[0].stored, "$argon2id$", 10);
    char stored[PWHASH_CAP];
    STR_COPY(stored, got[0].stored);
    assert_int_equal(
        desk_check(&desk, view_str("a password"), stored, answer, &desk, 2),
        OK);
    assert_int_equal(
        desk_check(&desk, view_str("another one"), stored, answer, &desk, 3),
        OK);
    assert_int_equal(
        desk_check(&desk, view_str("a password"), "nonsense", answer, &desk, 4),
        OK);
    turn_until(4);
    for (int i = 1; i < 4; i++) {
        int wanted = got[i].tag == 2   ? OK
                     : got[i].tag == 3 ? ERR_AUTH
                                       : ERR_DAMAGED;
        assert_int_equal(got[i].err, wanted);
    }
}

static void no_more_than_two_run_at_once_and_all_are_answered(void **state)
{
    bool seen[8] = {false};
    (void)state;
    got_count = most = 0;
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(
            desk_check(&desk, view_str("x"), "nonsense", answer, &desk, i), OK);
    turn_until(8);
    assert_true(most <= DESK_AT_ONCE);
    for (int i = 0; i < 8; i++)
        seen[got[i].tag] = true;
    for (int i = 0; i < 8; i++)
        assert_true(seen[i]);
    assert_int_equal(desk.head, desk.tail);
}

static void a_full_desk_and_no_password_are_refused(void **state)
{
    char longest[PWHASH_PASSWORD_MAX + 1];
    (void)state;
    memset(longest, 'x', sizeof longest);
    assert_int_equal(desk_make(&desk, VIEW_NONE, answer, &desk, 0), ERR_RANGE);
    assert_int_equal(desk_make(&desk, VIEW_ARRAY(longest), answer, &desk, 0),
                     ERR_RANGE);
    for (uint32_t i = 0; i < DESK_JOBS; i++)
        assert_int_equal(
            desk_check(&desk, view_str("x"), "nonsense", answer, &desk, i), OK);
    assert_int_equal(
        desk_check(&desk, view_str("x"), "nonsense", answer, &desk, 99),
        ERR_FULL);
    desk_close(&desk); /* without a word */
    assert_int_equal(desk.job[0].task.len, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(a_password_is_made_and_known_again),
        TEST(no_more_than_two_run_at_once_and_all_are_answered),
        TEST(a_full_desk_and_no_password_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
