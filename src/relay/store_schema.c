/* Tables, statements, migrations; see store_schema.h. */
#include "relay/store_schema.h"

#include <assert.h>

#include "base/err.h"

/* "cmdR", in the header of every database of ours (file(1) shows it). */
#define APPLICATION_ID 1668113490

#define WAL_RETRY_MS 10
#define WAL_WAIT_MS  5000

/* ---- tables ---------------------------------------------------------------------- */

/*
 * A table WITHOUT ROWID is its primary key's tree, so the fleet stands first
 * in the place where a row lives, not only in a filter. Hashes and public
 * keys are what a stranger shows us; each finds at most one row.
 */
static const char *const MIGRATIONS[] = {
    "CREATE TABLE fleet ("
    "  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),"
    "  slug TEXT NOT NULL UNIQUE,"
    "  name TEXT NOT NULL,"
    "  machines INTEGER NOT NULL DEFAULT 0," /* rows of machine */
    "  created_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE person ("
    "  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),"
    "  name TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE member ("
    "  fleet_id TEXT NOT NULL REFERENCES fleet (id) ON DELETE CASCADE,"
    "  person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,"
    "  role TEXT NOT NULL"
    "    CHECK (role IN ('owner', 'admin', 'member', 'viewer')),"
    "  created_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (fleet_id, person_id)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE token ("
    "  fleet_id TEXT NOT NULL,"
    "  id TEXT NOT NULL CHECK (length(id) = 36),"
    "  person_id TEXT NOT NULL,"
    "  label TEXT NOT NULL,"
    "  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),"
    "  created_ms INTEGER NOT NULL,"
    "  expires_ms INTEGER NOT NULL," /* 0: never */
    "  revoked_ms INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY (fleet_id, id),"
    "  FOREIGN KEY (fleet_id, person_id)"
    "    REFERENCES member (fleet_id, person_id) ON DELETE CASCADE"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX token_by_person ON token (fleet_id, person_id);"

    "CREATE TABLE joinkey ("
    "  fleet_id TEXT NOT NULL REFERENCES fleet (id) ON DELETE CASCADE,"
    "  id TEXT NOT NULL CHECK (length(id) = 36),"
    "  label TEXT NOT NULL,"
    "  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),"
    "  uses_max INTEGER NOT NULL," /* 0: no limit */
    "  uses INTEGER NOT NULL DEFAULT 0,"
    "  created_ms INTEGER NOT NULL,"
    "  expires_ms INTEGER NOT NULL,"
    "  revoked_ms INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY (fleet_id, id),"
    "  CHECK (uses_max = 0 OR uses <= uses_max)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX joinkey_by_time ON joinkey (fleet_id, created_ms, id);"

    "CREATE TABLE machine ("
    "  fleet_id TEXT NOT NULL REFERENCES fleet (id) ON DELETE CASCADE,"
    "  id TEXT NOT NULL CHECK (length(id) = 36),"
    "  name TEXT NOT NULL,"
    "  public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 32),"
    "  hostname TEXT NOT NULL,"
    "  os TEXT NOT NULL,"
    "  os_version TEXT NOT NULL,"
    "  architecture TEXT NOT NULL,"
    "  agent_version TEXT NOT NULL,"
    "  enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),"
    "  joinkey_id TEXT NOT NULL," /* that let it in last */
    "  created_ms INTEGER NOT NULL,"
    "  last_seen_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (fleet_id, id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX machine_by_name ON machine (fleet_id, name, id);"

    /* Names, not references: the record outlives what it is about. */
    "CREATE TABLE audit ("
    "  id INTEGER PRIMARY KEY,"
    "  at_ms INTEGER NOT NULL,"
    "  fleet_id TEXT NOT NULL,"
    "  actor_kind TEXT NOT NULL,"
    "  actor TEXT NOT NULL,"
    "  action TEXT NOT NULL,"
    "  object TEXT NOT NULL,"
    "  outcome TEXT NOT NULL,"
    "  detail TEXT NOT NULL"
    ") STRICT;"
    "CREATE TRIGGER audit_stays BEFORE UPDATE ON audit"
    "  BEGIN SELECT raise(ABORT, 'the audit record is append-only'); END;"
    "CREATE TRIGGER audit_keeps BEFORE DELETE ON audit"
    "  BEGIN SELECT raise(ABORT, 'the audit record is append-only'); END;",
};

