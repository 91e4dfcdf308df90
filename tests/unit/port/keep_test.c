/* Records, folders and locks, with real file systems and their faults. */
#include "port/port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/port/scratch.h"

static uint8_t buf[4096];

static int read_file(const char *name)
{
    return port_keep_read(scratch_path(name), false, SPAN_ARRAY(buf));
}

static int write_file(const char *name, const char *text)
{
    return port_keep_write(scratch_path(name), view_str(text));
}

static void assert_holds(const char *name, const char *text)
{
    int n = read_file(name);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

static unsigned mode_of(const char *name)
{
    struct stat st;
    assert_int_equal(stat(scratch_path(name), &st), 0);
    return st.st_mode & 07777;
}

static int entries_in(const char *name)
{
    int count = -2; /* . and .. */
    DIR *d = opendir(scratch_path(name));
    assert_non_null(d);
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}

/* Become nobody in a child, since root may do everything. */
static int as_nobody(int (*fn)(void))
{
    int raw, pid = fork();
    if (pid == 0)
        _exit(geteuid() == 0 && setuid(65534) < 0 ? 99 : fn());
    assert_int_equal(waitpid(pid, &raw, 0), pid);
    assert_true(WIFEXITED(raw));
    return WEXITSTATUS(raw);
}

/* ---- write and read ---- */

static void what_is_written_is_read(void **state)
{
    (void)state;
    umask(0);
    assert_int_equal(write_file("record", "first"), OK);
    assert_holds("record", "first");
    assert_int_equal(write_file("record", "second, longer"), OK);
    assert_holds("record", "second, longer");
    assert_int_equal(write_file("record", ""), OK);
    assert_holds("record", "");
    umask(022);
    assert_int_equal(mode_of("record"), 0600);
    assert_int_equal(
        port_keep_write_fast(scratch_path("record"), view_str("fast")), OK);
    assert_holds("record", "fast");
    assert_int_equal(port_keep_remove(scratch_path("record")), OK);
    assert_int_equal(read_file("record"), ERR_NOT_FOUND);
    assert_int_equal(port_keep_remove(scratch_path("record")), ERR_NOT_FOUND);
}

static void nothing_else_is_left_in_the_folder(void **state)
{
    (void)state;
    mkdir(scratch_path("tidy"), 0700);
    for (int i = 0; i < 10; i++)
        assert_int_equal(write_file("tidy/record", "again"), OK);
    assert_int_equal(entries_in("tidy"), 1);
}

static void old_file(const char *name, int age_s)
{
    int fd = open(scratch_path(name), O_WRONLY | O_CREAT, 0600);
    struct timespec t[2] = {{.tv_sec = time(NULL) - age_s}};
    assert_true(fd >= 0);
    t[1] = t[0];
    assert_int_equal(futimens(fd, t), 0);
    close(fd);
}

/* It may hold what the record does not hold any more. */
static void what_a_killed_writer_left_goes_with_a_later_write(void **state)
{
    (void)state;
    mkdir(scratch_path("left"), 0700);
    old_file("left/.record.0123abcd", 3600);
    old_file("left/.record.4567cdef", 3600);
    old_file("left/.record.00000000", 1);        /* somebody's, now */
    old_file("left/.record.mine", 3600);         /* no file of ours */
    old_file("left/.record.old.0123abcd", 3600); /* another record's */
    assert_int_equal(write_file("left/record", "x"), OK);
    assert_int_equal(entries_in("left"), 4);
    assert_int_equal(write_file("left/record.old", "x"), OK);
    assert_int_equal(entries_in("left"), 4);
}

static void a_name_without_a_folder_is_in_the_current_one(void **state)
{
    char old[512];
    (void)state;
    assert_non_null(getcwd(old, sizeof(old)));
    assert_int_equal(chdir(scratch_path("")), 0);
    assert_int_equal(port_keep_write("here", view_str("x")), OK);
    assert_int_equal(chdir(old), 0);
    assert_holds("here", "x");
}

static void a_longest_name_works(void **state)
{
    char name[256];
    (void)state;
    memset(name, 'n', 255);
    name[255] = '\0';
    assert_int_equal(write_file(name, "x"), OK);
    assert_holds(name, "x");
}

static void what_is_no_file_name_is_refused(void **state)
{
    (void)state;
    assert_int_equal(write_file("", "x"), ERR_RANGE);
    assert_int_equal(write_file("tidy/", "x"), ERR_RANGE);
    assert_int_equal(write_file(".", "x"), ERR_RANGE);
    assert_int_equal(write_file("..", "x"), ERR_RANGE);
    assert_int_equal(write_file("no/where", "x"), ERR_NOT_FOUND);
    assert_int_equal(write_file("here/x", "x"), ERR_NOT_FOUND);
}

static void a_file_that_just_fits_is_read_one_larger_is_not(void **state)
{
    (void)state;
    assert_int_equal(write_file("five", "12345"), OK);
    const char *path = scratch_path("five");
    struct span room = {buf, 5};
    assert_int_equal(port_keep_read(path, false, room), 5);
    room.len = 4;
    assert_int_equal(port_keep_read(path, false, room), ERR_TOO_BIG);
    room.len = 0;
    assert_int_equal(port_keep_read(path, false, room), ERR_TOO_BIG);
}

static void a_secret_that_others_may_read_is_refused(void **state)
{
    static const unsigned bad[] = {0644, 0640, 0604, 0660, 0601};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        scratch_file("secret", "key", bad[i]);
        assert_int_equal(
            port_keep_read(scratch_path("secret"), true, SPAN_ARRAY(buf)),
            ERR_DAMAGED);
        assert_non_null(strstr(port_why(), "other users"));
        assert_holds("secret", "key"); /* as a plain record it is fine */
    }
    scratch_file("secret", "key", 0400);
    assert_int_equal(
        port_keep_read(scratch_path("secret"), true, SPAN_ARRAY(buf)), 3);
}

