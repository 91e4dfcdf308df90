/*
 * The store as SQLite under a disk that stops: for every question that
 * writes, at every write and sync of it, the power goes, or the disk says no.
 * What comes up afterwards is the state before the question or the one after
 * it, in every table; and what was answered DONE is there, unless the
 * question may be forgotten.
 *
 *   shim   the methods of SQLite's unix files, counting writes, cuts,
 *          removals and syncs; each sync that succeeds keeps a copy of its file: that is
 *          what a power cut leaves for certain
 *   cut    after the n-th call everything fails; then the files become what
 *          was synced, or all that was written, or some sectors of it
 */
#include "unit/relay/store_sql_kit.h"
#include "unit/relay/store_v1.h"

#include <fcntl.h>
#include <sys/stat.h>

/* ---- the shim ---------------------------------------------------------------- */

#define IMAGE_MAX (2 * 1024 * 1024)
#define SECTOR    512

enum { DB, LOG, JOURNAL, FILES }; /* the journal: until WAL is on */

struct image {
    uint8_t bytes[IMAGE_MAX];
    size_t len;
    bool there;
};

static struct image synced[FILES]; /* what the disk has for certain */
static struct image seen[FILES];   /* what was written at the cut */

static struct {
    int calls;   /* so far */
    int at;      /* this one fails; 0: none */
    bool always; /* and all after it: the power is cut */
    bool over;   /* what is looked at now is what the cut left */
    int asked;   /* how many calls there were when the answer came */
} fault;

static const sqlite3_io_methods *real[FILES]; /* a log has no shared memory */
static sqlite3_io_methods shim[FILES];
static int (*real_open)(sqlite3_vfs *, const char *, sqlite3_file *, int,
                        int *);
static int (*real_delete)(sqlite3_vfs *, const char *, int);

static const char *file_of(int which)
{
    static const char *const ends[FILES] = {"", "-wal", "-journal"};
    static char name[160];
    (void)snprintf(name, sizeof name, "%s%s", path, ends[which]);
    return name;
}

static void take(int which, struct image *out)
{
    int fd = open(file_of(which), O_RDONLY);
    out->there = fd >= 0;
    out->len = 0;
    if (fd < 0)
        return;
    ssize_t n = read(fd, out->bytes, IMAGE_MAX);
    close(fd);
    assert_in_range(n, 0, IMAGE_MAX - 1);
    out->len = (size_t)n;
}

static void put(int which, const struct image *in)
{
    (void)unlink(file_of(which));
    if (!in->there)
        return;
    int fd = open(file_of(which), O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, in->bytes, in->len), in->len);
    close(fd);
}

/* At a cut what was written so far is remembered: it may have reached the
 * disk, or not. */
static bool fails(void)
{
    fault.calls++;
    if (fault.at == 0 || fault.over || fault.calls < fault.at)
        return false;
    if (fault.calls == fault.at && fault.always) {
        for (int f = 0; f < FILES; f++)
            take(f, &seen[f]);
    }
    return fault.calls == fault.at || fault.always;
}

static int which_of(const sqlite3_file *f)
{
    for (int w = LOG; w < FILES; w++)
        if (f->pMethods == &shim[w])
            return w;
    return DB;
}

static int shim_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    const sqlite3_io_methods *m = real[which_of(f)];
    if (fault.always && !fault.over &&
        fault.calls + 1 == fault.at) /* half of it arrives */
        (void)m->xWrite(f, p, n / 2, at);
    return fails() ? SQLITE_IOERR_WRITE : m->xWrite(f, p, n, at);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return fails() ? SQLITE_IOERR_TRUNCATE
                   : real[which_of(f)]->xTruncate(f, size);
}

static int shim_sync(sqlite3_file *f, int flags)
{
    (void)flags; /* no power fails here: it need not reach a disk */
    if (fails())
        return SQLITE_IOERR_FSYNC;
    if (!fault.over)
        take(which_of(f), &synced[which_of(f)]);
    return SQLITE_OK;
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
                     int flags, int *out)
{
    int rc = real_open(vfs, name, f, flags, out);
    int w = (flags & SQLITE_OPEN_WAL) != 0            ? LOG
            : (flags & SQLITE_OPEN_MAIN_JOURNAL) != 0 ? JOURNAL
                                                      : DB;
    if (rc == SQLITE_OK && f->pMethods != NULL && name != NULL &&
        (w != DB || (flags & SQLITE_OPEN_MAIN_DB) != 0)) {
        real[w] = f->pMethods;
        shim[w] = *real[w];
        shim[w].xWrite = shim_write;
        shim[w].xTruncate = shim_truncate;
        shim[w].xSync = shim_sync;
        f->pMethods = &shim[w];
    }
    return rc;
}

