/* The operator's credential file; see credential.h. */
#include "core/credential.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "core/joinstr.h"
#include "core/paths.h"
#include "crypto/ct.h"
#include "port/port.h"

enum {
    VERSION = 1,
    PIN_TEXT_LEN = 43,
    /* Punctuation and names of one server, with room to spare. */
    SERVER_FRAME = 96,
    /* Every character of a name may become two. */
    SERVER_BYTES = SERVER_FRAME + 2 * NAME_CAP + CREDENTIAL_ADDRESS_CAP +
                   PIN_TEXT_LEN + CREDENTIAL_TOKEN_CAP + 2 * NAME_CAP,
    FILE_CAP = 64 + 2 * NAME_CAP + CREDENTIAL_SERVERS_MAX * SERVER_BYTES,
    /* The object, three names and values, eight objects of five; and twice
     * that, to tell a later version's file from a damaged one. */
    TOKENS_MAX = 2 * (1 + 3 * 2 + CREDENTIAL_SERVERS_MAX * (1 + 5 * 2)),
};

static const char *const FILE_NAMES[] = {"version", "servers", "current", NULL};
static const char *const SERVER_NAMES[] = {"name",  "address", "pin",
                                           "token", "user",    NULL};

/* ---- fields ------------------------------------------------------------- */

/* Text that people see: nothing in it that a terminal would act on, and
 * nothing that JSON would change. */
static bool shown_ok(const char *s)
{
    char safe[NAME_CAP];
    struct text t;

    TEXT_OF(&t, safe);
    text_safe(&t, view_str(s));
    return !t.cut && view_is(text_done(&t), s);
}

static bool address_ok(const char *s)
{
    char host[256], sentence[128];
    uint16_t port;
    struct text why;

    TEXT_OF(&why, sentence);
    return joinstr_address(view_str(s), host, &port, &why) == OK;
}

/* RFC 6750, 2.1: b64token. */
static bool token_ok(const char *s)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    return s[strspn(s, set)] == '\0';
}

static bool server_ok(const struct credential *s)
{
    return s->name[0] != '\0' && shown_ok(s->name) && shown_ok(s->user) &&
           address_ok(s->address) && token_ok(s->token);
}

static ptrdiff_t idx_of(const struct credentials *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->server[i].name, name) == 0)
            return (ptrdiff_t)i;
    return -1;
}

/* ---- from JSON ---------------------------------------------------------- */

/* Text into an array of char, whole. */
#define TO_STR(d, object, name, array) \
    json_to_str((d), json_get((d), (object), (name)), (array), sizeof(array))

static bool read_server(const struct json_doc *d, int at,
                        struct credential *out)
{
    uint8_t pin[PIN_TEXT_LEN];

    if (json_only(d, at, SERVER_NAMES) != OK ||
        TO_STR(d, at, "name", out->name) < 0 ||
        TO_STR(d, at, "address", out->address) < 0 ||
        TO_STR(d, at, "token", out->token) < 0 ||
        TO_STR(d, at, "user", out->user) < 0)
        return false;
    int n = json_to_bytes(d, json_get(d, at, "pin"), SPAN_ARRAY(pin));
    if (n < 0 || base64_decode(BASE64_URL, view_of(pin, (size_t)n),
                               SPAN_ARRAY(out->pin)) != CREDENTIAL_PIN_LEN)
        return false;
    return server_ok(out);
}

static bool read_servers(const struct json_doc *d, int list,
                         struct credentials *out)
{
    if (list < 0 || json_kind(d, list) != JSON_ARRAY)
        return false;
    for (int at = json_first(d, list); at >= 0; at = json_next(d, at)) {
        struct credential *s = &out->server[out->count];
        if (out->count == CREDENTIAL_SERVERS_MAX || !read_server(d, at, s) ||
            idx_of(out, s->name) >= 0)
            return false;
        out->count++;
    }
    return true;
}

/* OK, ERR_DAMAGED or ERR_UNSUPPORTED. */
static int read_file(struct view file, struct credentials *out)
{
    jsmntok_t tok[TOKENS_MAX];
    struct json_doc d;
    uint64_t version;

    if (json_parse(&d, file, tok, TOKENS_MAX) != OK ||
        json_to_u64(&d, json_get(&d, 0, "version"), UINT64_MAX, &version) !=
            OK ||
        version == 0)
        return ERR_DAMAGED;
    if (version > VERSION)
        return ERR_UNSUPPORTED;
    if (json_only(&d, 0, FILE_NAMES) != OK ||
        !read_servers(&d, json_get(&d, 0, "servers"), out) ||
        TO_STR(&d, 0, "current", out->current) < 0)
        return ERR_DAMAGED;
    if (out->current[0] != '\0' && idx_of(out, out->current) < 0)
        return ERR_DAMAGED;
    return OK;
}

/* ---- the file ----------------------------------------------------------- */

static int find_path(const char *config_dir, char path[PATH_CAP],
                     struct text *why)
{
    if (paths_join(path, config_dir, "credentials.json") == OK)
        return OK;
    text_str(why, "the path of the credential file is too long");
    return ERR_RANGE;
}

