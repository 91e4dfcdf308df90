/*
 * Questions about fleets: what they demand, who is in them and as what, who
 * is invited, and what a member may do with one machine.
 */
#ifndef RELAY_STORE_FLEETS_H
#define RELAY_STORE_FLEETS_H

#include "relay/store_base.h"

/* ---- vocabulary ----------------------------------------------------------- */

enum store_fleet_kind { STORE_PERSONAL, STORE_TEAM };

/* What a machine's gate does where no rule speaks; for machines that have
 * no mode of their own. */
enum store_mode { STORE_MODE_DEFAULT, STORE_MODE_STRICT, STORE_MODE_BYPASS };

/* "personal", "team"; "default", "strict", "bypass". */
const char *store_fleet_kind_str(enum store_fleet_kind kind);
const char *store_mode_str(enum store_mode mode);

struct store_policy {
    bool mfa_required;
    char ip_allow[STORE_NETS_CAP]; /* networks; empty: from everywhere */
    int64_t session_ms;            /* longest web session; 0: the relay's */
    enum store_mode mode;
};

/* What a member may do on one machine; FULL unless it was set. */
enum store_access { STORE_FULL, STORE_EXECUTE, STORE_VIEW, STORE_HIDDEN };

/* "full", "execute", "view", "hidden". */
const char *store_access_str(enum store_access access);

/* ---- inputs: fleets --------------------------------------------------------- */

/*
 * First start (SETUP): make fleet (slug "home"), owner and membership; or
 * find them as they are (who). The random bytes make the fleet's and the
 * user's id. Audited as "fleet.make".
 */
struct store_setup {
    char fleet_name[NAME_CAP];
    char user_name[NAME_CAP]; /* also the login, as far as it may be one */
    uint8_t random[2 * STORE_RANDOM];
};

/* FLEET_MAKE. With this person as its owner. DONE (fleet), CONFLICT (the
 * slug is taken), UNKNOWN (the person), LIMIT. Audited as "fleet.make". */
struct store_fleet_make {
    char person_id[UUID_CAP];
    char name[NAME_CAP];
    char slug[STORE_SLUG_CAP]; /* a-z, 0-9, hyphens; empty: of the id */
    enum store_fleet_kind kind;
    uint8_t random[STORE_RANDOM];
    struct store_actor actor;
};

/* FLEET_GET. With a person its role there, and UNKNOWN when it has none.
 * DONE (fleet), UNKNOWN. */
struct store_fleet_get {
    char fleet_id[UUID_CAP];
    char person_id[UUID_CAP]; /* may be empty */
};

/* FLEET_LIST. Of one person, with its role; by name, then id; after_name,
 * after_id. The list's fleet is not read. With an empty person: all fleets
 * of this relay, for its own command line (role is VIEWER then). */
struct store_fleet_list {
    struct store_list list;
    char person_id[UUID_CAP];
};

/* FLEET_SET. All of it at once, or the name alone: the policy stays then,
 * whatever it has become. DONE (fleet), UNKNOWN. Audited as "fleet.set". */
struct store_fleet_set {
    char fleet_id[UUID_CAP];
    char name[NAME_CAP];
    struct store_policy policy;
    bool name_only;
    struct store_actor actor;
};

/*
 * FLEET_REMOVE. Its tokens, join keys and invitations end, its machines may
 * not come in (DISABLED) and leave the fleets they are linked to, others
 * leave it; the rows stay for the record. DONE (ended), UNKNOWN, CONFLICT
 * (the relay's own fleet stays). Audited as "fleet.remove".
 */
struct store_fleet_remove {
    char fleet_id[UUID_CAP];
    struct store_actor actor;
};

/* ---- inputs: members -------------------------------------------------------- */

/* MEMBER_LIST takes a struct store_list: by login; after_name = login. */

/* MEMBER_SET. DONE (member), UNKNOWN (not a member, and not `add`; or no
 * such person or fleet), DENIED (the role is above `most` now), LAST_OWNER,
 * LIMIT (fleets of that person). Audited as "member.add", "member.role". */
struct store_member_set {
    char fleet_id[UUID_CAP];
    char person_id[UUID_CAP];
    enum store_role role;
    enum store_role most; /* of who asks: a higher one is not his to change */
    bool add;             /* make it a member if it is none */
    struct store_actor actor;
};

/* MEMBER_REMOVE. Ends the person's tokens of this fleet, and forgets its
 * access to single machines. DONE (ended), UNKNOWN, DENIED (the role is above
 * `most` now), LAST_OWNER. Audited as "member.remove". */
struct store_member_remove {
    char fleet_id[UUID_CAP];
    char person_id[UUID_CAP];
    enum store_role most;
    struct store_actor actor;
};

/* MEMBER_USE_FLEET: see store_tokens.h. */

/* ---- inputs: invitations ------------------------------------------------------ */

/* INVITE_MAKE. An open one for the same address is cancelled by it. DONE
 * (invite), UNKNOWN (fleet), CONFLICT (hash or id), LIMIT. Audited as
 * "invite.make". */
