/* Who calls, and what he changes of himself, as JSON; see rest.h. */
#include "base/err.h"
#include "relay/faces.h"
#include "relay/own.h"
#include "relay/rest.h"

static void put_me(struct call *c, const struct store_person *p)
{
    struct json_out *o = call_json(c);

    json_obj_begin(o);
    json_member(o, "user_id", p->id);
    json_member(o, "login", p->login);
    json_member(o, "name", p->name);
    json_member(o, "email", p->email);
    json_key(o, "has_password");
    json_bool(o, p->has_password);
    json_key(o, "has_second_factor");
    json_bool(o, p->has_totp);
    json_member_time(o, "created_at", p->created_ms);
    json_member(o, "fleet_id", c->who.fleet_id);
    json_member(o, "role", store_role_str(c->who.role));
    json_obj_end(o);
    call_json_done(c, 200);
}

static void show_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome != STORE_DONE)
        call_fail(c, 403, "the account is shut out");
    else
        put_me(c, &a->u.account.person);
}

void rest_me_show(struct call *c)
{
    struct store_ask q = {.op = STORE_PERSON_BY_ID};

    STR_COPY(q.u.person_by_id.person_id, c->who.user_id);
    call_ask(c, &q, NULL, show_answer);
}

static void set_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_CONFLICT)
        call_fail(c, 409, "another account has this e-mail address");
    else if (a->outcome != STORE_DONE)
        call_fail(c, 404, "there is no such account");
    else
        put_me(c, &a->u.person);
}

static void right(struct call *c)
{
    own_set(c, set_answer);
}

static void wrong(struct call *c)
{
    call_fail(c, 403,
              "another e-mail address needs the password of the "
              "account, and what came is not right");
}

void rest_me_set(struct call *c)
{
    static const struct own own = {"password", right, wrong};
    struct store_person_set s = {0};
    const char *fault = own_read(c, &s);

    if (fault != NULL)
        call_fail(c, 422, fault);
    else if (s.has_email)
        own_ask(c, &own);
    else
        right(c);
}
