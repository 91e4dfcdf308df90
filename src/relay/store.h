/*
 * What the relay remembers: fleets, users, tokens, join keys, machines and
 * the audit record. Asked now, answered as an event: store_ask copies the
 * question into a queue, store_turn does a bounded number of them in one
 * transaction, makes the transaction durable, and only then calls the
 * answers. One engine per binary, chosen by file (store_sqlite.c; PostgreSQL
 * later); nothing here says which.
 *
 *   store_ask -> [ queue ] -> store_turn: begin, do up to 32, commit
 *                                |
 *                                +-> answer(ctx, tag, a), in the order asked
 *
 * Two kinds of "no". `err` tells that the store could not do its work (disk
 * full, busy, damaged): nothing was changed. `outcome` tells what was found:
 * an unknown token is an outcome, not an error.
 *
 * Every question about a fleet's things carries the fleet; an id alone opens
 * nothing. Secrets never come here: tokens and join keys are asked for by
 * SHA-256 of at least 128 random bits, so no salt and no slow hash is needed.
 * Random bytes come from the caller, the time from store_turn.
 */
#ifndef RELAY_STORE_H
#define RELAY_STORE_H

#include "base/bytes.h"
#include "limits.h"

/* ---- sizes ---------------------------------------------------------------- */

#define STORE_QUEUE              256 /* questions that may wait; a power of two */
#define STORE_BATCH              32 /* questions done in one turn */
#define STORE_HASH               32 /* SHA-256 */
#define STORE_KEY                32 /* Ed25519 public key */
#define STORE_RANDOM             16 /* makes one UUID */
#define STORE_SLUG_CAP           32
#define STORE_KIND_CAP           16
#define STORE_ACTOR_CAP          64
#define STORE_ACTION_CAP         32
#define STORE_OBJECT_CAP         64
#define STORE_OUTCOME_CAP        24
#define STORE_DETAIL_CAP         240
#define STORE_PREFIX_MIN         4 /* shortest prefix of an id, for people */
#define STORE_FLEET_MACHINES_MAX 100000 /* a join key cannot fill the disk */

/* The memory an engine wants from store_open: 4 MiB hold the page cache and
 * every statement; more is used for the cache. */
#define STORE_HEAP_BYTES (4 * 1024 * 1024)

/* ---- vocabulary ------------------------------------------------------------ */

enum store_op {
    STORE_SETUP,
    STORE_TOKEN_MAKE,
    STORE_TOKEN_CHECK,
    STORE_TOKEN_REVOKE,
    STORE_JOINKEY_MAKE,
    STORE_JOINKEY_LIST,
    STORE_JOINKEY_REVOKE,
    STORE_ENROL,
    STORE_MACHINE_LOGIN,
    STORE_MACHINE_SEEN,
    STORE_MACHINE_LIST,
    STORE_MACHINE_ENABLE,
    STORE_AUDIT,
};

enum store_outcome {
    STORE_DONE,      /* it is so now; the answer's fields are filled */
    STORE_UNKNOWN,   /* there is no such thing in this fleet */
    STORE_REVOKED,   /* it was withdrawn (revoking twice says this too) */
    STORE_EXPIRED,   /* its time is over */
    STORE_USED_UP,   /* a join key has no uses left */
    STORE_CONFLICT,  /* the machine's key belongs to another fleet; or a
                        hash or id to be made exists already */
    STORE_DISABLED,  /* the machine is known but may not come in */
    STORE_AMBIGUOUS, /* several things begin with this prefix */
    STORE_LIMIT,     /* the fleet holds STORE_FLEET_MACHINES_MAX machines */
};

enum store_role { STORE_OWNER, STORE_ADMIN, STORE_MEMBER, STORE_VIEWER };

/* "owner", "admin", "member", "viewer"; and stable words for outcomes
 * ("done", "unknown", ...). Never NULL; live for ever. */
const char *store_role_str(enum store_role role);
const char *store_outcome_str(enum store_outcome outcome);

