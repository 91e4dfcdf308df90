/* A sign-in kept fresh; see renew.h. */
#include "core/renew.h"

#include <string.h>

#include "base/err.h"
#include "crypto/ct.h"
#include "port/port.h"

#define LOCK_POLL_MS 50
#define ANSWER_MS    10000

/* ---- times -------------------------------------------------------------- */

bool renew_can(const struct credential *c)
{
    return c->refresh[0] != '\0';
}

bool renew_due(const struct credential *c, int64_t wall_ms)
{
    return renew_can(c) && c->token_expires_ms != 0 &&
           wall_ms >= c->token_expires_ms - RENEW_BEFORE_MS;
}

/* ---- what the relay gave ------------------------------------------------ */

static void take_shown(char *out, size_t cap, const char *in)
{
    struct text t;
    if (in[0] == '\0')
        return; /* nothing new is said */
    text_init(&t, out, cap);
    text_safe(&t, view_str(in));
}

int renew_take(struct credential *c, const cmdop_agent_v1_AuthToken *t,
               int64_t wall_ms)
{
    struct credential got = *c;
    static struct credentials check;
    int64_t life = (int64_t)t->expires_in * 1000;
    STR_COPY(got.token, t->access_token);
    got.token_expires_ms = life == 0 ? 0 : wall_ms + life;
    if (t->refresh_token[0] != '\0')
        STR_COPY(got.refresh, t->refresh_token);
    got.refresh_expires_ms = 0;
    take_shown(got.user, sizeof(got.user), t->user);
    take_shown(got.email, sizeof(got.email), t->email);
    take_shown(got.fleet, sizeof(got.fleet), t->fleet_name);
    if (t->user_id[0] != '\0')
        STR_COPY(got.user_id, t->user_id);
    if (t->fleet_id[0] != '\0')
        STR_COPY(got.fleet_id, t->fleet_id);
    check.count = 0;
    int err = got.token[0] == '\0' ? ERR_RANGE : OK;
    if (err == OK)
        err = credential_upsert(&check, &got);
    if (err == OK)
        *c = got;
    credential_wipe(&check);
    ct_wipe((struct span){(uint8_t *)&got, sizeof(got)});
    return err;
}

/* ---- the end ------------------------------------------------------------ */

static struct text start_why(struct renew *r)
{
    struct text t;
    TEXT_OF(&t, r->why);
    return t;
}

static void finish(struct renew *r, enum renew_end end)
{
    if (r->locked)
        credential_unlock(r->paths);
    r->active = r->locked = false;
    loop_disarm(r->loop, r->timer);
    credential_wipe(&r->all);
    ct_wipe((struct span){(uint8_t *)&r->answer, sizeof(r->answer)});
    ct_wipe(r->buf);
    r->done(r->ctx, end, r->why);
}

/* The sentence with the remedy. */
static void refuse(struct renew *r, const char *why)
{
    bool current = strcmp(r->all.current, r->server->name) == 0;
    struct text t = start_why(r);
    text_join(&t, "the sign-in at ", r->server->name,
              " is no longer good: ", NULL);
    text_safe(&t, view_str(why));
    text_str(&t, "; run: cmdop login");
    if (!current)
        text_join(&t, " --server ", r->server->name, NULL);
    finish(r, RENEW_REFUSED);
}

static void fail(struct renew *r, const char *why)
{
    struct text t = start_why(r);
    text_join(&t, "the sign-in at ", r->server->name,
              " cannot be renewed: ", NULL);
    text_safe(&t, view_str(why));
    finish(r, RENEW_FAILED);
}

/* ---- the answer --------------------------------------------------------- */

static void keep(struct renew *r, struct credential fresh)
{
    char buf[400];
    struct text why;
    TEXT_OF(&why, buf);
    int err = renew_take(&fresh, &r->answer, port_wall_ms());
    if (err == OK)
        err = credential_upsert(&r->all, &fresh);
    if (err != OK) {
        fail(r, "the relay's answer makes no sense");
    } else if (credential_save(r->paths, &r->all, &why) != OK) {
        fail(r, buf); /* not used, so the relay will replace it */
    } else {
        *r->server = fresh;
        finish(r, RENEW_FRESH);
    }
    ct_wipe((struct span){(uint8_t *)&fresh, sizeof(fresh)});
}

/* Words of RFC 6749 that pass by themselves. */
static bool passes(const char *error)
{
    return strcmp(error, "temporarily_unavailable") == 0 ||
           strcmp(error, "server_error") == 0 ||
           strcmp(error, "slow_down") == 0;
}

static void judge(struct renew *r)
{
    const cmdop_agent_v1_AuthToken *a = &r->answer;
    const struct credential *stored = credential_find(&r->all, r->server->name);
    const char *words =
        a->error_description[0] != '\0' ? a->error_description : a->error;
    if (!r->answered)
        fail(r, "the relay's answer is empty");
    else if (a->error[0] == '\0')
        keep(r, *stored);
    else if (passes(a->error))
        fail(r, words);
    else
        refuse(r, words);
}

static void on_record(void *ctx, struct view record)
{
    struct renew *r = ctx;
    r->answered =
        msg_decode(record, cmdop_agent_v1_AuthToken_fields, &r->answer) == OK;
}

