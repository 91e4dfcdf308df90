/*
 * The judgement over a newcomer, in full: every row, every instance, every
 * epoch around the row's, every knowledge of another link. And the stories
 * that it is for: restarts never shut a machine out, a copy always does in
 * the end.
 */
#include "relay/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UNTOUCHED UINT64_C(0x5A5A5A5A)

enum who { NOBODY, THE_HOLDER, ANOTHER, WHO_COUNT };

static const uint8_t holder[16] = {1}, another[16] = {2};

static struct view instance_of(enum who who)
{
    return who == THE_HOLDER ? VIEW_ARRAY(holder)
           : who == ANOTHER  ? VIEW_ARRAY(another)
                             : VIEW_NONE;
}

struct wanted {
    enum lease_verdict verdict;
    uint64_t next;
};

/* Written down a second time, as docs/decisions/0018 has it. */
static struct wanted wanted(const struct lease_row *row, enum who who,
                            int64_t ahead, enum lease_other other)
{
    if (!row->held)
        return who == NOBODY ? (struct wanted){LEASE_PLAIN, UNTOUCHED}
                             : (struct wanted){LEASE_TAKE, row->epoch + 1};
    if (who == THE_HOLDER)
        return (struct wanted){LEASE_KEEP, row->epoch};
    bool fits = ahead == 0 || (ahead == -1 && !row->confirmed) ||
                (ahead < 0 && row->first && !row->confirmed) ||
                (ahead > 0 && ahead <= LEASE_LEAP);
    if (other == LEASE_UNASKED)
        return (struct wanted){LEASE_ASK, UNTOUCHED};
    if (who == NOBODY || !fits)
        return (struct wanted){LEASE_STALE, UNTOUCHED};
    if (other == LEASE_ANSWERS)
        return (struct wanted){LEASE_TWO, UNTOUCHED};
    if (ahead > 0)
        return (struct wanted){LEASE_TAKE, row->epoch + (uint64_t)ahead + 1};
    return (struct wanted){LEASE_TAKE,
                           row->confirmed ? row->epoch + 1 : row->epoch};
}

static void every_combination_is_judged_as_written(void **state)
{
    static const int64_t aheads[] = {-40, -2, -1,         0,
                                     1,   2,  LEASE_LEAP, LEASE_LEAP + 1};
    static const uint64_t epochs[] = {41, 42, UINT64_C(1) << 40};
    int count = 0;

    (void)state;
    for (size_t e = 0; e < sizeof epochs / sizeof epochs[0]; e++)
        for (int flags = 0; flags < 8; flags++)
            for (enum who who = NOBODY; who < WHO_COUNT; who++)
                for (size_t a = 0; a < sizeof aheads / sizeof aheads[0]; a++)
                    for (enum lease_other o = LEASE_NO_OTHER;
                         o <= LEASE_ANSWERS; o++) {
                        struct lease_row row = {.held = (flags & 1) != 0,
                                                .epoch = epochs[e],
                                                .confirmed = (flags & 2) != 0,
                                                .first = flags == 5};
                        uint64_t next = UNTOUCHED;
                        memcpy(row.holder, holder, sizeof holder);
                        struct wanted w = wanted(&row, who, aheads[a], o);
                        enum lease_verdict v = lease_judge(
                            &row, instance_of(who),
                            epochs[e] + (uint64_t)aheads[a], o, &next);
                        if (v != w.verdict || next != w.next)
                            fail_msg("flags %d who %d ahead %ld other %d: %d",
                                     flags, (int)who, (long)aheads[a], (int)o,
                                     (int)v);
                        count++;
                    }
    assert_int_equal(count, 3 * 8 * 3 * 8 * 3);
}

static void the_first_one_gets_the_first_epoch(void **state)
{
    struct lease_row row = {.held = false};
    uint64_t next = 0;

    (void)state;
    assert_int_equal(
        lease_judge(&row, VIEW_ARRAY(holder), 0, LEASE_NO_OTHER, &next),
        LEASE_TAKE);
    assert_true(next == 1);
}

static void a_number_out_of_this_world_is_stale(void **state)
{
    struct lease_row row = {.held = true, .epoch = 5, .confirmed = true};
    uint64_t next = UNTOUCHED;

    (void)state;
    assert_int_equal(lease_judge(&row, VIEW_ARRAY(another), UINT64_MAX,
                                 LEASE_NO_OTHER, &next),
                     LEASE_STALE);
    assert_int_equal(
        lease_judge(&row, VIEW_ARRAY(another), 0, LEASE_NO_OTHER, &next),
        LEASE_STALE);
    assert_true(next == UNTOUCHED);
}

/* ---- stories ------------------------------------------------------------------ */

struct folder {
    uint64_t epoch;
    uint8_t instance[16];
};

static struct lease_row row;
static uint8_t processes;

static void restart(struct folder *f)
{
    memset(f->instance, 0, sizeof f->instance);
    f->instance[0] = ++processes;
}

/* It connects; `writes`: it lives until the lease is on disk, `beats`: and
 * until its first Heartbeat is through. */
