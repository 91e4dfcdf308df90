/*
 * A small agent for tests of core/hold: it adopts the keeper of its one child,
 * or starts it, dictates to it (sim_dictation), reads along, and tells the
 * child's end. All it knows of an earlier life is in the keeper's block, but
 * for one file that says it is done.
 */
#ifndef TESTS_SIM_TYPIST_H
#define TESTS_SIM_TYPIST_H

#include "core/cmd.h"

#define TYPIST_FOLDER "/sim/keep"
#define TYPIST_DONE   "/sim/done"

enum typist_status {
    TYPIST_OK = 0,
    TYPIST_WRONG = 20,   /* the ring is not what the child said */
    TYPIST_LOST = 21,    /* the keeper is gone */
    TYPIST_REFUSED = 22, /* the child does not start */
    TYPIST_ASIDE = 23,   /* it was told to leave (TERM) */
    TYPIST_STUCK = 24,
};

/*
 * typist tty|pipes RING IN OUT -- ARGV: IN bytes are typed, OUT are expected
 * ("-": any number). Prints "exit STATUS", "gap N" for what it could not read
 * any more, or why the child does not start.
 */
extern const struct cmd typist_cmd;

#endif
