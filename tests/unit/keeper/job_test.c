/*
 * Commands with ids on real pipes: one process for each id, whoever asks how
 * often; what becomes of it when its operator, its agent or its keeper is
 * gone; and how its end is kept.
 */
#include <signal.h>
#include <sys/resource.h>

#include "base/err.h"
#include "core/exec.h"
#include "core/jobfile.h"
#include "core/paths.h"
#include "keeper/keeper.h"
#include "unit/core/stage.h"
#include "unit/port/scratch.h"

#define WINDOW (64 * 1024)
#define BYTES  ((size_t)JOBS_MAX * (JOB_RING + 16384) + 4 * 1024 * 1024)
#define MINUTE 60000

static struct jobs jobs;
static bool starves; /* there are no handles for what keepers say */

static void limit(int what, rlim_t most)
{
    struct rlimit now;
    assert_int_equal(getrlimit(what, &now), 0);
    now.rlim_cur = most;
    assert_int_equal(setrlimit(what, &now), 0);
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct operator* o = ctx;
    exec_open(&jobs, &o->far.mux, open, params);
    if (starves)
        limit(RLIMIT_NOFILE, 3);
}

static void on_lost(const struct mux *m)
{
    jobs_gone(&jobs, m, 0, NULL);
}

static int setup(void **state)
{
    (void)state;
    stage_init(BYTES);
    stage_lost = on_lost;
    assert_int_equal(scratch_setup(state), 0);
    assert_int_equal(jobs_init(&jobs, &arena, &loop, "the-id", "web-1",
                               scratch_path("keepers")),
                     OK);
    stage_has_children();
    return 0;
}

static void end_all(void)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++)
        if (jobs.slots[i].info.id[0] != '\0')
            (void)job_remove(&jobs.slots[i], true);
}

static int teardown(void **state)
{
    stage_all_vanish();
    stage_rest();
    end_all();
    assert_int_equal(jobs.count, 0);
    stage_later(MINUTE + 1000); /* those who rest end */
    UNTIL(stage_is_childless());
    stage_free();
    return scratch_teardown(state);
}

/* ---- asking --------------------------------------------------------------------- */

struct ask {
    const char *id;
    const char *script; /* NULL: the one that is there */
    bool keep, watch, quiet, resume;
    uint64_t from;
    uint32_t timeout_ms;
};

static struct operator* ask(int i, const struct ask *a)
{
    const char *argv[] = {"sh", "-c", a->script, NULL};
    struct msg_strings args = {.list = argv, .count = 3};
    msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
    struct operator* o = op_arrives(i, WINDOW, on_open);
    if (a->script != NULL)
        p.argv = msg_strings_out(&args);
    strcpy(p.id, a->id);
    p.attach = a->script == NULL;
    p.keep = a->keep;
    p.watch = a->watch;
    p.quiet = a->quiet;
    p.resume = a->resume;
    p.out_offset = a->from;
    p.timeout_ms = a->timeout_ms;
    op_asks(o, cmdop_agent_v1_Kind_KIND_EXEC, cmdop_agent_v1_ExecOpen_fields,
            &p);
    UNTIL(o->accepted || o->rejected);
    return o;
}

static struct operator* get(int i, const struct ask *a)
{
    struct operator* o = ask(i, a);
    assert_int_equal(o->accepted, 1);
    return o;
}

static msg_exec_accept info_of(const struct operator* o)
{
    msg_exec_accept p = cmdop_agent_v1_ExecAccept_init_zero;
    assert_int_equal(
        msg_decode(view_of(o->accept.params.bytes, o->accept.params.size),
                   cmdop_agent_v1_ExecAccept_fields, &p),
        OK);
    return p;
}

static void assert_exit(const struct operator* o, uint32_t status)
{
    assert_int_equal(o->closed, 1);
    assert_int_equal(o->close.which_result,
                     cmdop_agent_v1_Close_exit_status_tag);
    assert_int_equal(o->close.result.exit_status, status);
    assert_int_equal(o->near.err, OK);
    assert_int_equal(o->far.err, OK);
}

static void assert_refused(const struct operator* o, msg_code code)
{
    assert_int_equal(o->rejected, 1);
    assert_int_equal(o->reject.code, code);
}

