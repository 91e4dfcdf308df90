/*
 * Who comes in when the machine has an attach password, and the questions
 * about it. core/lock.h decides; here are the secrets that come in, the
 * hashes that a child computes meanwhile, and the answers.
 *
 *     password.key ----> key and challenge, signed by the machine
 *     password.unlock -> opened, order and challenge compared, waits looked
 *       (set, clear,     up; then a task: is it the password?
 *        revoke)             no ---> counted, and answered when to come back
 *                            yes --> token; or another task for `set`, or done
 *
 * Who asks by the local socket is the agent's own user: he is not asked for
 * the password in force, so that a forgotten one can be replaced.
 */
#ifndef AGENT_GUARD_H
#define AGENT_GUARD_H

#include "core/lock.h"
#include "core/mux.h"
#include "crypto/box.h"

#define GUARD_WORKS_MAX      2  /* passwords looked at at once */
#define GUARD_CHALLENGES_MAX 16 /* given and not used: one for each user */
#define GUARD_CHALLENGE_MS   120000

struct app;

/* A password that is being looked at, or made. It goes on when who asked is
 * gone, for it is counted. */
struct guard_work {
    struct app *app;
    int handle; /* -1: free */
    int row;
    struct mux *mux; /* NULL: nobody waits for the answer */
    msg_open open;
    bool making;
    bool local;
    msg_password_secret secret;
    char stored[PWHASH_CAP]; /* which hash is looked at */
    uint8_t who[LOCK_WHO_LEN];
};

struct guard_challenge {
    uint8_t who[LOCK_WHO_LEN];
    uint8_t bytes[32];
    uint64_t until_ms; /* 0: free */
};

struct guard {
    struct lock lock;
    struct box_key box; /* of this agent's life, in memory only */
    struct guard_challenge challenges[GUARD_CHALLENGES_MAX];
    struct guard_work works[GUARD_WORKS_MAX];
};

/* Reads the password file. */
void guard_init(struct app *app);

/* May this Open come in? False: it was rejected, and logged. */
bool guard_lets_in(struct app *app, struct mux *m, const msg_open *open,
                   struct view params);

/* The questions. */
void guard_key(struct app *app, struct mux *m, const msg_open *open,
               const msg_call *call);
void guard_order(struct app *app, struct mux *m, const msg_open *open,
                 const msg_call *call, msg_password_order order, bool local);

/* Who asked on channel `number` of that link (0: any) is gone. */
void guard_gone(struct app *app, const struct mux *m, uint32_t number);

#endif
