/*
 * A person lets a device in (RFC 8628, 3.3): types the code that the device
 * shows, or follows its link; sees who asks; chooses the fleet; approves or
 * denies. A link that somebody sent could ask for another's sign-in (RFC
 * 8628, 5.4): so the page tells whence the question came and when, and asks
 * to compare the code.
 */
#include <string.h>

#include "base/err.h"
#include "relay/faces.h"
#include "relay/page.h"

#define SHOWN_CAP 12

/* text[0] the code as typed, [1] as kept, [2] as shown */

static void show_form(struct call *c, int status, const char *error)
{
    page_begin(c, "Sign in a device", error);
    page_html(c, "<form method=\"get\" action=\"/device\">\n", NULL);
    page_input(c, &(struct page_input){
                      .name = "user_code",
                      .label = "Code",
                      .type = "text",
                      .autocomplete = "off",
                      .value = c->text[0],
                      .hint = "The eight letters that the device shows.",
                      .max = SHOWN_CAP,
                      .focus = true,
                      .code = true});
    page_form_end(c, "Go on");
    page_end(c);
    call_page(c, status);
}

static bool read_code(struct call *c)
{
    struct text t;

    text_init(&t, c->text[2], CALL_TEXT);
    if (oauth_user_code(view_str(c->text[0]), c->text[1]) != OK)
        return false;
    text_view(&t, view_of(c->text[1], 4));
    text_char(&t, '-');
    text_view(&t, view_of(c->text[1] + 4, 4));
    return true;
}

static const char NO_CODE[] = "There is no such code, or it has expired. Look "
                              "again at the device.";

/* ---- what asks --------------------------------------------------------------------- */

static void fleets_end(struct call *c, const struct store_answer *a)
{
    (void)a;
    if (c->count == 0) {
        call_fail(c, 403, "This account is a member of no fleet.");
        return;
    }
    page_html(c,
              "</fieldset>\n"
              "<p><strong>Approve only if you have just started this "
              "sign-in yourself</strong>, and the device shows the same "
              "code. It will be able to do what you can do.</p>\n"
              "<button name=\"action\" value=\"approve\">Approve</button>\n"
              "<button class=\"no\" name=\"action\" value=\"deny\">Deny"
              "</button>\n</form>\n",
              NULL);
    page_end(c);
    call_page(c, 200);
}

static bool fleet_row(struct call *c, const union store_row *row)
{
    const struct store_fleet *f = &row->fleet;
    bool active = strcmp(f->id, c->who.fleet_id) == 0;

    page_html(c,
              "<label><input type=\"radio\" name=\"fleet\" required value=\"",
              f->id, active ? "\" checked> " : "\"> ", NULL);
    page_text(c, f->name);
    page_html(c, " (", store_role_str(f->role), ")</label>\n", NULL);
    c->count++;
    return true;
}

static void show_device(struct call *c, const struct store_device *d)
{
    struct store_ask q = {.op = STORE_FLEET_LIST};

    page_begin(c, "Let this device in?", NULL);
    page_html(c, "<p>The device must show this code:</p>\n<p class=\"big\">",
              c->text[2], "</p>\n<dl>\n", NULL);
    page_fact(c, "Program", d->client.name);
    page_fact(c, "Version", d->client.version);
    page_fact(c, "Host", d->client.host);
    page_fact(c, "System", d->client.platform);
    page_fact(c, "Asked from", d->client.address);
    page_html(c, "<dt>Asked at</dt><dd>", NULL);
    page_time(c, d->created_ms);
    page_html(c, "</dd>\n</dl>\n", NULL);
    page_form(c, "/device");
    page_hidden(c, "user_code", c->text[2]);
    page_html(c, "<fieldset><legend>Fleet</legend>\n", NULL);
    c->count = 0;
    STR_COPY(q.u.fleet_list.person_id, c->who.user_id);
    q.u.fleet_list.list.limit = STORE_PERSON_FLEETS_MAX;
    call_ask(c, &q, fleet_row, fleets_end);
}

