/* Folders; see paths.h. */
#include "core/paths.h"

#include <string.h>

#include "base/err.h"
#include "port/port.h"

/* Room to read a variable in: longer than any path the system takes, so that
 * one which is too long for us is told and not overlooked. */
enum { VALUE_CAP = 4096 };

/* One folder: where it may be named, and where it is otherwise. */
struct place {
    const char *own;     /* variable that names the folder itself */
    const char *xdg;     /* variable that names its parent */
    const char *at_home; /* below the home folder */
};

static const struct place CONFIG = {"CMDOP_CONFIG_DIR", "XDG_CONFIG_HOME",
                                    ".config/cmdop"};
static const struct place STATE = {"CMDOP_STATE_DIR", "XDG_STATE_HOME",
                                   ".local/state/cmdop"};
static const struct place RUNTIME = {"CMDOP_RUNTIME_DIR", "XDG_RUNTIME_DIR",
                                     NULL};

int paths_join(char out[PATH_CAP], const char *folder, const char *name)
{
    struct text t;

    text_init(&t, out, PATH_CAP);
    text_str(&t, folder);
    if (t.len > 0 && out[t.len - 1] != '/')
        text_char(&t, '/');
    text_str(&t, name);
    if (!t.cut)
        return OK;
    out[0] = '\0';
    return ERR_RANGE;
}

static int too_long(struct text *why, const char *what)
{
    text_join(why, what, " is too long for a folder's name", NULL);
    return ERR_RANGE;
}

/* A variable that is set, without the slashes at its end. */
static bool env_path(const char *name, char out[VALUE_CAP])
{
    if (!port_env(name, out, VALUE_CAP) || out[0] == '\0')
        return false;
    for (size_t n = strlen(out); n > 1 && out[n - 1] == '/'; n--)
        out[n - 1] = '\0';
    return true;
}

/* By the place's variables: 1 when one of them decided, 0 when none did, or
 * an error. */
static int from_env(const struct place *p, char out[PATH_CAP], struct text *why)
{
    char value[VALUE_CAP];

    if (env_path(p->own, value)) {
        if (value[0] != '/') {
            text_join(why, p->own,
                      " is not an absolute path; let it begin "
                      "with a slash, or unset it",
                      NULL);
            return ERR_RANGE;
        }
        if (strlen(value) >= PATH_CAP)
            return too_long(why, p->own);
        memcpy(out, value, strlen(value) + 1);
        return 1;
    }
    if (!env_path(p->xdg, value) || value[0] != '/')
        return 0;
    return paths_join(out, value, "cmdop") == OK ? 1 : too_long(why, p->xdg);
}

static int from_home(const struct place *p, char out[PATH_CAP],
                     struct text *why)
{
    const char *home = port_home();

    if (home[0] != '/') {
        text_join(why, "the home folder is unknown; set HOME, or ", p->own,
                  NULL);
        return ERR_NOT_FOUND;
    }
    if (paths_join(out, home, p->at_home) != OK)
        return too_long(why, "HOME");
    return OK;
}

static int find(const struct place *p, char out[PATH_CAP], struct text *why)
{
    int found = from_env(p, out, why);

    if (found == 0)
        return from_home(p, out, why);
    return found < 0 ? found : OK;
}

int paths_find(struct paths *out, struct text *why)
{
    struct paths found;
    int err = find(&CONFIG, found.config, why);

    if (err == OK)
        err = find(&STATE, found.state, why);
    if (err != OK)
        return err;
    err = from_env(&RUNTIME, found.runtime, why);
    if (err < 0)
        return err;
    if (err == 0 && paths_join(found.runtime, found.state, "run") != OK)
        return too_long(why, found.state);
    if (paths_join(found.server, found.state, "server") != OK)
        return too_long(why, found.state);
    *out = found;
    return OK;
}
