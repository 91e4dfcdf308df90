/*
 * Shells on real terminals and their operators: who sees what, who may type,
 * what a slow one costs the others, and how a shell ends.
 */
#include "core/pty.h"

#include "keeper/keeper.h"
#include "unit/core/stage.h"
#include "unit/port/scratch.h"

#define WINDOW (256 * 1024)
#define BYTES \
    ((size_t)SESSIONS_MAX * (sizeof(struct session) + 64 * 1024) + 1024 * 1024)
/* A terminal that passes bytes as they are, and says when it is ready. */
#define RAW "stty raw -echo -opost; printf READY; "

static struct sessions sessions;

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct operator* o = ctx;
    session_open(&sessions, &o->far.mux, open, params);
}

static void on_lost(const struct mux *m)
{
    sessions_gone(&sessions, m, 0);
}

static int setup(void **state)
{
    (void)state;
    stage_init(BYTES);
    stage_lost = on_lost;
    assert_int_equal(scratch_setup(state), 0);
    assert_int_equal(sessions_init(&sessions, &arena, &loop, "web-1",
                                   scratch_path("keepers")),
                     OK);
    stage_has_children();
    return 0;
}

static struct ring *ring_of(const struct session *t)
{
    return (struct ring *)&t->child.hold.ring[0];
}

/* Every shell that a test left behind ends here. */
static int teardown(void **state)
{
    (void)state;
    stage_all_vanish();
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *t = &sessions.slots[i];
        if (t->id[0] == '\0')
            continue;
        if (t->row >= 0)
            loop_remove(&loop, t->row);
        held_release(&t->child, NULL);
    }
    UNTIL(stage_is_childless());
    stage_free();
    return scratch_teardown(state);
}

/* ---- asking for a session ----------------------------------------------------------- */

struct ask {
    const char *script; /* NULL: an existing session */
    const char *session;
    const char *name;
    const char *term;
    const char *env;
    const char *key; /* of the attachment: 16 characters */
    bool last, observe, resume;
    uint64_t offset;
    uint32_t rows, cols;
};

static void ask(struct operator* o, const struct ask *w)
{
    const char *argv[] = {"sh", "-c", w->script, NULL};
    const char *env[] = {w->env, NULL};
    struct msg_strings args = {.list = argv, .count = 3};
    struct msg_strings vars = {.list = env, .count = 1};
    msg_pty_open p = cmdop_agent_v1_PtyOpen_init_zero;
    if (w->script != NULL)
        p.argv = msg_strings_out(&args);
    if (w->env != NULL)
        p.env = msg_strings_out(&vars);
    if (w->session != NULL)
        strcpy(p.session_id, w->session);
    if (w->name != NULL)
        strcpy(p.name, w->name);
    if (w->key != NULL) {
        p.attachment.size = (pb_size_t)strlen(w->key);
        memcpy(p.attachment.bytes, w->key, p.attachment.size);
    }
    strcpy(p.term, w->term != NULL ? w->term : "xterm");
    p.last = w->last;
    p.observe = w->observe;
    p.resume = w->resume;
    p.out_offset = w->offset;
    p.rows = w->rows;
    p.cols = w->cols;
    op_asks(o, cmdop_agent_v1_Kind_KIND_PTY, cmdop_agent_v1_PtyOpen_fields, &p);
}

static struct operator* arrive(int i, const struct ask *w)
{
    struct operator* o = op_arrives(i, WINDOW, on_open);
    ask(o, w);
    UNTIL(o->accepted + o->rejected > 0);
    return o;
}

static struct operator* run(int i, const char *script)
{
    struct operator* o = arrive(i, &(struct ask){.script = script});
    assert_int_equal(o->accepted, 1);
    return o;
}

static msg_pty_accept info_of(const struct operator* o)
{
    msg_pty_accept p = cmdop_agent_v1_PtyAccept_init_zero;
    assert_int_equal(
        msg_decode(view_of(o->accept.params.bytes, o->accept.params.size),
                   cmdop_agent_v1_PtyAccept_fields, &p),
        OK);
    return p;
}

/* Operator i joins the session that `first` made. */
static struct operator* join(int i, const struct operator* first, bool observe)
{
    msg_pty_accept p = info_of(first);
    struct operator* o =
        arrive(i, &(struct ask){.session = p.session_id, .observe = observe});
    assert_int_equal(o->accepted, 1);
    return o;
}

static void assert_exit(const struct operator* o, uint32_t status)
{
    assert_int_equal(o->closed, 1);
    assert_int_equal(o->close.which_result,
                     cmdop_agent_v1_Close_exit_status_tag);
    assert_int_equal(o->close.result.exit_status, status);
}

/* ---- one operator -------------------------------------------------------------------- */

