/* Where a relay's settings come from; see config.h. */
#include "relay/config.h"

#include <string.h>

#include "base/err.h"
#include "core/paths.h"
#include "port/port.h"
#include "relay/forwarded.h"
#include "relay/yamldoc.h"

#define NODES_MAX    64
#define NEAR_MAX     3 /* so many letters may be wrong for "did you mean" */
#define KEY_NAME_MAX 32

#define TRUSTED_WORDS                                                    \
    "takes up to 16 networks of proxies like 127.0.0.1/32, each with 8 " \
    "bits or more; without any no header is believed"

enum kind { TEXT, PATH, NUMBER, LIST };

static const struct {
    const char *name; /* in server.yaml; '.' is a step into a map */
    const char *flag;
    const char *env;
    enum kind kind;
    const char *fallback; /* NULL: none here */
} keys[CONFIG_KEYS] = {
    [CONFIG_STATE_DIR] = {"state_dir", "--state-dir", NULL, PATH, NULL},
    [CONFIG_NAME] = {"name", "--name", "CMDOP_SERVER_NAME", TEXT, NULL},
    [CONFIG_ADDRESS] = {"address", "--address", "CMDOP_SERVER_ADDRESS", TEXT,
                        NULL},
    [CONFIG_MODE] = {"mode", "--mode", "CMDOP_SERVER_MODE", TEXT, "lan"},
    [CONFIG_LISTEN_GRPC] = {"listen_grpc", "--listen-grpc",
                            "CMDOP_SERVER_LISTEN_GRPC", TEXT, "[::]:50051"},
    [CONFIG_LISTEN_API] = {"listen_api", "--listen-api",
                           "CMDOP_SERVER_LISTEN_API", TEXT, "[::]:8000"},
    [CONFIG_API_URL] = {"api_url", "--api-url", "CMDOP_SERVER_API_URL", TEXT,
                        NULL},
    [CONFIG_ADMIN_PASSWORD_FILE] = {"initial_admin_password_file",
                                    "--initial-admin-password-file",
                                    "CMDOP_SERVER_INITIAL_ADMIN_PASSWORD_FILE",
                                    PATH, NULL},
    [CONFIG_MAX_CONNECTIONS] = {"max_connections", "--max-connections",
                                "CMDOP_SERVER_MAX_CONNECTIONS", NUMBER, "4096"},
    [CONFIG_TLS_CERTIFICATE] = {"tls.certificate", "--tls-certificate",
                                "CMDOP_SERVER_TLS_CERTIFICATE", PATH, NULL},
    [CONFIG_TLS_KEY] = {"tls.key", "--tls-key", "CMDOP_SERVER_TLS_KEY", PATH,
                        NULL},
    [CONFIG_PROXY_CERTIFICATE] = {"proxy.certificate", "--proxy-certificate",
                                  "CMDOP_SERVER_PROXY_CERTIFICATE", PATH, NULL},
    [CONFIG_PROXY_LISTEN] = {"proxy.listen", "--proxy-listen",
                             "CMDOP_SERVER_PROXY_LISTEN", TEXT, NULL},
    [CONFIG_PROXY_FROM] = {"proxy.from", "--proxy-from",
                           "CMDOP_SERVER_PROXY_FROM", LIST, NULL},
    [CONFIG_TRUSTED_PROXIES] = {"trusted_proxies", "--trusted-proxies",
                                "CMDOP_SERVER_TRUSTED_PROXIES", LIST, NULL},
};

/* ---- names ---------------------------------------------------------------------- */

const char *config_key_name(enum config_key key)
{
    return keys[key].name;
}

const char *config_env_name(enum config_key key)
{
    return keys[key].env;
}

const char *config_flag_name(enum config_key key)
{
    return keys[key].flag;
}

const char *config_origin_name(enum config_origin origin)
{
    static const char *const names[] = {[CONFIG_UNSET] = "unset",
                                        [CONFIG_DEFAULT] = "default",
                                        [CONFIG_FILE] = "file",
                                        [CONFIG_ENV] = "environment",
                                        [CONFIG_FLAG] = "flag"};
    return names[origin];
}

