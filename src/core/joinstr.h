/*
 * The join string: everything a machine needs to enrol, in one line that
 * people copy.
 *
 *     cmdop://HOST:PORT/PIN#KEY
 *
 *     HOST  a name (RFC 1123; '_' may stand where '-' may), an IPv4 address, or
 *           an IPv6 address in square brackets (RFC 4291, without zone)
 *     PORT  1 to 65535, decimal, no leading zero
 *     PIN   the relay's Ed25519 public key, 32 bytes in base64url: 43
 *           characters
 *     KEY   "cmdop_enroll_" and 24 random bytes in base64url: 32 characters
 *
 * Every join string has one spelling: what parses, prints the same. The KEY
 * is a secret; it stands after '#', the part of a URL that is never sent.
 */
#ifndef CORE_JOINSTR_H
#define CORE_JOINSTR_H

#include "base/text.h"

enum {
    JOINSTR_PIN_LEN = 32,
    JOINSTR_KEY_RAW_LEN = 24,
    JOINSTR_HOST_MAX = 253,                  /* RFC 1035, 2.3.4 */
    JOINSTR_CAP = 8 + 255 + 6 + 44 + 46 + 1, /* the longest, with its end */
};

/* Holds a secret: the caller wipes it. */
struct joinstr {
    char host[256]; /* an IPv6 address without its brackets */
    uint16_t port;
    uint8_t pin[JOINSTR_PIN_LEN];
    char key[96];
};

/*
 * Parse a join string.
 * in    from a person or a file; strict, so no white space around it
 * out   written on success only
 * why   an empty text; gets a sentence that names the first fault and never
 *       quotes the KEY
 * Returns OK or ERR_RANGE.
 */
int joinstr_parse(struct view in, struct joinstr *out, struct text *why);

/*
 * Parse a server and a KEY that come apart, as in CMDOP_SERVER_URL and
 * CMDOP_JOIN_KEY. The server is cmdop://HOST:PORT/PIN, cmdop://HOST:PORT or
 * HOST:PORT; *has_pin tells whether it named a PIN, and out->pin is zero when
 * it did not. As joinstr_parse otherwise.
 */
int joinstr_parse_apart(struct view server, struct view key,
                        struct joinstr *out, bool *has_pin, struct text *why);

/* Does it look like a KEY alone, sound or not? */
bool joinstr_is_key(struct view in);

/* Append the string to `out`; OK, or ERR_FULL when it was cut. */
int joinstr_print(const struct joinstr *j, struct text *out);

/* Make a KEY from random bytes; `out` has room for 96. */
void joinstr_key(const uint8_t raw[JOINSTR_KEY_RAW_LEN], char out[96]);

/* Is this a KEY by its shape? */
bool joinstr_key_ok(struct view key);

/* Is this a HOST: a name or an address, IPv6 without brackets? */
bool joinstr_host_ok(struct view host);

/*
 * Split "HOST:PORT", IPv6 in brackets, as above.
 * host   room for 256
 * Returns OK; ERR_RANGE with a sentence in `why`.
 */
int joinstr_address(struct view in, char host[256], uint16_t *port,
                    struct text *why);

#endif
