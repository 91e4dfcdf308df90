/* Who may; see may.h. */
#include "relay/may.h"

#include <string.h>

#include "base/err.h"

/* ---- the table ------------------------------------------------------------ */

#define GUEST   (1u << MAY_GUEST)
#define PERSON  (1u << MAY_PERSON)
#define WEB     (1u << MAY_WEB)
#define APIKEY  (1u << MAY_APIKEY)
#define HOST    (1u << MAY_HOST)
#define PEOPLE  (PERSON | WEB)
#define USERS   (PERSON | WEB | APIKEY)
#define ANYBODY (GUEST | PERSON | WEB | APIKEY)

#define OWNER  STORE_OWNER
#define ADMIN  STORE_ADMIN
#define MEMBER STORE_MEMBER
#define VIEWER STORE_VIEWER

#define LOOK   MAY_SCOPE_MACHINES_READ
#define MANAGE MAY_SCOPE_MACHINES_WRITE
#define RUN    MAY_SCOPE_COMMANDS_EXECUTE
#define ACCESS MAY_SCOPE_PERMISSIONS_MANAGE

/* About a machine: the same role, whosever it is. */
#define ON_MACHINE(name, kinds, least, scope, access)          \
    {                                                          \
        name, kinds, least, least, scope, MAY_ACCESS_##access, \
            MAY_ABOUT_MACHINE                                  \
    }
/* About a thing of the fleet; `own` is the role for one's own. */
#define IN_FLEET(name, kinds, least, own, scope)                           \
    {                                                                      \
        name, kinds, least, own, scope, MAY_ACCESS_HIDDEN, MAY_ABOUT_FLEET \
    }
/* About oneself, or about nobody: no role is asked for. */
#define OF_SELF(name, kinds, scope)                                           \
    {                                                                         \
        name, kinds, VIEWER, VIEWER, scope, MAY_ACCESS_HIDDEN, MAY_ABOUT_SELF \
    }
#define OF_NOBODY(name, kinds)                                           \
    {                                                                    \
        name, kinds, VIEWER, VIEWER, (kinds)&APIKEY ? MAY_SCOPE_ANY : 0, \
            MAY_ACCESS_HIDDEN, MAY_ABOUT_NOBODY                          \
    }

