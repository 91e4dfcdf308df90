/* The OAuth authorization server; see oauth.h. */
#include "relay/oauth.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "codec/base64.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "relay/store.h"

#define SECRET_RAW   32 /* bytes of entropy in each code and token */
#define DRAWS        4  /* of a user code, before we give up */
#define AGAIN_S      5  /* when the store has no room */
#define CLIENT_NAME  "CMDOP CLI"
#define USER_LETTERS "BCDFGHJKLMNPQRSTVWXZ" /* no vowels: no words */

_Static_assert(OAUTH_USER_CAP <= STORE_CODE_CAP, "the store keeps user codes");

/* One question on its way. */
struct oauth_pending {
    bool used;
    uint8_t draws;
    struct oauth *oauth;
    oauth_fn *fn;
    void *ctx;
    uint32_t tag;
    struct store_ask ask;
    struct oauth_answer answer; /* holds the secrets meanwhile */
};

static const struct {
    const char *word;
    const char *description;
} ERRORS[] = {
    [OAUTH_OK] = {"", ""},
    [OAUTH_PENDING_YET] = {"authorization_pending",
                           "nobody has approved this sign-in yet"},
    [OAUTH_SLOW_DOWN] = {"slow_down", "asked again too soon: wait 5 seconds "
                                      "longer between two questions"},
    [OAUTH_ACCESS_DENIED] = {"access_denied", "the sign-in was denied"},
    [OAUTH_EXPIRED_TOKEN] = {"expired_token",
                             "the code has expired: sign in again"},
    [OAUTH_INVALID_GRANT] = {"invalid_grant",
                             "the code or token is unknown, used or revoked: "
                             "sign in again"},
    [OAUTH_INVALID_REQUEST] = {"invalid_request", "the request is not whole"},
    [OAUTH_UNSUPPORTED_GRANT_TYPE] = {"unsupported_grant_type",
                                      "only device_code and refresh_token "
                                      "are granted here"},
    [OAUTH_UNAVAILABLE] = {"temporarily_unavailable",
                           "too many questions: come again later"},
    [OAUTH_SERVER_ERROR] = {"server_error",
                            "the relay's store has a fault; its log tells"},
};

const char *oauth_error_str(enum oauth_error e)
{
    return ERRORS[e].word;
}

static void set_error(struct oauth_answer *a, enum oauth_error e)
{
    ct_wipe((struct span){(uint8_t *)&a->u, sizeof a->u});
    a->error = e;
    a->description = ERRORS[e].description;
    if (e == OAUTH_UNAVAILABLE && a->retry_s == 0)
        a->retry_s = AGAIN_S;
}

void oauth_refused(int err, struct oauth_answer *out)
{
    memset(out, 0, sizeof *out);
    set_error(out, err == ERR_FULL || err == ERR_CLOSED
                       ? OAUTH_UNAVAILABLE
                       : OAUTH_INVALID_REQUEST);
}

/* ---- drawing secrets --------------------------------------------------------- */

/* `prefix` and 256 random bits, as text; `cap` bounds both. */
static void draw(const char *prefix, char *out, size_t cap)
{
    uint8_t raw[SECRET_RAW];
    struct writer w;

    port_entropy(SPAN_ARRAY(raw));
    memset(out, 0, cap);
    writer_init(&w, (struct span){(uint8_t *)out, cap - 1});
    write_str(&w, prefix);
    base64_write(&w, BASE64_URL, VIEW_ARRAY(raw));
    assert(w.err == OK);
    ct_wipe(SPAN_ARRAY(raw));
}

/* A token, and what the store is told of it. */
static void draw_token(const char *prefix, char out[OAUTH_TOKEN_CAP],
                       int64_t lasts_ms, struct store_secret *s)
{
    draw(prefix, out, OAUTH_TOKEN_CAP);
    hash_once(view_str(out), s->hash);
    bytes_to_str(s->prefix, STORE_PREFIX_LEN + 1, view_str(out));
    s->expires_ms = port_wall_ms() + lasts_ms;
    port_entropy(SPAN_ARRAY(s->random));
}