#define SCHEMA_VERSION ((int)(sizeof MIGRATIONS / sizeof MIGRATIONS[0]))

/* ---- statements ------------------------------------------------------------------ */

#define MACHINE_COLUMNS                                           \
    "id, fleet_id, name, hostname, os, os_version, architecture," \
    " agent_version, last_seen_ms, created_ms, public_key, enabled"

static const char *const STATEMENTS[SQL_COUNT] = {
    [SQL_READ] = "BEGIN",
    [SQL_WRITE] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_STEP] = "SAVEPOINT step",
    [SQL_STEP_KEEP] = "RELEASE step",
    [SQL_STEP_UNDO] = "ROLLBACK TO step",

    [SQL_HOME] = "SELECT p.id, p.name, f.id, f.name, m.role FROM fleet f"
                 " JOIN member m ON m.fleet_id = f.id AND m.role = 'owner'"
                 " JOIN person p ON p.id = m.person_id"
                 " WHERE f.slug = 'home' ORDER BY m.created_ms, p.id LIMIT 1",
    [SQL_FLEET_MAKE] = "INSERT INTO fleet (id, slug, name, created_ms)"
                       " VALUES (?1, 'home', ?2, ?3)",
    [SQL_PERSON_MAKE] =
        "INSERT INTO person (id, name, created_ms) VALUES (?1, ?2, ?3)",
    [SQL_MEMBER_MAKE] =
        "INSERT INTO member (fleet_id, person_id, role, created_ms)"
        " VALUES (?1, ?2, ?3, ?4)",
    [SQL_MEMBER] = "SELECT p.id, p.name, f.id, f.name, m.role FROM member m"
                   " JOIN person p ON p.id = m.person_id"
                   " JOIN fleet f ON f.id = m.fleet_id"
                   " WHERE m.fleet_id = ?1 AND m.person_id = ?2",

    [SQL_TOKEN_MAKE] =
        "INSERT INTO token (fleet_id, id, person_id, label, hash, created_ms,"
        " expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_TOKEN_CHECK] =
        "SELECT p.id, p.name, f.id, f.name, m.role, t.id, t.expires_ms,"
        " t.revoked_ms FROM token t"
        " JOIN member m USING (fleet_id, person_id)"
        " JOIN person p ON p.id = t.person_id"
        " JOIN fleet f ON f.id = t.fleet_id WHERE t.hash = ?1",
    [SQL_TOKEN_FIND] =
        "SELECT id, revoked_ms FROM token"
        " WHERE fleet_id = ?1 AND id >= ?2 AND id < ?2 || 'g' LIMIT 2",
    [SQL_TOKEN_REVOKE] =
        "UPDATE token SET revoked_ms = ?3 WHERE fleet_id = ?1 AND id = ?2",

    [SQL_JOINKEY_MAKE] =
        "INSERT INTO joinkey (fleet_id, id, label, hash, uses_max,"
        " created_ms, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_JOINKEY_CHECK] =
        "SELECT fleet_id, id, uses_max, uses, expires_ms, revoked_ms"
        " FROM joinkey WHERE hash = ?1",
    [SQL_JOINKEY_USE] =
        "UPDATE joinkey SET uses = uses + 1 WHERE fleet_id = ?1 AND id = ?2",
    [SQL_JOINKEY_LIST] =
        "SELECT id, label, uses_max, uses, created_ms, expires_ms,"
        " revoked_ms FROM joinkey"
        " WHERE fleet_id = ?1 AND (created_ms, id) > (?2, ?3)"
        " ORDER BY created_ms, id LIMIT ?4",
    [SQL_JOINKEY_FIND] =
        "SELECT id, revoked_ms FROM joinkey"
        " WHERE fleet_id = ?1 AND id >= ?2 AND id < ?2 || 'g' LIMIT 2",
    [SQL_JOINKEY_REVOKE] =
        "UPDATE joinkey SET revoked_ms = ?3 WHERE fleet_id = ?1 AND id = ?2",

    [SQL_MACHINE_BY_KEY] =
        "SELECT " MACHINE_COLUMNS " FROM machine WHERE public_key = ?1",
    [SQL_MACHINE_BY_ID] = "SELECT " MACHINE_COLUMNS " FROM machine"
                          " WHERE fleet_id = ?1 AND id = ?2",
    [SQL_MACHINE_COUNT] = "UPDATE fleet SET machines = machines + 1"
                          " WHERE id = ?1 AND machines < ?2",
    [SQL_MACHINE_MAKE] =
        "INSERT INTO machine (fleet_id, id, name, joinkey_id, last_seen_ms,"
        " hostname, os, os_version, architecture, agent_version, public_key,"
        " created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
        " ?5)",
    [SQL_MACHINE_RENAME] =
        "UPDATE machine SET name = ?3, joinkey_id = ?4, last_seen_ms = ?5,"
        " hostname = ?6, os = ?7, os_version = ?8, architecture = ?9,"
        " agent_version = ?10 WHERE fleet_id = ?1 AND id = ?2",
    [SQL_MACHINE_SEEN] =
        "UPDATE machine SET last_seen_ms = ?3, hostname = ?4, os = ?5,"
        " os_version = ?6, architecture = ?7, agent_version = ?8"
        " WHERE fleet_id = ?1 AND id = ?2",
    [SQL_MACHINE_ENABLE] =
        "UPDATE machine SET enabled = ?3 WHERE fleet_id = ?1 AND id = ?2",
    [SQL_MACHINE_LIST] = "SELECT " MACHINE_COLUMNS " FROM machine"
                         " WHERE fleet_id = ?1 AND (name, id) > (?2, ?3)"
                         " ORDER BY name, id LIMIT ?4",

    [SQL_AUDIT] =
        "INSERT INTO audit (at_ms, fleet_id, actor_kind, actor, action,"
        " object, outcome, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
};