static struct job *job(const char *id)
{
    struct job *t = job_find(&jobs, id);
    assert_non_null(t);
    return t;
}

static int keeper_of(const char *id)
{
    char line[80];
    int pid = 0;
    snprintf(line, sizeof(line), "ps -o ppid= -p %u",
             job(id)->child.hold.block->pid);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    (void)pclose(f);
    return pid;
}

/* ---- one for each id ---------------------------------------------------------------- */

static void who_asks_again_gets_the_same_process(void **state)
{
    const struct ask a = {.id = "one", .script = "echo $$; exec sleep 1000"};
    (void)state;
    struct operator* first = get(0, &a);
    assert_true(info_of(first).created);
    assert_string_equal(info_of(first).id, "one");
    UNTIL(first->next[0] > 0);
    struct operator* second = get(1, &a);
    assert_false(info_of(second).created);
    assert_int_equal(info_of(second).pid, info_of(first).pid);
    UNTIL(second->next[0] == first->next[0]);
    assert_string_equal(second->seen[0], first->seen[0]);
    UNTIL(first->closed); /* the second has it now */
    assert_int_equal(first->close.result.failure.code,
                     cmdop_agent_v1_Code_CODE_CONFLICT);
    assert_int_equal(jobs.count, 1);
}

static void another_command_may_not_have_the_id(void **state)
{
    (void)state;
    (void)get(0, &(struct ask){.id = "one", .script = "sleep 1000"});
    struct operator* o =
        ask(1, &(struct ask){.id = "one", .script = "sleep 1001"});
    assert_refused(o, cmdop_agent_v1_Code_CODE_CONFLICT);
}

static void ids_are_plain_words(void **state)
{
    const char *bad[] = {"a b", "../x", "a/b", "\xc3\xa4", "x\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(ask(0, &(struct ask){.id = bad[i], .script = "true"}),
                       cmdop_agent_v1_Code_CODE_PROTOCOL);
    assert_int_equal(jobs.count, 0);
}

static void nobody_attaches_to_what_is_not_there(void **state)
{
    (void)state;
    assert_refused(ask(0, &(struct ask){.id = "none"}),
                   cmdop_agent_v1_Code_CODE_NOT_FOUND);
}

static void a_kept_id_is_never_used_twice(void **state)
{
    char script[256];
    const struct ask a = {.id = "one", .script = script, .keep = true};
    (void)state;
    snprintf(script, sizeof(script), "cd %s; echo $$ >> ran; wc -l < ran",
             scratch_path("."));
    for (int i = 0; i < 3; i++) {
        struct operator* o = get(i, &a);
        UNTIL(o->closed);
        assert_exit(o, 0);
        assert_string_equal(o->seen[0], "1\n");
        op_vanishes(o);
        stage_later((uint64_t)i * 1000 * MINUTE);
    }
    assert_int_equal(job_remove(job("one"), false), OK);
    struct operator* o = get(0, &a);
    UNTIL(o->closed);
    assert_string_equal(o->seen[0], "2\n");
}

/* ---- lost and found --------------------------------------------------------------------- */

static void who_comes_back_goes_on_where_he_was(void **state)
{
    const char *script = "while read -r x; do echo got-$x; done; exit 4";
    (void)state;
    struct operator* o = get(0, &(struct ask){.id = "one", .script = script});
    op_types(o, "a\nb\n");
    UNTIL(op_saw(o, "got-b\n"));
    uint64_t next = o->next[0];
    op_vanishes(o);
    stage_later(MINUTE / 2);
    o = get(0, &(struct ask){.id = "one", .resume = true, .from = next});
    assert_int_equal(o->accept.in_offset, 4);
    assert_int_equal(o->accept.out_offset, next);
    o->typed_all = true;
    op_types(o, "a\nb\nc\n");
    UNTIL(o->closed);
    assert_string_equal(o->seen[0], "got-c\n");
    assert_exit(o, 4);
}

