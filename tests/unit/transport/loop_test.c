/* The loop with real pipes and the real clock; nothing depends on how long
 * anything takes. */
#include "transport/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"

#define ROWS   200
#define TIMERS 200

static _Alignas(64) uint8_t block[1 << 20];
static struct loop loop;

/* What happened, one character each. */
static char story[256];

static void tell(char c)
{
    size_t len = strlen(story);
    assert_true(len + 1 < sizeof(story));
    story[len] = c;
    story[len + 1] = '\0';
}

static void assert_story(const char *expected)
{
    assert_string_equal(story, expected);
    story[0] = '\0';
}

static void start(size_t rows, size_t timers)
{
    struct arena a;
    memset(block, 0xee, sizeof(block)); /* the arena promises no zeros */
    arena_init(&a, SPAN_ARRAY(block));
    loop_init(&loop, &a, rows, timers);
    arena_seal(&a);
    story[0] = '\0';
}

/* A socket pair: the near end is in the loop, the far end is the test's. */
struct peer {
    char name;
    int near, far, row;
    uint8_t ready; /* as last told */
};

static void open_peer(struct peer *p, char name)
{
    int pair[2];
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    assert_int_equal(socketpair(AF_UNIX, type, 0, pair), 0);
    *p = (struct peer){.name = name, .near = pair[0], .far = pair[1]};
}

static void close_peer(struct peer *p)
{
    port_close(p->near);
    port_close(p->far);
}

static void poke(struct peer *p)
{
    assert_int_equal(port_send(p->far, view_str("x")), 1);
}

static void on_ready(void *ctx, uint8_t ready)
{
    struct peer *p = ctx;
    uint8_t buf[16];
    p->ready = ready;
    tell(p->name);
    if ((ready & PORT_READ) != 0)
        port_recv(p->near, SPAN_ARRAY(buf));
}

static void add(struct peer *p, uint8_t want, loop_row_fn *fn)
{
    p->row = loop_add(&loop, p->near, want, fn, p);
    assert_true(p->row >= 0);
}

/* A turn that must not sleep for long: a timer is due now. */
static void on_tick(void *ctx, uint64_t now_ms)
{
    (void)ctx;
    (void)now_ms;
}

static void turn(void)
{
    int timer = loop_timer_add(&loop, on_tick, NULL);
    loop_arm(&loop, timer, 0);
    assert_int_equal(loop_turn(&loop), OK);
    loop_timer_remove(&loop, timer);
}

static int setup(void **state)
{
    (void)state;
    alarm(120);
    start(ROWS, TIMERS);
    return 0;
}

/* ---- rows ---- */

static void a_ready_row_is_called_with_its_flags(void **state)
{
    struct peer a, b;
    (void)state;
    open_peer(&a, 'a');
    open_peer(&b, 'b');
    add(&a, PORT_READ, on_ready);
    add(&b, PORT_READ | PORT_WRITE, on_ready);
    turn();
    assert_story("b");
    assert_int_equal(b.ready, PORT_WRITE);
    poke(&a);
    loop_want(&loop, b.row, PORT_READ);
    turn();
    assert_story("a");
    assert_int_equal(a.ready, PORT_READ);
    turn();
    assert_story("");
    close_peer(&a);
    close_peer(&b);
}

static void a_row_that_wants_nothing_sleeps_through_a_hang_up(void **state)
{
    struct peer a;
    (void)state;
    open_peer(&a, 'a');
    add(&a, 0, on_ready);
    poke(&a);
    port_close(a.far);
    turn();
    turn();
    assert_story("");
    loop_want(&loop, a.row, PORT_HANGUP);
    turn();
    assert_story("a");
    assert_int_equal(a.ready, PORT_HANGUP);
    loop_want(&loop, a.row, PORT_READ);
    turn();
    assert_story("a");
    assert_int_equal(a.ready, PORT_READ | PORT_HANGUP);
    port_close(a.near);
}

static void on_ready_remove_all(void *ctx, uint8_t ready)
{
    struct peer *peers = ctx;
    (void)ready;
    tell('r');
    for (int i = 0; i < 3; i++)
        loop_remove(&loop, peers[i].row);
}

static void a_removed_row_is_not_called_later_in_the_turn(void **state)
{
    struct peer p[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        open_peer(&p[i], 'a');
        p[i].row =
            loop_add(&loop, p[i].near, PORT_READ, on_ready_remove_all, p);
        poke(&p[i]);
    }
    turn();
    assert_story("r");
    turn();
    assert_story("");
    assert_int_equal(loop.rows, 0);
    for (int i = 0; i < 3; i++)
        close_peer(&p[i]);
}

static struct peer *next_peer;

/* Give up our row and take one, the same, for somebody else, whose bytes
 * are there already: they are told in the next turn, not in this one. */