static void a_secret_of_another_user_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    scratch_file("theirs", "key", 0600);
    assert_int_equal(chown(scratch_path("theirs"), 65534, 65534), 0);
    assert_int_equal(
        port_keep_read(scratch_path("theirs"), true, SPAN_ARRAY(buf)),
        ERR_DAMAGED);
}

static void only_regular_files_are_records(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(scratch_path("fifo"), 0600), 0);
    assert_int_equal(read_file("fifo"), ERR_DENIED); /* and it returns */
    assert_int_equal(read_file("tidy"), ERR_DENIED);
    assert_int_equal(port_keep_read("/dev/null", false, SPAN_ARRAY(buf)),
                     ERR_DENIED);
    assert_true(port_keep_read("/proc/version", false, SPAN_ARRAY(buf)) > 0);
}

/* ---- faults ---- */

static int write_as_nobody(void)
{
    int err = write_file("closed/record", "new");
    return err == ERR_DENIED ? 0 : 1;
}

static void a_folder_we_may_not_write_leaves_the_old_record(void **state)
{
    (void)state;
    mkdir(scratch_path("closed"), 0755);
    scratch_file("closed/record", "old", 0644);
    chmod(scratch_path(""), 0755);
    chmod(scratch_path("closed"), 0555);
    int failed = as_nobody(write_as_nobody);
    chmod(scratch_path("closed"), 0755); /* so that it can be removed */
    assert_int_equal(failed, 0);
    assert_holds("closed/record", "old");
    assert_int_equal(entries_in("closed"), 1);
}

static void a_record_that_cannot_be_renamed_leaves_nothing(void **state)
{
    (void)state;
    mkdir(scratch_path("taken"), 0700);
    mkdir(scratch_path("taken/record"), 0700); /* a folder has the name */
    assert_int_equal(write_file("taken/record", "x"), ERR_DENIED);
    assert_non_null(strstr(port_why(), "rename"));
    assert_int_equal(entries_in("taken"), 1);
}

static void a_full_disk_leaves_the_old_record(void **state)
{
    static uint8_t big[256 * 1024];
    (void)state;
    mkdir(scratch_path("small"), 0700);
    if (mount("none", scratch_path("small"), "tmpfs", 0, "size=64k") < 0)
        skip(); /* needs root */
    int first = write_file("small/record", "old");
    int err = port_keep_write(scratch_path("small/record"), VIEW_ARRAY(big));
    int old = read_file("small/record");
    int count = entries_in("small");
    umount(scratch_path("small"));
    assert_int_equal(first, OK);
    assert_int_equal(err, ERR_NO_SPACE);
    assert_int_equal(old, 3);
    assert_memory_equal(buf, "old", 3);
    assert_int_equal(count, 1);
}

static void a_read_only_disk_is_denied(void **state)
{
    (void)state;
    mkdir(scratch_path("ro"), 0700);
    if (mount("none", scratch_path("ro"), "tmpfs", MS_RDONLY, NULL) < 0)
        skip();
    int err = write_file("ro/record", "x");
    int folder = port_keep_folder(scratch_path("ro/sub"));
    int exists = port_keep_folder(scratch_path("ro"));
    umount(scratch_path("ro"));
    assert_int_equal(err, ERR_DENIED);
    assert_int_equal(folder, ERR_DENIED);
    assert_int_equal(exists, ERR_DENIED); /* a tmpfs is 1777: others write */
}

