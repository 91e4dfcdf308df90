/* Chance, trace, faults and troubles of the world; see world.h. */
#include "port/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct world *world;
struct role *me;

uint64_t world_chance(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* FNV-1a, eight bytes at a time where there are so many. */
static void mix(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint64_t h = world->hash;
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ word) * UINT64_C(0x100000001b3);
        h ^= h >> 29;
    }
    for (; len > 0; len--)
        h = (h ^ *p++) * UINT64_C(0x100000001b3);
    world->hash = h;
}

bool world_shows_trace(void)
{
    const char *wish = getenv("SIM_TRACE");
    return wish != NULL && wish[0] != '\0';
}

void world_trace(const char *what, int64_t a, int64_t b, struct view bytes)
{
    static int shown = -1;
    int64_t fact[4] = {(int64_t)world->now_us, me != NULL ? me->id : -1, a, b};
    if (shown < 0)
        shown = world_shows_trace();
    mix(what, strlen(what));
    mix(fact, sizeof(fact));
    if (bytes.len > 0)
        mix(bytes.ptr, bytes.len);
    if (shown)
        fprintf(stderr, "%12llu role %lld %s %lld %lld #%016llx\n",
                (unsigned long long)world->now_us, (long long)fact[1], what,
                (long long)a, (long long)b, (unsigned long long)world->hash);
}

void world_trouble(const char *who, const char *what)
{
    if (world->trouble[0] != '\0')
        return;
    snprintf(world->trouble, sizeof(world->trouble),
             "at %llu ms: %s %s (SEED=%llu)",
             (unsigned long long)world->now_us / 1000, who, what,
             (unsigned long long)world->seed);
}

int world_why(int err, const char *what)
{
    if (me != NULL)
        snprintf(me->why, sizeof(me->why), "%s: %s", what, err_str(err));
    return err;
}

int world_fault(enum sim_call call)
{
    struct world *w = world;
    if (me == NULL || w->fault_left == 0 || (w->fault_calls & call) == 0 ||
        (w->fault_role >= 0 && w->fault_role != me->id))
        return OK;
    if (w->fault_left > 1) {
        w->fault_left--;
        return OK;
    }
    if (!w->fault_on)
        w->fault_left = 0;
    w->fault_met = true;
    world_trace("fault", call, w->fault_err, VIEW_NONE);
    return world_why(w->fault_err, "simulated fault");
}

void sim_fault(int role, unsigned calls, uint64_t nth, bool for_ever, int err)
{
    world->fault_role = role;
    world->fault_calls = calls;
    world->fault_left = nth;
    world->fault_on = for_ever;
    world->fault_err = err;
    world->fault_met = false;
}

bool sim_fault_met(void)
{
    return world->fault_met;
}

uint64_t sim_hash(void)
{
    return world->hash;
}

uint64_t sim_now_ms(void)
{
    return world->now_us / 1000;
}

uint32_t sim_roll(uint32_t n)
{
    return (uint32_t)(world_chance(&world->chance) % n);
}

const char *sim_trouble(void)
{
    return world->trouble;
}
