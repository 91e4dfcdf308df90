/*
 * The pipes of a command: its output on the way into the rings, what was sent
 * for its input on the way into it. For core/job.c; others use job_peek,
 * job_want and job_put.
 */
#ifndef CORE_JOBPIPE_H
#define CORE_JOBPIPE_H

#include "core/job.h"

/* Watch what is open: OK, or ERR_LIMIT; and no longer. */
int jobpipe_watch(struct job *t);
void jobpipe_unwatch(struct job *t);

/* Feed it what waits. */
void jobpipe_settle_in(struct job *t);
/* It is over: read what it has left, as far as there is room. */
void jobpipe_drain(struct job *t);

/* Nothing more goes into it; or out of it either. */
void jobpipe_close_in(struct job *t);
void jobpipe_close(struct job *t);

#endif
