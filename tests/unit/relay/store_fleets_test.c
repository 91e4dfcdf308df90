/* Fleets, members, invitations: what holds for any engine. */
#include "unit/relay/store_kit.h"

static struct store_who who;
static struct store_who other; /* another fleet, another owner */

static int begin_two(void **state)
{
    int err = begin(state);
    if (err == 0) {
        who = setup();
        other = other_fleet();
    }
    return err;
}

static struct store_ask member_set(const char *fleet, const char *person,
                                   enum store_role role, bool add)
{
    struct store_ask q = ask_of(STORE_MEMBER_SET);
    PUT(q.u.member_set.fleet_id, fleet);
    PUT(q.u.member_set.person_id, person);
    q.u.member_set.role = role;
    q.u.member_set.add = add;
    BY(q.u.member_set.actor);
    return q;
}

static struct store_ask member_remove(const char *fleet, const char *person)
{
    struct store_ask q = ask_of(STORE_MEMBER_REMOVE);
    PUT(q.u.member_remove.fleet_id, fleet);
    PUT(q.u.member_remove.person_id, person);
    BY(q.u.member_remove.actor);
    return q;
}

static struct store_ask fleet_get(const char *fleet, const char *person)
{
    struct store_ask q = ask_of(STORE_FLEET_GET);
    PUT(q.u.fleet_get.fleet_id, fleet);
    PUT(q.u.fleet_get.person_id, person);
    return q;
}

static struct store_ask fleet_remove(const char *fleet)
{
    struct store_ask q = ask_of(STORE_FLEET_REMOVE);
    PUT(q.u.fleet_remove.fleet_id, fleet);
    BY(q.u.fleet_remove.actor);
    return q;
}

static struct store_ask invite_ask(const char *fleet, const char *email,
                                   uint32_t seed)
{
    struct store_ask q = ask_of(STORE_INVITE_MAKE);
    PUT(q.u.invite_make.fleet_id, fleet);
    PUT(q.u.invite_make.email, email);
    q.u.invite_make.role = STORE_ADMIN;
    q.u.invite_make.expires_ms = NOW + 60 * MINUTE;
    FILL(q.u.invite_make.hash, seed);
    FILL(q.u.invite_make.random, seed + 1);
    BY(q.u.invite_make.actor);
    return q;
}

static struct store_ask invite_answer(enum store_op op, uint32_t seed,
                                      const char *person)
{
    struct store_ask q = ask_of(op);
    FILL(q.u.invite_answer.hash, seed);
    PUT(q.u.invite_answer.person_id, person);
    BY(q.u.invite_answer.actor);
    return q;
}

static struct store_ask invite_renew(const char *fleet, const char *id,
                                     uint32_t seed, int64_t expires_ms)
{
    struct store_ask q = ask_of(STORE_INVITE_RENEW);
    PUT(q.u.invite_renew.fleet_id, fleet);
    PUT(q.u.invite_renew.id, id);
    q.u.invite_renew.expires_ms = expires_ms;
    FILL(q.u.invite_renew.hash, seed);
    BY(q.u.invite_renew.actor);
    return q;
}

static struct store_ask invite_look(uint32_t seed)
{
    struct store_ask q = ask_of(STORE_INVITE_BY_HASH);
    FILL(q.u.invite_by_hash.hash, seed);
    return q;
}

/* ---- fleets ------------------------------------------------------------------- */

