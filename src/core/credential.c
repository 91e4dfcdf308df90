/* The operator's credential file; see credential.h. */
#include "core/credential.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "core/joinstr.h"
#include "core/keyring.h"
#include "crypto/ct.h"
#include "port/port.h"

#define LOCK_POLL_MS 20

enum {
    VERSION = 2,
    PIN_TEXT_LEN = 43,
    KEY_TEXT_LEN = 43,
    TIME_LEN = 20,
    /* Punctuation and names of one server, with room to spare. */
    SERVER_FRAME = 224,
    /* Every character of what people see may become two. */
    SERVER_BYTES = SERVER_FRAME + 2 * NAME_CAP + CREDENTIAL_ADDRESS_CAP +
                   PIN_TEXT_LEN + 2 * CREDENTIAL_TOKEN_CAP + 2 * TIME_LEN +
                   2 * NAME_CAP + 2 * CREDENTIAL_EMAIL_CAP +
                   2 * CREDENTIAL_ID_CAP + 2 * NAME_CAP,
    LIST_CAP = 64 + 2 * NAME_CAP + CREDENTIAL_SERVERS_MAX * SERVER_BYTES,
    BOX_CAP = SEAL_NONCE_LEN + LIST_CAP + SEAL_TAG_LEN,
    FILE_CAP = 64 + (BOX_CAP + 2) / 3 * 4,
    /* The object, two names and values, eight objects of twelve; and as many
     * again, to tell a later version's file from a damaged one. */
    TOKENS_MAX = 2 * (1 + 3 * 2 + CREDENTIAL_SERVERS_MAX * (1 + 12 * 2)),
    HEAD_CAP = 32,
};

static const char *const FILE_NAMES_1[] = {"version", "servers", "current",
                                           NULL};
static const char *const FILE_NAMES[] = {"version", "key", "box", NULL};
static const char *const LIST_NAMES[] = {"servers", "current", NULL};
static const char *const SERVER_NAMES_1[] = {"name",  "address", "pin",
                                             "token", "user",    NULL};
static const char *const SERVER_NAMES[] = {
    "name",     "address",         "pin",  "token", "token_expires",
    "refresh",  "refresh_expires", "user", "email", "user_id",
    "fleet_id", "fleet",           NULL};
static const char *const KEY_WORDS[] = {
    [CREDENTIAL_KEY_FILE] = "file", [CREDENTIAL_KEY_KEYRING] = "keyring"};

/* ---- fields ------------------------------------------------------------- */

/* Text that people see: nothing in it that a terminal would act on, and
 * nothing that JSON would change. */
static bool shown_ok(const char *s)
{
    char safe[CREDENTIAL_EMAIL_CAP];
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

static bool id_ok(const char *s)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz0123456789-_";
    return s[strspn(s, set)] == '\0';
}

static bool server_ok(const struct credential *s)
{
    return s->name[0] != '\0' && shown_ok(s->name) && shown_ok(s->user) &&
           shown_ok(s->email) && shown_ok(s->fleet) && id_ok(s->user_id) &&
           id_ok(s->fleet_id) && address_ok(s->address) && token_ok(s->token) &&
           token_ok(s->refresh) && s->token_expires_ms >= 0 &&
           s->refresh_expires_ms >= 0;
}

static ptrdiff_t idx_of(const struct credentials *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->server[i].name, name) == 0)
            return (ptrdiff_t)i;
    return -1;
}

/* ---- work --------------------------------------------------------------- */

/* One reading or writing: its paths, and the secrets on their way. The large
 * buffers are here and not on the stack; one thread uses them, and they are
 * wiped behind it. */
struct work {
    char path[PATH_CAP];
    char key_path[PATH_CAP];
    const struct paths *paths;
    struct text *why;
    uint8_t file[FILE_CAP];
    uint8_t box[BOX_CAP];
    uint8_t list[LIST_CAP];
    size_t list_len;
    char fresh[LIST_CAP]; /* the list to be written */
    jsmntok_t tok[TOKENS_MAX];
    struct credentials c;
};

