/* agent.json: what is saved is loaded, and whatever is not whole is refused
 * with the remedy. */
#include "core/agentfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/port_keep.h"

#define STATE "/state"
#define PATH  "/state/agent.json"
#define UUID  "123e4567-e89b-12d3-a456-426614174000"

#define HEAD "{\"version\":1,\"host\":\"relay.example\",\"port\":50051,"
#define PIN  "\"pin\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
#define IDS  "\"machine_id\":\"" UUID "\",\"fleet_id\":\"fleet-1_A\","
#define TAIL "\"name\":\"edge\",\"joined_at\":\"2026-11-21T02:34:56Z\"}"
#define GOOD HEAD PIN IDS TAIL

static struct agentfile a;
static char sentence[512];

static int load(void)
{
    struct text why;

    TEXT_OF(&why, sentence);
    memset(&a, 0, sizeof a);
    return agentfile_load(STATE, &a, &why);
}

static int save(void)
{
    struct text why;

    TEXT_OF(&why, sentence);
    return agentfile_save(STATE, &a, &why);
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    a = (struct agentfile){.host = "relay.example",
                           .port = 50051,
                           .machine_id = UUID,
                           .fleet_id = "fleet-1_A",
                           .name = "edge",
                           .joined_at = "2026-11-21T02:34:56Z"};
    return 0;
}

static void without_a_file_the_machine_has_not_joined(void **state)
{
    (void)state;
    assert_int_equal(load(), ERR_NOT_FOUND);
    assert_string_equal(sentence,
                        "this machine has not joined a relay; run: cmdop join");
}

static void the_file_is_as_described(void **state)
{
    (void)state;
    assert_int_equal(save(), OK);
    assert_int_equal(fake.folders, 1);
    assert_true(
        view_is(view_of(fake_find(PATH)->data, fake_find(PATH)->len), GOOD));
}

static void what_is_saved_is_loaded(void **state)
{
    struct agentfile before;

    (void)state;
    memcpy(a.host, "2001:db8::7", 12);
    memset(a.pin, 0xFB, sizeof a.pin);
    memset(a.name, '"', NAME_CAP - 1);
    before = a;
    assert_int_equal(save(), OK);
    assert_int_equal(load(), OK);
    assert_string_equal(a.host, before.host);
    assert_int_equal(a.port, before.port);
    assert_memory_equal(a.pin, before.pin, sizeof a.pin);
    assert_string_equal(a.machine_id, before.machine_id);
    assert_string_equal(a.fleet_id, before.fleet_id);
    assert_string_equal(a.name, before.name);
    assert_string_equal(a.joined_at, before.joined_at);
}

static void the_longest_fields_fit(void **state)
{
    (void)state;
    memset(a.host, 'a', 253);
    for (size_t i = 63; i < 253; i += 64)
        a.host[i] = '.';
    a.port = 65535;
    memset(a.fleet_id, 'f', UUID_CAP - 1);
    memset(a.name, '\\', NAME_CAP - 1);
    assert_int_equal(save(), OK);
    assert_int_equal(load(), OK);
    assert_int_equal(strlen(a.host), 253);
    assert_int_equal(strlen(a.name), NAME_CAP - 1);
}

static void every_truncation_is_damage(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof GOOD - 1; n++) {
        fake_put(PATH, view_of(GOOD, n));
        assert_int_equal(load(), ERR_DAMAGED);
        assert_int_equal(a.port, 0);
        assert_string_equal(sentence,
                            PATH " is damaged; run `cmdop join` again, or "
                                 "restore it from a backup");
    }
    fake_put(PATH, view_str(GOOD));
    assert_int_equal(load(), OK);
    assert_string_equal(sentence, "");
}

static void white_space_from_an_editor_is_fine(void **state)
{
    (void)state;
    fake_put(PATH, view_str("\n  " HEAD "\r\n\t" PIN IDS "   " TAIL "\n"));
    assert_int_equal(load(), OK);
}

static void what_is_not_as_described_is_damage(void **state)
{
    static const char *const rows[] = {
        "[]",
        "{}",
        GOOD GOOD,
        HEAD PIN TAIL,
        HEAD IDS TAIL,
        HEAD PIN IDS "\"name\":\"edge\"}",
        HEAD PIN IDS "\"x\":1," TAIL,
        HEAD "\"port\":1," PIN IDS TAIL,
        "{\"version\":1,\"host\":\"-\",\"port\":1," PIN IDS TAIL,
        "{\"version\":1,\"host\":\"a\",\"port\":0," PIN IDS TAIL,
        "{\"version\":1,\"host\":\"a\",\"port\":65536," PIN IDS TAIL,
        "{\"version\":1,\"host\":\"a\",\"port\":-1," PIN IDS TAIL,
        "{\"version\":1,\"host\":\"a\",\"port\":\"1\"," PIN IDS TAIL,
        "{\"version\":0,\"host\":\"a\",\"port\":1," PIN IDS TAIL,
        HEAD "\"pin\":\"AAAA\"," IDS TAIL,
        HEAD "\"pin\":1," IDS TAIL,
        HEAD PIN "\"machine_id\":\"../../etc/passwd\",\"fleet_id\":\"f\"," TAIL,
        HEAD PIN "\"machine_id\":\"123E4567-e89b-12d3-a456-426614174000\","
                 "\"fleet_id\":\"f\"," TAIL,
        HEAD PIN "\"machine_id\":\"" UUID "\",\"fleet_id\":\"\"," TAIL,
        HEAD PIN "\"machine_id\":\"" UUID "\",\"fleet_id\":\"a/b\"," TAIL,
        HEAD PIN IDS "\"name\":\"\",\"joined_at\":\"2026-11-21T02:34:56Z\"}",
        HEAD PIN IDS
        "\"name\":\"a\\n\",\"joined_at\":\"2026-11-21T02:34:56Z\"}",
        HEAD PIN IDS "\"name\":\"a\",\"joined_at\":\"yesterday\"}",
        HEAD PIN IDS "\"name\":\"a\",\"joined_at\":1}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fake_put(PATH, view_str(rows[i]));
        if (load() != ERR_DAMAGED)
            fail_msg("accepted: %s", rows[i]);
        assert_non_null(strstr(sentence, "`cmdop join` again"));
        assert_int_equal(a.port, 0);
    }
}

