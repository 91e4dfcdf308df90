/* What the connecting verbs share; see where.h. */
#include "cli/where.h"

#include "codec/msg.h"
#include "core/cmd.h"

int where_status(int code)
{
    switch ((msg_code)code) {
    case cmdop_agent_v1_Code_CODE_DENIED:
    case cmdop_agent_v1_Code_CODE_AUTH: return CMD_DENIED;
    case cmdop_agent_v1_Code_CODE_TIMEOUT: return CMD_TIMEOUT;
    case cmdop_agent_v1_Code_CODE_CANNOT_RUN: return CMD_CANNOT_RUN;
    case cmdop_agent_v1_Code_CODE_NO_PROGRAM: return CMD_NO_PROGRAM;
    case cmdop_agent_v1_Code_CODE_UNSPECIFIED:
    case cmdop_agent_v1_Code_CODE_PROTOCOL:
    case cmdop_agent_v1_Code_CODE_VERSION:
    case cmdop_agent_v1_Code_CODE_NOT_FOUND:
    case cmdop_agent_v1_Code_CODE_AMBIGUOUS:
    case cmdop_agent_v1_Code_CODE_OFFLINE:
    case cmdop_agent_v1_Code_CODE_LIMIT:
    case cmdop_agent_v1_Code_CODE_UNSUPPORTED:
    case cmdop_agent_v1_Code_CODE_CONFLICT:
    case cmdop_agent_v1_Code_CODE_INTERNAL:
    case cmdop_agent_v1_Code_CODE_LOST: break;
    }
    return CMD_TRANSPORT;
}
