/* Certificate chains and keys as a relay is given them. */
#include "transport/tlsid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "crypto/hash.h"
#include "unit/cuts.h"
#include "unit/transport/pems.h"

#define NOW    1800000000 /* 2027-01-15 */
#define BEFORE 1700000000 /* 2023 */
#define LATER  5000000000 /* 2128 */

static struct tlsid id;
static char reason[512];

static int load_at(const char *certs, const char *key, int64_t now_s)
{
    struct text why;
    TEXT_OF(&why, reason);
    int err = tlsid_load(&id, view_str(certs), view_str(key), now_s, &why);
    assert_int_equal(err == OK, why.len == 0);
    assert_false(why.cut);
    return err;
}

static int load(const char *certs, const char *key)
{
    return load_at(certs, key, NOW);
}

static void refuses(const char *certs, const char *key, int err,
                    const char *part)
{
    assert_int_equal(load(certs, key), err);
    if (strstr(reason, part) == NULL)
        fail_msg("\"%s\" does not tell \"%s\"", reason, part);
    tlsid_wipe(&id);
}

static void a_pair_of_each_kind_is_taken(void **state)
{
    (void)state;
    assert_int_equal(load(EC_LEAF_PEM, EC_LEAF_KEY), OK);
    assert_true(id.ec != NULL && id.rsa == NULL && id.issuer_ec);
    assert_int_equal(id.ec->curve, BR_EC_secp256r1);
    assert_int_equal(load(P384_LEAF_PEM, P384_LEAF_KEY), OK);
    assert_int_equal(id.ec->curve, BR_EC_secp384r1);
    assert_int_equal(load(RSA_LEAF_PEM, RSA_LEAF_KEY), OK);
    assert_true(id.rsa != NULL && id.ec == NULL && !id.issuer_ec);
}

