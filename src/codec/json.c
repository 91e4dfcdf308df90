/* JSON; see json.h. */
#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "codec/json.h"

#include <assert.h>

#include "base/err.h"

/* ---- characters --------------------------------------------------------- */

#define REPLACEMENT 0xFFFDu /* U+FFFD */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The code point at the front of UTF-8 text (RFC 3629), taken off it; or
 * ERR_PROTO with nothing taken. `in` is not empty. */
static int take_utf8(struct view *in, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t b = in->ptr[0];
    size_t len = b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
    uint32_t cp = len == 1 ? b : b & (0x7Fu >> len);

    if ((b >= 0x80 && b < 0xC2) || b > 0xF4 || len > in->len)
        return ERR_PROTO;
    for (size_t i = 1; i < len; i++) {
        if ((in->ptr[i] & 0xC0) != 0x80)
            return ERR_PROTO;
        cp = cp << 6 | (in->ptr[i] & 0x3Fu);
    }
    if (cp < least[len] || cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000))
        return ERR_PROTO;
    *in = view_from(*in, len);
    *out = cp;
    return OK;
}

/* The UTF-8 of a code point; returns its length, 1 to 4. */
static size_t put_utf8(uint32_t cp, uint8_t out[4])
{
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t len = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (cp & 0x3F));
        cp >>= 6;
    }
    out[0] = (uint8_t)(lead[len] | cp);
    return len;
}

/* Four hexadecimal digits. */
static int take_hex4(struct view *in, uint32_t *out)
{
    uint32_t v = 0;

    if (in->len < 4)
        return ERR_PROTO;
    for (size_t i = 0; i < 4; i++) {
        int digit = text_hex_digit(in->ptr[i]);
        if (digit < 0)
            return ERR_PROTO;
        v = v << 4 | (uint32_t)digit;
    }
    *in = view_from(*in, 4);
    *out = v;
    return OK;
}

/* What follows "\u": one code unit, or a whole surrogate pair. */
static int take_unicode(struct view *in, uint32_t *out)
{
    uint32_t high, low;

    if (take_hex4(in, &high) != OK)
        return ERR_PROTO;
    if (high < 0xD800 || high > 0xDFFF) {
        *out = high;
        return OK;
    }
    if (high > 0xDBFF || !view_starts(*in, view_str("\\u")))
        return ERR_PROTO;
    *in = view_from(*in, 2);
    if (take_hex4(in, &low) != OK || low < 0xDC00 || low > 0xDFFF)
        return ERR_PROTO;
    *out = 0x10000 + ((high - 0xD800) << 10 | (low - 0xDC00));
    return OK;
}

