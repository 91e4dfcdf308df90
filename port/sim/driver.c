/* What a test does to roles, and asks about them; see sim.h. */
#include "port/sim/world.h"

#include <string.h>

#include "base/err.h"

static struct role *role_of(int role)
{
    return &world->role[role];
}

bool sim_alive(int role)
{
    enum role_state s = role_of(role)->state;
    return s == ROLE_BORN || s == ROLE_READY || s == ROLE_WAITING;
}

int sim_status(int role)
{
    return role_of(role)->state == ROLE_EXITED ? role_of(role)->status : -1;
}

void sim_type(int role, struct view keys)
{
    world_trace("type", role, 0, keys);
    (void)flow_write(&world->flow[role_of(role)->keys], keys, 0, 0);
}

void sim_type_end(int role)
{
    flow_end(&world->flow[role_of(role)->keys], 0);
}

void sim_resize(int role, uint16_t rows, uint16_t cols)
{
    role_of(role)->rows = rows;
    role_of(role)->cols = cols;
    sim_signal(role, PORT_SIG_RESIZE);
}

void sim_out_rate(int role, uint32_t bytes_per_s)
{
    role_of(role)->how.out_rate = bytes_per_s;
    role_of(role)->out_free_us = world->now_us;
}

void sim_hang_up(int role)
{
    role_of(role)->hung_up = true;
    sim_signal(role, PORT_SIG_TERM);
}

struct view sim_heard(void)
{
    return view_of(world->heard, world->heard_len);
}

struct view sim_said(void)
{
    return view_of(world->said, world->said_len);
}

void sim_notes(sim_note_fn *fn)
{
    world_note = fn;
}

uint32_t sim_note(int role, int i)
{
    return role_of(role)->note[i];
}

bool sim_is_raw(int role)
{
    return role_of(role)->raw;
}

void sim_signal(int role, enum port_signal sig)
{
    world_trace("raise", role, sig, VIEW_NONE);
    role_of(role)->signals |= 1u << sig;
}

void sim_freeze(int role, bool is_frozen)
{
    world_trace("freeze", role, is_frozen, VIEW_NONE);
    role_of(role)->frozen = is_frozen;
}

uint64_t sim_turns(int role)
{
    return role_of(role)->turns;
}

struct view sim_out(int role)
{
    return view_of(role_of(role)->out, role_of(role)->out_len);
}

struct view sim_err(int role)
{
    return view_of(role_of(role)->err, role_of(role)->err_len);
}

struct view sim_log(int role)
{
    return view_of(role_of(role)->log, role_of(role)->log_len);
}

static size_t occurrences(struct view v, const char *text)
{
    size_t n = 0;
    const uint8_t *at = v.ptr, *end = v.ptr + v.len;
    while (at < end &&
           (at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL) {
        n++;
        at += strlen(text);
    }
    return n;
}

size_t sim_logged(int role, const char *text)
{
    return occurrences(sim_log(role), text);
}

/* ---- waiting for facts ------------------------------------------------------------- */

struct seen {
    int role;
    const char *text;
    size_t before;
};

static bool has_ended(void *ctx)
{
    const struct seen *s = ctx;
    return !sim_alive(s->role);
}

int sim_wait(int role, uint64_t ms_max)
{
    struct seen s = {.role = role};
    (void)sim_run_until(has_ended, &s, ms_max);
    return sim_status(role);
}

static bool has_logged(void *ctx)
{
    const struct seen *s = ctx;
    return sim_logged(s->role, s->text) > s->before;
}

bool sim_wait_log(int role, const char *text, uint64_t ms_max)
{
    struct seen s = {role, text, sim_logged(role, text)};
    return sim_run_until(has_logged, &s, ms_max);
}

static bool has_written(void *ctx)
{
    const struct seen *s = ctx;
    return occurrences(sim_out(s->role), s->text) > 0;
}

bool sim_wait_out(int role, const char *text, uint64_t ms_max)
{
    struct seen s = {.role = role, .text = text};
    return sim_run_until(has_written, &s, ms_max);
}
