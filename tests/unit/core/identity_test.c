/*
 * The identity on disk: it survives, it is never silently replaced, and a
 * start that dies anywhere leaves something the next start can use.
 */
#include "core/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/seal.h"
#include "fake/port_keep.h"

#define STATE    "/state"
#define CONFIG   "/config"
#define ID_PATH  "/state/identity"
#define KEY_PATH "/config/machine.key"

enum { FILE_LEN = 80, KEY_LEN = 32 };

static struct identity id;
static char sentence[512];

static int load(void)
{
    struct text why;

    TEXT_OF(&why, sentence);
    memset(&id, 0, sizeof id);
    return identity_load(STATE, CONFIG, &id, &why);
}

static int load_or_make(void)
{
    struct text why;

    TEXT_OF(&why, sentence);
    memset(&id, 0, sizeof id);
    return identity_load_or_make(STATE, CONFIG, &id, &why);
}

static bool id_is_empty(void)
{
    static const struct identity empty;
    return memcmp(&id, &empty, sizeof id) == 0;
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    return 0;
}

/* With an identity already made; its fingerprint in *state. */
static int setup_made(void **state)
{
    static char fingerprint[SIGN_FINGERPRINT_CAP];

    fake_reset();
    if (load_or_make() != OK)
        return -1;
    memcpy(fingerprint, id.fingerprint, sizeof fingerprint);
    *state = fingerprint;
    return 0;
}

/* Nothing is given out, nothing on disk changes, and people are told. */
static void assert_damaged(const char *remedy)
{
    struct fake_file before[2] = {fake.file[0], fake.file[1]};
    size_t count = fake.count;

    assert_int_equal(load(), ERR_DAMAGED);
    assert_true(id_is_empty());
    assert_non_null(strstr(sentence, remedy));
    assert_int_equal(load_or_make(), ERR_DAMAGED);
    assert_true(id_is_empty());
    assert_non_null(strstr(sentence, remedy));
    assert_int_equal(fake.count, count);
    assert_memory_equal(fake.file, before, count * sizeof before[0]);
}

static void without_files_load_finds_none_and_makes_none(void **state)
{
    (void)state;
    assert_int_equal(load(), ERR_NOT_FOUND);
    assert_non_null(strstr(sentence, "cmdop join"));
    assert_int_equal(fake.count, 0);
    assert_int_equal(fake.folders, 0);
}

static void a_made_identity_is_loaded_again(void **state)
{
    struct identity made;

    (void)state;
    assert_int_equal(load_or_make(), OK);
    assert_string_equal(sentence, "");
    assert_int_equal(fake.folders, 2);
    made = id;
    assert_int_equal(load(), OK);
    assert_memory_equal(&id.key, &made.key, sizeof made.key);
    assert_string_equal(id.fingerprint, made.fingerprint);
    assert_int_equal(load_or_make(), OK);
    assert_memory_equal(&id.key, &made.key, sizeof made.key);
    assert_true(strncmp(id.fingerprint, "SHA256:", 7) == 0);
}

static void the_files_are_as_drawn(void **state)
{
    const struct fake_file *file, *key;
    uint8_t seed[32];

    (void)state;
    assert_int_equal(load_or_make(), OK);
    file = fake_find(ID_PATH);
    key = fake_find(KEY_PATH);
    assert_non_null(file);
    assert_non_null(key);
    assert_int_equal(fake.count, 2);
    assert_int_equal(file->len, FILE_LEN);
    assert_int_equal(key->len, KEY_LEN);
    assert_memory_equal(file->data, "CMDOPID\1", 8);
    assert_int_equal(seal_open(key->data, file->data + 8,
                               view_of(file->data, 8),
                               view_of(file->data + 32, 48), SPAN_ARRAY(seed)),
                     32);
    assert_memory_equal(seed, id.key.secret, sizeof seed);
}

