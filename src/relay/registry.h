/*
 * Which machines there are, and which connection each is on. A read model in
 * memory: filled from the store at start, kept true by enrolment and login.
 * The fleet is part of every look-up.
 */
#ifndef RELAY_REGISTRY_H
#define RELAY_REGISTRY_H

#include "base/arena.h"
#include "base/text.h"
#include "limits.h"

struct conn;

struct machine {
    char id[UUID_CAP];
    char fleet_id[UUID_CAP];
    char name[NAME_CAP];
    char hostname[NAME_CAP];
    char os[24];
    char os_version[NAME_CAP];
    char architecture[24];
    char agent_version[32];
    uint8_t public_key[32];
    int64_t created_ms;
    int64_t seen_ms;   /* last heartbeat, Unix time; 0 = never */
    struct conn *conn; /* NULL: offline */
};

struct registry {
    struct machine *machines;
    uint32_t count;
    uint32_t cap;
};

void registry_init(struct registry *r, struct arena *a, uint32_t cap);

/* The row of a machine, made when it is new; NULL when the table is full. */
struct machine *registry_put(struct registry *r, const char *id);
struct machine *registry_find(struct registry *r, const char *id);

/*
 * Find a machine of a fleet by what a person typed: UUID; host name or name;
 * or a prefix of one of them (two characters or more), each unique. ".local"
 * at the end of a host name does not matter. A host name is what a machine
 * says of itself, so it is never preferred to another machine's name.
 * Returns OK; ERR_NOT_FOUND; ERR_LIMIT when several match, with their names
 * in *candidates ("web-1, web-2").
 */
int registry_resolve(struct registry *r, const char *fleet_id,
                     const char *target, struct machine **out,
                     struct text *candidates);

#endif
