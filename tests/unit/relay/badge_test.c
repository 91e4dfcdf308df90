/* The certificate that is shown: its own is made and renewed, others are read,
 * and a power cut at any write leaves a pair. */
#include "relay/badge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "crypto/hash.h"
#include "fake/port_addr.h"
#include "fake/port_keep.h"
#include "relay/keys.h"
#include "unit/transport/pems.h"

#define NOW  1800000000
#define DAY  86400
#define CERT "/certs/fullchain.pem"
#define KEY  "/certs/privkey.pem"

static struct badges badges;
static struct badges_cfg cfg;
static uint8_t memory[BADGES_BYTES + 4096];
static char reason[1024], lines[8192];
static uint64_t clock_ms;

static void sink(struct view line)
{
    size_t len = strlen(lines);
    if (len + line.len + 2 > sizeof lines)
        return;
    memcpy(lines + len, line.ptr, line.len);
    strcpy(lines + len + line.len, "\n");
}

static int64_t wall(void)
{
    return NOW * (int64_t)1000;
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    log_init(sink, wall, LOG_INFO);
    clock_ms = 1000;
    lines[0] = '\0';
    cfg = (struct badges_cfg){
        .folder = "/srv", .name = "relay.test", .host = "relay.test"};
    return 0;
}

static int open_at(int64_t now_s)
{
    struct arena a;
    struct text why;
    TEXT_OF(&why, reason);
    memset(&badges, 0, sizeof badges);
    arena_init(&a, SPAN_ARRAY(memory));
    int err = badges_open(&badges, &a, &cfg, now_s, &why);
    assert_int_equal(err == OK, why.len == 0);
    assert_false(why.cut);
    return err;
}

static bool look_at(int64_t now_s)
{
    lines[0] = '\0';
    clock_ms += BADGE_LOOK_MS;
    return badges_look(&badges, now_s, clock_ms);
}

static bool logged(const char *part)
{
    return strstr(lines, part) != NULL;
}

static void digest_now(uint8_t out[32])
{
    memcpy(out, badges_now(&badges)->id.end_point, 32);
}

static bool changed(const uint8_t before[32])
{
    return memcmp(before, badges_now(&badges)->id.end_point, 32) != 0;
}

static void put_pair(const char *certs, const char *key)
{
    fake_put(CERT, view_str(certs));
    fake_put(KEY, view_str(key));
}

static void open_public(void)
{
    cfg.certificate = CERT;
    cfg.key = KEY;
    put_pair(EC_LEAF_PEM EC_MID_PEM, EC_LEAF_KEY);
    assert_int_equal(open_at(NOW), OK);
}

/* ---- its own --------------------------------------------------------------- */

static void its_own_is_made_once(void **state)
{
    uint8_t first[32];
    (void)state;
    assert_int_equal(open_at(NOW), OK);
    digest_now(first);
    assert_int_equal(open_at(NOW), OK);
    assert_false(changed(first));
    assert_true(look_at(NOW + DAY));
    assert_false(changed(first));
    assert_string_equal(lines, "");
}

static void its_own_is_renewed_before_its_end(void **state)
{
    uint8_t first[32];
    int64_t end = NOW + (int64_t)KEYS_SERVER_DAYS * DAY - KEYS_RENEW_S;
    (void)state;
    assert_int_equal(open_at(NOW), OK);
    digest_now(first);
    look_at(end - 2 * DAY);
    assert_false(changed(first));
    look_at(end + DAY);
    assert_true(changed(first));
    assert_true(logged("tls.own") && logged("tls.renewed"));
    assert_true(badges_now(&badges)->id.not_after_s > end + KEYS_RENEW_S);
}

static void the_key_stays_when_its_own_is_renewed(void **state)
{
    struct fake_file before;
    (void)state;
    assert_int_equal(open_at(NOW), OK);
    before = *fake_find("/srv/server.key");
    assert_int_equal(open_at(NOW + 390 * DAY), OK);
    assert_memory_equal(before.data, fake_find("/srv/server.key")->data,
                        before.len);
}

static void other_names_make_another_one(void **state)
{
    static const struct badges_cfg names[] = {
        {.folder = "/srv", .name = "other.test", .host = NULL},
        {.folder = "/srv", .name = "other.test", .host = "far.test"},
        {.folder = "/srv", .name = "other.test", .host = "192.0.2.7"},
        {.folder = "/srv", .name = "other.test", .host = "2001:db8::1"},
        {.folder = "/srv", .name = "relay.test", .host = "far.test"},
    };
    uint8_t before[32];
    (void)state;
    assert_int_equal(open_at(NOW), OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        digest_now(before);
        cfg = names[i];
        assert_int_equal(open_at(NOW), OK);
        assert_true(changed(before));
        digest_now(before);
        assert_int_equal(open_at(NOW), OK);
        assert_false(changed(before));
    }
}

