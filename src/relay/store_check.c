/* The rules for inputs, one function for each shape; see store_check.h. */
#include "relay/store_check.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

#define TEXT_MAX STORE_NETS_CAP /* the largest text field */

/* ---- what a field may hold ------------------------------------------------------ */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The first characters of a UUID, at least `min` of them. */
static bool is_id(const char id[UUID_CAP], size_t min)
{
    size_t n = 0;

    for (; n < UUID_CAP && id[n] != '\0'; n++) {
        bool dash = n == 8 || n == 13 || n == 18 || n == 23;
        if (dash ? id[n] != '-' : !is_hex(id[n]))
            return false;
    }
    return n >= min && n < UUID_CAP;
}

static bool is_uuid(const char id[UUID_CAP])
{
    return is_id(id, UUID_CAP - 1);
}

static bool is_uuid_or_empty(const char id[UUID_CAP])
{
    return id[0] == '\0' || is_uuid(id);
}

/* Ends inside its field and holds nothing that text_safe would change. */
static bool is_text(const char *s, size_t cap)
{
    char safe[TEXT_MAX * 4];
    struct text t;
    const char *end = memchr(s, '\0', cap);

    assert(cap <= TEXT_MAX);
    if (end == NULL)
        return false;
    struct view v = view_of(s, (size_t)(end - s));
    TEXT_OF(&t, safe);
    text_safe(&t, v);
    return view_eq(text_done(&t), v);
}

/* The same, and something of it can be seen. */
static bool is_name(const char *s, size_t cap)
{
    return is_text(s, cap) && !text_is_blank(view_str(s));
}

#define IS_TEXT(field) is_text((field), sizeof(field))
#define IS_NAME(field) is_name((field), sizeof(field))

bool store_is_login(struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] <= ' ' || v.ptr[i] > '~')
            return false;
    return v.len > 0 && v.len < STORE_LOGIN_CAP;
}

static bool is_login(const char login[STORE_LOGIN_CAP])
{
    return is_text(login, STORE_LOGIN_CAP) && store_is_login(view_str(login));
}

/* Lower-case letters and digits, with single hyphens between them. */
static bool is_slug(const char slug[STORE_SLUG_CAP])
{
    size_t n = 0;

    for (; n < STORE_SLUG_CAP && slug[n] != '\0'; n++) {
        char c = slug[n];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!word && (c != '-' || n == 0 || slug[n - 1] == '-'))
            return false;
    }
    return n < STORE_SLUG_CAP && (n == 0 || slug[n - 1] != '-');
}

static bool is_role(enum store_role role)
{
    return role >= STORE_OWNER && role <= STORE_VIEWER;
}

static bool is_actor(const struct store_actor *a)
{
    return IS_NAME(a->kind) && IS_TEXT(a->name);
}

static bool is_page(const struct store_list *l)
{
    return IS_TEXT(l->after_name) && is_uuid_or_empty(l->after_id);
}

static bool is_secret(const struct store_secret *s)
{
    return IS_TEXT(s->prefix) && s->expires_ms >= 0;
}

/* ---- people ---------------------------------------------------------------------- */

static bool person_make(const struct store_ask *q)
{
    const struct store_person_make *in = &q->u.person_make;

    return is_uuid_or_empty(in->fleet_id) && is_role(in->role) &&
           is_login(in->login) && IS_NAME(in->name) && IS_TEXT(in->email) &&
           IS_TEXT(in->password) && is_actor(&in->actor) &&
           !(in->invited && in->fleet_id[0] != '\0');
}

static bool person_by_login(const struct store_ask *q)
{
    return is_login(q->u.person_by_login.login);
}

static bool person_by_id(const struct store_ask *q)
{
    return is_uuid(q->u.person_by_id.person_id);
}

static bool person_list(const struct store_ask *q)
{
    return q->u.list.fleet_id[0] == '\0' && is_page(&q->u.list);
}

static bool person_set(const struct store_ask *q)
{
    const struct store_person_set *in = &q->u.person_set;

    bool named = in->name[0] != '\0';

    return is_uuid(in->person_id) && (IS_NAME(in->name) || !named) &&
           IS_TEXT(in->email) && (in->has_email || named) &&
           is_actor(&in->actor);
}

static bool person_set_password(const struct store_ask *q)
{
    const struct store_person_set_password *in = &q->u.person_set_password;

    return is_uuid(in->person_id) && IS_TEXT(in->password) &&
           is_uuid_or_empty(in->keep_token_id) && is_actor(&in->actor);
}

