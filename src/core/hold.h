/*
 * A child and its output, held by a keeper: a small process that owns them
 * while agents come and go. Both see one block of shared memory, and both
 * hold the same handles; one of them at a time moves bytes.
 *
 *              agent, or the keeper when there is none
 *     child --move--> buffer --recv--> ring in the block     (hold_take)
 *     child <--move-- buffer <--send-- bytes of an operator  (hold_put, _feed)
 *
 * A process may be killed between any two instructions, and no byte may be
 * lost or doubled by that. So nothing goes directly: a move into or out of a
 * buffer is one step of the system, the buffers outlive whoever moves, and
 * what is about to be taken from one (or put into one) is written down first.
 * How much still waits in the buffer then tells whether it happened, and
 * hold_settle sets the counters right. docs/decisions/0008 tells why.
 *
 * The block's layout is a contract between versions: an agent adopts keepers
 * that an older one started. Fields are added at the end of HOLD_HEAD, with
 * a raised HOLD_VERSION, and never move. An older program takes no block of a
 * newer one, but its orders: messages stay as they are.
 */
#ifndef CORE_HOLD_H
#define CORE_HOLD_H

#include "base/ring.h"
#include "limits.h"
#include "port/port.h"

#define HOLD_MAGIC   0x63646f70 /* "cdop" */
#define HOLD_VERSION 1
#define HOLD_STREAMS 2
#define HOLD_HEAD    4096 /* bytes before the rings */
#define HOLD_RECORD  3072 /* of them for whoever started the child */
#define HOLD_ID_CAP  33   /* 32 hex digits and the end */

#define HOLD_ARGS_MAX (ARGS_COUNT_MAX + 16)
#define HOLD_ENV_MAX  (ENV_COUNT_MAX + 16)

#define HOLD_ALL_MAY_GO UINT64_MAX

/* One stream from the child. While `taking` is not 0, that many bytes were
 * in the buffer, and those that are gone from it lie at `mark`. */
struct hold_out {
    uint64_t head, tail; /* of the ring */
    uint64_t wanted;     /* bytes from here on make no room for new ones */
    uint64_t mark;
    uint32_t taking;
    uint32_t spare;
};

/* While `loading` is not 0, so many bytes go into a buffer that holds
 * `before`; they count from `base` in the counter at byte `counter` of the
 * block. */
struct hold_in {
    uint64_t base;
    uint32_t counter;
    uint32_t before;
    uint32_t loading;
    uint32_t ends; /* nothing follows what is in the queue */
};

struct hold_block {
    uint32_t magic, version;
    uint32_t ring_bytes; /* of each stream, a power of two */
    uint32_t streams;    /* 1: a terminal, 2: stdout and stderr */
    uint32_t pid;
    uint32_t exited; /* then: */
    uint32_t status, signal;
    uint32_t turn; /* raised when somebody else is to move the bytes */
    uint32_t spare;
    struct hold_in in;
    struct hold_out out[HOLD_STREAMS];
    uint64_t started_ms; /* wall clock */
    uint64_t ended_ms;
    _Alignas(64) uint8_t record[HOLD_RECORD];
};

/* One process's view of it. */
struct hold {
    struct hold_block *block; /* NULL: none */
    struct span memory;
    uint32_t turn; /* ours; a process that hung finds that it is over */
    int block_handle;
    int conn;     /* between agent and keeper */
    int child_in; /* -1: closed */
    int child_out[HOLD_STREAMS];
    int in[2]; /* the buffers: out at [0], in at [1] */
    int out[HOLD_STREAMS][2];
    uint32_t queued; /* bytes in the buffers */
    uint32_t waiting[HOLD_STREAMS];
    struct ring ring[HOLD_STREAMS];
};

/* ---- bytes ------------------------------------------------------------------ */

/* For the keeper, when it is alone: it is our turn. Whoever moved bytes before
 * us is gone, or hangs and will move none. Sets counters and rings right. */
void hold_settle(struct hold *h);

/*
 * Take output into the ring, at most `max` bytes: the count, 0 for "nothing
 * now" (or no room), ERR_CLOSED at the end of the stream, another code. The
 * oldest bytes make room, but for those that are wanted.
 */
int hold_take(struct hold *h, uint32_t stream, uint32_t max);
/* Bytes from `off` on are wanted: they stay, and the child waits if need be.
 * HOLD_ALL_MAY_GO: it never waits, as a new terminal's does not; of new pipes
 * all is wanted. */
void hold_want(struct hold *h, uint32_t stream, uint64_t off);
/* For how many bytes there is room. */
uint32_t hold_room(const struct hold *h, uint32_t stream);
/* Close our handle of a stream, after its end. */
void hold_close_out(struct hold *h, uint32_t stream);

/*
 * Put typed bytes into the child's queue: returns how many went in, 0 when it
 * is full, or a code. They count in `*counter`, which lies in the block, in
 * the same step. A killed agent's bytes are in the queue and counted, or
 * neither.
 */
