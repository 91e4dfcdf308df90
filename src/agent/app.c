/*
 * The agent's wiring; see app.h.
 *
 *   retry timer -> dial -> handshake -> online --lost--> retry timer
 *                   |          |
 *                   +--failed--+---> retry timer (full jitter, for ever)
 */
#include "agent/app.h"

#include <string.h>

#include "agent/local.h"
#include "agent/offer.h"
#include "base/err.h"
#include "base/log.h"
#include "core/facts.h"

#define ROWS_MAX           512
#define TIMERS_MAX         256
#define DIAL_MS            15000
#define RETRY_AFTER_MAX_MS (10 * BACKOFF_MAX_MS) /* whatever a relay asks */
/* More than this between our clock and the relay's is worth a word. */
#define CLOCK_TOLERANCE_MS 120000

static void dial_again(void *ctx, uint64_t now_ms);

/* ---- what we remember about the link ---------------------------------------- */

static void set_trouble(struct app *app, const char *event, const char *why)
{
    STR_COPY(app->trouble, why);
    log_warn(event, app->trouble);
}

static void schedule(struct app *app)
{
    uint32_t random, wait, asked = app->retry_after_ms;
    port_entropy((struct span){(uint8_t *)&random, sizeof(random)});
    wait = backoff_next(&app->backoff, random);
    if (asked > RETRY_AFTER_MAX_MS)
        asked = RETRY_AFTER_MAX_MS;
    if (wait < asked)
        wait = asked;
    app->retry_after_ms = 0;
    loop_arm(&app->loop, app->retry, loop_now(&app->loop) + wait);
}

static void note_clock(struct app *app)
{
    char line[160];
    struct text t;
    app->clock_ahead_ms = port_wall_ms() - app->relay.link.peer_time_ms;
    int64_t off = app->clock_ahead_ms;
    if (off > -CLOCK_TOLERANCE_MS && off < CLOCK_TOLERANCE_MS)
        return;
    TEXT_OF(&t, line);
    text_str(&t, "this machine's clock is ");
    text_u64(&t, (uint64_t)(off < 0 ? -off : off) / 1000);
    text_join(&t, " seconds ", off < 0 ? "behind" : "ahead of",
              " the relay's; set it (nothing here depends on it, logs and "
              "schedules do)",
              NULL);
    log_warn("clock.skew", line);
}

/* ---- the link to the relay ------------------------------------------------------ */

static void beat(void *ctx, uint64_t now_ms)
{
    struct app *app = ctx;
    msg_heartbeat b;
    if (!app->connected)
        return;
    facts_heartbeat(&b, sessions_live(&app->sessions));
    (void)link_send(&app->relay.link, MSG_HEARTBEAT,
                    cmdop_agent_v1_Heartbeat_fields, &b);
    loop_arm(&app->loop, app->beat, now_ms + HEARTBEAT_MS);
}

static void on_welcomed(void *ctx, const msg_welcome *w)
{
    struct app *app = ctx;
    app->connected = true;
    app->connected_ms = port_wall_ms();
    app->trouble[0] = '\0';
    backoff_reset(&app->backoff);
    if (w->name[0] != '\0')
        STR_COPY(app->file.name, w->name);
    log_info("relay.online", app->file.host);
    note_clock(app);
    beat(app, loop_now(&app->loop));
}

static void on_refused(void *ctx, const msg_refuse *r)
{
    struct app *app = ctx;
    app->retry_after_ms =
        r->retry_after_ms > 0 ? r->retry_after_ms : BACKOFF_MAX_MS;
}

static void on_drain(void *ctx, const msg_drain *d)
{
    struct app *app = ctx;
    app->retry_after_ms = d->reconnect_after_ms;
    log_info("relay.drain", "the relay is about to stop");
}

static void on_relay_open(void *ctx, const msg_open *open, struct view params)
{
    struct app *app = ctx;
    offer_channel(app, &app->relay.link.mux, open, params);
}

static void on_relay_wake(void *ctx)
{
    struct app *app = ctx;
    peer_wake(&app->relay);
}

static const struct link_ops relay_ops = {
    .welcomed = on_welcomed,
    .refused = on_refused,
    .drain = on_drain,
    .open = on_relay_open,
    .wake = on_relay_wake,
};

static void on_relay_over(void *ctx, const char *why)
{
    struct app *app = ctx;
    app->connected = false;
    loop_disarm(&app->loop, app->beat);
    if (app->leaving)
        return;
    set_trouble(app, "relay.lost",
                why[0] != '\0' ? why : "the relay closed the connection");
    schedule(app);
}

