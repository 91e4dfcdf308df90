/*
 * What is asked of SQLite, as one list; see store_sql.h. Parameters and
 * columns are bound and read in order by the function that uses them
 * (store_*.c by subject). A column's order in a macro here is the order in
 * one function there, which is named beside it.
 *
 * Enumerations are kept as their numbers, but the role, which is a word.
 * Token kinds: 1 access, 2 refresh, 3 web. Invitations: 0 open.
 */
#include "relay/store_sql.h"

#include <assert.h>
#include <stddef.h>

/* get_person */
#define PERSON                                          \
    "p.id, p.login, p.name, p.email, p.password <> ''," \
    " length(p.totp) > 0, p.created_ms, p.disabled_ms," \
    " p.locked_until_ms"

/* get_account */
#define ACCOUNT                                                     \
    PERSON ", p.password, p.totp, p.totp_step, p.failures, (SELECT" \
           " count(*) FROM backup_code c WHERE c.person_id = p.id"  \
           " AND c.used_ms = 0)"

/* get_who */
#define WHO                                                             \
    "p.id, p.name, p.login, p.email, length(p.totp) > 0, f.id, f.name," \
    " m.role, f.mfa_required, f.ip_allow, f.session_ms, f.mode,"        \
    " p.disabled_ms"

/* get_found, after WHO */
#define FOUND                                                            \
    WHO ", t.id, t.family, t.kind, t.scope, t.created_ms, t.expires_ms," \
        " t.last_used_ms, t.revoked_ms, t.used_ms, t.successor_id,"      \
        " t.client_name, t.client_host, t.client_platform,"              \
        " t.client_version, t.address, t.label"

/* A token whose member is gone is still found: it has no role. */
#define FOUND_FROM                                      \
    " FROM token t JOIN person p ON p.id = t.person_id" \
    " JOIN fleet f ON f.id = t.fleet_id"                \
    " LEFT JOIN member m ON m.fleet_id = t.fleet_id"    \
    " AND m.person_id = t.person_id"

/* get_token */
#define TOKEN                                                            \
    "t.id, t.family, t.fleet_id, t.person_id, p.login, t.kind, t.label," \
    " t.scope, t.prefix, t.client_name, t.client_host,"                  \
    " t.client_platform, t.client_version, t.address, t.created_ms,"     \
    " t.expires_ms, t.revoked_ms, t.used_ms, t.last_used_ms"

#define GOOD_AT(now)                                     \
    "revoked_ms = 0 AND used_ms = 0 AND (expires_ms = 0" \
    " OR expires_ms > " now ")"

/* get_device */
#define DEVICE                                                     \
    "user_code, scope, client_name, client_host, client_platform," \
    " client_version, address, state, created_ms, expires_ms,"     \
    " last_poll_ms, fleet_id, person_id"

/* get_fleet */
#define FLEET                                                   \
    "f.id, f.slug, f.name, f.kind, f.mfa_required, f.ip_allow," \
    " f.session_ms, f.mode, f.machines, f.created_ms"

/* get_member */
#define MEMBER                                                        \
    "m.fleet_id, p.id, p.login, p.name, p.email, length(p.totp) > 0," \
    " m.role, m.created_ms, p.disabled_ms"

/* get_invite */
#define INVITE                                                          \
    "i.id, i.fleet_id, f.name, i.email, i.role, i.state, i.created_ms," \
    " i.expires_ms"

/* get_machine */
#define MACHINE                                                   \
    "m.id, m.fleet_id, m.name, m.hostname, m.os, m.os_version,"   \
    " m.architecture, m.agent_version, m.labels, m.state, m.why," \
    " m.last_seen_ms, m.created_ms, m.public_key, m.key_version," \
    " m.key_since_ms, m.holder, m.epoch, m.confirmed"

