/* Leases, keys, states, links between fleets, access: what holds for any
 * engine. */
#include "unit/relay/store_kit.h"

static struct store_who who;
static struct store_who other; /* another fleet, another owner */
static struct store_machine m; /* key 100, held by process 1, epoch 1 */

static struct store_ask enrol_as(uint32_t key, uint32_t machine,
                                 uint8_t process, uint64_t epoch)
{
    struct store_ask q = enrol_ask(key, machine, "web");
    memset(q.u.enrol.claim.instance, process, STORE_INSTANCE);
    q.u.enrol.claim.epoch = epoch;
    return q;
}

static int begin_held(void **state)
{
    int err = begin(state);
    if (err != 0)
        return err;
    who = setup();
    other = other_fleet();
    make_key(who.fleet_id, 20, 0);
    struct store_ask q = enrol_as(20, 100, 1, 0);
    ASK(q, STORE_DONE);
    m = got.last.u.machine;
    assert_int_equal(m.epoch, 1);
    return 0;
}

static struct store_ask claim(uint32_t machine, uint8_t process, uint64_t epoch,
                              bool gone)
{
    struct store_ask q = ask_of(STORE_MACHINE_LOGIN);
    FILL(q.u.machine_login.public_key, machine);
    memset(q.u.machine_login.claim.instance, process, STORE_INSTANCE);
    q.u.machine_login.claim.epoch = epoch;
    q.u.machine_login.claim.gone = gone;
    return q;
}

static struct store_ask confirm(uint8_t process, uint64_t epoch)
{
    struct store_ask q = ask_of(STORE_MACHINE_CONFIRM);
    PUT(q.u.machine_confirm.fleet_id, who.fleet_id);
    PUT(q.u.machine_confirm.machine_id, m.id);
    memset(q.u.machine_confirm.instance, process, STORE_INSTANCE);
    q.u.machine_confirm.epoch = epoch;
    return q;
}

static struct store_ask get(const char *fleet)
{
    struct store_ask q = ask_of(STORE_MACHINE_GET);
    PUT(q.u.machine_get.fleet_id, fleet);
    PUT(q.u.machine_get.machine_id, m.id);
    return q;
}

static struct store_ask link_ask(enum store_op op, const char *fleet,
                                 const char *to)
{
    struct store_ask q = ask_of(op);
    PUT(q.u.machine_link.fleet_id, fleet);
    PUT(q.u.machine_link.machine_id, m.id);
    PUT(q.u.machine_link.other_id, to);
    BY(q.u.machine_link.actor);
    return q;
}

static enum store_outcome state_of(enum store_state_change change)
{
    return change_state(who.fleet_id, m.id, change)->outcome;
}

/* ---- leases -------------------------------------------------------------------- */

static void the_holder_comes_back_as_it_was(void **state)
{
    (void)state;
    int before = lines(who.fleet_id);
    for (uint64_t epoch = 0; epoch < 9; epoch++) {
        struct store_ask q = claim(100, 1, epoch, epoch % 2 == 0);
        ASK(q, STORE_DONE);
        assert_int_equal(got.last.u.machine.epoch, 1);
        assert_false(got.last.u.machine.taken);
    }
    assert_int_equal(lines(who.fleet_id), before);
    struct store_ask q = claim(101, 1, 1, true);
    ASK(q, STORE_UNKNOWN);
}

static void a_new_process_takes_over_when_the_old_is_gone(void **state)
{
    (void)state;
    struct store_ask q = confirm(1, 1);
    ASK(q, STORE_DONE);
    q = claim(100, 2, 1, false);
    ASK(q, STORE_HELD);
    assert_int_equal(got.last.u.machine.epoch, 1);
    assert_string_equal(got.last.u.machine.id, m.id);
    q = claim(100, 2, 1, true);
    ASK(q, STORE_DONE);
    assert_true(got.last.u.machine.taken);
    assert_int_not_equal(got.last.u.machine.lease, STORE_LEASE_KEPT);
    assert_int_equal(got.last.u.machine.epoch, 2);
    newest_line(who.fleet_id, "machine.hold", "done");
    reopen();
    q = claim(100, 2, 1, false); /* asked again: the answer was lost */
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.machine.epoch, 2);
    assert_false(got.last.u.machine.taken);
    /* Lost for ever: the next process still has 1, and gets what nobody
     * confirmed. */
    q = claim(100, 3, 1, true);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.machine.epoch, 2);
}

