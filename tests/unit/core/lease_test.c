/* The lease on disk: what is kept is loaded, what is not whole is refused, and
 * a number that is there already is not written again. */
#include "core/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/port_keep.h"

#define STATE "/state"
#define PATH  "/state/lease"

enum { FILE_LEN = 56 };

static const uint8_t relay[32] = {1, 2, 3};
static const uint8_t other_relay[32] = {1, 2, 4};
static struct lease l;
static char sentence[512];

static int load(void)
{
    struct text why;

    TEXT_OF(&why, sentence);
    memset(&l, 0x5A, sizeof l);
    return lease_load(STATE, relay, &l, &why);
}

static int keep(uint64_t epoch)
{
    struct text why;

    TEXT_OF(&why, sentence);
    return lease_keep(STATE, &l, epoch, &why);
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    return load();
}

static void without_a_file_there_is_none_yet(void **state)
{
    (void)state;
    assert_true(l.epoch == 0);
    assert_memory_equal(l.relay, relay, sizeof relay);
    assert_string_equal(sentence, "");
    assert_int_equal(fake.count, 0);
}

static void what_is_kept_is_loaded(void **state)
{
    static const uint64_t epochs[] = {1, 2, UINT64_C(0x0102030405060708),
                                      UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof epochs / sizeof epochs[0]; i++) {
        assert_int_equal(keep(epochs[i]), OK);
        assert_true(l.epoch == epochs[i]);
        assert_int_equal(load(), OK);
        assert_true(l.epoch == epochs[i]);
    }
}

static void the_file_is_as_drawn(void **state)
{
    const struct fake_file *f;

    (void)state;
    assert_int_equal(keep(0x0102), OK);
    f = fake_find(PATH);
    assert_int_equal(f->len, FILE_LEN);
    assert_memory_equal(f->data, "CMDOPLS\1", 8);
    assert_memory_equal(f->data + 8, relay, 32);
    assert_memory_equal(f->data + 40, "\0\0\0\0\0\0\1\2", 8);
}

static void a_number_that_is_there_is_not_written_again(void **state)
{
    (void)state;
    assert_int_equal(keep(7), OK);
    size_t calls = fake.calls;
    for (int i = 0; i < 3; i++)
        assert_int_equal(keep(7), OK);
    assert_int_equal(fake.calls, calls);
    assert_int_equal(load(), OK);
    calls = fake.calls;
    assert_int_equal(keep(7), OK);
    assert_int_equal(fake.calls, calls);
}

static void another_relays_lease_is_none(void **state)
{
    struct text why;

    (void)state;
    assert_int_equal(keep(7), OK);
    TEXT_OF(&why, sentence);
    assert_int_equal(lease_load(STATE, other_relay, &l, &why), OK);
    assert_true(l.epoch == 0);
    assert_int_equal(keep(1), OK);
    assert_int_equal(load(), OK);
    assert_true(l.epoch == 0);
}

static void every_truncation_and_every_changed_byte_is_damage(void **state)
{
    struct fake_file *f;

    (void)state;
    assert_int_equal(keep(7), OK);
    f = fake_find(PATH);
    for (f->len = 0; f->len < FILE_LEN; f->len++) {
        assert_int_equal(load(), ERR_DAMAGED);
        assert_true(l.epoch == 0);
        assert_non_null(strstr(sentence, "machines approve"));
    }
    f->len = FILE_LEN + 1;
    assert_int_equal(load(), ERR_DAMAGED);
    f->len = FILE_LEN;
    for (size_t i = 0; i < FILE_LEN; i++) {
        f->data[i] ^= 0x10;
        assert_int_equal(load(), i == 7 ? ERR_UNSUPPORTED : ERR_DAMAGED);
        assert_true(l.epoch == 0);
        assert_true(sentence[0] != '\0');
        f->data[i] ^= 0x10;
    }
    assert_int_equal(load(), OK);
    assert_true(l.epoch == 7);
}

/* Power cut at every write: always the old number or the new one. */
static void a_fault_at_any_call_leaves_the_old_number_or_the_new(void **state)
{
    int err;

    (void)state;
    for (int on = 0; on <= 1; on++) {
        size_t at = 0;
        do {
            fake_reset();
            assert_int_equal(load(), OK);
            assert_int_equal(keep(4), OK);
            fake.calls = 0;
            fake.fail_at = ++at;
            fake.fail_on = on == 1;
            fake.fail_err = ERR_NO_SPACE;
            err = keep(5);
            assert_true(l.epoch == (err == OK ? 5 : 4));
            assert_true((err == OK) == (sentence[0] == '\0'));
            fake.fail_at = 0;
            assert_int_equal(load(), OK);
            assert_true(l.epoch == (err == OK ? 5 : 4));
            assert_int_equal(keep(5), OK);
        } while (err != OK);
        assert_true(at > 1);
    }
}

static void it_is_forgotten(void **state)
{
    struct text why;

    (void)state;
    assert_int_equal(keep(4), OK);
    TEXT_OF(&why, sentence);
    assert_int_equal(lease_remove(STATE, &why), OK);
    assert_int_equal(lease_remove(STATE, &why), OK);
    assert_null(fake_find(PATH));
    assert_int_equal(load(), OK);
    assert_true(l.epoch == 0);
}

static void a_path_that_is_too_long_is_told(void **state)
{
    char longest[600];
    struct text why;

    (void)state;
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    TEXT_OF(&why, sentence);
    assert_int_equal(lease_load(longest, relay, &l, &why), ERR_RANGE);
    assert_non_null(strstr(sentence, "too long"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_a_file_there_is_none_yet, setup),
        cmocka_unit_test_setup(what_is_kept_is_loaded, setup),
        cmocka_unit_test_setup(the_file_is_as_drawn, setup),
        cmocka_unit_test_setup(a_number_that_is_there_is_not_written_again,
                               setup),
        cmocka_unit_test_setup(another_relays_lease_is_none, setup),
        cmocka_unit_test_setup(
            every_truncation_and_every_changed_byte_is_damage, setup),
        cmocka_unit_test_setup(
            a_fault_at_any_call_leaves_the_old_number_or_the_new, setup),
        cmocka_unit_test_setup(it_is_forgotten, setup),
        cmocka_unit_test_setup(a_path_that_is_too_long_is_told, setup),
    };
    return cmocka_run_group_tests_name("core/lease", tests, NULL, NULL);
}
