/* What the tool remembers of machines with a password. */
#include "core/unlockfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fake/port_keep.h"

#define RUN    "/run"
#define CONFIG "/config"
#define T0     INT64_C(1700000000000)

static const uint8_t PIN[32] = {1}, PIN2[32] = {2}, KEY[32] = {3}, KEY2[32];
static struct unlock_token found;
static uint32_t listed;

static int setup(void **state)
{
    (void)state;
    fake_reset();
    memset(&found, 0, sizeof(found));
    listed = 0;
    return 0;
}

static void save(const char *id, const char *name, uint8_t byte)
{
    struct unlock_token t = {.until_ms = T0 + LOCK_TOKEN_MS};
    memset(t.token, byte, sizeof(t.token));
    STR_COPY(t.machine_id, id);
    STR_COPY(t.name, name);
    unlockfile_save(RUN, PIN, &t);
}

static void a_token_is_found_by_id_and_by_name(void **state)
{
    (void)state;
    save("id-1", "web-1", 1);
    save("id-2", "web-2", 2);
    assert_int_equal(unlockfile_load(RUN, PIN, "id-2", T0, &found), OK);
    assert_int_equal(found.token[0], 2);
    assert_int_equal(unlockfile_find(RUN, PIN, "web-1", T0, &found), OK);
    assert_int_equal(found.token[0], 1);
    assert_int_equal(unlockfile_find(RUN, PIN, "id-1", T0, &found), OK);
    assert_int_equal(unlockfile_find(RUN, PIN, "web", T0, &found),
                     ERR_NOT_FOUND);
    assert_int_equal(unlockfile_find(RUN, PIN, "", T0, &found), ERR_NOT_FOUND);
}

static void another_relay_gets_none(void **state)
{
    (void)state;
    save("id-1", "web-1", 1);
    assert_true(unlockfile_load(RUN, PIN2, "id-1", T0, &found) < 0);
    assert_int_equal(unlockfile_find(RUN, PIN2, "web-1", T0, &found),
                     ERR_NOT_FOUND);
}

static void one_that_is_over_or_from_a_wrong_clock_is_none(void **state)
{
    (void)state;
    save("id-1", "web-1", 1);
    assert_true(unlockfile_load(RUN, PIN, "id-1", T0 + LOCK_TOKEN_MS, &found) <
                0);
    assert_true(unlockfile_load(RUN, PIN, "id-1", T0 - 900000, &found) < 0);
    assert_int_equal(
        unlockfile_load(RUN, PIN, "id-1", T0 + LOCK_TOKEN_MS - 1, &found), OK);
}

static void count_one(void *ctx, const struct unlock_token *t)
{
    static const uint8_t none[LOCK_TOKEN_LEN];
    (void)ctx;
    assert_memory_equal(t->token, none, sizeof(none)); /* not shown */
    listed++;
}

static void a_list_has_the_good_ones_and_sweeps_the_others(void **state)
{
    (void)state;
    save("id-1", "web-1", 1);
    fake_put(RUN "/ticket-1", view_str("something else"));
    unlockfile_list(RUN, T0, count_one, NULL);
    assert_int_equal(listed, 1);
    unlockfile_list(RUN, T0 + LOCK_TOKEN_MS, count_one, NULL);
    assert_int_equal(listed, 1);
    assert_int_equal(fake.count, 1);
    assert_non_null(fake_find(RUN "/ticket-1"));
}

static void a_removed_one_is_gone(void **state)
{
    (void)state;
    save("id-1", "web-1", 1);
    unlockfile_remove(RUN, PIN, "id-1");
    assert_int_equal(fake.count, 0);
}

static void every_cut_and_every_longer_file_is_damaged(void **state)
{
    uint8_t raw[UNLOCKFILE_BYTES + 1] = {0};
    struct unlock_token t = {.until_ms = T0, .machine_id = "m", .name = "n"};
    (void)state;
    int len = unlockfile_encode(&t, raw);
    assert_int_equal(unlockfile_decode(view_of(raw, (size_t)len), &found), OK);
    for (int i = 0; i < len; i++)
        assert_int_equal(unlockfile_decode(view_of(raw, (size_t)i), &found),
                         ERR_DAMAGED);
    assert_int_equal(unlockfile_decode(view_of(raw, (size_t)len + 1), &found),
                     ERR_DAMAGED);
}

/* Every call of the port fails, once and for ever: there is the old token or
 * the new one. */
