/*
 * The stop-watch of tools/bench: loops in which an interpreter would be part
 * of the figure. Prints nanoseconds, one number per line, on standard output;
 * says what went wrong and exits 1 otherwise. Times out through SIGALRM.
 *
 *   probe echo FD KEYS GAP_US            write a key to FD, wait for it to come back
 *   probe burst FD BYTES FILE            write "g" to FD, read BYTES equal to FILE's
 *   probe spawn COUNT JOBS FORGET -- ARGV    start to exit, JOBS at a time; before each
 *                                        the files that match FORGET are removed; a
 *                                        last line has the time for all
 *   probe take BYTES FILE -- ARGV        start to exit; its output is FILE
 *   probe give FILE -- ARGV              start to exit; FILE is its input
 *   probe replay FIRST LAST -- ARGV      start on a terminal until it shows FIRST, until
 *                                        it shows LAST; a last line has how many bytes
 *   probe listen PORT -- ARGV            start until 127.0.0.1:PORT accepts
 *   probe line TEXT -- ARGV              start until its output holds TEXT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define KEYS_S   15  /* longest wait for echoes, pauses not counted */
#define RUN_S    120 /* longest run of anything else */
#define END_MS   2000
#define JOBS_MAX 64

extern char **environ;

static pid_t current; /* ends with us when we give up */

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void give_up(const char *what)
{
    fprintf(stderr, "probe: %s%s%s\n", what, errno ? ": " : "",
            errno ? strerror(errno) : "");
    if (current > 0)
        kill(current, SIGTERM);
    exit(1);
}

static void on_alarm(int sig)
{
    static const char words[] = "probe: timed out\n";
    (void)sig;
    (void)!write(STDERR_FILENO, words, sizeof(words) - 1);
    if (current > 0)
        kill(current, SIGTERM);
    _exit(1);
}

static void print_ns(uint64_t ns)
{
    printf("%llu\n", (unsigned long long)ns);
}

/* ---- children --------------------------------------------------------------------- */

struct child_io {
    int in, out, err; /* -1: /dev/null for in and out, ours for err */
};

static pid_t start(char **argv, struct child_io io)
{
    posix_spawn_file_actions_t acts;
    pid_t pid;
    posix_spawn_file_actions_init(&acts);
    if (io.in >= 0)
        posix_spawn_file_actions_adddup2(&acts, io.in, 0);
    else
        posix_spawn_file_actions_addopen(&acts, 0, "/dev/null", O_RDONLY, 0);
    if (io.out >= 0)
        posix_spawn_file_actions_adddup2(&acts, io.out, 1);
    else
        posix_spawn_file_actions_addopen(&acts, 1, "/dev/null", O_WRONLY, 0);
    if (io.err >= 0)
        posix_spawn_file_actions_adddup2(&acts, io.err, 2);
    errno = posix_spawnp(&pid, argv[0], &acts, NULL, argv, environ);
    if (errno != 0)
        give_up(argv[0]);
    posix_spawn_file_actions_destroy(&acts);
    return pid;
}

static void must_succeed(int status)
{
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        errno = 0;
        fprintf(stderr, "probe: wait status 0x%x\n", (unsigned)status);
        give_up("the command failed");
    }
}

/* Politely first; dropbear misses a SIGTERM that comes just before select(). */
static void end(pid_t pid)
{
    struct timespec nap = { 0, 1000000 };
    int status;
    kill(pid, SIGTERM);
    for (int ms = 0; waitpid(pid, &status, WNOHANG) == 0; ms++) {
        if (ms == END_MS)
            kill(pid, SIGKILL);
        nanosleep(&nap, NULL);
    }
    current = 0;
}

