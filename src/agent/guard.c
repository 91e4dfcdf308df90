/* The attach password, asked for and looked at; see guard.h. */
#include "agent/guard.h"

#include <string.h>

#include "agent/app.h"
#include "base/err.h"
#include "base/log.h"
#include "crypto/ct.h"

#define BUSY_MS 1000 /* a password of the same user is being looked at */

static struct lock *lock_of(struct app *app)
{
    return &app->guard.lock;
}

static bool is_armed(const struct app *app)
{
    return app->guard.lock.state ==
           cmdop_agent_v1_PasswordState_PASSWORD_STATE_ARMED;
}

static bool is_damaged(const struct app *app)
{
    return app->guard.lock.state ==
           cmdop_agent_v1_PasswordState_PASSWORD_STATE_DAMAGED;
}

static void reject(struct mux *m, const msg_open *open, msg_code code,
                   const char *message, const char *remedy)
{
    (void)mux_reject(m, open->channel, code, message, remedy);
}

/* Every refusal is told in the log, by whom and why. */
static void note(const char *event, const msg_open *open, const char *what)
{
    char line[256];
    struct text t;
    TEXT_OF(&t, line);
    text_join(&t, open->origin.user, " (fleet ", open->origin.fleet_id,
              "): ", what, NULL);
    log_warn(event, line);
}

/* What the system did not let us read may be there the next time: whoever was
 * in comes again. */
static void refuse_damaged(struct app *app, struct mux *m, const msg_open *open)
{
    if (lock_of(app)->unread) {
        note("lock.refused", open, "the password file cannot be read");
        reject(m, open, cmdop_agent_v1_Code_CODE_LIMIT,
               "the machine cannot read its password file now",
               "try again; its log tells why");
        return;
    }
    note("lock.refused", open, "the password file is damaged");
    reject(m, open, cmdop_agent_v1_Code_CODE_PIN,
           "the password file of the machine is damaged, so nobody comes in "
           "from outside",
           "on the machine itself: cmdop connect password set, or clear");
}

void guard_init(struct app *app)
{
    struct guard *g = &app->guard;
    uint8_t seed[BOX_SEED_LEN];
    port_entropy(SPAN_ARRAY(seed));
    box_keypair(seed, &g->box);
    ct_wipe(SPAN_ARRAY(seed));
    for (int i = 0; i < GUARD_WORKS_MAX; i++)
        g->works[i] = (struct guard_work){.app = app, .handle = -1};
    lock_load(&g->lock, app->paths.state, port_now_ms());
}

/* ---- coming in ------------------------------------------------------------------- */

bool guard_lets_in(struct app *app, struct mux *m, const msg_open *open,
                   struct view params)
{
    msg_any_open any = cmdop_agent_v1_AnyOpen_init_zero;
    uint8_t who[LOCK_WHO_LEN];
    lock_retry(lock_of(app), loop_now(&app->loop));
    if (!is_armed(app) && !is_damaged(app))
        return true;
    if (msg_decode(params, cmdop_agent_v1_AnyOpen_fields, &any) != OK)
        any.unlock.size = 0;
    lock_who(&open->origin, who);
    int err =
        lock_admits(lock_of(app), who,
                    view_of(any.unlock.bytes, any.unlock.size), port_wall_ms());
    if (err == OK)
        return true;
    if (err == ERR_DAMAGED) {
        refuse_damaged(app, m, open);
        return false;
    }
    note("lock.refused", open,
         any.unlock.size == 0 ? "without the password" : "no such token");
    reject(m, open, cmdop_agent_v1_Code_CODE_PIN,
           "the machine wants its attach password",
           "`cmdop connect` asks for it on a terminal; else put it into a "
           "file for --password-file, or into CMDOP_AGENT_PASSWORD");
    return false;
}

/* ---- the key and its challenges ------------------------------------------------------ */

/* One for each user: theirs, a free one, or the oldest. */
static struct guard_challenge *challenge_for(struct guard *g,
                                             const uint8_t who[LOCK_WHO_LEN])
{
    struct guard_challenge *best = &g->challenges[0];
    for (int i = 0; i < GUARD_CHALLENGES_MAX; i++) {
        struct guard_challenge *c = &g->challenges[i];
        if (c->until_ms != 0 && memcmp(c->who, who, LOCK_WHO_LEN) == 0)
            return c;
        if (c->until_ms < best->until_ms)
            best = c;
    }
    return best;
}

