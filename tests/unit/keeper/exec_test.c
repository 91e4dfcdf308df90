/*
 * Commands on real pipes: streams apart, every byte, the exit status, and how
 * a command ends when it, its operator or its time is over.
 */
#include "core/exec.h"

#include <signal.h>

#include "keeper/keeper.h"
#include "unit/core/stage.h"
#include "unit/port/scratch.h"

#define WINDOW (64 * 1024)
#define BYTES  ((size_t)JOBS_MAX * (WINDOW_BULK + 8192) + 4 * 1024 * 1024)

static struct jobs jobs;

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct operator* o = ctx;
    exec_open(&jobs, &o->far.mux, open, params);
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

static int teardown(void **state)
{
    (void)state;
    stage_all_vanish();
    stage_later(6000); /* whoever ignored TERM is killed now */
    UNTIL(jobs.count == 0);
    stage_later(61000); /* and who rested has rested enough */
    UNTIL(stage_is_childless());
    stage_free();
    return scratch_teardown(state);
}

static void ask_argv(struct operator* o, const char **argv, size_t argc,
                     msg_exec_open *p)
{
    struct msg_strings args = {.list = argv, .count = argc};
    p->argv = msg_strings_out(&args);
    op_asks(o, cmdop_agent_v1_Kind_KIND_EXEC, cmdop_agent_v1_ExecOpen_fields,
            p);
}

static struct operator* run_for(int i, const char *script, uint32_t timeout_ms)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
    struct operator* o = op_arrives(i, WINDOW, on_open);
    p.timeout_ms = timeout_ms;
    ask_argv(o, argv, 3, &p);
    UNTIL(o->accepted);
    return o;
}

