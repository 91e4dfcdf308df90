/*
 * What single people may do with a machine, as JSON; see rest.h. Only what is
 * not "full" is a row, and only members and viewers are bound by it.
 */
#include <string.h>

#include "base/err.h"
#include "relay/faces.h"
#include "relay/rest.h"

static void put_access(struct call *c, const struct store_access_row *a)
{
    struct json_out *o = &c->json;

    json_obj_begin(o);
    json_member(o, "machine_id", a->machine_id);
    json_member(o, "user_id", a->person_id);
    json_member(o, "login", a->login);
    json_member(o, "access", store_access_str(a->access));
    json_obj_end(o);
}

/* ---- the list ---------------------------------------------------------------------- */

/* flag: all of them; else his own, but not that something is hidden from him */
static bool access_row(struct call *c, const union store_row *row)
{
    const struct store_access_row *a = &row->access;

    if (!rest_room(c))
        return false;
    rest_last(c, a->person_id, 0, a->machine_id);
    if (c->flag || a->access != STORE_HIDDEN)
        put_access(c, a);
    return true;
}

void rest_access_list(struct call *c)
{
    const struct may_object o = {.fleet_id = c->who.fleet_id};
    struct store_ask q = {.op = STORE_ACCESS_LIST};
    struct store_access_list *l = &q.u.access_list;

    if (!rest_list_begin(c, &l->list))
        return;
    STR_COPY(l->after_person, l->list.after_name);
    STR_COPY(l->list.fleet_id, c->who.fleet_id);
    STR_COPY(l->machine_id, c->id[0]);
    c->flag = call_could(c, MAY_ACCESS_LIST, &o);
    if (!c->flag)
        STR_COPY(l->person_id, c->who.user_id);
    call_ask(c, &q, access_row, rest_list_end);
}

/* ---- one of them -------------------------------------------------------------------- */

static bool read_access(struct call *c, enum store_access *out)
{
    char word[16];

    if (call_param(c, "access", word, sizeof word) > 0)
        for (enum store_access a = STORE_FULL; a <= STORE_HIDDEN; a++)
            if (strcmp(word, store_access_str(a)) == 0) {
                *out = a;
                return true;
            }
    call_fail(c, 422, "access is full, execute, view or hidden");
    return false;
}

static void set_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome != STORE_DONE) {
        call_fail(c, 404, "there is no such machine, or no such member");
        return;
    }
    (void)call_json(c);
    put_access(c, &a->u.access);
    call_json_done(c, 200);
}

static void role_answer(struct call *c, const struct store_answer *a)
{
    struct store_ask q = {.op = STORE_ACCESS_SET};
    struct store_access_set *s = &q.u.access_set;

    if (a->outcome != STORE_DONE) {
        set_answer(c, a);
        return;
    }
    if (a->u.access.role == STORE_OWNER || a->u.access.role == STORE_ADMIN) {
        call_fail(c, 409,
                  "owners and admins may do everything with every machine; "
                  "make them a member first");
        return;
    }
    if (!read_access(c, &s->access))
        return;
    STR_COPY(s->fleet_id, c->who.fleet_id);
    STR_COPY(s->machine_id, c->id[0]);
    STR_COPY(s->person_id, c->id[1]);
    s->actor = call_actor(c);
    call_ask(c, &q, NULL, set_answer);
}

void rest_access_set(struct call *c)
{
    struct store_ask q = {.op = STORE_ACCESS_OF};

    STR_COPY(q.u.access_of.fleet_id, c->who.fleet_id);
    STR_COPY(q.u.access_of.machine_id, c->id[0]);
    STR_COPY(q.u.access_of.person_id, c->id[1]);
    call_ask(c, &q, NULL, role_answer);
}
