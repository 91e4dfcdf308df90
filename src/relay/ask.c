/* Questions to the store; see ask.h. */
#include "relay/ask.h"

#include "base/err.h"
#include "base/log.h"

#define BUSY_AGAIN_MS 10

static void ask_turn(struct relay *r)
{
    int n = store_turn(&r->store, port_wall_ms());
    if (!store_pending(&r->store))
        return;
    /* Another process writes, or there is more than one turn may do. */
    loop_arm(&r->loop, r->store_again,
             loop_now(&r->loop) + (n == ERR_BUSY ? BUSY_AGAIN_MS : 0));
}

static void on_later(void *ctx)
{
    ask_turn(ctx);
}

static void on_again(void *ctx, uint64_t now_ms)
{
    (void)now_ms;
    ask_turn(ctx);
}

void ask_init(struct relay *r)
{
    loop_job_init(&r->store_later, on_later, r);
    r->store_again = loop_timer_add(&r->loop, on_again, r);
}

int ask(struct relay *r, const struct store_ask *q)
{
    int err = store_ask(&r->store, q);
    if (err == OK)
        loop_later(&r->loop, &r->store_later);
    return err;
}

static void seen_answer(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct relay *r = ctx;
    (void)tag;
    if (a->err != OK)
        log_warn("store.seen", store_why(&r->store));
}

void ask_seen(struct relay *r, const struct machine *m)
{
    struct store_ask q = {
        .op = STORE_MACHINE_SEEN, .ctx = r, .answer = seen_answer};
    STR_COPY(q.u.machine_seen.fleet_id, m->fleet_id);
    STR_COPY(q.u.machine_seen.machine_id, m->id);
    STR_COPY(q.u.machine_seen.facts.hostname, m->hostname);
    STR_COPY(q.u.machine_seen.facts.os, m->os);
    STR_COPY(q.u.machine_seen.facts.os_version, m->os_version);
    STR_COPY(q.u.machine_seen.facts.architecture, m->architecture);
    STR_COPY(q.u.machine_seen.facts.agent_version, m->agent_version);
    (void)ask(r, &q); /* a full queue forgets a time-stamp, no more */
}