static void output_and_exit_status_arrive(void **state)
{
    (void)state;
    struct operator* o = run(0, "printf one; exit 3");
    UNTIL(o->closed);
    assert_string_equal(o->seen[0], "one");
    assert_true(o->ended[0]);
    assert_exit(o, 3);
    assert_int_equal(sessions_live(&sessions), 0);
}

static void a_signal_that_ended_it_is_told(void **state)
{
    (void)state;
    struct operator* o = run(0, "kill -TERM $$");
    UNTIL(o->closed);
    assert_int_equal(o->close.which_result, cmdop_agent_v1_Close_signal_tag);
    assert_int_equal(o->close.result.signal, 15);
}

static void what_is_typed_reaches_the_shell(void **state)
{
    (void)state;
    struct operator* o = run(0, RAW "head -c 5; exit 0");
    UNTIL(op_saw(o, "READY"));
    op_types(o, "hello and more");
    UNTIL(o->closed);
    assert_string_equal(o->seen[0], "READYhello");
}

static void the_child_knows_who_started_it(void **state)
{
    (void)state;
    struct operator* o =
        arrive(0, &(struct ask){.script = "echo $TERM/$CMDOP_MACHINE/"
                                          "$CMDOP_OPERATOR/$LC_X/$LD_X; "
                                          "echo $CMDOP_SESSION",
                                .term = "screen-256color",
                                .env = "LC_X=yes"});
    UNTIL(o->closed);
    assert_true(op_saw(o, "screen-256color/web-1/ada/yes/\r\n"));
    assert_true(op_saw(o, info_of(o).session_id));
    o = arrive(0, &(struct ask){.script = "echo $TERM/$LD_X/",
                                .term = "x;rm -rf",
                                .env = "LD_X=no"});
    UNTIL(o->closed);
    assert_string_equal(o->seen[0], "xterm//\r\n");
}

static void the_window_size_is_set_and_follows(void **state)
{
    msg_event e = {.which_what = cmdop_agent_v1_Event_resize_tag,
                   .what.resize = {50, 132}};
    (void)state;
    struct operator* o = arrive(
        0, &(struct ask){.script = RAW "stty size; head -c 1 >/dev/null; "
                                       "stty size",
                         .rows = 30,
                         .cols = 90});
    UNTIL(op_saw(o, "30 90\n"));
    op_sends(o, &e);
    e.what.resize.rows = 0; /* nonsense is not passed on */
    op_sends(o, &e);
    e.what.resize.rows = 70000;
    op_sends(o, &e);
    op_types(o, "x");
    UNTIL(o->closed);
    assert_true(op_saw(o, "50 132\n"));
}

static void a_signal_reaches_the_program(void **state)
{
    (void)state;
    struct operator* o =
        run(0, "trap 'echo got; exit 9' INT; echo READY; while :; do sleep "
               "0.1; done");
    UNTIL(op_saw(o, "READY"));
    op_signals(o, "NOSUCH");
    op_signals(o, "INT");
    UNTIL(o->closed);
    assert_true(op_saw(o, "got"));
    assert_exit(o, 9);
}

static void a_paste_waits_until_the_shell_reads(void **state)
{
    static char paste[100001];
    (void)state;
    memset(paste, 'p', sizeof(paste) - 1);
    struct operator* o = run(0, RAW "head -c 1 >/dev/null; printf GO; "
                                    "head -c 99999 | wc -c");
    UNTIL(op_saw(o, "READY"));
    op_types(o, paste);
    UNTIL(o->closed);
    assert_true(op_saw(o, "GO"));
    assert_true(op_saw(o, "99999"));
    assert_int_equal(o->near.err, OK);
    assert_int_equal(o->far.err, OK);
}

static void typing_into_a_deaf_shell_is_bounded(void **state)
{
    static char paste[100001];
    (void)state;
    memset(paste, 'p', sizeof(paste) - 1);
    struct operator* o = run(0, RAW "sleep 1000");
    UNTIL(op_saw(o, "READY"));
    op_types(o, paste);
    stage_rest();
    assert_true(o->chan.tx[0].next < 64 * 1024); /* the rest waits here */
    assert_true(o->applied < 32 * 1024);
    assert_int_equal(o->far.err, OK);
}

/* ---- typed once ------------------------------------------------------------------------ */

#define KEY       "0123456789abcdef"
#define OTHER_KEY "0123456789abcdeF"

static struct operator*
    return_as(int i, const struct operator* first, const char *key)
{
    msg_pty_accept p = info_of(first);
    return arrive(i, &(struct ask){.session = p.session_id, .key = key});
}

static void an_echo_takes_the_acknowledgement_along(void **state)
{
    (void)state;
    struct operator* o =
        arrive(0, &(struct ask){.script = "stty raw; printf READY; sleep 9"});
    UNTIL(op_saw(o, "READY"));
    op_types(o, "abc");
    assert_int_equal(o->applied, 0); /* no packet of its own */
    UNTIL(op_saw(o, "READYabc"));
    assert_int_equal(o->applied, 3);
}

