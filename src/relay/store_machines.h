/*
 * Questions about machines: join keys, who comes in, who holds a key now,
 * which fleets see it.
 *
 * A machine has one home, the fleet it joined, which decides about it. It
 * may be linked to further fleets, whose members can use it. The home is one
 * of its links.
 *
 * The lease. A key may be copied with the folder it lies in. So each process
 * of an agent draws an `instance`, and remembers an `epoch` on its disk; the
 * store keeps the instance that holds the machine, and the epoch it has. Who
 * comes with an older epoch than the store's has a copy from before, or is
 * the one that a copy has overtaken: two hold this key. See MACHINE_LOGIN.
 */
#ifndef RELAY_STORE_MACHINES_H
#define RELAY_STORE_MACHINES_H

#include "relay/store_base.h"

/* ---- vocabulary ----------------------------------------------------------- */

enum store_state {
    STORE_STATE_ACTIVE,
    STORE_STATE_PENDING,     /* its join key wants an owner's approval */
    STORE_STATE_QUARANTINED, /* two held its key; an owner settles it */
    STORE_STATE_DISABLED,    /* shut out */
    STORE_STATE_STRUCK,      /* reset: its key is struck off, for ever */
};

/* "active", "pending", "quarantined", "disabled", "struck". */
const char *store_state_str(enum store_state state);

/* What a machine says about itself; cleaned by the store (text_safe) and cut
 * to the field. Any may be empty. The caps are those of proto Facts. */
struct store_facts {
    char hostname[64];
    char os[24];
    char os_version[64];
    char architecture[24];
    char agent_version[32];
};

/* What a process brings to hold a machine. All zero: an agent that is too
 * old to know; it is let in as long as nobody holds the machine. */
struct store_claim {
    uint8_t instance[STORE_INSTANCE];
    uint64_t epoch; /* on its disk; 0: none */
    bool gone;      /* the asker knows: the holder's link is gone */
};

/* ---- inputs: join keys ------------------------------------------------------ */

/* JOINKEY_MAKE. DONE (joinkey), UNKNOWN (fleet), CONFLICT. Audited as
 * "join-key.make". */
struct store_joinkey_make {
    char fleet_id[UUID_CAP];
    char label[NAME_CAP];          /* may be empty */
    char labels[STORE_LABELS_CAP]; /* for machines that join with it */
    bool approval;                 /* they wait for an owner */
    uint8_t hash[STORE_HASH];
    uint32_t uses_max; /* 0: no limit */
    int64_t expires_ms;
    uint8_t random[STORE_RANDOM];
    struct store_actor actor;
};

/* JOINKEY_LIST takes a struct store_list: by time of making; after_ms =
 * created_ms, after_id. JOINKEY_REVOKE takes a struct store_revoke: DONE
 * (id), UNKNOWN, AMBIGUOUS, REVOKED. Audited as "join-key.revoke". */

/* ---- inputs: coming in ------------------------------------------------------- */

/*
 * ENROL. Let a machine in. In one step: the join key is checked (UNKNOWN,
 * REVOKED, EXPIRED, USED_UP), its use counted, the machine made. A public
 * key that the same fleet knows gets its old id, new facts, its new name
 * unless people gave it one, and counts a use; its claim is judged as by
 * MACHINE_LOGIN, which adds HELD and QUARANTINED (changed); without a claim
 * nothing is judged, and the holder stays who it is. CONFLICT:
 * another fleet has this public key. DISABLED, STRUCK: a join key does not
 * help. PENDING: made, but it waits (the use is counted; the answer names
 * it). LIMIT. What is refused counts no use. Audited as "machine.enrol" by
 * the actor of kind "join-key", its name the key's id.
 */
struct store_enrol {
    uint8_t join_hash[STORE_HASH];
    uint8_t public_key[STORE_KEY];
    char name[NAME_CAP]; /* not empty */
    struct store_claim claim;
    struct store_facts facts;
    uint8_t random[STORE_RANDOM];
};

/*
 * MACHINE_LOGIN. A machine proved that it has this key. All but UNKNOWN name
 * the machine; `epoch` of the answer is what the process holds from now on.
 *
 *   DONE         same instance: as before, nothing written.
 *                Nobody held it: this one does, epoch + 1.
 *                Another instance, with the current epoch (or the one
 *                before, while the current one was never confirmed, or any
 *                if nobody held the machine before; or a newer one, from
 *                before a restore of the store), and the holder is gone: it
 *                takes over (taken), with the epoch that relay/lease.h tells.
 *   HELD         another instance has it, or had it last, and `gone` was not
 *                said. Nothing written. Look for it, and ask again with
 *                `gone`; or quarantine.
 *   QUARANTINED  another instance with an older epoch, and the holder is gone:
 *                from now on (changed); or before. Both are to be told `why`.
 *   PENDING, DISABLED
 *   STRUCK       the key is struck off, or was replaced by another
 *   UNKNOWN      no such key: it must enrol
 *   CONFLICT     next_key is somebody else's
 *
 * With `rotates` and DONE the machine's key is next_key from now on, and
 * key_version one more. Asked again with the same two keys, after a lost
 * answer, it is DONE once more. Changes are audited as "machine.hold" (taken
 * from another), "machine.quarantine", "machine.rotate". The first claim of
 * a machine is not.
 */
struct store_machine_login {
    uint8_t public_key[STORE_KEY];
    struct store_claim claim;
    bool rotates; /* next_key holds, and was proven too */
    uint8_t next_key[STORE_KEY];
};