int hold_put(struct hold *h, uint64_t *counter, struct view bytes);
/* From the queue into the child, as far as it takes them, and its end behind
 * the last of them: OK, or the code with which it failed. */
int hold_feed(struct hold *h);
/* No more bytes come. The next hold_feed that empties the queue closes the
 * child's input, whoever calls it: an agent that is killed has said it. */
void hold_end_in(struct hold *h);
/* Bytes, or the end, wait for the child to become writable. */
bool hold_feeds(const struct hold *h);
/* Close our handle of the child's input. */
void hold_close_in(struct hold *h);

/* ---- agent and keeper ------------------------------------------------------- */

/*
 * The agent makes block and buffers and writes down what is to be started; so
 * all that is to be known about a child is there before the child is, whoever
 * is killed meanwhile.
 *
 *     agent: RUN, with block and buffers ----------> keeper (a new one)
 *     agent: REST, later RUN without handles ------> keeper (one that is free)
 *     agent <-------- HELLO, with the child's handles: keeper
 *     another agent <---- HELLO, with all handles: keeper
 */
enum hold_op {
    HOLD_RUN = 1,   /* agent: start the child that the block tells of */
    HOLD_HELLO,     /* keeper: it runs; or `err` tells why it does not, and
                       hold_why says it in words */
    HOLD_EXITED,    /* keeper: the block tells how */
    HOLD_SIGNAL,    /* agent: send the signal that `text` names */
    HOLD_END_INPUT, /* agent: the queue is empty; close the child's input */
    HOLD_HANG_UP,   /* agent: close the child's terminal and pipes */
    HOLD_REST,      /* agent: the child has ended and is forgotten; wait for
                       the next RUN */
    HOLD_RELEASE,   /* agent: nobody wants to know any more; end */
};

/* Of this size always. */
struct hold_message {
    uint8_t op;
    uint8_t version;
    int16_t err;
    uint32_t turn; /* HELLO: whose turn it is then. Who hears it late knows
                      that another one was told after him. */
    uint8_t has;   /* which handles come with it */
    char text[23];
};

/* The size of a message, 0 for "not now", a code: as port_send. Most callers
 * need not look, a keeper that is gone shows by its connection. */
int hold_send(int conn, enum hold_op op, const char *text);

/* How a child is started. */
struct hold_start {
    const char *folder; /* where keepers can be found */
    const char *id;     /* and the name there */
    struct port_spawn what;
    struct view record; /* what the agent wants to find again in the block */
    uint32_t ring_bytes;
    bool tty;
    uint16_t rows, cols; /* with tty */
};

/* Start a keeper. It answers HELLO on h->conn, and hold_recv takes it. OK, or
 * why it did not start; then nothing is left. */
int hold_start(struct hold *h, const struct hold_start *s);
/*
 * A keeper whose child has ended may run another one: to start one costs more
 * than a short command. `hold_rest` puts it to rest if it is fit for that;
 * `hold_run` is then what hold_start is otherwise (its terminal, rings, name
 * and folder stay as they were).
 */
bool hold_rest(struct hold *h);
int hold_run(struct hold *h, const struct hold_start *s);

/* Ask a keeper that is there: it answers HELLO as well. */
int hold_adopt(struct hold *h, const char *folder, const char *id);
/* Is its place there? A keeper takes it before it starts anything, and leaves
 * it behind when it is killed. */
bool hold_has_place(const char *folder, const char *id);
/*
 * Something came from the other side: its message in *m and 1; 0 for nothing;
 * ERR_CLOSED when it is gone; ERR_PROTO. A HELLO without an error leaves `h`
 * ready to use, settled.
 */
int hold_recv(struct hold *h, struct hold_message *m);
/* Why a HELLO has an error, for people, as long as `h` holds the block. */
const char *hold_why(struct hold *h, const struct hold_message *m);

/* Block and buffers of a new child. On failure nothing is left. */
int hold_new(struct hold *h, uint32_t streams, uint32_t ring_bytes);
/* It holds nothing: to begin with, or when somebody else took all over. */
void hold_none(struct hold *h);
/* Let go of everything; the keeper goes on without us unless it was told. */
void hold_drop(struct hold *h);

/* ---- the keeper's side ------------------------------------------------------ */

/* What the block asks for, valid until output is taken. */
struct hold_order {
    struct port_spawn what;
    uint16_t rows, cols;
    const char *argv[HOLD_ARGS_MAX];
    const char *env[HOLD_ENV_MAX];
};
int hold_read_order(const struct hold *h, struct hold_order *o);
/* Nothing of it stays in memory. */
void hold_wipe_order(struct hold *h);

/* The child runs: pass its handles, or all of them. As hold_send. */
int hold_send_hello(const struct hold *h, int conn, bool all);
/* It does not run, for this reason. */
void hold_send_error(struct hold *h, int conn, int err, const char *why);

#endif
