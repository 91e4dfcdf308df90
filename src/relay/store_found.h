/*
 * A token as the SQLite engine finds and makes it; what the questions about
 * tokens and those that grant some share. Private to store_op_tokens.c and
 * store_op_grants.c.
 */
#ifndef RELAY_STORE_FOUND_H
#define RELAY_STORE_FOUND_H

#include "relay/store_query.h"

struct found {
    struct store_who who; /* last_used_ms, expires_ms, ... of the token */
    bool is_member;       /* else who->role means nothing */
    bool disabled;        /* the person */
    int64_t revoked_ms;
    int64_t used_ms;
    char successor_id[UUID_CAP];
    struct store_client client;
    char label[NAME_CAP];
};

/* 1, 0, or negative. */
int store_found_by_hash(struct store_engine *e, const uint8_t hash[STORE_HASH],
                        struct found *out);
int store_found_by_id(struct store_engine *e, const char *fleet_id,
                      const char *id, struct found *out);

/* What is to be made; the text fields live until the insert. */
struct minted {
    const char *fleet_id;
    const char *person_id;
    enum store_token_kind kind;
    const char *id;
    const char *family;
    const char *successor_id;
    const char *label;
    const char *scope;
    const struct store_secret *secret;
    const struct store_client *client;
};

/* OK, ERR_EXISTS, or another error. */
int store_mint(struct store_engine *e, const struct minted *m);

/* May this person have one more token in this fleet: says LIMIT. */
int store_mint_room(struct store_engine *e, const char *fleet_id,
                    const char *person_id, struct store_answer *a);

/* Revoke what is left of a family; how many there were. */
int store_end_family(struct store_engine *e, const char *family,
                     uint32_t *count);

#endif
