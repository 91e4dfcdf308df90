/*
 * The file of a machine's attach password, <state>/password: the hash of the
 * password, who may come in without being asked, and who tried in vain. One
 * file, replaced as a whole: a new password and the end of the old one's
 * tokens are one step.
 *
 *     "CMDOPPW" 1                        8 bytes, magic and version
 *     length, text                       1 + n: crypto/pwhash.h
 *     count, tokens                      1 + n x (hash 32, whose 32,
 *                                        from 8, until 8: Unix ms)
 *     count, tries                       1 + n x (whose 32, count 4, wait 4)
 *     count, wait                        4 + 4: the tries of all together
 *     SHA-256 of all before it           32
 *
 * No file: the machine has no password. A file that is not exactly this one:
 * it has one that nobody knows, and nobody comes in.
 */
#ifndef CORE_LOCKFILE_H
#define CORE_LOCKFILE_H

#include "crypto/hash.h"
#include "crypto/pwhash.h"

#define LOCK_TOKENS_MAX 64 /* who comes in without being asked */
#define LOCK_TRIERS_MAX 16 /* users whose wrong tries are counted by name */
#define LOCK_WHO_LEN    HASH_LEN

struct lock_token {
    uint8_t hash[HASH_LEN]; /* of the token */
    uint8_t who[LOCK_WHO_LEN];
    int64_t from_ms, until_ms; /* by the wall clock */
};

struct lock_tries {
    uint8_t who[LOCK_WHO_LEN];
    uint32_t count;
    uint64_t until_ms; /* nothing is looked at before; as port_now_ms */
    uint64_t last_ms;  /* of the last wrong one; not in the file */
};

struct lock_record {
    char stored[PWHASH_CAP];
    struct lock_token token[LOCK_TOKENS_MAX];
    uint32_t tokens;
    struct lock_tries tries[LOCK_TRIERS_MAX];
    uint32_t triers;
    struct lock_tries all; /* without a name */
};

/* Clocks of a program start anew, so the file has how long is to be waited
 * still: `now_ms` is the time that it counts from. */

#define LOCKFILE_BYTES                                                    \
    (8 + 1 + PWHASH_CAP + 1 + LOCK_TOKENS_MAX * (2 * HASH_LEN + 16) + 1 + \
     LOCK_TRIERS_MAX * (LOCK_WHO_LEN + 8) + 8 + HASH_LEN)

/* To and from bytes; the length, and OK or ERR_DAMAGED. */
int lockfile_encode(const struct lock_record *r, uint64_t now_ms,
                    uint8_t out[LOCKFILE_BYTES]);
int lockfile_decode(struct view raw, uint64_t now_ms, struct lock_record *out);

/* ERR_NOT_FOUND: there is none. ERR_DAMAGED, also when others may read it.
 * What the port says. */
int lockfile_read(const char *state_dir, uint64_t now_ms,
                  struct lock_record *out);
int lockfile_write(const char *state_dir, uint64_t now_ms,
                   const struct lock_record *r);
int lockfile_remove(const char *state_dir);

#endif
