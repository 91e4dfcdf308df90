/*
 * Inside the SQLite engine: what store_sqlite.c (open, queue to transaction,
 * close) and store_sqlite_ops.c (one function per question) share.
 */
#ifndef RELAY_STORE_SQLITE_H
#define RELAY_STORE_SQLITE_H

#include "relay/store.h"
#include "relay/store_schema.h"

struct store_engine {
    sqlite3 *db;
    sqlite3_stmt *st[SQL_COUNT];
    int64_t now_ms; /* of this turn; never 0 */
    bool synced;    /* commits are synced: the current mode */
    int cache_pages;
    struct store_answer answers[STORE_BATCH];
    char uri[6 * PATH_CAP + 32]; /* open only */
};

/* What a question does to the disk; a batch takes the highest. */
enum store_effort {
    STORE_LOOKS,  /* reads */
    STORE_NOTES,  /* writes what a power cut may forget */
    STORE_SWEARS, /* writes what must be there after a power cut */
};

struct store_op_row {
    enum store_effort effort;
    bool is_list; /* calls row; done alone */
    /* OK with a->outcome set, or a negative code. Whatever it wrote is
     * undone by the caller unless it says OK and STORE_DONE. */
    int (*run)(struct store_engine *e, const struct store_ask *q,
               struct store_answer *a);
};

const struct store_op_row *store_sqlite_op(enum store_op op);

#endif
