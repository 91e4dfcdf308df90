/*
 * A listening handle in the loop: it hands over connections while its owner
 * has room, and rests when the owner is full or the process has no handles.
 */
#ifndef TRANSPORT_LISTEN_H
#define TRANSPORT_LISTEN_H

#include "transport/loop.h"

struct listener_ops {
    /* Is there room for one more? */
    bool (*room)(void *ctx);
    /* A connection, the callee's from now on. */
    void (*accepted)(void *ctx, int handle, const struct port_addr *from);
};

struct listener {
    struct loop *loop;
    const struct listener_ops *ops;
    void *ctx;
    int handle; /* -1: none */
    int row;
    int pause; /* timer */
};

/* Watch `handle`, which is the listener's from now on. OK, or ERR_FULL with
 * the handle closed. */
int listener_start(struct listener *l, struct loop *loop, int handle,
                   const struct listener_ops *ops, void *ctx);

/* The owner has room again. Harmless when it was not full, or is closed. */
void listener_resume(struct listener *l);

/* Close the handle; the kernel turns later callers away. */
void listener_stop(struct listener *l);

#endif
