/* Places of a relay; see place.h. */
#include "relay/place.h"

#include "base/err.h"
#include "core/joinstr.h"
#include "port/port.h"
#include "relay/backup.h"
#include "relay/config.h"

int place_find(struct place *p, const char *state_dir, struct text *why)
{
    static struct config config;
    const struct config_flags none = {.file = NULL};
    if (state_dir != NULL)
        return place_at(p, state_dir, why);
    int err = paths_find(&p->user, why);
    if (err == OK)
        err = config_load(&config, p->user.config, &none, why);
    if (err != OK)
        return err;
    return place_at(p, config_get(&config, CONFIG_STATE_DIR), why);
}

int place_at(struct place *p, const char *state_dir, struct text *why)
{
    int err = paths_find(&p->user, why);
    if (err != OK)
        return err;
    const char *folder = state_dir != NULL ? state_dir : p->user.server;
    if (STR_COPY(p->folder, folder) + 1 >= sizeof(p->folder)) {
        text_str(why, "the state folder's path is too long");
        return ERR_RANGE;
    }
    return backup_settle(p->folder, why);
}

int place_save_address(const struct place *p, const char *address,
                       struct text *why)
{
    char path[PATH_CAP];
    int err = paths_join(path, p->folder, "address");
    if (err == OK)
        err = port_keep_write(path, view_str(address));
    if (err != OK)
        text_join(why, "cannot write ", path, ": ", port_why(), NULL);
    return err;
}

int place_load_address(const struct place *p, char host[256], uint16_t *port,
                       struct text *why)
{
    char path[PATH_CAP];
    uint8_t buf[264];
    int n = paths_join(path, p->folder, "address");
    if (n == OK)
        n = port_keep_read(path, false, SPAN_ARRAY(buf));
    if (n < 0) {
        text_join(why, "no relay was started with the state folder ", p->folder,
                  "; run `cmdop server` first", NULL);
        return n;
    }
    return joinstr_address(view_of(buf, (size_t)n), host, port, why);
}

struct store_actor place_actor(void)
{
    struct store_actor a = {.kind = "cli"};
    STR_COPY(a.name, port_username());
    return a;
}
