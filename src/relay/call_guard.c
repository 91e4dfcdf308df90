/*
 * Whether a request may be served; see call.h. In this order: does it come
 * from a page of ours, does the fleet admit it, may its caller do that to
 * this.
 */
#include "relay/call.h"

#include <string.h>

#include "base/err.h"
#include "codec/form.h"
#include "crypto/ct.h"
#include "relay/access.h"
#include "relay/nets.h"

/* ---- from a page of ours ------------------------------------------------------------ */

static bool is_read(const struct call *c)
{
    uint8_t m = http_request(&c->conn->http)->method;

    return m == HTTP_GET || m == HTTP_HEAD;
}

/* Does the browser say that the request comes from a page of ours? A browser
 * that says nothing is none: every one says either with a POST. */
static bool from_our_page(const struct call *c)
{
    const struct http *h = &c->conn->http;
    struct view site = http_header(h, "sec-fetch-site");
    struct view origin = http_header(h, "origin");
    char own[320];
    struct text t;

    if (http_header_count(h, "sec-fetch-site") > 1 ||
        http_header_count(h, "origin") > 1)
        return false;
    if (site.len > 0 && !view_is(site, "same-origin"))
        return false;
    if (origin.len == 0)
        return site.len > 0;
    if (view_is(origin, c->people->ask.url))
        return true;
    TEXT_OF(&t, own);
    text_str(&t, call_is_https(c) ? "https://" : "http://");
    text_view(&t, http_header(h, "host"));
    return !t.cut && view_eq(origin, text_done(&t));
}

/* In a page's form a field; in JSON a header. */
static bool has_form_token(struct call *c)
{
    char token[PEOPLE_SECRET_CAP], came[PEOPLE_SECRET_CAP] = "";

    if (c->cookie[0] == '\0')
        return false;
    call_form_token(c, token);
    if (c->route->face == CALL_PAGE)
        (void)call_param(c, "form", came, sizeof came);
    else
        bytes_to_str(came, sizeof came,
                     http_header(&c->conn->http, "x-form-token"));
    return ct_eq(view_str(came), view_str(token));
}

static bool guard_form(struct call *c)
{
    bool needs =
        !is_read(c) && (c->route->face == CALL_PAGE || c->kind == MAY_WEB);

    if (!needs || (from_our_page(c) && has_form_token(c)))
        return true;
    call_fail(c, 403,
              "This request did not come from a page of this relay, "
              "or the page is too old. Open it again.");
    return false;
}

/* ---- the fleet's policies ----------------------------------------------------------- */

/* What a fleet demands of those who speak in it; false: he was told. */
static bool admits(struct call *c, const struct store_policy *p)
{
    if (p->ip_allow[0] != '\0' &&
        !nets_admit(view_str(p->ip_allow), &c->conn->from)) {
        call_fail(c, 403, "The fleet may not be used from this address.");
        return false;
    }
    if (p->mfa_required && !c->who.has_totp && c->kind != MAY_APIKEY) {
        call_fail(c, 403,
                  "The fleet demands a second factor: set one up on "
                  "your account's page first.");
        return false;
    }
    return true;
}

static bool guard_policy(struct call *c)
{
    bool own =
        c->route->op == MAY_PAGE_ACCOUNT || c->route->op == MAY_ACCOUNT_TOTP ||
        c->route->op == MAY_ACCOUNT_PASSWORD ||
        c->route->op == MAY_ACCOUNT_SET ||
        c->route->op == MAY_ACCOUNT_SIGN_OUT ||
        c->route->op == MAY_PAGE_PUBLIC || c->route->op == MAY_FLEETS_USE;

    return c->kind == MAY_GUEST || own || admits(c, &c->who.policy);
}

/* ---- the operation ------------------------------------------------------------------ */

/* In his own fleet, or in another one of his. */
static int decide(const struct call *c, const char *fleet_id,
                  enum store_role role, enum may_op op,
                  const struct may_object *o, struct may_no *no)
{
    struct may_caller who = {.kind = c->kind};

    if (c->kind != MAY_GUEST) {
        who.role = role;
        who.fleet_id = fleet_id;
        who.person_id = c->who.user_id;
        /* Scopes are an API key's; others have words of OAuth there. */
        if (c->kind == MAY_APIKEY)
            (void)may_scopes(view_str(c->who.scope), &who.scopes);
    }
    return may(&who, op, o, no);
}

static int decide_here(const struct call *c, enum may_op op,
                       const struct may_object *o, struct may_no *no)
{
    return decide(c, c->who.fleet_id, c->who.role, op, o, no);
}