static struct work work;

static int work_init(struct work *w, const struct paths *p, struct text *why)
{
    w->paths = p;
    w->why = why;
    w->list_len = 0;
    w->c = (struct credentials){0};
    if (paths_join(w->path, p->config, "credentials.json") == OK &&
        paths_join(w->key_path, p->state, "credentials.key") == OK)
        return OK;
    text_str(why, "the path of the credential file is too long");
    return ERR_RANGE;
}

static void work_wipe(struct work *w)
{
    ct_wipe((struct span){(uint8_t *)w, sizeof(*w)});
}

/* Say why it could not be read. */
static int say_unreadable(struct work *w, const char *path, int err)
{
    text_join(w->why, "cannot read the credential file: ", port_why(), NULL);
    if (err == ERR_DAMAGED)
        text_join(w->why, "; make it private: chmod 600 ", path, NULL);
    return err;
}

#define OR_LOG_IN                                                        \
    "; restore it from a backup, or forget it with `cmdop logout --all`" \
    " and run `cmdop login`"

static int say_damaged(struct work *w)
{
    text_join(w->why, "the credential file ", w->path, " is damaged", OR_LOG_IN,
              NULL);
    return ERR_DAMAGED;
}

static int say_newer(struct work *w)
{
    text_join(w->why, "the credential file ", w->path,
              " was written by a newer version; update cmdop", NULL);
    return ERR_UNSUPPORTED;
}

static int say_unwritable(struct work *w, int err)
{
    text_join(w->why, "cannot write the credential file: ", port_why(), NULL);
    return err;
}

/* ---- from JSON ---------------------------------------------------------- */

/* Text into an array of char, whole. */
#define TO_STR(d, object, name, array) \
    json_to_str((d), json_get((d), (object), (name)), (array), sizeof(array))

static bool read_pin(const struct json_doc *d, int at, struct credential *out)
{
    uint8_t pin[PIN_TEXT_LEN];
    int n = json_to_bytes(d, json_get(d, at, "pin"), SPAN_ARRAY(pin));

    return n >= 0 && base64_decode(BASE64_URL, view_of(pin, (size_t)n),
                                   SPAN_ARRAY(out->pin)) == CREDENTIAL_PIN_LEN;
}

static bool read_more(const struct json_doc *d, int at, struct credential *out)
{
    return TO_STR(d, at, "refresh", out->refresh) >= 0 &&
           TO_STR(d, at, "email", out->email) >= 0 &&
           TO_STR(d, at, "user_id", out->user_id) >= 0 &&
           TO_STR(d, at, "fleet_id", out->fleet_id) >= 0 &&
           TO_STR(d, at, "fleet", out->fleet) >= 0 &&
           json_to_i64(d, json_get(d, at, "token_expires"),
                       &out->token_expires_ms) == OK &&
           json_to_i64(d, json_get(d, at, "refresh_expires"),
                       &out->refresh_expires_ms) == OK;
}

static bool read_server(const struct json_doc *d, int at, int version,
                        struct credential *out)
{
    return json_only(d, at, version == 1 ? SERVER_NAMES_1 : SERVER_NAMES) ==
               OK &&
           TO_STR(d, at, "name", out->name) >= 0 &&
           TO_STR(d, at, "address", out->address) >= 0 &&
           TO_STR(d, at, "token", out->token) >= 0 &&
           TO_STR(d, at, "user", out->user) >= 0 && read_pin(d, at, out) &&
           (version == 1 || read_more(d, at, out)) && server_ok(out);
}

static bool read_servers(const struct json_doc *d, int version,
                         struct credentials *out)
{
    int list = json_get(d, 0, "servers");

    if (list < 0 || json_kind(d, list) != JSON_ARRAY)
        return false;
    for (int at = json_first(d, list); at >= 0; at = json_next(d, at)) {
        struct credential *s = &out->server[out->count];
        if (out->count == CREDENTIAL_SERVERS_MAX ||
            !read_server(d, at, version, s) || idx_of(out, s->name) >= 0)
            return false;
        out->count++;
    }
    return true;
}

