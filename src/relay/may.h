/*
 * Who may. The one authorisation function of the relay: channels and
 * questions over Mesh, REST, pages and the verbs on the relay's host all ask
 * here, and nowhere else is a role, a scope or a fleet compared.
 *
 * Pure: no clock, no I/O, no memory. Who calls and what is meant comes in,
 * yes or no comes out. An operation is one row of one table (may.c):
 *
 *   name     "machines.rename"; over Mesh it is the method's name
 *   kinds    which callers may at all
 *   least    the least role, for a thing of the fleet or of somebody else
 *   own      the least role for what belongs to the caller himself
 *   scope    what an API key needs for it; 0: it is not for API keys
 *   access   what is needed on the machine that it is about
 *   about    what it is about: nobody, the caller, a fleet, a machine
 *
 * An enumerator without a row, or a route or method of a face without an
 * operation, keeps the relay from starting (may_check and the faces' own
 * checks). MAY_NOTHING is what a forgotten field says; it is nobody's.
 */
#ifndef RELAY_MAY_H
#define RELAY_MAY_H

#include "base/bytes.h"
#include "relay/store.h"

/* ---- who ------------------------------------------------------------------ */

enum may_kind {
    MAY_GUEST,   /* not signed in: a link, a page or a client without token */
    MAY_PERSON,  /* a person's tool: tokens of kind cli and access */
    MAY_WEB,     /* a person's browser session */
    MAY_APIKEY,  /* a program, within the scopes of its key */
    MAY_MACHINE, /* a machine's link */
    MAY_HOST,    /* a verb on the relay's host: above fleets and roles */
    MAY_KINDS
};

/* "guest", "person", ...; never NULL, lives for ever. */
const char *may_kind_str(enum may_kind kind);

/* Scopes of API keys; a set is their sum. */
enum may_scope {
    MAY_SCOPE_MACHINES_READ = 1 << 0,
    MAY_SCOPE_MACHINES_WRITE = 1 << 1,
    MAY_SCOPE_COMMANDS_EXECUTE = 1 << 2,
    MAY_SCOPE_FILES_READ = 1 << 3,
    MAY_SCOPE_FILES_WRITE = 1 << 4,
    MAY_SCOPE_SCHEDULES_MANAGE = 1 << 5,
    MAY_SCOPE_AGENT_INVOKE = 1 << 6,
    MAY_SCOPE_PERMISSIONS_MANAGE = 1 << 7,
};
#define MAY_SCOPES    8
#define MAY_SCOPE_ANY ((1u << MAY_SCOPES) - 1) /* in a row: any one will do */

/* "machines:read" of the scope number `n` (bit 1 << n); NULL from MAY_SCOPES
 * on. */
const char *may_scope_str(uint32_t n);

/* Words with one space between, as they stand in the store; "" is none. OK,
 * or ERR_RANGE for a word that is no scope; *out is set on success only. */
int may_scopes(struct view words, uint32_t *out);

/* What a person may do with one machine, each level with those above it. */
enum may_access {
    MAY_ACCESS_HIDDEN,  /* not even know of it */
    MAY_ACCESS_VIEW,    /* see it and its status */
    MAY_ACCESS_EXECUTE, /* run things on it */
    MAY_ACCESS_FULL,    /* its files, and everything else */
};

struct may_caller {
    enum may_kind kind;
    enum store_role role;  /* in his fleet; persons, web, API keys */
    uint32_t scopes;       /* API keys */
    const char *fleet_id;  /* the fleet he speaks in; NULL or "": none */
    const char *person_id; /* NULL or "": none */
};

/* ---- what ----------------------------------------------------------------- */

/*
 * What is meant. An all-zero object means nothing in particular: that is
 * right for operations about nobody or oneself and refused for all others.
 */
struct may_object {
    const char *fleet_id;   /* whose it is */
    const char *owner_id;   /* the person it belongs to; NULL: the fleet's */
    enum may_access access; /* of this caller on this machine, from
                               may_access_of */
    bool has_rank;          /* it is a membership, or makes one: */
    enum store_role rank;   /* the highest role that it has or will have */
};

enum may_op {
    MAY_NOTHING,

    /* channels to a machine */
    MAY_OPEN_PTY,
    MAY_OPEN_EXEC,
    MAY_OPEN_TCP,
    MAY_OPEN_ASK,
    MAY_FILE_READ,
    MAY_FILE_WRITE, /* and a channel of kind file */

    /* questions to a machine */
    MAY_AGENT_STATUS,
    MAY_SESSIONS_LIST,
    MAY_SESSIONS_DETACH,
    MAY_SESSIONS_DESTROY,
    MAY_JOBS_LIST,
    MAY_JOBS_SIGNAL,
    MAY_JOBS_REMOVE,
    MAY_PASSWORD_KEY, /* to show that one knows the attach password, */
    MAY_PASSWORD_UNLOCK,
    MAY_PASSWORD_SET, /* and to set it */
    MAY_PASSWORD_CLEAR,
    MAY_PASSWORD_REVOKE,
    MAY_MACHINE_QUESTION, /* any other: the relay does not know it */