/* Two writers at once: each reader sees one record whole. */
static void two_writers_do_not_mix(void **state)
{
    static uint8_t block[2][3000];
    (void)state;
    memset(block[0], 'a', sizeof(block[0]));
    memset(block[1], 'b', sizeof(block[1]));
    const char *path = scratch_path("shared");
    port_keep_write_fast(path, VIEW_ARRAY(block[0]));
    int pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 300; i++)
            port_keep_write_fast(path, VIEW_ARRAY(block[1]));
        _exit(0);
    }
    for (int i = 0; i < 300; i++) {
        assert_int_equal(port_keep_write_fast(path, VIEW_ARRAY(block[0])), OK);
        assert_int_equal(read_file("shared"), 3000);
        assert_true(memcmp(buf, block[0], 3000) == 0 ||
                    memcmp(buf, block[1], 3000) == 0);
    }
    waitpid(pid, NULL, 0);
}

/* ---- folders ---- */

static void a_folder_and_its_parents_are_private(void **state)
{
    (void)state;
    umask(0);
    assert_int_equal(port_keep_folder(scratch_path("a/b/c")), OK);
    umask(022);
    assert_int_equal(mode_of("a"), 0700);
    assert_int_equal(mode_of("a/b"), 0700);
    assert_int_equal(mode_of("a/b/c"), 0700);
    assert_int_equal(port_keep_folder(scratch_path("a/b/c")), OK);
    assert_int_equal(port_keep_folder(scratch_path("a/b/c//")), OK);
}

static void a_folder_others_may_only_read_is_fine(void **state)
{
    (void)state;
    mkdir(scratch_path("readable"), 0755);
    assert_int_equal(port_keep_folder(scratch_path("readable")), OK);
}

static void folders_that_are_not_safe_are_denied(void **state)
{
    (void)state;
    mkdir(scratch_path("group"), 0700);
    chmod(scratch_path("group"), 0770);
    assert_int_equal(port_keep_folder(scratch_path("group")), ERR_DENIED);
    mkdir(scratch_path("world"), 0700);
    chmod(scratch_path("world"), 01777);
    assert_int_equal(port_keep_folder(scratch_path("world")), ERR_DENIED);
    scratch_file("file", "", 0600);
    assert_int_equal(port_keep_folder(scratch_path("file")), ERR_DENIED);
    assert_int_equal(symlink("a", scratch_path("link")), 0);
    assert_int_equal(port_keep_folder(scratch_path("link")), ERR_DENIED);
    assert_int_equal(port_keep_folder(scratch_path("link/")), ERR_DENIED);
    assert_int_equal(port_keep_folder(scratch_path("file/sub")), ERR_NOT_FOUND);
    if (geteuid() == 0) {
        mkdir(scratch_path("other"), 0700);
        assert_int_equal(chown(scratch_path("other"), 65534, 65534), 0);
        assert_int_equal(port_keep_folder(scratch_path("other")), ERR_DENIED);
    }
}

static void a_link_on_the_way_is_followed(void **state)
{
    (void)state;
    assert_int_equal(port_keep_folder(scratch_path("link/inner")), OK);
    assert_int_equal(mode_of("a/inner"), 0700);
}

static void what_is_no_folder_name_is_refused(void **state)
{
    static char long_path[5000];
    (void)state;
    memset(long_path, 'x', sizeof(long_path) - 1);
    assert_int_equal(port_keep_folder(""), ERR_RANGE);
    assert_int_equal(port_keep_folder(long_path), ERR_RANGE);
    assert_int_not_equal(port_keep_folder("/"), ERR_RANGE);
}

/* ---- locks ---- */

static void a_lock_is_held_by_one_and_names_it(void **state)
{
    const char *path = scratch_path("lock");
    int raw, pid = -1;
    int ends[2], done[2];
    uint8_t byte = 0;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pipe(done), 0);
    int holder = fork();
    if (holder == 0) {
        close(done[1]);
        byte = port_keep_lock(path, NULL) == OK;
        (void)!write(ends[1], &byte, 1);
        (void)!read(done[0], &byte, 1); /* until the parent lets go */
        _exit(0);
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 1);
    assert_int_equal(port_keep_lock(path, &pid), ERR_BUSY);
    assert_int_equal(pid, holder);
    close(done[1]);
    waitpid(holder, &raw, 0);
    assert_int_equal(port_keep_lock(path, &pid), OK);
    assert_int_equal(port_keep_lock(path, &pid), ERR_BUSY);
    assert_int_equal(pid, getpid());
    close(done[0]);
    close(ends[0]);
    close(ends[1]);
}

