/*
 * The store as SQLite in a file: private files, migrations, damage, full
 * disks, failing writes, sudden death, power cuts, other processes. And how
 * fast it is.
 */
#include "unit/relay/store_sql_kit.h"
#include "relay/store_sql.h"
#include "unit/relay/store_v1.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* ---- a disk that fails on demand ------------------------------------------- */

/* SQLite writes through a table that may be changed; it syncs by fdatasync,
 * which this program has instead of libc: it counts, and does so only where
 * time is measured, for no power fails here. */
static struct {
    int fail_at; /* this write or sync fails; 0: none */
    bool for_ever;
    bool no_space; /* or an I/O error */
    int calls;
    int syncs;
    bool is_real;
} disk;

static bool disk_fails(void)
{
    disk.calls++;
    return disk.fail_at != 0 && (disk.calls == disk.fail_at ||
                                 (disk.for_ever && disk.calls > disk.fail_at));
}

static ssize_t disk_write(int fd, const void *p, size_t len)
{
    if (disk_fails()) {
        errno = disk.no_space ? ENOSPC : EIO;
        return -1;
    }
    return write(fd, p, len);
}

int fdatasync(int fd);
int fdatasync(int fd)
{
    disk.syncs++;
    if (disk_fails()) {
        errno = EIO;
        return -1;
    }
    return disk.is_real ? fsync(fd) : 0;
}

static void hook_disk(void)
{
    assert_int_equal(sqlite3_initialize(), SQLITE_OK);
    sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");
    assert_int_equal(unix_vfs->xSetSystemCall(unix_vfs, "write",
                                              (sqlite3_syscall_ptr)disk_write),
                     SQLITE_OK);
    if (!store_is_open(&store))
        sqlite3_shutdown();
}

/* ---- the file --------------------------------------------------------------- */

static void files_are_private(void **state)
{
    char wal[160];
    struct stat st;
    (void)state;
    setup();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    (void)snprintf(wal, sizeof wal, "%s-mode", path);
    assert_int_equal(stat(wal, &st), -1);
    *strrchr(wal, '/') = '\0';
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    store_close(&store);
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    assert_int_equal(stat(wal, &st), -1); /* folded in */

    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(open_at(path), ERR_DAMAGED);
    assert_non_null(strstr(store_why(&store), "other users may read"));
}