/* "servers" and "current", as both versions have them. */
static bool read_list(const struct json_doc *d, int version,
                      struct credentials *out)
{
    return json_only(d, 0, version == 1 ? FILE_NAMES_1 : LIST_NAMES) == OK &&
           read_servers(d, version, out) &&
           TO_STR(d, 0, "current", out->current) >= 0 &&
           (out->current[0] == '\0' || idx_of(out, out->current) >= 0);
}

/* ---- the key of the seal ------------------------------------------------ */

static bool key_from_text(struct work *w, struct view text)
{
    return base64_decode(BASE64_URL, text, SPAN_ARRAY(w->c.key)) ==
           SEAL_KEY_LEN;
}

static int no_key(struct work *w, const char *where)
{
    text_join(w->why, "the key of the credential file, ", where, ", is missing",
              OR_LOG_IN, NULL);
    return ERR_DAMAGED;
}

/* ERR_NOT_FOUND without a sentence when there is none. */
static int key_of_file(struct work *w)
{
    int n = port_keep_read(w->key_path, true, SPAN_ARRAY(w->c.key));

    if (n == ERR_NOT_FOUND)
        return n;
    if (n < 0 && n != ERR_TOO_BIG)
        return say_unreadable(w, w->key_path, n);
    if (n == SEAL_KEY_LEN)
        return OK;
    text_join(w->why, "the key of the credential file, ", w->key_path,
              ", is damaged", OR_LOG_IN, NULL);
    return ERR_DAMAGED;
}

static int key_of_keyring(struct work *w)
{
    uint8_t text[KEY_TEXT_LEN];
    int n = keyring_get(w->paths->config, SPAN_ARRAY(text), w->why);
    int err = n < 0 ? n : OK;

    if (n == ERR_TOO_BIG ||
        (n >= 0 && !key_from_text(w, view_of(text, (size_t)n)))) {
        text_init(w->why, w->why->buf, w->why->cap);
        text_join(w->why, "the item of cmdop in the desktop keyring is no key",
                  OR_LOG_IN, NULL);
        err = ERR_DAMAGED;
    } else if (n < 0 && n != ERR_NOT_FOUND) {
        text_str(w->why, "; the key of the sign-ins is there: run this in the "
                         "desktop session, or forget them with `cmdop logout "
                         "--all` and run `cmdop login`");
        err = ERR_UNREACHABLE;
    }
    ct_wipe(SPAN_ARRAY(text));
    return err;
}

/* The key, of which ERR_NOT_FOUND says without a sentence that there is none
 * yet. */
static int find_key(struct work *w)
{
    int err = OK;

    if (w->c.where == CREDENTIAL_KEY_FILE)
        err = key_of_file(w);
    else if (!w->c.has_key) /* to ask twice may take a person's time twice */
        err = key_of_keyring(w);
    w->c.has_key = err == OK;
    return err;
}

static int keep_in_keyring(struct work *w)
{
    uint8_t text[KEY_TEXT_LEN];
    struct writer out;

    writer_init(&out, SPAN_ARRAY(text));
    base64_write(&out, BASE64_URL, VIEW_ARRAY(w->c.key));
    int err = keyring_put(w->paths->config, writer_view(&out), w->why);
    ct_wipe(SPAN_ARRAY(text));
    return err == OK ? OK : ERR_UNREACHABLE;
}

static int make_key(struct work *w)
{
    int err;

    port_entropy(SPAN_ARRAY(w->c.key));
    if (w->c.where == CREDENTIAL_KEY_KEYRING)
        err = keep_in_keyring(w);
    else if ((err = port_keep_write(w->key_path, VIEW_ARRAY(w->c.key))) != OK)
        (void)say_unwritable(w, err);
    w->c.has_key = err == OK;
    return err;
}

