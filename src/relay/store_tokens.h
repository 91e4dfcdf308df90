/*
 * Questions about bearer secrets, and about device codes, which become some
 * (RFC 8628). A secret is asked for by its SHA-256, of at least 128 random
 * bits.
 *
 * One sign-in is a family: its access and refresh tokens, each made by the
 * refresh token before (RFC 9700, 4.14.2). A family ends as a whole. Tokens
 * of other kinds are families of their own; `family` then is the token's id,
 * so it always tells what a stream that was opened with a token belongs to.
 */
#ifndef RELAY_STORE_TOKENS_H
#define RELAY_STORE_TOKENS_H

#include "relay/store_base.h"
#include "relay/store_fleets.h"

/* The value is the bit of `kinds` in a list. */
enum store_token_kind {
    STORE_CLI,     /* minted on the relay's host, for one fleet */
    STORE_ACCESS,  /* of a sign-in by device flow; short-lived */
    STORE_REFRESH, /* beside it: makes the next two, is no credential */
    STORE_WEB,     /* a browser's session */
    STORE_APIKEY,  /* for programs; with scopes, for one fleet */
};

/* "cli", "access", "refresh", "web", "apikey". */
const char *store_token_kind_str(enum store_token_kind kind);

/* What a client said of itself, and whence it came; cleaned by the store. */
struct store_client {
    char name[STORE_CLIENT_CAP];
    char host[STORE_CLIENT_CAP];
    char platform[32];
    char version[32];
    char address[STORE_ADDRESS_CAP];
};

/* A secret to be made. */
struct store_secret {
    uint8_t hash[STORE_HASH];
    char prefix[STORE_PREFIX_CAP]; /* its first characters; may be empty */
    int64_t expires_ms;            /* 0: never */
    uint8_t random[STORE_RANDOM];  /* makes its id */
};

/* ---- inputs: tokens --------------------------------------------------------- */

/* TOKEN_MAKE. Speaks for one user in one fleet. DONE (who), UNKNOWN (the
 * user is not a member of it), CONFLICT (hash or id is there), DISABLED
 * (the user), DENIED (the password is another by now), LIMIT. Audited as
 * "token.make". */
struct store_token_make {
    char fleet_id[UUID_CAP];
    char user_id[UUID_CAP];
    char password[STORE_PASS_CAP]; /* the stored one that was found right;
                                      empty: none was asked for */
    enum store_token_kind kind;
    char family[UUID_CAP];       /* of an earlier token; empty: a new one */
    char label[NAME_CAP];        /* may be empty */
    char scope[STORE_SCOPE_CAP]; /* may be empty */
    struct store_secret secret;
    struct store_client client;
    struct store_actor actor;
};

/*
 * TOKEN_CHECK. Whose it is, and what that person is in the fleet now. DONE,
 * UNKNOWN, REVOKED, EXPIRED, DISABLED (the person); all but UNKNOWN fill
 * `who`. A refresh token is UNKNOWN here: it opens nothing. A read; the time
 * of use is noted beside it, within STORE_USED_EVERY_MS, and a power cut may
 * forget it.
 */
struct store_token_check {
    uint8_t hash[STORE_HASH];
};

/*
 * TOKEN_LIST. By time of making; after_ms = created_ms, after_id. A fleet's
 * tokens, or one person's in it, or with an empty fleet all of one person's.
 * Not both may be empty.
 */
struct store_token_list {
    struct store_list list;
    char person_id[UUID_CAP];
    uint32_t kinds; /* 1 << kind, ...; 0: every kind */
    bool good;      /* only those that are not over, used or revoked */
};

/*
 * TOKEN_REVOKE. One token, by id or prefix as in struct store_revoke, and
 * with it its family. With person_id only that person's; the fleet may be
 * empty then. DONE (ended), UNKNOWN, AMBIGUOUS, REVOKED (ended: id and whose
 * it was). Audited as "token.revoke".
 */
struct store_token_revoke {
    char fleet_id[UUID_CAP];
    char person_id[UUID_CAP];
    char id[UUID_CAP];
    struct store_actor actor;
};

/* TOKEN_REVOKE_HASH: the holder gives it back (RFC 7009), any kind. As
 * TOKEN_REVOKE; audited as done by the token's own user. */
struct store_token_revoke_hash {
    uint8_t hash[STORE_HASH];
};

/*
 * TOKEN_REFRESH. The next access and refresh token for a refresh token,
 * which is used by that; same user, fleet and scope.
 *   DONE      who: of the new access token
 *   UNKNOWN   no such refresh token
 *   EXPIRED, DISABLED (the person)
 *   REVOKED   also when the family has as many tokens as one may: all are
 *             kept until they are over, to know one that comes again
 *   REUSED    it was used before: its family is revoked (ended). But while
 *             the refresh token that it made was never used the answer may
 *             have been lost: then those two are replaced, and it is DONE.
 * Audited: REUSED, as "token.reused". CONFLICT: one of the new hashes is
 * there already.
 */
struct store_token_refresh {
    uint8_t hash[STORE_HASH];
    struct store_secret access;
    struct store_secret refresh;
    char address[STORE_ADDRESS_CAP];
};