/* A file that was removed stays so if its folder was synced. */
static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    if (fails())
        return SQLITE_IOERR_DELETE;
    int rc = real_delete(vfs, name, sync_folder);
    for (int w = LOG; w < FILES && rc == SQLITE_OK && sync_folder; w++)
        if (!fault.over && strcmp(name, file_of(w)) == 0)
            synced[w].there = false;
    return rc;
}

/* SQLite's table of unix files is one for ever, and stays as it is made. */
static void put_shim(void)
{
    assert_int_equal(sqlite3_initialize(), SQLITE_OK);
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    if (vfs->xOpen != shim_open) {
        real_open = vfs->xOpen;
        vfs->xOpen = shim_open;
        real_delete = vfs->xDelete;
        vfs->xDelete = shim_delete;
    }
    if (!store_is_open(&store))
        sqlite3_shutdown();
}

/* ---- what is in every table, as one number ---------------------------------------- */

static uint64_t mix(uint64_t h, const void *p, int n)
{
    const uint8_t *b = p;
    for (int i = 0; i < n; i++)
        h = (h ^ b[i]) * 1099511628211u;
    return (h ^ (uint64_t)n) * 1099511628211u;
}

static uint64_t add_table(sqlite3 *db, const char *name, uint64_t h)
{
    char text[128];
    sqlite3_stmt *st = NULL;
    (void)snprintf(text, sizeof text, "SELECT * FROM %s ORDER BY 1, 2", name);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(st); i++) {
            int type = sqlite3_column_type(st, i);
            h = mix(h, &type, sizeof type);
            h = mix(h, sqlite3_column_blob(st, i), sqlite3_column_bytes(st, i));
        }
    sqlite3_finalize(st);
    return h;
}

static uint64_t dump(void)
{
    static const char *const tables[] = {
        "fleet",   "person",        "member",         "backup_code",
        "token",   "device",        "joinkey",        "invitation",
        "machine", "machine_fleet", "machine_access", "audit"};
    sqlite3 *db = NULL;
    uint64_t h = 14695981039346656037u;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        h = add_table(db, tables[i], h);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return h;
}

/* ---- a store with something of everything -------------------------------------------- */

static struct image whole[FILES]; /* that store, closed */
static uint64_t old_state, new_state;

static struct store_who ada;
static char grace[UUID_CAP], work[UUID_CAP], web_token[UUID_CAP];
static char machine[UUID_CAP], shared[UUID_CAP], waiting[UUID_CAP];
static char keyid[UUID_CAP], invite[UUID_CAP], sign_in[UUID_CAP];

static struct store_secret secret(uint32_t seed)
{
    struct store_secret s = {.expires_ms = NOW + 60 * MINUTE};
    FILL(s.hash, seed);
    FILL(s.random, seed + 1);
    return s;
}

static void q_device(struct store_ask *q)
{
    q->op = STORE_DEVICE_MAKE;
    FILL(q->u.device_make.hash, 7000);
    PUT(q->u.device_make.user_code, "ZZZZZZZZ");
    q->u.device_make.expires_ms = NOW + MINUTE;
}

static void q_decide(struct store_ask *q)
{
    q->op = STORE_DEVICE_DECIDE;
    PUT(q->u.device_decide.fleet_id, ada.fleet_id);
    PUT(q->u.device_decide.person_id, ada.user_id);
    PUT(q->u.device_decide.user_code, "WAITING");
    q->u.device_decide.approve = true;
    BY(q->u.device_decide.actor);
}

static void q_poll(struct store_ask *q)
{
    q->op = STORE_DEVICE_POLL;
    FILL(q->u.device_poll.hash, 7200); /* approved */
    q->u.device_poll.access = secret(7300);
    q->u.device_poll.refresh = secret(7310);
}

static void q_poll_early(struct store_ask *q)
{
    q_poll(q);
    FILL(q->u.device_poll.hash, 7100); /* not decided */
}

static void q_refresh(struct store_ask *q)
{
    q->op = STORE_TOKEN_REFRESH;
    FILL(q->u.token_refresh.hash, 7410);
    q->u.token_refresh.access = secret(7500);
    q->u.token_refresh.refresh = secret(7510);
}

static void q_refresh_again(struct store_ask *q)
{
    q_refresh(q);
    FILL(q->u.token_refresh.hash, 7610); /* its successor is unused */
}