static struct operator* run(int i, const char *script)
{
    return run_for(i, script, 0);
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

/* All that will ever be typed. */
static void feed(struct operator* o, struct view all)
{
    o->typed = all;
    o->typed_all = true;
    chan_wake(&o->chan);
    half_settle(&o->near, &o->far);
}

static struct view pattern(size_t len)
{
    static uint8_t bytes[3 * 1024 * 1024];
    static size_t made;
    assert_true(len <= sizeof(bytes));
    for (; made < sizeof(bytes); made++)
        bytes[made] = (uint8_t)(made * 31 + (made >> 9) + 1);
    return view_of(bytes, len);
}

/* ---- the plain case -------------------------------------------------------------------- */

static void streams_are_apart_and_the_status_is_passed(void **state)
{
    (void)state;
    struct operator* o = run(0, "echo out; echo err >&2; exit 7");
    UNTIL(o->closed);
    assert_string_equal(o->seen[0], "out\n");
    assert_string_equal(o->seen[1], "err\n");
    assert_true(o->ended[0] && o->ended[1]);
    assert_exit(o, 7);
}

static void a_signal_that_ended_it_is_told(void **state)
{
    (void)state;
    struct operator* o = run(0, "kill -KILL $$");
    UNTIL(o->closed);
    assert_int_equal(o->close.which_result, cmdop_agent_v1_Close_signal_tag);
    assert_int_equal(o->close.result.signal, 9);
}

static void the_answer_names_machine_and_process(void **state)
{
    msg_exec_accept info = cmdop_agent_v1_ExecAccept_init_zero;
    (void)state;
    struct operator* o = run(0, "echo $$");
    UNTIL(o->closed);
    assert_int_equal(
        msg_decode(view_of(o->accept.params.bytes, o->accept.params.size),
                   cmdop_agent_v1_ExecAccept_fields, &info),
        OK);
    assert_int_equal(info.pid, atoi((const char *)o->seen[0]));
    assert_string_equal(info.machine_id, "the-id");
    assert_true(info.hostname[0] != '\0');
}

static void arguments_arrive_as_they_are(void **state)
{
    const char *argv[] = {"printf", "%s|",   "a b", "",
                          "$HOME",  "'\"\\", "*",   NULL};
    msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
    (void)state;
    struct operator* o = op_arrives(0, WINDOW, on_open);
    ask_argv(o, argv, 7, &p);
    UNTIL(o->closed);
    assert_string_equal(o->seen[0], "a b||$HOME|'\"\\|*|");
}

static void it_starts_where_it_was_told(void **state)
{
    const char *argv[] = {"pwd", NULL};
    msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
    (void)state;
    struct operator* o = op_arrives(0, WINDOW, on_open);
    strcpy(p.cwd, "/usr");
    ask_argv(o, argv, 1, &p);
    UNTIL(o->closed);
    assert_string_equal(o->seen[0], "/usr\n");
    o = op_arrives(0, WINDOW, on_open);
    strcpy(p.cwd, "/no/such/folder");
    ask_argv(o, argv, 1, &p);
    UNTIL(o->rejected);
}

/* ---- much data ----------------------------------------------------------------------------- */

static void megabytes_come_back_unchanged(void **state)
{
    struct view all = pattern(3 * 1024 * 1024);
    (void)state;
    struct operator* o = run(0, "cat");
    feed(o, all);
    UNTIL(o->closed);
    assert_int_equal(o->next[0], all.len);
    assert_memory_equal(o->seen[0], all.ptr, all.len);
    assert_int_equal(o->applied <= all.len, 1);
    assert_exit(o, 0);
}

static void both_outputs_flow_at_once(void **state)
{
    (void)state;
    struct operator* o = run(0, "seq 1 100000 >&2 & seq 100001 200000; wait");
    UNTIL(o->closed);
    assert_int_equal(o->next[0], 100000 * 7);
    assert_int_equal(o->next[1], 588895);
}

/* A reader that takes nothing stops the command, and loses nothing. */
static void a_slow_reader_stops_only_his_own_command(void **state)
{
    (void)state;
    struct operator* o = op_arrives(0, WINDOW, on_open);
    const char *argv[] = {"sh", "-c", "seq 1 300000; echo end >&2", NULL};
    msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
    o->lazy = true;
    ask_argv(o, argv, 3, &p);
    struct operator* b = run(1, "seq 1 50000");
    UNTIL(b->closed);
    stage_rest();
    assert_int_equal(o->next[0], WINDOW);
    assert_int_equal(o->next[1], 0);
    op_wakes_up(o);
    UNTIL(o->closed);
    assert_int_equal(o->next[0], 1988895);
    assert_string_equal(o->seen[1], "end\n");
    assert_int_equal(o->gap, 0);
}

static void input_waits_for_a_command_that_does_not_read(void **state)
{
    (void)state;
    struct operator* o = run(0, "sleep 0.3; wc -c");
    feed(o, pattern(2 * 1024 * 1024));
    stage_rest();
    assert_true(o->applied < 600 * 1024);
    UNTIL(o->closed);
    assert_string_equal(o->seen[0], "2097152\n");
}

static void input_nobody_reads_is_no_fault(void **state)
{
    (void)state;
    struct operator* o = run(0, "exec <&-; echo closed; sleep 0.1; exit 3");
    feed(o, pattern(2 * 1024 * 1024));
    UNTIL(o->closed);
    assert_string_equal(o->seen[0], "closed\n");
    assert_exit(o, 3);
}

static void the_end_of_input_is_passed_on(void **state)
{
    (void)state;
    struct operator* o = run(0, "cat; echo done");
    stage_rest();
    assert_int_equal(o->closed, 0);
    feed(o, VIEW_NONE);
    UNTIL(o->closed);
    assert_string_equal(o->seen[0], "done\n");
}

/* ---- ends -------------------------------------------------------------------------------------- */

static void a_background_child_does_not_hold_the_end_up(void **state)
{
    (void)state;
    struct operator* o = run(0, "sleep 20 & echo $!; exit 5");
    UNTIL(o->closed);
    assert_exit(o, 5);
    int pid = atoi((const char *)o->seen[0]);
    assert_true(port_process_alive(pid)); /* it holds both pipes */
    (void)port_process_end(pid);
}

/* More than a ring of output, and the command long gone. */
static void all_that_was_written_before_the_end_arrives(void **state)
{
    (void)state;
    struct operator* o = op_arrives(0, WINDOW, on_open);
    const char *argv[] = {"sh", "-c", "seq 1 80000; exit 2", NULL};
    msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
    o->lazy = true;
    ask_argv(o, argv, 3, &p);
    UNTIL(job_is_over(&jobs.slots[0]));
    stage_rest();
    assert_int_equal(o->closed, 0);
    op_wakes_up(o);
    UNTIL(o->closed);
    assert_int_equal(o->next[0], 468894);
    assert_exit(o, 2);
}

static void a_signal_reaches_the_command(void **state)
{
    (void)state;
    struct operator* o =
        run(0, "trap 'exit 9' INT; echo READY; while :; do sleep 0.1; done");
    UNTIL(op_saw(o, "READY"));
    op_signals(o, "INT");
    UNTIL(o->closed);
    assert_exit(o, 9);
}

static void a_command_ends_with_its_operator(void **state)
{
    (void)state;
    struct operator* o = run(0, "echo READY; sleep 1000");
    UNTIL(op_saw(o, "READY"));
    op_vanishes(o);
    UNTIL(jobs.count == 0); /* by TERM, without waiting for KILL */
}

static void a_command_that_ignores_the_end_is_killed(void **state)
{
    (void)state;
    struct operator* o =
        run(0, "trap '' TERM; echo READY; while :; do sleep 0.1; done");
    UNTIL(op_saw(o, "READY"));
    op_vanishes(o);
    stage_rest();
    assert_int_equal(jobs.count, 1);
    stage_later(5000);
    UNTIL(jobs.count == 0);
}

static void a_command_that_takes_too_long_is_ended(void **state)
{
    (void)state;
    struct operator* o = run_for(0, "echo before; sleep 1000", 60000);
    UNTIL(op_saw(o, "before"));
    stage_later(59000);
    stage_rest();
    assert_int_equal(o->closed, 0);
    stage_later(1000);
    UNTIL(o->closed);
    assert_int_equal(o->close.which_result, cmdop_agent_v1_Close_failure_tag);
    assert_int_equal(o->close.result.failure.code,
                     cmdop_agent_v1_Code_CODE_TIMEOUT);
    assert_true(o->close.duration_ms >= 60000);
    assert_string_equal(o->seen[0], "before\n");
}

static void an_operator_may_end_his_command(void **state)
{
    const msg_close bye = chan_failure(cmdop_agent_v1_Code_CODE_UNSPECIFIED,
                                       "it is not wanted any more", "");
    (void)state;
    struct operator* o = run(0, "echo READY; sleep 1000");
    UNTIL(op_saw(o, "READY"));
    chan_close(&o->chan, &bye, CHAN_NOW);
    UNTIL(jobs.count == 0);
    assert_int_equal(o->far.mux.count, 0);
}

/* ---- keepers that run one after the other ---------------------------------------------- */

static int keeper_of(const char *script)
{
    char line[128];
    struct text t;
    TEXT_OF(&t, line);
    text_join(&t, script, "; echo $PPID >&2", NULL);
    struct operator* o = run(0, line);
    UNTIL(o->closed);
    UNTIL(jobs.count == 0);
    int pid = atoi((const char *)o->seen[1]);
    assert_true(pid > 1);
    return pid;
}

static void the_next_command_runs_with_the_same_keeper(void **state)
{
    (void)state;
    int first = keeper_of("echo one");
    assert_int_equal(keeper_of("echo two"), first);
    assert_int_equal(keeper_of("true"), first);
}

static void a_keeper_whose_ring_was_filled_gives_the_memory_back(void **state)
{
    (void)state;
    int first = keeper_of("head -c 300000 /dev/zero");
    assert_int_not_equal(keeper_of("echo two"), first);
}

static void a_resting_keeper_that_is_killed_is_not_asked(void **state)
{
    (void)state;
    int first = keeper_of("echo one");
    assert_int_equal(kill(first, SIGKILL), 0);
    UNTIL(jobs.pool.spare[0].row < 0);
    assert_int_not_equal(keeper_of("echo two"), first);
}

/* ---- what cannot be ------------------------------------------------------------------------------ */

static void what_cannot_run_is_refused_with_its_reason(void **state)
{
    static const struct {
        const char *name;
        msg_code code;
    } bad[] = {
        {"no-such-program-anywhere", cmdop_agent_v1_Code_CODE_NO_PROGRAM},
        {"/etc/passwd", cmdop_agent_v1_Code_CODE_CANNOT_RUN},
        {"/usr", cmdop_agent_v1_Code_CODE_CANNOT_RUN},
        {"", cmdop_agent_v1_Code_CODE_NO_PROGRAM},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *argv[] = {bad[i].name, NULL};
        msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
        struct operator* o = op_arrives(0, WINDOW, on_open);
        ask_argv(o, argv, 1, &p);
        UNTIL(o->rejected);
        assert_int_equal(o->reject.code, bad[i].code);
    }
    struct operator* o = op_arrives(0, WINDOW, on_open);
    msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
    ask_argv(o, NULL, 0, &p);
    assert_int_equal(o->rejected, 1);
    assert_int_equal(jobs.count, 0);
}

/* One more command for an operator, on a channel of the test's own. */
static void ask_on(struct operator* o, struct chan *c, const char *script)
{
    uint8_t raw[256];
    const char *argv[] = {"sh", "-c", script, NULL};
    struct msg_strings args = {.list = argv, .count = 3};
    msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
    msg_open open = {.kind = cmdop_agent_v1_Kind_KIND_EXEC};
    p.argv = msg_strings_out(&args);
    int n =
        msg_encode_plain(SPAN_ARRAY(raw), cmdop_agent_v1_ExecOpen_fields, &p);
    struct msg_blob blob = {.data = view_of(raw, (size_t)n)};
    open.params = msg_blob_out(&blob);
    assert_int_equal(chan_open(&o->near.mux, c, &open), OK);
    half_settle(&o->near, &o->far);
}

static void the_machine_runs_only_so_many(void **state)
{
    (void)state;
    /* Each of the operators runs several: the channels are the test's. */
    static struct chan chans[JOBS_MAX];
    for (int i = 0; i < JOBS_MAX; i++) {
        struct operator* o = & op[i % 4];
        if (i < 4)
            (void)op_arrives(i, WINDOW, on_open);
        chan_init(&chans[i], &op_ops, o, 1, WINDOW, true);
        ask_on(o, &chans[i], "exec sleep 1000");
    }
    assert_int_equal(jobs.count, JOBS_MAX);
    const char *argv[] = {"true", NULL};
    msg_exec_open p = cmdop_agent_v1_ExecOpen_init_zero;
    struct operator* late = op_arrives(4, WINDOW, on_open);
    ask_argv(late, argv, 1, &p);
    assert_int_equal(late->reject.code, cmdop_agent_v1_Code_CODE_LIMIT);
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "keeper") == 0)
        return keeper_cmd.run(NULL, argc - 1, argv + 1);
    const struct CMUnitTest tests[] = {
        FACT(streams_are_apart_and_the_status_is_passed),
        FACT(a_signal_that_ended_it_is_told),
        FACT(the_answer_names_machine_and_process),
        FACT(arguments_arrive_as_they_are),
        FACT(it_starts_where_it_was_told),
        FACT(megabytes_come_back_unchanged),
        FACT(both_outputs_flow_at_once),
        FACT(a_slow_reader_stops_only_his_own_command),
        FACT(input_waits_for_a_command_that_does_not_read),
        FACT(input_nobody_reads_is_no_fault),
        FACT(the_end_of_input_is_passed_on),
        FACT(a_background_child_does_not_hold_the_end_up),
        FACT(all_that_was_written_before_the_end_arrives),
        FACT(a_signal_reaches_the_command),
        FACT(a_command_ends_with_its_operator),
        FACT(a_command_that_ignores_the_end_is_killed),
        FACT(a_command_that_takes_too_long_is_ended),
        FACT(an_operator_may_end_his_command),
        FACT(the_next_command_runs_with_the_same_keeper),
        FACT(a_keeper_whose_ring_was_filled_gives_the_memory_back),
        FACT(a_resting_keeper_that_is_killed_is_not_asked),
        FACT(what_cannot_run_is_refused_with_its_reason),
        FACT(the_machine_runs_only_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
