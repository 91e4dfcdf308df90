/* Tries that failed make the next one wait; see call.h. */
#include "relay/call.h"

bool call_account_waits(struct call *c)
{
    int64_t wait = c->account.person.locked_until_ms - port_wall_ms();

    if (wait > 0)
        call_too_many(c, (uint64_t)wait);
    return wait > 0;
}