static void the_seed_is_not_readable_in_the_file(void **state)
{
    const struct fake_file *file = fake_find(ID_PATH);

    (void)state;
    for (size_t i = 0; i + 4 <= file->len; i++)
        assert_memory_not_equal(file->data + i, id.key.secret, 4);
}

static void every_truncation_of_the_identity_is_damage(void **state)
{
    struct fake_file *file = fake_find(ID_PATH);

    (void)state;
    for (file->len = 0; file->len < FILE_LEN; file->len++)
        assert_damaged("remove it and join again");
    assert_int_equal(load(), OK);
}

static void every_truncation_of_the_key_is_damage(void **state)
{
    struct fake_file *file = fake_find(KEY_PATH);

    (void)state;
    for (file->len = 0; file->len < KEY_LEN; file->len++)
        assert_damaged("remove it and " ID_PATH " and join again");
    assert_int_equal(load(), OK);
}

static void a_longer_file_is_damage(void **state)
{
    (void)state;
    fake_find(ID_PATH)->len++;
    assert_damaged("remove it and join again");
    fake_find(ID_PATH)->len--;
    fake_find(KEY_PATH)->len++;
    assert_damaged("remove it and " ID_PATH " and join again");
}

static void every_changed_byte_is_noticed(void **state)
{
    struct fake_file *file = fake_find(ID_PATH);
    struct fake_file *key = fake_find(KEY_PATH);

    (void)state;
    for (size_t i = 0; i < FILE_LEN; i++) {
        file->data[i] ^= 1;
        if (i == 7) {
            assert_int_equal(load_or_make(), ERR_UNSUPPORTED);
            assert_non_null(strstr(sentence, "update cmdop"));
        } else {
            assert_damaged("remove it and join again");
        }
        file->data[i] ^= 1;
    }
    for (size_t i = 0; i < KEY_LEN; i++) {
        key->data[i] ^= 0x80;
        assert_damaged("machine.key is not its key");
        key->data[i] ^= 0x80;
    }
}

static void the_version_is_authenticated(void **state)
{
    struct fake_file *file = fake_find(ID_PATH);
    struct fake_file *key = fake_find(KEY_PATH);
    uint8_t head[8] = {'C', 'M', 'D', 'O', 'P', 'I', 'D', 0};
    uint8_t seed[32] = {0};

    (void)state;
    assert_int_equal(seal_close(key->data, file->data + 8, VIEW_ARRAY(head),
                                VIEW_ARRAY(seed),
                                (struct span){file->data + 32, 48}),
                     48);
    assert_damaged("remove it and join again");
}

static void a_missing_key_is_damage(void **state)
{
    (void)state;
    fake_remove(KEY_PATH);
    assert_damaged("is missing");
    assert_non_null(strstr(sentence, KEY_PATH));
}

static void a_file_that_others_may_read_is_refused(void **state)
{
    (void)state;
    fake_find(ID_PATH)->open_to_others = true;
    assert_damaged("chmod 600 " ID_PATH);
    fake_find(ID_PATH)->open_to_others = false;
    fake_find(KEY_PATH)->open_to_others = true;
    assert_damaged("chmod 600 " KEY_PATH);
}

static void after_removal_a_new_one_is_made_with_the_old_key(void **state)
{
    struct fake_file key = *fake_find(KEY_PATH);

    fake_remove(ID_PATH);
    assert_int_equal(load_or_make(), OK);
    assert_string_not_equal(id.fingerprint, *state);
    assert_memory_equal(fake_find(KEY_PATH)->data, key.data, KEY_LEN);
}

/* Fail the first, the second, ... call, once and for ever, until none is
 * left to fail; whatever happened, the next start works and the identity that
 * was given out, if any, is the one on disk. */
static void a_fault_at_any_call_leaves_a_usable_place(void **state)
{
    (void)state;
    for (int on = 0; on <= 1; on++) {
        size_t at = 0;
        int err;
        do {
            fake_reset();
            fake.fail_at = ++at;
            fake.fail_on = on == 1;
            fake.fail_err = ERR_NO_SPACE;
            err = load_or_make();
            assert_int_equal(err, fake.calls >= at ? ERR_NO_SPACE : OK);
            assert_true(err == OK || id_is_empty());
            assert_true((err == OK) == (sentence[0] == '\0'));
            fake.fail_at = 0;
            assert_int_equal(load_or_make(), OK);
        } while (err != OK);
        assert_true(at > 4);
    }
}

