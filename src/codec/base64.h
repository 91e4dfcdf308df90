/*
 * Base64 (RFC 4648) in the two forms we meet: the standard alphabet, always
 * padded (section 4: PEM, HTTP basic), and the URL alphabet, never padded
 * (section 5: tokens, join strings). Decoding is strict, so every byte string
 * has exactly one text: no white space, no foreign bytes, padding as the form
 * demands, unused bits zero. Line breaks belong to the caller.
 */
#ifndef CODEC_BASE64_H
#define CODEC_BASE64_H

#include "base/bytes.h"

enum base64_form {
    BASE64_STD, /* A-Z a-z 0-9 + /  with '=' up to a multiple of four */
    BASE64_URL, /* A-Z a-z 0-9 - _  without '=' */
};

/* Length of the text for `len` bytes; len is below SIZE_MAX / 2. */
size_t base64_len(enum base64_form form, size_t len);

/* Append the text of `in`; a writer without room keeps ERR_FULL. */
void base64_write(struct writer *w, enum base64_form form, struct view in);

/*
 * Decode a whole text.
 * in    untrusted; may be empty
 * out   not overlapping `in`; its bytes are undefined after an error
 * Returns the number of bytes written; ERR_PROTO when the text is not what
 * base64_write makes; ERR_FULL when out is too small; ERR_TOO_BIG when the
 * text is longer than INT32_MAX.
 */
int base64_decode(enum base64_form form, struct view in, struct span out);

#endif