static const struct may_row rows[] = {
    [MAY_OPEN_PTY] = ON_MACHINE("pty", USERS, MEMBER, RUN, EXECUTE),
    [MAY_OPEN_EXEC] = ON_MACHINE("exec", USERS, MEMBER, RUN, EXECUTE),
    [MAY_OPEN_TCP] = ON_MACHINE("tcp", USERS, MEMBER, RUN, FULL),
    [MAY_OPEN_ASK] =
        ON_MACHINE("ask", USERS, MEMBER, MAY_SCOPE_AGENT_INVOKE, FULL),
    [MAY_FILE_READ] =
        ON_MACHINE("file.read", USERS, MEMBER, MAY_SCOPE_FILES_READ, FULL),
    [MAY_FILE_WRITE] =
        ON_MACHINE("file.write", USERS, MEMBER, MAY_SCOPE_FILES_WRITE, FULL),

    [MAY_AGENT_STATUS] = ON_MACHINE("agent.status", USERS, VIEWER, LOOK, VIEW),
    [MAY_SESSIONS_LIST] =
        ON_MACHINE("sessions.list", USERS, MEMBER, RUN, EXECUTE),
    [MAY_SESSIONS_DETACH] =
        ON_MACHINE("sessions.detach", USERS, MEMBER, RUN, EXECUTE),
    [MAY_SESSIONS_DESTROY] =
        ON_MACHINE("sessions.destroy", USERS, MEMBER, RUN, EXECUTE),
    [MAY_JOBS_LIST] = ON_MACHINE("jobs.list", USERS, MEMBER, RUN, EXECUTE),
    [MAY_JOBS_SIGNAL] = ON_MACHINE("jobs.signal", USERS, MEMBER, RUN, EXECUTE),
    [MAY_JOBS_REMOVE] = ON_MACHINE("jobs.remove", USERS, MEMBER, RUN, EXECUTE),
    [MAY_PASSWORD_KEY] =
        ON_MACHINE("password.key", USERS, MEMBER, RUN, EXECUTE),
    [MAY_PASSWORD_UNLOCK] =
        ON_MACHINE("password.unlock", USERS, MEMBER, RUN, EXECUTE),
    [MAY_PASSWORD_SET] = ON_MACHINE("password.set", PEOPLE, ADMIN, 0, FULL),
    [MAY_PASSWORD_CLEAR] = ON_MACHINE("password.clear", PEOPLE, ADMIN, 0, FULL),
    [MAY_PASSWORD_REVOKE] =
        ON_MACHINE("password.revoke", PEOPLE, ADMIN, 0, FULL),
    [MAY_MACHINE_QUESTION] =
        ON_MACHINE("machine.question", USERS, MEMBER, RUN, FULL),

    [MAY_AUTH_DEVICE] = OF_NOBODY("auth.device", ANYBODY),
    [MAY_AUTH_TOKEN] = OF_NOBODY("auth.token", ANYBODY),
    [MAY_AUTH_REVOKE] = OF_NOBODY("auth.revoke", ANYBODY),
    [MAY_AUTH_WHOAMI] = OF_SELF("auth.whoami", USERS, MAY_SCOPE_ANY),
    [MAY_AUTH_APPROVE] = OF_SELF("auth.approve", PEOPLE, 0),
    [MAY_PAGE_PUBLIC] = OF_NOBODY("page.public", ANYBODY),
    [MAY_PAGE_ACCOUNT] = OF_SELF("page.account", WEB, 0),
    [MAY_ACCOUNT_SET] = OF_SELF("account.set", PEOPLE, 0),
    [MAY_ACCOUNT_PASSWORD] = OF_SELF("account.password", WEB, 0),
    [MAY_ACCOUNT_TOTP] = OF_SELF("account.totp", WEB, 0),
    [MAY_ACCOUNT_SIGN_OUT] = OF_SELF("account.sign-out", WEB, 0),

    [MAY_TOKENS_LIST] =
        IN_FLEET("tokens.list", PEOPLE | HOST, ADMIN, VIEWER, 0),
    [MAY_TOKENS_REVOKE] =
        IN_FLEET("tokens.revoke", PEOPLE | HOST, ADMIN, VIEWER, 0),
    [MAY_TOKENS_MAKE] = IN_FLEET("tokens.make", HOST, OWNER, OWNER, 0),

    [MAY_MACHINES_LIST] =
        IN_FLEET("machines.list", USERS | HOST, VIEWER, VIEWER, LOOK),
    [MAY_MACHINES_SHOW] =
        ON_MACHINE("machines.show", USERS | HOST, VIEWER, LOOK, VIEW),
    [MAY_MACHINES_RENAME] =
        ON_MACHINE("machines.rename", USERS | HOST, ADMIN, MANAGE, FULL),
    [MAY_MACHINES_DISABLE] =
        ON_MACHINE("machines.disable", USERS | HOST, ADMIN, MANAGE, FULL),
    [MAY_MACHINES_ENABLE] =
        ON_MACHINE("machines.enable", USERS | HOST, ADMIN, MANAGE, FULL),
    [MAY_MACHINES_APPROVE] =
        ON_MACHINE("machines.approve", PEOPLE | HOST, ADMIN, 0, FULL),
    [MAY_MACHINES_RESET] =
        ON_MACHINE("machines.reset", PEOPLE | HOST, ADMIN, 0, FULL),
    [MAY_MACHINES_FLEETS] =
        ON_MACHINE("machines.fleets", PEOPLE | HOST, ADMIN, 0, FULL),
    [MAY_MACHINES_LINK] =
        ON_MACHINE("machines.link", PEOPLE | HOST, ADMIN, 0, FULL),
    [MAY_MACHINES_UNLINK] =
        ON_MACHINE("machines.unlink", PEOPLE | HOST, ADMIN, 0, FULL),
    [MAY_MACHINES_TAKE] =
        IN_FLEET("machines.take", PEOPLE | HOST, ADMIN, ADMIN, 0),
    [MAY_ACCESS_LIST] =
        IN_FLEET("access.list", USERS | HOST, ADMIN, VIEWER, ACCESS),
    [MAY_ACCESS_SET] =
        ON_MACHINE("access.set", USERS | HOST, ADMIN, ACCESS, FULL),
    [MAY_JOINKEYS_LIST] =
        IN_FLEET("joinkeys.list", PEOPLE | HOST, ADMIN, ADMIN, 0),
    [MAY_JOINKEYS_MAKE] =
        IN_FLEET("joinkeys.make", PEOPLE | HOST, ADMIN, ADMIN, 0),
    [MAY_JOINKEYS_REVOKE] =
        IN_FLEET("joinkeys.revoke", PEOPLE | HOST, ADMIN, ADMIN, 0),

    [MAY_APIKEYS_LIST] =
        IN_FLEET("apikeys.list", PEOPLE | HOST, ADMIN, VIEWER, 0),
    [MAY_APIKEYS_MAKE] =
        IN_FLEET("apikeys.make", PEOPLE | HOST, ADMIN, MEMBER, 0),
    [MAY_APIKEYS_REVOKE] =
        IN_FLEET("apikeys.revoke", PEOPLE | HOST, ADMIN, VIEWER, 0),

    [MAY_FLEETS_LIST] = OF_SELF("fleets.list", USERS | HOST, MAY_SCOPE_ANY),
    [MAY_FLEETS_USE] = OF_SELF("fleets.use", PEOPLE, 0),
    [MAY_FLEETS_MAKE] = OF_SELF("fleets.make", PEOPLE | HOST, 0),
    [MAY_FLEETS_SHOW] =
        IN_FLEET("fleets.show", USERS | HOST, VIEWER, VIEWER, MAY_SCOPE_ANY),
    [MAY_FLEETS_SET] = IN_FLEET("fleets.set", PEOPLE | HOST, ADMIN, ADMIN, 0),
    [MAY_FLEETS_POLICY] =
        IN_FLEET("fleets.policy", PEOPLE | HOST, OWNER, OWNER, 0),
    [MAY_FLEETS_REMOVE] =
        IN_FLEET("fleets.remove", PEOPLE | HOST, OWNER, OWNER, 0),
    [MAY_MEMBERS_LIST] =
        IN_FLEET("members.list", PEOPLE | HOST, VIEWER, VIEWER, 0),
    [MAY_MEMBERS_SET] = IN_FLEET("members.set", PEOPLE | HOST, ADMIN, ADMIN, 0),
    [MAY_MEMBERS_REMOVE] =
        IN_FLEET("members.remove", PEOPLE | HOST, ADMIN, VIEWER, 0),
    [MAY_INVITES_LIST] =
        IN_FLEET("invites.list", PEOPLE | HOST, ADMIN, ADMIN, 0),
    [MAY_INVITES_MAKE] =
        IN_FLEET("invites.make", PEOPLE | HOST, ADMIN, ADMIN, 0),
    [MAY_INVITES_RENEW] =
        IN_FLEET("invites.renew", PEOPLE | HOST, ADMIN, ADMIN, 0),
    [MAY_INVITES_CANCEL] =
        IN_FLEET("invites.cancel", PEOPLE | HOST, ADMIN, ADMIN, 0),
    [MAY_INVITES_SHOW] = OF_NOBODY("invites.show", ANYBODY),
    [MAY_INVITES_DECLINE] = OF_NOBODY("invites.decline", ANYBODY),
    [MAY_INVITES_ACCEPT] = OF_SELF("invites.accept", PEOPLE, 0),

    [MAY_AUDIT_LIST] = IN_FLEET("audit.list", PEOPLE | HOST, MEMBER, MEMBER, 0),
    [MAY_AUDIT_EXPORT] =
        IN_FLEET("audit.export", PEOPLE | HOST, ADMIN, ADMIN, 0),

    [MAY_PEOPLE_LIST] = OF_NOBODY("people.list", HOST),
    [MAY_PEOPLE_MAKE] = OF_NOBODY("people.make", HOST),
    [MAY_PEOPLE_ENABLE] = OF_NOBODY("people.enable", HOST),
    [MAY_PEOPLE_RESET] = OF_NOBODY("people.reset", HOST),
    [MAY_RELAY_BACKUP] = OF_NOBODY("relay.backup", HOST),
};