static const char *const STATEMENTS[SQL_COUNT] = {
    [SQL_READ] = "BEGIN",
    [SQL_WRITE] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_STEP] = "SAVEPOINT step",
    [SQL_STEP_KEEP] = "RELEASE step",
    [SQL_STEP_UNDO] = "ROLLBACK TO step",

    /* ---- people ---- */

    [SQL_PERSON_MAKE] =
        "INSERT INTO person (id, login, name, email, password, created_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_PERSON_COUNT] = "SELECT count(*) FROM person",
    [SQL_PERSON_BY_LOGIN] =
        "SELECT " ACCOUNT " FROM person p WHERE p.login = ?1",
    [SQL_PERSON_BY_ID] = "SELECT " ACCOUNT " FROM person p WHERE p.id = ?1",
    [SQL_PERSON_HOME] =
        "SELECT f.id, f.name, m.role, f.mfa_required FROM member m"
        " JOIN fleet f ON f.id = m.fleet_id AND f.removed_ms = 0"
        " WHERE m.person_id = ?1 ORDER BY m.created_ms, f.id LIMIT 1",
    [SQL_PERSON_LIST] = "SELECT " PERSON " FROM person p WHERE p.login > ?1"
                        " ORDER BY p.login LIMIT ?2",
    [SQL_PERSON_EMAIL] =
        "SELECT 1 FROM person WHERE email = ?1 AND id <> ?2 LIMIT 1",
    [SQL_PERSON_SET] = "UPDATE person SET name = ?2, email = ?3 WHERE id = ?1",
    [SQL_PERSON_PASSWORD] =
        "UPDATE person SET password = ?2, failures = 0, locked_until_ms = 0"
        " WHERE id = ?1",
    [SQL_PERSON_PASSWORD_IS] =
        "SELECT 1 FROM person WHERE id = ?1 AND password = ?2",
    [SQL_PERSON_TOTP] =
        "UPDATE person SET totp = ?2, totp_step = ?3 WHERE id = ?1",
    [SQL_PERSON_TRIED] =
        "UPDATE person SET failures = ?2, locked_until_ms = ?3,"
        " totp_step = ?4 WHERE id = ?1",
    [SQL_PERSON_ENABLE] = "UPDATE person SET disabled_ms = ?2 WHERE id = ?1",
    [SQL_PERSON_SOLE_OWNER] =
        "SELECT 1 FROM member m"
        " JOIN fleet f ON f.id = m.fleet_id AND f.removed_ms = 0"
        " AND f.kind = 1"
        " WHERE m.person_id = ?1 AND m.role = 'owner' AND NOT EXISTS ("
        "SELECT 1 FROM member o JOIN person p ON p.id = o.person_id"
        " WHERE o.fleet_id = m.fleet_id AND o.role = 'owner'"
        " AND o.person_id <> m.person_id AND p.disabled_ms = 0) LIMIT 1",
    [SQL_CODE_MAKE] =
        "INSERT OR IGNORE INTO backup_code (person_id, hash) VALUES (?1, ?2)",
    [SQL_CODE_FIND] =
        "SELECT used_ms FROM backup_code WHERE person_id = ?1 AND hash = ?2",
    [SQL_CODE_USE] = "UPDATE backup_code SET used_ms = ?3"
                     " WHERE person_id = ?1 AND hash = ?2",
    [SQL_CODE_COUNT] = "SELECT count(*) FROM backup_code"
                       " WHERE person_id = ?1 AND used_ms = 0",
    [SQL_CODE_FORGET] = "DELETE FROM backup_code WHERE person_id = ?1",

    /* ---- tokens ---- */

    [SQL_TOKEN_MAKE] =
        "INSERT INTO token (fleet_id, id, person_id, kind, family, label,"
        " scope, hash, prefix, created_ms, expires_ms, successor_id,"
        " client_name, client_host, client_platform, client_version,"
        " address) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
        " ?12, ?13, ?14, ?15, ?16, ?17)",
    [SQL_TOKEN_COUNT] =
        "SELECT count(*) FROM token WHERE person_id = ?1 AND fleet_id = ?2"
        " AND " GOOD_AT("?3"),
    [SQL_TOKEN_COUNT_FAMILY] = "SELECT count(*) FROM token WHERE family = ?1",
    [SQL_TOKEN_BY_HASH] = "SELECT " FOUND FOUND_FROM " WHERE t.hash = ?1",
    [SQL_TOKEN_BY_ID] =
        "SELECT " FOUND FOUND_FROM " WHERE t.fleet_id = ?1 AND t.id = ?2",
    [SQL_TOKEN_FIND] =
        "SELECT id, family, person_id, fleet_id, revoked_ms FROM token"
        " WHERE fleet_id = ?1 AND id >= ?2 AND id < ?2 || 'g'"
        " AND (?3 = '' OR person_id = ?3) LIMIT 2",
    [SQL_TOKEN_FIND_OWN] =
        "SELECT id, family, person_id, fleet_id, revoked_ms FROM token"
        " WHERE person_id = ?3 AND id >= ?2 AND id < ?2 || 'g' AND ?1 = ''"
        " LIMIT 2",
    [SQL_TOKEN_LIST] =
        "SELECT " TOKEN " FROM token t JOIN person p ON p.id = t.person_id"
        " WHERE t.fleet_id = ?1 AND (?2 = '' OR t.person_id = ?2)"
        " AND (t.created_ms, t.id) > (?3, ?4)"
        " AND (?5 = 0 OR (?5 >> t.kind) & 1)"
        " AND (?6 = 0 OR (" GOOD_AT(
            "?6") "))"
                  " ORDER BY t.created_ms, t.id LIMIT ?7",
    [SQL_TOKEN_LIST_OWN] =
        "SELECT " TOKEN " FROM token t JOIN person p ON p.id = t.person_id"
        " WHERE t.person_id = ?2 AND (?1 = '' OR t.fleet_id = ?1)"
        " AND (t.created_ms, t.id) > (?3, ?4)"
        " AND (?5 = 0 OR (?5 >> t.kind) & 1)"
        " AND (?6 = 0 OR (" GOOD_AT(
            "?6") "))"
                  " ORDER BY t.created_ms, t.id LIMIT ?7",
    [SQL_TOKEN_TOUCH] =
        "UPDATE token SET last_used_ms = ?3 WHERE fleet_id = ?1 AND id = ?2",
    [SQL_TOKEN_USED] = "UPDATE token SET used_ms = ?3, successor_id = ?4"
                       " WHERE fleet_id = ?1 AND id = ?2",
    [SQL_TOKEN_MOVE] =
        "UPDATE token SET fleet_id = ?3 WHERE family = ?1 AND fleet_id = ?2",
    [SQL_TOKEN_END_FAMILY] = "UPDATE token SET revoked_ms = ?2"
                             " WHERE family = ?1 AND revoked_ms = 0",
    /* the access token that was made beside a refresh token */
    [SQL_TOKEN_ACCESS_USED] =
        "SELECT count(*) FROM token WHERE family = ?1 AND successor_id = ?2"
        " AND kind = 1 AND last_used_ms > 0",
    [SQL_TOKEN_END_ACCESS] =
        "UPDATE token SET revoked_ms = ?3 WHERE family = ?1"
        " AND successor_id = ?2 AND kind = 1 AND revoked_ms = 0",
    [SQL_TOKEN_END_PERSON] =
        "UPDATE token SET revoked_ms = ?2 WHERE person_id = ?1"
        " AND revoked_ms = 0 AND kind IN (1, 2, 3) AND family <> ?3",
    [SQL_TOKEN_END_MEMBER] =
        "UPDATE token SET revoked_ms = ?3 WHERE fleet_id = ?1"
        " AND person_id = ?2 AND revoked_ms = 0",
    [SQL_TOKEN_END_FLEET] = "UPDATE token SET revoked_ms = ?2"
                            " WHERE fleet_id = ?1 AND revoked_ms = 0",
    [SQL_TOKEN_FORGET_ACCESS] =
        "DELETE FROM token WHERE family = ?1 AND kind = 1"
        " AND expires_ms > 0 AND expires_ms < ?2",
    [SQL_TOKEN_SWEEP] = "DELETE FROM token WHERE (fleet_id, id) IN ("
                        "SELECT fleet_id, id FROM token"
                        " WHERE expires_ms > 0 AND expires_ms < ?1 LIMIT ?2)",
    [SQL_TOKEN_SWEEP_REVOKED] =
        "DELETE FROM token WHERE (fleet_id, id) IN ("
        "SELECT fleet_id, id FROM token"
        " WHERE revoked_ms > 0 AND revoked_ms < ?1 LIMIT ?2)",

    [SQL_DEVICE_MAKE] =
        "INSERT INTO device (hash, user_code, scope, created_ms,"
        " expires_ms, client_name, client_host, client_platform,"
        " client_version, address) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
        " ?9, ?10)",
    [SQL_DEVICE_COUNT] = "SELECT count(*) FROM device WHERE expires_ms > ?1",
    [SQL_DEVICE_BY_HASH] = "SELECT " DEVICE " FROM device WHERE hash = ?1",
    [SQL_DEVICE_BY_CODE] = "SELECT " DEVICE " FROM device WHERE user_code = ?1",
    [SQL_DEVICE_DECIDE] = "UPDATE device SET state = ?2, person_id = ?3,"
                          " fleet_id = ?4 WHERE user_code = ?1",
    [SQL_DEVICE_POLLED] = "UPDATE device SET last_poll_ms = ?2 WHERE hash = ?1",
    [SQL_DEVICE_USED] = "UPDATE device SET state = 3 WHERE hash = ?1",
    [SQL_DEVICE_END_PERSON] =
        "UPDATE device SET state = 2 WHERE expires_ms > ?2 AND person_id = ?1"
        " AND state = 1",
    [SQL_DEVICE_SWEEP] =
        "DELETE FROM device WHERE hash IN (SELECT hash FROM device"
        " WHERE expires_ms < ?1 LIMIT ?2)",

    /* ---- fleets ---- */

    [SQL_HOME] = "SELECT " WHO " FROM fleet f"
                 " JOIN member m ON m.fleet_id = f.id AND m.role = 'owner'"
                 " JOIN person p ON p.id = m.person_id"
                 " WHERE f.slug = 'home' ORDER BY m.created_ms, p.id LIMIT 1",
    [SQL_FLEET_MAKE] = "INSERT INTO fleet (id, slug, name, kind, created_ms)"
                       " VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_FLEET_HERE] =
        "SELECT slug FROM fleet WHERE id = ?1 AND removed_ms = 0",
    [SQL_FLEET_GET] =
        "SELECT " FLEET ", m.role FROM fleet f"
        " LEFT JOIN member m ON m.fleet_id = f.id AND m.person_id = ?2"
        " WHERE f.id = ?1 AND f.removed_ms = 0"
        " AND (?2 = '' OR m.person_id IS NOT NULL)",
    [SQL_FLEET_COUNT] =
        "SELECT count(*) FROM member m"
        " JOIN fleet f ON f.id = m.fleet_id AND f.removed_ms = 0"
        " WHERE m.person_id = ?1",
    [SQL_FLEET_LIST] = "SELECT " FLEET ", m.role FROM member m"
                       " JOIN fleet f ON f.id = m.fleet_id AND f.removed_ms = 0"
                       " WHERE m.person_id = ?1 AND (f.name, f.id) > (?2, ?3)"
                       " ORDER BY f.name, f.id LIMIT ?4",
    [SQL_FLEET_LIST_ALL] = "SELECT " FLEET ", NULL FROM fleet f WHERE ?1 = ''"
                           " AND f.removed_ms = 0 AND (f.name, f.id) > (?2, ?3)"
                           " ORDER BY f.name, f.id LIMIT ?4",
    [SQL_FLEET_SET] =
        "UPDATE fleet SET name = ?2, mfa_required = ?3, ip_allow = ?4,"
        " session_ms = ?5, mode = ?6 WHERE id = ?1 AND removed_ms = 0",
    [SQL_FLEET_NAME] =
        "UPDATE fleet SET name = ?2 WHERE id = ?1 AND removed_ms = 0",
    [SQL_FLEET_REMOVE] = "UPDATE fleet SET removed_ms = ?2 WHERE id = ?1",
    [SQL_FLEET_UNCOUNT_LINKS] =
        "UPDATE fleet SET machines = machines - (SELECT count(*)"
        " FROM machine_fleet l WHERE l.home_id = ?1 AND l.fleet_id = fleet.id)"
        " WHERE id IN (SELECT fleet_id FROM machine_fleet"
        " WHERE home_id = ?1 AND fleet_id <> ?1)",
    [SQL_FLEET_UNLINK] =
        "DELETE FROM machine_fleet WHERE (home_id = ?1 OR fleet_id = ?1)"
        " AND home_id <> fleet_id",
    [SQL_FLEET_END_JOINKEYS] = "UPDATE joinkey SET revoked_ms = ?2"
                               " WHERE fleet_id = ?1 AND revoked_ms = 0",
    [SQL_FLEET_END_INVITES] =
        "UPDATE invitation SET state = 3 WHERE fleet_id = ?1 AND state = 0",
    [SQL_MEMBER_MAKE] =
        "INSERT INTO member (fleet_id, person_id, role, created_ms)"
        " VALUES (?1, ?2, ?3, ?4)",
    [SQL_MEMBER] = "SELECT " WHO " FROM member m"
                   " JOIN person p ON p.id = m.person_id"
                   " JOIN fleet f ON f.id = m.fleet_id AND f.removed_ms = 0"
                   " WHERE m.fleet_id = ?1 AND m.person_id = ?2",
    [SQL_MEMBER_SHOW] =
        "SELECT " MEMBER " FROM member m"
        " JOIN fleet f ON f.id = m.fleet_id AND f.removed_ms = 0"
        " JOIN person p ON p.id = m.person_id"
        " WHERE m.fleet_id = ?1 AND m.person_id = ?2",
    [SQL_MEMBER_LIST] =
        "SELECT " MEMBER " FROM member m"
        " JOIN fleet f ON f.id = m.fleet_id AND f.removed_ms = 0"
        " JOIN person p ON p.id = m.person_id"
        " WHERE m.fleet_id = ?1 AND p.login > ?2 ORDER BY p.login LIMIT ?3",
    [SQL_MEMBER_ROLE] = "UPDATE member SET role = ?3"
                        " WHERE fleet_id = ?1 AND person_id = ?2",
    [SQL_MEMBER_OTHER_OWNER] =
        "SELECT 1 FROM member m JOIN person p ON p.id = m.person_id"
        " WHERE m.fleet_id = ?1 AND m.person_id <> ?2 AND m.role = 'owner'"
        " AND p.disabled_ms = 0 LIMIT 1",
    [SQL_MEMBER_REMOVE] =
        "DELETE FROM member WHERE fleet_id = ?1 AND person_id = ?2",

    [SQL_INVITE_MAKE] =
        "INSERT INTO invitation (fleet_id, id, email, role, hash,"
        " created_ms, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_INVITE_COUNT] =
        "SELECT count(*) FROM invitation WHERE fleet_id = ?1 AND state = 0"
        " AND (expires_ms = 0 OR expires_ms > ?2)",
    [SQL_INVITE_REPLACE] = "UPDATE invitation SET state = 3"
                           " WHERE fleet_id = ?1 AND email = ?2 AND state = 0",
    [SQL_INVITE_BY_HASH] =
        "SELECT " INVITE " FROM invitation i"
        " JOIN fleet f ON f.id = i.fleet_id AND f.removed_ms = 0"
        " WHERE i.hash = ?1",
    [SQL_INVITE_FIND] =
        "SELECT id, state, expires_ms FROM invitation"
        " WHERE fleet_id = ?1 AND id >= ?2 AND id < ?2 || 'g' LIMIT 2",
    [SQL_INVITE_LIST] =
        "SELECT " INVITE " FROM invitation i"
        " JOIN fleet f ON f.id = i.fleet_id AND f.removed_ms = 0"
        " WHERE i.fleet_id = ?1 AND (i.created_ms, i.id) > (?2, ?3)"
        " ORDER BY i.created_ms, i.id LIMIT ?4",
    [SQL_INVITE_STATE] =
        "UPDATE invitation SET state = ?3 WHERE fleet_id = ?1 AND id = ?2",
    [SQL_INVITE_RENEW] = "UPDATE invitation SET hash = ?3, expires_ms = ?4"
                         " WHERE fleet_id = ?1 AND id = ?2",
    [SQL_INVITE_SWEEP] = "DELETE FROM invitation WHERE (fleet_id, id) IN ("
                         "SELECT fleet_id, id FROM invitation"
                         " WHERE expires_ms > 0 AND expires_ms < ?1 LIMIT ?2)",

    [SQL_ACCESS_SET] =
        "INSERT INTO machine_access (fleet_id, machine_id, person_id, access)"
        " VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET access = ?4",
    [SQL_ACCESS_CLEAR] = "DELETE FROM machine_access WHERE fleet_id = ?1"
                         " AND machine_id = ?2 AND person_id = ?3",
    [SQL_ACCESS_LIST] =
        "SELECT a.machine_id, a.person_id, p.login, a.access, m.role"
        " FROM machine_access a JOIN person p ON p.id = a.person_id"
        " JOIN member m ON m.fleet_id = a.fleet_id"
        " AND m.person_id = a.person_id"
        " WHERE a.fleet_id = ?1 AND (a.machine_id, a.person_id) > (?2, ?3)"
        " AND (?4 = '' OR a.machine_id = ?4)"
        " AND (?5 = '' OR a.person_id = ?5)"
        " ORDER BY a.machine_id, a.person_id LIMIT ?6",
    [SQL_ACCESS_OF] =
        "SELECT l.machine_id, p.id, p.login, coalesce(a.access, 0), m.role"
        " FROM machine_fleet l JOIN fleet f ON f.id = l.fleet_id"
        " AND f.removed_ms = 0"
        " JOIN member m ON m.fleet_id = l.fleet_id AND m.person_id = ?3"
        " JOIN person p ON p.id = m.person_id"
        " LEFT JOIN machine_access a ON a.fleet_id = l.fleet_id"
        " AND a.machine_id = l.machine_id AND a.person_id = m.person_id"
        " WHERE l.fleet_id = ?1 AND l.machine_id = ?2",

    /* ---- machines ---- */

    [SQL_JOINKEY_MAKE] =
        "INSERT INTO joinkey (fleet_id, id, label, labels, approval, hash,"
        " uses_max, created_ms, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
        " ?7, ?8, ?9)",
    [SQL_JOINKEY_CHECK] =
        "SELECT fleet_id, id, uses_max, uses, expires_ms, revoked_ms,"
        " approval, labels FROM joinkey WHERE hash = ?1",
    [SQL_JOINKEY_USE] =
        "UPDATE joinkey SET uses = uses + 1 WHERE fleet_id = ?1 AND id = ?2",
    [SQL_JOINKEY_LIST] =
        "SELECT id, label, labels, approval, uses_max, uses, created_ms,"
        " expires_ms, revoked_ms FROM joinkey"
        " WHERE fleet_id = ?1 AND (created_ms, id) > (?2, ?3)"
        " ORDER BY created_ms, id LIMIT ?4",
    [SQL_JOINKEY_FIND] =
        "SELECT id, revoked_ms FROM joinkey"
        " WHERE fleet_id = ?1 AND id >= ?2 AND id < ?2 || 'g' LIMIT 2",
    [SQL_JOINKEY_REVOKE] =
        "UPDATE joinkey SET revoked_ms = ?3 WHERE fleet_id = ?1 AND id = ?2",

    [SQL_MACHINE_BY_KEY] =
        "SELECT " MACHINE ", f.removed_ms FROM machine m"
        " JOIN fleet f ON f.id = m.fleet_id WHERE m.public_key = ?1",
    [SQL_MACHINE_BY_PREVIOUS] =
        "SELECT " MACHINE ", f.removed_ms FROM machine m"
        " JOIN fleet f ON f.id = m.fleet_id WHERE m.previous_key = ?1",
    [SQL_MACHINE_KEY_KNOWN] =
        "SELECT 1 FROM machine WHERE public_key = ?1 UNION ALL"
        " SELECT 1 FROM machine WHERE previous_key = ?1 LIMIT 1",
    [SQL_MACHINE_BY_ID] = "SELECT " MACHINE " FROM machine m"
                          " WHERE m.fleet_id = ?1 AND m.id = ?2",
    [SQL_MACHINE_GET] =
        "SELECT " MACHINE " FROM machine_fleet l JOIN fleet f"
        " ON f.id = l.fleet_id AND f.removed_ms = 0"
        " JOIN machine m ON m.fleet_id = l.home_id AND m.id = l.machine_id"
        " WHERE l.fleet_id = ?1 AND l.machine_id = ?2",
    [SQL_MACHINE_LIST] =
        "SELECT " MACHINE " FROM machine_fleet l"
        " JOIN machine m ON m.fleet_id = l.home_id AND m.id = l.machine_id"
        " WHERE l.fleet_id = ?1 AND (l.name, l.machine_id) > (?2, ?3)"
        " ORDER BY l.name, l.machine_id LIMIT ?4",
    [SQL_MACHINE_COUNT] = "UPDATE fleet SET machines = machines + 1"
                          " WHERE id = ?1 AND machines < ?2",
    [SQL_MACHINE_UNCOUNT] =
        "UPDATE fleet SET machines = machines - 1 WHERE id = ?1",
    [SQL_MACHINE_MAKE] =
        "INSERT INTO machine (fleet_id, id, name, joinkey_id, last_seen_ms,"
        " hostname, os, os_version, architecture, agent_version, public_key,"
        " created_ms, key_since_ms, labels, state, holder, epoch)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?5, ?5, ?12,"
        " ?13, ?14, ?15)",
    [SQL_MACHINE_AGAIN] =
        "UPDATE machine SET name = iif(named, name, ?3), joinkey_id = ?4,"
        " last_seen_ms = ?5, hostname = ?6, os = ?7, os_version = ?8,"
        " architecture = ?9, agent_version = ?10"
        " WHERE fleet_id = ?1 AND id = ?2",
    [SQL_MACHINE_HOLD] =
        "UPDATE machine SET holder = ?3, epoch = ?4, confirmed = ?5"
        " WHERE fleet_id = ?1 AND id = ?2",
    [SQL_MACHINE_CONFIRM] =
        "UPDATE machine SET confirmed = 1 WHERE fleet_id = ?1 AND id = ?2",
    [SQL_MACHINE_ROTATE] =
        "UPDATE machine SET previous_key = public_key, public_key = ?3,"
        " key_version = key_version + 1, key_since_ms = ?4"
        " WHERE fleet_id = ?1 AND id = ?2",
    [SQL_MACHINE_STATE] =
        "UPDATE machine SET state = ?3, why = ?4, holder = ?5, epoch = ?6,"
        " confirmed = ?7 WHERE fleet_id = ?1 AND id = ?2",
    [SQL_MACHINE_RENAME] = "UPDATE machine SET name = ?3, named = 1"
                           " WHERE fleet_id = ?1 AND id = ?2",
    [SQL_MACHINE_SEEN] =
        "UPDATE machine SET last_seen_ms = ?3, hostname = ?4, os = ?5,"
        " os_version = ?6, architecture = ?7, agent_version = ?8"
        " WHERE fleet_id = ?1 AND id = ?2",

    [SQL_LINK_MAKE] =
        "INSERT INTO machine_fleet (fleet_id, machine_id, home_id, name,"
        " joined_ms, added_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_LINK_RENAME] = "UPDATE machine_fleet SET name = ?3"
                        " WHERE home_id = ?1 AND machine_id = ?2"
                        " AND name <> ?3",
    [SQL_LINK_HERE] = "SELECT home_id FROM machine_fleet"
                      " WHERE fleet_id = ?1 AND machine_id = ?2",
    [SQL_LINK_COUNT] = "SELECT count(*) FROM machine_fleet"
                       " WHERE home_id = ?1 AND machine_id = ?2",
    [SQL_LINK_LIST] =
        "SELECT f.id, f.name, f.slug, l.home_id = l.fleet_id, l.joined_ms,"
        " l.added_by FROM machine_fleet here"
        " JOIN machine_fleet l ON l.home_id = here.home_id"
        " AND l.machine_id = here.machine_id"
        " JOIN fleet f ON f.id = l.fleet_id"
        " WHERE here.fleet_id = ?1 AND here.machine_id = ?2"
        " AND l.fleet_id > ?3 ORDER BY l.fleet_id LIMIT ?4",
    [SQL_LINK_REMOVE] =
        "DELETE FROM machine_fleet WHERE fleet_id = ?1 AND machine_id = ?2",
    [SQL_LINK_UNCOUNT_ALL] =
        "UPDATE fleet SET machines = machines - 1 WHERE id IN ("
        "SELECT fleet_id FROM machine_fleet"
        " WHERE home_id = ?1 AND machine_id = ?2)",
    [SQL_LINK_REMOVE_ALL] =
        "DELETE FROM machine_fleet WHERE home_id = ?1 AND machine_id = ?2",

    /* ---- the record ---- */

    [SQL_AUDIT] =
        "INSERT INTO audit (at_ms, fleet_id, actor_kind, actor, action,"
        " object, outcome, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [SQL_AUDIT_LIST] =
        "SELECT id, at_ms, fleet_id, actor_kind, actor, action, object,"
        " outcome, detail FROM audit WHERE fleet_id = ?1"
        " AND (?2 = 0 OR id < ?2) ORDER BY id DESC LIMIT ?3",
};

const char *store_sql(enum store_sql which)
{
    assert(which < SQL_COUNT && STATEMENTS[which] != NULL);
    return STATEMENTS[which];
}