void config_opts(struct config_flags *f, struct cmd_opt *opts)
{
    for (int i = 0; i < CONFIG_KEYS; i++)
        opts[i] = (struct cmd_opt){keys[i].flag, NULL, NULL, &f->value[i]};
    opts[CONFIG_KEYS] = (struct cmd_opt){"--config", NULL, NULL, &f->file};
}

/* How many letters must be changed, added or left out (Levenshtein). */
static unsigned distance(struct view a, struct view b)
{
    unsigned row[KEY_NAME_MAX + 1];
    if (a.len > KEY_NAME_MAX || b.len > KEY_NAME_MAX)
        return UINT32_MAX;
    for (unsigned i = 0; i <= b.len; i++)
        row[i] = i;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned k = 1; k <= b.len; k++) {
            unsigned here = diagonal + (a.ptr[i - 1] != b.ptr[k - 1]);
            diagonal = row[k];
            if (row[k] + 1 < here)
                here = row[k] + 1;
            if (row[k - 1] + 1 < here)
                here = row[k - 1] + 1;
            row[k] = here;
        }
    }
    return row[b.len];
}

/* The key, or the map of keys, that is spelt most like it. */
static struct view nearest(struct view name)
{
    struct view best = VIEW_NONE;
    unsigned least = NEAR_MAX + 1;
    for (int i = 0; i < CONFIG_KEYS; i++) {
        struct view key = view_str(keys[i].name);
        ptrdiff_t dot = view_find(key, '.');
        struct view group = dot < 0 ? key : view_first(key, (size_t)dot);
        unsigned whole = distance(name, key), part = distance(name, group);
        if (whole < least)
            best = key;
        if (part < least && part < whole)
            best = group;
        least = whole < least ? whole : least;
        least = part < least ? part : least;
    }
    return best;
}

static int find_key(struct view name)
{
    for (int i = 0; i < CONFIG_KEYS; i++)
        if (view_is(name, keys[i].name))
            return i;
    return -1;
}

/* Is this the name of a map in which keys are? */
static bool is_group(struct view name)
{
    for (int i = 0; i < CONFIG_KEYS; i++) {
        struct view key = view_str(keys[i].name);
        if (view_starts(key, name) && key.len > name.len &&
            key.ptr[name.len] == '.')
            return true;
    }
    return false;
}

/* ---- server.yaml ------------------------------------------------------------------ */

static void at_line(struct text *why, uint32_t line)
{
    text_str(why, "line ");
    text_u64(why, line);
    text_str(why, ": ");
}

static int unknown(uint32_t line, struct view name, struct text *why)
{
    struct view best = nearest(name);
    at_line(why, line);
    text_str(why, "there is no key ");
    text_safe(why, name);
    if (best.len > 0) {
        text_str(why, "; did you mean ");
        text_view(why, best);
        text_str(why, "?");
    }
    return ERR_RANGE;
}

/* The node's name from the top: "tls.key". */
static struct view full_name(const struct yamldoc_node *nodes, int at,
                             struct text *t)
{
    if (nodes[at].parent >= 0) {
        full_name(nodes, nodes[at].parent, t);
        text_char(t, '.');
    }
    text_view(t, nodes[at].key);
    return text_done(t);
}

static int no_value(uint32_t line, const char *key, const char *what,
                    struct text *why)
{
    at_line(why, line);
    text_join(why, key, " ", what, NULL);
    return ERR_RANGE;
}

static int put(struct config_value *v, struct view text,
               enum config_origin origin)
{
    if (text.len == 0 || text.len >= sizeof(v->text) ||
        view_find(text, '\n') >= 0)
        return ERR_RANGE;
    bytes_to_str(v->text, sizeof(v->text), text);
    v->origin = origin;
    return OK;
}