_Static_assert(sizeof rows / sizeof rows[0] == MAY_OPS,
               "the last operation has a row, may_check finds the others");

const struct may_row *may_row(enum may_op op)
{
    if (op <= MAY_NOTHING || op >= MAY_OPS || rows[op].name == NULL)
        return NULL;
    return &rows[op];
}

enum may_op may_find(struct view name)
{
    for (enum may_op op = MAY_NOTHING + 1; op < MAY_OPS; op++)
        if (rows[op].name != NULL && view_is(name, rows[op].name))
            return op;
    return MAY_NOTHING;
}

static bool is_whole(enum may_op op)
{
    const struct may_row *r = may_row(op);
    if (r == NULL || r->kinds == 0)
        return false;
    bool keys = (r->kinds & APIKEY) != 0;
    bool machine = r->about == MAY_ABOUT_MACHINE;
    /* What guests may must not belong to anybody. */
    return keys == (r->scope != 0) && r->own >= r->least &&
           machine == (r->access != MAY_ACCESS_HIDDEN) &&
           ((r->kinds & GUEST) == 0 || r->about == MAY_ABOUT_NOBODY) &&
           may_find(view_str(r->name)) == op;
}

int may_check(enum may_op *op)
{
    for (*op = MAY_NOTHING + 1; *op < MAY_OPS; (*op)++)
        if (!is_whole(*op))
            return ERR_DAMAGED;
    return OK;
}

