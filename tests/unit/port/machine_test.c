/* The machine, its user and this process: what can be checked against other
 * ways to learn the same. */
#include "port/port.h"

#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/text.h"
#include "unit/port/scratch.h"

/* ---- facts and metrics ---- */

static void facts_agree_with_uname_and_sysconf(void **state)
{
    struct port_facts f;
    struct utsname u;
    (void)state;
    memset(&f, 0xff, sizeof(f));
    port_facts(&f);
    uname(&u);
    assert_string_equal(f.os, "linux");
    assert_string_equal(f.kernel_version, u.release);
    assert_string_equal(f.architecture, u.machine);
    assert_int_equal(f.cpu_count, sysconf(_SC_NPROCESSORS_ONLN));
    assert_int_equal(f.total_ram / (1 << 20),
                     (uint64_t)sysconf(_SC_PHYS_PAGES) *
                         (uint64_t)sysconf(_SC_PAGESIZE) / (1 << 20));
    assert_true(f.uptime_seconds > 0);
}

static void every_fact_is_a_short_printable_text(void **state)
{
    struct port_facts f;
    (void)state;
    port_facts(&f);
    const struct {
        const char *text;
        size_t cap;
    } rows[] = {
        {f.os, sizeof(f.os)},
        {f.os_version, sizeof(f.os_version)},
        {f.kernel_version, sizeof(f.kernel_version)},
        {f.architecture, sizeof(f.architecture)},
        {f.cpu_model, sizeof(f.cpu_model)},
        {f.device_type, sizeof(f.device_type)},
        {f.device_model, sizeof(f.device_model)},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strnlen(rows[i].text, rows[i].cap);
        assert_true(len < rows[i].cap);
        for (size_t k = 0; k < len; k++)
            assert_true((uint8_t)rows[i].text[k] >= ' ');
    }
}

static void the_kind_of_device_is_one_of_the_list(void **state)
{
    static const char *const kinds[] = {
        "server", "vm", "container", "router", "desktop", "laptop", "embedded"};
    struct port_facts f;
    bool found = false;
    (void)state;
    port_facts(&f);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        found = found || strcmp(f.device_type, kinds[i]) == 0;
    assert_true(found);
}

static void metrics_are_in_their_ranges(void **state)
{
    struct port_metrics m;
    (void)state;
    for (int i = 0; i < 3; i++) {
        memset(&m, 0xff, sizeof(m));
        port_metrics("/", &m);
        assert_true(m.cpu_usage >= 0 && m.cpu_usage <= 100);
        assert_true(m.memory_free > 0 && m.memory_free <= m.memory_total);
        assert_true(m.disk_free <= m.disk_total && m.disk_total > 0);
        assert_true(m.process_count >= 1);
        assert_true(m.uptime_seconds > 0);
        assert_in_range(m.battery_level + 1, 0, 101);
    }
}

static void a_busy_processor_shows(void **state)
{
    struct port_metrics m;
    volatile unsigned work = 0;
    (void)state;
    port_metrics("/", &m);
    do { /* until the kernel has counted some ticks of this */
        for (unsigned i = 0; i < 10000000; i++)
            work += i;
        port_metrics("/", &m);
    } while (m.cpu_usage <= 0);
}

static void a_disk_that_is_not_there_is_zero(void **state)
{
    struct port_metrics m;
    (void)state;
    port_metrics("/no/such/folder", &m);
    assert_int_equal(m.disk_total, 0);
}

static void the_processes_are_counted(void **state)
{
    static const char *const argv[] = {"sleep", "1000", NULL};
    struct port_spawn what = {.argv = argv, .cwd = "/"};
    struct port_child c[20];
    struct port_metrics m;
    int number;
    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(port_pipe_spawn(&what, &c[i]), OK);
    port_metrics("/", &m);
    assert_true(m.process_count > 20);
    for (int i = 0; i < 20; i++) {
        port_child_signal(c[i].pid, "KILL");
        scratch_reap(c[i].pid, &number);
        port_close(c[i].in);
        port_close(c[i].out);
        port_close(c[i].err);
    }
}

