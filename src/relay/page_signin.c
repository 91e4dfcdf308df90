/*
 * Signing in and out. Two steps: login and password, then, if there is one,
 * the second factor. What is wrong is never told apart: the same sentence and
 * the same work for a login that nobody has.
 *
 *   POST /signin        account? -> password? -> [ half: /signin/code ]
 *   POST /signin/code   half -> account -> code? -> session
 */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "relay/faces.h"
#include "relay/page.h"

#define VISITOR_MS (INT64_C(3600) * 1000)

/* A string that no password has, with the cost of a real one. */
#define NOBODY                                               \
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const char WRONG[] = "The login or the password is not right.";
static const char WRONG_CODE[] = "The code is not right, or was used before.";

/* text[0] where to go, [1] login, [4] the same in small letters; hash: which password was right */

static void show_password(struct call *c, int status, const char *error)
{
    if (c->cookie[0] == '\0') {
        char visitor[PEOPLE_SECRET_CAP];
        people_secret(visitor);
        call_set_cookie(c, visitor, VISITOR_MS);
    }
    page_begin(c, "Sign in", error);
    page_form(c, "/signin");
    page_hidden(c, "next", c->text[0]);
    page_input(c, &(struct page_input){.name = "login",
                                       .label = "Login",
                                       .type = "text",
                                       .autocomplete = "username",
                                       .value = c->text[1],
                                       .max = STORE_LOGIN_CAP - 1,
                                       .focus = true});
    page_input(c, &(struct page_input){.name = "password",
                                       .label = "Password",
                                       .type = "password",
                                       .autocomplete = "current-password",
                                       .max = PWHASH_PASSWORD_MAX});
    page_form_end(c, "Sign in");
    page_html(c, "<p><a href=\"/invite\">I have an invitation</a></p>\n", NULL);
    page_end(c);
    call_page(c, status);
}

static void show_code(struct call *c, int status, const char *error)
{
    page_begin(c, "Second factor", error);
    page_form(c, "/signin/code");
    page_hidden(c, "next", c->text[0]);
    page_input(c, &(struct page_input){
                      .name = "code",
                      .label = "Code",
                      .type = "text",
                      .autocomplete = "one-time-code",
                      .hint = "Six digits from your authenticator app, or one "
                              "of your backup codes.",
                      .max = 20,
                      .focus = true,
                      .code = true});
    page_form_end(c, "Go on");
    page_end(c);
    call_page(c, status);
}

void signin_show(struct call *c)
{
    call_next_page(c, c->text[0], CALL_TEXT);
    if (c->kind == MAY_WEB)
        call_redirect(c, c->text[0]);
    else
        show_password(c, 200, NULL);
}

void root_show(struct call *c)
{
    call_redirect(c, c->kind == MAY_WEB ? "/account" : "/signin");
}

void style_show(struct call *c)
{
    api_answer(c->conn, 200, "text/css; charset=utf-8", page_style());
}

/* ---- failures -------------------------------------------------------------------- */

static void tried_answer(struct call *c, const struct store_answer *a)
{
    (void)a;
    if (c->flag)
        show_code(c, 403, WRONG_CODE);
    else
        show_password(c, 403, WRONG);
}

/* A login as the store knows it: without capital letters. */
static void lower(char *s)
{
    for (; *s != '\0'; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s - 'A' + 'a');
}

/* It was wrong: the address waits, and so does the account, if there is
 * one. c->flag: it was the code. */
static void fail(struct call *c, bool code)
{
    struct store_ask q = {.op = STORE_PERSON_TRIED};

    call_tried_wrong(c, THROTTLE_SIGN_IN);
    c->flag = code;
    if (c->account.person.id[0] == '\0') {
        if (c->text[4][0] != '\0')
            throttle_fail(&c->people->throttle, THROTTLE_NOBODY,
                          view_str(c->text[4]), loop_now(c->people->loop));
        show_password(c, 403, WRONG);
        return;
    }
    STR_COPY(q.u.person_tried.person_id, c->account.person.id);
    STR_COPY(q.u.person_tried.address, c->place);
    q.u.person_tried.actor = call_actor(c);
    call_ask(c, &q, NULL, tried_answer);
}

/* ---- the session ------------------------------------------------------------------ */

