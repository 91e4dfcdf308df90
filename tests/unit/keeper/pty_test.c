/*
 * Several operators on one session: whose size the terminal has, who may type,
 * who is told what; and when a session ends that nobody uses.
 */
#include <signal.h>

#include "base/err.h"
#include "core/pty.h"
#include "keeper/keeper.h"
#include "unit/core/stage.h"
#include "unit/port/scratch.h"

#define WINDOW (256 * 1024)
#define BYTES \
    ((size_t)SESSIONS_MAX * (sizeof(struct session) + 64 * 1024) + 1024 * 1024)
#define RAW  "stty raw -echo; echo READY; "
#define HOUR UINT64_C(3600000)

static struct sessions sessions;

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct operator* o = ctx;
    msg_open named = *open;
    snprintf(named.origin.user, sizeof(named.origin.user), "op-%d",
             (int)(o - op));
    session_open(&sessions, &o->far.mux, &named, params);
}

static void on_lost(const struct mux *m)
{
    sessions_gone(&sessions, m, 0);
}

static int setup(void **state)
{
    stage_init(BYTES);
    stage_lost = on_lost;
    assert_int_equal(scratch_setup(state), 0);
    assert_int_equal(sessions_init(&sessions, &arena, &loop, "web-1",
                                   scratch_path("keepers")),
                     OK);
    stage_has_children();
    return 0;
}

static int teardown(void **state)
{
    stage_all_vanish();
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        if (sessions.slots[i].id[0] != '\0')
            session_destroy(&sessions.slots[i]);
    stage_later(6000);
    assert_int_equal(sessions_live(&sessions), 0);
    UNTIL(stage_is_childless());
    stage_free();
    return scratch_teardown(state);
}

/* ---- attaching --------------------------------------------------------------------- */

struct ask {
    const char *script; /* NULL: the session that is there */
    const char *name;
    const char *key;
    uint64_t idle_ms;
    uint32_t rows, cols;
    bool observe, control;
};

static struct operator* ask(int i, const struct ask *w)
{
    const char *argv[] = {"sh", "-c", w->script, NULL};
    struct msg_strings args = {.list = argv, .count = 3};
    msg_pty_open p = {.last = w->script == NULL,
                      .observe = w->observe,
                      .control = w->control,
                      .idle_ms = w->idle_ms,
                      .rows = w->rows,
                      .cols = w->cols,
                      .term = "xterm"};
    struct operator* o = op_arrives(i, WINDOW, on_open);
    if (w->script != NULL)
        p.argv = msg_strings_out(&args);
    if (w->name != NULL)
        strcpy(p.name, w->name);
    if (w->key != NULL) {
        p.attachment.size = (pb_size_t)strlen(w->key);
        memcpy(p.attachment.bytes, w->key, p.attachment.size);
    }
    op_asks(o, cmdop_agent_v1_Kind_KIND_PTY, cmdop_agent_v1_PtyOpen_fields, &p);
    UNTIL(o->accepted + o->rejected > 0);
    return o;
}