static void on_done(void *ctx, const question_failure *why)
{
    struct renew *r = ctx;
    if (!r->active || !r->asked)
        return;
    r->asked = false;
    if (why != NULL)
        fail(r, why->message);
    else
        judge(r);
}

static void ask(struct renew *r, const char *refresh)
{
    uint8_t raw[256];
    cmdop_agent_v1_AuthTokenOpen open = cmdop_agent_v1_AuthTokenOpen_init_zero;
    STR_COPY(open.refresh_token, refresh);
    int len = msg_encode_plain(SPAN_ARRAY(raw),
                               cmdop_agent_v1_AuthTokenOpen_fields, &open);
    r->answered = false;
    chan_drop(&r->question.chan); /* of one that was never answered */
    r->question =
        (struct question){.record = on_record, .done = on_done, .ctx = r};
    r->asked = true;
    loop_arm(r->loop, r->timer, loop_now(r->loop) + ANSWER_MS);
    if (len < 0 || question_send(&r->question, r->mux, r->buf, "", "auth.token",
                                 view_of(raw, (size_t)len)) != OK) {
        r->asked = false;
        fail(r, "the question does not fit the connection");
    }
    ct_wipe(SPAN_ARRAY(raw));
    ct_wipe((struct span){(uint8_t *)&open, sizeof(open)});
}

/* ---- the lock ----------------------------------------------------------- */

/* The file, as it is now; the keyring is asked only if its key is another. */
static int read_again(struct renew *r, struct text *why)
{
    int err = credential_load_again(r->paths, &r->known, &r->all, why);
    if (err != ERR_DAMAGED || !r->known.has_key)
        return err;
    text_init(why, why->buf, why->cap);
    return credential_load(r->paths, &r->all, why);
}

/* The lock is ours: what is stored decides. */
static void look(struct renew *r)
{
    char buf[400];
    struct text why;
    TEXT_OF(&why, buf);
    if (read_again(r, &why) != OK) {
        fail(r, buf);
        return;
    }
    const struct credential *stored = credential_find(&r->all, r->server->name);
    if (stored == NULL || stored->token[0] == '\0') {
        refuse(r, "it was signed out meanwhile");
    } else if (memcmp(stored->pin, r->server->pin, sizeof(stored->pin)) != 0) {
        refuse(r, "its name is another relay's by now"); /* its token, too */
    } else if (strcmp(stored->token, r->server->token) != 0 &&
               !renew_due(stored, port_wall_ms())) {
        *r->server = *stored;
        finish(r, RENEW_FRESH);
    } else if (!renew_can(stored)) {
        refuse(r, "the relay does not take it any more");
    } else {
        ask(r, stored->refresh);
    }
}

/* The relay keeps silent: it may have answered somebody by now, but not us. */
static void give_up(struct renew *r)
{
    static const msg_close end = {.which_result =
                                      cmdop_agent_v1_Close_detached_tag,
                                  .result.detached = true};
    r->asked = false;
    chan_close(&r->question.chan, &end, CHAN_NOW);
    if (r->active)
        fail(r, "the relay does not answer");
}

static void on_timer(void *ctx, uint64_t now_ms)
{
    struct renew *r = ctx;
    char buf[400];
    struct text why;
    TEXT_OF(&why, buf);
    if (r->active && r->asked) {
        give_up(r);
        return;
    }
    if (!r->active || r->locked)
        return;
    int err = credential_try_lock(r->paths, &why);
    if (err == OK) {
        r->locked = true;
        look(r);
    } else if (err == ERR_BUSY && now_ms < r->until_ms) {
        loop_arm(r->loop, r->timer, now_ms + LOCK_POLL_MS);
    } else {
        fail(r, buf);
    }
}

/* ---- doors -------------------------------------------------------------- */

int renew_init(struct renew *r, struct loop *loop, const struct paths *paths,
               struct credential *server, const struct credentials *all,
               struct span buf)
{
    r->loop = loop;
    r->paths = paths;
    r->server = server;
    r->buf = buf;
    r->active = r->locked = r->asked = false;
    memset(&r->known, 0, sizeof(r->known));
    if (all != NULL) {
        r->known.where = all->where;
        r->known.has_key = all->has_key;
        memcpy(r->known.key, all->key, sizeof(r->known.key));
    }
    r->timer = loop_timer_add(loop, on_timer, r);
    return r->timer < 0 ? ERR_FULL : OK;
}

void renew_start(struct renew *r, struct mux *m,
                 void (*done)(void *ctx, enum renew_end end, const char *why),
                 void *ctx)
{
    uint64_t now = loop_now(r->loop);
    r->mux = m;
    r->done = done;
    r->ctx = ctx;
    r->active = true;
    r->asked = false;
    r->until_ms = now + CREDENTIAL_LOCK_MS;
    on_timer(r, now);
}

void renew_stop(struct renew *r)
{
    if (!r->active)
        return;
    if (r->locked)
        credential_unlock(r->paths);
    r->active = r->locked = false;
    loop_disarm(r->loop, r->timer);
}

void renew_wipe(struct renew *r)
{
    credential_wipe(&r->all);
    credential_wipe(&r->known);
    ct_wipe((struct span){(uint8_t *)&r->answer, sizeof(r->answer)});
}