static bool person_set_totp(const struct store_ask *q)
{
    const struct store_person_set_totp *in = &q->u.person_set_totp;

    return is_uuid(in->person_id) && in->sealed_len <= STORE_SEALED_CAP &&
           in->step >= 0 && in->codes <= STORE_CODES_MAX &&
           is_actor(&in->actor);
}

static bool person_tried(const struct store_ask *q)
{
    const struct store_person_tried *in = &q->u.person_tried;

    return is_uuid(in->person_id) && in->step >= 0 && IS_TEXT(in->address) &&
           is_actor(&in->actor);
}

static bool person_enable(const struct store_ask *q)
{
    return is_uuid(q->u.person_enable.person_id) &&
           is_actor(&q->u.person_enable.actor);
}

static bool backup_code_use(const struct store_ask *q)
{
    return is_uuid(q->u.backup_code_use.person_id) &&
           is_actor(&q->u.backup_code_use.actor);
}

/* ---- tokens ----------------------------------------------------------------------- */

static bool token_make(const struct store_ask *q)
{
    const struct store_token_make *in = &q->u.token_make;

    return is_uuid(in->fleet_id) && is_uuid(in->user_id) &&
           in->kind >= STORE_CLI && in->kind <= STORE_APIKEY &&
           IS_TEXT(in->password) && is_uuid_or_empty(in->family) &&
           IS_TEXT(in->label) && IS_TEXT(in->scope) && is_secret(&in->secret) &&
           is_actor(&in->actor);
}

static bool token_list(const struct store_ask *q)
{
    const struct store_token_list *in = &q->u.token_list;

    return is_uuid_or_empty(in->list.fleet_id) &&
           is_uuid_or_empty(in->person_id) && is_page(&in->list) &&
           (in->list.fleet_id[0] != '\0' || in->person_id[0] != '\0');
}

static bool token_revoke(const struct store_ask *q)
{
    const struct store_token_revoke *in = &q->u.token_revoke;

    return is_uuid_or_empty(in->fleet_id) && is_uuid_or_empty(in->person_id) &&
           is_id(in->id, STORE_PREFIX_MIN) && is_actor(&in->actor) &&
           (in->fleet_id[0] != '\0' || in->person_id[0] != '\0');
}

static bool token_refresh(const struct store_ask *q)
{
    const struct store_token_refresh *in = &q->u.token_refresh;

    return is_secret(&in->access) && is_secret(&in->refresh) &&
           IS_TEXT(in->address);
}

static bool use_fleet(const struct store_ask *q)
{
    const struct store_use_fleet *in = &q->u.use_fleet;

    return is_uuid(in->fleet_id) && is_uuid(in->token_id) &&
           is_uuid(in->person_id) && is_uuid(in->to_fleet_id) &&
           is_actor(&in->actor);
}

static bool device_make(const struct store_ask *q)
{
    const struct store_device_make *in = &q->u.device_make;

    return IS_NAME(in->user_code) && IS_TEXT(in->scope) && in->expires_ms > 0;
}

static bool device_by_code(const struct store_ask *q)
{
    return IS_NAME(q->u.device_by_code.user_code);
}

static bool device_decide(const struct store_ask *q)
{
    const struct store_device_decide *in = &q->u.device_decide;

    return is_uuid_or_empty(in->fleet_id) && is_uuid(in->person_id) &&
           (in->fleet_id[0] != '\0' || !in->approve) &&
           IS_NAME(in->user_code) && is_actor(&in->actor);
}

static bool device_poll(const struct store_ask *q)
{
    const struct store_device_poll *in = &q->u.device_poll;

    return in->interval_ms >= 0 && is_secret(&in->access) &&
           is_secret(&in->refresh);
}

/* ---- fleets ------------------------------------------------------------------------ */

static bool setup(const struct store_ask *q)
{
    return IS_NAME(q->u.setup.fleet_name) && IS_NAME(q->u.setup.user_name);
}

static bool fleet_make(const struct store_ask *q)
{
    const struct store_fleet_make *in = &q->u.fleet_make;

    return is_uuid(in->person_id) && IS_NAME(in->name) && is_slug(in->slug) &&
           (in->kind == STORE_PERSONAL || in->kind == STORE_TEAM) &&
           is_actor(&in->actor);
}

static bool fleet_get(const struct store_ask *q)
{
    return is_uuid(q->u.fleet_get.fleet_id) &&
           is_uuid_or_empty(q->u.fleet_get.person_id);
}

static bool fleet_list(const struct store_ask *q)
{
    return is_uuid_or_empty(q->u.fleet_list.person_id) &&
           is_page(&q->u.fleet_list.list);
}

