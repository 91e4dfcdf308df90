/*
 * `cmdop server user`: accounts, on the relay's host. Works beside a running
 * relay: the store serves two processes. Passwords come from the terminal or
 * from standard input, never as arguments.
 */
#include <string.h>

#include "base/err.h"
#include "core/secret.h"
#include "crypto/ct.h"
#include "crypto/pwhash.h"
#include "relay/host.h"
#include "relay/people.h"
#include "relay/relay.h"
#include "relay/verbs.h"

/* ---- passwords ---------------------------------------------------------------- */

static int hash_password(struct view password, char stored[STORE_PASS_CAP],
                         struct text *why)
{
    uint8_t salt[PWHASH_SALT_LEN];
    char made[PWHASH_CAP];
    const char *fault = people_password_fault(password);

    if (fault != NULL) {
        text_str(why, fault);
        return ERR_RANGE;
    }
    port_entropy(SPAN_ARRAY(salt));
    int err = pwhash_make(password, salt, made);
    if (err != OK)
        text_str(why, "there is not enough memory for the password");
    else
        bytes_to_str(stored, STORE_PASS_CAP, view_str(made));
    ct_wipe(SPAN_ARRAY(made));
    return err;
}

/* From the terminal, twice; or the line that standard input holds. */
static int ask_password(struct secret *out, struct text *why)
{
    struct secret again;
    int err;

    if (!port_is_tty(PORT_STDIN)) {
        err = secret_from_stdin(out);
    } else {
        err = secret_ask("password (at least 12 characters): ", out);
        if (err == OK)
            err = secret_ask("the same again: ", &again);
        if (err == OK && !ct_eq(secret_view(out), secret_view(&again)))
            err = ERR_AUTH;
        secret_wipe(&again);
    }
    if (err != OK)
        text_str(why, err == ERR_TOO_BIG ? "a password has at most 128 bytes"
                      : err == ERR_AUTH  ? "the passwords were not the same"
                                         : "no password was given");
    return err;
}

static int read_password(char stored[STORE_PASS_CAP], struct text *why)
{
    struct secret password = {0};
    int err = ask_password(&password, why);

    if (err == OK)
        err = hash_password(secret_view(&password), stored, why);
    secret_wipe(&password);
    return err;
}

static bool is_login(const char *login, struct text *why)
{
    if (people_is_login(login))
        return true;
    text_str(why, "a login has 1 to 63 printable ASCII characters and no "
                  "blanks");
    return false;
}

/* ---- finding ------------------------------------------------------------------- */

static int find(struct host *h, const char *login, struct store_person *out,
                struct text *why)
{
    struct store_ask q = {.op = STORE_PERSON_BY_LOGIN};
    struct store_answer a;
    if (!is_login(login, why))
        return ERR_RANGE;
    STR_COPY(q.u.person_by_login.login, login);
    int err = host_ask(h, &q, &a, why);
    if (err != OK)
        return err;
    if (a.outcome != STORE_DONE && a.outcome != STORE_DISABLED) {
        text_str(why, "there is no account ");
        text_safe(why, view_str(login));
        text_str(why, "; `cmdop server user list` shows them");
        return ERR_NOT_FOUND;
    }
    *out = a.u.account.person;
    return OK;
}

/* ---- verbs ---------------------------------------------------------------------- */

