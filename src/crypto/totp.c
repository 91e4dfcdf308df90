/* One-time passwords by time; see totp.h. */
#include "crypto/totp.h"

#include <bearssl.h>

#include "base/err.h"
#include "crypto/ct.h"

/* RFC 4226, 5.3: 31 bits of the digest, at a place that its last byte names. */
static uint32_t truncate(const uint8_t digest[20])
{
    const uint8_t *at = digest + (digest[19] & 15);

    return (at[0] & 0x7FU) << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

void totp_code(struct view secret, uint64_t step, char out[TOTP_DIGITS + 1])
{
    br_hmac_key_context key;
    br_hmac_context mac;
    uint8_t counter[8], digest[br_sha1_SIZE];
    struct writer w;

    writer_init(&w, SPAN_ARRAY(counter));
    write_u64(&w, step);
    br_hmac_key_init(&key, &br_sha1_vtable, secret.ptr, secret.len);
    br_hmac_init(&mac, &key, 0);
    br_hmac_update(&mac, counter, sizeof counter);
    br_hmac_out(&mac, digest);
    uint32_t number = truncate(digest);
    for (int i = TOTP_DIGITS; i-- > 0; number /= 10)
        out[i] = (char)('0' + number % 10);
    out[TOTP_DIGITS] = '\0';
    ct_wipe(SPAN_ARRAY(digest));
    ct_wipe((struct span){(uint8_t *)&key, sizeof key});
    ct_wipe((struct span){(uint8_t *)&mac, sizeof mac});
}

/* The six digits without the blanks that people put between them. */
static bool digits_of(struct view typed, char out[TOTP_DIGITS])
{
    size_t len = 0;

    for (size_t i = 0; i < typed.len; i++) {
        if (typed.ptr[i] == ' ')
            continue;
        if (len == TOTP_DIGITS || typed.ptr[i] < '0' || typed.ptr[i] > '9')
            return false;
        out[len++] = (char)typed.ptr[i];
    }
    return len == TOTP_DIGITS;
}

int totp_check(struct view secret, struct view typed, int64_t now_s,
               uint64_t after, uint64_t *step)
{
    char code[TOTP_DIGITS + 1], digits[TOTP_DIGITS];
    uint64_t now = (uint64_t)now_s / TOTP_STEP_S, found = 0;

    if (now_s < 0 || !digits_of(typed, digits))
        return ERR_AUTH;
    for (uint64_t s = now == 0 ? 0 : now - 1; s <= now + 1; s++) {
        totp_code(secret, s, code);
        if (ct_eq(view_of(code, TOTP_DIGITS), VIEW_ARRAY(digits)) && s > after)
            found = s;
    }
    ct_wipe(SPAN_ARRAY(code));
    if (found == 0)
        return ERR_AUTH;
    *step = found;
    return OK;
}
