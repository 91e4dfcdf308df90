/* The operator's credential file: what is saved is loaded, a damaged or open
 * file is refused with a remedy, and the list keeps its bounds. */
#include "core/credential.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/port_keep.h"

#define CONFIG "/config"
#define PATH   "/config/credentials.json"
#define PIN    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

#define SERVER(name)                                                    \
    "{\"name\":\"" name "\",\"address\":\"relay:50051\",\"pin\":\"" PIN \
    "\",\"token\":\"tok\",\"user\":\"ann\"}"
#define FILE_OF(servers, current) \
    "{\"version\":1,\"servers\":[" servers "],\"current\":\"" current "\"}"

static struct credentials list;
static char sentence[512];

static int load(void)
{
    struct text why;

    TEXT_OF(&why, sentence);
    memset(&list, 0, sizeof list);
    return credential_load(CONFIG, &list, &why);
}

static int save(void)
{
    struct text why;

    TEXT_OF(&why, sentence);
    return credential_save(CONFIG, &list, &why);
}

static int load_text(const char *text)
{
    fake_put(PATH, view_str(text));
    return load();
}

static struct credential server_of(const char *name)
{
    struct credential s = {.address = "relay.example:50051",
                           .token = "to.ken-_~+/=",
                           .user = "ann@example.org"};

    memcpy(s.name, name, strlen(name) + 1);
    for (size_t i = 0; i < sizeof s.pin; i++)
        s.pin[i] = (uint8_t)(i * 7);
    return s;
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    memset(&list, 0, sizeof list);
    return 0;
}

static void a_missing_file_is_an_empty_list(void **state)
{
    (void)state;
    assert_int_equal(load(), OK);
    assert_int_equal(list.count, 0);
    assert_null(credential_current(&list));
    assert_int_equal(fake.count, 0);
}

static void what_is_saved_is_loaded(void **state)
{
    struct credential home = server_of("home");
    struct credential odd = server_of("b\xC3\xBC\"\\ro \xF0\x9F\x90\x9F");
    struct credentials before;

    (void)state;
    memcpy(odd.address, "[2001:db8::7]:1", 16);
    odd.token[0] = odd.user[0] = '\0';
    assert_int_equal(credential_upsert(&list, &home), OK);
    assert_int_equal(credential_upsert(&list, &odd), OK);
    assert_int_equal(credential_use(&list, odd.name), OK);
    before = list;
    assert_int_equal(save(), OK);
    assert_int_equal(load(), OK);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.current, before.current);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(list.server[i].name, before.server[i].name);
        assert_string_equal(list.server[i].address, before.server[i].address);
        assert_string_equal(list.server[i].token, before.server[i].token);
        assert_string_equal(list.server[i].user, before.server[i].user);
        assert_memory_equal(list.server[i].pin, before.server[i].pin, 32);
    }
}

static void the_file_is_as_described(void **state)
{
    struct credential s = server_of("n");

    (void)state;
    memset(s.pin, 0, sizeof s.pin);
    memcpy(s.address, "relay:50051", 12);
    memcpy(s.token, "tok", 4);
    memcpy(s.user, "ann", 4);
    assert_int_equal(credential_upsert(&list, &s), OK);
    assert_int_equal(credential_use(&list, "n"), OK);
    assert_int_equal(save(), OK);
    assert_true(view_is(view_of(fake_find(PATH)->data, fake_find(PATH)->len),
                        FILE_OF(SERVER("n"), "n")));
}

static void the_largest_list_fits(void **state)
{
    struct credential s = server_of("x");
    struct credential one_more = server_of("y");

    (void)state;
    memset(s.name, '"', NAME_CAP - 1);
    memset(s.user, '\\', NAME_CAP - 1);
    memset(s.token, 'T', CREDENTIAL_TOKEN_CAP - 1);
    memset(s.address, 'a', 253);
    for (size_t i = 63; i < 253; i += 64)
        s.address[i] = '.';
    memcpy(s.address + 253, ":65535", 7);
    for (int i = 0; i < CREDENTIAL_SERVERS_MAX; i++) {
        s.name[0] = (char)('a' + i);
        assert_int_equal(credential_upsert(&list, &s), OK);
    }
    assert_int_equal(credential_upsert(&list, &one_more), ERR_LIMIT);
    assert_int_equal(credential_use(&list, s.name), OK);
    assert_int_equal(save(), OK);
    assert_int_equal(load(), OK);
    assert_int_equal(list.count, CREDENTIAL_SERVERS_MAX);
    assert_string_equal(list.server[7].user, s.user);
    assert_string_equal(list.server[7].address, s.address);
}

