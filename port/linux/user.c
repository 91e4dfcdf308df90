/* Who we are and what our environment says; see port.h. /etc/passwd is read
 * here: getpwuid allocates. */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "slurp.h"

/* The fields of one line that we use, in one buffer. */
static struct {
    bool is_loaded;
    char line[512];
    const char *name, *home, *shell;
} user;

/* "name:x:uid:gid:gecos:home:shell", the i-th of it cut off in place. */
static char *field(char *line, int i)
{
    char *end;
    for (; i > 0 && line != NULL; i--) {
        line = strchr(line, ':');
        line = line != NULL ? line + 1 : NULL;
    }
    if (line == NULL)
        return NULL;
    end = strchr(line, ':');
    if (end != NULL)
        *end = '\0';
    return line;
}

static bool is_line_of(struct view line, uint32_t uid)
{
    uint64_t found;
    for (int i = 0; i < 2; i++) {
        ptrdiff_t colon = view_find(line, ':');
        if (colon < 0)
            return false;
        line = view_from(line, (size_t)colon + 1);
    }
    ptrdiff_t colon = view_find(line, ':');
    return colon > 0 &&
           text_parse_u64(view_first(line, (size_t)colon), UINT32_MAX,
                          &found) == OK &&
           found == uid;
}

static bool take_line(void *ctx, struct view line)
{
    (void)ctx;
    if (line.len >= sizeof(user.line) || !is_line_of(line, getuid()))
        return true;
    bytes_to_str(user.line, sizeof(user.line), line);
    user.shell = field(user.line, 6); /* the last first: each cut ends one */
    user.home = field(user.line, 5);
    user.name = field(user.line, 0);
    return false;
}

static const char *env_path(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] == '/' ? value : NULL;
}

static void load(void)
{
    static char digits[12];
    const char *shell;
    struct text t;
    if (user.is_loaded)
        return;
    user.is_loaded = true;
    slurp_lines("/etc/passwd", take_line, NULL);
    if (env_path("HOME") != NULL || user.home == NULL)
        user.home = env_path("HOME");
    if (user.name == NULL || user.name[0] == '\0') {
        TEXT_OF(&t, digits);
        text_u64(&t, getuid());
        user.name = digits;
    }
    shell = user.shell;
    if (shell == NULL || access(shell, X_OK) < 0)
        shell = env_path("SHELL");
    if (shell == NULL || access(shell, X_OK) < 0)
        shell = "/bin/sh";
    user.shell = shell;
}

bool port_env(const char *name, char *out, size_t cap)
{
    const char *value = getenv(name);
    if (value == NULL || strlen(value) >= cap)
        return false;
    memcpy(out, value, strlen(value) + 1);
    return true;
}

const char *port_home(void)
{
    load();
    return user.home != NULL ? user.home : "";
}

const char *port_username(void)
{
    load();
    return user.name;
}

const char *port_shell(void)
{
    load();
    return user.shell;
}

uint32_t port_uid(void)
{
    return getuid();
}

int port_pid(void)
{
    return getpid();
}

void port_hostname(char *out, size_t cap)
{
    struct utsname u;
    if (uname(&u) < 0)
        u.nodename[0] = '\0';
    bytes_to_str(out, cap, view_str(u.nodename));
}
