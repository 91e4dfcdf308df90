/* The link to the relay; see uplink.h. */
#include "core/uplink.h"

#include <assert.h>

#include "base/err.h"
#include "base/log.h"
#include "core/trust.h"

#define DIAL_MS     15000 /* an attempt that nothing hurries */
#define QUIET_MS    1000  /* then a link that matters is asked */
#define PATIENCE_MS 500   /* for the answer, beside two round trips */
#define RTT_MAX_MS  1000  /* of which we take account */
#define SILENT_MS   25000 /* TCP asked the far system once, and again */
#define RACE_MS     200   /* between two attempts in haste, */
#define JITTER_MS   32    /* and up to this more */
#define NAMED_MS    2000  /* between two look-ups in haste */
#define HASTE_MS    60000
#define ATTEND_MS   30000
#define PROOF_MS    2000 /* from a connection to its Welcome, in haste */

static void on_over(void *ctx, const char *why);
static void on_dialed(void *ctx, int handle, const char *why);
static void on_try(void *ctx, uint64_t now_ms);

static uint64_t now(const struct uplink *u)
{
    return loop_now(u->loop);
}

static bool is_attended(const struct uplink *u)
{
    return now(u) < u->attend_ms;
}

static bool hastes(const struct uplink *u)
{
    return now(u) < u->haste_ms;
}

/* ---- watching the live link ------------------------------------------------------ */

static void watch_at(struct uplink *u, uint64_t at_ms)
{
    u->watching = true;
    loop_arm(u->loop, u->watch, at_ms);
}

static void watch_no_more(struct uplink *u)
{
    u->watching = u->asked = u->racing = false;
    loop_disarm(u->loop, u->watch);
}

static uint64_t patience(const struct uplink *u)
{
    return PATIENCE_MS + 2 * u->rtt_ms;
}

/* How long the far system has confirmed nothing. */
static uint64_t silent_ms(const struct uplink *u)
{
    int ms = port_silent_ms(u->live->peer.handle);
    return ms < 0 ? UINT64_MAX : (uint64_t)ms;
}

static void ask(struct uplink *u)
{
    msg_ping ping = {.token = now(u)};
    u->asked = true;
    u->asked_ms = now(u);
    (void)link_send(&u->live->peer.link, MSG_PING, cmdop_agent_v1_Ping_fields,
                    &ping);
    watch_at(u, u->asked_ms + patience(u));
}

static void on_pong(void *ctx, const msg_ping *pong)
{
    struct uplink_side *s = ctx;
    struct uplink *u = s->uplink;
    if (s != u->live || !u->asked || pong->token != u->asked_ms)
        return;
    u->rtt_ms = now(u) - u->asked_ms;
    if (u->rtt_ms > RTT_MAX_MS)
        u->rtt_ms = RTT_MAX_MS;
    u->asked = false;
    if (u->racing)
        loop_arm(u->loop, u->try, now(u)); /* see calm */
    else if (!is_attended(u))
        watch_no_more(u);
}

/* Was anything heard since we asked? */
static bool answered(const struct uplink *u)
{
    return !u->asked || u->live->peer.heard_ms > u->asked_ms;
}

/* A minute of haste, once between two links. */
static void hurry(struct uplink *u)
{
    if (u->haste_ms != 0)
        return;
    u->haste_ms = now(u) + HASTE_MS;
    u->named_ms = now(u); /* the address we know comes first */
}

static void tell_doubt(struct uplink *u, bool yes)
{
    if (u->ops->doubt != NULL)
        u->ops->doubt(u->ctx, yes);
}

static void race(struct uplink *u)
{
    log_info("relay.doubt", "no answer: another connection is tried");
    u->racing = true;
    if (is_attended(u))
        hurry(u);
    loop_arm(u->loop, u->try, now(u));
    tell_doubt(u, true);
}

/* It was asked, and nothing was heard. A path on which anything is confirmed
 * is alive, however long our question waits behind a flood. */
static void miss_answer(struct uplink *u)
{
    uint64_t silent = silent_ms(u);
    if (silent < patience(u))
        watch_at(u, now(u) + patience(u) - silent);
    else
        race(u);
}