static void output_waits_for_who_was_lost(void **state)
{
    (void)state;
    struct operator* o =
        get(0, &(struct ask){.id = "one", .script = "seq 1 200000"});
    o->lazy = true;
    UNTIL(o->next[0] >= WINDOW);
    op_vanishes(o);
    stage_rest();
    assert_false(job_is_over(job("one")));
    o = get(0, &(struct ask){.id = "one", .resume = true, .from = 0});
    assert_int_equal(info_of(o).out_gap, 0);
    UNTIL(o->closed);
    assert_int_equal(o->next[0], 1288895);
    assert_int_equal(o->gap, 0);
    assert_exit(o, 0);
}

static void a_plain_command_ends_a_minute_after_its_operator(void **state)
{
    (void)state;
    struct operator* o =
        get(0, &(struct ask){.id = "one", .script = "exec sleep 1000"});
    op_vanishes(o);
    stage_later(MINUTE - 5000);
    stage_rest();
    assert_false(job_is_over(job("one")));
    stage_later(6000);
    UNTIL(job_is_over(job("one")));
    stage_later(JOB_RETURN_MS + 1000);
    UNTIL(jobs.count == 0);
}

static void its_end_waits_for_who_was_lost(void **state)
{
    (void)state;
    struct operator* o =
        get(0, &(struct ask){.id = "one", .script = "read x; exit 5"});
    op_types(o, "x\n");
    op_vanishes(o);
    UNTIL(job_is_over(job("one")));
    stage_rest();
    o = get(0, &(struct ask){.id = "one"});
    UNTIL(o->closed);
    assert_exit(o, 5);
}

/* The link may break just after the end was sent. */
static void an_end_that_was_told_can_be_asked_for_again(void **state)
{
    (void)state;
    struct operator* o =
        get(0, &(struct ask){.id = "one", .script = "echo x; exit 5"});
    UNTIL(o->closed);
    o = get(0, &(struct ask){.id = "one", .resume = true});
    UNTIL(o->closed);
    assert_exit(o, 5);
    assert_string_equal(o->seen[0], "x\n");
    op_vanishes(o);
    stage_later(JOB_RETURN_MS + 1000);
    UNTIL(jobs.count == 0);
}

static const struct ask endless = {.id = "one",
                                   .script = "echo $$; exec sleep 1000"};

static struct operator* ask_unanswered(void)
{
    const char *argv[] = {"sh", "-c", endless.script, NULL};
    struct msg_strings args = {.list = argv, .count = 3};
    msg_exec_open p = {.id = "one"};
    struct operator* o = op_arrives(0, WINDOW, on_open);
    p.argv = msg_strings_out(&args);
    op_asks(o, cmdop_agent_v1_Kind_KIND_EXEC, cmdop_agent_v1_ExecOpen_fields,
            &p);
    assert_int_equal(o->accepted, 0);
    return o;
}

static void what_was_not_answered_goes_on_when_the_link_breaks(void **state)
{
    (void)state;
    op_vanishes(ask_unanswered());
    UNTIL(job("one")->child.ready);
    struct operator* o = get(0, &endless);
    assert_false(info_of(o).created);
    assert_int_equal(jobs.count, 1);
}

/* The link that breaks may be the one behind the relay. */
static void what_the_relay_gave_up_goes_on(msg_code code)
{
    msg_close end = chan_failure(code, "he is gone", "");
    struct operator* o = ask_unanswered();
    jobs_gone(&jobs, &o->far.mux, job("one")->asker.channel, &end);
    UNTIL(job("one")->child.ready);
    o = get(1, &endless);
    assert_false(info_of(o).created);
    assert_int_equal(jobs.count, 1);
}

static void what_was_not_answered_goes_on_when_its_asker_is_lost(void **state)
{
    (void)state;
    what_the_relay_gave_up_goes_on(cmdop_agent_v1_Code_CODE_LOST);
}

static void what_was_not_answered_in_time_goes_on(void **state)
{
    (void)state;
    what_the_relay_gave_up_goes_on(cmdop_agent_v1_Code_CODE_TIMEOUT);
}

static void
what_is_unwanted_before_it_is_answered_ends_and_is_known(void **state)
{
    msg_close end =
        chan_failure(cmdop_agent_v1_Code_CODE_UNSPECIFIED, "not wanted", "");
    (void)state;
    struct operator* o = ask_unanswered();
    jobs_gone(&jobs, &o->far.mux, job("one")->asker.channel, &end);
    UNTIL(job_is_over(job("one")));
    o = get(1, &endless);
    UNTIL(o->closed);
    assert_false(info_of(o).created);
    assert_int_equal(o->close.which_result, cmdop_agent_v1_Close_signal_tag);
    assert_int_equal(o->close.result.signal, SIGTERM);
}

