/* Which relay to sign in to, and the browser; see login.h. */
#include <string.h>

#include "base/err.h"
#include "cli/login.h"
#include "core/agentfile.h"
#include "core/joinstr.h"
#include "core/trust.h"
#include "crypto/ct.h"
#include "port/port.h"

#define SCHEME "cmdop://"

#define ASK_ITS_OWNER                                                      \
    "the relay prints its address at its start, as cmdop://HOST:PORT/PIN " \
    "(a join string will do)"

/* ---- addresses ------------------------------------------------------------------- */

static void print_address(const char *host, uint16_t port,
                          char out[CREDENTIAL_ADDRESS_CAP])
{
    bool six = strchr(host, ':') != NULL;
    struct text t;
    text_init(&t, out, CREDENTIAL_ADDRESS_CAP);
    text_join(&t, six ? "[" : "", host, six ? "]:" : ":", NULL);
    text_u64(&t, port);
}

/* A name for a relay that has none yet: its host's, as far as it fits. */
static void name_by_host(struct credential *c, const char *host)
{
    STR_COPY(c->name, host);
}

/* The one that is stored of this relay, by its key; its sign-in is renewed
 * under the name that it has. */
static void take_stored(struct credential *c, const struct credentials *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct credential *s = &all->server[i];
        if (memcmp(s->pin, c->pin, sizeof(c->pin)) != 0)
            continue;
        STR_COPY(c->name, s->name);
        return;
    }
    /* Another relay may have the name already. */
    char first[NAME_CAP];
    STR_COPY(first, c->name);
    first[NAME_CAP - 4] = '\0';
    for (uint64_t n = 2; credential_find(all, c->name) != NULL; n++) {
        struct text t;
        TEXT_OF(&t, c->name);
        text_join(&t, first, "-", NULL);
        text_u64(&t, n);
    }
}

static int from_string(const char *said, struct credential *out,
                       struct text *why)
{
    static const uint8_t none[JOINSTR_KEY_RAW_LEN];
    char whole[JOINSTR_CAP + 1], key[96];
    struct joinstr j;
    struct view v = view_str(said);
    ptrdiff_t hash = view_find(v, '#');
    struct text t;
    TEXT_OF(&t, whole);
    text_view(&t, hash < 0 ? v : view_first(v, (size_t)hash));
    joinstr_key(none, key); /* stands for the one that is not needed */
    text_join(&t, "#", key, NULL);
    if (t.cut) {
        text_str(why, "that is too long for a relay's address");
        return ERR_RANGE;
    }
    int err = joinstr_parse(text_done(&t), &j, why);
    if (err != OK)
        return err;
    print_address(j.host, j.port, out->address);
    memcpy(out->pin, j.pin, sizeof(out->pin));
    name_by_host(out, j.host);
    return OK;
}

static int from_machine(const struct paths *p, struct credential *out,
                        struct text *why)
{
    struct agentfile a;
    int err = agentfile_load(p->state, &a, why);
    if (err == ERR_NOT_FOUND) {
        text_init(why, why->buf, why->cap);
        text_str(why, "which relay? name it: cmdop login --server "
                      "cmdop://HOST:PORT/PIN; " ASK_ITS_OWNER);
    }
    if (err != OK)
        return err;
    print_address(a.host, a.port, out->address);
    memcpy(out->pin, a.pin, sizeof(out->pin));
    name_by_host(out, a.host);
    return OK;
}

/* HOST:PORT: the certificate must do for the first time. */
static int by_address(const char *said, struct credential *out,
                      struct text *why)
{
    char host[256], buf[256];
    uint16_t port;
    struct text none;
    TEXT_OF(&none, buf);
    if (joinstr_address(view_str(said), host, &port, &none) != OK) {
        text_join(why, "no sign-in is called ", said,
                  ", and it is no relay's address; " ASK_ITS_OWNER
                  ", and `cmdop auth list` shows the sign-ins here",
                  NULL);
        return ERR_NOT_FOUND;
    }
    print_address(host, port, out->address);
    name_by_host(out, host);
    return trust_host(host, port_wall_ms() / 1000, why);
}

static int find(const struct paths *p, const char *said,
                const struct credentials *all, struct credential *out,
                struct text *why)
{
    const struct credential *stored =
        said == NULL ? credential_current(all) : credential_find(all, said);
    int err = OK;
    if (stored != NULL) {
        *out = *stored;
        return OK;
    }
    if (said == NULL)
        err = from_machine(p, out, why);
    else if (view_starts(view_str(said), view_str(SCHEME)))
        err = from_string(said, out, why);
    else
        err = by_address(said, out, why);
    if (err == OK)
        take_stored(out, all);
    return err;
}

int login_target(const struct paths *p, const char *said,
                 struct credential *out, struct text *why)
{
    static struct credentials all;
    *out = (struct credential){0};
    int err = credential_load(p, &all, why);
    if (err == OK)
        err = find(p, said, &all, out, why);
    credential_wipe(&all);
    return err;
}

/* ---- the browser ------------------------------------------------------------------- */

static bool is_set(const char *name)
{
    char value[256];
    return port_env(name, value, sizeof(value)) && value[0] != '\0';
}

/* The relay said it: a page, and nothing that a program would read
 * otherwise. */
static bool is_page(const char *url)
{
    static const char set[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        "-._~:/?#[]@!&'()*+,;=%";
    struct view v = view_str(url);
    return (view_starts(v, view_str("https://")) ||
            view_starts(v, view_str("http://"))) &&
           url[strspn(url, set)] == '\0';
}

void login_browse(const char *url)
{
    const char *const argv[] = {"xdg-open", url, NULL};
    struct port_spawn what = {.argv = argv};
    struct port_child child;
    if (!is_page(url) || !port_is_tty(PORT_STDIN) ||
        (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY")))
        return;
    if (port_pipe_spawn(&what, &child) != OK)
        return; /* the address is on the screen */
    port_close(child.in);
    port_close(child.out);
    port_close(child.err);
}