static void an_older_epoch_is_a_second_holder(void **state)
{
    (void)state;
    struct store_ask q = confirm(1, 1);
    ASK(q, STORE_DONE);
    q = claim(100, 2, 1, true);
    ASK(q, STORE_DONE);
    q = confirm(2, 2);
    ASK(q, STORE_DONE);
    int before = lines(who.fleet_id);
    q = claim(100, 3, 1, false); /* the asker may know better */
    ASK(q, STORE_HELD);
    q = claim(100, 3, 1, true);
    ASK(q, STORE_QUARANTINED);
    assert_true(got.last.u.machine.changed);
    assert_int_equal(got.last.u.machine.state, STORE_STATE_QUARANTINED);
    assert_true(strlen(got.last.u.machine.why) > 0);
    newest_line(who.fleet_id, "machine.quarantine", "done");
    reopen(); /* it stays though the answer is no */
    ASK(q, STORE_QUARANTINED);
    assert_false(got.last.u.machine.changed);
    q = claim(100, 2, 2, true); /* the live one as well */
    ASK(q, STORE_QUARANTINED);
    assert_true(strlen(got.last.u.machine.why) > 0);
    assert_int_equal(lines(who.fleet_id), before + 1);
    q = enrol_as(20, 100, 2, 2); /* a join key does not help */
    ASK(q, STORE_QUARANTINED);
    list(STORE_JOINKEY_LIST, who.fleet_id, 0);
    assert_int_equal(got.row[0].joinkey.uses, 1);

    /* An owner settles it: the next holds it, older leases are void. */
    assert_int_equal(state_of(STORE_APPROVE), STORE_DONE);
    newest_line(who.fleet_id, "machine.approve", "done");
    q = claim(100, 3, 1, false);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.machine.epoch, 4);
    assert_string_equal(got.last.u.machine.why, "");
    q = confirm(3, 4);
    ASK(q, STORE_DONE);
    q = claim(100, 2, 2, true);
    ASK(q, STORE_QUARANTINED);
}

static void an_agent_without_leases_is_as_old_as_its_machine(void **state)
{
    (void)state;
    struct store_ask q = claim(100, 0, 0, true); /* it was held */
    ASK(q, STORE_QUARANTINED);
    q = enrol_ask(20, 200, "old"); /* nobody ever held this one */
    ASK(q, STORE_DONE);
    q = claim(200, 0, 0, false);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.machine.epoch, 0);
    q = claim(200, 1, 0, false); /* now it knows of leases */
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.machine.epoch, 1);
    assert_false(got.last.u.machine.taken);
}

/* The store may be older than its machines: it was restored. */
static void a_newer_epoch_counts_as_current(void **state)
{
    (void)state;
    struct store_ask q = claim(100, 2, 40, false);
    ASK(q, STORE_HELD);
    q = claim(100, 2, 40, true);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.machine.epoch, 41);
    q = claim(100, 2, UINT64_MAX, true);
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
}

static void only_the_holder_confirms(void **state)
{
    (void)state;
    struct store_ask q = confirm(2, 1);
    ASK(q, STORE_CONFLICT);
    q = confirm(1, 2);
    ASK(q, STORE_CONFLICT);
    q = confirm(1, 1);
    PUT(q.u.machine_confirm.fleet_id, other.fleet_id);
    ASK(q, STORE_UNKNOWN);
    q = confirm(1, 1);
    ASK(q, STORE_DONE);
    ASK(q, STORE_DONE);
    q = claim(100, 1, 1, false);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.machine.lease, STORE_LEASE_KEPT);
    q = claim(100, 2, 0, true); /* one before: too old now */
    ASK(q, STORE_QUARANTINED);
    memset(q.u.machine_confirm.instance, 0, STORE_INSTANCE);
    q = confirm(0, 1);
    ASK(q, STORE_CONFLICT);
}

