/*
 * `cmdop job`: commands that go on without us. They are started by
 * `cmdop connect exec --id` or `--detach`.
 */
#include <string.h>

#include "base/err.h"
#include "cli/command.h"
#include "cli/fleet.h"
#include "cli/verbs.h"

#define COL_JOB   44
#define COL_STATE 14
#define COL_TIME  22

static bool key_of(struct view record, struct fleet_key *out)
{
    msg_job_info j = cmdop_agent_v1_JobInfo_init_zero;
    if (msg_decode(record, cmdop_agent_v1_JobInfo_fields, &j) != OK)
        return false;
    STR_COPY(out->id, j.id);
    return true;
}

/* ---- list -------------------------------------------------------------------------- */

struct list {
    bool json;
    bool first;
};

static const char *state_word(cmdop_agent_v1_JobState state)
{
    switch (state) {
    case cmdop_agent_v1_JobState_JOB_STATE_RUNNING: return "running";
    case cmdop_agent_v1_JobState_JOB_STATE_EXITED: return "done";
    case cmdop_agent_v1_JobState_JOB_STATE_SIGNALLED: return "signal";
    case cmdop_agent_v1_JobState_JOB_STATE_TIMED_OUT: return "timeout";
    case cmdop_agent_v1_JobState_JOB_STATE_LOST: return "lost";
    case cmdop_agent_v1_JobState_JOB_STATE_UNSPECIFIED: break;
    }
    return "unknown";
}

static bool has_number(const msg_job_info *j)
{
    return j->state == cmdop_agent_v1_JobState_JOB_STATE_EXITED ||
           j->state == cmdop_agent_v1_JobState_JOB_STATE_SIGNALLED;
}

static void json_when(struct json_out *o, const char *key, int64_t ms)
{
    json_key(o, key);
    if (ms != 0)
        json_time(o, ms);
    else
        json_null(o);
}

static void json_row(const struct list *l, const struct fleet_machine *m,
                     const msg_job_info *j)
{
    char buf[2048];
    struct json_out o;
    struct view v;
    json_begin(&o, buf, sizeof(buf));
    json_obj_begin(&o);
    json_member(&o, "id", j->id);
    fleet_name(&o, m, j->machine_id, j->machine);
    json_member(&o, "state", state_word(j->state));
    json_key(&o, "status");
    if (has_number(j))
        json_u64(&o, j->status);
    else
        json_null(&o);
    json_member(&o, "command", j->command);
    json_member(&o, "user", j->user);
    json_when(&o, "started_at", j->started_ms);
    json_when(&o, "ended_at", j->ended_ms);
    json_key(&o, "stdout_bytes");
    json_u64(&o, j->out_end);
    json_key(&o, "stderr_bytes");
    json_u64(&o, j->err_end);
    json_key(&o, "operators");
    json_u64(&o, j->operators);
    json_key(&o, "kept");
    json_bool(&o, j->keep);
    json_key(&o, "pid");
    json_u64(&o, j->pid);
    json_obj_end(&o);
    if (json_done(&o, &v) != 0)
        return;
    cmd_out(view_str(l->first ? "{\"jobs\":[" : ","));
    cmd_out(v);
}

static void text_row(const struct list *l, const struct fleet_machine *m,
                     const msg_job_info *j)
{
    char buf[1024];
    struct text t;
    TEXT_OF(&t, buf);
    if (l->first) {
        text_str(&t, "JOB");
        text_pad(&t, 0, COL_JOB);
        text_str(&t, "STATE         STARTED               COMMAND\n");
    }
    size_t from = t.len;
    text_safe(&t, view_str(m->name));
    text_str(&t, m->name[0] != '\0' ? ":" : "");
    text_safe(&t, view_str(j->id));
    text_str(&t, " ");
    text_pad(&t, from, COL_JOB);
    text_str(&t, state_word(j->state));
    if (has_number(j)) {
        text_str(&t, " ");
        text_u64(&t, j->status);
    }
    text_str(&t, " ");
    text_pad(&t, from, COL_JOB + COL_STATE);
    text_time(&t, j->started_ms);
    text_pad(&t, from, COL_JOB + COL_STATE + COL_TIME);
    text_safe(&t, view_str(j->command));
    text_str(&t, "\n");
    cmd_out(text_done(&t));
}