static void q_reuse(struct store_ask *q)
{
    q_refresh(q);
    FILL(q->u.token_refresh.hash, 7810); /* used long ago */
}

static void q_invite(struct store_ask *q)
{
    q->op = STORE_INVITE_MAKE;
    PUT(q->u.invite_make.fleet_id, ada.fleet_id);
    PUT(q->u.invite_make.email, "x@example.org");
    q->u.invite_make.role = STORE_ADMIN;
    FILL(q->u.invite_make.hash, 6000);
    FILL(q->u.invite_make.random, 6001);
    BY(q->u.invite_make.actor);
}

static void q_accept(struct store_ask *q)
{
    q->op = STORE_INVITE_ACCEPT;
    FILL(q->u.invite_answer.hash, 6100);
    PUT(q->u.invite_answer.person_id, grace);
    BY(q->u.invite_answer.actor);
}

static void q_decline(struct store_ask *q)
{
    q_accept(q);
    q->op = STORE_INVITE_DECLINE;
}

static void q_renew(struct store_ask *q)
{
    q->op = STORE_INVITE_RENEW;
    PUT(q->u.invite_renew.fleet_id, work);
    PUT(q->u.invite_renew.id, invite);
    FILL(q->u.invite_renew.hash, 6200);
    BY(q->u.invite_renew.actor);
}

static void q_cancel(struct store_ask *q)
{
    q->op = STORE_INVITE_CANCEL;
    PUT(q->u.revoke.fleet_id, work);
    PUT(q->u.revoke.id, invite);
    BY(q->u.revoke.actor);
}

static void q_person(struct store_ask *q)
{
    *q = person_ask("new", 5000, ada.fleet_id, STORE_MEMBER);
}

static void q_invited(struct store_ask *q)
{
    *q = person_ask("new", 5000, "", STORE_MEMBER);
    q->u.person_make.invited = true;
    FILL(q->u.person_make.invite_hash, 6100);
}

static void q_person_set(struct store_ask *q)
{
    q->op = STORE_PERSON_SET;
    PUT(q->u.person_set.person_id, grace);
    PUT(q->u.person_set.name, "Grace");
    q->u.person_set.has_email = true;
    PUT(q->u.person_set.email, "new@example.org");
    BY(q->u.person_set.actor);
}

static void q_password(struct store_ask *q)
{
    q->op = STORE_PERSON_SET_PASSWORD;
    PUT(q->u.person_set_password.person_id, ada.user_id);
    PUT(q->u.person_set_password.password, "$new");
    PUT(q->u.person_set_password.keep_token_id, web_token);
    BY(q->u.person_set_password.actor);
}

static void q_totp(struct store_ask *q)
{
    q->op = STORE_PERSON_SET_TOTP;
    PUT(q->u.person_set_totp.person_id, ada.user_id);
    q->u.person_set_totp.sealed_len = 60;
    q->u.person_set_totp.codes = 2;
    FILL(q->u.person_set_totp.code_hash[0], 5100);
    FILL(q->u.person_set_totp.code_hash[1], 5101);
    BY(q->u.person_set_totp.actor);
}

static void q_code(struct store_ask *q)
{
    q->op = STORE_BACKUP_CODE_USE;
    PUT(q->u.backup_code_use.person_id, grace);
    FILL(q->u.backup_code_use.hash, 5100);
    BY(q->u.backup_code_use.actor);
}

static void q_tried(struct store_ask *q)
{
    q->op = STORE_PERSON_TRIED;
    PUT(q->u.person_tried.person_id, grace);
    q->u.person_tried.ok = true;
    q->u.person_tried.step = 9;
    BY(q->u.person_tried.actor);
}

static void q_failed(struct store_ask *q)
{
    q_tried(q);
    q->u.person_tried.ok = false;
}

static void q_shut_out(struct store_ask *q)
{
    q->op = STORE_PERSON_ENABLE;
    PUT(q->u.person_enable.person_id, grace);
    BY(q->u.person_enable.actor);
}

static void q_token(struct store_ask *q)
{
    *q = token_ask(&ada, 4000);
}

static void q_check(struct store_ask *q)
{
    q->op = STORE_TOKEN_CHECK;
    FILL(q->u.token_check.hash, 100);
}

static void q_revoke(struct store_ask *q)
{
    q->op = STORE_TOKEN_REVOKE;
    PUT(q->u.token_revoke.fleet_id, ada.fleet_id);
    PUT(q->u.token_revoke.id, web_token);
    BY(q->u.token_revoke.actor);
}

static void q_give_back(struct store_ask *q)
{
    q->op = STORE_TOKEN_REVOKE_HASH;
    FILL(q->u.token_revoke_hash.hash, 7410);
}

