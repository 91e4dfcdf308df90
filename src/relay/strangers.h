/*
 * How many connections each address has that nobody was let in on yet. An
 * address has a budget of them, so that one place cannot take all of the
 * relay; counting costs the same however many there are.
 *
 * Addresses are told apart as networks are handed out: an IPv4 host, an IPv6
 * network of 64 bits.
 */
#ifndef RELAY_STRANGERS_H
#define RELAY_STRANGERS_H

#include "base/arena.h"
#include "port/port.h"

struct stranger_place {
    uint8_t net[16];
    uint32_t count; /* connections; 0: free */
    uint32_t next;  /* in its bucket, or of the free ones; 0: the last */
};

struct strangers {
    uint8_t key[16];               /* so that nobody can choose a bucket */
    struct stranger_place *places; /* [0] is never used */
    uint32_t *buckets;
    uint32_t mask;
    uint32_t free;
    uint32_t fresh; /* those from here on were never used */
};

/* For `max` connections at most. The key is random. */
void strangers_init(struct strangers *s, struct arena *a, uint32_t max,
                    const uint8_t key[16]);

/* One more from this address; the number is for strangers_leave. */
uint32_t strangers_enter(struct strangers *s, const struct port_addr *from);

/* It was let in, or is gone. 0 does nothing. */
void strangers_leave(struct strangers *s, uint32_t place);

/* How many there are from this address. */
uint32_t strangers_count(const struct strangers *s,
                         const struct port_addr *from);

#endif