/* ---- left ------------------------------------------------------------------------------- */

static void a_command_that_was_left_runs_free_and_its_end_is_kept(void **state)
{
    (void)state;
    struct operator* o =
        get(0, &(struct ask){.id = "one",
                             .script = "read x; seq 1 200000; exit 6"});
    op_types(o, "x\n");
    op_leaves(o);
    assert_true(job("one")->info.keep);
    UNTIL(job_is_over(job("one")));
    stage_later(1000 * MINUTE);
    o = get(0, &(struct ask){.id = "one"});
    assert_int_equal(info_of(o).out_gap, 1288895 - JOB_RING);
    UNTIL(o->closed);
    assert_exit(o, 6);
    assert_int_equal(o->next[0], 1288895);
    assert_true(op_saw(o, "\n200000\n"));
}

static void a_kept_end_is_forgotten_after_a_week(void **state)
{
    msg_job_info info;
    char place[HOLD_ID_CAP];
    (void)state;
    struct operator* o =
        get(0, &(struct ask){.id = "one", .script = "exit 6", .keep = true});
    UNTIL(o->closed);
    strcpy(place, job("one")->place);
    assert_int_equal(jobfile_read(jobs.folder, place, &info), OK);
    assert_int_equal(info.status, 6);
    op_vanishes(o);
    stage_later(JOB_KEEP_MS + 1000);
    UNTIL(jobs.count == 0);
    assert_int_equal(jobfile_read(jobs.folder, place, &info), ERR_NOT_FOUND);
}

static void a_running_one_is_removed_by_force_only(void **state)
{
    (void)state;
    struct operator* o = get(
        0, &(struct ask){.id = "one", .script = "exec sleep 1000", .keep = 1});
    assert_int_equal(job_remove(job("one"), true), ERR_BUSY);
    op_leaves(o);
    assert_int_equal(job_remove(job("one"), false), ERR_BUSY);
    int keeper = keeper_of("one");
    assert_int_equal(job_remove(job("one"), true), OK);
    UNTIL(kill(keeper, 0) != 0);
}

static void a_time_out_ends_it_without_anybody(void **state)
{
    (void)state;
    struct operator* o = get(0, &(struct ask){.id = "one",
                                              .script = "exec sleep 1000",
                                              .keep = true,
                                              .timeout_ms = 5 * MINUTE});
    op_leaves(o);
    stage_later(6 * MINUTE);
    UNTIL(job_is_over(job("one")));
    o = get(0, &(struct ask){.id = "one"});
    UNTIL(o->closed);
    assert_int_equal(o->close.result.failure.code,
                     cmdop_agent_v1_Code_CODE_TIMEOUT);
}

/* ---- watching ------------------------------------------------------------------------------ */

static void watchers_see_all_and_hold_nothing_up(void **state)
{
    (void)state;
    struct operator* o =
        get(0, &(struct ask){.id = "one", .script = "read x; seq 1 200000"});
    struct operator* lazy = get(1, &(struct ask){.id = "one", .watch = true});
    struct operator* keen = get(2, &(struct ask){.id = "one", .watch = true});
    lazy->lazy = true;
    op_types(o, "x\n");
    UNTIL(o->closed && keen->closed);
    assert_int_equal(o->next[0], 1288895);
    assert_int_equal(o->gap, 0);
    assert_int_equal(keen->next[0], 1288895);
    assert_false(lazy->closed);
    op_wakes_up(lazy);
    UNTIL(lazy->closed);
    assert_int_equal(lazy->next[0], 1288895);
    assert_true(lazy->gap > 0);
}

static void a_watcher_cannot_feed_or_end_it(void **state)
{
    msg_close end = chan_failure(cmdop_agent_v1_Code_CODE_UNSPECIFIED, "", "");
    (void)state;
    struct operator* o = get(
        0, &(struct ask){.id = "one", .script = "read x; echo got-$x; exit 3"});
    struct operator* w = get(1, &(struct ask){.id = "one", .watch = true});
    op_signals(w, "KILL");
    op_types(w, "no\n"); /* it has no credit: nothing goes out */
    chan_close(&w->chan, &end, CHAN_NOW);
    stage_rest();
    op_types(o, "yes\n");
    UNTIL(o->closed);
    assert_string_equal(o->seen[0], "got-yes\n");
    assert_exit(o, 3);
}

