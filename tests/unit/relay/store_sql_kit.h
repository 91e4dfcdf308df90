/*
 * For tests of the SQLite engine: a look, or a hand, from outside. Not for
 * those that any engine must pass.
 */
#ifndef TESTS_UNIT_RELAY_STORE_SQL_KIT_H
#define TESTS_UNIT_RELAY_STORE_SQL_KIT_H

#include "unit/relay/store_kit.h"

#include <sqlite3.h>

/* By a connection of its own. It shares the heap, so a closed store's SQLite is shut down again behind it. */
static inline long sql_at(const char *file, const char *statements)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    long first = -1;

    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    while (*statements != '\0') {
        assert_int_equal(
            sqlite3_prepare_v2(db, statements, -1, &st, &statements),
            SQLITE_OK);
        int rc = sqlite3_step(st);
        if (rc == SQLITE_ROW)
            first = (long)sqlite3_column_int64(st, 0);
        assert_true(rc == SQLITE_ROW || rc == SQLITE_DONE);
        sqlite3_finalize(st);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    if (!store_is_open(&store))
        sqlite3_shutdown();
    return first;
}

static inline long sql(const char *statements)
{
    return sql_at(path, statements);
}

#endif