/* ---- the file ----------------------------------------------------------- */

static struct view head_of(enum credential_key where, char buf[HEAD_CAP])
{
    struct text t;

    text_init(&t, buf, HEAD_CAP);
    text_join(&t, "cmdop credentials 2 ", KEY_WORDS[where], NULL);
    return text_done(&t);
}

/* The sealed bytes of a version 2 file, and where its key is. */
static bool read_box(struct work *w, const struct json_doc *d, int *len)
{
    int box = json_get(d, 0, "box"), key = json_get(d, 0, "key");

    if (json_only(d, 0, FILE_NAMES) != OK || box < 0 || key < 0 ||
        json_kind(d, box) != JSON_STRING || json_kind(d, key) != JSON_STRING)
        return false;
    if (json_is(d, key, KEY_WORDS[CREDENTIAL_KEY_KEYRING]))
        w->c.where = CREDENTIAL_KEY_KEYRING;
    else if (!json_is(d, key, KEY_WORDS[CREDENTIAL_KEY_FILE]))
        return false;
    *len = base64_decode(BASE64_URL, json_raw(d, box), SPAN_ARRAY(w->box));
    return *len >= SEAL_NONCE_LEN + SEAL_TAG_LEN;
}

/* Break the seal; the list is in w->list. */
static int open_box(struct work *w, struct view box)
{
    char head[HEAD_CAP];
    int err = find_key(w);

    if (err == ERR_NOT_FOUND)
        return no_key(w, w->c.where == CREDENTIAL_KEY_FILE
                             ? w->key_path
                             : "an item in the desktop keyring");
    if (err != OK)
        return err;
    int n = seal_open(w->c.key, box.ptr, head_of(w->c.where, head),
                      view_from(box, SEAL_NONCE_LEN), SPAN_ARRAY(w->list));
    if (n < 0)
        return say_damaged(w);
    w->list_len = (size_t)n;
    return OK;
}

static int read_sealed(struct work *w, const struct json_doc *d)
{
    struct json_doc list;
    int len;

    if (!read_box(w, d, &len))
        return say_damaged(w);
    int err = open_box(w, view_of(w->box, (size_t)len));
    if (err != OK)
        return err;
    if (json_parse(&list, view_of(w->list, w->list_len), w->tok, TOKENS_MAX) !=
            OK ||
        !read_list(&list, VERSION, &w->c))
        return say_damaged(w);
    return OK;
}

/* OK with the list in w->c, or an error with a sentence. */
static int read_file(struct work *w, struct view file, uint64_t *version)
{
    struct json_doc d;

    if (json_parse(&d, file, w->tok, TOKENS_MAX) != OK ||
        json_to_u64(&d, json_get(&d, 0, "version"), UINT64_MAX, version) !=
            OK ||
        *version == 0)
        return say_damaged(w);
    if (*version > VERSION)
        return say_newer(w);
    if (*version == VERSION)
        return read_sealed(w, &d);
    return read_list(&d, 1, &w->c) ? OK : say_damaged(w);
}

/* The file, of whichever version; 0: there is none. */
static int load(struct work *w, uint64_t *version)
{
    *version = 0;
    int n = port_keep_read(w->path, true, SPAN_ARRAY(w->file));

    if (n == ERR_NOT_FOUND)
        return OK;
    if (n == ERR_TOO_BIG)
        return say_damaged(w);
    if (n < 0)
        return say_unreadable(w, w->path, n);
    return read_file(w, view_of(w->file, (size_t)n), version);
}

/* ---- writing ------------------------------------------------------------ */

static void write_pin(struct json_out *o, const uint8_t *pin)
{
    uint8_t digits[PIN_TEXT_LEN];
    struct writer w;

    writer_init(&w, SPAN_ARRAY(digits));
    base64_write(&w, BASE64_URL, view_of(pin, CREDENTIAL_PIN_LEN));
    json_key(o, "pin");
    json_str(o, writer_view(&w));
}

