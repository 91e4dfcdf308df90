/* A machine as JSON; see row.h. */
#include "cli/row.h"

#include "codec/json.h"
#include "core/cmd.h"

/* A byte of a string is six of JSON at most; the keys have what numbers leave. */
#define ROW_MAX (6 * sizeof(msg_machine_info) + 512)

const char *row_state(const msg_machine_info *m)
{
    return m->state[0] != '\0' ? m->state : "active";
}

void row_machine(const msg_machine_info *m, bool first)
{
    char buf[ROW_MAX];
    struct json_out j;
    struct view v;
    json_begin(&j, buf, sizeof(buf));
    json_obj_begin(&j);
    json_member(&j, "id", m->id);
    json_member(&j, "name", m->name);
    json_member(&j, "hostname", m->hostname);
    json_member(&j, "os", m->os);
    json_member(&j, "os_version", m->os_version);
    json_member(&j, "architecture", m->architecture);
    json_member(&j, "agent_version", m->agent_version);
    json_member(&j, "fleet_id", m->fleet_id);
    json_member(&j, "state", row_state(m));
    json_member(&j, "note", m->note);
    json_member(&j, "labels", m->labels);
    json_member(&j, "public_key_fingerprint", m->fingerprint);
    json_key(&j, "key_version");
    json_u64(&j, m->key_version);
    json_key(&j, "online");
    json_bool(&j, m->online);
    json_key(&j, "last_heartbeat_at");
    if (m->last_seen_ms != 0)
        json_time(&j, m->last_seen_ms);
    else
        json_null(&j);
    json_key(&j, "created_at");
    json_time(&j, m->created_ms);
    json_obj_end(&j);
    if (json_done(&j, &v) != 0)
        return;
    cmd_out(view_str(first ? "{\"machines\":[" : ","));
    cmd_out(v);
}
