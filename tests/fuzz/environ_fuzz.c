/*
 * An environment that an operator asks for. The first byte chooses which
 * facts there are; then TERM's wish and the NAME=value pairs follow, each up
 * to its zero. Whatever is asked, the child finds our own names once and
 * first, of the wishes only those on the list, in their order and whole, and
 * all of it inside its block.
 */
#include "core/environ.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fake/port_user.h"

#define OWN_MAX 256 /* more than our own names take here */

static struct environ e;

/* The list of docs/PROTOCOL.md, section 8. */
static bool may(const char *pair)
{
    return strncmp(pair, "LANG=", 5) == 0 || strncmp(pair, "TZ=", 3) == 0 ||
           strncmp(pair, "COLORTERM=", 10) == 0 ||
           strncmp(pair, "TERM_PROGRAM=", 13) == 0 ||
           (strncmp(pair, "LC_", 3) == 0 && strchr(pair, '=') != NULL);
}

static bool inside(const char *s)
{
    return s >= e.buf && s + strlen(s) < e.buf + sizeof e.buf;
}

static size_t count_of(const char *name)
{
    size_t n = 0, len = strlen(name);
    for (size_t i = 0; i < e.count; i++)
        n += strncmp(e.list[i], name, len) == 0;
    return n;
}

static void check_own(const struct environ_facts *f)
{
    static const char *const once[] = {"HOME=/home/ada", "USER=ada",
                                       "LOGNAME=ada", "SHELL=/bin/fish",
                                       "PATH="};
    for (size_t i = 0; i < sizeof once / sizeof once[0]; i++)
        assert(count_of(once[i]) == 1 && strstr(e.list[i], once[i]) != NULL);
    assert(count_of("HOME=") == 1 && count_of("USER=") == 1);
    assert(count_of("SHELL=") == 1 && count_of("LD_") == 0);
    assert(count_of("TERM=") == (f->term != NULL && f->term[0] != '\0'));
    size_t told = 0;
    told += f->session != NULL;
    told += f->machine != NULL;
    told += f->who != NULL;
    assert(count_of("CMDOP_") == told);
}

/* Every wish that may be granted stands there, in order, and nothing else
 * behind our own names. */
static void check_wishes(const struct msg_strings *asked, size_t own)
{
    size_t at = own;
    for (size_t i = 0; i < asked->count; i++) {
        const char *pair = asked->list[i];
        size_t name_len = strcspn(pair, "=");
        if (!may(pair) || name_len >= 32)
            continue;
        assert(at < e.count && strcmp(e.list[at], pair) == 0);
        at++;
    }
    assert(at == e.count);
}

/* Bytes of the wishes that may be granted. */
static size_t wished(const struct msg_strings *asked)
{
    size_t n = 0;
    for (size_t i = 0; i < asked->count; i++)
        n += may(asked->list[i]) ? strlen(asked->list[i]) + 1 : 0;
    return n;
}

static const char *take(struct view *in)
{
    const char *s = (const char *)in->ptr;
    size_t len = strlen(s);
    *in = view_from(*in, len + 1);
    return s;
}

static void build(uint8_t how, struct view in)
{
    static const char *list[ENV_COUNT_MAX + 1];
    struct msg_strings asked = {.list = list, .cap = ENV_COUNT_MAX + 1};
    struct environ_facts f = {.session = (how & 1) != 0 ? "s" : NULL,
                              .machine = (how & 2) != 0 ? "m" : NULL,
                              .who = (how & 4) != 0 ? "w" : NULL};
    own_path = (how & 8) != 0 ? "/opt/bin" : NULL;
    const char *term = in.len > 0 ? take(&in) : "";
    f.term = environ_term_ok(term) ? term : "xterm";
    assert(strlen(f.term) <= 32 && strpbrk(f.term, "= /\n\x1b") == NULL);
    while (in.len > 0 && asked.count < ENV_COUNT_MAX)
        list[asked.count++] = take(&in);
    list[asked.count] = NULL;
    int err = environ_build(&e, &f, &asked);
    assert(e.count + 1 <= sizeof e.list / sizeof e.list[0]);
    assert(e.list[e.count] == NULL && e.used <= sizeof e.buf);
    for (size_t i = 0; i < e.count; i++)
        assert(inside(e.list[i]) && strchr(e.list[i], '=') != NULL);
    if (err == OK) {
        check_own(&f);
        check_wishes(&asked, 6 + count_of("CMDOP_"));
    } else {
        assert(err == ERR_TOO_BIG && wished(&asked) + OWN_MAX > ARGS_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    /* A copy that ends with a zero. */
    uint8_t *text = malloc(size);
    assert(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    build(data[0], view_of(text, size));
    free(text);
    return 0;
}
