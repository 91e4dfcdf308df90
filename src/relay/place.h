/*
 * Where a relay keeps its things, and how machines reach it: the state
 * folder, and in it the address that goes into join strings.
 */
#ifndef RELAY_PLACE_H
#define RELAY_PLACE_H

#include "base/text.h"
#include "core/paths.h"
#include "limits.h"
#include "relay/store.h"

struct place {
    char folder[PATH_CAP];
    struct paths user; /* of who starts it: where sign-ins are kept */
};

/* From --state-dir, or when that is NULL from server.yaml in its usual place,
 * or the environment. Finishes a restore that was interrupted there
 * (relay/backup.h). */
int place_find(struct place *p, const char *state_dir, struct text *why);
/* The same by somebody who has read the configuration. */
int place_at(struct place *p, const char *state_dir, struct text *why);

/* Remember and recall "HOST:PORT". */
int place_save_address(const struct place *p, const char *address,
                       struct text *why);
int place_load_address(const struct place *p, char host[256], uint16_t *port,
                       struct text *why);

/* Who works at the command line here, for the audit record. */
struct store_actor place_actor(void);

#endif