static void a_path_may_hold_any_character(void **state)
{
    char odd[128];
    (void)state;
    store_close(&store);
    (void)snprintf(odd, sizeof odd, "%s/a b%%20?&#'x/r.db", folder);
    assert_int_equal(open_at(odd), OK);
    setup();
    assert_int_equal(access(odd, R_OK), 0);
    struct stat st;
    assert_int_equal(stat(odd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void an_empty_file_is_version_0_and_comes_up(void **state)
{
    (void)state;
    store_close(&store);
    assert_int_equal(unlink(path), 0);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(open_at(path), OK);
    assert_true(setup().created);
    assert_int_equal(sql("PRAGMA user_version"), 3);
    reopen();
    assert_false(setup().created);
}

/* A migration that fails half way leaves version 0, not half a schema. */
static void a_failed_migration_leaves_nothing(void **state)
{
    (void)state;
    store_close(&store);
    assert_int_equal(unlink(path), 0);
    sql("PRAGMA application_id = 1668113490; CREATE TABLE machine (x)");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(open_at(path), ERR_IO);
    assert_non_null(strstr(store_why(&store), "machine already exists"));
    assert_int_equal(sql("PRAGMA user_version"), 0);
    assert_int_equal(sql("SELECT count(*) FROM sqlite_schema"), 1);
    sql("DROP TABLE machine");
    assert_int_equal(open_at(path), OK);
    assert_true(setup().created);
}

static void make_v1(void)
{
    sql(V1_TABLES);
    sql(V1_ROWS);
    assert_int_equal(chmod(path, 0600), 0);
}

/* A file of the first release comes up with all that was in it. */
static void a_database_of_schema_1_keeps_everything(void **state)
{
    struct store_ask q;
    (void)state;
    store_close(&store);
    assert_int_equal(unlink(path), 0);
    make_v1();
    assert_int_equal(open_at(path), OK);
    assert_int_equal(sql("PRAGMA user_version"), 3);
    assert_int_equal(sql("SELECT count(*) FROM pragma_foreign_key_check"), 0);

    struct store_who who = setup();
    assert_false(who.created);
    assert_string_equal(who.fleet_id, V1_FLEET);
    assert_string_equal(who.user_id, V1_PERSON);
    assert_string_equal(who.user_name, "Root");
    assert_string_equal(who.login, "root"); /* the first of that name */
    q = ask_of(STORE_PERSON_BY_ID);
    PUT(q.u.person_by_id.person_id, V1_PERSON2);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.account.person.login, V1_PERSON2);
    PUT(q.u.person_by_id.person_id, V1_PERSON3);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.account.person.login, V1_PERSON3);

    q = ask_of(STORE_TOKEN_CHECK);
    memset(q.u.token_check.hash, 0x11, STORE_HASH);
    ASK(q, STORE_DONE);
    assert_string_equal(got.last.u.who.token_id, V1_TOKEN);
    assert_string_equal(got.last.u.who.family, V1_TOKEN);
    assert_int_equal(got.last.u.who.kind, STORE_CLI);
    assert_int_equal(got.last.u.who.role, STORE_OWNER);
    memset(q.u.token_check.hash, 0x22, STORE_HASH);
    ASK(q, STORE_REVOKED);

    q = ask_of(STORE_MACHINE_LOGIN);
    memset(q.u.machine_login.public_key, 0x44, STORE_KEY);
    memset(q.u.machine_login.claim.instance, 7, STORE_INSTANCE);
    ASK(q, STORE_DONE);
    const struct store_machine *m = &got.last.u.machine;
    assert_string_equal(m->id, V1_MACHINE);
    assert_string_equal(m->name, "web");
    assert_string_equal(m->facts.hostname, "web-1");
    assert_int_equal(m->created_ms, 3000);
    assert_int_equal(m->key_version, 1);
    assert_int_equal(m->epoch, 1);
    memset(q.u.machine_login.public_key, 0x55, STORE_KEY);
    ASK(q, STORE_DISABLED);
    assert_string_equal(got.last.u.machine.id, V1_SHUT);
    list(STORE_MACHINE_LIST, V1_FLEET, 0);
    assert_int_equal(got.rows, 2);

    list(STORE_JOINKEY_LIST, V1_FLEET, 0);
    assert_int_equal(got.rows, 1);
    assert_int_equal(got.row[0].joinkey.uses, 2);
    q = enrol_ask(1, 100, "new");
    memset(q.u.enrol.join_hash, 0x33, STORE_HASH);
    ASK(q, STORE_DONE);
    assert_int_equal(sql("SELECT machines FROM fleet"), 3);
    assert_int_equal(lines(V1_FLEET), 2);
}

/* Whatever write fails on the way up, the file is one of some schema. */
static void a_migration_is_done_or_not(void **state)
{
    (void)state;
    hook_disk();
    for (int n = 1;; n++) {
        store_close(&store);
        (void)unlink(path);
        memset(&disk, 0, sizeof disk);
        make_v1();
        disk.calls = 0;
        disk.fail_at = n;
        disk.for_ever = n % 2 == 0;
        int err = open_at(path);
        bool was_hit = disk.calls >= n;
        disk.fail_at = 0;
        long version = sql("PRAGMA user_version");
        assert_true(version == 3 || (version >= 1 && version < 3 && err != OK));
        store_close(&store);
        assert_int_equal(open_at(path), OK);
        struct store_ask q = ask_of(STORE_TOKEN_CHECK);
        memset(q.u.token_check.hash, 0x11, STORE_HASH);
        ASK(q, STORE_DONE);
        if (!was_hit)
            break;
        assert_true(n < 500);
    }
    memset(&disk, 0, sizeof disk);
}

static void a_newer_database_is_refused_untouched(void **state)
{
    (void)state;
    struct store_who who = setup();
    store_close(&store);
    sql("PRAGMA user_version = 7");
    assert_int_equal(open_at(path), ERR_VERSION);
    assert_non_null(strstr(store_why(&store), "newer program (schema 7"));
    assert_false(store_is_open(&store));
    sql("PRAGMA user_version = 3");
    assert_int_equal(open_at(path), OK);
    assert_string_equal(store_why(&store), "");
    assert_string_equal(setup().fleet_id, who.fleet_id);
}

static void a_stranger_is_refused_untouched(void **state)
{
    (void)state;
    store_close(&store);
    assert_int_equal(unlink(path), 0);
    sql("CREATE TABLE theirs (x)");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(open_at(path), ERR_DAMAGED);
    assert_non_null(strstr(store_why(&store), "another program"));
    assert_int_equal(sql("SELECT count(*) FROM sqlite_schema"), 1);

    int fd = open(path, O_TRUNC | O_WRONLY);
    for (int i = 0; i < 100; i++)
        assert_int_equal(write(fd, "This is no database at all. ", 28), 28);
    close(fd);
    assert_int_equal(open_at(path), ERR_DAMAGED);
    assert_non_null(strstr(store_why(&store), "not a database"));
}

/* A database with some weight: 40 machines. */
static void make_weight(void)
{
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    for (uint32_t i = 0; i < 40; i++)
        enrol(20, 100 + 10 * i, "weighty");
}

static void a_truncated_file_is_damaged(void **state)
{
    struct stat st;
    (void)state;
    make_weight();
    store_close(&store);
    assert_int_equal(stat(path, &st), 0);
    for (off_t len = st.st_size - 4096; len > 0; len -= 4096) {
        assert_int_equal(truncate(path, len), 0);
        assert_int_equal(open_at(path), ERR_DAMAGED);
        assert_true(strlen(store_why(&store)) > strlen(path) + 30);
    }
    assert_int_equal(truncate(path, 50), 0);
    assert_int_equal(open_at(path), ERR_DAMAGED);
}

/* Overwrite each page in turn with noise: either the store says so when it
 * opens, or it opens and never crashes. */
static void noise_in_any_page_crashes_nothing(void **state)
{
    static uint8_t whole[512 * 1024], page[4096];
    (void)state;
    make_weight();
    store_close(&store);
    int fd = open(path, O_RDWR);
    ssize_t len = read(fd, whole, sizeof whole);
    assert_in_range(len, 4096, sizeof whole - 1);
    int refused = 0, pages = 0;
    for (off_t at = 0; at < len; at += 4096, pages++) {
        FILL(page, at);
        assert_int_equal(pwrite(fd, page, 4096, at), 4096);
        if (open_at(path) == OK) {
            struct store_ask q = enrol_ask(20, 100, "x");
            (void)ask_at(&q, NOW);
            store_close(&store);
        } else {
            refused++;
        }
        assert_int_equal(ftruncate(fd, len), 0);
        assert_int_equal(pwrite(fd, whole, (size_t)len, 0), len);
    }
    close(fd);
    assert_int_equal(refused, pages);
    assert_int_equal(open_at(path), OK);
    assert_int_equal(login(100)->outcome, STORE_DONE);
}

static void a_heap_too_small_is_said(void **state)
{
    (void)state;
    store_close(&store);
    struct store_cfg cfg = {.path = path, .heap = {heap, 4096}};
    assert_int_equal(store_open(&store, &cfg), ERR_LIMIT);
    cfg.heap.len = 3 * 1024 * 1024; /* the least that is taken does work */
    assert_int_equal(store_open(&store, &cfg), OK);
    make_weight();
    list(STORE_MACHINE_LIST, setup().fleet_id, 0);
    assert_int_equal(got.rows, 40);
}

static void a_folder_of_others_is_refused(void **state)
{
    char dir[128];
    (void)state;
    store_close(&store);
    PUT(dir, path);
    *strrchr(dir, '/') = '\0';
    assert_int_equal(chmod(dir, 0777), 0);
    assert_int_equal(open_at(path), ERR_DENIED);
    assert_non_null(strstr(store_why(&store), "others may write"));
    assert_int_equal(chmod(dir, 0700), 0);
}

/* ---- a full disk -------------------------------------------------------------------- */

static const struct store_answer *try_enrol(uint32_t machine)
{
    struct store_ask q = enrol_ask(20, machine, "filler");
    return ask_at(&q, NOW);
}

static void a_full_disk_is_said_and_loses_nothing(void **state)
{
    char mount_at[100], db[128], ballast[128];
    (void)state;
    (void)snprintf(mount_at, sizeof mount_at, "%s/small", folder);
    (void)snprintf(db, sizeof db, "%s/relay.db", mount_at);
    (void)snprintf(ballast, sizeof ballast, "%s/ballast", mount_at);
    store_close(&store);
    assert_int_equal(mkdir(mount_at, 0700), 0);
    if (mount("none", mount_at, "tmpfs", 0, "size=800k,mode=0700") != 0)
        skip(); /* not root, or no such right */
    assert_int_equal(open_at(db), OK);
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    uint32_t done = 0;
    while (try_enrol(100 + 10 * done)->err == OK)
        assert_true(++done < 2000);
    assert_int_equal(got.last.err, ERR_NO_SPACE);
    assert_non_null(strstr(store_why(&store), "full"));
    assert_true(done > 10);

    /* Reading goes on, also in one batch with what fails. */
    got.count = 0;
    struct store_ask w = enrol_ask(20, 999999, "late");
    struct store_ask r = ask_of(STORE_MACHINE_LOGIN);
    FILL(r.u.machine_login.public_key, 100);
    w.tag = 1, r.tag = 2;
    assert_int_equal(store_ask(&store, &w), OK);
    assert_int_equal(store_ask(&store, &r), OK);
    assert_int_equal(store_turn(&store, NOW), 2);
    assert_int_equal(got.tags[1], 2);
    assert_int_equal(got.last.err, OK);
    assert_int_equal(got.last.outcome, STORE_DONE);

    /* Closed and opened on the full disk, then with room: all are there. */
    store_close(&store);
    int fd = open(ballast, O_CREAT | O_WRONLY, 0600);
    while (write(fd, heap, 4096) > 0)
        ;
    close(fd);
    int err = open_at(db);
    print_message("open on a full disk: %d %s\n", err, store_why(&store));
    assert_true(err == OK || err == ERR_NO_SPACE);
    store_close(&store);
    assert_int_equal(mount("none", mount_at, "tmpfs", MS_REMOUNT, "size=4m"),
                     0);
    assert_int_equal(open_at(db), OK);
    list(STORE_MACHINE_LIST, who.fleet_id, 0);
    assert_int_equal(got.last.rows, done);
    assert_int_equal(try_enrol(999999)->err, OK);
    store_close(&store);
    assert_int_equal(umount(mount_at), 0);
}

/* ---- sudden death ------------------------------------------------------------------- */

static int told_fd;

/* Tell the parent: this one was answered as done. */
static void on_told(void *ctx, uint32_t tag, const struct store_answer *a)
{
    (void)ctx;
    if (a->err == OK && a->outcome == STORE_DONE &&
        write(told_fd, &tag, sizeof tag) != (ssize_t)sizeof tag)
        _exit(3);
}

static void enrol_for_ever(uint32_t first)
{
    if (open_at(path) != OK)
        _exit(2);
    for (uint32_t i = first;;) {
        struct store_ask q = enrol_ask(20, 100 + 10 * i, "mortal");
        q.tag = i;
        q.answer = on_told;
        if (store_ask(&store, &q) == OK)
            i++;
        else
            (void)store_turn(&store, NOW);
        if (i % 5 == 0)
            (void)store_turn(&store, NOW);
    }
}

static void what_was_answered_survives_a_kill(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    uint32_t next = 0;
    for (int round = 0; round < 25; round++) {
        int fds[2];
        uint32_t last = next, tag;
        store_close(&store);
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
            told_fd = fds[1];
            close(fds[0]);
            enrol_for_ever(next);
        }
        close(fds[1]);
        struct timespec nap = {0, (10 + round * 7 % 60) * 1000000L};
        nanosleep(&nap, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        while (read(fds[0], &tag, sizeof tag) == (ssize_t)sizeof tag)
            last = tag + 1;
        close(fds[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));

        assert_int_equal(open_at(path), OK); /* quick_check in it */
        for (uint32_t i = next; i < last; i++)
            assert_int_equal(login(100 + 10 * i)->outcome, STORE_DONE);
        /* Machines, uses and the record agree: nothing is half done. */
        list(STORE_JOINKEY_LIST, who.fleet_id, 0);
        uint32_t uses = got.row[0].joinkey.uses;
        list(STORE_MACHINE_LIST, who.fleet_id, 0);
        assert_true(got.last.rows <= uses && got.last.rows >= last);
        assert_int_equal(sql("SELECT count(*) FROM audit WHERE action "
                             "= 'machine.enrol'"),
                         uses);
        next = last;
    }
    print_message("%u enrolments over 25 deaths\n", next);
    assert_true(next > 25);
    assert_int_equal(sql("SELECT count(*) FROM pragma_integrity_check"
                         " WHERE integrity_check = 'ok'"),
                     1);
}

/* ---- failing writes ------------------------------------------------------------------ */

/* Ten enrolments, two in a turn; those that were told to be done. */
static uint32_t enrol_ten(bool told[10])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < 10; i += 2) {
        struct store_ask a = enrol_ask(20, 1000 + 10 * i, "m");
        struct store_ask b = enrol_ask(20, 1010 + 10 * i, "m");
        a.row = NULL, b.row = NULL;
        if (store_ask(&store, &a) != OK || store_ask(&store, &b) != OK)
            break;
        got.count = 0;
        got.errs[0] = got.errs[1] = ERR_IO;
        for (int t = 0; t < 5 && store_pending(&store); t++)
            (void)store_turn(&store, NOW);
        assert_int_equal(got.count, 2);
        for (uint32_t k = 0; k < 2; k++) {
            told[i + k] = got.errs[k] == OK;
            count += told[i + k];
            assert_true(got.errs[k] == OK || got.errs[k] == ERR_NO_SPACE ||
                        got.errs[k] == ERR_IO);
        }
    }
    return count;
}

