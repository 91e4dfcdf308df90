/* The lease on disk; see lease.h. */
#include "core/lease.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "core/paths.h"
#include "crypto/hash.h"
#include "port/port.h"

enum {
    HEAD_LEN = 8,
    BODY_LEN = HEAD_LEN + LEASE_RELAY_LEN + 8,
    CHECK_LEN = 8,
    FILE_LEN = BODY_LEN + CHECK_LEN,
};

_Static_assert(FILE_LEN == 56, "lease.h draws the file");

static const uint8_t HEAD[HEAD_LEN] = {'C', 'M', 'D', 'O', 'P', 'L', 'S', 1};

static int find_path(const char *state_dir, char path[PATH_CAP],
                     struct text *why)
{
    if (paths_join(path, state_dir, "lease") == OK)
        return OK;
    text_str(why, "the path of the lease is too long");
    return ERR_RANGE;
}

static void check_of(struct view body, uint8_t out[CHECK_LEN])
{
    uint8_t digest[HASH_LEN];

    hash_once(body, digest);
    memcpy(out, digest, CHECK_LEN);
}

/* OK, ERR_DAMAGED or ERR_UNSUPPORTED. */
static int read_file(struct view file, struct lease *out)
{
    struct reader r = {file};
    struct view head, relay, check;
    uint8_t wanted[CHECK_LEN];
    uint64_t epoch;

    if (read_bytes(&r, HEAD_LEN, &head) != OK ||
        !view_eq(view_first(head, HEAD_LEN - 1), view_of(HEAD, HEAD_LEN - 1)))
        return ERR_DAMAGED;
    if (head.ptr[HEAD_LEN - 1] != HEAD[HEAD_LEN - 1])
        return ERR_UNSUPPORTED;
    if (read_bytes(&r, LEASE_RELAY_LEN, &relay) != OK ||
        read_u64(&r, &epoch) != OK || read_bytes(&r, CHECK_LEN, &check) != OK ||
        file.len != FILE_LEN || epoch == 0)
        return ERR_DAMAGED;
    check_of(view_first(file, BODY_LEN), wanted);
    if (!view_eq(check, VIEW_ARRAY(wanted)))
        return ERR_DAMAGED;
    if (view_eq(relay, VIEW_ARRAY(out->relay)))
        out->epoch = epoch;
    return OK;
}

static void say(int err, const char *path, struct text *why)
{
    if (err == ERR_DAMAGED || err == ERR_TOO_BIG)
        text_join(why, "the lease file ", path,
                  " is damaged; this machine may need an owner's approval "
                  "now: cmdop machines approve",
                  NULL);
    else if (err == ERR_UNSUPPORTED)
        text_join(why, "the lease file ", path,
                  " was written by another version; update cmdop", NULL);
    else
        text_join(why, "cannot read the lease file: ", port_why(), NULL);
}

int lease_load(const char *state_dir, const uint8_t relay[LEASE_RELAY_LEN],
               struct lease *out, struct text *why)
{
    uint8_t file[FILE_LEN];
    char path[PATH_CAP];

    out->epoch = 0;
    memcpy(out->relay, relay, sizeof(out->relay));
    int err = find_path(state_dir, path, why);
    if (err != OK)
        return err;
    err = port_keep_read(path, false, SPAN_ARRAY(file));
    if (err == ERR_NOT_FOUND)
        return OK;
    if (err >= 0)
        err = read_file(view_of(file, (size_t)err), out);
    if (err != OK)
        say(err, path, why);
    return err == ERR_TOO_BIG ? ERR_DAMAGED : err;
}

int lease_keep(const char *state_dir, struct lease *l, uint64_t epoch,
               struct text *why)
{
    uint8_t file[FILE_LEN];
    char path[PATH_CAP];
    struct writer w;

    assert(epoch != 0);
    if (epoch == l->epoch)
        return OK;
    int err = find_path(state_dir, path, why);
    if (err != OK)
        return err;
    writer_init(&w, SPAN_ARRAY(file));
    write_bytes(&w, VIEW_ARRAY(HEAD));
    write_bytes(&w, VIEW_ARRAY(l->relay));
    write_u64(&w, epoch);
    check_of(view_first(VIEW_ARRAY(file), BODY_LEN), file + BODY_LEN);
    err = port_keep_write(path, VIEW_ARRAY(file));
    if (err == OK)
        l->epoch = epoch;
    else
        text_join(why, "cannot write the lease file: ", port_why(), NULL);
    return err;
}

int lease_remove(const char *state_dir, struct text *why)
{
    char path[PATH_CAP];

    int err = find_path(state_dir, path, why);
    if (err == OK)
        err = port_keep_remove(path);
    if (err == OK || err == ERR_NOT_FOUND)
        return OK;
    text_join(why, "cannot remove the lease file: ", port_why(), NULL);
    return err;
}
