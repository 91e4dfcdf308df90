/* The table of machines; see registry.h. */
#include "relay/registry.h"

#include <string.h>

#include "base/err.h"

#define PREFIX_MIN       2
#define CANDIDATES_SHOWN 8

void registry_init(struct registry *r, struct arena *a, uint32_t cap)
{
    r->machines = arena_carve(a, cap * sizeof(*r->machines), 64);
    r->count = 0;
    r->cap = cap;
}

struct machine *registry_find(struct registry *r, const char *id)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (strcmp(r->machines[i].id, id) == 0)
            return &r->machines[i];
    return NULL;
}

struct machine *registry_put(struct registry *r, const char *id)
{
    struct machine *m = registry_find(r, id);
    if (m != NULL)
        return m;
    if (r->count == r->cap)
        return NULL;
    m = &r->machines[r->count++];
    memset(m, 0, sizeof(*m));
    STR_COPY(m->id, id);
    return m;
}

static struct view without_local(struct view host)
{
    struct view suffix = view_str(".local");
    if (host.len > suffix.len &&
        view_eq(view_from(host, host.len - suffix.len), suffix))
        return view_first(host, host.len - suffix.len);
    return host;
}

/* The ways to match, strongest first. */
enum match { MATCH_ID, MATCH_EXACT, MATCH_PREFIX, MATCH_WAYS };

static bool matches(const struct machine *m, enum match how, struct view t)
{
    struct view host = without_local(view_str(m->hostname));
    switch (how) {
    case MATCH_ID: return view_is(t, m->id);
    case MATCH_EXACT: /* a machine chooses its host name: it wins nothing */
        return view_eq(host, without_local(t)) || view_is(t, m->name);
    case MATCH_PREFIX:
        return t.len >= PREFIX_MIN &&
               (view_starts(host, t) || view_starts(view_str(m->name), t) ||
                view_starts(view_str(m->id), t));
    case MATCH_WAYS: break;
    }
    return false;
}

static uint32_t collect(struct registry *r, const char *fleet_id,
                        enum match how, struct view target,
                        struct machine **first, struct text *names)
{
    uint32_t hits = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        struct machine *m = &r->machines[i];
        if (strcmp(m->fleet_id, fleet_id) != 0 || !matches(m, how, target))
            continue;
        if (hits == 0)
            *first = m;
        if (hits < CANDIDATES_SHOWN) {
            text_join(names, hits == 0 ? "" : ", ", m->name, " (", NULL);
            text_view(names, view_first(view_str(m->id), 8));
            text_str(names, ")");
        }
        hits++;
    }
    return hits;
}

int registry_resolve(struct registry *r, const char *fleet_id,
                     const char *target, struct machine **out,
                     struct text *candidates)
{
    for (enum match how = MATCH_ID; how < MATCH_WAYS; how++) {
        struct machine *first = NULL;
        struct text names = *candidates;
        uint32_t hits =
            collect(r, fleet_id, how, view_str(target), &first, &names);
        if (hits == 0)
            continue;
        *candidates = names;
        if (hits > 1)
            return ERR_LIMIT;
        *out = first;
        return OK;
    }
    return ERR_NOT_FOUND;
}
