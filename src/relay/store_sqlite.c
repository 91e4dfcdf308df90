/*
 * The SQLite engine: one connection, no threads, no memory but the heap it
 * is given (MEMSYS5 and a page cache of fixed slots).
 *
 *   heap   | store_engine | page cache slots ... | SQLite's own heap ... |
 *
 * A batch is one transaction, so one sync of the log serves up to 32
 * questions. How hard it is made durable depends on what is in it:
 *   only reads          a read transaction; nothing reaches the disk
 *   last-seen times     synchronous NORMAL: the log is written, not synced
 *   anything else       synchronous FULL: synced before the answers go out,
 *                       for nobody may be told of an enrolment, or of a
 *                       revocation, that a power cut then takes back
 * Either way a power cut leaves a whole database: see store_schema.c.
 *
 * A question is a read as long as it finds nothing to write: the login of a
 * machine whose holder did not change, a poll that may be answered. When one
 * does find something (STORE_RAISE), the transaction is given up and its
 * questions run again in one that writes. And when a token is used, that is
 * noted after the answers went out, in a transaction of its own that waits
 * for nobody.
 *
 * Each writing question runs under a savepoint, so one that is refused half
 * way leaves nothing. When a whole batch fails (disk full, I/O), it is rolled
 * back and its questions run again one by one: the reads among them succeed.
 */
#include "relay/store_sqlite.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "port/port.h"
#include "relay/store_query.h"

#define PAGE_BYTES     4096 /* SQLite's default, and that of our files */
#define HEAP_BYTES_MIN ((size_t)3 * 1024 * 1024)
#define OPEN_BUSY_MS   5000 /* somebody else may be migrating */

/* ---- memory ---------------------------------------------------------------------- */

#define ROUND16(n) (((size_t)(n) + 15) & ~(size_t)15)

/* Half of the heap caches pages, in slots of their own: in MEMSYS5's powers
 * of two each page would cost 8 KiB. */
static int give_memory(struct span heap, struct store_engine **out)
{
    int head = 0; /* what SQLite adds to a page */
    size_t skew = (16 - ((uintptr_t)heap.ptr & 15)) & 15;

    if (heap.len < HEAP_BYTES_MIN || heap.len > INT32_MAX)
        return ERR_LIMIT;
    if (sqlite3_config(SQLITE_CONFIG_PCACHE_HDRSZ, &head) != SQLITE_OK)
        return ERR_UNSUPPORTED;
    uint8_t *engine = heap.ptr + skew;
    uint8_t *cache = engine + ROUND16(sizeof **out);
    size_t slot = ROUND16(PAGE_BYTES + head);
    size_t slots = heap.len / 2 / slot;
    uint8_t *rest = cache + slots * slot;
    size_t left = heap.len - (size_t)(rest - heap.ptr);
    if (sqlite3_config(SQLITE_CONFIG_PAGECACHE, cache, (int)slot, (int)slots) !=
            SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_HEAP, rest, (int)left, 64) != SQLITE_OK ||
        sqlite3_initialize() != SQLITE_OK)
        return ERR_UNSUPPORTED;
    *out = (struct store_engine *)(void *)engine;
    memset(*out, 0, sizeof **out);
    (*out)->cache_pages = (int)slots;
    return OK;
}

/* ---- open ------------------------------------------------------------------------ */

/* The folder of `path`; "." when it names none. */
static int make_folder(const char *path)
{
    char folder[PATH_CAP] = ".";
    size_t end = strlen(path);

    while (end > 0 && path[end - 1] != '/')
        end--;
    if (end > 0)
        (void)bytes_to_str(folder, sizeof folder, view_of(path, end));
    return port_keep_folder(folder);
}

static void uri_path(struct text *t, const char *path)
{
    static const char plain[] = "/._-~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (; *path != '\0'; path++) {
        if (strchr(plain, *path) != NULL) {
            text_char(t, *path);
        } else {
            text_char(t, '%');
            text_hex(t, view_of(path, 1));
        }
    }
}

/*
 * SQLite makes files 0644 unless told to copy the mode of another one, so a
 * new database gets a model: an empty file that the port makes, 0600. Asked
 * before SQLite opens the file: closing any handle of it would drop SQLite's
 * locks (POSIX locks belong to the process).
 */
