/*
 * `cmdop connect exec`: one command on pipes. With --json both outputs are
 * collected and one object is printed.
 */
#include <string.h>

#include "base/err.h"
#include "cli/command.h"
#include "cli/run.h"

#define JSON_MAX        (6 * 2 * COMMAND_COLLECT_MAX + 65536)
#define JSON_TIMEOUT_MS 30000

static const char *const outcomes[] = {
    [COMMAND_EXITED] = "exited",     [COMMAND_SIGNALLED] = "signalled",
    [COMMAND_TIMED_OUT] = "timeout", [COMMAND_GOES_ON] = "running",
    [COMMAND_LOST] = "lost",         [COMMAND_REFUSED] = "refused",
};

static void print_failure(struct json_out *j, const cmdop_agent_v1_Failure *f)
{
    json_member(j, "error", f->message);
    if (f->remedy[0] != '\0')
        json_member(j, "remedy", f->remedy);
}

static void print_json(const struct command *x, int status)
{
    struct span mem = port_memory(JSON_MAX);
    struct json_out j;
    json_begin(&j, (char *)mem.ptr, mem.len);
    json_obj_begin(&j);
    json_member(&j, "machine_id", x->machine.machine_id);
    json_member(&j, "hostname",
                x->machine.hostname[0] != '\0' ? x->machine.hostname
                                               : x->target);
    json_member(&j, "id", x->id);
    json_key(&j, "command");
    json_arr_begin(&j);
    for (uint32_t i = 0; i < x->argc; i++)
        json_cstr(&j, x->argv[i]);
    json_arr_end(&j);
    json_member(&j, "outcome", outcomes[x->outcome]);
    json_key(&j, "exit_code");
    if (x->outcome == COMMAND_GOES_ON)
        json_null(&j);
    else
        json_i64(&j, status);
    json_key(&j, "stdout");
    json_str(&j, view_of(x->out[0].data, x->out[0].len));
    json_key(&j, "stderr");
    json_str(&j, view_of(x->out[1].data, x->out[1].len));
    json_key(&j, "truncated");
    json_bool(&j, x->out[0].cut || x->out[1].cut);
    json_key(&j, "duration_ms");
    json_u64(&j, (port_now_us() - x->started_us) / 1000);
    if (x->end.which_result == cmdop_agent_v1_Close_failure_tag)
        print_failure(&j, &x->end.result.failure);
    json_obj_end(&j);
    cmd_out_json(&j);
}

static void print_handle(const struct command *x)
{
    char line[256];
    struct text t;
    TEXT_OF(&t, line);
    command_handle(x, &t);
    text_str(&t, "\n");
    cmd_out(text_done(&t));
}

static int run(struct command *x, const struct cmd_env *env,
               const struct where *where)
{
    bool json = x->collect;
    int status = command_run(x, env, where);
    if (json)
        print_json(x, status);
    else if (x->detach && x->outcome == COMMAND_GOES_ON)
        print_handle(x);
    return status;
}

/* The time that was asked for, or the usual one. */
static int set_time(struct command *x, const char *asked, bool kill)
{
    uint64_t ms = x->collect && !x->detach ? JSON_TIMEOUT_MS : 0;
    if (asked != NULL && (text_parse_duration(view_str(asked), &ms) != OK ||
                          ms == 0 || ms > UINT32_MAX))
        return ERR_RANGE;
    x->kill_ms = kill ? ms : 0;
    x->wait_ms = kill ? 0 : ms;
    return OK;
}

int exec_run(const struct cmd *cmd, const struct cmd_env *env, int argc,
             char **argv)
{
    static struct command x;
    struct where where = {0};
    const char *timeout = NULL, *id = NULL;
    bool kill = false;
    const struct cmd_opt opts[] = {{"--json", NULL, &x.collect, NULL},
                                   {"--timeout", "-t", NULL, &timeout},
                                   {"--kill", NULL, &kill, NULL},
                                   {"--id", NULL, NULL, &id},
                                   {"--detach", "-d", &x.detach, NULL},
                                   WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (rest < 2)
        return cmd_usage(cmd, "a machine is missing", "");
    if (rest > 2 || rest == argc)
        return cmd_usage(cmd,
                         "write `--` before the command: cmdop connect exec "
                         "HOST -- ",
                         rest > 2 ? argv[2] : "ARGV...");
    if (cmd_words(cmd, argc - rest, argv + rest) != CMD_OK)
        return CMD_USAGE;
    if (set_time(&x, timeout, kill) != OK)
        return cmd_usage(
            cmd, "that is not a duration like 30s or 5m, below 49d: ", timeout);
    if (kill && x.kill_ms == 0)
        return cmd_usage(cmd, "--kill needs --timeout: after which time?", "");
    if (id != NULL && !job_id_ok(id))
        return cmd_usage(cmd,
                         "an id is 1 to 64 letters, digits, dots, dashes and "
                         "underscores: ",
                         id);
    if (id != NULL)
        STR_COPY(x.id, id);
    x.keep = id != NULL || x.detach;
    x.target = argv[1];
    x.argv = argv + rest;
    x.argc = (uint32_t)(argc - rest);
    return run(&x, env, &where);
}