/* ---- words ---------------------------------------------------------------- */

const char *may_kind_str(enum may_kind kind)
{
    static const char *const words[] = {
        [MAY_GUEST] = "guest",   [MAY_PERSON] = "person",   [MAY_WEB] = "web",
        [MAY_APIKEY] = "apikey", [MAY_MACHINE] = "machine", [MAY_HOST] = "host",
    };
    _Static_assert(sizeof words / sizeof words[0] == MAY_KINDS, "all kinds");
    return kind < MAY_KINDS ? words[kind] : "nobody";
}

#define SCOPE_LIST(X)     \
    X("machines:read")    \
    X("machines:write")   \
    X("commands:execute") \
    X("files:read")       \
    X("files:write")      \
    X("schedules:manage") \
    X("agent:invoke")     \
    X("permissions:manage")

const char *may_scope_str(uint32_t n)
{
#define SCOPE_WORD(word) word,
    static const char *const words[] = {SCOPE_LIST(SCOPE_WORD)};
#undef SCOPE_WORD
    _Static_assert(sizeof words / sizeof words[0] == MAY_SCOPES, "all scopes");
    return n < MAY_SCOPES ? words[n] : NULL;
}

int may_scopes(struct view words, uint32_t *out)
{
    uint32_t set = 0;
    while (words.len > 0) {
        const uint8_t *space = memchr(words.ptr, ' ', words.len);
        size_t len = space == NULL ? words.len : (size_t)(space - words.ptr);
        uint32_t n = 0;
        while (n < MAY_SCOPES &&
               !view_is(view_first(words, len), may_scope_str(n)))
            n++;
        if (n == MAY_SCOPES || (space != NULL && len + 1 == words.len))
            return ERR_RANGE;
        set |= 1u << n;
        words = view_from(words, space == NULL ? len : len + 1);
    }
    *out = set;
    return OK;
}

/* ---- why not -------------------------------------------------------------- */

static int refuse(struct may_no *no, int err, const char *message,
                  const char *remedy)
{
    if (no != NULL)
        *no = (struct may_no){message, remedy};
    return err;
}

static int refuse_kind(enum may_kind kind, const struct may_row *row,
                       struct may_no *no)
{
    switch (kind) {
    case MAY_GUEST:
        return refuse(no, ERR_AUTH, "only who is signed in may do that",
                      "sign in first: `cmdop login`");
    case MAY_MACHINE:
        return refuse(no, ERR_DENIED, "a machine may not do that", "");
    case MAY_APIKEY:
        return refuse(no, ERR_DENIED, "an API key may not do that",
                      "a person who is signed in may");
    case MAY_PERSON:
        if ((row->kinds & WEB) != 0)
            return refuse(no, ERR_DENIED, "that is done in a browser",
                          "open the relay's page");
        break;
    case MAY_WEB:
    case MAY_HOST:
    case MAY_KINDS: break;
    }
    return refuse(no, ERR_DENIED, "that is not done from here",
                  (row->kinds & HOST) != 0
                      ? "the relay's owner does it on the relay's machine"
                      : "");
}