static bool fleet_set(const struct store_ask *q)
{
    const struct store_fleet_set *in = &q->u.fleet_set;

    return is_uuid(in->fleet_id) && IS_NAME(in->name) &&
           IS_TEXT(in->policy.ip_allow) && in->policy.session_ms >= 0 &&
           in->policy.mode >= STORE_MODE_DEFAULT &&
           in->policy.mode <= STORE_MODE_BYPASS && is_actor(&in->actor);
}

static bool fleet_remove(const struct store_ask *q)
{
    return is_uuid(q->u.fleet_remove.fleet_id) &&
           is_actor(&q->u.fleet_remove.actor);
}

static bool member_set(const struct store_ask *q)
{
    const struct store_member_set *in = &q->u.member_set;

    return is_uuid(in->fleet_id) && is_uuid(in->person_id) &&
           is_role(in->role) && is_role(in->most) && is_actor(&in->actor);
}

static bool member_remove(const struct store_ask *q)
{
    const struct store_member_remove *in = &q->u.member_remove;

    return is_uuid(in->fleet_id) && is_uuid(in->person_id) &&
           is_role(in->most) && is_actor(&in->actor);
}

static bool invite_make(const struct store_ask *q)
{
    const struct store_invite_make *in = &q->u.invite_make;

    return is_uuid(in->fleet_id) && IS_NAME(in->email) && is_role(in->role) &&
           in->role != STORE_OWNER && in->expires_ms >= 0 &&
           is_actor(&in->actor);
}

static bool invite_renew(const struct store_ask *q)
{
    const struct store_invite_renew *in = &q->u.invite_renew;

    return is_uuid(in->fleet_id) && is_id(in->id, STORE_PREFIX_MIN) &&
           in->expires_ms >= 0 && is_actor(&in->actor);
}

static bool invite_accept(const struct store_ask *q)
{
    return is_uuid(q->u.invite_answer.person_id) &&
           is_actor(&q->u.invite_answer.actor);
}

static bool invite_decline(const struct store_ask *q)
{
    return is_actor(&q->u.invite_answer.actor);
}

static bool access_set(const struct store_ask *q)
{
    const struct store_access_set *in = &q->u.access_set;

    return is_uuid(in->fleet_id) && is_uuid(in->machine_id) &&
           is_uuid(in->person_id) && in->access >= STORE_FULL &&
           in->access <= STORE_HIDDEN && is_actor(&in->actor);
}

static bool access_list(const struct store_ask *q)
{
    const struct store_access_list *in = &q->u.access_list;

    return is_uuid(in->list.fleet_id) && is_page(&in->list) &&
           is_uuid_or_empty(in->machine_id) &&
           is_uuid_or_empty(in->person_id) &&
           is_uuid_or_empty(in->after_person);
}

static bool access_of(const struct store_ask *q)
{
    const struct store_access_of *in = &q->u.access_of;

    return is_uuid(in->fleet_id) && is_uuid(in->machine_id) &&
           is_uuid(in->person_id);
}

/* ---- machines ---------------------------------------------------------------------- */

static bool joinkey_make(const struct store_ask *q)
{
    const struct store_joinkey_make *in = &q->u.joinkey_make;

    return is_uuid(in->fleet_id) && IS_TEXT(in->label) && IS_TEXT(in->labels) &&
           in->expires_ms >= 0 && is_actor(&in->actor);
}

/* An epoch is a number that SQL and JSON can hold. */
static bool is_epoch(uint64_t epoch)
{
    return epoch <= INT64_MAX / 2;
}

static bool enrol(const struct store_ask *q)
{
    return IS_NAME(q->u.enrol.name) && is_epoch(q->u.enrol.claim.epoch);
}

static bool machine_login(const struct store_ask *q)
{
    return is_epoch(q->u.machine_login.claim.epoch);
}

static bool machine_confirm(const struct store_ask *q)
{
    return is_uuid(q->u.machine_confirm.fleet_id) &&
           is_uuid(q->u.machine_confirm.machine_id) &&
           is_epoch(q->u.machine_confirm.epoch);
}

static bool machine_seen(const struct store_ask *q)
{
    return is_uuid(q->u.machine_seen.fleet_id) &&
           is_uuid(q->u.machine_seen.machine_id);
}

static bool machine_get(const struct store_ask *q)
{
    return is_uuid(q->u.machine_get.fleet_id) &&
           is_uuid(q->u.machine_get.machine_id);
}

static bool machine_state(const struct store_ask *q)
{
    const struct store_machine_state *in = &q->u.machine_state;

    return is_uuid(in->fleet_id) && is_uuid(in->machine_id) &&
           in->change >= STORE_APPROVE && in->change <= STORE_RESET &&
           IS_TEXT(in->why) && is_actor(&in->actor);
}