/* Is it theirs? Then it is used up. */
static bool use_challenge(struct app *app, const uint8_t who[LOCK_WHO_LEN],
                          struct view bytes)
{
    for (int i = 0; i < GUARD_CHALLENGES_MAX; i++) {
        struct guard_challenge *c = &app->guard.challenges[i];
        if (c->until_ms <= loop_now(&app->loop) ||
            memcmp(c->who, who, LOCK_WHO_LEN) != 0 ||
            !ct_eq(bytes, VIEW_ARRAY(c->bytes)))
            continue;
        memset(c, 0, sizeof(*c));
        return true;
    }
    return false;
}

static void put(pb_byte_t *to, pb_size_t *size, struct view v)
{
    memcpy(to, v.ptr, v.len);
    *size = (pb_size_t)v.len;
}
#define PUT(field, view) put((field).bytes, &(field).size, (view))

/* `of` is the asker's nonce and whose challenge it is, in hexadecimal. */
#define NONCE_DIGITS 32

static void fill_key(struct app *app, const char *nonce,
                     const struct guard_challenge *c, msg_password_key *k)
{
    uint8_t words[LOCK_SIGNED_MAX];
    PUT(k->machine_key, VIEW_ARRAY(app->identity.key.pub));
    PUT(k->box_key, VIEW_ARRAY(app->guard.box.pub));
    PUT(k->challenge, VIEW_ARRAY(c->bytes));
    STR_COPY(k->machine_id, app->file.machine_id);
    k->state = app->guard.lock.state;
    k->tokens = lock_tokens(&app->guard.lock, port_wall_ms());
    size_t len = lock_key_signed(k, nonce, words);
    k->signature.size = SIGN_LEN;
    sign_detached(&app->identity.key, view_of(words, len), k->signature.bytes);
}

static int key_record(void *ctx, const char *of, uint32_t at, struct span out)
{
    struct app *app = ctx;
    msg_password_key k = cmdop_agent_v1_PasswordKey_init_zero;
    char nonce[NONCE_DIGITS + 1];
    if (at > 0)
        return 0;
    STR_COPY(nonce, of);
    /* The slot is the letter behind the nonce. */
    fill_key(app, nonce, &app->guard.challenges[of[NONCE_DIGITS] - 'A'], &k);
    return rpc_encode(out, cmdop_agent_v1_PasswordKey_fields, &k);
}

void guard_key(struct app *app, struct mux *m, const msg_open *open,
               const msg_call *call)
{
    struct guard *g = &app->guard;
    uint8_t who[LOCK_WHO_LEN];
    char of[RPC_OF_CAP];
    struct text t;
    lock_retry(&g->lock, loop_now(&app->loop));
    if (view_str(call->id).len != NONCE_DIGITS) {
        reject(m, open, cmdop_agent_v1_Code_CODE_PROTOCOL,
               "the question has no nonce", "");
        return;
    }
    lock_who(&open->origin, who);
    struct guard_challenge *c = challenge_for(g, who);
    memcpy(c->who, who, sizeof(who));
    port_entropy(SPAN_ARRAY(c->bytes));
    c->until_ms = loop_now(&app->loop) + GUARD_CHALLENGE_MS;
    TEXT_OF(&t, of);
    text_str(&t, call->id);
    text_char(&t, (char)('A' + (c - g->challenges)));
    rpc_answer(&app->rpcs, m, open, of, key_record, app);
}

/* ---- answers ---------------------------------------------------------------------------- */

/*
 * What rpc.h keeps of an answer is a text: 'd' done, and the token in
 * hexadecimal if there is one; 'w' wrong, 'l' later, and how long to wait.
 */
