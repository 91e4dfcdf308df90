/*
 * Who holds a machine's identity: the judgement over one that connects. A pure
 * function of what is remembered (the row), of what the newcomer shows, and of
 * what is known of another link of the same machine. docs/decisions/0018 tells
 * why; relay/claim.c asks the old link and does what is decided.
 *
 * Every agent process has an instance of its own, and an agent that comes back
 * in the same process shows the same one: that is never a copy. Another
 * instance is a new process on the same folder, or a copy of the folder. The
 * epoch, which the folder keeps, tells the two apart as soon as both have been
 * here.
 */
#ifndef RELAY_LEASE_H
#define RELAY_LEASE_H

#include "base/bytes.h"

enum { LEASE_INSTANCE = 16 };

/* How far a newcomer may be ahead of us: a relay whose store was restored from
 * a backup has forgotten some epochs, not millions. */
#define LEASE_LEAP 1000000

/* What the store remembers. */
struct lease_row {
    bool held; /* somebody has it; else it is free for the next */
    uint8_t holder[LEASE_INSTANCE];
    uint64_t epoch; /* the holder's */
    bool confirmed; /* the holder has kept it: it sent a Heartbeat */
    bool first;     /* not confirmed, and nobody held the machine before */
};

/* The machine's other link: one of another instance than the newcomer's. */
enum lease_other {
    LEASE_NO_OTHER, /* there is none, or it did not answer */
    LEASE_UNASKED,  /* there may be one; nobody asked it yet */
    LEASE_ANSWERS,  /* it lives */
};

enum lease_verdict {
    LEASE_PLAIN, /* an agent without leases at a machine that has none */
    LEASE_KEEP,  /* the same holder: nothing changes */
    LEASE_TAKE,  /* it holds from now on, with *epoch */
    LEASE_ASK,   /* another process holds it; find out about its link, and
                    whether it came in after this claim was made, and judge
                    again */
    LEASE_TWO,   /* two live holders: both are shut out */
    LEASE_STALE, /* somebody else has used the key since: the same */
};

/*
 * instance   16 bytes, or none from an agent that knows no leases
 * epoch      what the newcomer's folder holds; 0: nothing
 * next       written with LEASE_TAKE: the epoch to give; with LEASE_KEEP the
 *            one it has; else untouched
 */
enum lease_verdict lease_judge(const struct lease_row *row,
                               struct view instance, uint64_t epoch,
                               enum lease_other other, uint64_t *next);

#endif