static int add(struct host *h, const char *login, const char *role,
               const char *email, struct text *why)
{
    struct store_ask q = {.op = STORE_PERSON_MAKE};
    struct store_person_make *m = &q.u.person_make;
    struct store_answer a;
    m->role = STORE_MEMBER;
    if (role != NULL && !store_role_parse(view_str(role), &m->role)) {
        text_str(why, "a role is owner, admin, member or viewer");
        return ERR_RANGE;
    }
    if (!is_login(login, why))
        return ERR_RANGE;
    if (STR_COPY(m->email, email) != strlen(email) ||
        (email[0] != '\0' && !people_is_email(email))) {
        text_str(why, "an e-mail address is one like ada@example.org, of 127 "
                      "characters at most");
        return ERR_RANGE;
    }
    STR_COPY(m->login, login);
    STR_COPY(m->name, login);
    memcpy(m->fleet_id, h->owner.fleet_id, UUID_CAP);
    port_entropy(SPAN_ARRAY(m->random));
    m->actor = place_actor();
    int err = read_password(m->password, why);
    if (err == OK)
        err = host_ask(h, &q, &a, why);
    ct_wipe((struct span){(uint8_t *)&q, sizeof q});
    if (err != OK)
        return err;
    if (a.outcome != STORE_DONE) {
        text_str(why, a.outcome == STORE_CONFLICT
                          ? "that login or address is taken"
                          : store_outcome_str(a.outcome));
        return ERR_EXISTS;
    }
    return OK;
}

static int set_password(struct host *h, const char *login, struct text *why)
{
    struct store_ask q = {.op = STORE_PERSON_SET_PASSWORD};
    struct store_answer a;
    struct store_person p;
    int err = find(h, login, &p, why);
    if (err == OK)
        err = read_password(q.u.person_set_password.password, why);
    if (err != OK)
        return err;
    STR_COPY(q.u.person_set_password.person_id, p.id);
    q.u.person_set_password.actor = place_actor();
    err = host_ask(h, &q, &a, why);
    ct_wipe((struct span){(uint8_t *)&q, sizeof q});
    return err;
}

static int enable(struct host *h, const char *login, bool enabled,
                  struct text *why)
{
    struct store_ask q = {.op = STORE_PERSON_ENABLE};
    struct store_answer a;
    struct store_person p;
    int err = find(h, login, &p, why);
    if (err != OK)
        return err;
    STR_COPY(q.u.person_enable.person_id, p.id);
    q.u.person_enable.enabled = enabled;
    q.u.person_enable.actor = place_actor();
    err = host_ask(h, &q, &a, why);
    if (err == OK && a.outcome == STORE_LAST_OWNER) {
        text_str(why, "a fleet would be left without an owner: make somebody "
                      "else its owner first");
        return ERR_DENIED;
    }
    return err;
}

/* ---- list ------------------------------------------------------------------------ */

struct listing {
    bool json;  /* one object, */
    bool jsonl; /* or one for each account */
    struct cmd_rows rows;
};

static void put_json(struct listing *l, const struct store_person *p)
{
    char buf[4096];
    struct json_out out, *o = &out;
    json_begin(o, buf, sizeof buf);
    json_obj_begin(o);
    json_member(o, "id", p->id);
    json_member(o, "login", p->login);
    json_member(o, "name", p->name);
    json_member(o, "email", p->email);
    json_key(o, "has_password");
    json_bool(o, p->has_password);
    json_key(o, "has_second_factor");
    json_bool(o, p->has_totp);
    json_member_time(o, "created_at", p->created_ms);
    json_member_time(o, "disabled_at", p->disabled_ms);
    json_member_time(o, "locked_until", p->locked_until_ms);
    json_obj_end(o);
    if (l->json)
        cmd_row(&l->rows, o);
    else
        cmd_out_json(o);
}

static bool row(void *ctx, const union store_row *r)
{
    struct listing *l = ctx;
    const struct store_person *p = &r->person;
    char line[256];
    struct text t;
    if (l->json || l->jsonl) {
        put_json(l, p);
        return true;
    }
    TEXT_OF(&t, line);
    text_safe(&t, view_str(p->login));
    text_pad(&t, 0, 24);
    text_join(&t,
              p->disabled_ms != 0                   ? "disabled"
              : p->locked_until_ms > port_wall_ms() ? "locked"
              : p->has_password                     ? "active"
                                                    : "no password",
              NULL);
    text_pad(&t, 0, 38);
    text_str(&t, p->has_totp ? "yes" : "no");
    text_pad(&t, 0, 46);
    text_safe(&t, view_str(p->email));
    text_str(&t, "\n");
    cmd_out(text_done(&t));
    return true;
}

