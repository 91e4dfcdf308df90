/* Who comes in and who must wait: tokens, wrong tries, and a file that is
 * always the old one or the new one. */
#include "core/lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fake/port_keep.h"

#define STATE "/state"
#define PATH  "/state/password"
#define DAY   LOCK_TOKEN_MS
#define T0    INT64_C(1700000000000)

static const char STORED[PWHASH_CAP] =
    "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
static const char OTHER[PWHASH_CAP] =
    "$argon2id$v=19$m=9,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static struct lock lock;
static uint8_t ann[LOCK_WHO_LEN], bob[LOCK_WHO_LEN];
static const uint8_t TOKEN[LOCK_TOKEN_LEN] = {1, 2, 3};

static void who(const char *fleet, const char *user, uint8_t out[LOCK_WHO_LEN])
{
    msg_origin o = cmdop_agent_v1_Origin_init_zero;
    STR_COPY(o.fleet_id, fleet);
    STR_COPY(o.user, user);
    lock_who(&o, out);
}

static void person(const char *id, const char *name, uint8_t out[LOCK_WHO_LEN])
{
    msg_origin o = cmdop_agent_v1_Origin_init_zero;
    STR_COPY(o.fleet_id, "f1");
    STR_COPY(o.user_id, id);
    STR_COPY(o.user, name);
    lock_who(&o, out);
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    who("f1", "ann", ann);
    who("f1", "bob", bob);
    lock_load(&lock, STATE, 1000);
    return 0;
}

static void arm(void)
{
    assert_int_equal(lock_set(&lock, STORED, 1000), OK);
}

static int admits(const uint8_t who_[LOCK_WHO_LEN], int64_t wall_ms)
{
    return lock_admits(&lock, who_, VIEW_ARRAY(TOKEN), wall_ms);
}

/* ---- who it is --------------------------------------------------------------- */

/* Else another name would be another try. */
static void a_person_is_the_same_under_another_name(void **state)
{
    uint8_t before[LOCK_WHO_LEN], after[LOCK_WHO_LEN];
    (void)state;
    person("id-1", "ann", before);
    person("id-1", "eve", after);
    assert_memory_equal(before, after, LOCK_WHO_LEN);
    person("id-2", "ann", after);
    assert_memory_not_equal(before, after, LOCK_WHO_LEN);
    person("", "ann", after); /* one without an id is nobody's namesake */
    assert_memory_not_equal(before, after, LOCK_WHO_LEN);
    assert_memory_equal(ann, after, LOCK_WHO_LEN);
    assert_memory_not_equal(ann, bob, LOCK_WHO_LEN);
}

/* ---- tokens ------------------------------------------------------------------ */

static void without_a_password_everybody_comes_in(void **state)
{
    (void)state;
    assert_int_equal(lock_admits(&lock, ann, VIEW_NONE, T0), OK);
    assert_int_equal(admits(ann, T0), OK); /* whatever they bring */
}

static void with_one_nobody_does_without_a_token(void **state)
{
    uint8_t zero[LOCK_TOKEN_LEN] = {0};
    (void)state;
    arm();
    assert_int_equal(lock_admits(&lock, ann, VIEW_NONE, T0), ERR_AUTH);
    assert_int_equal(lock_admits(&lock, ann, VIEW_ARRAY(zero), T0), ERR_AUTH);
    assert_int_equal(admits(ann, T0), ERR_AUTH);
}

static void a_token_is_for_one_user_of_one_fleet_for_a_day(void **state)
{
    uint8_t foreign[LOCK_WHO_LEN];
    (void)state;
    arm();
    who("f2", "ann", foreign);
    lock_grant(&lock, ann, TOKEN, T0, 1000);
    assert_int_equal(admits(ann, T0), OK);
    assert_int_equal(admits(bob, T0), ERR_AUTH);
    assert_int_equal(admits(foreign, T0), ERR_AUTH);
    assert_int_equal(admits(ann, T0 + DAY - 1), OK);
    assert_int_equal(admits(ann, T0 + DAY), ERR_AUTH);
    for (size_t len = 0; len < sizeof(TOKEN); len++)
        assert_int_equal(lock_admits(&lock, ann, view_of(TOKEN, len), T0),
                         ERR_AUTH);
}

