/* Who comes in; see admit.h. */
#include "relay/admit.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "relay/ask.h"
#include "relay/conn.h"

#define BUSY_AGAIN_MS  1000
#define FAULT_AGAIN_MS 5000

static void refuse_auth(struct conn *c, const char *message, const char *remedy)
{
    link_refuse(&c->peer.link, cmdop_agent_v1_Code_CODE_AUTH, message, remedy,
                0);
}

static void refuse_store(struct conn *c, int err)
{
    if (err == ERR_FULL) {
        link_refuse(&c->peer.link, cmdop_agent_v1_Code_CODE_LIMIT,
                    "the relay is busy", "try again in a moment",
                    BUSY_AGAIN_MS);
        return;
    }
    if (err == ERR_RANGE) {
        link_refuse(&c->peer.link, cmdop_agent_v1_Code_CODE_PROTOCOL,
                    "the machine's name cannot be kept",
                    "give it 1 to 63 printable bytes with --name", 0);
        return;
    }
    log_error("store.failed", store_why(&c->relay->store));
    link_refuse(&c->peer.link, cmdop_agent_v1_Code_CODE_INTERNAL,
                err == ERR_NO_SPACE ? "the relay's disk is full"
                                    : "the relay's store has a fault",
                "its owner finds the reason in the relay's log",
                FAULT_AGAIN_MS);
}

/* A key that connects a second time: two holders, or one that lost its
 * link without our noticing. The newer is taken: it proved itself now. */
static void displace(struct machine *m, struct conn *by)
{
    struct conn *old = m->conn;
    if (old == NULL || old == by)
        return;
    log_warn("machine.twice", m->name);
    old->machine = NULL;
    link_refuse(&old->peer.link, cmdop_agent_v1_Code_CODE_CONFLICT,
                "this identity connected again from elsewhere",
                "if the state folder was copied to another machine, remove "
                "it there and join with a new join string",
                BACKOFF_MAX_MS);
    /* Its channels end now, however long its last words take: operators
     * reopen them on the new link. */
    mux_lost(&old->peer.link.mux);
    peer_end(&old->peer);
}

static void update_row(struct machine *m, const struct conn *c,
                       const struct store_machine *s)
{
    STR_COPY(m->fleet_id, s->fleet_id);
    STR_COPY(m->name, s->name);
    STR_COPY(m->hostname, c->facts.hostname);
    STR_COPY(m->os, c->facts.os);
    STR_COPY(m->os_version, c->facts.os_version);
    STR_COPY(m->architecture, c->facts.architecture);
    STR_COPY(m->agent_version, c->facts.agent_version);
    memcpy(m->public_key, c->key, sizeof(m->public_key));
    if (m->created_ms == 0)
        m->created_ms = s->created_ms;
    m->seen_ms = port_wall_ms();
}

static void let_machine_in(struct conn *c, const struct store_machine *s)
{
    msg_welcome w = cmdop_agent_v1_Welcome_init_zero;
    struct machine *m = follow_machine(c->relay, s->fleet_id, s);
    if (m == NULL) {
        link_refuse(&c->peer.link, cmdop_agent_v1_Code_CODE_LIMIT,
                    "the relay knows as many machines as it can", "",
                    BACKOFF_MAX_MS);
        return;
    }
    displace(m, c);
    update_row(m, c, s);
    m->conn = c;
    c->machine = m;
    STR_COPY(c->fleet_id, m->fleet_id);
    STR_COPY(w.machine_id, m->id);
    STR_COPY(w.fleet_id, m->fleet_id);
    STR_COPY(w.name, m->name);
    conn_admit(c, MAY_MACHINE);
    link_welcome(&c->peer.link, &w);
    routes_online(&c->relay->routes, m, &c->peer.link.mux,
                  loop_now(&c->relay->loop));
    ask_seen(c->relay, m);
    log_info("machine.online", m->name);
}