/* Of a list, its members are looked at one by one, so that the line is told. */
static bool is_member(int key, struct view v)
{
    struct proxies p;
    return key != CONFIG_TRUSTED_PROXIES || proxies_read(v, &p) == OK;
}

static int put_file(struct config *c, int key, const struct yamldoc_node *n,
                    struct text *why)
{
    struct config_value *v = &c->value[key];
    const char *name = keys[key].name;
    char joined[PATH_CAP];
    struct text t;
    TEXT_OF(&t, joined);
    if (keys[key].kind == LIST && v->origin == CONFIG_FILE &&
        n->key.len == 0) /* a further member of the list */
        text_join(&t, v->text, ",", NULL);
    text_view(&t, n->value);
    v->line = n->line;
    if (t.cut || n->value.len == 0 ||
        (keys[key].kind == LIST && view_find(n->value, ',') >= 0))
        return no_value(n->line, name, "has no value, or one that is too long",
                        why);
    if (put(v, text_done(&t), CONFIG_FILE) != OK)
        return no_value(n->line, name, "is not one line of text", why);
    if (!is_member(key, n->value))
        return no_value(n->line, name, TRUSTED_WORDS, why);
    return OK;
}

static int on_scalar(struct config *c, const struct yamldoc_node *nodes, int at,
                     struct text *why)
{
    char buf[2 * KEY_NAME_MAX + 2];
    struct text t;
    TEXT_OF(&t, buf);
    const struct yamldoc_node *n = &nodes[at];
    struct view name = full_name(nodes, n->key.len > 0 ? at : n->parent, &t);
    int key = t.cut ? -1 : find_key(name);
    if (key < 0 && is_group(name))
        return no_value(n->line, buf, "is a map of keys, not a value", why);
    if (key < 0)
        return unknown(n->line, name, why);
    return put_file(c, key, n, why);
}

static int on_map(const struct yamldoc_node *nodes, int at, struct text *why)
{
    char buf[2 * KEY_NAME_MAX + 2];
    struct text t;
    TEXT_OF(&t, buf);
    struct view name = full_name(nodes, at, &t);
    if (!t.cut && is_group(name))
        return OK;
    if (!t.cut && find_key(name) >= 0)
        return no_value(nodes[at].line, buf, "is a value, not a map", why);
    return unknown(nodes[at].line, name, why);
}

static int on_list(const struct yamldoc_node *nodes, int at, struct text *why)
{
    char buf[2 * KEY_NAME_MAX + 2];
    struct text t;
    TEXT_OF(&t, buf);
    struct view name = full_name(nodes, at, &t);
    int key = t.cut ? -1 : find_key(name);
    if (key >= 0 && keys[key].kind == LIST)
        return OK;
    if (key >= 0 || (!t.cut && is_group(name)))
        return no_value(nodes[at].line, buf, "takes no list", why);
    return unknown(nodes[at].line, name, why);
}

int config_read(struct config *c, struct view yaml, struct text *why)
{
    static uint8_t memory[YAMLDOC_MEMORY];
    struct yamldoc_node nodes[NODES_MAX];
    int count = yamldoc_read(yaml, SPAN_ARRAY(memory), nodes, NODES_MAX, why);
    int err = count < 0 ? count : OK;
    for (int i = 0; err == OK && i < count; i++) {
        bool member = nodes[i].parent >= 0 && nodes[i].key.len == 0;
        switch (nodes[i].kind) {
        case YAMLDOC_SCALAR: err = on_scalar(c, nodes, i, why); break;
        case YAMLDOC_MAP:
        case YAMLDOC_LIST:
            if (member)
                err = no_value(nodes[i].line, "this list", "takes texts only",
                               why);
            else if (nodes[i].kind == YAMLDOC_MAP)
                err = on_map(nodes, i, why);
            else
                err = on_list(nodes, i, why);
            break;
        }
    }
    return err;
}