static void write_server(struct json_out *o, const struct credential *s)
{
    json_obj_begin(o);
    json_member(o, "name", s->name);
    json_member(o, "address", s->address);
    write_pin(o, s->pin);
    json_member(o, "token", s->token);
    json_key(o, "token_expires");
    json_i64(o, s->token_expires_ms);
    json_member(o, "refresh", s->refresh);
    json_key(o, "refresh_expires");
    json_i64(o, s->refresh_expires_ms);
    json_member(o, "user", s->user);
    json_member(o, "email", s->email);
    json_member(o, "user_id", s->user_id);
    json_member(o, "fleet_id", s->fleet_id);
    json_member(o, "fleet", s->fleet);
    json_obj_end(o);
}

static struct view write_list(struct work *w, const struct credentials *c)
{
    struct json_out o;
    struct view all = VIEW_NONE;

    json_begin(&o, w->fresh, sizeof(w->fresh));
    json_obj_begin(&o);
    json_key(&o, "servers");
    json_arr_begin(&o);
    for (size_t i = 0; i < c->count; i++)
        write_server(&o, &c->server[i]);
    json_arr_end(&o);
    json_member(&o, "current", c->current);
    json_obj_end(&o);
    int err = json_done(&o, &all);
    assert(err == OK); /* LIST_CAP is the sum */
    return all;
}

/* The whole file, with the list under its seal. */
static struct view write_file(struct work *w, struct view list)
{
    char head[HEAD_CAP];
    struct writer out;

    port_entropy((struct span){w->box, SEAL_NONCE_LEN});
    int n = seal_close(
        w->c.key, w->box, head_of(w->c.where, head), list,
        (struct span){w->box + SEAL_NONCE_LEN, BOX_CAP - SEAL_NONCE_LEN});
    assert(n > 0);
    writer_init(&out, SPAN_ARRAY(w->file));
    write_str(&out, "{\"version\":2,\"key\":\"");
    write_str(&out, KEY_WORDS[w->c.where]);
    write_str(&out, "\",\"box\":\"");
    base64_write(&out, BASE64_URL, view_of(w->box, SEAL_NONCE_LEN + (size_t)n));
    write_str(&out, "\"}");
    assert(out.err == OK); /* FILE_CAP is the sum */
    return writer_view(&out);
}

/* Does the file say the same already? What cannot be read does not. */
static bool is_there(struct work *w, struct credentials *c, struct view list)
{
    char ignored[512];
    struct text *why = w->why, none;
    uint64_t version;

    TEXT_OF(&none, ignored);
    /* cppcheck-suppress autoVariables ; until it is put back below */
    w->why = &none;
    w->c = (struct credentials){.has_key = c->has_key};
    memcpy(w->c.key, c->key, sizeof(w->c.key));
    bool ours =
        load(w, &version) == OK && version == VERSION && w->c.where == c->where;
    w->why = why;
    if (ours) {
        c->has_key = true;
        memcpy(c->key, w->c.key, sizeof(c->key));
    }
    return ours && view_eq(view_of(w->list, w->list_len), list);
}

static int make_folders(struct work *w)
{
    int err = port_keep_folder(w->paths->config);

    if (err == OK && w->c.where == CREDENTIAL_KEY_FILE)
        err = port_keep_folder(w->paths->state);
    return err == OK ? OK : say_unwritable(w, err);
}

static int save(struct work *w, struct credentials *c)
{
    struct view list = write_list(w, c);

    if (is_there(w, c, list))
        return OK;
    w->c.where = c->where;
    w->c.has_key = c->has_key;
    memcpy(w->c.key, c->key, sizeof(w->c.key));
    int err = make_folders(w);
    if (err == OK)
        err = find_key(w);
    if (err == ERR_NOT_FOUND)
        err = make_key(w);
    if (err != OK)
        return err;
    c->has_key = true;
    memcpy(c->key, w->c.key, sizeof(c->key));
    err = port_keep_write(w->path, write_file(w, list));
    if (err != OK)
        return say_unwritable(w, err);
    if (c->where == CREDENTIAL_KEY_KEYRING) /* what it was before */
        (void)port_keep_remove(w->key_path);
    return OK;
}

