/* The machine's record of its relay; see agentfile.h. */
#include "core/agentfile.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "core/joinstr.h"
#include "core/paths.h"
#include "port/port.h"

enum {
    VERSION = 1,
    PIN_TEXT_LEN = 43,
    /* Punctuation, names and numbers, with room to spare; in the name every
     * character may become two. */
    FILE_CAP = 160 + 256 + PIN_TEXT_LEN + 2 * UUID_CAP + 2 * NAME_CAP +
               AGENTFILE_TIME_CAP,
    FILE_READ_CAP = 4096, /* after an editor put white space in */
    /* The object, eight names and values; and much more, to tell a later
     * version's file from a damaged one. */
    TOKENS_MAX = 4 * (1 + 8 * 2),
};

static const char *const NAMES[] = {"version", "host",       "port",
                                    "pin",     "machine_id", "fleet_id",
                                    "name",    "joined_at",  NULL};

/* ---- fields ------------------------------------------------------------- */

/* Does `s` follow a pattern? 'x' stands for a lower-case hexadecimal digit,
 * '0' for a decimal one, all else for itself. */
static bool follows(const char *s, const char *pattern)
{
    for (; *pattern != '\0'; s++, pattern++) {
        bool digit = *s >= '0' && *s <= '9';
        bool hex = digit || (*s >= 'a' && *s <= 'f');
        if (*pattern == 'x' ? !hex : *pattern == '0' ? !digit : *s != *pattern)
            return false;
    }
    return *s == '\0';
}

/* Text that people see: nothing in it that a terminal would act on, and
 * nothing that JSON would change. */
static bool shown_ok(const char *s)
{
    char safe[NAME_CAP];
    struct text t;

    TEXT_OF(&t, safe);
    text_safe(&t, view_str(s));
    return s[0] != '\0' && !t.cut && view_is(text_done(&t), s);
}

static bool id_ok(const char *s)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz0123456789-_";
    return s[0] != '\0' && s[strspn(s, set)] == '\0';
}