static bool machine_rename(const struct store_ask *q)
{
    const struct store_machine_rename *in = &q->u.machine_rename;

    return is_uuid(in->fleet_id) && is_uuid(in->machine_id) &&
           IS_NAME(in->name) && is_actor(&in->actor);
}

static bool machine_link(const struct store_ask *q)
{
    const struct store_machine_link *in = &q->u.machine_link;

    return is_uuid(in->fleet_id) && is_uuid(in->machine_id) &&
           is_uuid(in->other_id) && is_actor(&in->actor);
}

static bool machine_fleets(const struct store_ask *q)
{
    const struct store_machine_fleets *in = &q->u.machine_fleets;

    return is_uuid(in->list.fleet_id) && is_uuid(in->machine_id) &&
           is_page(&in->list);
}

/* ---- several ------------------------------------------------------------------------ */

static bool anything(const struct store_ask *q)
{
    (void)q;
    return true; /* a hash, or a public key: any bytes may be one */
}

static bool list(const struct store_ask *q)
{
    return is_uuid(q->u.list.fleet_id) && is_page(&q->u.list);
}

static bool revoke(const struct store_ask *q)
{
    return is_uuid(q->u.revoke.fleet_id) &&
           is_id(q->u.revoke.id, STORE_PREFIX_MIN) &&
           is_actor(&q->u.revoke.actor);
}

static bool audit(const struct store_ask *q)
{
    const struct store_audit *a = &q->u.audit;

    return a->at_ms >= 0 && is_uuid_or_empty(a->fleet_id) &&
           is_actor(&a->actor) && IS_NAME(a->action) && IS_TEXT(a->object) &&
           IS_TEXT(a->outcome) && IS_TEXT(a->detail);
}

static bool audit_list(const struct store_ask *q)
{
    return is_uuid_or_empty(q->u.list.fleet_id) && q->u.list.after_ms >= 0;
}

static bool sweep(const struct store_ask *q)
{
    return q->u.sweep.limit > 0;
}

/* ---- the table ------------------------------------------------------------------------ */

struct rule {
    bool (*holds)(const struct store_ask *q);
    bool is_list; /* hands rows over */
};

static const struct rule RULES[STORE_OP_COUNT] = {
    [STORE_SETUP] = {setup, false},
    [STORE_PERSON_MAKE] = {person_make, false},
    [STORE_PERSON_BY_LOGIN] = {person_by_login, false},
    [STORE_PERSON_BY_ID] = {person_by_id, false},
    [STORE_PERSON_LIST] = {person_list, true},
    [STORE_PERSON_SET] = {person_set, false},
    [STORE_PERSON_SET_PASSWORD] = {person_set_password, false},
    [STORE_PERSON_SET_TOTP] = {person_set_totp, false},
    [STORE_PERSON_TRIED] = {person_tried, false},
    [STORE_PERSON_ENABLE] = {person_enable, false},
    [STORE_BACKUP_CODE_USE] = {backup_code_use, false},
    [STORE_TOKEN_MAKE] = {token_make, false},
    [STORE_TOKEN_CHECK] = {anything, false},
    [STORE_TOKEN_LIST] = {token_list, true},
    [STORE_TOKEN_REVOKE] = {token_revoke, false},
    [STORE_TOKEN_REVOKE_HASH] = {anything, false},
    [STORE_TOKEN_REFRESH] = {token_refresh, false},
    [STORE_DEVICE_MAKE] = {device_make, false},
    [STORE_DEVICE_BY_CODE] = {device_by_code, false},
    [STORE_DEVICE_DECIDE] = {device_decide, false},
    [STORE_DEVICE_POLL] = {device_poll, false},
    [STORE_FLEET_MAKE] = {fleet_make, false},
    [STORE_FLEET_GET] = {fleet_get, false},
    [STORE_FLEET_LIST] = {fleet_list, true},
    [STORE_FLEET_SET] = {fleet_set, false},
    [STORE_FLEET_REMOVE] = {fleet_remove, false},
    [STORE_MEMBER_LIST] = {list, true},
    [STORE_MEMBER_SET] = {member_set, false},
    [STORE_MEMBER_REMOVE] = {member_remove, false},
    [STORE_MEMBER_USE_FLEET] = {use_fleet, false},
    [STORE_INVITE_MAKE] = {invite_make, false},
    [STORE_INVITE_RENEW] = {invite_renew, false},
    [STORE_INVITE_LIST] = {list, true},
    [STORE_INVITE_CANCEL] = {revoke, false},
    [STORE_INVITE_BY_HASH] = {anything, false},
    [STORE_INVITE_ACCEPT] = {invite_accept, false},
    [STORE_INVITE_DECLINE] = {invite_decline, false},
    [STORE_ACCESS_SET] = {access_set, false},
    [STORE_ACCESS_LIST] = {access_list, true},
    [STORE_ACCESS_OF] = {access_of, false},
    [STORE_JOINKEY_MAKE] = {joinkey_make, false},
    [STORE_JOINKEY_LIST] = {list, true},
    [STORE_JOINKEY_REVOKE] = {revoke, false},
    [STORE_ENROL] = {enrol, false},
    [STORE_MACHINE_LOGIN] = {machine_login, false},
    [STORE_MACHINE_CONFIRM] = {machine_confirm, false},
    [STORE_MACHINE_SEEN] = {machine_seen, false},
    [STORE_MACHINE_GET] = {machine_get, false},
    [STORE_MACHINE_LIST] = {list, true},
    [STORE_MACHINE_STATE] = {machine_state, false},
    [STORE_MACHINE_RENAME] = {machine_rename, false},
    [STORE_MACHINE_LINK] = {machine_link, false},
    [STORE_MACHINE_UNLINK] = {machine_link, false},
    [STORE_MACHINE_FLEETS] = {machine_fleets, true},
    [STORE_AUDIT] = {audit, false},
    [STORE_AUDIT_LIST] = {audit_list, true},
    [STORE_SWEEP] = {sweep, false},
};

