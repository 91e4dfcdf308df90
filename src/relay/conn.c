/* Connections at the relay; see conn.h. */
#include "relay/conn.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "relay/admit.h"
#include "relay/ask.h"
#include "relay/nets.h"
#include "relay/offer.h"

#define CHANNELS_MAX   256   /* per connection */
#define GUEST_TAKES_MS 30000 /* a guest takes his answers within this */

#define BUDGET_WORDS    "too many strangers from one address"
#define BUDGET_AGAIN_MS 5000

/* Strangers of one place take a share of the connections at most. */
static bool within_budget(const struct relay *r, const struct port_addr *from)
{
    uint32_t share = r->conns_max / 8 + 16;
    return r->conns_count < share ||
           strangers_count(&r->strangers, from) < share;
}

/* ---- behind a proxy ------------------------------------------------------------- */

/* Only in front of a connection whose TLS ended elsewhere there is somebody
 * who could say such things of others. */
static bool is_proxied(const struct conn *c)
{
    return c->peer.link.host == &c->relay->proxy_host;
}

static void on_field(void *ctx, struct view name, struct view value)
{
    struct conn *c = ctx;
    if (!is_proxied(c))
        return;
    if (view_is(name, ":method")) /* another request may have been refused */
        forwarded_begin(&c->forwarded, &c->relay->trusted, &c->from);
    else if (view_is(name, FORWARDED_HEADER))
        forwarded_line(&c->forwarded, value);
}

/* The caller has a budget like one who comes directly. The proxy has none:
 * callers of whom it says nothing would all share it. */
static void on_called(void *ctx)
{
    struct conn *c = ctx;
    struct relay *r = c->relay;
    if (!is_proxied(c) || !c->forwarded.found)
        return;
    c->from = c->forwarded.caller;
    if (within_budget(r, &c->from)) {
        c->stranger = strangers_enter(&r->strangers, &c->from);
        return;
    }
    log_warn("accept.budget", BUDGET_WORDS);
    link_refuse(&c->peer.link, cmdop_agent_v1_Code_CODE_LIMIT, BUDGET_WORDS,
                "try again in a moment", BUDGET_AGAIN_MS);
}

/* ---- what a link tells ----------------------------------------------------------- */

static void on_hello(void *ctx, const msg_hello *hello)
{
    struct conn *c = ctx;
    const cmdop_agent_v1_Facts *f = &hello->facts;
    c->challenged_ms = loop_now(&c->relay->loop);
    if (!hello->has_facts)
        return;
    STR_COPY(c->facts.hostname, f->hostname);
    STR_COPY(c->facts.os, f->os);
    STR_COPY(c->facts.os_version, f->os_version);
    STR_COPY(c->facts.architecture, f->architecture);
    STR_COPY(c->facts.agent_version, f->agent_version);
}

static void on_heartbeat(void *ctx, const msg_heartbeat *beat)
{
    struct conn *c = ctx;
    (void)beat; /* metrics are shown by a later face */
    int64_t now = port_wall_ms();
    if (c->machine == NULL)
        return;
    claim_beat(c);
    int64_t since = now - c->machine->seen_ms;
    if (since >= 0 && since < HEARTBEAT_MS / 2)
        return; /* more often than agreed: not worth the store's time */
    c->machine->seen_ms = now;
    ask_seen(c->relay, c->machine);
}

static void on_pong(void *ctx, const msg_ping *pong)
{
    claim_pong(ctx, pong);
}

static void on_gone(void *ctx, uint32_t number, const msg_close *end)
{
    struct conn *c = ctx;
    routes_gone(&c->relay->routes, &c->peer.link.mux, number, end);
}

static void on_wake(void *ctx)
{
    struct conn *c = ctx;
    peer_wake(&c->peer);
}

static void on_judge(void *ctx, const msg_proof *proof)
{
    admit_judge(ctx, proof);
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    offer_open(ctx, open, params);
}

static const struct link_ops ops = {
    .field = on_field,
    .called = on_called,
    .hello = on_hello,
    .judge = on_judge,
    .pong = on_pong,
    .heartbeat = on_heartbeat,
    .open = on_open,
    .gone = on_gone,
    .wake = on_wake,
};

/* ---- who was let in, and for how long ------------------------------------------ */

static bool is_guest(const struct conn *c)
{
    return c->admitted && c->kind == MAY_GUEST;
}

static void let_go_of_routes(struct conn *c)
{
    mux_lost(&c->peer.link.mux);
    routes_operator_lost(&c->relay->routes, &c->peer.link.mux, &c->routes);
}

static void machine_left(struct conn *c)
{
    struct machine *m = c->machine;
    if (m == NULL)
        return;
    c->machine = NULL;
    m->conn = NULL;
    m->seen_ms = port_wall_ms();
    ask_seen(c->relay, m);
    log_info("machine.offline", m->name);
}

