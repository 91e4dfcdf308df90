/* Machines that come in; see claim.h. */
#include "relay/claim.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "relay/admit.h"
#include "relay/ask.h"
#include "relay/conn.h"
#include "relay/people.h"
#include "relay/relay.h"

#define LOOK_MS          3000  /* patience with the other link */
#define PENDING_AGAIN_MS 10000 /* an owner may approve it any moment */
#define OVERTAKEN_MS     1000  /* a process that lives may come again soon */

static void refuse(struct conn *c, msg_code code, const char *message,
                   const char *remedy, uint32_t retry_after_ms)
{
    link_refuse(&c->peer.link, code, message, remedy, retry_after_ms);
}

static void refuse_auth(struct conn *c, const char *message, const char *remedy)
{
    refuse(c, cmdop_agent_v1_Code_CODE_AUTH, message, remedy, 0);
}

static bool has_instance(const struct conn *c)
{
    static const uint8_t none[STORE_INSTANCE];
    return memcmp(c->hold.instance, none, sizeof(none)) != 0;
}

static bool same_instance(const struct conn *a, const struct conn *b)
{
    return has_instance(a) &&
           memcmp(a->hold.instance, b->hold.instance, STORE_INSTANCE) == 0;
}

static bool is_judged(const struct conn *c, uint32_t tag)
{
    return c->serial == tag && c->peer.link.state == LINK_JUDGE;
}

/* ---- why not ---------------------------------------------------------------------- */

/* What an agent is told whose machine may not come in. */
struct claim_no {
    msg_code code;
    uint32_t retry_after_ms;
    char message[240];
    char remedy[240];
};

static void say_two(const char *name, struct claim_no *out)
{
    struct text t;
    out->code = cmdop_agent_v1_Code_CODE_CONFLICT;
    out->retry_after_ms = BACKOFF_MAX_MS;
    STR_COPY(out->message,
             "two machines use this identity: its state folder was copied");
    TEXT_OF(&t, out->remedy);
    text_str(&t, "keep it on one of them, and on the other run `cmdop "
                 "identity reset --yes` and join anew; then an owner lets the "
                 "one in: cmdop machines approve ");
    text_safe(&t, view_str(name));
}

static void say_pending(const char *name, struct claim_no *out)
{
    struct text t;
    out->code = cmdop_agent_v1_Code_CODE_PENDING;
    out->retry_after_ms = PENDING_AGAIN_MS;
    STR_COPY(out->message, "the machine waits for an owner's approval");
    TEXT_OF(&t, out->remedy);
    text_str(&t, "an owner of the fleet lets it in: cmdop machines approve ");
    text_safe(&t, view_str(name));
}

static void say_closed(const char *why, struct claim_no *out, const char *what,
                       const char *remedy)
{
    struct text t;
    TEXT_OF(&t, out->message);
    text_str(&t, what);
    if (why[0] != '\0') {
        text_str(&t, ": ");
        text_safe(&t, view_str(why));
    }
    STR_COPY(out->remedy, remedy);
}

static void why_not(enum store_state state, const char *name, const char *why,
                    struct claim_no *out)
{
    *out = (struct claim_no){.code = cmdop_agent_v1_Code_CODE_AUTH};
    switch (state) {
    case STORE_STATE_QUARANTINED: say_two(name, out); return;
    case STORE_STATE_PENDING: say_pending(name, out); return;
    case STORE_STATE_DISABLED:
        say_closed(why, out, "the machine was shut out",
                   "an owner of the fleet can let it in again: cmdop machines "
                   "enable");
        return;
    case STORE_STATE_STRUCK:
        say_closed(why, out, "an owner struck this machine's key off",
                   "`cmdop identity reset --yes`, then join with a new join "
                   "string");
        return;
    case STORE_STATE_ACTIVE: break; /* its key is not the one that was shown */
    }
    say_closed(why, out, "this is an old key of the machine; it was replaced",
               "start the agent in the folder that has the new one; a restored "
               "copy needs `cmdop identity reset --yes` and a join string");
}

