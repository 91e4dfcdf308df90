/* The password file on a real disk: whoever is killed while writing it leaves
 * the old one or the new one, never a machine without a password. */
#include "core/lockfile.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "port/port.h"

#define KILLS 200

static char dir[64];

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/cmdop-lock.XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
    char line[128];
    (void)state;
    snprintf(line, sizeof(line), "rm -rf %s", dir);
    return system(line);
}

/* A record whose every part tells its number. */
static void number(struct lock_record *r, uint32_t n)
{
    struct pwhash p = {.kib = 8, .passes = 1};
    memset(r, 0, sizeof(*r));
    memcpy(p.hash, &n, sizeof(n));
    pwhash_write(&p, r->stored);
    r->tokens = LOCK_TOKENS_MAX;
    for (uint32_t i = 0; i < r->tokens; i++)
        r->token[i].until_ms = n;
    r->all.count = n;
}

static uint32_t number_of(const struct lock_record *r)
{
    static struct lock_record same;
    number(&same, r->all.count);
    assert_string_equal(r->stored, same.stored);
    assert_memory_equal(r->token, same.token, sizeof(same.token));
    return r->all.count;
}

static void write_on(uint32_t from)
{
    static struct lock_record r;
    for (uint32_t n = from;; n++) {
        number(&r, n);
        if (lockfile_write(dir, 0, &r) != OK)
            _exit(1);
    }
}

static void a_writer_that_is_killed_leaves_the_old_or_the_new(void **state)
{
    static struct lock_record r;
    uint32_t last = 1;
    (void)state;
    number(&r, last);
    assert_int_equal(lockfile_write(dir, 0, &r), OK);
    srand(1);
    for (int i = 0; i < KILLS; i++) {
        int status, pid = fork();
        if (pid == 0)
            write_on(last + 1);
        usleep((useconds_t)(rand() % 3000));
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(lockfile_read(dir, 0, &r), OK);
        assert_true(number_of(&r) >= last);
        last = r.all.count;
    }
    print_message("%u writes, %d kills\n", last, KILLS);
    assert_true(last > 1);
}

static void the_file_is_for_nobody_else(void **state)
{
    static struct lock_record r;
    char path[96];
    struct stat st;
    (void)state;
    number(&r, 1);
    assert_int_equal(lockfile_write(dir, 0, &r), OK);
    snprintf(path, sizeof(path), "%s/password", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    chmod(path, 0644);
    assert_int_equal(lockfile_read(dir, 0, &r), ERR_DAMAGED);
    chmod(path, 0600);
    assert_int_equal(lockfile_remove(dir), OK);
    assert_int_equal(lockfile_read(dir, 0, &r), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_writer_that_is_killed_leaves_the_old_or_the_new),
        cmocka_unit_test(the_file_is_for_nobody_else),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