static void q_use_fleet(struct store_ask *q)
{
    q->op = STORE_MEMBER_USE_FLEET;
    PUT(q->u.use_fleet.fleet_id, ada.fleet_id);
    PUT(q->u.use_fleet.person_id, ada.user_id);
    PUT(q->u.use_fleet.token_id, sign_in);
    PUT(q->u.use_fleet.to_fleet_id, work);
    BY(q->u.use_fleet.actor);
}

static void q_fleet(struct store_ask *q)
{
    *q = fleet_ask(ada.user_id, "third", 3000);
}

static void q_fleet_set(struct store_ask *q)
{
    q->op = STORE_FLEET_SET;
    PUT(q->u.fleet_set.fleet_id, work);
    PUT(q->u.fleet_set.name, "Work");
    BY(q->u.fleet_set.actor);
}

static void q_fleet_remove(struct store_ask *q)
{
    q->op = STORE_FLEET_REMOVE;
    PUT(q->u.fleet_remove.fleet_id, work);
    BY(q->u.fleet_remove.actor);
}

static void q_role(struct store_ask *q)
{
    q->op = STORE_MEMBER_SET;
    PUT(q->u.member_set.fleet_id, ada.fleet_id);
    PUT(q->u.member_set.person_id, grace);
    q->u.member_set.role = STORE_ADMIN;
    BY(q->u.member_set.actor);
}

static void q_add(struct store_ask *q)
{
    q_role(q);
    PUT(q->u.member_set.fleet_id, work);
    q->u.member_set.add = true;
}

static void q_member_remove(struct store_ask *q)
{
    q->op = STORE_MEMBER_REMOVE;
    PUT(q->u.member_remove.fleet_id, ada.fleet_id);
    PUT(q->u.member_remove.person_id, grace);
    BY(q->u.member_remove.actor);
}

static void q_access(struct store_ask *q)
{
    q->op = STORE_ACCESS_SET;
    PUT(q->u.access_set.fleet_id, ada.fleet_id);
    PUT(q->u.access_set.machine_id, machine);
    PUT(q->u.access_set.person_id, grace);
    q->u.access_set.access = STORE_HIDDEN;
    BY(q->u.access_set.actor);
}

static void q_key(struct store_ask *q)
{
    *q = key_ask(ada.fleet_id, 2000, 5);
}

static void q_key_revoke(struct store_ask *q)
{
    q->op = STORE_JOINKEY_REVOKE;
    PUT(q->u.revoke.fleet_id, ada.fleet_id);
    PUT(q->u.revoke.id, keyid);
    BY(q->u.revoke.actor);
}

static void q_enrol(struct store_ask *q)
{
    *q = enrol_ask(20, 2100, "new");
    memset(q->u.enrol.claim.instance, 3, STORE_INSTANCE);
}

static void q_enrol_waiting(struct store_ask *q)
{
    *q = enrol_ask(30, 2100, "new");
}

static void q_enrol_again(struct store_ask *q)
{
    *q = enrol_ask(20, 1000, "again");
    memset(q->u.enrol.claim.instance, 1, STORE_INSTANCE);
}

static void q_login(struct store_ask *q)
{
    q->op = STORE_MACHINE_LOGIN;
    FILL(q->u.machine_login.public_key, 1000);
    memset(q->u.machine_login.claim.instance, 2, STORE_INSTANCE);
    q->u.machine_login.claim.epoch = 1;
    q->u.machine_login.claim.gone = true;
}

static void q_two_holders(struct store_ask *q)
{
    q_login(q);
    FILL(q->u.machine_login.public_key, 1100); /* holds a confirmed 1 */
    q->u.machine_login.claim.epoch = 0;
}

static void q_rotate(struct store_ask *q)
{
    q_login(q);
    q->u.machine_login.rotates = true;
    FILL(q->u.machine_login.next_key, 2200);
}

static void q_confirm(struct store_ask *q)
{
    q->op = STORE_MACHINE_CONFIRM;
    PUT(q->u.machine_confirm.fleet_id, ada.fleet_id);
    PUT(q->u.machine_confirm.machine_id, machine);
    memset(q->u.machine_confirm.instance, 1, STORE_INSTANCE);
    q->u.machine_confirm.epoch = 1;
}

static void q_seen(struct store_ask *q)
{
    q->op = STORE_MACHINE_SEEN;
    PUT(q->u.machine_seen.fleet_id, ada.fleet_id);
    PUT(q->u.machine_seen.machine_id, machine);
    PUT(q->u.machine_seen.facts.hostname, "other");
}