/* One run with the n-th call failing; true when it came that far. */
static bool run_with_fault(int n, bool for_ever, bool no_space)
{
    bool told[10] = {false};
    store_close(&store);
    (void)unlink(path);
    memset(&disk, 0, sizeof disk);
    assert_int_equal(open_at(path), OK);
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);

    disk.calls = 0;
    disk.fail_at = n;
    disk.for_ever = for_ever;
    disk.no_space = no_space;
    uint32_t count = enrol_ten(told);
    bool was_hit = disk.calls >= n;
    assert_true(was_hit || count == 10);
    store_close(&store); /* this may fail, too */
    disk.fail_at = 0;

    assert_int_equal(open_at(path), OK);
    uint32_t there = 0;
    for (uint32_t i = 0; i < 10; i++) {
        bool is_there = login(1000 + 10 * i)->outcome == STORE_DONE;
        assert_true(is_there || !told[i]);
        there += is_there;
    }
    list(STORE_JOINKEY_LIST, who.fleet_id, 0);
    assert_int_equal(got.row[0].joinkey.uses, there);
    assert_int_equal(sql("SELECT machines FROM fleet"), there);
    assert_int_equal(sql("SELECT count(*) FROM audit"), there + 2);
    return was_hit;
}

/* The 1st, 2nd, ... call fails, once and for ever, until a run meets none. */
static void no_failing_write_loses_what_was_told(void **state)
{
    (void)state;
    hook_disk();
    for (int kind = 0; kind < 4; kind++) {
        int n = 1;
        while (run_with_fault(n, (kind & 1) != 0, (kind & 2) != 0))
            assert_true(++n < 500);
        assert_true(n > 20);
    }
    memset(&disk, 0, sizeof disk);
}

