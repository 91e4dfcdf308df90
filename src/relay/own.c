/* What people change of their own account; see own.h. */
#include "relay/own.h"

#include <string.h>

#include "base/err.h"
#include "crypto/ct.h"

/* ---- the password again --------------------------------------------------------- */

static void tried_answer(struct call *c, const struct store_answer *a)
{
    (void)a;
    c->own->wrong(c);
}

static void check_done(struct call *c, int err, const char *stored)
{
    struct store_ask q = {.op = STORE_PERSON_TRIED};

    (void)stored;
    if (err == OK) {
        c->own->right(c);
        return;
    }
    call_tried_wrong(c, THROTTLE_SIGN_IN);
    STR_COPY(q.u.person_tried.person_id, c->who.user_id);
    STR_COPY(q.u.person_tried.address, c->place);
    q.u.person_tried.actor = call_actor(c);
    call_ask(c, &q, NULL, tried_answer);
}

static void account_answer(struct call *c, const struct store_answer *a)
{
    char password[PWHASH_PASSWORD_MAX + 2];

    if (a->outcome != STORE_DONE) {
        call_fail(c, 403, "This account is shut out.");
        return;
    }
    c->account = a->u.account;
    if (call_account_waits(c))
        return;
    if (c->account.password[0] == '\0') {
        call_fail(c, 409,
                  "The account has no password. The relay's owner sets one: "
                  "`cmdop server user password`.");
        return;
    }
    int n = call_param(c, c->own->field, password, sizeof password);
    call_check(c, view_of(password, n > 0 ? (size_t)n : 0), c->account.password,
               check_done);
    ct_wipe(SPAN_ARRAY(password));
}

void own_ask(struct call *c, const struct own *o)
{
    struct store_ask q = {.op = STORE_PERSON_BY_ID};

    if (call_must_wait(c, THROTTLE_SIGN_IN))
        return;
    c->own = o;
    STR_COPY(q.u.person_by_id.person_id, c->who.user_id);
    call_ask(c, &q, NULL, account_answer);
}

/* ---- name and address ----------------------------------------------------------- */

const char *own_read(struct call *c, struct store_person_set *out)
{
    int name = call_name(c, "name", out->name, sizeof out->name);
    int email = call_param(c, "email", out->email, sizeof out->email);

    out->has_email = email >= 0;
    if (name == ERR_NOT_FOUND && email == ERR_NOT_FOUND)
        return "A name or an email says what shall change.";
    if (name == ERR_RANGE)
        return "A name has 1 to 63 bytes, not all of them blanks.";
    if ((email < 0 && email != ERR_NOT_FOUND) ||
        (email > 0 && !people_is_email(out->email)))
        return "An e-mail address has an @ and at most 127 bytes.";
    if (name == ERR_NOT_FOUND)
        out->name[0] = '\0';
    return NULL;
}

static void set_answer(struct call *c, const struct store_answer *a)
{
    if (a->outcome == STORE_CONFLICT)
        call_tried_wrong(c, THROTTLE_SIGN_IN);
    c->after(c, a);
}

void own_set(struct call *c, call_next *next)
{
    struct store_ask q = {.op = STORE_PERSON_SET};

    (void)own_read(c, &q.u.person_set);
    STR_COPY(q.u.person_set.person_id, c->who.user_id);
    q.u.person_set.actor = call_actor(c);
    c->after = next;
    call_ask(c, &q, NULL, set_answer);
}
