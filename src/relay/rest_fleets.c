/* Fleets, members and invitations as JSON; see rest.h. */
#include <string.h>

#include "base/err.h"
#include "crypto/ct.h"
#include "relay/faces.h"
#include "relay/nets.h"
#include "relay/rest.h"

#define INVITE_DAYS 7

/* ---- fleets ------------------------------------------------------------------------ */

static void put_fleet(struct json_out *o, const struct store_fleet *f)
{
    json_obj_begin(o);
    json_member(o, "id", f->id);
    json_member(o, "slug", f->slug);
    json_member(o, "name", f->name);
    json_member(o, "kind", store_fleet_kind_str(f->kind));
    json_member(o, "role", store_role_str(f->role));
    json_key(o, "machine_count");
    json_u64(o, f->machines);
    json_member(o, "mfa_required",
                f->policy.mfa_required ? "required" : "none");
    json_member(o, "ip_allow", f->policy.ip_allow);
    json_key(o, "session_seconds");
    json_i64(o, f->policy.session_ms / 1000);
    json_member(o, "default_mode", store_mode_str(f->policy.mode));
    json_member_time(o, "created_at", f->created_ms);
    json_obj_end(o);
}

static bool fleet_row(struct call *c, const union store_row *row)
{
    bool own = strcmp(row->fleet.id, c->who.fleet_id) == 0;

    if (!rest_room(c))
        return false;
    if (own || c->kind != MAY_APIKEY) /* a key knows of no other fleet */
        put_fleet(&c->json, &row->fleet);
    rest_last(c, row->fleet.name, 0, row->fleet.id);
    return true;
}

void rest_fleets_list(struct call *c)
{
    struct store_ask q = {.op = STORE_FLEET_LIST};

    if (!rest_list_begin(c, &q.u.fleet_list.list))
        return;
    STR_COPY(q.u.fleet_list.person_id, c->who.user_id);
    call_ask(c, &q, fleet_row, rest_list_end);
}

static void fleet_answer(struct call *c, const struct store_answer *a)
{
    bool made = a->op == STORE_FLEET_MAKE;

    if (a->outcome != STORE_DONE) {
        call_fail(c, a->outcome == STORE_UNKNOWN ? 404 : 409,
                  a->outcome == STORE_LIMIT ? "you are in as many fleets as "
                                              "one may be"
                  : a->outcome == STORE_CONFLICT ? "a fleet has this slug"
                                                 : "there is no such fleet");
        return;
    }
    struct store_fleet f = a->u.fleet;
    if (a->op == STORE_FLEET_SET) /* which is about nobody */
        f.role = c->who.role;
    put_fleet(call_json(c), &f);
    call_json_done(c, made ? 201 : 200);
}

void rest_fleets_make(struct call *c)
{
    struct store_ask q = {.op = STORE_FLEET_MAKE};
    struct store_fleet_make *m = &q.u.fleet_make;
    int n = call_param(c, "slug", m->slug, sizeof m->slug);

    if (!rest_name(c, m->name, sizeof m->name))
        return;
    if (n < 0 && n != ERR_NOT_FOUND) {
        call_fail(c, 422, "slug has up to 31 bytes");
        return;
    }
    STR_COPY(m->person_id, c->who.user_id);
    m->kind = STORE_TEAM;
    port_entropy(SPAN_ARRAY(m->random));
    m->actor = call_actor(c);
    call_ask(c, &q, NULL, fleet_answer);
}

void rest_fleets_show(struct call *c)
{
    struct store_ask q = {.op = STORE_FLEET_GET};

    STR_COPY(q.u.fleet_get.fleet_id, c->id[0]);
    STR_COPY(q.u.fleet_get.person_id, c->who.user_id);
    call_ask(c, &q, NULL, fleet_answer);
}

static bool read_mode(struct call *c, struct store_policy *p, bool *touched)
{
    char word[16];
    int n = call_param(c, "default_mode", word, sizeof word);

    if (n == ERR_NOT_FOUND)
        return true;
    *touched = true;
    for (enum store_mode m = STORE_MODE_DEFAULT;
         n > 0 && m <= STORE_MODE_BYPASS; m++)
        if (strcmp(word, store_mode_str(m)) == 0) {
            p->mode = m;
            return true;
        }
    call_fail(c, 422, "default_mode is default, strict or bypass");
    return false;
}