static void forget(const char *pattern)
{
    glob_t found;
    if (*pattern == '\0' || glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        (void)unlink(found.gl_pathv[i]);
    globfree(&found);
}

/* ---- through a terminal -------------------------------------------------------------- */

static bool came_back(int fd, char key)
{
    char buf[4096];
    ssize_t n = read(fd, buf, sizeof(buf));
    if (n <= 0)
        give_up("the terminal closed");
    return memchr(buf, key, (size_t)n) != NULL;
}

static int echo(int fd, long keys, long gap_us)
{
    struct timespec gap = { gap_us / 1000000, gap_us % 1000000 * 1000 };
    uint64_t *took = calloc((size_t)keys, sizeof(*took));
    alarm((unsigned)(keys * gap_us / 1000000 + KEYS_S));
    for (long i = 0; i < keys; i++) {
        char key = (char)('a' + i % 26);
        nanosleep(&gap, NULL);
        uint64_t t = now_ns();
        if (write(fd, &key, 1) != 1)
            give_up("write");
        while (!came_back(fd, key))
            ;
        took[i] = now_ns() - t;
    }
    for (long i = 0; i < keys; i++)
        print_ns(took[i]);
    return 0;
}

static const char *map(const char *path, size_t need)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        give_up(path);
    if ((size_t)st.st_size < need)
        give_up("the file is too short");
    void *p = mmap(NULL, need, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (p == MAP_FAILED)
        give_up("mmap");
    close(fd);
    return p;
}

/* Read exactly `size` bytes, each of them as in `want`. */
static void read_all(int fd, const char *want, size_t size)
{
    static char buf[256 * 1024];
    size_t have = 0;
    while (have < size) {
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n <= 0) {
            fprintf(stderr, "probe: %zu of %zu bytes came\n", have, size);
            give_up("the output ended early");
        }
        if ((size_t)n > size - have || memcmp(buf, want + have, (size_t)n)) {
            errno = 0;
            give_up("other bytes came than were sent");
        }
        have += (size_t)n;
    }
}

static int burst(int fd, size_t size, const char *path)
{
    const char *want = map(path, size);
    uint64_t t = now_ns();
    if (write(fd, "g", 1) != 1)
        give_up("write");
    read_all(fd, want, size);
    print_ns(now_ns() - t);
    return 0;
}

struct seen {
    char buf[64 * 1024];
    size_t kept; /* the end of what came, in which a word may begin */
    size_t all;
};

/* Read until `word` came; what follows it in the buffer counts as read. */
static void read_until(int fd, struct seen *s, const char *word)
{
    size_t len = strlen(word);
    while (memmem(s->buf, s->kept, word, len) == NULL) {
        size_t keep = s->kept < len ? s->kept : len - 1;
        memmove(s->buf, s->buf + s->kept - keep, keep);
        ssize_t n = read(fd, s->buf + keep, sizeof(s->buf) - keep);
        if (n <= 0)
            give_up("the terminal closed");
        s->kept = keep + (size_t)n;
        s->all += (size_t)n;
    }
}

/* Raw, so that what is written is what comes, whoever writes. */
static int open_terminal(char *name, size_t cap)
{
    struct winsize size = { .ws_row = 24, .ws_col = 80 };
    struct termios modes;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
        ptsname_r(master, name, cap) != 0)
        give_up("no terminal");
    slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC); /* stays: the modes do */
    if (slave < 0 || tcgetattr(slave, &modes) != 0)
        give_up(name);
    cfmakeraw(&modes);
    tcsetattr(slave, TCSANOW, &modes);
    ioctl(slave, TIOCSWINSZ, &size);
    return master;
}

/* In a session of its own, whose terminal this becomes as it opens it. */
static pid_t start_on(const char *terminal, char **argv)
{
    posix_spawn_file_actions_t acts;
    posix_spawnattr_t attr;
    pid_t pid;
    posix_spawn_file_actions_init(&acts);
    posix_spawn_file_actions_addopen(&acts, 0, terminal, O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&acts, 0, 1);
    posix_spawn_file_actions_adddup2(&acts, 0, 2);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
    errno = posix_spawnp(&pid, argv[0], &acts, &attr, argv, environ);
    if (errno != 0)
        give_up(argv[0]);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&acts);
    return pid;
}

static int replay(const char *first, const char *last, char **argv)
{
    static struct seen s;
    char name[64];
    int fd = open_terminal(name, sizeof(name));
    uint64_t t = now_ns();
    alarm(KEYS_S);
    current = start_on(name, argv);
    read_until(fd, &s, first);
    uint64_t one = now_ns() - t;
    read_until(fd, &s, last);
    uint64_t all = now_ns() - t;
    print_ns(one);
    print_ns(all);
    print_ns(s.all);
    end(current);
    return 0;
}

/* ---- commands -------------------------------------------------------------------------- */

static int spawn(long count, long jobs, const char *pattern, char **argv)
{
    struct child_io none = { -1, -1, -1 };
    struct { pid_t pid; uint64_t start; } slot[JOBS_MAX] = { { 0, 0 } };
    uint64_t *took = calloc((size_t)count, sizeof(*took));
    long started = 0, ended = 0;
    if (jobs > JOBS_MAX)
        jobs = JOBS_MAX;
    uint64_t begin = now_ns();
    while (ended < count) {
        for (long i = 0; i < jobs && started < count; i++) {
            if (slot[i].pid != 0)
                continue;
            forget(pattern);
            slot[i].start = now_ns();
            slot[i].pid = start(argv, none);
            started++;
        }
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        uint64_t t = now_ns();
        must_succeed(status);
        for (long i = 0; i < jobs; i++) {
            if (slot[i].pid != pid)
                continue;
            took[ended++] = t - slot[i].start;
            slot[i].pid = 0;
        }
    }
    uint64_t all = now_ns() - begin;
    for (long i = 0; i < count; i++)
        print_ns(took[i]);
    print_ns(all);
    return 0;
}