static void a_file_that_is_too_long_is_damage(void **state)
{
    static uint8_t spaces[FAKE_FILE_BYTES];

    (void)state;
    memset(spaces, ' ', sizeof spaces);
    fake_put(PATH, VIEW_ARRAY(spaces));
    assert_int_equal(load(), ERR_DAMAGED);
}

static void a_later_version_is_not_called_damaged(void **state)
{
    (void)state;
    fake_put(PATH, view_str("{\"version\":2,\"relays\":[\"a\",\"b\"]}"));
    assert_int_equal(load(), ERR_UNSUPPORTED);
    assert_non_null(strstr(sentence, "update cmdop"));
}

static void nothing_is_saved_that_could_not_be_loaded(void **state)
{
    static const char *const fields[] = {"host",     "port", "machine_id",
                                         "fleet_id", "name", "joined_at"};

    for (size_t i = 0; i < 6; i++) {
        setup(state);
        switch (i) {
        case 0: a.host[0] = '\0'; break;
        case 1: a.port = 0; break;
        case 2: a.machine_id[35] = '\0'; break;
        case 3: a.fleet_id[0] = ' '; break;
        case 4: a.name[0] = '\x7f'; break;
        case 5: a.joined_at[10] = ' '; break;
        }
        assert_int_equal(save(), ERR_RANGE);
        assert_non_null(strstr(sentence, fields[i]));
        assert_int_equal(fake.count, 0);
    }
}

/* Every call of the port fails, the first, the second, ... once, and all after
 * it as when the power is gone: there is the old file or the new one, and the
 * reason is told. */
static bool one_fault(size_t nth, bool for_ever, const char *was)
{
    setup(NULL);
    if (was != NULL)
        assert_int_equal(save(), OK);
    strcpy(a.name, "renamed");
    fake.calls = 0;
    fake.fail_at = nth;
    fake.fail_on = for_ever;
    fake.fail_err = ERR_NO_SPACE;
    int err = save();
    bool met = fake.calls >= nth;
    assert_int_equal(err, met ? ERR_NO_SPACE : OK);
    assert_true(!met || strstr(sentence, "the fake's reason") != NULL);
    fake.fail_at = 0;
    int found = load();
    if (err != OK && was == NULL)
        assert_int_equal(found, ERR_NOT_FOUND); /* it has not joined */
    else
        assert_string_equal(a.name, err == OK ? "renamed" : was);
    return met;
}

static void a_fault_at_any_call_leaves_the_old_file_or_the_new(void **state)
{
    (void)state;
    for (int run = 0; run < 4; run++) {
        size_t nth = 1;
        while (one_fault(nth, (run & 1) != 0, run < 2 ? NULL : "edge"))
            nth++;
        assert_true(nth > 2);
    }
}

static void a_fault_while_it_is_read_is_told(void **state)
{
    (void)state;
    assert_int_equal(save(), OK);
    fake.calls = 0;
    fake.fail_at = 1;
    fake.fail_err = ERR_DENIED;
    assert_int_equal(load(), ERR_DENIED); /* not: it has not joined */
    assert_non_null(strstr(sentence, "the fake's reason"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_a_file_the_machine_has_not_joined,
                               setup),
        cmocka_unit_test_setup(the_file_is_as_described, setup),
        cmocka_unit_test_setup(what_is_saved_is_loaded, setup),
        cmocka_unit_test_setup(the_longest_fields_fit, setup),
        cmocka_unit_test_setup(every_truncation_is_damage, setup),
        cmocka_unit_test_setup(white_space_from_an_editor_is_fine, setup),
        cmocka_unit_test_setup(what_is_not_as_described_is_damage, setup),
        cmocka_unit_test_setup(a_file_that_is_too_long_is_damage, setup),
        cmocka_unit_test_setup(a_later_version_is_not_called_damaged, setup),
        cmocka_unit_test_setup(nothing_is_saved_that_could_not_be_loaded,
                               setup),
        cmocka_unit_test_setup(
            a_fault_at_any_call_leaves_the_old_file_or_the_new, setup),
        cmocka_unit_test_setup(a_fault_while_it_is_read_is_told, setup),
    };
    return cmocka_run_group_tests_name("core/agentfile", tests, NULL, NULL);
}