/* What of the policies the body changes; false: answered. */
static bool read_policy(struct call *c, struct store_policy *p, bool *touched)
{
    char word[16];
    int n = call_param(c, "mfa_required", word, sizeof word);

    if (n != ERR_NOT_FOUND) {
        p->mfa_required = n > 0 && strcmp(word, "required") == 0;
        *touched = true;
        if (n <= 0 || (!p->mfa_required && strcmp(word, "none") != 0)) {
            call_fail(c, 422, "mfa_required is required or none");
            return false;
        }
    }
    n = call_param(c, "ip_allow", p->ip_allow, sizeof p->ip_allow);
    if (n >= 0) {
        *touched = true;
        if (nets_check(view_str(p->ip_allow)) != OK)
            n = ERR_RANGE;
        else if (p->ip_allow[0] != '\0' &&
                 !nets_admit(view_str(p->ip_allow), &c->conn->from)) {
            call_fail(c, 422, "that list would shut out your own address");
            return false;
        }
    }
    if (n < 0 && n != ERR_NOT_FOUND) {
        call_fail(c, 422, "ip_allow is a list of networks like 10.0.0.0/8");
        return false;
    }
    int at = c->has_doc ? json_get(&c->doc, 0, "session_seconds") : -1;
    uint64_t seconds;
    if (at >= 0) {
        *touched = true;
        if (json_to_u64(&c->doc, at, UINT64_C(31536000), &seconds) != OK) {
            call_fail(c, 422, "session_seconds is a number up to a year");
            return false;
        }
        p->session_ms = (int64_t)seconds * 1000;
    }
    return read_mode(c, p, touched);
}

static void set_answer(struct call *c, const struct store_answer *a)
{
    struct store_ask q = {.op = STORE_FLEET_SET};
    struct store_fleet_set *s = &q.u.fleet_set;
    struct may_object o = {.fleet_id = c->id[0]};
    bool policy = false;

    if (a->outcome != STORE_DONE) {
        fleet_answer(c, a);
        return;
    }
    STR_COPY(s->fleet_id, c->id[0]);
    STR_COPY(s->name, a->u.fleet.name);
    s->policy = a->u.fleet.policy;
    if (!rest_new_name(c, s->name, sizeof s->name) ||
        !read_policy(c, &s->policy, &policy) ||
        (policy && !call_may(c, MAY_FLEETS_POLICY, &o)))
        return;
    s->name_only = !policy; /* or an owner's change meanwhile were undone */
    s->actor = call_actor(c);
    call_ask(c, &q, NULL, fleet_answer);
}

void rest_fleets_set(struct call *c)
{
    struct store_ask q = {.op = STORE_FLEET_GET};

    STR_COPY(q.u.fleet_get.fleet_id, c->id[0]);
    STR_COPY(q.u.fleet_get.person_id, c->who.user_id);
    call_ask(c, &q, NULL, set_answer);
}

static void gone_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_DONE || a->outcome == STORE_REVOKED)
        call_empty(c, 204);
    else if (a->outcome == STORE_CONFLICT)
        call_fail(c, 409, "the relay's own fleet stays");
    else if (a->outcome == STORE_DENIED)
        call_fail(c, 403, "that is above your own role in the fleet");
    else if (a->outcome == STORE_LAST_OWNER)
        call_fail(c, 409, "last-owner: a fleet has at least one owner");
    else if (a->outcome == STORE_USED_UP)
        call_fail(c, 409, "it is not open any more");
    else
        call_fail(c, 404, "there is no such thing in this fleet");
}

void rest_fleets_remove(struct call *c)
{
    struct store_ask q = {.op = STORE_FLEET_REMOVE};

    STR_COPY(q.u.fleet_remove.fleet_id, c->id[0]);
    q.u.fleet_remove.actor = call_actor(c);
    call_ask(c, &q, NULL, gone_answer);
}

/* ---- members ---------------------------------------------------------------------------- */

static void put_member(struct json_out *o, const struct store_member *m)
{
    json_obj_begin(o);
    json_member(o, "user_id", m->person_id);
    json_member(o, "login", m->login);
    json_member(o, "name", m->name);
    json_member(o, "email", m->email);
    json_member(o, "role", store_role_str(m->role));
    json_key(o, "has_second_factor");
    json_bool(o, m->has_totp);
    json_member_time(o, "joined_at", m->joined_ms);
    json_member_time(o, "disabled_at", m->disabled_ms);
    json_obj_end(o);
}

static bool member_row(struct call *c, const union store_row *row)
{
    if (!rest_room(c))
        return false;
    put_member(&c->json, &row->member);
    rest_last(c, row->member.login, 0, row->member.person_id);
    return true;
}