static void what_has_no_echo_is_acknowledged_soon(void **state)
{
    (void)state;
    struct operator* o = run(0, RAW "sleep 9");
    UNTIL(op_saw(o, "READY"));
    op_types(o, "abc");
    stage_later(100);
    assert_int_equal(o->applied, 0);
    stage_later(100);
    assert_int_equal(o->applied, 3);
}

static void an_attachment_that_returns_is_told_where_it_was(void **state)
{
    (void)state;
    struct operator* o =
        arrive(0, &(struct ask){.script = RAW "cat", .key = KEY});
    assert_false(info_of(o).known);
    assert_int_equal(o->accept.in_offset, 0);
    UNTIL(op_saw(o, "READY"));
    op_types(o, "hello");
    op_vanishes(o); /* before it was acknowledged */
    struct operator* p = return_as(1, o, KEY);
    assert_true(info_of(p).known);
    assert_int_equal(p->accept.in_offset, 5);
    op_types(p, "hello world");
    UNTIL(op_saw(p, "hello world"));
    op_vanishes(p);
    struct operator* q = return_as(2, o, OTHER_KEY);
    assert_false(info_of(q).known);
    assert_int_equal(q->accept.in_offset, 0);
}

/* Sixteen others came and went while it was silent. */
static void whoever_stayed_goes_on_where_he_was(void **state)
{
    char key[17] = OTHER_KEY;
    (void)state;
    struct operator* o =
        arrive(0, &(struct ask){.script = RAW "cat", .key = KEY});
    UNTIL(op_saw(o, "READY"));
    op_types(o, "one");
    for (int i = 1; i <= 16; i++) {
        key[0] = (char)('a' + i);
        op_vanishes(return_as(i, o, key));
    }
    op_types(o, "one, two");
    UNTIL(op_saw(o, "one, two"));
    op_vanishes(o);
    struct operator* p = return_as(17, o, KEY);
    assert_true(info_of(p).known);
    assert_int_equal(p->accept.in_offset, 8);
}

static void an_attachment_that_returns_ends_its_old_channel(void **state)
{
    (void)state;
    struct operator* o =
        arrive(0, &(struct ask){.script = RAW "cat", .key = KEY});
    UNTIL(op_saw(o, "READY"));
    op_types(o, "one");
    struct operator* p = return_as(1, o, KEY);
    assert_int_equal(info_of(p).operators, 1);
    assert_int_equal(p->accept.in_offset, 3);
    o->typed = view_str("one and more"); /* was under way all the time */
    chan_wake(&o->chan);
    half_settle(&o->near, &o->far);
    UNTIL(o->closed);
    assert_int_equal(o->close.result.failure.code,
                     cmdop_agent_v1_Code_CODE_CONFLICT);
    op_types(p, "one, two");
    UNTIL(op_saw(p, "one, two"));
    stage_rest();
    assert_false(op_saw(p, "more"));
}

/* The old channel takes nothing, so it acknowledges nothing. */
static void what_a_fenced_channel_brings_is_not_acknowledged(void **state)
{
    (void)state;
    struct operator* o =
        arrive(0, &(struct ask){.script = RAW "cat", .key = KEY});
    UNTIL(op_saw(o, "READY"));
    op_types(o, "one");
    stage_later(200);
    assert_int_equal(o->applied, 3);
    msg_pty_accept p = info_of(o);
    struct operator* q = op_arrives(1, WINDOW, on_open);
    o->typed = view_str("one and more");
    chan_wake(&o->chan);
    ask(q, &(struct ask){.session = p.session_id, .key = KEY});
    op_types(q, "one!"); /* settles all input */
    half_settle(&o->near, &o->far);
    stage_later(200);
    assert_int_equal(o->applied, 3);
    UNTIL(op_saw(q, "one!"));
}

/* A link that nobody has noticed to be dead takes nobody's place. */
static void a_full_session_has_room_for_who_returns(void **state)
{
    char key[17] = KEY;
    (void)state;
    struct operator* o =
        arrive(0, &(struct ask){.script = RAW "cat", .key = KEY});
    for (int i = 1; i < 16; i++) {
        key[0] = (char)('a' + i);
        assert_int_equal(return_as(i, o, key)->accepted, 1);
    }
    assert_int_equal(return_as(16, o, OTHER_KEY)->rejected, 1);
    assert_int_equal(return_as(17, o, KEY)->accepted, 1);
}

/* ---- the end of a shell ---------------------------------------------------------------- */

/* What it left in the background holds the terminal, but not the operator. */
static void a_background_child_does_not_hold_the_end_up(void **state)
{
    (void)state;
    struct operator* o =
        run(0, "trap '' HUP; sleep 20 & echo $!; printf last; exit 5");
    UNTIL(o->closed);
    assert_exit(o, 5);
    assert_true(op_saw(o, "last"));
    int pid = atoi((const char *)o->seen[0]);
    assert_true(port_process_alive(pid)); /* it was there all the time */
    (void)port_process_end(pid);
}