bool store_check(const struct store_ask *q)
{
    if ((unsigned)q->op >= STORE_OP_COUNT)
        return false;
    const struct rule *r = &RULES[q->op];
    return r->holds != NULL && (q->row != NULL || !r->is_list) && r->holds(q);
}

/* ---- cleaned, not refused ----------------------------------------------------------- */

/* The length of `v` without a UTF-8 sequence that was cut at its end; the
 * rest of v is well formed. */
static size_t whole_len(struct view v)
{
    size_t at = v.len;
    size_t need = 1;

    while (at > 0 && v.len - at < 4 && (v.ptr[at - 1] & 0xc0) == 0x80)
        at--;
    if (at == 0)
        return 0;
    uint8_t lead = v.ptr[at - 1];
    if (lead >= 0xc0)
        need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    return v.len - (at - 1) < need ? at - 1 : v.len;
}

static void clean(char *field, size_t cap)
{
    char safe[64]; /* the largest field of facts and clients */
    struct text t;
    const char *end = memchr(field, '\0', cap);

    assert(cap <= sizeof safe);
    text_init(&t, safe, cap);
    text_safe(&t, view_of(field, end != NULL ? (size_t)(end - field) : cap));
    memset(field, 0, cap);
    memcpy(field, safe, whole_len(text_done(&t)));
}

#define CLEAN(field) clean((field), sizeof(field))

static void clean_facts(struct store_facts *f)
{
    CLEAN(f->hostname);
    CLEAN(f->os);
    CLEAN(f->os_version);
    CLEAN(f->architecture);
    CLEAN(f->agent_version);
}

static void clean_client(struct store_client *c)
{
    CLEAN(c->name);
    CLEAN(c->host);
    CLEAN(c->platform);
    CLEAN(c->version);
    CLEAN(c->address);
}

static void lower(char *s, size_t cap)
{
    for (size_t i = 0; i < cap && s[i] != '\0'; i++)
        if (s[i] >= 'A' && s[i] <= 'Z')
            s[i] = (char)(s[i] - 'A' + 'a');
}

#define LOWER(field) lower((field), sizeof(field))

void store_clean(struct store_ask *q)
{
    if (q->op == STORE_ENROL)
        clean_facts(&q->u.enrol.facts);
    if (q->op == STORE_MACHINE_SEEN)
        clean_facts(&q->u.machine_seen.facts);
    if (q->op == STORE_TOKEN_MAKE)
        clean_client(&q->u.token_make.client);
    if (q->op == STORE_DEVICE_MAKE)
        clean_client(&q->u.device_make.client);
    if (q->op == STORE_PERSON_MAKE) {
        LOWER(q->u.person_make.login);
        LOWER(q->u.person_make.email);
    }
    if (q->op == STORE_PERSON_SET)
        LOWER(q->u.person_set.email);
    if (q->op == STORE_PERSON_BY_LOGIN)
        LOWER(q->u.person_by_login.login);
    if (q->op == STORE_INVITE_MAKE)
        LOWER(q->u.invite_make.email);
}
