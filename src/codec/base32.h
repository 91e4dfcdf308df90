/*
 * Base32 (RFC 4648, 6) without padding, as authenticator apps and backup codes
 * want it. Decoding is strict: A-Z and 2-7 only, unused bits zero, so every
 * byte string has exactly one text. What people type (small letters, blanks
 * between groups) is made straight by base32_typed first.
 */
#ifndef CODEC_BASE32_H
#define CODEC_BASE32_H

#include "base/text.h"

/* Length of the text for `len` bytes. */
#define BASE32_LEN(len) (((len)*8 + 4) / 5)

/* Append the text of `in`; a writer without room keeps ERR_FULL. */
void base32_write(struct writer *w, struct view in);

/*
 * Decode a whole text.
 * in    untrusted; may be empty
 * out   not overlapping `in`; its bytes are undefined after an error
 * Returns the number of bytes written; ERR_PROTO when the text is not what
 * base32_write makes; ERR_FULL when out is too small.
 */
int base32_decode(struct view in, struct span out);

/* Append what was typed with small letters made large, and without blanks
 * and dashes. Other bytes stay, and base32_decode refuses them. */
void base32_typed(struct text *t, struct view typed);

#endif