int credential_save(const struct paths *p, struct credentials *c,
                    struct text *why)
{
    int err = work_init(&work, p, why);

    if (err == OK)
        err = save(&work, c);
    work_wipe(&work);
    return err;
}

/* ---- reading ------------------------------------------------------------ */

/* A file of version 1 lies in the clear: seal it, unless another process is
 * about to write it anyway, or has. It was read, so a failure is not one. */
static void seal_old(const struct paths *p)
{
    static struct credentials old;
    char ignored[512];
    struct text none;
    uint64_t version;

    TEXT_OF(&none, ignored);
    if (credential_try_lock(p, &none) != OK)
        return;
    if (work_init(&work, p, &none) == OK && load(&work, &version) == OK &&
        version == 1) {
        old = work.c;
        (void)save(&work, &old);
    }
    work_wipe(&work);
    credential_wipe(&old);
    credential_unlock(p);
}

int credential_load(const struct paths *p, struct credentials *out,
                    struct text *why)
{
    return credential_load_again(p, NULL, out, why);
}

int credential_load_again(const struct paths *p,
                          const struct credentials *known,
                          struct credentials *out, struct text *why)
{
    uint64_t version = 0;
    int err = work_init(&work, p, why);

    work.c.has_key = known != NULL && known->has_key &&
                     known->where == CREDENTIAL_KEY_KEYRING;
    if (work.c.has_key)
        memcpy(work.c.key, known->key, sizeof(work.c.key));
    if (err == OK)
        err = load(&work, &version);
    if (err == OK)
        *out = work.c;
    work_wipe(&work);
    if (err == OK && version == 1)
        seal_old(p);
    return err;
}

int credential_forget(const struct paths *p, struct text *why)
{
    int err = work_init(&work, p, why);

    if (err != OK)
        return err;
    err = port_keep_remove(work.path);
    if (err == OK || err == ERR_NOT_FOUND)
        err = port_keep_remove(work.key_path);
    if (err == OK || err == ERR_NOT_FOUND)
        return OK;
    text_join(why, "cannot remove the credential file: ", port_why(), NULL);
    return err;
}

/* ---- the lock ----------------------------------------------------------- */

static int lock_path(const struct paths *p, char path[PATH_CAP],
                     struct text *why)
{
    if (paths_join(path, p->config, "credentials.lock") == OK)
        return OK;
    text_str(why, "the path of the credential file is too long");
    return ERR_RANGE;
}

int credential_try_lock(const struct paths *p, struct text *why)
{
    char path[PATH_CAP];
    int pid = 0, err = lock_path(p, path, why);

    if (err != OK)
        return err;
    err = port_keep_folder(p->config);
    if (err == OK)
        err = port_keep_lock(path, &pid);
    if (err == ERR_BUSY) {
        text_str(why, "another cmdop (pid ");
        text_u64(why, (uint64_t)pid);
        text_str(why, ") is changing the sign-ins and does not finish");
    } else if (err != OK) {
        text_join(why, "cannot lock the credential file: ", port_why(), NULL);
    }
    return err;
}

int credential_lock(const struct paths *p, struct text *why)
{
    uint64_t until = port_now_ms() + CREDENTIAL_LOCK_MS;

    for (;;) {
        struct port_want none = {.handle = -1};
        int err = credential_try_lock(p, why);
        if (err != ERR_BUSY || port_now_ms() >= until)
            return err;
        text_init(why, why->buf, why->cap);
        (void)port_wait(&none, 1, port_now_ms() + LOCK_POLL_MS);
    }
}

void credential_unlock(const struct paths *p)
{
    char path[PATH_CAP], ignored[128];
    struct text none;

    TEXT_OF(&none, ignored);
    if (lock_path(p, path, &none) == OK)
        port_keep_unlock(path);
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