void conn_cut(struct conn *c, msg_code code, const char *message,
              const char *remedy, uint32_t retry_after_ms)
{
    if (c->peer.link.state != LINK_OPEN)
        return;
    claim_lost(c);
    machine_left(c);
    link_refuse(&c->peer.link, code, message, remedy, retry_after_ms);
    /* Its channels end now, however long its last words take. */
    let_go_of_routes(c);
    peer_end(&c->peer);
}

void conn_renew(struct conn *c, const char *reason)
{
    msg_drain d = cmdop_agent_v1_Drain_init_zero;
    if (c->peer.link.state != LINK_OPEN)
        return;
    STR_COPY(d.reason, reason);
    (void)link_send(&c->peer.link, MSG_DRAIN, cmdop_agent_v1_Drain_fields, &d);
    let_go_of_routes(c);
    peer_end(&c->peer);
}

/* An answer waits for him, since then. */
static bool keeps_waiting(const struct conn *c)
{
    return c->peer.link.mux.count > 0 &&
           c->asked_ms + GUEST_TAKES_MS < c->leaves_ms;
}

static uint64_t guest_until(const struct conn *c)
{
    return keeps_waiting(c) ? c->asked_ms + GUEST_TAKES_MS : c->leaves_ms;
}

static void arm(struct conn *c)
{
    struct loop *l = &c->relay->loop;
    int64_t left = c->ends_ms - port_wall_ms();
    if (c->kind == MAY_GUEST)
        loop_arm(l, c->until, guest_until(c));
    else if (c->ends_ms != 0)
        loop_arm(l, c->until, loop_now(l) + (uint64_t)(left > 0 ? left : 0));
}

static void end_guest(struct conn *c)
{
    if (keeps_waiting(c))
        conn_cut(c, cmdop_agent_v1_Code_CODE_TIMEOUT,
                 "the answer was not taken", "", 0);
    else
        conn_cut(c, cmdop_agent_v1_Code_CODE_AUTH,
                 "nobody signed in on this connection", "sign in again", 0);
}

static void on_until(void *ctx, uint64_t now_ms)
{
    struct conn *c = ctx;
    bool guest = c->kind == MAY_GUEST;
    if (guest && now_ms >= guest_until(c))
        end_guest(c);
    else if (!guest && c->ends_ms != 0 && c->ends_ms <= port_wall_ms())
        conn_cut(c, cmdop_agent_v1_Code_CODE_AUTH, "the sign-in has expired",
                 "sign in again", 0);
    else
        arm(c); /* the clock was put back, the end moved, the answer taken */
}

/* What the policies of a fleet have against a sign-in. NULL: nothing. */
static const char *forbidden(const struct conn *c, const struct store_who *who)
{
    if (who->kind == STORE_WEB)
        return "a browser's session is no sign-in for other programs";
    if (!nets_admit(view_str(who->policy.ip_allow), &c->from))
        return "the fleet may not be used from this address";
    /* Who has the relay's host needs no second factor for it, and a program
     * has none. */
    if (who->kind == STORE_ACCESS && who->policy.mfa_required && !who->has_totp)
        return "the fleet wants a second factor, which the account has not";
    return NULL;
}

bool conn_sign_in(struct conn *c, const struct store_who *who, struct text *why)
{
    const char *no = forbidden(c, who);
    if (no != NULL) {
        text_str(why, no);
        return false;
    }
    STR_COPY(c->user, who->user_name);
    STR_COPY(c->person_id, who->user_id);
    STR_COPY(c->fleet_id, who->fleet_id);
    STR_COPY(c->token_id, who->token_id);
    STR_COPY(c->family, who->family);
    c->role = who->role;
    c->signed_by = who->kind;
    c->scopes = 0; /* of words that we do not know: none */
    if (who->kind == STORE_APIKEY)
        (void)may_scopes(view_str(who->scope), &c->scopes);
    c->ends_ms = who->expires_ms;
    int64_t limit = who->created_ms + who->policy.session_ms;
    if (who->kind == STORE_ACCESS && who->policy.session_ms != 0 &&
        (c->ends_ms == 0 || limit < c->ends_ms))
        c->ends_ms = limit;
    if (c->admitted)
        arm(c);
    return true;
}

void conn_admit(struct conn *c, enum may_kind kind)
{
    struct relay *r = c->relay;
    c->kind = kind;
    c->admitted = true;
    if (kind == MAY_GUEST) {
        r->guests++;
        c->leaves_ms = loop_now(&r->loop) + GUEST_MS;
    } else {
        strangers_leave(&r->strangers, c->stranger);
        c->stranger = 0;
    }
    arm(c);
}

void conn_asked(struct conn *c)
{
    if (c->kind != MAY_GUEST || c->peer.link.mux.count > 1)
        return; /* one before it waits: that one counts */
    c->asked_ms = loop_now(&c->relay->loop);
    arm(c);
}