static void change_of(struct store_ask *q, const char *id,
                      enum store_state_change change)
{
    q->op = STORE_MACHINE_STATE;
    PUT(q->u.machine_state.fleet_id, ada.fleet_id);
    PUT(q->u.machine_state.machine_id, id);
    q->u.machine_state.change = change;
    BY(q->u.machine_state.actor);
}

static void q_approve(struct store_ask *q)
{
    change_of(q, waiting, STORE_APPROVE);
}

static void q_disable(struct store_ask *q)
{
    change_of(q, machine, STORE_DISABLE);
}

static void q_reset(struct store_ask *q)
{
    change_of(q, shared, STORE_RESET);
}

static void q_rename(struct store_ask *q)
{
    q->op = STORE_MACHINE_RENAME;
    PUT(q->u.machine_rename.fleet_id, ada.fleet_id);
    PUT(q->u.machine_rename.machine_id, shared);
    PUT(q->u.machine_rename.name, "renamed");
    BY(q->u.machine_rename.actor);
}

static void q_link(struct store_ask *q)
{
    q->op = STORE_MACHINE_LINK;
    PUT(q->u.machine_link.fleet_id, ada.fleet_id);
    PUT(q->u.machine_link.machine_id, machine);
    PUT(q->u.machine_link.other_id, work);
    BY(q->u.machine_link.actor);
}

static void q_unlink(struct store_ask *q)
{
    q_link(q);
    q->op = STORE_MACHINE_UNLINK;
    PUT(q->u.machine_link.machine_id, shared);
}

static void q_audit(struct store_ask *q)
{
    q->op = STORE_AUDIT;
    BY(q->u.audit.actor);
    PUT(q->u.audit.action, "test");
}

static void q_sweep(struct store_ask *q)
{
    q->op = STORE_SWEEP;
    q->u.sweep.limit = 100;
}

enum lasting { LASTS, MAY_BE_FORGOTTEN };

static const struct question {
    const char *name;
    void (*fill)(struct store_ask *q);
    enum store_outcome outcome;
    enum lasting lasting;
} QUESTIONS[] = {
    {"person.make", q_person, STORE_DONE, LASTS},
    {"person.make invited", q_invited, STORE_DONE, LASTS},
    {"person.set", q_person_set, STORE_DONE, LASTS},
    {"person.set-password", q_password, STORE_DONE, LASTS},
    {"person.set-totp", q_totp, STORE_DONE, LASTS},
    {"person.tried", q_tried, STORE_DONE, LASTS},
    {"person.tried failed", q_failed, STORE_DONE, LASTS},
    {"person.enable", q_shut_out, STORE_DONE, LASTS},
    {"backup-code.use", q_code, STORE_DONE, LASTS},
    {"token.make", q_token, STORE_DONE, LASTS},
    {"token.check", q_check, STORE_DONE, MAY_BE_FORGOTTEN},
    {"token.revoke", q_revoke, STORE_DONE, LASTS},
    {"token.revoke-hash", q_give_back, STORE_DONE, LASTS},
    {"token.refresh", q_refresh, STORE_DONE, LASTS},
    {"token.refresh again", q_refresh_again, STORE_DONE, LASTS},
    {"token.refresh reused", q_reuse, STORE_REUSED, LASTS},
    {"device.make", q_device, STORE_DONE, MAY_BE_FORGOTTEN},
    {"device.decide", q_decide, STORE_DONE, LASTS},
    {"device.poll", q_poll, STORE_DONE, LASTS},
    {"device.poll early", q_poll_early, STORE_PENDING, MAY_BE_FORGOTTEN},
    {"fleet.make", q_fleet, STORE_DONE, LASTS},
    {"fleet.set", q_fleet_set, STORE_DONE, LASTS},
    {"fleet.remove", q_fleet_remove, STORE_DONE, LASTS},
    {"member.set", q_role, STORE_DONE, LASTS},
    {"member.set add", q_add, STORE_DONE, LASTS},
    {"member.remove", q_member_remove, STORE_DONE, LASTS},
    {"member.use-fleet", q_use_fleet, STORE_DONE, LASTS},
    {"invite.make", q_invite, STORE_DONE, LASTS},
    {"invite.renew", q_renew, STORE_DONE, LASTS},
    {"invite.cancel", q_cancel, STORE_DONE, LASTS},
    {"invite.accept", q_accept, STORE_DONE, LASTS},
    {"invite.decline", q_decline, STORE_DONE, LASTS},
    {"access.set", q_access, STORE_DONE, LASTS},
    {"joinkey.make", q_key, STORE_DONE, LASTS},
    {"joinkey.revoke", q_key_revoke, STORE_DONE, LASTS},
    {"enrol", q_enrol, STORE_DONE, LASTS},
    {"enrol waiting", q_enrol_waiting, STORE_PENDING, LASTS},
    {"enrol again", q_enrol_again, STORE_DONE, LASTS},
    {"machine.login", q_login, STORE_DONE, LASTS},
    {"machine.login two", q_two_holders, STORE_QUARANTINED, LASTS},
    {"machine.login rotates", q_rotate, STORE_DONE, LASTS},
    {"machine.confirm", q_confirm, STORE_DONE, MAY_BE_FORGOTTEN},
    {"machine.seen", q_seen, STORE_DONE, MAY_BE_FORGOTTEN},
    {"machine.state approve", q_approve, STORE_DONE, LASTS},
    {"machine.state disable", q_disable, STORE_DONE, LASTS},
    {"machine.state reset", q_reset, STORE_DONE, LASTS},
    {"machine.rename", q_rename, STORE_DONE, LASTS},
    {"machine.link", q_link, STORE_DONE, LASTS},
    {"machine.unlink", q_unlink, STORE_DONE, LASTS},
    {"audit", q_audit, STORE_DONE, LASTS},
    {"sweep", q_sweep, STORE_DONE, MAY_BE_FORGOTTEN},
};