static void on_ready_hand_over(void *ctx, uint8_t ready)
{
    struct peer *p = ctx;
    (void)ready;
    tell('h');
    loop_remove(&loop, p->row);
    port_close(p->near);
    add(next_peer, PORT_READ, on_ready);
    assert_int_equal(next_peer->row, p->row);
}

static void a_reused_row_starts_silent(void **state)
{
    struct peer a, b;
    (void)state;
    open_peer(&a, 'a');
    open_peer(&b, 'b');
    next_peer = &b;
    add(&a, PORT_READ, on_ready_hand_over);
    poke(&a);
    poke(&b);
    turn();
    assert_story("h");
    turn();
    assert_story("b");
    close_peer(&b);
    port_close(a.far);
}

static struct peer *other_peer;

static void on_ready_quiet_other(void *ctx, uint8_t ready)
{
    on_ready(ctx, ready);
    loop_want(&loop, other_peer->row, PORT_WRITE);
}

static void what_is_no_longer_wanted_is_not_told(void **state)
{
    struct peer a, b;
    (void)state;
    open_peer(&a, 'a');
    open_peer(&b, 'b');
    other_peer = &b;
    add(&a, PORT_READ, on_ready_quiet_other);
    add(&b, PORT_READ, on_ready);
    poke(&a);
    poke(&b);
    turn();
    assert_story("a");
    turn();
    assert_story("b");
    assert_int_equal(b.ready, PORT_WRITE);
    close_peer(&a);
    close_peer(&b);
}

static void a_row_may_get_another_handle(void **state)
{
    struct peer a, b;
    (void)state;
    open_peer(&a, 'a');
    open_peer(&b, 'b');
    add(&a, PORT_READ, on_ready);
    poke(&a);
    int gone = a.near;
    port_close(gone);
    a.near = b.near;
    loop_handle(&loop, a.row, b.near, PORT_READ);
    turn();
    assert_story("");
    poke(&b);
    turn();
    assert_story("a");
    port_close(a.far);
    close_peer(&b);
}

static void numbers_are_reused_lowest_first_and_the_table_shrinks(void **state)
{
    int row[ROWS];
    (void)state;
    for (int i = 0; i < ROWS; i++) {
        row[i] = loop_add(&loop, 0, 0, on_ready, NULL);
        assert_int_equal(row[i], i);
    }
    assert_int_equal(loop_add(&loop, 0, 0, on_ready, NULL), ERR_FULL);
    loop_remove(&loop, 130);
    loop_remove(&loop, 5);
    assert_int_equal(loop.rows, ROWS);
    assert_int_equal(loop_add(&loop, 0, 0, on_ready, NULL), 5);
    for (int i = ROWS - 1; i > 131; i--)
        loop_remove(&loop, i);
    assert_int_equal(loop.rows, 132);
    loop_remove(&loop, 131);
    assert_int_equal(loop.rows, 130); /* 130 was free already */
    assert_int_equal(loop_add(&loop, 0, 0, on_ready, NULL), 130);
    for (int i = 0; i <= 130; i++)
        loop_remove(&loop, i);
    assert_int_equal(loop.rows, 0);
}

static int called;

static void on_ready_count(void *ctx, uint8_t ready)
{
    (void)ctx;
    (void)ready;
    called++;
}

/* Enough rows for the port's other way of waiting. */
static void a_thousand_rows_are_told_apart(void **state)
{
    static struct peer p[1000];
    struct rlimit lim;
    (void)state;
    getrlimit(RLIMIT_NOFILE, &lim);
    lim.rlim_cur = lim.rlim_max;
    setrlimit(RLIMIT_NOFILE, &lim);
    if (lim.rlim_cur < 2100)
        skip();
    start(1000, 10);
    for (int i = 0; i < 1000; i++) {
        open_peer(&p[i], 'p');
        p[i].row = loop_add(&loop, p[i].near, PORT_READ, on_ready_count, NULL);
        assert_int_equal(p[i].row, i);
    }
    called = 0;
    turn();
    assert_int_equal(called, 0);
    poke(&p[0]);
    poke(&p[511]);
    poke(&p[999]);
    turn();
    assert_int_equal(called, 3);
    for (int i = 0; i < 1000; i++) {
        loop_remove(&loop, p[i].row);
        close_peer(&p[i]);
    }
    turn();
    assert_int_equal(called, 3);
}

/* ---- timers ---- */

static int timer[TIMERS];

static void on_time(void *ctx, uint64_t now_ms)
{
    const char *name = ctx;
    assert_int_equal(now_ms, loop_now(&loop));
    tell(*name);
}

static void add_timers(const char *names)
{
    for (int i = 0; names[i] != '\0'; i++) {
        timer[i] = loop_timer_add(&loop, on_time, (void *)(uintptr_t)&names[i]);
        assert_int_equal(timer[i], i);
    }
}

