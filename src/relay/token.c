/*
 * `cmdop server token`: make, list and end sign-ins on the relay's host,
 * where nobody has to be signed in. Works beside a running relay, which cuts
 * the links of a token that is revoked here.
 */
#include <string.h>

#include "base/err.h"
#include "crypto/ct.h"
#include "port/port.h"
#include "relay/host.h"
#include "relay/verbs.h"

#define FLEETS_MAX 256 /* listed; further ones by --user */

struct fleets {
    uint32_t count;
    char id[FLEETS_MAX][UUID_CAP];
    char name[FLEETS_MAX][NAME_CAP];
};

struct tokens {
    struct host host;
    struct fleets fleets;
    const char *user;  /* --user: a login; NULL */
    const char *label; /* --label */
    int64_t expires_ms;
    bool all;  /* --all: also those that are over */
    bool json; /* --json */
    struct cmd_rows rows;
    uint32_t at; /* the fleet that is being listed */
    const char *victim;
    uint32_t hits;
    char found[UUID_CAP];
    char found_fleet[UUID_CAP];
};

/* ---- whose, and where ------------------------------------------------------- */

static bool fleet_row(void *ctx, const union store_row *row)
{
    struct fleets *f = ctx;
    if (f->count == FLEETS_MAX)
        return false;
    STR_COPY(f->id[f->count], row->fleet.id);
    STR_COPY(f->name[f->count], row->fleet.name);
    f->count++;
    return true;
}

static int find_fleets(struct tokens *t, struct text *why)
{
    const struct store_ask q = {.op = STORE_FLEET_LIST};
    return host_list(&t->host, &q, fleet_row, &t->fleets, why);
}

/* The account that --user names, and a fleet of it; without it the owner. */
static int find_user(struct tokens *t, char user_id[UUID_CAP],
                     char fleet_id[UUID_CAP], struct text *why)
{
    struct store_ask q = {.op = STORE_PERSON_BY_LOGIN};
    struct store_answer a;
    if (t->user == NULL) {
        memcpy(user_id, t->host.owner.user_id, UUID_CAP);
        memcpy(fleet_id, t->host.owner.fleet_id, UUID_CAP);
        return OK;
    }
    bytes_to_str(q.u.person_by_login.login, sizeof(q.u.person_by_login.login),
                 view_str(t->user));
    int err = host_ask(&t->host, &q, &a, why);
    if (err != OK)
        return err;
    if (a.outcome != STORE_DONE || a.u.account.fleet_id[0] == '\0') {
        text_join(why, "the user ", t->user,
                  a.outcome == STORE_UNKNOWN    ? " is not known here"
                  : a.outcome == STORE_DISABLED ? " was shut out"
                                                : " is in no fleet",
                  NULL);
        return ERR_NOT_FOUND;
    }
    memcpy(user_id, a.u.account.person.id, UUID_CAP);
    memcpy(fleet_id, a.u.account.fleet_id, UUID_CAP);
    return OK;
}

/* ---- make ------------------------------------------------------------------- */

static int make(struct tokens *t, struct text *why)
{
    char token[CREDENTIAL_TOKEN_CAP];
    struct store_ask q = {.op = STORE_TOKEN_MAKE};
    struct store_token_make *m = &q.u.token_make;
    struct store_answer a;
    int err = find_user(t, m->user_id, m->fleet_id, why);
    if (err != OK)
        return err;
    m->kind = STORE_CLI;
    bytes_to_str(m->label, sizeof(m->label), view_str(t->label));
    m->actor = place_actor();
    host_secret(token, &m->secret);
    m->secret.expires_ms =
        t->expires_ms == 0 ? 0 : port_wall_ms() + t->expires_ms;
    err = host_ask(&t->host, &q, &a, why);
    if (err == OK && a.outcome != STORE_DONE) {
        text_join(why, "the token was not made: ", store_outcome_str(a.outcome),
                  NULL);
        err = ERR_EXISTS;
    }
    if (err == OK) {
        cmd_out(view_str(token));
        cmd_out(view_str("\n"));
    }
    ct_wipe(SPAN_ARRAY(token));
    return err;
}

/* ---- list ------------------------------------------------------------------- */

static const char *state_of(const struct store_token *k, int64_t now)
{
    if (k->revoked_ms != 0)
        return "revoked";
    return k->expires_ms != 0 && k->expires_ms <= now ? "expired" : "valid";
}

static void column(struct text *t, size_t from, const char *words)
{
    text_pad(t, 0, from);
    text_safe(t, view_str(words));
    text_char(t, ' ');
}

static void put_json(struct tokens *t, const struct store_token *k)
{
    char buf[4096];
    struct json_out o;
    json_begin(&o, buf, sizeof(buf));
    json_obj_begin(&o);
    json_member(&o, "id", k->id);
    json_member(&o, "state", state_of(k, port_wall_ms()));
    json_member(&o, "kind", store_token_kind_str(k->kind));
    json_member(&o, "user", k->login);
    json_member(&o, "user_id", k->person_id);
    json_member(&o, "fleet", t->fleets.name[t->at]);
    json_member(&o, "fleet_id", k->fleet_id);
    json_member(&o, "label", k->label);
    json_member(&o, "host", k->client.host);
    json_member_time(&o, "created_at", k->created_ms);
    json_member_time(&o, "expires_at", k->expires_ms);
    json_member_time(&o, "last_used_at", k->last_used_ms);
    json_member_time(&o, "revoked_at", k->revoked_ms);
    json_obj_end(&o);
    cmd_row(&t->rows, &o);
}

