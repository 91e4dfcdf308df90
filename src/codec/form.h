/*
 * application/x-www-form-urlencoded (WHATWG URL, 5), as forms and OAuth
 * clients send it, and the queries of our own links. Strict where it matters:
 * what has two readings is refused, so that nobody in front of us can read
 * another value than we do.
 *
 *     name=value&name=value      '+' is a blank, %XX a byte
 *
 * Bytes of printable ASCII stand for themselves even where a careful client
 * would have written %XX (curl leaves "urn:..." as it is).
 */
#ifndef CODEC_FORM_H
#define CODEC_FORM_H

#include "base/text.h"

/* Fields in one body; more is no form of ours. */
#define FORM_FIELDS_MAX 32

/*
 * Is all of it well-formed? An empty body is: a form without fields.
 * Returns OK; ERR_PROTO for an empty name, a pair without '=', an escape that
 * is none, a blank, control or non-ASCII byte, or an escaped NUL;
 * ERR_TOO_BIG above FORM_FIELDS_MAX fields.
 */
int form_check(struct view body);

/*
 * The value of a field, decoded and NUL-terminated.
 * body  untrusted
 * name  exact, byte for byte, after decoding
 * out   not written unless the whole value fits
 * Returns its length; ERR_NOT_FOUND; ERR_TOO_BIG when it does not fit in cap;
 * ERR_PROTO when the name comes twice or form_check would refuse the body.
 */
int form_get(struct view body, const char *name, char *out, size_t cap);

/* Append bytes as a name or a value: letters, digits and "-._" stand for
 * themselves, a blank is '+'. */
void form_escape(struct text *t, struct view v);

#endif
