/*
 * A person's own page: name and address, fleets, password, second factor, and
 * what is signed in. What weakens the account asks for the password again
 * (relay/own.h).
 */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "codec/base32.h"
#include "codec/base64.h"
#include "codec/form.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "relay/faces.h"
#include "relay/own.h"
#include "relay/page.h"

#define ROWS_MAX   24   /* sign-ins on a page */
#define ROW_BYTES  2560 /* the longest row, every character of it escaped */
#define REST_BYTES 6144 /* what comes behind the rows */

/* text[0] a notice or an error, number != 0: it is an error; [1] the sealed
 * secret of an enrolment; [2] a code */

/* ---- the page ---------------------------------------------------------------------- */

static void put_person_forms(struct call *c)
{
    page_html(c, "<h2>Name and e-mail</h2>\n", NULL);
    page_form(c, "/account/person");
    page_input(c, &(struct page_input){.name = "name",
                                       .label = "Your name",
                                       .type = "text",
                                       .autocomplete = "name",
                                       .value = c->account.person.name,
                                       .max = NAME_CAP - 1});
    page_form_end(c, "Change the name");
    page_form(c, "/account/person");
    page_input(c, &(struct page_input){.name = "email",
                                       .label = "E-mail",
                                       .type = "email",
                                       .autocomplete = "email",
                                       .value = c->account.person.email,
                                       .max = STORE_EMAIL_CAP - 1,
                                       .optional = true});
    page_input(c, &(struct page_input){.name = "email-password",
                                       .label = "Password, to change it",
                                       .type = "password",
                                       .autocomplete = "current-password",
                                       .max = PWHASH_PASSWORD_MAX});
    page_form_end(c, "Change the e-mail address");
}

static void put_password_form(struct call *c)
{
    page_html(c, "<h2>Password</h2>\n", NULL);
    page_form(c, "/account/password");
    page_input(c, &(struct page_input){.name = "old",
                                       .label = "Password now",
                                       .type = "password",
                                       .autocomplete = "current-password",
                                       .max = PWHASH_PASSWORD_MAX});
    page_input(c, &(struct page_input){.name = "password",
                                       .label = "New password",
                                       .type = "password",
                                       .autocomplete = "new-password",
                                       .hint = "At least 12 characters. All "
                                               "other sign-ins end.",
                                       .max = PWHASH_PASSWORD_MAX});
    page_input(c, &(struct page_input){.name = "again",
                                       .label = "New password again",
                                       .type = "password",
                                       .autocomplete = "new-password",
                                       .max = PWHASH_PASSWORD_MAX});
    page_form_end(c, "Change the password");
}

static void put_factor_password(struct call *c, const char *label)
{
    page_input(c, &(struct page_input){.name = "factor-password",
                                       .label = label,
                                       .type = "password",
                                       .autocomplete = "current-password",
                                       .max = PWHASH_PASSWORD_MAX});
}

static void put_totp_form(struct call *c)
{
    page_html(c, "<h2>Second factor</h2>\n", NULL);
    if (c->account.sealed_len == 0) {
        page_html(c,
                  "<p>Not set up. An authenticator app on your phone "
                  "shows a code that is asked for beside your password."
                  "</p>\n",
                  NULL);
        page_form(c, "/account/totp");
        put_factor_password(c, "Password, to set it up");
        page_form_end(c, "Set up a second factor");
        return;
    }
    page_html(c, "<p>Set up. Backup codes left: ", NULL);
    text_u64(&c->page, c->account.codes);
    page_html(c, ".</p>\n", NULL);
    page_form(c, "/account/totp/off");
    put_factor_password(c, "Password, to turn it off");
    page_form_end(c, "Turn off the second factor");
}

static void tokens_end(struct call *c, const struct store_answer *a)
{
    page_html(c, "</ul>\n", NULL);
    if (a->more)
        page_html(c, "<p>There are more; end some of these to see them.</p>\n",
                  NULL);
    put_person_forms(c);
    put_password_form(c);
    put_totp_form(c);
    page_end(c);
    call_page(c, c->number != 0 ? 403 : 200);
}

static const char *kind_of(enum store_token_kind kind)
{
    return kind == STORE_WEB   ? "browser"
           : kind == STORE_CLI ? "tool"
                               : "device";
}