static void a_program_we_start_does_not_hold_our_lock(void **state)
{
    static const char *const argv[] = {"sleep", "1000", NULL};
    struct port_spawn what = {.argv = argv};
    struct port_child c;
    int number;
    const char *path = scratch_path("lock2");
    (void)state;
    int pid = fork();
    if (pid == 0) {
        struct port_child inner;
        int ok = port_keep_lock(path, NULL) == OK &&
                 port_pipe_spawn(&what, &inner) == OK;
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(port_pipe_spawn(&what, &c), OK);
    waitpid(pid, NULL, 0);
    assert_int_equal(port_keep_lock(path, NULL), OK);
    port_child_signal(c.pid, "KILL");
    scratch_reap(c.pid, &number);
    port_close(c.in);
    port_close(c.out);
    port_close(c.err);
}

static void a_lock_that_is_let_go_is_free(void **state)
{
    char path[600], other[600];
    int pid, before = scratch_handles();
    (void)state;
    strcpy(path, scratch_path("lock3"));
    strcpy(other, scratch_path("lock4"));
    for (int i = 0; i < 20; i++) {
        assert_int_equal(port_keep_lock(path, &pid), OK);
        assert_int_equal(port_keep_lock(other, &pid), OK);
        port_keep_unlock(path);
        assert_int_equal(port_keep_lock(path, &pid), OK);
        assert_int_equal(port_keep_lock(other, &pid), ERR_BUSY);
        port_keep_unlock(path);
        port_keep_unlock(path);
        port_keep_unlock(other);
    }
    port_keep_unlock(scratch_path("no/lock"));
    assert_int_equal(scratch_handles(), before);
}

static void a_lock_in_no_folder_is_not_found(void **state)
{
    int pid;
    (void)state;
    assert_int_equal(port_keep_lock(scratch_path("no/lock"), &pid),
                     ERR_NOT_FOUND);
}

static void failures_leave_no_handle_open(void **state)
{
    int before = scratch_handles();
    (void)state;
    write_file("taken/record", "x");
    write_file("no/where", "x");
    read_file("fifo");
    read_file("none");
    port_keep_folder(scratch_path("world"));
    port_keep_lock(scratch_path("lock"), NULL);
    assert_int_equal(scratch_handles(), before);
}

/* ---- in pieces ------------------------------------------------------------------- */

static void a_fifo_stops_nobody_and_a_pipe_is_waited_for(void **state)
{
    const char *path = scratch_path("late.fifo");
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    int in = port_file_open(path); /* nobody writes */
    assert_true(in >= 0);
    assert_int_equal(port_recv(in, SPAN_ARRAY(buf)), ERR_CLOSED);
    int out = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(out >= 0);
    pid_t late = fork();
    if (late == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
        _exit(write(out, "x", 1) == 1 ? 0 : 1);
    }
    assert_int_equal(port_recv(in, SPAN_ARRAY(buf)), 1);
    assert_int_equal(waitpid(late, NULL, 0), late);
    port_close(out);
    port_close(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(nothing_else_is_left_in_the_folder),
        cmocka_unit_test(what_a_killed_writer_left_goes_with_a_later_write),
        cmocka_unit_test(a_name_without_a_folder_is_in_the_current_one),
        cmocka_unit_test(a_longest_name_works),
        cmocka_unit_test(what_is_no_file_name_is_refused),
        cmocka_unit_test(a_file_that_just_fits_is_read_one_larger_is_not),
        cmocka_unit_test(a_secret_that_others_may_read_is_refused),
        cmocka_unit_test(a_secret_of_another_user_is_refused),
        cmocka_unit_test(only_regular_files_are_records),
        cmocka_unit_test(a_folder_we_may_not_write_leaves_the_old_record),
        cmocka_unit_test(a_record_that_cannot_be_renamed_leaves_nothing),
        cmocka_unit_test(a_full_disk_leaves_the_old_record),
        cmocka_unit_test(a_read_only_disk_is_denied),
        cmocka_unit_test(two_writers_do_not_mix),
        cmocka_unit_test(a_folder_and_its_parents_are_private),
        cmocka_unit_test(a_folder_others_may_only_read_is_fine),
        cmocka_unit_test(folders_that_are_not_safe_are_denied),
        cmocka_unit_test(a_link_on_the_way_is_followed),
        cmocka_unit_test(what_is_no_folder_name_is_refused),
        cmocka_unit_test(a_lock_is_held_by_one_and_names_it),
        cmocka_unit_test(a_program_we_start_does_not_hold_our_lock),
        cmocka_unit_test(a_lock_that_is_let_go_is_free),
        cmocka_unit_test(a_lock_in_no_folder_is_not_found),
        cmocka_unit_test(failures_leave_no_handle_open),
        cmocka_unit_test(a_fifo_stops_nobody_and_a_pipe_is_waited_for),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
