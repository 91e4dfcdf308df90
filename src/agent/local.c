/* The local socket; see local.h. */
#include "agent/local.h"

#include "agent/offer.h"
#include "base/err.h"
#include "base/log.h"
#include "core/paths.h"

#define CHANNELS_MAX 256 /* per connection */

static void local_hello(void *ctx, const msg_hello *hello)
{
    (void)ctx;
    (void)hello;
}

/* The kernel said who it is; nothing more is asked. */
static void local_judge(void *ctx, const msg_proof *proof)
{
    struct local *l = ctx;
    msg_welcome w = cmdop_agent_v1_Welcome_init_zero;
    (void)proof;
    STR_COPY(w.user, port_username());
    STR_COPY(w.machine_id, l->app->file.machine_id);
    STR_COPY(w.name, l->app->file.name);
    link_welcome(&l->peer.link, &w);
}

/* Locally the target is this machine, by any of its names. */
static bool is_us(const struct app *app, const char *target)
{
    char host[NAME_CAP];
    struct view t = view_str(target);
    port_hostname(host, sizeof(host));
    return t.len == 0 || view_is(t, host) || view_is(t, app->file.name) ||
           view_is(t, app->file.machine_id) || view_is(t, "localhost");
}

static void local_open(void *ctx, const msg_open *open, struct view params)
{
    struct local *l = ctx;
    msg_open stamped = *open;
    if (!is_us(l->app, open->target)) {
        (void)mux_reject(&l->peer.link.mux, open->channel,
                         cmdop_agent_v1_Code_CODE_NOT_FOUND,
                         "the local agent is another machine",
                         "leave --local away to go through the relay");
        return;
    }
    stamped.has_origin = true;
    stamped.origin = (msg_origin)cmdop_agent_v1_Origin_init_zero;
    STR_COPY(stamped.origin.user, port_username());
    offer_channel(l->app, &l->peer.link.mux, &stamped, params, true);
}

static void local_gone(void *ctx, uint32_t number, const msg_close *end)
{
    struct local *l = ctx;
    offer_gone(l->app, &l->peer.link.mux, number, end);
}

static void local_wake(void *ctx)
{
    struct local *l = ctx;
    peer_wake(&l->peer);
}

static const struct link_ops local_ops = {
    .hello = local_hello,
    .judge = local_judge,
    .open = local_open,
    .gone = local_gone,
    .wake = local_wake,
};

static void on_local_over(void *ctx, const char *why)
{
    struct local *l = ctx;
    offer_lost(l->app, &l->peer.link.mux);
    if (why[0] != '\0')
        log_debug("local.lost", why);
    listener_resume(&l->app->listener);
}

static bool room(void *ctx)
{
    const struct app *app = ctx;
    for (uint32_t i = 0; i < app->locals_used; i++)
        if (!peer_busy(&app->locals[i].peer))
            return true;
    return app->locals_used < LOCAL_MAX;
}

/* One that was used before, or the next fresh one; there is room. */
static struct local *take(struct app *app)
{
    for (uint32_t i = 0; i < app->locals_used; i++)
        if (!peer_busy(&app->locals[i].peer))
            return &app->locals[i];
    struct arena a;
    struct local *l = &app->locals[app->locals_used];
    arena_init(
        &a, (struct span){app->locals_mem + app->locals_used * PEER_CARVE_BYTES,
                          PEER_CARVE_BYTES});
    struct link_mem mem = peer_carve(&a, false);
    app->locals_used++;
    l->app = app;
    peer_init(&l->peer, &app->loop, &mem, app->scratch);
    return l;
}

static void accepted(void *ctx, int handle, const struct port_addr *from)
{
    struct app *app = ctx;
    (void)from;
    if (!port_local_same_user(handle)) {
        log_warn("local.refused", "a connection from another user");
        port_close(handle);
        return;
    }
    struct local *l = take(app);
    (void)peer_accepted(&l->peer, handle, NULL, &app->host, CHANNELS_MAX, 0,
                        &local_ops, on_local_over, l);
}

bool local_owns(const struct app *app, const struct mux *m)
{
    for (uint32_t i = 0; i < app->locals_used; i++)
        if (m == &app->locals[i].peer.link.mux)
            return true;
    return false;
}

int local_listen(struct app *app, struct text *why)
{
    char path[PATH_CAP];
    if (port_keep_folder(app->paths.runtime) != OK ||
        paths_join(path, app->paths.runtime, "agent.sock") != OK) {
        text_join(why, "cannot use the folder ", app->paths.runtime, ": ",
                  port_why(), NULL);
        return ERR_DENIED;
    }
    static const struct listener_ops ops = {room, accepted};
    int handle = port_local_listen(path);
    if (handle >= 0)
        return listener_start(&app->listener, &app->loop, handle, &ops, app);
    text_join(why, "cannot listen on ", path, ": ", port_why(), NULL);
    return handle;
}