const char *store_schema_sql(enum store_sql which)
{
    assert(which < SQL_COUNT && STATEMENTS[which] != NULL);
    return STATEMENTS[which];
}

int store_schema_err(int rc)
{
    if (rc == SQLITE_IOERR_SHMSIZE) /* the log's index could not grow */
        return ERR_NO_SPACE;
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return OK;
    case SQLITE_FULL: return ERR_NO_SPACE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ERR_DAMAGED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ERR_BUSY;
    case SQLITE_NOMEM: return ERR_LIMIT;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN: return ERR_DENIED;
    case SQLITE_CONSTRAINT: return ERR_EXISTS;
    }
    return ERR_IO;
}

/* ---- examine, set, migrate ---------------------------------------------------- */

static int failed(sqlite3 *db, struct text *why)
{
    text_str(why, sqlite3_errmsg(db));
    return store_schema_err(sqlite3_extended_errcode(db));
}

static int run(sqlite3 *db, struct text *why, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return failed(db, why);
    return OK;
}

/* The one value of a one-row query: as a number, or as text. */
static int ask_int(sqlite3 *db, struct text *why, const char *sql, int *out)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int(st, 0);
    int err = rc == SQLITE_ROW ? OK : failed(db, why);
    (void)sqlite3_finalize(st);
    return err;
}

static int ask_word(sqlite3 *db, struct text *why, const char *sql,
                    struct text *out)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW && sqlite3_column_text(st, 0) != NULL)
        text_str(out, (const char *)sqlite3_column_text(st, 0));
    int err = rc == SQLITE_ROW ? OK : failed(db, why);
    (void)sqlite3_finalize(st);
    return err;
}

struct marks {
    int id;      /* PRAGMA application_id */
    int version; /* PRAGMA user_version */
    int tables;
};