/* ---- beginning and end ---------------------------------------------------------- */

static void give_back(struct conn *c)
{
    struct relay *r = c->relay;
    c->serial++;
    c->next_free = r->free;
    r->free = c;
}

static void on_over(void *ctx, const char *why)
{
    struct conn *c = ctx;
    struct relay *r = c->relay;
    routes_operator_lost(&r->routes, &c->peer.link.mux, &c->routes);
    claim_lost(c);
    machine_left(c);
    if (why[0] != '\0')
        log_info("conn.closed", why);
    loop_disarm(&r->loop, c->until);
    r->guests -= is_guest(c);
    strangers_leave(&r->strangers, c->stranger);
    c->stranger = 0;
    c->kind = MAY_GUEST;
    c->admitted = false;
    give_back(c);
    r->conns_count--;
    if (r->leaving)
        return;
    listener_resume(&r->listener);
    if (r->proxy_port != 0)
        listener_resume(&r->proxy_listener);
}

bool conn_room(const struct relay *r)
{
    return r->free != NULL || r->conns_used < r->conns_max;
}

/* A connection that was used before, or the next fresh one: what was never
 * needed is never touched. */
static struct conn *take(struct relay *r)
{
    struct conn *c = r->free;
    if (c != NULL) {
        r->free = c->next_free;
        return c;
    }
    struct arena a;
    c = &r->conns[r->conns_used];
    arena_init(&a, (struct span){r->conns_mem +
                                     (size_t)r->conns_used * PEER_CARVE_BYTES,
                                 PEER_CARVE_BYTES});
    r->conns_used++;
    struct link_mem mem = peer_carve(&a, true);
    peer_init(&c->peer, &r->loop, &mem, r->scratch);
    c->relay = r;
    c->until = loop_timer_add(&r->loop, on_until, c);
    return c;
}

static void reset_caller(struct conn *c)
{
    c->kind = MAY_GUEST;
    c->user[0] = c->person_id[0] = c->fleet_id[0] = '\0';
    c->role = STORE_VIEWER;
    c->scopes = 0;
    c->ends_ms = 0;
    c->asked_ms = c->leaves_ms = 0;
    memset(c->token, 0, sizeof(c->token));
}

static void forget(struct conn *c, const struct port_addr *from)
{
    c->from = *from;
    forwarded_begin(&c->forwarded, &c->relay->trusted, from);
    c->machine = NULL;
    reset_caller(c);
    c->admitted = false;
    c->stranger = 0;
    c->routes = 0;
    memset(&c->facts, 0, sizeof(c->facts));
    memset(&c->hold, 0, sizeof(c->hold));
}

/* `tls` NULL: somebody in front of us has ended it. */
static bool start(struct conn *c, int handle, const struct tls_server_cfg *tls,
                  const struct link_host *host, const struct port_addr *from)
{
    struct relay *r = c->relay;
    if (peer_accepted(&c->peer, handle, tls, host, CHANNELS_MAX, OFFLINE_MS,
                      &ops, on_over, c) != OK) {
        give_back(c);
        return false;
    }
    r->conns_count++;
    forget(c, from);
    return true;
}

void conn_start(struct relay *r, int handle, const struct port_addr *from)
{
    if (!within_budget(r, from)) {
        log_warn("accept.budget", BUDGET_WORDS);
        port_close(handle);
        return;
    }
    struct conn *c = take(r);
    uint8_t entropy[32];
    port_entropy(SPAN_ARRAY(entropy));
    struct badge *badge = badges_now(&r->badges);
    struct tls_server_cfg tls = {.id = &badge->id,
                                 .cache = &badge->cache,
                                 .entropy = VIEW_ARRAY(entropy)};
    if (start(c, handle, &tls, &r->host, from))
        c->stranger = strangers_enter(&r->strangers, from);
}

void conn_start_proxied(struct relay *r, int handle,
                        const struct port_addr *from)
{
    struct conn *c = take(r);
    (void)start(c, handle, NULL, &r->proxy_host, from);
}

void conns_drain(struct relay *r, uint32_t reconnect_ms)
{
    msg_drain d = cmdop_agent_v1_Drain_init_zero;
    STR_COPY(d.reason, "the relay stops");
    for (uint32_t i = 0; i < r->conns_used; i++) {
        struct conn *c = &r->conns[i];
        if (!peer_busy(&c->peer))
            continue;
        uint32_t random;
        port_entropy((struct span){(uint8_t *)&random, sizeof(random)});
        d.reconnect_after_ms = random % reconnect_ms;
        if (c->peer.link.state == LINK_OPEN)
            (void)link_send(&c->peer.link, MSG_DRAIN,
                            cmdop_agent_v1_Drain_fields, &d);
        peer_end(&c->peer);
    }
}
