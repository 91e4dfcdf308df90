/* What outlives a process: memory, buffers, handles in messages, programs. */
#include "port/port.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/port/scratch.h"

static uint8_t bytes[128 * 1024];

/* What `f` does happens in a process that is gone then. */
static void elsewhere(void (*f)(void *), void *ctx)
{
    int raw, pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        f(ctx);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &raw, 0), pid);
    assert_int_equal(raw, 0);
}

/* ---- memory ----------------------------------------------------------------------- */

static void write_into(void *ctx)
{
    struct span mem;
    if (port_shared_map(*(int *)ctx, &mem) != OK || mem.len != 8192)
        _exit(1);
    mem.ptr[8191] = 'x';
}

static void memory_is_zero_and_seen_by_all(void **state)
{
    struct span mem;
    (void)state;
    int h = port_shared_new(8192, &mem);
    assert_true(h > 3);
    assert_int_equal(mem.len, 8192);
    for (size_t i = 0; i < mem.len; i++)
        assert_int_equal(mem.ptr[i], 0);
    elsewhere(write_into, &h);
    assert_int_equal(mem.ptr[8191], 'x');
    port_close(h);
    assert_int_equal(mem.ptr[8191], 'x'); /* mapped still */
    port_shared_unmap(mem);
}

static void its_size_is_fixed(void **state)
{
    struct span mem;
    (void)state;
    int h = port_shared_new(4096, &mem);
    assert_int_equal(ftruncate(h, 0), -1);
    assert_int_equal(ftruncate(h, 8192), -1);
    port_close(h);
    port_shared_unmap(mem);
}

