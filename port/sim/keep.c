/* Files, folders and locks, in memory; see port.h. Replacing is whole or not
 * at all, as the contract says. */
#include "port/sim/world.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

static struct file *find(const char *path)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (strcmp(world->file[i].path, path) == 0)
            return &world->file[i];
    return NULL;
}

static struct file *find_or_new(const char *path)
{
    struct file *f = find(path);
    for (int i = 0; i < FILES_MAX && f == NULL; i++)
        if (world->file[i].path[0] == '\0')
            f = &world->file[i];
    return f;
}

static int put(const char *path, struct view data)
{
    struct file *f = find_or_new(path);
    if (f == NULL || strlen(path) >= sizeof(f->path))
        return ERR_NO_SPACE;
    if (data.len > FILE_CAP)
        return ERR_TOO_BIG;
    snprintf(f->path, sizeof(f->path), "%s", path);
    if (data.len > 0)
        memcpy(f->data, data.ptr, data.len);
    f->len = data.len;
    return OK;
}

int port_keep_read(const char *path, bool secret, struct span out)
{
    int err = world_fault(SIM_KEEP);
    const struct file *f = find(path);
    (void)secret; /* no file here is open to others */
    if (err != OK)
        return err;
    if (outside_has(path))
        return world_why(outside_read(path, out), path);
    if (f == NULL)
        return world_why(ERR_NOT_FOUND, path);
    if (f->len > out.len)
        return world_why(ERR_TOO_BIG, path);
    if (f->len > 0)
        memcpy(out.ptr, f->data, f->len);
    return (int)f->len;
}

int port_keep_write(const char *path, struct view data)
{
    int err = world_fault(SIM_KEEP);
    if (err == OK)
        err = outside_has(path) ? outside_write(path, data) : put(path, data);
    world_trace("keep", err, (int64_t)data.len, data);
    return err == OK ? OK : world_why(err, path);
}

int port_keep_write_fast(const char *path, struct view data)
{
    return port_keep_write(path, data);
}

int port_keep_remove(const char *path)
{
    int err = world_fault(SIM_KEEP);
    struct file *f = find(path);
    if (err != OK)
        return err;
    if (outside_has(path))
        return outside_remove(path);
    if (f == NULL)
        return world_why(ERR_NOT_FOUND, path);
    f->path[0] = '\0';
    return OK;
}

int port_keep_folder(const char *path)
{
    (void)path;
    return world_fault(SIM_KEEP);
}

int port_file_open(const char *path)
{
    struct file *f = find(path);
    if (f == NULL)
        return world_why(ERR_NOT_FOUND, path);
    return handle_new(KIND_FILE, (int)(f - world->file), 0);
}

/* ---- locks --------------------------------------------------------------------- */

static struct lock *find_lock(const char *path)
{
    struct lock *free = NULL;
    for (int i = FILES_MAX - 1; i >= 0; i--) {
        struct lock *l = &world->lock[i];
        if (l->path[0] != '\0' && l->role >= 0 && strcmp(l->path, path) == 0)
            return l;
        if (l->path[0] == '\0' || l->role < 0)
            free = l;
    }
    if (free != NULL)
        free->role = -1;
    return free;
}

int port_keep_lock(const char *path, int *pid)
{
    int err = world_fault(SIM_KEEP);
    struct lock *l = find_lock(path);
    if (err != OK)
        return err;
    if (l == NULL)
        return ERR_LIMIT;
    if (l->role >= 0 && l->role != me->id) {
        *pid = 1000 + l->role;
        return world_why(ERR_BUSY, path);
    }
    snprintf(l->path, sizeof(l->path), "%s", path);
    l->role = me->id;
    return OK;
}

int port_keep_holder(const char *path, int *pid)
{
    struct lock *l = find_lock(path);
    if (l == NULL || l->role < 0)
        return ERR_NOT_FOUND;
    *pid = 1000 + l->role;
    return OK;
}

void keep_unlock(int role)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (world->lock[i].path[0] != '\0' && world->lock[i].role == role)
            world->lock[i].role = -1;
}

/* ---- for tests -------------------------------------------------------------------- */

struct view sim_file(const char *path)
{
    const struct file *f = find(path);
    return f == NULL ? VIEW_NONE : view_of(f->data, f->len);
}

void sim_file_put(const char *path, struct view data)
{
    (void)put(path, data);
}