static void only_what_must_last_is_synced(void **state)
{
    (void)state;
    hook_disk();
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    struct store_machine m = enrol(20, 100, "a")->u.machine;

    disk.syncs = 0;
    struct store_ask q = ask_of(STORE_MACHINE_SEEN);
    PUT(q.u.machine_seen.fleet_id, who.fleet_id);
    PUT(q.u.machine_seen.machine_id, m.id);
    ask(&q);
    login(100);
    check_token(1, NOW);
    list(STORE_MACHINE_LIST, who.fleet_id, 0);
    assert_int_equal(disk.syncs, 0);

    /* A token's use is noted, not sworn; the holder that comes back writes
     * nothing at all. */
    struct store_ask t = token_ask(&who, 50);
    ASK(t, STORE_DONE);
    struct store_ask c = ask_of(STORE_MACHINE_LOGIN);
    FILL(c.u.machine_login.public_key, 100);
    memset(c.u.machine_login.claim.instance, 1, STORE_INSTANCE);
    ASK(c, STORE_DONE);
    disk.syncs = 0;
    assert_int_equal(check_token(50, NOW)->outcome, STORE_DONE);
    assert_int_equal(sql("SELECT last_used_ms FROM token"), NOW);
    disk.calls = 0;
    for (int i = 0; i < 100; i++) {
        ASK(c, STORE_DONE);
        assert_int_equal(check_token(50, NOW + i)->outcome, STORE_DONE);
    }
    assert_int_equal(disk.syncs, 0);
    assert_int_equal(disk.calls, 0);

    for (uint32_t i = 0; i < STORE_BATCH; i++) {
        struct store_ask e = enrol_ask(20, 200 + 10 * i, "b");
        assert_int_equal(store_ask(&store, &e), OK);
    }
    assert_int_equal(store_turn(&store, NOW), STORE_BATCH);
    assert_int_equal(disk.syncs, 1); /* for all of them */
    ask(&q);
    assert_int_equal(disk.syncs, 1);
    enable(who.fleet_id, m.id, false);
    assert_int_equal(disk.syncs, 2);
}

