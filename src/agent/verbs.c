/*
 * `cmdop agent start | stop | restart | status | logs` and their shortcuts.
 * One agent per state folder: it holds the lock file while it lives.
 */
#include "agent/verbs.h"

#include <string.h>

#include "agent/orphans.h"
#include "agent/start.h"
#include "agent/status.h"
#include "base/err.h"
#include "core/paths.h"
#include "port/port.h"

#define STOP_MS   10000
#define POLL_MS   20
#define FOLLOW_MS 250

static int fail(const char *why)
{
    cmd_say(why, NULL);
    return CMD_FAILED;
}

/* ---- start ---------------------------------------------------------------------- */

static int run_start(const struct cmd_env *env, int argc, char **argv)
{
    bool foreground = false, verbose = false;
    const struct cmd_opt opts[] = {{"--foreground", "-f", &foreground, NULL},
                                   {"--verbose", "-v", &verbose, NULL}};
    int rest;
    int status = cmd_options(&start_cmd, &argc, argv, &rest, opts, 2);
    if (status >= 0)
        return status;
    if (argc > 1)
        return cmd_usage(&start_cmd, "nothing is expected here: ", argv[1]);
    return start_agent(
        env, &(struct start_how){.foreground = foreground, .verbose = verbose});
}

/* ---- stop, restart ----------------------------------------------------------------- */

/* The lock tells better than the pid: a process that nobody buries has let
 * go of it. */
static int stop(bool must_run)
{
    struct paths paths;
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    if (paths_find(&paths, &why) != OK)
        return fail(buf);
    int pid = status_holder(paths.state);
    if (pid == 0)
        return must_run ? fail("no agent runs with this state folder") : CMD_OK;
    if (port_process_end(pid) != OK)
        return fail(port_why());
    uint64_t until = port_now_ms() + STOP_MS;
    while (status_holder(paths.state) == pid && port_now_ms() < until)
        cmd_nap(POLL_MS);
    return status_holder(paths.state) == pid
               ? fail("the agent was told to stop and still runs; look at "
                      "`cmdop agent logs`")
               : CMD_OK;
}

/* Sessions do not end with their agent, unless that is asked for. */
static int after_stop(bool all)
{
    struct paths paths;
    char buf[256];
    struct text t;
    TEXT_OF(&t, buf);
    if (paths_find(&paths, &t) != OK)
        return fail(buf);
    uint32_t n = all ? orphans_end(&paths) : orphans_count(&paths);
    if (n == 0)
        return CMD_OK;
    text_str(&t, "cmdop: ");
    text_u64(&t, n);
    text_str(&t, all ? " sessions and commands were told to end\n"
                     : " sessions and commands go on; `cmdop agent start` "
                       "finds them, `cmdop agent stop --all` ends them\n");
    cmd_note(buf);
    return CMD_OK;
}

static int run_stop(const struct cmd_env *env, int argc, char **argv)
{
    bool all = false;
    const struct cmd_opt opts[] = {{"--all", NULL, &all, NULL}};
    int rest;
    int status = cmd_options(&stop_cmd, &argc, argv, &rest, opts, 1);
    if (status >= 0)
        return status;
    (void)env;
    status = stop(!all);
    return status == CMD_OK ? after_stop(all) : status;
}

static int run_restart(const struct cmd_env *env, int argc, char **argv)
{
    int rest;
    int status = cmd_options(&restart_cmd, &argc, argv, &rest, NULL, 0);
    if (status >= 0)
        return status;
    status = stop(false);
    return status == CMD_OK ? start_agent(env, &(struct start_how){0}) : status;
}

/* ---- status ------------------------------------------------------------------------ */

static int run_status(const struct cmd_env *env, int argc, char **argv)
{
    bool json = false, check = false;
    const struct cmd_opt opts[] = {{"--json", NULL, &json, NULL},
                                   {"--check", NULL, &check, NULL}};
    struct status s;
    char buf[512];
    struct text why;
    int rest;
    int status = cmd_options(&status_cmd, &argc, argv, &rest, opts, 2);
    if (status >= 0)
        return status;
    TEXT_OF(&why, buf);
    if (status_ask(env->version, &s, &why) != OK)
        return fail(buf);
    if (json)
        status_print_json(&s);
    else
        status_print(&s);
    bool online = s.answered && s.agent.connected;
    return check && !online ? CMD_FAILED : CMD_OK;
}

