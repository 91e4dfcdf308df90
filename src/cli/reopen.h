/*
 * A channel that was lost while its link is there: when it is asked for
 * again. At once if it had lasted a while, else after a growing time.
 */
#ifndef CLI_REOPEN_H
#define CLI_REOPEN_H

#include "base/backoff.h"
#include "core/client.h"

/* How long the relay may keep our Open for a machine that is away. */
#define REOPEN_WAIT_MS 30000

struct reopen {
    struct client *client;
    int timer;
    struct backoff backoff;
    uint64_t opened_ms; /* 0: it was not accepted since */
    void (*again)(void *ctx);
    void *ctx;
};

/* `again` opens the channel; it is called with the link up only. */
void reopen_init(struct reopen *r, struct client *c, void (*again)(void *ctx),
                 void *ctx);
/* The channel was accepted. */
void reopen_worked(struct reopen *r);
/* It is gone: `again` follows. */
void reopen_later(struct reopen *r);
/* A new link opens it anyway. */
void reopen_stop(struct reopen *r);

#endif
