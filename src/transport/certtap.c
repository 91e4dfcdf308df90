/* The X.509 engine in front of another; see certtap.h. */
#include "transport/certtap.h"

#include <stddef.h>

#define RSA_BYTES_MIN 256 /* 2048 bits */

static struct certtap *tap_of(const br_x509_class **ctx)
{
    return (struct certtap *)(void *)ctx;
}

static void tap_start_chain(const br_x509_class **ctx, const char *name)
{
    struct certtap *tap = tap_of(ctx);
    tap->count = 0;
    tap->in_first = false;
    tap->key = NULL;
    if (tap->inner != NULL)
        (*tap->inner)->start_chain(tap->inner, name);
}

static void tap_start_cert(const br_x509_class **ctx, uint32_t len)
{
    struct certtap *tap = tap_of(ctx);
    tap->in_first = tap->count++ == 0;
    if (tap->in_first) {
        br_x509_decoder_init(&tap->decoder, NULL, NULL);
        br_sha256_init(&tap->digest);
    }
    if (tap->inner != NULL)
        (*tap->inner)->start_cert(tap->inner, len);
}

/*
 * Give the decoder its bytes, but none after an error: it would go on behind
 * the check that failed, with the value that was refused (BearSSL 0.6;
 * br_x509_minimal guards itself). "Truncated" means: no error so far.
 */
static void decode(struct certtap *tap, const unsigned char *buf, size_t len)
{
    int err = br_x509_decoder_last_error(&tap->decoder);
    if (err == BR_ERR_OK || err == BR_ERR_X509_TRUNCATED)
        br_x509_decoder_push(&tap->decoder, buf, len);
}

static void tap_append(const br_x509_class **ctx, const unsigned char *buf,
                       size_t len)
{
    struct certtap *tap = tap_of(ctx);
    if (tap->in_first) {
        br_sha256_update(&tap->digest, buf, len);
        if (tap->inner == NULL)
            decode(tap, buf, len);
    }
    if (tap->inner != NULL)
        (*tap->inner)->append(tap->inner, buf, len);
}

static void tap_end_cert(const br_x509_class **ctx)
{
    struct certtap *tap = tap_of(ctx);
    if (tap->in_first)
        br_sha256_out(&tap->digest, tap->end_point);
    tap->in_first = false;
    if (tap->inner != NULL)
        (*tap->inner)->end_cert(tap->inner);
}

/* A key that we would take from anybody: strong enough that nobody else can
 * sign for it. Whose it is, the challenge decides. */
static unsigned key_verdict(const br_x509_pkey *key)
{
    if (key == NULL)
        return BR_ERR_X509_WRONG_KEY_TYPE;
    if (key->key_type == BR_KEYTYPE_RSA)
        return key->key.rsa.nlen >= RSA_BYTES_MIN ? BR_ERR_OK
                                                  : BR_ERR_X509_WEAK_PUBLIC_KEY;
    if (key->key_type == BR_KEYTYPE_EC &&
        (key->key.ec.curve == BR_EC_secp256r1 ||
         key->key.ec.curve == BR_EC_secp384r1))
        return BR_ERR_OK;
    return BR_ERR_X509_WRONG_KEY_TYPE;
}

static unsigned tap_end_chain(const br_x509_class **ctx)
{
    struct certtap *tap = tap_of(ctx);
    if (tap->inner != NULL)
        return (*tap->inner)->end_chain(tap->inner);
    if (tap->count == 0)
        return BR_ERR_X509_EMPTY_CHAIN;
    int err = br_x509_decoder_last_error(&tap->decoder);
    if (err != 0)
        return (unsigned)err;
    tap->key = br_x509_decoder_get_pkey(&tap->decoder);
    return key_verdict(tap->key);
}

static const br_x509_pkey *tap_get_pkey(const br_x509_class *const *ctx,
                                        unsigned *usages)
{
    const struct certtap *tap = (const void *)ctx;
    if (tap->inner != NULL)
        return (*tap->inner)
            ->get_pkey((const br_x509_class *const *)tap->inner, usages);
    if (usages != NULL)
        *usages = BR_KEYTYPE_SIGN; /* ECDHE: a signature, nothing else */
    return tap->key;
}

static const br_x509_class tap_class = {
    sizeof(struct certtap), tap_start_chain, tap_start_cert, tap_append,
    tap_end_cert,           tap_end_chain,   tap_get_pkey,
};

/* see certtap.h */
void certtap_init(struct certtap *tap, const br_x509_class **inner)
{
    tap->vtable = &tap_class;
    tap->inner = inner;
    tap->key = NULL;
    tap->count = 0;
    tap->in_first = false;
}
