/*
 * DER (ITU-T X.690) for the few structures we make ourselves: certificates
 * and keys. A forward writer over base/bytes, and the PEM armour around the
 * result (RFC 7468). What the structures mean is left to core/cert.
 *
 * A constructed element is opened, filled and closed:
 *
 *     size_t seq = der_open(w, DER_SEQUENCE);
 *     der_oid(w, "1.2.840.10045.2.1");
 *     der_close(w, seq);
 *
 *     | tag | len | content ...          one byte is kept for the length;
 *     ^ mark                             der_close moves a long content up
 *
 * Errors stick to the writer: it keeps ERR_FULL and ignores later calls, so
 * one check at the end is enough. Content above DER_CONTENT_MAX is ERR_FULL.
 */
#ifndef CODEC_DER_H
#define CODEC_DER_H

#include "base/bytes.h"

#define DER_CONTENT_MAX 65535U          /* what two length bytes can say */
#define DER_TIME_MAX_S  253402300799ULL /* 9999-12-31T23:59:59Z */

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_UTF8 = 0x0c,
    DER_PRINTABLE = 0x13,
    DER_UTC_TIME = 0x17,
    DER_GENERAL_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};

/* Context tags 0 to 30: around a whole element (explicit), or in the place of
 * a primitive type's own tag (implicit). */
#define DER_EXPLICIT(n) ((uint8_t)(0xa0 | (n)))
#define DER_IMPLICIT(n) ((uint8_t)(0x80 | (n)))

/* Begin an element. Returns the mark that its der_close needs. */
size_t der_open(struct writer *w, uint8_t tag);

/* End the element begun at `mark`; elements end in reverse order. */
void der_close(struct writer *w, size_t mark);

/* A primitive element whose content is ready: octet, UTF-8 and printable
 * strings, implicit tags. The caller answers for the character set. */
void der_put(struct writer *w, uint8_t tag, struct view content);

void der_boolean(struct writer *w, bool value);

/* A number that is not negative, from its bytes, most significant first;
 * leading zeros are allowed in `bytes`, and none at all means 0. */
void der_integer(struct writer *w, struct view bytes);

/* An object identifier from dotted decimal, two arcs or more, each below
 * 2^32 - 80. Only constants of ours: anything else asserts. */
void der_oid(struct writer *w, const char *dotted);

/* A BIT STRING of whole bytes. */
void der_bits(struct writer *w, struct view bytes);

/* A BIT STRING of named bits (X.690, 11.2.2): bit 0 is 0x80, bit 7 is 0x01,
 * and zero bits at the end are left out. */
void der_named_bits(struct writer *w, uint8_t flags);

/* A Time (RFC 5280, 4.1.2.5): UTCTime through 2049, then GeneralizedTime.
 * unix_s is at most DER_TIME_MAX_S; more asserts. */
void der_time(struct writer *w, uint64_t unix_s);

/*
 * Append one PEM block in RFC 7468's strict form, lines ending in LF.
 * label   such as "CERTIFICATE"
 * der     not empty
 */
void der_to_pem(struct writer *w, const char *label, struct view der);

/*
 * Read a text that is exactly one PEM block (RFC 7468, stricttextualmsg).
 * text    the whole file, untrusted; lines end in LF or CRLF, and only the
 *         last may go without; nothing may stand before or after the block
 * label   the one that must stand in both boundaries
 * out     not overlapping text; its bytes are undefined after an error
 * Returns the number of bytes written; ERR_PROTO when the text is anything
 * else, is cut short or holds no bytes; ERR_FULL when out is too small;
 * ERR_TOO_BIG when the text is longer than INT32_MAX. The content is not
 * looked at.
 */
int der_from_pem(struct view text, const char *label, struct span out);

#endif
