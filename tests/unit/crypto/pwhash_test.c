/* Passwords as they are kept: others can read ours, we theirs, and what a
 * damaged store says never costs more than it may. */
#include "crypto/pwhash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/err.h"

static const uint8_t SALT[PWHASH_SALT_LEN] = "0123456789abcdef";
#define WORD "correct horse"

static void ours_is_read_by_libsodium(void **state)
{
    char s[PWHASH_CAP];
    (void)state;
    assert_int_equal(pwhash_make(view_str(WORD), SALT, s), OK);
    assert_int_equal(crypto_pwhash_argon2id_str_verify(s, WORD, strlen(WORD)),
                     0);
    assert_int_equal(crypto_pwhash_argon2id_str_needs_rehash(
                         s, PWHASH_PASSES, (size_t)PWHASH_KIB * 1024),
                     0);
}

static void libsodiums_is_read_by_us(void **state)
{
    char s[crypto_pwhash_argon2id_STRBYTES];
    (void)state;
    assert_int_equal(
        crypto_pwhash_argon2id_str(s, WORD, strlen(WORD), 1, 64 * 1024), 0);
    assert_int_equal(pwhash_check(view_str(WORD), view_str(s)), OK);
    assert_int_equal(pwhash_check(view_str("correct house"), view_str(s)),
                     ERR_AUTH);
    assert_true(pwhash_needs_rehash(view_str(s)));
}

static void the_same_password_and_salt_give_the_same_string(void **state)
{
    char a[PWHASH_CAP], b[PWHASH_CAP];
    (void)state;
    assert_int_equal(pwhash_make(view_str(WORD), SALT, a), OK);
    assert_int_equal(pwhash_make(view_str(WORD), SALT, b), OK);
    assert_string_equal(a, b);
    assert_false(pwhash_needs_rehash(view_str(a)));
}

static void passwords_have_a_least_and_a_greatest_length(void **state)
{
    char s[PWHASH_CAP], word[PWHASH_PASSWORD_MAX + 1];
    (void)state;
    memset(word, 'x', sizeof(word));
    assert_int_equal(pwhash_make(VIEW_NONE, SALT, s), ERR_RANGE);
    assert_int_equal(pwhash_make(view_of(word, sizeof(word)), SALT, s),
                     ERR_RANGE);
    assert_int_equal(pwhash_make(view_of(word, sizeof(word) - 1), SALT, s), OK);
    assert_int_equal(pwhash_check(VIEW_NONE, view_str(s)), ERR_AUTH);
    assert_int_equal(pwhash_check(view_of(word, sizeof(word)), view_str(s)),
                     ERR_AUTH);
}

static void text_and_parts_are_the_same_thing(void **state)
{
    struct pwhash p = {.kib = 8, .passes = 10}, q;
    char s[PWHASH_CAP], again[PWHASH_CAP];
    (void)state;
    memset(p.salt, 0xA5, sizeof(p.salt));
    memset(p.hash, 0xFF, sizeof(p.hash));
    int len = pwhash_write(&p, s);
    assert_int_equal(len, strlen(s));
    assert_int_equal(pwhash_read(view_str(s), &q), OK);
    assert_memory_equal(&p, &q, sizeof(p));
    pwhash_write(&q, again);
    assert_string_equal(s, again);
}