/* Say why it could not be read. */
static int say_unreadable(const char *path, int err, struct text *why)
{
    text_join(why, "cannot read the credential file: ", port_why(), NULL);
    if (err == ERR_DAMAGED)
        text_join(why, "; make it private: chmod 600 ", path, NULL);
    return err;
}

/* Say what is wrong inside, if anything is. */
static int say_unusable(const char *path, int err, struct text *why)
{
    if (err == ERR_UNSUPPORTED)
        text_join(why, "the credential file ", path,
                  " was written by a newer version; update cmdop", NULL);
    else if (err != OK)
        text_join(why, "the credential file ", path,
                  " is damaged; restore "
                  "it from a backup, or remove it and log in again",
                  NULL);
    return err;
}

int credential_load(const char *config_dir, struct credentials *out,
                    struct text *why)
{
    uint8_t file[FILE_CAP];
    char path[PATH_CAP];
    struct credentials c = {0};

    int err = find_path(config_dir, path, why);
    if (err != OK)
        return err;
    int n = port_keep_read(path, true, SPAN_ARRAY(file));
    if (n >= 0)
        err = read_file(view_of(file, (size_t)n), &c);
    if (n >= 0 || n == ERR_TOO_BIG)
        err = say_unusable(path, n >= 0 ? err : ERR_DAMAGED, why);
    else if (n != ERR_NOT_FOUND)
        err = say_unreadable(path, n, why);
    if (err == OK)
        *out = c;
    ct_wipe(SPAN_ARRAY(file));
    credential_wipe(&c);
    return err;
}

static void write_pin(struct json_out *o, const uint8_t *pin)
{
    uint8_t digits[PIN_TEXT_LEN];
    struct writer w;

    writer_init(&w, SPAN_ARRAY(digits));
    base64_write(&w, BASE64_URL, view_of(pin, CREDENTIAL_PIN_LEN));
    json_key(o, "pin");
    json_str(o, writer_view(&w));
}

static void write_file(struct json_out *o, const struct credentials *c)
{
    json_obj_begin(o);
    json_key(o, "version");
    json_u64(o, VERSION);
    json_key(o, "servers");
    json_arr_begin(o);
    for (size_t i = 0; i < c->count; i++) {
        const struct credential *s = &c->server[i];
        json_obj_begin(o);
        json_member(o, "name", s->name);
        json_member(o, "address", s->address);
        write_pin(o, s->pin);
        json_member(o, "token", s->token);
        json_member(o, "user", s->user);
        json_obj_end(o);
    }
    json_arr_end(o);
    json_member(o, "current", c->current);
    json_obj_end(o);
}

int credential_save(const char *config_dir, const struct credentials *c,
                    struct text *why)
{
    char file[FILE_CAP];
    char path[PATH_CAP];
    struct json_out o;
    struct view all = VIEW_NONE;

    int err = find_path(config_dir, path, why);
    if (err != OK)
        return err;
    json_begin(&o, file, sizeof(file));
    write_file(&o, c);
    err = json_done(&o, &all);
    assert(err == OK); /* FILE_CAP is the sum */
    err = port_keep_folder(config_dir);
    if (err == OK)
        err = port_keep_write(path, all);
    if (err != OK)
        text_join(why, "cannot write the credential file: ", port_why(), NULL);
    ct_wipe(SPAN_ARRAY(file));
    return err;
}

/* ---- the list ----------------------------------------------------------- */

const struct credential *credential_find(const struct credentials *c,
                                         const char *name)
{
    ptrdiff_t at = idx_of(c, name);
    return at < 0 ? NULL : &c->server[at];
}

const struct credential *credential_current(const struct credentials *c)
{
    return credential_find(c, c->current);
}

int credential_upsert(struct credentials *c, const struct credential *server)
{
    ptrdiff_t at = idx_of(c, server->name);

    if (!server_ok(server))
        return ERR_RANGE;
    if (at < 0 && c->count == CREDENTIAL_SERVERS_MAX)
        return ERR_LIMIT;
    if (at < 0)
        at = (ptrdiff_t)c->count++;
    c->server[at] = *server;
    return OK;
}

int credential_remove(struct credentials *c, const char *name)
{
    ptrdiff_t at = idx_of(c, name);

    if (at < 0)
        return ERR_NOT_FOUND;
    if (strcmp(c->current, name) == 0)
        c->current[0] = '\0';
    c->count--;
    for (size_t i = (size_t)at; i < c->count; i++)
        c->server[i] = c->server[i + 1];
    ct_wipe(
        (struct span){(uint8_t *)&c->server[c->count], sizeof(c->server[0])});
    return OK;
}

int credential_use(struct credentials *c, const char *name)
{
    ptrdiff_t at = idx_of(c, name);

    if (at < 0)
        return ERR_NOT_FOUND;
    memcpy(c->current, c->server[at].name, sizeof(c->current));
    return OK;
}

void credential_wipe(struct credentials *c)
{
    ct_wipe((struct span){(uint8_t *)c, sizeof(*c)});
}
