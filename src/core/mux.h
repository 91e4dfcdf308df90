/*
 * Channels over one link: numbers, offsets, credit and priority. The mux
 * knows messages but no sockets: its owner hands it what arrives and asks it
 * for the next bytes to send.
 *
 * Output is pulled, never queued: when the link has room, the mux asks a
 * channel for the bytes at the offset it has reached (`peek`). What is most
 * urgent at that moment goes first:
 *
 *     control messages > credit > interactive channels > bulk channels,
 *
 * the channels of one class in turn, one Data frame each. A channel sends no
 * byte at or above the limit its peer granted, so a slow reader stops only
 * its own channel.
 *
 * States of a channel, seen from one end:
 *
 *     FREE --chan_open--> OPENING --Accept--> OPEN --chan_close--> CLOSING
 *     FREE --chan_accept---------------------> OPEN      | streams drained
 *       ^                    | Reject           | Close  v
 *       +--------------------+------------------+-----< FREE
 *
 * Numbers are never used twice on a link: the side that made the connection
 * takes odd ones, the other even ones, counting up. A message for a number
 * that is gone is dropped: it was in flight when the channel ended.
 */
#ifndef CORE_MUX_H
#define CORE_MUX_H

#include "base/bytes.h"
#include "codec/msg.h"

#define CHAN_STREAMS 2 /* stdout and stderr; input uses the first */

/* When the far end learns that its bytes were applied. */
enum chan_acks {
    ACKS_HALF, /* with new credit: when half a window was used */
    ACKS_RIDE, /* and behind the next Data of the channel, in the same turn:
                  an echo takes the acknowledgement of its key along */
    ACKS_SOON, /* in this turn */
};

enum chan_state { CHAN_FREE, CHAN_OPENING, CHAN_OPEN, CHAN_CLOSING };

/* What goes out before a Close. */
enum chan_end {
    CHAN_DRAIN, /* everything, however long the peer takes */
    CHAN_FLUSH, /* what the peer's credit allows now */
    CHAN_NOW,   /* nothing */
};

struct chan_ops {
    /* The far end took or refused our Open; after `rejected` it is free. Both
     * may be NULL where channels are only accepted. */
    void (*accepted)(void *ctx, const msg_accept *accept);
    void (*rejected)(void *ctx, const msg_reject *reject);
    /*
     * Bytes came, in order, within the credit we gave. `off` is above what
     * was expected only when the sender skipped bytes it no longer had (and
     * `gaps_ok` is set); the owner counts that gap, and the bytes in it count
     * as used. A negative return is a protocol error of the peer.
     */
    int (*data)(void *ctx, uint32_t stream, uint64_t off, struct view bytes,
                bool fin);
    void (*event)(void *ctx, const msg_event *event);
    /* Every byte of our stream below `ack` was applied. May be NULL. */
    void (*acked)(void *ctx, uint32_t stream, uint64_t ack);
    /* The channel is over and free: by the peer's Close, or `close` is NULL
     * because the link went away. */
    void (*closed)(void *ctx, const msg_close *close);
    /*
     * The bytes of our stream from *off on, as many as lie contiguously; an
     * empty view when there are none yet. *fin says that the stream ends
     * right after them. If *off is no longer held, move it forward: the
     * receiver sees the gap. NULL: this side sends nothing.
     */
    struct view (*peek)(void *ctx, uint32_t stream, uint64_t *off, bool *fin);
    /* Bytes below `upto` went out. May be NULL. */
    void (*sent)(void *ctx, uint32_t stream, uint64_t upto);
    /* Our Close went out; the channel is free now. May be NULL. */
    void (*ended)(void *ctx);
};

struct chan_tx {
    uint64_t next;  /* offset of the next byte to send */
    uint64_t limit; /* the peer takes bytes below it */
    bool fin;       /* our end was announced */
    bool used;      /* this stream exists */
    bool skip;      /* what waits on the way is to be dropped */
};

struct chan_rx {
    uint64_t next;  /* offset of the next byte to come */
    uint64_t used;  /* the owner has used every byte below it */
    uint64_t acked; /* the last acknowledgement we sent */
    uint64_t ack;   /* what we may acknowledge: applied at the far end */
    uint64_t limit; /* the last limit we sent */
    bool fin;
    bool due; /* a Credit must go out */
};

struct chan {
    struct chan *next; /* in the mux's list */
    struct mux *mux;
    const struct chan_ops *ops;
    void *ctx;
    uint32_t number;
    uint32_t window; /* bytes we take per stream */
    enum chan_state state;
    bool bulk;      /* after interactive channels */
    bool gaps_ok;   /* incoming offsets may jump forward */
    bool any_start; /* Accept may name offsets above 0 */
    enum chan_acks acks;
    bool ready; /* peek may have something */
    enum chan_end end_mode;
    bool answered; /* Accept came, or was sent */
    bool size_due; /* `size` has not been told yet */
    msg_resize size;
    uint32_t turn; /* the stream that may send first */
    struct chan_tx tx[CHAN_STREAMS];
    struct chan_rx rx[CHAN_STREAMS];
    msg_close end; /* what our Close will say */
};