static void upsert_replaces_the_one_of_that_name(void **state)
{
    struct credential s = server_of("home");

    (void)state;
    assert_int_equal(credential_upsert(&list, &s), OK);
    memcpy(s.token, "new", 4);
    assert_int_equal(credential_upsert(&list, &s), OK);
    assert_int_equal(list.count, 1);
    assert_string_equal(credential_find(&list, "home")->token, "new");
}

static void upsert_takes_nothing_that_could_not_be_loaded(void **state)
{
    struct credential s = server_of("");

    (void)state;
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a\x1b[31m");
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a\xff");
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a");
    s.user[0] = '\n';
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a");
    s.token[0] = ' ';
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    s = server_of("a");
    memcpy(s.address, "relay", 6);
    assert_int_equal(credential_upsert(&list, &s), ERR_RANGE);
    assert_int_equal(list.count, 0);
}

static void removing_closes_the_gap_and_forgets_the_current(void **state)
{
    static const char *const names[] = {"a", "b", "c"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct credential s = server_of(names[i]);
        assert_int_equal(credential_upsert(&list, &s), OK);
    }
    assert_int_equal(credential_use(&list, "b"), OK);
    assert_int_equal(credential_remove(&list, "a"), OK);
    assert_string_equal(credential_current(&list)->name, "b");
    assert_int_equal(credential_remove(&list, "b"), OK);
    assert_null(credential_current(&list));
    assert_int_equal(credential_remove(&list, "b"), ERR_NOT_FOUND);
    assert_int_equal(credential_use(&list, "b"), ERR_NOT_FOUND);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.server[0].name, "c");
    for (size_t i = 0; i < sizeof list.server[1]; i++)
        assert_int_equal(((const uint8_t *)&list.server[1])[i], 0);
}

static void every_truncation_is_damage(void **state)
{
    static const char good[] = FILE_OF(SERVER("a") "," SERVER("b"), "b");

    (void)state;
    for (size_t n = 0; n < sizeof good - 1; n++) {
        fake_put(PATH, view_of(good, n));
        assert_int_equal(load(), ERR_DAMAGED);
        assert_int_equal(list.count, 0);
        assert_string_equal(sentence,
                            "the credential file " PATH " is damaged; restore "
                            "it from a backup, or remove it and log in again");
    }
    assert_int_equal(load_text(good), OK);
    assert_string_equal(sentence, "");
}

