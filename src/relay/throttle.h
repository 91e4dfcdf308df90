/*
 * How often a stranger may try: failures by address, by session, by whatever
 * tells one guesser from another. A kind of try has some for nothing; each
 * failure beyond makes the next one wait, twice as long each time. Accounts
 * have the same beside this, in the store, where it survives a restart.
 *
 * One table of fixed size for all: a key goes to one of the few rows that its
 * hash names, and the row that was quiet for longest makes room. The hash has
 * a secret, so that nobody can choose whose row he displaces.
 *
 * Time is an argument: the monotonic clock, which no wall clock's jump moves.
 */
#ifndef RELAY_THROTTLE_H
#define RELAY_THROTTLE_H

#include "base/arena.h"
#include "port/port.h"

enum throttle_kind {
    THROTTLE_SIGN_IN, /* a wrong password or code; by address */
    THROTTLE_NOBODY,  /* the same; by a login that nobody has, as accounts do */
    THROTTLE_CODE,    /* a user code that is none; by address, by session */
    THROTTLE_INVITE,  /* an invitation that is none; by address */
    THROTTLE_DEVICE,  /* device codes that were asked for; by address */
    THROTTLE_KINDS
};

#define THROTTLE_ROWS 2048 /* a power of two */

struct throttle_row {
    uint8_t key[16];   /* of a hash; zeros: free */
    uint64_t last_ms;  /* the last failure */
    uint64_t until_ms; /* no try before */
    uint32_t failures;
};

struct throttle {
    struct throttle_row *row; /* THROTTLE_ROWS of them */
    uint8_t secret[32];
};

/* Carve the rows. `secret`: 32 random bytes. */
void throttle_init(struct throttle *t, struct arena *a,
                   const uint8_t secret[32]);

/* How long until this one may try again, ms; 0: now. */
uint64_t throttle_wait(const struct throttle *t, enum throttle_kind kind,
                       struct view who, uint64_t now_ms);

/* It failed. */
void throttle_fail(struct throttle *t, enum throttle_kind kind, struct view who,
                   uint64_t now_ms);

/* It succeeded: its failures are forgotten. */
void throttle_clear(struct throttle *t, enum throttle_kind kind,
                    struct view who);

/* An address as networks hand them out: an IPv4 host, an IPv6 network of 64
 * bits. A view into *a. */
struct view throttle_place(const struct port_addr *a);

#endif
