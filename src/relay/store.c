/*
 * The half of the store that no engine changes: the words of its vocabulary,
 * the rules for inputs, the queue; see store.h. An engine adds store_open,
 * store_turn and store_close.
 */
#include "relay/store.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"

_Static_assert((STORE_QUEUE & (STORE_QUEUE - 1)) == 0,
               "head and tail run freely over the queue");
_Static_assert(STORE_BATCH <= STORE_QUEUE, "a batch comes out of the queue");

const char *store_role_str(enum store_role role)
{
    static const char *const words[] = {
        [STORE_OWNER] = "owner",
        [STORE_ADMIN] = "admin",
        [STORE_MEMBER] = "member",
        [STORE_VIEWER] = "viewer",
    };
    assert((size_t)role < sizeof words / sizeof words[0]);
    return words[role];
}

const char *store_outcome_str(enum store_outcome outcome)
{
    static const char *const words[] = {
        [STORE_DONE] = "done",         [STORE_UNKNOWN] = "unknown",
        [STORE_REVOKED] = "revoked",   [STORE_EXPIRED] = "expired",
        [STORE_USED_UP] = "used-up",   [STORE_CONFLICT] = "conflict",
        [STORE_DISABLED] = "disabled", [STORE_AMBIGUOUS] = "ambiguous",
        [STORE_LIMIT] = "limit",
    };
    assert((size_t)outcome < sizeof words / sizeof words[0]);
    return words[outcome];
}

/* ---- rules for inputs -------------------------------------------------------- */

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
static bool is_text(const char *s, size_t cap, bool may_be_empty)
{
    char safe[STORE_DETAIL_CAP * 4];
    struct text t;
    const char *end = memchr(s, '\0', cap);

    assert(cap <= STORE_DETAIL_CAP);
    if (end == NULL || (end == s && !may_be_empty))
        return false;
    struct view v = view_of(s, (size_t)(end - s));
    TEXT_OF(&t, safe);
    text_safe(&t, v);
    return view_eq(text_done(&t), v);
}

#define IS_TEXT(field) is_text((field), sizeof(field), true)
#define IS_NAME(field) is_text((field), sizeof(field), false)

static bool is_actor(const struct store_actor *a)
{
    return IS_NAME(a->kind) && IS_TEXT(a->name);
}

static bool is_audit(const struct store_audit *a)
{
    return a->at_ms >= 0 && is_uuid_or_empty(a->fleet_id) &&
           is_actor(&a->actor) && IS_NAME(a->action) && IS_TEXT(a->object) &&
           IS_TEXT(a->outcome) && IS_TEXT(a->detail);
}

static bool is_list(const struct store_list *l)
{
    return is_uuid(l->fleet_id) && IS_TEXT(l->after_name) &&
           is_uuid_or_empty(l->after_id);
}

static bool is_valid(const struct store_ask *q)
{
    switch (q->op) {
    case STORE_SETUP:
        return IS_NAME(q->u.setup.fleet_name) && IS_NAME(q->u.setup.user_name);
    case STORE_TOKEN_MAKE:
        return is_uuid(q->u.token_make.fleet_id) &&
               is_uuid(q->u.token_make.user_id) &&
               IS_TEXT(q->u.token_make.label) &&
               q->u.token_make.expires_ms >= 0 &&
               is_actor(&q->u.token_make.actor);
    case STORE_TOKEN_CHECK:
    case STORE_MACHINE_LOGIN: return true;
    case STORE_TOKEN_REVOKE:
    case STORE_JOINKEY_REVOKE:
        return is_uuid(q->u.revoke.fleet_id) &&
               is_id(q->u.revoke.id, STORE_PREFIX_MIN) &&
               is_actor(&q->u.revoke.actor);
    case STORE_JOINKEY_MAKE:
        return is_uuid(q->u.joinkey_make.fleet_id) &&
               IS_TEXT(q->u.joinkey_make.label) &&
               q->u.joinkey_make.expires_ms >= 0 &&
               is_actor(&q->u.joinkey_make.actor);
    case STORE_JOINKEY_LIST:
    case STORE_MACHINE_LIST: return q->row != NULL && is_list(&q->u.list);
    case STORE_ENROL: return IS_NAME(q->u.enrol.name);
    case STORE_MACHINE_SEEN:
        return is_uuid(q->u.machine_seen.fleet_id) &&
               is_uuid(q->u.machine_seen.machine_id);
    case STORE_MACHINE_ENABLE:
        return is_uuid(q->u.machine_enable.fleet_id) &&
               is_uuid(q->u.machine_enable.machine_id) &&
               is_actor(&q->u.machine_enable.actor);
    case STORE_AUDIT: return is_audit(&q->u.audit);
    }
    return false;
}

/* ---- facts: cleaned, not refused ----------------------------------------------- */

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
    char safe[64]; /* the largest field of facts */
    struct text t;
    const char *end = memchr(field, '\0', cap);

    assert(cap <= sizeof safe);
    text_init(&t, safe, cap);
    text_safe(&t, view_of(field, end != NULL ? (size_t)(end - field) : cap));
    memset(field, 0, cap);
    memcpy(field, safe, whole_len(text_done(&t)));
}

static void clean_facts(struct store_facts *f)
{
    clean(f->hostname, sizeof f->hostname);
    clean(f->os, sizeof f->os);
    clean(f->os_version, sizeof f->os_version);
    clean(f->architecture, sizeof f->architecture);
    clean(f->agent_version, sizeof f->agent_version);
}

/* ---- the queue ------------------------------------------------------------------- */

int store_ask(struct store *s, const struct store_ask *ask)
{
    assert(ask->answer != NULL);
    if (!store_is_open(s))
        return ERR_CLOSED;
    if (!is_valid(ask))
        return ERR_RANGE;
    if (s->tail - s->head == STORE_QUEUE)
        return ERR_FULL;
    struct store_ask *q = &s->queue[s->tail % STORE_QUEUE];
    *q = *ask;
    if (q->op == STORE_ENROL)
        clean_facts(&q->u.enrol.facts);
    if (q->op == STORE_MACHINE_SEEN)
        clean_facts(&q->u.machine_seen.facts);
    s->tail++;
    return OK;
}

bool store_pending(const struct store *s)
{
    return s->tail != s->head;
}

bool store_is_open(const struct store *s)
{
    return s->engine != NULL;
}

const char *store_why(const struct store *s)
{
    return s->why;
}
