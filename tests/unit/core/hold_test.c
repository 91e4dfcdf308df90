/*
 * Bytes of a child with real pipes, terminals and shared memory. A mover, a
 * process that does what an agent does, is killed at random moments, hundreds
 * of times: whatever the next one finds is exact. The simulated test
 * (tests/sim/hold_test.c) kills at every call; this one in the middle of them.
 */
#include "core/hold.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"

enum {
    KILLS = 320, /* of each kind of child, in each direction */
    LIFE_US_MAX = 2500,
    RING = 64 * 1024,
    GIVE_UP_S = 60,
};

/* What all processes of a test see. */
struct shared {
    volatile uint32_t stop;  /* the child: no more, say how much it was */
    volatile uint64_t total; /* bytes that it wrote, or read in order */
    volatile uint32_t wrong; /* it met a byte that was not the next */
    volatile uint32_t alive; /* the mover began its work */
};

static struct shared *shared;
static struct hold hold;
static int child; /* pid */
static uint64_t chance;

static uint32_t roll(uint32_t n)
{
    chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(chance >> 33) % n;
}

/* Every place has its byte: whatever is lost, doubled or moved shows. */
static uint8_t byte_at(uint64_t off)
{
    return (uint8_t)((off * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static void fill(uint8_t *buf, size_t len, uint64_t off)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = byte_at(off + i);
}

static void wait_for(int fd, short events, int ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    (void)poll(&p, 1, ms);
}

/* A process that ends with us. 0: we are it. */
static int fork_quietly(void)
{
    int pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(GIVE_UP_S);
    }
    return pid;
}

/* ---- children ----------------------------------------------------------------------- */

static _Noreturn void speak(int fd)
{
    uint8_t buf[2000];
    while (!shared->stop) {
        size_t len = 1 + roll(sizeof(buf));
        fill(buf, len, shared->total);
        ssize_t n = write(fd, buf, len);
        if (n > 0)
            shared->total += (uint64_t)n;
    }
    _exit(0);
}

static _Noreturn void listen_to(int fd)
{
    uint8_t buf[2000];
    ssize_t n;
    while ((n = read(fd, buf, 1 + roll(sizeof(buf)))) > 0)
        for (ssize_t i = 0; i < n; i++)
            if (buf[i] == byte_at(shared->total))
                shared->total++;
            else
                shared->wrong = 1;
    _exit(0);
}

static void open_terminal(int *ours, int *theirs)
{
    struct termios modes;
    *ours = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    assert_true(*ours >= 0 && grantpt(*ours) == 0 && unlockpt(*ours) == 0);
    *theirs = open(ptsname(*ours), O_RDWR | O_NOCTTY);
    assert_true(*theirs >= 0 && tcgetattr(*theirs, &modes) == 0);
    cfmakeraw(&modes);
    assert_int_equal(tcsetattr(*theirs, TCSANOW, &modes), 0);
}

static void open_pipe(int *ours, int *theirs, bool it_speaks)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    *ours = ends[it_speaks ? 0 : 1];
    *theirs = ends[it_speaks ? 1 : 0];
    assert_int_equal(fcntl(*ours, F_SETFL, O_NONBLOCK), 0);
}

static void start_child(bool is_tty, bool it_speaks)
{
    int ours, theirs;
    memset(shared, 0, sizeof(*shared));
    if (is_tty)
        open_terminal(&ours, &theirs);
    else
        open_pipe(&ours, &theirs, it_speaks);
    assert_int_equal(hold_new(&hold, 1, RING), OK);
    child = fork_quietly();
    if (child == 0) {
        close(ours);
        if (it_speaks)
            speak(theirs);
        listen_to(theirs);
    }
    close(theirs);
    if (it_speaks || is_tty)
        hold.child_out[0] = ours;
    if (!it_speaks || is_tty)
        hold.child_in = ours;
}

static void end_child(void)
{
    int raw;
    hold_drop(&hold);
    assert_int_equal(waitpid(child, &raw, 0), child);
    assert_int_equal(raw, 0);
    assert_int_equal(shared->wrong, 0);
}

/* ---- movers ------------------------------------------------------------------------- */

static uint64_t *typed(void)
{
    return (uint64_t *)(void *)hold.block->record;
}

