/* A machine's attach password; see unlock.h. */
#include "cli/unlock.h"

#include <string.h>

#include "base/err.h"
#include "core/cmd.h"
#include "crypto/box.h"
#include "crypto/ct.h"
#include "crypto/sign.h"

#define TYPED_MAX 3 /* as a login asks */

#define NOTHING_TO_ASK                                                    \
    "`cmdop connect` asks for it on a terminal; else put it into a file " \
    "for --password-file, or into CMDOP_AGENT_PASSWORD"

void unlock_init(struct unlock *u, struct arena *a, struct client *c,
                 const char *target)
{
    u->client = c;
    u->target = target;
    u->order = cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNLOCK;
    u->buf = arena_span(a, QUESTION_RING);
}

struct view unlock_view(const struct unlock *u)
{
    return view_of(u->token, u->has_token ? sizeof(u->token) : 0);
}

bool unlock_is_busy(const struct unlock *u)
{
    return u->stage != UNLOCK_IDLE;
}

void unlock_wipe(struct unlock *u)
{
    secret_wipe(&u->password);
    secret_wipe(&u->next);
    ct_wipe(SPAN_ARRAY(u->token));
    u->has_token = false;
}

static bool is_unlock(const struct unlock *u)
{
    return u->order == cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNLOCK;
}

static const char *shown(const struct unlock *u)
{
    return u->target[0] != '\0' ? u->target : "this machine";
}

/* ---- the end ---------------------------------------------------------------------- */

static void finish(struct unlock *u, msg_code code, const char *message,
                   const char *remedy)
{
    u->stage = UNLOCK_IDLE;
    secret_wipe(&u->password);
    u->done(u->ctx, code, message, remedy);
}

static void succeed(struct unlock *u)
{
    finish(u, cmdop_agent_v1_Code_CODE_UNSPECIFIED, "", "");
}

static void deny(struct unlock *u, const char *message, const char *remedy)
{
    finish(u, cmdop_agent_v1_Code_CODE_PIN, message, remedy);
}

/* ---- tokens that are kept ------------------------------------------------------------- */

static void take_token(struct unlock *u, struct unlock_token *t)
{
    memcpy(u->token, t->token, sizeof(u->token));
    u->has_token = true;
    ct_wipe((struct span){(uint8_t *)t, sizeof(*t)});
}

void unlock_recall(struct unlock *u)
{
    struct unlock_token t;
    if (u->client->local ||
        unlockfile_find(u->client->paths.runtime, u->client->server.pin,
                        u->target, port_wall_ms(), &t) != OK)
        return;
    take_token(u, &t);
}

/* Another name may have been typed when it was given. */
static bool recall_by_id(struct unlock *u)
{
    const char *dir = u->client->paths.runtime;
    const uint8_t *pin = u->client->server.pin;
    struct unlock_token t;
    if (unlockfile_load(dir, pin, u->key.machine_id, port_wall_ms(), &t) != OK)
        return false;
    if (u->was_refused && ct_eq(VIEW_ARRAY(t.token), VIEW_ARRAY(u->token))) {
        unlockfile_remove(dir, pin, u->key.machine_id);
        return false;
    }
    take_token(u, &t);
    return true;
}

static void keep_token(struct unlock *u)
{
    struct unlock_token t = {.until_ms =
                                 port_wall_ms() + (int64_t)u->answer.token_ms};
    memcpy(t.token, u->answer.token.bytes, sizeof(t.token));
    STR_COPY(t.machine_id, u->key.machine_id);
    STR_COPY(t.name, u->target);
    unlockfile_save(u->client->paths.runtime, u->client->server.pin, &t);
    take_token(u, &t);
    u->was_refused = false;
}

/* ---- questions ---------------------------------------------------------------------------- */

static void ask(struct unlock *u, enum unlock_stage stage, const char *method,
                const msg_call *call)
{
    u->stage = stage;
    u->got_record = false;
    if (question_ask(&u->question, client_mux(u->client), u->buf, u->target,
                     method, call) != OK)
        finish(u, cmdop_agent_v1_Code_CODE_INTERNAL,
               "the request does not fit the connection", "");
}

static void ask_key(struct unlock *u, enum unlock_stage stage)
{
    uint8_t raw[16];
    struct text t;
    msg_call call = cmdop_agent_v1_Call_init_zero;
    port_entropy(SPAN_ARRAY(raw));
    TEXT_OF(&t, u->nonce);
    text_hex(&t, VIEW_ARRAY(raw));
    STR_COPY(call.id, u->nonce);
    ask(u, stage, "password.key", &call);
}

static const char *method_of(msg_password_order order)
{
    switch (order) {
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_SET: return "password.set";
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_CLEAR:
        return "password.clear";
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_REVOKE:
        return "password.revoke";
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNLOCK:
    case cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNSPECIFIED: break;
    }
    return "password.unlock";
}

static void put(pb_byte_t *to, pb_size_t *size, struct view v)
{
    if (v.len > 0)
        memcpy(to, v.ptr, v.len);
    *size = (pb_size_t)v.len;
}
#define PUT(field, view) put((field).bytes, &(field).size, (view))

