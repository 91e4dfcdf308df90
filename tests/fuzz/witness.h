/*
 * One who hears both sides of a link and believes neither: he is shown every
 * message that a mux took and every byte that it said, keeps the books of
 * docs/PROTOCOL.md, sections 6 and 7, and asserts that the mux
 *
 *   - says whole messages, and about channels that there are;
 *   - counts its own numbers up, and says nothing about one that it ended;
 *   - sends the bytes of a stream in order, once, none behind its end, and
 *     none at or above the limit it was granted;
 *   - never takes a limit back, grants no more than its window beyond what
 *     came, and acknowledges nothing that did not come.
 */
#ifndef TESTS_FUZZ_WITNESS_H
#define TESTS_FUZZ_WITNESS_H

#include "codec/grpcframe.h"
#include "core/mux.h"
#include "limits.h"

/* Room for as many numbers; a message brings two at most. */
#define WITNESS_CHANS 4096

/* One direction of one stream. */
struct witness_stream {
    uint64_t next;  /* offset of the next byte */
    uint64_t limit; /* granted by the receiver, as far as it was said */
    uint64_t ack;
    bool fin;
};

struct witness_chan {
    uint32_t number;
    uint32_t ask_window; /* what Open told */
    uint32_t window;     /* the mux's own */
    bool ours;           /* opened by the mux */
    bool answered;       /* Accept was heard, or said */
    bool ended;          /* the mux said Close or Reject */
    bool left;           /* the mux heard Close or Reject */
    bool early;          /* Data came before Accept was said: who sends so is
                            not honest, and what counted nobody can tell */
    bool guessed;        /* spoken of before the mux said Open: likewise */
    struct witness_stream out[CHAN_STREAMS]; /* said by the mux */
    struct witness_stream in[CHAN_STREAMS];  /* heard */
};

struct witness {
    uint32_t number_last; /* of the channels that the mux opened */
    uint32_t count;
    uint64_t said; /* messages */
    bool initiator;
    /* Is it what belongs at this offset? May be NULL. */
    void (*content)(uint32_t stream, uint64_t off, struct view bytes);
    void (*each)(int kind); /* every message that is said; may be NULL */
    struct grpcframe in;
    struct witness_chan chan[WITNESS_CHANS];
    uint8_t frame[FRAME_MAX];
};

/* `initiator` as in mux_init. */
void witness_init(struct witness *w, bool initiator);

/* A message that the mux took: mux_message was OK. */
void witness_heard(struct witness *w, int kind, struct view body);

/* What mux_pull gave. */
void witness_said(struct witness *w, struct view bytes);

/* NULL when no such number was ever used. */
struct witness_chan *witness_find(struct witness *w, uint32_t number);

#endif