static void a_fleet_is_made_seen_and_set(void **state)
{
    (void)state;
    struct store_ask q = fleet_ask(who.user_id, "work", 100);
    PUT(q.u.fleet_make.slug, "");
    ASK(q, STORE_DONE);
    struct store_fleet f = got.last.u.fleet;
    assert_int_equal(strlen(f.slug), 13);
    assert_int_equal(f.kind, STORE_TEAM);
    assert_int_equal(f.role, STORE_OWNER);
    assert_int_equal(f.machines, 0);
    newest_line(f.id, "fleet.make", "done");
    q = fleet_ask(who.user_id, "other", 200);
    ASK(q, STORE_CONFLICT);
    q = fleet_ask(NOBODY, "x", 200);
    ASK(q, STORE_UNKNOWN);
    q = fleet_ask(who.user_id, "Not A Slug", 200);
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    q = fleet_ask(who.user_id, "another", 200);
    PUT(q.u.fleet_make.name, " ");
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);

    q = ask_of(STORE_FLEET_SET);
    PUT(q.u.fleet_set.fleet_id, f.id);
    PUT(q.u.fleet_set.name, "Work");
    q.u.fleet_set.policy.mfa_required = true;
    PUT(q.u.fleet_set.policy.ip_allow, "192.0.2.0/24");
    q.u.fleet_set.policy.session_ms = 5;
    q.u.fleet_set.policy.mode = STORE_MODE_BYPASS;
    BY(q.u.fleet_set.actor);
    ASK(q, STORE_DONE);
    newest_line(f.id, "fleet.set", "done");
    PUT(q.u.fleet_set.fleet_id, NOBODY);
    ASK(q, STORE_UNKNOWN);
    q = fleet_get(f.id, who.user_id);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.fleet.name, "Work");
    assert_true(got.last.u.fleet.policy.mfa_required);
    assert_string_equal(got.last.u.fleet.policy.ip_allow, "192.0.2.0/24");
    assert_int_equal(got.last.u.fleet.policy.session_ms, 5);
    assert_int_equal(got.last.u.fleet.policy.mode, STORE_MODE_BYPASS);
    assert_int_equal(got.last.u.fleet.role, STORE_OWNER);
    q = fleet_get(f.id, other.user_id);
    ASK(q, STORE_UNKNOWN);
    q = fleet_get(f.id, "");
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.fleet.role, STORE_VIEWER);

    q = ask_of(STORE_FLEET_SET);
    PUT(q.u.fleet_set.fleet_id, f.id);
    PUT(q.u.fleet_set.name, "Works");
    q.u.fleet_set.name_only = true;
    BY(q.u.fleet_set.actor);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.fleet.name, "Works");
    assert_true(got.last.u.fleet.policy.mfa_required);
    assert_string_equal(got.last.u.fleet.policy.ip_allow, "192.0.2.0/24");
    PUT(q.u.fleet_set.fleet_id, NOBODY);
    ASK(q, STORE_UNKNOWN);
}

static void a_person_sees_its_fleets(void **state)
{
    char seen[8] = "";
    (void)state;
    make_fleet(who.user_id, "c", 100);
    make_fleet(who.user_id, "b", 200);
    struct store_ask q = ask_of(STORE_FLEET_LIST);
    PUT(q.u.fleet_list.person_id, who.user_id);
    q.u.fleet_list.list.limit = 1;
    do {
        ask(&q);
        assert_int_equal(got.row[0].fleet.role, STORE_OWNER);
        strncat(seen, got.row[0].fleet.name, 1);
        PUT(q.u.fleet_list.list.after_name, got.row[0].fleet.name);
        PUT(q.u.fleet_list.list.after_id, got.row[0].fleet.id);
    } while (got.last.more);
    assert_string_equal(seen, "Hbc");
    q = ask_of(STORE_FLEET_LIST); /* all of the relay */
    ask(&q);
    assert_int_equal(got.rows, 4);
}

static void a_person_has_so_many_fleets(void **state)
{
    char name[16];
    (void)state;
    for (uint32_t i = 1; i < STORE_PERSON_FLEETS_MAX; i++) {
        (void)snprintf(name, sizeof name, "f%u", i);
        make_fleet(who.user_id, name, 100 * i);
    }
    struct store_ask q = fleet_ask(who.user_id, "more", 77777);
    ASK(q, STORE_LIMIT);
    q = fleet_get(NOBODY, "");
    ASK(q, STORE_UNKNOWN);
    q = member_set(other.fleet_id, who.user_id, STORE_VIEWER, true);
    ASK(q, STORE_LIMIT);
}

