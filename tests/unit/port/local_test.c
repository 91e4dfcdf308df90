/* Local sockets: who may, where, and what a crash leaves behind. */
#include "port/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/port/scratch.h"

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static int listen_at(const char *path)
{
    int h = port_local_listen(path);
    assert_true(h > 3);
    return h;
}

/* Listen, dial, exchange, close; the socket's file stays. */
static void exchange(const char *path)
{
    struct port_addr from = {.port = 9};
    int l = listen_at(path);
    int a = port_local_dial(path);
    assert_true(a > 3);
    int b = port_accept(l, &from);
    assert_true(b > 3);
    assert_int_equal(from.port, 0);
    assert_true(port_local_same_user(a));
    assert_true(port_local_same_user(b));
    scratch_send(a, view_str("there"));
    port_close(a);
    assert_int_equal(scratch_read_all(b), ERR_CLOSED);
    assert_string_equal(scratch_seen, "there");
    port_close(b);
    port_close(l);
}

static void bytes_go_through_a_private_socket(void **state)
{
    const char *path = scratch_path("run/a.sock");
    (void)state;
    umask(0);
    exchange(path);
    umask(022);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(mode_of(scratch_path("run")), 0700);
}

/* sockaddr_un holds 107 bytes; a home folder may be deeper. */
static void a_long_path_works_as_well(void **state)
{
    char name[500] = "";
    (void)state;
    for (int i = 0; i < 12; i++)
        strcat(name, "a-folder-with-a-rather-long-name/");
    strcat(name, "s");
    exchange(scratch_path(name));
}

static void every_length_around_the_limit_works(void **state)
{
    (void)state;
    size_t base = strlen(scratch_path(""));
    for (size_t len = 100; len <= 112; len++) {
        char name[120] = "";
        memset(name, 'n', len - base);
        exchange(scratch_path(name));
    }
}

static void a_name_that_fits_nowhere_is_out_of_range(void **state)
{
    char name[200] = "deep/";
    (void)state;
    memset(name + 5, 'n', 150);
    assert_int_equal(port_local_listen(scratch_path(name)), ERR_RANGE);
    assert_int_equal(port_local_listen(scratch_path("deep/")), ERR_RANGE);
}

static void a_live_socket_is_not_replaced(void **state)
{
    const char *path = scratch_path("live.sock");
    int l = listen_at(path);
    (void)state;
    assert_int_equal(port_local_listen(path), ERR_EXISTS);
    int a = port_local_dial(path); /* the first one goes on */
    assert_true(a >= 0);
    port_close(a);
    port_close(l);
}

static void a_stale_socket_is_refused_then_replaced(void **state)
{
    const char *path = scratch_path("stale.sock");
    (void)state;
    port_close(listen_at(path));
    assert_int_equal(port_local_dial(path), ERR_REFUSED);
    exchange(path);
}

static void a_file_that_is_no_socket_is_not_replaced(void **state)
{
    uint8_t buf[16];
    (void)state;
    scratch_file("plain", "precious", 0600);
    assert_int_equal(port_local_listen(scratch_path("plain")), ERR_EXISTS);
    assert_int_equal(
        port_keep_read(scratch_path("plain"), false, SPAN_ARRAY(buf)), 8);
    assert_int_equal(symlink("nowhere", scratch_path("link")), 0);
    assert_int_equal(port_local_listen(scratch_path("link")), ERR_EXISTS);
}

/* Only a socket may be left over; the rest is not a keeper's, and stays. */
static void what_is_no_socket_is_not_found(void **state)
{
    (void)state;
    scratch_file("note", "precious", 0600);
    assert_int_equal(symlink("note", scratch_path("alias")), 0);
    assert_int_equal(mkfifo(scratch_path("fifo"), 0600), 0);
    assert_int_equal(port_local_dial(scratch_path("note")), ERR_NOT_FOUND);
    assert_int_equal(port_local_dial(scratch_path("alias")), ERR_NOT_FOUND);
    assert_int_equal(port_local_dial(scratch_path("fifo")), ERR_NOT_FOUND);
    port_close(listen_at(scratch_path("dead.sock")));
    unlink(scratch_path("alias"));
    assert_int_equal(symlink("dead.sock", scratch_path("alias")), 0);
    assert_int_equal(port_local_dial(scratch_path("alias")), ERR_NOT_FOUND);
}