/* Which browser, in a word or two: people know it again in a list. */
static void name_browser(struct call *c, struct store_client *to)
{
    static const struct {
        const char *mark, *name;
    } browsers[] = {{"Edg/", "Edge"},
                    {"OPR/", "Opera"},
                    {"Firefox/", "Firefox"},
                    {"Chrome/", "Chrome"},
                    {"Safari/", "Safari"}},
      systems[] = {{"Android", "Android"}, {"iPhone", "iOS"},
                   {"iPad", "iOS"},        {"Windows", "Windows"},
                   {"Mac OS X", "macOS"},  {"Linux", "Linux"}};
    char agent[300];

    bytes_to_str(agent, sizeof agent,
                 http_header(&c->conn->http, "user-agent"));
    STR_COPY(to->name, "browser");
    for (size_t i = 0; i < sizeof browsers / sizeof browsers[0]; i++) {
        if (strstr(agent, browsers[i].mark) != NULL) {
            STR_COPY(to->name, browsers[i].name);
            break;
        }
    }
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
        if (strstr(agent, systems[i].mark) != NULL) {
            STR_COPY(to->platform, systems[i].name);
            break;
        }
    }
    STR_COPY(to->address, c->place);
}

static void session_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_DENIED) { /* another password, this very moment */
        show_password(c, 403, WRONG);
        return;
    }
    if (a->outcome != STORE_DONE) {
        call_fail(c, 403,
                  a->outcome == STORE_LIMIT
                      ? "There are too many sessions of this account: "
                        "sign out somewhere first."
                      : "This account is a member of no fleet.");
        return;
    }
    log_info("person.signed-in", a->u.who.login);
    call_set_cookie(c, c->text[5], PEOPLE_SESSION_MS);
    ct_wipe(SPAN_ARRAY(c->text[5]));
    call_redirect(c, c->text[0]);
}

/* see faces.h; the secret waits in text[5] */
void signin_session(struct call *c)
{
    struct store_ask q = {.op = STORE_TOKEN_MAKE};
    struct store_token_make *m = &q.u.token_make;

    if (c->account.fleet_id[0] == '\0') {
        call_fail(c, 403, "This account is a member of no fleet.");
        return;
    }
    people_secret(c->text[5]);
    STR_COPY(m->fleet_id, c->account.fleet_id);
    STR_COPY(m->user_id, c->account.person.id);
    STR_COPY(m->password, c->account.password);
    m->kind = STORE_WEB;
    hash_once(view_str(c->text[5]), m->secret.hash);
    m->secret.expires_ms = port_wall_ms() + PEOPLE_SESSION_MS;
    port_entropy(SPAN_ARRAY(m->secret.random));
    name_browser(c, &m->client);
    STR_COPY(m->actor.kind, "user");
    STR_COPY(m->actor.name, c->account.person.id);
    call_ask(c, &q, NULL, session_answer);
}

static void right_answer(struct call *c, const struct store_answer *a)
{
    uint8_t cookie[32];

    if (a->outcome != STORE_DONE) { /* the code's step was used, or locked */
        call_tried_wrong(c, THROTTLE_SIGN_IN);
        tried_answer(c, a);
        return;
    }
    throttle_clear(&c->people->throttle, THROTTLE_SIGN_IN,
                   throttle_place(&c->conn->from));
    call_cookie_hash(c, cookie);
    struct half *h = people_half_find(c->people, cookie);
    if (h != NULL)
        people_half_end(h);
    signin_session(c);
}

/* All of it was right. `step`: of the code; 0: none was needed. */
static void succeed(struct call *c, int64_t step)
{
    struct store_ask q = {.op = STORE_PERSON_TRIED};

    STR_COPY(q.u.person_tried.person_id, c->account.person.id);
    STR_COPY(q.u.person_tried.address, c->place);
    q.u.person_tried.ok = true;
    q.u.person_tried.step = step;
    q.u.person_tried.actor = call_actor(c);
    call_ask(c, &q, NULL, right_answer);
}

/* ---- login and password ------------------------------------------------------------- */

static void password_done(struct call *c, int err, const char *stored)
{
    uint8_t cookie[32];

    (void)stored;
    if (err != OK || c->account.person.id[0] == '\0') {
        if (err == ERR_DAMAGED)
            log_error("person.password", "a stored password is damaged");
        fail(c, false);
    } else if (c->account.sealed_len == 0) {
        succeed(c, 0);
    } else {
        call_cookie_hash(c, cookie);
        struct half *h = people_half_make(c->people, cookie);
        STR_COPY(h->person_id, c->account.person.id);
        hash_once(view_str(c->account.password), h->password);
        show_code(c, 200, NULL);
    }
}

static bool nobody_waits(struct call *c)
{
    uint64_t wait =
        throttle_wait(&c->people->throttle, THROTTLE_NOBODY,
                      view_str(c->text[4]), loop_now(c->people->loop));

    if (wait > STORE_LOCK_MS_MAX)
        wait = STORE_LOCK_MS_MAX;
    if (wait > 0)
        call_too_many(c, wait);
    return wait > 0;
}

