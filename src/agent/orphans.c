/* Keepers without an agent; see orphans.h. */
#include "agent/orphans.h"

#include "base/err.h"
#include "core/hold.h"
#include "port/port.h"

struct orphans {
    char folder[PATH_CAP];
    uint32_t count;
    bool end;
};

static void visit(void *ctx, const char *name)
{
    struct orphans *o = ctx;
    char path[PATH_CAP];
    if (paths_join(path, o->folder, name) != OK)
        return;
    int conn = port_local_dial(path);
    if (conn < 0)
        return;
    o->count++;
    if (o->end)
        (void)hold_send(conn, HOLD_RELEASE, "");
    port_close(conn);
}

static uint32_t visit_all(const struct paths *paths, bool end)
{
    static const char *const folders[] = {"sessions", "jobs"};
    struct orphans o = {.end = end};
    for (int i = 0; i < 2; i++)
        if (paths_join(o.folder, paths->state, folders[i]) == OK)
            (void)port_folder_list(o.folder, visit, &o);
    return o.count;
}

uint32_t orphans_count(const struct paths *paths)
{
    return visit_all(paths, false);
}

uint32_t orphans_end(const struct paths *paths)
{
    return visit_all(paths, true);
}
