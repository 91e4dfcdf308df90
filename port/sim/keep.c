/* Files, folders and locks, in memory; see port.h. Replacing is whole or not
 * at all, as the contract says. */
#include "port/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct file *keep_find(const char *path)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (strcmp(world->file[i].path, path) == 0)
            return &world->file[i];
    return NULL;
}

uint8_t *file_data(const struct file *f)
{
    return world->file_data[f - world->file];
}

static struct file *find_or_new(const char *path)
{
    struct file *f = keep_find(path);
    for (int i = 0; i < FILES_MAX && f == NULL; i++)
        if (world->file[i].path[0] == '\0')
            f = &world->file[i];
    return f;
}

void sim_disk_full(int host, bool is_full)
{
    world->disk_full[host] = is_full;
    world_trace("disk", host, is_full, VIEW_NONE);
}

int keep_room(void)
{
    return world->disk_full[me->host] ? ERR_NO_SPACE : OK;
}

int keep_put(const char *path, enum file_kind kind, struct view data)
{
    struct file *f = find_or_new(path);
    if (f == NULL || strlen(path) >= sizeof(f->path))
        return ERR_NO_SPACE;
    if (data.len > FILE_CAP)
        return ERR_TOO_BIG;
    snprintf(f->path, sizeof(f->path), "%s", path);
    f->kind = kind;
    if (data.len > 0)
        memcpy(file_data(f), data.ptr, data.len);
    f->len = data.len;
    return OK;
}

int port_keep_read(const char *path, bool secret, struct span out)
{
    PORT_CALL();
    int err = world_fault(SIM_KEEP);
    const struct file *f = keep_find(path);
    (void)secret; /* no file here is open to others */
    if (err != OK)
        return err;
    if (outside_has(path))
        return world_why(outside_read(path, out), path);
    if (f == NULL)
        return world_why(ERR_NOT_FOUND, path);
    if (f->kind != FILE_PLAIN)
        return world_why(ERR_DENIED, path);
    if (f->len > out.len)
        return world_why(ERR_TOO_BIG, path);
    if (f->len > 0)
        memcpy(out.ptr, file_data(f), f->len);
    return (int)f->len;
}

int port_keep_write(const char *path, struct view data)
{
    PORT_CALL();
    int err = world_fault(SIM_KEEP);
    if (err == OK)
        err = keep_room();
    if (err == OK)
        err = outside_has(path) ? outside_write(path, data)
                                : keep_put(path, FILE_PLAIN, data);
    world_trace("keep", err, (int64_t)data.len, data);
    return err == OK ? OK : world_why(err, path);
}

int port_keep_write_fast(const char *path, struct view data)
{
    return port_keep_write(path, data);
}

int port_keep_remove(const char *path)
{
    PORT_CALL();
    int err = world_fault(SIM_KEEP);
    struct file *f = keep_find(path);
    if (err != OK)
        return err;
    if (outside_has(path))
        return outside_remove(path);
    if (f == NULL)
        return world_why(ERR_NOT_FOUND, path);
    if (f->kind == FILE_FOLDER)
        return world_why(ERR_DENIED, path);
    if (f->kind == FILE_SOCKET)
        net_forget_path(path);
    f->path[0] = '\0';
    return OK;
}

int port_keep_folder(const char *path)
{
    PORT_CALL();
    const struct file *f = keep_find(path);
    int err = world_fault(SIM_KEEP);
    if (err == OK && f != NULL && f->kind != FILE_FOLDER)
        err = ERR_DENIED;
    if (err == OK && f == NULL)
        err = keep_room();
    if (err == OK && f == NULL && !outside_has(path))
        err = keep_put(path, FILE_FOLDER, VIEW_NONE);
    return err == OK ? OK : world_why(err, path);
}

/* The entry of a folder that leads to file i: its length, 0 if none does. */
static size_t entry_in(const char *folder, int i, const char **name)
{
    size_t len = strlen(folder);
    const char *path = world->file[i].path;
    if (strncmp(path, folder, len) != 0 || path[len] != '/')
        return 0;
    *name = path + len + 1;
    return strcspn(*name, "/");
}

static bool is_first(const char *folder, int i, const char *name, size_t len)
{
    const char *other;
    for (int k = 0; k < i; k++)
        if (entry_in(folder, k, &other) == len &&
            strncmp(other, name, len) == 0)
            return false;
    return true;
}

int port_folder_list(const char *path, void (*each)(void *, const char *),
                     void *ctx)
{
    PORT_CALL();
    const struct file *folder = keep_find(path);
    bool is_there = folder != NULL && folder->kind == FILE_FOLDER;
    char entry[PATH_MAX_];
    const char *name;
    int err = world_fault(SIM_KEEP);
    for (int i = 0; err == OK && i < FILES_MAX; i++) {
        size_t len = entry_in(path, i, &name);
        if (len == 0 || !is_first(path, i, name, len))
            continue;
        is_there = true;
        snprintf(entry, sizeof(entry), "%.*s", (int)len, name);
        each(ctx, entry);
    }
    if (err == OK && !is_there)
        err = ERR_NOT_FOUND;
    return err == OK ? OK : world_why(err, path);
}

int port_file_open(const char *path)
{
    PORT_CALL();
    struct file *f = keep_find(path);
    if (f == NULL)
        return world_why(ERR_NOT_FOUND, path);
    return handle_new(KIND_FILE, (int)(f - world->file), 0);
}

/* Files are replaced in their place here. */
bool port_file_is(int handle, const char *path)
{
    (void)handle;
    return keep_find(path) != NULL;
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
    PORT_CALL();
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

void port_keep_unlock(const char *path)
{
    struct lock *l = find_lock(path);
    if (l != NULL && l->role == me->id)
        l->role = -1;
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
    const struct file *f = keep_find(path);
    return f == NULL ? VIEW_NONE : view_of(file_data(f), f->len);
}

void sim_file_put(const char *path, struct view data)
{
    (void)keep_put(path, FILE_PLAIN, data);
}

static struct kept {
    char path[PATH_MAX_];
    enum file_kind kind;
    size_t len;
    uint8_t *data;
} kept[FILES_MAX];

void sim_files_keep(void)
{
    for (int i = 0; i < FILES_MAX; i++) {
        const struct file *f = &world->file[i];
        struct kept *k = &kept[i];
        free(k->data);
        *k = (struct kept){.kind = f->kind, .len = f->len};
        memcpy(k->path, f->path, sizeof(k->path));
        k->data = malloc(f->len + 1);
        if (k->data == NULL)
            abort();
        memcpy(k->data, file_data(f), f->len);
    }
}

void sim_files_back(void)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (kept[i].path[0] != '\0')
            (void)keep_put(kept[i].path, kept[i].kind,
                           view_of(kept[i].data, kept[i].len));
}
