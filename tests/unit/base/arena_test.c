/* Carving: aligned, disjoint, untouched, and over when it is sealed. Our own
 * mistakes end the program, so those cases run in a child. */
#include "base/arena.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static _Alignas(64) uint8_t block[4096];

static void each_piece_is_aligned_and_its_own(void **state)
{
    struct arena a;
    uint8_t *last = block;
    (void)state;
    arena_init(&a, (struct span){block + 1, sizeof(block) - 1});
    for (size_t align = 1; align <= 64; align *= 2) {
        uint8_t *p = arena_carve(&a, 7, align);
        assert_int_equal((uintptr_t)p % align, 0);
        assert_true(p >= last);
        last = p + 7;
    }
    assert_int_equal(a.used, last - (block + 1));
}

static void a_span_is_aligned_for_anything(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, SPAN_ARRAY(block));
    arena_carve(&a, 1, 1);
    struct span s = arena_span(&a, 100);
    assert_int_equal(s.len, 100);
    assert_int_equal((uintptr_t)s.ptr % _Alignof(max_align_t), 0);
}

static void carving_does_not_touch_the_memory(void **state)
{
    struct arena a;
    (void)state;
    memset(block, 0xee, sizeof(block));
    arena_init(&a, SPAN_ARRAY(block));
    arena_span(&a, sizeof(block));
    for (size_t i = 0; i < sizeof(block); i++)
        assert_int_equal(block[i], 0xee);
}

static void all_of_it_can_be_carved(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, SPAN_ARRAY(block));
    arena_carve(&a, sizeof(block), 1);
    assert_int_equal(a.used, sizeof(block));
    arena_carve(&a, 0, 1);
}

static void carve_after_the_seal(struct arena *a)
{
    arena_seal(a);
    arena_carve(a, 1, 1);
}

static void carve_too_much(struct arena *a)
{
    arena_carve(a, sizeof(block) + 1, 1);
}

static void carve_more_than_is_left(struct arena *a)
{
    arena_carve(a, sizeof(block) - 1, 1);
    arena_carve(a, 1, 64);
}

static void carve_a_negative_size(struct arena *a)
{
    arena_carve(a, 10, 1);
    arena_carve(a, (size_t)-5, 1);
}

static void carve_with_an_odd_alignment(struct arena *a)
{
    arena_carve(a, 1, 3);
}

static void our_mistakes_stop_the_program(void **state)
{
    static void (*const mistakes[])(struct arena *) = {
        carve_after_the_seal,        carve_too_much,
        carve_more_than_is_left,     carve_a_negative_size,
        carve_with_an_odd_alignment,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        int raw, pid = fork();
        if (pid == 0) {
            struct arena a;
            close(STDERR_FILENO);
            arena_init(&a, SPAN_ARRAY(block));
            mistakes[i](&a);
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
        cmocka_unit_test(each_piece_is_aligned_and_its_own),
        cmocka_unit_test(a_span_is_aligned_for_anything),
        cmocka_unit_test(carving_does_not_touch_the_memory),
        cmocka_unit_test(all_of_it_can_be_carved),
        cmocka_unit_test(our_mistakes_stop_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