static int refuse_role(const struct may_caller *c, enum store_role least,
                       const struct may_row *row, struct may_no *no)
{
    static const char remedy[] = "an owner of the fleet can change the role";
    if (c->role >= VIEWER && row->about == MAY_ABOUT_MACHINE)
        return refuse(no, ERR_DENIED,
                      "a viewer may list machines, not use them", remedy);
    switch (least) {
    case STORE_OWNER:
        return refuse(no, ERR_DENIED, "only an owner of the fleet may do that",
                      "ask an owner");
    case STORE_ADMIN:
        return refuse(no, ERR_DENIED,
                      "only owners and admins of the fleet may do that",
                      "ask one of them");
    case STORE_MEMBER:
    case STORE_VIEWER: break;
    }
    return refuse(no, ERR_DENIED, "a viewer may not do that", remedy);
}

static int refuse_scope(uint32_t scope, struct may_no *no)
{
#define SCOPE_SENTENCE(word) "the API key lacks the scope " word,
    static const char *const sentences[] = {SCOPE_LIST(SCOPE_SENTENCE)};
#undef SCOPE_SENTENCE
    for (uint32_t n = 0; n < MAY_SCOPES; n++)
        if (scope == 1u << n)
            return refuse(no, ERR_DENIED, sentences[n],
                          "make a key that has it");
    return refuse(no, ERR_DENIED, "the API key has no scope at all",
                  "make a key that has one");
}

static int refuse_access(enum may_access has, struct may_no *no)
{
    static const char remedy[] = "an admin of the fleet can allow more";
    if (has == MAY_ACCESS_EXECUTE)
        return refuse(no, ERR_DENIED,
                      "you may run commands on this machine, nothing else",
                      remedy);
    return refuse(no, ERR_DENIED, "you may see this machine, not use it",
                  remedy);
}

static int nothing_there(struct may_no *no)
{
    return refuse(no, ERR_NOT_FOUND, "there is no such thing in the fleet", "");
}

/* ---- may he? -------------------------------------------------------------- */

/* Ids are equal only if both are there. */
static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && a[0] != '\0' && strcmp(a, b) == 0;
}

/* Is this thing one that the caller can mean at all? */
static bool is_his(const struct may_caller *c, const struct may_row *row,
                   const struct may_object *o)
{
    switch (row->about) {
    case MAY_ABOUT_NOBODY: return true;
    case MAY_ABOUT_SELF:
        return o->owner_id == NULL || same(o->owner_id, c->person_id);
    case MAY_ABOUT_FLEET: return same(o->fleet_id, c->fleet_id);
    case MAY_ABOUT_MACHINE:
        return same(o->fleet_id, c->fleet_id) && o->access > MAY_ACCESS_HIDDEN;
    }
    return false;
}

int may(const struct may_caller *c, enum may_op op, const struct may_object *o,
        struct may_no *no)
{
    const struct may_row *row = may_row(op);
    if (row == NULL || c->kind >= MAY_KINDS)
        return refuse(no, ERR_DENIED, "nobody may do that", "");
    if ((row->kinds & 1u << c->kind) == 0)
        return refuse_kind(c->kind, row, no);
    if (c->kind == MAY_HOST || c->kind == MAY_GUEST)
        return OK;
    if (!is_his(c, row, o))
        return nothing_there(no);
    enum store_role least =
        same(o->owner_id, c->person_id) ? row->own : row->least;
    if (c->role > least)
        return refuse_role(c, least, row, no);
    if (o->has_rank && o->rank < c->role)
        return refuse(no, ERR_DENIED,
                      "that is above your own role in the fleet",
                      "ask an owner");
    if (c->kind == MAY_APIKEY && (row->scope & c->scopes) == 0)
        return refuse_scope(row->scope, no);
    if (o->access < row->access)
        return refuse_access(o->access, no);
    return OK;
}

enum may_access may_access_of(enum store_role role, bool is_set,
                              enum may_access set)
{
    if (role <= ADMIN)
        return MAY_ACCESS_FULL;
    enum may_access most = role == VIEWER ? MAY_ACCESS_VIEW : MAY_ACCESS_FULL;
    return is_set && set < most ? set : most;
}
