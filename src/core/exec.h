/*
 * Channels of kind EXEC: who asks for a command, feeds it, hears it, and is
 * told how it ended. The command itself is core/job.h.
 *
 *     holder   one at a time: its input, and output waits for it; who asks
 *              for the same id later takes its place
 *     watcher  any number: output as it is held, gaps where it was not
 *
 * What becomes of a command whose holder is gone depends on how he went: he
 * left it (Close with `detached`), ended it (any other Close), or was lost.
 */
#ifndef CORE_EXEC_H
#define CORE_EXEC_H

#include "core/job.h"

#define VIEWERS_MAX (JOBS_MAX * 2)

struct viewer {
    struct chan chan;
    struct job *job; /* NULL: free */
    struct viewer *next;
    bool watches;
    bool quiet; /* only the end is told */
};

/* As job_pool_init; a command is on the machine with this id and name. */
int jobs_init(struct jobs *j, struct arena *a, struct loop *loop,
              const char *machine_id, const char *machine_name,
              const char *folder);

/* Answer an Open of kind EXEC: start the command or find it, then accept or
 * reject. */
void exec_open(struct jobs *j, struct mux *m, const msg_open *open,
               struct view params);

/*
 * Who asked with an Open that was not answered yet is gone, as `end` tells;
 * with number 0 all of this link are, and `end` is NULL. His command may run
 * by now: one with an id stays, so that nothing starts it a second time, and
 * is ended if that is his wish.
 */
void jobs_gone(struct jobs *j, const struct mux *m, uint32_t number,
               const msg_close *end);

#endif
