/*
 * `cmdop server join-key`: make, list and revoke join keys. Works beside a
 * running relay: the store serves two processes.
 */
#include <string.h>

#include "base/err.h"
#include "core/joinstr.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "relay/host.h"
#include "relay/relay.h"
#include "relay/verbs.h"

#define EXPIRES_MS (24 * 3600 * INT64_C(1000))

/* What a new key is to be like. */
struct order {
    uint32_t uses;
    int64_t expires_ms; /* from now; 0: never */
    const char *label;  /* its own */
    const char *labels; /* of the machines that join with it */
    bool approval;      /* which then wait for an owner */
};

/* ---- make -------------------------------------------------------------------------- */

static int make(struct host *k, const struct order *o, struct text *why)
{
    struct joinstr j = {0};
    struct store_ask q = {.op = STORE_JOINKEY_MAKE};
    struct store_answer a;
    uint8_t raw[JOINSTR_KEY_RAW_LEN];
    char line[JOINSTR_CAP + 1];
    struct text t;
    int err = place_load_address(&k->place, j.host, &j.port, why);
    if (err != OK)
        return err;
    port_entropy(SPAN_ARRAY(raw));
    joinstr_key(raw, j.key);
    ct_wipe(SPAN_ARRAY(raw));
    memcpy(j.pin, k->relay.pub, sizeof(j.pin));
    memcpy(q.u.joinkey_make.fleet_id, k->owner.fleet_id, UUID_CAP);
    STR_COPY(q.u.joinkey_make.label, o->label);
    STR_COPY(q.u.joinkey_make.labels, o->labels);
    q.u.joinkey_make.approval = o->approval;
    hash_once(view_str(j.key), q.u.joinkey_make.hash);
    q.u.joinkey_make.uses_max = o->uses;
    q.u.joinkey_make.expires_ms =
        o->expires_ms == 0 ? 0 : port_wall_ms() + o->expires_ms;
    port_entropy(SPAN_ARRAY(q.u.joinkey_make.random));
    q.u.joinkey_make.actor = place_actor();
    err = relay_ask_now(&k->store, &q, &a);
    if (err != OK || a.outcome != STORE_DONE) {
        text_str(why, err == ERR_RANGE ? "a label is too long, or not printable"
                      : err != OK      ? store_why(&k->store)
                                       : store_outcome_str(a.outcome));
        return err != OK ? err : ERR_EXISTS;
    }
    TEXT_OF(&t, line);
    (void)joinstr_print(&j, &t);
    text_str(&t, "\n");
    cmd_out(text_done(&t));
    ct_wipe(SPAN_ARRAY(line));
    ct_wipe(SPAN_ARRAY(j.key));
    return OK;
}

/* ---- list -------------------------------------------------------------------------- */

static const char *state_of(const struct store_joinkey *k, int64_t now,
                            const char *used_up)
{
    if (k->revoked_ms != 0)
        return "revoked";
    if (k->expires_ms != 0 && k->expires_ms <= now)
        return "expired";
    if (k->uses_max != 0 && k->uses >= k->uses_max)
        return used_up;
    return "valid";
}

static void put_json(struct cmd_rows *rows, const struct store_joinkey *k)
{
    char buf[2048];
    struct json_out o;
    json_begin(&o, buf, sizeof(buf));
    json_obj_begin(&o);
    json_member(&o, "id", k->id);
    json_member(&o, "state", state_of(k, port_wall_ms(), "used_up"));
    json_member(&o, "label", k->label);
    json_member(&o, "labels", k->labels);
    json_key(&o, "approval");
    json_bool(&o, k->approval);
    json_key(&o, "uses");
    json_u64(&o, k->uses);
    json_key(&o, "uses_max");
    if (k->uses_max != 0)
        json_u64(&o, k->uses_max);
    else
        json_null(&o); /* any number */
    json_member_time(&o, "created_at", k->created_ms);
    json_member_time(&o, "expires_at", k->expires_ms);
    json_member_time(&o, "revoked_at", k->revoked_ms);
    json_obj_end(&o);
    cmd_row(rows, &o);
}

static void put_text(const struct store_joinkey *k)
{
    char line[512];
    struct text t;
    TEXT_OF(&t, line);
    text_view(&t, view_first(view_str(k->id), 8));
    text_join(&t, "  ", state_of(k, port_wall_ms(), "used up"), NULL);
    text_pad(&t, 0, 20);
    text_u64(&t, k->uses);
    text_str(&t, "/");
    if (k->uses_max == 0)
        text_str(&t, "any");
    else
        text_u64(&t, k->uses_max);
    text_pad(&t, 0, 30);
    if (k->expires_ms == 0)
        text_str(&t, "never");
    else
        text_time(&t, k->expires_ms);
    text_pad(&t, 0, 52);
    text_safe(&t, view_str(k->label));
    if (k->approval)
        text_str(&t, k->label[0] != '\0' ? " (approval)" : "(approval)");
    if (k->labels[0] != '\0') {
        text_str(&t, " ");
        text_pad(&t, 0, 72);
        text_safe(&t, view_str(k->labels));
    }
    text_str(&t, "\n");
    cmd_out(text_done(&t));
}

