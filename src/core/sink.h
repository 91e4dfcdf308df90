/*
 * Bytes on their way into a handle: written at once when it takes them, kept
 * in a ring when it does not. The ring's offsets are the stream's, so "how
 * far was it applied" is sink_done. The owner watches the handle, and closes
 * it when the sink says that it is over.
 */
#ifndef CORE_SINK_H
#define CORE_SINK_H

#include "base/ring.h"

struct sink {
    struct ring ring;
    int handle; /* -1: bytes are dropped */
    bool fin;   /* nothing follows what is in the ring */
    int err;    /* why the handle takes no more: bytes are dropped */
};

void sink_init(struct sink *s, struct span buf, int handle, uint64_t start);

/* OK, or ERR_FULL with nothing taken. A handle that broke swallows bytes:
 * its owner learns it from the other direction. */
int sink_put(struct sink *s, struct view bytes);

/* No more bytes will come. */
void sink_fin(struct sink *s);

/* The handle is writable. */
void sink_flush(struct sink *s);

/* Drop what waits and everything that comes; `err` tells why. */
void sink_stop(struct sink *s, int err);

/* Bytes below it are written (or dropped). */
uint64_t sink_done(const struct sink *s);
/* Bytes wait for the handle to become writable. */
bool sink_waits(const struct sink *s);
/* The handle has done its work: it failed, or is finished and empty. */
bool sink_over(const struct sink *s);

#endif