/* Text fields below: NUL-terminated UTF-8 without control characters.
 * Times: Unix ms; 0 = never. Ids: UUIDs in lower case, 36 characters. */

/* What a machine says about itself; cleaned by the store (text_safe) and cut
 * to the field. Any may be empty. The caps are those of proto Facts. */
struct store_facts {
    char hostname[64];
    char os[24];
    char os_version[64];
    char architecture[24];
    char agent_version[32];
};

/* ---- inputs, by operation --------------------------------------------------- */

/* Who does it, as it shall stand in the audit record. Operations that have
 * one write their audit row themselves, in the same transaction, when they
 * changed something. */
struct store_actor {
    char kind[STORE_KIND_CAP];  /* "user", "machine", "cli", "relay", ... */
    char name[STORE_ACTOR_CAP]; /* a user's id, a login name; may be empty */
};

/* First start: make fleet (slug "home"), owner and membership; or find them
 * as they are. The random bytes make the fleet's and the user's id. */
struct store_setup {
    char fleet_name[NAME_CAP];
    char user_name[NAME_CAP];
    uint8_t random[2 * STORE_RANDOM];
};

/* A token speaks for one user in one fleet; STORE_UNKNOWN when that user is
 * not a member of it. */
struct store_token_make {
    char fleet_id[UUID_CAP];
    char user_id[UUID_CAP];
    char label[NAME_CAP];
    uint8_t hash[STORE_HASH];
    int64_t expires_ms;
    uint8_t random[STORE_RANDOM];
    struct store_actor actor;
};

struct store_token_check {
    uint8_t hash[STORE_HASH];
};

/* `id` is a whole id or its first STORE_PREFIX_MIN or more characters; for
 * TOKEN_REVOKE and JOINKEY_REVOKE. */
struct store_revoke {
    char fleet_id[UUID_CAP];
    char id[UUID_CAP];
    struct store_actor actor;
};

struct store_joinkey_make {
    char fleet_id[UUID_CAP];
    char label[NAME_CAP]; /* may be empty */
    uint8_t hash[STORE_HASH];
    uint32_t uses_max; /* 0: no limit */
    int64_t expires_ms;
    uint8_t random[STORE_RANDOM];
    struct store_actor actor;
};

/* For JOINKEY_LIST and MACHINE_LIST. Rows come ordered (join keys by time of
 * making, machines by name, then by id), those after the row that `after_*`
 * describes; empty starts at the beginning. */
struct store_list {
    char fleet_id[UUID_CAP];
    uint32_t limit;            /* rows at most; 0: all */
    char after_name[NAME_CAP]; /* machines */
    int64_t after_ms;          /* join keys: created_ms */
    char after_id[UUID_CAP];   /* both */
};

/*
 * Let a machine in. In one step: the join key is checked (STORE_UNKNOWN,
 * REVOKED, EXPIRED, USED_UP), its use counted, the machine made. A public
 * key that the same fleet knows gets its old id, new name and facts, and
 * counts a use. STORE_CONFLICT: another fleet has this public key.
 * STORE_DISABLED: the machine was shut out; a join key does not help.
 * Whatever is refused counts no use. Audited as "machine.enrol" by the
 * actor of kind "join-key", its name the key's id.
 */
struct store_enrol {
    uint8_t join_hash[STORE_HASH];
    uint8_t public_key[STORE_KEY];
    char name[NAME_CAP]; /* not empty */
    struct store_facts facts;
    uint8_t random[STORE_RANDOM];
};

/* STORE_UNKNOWN: no such key, it must enrol. STORE_DISABLED: it may not come
 * in (the answer still names it). Changes nothing: see MACHINE_SEEN. */
struct store_machine_login {
    uint8_t public_key[STORE_KEY];
};

/* Last seen = now, and what the machine says of itself. Not worth an fsync:
 * a power cut may forget it. */
struct store_machine_seen {
    char fleet_id[UUID_CAP];
    char machine_id[UUID_CAP];
    struct store_facts facts;
};

/* Shut a machine out, or let it in again; the answer names it. Links it has
 * are the caller's to cut. */
