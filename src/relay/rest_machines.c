/* Machines and API keys as JSON; see rest.h. */
#include <string.h>

#include "base/err.h"
#include "codec/base64.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "relay/faces.h"
#include "relay/rest.h"

/* ---- machines ------------------------------------------------------------------------ */

static bool is_online(const struct call *c, const char *id)
{
    const struct people *p = c->people;

    return p->online != NULL && p->online(p->ask.ctx, id);
}

static void put_machine(struct call *c, const struct store_machine *m)
{
    struct json_out *o = &c->json;
    char fingerprint[SIGN_FINGERPRINT_CAP];

    sign_fingerprint(m->public_key, fingerprint);
    json_obj_begin(o);
    json_member(o, "id", m->id);
    json_member(o, "fleet_id", m->fleet_id);
    json_member(o, "name", m->name);
    json_member(o, "hostname", m->facts.hostname);
    json_member(o, "os", m->facts.os);
    json_member(o, "os_version", m->facts.os_version);
    json_member(o, "architecture", m->facts.architecture);
    json_member(o, "agent_version", m->facts.agent_version);
    json_member(o, "labels", m->labels);
    json_member(o, "state", store_state_str(m->state));
    json_member(o, "state_reason", m->why);
    json_key(o, "online");
    json_bool(o, is_online(c, m->id));
    json_member(o, "public_key_fingerprint", fingerprint);
    json_key(o, "public_key_version");
    json_u64(o, m->key_version);
    json_member_time(o, "public_key_registered_at", m->key_since_ms);
    json_member_time(o, "last_seen_at", m->last_seen_ms);
    json_member_time(o, "created_at", m->created_ms);
    json_obj_end(o);
}

/* Hidden from him? Whoever may not look at it does not learn of it. */
static bool is_hidden(const struct call *c, const char *machine_id)
{
    const struct people *p = c->people;
    enum may_access set = MAY_ACCESS_FULL;
    bool is_set =
        p->access != NULL && p->access(p->ask.ctx, c->who.fleet_id, machine_id,
                                       c->who.user_id, &set);

    return may_access_of(c->who.role, is_set, set) == MAY_ACCESS_HIDDEN;
}

/* text[0] presence wanted, [1] what the name shall contain */
static bool machine_row(struct call *c, const union store_row *row)
{
    const struct store_machine *m = &row->machine;

    if (!rest_room(c))
        return false;
    rest_last(c, m->name, 0, m->id);
    if (is_hidden(c, m->id) ||
        (strcmp(c->text[0], "online") == 0 && !is_online(c, m->id)) ||
        (strcmp(c->text[0], "offline") == 0 && is_online(c, m->id)) ||
        (c->text[1][0] != '\0' && strstr(m->name, c->text[1]) == NULL &&
         strstr(m->facts.hostname, c->text[1]) == NULL))
        return true;
    put_machine(c, m);
    return true;
}

void rest_machines_list(struct call *c)
{
    struct store_ask q = {.op = STORE_MACHINE_LIST};

    (void)call_query(c, "presence", c->text[0], 16);
    (void)call_query(c, "q", c->text[1], NAME_CAP);
    if (!rest_list_begin(c, &q.u.list))
        return;
    STR_COPY(q.u.list.fleet_id, c->who.fleet_id);
    call_ask(c, &q, machine_row, rest_list_end);
}

static void machine_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_NOT_HOME) {
        call_fail(c, 409,
                  "the machine's home is another fleet, which decides "
                  "this");
    } else if (a->outcome != STORE_DONE) {
        call_fail(c, 404, "there is no such machine");
    } else if (a->op == STORE_MACHINE_STATE) {
        call_empty(c, 204);
    } else {
        (void)call_json(c);
        put_machine(c, &a->u.machine);
        call_json_done(c, 200);
    }
}

void rest_machine_show(struct call *c)
{
    struct store_ask q = {.op = STORE_MACHINE_GET};

    STR_COPY(q.u.machine_get.fleet_id, c->who.fleet_id);
    STR_COPY(q.u.machine_get.machine_id, c->id[0]);
    call_ask(c, &q, NULL, machine_answer);
}

void rest_machine_rename(struct call *c)
{
    struct store_ask q = {.op = STORE_MACHINE_RENAME};
    struct store_machine_rename *m = &q.u.machine_rename;

    if (!rest_name(c, m->name, sizeof m->name))
        return;
    STR_COPY(m->fleet_id, c->who.fleet_id);
    STR_COPY(m->machine_id, c->id[0]);
    m->actor = call_actor(c);
    call_ask(c, &q, NULL, machine_answer);
}

void rest_machine_disable(struct call *c)
{
    struct store_ask q = {.op = STORE_MACHINE_STATE};
    struct store_machine_state *m = &q.u.machine_state;

    STR_COPY(m->fleet_id, c->who.fleet_id);
    STR_COPY(m->machine_id, c->id[0]);
    m->change = STORE_DISABLE;
    STR_COPY(m->why, "removed over the API");
    m->actor = call_actor(c);
    call_ask(c, &q, NULL, machine_answer);
}

/* ---- API keys -------------------------------------------------------------------------- */