static bool token_row(struct call *c, const union store_row *row)
{
    const struct store_token *t = &row->token;

    if (c->page.cap - c->page.len < ROW_BYTES + REST_BYTES)
        return false;
    page_html(c, "<li>", NULL);
    page_text(c, t->client.name[0] != '\0' ? t->client.name : t->label);
    if (t->client.host[0] != '\0')
        page_text(c, " at ");
    page_text(c, t->client.host);
    page_html(c, " (", kind_of(t->kind), NULL);
    if (t->client.platform[0] != '\0')
        page_text(c, ", ");
    page_text(c, t->client.platform);
    page_html(c, strcmp(t->family, c->who.family) == 0 ? ", this one)" : ")",
              "<br>signed in ", NULL);
    page_time(c, t->created_ms);
    if (t->client.address[0] != '\0')
        page_text(c, " from ");
    page_text(c, t->client.address);
    page_html(c, ", ends ", NULL);
    page_time(c, t->expires_ms);
    page_form(c, "/account/revoke");
    page_hidden(c, "id", t->id);
    page_html(c, "<button class=\"no small\" aria-label=\"End the sign-in of ",
              NULL);
    page_text(c, t->client.name[0] != '\0' ? t->client.name : t->label);
    page_text(c, t->client.host[0] != '\0' ? " at " : "");
    page_text(c, t->client.host);
    page_html(c, "\">End</button>\n</form></li>\n", NULL);
    return true;
}

static void fleets_end(struct call *c, const struct store_answer *a)
{
    struct store_ask q = {.op = STORE_TOKEN_LIST};

    (void)a;
    page_html(c, "</ul>\n<h2>Signed in</h2>\n<ul class=\"list\">\n", NULL);
    STR_COPY(q.u.token_list.person_id, c->who.user_id);
    q.u.token_list.kinds =
        1u << STORE_WEB | 1u << STORE_REFRESH | 1u << STORE_CLI;
    q.u.token_list.good = true;
    q.u.token_list.list.limit = ROWS_MAX;
    call_ask(c, &q, token_row, tokens_end);
}

static bool fleet_row(struct call *c, const union store_row *row)
{
    const struct store_fleet *f = &row->fleet;
    bool active = strcmp(f->id, c->who.fleet_id) == 0;

    page_html(c, "<li>", NULL);
    page_text(c, f->name);
    page_html(c, ": ", store_role_str(f->role), active ? ", in use" : "", NULL);
    if (!active) {
        page_form(c, "/account/fleet");
        page_hidden(c, "fleet", f->id);
        page_html(c, "<button class=\"small\">Use</button>\n</form>", NULL);
    }
    page_html(c, "</li>\n", NULL);
    return ++c->count < 12;
}

static void account_answer(struct call *c, const struct store_answer *a)
{
    struct store_ask q = {.op = STORE_FLEET_LIST};

    if (a->outcome != STORE_DONE) {
        call_fail(c, 403, "This account is shut out.");
        return;
    }
    c->account = a->u.account;
    if (c->who.policy.mfa_required && c->account.sealed_len == 0 &&
        c->text[0][0] == '\0') {
        STR_COPY(c->text[0], "Your fleet demands a second factor: set one up "
                             "below.");
        c->number = 1;
    }
    page_begin(c, "Your account", c->number != 0 ? c->text[0] : NULL);
    if (c->number == 0 && c->text[0][0] != '\0') {
        page_html(c, "<p role=\"status\">", NULL);
        page_text(c, c->text[0]);
        page_html(c, "</p>\n", NULL);
    }
    page_html(c, "<dl>\n", NULL);
    page_fact(c, "Name", c->account.person.name);
    page_fact(c, "Login", c->account.person.login);
    page_fact(c, "E-mail", c->account.person.email);
    page_html(c, "</dl>\n<h2>Fleets</h2>\n<ul class=\"list\">\n", NULL);
    STR_COPY(q.u.fleet_list.person_id, c->who.user_id);
    call_ask(c, &q, fleet_row, fleets_end);
}

