/* The agent's wiring; see app.h. */
#include "agent/app.h"

#include <assert.h>
#include <string.h>

#include "agent/local.h"
#include "agent/offer.h"
#include "base/err.h"
#include "base/log.h"
#include "core/facts.h"

#define ROWS_MAX           512
#define TIMERS_MAX         256
#define FIND_MS            2000                  /* for keepers that hang */
#define RETRY_AFTER_MAX_MS (10 * BACKOFF_MAX_MS) /* whatever a relay asks */
#define LEASE_AGAIN_MS     1000                  /* to read it */
/* More than this between our clock and the relay's is worth a word. */
#define CLOCK_TOLERANCE_MS 120000

/* ---- what we remember about the link ---------------------------------------- */

static void set_trouble(struct app *app, const char *event, const char *why)
{
    STR_COPY(app->trouble, why);
    log_warn(event, app->trouble);
}

static void note_clock(struct app *app)
{
    char line[160];
    struct text t;
    app->clock_ahead_ms =
        port_wall_ms() - uplink_link(&app->relay)->peer_time_ms;
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

static void send_heartbeat(struct app *app)
{
    msg_heartbeat b;
    facts_heartbeat(&b, sessions_live(&app->sessions));
    (void)link_send(uplink_link(&app->relay), MSG_HEARTBEAT,
                    cmdop_agent_v1_Heartbeat_fields, &b);
}

/* A Heartbeat tells the relay that the lease is kept. As long as it is not, a
 * Ping shows that we live. */
static void send_ping(struct app *app, uint64_t now_ms)
{
    msg_ping ping = {.token = now_ms};
    (void)link_send(uplink_link(&app->relay), MSG_PING,
                    cmdop_agent_v1_Ping_fields, &ping);
}

static void connect_first(struct app *app, uint64_t now_ms)
{
    char buf[256];
    struct text why;
    TEXT_OF(&why, buf);
    if (holder_ready(&app->holder, &why)) {
        uplink_connect(&app->relay);
        return;
    }
    set_trouble(app, "lease.unread", buf);
    loop_arm(&app->loop, app->beat, now_ms + LEASE_AGAIN_MS);
}

static void beat(void *ctx, uint64_t now_ms)
{
    struct app *app = ctx;
    char buf[256];
    struct text why;
    if (app->dials && app->holder.unread)
        connect_first(app, now_ms);
    if (!app->connected)
        return;
    uplink_check(&app->relay);
    TEXT_OF(&why, buf);
    if (holder_settle(&app->holder, &why)) {
        app->trouble[0] = '\0';
        send_heartbeat(app);
    } else {
        set_trouble(app, "lease.unwritten", buf);
        send_ping(app, now_ms);
    }
    loop_arm(&app->loop, app->beat, now_ms + HEARTBEAT_MS);
}

static void on_up(void *ctx, const msg_welcome *w)
{
    struct app *app = ctx;
    app->connected = true;
    app->connected_ms = port_wall_ms();
    app->trouble[0] = '\0';
    app->retry_after_ms = 0;
    holder_welcomed(&app->holder, uplink_link(&app->relay), w);
    if (w->name[0] != '\0')
        STR_COPY(app->file.name, w->name);
    log_info("relay.online", app->file.host);
    note_clock(app);
    beat(app, loop_now(&app->loop));
}

static void on_refused(void *ctx, const msg_refuse *r)
{
    struct app *app = ctx;
    holder_refused(&app->holder, r->code);
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
    offer_channel(app, uplink_mux(&app->relay), open, params, false);
}

static void on_relay_gone(void *ctx, uint32_t number, const msg_close *end)
{
    struct app *app = ctx;
    offer_gone(app, uplink_mux(&app->relay), number, end);
}

static void on_relay_lost(void *ctx, struct mux *m)
{
    offer_lost(ctx, m);
}

/* What is fatal today an owner may mend tomorrow: it goes on for ever. */
static void on_down(void *ctx, const char *why, bool fatal)
{
    struct app *app = ctx;
    uint32_t wait = app->retry_after_ms;
    (void)fatal;
    if (app->leaving)
        return;
    loop_disarm(&app->loop, app->beat);
    set_trouble(app, app->connected ? "relay.lost" : "relay.dial", why);
    app->connected = false;
    app->retry_after_ms = 0;
    uplink_again(&app->relay,
                 wait < RETRY_AFTER_MAX_MS ? wait : RETRY_AFTER_MAX_MS);
}

static const struct uplink_ops relay_ops = {
    .up = on_up,
    .down = on_down,
    .refused = on_refused,
    .drain = on_drain,
    .open = on_relay_open,
    .gone = on_relay_gone,
    .lost = on_relay_lost,
};

/* A person works here: the link is watched closely for a while. */
static void on_used(void *ctx)
{
    struct app *app = ctx;
    uplink_attend(&app->relay);
}

/* ---- signals --------------------------------------------------------------------------- */

/* Keepers, whose connections tell all there is to know. */
static void reap_children(void)
{
    int status, signal;
    while (port_child_reap(&status, &signal) > 0)
        continue;
}

static void leave(struct app *app)
{
    app->leaving = true;
    log_info("agent.stop", NULL);
    uplink_end(&app->relay);
}

static void on_signal(void *ctx, uint8_t ready)
{
    struct app *app = ctx;
    enum port_signal sig;
    (void)ready;
    while ((sig = port_signal_take()) != PORT_SIG_NONE) {
        switch (sig) {
        case PORT_SIG_TERM: leave(app); break;
        case PORT_SIG_CHILD: reap_children(); break;
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
    return (size_t)SESSIONS_MAX *
               (sizeof(struct session) + 5 * sizeof(struct attachment)) +
           (size_t)JOBS_MAX * (JOB_RING + sizeof(struct job)) +
           (size_t)VIEWERS_MAX * sizeof(struct viewer) +
           LOCAL_MAX * PEER_CARVE_BYTES + UPLINK_BYTES +
           RPC_MAX * (RPC_RING + 4096) + 1024 * 1024;
}

static int carve(struct app *app)
{
    struct arena *a = &app->arena;
    struct uplink_cfg cfg = {.host = app->file.host,
                             .port = app->file.port,
                             .credential = &app->credential,
                             .min_ms = BACKOFF_MIN_MS,
                             .max_ms = BACKOFF_MAX_MS};
    loop_init(&app->loop, a, ROWS_MAX, TIMERS_MAX);
    app->scratch = (struct span){arena_carve(a, PEER_SCRATCH_BYTES, 4096),
                                 PEER_SCRATCH_BYTES};
    int err = uplink_init(&app->relay, &app->loop, a, app->scratch, &cfg,
                          &relay_ops, app);
    assert(err == OK); /* TIMERS_MAX has them */
    app->locals_mem = arena_carve(a, LOCAL_MAX * PEER_CARVE_BYTES, 4096);
    app->beat = loop_timer_add(&app->loop, beat, app);
    rpcs_init(&app->rpcs, a, RPC_MAX);
    err = sessions_init(&app->sessions, a, &app->loop, app->file.name,
                        app->paths.state);
    app->sessions.used = on_used;
    app->sessions.used_ctx = app;
    if (err == OK)
        err = jobs_init(&app->jobs, a, &app->loop, app->file.machine_id,
                        app->file.name, app->paths.state);
    arena_seal(a);
    return err;
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
    if (carve(app) != OK) {
        text_join(why, "the folder's name is too long: ", app->paths.state,
                  NULL);
        return ERR_RANGE;
    }
    facts_hello(&app->hello, cmdop_agent_v1_Role_ROLE_MACHINE, version);
    facts_machine(&app->hello);
    app->credential = (struct link_credential){.hello = &app->hello,
                                               .pin = app->file.pin,
                                               .machine = &app->identity.key,
                                               .entropy = port_entropy};
    holder_init(&app->holder, &app->paths, &app->identity, &app->credential,
                app->file.pin);
    app->host = (struct link_host){.key = &app->identity.key,
                                   .wall_ms = port_wall_ms,
                                   .entropy = port_entropy};
    guard_init(app);
    int row =
        loop_add(&app->loop, port_signal_open(), PORT_READ, on_signal, app);
    return row < 0 ? row : local_listen(app, why);
}

static bool is_finding(const struct app *app)
{
    return sessions_adopting(&app->sessions) || jobs_adopting(&app->jobs);
}

/* Nobody may ask for anything before we know what there is. */
static void find_keepers(struct app *app)
{
    uint64_t until = port_now_ms() + FIND_MS;
    sessions_adopt(&app->sessions);
    jobs_adopt(&app->jobs);
    while (is_finding(app) && port_now_ms() < until) {
        loop_arm(&app->loop, app->beat, until); /* wakes us, no more */
        if (loop_turn(&app->loop) != OK)
            port_fatal(port_why());
    }
    loop_disarm(&app->loop, app->beat);
}

void app_run(struct app *app)
{
    log_info("agent.start", app->file.name);
    find_keepers(app);
    app->dials = true;
    connect_first(app, port_now_ms());
    while (!app->leaving || uplink_busy(&app->relay)) {
        if (loop_turn(&app->loop) != OK)
            port_fatal(port_why());
        app->wakeups++;
    }
}
