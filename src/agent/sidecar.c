/*
 * `cmdop sidecar -- CMD...`: an agent beside somebody's program, for containers.
 * The program takes our place, so it keeps our pid (1 in a container), our
 * streams and our environment, and its exit status is what the container ends
 * with. The agent is started before, as a process of its own that has let go
 * of us; nothing it meets holds the program up.
 *
 *     sidecar (pid 1) --> helper --> agent     its parent is gone: pid 1's
 *        |                  |                  orphan, like any other
 *        |                  `- ends at once, and is buried here
 *        `- becomes CMD
 */
#include <string.h>

#include "agent/enrol.h"
#include "agent/start.h"
#include "agent/verbs.h"
#include "base/err.h"
#include "core/agentfile.h"
#include "port/port.h"

#define HELPER_MS 2000 /* for the helper to be gone; it takes a few */
#define POLL_MS   2

static const char HELPER[] = "--detached";

/* The program must not find a child that it did not start. */
static void bury_helper(void)
{
    int status, signal;
    uint64_t until = port_now_ms() + HELPER_MS;
    while (port_child_reap(&status, &signal) == 0 && port_now_ms() < until)
        cmd_nap(POLL_MS);
}

static int start_helper(struct text *why)
{
    static const char *const argv[] = {"cmdop", "sidecar", HELPER, NULL};
    struct port_spawn what = {.argv = argv, .cwd = "."};
    int ends[2];
    int err = port_local_pair(ends);
    if (err == OK) {
        err = port_self_spawn(&what, ends[1]);
        port_close(ends[0]);
        port_close(ends[1]);
    }
    if (err == OK)
        bury_helper();
    else
        text_str(why, port_why());
    return err;
}

/* Is there anything to start an agent with? A sentence when there is, but it
 * cannot be used. */
static bool is_wanted(struct text *why)
{
    static struct agentfile file;
    static struct enrolment e;
    static struct paths paths;
    int err = paths_find(&paths, why);
    if (err == OK)
        err = agentfile_load(paths.state, &file, why);
    if (err == OK)
        return true;
    if (err != ERR_NOT_FOUND)
        return false;
    text_init(why, why->buf, why->cap);
    err = enrol_read(&e, NULL, NULL, NULL, why);
    enrol_wipe(&e);
    if (err == OK && port_keep_folder(paths.state) != OK) {
        text_join(why, "cannot use the folder: ", port_why(), NULL);
        return false;
    }
    return err == OK;
}

static void start_beside(void)
{
    char buf[768];
    struct text why;
    TEXT_OF(&why, buf);
    if (is_wanted(&why))
        (void)start_helper(&why);
    if (buf[0] != '\0')
        cmd_say("no agent is started: ", buf, "; the program runs without it",
                NULL);
}

static int become(char **argv)
{
    int err = port_exec((const char *const *)argv);
    cmd_say(port_why(), NULL);
    return err == ERR_NOT_FOUND ? CMD_NO_PROGRAM : CMD_CANNOT_RUN;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
    bool detached = false;
    const struct cmd_opt opts[] = {{HELPER, NULL, &detached, NULL}};
    int rest;
    int status = cmd_options(&sidecar_cmd, &argc, argv, &rest, opts, 1);
    if (status >= 0)
        return status;
    if (detached)
        return start_agent(env, &(struct start_how){.detached = true});
    if (rest > 1)
        return cmd_usage(&sidecar_cmd,
                         "put -- in front of the program: ", argv[1]);
    if (rest >= argc)
        return cmd_usage(&sidecar_cmd, "which program? ", "");
    start_beside();
    return become(argv + rest);
}

const struct cmd sidecar_cmd = {
    .name = "sidecar",
    .summary = "run a program, with an agent beside it",
    .help = "usage: cmdop sidecar -- CMD [ARG...]\n"
            "\n"
            "Start an agent in the background, then become CMD: it keeps the "
            "process id, the\nstreams and the environment, and its exit status "
            "is its own. Made for containers:\nput it in front of the "
            "entry point. A machine that has not joined does so with\n"
            "CMDOP_JOIN_KEY_FILE or CMDOP_JOIN_KEY (and CMDOP_SERVER_URL); "
            "with neither, CMD\nis run and nothing else. An agent that cannot "
            "start never holds CMD up: the reason\nis in `cmdop agent logs`.\n"
            "\n"
            "example:\n"
            "  ENTRYPOINT [\"cmdop\", \"sidecar\", \"--\", "
            "\"/app/server\", \"--port\", \"80\"]\n",
    .run = run,
};