static void show(struct call *c, const char *notice, bool is_error)
{
    struct store_ask q = {.op = STORE_PERSON_BY_ID};

    bytes_to_str(c->text[0], CALL_TEXT, view_str(notice));
    c->number = is_error;
    c->count = 0;
    STR_COPY(q.u.person_by_id.person_id, c->who.user_id);
    call_ask(c, &q, NULL, account_answer);
}

/* A notice after a change; which one, the query says. */
void account_show(struct call *c)
{
    static const struct {
        const char *word, *notice;
    } notices[] = {{"password", "The password was changed. All other sign-ins "
                                "have ended."},
                   {"person", "Your account was changed."},
                   {"revoked", "That sign-in has ended."},
                   {"totp-off", "The second factor is off."},
                   {"fleet", "You work in another fleet now."}};
    char word[16] = "";

    (void)call_query(c, "done", word, sizeof word);
    for (size_t i = 0; i < sizeof notices / sizeof notices[0]; i++) {
        if (strcmp(word, notices[i].word) == 0) {
            show(c, notices[i].notice, false);
            return;
        }
    }
    show(c, "", false);
}

/* ---- name and address ------------------------------------------------------------------ */

static void wrong(struct call *c)
{
    show(c, "The password is not right.", true);
}

static void set_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_CONFLICT)
        show(c, "Another account has this e-mail address.", true);
    else
        call_redirect(c, "/account?done=person");
}

static void set_person(struct call *c)
{
    own_set(c, set_answer);
}

void account_set(struct call *c)
{
    static const struct own own = {"email-password", set_person, wrong};
    struct store_person_set s = {0};
    const char *fault = own_read(c, &s);

    if (fault != NULL)
        show(c, fault, true);
    else if (s.has_email)
        own_ask(c, &own);
    else
        set_person(c);
}

/* ---- another password ------------------------------------------------------------------ */

static void changed_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_DONE && c->people->ask.ended != NULL)
        c->people->ask.ended(c->people->ask.ctx, &a->u.ended);
    call_redirect(c, "/account?done=password");
}

static void made(struct call *c, int err, const char *stored)
{
    struct store_ask q = {.op = STORE_PERSON_SET_PASSWORD};

    if (err != OK) {
        show(c, "That password cannot be used.", true);
        return;
    }
    STR_COPY(q.u.person_set_password.person_id, c->who.user_id);
    STR_COPY(q.u.person_set_password.password, stored);
    STR_COPY(q.u.person_set_password.keep_token_id, c->who.token_id);
    q.u.person_set_password.actor = call_actor(c);
    call_ask(c, &q, NULL, changed_answer);
}

static void make_new(struct call *c)
{
    char password[PWHASH_PASSWORD_MAX + 2];
    int n = call_param(c, "password", password, sizeof password);

    call_make(c, view_of(password, n > 0 ? (size_t)n : 0), made);
    ct_wipe(SPAN_ARRAY(password));
}

void account_password(struct call *c)
{
    static const struct own own = {"old", make_new, wrong};
    char password[PWHASH_PASSWORD_MAX + 2] = "", again[sizeof password] = "";
    int n = call_param(c, "password", password, sizeof password);
    int m = call_param(c, "again", again, sizeof again);
    const char *fault =
        n == ERR_TOO_BIG
            ? "A password has at most 128 bytes."
            : people_password_fault(view_of(password, n > 0 ? (size_t)n : 0));

    if (fault == NULL && (m != n || memcmp(password, again, (size_t)n) != 0))
        fault = "The two new passwords are not the same.";
    ct_wipe(SPAN_ARRAY(password));
    ct_wipe(SPAN_ARRAY(again));
    if (fault != NULL)
        show(c, fault, true);
    else
        own_ask(c, &own);
}

/* ---- no second factor ---------------------------------------------------------------------- */

static void off_answer(struct call *c, const struct store_answer *a)
{
    (void)a;
    call_redirect(c, "/account?done=totp-off");
}

static void turn_off(struct call *c)
{
    struct store_ask q = {.op = STORE_PERSON_SET_TOTP};

    STR_COPY(q.u.person_set_totp.person_id, c->who.user_id);
    q.u.person_set_totp.actor = call_actor(c);
    call_ask(c, &q, NULL, off_answer);
}

void account_totp_off(struct call *c)
{
    static const struct own own = {"factor-password", turn_off, wrong};

    own_ask(c, &own);
}

