/* The session that is meant; see find.h. */
#include "cli/find.h"

#include "base/err.h"

bool find_session_decode(struct view record, msg_session_info *out)
{
    *out = (msg_session_info)cmdop_agent_v1_SessionInfo_init_zero;
    return msg_decode(record, cmdop_agent_v1_SessionInfo_fields, out) == OK;
}

static bool key_of(struct view record, struct fleet_key *out)
{
    msg_session_info s;
    if (!find_session_decode(record, &s))
        return false;
    STR_COPY(out->id, s.id);
    STR_COPY(out->name, s.name);
    out->old = s.ended;
    return true;
}

int find_session(const struct cmd_env *env, const struct where *where,
                 const char *ref, struct fleet_found *out)
{
    return fleet_find(env, where, ref, "sessions.list", key_of, out);
}
