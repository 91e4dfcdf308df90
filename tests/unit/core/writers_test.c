/* The table of who typed how much: rows are found again, the oldest makes
 * room, and a process that is killed in between leaves nothing wrong. */
#include "core/writers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct writers table;

static struct view key(uint8_t n)
{
    static uint8_t k[8][WRITERS_KEY];
    static int turn;
    uint8_t *at = k[turn++ % 8];
    memset(at, 0xA5, WRITERS_KEY);
    at[WRITERS_KEY - 1] = n;
    return view_of(at, WRITERS_KEY);
}

static int setup(void **state)
{
    (void)state;
    memset(&table, 0, sizeof(table));
    return 0;
}

static void a_new_key_starts_at_nought(void **state)
{
    (void)state;
    assert_null(writers_find(&table, key(1)));
    uint64_t *next = writers_enter(&table, key(1), 0);
    assert_int_equal(*next, 0);
    assert_ptr_equal(writers_find(&table, key(1)), next);
    assert_null(writers_find(&table, key(2)));
}

static void a_row_that_was_given_away_begins_where_it_is_told(void **state)
{
    (void)state;
    assert_int_equal(*writers_enter(&table, key(1), 77), 77);
    assert_int_equal(*writers_enter(&table, key(1), 99), 77);
}

static void what_was_counted_is_found_again(void **state)
{
    (void)state;
    *writers_enter(&table, key(1), 0) = 10;
    *writers_enter(&table, key(2), 0) = 20;
    assert_int_equal(*writers_enter(&table, key(1), 0), 10);
    assert_int_equal(*writers_find(&table, key(2)), 20);
}

static void the_least_recently_used_row_is_replaced(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < WRITERS_MAX; i++)
        *writers_enter(&table, key(i), 0) = i + 100u;
    (void)writers_find(&table, key(0)); /* so 1 is the oldest */
    assert_int_equal(*writers_enter(&table, key(200), 0), 0);
    assert_null(writers_find(&table, key(1)));
    for (uint8_t i = 2; i < WRITERS_MAX; i++)
        assert_int_equal(*writers_find(&table, key(i)), i + 100u);
    assert_int_equal(*writers_find(&table, key(0)), 100);
}

static void a_key_is_sixteen_bytes_that_are_not_all_nought(void **state)
{
    static const uint8_t nought[WRITERS_KEY + 1];
    (void)state;
    assert_true(writers_is_key(key(0)));
    assert_false(writers_is_key(view_of(nought, WRITERS_KEY)));
    assert_false(writers_is_key(view_of(nought, 0)));
    assert_false(writers_is_key(view_first(key(1), 15)));
    assert_false(writers_is_key(VIEW_ARRAY(nought)));
}

/* It lies in a keeper's block, whose layout agents of other versions know. */
static void its_layout_is_fixed(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct writers_row), 32);
    assert_int_equal(sizeof(struct writers), 8 + WRITERS_MAX * 32);
}

int main(void)
{
#define FACT(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        FACT(a_new_key_starts_at_nought),
        FACT(a_row_that_was_given_away_begins_where_it_is_told),
        FACT(what_was_counted_is_found_again),
        FACT(the_least_recently_used_row_is_replaced),
        FACT(a_key_is_sixteen_bytes_that_are_not_all_nought),
        FACT(its_layout_is_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
