/*
 * What members may do with single machines, where that was set: a read model
 * in memory, like the registry, so that an Open is decided where it stands.
 * Filled and kept true by relay/follow.h. Few machines have such rows.
 *
 * When more was set than fits, nobody knows what was meant for the rest: then
 * a machine without a row is hidden from those whom settings bind.
 */
#ifndef RELAY_ACCESS_H
#define RELAY_ACCESS_H

#include "base/arena.h"
#include "relay/may.h"
#include "relay/store_fleets.h"

struct access_row {
    char fleet_id[UUID_CAP];
    char machine_id[UUID_CAP];
    char person_id[UUID_CAP];
    uint8_t access; /* enum may_access */
    uint32_t round;
    uint32_t next; /* in its bucket, or of the free ones; 0: the last */
};

struct access {
    struct access_row *rows; /* [0] is not used */
    uint32_t *buckets;
    uint32_t mask;
    uint32_t cap;
    uint32_t count;
    uint32_t free;
    uint32_t fresh; /* those from here on were never used */
    uint32_t round;
    bool lost;   /* more was set than fits */
    bool missed; /* the same, of this round */
};

/* Whose access, to what. */
struct access_key {
    const char *fleet_id;
    const char *machine_id;
    const char *person_id;
};

/* What the store says, as relay/may.h has it. */
enum may_access access_meant(enum store_access access);

/* Bytes of arena for `cap` rows. */
size_t access_bytes(uint32_t cap);
void access_init(struct access *t, struct arena *a, uint32_t cap);

/* It is so from now on; MAY_ACCESS_FULL is to say nothing. */
void access_set(struct access *t, const struct access_key *key,
                enum may_access access);

/* Was anything set? *out is filled then. */
bool access_get(const struct access *t, const struct access_key *key,
                enum may_access *out);

/* Nothing is set any more for these; "" stands for every machine, every
 * person. Looks at all rows. */
void access_forget(struct access *t, const struct access_key *key);

/* All of it is told anew by access_set from here on; then what was not told
 * is forgotten. */
void access_round(struct access *t);
void access_round_over(struct access *t);

#endif