static struct operator* get(int i, const struct ask *w)
{
    struct operator* o = ask(i, w);
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

static void take(struct operator* o, bool control)
{
    op_sends(o, &(msg_event){.which_what = cmdop_agent_v1_Event_control_tag,
                             .what.control.take = control});
}

static void assert_size(uint32_t rows, uint32_t cols)
{
    const struct session_record *r = session_record(&sessions.slots[0]);
    assert_int_equal(r->rows, rows);
    assert_int_equal(r->cols, cols);
}

static msg_session_info described(void)
{
    msg_session_info info;
    assert_true(session_at(&sessions, 0, &info));
    return info;
}

static const struct ask tell_keys = {
    .script = RAW "while k=$(head -c 1); do echo got-$k; done",
    .rows = 30,
    .cols = 90,
};

/* ---- size -------------------------------------------------------------------------- */

static void the_terminal_has_the_size_of_who_typed_last(void **state)
{
    (void)state;
    struct operator* a = get(0, &tell_keys);
    struct operator* b = get(1, &(struct ask){.rows = 50, .cols = 132});
    stage_rest();
    assert_size(30, 90); /* he only looks as yet */
    op_types(b, "x");
    UNTIL(op_saw(b, "got-x"));
    assert_size(50, 132);
    op_types(a, "y");
    UNTIL(op_saw(a, "got-y"));
    assert_size(30, 90);
}

static void who_typed_last_may_change_the_size(void **state)
{
    msg_event e = {.which_what = cmdop_agent_v1_Event_resize_tag,
                   .what.resize = {20, 70}};
    (void)state;
    struct operator* a = get(0, &tell_keys);
    struct operator* b = get(1, &(struct ask){.rows = 50, .cols = 132});
    op_sends(b, &e);
    assert_size(30, 90);
    op_sends(a, &e);
    assert_size(20, 70);
    op_leaves(a);
    assert_size(20, 70); /* b's as well */
    e.what.resize.rows = 21;
    op_sends(b, &e);
    assert_size(21, 70);
}

static void an_observer_has_no_say_in_the_size(void **state)
{
    msg_event e = {.which_what = cmdop_agent_v1_Event_resize_tag,
                   .what.resize = {20, 70}};
    (void)state;
    struct operator* a = get(0, &tell_keys);
    struct operator* w =
        get(1, &(struct ask){.observe = true, .rows = 10, .cols = 40});
    op_sends(w, &e);
    op_leaves(a);
    assert_size(30, 90);
}

static void the_next_ones_size_counts_when_the_last_one_leaves(void **state)
{
    (void)state;
    struct operator* a = get(0, &tell_keys);
    (void)get(1, &(struct ask){.rows = 50, .cols = 132});
    op_leaves(a);
    assert_size(50, 132);
}

/* ---- control ----------------------------------------------------------------------- */

static void who_has_control_types_alone(void **state)
{
    (void)state;
    struct operator* a = get(0, &tell_keys);
    struct operator* b = get(1, &(struct ask){.rows = 0});
    struct operator* w = get(2, &(struct ask){.observe = true});
    UNTIL(op_saw(a, "READY"));
    take(b, true);
    UNTIL(a->notices == 1 && w->notices == 1);
    assert_string_equal(a->notice, "op-1 types alone now; ~t takes control");
    assert_string_equal(w->notice, a->notice);
    assert_int_equal(b->notices, 0);
    op_types(a, "no");
    op_types(b, "y");
    UNTIL(op_saw(b, "got-y"));
    stage_rest();
    assert_false(op_saw(b, "got-n"));
    assert_int_equal(a->notices, 2); /* once for all that he types */
    assert_int_equal(a->closed, 0);
    take(a, true);
    op_types(a, "no!");
    UNTIL(op_saw(b, "got-!"));
    op_types(b, "yz");
    stage_rest();
    assert_false(op_saw(b, "got-z"));
}

static void control_that_is_left_is_everybodys(void **state)
{
    (void)state;
    struct operator* a = get(0, &tell_keys);
    struct operator* b = get(1, &(struct ask){.control = true});
    UNTIL(op_saw(a, "READY"));
    take(a, false); /* it is not his */
    UNTIL(a->notices == 2);
    assert_string_equal(a->notice, "op-1 types alone; ~t takes control");
    take(b, false);
    UNTIL(a->notices == 3 && b->notices == 1);
    assert_string_equal(a->notice, "op-1 has left control; everybody may type");
    assert_string_equal(b->notice, "everybody may type");
    op_types(a, "x");
    UNTIL(op_saw(a, "got-x"));
    take(b, true);
    op_leaves(b);
    UNTIL(a->notices == 5);
    assert_string_equal(a->notice, "op-1 has left control; everybody may type");
    op_types(a, "xy");
    UNTIL(op_saw(a, "got-y"));
}

static void keys_that_were_ignored_do_not_come_again(void **state)
{
    (void)state;
    struct ask mine = tell_keys;
    mine.key = "a-key-of-16-byte";
    struct operator* a = get(0, &mine);
    (void)get(1, &(struct ask){.control = true});
    op_types(a, "no");
    stage_rest();
    op_vanishes(&op[1]);
    struct operator* again = get(0, &(struct ask){.key = mine.key});
    assert_int_equal(again->accept.in_offset, 2);
    assert_true(info_of(again).known);
}

static void control_stays_with_who_comes_back(void **state)
{
    const struct ask his = {.control = true, .key = "a-key-of-16-byte"};
    const struct ask back = {.key = his.key};
    (void)state;
    struct operator* a = get(0, &tell_keys);
    struct operator* b = get(1, &his);
    UNTIL(a->notices == 1);
    struct operator* again = get(2, &back); /* before the loss was noticed */
    UNTIL(b->closed);
    stage_rest();
    assert_int_equal(a->notices, 1);
    op_types(a, "no");
    stage_rest();
    assert_false(op_saw(again, "got-n"));
}

/* Stand in the way of everybody who comes, or no longer. */
static void fill_attachments(bool full)
{
    static struct session nobody;
    for (int i = 0; i < SESSIONS_MAX * 4; i++) {
        struct session **t = &sessions.attachments[i].session;
        if (*t == (full ? NULL : &nobody))
            *t = full ? &nobody : NULL;
    }
}

static void control_that_finds_no_place_is_left_aloud(void **state)
{
    const struct ask his = {.control = true, .key = "a-key-of-16-byte"};
    (void)state;
    struct operator* a = get(0, &tell_keys);
    (void)get(1, &his);
    UNTIL(a->notices == 1);
    fill_attachments(true);
    assert_int_equal(ask(2, &his)->rejected, 1);
    UNTIL(a->notices == 2);
    assert_string_equal(a->notice, "op-1 has left control; everybody may type");
    fill_attachments(false);
    op_types(a, "x");
    UNTIL(op_saw(a, "got-x"));
}

static void control_stays_with_nobody_who_only_watches(void **state)
{
    const struct ask his = {.control = true, .key = "a-key-of-16-byte"};
    (void)state;
    struct operator* a = get(0, &tell_keys);
    (void)get(1, &his);
    UNTIL(a->notices == 1);
    (void)get(2, &(struct ask){.observe = true, .key = his.key});
    UNTIL(a->notices == 2);
    assert_string_equal(a->notice, "op-1 has left control; everybody may type");
    op_types(a, "x");
    UNTIL(op_saw(a, "got-x"));
}

static void an_observer_cannot_take_control(void **state)
{
    (void)state;
    struct operator* a = get(0, &tell_keys);
    struct operator* w = get(1, &(struct ask){.observe = true});
    take(w, true);
    op_types(a, "x");
    UNTIL(op_saw(a, "got-x"));
    assert_int_equal(a->notices, 0);
}

/* ---- who is there -------------------------------------------------------------------- */

static void the_newcomer_hears_who_is_there(void **state)
{
    (void)state;
    struct operator* a = get(0, &tell_keys);
    assert_string_equal(info_of(a).attached, "");
    (void)get(1, &(struct ask){.observe = true});
    take(a, true);
    struct operator* c = get(2, &(struct ask){.rows = 0});
    assert_string_equal(info_of(c).attached,
                        "op-1 (watches), op-0 (has control)");
    assert_int_equal(info_of(c).operators, 3);
    msg_session_info info = described();
    assert_int_equal(info.operators, 2);
    assert_int_equal(info.observers, 1);
    assert_string_equal(info.user, "op-0");
    assert_string_equal(info.attached,
                        "op-2, op-1 (watches), op-0 (has control)");
    assert_true(view_starts(view_str(info.command), view_str("sh -c stty")));
}

static void all_may_be_detached(void **state)
{
    (void)state;
    struct operator* a = get(0, &tell_keys);
    struct operator* b = get(1, &(struct ask){.rows = 0});
    session_detach(&sessions.slots[0]);
    UNTIL(a->closed && b->closed);
    assert_int_equal(a->close.which_result, cmdop_agent_v1_Close_detached_tag);
    UNTIL(described().operators == 0);
    a = get(0, &(struct ask){.rows = 0});
    op_types(a, "x");
    UNTIL(op_saw(a, "got-x"));
}

static void a_destroyed_session_is_told_and_gone(void **state)
{
    (void)state;
    struct operator* a = get(0, &tell_keys);
    uint32_t pid = described().pid;
    session_destroy(&sessions.slots[0]);
    UNTIL(a->closed);
    assert_int_equal(a->close.result.failure.code,
                     cmdop_agent_v1_Code_CODE_NOT_FOUND);
    UNTIL(sessions_live(&sessions) == 0);
    UNTIL(kill((int)pid, 0) != 0);
}

static void a_name_is_used_once(void **state)
{
    struct ask w = tell_keys;
    (void)state;
    w.name = "build";
    (void)get(0, &w);
    struct operator* o = ask(1, &w);
    assert_int_equal(o->rejected, 1);
    assert_int_equal(o->reject.code, cmdop_agent_v1_Code_CODE_CONFLICT);
}

static void more_sessions_than_fit_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < SESSIONS_MAX; i++)
        op_leaves(get(0, &(struct ask){.script = "exec sleep 1000"}));
    struct operator* o = ask(0, &(struct ask){.script = "exec sleep 1000"});
    assert_int_equal(o->rejected, 1);
    assert_int_equal(o->reject.code, cmdop_agent_v1_Code_CODE_LIMIT);
    assert_non_null(strstr(o->reject.remedy, "session destroy"));
}

