/*
 * Cookies (RFC 6265): one value out of a Cookie header, and the Set-Cookie
 * line of ours. We set one cookie, so a name that comes twice was planted by
 * somebody else (another path, another host of the same site): it is refused,
 * not guessed at.
 */
#ifndef CODEC_COOKIE_H
#define CODEC_COOKIE_H

#include "base/text.h"

/*
 * The value of a cookie.
 * header  untrusted: the value of the Cookie header
 * name    exact, byte for byte
 * out     a view into `header`; written on success only
 * Returns OK; ERR_NOT_FOUND; ERR_PROTO when the name comes twice, or when its
 * value has a byte that cookies may not have (RFC 6265, 4.1.1; quotes too).
 * What other cookies look like does not matter.
 */
int cookie_get(struct view header, const char *name, struct view *out);

/*
 * Append the value of a Set-Cookie header: for the whole host, out of reach
 * of scripts, never sent along from other sites.
 * secure     for TLS only
 * max_age_s  how long the browser keeps it; 0 removes it now
 */
void cookie_set(struct text *t, const char *name, const char *value,
                bool secure, uint64_t max_age_s);

#endif
