/* Tables and migrations; see store_schema.h. */
#include "relay/store_schema.h"

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
static const char *const MIGRATION_1[] = {
    "CREATE TABLE fleet ("
    "  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),"
    "  slug TEXT NOT NULL UNIQUE,"
    "  name TEXT NOT NULL,"
    "  machines INTEGER NOT NULL DEFAULT 0," /* rows of machine */
    "  created_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;",

    "CREATE TABLE person ("
    "  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),"
    "  name TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;",

    "CREATE TABLE member ("
    "  fleet_id TEXT NOT NULL REFERENCES fleet (id) ON DELETE CASCADE,"
    "  person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,"
    "  role TEXT NOT NULL"
    "    CHECK (role IN ('owner', 'admin', 'member', 'viewer')),"
    "  created_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (fleet_id, person_id)"
    ") STRICT, WITHOUT ROWID;",

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
    "CREATE INDEX token_by_person ON token (fleet_id, person_id);",

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
    "CREATE INDEX joinkey_by_time ON joinkey (fleet_id, created_ms, id);",

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
    "CREATE INDEX machine_by_name ON machine (fleet_id, name, id);",

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
    NULL,
};

/*
 * People who sign in, fleets that demand something, machines that are held.
 * token and machine are made anew: a token outlives its membership now, to
 * be known as revoked; machine.enabled became a state. What a number in a
 * column means stands beside the enumeration in store_*.h.
 */