static bool print_row(void *ctx, const union store_row *row)
{
    const struct store_token *k = &row->token;
    struct tokens *t = ctx;
    char line[400];
    struct text out;
    if (t->json) {
        put_json(t, k);
        return true;
    }
    TEXT_OF(&out, line);
    text_view(&out, view_first(view_str(k->id), 8));
    column(&out, 10, state_of(k, port_wall_ms()));
    column(&out, 19, store_token_kind_str(k->kind));
    column(&out, 28, k->login);
    column(&out, 45, t->fleets.name[t->at]);
    text_pad(&out, 0, 60);
    if (k->expires_ms == 0)
        text_str(&out, "never ");
    else
        text_time(&out, k->expires_ms);
    text_pad(&out, 0, 82);
    text_safe(&out, view_str(k->label[0] != '\0' ? k->label : k->client.host));
    text_str(&out, "\n");
    cmd_out(text_done(&out));
    return true;
}

static bool match_row(void *ctx, const union store_row *row)
{
    struct tokens *t = ctx;
    if (!view_starts(view_str(row->token.id), view_str(t->victim)))
        return true;
    t->hits++;
    STR_COPY(t->found, row->token.id);
    STR_COPY(t->found_fleet, row->token.fleet_id);
    return true;
}

/* Every token of every fleet, or of one person's. An access token is a part
 * of the sign-in that its refresh token stands for. */
static int each_token(struct tokens *t,
                      bool (*row)(void *ctx, const union store_row *row),
                      uint32_t kinds, bool good, struct text *why)
{
    struct store_ask q = {.op = STORE_TOKEN_LIST};
    struct store_token_list *l = &q.u.token_list;
    char fleet_id[UUID_CAP];
    int err = find_fleets(t, why);
    if (err == OK && t->user != NULL)
        err = find_user(t, l->person_id, fleet_id, why);
    l->kinds = kinds;
    l->good = good;
    for (t->at = 0; t->at < t->fleets.count && err == OK; t->at++) {
        STR_COPY(l->list.fleet_id, t->fleets.id[t->at]);
        err = host_list(&t->host, &q, row, t, why);
    }
    return err;
}

static int list(struct tokens *t, struct text *why)
{
    t->rows.name = "tokens";
    if (!t->json)
        cmd_out(
            view_str("ID        STATE    KIND     USER             FLEET       "
                     "   EXPIRES               LABEL\n"));
    int err = each_token(t, print_row, ~(1u << STORE_ACCESS), !t->all, why);
    if (err == OK && t->json)
        cmd_rows_end(&t->rows);
    return err;
}

/* ---- revoke ----------------------------------------------------------------- */

static int revoke(struct tokens *t, struct text *why)
{
    struct store_ask q = {.op = STORE_TOKEN_REVOKE};
    struct store_answer a;
    int err = each_token(t, match_row, 0, false, why);
    if (err != OK)
        return err;
    if (t->hits != 1 || strlen(t->victim) < STORE_PREFIX_MIN) {
        text_str(why, t->hits == 0 ? "there is no such token"
                                   : "several tokens begin like this, or it is "
                                     "shorter than four characters");
        return ERR_NOT_FOUND;
    }
    STR_COPY(q.u.token_revoke.fleet_id, t->found_fleet);
    STR_COPY(q.u.token_revoke.id, t->found);
    q.u.token_revoke.actor = place_actor();
    err = host_ask(&t->host, &q, &a, why);
    if (err == OK && a.outcome != STORE_DONE) {
        text_join(why, "the token is not revoked: ",
                  a.outcome == STORE_REVOKED ? "it was revoked before"
                                             : store_outcome_str(a.outcome),
                  NULL);
        return ERR_NOT_FOUND;
    }
    return err == OK ? host_tell_relay(&t->host, why) : err;
}

/* ---- the verb --------------------------------------------------------------- */

int token_run(const struct cmd_env *env, int argc, char **argv)
{
    static struct tokens t;
    const char *state = NULL, *expires_arg = NULL;
    const struct cmd_opt opts[] = {{"--state-dir", NULL, NULL, &state},
                                   {"--user", NULL, NULL, &t.user},
                                   {"--label", NULL, NULL, &t.label},
                                   {"--expires", NULL, NULL, &expires_arg},
                                   {"--all", "-a", &t.all, NULL},
                                   {"--json", NULL, &t.json, NULL}};
    uint64_t expires = 0;
    char buf[512];
    struct text why;
    int rest;
    (void)env;
    t.label = "";
    int status = cmd_options(&server_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    const char *what = argc > 1 ? argv[1] : "";
    bool revokes = strcmp(what, "revoke") == 0;
    if (!revokes && strcmp(what, "make") != 0 && strcmp(what, "list") != 0)
        return cmd_usage(&server_cmd, "make, list or revoke is expected, not ",
                         what);
    if (argc != (revokes ? 3 : 2))
        return cmd_usage(&server_cmd,
                         revokes ? "revoke takes one id" : "nothing follows ",
                         revokes ? "" : what);
    if (t.json && what[0] != 'l')
        return cmd_usage(&server_cmd, "only `list` has an answer for ",
                         "--json");
    if (expires_arg != NULL &&
        text_parse_duration(view_str(expires_arg), &expires) != OK)
        return cmd_usage(&server_cmd, "that is not a duration like 24h or 7d: ",
                         expires_arg);
    t.expires_ms = (int64_t)expires;
    t.victim = revokes ? argv[2] : "";
    TEXT_OF(&why, buf);
    int err = host_open(&t.host, state, &why);
    if (err == OK)
        err = revokes          ? revoke(&t, &why)
              : what[0] == 'm' ? make(&t, &why)
                               : list(&t, &why);
    host_close(&t.host);
    if (err != OK)
        cmd_say(buf, NULL);
    return err == OK ? CMD_OK : CMD_FAILED;
}
