/* What was set for members on machines: against a plain list. */
#include "relay/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CAP 40

static struct access table;
static _Alignas(64) uint8_t memory[8192];

static int setup(void **state)
{
    struct arena a;
    (void)state;
    memset(memory, 0xee, sizeof(memory));
    assert_true(access_bytes(CAP) <= sizeof(memory));
    arena_init(&a, (struct span){memory, access_bytes(CAP)});
    access_init(&table, &a, CAP);
    return 0;
}

static const struct access_key one = {"f1", "m1", "p1"};

static void nothing_is_set_at_first(void **state)
{
    enum may_access got;
    (void)state;
    assert_false(access_get(&table, &one, &got));
}

static void fleet_machine_and_person_are_all_of_the_key(void **state)
{
    static const struct access_key others[] = {
        {"f2", "m1", "p1"}, {"f1", "m2", "p1"}, {"f1", "m1", "p2"},
        {"f1", "p1", "m1"}, {"f1m", "1", "p1"},
    };
    enum may_access got;
    (void)state;
    access_set(&table, &one, MAY_ACCESS_VIEW);
    assert_true(access_get(&table, &one, &got));
    assert_int_equal(got, MAY_ACCESS_VIEW);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(access_get(&table, &others[i], &got));
    access_set(&table, &one, MAY_ACCESS_HIDDEN);
    assert_true(access_get(&table, &one, &got));
    assert_int_equal(got, MAY_ACCESS_HIDDEN);
    access_set(&table, &one, MAY_ACCESS_FULL);
    assert_false(access_get(&table, &one, &got));
    assert_int_equal(table.count, 0);
}

static struct access_key key_of(unsigned n, char text[3][UUID_CAP])
{
    snprintf(text[0], UUID_CAP, "fleet-%u", n % 3);
    snprintf(text[1], UUID_CAP, "machine-%u", n / 3 % 8);
    snprintf(text[2], UUID_CAP, "person-%u", n / 24);
    return (struct access_key){text[0], text[1], text[2]};
}

static void it_is_as_a_plain_list_says(void **state)
{
    enum { KEYS = 72 };
    static int plain[KEYS]; /* access + 1; 0: nothing */
    char text[3][UUID_CAP];
    uint32_t x = 99, held = 0;
    (void)state;
    memset(plain, 0, sizeof(plain));
    for (int step = 0; step < 20000; step++) {
        x = x * 1664525u + 1013904223u;
        unsigned n = (x >> 10) % KEYS, access = (x >> 24) % 4;
        struct access_key k = key_of(n, text);
        if (access != MAY_ACCESS_FULL && plain[n] == 0 && held == CAP)
            continue;
        access_set(&table, &k, (enum may_access)access);
        held -= plain[n] != 0;
        plain[n] = access == MAY_ACCESS_FULL ? 0 : (int)access + 1;
        held += plain[n] != 0;
        assert_int_equal(table.count, held);
        n = (x >> 3) % KEYS;
        k = key_of(n, text);
        enum may_access got;
        assert_int_equal(access_get(&table, &k, &got), plain[n] != 0);
        if (plain[n] != 0)
            assert_int_equal(got, plain[n] - 1);
    }
    assert_false(table.lost);
}

static void a_round_forgets_what_was_not_told(void **state)
{
    char text[3][UUID_CAP];
    enum may_access got;
    (void)state;
    for (unsigned n = 0; n < 30; n++) {
        struct access_key k = key_of(n, text);
        access_set(&table, &k, MAY_ACCESS_VIEW);
    }
    access_round(&table);
    for (unsigned n = 0; n < 30; n += 2) {
        struct access_key k = key_of(n, text);
        assert_true(access_get(&table, &k, &got)); /* all hold meanwhile */
        access_set(&table, &k, MAY_ACCESS_EXECUTE);
    }
    access_round_over(&table);
    for (unsigned n = 0; n < 30; n++) {
        struct access_key k = key_of(n, text);
        assert_int_equal(access_get(&table, &k, &got), n % 2 == 0);
    }
    assert_int_equal(table.count, 15);
}

static void assert_left(uint32_t count, const char *fleet, const char *machine,
                        const char *person)
{
    enum may_access got;
    const struct access_key gone = {fleet, machine, person};
    for (unsigned n = 0; n < 24; n++) {
        char text[3][UUID_CAP];
        struct access_key k = key_of(n, text);
        access_set(&table, &k, MAY_ACCESS_VIEW);
    }
    access_forget(&table, &gone);
    assert_int_equal(table.count, count);
    for (unsigned n = 0; n < 24; n++) {
        char text[3][UUID_CAP];
        struct access_key k = key_of(n, text);
        bool meant =
            strcmp(k.fleet_id, fleet) == 0 &&
            (machine[0] == '\0' || strcmp(k.machine_id, machine) == 0) &&
            (person[0] == '\0' || strcmp(k.person_id, person) == 0);
        assert_int_equal(access_get(&table, &k, &got), !meant);
    }
}

static void who_left_is_forgotten_in_that_fleet_alone(void **state)
{
    (void)state;
    assert_left(23, "fleet-1", "machine-2", "person-0");
    assert_left(23, "fleet-1", "machine-2", "");
    assert_left(16, "fleet-1", "", "person-0");
    assert_left(16, "fleet-2", "", "");
    assert_left(24, "fleet-9", "", "");
}

/* Rather nobody than somebody whom it was forbidden. */
static void what_does_not_fit_hides_the_rest(void **state)
{
    char text[3][UUID_CAP];
    enum may_access got;
    (void)state;
    for (unsigned n = 0; n <= CAP; n++) {
        struct access_key k = key_of(n, text);
        access_set(&table, &k, MAY_ACCESS_EXECUTE);
    }
    struct access_key k = key_of(3, text);
    assert_true(access_get(&table, &k, &got));
    assert_int_equal(got, MAY_ACCESS_EXECUTE);
    k = key_of(CAP, text);
    assert_true(access_get(&table, &k, &got));
    assert_int_equal(got, MAY_ACCESS_HIDDEN);
    access_round(&table);
    access_round_over(&table);
    assert_false(access_get(&table, &k, &got));
}

#define FACT(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(nothing_is_set_at_first),
        FACT(fleet_machine_and_person_are_all_of_the_key),
        FACT(it_is_as_a_plain_list_says),
        FACT(a_round_forgets_what_was_not_told),
        FACT(who_left_is_forgotten_in_that_fleet_alone),
        FACT(what_does_not_fit_hides_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