static void who_only_waits_hears_the_end(void **state)
{
    (void)state;
    struct operator* o =
        get(0, &(struct ask){.id = "one", .script = "echo x; read x; exit 3"});
    struct operator* w =
        get(1, &(struct ask){.id = "one", .watch = true, .quiet = true});
    op_types(o, "x\n");
    UNTIL(o->closed && w->closed);
    assert_exit(w, 3);
    assert_int_equal(w->next[0], 0);
}

/* ---- agents come and go ----------------------------------------------------------------------- */

static void drop_rows(struct job *t)
{
    for (int i = 0; i < CHAN_STREAMS; i++)
        if (t->out_row[i] >= 0)
            loop_remove(&loop, t->out_row[i]);
    if (t->in_row >= 0)
        loop_remove(&loop, t->in_row);
    if (t->child.row >= 0)
        loop_remove(&loop, t->child.row);
    loop_timer_remove(&loop, t->deadline);
    loop_timer_remove(&loop, t->patience);
}

/* All that an agent has is gone. */
static void agent_dies(void)
{
    stage_lost = NULL; /* it does not notice */
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        struct job *t = &jobs.slots[i];
        if (t->info.id[0] == '\0')
            continue;
        for (struct viewer *v = t->viewers; v != NULL; v = v->next)
            v->job = NULL;
        drop_rows(t);
        hold_drop(&t->child.hold);
        memset(t, 0, sizeof(*t));
    }
    for (int i = 0; i < OPERATORS; i++)
        op[i].near.peer = NULL;
    jobs.count = 0;
    stage_lost = on_lost;
}

static void another_agent(void)
{
    agent_dies();
    jobs_adopt(&jobs);
    UNTIL(!jobs_adopting(&jobs));
}

static void a_command_outlives_its_agent(void **state)
{
    const char *script = "while read -r x; do echo got-$x; done; exit 4";
    (void)state;
    struct operator* o = get(0, &(struct ask){.id = "one", .script = script});
    op_types(o, "a\nb\n");
    UNTIL(op_saw(o, "got-b\n"));
    uint64_t next = o->next[0];
    another_agent();
    o = get(0, &(struct ask){.id = "one", .resume = true, .from = next});
    assert_int_equal(o->accept.in_offset, 4);
    o->typed_all = true;
    op_types(o, "a\nb\nc\n");
    UNTIL(o->closed);
    assert_string_equal(o->seen[0], "got-c\n");
    assert_exit(o, 4);
}

static void one_that_is_not_found_again_yet_has_its_id(void **state)
{
    const struct ask a = {
        .id = "one", .script = "exec sleep 1000", .keep = true};
    (void)state;
    get(0, &a);
    agent_dies();
    jobs.finder.missed = true;
    assert_refused(ask(0, &a), cmdop_agent_v1_Code_CODE_TIMEOUT);
    another_agent();
    assert_false(info_of(get(0, &a)).created);
}

static void one_whose_keeper_hangs_has_its_id(void **state)
{
    const struct ask a = {
        .id = "one", .script = "exec sleep 1000", .keep = true};
    (void)state;
    get(0, &a);
    int keeper = keeper_of("one");
    assert_int_equal(kill(keeper, SIGSTOP), 0);
    agent_dies();
    jobs_adopt(&jobs);
    assert_refused(ask(0, &a), cmdop_agent_v1_Code_CODE_TIMEOUT);
    assert_refused(ask(1, &(struct ask){.id = "one"}),
                   cmdop_agent_v1_Code_CODE_TIMEOUT);
    assert_int_equal(kill(keeper, SIGCONT), 0);
    UNTIL(!jobs_adopting(&jobs));
    assert_false(info_of(get(0, &a)).created);
}