/* ---- logs -------------------------------------------------------------------------- */

static void print_rest(int handle)
{
    uint8_t piece[8192];
    int n;
    while ((n = port_recv(handle, SPAN_ARRAY(piece))) > 0)
        cmd_out(view_of(piece, (size_t)n));
}

/* The log as it grows; when another file was begun in its place, first the
 * rest of the old one, to which nobody writes any more. */
static void follow_log(int handle, const char *path)
{
    for (;;) {
        cmd_nap(FOLLOW_MS);
        bool is_old = !port_file_is(handle, path);
        print_rest(handle);
        int next = is_old ? port_file_open(path) : -1;
        if (next >= 0) {
            port_close(handle);
            handle = next;
        }
    }
}

static int run_logs(const struct cmd_env *env, int argc, char **argv)
{
    bool follow = false;
    const struct cmd_opt opts[] = {{"--follow", "-f", &follow, NULL}};
    struct paths paths;
    char buf[512], path[PATH_CAP];
    struct text why;
    int rest;
    (void)env;
    int status = cmd_options(&agent_cmd, &argc, argv, &rest, opts, 1);
    if (status >= 0)
        return status;
    TEXT_OF(&why, buf);
    if (paths_find(&paths, &why) != OK ||
        paths_join(path, paths.state, "agent.log") != OK)
        return fail(buf);
    int handle = port_file_open(path);
    if (handle < 0) {
        cmd_say("there is no log at ", path, ": ", port_why(), NULL);
        return CMD_FAILED;
    }
    print_rest(handle);
    if (follow)
        follow_log(handle, path);
    port_close(handle);
    return CMD_OK;
}

/* ---- the verb ------------------------------------------------------------------------ */

static int run(const struct cmd_env *env, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct cmd_env *env, int argc, char **argv);
    } verbs[] = {{"start", run_start},
                 {"stop", run_stop},
                 {"restart", run_restart},
                 {"status", run_status},
                 {"logs", run_logs}};
    if (argc > 1 &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        cmd_out(view_str(agent_cmd.help));
        return CMD_OK;
    }
    for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(env, argc - 1, argv + 1);
    return cmd_usage(&agent_cmd, "start, stop, restart, status or logs? ",
                     argc > 1 ? argv[1] : "");
}

#define AGENT_HELP                                                       \
    "usage: cmdop agent start [--foreground] [--verbose]\n"              \
    "       cmdop agent stop [--all] | restart\n"                        \
    "       cmdop agent status [--json] [--check]\n"                     \
    "       cmdop agent logs [-f]\n"                                     \
    "\n"                                                                 \
    "The agent keeps this machine connected to its relay and runs what " \
    "operators ask\nfor. It listens on no port.\n"                       \
    "\n"                                                                 \
    "  --foreground  stay in the foreground, log to standard error\n"    \
    "  --check       exit 0 only when the machine is connected\n"        \
    "  --all         end sessions and commands too; without it they go " \
    "on, and the\n                next agent finds them\n"               \
    "\n"                                                                 \
    "example:\n"                                                         \
    "  cmdop agent start && cmdop agent logs -f\n"

const struct cmd agent_cmd = {"agent", "run, stop and inspect the agent",
                              AGENT_HELP, run};
const struct cmd start_cmd = {"start", "short for `agent start`", AGENT_HELP,
                              run_start};
const struct cmd stop_cmd = {"stop", "short for `agent stop`", AGENT_HELP,
                             run_stop};
const struct cmd restart_cmd = {"restart", "short for `agent restart`",
                                AGENT_HELP, run_restart};
const struct cmd status_cmd = {"status", "short for `agent status`", AGENT_HELP,
                               run_status};
