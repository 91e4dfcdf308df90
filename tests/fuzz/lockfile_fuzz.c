/*
 * Files and secrets about attach passwords that anybody wrote: the machine's
 * file, the operator's token, and the plain text of a sealed secret. What is
 * read is within its bounds and is written again as it stood; what is not
 * leaves nothing.
 */
#include "core/lock.h"
#include "core/unlockfile.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void machine(struct view in)
{
    static uint8_t whole[LOCKFILE_BYTES], again[LOCKFILE_BYTES];
    static struct lock_record r, other;
    struct writer w;
    uint8_t digest[HASH_LEN];
    if (lockfile_decode(in, 1000, &r) != OK) {
        /* Nearly all fail by their digest: give it the right one. */
        if (in.len + HASH_LEN > sizeof(whole))
            return;
        hash_once(in, digest);
        writer_init(&w, SPAN_ARRAY(whole));
        write_bytes(&w, in);
        write_bytes(&w, VIEW_ARRAY(digest));
        in = writer_view(&w);
        if (lockfile_decode(in, 1000, &r) != OK)
            return;
    }
    assert(r.tokens <= LOCK_TOKENS_MAX && r.triers <= LOCK_TRIERS_MAX);
    assert(memchr(r.stored, 0, sizeof(r.stored)) != NULL);
    int len = lockfile_encode(&r, 1000, again);
    assert((size_t)len == in.len && memcmp(again, in.ptr, in.len) == 0);
    assert(lockfile_decode(view_of(again, (size_t)len), 1000, &other) == OK);
}

static void token(struct view in)
{
    uint8_t again[UNLOCKFILE_BYTES];
    struct unlock_token t;
    if (unlockfile_decode(in, &t) != OK)
        return;
    int len = unlockfile_encode(&t, again);
    assert((size_t)len == in.len && memcmp(again, in.ptr, in.len) == 0);
}

static void secret(struct view in)
{
    static uint8_t plain[LOCK_SECRET_BYTES], again[LOCK_SECRET_BYTES];
    msg_password_secret s, other;
    memset(plain, 0, sizeof(plain));
    if (in.len > sizeof(plain))
        return;
    memcpy(plain, in.ptr, in.len);
    if (lock_secret_decode(VIEW_ARRAY(plain), &s) != OK)
        return;
    assert(s.password.size <= PWHASH_PASSWORD_MAX);
    assert(lock_secret_encode(&s, again) == OK);
    assert(lock_secret_decode(VIEW_ARRAY(again), &other) == OK);
    assert(other.next.size == s.next.size &&
           memcmp(other.next.bytes, s.next.bytes, s.next.size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct view in = view_of(data + 1, size - 1);
    switch (data[0] % 3) {
    case 0: machine(in); break;
    case 1: token(in); break;
    default: secret(in); break;
    }
    return 0;
}
