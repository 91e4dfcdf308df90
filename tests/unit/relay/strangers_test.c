/* How many strangers an address has: against a plain count. */
#include "relay/strangers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAX 300

static struct strangers s;
static _Alignas(4096) uint8_t memory[3 * 4096 * 8];

static int setup(void **state)
{
    static const uint8_t key[16] = "a key for a test";
    struct arena a;
    (void)state;
    memset(memory, 0xee, sizeof(memory));
    arena_init(&a, SPAN_ARRAY(memory));
    strangers_init(&s, &a, MAX, key);
    return 0;
}

static struct port_addr v4(unsigned n)
{
    struct port_addr a = {.ip = {[10] = 0xFF, [11] = 0xFF}};
    a.ip[12] = 10;
    a.ip[13] = (uint8_t)(n >> 16);
    a.ip[14] = (uint8_t)(n >> 8);
    a.ip[15] = (uint8_t)n;
    a.port = (uint16_t)(n * 31);
    return a;
}

static struct port_addr v6(unsigned net, unsigned host)
{
    struct port_addr a = {.ip = {0x20, 0x01, 0x0d, 0xb8}};
    a.ip[7] = (uint8_t)net;
    a.ip[15] = (uint8_t)host;
    return a;
}

static void ports_do_not_tell_strangers_apart(void **state)
{
    struct port_addr a = v4(1), b = v4(1), c = v4(2);
    (void)state;
    b.port = 9;
    uint32_t one = strangers_enter(&s, &a), two = strangers_enter(&s, &b);
    assert_int_equal(one, two);
    assert_int_equal(strangers_count(&s, &a), 2);
    assert_int_equal(strangers_count(&s, &c), 0);
    strangers_leave(&s, one);
    assert_int_equal(strangers_count(&s, &b), 1);
    strangers_leave(&s, two);
    strangers_leave(&s, 0);
    assert_int_equal(strangers_count(&s, &b), 0);
}

static void an_ipv6_network_is_one_place_an_ipv4_host_is_one(void **state)
{
    struct port_addr a = v6(1, 1), b = v6(1, 200), c = v6(2, 1);
    struct port_addr d = v4(256), e = v4(257);
    (void)state;
    (void)strangers_enter(&s, &a);
    (void)strangers_enter(&s, &b);
    (void)strangers_enter(&s, &c);
    (void)strangers_enter(&s, &d);
    assert_int_equal(strangers_count(&s, &a), 2);
    assert_int_equal(strangers_count(&s, &c), 1);
    assert_int_equal(strangers_count(&s, &d), 1);
    assert_int_equal(strangers_count(&s, &e), 0);
}

/* Comings and goings at random, from more addresses than there are buckets. */
static void the_count_is_a_plain_count(void **state)
{
    static uint32_t live[MAX];  /* place, 0: nobody */
    static unsigned from[MAX];  /* his address */
    static unsigned count[700]; /* of each address */
    uint32_t x = 12345;
    (void)state;
    for (int step = 0; step < 40000; step++) {
        x = x * 1664525u + 1013904223u;
        unsigned i = (x >> 8) % MAX;
        if (live[i] != 0) {
            strangers_leave(&s, live[i]);
            count[from[i]]--;
            live[i] = 0;
        } else {
            from[i] = (x >> 18) % 700;
            struct port_addr a = v4(from[i]);
            live[i] = strangers_enter(&s, &a);
            count[from[i]]++;
        }
        struct port_addr a = v4(from[i]);
        assert_int_equal(strangers_count(&s, &a), count[from[i]]);
    }
    for (unsigned n = 0; n < 700; n++) {
        struct port_addr a = v4(n);
        assert_int_equal(strangers_count(&s, &a), count[n]);
    }
    assert_true(s.fresh <= MAX + 1);
}

#define FACT(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(ports_do_not_tell_strangers_apart),
        FACT(an_ipv6_network_is_one_place_an_ipv4_host_is_one),
        FACT(the_count_is_a_plain_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
