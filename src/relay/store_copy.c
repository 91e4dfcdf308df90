/* A copy of the whole database while others write to it; see store_copy in
 * store.h. */
#include "base/err.h"
#include "base/text.h"
#include "port/port.h"
#include "relay/store_sqlite.h"

/* All pages in one step: one read transaction, so one moment. */
static int copy_pages(sqlite3 *from, sqlite3 *to)
{
    int rc = sqlite3_exec(to,
                          "PRAGMA journal_mode = OFF;"
                          "PRAGMA synchronous = OFF;",
                          NULL, NULL, NULL);
    sqlite3_backup *b =
        rc == SQLITE_OK ? sqlite3_backup_init(to, "main", from, "main") : NULL;

    if (b == NULL)
        return store_schema_err(sqlite3_extended_errcode(to));
    rc = sqlite3_backup_step(b, -1);
    int end = sqlite3_backup_finish(b);
    return store_schema_err(rc == SQLITE_DONE ? end : rc);
}

int store_copy(struct store *s, const char *path)
{
    sqlite3 *to = NULL;
    struct text why;

    /* made by the port, so that it is 0600 from its first moment */
    int err =
        store_is_open(s) ? port_keep_write_fast(path, VIEW_NONE) : ERR_CLOSED;
    TEXT_OF(&why, s->why);
    text_join(&why, "the store cannot be copied to ", path, ": ", NULL);
    if (err != OK) {
        text_str(&why, err == ERR_CLOSED ? err_str(err) : port_why());
        return err;
    }
    int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE, NULL);
    err =
        rc == SQLITE_OK ? copy_pages(s->engine->db, to) : store_schema_err(rc);
    if (err != OK)
        text_str(&why, sqlite3_errmsg(to));
    (void)sqlite3_close(to);
    if (err != OK)
        (void)port_keep_remove(path);
    else
        s->why[0] = '\0';
    return err;
}