static void read_answer(const char *of, msg_password_answer *a)
{
    struct view rest = view_from(view_str(of), 1);
    a->done = of[0] == 'd';
    a->wrong = of[0] == 'w';
    if (!a->done) {
        (void)text_parse_u64(rest, UINT64_MAX, &a->wait_ms);
        return;
    }
    if (rest.len != (size_t)2 * LOCK_TOKEN_LEN)
        return;
    a->token.size = LOCK_TOKEN_LEN;
    a->token_ms = LOCK_TOKEN_MS;
    for (size_t i = 0; i < rest.len; i++) {
        uint8_t c = rest.ptr[i];
        uint8_t digit = (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        uint8_t *to = &a->token.bytes[i / 2];
        *to = (uint8_t)(i % 2 == 0 ? digit << 4 : *to | digit);
    }
}

static int answer_record(void *ctx, const char *of, uint32_t at,
                         struct span out)
{
    msg_password_answer a = cmdop_agent_v1_PasswordAnswer_init_zero;
    (void)ctx;
    if (at > 0)
        return 0;
    read_answer(of, &a);
    int len = rpc_encode(out, cmdop_agent_v1_PasswordAnswer_fields, &a);
    ct_wipe((struct span){(uint8_t *)&a, sizeof(a)});
    return len;
}

static void answer_done(struct app *app, struct mux *m, const msg_open *open,
                        struct view token)
{
    char of[RPC_OF_CAP];
    struct text t;
    TEXT_OF(&t, of);
    text_str(&t, "d");
    text_hex(&t, token);
    rpc_answer(&app->rpcs, m, open, of, answer_record, app);
    ct_wipe(SPAN_ARRAY(of));
}

static void answer_wait(struct app *app, struct mux *m, const msg_open *open,
                        bool wrong, uint64_t ms)
{
    char of[RPC_OF_CAP];
    struct text t;
    TEXT_OF(&t, of);
    text_str(&t, wrong ? "w" : "l");
    text_u64(&t, ms);
    rpc_answer(&app->rpcs, m, open, of, answer_record, app);
}

static void answer_failure(struct mux *m, const msg_open *open)
{
    char line[240];
    struct text t;
    TEXT_OF(&t, line);
    text_join(&t, "the machine could not do it: ", port_why(), NULL);
    reject(m, open, cmdop_agent_v1_Code_CODE_INTERNAL, line,
           "its log tells more");
}

/* ---- work ------------------------------------------------------------------------------------ */

static void release(struct guard_work *w)
{
    struct app *app = w->app;
    ct_wipe((struct span){(uint8_t *)w, sizeof(*w)});
    *w = (struct guard_work){.app = app, .handle = -1};
}

static void on_task(void *ctx, uint8_t ready);

static int start_task(struct guard_work *w, struct pwhash_task *t)
{
    struct app *app = w->app;
    int handle = port_task(pwhash_work, t);
    ct_wipe((struct span){(uint8_t *)t, sizeof(*t)});
    if (handle < 0)
        return handle;
    int row = loop_add(&app->loop, handle, PORT_READ, on_task, w);
    if (row < 0) {
        port_close(handle);
        return row;
    }
    w->handle = handle;
    w->row = row;
    return OK;
}

static int start_check(struct guard_work *w)
{
    struct pwhash_task t = {.len = w->secret.password.size};
    memcpy(t.stored, w->stored, sizeof(t.stored));
    memcpy(t.password, w->secret.password.bytes, t.len);
    w->making = false;
    return start_task(w, &t);
}

static int start_make(struct guard_work *w)
{
    struct pwhash_task t = {.make = true, .len = w->secret.next.size};
    port_entropy(SPAN_ARRAY(t.salt));
    memcpy(t.password, w->secret.next.bytes, t.len);
    w->making = true;
    return start_task(w, &t);
}

static void tell_busy(struct guard_work *w)
{
    if (w->mux != NULL)
        reject(w->mux, &w->open, cmdop_agent_v1_Code_CODE_LIMIT,
               "the machine looks at other passwords just now",
               "try again in a moment");
}

static void tell_result(struct guard_work *w, int err)
{
    if (w->mux == NULL)
        return;
    if (err == OK)
        answer_done(w->app, w->mux, &w->open, VIEW_NONE);
    else
        answer_failure(w->mux, &w->open);
}

static void tell_changed(struct guard_work *w)
{
    if (w->mux != NULL)
        reject(w->mux, &w->open, cmdop_agent_v1_Code_CODE_CONFLICT,
               "the password was changed at this moment", "try again");
}

/* ---- what is done once they may ------------------------------------------------------------- */

/* The same password with the present setting: nobody waits for that. */
static void rehash(struct guard_work *w)
{
    if (!pwhash_needs_rehash(view_str(w->app->guard.lock.r.stored)))
        return;
    w->mux = NULL;
    memcpy(w->secret.next.bytes, w->secret.password.bytes,
           w->secret.password.size);
    w->secret.next.size = w->secret.password.size;
    (void)start_make(w);
}

static void unlock(struct guard_work *w)
{
    struct app *app = w->app;
    uint8_t token[LOCK_TOKEN_LEN];
    if (w->mux == NULL)
        return; /* nobody would have it */
    port_entropy(SPAN_ARRAY(token));
    lock_grant(lock_of(app), w->who, token, port_wall_ms(),
               loop_now(&app->loop));
    answer_done(app, w->mux, &w->open, VIEW_ARRAY(token));
    ct_wipe(SPAN_ARRAY(token));
    rehash(w);
}

static void carry_out(struct guard_work *w)
{
    struct app *app = w->app;
    int err = OK;
    switch (w->secret.order) {
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNLOCK: unlock(w); return;
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_SET:
        if (start_make(w) != OK)
            tell_busy(w);
        return;
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_CLEAR:
        err = lock_clear(lock_of(app));
        note("lock.clear", &w->open, err == OK ? "no password" : port_why());
        break;
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_REVOKE:
        err = is_armed(app) ? lock_revoke(lock_of(app), loop_now(&app->loop))
                            : OK;
        note("lock.revoke", &w->open, "all tokens");
        break;
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNSPECIFIED: break;
    }
    tell_result(w, err);
}

/* ---- what the child says ----------------------------------------------------------------------- */

/* Is another password in force than when the order came, or none? */
static bool is_stale(const struct guard_work *w)
{
    return memcmp(w->stored, w->app->guard.lock.r.stored, PWHASH_CAP) != 0;
}

static void on_made(struct guard_work *w, const char stored[PWHASH_CAP])
{
    struct lock *l = lock_of(w->app);
    uint64_t now = loop_now(&w->app->loop);
    if (w->secret.order == cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNLOCK) {
        if (!is_stale(w) && pwhash_needs_rehash(view_str(l->r.stored)))
            (void)lock_rehash(l, stored, now);
        return;
    }
    if (!w->local && is_stale(w)) { /* who is here has the last word */
        tell_changed(w);
        return;
    }
    int err = lock_set(l, stored, now);
    note("lock.set", &w->open, err == OK ? "a new password" : port_why());
    tell_result(w, err);
}

static void on_checked(struct guard_work *w, bool right)
{
    struct app *app = w->app;
    uint64_t now = loop_now(&app->loop);
    if (right) {
        lock_right(lock_of(app), w->who, now);
        carry_out(w);
        return;
    }
    lock_wrong(lock_of(app), w->who, now);
    uint64_t wait = lock_wait_ms(lock_of(app), w->who, now);
    note("lock.wrong", &w->open,
         wait >= LOCK_MS ? "a wrong password; locked for 15 minutes"
                         : "a wrong password");
    if (w->mux != NULL)
        answer_wait(app, w->mux, &w->open, true, wait);
}

static void on_task(void *ctx, uint8_t ready)
{
    struct guard_work *w = ctx;
    uint8_t out[PORT_TASK_ANSWER_MAX];
    int handle = w->handle;
    (void)ready;
    int n = port_task_take(handle, SPAN_ARRAY(out));
    if (n == 0)
        return;
    loop_remove(&w->app->loop, w->row);
    w->handle = -1;
    if (w->making && n == PWHASH_CAP)
        on_made(w, (const char *)out);
    else if (!w->making && n == 1 && !is_stale(w))
        on_checked(w, out[0] == 1);
    else if (!w->making && n == 1)
        tell_changed(w);
    else
        tell_result(w, n);
    ct_wipe(SPAN_ARRAY(out));
    if (w->handle < 0)
        release(w);
}

void guard_gone(struct app *app, const struct mux *m, uint32_t number)
{
    for (int i = 0; i < GUARD_WORKS_MAX; i++) {
        struct guard_work *w = &app->guard.works[i];
        if (w->mux == m && (number == 0 || number == w->open.channel))
            w->mux = NULL;
    }
}

/* ---- orders ---------------------------------------------------------------------------------- */

static int open_secret(struct app *app, const msg_call *call,
                       msg_password_secret *out)
{
    uint8_t plain[LOCK_SECRET_BYTES];
    int n = box_open(&app->guard.box,
                     view_of(call->sealed.bytes, call->sealed.size),
                     SPAN_ARRAY(plain));
    int err =
        n < 0 ? ERR_PROTO : lock_secret_decode(view_of(plain, (size_t)n), out);
    ct_wipe(SPAN_ARRAY(plain));
    return err;
}

/* Only who may change the fleet changes this. */
static bool role_may(const msg_open *open, msg_password_order order)
{
    struct view role = view_str(open->origin.role);
    return order == cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNLOCK ||
           view_is(role, "owner") || view_is(role, "admin");
}

static struct guard_work *
free_work(struct app *app, const uint8_t who[LOCK_WHO_LEN], bool *is_busy)
{
    struct guard_work *found = NULL;
    *is_busy = false;
    for (int i = 0; i < GUARD_WORKS_MAX; i++) {
        struct guard_work *w = &app->guard.works[i];
        if (w->handle < 0)
            found = w;
        else
            *is_busy |= memcmp(w->who, who, LOCK_WHO_LEN) == 0;
    }
    return found;
}

/* All is as it must be: look at the password, or do it at once. */
static void begin(struct app *app, struct mux *m, const msg_open *open,
                  const msg_password_secret *secret, bool local)
{
    uint8_t who[LOCK_WHO_LEN];
    bool is_busy;
    lock_who(&open->origin, who);
    struct guard_work *w = free_work(app, who, &is_busy);
    uint64_t wait = lock_wait_ms(lock_of(app), who, loop_now(&app->loop));
    bool must_know = !local && is_armed(app);
    if (must_know && wait > 0) {
        note("lock.refused", open, "it is too early for another password");
        answer_wait(app, m, open, false, wait);
        return;
    }
    if (is_busy) { /* or two tries at once would count as one wait */
        answer_wait(app, m, open, false, BUSY_MS);
        return;
    }
    if (w == NULL) {
        tell_busy(&(struct guard_work){.mux = m, .open = *open});
        return;
    }
    w->mux = m;
    w->open = *open;
    w->local = local;
    w->secret = *secret;
    memcpy(w->who, who, sizeof(who));
    memcpy(w->stored, lock_of(app)->r.stored, sizeof(w->stored));
    if (!must_know)
        carry_out(w);
    else if (start_check(w) != OK)
        tell_busy(w);
    if (w->handle < 0)
        release(w);
}

/* Is there anything that speaks against it? Then the asker was told. */
static bool is_refused(struct app *app, struct mux *m, const msg_open *open,
                       const msg_password_secret *s, bool local)
{
    bool sets = s->order == cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_SET;
    if (!local && is_damaged(app)) {
        refuse_damaged(app, m, open);
        return true;
    }
    if (sets && s->next.size < LOCK_PASSWORD_MIN) {
        reject(m, open, cmdop_agent_v1_Code_CODE_PROTOCOL,
               "a password has 8 bytes or more", "take a longer one");
        return true;
    }
    return false;
}

void guard_order(struct app *app, struct mux *m, const msg_open *open,
                 const msg_call *call, msg_password_order order, bool local)
{
    msg_password_secret s;
    uint8_t who[LOCK_WHO_LEN];
    lock_who(&open->origin, who);
    if (!local && !role_may(open, order)) {
        note("lock.refused", open, "may not change the password");
        reject(m, open, cmdop_agent_v1_Code_CODE_DENIED,
               "only an owner or an admin of the fleet changes the password",
               "or the agent's user, on the machine itself");
        return;
    }
    if (open_secret(app, call, &s) != OK || s.order != order ||
        !use_challenge(app, who,
                       view_of(s.challenge.bytes, s.challenge.size))) {
        reject(m, open, cmdop_agent_v1_Code_CODE_CONFLICT,
               "the secret is not for this agent, or too old",
               "ask for the key again");
    } else if (!is_refused(app, m, open, &s, local)) {
        /* Without a password in force there is nothing to open. */
        if (order == cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNLOCK &&
            (local || !is_armed(app)))
            answer_done(app, m, open, VIEW_NONE);
        else
            begin(app, m, open, &s, local);
    }
    ct_wipe((struct span){(uint8_t *)&s, sizeof(s)});
}