/* The first field that is not as described, or NULL. */
static const char *first_bad(const struct agentfile *a)
{
    if (!joinstr_host_ok(view_str(a->host)))
        return "host";
    if (a->port == 0)
        return "port";
    if (!follows(a->machine_id, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"))
        return "machine_id";
    if (!id_ok(a->fleet_id))
        return "fleet_id";
    if (!shown_ok(a->name))
        return "name";
    if (!follows(a->joined_at, "0000-00-00T00:00:00Z"))
        return "joined_at";
    return NULL;
}

/* ---- from JSON ---------------------------------------------------------- */

/* Text into an array of char, whole. */
#define TO_STR(d, name, array) \
    json_to_str((d), json_get((d), 0, (name)), (array), sizeof(array))

static bool read_pin(const struct json_doc *d, struct agentfile *out)
{
    uint8_t pin[PIN_TEXT_LEN];
    int n = json_to_bytes(d, json_get(d, 0, "pin"), SPAN_ARRAY(pin));

    return n >= 0 && base64_decode(BASE64_URL, view_of(pin, (size_t)n),
                                   SPAN_ARRAY(out->pin)) == AGENTFILE_PIN_LEN;
}

static bool read_fields(const struct json_doc *d, struct agentfile *out)
{
    uint64_t port;

    if (json_only(d, 0, NAMES) != OK || TO_STR(d, "host", out->host) < 0 ||
        json_to_u64(d, json_get(d, 0, "port"), UINT16_MAX, &port) != OK ||
        !read_pin(d, out) || TO_STR(d, "machine_id", out->machine_id) < 0 ||
        TO_STR(d, "fleet_id", out->fleet_id) < 0 ||
        TO_STR(d, "name", out->name) < 0 ||
        TO_STR(d, "joined_at", out->joined_at) < 0)
        return false;
    out->port = (uint16_t)port;
    return first_bad(out) == NULL;
}

/* OK, ERR_DAMAGED or ERR_UNSUPPORTED. */
static int read_file(struct view file, struct agentfile *out)
{
    jsmntok_t tok[TOKENS_MAX];
    struct json_doc d;
    uint64_t version;

    int err = json_parse(&d, file, tok, TOKENS_MAX);
    if (err != OK ||
        json_to_u64(&d, json_get(&d, 0, "version"), UINT64_MAX, &version) !=
            OK ||
        version == 0)
        return ERR_DAMAGED;
    if (version > VERSION)
        return ERR_UNSUPPORTED;
    return read_fields(&d, out) ? OK : ERR_DAMAGED;
}

/* ---- the file ----------------------------------------------------------- */

static int find_path(const char *state_dir, char path[PATH_CAP],
                     struct text *why)
{
    if (paths_join(path, state_dir, "agent.json") == OK)
        return OK;
    text_str(why, "the path of agent.json is too long");
    return ERR_RANGE;
}

/* The sentence of a load that failed. */
static void say(int err, const char *path, struct text *why)
{
    switch (err) {
    case OK: return;
    case ERR_NOT_FOUND:
        text_str(why, "this machine has not joined a relay; run: cmdop join");
        return;
    case ERR_DAMAGED:
        text_join(why, path,
                  " is damaged; run `cmdop join` again, or restore "
                  "it from a backup",
                  NULL);
        return;
    case ERR_UNSUPPORTED:
        text_join(why, path, " was written by a newer version; update cmdop",
                  NULL);
        return;
    default: text_join(why, "cannot read agent.json: ", port_why(), NULL);
    }
}

int agentfile_load(const char *state_dir, struct agentfile *out,
                   struct text *why)
{
    uint8_t file[FILE_READ_CAP];
    char path[PATH_CAP];
    struct agentfile a = {0};

    int err = find_path(state_dir, path, why);
    if (err != OK)
        return err;
    err = port_keep_read(path, false, SPAN_ARRAY(file));
    if (err == ERR_TOO_BIG)
        err = ERR_DAMAGED;
    else if (err >= 0)
        err = read_file(view_of(file, (size_t)err), &a);
    if (err == OK)
        *out = a;
    say(err, path, why);
    return err;
}

static void write_file(struct json_out *o, const struct agentfile *a)
{
    uint8_t digits[PIN_TEXT_LEN];
    struct writer w;

    writer_init(&w, SPAN_ARRAY(digits));
    base64_write(&w, BASE64_URL, VIEW_ARRAY(a->pin));
    json_obj_begin(o);
    json_key(o, "version");
    json_u64(o, VERSION);
    json_member(o, "host", a->host);
    json_key(o, "port");
    json_u64(o, a->port);
    json_key(o, "pin");
    json_str(o, writer_view(&w));
    json_member(o, "machine_id", a->machine_id);
    json_member(o, "fleet_id", a->fleet_id);
    json_member(o, "name", a->name);
    json_member(o, "joined_at", a->joined_at);
    json_obj_end(o);
}

int agentfile_save(const char *state_dir, const struct agentfile *a,
                   struct text *why)
{
    char file[FILE_CAP];
    char path[PATH_CAP];
    struct json_out o;
    struct view all = VIEW_NONE;
    const char *field = first_bad(a);

    int err = find_path(state_dir, path, why);
    if (err != OK)
        return err;
    if (field != NULL) {
        text_join(why, "agent.json is not written: its ", field,
                  " would not be valid", NULL);
        return ERR_RANGE;
    }
    json_begin(&o, file, sizeof(file));
    write_file(&o, a);
    err = json_done(&o, &all);
    assert(err == OK); /* FILE_CAP is the sum */
    err = port_keep_folder(state_dir);
    if (err == OK)
        err = port_keep_write(path, all);
    if (err != OK)
        text_join(why, "cannot write agent.json: ", port_why(), NULL);
    return err;
}