struct store_invite_make {
    char fleet_id[UUID_CAP];
    char email[STORE_EMAIL_CAP]; /* not empty; capital letters made small */
    enum store_role role;        /* not owner */
    uint8_t hash[STORE_HASH];
    int64_t expires_ms;
    uint8_t random[STORE_RANDOM];
    struct store_actor actor;
};

/* INVITE_RENEW. The same invitation with another secret and a new end: the
 * secret it had before is nobody's any more. One that has expired is open
 * again. DONE (invite), UNKNOWN, AMBIGUOUS, USED_UP (accepted, declined or
 * cancelled), CONFLICT (hash), LIMIT. Audited as "invite.renew". */
struct store_invite_renew {
    char fleet_id[UUID_CAP];
    char id[UUID_CAP]; /* whole, or a prefix as in struct store_revoke */
    uint8_t hash[STORE_HASH];
    int64_t expires_ms;
    struct store_actor actor;
};

/* INVITE_LIST takes a struct store_list: by time of making; after_ms =
 * created_ms, after_id. INVITE_CANCEL takes a struct store_revoke: DONE (id),
 * UNKNOWN, AMBIGUOUS, USED_UP (not open any more). */

/* INVITE_BY_HASH. DONE (invite), UNKNOWN (also when the fleet is gone), or
 * with the invite: EXPIRED, REVOKED (cancelled), USED_UP (accepted), DENIED
 * (declined). */
struct store_invite_by_hash {
    uint8_t hash[STORE_HASH];
};

/*
 * INVITE_ACCEPT makes the person a member; INVITE_DECLINE reads no person
 * and needs none. As INVITE_BY_HASH, and UNKNOWN (the person), DISABLED (the
 * person), CONFLICT (already a member: nothing changed), LIMIT (fleets of
 * that person). Audited as "invite.accept", "invite.decline".
 */
struct store_invite_answer {
    uint8_t hash[STORE_HASH];
    char person_id[UUID_CAP];
    struct store_actor actor;
};

/* ---- inputs: access to single machines ---------------------------------------- */

/* ACCESS_SET. DONE, UNKNOWN (the machine is not in this fleet, or the person
 * no member). Audited as "access.set". */
struct store_access_set {
    char fleet_id[UUID_CAP];
    char machine_id[UUID_CAP];
    char person_id[UUID_CAP];
    enum store_access access;
    struct store_actor actor;
};

/* ACCESS_LIST. What is not FULL, of one machine or of one person or of
 * both; by machine, then person; after_id = machine_id, after_person. */
struct store_access_list {
    struct store_list list;
    char machine_id[UUID_CAP]; /* empty: of all machines */
    char person_id[UUID_CAP];  /* empty: of all members */
    char after_person[UUID_CAP];
};

/* ACCESS_OF. DONE (access: with the person's role), UNKNOWN (the machine is
 * not in this fleet, or the person no member). */
struct store_access_of {
    char fleet_id[UUID_CAP];
    char machine_id[UUID_CAP];
    char person_id[UUID_CAP];
};

/* ---- answers ------------------------------------------------------------------- */

/* FLEET_MAKE, _GET, _SET; a row of FLEET_LIST. */
struct store_fleet {
    char id[UUID_CAP];
    char slug[STORE_SLUG_CAP];
    char name[NAME_CAP];
    enum store_fleet_kind kind;
    struct store_policy policy;
    uint32_t machines; /* at home there, or linked to it */
    enum store_role role;
    int64_t created_ms;
};

/* MEMBER_SET, INVITE_ACCEPT; a row of MEMBER_LIST. */
struct store_member {
    char fleet_id[UUID_CAP];
    char person_id[UUID_CAP];
    char login[STORE_LOGIN_CAP];
    char name[NAME_CAP];
    char email[STORE_EMAIL_CAP];
    bool has_totp;
    enum store_role role;
    int64_t joined_ms;
    int64_t disabled_ms;
    bool added; /* MEMBER_SET: was none before */
};

enum store_invite_state {
    STORE_INVITE_OPEN,
    STORE_INVITE_ACCEPTED,
    STORE_INVITE_DECLINED,
    STORE_INVITE_CANCELLED,
};

/* INVITE_MAKE, _RENEW, _BY_HASH, _DECLINE; a row of INVITE_LIST. */
struct store_invite {
    char id[UUID_CAP];
    char fleet_id[UUID_CAP];
    char fleet_name[NAME_CAP];
    char email[STORE_EMAIL_CAP];
    enum store_role role;
    enum store_invite_state state; /* open ones may be over: expires_ms */
    int64_t created_ms;
    int64_t expires_ms;
};

/* ACCESS_OF; a row of ACCESS_LIST. */
struct store_access_row {
    char machine_id[UUID_CAP];
    char person_id[UUID_CAP];
    char login[STORE_LOGIN_CAP];
    enum store_access access;
    enum store_role role; /* in this fleet */
};

#endif