struct mux_ops {
    /* The peer opens a channel: answer, now or later, with chan_accept or
     * mux_reject. `params` is valid during the call. */
    void (*open)(void *ctx, const msg_open *open, struct view params);
    /* The peer closes a channel it opened and that we have not answered: do
     * not accept it any more. May be NULL. */
    void (*gone)(void *ctx, uint32_t number, const msg_close *end);
    /* There is something to send: have the link ask mux_pull soon. */
    void (*wake)(void *ctx);
};

struct mux {
    const struct mux_ops *ops;
    void *ctx;
    struct span control; /* queued control messages, as bytes */
    size_t control_len;
    size_t control_off; /* already pulled */
    struct chan *chans;
    struct chan *turn_interactive; /* whose turn it is */
    struct chan *turn_bulk;
    uint32_t number_next;  /* for channels that we open */
    uint32_t peer_highest; /* the peer's last number */
    uint32_t count;
    uint32_t count_max;
    bool deaf; /* the peer asks, and so many answers wait that one was lost */
};

/* `control` holds at least two messages of FRAME_MAX; `initiator` decides the
 * parity of our numbers. */
void mux_init(struct mux *m, struct span control, bool initiator,
              uint32_t count_max, const struct mux_ops *ops, void *ctx);

/* One channel message (kinds from MSG_OPEN up). OK, or ERR_PROTO with a
 * reason in *why: the link must end. An unknown kind is OK. */
int mux_message(struct mux *m, int kind, struct view body, const char **why);

/* Fill `out` with the next bytes of the message stream; 0: nothing. */
size_t mux_pull(struct mux *m, struct span out);
bool mux_has_output(const struct mux *m);

/* Queue one link-level or event message. ERR_FULL: try later. */
int mux_send(struct mux *m, int kind, const pb_msgdesc_t *fields,
             const void *msg);

/* The link is gone: every channel is freed and told (`closed` with NULL). */
void mux_lost(struct mux *m);

/* Prepare a free channel; `out_streams` is how many streams we send. */
void chan_init(struct chan *c, const struct chan_ops *ops, void *ctx,
               uint32_t out_streams, uint32_t window, bool bulk);

/*
 * Ask the far end for a channel. `open` names kind, target and parameters;
 * number and window are filled in here. ERR_LIMIT, ERR_FULL.
 */
int chan_open(struct mux *m, struct chan *c, msg_open *open);

/*
 * Take a channel that the peer opened: we send from out_offset and want
 * input from in_offset on. `accept` may carry params. ERR_LIMIT, ERR_FULL.
 */
int chan_accept(struct mux *m, struct chan *c, const msg_open *open,
                msg_accept *accept);
/* Answer no. ERR_FULL: the queue takes no answer any more, so the peer asks
 * and does not read; its next message ends the link. */
int mux_reject(struct mux *m, uint32_t number, msg_code code,
               const char *message, const char *remedy);

/* Start our stream at an offset other than 0 (after Accept told it). */
void chan_tx_start(struct chan *c, uint32_t stream, uint64_t off);
void chan_rx_start(struct chan *c, uint32_t stream, uint64_t off);

/* peek may now return something. */
void chan_wake(struct chan *c);

/* What was sent of a stream and waits on the way is of no use any more: it is
 * announced where the rest begins, which `peek` decides. Only where gaps may
 * come. */
void chan_skip(struct chan *c, uint32_t stream);

/* The owner has used the bytes of a stream below `used`, and the far end has
 * applied those below `ack` (the same where we are the far end). Grants more
 * when half the window is used; see chan_acks for the rest. */
void chan_used(struct chan *c, uint32_t stream, uint64_t used, uint64_t ack);

/* Bytes were applied and the far end was not told yet; tell it now. */
bool chan_owes(const struct chan *c, uint32_t stream);
void chan_ack(struct chan *c, uint32_t stream);

/* End the channel with `end`, after what `mode` says. The channel is freed
 * when the Close went out (`ended`). */
void chan_close(struct chan *c, const msg_close *end, enum chan_end mode);
/* Shorthands for the results of a Close. */
msg_close chan_failure(msg_code code, const char *message, const char *remedy);

/* Forget the channel without a word; for owners that go away themselves. */
void chan_drop(struct chan *c);

/* Tell the far end. A size is never lost and overtakes older ones that have
 * not left; anything else is ERR_FULL when the control queue is. */
int chan_event(struct chan *c, msg_event *event);

#endif