static int find_mode(const char *path, char model[PATH_CAP])
{
    uint8_t byte[1];
    struct text t;
    int n = port_keep_read(path, true, SPAN_ARRAY(byte));

    model[0] = '\0';
    if (n >= 0 || n == ERR_TOO_BIG)
        return OK;
    if (n != ERR_NOT_FOUND)
        return n;
    text_init(&t, model, PATH_CAP);
    text_join(&t, path, "-mode", NULL);
    return t.cut ? ERR_RANGE : port_keep_write_fast(model, VIEW_NONE);
}

/* OK, or a code of ours; *rc is SQLite's when it came that far. */
static int open_file(struct store_engine *e, const char *path, int *rc)
{
    char model[PATH_CAP];
    struct text uri;
    int err = find_mode(path, model);

    if (err != OK)
        return err;
    TEXT_OF(&uri, e->uri);
    text_str(&uri, "file:");
    uri_path(&uri, path);
    if (model[0] != '\0') {
        text_str(&uri, "?modeof=");
        uri_path(&uri, model);
    }
    *rc = sqlite3_open_v2(e->uri, &e->db,
                          SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                              SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE,
                          NULL);
    if (model[0] != '\0')
        (void)port_keep_remove(model);
    return store_schema_err(*rc);
}

/* Two processes may make it at the same time: who is quicker removes the
 * model, but then the database is there. */
static int make_or_open(struct store_engine *e, const char *path)
{
    int rc = SQLITE_OK;
    int err = make_folder(path);

    if (err == OK)
        err = open_file(e, path, &rc);
    if (rc == SQLITE_IOERR_FSTAT) {
        (void)sqlite3_close(e->db);
        e->db = NULL;
        err = open_file(e, path, &rc);
    }
    return err;
}

/* Nothing we store or ask is larger; a damaged file may claim otherwise. */
static void set_limits(struct store_engine *e)
{
    (void)sqlite3_limit(e->db, SQLITE_LIMIT_LENGTH, 64 * 1024);
    (void)sqlite3_limit(e->db, SQLITE_LIMIT_ATTACHED, 0);
    (void)sqlite3_busy_timeout(e->db, OPEN_BUSY_MS);
}

static int set_cache(struct store_engine *e)
{
    char sql[48];
    struct text t;

    TEXT_OF(&t, sql);
    text_str(&t, "PRAGMA cache_size = ");
    text_i64(&t, e->cache_pages);
    return store_schema_err(sqlite3_exec(e->db, sql, NULL, NULL, NULL));
}

static int prepare_all(struct store_engine *e)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        int rc = sqlite3_prepare_v3(e->db, store_sql((enum store_sql)i), -1,
                                    SQLITE_PREPARE_PERSISTENT, &e->st[i], NULL);
        if (rc != SQLITE_OK)
            return store_schema_err(rc);
    }
    return OK;
}

/* Give everything back; `e` may be half open, or NULL. */
static void tear_down(struct store_engine *e)
{
    if (e != NULL) {
        for (int i = 0; i < SQL_COUNT; i++)
            (void)sqlite3_finalize(e->st[i]);
        int rc = sqlite3_close(e->db);
        assert(rc == SQLITE_OK); /* a statement was forgotten */
        (void)rc;
    }
    (void)sqlite3_shutdown();
}

/* All steps of store_open; a reason beside port_why goes to `why`. */
static int bring_up(struct store_engine *e, const struct store_cfg *cfg,
                    struct text *why)
{
    int err = make_or_open(e, cfg->path);

    if (err != OK) {
        text_str(why, e->db != NULL ? sqlite3_errmsg(e->db) : port_why());
        return err;
    }
    set_limits(e);
    err = store_schema_up(e->db, why);
    if (err != OK)
        return err;
    err = set_cache(e);
    if (err == OK)
        err = prepare_all(e);
    if (err != OK)
        text_str(why, sqlite3_errmsg(e->db));
    e->synced = true; /* as store_schema_up leaves it */
    e->busy_ms = (int)cfg->busy_ms;
    (void)sqlite3_busy_timeout(e->db, e->busy_ms);
    return err;
}

int store_open(struct store *s, const struct store_cfg *cfg)
{
    struct store_engine *e = NULL;
    struct text why;

    s->engine = NULL;
    s->turning = false;
    s->head = s->tail = 0;
    TEXT_OF(&why, s->why);
    text_join(&why, "cannot open the database ", cfg->path, ": ", NULL);

    int err = ERR_RANGE;
    if (cfg->busy_ms <= INT32_MAX && strlen(cfg->path) < PATH_CAP - 8)
        err = give_memory(cfg->heap, &e);
    if (err != OK)
        text_str(&why, err_str(err));
    else
        err = bring_up(e, cfg, &why);
    if (err != OK) {
        tear_down(e);
        return err;
    }
    TEXT_OF(&why, s->why);
    s->engine = e;
    return OK;
}

