/* Tries that failed make the next one wait; see call.h. */
#include "relay/call.h"

static uint64_t wait_of(struct call *c, enum throttle_kind kind,
                        struct view who)
{
    return throttle_wait(&c->people->throttle, kind, who,
                         loop_now(c->people->loop));
}

bool call_must_wait(struct call *c, enum throttle_kind kind)
{
    uint64_t wait = wait_of(c, kind, throttle_place(&c->conn->from));

    if (kind == THROTTLE_CODE) {
        uint64_t other = wait_of(c, kind, view_str(c->who.token_id));
        wait = other > wait ? other : wait;
    }
    if (wait > 0)
        call_too_many(c, wait);
    return wait > 0;
}

void call_tried_wrong(struct call *c, enum throttle_kind kind)
{
    struct throttle *t = &c->people->throttle;
    uint64_t now = loop_now(c->people->loop);

    throttle_fail(t, kind, throttle_place(&c->conn->from), now);
    if (kind == THROTTLE_CODE)
        throttle_fail(t, kind, view_str(c->who.token_id), now);
}

bool call_account_waits(struct call *c)
{
    int64_t wait = c->account.person.locked_until_ms - port_wall_ms();

    if (wait > 0)
        call_too_many(c, (uint64_t)wait);
    return wait > 0;
}
