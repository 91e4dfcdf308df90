/*
 * Inside the SQLite engine: what store_sqlite.c (open, queue to transaction,
 * close) and the questions (store_query.h, one file per subject) share.
 */
#ifndef RELAY_STORE_SQLITE_H
#define RELAY_STORE_SQLITE_H

#include "relay/store.h"
#include "relay/store_schema.h"
#include "relay/store_sql.h"

/* What a question does to the disk; a batch takes the highest. */
enum store_effort {
    STORE_LOOKS,  /* reads */
    STORE_NOTES,  /* writes what a power cut may forget */
    STORE_SWEARS, /* writes what must be there after a power cut */
};

/* A token that was used: noted after the answers, beside them. */
struct store_touch {
    char fleet_id[UUID_CAP];
    char token_id[UUID_CAP];
};

struct store_engine {
    sqlite3 *db;
    sqlite3_stmt *st[SQL_COUNT];
    int64_t now_ms; /* of this turn; never 0 */
    bool synced;    /* commits are synced: the current mode */
    bool keep;      /* this question's writes stay, whatever it says */
    enum store_effort effort; /* of this transaction */
    enum store_effort raise;  /* a question asks for so much */
    uint32_t raised_at;       /* it is that one of the batch */
    int busy_ms;
    int cache_pages;
    uint32_t touches;
    struct store_touch touch[STORE_BATCH];
    struct store_answer answers[STORE_BATCH];
    char uri[6 * PATH_CAP + 32]; /* open only */
};

struct store_op_row {
    enum store_effort effort; /* the least; query_need asks for more */
    bool is_list;             /* calls row; done alone */
    /* OK with a->outcome set, STORE_RAISE, or a negative code. Whatever it
     * wrote is undone by the caller unless it says OK and STORE_DONE, or
     * e->keep. */
    int (*run)(struct store_engine *e, const struct store_ask *q,
               struct store_answer *a);
};

const struct store_op_row *store_sqlite_op(enum store_op op);

#endif
