/*
 * The words that all questions to the store share: sizes, outcomes, roles,
 * who does it. See store.h, which tells how to ask.
 */
#ifndef RELAY_STORE_BASE_H
#define RELAY_STORE_BASE_H

#include "base/bytes.h"
#include "limits.h"

/* ---- sizes ---------------------------------------------------------------- */

#define STORE_QUEUE       256 /* questions that may wait; a power of two */
#define STORE_BATCH       32  /* questions done in one turn */
#define STORE_HASH        32  /* SHA-256 */
#define STORE_KEY         32  /* Ed25519 public key */
#define STORE_RANDOM      16  /* makes one UUID */
#define STORE_INSTANCE    16  /* names one process of an agent */
#define STORE_SLUG_CAP    32
#define STORE_LOGIN_CAP   64
#define STORE_EMAIL_CAP   128
#define STORE_PASS_CAP    128 /* an Argon2id string with its end */
#define STORE_SEALED_CAP  64  /* a TOTP secret, sealed by the caller */
#define STORE_CODES_MAX   8   /* backup codes of one person */
#define STORE_SCOPE_CAP   160 /* words with a blank between */
#define STORE_PREFIX_CAP  20  /* what a list shows of an API key, by which it */
                              /* is told from others: "cmdop_apikey_" and six */
#define STORE_PREFIX_LEN  12  /* and of other secrets */
#define STORE_CODE_CAP    12  /* a user code */
#define STORE_CLIENT_CAP  64
#define STORE_ADDRESS_CAP 48
#define STORE_NETS_CAP    512 /* "10.0.0.0/8, 2001:db8::/32" */
#define STORE_LABELS_CAP  128
#define STORE_WHY_CAP     160
#define STORE_KIND_CAP    16
#define STORE_ACTOR_CAP   64
#define STORE_ACTION_CAP  32
#define STORE_OBJECT_CAP  64
#define STORE_OUTCOME_CAP 24
#define STORE_DETAIL_CAP  240
#define STORE_PREFIX_MIN  4 /* shortest prefix of an id, for people */

/* Nobody fills the disk: what is beyond these is answered STORE_LIMIT. */
#define STORE_FLEET_MACHINES_MAX 100000 /* at home there, or linked to it */
#define STORE_FLEET_INVITES_MAX  1000   /* that are open */
#define STORE_PERSONS_MAX        10000
#define STORE_PERSON_FLEETS_MAX  64
#define STORE_PERSON_TOKENS_MAX  1000  /* that are good, in one fleet */
#define STORE_FAMILY_TOKENS_MAX  20000 /* used or not: a refresh in 4 minutes */
#define STORE_MACHINE_FLEETS_MAX 16
#define STORE_DEVICES_MAX        4096 /* device codes whose time runs */

/* What STORE_SWEEP waits for before it forgets a token or an invitation that
 * is over, and a device code. */
#define STORE_KEEP_MS        (INT64_C(30) * 24 * 3600 * 1000)
#define STORE_KEEP_DEVICE_MS (INT64_C(3600) * 1000)

/* A token's last use is noted when the noted one is older than this. */
#define STORE_USED_EVERY_MS INT64_C(60000)

/* Failed sign-ins before an account waits, the first wait, which doubles
 * with each further failure, and the longest. */
#define STORE_TRIES       5
#define STORE_LOCK_MS     INT64_C(1000)
#define STORE_LOCK_MS_MAX (INT64_C(15) * 60 * 1000)

/* ---- outcomes --------------------------------------------------------------- */

enum store_outcome {
    STORE_DONE,        /* it is so now; the answer's fields are filled */
    STORE_UNKNOWN,     /* there is no such thing in this fleet */
    STORE_REVOKED,     /* it was withdrawn (revoking twice says this too) */
    STORE_EXPIRED,     /* its time is over */
    STORE_USED_UP,     /* it was used, or decided, before */
    STORE_CONFLICT,    /* what is to be made exists already; or it stands
                          against what is there, as each question says */
    STORE_DISABLED,    /* it is known but may not come in */
    STORE_AMBIGUOUS,   /* several things begin with this prefix */
    STORE_LIMIT,       /* there are as many as may be; see above */
    STORE_PENDING,     /* it waits for a person's decision */
    STORE_SLOW_DOWN,   /* asked again too soon */
    STORE_DENIED,      /* a person said no */
    STORE_REUSED,      /* a refresh token came a second time: its whole
                          family is revoked now */
    STORE_LOCKED,      /* the account waits after failures */
    STORE_LAST_OWNER,  /* a fleet would be left without an owner */
    STORE_QUARANTINED, /* two hold this machine's key */
    STORE_HELD,        /* another process holds the machine; see LOGIN */
    STORE_STRUCK,      /* this key is no longer the machine's */
    STORE_NOT_HOME,    /* the machine is linked here, but its home, which
                          decides this, is another fleet */
};

/* Stable words ("done", "unknown", "used-up", ...). Never NULL; live for
 * ever. The same holds for all store_*_str. */
const char *store_outcome_str(enum store_outcome outcome);

/* ---- who --------------------------------------------------------------------- */

/* The smaller may more. */
enum store_role { STORE_OWNER, STORE_ADMIN, STORE_MEMBER, STORE_VIEWER };

/* "owner", "admin", "member", "viewer"; and back: false for another word. */
const char *store_role_str(enum store_role role);
bool store_role_parse(struct view word, enum store_role *out);

/*
 * Text fields: NUL-terminated UTF-8 without control characters.
 * Times: Unix ms; 0 = never, or not yet. Ids: UUIDs in lower case, 36
 * characters.
 *
 * Who does it, as it shall stand in the audit record. Questions that have
 * one write their audit row themselves, in the same transaction, when they
 * changed something.
 */
struct store_actor {
    char kind[STORE_KIND_CAP];  /* "user", "machine", "cli", "relay", ... */
    char name[STORE_ACTOR_CAP]; /* a user's id, a login name; may be empty */
};

/* A thing to be withdrawn: `id` is a whole id or its first STORE_PREFIX_MIN
 * or more characters. For JOINKEY_REVOKE, INVITE_CANCEL. */
struct store_revoke {
    char fleet_id[UUID_CAP];
    char id[UUID_CAP];
    struct store_actor actor;
};

/*
 * A list. Rows come ordered as the question says; those after the row that
 * `after_*` describes, of which each list names the fields that it reads.
 * Empty starts at the beginning.
 */
struct store_list {
    char fleet_id[UUID_CAP];
    uint32_t limit; /* rows at most; 0: all */
    char after_name[STORE_LOGIN_CAP];
    int64_t after_ms;
    char after_id[UUID_CAP];
};

#endif
