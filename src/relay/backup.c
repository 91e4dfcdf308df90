/* A relay's state as one file, and back; see backup.h. */
#include "relay/backup.h"

#include <string.h>

#include "base/err.h"
#include "core/paths.h"
#include "crypto/ct.h"
#include "port/port.h"
#include "relay/bundle.h"
#include "relay/keys.h"
#include "relay/place.h"
#include "relay/relay.h"
#include "relay/verbs.h"

#define BUSY_MS    5000
#define READ_MIN   ((size_t)1024 * 1024)
#define READ_MAX   ((size_t)2048 * 1024 * 1024 - 1)
#define PENDING    "server.restore"  /* kept, and not yet put in place */
#define COPY       "server.db-copy"  /* of the store, while a backup is made */
#define CHECKED    "server.db-check" /* the store of a backup, looked into */
#define LOCK       "server.lock"
#define STORE_FILE 0 /* numbers of bundle_name */
#define KEY_FILE   1

/* ---- files -------------------------------------------------------------------- */

static int say(struct text *why, int err, const char *path, const char *what)
{
    text_join(why, path, ": ", what, NULL);
    return err;
}

/* A whole file of any length, in memory that lives as long as the program.
 * With `secret`, nobody else may be able to read it. */
static int read_whole(const char *path, bool secret, struct view *out)
{
    for (size_t cap = READ_MIN;;
         cap = cap * 2 < READ_MAX ? cap * 2 : READ_MAX) {
        struct span mem = port_memory(cap);
        int n = port_keep_read(path, secret, mem);
        if (n >= 0)
            *out = view_of(mem.ptr, (size_t)n);
        if (n != ERR_TOO_BIG || cap == READ_MAX)
            return n < 0 ? n : OK;
        port_memory_release(mem);
    }
}

static bool is_there(const char *folder, const char *name)
{
    char path[PATH_CAP];
    uint8_t byte[1];

    return paths_join(path, folder, name) == OK &&
           port_keep_read(path, false, SPAN_ARRAY(byte)) != ERR_NOT_FOUND;
}

static void remove_in(const char *folder, const char *name, const char *end)
{
    char path[PATH_CAP], whole[BUNDLE_NAME_CAP + 8];
    struct text t;

    TEXT_OF(&t, whole);
    text_join(&t, name, end, NULL);
    if (paths_join(path, folder, whole) == OK)
        (void)port_keep_remove(path);
}

/* A store and what SQLite keeps beside it. */
static void remove_store(const char *folder, const char *name)
{
    remove_in(folder, name, "");
    remove_in(folder, name, "-wal");
    remove_in(folder, name, "-shm");
}

static int lock(const char *folder, char path[PATH_CAP], struct text *why)
{
    int pid = 0;
    int err = port_keep_folder(folder);

    if (err == OK)
        err = paths_join(path, folder, LOCK);
    if (err == OK)
        err = port_keep_lock(path, &pid);
    if (err == ERR_BUSY) {
        text_str(why, "a relay with this state folder runs (pid ");
        text_u64(why, (uint64_t)pid);
        text_str(why, "): stop it first");
    } else if (err != OK) {
        say(why, err, folder, port_why());
    }
    return err;
}

/* ---- putting a backup in place ------------------------------------------------------ */

/*
 * The log of the old store goes before the new store comes: beside that one
 * it would be taken for its own. Writing the store syncs the folder, and with
 * it the removal. May be done again from the start at any time.
 */
static int put_in_place(const char *folder, const struct bundle *b,
                        struct text *why)
{
    char path[PATH_CAP];

    remove_in(folder, bundle_name(STORE_FILE), "-wal");
    remove_in(folder, bundle_name(STORE_FILE), "-shm");
    for (size_t n = 0; n < BUNDLE_FILES_MAX; n++) {
        int err = paths_join(path, folder, bundle_name(n));
        if (err == OK && b->has[n])
            err = port_keep_write(path, b->file[n]);
        else if (err == OK && port_keep_remove(path) != ERR_NOT_FOUND)
            err = is_there(folder, bundle_name(n)) ? ERR_IO : OK;
        if (err != OK)
            return say(why, err, path, port_why());
    }
    return OK;
}