static void what_a_fleet_had_ends_with_it(void **state)
{
    (void)state;
    struct store_fleet f = make_fleet(who.user_id, "work", 100);
    struct store_who work = who;
    PUT(work.fleet_id, f.id);
    struct store_ask q = token_ask(&work, 200);
    ASK(q, STORE_DONE);
    make_key(f.id, 20, 0);
    make_key(who.fleet_id, 30, 0);
    struct store_machine m = enrol(20, 300, "m")->u.machine;
    struct store_machine h = enrol(30, 400, "h")->u.machine;
    q = invite_ask(f.id, "x@example.org", 500);
    ASK(q, STORE_DONE);
    q = ask_of(STORE_MACHINE_LINK); /* each in the other's fleet */
    BY(q.u.machine_link.actor);
    PUT(q.u.machine_link.fleet_id, f.id);
    PUT(q.u.machine_link.machine_id, m.id);
    PUT(q.u.machine_link.other_id, who.fleet_id);
    ASK(q, STORE_DONE);
    PUT(q.u.machine_link.fleet_id, who.fleet_id);
    PUT(q.u.machine_link.machine_id, h.id);
    PUT(q.u.machine_link.other_id, f.id);
    ASK(q, STORE_DONE);
    list(STORE_MACHINE_LIST, who.fleet_id, 0);
    assert_int_equal(got.rows, 2);

    q = fleet_remove(f.id);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.ended.fleet_id, f.id);
    assert_int_equal(got.last.u.ended.count, 1);
    newest_line(f.id, "fleet.remove", "done");
    ASK(q, STORE_UNKNOWN);
    assert_int_equal(check_token(200, NOW)->outcome, STORE_REVOKED);
    assert_int_equal(enrol(20, 600, "x")->outcome, STORE_REVOKED);
    assert_int_equal(login(300)->outcome, STORE_DISABLED);
    assert_int_equal(login(400)->outcome, STORE_DONE);
    q = invite_look(500);
    ASK(q, STORE_UNKNOWN);
    list(STORE_MACHINE_LIST, who.fleet_id, 0);
    assert_int_equal(got.rows, 1);
    q = fleet_get(who.fleet_id, "");
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.fleet.machines, 1);
    q = fleet_get(f.id, "");
    ASK(q, STORE_UNKNOWN);
    q = token_ask(&work, 700);
    ASK(q, STORE_UNKNOWN);
    q = key_ask(f.id, 800, 0);
    ASK(q, STORE_UNKNOWN);
    q = member_set(f.id, other.user_id, STORE_OWNER, true);
    ASK(q, STORE_UNKNOWN);
    q = ask_of(STORE_FLEET_LIST);
    PUT(q.u.fleet_list.person_id, who.user_id);
    ask(&q);
    assert_int_equal(got.rows, 1);
    q = fleet_remove(who.fleet_id); /* the relay's own */
    ASK(q, STORE_CONFLICT);
}

/* ---- members ------------------------------------------------------------------- */

static void a_member_is_added_changed_and_removed(void **state)
{
    (void)state;
    struct store_person p = make_person("grace", 10, "", STORE_OWNER);
    struct store_ask q = member_set(who.fleet_id, p.id, STORE_MEMBER, false);
    ASK(q, STORE_UNKNOWN);
    q.u.member_set.add = true;
    ASK_AT(q, NOW + 5, STORE_DONE);
    assert_string_equal(got.last.u.member.login, "grace");
    assert_int_equal(got.last.u.member.role, STORE_MEMBER);
    assert_true(got.last.u.member.added);
    newest_line(who.fleet_id, "member.add", "done");
    int before = lines(who.fleet_id);
    ASK(q, STORE_DONE); /* is so already */
    assert_false(got.last.u.member.added);
    assert_int_equal(lines(who.fleet_id), before);
    q = member_set(who.fleet_id, p.id, STORE_ADMIN, false);
    ASK(q, STORE_DONE);
    newest_line(who.fleet_id, "member.role", "done");
    list(STORE_MEMBER_LIST, who.fleet_id, 1);
    assert_string_equal(got.row[0].member.login, "ada");
    assert_true(got.last.more);
    q = ask_of(STORE_MEMBER_LIST);
    PUT(q.u.list.fleet_id, who.fleet_id);
    PUT(q.u.list.after_name, "ada");
    ask(&q);
    assert_int_equal(got.rows, 1);
    assert_string_equal(got.row[0].member.person_id, p.id);
    assert_int_equal(got.row[0].member.role, STORE_ADMIN);
    assert_int_equal(got.row[0].member.joined_ms, NOW + 5);

    struct store_who grace = who;
    PUT(grace.user_id, p.id);
    q = token_ask(&grace, 100);
    ASK(q, STORE_DONE);
    assert_int_equal(check_token(100, NOW)->u.who.role, STORE_ADMIN);
    q = member_remove(who.fleet_id, p.id);
    ASK(q, STORE_DONE);
    assert_int_equal(got.last.u.ended.count, 1);
    assert_string_equal(got.last.u.ended.person_id, p.id);
    assert_string_equal(got.last.u.ended.fleet_id, who.fleet_id);
    newest_line(who.fleet_id, "member.remove", "done");
    assert_int_equal(check_token(100, NOW)->outcome, STORE_REVOKED);
    ASK(q, STORE_UNKNOWN);
    /* Coming back does not bring old tokens back. */
    q = member_set(who.fleet_id, p.id, STORE_OWNER, true);
    ASK(q, STORE_DONE);
    assert_int_equal(check_token(100, NOW)->outcome, STORE_REVOKED);
}