static void a_fault_while_reading_makes_no_new_identity(void **state)
{
    struct fake_file file = *fake_find(ID_PATH);

    for (size_t at = 1; at <= 4; at++) {
        fake.calls = 0;
        fake.fail_at = at;
        fake.fail_err = ERR_DENIED;
        assert_int_equal(load_or_make(), ERR_DENIED);
        assert_non_null(strstr(sentence, "the fake's reason"));
        assert_memory_equal(fake_find(ID_PATH)->data, file.data, FILE_LEN);
    }
    fake.fail_at = 0;
    assert_int_equal(load(), OK);
    assert_string_equal(id.fingerprint, *state);
}

static void a_folder_that_cannot_be_made_is_not_an_absent_identity(void **state)
{
    (void)state;
    for (size_t at = 1; at <= 2; at++) {
        fake.calls = 0;
        fake.fail_at = at;
        fake.fail_err = ERR_NOT_FOUND;
        assert_int_equal(load_or_make(), ERR_NOT_FOUND);
        assert_non_null(strstr(sentence, "folder"));
        assert_int_equal(fake.count, 0);
    }
}

static void a_path_that_is_too_long_is_told(void **state)
{
    char longest[600];
    struct text why;

    (void)state;
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    TEXT_OF(&why, sentence);
    assert_int_equal(identity_load_or_make(longest, CONFIG, &id, &why),
                     ERR_RANGE);
    assert_non_null(strstr(sentence, "too long"));
    assert_int_equal(fake.calls, 0);
}

/* ---- replacing it ---------------------------------------------------------- */

#define NEXT_PATH "/state/identity.next"
#define OLD_PATH  "/state/identity.old"

static int next_make(void)
{
    struct text why;

    TEXT_OF(&why, sentence);
    return identity_next_make(STATE, CONFIG, &id, &why);
}

static int next_take(void)
{
    struct text why;

    TEXT_OF(&why, sentence);
    return identity_next_take(STATE, &id, &why);
}

static int set_aside(void)
{
    struct text why;

    TEXT_OF(&why, sentence);
    return identity_set_aside(STATE, &why);
}

static void a_new_key_lies_beside_the_old_one(void **state)
{
    struct identity before;

    assert_int_equal(load(), OK);
    assert_false(id.has_next);
    before = id;
    assert_int_equal(next_make(), OK);
    assert_true(id.has_next);
    assert_memory_equal(&id.key, &before.key, sizeof id.key);
    assert_string_equal(id.fingerprint, *state);
    assert_string_not_equal(id.next_fingerprint, *state);
    before = id;
    assert_int_equal(load(), OK);
    assert_memory_equal(&id, &before, sizeof id);
    assert_int_equal(next_make(), OK); /* one that is there stays */
    assert_memory_equal(&id, &before, sizeof id);
}

static void the_new_key_becomes_the_identity(void **state)
{
    struct sign_key next;

    assert_int_equal(load(), OK);
    assert_int_equal(next_make(), OK);
    next = id.next;
    assert_int_equal(next_take(), OK);
    assert_false(id.has_next);
    assert_memory_equal(&id.key, &next, sizeof next);
    assert_string_not_equal(id.fingerprint, *state);
    assert_null(fake_find(NEXT_PATH));
    assert_int_equal(load(), OK);
    assert_memory_equal(&id.key, &next, sizeof next);
    assert_false(id.has_next);
}

