/* The table of machines; see registry.h. */
#include "relay/registry.h"

#include <string.h>

#include "base/err.h"

#define PREFIX_MIN       2
#define CANDIDATES_SHOWN 8

void registry_init(struct registry *r, struct arena *a, uint32_t cap)
{
    uint32_t slots = 16; /* never more than half full */
    while (slots < 2 * cap)
        slots *= 2;
    r->machines = arena_carve(a, cap * sizeof(*r->machines), 64);
    r->index = arena_carve(a, slots * sizeof(*r->index), 64);
    memset(r->index, 0, slots * sizeof(*r->index));
    r->links = arena_carve(a, (cap + 1) * sizeof(*r->links), 64);
    r->links_free = 0;
    r->links_fresh = 1;
    r->mask = slots - 1;
    r->round = 0;
    r->count = 0;
    r->cap = cap;
}

/* FNV-1a. The ids are drawn at random by the store, never by a machine. */
static uint32_t hash(const char *id)
{
    uint32_t h = 2166136261u;
    for (; *id != '\0'; id++)
        h = (h ^ (uint8_t)*id) * 16777619u;
    return h;
}

/* Where the id stands in the index, or would stand. */
static uint32_t *slot_of(const struct registry *r, const char *id)
{
    uint32_t at = hash(id) & r->mask;
    while (r->index[at] != 0 &&
           strcmp(r->machines[r->index[at] - 1].id, id) != 0)
        at = (at + 1) & r->mask;
    return &r->index[at];
}

struct machine *registry_find(struct registry *r, const char *id)
{
    uint32_t n = *slot_of(r, id);
    return n == 0 ? NULL : &r->machines[n - 1];
}

struct machine *registry_put(struct registry *r, const char *id)
{
    uint32_t *slot = slot_of(r, id);
    if (*slot == 0 && r->count == r->cap)
        return NULL;
    struct machine *m = &r->machines[*slot == 0 ? r->count : *slot - 1];
    m->round = r->round;
    if (*slot != 0)
        return m;
    r->count++;
    memset(m, 0, sizeof(*m));
    m->round = r->round;
    STR_COPY(m->id, id);
    *slot = r->count;
    return m;
}

/* ---- fleets ----------------------------------------------------------------- */

/* Where the number of this link stands: in the machine, or in the link before
 * it; where a 0 stands when there is none. */
static const uint32_t *link_to(const struct registry *r,
                               const struct machine *m, const char *fleet_id)
{
    const uint32_t *at = &m->links;
    while (*at != 0 && strcmp(r->links[*at].fleet_id, fleet_id) != 0)
        at = &r->links[*at].next;
    return at;
}

bool registry_sees(const struct registry *r, const char *fleet_id,
                   const struct machine *m)
{
    return fleet_id[0] != '\0' && (strcmp(m->fleet_id, fleet_id) == 0 ||
                                   *link_to(r, m, fleet_id) != 0);
}

bool registry_room(const struct registry *r)
{
    return r->links_free != 0 || r->links_fresh <= r->cap;
}

int registry_link(struct registry *r, struct machine *m, const char *fleet_id)
{
    uint32_t at = *link_to(r, m, fleet_id);
    r->links[at].round = r->round; /* [0] stands for none */
    if (at != 0 || strcmp(m->fleet_id, fleet_id) == 0)
        return OK;
    at = r->links_free;
    if (at != 0)
        r->links_free = r->links[at].next;
    else if (r->links_fresh <= r->cap)
        at = r->links_fresh++;
    else
        return ERR_FULL;
    STR_COPY(r->links[at].fleet_id, fleet_id);
    r->links[at].round = r->round;
    r->links[at].next = m->links;
    m->links = at;
    return OK;
}

void registry_unlink(struct registry *r, struct machine *m,
                     const char *fleet_id)
{
    uint32_t *at = &m->links;
    while (*at != 0 && strcmp(r->links[*at].fleet_id, fleet_id) != 0)
        at = &r->links[*at].next;
    if (*at == 0)
        return;
    uint32_t gone = *at;
    *at = r->links[gone].next;
    r->links[gone].next = r->links_free;
    r->links_free = gone;
}

void registry_round(struct registry *r)
{
    r->round++;
}

static void drop_old_links(struct registry *r, struct machine *m,
                           registry_gone *gone, void *ctx)
{
    for (uint32_t at = m->links; at != 0;) {
        const struct registry_link l = r->links[at];
        at = l.next;
        if (l.round == r->round)
            continue;
        registry_unlink(r, m, l.fleet_id);
        gone(ctx, m, l.fleet_id);
    }
}

void registry_round_over(struct registry *r, registry_gone *gone, void *ctx)
{
    for (uint32_t i = 0; i < r->count; i++) {
        struct machine *m = &r->machines[i];
        drop_old_links(r, m, gone, ctx);
        if (m->round == r->round || m->fleet_id[0] == '\0')
            continue;
        m->fleet_id[0] = '\0';
        gone(ctx, m, "");
    }
}

/* ---- what a person typed ---------------------------------------------------- */

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

/* Who looks for a machine, and what he may know of. */
struct search {
    const char *fleet_id;
    registry_shown *shown;
    void *ctx;
    struct view target;
};

static uint32_t collect(struct registry *r, const struct search *s,
                        enum match how, struct machine **first,
                        struct text *names)
{
    uint32_t hits = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        struct machine *m = &r->machines[i];
        if (!matches(m, how, s->target) || !registry_sees(r, s->fleet_id, m) ||
            (s->shown != NULL && !s->shown(s->ctx, m)))
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
                     const char *target, registry_shown *shown, void *ctx,
                     struct machine **out, struct text *candidates)
{
    const struct search s = {fleet_id, shown, ctx, view_str(target)};
    for (enum match how = MATCH_ID; how < MATCH_WAYS; how++) {
        struct machine *first = NULL;
        struct text names = *candidates;
        uint32_t hits = collect(r, &s, how, &first, &names);
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