static int list(struct host *h, struct listing *l, struct text *why)
{
    struct store_ask q = {.op = STORE_PERSON_LIST};
    l->rows.name = "users";
    if (!l->json && !l->jsonl)
        cmd_out(view_str("LOGIN                   STATE         2ND     "
                         "E-MAIL\n"));
    int err = host_list(h, &q, row, l, why);
    if (err == OK && l->json)
        cmd_rows_end(&l->rows);
    return err;
}

/* ---- the verb ------------------------------------------------------------------------ */

static int act(struct host *h, const char *verb, const char *login,
               const char *role, const char *email, struct text *why)
{
    int err;
    if (strcmp(verb, "add") == 0)
        err = add(h, login, role, email, why);
    else if (strcmp(verb, "password") == 0)
        err = set_password(h, login, why);
    else
        err = enable(h, login, strcmp(verb, "enable") == 0, why);
    return err == OK ? host_tell_relay(h, why) : err;
}

static bool is_verb(const char *s)
{
    static const char *const verbs[] = {"add", "password", "disable", "enable"};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(s, verbs[i]) == 0)
            return true;
    return false;
}

int user_run(const struct cmd_env *env, int argc, char **argv)
{
    static struct host h;
    const char *state = NULL, *role = NULL, *email = "";
    struct listing l = {0};
    const struct cmd_opt opts[] = {{"--state-dir", NULL, NULL, &state},
                                   {"--role", NULL, NULL, &role},
                                   {"--email", NULL, NULL, &email},
                                   {"--json", NULL, &l.json, NULL},
                                   {"--jsonl", NULL, &l.jsonl, NULL}};
    char buf[512];
    struct text why;
    int rest;
    (void)env;
    int status = cmd_options(&server_cmd, &argc, argv, &rest, opts,
                             sizeof opts / sizeof opts[0]);
    if (status >= 0)
        return status;
    bool listing = argc == 2 && strcmp(argv[1], "list") == 0;
    if (!listing && (argc != 3 || !is_verb(argv[1])))
        return cmd_usage(&server_cmd,
                         "user takes add, password, disable or enable and a "
                         "login, or list",
                         "");
    if ((l.json || l.jsonl) && !listing)
        return cmd_usage(&server_cmd, "only `list` has an answer for ",
                         l.json ? "--json" : "--jsonl");
    TEXT_OF(&why, buf);
    int err = host_open(&h, state, &why);
    if (err == OK)
        err = listing ? list(&h, &l, &why)
                      : act(&h, argv[1], argv[2], role, email, &why);
    host_close(&h);
    if (err != OK)
        cmd_say(buf, NULL);
    return err == OK ? CMD_OK : CMD_FAILED;
}

/* ---- the owner's first password -------------------------------------------------------- */

int user_first_password(struct relay *r, const char *path, struct text *why)
{
    struct store_ask q = {.op = STORE_PERSON_BY_ID};
    struct store_answer a;
    struct secret password = {0};
    int err = secret_from_file(path, &password, why);

    if (err != OK)
        return err;
    STR_COPY(q.u.person_by_id.person_id, r->owner.user_id);
    err = relay_ask_now(&r->store, &q, &a);
    if (err == OK && a.outcome == STORE_DONE &&
        a.u.account.password[0] == '\0') {
        struct store_ask set = {.op = STORE_PERSON_SET_PASSWORD};
        STR_COPY(set.u.person_set_password.person_id, r->owner.user_id);
        set.u.person_set_password.actor = place_actor();
        err = hash_password(secret_view(&password),
                            set.u.person_set_password.password, why);
        if (err == OK)
            err = relay_ask_now(&r->store, &set, &a);
        ct_wipe((struct span){(uint8_t *)&set, sizeof set});
    }
    secret_wipe(&password);
    if (err != OK && why->len == 0)
        text_str(why, store_why(&r->store));
    return err;
}