#define S "AAAAAAAAAAAAAAAAAAAAAA"
#define H "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void what_is_not_exactly_one_is_damaged(void **state)
{
    static const char *const bad[] = {
        "",
        "$",
        "$argon2i$v=19$m=8,t=1,p=1$" S "$" H,
        "$argon2id$v=16$m=8,t=1,p=1$" S "$" H,
        "$argon2id$m=8,t=1,p=1$" S "$" H,
        "$argon2id$v=19$m=08,t=1,p=1$" S "$" H,
        "$argon2id$v=19$m=+8,t=1,p=1$" S "$" H,
        "$argon2id$v=19$m=,t=1,p=1$" S "$" H,
        "$argon2id$v=19$m=8,t=1,p=2$" S "$" H,
        "$argon2id$v=19$m=8,t=1,p=1$" S "A$" H,
        "$argon2id$v=19$m=8,t=1,p=1$" S "$" H "A",
        "$argon2id$v=19$m=8,t=1,p=1$" S "$" H "=",
        "$argon2id$v=19$m=8,t=1,p=1$" S "$" H "\n",
        "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAB$" H,
        "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAA AAAAAAAAAAA$" H,
        "$argon2id$v=19$m=8,t=1,p=1$" S,
    };
    struct pwhash p;
    (void)state;
    assert_int_equal(
        pwhash_read(view_str("$argon2id$v=19$m=8,t=1,p=1$" S "$" H), &p), OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(pwhash_read(view_str(bad[i]), &p), ERR_DAMAGED);
        assert_int_equal(pwhash_check(view_str(WORD), view_str(bad[i])),
                         ERR_DAMAGED);
        assert_false(pwhash_needs_rehash(view_str(bad[i])));
    }
}

static void what_asks_for_too_much_is_damaged_and_costs_nothing(void **state)
{
    static const char *const dear[] = {
        "$argon2id$v=19$m=65537,t=1,p=1$" S "$" H,
        "$argon2id$v=19$m=4294967296,t=1,p=1$" S "$" H,
        "$argon2id$v=19$m=99999999999999999999999,t=1,p=1$" S "$" H,
        "$argon2id$v=19$m=8,t=11,p=1$" S "$" H,
        "$argon2id$v=19$m=8,t=4294967297,p=1$" S "$" H,
        "$argon2id$v=19$m=8,t=0,p=1$" S "$" H,
        "$argon2id$v=19$m=7,t=1,p=1$" S "$" H,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(dear) / sizeof(dear[0]); i++)
        assert_int_equal(pwhash_check(view_str(WORD), view_str(dear[i])),
                         ERR_DAMAGED);
}

static void every_cut_of_a_string_is_damaged(void **state)
{
    char s[PWHASH_CAP];
    struct pwhash p;
    (void)state;
    assert_int_equal(pwhash_make(view_str(WORD), SALT, s), OK);
    for (size_t len = 0; len < strlen(s); len++)
        assert_int_equal(pwhash_read(view_of(s, len), &p), ERR_DAMAGED);
}

static void a_task_makes_and_checks(void **state)
{
    struct pwhash_task t = {.make = true, .len = strlen(WORD)};
    uint8_t out[256];
    (void)state;
    memcpy(t.password, WORD, t.len);
    memcpy(t.salt, SALT, sizeof(SALT));
    assert_int_equal(pwhash_work(&t, SPAN_ARRAY(out)), PWHASH_CAP);
    t.make = false;
    memcpy(t.stored, out, PWHASH_CAP);
    assert_int_equal(pwhash_work(&t, SPAN_ARRAY(out)), 1);
    assert_int_equal(out[0], 1);
    t.password[0] ^= 1;
    assert_int_equal(pwhash_work(&t, SPAN_ARRAY(out)), 1);
    assert_int_equal(out[0], 0);
    t.stored[3] ^= 1;
    assert_int_equal(pwhash_work(&t, SPAN_ARRAY(out)), ERR_DAMAGED);
    memset(t.stored, 'A', sizeof(t.stored)); /* without an end */
    assert_int_equal(pwhash_work(&t, SPAN_ARRAY(out)), ERR_DAMAGED);
    t.len = PWHASH_PASSWORD_MAX + 1;
    assert_int_equal(pwhash_work(&t, SPAN_ARRAY(out)), ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours_is_read_by_libsodium),
        cmocka_unit_test(libsodiums_is_read_by_us),
        cmocka_unit_test(the_same_password_and_salt_give_the_same_string),
        cmocka_unit_test(passwords_have_a_least_and_a_greatest_length),
        cmocka_unit_test(text_and_parts_are_the_same_thing),
        cmocka_unit_test(what_is_not_exactly_one_is_damaged),
        cmocka_unit_test(what_asks_for_too_much_is_damaged_and_costs_nothing),
        cmocka_unit_test(every_cut_of_a_string_is_damaged),
        cmocka_unit_test(a_task_makes_and_checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