static void a_key_may_be_in_each_of_its_forms(void **state)
{
    (void)state;
    assert_int_equal(load(EC_LEAF_PEM, EC_LEAF_SEC1_KEY), OK);
    assert_int_equal(load(RSA_LEAF_PEM, RSA_LEAF_PKCS1_KEY), OK);
    assert_int_equal(load(EC_LEAF_PEM,
                          "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                          "-----END EC PARAMETERS-----\n" EC_LEAF_SEC1_KEY),
                     OK);
}

static void a_chain_may_end_at_or_before_its_root(void **state)
{
    (void)state;
    assert_int_equal(load(EC_LEAF_PEM EC_MID_PEM, EC_LEAF_KEY), OK);
    assert_int_equal(id.count, 2);
    assert_int_equal(load(EC_LEAF_PEM EC_MID_PEM EC_ROOT_PEM, EC_LEAF_KEY), OK);
    assert_int_equal(id.count, 3);
    assert_int_equal(load(RSA_LEAF_PEM RSA_MID_PEM RSA_ROOT_PEM, RSA_LEAF_KEY),
                     OK);
}

static void the_digest_is_that_of_the_first(void **state)
{
    uint8_t digest[32];
    struct tlsid_seen seen;
    char buf[128];
    struct text why;
    (void)state;
    TEXT_OF(&why, buf);
    assert_int_equal(load(EC_LEAF_PEM EC_MID_PEM, EC_LEAF_KEY), OK);
    hash_once(view_of(id.chain[0].data, id.chain[0].data_len), digest);
    assert_memory_equal(id.end_point, digest, 32);
    assert_int_equal(
        tlsid_look(view_str(EC_LEAF_PEM EC_MID_PEM), NOW, &seen, &why), OK);
    assert_memory_equal(seen.end_point, digest, 32);
    assert_true(seen.not_before_s < NOW && seen.not_after_s > NOW);
    assert_int_equal(seen.not_after_s, id.not_after_s);
}

static void what_is_not_valid_now_is_refused(void **state)
{
    (void)state;
    assert_int_equal(load_at(EC_LEAF_PEM, EC_LEAF_KEY, BEFORE), ERR_RANGE);
    assert_non_null(strstr(reason, "valid only from 2026-11-28"));
    assert_non_null(strstr(reason, "clock says 2023-"));
    assert_int_equal(load_at(EC_LEAF_PEM, EC_LEAF_KEY, LATER), ERR_RANGE);
    assert_non_null(strstr(reason, "has expired at 2126-11-04"));
    assert_int_equal(load_at(EC_LEAF_PEM, EC_LEAF_KEY, 0), ERR_RANGE);
}

static void a_key_of_another_certificate_is_refused(void **state)
{
    static const char *const keys[] = {P384_LEAF_KEY, RSA_LEAF_KEY,
                                       P521_LEAF_KEY, WEAK_LEAF_KEY};
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        refuses(EC_LEAF_PEM, keys[i], ERR_RANGE, "does not belong");
    refuses(RSA_LEAF_PEM, EC_LEAF_KEY, ERR_RANGE, "does not belong");
    refuses(EC_MID_PEM EC_ROOT_PEM, EC_LEAF_KEY, ERR_RANGE, "does not belong");
}

static void other_kinds_are_refused(void **state)
{
    (void)state;
    refuses(P521_LEAF_PEM, P521_LEAF_KEY, ERR_RANGE, "another key than EC");
    refuses(WEAK_LEAF_PEM, WEAK_LEAF_KEY, ERR_RANGE, "another key than EC");
    refuses(ED_LEAF_PEM, EC_LEAF_KEY, ERR_DAMAGED, "cannot be read");
    refuses(EC_LEAF_PEM, ED_LEAF_KEY, ERR_DAMAGED, "another kind");
    refuses(EC_LEAF_PEM, EC_LEAF_ENC_KEY, ERR_RANGE, "encrypted");
}

static void what_is_missing_is_told(void **state)
{
    (void)state;
    refuses("", EC_LEAF_KEY, ERR_DAMAGED, "certificate file holds none");
    refuses(EC_LEAF_KEY, EC_LEAF_KEY, ERR_DAMAGED, "holds none");
    refuses(EC_LEAF_PEM, "", ERR_DAMAGED, "no private key");
    refuses(EC_LEAF_PEM, EC_LEAF_PEM, ERR_DAMAGED, "no private key");
    refuses(EC_LEAF_PEM, EC_LEAF_KEY RSA_LEAF_KEY, ERR_RANGE, "more than one");
}

static void a_chain_out_of_order_is_refused(void **state)
{
    (void)state;
    refuses(EC_LEAF_PEM EC_ROOT_PEM, EC_LEAF_KEY, ERR_RANGE,
            "was not signed by the next");
    refuses(EC_LEAF_PEM EC_ROOT_PEM EC_MID_PEM, EC_LEAF_KEY, ERR_RANGE,
            "was not signed by the next");
    refuses(EC_LEAF_PEM RSA_MID_PEM, EC_LEAF_KEY, ERR_RANGE,
            "was not signed by the next");
    refuses(EC_LEAF_PEM P384_LEAF_PEM, EC_LEAF_KEY, ERR_RANGE,
            "was not signed by the next");
}

static void a_chain_that_is_too_long_is_refused(void **state)
{
    static char text[sizeof(EC_LEAF_PEM) + 8 * sizeof(EC_MID_PEM)];
    (void)state;
    strcpy(text, EC_LEAF_PEM);
    for (int i = 0; i < 8; i++)
        strcat(text, EC_MID_PEM);
    refuses(text, EC_LEAF_KEY, ERR_RANGE, "more than a chain");
}

/* Every cut and every changed byte: an error with a sentence, or a pair that
 * works. */
static void damage_is_survived(void **state)
{
    const size_t key_text =
        strlen(EC_LEAF_SEC1_KEY) - strlen("-----END EC PRIVATE KEY-----\n");
    const size_t cert_text =
        strlen(EC_LEAF_PEM) - strlen("-----END CERTIFICATE-----\n");
    static char text[4096];
    (void)state;
    strcpy(text, EC_LEAF_SEC1_KEY);
    for (size_t i = 0; i < key_text; i++) {
        text[i] ^= 1;
        (void)load(EC_LEAF_PEM, text);
        text[i] ^= 1;
        text[i] = '\0';
        assert_int_not_equal(load(EC_LEAF_PEM, text), OK);
        text[i] = EC_LEAF_SEC1_KEY[i];
    }
    strcpy(text, EC_LEAF_PEM);
    for (size_t i = 0; i < cert_text; i++) {
        text[i] = '\0';
        assert_int_not_equal(load(text, EC_LEAF_KEY), OK);
        text[i] = EC_LEAF_PEM[i];
    }
}

static void wiped_it_holds_no_key(void **state)
{
    (void)state;
    assert_int_equal(load(EC_LEAF_PEM, EC_LEAF_KEY), OK);
    tlsid_wipe(&id);
    for (size_t i = 0; i < sizeof id.key; i++)
        assert_int_equal(((const uint8_t *)&id.key)[i], 0);
    assert_true(id.ec == NULL && id.rsa == NULL && id.count == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_of_each_kind_is_taken),
        cmocka_unit_test(a_key_may_be_in_each_of_its_forms),
        cmocka_unit_test(a_chain_may_end_at_or_before_its_root),
        cmocka_unit_test(the_digest_is_that_of_the_first),
        cmocka_unit_test(what_is_not_valid_now_is_refused),
        cmocka_unit_test(a_key_of_another_certificate_is_refused),
        cmocka_unit_test(other_kinds_are_refused),
        cmocka_unit_test(what_is_missing_is_told),
        cmocka_unit_test(a_chain_out_of_order_is_refused),
        cmocka_unit_test(a_chain_that_is_too_long_is_refused),
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(wiped_it_holds_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