void rest_members_list(struct call *c)
{
    struct store_ask q = {.op = STORE_MEMBER_LIST};

    if (!rest_list_begin(c, &q.u.list))
        return;
    STR_COPY(q.u.list.fleet_id, c->id[0]);
    call_ask(c, &q, member_row, rest_list_end);
}

static void member_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome != STORE_DONE) {
        gone_answer(c, a);
        return;
    }
    put_member(call_json(c), &a->u.member);
    call_json_done(c, a->u.member.added ? 201 : 200);
}

/* Ask for a member's role to be this; number2: the role; flag: add. */
static void set_member(struct call *c, const char *person_id)
{
    struct store_ask q = {.op = STORE_MEMBER_SET};

    STR_COPY(q.u.member_set.fleet_id, c->id[0]);
    STR_COPY(q.u.member_set.person_id, person_id);
    q.u.member_set.role = (enum store_role)c->number2;
    q.u.member_set.most = c->who.role; /* it may be another one by now */
    q.u.member_set.add = c->flag;
    q.u.member_set.actor = call_actor(c);
    call_ask(c, &q, NULL, member_answer);
}

/* The person's role now is in count; 9: none. */
static bool find_row(struct call *c, const union store_row *row)
{
    if (strcmp(row->member.person_id, c->text[1]) != 0)
        return true;
    c->count = row->member.role;
    return false;
}

static void find_member(struct call *c, call_next *next)
{
    struct store_ask q = {.op = STORE_MEMBER_LIST};

    c->count = 9;
    STR_COPY(q.u.list.fleet_id, c->id[0]);
    call_ask(c, &q, find_row, next);
}

/* A membership counts as high as its highest role, now or then. */
static bool may_rank(struct call *c, enum may_op op, enum store_role rank)
{
    bool own =
        op == MAY_MEMBERS_REMOVE && strcmp(c->text[1], c->who.user_id) == 0;
    struct may_object o = {.fleet_id = c->id[0],
                           .owner_id = own ? c->who.user_id : NULL,
                           .has_rank = true,
                           .rank = rank};

    return call_may(c, op, &o);
}

static void found_set(struct call *c, const struct store_answer *a)
{
    enum store_role role = (enum store_role)c->number2;

    (void)a;
    if (c->count == 9 && !c->flag) {
        call_fail(c, 404, "there is no such member");
        return;
    }
    if (c->count < role)
        role = (enum store_role)c->count;
    if (may_rank(c, MAY_MEMBERS_SET, role))
        set_member(c, c->text[1]);
}

void rest_members_set(struct call *c)
{
    enum store_role role;

    if (!rest_role(c, &role))
        return;
    c->number2 = role;
    c->flag = false;
    STR_COPY(c->text[1], c->id[1]);
    find_member(c, found_set);
}

/* Who may have a fleet may ask for logins: not for many that are none. */
static void added_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome != STORE_DONE) {
        call_tried_wrong(c, THROTTLE_SIGN_IN);
        call_fail(c, 404, "nobody here has this login; invite them by e-mail");
        return;
    }
    STR_COPY(c->text[1], a->u.account.person.id);
    find_member(c, found_set);
}

void rest_members_add(struct call *c)
{
    struct store_ask q = {.op = STORE_PERSON_BY_LOGIN};
    enum store_role role;

    if (call_must_wait(c, THROTTLE_SIGN_IN))
        return;
    if (!rest_role(c, &role))
        return;
    if (call_param(c, "login", q.u.person_by_login.login, STORE_LOGIN_CAP) <=
        0) {
        call_fail(c, 422,
                  "login says who; who has no account here is invited "
                  "at .../invitations");
        return;
    }
    c->number2 = role;
    c->flag = true;
    call_ask(c, &q, NULL, added_answer);
}

static void found_remove(struct call *c, const struct store_answer *a)
{
    struct store_ask q = {.op = STORE_MEMBER_REMOVE};

    (void)a;
    if (c->count == 9) {
        call_fail(c, 404, "there is no such member");
        return;
    }
    if (!may_rank(c, MAY_MEMBERS_REMOVE, (enum store_role)c->count))
        return;
    STR_COPY(q.u.member_remove.fleet_id, c->id[0]);
    STR_COPY(q.u.member_remove.person_id, c->text[1]);
    q.u.member_remove.most = c->who.role;
    q.u.member_remove.actor = call_actor(c);
    call_ask(c, &q, NULL, gone_answer);
}

void rest_members_remove(struct call *c)
{
    STR_COPY(c->text[1], c->id[1]);
    find_member(c, found_remove);
}

/* ---- invitations -------------------------------------------------------------------------- */