static void a_join_again_obeys_the_lease(void **state)
{
    (void)state;
    struct store_ask q = confirm(1, 1);
    ASK(q, STORE_DONE);
    q = enrol_as(20, 100, 2, 1);
    ASK(q, STORE_HELD);
    list(STORE_JOINKEY_LIST, who.fleet_id, 0);
    assert_int_equal(got.row[0].joinkey.uses, 1);
    q.u.enrol.claim.gone = true;
    ASK(q, STORE_DONE);
    assert_true(got.last.u.machine.taken);
    assert_false(got.last.u.machine.created);
    assert_int_equal(got.last.u.machine.epoch, 2);
    q = confirm(2, 2);
    ASK(q, STORE_DONE);
    q = enrol_as(20, 100, 3, 1);
    ASK(q, STORE_HELD);
    q.u.enrol.claim.gone = true;
    ASK(q, STORE_QUARANTINED);
    assert_true(got.last.u.machine.changed);
    list(STORE_JOINKEY_LIST, who.fleet_id, 0);
    assert_int_equal(got.row[0].joinkey.uses, 2);
}

/* ---- a lease that nobody confirmed ------------------------------------------------ */

/* Process `n` takes the machine over with what its folder has. */
static uint64_t takes_over(uint8_t n, uint64_t epoch)
{
    struct store_ask q = claim(100, n, epoch, false);
    ASK(q, STORE_HELD);
    q.u.machine_login.claim.gone = true;
    ASK(q, STORE_DONE);
    assert_true(got.last.u.machine.taken);
    assert_int_not_equal(got.last.u.machine.lease, STORE_LEASE_KEPT);
    return got.last.u.machine.epoch;
}

static void confirmed(uint8_t n, uint64_t epoch)
{
    struct store_ask q = confirm(n, epoch);
    ASK(q, STORE_DONE);
}

/* A machine that dies before it has written anything, or right behind it. */
static void it_is_given_once_more(void **state)
{
    (void)state;
    confirmed(1, 1);
    for (uint8_t n = 2; n < 40; n++) {
        assert_int_equal(takes_over(n, 1 + (n & 1)), 2);
        newest_line(who.fleet_id, "machine.hold", "done");
        reopen();
    }
    assert_int_equal(takes_over(40, 2), 2);
    confirmed(40, 2);
    assert_int_equal(takes_over(41, 2), 3); /* and then the next */
}

/* The very first one as well. */
static void as_often_as_the_first_holder_dies(void **state)
{
    (void)state;
    assert_int_equal(takes_over(2, 0), 1);
    assert_int_equal(takes_over(3, 1), 1);
    assert_int_equal(takes_over(4, 0), 1);
    confirmed(4, 1);
    assert_int_equal(takes_over(5, 1), 2);
}

/* The same number does not make two processes one. */
static void whoever_had_it_first_holds_nothing(void **state)
{
    (void)state;
    confirmed(1, 1);
    assert_int_equal(takes_over(2, 1), 2);
    assert_int_equal(takes_over(3, 1), 2);
    struct store_ask q = confirm(2, 2); /* late */
    ASK(q, STORE_CONFLICT);
    q = claim(100, 3, 2, false);
    ASK(q, STORE_DONE);
    assert_int_not_equal(got.last.u.machine.lease, STORE_LEASE_KEPT);
    q = claim(100, 2, 2, false); /* two of them: the relay looks for both */
    ASK(q, STORE_HELD);
    confirmed(3, 2);
    q = claim(100, 2, 2, false);
    ASK(q, STORE_HELD);
}

/* An owner said that the next one holds it: that one may die as well. */
static void nor_is_it_lost_behind_an_owners_word(void **state)
{
    (void)state;
    confirmed(1, 1);
    assert_int_equal(takes_over(2, 1), 2);
    confirmed(2, 2);
    struct store_ask q = claim(100, 3, 1, true);
    ASK(q, STORE_QUARANTINED);
    assert_int_equal(state_of(STORE_APPROVE), STORE_DONE);
    q = claim(100, 4, 1, false);
    ASK(q, STORE_DONE);
    uint64_t epoch = got.last.u.machine.epoch;
    reopen();
    for (uint8_t n = 5; n < 9; n++) {
        assert_int_equal(takes_over(n, 1), epoch);
        reopen();
    }
    confirmed(8, epoch);
    q = claim(100, 9, 1, true); /* and now that is too old */
    ASK(q, STORE_QUARANTINED);
}