/* ---- close ----------------------------------------------------------------------- */

static void answer_next(struct store *s, struct store_answer *a)
{
    struct store_ask *slot = &s->queue[s->head % STORE_QUEUE];
    uint32_t tag = slot->tag;
    void *ctx = slot->ctx;
    void (*answer)(void *, uint32_t, const struct store_answer *) =
        slot->answer;

    a->op = slot->op;
    if (s->saw != NULL)
        s->saw(s->saw_ctx, slot, a);
    s->head++; /* the slot may be asked into from here on */
    answer(ctx, tag, a);
}

void store_close(struct store *s)
{
    struct store_engine *e = s->engine;

    assert(!s->turning);
    if (e == NULL)
        return;
    s->engine = NULL; /* what answers ask for now is refused */
    s->turning = true;
    while (store_pending(s)) {
        struct store_answer a = {.err = ERR_CLOSED};
        answer_next(s, &a);
    }
    s->turning = false;
    /* The last connection folds the log in when it closes; beside another
     * process this does what is possible now. */
    (void)sqlite3_wal_checkpoint_v2(e->db, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                    NULL, NULL);
    tear_down(e);
}

/* ---- transactions ---------------------------------------------------------------- */

static int plain(struct store_engine *e, enum store_sql which)
{
    int rc = sqlite3_step(e->st[which]);

    (void)sqlite3_reset(e->st[which]);
    return store_schema_err(rc);
}

static int set_synced(struct store_engine *e, bool synced)
{
    if (e->synced == synced)
        return OK;
    int rc = sqlite3_exec(e->db,
                          synced ? "PRAGMA synchronous = FULL"
                                 : "PRAGMA synchronous = NORMAL",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        e->synced = synced;
    return store_schema_err(rc);
}

static int begin(struct store_engine *e, enum store_effort effort)
{
    if (effort == STORE_LOOKS)
        return plain(e, SQL_READ);
    int err = set_synced(e, effort == STORE_SWEARS);
    return err == OK ? plain(e, SQL_WRITE) : err;
}

/* Keep the reason, then undo; some failures have undone it already. */
static void abandon(struct store *s)
{
    struct text why;

    TEXT_OF(&why, s->why);
    text_str(&why, "the database: ");
    text_str(&why, sqlite3_errmsg(s->engine->db));
    if (!sqlite3_get_autocommit(s->engine->db))
        (void)plain(s->engine, SQL_ROLLBACK);
}

/* One question; what it wrote stays only when it is done. */
static int step(struct store_engine *e, const struct store_ask *q,
                struct store_answer *a)
{
    const struct store_op_row *op = store_sqlite_op(q->op);
    bool writes = e->effort != STORE_LOOKS && !op->is_list;

    *a = (struct store_answer){.op = q->op};
    e->keep = false;
    int err = writes ? plain(e, SQL_STEP) : OK;
    if (err == OK)
        err = op->run(e, q, a);
    if (err != OK || !writes)
        return err;
    if (a->outcome != STORE_DONE && !e->keep)
        err = plain(e, SQL_STEP_UNDO);
    return err == OK ? plain(e, SQL_STEP_KEEP) : err;
}

static const struct store_ask *queued(const struct store *s, uint32_t i)
{
    return &s->queue[(s->head + i) % STORE_QUEUE];
}

static const struct store_op_row *queued_op(const struct store *s, uint32_t i)
{
    return store_sqlite_op(queued(s, i)->op);
}

/*
 * The questions [from, from + n) of the queue in one transaction, their
 * answers filled. OK; STORE_RAISE when one needs more than `effort`; ERR_BUSY
 * when it could not begin; or what went wrong. Nothing is done unless OK.
 */
static int transact(struct store *s, uint32_t from, uint32_t n,
                    enum store_effort effort)
{
    struct store_engine *e = s->engine;
    int err = begin(e, effort);

    e->effort = effort;
    e->touches = 0;
    for (uint32_t i = from; err == OK && i < from + n; i++) {
        err = step(e, queued(s, i), &e->answers[i]);
        e->raised_at = i;
    }
    if (err == OK)
        err = plain(e, SQL_COMMIT);
    if (err == STORE_RAISE)
        (void)plain(e, SQL_ROLLBACK);
    else if (err != OK)
        abandon(s);
    return err;
}

/* The same with as much effort as turns out to be needed. */
static int transact_all(struct store *s, uint32_t from, uint32_t n,
                        enum store_effort effort)
{
    int err;

    while ((err = transact(s, from, n, effort)) == STORE_RAISE) {
        assert(s->engine->raise > effort);
        effort = s->engine->raise;
    }
    return err;
}

/* ---- the turn ---------------------------------------------------------------------- */

/* How many questions make the next batch, and the most any of them needs. A
 * list is a batch of its own: its rows go out while it runs, and must not
 * overtake the answers before it. */
static uint32_t choose(const struct store *s, enum store_effort *effort)
{
    uint32_t waiting = s->tail - s->head;
    uint32_t n = 0;

    *effort = STORE_LOOKS;
    while (n < waiting && n < STORE_BATCH) {
        const struct store_op_row *op = queued_op(s, n);
        if (op->is_list)
            return n == 0 ? 1 : n;
        if (op->effort > *effort)
            *effort = op->effort;
        n++;
    }
    return n;
}

/* The questions in front that only read: another process's write does not
 * hold them up. OK and how many were done. */
static int do_reads(struct store *s, uint32_t *n)
{
    uint32_t reads = 0;
    int err = ERR_BUSY;

    while (reads < *n && queued_op(s, reads)->effort == STORE_LOOKS)
        reads++;
    if (reads > 0)
        err = transact(s, 0, reads, STORE_LOOKS);
    if (err == STORE_RAISE) {
        reads = s->engine->raised_at; /* that one must wait after all */
        err = reads > 0 ? transact(s, 0, reads, STORE_LOOKS) : ERR_BUSY;
    }
    *n = reads;
    return err;
}

/* After a failure of the whole: each alone, so that it hits only its own.
 * Returns how many were done, fewer when the database became busy. */
static uint32_t one_by_one(struct store *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        int err = transact_all(s, i, 1, queued_op(s, i)->effort);
        if (err == ERR_BUSY)
            return i;
        if (err != OK)
            s->engine->answers[i] = (struct store_answer){.err = err};
    }
    return n;
}

