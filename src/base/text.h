/*
 * Text without stdio: building a string in a fixed buffer, and strict
 * conversions. A buffer that overflows keeps what fits, stays terminated and
 * remembers it (`cut`).
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/bytes.h"

struct text {
    char *buf;
    size_t cap; /* bytes, terminator included */
    size_t len; /* without the terminator */
    bool cut;   /* something did not fit */
};

/* Start an empty text in `buf`; cap >= 1. TEXT_OF takes a char array. */
void text_init(struct text *t, char *buf, size_t cap);
#define TEXT_OF(t, array) text_init((t), (array), sizeof(array))

void text_str(struct text *t, const char *s);
void text_view(struct text *t, struct view v);
void text_char(struct text *t, char c);
void text_u64(struct text *t, uint64_t v);
void text_i64(struct text *t, int64_t v);
/* Decimal, left-padded with zeros to at least `width` digits. */
void text_u64_pad(struct text *t, uint64_t v, int width);
void text_hex(struct text *t, struct view v);
int text_hex_digit(uint8_t c); /* its value; -1: it is none */
/* Pad with spaces, one at least, until `col` characters stand since `from`. */
void text_pad(struct text *t, size_t from, size_t col);

/*
 * Remote text for people: printable UTF-8 stays, everything else (controls,
 * ESC, broken sequences, bidirectional overrides) becomes \xNN.
 */
void text_safe(struct text *t, struct view v);

/* RFC 3339 in UTC, "2026-11-21T02:34:56Z"; ms since 1970. */
void text_time(struct text *t, int64_t unix_ms);

/* Is there nothing in it but blanks? */
bool text_is_blank(struct view v);

/* Exactly such a time, of the years 1 to 9999; OK, or ERR_RANGE. */
int text_parse_time(struct view v, int64_t *out_ms);

struct view text_done(const struct text *t);

/* Several strings into one, NULL-ended: text_join(&t, "a", b, NULL). */
void text_join(struct text *t, ...);

/* Whole view to a number; OK, or ERR_RANGE (empty, other characters,
 * overflow, above max). */
int text_parse_u64(struct view v, uint64_t max, uint64_t *out);

/* "250ms", "30s", "5m", "24h", "7d", or plain seconds; result in ms. */
int text_parse_duration(struct view v, uint64_t *out_ms);

#endif