static void once_confirmed_the_one_before_is_a_copys(void **state)
{
    (void)state;
    confirmed(1, 1);
    assert_int_equal(takes_over(2, 1), 2);
    assert_int_equal(takes_over(3, 1), 2);
    confirmed(3, 2);
    struct store_ask q = claim(100, 4, 1, true);
    ASK(q, STORE_QUARANTINED);
    assert_true(got.last.u.machine.changed);
}

/* A relay that was set back gives no number that it may have given before. */
static void one_that_is_ahead_is_not_given_once_more(void **state)
{
    (void)state;
    assert_int_equal(takes_over(2, 7), 8);
    assert_int_equal(takes_over(3, 8), 8); /* but that one is */
    assert_int_equal(takes_over(4, 7), 8);
}

/* ---- keys ------------------------------------------------------------------------ */

static struct store_ask rotate(uint32_t from, uint32_t to)
{
    struct store_ask q = claim(from, 1, 1, false);
    q.u.machine_login.rotates = true;
    FILL(q.u.machine_login.next_key, to);
    return q;
}

static void a_key_is_replaced_once(void **state)
{
    (void)state;
    uint8_t next[STORE_KEY];
    FILL(next, 200);
    struct store_ask q = rotate(100, 200);
    ASK_AT(q, NOW + 9, STORE_DONE);
    assert_string_equal(got.last.u.machine.id, m.id);
    assert_string_equal(got.last.u.machine.name, m.name);
    assert_memory_equal(got.last.u.machine.public_key, next, STORE_KEY);
    assert_int_equal(got.last.u.machine.key_version, 2);
    assert_int_equal(got.last.u.machine.key_since_ms, NOW + 9);
    newest_line(who.fleet_id, "machine.rotate", "done");
    int before = lines(who.fleet_id);
    ASK(q, STORE_DONE); /* the answer was lost */
    assert_int_equal(got.last.u.machine.key_version, 2);
    assert_int_equal(lines(who.fleet_id), before);
    q = claim(200, 1, 1, false);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.machine.id, m.id);
    q = claim(100, 1, 1, false); /* the old key alone opens nothing */
    ASK(q, STORE_STRUCK);
    q = rotate(100, 300); /* nor makes another */
    ASK(q, STORE_STRUCK);
    q = enrol_as(20, 100, 1, 1);
    ASK(q, STORE_STRUCK);
    q = rotate(200, 300);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.machine.key_version, 3);
    q = claim(100, 1, 1, false); /* two keys ago: nobody's */
    ASK(q, STORE_UNKNOWN);
}

static void a_next_key_must_be_new(void **state)
{
    (void)state;
    struct store_ask q = enrol_as(20, 200, 7, 0);
    ASK(q, STORE_DONE);
    q = rotate(100, 200);
    ASK(q, STORE_CONFLICT);
    q = claim(100, 2, 1, true); /* with a lease that is not taken then */
    q.u.machine_login.rotates = true;
    FILL(q.u.machine_login.next_key, 200);
    ASK(q, STORE_CONFLICT);
    q = claim(100, 1, 1, false);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.machine.epoch, 1);
    q = rotate(100, 100); /* as it is */
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.machine.key_version, 1);
    q = claim(100, 2, 1, false); /* who does not hold it rotates nothing */
    q.u.machine_login.rotates = true;
    FILL(q.u.machine_login.next_key, 300);
    ASK(q, STORE_HELD);
    q = claim(300, 2, 1, false);
    ASK(q, STORE_UNKNOWN);
}

/* ---- states ----------------------------------------------------------------------- */

