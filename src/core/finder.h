/*
 * Finding the keepers that an earlier agent left: their sockets lie in one
 * folder, named by place. What cannot be reached at the moment, for lack of
 * handles or memory, is not lost: it is looked for again, at growing
 * distances.
 */
#ifndef CORE_FINDER_H
#define CORE_FINDER_H

#include "base/backoff.h"
#include "transport/loop.h"

struct finder_ops {
    /* Do we have the one of this place, or ask it? */
    bool (*knows)(void *ctx, const char *place);
    /* Ask it: OK, or as held_adopt. */
    int (*adopt)(void *ctx, const char *place);
    /* Nobody is behind this place any more: may it be removed? May be NULL. */
    bool (*gone)(void *ctx, const char *place);
    /* All that are there were asked. May be NULL. */
    void (*complete)(void *ctx);
};

struct finder {
    struct loop *loop;
    const char *folder;
    const struct finder_ops *ops;
    void *ctx;
    int timer;
    struct backoff backoff;
    bool missed; /* there may be others that we know nothing of */
};

/* `folder` lives as long. */
void finder_init(struct finder *f, struct loop *loop, const char *folder,
                 const struct finder_ops *ops, void *ctx);
void finder_look(struct finder *f);
/* One that was asked could not be taken: it is left alone and asked again. */
void finder_miss(struct finder *f, const char *place);

#endif