void claim_shut_out(struct machine *m)
{
    struct claim_no no;
    if (m->conn == NULL || m->state == STORE_STATE_ACTIVE)
        return;
    why_not(m->state, m->name, m->why, &no);
    conn_cut(m->conn, no.code, no.message, no.remedy, no.retry_after_ms);
}

static void refuse_state(struct conn *c, const struct store_machine *s)
{
    struct claim_no no;
    why_not(s->state, s->name, s->why, &no);
    refuse(c, no.code, no.message, no.remedy, no.retry_after_ms);
}

/* ---- too late ----------------------------------------------------------------------- */

/* Its Proof answers an older challenge than the holder's: it tells of a time
 * before that one came in. */
static bool is_overtaken(const struct conn *c, const struct machine *m)
{
    return c->challenged_ms <= m->proven_ms;
}

static void come_again(struct conn *c, const struct machine *m)
{
    log_info("machine.overtaken", m->name);
    refuse(c, cmdop_agent_v1_Code_CODE_CONFLICT,
           "another process of this machine came in meanwhile", "",
           OVERTAKEN_MS);
}

/* ---- in --------------------------------------------------------------------------- */

/* The machine has another link. The newer one is taken: it proved itself now,
 * and the store has nothing against it. */
static void displace(struct machine *m, struct conn *by)
{
    struct conn *old = m->conn;
    if (old == NULL || old == by)
        return;
    if (old->peer.link.state != LINK_OPEN) {
        old->machine = NULL; /* it is ending already */
        return;
    }
    if (same_instance(old, by)) {
        log_info("machine.again", m->name);
        conn_cut(old, cmdop_agent_v1_Code_CODE_CONFLICT,
                 "this agent has another link by now", "", BACKOFF_MAX_MS);
        return;
    }
    log_warn("machine.twice", m->name);
    conn_cut(old, cmdop_agent_v1_Code_CODE_CONFLICT,
             "this identity connected again from elsewhere",
             "if the state folder was copied to another machine, remove it "
             "there and join with a new join string",
             BACKOFF_MAX_MS);
}

static void update_row(struct machine *m, const struct conn *c)
{
    STR_COPY(m->hostname, c->facts.hostname);
    STR_COPY(m->os, c->facts.os);
    STR_COPY(m->os_version, c->facts.os_version);
    STR_COPY(m->architecture, c->facts.architecture);
    STR_COPY(m->agent_version, c->facts.agent_version);
    m->seen_ms = port_wall_ms();
}

static void welcome(struct conn *c, const struct store_machine *s)
{
    msg_welcome w = cmdop_agent_v1_Welcome_init_zero;
    STR_COPY(c->fleet_id, s->fleet_id);
    STR_COPY(w.machine_id, s->id);
    STR_COPY(w.fleet_id, s->fleet_id);
    STR_COPY(w.name, s->name);
    w.epoch = has_instance(c) ? s->epoch : 0;
    w.key_version = s->key_version;
    w.pending = s->state == STORE_STATE_PENDING;
    c->hold.epoch = s->epoch;
    c->hold.unconfirmed = has_instance(c) && s->lease != STORE_LEASE_KEPT;
    conn_admit(c, MAY_MACHINE);
    link_welcome(&c->peer.link, &w);
}

static void let_in(struct conn *c, struct machine *m,
                   const struct store_machine *s)
{
    displace(m, c);
    update_row(m, c);
    if (c->challenged_ms > m->proven_ms)
        m->proven_ms = c->challenged_ms;
    m->conn = c;
    c->machine = m;
    welcome(c, s);
    routes_online(&c->relay->routes, m, &c->peer.link.mux,
                  loop_now(&c->relay->loop));
    ask_seen(c->relay, m);
    log_info("machine.online", m->name);
}

/* Who joined and holds nothing gets his Welcome, and no channel ever: the
 * machine is whoever holds it, or will be one day. */
