/* The environment of a child; see environ.h. */
#include "core/environ.h"

#include <string.h>

#include "base/err.h"
#include "port/port.h"

#define DEFAULT_PATH \
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int put(struct environ *e, const char *name, struct view value)
{
    struct text t;
    if (e->count + 1 >= sizeof(e->list) / sizeof(e->list[0]))
        return ERR_TOO_BIG;
    text_init(&t, e->buf + e->used, sizeof(e->buf) - e->used);
    text_str(&t, name);
    text_str(&t, "=");
    text_view(&t, value);
    if (t.cut || t.len + 1 >= sizeof(e->buf) - e->used)
        return ERR_TOO_BIG;
    e->list[e->count++] = e->buf + e->used;
    e->list[e->count] = NULL;
    e->used += t.len + 1;
    return OK;
}

/* A variable of our own environment, if it is set. */
static int pass_on(struct environ *e, const char *name, const char *otherwise)
{
    char value[1024];
    if (port_env(name, value, sizeof(value)))
        return put(e, name, view_str(value));
    return otherwise == NULL ? OK : put(e, name, view_str(otherwise));
}

bool environ_term_ok(const char *term)
{
    size_t len = strlen(term);
    if (len == 0 || len > 32)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = term[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') ||
                  (c != '\0' && strchr("-+._", c) != NULL);
        if (!ok)
            return false;
    }
    return true;
}

static bool may_set(struct view pair)
{
    static const char *const names[] = {"LANG=", "LC_",
                                        "TZ=", "COLORTERM=", "TERM_PROGRAM="};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (view_starts(pair, view_str(names[i])))
            return view_find(pair, '=') > 0;
    return false;
}

static int put_asked(struct environ *e, const struct msg_strings *asked)
{
    for (size_t i = 0; i < asked->count; i++) {
        struct view pair = view_str(asked->list[i]);
        if (!may_set(pair))
            continue;
        char name[32];
        ptrdiff_t eq = view_find(pair, '=');
        if ((size_t)eq >= sizeof(name))
            continue;
        bytes_to_str(name, sizeof(name), view_first(pair, (size_t)eq));
        int err = put(e, name, view_from(pair, (size_t)eq + 1));
        if (err != OK)
            return err;
    }
    return OK;
}

static int put_facts(struct environ *e, const struct environ_facts *f)
{
    const struct {
        const char *name, *value;
    } facts[] = {{"TERM", f->term},
                 {"CMDOP_SESSION", f->session},
                 {"CMDOP_MACHINE", f->machine},
                 {"CMDOP_OPERATOR", f->who}};
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        if (facts[i].value == NULL || facts[i].value[0] == '\0')
            continue;
        int err = put(e, facts[i].name, view_str(facts[i].value));
        if (err != OK)
            return err;
    }
    return OK;
}

int environ_build(struct environ *e, const struct environ_facts *f,
                  const struct msg_strings *asked)
{
    e->count = 0;
    e->used = 0;
    e->list[0] = NULL;
    if (put(e, "HOME", view_str(port_home())) != OK ||
        put(e, "USER", view_str(port_username())) != OK ||
        put(e, "LOGNAME", view_str(port_username())) != OK ||
        put(e, "SHELL", view_str(port_shell())) != OK ||
        pass_on(e, "PATH", DEFAULT_PATH) != OK || put_facts(e, f) != OK)
        return ERR_TOO_BIG;
    if (asked->count == 0)
        return pass_on(e, "LANG", NULL);
    return put_asked(e, asked);
}
