/* SHA-256: the vectors of FIPS 180-4, and the field framing of hash.h. */
#include "crypto/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void assert_digest(const uint8_t digest[HASH_LEN], const char *hex)
{
    char buf[2 * HASH_LEN + 1];
    struct text t;

    TEXT_OF(&t, buf);
    text_hex(&t, view_of(digest, HASH_LEN));
    assert_string_equal(buf, hex);
}

static void fips_vectors_hold(void **state)
{
    static const struct {
        const char *in, *hex;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb924"
             "27ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223"
                "b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039"
         "a33ce45964ff2167f6ecedd419db06c1"},
    };
    uint8_t out[HASH_LEN];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hash_once(view_str(rows[i].in), out);
        assert_digest(out, rows[i].hex);
    }
}

static void a_million_letters_in_uneven_pieces(void **state)
{
    static uint8_t letters[1000000];
    uint8_t out[HASH_LEN];
    struct hash h;
    struct view left = VIEW_ARRAY(letters);

    (void)state;
    memset(letters, 'a', sizeof letters);
    hash_init(&h);
    for (size_t n = 1; left.len > 0; n = (n * 7 + 3) % 200) {
        hash_feed(&h, view_first(left, n));
        left = view_from(left, n);
    }
    hash_take(&h, out);
    assert_digest(out, "cdc76e5c9914fb9281a1c7e284d73e67"
                       "f1809a48a497200e046d39ccc7112cd0");
}

static void taking_does_not_end_the_hash(void **state)
{
    uint8_t out[HASH_LEN];
    struct hash h;

    (void)state;
    hash_init(&h);
    hash_feed(&h, view_str("ab"));
    hash_take(&h, out);
    hash_feed(&h, view_str("c"));
    hash_take(&h, out);
    assert_digest(out, "ba7816bf8f01cfea414140de5dae2223"
                       "b00361a396177a9cb410ff61f20015ad");
}

static void a_field_is_its_length_and_its_bytes(void **state)
{
    static const uint8_t bytes[] = {0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0,
                                    0, 0, 0, 4, 1,   2,   3, 4, 0, 0,
                                    0, 8, 1, 2, 3,   4,   5, 6, 7, 8};
    uint8_t want[HASH_LEN], got[HASH_LEN];
    struct hash h;

    (void)state;
    hash_once(VIEW_ARRAY(bytes), want);
    hash_init(&h);
    hash_field(&h, view_str("ab"));
    hash_field(&h, VIEW_NONE);
    hash_field_u32(&h, 0x01020304);
    hash_field_u64(&h, 0x0102030405060708);
    hash_take(&h, got);
    assert_memory_equal(got, want, HASH_LEN);
}

static void fields_do_not_run_into_each_other(void **state)
{
    uint8_t one[HASH_LEN], two[HASH_LEN];
    struct hash h;

    (void)state;
    hash_init(&h);
    hash_field(&h, view_str("ab"));
    hash_field(&h, view_str("c"));
    hash_take(&h, one);
    hash_init(&h);
    hash_field(&h, view_str("a"));
    hash_field(&h, view_str("bc"));
    hash_take(&h, two);
    assert_memory_not_equal(one, two, HASH_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fips_vectors_hold),
        cmocka_unit_test(a_million_letters_in_uneven_pieces),
        cmocka_unit_test(taking_does_not_end_the_hash),
        cmocka_unit_test(a_field_is_its_length_and_its_bytes),
        cmocka_unit_test(fields_do_not_run_into_each_other),
    };
    return cmocka_run_group_tests_name("crypto/hash", tests, NULL, NULL);
}