/* Relative paths start where the file is. */
static int anchor_paths(struct config *c, struct text *why)
{
    char folder[PATH_CAP];
    STR_COPY(folder, c->file);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        return OK; /* the working folder is where the file is */
    slash[1] = '\0';
    for (int i = 0; i < CONFIG_KEYS; i++) {
        struct config_value *v = &c->value[i];
        char path[PATH_CAP];
        if (keys[i].kind != PATH || v->origin != CONFIG_FILE ||
            v->text[0] == '/')
            continue;
        if (paths_join(path, folder, v->text) != OK)
            return no_value(v->line, keys[i].name, "is a path that is too long",
                            why);
        STR_COPY(v->text, path);
    }
    return OK;
}

static int load_file(struct config *c, bool named, struct text *why)
{
    static uint8_t yaml[YAMLDOC_TEXT_MAX + 1];
    char buf[512];
    struct text reason;
    int n = port_keep_read(c->file, false, SPAN_ARRAY(yaml));
    if (n == ERR_NOT_FOUND && !named)
        return OK;
    if (n == ERR_TOO_BIG) {
        text_join(why, c->file, ": the file is larger than 16 KiB", NULL);
        return n;
    }
    if (n < 0) {
        text_join(why, "cannot read ", port_why(), NULL);
        return n;
    }
    c->has_file = true;
    TEXT_OF(&reason, buf);
    int err = config_read(c, view_of(yaml, (size_t)n), &reason);
    if (err == OK)
        err = anchor_paths(c, &reason);
    if (err != OK)
        text_join(why, c->file, ": ", buf, NULL);
    return err;
}

/* ---- environment, flags, checks --------------------------------------------------- */

static int from_outside(struct config *c, const struct config_flags *f,
                        struct text *why)
{
    for (int i = 0; i < CONFIG_KEYS; i++) {
        char text[PATH_CAP];
        if (f->value[i] == NULL && keys[i].env != NULL &&
            port_env(keys[i].env, text, sizeof(text)) && text[0] != '\0' &&
            put(&c->value[i], view_str(text), CONFIG_ENV) != OK) {
            text_join(why, keys[i].env, " is not one line of text", NULL);
            return ERR_RANGE;
        }
        if (f->value[i] != NULL &&
            put(&c->value[i], view_str(f->value[i]), CONFIG_FLAG) != OK) {
            text_join(why, keys[i].flag,
                      " has no value, or one that is too "
                      "long",
                      NULL);
            return ERR_RANGE;
        }
    }
    return OK;
}

/* Name a value by the place it came from: "--mode", "server.yaml line 3". */
static void place(const struct config *c, enum config_key key, struct text *why)
{
    const struct config_value *v = &c->value[key];
    switch (v->origin) {
    case CONFIG_FLAG: text_str(why, keys[key].flag); break;
    case CONFIG_ENV: text_str(why, keys[key].env); break;
    case CONFIG_FILE:
        text_join(why, c->file, ": ", NULL);
        at_line(why, v->line);
        text_str(why, keys[key].name);
        break;
    case CONFIG_UNSET:
    case CONFIG_DEFAULT: text_str(why, keys[key].name); break;
    }
}

int config_bad(const struct config *c, enum config_key key, const char *what,
               struct text *why)
{
    place(c, key, why);
    text_join(why, " ", what, NULL);
    return ERR_RANGE;
}

static int check_mode(const struct config *c, struct text *why)
{
    const char *mode = config_get(c, CONFIG_MODE);
    if (mode == NULL || strcmp(mode, "lan") == 0)
        return OK;
    return config_bad(
        c, CONFIG_MODE,
        strcmp(mode, "public") == 0
            ? "is public, which needs a hosted edge that this build "
              "does not speak to; use lan"
            : "takes lan",
        why);
}