bool call_could(const struct call *c, enum may_op op,
                const struct may_object *o)
{
    return decide_here(c, op, o, NULL) == OK;
}

static void tell_no(struct call *c, int err, const struct may_no *no)
{
    char sentence[400];
    struct text t;

    if (err == ERR_AUTH && c->route->face == CALL_PAGE) {
        TEXT_OF(&t, sentence);
        text_str(&t, "/signin?next=");
        form_escape(&t, http_request(&c->conn->http)->path);
        struct view query = http_request(&c->conn->http)->query;
        if (query.len > 0 && query.len < 64 && is_read(c)) {
            form_escape(&t, view_str("?"));
            form_escape(&t, query);
        }
        call_redirect(c, t.cut ? "/signin" : sentence);
        return;
    }
    TEXT_OF(&t, sentence);
    text_join(&t, no->message, no->remedy[0] != '\0' ? "; " : "", no->remedy,
              NULL);
    call_fail(c,
              err == ERR_AUTH     ? 401
              : err == ERR_DENIED ? 403
                                  : 404,
              sentence);
}

bool call_may(struct call *c, enum may_op op, const struct may_object *o)
{
    struct may_no no = {"", ""};
    int err = decide_here(c, op, o, &no);

    if (err != OK)
        tell_no(c, err, &no);
    return err == OK;
}

/* A fleet may want sessions to be shorter than ours; from now on, not only
 * for those that begin. */
bool call_too_old(const struct store_who *w, const struct store_policy *p)
{
    return p->session_ms > 0 && port_wall_ms() - w->created_ms > p->session_ms;
}

bool call_may_in(struct call *c, enum may_op op, const struct store_fleet *f)
{
    const struct may_object o = {.fleet_id = f->id};
    struct may_no no = {"", ""};
    int err = decide(c, f->id, f->role, op, &o, &no);

    if (err != OK) {
        tell_no(c, err, &no);
        return false;
    }
    if (c->kind == MAY_WEB && call_too_old(&c->who, &f->policy)) {
        call_fail(
            c, 403,
            "The fleet wants shorter sessions than yours: sign in again.");
        return false;
    }
    return admits(c, &f->policy);
}

static void run(struct call *c)
{
    c->route->fn(c);
}

static void access_answer(struct call *c, const struct store_answer *a)
{
    struct may_object o = {.fleet_id = c->who.fleet_id};

    if (a->outcome == STORE_DONE)
        o.access =
            may_access_of(c->who.role, true, access_meant(a->u.access.access));
    if (call_may(c, c->route->op, &o))
        run(c);
}

/* Operations on what may be the caller's own: their routes find out whose it
 * is, and ask again. */
static bool is_own(enum may_op op)
{
    return op == MAY_TOKENS_LIST || op == MAY_APIKEYS_LIST ||
           op == MAY_APIKEYS_MAKE || op == MAY_APIKEYS_REVOKE ||
           op == MAY_MEMBERS_REMOVE || op == MAY_ACCESS_LIST;
}

/* Below a fleet the machine is the second part of the path, or stands in the
 * body. False: answered. */
static bool machine_meant(struct call *c, bool below_fleet, char out[UUID_CAP])
{
    const char *part = below_fleet ? c->id[1] : c->id[0];

    if (part[0] != '\0') {
        bytes_to_str(out, UUID_CAP, view_str(part));
        return true;
    }
    if (call_param(c, "machine_id", out, UUID_CAP) == UUID_CAP - 1)
        return true;
    call_fail(c, 422, "machine_id says which machine");
    return false;
}

/* What the operation is about says what is asked before. */
void call_guard(struct call *c)
{
    const struct may_row *row = may_row(c->route->op);
    struct may_object o = {0};
    bool named =
        view_starts(view_str(c->route->path), view_str("/api/fleets/{}"));

    if (!guard_form(c) || !guard_policy(c))
        return;
    if (row->about == MAY_ABOUT_MACHINE && c->kind != MAY_GUEST) {
        struct store_ask q = {.op = STORE_ACCESS_OF};
        STR_COPY(q.u.access_of.fleet_id, c->who.fleet_id);
        STR_COPY(q.u.access_of.person_id, c->who.user_id);
        if (machine_meant(c, named, q.u.access_of.machine_id))
            call_ask(c, &q, NULL, access_answer);
        return;
    }
    if (row->about == MAY_ABOUT_FLEET) {
        o.fleet_id = named ? c->id[0] : c->who.fleet_id;
        o.owner_id = is_own(c->route->op) ? c->who.user_id : NULL;
    }
    if (call_may(c, c->route->op, &o))
        run(c);
}
