/* Who holds a machine's identity; see lease.h. */
#include "relay/lease.h"

/* The epoch of the last holder that is known to have kept its own; 0: of none
 * since the machine was free. */
static uint64_t kept(const struct lease_row *row)
{
    if (row->confirmed)
        return row->epoch;
    return row->first ? 0 : row->epoch - 1;
}

/* Does its folder hold what the last holder's holds? One that is ahead of us
 * was given its epoch by this relay, before the relay was set back. */
static bool is_current(const struct lease_row *row, uint64_t epoch)
{
    return epoch >= kept(row) && epoch <= row->epoch + LEASE_LEAP;
}

/* An epoch that nobody confirmed is given once more: however often an agent
 * dies before it has written, its folder is as good as before. */
static uint64_t following(const struct lease_row *row, uint64_t epoch)
{
    if (epoch > row->epoch)
        return epoch + 1;
    return row->confirmed ? row->epoch + 1 : row->epoch;
}

enum lease_verdict lease_judge(const struct lease_row *row,
                               struct view instance, uint64_t epoch,
                               enum lease_other other, uint64_t *next)
{
    if (!row->held && instance.len == 0)
        return LEASE_PLAIN;
    if (!row->held) {
        *next = row->epoch + 1;
        return LEASE_TAKE;
    }
    if (view_eq(instance, VIEW_ARRAY(row->holder))) {
        *next = row->epoch;
        return LEASE_KEEP;
    }
    if (other == LEASE_UNASKED)
        return LEASE_ASK;
    if (instance.len == 0 || !is_current(row, epoch))
        return LEASE_STALE;
    if (other == LEASE_ANSWERS)
        return LEASE_TWO;
    *next = following(row, epoch);
    return LEASE_TAKE;
}