/* Do the next batch; the number of answers ready, or ERR_BUSY. */
static int do_batch(struct store *s)
{
    enum store_effort effort;
    uint32_t n = choose(s, &effort);
    int err = transact_all(s, 0, n, effort);

    if (err == ERR_BUSY)
        err = do_reads(s, &n);
    if (err == ERR_BUSY)
        return ERR_BUSY;
    if (err != OK && n == 1)
        s->engine->answers[0] = (struct store_answer){.err = err};
    else if (err != OK)
        n = one_by_one(s, n);
    return n > 0 ? (int)n : ERR_BUSY;
}

/*
 * Remember that tokens were used. What cannot be written now, because the
 * disk is full or another process writes, is forgotten: the next use of the
 * token is noted instead.
 */
static void note_uses(struct store_engine *e)
{
    uint32_t n = e->touches;

    e->touches = 0;
    if (n == 0)
        return;
    (void)sqlite3_busy_timeout(e->db, 0);
    int err = begin(e, STORE_NOTES);
    e->effort = STORE_NOTES;
    for (uint32_t i = 0; err == OK && i < n; i++) {
        struct query q = query_of(e, SQL_TOKEN_TOUCH);
        query_str(&q, e->touch[i].fleet_id);
        query_str(&q, e->touch[i].token_id);
        query_int(&q, e->now_ms);
        err = query_run(&q);
    }
    if (err == OK)
        err = plain(e, SQL_COMMIT);
    if (err != OK && !sqlite3_get_autocommit(e->db))
        (void)plain(e, SQL_ROLLBACK);
    (void)sqlite3_busy_timeout(e->db, e->busy_ms);
}

int store_turn(struct store *s, int64_t now_ms)
{
    assert(!s->turning);
    if (!store_is_open(s) || !store_pending(s))
        return 0;
    s->turning = true;
    s->engine->now_ms = now_ms > 0 ? now_ms : 1; /* 0 means never */
    int n = do_batch(s);
    for (int i = 0; i < n; i++)
        answer_next(s, &s->engine->answers[i]);
    note_uses(s->engine);
    s->turning = false;
    return n;
}