static void a_machine_waits_for_approval(void **state)
{
    (void)state;
    struct store_ask q = key_ask(who.fleet_id, 30, 1);
    q.u.joinkey_make.approval = true;
    PUT(q.u.joinkey_make.labels, "env=lab");
    ASK(q, STORE_DONE);
    assert_true(got.last.u.joinkey.approval);
    q = enrol_as(30, 200, 5, 0);
    ASK(q, STORE_PENDING);
    m = got.last.u.machine;
    assert_int_equal(m.state, STORE_STATE_PENDING);
    assert_string_equal(m.labels, "env=lab");
    assert_true(m.created);
    newest_line(who.fleet_id, "machine.enrol", "pending");
    reopen();
    list(STORE_JOINKEY_LIST, who.fleet_id, 0);
    assert_int_equal(got.row[got.rows - 1].joinkey.uses, 1);
    q = claim(200, 5, 1, false);
    ASK(q, STORE_PENDING);
    assert_int_equal(state_of(STORE_QUARANTINE), STORE_DONE); /* stays */
    ASK(q, STORE_PENDING);
    assert_int_equal(state_of(STORE_APPROVE), STORE_DONE);
    assert_int_equal(state_of(STORE_APPROVE), STORE_DONE);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.machine.labels, "env=lab");
}

static void states_change_as_the_table_says(void **state)
{
    (void)state;
    struct store_ask q = claim(100, 1, 1, false);
    assert_int_equal(state_of(STORE_QUARANTINE), STORE_DONE);
    ASK(q, STORE_QUARANTINED);
    assert_int_equal(state_of(STORE_DISABLE), STORE_DONE);
    ASK(q, STORE_DISABLED);
    assert_int_equal(state_of(STORE_APPROVE), STORE_DISABLED);
    assert_int_equal(state_of(STORE_QUARANTINE), STORE_DONE); /* stays */
    ASK(q, STORE_DISABLED);
    assert_int_equal(state_of(STORE_ENABLE), STORE_DONE);
    ASK(q, STORE_DONE);
    int before = lines(who.fleet_id);
    assert_int_equal(state_of(STORE_ENABLE), STORE_DONE);
    assert_int_equal(lines(who.fleet_id), before);
    struct store_ask why = ask_of(STORE_MACHINE_STATE);
    PUT(why.u.machine_state.fleet_id, who.fleet_id);
    PUT(why.u.machine_state.machine_id, m.id);
    PUT(why.u.machine_state.why, "stolen");
    why.u.machine_state.change = STORE_DISABLE;
    BY(why.u.machine_state.actor);
    ASK(why, STORE_DONE);
    newest_line(who.fleet_id, "machine.disable", "done");
    ASK(q, STORE_DISABLED);
    assert_string_equal(got.last.u.machine.why, "stolen");
    PUT(why.u.machine_state.fleet_id, other.fleet_id);
    ASK(why, STORE_UNKNOWN);
}

static void a_reset_strikes_the_key_off(void **state)
{
    (void)state;
    assert_int_equal(state_of(STORE_RESET), STORE_DONE);
    newest_line(who.fleet_id, "machine.reset", "done");
    struct store_ask q = claim(100, 1, 1, true);
    ASK(q, STORE_STRUCK);
    q = enrol_as(20, 100, 1, 1);
    ASK(q, STORE_STRUCK);
    assert_int_equal(state_of(STORE_RESET), STORE_DONE);
    assert_int_equal(state_of(STORE_ENABLE), STORE_STRUCK);
    assert_int_equal(state_of(STORE_APPROVE), STORE_STRUCK);
    list(STORE_MACHINE_LIST, who.fleet_id, 0);
    assert_int_equal(got.rows, 0);
    q = ask_of(STORE_FLEET_GET);
    PUT(q.u.fleet_get.fleet_id, who.fleet_id);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.fleet.machines, 0);
    q = enrol_as(20, 300, 1, 0); /* with a new identity it is a new one */
    ASK(q, STORE_DONE);
    assert_true(got.last.u.machine.created);
}

