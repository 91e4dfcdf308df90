/* The program of the full profile: relay, agent and tool. */
#include "agent/verbs.h"
#include "cli/verbs.h"
#include "keeper/keeper.h"
#include "relay/verbs.h"

static const struct cmd *const table[] = {
    &server_cmd,  &join_cmd,   &register_cmd, &sidecar_cmd,  &identity_cmd,
    &agent_cmd,   &start_cmd,  &stop_cmd,     &restart_cmd,  &status_cmd,
    &connect_cmd, &exec_cmd,   &job_cmd,      &machines_cmd, &session_cmd,
    &login_cmd,   &logout_cmd, &auth_cmd,     &fleet_cmd,    &keeper_cmd,
    NULL,
};

int main(int argc, char **argv)
{
    static const struct cmd_env env = {CMDOP_VERSION, table};
    return cmd_main(&env, argc, argv);
}