    /* signing in, and what is one's own */
    MAY_AUTH_DEVICE,
    MAY_AUTH_TOKEN,
    MAY_AUTH_REVOKE,
    MAY_AUTH_WHOAMI,
    MAY_AUTH_APPROVE,     /* a user code, on a page or by a bearer */
    MAY_PAGE_PUBLIC,      /* the sign-in page, style sheets, health */
    MAY_PAGE_ACCOUNT,     /* pages of who is signed in */
    MAY_ACCOUNT_SET,      /* one's own name and address */
    MAY_ACCOUNT_PASSWORD, /* change one's own */
    MAY_ACCOUNT_TOTP,
    MAY_ACCOUNT_SIGN_OUT,

    /* tokens: of tools, browsers */
    MAY_TOKENS_LIST,
    MAY_TOKENS_REVOKE,
    MAY_TOKENS_MAKE,

    /* machines */
    MAY_MACHINES_LIST,
    MAY_MACHINES_SHOW,
    MAY_MACHINES_RENAME,
    MAY_MACHINES_DISABLE,
    MAY_MACHINES_ENABLE,
    MAY_MACHINES_APPROVE,
    MAY_MACHINES_RESET,
    MAY_MACHINES_FLEETS, /* which fleets have it */
    MAY_MACHINES_LINK,   /* to another fleet, and back */
    MAY_MACHINES_UNLINK,
    MAY_MACHINES_TAKE, /* another fleet's, into this one */
    MAY_ACCESS_LIST,   /* per person and machine */
    MAY_ACCESS_SET,
    MAY_JOINKEYS_LIST,
    MAY_JOINKEYS_MAKE,
    MAY_JOINKEYS_REVOKE,

    /* API keys */
    MAY_APIKEYS_LIST,
    MAY_APIKEYS_MAKE,
    MAY_APIKEYS_REVOKE,

    /* fleets, members, invitations */
    MAY_FLEETS_LIST,
    MAY_FLEETS_USE,
    MAY_FLEETS_MAKE,
    MAY_FLEETS_SHOW,
    MAY_FLEETS_SET,    /* its name */
    MAY_FLEETS_POLICY, /* its policies */
    MAY_FLEETS_REMOVE,
    MAY_MEMBERS_LIST,
    MAY_MEMBERS_SET,
    MAY_MEMBERS_REMOVE, /* one's own: to leave */
    MAY_INVITES_LIST,
    MAY_INVITES_MAKE,
    MAY_INVITES_RENEW,
    MAY_INVITES_CANCEL,
    MAY_INVITES_SHOW, /* by its secret, as the two below */
    MAY_INVITES_DECLINE,
    MAY_INVITES_ACCEPT,

    /* the record */
    MAY_AUDIT_LIST,
    MAY_AUDIT_EXPORT,

    /* the relay itself, on its host */
    MAY_PEOPLE_LIST,
    MAY_PEOPLE_MAKE,
    MAY_PEOPLE_ENABLE, /* and disable */
    MAY_PEOPLE_RESET,  /* password, second factor */
    MAY_RELAY_BACKUP,

    MAY_OPS
};

enum may_about {
    MAY_ABOUT_NOBODY,  /* nothing that belongs to anybody */
    MAY_ABOUT_SELF,    /* the caller, in whatever fleet he speaks */
    MAY_ABOUT_FLEET,   /* a fleet, a thing or a membership of it */
    MAY_ABOUT_MACHINE, /* a machine of a fleet */
};

struct may_row {
    const char *name;
    uint32_t kinds; /* sum of 1 << enum may_kind */
    enum store_role least;
    enum store_role own;
    uint32_t scope; /* one of them; MAY_SCOPE_ANY; 0: not for API keys */
    enum may_access access;
    enum may_about about;
};

/* The row of an operation; NULL for what is none. */
const struct may_row *may_row(enum may_op op);

/* The operation of that name; MAY_NOTHING when there is none. */
enum may_op may_find(struct view name);

/* Every operation has a whole row, and every name is one operation's. OK, or
 * ERR_DAMAGED with the number of the first bad one in *op. At start. */
int may_check(enum may_op *op);

/* ---- may he? -------------------------------------------------------------- */

/* Why not: what people read. Both live for ever; the remedy may be "". */
struct may_no {
    const char *message;
    const char *remedy;
};

/*
 * May this caller do this to that?
 *   OK             yes
 *   ERR_AUTH       he must sign in first
 *   ERR_DENIED     no
 *   ERR_NOT_FOUND  for him there is no such thing: it is another fleet's or
 *                  another person's, or the machine is hidden from him
 * `no` may be NULL; it is filled unless the answer is OK.
 */
int may(const struct may_caller *caller, enum may_op op,
        const struct may_object *object, struct may_no *no);

/*
 * What somebody of this role may do with a machine on which `set` was set for
 * him (`is_set`). Settings bind members and viewers; owners and admins make
 * them. A viewer only ever looks.
 */
enum may_access may_access_of(enum store_role role, bool is_set,
                              enum may_access set);

#endif