/* Whoever asks has looked before; since then it may have become another. */
static void a_role_above_ones_own_stays(void **state)
{
    (void)state;
    struct store_person p = make_person("grace", 10, who.fleet_id, STORE_OWNER);
    struct store_ask down = member_set(who.fleet_id, p.id, STORE_VIEWER, true);
    struct store_ask out = member_remove(who.fleet_id, p.id);
    down.u.member_set.most = out.u.member_remove.most = STORE_ADMIN;
    ASK(down, STORE_DENIED);
    ASK(out, STORE_DENIED);
    list(STORE_MEMBER_LIST, who.fleet_id, 0);
    assert_int_equal(got.row[1].member.role, STORE_OWNER);
    down.u.member_set.most = STORE_OWNER;
    ASK(down, STORE_DONE);
    ASK(out, STORE_DONE); /* a viewer by now */
}

static void a_fleet_keeps_an_owner(void **state)
{
    (void)state;
    struct store_person p = make_person("grace", 10, who.fleet_id, STORE_ADMIN);
    struct store_ask down =
        member_set(who.fleet_id, who.user_id, STORE_ADMIN, false);
    struct store_ask out = member_remove(who.fleet_id, who.user_id);
    ASK(down, STORE_LAST_OWNER);
    ASK(out, STORE_LAST_OWNER);
    struct store_ask up = member_set(who.fleet_id, p.id, STORE_OWNER, false);
    ASK(up, STORE_DONE);
    struct store_ask off = ask_of(STORE_PERSON_ENABLE);
    PUT(off.u.person_enable.person_id, p.id);
    BY(off.u.person_enable.actor);
    ASK(off, STORE_DONE);
    ASK(out, STORE_LAST_OWNER); /* the other one may not come in */
    off.u.person_enable.enabled = true;
    ASK(off, STORE_DONE);
    ASK(out, STORE_DONE);
    out = member_remove(who.fleet_id, p.id);
    ASK(out, STORE_LAST_OWNER);
}

/* ---- invitations ------------------------------------------------------------------ */

static void an_invitation_is_accepted_once(void **state)
{
    (void)state;
    struct store_person p = make_person("grace", 10, "", STORE_OWNER);
    struct store_ask q = invite_ask(who.fleet_id, "Grace@Example.org", 100);
    ASK(q, STORE_DONE);
    struct store_invite i = got.last.u.invite;
    assert_string_equal(i.email, "grace@example.org");
    assert_string_equal(i.fleet_name, "Home");
    assert_int_equal(i.role, STORE_ADMIN);
    newest_line(who.fleet_id, "invite.make", "done");
    q = invite_look(100);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.invite.id, i.id);
    q = invite_answer(STORE_INVITE_ACCEPT, 100, NOBODY);
    ASK(q, STORE_UNKNOWN);
    q = invite_answer(STORE_INVITE_ACCEPT, 100, who.user_id);
    ASK(q, STORE_CONFLICT); /* is in it */
    q = invite_answer(STORE_INVITE_ACCEPT, 100, p.id);
    ASK_AT(q, NOW + 60 * MINUTE, STORE_EXPIRED);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.member.fleet_id, who.fleet_id);
    assert_int_equal(got.last.u.member.role, STORE_ADMIN);
    newest_line(who.fleet_id, "invite.accept", "done");
    ASK(q, STORE_USED_UP);
    q = invite_look(100);
    ASK(q, STORE_USED_UP);
    q = invite_look(101);
    ASK(q, STORE_UNKNOWN);
}

static void an_invitation_makes_a_person(void **state)
{
    (void)state;
    struct store_ask q = invite_ask(who.fleet_id, "x@example.org", 100);
    ASK(q, STORE_DONE);
    struct store_ask make = person_ask("grace", 10, "", STORE_OWNER);
    make.u.person_make.invited = true;
    FILL(make.u.person_make.invite_hash, 99);
    ASK(make, STORE_UNKNOWN);
    FILL(make.u.person_make.invite_hash, 100);
    ASK_AT(make, NOW + 60 * MINUTE, STORE_EXPIRED);
    ASK(make, STORE_DONE);
    assert_string_equal(got.last.u.person.fleet_id, who.fleet_id);
    list(STORE_MEMBER_LIST, who.fleet_id, 0);
    assert_int_equal(got.rows, 2);
    assert_int_equal(got.row[1].member.role, STORE_ADMIN); /* not owner */
    make = person_ask("hopper", 20, "", STORE_OWNER);
    make.u.person_make.invited = true;
    FILL(make.u.person_make.invite_hash, 100);
    ASK(make, STORE_USED_UP);
}