static bool drops; /* the oldest output makes room */

static void take_once(void)
{
    int n = hold_take(&hold, 0, 1 + roll(4096));
    if (n == 0)
        wait_for(hold.child_out[0], POLLIN, 1);
}

static void type_once(void)
{
    uint8_t keys[4096];
    size_t len = 1 + roll(roll(4) == 0 ? sizeof(keys) : 40);
    fill(keys, len, *typed());
    if (roll(3) > 0)
        (void)hold_put(&hold, typed(), view_of(keys, len));
    if (hold_feed(&hold) < 0)
        _exit(1);
    if (hold.queued > 32768)
        wait_for(hold.child_in, POLLOUT, 1);
}

static _Noreturn void move_for_ever(void (*once)(void))
{
    hold_settle(&hold);
    shared->alive = 1;
    for (;;)
        once();
}

/* A short life, and what it leaves behind, settled. */
static void live_and_die(void (*once)(void))
{
    int raw;
    chance += 1;
    shared->alive = 0;
    int pid = fork_quietly();
    if (pid == 0)
        move_for_ever(once);
    while (!shared->alive && waitpid(pid, &raw, WNOHANG) == 0)
        sched_yield();
    struct timespec pause = {.tv_nsec = 1000L * roll(LIFE_US_MAX)};
    nanosleep(&pause, NULL);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &raw, 0), pid);
    assert_true(WIFSIGNALED(raw) && WTERMSIG(raw) == SIGKILL);
    hold_settle(&hold);
}

/* ---- output ------------------------------------------------------------------------- */

static uint64_t heard, gap;

/* The whole ring: what an earlier life left must stay. */
static void compare_ring(void)
{
    const struct ring *r = &hold.ring[0];
    uint64_t off = r->head;
    assert_true(r->tail >= heard && r->tail - r->head <= RING);
    if (r->head > heard)
        gap += r->head - heard;
    while (off < r->tail) {
        struct view v = ring_at(r, off);
        for (size_t i = 0; i < v.len; i++)
            if (v.ptr[i] != byte_at(off + i))
                fail_msg("output differs at %llu of %llu",
                         (unsigned long long)(off + i),
                         (unsigned long long)r->tail);
        off += v.len;
    }
    heard = r->tail;
    if (!drops)
        hold_want(&hold, 0, r->tail);
}

static void drain(void)
{
    int n;
    shared->stop = 1;
    while ((n = hold_take(&hold, 0, 4096)) >= 0) {
        if (n == 0)
            wait_for(hold.child_out[0], POLLIN, 10);
        if (n > 0)
            compare_ring();
    }
    assert_int_equal(n, ERR_CLOSED);
}

static void hear_all(bool is_tty, bool with_drops)
{
    drops = with_drops;
    heard = gap = 0;
    start_child(is_tty, true);
    hold_want(&hold, 0, drops ? HOLD_ALL_MAY_GO : 0);
    for (int i = 0; i < KILLS; i++) {
        live_and_die(take_once);
        compare_ring();
    }
    drain();
    assert_int_equal(heard, shared->total);
    print_message("# %d kills, %llu bytes heard, %llu dropped\n", KILLS,
                  (unsigned long long)heard, (unsigned long long)gap);
    assert_true(heard > 100000);
    if (!drops)
        assert_int_equal(gap, 0);
    end_child();
}

static void output_of_a_command_is_exact(void **state)
{
    (void)state;
    hear_all(false, false);
}

static void output_on_a_terminal_is_exact(void **state)
{
    (void)state;
    hear_all(true, false);
}

static void what_a_full_ring_drops_is_counted(void **state)
{
    (void)state;
    hear_all(true, true);
}

/* ---- input -------------------------------------------------------------------------- */

static void type_all(bool is_tty)
{
    start_child(is_tty, false);
    for (int i = 0; i < KILLS; i++)
        live_and_die(type_once);
    while (hold.queued > 0) {
        assert_int_equal(hold_feed(&hold), OK);
        wait_for(hold.child_in, POLLOUT, 10);
    }
    for (int ms = 0; ms < 10000 && shared->total < *typed(); ms++)
        wait_for(-1, 0, 1);
    print_message("# %d kills, %llu bytes typed\n", KILLS,
                  (unsigned long long)*typed());
    assert_int_equal(shared->wrong, 0);
    assert_int_equal(shared->total, *typed());
    assert_true(*typed() > 100000);
    end_child();
}

