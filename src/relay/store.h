/*
 * What the relay remembers: fleets and people, tokens, join keys, machines
 * and the audit record. Asked now, answered as an event: store_ask copies the
 * question into a queue, store_turn does a bounded number of them in one
 * transaction, makes the transaction durable, and only then calls the
 * answers. One engine per binary, chosen by file (store_sqlite*.c;
 * PostgreSQL later); nothing here says which.
 *
 *   store_ask -> [ queue ] -> store_turn: begin, do up to 32, commit
 *                                |
 *                                +-> answer(ctx, tag, a), in the order asked
 *
 * Two kinds of "no". `err` tells that the store could not do its work (disk
 * full, busy, damaged): nothing was changed. `outcome` tells what was found:
 * an unknown token is an outcome, not an error. Beside DONE some outcomes
 * change something too, and say so: PENDING of ENROL, REUSED, QUARANTINED.
 *
 * The questions stand in four headers, each with its input, its outcomes,
 * which field of the answer they fill, and its line in the audit record:
 *
 *   store_people.h    accounts, passwords, second factors, failed sign-ins
 *   store_tokens.h    bearer secrets, and the device codes that become some
 *   store_fleets.h    fleets, members, invitations, access to one machine
 *   store_machines.h  join keys, coming in, leases, links between fleets
 *
 * Every question about a fleet's things carries the fleet; an id alone opens
 * nothing, and what is another fleet's is UNKNOWN. Secrets never come here:
 * they are asked for by SHA-256 of at least 128 random bits, so no salt and
 * no slow hash is needed; passwords come as strings that were made slowly.
 * Random bytes come from the caller, the time from store_turn.
 */
#ifndef RELAY_STORE_H
#define RELAY_STORE_H

#include "relay/store_base.h"
#include "relay/store_fleets.h"
#include "relay/store_machines.h"
#include "relay/store_people.h"
#include "relay/store_tokens.h"

/* The memory an engine wants from store_open: 6 MiB hold the page cache and
 * every statement; more is used for the cache. */
#define STORE_HEAP_BYTES (6 * 1024 * 1024)

/* ---- the questions ---------------------------------------------------------- */

enum store_op {
    STORE_SETUP,

    STORE_PERSON_MAKE,
    STORE_PERSON_BY_LOGIN,
    STORE_PERSON_BY_ID,
    STORE_PERSON_LIST,
    STORE_PERSON_SET,
    STORE_PERSON_SET_PASSWORD,
    STORE_PERSON_SET_TOTP,
    STORE_PERSON_TRIED,
    STORE_PERSON_ENABLE,
    STORE_BACKUP_CODE_USE,

    STORE_TOKEN_MAKE,
    STORE_TOKEN_CHECK,
    STORE_TOKEN_LIST,
    STORE_TOKEN_REVOKE,
    STORE_TOKEN_REVOKE_HASH,
    STORE_TOKEN_REFRESH,
    STORE_DEVICE_MAKE,
    STORE_DEVICE_BY_CODE,
    STORE_DEVICE_DECIDE,
    STORE_DEVICE_POLL,

    STORE_FLEET_MAKE,
    STORE_FLEET_GET,
    STORE_FLEET_LIST,
    STORE_FLEET_SET,
    STORE_FLEET_REMOVE,
    STORE_MEMBER_LIST,
    STORE_MEMBER_SET,
    STORE_MEMBER_REMOVE,
    STORE_MEMBER_USE_FLEET,
    STORE_INVITE_MAKE,
    STORE_INVITE_RENEW,
    STORE_INVITE_LIST,
    STORE_INVITE_CANCEL,
    STORE_INVITE_BY_HASH,
    STORE_INVITE_ACCEPT,
    STORE_INVITE_DECLINE,
    STORE_ACCESS_SET,
    STORE_ACCESS_LIST,
    STORE_ACCESS_OF,

    STORE_JOINKEY_MAKE,
    STORE_JOINKEY_LIST,
    STORE_JOINKEY_REVOKE,
    STORE_ENROL,
    STORE_MACHINE_LOGIN,
    STORE_MACHINE_CONFIRM,
    STORE_MACHINE_SEEN,
    STORE_MACHINE_GET,
    STORE_MACHINE_LIST,
    STORE_MACHINE_STATE,
    STORE_MACHINE_RENAME,
    STORE_MACHINE_LINK,
    STORE_MACHINE_UNLINK,
    STORE_MACHINE_FLEETS,