static void what_could_shrink_is_not_mapped(void **state)
{
    struct span mem = {0};
    int ends[2];
    (void)state;
    int loose = memfd_create("loose", MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(loose, 4096), 0);
    assert_int_equal(port_shared_map(loose, &mem), ERR_RANGE);
    assert_int_equal(fcntl(loose, F_ADD_SEALS, F_SEAL_GROW), 0);
    assert_int_equal(port_shared_map(loose, &mem), ERR_RANGE);
    assert_int_equal(fcntl(loose, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    assert_int_equal(port_shared_map(loose, &mem), OK);
    port_shared_unmap(mem);
    port_close(loose);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(port_shared_map(ends[0], &mem), ERR_RANGE);
    port_close(ends[0]);
    port_close(ends[1]);
    assert_int_equal(port_shared_map(ends[0], &mem), ERR_RANGE);
    port_shared_unmap((struct span){0}); /* does nothing */
}

/* ---- buffers ------------------------------------------------------------------------ */

static void write_end(void *ctx)
{
    if (port_send(((int *)ctx)[1], view_str("kept")) != 4)
        _exit(1);
}

static void a_buffer_keeps_what_a_dead_process_wrote(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(port_buffer_open(ends), OK);
    assert_true(ends[0] > 3 && ends[1] > 3);
    elsewhere(write_end, ends);
    assert_int_equal(port_buffer_held(ends[0]), 4);
    assert_int_equal(port_buffer_held(ends[1]), 4);
    assert_int_equal(port_recv(ends[0], SPAN_ARRAY(bytes)), 4);
    assert_memory_equal(bytes, "kept", 4);
    assert_int_equal(port_buffer_held(ends[0]), 0);
    assert_int_equal(port_recv(ends[0], SPAN_ARRAY(bytes)), 0);
    port_close(ends[1]);
    assert_int_equal(port_recv(ends[0], SPAN_ARRAY(bytes)), ERR_CLOSED);
    port_close(ends[0]);
}

/* How many bytes went in until no more did. */
static int fill_up(int end, size_t piece)
{
    int n, total = 0;
    while ((n = port_send(end, view_of(bytes, piece))) > 0) {
        assert_in_range(n, 1, piece);
        total += n;
    }
    assert_int_equal(n, 0);
    return total;
}

static void what_does_not_fit_waits_outside(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(port_buffer_open(ends), OK);
    int held = fill_up(ends[1], 4096);
    assert_true(held >= 60 * 1024);
    assert_int_equal(port_buffer_held(ends[0]), held);
    assert_int_equal(port_recv(ends[0], (struct span){bytes, 100}), 100);
    int n = port_send(ends[1], view_of(bytes, 4096));
    assert_in_range(n, 0, 100);
    assert_int_equal(port_buffer_held(ends[0]), held - 100 + n);
    port_close(ends[0]);
    assert_int_equal(port_send(ends[1], view_str("x")), ERR_CLOSED);
    port_close(ends[1]);
}

static void pieces_of_every_size_go_in(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= 4096; piece += 409) {
        int ends[2];
        assert_int_equal(port_buffer_open(ends), OK);
        int total = fill_up(ends[1], piece);
        assert_int_equal(port_buffer_held(ends[0]), total);
        port_close(ends[0]);
        port_close(ends[1]);
    }
}

/* ---- moving -------------------------------------------------------------------------- */

struct terminal {
    int master, slave;
};

static struct terminal open_terminal(void)
{
    struct termios modes;
    struct terminal t;
    t.master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert_true(t.master >= 0 && grantpt(t.master) == 0 &&
                unlockpt(t.master) == 0);
    t.slave = open(ptsname(t.master), O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert_int_equal(tcgetattr(t.slave, &modes), 0);
    cfmakeraw(&modes);
    assert_int_equal(tcsetattr(t.slave, TCSANOW, &modes), 0);
    return t;
}

static void bytes_move_from_a_terminal(void **state)
{
    int ends[2];
    (void)state;
    struct terminal t = open_terminal();
    assert_int_equal(port_buffer_open(ends), OK);
    assert_int_equal(port_move(t.master, ends[1], 100), 0);
    assert_int_equal(write(t.slave, "abcdef", 6), 6);
    (void)scratch_ready(t.master, PORT_READ);
    assert_int_equal(port_move(t.master, ends[1], 0), 0);
    assert_int_equal(port_move(t.master, ends[1], 4), 4);
    assert_int_equal(port_buffer_held(ends[0]), 4);
    assert_int_equal(port_move(t.master, ends[1], 100), 2);
    assert_int_equal(port_recv(ends[0], SPAN_ARRAY(bytes)), 6);
    assert_memory_equal(bytes, "abcdef", 6);
    close(t.slave);
    (void)scratch_ready(t.master, PORT_READ);
    assert_int_equal(port_move(t.master, ends[1], 100), ERR_CLOSED);
    port_close(t.master);
    port_close(ends[0]);
    port_close(ends[1]);
}

static void bytes_move_into_a_terminal(void **state)
{
    int ends[2];
    (void)state;
    struct terminal t = open_terminal();
    assert_int_equal(port_buffer_open(ends), OK);
    assert_int_equal(port_move(ends[0], t.master, 100), 0);
    assert_int_equal(port_send(ends[1], view_str("abcdef")), 6);
    assert_int_equal(port_move(ends[0], t.master, 4), 4);
    assert_int_equal(port_buffer_held(ends[0]), 2);
    assert_int_equal(port_move(ends[0], t.master, 100), 2);
    (void)scratch_ready(t.slave, PORT_READ);
    assert_int_equal(port_recv(t.slave, SPAN_ARRAY(bytes)), 6);
    assert_memory_equal(bytes, "abcdef", 6);
    close(t.slave);
    port_close(t.master);
    port_close(ends[0]);
    port_close(ends[1]);
}

/* Nobody reads on it: what does not fit stays in the buffer. */
static void a_full_terminal_takes_no_more(void **state)
{
    int ends[2];
    long in = 0, out = 0;
    (void)state;
    struct terminal t = open_terminal();
    assert_int_equal(port_buffer_open(ends), OK);
    for (int idle = 0; idle < 3;) {
        int n = port_send(ends[1], view_of(bytes, 4096));
        in += n;
        int moved = port_move(ends[0], t.master, sizeof(bytes));
        assert_true(n >= 0 && moved >= 0);
        out += moved;
        idle = moved == 0 && n == 0 ? idle + 1 : 0;
    }
    assert_int_equal(port_buffer_held(ends[0]), in - out);
    int n;
    while (in > 0) {
        (void)scratch_ready(t.slave, PORT_READ);
        n = port_recv(t.slave, SPAN_ARRAY(bytes));
        assert_true(n >= 0);
        in -= n;
        assert_true(port_move(ends[0], t.master, sizeof(bytes)) >= 0);
    }
    assert_int_equal(in, 0);
    close(t.slave);
    port_close(t.master);
    port_close(ends[0]);
    port_close(ends[1]);
}

static void bytes_move_through_pipes(void **state)
{
    int from[2], to[2], ends[2];
    (void)state;
    assert_int_equal(pipe2(from, O_NONBLOCK), 0);
    assert_int_equal(pipe2(to, O_NONBLOCK), 0);
    assert_int_equal(port_buffer_open(ends), OK);
    assert_int_equal(port_move(from[0], ends[1], 10), 0);
    assert_int_equal(write(from[1], "abcdef", 6), 6);
    assert_int_equal(port_move(from[0], ends[1], 4), 4);
    assert_int_equal(port_move(from[0], ends[1], 4), 2);
    close(from[1]);
    assert_int_equal(port_move(from[0], ends[1], 4), ERR_CLOSED);
    assert_int_equal(port_move(ends[0], to[1], 10), 6);
    assert_int_equal(port_recv(to[0], SPAN_ARRAY(bytes)), 6);
    assert_memory_equal(bytes, "abcdef", 6);
    assert_int_equal(port_move(ends[0], to[1], 10), 0);
    close(to[0]);
    assert_int_equal(port_send(ends[1], view_str("x")), 1);
    assert_int_equal(port_move(ends[0], to[1], 10), ERR_CLOSED);
    assert_int_equal(port_buffer_held(ends[0]), 1);
    close(from[0]);
    close(to[1]);
    port_close(ends[0]);
    port_close(ends[1]);
}

/* ---- handles ------------------------------------------------------------------------- */

static void a_message_brings_handles(void **state)
{
    int conn[2], ends[2], got[PORT_PASS_MAX], n = -1;
    (void)state;
    assert_int_equal(port_local_pair(conn), OK);
    assert_int_equal(port_buffer_open(ends), OK);
    assert_int_equal(port_pass_recv(conn[1], SPAN_ARRAY(bytes), got, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(port_pass_send(conn[0], view_str("take"), ends, 2), 4);
    port_close(ends[0]); /* the message holds what it carries */
    port_close(ends[1]);
    assert_int_equal(port_pass_recv(conn[1], SPAN_ARRAY(bytes), got, &n), 4);
    assert_int_equal(n, 2);
    assert_memory_equal(bytes, "take", 4);
    assert_true(got[0] > 3 && got[1] > 3);
    assert_true((fcntl(got[0], F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(port_send(got[1], view_str("x")), 1);
    assert_int_equal(port_recv(got[0], SPAN_ARRAY(bytes)), 1);
    port_close(got[0]);
    port_close(got[1]);
    port_close(conn[0]);
    assert_int_equal(port_pass_recv(conn[1], SPAN_ARRAY(bytes), got, &n),
                     ERR_CLOSED);
    assert_int_equal(n, 0);
    port_close(conn[1]);
}

static void a_message_brings_as_many_as_it_may(void **state)
{
    int conn[2], many[PORT_PASS_MAX], got[PORT_PASS_MAX], n;
    (void)state;
    int before = scratch_handles();
    assert_int_equal(port_local_pair(conn), OK);
    for (int i = 0; i < PORT_PASS_MAX; i++)
        many[i] = conn[1];
    assert_int_equal(
        port_pass_send(conn[0], view_str("x"), many, PORT_PASS_MAX), 1);
    assert_int_equal(port_pass_send(conn[0], view_str("yz"), NULL, 0), 2);
    struct span one = {bytes, 1}, two = {bytes, 2};
    assert_int_equal(port_pass_recv(conn[1], one, got, &n), 1);
    assert_int_equal(n, PORT_PASS_MAX);
    for (int i = 0; i < n; i++)
        port_close(got[i]);
    assert_int_equal(port_pass_recv(conn[1], two, got, &n), 2);
    assert_int_equal(n, 0);
    port_close(conn[1]);
    assert_int_equal(port_pass_send(conn[0], view_str("x"), many, 0),
                     ERR_CLOSED);
    port_close(conn[0]);
    assert_int_equal(scratch_handles(), before);
}

static void a_plain_read_of_a_message_leaves_nothing_open(void **state)
{
    int conn[2];
    (void)state;
    int before = scratch_handles();
    assert_int_equal(port_local_pair(conn), OK);
    assert_int_equal(port_pass_send(conn[0], view_str("x"), conn, 2), 1);
    assert_int_equal(port_recv(conn[1], SPAN_ARRAY(bytes)), 1);
    port_close(conn[0]);
    port_close(conn[1]);
    assert_int_equal(scratch_handles(), before);
}

/* ---- this program again ----------------------------------------------------------------- */

/* As the child: what it was given goes back through its standard input. */
static int answer(int argc, char **argv)
{
    char text[400], link[100] = "";
    char *given = getenv("GIVEN"), cwd[100];
    ssize_t n = readlink("/proc/self/fd/1", link, sizeof(link) - 1);
    int len = snprintf(text, sizeof(text), "%s|%s|%s|%s|%s|%d|%d|%s", argv[0],
                       argv[1], argc > 2 ? argv[2] : "",
                       given != NULL ? given : "", n > 0 ? link : "",
                       getsid(0) == getpid(), fcntl(3, F_GETFD) >= 0,
                       getcwd(cwd, sizeof(cwd)) != NULL ? cwd : "");
    return write(0, text, (size_t)len) == len ? 0 : 1;
}

static void this_program_starts_itself(void **state)
{
    const char *argv[] = {"other-name", "answer", "a b  c", NULL};
    const char *env[] = {"GIVEN=this one", NULL};
    struct port_spawn what = {.argv = argv, .env = env, .cwd = "/"};
    int conn[2];
    (void)state;
    assert_int_equal(port_local_pair(conn), OK);
    assert_int_equal(port_self_spawn(&what, conn[1]), OK);
    port_close(conn[1]);
    assert_int_equal(scratch_read_all(conn[0]), ERR_CLOSED);
    assert_string_equal(scratch_seen,
                        "other-name|answer|a b  c|this one|/dev/null|1|0|/");
    port_close(conn[0]);
    int raw;
    assert_true(waitpid(-1, &raw, 0) > 0);
    assert_int_equal(raw, 0);
}

static void a_folder_it_cannot_enter_is_told(void **state)
{
    const char *argv[] = {"other-name", "answer", NULL};
    struct port_spawn what = {.argv = argv, .cwd = "/no/such"};
    int conn[2];
    (void)state;
    int before = scratch_handles();
    assert_int_equal(port_local_pair(conn), OK);
    assert_int_equal(port_self_spawn(&what, conn[1]), ERR_RANGE);
    port_close(conn[0]);
    port_close(conn[1]);
    assert_int_equal(scratch_handles(), before);
}

/* ---- folders ---------------------------------------------------------------------------- */

static char seen[64][32];
static int seen_count;

static void note(void *ctx, const char *name)
{
    assert_ptr_equal(ctx, seen);
    snprintf(seen[seen_count++ % 64], sizeof(seen[0]), "%s", name);
}

static bool was_seen(const char *name)
{
    int n = 0;
    for (int i = 0; i < seen_count && i < 64; i++)
        n += strcmp(seen[i], name) == 0;
    return n == 1;
}

static void a_folder_tells_all_its_entries(void **state)
{
    (void)state;
    assert_int_equal(port_keep_folder(scratch_path("empty")), OK);
    seen_count = 0;
    assert_int_equal(port_folder_list(scratch_path("empty"), note, seen), OK);
    assert_int_equal(seen_count, 0);
    int l = port_local_listen(scratch_path("full/socket"));
    assert_true(l >= 0);
    assert_int_equal(port_keep_write(scratch_path("full/file"), view_str("x")),
                     OK);
    assert_int_equal(port_keep_folder(scratch_path("full/.folder/deep")), OK);
    assert_int_equal(port_folder_list(scratch_path("full"), note, seen), OK);
    assert_int_equal(seen_count, 3);
    assert_true(was_seen("socket") && was_seen("file") && was_seen(".folder"));
    port_close(l);
    assert_int_equal(port_folder_list(scratch_path("none"), note, seen),
                     ERR_NOT_FOUND);
    assert_true(port_folder_list(scratch_path("full/file"), note, seen) < 0);
}

static void a_large_folder_is_told_as_well(void **state)
{
    char name[64];
    (void)state;
    assert_int_equal(port_keep_folder(scratch_path("large")), OK);
    for (int i = 0; i < 700; i++) {
        snprintf(name, sizeof(name), "large/a-rather-long-name-%d", i);
        scratch_file(name, "", 0600);
    }
    seen_count = 0;
    assert_int_equal(port_folder_list(scratch_path("large"), note, seen), OK);
    assert_int_equal(seen_count, 700);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zero_and_seen_by_all),
        cmocka_unit_test(its_size_is_fixed),
        cmocka_unit_test(what_could_shrink_is_not_mapped),
        cmocka_unit_test(a_buffer_keeps_what_a_dead_process_wrote),
        cmocka_unit_test(what_does_not_fit_waits_outside),
        cmocka_unit_test(pieces_of_every_size_go_in),
        cmocka_unit_test(bytes_move_from_a_terminal),
        cmocka_unit_test(bytes_move_into_a_terminal),
        cmocka_unit_test(a_full_terminal_takes_no_more),
        cmocka_unit_test(bytes_move_through_pipes),
        cmocka_unit_test(a_message_brings_handles),
        cmocka_unit_test(a_message_brings_as_many_as_it_may),
        cmocka_unit_test(a_plain_read_of_a_message_leaves_nothing_open),
        cmocka_unit_test(this_program_starts_itself),
        cmocka_unit_test(a_folder_it_cannot_enter_is_told),
        cmocka_unit_test(a_folder_tells_all_its_entries),
        cmocka_unit_test(a_large_folder_is_told_as_well),
    };
    if (argc > 1 && strcmp(argv[1], "answer") == 0)
        return answer(argc, argv);
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