/* ---- power cuts ----------------------------------------------------------------------- */

static size_t slurp(const char *from, uint8_t *out, size_t cap)
{
    int fd = open(from, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, out, cap);
    close(fd);
    assert_in_range(n, 1, cap - 1);
    return (size_t)n;
}

static void spit(const char *to, const uint8_t *p, size_t len, size_t zeros)
{
    int fd = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, len), len);
    assert_int_equal(ftruncate(fd, (off_t)(len + zeros)), 0);
    close(fd);
}

/* The log is cut anywhere, with nothing or with zeros behind it: what comes
 * up is whole, and is a beginning of what was done. */
static void a_cut_log_loses_only_its_end(void **state)
{
    static uint8_t db[1 << 20], log[4 << 20];
    char log_path[160];
    (void)state;
    make_weight();
    const char *fleet = setup().fleet_id;
    char fleet_id[UUID_CAP];
    PUT(fleet_id, fleet);
    (void)snprintf(log_path, sizeof log_path, "%s-wal", path);
    size_t db_len = slurp(path, db, sizeof db);
    size_t log_len = slurp(log_path, log, sizeof log);
    store_close(&store);

    uint32_t most = 0;
    for (size_t cut = 0; cut <= log_len; cut += 4099) {
        spit(path, db, db_len, 0);
        spit(log_path, log, cut, cut % 2 == 0 ? 0 : log_len - cut);
        assert_int_equal(open_at(path), OK);
        if (sql("SELECT count(*) FROM fleet") == 1) {
            uint32_t n = list(STORE_MACHINE_LIST, fleet_id, 0)->rows;
            assert_true(n >= most);
            most = n;
            assert_int_equal(sql("SELECT machines FROM fleet"), n);
            assert_int_equal(sql("SELECT count(*) FROM audit WHERE action"
                                 " = 'machine.enrol'"),
                             n);
        } else {
            assert_int_equal(most, 0);
        }
        store_close(&store);
    }
    assert_in_range(most, 38, 40);
}

