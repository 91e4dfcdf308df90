/*
 * OAuth over HTTP: what RFC 8628, 6749, 7009 and 8414 say, at the paths and
 * with the fields of the reference (docs/PROTOCOL.md, "OAuth"). Bodies are
 * forms or JSON alike. Nobody has a client secret: clients are public.
 */
#include <string.h>

#include "base/err.h"
#include "crypto/ct.h"
#include "relay/faces.h"

#define TOKENS_PAGE_MAX 32 /* rows that fit an answer */
#define SECRET_MAX      128

/* ---- the answers ------------------------------------------------------------------- */

static void fail(struct call *c, const struct oauth_answer *a)
{
    struct json_out *o;
    int status = a->error == OAUTH_UNAVAILABLE    ? 503
                 : a->error == OAUTH_SERVER_ERROR ? 500
                                                  : 400;

    if (a->retry_s > 0)
        http_add(&c->conn->http, "Retry-After", "5");
    o = call_json(c);
    json_obj_begin(o);
    json_member(o, "error", oauth_error_str(a->error));
    json_member(o, "error_description", a->description);
    json_obj_end(o);
    call_json_done(c, status);
}

static void fail_with(struct call *c, enum oauth_error error, const char *why)
{
    fail(c, &(struct oauth_answer){.error = error, .description = why});
}

/* The request that asked, to be answered: it is still there, and was not
 * refused, which is told here. */
static struct call *granted(void *ctx, uint32_t tag,
                            const struct oauth_answer *a)
{
    struct call *c = ctx;

    if (c->serial != tag || !api_waits(c->conn, tag))
        return NULL;
    if (a->error == OAUTH_OK)
        return c;
    fail(c, a);
    return NULL;
}

static void asked(struct call *c, int err)
{
    struct oauth_answer a;

    if (err == OK)
        return;
    oauth_refused(err, &a);
    fail(c, &a);
}

/* ---- device codes --------------------------------------------------------------------- */

static void device_answer(void *ctx, uint32_t tag, const struct oauth_answer *a)
{
    struct call *c = granted(ctx, tag, a);
    const struct oauth_device *d = &a->u.device;

    if (c == NULL)
        return;
    struct json_out *o = call_json(c);
    json_obj_begin(o);
    json_member(o, "device_code", d->device_code);
    json_member(o, "user_code", d->user_code);
    json_member(o, "verification_uri", d->verification_uri);
    json_member(o, "verification_uri_complete", d->verification_uri_complete);
    json_key(o, "expires_in");
    json_u64(o, d->expires_s);
    json_key(o, "interval");
    json_u64(o, d->interval_s);
    json_obj_end(o);
    call_json_done(c, 200);
}

/* A field that may be absent; false: it is there and cannot be taken. */
static bool optional(struct call *c, const char *name, char *out, size_t cap,
                     struct view *v)
{
    int n = call_param(c, name, out, cap);

    *v = view_of(out, n > 0 ? (size_t)n : 0);
    return n >= 0 || n == ERR_NOT_FOUND;
}

void oauth_device_post(struct call *c)
{
    char name[401], version[401], host[1021], platform[401];
    struct oauth_client client = {.from = &c->conn->from};

    /* The reference bounds characters, of up to four bytes. */
    if (!optional(c, "client_name", name, sizeof name, &client.name) ||
        !optional(c, "client_version", version, sizeof version,
                  &client.version) ||
        !optional(c, "client_hostname", host, sizeof host, &client.host) ||
        !optional(c, "client_platform", platform, sizeof platform,
                  &client.platform)) {
        fail_with(c, OAUTH_INVALID_REQUEST,
                  "a field is too long, comes twice "
                  "or is no text");
        return;
    }
    asked(c, oauth_device(&c->people->oauth, &client, device_answer, c,
                          c->serial));
}

/* ---- tokens ------------------------------------------------------------------------------ */

static void token_answer(void *ctx, uint32_t tag, const struct oauth_answer *a)
{
    struct call *c = granted(ctx, tag, a);
    const struct oauth_tokens *t = &a->u.tokens;

    if (c == NULL)
        return;
    struct json_out *o = call_json(c);
    json_obj_begin(o);
    json_member(o, "access_token", t->access_token);
    json_member(o, "refresh_token", t->refresh_token);
    json_member(o, "token_type", "Bearer");
    json_key(o, "expires_in");
    json_u64(o, t->expires_s);
    json_member(o, "scope", OAUTH_SCOPE);
    json_member(o, "workspace_id", t->fleet_id);
    json_member(o, "workspace_name", t->fleet_name);
    json_member(o, "user_id", t->user_id);
    if (t->email[0] != '\0')
        json_member(o, "user_email", t->email);
    json_obj_end(o);
    http_add(&c->conn->http, "Pragma", "no-cache"); /* RFC 6749, 5.1 */
    call_json_done(c, 200);
}