/* One character off the raw inside of a string, decoded. */
static int take_char(struct view *in, uint32_t *out)
{
    static const char raw[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";

    if (in->ptr[0] != '\\')
        return in->ptr[0] < 0x20 || in->ptr[0] == '"' ? ERR_PROTO
                                                      : take_utf8(in, out);
    if (in->len < 2)
        return ERR_PROTO;
    uint8_t c = in->ptr[1];
    *in = view_from(*in, 2);
    if (c == 'u')
        return take_unicode(in, out);
    ptrdiff_t at = view_find(view_str(raw), c);
    if (at < 0)
        return ERR_PROTO;
    *out = (uint32_t)meant[at];
    return OK;
}

static int check_string(struct view raw)
{
    uint32_t cp;

    while (raw.len > 0)
        if (take_char(&raw, &cp) != OK)
            return ERR_PROTO;
    return OK;
}

/* Are two checked strings the same text, however it is escaped? */
static bool same_text(struct view a, struct view b)
{
    uint32_t x = 0, y = 0;

    while (a.len > 0 && b.len > 0)
        if (take_char(&a, &x) != OK || take_char(&b, &y) != OK || x != y)
            return false;
    return a.len == 0 && b.len == 0;
}

/* Take digits; how many there were. */
static size_t take_digits(struct view *in)
{
    size_t n = 0;

    while (n < in->len && is_digit(in->ptr[n]))
        n++;
    *in = view_from(*in, n);
    return n;
}

static bool take_one(struct view *in, const char *any_of)
{
    if (in->len == 0 || view_find(view_str(any_of), in->ptr[0]) < 0)
        return false;
    *in = view_from(*in, 1);
    return true;
}

/* RFC 8259, section 6. */
static bool number_ok(struct view in)
{
    (void)take_one(&in, "-");
    if (!take_one(&in, "0") && take_digits(&in) == 0)
        return false;
    if (take_one(&in, ".") && take_digits(&in) == 0)
        return false;
    if (take_one(&in, "eE")) {
        (void)take_one(&in, "+-");
        if (take_digits(&in) == 0)
            return false;
    }
    return in.len == 0;
}

static int check_primitive(struct view v)
{
    if (view_is(v, "null") || view_is(v, "true") || view_is(v, "false"))
        return OK;
    return number_ok(v) ? OK : ERR_PROTO;
}

/* ---- the check of the whole --------------------------------------------- */

/*
 * jsmn's tokens come in the order of the text, so one pass over them and over
 * the text together suffices: before each token close what ended, take the
 * punctuation that must stand there, and the token must begin exactly here.
 */
struct walk {
    const struct json_doc *d;
    size_t at; /* bytes checked */
    int open;  /* innermost array or object, or -1 */
    int depth; /* how many are open */
    bool name; /* the last token is a name */
};

static const jsmntok_t *token(const struct json_doc *d, int at)
{
    assert(at >= 0 && at < d->count);
    return &d->tok[at];
}

static bool is_container(const jsmntok_t *t)
{
    return t->type == JSMN_OBJECT || t->type == JSMN_ARRAY;
}

static void skip_white(struct walk *w)
{
    struct view rest = view_from(w->d->text, w->at);

    while (take_one(&rest, " \t\n\r"))
        w->at++;
}

static int expect(struct walk *w, uint8_t c)
{
    skip_white(w);
    if (w->at >= w->d->text.len || w->d->text.ptr[w->at] != c)
        return ERR_PROTO;
    w->at++;
    return OK;
}

static int close_one(struct walk *w)
{
    const jsmntok_t *t = token(w->d, w->open);

    if (w->name || expect(w, t->type == JSMN_OBJECT ? '}' : ']') != OK ||
        w->at != (size_t)t->end)
        return ERR_PROTO;
    w->open = t->parent;
    if (w->open >= 0 && !is_container(token(w->d, w->open)))
        w->open = token(w->d, w->open)->parent; /* it was a named value */
    w->depth--;
    return OK;
}

/* A name must not have stood in its object before. */
static int check_unique(const struct json_doc *d, int object, int name)
{
    struct view raw = json_raw(d, name);

    for (int at = json_first(d, object); at < name; at = json_next(d, at))
        if (same_text(json_raw(d, at), raw))
            return ERR_PROTO;
    return OK;
}

/* What must stand between the last token and token i. */
static int punctuation(struct walk *w, int i)
{
    const jsmntok_t *t = token(w->d, i);

    if (w->name)
        return t->parent == i - 1 ? expect(w, ':') : ERR_PROTO;
    if (t->parent != w->open)
        return ERR_PROTO;
    if (w->open < 0)
        return i == 0 ? OK : ERR_PROTO;
    return i == w->open + 1 ? OK : expect(w, ',');
}

static int check_token(struct walk *w, int i)
{
    const jsmntok_t *t = token(w->d, i);
    size_t quote = t->type == JSMN_STRING;

    skip_white(w);
    if (w->at + quote != (size_t)t->start)
        return ERR_PROTO;
    if (is_container(t)) {
        w->at++; /* its bracket */
        w->open = i;
        return ++w->depth > JSON_DEPTH_MAX ? ERR_TOO_BIG : OK;
    }
    w->at = (size_t)t->end + quote;
    return quote == 1 ? check_string(json_raw(w->d, i))
                      : check_primitive(json_raw(w->d, i));
}

static int walk_token(struct walk *w, int i)
{
    const jsmntok_t *t = token(w->d, i);
    int err = OK;

    while (err == OK && w->open >= 0 && t->start >= token(w->d, w->open)->end)
        err = close_one(w);
    if (err == OK)
        err = punctuation(w, i);
    if (err != OK)
        return err;
    bool name =
        !w->name && w->open >= 0 && token(w->d, w->open)->type == JSMN_OBJECT;
    if (name && t->type != JSMN_STRING)
        return ERR_PROTO;
    w->name = name;
    err = check_token(w, i);
    return err == OK && name ? check_unique(w->d, w->open, i) : err;
}

static int walk_all(const struct json_doc *d)
{
    struct walk w = {.d = d, .open = -1};
    int err = OK;

    for (int i = 0; err == OK && i < d->count; i++)
        err = walk_token(&w, i);
    while (err == OK && w.open >= 0)
        err = close_one(&w);
    if (err != OK)
        return err;
    skip_white(&w);
    if (w.at != d->text.len)
        return ERR_PROTO;
    return d->count == 0 ? ERR_MORE : OK;
}

int json_parse(struct json_doc *out, struct view text, jsmntok_t *tok,
               size_t cap)
{
    struct json_doc d = {.text = text, .tok = tok};
    jsmn_parser p;

    if (text.len > INT32_MAX || cap > INT32_MAX)
        return ERR_TOO_BIG;
    if (view_find(text, '\0') >= 0)
        return ERR_PROTO; /* where jsmn would stop */
    jsmn_init(&p);
    d.count =
        jsmn_parse(&p, (const char *)text.ptr, text.len, tok, (unsigned)cap);
    if (d.count == JSMN_ERROR_NOMEM)
        return ERR_TOO_BIG;
    if (d.count == JSMN_ERROR_PART)
        return ERR_MORE;
    if (d.count < 0)
        return ERR_PROTO;
    int err = walk_all(&d);
    if (err == OK)
        *out = d;
    return err;
}

/* ---- questions ---------------------------------------------------------- */

struct view json_raw(const struct json_doc *d, int at)
{
    const jsmntok_t *t = token(d, at);

    return view_first(view_from(d->text, (size_t)t->start),
                      (size_t)(t->end - t->start));
}

enum json_kind json_kind(const struct json_doc *d, int at)
{
    const jsmntok_t *t = token(d, at);

    if (t->type == JSMN_OBJECT)
        return JSON_OBJECT;
    if (t->type == JSMN_ARRAY)
        return JSON_ARRAY;
    if (t->type == JSMN_STRING)
        return JSON_STRING;
    uint8_t c = d->text.ptr[t->start];
    if (c == 'n')
        return JSON_NULL;
    return c == 't' || c == 'f' ? JSON_BOOL : JSON_NUMBER;
}

int json_first(const struct json_doc *d, int at)
{
    if (!is_container(token(d, at)))
        return ERR_NOT_FOUND;
    if (at + 1 >= d->count || token(d, at + 1)->parent != at)
        return ERR_NOT_FOUND;
    return at + 1;
}

int json_next(const struct json_doc *d, int at)
{
    int parent = token(d, at)->parent;

    if (parent < 0)
        return ERR_NOT_FOUND;
    /* Whatever lies inside has a later parent. */
    for (int i = at + 1; i < d->count; i++)
        if (token(d, i)->parent <= parent)
            return token(d, i)->parent == parent ? i : ERR_NOT_FOUND;
    return ERR_NOT_FOUND;
}

int json_value(const struct json_doc *d, int name)
{
    assert(name + 1 < d->count && token(d, name + 1)->parent == name);
    return name + 1;
}

bool json_is(const struct json_doc *d, int at, const char *text)
{
    struct view raw = json_raw(d, at);
    struct view want = view_str(text);
    uint32_t x = 0, y = 0;

    if (token(d, at)->type != JSMN_STRING)
        return false;
    while (raw.len > 0 && want.len > 0)
        if (take_char(&raw, &x) != OK || take_utf8(&want, &y) != OK || x != y)
            return false;
    return raw.len == 0 && want.len == 0;
}

int json_get(const struct json_doc *d, int object, const char *name)
{
    if (token(d, object)->type != JSMN_OBJECT)
        return ERR_PROTO;
    for (int at = json_first(d, object); at >= 0; at = json_next(d, at))
        if (json_is(d, at, name))
            return json_value(d, at);
    return ERR_NOT_FOUND;
}

int json_only(const struct json_doc *d, int object, const char *const *names)
{
    if (token(d, object)->type != JSMN_OBJECT)
        return ERR_PROTO;
    for (int at = json_first(d, object); at >= 0; at = json_next(d, at)) {
        const char *const *n = names;
        while (*n != NULL && !json_is(d, at, *n))
            n++;
        if (*n == NULL)
            return ERR_PROTO;
    }
    return OK;
}

/* The length of a string once decoded. */
static size_t decoded_len(struct view raw)
{
    uint8_t utf8[4];
    uint32_t cp = 0;
    size_t len = 0;

    while (raw.len > 0 && take_char(&raw, &cp) == OK)
        len += put_utf8(cp, utf8);
    return len;
}

int json_to_bytes(const struct json_doc *d, int at, struct span out)
{
    struct writer w;
    uint8_t utf8[4];
    uint32_t cp = 0;

    if (at < 0)
        return at;
    struct view raw = json_raw(d, at);
    if (token(d, at)->type != JSMN_STRING)
        return ERR_PROTO;
    if (decoded_len(raw) > out.len)
        return ERR_TOO_BIG;
    writer_init(&w, out);
    while (raw.len > 0 && take_char(&raw, &cp) == OK)
        write_bytes(&w, view_of(utf8, put_utf8(cp, utf8)));
    return (int)w.len;
}

static bool has_nul(struct view raw)
{
    uint32_t cp = 1;

    while (raw.len > 0 && take_char(&raw, &cp) == OK)
        if (cp == 0)
            return true;
    return false;
}

int json_to_str(const struct json_doc *d, int at, char *out, size_t cap)
{
    if (at < 0)
        return at;
    if (token(d, at)->type != JSMN_STRING || has_nul(json_raw(d, at)))
        return ERR_PROTO;
    if (cap == 0)
        return ERR_TOO_BIG;
    int n = json_to_bytes(d, at, (struct span){(uint8_t *)out, cap - 1});
    if (n >= 0)
        out[n] = '\0';
    return n;
}

/* A number's sign and digits; ERR_PROTO when it is no whole number. */
static int split_number(const struct json_doc *d, int at, bool *negative,
                        struct view *digits)
{
    if (at < 0)
        return at;
    if (json_kind(d, at) != JSON_NUMBER)
        return ERR_PROTO;
    *digits = json_raw(d, at);
    *negative = take_one(digits, "-");
    struct view rest = *digits;
    (void)take_digits(&rest);
    return rest.len == 0 ? OK : ERR_PROTO;
}

int json_to_i64(const struct json_doc *d, int at, int64_t *out)
{
    bool negative;
    struct view digits;
    uint64_t v;
    int err = split_number(d, at, &negative, &digits);

    if (err != OK)
        return err;
    if (text_parse_u64(digits, (uint64_t)INT64_MAX + negative, &v) != OK)
        return ERR_RANGE;
    /* One less before the change of sign: INT64_MIN has no positive. */
    *out = negative && v > 0 ? -(int64_t)(v - 1) - 1 : (int64_t)v;
    return OK;
}

int json_to_u64(const struct json_doc *d, int at, uint64_t max, uint64_t *out)
{
    bool negative;
    struct view digits;
    int err = split_number(d, at, &negative, &digits);

    if (err != OK)
        return err;
    return negative ? ERR_RANGE : text_parse_u64(digits, max, out);
}

int json_to_bool(const struct json_doc *d, int at, bool *out)
{
    if (at < 0)
        return at;
    if (json_kind(d, at) != JSON_BOOL)
        return ERR_PROTO;
    *out = view_is(json_raw(d, at), "true");
    return OK;
}

/* ---- writing ------------------------------------------------------------ */

_Static_assert(JSON_DEPTH_MAX <= 32, "json_out.objects has a bit per level");

static bool in_object(const struct json_out *o)
{
    return o->depth > 0 && (o->objects >> (o->depth - 1) & 1) != 0;
}

/* Before every value: the comma of an array, or the name was written. */
static void before_value(struct json_out *o)
{
    assert(o->has_name == in_object(o));
    assert(o->depth > 0 || !o->comma); /* one value at the top */
    if (!o->has_name && o->comma)
        text_char(&o->text, ',');
    o->has_name = false;
    o->comma = true;
}

static void begin(struct json_out *o, char bracket)
{
    before_value(o);
    assert(o->depth < JSON_DEPTH_MAX);
    uint32_t bit = (uint32_t)1 << o->depth++;
    o->objects = bracket == '{' ? o->objects | bit : o->objects & ~bit;
    o->comma = false;
    text_char(&o->text, bracket);
}

static void end(struct json_out *o, char bracket)
{
    assert(o->depth > 0 && !o->has_name);
    assert(in_object(o) == (bracket == '}'));
    o->depth--;
    o->comma = true;
    text_char(&o->text, bracket);
}

/* One character with what must be escaped (RFC 8259, section 7). */
static void put_char(struct text *t, uint32_t cp)
{
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letter[] = "\"\\bfnrt";
    uint8_t utf8[4] = {0};
    size_t len = put_utf8(cp, utf8);
    ptrdiff_t at = len == 1 ? view_find(view_str(plain), utf8[0]) : -1;

    if (at >= 0) {
        text_char(t, '\\');
        text_char(t, letter[at]);
    } else if (cp < 0x20) {
        text_str(t, "\\u00");
        text_hex(t, view_of(utf8, 1));
    } else {
        text_view(t, view_of(utf8, len));
    }
}

static void quoted(struct json_out *o, struct view v)
{
    text_char(&o->text, '"');
    while (v.len > 0) {
        uint32_t cp = REPLACEMENT;
        if (take_utf8(&v, &cp) != OK)
            v = view_from(v, 1);
        put_char(&o->text, cp);
    }
    text_char(&o->text, '"');
}

void json_begin(struct json_out *o, char *buf, size_t cap)
{
    *o = (struct json_out){0};
    text_init(&o->text, buf, cap);
}

void json_obj_begin(struct json_out *o)
{
    begin(o, '{');
}

void json_obj_end(struct json_out *o)
{
    end(o, '}');
}

void json_arr_begin(struct json_out *o)
{
    begin(o, '[');
}

void json_arr_end(struct json_out *o)
{
    end(o, ']');
}

void json_key(struct json_out *o, const char *name)
{
    assert(in_object(o) && !o->has_name);
    if (o->comma)
        text_char(&o->text, ',');
    quoted(o, view_str(name));
    text_char(&o->text, ':');
    o->has_name = true;
}

void json_str(struct json_out *o, struct view v)
{
    before_value(o);
    quoted(o, v);
}

void json_cstr(struct json_out *o, const char *s)
{
    json_str(o, view_str(s));
}

void json_member(struct json_out *o, const char *name, const char *s)
{
    json_key(o, name);
    json_cstr(o, s);
}

void json_u64(struct json_out *o, uint64_t v)
{
    before_value(o);
    text_u64(&o->text, v);
}

void json_i64(struct json_out *o, int64_t v)
{
    before_value(o);
    text_i64(&o->text, v);
}

void json_bool(struct json_out *o, bool v)
{
    before_value(o);
    text_str(&o->text, v ? "true" : "false");
}

void json_null(struct json_out *o)
{
    before_value(o);
    text_str(&o->text, "null");
}

void json_time(struct json_out *o, int64_t unix_ms)
{
    before_value(o);
    text_char(&o->text, '"');
    text_time(&o->text, unix_ms);
    text_char(&o->text, '"');
}

void json_member_time(struct json_out *o, const char *name, int64_t unix_ms)
{
    json_key(o, name);
    if (unix_ms == 0)
        json_null(o);
    else
        json_time(o, unix_ms);
}

int json_done(const struct json_out *o, struct view *out)
{
    assert(o->depth == 0 && o->comma);
    if (o->text.cut)
        return ERR_FULL;
    *out = text_done(&o->text);
    return OK;
}
