/* Secrets of people, and sign-ins that wait for the second factor. */
#include "relay/people.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/text.h"

static uint8_t block[1024 * 1024];
static struct arena arena;
static struct loop loop;
static struct people people;
static uint8_t secret[32] = {9, 8, 7};

static int begin(void **state)
{
    const struct people_cfg cfg = {.name = "a relay", .secret = secret};
    (void)state;
    memset(block, 0, sizeof block);
    arena_init(&arena, SPAN_ARRAY(block));
    loop_init(&loop, &arena, DESK_ROWS + 1, DESK_TIMERS + 1);
    size_t before = arena.used;
    people_init(&people, &arena, &loop, &cfg);
    assert_true(arena.used - before <= people_bytes());
    return 0;
}

static void secrets_are_long_and_never_the_same(void **state)
{
    char a[PEOPLE_SECRET_CAP], b[PEOPLE_SECRET_CAP];
    (void)state;
    people_secret(a);
    people_secret(b);
    assert_int_equal(strlen(a), 43);
    assert_string_not_equal(a, b);
}

static void a_second_factor_is_sealed_for_one_person(void **state)
{
    const uint8_t totp[TOTP_SECRET_LEN] = "twenty bytes of it.";
    uint8_t sealed[PEOPLE_SEALED_LEN], back[TOTP_SECRET_LEN];
    struct people other = {0};
    (void)state;
    people_seal(&people, "ada", totp, sealed);
    assert_int_equal(people_unseal(&people, "ada", VIEW_ARRAY(sealed), back),
                     OK);
    assert_memory_equal(back, totp, sizeof totp);
    assert_int_equal(people_unseal(&people, "bob", VIEW_ARRAY(sealed), back),
                     ERR_AUTH);
    assert_int_equal(people_unseal(&other, "ada", VIEW_ARRAY(sealed), back),
                     ERR_AUTH);
    for (size_t len = 0; len < sizeof sealed; len++)
        assert_int_equal(
            people_unseal(&people, "ada", view_of(sealed, len), back),
            ERR_AUTH);
    sealed[40] ^= 1;
    assert_int_equal(people_unseal(&people, "ada", VIEW_ARRAY(sealed), back),
                     ERR_AUTH);
}

static void codes_are_read_as_people_type_them(void **state)
{
    char code[PEOPLE_CODE_LEN + 1], typed[32];
    uint8_t a[STORE_HASH], b[STORE_HASH];
    struct text t;
    (void)state;
    people_backup_code(code);
    assert_int_equal(strlen(code), PEOPLE_CODE_LEN);
    assert_int_equal(people_backup_hash(view_str(code), a), OK);
    TEXT_OF(&t, typed);
    for (size_t i = 0; code[i] != '\0'; i++) {
        text_char(&t, i % 5 == 0 ? '-' : ' ');
        text_char(&t, code[i] >= 'A' ? (char)(code[i] + 32) : code[i]);
    }
    assert_int_equal(people_backup_hash(text_done(&t), b), OK);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(people_backup_hash(view_first(view_str(code), 9), b),
                     ERR_RANGE);
    assert_int_equal(people_backup_hash(view_str("ABCDEFGHI1"), b), ERR_RANGE);
    assert_int_equal(people_backup_hash(view_of("ABCDE\0GHIJ", 10), b),
                     ERR_RANGE);
    assert_int_equal(people_backup_hash(VIEW_NONE, b), ERR_RANGE);
}

static void passwords_have_twelve_characters_of_any_script(void **state)
{
    char longest[PWHASH_PASSWORD_MAX + 2];
    (void)state;
    memset(longest, 'x', sizeof longest);
    assert_null(people_password_fault(view_str("twelve chars")));
    assert_non_null(people_password_fault(view_str("eleven char")));
    assert_null(people_password_fault(
        view_str("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                 "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4")));
    assert_non_null(people_password_fault(
        view_str("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4")));
    assert_null(people_password_fault(view_of(longest, PWHASH_PASSWORD_MAX)));
    assert_non_null(
        people_password_fault(view_of(longest, PWHASH_PASSWORD_MAX + 1)));
    assert_non_null(people_password_fault(view_str("two lines\nof it")));
    assert_non_null(people_password_fault(VIEW_NONE));
}

static void a_half_sign_in_waits_for_five_minutes(void **state)
{
    const uint8_t ada[32] = {1}, bob[32] = {2};
    (void)state;
    loop.now_ms = 1000;
    struct half *h = people_half_make(&people, ada);
    STR_COPY(h->person_id, "ada");
    assert_ptr_equal(people_half_find(&people, ada), h);
    assert_null(people_half_find(&people, bob));
    assert_ptr_equal(people_half_make(&people, ada), h); /* begun anew */
    assert_string_equal(h->person_id, "");
    loop.now_ms += PEOPLE_HALF_MS - 1;
    assert_non_null(people_half_find(&people, ada));
    loop.now_ms += 1;
    assert_null(people_half_find(&people, ada));
}

static void the_oldest_half_makes_room(void **state)
{
    uint8_t cookie[32] = {0};
    (void)state;
    for (uint8_t i = 1; i <= PEOPLE_HALVES + 1; i++) {
        loop.now_ms += 10;
        cookie[0] = i;
        assert_non_null(people_half_make(&people, cookie));
    }
    cookie[0] = 1;
    assert_null(people_half_find(&people, cookie));
    cookie[0] = 2;
    struct half *h = people_half_find(&people, cookie);
    assert_non_null(h);
    people_half_end(h);
    assert_null(people_half_find(&people, cookie));
}

static void nobody_is_found_by_a_cookie_of_zeros(void **state)
{
    const uint8_t zeros[32] = {0};
    (void)state;
    assert_null(people_half_find(&people, zeros));
}

static void an_address_has_an_at_inside(void **state)
{
    static const char *const good[] = {"a@b", "Ada.L+x@h.example"};
    static const char *const bad[] = {"",   "a",     "@",    "@b",
                                      "a@", "a b@c", "a@b c"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(people_is_email(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(people_is_email(bad[i]));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, begin)
    const struct CMUnitTest tests[] = {
        TEST(secrets_are_long_and_never_the_same),
        TEST(a_second_factor_is_sealed_for_one_person),
        TEST(codes_are_read_as_people_type_them),
        TEST(passwords_have_twelve_characters_of_any_script),
        TEST(a_half_sign_in_waits_for_five_minutes),
        TEST(the_oldest_half_makes_room),
        TEST(nobody_is_found_by_a_cookie_of_zeros),
        TEST(an_address_has_an_at_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