static void a_copy_that_was_left_is_no_new_key(void **state)
{
    struct fake_file copy;

    (void)state;
    assert_int_equal(load(), OK);
    assert_int_equal(next_make(), OK);
    copy = *fake_find(NEXT_PATH);
    assert_int_equal(next_take(), OK);
    fake_put(NEXT_PATH, view_of(copy.data, copy.len));
    assert_int_equal(load(), OK);
    assert_false(id.has_next);
    assert_int_equal(next_make(), OK); /* and gives way to one */
    assert_true(id.has_next);
}

static void a_damaged_new_key_is_told_and_kept(void **state)
{
    struct fake_file *file;

    (void)state;
    assert_int_equal(load(), OK);
    assert_int_equal(next_make(), OK);
    file = fake_find(NEXT_PATH);
    for (size_t i = 0; i < FILE_LEN; i++) {
        file->data[i] ^= 1;
        assert_int_equal(load(), i == 7 ? ERR_UNSUPPORTED : ERR_DAMAGED);
        assert_true(id_is_empty());
        assert_non_null(strstr(sentence, NEXT_PATH));
        file->data[i] ^= 1;
    }
    assert_int_equal(load(), OK);
    assert_true(id.has_next);
}

/* The keys that the next start would show. */
struct shown {
    uint8_t key[SIGN_PUB_LEN], next[SIGN_PUB_LEN];
    bool has_next;
};

static struct shown after_restart(void)
{
    struct shown s = {.has_next = false};

    fake.fail_at = 0;
    assert_int_equal(load(), OK);
    memcpy(s.key, id.key.pub, SIGN_PUB_LEN);
    memcpy(s.next, id.next.pub, SIGN_PUB_LEN);
    s.has_next = id.has_next;
    return s;
}

/* Whichever call fails, the old key is there until the relay has said yes,
 * and one of the two it then knows is there afterwards. */
static void a_fault_at_any_step_of_a_change_loses_no_key(void **state)
{
    uint8_t old[SIGN_PUB_LEN], next[SIGN_PUB_LEN];
    int err;

    (void)state;
    for (int on = 0; on <= 1; on++) {
        size_t at = 0;
        do {
            fake_reset();
            assert_int_equal(load_or_make(), OK);
            memcpy(old, id.key.pub, sizeof old);
            fake.calls = 0;
            fake.fail_at = ++at;
            fake.fail_on = on == 1;
            fake.fail_err = ERR_NO_SPACE;
            err = next_make();
            assert_true((err == OK) == (sentence[0] == '\0'));
            assert_int_equal(id.has_next, err == OK);
            assert_memory_equal(after_restart().key, old, sizeof old);
        } while (err != OK);
        assert_true(at > 1);
        at = 0;
        do {
            fake_reset();
            assert_int_equal(load_or_make(), OK);
            memcpy(old, id.key.pub, sizeof old);
            assert_int_equal(next_make(), OK);
            memcpy(next, id.next.pub, sizeof next);
            fake.calls = 0;
            fake.fail_at = ++at;
            fake.fail_on = on == 1;
            fake.fail_err = ERR_IO;
            err = next_take();
            assert_int_equal(id.has_next, err != OK);
            struct shown s = after_restart();
            if (s.has_next) {
                assert_memory_equal(s.key, old, sizeof old);
                assert_memory_equal(s.next, next, sizeof next);
                assert_int_equal(next_take(), OK); /* once more */
            }
            assert_memory_equal(after_restart().key, next, sizeof next);
        } while (err != OK);
        assert_true(at > 1);
    }
}

static void what_is_taken_away_lies_beside(void **state)
{
    struct fake_file file = *fake_find(ID_PATH);

    (void)state;
    assert_int_equal(load(), OK);
    assert_int_equal(next_make(), OK);
    assert_int_equal(set_aside(), OK);
    assert_null(fake_find(ID_PATH));
    assert_null(fake_find(NEXT_PATH));
    assert_memory_equal(fake_find(OLD_PATH)->data, file.data, FILE_LEN);
    assert_int_equal(load(), ERR_NOT_FOUND);
    assert_int_equal(set_aside(), ERR_NOT_FOUND);
    assert_non_null(strstr(sentence, "no identity"));
    assert_memory_equal(fake_find(OLD_PATH)->data, file.data, FILE_LEN);
    assert_int_equal(load_or_make(), OK);
    assert_string_not_equal(id.fingerprint, *state);
}

