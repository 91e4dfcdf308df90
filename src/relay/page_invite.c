/*
 * Invitations. Their code is a secret, so it is typed into a form and never
 * stands in an address. With it somebody makes an account, or who has one
 * joins the fleet with it; or somebody declines, signed in or not.
 */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "crypto/ct.h"
#include "relay/faces.h"
#include "relay/page.h"

#define VISITOR_MS (INT64_C(3600) * 1000)
#define CODE_CAP   48

/* text[0] the code, [1] login, [2] name */

static void show_form(struct call *c, int status, const char *error)
{
    if (c->cookie[0] == '\0') {
        char visitor[PEOPLE_SECRET_CAP];
        people_secret(visitor);
        call_set_cookie(c, visitor, VISITOR_MS);
    }
    page_begin(c, "Invitation", error);
    page_form(c, "/invite");
    page_input(c, &(struct page_input){.name = "code",
                                       .label = "Code of the invitation",
                                       .type = "text",
                                       .autocomplete = "off",
                                       .max = CODE_CAP - 1,
                                       .focus = true,
                                       .code = true});
    page_form_end(c, "Go on");
    page_end(c);
    call_page(c, status);
}

void invite_show(struct call *c)
{
    show_form(c, 200, NULL);
}

static void put_account_form(struct call *c)
{
    page_form(c, "/invite/account");
    page_hidden(c, "code", c->text[0]);
    page_input(c, &(struct page_input){.name = "login",
                                       .label = "Login",
                                       .type = "text",
                                       .autocomplete = "username",
                                       .value = c->text[1],
                                       .hint = "Letters, digits and marks, "
                                               "without blanks.",
                                       .max = STORE_LOGIN_CAP - 1,
                                       .focus = true});
    page_input(c, &(struct page_input){.name = "name",
                                       .label = "Your name",
                                       .type = "text",
                                       .autocomplete = "name",
                                       .value = c->text[2],
                                       .max = NAME_CAP - 1});
    page_input(c, &(struct page_input){.name = "password",
                                       .label = "Password",
                                       .type = "password",
                                       .autocomplete = "new-password",
                                       .hint = "At least 12 characters.",
                                       .max = PWHASH_PASSWORD_MAX});
    page_form_end(c, "Make the account");
}

static void put_decline_form(struct call *c)
{
    page_form(c, "/invite/decline");
    page_hidden(c, "code", c->text[0]);
    page_html(c, "<button class=\"no\">Decline</button>\n</form>\n", NULL);
}

static const char *why_not(enum store_outcome o)
{
    return o == STORE_EXPIRED   ? "This invitation has expired. Ask for a new "
                                  "one."
           : o == STORE_USED_UP ? "This invitation was used before."
           : o == STORE_REVOKED ? "This invitation was withdrawn."
           : o == STORE_DENIED  ? "This invitation was declined."
                                : "There is no such invitation.";
}

/* No code of an open invitation: that may have been a guess. */
static void not_open(struct call *c, enum store_outcome o)
{
    call_tried_wrong(c, THROTTLE_INVITE);
    show_form(c, 404, why_not(o));
}

static void look_answer(struct call *c, const struct store_answer *a)
{
    const struct store_invite *i = &a->u.invite;

    if (a->outcome != STORE_DONE) {
        not_open(c, a->outcome);
        return;
    }
    page_begin(c, "Invitation", c->text[3][0] != '\0' ? c->text[3] : NULL);
    page_html(c, "<dl>\n", NULL);
    page_fact(c, "Fleet", i->fleet_name);
    page_fact(c, "For", i->email);
    page_fact(c, "As", store_role_str(i->role));
    page_html(c, "</dl>\n", NULL);
    if (c->kind == MAY_WEB) {
        page_form(c, "/invite/accept");
        page_hidden(c, "code", c->text[0]);
        page_form_end(c, "Join this fleet");
    } else {
        put_account_form(c);
        page_html(c,
                  "<p>You have an account here? <a "
                  "href=\"/signin?next=/invite\">Sign in first</a>.</p>\n",
                  NULL);
    }
    put_decline_form(c);
    page_end(c);
    call_page(c, c->text[3][0] != '\0' ? 422 : 200);
}

/* Read the code; false: answered. */
static bool read_code(struct call *c, uint8_t hash[STORE_HASH])
{
    if (call_must_wait(c, THROTTLE_INVITE))
        return false;
    if (call_param(c, "code", c->text[0], CODE_CAP) <= 0 ||
        people_invite_hash(view_str(c->text[0]), hash) != OK) {
        not_open(c, STORE_UNKNOWN);
        return false;
    }
    return true;
}