static void machine_answer(void *ctx, uint32_t tag,
                           const struct store_answer *a)
{
    struct conn *c = ctx;
    if (c->serial != tag || c->peer.link.state != LINK_JUDGE)
        return;
    if (a->err != OK) {
        refuse_store(c, a->err);
        return;
    }
    switch (a->outcome) {
    case STORE_DONE: let_machine_in(c, &a->u.machine); break;
    case STORE_UNKNOWN:
        refuse_auth(c,
                    a->op == STORE_ENROL ? "the join key is unknown"
                                         : "this relay does not know the "
                                           "machine",
                    "ask the relay's owner for a join string (`cmdop server "
                    "join-key`) and run `cmdop join`");
        break;
    case STORE_REVOKED:
        refuse_auth(c, "the join key was revoked",
                    "ask the relay's owner for a new join string");
        break;
    case STORE_EXPIRED:
        refuse_auth(c, "the join key has expired",
                    "ask the relay's owner for a new join string");
        break;
    case STORE_USED_UP:
        refuse_auth(c, "the join key was used before and is spent",
                    "ask the relay's owner for a new join string");
        break;
    case STORE_CONFLICT:
        refuse_auth(c, "the machine's identity belongs to another fleet",
                    "remove its identity file to join as a new machine");
        break;
    case STORE_DISABLED:
        refuse_auth(c, "the machine was shut out",
                    "an owner of the fleet can let it in again");
        break;
    case STORE_LIMIT:
        refuse_auth(c, "the fleet has as many machines as it may", "");
        break;
    case STORE_PENDING:
        refuse_auth(c, "the machine waits for an owner's approval",
                    "an owner of the fleet can approve it");
        break;
    case STORE_QUARANTINED:
    case STORE_HELD:
    case STORE_STRUCK:
        refuse_auth(c, "the machine's key may not be used now",
                    "an owner of the fleet can settle it");
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

static void judge_machine(struct conn *c, const msg_proof *proof)
{
    struct store_ask q = {.tag = c->serial, .ctx = c, .answer = machine_answer};
    memcpy(c->key, proof->machine_key.bytes, sizeof(c->key));
    if (proof->join_key[0] == '\0') {
        q.op = STORE_MACHINE_LOGIN;
        memcpy(q.u.machine_login.public_key, c->key, sizeof(c->key));
    } else {
        q.op = STORE_ENROL;
        hash_once(view_str(proof->join_key), q.u.enrol.join_hash);
        memcpy(q.u.enrol.public_key, c->key, sizeof(c->key));
        STR_COPY(q.u.enrol.name,
                 proof->name[0] != '\0' ? proof->name : c->facts.hostname);
        q.u.enrol.facts = c->facts;
        port_entropy(SPAN_ARRAY(q.u.enrol.random));
    }
    int err = ask(c->relay, &q);
    if (err != OK)
        refuse_store(c, err);
}

static void operator_answer(void *ctx, uint32_t tag,
                            const struct store_answer *a)
{
    struct conn *c = ctx;
    msg_welcome w = cmdop_agent_v1_Welcome_init_zero;
    char buf[160];
    struct text why;
    TEXT_OF(&why, buf);
    if (c->serial != tag || c->peer.link.state != LINK_JUDGE)
        return;
    if (a->err != OK) {
        refuse_store(c, a->err);
    } else if (a->outcome != STORE_DONE) {
        refuse_auth(c,
                    a->outcome == STORE_DISABLED  ? "the account was shut out"
                    : a->outcome == STORE_EXPIRED ? "the sign-in has expired"
                    : a->outcome == STORE_REVOKED ? "the sign-in was revoked"
                                                  : "the relay does not know "
                                                    "this sign-in",
                    "sign in again");
    } else if (!conn_sign_in(c, &a->u.who, &why)) {
        link_refuse(&c->peer.link, cmdop_agent_v1_Code_CODE_DENIED, buf,
                    "an owner of the fleet can change its policy", 0);
    } else {
        STR_COPY(w.user, c->user);
        STR_COPY(w.fleet_id, c->fleet_id);
        conn_admit(c, a->u.who.kind == STORE_APIKEY ? MAY_APIKEY : MAY_PERSON);
        link_welcome(&c->peer.link, &w);
    }
    peer_wake(&c->peer);
}

/* Nobody yet: he may sign in, and nothing else (relay/may.h). */
static void let_guest_in(struct conn *c)
{
    msg_welcome w = cmdop_agent_v1_Welcome_init_zero;
    if (c->relay->guests >= c->relay->conns_max / 4 + 1) {
        link_refuse(&c->peer.link, cmdop_agent_v1_Code_CODE_LIMIT,
                    "too many are signing in", "try again in a moment",
                    BUSY_AGAIN_MS);
        return;
    }
    conn_admit(c, MAY_GUEST);
    link_welcome(&c->peer.link, &w);
    peer_wake(&c->peer);
}

static void judge_operator(struct conn *c, const msg_proof *proof)
{
    struct store_ask q = {.op = STORE_TOKEN_CHECK,
                          .tag = c->serial,
                          .ctx = c,
                          .answer = operator_answer};
    if (proof->token[0] == '\0') {
        let_guest_in(c);
        return;
    }
    hash_once(view_str(proof->token), c->token);
    memcpy(q.u.token_check.hash, c->token, sizeof(c->token));
    int err = ask(c->relay, &q);
    if (err != OK)
        refuse_store(c, err);
}

void admit_judge(struct conn *c, const msg_proof *proof)
{
    if (c->peer.link.role == cmdop_agent_v1_Role_ROLE_MACHINE)
        judge_machine(c, proof);
    else
        judge_operator(c, proof);
}
