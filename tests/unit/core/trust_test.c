/* Authorities from files, and what cannot be validated. */
#include "core/trust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/port/scratch.h"
#include "unit/transport/pems.h"

#define NOW 1800000000

static struct trust trust;
static char reason[1024];

static int load(const char *file)
{
    struct text why;
    TEXT_OF(&why, reason);
    int err = trust_load(&trust, file, &why);
    assert_int_equal(err == OK, why.len == 0);
    assert_false(why.cut);
    return err;
}

static int load_text(const char *text)
{
    scratch_file("ca.pem", text, 0644);
    return load(scratch_path("ca.pem"));
}

/* Does a chain end at one of the authorities? As in a handshake. */
static unsigned verdict(const char *name, const char *certs, const char *key)
{
    static struct tlsid id;
    char buf[256];
    struct text why;
    br_x509_minimal_context x;
    TEXT_OF(&why, buf);
    assert_int_equal(tlsid_load(&id, view_str(certs), view_str(key), NOW, &why),
                     OK);
    tls_path_init(&x, trust.anchor, trust.count, NOW);
    const br_x509_class **ctx = &x.vtable;
    (*ctx)->start_chain(ctx, name);
    for (size_t i = 0; i < id.count; i++) {
        (*ctx)->start_cert(ctx, (uint32_t)id.chain[i].data_len);
        (*ctx)->append(ctx, id.chain[i].data, id.chain[i].data_len);
        (*ctx)->end_cert(ctx);
    }
    return (*ctx)->end_chain(ctx);
}

static void what_a_file_holds_is_trusted(void **state)
{
    (void)state;
    assert_int_equal(load_text("# roots\n" EC_ROOT_PEM RSA_ROOT_PEM), OK);
    assert_int_equal(trust.count, 2);
    assert_int_equal(verdict("relay.test", EC_LEAF_PEM EC_MID_PEM, EC_LEAF_KEY),
                     0);
    assert_int_equal(
        verdict("relay.test", RSA_LEAF_PEM RSA_MID_PEM, RSA_LEAF_KEY), 0);
    assert_int_equal(verdict("other.test", EC_LEAF_PEM EC_MID_PEM, EC_LEAF_KEY),
                     BR_ERR_X509_BAD_SERVER_NAME);
}

static void nothing_else_is(void **state)
{
    (void)state;
    assert_int_equal(load_text(RSA_ROOT_PEM), OK);
    assert_int_equal(verdict("relay.test", EC_LEAF_PEM EC_MID_PEM, EC_LEAF_KEY),
                     BR_ERR_X509_NOT_TRUSTED);
}

static void one_certificate_alone_may_be_trusted_as_itself(void **state)
{
    (void)state;
    assert_int_equal(load_text(EC_LEAF_PEM), OK);
    assert_int_equal(trust.anchor[0].flags, 0);
    assert_int_equal(verdict("relay.test", EC_LEAF_PEM, EC_LEAF_KEY), 0);
    assert_int_equal(
        verdict("relay.test", P384_LEAF_PEM EC_MID_PEM, P384_LEAF_KEY),
        BR_ERR_X509_NOT_TRUSTED);
}

static void a_file_that_is_named_must_be_good_in_every_block(void **state)
{
    (void)state;
    assert_int_equal(load_text(EC_ROOT_PEM ED_LEAF_PEM), ERR_DAMAGED);
    assert_non_null(strstr(reason, "certificate number 2"));
    assert_int_equal(load_text(EC_ROOT_PEM "-----BEGIN CERTIFICATE-----\nAA"),
                     ERR_DAMAGED);
    assert_int_equal(load_text("no PEM"), ERR_DAMAGED);
    assert_non_null(strstr(reason, "holds no certificate"));
    assert_int_equal(load_text(""), ERR_DAMAGED);
    assert_int_equal(load(scratch_path("none")), ERR_NOT_FOUND);
    assert_non_null(strstr(reason, "cannot read"));
}

static void there_is_a_bound(void **state)
{
    static char text[(TRUST_ANCHORS_MAX + 1) * sizeof(EC_ROOT_PEM)];
    (void)state;
    text[0] = '\0';
    char *at = text;
    for (int i = 0; i < TRUST_ANCHORS_MAX; i++)
        at = stpcpy(at, EC_ROOT_PEM);
    assert_int_equal(load_text(text), OK);
    assert_int_equal(trust.count, TRUST_ANCHORS_MAX);
    (void)stpcpy(at, EC_ROOT_PEM);
    assert_int_equal(load_text(text), ERR_LIMIT);
    assert_non_null(strstr(reason, "more authorities than fit"));
}

static void the_environment_names_a_file(void **state)
{
    (void)state;
    scratch_file("env.pem", RSA_ROOT_PEM, 0644);
    setenv("CMDOP_CA_FILE", scratch_path("env.pem"), 1);
    assert_int_equal(load(NULL), OK);
    assert_int_equal(trust.count, 1);
    setenv("CMDOP_CA_FILE", scratch_path("none"), 1);
    assert_int_equal(load(NULL), ERR_NOT_FOUND);
    unsetenv("CMDOP_CA_FILE");
}

static void the_system_has_a_list(void **state)
{
    (void)state;
    if (load(NULL) == ERR_NOT_FOUND) {
        assert_non_null(strstr(reason, "--ca-file"));
        skip();
    }
    print_message("%zu authorities, %zu bytes, %zu passed over, from %s\n",
                  trust.count, trust.used, trust.skipped, trust.from);
    assert_true(trust.count > 20);
    assert_true(trust.used < TRUST_BYTES / 2);
    for (size_t i = 0; i < trust.count; i++)
        assert_true(trust.anchor[i].dn.len > 0);
}

static int host(const char *name, int64_t now_s)
{
    struct text why;
    TEXT_OF(&why, reason);
    return trust_host(name, now_s, &why);
}

static void an_address_is_no_name(void **state)
{
    (void)state;
    assert_int_equal(host("relay.example", NOW), OK);
    assert_int_equal(host("192.0.2.1", NOW), ERR_UNSUPPORTED);
    assert_non_null(strstr(reason, "join string"));
    assert_int_equal(host("2001:db8::1", NOW), ERR_UNSUPPORTED);
}

static void a_clock_that_cannot_be_right_is_told(void **state)
{
    (void)state;
    assert_int_equal(host("relay.example", 5), ERR_RANGE);
    assert_non_null(strstr(reason, "clock says 1970-01-01T00:00:05Z"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_file_holds_is_trusted),
        cmocka_unit_test(nothing_else_is),
        cmocka_unit_test(one_certificate_alone_may_be_trusted_as_itself),
        cmocka_unit_test(a_file_that_is_named_must_be_good_in_every_block),
        cmocka_unit_test(there_is_a_bound),
        cmocka_unit_test(the_environment_names_a_file),
        cmocka_unit_test(the_system_has_a_list),
        cmocka_unit_test(an_address_is_no_name),
        cmocka_unit_test(a_clock_that_cannot_be_right_is_told),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