/* ---- environment and user ---- */

static void a_variable_is_copied_if_it_fits(void **state)
{
    char out[6] = "old";
    (void)state;
    setenv("CMDOP_TEST", "12345", 1);
    assert_true(port_env("CMDOP_TEST", out, sizeof(out)));
    assert_string_equal(out, "12345");
    setenv("CMDOP_TEST", "123456", 1);
    assert_false(port_env("CMDOP_TEST", out, sizeof(out)));
    assert_string_equal(out, "12345");
    setenv("CMDOP_TEST", "", 1);
    assert_true(port_env("CMDOP_TEST", out, sizeof(out)));
    assert_string_equal(out, "");
    unsetenv("CMDOP_TEST");
    assert_false(port_env("CMDOP_TEST", out, sizeof(out)));
}

/* The user is looked up once, so every case is a process (and no test here
 * may ask for the home folder before). Its status has a bit per difference. */
static void assert_user(uid_t uid, const char *home_env, const char *shell_env,
                        const char *name, const char *home, const char *shell)
{
    int raw, pid = fork();
    if (pid == 0) {
        if (home_env != NULL)
            setenv("HOME", home_env, 1);
        else
            unsetenv("HOME");
        if (shell_env != NULL)
            setenv("SHELL", shell_env, 1);
        else
            unsetenv("SHELL");
        if (uid != getuid() && setuid(uid) < 0)
            _exit(9);
        _exit((strcmp(port_username(), name) != 0) |
              (strcmp(port_home(), home) != 0) << 1 |
              (strcmp(port_shell(), shell) != 0) << 2 |
              (port_uid() != uid) << 3 | (port_pid() != getpid()) << 4);
    }
    assert_int_equal(waitpid(pid, &raw, 0), pid);
    assert_true(WIFEXITED(raw));
    assert_int_equal(WEXITSTATUS(raw), 0);
}

static void the_user_is_the_one_of_etc_passwd(void **state)
{
    struct passwd *pw = getpwuid(getuid());
    (void)state;
    if (pw == NULL)
        skip();
    assert_user(getuid(), NULL, "/bin/false", pw->pw_name, pw->pw_dir,
                pw->pw_shell);
    assert_user(getuid(), "/somewhere", NULL, pw->pw_name, "/somewhere",
                pw->pw_shell);
    assert_user(getuid(), "relative", NULL, pw->pw_name, pw->pw_dir,
                pw->pw_shell);
}

static void a_user_without_an_entry_has_a_number_and_a_shell(void **state)
{
    (void)state;
    if (geteuid() != 0 || getpwuid(54321) != NULL)
        skip();
    assert_user(54321, NULL, NULL, "54321", "", "/bin/sh");
    assert_user(54321, "/h", "/no/such/shell", "54321", "/h", "/bin/sh");
    assert_user(54321, "/h", "/bin/cat", "54321", "/h", "/bin/cat");
}

static void the_hostname_is_that_of_uname(void **state)
{
    char name[256], few[4];
    struct utsname u;
    (void)state;
    uname(&u);
    port_hostname(name, sizeof(name));
    assert_string_equal(name, u.nodename);
    port_hostname(few, sizeof(few));
    assert_int_equal(strlen(few), strlen(name) < 3 ? strlen(name) : 3);
}

/* ---- memory ---- */

static size_t resident(const uint8_t *p, size_t pages)
{
    unsigned char vec[64];
    size_t count = 0;
    assert_int_equal(mincore((void *)(uintptr_t)p, pages * 4096, vec), 0);
    for (size_t i = 0; i < pages; i++)
        count += vec[i] & 1;
    return count;
}