static void a_name_that_people_gave_stays(void **state)
{
    (void)state;
    struct store_ask q = ask_of(STORE_MACHINE_RENAME);
    PUT(q.u.machine_rename.fleet_id, who.fleet_id);
    PUT(q.u.machine_rename.machine_id, m.id);
    PUT(q.u.machine_rename.name, "front door");
    BY(q.u.machine_rename.actor);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.machine.name, "front door");
    newest_line(who.fleet_id, "machine.rename", "done");
    struct store_ask e = enrol_as(20, 100, 1, 1);
    ASK(e, STORE_DONE);
    assert_string_equal(got.last.u.machine.name, "front door");
    list(STORE_MACHINE_LIST, who.fleet_id, 0);
    assert_string_equal(got.row[0].machine.name, "front door");
    PUT(q.u.machine_rename.fleet_id, other.fleet_id);
    ASK(q, STORE_UNKNOWN);
    PUT(q.u.machine_rename.name, "");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    PUT(q.u.machine_rename.name, "  ");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    e = enrol_ask(20, 100, "  ");
    assert_int_equal(store_ask(&store, &e), ERR_RANGE);
}

/* ---- links -------------------------------------------------------------------------- */

static void a_machine_is_seen_by_fleets_it_is_linked_to(void **state)
{
    (void)state;
    struct store_ask q = get(other.fleet_id);
    ASK(q, STORE_UNKNOWN);
    q = link_ask(STORE_MACHINE_LINK, other.fleet_id, other.fleet_id);
    ASK(q, STORE_UNKNOWN); /* nobody takes what is not his */
    q = link_ask(STORE_MACHINE_LINK, who.fleet_id, NOBODY);
    ASK(q, STORE_UNKNOWN);
    q = link_ask(STORE_MACHINE_LINK, who.fleet_id, other.fleet_id);
    ASK(q, STORE_DONE);
    newest_line(who.fleet_id, "machine.link", "done");
    newest_line(other.fleet_id, "machine.link", "done");
    int before = lines(other.fleet_id);
    ASK(q, STORE_DONE);
    assert_int_equal(lines(other.fleet_id), before);

    q = get(other.fleet_id);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.machine.fleet_id, who.fleet_id);
    list(STORE_MACHINE_LIST, other.fleet_id, 0);
    assert_int_equal(got.rows, 1);
    assert_string_equal(got.row[0].machine.id, m.id);
    q = ask_of(STORE_MACHINE_FLEETS);
    PUT(q.u.machine_fleets.list.fleet_id, other.fleet_id);
    PUT(q.u.machine_fleets.machine_id, m.id);
    ask(&q);
    assert_int_equal(got.rows, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(got.row[i].link.home,
                         strcmp(got.row[i].link.fleet_id, who.fleet_id) == 0);
    PUT(q.u.machine_fleets.list.fleet_id, NOBODY);
    ask(&q);
    assert_int_equal(got.rows, 0);

    /* The home decides. */
    assert_int_equal(change_state(other.fleet_id, m.id, STORE_DISABLE)->outcome,
                     STORE_NOT_HOME);
    q = ask_of(STORE_MACHINE_RENAME);
    PUT(q.u.machine_rename.fleet_id, other.fleet_id);
    PUT(q.u.machine_rename.machine_id, m.id);
    PUT(q.u.machine_rename.name, "mine");
    BY(q.u.machine_rename.actor);
    ASK(q, STORE_NOT_HOME);
    q = link_ask(STORE_MACHINE_LINK, other.fleet_id, other.fleet_id);
    ASK(q, STORE_NOT_HOME);
    PUT(q.u.machine_rename.fleet_id, who.fleet_id);
    q = ask_of(STORE_MACHINE_RENAME);
    PUT(q.u.machine_rename.fleet_id, who.fleet_id);
    PUT(q.u.machine_rename.machine_id, m.id);
    PUT(q.u.machine_rename.name, "shared");
    BY(q.u.machine_rename.actor);
    ASK(q, STORE_DONE);
    list(STORE_MACHINE_LIST, other.fleet_id, 0);
    assert_string_equal(got.row[0].machine.name, "shared");
}