    STORE_AUDIT,
    STORE_AUDIT_LIST,
    STORE_SWEEP,
    STORE_OP_COUNT
};

/* AUDIT: one line of the record, as it is. */
struct store_audit {
    int64_t at_ms;           /* 0: now */
    char fleet_id[UUID_CAP]; /* may be empty: of the relay itself */
    struct store_actor actor;
    char action[STORE_ACTION_CAP]; /* "token.make" */
    char object[STORE_OBJECT_CAP];
    char outcome[STORE_OUTCOME_CAP];
    char detail[STORE_DETAIL_CAP];
};

/* AUDIT_LIST: a fleet's record, or with an empty fleet the relay's own;
 * newest first; after_ms = the row's id. Rows are struct store_audit_row. */

/*
 * SWEEP. Forgets what is over for STORE_KEEP_MS: tokens and invitations; and
 * device codes, after STORE_KEEP_DEVICE_MS. At most `limit` rows of each, so
 * that it stays short: ask again while it says `more`. DONE (count). Not in
 * the record; a power cut may forget it.
 */
struct store_sweep {
    uint32_t limit; /* 1 or more */
};

/* ---- answers ---------------------------------------------------------------- */

struct store_audit_row {
    int64_t id; /* grows with time */
    struct store_audit line;
};

struct store_answer {
    enum store_op op;
    int err;                    /* OK, or nothing was done: ERR_BUSY (another
                               process holds the database), ERR_NO_SPACE,
                               ERR_DAMAGED, ERR_IO, ERR_LIMIT (memory),
                               ERR_CLOSED (store_close came first) */
    enum store_outcome outcome; /* meaningless unless err is OK */
    uint32_t rows;              /* lists: how many were handed over */
    bool more;                  /* lists, SWEEP: there are further rows */
    union {                     /* which one, the question's comment says */
        struct store_who who;
        struct store_person person;
        struct store_account account;
        struct store_tried tried;
        struct store_ended ended;
        struct store_device device;
        struct store_fleet fleet;
        struct store_member member;
        struct store_invite invite;
        struct store_access_row access;
        struct store_joinkey joinkey;
        struct store_machine machine;
        char id[UUID_CAP]; /* JOINKEY_REVOKE, INVITE_CANCEL: the whole id */
        uint32_t count;    /* BACKUP_CODE_USE, SWEEP */
    } u;
};

/* One row of a list; valid during the call. The member is the list's. */
union store_row {
    struct store_person person;
    struct store_token token;
    struct store_fleet fleet;
    struct store_member member;
    struct store_invite invite;
    struct store_access_row access;
    struct store_joinkey joinkey;
    struct store_machine machine;
    struct store_link link;
    struct store_audit_row audit;
};

/* ---- a question -------------------------------------------------------------- */

/*
 * answer  called once, from store_turn or store_close; *a is valid during
 *         the call. It may ask again (that is queued), but not turn or close.
 * row     called per row of a list, before its answer; false: no more, please
 *         (the answer then says `more`). Lists only; must not ask. Should
 *         the list fail half way, the answer's `err` says so.
 * ctx     must live until the answer; put a generation into `tag` to notice
 *         that its owner is gone meanwhile.
 */
struct store_ask {
    enum store_op op;
    uint32_t tag;
    void *ctx;
    void (*answer)(void *ctx, uint32_t tag, const struct store_answer *a);
    bool (*row)(void *ctx, uint32_t tag, const union store_row *row);
    union {
        struct store_setup setup;

        struct store_person_make person_make;
        struct store_person_by_login person_by_login;
        struct store_person_by_id person_by_id;
        struct store_person_set person_set;
        struct store_person_set_password person_set_password;
        struct store_person_set_totp person_set_totp;
        struct store_person_tried person_tried;
        struct store_person_enable person_enable;
        struct store_backup_code_use backup_code_use;

        struct store_token_make token_make;
        struct store_token_check token_check;
        struct store_token_list token_list;
        struct store_token_revoke token_revoke;
        struct store_token_revoke_hash token_revoke_hash;
        struct store_token_refresh token_refresh;
        struct store_device_make device_make;
        struct store_device_by_code device_by_code;
        struct store_device_decide device_decide;
        struct store_device_poll device_poll;