static void an_invitation_is_declined_cancelled_or_replaced(void **state)
{
    (void)state;
    struct store_person p = make_person("grace", 10, "", STORE_OWNER);
    struct store_ask q = invite_ask(who.fleet_id, "a@example.org", 100);
    ASK(q, STORE_DONE);
    q = invite_answer(STORE_INVITE_DECLINE, 100, "");
    ASK(q, STORE_DONE);
    newest_line(who.fleet_id, "invite.decline", "done");
    ASK(q, STORE_DENIED);
    q = invite_answer(STORE_INVITE_ACCEPT, 100, p.id);
    ASK(q, STORE_DENIED);

    q = invite_ask(who.fleet_id, "b@example.org", 200);
    ASK(q, STORE_DONE);
    char id[UUID_CAP];
    PUT(id, got.last.u.invite.id);
    assert_int_equal(withdraw(STORE_INVITE_CANCEL, other.fleet_id, id)->outcome,
                     STORE_UNKNOWN);
    assert_int_equal(withdraw(STORE_INVITE_CANCEL, who.fleet_id, id)->outcome,
                     STORE_DONE);
    newest_line(who.fleet_id, "invite.cancel", "done");
    assert_int_equal(withdraw(STORE_INVITE_CANCEL, who.fleet_id, id)->outcome,
                     STORE_USED_UP);
    q = invite_look(200);
    ASK(q, STORE_REVOKED);

    q = invite_ask(who.fleet_id, "c@example.org", 300);
    ASK(q, STORE_DONE);
    q = invite_ask(who.fleet_id, "C@example.org", 400); /* sent again */
    ASK(q, STORE_DONE);
    q = invite_look(300);
    ASK(q, STORE_REVOKED);
    q = invite_look(400);
    ASK(q, STORE_DONE);
    q = invite_ask(who.fleet_id, "d@example.org", 400);
    ASK(q, STORE_CONFLICT);
    q = invite_ask(NOBODY, "d@example.org", 500);
    ASK(q, STORE_UNKNOWN);
    q = invite_ask(who.fleet_id, "d@example.org", 500);
    q.u.invite_make.role = STORE_OWNER;
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
    list(STORE_INVITE_LIST, who.fleet_id, 0);
    assert_int_equal(got.rows, 4);
    list(STORE_INVITE_LIST, other.fleet_id, 0);
    assert_int_equal(got.rows, 0);
}

static void an_invitation_is_renewed(void **state)
{
    char id[UUID_CAP], prefix[UUID_CAP];
    const int64_t later = NOW + 100 * MINUTE;
    (void)state;
    struct store_person p = make_person("grace", 10, "", STORE_OWNER);
    struct store_ask q = invite_ask(who.fleet_id, "a@example.org", 100);
    ASK(q, STORE_DONE);
    struct store_invite was = got.last.u.invite;
    PUT(id, was.id);
    q = invite_renew(other.fleet_id, id, 200, later);
    ASK(q, STORE_UNKNOWN);
    q = invite_renew(who.fleet_id, NOBODY, 200, later);
    ASK(q, STORE_UNKNOWN);
    q = invite_look(100);
    ASK(q, STORE_DONE);

    q = invite_renew(who.fleet_id, id, 200, later);
    ASK_AT(q, NOW + 5, STORE_DONE);
    const struct store_invite *i = &got.last.u.invite;
    assert_string_equal(i->id, id);
    assert_string_equal(i->email, "a@example.org");
    assert_string_equal(i->fleet_name, "Home");
    assert_int_equal(i->role, was.role);
    assert_int_equal(i->state, STORE_INVITE_OPEN);
    assert_int_equal(i->created_ms, was.created_ms);
    assert_int_equal(i->expires_ms, later);
    newest_line(who.fleet_id, "invite.renew", "done");
    q = invite_look(100); /* the secret it had is nobody's */
    ASK(q, STORE_UNKNOWN);
    q = invite_answer(STORE_INVITE_ACCEPT, 100, p.id);
    ASK(q, STORE_UNKNOWN);
    q = invite_look(200);
    ASK_AT(q, later - 1, STORE_DONE);
    ASK_AT(q, later, STORE_EXPIRED);

    /* Expired, it is open again; by a prefix, too. */
    PUT(prefix, id);
    prefix[8] = '\0';
    q = invite_renew(who.fleet_id, prefix, 300, later + 60 * MINUTE);
    ASK_AT(q, later, STORE_DONE);
    q = invite_ask(who.fleet_id, "b@example.org", 400);
    ASK(q, STORE_DONE);
    q = invite_renew(who.fleet_id, id, 400, later); /* another's secret */
    ASK(q, STORE_CONFLICT);
    q = invite_look(300);
    ASK_AT(q, later, STORE_DONE);
    q = invite_answer(STORE_INVITE_DECLINE, 300, "");
    ASK(q, STORE_DONE);
    int before = lines(who.fleet_id);
    q = invite_renew(who.fleet_id, id, 500, later); /* was answered */
    ASK(q, STORE_USED_UP);
    assert_int_equal(lines(who.fleet_id), before);
    list(STORE_INVITE_LIST, who.fleet_id, 0);
    assert_int_equal(got.rows, 2);
    assert_int_equal(got.row[0].invite.state, STORE_INVITE_DECLINED);
}