static void a_link_ends_from_either_side(void **state)
{
    (void)state;
    struct store_ask make =
        link_ask(STORE_MACHINE_LINK, who.fleet_id, other.fleet_id);
    struct store_fleet third = make_fleet(who.user_id, "third", 700);
    struct store_ask q =
        link_ask(STORE_MACHINE_UNLINK, other.fleet_id, other.fleet_id);
    ASK(q, STORE_UNKNOWN);
    ASK(make, STORE_DONE);
    q = link_ask(STORE_MACHINE_UNLINK, other.fleet_id, who.fleet_id);
    ASK(q, STORE_NOT_HOME);
    q = link_ask(STORE_MACHINE_UNLINK, who.fleet_id, who.fleet_id);
    ASK(q, STORE_CONFLICT);
    q = link_ask(STORE_MACHINE_UNLINK, who.fleet_id, third.id);
    ASK(q, STORE_DONE); /* was not there */
    q = link_ask(STORE_MACHINE_UNLINK, other.fleet_id, other.fleet_id);
    ASK(q, STORE_DONE);
    newest_line(other.fleet_id, "machine.unlink", "done");
    assert_string_equal(got.row[0].audit.line.detail, who.fleet_id);
    newest_line(who.fleet_id, "machine.unlink", "done"); /* the home's, too */
    assert_string_equal(got.row[0].audit.line.detail, other.fleet_id);
    q = get(other.fleet_id);
    ASK(q, STORE_UNKNOWN);
    ASK(make, STORE_DONE);
    q = link_ask(STORE_MACHINE_UNLINK, who.fleet_id, other.fleet_id);
    ASK(q, STORE_DONE);
    newest_line(who.fleet_id, "machine.unlink", "done");
    list(STORE_MACHINE_LIST, other.fleet_id, 0);
    assert_int_equal(got.rows, 0);
    q = ask_of(STORE_FLEET_GET);
    PUT(q.u.fleet_get.fleet_id, other.fleet_id);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.fleet.machines, 0);
}

static void a_machine_is_in_so_many_fleets(void **state)
{
    char name[16];
    (void)state;
    for (uint32_t i = 0; i < STORE_MACHINE_FLEETS_MAX; i++) {
        (void)snprintf(name, sizeof name, "f%u", i);
        struct store_fleet f = make_fleet(who.user_id, name, 1000 + 10 * i);
        struct store_ask q = link_ask(STORE_MACHINE_LINK, who.fleet_id, f.id);
        ASK(q, i + 1 < STORE_MACHINE_FLEETS_MAX ? STORE_DONE : STORE_LIMIT);
    }
}

/* ---- access -------------------------------------------------------------------------- */

static struct store_ask access_set(const char *person, enum store_access access)
{
    struct store_ask q = ask_of(STORE_ACCESS_SET);
    PUT(q.u.access_set.fleet_id, who.fleet_id);
    PUT(q.u.access_set.machine_id, m.id);
    PUT(q.u.access_set.person_id, person);
    q.u.access_set.access = access;
    BY(q.u.access_set.actor);
    return q;
}

static struct store_ask access_of(const char *fleet, const char *person)
{
    struct store_ask q = ask_of(STORE_ACCESS_OF);
    PUT(q.u.access_of.fleet_id, fleet);
    PUT(q.u.access_of.machine_id, m.id);
    PUT(q.u.access_of.person_id, person);
    return q;
}

static void access_is_full_unless_it_was_set(void **state)
{
    (void)state;
    struct store_person p =
        make_person("grace", 10, who.fleet_id, STORE_MEMBER);
    struct store_ask of = access_of(who.fleet_id, p.id);
    ASK(of, STORE_DONE);
    assert_int_equal(got.last.u.access.access, STORE_FULL);
    assert_int_equal(got.last.u.access.role, STORE_MEMBER);
    struct store_ask q = access_set(p.id, STORE_VIEW);
    ASK(q, STORE_DONE);
    newest_line(who.fleet_id, "access.set", "view");
    int before = lines(who.fleet_id);
    ASK(q, STORE_DONE);
    assert_int_equal(lines(who.fleet_id), before);
    ASK(of, STORE_DONE);
    assert_int_equal(got.last.u.access.access, STORE_VIEW);
    q = access_set(p.id, STORE_HIDDEN);
    ASK(q, STORE_DONE);
    q = ask_of(STORE_ACCESS_LIST);
    PUT(q.u.access_list.list.fleet_id, who.fleet_id);
    PUT(q.u.access_list.person_id, p.id);
    ask(&q);
    assert_int_equal(got.rows, 1);
    assert_int_equal(got.row[0].access.access, STORE_HIDDEN);
    assert_string_equal(got.row[0].access.login, "grace");
    PUT(q.u.access_list.list.after_id, m.id);
    PUT(q.u.access_list.after_person, p.id);
    ask(&q);
    assert_int_equal(got.rows, 0);
    q = access_set(p.id, STORE_FULL);
    ASK(q, STORE_DONE);
    ASK(of, STORE_DONE);
    assert_int_equal(got.last.u.access.access, STORE_FULL);
}

