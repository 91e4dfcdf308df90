/*
 * A sign-in that is kept fresh: new tokens for the refresh token (RFC 6749,
 * 6), by one process at a time.
 *
 *     wait for the lock -> read the file again -> somebody renewed it: take it
 *                                              -> "auth.token" -> save -> use
 *
 * The relay gives each refresh token one successor and takes a second use of
 * it for theft, so nobody asks without the lock, and nothing is used that was
 * not saved. An answer that is lost, or a death before the save, is no harm:
 * the relay replaces a successor that was never used.
 *
 * It is asked on any open link: as a guest, before and between connections;
 * or on the link that is in use, so that it never comes to an end.
 */
#ifndef CORE_RENEW_H
#define CORE_RENEW_H

#include "core/credential.h"
#include "core/question.h"
#include "transport/loop.h"

#define RENEW_BEFORE_MS (INT64_C(5) * 60 * 1000) /* the token's end */

enum renew_end {
    RENEW_FRESH,   /* *server has a token that is good */
    RENEW_REFUSED, /* for good: sign in again; with a sentence */
    RENEW_FAILED,  /* this time; with a sentence */
};

struct renew {
    struct loop *loop;
    const struct paths *paths;
    struct credential *server;
    struct question question;
    struct span buf;
    struct mux *mux;
    int timer;
    uint64_t until_ms;
    bool active;
    bool locked;
    bool asked; /* and not answered */
    bool answered;
    cmdop_agent_v1_AuthToken answer; /* a secret, until it is kept */
    struct credentials all;          /* while we hold the lock */
    struct credentials known;        /* of it, the key of the seal alone */
    void (*done)(void *ctx, enum renew_end end, const char *why);
    void *ctx;
    char why[512];
};

/* Once. `server` is what is kept fresh, in place; `all` tells the key of the
 * seal, so that a keyring is not asked in the middle of a session; `buf` has
 * QUESTION_RING bytes. ERR_FULL when the loop has no timers left. */
int renew_init(struct renew *r, struct loop *loop, const struct paths *paths,
               struct credential *server, const struct credentials *all,
               struct span buf);

/* Can it be renewed; should it be, at this time of the wall? */
bool renew_can(const struct credential *c);
bool renew_due(const struct credential *c, int64_t wall_ms);

/* Renew it through this link. `done` is called once, later or at once. Not
 * while it is active; a link that is lost ends it as RENEW_FAILED. */
void renew_start(struct renew *r, struct mux *m,
                 void (*done)(void *ctx, enum renew_end end, const char *why),
                 void *ctx);

/* What the relay gave becomes part of a sign-in: both tokens, times, names
 * made safe to show. ERR_RANGE when a token or an id is none; *c is then as
 * it was. */
int renew_take(struct credential *c, const cmdop_agent_v1_AuthToken *t,
               int64_t wall_ms);

/* The link is gone, or it is not wanted any more: `done` is not called. What
 * was asked on that link must have been told to be lost. */
void renew_stop(struct renew *r);

/* Forget all secrets. */
void renew_wipe(struct renew *r);

#endif