static bool only_joins(const struct conn *c, const struct store_machine *s)
{
    static const uint8_t nobody[STORE_INSTANCE];
    return s->state == STORE_STATE_PENDING ||
           (!has_instance(c) && memcmp(s->holder, nobody, sizeof(nobody)) != 0);
}

static void come_in(struct conn *c, const struct store_machine *s)
{
    struct machine *m = follow_machine(c->relay, s->fleet_id, s);
    if (m == NULL)
        refuse(c, cmdop_agent_v1_Code_CODE_LIMIT,
               "the relay knows as many machines as it can", "",
               BACKOFF_MAX_MS);
    else if (only_joins(c, s))
        welcome(c, s);
    else
        let_in(c, m, s);
}

/* ---- two of them ------------------------------------------------------------------ */

static void quarantined(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct conn *c = ctx;
    if (!is_judged(c, tag)) /* the other one was told: relay/follow.c */
        return;
    if (a->err != OK)
        admit_fault(c, a->err);
    else
        refuse_state(c, &a->u.machine);
    peer_wake(&c->peer);
}

/* With its port, which a proxy does not tell. */
static void print_place(const struct port_addr *a, char out[PORT_ADDR_CAP])
{
    if (a->port != 0)
        port_addr_print(a, out, PORT_ADDR_CAP);
    else
        people_address(a, out, PORT_ADDR_CAP);
}

/* Both live: an owner settles it. */
static void quarantine(struct conn *c, const struct machine *m)
{
    char there[PORT_ADDR_CAP], here[PORT_ADDR_CAP];
    struct store_ask q = {.op = STORE_MACHINE_STATE,
                          .tag = c->serial,
                          .ctx = c,
                          .answer = quarantined};
    struct text t;
    print_place(&m->conn->from, there);
    print_place(&c->from, here);
    STR_COPY(q.u.machine_state.fleet_id, m->fleet_id);
    STR_COPY(q.u.machine_state.machine_id, m->id);
    q.u.machine_state.change = STORE_QUARANTINE;
    TEXT_OF(&t, q.u.machine_state.why);
    text_join(&t, "two used its key at once, from ", there, " and ", here,
              NULL);
    STR_COPY(q.u.machine_state.actor.kind, "relay");
    log_warn("machine.quarantine", m->name);
    int err = ask(c->relay, &q);
    if (err != OK)
        admit_fault(c, err);
}

/* ---- is the other one there? -------------------------------------------------------- */

static void log_in(struct conn *c, bool gone);

static void arm(struct relay *r)
{
    if (r->claims.first == NULL)
        loop_disarm(&r->loop, r->claims.timer);
    else
        loop_arm(&r->loop, r->claims.timer, r->claims.first->hold.look_until);
}

/* Take one off the list; it stays in LINK_JUDGE, or is over. */
static void look_no_more(struct conn *c)
{
    struct conn **at = &c->relay->claims.first;
    if (c->hold.looked_at == NULL)
        return;
    while (*at != c)
        at = &(*at)->hold.next;
    *at = c->hold.next;
    c->hold.next = NULL;
    c->hold.looked_at = NULL;
    arm(c->relay);
}

static void look(struct conn *c, struct machine *m)
{
    struct relay *r = c->relay;
    struct conn **end = &r->claims.first;
    msg_ping ping = {.token = ++r->claims.token};
    c->hold.looked_at = m;
    c->hold.look_token = ping.token;
    c->hold.look_until = loop_now(&r->loop) + LOOK_MS;
    while (*end != NULL)
        end = &(*end)->hold.next;
    *end = c;
    c->hold.next = NULL;
    (void)link_send(&m->conn->peer.link, MSG_PING, cmdop_agent_v1_Ping_fields,
                    &ping);
    arm(r);
}

/* The store says that somebody else holds the machine. A link that holds
 * nothing (of a verb that joined, say) is not he. */