static void access_is_within_one_fleet(void **state)
{
    (void)state;
    struct store_ask q = access_set(other.user_id, STORE_VIEW);
    ASK(q, STORE_UNKNOWN); /* no member */
    q = access_set(who.user_id, STORE_VIEW);
    PUT(q.u.access_set.fleet_id, other.fleet_id);
    ASK(q, STORE_UNKNOWN); /* not its machine */
    q = access_of(other.fleet_id, other.user_id);
    ASK(q, STORE_UNKNOWN);
    q = link_ask(STORE_MACHINE_LINK, who.fleet_id, other.fleet_id);
    ASK(q, STORE_DONE);
    q = access_of(other.fleet_id, other.user_id);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.access.role, STORE_OWNER);
    q = access_set(other.user_id, STORE_EXECUTE);
    PUT(q.u.access_set.fleet_id, other.fleet_id);
    ASK(q, STORE_DONE);
    q = access_of(who.fleet_id, who.user_id);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.access.access, STORE_FULL);

    /* It ends with the link, and with the membership. */
    struct store_ask un =
        link_ask(STORE_MACHINE_UNLINK, who.fleet_id, other.fleet_id);
    ASK(un, STORE_DONE);
    q = link_ask(STORE_MACHINE_LINK, who.fleet_id, other.fleet_id);
    ASK(q, STORE_DONE);
    q = access_of(other.fleet_id, other.user_id);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.access.access, STORE_FULL);
    struct store_person p =
        make_person("grace", 10, who.fleet_id, STORE_MEMBER);
    q = access_set(p.id, STORE_VIEW);
    ASK(q, STORE_DONE);
    q = ask_of(STORE_MEMBER_REMOVE);
    PUT(q.u.member_remove.fleet_id, who.fleet_id);
    PUT(q.u.member_remove.person_id, p.id);
    BY(q.u.member_remove.actor);
    ASK(q, STORE_DONE);
    q = access_of(who.fleet_id, p.id);
    ASK(q, STORE_UNKNOWN);
    q = ask_of(STORE_ACCESS_LIST);
    PUT(q.u.access_list.list.fleet_id, who.fleet_id);
    ask(&q);
    assert_int_equal(got.rows, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin_held, finish)
    const struct CMUnitTest tests[] = {
        TEST(the_holder_comes_back_as_it_was),
        TEST(a_new_process_takes_over_when_the_old_is_gone),
        TEST(an_older_epoch_is_a_second_holder),
        TEST(an_agent_without_leases_is_as_old_as_its_machine),
        TEST(a_newer_epoch_counts_as_current),
        TEST(only_the_holder_confirms),
        TEST(a_join_again_obeys_the_lease),
        TEST(it_is_given_once_more),
        TEST(as_often_as_the_first_holder_dies),
        TEST(whoever_had_it_first_holds_nothing),
        TEST(nor_is_it_lost_behind_an_owners_word),
        TEST(once_confirmed_the_one_before_is_a_copys),
        TEST(one_that_is_ahead_is_not_given_once_more),
        TEST(a_key_is_replaced_once),
        TEST(a_next_key_must_be_new),
        TEST(a_machine_waits_for_approval),
        TEST(states_change_as_the_table_says),
        TEST(a_reset_strikes_the_key_off),
        TEST(a_name_that_people_gave_stays),
        TEST(a_machine_is_seen_by_fleets_it_is_linked_to),
        TEST(a_link_ends_from_either_side),
        TEST(a_machine_is_in_so_many_fleets),
        TEST(access_is_full_unless_it_was_set),
        TEST(access_is_within_one_fleet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
