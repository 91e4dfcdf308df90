/* Work that takes long, by children that nobody else must notice. */
#include "port/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/port/scratch.h"

#define SUM ((struct span){(uint8_t *)&sum, sizeof(sum)})

struct sum {
    uint32_t a, b;
    uint32_t wait_us;
    int code; /* returned, if not 0 */
};

static int add(const void *arg, struct span out)
{
    const struct sum *s = arg;
    uint32_t sum = s->a + s->b;
    usleep(s->wait_us);
    if (s->code != 0)
        return s->code;
    memcpy(out.ptr, &sum, sizeof(sum));
    return (int)sizeof(sum);
}

static int fill(const void *arg, struct span out)
{
    memset(out.ptr, *(const uint8_t *)arg, out.len);
    return (int)out.len;
}

static int die(const void *arg, struct span out)
{
    (void)arg;
    (void)out;
    abort();
}

static int nothing(const void *arg, struct span out)
{
    (void)arg;
    (void)out;
    return 0;
}

/* Tasks that an earlier test gave up may take a moment to end. */
static int start(port_task_fn *work, const void *arg)
{
    int h;
    while ((h = port_task(work, arg)) == ERR_LIMIT)
        usleep(1000);
    assert_true(h > 3);
    return h;
}

static int take(int handle, struct span out)
{
    int n;
    do
        scratch_ready(handle, PORT_READ);
    while ((n = port_task_take(handle, out)) == 0);
    return n;
}

static void what_was_computed_comes_back(void **state)
{
    uint32_t sum = 0;
    struct sum s = {.a = 40, .b = 2};
    (void)state;
    assert_int_equal(take(start(add, &s), SUM), 4);
    assert_int_equal(sum, 42);
}

static void the_argument_may_be_wiped_at_once(void **state)
{
    uint32_t sum = 0;
    struct sum s = {.a = 40, .b = 2, .wait_us = 20000};
    (void)state;
    int h = start(add, &s);
    memset(&s, 0, sizeof(s));
    assert_int_equal(port_task_take(h, SUM), 0);
    assert_int_equal(take(h, SUM), 4);
    assert_int_equal(sum, 42);
}

static void an_answer_may_be_as_long_as_it_says(void **state)
{
    uint8_t out[PORT_TASK_ANSWER_MAX], letter = 'x';
    (void)state;
    assert_int_equal(take(start(fill, &letter), SPAN_ARRAY(out)), sizeof(out));
    assert_int_equal(out[0], 'x');
    assert_int_equal(out[sizeof(out) - 1], 'x');
    assert_int_equal(take(start(fill, &letter), (struct span){out, 255}),
                     ERR_IO);
}

static void a_code_comes_back_as_it_was(void **state)
{
    uint32_t sum;
    struct sum s = {.code = ERR_DAMAGED};
    (void)state;
    assert_int_equal(take(start(add, &s), SUM), ERR_DAMAGED);
}

static void a_child_that_dies_is_an_error(void **state)
{
    uint32_t sum;
    (void)state;
    assert_int_equal(take(start(die, NULL), SUM), ERR_IO);
    assert_int_equal(take(start(nothing, NULL), SUM), ERR_IO);
}

static void
many_at_once_are_limited_and_given_up_ones_free_the_place(void **state)
{
    struct sum s = {.wait_us = 20 * 1000 * 1000};
    int h[PORT_TASKS_MAX + 1];
    (void)state;
    for (int i = 0; i < PORT_TASKS_MAX; i++)
        h[i] = start(add, &s);
    assert_int_equal(port_task(add, &s), ERR_LIMIT);
    for (int i = 0; i < PORT_TASKS_MAX; i++)
        port_close(h[i]);
    for (int i = 0; i < 3 * PORT_TASKS_MAX; i++)
        port_close(start(add, &s)); /* each child is killed, not waited for */
}

static void look_ups_have_places_of_their_own(void **state)
{
    struct sum s = {.wait_us = 20 * 1000 * 1000};
    int h[PORT_TASKS_MAX];
    struct port_addr a[4];
    int lookup, n;
    (void)state;
    for (int i = 0; i < PORT_TASKS_MAX; i++)
        h[i] = start(add, &s);
    lookup = port_resolve("no-such-host.invalid", 1);
    assert_true(lookup > 3);
    do
        scratch_ready(lookup, PORT_READ);
    while ((n = port_resolve_take(lookup, a, 4)) == 0);
    assert_int_equal(n, ERR_NAME);
    for (int i = 0; i < PORT_TASKS_MAX; i++)
        port_close(h[i]);
}

static void its_children_are_not_reaped_as_ours(void **state)
{
    struct sum s = {.a = 1};
    uint32_t sum;
    int status, number;
    (void)state;
    take(start(add, &s), SUM);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(port_child_reap(&status, &number), 0);
        usleep(100);
    }
}

static void no_handle_is_left_open(void **state)
{
    struct sum s = {.a = 1};
    uint32_t sum;
    int before = scratch_handles();
    (void)state;
    take(start(add, &s), SUM);
    port_close(start(add, &s));
    assert_int_equal(scratch_handles(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_computed_comes_back),
        cmocka_unit_test(the_argument_may_be_wiped_at_once),
        cmocka_unit_test(an_answer_may_be_as_long_as_it_says),
        cmocka_unit_test(a_code_comes_back_as_it_was),
        cmocka_unit_test(a_child_that_dies_is_an_error),
        cmocka_unit_test(
            many_at_once_are_limited_and_given_up_ones_free_the_place),
        cmocka_unit_test(look_ups_have_places_of_their_own),
        cmocka_unit_test(its_children_are_not_reaped_as_ours),
        cmocka_unit_test(no_handle_is_left_open),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
