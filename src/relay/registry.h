/*
 * Which machines there are, which connection each is on, and which fleets see
 * it. A read model in memory: filled from the store at start, kept true by
 * what the store answers later (relay/follow.h). The fleet is part of every
 * look-up.
 *
 * A machine has one home, the fleet it joined, and may be linked to further
 * fleets, whose members can use it too.
 */
#ifndef RELAY_REGISTRY_H
#define RELAY_REGISTRY_H

#include "base/arena.h"
#include "base/text.h"
#include "limits.h"
#include "relay/store.h"

struct conn;

struct machine {
    char id[UUID_CAP];
    char fleet_id[UUID_CAP]; /* its home */
    uint32_t links;          /* to further fleets: the first of them; 0: none */
    char name[NAME_CAP];
    char hostname[NAME_CAP];
    char os[24];
    char os_version[NAME_CAP];
    char architecture[24];
    char agent_version[32];
    uint8_t public_key[32];
    uint32_t key_version;
    enum store_state state;
    char why[STORE_WHY_CAP]; /* it is not active */
    char labels[STORE_LABELS_CAP];
    uint32_t round; /* the walk over the store that saw it last */
    int64_t created_ms;
    int64_t seen_ms;   /* last heartbeat, Unix time; 0 = never */
    struct conn *conn; /* NULL: offline */
    uint64_t
        proven_ms; /* the newest challenge that it answered; loop's clock */
};

struct registry_link {
    char fleet_id[UUID_CAP];
    uint32_t round;
    uint32_t next; /* of this machine, or of the free ones; 0: the last */
};

struct registry {
    struct machine *machines;
    uint32_t count;
    uint32_t cap;
    uint32_t *index;             /* by id: number of the row plus 1, 0: none */
    uint32_t mask;               /* open addressing; rows never go */
    struct registry_link *links; /* as many as machines; [0] is not used */
    uint32_t links_free;
    uint32_t links_fresh; /* those from here on were never used */
    uint32_t round;
};

/* Bytes of arena that a registry takes for each row, and for all. */
#define REGISTRY_ROW_BYTES                           \
    (sizeof(struct machine) + 4 * sizeof(uint32_t) + \
     sizeof(struct registry_link))
#define REGISTRY_BYTES (1024 * sizeof(uint32_t) + 1024)

void registry_init(struct registry *r, struct arena *a, uint32_t cap);

/* The row of a machine, made when it is new; NULL when the table is full.
 * Both cost the same however many there are. */
struct machine *registry_put(struct registry *r, const char *id);
struct machine *registry_find(struct registry *r, const char *id);

/* Does the fleet see this machine: is it its home, or linked? An empty id is
 * no fleet. */
bool registry_sees(const struct registry *r, const char *fleet_id,
                   const struct machine *m);

/* Link it to one more fleet, or no longer. Linking twice is linking once. OK,
 * or ERR_FULL. */
int registry_link(struct registry *r, struct machine *m, const char *fleet_id);
/* Is there room for one link more? */
bool registry_room(const struct registry *r);
void registry_unlink(struct registry *r, struct machine *m,
                     const char *fleet_id);

/*
 * All machines and links are put anew from here on; then those that were not
 * are no fleet's any more. `gone` is told: of a machine with "", of a link
 * with the fleet that it led to.
 */
typedef void registry_gone(void *ctx, struct machine *m, const char *fleet_id);
void registry_round(struct registry *r);
void registry_round_over(struct registry *r, registry_gone *gone, void *ctx);

/* May whoever asks know of this machine? */
typedef bool registry_shown(void *ctx, const struct machine *m);

/*
 * Find a machine of a fleet by what a person typed: UUID; host name or name;
 * or a prefix of one of them (two characters or more), each unique. ".local"
 * at the end of a host name does not matter. A host name is what a machine
 * says of itself, so it is never preferred to another machine's name. One
 * that is not shown is not there. `shown` may be NULL: all are.
 * Returns OK; ERR_NOT_FOUND; ERR_LIMIT when several match, with their names
 * in *candidates ("web-1, web-2").
 */
int registry_resolve(struct registry *r, const char *fleet_id,
                     const char *target, registry_shown *shown, void *ctx,
                     struct machine **out, struct text *candidates);

#endif
