/*
 * What signing in needs, apart from how people are shown it: OAuth, throttle,
 * passwords, second factors, and sign-ins that wait for the second factor.
 */
#ifndef RELAY_PEOPLE_H
#define RELAY_PEOPLE_H

#include "crypto/totp.h"
#include "relay/desk.h"
#include "relay/may.h"
#include "relay/oauth.h"
#include "relay/store.h"

#define PEOPLE_HALVES       64 /* sign-ins between password and code */
#define PEOPLE_HALF_MS      (5 * 60 * UINT64_C(1000))
#define PEOPLE_HALF_TRIES   5
#define PEOPLE_SESSION_MS   (INT64_C(12) * 3600 * 1000)
#define PEOPLE_PASSWORD_MIN 12 /* characters, as the product asks */
#define PEOPLE_SECRET_CAP   44 /* 256 bits as base64, and the end */
#define PEOPLE_CODES        STORE_CODES_MAX
#define PEOPLE_CODE_LEN     10 /* of a backup code: 50 bits */
#define PEOPLE_INVITE_RAW   20 /* bytes of an invitation's code */
#define PEOPLE_SEALED_LEN   (24 + TOTP_SECRET_LEN + 16)

/* Somebody who gave the right password and owes a code. */
struct half {
    uint8_t cookie[32]; /* hash of the visitor's cookie; zeros: free */
    uint64_t until_ms;
    uint32_t tries;
    char person_id[UUID_CAP];
    uint8_t password[32]; /* hash of the stored one: with another it is over */
};

/* Is a machine connected? ctx is that of the store's door. */
typedef bool people_online_fn(void *ctx, const char *machine_id);
/* What was set for a person on a machine; false: nothing. */
typedef bool people_access_fn(void *ctx, const char *fleet_id,
                              const char *machine_id, const char *person_id,
                              enum may_access *out);

/* Is there room for one more link of a machine to a fleet? */
typedef bool people_room_fn(void *ctx);

struct people_cfg {
    struct oauth_cfg oauth;
    people_online_fn *online; /* NULL: none is */
    people_access_fn *access; /* NULL: nothing was */
    people_room_fn *room;     /* NULL: there always is */
    const char *name;         /* of this relay, for people */
    const uint8_t *secret;    /* 32 bytes that only this relay has, for good */
};

struct people {
    struct loop *loop;
    struct oauth_cfg ask; /* the store's door, the page's address */
    people_online_fn *online;
    people_access_fn *access;
    people_room_fn *room;
    const char *name;
    struct throttle throttle;
    struct oauth oauth;
    struct desk desk;
    struct half half[PEOPLE_HALVES];
    uint8_t seal_key[32];
};

/* Carve everything; people_bytes at most. */
void people_init(struct people *p, struct arena *a, struct loop *l,
                 const struct people_cfg *cfg);
size_t people_bytes(void);

/* ---- secrets ------------------------------------------------------------- */

/* 256 random bits as 43 characters of base64 for URLs. */
void people_secret(char out[PEOPLE_SECRET_CAP]);

/* A TOTP secret sealed for one purpose, "person:ID", and opened. The sealed
 * form is PEOPLE_SEALED_LEN bytes. OK, or ERR_AUTH. */
void people_seal(const struct people *p, const char *what,
                 const uint8_t secret[TOTP_SECRET_LEN],
                 uint8_t out[PEOPLE_SEALED_LEN]);
int people_unseal(const struct people *p, const char *what, struct view sealed,
                  uint8_t out[TOTP_SECRET_LEN]);

/* Draw a backup code, and what is kept of one that was typed: OK, or
 * ERR_RANGE when it cannot be one. */
void people_backup_code(char out[PEOPLE_CODE_LEN + 1]);
int people_backup_hash(struct view typed, uint8_t out[STORE_HASH]);

/* The same for an invitation's code, 32 characters of base32. */
void people_invite_code(char out[33]);
int people_invite_hash(struct view typed, uint8_t out[STORE_HASH]);

/* Why this is no password that may be set; NULL: it is one. */
const char *people_password_fault(struct view password);

/* Can an account have this login: 1 to 63 printable ASCII characters, no
 * blank among them? */
bool people_is_login(const char *s);

/* Can it be an e-mail address: an @ inside, and no blank? Whether anybody
 * reads what comes there is not known. */
bool people_is_email(const char *s);

/* The address alone, for people and the record. */
void people_address(const struct port_addr *from, char *out, size_t cap);

/* ---- between password and code -------------------------------------------- */

/* Make one for this cookie; the oldest makes room. */
struct half *people_half_make(struct people *p, const uint8_t cookie[32]);
/* It, or NULL: there is none, or it waited too long. */
struct half *people_half_find(struct people *p, const uint8_t cookie[32]);
void people_half_end(struct half *h);

#endif
