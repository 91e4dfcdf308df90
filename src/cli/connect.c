/* `cmdop connect`: attach, exec, list or password, by what stands behind it. */
#include <string.h>

#include "cli/run.h"
#include "cli/verbs.h"

static bool has_word(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], word) == 0)
            return true;
    return false;
}

static int run(const struct cmd_env *env, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "exec") == 0)
        return exec_run(&exec_cmd, env, argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "password") == 0)
        return password_run(env, argc - 1, argv + 1);
    if (has_word(argc, argv, "--list"))
        return list_run(&connect_cmd, env, argc, argv);
    return attach_run(&connect_cmd, env, argc, argv);
}

#define WHERE_HELP                                                 \
    "  -s, --server NAME   another sign-in than the current one\n" \
    "  -w, --workspace F   the sign-in of that fleet\n"            \
    "  --local             the agent of this machine, without a relay\n"

const struct cmd connect_cmd = {
    .name = "connect",
    .summary = "open a shell on a machine, run a command, list machines",
    .help = "usage: cmdop connect [options] HOST\n"
            "       cmdop connect exec [--timeout D] [--json] HOST -- ARGV...\n"
            "       cmdop connect --list [--online] [--json]\n"
            "       cmdop connect password set|clear|list|status [HOST]\n"
            "\n"
            "HOST is a host name, a name, a UUID or a unique prefix of one. "
            "A session goes on\nwhen you leave it: Ctrl-D or ~. at the "
            "start of a line detaches, connecting again\nreattaches.\n"
            "\n"
            "  --new               start a new session\n"
            "  --session ID        attach to this session\n"
            "  --observe           only watch\n"
            "  --password-file F   the machine's attach password, if it has "
            "one\n" WHERE_HELP "\n"
            "example:\n"
            "  cmdop connect web-1\n"
            "  cmdop connect exec web-1 -- df -h /\n",
    .run = run,
};

static int run_exec(const struct cmd_env *env, int argc, char **argv)
{
    return exec_run(&exec_cmd, env, argc, argv);
}

const struct cmd exec_cmd = {
    .name = "exec",
    .summary = "run one command on a machine; short for `connect exec`",
    .help = "usage: cmdop connect exec [options] HOST -- ARGV...\n"
            "\n"
            "Run a command without a terminal. Standard input is sent, "
            "standard output and\nstandard error stay apart, the exit status "
            "is the command's (128 + n for signal n).\nOur own failures: 255 "
            "no connection, 124 time-out, 126 cannot run, 127 not found.\n"
            "\n"
            "  --id ID             one process for each ID, however often it "
            "is asked for; it goes\n                      on without us, as "
            "a job\n"
            "  -d, --detach        leave as soon as it runs, and print "
            "HOST:ID\n"
            "  -t, --timeout D     wait no longer than D (30s, 5m; default "
            "30s with --json, none\n                      without); the "
            "command goes on\n"
            "  --kill              end it after that time instead\n"
            "  --json              one JSON object with stdout and stderr "
            "inside\n" WHERE_HELP "\n"
            "example:\n"
            "  cmdop connect exec web-1 -- tar -C /srv -cz data > data.tgz\n",
    .run = run_exec,
};