#define COUNT (sizeof QUESTIONS / sizeof *QUESTIONS)

static struct store_ask question(void (*fill_in)(struct store_ask *))
{
    struct store_ask q = ask_of(STORE_AUDIT);
    fill_in(&q);
    q.ctx = &got;
    q.answer = on_answer;
    q.row = on_row;
    return q;
}

/* Signed in by device flow, refreshed `times`: refresh tokens seed + 10,
 * seed + 30, seed + 50. */
static void signed_in(uint32_t seed, int times)
{
    char code[STORE_CODE_CAP];
    (void)snprintf(code, sizeof code, "S%u", seed);
    struct store_ask q = question(q_device);
    FILL(q.u.device_make.hash, seed);
    PUT(q.u.device_make.user_code, code);
    ASK(q, STORE_DONE);
    q = question(q_decide);
    PUT(q.u.device_decide.user_code, code);
    ASK(q, STORE_DONE);
    q = question(q_poll);
    FILL(q.u.device_poll.hash, seed);
    q.u.device_poll.access = secret(seed + 1);
    q.u.device_poll.refresh = secret(seed + 10);
    ASK(q, STORE_DONE);
    PUT(sign_in, got.last.u.who.token_id);
    for (int i = 0; i < times; i++) {
        q = question(q_refresh);
        FILL(q.u.token_refresh.hash, seed + 10 + 20 * (uint32_t)i);
        q.u.token_refresh.access = secret(seed + 21 + 20 * (uint32_t)i);
        q.u.token_refresh.refresh = secret(seed + 30 + 20 * (uint32_t)i);
        ASK(q, STORE_DONE);
    }
}

static void make_people(void)
{
    struct store_ask q;
    ada = setup();
    PUT(grace, make_person("grace", 5200, ada.fleet_id, STORE_MEMBER).id);
    PUT(work, make_fleet(ada.user_id, "work", 5300).id);
    q = question(q_totp);
    PUT(q.u.person_set_totp.person_id, grace);
    ASK(q, STORE_DONE);
    q = token_ask(&ada, 100);
    ASK(q, STORE_DONE);
    q = token_ask(&ada, 200);
    q.u.token_make.kind = STORE_WEB;
    ASK(q, STORE_DONE);
    PUT(web_token, got.last.u.who.token_id);
    q = token_ask(&ada, 300); /* for PERSON_ENABLE and MEMBER_REMOVE */
    PUT(q.u.token_make.user_id, grace);
    q.u.token_make.kind = STORE_WEB;
    ASK(q, STORE_DONE);
    q = token_ask(&ada, 400); /* over for long: for SWEEP */
    q.u.token_make.secret.expires_ms = 1;
    ASK(q, STORE_DONE);
    q = question(q_invite);
    PUT(q.u.invite_make.fleet_id, work);
    FILL(q.u.invite_make.hash, 6100);
    FILL(q.u.invite_make.random, 6101);
    ASK(q, STORE_DONE);
    PUT(invite, got.last.u.invite.id);
}