static void released_pages_go_back_and_others_stay(void **state)
{
    struct span mem = port_memory(64 * 4096);
    (void)state;
    if (sysconf(_SC_PAGESIZE) != 4096)
        skip();
    assert_int_equal(mem.len, 64 * 4096);
    assert_int_equal(mem.ptr[5000], 0);
    memset(mem.ptr, 7, mem.len);
    assert_int_equal(resident(mem.ptr, 64), 64);
    port_memory_release((struct span){mem.ptr + 100, 10 * 4096});
    assert_int_equal(resident(mem.ptr, 64), 64 - 9);
    assert_int_equal(mem.ptr[4095], 7); /* the first page was not whole */
    assert_int_equal(mem.ptr[10 * 4096], 7);
    port_memory_release((struct span){mem.ptr + 100, 50});
    assert_int_equal(mem.ptr[120], 7);
    munmap(mem.ptr, mem.len);
}

/* Its code and its constants come again when they are used. */
static void a_program_goes_on_without_its_pages(void **state)
{
    for (int i = 0; i < 3; i++) {
        port_memory_trim();
        released_pages_go_back_and_others_stay(state);
    }
}

/* ---- log ---- */

static void log_lines_go_to_the_file_and_follow_it(void **state)
{
    uint8_t buf[100];
    struct stat st;
    int n;
    (void)state;
    const char *path = scratch_path("log"), *old = scratch_path("log.1");
    int pid = fork();
    if (pid == 0) { /* the sink belongs to the process */
        bool ok = port_log_open(path) == OK;
        port_log(view_str("one"));
        ok = ok && rename(path, old) == 0;
        port_log(view_str("two"));
        ok = ok && port_log_open(path) == OK;
        port_log(view_str("three"));
        ok = ok && port_log_open("/no/such/folder/log") == ERR_NOT_FOUND;
        port_log(view_str("four"));
        _exit(ok ? 0 : 1);
    }
    waitpid(pid, &n, 0);
    assert_int_equal(n, 0);
    n = port_keep_read(old, true, SPAN_ARRAY(buf));
    assert_true(view_is(view_of(buf, (size_t)n), "one\ntwo\n"));
    n = port_keep_read(path, true, SPAN_ARRAY(buf));
    assert_true(view_is(view_of(buf, (size_t)n), "three\nfour\n"));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_long_log_becomes_the_old_one(void **state)
{
    char line[1000];
    struct stat st;
    int n;
    (void)state;
    const char *path = scratch_path("long"), *old = scratch_path("long.1");
    memset(line, 'x', sizeof(line));
    int pid = fork();
    if (pid == 0) {
        bool ok = port_log_open(path) == OK;
        int file = port_file_open(path);
        ok = ok && port_file_is(file, path);
        for (size_t len = 0; len < 2 * PORT_LOG_MAX; len += sizeof(line) + 1)
            port_log(view_of(line, sizeof(line)));
        ok = ok && !port_file_is(file, path);
        port_log(view_str("last"));
        _exit(ok ? 0 : 1);
    }
    waitpid(pid, &n, 0);
    assert_int_equal(n, 0);
    assert_int_equal(stat(old, &st), 0);
    assert_in_range(st.st_size, PORT_LOG_MAX, PORT_LOG_MAX + sizeof(line));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(st.st_size >= 5 && st.st_size < PORT_LOG_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_agree_with_uname_and_sysconf),
        cmocka_unit_test(every_fact_is_a_short_printable_text),
        cmocka_unit_test(the_kind_of_device_is_one_of_the_list),
        cmocka_unit_test(metrics_are_in_their_ranges),
        cmocka_unit_test(a_busy_processor_shows),
        cmocka_unit_test(a_disk_that_is_not_there_is_zero),
        cmocka_unit_test(the_processes_are_counted),
        cmocka_unit_test(a_variable_is_copied_if_it_fits),
        cmocka_unit_test(the_user_is_the_one_of_etc_passwd),
        cmocka_unit_test(a_user_without_an_entry_has_a_number_and_a_shell),
        cmocka_unit_test(the_hostname_is_that_of_uname),
        cmocka_unit_test(released_pages_go_back_and_others_stay),
        cmocka_unit_test(a_program_goes_on_without_its_pages),
        cmocka_unit_test(log_lines_go_to_the_file_and_follow_it),
        cmocka_unit_test(a_long_log_becomes_the_old_one),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