static void what_is_not_as_described_is_damage(void **state)
{
    static const char *const rows[] = {
        "[]",
        "{}",
        "null",
        FILE_OF("", "") " x",
        "{\"version\":0,\"servers\":[],\"current\":\"\"}",
        "{\"version\":\"1\",\"servers\":[],\"current\":\"\"}",
        "{\"version\":1.0,\"servers\":[],\"current\":\"\"}",
        "{\"version\":1,\"servers\":{},\"current\":\"\"}",
        "{\"version\":1,\"servers\":[],\"current\":null}",
        "{\"version\":1,\"servers\":[]}",
        "{\"version\":1,\"current\":\"\"}",
        "{\"version\":1,\"servers\":[],\"current\":\"\",\"more\":1}",
        "{\"version\":1,\"version\":1,\"servers\":[],\"current\":\"\"}",
        "{\"Version\":1,\"servers\":[],\"current\":\"\"}",
        FILE_OF("", "a"),
        FILE_OF(SERVER("a"), "b"),
        FILE_OF(SERVER("a") "," SERVER("a"), ""),
        FILE_OF("[]", ""),
        FILE_OF("{\"name\":\"a\"}", ""),
        FILE_OF(SERVER(""), ""),
        FILE_OF(SERVER("a\\u0000b"), ""),
        FILE_OF(SERVER("a\\u001b"), ""),
        FILE_OF(SERVER("0123456789012345678901234567890123456789"
                       "012345678901234567890123"),
                ""),
        FILE_OF("{\"name\":\"a\",\"address\":\"relay:0\",\"pin\":\"" PIN
                "\",\"token\":\"\",\"user\":\"\"}",
                ""),
        FILE_OF("{\"name\":\"a\",\"address\":\"relay:1\",\"pin\":\"" PIN
                "A\",\"token\":\"\",\"user\":\"\"}",
                ""),
        FILE_OF("{\"name\":\"a\",\"address\":\"relay:1\",\"pin\":\"\","
                "\"token\":\"\",\"user\":\"\"}",
                ""),
        FILE_OF("{\"name\":\"a\",\"address\":\"relay:1\",\"pin\":\"" PIN
                "\",\"token\":\"a b\",\"user\":\"\"}",
                ""),
        FILE_OF(
            SERVER("1") "," SERVER("2") "," SERVER("3") "," SERVER("4") "," SERVER(
                "5") "," SERVER("6") "," SERVER("7") "," SERVER("8") "," SERVER("9"),
            ""),
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (load_text(rows[i]) != ERR_DAMAGED)
            fail_msg("accepted: %s", rows[i]);
        assert_non_null(strstr(sentence, "is damaged"));
        assert_int_equal(list.count, 0);
    }
}

static void a_file_that_is_too_long_is_damage(void **state)
{
    static uint8_t spaces[FAKE_FILE_BYTES];

    (void)state;
    memset(spaces, ' ', sizeof spaces);
    fake_put(PATH, VIEW_ARRAY(spaces));
    assert_int_equal(load(), ERR_DAMAGED);
    assert_non_null(strstr(sentence, "is damaged"));
}

static void a_later_version_is_not_called_damaged(void **state)
{
    (void)state;
    assert_int_equal(load_text("{\"version\":2,\"new\":[1,2,3]}"),
                     ERR_UNSUPPORTED);
    assert_non_null(strstr(sentence, "update cmdop"));
}

static void a_file_that_others_may_read_is_refused(void **state)
{
    (void)state;
    fake_put(PATH, view_str(FILE_OF(SERVER("a"), "a")))->open_to_others = true;
    assert_int_equal(load(), ERR_DAMAGED);
    assert_int_equal(list.count, 0);
    assert_non_null(strstr(sentence, "chmod 600 " PATH));
}

static void faults_of_the_port_are_told(void **state)
{
    (void)state;
    fake.fail_err = ERR_IO;
    fake.fail_on = true;
    fake.fail_at = 1;
    assert_int_equal(load(), ERR_IO);
    assert_non_null(strstr(sentence, "the fake's reason"));
    for (size_t at = 1; at <= 2; at++) {
        fake.calls = 0;
        fake.fail_at = at;
        assert_int_equal(save(), ERR_IO);
        assert_non_null(strstr(sentence, "the fake's reason"));
        assert_int_equal(fake.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_missing_file_is_an_empty_list, setup),
        cmocka_unit_test_setup(what_is_saved_is_loaded, setup),
        cmocka_unit_test_setup(the_file_is_as_described, setup),
        cmocka_unit_test_setup(the_largest_list_fits, setup),
        cmocka_unit_test_setup(upsert_replaces_the_one_of_that_name, setup),
        cmocka_unit_test_setup(upsert_takes_nothing_that_could_not_be_loaded,
                               setup),
        cmocka_unit_test_setup(removing_closes_the_gap_and_forgets_the_current,
                               setup),
        cmocka_unit_test_setup(every_truncation_is_damage, setup),
        cmocka_unit_test_setup(what_is_not_as_described_is_damage, setup),
        cmocka_unit_test_setup(a_file_that_is_too_long_is_damage, setup),
        cmocka_unit_test_setup(a_later_version_is_not_called_damaged, setup),
        cmocka_unit_test_setup(a_file_that_others_may_read_is_refused, setup),
        cmocka_unit_test_setup(faults_of_the_port_are_told, setup),
    };
    return cmocka_run_group_tests_name("core/credential", tests, NULL, NULL);
}