static void make_sign_ins(void)
{
    struct store_ask q;
    signed_in(7600, 1);
    signed_in(7800, 2);
    signed_in(7400, 0);
    q = question(q_device);
    FILL(q.u.device_make.hash, 7100);
    PUT(q.u.device_make.user_code, "WAITING");
    ASK(q, STORE_DONE);
    FILL(q.u.device_make.hash, 7200);
    PUT(q.u.device_make.user_code, "APPROVED");
    ASK(q, STORE_DONE);
    q = question(q_decide);
    PUT(q.u.device_decide.user_code, "APPROVED");
    ASK(q, STORE_DONE);
}

static void make_machines(void)
{
    struct store_ask q;
    PUT(keyid, make_key(ada.fleet_id, 20, 0).id);
    q = key_ask(ada.fleet_id, 30, 0);
    q.u.joinkey_make.approval = true;
    ASK(q, STORE_DONE);
    q = enrol_ask(20, 1000, "web");
    memset(q.u.enrol.claim.instance, 1, STORE_INSTANCE);
    ASK(q, STORE_DONE);
    PUT(machine, got.last.u.machine.id);
    q = enrol_ask(20, 1100, "shared");
    memset(q.u.enrol.claim.instance, 1, STORE_INSTANCE);
    ASK(q, STORE_DONE);
    PUT(shared, got.last.u.machine.id);
    q = enrol_ask(30, 1200, "waiting");
    ASK(q, STORE_PENDING);
    PUT(waiting, got.last.u.machine.id);
    q = question(q_link);
    PUT(q.u.machine_link.machine_id, shared);
    ASK(q, STORE_DONE);
    q = question(q_confirm);
    PUT(q.u.machine_confirm.machine_id, shared);
    ASK(q, STORE_DONE);
    q = question(q_access);
    PUT(q.u.access_set.machine_id, shared);
    ASK(q, STORE_DONE);
}

static int begin_whole(void **state)
{
    int err = begin(state);
    if (err != 0)
        return err;
    memset(&fault, 0, sizeof fault);
    put_shim();
    make_people();
    make_sign_ins();
    make_machines();
    old_state = dump();
    store_close(&store);
    for (int f = 0; f < FILES; f++)
        take(f, &whole[f]);
    assert_false(whole[LOG].there);
    return open_at(path);
}

/* ---- one run ---------------------------------------------------------------------------- */

static void put_files(const struct image from[FILES])
{
    char shm[160];
    for (int f = 0; f < FILES; f++)
        put(f, &from[f]);
    (void)snprintf(shm, sizeof shm, "%s-shm", path);
    (void)unlink(shm);
}

/* What a disk may hold after the cut: only what was synced; everything; of
 * each sector one or the other. */
static void put_cut(int variant)
{
    static struct image cut[FILES];
    uint32_t seed = (uint32_t)fault.at * 31 + 7;
    for (int f = 0; f < FILES; f++) {
        cut[f] = variant == 0 ? synced[f] : seen[f];
        for (size_t at = 0; variant == 2 && at < cut[f].len; at += SECTOR) {
            seed = seed * 1664525 + 1013904223;
            size_t n = cut[f].len - at < SECTOR ? cut[f].len - at : SECTOR;
            if ((seed >> 16 & 1) == 0)
                continue;
            memset(cut[f].bytes + at, 0, n);
            if (at < synced[f].len)
                memcpy(cut[f].bytes + at, synced[f].bytes + at,
                       n < synced[f].len - at ? n : synced[f].len - at);
        }
    }
    put_files(cut);
}

static uint64_t state_now(void)
{
    int err = open_at(path);
    if (err != OK)
        print_error("%s\n", store_why(&store));
    assert_int_equal(err, OK);
    uint64_t h = dump();
    store_close(&store);
    return h;
}

/* Asks; true when it was told what it is told without faults. */
static bool ask_once(const struct question *c)
{
    struct store_ask q = question(c->fill);
    int before = got.count;
    if (open_at(path) != OK)
        return false;
    assert_int_equal(store_ask(&store, &q), OK);
    for (int i = 0; i < 5 && store_pending(&store); i++)
        (void)store_turn(&store, NOW + 1000);
    bool told = got.count > before && got.last.err == OK;
    fault.asked = fault.calls;
    if (told && got.last.outcome != c->outcome)
        print_error("%s says %s\n", c->name,
                    store_outcome_str(got.last.outcome));
    assert_true(!told || got.last.outcome == c->outcome);
    store_close(&store); /* this may fail, too */
    return told;
}

static void check_state(const struct question *c, bool must_be_new)
{
    uint64_t h = state_now();
    if (h != new_state && (must_be_new || h != old_state))
        print_error("%s, call %d (%s): %s\n", c->name, fault.at,
                    fault.always ? "power cut" : "one failure",
                    h == old_state ? "told, and not there" : "neither");
    assert_true(h == new_state || (!must_be_new && h == old_state));
}

