/* The program of the edge profile: agent and tool, no relay. */
#include "agent/verbs.h"
#include "cli/verbs.h"
#include "keeper/keeper.h"

static int no_relay(const struct cmd_env *env, int argc, char **argv)
{
    (void)env;
    (void)argc;
    (void)argv;
    cmd_say("this build (edge) holds no relay; run `cmdop server` from the "
            "full build",
            NULL);
    return CMD_FAILED;
}

static const struct cmd server_cmd = {"server", "not in this build",
                                      "this build holds no relay\n", no_relay};

static const struct cmd *const table[] = {
    &join_cmd,   &register_cmd, &sidecar_cmd,  &identity_cmd, &agent_cmd,
    &start_cmd,  &stop_cmd,     &restart_cmd,  &status_cmd,   &connect_cmd,
    &exec_cmd,   &job_cmd,      &machines_cmd, &session_cmd,  &login_cmd,
    &logout_cmd, &auth_cmd,     &fleet_cmd,    &server_cmd,   &keeper_cmd,
    NULL,
};

int main(int argc, char **argv)
{
    static const struct cmd_env env = {CMDOP_VERSION, table};
    return cmd_main(&env, argc, argv);
}
