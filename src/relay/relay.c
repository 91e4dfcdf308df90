/* The relay's wiring; see relay.h. */
#include "relay/relay.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/paths.h"
#include "relay/reply.h"
#include "relay/ask.h"
#include "relay/conn.h"
#include "relay/faces.h"
#include "relay/offer.h"

#define MACHINES_MAX      16384
#define ACCESS_MAX        32768 /* rows of members and machines */
#define ROUTES_MAX        1024
#define RPCS_MAX          64
#define GUEST_RPCS_MAX    32
#define ROWS_OWN          8    /* listeners, signals */
#define TIMERS_OWN        10   /* store, drain, certificates */
#define DRAIN_MS          2000 /* for good-byes, before we leave anyway */
/* Those who come back are spread over so many ms each, */
#define RECONNECT_EACH_MS 5
#define RECONNECT_MS_MAX  5000 /* and over so many at most */

size_t relay_bytes(uint32_t conns_max)
{
    return (size_t)conns_max * (PEER_CARVE_BYTES + sizeof(struct conn) + 512) +
           (size_t)ROUTES_MAX *
               (sizeof(struct route) + 3 * WINDOW_BULK + 4096) +
           MACHINES_MAX * REGISTRY_ROW_BYTES + REGISTRY_BYTES +
           access_bytes(ACCESS_MAX) + STORE_HEAP_BYTES +
           (RPCS_MAX + GUEST_RPCS_MAX) * (RPC_RING + 8192) + BADGES_BYTES +
           API_CONNS * sizeof(struct api_conn) + web_bytes() + 8 * 1024 * 1024;
}

/* ---- accepting ---------------------------------------------------------------------- */

static bool room(void *ctx)
{
    return conn_room(ctx);
}

static void accepted(void *ctx, int handle, const struct port_addr *from)
{
    conn_start(ctx, handle, from);
}

static int listen_grpc(struct relay *r, const struct port_addr *at,
                       struct text *why)
{
    static const struct listener_ops ops = {room, accepted};
    char where[PORT_ADDR_CAP];
    int handle = port_listen(at, &r->grpc_port);
    if (handle >= 0)
        return listener_start(&r->listener, &r->loop, handle, &ops, r);
    port_addr_print(at, where, sizeof(where));
    text_join(why, "cannot listen on ", where, ": ", port_why(),
              "; choose another address with --listen-grpc", NULL);
    return handle;
}

/* ---- behind a proxy ------------------------------------------------------------------ */

static bool may_be_proxy(const struct relay *r, const struct port_addr *from)
{
    if (r->proxy_from_count == 0)
        return api_is_near(from);
    for (size_t i = 0; i < r->proxy_from_count; i++)
        if (memcmp(r->proxy_from[i].ip, from->ip, sizeof(from->ip)) == 0)
            return true;
    return false;
}

static void accepted_proxied(void *ctx, int handle,
                             const struct port_addr *from)
{
    struct relay *r = ctx;
    char where[PORT_ADDR_CAP];
    if (may_be_proxy(r, from)) {
        conn_start_proxied(r, handle, from);
        return;
    }
    port_addr_print(from, where, sizeof(where));
    log_warn("proxy.stranger", where);
    port_close(handle);
}

static int listen_proxy(struct relay *r, const struct relay_cfg *cfg,
                        struct text *why)
{
    static const struct listener_ops ops = {room, accepted_proxied};
    char where[PORT_ADDR_CAP];
    if (cfg->proxy_certificate == NULL)
        return OK;
    r->proxy_from_count = cfg->proxy_from_count;
    memcpy(r->proxy_from, cfg->proxy_from, sizeof(r->proxy_from));
    int handle = port_listen(&cfg->proxy, &r->proxy_port);
    if (handle >= 0)
        return listener_start(&r->proxy_listener, &r->loop, handle, &ops, r);
    port_addr_print(&cfg->proxy, where, sizeof(where));
    text_join(why, "cannot listen on ", where, ": ", port_why(),
              "; choose another address with --proxy-listen", NULL);
    return handle;
}

/* ---- health -------------------------------------------------------------------------- */

static size_t why_not_ready(void *ctx, const char **reasons, size_t max)
{
    struct relay *r = ctx;
    size_t n = 0;
    if (!store_is_open(&r->store) && n < max)
        reasons[n++] = "the store is closed";
    if (r->leaving && n < max)
        reasons[n++] = "the relay is stopping";
    if (!conn_room(r) && n < max)
        reasons[n++] = "no room for another connection";
    return n;
}

static void api_tls(void *ctx, struct tls_server_cfg *out)
{
    struct relay *r = ctx;
    struct badge *badge = badges_now(&r->badges);
    *out = (struct tls_server_cfg){.id = &badge->id, .cache = &badge->cache};
}