static int seal(const struct unlock *u, msg_call *call)
{
    uint8_t plain[LOCK_SECRET_BYTES], seed[BOX_SEED_LEN];
    msg_password_secret s = {.order = u->order};
    PUT(s.challenge, view_of(u->key.challenge.bytes, u->key.challenge.size));
    PUT(s.password, secret_view(&u->password));
    PUT(s.next, secret_view(&u->next));
    int n = lock_secret_encode(&s, plain);
    port_entropy(SPAN_ARRAY(seed));
    if (n == OK)
        n = box_seal(u->key.box_key.bytes, seed, VIEW_ARRAY(plain),
                     SPAN_ARRAY(call->sealed.bytes));
    call->sealed.size = (pb_size_t)(n > 0 ? n : 0);
    ct_wipe(SPAN_ARRAY(plain));
    ct_wipe(SPAN_ARRAY(seed));
    ct_wipe((struct span){(uint8_t *)&s, sizeof(s)});
    return n;
}

static void send_order(struct unlock *u)
{
    msg_call call = cmdop_agent_v1_Call_init_zero;
    if (seal(u, &call) < 0)
        finish(u, cmdop_agent_v1_Code_CODE_PROTOCOL,
               "the machine's key is none that a password can be sealed to",
               "");
    else
        ask(u, UNLOCK_ORDER, method_of(u->order), &call);
}

/* ---- the password --------------------------------------------------------------------------- */

/* Who sees a machine for the first time is told its key, to compare it. */
static void greet_key(struct unlock *u)
{
    char print[SIGN_FINGERPRINT_CAP];
    if (u->silent || !u->is_new)
        return;
    sign_fingerprint(u->key.machine_key.bytes, print);
    cmd_say("the key of ", shown(u), " is ", print,
            "; `cmdop agent status` there shows the same", NULL);
    u->is_new = false;
}

static void end_typing(struct unlock *u);

static void on_typed(void *ctx, uint8_t ready)
{
    struct unlock *u = ctx;
    uint8_t buf[256];
    (void)ready;
    int n = port_recv(PORT_STDIN, SPAN_ARRAY(buf));
    if (n < 0) {
        end_typing(u);
        deny(u, "no password was given", "");
    } else {
        unlock_keys(u, view_of(buf, (size_t)n));
    }
    ct_wipe(SPAN_ARRAY(buf));
}

static void want_keyboard(struct unlock *u, bool wanted)
{
    struct loop *l = &u->client->loop;
    if (u->keyboard != NULL) {
        u->keyboard(u->ctx, wanted);
        return;
    }
    (void)port_handle_nonblock(PORT_STDIN);
    if (wanted)
        u->row = loop_add(l, PORT_STDIN, PORT_READ, on_typed, u);
    else if (u->row >= 0)
        loop_remove(l, u->row);
}

static void start_typing(struct unlock *u)
{
    char line[160];
    struct text t;
    memset(&u->password, 0, sizeof(u->password));
    if (u->silent || !port_is_tty(PORT_STDIN) || !port_is_tty(PORT_STDERR) ||
        port_term_raw(PORT_STDIN) != OK) {
        deny(u, "the machine wants its attach password", NOTHING_TO_ASK);
        return;
    }
    port_term_restore();
    greet_key(u);
    (void)port_term_raw(PORT_STDIN);
    TEXT_OF(&t, line);
    text_str(&t, is_unlock(u) ? "Password for " : "Present password for ");
    text_safe(&t, view_str(shown(u)));
    text_str(&t, ": ");
    cmd_note(line);
    u->stage = UNLOCK_TYPING;
    u->typed++;
    want_keyboard(u, true);
}

static void end_typing(struct unlock *u)
{
    port_term_restore();
    cmd_note("\n");
    want_keyboard(u, false);
}

void unlock_keys(struct unlock *u, struct view keys)
{
    if (u->stage != UNLOCK_TYPING)
        return;
    enum secret_event event = secret_feed(&u->password, &keys);
    if (event == SECRET_MORE)
        return;
    end_typing(u);
    if (event == SECRET_GIVE_UP)
        deny(u, "no password was given", "");
    else if (u->password.too_long)
        deny(u, "a password has no more than 128 bytes", "");
    else
        ask_key(u, UNLOCK_AGAIN); /* a challenge does not wait for typists */
}

/* From where nobody needs to be asked; else from a person. */
static void get_password(struct unlock *u)
{
    char buf[400];
    struct text why;
    TEXT_OF(&why, buf);
    int err = ERR_NOT_FOUND;
    if (u->file != NULL)
        err = secret_from_file(u->file, &u->password, &why);
    else
        err = secret_from_env("CMDOP_AGENT_PASSWORD", &u->password);
    if (err == OK) {
        greet_key(u);
        send_order(u);
    } else if (u->file != NULL) {
        deny(u, buf, "");
    } else if (err == ERR_TOO_BIG) {
        deny(u, "CMDOP_AGENT_PASSWORD is longer than 128 bytes", "");
    } else {
        start_typing(u);
    }
}