/* ---- setting up a second factor ------------------------------------------------------------ */

/* Until it is confirmed the secret is nowhere but in the form, sealed for
 * this session. */
static void enrol_purpose(const struct call *c, char out[64])
{
    struct text t;

    text_init(&t, out, 64);
    text_join(&t, "enrol:", c->who.token_id, NULL);
}

static void put_secret(struct call *c, const uint8_t secret[TOTP_SECRET_LEN])
{
    char text[BASE32_LEN(TOTP_SECRET_LEN) + 1] = "", uri[256];
    struct writer w;
    struct text t;

    writer_init(&w, (struct span){(uint8_t *)text, sizeof text - 1});
    base32_write(&w, view_of(secret, TOTP_SECRET_LEN));
    TEXT_OF(&t, uri);
    text_str(&t, "otpauth://totp/cmdop:");
    form_escape(&t, view_str(c->who.login));
    text_join(&t, "?secret=", text,
              "&issuer=cmdop&algorithm=SHA1&digits=6&period=30", NULL);
    page_html(c, "<dl>\n<dt>Secret</dt><dd><code>", NULL);
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (i > 0 && i % 4 == 0)
            text_char(&c->page, ' ');
        text_char(&c->page, text[i]);
    }
    page_html(c, "</code></dd>\n<dt>As a link</dt><dd><a href=\"", NULL);
    page_text(c, uri);
    page_html(c, "\"><code>", NULL);
    page_text(c, uri);
    page_html(c, "</code></a></dd>\n</dl>\n", NULL);
    ct_wipe(SPAN_ARRAY(text));
    ct_wipe(SPAN_ARRAY(uri));
}

static void show_enrol(struct call *c, const uint8_t secret[TOTP_SECRET_LEN],
                       const char *error)
{
    char purpose[64], text[96] = "";
    uint8_t sealed[PEOPLE_SEALED_LEN];
    struct writer w;

    enrol_purpose(c, purpose);
    people_seal(c->people, purpose, secret, sealed);
    writer_init(&w, (struct span){(uint8_t *)text, sizeof text - 1});
    base64_write(&w, BASE64_URL, VIEW_ARRAY(sealed));
    page_begin(c, "Set up a second factor", error);
    page_html(c,
              "<p>Give this secret to your authenticator app: type it, or "
              "open the link on the phone itself. Then type the code that "
              "the app shows.</p>\n",
              NULL);
    put_secret(c, secret);
    page_form(c, "/account/totp/confirm");
    page_hidden(c, "sealed", text);
    page_input(c, &(struct page_input){.name = "code",
                                       .label = "Code",
                                       .type = "text",
                                       .autocomplete = "one-time-code",
                                       .hint = "Six digits.",
                                       .max = 8,
                                       .focus = true,
                                       .code = true});
    page_form_end(c, "Turn on the second factor");
    page_end(c);
    call_page(c, error != NULL ? 403 : 200);
}

static void enrol(struct call *c)
{
    uint8_t secret[TOTP_SECRET_LEN];

    port_entropy(SPAN_ARRAY(secret));
    show_enrol(c, secret, NULL);
    ct_wipe(SPAN_ARRAY(secret));
}

/* Whoever sets up his own at a browser that was left open has the account. */
void account_totp_start(struct call *c)
{
    static const struct own own = {"factor-password", enrol, wrong};

    if (c->who.has_totp)
        show(c, "A second factor is set up already: turn it off first.", true);
    else
        own_ask(c, &own);
}

/* The codes were drawn before they were kept; they stand in text[3]. */
static void on_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome != STORE_DONE) {
        show(c, "The second factor could not be kept.", true);
        return;
    }
    log_info("person.totp", c->who.login);
    page_begin(c, "The second factor is on", NULL);
    page_html(c,
              "<p>Keep these backup codes where you will find them without "
              "your phone. Each works once, and they are shown only now."
              "</p>\n<ul>\n",
              NULL);
    for (size_t i = 0; i < PEOPLE_CODES; i++) {
        char *code = c->text[3] + i * (PEOPLE_CODE_LEN + 1);
        page_html(c, "<li><code>", NULL);
        text_view(&c->page, view_of(code, 5));
        text_char(&c->page, '-');
        text_view(&c->page, view_of(code + 5, 5));
        page_html(c, "</code></li>\n", NULL);
    }
    ct_wipe(SPAN_ARRAY(c->text[3]));
    page_html(c, "</ul>\n<p><a href=\"/account\">I have kept them</a></p>\n",
              NULL);
    page_end(c);
    call_page(c, 200);
}