        struct store_fleet_make fleet_make;
        struct store_fleet_get fleet_get;
        struct store_fleet_list fleet_list;
        struct store_fleet_set fleet_set;
        struct store_fleet_remove fleet_remove;
        struct store_member_set member_set;
        struct store_member_remove member_remove;
        struct store_use_fleet use_fleet;
        struct store_invite_make invite_make;
        struct store_invite_renew invite_renew;
        struct store_invite_by_hash invite_by_hash;
        struct store_invite_answer invite_answer; /* ACCEPT, DECLINE */
        struct store_access_set access_set;
        struct store_access_list access_list;
        struct store_access_of access_of;

        struct store_joinkey_make joinkey_make;
        struct store_enrol enrol;
        struct store_machine_login machine_login;
        struct store_machine_confirm machine_confirm;
        struct store_machine_seen machine_seen;
        struct store_machine_get machine_get;
        struct store_machine_state machine_state;
        struct store_machine_rename machine_rename;
        struct store_machine_link machine_link; /* LINK, UNLINK */
        struct store_machine_fleets machine_fleets;

        struct store_revoke revoke; /* JOINKEY_REVOKE, INVITE_CANCEL */
        struct store_list list;     /* PERSON_, MEMBER_, INVITE_, JOINKEY_,
                                       MACHINE_ and AUDIT_LIST */
        struct store_audit audit;
        struct store_sweep sweep;
    } u;
};

/* ---- the store --------------------------------------------------------------- */

struct store_engine; /* the engine's own; lives in the heap it was given */

struct store {
    struct store_engine *engine; /* NULL: closed */
    char why[STORE_DETAIL_CAP];
    bool turning; /* inside store_turn or store_close */
    /* Hears every answer before who asked it; may ask, as an answer may. NULL:
     * nobody does. Set after store_open. */
    void (*saw)(void *ctx, const struct store_ask *q,
                const struct store_answer *a);
    void *saw_ctx;
    uint32_t head; /* runs freely; queue[head % STORE_QUEUE] */
    uint32_t tail;
    struct store_ask queue[STORE_QUEUE]; /* about 200 KiB */
};

struct store_cfg {
    const char *path; /* the database; its folder is made 0700 if missing */
    struct span heap; /* STORE_HEAP_BYTES or more; the store's until closed */
    uint32_t busy_ms; /* how long a turn may wait while another process
                            writes: the relay 20, a command 5000 */
};

/*
 * Open, make if missing (file 0600), check and bring up to date. Blocks; it
 * runs before the loop starts. One store at a time in a process. On failure
 * the store is closed and store_why says a sentence:
 *   ERR_DAMAGED    not a database, or its pages do not fit together; or
 *                  others may read the file
 *   ERR_VERSION    written by a newer program
 *   ERR_BUSY       another process holds it for longer than busy_ms
 *   ERR_DENIED, ERR_NO_SPACE, ERR_IO, ERR_LIMIT (heap too small)
 */
int store_open(struct store *s, const struct store_cfg *cfg);

/* Answer what is queued with ERR_CLOSED, fold the log into the database,
 * give the heap back. Closing a closed store does nothing. */
void store_close(struct store *s);

bool store_is_open(const struct store *s);

/*
 * Queue a question; it is copied. OK; ERR_FULL when STORE_QUEUE wait;
 * ERR_CLOSED when the store is not open; ERR_RANGE when an input breaks the
 * rules above (an id that is no UUID, an empty or unprintable name), in which
 * case no answer comes. May be called from an answer.
 */
int store_ask(struct store *s, const struct store_ask *ask);

/* Something is queued: store_turn should be called in this turn. */
bool store_pending(const struct store *s);

/*
 * Do up to STORE_BATCH questions (or one list), make them durable together,
 * answer them. `now_ms` is the wall clock. Returns the number answered; or
 * ERR_BUSY when another process is writing: nothing was done, the questions
 * stay queued, come again in some milliseconds. Any other failure reaches
 * the questions as their `err`.
 */
int store_turn(struct store *s, int64_t now_ms);

/*
 * Write all that is kept, as it is at one moment, into a new file (0600) that
 * store_open takes; one that is there is replaced. Others may write
 * meanwhile. Blocks: for the command line. Not synced. OK, or as the errors
 * of an answer, with a sentence in store_why.
 */
int store_copy(struct store *s, const char *path);

/* The last failure, for people; "" if there was none. Lives as long as the
 * store. */
const char *store_why(const struct store *s);

#endif
