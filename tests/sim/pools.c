/* See pools.h. */
#include "sim/pools.h"

#include "agent/app.h"
#include "relay/relay.h"

static const struct relay *relay; /* if this process is one */
static const struct app *agent;

void __real_relay_run(struct relay *r);
void __wrap_relay_run(struct relay *r);
void __real_app_run(struct app *app);
void __wrap_app_run(struct app *app);

void __wrap_relay_run(struct relay *r)
{
    relay = r;
    __real_relay_run(r);
}

void __wrap_app_run(struct app *app)
{
    agent = app;
    __real_app_run(app);
}

static uint32_t attached(const struct sessions *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0, left = s->count; i < SESSIONS_MAX && left > 0; i++) {
        if (s->slots[i].id[0] == '\0')
            continue;
        left--;
        for (const struct attachment *a = s->slots[i].attached; a != NULL;
             a = a->next)
            n++;
    }
    return n;
}

void pools_note(uint32_t note[4])
{
    if (relay != NULL) {
        note[POOLS_ROUTES] = relay->routes.count;
        note[POOLS_CONNS] = relay->conns_count;
    } else if (agent != NULL) {
        note[POOLS_SESSIONS] = agent->sessions.count;
        note[POOLS_ATTACHED] = attached(&agent->sessions);
    }
}