static void keep_totp(struct call *c, const uint8_t secret[TOTP_SECRET_LEN],
                      uint64_t step)
{
    struct store_ask q = {.op = STORE_PERSON_SET_TOTP};
    struct store_person_set_totp *s = &q.u.person_set_totp;

    _Static_assert(PEOPLE_CODES * (PEOPLE_CODE_LEN + 1) <= CALL_TEXT,
                   "the codes wait in one text");
    STR_COPY(s->person_id, c->who.user_id);
    people_seal(c->people, c->who.user_id, secret, s->sealed);
    s->sealed_len = PEOPLE_SEALED_LEN;
    s->step = (int64_t)step;
    s->codes = PEOPLE_CODES;
    for (size_t i = 0; i < PEOPLE_CODES; i++) {
        char *code = c->text[3] + i * (PEOPLE_CODE_LEN + 1);
        people_backup_code(code);
        (void)people_backup_hash(view_str(code), s->code_hash[i]);
    }
    s->actor = call_actor(c);
    call_ask(c, &q, NULL, on_answer);
}

void account_totp_confirm(struct call *c)
{
    char purpose[64], text[96], code[16] = "";
    uint8_t sealed[PEOPLE_SEALED_LEN], secret[TOTP_SECRET_LEN];
    uint64_t step;

    int n = call_param(c, "sealed", text, sizeof text);
    if (n > 0)
        n = base64_decode(BASE64_URL, view_of(text, (size_t)n),
                          SPAN_ARRAY(sealed));
    enrol_purpose(c, purpose);
    if (c->who.has_totp || n < 0 ||
        people_unseal(c->people, purpose, view_of(sealed, (size_t)n), secret) !=
            OK) {
        show(c, "That page is too old: begin again.", true);
        return;
    }
    (void)call_param(c, "code", code, sizeof code);
    if (totp_check(VIEW_ARRAY(secret), view_str(code), port_wall_ms() / 1000, 0,
                   &step) == OK)
        keep_totp(c, secret, step);
    else
        show_enrol(c, secret,
                   "The code is not right. Is the phone's clock "
                   "right?");
    ct_wipe(SPAN_ARRAY(secret));
}

/* ---- sign-ins, fleets --------------------------------------------------------------------- */

static void revoked_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_DONE && c->people->ask.ended != NULL)
        c->people->ask.ended(c->people->ask.ctx, &a->u.ended);
    if (a->outcome == STORE_DONE || a->outcome == STORE_REVOKED)
        call_redirect(c, "/account?done=revoked");
    else
        call_fail(c, 404, "There is no such sign-in of yours.");
}

void account_revoke(struct call *c)
{
    struct store_ask q = {.op = STORE_TOKEN_REVOKE};

    if (call_param(c, "id", q.u.token_revoke.id, UUID_CAP) <= 0) {
        call_fail(c, 400, "Which sign-in?");
        return;
    }
    STR_COPY(q.u.token_revoke.person_id, c->who.user_id);
    q.u.token_revoke.actor = call_actor(c);
    call_ask(c, &q, NULL, revoked_answer);
}

static void moved_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_DONE)
        call_redirect(c, "/account?done=fleet");
    else
        call_fail(c, 404, "You are not a member of that fleet.");
}

void account_fleet(struct call *c)
{
    struct store_ask q = {.op = STORE_MEMBER_USE_FLEET};

    if (call_param(c, "fleet", q.u.use_fleet.to_fleet_id, UUID_CAP) <= 0) {
        call_fail(c, 400, "Which fleet?");
        return;
    }
    STR_COPY(q.u.use_fleet.fleet_id, c->who.fleet_id);
    STR_COPY(q.u.use_fleet.token_id, c->who.token_id);
    STR_COPY(q.u.use_fleet.person_id, c->who.user_id);
    q.u.use_fleet.actor = call_actor(c);
    call_ask(c, &q, NULL, moved_answer);
}
