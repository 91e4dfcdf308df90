/*
 * Who typed how much into one session. An attachment is an operator's program
 * for its whole life, known by 16 random bytes however often its link is made
 * anew; its row tells which byte of its input is wanted next. Rows outlive
 * channels, so a byte that is sent again is known and skipped.
 *
 *     key (16) -> next input offset        WRITERS_MAX rows, the least
 *                                          recently used one is replaced
 *
 * Plain numbers without pointers: the table lies in memory that a keeper and
 * its agents share, and is right at every instruction at which one of them
 * may be killed. All zero is a table without rows.
 */
#ifndef CORE_WRITERS_H
#define CORE_WRITERS_H

#include "base/bytes.h"

#define WRITERS_MAX 16 /* as many as may type at a time */
#define WRITERS_KEY 16

struct writers_row {
    uint8_t key[WRITERS_KEY]; /* all zero: free */
    uint64_t next;            /* offset of the next byte wanted */
    uint64_t used;            /* when, by the table's own count */
};

struct writers {
    uint64_t uses;
    struct writers_row row[WRITERS_MAX];
};

/*
 * The row of `key` (WRITERS_KEY bytes, not all zero): where its next offset
 * is counted, or NULL when the table does not know it (any more). The place
 * is good until the next writers_enter. Counts as a use.
 */
uint64_t *writers_find(struct writers *w, struct view key);

/* The same; a key that is not known gets a row, which begins with `start`. */
uint64_t *writers_enter(struct writers *w, struct view key, uint64_t start);

/* May it stand in a table? */
bool writers_is_key(struct view key);

#endif
