/*
 * What the keyboard means to us and not to the shell: Ctrl-D detaches; after
 * a line end, "~." detaches, "~t" takes control, "~r" gives it back, "~?" helps
 * and "~~" is a tilde. Pure: bytes in, bytes for the shell out.
 */
#ifndef CLI_ESCAPE_H
#define CLI_ESCAPE_H

#include "base/bytes.h"

enum escape_event {
    ESCAPE_NONE,
    ESCAPE_DETACH,
    ESCAPE_TAKE,
    ESCAPE_GIVE,
    ESCAPE_HELP
};

struct escape {
    bool line_start; /* the last key was a line end, or none came yet */
    bool tilde;      /* a tilde at a line's start waits for its second key */
};

void escape_init(struct escape *e);

/*
 * Take keys off the front of *in, append what the shell gets to `out`; stops
 * behind the key that is an event. `out` needs room for in->len + 1.
 */
enum escape_event escape_feed(struct escape *e, struct view *in,
                              struct writer *out);

#endif