static void a_timer_fires_once_and_not_before_its_time(void **state)
{
    uint64_t at = loop_now(&loop) + 20;
    (void)state;
    add_timers("ab");
    loop_arm(&loop, timer[0], at);
    loop_arm(&loop, timer[1], at + 3600000);
    while (story[0] == '\0')
        assert_int_equal(loop_turn(&loop), OK);
    assert_true(loop_now(&loop) >= at);
    assert_true(port_now_ms() >= at);
    turn();
    assert_story("a");
}

static void a_new_deadline_replaces_the_old(void **state)
{
    (void)state;
    add_timers("abc");
    loop_arm(&loop, timer[0], 0);
    loop_arm(&loop, timer[0], PORT_FOREVER - 1);
    loop_arm(&loop, timer[1], 0);
    loop_disarm(&loop, timer[1]);
    loop_arm(&loop, timer[2], PORT_FOREVER - 1);
    loop_arm(&loop, timer[2], 0);
    turn();
    assert_story("c");
    loop_disarm(&loop, timer[1]); /* not armed: harmless */
}

static void on_time_again(void *ctx, uint64_t now_ms)
{
    int *own = ctx;
    tell('t');
    loop_arm(&loop, *own, now_ms - 1000);
}

static void
a_timer_that_arms_itself_for_the_past_fires_once_a_turn(void **state)
{
    (void)state;
    timer[0] = loop_timer_add(&loop, on_time_again, &timer[0]);
    loop_arm(&loop, timer[0], 0);
    for (int i = 0; i < 5; i++)
        loop_turn(&loop);
    assert_story("ttttt");
}

static void on_time_remove_all(void *ctx, uint64_t now_ms)
{
    (void)ctx;
    (void)now_ms;
    tell('r');
    for (int i = 0; i < 3; i++)
        loop_timer_remove(&loop, timer[i]);
}

static void a_removed_timer_does_not_fire_in_the_same_turn(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        timer[i] = loop_timer_add(&loop, on_time_remove_all, NULL);
        loop_arm(&loop, timer[i], 0);
    }
    turn();
    assert_story("r");
    assert_int_equal(loop.timers, 0);
}

/* Against a plain array: whatever is armed, moved and disarmed, exactly the
 * timers that are due fire. */
static bool fired[TIMERS];

static void on_time_mark(void *ctx, uint64_t now_ms)
{
    (void)now_ms;
    fired[(bool *)ctx - fired] = true;
}

static void the_due_ones_fire_and_no_others(void **state)
{
    static bool is_due[TIMERS];
    (void)state;
    srand(1);
    for (int i = 0; i < TIMERS - 1; i++)
        timer[i] = loop_timer_add(&loop, on_time_mark, &fired[i]);
    for (int round = 0; round < 200; round++) {
        for (int n = rand() % 300; n > 0; n--) {
            int i = rand() % (TIMERS - 1);
            is_due[i] = rand() % 2 == 0;
            if (is_due[i])
                loop_arm(&loop, timer[i], (uint64_t)(rand() % 3));
            else if (rand() % 2 == 0)
                loop_disarm(&loop, timer[i]);
            else
                loop_arm(&loop, timer[i], PORT_FOREVER - 1);
        }
        turn();
        assert_memory_equal(fired, is_due, sizeof(fired));
        memset(fired, 0, sizeof(fired));
        memset(is_due, 0, sizeof(is_due));
    }
}

static void timers_run_out_and_come_back(void **state)
{
    (void)state;
    for (int i = 0; i < TIMERS; i++)
        assert_int_equal(loop_timer_add(&loop, on_time, NULL), i);
    assert_int_equal(loop_timer_add(&loop, on_time, NULL), ERR_FULL);
    loop_timer_remove(&loop, 77);
    assert_int_equal(loop_timer_add(&loop, on_time, NULL), 77);
}

/* ---- jobs ---- */

static void on_job(void *ctx)
{
    const char *name = ctx;
    tell(*name);
}

static void jobs_run_after_the_rows_once_and_in_order(void **state)
{
    struct loop_job a, b;
    struct peer p;
    (void)state;
    open_peer(&p, 'p');
    add(&p, PORT_READ, on_ready);
    poke(&p);
    loop_job_init(&a, on_job, (void *)(uintptr_t) "a");
    loop_job_init(&b, on_job, (void *)(uintptr_t) "b");
    loop_later(&loop, &b);
    loop_later(&loop, &a);
    loop_later(&loop, &b);
    assert_int_equal(loop_turn(&loop), OK); /* does not sleep */
    assert_story("pba");
    turn();
    assert_story("");
    close_peer(&p);
}