static void on_watch(void *ctx, uint64_t now_ms)
{
    struct uplink *u = ctx;
    u->watching = false;
    if (u->live == NULL || u->racing)
        return;
    if (!answered(u)) {
        miss_answer(u);
        return;
    }
    u->asked = false;
    if (!is_attended(u))
        return;
    uint64_t quiet_at = u->live->peer.heard_ms + QUIET_MS;
    if (now_ms >= quiet_at)
        ask(u);
    else
        watch_at(u, quiet_at);
}

void uplink_attend(struct uplink *u)
{
    u->attend_ms = now(u) + ATTEND_MS;
    if (u->live == NULL || u->local)
        return;
    if (u->racing && u->haste_ms == 0) { /* until now nobody minded */
        hurry(u);
        loop_arm(u->loop, u->try, now(u));
    } else if (!u->watching && !u->racing) {
        watch_at(u, now(u) + QUIET_MS);
    }
}

void uplink_doubt(struct uplink *u, uint64_t since_ms)
{
    if (u->live == NULL || u->local || u->racing || u->asked ||
        u->live->peer.heard_ms > since_ms)
        return;
    ask(u);
}

void uplink_check(struct uplink *u)
{
    if (u->live != NULL && !u->local && silent_ms(u) >= SILENT_MS)
        uplink_doubt(u, now(u));
}

/* ---- attempts --------------------------------------------------------------------- */

static void stop_dials(struct uplink *u, uint32_t from)
{
    for (uint32_t i = from; i < UPLINK_DIALS; i++)
        dial_cancel(&u->dial[i].dial);
}

/* It may be long until a second link is needed again. */
static void drop(struct uplink_side *s)
{
    if (s == NULL)
        return;
    peer_drop(&s->peer);
    peer_release(&s->peer);
}

static struct uplink_side *spare(struct uplink *u)
{
    return u->live == &u->side[0] ? &u->side[1] : &u->side[0];
}

/* The old link answered our question: whatever was stuck in either direction
 * has arrived before it, and nothing has to be raced. (That something moves is
 * not enough here: the other direction may wait for a retransmission still.)
 * A rival that has proved itself may have taken the place of the old link
 * already, so that one runs on. */
static void calm(struct uplink *u)
{
    stop_dials(u, 0);
    loop_disarm(u->loop, u->try);
    u->racing = u->asked = false;
    u->haste_ms = 0;
    tell_doubt(u, false);
    if (is_attended(u))
        watch_at(u, now(u) + QUIET_MS);
    if (u->next == NULL || u->next->peer.link.state == LINK_WELCOME)
        return;
    drop(u->next);
    u->next = NULL;
}

static void dial_named(struct uplink *u)
{
    struct uplink_dial *d = &u->dial[0];
    if (dial_busy(&d->dial))
        return;
    u->named_ms = now(u);
    if (dial_start(&d->dial, u->host, u->port, DIAL_MS, on_dialed, d) != OK)
        u->ops->down(u->ctx, "the relay's address is not one", true);
}

/* The oldest of them has had its second. */
static void dial_fresh(struct uplink *u)
{
    struct uplink_dial *d = &u->dial[1 + u->turn++ % (UPLINK_DIALS - 1)];
    dial_cancel(&d->dial);
    dial_address(&d->dial, u->host, &u->addr, DIAL_MS, on_dialed, d);
}

static void arm_next(struct uplink *u)
{
    uint32_t random, wait = RACE_MS;
    port_entropy((struct span){(uint8_t *)&random, sizeof(random)});
    if (hastes(u))
        wait += random % JITTER_MS;
    else
        wait = backoff_next(&u->backoff, random);
    loop_arm(u->loop, u->try, now(u) + wait);
}

/* Does an attempt go on, of which something may come? */
static bool is_trying(const struct uplink *u)
{
    bool busy = u->next != NULL;
    for (uint32_t i = 0; i < UPLINK_DIALS; i++)
        busy = busy || dial_busy(&u->dial[i].dial);
    return busy;
}

static void on_try(void *ctx, uint64_t now_ms)
{
    struct uplink *u = ctx;
    if (u->live != NULL && !u->asked && !u->renewing) {
        calm(u);
        return;
    }
    u->tried_ms = now_ms;
    if (u->next == NULL) {
        bool fresh = hastes(u) && u->has_addr;
        if (fresh)
            dial_fresh(u);
        else
            stop_dials(u, 1);
        if (!fresh || now_ms >= u->named_ms + NAMED_MS)
            dial_named(u);
    }
    if (hastes(u))
        arm_next(u);
}