static int listen_api(struct relay *r, const struct port_addr *at,
                      struct text *why)
{
    char where[PORT_ADDR_CAP];
    int err = api_listen(&r->api, at, &r->api_port);
    if (err != OK) {
        port_addr_print(at, where, sizeof(where));
        text_join(why, "cannot listen on ", where, ": ", port_why(),
                  "; choose another address with --listen-api", NULL);
    }
    return err;
}

/* ---- signals ------------------------------------------------------------------------- */

static void on_sweep(void *ctx, uint64_t now_ms)
{
    struct relay *r = ctx;
    routes_sweep(&r->routes, now_ms);
    loop_arm(&r->loop, r->sweep, now_ms + ROUTE_ANSWER_MS / 3);
}

static void look(struct relay *r)
{
    uint64_t now = loop_now(&r->loop);
    bool done = badges_look(&r->badges, port_wall_ms() / 1000, now);
    loop_arm(&r->loop, r->look, now + (done ? BADGE_LOOK_MS : BADGE_REST_MS));
}

static void on_look(void *ctx, uint64_t now_ms)
{
    (void)now_ms;
    look(ctx);
}

static void on_drained(void *ctx, uint64_t now_ms)
{
    struct relay *r = ctx;
    (void)now_ms;
    r->done = true;
}

static void leave(struct relay *r)
{
    uint32_t spread = 1 + r->conns_count * RECONNECT_EACH_MS;
    if (r->leaving)
        return;
    r->leaving = true;
    log_info("relay.drain", NULL);
    listener_stop(&r->listener);
    if (r->proxy_port != 0)
        listener_stop(&r->proxy_listener);
    conns_drain(r, spread < RECONNECT_MS_MAX ? spread : RECONNECT_MS_MAX);
    loop_arm(&r->loop, r->drain, loop_now(&r->loop) + DRAIN_MS);
}

static void on_signal(void *ctx, uint8_t ready)
{
    struct relay *r = ctx;
    enum port_signal sig;
    (void)ready;
    while ((sig = port_signal_take()) != PORT_SIG_NONE) {
        if (sig == PORT_SIG_TERM) {
            leave(r);
        } else if (sig == PORT_SIG_RELOAD) {
            follow_reload(r); /* a verb changed the store, */
            look(r);          /* or somebody a certificate */
        }
    }
}

/* ---- the store before the loop runs --------------------------------------------------- */

struct now {
    struct store_answer *out;
    bool came;
};

static void now_answer(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct now *n = ctx;
    (void)tag;
    *n->out = *a;
    n->came = true;
}

int relay_ask_now(struct store *s, const struct store_ask *q,
                  struct store_answer *out)
{
    struct now now = {.out = out};
    struct store_ask copy = *q;
    copy.ctx = &now;
    copy.answer = now_answer;
    int err = store_ask(s, &copy);
    while (err == OK && !now.came) {
        int n = store_turn(s, port_wall_ms());
        if (n < 0 && n != ERR_BUSY)
            return n;
    }
    return err != OK ? err : out->err;
}

static int setup(struct relay *r, struct text *why)
{
    struct store_answer a;
    struct store_ask q = {.op = STORE_SETUP};
    bytes_to_str(q.u.setup.fleet_name, NAME_CAP, view_str("home"));
    bytes_to_str(q.u.setup.user_name, NAME_CAP, view_str(port_username()));
    port_entropy(SPAN_ARRAY(q.u.setup.random));
    int err = relay_ask_now(&r->store, &q, &a);
    if (err != OK) {
        text_join(why, "the store cannot be used: ", store_why(&r->store),
                  NULL);
        return err;
    }
    r->owner = a.u.who;
    return OK;
}

/* ---- start ------------------------------------------------------------------------------ */

static void strangers_setup(struct relay *r)
{
    uint8_t key[16];
    port_entropy(SPAN_ARRAY(key));
    strangers_init(&r->strangers, &r->arena, r->conns_max, key);
}

static void serve(void *ctx, struct api_conn *c)
{
    struct relay *r = ctx;
    call_serve(&r->web.calls, c);
}

static void served(void *ctx, struct api_conn *c)
{
    struct relay *r = ctx;
    call_over(&r->web.calls, c);
}

