/* The allocator against a naive model, and its limits. */
#include "transport/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define BLOCK (16 * 1024)
#define SLOTS 64

static _Alignas(16) uint8_t block[BLOCK + 64];

static bool in_block(const struct alloc *a, const uint8_t *p, size_t size)
{
    return p >= a->block.ptr && p + size <= a->block.ptr + a->block.len;
}

static void everything_is_aligned_and_inside(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 32; shift++) {
        struct alloc a;
        uint8_t *p;
        size_t n = 0;
        alloc_init(&a, (struct span){block + shift, 4000});
        while ((p = alloc_get(&a, 1 + n % 50)) != NULL) {
            assert_int_equal((uintptr_t)p % 16, 0);
            assert_true(in_block(&a, p, 1 + n % 50));
            memset(p, 0xff, 1 + n % 50);
            n++;
        }
        assert_true(n > 50);
    }
}

static void what_is_full_refuses_and_recovers(void **state)
{
    struct alloc a;
    (void)state;
    alloc_init(&a, (struct span){block, BLOCK});
    assert_null(alloc_get(&a, BLOCK));
    assert_null(alloc_get(&a, SIZE_MAX));
    assert_null(alloc_get(&a, SIZE_MAX - 7));
    void *p = alloc_get(&a, BLOCK - 64);
    assert_non_null(p);
    assert_null(alloc_get(&a, 1000));
    alloc_put(&a, p);
    assert_int_equal(a.used, 0);
    assert_true(a.peak >= BLOCK - 64);
    assert_non_null(alloc_get(&a, BLOCK - 64));
}

static void neighbours_join_in_every_order(void **state)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct alloc a;
        void *p[3];
        alloc_init(&a, (struct span){block, BLOCK});
        for (int k = 0; k < 3; k++)
            p[k] = alloc_get(&a, 5000);
        assert_null(alloc_get(&a, 5000));
        for (int k = 0; k < 3; k++)
            alloc_put(&a, p[orders[i][k]]);
        assert_int_equal(a.used, 0);
        assert_non_null(alloc_get(&a, 15000));
    }
}

static void resizing_keeps_the_bytes(void **state)
{
    struct alloc a;
    (void)state;
    alloc_init(&a, (struct span){block, BLOCK});
    uint8_t *p = alloc_resize(&a, NULL, 20);
    assert_non_null(p);
    memcpy(p, "twenty bytes of text", 20);
    assert_non_null(alloc_get(&a, 10)); /* in the way */
    uint8_t *q = alloc_resize(&a, p, 2000);
    assert_non_null(q);
    assert_ptr_not_equal(p, q);
    assert_memory_equal(q, "twenty bytes of text", 20);
    assert_ptr_equal(alloc_resize(&a, q, 10), q);
    assert_null(alloc_resize(&a, q, BLOCK));
    assert_memory_equal(q, "twenty bytes of text", 20);
    alloc_put(&a, NULL);
}

/* ---- the model: what each slot holds ------------------------------------- */

struct slot {
    uint8_t *ptr;
    size_t size;
    uint8_t fill;
};

static void check_slot(const struct alloc *a, const struct slot *s)
{
    assert_true(in_block(a, s->ptr, s->size));
    assert_int_equal((uintptr_t)s->ptr % 16, 0);
    for (size_t i = 0; i < s->size; i++)
        assert_int_equal(s->ptr[i], s->fill);
}

static void step(struct alloc *a, struct slot *s, uint8_t fill)
{
    size_t size = (size_t)rand() % (rand() % 8 == 0 ? 3000 : 200);
    size_t kept = s->size < size ? s->size : size;
    if (s->ptr != NULL && rand() % 3 != 0) {
        check_slot(a, s);
        alloc_put(a, s->ptr);
        *s = (struct slot){0};
        return;
    }
    uint8_t *p = alloc_resize(a, s->ptr, size);
    if (p == NULL)
        return; /* refused: what was there must still be */
    for (size_t i = 0; i < kept; i++)
        assert_int_equal(p[i], s->fill);
    *s = (struct slot){p, size, fill};
    memset(p, fill, size);
}

/* What is in use is untouched, and the accounts cover it. */
static void check_all(const struct alloc *a, const struct slot *slots)
{
    size_t sum = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        if (slots[i].ptr != NULL) {
            check_slot(a, &slots[i]);
            sum += slots[i].size;
        }
    }
    assert_true(sum <= a->used && a->used <= a->block.len);
    assert_true(a->used <= a->peak);
}

static void it_agrees_with_a_naive_model(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    struct slot slots[SLOTS] = {{0}};
    struct alloc a;
    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    alloc_init(&a, (struct span){block, BLOCK});
    for (int i = 0; i < 100000; i++) {
        step(&a, &slots[rand() % SLOTS], (uint8_t)i);
        if (i % 97 == 0)
            check_all(&a, slots);
    }
    for (size_t i = 0; i < SLOTS; i++)
        alloc_put(&a, slots[i].ptr);
    assert_int_equal(a.used, 0);
    assert_non_null(alloc_get(&a, BLOCK - 64)); /* no hole is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_aligned_and_inside),
        cmocka_unit_test(what_is_full_refuses_and_recovers),
        cmocka_unit_test(neighbours_join_in_every_order),
        cmocka_unit_test(resizing_keeps_the_bytes),
        cmocka_unit_test(it_agrees_with_a_naive_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
