/*
 * What the verbs on the relay's host share (`cmdop server join-key`, `token`,
 * ...): the relay's folder and its store, opened beside a relay that may be
 * running; and how that relay learns that something was changed.
 */
#ifndef RELAY_HOST_H
#define RELAY_HOST_H

#include "core/credential.h"
#include "relay/keys.h"
#include "relay/place.h"

struct host {
    struct place place;
    struct store store;
    struct store_who owner; /* the relay's first user and fleet */
    struct sign_key relay;
};

/* Open the relay of this folder (NULL: this user's). OK, or a sentence in
 * *why. One at a time. */
int host_open(struct host *h, const char *state_dir, struct text *why);
void host_close(struct host *h);

/* Ask the store and wait. OK with the answer, or a sentence in *why. */
int host_ask(struct host *h, const struct store_ask *q,
             struct store_answer *out, struct text *why);

/* The same for a list, all of it: `row` is called for each; q->row, q->ctx
 * and q->answer are filled in here. */
int host_list(struct host *h, const struct store_ask *q,
              bool (*row)(void *ctx, const union store_row *row), void *ctx,
              struct text *why);

/*
 * A relay that runs on this folder is told to look at its store again: it
 * cuts the links of what was revoked here. OK also when none runs.
 */
int host_tell_relay(const struct host *h, struct text *why);

/* A bearer token, "cmdop_" and 32 random bytes, and what the store gets. */
void host_secret(char token[CREDENTIAL_TOKEN_CAP], struct store_secret *out);

#endif