static void on_record(void *ctx, const struct fleet_machine *m,
                      struct view record)
{
    struct list *l = ctx;
    msg_job_info j = cmdop_agent_v1_JobInfo_init_zero;
    if (msg_decode(record, cmdop_agent_v1_JobInfo_fields, &j) != OK)
        return;
    if (l->json)
        json_row(l, m, &j);
    else
        text_row(l, m, &j);
    l->first = false;
}

static int run_list(const struct cmd_env *env, int argc, char **argv)
{
    struct list l = {.first = true};
    struct where where = {0};
    struct fleet_question q = {
        .method = "jobs.list", .record = on_record, .ctx = &l};
    const struct cmd_opt opts[] = {{"--json", NULL, &l.json, NULL},
                                   {"--host", NULL, NULL, &q.host},
                                   WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(&job_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc > 2 || (argc == 2 && q.host != NULL))
        return cmd_usage(&job_cmd,
                         "one machine, or none for all: ", argv[argc - 1]);
    if (argc == 2)
        q.host = argv[1];
    status = fleet_ask(env, &where, &q);
    if (status == CMD_OK && l.json)
        cmd_out(view_str(l.first ? "{\"jobs\":[]}\n" : "]}\n"));
    else if (status == CMD_OK && l.first)
        cmd_say("there are no jobs on the machines that are online; `cmdop "
                "connect exec --detach` starts one",
                NULL);
    return status;
}

/* ---- logs, wait ----------------------------------------------------------------------- */

static int find(const struct cmd_env *env, const struct where *where,
                const char *ref, struct fleet_found *out)
{
    return fleet_find(env, where, ref, "jobs.list", key_of, out);
}

static int look(struct command *x, const struct cmd_env *env,
                const struct where *where, const char *ref)
{
    static struct fleet_found found;
    int status = find(env, where, ref, &found);
    if (status != CMD_OK)
        return status;
    STR_COPY(x->id, found.id);
    x->target = fleet_target(&found.machine);
    x->attach = x->watch = true;
    return command_run(x, env, where);
}

/* OUT or OUT,ERR: offsets of the two streams. */
static int read_offsets(const char *text, struct command *x)
{
    struct view v = view_str(text);
    ptrdiff_t comma = view_find(v, ',');
    struct view out = comma < 0 ? v : view_first(v, (size_t)comma);
    x->resume = true;
    int err = text_parse_u64(out, INT64_MAX, &x->out[0].next);
    if (err == OK && comma >= 0)
        err = text_parse_u64(view_from(v, (size_t)comma + 1), INT64_MAX,
                             &x->out[1].next);
    return err;
}

static int run_logs(const struct cmd_env *env, int argc, char **argv)
{
    static struct command x;
    struct where where = {0};
    const char *from = NULL;
    bool follow = false;
    const struct cmd_opt opts[] = {{"--follow", "-f", &follow, NULL},
                                   {"--from", NULL, NULL, &from},
                                   WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(&job_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc != 2)
        return cmd_usage(&job_cmd, "which job? `cmdop job list` shows them",
                         "");
    if (from != NULL && read_offsets(from, &x) != OK)
        return cmd_usage(&job_cmd,
                         "that is not an offset, or two with a comma: ", from);
    x.until_now = !follow;
    x.outcome = COMMAND_REFUSED; /* until it is found */
    status = look(&x, env, &where, argv[1]);
    return x.outcome == COMMAND_LOST || x.outcome == COMMAND_REFUSED ? status
                                                                     : CMD_OK;
}

static int run_wait(const struct cmd_env *env, int argc, char **argv)
{
    static struct command x;
    struct where where = {0};
    const char *timeout = NULL;
    const struct cmd_opt opts[] = {{"--timeout", "-t", NULL, &timeout},
                                   WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(&job_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc != 2)
        return cmd_usage(&job_cmd, "which job? `cmdop job list` shows them",
                         "");
    if (timeout != NULL &&
        (text_parse_duration(view_str(timeout), &x.wait_ms) != OK ||
         x.wait_ms == 0))
        return cmd_usage(&job_cmd,
                         "that is not a duration like 30s or 5m: ", timeout);
    x.quiet = true;
    return look(&x, env, &where, argv[1]);
}

/* ---- signal, rm ------------------------------------------------------------------------- */

static int order(const struct cmd_env *env, const struct where *where,
                 const char *ref, const char *method, msg_call *call)
{
    struct fleet_found found;
    int status = find(env, where, ref, &found);
    return status != CMD_OK ? status
                            : fleet_order(env, where, &found, method, call);
}

static int run_signal(const struct cmd_env *env, int argc, char **argv)
{
    struct where where = {0};
    msg_call call = cmdop_agent_v1_Call_init_zero;
    const struct cmd_opt opts[] = {WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(&job_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc != 3)
        return cmd_usage(&job_cmd, "a job and a signal, like TERM", "");
    STR_COPY(call.signal,
             strncmp(argv[2], "SIG", 3) == 0 ? argv[2] + 3 : argv[2]);
    return order(env, &where, argv[1], "jobs.signal", &call);
}

static int run_rm(const struct cmd_env *env, int argc, char **argv)
{
    struct where where = {0};
    msg_call call = cmdop_agent_v1_Call_init_zero;
    const struct cmd_opt opts[] = {{"--force", NULL, &call.force, NULL},
                                   WHERE_OPTS(where)};
    int rest;
    int status = cmd_options(&job_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc < 2)
        return cmd_usage(&job_cmd, "which job? `cmdop job list` shows them",
                         "");
    for (int i = 1; i < argc; i++) {
        int one = order(env, &where, argv[i], "jobs.remove", &call);
        status = one != CMD_OK || status < 0 ? one : status;
    }
    return status;
}

/* ---- the verb ---------------------------------------------------------------------------- */

static int run(const struct cmd_env *env, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct cmd_env *env, int argc, char **argv);
    } verbs[] = {{"list", run_list},
                 {"logs", run_logs},
                 {"wait", run_wait},
                 {"signal", run_signal},
                 {"rm", run_rm}};
    for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(env, argc - 1, argv + 1);
    return cmd_usage(&job_cmd, "list, logs, wait, signal or rm",
                     argc > 1 ? argv[1] : "");
}

const struct cmd job_cmd = {
    .name = "job",
    .summary = "commands that go on by themselves: list, logs, wait, end",
    .help = "usage: cmdop job list [HOST] [--json]\n"
            "       cmdop job logs [-f] [--from OUT[,ERR]] JOB\n"
            "       cmdop job wait [--timeout D] JOB\n"
            "       cmdop job signal JOB NAME\n"
            "       cmdop job rm [--force] JOB...\n"
            "\n"
            "A job is a command that was started with --id or --detach, or "
            "that somebody waited\nfor no longer. It goes on without anybody, "
            "and how it ended is kept for a week, or\nuntil `rm`. JOB is "
            "[HOST:]ID, where some characters of the ID are enough; without "
            "HOST\nall machines that are online are asked.\n"
            "\n"
            "  -f, --follow        until the job ends\n"
            "  --from OUT[,ERR]    from these offsets of stdout and stderr\n"
            "  -t, --timeout D     wait no longer than D (124)\n"
            "  --force             end it if it runs\n"
            "  -s, --server NAME   another relay than the current one\n"
            "  --local             the agent of this machine, without a relay\n"
            "\n"
            "`wait` exits as the command did: its status, 128 + n for signal "
            "n; 255 when that is\nnot known.\n"
            "\n"
            "example:\n"
            "  cmdop connect exec --id nightly web-1 -- ./backup.sh\n"
            "  cmdop job wait web-1:nightly\n",
    .run = run,
};