static void a_fault_at_any_call_leaves_the_old_token_or_the_new(void **state)
{
    (void)state;
    for (int on = 0; on <= 1; on++) {
        bool met = true;
        size_t at = 0;
        while (met) {
            setup(NULL);
            save("id-1", "web-1", 1);
            fake.calls = 0;
            fake.fail_at = ++at;
            fake.fail_on = on == 1;
            fake.fail_err = ERR_NO_SPACE;
            save("id-1", "web-1", 2);
            met = fake.calls >= at;
            fake.fail_at = 0;
            assert_int_equal(unlockfile_load(RUN, PIN, "id-1", T0, &found), OK);
            assert_int_equal(found.token[0], met ? 1 : 2);
        }
        assert_true(at > 2);
    }
}

/* ---- keys --------------------------------------------------------------------- */

static void a_key_is_new_then_known_then_another(void **state)
{
    int64_t since = 0;
    (void)state;
    assert_int_equal(known_check(CONFIG, PIN, "web-1", KEY, &since),
                     ERR_NOT_FOUND);
    assert_int_equal(known_keep(CONFIG, PIN, "web-1", KEY, T0), OK);
    assert_int_equal(known_check(CONFIG, PIN, "web-1", KEY, &since), OK);
    assert_int_equal(since, T0);
    assert_int_equal(known_check(CONFIG, PIN, "web-1", KEY2, &since), ERR_PIN);
    assert_int_equal(known_check(CONFIG, PIN, "web-2", KEY, &since),
                     ERR_NOT_FOUND);
    assert_int_equal(known_check(CONFIG, PIN2, "web-1", KEY, &since),
                     ERR_NOT_FOUND);
}

static void a_damaged_key_file_is_not_a_new_machine(void **state)
{
    int64_t since;
    (void)state;
    assert_int_equal(known_keep(CONFIG, PIN, "web-1", KEY, T0), OK);
    for (fake.file[0].len = 0; fake.file[0].len < 54; fake.file[0].len++)
        assert_int_equal(known_check(CONFIG, PIN, "web-1", KEY, &since),
                         ERR_DAMAGED);
    assert_int_equal(known_check(CONFIG, PIN, "web-1", KEY, &since), OK);
}

/* A key that could not be kept is asked about again; never is it another. */
static void a_fault_at_any_call_leaves_the_old_key_or_the_new(void **state)
{
    int64_t since;
    (void)state;
    for (int run = 0; run < 4; run++) {
        bool is_new = run < 2;
        size_t at = 0;
        int err;
        do {
            setup(NULL);
            if (!is_new)
                assert_int_equal(known_keep(CONFIG, PIN, "web-1", KEY, T0), OK);
            fake.calls = 0;
            fake.fail_at = ++at;
            fake.fail_on = (run & 1) != 0;
            fake.fail_err = ERR_NO_SPACE;
            err = known_keep(CONFIG, PIN, "web-1", KEY2, T0 + 1);
            assert_int_equal(err, fake.calls >= at ? ERR_NO_SPACE : OK);
            fake.fail_at = 0;
            assert_int_equal(known_check(CONFIG, PIN, "web-1", KEY, &since),
                             err == OK ? ERR_PIN
                             : is_new  ? ERR_NOT_FOUND
                                       : OK);
            assert_int_equal(known_check(CONFIG, PIN, "web-1", KEY2, &since),
                             err == OK ? OK
                             : is_new  ? ERR_NOT_FOUND
                                       : ERR_PIN);
        } while (err != OK);
        assert_true(at > 2);
    }
}

/* Nobody can know then: it is no new machine. */
static void a_fault_while_a_key_is_looked_up_is_told(void **state)
{
    int64_t since;
    (void)state;
    assert_int_equal(known_keep(CONFIG, PIN, "web-1", KEY, T0), OK);
    fake.fail_err = ERR_IO;
    fake.fail_at = fake.calls + 1;
    assert_int_equal(known_check(CONFIG, PIN, "web-1", KEY, &since), ERR_IO);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(a_token_is_found_by_id_and_by_name),
        T(another_relay_gets_none),
        T(one_that_is_over_or_from_a_wrong_clock_is_none),
        T(a_list_has_the_good_ones_and_sweeps_the_others),
        T(a_removed_one_is_gone),
        T(every_cut_and_every_longer_file_is_damaged),
        T(a_fault_at_any_call_leaves_the_old_token_or_the_new),
        T(a_fault_at_any_call_leaves_the_old_key_or_the_new),
        T(a_fault_while_a_key_is_looked_up_is_told),
        T(a_key_is_new_then_known_then_another),
        T(a_damaged_key_file_is_not_a_new_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