static void all_that_was_written_before_the_end_arrives(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct operator* o = run(0, RAW "seq 1 3000");
        UNTIL(o->closed);
        assert_true(op_saw(o, "\n3000\n"));
    }
}

static void a_shell_ends_with_nobody_there(void **state)
{
    (void)state;
    struct operator* o = run(0, RAW "head -c 1; exit 0");
    UNTIL(op_saw(o, "READY"));
    op_types(o, "x");
    msg_pty_accept p = info_of(o);
    op_vanishes(o);
    UNTIL(sessions.slots[0].exited);
    o = arrive(0, &(struct ask){.session = p.session_id});
    UNTIL(o->closed); /* its end waited for somebody */
    assert_exit(o, 0);
    UNTIL(sessions_live(&sessions) == 0);
}

/* ---- agents come and go ------------------------------------------------------------------- */

/* All that an agent has is gone, and the next one asks around. */
static void another_agent_asks(void)
{
    stage_all_vanish();
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *t = &sessions.slots[i];
        if (t->id[0] == '\0')
            continue;
        if (t->row >= 0)
            loop_remove(&loop, t->row);
        loop_remove(&loop, t->child.row);
        hold_drop(&t->child.hold);
        memset(t, 0, sizeof(*t));
    }
    sessions.count = 0;
    sessions_adopt(&sessions);
}

static void another_agent(void)
{
    another_agent_asks();
    UNTIL(!sessions_adopting(&sessions));
}

static void a_session_outlives_its_agent(void **state)
{
    (void)state;
    struct operator* o =
        run(0, RAW "while read -r x; do echo got-$x; done; exit 6");
    UNTIL(op_saw(o, "READY"));
    op_types(o, "one\n");
    UNTIL(op_saw(o, "got-one"));
    msg_pty_accept p = info_of(o);
    uint64_t next = o->next[0];
    another_agent();
    assert_int_equal(sessions_live(&sessions), 1);
    o = arrive(0, &(struct ask){
                      .session = p.session_id, .resume = true, .offset = next});
    assert_int_equal(o->from[0], next);
    op_types(o, "two\n");
    UNTIL(op_saw(o, "got-two"));
    assert_false(op_saw(o, "got-one"));
    assert_int_equal(info_of(o).gap, 0);
    assert_int_equal(info_of(o).created_ms, p.created_ms);
}

static void one_whose_keeper_hangs_is_not_given_up(void **state)
{
    char line[80];
    int keeper = 0;
    (void)state;
    struct operator* o = run(0, RAW "exec sleep 1000");
    UNTIL(op_saw(o, "READY"));
    msg_pty_accept p = info_of(o);
    snprintf(line, sizeof(line), "ps -o ppid= -p %u",
             sessions.slots[0].child.hold.block->pid);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &keeper), 1);
    (void)pclose(f);
    assert_int_equal(kill(keeper, SIGSTOP), 0);
    another_agent_asks();
    o = arrive(0, &(struct ask){.last = true});
    assert_int_equal(o->reject.code, cmdop_agent_v1_Code_CODE_TIMEOUT);
    o = arrive(1, &(struct ask){.session = p.session_id});
    assert_int_equal(o->reject.code, cmdop_agent_v1_Code_CODE_TIMEOUT);
    assert_int_equal(kill(keeper, SIGCONT), 0);
    UNTIL(!sessions_adopting(&sessions));
    o = arrive(2, &(struct ask){.last = true});
    assert_string_equal(info_of(o).session_id, p.session_id);
}

/* What has the name of a keeper's socket and is none is somebody's file. */
static void a_file_among_the_sockets_stays(void **state)
{
    static const char name[] =
        "keepers/sessions/0123456789abcdef0123456789abcdef";
    (void)state;
    struct operator* o = run(0, RAW "exec sleep 1000");
    UNTIL(op_saw(o, "READY"));
    scratch_file(name, "precious", 0600);
    another_agent();
    assert_int_equal(access(scratch_path(name), F_OK), 0);
    o = arrive(0, &(struct ask){.last = true});
    assert_int_equal(o->accepted, 1); /* nor is it waited for */
}

static void an_end_between_two_agents_is_not_lost(void **state)
{
    (void)state;
    struct operator* o = run(0, RAW "head -c 1; printf last; exit 9");
    UNTIL(op_saw(o, "READY"));
    op_types(o, "x");
    msg_pty_accept p = info_of(o);
    another_agent();
    UNTIL(sessions.slots[0].exited);
    another_agent();
    o = arrive(0, &(struct ask){.session = p.session_id});
    UNTIL(o->closed);
    assert_true(op_saw(o, "last"));
    assert_exit(o, 9);
}