static const char *invite_state(const struct store_invite *i)
{
    static const char *const words[] = {
        [STORE_INVITE_OPEN] = "pending",
        [STORE_INVITE_ACCEPTED] = "accepted",
        [STORE_INVITE_DECLINED] = "declined",
        [STORE_INVITE_CANCELLED] = "cancelled",
    };

    if (i->state == STORE_INVITE_OPEN && i->expires_ms <= port_wall_ms())
        return "expired";
    return words[i->state];
}

/* `code` is told once, when it is made; NULL: not now. */
static void put_invite(struct json_out *o, const struct store_invite *i,
                       const char *code)
{
    json_obj_begin(o);
    json_member(o, "id", i->id);
    json_member(o, "email", i->email);
    json_member(o, "role", store_role_str(i->role));
    json_member(o, "state", invite_state(i));
    json_member_time(o, "created_at", i->created_ms);
    json_member_time(o, "expires_at", i->expires_ms);
    if (code != NULL)
        json_member(o, "code", code);
    json_obj_end(o);
}

static bool invite_row(struct call *c, const union store_row *row)
{
    if (!rest_room(c))
        return false;
    put_invite(&c->json, &row->invite, NULL);
    rest_last(c, "", row->invite.created_ms, row->invite.id);
    return true;
}

void rest_invites_list(struct call *c)
{
    struct store_ask q = {.op = STORE_INVITE_LIST};

    if (!rest_list_begin(c, &q.u.list))
        return;
    STR_COPY(q.u.list.fleet_id, c->id[0]);
    call_ask(c, &q, invite_row, rest_list_end);
}

static void invite_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_DONE) {
        put_invite(call_json(c), &a->u.invite, c->text[0]);
        call_json_done(c, a->op == STORE_INVITE_MAKE ? 201 : 200);
    } else if (a->outcome == STORE_UNKNOWN || a->outcome == STORE_AMBIGUOUS) {
        call_fail(c, 404, "there is no such invitation in this fleet");
    } else {
        call_fail(c, 409,
                  a->outcome == STORE_LIMIT
                      ? "there are too many open invitations"
                  : a->outcome == STORE_USED_UP
                      ? "it is not open any more; invite anew"
                      : "it cannot be made");
    }
    ct_wipe(SPAN_ARRAY(c->text[0]));
}

/* Draw a code; it waits in text[0] until it is told. */
static void draw_code(struct call *c, uint8_t hash[STORE_HASH])
{
    people_invite_code(c->text[0]);
    (void)people_invite_hash(view_str(c->text[0]), hash);
}

void rest_invites_make(struct call *c)
{
    struct store_ask q = {.op = STORE_INVITE_MAKE};
    struct store_invite_make *m = &q.u.invite_make;
    struct may_object o = {.fleet_id = c->id[0], .has_rank = true};

    if (!rest_role(c, &m->role) ||
        !rest_days(c, "expires_in_days", INVITE_DAYS, &m->expires_ms))
        return;
    if (m->role == STORE_OWNER) {
        call_fail(c, 422, "nobody is invited as an owner; make a member one");
        return;
    }
    o.rank = m->role;
    if (!call_may(c, MAY_INVITES_MAKE, &o))
        return;
    if (call_param(c, "email", m->email, sizeof m->email) <= 0 ||
        !people_is_email(m->email)) {
        call_fail(c, 422, "email is an address");
        return;
    }
    STR_COPY(m->fleet_id, c->id[0]);
    draw_code(c, m->hash);
    port_entropy(SPAN_ARRAY(m->random));
    m->actor = call_actor(c);
    call_ask(c, &q, NULL, invite_answer);
}

/* Send it again: we tell the code, whoever invites sends it. */
void rest_invites_renew(struct call *c)
{
    struct store_ask q = {.op = STORE_INVITE_RENEW};
    struct store_invite_renew *m = &q.u.invite_renew;

    if (!rest_days(c, "expires_in_days", INVITE_DAYS, &m->expires_ms))
        return;
    STR_COPY(m->fleet_id, c->id[0]);
    STR_COPY(m->id, c->id[1]);
    draw_code(c, m->hash);
    m->actor = call_actor(c);
    call_ask(c, &q, NULL, invite_answer);
}

void rest_invites_cancel(struct call *c)
{
    struct store_ask q = {.op = STORE_INVITE_CANCEL};

    STR_COPY(q.u.revoke.fleet_id, c->id[0]);
    STR_COPY(q.u.revoke.id, c->id[1]);
    q.u.revoke.actor = call_actor(c);
    call_ask(c, &q, NULL, gone_answer);
}