/* ---- unused ones ---------------------------------------------------------------------- */

static void a_session_ends_that_nobody_uses_for_a_week(void **state)
{
    (void)state;
    struct operator* a = get(0, &tell_keys);
    stage_later(30 * 24 * HOUR); /* somebody is attached */
    op_leaves(a);
    stage_later(6 * 24 * HOUR);
    stage_rest();
    assert_int_equal(sessions_live(&sessions), 1);
    assert_int_equal(described().idle_ms / HOUR, 6 * 24);
    a = get(0, &(struct ask){.rows = 0});
    op_leaves(a);
    stage_later(6 * 24 * HOUR);
    stage_rest();
    assert_int_equal(sessions_live(&sessions), 1);
    stage_later(2 * 24 * HOUR);
    UNTIL(sessions_live(&sessions) == 0);
}

static void a_session_may_have_a_time_of_its_own(void **state)
{
    struct ask w = tell_keys;
    (void)state;
    w.idle_ms = HOUR / 2;
    op_leaves(get(0, &w));
    stage_later(HOUR / 2 - 5000);
    stage_rest();
    assert_int_equal(sessions_live(&sessions), 1);
    stage_later(6000);
    UNTIL(sessions_live(&sessions) == 0);
}

#define FACT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "keeper") == 0)
        return keeper_cmd.run(NULL, argc - 1, argv + 1);
    const struct CMUnitTest tests[] = {
        FACT(the_terminal_has_the_size_of_who_typed_last),
        FACT(who_typed_last_may_change_the_size),
        FACT(an_observer_has_no_say_in_the_size),
        FACT(the_next_ones_size_counts_when_the_last_one_leaves),
        FACT(who_has_control_types_alone),
        FACT(control_that_is_left_is_everybodys),
        FACT(keys_that_were_ignored_do_not_come_again),
        FACT(control_stays_with_who_comes_back),
        FACT(control_that_finds_no_place_is_left_aloud),
        FACT(control_stays_with_nobody_who_only_watches),
        FACT(an_observer_cannot_take_control),
        FACT(the_newcomer_hears_who_is_there),
        FACT(all_may_be_detached),
        FACT(a_destroyed_session_is_told_and_gone),
        FACT(a_name_is_used_once),
        FACT(more_sessions_than_fit_are_refused),
        FACT(a_session_ends_that_nobody_uses_for_a_week),
        FACT(a_session_may_have_a_time_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
