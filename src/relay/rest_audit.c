/* A fleet's audit record as JSON, the newest line first; see rest.h. */
#include "relay/faces.h"
#include "relay/rest.h"

static bool audit_row(struct call *c, const union store_row *row)
{
    const struct store_audit *line = &row->audit.line;
    struct json_out *o = &c->json;

    if (!rest_room(c))
        return false;
    json_obj_begin(o);
    json_key(o, "id");
    json_i64(o, row->audit.id);
    json_member_time(o, "at", line->at_ms);
    json_member(o, "actor_kind", line->actor.kind);
    json_member(o, "actor", line->actor.name);
    json_member(o, "action", line->action);
    json_member(o, "object", line->object);
    json_member(o, "outcome", line->outcome);
    json_member(o, "detail", line->detail);
    json_obj_end(o);
    rest_last(c, "", row->audit.id, line->fleet_id);
    return true;
}

void rest_audit_list(struct call *c)
{
    struct store_ask q = {.op = STORE_AUDIT_LIST};

    if (!rest_list_begin(c, &q.u.list))
        return;
    STR_COPY(q.u.list.fleet_id, c->id[0]);
    call_ask(c, &q, audit_row, rest_list_end);
}
