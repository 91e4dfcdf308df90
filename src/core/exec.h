/*
 * Commands on pipes: stdin, stdout and stderr apart, an exit status at the
 * end. Output waits in the pipe when the operator is slow: nothing is
 * skipped. A command whose operator is gone is told to end (TERM, then KILL
 * after GRACE_MS).
 */
#ifndef CORE_EXEC_H
#define CORE_EXEC_H

#include "base/arena.h"
#include "core/held.h"
#include "core/mux.h"
#include "limits.h"
#include "transport/loop.h"

struct job {
    struct chan chan;
    struct held child;
    struct mux *asker; /* waits for the keeper's answer; NULL: nobody */
    msg_open open;     /* channel and window of that Open */
    struct ring in;    /* what the queue does not take yet */
    int in_row;        /* -1: not watched */
    int out_row[CHAN_STREAMS];
    uint64_t started_us;
    int deadline; /* timer: the time-out, then the grace */
    struct jobs *owner;
    bool used;
    bool in_fin;  /* nothing follows what is in the ring */
    bool in_over; /* the command's input is closed */
    bool exited;
    bool ending; /* TERM was sent, KILL follows */
    bool timed_out;
    bool broken; /* its output could not be read to the end */
};

struct jobs {
    struct job *slots;
    uint8_t *inputs; /* a ring for each */
    struct held_pool pool;
    uint32_t count;
    struct loop *loop;
    const char *machine_id;
    const char *machine_name;
    char folder[PATH_CAP];
};

/* The memory of `a` is zero, and what no job needs stays untouched. Keepers
 * have their sockets below `folder`, in "jobs". OK, or ERR_RANGE: its name is
 * too long. */
int jobs_init(struct jobs *j, struct arena *a, struct loop *loop,
              const char *machine_id, const char *machine_name,
              const char *folder);

/* Answer an Open of kind EXEC: start the command, then accept or reject. */
void exec_open(struct jobs *j, struct mux *m, const msg_open *open,
               struct view params);

/* An Open that was not answered yet is taken back; with number 0 all of this
 * link are. */
void jobs_gone(struct jobs *j, const struct mux *m, uint32_t number);

#endif
