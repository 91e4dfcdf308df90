/* When a lost channel is asked for again; see reopen.h. */
#include "cli/reopen.h"

#define STEADY_MS     1000 /* a channel that lasted so long is opened at once */
#define REOPEN_MIN_MS 20
#define REOPEN_MAX_MS 2000

static void on_timer(void *ctx, uint64_t now_ms)
{
    struct reopen *r = ctx;
    (void)now_ms;
    if (!r->client->done && uplink_is_up(&r->client->uplink))
        r->again(r->ctx);
}

void reopen_init(struct reopen *r, struct client *c, void (*again)(void *ctx),
                 void *ctx)
{
    *r = (struct reopen){.client = c, .again = again, .ctx = ctx};
    r->timer = loop_timer_add(&c->loop, on_timer, r);
    backoff_init(&r->backoff, REOPEN_MIN_MS, REOPEN_MAX_MS);
}

void reopen_worked(struct reopen *r)
{
    r->opened_ms = loop_now(&r->client->loop);
}

void reopen_later(struct reopen *r)
{
    uint64_t now = loop_now(&r->client->loop);
    uint32_t random, wait = 0;
    port_entropy((struct span){(uint8_t *)&random, sizeof(random)});
    if (r->opened_ms != 0 && now >= r->opened_ms + STEADY_MS)
        backoff_reset(&r->backoff);
    else
        wait = backoff_next(&r->backoff, random);
    r->opened_ms = 0;
    loop_arm(&r->client->loop, r->timer, now + wait);
}

void reopen_stop(struct reopen *r)
{
    loop_disarm(&r->client->loop, r->timer);
}
