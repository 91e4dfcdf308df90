/*
 * A command on a machine, as an operator's program sees it: started or found
 * by its id, fed, heard, and told how it ended.
 *
 *   stdin  -> ring ----> channel, stream 0
 *   stdout <- sink <---- stream 0      stderr <- sink <---- stream 1
 *
 * A lost link is not the end: the channel is opened again by the id, output
 * goes on at the offset this side has, and input at the one the machine wants.
 * Input stays in the ring until the machine says that it was applied.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/reopen.h"
#include "cli/unlock.h"
#include "cli/where.h"
#include "core/cmd.h"
#include "core/job.h"
#include "core/sink.h"

enum command_outcome {
    COMMAND_EXITED,
    COMMAND_SIGNALLED,
    COMMAND_TIMED_OUT, /* and was ended by the machine */
    COMMAND_GOES_ON,   /* we left it, or waited no longer */
    COMMAND_LOST,      /* nobody knows how it ended, or we cannot */
    COMMAND_REFUSED,
};

struct command_output {
    struct sink sink;
    int row;
    uint64_t base; /* of the channel's stream */
    uint64_t next; /* offset of the next byte */
    uint64_t end;  /* where it was when the channel was accepted */
    uint8_t *data; /* what was collected */
    size_t len;
    bool cut;
};

struct command {
    /* What is asked for. */
    const char *target;
    char id[JOB_ID_CAP]; /* "": one is made */
    char **argv;
    uint32_t argc;
    uint64_t kill_ms; /* the machine ends it then; 0: never */
    uint64_t wait_ms; /* we wait so long; 0: for ever */
    bool keep;
    bool attach;    /* start none */
    bool watch;     /* without input, and nothing waits for us */
    bool quiet;     /* no output */
    bool resume;    /* from out[].next on */
    bool until_now; /* leave at the end of what is there */
    bool detach;    /* leave as soon as it runs */
    bool collect;   /* output goes to out[].data; and say nothing */

    /* How it went. */
    enum command_outcome outcome;
    int status; /* for our exit */
    msg_close end;
    msg_exec_accept machine;
    uint64_t started_us;
    struct command_output out[CHAN_STREAMS];

    /* Our own. */
    struct client client;
    struct reopen reopen;
    struct unlock unlock;
    bool asked_password;
    struct chan chan;
    struct ring in;
    int in_row;             /* -1: not watched */
    struct loop_job in_job; /* a file is read without waiting */
    uint64_t discard;       /* the machine has so much of our input already */
    bool in_fin;
    bool reading;
    uint32_t opens;  /* that we sent */
    bool accepted;   /* one of them */
    bool unanswered; /* what became of the last one is not known */
    bool open;       /* the channel is there */
    bool lost;       /* it was open, and is to be opened again */
    bool over;       /* the result is known */
    int timer;
    int patience; /* timer: to come back to a plain command */
};

#define COMMAND_COLLECT_MAX (1024 * 1024) /* bytes per stream */

/* Run it to its end: the exit status. Everything above "Our own" is set, or
 * filled in; the rest is zero. */
int command_run(struct command *x, const struct cmd_env *env,
                const struct where *where);

/* "HOST:ID", or the id alone without a host. */
void command_handle(const struct command *x, struct text *out);

#endif