/* It runs, and its agent has no room to take that in. */
static void one_that_was_not_heard_has_its_id(void **state)
{
    const struct ask a = {
        .id = "one", .script = "exec sleep 1000", .keep = true};
    struct rlimit before;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    starves = true;
    assert_refused(ask(0, &a), cmdop_agent_v1_Code_CODE_TIMEOUT);
    starves = false;
    limit(RLIMIT_NOFILE, before.rlim_cur);
    stage_later(MINUTE);
    UNTIL(!jobs_unfound(&jobs));
    assert_false(info_of(get(0, &a)).created);
}

static void output_waits_while_there_is_no_agent(void **state)
{
    (void)state;
    struct operator* o =
        get(0, &(struct ask){.id = "one", .script = "seq 1 200000"});
    o->lazy = true;
    UNTIL(o->next[0] >= WINDOW);
    another_agent();
    stage_rest();
    another_agent();
    o = get(0, &(struct ask){.id = "one", .resume = true, .from = 0});
    UNTIL(o->closed);
    assert_int_equal(o->next[0], 1288895);
    assert_int_equal(o->gap + info_of(o).out_gap, 0);
    assert_exit(o, 0);
}

static void nobody_comes_for_it_after_a_new_agent(void **state)
{
    (void)state;
    (void)get(0, &(struct ask){.id = "one", .script = "exec sleep 1000"});
    (void)get(1, &(struct ask){
                     .id = "two", .script = "exec sleep 1000", .keep = true});
    another_agent();
    assert_int_equal(jobs_live(&jobs), 2);
    stage_later(MINUTE + 1000);
    UNTIL(job_is_over(job("one")));
    assert_false(job_is_over(job("two")));
}

static void an_end_between_two_agents_is_kept(void **state)
{
    (void)state;
    struct operator* o = get(
        0, &(struct ask){.id = "one", .script = "read x; exit 9", .keep = 1});
    op_types(o, "x\n");
    another_agent();
    UNTIL(job_is_over(job("one")));
    another_agent();
    o = get(0, &(struct ask){.id = "one"});
    UNTIL(o->closed);
    assert_exit(o, 9);
}

/* It runs on while there is none, too. */
static void a_time_out_outlives_the_agent(void **state)
{
    (void)state;
    (void)get(0, &(struct ask){.id = "one",
                               .script = "exec sleep 1000",
                               .keep = true,
                               .timeout_ms = 5 * MINUTE});
    for (int i = 0; i < 2; i++) {
        agent_dies();
        stage_later(2 * MINUTE);
        another_agent();
        stage_rest();
        assert_false(job_is_over(job("one")));
    }
    agent_dies();
    stage_later(2 * MINUTE);
    another_agent();
    UNTIL(job_is_over(job("one")));
    struct operator* o = get(0, &(struct ask){.id = "one"});
    UNTIL(o->closed);
    assert_int_equal(o->close.result.failure.code,
                     cmdop_agent_v1_Code_CODE_TIMEOUT);
}

/* ---- what nobody can know ------------------------------------------------------------------------ */

static void assert_lost(const struct operator* o)
{
    assert_int_equal(o->close.which_result, cmdop_agent_v1_Close_failure_tag);
    assert_int_equal(o->close.result.failure.code,
                     cmdop_agent_v1_Code_CODE_INTERNAL);
}

static void a_killed_keeper_is_a_lost_command_for_ever(void **state)
{
    const struct ask a = {
        .id = "one", .script = "exec sleep 1000", .keep = true};
    (void)state;
    struct operator* o = get(0, &a);
    uint32_t child = job("one")->child.hold.block->pid;
    assert_int_equal(kill(keeper_of("one"), SIGKILL), 0);
    UNTIL(o->closed);
    assert_lost(o);
    another_agent();
    o = get(0, &a);
    UNTIL(o->closed);
    assert_lost(o);
    assert_int_equal(jobs.count, 1);
    (void)kill((int)child, SIGKILL);
}

static void a_keeper_killed_between_two_agents_is_noticed(void **state)
{
    const struct ask a = {
        .id = "one", .script = "exec sleep 1000", .keep = true};
    (void)state;
    (void)get(0, &a);
    int keeper = keeper_of("one");
    uint32_t child = job("one")->child.hold.block->pid;
    agent_dies();
    assert_int_equal(kill(keeper, SIGKILL), 0);
    UNTIL(kill(keeper, 0) != 0);
    another_agent();
    struct operator* o = get(0, &a);
    UNTIL(o->closed);
    assert_lost(o);
    (void)kill((int)child, SIGKILL);
}

