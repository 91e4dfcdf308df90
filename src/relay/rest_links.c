/*
 * Machines in several fleets, as JSON; see rest.h. A machine has one home,
 * and may be linked to further fleets, whose members can use it too.
 *
 *   attach   the caller speaks in the home and is an admin there (the route's
 *            operation, asked before), and is an admin of the other fleet
 *   detach   an admin of the fleet that is left, or of the home, which takes
 *            back what it gave; the home itself stays
 */
#include <string.h>

#include "base/err.h"
#include "relay/faces.h"
#include "relay/rest.h"

/* text[0] the machine */

static void put_link(struct call *c, const struct store_link *l)
{
    struct json_out *o = &c->json;

    json_obj_begin(o);
    json_member(o, "machine_id", c->text[0]);
    json_member(o, "fleet_id", l->fleet_id);
    json_member(o, "fleet_name", l->fleet_name);
    json_member(o, "fleet_slug", l->slug);
    json_key(o, "home");
    json_bool(o, l->home);
    json_member_time(o, "joined_at", l->joined_ms);
    json_key(o, "added_by_id");
    if (l->added_by[0] != '\0')
        json_cstr(o, l->added_by);
    else
        json_null(o);
    json_obj_end(o);
}

/* ---- which fleets have it ------------------------------------------------------- */

/* The home sees all; another fleet the home and itself: whom the home shares
 * its machine with besides is not told. */
static bool fleets_row(struct call *c, const union store_row *row)
{
    const struct store_link *l = &row->link;

    if (!rest_room(c))
        return false;
    rest_last(c, "", 0, l->fleet_id);
    if (c->flag || l->home || strcmp(l->fleet_id, c->who.fleet_id) == 0)
        put_link(c, l);
    return true;
}

static void machine_answer(struct call *c, const struct store_answer *a)
{
    struct store_ask q = {.op = STORE_MACHINE_FLEETS};
    struct store_machine_fleets *m = &q.u.machine_fleets;

    if (a->outcome != STORE_DONE) {
        call_fail(c, 404, "there is no such machine");
        return;
    }
    c->flag = strcmp(a->u.machine.fleet_id, c->who.fleet_id) == 0;
    STR_COPY(c->text[0], a->u.machine.id);
    if (!rest_list_begin(c, &m->list))
        return;
    if (!c->flag) /* pages would tell how many it does not see */
        m->list = (struct store_list){.limit = STORE_MACHINE_FLEETS_MAX};
    STR_COPY(m->list.fleet_id, c->who.fleet_id);
    STR_COPY(m->machine_id, a->u.machine.id);
    call_ask(c, &q, fleets_row, rest_list_end);
}

void rest_links_list(struct call *c)
{
    struct store_ask q = {.op = STORE_MACHINE_GET};

    STR_COPY(q.u.machine_get.fleet_id, c->who.fleet_id);
    STR_COPY(q.u.machine_get.machine_id, c->id[0]);
    call_ask(c, &q, NULL, machine_answer);
}

/* ---- attach --------------------------------------------------------------------- */

static bool link_row(struct call *c, const union store_row *row)
{
    if (strcmp(row->link.fleet_id, c->id[0]) != 0)
        return true;
    put_link(c, &row->link);
    c->flag = true;
    return false;
}

static void link_end(struct call *c, const struct store_answer *a)
{
    (void)a;
    if (c->flag)
        call_json_done(c, c->number != 0 ? 201 : 200);
    else /* somebody took it away meanwhile */
        call_fail(c, 404, "the machine is not in this fleet");
}

static void link_answer(struct call *c, const struct store_answer *a)
{
    struct store_ask q = {.op = STORE_MACHINE_FLEETS};
    struct store_machine_fleets *m = &q.u.machine_fleets;

    if (a->outcome == STORE_NOT_HOME) {
        call_fail(c, 409,
                  "the machine's home is another fleet, which decides this; "
                  "sign in there");
    } else if (a->outcome == STORE_LIMIT) {
        call_fail(c, 409,
                  "the machine is in as many fleets as it may be, or the "
                  "fleet has as many machines");
    } else if (a->outcome != STORE_DONE) {
        call_fail(c, 404, "there is no such machine, or no such fleet");
    } else {
        c->flag = false;
        c->number = a->u.machine.created;
        (void)call_json(c);
        STR_COPY(m->list.fleet_id, c->id[0]);
        STR_COPY(m->machine_id, c->text[0]);
        call_ask(c, &q, link_row, link_end);
    }
}

/* What he is in the fleet that shall have it. */
static void fleet_answer(struct call *c, const struct store_answer *a)
{
    struct store_ask q = {.op = STORE_MACHINE_LINK};
    struct store_machine_link *l = &q.u.machine_link;
    const struct people *p = c->people;

    if (a->outcome != STORE_DONE) {
        call_fail(c, 404, "there is no such fleet among yours");
        return;
    }
    if (!call_may_in(c, MAY_MACHINES_TAKE, &a->u.fleet))
        return;
    if (p->room != NULL && !p->room(p->ask.ctx)) {
        call_fail(c, 409, "the relay holds as many links as it can");
        return;
    }
    STR_COPY(l->fleet_id, c->who.fleet_id);
    STR_COPY(l->machine_id, c->text[0]);
    STR_COPY(l->other_id, a->u.fleet.id);
    l->actor = call_actor(c);
    call_ask(c, &q, NULL, link_answer);
}

void rest_links_make(struct call *c)
{
    struct store_ask q = {.op = STORE_FLEET_GET};

    (void)call_param(c, "machine_id", c->text[0], UUID_CAP);
    STR_COPY(q.u.fleet_get.fleet_id, c->id[0]);
    STR_COPY(q.u.fleet_get.person_id, c->who.user_id);
    call_ask(c, &q, NULL, fleet_answer);
}

/* ---- detach --------------------------------------------------------------------- */

static void unlink_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_DONE)
        call_empty(c, 204);
    else if (a->outcome == STORE_CONFLICT)
        call_fail(c, 409,
                  "this fleet is the machine's home, which it does not leave; "
                  "DELETE /api/machines/{id} shuts it out");
    else /* another fleet's link is nobody else's business */
        call_fail(c, 404, "there is no such thing in the fleet");
}

void rest_links_remove(struct call *c)
{
    struct store_ask q = {.op = STORE_MACHINE_UNLINK};
    struct store_machine_link *l = &q.u.machine_link;

    STR_COPY(l->fleet_id, c->who.fleet_id);
    STR_COPY(l->other_id, c->id[0]);
    STR_COPY(l->machine_id, c->id[1]);
    l->actor = call_actor(c);
    call_ask(c, &q, NULL, unlink_answer);
}