/* From here on the n-th call fails, of those that come. */
static void arm(int n, bool always)
{
    memcpy(synced, whole, sizeof whole);
    put_files(whole);
    fault.calls = 0;
    fault.at = n;
    fault.always = always;
    fault.over = false;
}

/* One run with the n-th call failing; true when it came that far. */
static bool run(const struct question *c, int n, bool always)
{
    arm(n, always);
    bool told = ask_once(c);
    bool hit = fault.calls >= n;
    fault.over = true;
    if (!hit || !always) {
        check_state(c, told && (!hit || c->lasting == LASTS));
        return hit;
    }
    for (int variant = n % 2; variant < 3; variant += 2) { /* 0 and 2, or 1 */
        put_cut(variant);
        check_state(c, told && c->lasting == LASTS);
    }
    return true;
}

/* What follows the answer is the log folded in, page by page, at the end of
 * every question alike: not each of its writes is looked at each time. */
static int step_after(int n)
{
    return n > fault.asked ? 7 : 1;
}

static void a_question_is_done_or_not(void **state)
{
    int runs = 0;
    (void)state;
    store_close(&store);
    for (size_t i = 0; i < COUNT; i++) {
        const struct question *c = &QUESTIONS[i];
        put_files(whole);
        memset(&fault, 0, sizeof fault);
        assert_true(ask_once(c));
        new_state = state_now();
        if (new_state == old_state)
            print_error("%s writes nothing\n", c->name);
        assert_true(new_state != old_state);
        for (int always = 0; always < 2; always++)
            for (int n = 1; run(c, n, always); n += step_after(n), runs++)
                assert_true(n < 300);
    }
    print_message("%d faults in %zu questions\n", runs, COUNT);
    assert_true(runs > (int)COUNT * 4);
}

/* ---- the first start, and the way up from schema 1 ------------------------------------------ */

static bool first_start(int n)
{
    arm(n, true);
    bool told = false;
    if (open_at(path) == OK) {
        struct store_ask q = ask_of(STORE_SETUP);
        PUT(q.u.setup.fleet_name, "Home");
        PUT(q.u.setup.user_name, "ada");
        told = ask_at(&q, NOW)->err == OK;
        store_close(&store);
    }
    bool hit = fault.calls >= n;
    fault.over = true;
    for (int variant = 0; hit && variant < 3; variant++) {
        /* The file's own entry in its folder is not what is tested here. */
        synced[DB].there = seen[DB].there;
        put_cut(variant);
        assert_int_equal(open_at(path), OK);
        long fleets = sql("SELECT count(*) FROM fleet");
        assert_true(fleets == 1 || (fleets == 0 && !told));
        assert_int_equal(sql("SELECT count(*) FROM member"), fleets);
        assert_int_equal(sql("SELECT count(*) FROM audit"), fleets);
        assert_true(fleets == 1 || setup().created);
        store_close(&store);
    }
    return hit;
}

static void a_first_start_is_done_or_not(void **state)
{
    int n = 1;
    (void)state;
    put_shim();
    store_close(&store);
    memset(whole, 0, sizeof whole); /* nothing */
    while (first_start(n))
        assert_true(++n < 500);
    assert_true(n > 10);
    print_message("%d power cuts\n", n - 1);
}

static void the_way_up_loses_nothing(void **state)
{
    int n = 0;
    bool hit = true;
    (void)state;
    put_shim();
    store_close(&store);
    (void)unlink(path);
    sql(V1_TABLES);
    sql(V1_ROWS);
    sql("PRAGMA journal_mode = WAL"); /* as it was */
    assert_int_equal(chmod(path, 0600), 0);
    for (int f = 0; f < FILES; f++)
        take(f, &whole[f]);
    uint64_t up = state_now();
    while (hit) {
        arm(++n, true);
        if (open_at(path) == OK)
            store_close(&store);
        hit = fault.calls >= n;
        fault.over = true;
        for (int variant = 0; hit && variant < 3; variant++) {
            put_cut(variant);
            assert_true(state_now() == up);
        }
    }
    assert_true(n > 10);
    print_message("%d power cuts\n", n - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_question_is_done_or_not, begin_whole,
                                        finish),
        cmocka_unit_test_setup_teardown(a_first_start_is_done_or_not, begin,
                                        finish),
        cmocka_unit_test_setup_teardown(the_way_up_loses_nothing, begin,
                                        finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