static void input_of_a_command_is_exact(void **state)
{
    (void)state;
    type_all(false);
}

static void input_on_a_terminal_is_exact(void **state)
{
    (void)state;
    type_all(true);
}

/* ---- without a kill ------------------------------------------------------------------- */

static uint8_t said[4096];

static size_t read_child(int fd)
{
    ssize_t n = read(fd, said, sizeof(said));
    return n > 0 ? (size_t)n : 0;
}

static void the_end_of_input_comes_behind_the_last_byte(void **state)
{
    int theirs, ours;
    (void)state;
    open_pipe(&ours, &theirs, false);
    assert_int_equal(hold_new(&hold, 1, 4096), OK);
    hold.child_in = ours;
    assert_int_equal(hold_put(&hold, typed(), view_str("last")), 4);
    hold_end_in(&hold);
    assert_true(hold_feeds(&hold));
    assert_int_equal(fcntl(theirs, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(read_child(theirs), 0);
    hold_settle(&hold); /* another one does it */
    assert_int_equal(hold_feed(&hold), OK);
    assert_false(hold_feeds(&hold));
    assert_int_equal(read_child(theirs), 4);
    assert_int_equal(read(theirs, said, 1), 0);
    close(theirs);
    hold_drop(&hold);
}

static void who_hung_moves_nothing_when_another_has_the_turn(void **state)
{
    int theirs, ours;
    (void)state;
    open_pipe(&ours, &theirs, true);
    assert_int_equal(hold_new(&hold, 1, 4096), OK);
    hold.child_out[0] = ours;
    struct hold old = hold;
    hold_settle(&hold);
    assert_int_equal(write(theirs, "abc", 3), 3);
    assert_int_equal(hold_take(&old, 0, 100), 0);
    assert_int_equal(hold_put(&old, typed(), view_str("x")), 0);
    assert_int_equal(hold_put(&hold, typed(), view_str("y")), 1);
    assert_int_equal(hold_take(&hold, 0, 100), 3);
    assert_int_equal(*typed(), 1);
    close(theirs);
    hold_drop(&hold);
}

/* An agent moved more than the ring holds, and was killed. */
static void more_may_wait_than_the_ring_holds(void **state)
{
    uint8_t many[10000];
    int n, total = 0;
    (void)state;
    fill(many, sizeof(many), 0);
    assert_int_equal(hold_new(&hold, 1, 4096), OK);
    assert_int_equal(port_send(hold.out[0][1], view_of(many, sizeof(many))),
                     sizeof(many));
    hold_settle(&hold);
    while ((n = hold_take(&hold, 0, 4096)) > 0)
        total += n;
    assert_int_equal(n, ERR_CLOSED);
    assert_int_equal(total, sizeof(many));
    drops = true;
    heard = 0;
    compare_ring();
    assert_int_equal(hold.ring[0].tail, sizeof(many));
    assert_int_equal(hold.ring[0].head, sizeof(many) - 4096);
    hold_drop(&hold);
}

static void what_is_wanted_stays_in_a_full_ring(void **state)
{
    uint8_t many[5000];
    int theirs, ours;
    (void)state;
    fill(many, sizeof(many), 0);
    open_pipe(&ours, &theirs, true);
    assert_int_equal(hold_new(&hold, 2, 4096), OK);
    hold.child_out[0] = ours;
    assert_int_equal(write(theirs, many, sizeof(many)), sizeof(many));
    assert_int_equal(hold_take(&hold, 0, 100000), 4096);
    assert_int_equal(hold_take(&hold, 0, 100000), 0);
    assert_int_equal(hold.ring[0].head, 0);
    hold_want(&hold, 0, 10);
    assert_int_equal(hold_take(&hold, 0, 100000), 10);
    assert_int_equal(hold.ring[0].head, 10);
    hold_want(&hold, 0, HOLD_ALL_MAY_GO);
    assert_int_equal(hold_take(&hold, 0, 100000), sizeof(many) - 4106);
    assert_int_equal(hold.ring[0].head, sizeof(many) - 4096);
    close(theirs);
    hold_drop(&hold);
}

/* Nothing else would be readable then: it would wait for more output. */
static void one_take_goes_over_the_end_of_the_ring(void **state)
{
    uint8_t many[4090];
    int theirs, ours;
    (void)state;
    fill(many, sizeof(many), 0);
    for (int drop = 0; drop < 2; drop++) {
        open_pipe(&ours, &theirs, true);
        assert_int_equal(hold_new(&hold, 1, 4096), OK);
        hold.child_out[0] = ours;
        hold_want(&hold, 0, drop != 0 ? HOLD_ALL_MAY_GO : 0);
        assert_int_equal(write(theirs, many, sizeof(many)), sizeof(many));
        assert_int_equal(hold_take(&hold, 0, 4096), sizeof(many));
        if (drop == 0) { /* it waits until nobody wants those bytes */
            assert_int_equal(hold_room(&hold, 0), 6);
            hold_want(&hold, 0, sizeof(many));
        }
        assert_int_equal(write(theirs, many, 100), 100);
        assert_int_equal(hold_take(&hold, 0, 4096), 100);
        assert_int_equal(hold.waiting[0], 0);
        assert_int_equal(hold.ring[0].tail, sizeof(many) + 100);
        close(theirs);
        hold_drop(&hold);
    }
}

/* ---- messages -------------------------------------------------------------------------- */

/* Both sides in one process: the keeper's, and what the agent makes of it. */
static int greet(struct hold *agent, const struct hold *keeper)
{
    struct hold_message m;
    int ends[2];
    hold_none(agent);
    assert_int_equal(port_local_pair(ends), OK);
    agent->conn = ends[0];
    assert_true(hold_send_hello(keeper, ends[1], true) > 0);
    int got = hold_recv(agent, &m);
    port_close(ends[1]);
    return got;
}

static void an_agent_gets_what_the_keeper_has(void **state)
{
    struct hold agent;
    int theirs, ours;
    (void)state;
    open_pipe(&ours, &theirs, true);
    assert_int_equal(hold_new(&hold, HOLD_STREAMS, 4096), OK);
    hold.child_out[1] = ours;
    assert_int_equal(greet(&agent, &hold), 1);
    assert_true(agent.child_out[0] < 0 && agent.child_in < 0);
    assert_int_equal(write(theirs, "abc", 3), 3);
    assert_int_equal(hold_take(&agent, 1, 100), 3);
    assert_int_equal(hold.block->out[1].tail, 3);
    close(theirs);
    hold_drop(&agent);
    hold_drop(&hold);
}

static void a_block_that_makes_no_sense_is_refused(void **state)
{
    struct hold agent;
    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(hold_new(&hold, 1, 4096), OK);
        struct hold_block *b = hold.block;
        b->magic += i == 0;
        b->version = i == 1 ? 0 : b->version;
        b->ring_bytes = i == 2 ? 8192 : i == 3 ? 4095 : b->ring_bytes;
        if (i == 4)
            b->in.counter = 7; /* nonsense, and a load that seems cut short */
        b->in.loading = i == 4;
        assert_int_equal(greet(&agent, &hold), i == 4 ? 1 : ERR_PROTO);
        hold_drop(&agent);
        hold_drop(&hold);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_of_a_command_is_exact),
        cmocka_unit_test(output_on_a_terminal_is_exact),
        cmocka_unit_test(what_a_full_ring_drops_is_counted),
        cmocka_unit_test(what_is_wanted_stays_in_a_full_ring),
        cmocka_unit_test(input_of_a_command_is_exact),
        cmocka_unit_test(input_on_a_terminal_is_exact),
        cmocka_unit_test(the_end_of_input_comes_behind_the_last_byte),
        cmocka_unit_test(who_hung_moves_nothing_when_another_has_the_turn),
        cmocka_unit_test(more_may_wait_than_the_ring_holds),
        cmocka_unit_test(one_take_goes_over_the_end_of_the_ring),
        cmocka_unit_test(an_agent_gets_what_the_keeper_has),
        cmocka_unit_test(a_block_that_makes_no_sense_is_refused),
    };
    const char *given = getenv("SEED");
    chance = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    print_message("# seed %llu\n", (unsigned long long)chance);
    alarm(GIVE_UP_S);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
