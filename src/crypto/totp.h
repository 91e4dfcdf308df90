/*
 * Time-based one-time passwords (RFC 6238, over RFC 4226): SHA-1, six digits,
 * steps of 30 seconds, which is what every authenticator app does. The time is
 * an argument. That a step is used only once is the caller's to remember: it
 * keeps the step that totp_check gives and hands it in again as `after`.
 */
#ifndef CRYPTO_TOTP_H
#define CRYPTO_TOTP_H

#include "base/bytes.h"

enum {
    TOTP_SECRET_LEN = 20, /* RFC 4226, 4: as long as the digest */
    TOTP_DIGITS = 6,
    TOTP_STEP_S = 30,
};

/* The code of one step, NUL-terminated. `secret` is not empty. */
void totp_code(struct view secret, uint64_t step, char out[TOTP_DIGITS + 1]);

/*
 * Is this the code of now, of one step before or of one after?
 * typed  untrusted; blanks in it do not count
 * now_s  Unix time in seconds, not negative
 * after  steps up to this one are used up; 0: none is
 * step   the step of the code; written on success only
 * Returns OK or ERR_AUTH; the time it takes does not depend on which digits
 * are right.
 */
int totp_check(struct view secret, struct view typed, int64_t now_s,
               uint64_t after, uint64_t *step);

#endif