/* Eight letters of twenty: 34 bits, throttled and short-lived. Bytes above
 * the last multiple of twenty are drawn again, or some letters come more
 * often. */
static void draw_user_code(char out[OAUTH_USER_CAP])
{
    for (size_t i = 0; i < 8;) {
        uint8_t byte;
        port_entropy((struct span){&byte, 1});
        if (byte < 240)
            out[i++] = USER_LETTERS[byte % 20];
    }
    out[8] = '\0';
}

int oauth_user_code(struct view typed, char out[OAUTH_USER_CAP])
{
    char code[OAUTH_USER_CAP];
    size_t len = 0;

    for (size_t i = 0; i < typed.len; i++) {
        uint8_t c = typed.ptr[i];
        if (c == ' ' || c == '-')
            continue;
        c = c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
        if (c == 0 || strchr(USER_LETTERS, c) == NULL || len == 8)
            return ERR_RANGE;
        code[len++] = (char)c;
    }
    if (len != 8)
        return ERR_RANGE;
    memcpy(out, code, 8);
    out[8] = '\0';
    return OK;
}

/* ---- the pool ------------------------------------------------------------------ */

size_t oauth_bytes(void)
{
    return OAUTH_PENDING * sizeof(struct oauth_pending) + 64;
}

void oauth_init(struct oauth *o, struct arena *a, struct throttle *throttle,
                const struct oauth_cfg *cfg)
{
    *o = (struct oauth){.cfg = *cfg, .throttle = throttle};
    o->pending = arena_carve(a, OAUTH_PENDING * sizeof *o->pending,
                             _Alignof(struct oauth_pending));
    for (size_t i = 0; i < OAUTH_PENDING; i++)
        o->pending[i].used = false;
}

static struct oauth_pending *take(struct oauth *o, oauth_fn *fn, void *ctx,
                                  uint32_t tag)
{
    struct oauth_pending *p = NULL;

    for (size_t i = 0; i < OAUTH_PENDING && p == NULL; i++)
        if (!o->pending[i].used)
            p = &o->pending[i];
    if (p == NULL)
        return NULL;
    memset(p, 0, sizeof *p);
    p->used = true;
    p->oauth = o;
    p->fn = fn;
    p->ctx = ctx;
    p->tag = tag;
    p->answer.description = "";
    o->count++;
    return p;
}

static void give_back(struct oauth_pending *p)
{
    p->oauth->count--;
    ct_wipe((struct span){(uint8_t *)p, sizeof *p});
}

static void answer(struct oauth_pending *p)
{
    p->fn(p->ctx, p->tag, &p->answer);
    give_back(p);
}

/* The store could not do its work, or said something that none of these
 * questions is told: what then? */
static void answer_other(struct oauth_pending *p, const struct store_answer *a)
{
    if (a->err != OK && a->err != ERR_CLOSED)
        log_error("oauth.store", "the store has a fault");
    set_error(&p->answer, a->err != OK || a->outcome != STORE_LIMIT
                              ? OAUTH_SERVER_ERROR
                              : OAUTH_UNAVAILABLE);
    answer(p);
}

static int ask(struct oauth_pending *p)
{
    p->ask.ctx = p;
    int err = p->oauth->cfg.ask(p->oauth->cfg.ctx, &p->ask);
    if (err != OK)
        give_back(p);
    return err;
}

/* ---- device codes -------------------------------------------------------------- */

static void show_device(const struct oauth *o, const char *user_code,
                        struct oauth_device *d)
{
    struct text t;

    TEXT_OF(&t, d->user_code);
    text_view(&t, view_of(user_code, 4));
    text_char(&t, '-');
    text_view(&t, view_of(user_code + 4, 4));
    TEXT_OF(&t, d->verification_uri);
    text_join(&t, o->cfg.url, "/device", NULL);
    TEXT_OF(&t, d->verification_uri_complete);
    text_join(&t, o->cfg.url, "/device?user_code=", d->user_code, NULL);
    d->expires_s = (uint32_t)(OAUTH_DEVICE_MS / 1000);
    d->interval_s = OAUTH_INTERVAL_S;
}

