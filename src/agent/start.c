/* Becoming the agent; see start.h. */
#include "agent/start.h"

#include "agent/app.h"
#include "agent/enrol.h"
#include "base/backoff.h"
#include "base/err.h"
#include "base/log.h"

#define JOIN_MIN_MS 1000 /* between a sidecar's attempts to join */

static int fail(const char *why)
{
    cmd_say(why, NULL);
    return CMD_FAILED;
}

int start_lock(const struct paths *paths, struct text *why)
{
    char path[PATH_CAP];
    int pid = 0;
    int err = paths_join(path, paths->state, "agent.lock");
    if (err == OK)
        err = port_keep_folder(paths->state);
    if (err == OK)
        err = port_keep_lock(path, &pid);
    if (err == ERR_BUSY) {
        text_str(why, "an agent with this state folder runs already (pid ");
        text_u64(why, (uint64_t)pid);
        text_str(why, "); `cmdop agent status` tells more");
    } else if (err != OK) {
        text_join(why, "cannot lock ", path, ": ", port_why(), NULL);
    }
    return err;
}

static int load(struct app *app, struct text *why)
{
    int err = agentfile_load(app->paths.state, &app->file, why);
    if (err == OK)
        err = identity_load(app->paths.state, app->paths.config, &app->identity,
                            why);
    return err;
}

static int open_log(const struct app *app, struct text *why)
{
    char path[PATH_CAP];
    int err = paths_join(path, app->paths.state, "agent.log");
    if (err == OK)
        err = port_log_open(path);
    if (err != OK)
        text_join(why, "cannot write ", path, ": ", port_why(), NULL);
    return err;
}

static int serve(struct app *app, const char *version, struct text *why)
{
    char line[64];
    struct text t;
    int err = app_init(app, port_memory(app_bytes()), version, why);
    if (err != OK)
        return err;
    TEXT_OF(&t, line);
    text_str(&t, "agent started, pid ");
    text_u64(&t, (uint64_t)port_pid());
    text_str(&t, "\n");
    port_daemon_ready(text_done(&t), CMD_OK);
    app_run(app);
    return OK;
}

/* ---- joining by itself ----------------------------------------------------------- */

static void log_lines(const char *event, const char *said)
{
    struct view rest = view_str(said);
    char line[512];
    while (rest.len > 0) {
        ptrdiff_t end = view_find(rest, '\n');
        size_t n = end < 0 ? rest.len : (size_t)end;
        bytes_to_str(line, sizeof(line), view_first(rest, n));
        log_info(event, line);
        rest = view_from(rest, end < 0 ? n : n + 1);
    }
}

/* How long until the next attempt. */
static uint32_t wait_ms(struct backoff *b, const struct enrol_result *r)
{
    uint32_t random, ms;
    port_entropy((struct span){(uint8_t *)&random, sizeof(random)});
    ms = JOIN_MIN_MS + backoff_next(b, random);
    return r->retry_after_ms > ms && r->retry_after_ms <= 10 * BACKOFF_MAX_MS
               ? r->retry_after_ms
               : ms;
}

/* A sidecar may be there before its relay. */
static int join_detached(struct app *app, const struct enrolment *e,
                         const char *version, struct enrol_result *r)
{
    struct backoff b;
    backoff_init(&b, JOIN_MIN_MS, BACKOFF_MAX_MS);
    for (;;) {
        enrol(e, &app->paths, version, r);
        log_lines(r->status == CMD_OK ? "agent.join" : "agent.join.failed",
                  r->said);
        if (r->status == CMD_OK || !r->again)
            return r->status;
        cmd_nap(wait_ms(&b, r));
    }
}

/* Join with what the environment offers; an exit status. */
static int join(struct app *app, const struct enrolment *e, const char *version,
                bool detached, struct text *why)
{
    static struct enrol_result r;
    if (detached)
        (void)join_detached(app, e, version, &r);
    else
        enrol(e, &app->paths, version, &r);
    if (r.status != CMD_OK)
        text_str(why, r.said);
    else if (!detached)
        cmd_note(r.said);
    return r.status;
}

/* The files, and what to join with where there are none. Read before we leave
 * the folder that we were started in. OK, or a sentence. */
static int prepare(struct app *app, struct enrolment *e, bool *joins,
                   struct text *why)
{
    int err = load(app, why);
    *joins = err == ERR_NOT_FOUND && enrol_is_offered();
    if (!*joins)
        return err;
    text_init(why, why->buf, why->cap);
    return enrol_read(e, NULL, NULL, NULL, why);
}

/* An exit status. */
static int join_and_load(struct app *app, struct enrolment *e,
                         const char *version, bool detached, struct text *why)
{
    int status = join(app, e, version, detached, why);
    enrol_wipe(e);
    if (status != CMD_OK)
        return status;
    return load(app, why) == OK ? CMD_OK : CMD_FAILED;
}

/* ---- doors ------------------------------------------------------------------------ */

/* It lets go of whoever started it before anything can take long. */
static int run_detached(struct app *app, const struct cmd_env *env,
                        struct text *why)
{
    static struct enrolment e;
    bool joins;
    int status = CMD_OK;
    if (prepare(app, &e, &joins, why) != OK || port_daemon() != OK)
        return CMD_FAILED; /* the sidecar has looked, and said why */
    port_daemon_ready(VIEW_NONE, CMD_OK);
    log_init(port_log, port_wall_ms, LOG_INFO);
    if (start_lock(&app->paths, why) != OK || open_log(app, why) != OK)
        return CMD_FAILED;
    if (joins)
        status = join_and_load(app, &e, env->version, true, why);
    if (status == CMD_OK && serve(app, env->version, why) != OK)
        status = CMD_FAILED;
    if (status != CMD_OK)
        log_error("agent.failed", why->buf);
    return status;
}

static int run_here(struct app *app, const struct cmd_env *env,
                    const struct start_how *how, struct text *why)
{
    static struct enrolment e;
    bool joins;
    int err = prepare(app, &e, &joins, why);
    if (err != OK)
        return joins && err == ERR_RANGE ? CMD_USAGE : CMD_FAILED;
    int status =
        joins ? join_and_load(app, &e, env->version, false, why) : CMD_OK;
    if (status != CMD_OK)
        return status;
    if (!how->foreground && port_daemon() != OK) {
        text_str(why, port_why());
        return CMD_FAILED;
    }
    log_init(port_log, port_wall_ms, how->verbose ? LOG_DEBUG : LOG_INFO);
    err = start_lock(&app->paths, why);
    if (err == OK && !how->foreground)
        err = open_log(app, why);
    if (err == OK)
        err = serve(app, env->version, why);
    return err == OK ? CMD_OK : CMD_FAILED;
}

int start_agent(const struct cmd_env *env, const struct start_how *how)
{
    static struct app app;
    char buf[768];
    struct text why;
    int status;
    TEXT_OF(&why, buf);
    if (paths_find(&app.paths, &why) != OK)
        return fail(buf);
    if (how->detached)
        status = run_detached(&app, env, &why);
    else
        status = run_here(&app, env, how, &why);
    identity_wipe(&app.identity);
    if (status != CMD_OK && !how->detached)
        cmd_say(buf, NULL);
    return status;
}