static void a_prefix_of_invitations_must_mean_one(void **state)
{
    (void)state;
    struct store_ask q = invite_ask(who.fleet_id, "a@example.org", 100);
    ASK(q, STORE_DONE);
    char id[UUID_CAP];
    PUT(id, got.last.u.invite.id);
    q = invite_ask(who.fleet_id, "b@example.org", 200);
    FILL(q.u.invite_make.random, 101);
    q.u.invite_make.random[15] ^= 1;
    ASK(q, STORE_DONE);
    id[12] = '\0';
    assert_int_equal(withdraw(STORE_INVITE_CANCEL, who.fleet_id, id)->outcome,
                     STORE_AMBIGUOUS);
    q = invite_renew(who.fleet_id, id, 300, 0);
    ASK(q, STORE_AMBIGUOUS);
    q.u.invite_renew.id[STORE_PREFIX_MIN - 1] = '\0';
    assert_int_equal(store_ask(&store, &q), ERR_RANGE);
}

static void a_fleet_invites_so_many(void **state)
{
    char email[32], id[UUID_CAP];
    (void)state;
    struct store_ask old = invite_ask(who.fleet_id, "old@example.org", 10);
    old.u.invite_make.expires_ms = NOW;
    ASK(old, STORE_DONE);
    PUT(id, got.last.u.invite.id);
    for (uint32_t i = 0; i < STORE_FLEET_INVITES_MAX; i++) {
        (void)snprintf(email, sizeof email, "p%u@example.org", i);
        struct store_ask q = invite_ask(who.fleet_id, email, 1000 + 10 * i);
        ASK(q, STORE_DONE);
    }
    struct store_ask q = invite_ask(who.fleet_id, "x@example.org", 100);
    ASK(q, STORE_LIMIT);
    old = invite_renew(who.fleet_id, id, 20, NOW + MINUTE);
    ASK(old, STORE_LIMIT); /* nor is one that is over open again */
    ASK_AT(q, NOW + 60 * MINUTE, STORE_DONE);
    struct store_ask s = ask_of(STORE_SWEEP);
    s.u.sweep.limit = 10000;
    ASK_AT(s, NOW + STORE_KEEP_MS + 61 * MINUTE, STORE_DONE);
    assert_int_equal(got.last.u.count, STORE_FLEET_INVITES_MAX + 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin_two, finish)
    const struct CMUnitTest tests[] = {
        TEST(a_fleet_is_made_seen_and_set),
        TEST(a_person_sees_its_fleets),
        TEST(a_person_has_so_many_fleets),
        TEST(what_a_fleet_had_ends_with_it),
        TEST(a_member_is_added_changed_and_removed),
        TEST(a_role_above_ones_own_stays),
        TEST(a_fleet_keeps_an_owner),
        TEST(an_invitation_is_accepted_once),
        TEST(an_invitation_makes_a_person),
        TEST(an_invitation_is_declined_cancelled_or_replaced),
        TEST(an_invitation_is_renewed),
        TEST(a_prefix_of_invitations_must_mean_one),
        TEST(a_fleet_invites_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