static void held(struct conn *c, const struct store_machine *s)
{
    struct machine *m = registry_find(&c->relay->registry, s->id);
    if (m != NULL && is_overtaken(c, m))
        come_again(c, m);
    else if (m == NULL || m->conn == NULL || !has_instance(m->conn) ||
             m->conn->peer.link.state != LINK_OPEN)
        log_in(c, true);
    else
        look(c, m);
}

void claim_pong(struct conn *c, const msg_ping *pong)
{
    struct machine *m = c->machine;
    for (struct conn *n = c->relay->claims.first, *next; n != NULL; n = next) {
        next = n->hold.next;
        if (m == NULL || n->hold.looked_at != m ||
            n->hold.look_token != pong->token)
            continue;
        look_no_more(n);
        quarantine(n, m);
    }
}

/* It waited for the other link, and somebody may have been let in since. */
static void waited(struct conn *c, bool gone)
{
    const struct machine *m = c->hold.looked_at;
    look_no_more(c);
    if (!is_overtaken(c, m)) {
        log_in(c, gone);
        return;
    }
    come_again(c, m);
    peer_wake(&c->peer);
}

static void on_silence(void *ctx, uint64_t now_ms)
{
    struct relay *r = ctx;
    struct conn *c;
    while ((c = r->claims.first) != NULL && c->hold.look_until <= now_ms)
        waited(c, true);
    arm(r);
}

void claim_lost(struct conn *c)
{
    const struct machine *m = c->machine;
    look_no_more(c);
    if (m == NULL || m->conn != c)
        return;
    for (struct conn *n = c->relay->claims.first, *next; n != NULL; n = next) {
        next = n->hold.next;
        if (n->hold.looked_at == m)
            waited(n, false); /* another link may have taken its place */
    }
}

/* ---- asking the store ----------------------------------------------------------------- */

static const char ASK_OWNER[] =
    "ask the relay's owner for a join string (`cmdop server join-key`) and "
    "run `cmdop join`";
static const char ASK_AGAIN[] = "ask the relay's owner for a new join string";

/* This very question may have found two holders. */
static void shut_both_out(struct conn *c, const struct store_machine *s)
{
    struct machine *m = follow_machine(c->relay, s->fleet_id, s);
    if (s->changed)
        log_warn("machine.quarantine", s->name);
    if (m != NULL)
        claim_shut_out(m);
    refuse_state(c, s);
}

static void answer(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct conn *c = ctx;
    const struct store_machine *s = &a->u.machine;
    if (!is_judged(c, tag))
        return;
    if (a->err != OK) {
        admit_fault(c, a->err);
        return;
    }
    switch (a->outcome) {
    case STORE_DONE: come_in(c, s); break;
    case STORE_PENDING:
        if (a->op == STORE_ENROL)
            come_in(c, s);
        else
            refuse_state(c, s);
        break;
    case STORE_HELD:
        if (a->op == STORE_MACHINE_LOGIN)
            held(c, s);
        else
            refuse(c, cmdop_agent_v1_Code_CODE_CONFLICT,
                   "another process holds this machine's identity",
                   "stop it, or join without an instance", BACKOFF_MAX_MS);
        break;
    case STORE_QUARANTINED: shut_both_out(c, s); break;
    case STORE_DISABLED:
    case STORE_STRUCK: refuse_state(c, s); break;
    case STORE_UNKNOWN:
        refuse_auth(c,
                    a->op == STORE_ENROL ? "the join key is unknown"
                                         : "this relay does not know the "
                                           "machine",
                    ASK_OWNER);
        break;
    case STORE_REVOKED:
        refuse_auth(c, "the join key was revoked", ASK_AGAIN);
        break;
    case STORE_EXPIRED:
        refuse_auth(c, "the join key has expired", ASK_AGAIN);
        break;
    case STORE_USED_UP:
        refuse_auth(c, "the join key was used before and is spent", ASK_AGAIN);
        break;
    case STORE_CONFLICT:
        refuse_auth(c,
                    a->op == STORE_ENROL
                        ? "the machine's identity belongs to another fleet"
                        : "the new key of this machine is another one's",
                    "`cmdop identity reset --yes` makes it a new machine");
        break;
    case STORE_LIMIT:
        refuse_auth(c, "the fleet has as many machines as it may", "");
        break;
    case STORE_AMBIGUOUS: /* no outcomes of these questions */
    case STORE_SLOW_DOWN:
    case STORE_DENIED:
    case STORE_REUSED:
    case STORE_LOCKED:
    case STORE_LAST_OWNER:
    case STORE_NOT_HOME: break;
    }
    peer_wake(&c->peer);
}