static void carve(struct relay *r, const struct relay_cfg *cfg)
{
    struct arena *a = &r->arena;
    uint32_t conns_max = cfg->conns_max;
    r->conns_max = conns_max;
    r->trusted = cfg->trusted;
    loop_init(&r->loop, a, conns_max + API_ROWS + WEB_ROWS + ROWS_OWN,
              2 * conns_max + API_TIMERS + WEB_TIMERS + TIMERS_OWN);
    ask_init(r);
    claim_init(r);
    r->drain = loop_timer_add(&r->loop, on_drained, r);
    r->sweep = loop_timer_add(&r->loop, on_sweep, r);
    loop_arm(&r->loop, r->sweep, port_now_ms() + ROUTE_ANSWER_MS / 3);
    r->look = loop_timer_add(&r->loop, on_look, r);
    loop_arm(&r->loop, r->look, port_now_ms() + BADGE_LOOK_MS);
    r->scratch = arena_span(a, PEER_SCRATCH_BYTES);
    registry_init(&r->registry, a, MACHINES_MAX);
    access_init(&r->access, a, ACCESS_MAX);
    routes_init(&r->routes, a, ROUTES_MAX, offer_again);
    rpcs_init(&r->rpcs, a, RPCS_MAX);
    rpcs_init(&r->guest_rpcs, a, GUEST_RPCS_MAX);
    strangers_setup(r);
    api_init(&r->api, a, &r->loop,
             &(struct api_cfg){.ready = why_not_ready,
                               .tls = api_tls,
                               .serve = serve,
                               .over = served,
                               .trusted = &r->trusted,
                               .ctx = r});
    web_init(r, cfg->name);
    r->conns = arena_carve(a, conns_max * sizeof(*r->conns), 4096);
    r->conns_mem = arena_carve(a, (size_t)conns_max * PEER_CARVE_BYTES, 4096);
}

/* How the relay answers, directly and behind a proxy. */
static void host_setup(struct relay *r)
{
    r->host = (struct link_host){.key = &r->keys.relay,
                                 .wall_ms = port_wall_ms,
                                 .entropy = port_entropy};
    r->proxy_host = r->host;
    r->proxy_host.binding = badges_proxy(&r->badges);
}

static int open_badges(struct relay *r, const struct relay_cfg *cfg,
                       struct text *why)
{
    struct badges_cfg b = {.folder = cfg->folder,
                           .name = cfg->name,
                           .host = cfg->host,
                           .certificate = cfg->certificate,
                           .key = cfg->key,
                           .proxy = cfg->proxy_certificate};
    return badges_open(&r->badges, &r->arena, &b, port_wall_ms() / 1000, why);
}

static int open_store(struct relay *r, const char *folder, struct text *why)
{
    char path[PATH_CAP];
    struct store_cfg cfg = {.path = path,
                            .heap = arena_span(&r->arena, STORE_HEAP_BYTES),
                            .busy_ms = 20};
    if (paths_join(path, folder, "server.db") != OK) {
        text_str(why, "the state folder's path is too long");
        return ERR_RANGE;
    }
    int err = store_open(&r->store, &cfg);
    if (err != OK)
        text_str(why, store_why(&r->store));
    return err;
}

/* A face that could be asked what nobody decided about must not start. */
static int check_faces(struct text *why)
{
    enum may_op op;
    const char *name;
    if (may_check(&op) != OK) {
        text_str(why, "nobody decided who may do operation number ");
        text_u64(why, op);
        return ERR_DAMAGED;
    }
    if (call_table_check(FACES, FACES_COUNT, &name) != OK ||
        reply_check(&name) != OK) {
        text_join(why, "nobody decided who may ask ", name, NULL);
        return ERR_DAMAGED;
    }
    return OK;
}

int relay_init(struct relay *r, struct span memory, const struct relay_cfg *cfg,
               struct text *why)
{
    if (check_faces(why) != OK)
        return ERR_DAMAGED;
    arena_init(&r->arena, memory);
    if (h2_prepare() != OK) {
        text_str(why, "not enough memory to start");
        return ERR_LIMIT;
    }
    int err = keys_load_or_make(cfg->folder, &r->keys, why);
    if (err == OK)
        err = open_badges(r, cfg, why);
    if (err == OK)
        err = open_store(r, cfg->folder, why);
    if (err == OK)
        err = setup(r, why);
    if (err != OK)
        return err;
    carve(r, cfg);
    host_setup(r);
    follow_init(r);
    return follow_load(r, why);
}

int relay_listen(struct relay *r, const struct relay_cfg *cfg, struct text *why)
{
    int err = listen_grpc(r, &cfg->grpc, why);
    if (err == OK)
        err = listen_proxy(r, cfg, why);
    if (err == OK)
        err = listen_api(r, &cfg->api, why);
    if (err != OK)
        return err;
    web_address(&r->web, cfg->url, &cfg->api, r->api_port, cfg->host);
    arena_seal(&r->arena);
    int row = loop_add(&r->loop, port_signal_open(), PORT_READ, on_signal, r);
    return row < 0 ? row : OK;
}

void relay_run(struct relay *r)
{
    while (!r->done) {
        if (loop_turn(&r->loop) != OK)
            port_fatal(port_why());
        if (r->leaving && r->conns_count == 0 && !store_pending(&r->store))
            r->done = true;
    }
    api_close(&r->api);
    desk_close(&r->web.people.desk);
    store_close(&r->store);
    log_info("relay.stop", NULL);
}