/* MACHINE_CONFIRM. The holder has its epoch on its disk. DONE, UNKNOWN,
 * CONFLICT (it does not hold the machine). A power cut may forget it. */
struct store_machine_confirm {
    char fleet_id[UUID_CAP]; /* home */
    char machine_id[UUID_CAP];
    uint8_t instance[STORE_INSTANCE];
    uint64_t epoch;
};

/* MACHINE_SEEN. Last seen = now, and what the machine says of itself. DONE,
 * UNKNOWN. Not worth an fsync: a power cut may forget it. */
struct store_machine_seen {
    char fleet_id[UUID_CAP]; /* home */
    char machine_id[UUID_CAP];
    struct store_facts facts;
};

/* ---- inputs: what people do --------------------------------------------------- */

enum store_state_change {
    STORE_APPROVE,    /* pending: active. Quarantined: active, and the next
                         to connect holds it; older leases are void */
    STORE_QUARANTINE, /* active: quarantined; others stay what they are */
    STORE_DISABLE,    /* shut out */
    STORE_ENABLE,     /* disabled: active */
    STORE_RESET,      /* struck, from any */
};

/*
 * MACHINE_STATE. DONE (machine: as it is now; nothing is written when it
 * is so already), UNKNOWN, NOT_HOME, DISABLED (APPROVE of a disabled one:
 * enable it), STRUCK (nothing helps). Links it has are the caller's to cut.
 * Audited as "machine.approve", "machine.quarantine", "machine.disable",
 * "machine.enable", "machine.reset".
 */
struct store_machine_state {
    char fleet_id[UUID_CAP];
    char machine_id[UUID_CAP];
    enum store_state_change change;
    char why[STORE_WHY_CAP]; /* shown to people; may be empty */
    struct store_actor actor;
};

/* MACHINE_RENAME. The name stays, whatever the machine says at a later
 * ENROL. DONE (machine), UNKNOWN, NOT_HOME. Audited as "machine.rename". */
struct store_machine_rename {
    char fleet_id[UUID_CAP];
    char machine_id[UUID_CAP];
    char name[NAME_CAP];
    struct store_actor actor;
};

/*
 * MACHINE_LINK, asked by the home: UNKNOWN (the machine, or the other
 * fleet), NOT_HOME, LIMIT (links of the machine, or machines of the fleet).
 * MACHINE_UNLINK, asked by the home or by the fleet that is left: UNKNOWN,
 * NOT_HOME, CONFLICT (the home itself stays); forgets access to the machine
 * there. DONE (machine), also when it is so already. Audited in both fleets
 * as "machine.link", "machine.unlink".
 */
struct store_machine_link {
    char fleet_id[UUID_CAP];
    char machine_id[UUID_CAP];
    char other_id[UUID_CAP]; /* the fleet to link to, or to leave */
    struct store_actor actor;
};

/* MACHINE_LIST takes a struct store_list: those at home in the fleet or
 * linked to it, but those that are struck; by name, then id; after_name,
 * after_id. MACHINE_GET: DONE (machine), UNKNOWN. MACHINE_FLEETS: the links
 * of one machine, of which the fleet is one (else no rows); by fleet id;
 * after_id. */
struct store_machine_get {
    char fleet_id[UUID_CAP];
    char machine_id[UUID_CAP];
};

struct store_machine_fleets {
    struct store_list list;
    char machine_id[UUID_CAP];
};

/* ---- answers ------------------------------------------------------------------- */

/* JOINKEY_MAKE, a row of JOINKEY_LIST. */
struct store_joinkey {
    char id[UUID_CAP];
    char label[NAME_CAP];
    char labels[STORE_LABELS_CAP];
    bool approval;
    uint32_t uses_max;
    uint32_t uses;
    int64_t created_ms;
    int64_t expires_ms;
    int64_t revoked_ms;
};

/* What is known of the holder's epoch: a number in the table. */
enum store_lease {
    STORE_LEASE_GIVEN, /* it may not be on its disk */
    STORE_LEASE_KEPT,  /* it is */
    STORE_LEASE_FIRST, /* given, and nobody had held the machine before */
};

/* ENROL, MACHINE_LOGIN, _GET, _STATE, _RENAME, _LINK, _UNLINK; a row of
 * MACHINE_LIST. */
struct store_machine {
    char id[UUID_CAP];
    char fleet_id[UUID_CAP]; /* its home */
    char name[NAME_CAP];
    struct store_facts facts;
    char labels[STORE_LABELS_CAP];
    enum store_state state;
    char why[STORE_WHY_CAP]; /* it is not active; may be empty */
    int64_t last_seen_ms;
    int64_t created_ms;
    uint8_t public_key[STORE_KEY];
    uint32_t key_version; /* 1: its first key */
    int64_t key_since_ms;
    uint8_t holder[STORE_INSTANCE]; /* zeros: nobody yet, or not any more */
    uint64_t epoch;
    enum store_lease lease; /* of the epoch */
    bool created;           /* ENROL, LINK: made now, not there before */
    bool taken;             /* LOGIN, ENROL: another instance held it before */
    bool changed; /* LOGIN, ENROL: quarantined by this very question */
};

/* A row of MACHINE_FLEETS. */
struct store_link {
    char fleet_id[UUID_CAP];
    char fleet_name[NAME_CAP];
    char slug[STORE_SLUG_CAP];
    bool home;
    int64_t joined_ms;
    char added_by[STORE_ACTOR_CAP];
};

#endif