/* The secret of a grant; 0: answered. */
static size_t secret_of(struct call *c, const char *name, char *out, size_t cap)
{
    int n = call_param(c, name, out, cap);

    if (n > 0)
        return (size_t)n;
    if (n == ERR_TOO_BIG)
        fail_with(c, OAUTH_INVALID_GRANT, "that is none of ours");
    else
        fail_with(c, OAUTH_INVALID_REQUEST,
                  "the grant's code or token is "
                  "missing, or comes twice");
    return 0;
}

void oauth_token_post(struct call *c)
{
    struct oauth *o = &c->people->oauth;
    char grant[64], secret[SECRET_MAX];
    int n = call_param(c, "grant_type", grant, sizeof grant);

    if (n <= 0 && n != ERR_TOO_BIG) {
        fail_with(c, OAUTH_INVALID_REQUEST, "grant_type is missing");
    } else if (n > 0 && strcmp(grant, OAUTH_GRANT_DEVICE) == 0) {
        size_t len = secret_of(c, "device_code", secret, sizeof secret);
        if (len > 0)
            asked(c, oauth_poll(o, view_of(secret, len), token_answer, c,
                                c->serial));
    } else if (n > 0 && strcmp(grant, OAUTH_GRANT_REFRESH) == 0) {
        size_t len = secret_of(c, "refresh_token", secret, sizeof secret);
        if (len > 0)
            asked(c, oauth_refresh(o, view_of(secret, len), &c->conn->from,
                                   token_answer, c, c->serial));
    } else {
        fail_with(c, OAUTH_UNSUPPORTED_GRANT_TYPE,
                  "device_code and refresh_token are granted here");
    }
    ct_wipe(SPAN_ARRAY(secret));
}

static void revoke_answer(void *ctx, uint32_t tag, const struct oauth_answer *a)
{
    struct call *c = granted(ctx, tag, a);

    if (c == NULL)
        return;
    json_obj_begin(call_json(c));
    json_obj_end(&c->json);
    call_json_done(c, 200);
}

void oauth_revoke_post(struct call *c)
{
    char token[SECRET_MAX];
    int n = call_param(c, "token", token, sizeof token);

    if (n == ERR_TOO_BIG) /* nobody knows it: RFC 7009, 2.2 */
        revoke_answer(c, c->serial, &(struct oauth_answer){.error = OAUTH_OK});
    else if (n <= 0)
        fail_with(c, OAUTH_INVALID_REQUEST, "token is missing, or comes twice");
    else
        asked(c, oauth_revoke(&c->people->oauth, view_of(token, (size_t)n),
                              revoke_answer, c, c->serial));
    ct_wipe(SPAN_ARRAY(token));
}

/* ---- what there is (RFC 8414) --------------------------------------------------------------- */

static void member_url(struct call *c, const char *name, const char *path)
{
    char url[OAUTH_URL_CAP + 64];
    struct text t;

    TEXT_OF(&t, url);
    text_join(&t, c->people->ask.url, path, NULL);
    json_member(&c->json, name, url);
}

static void member_list(struct json_out *o, const char *name, const char *one,
                        const char *two)
{
    json_key(o, name);
    json_arr_begin(o);
    if (one != NULL)
        json_cstr(o, one);
    if (two != NULL)
        json_cstr(o, two);
    json_arr_end(o);
}

void oauth_about(struct call *c)
{
    struct json_out *o = call_json(c);

    json_obj_begin(o);
    member_url(c, "issuer", "");
    member_url(c, "device_authorization_endpoint", "/api/system/oauth/device/");
    member_url(c, "token_endpoint", "/api/system/oauth/token/");
    member_url(c, "revocation_endpoint", "/api/system/oauth/revoke/");
    member_list(o, "scopes_supported", OAUTH_SCOPE, NULL);
    member_list(o, "response_types_supported", NULL, NULL);
    member_list(o, "grant_types_supported", OAUTH_GRANT_DEVICE,
                OAUTH_GRANT_REFRESH);
    member_list(o, "token_endpoint_auth_methods_supported", "none", NULL);
    member_list(o, "revocation_endpoint_auth_methods_supported", "none", NULL);
    json_obj_end(o);
    call_json_done(c, 200);
}

