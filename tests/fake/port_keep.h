/*
 * A fake of what modules that keep files ask of the port: records
 * (port_keep_*), the environment and entropy, in memory. It is included by
 * one test program, whose linker then takes nothing from the real port. It
 * keeps state: files by path, folders that were asked for, variables; and it
 * can fail: the n-th call of port_keep_*, once or for ever.
 */
#ifndef FAKE_PORT_KEEP_H
#define FAKE_PORT_KEEP_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fake/port_fatal.h"
#include "port/port.h"

enum { FAKE_FILES = 8, FAKE_FILE_BYTES = 32768, FAKE_VARS = 8 };

struct fake_file {
    char path[600];
    uint8_t data[FAKE_FILE_BYTES];
    size_t len;
    bool open_to_others; /* a secret there must be refused */
};

static struct {
    struct fake_file file[FAKE_FILES];
    size_t count;
    size_t folders; /* calls of port_keep_folder */
    size_t calls;   /* of all, to find an end of the faults */
    size_t fail_at; /* this call fails; 0: none */
    int fail_err;
    bool fail_on; /* and all later ones */
    uint32_t random;
    const char *env[FAKE_VARS][2]; /* name, value */
    size_t env_count;
    const char *home; /* NULL: none */
    char locked[600]; /* the one lock that is held; "": none */
    bool lock_taken;  /* by somebody else */
    uint64_t now_ms;
    char why[700]; /* of the last call that read; "": none */
} fake;

static inline void fake_reset(void)
{
    memset(&fake, 0, sizeof fake);
}

/* Forget the files alone, quickly: where one test runs a million times. */
static inline void fake_reset_files(void)
{
    fake.count = 0;
}

static inline struct fake_file *fake_find(const char *path)
{
    for (size_t i = 0; i < fake.count; i++)
        if (strcmp(fake.file[i].path, path) == 0)
            return &fake.file[i];
    return NULL;
}

static inline struct fake_file *fake_put(const char *path, struct view data)
{
    struct fake_file *f = fake_find(path);

    if (f == NULL) {
        assert(fake.count < FAKE_FILES && strlen(path) < sizeof f->path);
        f = &fake.file[fake.count++];
        memcpy(f->path, path, strlen(path) + 1);
    }
    assert(data.len <= sizeof f->data);
    if (data.len > 0)
        memcpy(f->data, data.ptr, data.len);
    f->len = data.len;
    return f;
}

static inline void fake_remove(const char *path)
{
    struct fake_file *f = fake_find(path);

    if (f != NULL)
        *f = fake.file[--fake.count];
}

/* Count a call; true when it must fail. */
static inline bool fake_fails(void)
{
    fake.calls++;
    return fake.fail_at != 0 && (fake.calls == fake.fail_at ||
                                 (fake.fail_on && fake.calls > fake.fail_at));
}

/* It names the file, as the real one does. */
const char *port_why(void)
{
    return fake.why[0] != '\0' ? fake.why : "the fake's reason";
}

int port_keep_read(const char *path, bool secret, struct span out)
{
    struct fake_file *f = fake_find(path);

    (void)snprintf(fake.why, sizeof fake.why, "%s: the fake's reason", path);
    if (fake_fails())
        return fake.fail_err;
    if (f == NULL)
        return ERR_NOT_FOUND;
    if (secret && f->open_to_others)
        return ERR_DAMAGED;
    if (f->len > out.len)
        return ERR_TOO_BIG;
    if (f->len > 0)
        memcpy(out.ptr, f->data, f->len);
    return (int)f->len;
}

int port_keep_write(const char *path, struct view data)
{
    if (fake_fails())
        return fake.fail_err;
    fake_put(path, data)->open_to_others = false;
    return OK;
}

int port_keep_write_fast(const char *path, struct view data)
{
    return port_keep_write(path, data);
}

int port_keep_remove(const char *path)
{
    if (fake_fails())
        return fake.fail_err;
    if (fake_find(path) == NULL)
        return ERR_NOT_FOUND;
    fake_remove(path);
    return OK;
}

/* Names in this folder, not of folders below it. */
int port_folder_list(const char *path,
                     void (*each)(void *ctx, const char *name), void *ctx)
{
    size_t len = strlen(path);

    if (fake_fails())
        return fake.fail_err;
    for (size_t i = 0; i < fake.count; i++) {
        const char *p = fake.file[i].path;
        if (strncmp(p, path, len) == 0 && p[len] == '/' &&
            strchr(p + len + 1, '/') == NULL)
            each(ctx, p + len + 1);
    }
    return OK;
}

int port_keep_folder(const char *path)
{
    (void)path;
    if (fake_fails())
        return fake.fail_err;
    fake.folders++;
    return OK;
}

int port_keep_lock(const char *path, int *pid)
{
    if (fake_fails())
        return fake.fail_err;
    *pid = 4711;
    if (fake.lock_taken || strcmp(fake.locked, path) == 0)
        return ERR_BUSY;
    assert(fake.locked[0] == '\0');
    memcpy(fake.locked, path, strlen(path) + 1);
    return OK;
}

void port_keep_unlock(const char *path)
{
    if (strcmp(fake.locked, path) == 0)
        fake.locked[0] = '\0';
}

/* Time passes while somebody waits, and only then. */
uint64_t port_now_ms(void)
{
    return fake.now_ms;
}

int port_wait(struct port_want *table, size_t n, uint64_t until_ms)
{
    for (size_t i = 0; i < n; i++)
        table[i].ready = 0;
    assert(until_ms != PORT_FOREVER);
    fake.now_ms = until_ms;
    return 0;
}

/* Not random at all, and never the same twice. */
void port_entropy(struct span out)
{
    for (size_t i = 0; i < out.len; i++) {
        fake.random = fake.random * 1664525 + 1013904223;
        out.ptr[i] = (uint8_t)(fake.random >> 24);
    }
}

static inline void fake_setenv(const char *name, const char *value)
{
    assert(fake.env_count < FAKE_VARS);
    fake.env[fake.env_count][0] = name;
    fake.env[fake.env_count++][1] = value;
}

bool port_env(const char *name, char *out, size_t cap)
{
    for (size_t i = 0; i < fake.env_count; i++) {
        size_t len = strlen(fake.env[i][1]);
        if (strcmp(fake.env[i][0], name) == 0 && len < cap) {
            memcpy(out, fake.env[i][1], len + 1);
            return true;
        }
    }
    return false;
}

const char *port_home(void)
{
    return fake.home == NULL ? "" : fake.home;
}

#endif