static void finish(uint64_t begin)
{
    int status;
    (void)waitpid(current, &status, 0);
    uint64_t took = now_ns() - begin;
    current = 0;
    must_succeed(status);
    print_ns(took);
}

static int take(size_t size, const char *path, char **argv)
{
    const char *want = map(path, size);
    int p[2];
    char more;
    if (pipe2(p, O_CLOEXEC) != 0)
        give_up("pipe");
    uint64_t t = now_ns();
    current = start(argv, (struct child_io){ -1, p[1], -1 });
    close(p[1]);
    read_all(p[0], want, size);
    if (read(p[0], &more, 1) != 0)
        give_up("more bytes came than were sent");
    finish(t);
    return 0;
}

/* Its output, `wc -c` at the far end, must be FILE's size. */
static int give(const char *path, char **argv)
{
    struct stat st;
    char answer[64] = "";
    int p[2], fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || pipe2(p, O_CLOEXEC) != 0)
        give_up(path);
    uint64_t t = now_ns();
    current = start(argv, (struct child_io){ fd, p[1], -1 });
    close(p[1]);
    size_t have = 0;
    ssize_t n;
    while ((n = read(p[0], answer + have, sizeof(answer) - 1 - have)) > 0)
        have += (size_t)n;
    finish(t);
    if (atoll(answer) != (long long)st.st_size) {
        errno = 0;
        give_up("not every byte arrived");
    }
    return 0;
}

static int listen_at(int port, char **argv)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timespec nap = { 0, 50000 };
    struct child_io none = { -1, -1, -1 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status;
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        give_up("something listens there already");
    none.err = open("/dev/null", O_WRONLY | O_CLOEXEC);
    uint64_t t = now_ns();
    current = start(argv, none);
    for (;;) {
        close(fd);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
            break;
        if (waitpid(current, &status, WNOHANG) > 0)
            give_up("it ended before it listened");
        nanosleep(&nap, NULL);
    }
    print_ns(now_ns() - t);
    end(current);
    return 0;
}

static int line(const char *text, char **argv)
{
    static char seen[64 * 1024];
    size_t have = 0;
    int p[2];
    if (pipe2(p, O_CLOEXEC) != 0)
        give_up("pipe");
    uint64_t t = now_ns();
    current = start(argv, (struct child_io){ -1, p[1], p[1] });
    close(p[1]);
    while (strstr(seen, text) == NULL) {
        ssize_t n = read(p[0], seen + have, sizeof(seen) - 1 - have);
        if (n <= 0) {
            fputs(seen, stderr);
            give_up("it never said so");
        }
        have += (size_t)n;
    }
    print_ns(now_ns() - t);
    end(current);
    return 0;
}

int main(int argc, char **argv)
{
    char **rest = argv;
    signal(SIGALRM, on_alarm);
    alarm(RUN_S);
    while (*rest != NULL && strcmp(*rest, "--") != 0)
        rest++;
    int args = (int)(rest - argv) - 2; /* between the word and "--" */
    bool command = *rest != NULL && rest[1] != NULL;
    rest += command;
    const char *word = argc > 1 ? argv[1] : "";
    if (!strcmp(word, "echo") && args == 3)
        return echo(atoi(argv[2]), atol(argv[3]), atol(argv[4]));
    if (!strcmp(word, "burst") && args == 3)
        return burst(atoi(argv[2]), (size_t)atoll(argv[3]), argv[4]);
    if (!strcmp(word, "spawn") && args == 3 && command)
        return spawn(atol(argv[2]), atol(argv[3]), argv[4], rest);
    if (!strcmp(word, "take") && args == 2 && command)
        return take((size_t)atoll(argv[2]), argv[3], rest);
    if (!strcmp(word, "give") && args == 1 && command)
        return give(argv[2], rest);
    if (!strcmp(word, "replay") && args == 2 && command)
        return replay(argv[2], argv[3], rest);
    if (!strcmp(word, "listen") && args == 1 && command)
        return listen_at(atoi(argv[2]), rest);
    if (!strcmp(word, "line") && args == 1 && command)
        return line(argv[2], rest);
    fputs("probe: see the head of probe.c\n", stderr);
    return 2;
}