static void a_keeper_that_is_killed_is_said(void **state)
{
    (void)state;
    struct operator* o = run(0, RAW "sleep 1000");
    UNTIL(op_saw(o, "READY"));
    struct session *t = &sessions.slots[0];
    /* The keeper is the child's parent. */
    char line[80];
    snprintf(line, sizeof(line), "kill -9 $(ps -o ppid= -p %u)",
             t->child.hold.block->pid);
    assert_int_equal(system(line), 0);
    UNTIL(o->closed);
    assert_int_equal(o->close.which_result, cmdop_agent_v1_Close_failure_tag);
    assert_int_equal(sessions_live(&sessions), 0);
}

/* ---- several operators ------------------------------------------------------------------ */

static void all_operators_see_the_same_output(void **state)
{
    (void)state;
    struct operator* a = run(0, RAW "head -c 1; seq 1 20000; head -c 1");
    UNTIL(op_saw(a, "READY"));
    struct operator* b = join(1, a, false);
    struct operator* c = join(2, a, true);
    assert_int_equal(info_of(c).operators, 3);
    assert_false(info_of(c).created);
    op_types(a, "x");
    UNTIL(op_saw(a, "\n20000\n") && op_saw(b, "\n20000\n") &&
          op_saw(c, "\n20000\n"));
    assert_int_equal(a->next[0], b->next[0]);
    assert_memory_equal(a->seen[0], b->seen[0], a->next[0]);
    assert_memory_equal(a->seen[0], c->seen[0], a->next[0]);
}

static void input_of_several_operators_keeps_its_order(void **state)
{
    char expected[64] = "READY";
    static char typed[2][64];
    (void)state;
    struct operator* a = run(0, RAW "cat");
    UNTIL(op_saw(a, "READY"));
    struct operator* b = join(1, a, false);
    memset(typed, 0, sizeof(typed));
    for (int i = 0; i < 40; i++) {
        struct operator* o = i % 3 == 0 ? a : b;
        char key[2] = {(char)('A' + i % 26), '\0'};
        strcat(typed[o == b], key);
        strcat(expected, key);
        op_types(o, typed[o == b]);
    }
    UNTIL(a->next[0] == strlen(expected) && b->next[0] == a->next[0]);
    assert_string_equal(a->seen[0], expected);
    assert_string_equal(b->seen[0], expected);
}

static void an_observer_does_not_type(void **state)
{
    (void)state;
    struct operator* a = run(0, RAW "cat");
    UNTIL(op_saw(a, "READY"));
    struct operator* b = join(1, a, true);
    op_signals(b, "KILL"); /* nor does he send signals */
    op_types(b, "rm -rf /\n");
    stage_rest();
    assert_string_equal(a->seen[0], "READY");
    assert_int_equal(b->far.err, OK); /* the link carries others as well */
    assert_int_equal(b->closed, 1);
    assert_int_equal(b->close.result.failure.code,
                     cmdop_agent_v1_Code_CODE_DENIED);
    op_types(a, "x");
    UNTIL(op_saw(a, "READYx"));
}

static void an_observer_does_not_set_the_size(void **state)
{
    msg_event e = {.which_what = cmdop_agent_v1_Event_resize_tag,
                   .what.resize = {5, 5}};
    (void)state;
    struct operator* a =
        arrive(0, &(struct ask){.script = RAW "head -c 1 >/dev/null; stty size",
                                .rows = 30,
                                .cols = 90});
    UNTIL(op_saw(a, "READY"));
    struct operator* b = join(1, a, true);
    op_sends(b, &e);
    op_types(a, "x");
    UNTIL(a->closed);
    assert_true(op_saw(a, "30 90"));
}

static void only_so_many_may_type(void **state)
{
    (void)state;
    struct operator* a = run(0, RAW "cat");
    UNTIL(op_saw(a, "READY"));
    for (int i = 1; i < 16; i++)
        join(i, a, false);
    msg_pty_accept p = info_of(a);
    struct operator* late = arrive(16, &(struct ask){.session = p.session_id});
    assert_int_equal(late->rejected, 1);
    assert_int_equal(late->reject.code, cmdop_agent_v1_Code_CODE_LIMIT);
    join(17, a, true); /* who only looks is welcome */
    op_vanishes(&op[3]);
    join(16, a, false);
}

/* ---- coming back -------------------------------------------------------------------------- */