static void device_answer(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct oauth_pending *p = ctx;
    struct store_device_make *m = &p->ask.u.device_make;

    (void)tag;
    if (a->err == OK && a->outcome == STORE_CONFLICT && ++p->draws < DRAWS) {
        draw_user_code(m->user_code);
        if (p->oauth->cfg.ask(p->oauth->cfg.ctx, &p->ask) == OK)
            return;
    }
    if (a->err != OK || a->outcome != STORE_DONE) {
        answer_other(p, a);
        return;
    }
    show_device(p->oauth, m->user_code, &p->answer.u.device);
    answer(p);
}

static void cut_to(char *out, size_t cap, struct view v, const char *otherwise)
{
    bytes_to_str(out, cap, v.len > 0 ? v : view_str(otherwise));
}

void oauth_address(const struct port_addr *from, char *out, size_t cap)
{
    char where[PORT_ADDR_CAP];
    struct view v;

    port_addr_print(from, where, sizeof where);
    v = view_str(where);
    while (v.len > 0 && v.ptr[v.len - 1] != ':')
        v.len--;
    v = view_first(v, v.len > 0 ? v.len - 1 : 0);
    if (v.len > 1 && v.ptr[0] == '[')
        v = view_of(v.ptr + 1, v.len - 2);
    bytes_to_str(out, cap, v);
}

int oauth_device(struct oauth *o, const struct oauth_client *c, oauth_fn *fn,
                 void *ctx, uint32_t tag)
{
    struct view place = throttle_place(c->from);
    uint64_t now = port_now_ms();

    if (throttle_wait(o->throttle, THROTTLE_DEVICE, place, now) > 0)
        return ERR_FULL;
    throttle_fail(o->throttle, THROTTLE_DEVICE, place, now);
    struct oauth_pending *p = take(o, fn, ctx, tag);
    if (p == NULL)
        return ERR_FULL;
    struct store_device_make *m = &p->ask.u.device_make;
    p->ask.op = STORE_DEVICE_MAKE;
    p->ask.answer = device_answer;
    draw("", p->answer.u.device.device_code,
         sizeof p->answer.u.device.device_code);
    hash_once(view_str(p->answer.u.device.device_code), m->hash);
    draw_user_code(m->user_code);
    STR_COPY(m->scope, OAUTH_SCOPE);
    m->expires_ms = port_wall_ms() + OAUTH_DEVICE_MS;
    cut_to(m->client.name, sizeof m->client.name, c->name, CLIENT_NAME);
    cut_to(m->client.version, sizeof m->client.version, c->version, "");
    cut_to(m->client.host, sizeof m->client.host, c->host, "");
    cut_to(m->client.platform, sizeof m->client.platform, c->platform, "");
    oauth_address(c->from, m->client.address, sizeof m->client.address);
    return ask(p);
}

/* ---- tokens ---------------------------------------------------------------------- */

/* The tokens are in the answer; now it is known whose they are. */
static void answer_tokens(struct oauth_pending *p, const struct store_who *w)
{
    struct oauth_tokens *t = &p->answer.u.tokens;

    t->expires_s = (uint32_t)(OAUTH_ACCESS_MS / 1000);
    STR_COPY(t->user_id, w->user_id);
    STR_COPY(t->user_name, w->user_name);
    STR_COPY(t->login, w->login);
    STR_COPY(t->email, w->email);
    STR_COPY(t->fleet_id, w->fleet_id);
    STR_COPY(t->fleet_name, w->fleet_name);
    answer(p);
}