enum left { NEVER_STARTED, RAN, ENDED };

static void rewrite(const char *place, const char *boot, enum left how)
{
    msg_job_info info;
    char path[PATH_CAP];
    assert_int_equal(jobfile_read(jobs.folder, place, &info), OK);
    strcpy(info.boot, boot);
    assert_true(info.pid != 0);
    if (how != ENDED)
        info.state = cmdop_agent_v1_JobState_JOB_STATE_RUNNING;
    if (how == NEVER_STARTED)
        info.pid = 0;
    assert_int_equal(jobfile_write(jobs.folder, place, &info), OK);
    assert_int_equal(paths_join(path, jobs.folder, place), OK);
    (void)port_keep_remove(path);
}

/* As a restart leaves it: a file, and nobody behind it. */
static void restart_machine(const char *boot, enum left how)
{
    const struct ask a = {
        .id = "one", .script = "read x; echo x; exit 5", .keep = true};
    char place[HOLD_ID_CAP];
    struct operator* o = get(0, &a);
    strcpy(place, job("one")->place);
    int keeper = keeper_of("one");
    op_types(o, "x\n");
    UNTIL(o->closed);
    agent_dies();
    assert_int_equal(kill(keeper, SIGKILL), 0);
    UNTIL(kill(keeper, 0) != 0);
    rewrite(place, boot, how);
    another_agent();
}

static void an_end_outlives_the_machine(void **state)
{
    (void)state;
    restart_machine("another boot", ENDED);
    struct operator* o = get(0, &(struct ask){.id = "one"});
    UNTIL(o->closed);
    assert_exit(o, 5);
    assert_int_equal(info_of(o).out_gap, 2); /* its output does not */
}

static void what_ran_when_the_machine_restarted_is_lost(void **state)
{
    (void)state;
    restart_machine("another boot", RAN);
    struct operator* o = get(0, &(struct ask){.id = "one"});
    UNTIL(o->closed);
    assert_lost(o);
}

/* The file was written, and then the agent was killed. */
static void what_was_never_started_may_be_started(void **state)
{
    (void)state;
    restart_machine(jobs.boot, NEVER_STARTED);
    assert_int_equal(jobs.count, 0);
    struct operator* o =
        get(0, &(struct ask){.id = "one", .script = "exit 7", .keep = true});
    UNTIL(o->closed);
    assert_exit(o, 7);
}

/* And then its keeper was killed; and the disk is full. */
static void what_may_have_run_is_lost_though_nobody_can_write_it(void **state)
{
    const struct ask a = {
        .id = "one", .script = "exec sleep 1000", .keep = true};
    msg_job_info info;
    char place[HOLD_ID_CAP];
    (void)state;
    uint32_t child = info_of(get(0, &a)).pid;
    strcpy(place, job("one")->place);
    int keeper = keeper_of("one");
    agent_dies();
    assert_int_equal(kill(keeper, SIGKILL), 0);
    UNTIL(kill(keeper, 0) != 0);
    assert_int_equal(jobfile_read(jobs.folder, place, &info), OK);
    info.pid = 0;
    assert_int_equal(jobfile_write(jobs.folder, place, &info), OK);
    signal(SIGXFSZ, SIG_IGN);
    limit(RLIMIT_FSIZE, 0);
    another_agent();
    limit(RLIMIT_FSIZE, RLIM_INFINITY);
    for (int i = 0; i < 2; i++) {
        struct operator* o = get(0, &a);
        UNTIL(o->closed);
        assert_lost(o);
        another_agent();
    }
    (void)kill((int)child, SIGKILL);
}

/* Its keeper was told to end while there was no agent. */
static void what_ran_and_has_no_keeper_is_lost(void **state)
{
    (void)state;
    restart_machine(jobs.boot, RAN);
    struct operator* o = get(
        0, &(struct ask){
               .id = "one", .script = "read x; echo x; exit 5", .keep = true});
    UNTIL(o->closed);
    assert_lost(o);
}