static void account_answer(struct call *c, const struct store_answer *a)
{
    char password[PWHASH_PASSWORD_MAX + 2];

    /* Nobody waits as an account does, or waiting would tell who is here. */
    if (a->outcome == STORE_DONE) {
        c->account = a->u.account;
        if (call_account_waits(c))
            return;
    } else if (nobody_waits(c)) {
        return;
    }
    int n = call_param(c, "password", password, sizeof password);
    /* The same work for nobody as for somebody. */
    call_check(c, view_of(password, n > 0 ? (size_t)n : 0),
               c->account.password[0] != '\0' ? c->account.password : NOBODY,
               password_done);
    ct_wipe(SPAN_ARRAY(password));
}

void signin_password(struct call *c)
{
    struct store_ask q = {.op = STORE_PERSON_BY_LOGIN};

    call_next_page(c, c->text[0], CALL_TEXT);
    if (call_must_wait(c, THROTTLE_SIGN_IN))
        return;
    int n = call_param(c, "login", c->text[1], STORE_LOGIN_CAP);
    if (n < 0 || !people_is_login(c->text[1])) {
        c->text[1][0] = '\0';
        fail(c, false);
        return;
    }
    STR_COPY(q.u.person_by_login.login, c->text[1]);
    STR_COPY(c->text[4], c->text[1]);
    lower(c->text[4]);
    call_ask(c, &q, NULL, account_answer);
}

/* ---- the second factor ---------------------------------------------------------------- */

static void backup_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_DONE)
        succeed(c, 0);
    else
        fail(c, true);
}

static void use_backup(struct call *c)
{
    struct store_ask q = {.op = STORE_BACKUP_CODE_USE};

    if (people_backup_hash(view_str(c->text[2]), q.u.backup_code_use.hash) !=
        OK) {
        fail(c, true);
        return;
    }
    STR_COPY(q.u.backup_code_use.person_id, c->account.person.id);
    STR_COPY(q.u.backup_code_use.actor.kind, "user");
    STR_COPY(q.u.backup_code_use.actor.name, c->account.person.id);
    call_ask(c, &q, NULL, backup_answer);
}

static void by_id_answer(struct call *c, const struct store_answer *a)
{
    uint8_t secret[TOTP_SECRET_LEN];
    uint64_t step;
    int err = ERR_AUTH;

    uint8_t password[32];

    hash_once(view_str(a->u.account.password), password);
    if (a->outcome != STORE_DONE ||
        !view_eq(VIEW_ARRAY(password), VIEW_ARRAY(c->hash))) {
        show_password(c, 403, WRONG);
        return;
    }
    c->account = a->u.account;
    if (call_account_waits(c))
        return;
    if (people_unseal(c->people, c->account.person.id,
                      view_of(c->account.sealed, c->account.sealed_len),
                      secret) == OK)
        err =
            totp_check(VIEW_ARRAY(secret), view_str(c->text[2]),
                       port_wall_ms() / 1000, (uint64_t)c->account.step, &step);
    else
        log_error("person.totp", "a stored second factor cannot be opened");
    ct_wipe(SPAN_ARRAY(secret));
    if (err == OK)
        succeed(c, (int64_t)step);
    else
        use_backup(c);
}

void signin_code(struct call *c)
{
    struct store_ask q = {.op = STORE_PERSON_BY_ID};
    uint8_t cookie[32];

    call_next_page(c, c->text[0], CALL_TEXT);
    if (call_must_wait(c, THROTTLE_SIGN_IN))
        return;
    call_cookie_hash(c, cookie);
    struct half *h = people_half_find(c->people, cookie);
    if (h == NULL || ++h->tries > PEOPLE_HALF_TRIES) {
        if (h != NULL)
            people_half_end(h);
        show_password(c, 403,
                      "It took too long, or too many tries. Sign in "
                      "again.");
        return;
    }
    if (call_param(c, "code", c->text[2], 24) < 0)
        c->text[2][0] = '\0';
    STR_COPY(q.u.person_by_id.person_id, h->person_id);
    memcpy(c->hash, h->password, sizeof c->hash);
    call_ask(c, &q, NULL, by_id_answer);
}

/* ---- out ------------------------------------------------------------------------------- */

void signout_show(struct call *c)
{
    page_begin(c, "Sign out", NULL);
    page_html(c,
              "<p>Sign out of this browser? Devices that you signed in "
              "stay signed in.</p>\n",
              NULL);
    page_form(c, "/signout");
    page_form_end(c, "Sign out");
    page_end(c);
    call_page(c, 200);
}

static void out_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_DONE && c->people->ask.ended != NULL)
        c->people->ask.ended(c->people->ask.ctx, &a->u.ended);
    call_set_cookie(c, "", 0);
    call_redirect(c, "/signin");
}

void signout_do(struct call *c)
{
    struct store_ask q = {.op = STORE_TOKEN_REVOKE_HASH};

    call_cookie_hash(c, q.u.token_revoke_hash.hash);
    call_ask(c, &q, NULL, out_answer);
}