static void by_code_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_DONE) {
        show_device(c, &a->u.device);
        return;
    }
    call_tried_wrong(c, THROTTLE_CODE);
    show_form(c, 404,
              a->outcome == STORE_USED_UP
                  ? "This code was approved or denied before."
                  : NO_CODE);
}

void device_show(struct call *c)
{
    struct store_ask q = {.op = STORE_DEVICE_BY_CODE};
    int n = call_query(c, "user_code", c->text[0], SHOWN_CAP + 8);

    if (n == ERR_NOT_FOUND) {
        show_form(c, 200, NULL);
        return;
    }
    if (call_must_wait(c, THROTTLE_CODE))
        return;
    if (n < 0 || !read_code(c)) {
        call_tried_wrong(c, THROTTLE_CODE);
        show_form(c, 404, NO_CODE);
        return;
    }
    STR_COPY(q.u.device_by_code.user_code, c->text[1]);
    call_ask(c, &q, NULL, by_code_answer);
}

/* ---- the decision -------------------------------------------------------------------- */

static void decide_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome != STORE_DONE) {
        call_tried_wrong(c, THROTTLE_CODE);
        show_form(c, 404,
                  a->outcome == STORE_USED_UP
                      ? "This code was approved or denied before."
                      : NO_CODE);
        return;
    }
    /* Guesses stay counted: a code of one's own is had for the asking. */
    page_begin(c, c->flag ? "The device is signed in" : "Denied", NULL);
    page_html(c,
              c->flag ? "<p>You can close this page and go on at the "
                        "device. Your account's page lists it, and can "
                        "sign it out.</p>\n"
                      : "<p>The device was told no.</p>\n",
              NULL);
    page_end(c);
    call_page(c, 200);
}

static void decide(struct call *c)
{
    struct store_ask q = {.op = STORE_DEVICE_DECIDE};

    STR_COPY(q.u.device_decide.person_id, c->who.user_id);
    STR_COPY(q.u.device_decide.user_code, c->text[1]);
    q.u.device_decide.approve = c->flag;
    if (c->flag)
        STR_COPY(q.u.device_decide.fleet_id, c->text[3]);
    q.u.device_decide.actor = call_actor(c);
    call_ask(c, &q, NULL, decide_answer);
}

/* The fleet that is chosen may demand more than the one of this session. */
static void fleet_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome != STORE_DONE)
        call_fail(c, 404, "You are not a member of that fleet.");
    else if (a->u.fleet.policy.mfa_required && !c->who.has_totp)
        call_fail(c, 403,
                  "That fleet demands a second factor: set one up on "
                  "your account's page first.");
    else
        decide(c);
}

void device_decide(struct call *c)
{
    struct store_ask q = {.op = STORE_FLEET_GET};
    char action[12];

    if (call_must_wait(c, THROTTLE_CODE))
        return;
    if (call_param(c, "user_code", c->text[0], SHOWN_CAP + 8) < 0 ||
        !read_code(c)) {
        call_tried_wrong(c, THROTTLE_CODE);
        show_form(c, 404, NO_CODE);
        return;
    }
    if (call_param(c, "action", action, sizeof action) < 0 ||
        (strcmp(action, "approve") != 0 && strcmp(action, "deny") != 0)) {
        call_fail(c, 400, "The action is approve or deny.");
        return;
    }
    c->flag = strcmp(action, "approve") == 0;
    if (!c->flag) {
        decide(c);
        return;
    }
    if (call_param(c, "fleet", c->text[3], UUID_CAP) <= 0) {
        call_fail(c, 400, "Choose a fleet.");
        return;
    }
    STR_COPY(q.u.fleet_get.fleet_id, c->text[3]);
    STR_COPY(q.u.fleet_get.person_id, c->who.user_id);
    call_ask(c, &q, NULL, fleet_answer);
}