static struct store_claim claim_of(const struct conn *c, bool gone)
{
    struct store_claim claim = {.epoch = c->hold.epoch, .gone = gone};
    memcpy(claim.instance, c->hold.instance, sizeof(claim.instance));
    return claim;
}

static void put_question(struct conn *c, struct store_ask *q)
{
    q->tag = c->serial;
    q->ctx = c;
    q->answer = answer;
    int err = ask(c->relay, q);
    if (err != OK) {
        admit_fault(c, err);
        peer_wake(&c->peer);
    }
}

static void log_in(struct conn *c, bool gone)
{
    struct store_ask q = {.op = STORE_MACHINE_LOGIN};
    struct store_machine_login *in = &q.u.machine_login;
    memcpy(in->public_key, c->key, sizeof(in->public_key));
    in->claim = claim_of(c, gone);
    in->rotates = c->hold.rotates;
    memcpy(in->next_key, c->hold.next_key, sizeof(in->next_key));
    put_question(c, &q);
}

static void enrol(struct conn *c, const msg_proof *proof)
{
    struct store_ask q = {.op = STORE_ENROL};
    struct store_enrol *in = &q.u.enrol;
    if (c->hold.rotates) {
        refuse(c, cmdop_agent_v1_Code_CODE_PROTOCOL,
               "a machine joins with one key", "", 0);
        return;
    }
    hash_once(view_str(proof->join_key), in->join_hash);
    memcpy(in->public_key, c->key, sizeof(in->public_key));
    STR_COPY(in->name,
             proof->name[0] != '\0' ? proof->name : c->facts.hostname);
    in->claim = claim_of(c, false);
    in->facts = c->facts;
    port_entropy(SPAN_ARRAY(in->random));
    put_question(c, &q);
}

void claim_judge(struct conn *c, const msg_proof *proof)
{
    c->hold = (struct holding){.epoch = proof->epoch,
                               .rotates = proof->next_key.size > 0};
    memcpy(c->key, proof->machine_key.bytes, sizeof(c->key));
    memcpy(c->hold.instance, proof->instance.bytes, proof->instance.size);
    if (c->hold.rotates)
        memcpy(c->hold.next_key, proof->next_key.bytes, STORE_KEY);
    if (proof->join_key[0] == '\0')
        log_in(c, false);
    else
        enrol(c, proof);
}

/* ---- the holder has written its lease ---------------------------------------------------- */

static void confirmed(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct conn *c = ctx;
    if (c->serial == tag && a->err != OK)
        c->hold.unconfirmed = true; /* the next Heartbeat says it again */
}

void claim_beat(struct conn *c)
{
    struct store_ask q = {.op = STORE_MACHINE_CONFIRM,
                          .tag = c->serial,
                          .ctx = c,
                          .answer = confirmed};
    struct store_machine_confirm *in = &q.u.machine_confirm;
    if (c->machine == NULL || !c->hold.unconfirmed)
        return;
    STR_COPY(in->fleet_id, c->machine->fleet_id);
    STR_COPY(in->machine_id, c->machine->id);
    memcpy(in->instance, c->hold.instance, sizeof(in->instance));
    in->epoch = c->hold.epoch;
    c->hold.unconfirmed = ask(c->relay, &q) != OK;
}

void claim_init(struct relay *r)
{
    r->claims.timer = loop_timer_add(&r->loop, on_silence, r);
}
