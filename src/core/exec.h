/*
 * Commands on pipes: stdin, stdout and stderr apart, an exit status at the
 * end. Output waits in the pipe when the operator is slow: nothing is
 * skipped. A command whose operator is gone is told to end (TERM, then KILL
 * after GRACE_MS).
 */
#ifndef CORE_EXEC_H
#define CORE_EXEC_H

#include "base/arena.h"
#include "core/mux.h"
#include "core/sink.h"
#include "limits.h"
#include "port/port.h"
#include "transport/loop.h"

struct job {
    struct chan chan;
    struct port_child child;
    struct sink in;
    int in_row;                    /* -1: not watched */
    struct ring out[CHAN_STREAMS]; /* stdout, stderr */
    int out_fd[CHAN_STREAMS];
    int out_row[CHAN_STREAMS];
    uint64_t started_us;
    int deadline; /* timer: the time-out, then the grace */
    struct jobs *owner;
    int status;
    int signal;
    bool used;
    bool exited;
    bool ending; /* TERM was sent, KILL follows */
    bool timed_out;
    bool broken; /* its output could not be read to the end */
};

struct jobs {
    struct job *slots;
    uint8_t *rings; /* three for each slot */
    uint32_t count;
    struct loop *loop;
    const char *machine_id;
    const char *machine_name;
};

/* The memory of `a` is zero, and what no job needs stays untouched. */
void jobs_init(struct jobs *j, struct arena *a, struct loop *loop,
               const char *machine_id, const char *machine_name);

/* Answer an Open of kind EXEC: start the command and accept, or reject. */
void exec_open(struct jobs *j, struct mux *m, const msg_open *open,
               struct view params);

/* A child ended; false when it is none of ours. */
bool exec_child(struct jobs *j, int pid, int status, int signal);

#endif