/* It is noted as soon as it runs, and by the next agent if need be. */
static void that_it_ran_is_in_its_file(void **state)
{
    const struct ask a = {
        .id = "one", .script = "exec sleep 1000", .keep = true};
    msg_job_info info;
    char place[HOLD_ID_CAP];
    (void)state;
    uint32_t pid = info_of(get(0, &a)).pid;
    strcpy(place, job("one")->place);
    assert_int_equal(jobfile_read(jobs.folder, place, &info), OK);
    assert_int_equal(info.pid, pid);
    info.pid = 0;
    assert_int_equal(jobfile_write(jobs.folder, place, &info), OK);
    another_agent();
    assert_int_equal(jobfile_read(jobs.folder, place, &info), OK);
    assert_int_equal(info.pid, pid);
}

static void a_keeper_obeys_a_newer_agent(void **state)
{
    const struct hold_message m = {
        .op = HOLD_SIGNAL, .version = HOLD_VERSION + 1, .text = "TERM"};
    (void)state;
    struct operator* o =
        get(0, &(struct ask){.id = "one", .script = "exec sleep 1000"});
    assert_int_equal(
        port_send(job("one")->child.hold.conn, view_of(&m, sizeof(m))),
        sizeof(m));
    UNTIL(o->closed);
    assert_int_equal(o->close.which_result, cmdop_agent_v1_Close_signal_tag);
}

/* A second agent has started it meanwhile. */
static void two_agents_start_one_process(void **state)
{
    const struct ask a = {.id = "one", .script = "exec sleep 1000"};
    (void)state;
    struct operator* o = get(0, &a);
    uint32_t pid = info_of(o).pid;
    agent_dies();
    o = get(0, &a); /* without having looked around */
    assert_int_equal(info_of(o).pid, pid);
    assert_false(info_of(o).created);
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "keeper") == 0)
        return keeper_cmd.run(NULL, argc - 1, argv + 1);
    const struct CMUnitTest tests[] = {
        FACT(who_asks_again_gets_the_same_process),
        FACT(another_command_may_not_have_the_id),
        FACT(ids_are_plain_words),
        FACT(nobody_attaches_to_what_is_not_there),
        FACT(a_kept_id_is_never_used_twice),
        FACT(who_comes_back_goes_on_where_he_was),
        FACT(output_waits_for_who_was_lost),
        FACT(a_plain_command_ends_a_minute_after_its_operator),
        FACT(its_end_waits_for_who_was_lost),
        FACT(an_end_that_was_told_can_be_asked_for_again),
        FACT(what_was_not_answered_goes_on_when_the_link_breaks),
        FACT(what_was_not_answered_goes_on_when_its_asker_is_lost),
        FACT(what_was_not_answered_in_time_goes_on),
        FACT(what_is_unwanted_before_it_is_answered_ends_and_is_known),
        FACT(a_command_that_was_left_runs_free_and_its_end_is_kept),
        FACT(a_kept_end_is_forgotten_after_a_week),
        FACT(a_running_one_is_removed_by_force_only),
        FACT(a_time_out_ends_it_without_anybody),
        FACT(watchers_see_all_and_hold_nothing_up),
        FACT(a_watcher_cannot_feed_or_end_it),
        FACT(who_only_waits_hears_the_end),
        FACT(a_command_outlives_its_agent),
        FACT(one_that_is_not_found_again_yet_has_its_id),
        FACT(one_whose_keeper_hangs_has_its_id),
        FACT(one_that_was_not_heard_has_its_id),
        FACT(output_waits_while_there_is_no_agent),
        FACT(nobody_comes_for_it_after_a_new_agent),
        FACT(an_end_between_two_agents_is_kept),
        FACT(a_time_out_outlives_the_agent),
        FACT(a_killed_keeper_is_a_lost_command_for_ever),
        FACT(a_keeper_killed_between_two_agents_is_noticed),
        FACT(an_end_outlives_the_machine),
        FACT(what_ran_when_the_machine_restarted_is_lost),
        FACT(what_was_never_started_may_be_started),
        FACT(what_may_have_run_is_lost_though_nobody_can_write_it),
        FACT(what_ran_and_has_no_keeper_is_lost),
        FACT(that_it_ran_is_in_its_file),
        FACT(a_keeper_obeys_a_newer_agent),
        FACT(two_agents_start_one_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
