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

void admit_fault(struct conn *c, int err)
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
                    "give it 1 to 63 printable bytes, not all of them blanks, "
                    "with --name",
                    0);
        return;
    }
    log_error("store.failed", store_why(&c->relay->store));
    link_refuse(&c->peer.link, cmdop_agent_v1_Code_CODE_INTERNAL,
                err == ERR_NO_SPACE ? "the relay's disk is full"
                                    : "the relay's store has a fault",
                "its owner finds the reason in the relay's log",
                FAULT_AGAIN_MS);
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
        admit_fault(c, a->err);
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
        admit_fault(c, err);
}

void admit_judge(struct conn *c, const msg_proof *proof)
{
    if (c->peer.link.role == cmdop_agent_v1_Role_ROLE_MACHINE)
        claim_judge(c, proof);
    else
        judge_operator(c, proof);
}
