/*
 * The tables of the relay's SQLite database, the statements over them, and
 * the way from any older database to today's. Private to store_sqlite*.c.
 *
 * `PRAGMA user_version` is the number of migrations a database has seen. A
 * migration is one transaction; a released one is never edited, the next is
 * added behind it.
 */
#ifndef RELAY_STORE_SCHEMA_H
#define RELAY_STORE_SCHEMA_H

#include <sqlite3.h>

#include "base/text.h"

enum store_sql {
    SQL_READ,  /* begin; reads only */
    SQL_WRITE, /* begin; takes the write lock now */
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_STEP, /* one question inside the transaction */
    SQL_STEP_KEEP,
    SQL_STEP_UNDO,

    SQL_HOME,
    SQL_FLEET_MAKE,
    SQL_PERSON_MAKE,
    SQL_MEMBER_MAKE,
    SQL_MEMBER,
    SQL_TOKEN_MAKE,
    SQL_TOKEN_CHECK,
    SQL_TOKEN_FIND,
    SQL_TOKEN_REVOKE,
    SQL_JOINKEY_MAKE,
    SQL_JOINKEY_CHECK,
    SQL_JOINKEY_USE,
    SQL_JOINKEY_LIST,
    SQL_JOINKEY_FIND,
    SQL_JOINKEY_REVOKE,
    SQL_MACHINE_BY_KEY,
    SQL_MACHINE_BY_ID,
    SQL_MACHINE_COUNT,
    SQL_MACHINE_MAKE,
    SQL_MACHINE_RENAME,
    SQL_MACHINE_SEEN,
    SQL_MACHINE_ENABLE,
    SQL_MACHINE_LIST,
    SQL_AUDIT,
    SQL_COUNT
};

/* The text of a statement; the meaning of its ?n and columns stands there. */
const char *store_schema_sql(enum store_sql which);

/* SQLite's code, extended or not, as one of ours. SQLITE_OK, ROW and DONE
 * are OK. */
int store_schema_err(int rc);

/*
 * Examine an open database, set its modes, migrate it. OK, or a negative
 * code with the reason appended to `why`: see store_open. A database that is
 * refused was not written to.
 */
int store_schema_up(sqlite3 *db, struct text *why);

#endif