struct store_machine_enable {
    char fleet_id[UUID_CAP];
    char machine_id[UUID_CAP];
    bool enabled;
    struct store_actor actor;
};

/* One line of the record, as it is. at_ms 0: now. */
struct store_audit {
    int64_t at_ms;
    char fleet_id[UUID_CAP]; /* may be empty: of the relay itself */
    struct store_actor actor;
    char action[STORE_ACTION_CAP]; /* "token.make" */
    char object[STORE_OBJECT_CAP];
    char outcome[STORE_OUTCOME_CAP];
    char detail[STORE_DETAIL_CAP];
};

/* ---- answers --------------------------------------------------------------- */

/* SETUP, TOKEN_MAKE (id = the token's), TOKEN_CHECK (all of it). With
 * STORE_REVOKED and STORE_EXPIRED a check still tells whose it was. */
struct store_who {
    char token_id[UUID_CAP];
    char user_id[UUID_CAP];
    char user_name[NAME_CAP];
    char fleet_id[UUID_CAP];
    char fleet_name[NAME_CAP];
    enum store_role role;
    int64_t expires_ms;
    bool created; /* SETUP: made now, not found */
};

/* JOINKEY_MAKE (id), a row of JOINKEY_LIST. */
struct store_joinkey {
    char id[UUID_CAP];
    char label[NAME_CAP];
    uint32_t uses_max;
    uint32_t uses;
    int64_t created_ms;
    int64_t expires_ms;
    int64_t revoked_ms;
};

/* ENROL, MACHINE_LOGIN, MACHINE_ENABLE, a row of MACHINE_LIST. */
struct store_machine {
    char id[UUID_CAP];
    char fleet_id[UUID_CAP];
    char name[NAME_CAP];
    struct store_facts facts;
    int64_t last_seen_ms;
    int64_t created_ms;
    uint8_t public_key[STORE_KEY];
    bool enabled;
    bool created; /* ENROL: made now, not known before */
};

struct store_answer {
    enum store_op op;
    int err;                    /* OK, or nothing was done: ERR_BUSY (another
                               process holds the database), ERR_NO_SPACE,
                               ERR_DAMAGED, ERR_IO, ERR_LIMIT (memory),
                               ERR_CLOSED (store_close came first) */
    enum store_outcome outcome; /* meaningless unless err is OK */
    uint32_t rows;              /* lists: how many were handed over */
    bool more;                  /* lists: there are further rows */
    union {
        struct store_who who;         /* SETUP, TOKEN_MAKE, TOKEN_CHECK */
        struct store_joinkey joinkey; /* JOINKEY_MAKE */
        struct store_machine machine; /* ENROL, MACHINE_LOGIN, _ENABLE */
        char id[UUID_CAP];            /* *_REVOKE: the whole id */
    } u;
};

/* One row of a list; valid during the call. The member is the list's. */
union store_row {
    struct store_joinkey joinkey;
    struct store_machine machine;
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
        struct store_token_make token_make;
        struct store_token_check token_check;
        struct store_revoke revoke; /* TOKEN_REVOKE, JOINKEY_REVOKE */
        struct store_joinkey_make joinkey_make;
        struct store_list list; /* JOINKEY_LIST, MACHINE_LIST */
        struct store_enrol enrol;
        struct store_machine_login machine_login;
        struct store_machine_seen machine_seen;
        struct store_machine_enable machine_enable;
        struct store_audit audit;
    } u;
};

/* ---- the store --------------------------------------------------------------- */

struct store_engine; /* the engine's own; lives in the heap it was given */

struct store {
    struct store_engine *engine; /* NULL: closed */
    char why[STORE_DETAIL_CAP];
    bool turning;  /* inside store_turn or store_close */
    uint32_t head; /* runs freely; queue[head % STORE_QUEUE] */
    uint32_t tail;
    struct store_ask queue[STORE_QUEUE]; /* about 160 KiB */
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

/* The last failure, for people; "" if there was none. Lives as long as the
 * store. */
const char *store_why(const struct store *s);

#endif
