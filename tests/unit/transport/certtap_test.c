/* The certificate tap, called as BearSSL's handshake calls it. */
#include "transport/certtap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "unit/cuts.h"
#include "unit/transport/keys.h"

static struct certtap tap;

/* Show one certificate in pieces of `each` bytes. */
static void show(struct view cert, size_t each)
{
    const br_x509_class **ctx = &tap.vtable;
    (*ctx)->start_cert(ctx, (uint32_t)cert.len);
    for (; cert.len > 0; cert = view_from(cert, each)) {
        struct view part = cuts_guarded(view_first(cert, each));
        (*ctx)->append(ctx, part.ptr, part.len);
    }
    (*ctx)->end_cert(ctx);
}

static unsigned verdict(struct view cert, size_t each)
{
    const br_x509_class **ctx = &tap.vtable;
    certtap_init(&tap, NULL);
    (*ctx)->start_chain(ctx, "relay.test");
    show(cert, each);
    return (*ctx)->end_chain(ctx);
}

static void a_good_certificate_is_taken_in_any_pieces(void **state)
{
    uint8_t digest[32];
    br_sha256_context sha;
    unsigned usages = 0;
    (void)state;
    br_sha256_init(&sha);
    br_sha256_update(&sha, leaf_cert, sizeof leaf_cert);
    br_sha256_out(&sha, digest);
    for (size_t each = 1; each <= sizeof leaf_cert; each++) {
        assert_int_equal(verdict(VIEW_ARRAY(leaf_cert), each), 0);
        assert_memory_equal(tap.end_point, digest, 32);
        const br_x509_pkey *key = tap.vtable->get_pkey(
            (const br_x509_class *const *)&tap.vtable, &usages);
        assert_int_equal(key->key_type, BR_KEYTYPE_EC);
        assert_int_equal(usages, BR_KEYTYPE_SIGN);
    }
}

static void the_decoder_stops_at_its_first_error(void **state)
{
    static uint8_t bad[sizeof leaf_cert];
    (void)state;
    memcpy(bad, leaf_cert, sizeof bad);
    uint8_t *date = memmem(bad, sizeof bad,
                           "\x17\x0d"
                           "26",
                           4);
    assert_non_null(date);
    memcpy(date + 4, "31", 2); /* the month */
    for (size_t each = 1; each <= sizeof bad; each++)
        assert_int_equal(verdict(VIEW_ARRAY(bad), each), BR_ERR_X509_BAD_TIME);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof leaf_cert; len++)
        assert_int_not_equal(verdict(view_of(leaf_cert, len), 7), 0);
}

static void every_changed_byte_is_survived(void **state)
{
    static uint8_t bad[sizeof leaf_cert];
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, 0x30};
    (void)state;
    for (size_t i = 0; i < sizeof bad; i++) {
        for (size_t k = 0; k < sizeof values; k++) {
            memcpy(bad, leaf_cert, sizeof bad);
            bad[i] = values[k];
            unsigned whole = verdict(VIEW_ARRAY(bad), sizeof bad);
            assert_int_equal(verdict(VIEW_ARRAY(bad), 1), whole);
        }
    }
}

static void an_empty_chain_is_refused(void **state)
{
    const br_x509_class **ctx = &tap.vtable;
    (void)state;
    certtap_init(&tap, NULL);
    (*ctx)->start_chain(ctx, "relay.test");
    assert_int_equal((*ctx)->end_chain(ctx), BR_ERR_X509_EMPTY_CHAIN);
}

static void only_the_first_certificate_counts(void **state)
{
    const br_x509_class **ctx = &tap.vtable;
    uint8_t first[32];
    (void)state;
    assert_int_equal(verdict(VIEW_ARRAY(leaf_cert), 100), 0);
    memcpy(first, tap.end_point, 32);
    certtap_init(&tap, NULL);
    (*ctx)->start_chain(ctx, "relay.test");
    show(VIEW_ARRAY(leaf_cert), 100);
    show(VIEW_ARRAY(p384_cert), 100);
    assert_int_equal((*ctx)->end_chain(ctx), 0);
    assert_int_equal(tap.count, 2);
    assert_memory_equal(tap.end_point, first, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_certificate_is_taken_in_any_pieces),
        cmocka_unit_test(the_decoder_stops_at_its_first_error),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_changed_byte_is_survived),
        cmocka_unit_test(an_empty_chain_is_refused),
        cmocka_unit_test(only_the_first_certificate_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