static bool row(void *ctx, const union store_row *r)
{
    struct cmd_rows *rows = ctx;
    if (rows != NULL)
        put_json(rows, &r->joinkey);
    else
        put_text(&r->joinkey);
    return true;
}

static int list(struct host *k, bool json, struct text *why)
{
    struct cmd_rows rows = {.name = "join_keys"};
    struct store_ask q = {.op = STORE_JOINKEY_LIST};
    memcpy(q.u.list.fleet_id, k->owner.fleet_id, UUID_CAP);
    if (!json)
        cmd_out(view_str("ID        STATE     USES      EXPIRES               "
                         "LABEL               LABELS OF MACHINES\n"));
    int err = host_list(k, &q, row, json ? &rows : NULL, why);
    if (err == OK && json)
        cmd_rows_end(&rows);
    return err;
}

/* ---- revoke ------------------------------------------------------------------------ */

static int revoke(struct host *k, const char *id, struct text *why)
{
    struct store_ask q = {.op = STORE_JOINKEY_REVOKE};
    struct store_answer a;
    memcpy(q.u.revoke.fleet_id, k->owner.fleet_id, UUID_CAP);
    bytes_to_str(q.u.revoke.id, UUID_CAP, view_str(id));
    q.u.revoke.actor = place_actor();
    int err = relay_ask_now(&k->store, &q, &a);
    if (err != OK) {
        text_str(why, err == ERR_RANGE
                          ? "that is not the id of a join key; `cmdop server "
                            "join-key --list` shows them"
                          : store_why(&k->store));
        return err;
    }
    if (a.outcome == STORE_DONE)
        return OK;
    text_str(why, a.outcome == STORE_REVOKED ? "the join key was revoked before"
                  : a.outcome == STORE_AMBIGUOUS
                      ? "several join keys begin so; type more of the id"
                      : "there is no such join key; `cmdop server join-key "
                        "--list` shows them");
    return ERR_NOT_FOUND;
}

/* ---- the verb ------------------------------------------------------------------------ */

static int number(const char *text, uint32_t *out)
{
    uint64_t n = 0;
    if (text == NULL)
        return OK;
    if (text_parse_u64(view_str(text), UINT32_MAX, &n) != OK)
        return ERR_RANGE;
    *out = (uint32_t)n;
    return OK;
}

int joinkey_run(const struct cmd_env *env, int argc, char **argv)
{
    static struct host k;
    const char *state = NULL, *uses_arg = NULL, *expires_arg = NULL;
    const char *victim = NULL;
    struct order o = {.expires_ms = EXPIRES_MS, .label = "", .labels = ""};
    bool listing = false, json = false;
    const struct cmd_opt opts[] = {{"--state-dir", NULL, NULL, &state},
                                   {"--uses", NULL, NULL, &uses_arg},
                                   {"--expires", NULL, NULL, &expires_arg},
                                   {"--label", NULL, NULL, &o.label},
                                   {"--labels", NULL, NULL, &o.labels},
                                   {"--approve", NULL, &o.approval, NULL},
                                   {"--list", NULL, &listing, NULL},
                                   {"--json", NULL, &json, NULL},
                                   {"--revoke", NULL, NULL, &victim}};
    uint64_t expires = EXPIRES_MS;
    char buf[512];
    struct text why;
    int rest;
    (void)env;
    int status = cmd_options(&server_cmd, &argc, argv, &rest, opts,
                             sizeof(opts) / sizeof(opts[0]));
    if (status >= 0)
        return status;
    if (argc > 1)
        return cmd_usage(&server_cmd, "nothing is expected here: ", argv[1]);
    if (json && !listing)
        return cmd_usage(&server_cmd, "only --list has an answer for ",
                         "--json");
    if (number(uses_arg, &o.uses) != OK)
        return cmd_usage(&server_cmd, "that is not a number: ", uses_arg);
    if (expires_arg != NULL &&
        text_parse_duration(view_str(expires_arg), &expires) != OK)
        return cmd_usage(&server_cmd, "that is not a duration like 24h or 7d: ",
                         expires_arg);
    o.expires_ms = (int64_t)expires;
    TEXT_OF(&why, buf);
    int err = host_open(&k, state, &why);
    if (err == OK && listing)
        err = list(&k, json, &why);
    else if (err == OK && victim != NULL)
        err = revoke(&k, victim, &why);
    else if (err == OK)
        err = make(&k, &o, &why);
    host_close(&k);
    if (err != OK)
        cmd_say(buf, NULL);
    return err == OK ? CMD_OK : CMD_FAILED;
}