static void a_damaged_identity_can_be_taken_away(void **state)
{
    (void)state;
    fake_find(ID_PATH)->len = 11;
    assert_damaged("remove it and join again");
    assert_int_equal(set_aside(), OK);
    assert_int_equal(fake_find(OLD_PATH)->len, 11);
    assert_int_equal(load_or_make(), OK);
}

/* Interrupted anywhere, the identity is there, or beside. */
static void a_fault_while_it_is_taken_away_loses_nothing(void **state)
{
    int err;

    (void)state;
    size_t at = 0;
    do {
        fake_reset();
        assert_int_equal(load_or_make(), OK);
        struct fake_file file = *fake_find(ID_PATH);
        fake.calls = 0;
        fake.fail_at = ++at;
        fake.fail_err = ERR_IO;
        err = set_aside();
        fake.fail_at = 0;
        const struct fake_file *is = fake_find(err == OK ? OLD_PATH : ID_PATH);
        assert_non_null(is);
        assert_memory_equal(is->data, file.data, FILE_LEN);
        if (err != OK)
            assert_int_equal(set_aside(), OK);
    } while (err != OK);
    assert_true(at > 3);
}

static void wiping_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(load(), OK);
    identity_wipe(&id);
    assert_true(id_is_empty());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_files_load_finds_none_and_makes_none,
                               setup),
        cmocka_unit_test_setup(a_made_identity_is_loaded_again, setup),
        cmocka_unit_test_setup(the_files_are_as_drawn, setup),
        cmocka_unit_test_setup(the_seed_is_not_readable_in_the_file,
                               setup_made),
        cmocka_unit_test_setup(every_truncation_of_the_identity_is_damage,
                               setup_made),
        cmocka_unit_test_setup(every_truncation_of_the_key_is_damage,
                               setup_made),
        cmocka_unit_test_setup(a_longer_file_is_damage, setup_made),
        cmocka_unit_test_setup(every_changed_byte_is_noticed, setup_made),
        cmocka_unit_test_setup(the_version_is_authenticated, setup_made),
        cmocka_unit_test_setup(a_missing_key_is_damage, setup_made),
        cmocka_unit_test_setup(a_file_that_others_may_read_is_refused,
                               setup_made),
        cmocka_unit_test_setup(after_removal_a_new_one_is_made_with_the_old_key,
                               setup_made),
        cmocka_unit_test_setup(a_fault_at_any_call_leaves_a_usable_place,
                               setup),
        cmocka_unit_test_setup(a_fault_while_reading_makes_no_new_identity,
                               setup_made),
        cmocka_unit_test_setup(
            a_folder_that_cannot_be_made_is_not_an_absent_identity, setup),
        cmocka_unit_test_setup(a_path_that_is_too_long_is_told, setup),
        cmocka_unit_test_setup(a_new_key_lies_beside_the_old_one, setup_made),
        cmocka_unit_test_setup(the_new_key_becomes_the_identity, setup_made),
        cmocka_unit_test_setup(a_copy_that_was_left_is_no_new_key, setup_made),
        cmocka_unit_test_setup(a_damaged_new_key_is_told_and_kept, setup_made),
        cmocka_unit_test_setup(a_fault_at_any_step_of_a_change_loses_no_key,
                               setup),
        cmocka_unit_test_setup(what_is_taken_away_lies_beside, setup_made),
        cmocka_unit_test_setup(a_damaged_identity_can_be_taken_away,
                               setup_made),
        cmocka_unit_test_setup(a_fault_while_it_is_taken_away_loses_nothing,
                               setup),
        cmocka_unit_test_setup(wiping_leaves_nothing, setup_made),
    };
    return cmocka_run_group_tests_name("core/identity", tests, NULL, NULL);
}