static void on_dialed(void *ctx, int handle, const char *why)
{
    struct app *app = ctx;
    uint8_t entropy[32];
    if (handle < 0) {
        set_trouble(app, "relay.dial", why);
        schedule(app);
        return;
    }
    port_entropy(SPAN_ARRAY(entropy));
    struct tls_client_cfg tls = {.server_name = app->file.host,
                                 .entropy = VIEW_ARRAY(entropy)};
    int err = peer_dialed(&app->relay, handle, &tls, app->file.host,
                          &app->credential, &relay_ops, on_relay_over, app);
    if (err == OK)
        return;
    set_trouble(app, "relay.dial", err_str(err));
    schedule(app);
}

static void dial_again(void *ctx, uint64_t now_ms)
{
    struct app *app = ctx;
    (void)now_ms;
    (void)dial_start(&app->dial, app->file.host, app->file.port, DIAL_MS,
                     on_dialed, app);
}

/* ---- signals --------------------------------------------------------------------------- */

static void reap_children(struct app *app)
{
    int status, signal, pid;
    while ((pid = port_child_reap(&status, &signal)) > 0)
        if (!session_child(&app->sessions, pid, status, signal))
            (void)exec_child(&app->jobs, pid, status, signal);
}

static void leave(struct app *app)
{
    app->leaving = true;
    log_info("agent.stop", NULL);
    sessions_hangup(&app->sessions);
    dial_cancel(&app->dial);
    peer_end(&app->relay);
}

static void on_signal(void *ctx, uint8_t ready)
{
    struct app *app = ctx;
    enum port_signal sig;
    (void)ready;
    while ((sig = port_signal_take()) != PORT_SIG_NONE) {
        switch (sig) {
        case PORT_SIG_TERM: leave(app); break;
        case PORT_SIG_CHILD: reap_children(app); break;
        case PORT_SIG_RELOAD:
        case PORT_SIG_RESIZE:
        case PORT_SIG_CONT:
        case PORT_SIG_NONE: break;
        }
    }
}

/* ---- start ----------------------------------------------------------------------------- */

size_t app_bytes(void)
{
    return (size_t)SESSIONS_MAX * (SESSION_RING + 512 * 1024) +
           (size_t)JOBS_MAX * (3 * WINDOW_BULK + 8192) +
           (LOCAL_MAX + 1) * PEER_CARVE_BYTES + RPC_MAX * (RPC_RING + 4096) +
           1024 * 1024;
}

static void carve(struct app *app)
{
    struct arena *a = &app->arena;
    struct link_mem mem;
    loop_init(&app->loop, a, ROWS_MAX, TIMERS_MAX);
    app->scratch = (struct span){arena_carve(a, PEER_SCRATCH_BYTES, 4096),
                                 PEER_SCRATCH_BYTES};
    mem = peer_carve(a, true);
    peer_init(&app->relay, &app->loop, &mem, app->scratch);
    app->locals_mem = arena_carve(a, LOCAL_MAX * PEER_CARVE_BYTES, 4096);
    app->retry = loop_timer_add(&app->loop, dial_again, app);
    app->beat = loop_timer_add(&app->loop, beat, app);
    (void)dial_init(&app->dial, &app->loop);
    rpcs_init(&app->rpcs, a, RPC_MAX);
    sessions_init(&app->sessions, a, &app->loop, app->file.name);
    jobs_init(&app->jobs, a, &app->loop, app->file.machine_id, app->file.name);
    arena_seal(a);
}

int app_init(struct app *app, struct span memory, const char *version,
             struct text *why)
{
    arena_init(&app->arena, memory);
    app->version = version;
    app->started_ms = port_wall_ms();
    if (h2_prepare() != OK) {
        text_str(why, "not enough memory to start");
        return ERR_LIMIT;
    }
    carve(app);
    facts_hello(&app->hello, cmdop_agent_v1_Role_ROLE_MACHINE, version);
    facts_machine(&app->hello);
    app->credential = (struct link_credential){.hello = &app->hello,
                                               .pin = app->file.pin,
                                               .machine = &app->identity.key,
                                               .entropy = port_entropy};
    app->host = (struct link_host){.key = &app->identity.key,
                                   .wall_ms = port_wall_ms,
                                   .entropy = port_entropy};
    backoff_init(&app->backoff, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
    int row =
        loop_add(&app->loop, port_signal_open(), PORT_READ, on_signal, app);
    return row < 0 ? row : local_listen(app, why);
}

void app_run(struct app *app)
{
    log_info("agent.start", app->file.name);
    dial_again(app, 0);
    while (!app->leaving || peer_busy(&app->relay)) {
        if (loop_turn(&app->loop) != OK)
            port_fatal(port_why());
        app->wakeups++;
    }
}