static void names_that_no_certificate_takes_are_left_out(void **state)
{
    uint8_t before[32];
    (void)state;
    assert_int_equal(open_at(NOW), OK);
    digest_now(before);
    cfg.host = "my_box";
    assert_int_equal(open_at(NOW), OK);
    assert_false(changed(before));
    cfg.host = "127.0.0.1";
    assert_int_equal(open_at(NOW), OK);
    assert_false(changed(before));
    cfg.name = "my_box";
    assert_int_equal(open_at(NOW), ERR_RANGE);
    assert_non_null(strstr(reason, "--name"));
}

static void a_clock_that_jumped_is_survived(void **state)
{
    (void)state;
    assert_int_equal(open_at(NOW), OK);
    assert_int_equal(open_at(NOW + (int64_t)10 * 365 * DAY), OK);
    assert_int_equal(open_at(NOW), OK);
    assert_int_equal(open_at(100), OK);
    assert_int_equal(open_at(NOW), OK);
}

/* Fail the first, the second, ... write or read, once and for ever: what lies
 * there afterwards is a pair, or is made one by the next start. */
static void a_power_cut_leaves_a_pair(void **state)
{
    (void)state;
    for (int renew = 0; renew < 2; renew++) {
        for (size_t at = 1;; at++) {
            setup(NULL);
            if (renew == 1)
                assert_int_equal(open_at(NOW), OK);
            fake.calls = 0;
            fake.fail_at = at;
            fake.fail_on = true;
            fake.fail_err = ERR_NO_SPACE;
            cfg.name = renew == 1 ? "new.test" : "relay.test";
            int err = open_at(NOW);
            bool met = fake.calls >= at;
            fake.fail_at = 0;
            if (met)
                assert_int_not_equal(err, OK);
            assert_int_equal(open_at(NOW), OK);
            assert_non_null(fake_find("/srv/ca.pem"));
            if (!met)
                break;
        }
    }
}

static void a_cut_between_two_foreign_files_is_mended(void **state)
{
    (void)state;
    /* As an older relay left them: the key is new, the certificate is not. */
    assert_int_equal(open_at(NOW), OK);
    fake_remove("/srv/server.key");
    assert_int_equal(open_at(NOW), OK);
    fake_put("/srv/server.key", view_str(EC_LEAF_SEC1_KEY));
    assert_int_equal(open_at(NOW), OK);
    fake_remove("/srv/server.pem");
    assert_int_equal(open_at(NOW), OK);
}

static void what_is_damaged_is_left_and_told(void **state)
{
    (void)state;
    assert_int_equal(open_at(NOW), OK);
    fake_put("/srv/server.pem", view_str("garbage"));
    assert_int_equal(open_at(NOW), ERR_DAMAGED);
    assert_non_null(strstr(reason, "server.pem"));
    assert_int_equal(fake_find("/srv/server.pem")->len, 7);
}

/* ---- a public one ------------------------------------------------------------ */

static void a_public_one_is_shown(void **state)
{
    (void)state;
    open_public();
    assert_int_equal(badges_now(&badges)->id.count, 2);
    assert_null(fake_find("/srv/server.pem"));
    assert_null(badges_proxy(&badges));
}

static void what_is_configured_must_be_good(void **state)
{
    (void)state;
    cfg.certificate = CERT;
    cfg.key = KEY;
    assert_int_equal(open_at(NOW), ERR_NOT_FOUND);
    assert_non_null(strstr(reason, CERT));
    put_pair(EC_LEAF_PEM, RSA_LEAF_KEY);
    assert_int_equal(open_at(NOW), ERR_RANGE);
    assert_non_null(strstr(reason, "does not belong"));
    put_pair(EC_LEAF_PEM, EC_LEAF_KEY);
    fake_find(KEY)->open_to_others = true;
    assert_int_equal(open_at(NOW), ERR_DAMAGED);
    assert_non_null(strstr(reason, KEY));
    put_pair(EC_LEAF_PEM, EC_LEAF_KEY);
    fake_find(KEY)->open_to_others = false;
    assert_int_equal(open_at(5000000000), ERR_RANGE);
    assert_non_null(strstr(reason, "expired"));
}

