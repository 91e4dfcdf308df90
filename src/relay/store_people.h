/*
 * Questions about people: accounts, passwords, second factors, failed
 * sign-ins. A person is no fleet's: these name the person, and who may ask
 * them about whom is decided before (relay/may.h). Secrets come hashed or
 * sealed; nothing here can be shown to anybody.
 */
#ifndef RELAY_STORE_PEOPLE_H
#define RELAY_STORE_PEOPLE_H

#include "relay/store_base.h"

/* ---- inputs -------------------------------------------------------------- */

/*
 * PERSON_MAKE. A new account, and its membership in a fleet: the named one,
 * or that of the invitation, which is used up by it. Capital ASCII letters
 * of `login` and `email` are made small. DONE (person), CONFLICT (the login
 * or the address is another account's), UNKNOWN (no such fleet, or no such
 * invitation), LIMIT; of the invitation also EXPIRED, REVOKED, USED_UP,
 * DENIED. Audited as "person.make".
 */
struct store_person_make {
    char fleet_id[UUID_CAP];       /* empty: of the invitation, or none */
    enum store_role role;          /* in that fleet */
    char login[STORE_LOGIN_CAP];   /* printable ASCII without blanks */
    char name[NAME_CAP];           /* for people; not empty */
    char email[STORE_EMAIL_CAP];   /* may be empty */
    char password[STORE_PASS_CAP]; /* Argon2id string; empty: none, so there
                                      is no sign-in with a password */
    bool invited;                  /* `invite_hash` holds */
    uint8_t invite_hash[STORE_HASH];
    uint8_t random[STORE_RANDOM];
    struct store_actor actor;
};

/* PERSON_BY_LOGIN (capitals as above). DONE (account), UNKNOWN, DISABLED
 * (account). LOCKED is not told here: see locked_until_ms. */
struct store_person_by_login {
    char login[STORE_LOGIN_CAP];
};

/* PERSON_BY_ID. DONE (account), UNKNOWN, DISABLED (account). */
struct store_person_by_id {
    char person_id[UUID_CAP];
};

/* PERSON_LIST takes a struct store_list without a fleet: all accounts of
 * this relay, for its own command line. By login; after_name = login. */

/*
 * PERSON_SET. What people call the account, and its address; nothing that is
 * signed in ends. DONE (person: as it is now; nothing is written when it is
 * so already), UNKNOWN, CONFLICT (the address is another account's). Audited
 * as "person.set", with what it was before.
 */
struct store_person_set {
    char person_id[UUID_CAP];
    char name[NAME_CAP];         /* empty: stays as it is */
    bool has_email;              /* `email` holds */
    char email[STORE_EMAIL_CAP]; /* capital letters made small; empty: none
                                    any more */
    struct store_actor actor;
};

/*
 * PERSON_SET_PASSWORD. Ends all of the person's web, access and refresh
 * tokens but `keep_token_id` and its family, and denies the device codes that
 * the person approved and nobody has fetched; clears failures. DONE (ended:
 * person_id, count), UNKNOWN. Audited as "person.password".
 */
struct store_person_set_password {
    char person_id[UUID_CAP];
    char password[STORE_PASS_CAP]; /* empty: none any more */
    char keep_token_id[UUID_CAP];  /* may be empty */
    struct store_actor actor;
};

/*
 * PERSON_SET_TOTP. Sets or, with sealed_len 0, takes away the second factor;
 * either way the backup codes become those given. DONE, UNKNOWN. Audited as
 * "person.totp" ("on" or "off").
 */
struct store_person_set_totp {
    char person_id[UUID_CAP];
    uint8_t sealed[STORE_SEALED_CAP];
    uint32_t sealed_len; /* 0: no second factor */
    int64_t step;        /* with which it was proven: this one is used */
    uint32_t codes;      /* how many backup codes follow */
    uint8_t code_hash[STORE_CODES_MAX][STORE_HASH];
    struct store_actor actor;
};

/*
 * PERSON_TRIED. A sign-in was tried with all that it needs.
 *   ok      failures are forgotten; `step`, unless 0, becomes the last one
 *           used. CONFLICT: it is not newer than the last, so somebody used
 *           this code before; and that counts as a failure.
 *           LOCKED: other failures came first and the account waits; this
 *           success is none (many guesses at the same time).
 *   not ok  one failure more; from the STORE_TRIES-th on the account waits.
 * DONE, CONFLICT, LOCKED (tried); UNKNOWN, DISABLED. Audited as
 * "person.sign-in", failures from the STORE_TRIES-th on.
 */
struct store_person_tried {
    char person_id[UUID_CAP];
    bool ok;
    int64_t step; /* of the TOTP code; 0: none was used */
    char address[STORE_ADDRESS_CAP];
    struct store_actor actor;
};

/* BACKUP_CODE_USE. DONE (count: codes left), UNKNOWN (no such code),
 * USED_UP. Before PERSON_TRIED. Audited as "person.backup-code". */
struct store_backup_code_use {
    char person_id[UUID_CAP];
    uint8_t hash[STORE_HASH];
    struct store_actor actor;
};

/*
 * PERSON_ENABLE. Shutting an account out also ends its web, access and
 * refresh tokens and approved device codes; its others answer DISABLED meanwhile. DONE (ended),
 * UNKNOWN, LAST_OWNER (a team fleet has no other owner who may come in).
 * Audited as "person.disable", "person.enable".
 */
struct store_person_enable {
    char person_id[UUID_CAP];
    bool enabled;
    struct store_actor actor;
};

/* ---- answers ---------------------------------------------------------------- */

/* PERSON_MAKE, PERSON_SET, a row of PERSON_LIST. */
struct store_person {
    char id[UUID_CAP];
    char login[STORE_LOGIN_CAP];
    char name[NAME_CAP];
    char email[STORE_EMAIL_CAP];
    bool has_password;
    bool has_totp;
    int64_t created_ms;
    int64_t disabled_ms;
    int64_t locked_until_ms;
    char fleet_id[UUID_CAP]; /* PERSON_MAKE: where it is a member; or empty */
};

/* PERSON_BY_LOGIN, PERSON_BY_ID. */
struct store_account {
    struct store_person person;
    char password[STORE_PASS_CAP]; /* empty: none */
    uint8_t sealed[STORE_SEALED_CAP];
    uint32_t sealed_len; /* 0: no second factor */
    int64_t step;        /* the last one used */
    uint32_t codes;      /* backup codes left */
    uint32_t failures;   /* since the last success */
    /* Where a session begins: the fleet this person joined first; empty
     * when there is none. */
    char fleet_id[UUID_CAP];
    char fleet_name[NAME_CAP];
    enum store_role role;
    bool mfa_required; /* by that fleet */
};

/* PERSON_TRIED. */
struct store_tried {
    uint32_t failures;
    int64_t locked_until_ms; /* 0: not locked */
};

#endif