/* Put what is pending in place; the lock is ours. */
static int settle(const char *folder, struct text *why)
{
    char path[PATH_CAP];
    struct view in = VIEW_NONE;
    struct bundle b;

    int err = paths_join(path, folder, PENDING);
    if (err == OK)
        err = read_whole(path, true, &in);
    if (err == ERR_NOT_FOUND)
        return OK;
    if (err != OK)
        return say(why, err, path, port_why());
    if (in.len > 0 && bundle_read(in, &b) != OK)
        return say(why, ERR_DAMAGED, path,
                   "a restore was begun from it, and now it is damaged: "
                   "restore again with --force");
    if (in.len > 0)
        err = put_in_place(folder, &b, why);
    if (err == OK && in.len > 0)
        err = port_keep_write(path, VIEW_NONE); /* done, whatever happens */
    if (err == OK)
        (void)port_keep_remove(path);
    return err;
}

int backup_settle(const char *folder, struct text *why)
{
    char path[PATH_CAP];

    if (!is_there(folder, PENDING))
        return OK;
    int err = lock(folder, path, why);
    if (err != OK)
        return err;
    err = settle(folder, why);
    port_keep_unlock(path);
    return err;
}

/* ---- the store ------------------------------------------------------------------------- */

static int open_store(struct store *s, const char *folder, const char *name,
                      struct text *why)
{
    char path[PATH_CAP];
    struct store_cfg cfg = {.path = path,
                            .heap = port_memory(STORE_HEAP_BYTES),
                            .busy_ms = BUSY_MS};
    int err = paths_join(path, folder, name);

    if (err == OK)
        err = store_open(s, &cfg);
    if (err != OK)
        text_str(why, store_why(s));
    return err;
}

/* A line in the record of the relay. */
static int record(struct store *s, const char *action, const char *file)
{
    struct store_ask q = {.op = STORE_AUDIT};
    struct store_answer a;
    struct text t;

    q.u.audit.actor = place_actor();
    STR_COPY(q.u.audit.action, action);
    STR_COPY(q.u.audit.outcome, "done");
    TEXT_OF(&t, q.u.audit.detail);
    text_safe(&t, view_first(view_str(file), 50));
    return relay_ask_now(s, &q, &a);
}

/* ---- backup -------------------------------------------------------------------------------- */

/* The store as it is at one moment, whatever a running relay does to it. */
static int copy_store(const char *folder, const char *file, struct view *out,
                      struct text *why)
{
    static struct store store;
    char path[PATH_CAP];

    int err = open_store(&store, folder, bundle_name(STORE_FILE), why);
    if (err != OK)
        return err;
    err = record(&store, "server.backup", file);
    if (err == OK)
        err = paths_join(path, folder, COPY);
    if (err == OK)
        err = store_copy(&store, path);
    if (err != OK)
        text_str(why, store_why(&store));
    else if ((err = read_whole(path, true, out)) != OK)
        say(why, err, path, port_why());
    store_close(&store);
    remove_store(folder, COPY);
    return err;
}

static int collect(const char *folder, const char *file, struct bundle *b,
                   struct text *why)
{
    char path[PATH_CAP];
    struct sign_key relay;

    int err = keys_load_relay(folder, &relay, why);
    if (err != OK)
        return err;
    ct_wipe((struct span){(uint8_t *)&relay, sizeof(relay)});
    *b = (struct bundle){.made_ms = port_wall_ms()};
    for (size_t n = KEY_FILE; n < BUNDLE_FILES_MAX; n++) {
        err = paths_join(path, folder, bundle_name(n));
        if (err == OK)
            err = read_whole(path, bundle_is_secret(n), &b->file[n]);
        b->has[n] = err == OK;
        if (err != OK && err != ERR_NOT_FOUND)
            return say(why, err, path, port_why());
    }
    err = copy_store(folder, file, &b->file[STORE_FILE], why);
    b->has[STORE_FILE] = err == OK;
    return err;
}

static int backup(const char *folder, const char *file, struct text *why)
{
    struct bundle b;
    struct writer w;
    size_t size = BUNDLE_OVERHEAD;

    int err = collect(folder, file, &b, why);
    if (err != OK)
        return err;
    for (size_t n = 0; n < BUNDLE_FILES_MAX; n++)
        size += b.file[n].len;
    writer_init(&w, port_memory(size));
    bundle_write(&w, &b);
    err = w.err != OK ? w.err : port_keep_write(file, writer_view(&w));
    ct_wipe(w.buf);
    return err == OK ? OK : say(why, err, file, port_why());
}

/* ---- restore ------------------------------------------------------------------------------- */

static int read_backup(const char *file, struct view *in, struct bundle *b,
                       struct text *why)
{
    int err = read_whole(file, true, in);