/* ---- approving by a program ------------------------------------------------------------------ */

static void no_such_code(struct call *c)
{
    call_tried_wrong(c, THROTTLE_CODE);
    call_fail(c, 404,
              "there is no such user code, or it has expired or was "
              "decided");
}

/* text[0] the code as it was sent, [1] as kept, [2] the fleet; flag: approve */
static void authorize_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome != STORE_DONE) {
        no_such_code(c);
        return;
    }
    struct json_out *o = call_json(c);
    json_obj_begin(o);
    json_key(o, "success");
    json_bool(o, true);
    json_member(o, "message",
                c->flag ? "the device is signed in" : "the device was denied");
    json_member(o, "user_code", c->text[0]);
    json_member(o, "status", c->flag ? "approved" : "denied");
    json_obj_end(o);
    call_json_done(c, 200);
}

static void authorize(struct call *c)
{
    struct store_ask q = {.op = STORE_DEVICE_DECIDE};

    STR_COPY(q.u.device_decide.person_id, c->who.user_id);
    STR_COPY(q.u.device_decide.user_code, c->text[1]);
    STR_COPY(q.u.device_decide.fleet_id, c->text[2]);
    q.u.device_decide.approve = c->flag;
    q.u.device_decide.actor = call_actor(c);
    call_ask(c, &q, NULL, authorize_answer);
}

static void authorize_fleet(struct call *c, const struct store_answer *a)
{
    if (a->outcome != STORE_DONE)
        call_fail(c, 404, "there is no such fleet of yours");
    else if (a->u.fleet.policy.mfa_required && !c->who.has_totp)
        call_fail(c, 403, "that fleet demands a second factor");
    else
        authorize(c);
}

void oauth_authorize_post(struct call *c)
{
    struct store_ask q = {.op = STORE_FLEET_GET};
    char action[12] = "";

    if (call_must_wait(c, THROTTLE_CODE))
        return;
    (void)call_param(c, "action", action, sizeof action);
    c->flag = strcmp(action, "approve") == 0;
    int n = call_param(c, "workspace_id", c->text[2], UUID_CAP);
    if ((!c->flag && strcmp(action, "deny") != 0) ||
        (n < 0 && n != ERR_NOT_FOUND) || (c->flag && n <= 0)) {
        call_fail(c, 400,
                  "user_code, action (approve or deny) and, to "
                  "approve, workspace_id are needed");
        return;
    }
    if (call_param(c, "user_code", c->text[0], 20) < 0 ||
        oauth_user_code(view_str(c->text[0]), c->text[1]) != OK) {
        no_such_code(c);
        return;
    }
    if (!c->flag) {
        c->text[2][0] = '\0';
        authorize(c);
        return;
    }
    STR_COPY(q.u.fleet_get.fleet_id, c->text[2]);
    STR_COPY(q.u.fleet_get.person_id, c->who.user_id);
    call_ask(c, &q, NULL, authorize_fleet);
}

/* ---- what a token is --------------------------------------------------------------------------- */

static void member_flag(struct json_out *o, const char *name, bool v)
{
    json_member(o, name, v ? "true" : "false"); /* strings, as declared */
}

/* Of the family: the token itself is written, the refresh token's end is
 * kept for the end of the answer. flag: it was found. */
static bool info_row(struct call *c, const union store_row *row)
{
    const struct store_token *t = &row->token;
    struct json_out *o = &c->json;

    if (strcmp(t->family, c->who.family) != 0)
        return true;
    if (t->kind == STORE_REFRESH && t->used_ms == 0 && t->revoked_ms == 0)
        c->number = t->expires_ms;
    if (strcmp(t->id, c->who.token_id) != 0)
        return true;
    c->flag = true;
    json_member(o, "access_token_prefix", t->prefix);
    json_member(o, "client_name", t->client.name);
    json_member(o, "client_version", t->client.version);
    json_member(o, "client_hostname", t->client.host);
    json_member(o, "client_platform", t->client.platform);
    return true;
}

