/* The ring against an array that simply remembers everything, under random
 * operations. The seed is printed and may be given as an argument. */
#include "base/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "port/port.h"

#define STEPS   200000
#define CAP_MAX 64
#define STREAM  (STEPS * 2)

static uint64_t seed;
static uint8_t buf[CAP_MAX];
static uint8_t stream[STREAM]; /* every byte there ever was */
static uint64_t start;         /* the offset of stream[0] */
static struct ring r;

/* splitmix64 */
static uint32_t roll(uint32_t n)
{
    uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) % n);
}

static size_t at(uint64_t off)
{
    return (size_t)(off - start);
}

/* Fill `out` with new bytes and remember them as the stream's next. */
static void invent(uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        stream[at(r.tail) + i] = out[i] = (uint8_t)roll(256);
}

static void check(void)
{
    uint8_t copy[CAP_MAX + 8];
    uint64_t off = r.head + roll(ring_len(&r) + 1);
    size_t want = roll(sizeof(copy));
    size_t held = (size_t)(r.tail - off);
    assert_true(r.tail - r.head <= r.cap);
    assert_int_equal(ring_len(&r) + ring_room(&r), r.cap);
    assert_int_equal(ring_copy(&r, off, (struct span){copy, want}),
                     want < held ? want : held);
    assert_memory_equal(copy, stream + at(off), want < held ? want : held);
    struct view v = ring_at(&r, off);
    assert_true(v.len > 0 || held == 0);
    assert_true(v.ptr + v.len <= buf + r.cap);
    assert_memory_equal(v.ptr, stream + at(off), v.len);
}

static void write_some(void)
{
    uint8_t in[CAP_MAX + 8];
    size_t n = roll(sizeof(in));
    bool fits = n <= ring_room(&r);
    uint64_t tail = r.tail;
    if (at(r.tail) + n > STREAM)
        return;
    invent(in, n);
    assert_int_equal(ring_write(&r, view_of(in, n)), fits ? OK : ERR_FULL);
    assert_int_equal(r.tail - tail, fits ? n : 0);
}

static void commit_some(void)
{
    struct span s = ring_space(&r);
    assert_true(s.len > 0 || ring_room(&r) == 0);
    uint32_t n = roll((uint32_t)s.len + 1);
    invent(s.ptr, n);
    ring_commit(&r, n);
}

static void push_some(void)
{
    uint32_t n = roll(r.cap + 1);
    uint64_t head = r.head;
    uint32_t room = ring_room(&r);
    struct span s = ring_push_space(&r, n);
    assert_int_equal(r.head - head, n > room ? n - room : 0);
    assert_true(s.len <= n && (s.len > 0 || n == 0));
    invent(s.ptr, s.len);
    ring_commit(&r, (uint32_t)s.len);
}

static void consume_some(void)
{
    ring_consume(&r, r.head + roll(ring_len(&r) + 1));
}

static void run(uint32_t cap, uint64_t from)
{
    static void (*const ops[])(void) = {write_some, commit_some, push_some,
                                        consume_some};
    start = from;
    ring_init(&r, (struct span){buf, cap}, from);
    for (int i = 0; i < STEPS && at(r.tail) < STREAM - 2 * CAP_MAX; i++) {
        ops[roll(4)]();
        check();
    }
}

static void the_ring_holds_what_the_array_remembers(void **state)
{
    (void)state;
    for (uint32_t cap = 1; cap <= CAP_MAX; cap *= 2) {
        run(cap, 0);
        run(cap, (UINT64_C(1) << 32) - 1000);
        run(cap, roll(UINT32_MAX));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ring_holds_what_the_array_remembers),
    };
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : port_now_us();
    printf("# seed %llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