static void a_new_pair_is_shown_from_now_on(void **state)
{
    struct badge *old;
    uint8_t before[32];
    (void)state;
    open_public();
    old = badges_now(&badges);
    digest_now(before);
    put_pair(RSA_LEAF_PEM RSA_MID_PEM, RSA_LEAF_KEY);
    assert_true(look_at(NOW));
    assert_true(changed(before));
    assert_true(logged("tls.renewed"));
    assert_memory_equal(old->id.end_point, before, 32);
    assert_true(look_at(NOW));
    assert_string_equal(lines, "");
}

static void the_old_one_rests_while_handshakes_may_use_it(void **state)
{
    struct badge *old, *first;
    (void)state;
    open_public();
    first = badges_now(&badges);
    put_pair(RSA_LEAF_PEM, RSA_LEAF_KEY);
    assert_true(look_at(NOW));
    old = badges_now(&badges);
    put_pair(P384_LEAF_PEM, P384_LEAF_KEY);
    assert_false(badges_look(&badges, NOW, clock_ms + BADGE_REST_MS - 1));
    assert_ptr_equal(badges_now(&badges), old);
    assert_non_null(first->id.ec);
    assert_true(badges_look(&badges, NOW, clock_ms + BADGE_REST_MS));
    assert_ptr_not_equal(badges_now(&badges), old);
}

static void a_broken_pair_changes_nothing_and_is_told_once(void **state)
{
    uint8_t before[32];
    (void)state;
    open_public();
    digest_now(before);
    /* A renewal that was cut between its two files. */
    fake_put(KEY, view_str(P384_LEAF_KEY));
    look_at(NOW);
    assert_false(changed(before));
    assert_true(logged("tls.refused") && logged("does not belong") &&
                logged("stays in force"));
    look_at(NOW);
    assert_string_equal(lines, "");
    fake_remove(CERT);
    look_at(NOW);
    assert_true(logged("tls.refused") && logged(CERT));
    fake_put(CERT, view_str(P384_LEAF_PEM EC_MID_PEM));
    look_at(NOW);
    assert_true(changed(before));
    assert_true(logged("tls.renewed"));
}

static void the_same_pair_written_again_is_no_renewal(void **state)
{
    uint8_t before[32];
    (void)state;
    open_public();
    digest_now(before);
    put_pair(EC_LEAF_PEM EC_MID_PEM, EC_LEAF_KEY);
    look_at(NOW);
    assert_false(changed(before));
    assert_string_equal(lines, "");
}

static void the_end_is_told_once_a_day(void **state)
{
    int64_t end;
    (void)state;
    open_public();
    end = badges_now(&badges)->id.not_after_s;
    look_at(end - 20 * DAY);
    assert_string_equal(lines, "");
    look_at(end - 10 * DAY);
    assert_true(logged("tls.expires") && logged("is not renewed"));
    look_at(end - 10 * DAY + 60);
    assert_string_equal(lines, "");
    look_at(end + 10);
    assert_true(logged("has ended"));
}

/* ---- behind a proxy ------------------------------------------------------------- */

static void the_proxys_is_known_and_read_again(void **state)
{
    uint8_t digest[32];
    (void)state;
    cfg.proxy = "/proxy.pem";
    assert_int_equal(open_at(NOW), ERR_NOT_FOUND);
    fake_put("/proxy.pem", view_str(RSA_LEAF_PEM RSA_MID_PEM));
    assert_int_equal(open_at(NOW), OK);
    memcpy(digest, badges_proxy(&badges), 32);
    fake_put("/proxy.pem", view_str("broken"));
    look_at(NOW);
    assert_memory_equal(badges_proxy(&badges), digest, 32);
    assert_true(logged("proxy.refused"));
    look_at(NOW);
    assert_string_equal(lines, "");
    fake_put("/proxy.pem", view_str(EC_LEAF_PEM));
    look_at(NOW);
    assert_memory_not_equal(badges_proxy(&badges), digest, 32);
    assert_true(logged("proxy.renewed"));
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(its_own_is_made_once),
        T(its_own_is_renewed_before_its_end),
        T(the_key_stays_when_its_own_is_renewed),
        T(other_names_make_another_one),
        T(names_that_no_certificate_takes_are_left_out),
        T(a_clock_that_jumped_is_survived),
        T(a_power_cut_leaves_a_pair),
        T(a_cut_between_two_foreign_files_is_mended),
        T(what_is_damaged_is_left_and_told),
        T(a_public_one_is_shown),
        T(what_is_configured_must_be_good),
        T(a_new_pair_is_shown_from_now_on),
        T(the_old_one_rests_while_handshakes_may_use_it),
        T(a_broken_pair_changes_nothing_and_is_told_once),
        T(the_same_pair_written_again_is_no_renewal),
        T(the_end_is_told_once_a_day),
        T(the_proxys_is_known_and_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
