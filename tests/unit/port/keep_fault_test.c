/*
 * A record is replaced whole whatever fails: each call of the system fails,
 * the first, the second, ... once and for ever, and the program dies before
 * and behind each. There is the old record or the new one, and what the power
 * could take was synced before the name pointed at it.
 */
#include "port/port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "unit/port/scratch.h"

#define CALLS_MAX 40
#define DIED      77

/* ---- the system's calls ----------------------------------------------------------- */

static struct {
    bool on;         /* between the two lines of a write only */
    char story[256]; /* a letter for each call; f: to look for what is left */
    size_t calls, fail_at;
    int with;      /* errno; 0: nothing fails */
    bool for_ever; /* all later ones as well */
    size_t die_at; /* the program ends at this call, */
    bool behind;   /* when it has done its work */
    bool crumbs;   /* a write takes one byte */
} sys;

/* Before a call: true when it is to fail. */
static bool fails(char letter)
{
    if (!sys.on)
        return false;
    size_t n = ++sys.calls;
    if (letter == 'F' && n > 1)
        letter = 'f';
    if (n < sizeof(sys.story))
        sys.story[n - 1] = letter;
    if (n == sys.die_at && !sys.behind)
        _exit(DIED);
    errno = sys.with;
    return sys.with != 0 &&
           (n == sys.fail_at || (sys.for_ever && n > sys.fail_at));
}

static int behind(long result)
{
    if (sys.on && sys.behind && sys.calls == sys.die_at)
        _exit(DIED);
    return (int)result;
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = va_arg(more, int);
    va_end(more);
    return fails('F')
               ? -1
               : behind(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = va_arg(more, int);
    va_end(more);
    return fails('n') ? -1
                      : behind(syscall(SYS_openat, folder, path, flags, mode));
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    if (sys.on && sys.crumbs && len > 1)
        len = 1;
    return fails('w') ? -1 : behind(syscall(SYS_write, fd, bytes, len));
}

int fsync(int fd)
{
    struct stat st;
    bool is_folder = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    return fails(is_folder ? 'S' : 's') ? -1 : behind(syscall(SYS_fsync, fd));
}

int close(int fd)
{
    long done = syscall(SYS_close, fd); /* even if it says no */
    return fails('c') ? -1 : behind(done);
}

int renameat(int from, const char *old, int to, const char *new)
{
    return fails('r') ? -1
                      : behind(syscall(SYS_renameat2, from, old, to, new, 0));
}

/* ---- a record ------------------------------------------------------------------------ */

static const char first[] = "the old record, whole and true";
static const char second[] = "the new one";

static int put(const char *text, bool fast)
{
    const char *path = scratch_path("record");
    sys.calls = 0;
    memset(sys.story, 0, sizeof(sys.story));
    sys.on = true;
    int err =
        (fast ? port_keep_write_fast : port_keep_write)(path, view_str(text));
    sys.on = false;
    return err;
}

/* 'o', 'n', '-' if there is none; else '?'. */
static char look(void)
{
    uint8_t buf[200];
    int n = port_keep_read(scratch_path("record"), true, SPAN_ARRAY(buf));
    if (n == ERR_NOT_FOUND)
        return '-';
    struct view v = view_of(buf, n < 0 ? 0 : (size_t)n);
    return view_is(v, first) ? 'o' : view_is(v, second) ? 'n' : '?';
}

static int entries(void)
{
    int count = -2; /* . and .. */
    DIR *d = opendir(scratch_path(""));
    assert_non_null(d);
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}

static int setup(void **state)
{
    memset(&sys, 0, sizeof(sys));
    if (scratch_setup(state) != 0)
        return -1;
    return put(first, false);
}

static void what_it_is_made_of_comes_in_this_order(void **state)
{
    (void)state;
    assert_int_equal(put(second, false), OK);
    assert_string_equal(sys.story, "FfcnwscrSc"); /* file, name, folder */
    assert_int_equal(put(first, true), OK);
    assert_string_equal(sys.story, "Fnwcrc"); /* what may be lost */
}

static void a_write_in_crumbs_is_whole(void **state)
{
    (void)state;
    sys.crumbs = true;
    assert_int_equal(put(second, false), OK);
    assert_int_equal(look(), 'n');
}

/* False: the call that was to fail never came. */
static bool one_fault(size_t nth, int with, bool for_ever, bool fast, char was)
{
    int handles = scratch_handles();
    sys.fail_at = nth;
    sys.with = with;
    sys.for_ever = for_ever;
    int err = put(second, fast);
    bool met = sys.calls >= nth;
    char failed = met ? sys.story[nth - 1] : ' ';
    sys.with = 0;
    char now = look();
    if (failed == 'w' && with == EINTR && !for_ever)
        assert_int_equal(err, OK); /* asked again */
    else if (met && strchr("Fnwsr", failed) != NULL)
        assert_true(err < 0 && now == was);
    else if (met && failed == 'S')
        assert_true(err < 0 &&
                    now == 'n'); /* but it may not be there to stay */
    else
        assert_true(now == (err == OK ? 'n' : was));
    assert_int_equal(entries(), now == '-' ? 0 : 1); /* and nothing else */
    assert_int_equal(scratch_handles(), handles);
    return met;
}

static void back_to(char was)
{
    if (was == '-')
        assert_int_equal(port_keep_remove(scratch_path("record")), OK);
    else
        assert_int_equal(put(first, false), OK);
}

static void any_call_may_fail(void **state)
{
    static const int with[] = {EIO, ENOSPC, EINTR};
    (void)state;
    for (int run = 0; run < 24; run++) {
        char was = run & 1 ? '-' : 'o';
        bool fast = (run & 2) != 0, for_ever = (run & 4) != 0;
        int number = with[run / 8];
        size_t nth = 1;
        if (number == EINTR && for_ever)
            continue; /* it would ask for ever */
        back_to(was);
        while (one_fault(nth, number, for_ever, fast, was)) {
            if (look() != '-' || was != '-')
                back_to(was);
            nth++;
        }
        assert_true(nth > 6 && nth < CALLS_MAX);
        assert_int_equal(look(), 'n');
    }
}

/* As by a kill, or by the power behind what was synced. */
static void it_may_die_at_any_call(void **state)
{
    (void)state;
    for (int run = 0; run < 4; run++) {
        sys.behind = (run & 1) != 0;
        int status = 0;
        bool was_new = false;
        for (size_t nth = 1; nth < CALLS_MAX; nth++) {
            assert_int_equal(put(first, run >= 2), OK);
            int pid = fork();
            if (pid == 0) {
                sys.die_at = nth;
                _exit(put(second, run >= 2) == OK ? 0 : 1);
            }
            assert_int_equal(waitpid(pid, &status, 0), pid);
            char now = look();
            assert_true(now == 'o' || now == 'n');
            assert_true(now == 'n' || !was_new); /* the later, the newer */
            was_new = now == 'n';
            if (WEXITSTATUS(status) != DIED)
                break;
        }
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_true(was_new);
    }
}

int main(void)
{
#define FACT(f) cmocka_unit_test_setup_teardown(f, setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        FACT(what_it_is_made_of_comes_in_this_order),
        FACT(a_write_in_crumbs_is_whole),
        FACT(any_call_may_fail),
        FACT(it_may_die_at_any_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