/* All three of one moment: another process may be migrating. */
static int read_marks(sqlite3 *db, struct text *why, struct marks *out)
{
    int err = run(db, why, "BEGIN");

    if (err != OK)
        return err;
    err = ask_int(db, why, "SELECT count(*) FROM sqlite_schema", &out->tables);
    if (err == OK)
        err = ask_int(db, why, "PRAGMA application_id", &out->id);
    if (err == OK)
        err = ask_int(db, why, "PRAGMA user_version", &out->version);
    if (!sqlite3_get_autocommit(db))
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

static int examine_whose(sqlite3 *db, struct text *why, int *version)
{
    struct marks m = {0};
    int err = read_marks(db, why, &m);

    if (err != OK)
        return err;
    *version = m.version;
    if (m.id != APPLICATION_ID && (m.tables > 0 || m.version != 0)) {
        text_str(why, "it is the database of another program");
        return ERR_DAMAGED;
    }
    if (m.version < 0 || m.version > SCHEMA_VERSION) {
        text_str(why, "it was written by a newer program (schema ");
        text_i64(why, m.version);
        text_str(why, ", this one knows ");
        text_i64(why, SCHEMA_VERSION);
        text_str(why, "): update this program, or restore a backup");
        return ERR_VERSION;
    }
    return OK;
}

static int examine_pages(sqlite3 *db, struct text *why)
{
    char buf[120];
    struct text verdict;

    TEXT_OF(&verdict, buf);
    int err = ask_word(db, why, "PRAGMA quick_check(1)", &verdict);
    if (err != OK || view_is(text_done(&verdict), "ok"))
        return err;
    text_safe(why, text_done(&verdict));
    return ERR_DAMAGED;
}

/* The switch to WAL asks for the file alone and does not wait for it, so we
 * do: another process may be switching, too. */
static int set_wal(sqlite3 *db, struct text *why, struct text *mode)
{
    size_t was = why->len;

    for (int waited_ms = 0;; waited_ms += WAL_RETRY_MS) {
        int err = ask_word(db, why, "PRAGMA journal_mode = WAL", mode);
        if (err != ERR_BUSY || waited_ms >= WAL_WAIT_MS)
            return err;
        why->len = was;
        (void)sqlite3_sleep(WAL_RETRY_MS);
    }
}

/*
 * WAL: readers and one writer of another process do not wait for each other,
 * and a commit only appends. What a power cut leaves is a log whose last,
 * unfinished commit fails its checksum and is forgotten; the database behind
 * it is whole. The engine chooses per transaction whether the log is synced.
 */
static int set_modes(sqlite3 *db, struct text *why)
{
    char buf[16];
    struct text mode;

    TEXT_OF(&mode, buf);
    int err = set_wal(db, why, &mode);
    if (err != OK)
        return err;
    if (!view_is(text_done(&mode), "wal")) {
        text_str(why, "the file system cannot share memory between processes"
                      " (write-ahead log refused): use a local one");
        return ERR_UNSUPPORTED;
    }
    return run(db, why,
               "PRAGMA foreign_keys = ON;"
               "PRAGMA trusted_schema = OFF;"
               "PRAGMA cell_size_check = ON;"
               "PRAGMA temp_store = MEMORY;"
               "PRAGMA mmap_size = 0;"
               "PRAGMA journal_size_limit = 8388608;");
}

/* One migration; another process may have done it while we waited. */
static int migrate(sqlite3 *db, struct text *why, int *version)
{
    char buf[96];
    struct text mark;

    int err = run(db, why, "BEGIN IMMEDIATE");
    if (err != OK)
        return err;
    err = ask_int(db, why, "PRAGMA user_version", version);
    if (err == OK && *version < SCHEMA_VERSION) {
        TEXT_OF(&mark, buf);
        text_str(&mark, "PRAGMA application_id = ");
        text_i64(&mark, APPLICATION_ID);
        text_str(&mark, "; PRAGMA user_version = ");
        text_i64(&mark, *version + 1);
        err = run(db, why, MIGRATIONS[*version]);
        if (err == OK)
            err = run(db, why, buf);
    }
    if (err == OK)
        err = run(db, why, "COMMIT");
    if (err == OK)
        *version += *version < SCHEMA_VERSION;
    else if (!sqlite3_get_autocommit(db))
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

int store_schema_up(sqlite3 *db, struct text *why)
{
    int version = 0;
    int err = examine_whose(db, why, &version);

    if (err == OK)
        err = examine_pages(db, why);
    if (err == OK)
        err = set_modes(db, why);
    if (err == OK)
        err = run(db, why, "PRAGMA synchronous = FULL");
    while (err == OK && version < SCHEMA_VERSION)
        err = migrate(db, why, &version);
    if (err == OK) /* a newer program may have been quicker */
        err = examine_whose(db, why, &version);
    if (err == OK && sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1,
                                       (int *)NULL) != SQLITE_OK)
        err = failed(db, why);
    return err;
}