static const char *const MIGRATION_2[] = {
    "ALTER TABLE fleet ADD COLUMN kind INTEGER NOT NULL DEFAULT 1;" /* team */
    "ALTER TABLE fleet ADD COLUMN mfa_required INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE fleet ADD COLUMN ip_allow TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE fleet ADD COLUMN session_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE fleet ADD COLUMN mode INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE fleet ADD COLUMN removed_ms INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX fleet_by_name ON fleet (name, id);",

    "ALTER TABLE person ADD COLUMN login TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE person ADD COLUMN email TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE person ADD COLUMN password TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE person ADD COLUMN totp BLOB NOT NULL DEFAULT x'';" /* sealed */
    "ALTER TABLE person ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE person ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE person ADD COLUMN"
    "  locked_until_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE person ADD COLUMN disabled_ms INTEGER NOT NULL DEFAULT 0;"
    /* a name that can be a login is one; of two the same, the first's */
    "UPDATE person SET login = CASE WHEN name NOT GLOB '*[^!-~]*'"
    "  AND length(name) BETWEEN 1 AND 63 AND NOT EXISTS ("
    "    SELECT 1 FROM person o"
    "    WHERE lower(o.name) = lower(person.name) AND o.id < person.id)"
    "  THEN lower(name) ELSE id END;"
    "CREATE UNIQUE INDEX person_by_login ON person (login);"
    "CREATE INDEX member_by_person ON member (person_id, created_ms);",

    "CREATE TABLE backup_code ("
    "  person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,"
    "  hash BLOB NOT NULL CHECK (length(hash) = 32),"
    "  used_ms INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY (person_id, hash)"
    ") STRICT, WITHOUT ROWID;",

    "CREATE TABLE token_2 ("
    "  fleet_id TEXT NOT NULL REFERENCES fleet (id) ON DELETE CASCADE,"
    "  id TEXT NOT NULL CHECK (length(id) = 36),"
    "  person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,"
    "  kind INTEGER NOT NULL,"
    "  family TEXT NOT NULL CHECK (length(family) = 36),"
    /* of a refresh token: the next one; of an access token: the refresh
     * token that was made beside it */
    "  successor_id TEXT NOT NULL DEFAULT '',"
    "  label TEXT NOT NULL,"
    "  scope TEXT NOT NULL DEFAULT '',"
    "  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),"
    "  prefix TEXT NOT NULL DEFAULT '',"
    "  client_name TEXT NOT NULL DEFAULT '',"
    "  client_host TEXT NOT NULL DEFAULT '',"
    "  client_platform TEXT NOT NULL DEFAULT '',"
    "  client_version TEXT NOT NULL DEFAULT '',"
    "  address TEXT NOT NULL DEFAULT '',"
    "  created_ms INTEGER NOT NULL,"
    "  expires_ms INTEGER NOT NULL," /* 0: never */
    "  revoked_ms INTEGER NOT NULL DEFAULT 0,"
    "  used_ms INTEGER NOT NULL DEFAULT 0,"
    "  last_used_ms INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY (fleet_id, id)"
    ") STRICT, WITHOUT ROWID;"
    "INSERT INTO token_2 (fleet_id, id, person_id, kind, family, label,"
    "  hash, created_ms, expires_ms, revoked_ms)"
    "  SELECT fleet_id, id, person_id, 0, id, label, hash, created_ms,"
    "  expires_ms, revoked_ms FROM token;"
    "DROP TABLE token;"
    "ALTER TABLE token_2 RENAME TO token;"
    "CREATE INDEX token_by_time ON token (fleet_id, created_ms, id);"
    "CREATE INDEX token_by_person ON token (person_id, created_ms, id);"
    "CREATE INDEX token_by_family ON token (family);"
    "CREATE INDEX token_by_end ON token (expires_ms) WHERE expires_ms > 0;"
    "CREATE INDEX token_by_revoked ON token (revoked_ms)"
    "  WHERE revoked_ms > 0;",

    "CREATE TABLE device ("
    "  hash BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),"
    "  user_code TEXT NOT NULL UNIQUE,"
    "  scope TEXT NOT NULL,"
    "  client_name TEXT NOT NULL,"
    "  client_host TEXT NOT NULL,"
    "  client_platform TEXT NOT NULL,"
    "  client_version TEXT NOT NULL,"
    "  address TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL,"
    "  expires_ms INTEGER NOT NULL,"
    "  last_poll_ms INTEGER NOT NULL DEFAULT 0,"
    "  state INTEGER NOT NULL DEFAULT 0,"
    "  person_id TEXT NOT NULL DEFAULT ''," /* who decided */
    "  fleet_id TEXT NOT NULL DEFAULT ''"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX device_by_end ON device (expires_ms);",

    "CREATE TABLE invitation ("
    "  fleet_id TEXT NOT NULL REFERENCES fleet (id) ON DELETE CASCADE,"
    "  id TEXT NOT NULL CHECK (length(id) = 36),"
    "  email TEXT NOT NULL,"
    "  role TEXT NOT NULL CHECK (role IN ('admin', 'member', 'viewer')),"
    "  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),"
    "  created_ms INTEGER NOT NULL,"
    "  expires_ms INTEGER NOT NULL,"
    "  state INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY (fleet_id, id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX invitation_by_time"
    "  ON invitation (fleet_id, created_ms, id);"
    "CREATE INDEX invitation_open ON invitation (fleet_id, email)"
    "  WHERE state = 0;"
    "CREATE INDEX invitation_by_end ON invitation (expires_ms);",

    "ALTER TABLE joinkey ADD COLUMN approval INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE joinkey ADD COLUMN labels TEXT NOT NULL DEFAULT '';",

    "CREATE TABLE machine_2 ("
    "  fleet_id TEXT NOT NULL REFERENCES fleet (id) ON DELETE CASCADE,"
    "  id TEXT NOT NULL CHECK (length(id) = 36),"
    "  name TEXT NOT NULL,"
    "  named INTEGER NOT NULL DEFAULT 0," /* by people: it stays */
    "  public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 32),"
    "  previous_key BLOB CHECK (length(previous_key) = 32),"
    "  key_version INTEGER NOT NULL DEFAULT 1,"
    "  key_since_ms INTEGER NOT NULL,"
    "  hostname TEXT NOT NULL,"
    "  os TEXT NOT NULL,"
    "  os_version TEXT NOT NULL,"
    "  architecture TEXT NOT NULL,"
    "  agent_version TEXT NOT NULL,"
    "  labels TEXT NOT NULL DEFAULT '',"
    "  state INTEGER NOT NULL DEFAULT 0,"
    "  why TEXT NOT NULL DEFAULT '',"
    "  holder BLOB NOT NULL DEFAULT x''," /* empty or zeros: nobody */
    "  epoch INTEGER NOT NULL DEFAULT 0,"
    "  confirmed INTEGER NOT NULL DEFAULT 0,"
    "  joinkey_id TEXT NOT NULL," /* that let it in last */
    "  created_ms INTEGER NOT NULL,"
    "  last_seen_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (fleet_id, id)"
    ") STRICT, WITHOUT ROWID;"
    "INSERT INTO machine_2 (fleet_id, id, name, public_key, key_since_ms,"
    "  hostname, os, os_version, architecture, agent_version, state,"
    "  joinkey_id, created_ms, last_seen_ms)"
    "  SELECT fleet_id, id, name, public_key, created_ms, hostname, os,"
    "  os_version, architecture, agent_version, iif(enabled, 0, 3),"
    "  joinkey_id, created_ms, last_seen_ms FROM machine;"
    "DROP TABLE machine;"
    "ALTER TABLE machine_2 RENAME TO machine;"
    "CREATE INDEX machine_by_previous ON machine (previous_key)"
    "  WHERE previous_key IS NOT NULL;",

    /* The name is the machine's, beside it so that a list needs no sort. */
    "CREATE TABLE machine_fleet ("
    "  fleet_id TEXT NOT NULL REFERENCES fleet (id) ON DELETE CASCADE,"
    "  machine_id TEXT NOT NULL,"
    "  home_id TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  joined_ms INTEGER NOT NULL,"
    "  added_by TEXT NOT NULL,"
    "  PRIMARY KEY (fleet_id, machine_id),"
    "  FOREIGN KEY (home_id, machine_id)"
    "    REFERENCES machine (fleet_id, id) ON DELETE CASCADE"
    ") STRICT, WITHOUT ROWID;"
    "INSERT INTO machine_fleet"
    "  SELECT fleet_id, id, fleet_id, name, created_ms, '' FROM machine;"
    "CREATE INDEX machine_fleet_by_name"
    "  ON machine_fleet (fleet_id, name, machine_id);"
    "CREATE INDEX machine_fleet_by_home"
    "  ON machine_fleet (home_id, machine_id);",

    "CREATE TABLE machine_access ("
    "  fleet_id TEXT NOT NULL,"
    "  machine_id TEXT NOT NULL,"
    "  person_id TEXT NOT NULL,"
    "  access INTEGER NOT NULL,"
    "  PRIMARY KEY (fleet_id, machine_id, person_id),"
    "  FOREIGN KEY (fleet_id, machine_id)"
    "    REFERENCES machine_fleet (fleet_id, machine_id) ON DELETE CASCADE,"
    "  FOREIGN KEY (fleet_id, person_id)"
    "    REFERENCES member (fleet_id, person_id) ON DELETE CASCADE"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX machine_access_by_person"
    "  ON machine_access (fleet_id, person_id);",

    "CREATE INDEX audit_by_fleet ON audit (fleet_id);",
    NULL,
};

/* An address is one account's. The index is not unique: in a database from
 * before two may have the same, until one of them changes it. */
static const char *const MIGRATION_3[] = {
    "CREATE INDEX person_by_email ON person (email);",
    NULL,
};

/* Each is a list of statements, in pieces that a compiler must take. */
static const char *const *const MIGRATIONS[] = {MIGRATION_1, MIGRATION_2,
                                                MIGRATION_3};

#define SCHEMA_VERSION ((int)(sizeof MIGRATIONS / sizeof MIGRATIONS[0]))

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

    /* The switch itself goes by a journal. Its removal must reach the disk
     * (EXTRA), or a power cut brings it back later, and undoes the switch and
     * with it all that stands in the log by then. */
    TEXT_OF(&mode, buf);
    int err = run(db, why, "PRAGMA synchronous = EXTRA");
    if (err == OK)
        err = set_wal(db, why, &mode);
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
        for (const char *const *p = MIGRATIONS[*version]; *p && err == OK; p++)
            err = run(db, why, *p);
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