static enum lease_verdict connect(struct folder *f, enum lease_other other,
                                  bool writes, bool beats)
{
    uint64_t next = 0;
    enum lease_verdict v =
        lease_judge(&row, VIEW_ARRAY(f->instance), f->epoch, other, &next);
    if (v != LEASE_TAKE && v != LEASE_KEEP)
        return v;
    if (v == LEASE_TAKE) {
        row.first = !row.held || row.first;
        row.held = true;
        row.confirmed = false;
        row.epoch = next;
        memcpy(row.holder, f->instance, sizeof row.holder);
    }
    if (writes)
        f->epoch = next;
    if (beats) {
        row.confirmed = true;
        row.first = false;
    }
    return v;
}

static void begin(void)
{
    row = (struct lease_row){.held = false};
    processes = 0;
}

/* A machine that dies at any moment, as often as it likes. */
static void restarts_never_shut_a_machine_out(void **state)
{
    (void)state;
    for (unsigned script = 0; script < 729; script++) {
        struct folder f = {.epoch = 0};
        unsigned rest = script;
        begin();
        for (int i = 0; i < 6; i++, rest /= 3) {
            unsigned how = rest % 3; /* before the write, the beat, or after */
            restart(&f);
            assert_int_equal(connect(&f, LEASE_NO_OTHER, how >= 1, how >= 2),
                             LEASE_TAKE);
            assert_int_equal(connect(&f, LEASE_NO_OTHER, how >= 1, how >= 2),
                             LEASE_KEEP);
        }
    }
}

/* Two folders with the same content, used in turns: as soon as both have been
 * here and the first comes again, it is found out, whatever died when. */
static void a_copy_is_found_out_when_the_first_comes_again(void **state)
{
    (void)state;
    begin();
    struct folder a = {.epoch = 0};
    restart(&a);
    assert_int_equal(connect(&a, LEASE_NO_OTHER, true, true), LEASE_TAKE);
    struct folder b = a;
    restart(&b);
    assert_int_equal(connect(&b, LEASE_NO_OTHER, true, true), LEASE_TAKE);
    assert_int_equal(connect(&a, LEASE_NO_OTHER, true, true), LEASE_STALE);
    restart(&a);
    assert_int_equal(connect(&a, LEASE_UNASKED, true, true), LEASE_ASK);
    assert_int_equal(connect(&a, LEASE_NO_OTHER, true, true), LEASE_STALE);
}

static void a_copy_is_found_out_while_the_first_lives(void **state)
{
    (void)state;
    begin();
    struct folder a = {.epoch = 0};
    restart(&a);
    assert_int_equal(connect(&a, LEASE_NO_OTHER, true, true), LEASE_TAKE);
    struct folder b = a;
    restart(&b);
    assert_int_equal(connect(&b, LEASE_UNASKED, true, true), LEASE_ASK);
    assert_int_equal(connect(&b, LEASE_ANSWERS, true, true), LEASE_TWO);
}

static void after_an_owners_word_the_next_one_holds_it(void **state)
{
    (void)state;
    begin();
    struct folder a = {.epoch = 0};
    restart(&a);
    assert_int_equal(connect(&a, LEASE_NO_OTHER, true, true), LEASE_TAKE);
    struct folder b = a;
    row.held = false; /* approved */
    row.epoch++;
    assert_int_equal(connect(&a, LEASE_NO_OTHER, true, true), LEASE_TAKE);
    restart(&b);
    assert_int_equal(connect(&b, LEASE_NO_OTHER, true, true), LEASE_STALE);
}

/* Its folder is as old as before, however often it dies. */
static void the_next_one_may_die_before_it_has_written(void **state)
{
    (void)state;
    for (uint64_t old = 0; old < 9; old += 4) {
        begin();
        struct folder a = {.epoch = old};
        row.epoch = 8; /* approved */
        for (int i = 0; i < 5; i++) {
            restart(&a);
            assert_int_equal(connect(&a, LEASE_NO_OTHER, false, false),
                             LEASE_TAKE);
            assert_true(row.epoch == 9);
        }
        restart(&a);
        assert_int_equal(connect(&a, LEASE_NO_OTHER, true, true), LEASE_TAKE);
        struct folder b = {.epoch = old};
        restart(&b);
        assert_int_equal(connect(&b, LEASE_NO_OTHER, true, true), LEASE_STALE);
    }
}

static void a_relay_that_was_set_back_shuts_nobody_out(void **state)
{
    (void)state;
    begin();
    struct folder a = {.epoch = 0};
    for (int i = 0; i < 9; i++) {
        restart(&a);
        assert_int_equal(connect(&a, LEASE_NO_OTHER, true, true), LEASE_TAKE);
    }
    row.epoch = 3;
    memset(row.holder, 0xAA, sizeof row.holder);
    assert_int_equal(connect(&a, LEASE_NO_OTHER, true, true), LEASE_TAKE);
    assert_true(a.epoch == 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_is_judged_as_written),
        cmocka_unit_test(the_first_one_gets_the_first_epoch),
        cmocka_unit_test(a_number_out_of_this_world_is_stale),
        cmocka_unit_test(restarts_never_shut_a_machine_out),
        cmocka_unit_test(a_copy_is_found_out_when_the_first_comes_again),
        cmocka_unit_test(a_copy_is_found_out_while_the_first_lives),
        cmocka_unit_test(after_an_owners_word_the_next_one_holds_it),
        cmocka_unit_test(the_next_one_may_die_before_it_has_written),
        cmocka_unit_test(a_relay_that_was_set_back_shuts_nobody_out),
    };
    return cmocka_run_group_tests_name("relay/lease", tests, NULL, NULL);
}
