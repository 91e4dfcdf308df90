/* Questions to the store; see ask.h. */
#include "relay/ask.h"

#include "base/err.h"
#include "base/log.h"

#define BUSY_AGAIN_MS 10
#define FORGET_MS     (3600 * 1000) /* between two times; the first as well */
#define FORGET_ON_MS  1000          /* while there is more */
#define FORGET_ROWS   100

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

/* ---- what is over ------------------------------------------------------------------ */

static void forgot(void *ctx, uint32_t tag, const struct store_answer *a)
{
    struct relay *r = ctx;
    (void)tag;
    if (a->err != OK)
        log_warn("store.sweep", store_why(&r->store));
    else if (a->more)
        loop_arm(&r->loop, r->forget, loop_now(&r->loop) + FORGET_ON_MS);
}

static void on_forget(void *ctx, uint64_t now_ms)
{
    struct relay *r = ctx;
    struct store_ask q = {.op = STORE_SWEEP, .ctx = r, .answer = forgot};
    q.u.sweep.limit = FORGET_ROWS;
    loop_arm(&r->loop, r->forget, now_ms + FORGET_MS);
    (void)ask(r, &q); /* a full queue has it the next time */
}

void ask_init(struct relay *r)
{
    loop_job_init(&r->store_later, on_later, r);
    r->store_again = loop_timer_add(&r->loop, on_again, r);
    r->forget = loop_timer_add(&r->loop, on_forget, r);
    loop_arm(&r->loop, r->forget, port_now_ms() + FORGET_MS);
}

/* ---- questions ----------------------------------------------------------------------- */

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