static void look(struct call *c, const char *error)
{
    struct store_ask q = {.op = STORE_INVITE_BY_HASH};

    bytes_to_str(c->text[3], CALL_TEXT, view_str(error));
    memcpy(q.u.invite_by_hash.hash, c->hash, STORE_HASH);
    call_ask(c, &q, NULL, look_answer);
}

void invite_look(struct call *c)
{
    if (read_code(c, c->hash))
        look(c, "");
}

/* ---- who has an account ----------------------------------------------------------- */

static void accept_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_DONE || a->outcome == STORE_CONFLICT)
        call_redirect(c, "/account");
    else if (a->outcome == STORE_LIMIT)
        show_form(c, 404, "You are a member of as many fleets as one may be.");
    else
        not_open(c, a->outcome);
}

void invite_accept(struct call *c)
{
    struct store_ask q = {.op = STORE_INVITE_ACCEPT};

    if (!read_code(c, q.u.invite_answer.hash))
        return;
    STR_COPY(q.u.invite_answer.person_id, c->who.user_id);
    q.u.invite_answer.actor = call_actor(c);
    call_ask(c, &q, NULL, accept_answer);
}

/* ---- who does not want it ----------------------------------------------------------- */

static void decline_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome != STORE_DONE) {
        not_open(c, a->outcome);
        return;
    }
    page_begin(c, "Declined", NULL);
    page_html(c, "<p>You have declined the invitation to ", NULL);
    page_text(c, a->u.invite.fleet_name);
    page_html(c, ". Whoever invited you can see that.</p>\n", NULL);
    page_end(c);
    call_page(c, 200);
}

void invite_decline(struct call *c)
{
    struct store_ask q = {.op = STORE_INVITE_DECLINE};

    if (!read_code(c, q.u.invite_answer.hash))
        return;
    q.u.invite_answer.actor = call_actor(c);
    call_ask(c, &q, NULL, decline_answer);
}

/* ---- who makes one ------------------------------------------------------------------ */

static void by_login_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome != STORE_DONE) {
        call_redirect(c, "/signin");
        return;
    }
    c->account = a->u.account;
    STR_COPY(c->text[0], "/account");
    signin_session(c);
}

static void person_answer(struct call *c, const struct store_answer *a)
{
    struct store_ask q = {.op = STORE_PERSON_BY_LOGIN};

    if (a->outcome == STORE_CONFLICT) {
        look(c, "This login is taken. Choose another.");
        return;
    }
    if (a->outcome != STORE_DONE) {
        not_open(c, a->outcome);
        return;
    }
    log_info("person.made", a->u.person.login);
    STR_COPY(q.u.person_by_login.login, a->u.person.login);
    call_ask(c, &q, NULL, by_login_answer);
}

static void made(struct call *c, int err, const char *stored)
{
    struct store_ask q = {.op = STORE_PERSON_MAKE};
    struct store_person_make *m = &q.u.person_make;

    if (err != OK) {
        look(c, "That password cannot be used.");
        return;
    }
    STR_COPY(m->login, c->text[1]);
    STR_COPY(m->name, c->text[2]);
    STR_COPY(m->password, stored);
    m->invited = true;
    memcpy(m->invite_hash, c->hash, STORE_HASH);
    port_entropy(SPAN_ARRAY(m->random));
    STR_COPY(m->actor.kind, "guest");
    STR_COPY(m->actor.name, c->place);
    call_ask(c, &q, NULL, person_answer);
}

void invite_make_person(struct call *c)
{
    char password[PWHASH_PASSWORD_MAX + 2] = "";
    const char *fault = NULL;

    if (!read_code(c, c->hash))
        return;
    if (call_param(c, "login", c->text[1], STORE_LOGIN_CAP) <= 0 ||
        !people_is_login(c->text[1])) {
        c->text[1][0] = '\0';
        fault = "A login has 1 to 63 letters, digits and marks, and no "
                "blanks.";
    }
    if (call_name(c, "name", c->text[2], NAME_CAP) < 0)
        STR_COPY(c->text[2], c->text[1]);
    int n = call_param(c, "password", password, sizeof password);
    if (fault == NULL)
        fault = n == ERR_TOO_BIG ? "A password has at most 128 bytes."
                                 : people_password_fault(view_of(
                                       password, n > 0 ? (size_t)n : 0));
    if (fault != NULL)
        look(c, fault);
    else
        call_make(c, view_of(password, (size_t)n), made);
    ct_wipe(SPAN_ARRAY(password));
}
