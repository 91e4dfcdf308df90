/*
 * JSON (RFC 8259), both ways, without a tree.
 *
 * Reading: jsmn cuts the text into tokens in the caller's array; then every
 * byte is checked here, because jsmn alone takes much that is no JSON. What
 * json_parse accepted is one well-formed value: names are unique in their
 * object (compared after decoding), nesting is at most JSON_DEPTH_MAX, text is
 * valid UTF-8, and no \u escape is half of a surrogate pair. The rest is
 * asking: a value is named by its place `at`, an index into the tokens; 0 is
 * the whole.
 *
 *     jsmntok_t       tok[64];
 *     struct json_doc d;
 *     if (json_parse(&d, body, tok, 64) != OK) ...
 *     for (int at = json_first(&d, 0); at >= 0; at = json_next(&d, at))
 *         if (json_is(&d, at, "port"))
 *             err = json_to_u64(&d, json_value(&d, at), 65535, &port);
 *
 * Writing: values are appended to a bounded buffer; commas and escapes are
 * put here. The first overflow sticks, so one check at json_done is enough.
 */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#define JSMN_HEADER
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "base/text.h"

#define JSON_DEPTH_MAX 16 /* arrays and objects inside each other */

/* ---- reading ------------------------------------------------------------ */

enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

/* A parsed text. Points into the caller's text and tokens, which must live
 * as long; both are untouched by the questions below. */
struct json_doc {
    struct view text;
    const jsmntok_t *tok;
    int count; /* tokens */
};

/*
 * Parse one value with white space around it.
 * text   untrusted
 * tok    one token per value and per name; `cap` bounds the work, which grows
 *        with its square when one object has that many names
 * out    written on success only
 * Returns OK; ERR_MORE when the text ends inside a value (what stands before
 * may be wrong as well); ERR_TOO_BIG when it has more than `cap` tokens,
 * nests too deep or is longer than INT32_MAX; ERR_PROTO for every other fault.
 */
int json_parse(struct json_doc *out, struct view text, jsmntok_t *tok,
               size_t cap);

enum json_kind json_kind(const struct json_doc *d, int at);

/*
 * The members of an object (their names) or the elements of an array, in the
 * order of the text. Negative when there is no more, or when `at` has no
 * insides. json_value is the value of a name.
 */
int json_first(const struct json_doc *d, int at);
int json_next(const struct json_doc *d, int at);
int json_value(const struct json_doc *d, int name);

/* The value of a name in an object: its place; ERR_NOT_FOUND; ERR_PROTO when
 * `object` is none. Names are exact, byte for byte. */
int json_get(const struct json_doc *d, int object, const char *name);

/* OK when `object` is one and has no other names than those of the
 * NULL-ended list; ERR_PROTO otherwise. */
int json_only(const struct json_doc *d, int object, const char *const *names);

/* Is this string or name, decoded, exactly that text? */
bool json_is(const struct json_doc *d, int at, const char *text);

/*
 * A value in its C type; results are written on success only. `at` may be
 * negative, an error of json_get: that error is returned.
 *   bytes  decoded, without an end; returns the length
 *   str    decoded, NUL-terminated; returns the length; a text with U+0000
 *          in it is ERR_PROTO
 *   i64, u64   numbers without fraction and exponent
 * Returns ERR_PROTO when the value is of another kind; ERR_TOO_BIG when the
 * text does not fit; ERR_RANGE when the number does not.
 */
int json_to_bytes(const struct json_doc *d, int at, struct span out);
int json_to_str(const struct json_doc *d, int at, char *out, size_t cap);
int json_to_i64(const struct json_doc *d, int at, int64_t *out);
int json_to_u64(const struct json_doc *d, int at, uint64_t max, uint64_t *out);
int json_to_bool(const struct json_doc *d, int at, bool *out);

/* The characters of a value as they stand in the text, a string without its
 * quotes: for numbers with a fraction, or to pass a value on. */
struct view json_raw(const struct json_doc *d, int at);

/* ---- writing ------------------------------------------------------------ */

struct json_out {
    struct text text;
    uint32_t objects; /* bit per level: it is an object */
    uint8_t depth;    /* open arrays and objects */
    bool comma;       /* a value stands before the next one */
    bool has_name;    /* a name stands before the next value */
};

/* Start in `buf`, which keeps its place until json_done; cap >= 1. */
void json_begin(struct json_out *o, char *buf, size_t cap);

/* Values. In an object each follows a json_key; a wrong order, and more than
 * JSON_DEPTH_MAX levels, are our mistakes: they assert. */
void json_obj_begin(struct json_out *o);
void json_obj_end(struct json_out *o);
void json_arr_begin(struct json_out *o);
void json_arr_end(struct json_out *o);
void json_key(struct json_out *o, const char *name);
void json_str(struct json_out *o, struct view v); /* bad UTF-8: U+FFFD */
void json_cstr(struct json_out *o, const char *s);
void json_member(struct json_out *o, const char *name, const char *s);
void json_u64(struct json_out *o, uint64_t v);
void json_i64(struct json_out *o, int64_t v);
void json_bool(struct json_out *o, bool v);
void json_null(struct json_out *o);
void json_time(struct json_out *o, int64_t unix_ms); /* RFC 3339, UTC */
/* A member that is such a time; null for 0, which is never. */
void json_member_time(struct json_out *o, const char *name, int64_t unix_ms);

/* The finished text, a view into the buffer (NUL-terminated there). OK, or
 * ERR_FULL when it did not fit; `out` is written on success only. */
int json_done(const struct json_out *o, struct view *out);

#endif