static void a_session_outlives_its_operator(void **state)
{
    (void)state;
    struct operator* o = run(0, RAW "head -c 1; printf two; head -c 1; "
                                    "printf three; sleep 1000");
    UNTIL(op_saw(o, "READY"));
    op_types(o, "xx");
    UNTIL(op_saw(o, "three"));
    msg_pty_accept p = info_of(o);
    assert_true(p.created);
    uint64_t had = o->next[0];
    op_vanishes(o);
    assert_int_equal(o->lost, 1);
    stage_rest();
    assert_int_equal(sessions_live(&sessions), 1);
    o = arrive(
        0, &(struct ask){.session = p.session_id, .resume = true, .offset = 7});
    UNTIL(o->next[0] == had);
    assert_int_equal(o->accept.out_offset, 7);
    assert_int_equal(info_of(o).gap, 0);
    assert_false(info_of(o).created);
    assert_string_equal(o->seen[0], "woxthree");
    o = arrive(1, &(struct ask){.session = p.session_id});
    UNTIL(o->next[0] == had); /* without an offset: all that is held */
    assert_string_equal(o->seen[0], "READYxtwoxthree");
}

static void an_offset_of_the_future_is_the_present(void **state)
{
    (void)state;
    struct operator* o = run(0, RAW "cat");
    UNTIL(op_saw(o, "READY"));
    msg_pty_accept p = info_of(o);
    struct operator* b = arrive(1, &(struct ask){.session = p.session_id,
                                                 .resume = true,
                                                 .offset = 1000000});
    assert_int_equal(b->accept.out_offset, 5);
    op_types(o, "x");
    UNTIL(b->next[0] == 6);
    assert_string_equal(b->seen[0], "x");
}

static void a_session_is_found_by_name_or_by_its_youth(void **state)
{
    (void)state;
    struct operator* a =
        arrive(0, &(struct ask){.script = RAW "cat", .name = "build"});
    UNTIL(op_saw(a, "READY"));
    stage_later(10);
    struct operator* b = run(1, RAW "cat");
    UNTIL(op_saw(b, "READY"));
    struct operator* c = arrive(2, &(struct ask){.session = "build"});
    assert_string_equal(info_of(c).session_id, info_of(a).session_id);
    op_vanishes(c);
    stage_later(10);
    op_types(b, "x");
    c = arrive(2, &(struct ask){.last = true});
    assert_string_equal(info_of(c).session_id, info_of(b).session_id);
    c = arrive(2, &(struct ask){.session = "no-such"});
    assert_int_equal(c->reject.code, cmdop_agent_v1_Code_CODE_NOT_FOUND);
}

static void the_last_of_none_is_a_new_one(void **state)
{
    (void)state;
    struct operator* o =
        arrive(0, &(struct ask){.script = RAW "cat", .last = true});
    UNTIL(op_saw(o, "READY"));
    assert_true(info_of(o).created);
}

static void a_detached_operator_leaves_the_shell_running(void **state)
{
    (void)state;
    struct operator* o = run(0, RAW "cat");
    UNTIL(op_saw(o, "READY"));
    op_leaves(o);
    stage_rest();
    assert_int_equal(sessions_live(&sessions), 1);
    assert_int_equal(o->far.mux.count, 0);
}

/* ---- much output ------------------------------------------------------------------------ */

/* "READY", then the numbers from 1 on, one a line: 3,5 MB. */
#define FLOOD     RAW "seq 1 500000; printf END; "
#define FLOOD_LEN (5 + 3388895 + 3)

static const char *flood(void)
{
    static char text[FLOOD_LEN + 1];
    size_t n = 0;
    if (text[0] != '\0')
        return text;
    n += (size_t)sprintf(text, "READY");
    for (int i = 1; i <= 500000; i++)
        n += (size_t)sprintf(text + n, "%d\n", i);
    n += (size_t)sprintf(text + n, "END");
    assert_int_equal(n, FLOOD_LEN);
    return text;
}

static void assert_flood(const struct operator* o)
{
    size_t from = (size_t)o->from[0];
    assert_int_equal(o->next[0], FLOOD_LEN);
    assert_memory_equal(o->seen[0], flood() + from, FLOOD_LEN - from);
}

static void every_byte_passes_a_ring_of_one_third_its_size(void **state)
{
    (void)state;
    struct operator* o = run(0, FLOOD "head -c 1");
    UNTIL(o->next[0] == FLOOD_LEN);
    assert_int_equal(o->from[0], 0);
    assert_int_equal(o->gap, 0);
    assert_flood(o);
}

static void what_nobody_read_is_counted(void **state)
{
    (void)state;
    struct operator* o = run(0, FLOOD "sleep 1000");
    msg_pty_accept p = info_of(o);
    op_vanishes(o);
    struct session *t = &sessions.slots[0];
    UNTIL(ring_of(t)->tail == FLOOD_LEN);
    o = arrive(
        0, &(struct ask){.session = p.session_id, .resume = true, .offset = 3});
    UNTIL(o->next[0] == FLOOD_LEN);
    assert_flood(o);
    assert_int_equal(info_of(o).gap, o->from[0] - 3);
    assert_true(FLOOD_LEN - o->from[0] > SESSION_RING - 8192);
    assert_true(FLOOD_LEN - o->from[0] <= SESSION_RING);
}

