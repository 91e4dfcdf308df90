/*
 * Output of an earlier time, shown once more: what a terminal would answer or
 * do anew is left out. Its answers would be typed into a program that never
 * asked, and what a stranger's file asks for may be worse. Text, colours, the
 * cursor, modes and titles stay; reports, the clipboard, resizing, printing
 * and all strings that are for one kind of terminal go. Pure.
 */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include "base/bytes.h"

#define REPLAY_HELD 2048 /* a longer sequence is left out */

enum replay_state {
    REPLAY_TEXT,
    REPLAY_ESC,
    REPLAY_CSI,
    REPLAY_STRING,
    REPLAY_END, /* ESC in a string */
};

struct replay {
    enum replay_state state;
    uint8_t held[REPLAY_HELD]; /* a sequence, until it is complete */
    size_t len;
    bool over;    /* it is longer than that */
    uint8_t more; /* bytes of a character in UTF-8 that are still to come */
    bool c2;      /* of one that may be a control */
};

void replay_init(struct replay *r);

/* Append what of `in` is to be shown to `out`, which needs room for in.len +
 * REPLAY_HELD. Where a sequence ends is not known before it does. */
void replay_feed(struct replay *r, struct view in, struct writer *out);

/* What is held of a sequence that the present completes; init follows. */
struct view replay_rest(const struct replay *r);

#endif
