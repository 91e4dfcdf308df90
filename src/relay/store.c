/*
 * The half of the store that no engine changes: the words of its vocabulary,
 * the queue; see store.h. What an input must look like stands in
 * store_check.c. An engine adds store_open, store_turn and store_close.
 */
#include "relay/store.h"

#include <assert.h>

#include "base/err.h"
#include "relay/store_check.h"

_Static_assert((STORE_QUEUE & (STORE_QUEUE - 1)) == 0,
               "head and tail run freely over the queue");
_Static_assert(STORE_BATCH <= STORE_QUEUE, "a batch comes out of the queue");

/* ---- words ------------------------------------------------------------------- */

#define WORD(words, which) \
    (assert((size_t)(which) < sizeof(words) / sizeof(*(words))), (words)[which])

static const char *const ROLES[] = {
    [STORE_OWNER] = "owner",
    [STORE_ADMIN] = "admin",
    [STORE_MEMBER] = "member",
    [STORE_VIEWER] = "viewer",
};

const char *store_role_str(enum store_role role)
{
    return WORD(ROLES, role);
}

bool store_role_parse(struct view word, enum store_role *out)
{
    for (size_t i = 0; i < sizeof ROLES / sizeof *ROLES; i++) {
        if (!view_is(word, ROLES[i]))
            continue;
        *out = (enum store_role)i;
        return true;
    }
    return false;
}

const char *store_outcome_str(enum store_outcome outcome)
{
    static const char *const words[] = {
        [STORE_DONE] = "done",
        [STORE_UNKNOWN] = "unknown",
        [STORE_REVOKED] = "revoked",
        [STORE_EXPIRED] = "expired",
        [STORE_USED_UP] = "used-up",
        [STORE_CONFLICT] = "conflict",
        [STORE_DISABLED] = "disabled",
        [STORE_AMBIGUOUS] = "ambiguous",
        [STORE_LIMIT] = "limit",
        [STORE_PENDING] = "pending",
        [STORE_SLOW_DOWN] = "slow-down",
        [STORE_DENIED] = "denied",
        [STORE_REUSED] = "reused",
        [STORE_LOCKED] = "locked",
        [STORE_LAST_OWNER] = "last-owner",
        [STORE_QUARANTINED] = "quarantined",
        [STORE_HELD] = "held",
        [STORE_STRUCK] = "struck",
        [STORE_NOT_HOME] = "not-home",
    };
    return WORD(words, outcome);
}

const char *store_token_kind_str(enum store_token_kind kind)
{
    static const char *const words[] = {
        [STORE_CLI] = "cli",         [STORE_ACCESS] = "access",
        [STORE_REFRESH] = "refresh", [STORE_WEB] = "web",
        [STORE_APIKEY] = "apikey",
    };
    return WORD(words, kind);
}

const char *store_fleet_kind_str(enum store_fleet_kind kind)
{
    static const char *const words[] = {
        [STORE_PERSONAL] = "personal",
        [STORE_TEAM] = "team",
    };
    return WORD(words, kind);
}

const char *store_mode_str(enum store_mode mode)
{
    static const char *const words[] = {
        [STORE_MODE_DEFAULT] = "default",
        [STORE_MODE_STRICT] = "strict",
        [STORE_MODE_BYPASS] = "bypass",
    };
    return WORD(words, mode);
}

const char *store_access_str(enum store_access access)
{
    static const char *const words[] = {
        [STORE_FULL] = "full",
        [STORE_EXECUTE] = "execute",
        [STORE_VIEW] = "view",
        [STORE_HIDDEN] = "hidden",
    };
    return WORD(words, access);
}

const char *store_state_str(enum store_state state)
{
    static const char *const words[] = {
        [STORE_STATE_ACTIVE] = "active",
        [STORE_STATE_PENDING] = "pending",
        [STORE_STATE_QUARANTINED] = "quarantined",
        [STORE_STATE_DISABLED] = "disabled",
        [STORE_STATE_STRUCK] = "struck",
    };
    return WORD(words, state);
}

/* ---- the queue ------------------------------------------------------------------- */

int store_ask(struct store *s, const struct store_ask *ask)
{
    assert(ask->answer != NULL);
    if (!store_is_open(s))
        return ERR_CLOSED;
    if (!store_check(ask))
        return ERR_RANGE;
    if (s->tail - s->head == STORE_QUEUE)
        return ERR_FULL;
    struct store_ask *q = &s->queue[s->tail % STORE_QUEUE];
    *q = *ask;
    store_clean(q);
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
