/*
 * `cmdop join`: enrol this machine with a join string, or with a join key and
 * the relay's address. agent/enrol.c does it.
 */
#include "agent/enrol.h"
#include "agent/verbs.h"
#include "base/err.h"

static int do_join(const struct enrolment *e, const char *version)
{
    static struct enrol_result result;
    static struct paths paths;
    char buf[512];
    struct text why;
    TEXT_OF(&why, buf);
    if (paths_find(&paths, &why) != OK) {
        cmd_say(buf, NULL);
        return CMD_FAILED;
    }
    enrol(e, &paths, version, &result);
    return enrol_say(&result, &paths);
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
    static struct enrolment e;
    const char *name = NULL, *server = NULL, *ca_file = NULL;
    const struct cmd_opt opts[] = {{"--name", "-n", NULL, &name},
                                   {"--server", NULL, NULL, &server},
                                   {"--ca-file", NULL, NULL, &ca_file}};
    char buf[768];
    struct text why;
    int rest;
    int status = cmd_options(&join_cmd, &argc, argv, &rest, opts, 3);
    if (status >= 0)
        return status;
    if (argc > 2)
        return cmd_usage(&join_cmd, "one join string, please: ", argv[2]);
    if (cmd_name(&join_cmd, name) != CMD_OK)
        return CMD_USAGE;
    TEXT_OF(&why, buf);
    int err = enrol_read(&e, argc == 2 ? argv[1] : NULL, server, name, &why);
    if (err == ERR_NOT_FOUND)
        return cmd_usage(&join_cmd, "a join string is missing", "");
    if (err != OK) {
        cmd_say(buf, NULL);
        return err == ERR_RANGE ? CMD_USAGE : CMD_FAILED;
    }
    e.ca_file = ca_file;
    status = do_join(&e, env->version);
    enrol_wipe(&e);
    return status;
}

const struct cmd join_cmd = {
    .name = "join",
    .summary = "enrol this machine at a relay",
    .help = "usage: cmdop join [--name NAME] STRING\n"
            "       cmdop join [--name NAME] -          (read from stdin)\n"
            "       cmdop join [--name NAME] --server URL KEY\n"
            "\n"
            "Enrol this machine with the join string that `cmdop server "
            "join-key` prints\non the relay. The string carries the relay's "
            "address, its key and a secret.\nWithout STRING it is taken from "
            "CMDOP_JOIN_KEY_FILE or CMDOP_JOIN_KEY. A secret\nalone "
            "(cmdop_enroll_...) needs the rest in CMDOP_SERVER_URL.\n"
            "\n"
            "  --name NAME   name of this machine in the fleet (default: "
            "host name)\n"
            "  --server URL  cmdop://HOST:PORT/PIN, for a secret alone; "
            "without PIN the relay's\n                certificate must be "
            "good, and its key is pinned then\n"
            "  --ca-file F   authorities for that (default: the system's)\n"
            "\n"
            "example:\n"
            "  ssh relay cmdop server join-key | cmdop join --name web-1 -\n",
    .run = run,
};