/* ---- two processes ------------------------------------------------------------------- */

/* `count` join keys out of a process of its own, as `server join-key` does. */
static pid_t other_process(uint32_t first, uint32_t count, const char *fleet_id)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (open_at(path) != OK)
        _exit(2);
    for (uint32_t i = 0; i < count; i++) {
        struct store_ask q = key_ask(fleet_id, first + 10 * i, 0);
        if (store_ask(&store, &q) != OK || store_turn(&store, NOW) != 1 ||
            got.last.err != OK || got.last.outcome != STORE_DONE)
            _exit(3);
    }
    store_close(&store);
    _exit(0);
}

static void assert_left_well(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* fork must not copy an open store: SQLite's locks belong to a process. So
 * children are made first, and the parent opens then. */
static void processes_write_side_by_side(void **state)
{
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    store_close(&store);
    pid_t a = other_process(100000, 60, who.fleet_id);
    pid_t b = other_process(200000, 60, who.fleet_id);
    assert_int_equal(open_at(path), OK);
    int done = 0;
    for (uint32_t i = 0; i < 200; i++)
        done += enrol(20, 300000 + 10 * i, "m")->outcome == STORE_DONE;
    assert_left_well(a);
    assert_left_well(b);
    assert_int_equal(done, 200);
    list(STORE_JOINKEY_LIST, who.fleet_id, 0);
    assert_int_equal(got.rows, 121);
    /* A key that another process made lets a machine in here. */
    assert_int_equal(enrol(100000 + 590, 900000, "n")->outcome, STORE_DONE);
}

static void two_first_starts_agree(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        store_close(&store);
        (void)unlink(path);
        pid_t pids[4];
        for (int i = 0; i < 4; i++) {
            pids[i] = fork();
            if (pids[i] != 0)
                continue;
            if (open_at(path) != OK) {
                print_error("%s\n", store_why(&store));
                _exit(2);
            }
            struct store_ask q = ask_of(STORE_SETUP);
            PUT(q.u.setup.fleet_name, "Home");
            PUT(q.u.setup.user_name, "ada");
            FILL(q.u.setup.random, i + 1);
            if (store_ask(&store, &q) != OK || store_turn(&store, NOW) != 1 ||
                got.last.err != OK || got.last.outcome != STORE_DONE)
                _exit(3);
            store_close(&store);
            _exit(0);
        }
        for (int i = 0; i < 4; i++)
            assert_left_well(pids[i]);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(open_at(path), OK);
        assert_false(setup().created);
        assert_int_equal(sql("SELECT count(*) FROM fleet"), 1);
    }
}

