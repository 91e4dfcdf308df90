/*
 * What a tool on a terminal wrote, taken apart: the bytes of the session, and
 * what the tool itself had to say between them. For sessions that say neither
 * "[cmdop:" nor an escape sequence.
 */
#ifndef TESTS_SIM_SCREEN_H
#define TESTS_SIM_SCREEN_H

#include "base/bytes.h"

enum screen_piece {
    SCREEN_END,   /* nothing more, or the start of words that are cut off */
    SCREEN_BYTES, /* of the session */
    SCREEN_GAP,   /* so many bytes of it are not shown */
    SCREEN_WORDS, /* the tool's, of no interest here */
};

struct screen {
    struct view left; /* what is not taken yet */
    struct view bytes;
    uint64_t gap;
};

/* Where the session begins on a screen: behind the greeting. False: nowhere. */
bool screen_init(struct screen *s, struct view all);
enum screen_piece screen_next(struct screen *s);
/* At the end: how much of what is left is a line end, which is the session's
 * if nothing follows. */
size_t screen_tail(const struct screen *s);

#endif