/* `raw` is told once, when it is made; NULL: not now. */
static void put_key(struct json_out *o, const struct store_token *t,
                    const char *raw)
{
    json_obj_begin(o);
    json_member(o, "id", t->id);
    json_member(o, "name", t->label);
    json_member(o, "key_prefix", t->prefix);
    json_member(o, "scope", t->scope);
    json_member(o, "created_by_id", t->person_id);
    json_member_time(o, "created_at", t->created_ms);
    json_member_time(o, "expires_at", t->expires_ms);
    json_member_time(o, "last_used_at", t->last_used_ms);
    json_member_time(o, "revoked_at", t->revoked_ms);
    if (raw != NULL)
        json_member(o, "raw_token", raw);
    json_obj_end(o);
}

static bool key_row(struct call *c, const union store_row *row)
{
    if (!rest_room(c))
        return false;
    put_key(&c->json, &row->token, NULL);
    rest_last(c, "", row->token.created_ms, row->token.id);
    return true;
}

/* Those of the whole fleet, for who may; his own, for the others. */
static bool is_for_all(const struct call *c, enum may_op op)
{
    const struct may_object o = {.fleet_id = c->id[0]};

    return call_could(c, op, &o);
}

void rest_keys_list(struct call *c)
{
    struct store_ask q = {.op = STORE_TOKEN_LIST};

    if (!rest_list_begin(c, &q.u.token_list.list))
        return;
    STR_COPY(q.u.token_list.list.fleet_id, c->id[0]);
    if (!is_for_all(c, MAY_APIKEYS_LIST))
        STR_COPY(q.u.token_list.person_id, c->who.user_id);
    q.u.token_list.kinds = 1u << STORE_APIKEY;
    call_ask(c, &q, key_row, rest_list_end);
}

/* The scopes of the body, "a b c"; false: answered. */
static bool read_scopes(struct call *c, char *out, size_t cap)
{
    struct text t;
    char word[32];
    uint32_t set;
    int list = c->has_doc ? json_get(&c->doc, 0, "scopes") : -1;

    text_init(&t, out, cap);
    for (int at = list < 0 ? -1 : json_first(&c->doc, list); at >= 0;
         at = json_next(&c->doc, at)) {
        if (json_to_str(&c->doc, at, word, sizeof word) <= 0)
            break;
        text_join(&t, t.len > 0 ? " " : "", word, NULL);
    }
    if (t.len > 0 && !t.cut && may_scopes(text_done(&t), &set) == OK)
        return true;
    call_fail(c, 422, "scopes is a list of words like machines:read");
    return false;
}

static void key_answer(struct call *c, const struct store_answer *a)
{
    struct store_token t = {0};

    if (a->outcome != STORE_DONE) {
        call_fail(c, 409,
                  a->outcome == STORE_LIMIT ? "there are too many keys"
                                            : "it cannot be made");
        return;
    }
    STR_COPY(t.id, a->u.who.token_id);
    STR_COPY(t.label, c->text[1]);
    STR_COPY(t.prefix, c->text[0]);
    STR_COPY(t.scope, a->u.who.scope);
    STR_COPY(t.person_id, a->u.who.user_id);
    t.created_ms = a->u.who.created_ms;
    t.expires_ms = a->u.who.expires_ms;
    put_key(call_json(c), &t, c->text[0]);
    ct_wipe(SPAN_ARRAY(c->text[0]));
    call_json_done(c, 201);
}

void rest_keys_make(struct call *c)
{
    struct store_ask q = {.op = STORE_TOKEN_MAKE};
    struct store_token_make *m = &q.u.token_make;
    struct text t;
    char secret[PEOPLE_SECRET_CAP];

    if (!rest_name(c, m->label, sizeof m->label))
        return;
    if (!read_scopes(c, m->scope, sizeof m->scope) ||
        !rest_days(c, "expires_in_days", 0, &m->secret.expires_ms))
        return;
    people_secret(secret);
    text_init(&t, c->text[0], CALL_TEXT);
    text_join(&t, "cmdop_apikey_", secret, NULL);
    ct_wipe(SPAN_ARRAY(secret));
    STR_COPY(c->text[1], m->label);
    STR_COPY(m->fleet_id, c->id[0]);
    STR_COPY(m->user_id, c->who.user_id);
    m->kind = STORE_APIKEY;
    hash_once(text_done(&t), m->secret.hash);
    bytes_to_str(m->secret.prefix, sizeof m->secret.prefix, text_done(&t));
    port_entropy(SPAN_ARRAY(m->secret.random));
    m->actor = call_actor(c);
    call_ask(c, &q, NULL, key_answer);
}

static void key_gone(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_DONE || a->outcome == STORE_REVOKED)
        call_empty(c, 204);
    else
        call_fail(c, 404, "there is no such key");
}

void rest_keys_revoke(struct call *c)
{
    struct store_ask q = {.op = STORE_TOKEN_REVOKE};

    STR_COPY(q.u.token_revoke.fleet_id, c->id[0]);
    if (!is_for_all(c, MAY_APIKEYS_REVOKE))
        STR_COPY(q.u.token_revoke.person_id, c->who.user_id);
    STR_COPY(q.u.token_revoke.id, c->id[1]);
    q.u.token_revoke.actor = call_actor(c);
    call_ask(c, &q, NULL, key_gone);
}
