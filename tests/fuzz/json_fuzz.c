/*
 * JSON from strangers. What is accepted must answer every question without a
 * step outside its text, and, written again by our writer, must read back and
 * be written the same once more.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "codec/json.h"

enum { TOKENS = 256, TEXT_CAP = 1 << 17 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
    if (!fact)
        abort();
}

static void copy_value(const struct json_doc *d, int at, struct json_out *o);

static void copy_inside(const struct json_doc *d, int at, struct json_out *o)
{
    bool object = json_kind(d, at) == JSON_OBJECT;

    for (int i = json_first(d, at); i >= 0; i = json_next(d, i)) {
        char name[256];
        if (object) {
            if (json_to_str(d, i, name, sizeof name) < 0)
                return; /* too long, or U+0000: no C string */
            must(json_is(d, i, name));
            must(json_get(d, at, name) == json_value(d, i));
            json_key(o, name);
        }
        copy_value(d, object ? json_value(d, i) : i, o);
    }
}

static void copy_string(const struct json_doc *d, int at, struct json_out *o)
{
    static uint8_t bytes[TEXT_CAP];
    int n = json_to_bytes(d, at, SPAN_ARRAY(bytes));

    must(n >= 0 && (size_t)n <= json_raw(d, at).len);
    json_str(o, view_of(bytes, (size_t)n));
}

static void copy_number(const struct json_doc *d, int at, struct json_out *o)
{
    int64_t i;
    uint64_t u;

    if (json_to_i64(d, at, &i) == OK)
        json_i64(o, i);
    else if (json_to_u64(d, at, UINT64_MAX, &u) == OK)
        json_u64(o, u);
    else
        json_str(o, json_raw(d, at));
}

static void copy_value(const struct json_doc *d, int at, struct json_out *o)
{
    bool b = false;

    switch (json_kind(d, at)) {
    case JSON_NULL: json_null(o); break;
    case JSON_BOOL:
        must(json_to_bool(d, at, &b) == OK);
        json_bool(o, b);
        break;
    case JSON_NUMBER: copy_number(d, at, o); break;
    case JSON_STRING: copy_string(d, at, o); break;
    case JSON_ARRAY:
        json_arr_begin(o);
        copy_inside(d, at, o);
        json_arr_end(o);
        break;
    case JSON_OBJECT:
        json_obj_begin(o);
        copy_inside(d, at, o);
        json_obj_end(o);
        break;
    }
}

/* Parse and write again; the text, or an empty view when refused. */
static struct view again(struct view in, char *buf)
{
    static jsmntok_t tok[TOKENS];
    struct json_doc d;
    struct json_out o;
    struct view out = VIEW_NONE;

    if (json_parse(&d, in, tok, TOKENS) != OK)
        return VIEW_NONE;
    json_begin(&o, buf, TEXT_CAP);
    copy_value(&d, 0, &o);
    must(json_done(&o, &out) == OK);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char first[TEXT_CAP], second[TEXT_CAP];
    struct view once, twice;

    if (size > TEXT_CAP / 8)
        return 0;
    once = again(view_of(data, size), first);
    if (once.len == 0)
        return 0;
    twice = again(once, second);
    must(view_eq(once, twice));
    return 0;
}
