/* The HTTP face put together; see web.h. */
#include "relay/web.h"

#include <string.h>

#include "base/err.h"
#include "core/joinstr.h"
#include "relay/ask.h"
#include "relay/faces.h"
#include "relay/relay.h"

size_t web_bytes(void)
{
    return people_bytes() + API_CONNS * sizeof(struct call) + 256;
}

static int ask_store(void *ctx, const struct store_ask *q)
{
    return ask(ctx, q);
}

static bool is_online(void *ctx, const char *machine_id)
{
    struct relay *r = ctx;
    const struct machine *m = registry_find(&r->registry, machine_id);

    return m != NULL && m->conn != NULL;
}

static bool access_of(void *ctx, const char *fleet_id, const char *machine_id,
                      const char *person_id, enum may_access *out)
{
    const struct relay *r = ctx;
    const struct access_key key = {fleet_id, machine_id, person_id};

    return access_get(&r->access, &key, out);
}

static bool has_room(void *ctx)
{
    const struct relay *r = ctx;

    return registry_room(&r->registry);
}

void web_init(struct relay *r, const char *name)
{
    struct web *w = &r->web;
    const struct people_cfg cfg = {
        .oauth = {.ask = ask_store, .ctx = r, .url = w->url},
        .online = is_online,
        .access = access_of,
        .room = has_room,
        .name = w->name,
        .secret = r->keys.relay.secret,
    };

    STR_COPY(w->name, name);
    people_init(&w->people, &r->arena, &r->loop, &cfg);
    calls_init(&w->calls, &r->arena, &w->people, FACES, FACES_COUNT);
}

void web_address(struct web *w, const char *url, const struct port_addr *at,
                 uint16_t port, const char *host)
{
    struct text t;

    TEXT_OF(&t, w->url);
    if (url != NULL) {
        text_str(&t, url);
        return;
    }
    bool near = api_is_near(at);
    text_str(&t, near ? "http://localhost" : "https://");
    if (!near && strchr(host, ':') != NULL)
        text_join(&t, "[", host, "]", NULL);
    else if (!near)
        text_str(&t, host);
    text_str(&t, ":");
    text_u64(&t, port);
}

bool web_is_url(const char *url)
{
    struct view v = view_str(url);
    bool secure = view_starts(v, view_str("https://"));

    if (!secure && !view_starts(v, view_str("http://")))
        return false;
    v = view_from(v, secure ? 8 : 7);
    if (v.len == 0 || v.len > 255)
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] <= ' ' || v.ptr[i] >= 0x7f ||
            strchr("/?#@\"<>\\%", v.ptr[i]) != NULL)
            return false;
    return true;
}
