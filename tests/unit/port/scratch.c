/* See scratch.h. */
#include "unit/port/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"

#define TEST_S_MAX 120 /* far more than any of these needs */

static char folder[32];
char scratch_seen[64 * 1024];
static size_t seen_len;

int scratch_setup(void **state)
{
    (void)state;
    alarm(TEST_S_MAX);
    strcpy(folder, "/tmp/cmdop-test-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

int scratch_teardown(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const char *name)
{
    static char paths[16][4096];
    static int next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

void scratch_file(const char *name, const char *text, unsigned mode)
{
    int fd = open(scratch_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

uint8_t scratch_ready(int handle, uint8_t want)
{
    struct port_want row = {.handle = handle, .want = want};
    assert_true(handle >= 0); /* an empty row would sleep for ever */
    while (port_wait(&row, 1, PORT_FOREVER) == 0)
        continue;
    return row.ready;
}

/* One read; keeps what came. */
static int read_some(int handle)
{
    uint8_t buf[16384];
    int n;
    scratch_ready(handle, PORT_READ);
    n = port_recv(handle, SPAN_ARRAY(buf));
    if (n > 0 && seen_len + (size_t)n < sizeof(scratch_seen)) {
        memcpy(scratch_seen + seen_len, buf, (size_t)n);
        seen_len += (size_t)n;
        scratch_seen[seen_len] = '\0';
    }
    return n;
}

static void forget(void)
{
    seen_len = 0;
    scratch_seen[0] = '\0';
}

bool scratch_read_until(int handle, const char *needle)
{
    forget();
    while (strstr(scratch_seen, needle) == NULL)
        if (read_some(handle) < 0)
            return false;
    return true;
}

int scratch_read_all(int handle)
{
    int n;
    forget();
    do
        n = read_some(handle);
    while (n >= 0);
    return n;
}

void scratch_send(int handle, struct view data)
{
    while (data.len > 0) {
        int n = port_send(handle, data);
        assert_true(n >= 0);
        data = view_from(data, (size_t)n);
        if (n == 0)
            scratch_ready(handle, PORT_WRITE);
    }
}

int scratch_reap(int pid, int *signal)
{
    int status, got;
    while ((got = port_child_reap(&status, signal)) != pid) {
        assert_int_equal(got, 0); /* there are no other children */
        poll(NULL, 0, 1);
    }
    return status;
}

int scratch_handles(void)
{
    int count = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}