/* Nothing came of an attempt. In haste the next one is due already. */
static void failed(struct uplink *u, const char *why, bool fatal)
{
    if (!fatal && (hastes(u) || is_trying(u)))
        return;
    if (u->live == NULL)
        u->ops->down(u->ctx, why, fatal);
    else
        arm_next(u);
}

void uplink_connect(struct uplink *u)
{
    loop_arm(u->loop, u->try, now(u));
}

void uplink_renew(struct uplink *u)
{
    if (u->live == NULL || u->local)
        return;
    u->renewing = true;
    loop_arm(u->loop, u->try, now(u));
}

void uplink_again(struct uplink *u, uint32_t wait_ms)
{
    uint64_t at = now(u);
    uint32_t random;
    port_entropy((struct span){(uint8_t *)&random, sizeof(random)});
    if (is_attended(u))
        hurry(u);
    if (!hastes(u))
        at += backoff_next(&u->backoff, random);
    else if (u->tried_ms != 0 && at < u->tried_ms + RACE_MS)
        at = u->tried_ms + RACE_MS;
    if (at < now(u) + wait_ms)
        at = now(u) + wait_ms;
    loop_arm(u->loop, u->try, at);
}

/* ---- a link ------------------------------------------------------------------------ */

static void tell_lost(struct uplink *u, struct uplink_side *s)
{
    if (u->ops->lost != NULL)
        u->ops->lost(u->ctx, &s->peer.link.mux);
}

/* It is the one from now on. */
static void on_welcomed(void *ctx, const msg_welcome *w)
{
    struct uplink_side *s = ctx;
    struct uplink *u = s->uplink;
    struct uplink_side *old = u->live;
    struct tls *tls = &s->peer.link.wire.tls;
    assert(s == u->next);
    u->live = u->last = s;
    u->next = NULL;
    u->addr = u->next_addr;
    u->has_addr = !u->local;
    stop_dials(u, 0);
    loop_disarm(u->loop, u->try);
    watch_no_more(u);
    u->renewing = false;
    u->haste_ms = u->tried_ms = 0;
    backoff_reset(&u->backoff);
    if (!u->local && !tls_resumed(tls)) {
        tls_ticket_save(tls, &u->ticket);
        u->has_ticket = true;
    }
    drop(old);
    if (old != NULL)
        tell_lost(u, old);
    if (is_attended(u))
        watch_at(u, now(u) + QUIET_MS);
    u->ops->up(u->ctx, w);
}

/* The relay took our own second link and says so on the first: that one is
 * over, and there is nobody to be refused. */
static bool is_displaced(const struct uplink_side *s, const msg_refuse *r)
{
    const struct uplink *u = s->uplink;
    return s == u->live && r->code == cmdop_agent_v1_Code_CODE_CONFLICT &&
           u->next != NULL && u->next->peer.link.state == LINK_WELCOME;
}

static void on_refused(void *ctx, const msg_refuse *r)
{
    struct uplink_side *s = ctx;
    if (is_displaced(s, r))
        return;
    s->refused = r->retry_after_ms == 0;
    s->uplink->haste_ms = 0; /* it is there, and does not want us now */
    s->uplink->attend_ms = 0;
    s->uplink->ops->refused(s->uplink->ctx, r);
}

static void on_drain(void *ctx, const msg_drain *d)
{
    struct uplink_side *s = ctx;
    if (s->uplink->ops->drain != NULL)
        s->uplink->ops->drain(s->uplink->ctx, d);
}

static void on_open(void *ctx, const msg_open *open, struct view params)
{
    struct uplink_side *s = ctx;
    s->uplink->ops->open(s->uplink->ctx, open, params);
}

static void on_gone(void *ctx, uint32_t number, const msg_close *end)
{
    struct uplink_side *s = ctx;
    if (s->uplink->ops->gone != NULL)
        s->uplink->ops->gone(s->uplink->ctx, number, end);
}

static void on_wake(void *ctx)
{
    struct uplink_side *s = ctx;
    peer_wake(&s->peer);
}

static const struct link_ops link_ops = {
    .welcomed = on_welcomed,
    .refused = on_refused,
    .pong = on_pong,
    .drain = on_drain,
    .open = on_open,
    .gone = on_gone,
    .wake = on_wake,
};

