/* The walk along PATH; see program.h. Done before the child exists, so that
 * "no such program" is known exactly and costs no process. */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "why.h"

#define PATH_DEFAULT \
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *path_of(const char *const *env)
{
    for (; *env != NULL; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return PATH_DEFAULT;
}

/* A regular file that this user may execute? What cannot be seen is not
 * there: a folder of PATH may be closed to this user. */
static int check(const char *path, int cwd)
{
    struct stat st;
    if (fstatat(cwd, path, &st, 0) < 0)
        return ERR_NOT_FOUND;
    if (!S_ISREG(st.st_mode))
        return ERR_DENIED;
    return faccessat(cwd, path, X_OK, AT_EACCESS) == 0 ? OK : ERR_DENIED;
}

/* Put "folder/name" together and check it. An empty folder is the current
 * one, written "./" so that a leading '-' or '~' stays a name. */
static int try_folder(struct view folder, const char *name, int cwd, char *out,
                      size_t cap)
{
    struct text t;
    text_init(&t, out, cap);
    text_view(&t, folder.len > 0 ? folder : view_str("."));
    text_join(&t, "/", name, NULL);
    return t.cut ? ERR_NOT_FOUND : check(out, cwd);
}

static int search(const char *name, struct view path, int cwd, char *out,
                  size_t cap)
{
    int result = ERR_NOT_FOUND;
    for (;;) {
        ptrdiff_t colon = view_find(path, ':');
        size_t len = colon < 0 ? path.len : (size_t)colon;
        int rc = try_folder(view_first(path, len), name, cwd, out, cap);
        if (rc == OK)
            return OK;
        if (rc == ERR_DENIED)
            result = rc;
        if (colon < 0)
            return result;
        path = view_from(path, len + 1);
    }
}

/* A name with a slash is a path already. */
static int take_path(const char *name, int cwd, char *out, size_t cap)
{
    size_t len = strlen(name);
    int rc;
    if (len >= cap)
        return ERR_NOT_FOUND;
    memcpy(out, name, len + 1);
    rc = check(out, cwd);
    return rc == ERR_NOT_FOUND && errno == EACCES ? ERR_DENIED : rc;
}

int program_find(const char *name, const char *const *env, int cwd, char *out,
                 size_t cap)
{
    int rc = ERR_NOT_FOUND;
    if (strchr(name, '/') != NULL)
        rc = take_path(name, cwd, out, cap);
    else if (name[0] != '\0')
        rc = search(name, view_str(path_of(env)), cwd, out, cap);
    if (rc == ERR_NOT_FOUND)
        return why_say(rc, name, "no such program");
    if (rc == ERR_DENIED)
        return why_say(rc, name, "it may not be executed");
    return rc;
}