static void a_cancelled_job_does_not_run(void **state)
{
    static const char names[] = "abcd";
    struct loop_job job[4];
    (void)state;
    for (int skip_at = 0; skip_at < 4; skip_at++) {
        char expected[5] = "";
        for (int i = 0; i < 4; i++) {
            loop_job_init(&job[i], on_job, (void *)(uintptr_t)&names[i]);
            loop_later(&loop, &job[i]);
            if (i != skip_at)
                strncat(expected, &names[i], 1);
        }
        loop_cancel(&loop, &job[skip_at]);
        loop_cancel(&loop, &job[skip_at]);
        turn();
        assert_story(expected);
    }
    for (int i = 0; i < 4; i++)
        loop_later(&loop, &job[i]);
    for (int i = 3; i >= 0; i--)
        loop_cancel(&loop, &job[i]);
    loop_later(&loop, &job[2]);
    turn();
    assert_story("c");
}

static struct loop_job ping, pong;

static void on_ping(void *ctx)
{
    (void)ctx;
    tell('i');
    loop_later(&loop, &pong);
}

static void on_pong(void *ctx)
{
    (void)ctx;
    tell('o');
}

static void a_job_called_for_by_a_job_runs_in_the_same_turn(void **state)
{
    (void)state;
    loop_job_init(&ping, on_ping, NULL);
    loop_job_init(&pong, on_pong, NULL);
    loop_later(&loop, &ping);
    turn();
    assert_story("io");
}

static void on_pong_back(void *ctx)
{
    (void)ctx;
    tell('o');
    loop_later(&loop, &ping);
}

static void jobs_that_never_end_leave_the_handles_their_turn(void **state)
{
    struct peer p;
    (void)state;
    open_peer(&p, 'p');
    add(&p, PORT_READ, on_ready);
    loop_job_init(&ping, on_ping, NULL);
    loop_job_init(&pong, on_pong_back, NULL);
    loop_later(&loop, &ping);
    loop_turn(&loop);
    assert_in_range(strlen(story), 2, 20);
    story[0] = '\0';
    poke(&p);
    loop_turn(&loop);
    assert_int_equal(story[0], 'p');
    close_peer(&p);
}

static void on_job_cancel_other(void *ctx)
{
    tell('c');
    loop_cancel(&loop, ctx);
}

static void a_job_may_cancel_another(void **state)
{
    struct loop_job a, b;
    (void)state;
    loop_job_init(&a, on_job_cancel_other, &b);
    loop_job_init(&b, on_job, (void *)(uintptr_t) "b");
    loop_later(&loop, &a);
    loop_later(&loop, &b);
    turn();
    assert_story("c");
    loop_later(&loop, &b);
    turn();
    assert_story("b");
}

/* ---- the turn ---- */

static void timers_come_before_rows_and_rows_before_jobs(void **state)
{
    struct loop_job job;
    struct peer p;
    (void)state;
    open_peer(&p, 'p');
    add(&p, PORT_READ, on_ready);
    poke(&p);
    add_timers("t");
    loop_arm(&loop, timer[0], 0);
    loop_job_init(&job, on_job, (void *)(uintptr_t) "j");
    loop_later(&loop, &job);
    loop_turn(&loop);
    assert_story("tpj");
    close_peer(&p);
}

static void the_time_stands_still_within_a_turn(void **state)
{
    uint64_t before = port_now_ms();
    (void)state;
    turn();
    assert_in_range(loop_now(&loop), before, port_now_ms());
    uint64_t now = loop_now(&loop);
    while (port_now_ms() <= now + 1)
        continue;
    assert_int_equal(loop_now(&loop), now);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_ready_row_is_called_with_its_flags),
        T(a_row_that_wants_nothing_sleeps_through_a_hang_up),
        T(a_removed_row_is_not_called_later_in_the_turn),
        T(a_reused_row_starts_silent),
        T(what_is_no_longer_wanted_is_not_told),
        T(a_row_may_get_another_handle),
        T(numbers_are_reused_lowest_first_and_the_table_shrinks),
        T(a_thousand_rows_are_told_apart),
        T(a_timer_fires_once_and_not_before_its_time),
        T(a_new_deadline_replaces_the_old),
        T(a_timer_that_arms_itself_for_the_past_fires_once_a_turn),
        T(a_removed_timer_does_not_fire_in_the_same_turn),
        T(the_due_ones_fire_and_no_others),
        T(timers_run_out_and_come_back),
        T(jobs_run_after_the_rows_once_and_in_order),
        T(a_cancelled_job_does_not_run),
        T(a_job_called_for_by_a_job_runs_in_the_same_turn),
        T(jobs_that_never_end_leave_the_handles_their_turn),
        T(a_job_may_cancel_another),
        T(timers_come_before_rows_and_rows_before_jobs),
        T(the_time_stands_still_within_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