/* A reader that takes nothing holds the shell up, so that nothing is lost. */
static void a_slow_operator_loses_nothing(void **state)
{
    (void)state;
    struct operator* o = op_arrives(0, WINDOW, on_open);
    o->lazy = true;
    ask(o, &(struct ask){.script = FLOOD "head -c 1"});
    struct session *t = &sessions.slots[0];
    UNTIL(ring_of(t)->tail > SESSION_RING / 2 + WINDOW);
    stage_rest();
    stage_rest();
    assert_true(ring_of(t)->tail < FLOOD_LEN); /* it waits */
    assert_true(ring_of(t)->head <= o->next[0]);
    op_wakes_up(o);
    UNTIL(o->next[0] == FLOOD_LEN);
    assert_int_equal(o->gap, 0);
    assert_flood(o);
}

/* Nor does one who takes a little at a time, however long that lasts. */
static void a_steady_slow_operator_loses_nothing(void **state)
{
    (void)state;
    struct operator* o = op_arrives(0, WINDOW, on_open);
    o->lazy = true;
    ask(o, &(struct ask){.script = FLOOD "head -c 1"});
    struct session *t = &sessions.slots[0];
    UNTIL(ring_of(t)->tail > SESSION_RING / 2 + WINDOW);
    for (int s = 0; s < 60 && o->next[0] < FLOOD_LEN; s++) {
        uint64_t used = o->next[0];
        for (uint64_t at = 0; at != ring_of(t)->tail; stage_turn())
            at = ring_of(t)->tail; /* the shell says all it may now */
        assert_int_equal(o->gap, 0);
        chan_used(&o->chan, 0, used, used);
        stage_later(1000);
    }
    assert_flood(o);
}

/* But not for ever: after five seconds he finds a gap, and the others do
 * not wait for him any more. */
static void a_stalled_operator_finds_a_counted_gap(void **state)
{
    (void)state;
    struct operator* o = op_arrives(0, WINDOW, on_open);
    o->lazy = true;
    ask(o, &(struct ask){.script = FLOOD "head -c 1"});
    UNTIL(o->accepted);
    struct operator* b = join(1, o, false);
    struct session *t = &sessions.slots[0];
    UNTIL(ring_of(t)->tail > SESSION_RING / 2 + WINDOW);
    stage_rest();
    for (int i = 0; i < 20 && ring_of(t)->tail < FLOOD_LEN; i++)
        stage_later(1000);
    UNTIL(b->next[0] == FLOOD_LEN);
    assert_int_equal(b->gap, 0);
    assert_flood(b);
    op_wakes_up(o);
    UNTIL(o->next[0] == FLOOD_LEN);
    assert_true(o->gap > 0);
    assert_int_equal(o->gap, o->from[0] - WINDOW);
    assert_flood(o);
    assert_int_equal(o->near.err, OK);
}

/* ---- an interrupt ----------------------------------------------------------------------- */

#define ENDLESS "printf READY; while :; do seq 1 10000; done"

/* Somebody who takes nothing, on a session that fills its ring. */
static struct operator* lags_behind(const char *script)
{
    struct operator* o = op_arrives(0, WINDOW, on_open);
    o->lazy = true;
    ask(o, &(struct ask){.script = script});
    struct session *t = &sessions.slots[0];
    UNTIL(ring_of(t)->tail > SESSION_RING / 2 + WINDOW);
    return o;
}

static void an_interrupt_skips_what_waits_for_him_who_typed_it(void **state)
{
    (void)state;
    struct operator* o =
        lags_behind("trap 'printf END; head -c 1; exit 3' INT; " ENDLESS);
    struct operator* b = join(1, o, true);
    op_types(o, "\003");
    UNTIL(op_saw(b, "END"));
    assert_int_equal(b->gap, 0);
    op_wakes_up(o);
    UNTIL(op_saw(o, "END"));
    assert_true(o->gap > SESSION_RING / 4);
    assert_int_equal(o->from[0], WINDOW + o->gap);
    assert_int_equal(o->next[0], b->next[0]);
    op_types(o, "\003x\r");
    UNTIL(o->closed);
    assert_exit(o, 3);
    assert_int_equal(o->near.err, OK);
}

/* Where the key is one like any other, for an editor say, nothing is lost. */
static void a_key_that_interrupts_nothing_skips_nothing(void **state)
{
    (void)state;
    struct operator* o =
        lags_behind("stty -isig; printf READY; seq 1 500000; printf END; "
                    "head -n 1");
    op_types(o, "\003");
    op_wakes_up(o);
    UNTIL(op_saw(o, "END"));
    assert_int_equal(o->gap, 0);
}

static void who_has_it_all_loses_nothing_by_an_interrupt(void **state)
{
    (void)state;
    struct operator* o = run(0, "trap 'printf END; exit 0' INT; printf READY; "
                                "while :; do sleep 0.1; done");
    UNTIL(op_saw(o, "READY"));
    op_types(o, "\003");
    UNTIL(o->closed);
    assert_true(op_saw(o, "END"));
    assert_int_equal(o->gap, 0);
}