static void info_end(struct call *c, const struct store_answer *a)
{
    struct json_out *o = &c->json;
    int64_t now = port_wall_ms();
    int64_t refresh = c->number != 0 ? c->number : c->who.expires_ms;

    (void)a;
    if (!c->flag)
        json_member(o, "access_token_prefix", "");
    json_member_time(o, "created_at", c->who.created_ms);
    json_member_time(o, "access_token_expires_at", c->who.expires_ms);
    json_member_time(o, "refresh_token_expires_at", refresh);
    json_member_time(o, "last_used_at", c->who.last_used_ms);
    member_flag(o, "is_expired",
                c->who.expires_ms != 0 && c->who.expires_ms <= now);
    member_flag(o, "is_refresh_expired", refresh != 0 && refresh <= now);
    json_obj_end(o);
    call_json_done(c, 200);
}

static void ask_tokens(struct call *c, uint32_t kinds, uint32_t limit,
                       call_row *row, call_next *next)
{
    struct store_ask q = {.op = STORE_TOKEN_LIST};

    STR_COPY(q.u.token_list.list.fleet_id, c->who.fleet_id);
    STR_COPY(q.u.token_list.person_id, c->who.user_id);
    q.u.token_list.kinds = kinds;
    q.u.token_list.list.limit = limit;
    call_ask(c, &q, row, next);
}

void oauth_info_get(struct call *c)
{
    struct json_out *o = call_json(c);

    json_obj_begin(o);
    json_member(o, "id", c->who.token_id);
    json_member(o, "workspace_id", c->who.fleet_id);
    json_member(o, "workspace_name", c->who.fleet_name);
    json_member(o, "user_id", c->who.user_id);
    json_member(o, "username", c->who.login);
    ask_tokens(c, 0, 0, info_row, info_end);
}

/* ---- a person's tokens --------------------------------------------------------------------------- */

/* count: rows seen; number: of the first on this page; number2: page */
static bool tokens_row(struct call *c, const union store_row *row)
{
    const struct store_token *t = &row->token;
    struct json_out *o = &c->json;
    int64_t at = c->count++;

    if (at < c->number || at >= c->number + c->rows_max)
        return true;
    json_obj_begin(o);
    json_member(o, "id", t->id);
    json_member(o, "access_token_prefix", t->prefix);
    json_member(o, "workspace_name", c->who.fleet_name);
    json_member(o, "client_name", t->client.name);
    json_member(o, "client_hostname", t->client.host);
    json_member(o, "client_platform", t->client.platform);
    json_member_time(o, "created_at", t->created_ms);
    json_member_time(o, "last_used_at", t->last_used_ms);
    json_member_time(o, "revoked_at", t->revoked_ms);
    member_flag(o, "is_active",
                t->revoked_ms == 0 &&
                    (t->expires_ms == 0 || t->expires_ms > port_wall_ms()));
    json_obj_end(o);
    return true;
}

static void tokens_end(struct call *c, const struct store_answer *a)
{
    struct json_out *o = &c->json;
    uint32_t pages = (c->count + c->rows_max - 1) / c->rows_max;

    (void)a;
    json_arr_end(o);
    json_key(o, "count");
    json_u64(o, c->count);
    json_key(o, "page");
    json_i64(o, c->number2);
    json_key(o, "pages");
    json_u64(o, pages > 0 ? pages : 1);
    json_key(o, "page_size");
    json_u64(o, c->rows_max);
    json_key(o, "has_next");
    json_bool(o, c->number2 < (int64_t)pages);
    json_key(o, "has_previous");
    json_bool(o, c->number2 > 1);
    json_obj_end(o);
    call_json_done(c, 200);
}

static uint64_t number_of(const struct call *c, const char *name, uint64_t max,
                          uint64_t otherwise)
{
    char text[16];
    uint64_t n;

    if (call_query(c, name, text, sizeof text) <= 0 ||
        text_parse_u64(view_str(text), UINT32_MAX, &n) != OK || n == 0)
        return otherwise;
    return n < max ? n : max;
}

void oauth_tokens_get(struct call *c)
{
    struct json_out *o = call_json(c);

    c->rows_max = (uint32_t)number_of(c, "page_size", TOKENS_PAGE_MAX, 20);
    c->number2 = (int64_t)number_of(c, "page", 100000, 1);
    c->number = (c->number2 - 1) * c->rows_max;
    json_obj_begin(o);
    json_key(o, "results");
    json_arr_begin(o);
    ask_tokens(c, 1u << STORE_ACCESS | 1u << STORE_CLI, 0, tokens_row,
               tokens_end);
}