/* While somebody else is inside a write, reads go on and writes wait. */
static void a_busy_database_delays_writes_only(void **state)
{
    sqlite3 *other = NULL;
    (void)state;
    struct store_who who = setup();
    make_key(who.fleet_id, 20, 0);
    enrol(20, 100, "a");
    store_close(&store);
    struct store_cfg cfg = {
        .path = path, .heap = SPAN_ARRAY(heap), .busy_ms = 5};
    assert_int_equal(store_open(&store, &cfg), OK);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", 0, 0, 0),
                     SQLITE_OK);

    struct store_ask r = ask_of(STORE_MACHINE_LOGIN);
    FILL(r.u.machine_login.public_key, 100);
    struct store_ask w = enrol_ask(20, 200, "b");
    got.count = 0;
    assert_int_equal(store_ask(&store, &r), OK);
    assert_int_equal(store_ask(&store, &w), OK);
    assert_int_equal(store_ask(&store, &r), OK);
    assert_int_equal(store_turn(&store, NOW), 1); /* the read in front */
    assert_int_equal(got.last.outcome, STORE_DONE);
    assert_int_equal(store_turn(&store, NOW), ERR_BUSY);
    assert_int_equal(store_turn(&store, NOW), ERR_BUSY);
    assert_int_equal(got.count, 1);
    assert_true(store_pending(&store));
    assert_int_equal(sqlite3_exec(other, "COMMIT", 0, 0, 0), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(store_turn(&store, NOW), 2);
    assert_int_equal(got.last.outcome, STORE_DONE);
    assert_int_equal(login(200)->outcome, STORE_DONE);
}

/* ---- indexes ------------------------------------------------------------------------ */

static bool is_one_of(int sql_number, const enum store_sql *list, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if ((int)list[k] == sql_number)
            return true;
    return false;
}

#define IS_ONE_OF(n, list) is_one_of((n), (list), sizeof(list) / sizeof *(list))

/* Used tokens are kept to know them again, but not without end. */
static void who_refreshes_for_ever_signs_in_again(void **state)
{
    char fill_up[800];
    (void)state;
    struct store_who who = setup();
    struct store_ask q = token_ask(&who, 10);
    q.u.token_make.kind = STORE_REFRESH;
    q.u.token_make.secret.expires_ms = NOW + 30 * 24 * 60 * MINUTE;
    assert_int_equal(ask(&q)->outcome, STORE_DONE);
    PUT(who.family, got.last.u.who.family);
    for (int i = 0; i < 2; i++) {
        if (i == 1) {
            (void)snprintf(
                fill_up, sizeof fill_up,
                "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM"
                " n WHERE i < %d) INSERT INTO token (fleet_id, id, person_id,"
                " kind, family, label, hash, created_ms, expires_ms, used_ms)"
                " SELECT '%s', printf('%%08x-0000-4000-8000-000000000000', i),"
                " '%s', 2, '%s', '', randomblob(32), 0, 0, 1 FROM n",
                STORE_FAMILY_TOKENS_MAX - 4, who.fleet_id, who.user_id,
                who.family);
            (void)sql(fill_up);
        }
        q = ask_of(STORE_TOKEN_REFRESH);
        FILL(q.u.token_refresh.hash, i == 0 ? 10 : 300);
        FILL(q.u.token_refresh.access.hash, 200 + i);
        FILL(q.u.token_refresh.access.random, 220 + i);
        FILL(q.u.token_refresh.refresh.hash, 300 + i);
        FILL(q.u.token_refresh.refresh.random, 320 + i);
        q.u.token_refresh.refresh.expires_ms = NOW + 24 * 60 * MINUTE;
        assert_int_equal(ask(&q)->outcome, i == 0 ? STORE_DONE : STORE_REVOKED);
    }
    assert_int_equal(sql("SELECT count(*) FROM token"),
                     STORE_FAMILY_TOKENS_MAX);
    assert_int_equal(check_token(200, NOW)->outcome, STORE_DONE);
    (void)sql("DELETE FROM token WHERE created_ms = 0");
    assert_int_equal(ask(&q)->outcome, STORE_DONE);
}

/* No statement reads a whole table, or sorts, but those that are asked seldom
 * and are about all of it, or find few rows. */