static void a_clock_that_jumps_years_ends_it(void **state)
{
    (void)state;
    arm();
    lock_grant(&lock, ann, TOKEN, T0, 1000);
    assert_int_equal(admits(ann, T0 - LOCK_CLOCK_SLACK_MS), OK);
    assert_int_equal(admits(ann, T0 - LOCK_CLOCK_SLACK_MS - 1), ERR_AUTH);
    assert_int_equal(admits(ann, T0 - 400LL * DAY), ERR_AUTH);
    assert_int_equal(admits(ann, T0 + 400LL * DAY), ERR_AUTH);
    assert_int_equal(admits(ann, -T0), ERR_AUTH);
}

static void names_are_never_joined(void **state)
{
    uint8_t a[LOCK_WHO_LEN], b[LOCK_WHO_LEN];
    (void)state;
    who("f1", "ann", a);
    who("f1a", "nn", b);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void a_new_start_knows_them(void **state)
{
    (void)state;
    arm();
    lock_grant(&lock, ann, TOKEN, T0, 1000);
    lock_load(&lock, STATE, 5);
    assert_int_equal(admits(ann, T0), OK);
    assert_int_equal(lock_tokens(&lock, T0), 1);
    assert_int_equal(lock_tokens(&lock, T0 + DAY), 0);
}

static void the_token_itself_is_kept_nowhere(void **state)
{
    static uint8_t token[LOCK_TOKEN_LEN];
    (void)state;
    memset(token, 0xA5, sizeof(token));
    arm();
    lock_grant(&lock, ann, token, T0, 1000);
    const struct fake_file *f = fake_find(PATH);
    for (size_t i = 0; i + 8 <= f->len; i++)
        assert_memory_not_equal(f->data + i, token, 8);
    for (size_t i = 0; i + 8 <= sizeof(lock); i++)
        assert_memory_not_equal((uint8_t *)&lock + i, token, 8);
}

static void set_clear_and_revoke_end_them(void **state)
{
    (void)state;
    arm();
    lock_grant(&lock, ann, TOKEN, T0, 1000);
    assert_int_equal(lock_set(&lock, OTHER, 1000), OK);
    assert_int_equal(admits(ann, T0), ERR_AUTH);
    lock_grant(&lock, ann, TOKEN, T0, 1000);
    assert_int_equal(lock_revoke(&lock, 1000), OK);
    assert_int_equal(admits(ann, T0), ERR_AUTH);
    lock_grant(&lock, ann, TOKEN, T0, 1000);
    assert_int_equal(lock_rehash(&lock, STORED, 1000), OK);
    assert_int_equal(admits(ann, T0), OK); /* the same password */
    assert_int_equal(lock_clear(&lock), OK);
    arm();
    assert_int_equal(admits(ann, T0), ERR_AUTH);
}

static void the_oldest_makes_room(void **state)
{
    uint8_t token[LOCK_TOKEN_LEN] = {0};
    (void)state;
    arm();
    for (int i = 0; i <= LOCK_TOKENS_MAX; i++) {
        token[0] = (uint8_t)i;
        lock_grant(&lock, ann, token, T0 + i, 1000);
    }
    assert_int_equal(lock_tokens(&lock, T0 + 100), LOCK_TOKENS_MAX);
    assert_int_equal(lock_admits(&lock, ann, VIEW_ARRAY(token), T0 + 100), OK);
    token[0] = 0;
    assert_int_equal(lock_admits(&lock, ann, VIEW_ARRAY(token), T0 + 100),
                     ERR_AUTH);
    token[0] = 1;
    assert_int_equal(lock_admits(&lock, ann, VIEW_ARRAY(token), T0 + 100), OK);
}

/* ---- wrong tries ---------------------------------------------------------------- */

static void a_user_waits_from_the_third_and_is_locked_at_the_tenth(void **state)
{
    static const uint64_t wait[] = {0,     0,     1000,  2000,    4000,   8000,
                                    16000, 32000, 64000, LOCK_MS, LOCK_MS};
    uint64_t now = 1000;
    (void)state;
    arm();
    for (size_t i = 0; i < sizeof(wait) / sizeof(wait[0]); i++) {
        lock_wrong(&lock, ann, now);
        assert_int_equal(lock_wait_ms(&lock, ann, now), wait[i]);
        now += wait[i];
        assert_int_equal(lock_wait_ms(&lock, ann, now), 0);
    }
}

static void one_user_holds_up_no_other(void **state)
{
    (void)state;
    arm();
    for (uint64_t i = 0; i < 9; i++)
        lock_wrong(&lock, ann, 1000);
    assert_int_equal(lock_wait_ms(&lock, bob, 1000), 0);
    assert_true(lock_wait_ms(&lock, ann, 1000) > 0);
}

static void a_thousand_invented_users_are_held_up_together(void **state)
{
    uint64_t now = 1000, looked_at = 0;
    (void)state;
    arm();
    for (uint32_t i = 0; i < 1000; i++) {
        uint8_t w[LOCK_WHO_LEN] = {0};
        memcpy(w, &i, sizeof(i));
        now += 1000; /* a try each second */
        if (lock_wait_ms(&lock, w, now) > 0)
            continue;
        lock_wrong(&lock, w, now);
        looked_at++;
    }
    assert_true(looked_at <= LOCK_ALL_AFTER);
    assert_true(lock_wait_ms(&lock, bob, now) > 0);
}

static void a_right_one_forgets_and_so_does_a_day(void **state)
{
    (void)state;
    arm();
    for (int i = 0; i < 4; i++)
        lock_wrong(&lock, ann, 1000);
    lock_right(&lock, ann, 5000);
    assert_int_equal(lock_wait_ms(&lock, ann, 5000), 0);
    lock_wrong(&lock, ann, 5000);
    lock_wrong(&lock, ann, 5000);
    assert_int_equal(lock_wait_ms(&lock, ann, 5000), 0);
    assert_int_equal(lock.r.all.count, 2);
    lock_wrong(&lock, ann, 5000 + LOCK_FORGET_MS);
    assert_int_equal(lock_wait_ms(&lock, ann, 5000 + LOCK_FORGET_MS), 0);
}

static void a_new_start_of_the_agent_forgets_nothing(void **state)
{
    (void)state;
    arm();
    for (int i = 0; i < 10; i++)
        lock_wrong(&lock, ann, 1000);
    lock_load(&lock, STATE, 7); /* another clock, with the whole wait */
    assert_int_equal(lock_wait_ms(&lock, ann, 7), LOCK_MS);
    assert_int_equal(lock.r.all.count, 10);
}

static void more_users_than_rows_forget_who_tried_least(void **state)
{
    (void)state;
    arm();
    for (int i = 0; i < 5; i++)
        lock_wrong(&lock, ann, 1000);
    for (uint32_t i = 0; i < 100; i++) {
        uint8_t w[LOCK_WHO_LEN] = {7};
        memcpy(w + 1, &i, sizeof(i));
        lock_wrong(&lock, w, 1000);
        lock_right(&lock, i % 2 == 0 ? w : bob, 1000);
    }
    assert_true(lock.r.triers <= LOCK_TRIERS_MAX);
    lock_wrong(&lock, ann, 1000);
    assert_true(lock_wait_ms(&lock, ann, 1000) >= 8000); /* the sixth */
}

/* ---- the file ----------------------------------------------------------------------- */

static void a_damaged_file_lets_nobody_in(void **state)
{
    (void)state;
    arm();
    lock_grant(&lock, ann, TOKEN, T0, 1000);
    struct fake_file *f = fake_find(PATH);
    for (size_t i = 0; i < f->len; i++) {
        f->data[i] ^= 1;
        lock_load(&lock, STATE, 1000);
        assert_int_equal(admits(ann, T0), ERR_DAMAGED);
        f->data[i] ^= 1;
    }
    size_t whole = f->len;
    for (f->len = 0; f->len < whole; f->len++) {
        lock_load(&lock, STATE, 1000);
        assert_int_equal(admits(ann, T0), ERR_DAMAGED);
    }
    lock_load(&lock, STATE, 1000);
    assert_int_equal(admits(ann, T0), OK);
}

static void a_file_that_others_may_read_or_that_fails_is_damaged(void **state)
{
    (void)state;
    arm();
    fake_find(PATH)->open_to_others = true;
    lock_load(&lock, STATE, 1000);
    assert_int_equal(admits(ann, T0), ERR_DAMAGED);
    fake_find(PATH)->open_to_others = false;
    fake.fail_at = fake.calls + 1;
    fake.fail_err = ERR_IO;
    lock_load(&lock, STATE, 1000);
    assert_int_equal(admits(ann, T0), ERR_DAMAGED);
    lock_retry(&lock, 1000); /* a disk may be back, a file is not mended */
    assert_int_equal(admits(ann, T0), ERR_AUTH);
    fake_find(PATH)->data[20] ^= 1;
    lock_load(&lock, STATE, 1000);
    fake_find(PATH)->data[20] ^= 1;
    lock_retry(&lock, 1000);
    assert_int_equal(admits(ann, T0), ERR_DAMAGED);
}

static void what_is_damaged_can_be_set_or_cleared(void **state)
{
    (void)state;
    fake_put(PATH, view_str("rubbish"));
    lock_load(&lock, STATE, 1000);
    lock_wrong(&lock, ann, 1000); /* and is not overwritten by the way */
    assert_int_equal(fake_find(PATH)->len, 7);
    arm();
    assert_int_equal(admits(ann, T0), ERR_AUTH);
    fake_put(PATH, view_str("rubbish"));
    lock_load(&lock, STATE, 1000);
    assert_int_equal(lock_clear(&lock), OK);
    assert_int_equal(admits(ann, T0), OK);
}

/* Every write of the file fails once: the state before, whole, in memory and
 * on disk; and never an open machine. */
/* Set, revoke and clear, each call of the port failing, once and for ever: on
 * disk and in memory is what was, or what is new, and the same in both. */
static bool one_fault(int what, size_t nth, bool for_ever)
{
    static struct lock_record r;
    fake_reset();
    lock_load(&lock, STATE, 1000);
    arm();
    lock_grant(&lock, ann, TOKEN, T0, 1000);
    fake.fail_err = ERR_NO_SPACE;
    fake.fail_at = fake.calls + nth;
    fake.fail_on = for_ever;
    size_t last = fake.fail_at;
    int err = what == 0   ? lock_set(&lock, OTHER, 1000)
              : what == 1 ? lock_revoke(&lock, 1000)
                          : lock_clear(&lock);
    bool met = fake.calls >= last;
    assert_int_equal(err, met ? ERR_NO_SPACE : OK);
    fake.fail_at = 0;
    for (int i = 0; i < 2; i++) {
        bool clear = err == OK && what == 2;
        assert_int_equal(admits(ann, T0), met || clear ? OK : ERR_AUTH);
        assert_int_equal(lock_admits(&lock, bob, VIEW_NONE, T0),
                         clear ? OK : ERR_AUTH);
        if (clear) {
            assert_int_equal(lockfile_read(STATE, 1000, &r), ERR_NOT_FOUND);
        } else {
            assert_int_equal(lockfile_read(STATE, 1000, &r), OK);
            assert_string_equal(r.stored,
                                err == OK && what == 0 ? OTHER : STORED);
            assert_int_equal(r.tokens, met ? 1 : 0);
        }
        lock_load(&lock, STATE, 1000); /* and after a restart */
    }
    return met;
}

static void a_failed_write_leaves_what_was(void **state)
{
    (void)state;
    for (int run = 0; run < 6; run++) {
        size_t nth = 1;
        while (one_fault(run / 2, nth, (run & 1) != 0))
            nth++;
        assert_true(nth > 1);
    }
}

static void a_full_disk_costs_no_token_and_no_count(void **state)
{
    (void)state;
    arm();
    fake.fail_err = ERR_NO_SPACE;
    fake.fail_at = fake.calls + 1;
    fake.fail_on = true;
    lock_grant(&lock, ann, TOKEN, T0, 1000);
    assert_int_equal(admits(ann, T0), OK);
    for (int i = 0; i < 10; i++)
        lock_wrong(&lock, bob, 1000);
    assert_int_equal(lock_wait_ms(&lock, bob, 1000), LOCK_MS);
}

/* ---- what is sealed --------------------------------------------------------------------- */

static void secrets_have_one_length(void **state)
{
    msg_password_secret s = {
        .order = cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_SET};
    msg_password_secret back;
    uint8_t a[LOCK_SECRET_BYTES];
    (void)state;
    s.challenge.size = 32;
    for (pb_size_t len = 0; len <= PWHASH_PASSWORD_MAX; len++) {
        s.password.size = s.next.size = len;
        memset(s.password.bytes, 'p', len);
        memset(s.next.bytes, 'n', len);
        assert_int_equal(lock_secret_encode(&s, a), OK);
        assert_int_equal(lock_secret_decode(VIEW_ARRAY(a), &back), OK);
        assert_int_equal(back.next.size, len);
        assert_memory_equal(back.password.bytes, s.password.bytes, len);
    }
    a[LOCK_SECRET_BYTES - 1] = 1;
    assert_int_equal(lock_secret_decode(VIEW_ARRAY(a), &back), ERR_PROTO);
    a[0] = 0xFF;
    assert_int_equal(lock_secret_decode(VIEW_ARRAY(a), &back), ERR_PROTO);
    assert_int_equal(lock_secret_decode(view_of(a, 40), &back), ERR_PROTO);
}

static void every_field_of_a_key_is_signed(void **state)
{
    msg_password_key k = cmdop_agent_v1_PasswordKey_init_zero, other;
    uint8_t a[LOCK_SIGNED_MAX], b[LOCK_SIGNED_MAX];
    (void)state;
    k.box_key.size = k.challenge.size = k.machine_key.size = 32;
    STR_COPY(k.machine_id, "m1");
    size_t len = lock_key_signed(&k, "nonce", a);
    for (int i = 0; i < 6; i++) {
        other = k;
        other.box_key.bytes[0] = i == 0;
        other.challenge.bytes[0] = i == 1;
        other.machine_key.bytes[0] = i == 2;
        other.machine_id[0] = i == 3 ? 'x' : 'm';
        other.state =
            i == 4 ? cmdop_agent_v1_PasswordState_PASSWORD_STATE_NONE : k.state;
        lock_key_signed(&other, i == 5 ? "once" : "nonce", b);
        assert_memory_not_equal(a, b, len);
    }
    assert_int_equal(lock_key_signed(&k, "nonce", b), len);
    assert_memory_equal(a, b, len);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(a_person_is_the_same_under_another_name),
        T(without_a_password_everybody_comes_in),
        T(with_one_nobody_does_without_a_token),
        T(a_token_is_for_one_user_of_one_fleet_for_a_day),
        T(a_clock_that_jumps_years_ends_it),
        T(names_are_never_joined),
        T(a_new_start_knows_them),
        T(the_token_itself_is_kept_nowhere),
        T(set_clear_and_revoke_end_them),
        T(the_oldest_makes_room),
        T(a_user_waits_from_the_third_and_is_locked_at_the_tenth),
        T(one_user_holds_up_no_other),
        T(a_thousand_invented_users_are_held_up_together),
        T(a_right_one_forgets_and_so_does_a_day),
        T(a_new_start_of_the_agent_forgets_nothing),
        T(more_users_than_rows_forget_who_tried_least),
        T(a_damaged_file_lets_nobody_in),
        T(a_file_that_others_may_read_or_that_fails_is_damaged),
        T(what_is_damaged_can_be_set_or_cleared),
        T(a_failed_write_leaves_what_was),
        T(a_full_disk_costs_no_token_and_no_count),
        T(secrets_have_one_length),
        T(every_field_of_a_key_is_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