/* MEMBER_USE_FLEET. Moves a token and its family to another fleet of the
 * same person. DONE (who: there), UNKNOWN (no such token that is good, or
 * the person is no member there), CONFLICT (an API key stays where it is).
 * Audited in both as "token.move". */
struct store_use_fleet {
    char fleet_id[UUID_CAP]; /* the token's now */
    char token_id[UUID_CAP];
    char person_id[UUID_CAP];
    char to_fleet_id[UUID_CAP];
    struct store_actor actor;
};

/* ---- inputs: device codes ----------------------------------------------------- */

/* DEVICE_MAKE. Somebody wants to sign in. DONE, CONFLICT (draw another
 * code), LIMIT. No line in the record, for strangers may ask this, and a
 * power cut may forget it. */
struct store_device_make {
    uint8_t hash[STORE_HASH];       /* of the device code */
    char user_code[STORE_CODE_CAP]; /* as it is compared: no hyphen */
    char scope[STORE_SCOPE_CAP];
    int64_t expires_ms;
    struct store_client client;
};

/* DEVICE_BY_CODE. DONE (device), UNKNOWN, EXPIRED, USED_UP (it was decided:
 * device.state tells how). */
struct store_device_by_code {
    char user_code[STORE_CODE_CAP];
};

/* DEVICE_DECIDE. DONE (device), UNKNOWN (no such code; or the person is no
 * member of this fleet), EXPIRED, USED_UP, DISABLED (the person). Audited as
 * "device.approve", "device.deny". */
struct store_device_decide {
    char fleet_id[UUID_CAP]; /* may be empty to deny */
    char person_id[UUID_CAP];
    char user_code[STORE_CODE_CAP];
    bool approve;
    struct store_actor actor;
};

/*
 * DEVICE_POLL. DONE (who: of the access token; both tokens are made, and the
 * code is used up), PENDING, SLOW_DOWN (less than interval_ms after the last
 * time), DENIED, EXPIRED, USED_UP, UNKNOWN (also when the person is no
 * longer a member), DISABLED, CONFLICT (a new hash is there), LIMIT.
 * DONE is audited as "token.make".
 */
struct store_device_poll {
    uint8_t hash[STORE_HASH];
    int64_t interval_ms;
    struct store_secret access;
    struct store_secret refresh;
};

/* ---- answers ----------------------------------------------------------------- */

/* SETUP, TOKEN_MAKE, TOKEN_REFRESH, DEVICE_POLL, MEMBER_USE_FLEET (token_id,
 * family, kind: of the token made or moved), TOKEN_CHECK. */
struct store_who {
    char token_id[UUID_CAP];
    char family[UUID_CAP];
    enum store_token_kind kind;
    char scope[STORE_SCOPE_CAP];
    char user_id[UUID_CAP];
    char user_name[NAME_CAP];
    char login[STORE_LOGIN_CAP];
    char email[STORE_EMAIL_CAP];
    bool has_totp;
    char fleet_id[UUID_CAP];
    char fleet_name[NAME_CAP];
    enum store_role role;
    struct store_policy policy; /* of the fleet */
    int64_t created_ms;
    int64_t expires_ms;
    int64_t last_used_ms; /* before now */
    bool created;         /* SETUP: made now, not found */
};

/* A row of TOKEN_LIST. */
struct store_token {
    char id[UUID_CAP];
    char family[UUID_CAP];
    char fleet_id[UUID_CAP];
    char person_id[UUID_CAP];
    char login[STORE_LOGIN_CAP];
    enum store_token_kind kind;
    char label[NAME_CAP];
    char scope[STORE_SCOPE_CAP];
    char prefix[STORE_PREFIX_CAP];
    struct store_client client;
    int64_t created_ms;
    int64_t expires_ms;
    int64_t revoked_ms;
    int64_t used_ms; /* refresh tokens: made their successors */
    int64_t last_used_ms;
};

/* What was ended: streams of this family, or of this person, are to be cut.
 * TOKEN_REVOKE*, PERSON_SET_PASSWORD, PERSON_ENABLE, MEMBER_REMOVE,
 * FLEET_REMOVE, and TOKEN_REFRESH that says REUSED. */
struct store_ended {
    char id[UUID_CAP];        /* of one token: its whole id */
    char family[UUID_CAP];    /* empty: all of the person's, or fleet's */
    char person_id[UUID_CAP]; /* empty: everybody's in the fleet */
    char fleet_id[UUID_CAP];  /* empty: in every fleet */
    uint32_t count;           /* tokens ended now */
};

enum store_device_state {
    STORE_DEVICE_PENDING,
    STORE_DEVICE_APPROVED,
    STORE_DEVICE_DENIED,
    STORE_DEVICE_USED, /* its tokens were made */
};

/* DEVICE_BY_CODE, DEVICE_DECIDE. */
struct store_device {
    char user_code[STORE_CODE_CAP];
    char scope[STORE_SCOPE_CAP];
    struct store_client client;
    enum store_device_state state;
    int64_t created_ms;
    int64_t expires_ms;
};

#endif