static void nothing_there_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(port_local_dial(scratch_path("none")), ERR_NOT_FOUND);
    assert_int_equal(port_local_dial(scratch_path("no/where")), ERR_NOT_FOUND);
}

/* A keeper looks so for its own. */
static void a_socket_is_there_though_no_file(void **state)
{
    const char *path = scratch_path("run/a.sock");
    (void)state;
    int l = listen_at(path);
    assert_int_equal(port_file_open(path), ERR_UNSUPPORTED);
    port_close(l);
    assert_int_equal(port_file_open(path), ERR_UNSUPPORTED);
    assert_int_equal(port_keep_remove(path), OK);
    assert_int_equal(port_file_open(path), ERR_NOT_FOUND);
}

static void a_folder_that_others_may_write_is_denied(void **state)
{
    (void)state;
    assert_int_equal(mkdir(scratch_path("open"), 0700), 0);
    assert_int_equal(chmod(scratch_path("open"), 0777), 0);
    assert_int_equal(port_local_listen(scratch_path("open/s")), ERR_DENIED);
}

static void a_full_queue_is_busy(void **state)
{
    const char *path = scratch_path("busy.sock");
    int handles[4096], n = 0;
    int l = listen_at(path);
    (void)state;
    while (n < 4096 && (handles[n] = port_local_dial(path)) >= 0)
        n++;
    assert_true(n < 4096);
    assert_int_equal(handles[n], ERR_BUSY);
    while (n > 0)
        port_close(handles[--n]);
    port_close(l);
}

/* Another user reaches a socket only if somebody opened its folder; then the
 * peer's number tells. Needs root to become somebody else. */
static void another_user_is_told_apart(void **state)
{
    const char *path = scratch_path("shared.sock");
    int raw;
    (void)state;
    if (geteuid() != 0)
        skip();
    int l = listen_at(path);
    assert_int_equal(chmod(path, 0777), 0);
    assert_int_equal(chmod(scratch_path(""), 0711), 0);
    int pid = fork();
    if (pid == 0) {
        int h = setuid(65534) < 0 ? -1 : port_local_dial(path);
        /* The listener is root, so we trust it. */
        _exit(h >= 0 && port_local_same_user(h) ? 0 : 1);
    }
    scratch_ready(l, PORT_READ);
    int b = port_accept(l, NULL);
    assert_true(b >= 0);
    assert_false(port_local_same_user(b));
    assert_int_equal(waitpid(pid, &raw, 0), pid);
    assert_true(WIFEXITED(raw) && WEXITSTATUS(raw) == 0);
    port_close(b);
    port_close(l);
}

static void what_is_no_socket_is_nobody(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_false(port_local_same_user(ends[0]));
    close(ends[0]);
    close(ends[1]);
}

static void failures_leave_no_handle_open(void **state)
{
    int before = scratch_handles();
    (void)state;
    port_local_listen(scratch_path("plain"));
    port_local_dial(scratch_path("none"));
    port_local_dial(scratch_path("stale.sock"));
    port_local_listen(scratch_path("open/s"));
    assert_int_equal(scratch_handles(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_through_a_private_socket),
        cmocka_unit_test(a_long_path_works_as_well),
        cmocka_unit_test(every_length_around_the_limit_works),
        cmocka_unit_test(a_name_that_fits_nowhere_is_out_of_range),
        cmocka_unit_test(a_live_socket_is_not_replaced),
        cmocka_unit_test(a_stale_socket_is_refused_then_replaced),
        cmocka_unit_test(a_file_that_is_no_socket_is_not_replaced),
        cmocka_unit_test(what_is_no_socket_is_not_found),
        cmocka_unit_test(nothing_there_is_not_found),
        cmocka_unit_test(a_socket_is_there_though_no_file),
        cmocka_unit_test(a_folder_that_others_may_write_is_denied),
        cmocka_unit_test(a_full_queue_is_busy),
        cmocka_unit_test(another_user_is_told_apart),
        cmocka_unit_test(what_is_no_socket_is_nobody),
        cmocka_unit_test(failures_leave_no_handle_open),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