static void on_over(void *ctx, const char *why)
{
    struct uplink_side *s = ctx;
    struct uplink *u = s->uplink;
    bool fatal = s->refused || s->peer.link.wire.err == ERR_PIN;
    s->refused = false;
    if (s == u->next) {
        u->next = NULL;
        failed(u, why, fatal);
        return;
    }
    if (s != u->live)
        return; /* it was ended */
    u->live = NULL;
    u->renewing = false; /* whatever comes now is fresh */
    watch_no_more(u);
    tell_lost(u, s);
    u->ops->down(u->ctx, why[0] != '\0' ? why : "the connection was closed",
                 fatal);
}

static int start(struct uplink *u, int handle)
{
    struct uplink_side *s = spare(u);
    uint8_t entropy[32];
    port_entropy(SPAN_ARRAY(entropy));
    struct tls_client_cfg tls = {.server_name = u->host,
                                 .resume = u->has_ticket ? &u->ticket : NULL,
                                 .entropy = VIEW_ARRAY(entropy)};
    if (u->trust != NULL && u->credential->pin == NULL)
        trust_tls(u->trust, &tls);
    s->refused = false;
    int err = peer_dialed(&s->peer, handle, u->local ? NULL : &tls, u->host,
                          u->credential, &link_ops, on_over, s);
    if (err == OK)
        u->next = s;
    if (err == OK && hastes(u)) /* a path that died again must not hold us */
        peer_limit(&s->peer, PROOF_MS + 8 * u->rtt_ms);
    return err;
}

int uplink_local(struct uplink *u, int handle)
{
    assert(u->local && u->live == NULL && u->next == NULL);
    return start(u, handle);
}

static void on_dialed(void *ctx, int handle, const char *why)
{
    struct uplink_dial *d = ctx;
    struct uplink *u = d->uplink;
    if (handle < 0) {
        failed(u, why, false);
        return;
    }
    if (u->next != NULL) { /* another was faster */
        port_close(handle);
        return;
    }
    u->next_addr = *dial_won(&d->dial);
    int err = start(u, handle);
    if (err != OK)
        failed(u, err_str(err), false);
}

/* ---- doors --------------------------------------------------------------------------- */

int uplink_init(struct uplink *u, struct loop *loop, struct arena *a,
                struct span scratch, const struct uplink_cfg *cfg,
                const struct uplink_ops *ops, void *ctx)
{
    u->loop = loop;
    u->ops = ops;
    u->ctx = ctx;
    u->host = cfg->host;
    u->port = cfg->port;
    u->local = cfg->local;
    u->credential = cfg->credential;
    u->trust = cfg->trust;
    backoff_init(&u->backoff, cfg->min_ms, cfg->max_ms);
    u->last = &u->side[0];
    u->side[1].peer.handle = -1;
    for (int i = 0; i < (cfg->local ? 1 : 2); i++) {
        struct link_mem mem = peer_carve(a, !cfg->local);
        u->side[i].uplink = u;
        peer_init(&u->side[i].peer, loop, &mem, scratch);
    }
    u->try = loop_timer_add(loop, on_try, u);
    u->watch = loop_timer_add(loop, on_watch, u);
    if (u->try < 0 || u->watch < 0)
        return ERR_FULL;
    for (uint32_t i = 0; i < UPLINK_DIALS; i++) {
        int err = dial_init(&u->dial[i].dial, loop);
        u->dial[i].uplink = u;
        if (err != OK)
            return err;
    }
    return OK;
}

bool uplink_is_up(const struct uplink *u)
{
    return u->live != NULL;
}

struct link *uplink_link(struct uplink *u)
{
    return &u->last->peer.link;
}

struct mux *uplink_mux(struct uplink *u)
{
    return &uplink_link(u)->mux;
}

void uplink_drop(struct uplink *u)
{
    struct uplink_side *live = u->live;
    stop_dials(u, 0);
    loop_disarm(u->loop, u->try);
    watch_no_more(u);
    drop(u->next);
    u->next = u->live = NULL;
    drop(live);
    if (live != NULL)
        tell_lost(u, live);
}

void uplink_end(struct uplink *u)
{
    stop_dials(u, 0);
    loop_disarm(u->loop, u->try);
    watch_no_more(u);
    u->renewing = false;
    drop(u->next);
    u->next = NULL;
    if (u->live != NULL)
        peer_end(&u->live->peer);
    u->live = NULL;
}

bool uplink_busy(const struct uplink *u)
{
    return peer_busy(&u->side[0].peer) || peer_busy(&u->side[1].peer);
}