static void every_statement_has_its_index(void **state)
{
    static const enum store_sql whole[] = {SQL_PERSON_COUNT, SQL_PERSON_LIST,
                                           SQL_FLEET_LIST_ALL};
    static const enum store_sql sorts[] = {SQL_HOME, SQL_FLEET_LIST,
                                           SQL_PERSON_HOME, SQL_MEMBER_LIST};
    char text[4096];
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    (void)state;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (int i = SQL_PERSON_MAKE; i < SQL_COUNT; i++) {
        (void)snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s",
                       store_sql((enum store_sql)i));
        assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL),
                         SQLITE_OK);
        while (sqlite3_step(st) == SQLITE_ROW) {
            const char *plan = (const char *)sqlite3_column_text(st, 3);
            bool scans = strncmp(plan, "SCAN ", 5) == 0 &&
                         strncmp(plan, "SCAN CONSTANT", 13) != 0;
            bool sorted = strstr(plan, "TEMP B-TREE FOR ORDER") != NULL;
            bool wrong = (scans && !IS_ONE_OF(i, whole)) ||
                         (sorted && !IS_ONE_OF(i, sorts));
            if (wrong)
                print_error("%s: %s\n", plan, text);
            assert_false(wrong);
        }
        sqlite3_finalize(st);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- how fast ------------------------------------------------------------------------ */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double rate(uint32_t count, struct store_ask (*make)(uint32_t i))
{
    double start = seconds();
    for (uint32_t i = 0; i < count;) {
        struct store_ask q = make(i);
        if (store_ask(&store, &q) == OK)
            i++;
        else
            assert_true(store_turn(&store, NOW) > 0);
    }
    while (store_pending(&store))
        assert_true(store_turn(&store, NOW) > 0);
    return count / (seconds() - start);
}

static struct store_ask rate_enrol(uint32_t i)
{
    return enrol_ask(20, 1000 + 10 * i, "fast");
}

static struct store_ask rate_login(uint32_t i)
{
    struct store_ask q = ask_of(STORE_MACHINE_LOGIN);
    FILL(q.u.machine_login.public_key, 1000 + 10 * (i % 2000));
    return q;
}

static struct store_ask rate_claim(uint32_t i)
{
    struct store_ask q = rate_login(i);
    memset(q.u.machine_login.claim.instance, 1, STORE_INSTANCE);
    return q;
}

static struct store_ask rate_check(uint32_t i)
{
    struct store_ask q = ask_of(STORE_TOKEN_CHECK);
    (void)i;
    FILL(q.u.token_check.hash, 10);
    return q;
}

static struct store_who rate_who;
static char rate_machine[UUID_CAP];

static struct store_ask rate_seen(uint32_t i)
{
    struct store_ask q = ask_of(STORE_MACHINE_SEEN);
    (void)i;
    PUT(q.u.machine_seen.fleet_id, rate_who.fleet_id);
    PUT(q.u.machine_seen.machine_id, rate_machine);
    PUT(q.u.machine_seen.facts.hostname, "fast");
    return q;
}

static void rates_are_told(void **state)
{
    (void)state;
    disk.is_real = true;
    rate_who = setup();
    struct store_ask q = token_ask(&rate_who, 10);
    ask(&q);
    make_key(rate_who.fleet_id, 20, 0);
    print_message("enrolments/s   %8.0f\n", rate(2000, rate_enrol));
    print_message("logins/s       %8.0f\n", rate(20000, rate_login));
    print_message("first claims/s %8.0f\n", rate(2000, rate_claim));
    print_message("reconnects/s   %8.0f\n", rate(20000, rate_claim));
    print_message("token checks/s %8.0f\n", rate(20000, rate_check));
    PUT(rate_machine, login(1000)->u.machine.id);
    print_message("seen/s         %8.0f\n", rate(20000, rate_seen));
    disk.is_real = false;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(files_are_private),
        TEST(a_path_may_hold_any_character),
        TEST(an_empty_file_is_version_0_and_comes_up),
        TEST(a_failed_migration_leaves_nothing),
        TEST(a_database_of_schema_1_keeps_everything),
        TEST(a_migration_is_done_or_not),
        TEST(a_newer_database_is_refused_untouched),
        TEST(a_stranger_is_refused_untouched),
        TEST(a_truncated_file_is_damaged),
        TEST(noise_in_any_page_crashes_nothing),
        TEST(a_heap_too_small_is_said),
        TEST(a_folder_of_others_is_refused),
        TEST(a_full_disk_is_said_and_loses_nothing),
        TEST(what_was_answered_survives_a_kill),
        TEST(no_failing_write_loses_what_was_told),
        TEST(only_what_must_last_is_synced),
        TEST(a_cut_log_loses_only_its_end),
        TEST(processes_write_side_by_side),
        TEST(two_first_starts_agree),
        TEST(a_busy_database_delays_writes_only),
        TEST(who_refreshes_for_ever_signs_in_again),
        TEST(every_statement_has_its_index),
        TEST(rates_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