/* What both grants are told in the same way. */
static void answer_grant(struct oauth_pending *p, const struct store_answer *a)
{
    if (a->err != OK) {
        answer_other(p, a);
        return;
    }
    switch (a->outcome) {
    case STORE_DONE: answer_tokens(p, &a->u.who); return;
    case STORE_PENDING: set_error(&p->answer, OAUTH_PENDING_YET); break;
    case STORE_SLOW_DOWN: set_error(&p->answer, OAUTH_SLOW_DOWN); break;
    case STORE_DENIED: set_error(&p->answer, OAUTH_ACCESS_DENIED); break;
    case STORE_UNKNOWN:
    case STORE_REVOKED:
    case STORE_REUSED:
    case STORE_USED_UP:
    case STORE_DISABLED: set_error(&p->answer, OAUTH_INVALID_GRANT); break;
    case STORE_EXPIRED:
        set_error(&p->answer, a->op == STORE_DEVICE_POLL ? OAUTH_EXPIRED_TOKEN
                                                         : OAUTH_INVALID_GRANT);
        break;
    case STORE_CONFLICT:
    case STORE_AMBIGUOUS:
    case STORE_LIMIT:
    case STORE_LOCKED:
    case STORE_LAST_OWNER:
    case STORE_QUARANTINED:
    case STORE_HELD:
    case STORE_STRUCK:
    case STORE_NOT_HOME: answer_other(p, a); return;
    }
    answer(p);
}

static void grant_answer(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct oauth_pending *p = ctx;
    const struct oauth *o = p->oauth;

    (void)tag;
    if (a->err == OK && a->outcome == STORE_REUSED) {
        log_warn("oauth.reused", "a refresh token came twice: its sign-in is "
                                 "over");
        if (o->cfg.ended != NULL)
            o->cfg.ended(o->cfg.ctx, &a->u.ended);
    }
    answer_grant(p, a);
}

static void draw_tokens(struct oauth_pending *p, struct store_secret *access,
                        struct store_secret *refresh)
{
    struct oauth_tokens *t = &p->answer.u.tokens;

    draw_token("cmdop_", t->access_token, OAUTH_ACCESS_MS, access);
    draw_token("clitr_", t->refresh_token, OAUTH_REFRESH_MS, refresh);
    p->ask.answer = grant_answer;
}

int oauth_poll(struct oauth *o, struct view device_code, oauth_fn *fn,
               void *ctx, uint32_t tag)
{
    struct oauth_pending *p = take(o, fn, ctx, tag);

    if (p == NULL)
        return ERR_FULL;
    struct store_device_poll *q = &p->ask.u.device_poll;
    p->ask.op = STORE_DEVICE_POLL;
    hash_once(device_code, q->hash);
    /* A client that keeps to the interval may be a little early here. */
    q->interval_ms = OAUTH_INTERVAL_S * INT64_C(1000) - 250;
    draw_tokens(p, &q->access, &q->refresh);
    return ask(p);
}

int oauth_refresh(struct oauth *o, struct view refresh_token,
                  const struct port_addr *from, oauth_fn *fn, void *ctx,
                  uint32_t tag)
{
    struct oauth_pending *p = take(o, fn, ctx, tag);

    if (p == NULL)
        return ERR_FULL;
    struct store_token_refresh *q = &p->ask.u.token_refresh;
    p->ask.op = STORE_TOKEN_REFRESH;
    hash_once(refresh_token, q->hash);
    oauth_address(from, q->address, sizeof q->address);
    draw_tokens(p, &q->access, &q->refresh);
    return ask(p);
}

static void revoke_answer(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct oauth_pending *p = ctx;
    const struct oauth *o = p->oauth;

    (void)tag;
    if (a->err != OK) {
        answer_other(p, a);
        return;
    }
    if (a->outcome == STORE_DONE && o->cfg.ended != NULL)
        o->cfg.ended(o->cfg.ctx, &a->u.ended);
    answer(p);
}

int oauth_revoke(struct oauth *o, struct view token, oauth_fn *fn, void *ctx,
                 uint32_t tag)
{
    struct oauth_pending *p = take(o, fn, ctx, tag);

    if (p == NULL)
        return ERR_FULL;
    p->ask.op = STORE_TOKEN_REVOKE_HASH;
    p->ask.answer = revoke_answer;
    hash_once(token, p->ask.u.token_revoke_hash.hash);
    return ask(p);
}
