/*
 * Passwords as they are kept: Argon2id (RFC 9106, by libsodium), written as
 * libsodium and others write it:
 *
 *     $argon2id$v=19$m=19456,t=2,p=1$<salt, 22>$<hash, 43>
 *
 * base64 of the standard alphabet without padding. A computation takes
 * PWHASH_KIB of memory and tens of milliseconds, and libsodium asks malloc
 * for some of it: programs with a loop let a child do it (port_task, with
 * pwhash_work).
 *
 * A stored string comes from a disk and may be anything: it is read as
 * strictly as it is written, and what it wants is bounded before any memory
 * is taken. One that wants more than our bounds counts as damaged.
 */
#ifndef CRYPTO_PWHASH_H
#define CRYPTO_PWHASH_H

#include "base/bytes.h"
#include "limits.h"

enum {
    PWHASH_SALT_LEN = 16,
    PWHASH_HASH_LEN = 32,
    PWHASH_CAP = 128,          /* of the text, its end included */
    PWHASH_PASSWORD_MAX = 128, /* bytes; more is refused, never cut */
    /* What a stored string may ask for: room for a later setting of ours,
     * and at most a second of work. */
    PWHASH_KIB_MIN = 8,
    PWHASH_KIB_MAX = 64 * 1024,
    PWHASH_PASSES_MAX = 10,
};

/* A stored string, taken apart. */
struct pwhash {
    uint32_t kib;
    uint32_t passes;
    uint8_t salt[PWHASH_SALT_LEN];
    uint8_t hash[PWHASH_HASH_LEN];
};

/* ERR_DAMAGED: it is not such a string, or asks for more than is allowed. */
int pwhash_read(struct view stored, struct pwhash *out);
/* Its text, with a final zero; the length. */
int pwhash_write(const struct pwhash *p, char out[PWHASH_CAP]);

/*
 * The string of a password, with the present setting.
 * password   1 to PWHASH_PASSWORD_MAX bytes, else ERR_RANGE
 * salt       fresh random bytes
 * Returns OK; ERR_LIMIT when the system gives no memory.
 */
int pwhash_make(struct view password, const uint8_t salt[PWHASH_SALT_LEN],
                char out[PWHASH_CAP]);

/* OK: it is this password. ERR_AUTH: another. ERR_DAMAGED: see pwhash_read.
 * ERR_LIMIT. The hashes are compared in constant time. */
int pwhash_check(struct view password, struct view stored);

/* Was it made with another setting than the present one? Then make it anew
 * while the password is at hand. A damaged one: false. */
bool pwhash_needs_rehash(struct view stored);

/* ---- the same as a task -------------------------------------------------- */

/* Holds a secret: wipe it when the task was started. */
struct pwhash_task {
    bool make;                     /* else check */
    uint8_t salt[PWHASH_SALT_LEN]; /* make */
    char stored[PWHASH_CAP];       /* check */
    uint8_t password[PWHASH_PASSWORD_MAX];
    size_t len;
};

/* A port_task_fn: `arg` is a struct pwhash_task. Answers with the string of
 * PWHASH_CAP bytes, or for a check with one byte: 1, it is the password. */
int pwhash_work(const void *arg, struct span out);

#endif