    if (err != OK)
        return say(why, err, file, port_why());
    err = bundle_read(*in, b);
    if (err == ERR_VERSION)
        return say(why, err, file,
                   "it was made by a newer program: update "
                   "this one");
    if (err != OK)
        return say(why, err, file,
                   "it is no backup of a relay, or it is "
                   "damaged");
    return OK;
}

/* Would a relay start with this store? */
static int check_store(const char *folder, const struct bundle *b,
                       struct text *why)
{
    static struct store store;
    char path[PATH_CAP];

    remove_store(folder, CHECKED);
    int err = paths_join(path, folder, CHECKED);
    if (err == OK)
        err = port_keep_write_fast(path, b->file[STORE_FILE]);
    if (err != OK)
        return say(why, err, path, port_why());
    err = open_store(&store, folder, CHECKED, why);
    store_close(&store);
    remove_store(folder, CHECKED);
    return err;
}

static int check_empty(const char *folder, struct text *why)
{
    for (size_t n = 0; n < BUNDLE_FILES_MAX; n++) {
        if (!is_there(folder, bundle_name(n)))
            continue;
        text_join(why, "there is a relay in ", folder, " already (",
                  bundle_name(n), "): --force replaces it", NULL);
        return ERR_EXISTS;
    }
    return OK;
}

static int restore_locked(const char *folder, const char *file, bool force,
                          struct text *why)
{
    static struct store store;
    char path[PATH_CAP];
    struct view in;
    struct bundle b;

    int err = read_backup(file, &in, &b, why);
    if (err == OK && !force)
        err = check_empty(folder, why);
    if (err == OK)
        err = check_store(folder, &b, why);
    if (err == OK)
        err = paths_join(path, folder, PENDING);
    if (err != OK)
        return err;
    err = port_keep_write(path, in);
    if (err != OK)
        return say(why, err, path, port_why());
    err = settle(folder, why);
    if (err == OK)
        err = open_store(&store, folder, bundle_name(STORE_FILE), why);
    if (err == OK)
        err = record(&store, "server.restore", file);
    store_close(&store);
    return err;
}

static int restore(const char *folder, const char *file, bool force,
                   struct text *why)
{
    char path[PATH_CAP];
    int err = lock(folder, path, why);

    if (err != OK)
        return err;
    err = restore_locked(folder, file, force, why);
    port_keep_unlock(path);
    return err;
}

/* ---- the verbs ------------------------------------------------------------------------------ */

static int end(int err, const char *done, const char *file,
               const struct text *why)
{
    char buf[PATH_CAP + 64];
    struct text t;

    if (err != OK) {
        cmd_say(why->buf, NULL);
        return CMD_FAILED;
    }
    TEXT_OF(&t, buf);
    text_str(&t, done);
    text_safe(&t, view_str(file));
    text_str(&t, "\n");
    cmd_note(buf);
    return CMD_OK;
}

int backup_make_run(const struct cmd_env *env, int argc, char **argv)
{
    const char *state = NULL;
    const struct cmd_opt opts[] = {{"--state-dir", NULL, NULL, &state}};
    struct place place;
    char buf[512];
    struct text why;
    int rest;

    (void)env;
    int status = cmd_options(&server_cmd, &argc, argv, &rest, opts, 1);
    if (status >= 0)
        return status;
    if (argc != 2)
        return cmd_usage(&server_cmd, "backup takes one file", NULL);
    TEXT_OF(&why, buf);
    int err = place_find(&place, state, &why);
    if (err == OK)
        err = backup(place.folder, argv[1], &why);
    return end(err, "backup made: ", argv[1], &why);
}

int backup_restore_run(const struct cmd_env *env, int argc, char **argv)
{
    const char *state = NULL;
    bool force = false;
    const struct cmd_opt opts[] = {{"--state-dir", NULL, NULL, &state},
                                   {"--force", NULL, &force, NULL}};
    struct place place;
    char buf[512];
    struct text why;
    int rest;

    (void)env;
    int status = cmd_options(&server_cmd, &argc, argv, &rest, opts, 2);
    if (status >= 0)
        return status;
    if (argc != 2)
        return cmd_usage(&server_cmd, "restore takes one file", NULL);
    TEXT_OF(&why, buf);
    int err = place_find(&place, state, &why);
    if (err == OK)
        err = restore(place.folder, argv[1], force, &why);
    return end(err, "restored from ", argv[1], &why);
}