/* ---- what cannot be --------------------------------------------------------------------- */

static void a_program_that_is_not_there_is_refused(void **state)
{
    const char *argv[] = {"/no/such/program", NULL};
    struct msg_strings args = {.list = argv, .count = 1};
    msg_pty_open p = cmdop_agent_v1_PtyOpen_init_zero;
    (void)state;
    p.argv = msg_strings_out(&args);
    struct operator* o = op_arrives(0, WINDOW, on_open);
    op_asks(o, cmdop_agent_v1_Kind_KIND_PTY, cmdop_agent_v1_PtyOpen_fields, &p);
    UNTIL(o->rejected);
    assert_int_equal(o->reject.code, cmdop_agent_v1_Code_CODE_NO_PROGRAM);
    assert_true(o->reject.remedy[0] != '\0');
    assert_int_equal(sessions_live(&sessions), 0);
}

static void a_request_that_does_not_parse_is_refused(void **state)
{
    msg_ping junk = {UINT64_MAX}; /* field 1 is a text */
    (void)state;
    struct operator* o = op_arrives(0, WINDOW, on_open);
    op_asks(o, cmdop_agent_v1_Kind_KIND_PTY, cmdop_agent_v1_Ping_fields, &junk);
    assert_int_equal(o->reject.code, cmdop_agent_v1_Code_CODE_PROTOCOL);
    assert_int_equal(o->far.err, OK);
}

static void the_machine_runs_only_so_many(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        op_vanishes(run(0, RAW "sleep 1000"));
    assert_int_equal(sessions_live(&sessions), SESSIONS_MAX);
    struct operator* o = arrive(0, &(struct ask){.script = "true"});
    assert_int_equal(o->reject.code, cmdop_agent_v1_Code_CODE_LIMIT);
    held_signal(&sessions.slots[7].child, "KILL");
    UNTIL(sessions.slots[7].exited);
    o = run(0, "exit 4"); /* the slot of the ended one, which nobody asks for */
    UNTIL(o->closed);
    assert_exit(o, 4);
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "keeper") == 0)
        return keeper_cmd.run(NULL, argc - 1, argv + 1);
    const struct CMUnitTest tests[] = {
        FACT(output_and_exit_status_arrive),
        FACT(a_signal_that_ended_it_is_told),
        FACT(what_is_typed_reaches_the_shell),
        FACT(an_echo_takes_the_acknowledgement_along),
        FACT(what_has_no_echo_is_acknowledged_soon),
        FACT(an_attachment_that_returns_is_told_where_it_was),
        FACT(whoever_stayed_goes_on_where_he_was),
        FACT(an_attachment_that_returns_ends_its_old_channel),
        FACT(what_a_fenced_channel_brings_is_not_acknowledged),
        FACT(a_full_session_has_room_for_who_returns),
        FACT(the_child_knows_who_started_it),
        FACT(the_window_size_is_set_and_follows),
        FACT(a_signal_reaches_the_program),
        FACT(a_paste_waits_until_the_shell_reads),
        FACT(typing_into_a_deaf_shell_is_bounded),
        FACT(a_background_child_does_not_hold_the_end_up),
        FACT(all_that_was_written_before_the_end_arrives),
        FACT(a_shell_ends_with_nobody_there),
        FACT(a_session_outlives_its_agent),
        FACT(one_whose_keeper_hangs_is_not_given_up),
        FACT(a_file_among_the_sockets_stays),
        FACT(an_end_between_two_agents_is_not_lost),
        FACT(a_keeper_that_is_killed_is_said),
        FACT(all_operators_see_the_same_output),
        FACT(input_of_several_operators_keeps_its_order),
        FACT(an_observer_does_not_type),
        FACT(an_observer_does_not_set_the_size),
        FACT(only_so_many_may_type),
        FACT(a_session_outlives_its_operator),
        FACT(an_offset_of_the_future_is_the_present),
        FACT(a_session_is_found_by_name_or_by_its_youth),
        FACT(the_last_of_none_is_a_new_one),
        FACT(a_detached_operator_leaves_the_shell_running),
        FACT(every_byte_passes_a_ring_of_one_third_its_size),
        FACT(what_nobody_read_is_counted),
        FACT(a_slow_operator_loses_nothing),
        FACT(a_steady_slow_operator_loses_nothing),
        FACT(a_stalled_operator_finds_a_counted_gap),
        FACT(an_interrupt_skips_what_waits_for_him_who_typed_it),
        FACT(a_key_that_interrupts_nothing_skips_nothing),
        FACT(who_has_it_all_loses_nothing_by_an_interrupt),
        FACT(a_program_that_is_not_there_is_refused),
        FACT(a_request_that_does_not_parse_is_refused),
        FACT(the_machine_runs_only_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