static int check_url(const struct config *c, struct text *why)
{
    const char *url = config_get(c, CONFIG_API_URL);
    if (url == NULL)
        return OK;
    struct view v = view_str(url), https = view_str("https://"),
                http = view_str("http://");
    bool ok = view_starts(v, https) || view_starts(v, http);
    v = view_from(v, view_starts(v, https) ? https.len : http.len);
    ok = ok && v.len > 0 && v.ptr[0] != '/';
    for (size_t i = 0; i < v.len; i++)
        ok = ok && v.ptr[i] > ' ' && v.ptr[i] < 0x7f &&
             strchr("\"'<>?#@\\/", v.ptr[i]) == NULL;
    return ok ? OK
              : config_bad(
                    c, CONFIG_API_URL,
                    "takes https://relay.example, say, without a path, as "
                    "browsers reach the "
                    "api port",
                    why);
}

static int check_trusted(const struct config *c, struct text *why)
{
    const char *list = config_get(c, CONFIG_TRUSTED_PROXIES);
    struct proxies p;
    if (list == NULL || proxies_read(view_str(list), &p) == OK)
        return OK;
    return config_bad(c, CONFIG_TRUSTED_PROXIES, TRUSTED_WORDS, why);
}

/* Of two that only make sense together, is one alone? */
static int check_pair(const struct config *c, enum config_key has,
                      enum config_key wants, struct text *why)
{
    if (config_get(c, has) == NULL || config_get(c, wants) != NULL)
        return OK;
    place(c, has, why);
    text_join(why, " is given, and ", keys[wants].name, " is not", NULL);
    return ERR_RANGE;
}

static int check(const struct config *c, struct text *why)
{
    uint64_t n;
    const char *conns = config_get(c, CONFIG_MAX_CONNECTIONS);
    if (conns != NULL &&
        (text_parse_u64(view_str(conns), 32000, &n) != OK || n == 0))
        return config_bad(c, CONFIG_MAX_CONNECTIONS,
                          "takes a number from 1 to 32000", why);
    int err = check_mode(c, why);
    if (err == OK)
        err = check_url(c, why);
    if (err == OK)
        err = check_trusted(c, why);
    if (err == OK)
        err = check_pair(c, CONFIG_TLS_CERTIFICATE, CONFIG_TLS_KEY, why);
    if (err == OK)
        err = check_pair(c, CONFIG_TLS_KEY, CONFIG_TLS_CERTIFICATE, why);
    if (err == OK)
        err = check_pair(c, CONFIG_PROXY_LISTEN, CONFIG_PROXY_CERTIFICATE, why);
    if (err == OK)
        err = check_pair(c, CONFIG_PROXY_FROM, CONFIG_PROXY_CERTIFICATE, why);
    return err;
}

/* ---- doors -------------------------------------------------------------------------- */

const char *config_get(const struct config *c, enum config_key key)
{
    const struct config_value *v = &c->value[key];
    return v->origin == CONFIG_UNSET ? NULL : v->text;
}

void config_default(struct config *c, enum config_key key, const char *value)
{
    if (c->value[key].origin == CONFIG_UNSET)
        (void)put(&c->value[key], view_str(value), CONFIG_DEFAULT);
}

int config_load(struct config *c, const char *dir, const struct config_flags *f,
                struct text *why)
{
    memset(c, 0, sizeof(*c));
    int err = f->file == NULL ? paths_join(c->file, dir, "server.yaml") : OK;
    if (f->file != NULL && STR_COPY(c->file, f->file) + 1 >= sizeof(c->file))
        err = ERR_RANGE;
    if (err != OK) {
        text_str(why, "the path of server.yaml is too long");
        return err;
    }
    err = load_file(c, f->file != NULL, why);
    if (err == OK)
        err = from_outside(c, f, why);
    if (err == OK)
        err = check(c, why);
    for (int i = 0; i < CONFIG_KEYS; i++)
        if (keys[i].fallback != NULL)
            config_default(c, (enum config_key)i, keys[i].fallback);
    if (config_get(c, CONFIG_PROXY_CERTIFICATE) != NULL)
        config_default(c, CONFIG_PROXY_LISTEN, "127.0.0.1:50052");
    return err;
}
