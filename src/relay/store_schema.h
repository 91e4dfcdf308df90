/*
 * The tables of the relay's SQLite database, and the way from any older
 * database to today's. Private to store_s*.c.
 *
 * `PRAGMA user_version` is the number of migrations a database has seen. A
 * migration is one transaction; a released one is never edited, the next is
 * added behind it.
 */
#ifndef RELAY_STORE_SCHEMA_H
#define RELAY_STORE_SCHEMA_H

#include <sqlite3.h>

#include "base/text.h"

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