/* ---- the key ---------------------------------------------------------------------------------- */

static bool is_signed(const struct unlock *u, const msg_password_key *k)
{
    uint8_t words[LOCK_SIGNED_MAX];
    if (k->box_key.size != BOX_KEY_LEN || k->challenge.size != 32 ||
        k->machine_key.size != SIGN_PUB_LEN)
        return false;
    size_t len = lock_key_signed(k, u->nonce, words);
    return sign_verify(view_of(k->machine_key.bytes, SIGN_PUB_LEN),
                       view_of(words, len),
                       view_of(k->signature.bytes, k->signature.size)) == OK;
}

/* OK to go on; else it was told. */
static bool know_key(struct unlock *u)
{
    const char *dir = u->client->paths.config;
    const uint8_t *pin = u->client->server.pin;
    if (u->client->local)
        return true;
    int64_t since;
    int err =
        known_check(dir, pin, u->target, u->key.machine_key.bytes, &since);
    if (err == OK)
        return true;
    if (err == ERR_NOT_FOUND || u->accept_key) {
        u->is_new = true;
        (void)known_keep(dir, pin, u->target, u->key.machine_key.bytes,
                         port_wall_ms());
        return true;
    }
    if (err == ERR_PIN)
        deny(u,
             "the machine has another key than before: it is another machine, "
             "or somebody in between wants the password",
             "compare `cmdop agent status` there with `cmdop connect password "
             "status`; if the key was changed on purpose: cmdop connect "
             "password status --accept-key HOST");
    else
        deny(u, "what is known of the machine's key cannot be read",
             "cmdop connect password status --accept-key HOST writes it anew");
    return false;
}

/* Is the password in force needed at all? */
static bool must_know(const struct unlock *u)
{
    return !u->client->local &&
           u->key.state == cmdop_agent_v1_PasswordState_PASSWORD_STATE_ARMED;
}

static void on_key(struct unlock *u)
{
    bool again = u->stage == UNLOCK_AGAIN;
    if (!u->got_record || !is_signed(u, &u->key)) {
        finish(u, cmdop_agent_v1_Code_CODE_PROTOCOL,
               "the machine's answer is not signed by its key",
               "update cmdop there and here");
        return;
    }
    if (!know_key(u))
        return;
    if (u->order == cmdop_agent_v1_PasswordOrder_PASSWORD_ORDER_UNSPECIFIED ||
        (!again && is_unlock(u) && recall_by_id(u)))
        succeed(u);
    else if (!again && must_know(u))
        get_password(u);
    else
        send_order(u);
}

/* ---- answers ------------------------------------------------------------------------------------ */

static void tell_wait(struct unlock *u)
{
    static char line[160];
    uint64_t s = (u->answer.wait_ms + 999) / 1000;
    struct text t;
    TEXT_OF(&t, line);
    text_str(&t, u->answer.wrong ? "that is not the password; " : "");
    text_str(&t, "the machine looks at no other for ");
    text_u64(&t, s >= 120 ? s / 60 : s);
    text_str(&t, s >= 120 ? " minutes" : " seconds");
    deny(u, line,
         "try again then; on the machine itself `cmdop connect "
         "password set` replaces a forgotten one");
}

static void on_answer(struct unlock *u)
{
    const msg_password_answer *a = &u->answer;
    bool again = u->typed > 0 && u->typed < TYPED_MAX;
    if (!u->got_record) {
        finish(u, cmdop_agent_v1_Code_CODE_PROTOCOL,
               "the machine gave no answer", "");
    } else if (a->done) {
        if (a->token.size == LOCK_TOKEN_LEN && is_unlock(u))
            keep_token(u);
        ct_wipe(SPAN_ARRAY(u->answer.token.bytes));
        succeed(u);
    } else if (a->wait_ms > 0) {
        tell_wait(u);
    } else if (again) {
        cmd_say("that is not the password", NULL);
        start_typing(u);
    } else {
        deny(u, "that is not the attach password of the machine", "");
    }
}

static void on_record(void *ctx, struct view record)
{
    struct unlock *u = ctx;
    if (u->stage == UNLOCK_ORDER)
        u->got_record = msg_decode(record, cmdop_agent_v1_PasswordAnswer_fields,
                                   &u->answer) == OK;
    else
        u->got_record = msg_decode(record, cmdop_agent_v1_PasswordKey_fields,
                                   &u->key) == OK;
}

static void on_done(void *ctx, const question_failure *why)
{
    struct unlock *u = ctx;
    if (why != NULL)
        finish(u, why->code, why->message, why->remedy);
    else if (u->stage == UNLOCK_ORDER)
        on_answer(u);
    else
        on_key(u);
}

void unlock_begin(struct unlock *u)
{
    if (unlock_is_busy(u))
        return;
    u->was_refused = u->has_token;
    u->has_token = false;
    u->typed = 0;
    u->question.record = on_record;
    u->question.done = on_done;
    u->question.ctx = u;
    ask_key(u, UNLOCK_KEY);
}
