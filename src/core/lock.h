/*
 * The attach password of a machine, from the side that checks it: is there
 * one, who has a token, and who must wait. It computes no hash (that takes
 * long, see agent/guard.h) and asks no clock.
 *
 *                   set                       the file is damaged
 *     NONE <-----------------> ARMED          DAMAGED: nobody comes in from
 *                  clear                      outside, until it is set or
 *                                             cleared on the machine itself
 *
 * A token is 32 random bytes, given for a right password: it opens the
 * machine for one user of one fleet for a day, until the next set or clear.
 * Only its hash is kept, in memory and on disk, so a restart keeps it.
 *
 * Wrong tries are counted for each user, and for all together, because a
 * relay may invent users. From the third on a user waits 1 s, 2 s, 4 s, ...,
 * from the tenth on 15 minutes each time. A right one, or a day without a
 * wrong one, forgets them. Who has a token is not concerned.
 */
#ifndef CORE_LOCK_H
#define CORE_LOCK_H

#include "codec/msg.h"
#include "core/lockfile.h"
#include "limits.h"

#define LOCK_TOKEN_LEN    32
#define LOCK_TOKEN_MS     (24 * 3600 * 1000) /* the product's promise */
#define LOCK_PASSWORD_MIN 8 /* bytes; and PWHASH_PASSWORD_MAX */

#define LOCK_WAIT_FROM      3 /* wrong tries of one user */
#define LOCK_AFTER          10
/* Of all users together: so that one who forgot it holds up nobody else, and
 * a thousand invented ones get no more than some. */
#define LOCK_ALL_FROM       10
#define LOCK_ALL_AFTER      20
#define LOCK_MS             (15 * 60 * 1000)
#define LOCK_FORGET_MS      (24 * 3600 * 1000)
/* A clock that is set back a little does not end a token; one that is set
 * back by more does, lest it live again. */
#define LOCK_CLOCK_SLACK_MS (5 * 60 * 1000)

struct lock {
    char dir[PATH_CAP];
    msg_password_state state;
    bool unread; /* the system gave no access, which may pass */
    struct lock_record r;
};

/* Who it is: the user and the fleet, as the relay says. A name counts only
 * where there is no id: people change theirs. */
void lock_who(const msg_origin *origin, uint8_t out[LOCK_WHO_LEN]);

/* Read the file; what cannot be read is DAMAGED, and logged. */
void lock_load(struct lock *l, const char *state_dir, uint64_t now_ms);
/* Try again, if the system gave no access to it. */
void lock_retry(struct lock *l, uint64_t now_ms);

/* May they come in? OK; ERR_AUTH: not without the password; ERR_DAMAGED. */
int lock_admits(const struct lock *l, const uint8_t who[LOCK_WHO_LEN],
                struct view token, int64_t wall_ms);
/* How many tokens are in force. */
uint32_t lock_tokens(const struct lock *l, int64_t wall_ms);

/* How long must they wait before a password is looked at? 0: not at all. */
uint64_t lock_wait_ms(const struct lock *l, const uint8_t who[LOCK_WHO_LEN],
                      uint64_t now_ms);
/* A password was looked at. What cannot be written counts all the same, until
 * the program ends. */
void lock_wrong(struct lock *l, const uint8_t who[LOCK_WHO_LEN],
                uint64_t now_ms);
void lock_right(struct lock *l, const uint8_t who[LOCK_WHO_LEN],
                uint64_t now_ms);

/* Let them in with this token, fresh random bytes. The oldest makes room. */
void lock_grant(struct lock *l, const uint8_t who[LOCK_WHO_LEN],
                const uint8_t token[LOCK_TOKEN_LEN], int64_t wall_ms,
                uint64_t now_ms);

/* Another password, or none: all tokens end, and what was tried is forgotten.
 * On failure all is as it was. */
int lock_set(struct lock *l, const char stored[PWHASH_CAP], uint64_t now_ms);
int lock_clear(struct lock *l);
/* The same password with another hash: tokens stay. */
int lock_rehash(struct lock *l, const char stored[PWHASH_CAP], uint64_t now_ms);
/* End all tokens. */
int lock_revoke(struct lock *l, uint64_t now_ms);

/* ---- what is sealed ------------------------------------------------------------ */

/* The plain text of a secret has one length, so that the box does not tell
 * that of a password: a length of two bytes, a PasswordSecret, zeros. */
#define LOCK_SECRET_BYTES 320

int lock_secret_encode(const msg_password_secret *s,
                       uint8_t out[LOCK_SECRET_BYTES]);
/* ERR_PROTO. */
int lock_secret_decode(struct view plain, msg_password_secret *out);

/* What the machine signs in PasswordKey: `nonce` is the id of the question. */
#define LOCK_SIGNED_MAX 64
size_t lock_key_signed(const msg_password_key *k, const char *nonce,
                       uint8_t out[LOCK_SIGNED_MAX]);

#endif
