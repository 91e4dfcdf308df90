/*
 * A fake of core/keyring: one item for each folder, in memory. It keeps
 * state, counts its calls, and can be away.
 */
#ifndef FAKE_KEYRING_H
#define FAKE_KEYRING_H

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "core/keyring.h"

static struct {
    uint8_t secret[64];
    size_t len; /* 0: there is none */
    size_t calls;
    size_t puts;
    int err; /* what every call says; OK: it works */
} fake_ring;

int keyring_get(const char *folder, struct span out, struct text *why)
{
    (void)folder;
    fake_ring.calls++;
    if (fake_ring.err != OK) {
        text_str(why, "the fake keyring is away");
        return fake_ring.err;
    }
    if (fake_ring.len == 0)
        return ERR_NOT_FOUND;
    if (fake_ring.len > out.len)
        return ERR_TOO_BIG;
    memcpy(out.ptr, fake_ring.secret, fake_ring.len);
    return (int)fake_ring.len;
}

int keyring_put(const char *folder, struct view secret, struct text *why)
{
    (void)folder;
    fake_ring.calls++;
    if (fake_ring.err != OK) {
        text_str(why, "the fake keyring is away");
        return fake_ring.err;
    }
    assert(secret.len > 0 && secret.len <= sizeof fake_ring.secret);
    memcpy(fake_ring.secret, secret.ptr, secret.len);
    fake_ring.len = secret.len;
    fake_ring.puts++;
    return OK;
}

int keyring_remove(const char *folder, struct text *why)
{
    (void)folder;
    (void)why;
    fake_ring.calls++;
    fake_ring.len = 0;
    return fake_ring.err;
}

#endif
